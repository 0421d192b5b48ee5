
/*
 * Keys of Redis, texts of its replies, and times.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_TEXT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_TEXT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


#define NGX_HTTP_NPMTOKEN_API_TIME_LEN                                        \
    (sizeof("1970-01-01T00:00:00.000Z") - 1)


/*
 * Prefix of the store, "kind" and "name", in the request's pool: "user:" and
 * "alice".  The data is NULL if there is no memory.
 */
ngx_str_t ngx_http_npmtoken_api_text_key(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_str_t *name);

/* The same of ctx->user, which is folded in all keys. */
ngx_str_t ngx_http_npmtoken_api_text_account_key(
    ngx_http_npmtoken_api_ctx_t *ctx, char *kind);

/* Whether ctx->user is spelt in another way than its key: has capitals. */
ngx_uint_t ngx_http_npmtoken_api_text_spelt(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * The first six words of a command that runs a script about the tokens of an
 * account: those of ctx->user.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_text_tokens_args(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *script, ngx_str_t *argv);

/*
 * Whom an address stands for, in the request's pool: an IPv4 address (within
 * IPv6, too), the /64 of any other IPv6 one, "unix:".  The data is NULL if
 * there is no memory.
 */
ngx_str_t ngx_http_npmtoken_api_text_address(ngx_http_request_t *r);

/*
 * The fields of a reply to HGETALL, in the request's pool.  NULL: no memory,
 * or it is not such a reply; "nfields" is 0 where there is no hash.
 */
npmtoken_field_t *ngx_http_npmtoken_api_text_fields(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply, ngx_uint_t *nfields);

/* The value of a field; NULL: there is no such field. */
ngx_str_t *ngx_http_npmtoken_api_text_field(npmtoken_field_t *fields,
    ngx_uint_t nfields, char *name);

/* Copies a string of a reply into the request's pool: NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_npmtoken_api_text_copy(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply, ngx_str_t *text);

/* a name from Redis for a log: itself if it is a plain word, else "?" */
ngx_str_t ngx_http_npmtoken_api_text_plain(ngx_str_t *name);

/*
 * A text of Redis as JSON: there is no other than UTF-8, so where it is not
 * that each byte beyond ASCII is a "?".  NULL: no memory.
 */
json_t *ngx_http_npmtoken_api_text_json(ngx_str_t *text);

/* Writes a time as npm prints it, and returns the end of that. */
u_char *ngx_http_npmtoken_api_text_iso(u_char *buf, ngx_tm_t *tm,
    ngx_msec_t msec);

/* The time that it is, in "pool": NGX_OK or NGX_ERROR (no memory). */
ngx_int_t ngx_http_npmtoken_api_text_now(ngx_pool_t *pool, ngx_str_t *text);


#endif /* _NGX_HTTP_NPMTOKEN_API_TEXT_H_INCLUDED_ */
