
#include "ngx_http_npmtoken_request.h"


static void ngx_http_npmtoken_request_cleanup(void *data);
static void ngx_http_npmtoken_request_describe(ngx_http_request_t *r,
    npmtoken_request_t *req);
static ngx_uint_t ngx_http_npmtoken_request_overridden(ngx_http_request_t *r);


/* in the names of headers */

#define ngx_http_npmtoken_alnum(ch)                                           \
    (((ch) >= '0' && (ch) <= '9') || ((ch) >= 'a' && (ch) <= 'z'))


/* frameworks accept these in place of the method; each knows some of them */

static ngx_str_t  ngx_http_npmtoken_overrides[] = {
    ngx_string("X-HTTP-Method-Override"),
    ngx_string("X-HTTP-Method"),
    ngx_string("X-Method-Override"),
    ngx_null_string
};


/*
 * An internal redirect clears r->ctx, but the pool's cleanups stay.  The
 * context is the data of a cleanup, so it can be found there.  The realip
 * module does the same.
 */

ngx_http_npmtoken_ctx_t *
ngx_http_npmtoken_request_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_npmtoken_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_npmtoken_module);

    if (ctx) {
        return ctx;
    }

    if (r->internal || r->filter_finalize) {

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_npmtoken_request_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_npmtoken_module);
                return ctx;
            }
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_npmtoken_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, offsetof(ngx_http_npmtoken_ctx_t, value));
    ctx->waiter.lookup = NULL;

    cln->handler = ngx_http_npmtoken_request_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_npmtoken_module);

    return ctx;
}


static void
ngx_http_npmtoken_request_cleanup(void *data)
{
    ngx_http_npmtoken_ctx_t  *ctx = data;

    ngx_http_npmtoken_lookup_forget(&ctx->waiter);
}


void
ngx_http_npmtoken_request_parse(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_str_t         value;
    ngx_table_elt_t  *authorization;

    authorization = r->main->headers_in.authorization;

    /* another module may have set one in the meantime */

    if (ctx->taken
        && (authorization == NULL
            || ngx_http_npmtoken_request_is_ours(ctx, authorization)))
    {
        authorization = ctx->authorization;
    }

    if (authorization) {
        value = authorization->value;

    } else {
        ngx_str_null(&value);
    }

    if (ctx->parsed
        && ctx->value.data == value.data && ctx->value.len == value.len)
    {
        return;
    }

    ctx->parsed = 1;
    ctx->value = value;
    ctx->key = NULL;
    ctx->store = NULL;

    ctx->credentials = npmtoken_bearer_parse(&value, &ctx->token);
}


u_char *
ngx_http_npmtoken_request_key(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    u_char  *key;

    if (ctx->key || ctx->credentials != NPMTOKEN_BEARER_TOKEN) {
        return ctx->key;
    }

    key = ngx_pnalloc(r->pool, NPMTOKEN_KEY_LEN);
    if (key == NULL) {
        return NULL;
    }

    if (npmtoken_digest_key(&ctx->token, key) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "SHA-512 of a token failed");
        return NULL;
    }

    ctx->key = key;

    return key;
}


npmtoken_op_e
ngx_http_npmtoken_request_operation(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    npmtoken_request_t  req;

    ngx_http_npmtoken_request_describe(r, &req);

    req.token = ctx->token;
    req.override = ngx_http_npmtoken_request_overridden(r);

    return npmtoken_operation_class(&req);
}


ngx_int_t
ngx_http_npmtoken_request_package(ngx_http_request_t *r, ngx_str_t *package)
{
    u_char               buf[NPMTOKEN_PACKAGE_MAX];
    ngx_str_t            name;
    npmtoken_request_t   req;

    ngx_http_npmtoken_request_describe(r, &req);

    npmtoken_operation_package(&req, buf, &name);

    package->len = name.len;
    package->data = ngx_pnalloc(r->pool, name.len + 1);

    if (package->data == NULL) {
        return NGX_ERROR;
    }

    if (name.len) {
        ngx_memcpy(package->data, name.data, name.len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_request_subject(void *data, u_char *buf, ngx_str_t *name)
{
    ngx_http_request_t  *r = data;

    npmtoken_request_t  req;

    ngx_http_npmtoken_request_describe(r, &req);

    req.override = ngx_http_npmtoken_request_overridden(r);

    return npmtoken_operation_subject(&req, buf, name);
}


static void
ngx_http_npmtoken_request_describe(ngx_http_request_t *r,
    npmtoken_request_t *req)
{
    u_char                        *p, *last;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    req->method = r->method_name;
    req->target = r->unparsed_uri;
    req->uri = r->uri;
    req->base = &nlcf->base;
    req->override = 0;

    ngx_str_null(&req->args);
    ngx_str_null(&req->token);

    last = req->target.data + req->target.len;

    p = req->target.len ? memchr(req->target.data, '?', req->target.len)
                        : NULL;

    if (p) {
        req->target.len = p - req->target.data;
        req->args.data = p + 1;
        req->args.len = last - req->args.data;

        /* a query that differs from what is sent on makes no exception */

        if (req->args.len != r->args.len
            || (req->args.len
                && ngx_memcmp(req->args.data, r->args.data, r->args.len) != 0))
        {
            ngx_str_null(&req->args);
        }
    }
}


static ngx_uint_t
ngx_http_npmtoken_request_overridden(ngx_http_request_t *r)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            /* this runs for every request; skip most lines early */

            if (h[i].key.len < sizeof("X-HTTP-Method") - 1
                || (h[i].key.data[0] | 0x20) != 'x')
            {
                continue;
            }

            for (name = ngx_http_npmtoken_overrides; name->len; name++) {
                if (ngx_http_npmtoken_request_is_header(&h[i], name)) {
                    return 1;
                }
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_npmtoken_request_is_header(ngx_table_elt_t *h, ngx_str_t *name)
{
    size_t  i;
    u_char  a, b;

    if (h->key.len != name->len) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        a = ngx_tolower(h->key.data[i]);
        b = ngx_tolower(name->data[i]);

        if (a != b
            && (ngx_http_npmtoken_alnum(a) || ngx_http_npmtoken_alnum(b)))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_npmtoken_request_is_ours(ngx_http_npmtoken_ctx_t *ctx,
    ngx_table_elt_t *h)
{
    return ctx != NULL
           && ctx->named
           && h->key.data == ctx->identity_name
           && h->value.data == ctx->identity_value;
}


ngx_flag_t
ngx_http_npmtoken_request_switch_variable(ngx_http_request_t *r,
    ngx_http_npmtoken_switch_t *sw)
{
    ngx_str_t  value;

    if (ngx_http_complex_value(r, sw->complex, &value) != NGX_OK) {
        return 0;
    }

    if (value.len == sw->on.len
        && ngx_memcmp(value.data, sw->on.data, value.len) == 0)
    {
        return 1;
    }

    if (value.len
        && (value.len != sw->off.len
            || ngx_memcmp(value.data, sw->off.data, value.len) != 0))
    {
        /* the value is not logged, since it may come from a client */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the variable in \"%V\" directive is neither \"%V\" nor "
                      "\"%V\" and counts as \"%V\"",
                      &sw->name, &sw->on, &sw->off, &sw->off);
    }

    return 0;
}
