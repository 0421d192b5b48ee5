
/*
 * Answers with an account as npm's profile, and changes an account.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ACCOUNT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ACCOUNT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* a change of an account, in the request's pool */

typedef struct {
    ngx_array_t                     set;      /* of npmtoken_field_t */
    ngx_array_t                     delete;   /* of ngx_str_t */
} ngx_http_npmtoken_api_change_t;


/* Reads the account of ctx->user from Redis and answers with it. */
void ngx_http_npmtoken_api_account_answer(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Begins a change of the account: initializes "change" in the request's pool.
 * The account must be loaded.  If it does not exist, the change creates it.
 * Returns NGX_OK, or NGX_ERROR after it has answered.
 */
ngx_int_t ngx_http_npmtoken_api_account_change(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_change_t *change);

/*
 * The first adds a field to set, the second a field to delete.  Both keep
 * pointers to the name and to the data of the value: these must live until the
 * change is sent.  Return NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_account_set(
    ngx_http_npmtoken_api_change_t *change, char *field, ngx_str_t *value);
ngx_int_t ngx_http_npmtoken_api_account_delete(
    ngx_http_npmtoken_api_change_t *change, char *field);

/*
 * Sends the change.  "handler" gets the reply, as described at
 * ngx_http_npmtoken_api_act().
 */
void ngx_http_npmtoken_api_account_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_change_t *change,
    ngx_http_npmtoken_api_reply_pt handler);

/*
 * Checks the reply to a change.  Returns NGX_OK if the change is made, or
 * NGX_ERROR after it has answered that it is not.
 */
ngx_int_t ngx_http_npmtoken_api_account_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);

/*
 * A handler for a reply: answers with the changed account, or with an error if
 * it was not changed.
 */
void ngx_http_npmtoken_api_account_changed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);


#endif /* _NGX_HTTP_NPMTOKEN_API_ACCOUNT_H_INCLUDED_ */
