
/*
 * npm profile enable-2fa, disable-2fa: the second factor of an account.
 */


#include "ngx_http_npmtoken_api_account.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_tfa.h"


static void ngx_http_npmtoken_api_tfa_disable(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_enable(ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_pending(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_tfa_mode(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mode);
static void ngx_http_npmtoken_api_tfa_mode_changed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_tfa_url(ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_mode_answer(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_codes(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_uint_t ngx_http_npmtoken_api_tfa_old_npm(ngx_http_request_t *r);
static void ngx_http_npmtoken_api_tfa_confirm_counted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tfa_confirm_wrong(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_tfa_recovery_codes(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *hashes);
static void ngx_http_npmtoken_api_tfa_confirmed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);


/*
 * enable-2fa: password, code if there is a second factor, write, answer
 * disable-2fa: the same
 */

void
ngx_http_npmtoken_api_tfa_set(ngx_http_npmtoken_api_ctx_t *ctx, json_t *tfa)
{
    json_t          *value;
    ngx_str_t        mode;
    npmtoken_tfa_e   parsed;

    value = json_object_get(tfa, "mode");

    mode.data = (u_char *) (json_is_string(value) ? json_string_value(value)
                                                  : "");
    mode.len = ngx_strlen(mode.data);

    if (ngx_http_npmtoken_api_auth_again(ctx, tfa) != NGX_OK) {
        return;
    }

    if (mode.len == sizeof("disable") - 1
        && ngx_strcmp(mode.data, "disable") == 0)
    {
        ngx_http_npmtoken_api_auth_begin(ctx,
                                         ngx_http_npmtoken_api_tfa_disable);
        return;
    }

    if (npmtoken_account_tfa(&mode, &parsed) != NGX_OK) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                       "The mode of two-factor authentication "
                                       "is auth-only or auth-and-writes.");
        return;
    }

    ctx->mode = parsed;

    ngx_http_npmtoken_api_auth_begin(ctx, ngx_http_npmtoken_api_tfa_enable);
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

    if (ngx_http_npmtoken_api_account_change(ctx, &change) != NGX_OK) {
        return;
    }

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (ngx_http_npmtoken_api_account_delete(&change, fields[i])
            != NGX_OK)
        {
            ngx_http_npmtoken_api_answer_failed(ctx);
            return;
        }
    }

    ctx->account.tfa = NPMTOKEN_TFA_OFF;
    ngx_str_null(&ctx->account.totp);

    ngx_http_npmtoken_api_account_write(ctx, &change,
                                        ngx_http_npmtoken_api_account_changed);
}


/* The password was right, and the one-time password if one was needed. */

static void
ngx_http_npmtoken_api_tfa_enable(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t                       secret, *mode;
    ngx_http_npmtoken_api_change_t  change;

    mode = npmtoken_account_tfa_name(ctx->mode);

    if (ctx->account.tfa != NPMTOKEN_TFA_OFF) {
        ngx_http_npmtoken_api_tfa_mode(ctx, mode);
        return;
    }

    secret.len = NPMTOKEN_OTP_SECRET_LEN;
    secret.data = ngx_pnalloc(ctx->request->pool, NPMTOKEN_OTP_SECRET_LEN);

    if (secret.data == NULL || npmtoken_otp_secret(secret.data) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_account_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_account_set(&change, "totp_pending", &secret)
        != NGX_OK
        || ngx_http_npmtoken_api_account_set(&change, "tfa_pending", mode)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ctx->account.totp_pending = secret;

    ngx_http_npmtoken_api_account_write(ctx, &change,
                                        ngx_http_npmtoken_api_tfa_pending);
}


static void
ngx_http_npmtoken_api_tfa_pending(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_account_done(ctx, reply) == NGX_OK) {
        ngx_http_npmtoken_api_session_renew(ctx,
                                            ngx_http_npmtoken_api_tfa_url);
    }
}


static void
ngx_http_npmtoken_api_tfa_url(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t   url;

    url.data = ngx_pnalloc(ctx->request->pool,
                           npmtoken_otp_url_size(&ctx->conf->issuer,
                                                 &ctx->user));
    if (url.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    p = npmtoken_otp_url(url.data, &ctx->conf->issuer, &ctx->user,
                         &ctx->account.totp_pending);

    url.len = p - url.data;

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{ss%}", "tfa", url.data, url.len));
}


static void
ngx_http_npmtoken_api_tfa_mode(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *mode)
{
    ngx_http_npmtoken_api_change_t  change;

    if (ngx_http_npmtoken_api_account_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_account_set(&change, "tfa", mode) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ctx->account.tfa = ctx->mode;

    ngx_http_npmtoken_api_account_write(ctx, &change,
                                      ngx_http_npmtoken_api_tfa_mode_changed);
}


/* npm before 11.4 expects null there, later npm the mode. */

static void
ngx_http_npmtoken_api_tfa_mode_changed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_account_done(ctx, reply) == NGX_OK) {
        ngx_http_npmtoken_api_session_renew(ctx,
                                       ngx_http_npmtoken_api_tfa_mode_answer);
    }
}


static void
ngx_http_npmtoken_api_tfa_mode_answer(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_tfa_old_npm(ctx->request)) {
        ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                     json_pack("{sn}", "tfa"));
        return;
    }

    ngx_http_npmtoken_api_account_answer(ctx);
}


/* npm 5 identifies itself in profile calls by the name of its HTTP client. */

static ngx_uint_t
ngx_http_npmtoken_api_tfa_old_npm(ngx_http_request_t *r)
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


/*
 * enable-2fa, last step: code of the new authenticator, write, answer
 *
 * The code proves that the user has the secret.  The write uses up the code.
 */

void
ngx_http_npmtoken_api_tfa_confirm(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *codes)
{
    ngx_str_t  *code;

    code = &ctx->code;

    code->data = (u_char *) json_string_value(json_array_get(codes, 0));
    code->len = code->data ? ngx_strlen(code->data) : 0;

    if (code->len == 0 || ctx->account.totp_pending.len == 0) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                       "There is no two-factor authentication "
                                       "to confirm.");
        return;
    }

    ngx_http_npmtoken_api_attempts_begin(ctx,
                                    ngx_http_npmtoken_api_tfa_confirm_counted);
}


