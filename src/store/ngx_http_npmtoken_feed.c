
/*
 * Redis pushes the names of changed records by client-side caching in
 * broadcast mode, RESP2.  It pushes them on the same connection that asked for
 * them (rule: one-socket): of two connections, one can die unnoticed while the
 * other lives.
 *
 * The feed reports through the shared state alone: the counters, the epoch,
 * and the time up to which it has reported everything.  It calls nobody.
 *
 * A feed is woken by its tick, several times in each bound, and by its
 * connection.  Neither delays the exit of a worker: the tick is cancelable,
 * and the connection is always idle.
 */


#include "ngx_http_npmtoken_feed.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_connection_log.h"
#include "ngx_http_npmtoken_greeting.h"
#include "ngx_http_npmtoken_slot.h"
#include "ngx_http_npmtoken_watch.h"
#include "ngx_http_npmtoken_witness.h"
#include "npmtoken_digest.h"


/*
 * A message with more names or bytes than this counts as a change of
 * everything.  Looking records up again then costs less than reading the
 * message.
 */

#define NGX_HTTP_NPMTOKEN_FEED_BYTES     (4 * 1024 * 1024)
#define NGX_HTTP_NPMTOKEN_FEED_ELEMENTS  16384

/* ticks and proofs in a bound */
#define NGX_HTTP_NPMTOKEN_FEED_TICKS     4

/* milliseconds */
#define NGX_HTTP_NPMTOKEN_FEED_MIN_TICK  10
#define NGX_HTTP_NPMTOKEN_FEED_MAX_TICK  1000
#define NGX_HTTP_NPMTOKEN_FEED_LEASE     1000

/*
 * A connection on which a PING is unanswered, and nothing else came for this
 * many milliseconds, leads nowhere.  Redis itself answers BUSY after that time.
 */
#define NGX_HTTP_NPMTOKEN_FEED_PATIENCE  5000

/* the most milliseconds for which Redis waits for replicas */
#define NGX_HTTP_NPMTOKEN_FEED_WAIT      2500

/* milliseconds until a refused feed is tried again: at first, at most */
#define NGX_HTTP_NPMTOKEN_FEED_RETRY     1000
#define NGX_HTTP_NPMTOKEN_FEED_RETRY_MAX (5 * 60 * 1000)

/*
 * this many feeds lost in a row, each within this many milliseconds, are
 * logged
 */
#define NGX_HTTP_NPMTOKEN_FEED_SHORT     30000
#define NGX_HTTP_NPMTOKEN_FEED_FLAPS     3


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


static ngx_msec_t ngx_http_npmtoken_feed_patience(
    ngx_http_npmtoken_feed_conf_t *conf);
static void ngx_http_npmtoken_feed_tick_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_feed_switch_handler(void *data,
    ngx_str_t *host, ngx_uint_t port);
