
/*
 * Authenticates a user: first the password, then the one-time password.
 *
 * The order matters: the reverse would tell which accounts exist.  Failures are
 * answered here.  A success goes on with ctx->admitted.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_AUTH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_AUTH_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Loads the account ctx->user from Redis into ctx->account and ctx->exists,
 * then calls "next".  Answers if Redis does not answer or the account is
 * invalid.
 */
void ngx_http_npmtoken_api_auth_load(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Counts an attempt, loads the account, and verifies ctx->password, which
 * ngx_http_npmtoken_api_auth_again() may have left empty, by the
 * account's hash or by the registry.  If the account has a second factor, then
 * verifies the npm-otp header.  Calls "admitted", or answers.
 */
void ngx_http_npmtoken_api_auth_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt admitted);

/*
 * Reads the password that a call asks for again from the member "password" of
 * "json" into ctx->password.  That stays empty if the session need not give one
 * (npmtoken_api_reauth).  Returns NGX_OK, or NGX_ERROR after it has answered.
 */
ngx_int_t ngx_http_npmtoken_api_auth_again(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *json);

/*
 * Verifies the second factor alone.  The account must be loaded.  With
 * ctx->reuse, also accepts the code used last, if the same token used it and
 * also with ctx->reuse.
 */
void ngx_http_npmtoken_api_auth_second_factor(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt admitted);

/*
 * Calls "next", which may create an account for the name ctx->user, or answers.
 * If there is no account yet, first checks that an older release has not stored
 * one in another spelling: its second factor or lock would be ignored.
 * Authentication includes this check.
 */
void ngx_http_npmtoken_api_auth_new(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);


#endif /* _NGX_HTTP_NPMTOKEN_API_AUTH_H_INCLUDED_ */
