
/*
 * Asks the registry behind nginx whether a password is right.  Makes a
 * subrequest that logs in as npm does.  The location's proxy_pass takes it to
 * the registry.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_REGISTRY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_REGISTRY_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Logs ctx->user in with ctx->password, and with ctx->email if it is not empty.
 * Calls "handler" with one of these results:
 * NGX_OK: the registry accepted it, with 200 or 201 from the registry itself,
 * not from nginx;
 * NGX_DECLINED: the registry refused it, with a 4xx except 408 and 429;
 * NGX_ERROR: the registry cannot be asked, or gave another answer.
 *
 * With NGX_ERROR, "handler" may be called from within this function.
 *
 * The subrequest keeps only those header lines of the client that say where it
 * is, what it is, and which host it asked.  While the subrequest runs, the
 * request counts as not verified, so no identity is passed on.
 */
void ngx_http_npmtoken_api_registry(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler);


#endif /* _NGX_HTTP_NPMTOKEN_API_REGISTRY_H_INCLUDED_ */