static ngx_uint_t ngx_http_npmtoken_feed_silent(
    ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_own(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_disown(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_open(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_set_state(ngx_http_npmtoken_feed_t *feed,
    ngx_http_npmtoken_feed_state_e state);
static void ngx_http_npmtoken_feed_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_feed_reply_handler(void *data,
    redisReply *reply);
static void ngx_http_npmtoken_feed_nameless(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_lost_handler(void *data);
static void ngx_http_npmtoken_feed_flapped(ngx_http_npmtoken_feed_t *feed);
static ngx_int_t ngx_http_npmtoken_feed_error(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static void ngx_http_npmtoken_feed_refuse(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *why, char *advice);
static ngx_int_t ngx_http_npmtoken_feed_track(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_subscribe(
    ngx_http_npmtoken_feed_t *feed, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_begin(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static uint64_t ngx_http_npmtoken_feed_epoch(ngx_http_npmtoken_feed_t *feed);
static ngx_int_t ngx_http_npmtoken_feed_prove(
    ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_slot_handler(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_npmtoken_feed_unproven(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static void ngx_http_npmtoken_feed_moved(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_write(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_witness_handler(void *data, ngx_int_t rc,
    redisReply *reply);
static void ngx_http_npmtoken_feed_doubt(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_ping(ngx_http_npmtoken_feed_t *feed);
static ngx_int_t ngx_http_npmtoken_feed_message(
    ngx_http_npmtoken_feed_t *feed, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_invalidation(
    ngx_http_npmtoken_feed_t *feed, redisReply *names);
static ngx_int_t ngx_http_npmtoken_feed_changed(
    ngx_http_npmtoken_feed_t *feed, ngx_str_t *name);
static ngx_int_t ngx_http_npmtoken_feed_came_back(
    ngx_http_npmtoken_feed_t *feed, ngx_str_t *name);
static ngx_int_t ngx_http_npmtoken_feed_pong(ngx_http_npmtoken_feed_t *feed,
    redisReply *nonce);
static ngx_int_t ngx_http_npmtoken_feed_proven(
    ngx_http_npmtoken_feed_t *feed);
static ngx_int_t ngx_http_npmtoken_feed_send(ngx_http_npmtoken_feed_t *feed,
    ngx_uint_t argc, ngx_str_t *argv);
static ngx_uint_t ngx_http_npmtoken_feed_is(redisReply *reply, char *text);


#if (NGX_DEBUG)

static char  *ngx_http_npmtoken_feed_states[] = {
    "closed", "id", "tracking", "subscribe", "live"
};

#endif


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_feed_owner = {
    ngx_http_npmtoken_feed_ready_handler,
    ngx_http_npmtoken_feed_reply_handler,
    ngx_http_npmtoken_feed_lost_handler
};


ngx_http_npmtoken_feed_t *
ngx_http_npmtoken_feed_start(ngx_http_npmtoken_feed_conf_t *conf,
    ngx_http_npmtoken_proof_t *proof)
{
    ngx_http_npmtoken_feed_t        *feed;
    ngx_http_npmtoken_connection_t  *conn;

    feed = ngx_calloc(sizeof(ngx_http_npmtoken_feed_t), ngx_cycle->log);
    if (feed == NULL) {
        return NULL;
    }

    feed->conf = conf;
    feed->proof = proof;

    feed->interval = conf->bound / NGX_HTTP_NPMTOKEN_FEED_TICKS;
    feed->interval = ngx_max(feed->interval, NGX_HTTP_NPMTOKEN_FEED_MIN_TICK);
    feed->interval = ngx_min(feed->interval, NGX_HTTP_NPMTOKEN_FEED_MAX_TICK);

    feed->lease = ngx_max(conf->bound, NGX_HTTP_NPMTOKEN_FEED_LEASE);

    conn = &feed->conn;

    conn->endpoint = conf->endpoint;
    conn->owner = &ngx_http_npmtoken_feed_owner;
    conn->data = feed;
    conn->connect_timeout = conf->connect_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_FEED_BYTES;
    conn->max_elements = NGX_HTTP_NPMTOKEN_FEED_ELEMENTS;
    conn->ask_server = 1;
    conn->ask_slot = 1;
    ngx_str_set(&conn->label, "npmtoken-feed");

    ngx_http_npmtoken_connection_init(conn);

    feed->listener.handler = ngx_http_npmtoken_feed_switch_handler;
    feed->listener.data = feed;

    if (conf->replicas) {
        feed->witness = ngx_http_npmtoken_witness_create(conn, conf->replicas,
                                      ngx_http_npmtoken_feed_patience(conf),
                                      ngx_http_npmtoken_feed_witness_handler,
                                      feed);
        if (feed->witness == NULL) {
            ngx_free(feed);
            return NULL;
        }
    }

    feed->tick.handler = ngx_http_npmtoken_feed_tick_handler;
    feed->tick.data = feed;
    feed->tick.log = ngx_cycle->log;
    feed->tick.cancelable = 1;

    ngx_add_timer(&feed->tick, 1);

    return feed;
}


/*
 * How long Redis waits for replicas: a missing one has to be told from a silent
 * server, which ends the session.
 */

static ngx_msec_t
ngx_http_npmtoken_feed_patience(ngx_http_npmtoken_feed_conf_t *conf)
{
    return ngx_min(conf->bound / 2, NGX_HTTP_NPMTOKEN_FEED_WAIT);
}


void
ngx_http_npmtoken_feed_stop(ngx_http_npmtoken_feed_t *feed)
{
    ngx_http_npmtoken_feed_disown(feed);

    if (feed->tick.timer_set) {
        ngx_del_timer(&feed->tick);
    }

    if (feed->slot) {
        ngx_http_npmtoken_slot_destroy(feed->slot);
    }

    if (feed->witness) {
        ngx_http_npmtoken_witness_destroy(feed->witness);
    }

    ngx_free(feed);
}


static void
ngx_http_npmtoken_feed_tick_handler(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_http_npmtoken_feed_t  *feed;

    feed = ev->data;

    if (ngx_exiting || ngx_terminate || ngx_quit) {

        /* the workers of the next configuration take the feed over */

        ngx_http_npmtoken_feed_disown(feed);
        return;
    }

    ngx_add_timer(ev, feed->interval);

    if (feed->session == 0) {
        ngx_http_npmtoken_feed_own(feed);
        return;
    }

    rc = ngx_http_npmtoken_proof_lease_renew(feed->proof, feed->session,
                                             feed->lease);
    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": another worker has taken the "
                      "feed over", &feed->conf->store);

        ngx_http_npmtoken_feed_disown(feed);
        return;
    }

    if (feed->state == NGX_HTTP_NPMTOKEN_FEED_CLOSED) {
        ngx_http_npmtoken_feed_open(feed);
        return;
    }

    if (feed->state != NGX_HTTP_NPMTOKEN_FEED_LIVE) {
        return;
    }

    if (feed->sent == 0) {
        rc = ngx_http_npmtoken_feed_prove(feed);

        if (rc != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn, "no memory");
        }

        return;
    }

    if (ngx_http_npmtoken_feed_silent(feed)) {
        ngx_http_npmtoken_connection_fail(&feed->conn, feed->witness
                                          ? "the write of a proof timed out"
                                          : feed->asking
                                          ? "an EXISTS timed out"
                                          : "a PING timed out");
    }
}


/*
 * A bound may be long.  But what is pushed is lost on a connection that has
 * been forgotten, and a change should not take that long.
 */

static ngx_uint_t
ngx_http_npmtoken_feed_silent(ngx_http_npmtoken_feed_t *feed)
{
    uint64_t  waited;

    waited = ngx_http_npmtoken_proof_clock() - feed->sent;

    return waited > feed->lease
           || (waited > NGX_HTTP_NPMTOKEN_FEED_PATIENCE
               && ngx_current_msec - feed->conn.heard
                  > NGX_HTTP_NPMTOKEN_FEED_PATIENCE);
}


static void
ngx_http_npmtoken_feed_own(ngx_http_npmtoken_feed_t *feed)
{
    feed->session = ngx_http_npmtoken_proof_lease_take(feed->proof,
                                                       feed->session,
                                                       feed->lease);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken feed \"%V\": session %uL", &feed->conf->store,
                   feed->session);

    if (feed->session == 0) {
        return;
    }

    if (feed->conf->endpoint->kind == NGX_HTTP_NPMTOKEN_SENTINEL) {
        ngx_http_npmtoken_watch_join(feed->conf->endpoint, &feed->listener);
    }

    ngx_http_npmtoken_feed_open(feed);
}


/*
 * The old master may go on answering, pushing and saying
 * PONG.  So an epoch begins in which no feed vouches for any server: nothing
 * that was cached before is current, and look-ups go to the new master.
 */

static void
ngx_http_npmtoken_feed_switch_handler(void *data, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    ngx_http_npmtoken_dial_t  *dial;
    ngx_http_npmtoken_peer_t   nobody;

    dial = &feed->conn.dial;

    if (ngx_http_npmtoken_dial_leads_to(dial, host, port)) {
        return;
    }

    if (dial->place.len) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": the master is no longer %V, a "
                      "sentinel names %V:%ui",
                      &feed->conf->store, &dial->place, host, port);

        ngx_memzero(&nobody, sizeof(ngx_http_npmtoken_peer_t));

        (void) ngx_http_npmtoken_proof_epoch_begin(feed->proof, feed->session,
                                                   &nobody);
    }

    ngx_http_npmtoken_connection_close(&feed->conn);

    feed->conn.retry_at = ngx_current_msec;
    feed->retry_at = ngx_current_msec;

    ngx_http_npmtoken_feed_lost_handler(feed);
}


static void
ngx_http_npmtoken_feed_open(ngx_http_npmtoken_feed_t *feed)
{
    if ((ngx_msec_int_t) (feed->retry_at - ngx_current_msec) > 0) {

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "npmtoken feed \"%V\": not tried for %M ms",
                       &feed->conf->store, feed->retry_at - ngx_current_msec);
        return;
    }

    ngx_http_npmtoken_connection_open(&feed->conn);
}


static void
ngx_http_npmtoken_feed_disown(ngx_http_npmtoken_feed_t *feed)
{
    if (feed->session) {
        ngx_http_npmtoken_proof_lease_release(feed->proof, feed->session);
        feed->session = 0;

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "npmtoken feed \"%V\": given up", &feed->conf->store);
    }

    ngx_http_npmtoken_watch_leave(feed->conf->endpoint, &feed->listener);
    ngx_http_npmtoken_connection_close(&feed->conn);
    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_CLOSED);
}


static void
ngx_http_npmtoken_feed_set_state(ngx_http_npmtoken_feed_t *feed,
    ngx_http_npmtoken_feed_state_e state)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed \"%V\": %s, was %s", &feed->conf->store,
                   ngx_http_npmtoken_feed_states[state],
                   ngx_http_npmtoken_feed_states[feed->state]);

    feed->state = state;

    if (state == NGX_HTTP_NPMTOKEN_FEED_CLOSED && feed->slot) {
        ngx_http_npmtoken_slot_close(feed->slot);
    }

    if (state == NGX_HTTP_NPMTOKEN_FEED_CLOSED && feed->witness) {
        ngx_http_npmtoken_witness_close(feed->witness);
    }
}


static void
ngx_http_npmtoken_feed_ready_handler(void *data)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    ngx_str_t                  argv[2];

    feed->sent = 0;
    feed->asking = 0;
    feed->moving = 0;
    feed->epoch = 0;
    feed->proven = 0;

    /*
     * rule: same-server.  If the server does not say who it is, nobody can
     * tell whose look-ups this feed may vouch for.
     */

    if (feed->conn.server[0] == '\0') {
        ngx_http_npmtoken_feed_nameless(feed);
        return;
    }

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_ID);

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "ID");

    if (ngx_http_npmtoken_feed_send(feed, 2, argv) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&feed->conn, "no memory");
    }
}


static void
ngx_http_npmtoken_feed_nameless(ngx_http_npmtoken_feed_t *feed)
{
    u_char     buf[NGX_HTTP_NPMTOKEN_MAX_WORDS + 128];
    ngx_str_t  why, *refusal;

    refusal = &feed->conn.refusal;

    why.data = buf;

    if (refusal->len) {
        why.len = ngx_snprintf(buf, sizeof(buf), "redis answered %V on the "
                               "feed, whose user needs +info", refusal)
                  - buf;

    } else {
        ngx_str_set(&why, "redis does not say by INFO which server it is");
    }

    ngx_http_npmtoken_feed_refuse(feed, &why, "");
}


static void
ngx_http_npmtoken_feed_lost_handler(void *data)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    if (feed->state == NGX_HTTP_NPMTOKEN_FEED_LIVE && feed->proven) {
        ngx_http_npmtoken_feed_flapped(feed);
    }

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_CLOSED);

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        ngx_http_npmtoken_feed_disown(feed);
        return;
    }

    /* the next session has another number, whichever worker has it */

    if (feed->session) {
        ngx_http_npmtoken_feed_own(feed);
    }
}


