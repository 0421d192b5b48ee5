
/*
 * npm login, adduser, logout, whoami.
 */


#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_client.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_record.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_tokens.h"
#include "ngx_http_npmtoken_api_wait.h"


static void ngx_http_npmtoken_api_login_body(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_login_name(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_signup(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_signup_counted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_signup_taken(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_uint_t ngx_http_npmtoken_api_login_reserved(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_signup_walked(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_http_npmtoken_api_login_signup_check(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_signup_hashed(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_npmtoken_api_login_signed_up(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_login_signup_withdrawn(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_login_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_logged_in(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_logout_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_logout_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_logout_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_login_logged_out(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_login_logout_done(
    ngx_http_npmtoken_api_ctx_t *ctx);


/*
 * login: body, password, code, write, answer
 * adduser: body, account, count, is the name free, hash, write, answer
 *
 * If the name is taken, an adduser becomes a login.
 */

void
ngx_http_npmtoken_api_login(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx, ngx_http_npmtoken_api_login_body);
}


static void
ngx_http_npmtoken_api_login_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *email;

    ctx->user = ctx->subject;

    if (ngx_http_npmtoken_api_login_name(ctx) != NGX_OK
        || ngx_http_npmtoken_api_body_password(ctx, ctx->body, "password",
                                               &ctx->password)
           != NGX_OK
        || ngx_http_npmtoken_api_grant_read(ctx) != NGX_OK)
    {
        return;
    }

    ctx->grant.name = ngx_http_npmtoken_api_client_name(ctx->request,
                                                        "npm login");
    if (ctx->grant.name.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_grant_login(ctx);

    email = json_object_get(ctx->body, "email");

    if (json_is_string(email) && json_string_length(email)) {
        ctx->email.data = (u_char *) json_string_value(email);
        ctx->email.len = json_string_length(email);
    }

    if (ctx->email.len
        && ctx->conf->signup
        && ctx->conf->login == NGX_HTTP_NPMTOKEN_API_ACCOUNTS)
    {
        ngx_http_npmtoken_api_auth_load(ctx,
                                        ngx_http_npmtoken_api_login_signup);
        return;
    }

    ngx_http_npmtoken_api_auth_begin(ctx,
                                     ngx_http_npmtoken_api_login_admitted);
}


/* The name is in the path, and again in the body. */

static ngx_int_t
ngx_http_npmtoken_api_login_name(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *name;

    name = json_object_get(ctx->body, "name");

    if (name
        && (!json_is_string(name)
            || json_string_length(name) != ctx->user.len
            || ngx_memcmp(json_string_value(name), ctx->user.data,
                          ctx->user.len)
               != 0))
    {
        ngx_http_npmtoken_api_answer_error(ctx, 422,
                                           "The user name in the body of this "
                                           "request differs from the one in "
                                           "its address.");
        return NGX_ERROR;
    }

    if (!npmtoken_account_is_name(&ctx->user)) {
        ngx_http_npmtoken_api_answer_no_name(ctx);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* If the name is taken, this is a login and the password stays. */

static void
ngx_http_npmtoken_api_login_signup(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->exists || ngx_http_npmtoken_api_login_reserved(ctx)) {
        ngx_http_npmtoken_api_login_signup_taken(ctx);
        return;
    }

    ngx_http_npmtoken_api_attempts_signup(ctx,
                                   ngx_http_npmtoken_api_login_signup_counted);
}


static void
ngx_http_npmtoken_api_login_signup_counted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_login_signup_check(ctx) != NGX_OK) {
        return;
    }

    ngx_http_npmtoken_api_wait_walk(ctx, NGX_HTTP_NPMTOKEN_WALK_ANYTHING,
                               ngx_http_npmtoken_api_login_signup_walked);
}


static void
ngx_http_npmtoken_api_login_signup_taken(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_begin(ctx,
                                     ngx_http_npmtoken_api_login_admitted);
}


static ngx_uint_t
ngx_http_npmtoken_api_login_reserved(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (ctx->conf->reserved == NULL) {
        return 0;
    }

    name = ctx->conf->reserved->elts;

    for (i = 0; i < ctx->conf->reserved->nelts; i++) {
        if (npmtoken_account_same(&name[i], &ctx->user)) {
            return 1;
        }
    }

    return 0;
}


/* Checks that nothing written by hand has this name either. */

static void
ngx_http_npmtoken_api_login_signup_walked(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: name known to anything: %i", rc);

    if (rc == NGX_BUSY) {
        ngx_http_npmtoken_api_login_signup_taken(ctx);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ngx_http_npmtoken_api_wait_signup(ctx, &ctx->password,
                                    ngx_http_npmtoken_api_login_signup_hashed);
}


static ngx_int_t
ngx_http_npmtoken_api_login_signup_check(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (!npmtoken_account_is_email(&ctx->email)) {
        ngx_http_npmtoken_api_answer_error(ctx, 422,
                                           "This is not an email address.");
        return NGX_ERROR;
    }

    if (ctx->password.len < NPMTOKEN_PASSWORD_MIN) {
        ngx_http_npmtoken_api_answer_error(ctx, 422,
                                        "A password needs at least 8 "
                                        "characters.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_login_signup_hashed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_uint_t         n;
    npmtoken_change_t  change;

    /* the name is stored only if its spelling differs from the key */

    npmtoken_field_t  account[] = {
        { ngx_string("password"), ctx->account.password },
        { ngx_string("email"), ctx->email },
        { ngx_string("created"), ngx_null_string },
        { ngx_string("updated"), ngx_null_string },
        { ngx_string("name"), ctx->user }
    };

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_record_make(ctx) != NGX_OK
        || ngx_http_npmtoken_api_act_begin(ctx, &change) != NGX_OK)
    {
        return;
    }

    account[2].value = ctx->created;
    account[3].value = ctx->created;

    n = sizeof(account) / sizeof(account[0]);

    if (!ngx_http_npmtoken_api_text_spelt(ctx)) {
        n--;
    }

    change.name = ctx->user;
    change.account = account;
    change.naccount = n;
    change.record = ctx->record.elts;
    change.nrecord = ctx->record.nelts;

    ngx_http_npmtoken_api_act(ctx, &change, npmtoken_script_signup_args,
                              ngx_http_npmtoken_api_login_signed_up);
}


static void
ngx_http_npmtoken_api_login_signed_up(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {

        /* another sign-up was faster, so this is a login */

        ngx_http_npmtoken_api_login_signup_taken(ctx);
        return;
    }

    if (ctx->unreplicated) {

        /* the account may stay, but revoke the token, which nobody has seen */

        ngx_http_npmtoken_api_tokens_withdraw(ctx,
                                 ngx_http_npmtoken_api_login_signup_withdrawn);
        return;
    }

    ngx_http_npmtoken_api_login_logged_in(ctx);
}


static void
ngx_http_npmtoken_api_login_signup_withdrawn(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_http_npmtoken_api_answer_unreplicated(ctx);
}


static void
ngx_http_npmtoken_api_login_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_tokens_store(ctx,
                                       ngx_http_npmtoken_api_login_logged_in);
}


/* Answers exactly as npm's registry does. */

static void
ngx_http_npmtoken_api_login_logged_in(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *json;

    json = json_pack("{sb ss+% ss ss%}",
                     "ok", 1,
                     "id", "org.couchdb.user:", ctx->user.data, ctx->user.len,
                     "rev", "_we_dont_use_revs_any_more",
                     "token", ctx->token.data, ctx->token.len);

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_CREATED, json);
}


/*
 * logout: write, answer
 * logout of another token: bearer, account, code, write, answer
 *
 * A token in any state can be logged out.  A token that is gone counts as
 * logged out.
 */

void
ngx_http_npmtoken_api_login_logout(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char  *own;

    if (ctx->judged->record == NULL) {
        ngx_http_npmtoken_api_login_logout_done(ctx);
        return;
    }

    own = ngx_http_npmtoken_api_act_key(ctx);

    if (own == NULL || npmtoken_digest_key(&ctx->subject, ctx->key) != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    /* also if the path is spelt in a way that a read-only token may not use */

    if (ngx_memcmp(own, ctx->key, NPMTOKEN_KEY_LEN) == 0) {
        ngx_http_npmtoken_api_login_logout_admitted(ctx);
        return;
    }

    /* logout of another token is a write, like "npm token revoke" */

    ngx_http_npmtoken_api_act_bearer(ctx,
                                     ngx_http_npmtoken_api_login_logout_known);
}


static void
ngx_http_npmtoken_api_login_logout_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx,
                                    ngx_http_npmtoken_api_login_logout_loaded);
}


static void
ngx_http_npmtoken_api_login_logout_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ctx->bearer->bypass_2fa)
    {
        ngx_http_npmtoken_api_auth_second_factor(ctx,
                                ngx_http_npmtoken_api_login_logout_admitted);
        return;
    }

    ngx_http_npmtoken_api_login_logout_admitted(ctx);
}


static void
ngx_http_npmtoken_api_login_logout_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     digest[NPMTOKEN_KEY_LEN];
    ngx_str_t  key;

    ngx_memcpy(digest, ctx->key, NPMTOKEN_KEY_LEN);

    key.data = digest;
    key.len = NPMTOKEN_KEY_LEN;

    ngx_http_npmtoken_api_tokens_revoke_key(ctx, &key,
                                       ngx_http_npmtoken_api_login_logged_out);
}


static void
ngx_http_npmtoken_api_login_logged_out(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_answer_unreplicated(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "PROTECTED")) {
        ngx_http_npmtoken_api_answer_protected(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "CHANGED")) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")
        && ctx->judged->operation != NPMTOKEN_OP_LOGOUT)
    {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_NOT_FOUND,
                                           "This account has no such token.");
        return;
    }

    ngx_http_npmtoken_api_login_logout_done(ctx);
}


static void
ngx_http_npmtoken_api_login_logout_done(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json_pack("{sb}", "ok", 1));
}


/* whoami: answer */

void
ngx_http_npmtoken_api_login_whoami(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{ss%}", "username",
                                           ctx->user.data, ctx->user.len));
}
