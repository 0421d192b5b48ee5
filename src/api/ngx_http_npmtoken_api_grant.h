
/*
 * What a token is to be: read from a body, in npm's both dialects, and made no
 * wider than the token that asks for it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads ctx->body into ctx->grant.  Returns NGX_OK; or NGX_ERROR after having
 * answered why it cannot be.  What a body asks for and cannot be honoured in
 * full is refused, never granted wider.
 */
ngx_int_t ngx_http_npmtoken_api_grant_read(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Makes ctx->grant no wider than ctx->bearer: what was not asked for is
 * inherited, what is wider is refused.  The end of a token is the earlier one
 * of expires_at and the TTL of its key.  Returns as above.
 */
ngx_int_t ngx_http_npmtoken_api_grant_narrow(
    ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_ */