/*
 * logs a feed that is lost often: "live again" alone would look as if all were
 * well
 */

static void
ngx_http_npmtoken_feed_flapped(ngx_http_npmtoken_feed_t *feed)
{
    ngx_msec_t  lived;

    lived = ngx_current_msec - feed->live_at;

    if (lived > NGX_HTTP_NPMTOKEN_FEED_SHORT) {
        feed->flaps = 0;
        return;
    }

    feed->flaps++;

    /* log the third one, then at doubling intervals */

    if (feed->flaps < NGX_HTTP_NPMTOKEN_FEED_FLAPS
        || (feed->flaps % NGX_HTTP_NPMTOKEN_FEED_FLAPS)
        || (feed->flaps / NGX_HTTP_NPMTOKEN_FEED_FLAPS
            & (feed->flaps / NGX_HTTP_NPMTOKEN_FEED_FLAPS - 1)))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": the feed does not last: it was lost "
                  "%ui times in a row, each within %d s, the last time after "
                  "%M ms; each loss empties the cache",
                  &feed->conf->store, feed->flaps,
                  NGX_HTTP_NPMTOKEN_FEED_SHORT / 1000, lived);
}


static ngx_int_t
ngx_http_npmtoken_feed_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    if (reply == NULL) {

        /*
         * rule: flush-invalidates; what follows in the message cannot be read
         */

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": a message on the feed is too "
                      "large and counts as a change of everything",
                      &feed->conf->store);

        ngx_http_npmtoken_proof_invalidate_all(feed->proof);
        return NGX_OK;
    }

    /* rule: error-is-no-life */

    if (reply->type == REDIS_REPLY_ERROR) {
        return ngx_http_npmtoken_feed_error(feed, reply);
    }

    switch (feed->state) {

    case NGX_HTTP_NPMTOKEN_FEED_ID:
        return ngx_http_npmtoken_feed_track(feed, reply);

    case NGX_HTTP_NPMTOKEN_FEED_TRACKING:
        return ngx_http_npmtoken_feed_subscribe(feed, reply);

    case NGX_HTTP_NPMTOKEN_FEED_SUBSCRIBE:
        return ngx_http_npmtoken_feed_begin(feed, reply);

    case NGX_HTTP_NPMTOKEN_FEED_LIVE:
        return ngx_http_npmtoken_feed_message(feed, reply);

    default: /* NGX_HTTP_NPMTOKEN_FEED_CLOSED */
        return NGX_ERROR;
    }
}


