
/*
 * The feed: the one connection of a node on which Redis pushes changes.
 *
 * Each worker has a feed of a store.  The feed that has the lease has the
 * connection; the others are ready to succeed it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_FEED_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_FEED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_proof.h"


typedef struct ngx_http_npmtoken_feed_s  ngx_http_npmtoken_feed_t;


/* owned by the configuration */

typedef struct {
    ngx_str_t                      store;     /* name, for logs */
    ngx_msec_t                     bound;
    ngx_msec_t                     connect_timeout;
    ngx_uint_t                     replicas;  /* that confirm a proof; 0: a
                                                 PONG is one */
    ngx_http_npmtoken_endpoint_t  *endpoint;
} ngx_http_npmtoken_feed_conf_t;


/* Starts a worker's part in the feed.  Returns NULL if there is no memory. */
ngx_http_npmtoken_feed_t *ngx_http_npmtoken_feed_start(
    ngx_http_npmtoken_feed_conf_t *conf, ngx_http_npmtoken_proof_t *proof);

/* Gives the lease back, closes the connection and frees the feed. */
void ngx_http_npmtoken_feed_stop(ngx_http_npmtoken_feed_t *feed);


#endif /* _NGX_HTTP_NPMTOKEN_FEED_H_INCLUDED_ */
