
#include "ngx_http_npmtoken_api_pending.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_client.h"
#include "ngx_http_npmtoken_api_origin.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "npmtoken_script_web.h"


/* words of the script beside the fields, and the fields of each request */
#define NGX_HTTP_NPMTOKEN_API_ASK_WORDS   5
#define NGX_HTTP_NPMTOKEN_API_ASK_FIELDS  7


static ngx_int_t ngx_http_npmtoken_api_pending_urls(
    ngx_http_npmtoken_api_ctx_t *ctx, char *kind, ngx_str_t *secret,
    ngx_str_t *id, ngx_str_t *done);
static ngx_str_t ngx_http_npmtoken_api_pending_join(ngx_pool_t *pool,
    ngx_str_t *url, char *middle, ngx_str_t *one, ngx_str_t *two);
static ngx_uint_t ngx_http_npmtoken_api_pending_base62(u_char *p, size_t len);


ngx_int_t
ngx_http_npmtoken_api_pending_make(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_http_npmtoken_api_all_t *all, npmtoken_field_t *more,
    ngx_uint_t nmore, ngx_http_npmtoken_api_reply_pt handler)
{
    u_char      *p;
    ngx_str_t    secret, done, id, digest, now, address;
    ngx_str_t   *argv, *arg;
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    npmtoken_field_t  fields[] = {
        { ngx_string("kind"), ngx_null_string },
        { ngx_string("state"), ngx_string("pending") },
        { ngx_string("done"), ngx_null_string },
        { ngx_string("code"), ngx_null_string },
        { ngx_string("address"), ngx_null_string },
        { ngx_string("client"), ngx_null_string },
        { ngx_string("created"), ngx_null_string }
    };

    pool = ctx->request->pool;

    p = ngx_pnalloc(pool, 2 * NGX_HTTP_NPMTOKEN_API_SECRET_LEN
                          + NPMTOKEN_CODE_LEN);
    argv = ngx_palloc(pool, (NGX_HTTP_NPMTOKEN_API_ASK_WORDS
                             + 2 * NGX_HTTP_NPMTOKEN_API_ASK_FIELDS
                             + 2 * nmore) * sizeof(ngx_str_t));

    if (p == NULL || argv == NULL) {
        return NGX_ERROR;
    }

    secret.data = p;
    secret.len = NGX_HTTP_NPMTOKEN_API_SECRET_LEN;
    done.data = p + secret.len;
    done.len = NGX_HTTP_NPMTOKEN_API_SECRET_LEN;

    npmtoken_token_secret(secret.data, secret.len);
    npmtoken_token_secret(done.data, done.len);

    ctx->compare.data = done.data + done.len;
    ctx->compare.len = NPMTOKEN_CODE_LEN;

    npmtoken_token_code(ctx->compare.data);

    address = ngx_http_npmtoken_api_client_address(ctx->request);

    if (address.data == NULL
        || ngx_http_npmtoken_api_pending_digest(ctx, &secret, &id) != NGX_OK
        || ngx_http_npmtoken_api_pending_digest(ctx, &done, &digest) != NGX_OK
        || ngx_http_npmtoken_api_pending_key(ctx, &id) != NGX_OK
        || ngx_http_npmtoken_api_text_now(pool, &now) != NGX_OK
        || ngx_http_npmtoken_api_pending_urls(ctx, kind, &secret, &id, &done)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_explicit_memzero(p, secret.len + done.len);

    fields[0].value.data = (u_char *) kind;
    fields[0].value.len = ngx_strlen(kind);
    fields[2].value = digest;
    fields[3].value = ctx->compare;
    fields[4].value = address;
    fields[5].value = ngx_http_npmtoken_api_client(ctx->request);
    fields[6].value = now;

    arg = argv;

    ngx_str_set(arg, "2");
    arg++;
    *arg++ = ctx->pending;
    *arg++ = ngx_http_npmtoken_api_text_key(ctx, all->kind, &all->name);
    *arg++ = all->most;
    ngx_str_set(arg, NGX_HTTP_NPMTOKEN_API_PENDING);
    arg++;

    if (argv[2].data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_ASK_FIELDS; i++) {
        *arg++ = fields[i].name;
        *arg++ = fields[i].value;
    }

    for (i = 0; i < nmore; i++) {
        *arg++ = more[i].name;
        *arg++ = more[i].value;
    }

    ngx_http_npmtoken_api_wait_script(ctx, &npmtoken_script_ask, arg - argv,
                                      argv, handler);
    return NGX_OK;
}


/*
 * What follows "#" never leaves the browser, so the first secret is in no log.
 * Clients need an absolute URL without percent signs.
 */

static ngx_int_t
ngx_http_npmtoken_api_pending_urls(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_str_t *secret, ngx_str_t *id, ngx_str_t *done)
{
    char         *middle;
    ngx_str_t     url, none;
    ngx_pool_t   *pool;

    pool = ctx->request->pool;

    url = ngx_http_npmtoken_api_origin_url(ctx, "");

    if (url.len == 0) {
        return NGX_ERROR;
    }

    ngx_str_null(&none);

    middle = (ngx_strcmp(kind, "login") == 0) ? "-/npmtoken/#login="
                                              : "-/npmtoken/#otp=";

    ctx->pending_url = ngx_http_npmtoken_api_pending_join(pool, &url, middle,
                                                          secret, &none);
    ctx->done_url = ngx_http_npmtoken_api_pending_join(pool, &url,
                                                       "-/v1/done?authId=",
                                                       id, done);

    return (ctx->pending_url.data && ctx->done_url.data) ? NGX_OK : NGX_ERROR;
}


static ngx_str_t
ngx_http_npmtoken_api_pending_join(ngx_pool_t *pool, ngx_str_t *url,
    char *middle, ngx_str_t *one, ngx_str_t *two)
{
    u_char     *p;
    ngx_str_t   joined;

    joined.len = url->len + ngx_strlen(middle) + one->len + two->len;
    joined.data = ngx_pnalloc(pool, joined.len);

    if (joined.data) {
        p = ngx_cpymem(joined.data, url->data, url->len);
        p = ngx_cpymem(p, middle, ngx_strlen(middle));
        p = ngx_cpymem(p, one->data, one->len);

        if (two->len) {
            ngx_memcpy(p, two->data, two->len);
        }
    }

    return joined;
}


ngx_int_t
ngx_http_npmtoken_api_pending_digest(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *secret, ngx_str_t *id)
{
    if (secret->len != NGX_HTTP_NPMTOKEN_API_SECRET_LEN
        || !ngx_http_npmtoken_api_pending_base62(secret->data, secret->len))
    {
        return NGX_DECLINED;
    }

    id->len = NGX_HTTP_NPMTOKEN_API_ID_LEN;
    id->data = ngx_pnalloc(ctx->request->pool, NPMTOKEN_KEY_LEN);

    return id->data ? npmtoken_digest_key(secret, id->data) : NGX_ERROR;
}


static ngx_uint_t
ngx_http_npmtoken_api_pending_base62(u_char *p, size_t len)
{
    u_char  *last;

    for (last = p + len; p < last; p++) {
        if ((*p < '0' || *p > '9')
            && ((*p | 0x20) < 'a' || (*p | 0x20) > 'z'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_npmtoken_api_pending_split(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *pair, ngx_str_t *digest)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  id, secret;

    if (pair->len != NGX_HTTP_NPMTOKEN_API_PAIR_LEN) {
        return NGX_DECLINED;
    }

    id.data = pair->data;
    id.len = NGX_HTTP_NPMTOKEN_API_ID_LEN;

    for (i = 0; i < id.len; i++) {
        ch = id.data[i];

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return NGX_DECLINED;
        }
    }

    secret.data = pair->data + id.len;
    secret.len = NGX_HTTP_NPMTOKEN_API_SECRET_LEN;

    if (ngx_http_npmtoken_api_pending_key(ctx, &id) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_pending_digest(ctx, &secret, digest);
}


ngx_int_t
ngx_http_npmtoken_api_pending_key(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *id)
{
    ctx->pending = ngx_http_npmtoken_api_text_key(ctx, "web:", id);

    return ctx->pending.data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_npmtoken_api_pending_read(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_uint_t         n;
    npmtoken_field_t  *fields;

    fields = ngx_http_npmtoken_api_text_fields(ctx, reply, &n);

    if (fields == NULL) {
        return NGX_ERROR;
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    ctx->pending_fields = fields;
    ctx->npending_fields = n;

    return ngx_http_npmtoken_api_act_seen(ctx, fields, n, NULL,
                                          &ctx->pending_seen);
}


ngx_str_t
ngx_http_npmtoken_api_pending_field(ngx_http_npmtoken_api_ctx_t *ctx,
    char *name)
{
    ngx_str_t  *value, none;

    ngx_str_set(&none, "");

    value = ngx_http_npmtoken_api_text_field(ctx->pending_fields,
                                             ctx->npending_fields, name);

    return value ? *value : none;
}


ngx_uint_t
ngx_http_npmtoken_api_pending_is(ngx_http_npmtoken_api_ctx_t *ctx, char *name,
    char *value)
{
    ngx_str_t  is;

    is = ngx_http_npmtoken_api_pending_field(ctx, name);

    return is.len == ngx_strlen(value)
           && ngx_memcmp(is.data, value, is.len) == 0;
}


void
ngx_http_npmtoken_api_pending_gone(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_str_t  gone = ngx_string(
        "This request is gone: it was answered, or has waited for more than "
        "five minutes. Begin again in your terminal.");

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "npm-notice", &gone)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, 410, (char *) gone.data);
}