/* Redis does not know or allow a command, or cannot run it now */

static ngx_int_t
ngx_http_npmtoken_feed_error(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    u_char      buf[2 * NGX_HTTP_NPMTOKEN_MAX_WORDS];
    ngx_str_t   code, words, why;
    ngx_uint_t  level;

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    if (ngx_strncmp(code.data, "ERR", 3) == 0
        || ngx_strncmp(code.data, "NOPERM", 6) == 0)
    {
        why.data = buf;
        why.len = ngx_snprintf(buf, sizeof(buf),
                               "redis answered \"%V\" on the feed (%V)",
                               &code, &words)
                  - buf;

        ngx_http_npmtoken_feed_refuse(feed, &why,
                                      ngx_http_npmtoken_codec_advice(&code));
        return NGX_OK;
    }

    level = ngx_http_npmtoken_connection_log_fault(&feed->conn,
                                       ngx_crc32_short(code.data, code.len));

    ngx_log_error(level, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": redis answered \"%V\" on the feed "
                  "(%V)", &feed->conf->store, &code, &words);

    return NGX_ERROR;
}


/*
 * The refusal will last until somebody acts.  So it is logged once that the
 * store works without the feed, and the feed is tried again at growing
 * intervals.
 */

static void
ngx_http_npmtoken_feed_refuse(ngx_http_npmtoken_feed_t *feed, ngx_str_t *why,
    char *advice)
{
    ngx_uint_t                     level;
    ngx_msec_t                     delay;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = feed->conf->endpoint;

    delay = NGX_HTTP_NPMTOKEN_FEED_RETRY << ngx_min(feed->refused, 10);
    delay = ngx_min(delay, NGX_HTTP_NPMTOKEN_FEED_RETRY_MAX);

    level = NGX_LOG_INFO;

    /* at the end of an outage, INFO may be the first step left out */

    if (!feed->told
        && (feed->refused || (feed->conn.asked
                              & ngx_http_npmtoken_greeting_server_step())))
    {
        level = NGX_LOG_WARN;
        feed->told = 1;
    }

    ngx_log_error(level, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": %V: %s; the next attempt is in "
                  "%M s%s",
                  &feed->conf->store, why,
                  feed->witness
                  ? "without proofs no token can be checked, since "
                    "\"proof_replicas\" is set"
                  : "the store works as with \"push off\" and uses a record no "
                    "longer than \"revocation_bound\"",
                  delay / 1000, advice);

    feed->refused++;
    feed->retry_at = ngx_current_msec + delay;

    /* the next attempt includes INFO again */
    endpoint->left_out &= ~ngx_http_npmtoken_greeting_server_step();

    ngx_http_npmtoken_connection_close(&feed->conn);
    ngx_http_npmtoken_feed_lost_handler(feed);
}


