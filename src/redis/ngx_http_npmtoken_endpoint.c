
#include "ngx_http_npmtoken_endpoint.h"


/* the parts of a URL */

typedef struct {
    ngx_str_t             userinfo;
    ngx_str_t             host;        /* with the port, or "unix:/path" */
    ngx_str_t             db;
} ngx_http_npmtoken_endpoint_parts_t;


static char *ngx_http_npmtoken_endpoint_split(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts);
static void ngx_http_npmtoken_endpoint_split_unix(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts);
static char *ngx_http_npmtoken_endpoint_split_tcp(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts);
static char *ngx_http_npmtoken_endpoint_userinfo(ngx_conf_t *cf,
    ngx_str_t *userinfo, ngx_http_npmtoken_endpoint_t *endpoint);
static char *ngx_http_npmtoken_endpoint_decode(ngx_conf_t *cf, u_char *src,
    size_t len, ngx_str_t *dst);
static char *ngx_http_npmtoken_endpoint_host(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_http_npmtoken_endpoint_t *endpoint);
static ngx_int_t ngx_http_npmtoken_endpoint_name(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts, ngx_str_t *name);


static ngx_str_t  ngx_http_npmtoken_redis_scheme = ngx_string("redis://");
static ngx_str_t  ngx_http_npmtoken_rediss_scheme = ngx_string("rediss://");
static ngx_str_t  ngx_http_npmtoken_unix_scheme = ngx_string("unix:");


#define ngx_http_npmtoken_has_prefix(s, prefix)                               \
    ((s)->len >= (prefix)->len                                                \
     && ngx_memcmp((s)->data, (prefix)->data, (prefix)->len) == 0)


