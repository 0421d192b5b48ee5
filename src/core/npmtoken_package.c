
/*
 * Names of packages and of scopes, and lists of them.
 *
 * A packed list is a sequence of names; the byte before each is its length.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_list.h"
#include "npmtoken_package.h"


static ngx_uint_t npmtoken_package_is_scope(u_char *p, size_t len);
static ngx_uint_t npmtoken_package_is_part(u_char *p, u_char *last);
static ssize_t npmtoken_package_pack_entry(ngx_str_t *entry,
    npmtoken_package_e kind, u_char *buf);


_Static_assert(NPMTOKEN_PACKAGE_MAX <= 255,
               "the length of a name does not fit in a byte");


ngx_uint_t
npmtoken_package_is_name(u_char *p, size_t len)
{
    u_char  *slash, *last;

    if (len == 0 || len > NPMTOKEN_PACKAGE_MAX) {
        return 0;
    }

    last = p + len;

    if (*p != '@') {
        return npmtoken_package_is_part(p, last);
    }

    slash = ngx_strlchr(p, last, '/');

    if (slash == NULL
        || !npmtoken_package_is_part(p + 1, slash))
    {
        return 0;
    }

    return npmtoken_package_is_part(slash + 1, last);
}


static ngx_uint_t
npmtoken_package_is_scope(u_char *p, size_t len)
{
    /* a scope leaves room for a package name of one character */

    if (len == 0 || len > NPMTOKEN_PACKAGE_MAX - 2 || *p != '@') {
        return 0;
    }

    return npmtoken_package_is_part(p + 1, p + len);
}


static ngx_uint_t
npmtoken_package_is_part(u_char *p, u_char *last)
{
    /* the characters that encodeURIComponent() keeps: A-Za-z0-9-_.!~*'() */

    static uint32_t  chars[] = {
        0x00000000, 0x03ff6782, 0x87fffffe, 0x47fffffe,
        0x00000000, 0x00000000, 0x00000000, 0x00000000
    };

    if (p == last || *p == '.' || *p == '_') {
        return 0;
    }

    for ( /* void */ ; p < last; p++) {
        if (!(chars[*p >> 5] & (1U << (*p & 0x1f)))) {
            return 0;
        }
    }

    return 1;
}


void
npmtoken_package_base(ngx_str_t *name, ngx_str_t *base)
{
    u_char  *slash, *last;

    last = name->data + name->len;

    slash = ngx_strlchr(name->data, last, '/');

    base->data = slash ? slash + 1 : name->data;
    base->len = last - base->data;
}


ssize_t
npmtoken_package_pack(ngx_str_t *list, npmtoken_package_e kind, u_char *buf)
{
    u_char     *out;
    ssize_t     n;
    ngx_int_t   rc;
    ngx_str_t   rest, entry;

    out = buf;
    rest = *list;

    do {
        rc = npmtoken_list_next(&rest, &entry);

        n = npmtoken_package_pack_entry(&entry, kind, out);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        out += n;

    } while (rc == NGX_OK);

    return out - buf;
}


static ssize_t
npmtoken_package_pack_entry(ngx_str_t *entry, npmtoken_package_e kind,
    u_char *buf)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   valid;

    p = entry->data;
    len = entry->len;

    valid = (kind == NPMTOKEN_PACKAGE_NAMES)
            ? npmtoken_package_is_name(p, len)
            : npmtoken_package_is_scope(p, len);

    /* old package names may have a "*", but here it would mean a pattern */

    if (!valid || ngx_strlchr(p, p + len, '*') != NULL) {
        return NGX_ERROR;
    }

    *buf = (u_char) len;
    ngx_memcpy(buf + 1, p, len);

    return len + 1;
}


u_char *
npmtoken_package_next(u_char *p, ngx_str_t *name)
{
    name->len = *p;
    name->data = p + 1;

    return name->data + name->len;
}


ngx_uint_t
npmtoken_package_listed(u_char *list, size_t len, npmtoken_package_e kind,
    ngx_str_t *name)
{
    u_char     *p;
    ngx_str_t   wanted, entry, base;

    wanted = *name;

    if (kind == NPMTOKEN_PACKAGE_SCOPES) {
        npmtoken_package_base(name, &base);

        if (base.len == name->len) {
            return 0;
        }

        wanted.len -= base.len + 1;
    }

    for (p = list; p < list + len; /* void */ ) {

        p = npmtoken_package_next(p, &entry);

        if (entry.len == wanted.len
            && ngx_memcmp(entry.data, wanted.data, wanted.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
