
/*
 * nginx has no way to leave one header line of a request out, and a list
 * must not be shrunk in place: its parts would no longer be what proxy takes
 * them for.  So a new list is made of the lines that stay; the lines
 * themselves stay where they are, since others point to them.
 *
 * Each list is made from the first one, as the client sent it: a request that
 * is redirected internally is rewritten anew for its new location.
 */


#include "ngx_http_npmtoken_identity.h"


static ngx_str_t  ngx_http_npmtoken_authorization =
    ngx_string("Authorization");


static void ngx_http_npmtoken_identity_restore(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_uint_t ngx_http_npmtoken_identity_forged(ngx_http_request_t *r,
    ngx_http_npmtoken_identity_conf_t *conf);
static ngx_int_t ngx_http_npmtoken_identity_rewrite(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t drop, ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_identity_copy(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_list_t *headers, ngx_uint_t drop);
static ngx_table_elt_t *ngx_http_npmtoken_identity_add(ngx_http_request_t *r,
    ngx_list_t *headers, ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_npmtoken_identity_safe(ngx_str_t *value);


ngx_int_t
ngx_http_npmtoken_identity_handler(ngx_http_request_t *r)
{
    ngx_http_npmtoken_ctx_t       *ctx;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    if (r != r->main) {

        /* a subrequest shares the lines of its parent, already rewritten */

        return NGX_DECLINED;
    }

    ctx = ngx_http_npmtoken_get_ctx(r, 0);

    if (ctx && ctx->rewritten) {
        ngx_http_npmtoken_identity_restore(r, ctx);
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (!ngx_http_npmtoken_identity_forged(r, nlcf->identity)) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_npmtoken_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_npmtoken_identity_rewrite(r, ctx, 0, NULL) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static void
ngx_http_npmtoken_identity_restore(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    /* "last" may point into the list itself, which is where it was */

    r->headers_in.headers = ctx->headers;
    r->headers_in.authorization = ctx->authorization;

    ctx->rewritten = 0;
}


static ngx_uint_t
ngx_http_npmtoken_identity_forged(ngx_http_request_t *r,
    ngx_http_npmtoken_identity_conf_t *conf)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (conf->name.len == 0 || conf->authorization) {

        /*
         * Authorization is the client's own: it holds the token, or what the
         * registry is to check.
         */

        return 0;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_npmtoken_is_header(&h[i], &conf->name)) {
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

    return ngx_http_npmtoken_identity_rewrite(r, ctx, 1,
                                              value.len ? &value : NULL);
}


ngx_int_t
ngx_http_npmtoken_identity_drop(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    return ngx_http_npmtoken_identity_rewrite(r, ctx, 1, NULL);
}


static ngx_int_t
ngx_http_npmtoken_identity_rewrite(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t drop, ngx_str_t *value)
{
    ngx_list_t                     headers;
    ngx_table_elt_t               *identity;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    if (!ctx->rewritten) {
        ctx->headers = r->headers_in.headers;
        ctx->authorization = r->headers_in.authorization;
    }

    if (ngx_list_init(&headers, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_identity_copy(r, ctx, &headers, drop) != NGX_OK) {
        return NGX_ERROR;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    identity = NULL;

    if (value) {
        identity = ngx_http_npmtoken_identity_add(r, &headers,
                                                  &nlcf->identity->name,
                                                  value);
        if (identity == NULL) {
            return NGX_ERROR;
        }
    }

    r->headers_in.headers = headers;

    if (headers.last == &headers.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    if (drop) {
        r->headers_in.authorization = nlcf->identity->authorization ? identity
                                                                    : NULL;
    }

    ctx->rewritten = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_identity_copy(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_list_t *headers, ngx_uint_t drop)
{
    ngx_uint_t                          i;
    ngx_list_part_t                    *part;
    ngx_table_elt_t                    *h, *copy;
    ngx_http_npmtoken_loc_conf_t       *nlcf;
    ngx_http_npmtoken_identity_conf_t  *conf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);
    conf = nlcf->identity;

    for (part = &ctx->headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (drop
                && ngx_http_npmtoken_is_header(&h[i],
                                            &ngx_http_npmtoken_authorization))
            {
                continue;
            }

            if (conf->name.len && !conf->authorization
                && ngx_http_npmtoken_is_header(&h[i], &conf->name))
            {
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


static ngx_table_elt_t *
ngx_http_npmtoken_identity_add(ngx_http_request_t *r, ngx_list_t *headers,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = *name;
    h->value = *value;

    h->lowcase_key = ngx_pnalloc(r->pool, name->len);
    if (h->lowcase_key == NULL) {
        return NULL;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, name->data, name->len);

    return h;
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
