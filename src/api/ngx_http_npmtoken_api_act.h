
/*
 * Makes the changes of a call in Redis.  The script that makes a change first
 * checks that the account and the bearer are still what the decision rests on.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ACT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ACT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Returns the key of the token that asks, or of the page's session.  Returns
 * NULL if there is none, or no memory.
 */
u_char *ngx_http_npmtoken_api_act_key(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Reads the current record of the bearer with all of its texts, judges it as
 * for a write, and calls "next".  Answers instead if the record no longer
 * allows a write, if the token now belongs to another account, or if Redis does
 * not answer.  In a call of the page the bearer is a session.  If that is not
 * good, calls ctx->stranger, unless it is NULL.  Sets ctx->user if it is empty.
 */
void ngx_http_npmtoken_api_act_bearer(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Stores in ctx->user_seen those fields of the account that the call's decision
 * rests on, in the request's pool.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_act_see(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_field_t *fields, ngx_uint_t nfields);

/*
 * Stores in "seen" what was seen of a hash, as npmtoken_script_seen() says, in
 * the request's pool.  Returns as above.
 */
ngx_int_t ngx_http_npmtoken_api_act_seen(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_field_t *fields, ngx_uint_t nfields, ngx_str_t *names,
    ngx_str_t *seen);

/*
 * Begins a change: fills "change" with the keys of the account, of ctx->key and
 * of the bearer, and with what was seen of the account and the bearer.  The
 * data is in the request's pool.  Returns NGX_OK, or NGX_ERROR after it has
 * answered.
 */
ngx_int_t ngx_http_npmtoken_api_act_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change);

/*
 * Sends a change.  "args" writes the arguments of the script.  "handler" gets
 * the reply, as described at ngx_http_npmtoken_api_wait_write().  Answers the
 * reply "DENIED" itself, and also answers if nothing could be sent.
 */
void ngx_http_npmtoken_api_act(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change, void (*args)(npmtoken_change_t *change),
    ngx_http_npmtoken_api_reply_pt handler);

#endif /* _NGX_HTTP_NPMTOKEN_API_ACT_H_INCLUDED_ */
