
/*
 * npm profile get, set, enable-2fa, disable-2fa.
 *
 * What npm sends to set a profile has no kind: a password, a second factor,
 * its confirmation, and the rest are told apart by what is there.
 */


#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_crypt.h"
#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_text.h"


/* a change of the account */

typedef struct {
    ngx_array_t                     set;      /* of npmtoken_field_t */
    ngx_array_t                     delete;   /* of ngx_str_t */
} ngx_http_npmtoken_api_change_t;


static void ngx_http_npmtoken_api_profile(ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_profile_json(
    ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_text_or_null(ngx_str_t *text);
static json_t *ngx_http_npmtoken_api_tfa_json(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_set(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *tfa);
static void ngx_http_npmtoken_api_tfa_disable(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_disabled(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_tfa_enable(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_change_mode(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *mode);
static void ngx_http_npmtoken_api_tfa_mode_changed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_api_old_npm(ngx_http_request_t *r);
static void ngx_http_npmtoken_api_tfa_pending(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_tfa_confirm(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *codes);
static void ngx_http_npmtoken_api_profile_tfa_counted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_tfa_wrong(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_recovery_codes(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *hashes);
static void ngx_http_npmtoken_api_tfa_confirmed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_password_set(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *passwords);
static void ngx_http_npmtoken_api_password_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_password_hashed(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_npmtoken_api_fields_set(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_fields_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_fields_read(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_changed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_change(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_change_t *change);
static ngx_int_t ngx_http_npmtoken_api_change_set(
    ngx_http_npmtoken_api_change_t *change, char *field, ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_api_change_delete(
    ngx_http_npmtoken_api_change_t *change, char *field);
static void ngx_http_npmtoken_api_change_write(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_change_t *change,
    ngx_http_npmtoken_api_reply_pt handler);
static ngx_int_t ngx_http_npmtoken_api_change_done(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);


/* what npm lets people write and we do not keep */

static const char  *ngx_http_npmtoken_api_not_kept[] = {
    "homepage", "freenode", "twitter", "github", NULL
};


void
ngx_http_npmtoken_api_profile_get(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_profile);
}


static void
ngx_http_npmtoken_api_profile(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 ngx_http_npmtoken_api_profile_json(ctx));
}


static json_t *
ngx_http_npmtoken_api_profile_json(ngx_http_npmtoken_api_ctx_t *ctx)
{
    npmtoken_account_t  *account;

    account = &ctx->account;

    return json_pack("{so ss% ss% sb so so so sn}",
             "tfa", ngx_http_npmtoken_api_tfa_json(ctx),
             "name", ctx->user.data, ctx->user.len,
             "email", account->email.len ? (char *) account->email.data : "",
             account->email.len,
             "email_verified", 0,
             "fullname", ngx_http_npmtoken_api_text_or_null(
                                                         &account->fullname),
             "created", ngx_http_npmtoken_api_text_or_null(&account->created),
             "updated", ngx_http_npmtoken_api_text_or_null(&account->updated),
             "cidr_whitelist");
}


static json_t *
ngx_http_npmtoken_api_text_or_null(ngx_str_t *text)
{
    return text->len ? json_stringn((char *) text->data, text->len)
                     : json_null();
}


static json_t *
ngx_http_npmtoken_api_tfa_json(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t       pending;
    npmtoken_tfa_e   mode;

    mode = ctx->account.tfa;
    pending = 0;

    if (mode == NPMTOKEN_TFA_OFF) {
        mode = ctx->account.tfa_pending;
        pending = 1;
    }

    if (mode == NPMTOKEN_TFA_OFF) {
        return json_null();
    }

    return json_pack("{ss sb}",
                     "mode", npmtoken_account_tfa_name(mode)->data,
                     "pending", pending);
}


void
ngx_http_npmtoken_api_profile_set(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_read_body(ctx, ngx_http_npmtoken_api_profile_body);
}


static void
ngx_http_npmtoken_api_profile_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_act_bearer(ctx, ngx_http_npmtoken_api_profile_known);
}


static void
ngx_http_npmtoken_api_profile_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_profile_loaded);
}


static void
ngx_http_npmtoken_api_profile_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t  *tfa, *password;

    tfa = json_object_get(ctx->body, "tfa");
    password = json_object_get(ctx->body, "password");

    if (json_is_array(tfa)) {
        ngx_http_npmtoken_api_tfa_confirm(ctx, tfa);

    } else if (json_is_object(tfa)) {
        ngx_http_npmtoken_api_tfa_set(ctx, tfa);

    } else if (json_is_object(password)) {
        ngx_http_npmtoken_api_password_set(ctx, password);

    } else {
        ngx_http_npmtoken_api_fields_set(ctx);
    }
}


static void
ngx_http_npmtoken_api_tfa_set(ngx_http_npmtoken_api_ctx_t *ctx, json_t *tfa)
{
    json_t          *value;
    ngx_str_t        mode;
    npmtoken_tfa_e   parsed;

    value = json_object_get(tfa, "mode");

    mode.data = (u_char *) (json_is_string(value) ? json_string_value(value)
                                                  : "");
    mode.len = ngx_strlen(mode.data);

    if (ngx_http_npmtoken_api_body_password(ctx, tfa, "password",
                                            &ctx->password)
        != NGX_OK)
    {
        return;
    }

    if (mode.len == sizeof("disable") - 1
        && ngx_strcmp(mode.data, "disable") == 0)
    {
        ngx_http_npmtoken_api_authenticate(ctx,
                                           ngx_http_npmtoken_api_tfa_disable);
        return;
    }

    if (npmtoken_account_tfa(&mode, &parsed) != NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                                    "The mode of two-factor authentication "
                                    "is auth-only or auth-and-writes.");
        return;
    }

    ctx->mode = parsed;

    ngx_http_npmtoken_api_authenticate(ctx, ngx_http_npmtoken_api_tfa_enable);
}


static void
ngx_http_npmtoken_api_tfa_disable(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t                      i;
    ngx_http_npmtoken_api_change_t  change;

    static char  *fields[] = {
        "tfa", "totp", "totp_used", "totp_used_by", "recovery", "tfa_pending",
        "totp_pending"
    };

    if (ngx_http_npmtoken_api_change(ctx, &change) != NGX_OK) {
        return;
    }

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (ngx_http_npmtoken_api_change_delete(&change, fields[i])
            != NGX_OK)
        {
            ngx_http_npmtoken_api_failed(ctx);
            return;
        }
    }

    ngx_http_npmtoken_api_change_write(ctx, &change,
                                       ngx_http_npmtoken_api_tfa_disabled);
}


static void
ngx_http_npmtoken_api_tfa_disabled(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_change_done(ctx, reply) != NGX_OK) {
        return;
    }

    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_profile);
}


/* the password was right, and the one-time password if there had to be one */

static void
ngx_http_npmtoken_api_tfa_enable(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t                       secret, *mode;
    ngx_http_npmtoken_api_change_t  change;

    mode = npmtoken_account_tfa_name(ctx->mode);

    if (ctx->account.tfa != NPMTOKEN_TFA_OFF) {
        ngx_http_npmtoken_api_tfa_change_mode(ctx, mode);
        return;
    }

    secret.len = NPMTOKEN_OTP_SECRET_LEN;
    secret.data = ngx_pnalloc(ctx->request->pool, NPMTOKEN_OTP_SECRET_LEN);

    if (secret.data == NULL || npmtoken_otp_secret(secret.data) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_change_set(&change, "totp_pending", &secret)
        != NGX_OK
        || ngx_http_npmtoken_api_change_set(&change, "tfa_pending", mode)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ctx->account.totp_pending = secret;

    ngx_http_npmtoken_api_change_write(ctx, &change,
                                       ngx_http_npmtoken_api_tfa_pending);
}


static void
ngx_http_npmtoken_api_tfa_pending(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    u_char     *p;
    ngx_str_t   url;

    if (ngx_http_npmtoken_api_change_done(ctx, reply) != NGX_OK) {
        return;
    }

    url.data = ngx_pnalloc(ctx->request->pool,
                           npmtoken_otp_url_size(&ctx->conf->issuer,
                                                 &ctx->user));
    if (url.data == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    p = npmtoken_otp_url(url.data, &ctx->conf->issuer, &ctx->user,
                         &ctx->account.totp_pending);

    url.len = p - url.data;

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{ss%}", "tfa", url.data, url.len));
}


static void
ngx_http_npmtoken_api_tfa_change_mode(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mode)
{
    ngx_http_npmtoken_api_change_t  change;

    if (ngx_http_npmtoken_api_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_change_set(&change, "tfa", mode) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_change_write(ctx, &change,
                                      ngx_http_npmtoken_api_tfa_mode_changed);
}


/* npm before 11.4 expects null there, later ones the mode */

static void
ngx_http_npmtoken_api_tfa_mode_changed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_change_done(ctx, reply) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_old_npm(ctx->request)) {
        ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                     json_pack("{sn}", "tfa"));
        return;
    }

    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_profile);
}


/* npm 5 has for its profile the name of what it makes requests with */

static ngx_uint_t
ngx_http_npmtoken_api_old_npm(ngx_http_request_t *r)
{
    ngx_str_t   *agent;
    ngx_uint_t   i;

    static ngx_str_t  names[] = {
        ngx_string("npm/5."),
        ngx_string("npm/6."),
        ngx_string("npm/7."),
        ngx_string("npm/8."),
        ngx_string("npm/9."),
        ngx_string("npm/10."),
        ngx_string("npm/11.0."),
        ngx_string("npm/11.1."),
        ngx_string("npm/11.2."),
        ngx_string("npm/11.3."),
        ngx_string("make-fetch-happen/")
    };

    if (r->headers_in.user_agent == NULL) {
        return 0;
    }

    agent = &r->headers_in.user_agent->value;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (agent->len > names[i].len
            && ngx_memcmp(agent->data, names[i].data, names[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the code shows that the secret has arrived; it is used up by that */

static void
ngx_http_npmtoken_api_tfa_confirm(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *codes)
{
    ngx_str_t  *code;

    code = &ctx->code;

    code->data = (u_char *) json_string_value(json_array_get(codes, 0));
    code->len = code->data ? ngx_strlen(code->data) : 0;

    if (code->len == 0 || ctx->account.totp_pending.len == 0) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                                    "No two-factor authentication waits to "
                                    "be confirmed by a code.");
        return;
    }

    ngx_http_npmtoken_api_attempts_begin(ctx,
                                    ngx_http_npmtoken_api_profile_tfa_counted);
}


static void
ngx_http_npmtoken_api_profile_tfa_wrong(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                                "This code is wrong. Look at the clock "
                                "of your authenticator, and begin again "
                                "with npm profile enable-2fa.");
}


static void
ngx_http_npmtoken_api_profile_tfa_counted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    int64_t                         step;
    u_char                          buf[NGX_INT64_LEN];
    ngx_str_t                       used, hashes, *mode;
    ngx_http_npmtoken_api_change_t  change;

    step = npmtoken_otp_verify(&ctx->account.totp_pending, &ctx->code,
                               time(NULL), -1);
    if (step < 0) {
        ngx_http_npmtoken_api_attempts_failed(ctx,
                                      ngx_http_npmtoken_api_profile_tfa_wrong);
        return;
    }

    ngx_http_npmtoken_api_attempts_succeeded(ctx);

    used.data = buf;
    used.len = ngx_sprintf(buf, "%L", step) - buf;

    mode = npmtoken_account_tfa_name(ctx->account.tfa_pending);

    if (ngx_http_npmtoken_api_recovery_codes(ctx, &hashes) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_change_set(&change, "tfa", mode) != NGX_OK
        || ngx_http_npmtoken_api_change_set(&change, "totp",
                                            &ctx->account.totp_pending)
           != NGX_OK
        || ngx_http_npmtoken_api_change_set(&change, "totp_used", &used)
           != NGX_OK
        || ngx_http_npmtoken_api_change_set(&change, "recovery", &hashes)
           != NGX_OK
        || ngx_http_npmtoken_api_change_delete(&change, "tfa_pending")
           != NGX_OK
        || ngx_http_npmtoken_api_change_delete(&change, "totp_pending")
           != NGX_OK
        || ngx_http_npmtoken_api_change_delete(&change, "totp_used_by")
           != NGX_OK)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_change_write(ctx, &change,
                                       ngx_http_npmtoken_api_tfa_confirmed);
}


/* the codes in ctx->codes, which are shown this once; and their hashes */

static ngx_int_t
ngx_http_npmtoken_api_recovery_codes(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *hashes)
{
    u_char      *p;
    ngx_str_t    code;
    ngx_uint_t   i;

    ctx->codes = ngx_pnalloc(ctx->request->pool,
                             NPMTOKEN_RECOVERY_CODES * NPMTOKEN_RECOVERY_LEN);
    p = ngx_pnalloc(ctx->request->pool,
                    NPMTOKEN_RECOVERY_CODES * (NPMTOKEN_RECOVERY_LEN + 1));

    if (ctx->codes == NULL || p == NULL) {
        return NGX_ERROR;
    }

    hashes->data = p;

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {
        code.data = ctx->codes + i * NPMTOKEN_RECOVERY_LEN;
        code.len = NPMTOKEN_RECOVERY_LEN;

        npmtoken_otp_recovery(code.data);

        if (i) {
            *p++ = ',';
        }

        if (npmtoken_otp_recovery_hash(&code, p) != NGX_OK) {
            return NGX_ERROR;
        }

        p += NPMTOKEN_RECOVERY_LEN;
    }

    hashes->len = p - hashes->data;

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_tfa_confirmed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    json_t      *codes;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_change_done(ctx, reply) != NGX_OK) {
        return;
    }

    codes = json_array();

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {
        json_array_append_new(codes,
            json_stringn((char *) ctx->codes + i * NPMTOKEN_RECOVERY_LEN,
                         NPMTOKEN_RECOVERY_LEN));
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{so}", "tfa", codes));
}


static void
ngx_http_npmtoken_api_password_set(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *passwords)
{
    if (ngx_http_npmtoken_api_body_password(ctx, passwords, "old",
                                            &ctx->password)
        != NGX_OK
        || ngx_http_npmtoken_api_body_password(ctx, passwords, "new",
                                               &ctx->new_password)
           != NGX_OK)
    {
        return;
    }

    if (ctx->account.password.len == 0) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                                    "The password of this account is kept by "
                                    "the registry behind this one: change it "
                                    "there.");
        return;
    }

    if (ctx->new_password.len < NPMTOKEN_PASSWORD_MIN) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                                    "A password has at least 8 characters "
                                    "here.");
        return;
    }

    ngx_http_npmtoken_api_authenticate(ctx,
                                       ngx_http_npmtoken_api_password_granted);
}


