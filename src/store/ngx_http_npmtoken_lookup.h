
/*
 * Look-ups of one worker in one store.  A key has one look-up at a time,
 * however many requests wait for it.
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
 * What a request hands over to be called back.  It is memory of the request,
 * which must call ngx_http_npmtoken_lookup_forget() before that memory is
 * freed.
 */

struct ngx_http_npmtoken_waiter_s {
    ngx_queue_t                   queue;
    ngx_http_npmtoken_lookup_t   *lookup;    /* NULL: not waiting */

    /*
     * NGX_OK: "record" is the record, valid during the call.  NGX_DECLINED:
     * there is no such token.  NGX_ERROR: Redis cannot be asked.
     */
    void                        (*handler)(ngx_http_npmtoken_waiter_t *waiter,
                                           ngx_int_t rc,
                                           npmtoken_record_t *record);
    void                         *data;
};


/* how look-ups are made; owned by the configuration */

typedef struct {
    ngx_str_t                     store;     /* name, for logs */
    ngx_msec_t                    timeout;
    ngx_msec_t                    connect_timeout;
    ngx_msec_t                    bound;
    ngx_uint_t                    replicas;  /* 0: a look-up proves itself */
    ngx_uint_t                    queue;     /* most look-ups at a time */
    ngx_uint_t                    share;     /* and most of one address */
    ngx_http_npmtoken_cache_t    *cache;     /* NULL: off */
    ngx_uint_t                    listen;    /* 1: no feed tells of another
                                                master, and a sentinel does */
    ngx_http_npmtoken_endpoint_t  endpoint;
} ngx_http_npmtoken_lookup_conf_t;


/*
 * Starts the look-ups of a worker.  "conf" must outlive them.  Returns NULL if
 * there is no memory.
 */
ngx_http_npmtoken_lookups_t *ngx_http_npmtoken_lookup_start(
    ngx_http_npmtoken_lookup_conf_t *conf);

/* Closes the connection and frees "lookups".  No waiter is called. */
void ngx_http_npmtoken_lookup_stop(ngx_http_npmtoken_lookups_t *lookups);

/*
 * Asks for the record of a key (NPMTOKEN_KEY_LEN digits), which is cached
 * under "tag".  "tag" may be NULL if there is no cache.  "network" is the
 * network that the look-up is counted for, by npmtoken_cidr_network().  It is
 * NULL if the cache has a record of the token, even an old one, since then no
 * stranger asks.
 * NGX_AGAIN: the waiter will be called, but never from within this call.
 * NGX_ERROR: it will not be called.  Too many look-ups are under way, Redis is
 * unavailable, or there is no memory.
 */
ngx_int_t ngx_http_npmtoken_lookup(ngx_http_npmtoken_lookups_t *lookups,
    u_char *tag, u_char *key, u_char *network,
    ngx_http_npmtoken_waiter_t *waiter);

/*
 * Makes sure that the waiter is not called.  Does nothing if it does not wait.
 */
void ngx_http_npmtoken_lookup_forget(ngx_http_npmtoken_waiter_t *waiter);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_H_INCLUDED_ */
