
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_answer.h"


/*
 * The linker replaces stdin with this where jansson is linked in: see "config".
 * Nothing here reads from a file.
 */

extern FILE  *__wrap_stdin;

__attribute__((visibility("hidden"))) FILE  *__wrap_stdin;


static ngx_uint_t ngx_http_npmtoken_api_body_refused(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_api_body_join(ngx_http_request_t *r,
    ngx_str_t *text);
static void ngx_http_npmtoken_api_body_parse(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *text);
static void ngx_http_npmtoken_api_body_invalid(
    ngx_http_npmtoken_api_ctx_t *ctx, json_error_t *error);
static void ngx_http_npmtoken_api_body_wipe(json_t *json);


void
ngx_http_npmtoken_api_body_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    if (ngx_http_npmtoken_api_body_refused(ctx)) {
        return;
    }

    r = ctx->request;

    ctx->parsed = next;

    r->request_body_in_single_buf = 1;
    r->request_body_in_persistent_file = 0;
    r->request_body_in_clean_file = 0;
    r->request_body_in_file_only = 0;

    rc = ngx_http_read_client_request_body(r,
                                        ngx_http_npmtoken_api_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_http_finalize_request(r, NGX_DONE);
}


/*
 * Refuses a body of unknown length: only a length known in advance keeps the
 * body in memory.
 */

static ngx_uint_t
ngx_http_npmtoken_api_body_refused(ngx_http_npmtoken_api_ctx_t *ctx)
{
    off_t                      max;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    max = ngx_min(ctx->conf->max_body, clcf->client_body_buffer_size);

    if (r->headers_in.content_length_n < 0) {

        if (r->headers_in.chunked
#if (NGX_HTTP_V2)
            || (r->stream && !r->stream->in_closed)
#endif
           )
        {
            ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_LENGTH_REQUIRED,
                          "A request to this address needs Content-Length.");
            return 1;
        }

        return 0;
    }

    if (r->headers_in.content_length_n > max) {
        ngx_http_npmtoken_api_answer_error(ctx,
                                           NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                          "The body of this request is too large.");
        return 1;
    }

    return 0;
}


static void
ngx_http_npmtoken_api_body_handler(ngx_http_request_t *r)
{
    ngx_str_t                     text;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_npmtoken_api_module);

    ngx_http_npmtoken_api_answer_park(ctx);

    if (r->request_body == NULL
        || r->request_body->bufs == NULL
        || r->request_body->temp_file)
    {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                       "A request to this address needs a body "
                                       "that is one JSON object.");
        return;
    }

    if (ngx_http_npmtoken_api_body_join(r, &text) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken api: body of %uz bytes", text.len);

    ngx_http_npmtoken_api_body_parse(ctx, &text);
}


/*
 * Moves the whole body into the request's pool and leaves no other copy.  Data
 * that came together with the header is in a buffer of its own: nginx does not
 * honour r->request_body_in_single_buf there.
 */

static ngx_int_t
ngx_http_npmtoken_api_body_join(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char       *p;
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    text->len = len;
    text->data = ngx_pnalloc(r->pool, len + 1);

    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = text->data;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (b->last == b->pos) {
            continue;
        }

        p = ngx_cpymem(p, b->pos, b->last - b->pos);
        ngx_explicit_memzero(b->pos, b->last - b->pos);
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_body_parse(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *text)
{
    json_error_t  error;

    ctx->body = json_loadb((char *) text->data, text->len,
                           JSON_REJECT_DUPLICATES, &error);

    ngx_explicit_memzero(text->data, text->len);

    if (ctx->body == NULL) {
        ngx_http_npmtoken_api_body_invalid(ctx, &error);
        return;
    }

    if (!json_is_object(ctx->body)) {
        ngx_http_npmtoken_api_body_invalid(ctx, NULL);
        return;
    }

    ctx->parsed(ctx);
}


/* Jansson's own message might quote the body. */

static void
ngx_http_npmtoken_api_body_invalid(ngx_http_npmtoken_api_ctx_t *ctx,
    json_error_t *error)
{
    if (error && json_error_code(error) == json_error_null_character) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                     "A string in this request contains a NUL "
                                     "character, which no password and no name "
                                     "may.");
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                    "The body of this request is not one JSON "
                                    "object.");
}


ngx_int_t
ngx_http_npmtoken_api_body_password(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *json, const char *member, ngx_str_t *password)
{
    json_t  *value;

    value = json_object_get(json, member);

    if (!json_is_string(value) || json_string_length(value) == 0) {
        ngx_http_npmtoken_api_answer_reauth(ctx, "The password is missing.");
        return NGX_ERROR;
    }

    if (json_string_length(value) > NPMTOKEN_PASSWORD_MAX) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_UNAUTHORIZED,
                                         "The password is too long: at most "
                                         "256 bytes are allowed.");
        return NGX_ERROR;
    }

    password->data = (u_char *) json_string_value(value);
    password->len = json_string_length(value);

    return NGX_OK;
}


void
ngx_http_npmtoken_api_body_free(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->body) {
        ngx_http_npmtoken_api_body_wipe(ctx->body);
        json_decref(ctx->body);
        ctx->body = NULL;
    }
}


static void
ngx_http_npmtoken_api_body_wipe(json_t *json)
{
    json_t      *value;
    const char  *name;

    json_object_foreach(json, name, value) {

        if (json_is_object(value)) {
            ngx_http_npmtoken_api_body_wipe(value);

        } else if (json_is_string(value)) {
            ngx_explicit_memzero((void *) json_string_value(value),
                                 json_string_length(value));
        }
    }
}
