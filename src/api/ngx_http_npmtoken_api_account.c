
#include "ngx_http_npmtoken_api_account.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_text.h"


static void ngx_http_npmtoken_api_account_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_account_json(
    ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_account_text(ngx_str_t *text);
static json_t *ngx_http_npmtoken_api_account_tfa_json(
    ngx_http_npmtoken_api_ctx_t *ctx);


void
ngx_http_npmtoken_api_account_answer(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_account_loaded);
}


static void
ngx_http_npmtoken_api_account_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 ngx_http_npmtoken_api_account_json(ctx));
}


static json_t *
ngx_http_npmtoken_api_account_json(ngx_http_npmtoken_api_ctx_t *ctx)
{
    npmtoken_account_t  *account;

    account = &ctx->account;

    return json_pack("{so ss% ss% sb so so so sn}",
             "tfa", ngx_http_npmtoken_api_account_tfa_json(ctx),
             "name", ctx->user.data, ctx->user.len,
             "email", account->email.len ? (char *) account->email.data : "",
             account->email.len,
             "email_verified", 0,
             "fullname", ngx_http_npmtoken_api_account_text(
                                                         &account->fullname),
             "created", ngx_http_npmtoken_api_account_text(&account->created),
             "updated", ngx_http_npmtoken_api_account_text(&account->updated),
             "cidr_whitelist");
}


static json_t *
ngx_http_npmtoken_api_account_text(ngx_str_t *text)
{
    return text->len ? json_stringn((char *) text->data, text->len)
                     : json_null();
}


static json_t *
ngx_http_npmtoken_api_account_tfa_json(ngx_http_npmtoken_api_ctx_t *ctx)
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


/* If the registry verifies passwords, there may be no account in Redis yet. */

ngx_int_t
ngx_http_npmtoken_api_account_change(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_change_t *change)
{
    ngx_str_t    now;
    ngx_pool_t  *pool;

    pool = ctx->request->pool;

    if (ngx_array_init(&change->set, pool, 8, sizeof(npmtoken_field_t))
        != NGX_OK
        || ngx_array_init(&change->delete, pool, 8, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_http_npmtoken_api_text_now(pool, &now) != NGX_OK
        || ngx_http_npmtoken_api_account_set(change, "updated", &now)
           != NGX_OK)
    {
        goto failed;
    }

    if (ctx->exists) {
        return NGX_OK;
    }

    if (ngx_http_npmtoken_api_account_set(change, "created", &now) != NGX_OK) {
        goto failed;
    }

    if (ngx_http_npmtoken_api_text_spelt(ctx)
        && npmtoken_account_is_name(&ctx->user)
        && ngx_http_npmtoken_api_account_set(change, "name", &ctx->user)
           != NGX_OK)
    {
        goto failed;
    }

    return NGX_OK;

failed:

    ngx_http_npmtoken_api_answer_failed(ctx);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_npmtoken_api_account_set(ngx_http_npmtoken_api_change_t *change,
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


ngx_int_t
ngx_http_npmtoken_api_account_delete(ngx_http_npmtoken_api_change_t *change,
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


void
ngx_http_npmtoken_api_account_write(ngx_http_npmtoken_api_ctx_t *ctx,
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


ngx_int_t
ngx_http_npmtoken_api_account_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return NGX_ERROR;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return NGX_ERROR;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_answer_unreplicated(ctx);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_npmtoken_api_account_changed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_account_done(ctx, reply) != NGX_OK) {
        return;
    }

    ngx_http_npmtoken_api_session_renew(ctx,
                                        ngx_http_npmtoken_api_account_answer);
}
