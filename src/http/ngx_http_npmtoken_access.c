
/*
 * A request that waits for its record is parked: the handler has returned
 * NGX_AGAIN, and nothing of the request runs.  The result of the look-up wakes
 * the request; a time-out is a result, too.
 *
 * The request may go away while it waits, because the client leaves or the
 * worker stops.  The cleanup then makes the look-up forget the request.
 * Nothing else protects it: a parked request is not counted in r->main->count.
 */


#include "ngx_http_npmtoken_access.h"
#include "ngx_http_npmtoken_answer.h"
#include "ngx_http_npmtoken_identity.h"
#include "ngx_http_npmtoken_lines.h"


static ngx_int_t ngx_http_npmtoken_access_judge(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_judge_token(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static npmtoken_reason_e ngx_http_npmtoken_access_judge_anonymous(
    ngx_http_request_t *r, ngx_http_npmtoken_ctx_t *ctx,
    npmtoken_reason_e otherwise);
static npmtoken_reason_e ngx_http_npmtoken_access_judge_unknown(
    ngx_http_request_t *r, ngx_http_npmtoken_ctx_t *ctx);
static npmtoken_reason_e ngx_http_npmtoken_access_judge_unfounded(
    ngx_http_request_t *r, ngx_http_npmtoken_ctx_t *ctx);
static npmtoken_reason_e ngx_http_npmtoken_access_judge_record(
    ngx_http_request_t *r, ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_find(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_find_in(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_access_ask(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_access_find_stale(
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_park(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static void ngx_http_npmtoken_access_cleanup(void *data);
static void ngx_http_npmtoken_access_wake(ngx_http_npmtoken_waiter_t *waiter,
    ngx_int_t rc, npmtoken_record_t *record);
static ngx_int_t ngx_http_npmtoken_access_conclude(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_allow(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t dry_run);
static ngx_int_t ngx_http_npmtoken_access_allow_token(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_allow_anonymous(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_allow_other(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_access_deny(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t dry_run);
static void ngx_http_npmtoken_access_user(ngx_http_npmtoken_ctx_t *ctx,
    ngx_str_t *user);


ngx_int_t
ngx_http_npmtoken_access_handler(ngx_http_request_t *r)
{
    ngx_http_npmtoken_ctx_t       *ctx;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (nlcf->store == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_npmtoken_request_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->waiter.lookup) {

        /* it is parked already */

        return NGX_AGAIN;
    }

    if (ngx_http_npmtoken_access_judge(r, ctx) == NGX_AGAIN) {
        return ngx_http_npmtoken_access_park(r, ctx);
    }

    return ngx_http_npmtoken_access_conclude(r, ctx);
}


/* NGX_OK: the verdict is in ctx.  NGX_AGAIN: the record is awaited. */

static ngx_int_t
ngx_http_npmtoken_access_judge(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    ngx_http_npmtoken_request_parse(r, ctx);

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (ctx->credentials == NPMTOKEN_BEARER_TOKEN
        && ctx->store != nlcf->store)
    {
        ngx_http_npmtoken_store_tag(nlcf->store, &ctx->token, ctx->tag);
    }

    ctx->operation = ngx_http_npmtoken_request_operation(r, ctx);

    ctx->verified = 0;
    ctx->anonymous = 0;
    ctx->passed = 0;

    if (ctx->operation == NPMTOKEN_OP_SESSION) {
        ctx->reason = NPMTOKEN_ALLOW;
        return NGX_OK;
    }

    switch (ctx->credentials) {

    case NPMTOKEN_BEARER_TOKEN:
        return ngx_http_npmtoken_access_judge_token(r, ctx);

    case NPMTOKEN_BEARER_NONE:
        ctx->reason = ngx_http_npmtoken_access_judge_anonymous(r, ctx,
                                                        NPMTOKEN_NO_TOKEN);
        return NGX_OK;

    case NPMTOKEN_BEARER_FOREIGN:
        ctx->reason = ngx_http_npmtoken_access_judge_unknown(r, ctx);
        return NGX_OK;

    default: /* NPMTOKEN_BEARER_BAD */
        ctx->reason = NPMTOKEN_BAD_TOKEN;
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_npmtoken_access_judge_token(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (nlcf->checksum && npmtoken_token_check(&ctx->token) == NGX_ERROR) {
        ctx->reason = ngx_http_npmtoken_access_judge_unfounded(r, ctx);
        return NGX_OK;
    }

    switch (ngx_http_npmtoken_access_find(r, ctx)) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        ctx->reason = ngx_http_npmtoken_access_judge_record(r, ctx);
        return NGX_OK;

    case NGX_DECLINED:
        ctx->reason = ngx_http_npmtoken_access_judge_unknown(r, ctx);
        return NGX_OK;

    default: /* NGX_ERROR */
        ctx->reason = NPMTOKEN_UNAVAILABLE;
        return NGX_OK;
    }
}


static npmtoken_reason_e
ngx_http_npmtoken_access_judge_anonymous(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_reason_e otherwise)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    if (ctx->operation != NPMTOKEN_OP_READ) {
        return otherwise;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    return ngx_http_npmtoken_request_switch(r, &nlcf->anonymous)
           ? NPMTOKEN_ALLOW : otherwise;
}


static npmtoken_reason_e
ngx_http_npmtoken_access_judge_unknown(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    npmtoken_reason_e              reason;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    if (ctx->operation == NPMTOKEN_OP_LOGOUT) {

        /*
         * if this were refused, npm would keep the dead token and its owner
         * would be stuck
         */

        return NPMTOKEN_ALLOW;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    switch (nlcf->unknown) {

    case NGX_HTTP_NPMTOKEN_UNKNOWN_PASS:
        ctx->passed = 1;
        return NPMTOKEN_ALLOW;

    case NGX_HTTP_NPMTOKEN_UNKNOWN_ANONYMOUS:
        reason = ngx_http_npmtoken_access_judge_anonymous(r, ctx,
                                                          NPMTOKEN_UNKNOWN);
        ctx->anonymous = (reason == NPMTOKEN_ALLOW);
        return reason;

    default: /* NGX_HTTP_NPMTOKEN_UNKNOWN_DENY */
        return NPMTOKEN_UNKNOWN;
    }
}


/* a token that counts as unknown, though no look-up was made */

static npmtoken_reason_e
ngx_http_npmtoken_access_judge_unfounded(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    /* another location may have made a look-up */

    ctx->store = NULL;
    ctx->record = NULL;
    ctx->verified = 0;

    /* there might be a record that says revoked */

    if (nlcf->unknown == NGX_HTTP_NPMTOKEN_UNKNOWN_PASS
        && ctx->operation != NPMTOKEN_OP_LOGOUT)
    {
        return NPMTOKEN_UNKNOWN;
    }

    return ngx_http_npmtoken_access_judge_unknown(r, ctx);
}


static npmtoken_reason_e
ngx_http_npmtoken_access_judge_record(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    int64_t             now;
    struct sockaddr    *sockaddr;
    npmtoken_reason_e   reason;

    /*
     * nginx's time is that of the last turn of the event loop.  That is long
     * ago if the worker was stopped.
     */

    now = (ctx->record->expires_at == NPMTOKEN_NEVER) ? 0 : time(NULL);
    sockaddr = r->connection->sockaddr;

    reason = npmtoken_verdict_request(ctx->record, ctx->operation, sockaddr,
                                      now, ngx_http_npmtoken_request_subject,
                                      r);

    if (reason != NPMTOKEN_ALLOW) {
        return reason;
    }

    /*
     * A token may log out in any state.  Its user counts as verified only if
     * the token also allows reading.
     */

    ctx->verified = (ctx->operation != NPMTOKEN_OP_LOGOUT
                     || npmtoken_verdict(ctx->record, NPMTOKEN_OP_READ,
                                         sockaddr, now)
                        == NPMTOKEN_ALLOW);

    return NPMTOKEN_ALLOW;
}


/*
 * Puts the record, or the lack of one, into ctx.  Returns NGX_AGAIN if it is
 * awaited.  The result for this token in this store holds for the whole
 * request.
 */

static ngx_int_t
ngx_http_npmtoken_access_find(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (ctx->store != nlcf->store) {
        ctx->store = nlcf->store;
        ctx->record = NULL;
        ctx->found = ngx_http_npmtoken_access_find_in(r, ctx, nlcf->store);
    }

    if (ctx->found == NGX_ERROR && ctx->operation == NPMTOKEN_OP_READ) {
        return ngx_http_npmtoken_access_find_stale(ctx);
    }

    return ctx->found;
}


static ngx_int_t
ngx_http_npmtoken_access_find_in(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_http_npmtoken_store_t *store)
{
    if (ngx_http_npmtoken_store_cached(store, ctx->tag, &ctx->entry)
        != NGX_OK)
    {
        return ngx_http_npmtoken_access_ask(r, ctx, store);
    }

    ctx->cached = NGX_HTTP_NPMTOKEN_CACHE_HIT;

    if (ctx->entry.u.record.size == 0) {
        return NGX_DECLINED;
    }

    ctx->record = &ctx->entry.u.record;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_access_ask(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_http_npmtoken_store_t *store)
{
    u_char  *key;

    ctx->cached = store->lookup.cache ? NGX_HTTP_NPMTOKEN_CACHE_MISS
                                      : NGX_HTTP_NPMTOKEN_CACHE_OFF;

    key = ngx_http_npmtoken_request_key(r, ctx);
    if (key == NULL) {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken request asks for key %*s",
                   (size_t) NPMTOKEN_SHORT_KEY_LEN, key);

    ctx->waiter.handler = ngx_http_npmtoken_access_wake;
    ctx->waiter.data = r;

    return ngx_http_npmtoken_store_ask(store, ctx->tag, key,
                                       r->connection->sockaddr,
                                       &ctx->waiter);
}


/*
 * good for this one operation: "found" still says that the record is not known
 */

static ngx_int_t
ngx_http_npmtoken_access_find_stale(ngx_http_npmtoken_ctx_t *ctx)
{
    if (ngx_http_npmtoken_store_stale(ctx->store, ctx->tag, &ctx->entry)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->record = &ctx->entry.u.record;
    ctx->cached = NGX_HTTP_NPMTOKEN_CACHE_STALE;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken cache: a stale read");

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_access_park(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    c = r->connection;

    if (!ctx->cleanup) {
        cln = ngx_http_cleanup_add(r, 0);

        if (cln == NULL) {
            goto failed;
        }

        cln->handler = ngx_http_npmtoken_access_cleanup;
        cln->data = ctx;

        ctx->cleanup = 1;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "npmtoken request waits");

    /* an end of file that has been seen already is not reported again */

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        goto failed;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;

failed:

    ngx_http_npmtoken_lookup_forget(&ctx->waiter);
    ctx->store = NULL;

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_npmtoken_access_cleanup(void *data)
{
    ngx_http_npmtoken_ctx_t  *ctx = data;

    ngx_http_npmtoken_lookup_forget(&ctx->waiter);
}


/* the request may be gone when this returns */

static void
ngx_http_npmtoken_access_wake(ngx_http_npmtoken_waiter_t *waiter, ngx_int_t rc,
    npmtoken_record_t *record)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_npmtoken_ctx_t  *ctx;

    r = waiter->data;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    ctx->found = rc;

    if (rc == NGX_OK) {
        ctx->record = ngx_palloc(r->pool, record->size);

        if (ctx->record) {
            ngx_memcpy(ctx->record, record, record->size);

        } else {
            ctx->found = NGX_ERROR;
        }
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "npmtoken request goes on: %i", ctx->found);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    /*
     * with poll, the code that saw a body has stopped watching the connection
     */

    if (ngx_handle_read_event(c->read, 0) == NGX_OK) {
        ngx_http_core_run_phases(r);

    } else {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_npmtoken_access_conclude(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_uint_t                     dry_run;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    ctx->concluded = 1;

    if (ctx->npushed) {
        ngx_http_npmtoken_answer_undo(r, ctx);
    }

    dry_run = ngx_http_npmtoken_request_switch(r, &nlcf->dry_run);

    /* nobody judges what comes through a tunnel */

    if (r->headers_in.upgrade && !dry_run
        && ngx_http_npmtoken_lines_change(r, ctx,
                                          NGX_HTTP_NPMTOKEN_LINES_UPGRADE,
                                          NULL)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->reason == NPMTOKEN_ALLOW) {
        return ngx_http_npmtoken_access_allow(r, ctx, dry_run);
    }

    return ngx_http_npmtoken_access_deny(r, ctx, dry_run);
}


static ngx_int_t
ngx_http_npmtoken_access_allow(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t dry_run)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (dry_run) {
        ctx->anonymous = 0;
    }

    if (ctx->verified) {
        rc = ngx_http_npmtoken_access_allow_token(r, ctx);

    } else if (ctx->anonymous) {
        rc = ngx_http_npmtoken_access_allow_anonymous(r, ctx);

    } else if (!dry_run) {
        rc = ngx_http_npmtoken_access_allow_other(r, ctx);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /*
     * With "satisfy any" NGX_OK overrules the other modules.  Neither a dry
     * run nor credentials that we do not know may gain by that.
     */

    return (dry_run || ctx->passed) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_access_allow_token(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (nlcf->identity->name.len
        && ngx_http_npmtoken_identity_set(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (npmtoken_record_ends(ctx->record)) {
        return ngx_http_npmtoken_answer_expires(r, ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_access_allow_anonymous(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken request is allowed as without its token");

    if (ngx_http_npmtoken_identity_drop(r, ctx, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_answer_unknown(r, ctx);
}


/*
 * A session, credentials that the registry judges, or none.  An Authorization
 * without credentials, such as "Bearer" alone, is not sent on: registries
 * treat it as a failed login.
 */

static ngx_int_t
ngx_http_npmtoken_access_allow_other(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken request is allowed unverified, operation: %V, "
                   "passed: %d", npmtoken_operation_name(ctx->operation),
                   ctx->passed);

    if (ctx->credentials != NPMTOKEN_BEARER_NONE) {
        return ngx_http_npmtoken_identity_restore(r, ctx);
    }

    if (r->headers_in.authorization) {
        return ngx_http_npmtoken_identity_drop(r, ctx, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_access_deny(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t dry_run)
{
    ngx_str_t                      user;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    /* the log line has the short key, which a hit has not needed */

    (void) ngx_http_npmtoken_request_key(r, ctx);

    ngx_http_npmtoken_access_user(ctx, &user);

    ngx_log_error(nlcf->log_level, r->connection->log, 0,
                  "npmtoken denied%s: %V%s%V, key: %*s, operation: %V",
                  dry_run ? ", dry run" : "",
                  &npmtoken_verdict_reason(ctx->reason)->name,
                  user.len ? ", user: " : "", &user,
                  ctx->key ? (size_t) NPMTOKEN_SHORT_KEY_LEN : 1,
                  ctx->key ? ctx->key : (u_char *) "-",
                  npmtoken_operation_name(ctx->operation));

    if (dry_run) {
        return NGX_DECLINED;
    }

    if (nlcf->denied && nlcf->denied(r)) {
        return NGX_DONE;
    }

    return ngx_http_npmtoken_answer(r, ctx);
}


/*
 * The user of a record, for the log.  A record may have any printable ASCII
 * there.  What could be taken for another part of the line is not written.
 */

static void
ngx_http_npmtoken_access_user(ngx_http_npmtoken_ctx_t *ctx, ngx_str_t *user)
{
    size_t  i;
    u_char  ch;

    ngx_str_null(user);

    if (ctx->record == NULL) {
        return;
    }

    user->data = npmtoken_record_user(ctx->record);
    user->len = ctx->record->user_len;

    for (i = 0; i < user->len; i++) {
        ch = user->data[i];

        if ((ch < '0' || ch > '9') && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && (ch == '\0' || ngx_strchr("-._~@+/", ch) == NULL))
        {
            ngx_str_set(user, "(unprintable)");
            return;
        }
    }
}


ngx_int_t
ngx_http_npmtoken_access_precontent(ngx_http_request_t *r)
{
    ngx_http_npmtoken_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    if (ctx == NULL || !ctx->concluded || ctx->reason == NPMTOKEN_ALLOW) {
        return NGX_DECLINED;
    }

    /*
     * if an error_page keeps the status of our denial, it also keeps its
     * headers
     */

    if (r->err_status != npmtoken_verdict_reason(ctx->reason)->status) {
        ngx_http_npmtoken_answer_undo(r, ctx);
    }

    return NGX_DECLINED;
}
