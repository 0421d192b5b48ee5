
/*
 * npm token list.
 */


#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_record.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"


#define NGX_HTTP_NPMTOKEN_API_PER_PAGE      10
#define NGX_HTTP_NPMTOKEN_API_MAX_PER_PAGE  9999

/* the most bytes of keys and fields in a page, unless one token has more */
#define NGX_HTTP_NPMTOKEN_API_PAGE_BYTES    (256 * 1024)


static ngx_int_t ngx_http_npmtoken_api_list_args(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_list_arg(ngx_http_request_t *r,
    char *name, ngx_int_t value, ngx_int_t min, ngx_int_t max);
static void ngx_http_npmtoken_api_list_ask(ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_list_reply(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static json_t *ngx_http_npmtoken_api_list_page(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_api_list_fit(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n, ngx_uint_t total,
    ngx_uint_t *size);
static json_t *ngx_http_npmtoken_api_list_token(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *key, redisReply *hash);
static ngx_int_t ngx_http_npmtoken_api_list_more(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *json, ngx_str_t *key,
    npmtoken_field_t *fields, ngx_uint_t nfields);
static ngx_str_t ngx_http_npmtoken_api_list_shown(npmtoken_field_t *fields,
    ngx_uint_t nfields);
static json_t *ngx_http_npmtoken_api_list_urls(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n, ngx_uint_t size,
    ngx_uint_t total);
static ngx_int_t ngx_http_npmtoken_api_list_url(json_t *urls, char *name,
    ngx_uint_t per_page, ngx_uint_t page);


/* token list: a page of the tokens, answer */

void
ngx_http_npmtoken_api_list(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_list_args(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                         "perPage is a number from 1 to 9999, "
                                         "page one from 0.");
        return;
    }

    ngx_http_npmtoken_api_list_ask(ctx);
}


/* sessions of the page: the same */

void
ngx_http_npmtoken_api_list_sessions(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ctx->sessions = 1;

    ngx_http_npmtoken_api_list(ctx);
}


static ngx_int_t
ngx_http_npmtoken_api_list_args(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ctx->per_page = ngx_http_npmtoken_api_list_arg(ctx->request, "perPage",
                                          NGX_HTTP_NPMTOKEN_API_PER_PAGE, 1,
                                          NGX_HTTP_NPMTOKEN_API_MAX_PER_PAGE);

    ctx->page = ngx_http_npmtoken_api_list_arg(ctx->request, "page", 0, 0,
                                               1000000);

    return (ctx->per_page == NGX_ERROR || ctx->page == NGX_ERROR)
           ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_list_arg(ngx_http_request_t *r, char *name,
    ngx_int_t value, ngx_int_t min, ngx_int_t max)
{
    ngx_str_t  arg;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK) {
        return value;
    }

    value = ngx_atoi(arg.data, arg.len);

    return (value == NGX_ERROR || value < min || value > max) ? NGX_ERROR
                                                              : value;
}


static void
ngx_http_npmtoken_api_list_ask(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     *p, buf[4 * NGX_INT64_LEN];
    ngx_str_t   argv[12];

    if (ngx_http_npmtoken_api_text_tokens_args(ctx, &npmtoken_script_list, argv)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    p = buf;

    argv[7].data = p;
    p = ngx_sprintf(p, "%i", ctx->page * ctx->per_page);
    argv[7].len = p - argv[7].data;

    argv[8].data = p;
    p = ngx_sprintf(p, "%i", ctx->per_page);
    argv[8].len = p - argv[8].data;

    argv[9].data = p;
    p = ngx_sprintf(p, "%d", NGX_HTTP_NPMTOKEN_API_PAGE_BYTES);
    argv[9].len = p - argv[9].data;

    argv[10].data = p;
    p = ngx_sprintf(p, "%d", NPMTOKEN_RECORD_MAX);
    argv[10].len = p - argv[10].data;
    ngx_str_set(&argv[11], "");

    if (ctx->sessions) {
        ngx_str_set(&argv[11], "sessions");
    }

    if (ngx_http_npmtoken_api_wait_read_alone(ctx, 12, argv,
                                              ngx_http_npmtoken_api_list_reply)
        == NGX_BUSY)
    {
        ngx_http_npmtoken_api_answer_busy(ctx,
                                          "Too many lists of this account's "
                                          "tokens are being made at once. Try "
                                          "again.");
    }
}


static void
ngx_http_npmtoken_api_list_reply(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements % 2 == 0
        || reply->element[0]->type != REDIS_REPLY_INTEGER)
    {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 ngx_http_npmtoken_api_list_page(ctx, reply));
}


static json_t *
ngx_http_npmtoken_api_list_page(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    json_t      *objects;
    ngx_uint_t   i, n, size, total;

    total = reply->element[0]->integer;

    n = ngx_http_npmtoken_api_list_fit(ctx, reply->elements / 2, total,
                                       &size);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: lists %ui of %ui tokens", n, total);

    objects = json_array();

    for (i = 0; i < n; i++) {

        if (json_array_append_new(objects,
                ngx_http_npmtoken_api_list_token(ctx, reply->element[2 * i + 1],
                                                 reply->element[2 * i + 2]))
            != 0)
        {
            json_decref(objects);
            return NULL;
        }
    }

    return json_pack("{so sI so}", "objects", objects,
                     "total", (json_int_t) total,
                     "urls",
                     ngx_http_npmtoken_api_list_urls(ctx, n, size, total));
}


/*
 * Returns the number of tokens on this page, and sets "size" to the page size
 * of the next.  Redis gave "n" tokens.
 *
 * If it had more to give, they would have made the page too large.  Then this
 * page must end where a page of some other size begins, since "perPage" and
 * "page" must name the next page.  Neither page has room for less than half of
 * "n" tokens.
 */

static ngx_uint_t
ngx_http_npmtoken_api_list_fit(ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n,
    ngx_uint_t total, ngx_uint_t *size)
{
    ngx_uint_t  first, fit;

    first = ctx->page * ctx->per_page;

    *size = ctx->per_page;

    if (n == 0 || n >= *size || first + n >= total) {
        return ngx_min(n, *size);
    }

    for (*size = n; /* void */ ; (*size)--) {
        fit = n - (first + n) % *size;

        if (2 * fit >= n) {
            return fit;
        }
    }
}


static json_t *
ngx_http_npmtoken_api_list_token(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *key, redisReply *hash)
{
    json_t            *json;
    ngx_str_t          name, shown;
    ngx_uint_t         n;
    npmtoken_field_t  *fields;

    fields = ngx_http_npmtoken_api_text_fields(ctx, hash, &n);

    if (fields == NULL || ngx_http_npmtoken_api_text_copy(ctx, key, &name)
        != NGX_OK)
    {
        return NULL;
    }

    shown = ngx_http_npmtoken_api_list_shown(fields, n);

    json = ngx_http_npmtoken_api_record_json(&name, &shown, fields, n);

    if (json && ctx->web
        && ngx_http_npmtoken_api_list_more(ctx, json, &name, fields, n)
           != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* Adds what only the page shows.  Returns NGX_OK or NGX_ERROR (no memory). */

static ngx_int_t
ngx_http_npmtoken_api_list_more(ngx_http_npmtoken_api_ctx_t *ctx, json_t *json,
    ngx_str_t *key, npmtoken_field_t *fields, ngx_uint_t nfields)
{
    int          rc;
    char        *kind;
    ngx_str_t   *end, *protected;
    ngx_uint_t   expired;

    kind = "token";

    if (ngx_http_npmtoken_api_text_field(fields, nfields, "session")) {
        kind = ctx->sessions ? "session" : "login";
    }

    end = ngx_http_npmtoken_api_text_field(fields, nfields, "expires_at");

    expired = (end && ngx_atotm(end->data, end->len) <= time(NULL));

    rc = json_object_set_new(json, "kind", json_string(kind));
    rc |= json_object_set_new(json, "expired", json_boolean(expired));

    protected = ngx_http_npmtoken_api_text_field(fields, nfields, "protected");

    if (protected) {
        rc |= json_object_set_new(json, "protected",
                                  json_boolean(protected->len
                                               && protected->data[0] != 'f'
                                               && protected->data[0] != '0'));
    }

    if (ctx->sessions) {
        rc |= json_object_set_new(json, "current",
                                  json_boolean(key->len == NPMTOKEN_KEY_LEN
                                               && ngx_memcmp(key->data,
                                                             ctx->session_key,
                                                             NPMTOKEN_KEY_LEN)
                                                  == 0));
    }

    return (rc == 0) ? NGX_OK : NGX_ERROR;
}


/*
 * Returns what the record lets a list show of its token, cut to
 * NPMTOKEN_TOKEN_SHOWN bytes.
 */

static ngx_str_t
ngx_http_npmtoken_api_list_shown(npmtoken_field_t *fields, ngx_uint_t nfields)
{
    ngx_str_t  shown, *value;

    ngx_str_set(&shown, "");

    value = ngx_http_npmtoken_api_text_field(fields, nfields, "token");

    if (value) {
        shown = *value;
    }

    shown.len = ngx_min(shown.len, NPMTOKEN_TOKEN_SHOWN);

    return shown;
}


static json_t *
ngx_http_npmtoken_api_list_urls(ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n,
    ngx_uint_t size, ngx_uint_t total)
{
    json_t      *urls;
    ngx_uint_t   end;

    urls = json_object();
    end = ctx->page * ctx->per_page + n;

    if (n && end < total
        && ngx_http_npmtoken_api_list_url(urls, "next", size, end / size)
           != NGX_OK)
    {
        json_decref(urls);
        return NULL;
    }

    if (ctx->page
        && ngx_http_npmtoken_api_list_url(urls, "prev", ctx->per_page,
                                          ctx->page - 1)
           != NGX_OK)
    {
        json_decref(urls);
        return NULL;
    }

    return urls;
}


static ngx_int_t
ngx_http_npmtoken_api_list_url(json_t *urls, char *name, ngx_uint_t per_page,
    ngx_uint_t page)
{
    u_char  buf[sizeof("/-/npm/v1/tokens?perPage=&page=") + 2 * NGX_INT64_LEN];
    u_char  *p;

    p = ngx_sprintf(buf, "/-/npm/v1/tokens?perPage=%ui&page=%ui", per_page,
                    page);

    return json_object_set_new(urls, name,
                               json_stringn((char *) buf, p - buf)) == 0
           ? NGX_OK : NGX_ERROR;
}
