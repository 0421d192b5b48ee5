
#include "ngx_http_npmtoken_api_wait.h"
#include "ngx_http_npmtoken_api_text.h"


static ngx_http_npmtoken_command_waiter_t *
    ngx_http_npmtoken_api_wait_command(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt handler);
static void ngx_http_npmtoken_api_wait_sent(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_http_npmtoken_api_wait_replied(
    ngx_http_npmtoken_command_waiter_t *waiter, redisReply *reply);
static void ngx_http_npmtoken_api_wait_walked(
    ngx_http_npmtoken_walk_waiter_t *waiter, ngx_int_t rc);
static void ngx_http_npmtoken_api_wait_begun(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc);
static ngx_http_npmtoken_hash_waiter_t *ngx_http_npmtoken_api_wait_hasher(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *hash,
    ngx_http_npmtoken_api_result_pt handler);
static void ngx_http_npmtoken_api_wait_hashed(
    ngx_http_npmtoken_hash_waiter_t *waiter, ngx_int_t rc, ngx_str_t *made);


void
ngx_http_npmtoken_api_wait_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_int_t                            rc;
    ngx_http_npmtoken_command_waiter_t  *waiter;

    waiter = ngx_http_npmtoken_api_wait_command(ctx, handler);

    rc = ngx_http_npmtoken_command_read(ctx->conf->commands, argc, argv,
                                        waiter);

    ngx_http_npmtoken_api_wait_sent(ctx, rc);
}


ngx_int_t
ngx_http_npmtoken_api_wait_read_alone(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_int_t                            rc;
    ngx_http_npmtoken_command_waiter_t  *waiter;

    waiter = ngx_http_npmtoken_api_wait_command(ctx, handler);

    rc = ngx_http_npmtoken_command_read_alone(ctx->conf->commands, &ctx->user,
                                              argc, argv, waiter);
    if (rc == NGX_BUSY) {
        return NGX_BUSY;
    }

    ngx_http_npmtoken_api_wait_sent(ctx, rc);

    return NGX_OK;
}


void
ngx_http_npmtoken_api_wait_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_int_t                            rc;
    ngx_http_npmtoken_api_conf_t        *conf;
    ngx_http_npmtoken_command_waiter_t  *waiter;

    conf = ctx->conf;
    waiter = ngx_http_npmtoken_api_wait_command(ctx, handler);

    rc = ngx_http_npmtoken_command_write(conf->commands, conf->replicas,
                                         conf->replicas_timeout, script, argc,
                                         argv, waiter);

    ngx_http_npmtoken_api_wait_sent(ctx, rc);
}


void
ngx_http_npmtoken_api_wait_script(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_int_t                            rc;
    ngx_http_npmtoken_command_waiter_t  *waiter;

    waiter = ngx_http_npmtoken_api_wait_command(ctx, handler);

    rc = ngx_http_npmtoken_command_script(ctx->conf->commands, script, argc,
                                          argv, waiter);

    ngx_http_npmtoken_api_wait_sent(ctx, rc);
}


/* On NGX_AGAIN the waiter will be called.  Otherwise tells it here. */

static void
ngx_http_npmtoken_api_wait_sent(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: request waits for Redis: %i", rc);

    if (rc != NGX_AGAIN) {
        ctx->wait.replied(ctx, NULL);
    }
}


static ngx_http_npmtoken_command_waiter_t *
ngx_http_npmtoken_api_wait_command(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt handler)
{
    ctx->wait.command.handler = ngx_http_npmtoken_api_wait_replied;
    ctx->wait.command.data = ctx;
    ctx->wait.replied = handler;

    return &ctx->wait.command;
}


