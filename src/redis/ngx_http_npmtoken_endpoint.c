
#include "ngx_http_npmtoken_endpoint.h"


typedef struct {
    ngx_str_t                          prefix;
    ngx_uint_t                         ssl;
    ngx_http_npmtoken_endpoint_kind_e  kind;
    in_port_t                          port;    /* if the URL has none */
} ngx_http_npmtoken_scheme_t;


/* the parts of a URL */

typedef struct {
    ngx_http_npmtoken_scheme_t  *scheme;     /* NULL: "unix:" */
    ngx_str_t                    userinfo;
    ngx_str_t                    hosts;      /* with ports, or
                                                "unix:/path" */
    ngx_str_t                    path;       /* after the hosts' "/" or ":" */
    ngx_str_t                    db;
} ngx_http_npmtoken_endpoint_parts_t;


static char *ngx_http_npmtoken_endpoint_split(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts);
static void ngx_http_npmtoken_endpoint_split_unix(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts);
static char *ngx_http_npmtoken_endpoint_split_tcp(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts);
static char *ngx_http_npmtoken_endpoint_kind(
    ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_http_npmtoken_endpoint_t *endpoint);
static ngx_int_t ngx_http_npmtoken_endpoint_master(
    ngx_http_npmtoken_endpoint_parts_t *parts, ngx_str_t *master);
static char *ngx_http_npmtoken_endpoint_userinfo(ngx_conf_t *cf,
    ngx_str_t *userinfo, ngx_http_npmtoken_endpoint_t *endpoint);
static char *ngx_http_npmtoken_endpoint_decode(ngx_conf_t *cf, u_char *src,
    size_t len, ngx_str_t *dst);
static char *ngx_http_npmtoken_endpoint_seeds(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_http_npmtoken_endpoint_t *endpoint);
static char *ngx_http_npmtoken_endpoint_seed(ngx_conf_t *cf, ngx_str_t *name,
    in_port_t port, ngx_http_npmtoken_endpoint_t *endpoint);
static ngx_int_t ngx_http_npmtoken_endpoint_name(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts, ngx_str_t *name);


static ngx_str_t  ngx_http_npmtoken_unix_scheme = ngx_string("unix:");


static ngx_http_npmtoken_scheme_t  ngx_http_npmtoken_schemes[] = {

    { ngx_string("redis://"),
      0, NGX_HTTP_NPMTOKEN_SINGLE, NGX_HTTP_NPMTOKEN_REDIS_PORT },

    { ngx_string("rediss://"),
      1, NGX_HTTP_NPMTOKEN_SINGLE, NGX_HTTP_NPMTOKEN_REDIS_PORT },

    { ngx_string("redis-sentinel://"),
      0, NGX_HTTP_NPMTOKEN_SENTINEL, NGX_HTTP_NPMTOKEN_SENTINEL_PORT },

    { ngx_string("redis-sentinel+tls://"),
      1, NGX_HTTP_NPMTOKEN_SENTINEL, NGX_HTTP_NPMTOKEN_SENTINEL_PORT },

    { ngx_string("redis-cluster://"),
      0, NGX_HTTP_NPMTOKEN_CLUSTER, NGX_HTTP_NPMTOKEN_REDIS_PORT },

    { ngx_string("redis-cluster+tls://"),
      1, NGX_HTTP_NPMTOKEN_CLUSTER, NGX_HTTP_NPMTOKEN_REDIS_PORT },

    { ngx_null_string, 0, NGX_HTTP_NPMTOKEN_SINGLE, 0 }
};


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

    err = ngx_http_npmtoken_endpoint_kind(&parts, endpoint);

    if (err) {
        goto invalid;
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

    err = ngx_http_npmtoken_endpoint_seeds(cf, &parts, endpoint);

    if (err == NULL) {
        return NGX_OK;
    }

invalid:

    /* neither the name nor the hosts contain user or password */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s in \"redis\" directive, value \"%V\"",
                       err, endpoint->name.len ? &endpoint->name
                                               : &parts.hosts);
    return NGX_ERROR;
}


