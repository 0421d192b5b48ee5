
/*
 * A look-up is two commands in the pipeline, HGETALL and PTTL.  Look-ups are
 * sent in the order in which they were made, and Redis answers in that order.
 * So a reply always belongs to the head of the queue.  All look-ups have the
 * same time-out, so the head is also the first to run out of time.
 *
 * A look-up lives from its first waiter to its result, even if all waiters
 * have gone: its replies must still be taken from the pipeline.  If Redis is
 * silent, only the timer ends a wait.  So the timer is not cancelable: a
 * worker that exits gracefully waits for it.
 */


#include "ngx_http_npmtoken_lookup.h"
#include "ngx_http_npmtoken_asker.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_detour.h"
#include "ngx_http_npmtoken_greeting.h"
#include "ngx_http_npmtoken_watch.h"
#include "ngx_http_npmtoken_reply.h"


/* logs the state of a look-up, with the short key of the token */

#define ngx_http_npmtoken_lookup_debug(key, what, n)                          \
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,                     \
                   "npmtoken lookup %*s: %s: %i",                             \
                   (size_t) NPMTOKEN_SHORT_KEY_LEN, key, what,                \
                   (ngx_int_t) (n))

#define ngx_http_npmtoken_proof(conf)                                         \
    ((conf)->cache ? (conf)->cache->sh->proof : NULL)


/*
 * A record larger than NPMTOKEN_RECORD_MAX is read and dropped up to this many
 * bytes.  The other look-ups wait for that, some 30 ms at a gigabit a second.
 * For a still larger record the connection is closed.
 */
#define NGX_HTTP_NPMTOKEN_SKIP_MAX   (4 * 1024 * 1024)

/* milliseconds between two looks whether there is a proof */
#define NGX_HTTP_NPMTOKEN_GATE_TICK  5


/* what a look-up has that goes to another node of a cluster, for this once */

typedef struct {
    ngx_http_npmtoken_detour_job_t  job;
    ngx_event_t                     timer;
    ngx_http_npmtoken_command_t     commands[2];
    ngx_str_t                       words[2][2];
    u_char                          name[NGX_HTTP_NPMTOKEN_MAX_RECORDS
                                         + NPMTOKEN_KEY_LEN];
} ngx_http_npmtoken_lookup_detour_t;


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


static ngx_http_npmtoken_lookup_t *ngx_http_npmtoken_lookup_join(
    ngx_http_npmtoken_lookups_t *lookups, u_char *key, uint32_t hash);
static ngx_int_t ngx_http_npmtoken_lookup_hopeless(
    ngx_http_npmtoken_lookups_t *lookups);
static ngx_http_npmtoken_lookup_t *ngx_http_npmtoken_lookup_create(
    ngx_http_npmtoken_lookups_t *lookups, u_char *tag, u_char *key,
    uint32_t hash, u_char *network);
