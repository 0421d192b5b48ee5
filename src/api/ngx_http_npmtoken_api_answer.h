
/*
 * Answers of the token API.  Each function but the first and the last ends the
 * request: nothing of ctx may be used after it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ANSWER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ANSWER_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* The request waits: what the client does meanwhile is seen later. */
void ngx_http_npmtoken_api_answer_park(ngx_http_npmtoken_api_ctx_t *ctx);

/* "json" is given away; NULL: no memory, which is answered too */
void ngx_http_npmtoken_api_answer(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, json_t *json);

/* an answer without a body: 204 */
void ngx_http_npmtoken_api_answer_no_content(ngx_http_npmtoken_api_ctx_t *ctx);

/* {"error": SENTENCE}; what it quotes of a request is escaped */
void ngx_http_npmtoken_api_answer_error(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, const char *sentence);

/* the same, of the sentence 'TEXT: QUOTED' */
void ngx_http_npmtoken_api_answer_error_quote(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, const char *text, ngx_str_t *quoted);

/*
 * The body of a request asks for what cannot be: 422 to a login, else 400.
 * "quoted" may be NULL.  Returns NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_api_answer_bad(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence, ngx_str_t *quoted);

/* 401 with "WWW-Authenticate: otp": npm then prompts */
void ngx_http_npmtoken_api_answer_challenge(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);

/* 429 with Retry-After in seconds */
void ngx_http_npmtoken_api_answer_too_many(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence);

/* 429 for what goes by in a moment, with Retry-After and a sentence */
void ngx_http_npmtoken_api_answer_busy(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);

/* the token is not good for this, though its location let it through: 401 */
void ngx_http_npmtoken_api_answer_denied(ngx_http_npmtoken_api_ctx_t *ctx);

/* name or password are wrong, whichever it is: 401 without a challenge */
void ngx_http_npmtoken_api_answer_wrong(ngx_http_npmtoken_api_ctx_t *ctx);

/* this is no name that an account may have: 422 */
void ngx_http_npmtoken_api_answer_no_name(ngx_http_npmtoken_api_ctx_t *ctx);

/* the account is another than was judged: 409 */
void ngx_http_npmtoken_api_answer_changed(ngx_http_npmtoken_api_ctx_t *ctx);

/* its own bearer may not end this token: 403 */
void ngx_http_npmtoken_api_answer_protected(ngx_http_npmtoken_api_ctx_t *ctx);

/* Redis cannot be asked: 503 */
void ngx_http_npmtoken_api_answer_unavailable(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* it is done, but fewer replicas than asked for are known to have it: 503 */
void ngx_http_npmtoken_api_answer_unreplicated(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* no memory: 500 */
void ngx_http_npmtoken_api_answer_failed(ngx_http_npmtoken_api_ctx_t *ctx);

/* Adds a header line to the answer that comes: NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_npmtoken_api_answer_header(ngx_http_request_t *r,
    char *name, ngx_str_t *value);


#endif /* _NGX_HTTP_NPMTOKEN_API_ANSWER_H_INCLUDED_ */
