
#include "ngx_http_npmtoken_api_ticket.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_origin.h"
#include "ngx_http_npmtoken_api_pending.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "npmtoken_script_web.h"


static void ngx_http_npmtoken_api_ticket_made(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_api_ticket_asks(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_ticket_request(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *digest);
static ngx_str_t ngx_http_npmtoken_api_ticket_command(ngx_http_request_t *r);
static void ngx_http_npmtoken_api_ticket_asked(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_ticket_used(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);


/*
 * A one-time password that was given in the browser becomes a ticket for one
 * write: of this token, with this method, to this path.
 */

void
ngx_http_npmtoken_api_ticket_make(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   secret, digest, argv[5];

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_NPMTOKEN_API_PAIR_LEN);

    if (p == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ctx->secret.data = p;
    ctx->secret.len = NGX_HTTP_NPMTOKEN_API_PAIR_LEN;

    /* the id ends the key */

    p = ngx_cpymem(p, ctx->pending.data + ctx->pending.len
                      - NGX_HTTP_NPMTOKEN_API_ID_LEN,
                   NGX_HTTP_NPMTOKEN_API_ID_LEN);

    secret.data = p;
    secret.len = NGX_HTTP_NPMTOKEN_API_SECRET_LEN;

    npmtoken_token_secret(secret.data, secret.len);

    if (ngx_http_npmtoken_api_pending_digest(ctx, &secret, &digest) != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_str_set(&argv[0], "1");
    argv[1] = ctx->pending;
    argv[2] = ctx->pending_seen;
    argv[3] = digest;
    ngx_str_set(&argv[4], NGX_HTTP_NPMTOKEN_API_PENDING);

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_ticket, 5, argv,
                                     ngx_http_npmtoken_api_ticket_made);
}


static void
ngx_http_npmtoken_api_ticket_made(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL || ctx->unreplicated) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{ss%}", "token", ctx->secret.data,
                                           ctx->secret.len));
}


void
ngx_http_npmtoken_api_ticket_ask(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence)
{
    u_char                       buf[NPMTOKEN_PACKAGE_MAX];
    ngx_str_t                    package, key, request;
    ngx_http_npmtoken_api_all_t  all;

    npmtoken_field_t  fields[] = {
        { ngx_string("user"), ngx_null_string },
        { ngx_string("by"), ngx_null_string },
        { ngx_string("request"), ngx_null_string },
        { ngx_string("method"), ngx_null_string },
        { ngx_string("package"), ngx_null_string },
        { ngx_string("command"), ngx_null_string }
    };

    if (!ngx_http_npmtoken_api_ticket_asks(ctx)) {
        ngx_http_npmtoken_api_answer_challenge(ctx, sentence);
        return;
    }

    ctx->asked = sentence;

    key.data = ngx_http_npmtoken_api_act_key(ctx);
    key.len = NPMTOKEN_KEY_LEN;

    if (key.data == NULL
        || ngx_http_npmtoken_api_ticket_request(ctx, &request) != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_request_subject(ctx->request, buf, &package)
        != NGX_OK)
    {
        ngx_str_set(&package, "");
    }

    fields[0].value = ctx->user;
    fields[1].value = key;
    fields[2].value = request;
    fields[3].value = ctx->request->method_name;
    fields[4].value = package;
    fields[5].value = ngx_http_npmtoken_api_ticket_command(ctx->request);

    /* each token has a few, so that one cannot use up those of others */

    all.kind = "web:codes:";
    all.name.data = key.data;
    all.name.len = NGX_HTTP_NPMTOKEN_API_ID_LEN;
    ngx_str_set(&all.most, "20");

    if (ngx_http_npmtoken_api_pending_make(ctx, "otp", &all, fields, 6,
                                           ngx_http_npmtoken_api_ticket_asked)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_challenge(ctx, sentence);
    }
}


/*
 * With the URLs npm does not prompt any more: so only who says "web" gets them.
 * Unpublishing takes several writes, of which npm sends all with one code.
 */

static ngx_uint_t
ngx_http_npmtoken_api_ticket_asks(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t   value, *path;

    static ngx_str_t  type = ngx_string("npm-auth-type");

    path = &ctx->request->unparsed_uri;

    return ctx->conf->web_otp
           && ctx->conf->page
           && !ctx->web
           && ctx->call != NGX_HTTP_NPMTOKEN_API_LOGIN
           && ngx_strlcasestrn(path->data, path->data + path->len,
                               (u_char *) "/-rev/", sizeof("/-rev/") - 2)
              == NULL
           && ngx_http_npmtoken_api_origin_safe(ctx)
           && ngx_http_npmtoken_api_text_header(ctx->request, &type, &value)
              == NGX_OK
           && value.len == 3
           && ngx_memcmp(value.data, "web", 3) == 0;
}


