
/*
 * A subscription to what a sentinel says of a new master, one in a worker for
 * all who listen.
 *
 * In a node whose store has a feed, the owner of the feed alone listens.  A
 * sentinel that is gone or silent is replaced by the next one.
 */


#ifndef _NGX_HTTP_NPMTOKEN_WATCH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_WATCH_H_INCLUDED_


#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_sentinel.h"


/* who listens; zero: does not */

typedef struct {
    ngx_queue_t           queue;

    /*
     * "host" and "port" are those of the master, as a sentinel says: when it
     * has changed, and when a subscription begins, since a change before that
     * may have been missed.  "host" is valid during the call, and has been
     * checked by ngx_http_npmtoken_dial_check().  Called from the event loop.
     */
    void                (*handler)(void *data, ngx_str_t *host,
                                   ngx_uint_t port);
    void                 *data;
    unsigned              listening:1;
} ngx_http_npmtoken_listener_t;


/*
 * Begins to listen, if it does not yet.  "endpoint" is of the kind SENTINEL.
 * If there is no memory, nothing will be heard.
 */
void ngx_http_npmtoken_watch_join(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_listener_t *listener);

/*
 * Ends that.  Does nothing if it does not listen.  The subscription ends with
 * the last one.
 */
void ngx_http_npmtoken_watch_leave(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_listener_t *listener);


/* Ends the subscription of this worker.  Nobody listens any more. */
void ngx_http_npmtoken_watch_stop(ngx_http_npmtoken_endpoint_t *endpoint);


#endif /* _NGX_HTTP_NPMTOKEN_WATCH_H_INCLUDED_ */
