
/*
 * Names are resolved by nginx's resolver if it has servers, each time that a
 * round comes to their host.  Otherwise the names of the URL were resolved
 * when nginx started, and no other name has an address.  Nothing blocks.
 */


#include "ngx_http_npmtoken_dial.h"


static ngx_int_t ngx_http_npmtoken_dial_ask(ngx_http_npmtoken_dial_t *dial);
static void ngx_http_npmtoken_dial_told(void *data, ngx_int_t rc,
    ngx_str_t *host, ngx_uint_t port);
static ngx_int_t ngx_http_npmtoken_dial_host(ngx_http_npmtoken_dial_t *dial);
static ngx_int_t ngx_http_npmtoken_dial_addr(ngx_http_npmtoken_dial_t *dial);
static ngx_int_t ngx_http_npmtoken_dial_place_addr(
    ngx_http_npmtoken_dial_t *dial);
static ngx_int_t ngx_http_npmtoken_dial_place_name(
    ngx_http_npmtoken_dial_t *dial);
static ngx_int_t ngx_http_npmtoken_dial_resolve(
    ngx_http_npmtoken_dial_t *dial, ngx_str_t *name);
static void ngx_http_npmtoken_dial_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_http_npmtoken_dial_keep(ngx_http_npmtoken_dial_t *dial,
    ngx_resolver_addr_t *addrs, ngx_uint_t naddrs);
static ngx_int_t ngx_http_npmtoken_dial_next_host(
    ngx_http_npmtoken_dial_t *dial);


void
ngx_http_npmtoken_dial_init(ngx_http_npmtoken_dial_t *dial,
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_log_t *log)
{
    dial->endpoint = endpoint;
    dial->log = log;
    dial->level = NGX_LOG_ERR;
    dial->name = &endpoint->name;
}


ngx_int_t
ngx_http_npmtoken_dial_find(ngx_http_npmtoken_dial_t *dial)
{
    ngx_int_t  rc;

    if (dial->pinned) {
        return NGX_OK;
    }

    if (dial->endpoint->kind == NGX_HTTP_NPMTOKEN_SENTINEL) {
        return ngx_http_npmtoken_dial_ask(dial);
    }

    rc = ngx_http_npmtoken_dial_host(dial);

    return (rc == NGX_DECLINED) ? ngx_http_npmtoken_dial_next_host(dial) : rc;
}


/* the sentinels themselves are never dialled here */

static ngx_int_t
ngx_http_npmtoken_dial_ask(ngx_http_npmtoken_dial_t *dial)
{
    ngx_http_npmtoken_dial_home(dial);

    dial->question.handler = ngx_http_npmtoken_dial_told;
    dial->question.data = dial;

    return ngx_http_npmtoken_sentinel_ask(dial->endpoint, &dial->question);
}


static void
ngx_http_npmtoken_dial_told(void *data, ngx_int_t rc, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_http_npmtoken_dial_t  *dial = data;

    if (rc == NGX_OK) {
        rc = ngx_http_npmtoken_dial_place(dial, host, port);

    } else {
        ngx_log_error(dial->level, dial->log, 0,
                      "no sentinel names a server for the master \"%V\"",
                      &dial->endpoint->master);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_npmtoken_dial_host(dial);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_npmtoken_dial_next_host(dial);
        }
    }

    if (rc != NGX_AGAIN) {
        dial->handler(dial->data, rc);
    }
}


ngx_int_t
ngx_http_npmtoken_dial_next(ngx_http_npmtoken_dial_t *dial)
{
    if (dial->pinned) {
        dial->pinned = dial->kept;
        ngx_http_npmtoken_dial_pass(dial);

        return NGX_DECLINED;
    }

    dial->next++;

    return (ngx_http_npmtoken_dial_addr(dial) == NGX_OK)
           ? NGX_OK : ngx_http_npmtoken_dial_next_host(dial);
}


/* the first address of the present host; NGX_DECLINED: it has none */

