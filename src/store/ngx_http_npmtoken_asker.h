
/*
 * Counts the look-ups under way and decides whether one more may be made.
 *
 * Look-ups are counted, not the requests that wait for them: those are memory
 * of requests, which nginx bounds.  A client can make as many look-ups as it
 * invents tokens.  So look-ups for tokens of which the cache has no record are
 * counted apart, and by address.  An address is known here only while it has
 * such look-ups.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ASKER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ASKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_cidr.h"
#include "npmtoken_seldom.h"


typedef struct ngx_http_npmtoken_asker_s  ngx_http_npmtoken_asker_t;


/* of one store */

typedef struct {
    ngx_str_t                *store;       /* name, for logs */
    ngx_uint_t                queue;       /* most look-ups at a time */
    ngx_uint_t                share;       /* and most of one address */
    ngx_uint_t                known;       /* look-ups for tokens of which the
                                              cache has a record */
    ngx_uint_t                unknown;     /* and for others */
    ngx_rbtree_t              tree;        /* of addresses */
    ngx_rbtree_node_t         sentinel;
    npmtoken_seldom_t         queue_full;
    npmtoken_seldom_t         share_full;
} ngx_http_npmtoken_askers_t;


/*
 * Initializes "askers", which is all zero.  "store" is the store's name and
 * must outlive it.  "queue" is the most look-ups at a time, "share" the most
 * of one address.
 */
void ngx_http_npmtoken_asker_init(ngx_http_npmtoken_askers_t *askers,
    ngx_str_t *store, ngx_uint_t queue, ngx_uint_t share);

/*
 * Whether one more look-up may be made for "network" (NPMTOKEN_NETWORK_LEN
 * bytes).  "network" is NULL for a token of which the cache has a record.  A
 * refusal is logged now and then.
 */
ngx_uint_t ngx_http_npmtoken_asker_room(ngx_http_npmtoken_askers_t *askers,
    u_char *network);

/*
 * Counts a look-up for "network", which may be NULL as above, until it is
 * uncounted.  Puts into "asker" what _uncount() takes, which may be NULL.
 * Returns NGX_OK, or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_asker_count(ngx_http_npmtoken_askers_t *askers,
    u_char *network, ngx_http_npmtoken_asker_t **asker);

/*
 * Uncounts a look-up.  "asker" is what _count() gave, and may be NULL.  It must
 * not be used any more.
 */
void ngx_http_npmtoken_asker_uncount(ngx_http_npmtoken_askers_t *askers,
    ngx_http_npmtoken_asker_t *asker);


#endif /* _NGX_HTTP_NPMTOKEN_ASKER_H_INCLUDED_ */
