
/*
 * A subscription to what a sentinel says of a new master.
 *
 * One worker of a node has it, the owner of the feed.  A sentinel that is gone
 * or silent is replaced by the next one.
 */


#ifndef _NGX_HTTP_NPMTOKEN_WATCH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_WATCH_H_INCLUDED_


#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_sentinel.h"


typedef struct {
    ngx_http_npmtoken_endpoint_t  *endpoint;     /* kind: SENTINEL */

    /*
     * "host" and "port" are those of the master, as a sentinel says: when it
     * has changed, and when a subscription begins, since a change before that
     * may have been missed.  "host" is valid during the call, and not checked.
     * Called from the event loop.
     */
    void                         (*handler)(void *data, ngx_str_t *host,
                                            ngx_uint_t port);
    void                          *data;

    /* for the watch alone */
    ngx_http_npmtoken_endpoint_t         sentinels;
    ngx_http_npmtoken_connection_t       conn;
    ngx_http_npmtoken_sentinel_waiter_t  question;
    ngx_event_t                          tick;
    ngx_msec_t                           pinged;    /* when, if "pinging" */
    ngx_uint_t                           refused;   /* in a row */
    unsigned                             watching:1;
    unsigned                             confirmed:1;
    unsigned                             pinging:1;
    unsigned                             told:1;    /* that it is refused */
} ngx_http_npmtoken_watch_t;


/* Starts a watch, whose first three members the caller has set. */
void ngx_http_npmtoken_watch_start(ngx_http_npmtoken_watch_t *watch);

/* Ends it; it may be started again.  Does nothing if it was not started. */
void ngx_http_npmtoken_watch_stop(ngx_http_npmtoken_watch_t *watch);


#endif /* _NGX_HTTP_NPMTOKEN_WATCH_H_INCLUDED_ */
