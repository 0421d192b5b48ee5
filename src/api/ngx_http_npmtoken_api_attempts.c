
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "ngx_http_npmtoken_attempts.h"


/* the least time between log lines about refused attempts, in milliseconds */
#define NGX_HTTP_NPMTOKEN_API_REFUSED_LOG    10000


struct ngx_http_npmtoken_api_attempt_s {
    ngx_http_npmtoken_attempt_t     counted;
    ngx_http_npmtoken_api_step_pt   next;
    const char                     *sentence;    /* told to the client */
};


static ngx_http_npmtoken_api_attempt_t *ngx_http_npmtoken_api_attempts_new(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_step_pt next);
static void ngx_http_npmtoken_api_attempts_each(
    ngx_http_npmtoken_api_ctx_t *ctx, char *kind, const char *sentence,
    ngx_http_npmtoken_api_step_pt next);
static ngx_int_t ngx_http_npmtoken_api_attempts_tallies(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_attempt_t *attempt);
static ngx_str_t ngx_http_npmtoken_api_attempts_name(
    ngx_http_npmtoken_api_ctx_t *ctx, size_t room);
static ngx_uint_t ngx_http_npmtoken_api_attempts_limit(
    ngx_http_npmtoken_api_conf_t *conf);
static void ngx_http_npmtoken_api_attempts_ask(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_attempts_handler(
    ngx_http_npmtoken_attempt_t *attempt, ngx_int_t rc);
static void ngx_http_npmtoken_api_attempts_go_on(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);


void
ngx_http_npmtoken_api_attempts_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_api_attempt_t  *attempt;

    if (ctx->attempt && ctx->attempt->counted.placed) {
        next(ctx);
        return;
    }

    attempt = ngx_http_npmtoken_api_attempts_new(ctx, next);

    if (attempt == NULL
        || ngx_http_npmtoken_api_attempts_tallies(ctx, &attempt->counted)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    attempt->sentence = "Too many failed attempts to log in. Wait a while, "
                        "then try again.";

    ngx_http_npmtoken_api_attempts_ask(ctx);
}


void
ngx_http_npmtoken_api_attempts_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_api_attempts_each(ctx, "tries:signup:",
                     "Too many new accounts from this address. Wait a "
                     "while, then try again.", next);
}


void
ngx_http_npmtoken_api_attempts_browser(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_api_attempts_each(ctx, "tries:web:",
                     "Too many logins in the browser from this address. Wait "
                     "a while, then try again.", next);
}


/* Counts what is counted for the address however it ends. */