static void
ngx_http_npmtoken_api_password_granted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_hash(ctx, &ctx->new_password,
                                   ngx_http_npmtoken_api_password_hashed)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_password_hashed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_http_npmtoken_api_change_t  change;

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_change_set(&change, "password",
                                         &ctx->account.password)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_change_write(ctx, &change,
                                       ngx_http_npmtoken_api_profile_changed);
}


/* where no password is asked for, as any write is: by the mode */

static void
ngx_http_npmtoken_api_fields_set(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (!ctx->exists && ctx->conf->login == NGX_HTTP_NPMTOKEN_API_ACCOUNTS) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                                    "There is no account of this name: "
                                    "nothing can be kept of it.");
        return;
    }

    if (ngx_http_npmtoken_api_fields_read(ctx) != NGX_OK) {
        return;
    }

    if (ctx->password.len) {
        ngx_http_npmtoken_api_authenticate(ctx,
                                        ngx_http_npmtoken_api_fields_granted);
        return;
    }

    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ctx->bearer->bypass_2fa)
    {
        ngx_http_npmtoken_api_second_factor(ctx,
                                        ngx_http_npmtoken_api_fields_granted);
        return;
    }

    ngx_http_npmtoken_api_fields_granted(ctx);
}


/* npm sends all that it may set, with what was there for the rest */

