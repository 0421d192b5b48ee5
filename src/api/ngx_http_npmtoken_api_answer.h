
/*
 * Answers of the token API.  Each function but the first and the last ends the
 * request: nothing of ctx may be used after it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ANSWER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ANSWER_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* Parks the request: events of its client are handled later. */
void ngx_http_npmtoken_api_answer_park(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Answers with "status" and "json".  Takes the reference to "json".  NULL means
 * that there was no memory: answers 500.
 */
void ngx_http_npmtoken_api_answer(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, json_t *json);

/* Answers 204 without a body. */
void ngx_http_npmtoken_api_answer_no_content(ngx_http_npmtoken_api_ctx_t *ctx);

/* Answers {"error": SENTENCE}.  Text quoted from a request is escaped. */
void ngx_http_npmtoken_api_answer_error(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, const char *sentence);

/* The same with the sentence 'TEXT: QUOTED'. */
void ngx_http_npmtoken_api_answer_error_quote(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, const char *text, ngx_str_t *quoted);

/*
 * Answers that the body of a request asks for something impossible: 422 to a
 * login, else 400.  "quoted" may be NULL.  Returns NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_api_answer_bad(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence, ngx_str_t *quoted);

/* Answers 401 with "WWW-Authenticate: otp": npm then prompts. */
void ngx_http_npmtoken_api_answer_challenge(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);

/* Answers 429 with Retry-After in seconds. */
void ngx_http_npmtoken_api_answer_too_many(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence);

/* Answers 429 with a short Retry-After, for a shortage that soon passes. */
void ngx_http_npmtoken_api_answer_busy(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);

/*
 * Answers 401: the token is not valid for this call, though the location let
 * the request in.
 */
void ngx_http_npmtoken_api_answer_denied(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Answers 401 without a challenge.  Does not tell whether the name or the
 * password is wrong.
 */
void ngx_http_npmtoken_api_answer_wrong(ngx_http_npmtoken_api_ctx_t *ctx);

/* Answers 401: a password is needed.  The page learns that it has to ask. */
void ngx_http_npmtoken_api_answer_reauth(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);

/* Answers 422: no account may have this name. */
void ngx_http_npmtoken_api_answer_no_name(ngx_http_npmtoken_api_ctx_t *ctx);

/* Answers 409: the account has changed since the decision. */
void ngx_http_npmtoken_api_answer_changed(ngx_http_npmtoken_api_ctx_t *ctx);

/* Answers 403: the bearer may not revoke this token. */
void ngx_http_npmtoken_api_answer_protected(ngx_http_npmtoken_api_ctx_t *ctx);

/* Answers 503: Redis does not answer. */
void ngx_http_npmtoken_api_answer_unavailable(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Answers 503: the change is made, but fewer replicas than required are known
 * to have it.
 */
void ngx_http_npmtoken_api_answer_unreplicated(
    ngx_http_npmtoken_api_ctx_t *ctx);

/* Lets the request end with "rc", as any other does. */
void ngx_http_npmtoken_api_answer_end(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc);

/* Answers 500: no memory. */
void ngx_http_npmtoken_api_answer_failed(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Adds a header line to the answer to come.  Keeps pointers to "name" and to
 * the data of "value".  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_answer_header(ngx_http_request_t *r,
    char *name, ngx_str_t *value);


#endif /* _NGX_HTTP_NPMTOKEN_API_ANSWER_H_INCLUDED_ */
