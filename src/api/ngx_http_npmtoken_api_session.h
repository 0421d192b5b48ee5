
/*
 * Sessions of the web page.  A session is a record like a token's.  Its secret
 * is in a cookie, which is looked at for the page's own calls only.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_SESSION_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_SESSION_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* the time without a call after which a session ends, in seconds */
#define NGX_HTTP_NPMTOKEN_API_IDLE      (15 * 60)

/* the time after a login in which nothing is asked again to approve, in
   seconds */
#define NGX_HTTP_NPMTOKEN_API_FRESH     (5 * 60)

/* how many sessions an account may have beside its tokens */
#define NGX_HTTP_NPMTOKEN_API_SESSIONS  50


/*
 * Handler of the phase that comes first: takes the cookie out of the request
 * and keeps it, so that it reaches neither a registry nor a log.  Returns
 * NGX_DECLINED, or 500 (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_session_handler(ngx_http_request_t *r);

/*
 * Reads the session of the request and its account, then calls "next".  Without
 * a good session it calls "stranger", or answers that somebody has to log in if
 * that is NULL.
 */
void ngx_http_npmtoken_api_session_find(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next, ngx_http_npmtoken_api_step_pt stranger);

/*
 * Sets "name" to the person that nginx knows (npmtoken_api_user).  Returns
 * NGX_OK; NGX_DECLINED if it knows none; NGX_ERROR if that is no name of an
 * account, or there is no memory.
 */
ngx_int_t ngx_http_npmtoken_api_session_person(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *name);

/*
 * Returns 1 if ctx->account, as it was just read, is still as it was when the
 * session ctx->bearer was made, and nginx knows nobody else.  Sets ctx->sso.
 */
ngx_uint_t ngx_http_npmtoken_api_session_holds(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Sets "mark" to what stands for the state of ctx->account: it is another one
 * after a change of the password or the second factor.  The data is in the
 * request's pool.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_session_mark(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mark);

/* Returns 1 if ctx->account is not locked and has this mark. */
ngx_uint_t ngx_http_npmtoken_api_session_marked(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *mark);

/* Returns 1 if password and code were given a short time ago. */
ngx_uint_t ngx_http_npmtoken_api_session_fresh(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Makes a session for ctx->user, whose ctx->account is loaded, and calls "next"
 * with the cookie in the answer to come.  Answers if there can be none.
 */
void ngx_http_npmtoken_api_session_make(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Gives the session of a call of the page another secret, for the account as
 * ctx->account is now, and calls "next" in any case: if it could not be done,
 * the session is as it was.  ctx->bearer is NULL then.
 */
void ngx_http_npmtoken_api_session_renew(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Ends the session of the request, if there is one, without a reply from Redis,
 * and drops the cookie.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_session_drop(ngx_http_npmtoken_api_ctx_t *ctx);

/* Drops the cookie alone.  Returns as above. */
ngx_int_t ngx_http_npmtoken_api_session_forget(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* Returns the seconds after which an unused session ends. */
time_t ngx_http_npmtoken_api_session_idle(ngx_http_npmtoken_api_conf_t *conf);


#endif /* _NGX_HTTP_NPMTOKEN_API_SESSION_H_INCLUDED_ */
