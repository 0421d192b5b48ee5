
/*
 * What the files of look-ups share: the structures, and what lookup.c does for
 * the others.  Nobody else includes this.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LOOKUP_PARTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LOOKUP_PARTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_lookup.h"
#include "ngx_http_npmtoken_asker.h"
#include "ngx_http_npmtoken_detour.h"
#include "ngx_http_npmtoken_reply.h"
#include "ngx_http_npmtoken_watch.h"


typedef struct ngx_http_npmtoken_lookup_detour_s
                                          ngx_http_npmtoken_lookup_detour_t;


/* logs the state of a look-up, with the short key of the token */

#define ngx_http_npmtoken_lookup_debug(key, what, n)                          \
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,                     \
                   "npmtoken lookup %*s: %s: %i",                             \
                   (size_t) NPMTOKEN_SHORT_KEY_LEN, key, what,                \
                   (ngx_int_t) (n))

#define ngx_http_npmtoken_proof(conf)                                         \
    ((conf)->cache ? (conf)->cache->sh->proof : NULL)


struct ngx_http_npmtoken_lookup_s {
    ngx_str_node_t                 sn;         /* by key */
    ngx_queue_t                    queue;      /* by age */
    ngx_queue_t                    waiters;
    ngx_http_npmtoken_lookups_t   *lookups;
    ngx_http_npmtoken_asker_t     *asker;      /* NULL: of a known token */
    ngx_msec_t                     deadline;
    ngx_msec_t                     began;      /* when it was sent */
    ngx_msec_t                     patience;   /* of this try; 0: until the
                                                  deadline */

    ngx_http_npmtoken_stamp_t      stamp;      /* taken when it is sent */
    npmtoken_record_t             *record;
    uint64_t                       expires;    /* by the key's TTL */
    ngx_int_t                      rc;         /* of HGETALL */
    ngx_http_npmtoken_lookup_detour_t  *detour;

    unsigned                       indexed:1;  /* in the tree */
    unsigned                       sent:1;
    unsigned                       resent:1;
    unsigned                       replied:1;  /* to HGETALL */
    unsigned                       away:1;     /* its key is at another node */

    u_char                         tag[NPMTOKEN_TAG_LEN];
    u_char                         key[NPMTOKEN_KEY_LEN];
};


struct ngx_http_npmtoken_lookups_s {
    ngx_http_npmtoken_lookup_conf_t  *conf;
    ngx_http_npmtoken_connection_t    conn;
    ngx_http_npmtoken_listener_t      listener;
    uint64_t                          epoch;    /* in which conn was opened to
                                                   the feed's peer */
    u_char                            server[NGX_HTTP_NPMTOKEN_SERVER_LEN];
                                                /* the feed's */
    uint64_t                          ready;    /* since when conn is ready, by
                                                   our clock */
    ngx_rbtree_t                      tree;
    ngx_rbtree_node_t                 sentinel;
    ngx_queue_t                       queue;
    ngx_queue_t                       away;     /* look-ups on a detour */
    ngx_http_npmtoken_detour_t       *detour;
    ngx_http_npmtoken_askers_t        askers;
    ngx_http_npmtoken_reply_log_t     logged;
    ngx_event_t                       timer;    /* of the head */
    ngx_event_t                       gate;     /* look-ups wait for a proof */
    unsigned                          told:1;   /* several servers are logged */
    unsigned                          moved:1;  /* conn is lost by MOVED */
};


/* Sends all look-ups that were not sent, if they may be. */
void ngx_http_npmtoken_lookup_pass(ngx_http_npmtoken_lookups_t *lookups);

/* Closes the connection.  What was sent on it is sent again on the next one. */
void ngx_http_npmtoken_lookup_restart(ngx_http_npmtoken_lookups_t *lookups);

/* Sets the timer by the head of the queue; call it after a change of that. */
void ngx_http_npmtoken_lookup_set_timer(ngx_http_npmtoken_lookups_t *lookups);

/* Takes a look-up out of the tree and the queue.  Nobody joins it any more. */
void ngx_http_npmtoken_lookup_remove(ngx_http_npmtoken_lookup_t *lookup);

/*
 * Calls the waiters of a look-up that is in no queue, and frees it.  "rc" is
 * what they get: NGX_OK, NGX_DECLINED, or NGX_ERROR.
 */
void ngx_http_npmtoken_lookup_done(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_PARTS_H_INCLUDED_ */
