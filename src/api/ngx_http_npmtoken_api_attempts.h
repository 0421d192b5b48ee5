
/*
 * What an attempt to prove who one is counts for, of what src/jobs counts.
 *
 * A login counts for the account and for the client's address.  What comes
 * with a valid token counts for that token alone: nobody without it keeps its
 * owner from using it.  Sign-ups count for the address, made or refused.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* arguments of npmtoken_script_otp about the tally: its limit and its time */
#define NGX_HTTP_NPMTOKEN_API_CODES_ARGS  2


/*
 * Takes a place for an attempt of ctx->user, once for a request, then calls
 * "next".  Answers where there is none, or Redis cannot be asked.  A limit of
 * 0 is none.
 */
void ngx_http_npmtoken_api_attempts_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* Counts a sign-up, whatever becomes of it, then as above. */
void ngx_http_npmtoken_api_attempts_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* It has not failed: gives back what begin() took, if it did. */
void ngx_http_npmtoken_api_attempts_give_back(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* It failed: "next" is called, and answers that, once it has been counted. */
void ngx_http_npmtoken_api_attempts_failed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* The request goes: an attempt whose end nobody has seen counts as failed. */
void ngx_http_npmtoken_api_attempts_gone(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * The tally of wrong one-time passwords: of the account, as long as it has
 * this password, or of the token that the request came with.  Writes its key
 * and NGX_HTTP_NPMTOKEN_API_CODES_ARGS arguments, in the request's pool.
 * NGX_OK; NGX_DECLINED: there is no limit; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_npmtoken_api_attempts_codes(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *key, ngx_str_t *args);

/*
 * Answers 429: after "seconds" another attempt may be made.  One line in the
 * log stands for all of ten seconds.
 */
void ngx_http_npmtoken_api_attempts_refused(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence);


#endif /* _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_ */
