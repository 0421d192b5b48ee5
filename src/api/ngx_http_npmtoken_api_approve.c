
/*
 * Requests that wait for somebody in a browser: the side of the page.
 *
 * A request can be seen and denied by whoever has its secret.  To approve it
 * takes a session and a recent proof of who that is: what is approved becomes a
 * token.
 */


#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_client.h"
#include "ngx_http_npmtoken_api_pending.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "npmtoken_script_web.h"


static void ngx_http_npmtoken_api_approve_seen_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_approve_id(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_approve_ask(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt handler);
static ngx_int_t ngx_http_npmtoken_api_approve_read(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_approve_seen_read(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static json_t *ngx_http_npmtoken_api_approve_json(
    ngx_http_npmtoken_api_ctx_t *ctx, time_t left);
static json_t *ngx_http_npmtoken_api_approve_text(
    ngx_http_npmtoken_api_ctx_t *ctx, char *name);
static void ngx_http_npmtoken_api_approve_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_approve_asked(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_approve_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_approve_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_approve_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_approve_deny_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_approve_answered(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_approve_done(
    ngx_http_npmtoken_api_ctx_t *ctx);


/* what waits: body, read, answer */

void
ngx_http_npmtoken_api_approve_seen(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx,
                                    ngx_http_npmtoken_api_approve_seen_body);
}


static void
ngx_http_npmtoken_api_approve_seen_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_approve_id(ctx) == NGX_OK) {
        ngx_http_npmtoken_api_approve_ask(ctx,
                                     ngx_http_npmtoken_api_approve_seen_read);
    }
}


/*
 * Sets ctx->pending to the key of the request with the secret of the body.
 * Returns NGX_OK, or NGX_ERROR after it has answered.
 */

static ngx_int_t
ngx_http_npmtoken_api_approve_id(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t     *value;
    ngx_int_t   rc;
    ngx_str_t   secret, id;

    value = json_object_get(ctx->body, "id");

    secret.data = (u_char *) json_string_value(value);
    secret.len = secret.data ? json_string_length(value) : 0;

    rc = ngx_http_npmtoken_api_pending_digest(ctx, &secret, &id);

    if (rc == NGX_OK) {
        rc = ngx_http_npmtoken_api_pending_key(ctx, &id);
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_npmtoken_api_pending_gone(ctx);

    } else {
        ngx_http_npmtoken_api_answer_failed(ctx);
    }

    return NGX_ERROR;
}


static void
ngx_http_npmtoken_api_approve_ask(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_str_t  argv[4];

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = npmtoken_script_bearer;
    ngx_str_set(&argv[2], "1");
    argv[3] = ctx->pending;

    ngx_http_npmtoken_api_wait_read(ctx, 4, argv, handler);
}


/*
 * Keeps a request that waits for an answer.  Returns NGX_OK, or NGX_ERROR after
 * it has answered.
 */

static ngx_int_t
ngx_http_npmtoken_api_approve_read(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_int_t  rc;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_INTEGER)
    {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return NGX_ERROR;
    }

    rc = ngx_http_npmtoken_api_pending_read(ctx, reply->element[1]);

    if (rc == NGX_ERROR) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED
        || !ngx_http_npmtoken_api_pending_is(ctx, "state", "pending"))
    {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_approve_seen_read(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_approve_read(ctx, reply) == NGX_OK) {
        ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                         ngx_http_npmtoken_api_approve_json(ctx,
                                         reply->element[0]->integer / 1000));
    }
}


static json_t *
ngx_http_npmtoken_api_approve_json(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t left)
{
    json_t     *json, *more;
    ngx_str_t   address, own;

    address = ngx_http_npmtoken_api_pending_field(ctx, "address");
    own = ngx_http_npmtoken_api_client_address(ctx->request);

    if (own.data == NULL) {
        return NULL;
    }

    json = json_pack("{so so so sb so so sI}",
             "kind", ngx_http_npmtoken_api_approve_text(ctx, "kind"),
             "code", ngx_http_npmtoken_api_approve_text(ctx, "code"),
             "address", ngx_http_npmtoken_api_approve_text(ctx, "address"),
             "same_address",
             own.len == address.len
             && ngx_memcmp(own.data, address.data, own.len) == 0,
             "client", ngx_http_npmtoken_api_approve_text(ctx, "client"),
             "created", ngx_http_npmtoken_api_approve_text(ctx, "created"),
             "expires_in", (json_int_t) ngx_max(left, 0));

    if (json == NULL || ngx_http_npmtoken_api_pending_is(ctx, "kind", "login"))
    {
        return json;
    }

    more = json_pack("{so so so so}",
             "user", ngx_http_npmtoken_api_approve_text(ctx, "user"),
             "method", ngx_http_npmtoken_api_approve_text(ctx, "method"),
             "package", ngx_http_npmtoken_api_approve_text(ctx, "package"),
             "command", ngx_http_npmtoken_api_approve_text(ctx, "command"));

    if (more == NULL || json_object_update(json, more) != 0) {
        json_decref(json);
        json = NULL;
    }

    json_decref(more);

    return json;
}


