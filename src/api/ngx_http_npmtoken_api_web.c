
/*
 * The calls of the web page that npm does not make: login, logout, who is
 * logged in, sessions, and to revoke several tokens at once.
 */


#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_client.h"
#include "ngx_http_npmtoken_api_origin.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_tokens.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "npmtoken_script_web.h"


/*
 * The most keys in one request to revoke.  More would not be in the body that
 * nginx keeps in memory, of two pages.
 */
#define NGX_HTTP_NPMTOKEN_API_MAX_KEYS  50

#define NGX_HTTP_NPMTOKEN_API_DAY       86400


static void ngx_http_npmtoken_api_web_session_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_session_none(
    ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_web_info(
    ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_web_days(time_t seconds);
static ngx_int_t ngx_http_npmtoken_api_web_info_user(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *json, int64_t expires,
    ngx_uint_t fresh);
static void ngx_http_npmtoken_api_web_login_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static char *ngx_http_npmtoken_api_web_reauth(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_login_person(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_login_person_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_login_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_logged_in(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_logout_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_logout_none(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_logged_out(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_web_revoke_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_revoke_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_revoke_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_web_revoke_next(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_web_revoke_key(json_t *value,
    ngx_str_t *key);
static void ngx_http_npmtoken_api_web_revoked(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_web_revoke_result(
    ngx_http_npmtoken_api_ctx_t *ctx, char *error);
static void ngx_http_npmtoken_api_web_revoke_answer(
    ngx_http_npmtoken_api_ctx_t *ctx);


static char  ngx_http_npmtoken_api_web_nobody[] =
    "The single sign-on of this registry gives a name that no account can "
    "have. Ask the registry's administrator.";


/* who is logged in: session if there is one, answer */

void
ngx_http_npmtoken_api_web_session(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_session_find(ctx,
                                      ngx_http_npmtoken_api_web_session_known,
                                      ngx_http_npmtoken_api_web_session_none);
}


static void
ngx_http_npmtoken_api_web_session_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *json;

    json = ngx_http_npmtoken_api_web_info(ctx);

    if (json
        && ngx_http_npmtoken_api_web_info_user(ctx, json,
                                   ctx->bearer->expires_at,
                                   ngx_http_npmtoken_api_session_fresh(ctx))
           != NGX_OK)
    {
        json_decref(json);
        json = NULL;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json);
}


static void
ngx_http_npmtoken_api_web_session_none(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 ngx_http_npmtoken_api_web_info(ctx));
}


/* What the page has to know, whoever looks at it. */

static json_t *
ngx_http_npmtoken_api_web_info(ngx_http_npmtoken_api_ctx_t *ctx)
{
    char                          *login, *error;
    json_t                        *json;
    ngx_str_t                      url, address, person;
    ngx_http_npmtoken_api_conf_t  *conf;

    conf = ctx->conf;
    error = NULL;

    switch (ngx_http_npmtoken_api_session_person(ctx, &person)) {

    case NGX_OK:
        login = "sso";
        break;

    case NGX_DECLINED:
        login = "password";

        if (ngx_http_npmtoken_api_origin_safe(ctx)) {
            break;
        }

        login = "none";
        error = "A password cannot be sent from here: open this page by "
                "https.";
        break;

    default: /* NGX_ERROR */
        login = "none";
        error = ngx_http_npmtoken_api_web_nobody;
    }

    url = ngx_http_npmtoken_api_origin_url(ctx, "");
    address = ngx_http_npmtoken_api_client_address(ctx->request);

    if (address.data == NULL) {
        return NULL;
    }

    json = json_pack("{sn ss ss% ss% si s{so so} ss sb}",
                     "user",
                     "login", login,
                     "registry", url.len ? (char *) url.data : "", url.len,
                     "address", address.data, address.len,
                     "max_cidrs", (int) conf->max_cidrs,
                     "lifetime",
                     "default", ngx_http_npmtoken_api_web_days(conf->lifetime),
                     "max", ngx_http_npmtoken_api_web_days(conf->lifetime_max),
                     "permission", conf->unstated ? "read-only" : "full",
                     "web_otp", (int) conf->web_otp);

    if (json && error) {
        json_object_set_new(json, "error", json_string(error));
    }

    return json;
}


static json_t *
ngx_http_npmtoken_api_web_days(time_t seconds)
{
    return seconds ? json_integer(seconds / NGX_HTTP_NPMTOKEN_API_DAY)
                   : json_null();
}


/* Returns NGX_OK or NGX_ERROR (no memory). */

static ngx_int_t
ngx_http_npmtoken_api_web_info_user(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *json, int64_t expires, ngx_uint_t fresh)
{
    u_char               buf[NGX_HTTP_NPMTOKEN_API_TIME_LEN];
    json_t              *more, *end, *tfa;
    ngx_tm_t             tm;
    npmtoken_account_t  *account;

    account = &ctx->account;

    if (expires == NPMTOKEN_NEVER) {
        end = json_null();

    } else {
        ngx_gmtime(expires, &tm);
        end = json_stringn((char *) buf,
                           ngx_http_npmtoken_api_text_iso(buf, &tm, 0) - buf);
    }

    tfa = (account->tfa == NPMTOKEN_TFA_OFF)
          ? json_null()
          : json_string((char *) npmtoken_account_tfa_name(account->tfa)->data);

    more = json_pack("{ss% sb ss sb so sb so si}",
                     "user", ctx->user.data, ctx->user.len,
                     "fresh", (int) fresh,
                     "reauth", ngx_http_npmtoken_api_web_reauth(ctx),
                     "password", account->password.len != 0,
                     "tfa", tfa,
                     "tfa_available", 1,
                     "expires", end,
                     "idle",
                     (int) ngx_http_npmtoken_api_session_idle(ctx->conf));

    if (more == NULL || json_object_update(json, more) != 0) {
        json_decref(more);
        return NGX_ERROR;
    }

    json_decref(more);

    return NGX_OK;
}


/* Returns the contract's word for what is asked again. */

static char *
ngx_http_npmtoken_api_web_reauth(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static char  *words[] = { "password", "code", "none" };

    return words[ctx->sso ? ctx->conf->reauth : 0];
}


/*
 * login: body, password, code, session, answer
 * where nginx knows the person: body, account, session, answer
 */

void
ngx_http_npmtoken_api_web_login(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  person;

    switch (ngx_http_npmtoken_api_session_person(ctx, &person)) {

    case NGX_OK:
        ctx->sso = 1;

        ngx_http_npmtoken_api_body_read(ctx,
                                        ngx_http_npmtoken_api_web_login_person);
        return;

    case NGX_ERROR:
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                           ngx_http_npmtoken_api_web_nobody);
        return;
    }

    if (!ngx_http_npmtoken_api_origin_safe(ctx)) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                        "A password cannot be sent from here: "
                                        "open this page by https.");
        return;
    }

    ngx_http_npmtoken_api_body_read(ctx, ngx_http_npmtoken_api_web_login_body);
}


static void
ngx_http_npmtoken_api_web_login_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *name;

    name = json_object_get(ctx->body, "name");

    ctx->user.data = (u_char *) json_string_value(name);
    ctx->user.len = ctx->user.data ? json_string_length(name) : 0;

    if (ngx_http_npmtoken_api_body_password(ctx, ctx->body, "password",
                                            &ctx->password)
        != NGX_OK)
    {
        return;
    }

    if (!npmtoken_account_is_name(&ctx->user)) {
        ngx_http_npmtoken_api_answer_no_name(ctx);
        return;
    }

    ngx_http_npmtoken_api_auth_begin(ctx,
                                     ngx_http_npmtoken_api_web_login_admitted);
}


static void
ngx_http_npmtoken_api_web_login_person(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_session_person(ctx, &ctx->user) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_auth_load(ctx,
                                ngx_http_npmtoken_api_web_login_person_loaded);
}


static void
ngx_http_npmtoken_api_web_login_person_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->account.locked) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                           "This account is locked. Ask the "
                                           "registry's administrator.");
        return;
    }

    ngx_http_npmtoken_api_auth_new(ctx,
                                   ngx_http_npmtoken_api_web_login_admitted);
}


