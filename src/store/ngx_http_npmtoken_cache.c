
#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/rand.h>
#include "ngx_http_npmtoken_cache.h"


/* counters get one part in this many of a zone */
#define NGX_HTTP_NPMTOKEN_COUNTERS_PART  16


static ngx_int_t ngx_http_npmtoken_cache_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_npmtoken_cache_format(ngx_shm_zone_t *shm_zone,
    ngx_http_npmtoken_cache_t *cache);
static ngx_uint_t ngx_http_npmtoken_cache_counters(size_t size);


ngx_http_npmtoken_cache_t *
ngx_http_npmtoken_cache_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_shm_zone_t             *shm_zone;
    ngx_http_npmtoken_cache_t  *cache;

    cache = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_http_npmtoken_cache_init;
    shm_zone->data = cache;

    return cache;
}


static ngx_int_t
ngx_http_npmtoken_cache_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_npmtoken_cache_t  *old = data;

    ngx_http_npmtoken_cache_t  *cache;

    cache = shm_zone->data;

    if (old) {
        cache->sh = old->sh;
        cache->shpool = old->shpool;
        return NGX_OK;
    }

    cache->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        cache->sh = cache->shpool->data;
        return NGX_OK;
    }

    return ngx_http_npmtoken_cache_format(shm_zone, cache);
}


/* all memory is allocated here; nothing is allocated later */

static ngx_int_t
ngx_http_npmtoken_cache_format(ngx_shm_zone_t *shm_zone,
    ngx_http_npmtoken_cache_t *cache)
{
    u_char                      *p;
    size_t                       size;
    ngx_uint_t                   counters;
    ngx_http_npmtoken_shared_t  *sh;

    sh = ngx_slab_calloc(cache->shpool, sizeof(ngx_http_npmtoken_shared_t));
    if (sh == NULL) {
        goto failed;
    }

    cache->sh = sh;
    cache->shpool->data = sh;

    if (RAND_bytes(sh->secret, NPMTOKEN_SECRET_LEN) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed for zone \"%V\"",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    counters = ngx_http_npmtoken_cache_counters(shm_zone->shm.size);

    sh->proof = ngx_slab_alloc(cache->shpool,
                               ngx_http_npmtoken_proof_size(counters));
    if (sh->proof == NULL) {
        goto failed;
    }

    ngx_http_npmtoken_proof_init(sh->proof, counters);

    size = cache->shpool->pfree * ngx_pagesize;

    p = ngx_slab_calloc(cache->shpool, size);
    if (p == NULL) {
        goto failed;
    }

    sh->table = ngx_http_npmtoken_table_init(p, size);
    if (sh->table) {
        return NGX_OK;
    }

failed:

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "zone \"%V\" is too small", &shm_zone->shm.name);
    return NGX_ERROR;
}


static ngx_uint_t
ngx_http_npmtoken_cache_counters(size_t size)
{
    ngx_uint_t  n;

    size /= NGX_HTTP_NPMTOKEN_COUNTERS_PART * sizeof(uint32_t);

    for (n = 1; 2 * n <= size; n *= 2) { /* void */ }

    return n;
}


void
ngx_http_npmtoken_cache_tag(ngx_http_npmtoken_cache_t *cache,
    ngx_str_t *token, u_char *tag)
{
    npmtoken_digest_tag(token, cache->sh->secret, tag);

    ngx_http_npmtoken_table_prefetch(cache->sh->table, tag);
}


ngx_int_t
ngx_http_npmtoken_cache_get(ngx_http_npmtoken_cache_t *cache, u_char *tag,
    ngx_http_npmtoken_entry_t *entry)
{
    return ngx_http_npmtoken_table_get(cache->sh->table, tag, entry);
}


void
ngx_http_npmtoken_cache_put(ngx_http_npmtoken_cache_t *cache, u_char *tag,
    ngx_http_npmtoken_stamp_t *stamp, uint64_t deadline,
    npmtoken_record_t *record)
{
    ngx_int_t                   rc;
    ngx_http_npmtoken_entry_t   entry;

    if (record && record->size > NGX_HTTP_NPMTOKEN_RECORD_MAX) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "npmtoken cache: a record of %ui bytes is too large",
                       (ngx_uint_t) record->size);

        (void) ngx_atomic_fetch_add(&cache->sh->oversized, 1);
        return;
    }

    ngx_memcpy(entry.tag, tag, NPMTOKEN_TAG_LEN);

    entry.stamp = *stamp;
    entry.deadline = deadline;

    if (record) {
        ngx_memcpy(entry.u.bytes, record, record->size);

    } else {
        entry.u.record.size = 0;
    }

    /*
     * rule: slot-one-writer, lock-of-the-dead-only.  This is the zone's own
     * mutex: if a worker dies while it holds it, the master releases it.  A
     * worker that does not get it at once goes on without caching.
     */

    if (!ngx_shmtx_trylock(&cache->shpool->mutex)) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "npmtoken cache: another worker writes");

        (void) ngx_atomic_fetch_add(&cache->sh->contended, 1);
        return;
    }

    rc = ngx_http_npmtoken_table_put_locked(cache->sh->table, &entry);

    ngx_shmtx_unlock(&cache->shpool->mutex);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken cache: put, record: %d, displaces: %d",
                   record != NULL, rc != NGX_OK);

    if (rc != NGX_OK) {
        (void) ngx_atomic_fetch_add(&cache->sh->displaced, 1);
    }
}
