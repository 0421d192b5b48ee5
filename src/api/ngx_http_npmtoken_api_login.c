
/*
 * npm login, adduser, logout, whoami.
 */


#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_crypt.h"
#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_text.h"



static void ngx_http_npmtoken_api_login_body(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_login_name(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_signup(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_signup_refused(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_signup_hashed(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_npmtoken_api_signed_up(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_signup_withdrawn(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_login_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_logged_in(ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_logged_out(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_logout_done(
    ngx_http_npmtoken_api_ctx_t *ctx);


/* npm falls back to the login with a password only if this fails */

void
ngx_http_npmtoken_api_web_login(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_error(ctx, NGX_HTTP_NOT_FOUND,
                                "There is no login by the browser here: npm "
                                "asks for name and password.");
}


void
ngx_http_npmtoken_api_login(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_read_body(ctx, ngx_http_npmtoken_api_login_body);
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

    ngx_str_set(&ctx->grant.name, "npm login");

    email = json_object_get(ctx->body, "email");

    if (json_is_string(email) && json_string_length(email)) {
        ctx->email.data = (u_char *) json_string_value(email);
        ctx->email.len = json_string_length(email);
    }

    if (ctx->email.len
        && ctx->conf->signup
        && ctx->conf->login == NGX_HTTP_NPMTOKEN_API_ACCOUNTS)
    {
        ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_signup);
        return;
    }

    ngx_http_npmtoken_api_authenticate(ctx,
                                       ngx_http_npmtoken_api_login_granted);
}


/* the name is in the path, and said again in the body */

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
        ngx_http_npmtoken_api_error(ctx, 422,
                                    "The user name in the body of this "
                                    "request is another one than in its "
                                    "address.");
        return NGX_ERROR;
    }

    if (npmtoken_account_name(&ctx->user) != NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, 422,
                                    "A user name here has letters, digits and "
                                    "-._~@+, and begins with none of - and "
                                    "the dot.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* where the account exists it is a login, and its password stays */

static void
ngx_http_npmtoken_api_signup(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->exists) {
        ngx_http_npmtoken_api_authenticate(ctx,
                                        ngx_http_npmtoken_api_login_granted);
        return;
    }

    if (ngx_http_npmtoken_api_signup_refused(ctx) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_attempt(ctx) != NGX_OK) {
        return;
    }

    rc = ngx_http_npmtoken_api_hash(ctx, &ctx->password,
                                    ngx_http_npmtoken_api_signup_hashed);
    if (rc != NGX_AGAIN) {
        ngx_http_npmtoken_api_attempts_succeeded(ctx);
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static ngx_int_t
ngx_http_npmtoken_api_signup_refused(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (npmtoken_account_email(&ctx->email) != NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, 422,
                                    "This is not an email address.");
        return NGX_ERROR;
    }

    if (ctx->password.len < NPMTOKEN_PASSWORD_MIN) {
        ngx_http_npmtoken_api_error(ctx, 422,
                                    "A password has at least 8 characters "
                                    "here.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_signup_hashed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_str_t   *arg, key;
    ngx_uint_t   i;

    /* number of keys, the keys, number of the account's arguments, these,
       the key of the token; then the fields of its record */

    enum {
        NKEYS = 0, USER, TOKEN, TOKENS, NARGS, ACCOUNT, KEY = ACCOUNT + 8,
        ROOM
    };

    if (rc != NGX_OK
        || ngx_http_npmtoken_api_grant_record(ctx, ROOM) != NGX_OK)
    {
        if (rc != NGX_OK) {
            ngx_http_npmtoken_api_failed(ctx);
        }

        return;
    }

    arg = ctx->record.elts;

    key.data = ctx->key;
    key.len = NPMTOKEN_KEY_LEN;

    ngx_str_set(&arg[NKEYS], "3");
    arg[USER] = ngx_http_npmtoken_api_redis_key(ctx, "user:", &ctx->user);
    arg[TOKEN] = ngx_http_npmtoken_api_redis_key(ctx, "token:", &key);
    arg[TOKENS] = ngx_http_npmtoken_api_redis_key(ctx, "tokens-of:",
                                                  &ctx->user);
    ngx_str_set(&arg[NARGS], "8");
    ngx_str_set(&arg[ACCOUNT], "password");
    arg[ACCOUNT + 1] = ctx->account.password;
    ngx_str_set(&arg[ACCOUNT + 2], "email");
    arg[ACCOUNT + 3] = ctx->email;
    ngx_str_set(&arg[ACCOUNT + 4], "created");
    arg[ACCOUNT + 5] = ctx->created;
    ngx_str_set(&arg[ACCOUNT + 6], "updated");
    arg[ACCOUNT + 7] = ctx->created;
    arg[KEY] = key;

    for (i = USER; i <= TOKENS; i++) {
        if (arg[i].data == NULL) {
            ngx_http_npmtoken_api_failed(ctx);
            return;
        }
    }

    if (ngx_http_npmtoken_api_write(ctx, &npmtoken_script_signup,
                                    ctx->record.nelts, arg,
                                    ngx_http_npmtoken_api_signed_up)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_signed_up(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_str_t  key;

    if (reply == NULL) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "OK") != NGX_OK) {

        /* somebody was faster: then it is a login */

        ngx_http_npmtoken_api_authenticate(ctx,
                                        ngx_http_npmtoken_api_login_granted);
        return;
    }

    ngx_http_npmtoken_api_attempts_succeeded(ctx);

    if (ctx->unreplicated) {

        /* the account may stay, but nobody has seen its token */

        key.data = ctx->key;
        key.len = NPMTOKEN_KEY_LEN;

        ngx_http_npmtoken_api_revoke_key(ctx, &key, 0,
                                      ngx_http_npmtoken_api_signup_withdrawn);
        return;
    }

    ngx_http_npmtoken_api_logged_in(ctx);
}


static void
ngx_http_npmtoken_api_signup_withdrawn(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_http_npmtoken_api_unreplicated(ctx);
}


static void
ngx_http_npmtoken_api_login_granted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_store_token(ctx, ngx_http_npmtoken_api_logged_in);
}


/* as npm's registry answers, to the letter */

static void
ngx_http_npmtoken_api_logged_in(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *json;

    json = json_pack("{sb ss+% ss ss%}",
                     "ok", 1,
                     "id", "org.couchdb.user:", ctx->user.data, ctx->user.len,
                     "rev", "_we_dont_use_revs_any_more",
                     "token", ctx->token.data, ctx->token.len);

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_CREATED, json);
}


/* whatever state the token is in; what is gone is logged out */

void
ngx_http_npmtoken_api_logout(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char      digest[NPMTOKEN_KEY_LEN], *own;
    ngx_str_t   key;
    ngx_uint_t  self;

    if (ctx->judged->record == NULL) {
        ngx_http_npmtoken_api_logout_done(ctx);
        return;
    }

    own = ngx_http_npmtoken_key(ctx->request, ctx->judged);

    if (own == NULL || npmtoken_digest_key(&ctx->subject, digest) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    key.data = digest;
    key.len = NPMTOKEN_KEY_LEN;

    /* also where its spelling is none that a read-only token may use */

    self = (ngx_memcmp(own, digest, NPMTOKEN_KEY_LEN) == 0);

    ngx_http_npmtoken_api_revoke_key(ctx, &key, self,
                                     ngx_http_npmtoken_api_logged_out);
}


static void
ngx_http_npmtoken_api_logged_out(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_unreplicated(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "PROTECTED") == NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                                    "This token cannot be logged out: others "
                                    "use it too.");
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "OK") != NGX_OK
        && ctx->judged->operation != NPMTOKEN_OP_LOGOUT)
    {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_NOT_FOUND,
                                    "This account has no such token.");
        return;
    }

    ngx_http_npmtoken_api_logout_done(ctx);
}


static void
ngx_http_npmtoken_api_logout_done(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json_pack("{sb}", "ok", 1));
}


void
ngx_http_npmtoken_api_whoami(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{ss%}", "username",
                                           ctx->user.data, ctx->user.len));
}
