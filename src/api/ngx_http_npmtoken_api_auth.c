
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_otp.h"
#include "ngx_http_npmtoken_api_registry.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"


static void ngx_http_npmtoken_api_auth_loaded(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_auth_read(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_str_t ngx_http_npmtoken_api_auth_folded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_unfolded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_unfolded_read(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_auth_unfolded_account(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_bad_account(
    ngx_http_npmtoken_api_ctx_t *ctx, char *why, ngx_str_t *name);
static ngx_uint_t ngx_http_npmtoken_api_auth_spares(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_spared(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_counted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_password(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_password_checked(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_npmtoken_api_auth_wrong_password(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_rehash(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_rehash_done(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_auth_rehashed(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_admit(ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_auth_walked(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);


void
ngx_http_npmtoken_api_auth_load(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_str_t  argv[2];

    ctx->loaded = next;

    ngx_str_set(&argv[0], "HGETALL");
    argv[1] = ngx_http_npmtoken_api_text_account_key(ctx, "user:");

    if (argv[1].data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_wait_read(ctx, 2, argv,
                                    ngx_http_npmtoken_api_auth_loaded);
}


static void
ngx_http_npmtoken_api_auth_loaded(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_str_t          name;
    ngx_uint_t         n;
    npmtoken_field_t  *fields, *bad;

    n = 0;
    fields = reply ? ngx_http_npmtoken_api_text_fields(ctx, reply, &n) : NULL;

    if (fields == NULL) {
        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ngx_memzero(&ctx->account, sizeof(npmtoken_account_t));

    ctx->exists = (n != 0);

    if (ngx_http_npmtoken_api_act_see(ctx, fields, n) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: account read, %ui fields", n);

    if (n == 0) {
        ngx_http_npmtoken_api_auth_unfolded(ctx);
        return;
    }

    bad = npmtoken_account_parse(&ctx->account, fields, n);

    if (bad) {
        name = ngx_http_npmtoken_api_text_plain(&bad->name);
        ngx_http_npmtoken_api_auth_bad_account(ctx, "field", &name);
        return;
    }

    if (ctx->account.name.len == 0) {
        ctx->user = ngx_http_npmtoken_api_auth_folded(ctx);

    } else if (npmtoken_account_same(&ctx->account.name, &ctx->user)) {
        ctx->user = ctx->account.name;

    } else {
        ngx_str_set(&name, "name");
        ngx_http_npmtoken_api_auth_bad_account(ctx, "field", &name);
        return;
    }

    if (ctx->user.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_auth_read(ctx);
}


/* A session ends when its account changes: see each time that it is read. */

static void
ngx_http_npmtoken_api_auth_read(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (!ctx->web
        || ctx->bearer == NULL
        || ngx_http_npmtoken_api_session_holds(ctx))
    {
        ctx->loaded(ctx);
        return;
    }

    ngx_http_npmtoken_api_attempts_give_back(ctx);

    if (ctx->stranger) {
        ctx->stranger(ctx);

    } else {
        ngx_http_npmtoken_api_answer_denied(ctx);
    }
}


static ngx_str_t
ngx_http_npmtoken_api_auth_folded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   none = ngx_null_string;

    p = ngx_pnalloc(ctx->request->pool, ctx->user.len + 1);

    return p ? npmtoken_account_fold(&ctx->user, p) : none;
}


/*
 * An older release did not fold names.  Its accounts may have a second factor,
 * which must not be lost.
 */

static void
ngx_http_npmtoken_api_auth_unfolded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  argv[2];

    if (!ngx_http_npmtoken_api_text_spelt(ctx)) {
        ngx_http_npmtoken_api_auth_read(ctx);
        return;
    }

    ngx_str_set(&argv[0], "EXISTS");
    argv[1] = ngx_http_npmtoken_api_text_key(ctx, "user:", &ctx->user);

    if (argv[1].data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_wait_read(ctx, 2, argv,
                                    ngx_http_npmtoken_api_auth_unfolded_read);
}


static void
ngx_http_npmtoken_api_auth_unfolded_read(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (reply->integer == 0) {
        ngx_http_npmtoken_api_auth_read(ctx);
        return;
    }

    ngx_http_npmtoken_api_auth_unfolded_account(ctx);
}


static void
ngx_http_npmtoken_api_auth_unfolded_account(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  command = ngx_string("npmtokenctl user fold");

    ngx_http_npmtoken_api_auth_bad_account(ctx, "its key has capitals, see",
                                      &command);
}


static void
ngx_http_npmtoken_api_auth_bad_account(ngx_http_npmtoken_api_ctx_t *ctx,
    char *why, ngx_str_t *name)
{
    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "npmtoken account \"%V\" cannot be used: %s \"%V\"",
                  &ctx->user, why, name);

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                   "This account cannot be used. Ask the "
                                   "registry's administrator to correct it.");
}


ngx_int_t
ngx_http_npmtoken_api_auth_again(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *json)
{
    if (json_object_get(json, "password") == NULL
        && ngx_http_npmtoken_api_auth_spares(ctx))
    {
        return NGX_OK;
    }

    return ngx_http_npmtoken_api_body_password(ctx, json, "password",
                                               &ctx->password);
}


/* Returns 1 if this session need not give the password again. */

static ngx_uint_t
ngx_http_npmtoken_api_auth_spares(ngx_http_npmtoken_api_ctx_t *ctx)
{
    return ctx->web && ctx->bearer && ctx->sso
           && ctx->conf->reauth != NGX_HTTP_NPMTOKEN_API_REAUTH_PASSWORD;
}


static void
ngx_http_npmtoken_api_auth_spared(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (!ngx_http_npmtoken_api_auth_spares(ctx)) {

        /* it was made in another way meanwhile */

        ngx_http_npmtoken_api_answer_denied(ctx);
        return;
    }

    if (ctx->conf->reauth == NGX_HTTP_NPMTOKEN_API_REAUTH_OFF) {
        ngx_http_npmtoken_api_auth_admit(ctx);
        return;
    }

    ngx_http_npmtoken_api_otp_verify(ctx, ngx_http_npmtoken_api_auth_admit);
}


void
ngx_http_npmtoken_api_auth_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt admitted)
{
    ctx->admitted = admitted;

    if (ctx->password.len == 0) {
        ngx_http_npmtoken_api_auth_load(ctx,
                                        ngx_http_npmtoken_api_auth_spared);
        return;
    }

    ngx_http_npmtoken_api_attempts_begin(ctx,
                                         ngx_http_npmtoken_api_auth_counted);
}


static void
ngx_http_npmtoken_api_auth_counted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_auth_password);
}


static void
ngx_http_npmtoken_api_auth_password(ngx_http_npmtoken_api_ctx_t *ctx)
{
    /* some accounts may have a password in Redis, though others do not */

    if (ctx->conf->login == NGX_HTTP_NPMTOKEN_API_PROXY
        && ctx->account.password.len == 0)
    {
        ngx_http_npmtoken_api_registry(ctx,
                                  ngx_http_npmtoken_api_auth_password_checked);
        return;
    }

    ngx_http_npmtoken_api_wait_verify(ctx,
                                  ngx_http_npmtoken_api_auth_password_checked);
}


static void
ngx_http_npmtoken_api_auth_password_checked(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: password verified: %i, locked: %d",
                   rc, ctx->account.locked);

    if (rc == NGX_ERROR) {
        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (rc != NGX_OK || ctx->account.locked) {
        ngx_http_npmtoken_api_attempts_failed(ctx,
                                    ngx_http_npmtoken_api_auth_wrong_password);
        return;
    }

    /* another hash would end the session that asks: that is for a login */

    if (ctx->rehashed.len && !ctx->reverified
        && !(ctx->web && ctx->bearer))
    {
        ngx_http_npmtoken_api_auth_rehash(ctx);
        return;
    }

    ngx_http_npmtoken_api_otp_verify(ctx, ngx_http_npmtoken_api_auth_admit);
}


static void
ngx_http_npmtoken_api_auth_wrong_password(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_wrong(ctx);
}


/* Replaces a hash that an outdated method has made. */

static void
ngx_http_npmtoken_api_auth_rehash(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  argv[4];

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: the hash is outdated, another one goes in");

    ngx_str_set(&argv[0], "1");
    argv[1] = ngx_http_npmtoken_api_text_account_key(ctx, "user:");
    argv[2] = ctx->account.password;
    argv[3] = ctx->rehashed;

    if (argv[1].data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_wait_script(ctx, &npmtoken_script_rehash, 4, argv,
                                      ngx_http_npmtoken_api_auth_rehash_done);
}


/*
 * Reads the account again, since a later write compares it with what was read.
 * If the hash cannot be replaced, the old one remains valid.
 */

static void
ngx_http_npmtoken_api_auth_rehash_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_otp_verify(ctx, ngx_http_npmtoken_api_auth_admit);
        return;
    }

    ctx->reverified = 1;

    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_auth_rehashed);
}


/*
 * Verifies the password again if the stored hash is not the new one.  Another
 * login may have replaced the hash, or the password may have changed.
 */

static void
ngx_http_npmtoken_api_auth_rehashed(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  *hash;

    hash = &ctx->account.password;

    if (hash->len == ctx->rehashed.len
        && ngx_memcmp(hash->data, ctx->rehashed.data, hash->len) == 0)
    {
        ngx_http_npmtoken_api_auth_password_checked(ctx, NGX_OK);
        return;
    }

    ngx_http_npmtoken_api_auth_password(ctx);
}


void
ngx_http_npmtoken_api_auth_second_factor(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt admitted)
{
    ctx->admitted = admitted;

    ngx_http_npmtoken_api_otp_verify(ctx, ngx_http_npmtoken_api_auth_admit);
}


static void
ngx_http_npmtoken_api_auth_admit(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: admitted");

    if (ctx->password.len || ngx_http_npmtoken_api_auth_spares(ctx)) {
        ctx->proven = 1;
    }

    ngx_http_npmtoken_api_attempts_give_back(ctx);
    ngx_http_npmtoken_api_auth_new(ctx, ctx->admitted);
}


void
ngx_http_npmtoken_api_auth_new(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    if (ctx->exists) {
        next(ctx);
        return;
    }

    ctx->admitted = next;

    ngx_http_npmtoken_api_wait_walk(ctx, NGX_HTTP_NPMTOKEN_WALK_UNFOLDED,
                                    ngx_http_npmtoken_api_auth_walked);
}


static void
ngx_http_npmtoken_api_auth_walked(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: name in another spelling: %i", rc);

    switch (rc) {

    case NGX_OK:
        ctx->admitted(ctx);
        return;

    case NGX_BUSY:
        ngx_http_npmtoken_api_auth_unfolded_account(ctx);
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_api_answer_unavailable(ctx);
    }
}