static ngx_int_t
ngx_http_npmtoken_feed_track(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    ngx_str_t   argv[10];
    u_char      id[NGX_INT64_LEN];
    ngx_uint_t  argc;

    if (reply->type != REDIS_REPLY_INTEGER) {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "TRACKING");
    ngx_str_set(&argv[2], "on");
    ngx_str_set(&argv[3], "REDIRECT");
    argv[4].data = id;
    argv[4].len = ngx_sprintf(id, "%L", (int64_t) reply->integer) - id;
    ngx_str_set(&argv[5], "BCAST");
    ngx_str_set(&argv[6], "PREFIX");
    argv[7] = feed->conf->endpoint->records;
    argc = 8;

    if (feed->witness) {
        feed->series.data = feed->prefix;

        if (ngx_http_npmtoken_witness_prefix(feed->conf->endpoint,
                                             &feed->series)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_str_set(&argv[8], "PREFIX");
        argv[9] = feed->series;
        argc = 10;
    }

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_TRACKING);

    return ngx_http_npmtoken_feed_send(feed, argc, argv);
}


static ngx_int_t
ngx_http_npmtoken_feed_subscribe(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    ngx_int_t  rc;
    ngx_str_t  argv[2];

    if (reply->type != REDIS_REPLY_STATUS
        || ngx_strcmp(reply->str, "OK") != 0)
    {
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "SUBSCRIBE");
    ngx_str_set(&argv[1], "__redis__:invalidate");

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_SUBSCRIBE);

    rc = ngx_http_npmtoken_feed_send(feed, 2, argv);

    /* an invalidation may arrive before the confirmation */

    ngx_http_npmtoken_connection_stream(&feed->conn);

    return rc;
}