static void
ngx_http_npmtoken_api_web_login_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_session_make(ctx,
                                       ngx_http_npmtoken_api_web_logged_in);
}


static void
ngx_http_npmtoken_api_web_logged_in(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *json;

    json = ngx_http_npmtoken_api_web_info(ctx);

    if (json
        && ngx_http_npmtoken_api_web_info_user(ctx, json,
                                               ctx->grant.expires_at,
                                               !ctx->sso)
           != NGX_OK)
    {
        json_decref(json);
        json = NULL;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json);
}


/* logout: session if there is one, write, answer */

void
ngx_http_npmtoken_api_web_logout(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_session_find(ctx,
                                       ngx_http_npmtoken_api_web_logout_known,
                                       ngx_http_npmtoken_api_web_logout_none);
}


static void
ngx_http_npmtoken_api_web_logout_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  argv[4];

    ngx_str_set(&argv[0], "2");
    argv[1] = ctx->bearer_key;
    argv[2] = ngx_http_npmtoken_api_text_account_key(ctx, "tokens-of:");
    argv[3].data = ctx->session_key;
    argv[3].len = NPMTOKEN_KEY_LEN;

    if (argv[2].data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_drop, 4, argv,
                                     ngx_http_npmtoken_api_web_logged_out);
}


static void
ngx_http_npmtoken_api_web_logged_out(ngx_http_npmtoken_api_ctx_t *ctx,
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

    ngx_http_npmtoken_api_web_logout_none(ctx);
}


/* Without a session there is only the cookie to drop. */

