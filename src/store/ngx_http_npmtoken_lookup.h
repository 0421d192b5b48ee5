
/*
 * Look-ups of one worker in one store: one at a time for a key, however many
 * requests wait for it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LOOKUP_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LOOKUP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_digest.h"
#include "npmtoken_cidr.h"
#include "npmtoken_record.h"
#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_cache.h"


typedef struct ngx_http_npmtoken_lookup_s   ngx_http_npmtoken_lookup_t;
typedef struct ngx_http_npmtoken_lookups_s  ngx_http_npmtoken_lookups_t;
typedef struct ngx_http_npmtoken_waiter_s   ngx_http_npmtoken_waiter_t;


/*
 * What a request hands over to be called back; it is the request's memory,
 * and the request must forget it before that memory goes.
 */

struct ngx_http_npmtoken_waiter_s {
    ngx_queue_t                   queue;
    ngx_http_npmtoken_lookup_t   *lookup;    /* NULL: not waiting */

    /*
     * NGX_OK: the record, valid during the call.  NGX_DECLINED: there is no
     * such token.  NGX_ERROR: Redis cannot be asked.
     */
    void                        (*handler)(ngx_http_npmtoken_waiter_t *waiter,
                                           ngx_int_t rc,
                                           npmtoken_record_t *record);
    void                         *data;
};


/* what look-ups are to be like; owned by the configuration */

typedef struct {
    ngx_str_t                     store;     /* name, for logs */
    ngx_msec_t                    timeout;
    ngx_msec_t                    connect_timeout;
    ngx_msec_t                    bound;
    ngx_uint_t                    queue;     /* look-ups at a time */
    ngx_uint_t                    share;     /* of an address in them */
    ngx_http_npmtoken_cache_t    *cache;     /* NULL: off */
    ngx_http_npmtoken_endpoint_t  endpoint;
} ngx_http_npmtoken_lookup_conf_t;


/* Returns NULL if there is no memory. */
ngx_http_npmtoken_lookups_t *ngx_http_npmtoken_lookup_start(
    ngx_http_npmtoken_lookup_conf_t *conf);

/* Closes the connection.  Nobody is called. */
void ngx_http_npmtoken_lookup_stop(ngx_http_npmtoken_lookups_t *lookups);

/*
 * Asks for the record of a key (NPMTOKEN_KEY_LEN digits), which is cached
 * under "tag"; that may be NULL where there is no cache.  "network" is whom
 * the look-up is counted for, by npmtoken_cidr_network(); it is NULL where the
 * cache has a record of the token, however old, so that no stranger asks.
 * NGX_AGAIN: the waiter will be called, though never from within here.
 * NGX_ERROR: it will not be: too many look-ups are under way, Redis is away,
 * or no memory.
 */
ngx_int_t ngx_http_npmtoken_lookup(ngx_http_npmtoken_lookups_t *lookups,
    u_char *tag, u_char *key, u_char *network,
    ngx_http_npmtoken_waiter_t *waiter);

/* The waiter will not be called; nothing happens if it does not wait. */
void ngx_http_npmtoken_lookup_forget(ngx_http_npmtoken_waiter_t *waiter);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_H_INCLUDED_ */
