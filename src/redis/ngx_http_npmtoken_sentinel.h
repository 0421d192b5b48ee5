
/*
 * Which server is the master, as Redis Sentinel says.
 *
 * A worker asks the sentinels of an endpoint in turn, until one names the
 * master.  However many connections want to know, there is one question at a
 * time.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SENTINEL_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SENTINEL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_endpoint.h"


/* what is handed over to be called back; zero: does not wait */

typedef struct {
    ngx_queue_t           queue;

    /*
     * NGX_OK: "host" and "port" are of the master, valid during the call.
     * "host" is what a sentinel said, and is not checked.  NGX_DECLINED: no
     * sentinel names a master.
     */
    void                (*handler)(void *data, ngx_int_t rc, ngx_str_t *host,
                                   ngx_uint_t port);
    void                 *data;

    ngx_uint_t            told_by;     /* the seed that gave the answer */
    unsigned              waiting:1;
} ngx_http_npmtoken_sentinel_waiter_t;


/*
 * Asks the sentinels of "endpoint", whose kind is SENTINEL.  As long as none
 * can be reached, they are tried again and again, with growing pauses, and the
 * waiter waits.
 * NGX_AGAIN: the waiter's handler will be called, never from within this call.
 * NGX_DECLINED: there is no memory.
 */
ngx_int_t ngx_http_npmtoken_sentinel_ask(
    ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_sentinel_waiter_t *waiter);

/* The waiter is not called.  Does nothing if it does not wait. */
void ngx_http_npmtoken_sentinel_forget(
    ngx_http_npmtoken_sentinel_waiter_t *waiter);

/*
 * What the sentinel "told_by" said was of no use: the next question goes to
 * the one after it.
 */
void ngx_http_npmtoken_sentinel_doubt(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_uint_t told_by);

/* What the sentinel "seed" says is news: the next question goes to it. */
void ngx_http_npmtoken_sentinel_trust(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_uint_t seed);

/*
 * Fills in "sentinels", an endpoint whose servers are the sentinels of
 * "endpoint".  It shares memory with "endpoint".
 */
void ngx_http_npmtoken_sentinel_endpoint(
    ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_endpoint_t *sentinels);

/* Ends all questions of this worker.  No waiter is called. */
void ngx_http_npmtoken_sentinel_stop(ngx_http_npmtoken_endpoint_t *endpoint);


#endif /* _NGX_HTTP_NPMTOKEN_SENTINEL_H_INCLUDED_ */
