
/*
 * What the registry learns about the user.  Lines that are removed from a
 * request do not come back when it is redirected to another location, because
 * that may lead to another server.  The credentials are kept in ctx, since
 * each location judges anew.
 */


#include "ngx_http_npmtoken_identity.h"
#include "ngx_http_npmtoken_lines.h"


static ngx_str_t  ngx_http_npmtoken_identity_upgrade = ngx_string("Upgrade");


static ngx_uint_t ngx_http_npmtoken_identity_tunnel(ngx_http_request_t *r);
static ngx_uint_t ngx_http_npmtoken_identity_safe(ngx_str_t *value);


ngx_int_t
ngx_http_npmtoken_identity_handler(ngx_http_request_t *r)
{
    ngx_uint_t                     which;
    ngx_http_npmtoken_ctx_t       *ctx;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    ctx = ngx_http_npmtoken_request_ctx(r, 0);
    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    which = 0;

    /*
     * a subrequest has the lines of its parent, as the parent's location has
     * left them
     */

    if (ctx && ctx->named && r == r->main) {
        which |= NGX_HTTP_NPMTOKEN_LINES_OURS;
    }

    if (nlcf->identity->name.len) {

        if (ngx_http_npmtoken_lines_forged(r, ctx)) {
            which |= NGX_HTTP_NPMTOKEN_LINES_FORGED;
        }

        if (r->headers_in.upgrade && ngx_http_npmtoken_identity_tunnel(r)) {
            which |= NGX_HTTP_NPMTOKEN_LINES_UPGRADE;
        }
    }

    if (which
        && ngx_http_npmtoken_lines_change(r, ctx, which, NULL) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * A registry may treat what comes through a tunnel as HTTP again, for example
 * "h2c".  Any header could then be forged, even where nothing is enforced.  A
 * websocket is allowed, since it carries no requests.
 */

static ngx_uint_t
ngx_http_npmtoken_identity_tunnel(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_npmtoken_request_is_header(&h[i],
                                         &ngx_http_npmtoken_identity_upgrade)
                && (h[i].value.len != sizeof("websocket") - 1
                    || ngx_strncasecmp(h[i].value.data,
                                       (u_char *) "websocket",
                                       sizeof("websocket") - 1)
                       != 0))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_http_npmtoken_identity_set(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_str_t                           value;
    ngx_table_elt_t                     line;
    ngx_http_npmtoken_loc_conf_t       *nlcf;
    ngx_http_npmtoken_identity_conf_t  *conf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);
    conf = nlcf->identity;

    if (ngx_http_complex_value(r, &conf->value, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_http_npmtoken_identity_safe(&value)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the value of \"npmtoken_identity\" \"%V\" is not "
                      "printable ASCII, so no identity is sent",
                      &conf->name);
        value.len = 0;
    }

    if (value.len == 0) {
        return ngx_http_npmtoken_identity_drop(r, ctx, 1);
    }

    ngx_memzero(&line, sizeof(ngx_table_elt_t));

    line.hash = conf->hash;
    line.key = conf->name;
    line.lowcase_key = conf->lowcase;
    line.value = value;

    if (ngx_http_npmtoken_lines_change(r, ctx,
                                       NGX_HTTP_NPMTOKEN_LINES_FORGED
                                       |NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION,
                                       &line)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->claimed = 1;
    ctx->named = 1;
    ctx->identity_name = line.key.data;
    ctx->identity_value = line.value.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_identity_drop(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t claimed)
{
    if (claimed) {
        ctx->claimed = 1;
    }

    return ngx_http_npmtoken_lines_change(r, ctx,
                                       NGX_HTTP_NPMTOKEN_LINES_FORGED
                                       |NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION,
                                       NULL);
}


ngx_int_t
ngx_http_npmtoken_identity_restore(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    /* an Authorization that another module has set stays */

    if (!ctx->taken || ctx->claimed || r->headers_in.authorization) {
        return NGX_OK;
    }

    if (ngx_http_npmtoken_lines_change(r, ctx, 0, ctx->authorization)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->taken = 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_npmtoken_identity_safe(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] > '~') {
            return 0;
        }
    }

    return 1;
}
