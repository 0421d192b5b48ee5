
/*
 * Changes the tokens of an account, for the calls that need it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_TOKENS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_TOKENS_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Makes and stores the token of ctx->grant, then calls "next".  Answers if the
 * token is not stored.
 */
void ngx_http_npmtoken_api_tokens_store(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Revokes the token of ctx->user with this key.  "next" gets the reply of
 * npmtoken_script_revoke.
 */
void ngx_http_npmtoken_api_tokens_revoke_key(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *key, ngx_http_npmtoken_api_reply_pt next);

/* Does the same with the token just made, ctx->key. */
void ngx_http_npmtoken_api_tokens_withdraw(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt next);


#endif /* _NGX_HTTP_NPMTOKEN_API_TOKENS_H_INCLUDED_ */
