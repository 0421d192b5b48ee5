
/*
 * The npmtoken_store block and its directives.
 */


#ifndef _NGX_HTTP_NPMTOKEN_STORE_CONF_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_STORE_CONF_H_INCLUDED_


#include "ngx_http_npmtoken_store.h"


/*
 * Finds the store of this name in "stores" (an array of pointers).  Makes it
 * if it is missing, since a block may follow its use.  Returns NULL if there
 * is no memory.
 */
ngx_http_npmtoken_store_t *ngx_http_npmtoken_store_conf_get(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_str_t *name);

/*
 * Reads the block that cf is in.  Returns NGX_CONF_OK, or NGX_CONF_ERROR with
 * a line logged.
 */
char *ngx_http_npmtoken_store_conf_block(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);


#endif /* _NGX_HTTP_NPMTOKEN_STORE_CONF_H_INCLUDED_ */
