
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_pending.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"


static void ngx_http_npmtoken_api_act_bearer_read(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static npmtoken_reason_e ngx_http_npmtoken_api_act_bearer_judge(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_act_bearer_denied(
    ngx_http_npmtoken_api_ctx_t *ctx, npmtoken_reason_e reason);
static void ngx_http_npmtoken_api_act_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);


/*
 * The fields that decide who may log in.  Only a change of the profile looks at
 * the first one.
 */

static ngx_str_t  ngx_http_npmtoken_api_account_fields[] = {
    ngx_string("totp_pending"),
    ngx_string("password"),
    ngx_string("locked"),
    ngx_string("tfa"),
    ngx_string("totp"),
    ngx_null_string
};


u_char *
ngx_http_npmtoken_api_act_key(ngx_http_npmtoken_api_ctx_t *ctx)
{
    return ctx->web ? ctx->session_key
                     : ngx_http_npmtoken_request_key(ctx->request,
                                                     ctx->judged);
}


void
ngx_http_npmtoken_api_act_bearer(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_str_t  argv[4], key;

    ctx->known = next;

    key.data = ngx_http_npmtoken_api_act_key(ctx);
    key.len = NPMTOKEN_KEY_LEN;

    if (key.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = npmtoken_script_bearer;
    ngx_str_set(&argv[2], "1");
    argv[3] = ngx_http_npmtoken_api_text_key(ctx, "token:", &key);

    if (argv[3].data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ctx->bearer_key = argv[3];

    ngx_http_npmtoken_api_wait_read(ctx, 4, argv,
                                    ngx_http_npmtoken_api_act_bearer_read);
}


static void
ngx_http_npmtoken_api_act_bearer_read(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_uint_t          n;
    npmtoken_field_t   *fields;
    npmtoken_reason_e   reason;

    n = 0;
    fields = NULL;

    if (reply
        && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_INTEGER)
    {
        fields = ngx_http_npmtoken_api_text_fields(ctx, reply->element[1], &n);
    }

    if (fields == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ctx->bearer = ngx_palloc(ctx->request->pool,
                             npmtoken_record_size(fields, n));

    if (ctx->bearer == NULL
        || ngx_http_npmtoken_api_act_seen(ctx, fields, n, NULL,
                                          &ctx->bearer_seen)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (n == 0) {
        ngx_http_npmtoken_api_act_bearer_denied(ctx, NPMTOKEN_UNKNOWN);
        return;
    }

    (void) npmtoken_record_parse(ctx->bearer, fields, n);

    ctx->bearer->vanishes_at = NPMTOKEN_NEVER;

    if (reply->element[0]->integer >= 0) {
        ctx->bearer->vanishes_at = time(NULL)
                                   + reply->element[0]->integer / 1000;
    }

    ctx->bearer_fields = fields;
    ctx->nbearer_fields = n;

    if (ctx->user.len == 0) {
        ctx->user.data = npmtoken_record_user(ctx->bearer);
        ctx->user.len = ctx->bearer->user_len;
    }

    reason = ngx_http_npmtoken_api_act_bearer_judge(ctx);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: token that asks, %ui fields: %V",
                   n, &npmtoken_verdict_reason(reason)->name);

    if (reason != NPMTOKEN_ALLOW) {
        ngx_http_npmtoken_api_act_bearer_denied(ctx, reason);
        return;
    }

    ctx->known(ctx);
}


/*
 * Judges the bearer again.  If its token now belongs to another account, it is
 * unknown.  A session is good for the page's calls, and nothing else is.
 */

static npmtoken_reason_e
ngx_http_npmtoken_api_act_bearer_judge(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t            user;
    npmtoken_reason_e    reason;
    npmtoken_record_t   *bearer;

    bearer = ctx->bearer;

    user.data = npmtoken_record_user(bearer);
    user.len = bearer->user_len;

    reason = npmtoken_verdict(bearer, NPMTOKEN_OP_WRITE,
                              ctx->request->connection->sockaddr, time(NULL));

    if (ctx->web) {

        /* its account has had one spelling ever since */

        if (reason == NPMTOKEN_ALLOW
            || !npmtoken_account_same(&user, &ctx->user))
        {
            return NPMTOKEN_UNKNOWN;
        }

        return (reason == NPMTOKEN_SESSION) ? NPMTOKEN_ALLOW : reason;
    }

    if (user.len != ctx->judged->record->user_len
        || ngx_memcmp(user.data, npmtoken_record_user(ctx->judged->record),
                      user.len)
           != 0)
    {
        return NPMTOKEN_UNKNOWN;
    }

    return reason;
}


static void
ngx_http_npmtoken_api_act_bearer_denied(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_reason_e reason)
{
    if (ctx->stranger) {
        ctx->stranger(ctx);
        return;
    }

    if (ctx->web
        || npmtoken_verdict_reason(reason)->status == NGX_HTTP_UNAUTHORIZED)
    {
        ngx_http_npmtoken_api_answer_denied(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                       "This token may not make or change "
                                       "anything here.");
}


ngx_int_t
ngx_http_npmtoken_api_act_see(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_field_t *fields, ngx_uint_t nfields)
{
    ngx_str_t  *names;

    names = ngx_http_npmtoken_api_account_fields;

    if (ctx->call != NGX_HTTP_NPMTOKEN_API_PROFILE_SET) {
        names++;
    }

    return ngx_http_npmtoken_api_act_seen(ctx, fields, nfields, names,
                                      &ctx->user_seen);
}


ngx_int_t
ngx_http_npmtoken_api_act_seen(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_field_t *fields, ngx_uint_t nfields, ngx_str_t *names,
    ngx_str_t *seen)
{
    seen->len = npmtoken_script_seen(NULL, fields, nfields, names);
    seen->data = ngx_pnalloc(ctx->request->pool, seen->len);

    if (seen->data == NULL) {
        return NGX_ERROR;
    }

    (void) npmtoken_script_seen(seen->data, fields, nfields, names);

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_api_act_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change)
{
    ngx_str_t  none;

    ngx_memzero(change, sizeof(npmtoken_change_t));
    ngx_str_null(&none);

    change->key.data = ctx->key;
    change->key.len = NPMTOKEN_KEY_LEN;

    change->token = ngx_http_npmtoken_api_text_key(ctx, "token:",
                                                   &change->key);
    change->prefix = ngx_http_npmtoken_api_text_key(ctx, "token:", &none);
    change->tokens = ngx_http_npmtoken_api_text_account_key(ctx, "tokens-of:");
    change->user = ngx_http_npmtoken_api_text_account_key(ctx, "user:");

    if (change->token.data == NULL || change->prefix.data == NULL
        || change->tokens.data == NULL || change->user.data == NULL)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    change->user_seen = ctx->user_seen;

    if (ctx->bearer) {
        change->bearer = ctx->bearer_key;
        change->bearer_seen = ctx->bearer_seen;
    }

    return NGX_OK;
}


void
ngx_http_npmtoken_api_act(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change, void (*args)(npmtoken_change_t *change),
    ngx_http_npmtoken_api_reply_pt handler)
{
    npmtoken_reason_e  reason;

    /* no script checks whether the bearer has expired */

    reason = ctx->bearer ? ngx_http_npmtoken_api_act_bearer_judge(ctx)
                         : NPMTOKEN_ALLOW;

    if (reason != NPMTOKEN_ALLOW) {
        ngx_http_npmtoken_api_act_bearer_denied(ctx, reason);
        return;
    }

    change->argv = ngx_palloc(ctx->request->pool,
                              npmtoken_script_room(change)
                              * sizeof(ngx_str_t));
    if (change->argv == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    args(change);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: change, %ui words", change->argc);

    ctx->acted = handler;

    ngx_http_npmtoken_api_wait_write(ctx, change->script, change->argc,
                                     change->argv,
                                     ngx_http_npmtoken_api_act_done);
}


static void
ngx_http_npmtoken_api_act_done(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: changed, reply %d, unreplicated %d",
                   reply ? reply->type : 0, ctx->unreplicated);

    if (reply && ngx_http_npmtoken_command_is(reply, "DENIED")) {

        if (ctx->spend) {
            ngx_http_npmtoken_api_pending_gone(ctx);

        } else {
            ngx_http_npmtoken_api_answer_denied(ctx);
        }

        return;
    }

    ctx->acted(ctx, reply);
}
