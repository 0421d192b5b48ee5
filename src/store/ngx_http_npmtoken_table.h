
/*
 * The table of records in shared memory, found by tag.
 *
 * Nobody waits here.  A hit takes no lock, and a writer gives up at once if
 * another worker is writing.  The stamp says whether an entry may be used; the
 * table does not.
 */


#ifndef _NGX_HTTP_NPMTOKEN_TABLE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_digest.h"
#include "npmtoken_record.h"
#include "ngx_http_npmtoken_proof.h"


/* the largest record that is cached, in bytes */
#define NGX_HTTP_NPMTOKEN_RECORD_MAX   144


typedef struct {
    u_char                       tag[NPMTOKEN_TAG_LEN];
    ngx_http_npmtoken_stamp_t    stamp;
    uint64_t                     deadline;  /* by the key's TTL; of
                                               _proof_clock() */

    /* size 0: there is no such token */
    union {
        npmtoken_record_t        record;
        u_char                   bytes[NGX_HTTP_NPMTOKEN_RECORD_MAX];
    } u;
} ngx_http_npmtoken_entry_t;


typedef struct ngx_http_npmtoken_table_s  ngx_http_npmtoken_table_t;


/*
 * Formats "size" bytes of zeroed shared memory at "mem", which is aligned to
 * 64.  Returns the table, or NULL if the memory is too small for one bucket.
 */
ngx_http_npmtoken_table_t *ngx_http_npmtoken_table_init(void *mem,
    size_t size);

/* Prefetches the slot where the tag's entry would be. */
void ngx_http_npmtoken_table_prefetch(ngx_http_npmtoken_table_t *table,
    u_char *tag);

/*
 * Copies the entry of a tag, and of the record no more than its size.  Returns
 * NGX_OK, or NGX_DECLINED if there is none or it is being written.  After
 * NGX_DECLINED "entry" may contain anything.
 */
ngx_int_t ngx_http_npmtoken_table_get(ngx_http_npmtoken_table_t *table,
    u_char *tag, ngx_http_npmtoken_entry_t *entry);

/*
 * Stores an entry under its tag.  The caller holds the lock of the table.
 * NGX_OK: it is stored.
 * NGX_DECLINED: a younger entry of the tag is there and stays.  Or the record
 * is too large, or the buckets have no place for an entry of this kind: then
 * an older entry of the tag is gone.
 */
ngx_int_t ngx_http_npmtoken_table_put_locked(ngx_http_npmtoken_table_t *table,
    ngx_http_npmtoken_entry_t *entry);


#endif /* _NGX_HTTP_NPMTOKEN_TABLE_H_INCLUDED_ */
