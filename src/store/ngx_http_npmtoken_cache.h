
/*
 * The shared zone of a store: the table of records, and the state that proves
 * that they may be used.
 */


#ifndef _NGX_HTTP_NPMTOKEN_CACHE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_digest.h"
#include "ngx_http_npmtoken_proof.h"
#include "ngx_http_npmtoken_table.h"


/* in shared memory; its layout does not depend on the configuration */

typedef struct {
    u_char                        secret[NPMTOKEN_SECRET_LEN];  /* of tags */
    ngx_http_npmtoken_proof_t    *proof;
    ngx_http_npmtoken_table_t    *table;

    /* replies that were not cached: */
    ngx_atomic_t                  oversized;  /* larger than a slot */
    ngx_atomic_t                  contended;  /* another worker was writing */
    ngx_atomic_t                  displaced;  /* the bucket had no place */
} ngx_http_npmtoken_shared_t;


/* of one configuration */

typedef struct {
    ngx_http_npmtoken_shared_t   *sh;
    ngx_slab_pool_t              *shpool;
} ngx_http_npmtoken_cache_t;


/* the smallest value of "cache", in bytes */
#define NGX_HTTP_NPMTOKEN_MIN_CACHE  (16 * ngx_pagesize)


/*
 * Adds the zone of a store to the configuration; "size" is in bytes.  A zone
 * of the same name and size is kept over a reload, so "name" must contain
 * everything that the entries depend on.  Returns NULL with a line logged on
 * an error.
 */
ngx_http_npmtoken_cache_t *ngx_http_npmtoken_cache_add(ngx_conf_t *cf,
    ngx_str_t *name, size_t size, void *tag);

/*
 * Makes the tag of a token, NPMTOKEN_TAG_LEN bytes, and prefetches the slot
 * where its entry would be.  Call it early, so that the slot is there when it
 * is needed.
 */
void ngx_http_npmtoken_cache_tag(ngx_http_npmtoken_cache_t *cache,
    ngx_str_t *token, u_char *tag);

/*
 * Copies the entry of a tag into "entry".  Returns NGX_OK, or NGX_DECLINED if
 * there is none.  The stamp of the entry says whether it may be used.
 */
ngx_int_t ngx_http_npmtoken_cache_get(ngx_http_npmtoken_cache_t *cache,
    u_char *tag, ngx_http_npmtoken_entry_t *entry);

/*
 * Caches the result of a look-up; "record" is NULL if there is no such token.
 * "deadline" is by ngx_http_npmtoken_proof_clock().  An entry that cannot be
 * cached is dropped and counted by reason.
 */
void ngx_http_npmtoken_cache_put(ngx_http_npmtoken_cache_t *cache,
    u_char *tag, ngx_http_npmtoken_stamp_t *stamp, uint64_t deadline,
    npmtoken_record_t *record);


#endif /* _NGX_HTTP_NPMTOKEN_CACHE_H_INCLUDED_ */