/* Sets "digest" to what stands for method and path.  Returns as usual. */

static ngx_int_t
ngx_http_npmtoken_api_ticket_request(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *digest)
{
    u_char              *p;
    ngx_str_t            text, path;
    ngx_http_request_t  *r;

    r = ctx->request;
    path = r->unparsed_uri;

    p = ngx_strlchr(path.data, path.data + path.len, '?');
    if (p) {
        path.len = p - path.data;
    }

    text.len = r->method_name.len + 1 + path.len;
    text.data = ngx_pnalloc(r->pool, text.len);

    digest->len = NGX_HTTP_NPMTOKEN_API_ID_LEN;
    digest->data = ngx_pnalloc(r->pool, NPMTOKEN_KEY_LEN);

    if (text.data == NULL || digest->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, r->method_name.data, r->method_name.len);
    *p++ = ' ';
    ngx_memcpy(p, path.data, path.len);

    return npmtoken_digest_key(&text, digest->data);
}


/* Returns npm's own word for what it does, or an empty string. */

static ngx_str_t
ngx_http_npmtoken_api_ticket_command(ngx_http_request_t *r)
{
    size_t     i;
    ngx_str_t  value, none;

    static ngx_str_t  name = ngx_string("npm-command");

    ngx_str_set(&none, "");

    if (ngx_http_npmtoken_api_text_header(r, &name, &value) != NGX_OK
        || value.len > 32)
    {
        return none;
    }

    for (i = 0; i < value.len; i++) {
        if ((value.data[i] < 'a' || value.data[i] > 'z')
            && value.data[i] != '-')
        {
            return none;
        }
    }

    return value.len ? value : none;
}


static void
ngx_http_npmtoken_api_ticket_asked(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    static ngx_str_t  otp = ngx_string("otp");

    /* the authenticator does without Redis having room */

    if (reply == NULL || !ngx_http_npmtoken_command_is(reply, "OK")) {
        ngx_http_npmtoken_api_answer_challenge(ctx, ctx->asked);
        return;
    }

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "WWW-Authenticate",
                                            &otp)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_UNAUTHORIZED,
                     json_pack("{ss ss% ss%}", "error", ctx->asked,
                               "authUrl", ctx->pending_url.data,
                               ctx->pending_url.len,
                               "doneUrl", ctx->done_url.data,
                               ctx->done_url.len));
}


ngx_uint_t
ngx_http_npmtoken_api_ticket_is(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *code)
{
    return ctx->conf->web_otp && code->len == NGX_HTTP_NPMTOKEN_API_PAIR_LEN;
}


void
ngx_http_npmtoken_api_ticket_use(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *ticket, ngx_http_npmtoken_api_result_pt next)
{
    ngx_int_t  rc;
    ngx_str_t  digest, request, name, mark, argv[9], *key;

    ctx->ticketed = next;

    rc = ngx_http_npmtoken_api_pending_split(ctx, ticket, &digest);

    argv[5].data = ngx_http_npmtoken_api_act_key(ctx);
    argv[5].len = NPMTOKEN_KEY_LEN;

    /* a login has no token */

    if (rc == NGX_OK && argv[5].data == NULL) {
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        next(ctx, rc);
        return;
    }

    key = &argv[2];

    ngx_str_set(&argv[0], "2");
    argv[1] = ctx->pending;
    *key = ngx_http_npmtoken_api_text_account_key(ctx, "user:");
    argv[3] = digest;

    if (key->data == NULL
        || ngx_http_npmtoken_api_session_mark(ctx, &mark) != NGX_OK
        || ngx_http_npmtoken_api_ticket_request(ctx, &request) != NGX_OK)
    {
        next(ctx, NGX_ERROR);
        return;
    }

    /* the folded name ends the key */

    name.len = ctx->user.len;
    name.data = key->data + key->len - name.len;

    argv[4] = name;
    argv[6] = request;
    argv[7] = mark;
    argv[8] = ctx->user_seen;

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_redeem, 9, argv,
                                     ngx_http_npmtoken_api_ticket_used);
}


/* A ticket that a replica does not know to be used might be used again. */

static void
ngx_http_npmtoken_api_ticket_used(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL || ctx->unreplicated) {
        ctx->ticketed(ctx, NGX_ERROR);
        return;
    }

    ctx->ticketed(ctx, ngx_http_npmtoken_command_is(reply, "OK")
                       ? NGX_OK : NGX_DECLINED);
}
