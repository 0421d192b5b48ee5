
/*
 * What the files of the feed share: the structure, and what feed.c does for the
 * others.  Nobody else includes this.
 */


#ifndef _NGX_HTTP_NPMTOKEN_FEED_PARTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_FEED_PARTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_feed.h"
#include "ngx_http_npmtoken_slot.h"
#include "ngx_http_npmtoken_watch.h"
#include "ngx_http_npmtoken_witness.h"


/*
 * The replies of a session, in this order.  Each is checked (rule:
 * replies-checked).  Pushed messages follow.
 */

typedef enum {
    NGX_HTTP_NPMTOKEN_FEED_CLOSED = 0,
    NGX_HTTP_NPMTOKEN_FEED_ID,
    NGX_HTTP_NPMTOKEN_FEED_TRACKING,
    NGX_HTTP_NPMTOKEN_FEED_SUBSCRIBE,
    NGX_HTTP_NPMTOKEN_FEED_LIVE
} ngx_http_npmtoken_feed_state_e;


struct ngx_http_npmtoken_feed_s {
    ngx_http_npmtoken_feed_conf_t   *conf;
    ngx_http_npmtoken_proof_t       *proof;
    ngx_http_npmtoken_connection_t   conn;
    ngx_http_npmtoken_feed_state_e   state;
    ngx_http_npmtoken_listener_t     listener;  /* of the owner, if sentinels
                                                   know the server */
    ngx_event_t                      tick;
    ngx_msec_t                       interval;
    ngx_msec_t                       lease;

    uint64_t                         session;   /* 0: not the owner */
    uint64_t                         epoch;

    uint64_t                         nonce;
    uint64_t                         sent;      /* when a proof began, 0: none
                                                   is under way */
    ngx_http_npmtoken_slot_t        *slot;      /* NULL: has not been asked */

    ngx_http_npmtoken_witness_t     *witness;   /* NULL: PONG proves */
    ngx_str_t                        series;    /* prefix of its keys */
    u_char                           prefix[NGX_HTTP_NPMTOKEN_WITNESS_PREFIX];

    ngx_uint_t                       refused;   /* times in a row */
    ngx_msec_t                       retry_at;
    ngx_msec_t                       live_at;   /* when it last became live */
    ngx_uint_t                       flaps;
    unsigned                         asking:1;  /* for the slot; the PING
                                                   comes after that */
    unsigned                         moving:1;  /* the slot, which is logged */
    unsigned                         pushed:1;     /* the witness' key */
    unsigned                         confirmed:1;  /* by replicas */
    unsigned                         doubted:1;    /* which is logged */
    unsigned                         proven:1;
    unsigned                         told:1;    /* that it was refused */
};


/*
 * Sends a command on the feed's connection.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_http_npmtoken_feed_send(ngx_http_npmtoken_feed_t *feed,
    ngx_uint_t argc, ngx_str_t *argv);

/* Whether an element of a reply is this string. */
ngx_uint_t ngx_http_npmtoken_feed_is(redisReply *reply, char *text);

/* Ends the session of "data", a feed; the connection has been closed. */
void ngx_http_npmtoken_feed_lost_handler(void *data);


#endif /* _NGX_HTTP_NPMTOKEN_FEED_PARTS_H_INCLUDED_ */
