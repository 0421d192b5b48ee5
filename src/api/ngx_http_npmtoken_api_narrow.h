
/*
 * Makes the rights and limits of a new token no wider than those of the bearer.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_NARROW_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_NARROW_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Makes ctx->grant no wider than ctx->bearer.  Inherits what was not asked for
 * and refuses what is wider.  A token ends at expires_at or with the TTL of its
 * key, whichever comes first; a login bounds the end by its TTL only.  Sets the
 * end that the configuration gives a token that states none.  Returns NGX_OK,
 * or NGX_ERROR after it has answered.
 */
ngx_int_t ngx_http_npmtoken_api_narrow(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_NARROW_H_INCLUDED_ */