static void ngx_http_npmtoken_lookup_follow(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_switch_handler(void *data,
    ngx_str_t *host, ngx_uint_t port);
static void ngx_http_npmtoken_lookup_move(
    ngx_http_npmtoken_lookups_t *lookups);
static ngx_uint_t ngx_http_npmtoken_lookup_vouched(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_gate(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_gate_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_npmtoken_lookup_unproven(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_again(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_restart(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_stamp(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_apart(
    ngx_http_npmtoken_lookups_t *lookups, uint64_t word);
static ngx_int_t ngx_http_npmtoken_lookup_send(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_commands(
    ngx_http_npmtoken_lookup_t *lookup, ngx_http_npmtoken_command_t *commands,
    ngx_str_t (*words)[2], u_char *name);
static ngx_msec_t ngx_http_npmtoken_lookup_patience(
    ngx_http_npmtoken_lookup_t *lookup);
static ngx_msec_int_t ngx_http_npmtoken_lookup_left(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_ready_handler(void *data);
static void ngx_http_npmtoken_lookup_pass(
    ngx_http_npmtoken_lookups_t *lookups);
static ngx_int_t ngx_http_npmtoken_lookup_reply_handler(void *data,
    redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_lookup_redirected(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static void ngx_http_npmtoken_lookup_replied(
    ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc);
static void ngx_http_npmtoken_lookup_leave(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_lookup_detour_begin(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_lookup_detour_handler(
    ngx_http_npmtoken_detour_job_t *job, redisReply *reply);
static void ngx_http_npmtoken_lookup_detour_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_lookup_lost_handler(void *data);
static void ngx_http_npmtoken_lookup_reset(
    ngx_http_npmtoken_lookup_t *lookup);
static ngx_int_t ngx_http_npmtoken_lookup_ttl_reply(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_lookup_cache(
    ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc);
static void ngx_http_npmtoken_lookup_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_lookup_set_timer(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_remove(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_done_all(ngx_queue_t *lookups,
    ngx_int_t rc);
static void ngx_http_npmtoken_lookup_done(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc);
static void ngx_http_npmtoken_lookup_free(ngx_http_npmtoken_lookup_t *lookup);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_lookup_owner = {
    ngx_http_npmtoken_lookup_ready_handler,
    ngx_http_npmtoken_lookup_reply_handler,
    ngx_http_npmtoken_lookup_lost_handler
};


ngx_http_npmtoken_lookups_t *
ngx_http_npmtoken_lookup_start(ngx_http_npmtoken_lookup_conf_t *conf)
{
    ngx_http_npmtoken_lookups_t     *lookups;
    ngx_http_npmtoken_connection_t  *conn;

    lookups = ngx_calloc(sizeof(ngx_http_npmtoken_lookups_t), ngx_cycle->log);
    if (lookups == NULL) {
        return NULL;
    }

    lookups->conf = conf;

    ngx_rbtree_init(&lookups->tree, &lookups->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&lookups->queue);
    ngx_queue_init(&lookups->away);

    ngx_http_npmtoken_asker_init(&lookups->askers, &conf->store, conf->queue,
                                 conf->share);

    lookups->logged.store = &conf->store;
    lookups->logged.refused.pause = NPMTOKEN_OUTAGE_PAUSE;

    lookups->timer.handler = ngx_http_npmtoken_lookup_timer_handler;
    lookups->timer.data = lookups;
    lookups->timer.log = ngx_cycle->log;

    /* who waits at the gate has the other timer, too */

    lookups->gate.handler = ngx_http_npmtoken_lookup_gate_handler;
    lookups->gate.data = lookups;
    lookups->gate.log = ngx_cycle->log;
    lookups->gate.cancelable = 1;

    conn = &lookups->conn;

    conn->endpoint = &conf->endpoint;
    conn->owner = &ngx_http_npmtoken_lookup_owner;
    conn->data = lookups;
    conn->connect_timeout = conf->connect_timeout;
    conn->max_reply = NPMTOKEN_RECORD_MAX;
    conn->max_elements = NPMTOKEN_RECORD_MAX_ELEMENTS;
    conn->max_skip = NGX_HTTP_NPMTOKEN_SKIP_MAX;
    conn->ask_slot = 1;
    ngx_str_set(&conn->label, "npmtoken-lookup");

    ngx_http_npmtoken_connection_init(conn);

    if (conf->listen) {
        lookups->listener.handler = ngx_http_npmtoken_lookup_switch_handler;
        lookups->listener.data = lookups;

        ngx_http_npmtoken_watch_join(&conf->endpoint, &lookups->listener);
    }

    return lookups;
}


void
ngx_http_npmtoken_lookup_stop(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q, *w;
    ngx_http_npmtoken_lookup_t  *lookup;

    ngx_http_npmtoken_watch_leave(&lookups->conf->endpoint,
                                  &lookups->listener);
    ngx_http_npmtoken_connection_close(&lookups->conn);

    if (lookups->detour) {
        ngx_http_npmtoken_detour_destroy(lookups->detour);
    }

    if (!ngx_queue_empty(&lookups->away)) {
        ngx_queue_add(&lookups->queue, &lookups->away);
    }

    while (!ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        while (!ngx_queue_empty(&lookup->waiters)) {
            w = ngx_queue_head(&lookup->waiters);
            ngx_http_npmtoken_lookup_forget(
                  ngx_queue_data(w, ngx_http_npmtoken_waiter_t, queue));
        }

        ngx_http_npmtoken_lookup_remove(lookup);
        ngx_http_npmtoken_lookup_free(lookup);
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);

    if (lookups->gate.timer_set) {
        ngx_del_timer(&lookups->gate);
    }

    ngx_free(lookups);
}


ngx_int_t
ngx_http_npmtoken_lookup(ngx_http_npmtoken_lookups_t *lookups, u_char *tag,
    u_char *key, u_char *network, ngx_http_npmtoken_waiter_t *waiter)
{
    uint32_t                     hash;
    ngx_http_npmtoken_lookup_t  *lookup;

    hash = ngx_crc32_long(key, NPMTOKEN_KEY_LEN);

    lookup = ngx_http_npmtoken_lookup_join(lookups, key, hash);

    if (lookup) {
        ngx_http_npmtoken_lookup_debug(key, "joined, sent", lookup->sent);

    } else {

        if (ngx_http_npmtoken_lookup_hopeless(lookups)
            || !ngx_http_npmtoken_asker_room(&lookups->askers, network))
        {
            ngx_http_npmtoken_lookup_debug(key, "not made, look-ups known",
                                           lookups->askers.known);
            return NGX_ERROR;
        }

        ngx_http_npmtoken_lookup_debug(key, "made, connection",
                                       lookups->conn.state);

        lookup = ngx_http_npmtoken_lookup_create(lookups, tag, key, hash,
                                                 network);
        if (lookup == NULL) {
            return NGX_ERROR;
        }
    }

    waiter->lookup = lookup;
    ngx_queue_insert_tail(&lookup->waiters, &waiter->queue);

    return NGX_AGAIN;
}


/*
 * rule: join-if-current.  A look-up in flight is an entry that is not yet
 * filled.  If it may no longer be joined, it goes on for those that have
 * joined, and leaves its place in the tree to the next one.
 */

static ngx_http_npmtoken_lookup_t *
ngx_http_npmtoken_lookup_join(ngx_http_npmtoken_lookups_t *lookups,
    u_char *key, uint32_t hash)
{
    ngx_str_t                         name;
    ngx_http_npmtoken_lookup_t       *lookup;
    ngx_http_npmtoken_lookup_conf_t  *conf;

    name.data = key;
    name.len = NPMTOKEN_KEY_LEN;

    lookup = (ngx_http_npmtoken_lookup_t *)
                       ngx_str_rbtree_lookup(&lookups->tree, &name, hash);

    if (lookup == NULL || !lookup->sent) {
        return lookup;
    }

    conf = lookups->conf;

    if (ngx_http_npmtoken_proof_current(ngx_http_npmtoken_proof(conf),
                                        &lookup->stamp,
                                        ngx_http_npmtoken_proof_clock() + 1,
                                        conf->bound))
    {
        return lookup;
    }

    ngx_http_npmtoken_lookup_debug(key, "too old to be joined, epoch",
                           ngx_http_npmtoken_word_number(lookup->stamp.word));

    ngx_rbtree_delete(&lookups->tree, &lookup->sn.node);
    lookup->indexed = 0;

    return NULL;
}


/* whether waiting is useless: Redis is not tried again before the time-out */

static ngx_int_t
ngx_http_npmtoken_lookup_hopeless(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_msec_int_t                   left;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &lookups->conn;

    if (conn->state != NGX_HTTP_NPMTOKEN_BACKOFF) {
        return 0;
    }

    left = conn->retry_at - ngx_current_msec;

    return left > (ngx_msec_int_t) lookups->conf->timeout;
}


static ngx_http_npmtoken_lookup_t *
ngx_http_npmtoken_lookup_create(ngx_http_npmtoken_lookups_t *lookups,
    u_char *tag, u_char *key, uint32_t hash, u_char *network)
{
    ngx_http_npmtoken_lookup_t  *lookup;

    lookup = ngx_calloc(sizeof(ngx_http_npmtoken_lookup_t), ngx_cycle->log);
    if (lookup == NULL) {
        return NULL;
    }

    ngx_memcpy(lookup->key, key, NPMTOKEN_KEY_LEN);

    if (tag) {
        ngx_memcpy(lookup->tag, tag, NPMTOKEN_TAG_LEN);
    }

    lookup->lookups = lookups;
    lookup->expires = UINT64_MAX;
    lookup->deadline = ngx_current_msec + lookups->conf->timeout;
    ngx_queue_init(&lookup->waiters);

    lookup->sn.str.data = lookup->key;
    lookup->sn.str.len = NPMTOKEN_KEY_LEN;
    lookup->sn.node.key = hash;

    if (ngx_http_npmtoken_asker_count(&lookups->askers, network,
                                      &lookup->asker)
        != NGX_OK)
    {
        ngx_free(lookup);
        return NULL;
    }

    ngx_http_npmtoken_lookup_follow(lookups);

    if (lookups->conn.state != NGX_HTTP_NPMTOKEN_READY) {
        ngx_http_npmtoken_connection_open(&lookups->conn);

    } else if (!ngx_http_npmtoken_lookup_vouched(lookups)) {
        ngx_http_npmtoken_lookup_gate(lookups);

    } else if (ngx_http_npmtoken_lookup_send(lookup) != NGX_OK) {
        ngx_http_npmtoken_lookup_free(lookup);
        return NULL;
    }

    ngx_rbtree_insert(&lookups->tree, &lookup->sn.node);
    lookup->indexed = 1;

    ngx_queue_insert_tail(&lookups->queue, &lookup->queue);
    ngx_http_npmtoken_lookup_set_timer(lookups);

    return lookup;
}


/*
 * rule: connection-of-epoch.  The feed vouches for the server that it is
 * connected to.  So a look-up goes to that address, on a connection opened in
 * the feed's epoch: an older connection may lead to another server that was
 * behind that address before.  What was sent on the older connection is sent
 * again.  When the connection opens, the server itself says whether it is the
 * same one.
 */

static void
ngx_http_npmtoken_lookup_follow(ngx_http_npmtoken_lookups_t *lookups)
{
    uint64_t                    epoch;
    ngx_str_t                   host;
    ngx_http_npmtoken_peer_t    peer;
    ngx_http_npmtoken_proof_t  *proof;

    proof = ngx_http_npmtoken_proof(lookups->conf);

    if (proof == NULL) {
        return;
    }

    epoch = ngx_http_npmtoken_proof_epoch(proof);

    if (epoch == lookups->epoch
        || ngx_http_npmtoken_proof_epoch_peer(proof, epoch, &peer) != NGX_OK)
    {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &lookups->conn.log, 0,
                   "npmtoken lookup epoch: %uL, was %uL", epoch,
                   lookups->epoch);

    ngx_http_npmtoken_lookup_move(lookups);

    /* an epoch in which no server is vouched for has no peer */

    if (peer.socklen) {
        host.data = peer.host;
        host.len = peer.host_len;

        ngx_http_npmtoken_dial_pin(&lookups->conn.dial, &peer.sockaddr,
                                   peer.socklen, &host);
    } else {
        ngx_http_npmtoken_dial_home(&lookups->conn.dial);
    }

    ngx_memcpy(lookups->server, peer.server, NGX_HTTP_NPMTOKEN_SERVER_LEN);

    /* the feed's server has answered this */
    lookups->conn.ask_server = 1;
    lookups->conn.endpoint->left_out &=
                                 ~ngx_http_npmtoken_greeting_server_step();
    lookups->epoch = epoch;
}


static void
ngx_http_npmtoken_lookup_move(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_lookup_restart(lookups);

    /* what failed before was another server */
    lookups->conn.retry_at = ngx_current_msec;
}


static void
ngx_http_npmtoken_lookup_switch_handler(void *data, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    if (ngx_http_npmtoken_dial_leads_to(&lookups->conn.dial, host, port)) {
        return;
    }

    ngx_http_npmtoken_lookup_move(lookups);

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_connection_open(&lookups->conn);
    }
}


/*
 * rule: lookup-is-no-proof ("proof_replicas").  What a master says that was
 * succeeded is old, whenever it is asked.  So a look-up waits here while no
 * proof vouches for the server that it goes to.  Nothing overtakes those that
 * wait, since replies belong to look-ups by their order.
 */

static ngx_uint_t
ngx_http_npmtoken_lookup_vouched(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_lookup_conf_t  *conf;

    conf = lookups->conf;

    if (conf->replicas == 0) {
        return 1;
    }

    return !lookups->gate.timer_set
           && ngx_http_npmtoken_greeting_leads_to(&lookups->conn,
                                                  lookups->server)
           && ngx_http_npmtoken_proof_vouched(ngx_http_npmtoken_proof(conf),
                                         lookups->epoch,
                                         ngx_http_npmtoken_proof_clock() + 1,
                                         conf->bound);
}


static void
ngx_http_npmtoken_lookup_gate(ngx_http_npmtoken_lookups_t *lookups)
{
    if (!lookups->gate.timer_set) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &lookups->conn.log, 0,
                       "npmtoken look-ups wait for a proof, epoch %uL",
                       lookups->epoch);

        ngx_add_timer(&lookups->gate, NGX_HTTP_NPMTOKEN_GATE_TICK);
    }
}


static void
ngx_http_npmtoken_lookup_gate_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_lookups_t  *lookups = ev->data;

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_lookup_pass(lookups);
    }
}


/*
 * rule: lookup-is-no-proof.  Those who wait are answered by a proof as well: it
 * may have ended while the reply was on its way.
 */

static ngx_uint_t
ngx_http_npmtoken_lookup_unproven(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_lookup_conf_t  *conf;

    conf = lookup->lookups->conf;

    return conf->replicas
           && !ngx_http_npmtoken_proof_vouched(ngx_http_npmtoken_proof(conf),
                             ngx_http_npmtoken_word_number(lookup->stamp.word),
                             ngx_http_npmtoken_proof_clock() + 1,
                             conf->bound);
}


/* asks for all of them again, on a new connection */

static void
ngx_http_npmtoken_lookup_again(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_lookup_restart(lookups);
    ngx_http_npmtoken_connection_open(&lookups->conn);
    ngx_http_npmtoken_lookup_set_timer(lookups);
}


/* Closes the connection.  What was sent on it is sent again on the next one. */

static void
ngx_http_npmtoken_lookup_restart(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q;
    ngx_http_npmtoken_lookup_t  *lookup;

    ngx_http_npmtoken_connection_close(&lookups->conn);

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         q = ngx_queue_next(q))
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);
        ngx_http_npmtoken_lookup_reset(lookup);
    }
}


/* rule: stamp-before-send */

static void
ngx_http_npmtoken_lookup_stamp(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_proof_t    *proof;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;
    proof = ngx_http_npmtoken_proof(lookups->conf);

    ngx_http_npmtoken_proof_stamp(proof, lookup->key, &lookup->stamp);

    /* rule: connection-of-epoch */

    if (proof
        && ngx_http_npmtoken_word_number(lookup->stamp.word) != lookups->epoch)
    {
        ngx_http_npmtoken_lookup_debug(lookup->key, "not to be cached, epoch",
                                       lookups->epoch);

        ngx_http_npmtoken_stamp_void(&lookup->stamp);
        return;
    }

    /* rule: same-server */

    if (lookups->epoch
        && !ngx_http_npmtoken_greeting_leads_to(&lookups->conn,
                                                lookups->server))
    {
        ngx_http_npmtoken_lookup_debug(lookup->key, "another server, epoch",
                                       lookups->epoch);

        if (lookups->conf->replicas) {
            ngx_http_npmtoken_stamp_void(&lookup->stamp);
            return;
        }

        ngx_http_npmtoken_stamp_alone(&lookup->stamp);
        ngx_http_npmtoken_lookup_apart(lookups,
                                       ngx_http_npmtoken_proof_proven(proof));
        return;
    }

    if (lookups->conf->replicas) {
        ngx_http_npmtoken_stamp_strict(&lookup->stamp);
    }
}


/*
 * After a restart, look-ups and feed may reach different servers for a moment.
 * But if the server has answered the feed since this connection was made, it
 * is another one.
 */

static void
ngx_http_npmtoken_lookup_apart(ngx_http_npmtoken_lookups_t *lookups,
    uint64_t word)
{
    /* of a cluster, these are two nodes until the feed has moved, too */

    if (lookups->told
        || lookups->conn.endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER
        || ngx_http_npmtoken_word_number(word) != lookups->epoch
        || ngx_http_npmtoken_word_time(word) <= lookups->ready)
    {
        return;
    }

    lookups->told = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": look-ups do not reach the server "
                  "that pushes changes, so there are several servers behind "
                  "\"%V\": a record is used no longer than "
                  "\"revocation_bound\"",
                  &lookups->conf->store, &lookups->conf->endpoint.name);
}


static ngx_int_t
ngx_http_npmtoken_lookup_send(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_str_t                     words[2][2];
    ngx_http_npmtoken_command_t   commands[2];
    ngx_http_npmtoken_lookups_t  *lookups;
    u_char                        name[NGX_HTTP_NPMTOKEN_MAX_RECORDS
                                       + NPMTOKEN_KEY_LEN];

    ngx_http_npmtoken_lookup_stamp(lookup);

    lookups = lookup->lookups;

    lookup->began = ngx_current_msec;
    lookup->patience = ngx_http_npmtoken_lookup_patience(lookup);

    ngx_http_npmtoken_lookup_commands(lookup, commands, words, name);

    if (ngx_http_npmtoken_connection_send(&lookups->conn, commands, 2)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    lookup->sent = 1;

    ngx_http_npmtoken_lookup_debug(lookup->key, "sent, patience",
                                   lookup->patience);
    return NGX_OK;
}


/* "name" has room for the name of a record */

static void
ngx_http_npmtoken_lookup_commands(ngx_http_npmtoken_lookup_t *lookup,
    ngx_http_npmtoken_command_t *commands, ngx_str_t (*words)[2],
    u_char *name)
{
    u_char     *p;
    ngx_str_t  *records;

    records = &lookup->lookups->conf->endpoint.records;

    p = ngx_cpymem(name, records->data, records->len);
    p = ngx_cpymem(p, lookup->key, NPMTOKEN_KEY_LEN);

    ngx_str_set(&words[0][0], "HGETALL");
    words[0][1].data = name;
    words[0][1].len = p - name;

    ngx_str_set(&words[1][0], "PTTL");
    words[1][1] = words[0][1];

    commands[0].argc = 2;
    commands[0].argv = words[0];
    commands[1].argc = 2;
    commands[1].argv = words[1];
}


/*
 * A connection that a balancer or NAT has forgotten takes what is sent and
 * never answers.  So the first try of a look-up ends while there is time for
 * another one on a new connection, if connecting takes no longer than last
 * time.  The first try ends sooner if nothing was heard for long.  Other
 * replies may come in the meantime.
 */

static ngx_msec_t
ngx_http_npmtoken_lookup_patience(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_msec_t                       timeout;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &lookup->lookups->conn;
    timeout = lookup->lookups->conf->timeout;

    if (lookup->resent || conn->took >= timeout / 4) {
        return 0;
    }

    timeout = ngx_http_npmtoken_connection_doubtful(conn) ? timeout / 4
                                                          : timeout / 2;

    return ngx_max(timeout, 1);
}


/* milliseconds that are left to wait for the head of the queue */

static ngx_msec_int_t
ngx_http_npmtoken_lookup_left(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_msec_int_t  left, heard;

    left = lookup->deadline - ngx_current_msec;

    if (!lookup->sent || lookup->patience == 0) {
        return left;
    }

    heard = lookup->lookups->conn.heard - lookup->began;

    return ngx_min(left, (ngx_msec_int_t) (lookup->began + lookup->patience
                                           - ngx_current_msec)
                         + ngx_max(heard, 0));
}


static void
ngx_http_npmtoken_lookup_ready_handler(void *data)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    lookups->ready = ngx_http_npmtoken_proof_clock();

    ngx_http_npmtoken_lookup_pass(lookups);
}


/* sends all look-ups that were not sent, if they may be */

static void
ngx_http_npmtoken_lookup_pass(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q;
    ngx_http_npmtoken_lookup_t  *lookup;

    /* a new epoch may have begun while it was connecting */

    ngx_http_npmtoken_lookup_follow(lookups);

    if (lookups->conn.state != NGX_HTTP_NPMTOKEN_READY) {

        if (!ngx_queue_empty(&lookups->queue)) {
            ngx_http_npmtoken_connection_open(&lookups->conn);
        }

        return;
    }

    if (!ngx_http_npmtoken_lookup_vouched(lookups)) {

        if (lookups->conf->replicas && lookups->epoch
            && !ngx_http_npmtoken_greeting_leads_to(&lookups->conn,
                                                    lookups->server))
        {
            ngx_http_npmtoken_lookup_apart(lookups,
                              ngx_http_npmtoken_proof_proven(
                                   ngx_http_npmtoken_proof(lookups->conf)));
        }

        if (!ngx_queue_empty(&lookups->queue)) {
            ngx_http_npmtoken_lookup_gate(lookups);
        }

        return;
    }

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         q = ngx_queue_next(q))
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if (lookup->sent) {
            continue;
        }

        if (ngx_http_npmtoken_lookup_send(lookup) != NGX_OK) {

            /* the next look-up would get this one's replies */

            ngx_http_npmtoken_connection_fail(&lookups->conn, "no memory");
            return;
        }
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
}


static void
ngx_http_npmtoken_lookup_lost_handler(void *data)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    ngx_queue_t                  *q, lost;
    ngx_http_npmtoken_lookup_t   *lookup;

    ngx_queue_init(&lost);

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         /* void */ )
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);
        q = ngx_queue_next(q);

        if (!lookup->sent) {
            continue;
        }

        if (lookups->moved) {

            /* a node that has told where to go has not failed */

            ngx_http_npmtoken_lookup_reset(lookup);
            continue;
        }

        if (lookup->resent) {
            ngx_http_npmtoken_lookup_remove(lookup);
            ngx_queue_insert_tail(&lost, &lookup->queue);
            continue;
        }

        ngx_http_npmtoken_lookup_debug(lookup->key, "lost, replied",
                                       lookup->replied);

        ngx_http_npmtoken_lookup_reset(lookup);
        lookup->resent = 1;
    }

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_connection_open(&lookups->conn);
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done_all(&lost, NGX_ERROR);
}


static void
ngx_http_npmtoken_lookup_reset(ngx_http_npmtoken_lookup_t *lookup)
{
    lookup->sent = 0;
    lookup->replied = 0;
    lookup->away = 0;
    lookup->expires = UINT64_MAX;

    if (lookup->record) {
        ngx_free(lookup->record);
        lookup->record = NULL;
    }
}


/* the first reply of a look-up is to HGETALL, the second to PTTL */

static ngx_int_t
ngx_http_npmtoken_lookup_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    ngx_int_t                     rc;
    ngx_queue_t                  *q;
    ngx_http_npmtoken_lookup_t   *lookup;

    if (ngx_queue_empty(&lookups->queue)) {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&lookups->queue);
    lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

    if (!lookup->sent) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_lookup_redirected(lookup, reply)) {
        return NGX_OK;
    }

    if (!lookup->replied) {
        lookup->replied = 1;

        lookup->rc = ngx_http_npmtoken_reply_record(&lookups->logged,
                                                    lookup->key, reply,
                                                    &lookup->record);

        ngx_http_npmtoken_lookup_debug(lookup->key, "HGETALL", lookup->rc);

        if (lookup->rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        if (reply || !lookups->conn.codec.lost) {
            return NGX_OK;
        }

        /* no PTTL reply follows, so it is not known when the key ends */

        rc = ngx_http_npmtoken_lookup_cache(lookup, lookup->rc);

    } else {
        rc = ngx_http_npmtoken_lookup_ttl_reply(lookup, reply);

        if (rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        if (rc != NGX_ERROR && ngx_http_npmtoken_lookup_unproven(lookup)) {
            ngx_http_npmtoken_lookup_debug(lookup->key, "not proven, asked",
                                           1);
            ngx_http_npmtoken_lookup_again(lookups);
            return NGX_OK;
        }

        rc = ngx_http_npmtoken_lookup_cache(lookup, rc);
    }

    ngx_http_npmtoken_lookup_replied(lookup, rc);

    return NGX_OK;
}


static void
ngx_http_npmtoken_lookup_replied(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc)
{
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    ngx_http_npmtoken_connection_works(&lookups->conn);

    if (rc != NGX_ERROR) {
        ngx_http_npmtoken_reply_works(&lookups->logged);
    }

    ngx_http_npmtoken_lookup_remove(lookup);
    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done(lookup, rc);
}


/*
 * Whether the reply is dealt with, since a node of a cluster has said that
 * another one has the key.
 */

static ngx_uint_t
ngx_http_npmtoken_lookup_redirected(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_uint_t                     last;
    ngx_http_npmtoken_lookups_t   *lookups;
    ngx_http_npmtoken_redirect_t   to;

    lookups = lookup->lookups;

    if (lookups->conn.endpoint->kind != NGX_HTTP_NPMTOKEN_CLUSTER) {
        return 0;
    }

    last = lookup->replied;

    if (ngx_http_npmtoken_cluster_redirect(reply, &to) != NGX_OK) {

        if (last && lookup->away) {

            /* the key went away and came back between the two commands */

            ngx_http_npmtoken_lookup_replied(lookup, NGX_ERROR);
            return 1;
        }

        return 0;
    }

    if (!to.ask) {
        ngx_http_npmtoken_lookup_debug(lookup->key, "moved, port", to.port);

        lookups->moved = 1;
        (void) ngx_http_npmtoken_connection_follow(&lookups->conn, reply);
        lookups->moved = 0;

        ngx_http_npmtoken_detour_rest(lookups->detour);

        return 1;
    }

    lookup->replied = 1;
    lookup->away = 1;

    if (last) {
        ngx_http_npmtoken_lookup_leave(lookup, reply);
    }

    return 1;
}


/*
 * Both commands go to the node that the slot is being moved to, after ASKING.
 * What they tell is not pushed by the feed's server: it is not cached, and
 * nobody joins this look-up.
 */

static void
ngx_http_npmtoken_lookup_leave(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    ngx_http_npmtoken_connection_works(&lookups->conn);

    ngx_http_npmtoken_lookup_remove(lookup);
    ngx_queue_insert_tail(&lookups->away, &lookup->queue);
    ngx_http_npmtoken_lookup_set_timer(lookups);

    ngx_http_npmtoken_lookup_reset(lookup);
    ngx_http_npmtoken_stamp_void(&lookup->stamp);

    if (ngx_http_npmtoken_lookup_detour_begin(lookup, reply) != NGX_OK) {
        ngx_queue_remove(&lookup->queue);
        ngx_http_npmtoken_lookup_done(lookup, NGX_ERROR);
    }
}


static ngx_int_t
ngx_http_npmtoken_lookup_detour_begin(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_msec_int_t                      left;
    ngx_http_npmtoken_lookups_t        *lookups;
    ngx_http_npmtoken_lookup_detour_t  *detour;

    lookups = lookup->lookups;

    if (lookups->detour == NULL) {
        lookups->detour = ngx_http_npmtoken_detour_create(&lookups->conn);
    }

    detour = ngx_calloc(sizeof(ngx_http_npmtoken_lookup_detour_t),
                        ngx_cycle->log);

    if (lookups->detour == NULL || detour == NULL) {
        return NGX_ERROR;
    }

    lookup->detour = detour;

    ngx_http_npmtoken_lookup_commands(lookup, detour->commands, detour->words,
                                      detour->name);

    detour->job.commands = detour->commands;
    detour->job.ncommands = 2;
    detour->job.handler = ngx_http_npmtoken_lookup_detour_handler;
    detour->job.data = lookup;

    if (ngx_http_npmtoken_detour_add(lookups->detour, &lookups->conn, reply,
                                     &detour->job)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    detour->timer.handler = ngx_http_npmtoken_lookup_detour_timer_handler;
    detour->timer.data = lookup;
    detour->timer.log = ngx_cycle->log;

    left = lookup->deadline - ngx_current_msec;

    ngx_add_timer(&detour->timer, (ngx_msec_t) ngx_max(left, 1));

    ngx_http_npmtoken_lookup_debug(lookup->key, "asks another node, ms left",
                                   left);
    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_lookup_detour_handler(ngx_http_npmtoken_detour_job_t *job,
    redisReply *reply)
{
    ngx_int_t                    rc;
    ngx_http_npmtoken_lookup_t  *lookup = job->data;

    rc = NGX_ERROR;

    if (reply && !lookup->replied) {
        lookup->replied = 1;

        lookup->rc = ngx_http_npmtoken_reply_record(&lookup->lookups->logged,
                                                    lookup->key, reply,
                                                    &lookup->record);

        return lookup->rc == NGX_ABORT ? NGX_ERROR : NGX_OK;
    }

    if (reply) {
        rc = ngx_http_npmtoken_lookup_ttl_reply(lookup, reply);
        rc = ngx_http_npmtoken_lookup_cache(lookup, rc);
    }

    ngx_queue_remove(&lookup->queue);
    ngx_http_npmtoken_lookup_done(lookup, rc == NGX_ABORT ? NGX_ERROR : rc);

    return rc == NGX_ABORT ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_npmtoken_lookup_detour_timer_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_lookup_t  *lookup = ev->data;

    ngx_http_npmtoken_lookup_debug(lookup->key, "timed out, sent",
                                   lookup->detour->job.sent);

    ngx_http_npmtoken_detour_expire(lookup->lookups->detour,
                                    &lookup->detour->job);
}


static ngx_int_t
ngx_http_npmtoken_lookup_ttl_reply(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    if (reply == NULL) {
        return NGX_ABORT;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        if (lookup->rc != NGX_ERROR) {
            ngx_http_npmtoken_reply_error(&lookup->lookups->logged, reply);
        }

        return NGX_ERROR;
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        return NGX_ABORT;
    }

    if (lookup->rc != NGX_OK) {
        return lookup->rc;
    }

    if (reply->integer == -2) {

        /* the key vanished between the two commands */

        return NGX_DECLINED;
    }

    if (reply->integer == -1) {
        lookup->record->vanishes_at = NPMTOKEN_NEVER;
        return NGX_OK;
    }

    /*
     * rule: deadline-from-stamp; so the deadline is never later than in Redis
     */

    lookup->expires = ngx_http_npmtoken_word_time(lookup->stamp.word)
                      + reply->integer;

    lookup->record->vanishes_at = ngx_time() + reply->integer / 1000;

    return NGX_OK;
}


/*
 * Caches the result with its stamp, whatever was pushed in the meantime.  If
 * something was pushed, the stamp is not current and the entry is a miss.
 */

static ngx_int_t
ngx_http_npmtoken_lookup_cache(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc)
{
    ngx_http_npmtoken_cache_t  *cache;

    if (rc == NGX_OK && lookup->expires <= ngx_http_npmtoken_proof_clock()) {

        /*
         * rule: deadline-at-answer.  The key vanished while the reply was on
         * its way, or will soon: its time counts from before the command was
         * sent.
         */

        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_lookup_unproven(lookup)) {
        return NGX_ERROR;
    }

    cache = lookup->lookups->conf->cache;

    ngx_http_npmtoken_lookup_debug(lookup->key, "may be cached",
                          cache && rc != NGX_ERROR
                          && !ngx_http_npmtoken_stamp_is_void(&lookup->stamp));

    if (rc == NGX_ERROR || cache == NULL
        || ngx_http_npmtoken_stamp_is_void(&lookup->stamp))
    {
        return rc;
    }

    ngx_http_npmtoken_cache_put(cache, lookup->tag, &lookup->stamp,
                                lookup->expires,
                                rc == NGX_OK ? lookup->record : NULL);
    return rc;
}


static void
ngx_http_npmtoken_lookup_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t                    sent;
    ngx_queue_t                  *q, late;
    ngx_http_npmtoken_lookup_t   *lookup;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = ev->data;

    sent = 0;
    ngx_queue_init(&late);

    while (!ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if ((ngx_msec_int_t) (lookup->deadline - ngx_current_msec) > 0) {
            break;
        }

        /* who waits at the gate does not wait for the connection */

        sent |= lookup->sent || (lookup->resent && !lookups->gate.timer_set);

        ngx_http_npmtoken_lookup_debug(lookup->key, "timed out, sent",
                                       lookup->sent);

        ngx_http_npmtoken_lookup_remove(lookup);
        ngx_queue_insert_tail(&late, &lookup->queue);
    }

    if (sent) {

        /*
         * Its reply would be taken for the next one's, and a connection that
         * has been silent for so long is better replaced.  On the second
         * connection even the greeting may be unanswered.
         */

        ngx_http_npmtoken_connection_fail(&lookups->conn,
                                          "a look-up timed out");
    }

    if (!sent && !ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if (ngx_http_npmtoken_lookup_left(lookup) <= 0) {
            ngx_http_npmtoken_connection_renew(&lookups->conn,
                                               lookup->patience);
        }
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done_all(&late, NGX_ERROR);
}


static void
ngx_http_npmtoken_lookup_set_timer(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q;
    ngx_msec_int_t               left;
    ngx_http_npmtoken_lookup_t  *lookup;

    if (ngx_queue_empty(&lookups->queue)) {

        if (lookups->timer.timer_set) {
            ngx_del_timer(&lookups->timer);
        }

        return;
    }

    q = ngx_queue_head(&lookups->queue);
    lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

    left = ngx_http_npmtoken_lookup_left(lookup);

    ngx_add_timer(&lookups->timer, (ngx_msec_t) ngx_max(left, 1));
}


static void
ngx_http_npmtoken_lookup_remove(ngx_http_npmtoken_lookup_t *lookup)
{
    if (lookup->indexed) {
        ngx_rbtree_delete(&lookup->lookups->tree, &lookup->sn.node);
        lookup->indexed = 0;
    }

    ngx_queue_remove(&lookup->queue);
}


static void
ngx_http_npmtoken_lookup_done_all(ngx_queue_t *lookups, ngx_int_t rc)
{
    ngx_queue_t                 *q;
    ngx_http_npmtoken_lookup_t  *lookup;

    while (!ngx_queue_empty(lookups)) {
        q = ngx_queue_head(lookups);
        ngx_queue_remove(q);

        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        ngx_http_npmtoken_lookup_done(lookup, rc);
    }
}


/*
 * The look-up has been removed.  So a waiter that is called may make another
 * look-up for the same key.  It may also make the next waiter go away.
 */

static void
ngx_http_npmtoken_lookup_done(ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc)
{
    ngx_queue_t                  *q;
    ngx_http_npmtoken_waiter_t   *waiter;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    ngx_http_npmtoken_lookup_debug(lookup->key, "done", rc);

    while (!ngx_queue_empty(&lookup->waiters)) {
        q = ngx_queue_head(&lookup->waiters);
        waiter = ngx_queue_data(q, ngx_http_npmtoken_waiter_t, queue);

        ngx_http_npmtoken_lookup_forget(waiter);

        waiter->handler(waiter, rc, lookup->record);
    }

    ngx_http_npmtoken_lookup_free(lookup);

    if (ngx_exiting && ngx_queue_empty(&lookups->queue)) {

        /* nginx closes idle connections once, when the exit begins */

        ngx_http_npmtoken_connection_close(&lookups->conn);
        ngx_http_npmtoken_detour_rest(lookups->detour);
    }
}


void
ngx_http_npmtoken_lookup_forget(ngx_http_npmtoken_waiter_t *waiter)
{
    if (waiter->lookup) {
        waiter->lookup = NULL;
        ngx_queue_remove(&waiter->queue);
    }
}


static void
ngx_http_npmtoken_lookup_free(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_asker_uncount(&lookup->lookups->askers, lookup->asker);

    if (lookup->detour) {

        if (lookup->detour->timer.timer_set) {
            ngx_del_timer(&lookup->detour->timer);
        }

        ngx_free(lookup->detour);
    }

    ngx_http_npmtoken_lookup_reset(lookup);
    ngx_free(lookup);
}
