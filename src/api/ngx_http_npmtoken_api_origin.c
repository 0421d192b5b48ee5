
#include "ngx_http_npmtoken_api_origin.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_text.h"


static ngx_uint_t ngx_http_npmtoken_api_origin_same(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_uint_t ngx_http_npmtoken_api_origin_json(ngx_http_request_t *r);
static ngx_uint_t ngx_http_npmtoken_api_origin_loopback(ngx_str_t *host);
static ngx_uint_t ngx_http_npmtoken_api_origin_ends(ngx_str_t *text,
    char *end);
static ngx_str_t ngx_http_npmtoken_api_origin_host(ngx_http_request_t *r);
static char *ngx_http_npmtoken_api_origin_scheme(ngx_http_request_t *r);
static ngx_str_t ngx_http_npmtoken_api_origin_own(
    ngx_http_npmtoken_api_ctx_t *ctx);


ngx_int_t
ngx_http_npmtoken_api_origin_check(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ngx_http_npmtoken_api_origin_same(ctx)) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                                        "Only the page of this registry may "
                                        "ask for this.");
        return NGX_ERROR;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && !ngx_http_npmtoken_api_origin_json(r))
    {
        ngx_http_npmtoken_api_answer_error(ctx,
                                        NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                        "The body of this request has to be "
                                        "application/json.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A browser says where a request comes from, and no script can change that.
 * Older ones, and all of them over plain http, say Origin alone.
 */

static ngx_uint_t
ngx_http_npmtoken_api_origin_same(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t   value, own;
    ngx_uint_t  fetched;

    static ngx_str_t   site = ngx_string("Sec-Fetch-Site");
    static ngx_str_t   origin = ngx_string("Origin");
    static ngx_str_t   same = ngx_string("same-origin");

    switch (ngx_http_npmtoken_api_text_header(ctx->request, &site, &value)) {

    case NGX_OK:
        if (value.len != same.len
            || ngx_memcmp(value.data, same.data, same.len) != 0)
        {
            return 0;
        }

        fetched = 1;
        break;

    case NGX_DECLINED:
        fetched = 0;
        break;

    default: /* NGX_ERROR */
        return 0;
    }

    switch (ngx_http_npmtoken_api_text_header(ctx->request, &origin, &value)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return fetched;

    default: /* NGX_ERROR */
        return 0;
    }

    /* the origin may be another one than the page has: a second name of it */

    if (fetched && ctx->conf->url.len == 0) {
        return 1;
    }

    own = ngx_http_npmtoken_api_origin_own(ctx);

    return own.len
           && own.len == value.len
           && ngx_strncasecmp(own.data, value.data, own.len) == 0;
}


static ngx_uint_t
ngx_http_npmtoken_api_origin_json(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    static ngx_str_t  json = ngx_string("application/json");

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;

    return type->len >= json.len
           && ngx_strncasecmp(type->data, json.data, json.len) == 0
           && (type->len == json.len
               || type->data[json.len] == ';'
               || type->data[json.len] == ' ');
}


ngx_uint_t
ngx_http_npmtoken_api_origin_safe(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  host;

    if (ctx->conf->url.len) {
        return ngx_strncmp(ctx->conf->url.data, "https:", 6) == 0;
    }

    if (ngx_strcmp(ngx_http_npmtoken_api_origin_scheme(ctx->request), "https")
        == 0)
    {
        return 1;
    }

    host = ngx_http_npmtoken_api_origin_host(ctx->request);

    return ngx_http_npmtoken_api_origin_loopback(&host);
}


/* Browsers trust these without TLS, and keep Secure cookies for them. */

static ngx_uint_t
ngx_http_npmtoken_api_origin_loopback(ngx_str_t *host)
{
    size_t      i;
    u_char     *port;
    ngx_str_t   name;

    name = *host;

    port = ngx_strlchr(name.data, name.data + name.len, ':');

    if (port && name.data[0] != '[') {
        name.len = port - name.data;
    }

    if ((name.len >= 5 && ngx_strncmp(name.data, "[::1]", 5) == 0)
        || ngx_http_npmtoken_api_origin_ends(&name, "localhost"))
    {
        return 1;
    }

    for (i = 0; i < name.len; i++) {
        if ((name.data[i] < '0' || name.data[i] > '9') && name.data[i] != '.') {
            return 0;
        }
    }

    return name.len > 4 && ngx_strncmp(name.data, "127.", 4) == 0;
}


/* Returns 1 for the name itself and for one below it. */

static ngx_uint_t
ngx_http_npmtoken_api_origin_ends(ngx_str_t *text, char *end)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(end);

    if (text->len < len) {
        return 0;
    }

    p = text->data + text->len - len;

    return ngx_strncasecmp(p, (u_char *) end, len) == 0
           && (text->len == len || p[-1] == '.');
}


/* Returns the host with its port as the client says it, or an empty string. */

static ngx_str_t
ngx_http_npmtoken_api_origin_host(ngx_http_request_t *r)
{
    u_char      ch;
    size_t      i;
    ngx_str_t   host, none = ngx_null_string;

    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;

    for (i = 0; i < host.len; i++) {
        ch = host.data[i];

        if ((ch < '0' || ch > '9')
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && (ch == '\0' || ngx_strchr(".-_:[]", ch) == NULL))
        {
            return none;
        }
    }

    return host;
}


static char *
ngx_http_npmtoken_api_origin_scheme(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        return "https";
    }
#endif

    return "http";
}


/* Returns the origin of the page, or an empty string. */

static ngx_str_t
ngx_http_npmtoken_api_origin_own(ngx_http_npmtoken_api_ctx_t *ctx)
{
    char       *scheme;
    u_char     *p, *last;
    ngx_str_t   own, host;

    own = ctx->conf->url;

    if (own.len) {
        last = own.data + own.len;
        p = ngx_strlchr(own.data, last, ':');
        p = ngx_strlchr(p + sizeof("://") - 1, last, '/');

        own.len = (p ? p : last) - own.data;

        return own;
    }

    host = ngx_http_npmtoken_api_origin_host(ctx->request);
    scheme = ngx_http_npmtoken_api_origin_scheme(ctx->request);

    if (host.len == 0) {
        return own;
    }

    own.data = ngx_pnalloc(ctx->request->pool,
                           ngx_strlen(scheme) + sizeof("://") + host.len);

    if (own.data) {
        own.len = ngx_sprintf(own.data, "%s://%V", scheme, &host) - own.data;
    }

    return own;
}


ngx_str_t
ngx_http_npmtoken_api_origin_url(ngx_http_npmtoken_api_ctx_t *ctx, char *more)
{
    u_char                        *p;
    size_t                         len;
    ngx_str_t                      own, url, *base, none = ngx_null_string;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_npmtoken_module);

    own = ctx->conf->url;
    base = &none;

    if (own.len == 0) {
        own = ngx_http_npmtoken_api_origin_own(ctx);
        base = &nlcf->base.target;
    }

    url = none;

    if (own.len == 0) {
        return url;
    }

    len = ngx_strlen(more);

    url.data = ngx_pnalloc(ctx->request->pool, own.len + base->len + len + 1);

    if (url.data) {
        p = ngx_cpymem(url.data, own.data, own.len);

        if (base->len) {
            p = ngx_cpymem(p, base->data, base->len);
        }

        p = ngx_cpymem(p, more, len);
        url.len = p - url.data;
    }

    return url;
}