static char *
ngx_http_npmtoken_endpoint_split(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts)
{
    ngx_http_npmtoken_scheme_t  *scheme;

    if (ngx_http_npmtoken_has_prefix(text, &ngx_http_npmtoken_unix_scheme)) {

        if (text->data[sizeof("unix:") - 1] != '/'
            || text->data[sizeof("unix:/") - 1] == '/')
        {
            /* the rest may be a user and password */

            parts->hosts = ngx_http_npmtoken_unix_scheme;
            return "\"unix:\" needs an absolute path";
        }

        ngx_http_npmtoken_endpoint_split_unix(text, parts);
        return NULL;
    }

    for (scheme = ngx_http_npmtoken_schemes; scheme->prefix.len; scheme++) {

        if (ngx_http_npmtoken_has_prefix(text, &scheme->prefix)) {
            parts->scheme = scheme;
            return ngx_http_npmtoken_endpoint_split_tcp(text, parts);
        }
    }

    if (ngx_strlchr(text->data, text->data + text->len, '@')) {
        ngx_str_set(&parts->hosts, "...@...");

    } else {
        parts->hosts = *text;
    }

    return "a URL must begin with \"redis://\", \"rediss://\", "
           "\"redis-sentinel://\", \"redis-cluster://\" or \"unix:\"";
}


static void
ngx_http_npmtoken_endpoint_split_unix(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts)
{
    u_char  *p, *path, *last;

    path = text->data + ngx_http_npmtoken_unix_scheme.len;
    last = text->data + text->len;

    parts->hosts = *text;

    for (p = last; p > path && p[-1] != ':' && p[-1] != '/'; p--) {
        /* void */
    }

    if (p > path && p[-1] == ':') {
        parts->hosts.len = p - 1 - text->data;
        parts->path.data = p;
        parts->path.len = last - p;
    }
}


static char *
ngx_http_npmtoken_endpoint_split_tcp(ngx_str_t *text,
    ngx_http_npmtoken_endpoint_parts_t *parts)
{
    u_char  *p, *host, *last;

    host = text->data + parts->scheme->prefix.len;
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
        parts->path.data = p + 1;
        parts->path.len = last - parts->path.data;
        last = p;
    }

    parts->hosts.data = host;
    parts->hosts.len = last - host;

    if (parts->hosts.len) {
        return NULL;
    }

    /* the scheme is all that can be shown */
    parts->hosts = parts->scheme->prefix;

    return "no host";
}


/* what follows the hosts, and how many there may be, depends on the kind */

static char *
ngx_http_npmtoken_endpoint_kind(ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_http_npmtoken_endpoint_t *endpoint)
{
    u_char     *last;
    ngx_str_t  *userinfo;

    if (parts->scheme) {
        endpoint->kind = parts->scheme->kind;
        endpoint->ssl = parts->scheme->ssl;
    }

    userinfo = &parts->userinfo;

    if (endpoint->kind == NGX_HTTP_NPMTOKEN_SINGLE) {

        /* "/" alone names no database */

        if (parts->scheme == NULL || parts->path.len) {
            parts->db = parts->path;
        }

        last = parts->hosts.data + parts->hosts.len;

        if (parts->scheme && ngx_strlchr(parts->hosts.data, last, ',')) {
            return "more than one host";
        }

        return NULL;
    }

    /* otherwise "u:p@one,u:p@two" would have a password with a host in it */

    if (userinfo->len
        && ngx_strlchr(userinfo->data, userinfo->data + userinfo->len, '@'))
    {
        return "more than one \"@\": a user and password stand once, before "
               "all hosts, and an \"@\" in them as \"%40\"";
    }

    if (endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER) {

        if (parts->path.len) {
            return "a Redis Cluster has no databases";
        }

        return NULL;
    }

    if (ngx_http_npmtoken_endpoint_master(parts, &endpoint->master)
        != NGX_OK)
    {
        return "no valid name of a master after the hosts";
    }

    return NULL;
}


/*
 * Sentinel allows letters, digits, ".", "-" and "_" in a name; see "sentinel
 * monitor" in Redis's sentinel.conf.
 */

