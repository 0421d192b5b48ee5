
/*
 * npm login in the browser, and the poll for what was given there: the side of
 * the client.
 *
 * Clients take the answers to a poll in ways of their own.  A 202 has to have
 * Retry-After and a JSON body, or npm polls without a pause or fails.  A 410
 * ends the wait of all of them, and shows its sentence or asks for a password.
 */


#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_client.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_origin.h"
#include "ngx_http_npmtoken_api_pending.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_ticket.h"
#include "ngx_http_npmtoken_api_tokens.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "npmtoken_script_web.h"


static void ngx_http_npmtoken_api_browser_login_none(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_login_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_login_begin(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_login_counted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_login_made(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_browser_polled(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_browser_wait(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_denied(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_approved(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_token(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_browser_stored(
    ngx_http_npmtoken_api_ctx_t *ctx);


/* login in the browser: body where people may sign up, count, write, answer */

void
ngx_http_npmtoken_api_browser_login(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (!ctx->conf->page || !ngx_http_npmtoken_api_origin_safe(ctx)) {
        ngx_http_npmtoken_api_browser_login_none(ctx);
        return;
    }

    /* the page makes no accounts: npm adduser asks for what one needs */

    if (ctx->conf->signup && ctx->request->headers_in.content_length_n > 0) {
        ngx_http_npmtoken_api_body_read(ctx,
                                     ngx_http_npmtoken_api_browser_login_body);
        return;
    }

    ngx_http_npmtoken_api_browser_login_begin(ctx);
}


static void
ngx_http_npmtoken_api_browser_login_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (json_is_true(json_object_get(ctx->body, "create"))) {
        ngx_http_npmtoken_api_browser_login_none(ctx);
        return;
    }

    ngx_http_npmtoken_api_browser_login_begin(ctx);
}


static void
ngx_http_npmtoken_api_browser_login_begin(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_attempts_browser(ctx,
                                  ngx_http_npmtoken_api_browser_login_counted);
}


/* npm and pnpm fall back to the login with a password only if this fails so. */

static void
ngx_http_npmtoken_api_browser_login_none(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_NOT_FOUND,
                                  "This registry has no login in the browser: "
                                  "npm asks for name and password.");
}


static void
ngx_http_npmtoken_api_browser_login_counted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_http_npmtoken_api_all_t  all = {
        "web:", ngx_string("pending"), ngx_string("10000")
    };

    if (ngx_http_npmtoken_api_pending_make(ctx, "login", &all, NULL, 0,
                                     ngx_http_npmtoken_api_browser_login_made)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
    }
}


static void
ngx_http_npmtoken_api_browser_login_made(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    u_char     *p;
    ngx_str_t   notice;

    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {

        /* too many wait, so a password is the only way in for now */

        ngx_http_npmtoken_api_browser_login_none(ctx);
        return;
    }

    p = ngx_pnalloc(ctx->request->pool,
                    sizeof("Compare this code with the one in your browser: ")
                    + ctx->compare.len);
    if (p == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    notice.data = p;
    notice.len = ngx_sprintf(p, "Compare this code with the one in your "
                             "browser: %V", &ctx->compare)
                 - p;

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "npm-notice",
                                            &notice)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                     json_pack("{ss% ss%}",
                               "loginUrl", ctx->pending_url.data,
                               ctx->pending_url.len,
                               "doneUrl", ctx->done_url.data,
                               ctx->done_url.len));
}


/* poll: read, then account and write if it was approved, answer */

void
ngx_http_npmtoken_api_browser_done(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  pair, digest, argv[4];

    if (ngx_http_arg(ctx->request, (u_char *) "authId", 6, &pair) != NGX_OK) {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    rc = ngx_http_npmtoken_api_pending_split(ctx, &pair, &digest);

    if (rc == NGX_DECLINED) {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_str_set(&argv[0], "1");
    argv[1] = ctx->pending;
    argv[2] = digest;
    ngx_str_set(&argv[3], "1000");

    ngx_http_npmtoken_api_wait_script(ctx, &npmtoken_script_poll, 4, argv,
                                      ngx_http_npmtoken_api_browser_polled);
}


static void
ngx_http_npmtoken_api_browser_polled(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "PENDING")) {
        ngx_http_npmtoken_api_browser_wait(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "FAST")) {
        ngx_http_npmtoken_api_answer_too_many(ctx, 2,
                                "This was asked a moment ago. Ask again after "
                                "two seconds.");
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "DENIED")) {
        ngx_http_npmtoken_api_browser_denied(ctx);
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY
        || ngx_http_npmtoken_api_pending_read(ctx, reply) != NGX_OK)
    {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    ngx_http_npmtoken_api_browser_approved(ctx);
}


static void
ngx_http_npmtoken_api_browser_wait(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_str_t  two = ngx_string("2");

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "Retry-After", &two)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_ACCEPTED, json_object());
}


static void
ngx_http_npmtoken_api_browser_denied(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_str_t  denied = ngx_string("This was denied in the browser.");

    if (ngx_http_npmtoken_api_answer_header(ctx->request, "npm-notice",
                                            &denied)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer_error(ctx, 410, (char *) denied.data);
}


static void
ngx_http_npmtoken_api_browser_approved(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ctx->user = ngx_http_npmtoken_api_pending_field(ctx, "user");

    if (!npmtoken_account_is_name(&ctx->user)) {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    ngx_http_npmtoken_api_auth_load(ctx, ngx_http_npmtoken_api_browser_loaded);
}


/* The account has to be as it was when it approved. */

static void
ngx_http_npmtoken_api_browser_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  mark;

    mark = ngx_http_npmtoken_api_pending_field(ctx, "mark");

    if (!ngx_http_npmtoken_api_session_marked(ctx, &mark)) {
        ngx_http_npmtoken_api_pending_gone(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_pending_is(ctx, "kind", "login")) {
        ngx_http_npmtoken_api_auth_new(ctx,
                                       ngx_http_npmtoken_api_browser_token);
        return;
    }

    ngx_http_npmtoken_api_ticket_make(ctx);
}


/*
 * The token is made for the client that takes it: nothing has it before.  Its
 * name says who asked for it, which is not the browser.
 */

static void
ngx_http_npmtoken_api_browser_token(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  address, client;

    address = ngx_http_npmtoken_api_pending_field(ctx, "address");
    client = ngx_http_npmtoken_api_pending_field(ctx, "client");

    ctx->grant.expires_at = NPMTOKEN_NEVER;
    ctx->grant.name = ngx_http_npmtoken_api_client_label(ctx->request->pool,
                                                         "npm login", &address,
                                                         &client);
    if (ctx->grant.name.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_grant_login(ctx);

    ctx->spend = 1;

    ngx_http_npmtoken_api_tokens_store(ctx,
                                       ngx_http_npmtoken_api_browser_stored);
}


static void
ngx_http_npmtoken_api_browser_stored(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 json_pack("{ss%}", "token", ctx->token.data,
                                           ctx->token.len));
}
