
/*
 * What a call waits for, of src/jobs, as a step of it sees that: the request is
 * parked, and goes on in the next step.  A request waits for one thing at a
 * time, and forgets it when it goes.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_WAIT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_WAIT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Sends a command.  "handler" is called once: from the event loop with the
 * reply, which lives for the call; or from within here with NULL.
 */
void ngx_http_npmtoken_api_wait_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for what takes long: one at a time for ctx->user, some others wait.
 * Returns NGX_OK; or NGX_BUSY: too many do, and the handler is not called.
 */
ngx_int_t ngx_http_npmtoken_api_wait_read_alone(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for a script that changes something: "handler" gets its reply only
 * after as many replicas as npmtoken_api_replicas says have it.  Where they
 * have not, ctx->unreplicated is set and the reply is the script's all the
 * same.  "argv" is: number of keys, keys, arguments.
 */
void ngx_http_npmtoken_api_wait_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/* The same for a script for which no replica is waited. */
void ngx_http_npmtoken_api_wait_script(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/*
 * Looks for ctx->user in all of Redis.  "handler" is called once: from the
 * event loop, or from within here with NGX_ERROR.  NGX_OK: nothing has the
 * name; NGX_BUSY: something has, however it spells it; NGX_ERROR: that cannot
 * be known now.
 */
void ngx_http_npmtoken_api_wait_walk(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_walk_e what, ngx_http_npmtoken_api_result_pt handler);

/*
 * Verifies ctx->password against ctx->account.password (empty: spends the
 * time and declines).  "handler" is called once: from the event loop, or from
 * within here with NGX_ERROR.  NGX_OK; NGX_DECLINED: it is wrong; NGX_ERROR:
 * no memory, too many wait, or it has waited for too long.  On NGX_OK
 * ctx->rehashed is another hash of the password, in the request's pool, where
 * the one that it has is outdated.
 */
void ngx_http_npmtoken_api_wait_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler);

/*
 * Hashes "password".  As above; on NGX_OK the hash is in ctx->account.password,
 * in the request's pool.
 */
void ngx_http_npmtoken_api_wait_hash(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password, ngx_http_npmtoken_api_result_pt handler);

/* The same for somebody who has no account: with places of their own. */
void ngx_http_npmtoken_api_wait_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password, ngx_http_npmtoken_api_result_pt handler);

/*
 * What was waited for is there: the request goes on, and may be gone when its
 * next step returns.  Posted requests of what this returns are run after it.
 */
ngx_connection_t *ngx_http_npmtoken_api_wait_over(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* The request goes: nothing calls it any more. */
void ngx_http_npmtoken_api_wait_forget(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_WAIT_H_INCLUDED_ */
