
/*
 * Proof of who one is: password, then one-time password.
 *
 * In this order, since the other one would tell who has an account.  What is
 * wrong is answered here; what is right goes on with ctx->admitted.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_AUTH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_AUTH_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Loads the account ctx->user from Redis into ctx->account and ctx->exists,
 * then calls "next".  Answers if Redis is away or the account is bad.
 */
void ngx_http_npmtoken_api_auth_load(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Counts an attempt and loads the account; then ctx->password has to be right,
 * by its hash or by the registry; then, if the account has a second factor,
 * the npm-otp header.
 */
void ngx_http_npmtoken_api_auth_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt admitted);

/*
 * The second half alone: the account is loaded.  With ctx->reuse the code may
 * also be the last one that was used, if that was with this token, and so.
 */
void ngx_http_npmtoken_api_auth_second_factor(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt admitted);

/*
 * A name that has no account may get one by what "next" does: it must not be
 * one that an older release has kept in another spelling, with a second factor
 * or a lock that nobody would see any more.  Calls "next", or answers.  What
 * has been authenticated has been here.
 */
void ngx_http_npmtoken_api_auth_new(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);


#endif /* _NGX_HTTP_NPMTOKEN_API_AUTH_H_INCLUDED_ */
