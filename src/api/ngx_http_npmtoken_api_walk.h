
/*
 * Is a name known to anything in Redis?  Records may be written by hand, so
 * no index has them all: each key is looked at, page by page.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_WALK_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_WALK_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * NGX_OK: nothing has the name; NGX_BUSY: something has, however it spells it;
 * NGX_ERROR: that cannot be known now.
 */
typedef void (*ngx_http_npmtoken_api_walked_pt)(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);


/* what counts: an account, a set of tokens, or a record; or just ... */
#define NGX_HTTP_NPMTOKEN_API_ANYTHING  0

/* an account whose key has capitals, as an older release made them */
#define NGX_HTTP_NPMTOKEN_API_UNFOLDED  1


/* The one of a store.  NULL: no memory. */
ngx_http_npmtoken_api_walk_t *ngx_http_npmtoken_api_walk_create(
    ngx_pool_t *pool, ngx_http_npmtoken_api_db_t *db,
    ngx_http_npmtoken_store_t *store);

/* Looks for ctx->user.  "handler" is called once, never from within here. */
void ngx_http_npmtoken_api_walk(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t what, ngx_http_npmtoken_api_walked_pt handler);


#endif /* _NGX_HTTP_NPMTOKEN_API_WALK_H_INCLUDED_ */
