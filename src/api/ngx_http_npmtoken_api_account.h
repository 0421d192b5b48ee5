
/*
 * An account: answered as npm's profile, and changed.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ACCOUNT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ACCOUNT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* a change of an account, in the request's pool */

typedef struct {
    ngx_array_t                     set;      /* of npmtoken_field_t */
    ngx_array_t                     delete;   /* of ngx_str_t */
} ngx_http_npmtoken_api_change_t;


/* Reads the account of ctx->user as it is now, and answers with it. */
void ngx_http_npmtoken_api_account_answer(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Begins a change of the account, which is loaded, or is made by this.
 * NGX_OK; or NGX_ERROR after having answered.
 */
ngx_int_t ngx_http_npmtoken_api_account_change(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_change_t *change);

/*
 * Adds a field that is set, and one that is deleted.  The names, and the data
 * of the value, are kept as they are.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_account_set(
    ngx_http_npmtoken_api_change_t *change, char *field, ngx_str_t *value);
ngx_int_t ngx_http_npmtoken_api_account_delete(
    ngx_http_npmtoken_api_change_t *change, char *field);

/* Makes the change: as ngx_http_npmtoken_api_act(). */
void ngx_http_npmtoken_api_account_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_change_t *change,
    ngx_http_npmtoken_api_reply_pt handler);

/* NGX_OK: the change is made; or NGX_ERROR: that it is not was answered. */
ngx_int_t ngx_http_npmtoken_api_account_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);

/* A handler: answers with the changed account, or that it is not changed. */
void ngx_http_npmtoken_api_account_changed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);


#endif /* _NGX_HTTP_NPMTOKEN_API_ACCOUNT_H_INCLUDED_ */
