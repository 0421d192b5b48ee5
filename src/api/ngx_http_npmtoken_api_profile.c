
/*
 * npm profile get, set.
 *
 * A request to set a profile has no kind.  Its members tell whether it changes
 * the password, the second factor, its confirmation, or the rest.
 */


#include "ngx_http_npmtoken_api_account.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_tfa.h"
#include "ngx_http_npmtoken_api_wait.h"


static void ngx_http_npmtoken_api_profile_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_password(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *passwords);
static void ngx_http_npmtoken_api_profile_password_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_password_hashed(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_npmtoken_api_profile_fields(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_profile_fields_read(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_profile_fields_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);


/* fields that npm lets users write and that are not kept */

static const char  *ngx_http_npmtoken_api_not_kept[] = {
    "homepage", "freenode", "twitter", "github", NULL
};


/* profile get: account, answer */

void
ngx_http_npmtoken_api_profile_get(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_account_answer(ctx);
}


/* profile set: body, bearer, account, then what the body is about */

void
ngx_http_npmtoken_api_profile_set(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx, ngx_http_npmtoken_api_profile_body);
}


static void
ngx_http_npmtoken_api_profile_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_act_bearer(ctx, ngx_http_npmtoken_api_profile_known);
}


static void
ngx_http_npmtoken_api_profile_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_profile_loaded);
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
        ngx_http_npmtoken_api_profile_password(ctx, password);

    } else {
        ngx_http_npmtoken_api_profile_fields(ctx);
    }
}


/* the password: old one, code, hash of the new one, write, answer */

static void
ngx_http_npmtoken_api_profile_password(ngx_http_npmtoken_api_ctx_t *ctx,
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
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                     "Another registry keeps the password of "
                                     "this account: change it there.");
        return;
    }

    if (ctx->new_password.len < NPMTOKEN_PASSWORD_MIN) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                        "A password needs at least 8 "
                                        "characters.");
        return;
    }

    ngx_http_npmtoken_api_auth_begin(ctx,
                               ngx_http_npmtoken_api_profile_password_admitted);
}


static void
ngx_http_npmtoken_api_profile_password_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_wait_hash(ctx, &ctx->new_password,
                                ngx_http_npmtoken_api_profile_password_hashed);
}


static void
ngx_http_npmtoken_api_profile_password_hashed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_http_npmtoken_api_change_t  change;

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_account_change(ctx, &change) != NGX_OK) {
        return;
    }

    if (ngx_http_npmtoken_api_account_set(&change, "password",
                                          &ctx->account.password)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_account_write(ctx, &change,
                                        ngx_http_npmtoken_api_account_changed);
}


/*
 * the rest: password or code, if one of them is due, write, answer
 *
 * If no password is needed, the mode decides as for any other write.
 */

static void
ngx_http_npmtoken_api_profile_fields(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (!ctx->exists && ctx->conf->login == NGX_HTTP_NPMTOKEN_API_ACCOUNTS) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                           "There is no account of this name, "
                                           "so its profile cannot be changed.");
        return;
    }

    if (ngx_http_npmtoken_api_profile_fields_read(ctx) != NGX_OK) {
        return;
    }

    if (ctx->password.len) {
        ngx_http_npmtoken_api_auth_begin(ctx,
                                 ngx_http_npmtoken_api_profile_fields_admitted);
        return;
    }

    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ctx->bearer->bypass_2fa)
    {
        ngx_http_npmtoken_api_auth_second_factor(ctx,
                                 ngx_http_npmtoken_api_profile_fields_admitted);
        return;
    }

    ngx_http_npmtoken_api_auth_new(ctx,
                                 ngx_http_npmtoken_api_profile_fields_admitted);
}


/* npm sends all fields that it can set, most of them unchanged. */

static ngx_int_t
ngx_http_npmtoken_api_profile_fields_read(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t       *value;
    ngx_str_t     email, fullname;
    const char  **name;

    for (name = ngx_http_npmtoken_api_not_kept; *name; name++) {
        value = json_object_get(ctx->body, *name);

        if (json_is_string(value) && json_string_length(value)) {
            ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                                          "The profile of an account has an "
                                          "email and a full name, and nothing "
                                          "else.");
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

    if ((email.len && !npmtoken_account_is_email(&email))
        || (fullname.len && !npmtoken_account_is_fullname(&fullname)))
    {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
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
ngx_http_npmtoken_api_profile_fields_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_http_npmtoken_api_change_t  change;

    if (ngx_http_npmtoken_api_account_change(ctx, &change) != NGX_OK) {
        return;
    }

    rc = NGX_OK;

    if (ctx->email.len) {
        rc |= ngx_http_npmtoken_api_account_set(&change, "email", &ctx->email);
    }

    if (ctx->fullname.len) {
        rc |= ngx_http_npmtoken_api_account_set(&change, "fullname",
                                                &ctx->fullname);
    }

    if (json_is_null(json_object_get(ctx->body, "email"))) {
        rc |= ngx_http_npmtoken_api_account_delete(&change, "email");
    }

    if (json_is_null(json_object_get(ctx->body, "fullname"))) {
        rc |= ngx_http_npmtoken_api_account_delete(&change, "fullname");
    }

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_account_write(ctx, &change,
                                        ngx_http_npmtoken_api_account_changed);
}
