
/*
 * If the registry answers 200, the password counts as right.  So nothing from
 * the client that could cause a 200 may reach it: see _proxied.  An answer that
 * nginx has made from another one, with an error_page, does not count.
 */


#include "ngx_http_npmtoken_api_proxied.h"
#include "ngx_http_npmtoken_api_registry.h"


static ngx_int_t ngx_http_npmtoken_api_registry_start(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_result_pt handler);
static ngx_int_t ngx_http_npmtoken_api_registry_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_npmtoken_api_registry_detach(void *data);
static void ngx_http_npmtoken_api_registry_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_api_registry_result(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_registry_refused(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t status);


void
ngx_http_npmtoken_api_registry(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler)
{
    if (ngx_http_npmtoken_api_registry_start(ctx, handler) != NGX_OK) {
        handler(ctx, NGX_ERROR);
    }
}


static ngx_int_t
ngx_http_npmtoken_api_registry_start(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler)
{
    ngx_uint_t                        flags;
    ngx_http_request_t               *r, *sr;
    ngx_http_core_main_conf_t        *cmcf;
    ngx_http_npmtoken_api_proxied_t  *login;

    r = ctx->request;
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    login = ngx_pcalloc(r->pool, sizeof(ngx_http_npmtoken_api_proxied_t));
    if (login == NULL) {
        return NGX_ERROR;
    }

    login->variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                        * sizeof(ngx_http_variable_value_t));
    if (login->variables == NULL) {
        return NGX_ERROR;
    }

    login->ctx = ctx;
    login->handler = handler;
    login->post.handler = ngx_http_npmtoken_api_registry_done;
    login->post.data = login;

    if (ngx_http_npmtoken_api_proxied_make(login) != NGX_OK) {
        return NGX_ERROR;
    }

    flags = NGX_HTTP_SUBREQUEST_WAITED;

    if (login->clone) {
        flags |= NGX_HTTP_SUBREQUEST_CLONE;
    }

    if (ngx_http_subrequest(r, &login->uri, NULL, &sr, &login->post, flags)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken api: registry asked for a password, clone: %d",
                   login->clone);

    /* the subrequest is posted, but has not begun */

    ctx->job = login;
    ctx->detach = ngx_http_npmtoken_api_registry_detach;
    ctx->registry_status = 0;

    login->verified = ctx->judged->verified;
    ctx->judged->verified = 0;

    ngx_http_npmtoken_api_proxied_request(login, sr);

    r->write_event_handler = ngx_http_npmtoken_api_registry_resume;

    return NGX_OK;
}


/*
 * Returns NGX_OK in almost all cases, which ends the subrequest.  Otherwise
 * nginx would go on with an error_page, and its status would be the last one.
 */

static ngx_int_t
ngx_http_npmtoken_api_registry_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_npmtoken_api_proxied_t *login = data;

    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = login->ctx;

    login->done = 1;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->registry_status = rc;

    } else if (rc == NGX_OK && sr->upstream) {
        ctx->registry_status = sr->upstream->headers_in.status_n;
    }

    if (rc == NGX_HTTP_REQUEST_TIME_OUT
        || rc == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return rc;
    }

    return NGX_OK;
}


/* Restores the parent's state.  The memory belongs to the request. */

static void
ngx_http_npmtoken_api_registry_detach(void *data)
{
    ngx_http_npmtoken_api_proxied_t *login = data;

    login->ctx->judged->verified = login->verified;
}


/* Called when the subrequest has ended and posted its parent. */

static void
ngx_http_npmtoken_api_registry_resume(ngx_http_request_t *r)
{
    ngx_http_npmtoken_api_ctx_t      *ctx;
    ngx_http_npmtoken_api_proxied_t  *login;

    ctx = ngx_http_get_module_ctx(r, ngx_http_npmtoken_api_module);
    login = ctx->job;

    if (!login->done) {
        return;
    }

    ngx_http_npmtoken_api_registry_detach(login);

    ctx->job = NULL;

    r->write_event_handler = ngx_http_request_empty_handler;

    /* with poll, nginx may have stopped watching the client */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    login->handler(ctx, ngx_http_npmtoken_api_registry_result(ctx));
}


static ngx_int_t
ngx_http_npmtoken_api_registry_result(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = ctx->registry_status;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: registry answers a password with %ui",
                   status);

    if (status == NGX_HTTP_OK || status == NGX_HTTP_CREATED) {
        ctx->conf->unusable = 0;
        return NGX_OK;
    }

    /* nginx itself uses 440 and above if there is no valid answer */

    if (status >= NGX_HTTP_BAD_REQUEST && status < 440
        && status != NGX_HTTP_REQUEST_TIME_OUT
        && status != NGX_HTTP_TOO_MANY_REQUESTS)
    {
        ngx_http_npmtoken_api_registry_refused(ctx, status);
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "npmtoken: the registry cannot be asked for a password, "
                  "status of its answer: %ui", status);

    return NGX_ERROR;
}


/*
 * Some statuses say nothing about a password: the registry does not answer
 * logins there, or takes each for a new account and says that there is one
 * already.  Everybody's password would count as wrong, so this is said once,
 * and again only after a password that was right.
 */

static void
ngx_http_npmtoken_api_registry_refused(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_NOT_FOUND:
    case NGX_HTTP_NOT_ALLOWED:
    case NGX_HTTP_CONFLICT:
    case 410: /* Gone */
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        break;

    default:
        return;
    }

    if (ctx->conf->unusable) {
        return;
    }

    ctx->conf->unusable = 1;

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "npmtoken: the registry answered a login with %ui, which "
                  "says nothing about the password; it counts as wrong, and "
                  "so would every other one%s", status,
                  status == NGX_HTTP_CONFLICT
                  ? " (for Verdaccio: the plugin verdaccio-npmtoken with "
                    "\"login: true\")"
                  : "");
}
