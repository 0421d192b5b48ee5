
/*
 * Directives may stand in any order, so what depends on several of them is
 * known only when all are read.
 */


#include "ngx_http_npmtoken_store_complete.h"
#include "ngx_http_npmtoken_cluster.h"


static ngx_int_t ngx_http_npmtoken_store_complete_credentials(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_complete_ssl(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_complete_ssl_missing(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, char *missing, char *present);
static ngx_int_t ngx_http_npmtoken_store_complete_sentinels(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_complete_replicas(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_complete_records(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_complete_cache(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, void *tag);


ngx_int_t
ngx_http_npmtoken_store_complete(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout, void *tag)
{
    ngx_http_npmtoken_lookup_conf_t  *lookup;

    if (!store->defined) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"npmtoken_store\" \"%V\" is defined, "
                      "but it is used in %s:%ui",
                      &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    lookup = &store->lookup;

    if (lookup->endpoint.name.data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"redis\" in \"npmtoken_store\" \"%V\" in %s:%ui",
                      &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    ngx_conf_init_msec_value(lookup->timeout, 500);
    ngx_conf_init_msec_value(lookup->connect_timeout, 1000);
    ngx_conf_init_msec_value(lookup->bound, 1000);
    ngx_conf_init_uint_value(lookup->replicas, 0);
    ngx_conf_init_uint_value(lookup->queue, 1024);
    ngx_conf_init_uint_value(lookup->share, ngx_max(lookup->queue / 4, 1));
    ngx_conf_init_msec_value(lookup->endpoint.keepalive, 15 * 1000);
    ngx_conf_init_msec_value(lookup->endpoint.user_timeout, 5 * 1000);
    ngx_conf_init_uint_value(lookup->endpoint.replica, 0);

    ngx_conf_init_size_value(store->cache_size, 8 * 1024 * 1024);
    ngx_conf_init_msec_value(store->cache_ttl, 60 * 1000);
    ngx_conf_init_msec_value(store->negative_ttl, 5 * 1000);
    ngx_conf_init_msec_value(store->stale_reads, 0);
    ngx_conf_init_uint_value(store->push, 1);

    if (lookup->share > lookup->queue) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"lookup_share\" %ui is more than \"lookup_queue\" %ui "
                      "in \"npmtoken_store\" \"%V\" in %s:%ui",
                      lookup->share, lookup->queue, &store->name,
                      store->file, store->line);
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_store_complete_credentials(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_complete_ssl(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_complete_replicas(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_complete_records(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_complete_cache(cf, store, tag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    lookup->listen = lookup->endpoint.kind == NGX_HTTP_NPMTOKEN_SENTINEL
                     && (!store->push || lookup->cache == NULL);

    store->feed_conf.store = store->name;
    store->feed_conf.bound = lookup->bound;
    store->feed_conf.replicas = lookup->replicas;
    store->feed_conf.connect_timeout = lookup->connect_timeout;
    store->feed_conf.endpoint = &lookup->endpoint;

    return ngx_http_npmtoken_endpoint_resolve(cf, &lookup->endpoint, resolver,
                                              resolver_timeout);
}


static ngx_int_t
ngx_http_npmtoken_store_complete_credentials(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = &store->lookup.endpoint;

    if ((endpoint->user.len && store->redis_user.len)
        || (endpoint->password.len && store->redis_password.len))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"npmtoken_store\" \"%V\" in %s:%ui has a user or "
                      "password in \"redis\" and in another directive",
                      &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    if (store->redis_user.len) {
        endpoint->user = store->redis_user;
    }

    if (store->redis_password.len) {
        endpoint->password = store->redis_password;
    }

    if (endpoint->user.len && endpoint->password.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"npmtoken_store\" \"%V\" in %s:%ui has the user "
                      "\"%V\" but no password",
                      &store->name, store->file, store->line,
                      &endpoint->user);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_store_complete_sentinels(cf, store);
}


static ngx_int_t
ngx_http_npmtoken_store_complete_sentinels(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char                          *err;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = &store->lookup.endpoint;
    endpoint->sentinel_timeout = store->lookup.connect_timeout;

    if (endpoint->kind != NGX_HTTP_NPMTOKEN_SENTINEL
        && (endpoint->sentinel_user.len || endpoint->sentinel_password.len))
    {
        err = "a user or password of sentinels, but no \"redis-sentinel://\"";

    } else if (endpoint->sentinel_user.len
               && endpoint->sentinel_password.len == 0)
    {
        err = "\"redis_sentinel_user\" but no "
              "\"redis_sentinel_password_file\"";

    } else if (endpoint->kind != NGX_HTTP_NPMTOKEN_SINGLE && endpoint->replica)
    {
        err = "\"redis_replica on\", which is for the URL of one server";

    } else {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"npmtoken_store\" \"%V\" in %s:%ui has %s",
                  &store->name, store->file, store->line, err);

    return NGX_ERROR;
}


/* a directive that would have no effect is a mistake: someone expects TLS */

static ngx_int_t
ngx_http_npmtoken_store_complete_ssl(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char                          *present, *wrong;
    ngx_http_npmtoken_endpoint_t  *endpoint;
    ngx_http_npmtoken_ssl_conf_t  *ssl;

    endpoint = &store->lookup.endpoint;
    ssl = &endpoint->ssl_conf;

    if (!endpoint->ssl) {
        present = ssl->name.data ? "redis_ssl_name"
                  : ssl->verify != NGX_CONF_UNSET_UINT ? "redis_ssl_verify"
                  : ssl->trusted.data ? "redis_ssl_trusted_certificate"
                  : ssl->crl.data ? "redis_ssl_crl"
                  : ssl->certificate.data ? "redis_ssl_certificate"
                  : ssl->key.data ? "redis_ssl_certificate_key"
                  : ssl->protocols ? "redis_ssl_protocols"
                  : ssl->ciphers.data ? "redis_ssl_ciphers"
                  : NULL;

        return present ? ngx_http_npmtoken_store_complete_ssl_missing(cf, store,
                                            "TLS in the URL (\"rediss://\")",
                                            present)
                       : NGX_OK;
    }

    if (ssl->certificate.len && ssl->key.len == 0) {
        return ngx_http_npmtoken_store_complete_ssl_missing(cf, store,
                                               "redis_ssl_certificate_key",
                                               "redis_ssl_certificate");
    }

    if (ssl->key.len && ssl->certificate.len == 0) {
        return ngx_http_npmtoken_store_complete_ssl_missing(cf, store,
                                               "redis_ssl_certificate",
                                               "redis_ssl_certificate_key");
    }

    ngx_conf_init_uint_value(ssl->verify, 1);

    if (!ssl->verify && (ssl->trusted.len || ssl->crl.len)) {
        return ngx_http_npmtoken_store_complete_ssl_missing(cf, store,
                                            "\"redis_ssl_verify on\"",
                                            ssl->crl.len
                                            ? "redis_ssl_crl"
                                            : "redis_ssl_trusted_certificate");
    }

    wrong = ngx_http_npmtoken_ssl_create(cf, ssl);

    if (wrong) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s in \"npmtoken_store\" \"%V\" in %s:%ui",
                      wrong, &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_complete_ssl_missing(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, char *missing, char *present)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" needs %s in \"npmtoken_store\" \"%V\" in %s:%ui",
                  present, missing, &store->name, store->file, store->line);

    return NGX_ERROR;
}


/* without a feed there is no proof, and a replica takes no write */

static ngx_int_t
ngx_http_npmtoken_store_complete_replicas(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char  *other;

    if (store->lookup.replicas == 0) {
        return NGX_OK;
    }

    other = !store->push ? "\"push off\""
            : store->cache_size == 0 ? "\"cache off\""
            : store->lookup.endpoint.replica ? "\"redis_replica on\""
            : NULL;

    if (other == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"proof_replicas\" %ui does not go with %s in "
                  "\"npmtoken_store\" \"%V\" in %s:%ui",
                  store->lookup.replicas, other, &store->name, store->file,
                  store->line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_store_complete_records(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    u_char                        *p;
    ngx_str_t                     *records;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = &store->lookup.endpoint;

    if (store->prefix.data == NULL) {

        if (endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER) {
            ngx_str_set(&store->prefix, "{npmtoken}:");

        } else {
            ngx_str_set(&store->prefix, "npmtoken:");
        }
    }

    if (endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER
        && !ngx_http_npmtoken_cluster_hash_tag(&store->prefix))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"prefix\" \"%V\" has no hash tag, which a Redis "
                      "Cluster needs, as in \"{npmtoken}:\", in "
                      "\"npmtoken_store\" \"%V\" in %s:%ui",
                      &store->prefix, &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    records = &endpoint->records;

    records->len = store->prefix.len + sizeof("token:") - 1;
    records->data = ngx_pnalloc(cf->pool, records->len);

    if (records->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(records->data, store->prefix.data, store->prefix.len);
    ngx_memcpy(p, "token:", sizeof("token:") - 1);

    /* too short for a record's, and in reach of the right to read these */

    endpoint->none.len = records->len + sizeof("none") - 1;
    endpoint->none.data = ngx_pnalloc(cf->pool, endpoint->none.len);

    if (endpoint->none.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(endpoint->none.data, records->data, records->len);
    ngx_memcpy(p, "none", sizeof("none") - 1);

    return NGX_OK;
}


/*
 * After a reload, old workers still use their zone.  The name of a zone
 * identifies what its entries and its proofs depend on, so another Redis,
 * database, prefix or "proof_replicas" gets another zone.
 */

static ngx_int_t
ngx_http_npmtoken_store_complete_cache(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, void *tag)
{
    u_char                        *p;
    ngx_str_t                      name;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    if (store->cache_size == 0) {
        return NGX_OK;
    }

    endpoint = &store->lookup.endpoint;

    name.len = sizeof("npmtoken    ") - 1 + store->name.len
               + endpoint->name.len + store->prefix.len + NGX_INT_T_LEN;
    name.data = ngx_pnalloc(cf->pool, name.len);

    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name.data, "npmtoken %V %V %V", &store->name,
                    &endpoint->name, &store->prefix);

    if (store->lookup.replicas) {
        p = ngx_sprintf(p, " %ui", store->lookup.replicas);
    }

    name.len = p - name.data;

    store->lookup.cache = ngx_http_npmtoken_cache_add(cf, &name,
                                                      store->cache_size, tag);

    return store->lookup.cache ? NGX_OK : NGX_ERROR;
}
