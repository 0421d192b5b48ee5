
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_handler.h"
#include "ngx_http_npmtoken_api_origin.h"
#include "ngx_http_npmtoken_api_page.h"
#include "ngx_http_npmtoken_api_route.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_wait.h"


static ngx_uint_t ngx_http_npmtoken_api_handler_passes(
    ngx_http_npmtoken_ctx_t *judged, ngx_http_npmtoken_api_call_e call,
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_npmtoken_api_handler_was_guarded(
    ngx_http_request_t *r, ngx_http_npmtoken_api_conf_t *conf);
static ngx_http_npmtoken_api_ctx_t *ngx_http_npmtoken_api_handler_ctx(
    ngx_http_request_t *r, ngx_http_npmtoken_api_conf_t *conf);
static void ngx_http_npmtoken_api_handler_cleanup(void *data);
static void ngx_http_npmtoken_api_handler_page(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_route_t *route);
static void ngx_http_npmtoken_api_handler_start(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_step_pt step);
static ngx_int_t ngx_http_npmtoken_api_handler_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_handler_guard(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_handler_go_on(
    ngx_http_npmtoken_api_ctx_t *ctx);


ngx_int_t
ngx_http_npmtoken_api_handler(ngx_http_request_t *r)
{
    ngx_str_t                       subject;
    ngx_http_npmtoken_ctx_t        *judged;
    ngx_http_npmtoken_api_ctx_t    *ctx;
    ngx_http_npmtoken_api_conf_t   *conf;
    ngx_http_npmtoken_api_route_t  *route;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_api_module);

    if (conf->store == NULL || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_npmtoken_api_module);

    if (ctx) {

        /* a guarded write goes on; any other call comes too early */

        return ctx->guarded ? NGX_DECLINED : NGX_DONE;
    }

    judged = ngx_http_npmtoken_request_ctx(r, 0);

    if (judged == NULL || !judged->concluded) {
        return NGX_DECLINED;
    }

    /* judged in another location, before a redirect that skips our check */

    if (judged->store && judged->store != conf->store) {
        return NGX_DECLINED;
    }

    ngx_str_null(&subject);

    route = ngx_http_npmtoken_api_route(r, &subject);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken api: call %d, \"%V\"", route->call, &route->path);

    if ((route->whose == NGX_HTTP_NPMTOKEN_API_NPM
         && ngx_http_npmtoken_api_handler_passes(judged, route->call, r))
        || (route->call == NGX_HTTP_NPMTOKEN_API_OTHER
            && ngx_http_npmtoken_api_handler_was_guarded(r, conf)))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_npmtoken_api_handler_ctx(r, conf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->judged = judged;
    ctx->call = route->call;
    ctx->subject = subject;

    if (route->whose) {
        ngx_http_npmtoken_api_handler_page(ctx, route);

    } else {
        ngx_http_npmtoken_api_handler_start(ctx, route->step);
    }

    return NGX_DONE;
}


/*
 * The front module lets in all that is below the page.  Who may do it is seen
 * here: such a call has no token, whatever is in Authorization.
 */

static void
ngx_http_npmtoken_api_handler_page(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_route_t *route)
{
    ngx_http_npmtoken_api_answer_park(ctx);

    ctx->web = 1;

    if (ngx_http_npmtoken_api_page_headers(ctx->request) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (route->whose == NGX_HTTP_NPMTOKEN_API_ANYONE) {
        route->step(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_origin_check(ctx) != NGX_OK) {
        return;
    }

    if (route->whose == NGX_HTTP_NPMTOKEN_API_SESSION) {
        ngx_http_npmtoken_api_session_find(ctx, route->step, NULL);
        return;
    }

    route->step(ctx);
}


/*
 * The front module takes a login with an invalid name for a write, since a
 * registry may read the path in its own way.  It denies this login as a write.
 * No other handler answers it, so tell the user what is wrong.
 */

ngx_uint_t
ngx_http_npmtoken_api_handler_denied(ngx_http_request_t *r)
{
    ngx_str_t                      name;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_npmtoken_api_ctx_t   *ctx;
    ngx_http_npmtoken_api_conf_t  *conf;
    ngx_http_npmtoken_api_route_t  *route;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_api_module);

    /* with "satisfy any" another module may still let the request in */

    if (r != r->main
        || clcf->satisfy == NGX_HTTP_SATISFY_ANY
        || ngx_http_get_module_ctx(r, ngx_http_npmtoken_api_module))
    {
        return 0;
    }

    ngx_str_null(&name);

    route = ngx_http_npmtoken_api_route(r, &name);

    if (route->call != NGX_HTTP_NPMTOKEN_API_LOGIN
        || route->whose != NGX_HTTP_NPMTOKEN_API_NPM
        || npmtoken_account_is_name(&name))
    {
        return 0;
    }

    ctx = ngx_http_npmtoken_api_handler_ctx(r, conf);
    if (ctx == NULL) {
        return 0;
    }

    ctx->call = NGX_HTTP_NPMTOKEN_API_LOGIN;

    ngx_http_npmtoken_api_answer_no_name(ctx);

    return 1;
}


/*
 * Returns 1 if the request is for the registry and needs no second factor here.
 * So is a call with credentials that no record knows, if a dry run, or another
 * module by "satisfy any", has let it through: they may be the registry's own.
 */

static ngx_uint_t
ngx_http_npmtoken_api_handler_passes(ngx_http_npmtoken_ctx_t *judged,
    ngx_http_npmtoken_api_call_e call, ngx_http_request_t *r)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    switch (call) {

    case NGX_HTTP_NPMTOKEN_API_OTHER:
        return !judged->verified
               || judged->operation != NPMTOKEN_OP_WRITE
               || judged->record->user_len == 0
               || judged->record->bypass_2fa;

    case NGX_HTTP_NPMTOKEN_API_LOGIN:
    case NGX_HTTP_NPMTOKEN_API_WEB_LOGIN:
        return 0;

    case NGX_HTTP_NPMTOKEN_API_LOGOUT:
        nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

        return judged->passed
               || (judged->record == NULL
                   && (nlcf->unknown == NGX_HTTP_NPMTOKEN_UNKNOWN_PASS
                       || ngx_http_npmtoken_request_switch(r,
                                                           &nlcf->dry_run)));

    default:
        return judged->passed
               || judged->reason == NPMTOKEN_UNKNOWN
               || judged->reason == NPMTOKEN_BAD_TOKEN;
    }
}


/*
 * The request may have passed the second factor in another location, before an
 * internal redirect.  The redirect clears r->ctx, but keeps the cleanups.  The
 * one-time password is used up, so do not ask for it again.
 */

static ngx_uint_t
ngx_http_npmtoken_api_handler_was_guarded(ngx_http_request_t *r,
    ngx_http_npmtoken_api_conf_t *conf)
{
    ngx_http_cleanup_t           *cln;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    for (cln = r->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_npmtoken_api_handler_cleanup) {
            continue;
        }

        ctx = cln->data;

        if (ctx->guarded && ctx->conf->store == conf->store) {
            return 1;
        }
    }

    return 0;
}


