
/*
 * Makes keys of Redis, texts from its replies, and times.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_TEXT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_TEXT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


#define NGX_HTTP_NPMTOKEN_API_TIME_LEN                                        \
    (sizeof("1970-01-01T00:00:00.000Z") - 1)


/*
 * Returns a key: the store's prefix, then "kind", such as "user:", then "name",
 * such as "alice".  The data is in the request's pool, or NULL if there is no
 * memory.
 */
ngx_str_t ngx_http_npmtoken_api_text_key(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_str_t *name);

/* The same for ctx->user.  The name is folded, as in all keys of accounts. */
ngx_str_t ngx_http_npmtoken_api_text_account_key(
    ngx_http_npmtoken_api_ctx_t *ctx, char *kind);

/* Returns 1 if ctx->user has capitals and so differs from its key, else 0. */
ngx_uint_t ngx_http_npmtoken_api_text_spelt(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Sets the first seven words of a command that runs a script on the tokens of
 * ctx->user.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_text_tokens_args(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *script, ngx_str_t *argv);

/*
 * Returns the text for the client's address under which attempts are counted:
 * an IPv4 address (also one mapped into IPv6), the /64 of any other IPv6
 * address, or "unix:".  The data is in the request's pool, or NULL if there is
 * no memory.
 */
ngx_str_t ngx_http_npmtoken_api_text_address(ngx_http_request_t *r);

/*
 * Sets "value" to that of a header line of a request.  Returns NGX_OK;
 * NGX_DECLINED if there is none; or NGX_ERROR if there are two, of which a
 * server behind us may read the other one.
 */
ngx_int_t ngx_http_npmtoken_api_text_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);

/*
 * Returns the fields of a reply to HGETALL, in the request's pool.  Sets
 * "nfields" to 0 if there is no hash.  Returns NULL if there is no memory or if
 * the reply has another form.
 */
npmtoken_field_t *ngx_http_npmtoken_api_text_fields(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply, ngx_uint_t *nfields);

/*
 * Returns the seconds since the epoch of a time as npm prints it, or NGX_ERROR
 * for another text.
 */
time_t ngx_http_npmtoken_api_text_time(ngx_str_t *text);

/* Returns the value of a field, or NULL if there is no such field. */
ngx_str_t *ngx_http_npmtoken_api_text_field(npmtoken_field_t *fields,
    ngx_uint_t nfields, char *name);

/*
 * Copies a string of a reply into the request's pool.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory or the reply is not a string.
 */
ngx_int_t ngx_http_npmtoken_api_text_copy(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply, ngx_str_t *text);

/*
 * Returns a name from Redis for a log: itself if it is a plain word, else "?".
 */
ngx_str_t ngx_http_npmtoken_api_text_plain(ngx_str_t *name);

/*
 * Returns a text from Redis as a JSON string, which the caller owns.  JSON must
 * be UTF-8: if the text is not, each byte beyond ASCII becomes "?".  Returns
 * NULL if there is no memory.
 */
json_t *ngx_http_npmtoken_api_text_json(ngx_str_t *text);

/*
 * Writes a time as npm prints it, NGX_HTTP_NPMTOKEN_API_TIME_LEN bytes, into
 * "buf".  Returns the end of the text.
 */
u_char *ngx_http_npmtoken_api_text_iso(u_char *buf, ngx_tm_t *tm,
    ngx_msec_t msec);

/*
 * Sets "text" to the time now, as npm prints it, in "pool".  Returns NGX_OK or
 * NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_text_now(ngx_pool_t *pool, ngx_str_t *text);


#endif /* _NGX_HTTP_NPMTOKEN_API_TEXT_H_INCLUDED_ */