static ngx_int_t
ngx_http_npmtoken_endpoint_master(ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_str_t *master)
{
    u_char  *p, *last, ch;

    p = parts->path.data;
    last = p + parts->path.len;

    for ( /* void */ ; p < last && *p != '/'; p++) {
        ch = *p;

        if ((ch < '0' || ch > '9') && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && ch != '.' && ch != '-' && ch != '_')
        {
            return NGX_ERROR;
        }
    }

    master->data = parts->path.data;
    master->len = p - parts->path.data;

    if (last - p > 1) {
        parts->db.data = p + 1;
        parts->db.len = last - parts->db.data;
    }

    return master->len ? NGX_OK : NGX_ERROR;
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
ngx_http_npmtoken_endpoint_seeds(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts,
    ngx_http_npmtoken_endpoint_t *endpoint)
{
    char       *err;
    u_char     *p, *last;
    in_port_t   port;
    ngx_str_t   name;

    if (ngx_array_init(&endpoint->seeds, cf->pool, 1,
                       sizeof(ngx_http_npmtoken_seed_t))
        != NGX_OK)
    {
        return "no memory";
    }

    if (parts->scheme == NULL) {
        return ngx_http_npmtoken_endpoint_seed(cf, &parts->hosts, 0,
                                               endpoint);
    }

    port = parts->scheme->port;

    name.data = parts->hosts.data;
    last = parts->hosts.data + parts->hosts.len;

    for ( ;; ) {
        p = ngx_strlchr(name.data, last, ',');

        name.len = (p ? p : last) - name.data;

        if (name.len == 0) {
            return "an empty host";
        }

        err = ngx_http_npmtoken_endpoint_seed(cf, &name, port, endpoint);

        if (err || p == NULL) {
            return err;
        }

        name.data = p + 1;
    }
}


static char *
ngx_http_npmtoken_endpoint_seed(ngx_conf_t *cf, ngx_str_t *name,
    in_port_t port, ngx_http_npmtoken_endpoint_t *endpoint)
{
    ngx_url_t                 *url;
    ngx_http_npmtoken_seed_t  *seed;

    seed = ngx_array_push(&endpoint->seeds);
    if (seed == NULL) {
        return "no memory";
    }

    ngx_memzero(seed, sizeof(ngx_http_npmtoken_seed_t));

    url = &seed->url;

    url->url = *name;
    url->default_port = port;
    url->no_resolve = 1;

    if (ngx_parse_url(cf->pool, url) != NGX_OK) {
        return url->err ? url->err : "invalid host";
    }

    seed->name = *name;
    seed->addrs = url->addrs;
    seed->naddrs = url->naddrs;

    return NULL;
}


static ngx_int_t
ngx_http_npmtoken_endpoint_name(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_parts_t *parts, ngx_str_t *name)
{
    u_char     *p;
    ngx_str_t   prefix;

    ngx_str_set(&prefix, "");

    if (parts->scheme) {
        prefix = parts->scheme->prefix;
    }

    p = ngx_pnalloc(cf->pool, prefix.len + parts->hosts.len + 1
                              + parts->path.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name->data = p;

    p = ngx_cpymem(p, prefix.data, prefix.len);
    p = ngx_cpymem(p, parts->hosts.data, parts->hosts.len);

    if (parts->path.len) {
        *p++ = parts->scheme ? '/' : ':';
        p = ngx_cpymem(p, parts->path.data, parts->path.len);
    }

    name->len = p - name->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_endpoint_resolve(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout)
{
    ngx_url_t                 *url;
    ngx_uint_t                 i;
    ngx_http_npmtoken_seed_t  *seed;

    if (resolver && resolver->connections.nelts) {
        endpoint->resolver = resolver;
        endpoint->resolver_timeout = resolver_timeout;
        return NGX_OK;
    }

    seed = endpoint->seeds.elts;

    for (i = 0; i < endpoint->seeds.nelts; i++) {

        if (seed[i].naddrs) {
            continue;
        }

        url = &seed[i].url;

        if (ngx_inet_resolve_host(cf->pool, url) != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "%s in \"redis\" directive, value \"%V\"",
                          url->err ? url->err : "host not found",
                          &endpoint->name);
            return NGX_ERROR;
        }

        seed[i].addrs = url->addrs;
        seed[i].naddrs = url->naddrs;
    }

    return NGX_OK;
}