static ngx_int_t
ngx_http_npmtoken_api_fields_read(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t       *value;
    ngx_str_t     email, fullname;
    const char  **name;

    for (name = ngx_http_npmtoken_api_not_kept; *name; name++) {
        value = json_object_get(ctx->body, *name);

        if (json_is_string(value) && json_string_length(value)) {
            ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                                        "This registry keeps an email and a "
                                        "full name of an account, and "
                                        "nothing else.");
            return NGX_ERROR;
        }
    }

    value = json_object_get(ctx->body, "email");

    if (json_is_object(value)) {

        /* npm 6 asks for the password first, and sends both */

        if (ngx_http_npmtoken_api_body_password(ctx, value, "password",
                                                &ctx->password)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        value = json_object_get(value, "email");
    }

    email.data = (u_char *) json_string_value(value);
    email.len = email.data ? json_string_length(value) : 0;

    value = json_object_get(ctx->body, "fullname");
    fullname.data = (u_char *) json_string_value(value);
    fullname.len = fullname.data ? json_string_length(value) : 0;

    if ((email.len && npmtoken_account_email(&email) != NGX_OK)
        || (fullname.len && npmtoken_account_fullname(&fullname) != NGX_OK))
    {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                                    "This is not an email address, or not a "
                                    "full name of one line and at most 200 "
                                    "bytes.");
        return NGX_ERROR;
    }

    ctx->email = email;
    ctx->fullname = fullname;

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_fields_granted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_http_npmtoken_api_change_t  change;

    if (ngx_http_npmtoken_api_change(ctx, &change) != NGX_OK) {
        return;
    }

    rc = NGX_OK;

    if (ctx->email.len) {
        rc |= ngx_http_npmtoken_api_change_set(&change, "email", &ctx->email);
    }

    if (ctx->fullname.len) {
        rc |= ngx_http_npmtoken_api_change_set(&change, "fullname",
                                               &ctx->fullname);
    }

    if (json_is_null(json_object_get(ctx->body, "email"))) {
        rc |= ngx_http_npmtoken_api_change_delete(&change, "email");
    }

    if (json_is_null(json_object_get(ctx->body, "fullname"))) {
        rc |= ngx_http_npmtoken_api_change_delete(&change, "fullname");
    }

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_change_write(ctx, &change,
                                       ngx_http_npmtoken_api_profile_changed);
}


