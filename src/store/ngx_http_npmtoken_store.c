
#include "ngx_http_npmtoken_store.h"
#include "ngx_http_npmtoken_watch.h"


ngx_int_t
ngx_http_npmtoken_store_start(ngx_http_npmtoken_store_t *store)
{
    if (store->lookup.cache == NULL || !store->push || !store->used) {
        return NGX_OK;
    }

    store->feed = ngx_http_npmtoken_feed_start(&store->feed_conf,
                                               store->lookup.cache->sh->proof);

    return store->feed ? NGX_OK : NGX_ERROR;
}


void
ngx_http_npmtoken_store_tag(ngx_http_npmtoken_store_t *store,
    ngx_str_t *token, u_char *tag)
{
    if (store->lookup.cache) {
        ngx_http_npmtoken_cache_tag(store->lookup.cache, token, tag);
    }
}


ngx_int_t
ngx_http_npmtoken_store_cached(ngx_http_npmtoken_store_t *store,
    u_char *tag, ngx_http_npmtoken_entry_t *entry)
{
    uint64_t                    now;
    ngx_msec_t                  ttl;
    ngx_http_npmtoken_cache_t  *cache;

    cache = store->lookup.cache;

    if (cache == NULL) {
        return NGX_DECLINED;
    }

    /*
     * The time is that of the request, so the clock can be read before the
     * entry.  The entry is still on its way from memory.
     */

    now = ngx_http_npmtoken_proof_clock() + 1;

    if (ngx_http_npmtoken_cache_get(cache, tag, entry) != NGX_OK) {
        return NGX_DECLINED;
    }

    ttl = entry->u.record.size ? store->cache_ttl : store->negative_ttl;

    /* rule: deadline-at-hit.  Expiry never waits for a push. */

    if (now > entry->deadline
        || (int64_t) (now - ngx_http_npmtoken_word_time(entry->stamp.word))
           > (int64_t) ttl
        || !ngx_http_npmtoken_proof_current(cache->sh->proof, &entry->stamp,
                                            now, store->lookup.bound))
    {
        /* no figures are logged: a hit would have to keep them */

        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "npmtoken cache: an entry may not be used");

        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_store_stale(ngx_http_npmtoken_store_t *store, u_char *tag,
    ngx_http_npmtoken_entry_t *entry)
{
    uint64_t                    now;
    ngx_http_npmtoken_cache_t  *cache;

    cache = store->lookup.cache;

    if (cache == NULL || store->stale_reads == 0
        || ngx_http_npmtoken_cache_get(cache, tag, entry) != NGX_OK
        || entry->u.record.size == 0)
    {
        return NGX_DECLINED;
    }

    now = ngx_http_npmtoken_proof_clock() + 1;

    /* the epoch may be old, but nothing may have been pushed since */

    if (now > entry->deadline
        || (int64_t) (now - ngx_http_npmtoken_word_time(entry->stamp.word))
           > (int64_t) store->stale_reads
        || !ngx_http_npmtoken_proof_unchanged(cache->sh->proof,
                                              &entry->stamp))
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "npmtoken cache: an entry is too old for a stale read, "
                       "%L ms", (int64_t) (now
                       - ngx_http_npmtoken_word_time(entry->stamp.word)));

        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_store_ask(ngx_http_npmtoken_store_t *store, u_char *tag,
    u_char *key, struct sockaddr *sockaddr, ngx_http_npmtoken_waiter_t *waiter)
{
    u_char                     network[NPMTOKEN_NETWORK_LEN];
    ngx_http_npmtoken_entry_t  entry;

    if (store->lookups == NULL) {
        store->lookups = ngx_http_npmtoken_lookup_start(&store->lookup);

        if (store->lookups == NULL) {
            return NGX_ERROR;
        }
    }

    /* a missing record does not count: anyone can make up such a token */

    if (store->lookup.cache
        && ngx_http_npmtoken_cache_get(store->lookup.cache, tag, &entry)
           == NGX_OK
        && entry.u.record.size)
    {
        return ngx_http_npmtoken_lookup(store->lookups, tag, key, NULL,
                                        waiter);
    }

    npmtoken_cidr_network(sockaddr, network);

    return ngx_http_npmtoken_lookup(store->lookups, tag, key, network, waiter);
}


void
ngx_http_npmtoken_store_exit(ngx_http_npmtoken_store_t *store)
{
    if (store->feed) {
        ngx_http_npmtoken_feed_stop(store->feed);
        store->feed = NULL;
    }

    if (store->lookups) {
        ngx_http_npmtoken_lookup_stop(store->lookups);
        store->lookups = NULL;
    }

    ngx_http_npmtoken_watch_stop(&store->lookup.endpoint);
    ngx_http_npmtoken_sentinel_stop(&store->lookup.endpoint);
}
