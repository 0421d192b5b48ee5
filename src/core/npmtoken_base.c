
/*
 * Where a registry is mounted.
 *
 * Some registries have an encoded character in their own path: GitLab the
 * slashes of a group, Azure Artifacts the "@" of a view.  What clients send
 * begins with that, while nginx looks for a location by the decoded path.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_base.h"


static ngx_int_t npmtoken_base_decode(u_char *p, u_char *last, u_char *ch);
static ngx_uint_t npmtoken_base_plain(u_char ch);
static ngx_int_t npmtoken_base_segments(ngx_str_t *path);


ngx_int_t
npmtoken_base_parse(ngx_str_t *path, u_char *buf, npmtoken_base_t *base)
{
    u_char     ch, *p, *last, *d;
    ngx_int_t  n;

    if (path->len == 0 || path->data[0] != '/') {
        return NGX_DECLINED;
    }

    base->page = 0;
    base->target.data = buf;

    p = ngx_cpymem(buf, path->data, path->len);

    if (p[-1] != '/') {
        *p++ = '/';
    }

    base->target.len = p - buf;
    base->uri.data = d = p;

    last = p;

    for (p = buf; p < last; p += n) {

        n = npmtoken_base_decode(p, last, &ch);
        if (n == NGX_ERROR) {
            return NGX_DECLINED;
        }

        *d++ = ch;
    }

    base->uri.len = d - base->uri.data;

    /* the decoded one has all the slashes and dots that the raw one has */

    return npmtoken_base_segments(&base->uri);
}


/* how many bytes one character takes, or NGX_ERROR */

static ngx_int_t
npmtoken_base_decode(u_char *p, u_char *last, u_char *ch)
{
    ngx_int_t  n;

    if (*p != '%') {
        *ch = *p;

        return (*p <= ' ' || *p >= 0x7f || ngx_strchr("?#;\\$", *p))
               ? NGX_ERROR : 1;
    }

    n = (last - p < 3) ? NGX_ERROR : ngx_hextoi(p + 1, 2);

    if (n == NGX_ERROR || n < ' ' || n == 0x7f || ngx_strchr("%?#;\\", n)
        || npmtoken_base_plain((u_char) n))
    {
        return NGX_ERROR;
    }

    *ch = (u_char) n;

    return 3;
}


/* what nobody encodes: unreserved of RFC 3986, 2.3 */

static ngx_uint_t
npmtoken_base_plain(u_char ch)
{
    return (ch >= '0' && ch <= '9')
           || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
           || ch == '-' || ch == '.' || ch == '_' || ch == '~';
}


static ngx_int_t
npmtoken_base_segments(ngx_str_t *path)
{
    size_t  i;

    for (i = 0; i + 1 < path->len; i++) {
        if (path->data[i] == '/'
            && (path->data[i + 1] == '/' || path->data[i + 1] == '.'))
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_uint_t
npmtoken_base_covers(npmtoken_base_t *base, ngx_str_t *target)
{
    size_t       i;
    u_char      *b, *t;
    ngx_uint_t   hex;

    if (target->len < base->target.len) {
        return 0;
    }

    b = base->target.data;
    t = target->data;

    if (ngx_memcmp(t, b, base->target.len) == 0) {
        return 1;
    }

    hex = 0;

    for (i = 0; i < base->target.len; i++) {

        if (b[i] == '%') {
            hex = 3;
        }

        /* the two digits behind a "%" */

        if (b[i] != t[i]
            && (hex == 0 || ngx_tolower(b[i]) != ngx_tolower(t[i])))
        {
            return 0;
        }

        if (hex) {
            hex--;
        }
    }

    return 1;
}
