
/*
 * Names of packages and of scopes, and lists of them.
 */


#ifndef _NPMTOKEN_PACKAGE_H_INCLUDED_
#define _NPMTOKEN_PACKAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the longest package name: npm's limit, in bytes, with the scope */
#define NPMTOKEN_PACKAGE_MAX  214


typedef enum {
    NPMTOKEN_PACKAGE_NAMES = 0,     /* "name", "@scope/name" */
    NPMTOKEN_PACKAGE_SCOPES         /* "@scope" */
} npmtoken_package_e;


/* Returns 1 if this is a package name by npm's grammar, else 0. */
ngx_uint_t npmtoken_package_is_name(u_char *p, size_t len);

/* the part of a package name after its scope; all of it without one */
void npmtoken_package_base(ngx_str_t *name, ngx_str_t *base);

/* the most bytes that a list may need when packed */
#define npmtoken_package_size(list)  ((list)->len + 1)

/*
 * Packs a list "name, name, ..." into "buf" of npmtoken_package_size()
 * bytes.  The result has no pointers and may be copied.  Returns the bytes
 * used, or NGX_ERROR if an entry is not exactly a name of this kind or has a
 * "*".
 */
ssize_t npmtoken_package_pack(ngx_str_t *list, npmtoken_package_e kind,
    u_char *buf);

/*
 * Sets "name" to the first name of a packed list and returns where the rest
 * of the list is:
 *
 *     for (p = list; p < list + len; ) {
 *         p = npmtoken_package_next(p, &name);
 *         ...
 *     }
 */
u_char *npmtoken_package_next(u_char *p, ngx_str_t *name);

/*
 * Returns 1 if a packed list of names has the package, or a packed list of
 * scopes has its scope; else 0.  Case matters.
 */
ngx_uint_t npmtoken_package_listed(u_char *list, size_t len,
    npmtoken_package_e kind, ngx_str_t *name);


#endif /* _NPMTOKEN_PACKAGE_H_INCLUDED_ */
