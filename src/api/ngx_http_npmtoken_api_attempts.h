
/*
 * Decides which tallies of src/jobs an attempt to authenticate counts for.
 *
 * A login counts for the account and for the client's address.  A request with
 * a valid token counts for that token alone: nobody without the token can lock
 * out its owner.  A sign-up counts for the address, whether it succeeds or not.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* the arguments of npmtoken_script_otp for the tally: its limit and its time */
#define NGX_HTTP_NPMTOKEN_API_CODES_ARGS  2


/*
 * Reserves a place for an attempt of ctx->user, once for a request, then calls
 * "next".  Answers if the limit is reached or Redis does not answer.  A limit
 * of 0 means no limit.
 */
void ngx_http_npmtoken_api_attempts_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* Counts a sign-up, whether it succeeds or not, then goes on as above. */
void ngx_http_npmtoken_api_attempts_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* The same for a login in the browser: each that begins counts. */
void ngx_http_npmtoken_api_attempts_browser(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Gives back the place that begin() reserved, if any: the attempt did not fail.
 */
void ngx_http_npmtoken_api_attempts_give_back(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Counts a failed attempt, then calls "next", which answers that it failed.
 * Answers 503 instead if Redis does not answer.
 */
void ngx_http_npmtoken_api_attempts_failed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* The request ends.  An attempt without a known result counts as failed. */
void ngx_http_npmtoken_api_attempts_gone(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * The tally of wrong one-time passwords.  For a login it belongs to the account
 * and its present password, for other calls to the token of the request.  Sets
 * "key" and NGX_HTTP_NPMTOKEN_API_CODES_ARGS arguments in "args", in the
 * request's pool.  Returns NGX_OK, NGX_DECLINED if there is no limit, or
 * NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_attempts_codes(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *key, ngx_str_t *args);

/*
 * Answers 429 with "sentence".  Another attempt may be made after "seconds".
 * Logs at most one line in ten seconds.
 */
void ngx_http_npmtoken_api_attempts_refused(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence);


#endif /* _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_ */