static void
ngx_http_npmtoken_api_web_logout_none(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_session_forget(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_no_content(ctx);
}


/* revoke several: body, session, account, code, write of each, answer */

void
ngx_http_npmtoken_api_web_revoke(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx, ngx_http_npmtoken_api_web_revoke_body);
}


static void
ngx_http_npmtoken_api_web_revoke_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    size_t      i, n;
    json_t     *keys;
    ngx_str_t   key;

    keys = json_object_get(ctx->body, "keys");
    n = json_is_array(keys) ? json_array_size(keys) : 0;

    for (i = 0; i < n; i++) {
        if (ngx_http_npmtoken_api_web_revoke_key(json_array_get(keys, i), &key)
            != NGX_OK)
        {
            break;
        }
    }

    if (n == 0 || n > NGX_HTTP_NPMTOKEN_API_MAX_KEYS || i < n) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                     "A request to revoke has a list of 1 to "
                                     "50 keys, of 128 hex digits each.");
        return;
    }

    ngx_http_npmtoken_api_act_bearer(ctx,
                                     ngx_http_npmtoken_api_web_revoke_known);
}


static ngx_int_t
ngx_http_npmtoken_api_web_revoke_key(json_t *value, ngx_str_t *key)
{
    size_t  i;
    u_char  ch;

    if (!json_is_string(value)
        || json_string_length(value) != NPMTOKEN_KEY_LEN)
    {
        return NGX_ERROR;
    }

    key->data = (u_char *) json_string_value(value);
    key->len = NPMTOKEN_KEY_LEN;

    for (i = 0; i < key->len; i++) {
        ch = key->data[i];

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_web_revoke_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx,
                                    ngx_http_npmtoken_api_web_revoke_loaded);
}


/* A code that was given to log in a moment ago is good for this, too. */

static void
ngx_http_npmtoken_api_web_revoke_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (json_object_set_new(ctx->body, "revoked", json_array()) != 0
        || json_object_set_new(ctx->body, "failed", json_array()) != 0)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ctx->nth = 0;
    ctx->own = 0;

    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ngx_http_npmtoken_api_session_fresh(ctx))
    {
        ngx_http_npmtoken_api_auth_second_factor(ctx,
                                        ngx_http_npmtoken_api_web_revoke_next);
        return;
    }

    ngx_http_npmtoken_api_web_revoke_next(ctx);
}


/* The session's own key comes last: nothing can be asked for after it. */

static void
ngx_http_npmtoken_api_web_revoke_next(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t     *keys;
    ngx_str_t   key;

    keys = json_object_get(ctx->body, "keys");

    while (ctx->nth < json_array_size(keys)) {

        /* each was checked when the body was read */

        if (ngx_http_npmtoken_api_web_revoke_key(
                                         json_array_get(keys, ctx->nth++),
                                         &key)
            != NGX_OK)
        {
            ngx_http_npmtoken_api_answer_failed(ctx);
            return;
        }

        if (ngx_memcmp(key.data, ctx->session_key, NPMTOKEN_KEY_LEN) == 0) {
            ctx->own = 1;
            continue;
        }

        ngx_http_npmtoken_api_tokens_revoke_key(ctx, &key,
                                            ngx_http_npmtoken_api_web_revoked);
        return;
    }

    if (ctx->own == 1) {
        ctx->own = 2;

        key.data = ctx->session_key;
        key.len = NPMTOKEN_KEY_LEN;

        ngx_http_npmtoken_api_tokens_revoke_key(ctx, &key,
                                            ngx_http_npmtoken_api_web_revoked);
        return;
    }

    ngx_http_npmtoken_api_web_revoke_answer(ctx);
}


static void
ngx_http_npmtoken_api_web_revoked(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    char  *error;

    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_answer_unreplicated(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "CHANGED")) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return;
    }

    error = NULL;

    /* what is gone need not be revoked */

    if (!ngx_http_npmtoken_command_is(reply, "OK")
        && !ngx_http_npmtoken_command_is(reply, "NONE"))
    {
        error = "This token cannot be revoked.";
    }

    if (ngx_http_npmtoken_api_web_revoke_result(ctx, error) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_web_revoke_next(ctx);
}


static ngx_int_t
ngx_http_npmtoken_api_web_revoke_result(ngx_http_npmtoken_api_ctx_t *ctx,
    char *error)
{
    json_t  *list, *entry;

    if (error) {
        list = json_object_get(ctx->body, "failed");
        entry = json_pack("{ss% ss}", "key", ctx->key,
                          (size_t) NPMTOKEN_KEY_LEN, "error", error);

    } else {
        list = json_object_get(ctx->body, "revoked");
        entry = json_stringn((char *) ctx->key, NPMTOKEN_KEY_LEN);
    }

    return json_array_append_new(list, entry) == 0 ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_npmtoken_api_web_revoke_answer(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->own && ngx_http_npmtoken_api_session_forget(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
              json_pack("{sO sO}", "revoked",
                        json_object_get(ctx->body, "revoked"), "failed",
                        json_object_get(ctx->body, "failed")));
}
