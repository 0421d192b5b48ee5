
/*
 * Authorization header -> token.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_bearer.h"


#define npmtoken_bearer_blank(ch)  ((ch) == ' ' || (ch) == '\t')


/* a bit for each byte that token68 has before its padding: A-Za-z0-9-._~+/ */

static uint32_t  npmtoken_bearer_token68_chars[] = {
    0x00000000, 0x03ffe800, 0x87fffffe, 0x47fffffe,
    0x00000000, 0x00000000, 0x00000000, 0x00000000
};

/* and for each that the name of a scheme has: tchar of RFC 9110, 5.6.2 */

static uint32_t  npmtoken_bearer_scheme_chars[] = {
    0x00000000, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff,
    0x00000000, 0x00000000, 0x00000000, 0x00000000
};


#define npmtoken_bearer_in(set, ch)                                           \
    ((set)[(ch) >> 5] & (1U << ((ch) & 0x1f)))


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

    if (last - p < 6
        || ngx_strncasecmp(p, (u_char *) "Bearer", 6) != 0)
    {
        return NPMTOKEN_BEARER_FOREIGN;
    }

    p += 6;

    if (p < last && npmtoken_bearer_in(npmtoken_bearer_scheme_chars, *p)) {

        /* the name of the scheme goes on */

        return NPMTOKEN_BEARER_FOREIGN;
    }

    /*
     * "Bearer:token" is nobody's scheme; called foreign it could pass
     * unjudged to a registry that reads it as we would.
     */

    if (p == last || !npmtoken_bearer_blank(*p)) {
        return NPMTOKEN_BEARER_BAD;
    }

    while (npmtoken_bearer_blank(*p)) {
        p++;
    }

    if (last - p > NPMTOKEN_TOKEN_MAX
        || npmtoken_bearer_token68(p, last - p) != NGX_OK)
    {
        return NPMTOKEN_BEARER_BAD;
    }

    token->data = p;
    token->len = last - p;

    return NPMTOKEN_BEARER_TOKEN;
}


ngx_int_t
npmtoken_bearer_token68(u_char *p, size_t len)
{
    u_char  *last, *start;

    start = p;
    last = p + len;

    while (p < last && npmtoken_bearer_in(npmtoken_bearer_token68_chars, *p)) {
        p++;
    }

    if (p == start) {
        return NGX_DECLINED;
    }

    while (p < last && *p == '=') {
        p++;
    }

    return (p == last) ? NGX_OK : NGX_DECLINED;
}