static void
ngx_http_npmtoken_api_profile_changed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_change_done(ctx, reply) != NGX_OK) {
        return;
    }

    /* as it is now */

    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_profile);
}


/*
 * Begins a change; of an account of the registry behind nothing may have been
 * kept so far.  NGX_ERROR: that has been answered.
 */

static ngx_int_t
ngx_http_npmtoken_api_change(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_change_t *change)
{
    ngx_str_t    now;
    ngx_pool_t  *pool;

    pool = ctx->request->pool;

    if (ngx_array_init(&change->set, pool, 8, sizeof(npmtoken_field_t))
        != NGX_OK
        || ngx_array_init(&change->delete, pool, 8, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_http_npmtoken_api_now(pool, &now) != NGX_OK
        || ngx_http_npmtoken_api_change_set(change, "updated", &now)
           != NGX_OK)
    {
        goto failed;
    }

    if (ctx->exists) {
        return NGX_OK;
    }

    if (ngx_http_npmtoken_api_change_set(change, "created", &now) != NGX_OK) {
        goto failed;
    }

    if (ngx_http_npmtoken_api_text_spelt(ctx)
        && npmtoken_account_name(&ctx->user) == NGX_OK
        && ngx_http_npmtoken_api_change_set(change, "name", &ctx->user)
           != NGX_OK)
    {
        goto failed;
    }

    return NGX_OK;

failed:

    ngx_http_npmtoken_api_failed(ctx);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_api_change_set(ngx_http_npmtoken_api_change_t *change,
    char *field, ngx_str_t *value)
{
    npmtoken_field_t  *set;

    set = ngx_array_push(&change->set);
    if (set == NULL) {
        return NGX_ERROR;
    }

    set->name.data = (u_char *) field;
    set->name.len = ngx_strlen(field);
    set->value = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_change_delete(ngx_http_npmtoken_api_change_t *change,
    char *field)
{
    ngx_str_t  *name;

    name = ngx_array_push(&change->delete);
    if (name == NULL) {
        return NGX_ERROR;
    }

    name->data = (u_char *) field;
    name->len = ngx_strlen(field);

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_change_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_change_t *change,
    ngx_http_npmtoken_api_reply_pt handler)
{
    npmtoken_change_t  act;

    if (ngx_http_npmtoken_api_act_begin(ctx, &act) != NGX_OK) {
        return;
    }

    act.make = !ctx->exists;
    act.account = change->set.elts;
    act.naccount = change->set.nelts;
    act.delete = change->delete.elts;
    act.ndelete = change->delete.nelts;

    ngx_http_npmtoken_api_act(ctx, &act, npmtoken_script_account_args,
                              handler);
}


/* NGX_ERROR: that it is not done has been answered */

static ngx_int_t
ngx_http_npmtoken_api_change_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_api_is(reply, "OK") != NGX_OK) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return NGX_ERROR;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_unreplicated(ctx);
        return NGX_ERROR;
    }

    return NGX_OK;
}
