
/*
 * Where a registry is mounted.
 */


#ifndef _NPMTOKEN_BASE_H_INCLUDED_
#define _NPMTOKEN_BASE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the same path twice; both begin and end with "/" */

typedef struct {
    ngx_str_t             target;     /* as clients send it: still encoded */
    ngx_str_t             uri;        /* as nginx decodes it */
    ngx_uint_t            page;       /* 1: the web page is below it */
} npmtoken_base_t;


/*
 * Reads a base from the path of a registry's URL.  "buf" is of
 * 2 * (path->len + 1) bytes, and "base" is set to point into it; a slash at
 * the end is added.  Returns NGX_OK, or NGX_DECLINED for a path that could
 * be taken for another one: one with an empty segment, or one that begins
 * with a dot, also once it is decoded; with "?", "#", ";", a backslash, "$"
 * or "%" by itself; or with an encoded character that need not be (RFC 3986,
 * 2.3) or that is a control character.
 */
ngx_int_t npmtoken_base_parse(ngx_str_t *path, u_char *buf,
    npmtoken_base_t *base);

/*
 * Returns 1 if the raw path "target" is under the base, to the letter, else 0.
 * "%2f" and "%2F" are one spelling.  The base is as long in both.
 */
ngx_uint_t npmtoken_base_covers(npmtoken_base_t *base, ngx_str_t *target);


#endif /* _NPMTOKEN_BASE_H_INCLUDED_ */