static ngx_http_npmtoken_api_ctx_t *
ngx_http_npmtoken_api_handler_ctx(ngx_http_request_t *r,
    ngx_http_npmtoken_api_conf_t *conf)
{
    ngx_http_cleanup_t           *cln;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_npmtoken_api_ctx_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ctx == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_npmtoken_api_handler_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->conf = conf;

    ngx_http_set_ctx(r, ctx, ngx_http_npmtoken_api_module);

    return ctx;
}


static void
ngx_http_npmtoken_api_handler_cleanup(void *data)
{
    ngx_http_npmtoken_api_ctx_t  *ctx = data;

    if (ctx->job) {
        ctx->detach(ctx->job);
        ctx->job = NULL;
    }

    ngx_http_npmtoken_api_wait_forget(ctx);
    ngx_http_npmtoken_api_attempts_gone(ctx);
    ngx_http_npmtoken_api_body_free(ctx);
}


static void
ngx_http_npmtoken_api_handler_start(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt step)
{
    ngx_http_npmtoken_api_answer_park(ctx);

    switch (ctx->call) {

    case NGX_HTTP_NPMTOKEN_API_LOGIN:
    case NGX_HTTP_NPMTOKEN_API_WEB_LOGIN:
        break;

    case NGX_HTTP_NPMTOKEN_API_LOGOUT:

        /* allowed for a token in any state, hence not verified */

        if (ctx->judged->reason != NPMTOKEN_ALLOW) {
            ngx_http_npmtoken_api_answer_denied(ctx);
            return;
        }

        if (ctx->judged->record == NULL) {
            break;
        }

        /* fall through */

    default:
        if (ngx_http_npmtoken_api_handler_known(ctx) != NGX_OK) {
            return;
        }
    }

    if (ctx->call == NGX_HTTP_NPMTOKEN_API_OTHER) {
        ngx_http_npmtoken_api_auth_load(ctx,
                                        ngx_http_npmtoken_api_handler_guard);
        return;
    }

    step(ctx);
}


/*
 * Sets ctx->user to the account of the token.  Returns NGX_OK, or NGX_ERROR
 * after it has answered.
 */

static ngx_int_t
ngx_http_npmtoken_api_handler_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    npmtoken_record_t  *record;

    record = ctx->judged->record;

    if (ctx->judged->reason != NPMTOKEN_ALLOW
        || record == NULL
        || (!ctx->judged->verified
            && ctx->call != NGX_HTTP_NPMTOKEN_API_LOGOUT))
    {
        ngx_http_npmtoken_api_answer_denied(ctx);
        return NGX_ERROR;
    }

    ctx->user.data = npmtoken_record_user(record);
    ctx->user.len = record->user_len;

    if (ctx->user.len == 0 && ctx->call != NGX_HTTP_NPMTOKEN_API_LOGOUT) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                           "This token belongs to no account.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * a write to the registry: account, code, on to the registry
 *
 * With "auth-and-writes" each write takes a one-time password.  A request that
 * comes here has been allowed and is for the registry.
 *
 * A client that publishes several packages asks its user for one code and sends
 * it with each of them.  So as long as a code is valid, the token that has used
 * it may use it again.  An attacker with only the code or only the token gains
 * nothing.  An attacker with both could have made the first write.
 */

static void
ngx_http_npmtoken_api_handler_guard(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES) {
        ctx->reuse = ctx->conf->reuse;

        ngx_http_npmtoken_api_auth_second_factor(ctx,
                                          ngx_http_npmtoken_api_handler_go_on);
        return;
    }

    ngx_http_npmtoken_api_handler_go_on(ctx);
}


static void
ngx_http_npmtoken_api_handler_go_on(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken api: the write goes on to the registry");

    ctx->guarded = 1;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    /* with poll, nginx stops watching the client once it sees a body */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_core_run_phases(r);
}
