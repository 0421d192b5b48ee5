
/*
 * What the tests of the table share: entries of which each byte follows from
 * the number of the token and the version of its record, so that a mixture of
 * two is seen.
 */


#ifndef _TABLE_H_INCLUDED_
#define _TABLE_H_INCLUDED_


#include "unit.h"
#include "ngx_http_npmtoken_table.h"


/* bytes of a slot: a sequence number and an entry */
#define TABLE_SLOT  (8 + sizeof(ngx_http_npmtoken_entry_t))

/* bytes of a table of that many buckets */
#define TABLE_SIZE(buckets)  (64 + (buckets) * (64 + 8 * TABLE_SLOT))


#define TABLE_MISS   0
#define TABLE_WRONG  UINT64_MAX


/* random, and the same in each run */
uint64_t table_random(void);

/*
 * The tag of a token.  Four tokens in a row differ in the last bits alone:
 * they have their buckets, hints and home slots in common.  That of token 0
 * is zeroes.
 */
void table_tag(uint64_t token, u_char *tag);

/* version is also the time of the stamp; of epoch 1 */
void table_entry(uint64_t token, uint64_t version, ngx_uint_t positive,
    ngx_http_npmtoken_entry_t *entry);

ngx_int_t table_put(ngx_http_npmtoken_table_t *table, uint64_t token,
    uint64_t version, ngx_uint_t positive);

/* the version of an entry of the token; TABLE_WRONG: it is of none */
uint64_t table_version(ngx_http_npmtoken_entry_t *entry, uint64_t token);

/* the same of what is in the table; TABLE_MISS: there is none */
uint64_t table_get(ngx_http_npmtoken_table_t *table, uint64_t token);

/* memory that is shared with forked processes; a table in such memory */
void *table_shared(size_t size);
ngx_http_npmtoken_table_t *table_make(size_t size);


#endif /* _TABLE_H_INCLUDED_ */
