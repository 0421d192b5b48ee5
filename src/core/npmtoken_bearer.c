
/*
 * Authorization header -> token.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_bearer.h"


#define npmtoken_bearer_blank(ch)  ((ch) == ' ' || (ch) == '\t')

/* checks eight bytes at once: the whole header of each request comes here */

#define npmtoken_bearer_eight(p)                                              \
    (npmtoken_bearer_chars[(p)[0]] & npmtoken_bearer_chars[(p)[1]]            \
     & npmtoken_bearer_chars[(p)[2]] & npmtoken_bearer_chars[(p)[3]]          \
     & npmtoken_bearer_chars[(p)[4]] & npmtoken_bearer_chars[(p)[5]]          \
     & npmtoken_bearer_chars[(p)[6]] & npmtoken_bearer_chars[(p)[7]]          \
     & NPMTOKEN_BEARER_TOKEN68)


/* compares four bytes at once; only 'B' and 'b' become 'b' by | 0x20 */

#define npmtoken_bearer_scheme(p)                                             \
    ((npmtoken_bearer_word(p) | 0x20202020) == npmtoken_bearer_word("bear")   \
     && (npmtoken_bearer_word((p) + 2) | 0x20202020)                          \
        == npmtoken_bearer_word("arer"))


/* the characters of token68 before its padding: A-Za-z0-9-._~+/ */
#define NPMTOKEN_BEARER_TOKEN68  1

/* the characters of a scheme's name: tchar of RFC 9110, 5.6.2 */
#define NPMTOKEN_BEARER_TCHAR    2


/* one byte per character, not one bit: this saves a load */

static const u_char  npmtoken_bearer_chars[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 2, 0, 2, 2, 2, 2, 2, 0, 0, 2, 3, 0, 3, 3, 1,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0,
    0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 2, 3,
    2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 2, 0, 3, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
};


static npmtoken_bearer_e npmtoken_bearer_other(u_char *p, u_char *last);


static ngx_inline uint32_t
npmtoken_bearer_word(const void *p)
{
    uint32_t  word;

    ngx_memcpy(&word, p, sizeof(uint32_t));

    return word;
}


npmtoken_bearer_e
npmtoken_bearer_parse(ngx_str_t *value, ngx_str_t *token)
{
    u_char  *p, *last;

    ngx_str_null(token);

    p = value->data;
    last = p + value->len;

    while (p < last && npmtoken_bearer_blank(*p)) {
        p++;
    }

    while (p < last && npmtoken_bearer_blank(last[-1])) {
        last--;
    }

    if (p == last) {
        return NPMTOKEN_BEARER_NONE;
    }

    if (last - p < 6 || !npmtoken_bearer_scheme(p)) {
        return npmtoken_bearer_other(p, last);
    }

    p += 6;

    if (p == last) {
        return NPMTOKEN_BEARER_NONE;
    }

    if (npmtoken_bearer_chars[*p] & NPMTOKEN_BEARER_TCHAR) {

        /* a longer name of a scheme, such as "Bearers" */

        return npmtoken_bearer_other(p, last);
    }

    /*
     * No scheme is called "Bearer:token".  If it were foreign, it could
     * reach, unjudged, a registry that takes it for Bearer.
     */

    if (!npmtoken_bearer_blank(*p)) {
        return NPMTOKEN_BEARER_BAD;
    }

    while (npmtoken_bearer_blank(*p)) {
        p++;
    }

    if (last - p > NPMTOKEN_TOKEN_MAX
        || !npmtoken_bearer_is_token68(p, last - p))
    {
        return NPMTOKEN_BEARER_BAD;
    }

    token->data = p;
    token->len = last - p;

    return NPMTOKEN_BEARER_TOKEN;
}


/* not Bearer: a scheme by itself has nothing to judge */

static npmtoken_bearer_e
npmtoken_bearer_other(u_char *p, u_char *last)
{
    while (p < last && (npmtoken_bearer_chars[*p] & NPMTOKEN_BEARER_TCHAR)) {
        p++;
    }

    return (p == last) ? NPMTOKEN_BEARER_NONE : NPMTOKEN_BEARER_FOREIGN;
}


ngx_uint_t
npmtoken_bearer_is_token68(u_char *p, size_t len)
{
    u_char  *last, *start;

    start = p;
    last = p + len;

    while (last - p >= 8 && npmtoken_bearer_eight(p)) {
        p += 8;
    }

    while (p < last && (npmtoken_bearer_chars[*p] & NPMTOKEN_BEARER_TOKEN68)) {
        p++;
    }

    if (p == start) {
        return 0;
    }

    while (p < last && *p == '=') {
        p++;
    }

    return p == last;
}
