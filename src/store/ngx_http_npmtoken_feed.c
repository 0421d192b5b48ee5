
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
#include "ngx_http_npmtoken_feed_parts.h"
#include "ngx_http_npmtoken_feed_proof.h"
#include "ngx_http_npmtoken_feed_push.h"
#include "ngx_http_npmtoken_feed_refusal.h"


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
 * this many feeds lost in a row, each within this many milliseconds, are
 * logged
 */
#define NGX_HTTP_NPMTOKEN_FEED_SHORT     30000
#define NGX_HTTP_NPMTOKEN_FEED_FLAPS     3


static void ngx_http_npmtoken_feed_tick_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_feed_switch_handler(void *data,
    ngx_str_t *host, ngx_uint_t port);
static void ngx_http_npmtoken_feed_own(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_disown(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_open(ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_set_state(ngx_http_npmtoken_feed_t *feed,
    ngx_http_npmtoken_feed_state_e state);
static void ngx_http_npmtoken_feed_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_feed_reply_handler(void *data,
    redisReply *reply);
static void ngx_http_npmtoken_feed_flapped(ngx_http_npmtoken_feed_t *feed);
static ngx_int_t ngx_http_npmtoken_feed_track(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_subscribe(
    ngx_http_npmtoken_feed_t *feed, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_begin(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static uint64_t ngx_http_npmtoken_feed_epoch(ngx_http_npmtoken_feed_t *feed);


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

    if (ngx_http_npmtoken_feed_proof_init(feed) != NGX_OK) {
        ngx_free(feed);
        return NULL;
    }

    feed->tick.handler = ngx_http_npmtoken_feed_tick_handler;
    feed->tick.data = feed;
    feed->tick.log = ngx_cycle->log;
    feed->tick.cancelable = 1;

    ngx_add_timer(&feed->tick, 1);

    return feed;
}


void
ngx_http_npmtoken_feed_stop(ngx_http_npmtoken_feed_t *feed)
{
    ngx_http_npmtoken_feed_disown(feed);

    if (feed->tick.timer_set) {
        ngx_del_timer(&feed->tick);
    }

    ngx_http_npmtoken_feed_proof_free(feed);
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

        /* a reply is owed */

        if (ngx_http_npmtoken_feed_proof_deaf(feed)) {
            ngx_http_npmtoken_connection_fail(&feed->conn,
                                              "setting up the feed timed out");
        }

        return;
    }

    if (feed->sent == 0) {
        rc = ngx_http_npmtoken_feed_proof_begin(feed);

        if (rc != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn, "no memory");
        }

        return;
    }

    if (ngx_http_npmtoken_feed_proof_silent(feed)) {
        ngx_http_npmtoken_connection_fail(&feed->conn, feed->witness
                                          ? "the write of a proof timed out"
                                          : feed->asking
                                          ? "an EXISTS timed out"
                                          : "a PING timed out");
    }
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

    if (state == NGX_HTTP_NPMTOKEN_FEED_CLOSED) {
        ngx_http_npmtoken_feed_proof_close(feed);
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
        ngx_http_npmtoken_feed_refusal_nameless(feed);
        return;
    }

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_ID);

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "ID");

    if (ngx_http_npmtoken_feed_send(feed, 2, argv) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&feed->conn, "no memory");
    }
}


void
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
        return ngx_http_npmtoken_feed_refusal_error(feed, reply);
    }

    switch (feed->state) {

    case NGX_HTTP_NPMTOKEN_FEED_ID:
        return ngx_http_npmtoken_feed_track(feed, reply);

    case NGX_HTTP_NPMTOKEN_FEED_TRACKING:
        return ngx_http_npmtoken_feed_subscribe(feed, reply);

    case NGX_HTTP_NPMTOKEN_FEED_SUBSCRIBE:
        return ngx_http_npmtoken_feed_begin(feed, reply);

    case NGX_HTTP_NPMTOKEN_FEED_LIVE:
        return ngx_http_npmtoken_feed_push_message(feed, reply);

    default: /* NGX_HTTP_NPMTOKEN_FEED_CLOSED */
        return NGX_ERROR;
    }
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

        return ngx_http_npmtoken_feed_push_message(feed, reply);
    }

    feed->epoch = ngx_http_npmtoken_feed_epoch(feed);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed epoch: %uL", feed->epoch);

    if (feed->epoch == 0) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_feed_set_state(feed, NGX_HTTP_NPMTOKEN_FEED_LIVE);

    return ngx_http_npmtoken_feed_proof_begin(feed);
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


ngx_int_t
ngx_http_npmtoken_feed_send(ngx_http_npmtoken_feed_t *feed, ngx_uint_t argc,
    ngx_str_t *argv)
{
    ngx_http_npmtoken_command_t  command;

    command.argc = argc;
    command.argv = argv;

    return ngx_http_npmtoken_connection_send(&feed->conn, &command, 1);
}


ngx_uint_t
ngx_http_npmtoken_feed_is(redisReply *reply, char *text)
{
    return reply->type == REDIS_REPLY_STRING
           && ngx_strcmp(reply->str, text) == 0;
}
