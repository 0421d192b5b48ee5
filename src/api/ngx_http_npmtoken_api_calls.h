
/*
 * The calls of the token API.  Each is a step that answers its request, itself
 * or by the steps that follow.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_CALLS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_CALLS_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* _login */
void ngx_http_npmtoken_api_login(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_login_logout(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_login_whoami(ngx_http_npmtoken_api_ctx_t *ctx);

/* _list */
void ngx_http_npmtoken_api_list(ngx_http_npmtoken_api_ctx_t *ctx);

void ngx_http_npmtoken_api_list_sessions(ngx_http_npmtoken_api_ctx_t *ctx);

/* _browser */
void ngx_http_npmtoken_api_browser_login(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_browser_done(ngx_http_npmtoken_api_ctx_t *ctx);

/* _approve */
void ngx_http_npmtoken_api_approve_seen(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_approve(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_approve_deny(ngx_http_npmtoken_api_ctx_t *ctx);

/* _page */
void ngx_http_npmtoken_api_page_file(ngx_http_npmtoken_api_ctx_t *ctx);

/* _web */
void ngx_http_npmtoken_api_web_session(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_web_login(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_web_logout(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_web_revoke(ngx_http_npmtoken_api_ctx_t *ctx);

/* _tokens */
void ngx_http_npmtoken_api_tokens_create(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_tokens_revoke(ngx_http_npmtoken_api_ctx_t *ctx);

/* _profile */
void ngx_http_npmtoken_api_profile_get(ngx_http_npmtoken_api_ctx_t *ctx);
void ngx_http_npmtoken_api_profile_set(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_CALLS_H_INCLUDED_ */
