
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_lines.h"


static ngx_int_t ngx_http_npmtoken_api_answer_send(ngx_http_request_t *r,
    ngx_uint_t status, char *text);


static ngx_str_t  ngx_http_npmtoken_api_type = ngx_string("application/json");
static ngx_str_t  ngx_http_npmtoken_api_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_npmtoken_api_otp = ngx_string("otp");
static ngx_str_t  ngx_http_npmtoken_api_one = ngx_string("1");


void
ngx_http_npmtoken_api_answer_park(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ctx->request->read_event_handler = ngx_http_block_reading;
    ctx->request->write_event_handler = ngx_http_request_empty_handler;
}


void
ngx_http_npmtoken_api_answer(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, json_t *json)
{
    char       *text;
    ngx_int_t   rc;

    if (json == NULL) {
        ngx_http_npmtoken_api_answer_end(ctx,
                                         NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    text = json_dumps(json, JSON_COMPACT);

    json_decref(json);

    if (text == NULL) {
        ngx_http_npmtoken_api_answer_end(ctx,
                                         NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: answer %ui", status);

    rc = ngx_http_npmtoken_api_answer_send(ctx->request, status, text);

    /* the text may contain a token */

    ngx_explicit_memzero(text, ngx_strlen(text));
    free(text);

    ngx_http_npmtoken_api_answer_end(ctx, rc);
}


static ngx_int_t
ngx_http_npmtoken_api_answer_send(ngx_http_request_t *r, ngx_uint_t status,
    char *text)
{
    u_char                    *p;
    ngx_http_complex_value_t   cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.len = ngx_strlen(text);
    cv.value.data = ngx_pnalloc(r->pool, cv.value.len + 1);

    if (cv.value.data == NULL
        || ngx_http_npmtoken_api_answer_header(r, "Cache-Control",
                                               &ngx_http_npmtoken_api_no_store)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(cv.value.data, text, cv.value.len);
    *p = '\n';
    cv.value.len++;

    /* prevents a "100 Continue" while the body is discarded */
    r->expect_tested = 1;

    return ngx_http_send_response(r, status, &ngx_http_npmtoken_api_type,
                                  &cv);
}


void
ngx_http_npmtoken_api_answer_no_content(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken api: answer 204");

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    if (ngx_http_npmtoken_api_answer_header(r, "Cache-Control",
                                            &ngx_http_npmtoken_api_no_store)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_end(ctx,
                                         NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_http_send_header(r);
    }

    ngx_http_npmtoken_api_answer_end(ctx, rc);
}


void
ngx_http_npmtoken_api_answer_error(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, const char *sentence)
{
    ngx_http_npmtoken_api_answer(ctx, status,
                                 json_pack("{ss}", "error", sentence));
}


void
ngx_http_npmtoken_api_answer_error_quote(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status, const char *text, ngx_str_t *quoted)
{
    ngx_http_npmtoken_api_answer(ctx, status,
                                 json_pack("{ss++%}", "error", text, ": ",
                                           quoted->data, quoted->len));
}


/* npm takes a 400 to a login as "there is no such user". */

ngx_int_t
ngx_http_npmtoken_api_answer_bad(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence, ngx_str_t *quoted)
{
    ngx_uint_t  status;

    status = (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN)
             ? 422 : NGX_HTTP_BAD_REQUEST;

    if (quoted) {
        ngx_http_npmtoken_api_answer_error_quote(ctx, status, sentence, quoted);

    } else {
        ngx_http_npmtoken_api_answer_error(ctx, status, sentence);
    }

    return NGX_ERROR;
}


void
ngx_http_npmtoken_api_answer_challenge(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence)
{
    /*
     * npm's registry sends "OTP".  pnpm 11 and 12 know lower case only, and
     * pnpm 11 does not identify itself.  All other clients accept both.
     */

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "WWW-Authenticate",
                                            &ngx_http_npmtoken_api_otp)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_UNAUTHORIZED, sentence);
}


void
ngx_http_npmtoken_api_answer_denied(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_str_t  bearer = ngx_string("Bearer");
    static ngx_str_t  notice = ngx_string("You have to log in for this: "
                                          "npm login.");

    if (ctx->web) {
        ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_UNAUTHORIZED,
                                     json_pack("{ss sb}", "error",
                                               "You have to log in for this.",
                                               "login", 1));
        return;
    }

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "WWW-Authenticate",
                                            &bearer)
        != NGX_OK
        || ngx_http_npmtoken_api_answer_header(ctx->request, "npm-notice",
                                               &notice)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_UNAUTHORIZED,
                                       (char *) notice.data);
}


void
ngx_http_npmtoken_api_answer_too_many(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(ctx->request->pool, NGX_TIME_T_LEN);

    if (value.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    value.len = ngx_sprintf(value.data, "%T", seconds) - value.data;

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "Retry-After", &value)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_TOO_MANY_REQUESTS,
                                       sentence);
}


void
ngx_http_npmtoken_api_answer_busy(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence)
{
    if (ngx_http_npmtoken_api_answer_header(ctx->request, "Retry-After",
                                            &ngx_http_npmtoken_api_one)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_TOO_MANY_REQUESTS,
                                       sentence);
}


void
ngx_http_npmtoken_api_answer_wrong(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_UNAUTHORIZED,
                                    "The user name or the password is wrong.");
}


void
ngx_http_npmtoken_api_answer_reauth(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence)
{
    if (ctx->web) {
        ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_UNAUTHORIZED,
                                     json_pack("{ss sb}", "error", sentence,
                                               "reauth", 1));
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_UNAUTHORIZED, sentence);
}


void
ngx_http_npmtoken_api_answer_no_name(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, 422,
                                    "A user name has letters, digits and "
                                    "-._~@+, and does not begin with - or a "
                                    "dot.");
}


void
ngx_http_npmtoken_api_answer_changed(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_CONFLICT,
                                    "This account was changed at the same "
                                    "time. Try again.");
}


void
ngx_http_npmtoken_api_answer_protected(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                  "This token cannot log itself out or revoke "
                                  "itself: others use it too.");
}


void
ngx_http_npmtoken_api_answer_unavailable(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_answer_header(ctx->request, "Retry-After",
                                            &ngx_http_npmtoken_api_one)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "Accounts and tokens cannot be read or "
                                       "changed at the moment. Try again "
                                       "soon.");
}


void
ngx_http_npmtoken_api_answer_unreplicated(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "The change is made, but too few replicas of "
                                 "the database have confirmed it. Check that "
                                 "it is still there, and try again.");
}


void
ngx_http_npmtoken_api_answer_failed(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_end(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


ngx_int_t
ngx_http_npmtoken_api_answer_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    return ngx_http_npmtoken_lines_answer(r, name, value) ? NGX_OK
                                                          : NGX_ERROR;
}


void
ngx_http_npmtoken_api_answer_end(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, rc);
}