/*
 * rule: epoch-per-session, epoch-after-confirm.  Only from now on is every
 * change pushed.  A record that was looked up before may have changed
 * unnoticed.
 */

static ngx_int_t
ngx_http_npmtoken_feed_begin(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3
        || !ngx_http_npmtoken_feed_is(reply->element[0], "subscribe")
        || !ngx_http_npmtoken_feed_is(reply->element[1],
                                      "__redis__:invalidate"))
    {
        /* tracking is on already: this push belongs to the last epoch */

        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                       "npmtoken feed: pushed before it is live");

        return ngx_http_npmtoken_feed_message(feed, reply);
    }

    feed->epoch = ngx_http_npmtoken_feed_epoch(feed);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed epoch: %uL", feed->epoch);

    if (feed->epoch == 0) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_LIVE);

    return ngx_http_npmtoken_feed_prove(feed);
}


static uint64_t
ngx_http_npmtoken_feed_epoch(ngx_http_npmtoken_feed_t *feed)
{
    ngx_str_t                       *host;
    ngx_http_npmtoken_peer_t         peer;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &feed->conn;

    ngx_memzero(&peer, sizeof(ngx_http_npmtoken_peer_t));

    peer.socklen = ngx_min(conn->dial.socklen, sizeof(ngx_sockaddr_t));

    ngx_memcpy(&peer.sockaddr, &conn->dial.sockaddr, peer.socklen);
    ngx_memcpy(peer.server, conn->server, NGX_HTTP_NPMTOKEN_SERVER_LEN);

    host = ngx_http_npmtoken_dial_to(&conn->dial);

    peer.host_len = ngx_min(host->len, NGX_HTTP_NPMTOKEN_PEER_HOST);
    ngx_memcpy(peer.host, host->data, peer.host_len);

    return ngx_http_npmtoken_proof_epoch_begin(feed->proof, feed->session,
                                               &peer);
}


/*
 * rule: proof-is-time-of-sending, clock-before-write.  A proof proves a time at
 * which nothing of it was sent.
 *
 * A node of a cluster goes on answering PING when its slot is elsewhere.  So it
 * has to show first that it has the slot.  The PING comes after that answer: a
 * key may have been changed elsewhere and brought here by MIGRATE just before
 * it, and the PONG is behind the push of that.
 */

static ngx_int_t
ngx_http_npmtoken_feed_prove(ngx_http_npmtoken_feed_t *feed)
{
    feed->sent = ngx_http_npmtoken_proof_clock();

    if (feed->witness) {
        return ngx_http_npmtoken_feed_write(feed);
    }

    if (!feed->conn.cluster
        && feed->conf->endpoint->kind != NGX_HTTP_NPMTOKEN_CLUSTER)
    {
        return ngx_http_npmtoken_feed_ping(feed);
    }

    if (feed->slot == NULL) {
        feed->slot = ngx_http_npmtoken_slot_create(&feed->conn,
                                           ngx_http_npmtoken_feed_slot_handler,
                                           feed);
        if (feed->slot == NULL) {
            return NGX_ERROR;
        }
    }

    feed->asking = 1;

    return ngx_http_npmtoken_slot_ask(feed->slot);
}


static void
ngx_http_npmtoken_feed_slot_handler(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed \"%V\", the slot: %i", &feed->conf->store,
                   rc);

    feed->asking = 0;

    switch (rc) {

    case NGX_OK:
        if (ngx_http_npmtoken_feed_ping(feed) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn, "no memory");
        }

        return;

    case NGX_AGAIN:
        feed->sent = 0;

        if (!feed->moving) {
            feed->moving = 1;
            ngx_http_npmtoken_feed_unproven(feed, reply);
        }

        return;

    case NGX_DECLINED:
        ngx_http_npmtoken_feed_moved(feed, reply);
        return;

    default: /* NGX_ERROR */
        feed->sent = 0;

        /* rule: error-is-no-life */

        if (reply && ngx_http_npmtoken_feed_error(feed, reply) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn,
                                              "an unexpected reply");
        }
    }
}


/* for how long, nobody knows, so this is logged once */

