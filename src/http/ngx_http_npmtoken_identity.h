
/*
 * Removes the client's identity headers and adds ours.
 */


#ifndef _NGX_HTTP_NPMTOKEN_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_IDENTITY_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/*
 * The handler of the preaccess phase, also for subrequests.  It removes the
 * header lines that a client has forged.  No module of a later phase, such as
 * auth_request, sees them.  It also removes the identity that an earlier
 * location of the same request has added.  Nothing puts these lines back.
 */
ngx_int_t ngx_http_npmtoken_identity_handler(ngx_http_request_t *r);

/*
 * For a request that its record allows, in a location with npmtoken_identity:
 * removes Authorization for good and adds the identity.  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_identity_set(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * Removes Authorization and adds no identity.  "claimed" says that the token
 * has a record, or may have one: then Authorization is removed for good.
 * Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_identity_drop(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t claimed);

/*
 * Puts Authorization back if another location has removed it and no record has
 * claimed it: in this location the registry judges it.  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_identity_restore(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_IDENTITY_H_INCLUDED_ */
