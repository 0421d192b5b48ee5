
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_client.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_tokens.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "ngx_http_npmtoken_lines.h"
#include "npmtoken_script_web.h"


/* digits of a digest: what a record says of the account */
#define NGX_HTTP_NPMTOKEN_API_MARK_LEN  32

/* a session that is used is renewed no more often, in seconds */
#define NGX_HTTP_NPMTOKEN_API_TOUCH     60

#define NGX_HTTP_NPMTOKEN_API_COOKIE    "__Host-npmtoken"

#define NGX_HTTP_NPMTOKEN_API_COOKIE_FLAGS                                    \
    "; Path=/; Secure; HttpOnly; SameSite=Strict"


static void ngx_http_npmtoken_api_session_cleanup(void *data);
static u_char *ngx_http_npmtoken_api_session_key(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_session_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_session_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_session_touch(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_uint_t ngx_http_npmtoken_api_session_is(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *mark, ngx_uint_t sso);
static ngx_int_t ngx_http_npmtoken_api_session_digest(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *mark, ngx_uint_t sso);
static u_char *ngx_http_npmtoken_api_session_part(u_char *p,
    ngx_str_t *text);
static void ngx_http_npmtoken_api_session_made(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_session_send(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_session_renewed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_session_cookie(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *secret);


static ngx_str_t  ngx_http_npmtoken_api_cookie =
    ngx_string(NGX_HTTP_NPMTOKEN_API_COOKIE);


/* The cookie is kept as the data of a cleanup: a redirect leaves it alone. */

ngx_int_t
ngx_http_npmtoken_api_session_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_str_t           *cookie, value;
    ngx_pool_cleanup_t  *cln;

#if (nginx_version >= 1023000)
    if (r->headers_in.cookie == NULL) {
#else
    if (r->headers_in.cookies.nelts == 0) {
#endif
        return NGX_DECLINED;
    }

    rc = ngx_http_npmtoken_lines_cookie(r, &ngx_http_npmtoken_api_cookie,
                                        &value);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_DECLINED
                                    : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_npmtoken_api_session_cleanup;

    cookie = cln->data;
    *cookie = value;

    return NGX_DECLINED;
}


static void
ngx_http_npmtoken_api_session_cleanup(void *data)
{
    ngx_str_t  *cookie = data;

    ngx_explicit_memzero(cookie->data, cookie->len);
}


/*
 * Returns the key of the session in the cookie, in the request's pool.  Returns
 * NULL if there is no cookie, or one that was not made here, or no memory.
 */

static u_char *
ngx_http_npmtoken_api_session_key(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char              *key;
    ngx_str_t           *cookie;
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    pool = ctx->request->pool;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_npmtoken_api_session_cleanup) {
            break;
        }
    }

    if (cln == NULL) {
        return NULL;
    }

    cookie = cln->data;

    /* the checksum keeps guesses away from Redis */

    if (npmtoken_token_check(cookie) != NGX_OK) {
        return NULL;
    }

    key = ngx_pnalloc(pool, NPMTOKEN_KEY_LEN);

    if (key == NULL || npmtoken_digest_key(cookie, key) != NGX_OK) {
        return NULL;
    }

    return key;
}


void
ngx_http_npmtoken_api_session_find(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next, ngx_http_npmtoken_api_step_pt stranger)
{
    ctx->entered = next;
    ctx->stranger = stranger;

    ctx->session_key = ngx_http_npmtoken_api_session_key(ctx);

    if (ctx->session_key) {
        ngx_http_npmtoken_api_act_bearer(ctx,
                                         ngx_http_npmtoken_api_session_known);

    } else if (stranger) {
        stranger(ctx);

    } else {
        ngx_http_npmtoken_api_answer_denied(ctx);
    }
}


static void
ngx_http_npmtoken_api_session_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_session_loaded);
}


static void
ngx_http_npmtoken_api_session_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ctx->stranger = NULL;

    ngx_http_npmtoken_api_session_touch(ctx);

    ctx->entered(ctx);
}


