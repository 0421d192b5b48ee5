
/*
 * Asks the registry behind whether a password is right, by a login as npm
 * would log in there, in a subrequest that the location's proxy_pass takes
 * to that registry.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_REGISTRY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_REGISTRY_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Logs ctx->user in with ctx->password (and ctx->email, if not empty).
 * "handler": NGX_OK: the registry took it (200 or 201, and it was a registry
 * that said so, not nginx); NGX_DECLINED: it did not (a 4xx but 408 and 429);
 * NGX_ERROR: it cannot be asked, or has answered something else.
 * It may be called from within, with NGX_ERROR.
 *
 * The subrequest has no header lines of the client's but those that say where
 * it is, what it is, and which host it asked.  It has no identity, either:
 * while it runs, nobody is verified.
 */
void ngx_http_npmtoken_api_registry(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler);


#endif /* _NGX_HTTP_NPMTOKEN_API_REGISTRY_H_INCLUDED_ */
