
/*
 * What a call changes in Redis, and what it rests on: the account and the
 * token that asks are looked at once more by the script that makes the change.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ACT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ACT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads the record of the token that asks, as it is now and with all of its
 * texts, judges it as any write is, and calls "next".  Answers where it is not
 * what let the request in, or Redis is away.
 */
void ngx_http_npmtoken_api_act_bearer(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/*
 * Keeps what was seen of the account, for ctx->user_seen: what a call's
 * judgement rests on.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_npmtoken_api_act_see(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_field_t *fields, ngx_uint_t nfields);

/*
 * Begins a change: the keys of the account, of ctx->key and of the bearer, and
 * what was seen of these.  NGX_OK; or NGX_ERROR after having answered.
 */
ngx_int_t ngx_http_npmtoken_api_act_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change);

/*
 * Makes it: "args" writes the arguments of its script, "handler" gets the
 * reply, as of ngx_http_npmtoken_api_wait_write(); "DENIED" is answered before.
 * Answers where nothing could be sent.
 */
void ngx_http_npmtoken_api_act(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change, void (*args)(npmtoken_change_t *change),
    ngx_http_npmtoken_api_reply_pt handler);

#endif /* _NGX_HTTP_NPMTOKEN_API_ACT_H_INCLUDED_ */
