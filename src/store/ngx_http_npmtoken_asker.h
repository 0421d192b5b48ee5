
/*
 * How many look-ups are under way, and whose: may one more be made?
 *
 * Look-ups are counted, not who waits for them: those are memory of requests,
 * which nginx bounds.  A client makes as many look-ups as it invents tokens,
 * so those for tokens of which the cache has no record are counted apart, and
 * by address; an address is known here only while it has some.
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
    ngx_uint_t                queue;       /* look-ups at a time, */
    ngx_uint_t                share;       /* and of an address in them */
    ngx_uint_t                known;       /* look-ups by what the cache has of
                                              their tokens: a record, */
    ngx_uint_t                unknown;     /* or none */
    ngx_rbtree_t              tree;        /* of addresses */
    ngx_rbtree_node_t         sentinel;
    npmtoken_seldom_t         queue_full;
    npmtoken_seldom_t         share_full;
} ngx_http_npmtoken_askers_t;


/* "askers" is all zero; "store" is to outlive it. */
void ngx_http_npmtoken_asker_init(ngx_http_npmtoken_askers_t *askers,
    ngx_str_t *store, ngx_uint_t queue, ngx_uint_t share);

/*
 * Whether one more look-up may be made for "network", of NPMTOKEN_NETWORK_LEN
 * bytes, or NULL for a token of which the cache has a record.  If not, that is
 * logged now and then.
 */
ngx_uint_t ngx_http_npmtoken_asker_room(ngx_http_npmtoken_askers_t *askers,
    u_char *network);

/*
 * Counts one, until it is uncounted; "asker" is what to uncount then, and may
 * be NULL.  Returns NGX_OK, or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_asker_count(ngx_http_npmtoken_askers_t *askers,
    u_char *network, ngx_http_npmtoken_asker_t **asker);

void ngx_http_npmtoken_asker_uncount(ngx_http_npmtoken_askers_t *askers,
    ngx_http_npmtoken_asker_t *asker);


#endif /* _NGX_HTTP_NPMTOKEN_ASKER_H_INCLUDED_ */