ngx_int_t
ngx_http_npmtoken_endpoint_parse(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_npmtoken_endpoint_t *endpoint)
{
    char                                *err;
    ngx_int_t                            db;
    ngx_http_npmtoken_endpoint_parts_t   parts;

    ngx_memzero(&parts, sizeof(ngx_http_npmtoken_endpoint_parts_t));

    err = ngx_http_npmtoken_endpoint_split(text, &parts);

    if (err) {
        goto invalid;
    }

    if (ngx_http_npmtoken_endpoint_name(cf, &parts, &endpoint->name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (parts.db.data) {
        db = ngx_atoi(parts.db.data, parts.db.len);

        if (db == NGX_ERROR) {
            err = "invalid database number";
            goto invalid;
        }

        endpoint->db = db;
    }

    err = ngx_http_npmtoken_endpoint_userinfo(cf, &parts.userinfo, endpoint);

    if (err) {
        goto invalid;
    }

    err = ngx_http_npmtoken_endpoint_host(cf, &parts, endpoint);

    if (err == NULL) {
        return NGX_OK;
    }

invalid:

    /* neither the name nor the host contains user or password */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s in \"redis\" directive, value \"%V\"",
                       err, endpoint->name.len ? &endpoint->name
                                               : &parts.host);
    return NGX_ERROR;
}


static char *
ngx_http_npmtoken_endpoint_split(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts)
{
    if (ngx_http_npmtoken_has_prefix(text, &ngx_http_npmtoken_unix_scheme)) {

        if (text->data[sizeof("unix:") - 1] != '/'
            || text->data[sizeof("unix:/") - 1] == '/')
        {
            /* the rest may be a user and password */

            parts->host = ngx_http_npmtoken_unix_scheme;
            return "\"unix:\" needs an absolute path";
        }

        ngx_http_npmtoken_endpoint_split_unix(text, parts);
        return NULL;
    }

    if (ngx_http_npmtoken_has_prefix(text, &ngx_http_npmtoken_redis_scheme)) {
        return ngx_http_npmtoken_endpoint_split_tcp(text, parts);
    }

    if (ngx_http_npmtoken_has_prefix(text, &ngx_http_npmtoken_rediss_scheme))
    {
        parts->host = ngx_http_npmtoken_rediss_scheme;
        return "TLS is not supported";
    }

    if (ngx_strlchr(text->data, text->data + text->len, '@')) {
        ngx_str_set(&parts->host, "...@...");

    } else {
        parts->host = *text;
    }

    return "a URL must begin with \"redis://\" or \"unix:\"";
}


static void
ngx_http_npmtoken_endpoint_split_unix(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts)
{
    u_char  *p, *path, *last;

    path = text->data + ngx_http_npmtoken_unix_scheme.len;
    last = text->data + text->len;

    parts->host = *text;

    for (p = last; p > path && p[-1] != ':' && p[-1] != '/'; p--) {
        /* void */
    }

    if (p > path && p[-1] == ':') {
        parts->host.len = p - 1 - text->data;
        parts->db.data = p;
        parts->db.len = last - p;
    }
}


static char *
ngx_http_npmtoken_endpoint_split_tcp(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts)
{
    u_char  *p, *host, *last;

    host = text->data + ngx_http_npmtoken_redis_scheme.len;
    last = text->data + text->len;

    /* a password may contain a raw "@", a host cannot */

    for (p = last; p > host; p--) {
        if (p[-1] == '@') {
            parts->userinfo.data = host;
            parts->userinfo.len = p - 1 - host;
            host = p;
            break;
        }
    }

    p = ngx_strlchr(host, last, '/');

    if (p) {
        parts->db.data = p + 1;
        parts->db.len = last - parts->db.data;

        if (parts->db.len == 0) {
            parts->db.data = NULL;
        }

        last = p;
    }

    parts->host.data = host;
    parts->host.len = last - host;

    if (parts->host.len) {
        return NULL;
    }

    /* the scheme is all that can be shown */
    parts->host = ngx_http_npmtoken_redis_scheme;

    return "no host";
}


static char *
ngx_http_npmtoken_endpoint_userinfo(ngx_conf_t *cf, ngx_str_t *userinfo,
    ngx_http_npmtoken_endpoint_t *endpoint)
{
    char    *err;
    u_char  *p, *last;

    if (userinfo->data == NULL) {
        return NULL;
    }

    last = userinfo->data + userinfo->len;

    p = ngx_strlchr(userinfo->data, last, ':');

    err = ngx_http_npmtoken_endpoint_decode(cf, userinfo->data,
                                            (p ? p : last) - userinfo->data,
                                            &endpoint->user);
    if (err || p == NULL) {
        return err;
    }

    p++;

    return ngx_http_npmtoken_endpoint_decode(cf, p, last - p,
                                             &endpoint->password);
}


static char *
ngx_http_npmtoken_endpoint_decode(ngx_conf_t *cf, u_char *src, size_t len,
    ngx_str_t *dst)
{
    u_char  *p, *last;

    p = ngx_pnalloc(cf->pool, len + 1);
    if (p == NULL) {
        return "no memory";
    }

    dst->data = p;

    for (last = src + len; src < last; src++) {

        if (*src != '%') {
            *p++ = *src;
            continue;
        }

        if (last - src < 3 || ngx_hextoi(src + 1, 2) == NGX_ERROR) {
            return "invalid percent-encoding of the user or password";
        }

        *p++ = (u_char) ngx_hextoi(src + 1, 2);
        src += 2;
    }

    dst->len = p - dst->data;

    return NULL;
}


static char *
ngx_http_npmtoken_endpoint_host(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_http_npmtoken_endpoint_t *endpoint)
{
    ngx_url_t  *url;

    url = &endpoint->url;

    ngx_memzero(url, sizeof(ngx_url_t));

    url->url = parts->host;
    url->default_port = NGX_HTTP_NPMTOKEN_REDIS_PORT;
    url->no_resolve = 1;

    if (ngx_parse_url(cf->pool, url) != NGX_OK) {
        return url->err ? url->err : "invalid host";
    }

    endpoint->addrs = url->addrs;
    endpoint->naddrs = url->naddrs;

    return NULL;
}


static ngx_int_t
ngx_http_npmtoken_endpoint_name(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts, ngx_str_t *name)
{
    u_char      *p;
    ngx_uint_t   tcp;

    tcp = !ngx_http_npmtoken_has_prefix(&parts->host,
                                        &ngx_http_npmtoken_unix_scheme);

    p = ngx_pnalloc(cf->pool, ngx_http_npmtoken_redis_scheme.len
                              + parts->host.len + 1 + parts->db.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name->data = p;

    if (tcp) {
        p = ngx_cpymem(p, ngx_http_npmtoken_redis_scheme.data,
                       ngx_http_npmtoken_redis_scheme.len);
    }

    p = ngx_cpymem(p, parts->host.data, parts->host.len);

    if (parts->db.data) {
        *p++ = tcp ? '/' : ':';
        p = ngx_cpymem(p, parts->db.data, parts->db.len);
    }

    name->len = p - name->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_endpoint_resolve(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout)
{
    ngx_url_t  *url;

    if (endpoint->naddrs) {
        return NGX_OK;
    }

    if (resolver && resolver->connections.nelts) {
        endpoint->resolver = resolver;
        endpoint->resolver_timeout = resolver_timeout;
        return NGX_OK;
    }

    url = &endpoint->url;

    if (ngx_inet_resolve_host(cf->pool, url) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s in \"redis\" directive, value \"%V\"",
                      url->err ? url->err : "host not found",
                      &endpoint->name);
        return NGX_ERROR;
    }

    endpoint->addrs = url->addrs;
    endpoint->naddrs = url->naddrs;

    return NGX_OK;
}