/* If this fails, the session ends earlier. */

static void
ngx_http_npmtoken_api_session_touch(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     buf[NGX_TIME_T_LEN];
    time_t     idle;
    ngx_str_t  argv[3];

    idle = ngx_http_npmtoken_api_session_idle(ctx->conf);

    if (ctx->bearer->vanishes_at
        > time(NULL) + idle - NGX_HTTP_NPMTOKEN_API_TOUCH)
    {
        return;
    }

    ngx_str_set(&argv[0], "1");
    argv[1] = ctx->bearer_key;
    argv[2].data = buf;
    argv[2].len = ngx_sprintf(buf, "%T", idle * 1000) - buf;

    (void) ngx_http_npmtoken_command_script(ctx->conf->commands,
                                            &npmtoken_script_touch, 3, argv,
                                            NULL);
}


time_t
ngx_http_npmtoken_api_session_idle(ngx_http_npmtoken_api_conf_t *conf)
{
    return conf->session ? ngx_min(conf->session, NGX_HTTP_NPMTOKEN_API_IDLE)
                         : NGX_HTTP_NPMTOKEN_API_IDLE;
}


ngx_int_t
ngx_http_npmtoken_api_session_person(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *name)
{
    ngx_http_core_loc_conf_t  *clcf;

    ngx_str_null(name);

    if (ctx->conf->person == NULL) {
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {

        /* what sets the variable need not have let the request in */

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "\"npmtoken_api_user\" is not used where \"satisfy any\" "
                      "is set: anybody could give any name there");
        return NGX_ERROR;
    }

    if (ngx_http_complex_value(ctx->request, ctx->conf->person, name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (name->len == 0) {
        return NGX_DECLINED;
    }

    return npmtoken_account_is_name(name) ? NGX_OK : NGX_ERROR;
}


/*
 * A session that nginx has vouched for is good as long as nginx does so.  One
 * for which a password was given is good anyway, but not for somebody else.
 */

ngx_uint_t
ngx_http_npmtoken_api_session_holds(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_str_t  *mark, person;

    mark = ngx_http_npmtoken_api_text_field(ctx->bearer_fields,
                                            ctx->nbearer_fields, "session");

    rc = ngx_http_npmtoken_api_session_person(ctx, &person);

    if (mark == NULL
        || rc == NGX_ERROR
        || (rc == NGX_OK && !npmtoken_account_same(&person, &ctx->user)))
    {
        return 0;
    }

    ctx->sso = 0;

    if (ngx_http_npmtoken_api_session_marked(ctx, mark)) {
        return 1;
    }

    ctx->sso = (rc == NGX_OK);

    return ctx->sso && ngx_http_npmtoken_api_session_is(ctx, mark, 1);
}


ngx_uint_t
ngx_http_npmtoken_api_session_marked(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mark)
{
    return ngx_http_npmtoken_api_session_is(ctx, mark, 0);
}


static ngx_uint_t
ngx_http_npmtoken_api_session_is(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mark, ngx_uint_t sso)
{
    ngx_str_t  now;

    return !ctx->account.locked
           && ngx_http_npmtoken_api_session_digest(ctx, &now, sso) == NGX_OK
           && mark->len == now.len
           && ngx_memcmp(mark->data, now.data, now.len) == 0;
}


ngx_int_t
ngx_http_npmtoken_api_session_mark(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mark)
{
    return ngx_http_npmtoken_api_session_digest(ctx, mark, 0);
}


/* A change of any of these ends all sessions. */

static ngx_int_t
ngx_http_npmtoken_api_session_digest(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mark, ngx_uint_t sso)
{
    u_char              *p;
    size_t               len;
    ngx_str_t            text;
    npmtoken_account_t  *account;

    account = &ctx->account;

    len = account->password.len + account->totp.len + ctx->user.len
          + NGX_INT_T_LEN + 5;

    text.data = ngx_pnalloc(ctx->request->pool, len + NPMTOKEN_KEY_LEN);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    /* no part has a NUL in it */

    p = npmtoken_account_fold(&ctx->user, text.data).data + ctx->user.len;
    *p++ = '\0';
    p = ngx_http_npmtoken_api_session_part(p, &account->password);
    p = ngx_http_npmtoken_api_session_part(p, &account->totp);
    p = ngx_sprintf(p, "%ui", (ngx_uint_t) account->tfa);

    if (sso) {
        *p++ = 's';
    }

    text.len = p - text.data;

    mark->data = text.data + len;
    mark->len = NGX_HTTP_NPMTOKEN_API_MARK_LEN;

    return npmtoken_digest_key(&text, mark->data);
}


static u_char *
ngx_http_npmtoken_api_session_part(u_char *p, ngx_str_t *text)
{
    if (text->len) {
        p = ngx_cpymem(p, text->data, text->len);
    }

    *p++ = '\0';

    return p;
}


ngx_uint_t
ngx_http_npmtoken_api_session_fresh(ngx_http_npmtoken_api_ctx_t *ctx)
{
    time_t      at;
    ngx_str_t  *updated, *created;

    updated = ngx_http_npmtoken_api_text_field(ctx->bearer_fields,
                                               ctx->nbearer_fields, "updated");
    created = ngx_http_npmtoken_api_text_field(ctx->bearer_fields,
                                               ctx->nbearer_fields, "created");

    /* where nginx knows the person, nothing was asked to make the session */

    if (ctx->sso
        && updated && created
        && updated->len == created->len
        && ngx_memcmp(updated->data, created->data, updated->len) == 0)
    {
        return 0;
    }

    at = updated ? ngx_http_npmtoken_api_text_time(updated) : NGX_ERROR;

    return at != NGX_ERROR
           && time(NULL) < at + NGX_HTTP_NPMTOKEN_API_FRESH;
}


void
ngx_http_npmtoken_api_session_make(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_api_grant_t  *grant;

    grant = &ctx->grant;

    ctx->entered = next;

    grant->expires_at = ctx->conf->session ? time(NULL) + ctx->conf->session
                                           : NPMTOKEN_NEVER;
    grant->idle = ngx_http_npmtoken_api_session_idle(ctx->conf) * 1000;

    grant->name = ngx_http_npmtoken_api_client_name(ctx->request, "web page");

    if (grant->name.data == NULL
        || ngx_http_npmtoken_api_session_digest(ctx, &grant->session, ctx->sso)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_tokens_store(ctx, ngx_http_npmtoken_api_session_made);
}


static void
ngx_http_npmtoken_api_session_made(ngx_http_npmtoken_api_ctx_t *ctx)
{
    /* a value of before the login is good for nothing any more */

    if (ngx_http_npmtoken_api_session_drop(ctx) != NGX_OK
        || ngx_http_npmtoken_api_session_cookie(ctx, &ctx->token) != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_explicit_memzero(ctx->token.data, ctx->token.len);

    ctx->entered(ctx);
}


void
ngx_http_npmtoken_api_session_renew(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ctx->renewed = next;

    if (!ctx->web || ctx->bearer == NULL) {
        next(ctx);
        return;
    }

    ctx->secret.len = NPMTOKEN_TOKEN_LEN;
    ctx->secret.data = ngx_pnalloc(ctx->request->pool, NPMTOKEN_TOKEN_LEN);

    if (ctx->secret.data == NULL
        || ngx_http_npmtoken_api_session_send(ctx) != NGX_OK)
    {
        ctx->bearer = NULL;
        next(ctx);
    }
}


/* Returns NGX_OK, or NGX_ERROR (no memory): nothing is waited for then. */

static ngx_int_t
ngx_http_npmtoken_api_session_send(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char      key[NPMTOKEN_KEY_LEN], buf[NGX_TIME_T_LEN];
    ngx_str_t   argv[12], *arg, name, mark, now;

    npmtoken_token_make(ctx->secret.data);

    name.data = key;
    name.len = NPMTOKEN_KEY_LEN;

    if (npmtoken_digest_key(&ctx->secret, key) != NGX_OK
        || ngx_http_npmtoken_api_session_digest(ctx, &mark, ctx->sso) != NGX_OK
        || ngx_http_npmtoken_api_text_now(ctx->request->pool, &now) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "3");
    argv[1] = ctx->bearer_key;
    argv[2] = ngx_http_npmtoken_api_text_key(ctx, "token:", &name);
    argv[3] = ngx_http_npmtoken_api_text_account_key(ctx, "tokens-of:");

    if (argv[2].data == NULL || argv[3].data == NULL) {
        return NGX_ERROR;
    }

    argv[4] = ctx->bearer_seen;
    argv[5].data = ctx->session_key;
    argv[5].len = NPMTOKEN_KEY_LEN;
    argv[6] = name;
    argv[7].data = buf;
    argv[7].len = ngx_sprintf(buf, "%T",
                              ngx_http_npmtoken_api_session_idle(ctx->conf)
                              * 1000)
                  - buf;
    ngx_str_set(&argv[8], "session");
    argv[9] = mark;

    arg = &argv[10];

    if (ctx->proven) {
        ngx_str_set(arg, "updated");
        arg++;
        *arg++ = now;
    }

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_renew, arg - argv,
                                     argv,
                                     ngx_http_npmtoken_api_session_renewed);
    return NGX_OK;
}


static void
ngx_http_npmtoken_api_session_renewed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ctx->bearer = NULL;

    /* what was asked for is done, whether or not replicas have this */

    ctx->unreplicated = 0;

    if (reply && ngx_http_npmtoken_command_is(reply, "OK")) {
        (void) ngx_http_npmtoken_api_session_cookie(ctx, &ctx->secret);
    }

    ngx_explicit_memzero(ctx->secret.data, ctx->secret.len);

    ctx->renewed(ctx);
}


ngx_int_t
ngx_http_npmtoken_api_session_drop(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     *key;
    ngx_str_t   argv[2], name;

    key = ngx_http_npmtoken_api_session_key(ctx);

    if (key) {
        name.data = key;
        name.len = NPMTOKEN_KEY_LEN;

        ngx_str_set(&argv[0], "1");
        argv[1] = ngx_http_npmtoken_api_text_key(ctx, "token:", &name);

        if (argv[1].data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_http_npmtoken_command_script(ctx->conf->commands,
                                                &npmtoken_script_drop, 2, argv,
                                                NULL);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_api_session_forget(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_str_t  gone = ngx_string(
        NGX_HTTP_NPMTOKEN_API_COOKIE "=" NGX_HTTP_NPMTOKEN_API_COOKIE_FLAGS
        "; Max-Age=0");

    return ngx_http_npmtoken_api_answer_header(ctx->request, "Set-Cookie",
                                               &gone);
}


static ngx_int_t
ngx_http_npmtoken_api_session_cookie(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *secret)
{
    u_char     *p;
    ngx_str_t   value;

    value.len = sizeof(NGX_HTTP_NPMTOKEN_API_COOKIE "="
                       NGX_HTTP_NPMTOKEN_API_COOKIE_FLAGS) - 1 + secret->len;
    value.data = ngx_pnalloc(ctx->request->pool, value.len);

    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value.data, NGX_HTTP_NPMTOKEN_API_COOKIE "=",
                   sizeof(NGX_HTTP_NPMTOKEN_API_COOKIE "=") - 1);
    p = ngx_cpymem(p, secret->data, secret->len);
    ngx_memcpy(p, NGX_HTTP_NPMTOKEN_API_COOKIE_FLAGS,
               sizeof(NGX_HTTP_NPMTOKEN_API_COOKIE_FLAGS) - 1);

    return ngx_http_npmtoken_api_answer_header(ctx->request, "Set-Cookie",
                                               &value);
}