static void
ngx_http_npmtoken_api_wait_replied(ngx_http_npmtoken_command_waiter_t *waiter,
    redisReply *reply)
{
    ngx_connection_t             *c;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = waiter->data;
    c = ngx_http_npmtoken_api_wait_over(ctx);

    if (waiter->unreplicated) {
        ctx->unreplicated = 1;
    }

    ctx->wait.replied(ctx, reply);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_npmtoken_api_wait_walk(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_walk_e what, ngx_http_npmtoken_api_result_pt handler)
{
    ngx_int_t                         rc;
    ngx_str_t                        *key;
    ngx_http_npmtoken_walk_waiter_t  *waiter;

    ctx->wait.result = handler;

    waiter = &ctx->wait.walk;
    key = &waiter->key;

    *key = ngx_http_npmtoken_api_text_account_key(ctx, "user:");
    waiter->address = ngx_http_npmtoken_api_text_address(ctx->request);
    rc = NGX_ERROR;

    if (key->data && waiter->address.data) {
        waiter->name.len = ctx->user.len;
        waiter->name.data = key->data + key->len - ctx->user.len;
        waiter->what = what;
        waiter->handler = ngx_http_npmtoken_api_wait_walked;
        waiter->data = ctx;

        rc = ngx_http_npmtoken_walk(ctx->conf->walk, waiter);
    }

    ngx_http_npmtoken_api_wait_begun(ctx, rc);
}


static void
ngx_http_npmtoken_api_wait_walked(ngx_http_npmtoken_walk_waiter_t *waiter,
    ngx_int_t rc)
{
    ngx_connection_t             *c;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = waiter->data;
    c = ngx_http_npmtoken_api_wait_over(ctx);

    ctx->wait.result(ctx, rc);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_npmtoken_api_wait_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler)
{
    ngx_int_t                         rc;
    ngx_str_t                         address;
    ngx_http_npmtoken_hash_waiter_t  *waiter;

    waiter = ngx_http_npmtoken_api_wait_hasher(ctx, &ctx->rehashed, handler);

    address = ngx_http_npmtoken_api_text_address(ctx->request);
    rc = NGX_ERROR;

    if (address.data) {
        rc = ngx_http_npmtoken_hash_verify(ctx->conf->pool, &address,
                                           &ctx->password,
                                           &ctx->account.password, waiter);
    }

    ngx_http_npmtoken_api_wait_begun(ctx, rc);
}


void
ngx_http_npmtoken_api_wait_hash(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password, ngx_http_npmtoken_api_result_pt handler)
{
    ngx_int_t                         rc;
    ngx_str_t                         address;
    ngx_http_npmtoken_hash_waiter_t  *waiter;

    waiter = ngx_http_npmtoken_api_wait_hasher(ctx, &ctx->account.password,
                                               handler);

    address = ngx_http_npmtoken_api_text_address(ctx->request);
    rc = NGX_ERROR;

    if (address.data) {
        rc = ngx_http_npmtoken_hash_make(ctx->conf->pool, &address, password,
                                         waiter);
    }

    ngx_http_npmtoken_api_wait_begun(ctx, rc);
}


void
ngx_http_npmtoken_api_wait_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password, ngx_http_npmtoken_api_result_pt handler)
{
    ngx_int_t                         rc;
    ngx_str_t                         address;
    ngx_http_npmtoken_hash_waiter_t  *waiter;

    waiter = ngx_http_npmtoken_api_wait_hasher(ctx, &ctx->account.password,
                                               handler);

    address = ngx_http_npmtoken_api_text_address(ctx->request);
    rc = NGX_ERROR;

    if (address.data) {
        rc = ngx_http_npmtoken_hash_signup(ctx->conf->pool, &address,
                                           password, waiter);
    }

    ngx_http_npmtoken_api_wait_begun(ctx, rc);
}


static void
ngx_http_npmtoken_api_wait_begun(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: request waits: %i", rc);

    if (rc != NGX_AGAIN) {
        ctx->wait.result(ctx, NGX_ERROR);
    }
}


/* Prepares the waiter.  The new hash will be in "hash". */

static ngx_http_npmtoken_hash_waiter_t *
ngx_http_npmtoken_api_wait_hasher(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *hash, ngx_http_npmtoken_api_result_pt handler)
{
    ctx->wait.hash.handler = ngx_http_npmtoken_api_wait_hashed;
    ctx->wait.hash.data = ctx;
    ctx->wait.made = hash;
    ctx->wait.result = handler;

    return &ctx->wait.hash;
}


static void
ngx_http_npmtoken_api_wait_hashed(ngx_http_npmtoken_hash_waiter_t *waiter,
    ngx_int_t rc, ngx_str_t *made)
{
    u_char                       *p;
    ngx_connection_t             *c;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = waiter->data;
    c = ngx_http_npmtoken_api_wait_over(ctx);

    if (made->len) {
        p = ngx_pstrdup(ctx->request->pool, made);

        if (p) {
            ctx->wait.made->data = p;
            ctx->wait.made->len = made->len;

        } else {
            rc = NGX_ERROR;
        }
    }

    ctx->wait.result(ctx, rc);

    ngx_http_run_posted_requests(c);
}


ngx_connection_t *
ngx_http_npmtoken_api_wait_over(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "npmtoken api: request goes on");

    return c;
}


void
ngx_http_npmtoken_api_wait_forget(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_command_forget(&ctx->wait.command);
    ngx_http_npmtoken_walk_forget(&ctx->wait.walk);
    ngx_http_npmtoken_hash_forget(&ctx->wait.hash);
}
