
/*
 * Requests that wait for somebody in a browser.  Each is a hash in Redis for a
 * few minutes, so that any node can answer any step.
 *
 * A request has two secrets, which have nothing to do with each other: one is
 * in the URL that the browser opens, the other in the URL that the client
 * polls.  Redis has their digests.  That of the first one is the name of the
 * key, and stands in the second URL, too.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_PENDING_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_PENDING_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* base62 characters: 142 random bits */
#define NGX_HTTP_NPMTOKEN_API_SECRET_LEN  24

/* hex digits of a digest of a secret */
#define NGX_HTTP_NPMTOKEN_API_ID_LEN      32

/* what a client polls with, and a ticket: an id and a secret */
#define NGX_HTTP_NPMTOKEN_API_PAIR_LEN                                        \
    (NGX_HTTP_NPMTOKEN_API_ID_LEN + NGX_HTTP_NPMTOKEN_API_SECRET_LEN)

/* how long a request waits, and a ticket is good: milliseconds, as above */
#define NGX_HTTP_NPMTOKEN_API_PENDING      "300000"


/* of which set a request is, and how many that may have */

typedef struct {
    char                              *kind;
    ngx_str_t                          name;
    ngx_str_t                          most;
} ngx_http_npmtoken_api_all_t;


/*
 * Makes a request: a key, two secrets in ctx->pending_url and ctx->done_url,
 * and a code for people to compare in ctx->compare.  "kind" is "login" or
 * "otp", and "more" has "nmore" fields of the caller's.  Sends it to Redis.
 * "handler" gets the reply of npmtoken_script_ask, or NULL.  Returns NGX_OK, or
 * NGX_ERROR (no memory, or no URL to give) without calling it.
 */
ngx_int_t ngx_http_npmtoken_api_pending_make(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_http_npmtoken_api_all_t *all, npmtoken_field_t *more,
    ngx_uint_t nmore, ngx_http_npmtoken_api_reply_pt handler);

/*
 * Sets "id" to the digest of a secret, in the request's pool.  Returns NGX_OK,
 * NGX_DECLINED if it does not have the form of one, NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_pending_digest(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *secret, ngx_str_t *id);

/*
 * Splits what a client polls with, or a ticket.  Sets ctx->pending to the key,
 * and "digest" to that of the secret.  Returns as above.
 */
ngx_int_t ngx_http_npmtoken_api_pending_split(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *pair, ngx_str_t *digest);

/* Sets ctx->pending to the key of an id.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_npmtoken_api_pending_key(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *id);

/*
 * Keeps the fields of a request, from the reply to HGETALL.  Returns NGX_OK,
 * NGX_DECLINED if there is no such request, or NGX_ERROR (no memory, or a bad
 * reply).
 */
ngx_int_t ngx_http_npmtoken_api_pending_read(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);

/* Returns the value of a field of the request; empty if there is none. */
ngx_str_t ngx_http_npmtoken_api_pending_field(
    ngx_http_npmtoken_api_ctx_t *ctx, char *name);

/* Returns 1 if a field of the request has this value. */
ngx_uint_t ngx_http_npmtoken_api_pending_is(ngx_http_npmtoken_api_ctx_t *ctx,
    char *name, char *value);

/* Answers 410: it has expired or was answered, and here is what to do. */
void ngx_http_npmtoken_api_pending_gone(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_PENDING_H_INCLUDED_ */