static ngx_int_t
ngx_http_npmtoken_dial_host(ngx_http_npmtoken_dial_t *dial)
{
    ngx_http_npmtoken_seed_t  *seed;

    /* what was found is good for one round */
    dial->nfound = 0;

    if (dial->place.len) {
        dial->name = &dial->place;
        dial->next = 0;

        return ngx_http_npmtoken_dial_place_addr(dial);
    }

    seed = dial->endpoint->seeds.elts;
    seed += dial->seed;

    dial->name = &seed->name;

    if (seed->naddrs) {
        return ngx_http_npmtoken_dial_addr(dial);
    }

    /* the resolver rotates addresses, so the first one differs each time */

    dial->next = 0;
    dial->port = seed->url.port;

    return ngx_http_npmtoken_dial_resolve(dial, &seed->url.host);
}


/* the address that dial->next says; NGX_DECLINED: there is none */

static ngx_int_t
ngx_http_npmtoken_dial_addr(ngx_http_npmtoken_dial_t *dial)
{
    ngx_addr_t                *addr;
    ngx_http_npmtoken_seed_t  *seed;

    if (dial->next < dial->nfound) {
        dial->sockaddr = dial->found[dial->next];
        dial->socklen = dial->found_len[dial->next];

        return NGX_OK;
    }

    if (dial->nfound || dial->place.len) {
        return NGX_DECLINED;
    }

    seed = dial->endpoint->seeds.elts;
    seed += dial->seed;

    if (dial->next >= seed->naddrs) {
        return NGX_DECLINED;
    }

    addr = &seed->addrs[dial->next];

    ngx_memcpy(&dial->sockaddr, addr->sockaddr, addr->socklen);
    dial->socklen = addr->socklen;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_dial_place_addr(ngx_http_npmtoken_dial_t *dial)
{
    in_addr_t             ip;
    ngx_sockaddr_t        sockaddr;
    ngx_resolver_addr_t   addr;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(&sockaddr, sizeof(ngx_sockaddr_t));

    addr.sockaddr = &sockaddr.sockaddr;

    ip = ngx_inet_addr(dial->host.data, dial->host.len);

    if (ip != INADDR_NONE) {
        sockaddr.sockaddr_in.sin_family = AF_INET;
        sockaddr.sockaddr_in.sin_addr.s_addr = ip;
        addr.socklen = sizeof(struct sockaddr_in);

        ngx_http_npmtoken_dial_keep(dial, &addr, 1);

        return ngx_http_npmtoken_dial_addr(dial);
    }

#if (NGX_HAVE_INET6)

    sin6 = &sockaddr.sockaddr_in6;

    if (ngx_inet6_addr(dial->host.data, dial->host.len,
                       sin6->sin6_addr.s6_addr)
        == NGX_OK)
    {
        sin6->sin6_family = AF_INET6;
        addr.socklen = sizeof(struct sockaddr_in6);

        ngx_http_npmtoken_dial_keep(dial, &addr, 1);

        return ngx_http_npmtoken_dial_addr(dial);
    }

#endif

    return ngx_http_npmtoken_dial_place_name(dial);
}


/* without a resolver, only a name that is in the URL has addresses */

static ngx_int_t
ngx_http_npmtoken_dial_place_name(ngx_http_npmtoken_dial_t *dial)
{
    ngx_uint_t                 i, n;
    ngx_resolver_addr_t        addr;
    ngx_http_npmtoken_seed_t  *seed;

    if (dial->endpoint->resolver) {
        return ngx_http_npmtoken_dial_resolve(dial, &dial->host);
    }

    seed = dial->endpoint->seeds.elts;

    for (i = 0; i < dial->endpoint->seeds.nelts; i++) {

        if (seed[i].url.host.len != dial->host.len
            || ngx_strncasecmp(seed[i].url.host.data, dial->host.data,
                               dial->host.len)
               != 0)
        {
            continue;
        }

        for (n = 0; n < seed[i].naddrs; n++) {
            addr.sockaddr = seed[i].addrs[n].sockaddr;
            addr.socklen = seed[i].addrs[n].socklen;

            ngx_http_npmtoken_dial_keep(dial, &addr, 1);
        }

        return ngx_http_npmtoken_dial_addr(dial);
    }

    ngx_log_error(dial->level, dial->log, 0,
                  "\"%V\" is not in \"redis\", and there is no \"resolver\" "
                  "to find its address", &dial->host);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_npmtoken_dial_resolve(ngx_http_npmtoken_dial_t *dial, ngx_str_t *name)
{
    ngx_int_t            rc;
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(dial->endpoint->resolver, NULL);
    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_DECLINED;
    }

    ctx->name = *name;
    ctx->handler = ngx_http_npmtoken_dial_resolved;
    ctx->data = dial;
    ctx->timeout = dial->endpoint->resolver_timeout;
    ctx->cancelable = 1;

    dial->resolving = ctx;

    /* for a name that it knows, the resolver calls the handler at once */

    dial->finding = 1;

    rc = ngx_resolve_name(ctx);

    dial->finding = 0;

    if (rc != NGX_OK) {
        dial->resolving = NULL;
        return NGX_DECLINED;
    }

    return dial->resolving ? NGX_AGAIN : ngx_http_npmtoken_dial_addr(dial);
}


static void
ngx_http_npmtoken_dial_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_npmtoken_dial_t  *dial;

    dial = ctx->data;
    dial->resolving = NULL;

    if (ctx->state || ctx->naddrs == 0) {
        ngx_log_error(dial->level, dial->log, 0,
                      "%V could not be resolved (%i: %s)", &ctx->name,
                      ctx->state, ngx_resolver_strerror(ctx->state));

    } else {
        ngx_http_npmtoken_dial_keep(dial, ctx->addrs, ctx->naddrs);
    }

    ngx_resolve_name_done(ctx);

    if (dial->finding) {
        return;
    }

    rc = ngx_http_npmtoken_dial_addr(dial);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_npmtoken_dial_next_host(dial);
    }

    if (rc != NGX_AGAIN) {
        dial->handler(dial->data, rc);
    }
}


