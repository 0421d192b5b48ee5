
/*
 * nginx cannot omit one header line of a request.  A list must not be shrunk
 * in place, since proxy relies on the sizes of its parts.  So a new list is
 * made of the lines that stay.  The lines themselves do not move, since other
 * code points to them.
 *
 * The new list is made from the list as it is now.  Changes that other modules
 * have made since we last saw it are kept.
 */


#include "ngx_http_npmtoken_lines.h"


#define ngx_http_npmtoken_lines_is(h, name)                                   \
    ((h)->key.len == (name)->len                                              \
     && ngx_http_npmtoken_request_is_header(h, name))


static ngx_int_t ngx_http_npmtoken_lines_copy(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_list_t *headers);
static ngx_uint_t ngx_http_npmtoken_lines_goes(ngx_table_elt_t *h,
    ngx_uint_t which, ngx_str_t *identity);
static ngx_str_t *ngx_http_npmtoken_lines_identity(ngx_http_request_t *r);
static ngx_uint_t ngx_http_npmtoken_lines_upgrade(ngx_table_elt_t *h);
static ngx_int_t ngx_http_npmtoken_lines_keep(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static void ngx_http_npmtoken_lines_gone(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which);
static void ngx_http_npmtoken_lines_forget(ngx_http_request_t *r);


static ngx_str_t  ngx_http_npmtoken_lines_authorization =
    ngx_string("Authorization");


/* Upgrade and the headers that go with it; also the variables of these */

static ngx_str_t  ngx_http_npmtoken_lines_upgrades[] = {
    ngx_string("Upgrade"),
    ngx_string("Connection"),
    ngx_string("HTTP2-Settings"),
    ngx_null_string
};


static ngx_str_t  ngx_http_npmtoken_lines_variables[] = {
    ngx_string("http_upgrade"),
    ngx_string("http_connection"),
    ngx_string("http_http2_settings"),
    ngx_null_string
};


ngx_uint_t
ngx_http_npmtoken_lines_forged(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    name = ngx_http_npmtoken_lines_identity(r);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_npmtoken_lines_is(&h[i], name)
                && !ngx_http_npmtoken_request_is_ours(ctx, &h[i]))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_http_npmtoken_lines_change(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_table_elt_t *line)
{
    ngx_list_t        headers;
    ngx_table_elt_t  *copy;

    if (ngx_list_init(&headers, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK
        || ngx_http_npmtoken_lines_copy(r, ctx, which, &headers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    copy = NULL;

    if (line) {
        copy = ngx_list_push(&headers);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *line;
    }

    if ((which & NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION)
        && ngx_http_npmtoken_lines_keep(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.headers = headers;

    if (headers.last == &headers.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    ngx_http_npmtoken_lines_gone(r, ctx, which);

    if (copy
        && ngx_http_npmtoken_lines_is(copy,
                                      &ngx_http_npmtoken_lines_authorization))
    {
        r->headers_in.authorization = copy;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_lines_copy(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_list_t *headers)
{
    ngx_str_t        *identity;
    ngx_uint_t        i, goes;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    identity = ngx_http_npmtoken_lines_identity(r);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ctx && ctx->named
                && ngx_http_npmtoken_request_is_ours(ctx, &h[i]))
            {
                goes = which & NGX_HTTP_NPMTOKEN_LINES_OURS;

            } else {
                goes = ngx_http_npmtoken_lines_goes(&h[i], which, identity);
            }

            if (goes) {
                continue;
            }

            copy = ngx_list_push(headers);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_npmtoken_lines_goes(ngx_table_elt_t *h, ngx_uint_t which,
    ngx_str_t *identity)
{
    if ((which & NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION)
        && ngx_http_npmtoken_lines_is(h,
                                      &ngx_http_npmtoken_lines_authorization))
    {
        return 1;
    }

    if ((which & NGX_HTTP_NPMTOKEN_LINES_FORGED)
        && ngx_http_npmtoken_lines_is(h, identity))
    {
        return 1;
    }

    return (which & NGX_HTTP_NPMTOKEN_LINES_UPGRADE)
           && ngx_http_npmtoken_lines_upgrade(h);
}


/*
 * The header name that no client may use, or an empty string.  Authorization
 * is the client's own: it holds the token, or what the registry checks.
 */

static ngx_str_t *
ngx_http_npmtoken_lines_identity(ngx_http_request_t *r)
{
    static ngx_str_t               none;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    return nlcf->identity->authorization ? &none : &nlcf->identity->name;
}


static ngx_uint_t
ngx_http_npmtoken_lines_upgrade(ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    for (name = ngx_http_npmtoken_lines_upgrades; name->len; name++) {
        if (ngx_http_npmtoken_lines_is(h, name)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Keeps a copy, since a subrequest may still use the list that holds the line.
 */

static ngx_int_t
ngx_http_npmtoken_lines_keep(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || ngx_http_npmtoken_request_is_ours(ctx, h)) {
        return NGX_OK;
    }

    ctx->authorization = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
    if (ctx->authorization == NULL) {
        ctx->taken = 0;
        return NGX_ERROR;
    }

    *ctx->authorization = *h;
    ctx->taken = 1;

    return NGX_OK;
}


static void
ngx_http_npmtoken_lines_gone(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which)
{
    ngx_uint_t        ours;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;
    ours = (h && ngx_http_npmtoken_request_is_ours(ctx, h));

    if (which & (ours ? NGX_HTTP_NPMTOKEN_LINES_OURS
                      : NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION))
    {
        r->headers_in.authorization = NULL;
    }

    if (which & NGX_HTTP_NPMTOKEN_LINES_OURS) {
        ctx->named = 0;
    }

    if (which & NGX_HTTP_NPMTOKEN_LINES_UPGRADE) {
        r->headers_in.upgrade = NULL;
        r->headers_in.connection = NULL;
        ngx_http_npmtoken_lines_forget(r);
    }
}


/* variables may have been read before, and nginx caches their values */

static void
ngx_http_npmtoken_lines_forget(ngx_http_request_t *r)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        for (name = ngx_http_npmtoken_lines_variables; name->len; name++) {

            if (v[i].name.len == name->len
                && ngx_strncmp(v[i].name.data, name->data, name->len) == 0)
            {
                r->variables[i].valid = 0;
                r->variables[i].not_found = 0;
            }
        }
    }
}


ngx_table_elt_t *
ngx_http_npmtoken_lines_answer(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return h;
}
