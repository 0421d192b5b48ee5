
/*
 * Reads the rights and limits of a new token from a body, in both dialects of
 * npm, and makes them no wider than those of the bearer.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads ctx->body into ctx->grant.  Returns NGX_OK, or NGX_ERROR after it has
 * answered why not.  Refuses a body that cannot be honoured in full: never
 * grants more than was asked for.
 */
ngx_int_t ngx_http_npmtoken_api_grant_read(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Makes ctx->grant no wider than ctx->bearer.  Inherits what was not asked for
 * and refuses what is wider.  A token ends at expires_at or with the TTL of its
 * key, whichever comes first; a login bounds the end by its TTL only.  Sets the
 * end that the configuration gives a token that states none.  Returns NGX_OK,
 * or NGX_ERROR after it has answered.
 */
ngx_int_t ngx_http_npmtoken_api_grant_narrow(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* Makes ctx->grant that of a login, which ends as the configuration says. */
void ngx_http_npmtoken_api_grant_login(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_ */
