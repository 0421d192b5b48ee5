
#include "npmtoken_secret.h"


#define npmtoken_secret_is(p, len, name)                                      \
    ((len) == sizeof(name) - 1 && ngx_memcmp(p, name, sizeof(name) - 1) == 0)


static u_char *npmtoken_secret_decode(u_char *p, u_char *last, u_char *ch);
static size_t npmtoken_secret_len(u_char *p, u_char *last);


/*
 * Everything after a segment "token" that follows a segment "user" or "tokens"
 * counts as a secret, whatever dot segments, parameters or slashes stand
 * between them, and however often it is encoded.  So does the query after
 * "done" that follows "v1": npm asks so for the token of a login in the
 * browser.  Hiding too much is better than hiding too little.
 */

ngx_int_t
npmtoken_secret_find(ngx_str_t *line, ngx_str_t *secret)
{
    u_char       ch, *p, *last, name[sizeof("tokens")];
    size_t       n;
    ngx_uint_t   seen, slash, params, v1;

    p = line->data;
    last = p + line->len;

    n = 0;
    seen = 0;
    params = 0;
    v1 = 0;

    while (p < last) {

        p = npmtoken_secret_decode(p, last, &ch);

        slash = (ch == '/' || ch == '\\');

        if (slash || ch == ' ' || ch == '?') {

            if (slash && seen && npmtoken_secret_is(name, n, "token")) {
                secret->data = p;
                secret->len = npmtoken_secret_len(p, last);

                if (secret->len) {
                    return NGX_OK;
                }
            }

            if (ch == '?' && v1 && npmtoken_secret_is(name, n, "done")) {
                secret->data = p;
                secret->len = npmtoken_secret_len(p, last);

                if (secret->len) {
                    return NGX_OK;
                }
            }

            v1 = npmtoken_secret_is(name, n, "v1");

            if (npmtoken_secret_is(name, n, "user")
                || npmtoken_secret_is(name, n, "tokens"))
            {
                seen = 1;
            }

            n = 0;
            params = 0;
            continue;
        }

        if (ch == ';') {
            params = 1;
        }

        if (!params && n < sizeof(name)) {
            name[n++] = ngx_tolower(ch);
        }
    }

    ngx_str_null(secret);

    return NGX_DECLINED;
}


static u_char *
npmtoken_secret_decode(u_char *p, u_char *last, u_char *ch)
{
    ngx_int_t  n;

    *ch = *p++;

    while (*ch == '%' && last - p >= 2) {

        n = ngx_hextoi(p, 2);
        if (n == NGX_ERROR) {
            break;
        }

        *ch = (u_char) n;
        p += 2;
    }

    return p;
}


static size_t
npmtoken_secret_len(u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    while (p < last && *p > ' ' && *p != '?') {
        p++;
    }

    return p - start;
}
