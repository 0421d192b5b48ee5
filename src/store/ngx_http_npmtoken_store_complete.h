
/*
 * A store when all directives are read: their defaults, whether they go
 * together, and what is made of them.
 */


#ifndef _NGX_HTTP_NPMTOKEN_STORE_COMPLETE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_STORE_COMPLETE_H_INCLUDED_


#include "ngx_http_npmtoken_store.h"


/*
 * Completes a store after the configuration has been read.  "tag" names the
 * owner of shared zones.  "resolver_timeout" is in milliseconds.  Returns
 * NGX_OK, or NGX_ERROR with a line logged.
 */
ngx_int_t ngx_http_npmtoken_store_complete(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout, void *tag);


#endif /* _NGX_HTTP_NPMTOKEN_STORE_COMPLETE_H_INCLUDED_ */