static void
ngx_http_npmtoken_api_attempts_each(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, const char *sentence, ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_attempt_t      *counted;
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ngx_http_npmtoken_api_attempts_new(ctx, next);
    if (attempt == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    counted = &attempt->counted;

    if (ngx_http_npmtoken_attempts_tally(counted, kind, &counted->address,
                                         ctx->conf->address_attempts)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    counted->counts = 1;
    attempt->sentence = sentence;

    ngx_http_npmtoken_api_attempts_ask(ctx);
}


static ngx_http_npmtoken_api_attempt_t *
ngx_http_npmtoken_api_attempts_new(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_attempt_t      *counted;
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ngx_pcalloc(ctx->request->pool,
                          sizeof(ngx_http_npmtoken_api_attempt_t));
    if (attempt == NULL) {
        return NULL;
    }

    attempt->next = next;

    counted = &attempt->counted;

    counted->pool = ctx->request->pool;
    counted->commands = ctx->conf->commands;
    counted->prefix = ctx->conf->store->prefix;
    counted->address = ngx_http_npmtoken_api_text_address(ctx->request);
    counted->time = ctx->conf->attempts_time;
    counted->handler = ngx_http_npmtoken_api_attempts_handler;
    counted->data = ctx;

    if (counted->address.data == NULL
        || ngx_http_npmtoken_attempts_create(counted) != NGX_OK)
    {
        return NULL;
    }

    ctx->attempt = attempt;

    return attempt;
}


/* A token sent with a login proves nothing. */

static ngx_int_t
ngx_http_npmtoken_api_attempts_tallies(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_attempt_t *attempt)
{
    ngx_str_t                      token, name;
    ngx_http_npmtoken_api_conf_t  *conf;

    conf = ctx->conf;

    /* single sign-on gives a new session for the asking */

    if (ctx->web && ctx->bearer) {
        name = ngx_http_npmtoken_api_attempts_name(ctx, 0);

        return ngx_http_npmtoken_attempts_tally(attempt, "tries:page:",
                    &name, ngx_http_npmtoken_api_attempts_limit(conf));
    }

    if (ctx->call != NGX_HTTP_NPMTOKEN_API_LOGIN) {
        token.data = ngx_http_npmtoken_api_act_key(ctx);
        token.len = NPMTOKEN_KEY_LEN;

        return ngx_http_npmtoken_attempts_tally(attempt, "tries:token:",
                    &token, ngx_http_npmtoken_api_attempts_limit(conf));
    }

    name = ngx_http_npmtoken_api_attempts_name(ctx, 0);

    if (ngx_http_npmtoken_attempts_tally(attempt, "tries:account:", &name,
                                         conf->account_attempts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_attempts_tally(attempt, "tries:address:",
                                            &attempt->address,
                                            conf->address_attempts);
}


/*
 * Returns the folded name of the account, with "room" bytes allocated after it.
 */

static ngx_str_t
ngx_http_npmtoken_api_attempts_name(ngx_http_npmtoken_api_ctx_t *ctx,
    size_t room)
{
    ngx_str_t  name;

    name.len = ctx->user.len;
    name.data = ngx_pnalloc(ctx->request->pool, name.len + room);

    if (name.data) {
        npmtoken_account_fold(&ctx->user, name.data);
    }

    return name;
}


static ngx_uint_t
ngx_http_npmtoken_api_attempts_limit(ngx_http_npmtoken_api_conf_t *conf)
{
    /*
     * "0 50" turns off the limit per account, so that strangers cannot lock out
     * its owner.  Holders of a token are not strangers: use the limit per
     * address for them.
     */

    return conf->account_attempts ? conf->account_attempts
                                  : conf->address_attempts;
}


ngx_int_t
ngx_http_npmtoken_api_attempts_codes(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *key, ngx_str_t *args)
{
    char        *kind;
    u_char      *p;
    ngx_str_t    what, *hash;
    ngx_uint_t   limit;
    ngx_pool_t  *pool;

    kind = "tries:codes:";
    limit = ngx_http_npmtoken_api_attempts_limit(ctx->conf);

    if (limit == 0) {
        return NGX_DECLINED;
    }

    if (ctx->web && ctx->bearer) {
        kind = "tries:page:codes:";
        what = ngx_http_npmtoken_api_attempts_name(ctx, 0);

        if (what.data == NULL) {
            return NGX_ERROR;
        }

    } else if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN) {
        hash = &ctx->account.password;

        what = ngx_http_npmtoken_api_attempts_name(ctx, 1 + hash->len);

        if (what.data == NULL) {
            return NGX_ERROR;
        }

        p = what.data + what.len;
        *p++ = '\0';

        /* where the registry behind keeps the password, there is no hash */

        if (hash->len) {
            p = ngx_cpymem(p, hash->data, hash->len);
        }

        what.len = p - what.data;

    } else {
        what.data = ngx_http_npmtoken_api_act_key(ctx);
        what.len = NPMTOKEN_KEY_LEN;
    }

    pool = ctx->request->pool;

    *key = ngx_http_npmtoken_attempts_key(pool, &ctx->conf->store->prefix,
                                          kind, &what);

    args[0] = ngx_http_npmtoken_attempts_number(pool, limit);
    args[1] = ngx_http_npmtoken_attempts_number(pool,
                                    (uint64_t) ctx->conf->attempts_time
                                    * 1000);

    return (key->data && args[0].data && args[1].data) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_npmtoken_api_attempts_ask(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_npmtoken_attempts_begin(&ctx->attempt->counted);

    if (rc != NGX_AGAIN) {
        ngx_http_npmtoken_api_attempts_go_on(ctx, rc);
    }
}


static void
ngx_http_npmtoken_api_attempts_handler(ngx_http_npmtoken_attempt_t *attempt,
    ngx_int_t rc)
{
    ngx_connection_t             *c;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = attempt->data;
    c = ngx_http_npmtoken_api_wait_over(ctx);

    ngx_http_npmtoken_api_attempts_go_on(ctx, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_npmtoken_api_attempts_go_on(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ctx->attempt;

    switch (rc) {

    case NGX_OK:
        attempt->next(ctx);
        return;

    case NGX_BUSY:
        ngx_http_npmtoken_api_attempts_refused(ctx, attempt->counted.wait,
                                               attempt->sentence);
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_api_answer_unavailable(ctx);
    }
}


void
ngx_http_npmtoken_api_attempts_give_back(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->attempt) {
        ngx_http_npmtoken_attempts_give_back(&ctx->attempt->counted);
    }
}


void
ngx_http_npmtoken_api_attempts_gone(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->attempt) {
        ngx_http_npmtoken_attempts_forget(&ctx->attempt->counted);
    }
}


void
ngx_http_npmtoken_api_attempts_failed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_int_t  rc;

    if (ctx->attempt == NULL) {
        next(ctx);
        return;
    }

    ctx->attempt->next = next;

    rc = ngx_http_npmtoken_attempts_fail(&ctx->attempt->counted);

    if (rc != NGX_AGAIN) {
        ngx_http_npmtoken_api_attempts_go_on(ctx, rc);
    }
}


void
ngx_http_npmtoken_api_attempts_refused(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence)
{
    static ngx_msec_t  logged;
    static ngx_uint_t  refused;

    refused++;

    if (logged == 0
        || ngx_current_msec - logged >= NGX_HTTP_NPMTOKEN_API_REFUSED_LOG)
    {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "npmtoken: too many failed attempts, the next one is "
                      "refused for %T s; %ui were refused since the last such "
                      "line", seconds, refused);

        logged = ngx_current_msec;
        refused = 0;
    }

    ngx_http_npmtoken_api_answer_too_many(ctx, seconds, sentence);
}
