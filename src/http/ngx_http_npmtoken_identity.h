
/*
 * What the registry learns: the client's identity headers out, ours in.
 */


#ifndef _NGX_HTTP_NPMTOKEN_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_IDENTITY_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/*
 * The handler of the preaccess phase, also of subrequests.  Takes the header
 * lines that a client has forged away before anybody, an auth_request for
 * one, can see them, and the identity that an earlier location of the same
 * request has put in.  What was taken stays taken.
 */
ngx_int_t ngx_http_npmtoken_identity_handler(ngx_http_request_t *r);

/*
 * For a request that its record allows, where the location has
 * npmtoken_identity: Authorization out, for good, and identity in.  Returns
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_identity_set(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * Authorization out, no identity in; "claimed" says that a record has it, or
 * may have: then it is out for good.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_identity_drop(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t claimed);

/*
 * Authorization in again, if another location has dropped it and no record
 * has claimed it: here it is for the registry to judge.  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_identity_restore(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_IDENTITY_H_INCLUDED_ */