/* adds addresses to those found, with the port that is dialled */

static void
ngx_http_npmtoken_dial_keep(ngx_http_npmtoken_dial_t *dial,
    ngx_resolver_addr_t *addrs, ngx_uint_t naddrs)
{
    ngx_uint_t       i;
    ngx_sockaddr_t  *found;

    for (i = 0; i < naddrs; i++) {

        if (dial->nfound == NGX_HTTP_NPMTOKEN_DIAL_FOUND) {
            return;
        }

        found = &dial->found[dial->nfound];

        ngx_memcpy(found, addrs[i].sockaddr, addrs[i].socklen);
        ngx_inet_set_port(&found->sockaddr, dial->port);

        dial->found_len[dial->nfound++] = addrs[i].socklen;
    }
}


/* goes on with the next host, or ends the round */

static ngx_int_t
ngx_http_npmtoken_dial_next_host(ngx_http_npmtoken_dial_t *dial)
{
    ngx_int_t  rc;

    do {
        dial->next = 0;

        if (dial->place.len) {
            ngx_http_npmtoken_dial_home(dial);

            if (dial->endpoint->kind == NGX_HTTP_NPMTOKEN_SENTINEL) {
                ngx_http_npmtoken_sentinel_doubt(dial->endpoint,
                                                 dial->question.told_by);
            } else {
                ngx_http_npmtoken_dial_pass(dial);
            }

            return NGX_DECLINED;
        }

        dial->seed = (dial->seed + 1) % dial->endpoint->seeds.nelts;

        if (dial->seed == 0) {
            return NGX_DECLINED;
        }

        rc = ngx_http_npmtoken_dial_host(dial);

    } while (rc == NGX_DECLINED);

    return rc;
}


void
ngx_http_npmtoken_dial_pass(ngx_http_npmtoken_dial_t *dial)
{
    if (dial->endpoint->seeds.nelts > 1) {
        dial->seed = (dial->seed + 1) % dial->endpoint->seeds.nelts;
        dial->next = 0;
    }
}


