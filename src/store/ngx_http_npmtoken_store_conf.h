
/*
 * The npmtoken_store block, its directives and their defaults.
 */


#ifndef _NGX_HTTP_NPMTOKEN_STORE_CONF_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_STORE_CONF_H_INCLUDED_


#include "ngx_http_npmtoken_store.h"


/*
 * The store of that name in "stores" (of pointers); made if it is not there,
 * since a block may stand after its use.  Returns NULL if there is no memory.
 */
ngx_http_npmtoken_store_t *ngx_http_npmtoken_store_conf_get(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_str_t *name);

/* Reads the block that cf is in. */
char *ngx_http_npmtoken_store_conf_block(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);

/*
 * To be called when the configuration has been read.  "tag" names the owner
 * of shared zones.  Returns NGX_OK, or NGX_ERROR with a line logged.
 */
ngx_int_t ngx_http_npmtoken_store_conf_init(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout, void *tag);


#endif /* _NGX_HTTP_NPMTOKEN_STORE_CONF_H_INCLUDED_ */