static void
ngx_http_npmtoken_feed_unproven(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": there is a key \"%V\", which "
                      "nobody may make: until it is deleted, a record is used "
                      "no longer than \"revocation_bound\"",
                      &feed->conf->store, &feed->conf->endpoint->none);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": the slot of the keys is being "
                  "moved: until that is done, a record is used no longer than "
                  "\"revocation_bound\"", &feed->conf->store);
}


/* what is pushed here is not about the slot any more */

static void
ngx_http_npmtoken_feed_moved(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": the slot of the keys has moved to "
                  "another node, and the feed ends", &feed->conf->store);

    if (ngx_http_npmtoken_connection_follow(&feed->conn, reply) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&feed->conn, "the slot of the keys "
                                          "is at another node, which only a "
                                          "\"redis-cluster://\" URL follows");
    }
}


/*
 * rule: proof-is-a-write, proof-replicated, push-comes-back.  A master that was
 * succeeded still answers and pushes, and no longer has the replicas.  What
 * replicas have confirmed says nothing of pushes that were not read yet.
 *
 * In a cluster this says what EXISTS says: a node takes the key of a slot only
 * if it has that, and is not giving it away.
 */

static ngx_int_t
ngx_http_npmtoken_feed_write(ngx_http_npmtoken_feed_t *feed)
{
    feed->nonce++;
    feed->pushed = 0;
    feed->confirmed = 0;

    return ngx_http_npmtoken_witness_write(feed->witness, &feed->series,
                                           feed->nonce);
}


static void
ngx_http_npmtoken_feed_witness_handler(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    ngx_http_npmtoken_redirect_t  to;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed, write %uL: %i", feed->nonce, rc);

    switch (rc) {

    case NGX_OK:
        feed->confirmed = 1;

        if (feed->pushed && ngx_http_npmtoken_feed_proven(feed) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn, "its epoch is over");
        }

        return;

    case NGX_DECLINED:
        if (ngx_http_npmtoken_cluster_redirect(reply, &to) == NGX_OK) {
            ngx_http_npmtoken_feed_moved(feed, reply);
            return;
        }

        ngx_http_npmtoken_connection_fail(&feed->conn, "this is not the master "
                                          "of the records any more");
        return;

    default: /* NGX_AGAIN, NGX_ERROR */
        feed->sent = 0;

        if (reply) {
            ngx_http_npmtoken_feed_doubt(feed, reply);
        }
    }
}


/* a series of failures is logged once */

static void
ngx_http_npmtoken_feed_doubt(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    ngx_str_t   code, words;
    ngx_uint_t  level;

    level = feed->doubted ? NGX_LOG_INFO : NGX_LOG_ERR;
    feed->doubted = 1;

    if (reply->type == REDIS_REPLY_INTEGER) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": %L replicas have confirmed a "
                      "proof, and \"proof_replicas\" is %ui: tokens cannot be "
                      "checked until there are as many",
                      &feed->conf->store, (int64_t) reply->integer,
                      feed->conf->replicas);
        return;
    }

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": redis answered \"%V\" to the write "
                  "of a proof (%V)%s; tokens cannot be checked without it",
                  &feed->conf->store, &code, &words,
                  ngx_http_npmtoken_codec_advice(&code));
}


/* rule: one-ping; only one PING is on its way at a time */

static ngx_int_t
ngx_http_npmtoken_feed_ping(ngx_http_npmtoken_feed_t *feed)
{
    u_char     nonce[NGX_INT64_LEN];
    ngx_str_t  argv[2];

    feed->nonce++;

    ngx_str_set(&argv[0], "PING");
    argv[1].data = nonce;
    argv[1].len = ngx_sprintf(nonce, "%uL", feed->nonce) - nonce;

    return ngx_http_npmtoken_feed_send(feed, 2, argv);
}


static ngx_int_t
ngx_http_npmtoken_feed_message(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    if (reply->elements == 3
        && ngx_http_npmtoken_feed_is(reply->element[0], "message")
        && ngx_http_npmtoken_feed_is(reply->element[1],
                                     "__redis__:invalidate"))
    {
        return ngx_http_npmtoken_feed_invalidation(feed, reply->element[2]);
    }

    if (reply->elements == 2
        && ngx_http_npmtoken_feed_is(reply->element[0], "pong"))
    {
        return ngx_http_npmtoken_feed_pong(feed, reply->element[1]);
    }

    return NGX_ERROR;
}


/*
 * a string in place of the names comes from a PUBLISH by a client, not from
 * Redis
 */