/* Returns null for a field that is not there or empty. */

static json_t *
ngx_http_npmtoken_api_approve_text(ngx_http_npmtoken_api_ctx_t *ctx,
    char *name)
{
    ngx_str_t  value;

    value = ngx_http_npmtoken_api_pending_field(ctx, name);

    return value.len ? ngx_http_npmtoken_api_text_json(&value) : json_null();
}


/* approve: body, read, session, account, password and code, write, answer */

void
ngx_http_npmtoken_api_approve(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx, ngx_http_npmtoken_api_approve_body);
}


static void
ngx_http_npmtoken_api_approve_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_approve_id(ctx) == NGX_OK) {
        ngx_http_npmtoken_api_approve_ask(ctx,
                                          ngx_http_npmtoken_api_approve_asked);
    }
}


static void
ngx_http_npmtoken_api_approve_asked(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (ngx_http_npmtoken_api_approve_read(ctx, reply) == NGX_OK) {
        ngx_http_npmtoken_api_act_bearer(ctx,
                                         ngx_http_npmtoken_api_approve_known);
    }
}


static void
ngx_http_npmtoken_api_approve_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_approve_loaded);
}


static void
ngx_http_npmtoken_api_approve_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  user;

    user = ngx_http_npmtoken_api_pending_field(ctx, "user");

    if (user.len && !npmtoken_account_same(&user, &ctx->user)) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                       "Another account asks for this: log in "
                                       "to that one.");
        return;
    }

    if (ngx_http_npmtoken_api_session_fresh(ctx)) {
        ngx_http_npmtoken_api_approve_admitted(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_auth_again(ctx, ctx->body) == NGX_OK) {
        ngx_http_npmtoken_api_auth_begin(ctx,
                                       ngx_http_npmtoken_api_approve_admitted);
    }
}


static void
ngx_http_npmtoken_api_approve_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  argv[13], *arg, mark;

    if (ngx_http_npmtoken_api_session_mark(ctx, &mark) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    arg = argv;

    ngx_str_set(arg, "3");
    arg++;
    *arg++ = ctx->pending;
    *arg++ = ngx_http_npmtoken_api_text_account_key(ctx, "user:");
    *arg++ = ctx->bearer_key;

    if (argv[2].data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    *arg++ = ctx->user_seen;
    *arg++ = ctx->bearer_seen;

    ngx_str_set(arg, "state");
    arg++;
    ngx_str_set(arg, "approved");
    arg++;
    ngx_str_set(arg, "user");
    arg++;
    *arg++ = ctx->user;
    ngx_str_set(arg, "mark");
    arg++;
    *arg++ = mark;

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_answer, arg - argv,
                                     argv,
                                     ngx_http_npmtoken_api_approve_answered);
}


/* deny: body, write, answer */

void
ngx_http_npmtoken_api_approve_deny(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx,
                                    ngx_http_npmtoken_api_approve_deny_body);
}


static void
ngx_http_npmtoken_api_approve_deny_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  argv[6];

    if (ngx_http_npmtoken_api_approve_id(ctx) != NGX_OK) {
        return;
    }

    ngx_str_set(&argv[0], "1");
    argv[1] = ctx->pending;
    ngx_str_set(&argv[2], "");
    ngx_str_set(&argv[3], "");
    ngx_str_set(&argv[4], "state");
    ngx_str_set(&argv[5], "denied");

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_answer, 6, argv,
                                     ngx_http_npmtoken_api_approve_answered);
}


static void
ngx_http_npmtoken_api_approve_answered(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "DENIED")) {
        ngx_http_npmtoken_api_answer_denied(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "CHANGED")) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_answer_unreplicated(ctx);
        return;
    }

    if (ctx->proven) {
        ngx_http_npmtoken_api_session_renew(ctx,
                                           ngx_http_npmtoken_api_approve_done);
        return;
    }

    ngx_http_npmtoken_api_approve_done(ctx);
}


static void
ngx_http_npmtoken_api_approve_done(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json_pack("{sb}", "ok", 1));
}