void
ngx_http_npmtoken_dial_stop(ngx_http_npmtoken_dial_t *dial)
{
    if (dial->resolving) {
        ngx_resolve_name_done(dial->resolving);
        dial->resolving = NULL;
    }

    ngx_http_npmtoken_sentinel_forget(&dial->question);
}


void
ngx_http_npmtoken_dial_pin(ngx_http_npmtoken_dial_t *dial,
    ngx_sockaddr_t *sockaddr, socklen_t socklen, ngx_str_t *host)
{
    dial->sockaddr = *sockaddr;
    dial->socklen = socklen;

    dial->pin.data = dial->pin_text;
    dial->pin.len = ngx_min(host->len, NGX_HTTP_NPMTOKEN_DIAL_HOST);
    ngx_memmove(dial->pin_text, host->data, dial->pin.len);

    dial->place.len = 0;

    dial->host.data = dial->text;
    dial->host.len = ngx_sock_ntop(&sockaddr->sockaddr, socklen, dial->text,
                                   sizeof(dial->text), 1);
    dial->name = &dial->host;

    dial->pinned = 1;
}


ngx_int_t
ngx_http_npmtoken_dial_place(ngx_http_npmtoken_dial_t *dial, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_uint_t  ipv6;

    if (ngx_http_npmtoken_dial_check(host, port) != NGX_OK) {
        return NGX_DECLINED;
    }

    ipv6 = (ngx_strlchr(host->data, host->data + host->len, ':') != NULL);

    dial->place.data = dial->text;
    dial->place.len = ngx_sprintf(dial->text, ipv6 ? "[%V]:%ui" : "%V:%ui",
                                  host, port)
                      - dial->text;

    dial->host.data = dial->text + ipv6;
    dial->host.len = host->len;
    dial->port = (in_port_t) port;
    dial->pinned = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_dial_port(ngx_http_npmtoken_dial_t *dial,
    ngx_http_npmtoken_dial_t *other, ngx_uint_t port)
{
    ngx_sockaddr_t  sockaddr;

    if (port == 0 || port > 65535
        || other->sockaddr.sockaddr.sa_family == AF_UNIX)
    {
        return NGX_DECLINED;
    }

    sockaddr = other->sockaddr;
    ngx_inet_set_port(&sockaddr.sockaddr, (in_port_t) port);

    ngx_http_npmtoken_dial_pin(dial, &sockaddr, other->socklen,
                               ngx_http_npmtoken_dial_to(other));
    return NGX_OK;
}


ngx_uint_t
ngx_http_npmtoken_dial_leads_to(ngx_http_npmtoken_dial_t *dial,
    ngx_str_t *host, ngx_uint_t port)
{
    return dial->place.len && dial->port == port
           && dial->host.len == host->len
           && ngx_strncasecmp(dial->host.data, host->data, host->len) == 0;
}


ngx_int_t
ngx_http_npmtoken_dial_check(ngx_str_t *host, ngx_int_t port)
{
    u_char  ch;
    size_t  i;

    if (host->len == 0 || host->len > NGX_HTTP_NPMTOKEN_DIAL_HOST
        || port < 1 || port > 65535)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];

        if ((ch < '0' || ch > '9') && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && ch != '.' && ch != '-' && ch != '_' && ch != ':')
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


void
ngx_http_npmtoken_dial_home(ngx_http_npmtoken_dial_t *dial)
{
    dial->pinned = 0;
    dial->place.len = 0;
    dial->nfound = 0;
    dial->next = 0;
    dial->name = &dial->endpoint->name;
}


ngx_str_t *
ngx_http_npmtoken_dial_to(ngx_http_npmtoken_dial_t *dial)
{
    ngx_http_npmtoken_seed_t  *seed;

    if (dial->pinned) {
        return &dial->pin;
    }

    if (dial->place.len) {
        return &dial->host;
    }

    seed = dial->endpoint->seeds.elts;

    return &seed[dial->seed].url.host;
}