static ngx_int_t
ngx_http_npmtoken_feed_invalidation(ngx_http_npmtoken_feed_t *feed,
    redisReply *names)
{
    size_t       i;
    ngx_str_t    name;
    redisReply  *element;

    if (names->type == REDIS_REPLY_NIL) {

        /* rule: flush-invalidates */

        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                       "npmtoken feed: everything changed");

        ngx_http_npmtoken_proof_invalidate_all(feed->proof);
        return NGX_OK;
    }

    if (names->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed: %uz keys changed", names->elements);

    for (i = 0; i < names->elements; i++) {
        element = names->element[i];

        if (element->type != REDIS_REPLY_STRING) {
            return NGX_ERROR;
        }

        name.data = (u_char *) element->str;
        name.len = element->len;

        if (ngx_http_npmtoken_feed_changed(feed, &name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* rule: key-invalidates; a name that is not a record's has no cached record */

static ngx_int_t
ngx_http_npmtoken_feed_changed(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *name)
{
    size_t  len;

    if (feed->witness && name->len > feed->series.len
        && ngx_memcmp(name->data, feed->series.data, feed->series.len) == 0)
    {
        return ngx_http_npmtoken_feed_came_back(feed, name);
    }

    len = feed->conf->endpoint->records.len;

    if (name->len == len + NPMTOKEN_KEY_LEN) {
        ngx_http_npmtoken_proof_invalidate(feed->proof, name->data + len);
    }

    return NGX_OK;
}


/*
 * A key of the series is pushed when it is written, and once more when it
 * expires.  Only the last one counts.
 */

static ngx_int_t
ngx_http_npmtoken_feed_came_back(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *name)
{
    ngx_int_t  n;

    n = ngx_atoi(name->data + feed->series.len,
                 name->len - feed->series.len);

    if (feed->sent == 0 || n == NGX_ERROR || (uint64_t) n != feed->nonce) {
        return NGX_OK;
    }

    feed->pushed = 1;

    return feed->confirmed ? ngx_http_npmtoken_feed_proven(feed) : NGX_OK;
}


/*
 * rule: apply-before-proof.  Messages are taken one by one, so everything
 * pushed before this reply has been counted.  A change that is pushed after it
 * had not been acknowledged to anyone when the PING was sent.
 *
 * TLS changes nothing of this.  What it hands over comes in the order of
 * sending, so what it has decrypted and not yet handed over (SSL_pending)
 * stands behind this reply.  And what Redis' side of TLS had read ahead when
 * it ran a change cannot be a PING that was sent after that change was
 * acknowledged.
 */

static ngx_int_t
ngx_http_npmtoken_feed_pong(ngx_http_npmtoken_feed_t *feed, redisReply *nonce)
{
    ngx_int_t  n;

    if (nonce->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    n = ngx_atoi((u_char *) nonce->str, nonce->len);

    if (feed->sent == 0 || feed->asking || feed->witness || n == NGX_ERROR
        || (uint64_t) n != feed->nonce)
    {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_feed_proven(feed);
}


static ngx_int_t
ngx_http_npmtoken_feed_proven(ngx_http_npmtoken_feed_t *feed)
{
    ngx_uint_t  level;

    if (ngx_http_npmtoken_proof_prove(feed->proof, feed->epoch, feed->sent)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": another feed has begun an "
                      "epoch", &feed->conf->store);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed epoch: %uL, proven to %uL", feed->epoch,
                   feed->sent);

    feed->sent = 0;
    feed->moving = 0;

    if (!feed->proven) {

        /* the end of a refusal is seen where its beginning was */

        level = feed->told ? NGX_LOG_WARN : NGX_LOG_NOTICE;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": the feed is live, epoch %uL",
                      &feed->conf->store, feed->epoch);

        feed->proven = 1;
        feed->refused = 0;
        feed->told = 0;
        feed->live_at = ngx_current_msec;
    }

    if (feed->doubted) {
        feed->doubted = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": proofs are confirmed again",
                      &feed->conf->store);
    }

    ngx_http_npmtoken_connection_works(&feed->conn);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_feed_send(ngx_http_npmtoken_feed_t *feed, ngx_uint_t argc,
    ngx_str_t *argv)
{
    ngx_http_npmtoken_command_t  command;

    command.argc = argc;
    command.argv = argv;

    return ngx_http_npmtoken_connection_send(&feed->conn, &command, 1);
}


static ngx_uint_t
ngx_http_npmtoken_feed_is(redisReply *reply, char *text)
{
    return reply->type == REDIS_REPLY_STRING
           && ngx_strcmp(reply->str, text) == 0;
}