static void
ngx_http_npmtoken_api_tfa_confirm_counted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    int64_t                         step;
    u_char                          buf[NGX_INT64_LEN];
    ngx_str_t                       used, hashes, *mode;
    ngx_http_npmtoken_api_change_t  change;

    step = npmtoken_otp_verify(&ctx->account.totp_pending, &ctx->code,
                               time(NULL), -1);
    if (step < 0) {
        ngx_http_npmtoken_api_attempts_failed(ctx,
                                      ngx_http_npmtoken_api_tfa_confirm_wrong);
        return;
    }

    ngx_http_npmtoken_api_attempts_give_back(ctx);

    used.data = buf;
    used.len = ngx_sprintf(buf, "%L", step) - buf;

    mode = npmtoken_account_tfa_name(ctx->account.tfa_pending);

    if (ngx_http_npmtoken_api_tfa_recovery_codes(ctx, &hashes) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_account_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_account_set(&change, "tfa", mode) != NGX_OK
        || ngx_http_npmtoken_api_account_set(&change, "totp",
                                             &ctx->account.totp_pending)
           != NGX_OK
        || ngx_http_npmtoken_api_account_set(&change, "totp_used", &used)
           != NGX_OK
        || ngx_http_npmtoken_api_account_set(&change, "recovery", &hashes)
           != NGX_OK
        || ngx_http_npmtoken_api_account_delete(&change, "tfa_pending")
           != NGX_OK
        || ngx_http_npmtoken_api_account_delete(&change, "totp_pending")
           != NGX_OK
        || ngx_http_npmtoken_api_account_delete(&change, "totp_used_by")
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ctx->account.tfa = ctx->account.tfa_pending;
    ctx->account.totp = ctx->account.totp_pending;

    ngx_http_npmtoken_api_account_write(ctx, &change,
                                        ngx_http_npmtoken_api_tfa_confirmed);
}


static void
ngx_http_npmtoken_api_tfa_confirm_wrong(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                       "This code is wrong. Check the clock of "
                                       "your authenticator, and begin again "
                                       "with npm profile enable-2fa.");
}


/*
 * Makes recovery codes in ctx->codes, which are shown only once, and their
 * hashes in "hashes".
 */

static ngx_int_t
ngx_http_npmtoken_api_tfa_recovery_codes(ngx_http_npmtoken_api_ctx_t *ctx,
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
    if (ngx_http_npmtoken_api_account_done(ctx, reply) == NGX_OK) {
        ngx_http_npmtoken_api_session_renew(ctx,
                                            ngx_http_npmtoken_api_tfa_codes);
    }
}


static void
ngx_http_npmtoken_api_tfa_codes(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t      *codes;
    ngx_uint_t   i;

    codes = json_array();

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {
        json_array_append_new(codes,
            json_stringn((char *) ctx->codes + i * NPMTOKEN_RECOVERY_LEN,
                         NPMTOKEN_RECOVERY_LEN));
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{so}", "tfa", codes));
}
