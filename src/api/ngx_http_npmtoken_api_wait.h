
/*
 * Connects the steps of a call with the jobs of src/jobs.  The request is
 * parked while a job runs, and goes on in the next step.  A request waits for
 * one job at a time, and forgets that job when the request ends.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_WAIT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_WAIT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Sends a command.  Calls "handler" once: from the event loop with the reply,
 * which is valid only during the call, or from within this function with NULL.
 */
void ngx_http_npmtoken_api_wait_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for a slow command.  Runs one at a time for ctx->user, a few others
 * wait.  Returns NGX_OK, or NGX_BUSY if too many wait: "handler" is not called
 * then.
 */
ngx_int_t ngx_http_npmtoken_api_wait_read_alone(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for a script that changes something.  "handler" gets the reply only
 * after as many replicas have the change as npmtoken_api_replicas requires.  If
 * too few have it, sets ctx->unreplicated and still passes the reply of the
 * script.  "argv" holds the number of keys, the keys, and the arguments.
 */
void ngx_http_npmtoken_api_wait_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/* The same for a script, without waiting for replicas. */
void ngx_http_npmtoken_api_wait_script(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/*
 * Searches all of Redis for the name ctx->user.  Calls "handler" once: from the
 * event loop, or from within this function with NGX_ERROR.  The result is
 * NGX_OK if nothing has the name, NGX_BUSY if something has it in any spelling,
 * or NGX_ERROR if that cannot be known now.
 */
void ngx_http_npmtoken_api_wait_walk(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_walk_e what, ngx_http_npmtoken_api_result_pt handler);

/*
 * Verifies ctx->password against ctx->account.password.  If the latter is
 * empty, spends the same time and declines.  Calls "handler" once: from the
 * event loop, or from within this function with NGX_ERROR.  The result is
 * NGX_OK, NGX_DECLINED if the password is wrong, or NGX_ERROR if there is no
 * memory, too many wait, or the wait was too long.  If the present hash is
 * outdated, NGX_OK also sets ctx->rehashed to a new hash, in the request's
 * pool.
 */
void ngx_http_npmtoken_api_wait_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler);

/*
 * Hashes "password".  Calls "handler" as above.  On NGX_OK the hash is in
 * ctx->account.password, in the request's pool.
 */
void ngx_http_npmtoken_api_wait_hash(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password, ngx_http_npmtoken_api_result_pt handler);

/* The same for a sign-up.  Sign-ups wait in places of their own. */
void ngx_http_npmtoken_api_wait_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password, ngx_http_npmtoken_api_result_pt handler);

/*
 * Ends the wait: the job is done and the request goes on.  The request may be
 * gone when its next step returns.  The caller then runs the posted requests of
 * the connection that this returns.
 */
ngx_connection_t *ngx_http_npmtoken_api_wait_over(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* The request ends: no job calls it any more. */
void ngx_http_npmtoken_api_wait_forget(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_WAIT_H_INCLUDED_ */
