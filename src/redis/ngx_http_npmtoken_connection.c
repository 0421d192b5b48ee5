
/*
 * The socket is an ordinary ngx_connection_t; its data is the
 * ngx_http_npmtoken_connection_t.  Only its read and write events, the retry
 * timer and its dial wake the connection.
 *
 * Every callback to the owner may close the connection and open it again.
 * Nothing of a request is referenced here.
 *
 * All timers here are cancelable.  Whoever waits for a reply has its own
 * timer, which is not cancelable and keeps an exiting worker alive.
 */


#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_connection_log.h"
#include "ngx_http_npmtoken_greeting.h"
#include "ngx_http_npmtoken_pipeline.h"
#include "ngx_http_npmtoken_socket.h"


/*
 * Back-off in milliseconds, doubled at each failure: the first, the largest,
 * and the largest where another server is about to take over.
 */
#define NGX_HTTP_NPMTOKEN_RETRY_MIN   50
#define NGX_HTTP_NPMTOKEN_RETRY_MAX   1000
#define NGX_HTTP_NPMTOKEN_RETRY_SOON  250


static void ngx_http_npmtoken_connection_dialled(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_npmtoken_connection_connect(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_failed(
    ngx_http_npmtoken_connection_t *conn, char *reason);
static void ngx_http_npmtoken_connection_retry(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_retry_handler(ngx_event_t *ev);
static ngx_msec_t ngx_http_npmtoken_connection_delay(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_set_state(
    ngx_http_npmtoken_connection_t *conn, ngx_http_npmtoken_state_e state);
static void ngx_http_npmtoken_connection_write_handler(ngx_event_t *wev);
static void ngx_http_npmtoken_connection_secure(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_secured(ngx_connection_t *c,
    ngx_int_t rc);
static void ngx_http_npmtoken_connection_flush(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_write_failed(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_read_handler(ngx_event_t *rev);
static void ngx_http_npmtoken_connection_read(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_eof(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_replied(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_connection_greet(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_greeted(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static void ngx_http_npmtoken_connection_ready(
    ngx_http_npmtoken_connection_t *conn);


#if (NGX_DEBUG)

static char  *ngx_http_npmtoken_states[] = {
    "idle", "back-off", "dialling", "connecting", "securing",
    "greeting", "ready"
};

#endif


void
ngx_http_npmtoken_connection_init(ngx_http_npmtoken_connection_t *conn)
{
    ngx_http_npmtoken_connection_log_init(conn);

    conn->retry.handler = ngx_http_npmtoken_connection_retry_handler;
    conn->retry.data = conn;
    conn->retry.log = &conn->log;
    conn->retry.cancelable = 1;

    conn->retry_at = ngx_current_msec;

    ngx_http_npmtoken_dial_init(&conn->dial, conn->endpoint, &conn->log);

    conn->dial.handler = ngx_http_npmtoken_connection_dialled;
    conn->dial.data = conn;
}


void
ngx_http_npmtoken_connection_open(ngx_http_npmtoken_connection_t *conn)
{
    if (conn->state != NGX_HTTP_NPMTOKEN_IDLE) {
        return;
    }

    if ((ngx_msec_int_t) (conn->retry_at - ngx_current_msec) > 0) {
        ngx_http_npmtoken_connection_set_state(conn,
                                               NGX_HTTP_NPMTOKEN_BACKOFF);
        ngx_add_timer(&conn->retry, conn->retry_at - ngx_current_msec);
        return;
    }

    conn->dial.level = ngx_http_npmtoken_connection_log_level(conn);

    ngx_http_npmtoken_connection_dialled(conn,
                                     ngx_http_npmtoken_dial_find(&conn->dial));
}


/* connects to the first address that can be tried; "rc" is of the dial */

static void
ngx_http_npmtoken_connection_dialled(void *data, ngx_int_t rc)
{
    ngx_http_npmtoken_connection_t  *conn = data;

    while (rc == NGX_OK) {

        if (ngx_http_npmtoken_connection_connect(conn) == NGX_OK) {
            return;
        }

        rc = ngx_http_npmtoken_dial_next(&conn->dial);
    }

    if (rc == NGX_AGAIN) {
        ngx_http_npmtoken_connection_set_state(conn,
                                               NGX_HTTP_NPMTOKEN_DIALLING);
        return;
    }

    ngx_http_npmtoken_connection_retry(conn);
}


static ngx_int_t
ngx_http_npmtoken_connection_connect(ngx_http_npmtoken_connection_t *conn)
{
    ngx_int_t               rc;
    ngx_uint_t              level, quiet;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    peer = &conn->peer;
    quiet = (ngx_http_npmtoken_connection_log_level(conn) != NGX_LOG_ERR);

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = &conn->dial.sockaddr.sockaddr;
    peer->socklen = conn->dial.socklen;
    peer->name = conn->dial.name;
    peer->get = ngx_event_get_peer;
    peer->log = &conn->log;
    peer->log_error = quiet ? NGX_ERROR_INFO : NGX_ERROR_ERR;
    peer->so_keepalive = (conn->endpoint->keepalive != 0);

    conn->log.action = "connecting to redis";
    conn->log.connection = 0;

    level = conn->log.log_level;

    if (quiet && level < NGX_LOG_INFO) {

        /* nginx itself logs what fails at once, as a unix socket does */

        conn->log.log_level = NGX_LOG_ALERT;
    }

    rc = ngx_event_connect_peer(peer);

    conn->log.log_level = level;

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return NGX_ERROR;
    }

    c = peer->connection;

    c->data = conn;
    c->read->handler = ngx_http_npmtoken_connection_read_handler;
    c->write->handler = ngx_http_npmtoken_connection_write_handler;
    c->write->cancelable = 1;

    conn->log.connection = c->number;
    conn->begun = ngx_current_msec;

    if (peer->sockaddr->sa_family != AF_UNIX) {
        ngx_http_npmtoken_socket_options(c, conn->endpoint);
    }

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_CONNECTING);

    /* the timer covers the greeting as well */
    ngx_add_timer(c->write, conn->connect_timeout);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


void
ngx_http_npmtoken_connection_close(ngx_http_npmtoken_connection_t *conn)
{
    ngx_http_npmtoken_dial_stop(&conn->dial);

    if (conn->retry.timer_set) {
        ngx_del_timer(&conn->retry);
    }

    if (conn->peer.connection) {
        ngx_http_npmtoken_ssl_end(&conn->ssl, conn->peer.connection);
        ngx_close_connection(conn->peer.connection);
        conn->peer.connection = NULL;
    }

    ngx_http_npmtoken_codec_done(&conn->codec);

    if (conn->out) {
        ngx_free(conn->out);
        conn->out = NULL;
    }

    conn->out_len = 0;
    conn->out_sent = 0;
    conn->out_size = 0;
    conn->pending = 0;
    conn->streaming = 0;
    conn->answered = 0;
    conn->role = NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN;
    ngx_memzero(conn->server, NGX_HTTP_NPMTOKEN_SERVER_LEN);
    conn->refusal.len = 0;
    conn->cluster = 0;

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_IDLE);
}


void
ngx_http_npmtoken_connection_fail(ngx_http_npmtoken_connection_t *conn,
    char *reason)
{
    if (conn->peer.connection) {
        ngx_http_npmtoken_connection_failed(conn, reason);
    }
}


static void
ngx_http_npmtoken_connection_failed(ngx_http_npmtoken_connection_t *conn,
    char *reason)
{
    ngx_http_npmtoken_state_e  state;

    state = conn->state;

    ngx_http_npmtoken_connection_log_failed(conn, reason);
    ngx_http_npmtoken_connection_close(conn);
    ngx_http_npmtoken_greeting_acquit(conn->endpoint);

    if (state == NGX_HTTP_NPMTOKEN_READY) {
        conn->failures++;
        conn->retry_at = ngx_current_msec
                         + ngx_http_npmtoken_connection_delay(conn);
        conn->owner->lost(conn->data);
        return;
    }

    ngx_http_npmtoken_connection_dialled(conn,
                                     ngx_http_npmtoken_dial_next(&conn->dial));
}


static void
ngx_http_npmtoken_connection_retry(ngx_http_npmtoken_connection_t *conn)
{
    ngx_msec_t  delay;

    /* what ended before there was a socket has been logged by the dial */

    (void) ngx_http_npmtoken_connection_log_fault(conn, 0);

    conn->failures++;

    delay = ngx_http_npmtoken_connection_delay(conn);

    conn->retry_at = ngx_current_msec + delay;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "npmtoken redis %V: %ui failures, next attempt in %M ms",
                   &conn->label, conn->failures, delay);

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_BACKOFF);

    ngx_add_timer(&conn->retry, delay);
}


static void
ngx_http_npmtoken_connection_retry_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_connection_t  *conn;

    conn = ev->data;

    conn->retry_at = ngx_current_msec;

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_IDLE);
    ngx_http_npmtoken_connection_open(conn);
}


/* the jitter spreads the reconnects of workers that lost the same Redis */

static ngx_msec_t
ngx_http_npmtoken_connection_delay(ngx_http_npmtoken_connection_t *conn)
{
    ngx_msec_t  delay, max;
    ngx_uint_t  failures;

    max = (conn->endpoint->kind == NGX_HTTP_NPMTOKEN_SINGLE)
          ? NGX_HTTP_NPMTOKEN_RETRY_MAX : NGX_HTTP_NPMTOKEN_RETRY_SOON;

    delay = NGX_HTTP_NPMTOKEN_RETRY_MIN;

    for (failures = conn->failures; failures > 1 && delay < max; failures--) {
        delay *= 2;
    }

    delay = ngx_min(delay, max);

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
}


static void
ngx_http_npmtoken_connection_set_state(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_state_e state)
{
    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "npmtoken redis %V: %s, was %s", &conn->label,
                   ngx_http_npmtoken_states[state],
                   ngx_http_npmtoken_states[conn->state]);

    conn->state = state;
}


static void
ngx_http_npmtoken_connection_write_handler(ngx_event_t *wev)
{
    ngx_connection_t                *c;
    ngx_http_npmtoken_connection_t  *conn;

    c = wev->data;
    conn = c->data;

    if (wev->timedout) {
        ngx_http_npmtoken_connection_failed(conn, "timed out");
        return;
    }

    if (conn->state == NGX_HTTP_NPMTOKEN_CONNECTING) {

        if (ngx_http_npmtoken_socket_test(c) != NGX_OK) {
            ngx_http_npmtoken_connection_log_done(conn);
            ngx_http_npmtoken_connection_failed(conn, "cannot connect");
            return;
        }

        if (conn->endpoint->ssl) {
            ngx_http_npmtoken_connection_secure(conn);
            return;
        }

        if (ngx_http_npmtoken_connection_greet(conn) != NGX_OK) {
            ngx_http_npmtoken_connection_failed(conn, "no memory");
            return;
        }
    }

    ngx_http_npmtoken_connection_flush(conn);
}


/* until the handshake has ended, the handlers of the socket are nginx's */

static void
ngx_http_npmtoken_connection_secure(ngx_http_npmtoken_connection_t *conn)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    conn->log.action = "securing redis";

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_SECURING);

    conn->ssl.conf = &conn->endpoint->ssl_conf;
    conn->ssl.handler = ngx_http_npmtoken_connection_secured;

    rc = ngx_http_npmtoken_ssl_begin(&conn->ssl, c,
                                   ngx_http_npmtoken_dial_to(&conn->dial));

    if (rc != NGX_AGAIN) {
        ngx_http_npmtoken_connection_secured(c, rc);
    }
}


static void
ngx_http_npmtoken_connection_secured(ngx_connection_t *c, ngx_int_t rc)
{
    ngx_http_npmtoken_connection_t  *conn;

    conn = c->data;

    if (rc != NGX_OK) {
        ngx_http_npmtoken_connection_failed(conn, "no handshake of TLS");
        return;
    }

    c->read->handler = ngx_http_npmtoken_connection_read_handler;
    c->write->handler = ngx_http_npmtoken_connection_write_handler;

    if (ngx_http_npmtoken_connection_greet(conn) != NGX_OK) {
        ngx_http_npmtoken_connection_failed(conn, "no memory");
        return;
    }

    /* what came behind the handshake has left the socket perhaps */

    ngx_post_event(c->read, &ngx_posted_events);
}


static void
ngx_http_npmtoken_connection_flush(ngx_http_npmtoken_connection_t *conn)
{
    switch (ngx_http_npmtoken_pipeline_flush(conn)) {

    case NGX_OK:
        return;

    case NGX_DECLINED:
        ngx_http_npmtoken_connection_write_failed(conn);
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_connection_failed(conn, "cannot wait for writing");
        return;
    }
}


/*
 * With TLS 1.3, a server that wants a certificate from us says so after our
 * handshake has ended, and closes.  What it has said can still be read.
 */

static void
ngx_http_npmtoken_connection_write_failed(ngx_http_npmtoken_connection_t *conn)
{
    ngx_atomic_uint_t  number;

    number = conn->peer.connection->number;

    if (conn->endpoint->ssl && conn->state == NGX_HTTP_NPMTOKEN_GREETING) {
        ngx_http_npmtoken_connection_read(conn);
    }

    if (ngx_http_npmtoken_pipeline_is(conn, number)) {
        ngx_http_npmtoken_connection_log_done(conn);
        ngx_http_npmtoken_connection_failed(conn, "cannot write");
    }
}


static void
ngx_http_npmtoken_connection_read_handler(ngx_event_t *rev)
{
    ngx_connection_t                *c;
    ngx_http_npmtoken_connection_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {

        /*
         * The worker exits gracefully and this connection owes nothing, or
         * worker_shutdown_timeout has passed.
         */

        if (conn->state == NGX_HTTP_NPMTOKEN_READY) {
            ngx_http_npmtoken_connection_close(conn);
            conn->owner->lost(conn->data);

        } else {
            ngx_http_npmtoken_connection_close(conn);
        }

        return;
    }

    if (conn->state == NGX_HTTP_NPMTOKEN_CONNECTING) {

        /* the write handler, which is also called, handles an error */

        return;
    }

    ngx_http_npmtoken_connection_read(conn);
}


static void
ngx_http_npmtoken_connection_read(ngx_http_npmtoken_connection_t *conn)
{
    char  *reason;

    switch (ngx_http_npmtoken_pipeline_read(conn,
                                         ngx_http_npmtoken_connection_replied,
                                         &reason))
    {
    case NGX_OK:
    case NGX_ABORT:
        return;

    case NGX_DECLINED:
        ngx_http_npmtoken_connection_log_done(conn);
        ngx_http_npmtoken_connection_eof(conn);
        return;

    case NGX_DONE:
        ngx_http_npmtoken_connection_eof(conn);
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_connection_failed(conn, reason);
        return;
    }
}


static void
ngx_http_npmtoken_connection_eof(ngx_http_npmtoken_connection_t *conn)
{
    if (conn->state == NGX_HTTP_NPMTOKEN_READY && conn->pending == 0
        && !conn->streaming)
    {
        /*
         * "timeout" in redis.conf, or a restart: nobody waits, nothing failed
         */

        ngx_log_error(NGX_LOG_INFO, &conn->log, 0,
                      "redis closed an idle connection");

        ngx_http_npmtoken_connection_close(conn);
        conn->owner->lost(conn->data);
        return;
    }

    if (conn->state == NGX_HTTP_NPMTOKEN_GREETING
        && ngx_http_npmtoken_connection_log_tls(conn) == NULL)
    {
        if (ngx_http_npmtoken_greeting_suspect(conn)) {
            ngx_http_npmtoken_connection_close(conn);
            ngx_http_npmtoken_connection_open(conn);
            return;
        }

        if (!conn->answered && !conn->endpoint->ssl) {
            ngx_http_npmtoken_connection_failed(conn, "closed by redis before "
                                   "it answered anything, perhaps because it "
                                   "speaks TLS there (\"rediss://\")");
            return;
        }
    }

    ngx_http_npmtoken_connection_failed(conn, "closed by redis");
}


static ngx_int_t
ngx_http_npmtoken_connection_replied(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    if (conn->state == NGX_HTTP_NPMTOKEN_GREETING) {
        return reply ? ngx_http_npmtoken_connection_greeted(conn, reply)
                     : NGX_ERROR;
    }

    if (conn->streaming) {
        return conn->owner->reply(conn->data, reply);
    }

    if (conn->pending == 0) {
        return NGX_ERROR;
    }

    conn->pending--;
    conn->peer.connection->idle = (conn->pending == 0);

    return conn->owner->reply(conn->data, reply);
}


static ngx_int_t
ngx_http_npmtoken_connection_greet(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                    n;
    ngx_http_npmtoken_greeting_t  greeting;

    conn->log.action = "greeting redis";

    if (ngx_http_npmtoken_codec_init(&conn->codec, conn->max_reply,
                                     conn->max_elements, conn->max_skip)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_GREETING);

    /* of each reset while a command is suspected, nginx would log a line */

    conn->peer.connection->log_error = conn->endpoint->ssl ? NGX_ERROR_ERR
                                                           : NGX_ERROR_INFO;

    n = ngx_http_npmtoken_greeting_begin(conn, &greeting);

    return ngx_http_npmtoken_connection_send(conn, greeting.commands, n);
}


static ngx_int_t
ngx_http_npmtoken_connection_greeted(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    switch (ngx_http_npmtoken_greeting_reply(conn, reply)) {

    case NGX_OK:
        conn->pending--;
        return NGX_OK;

    case NGX_DONE:
        conn->pending--;
        ngx_http_npmtoken_connection_ready(conn);
        return NGX_OK;

    case NGX_DECLINED:
        ngx_http_npmtoken_connection_failed(conn,
                                  ngx_http_npmtoken_greeting_objection(conn));
        return NGX_ERROR;

    case NGX_BUSY:
        (void) ngx_http_npmtoken_connection_follow(conn, reply);
        return NGX_ERROR;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_http_npmtoken_connection_follow(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    switch (ngx_http_npmtoken_connection_turn(conn, reply)) {

    case NGX_OK:
        ngx_http_npmtoken_connection_leave(conn);
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_DECLINED;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_connection_failed(conn, "the nodes of the cluster "
                                            "do not agree which has the slot");
        return NGX_OK;
    }
}


ngx_int_t
ngx_http_npmtoken_connection_turn(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    ngx_int_t                     rc;
    ngx_http_npmtoken_redirect_t  to;

    if (conn->endpoint->kind != NGX_HTTP_NPMTOKEN_CLUSTER
        || ngx_http_npmtoken_cluster_redirect(reply, &to) != NGX_OK
        || to.ask)
    {
        return NGX_DECLINED;
    }

    rc = to.host.len
         ? ngx_http_npmtoken_dial_place(&conn->dial, &to.host, to.port)
         : ngx_http_npmtoken_dial_port(&conn->dial, &conn->dial, to.port);

    if (rc != NGX_OK || ++conn->hops > NGX_HTTP_NPMTOKEN_MAX_HOPS) {
        conn->hops = 0;
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, &conn->log, 0,
                  "redis says that port %ui of %V has the slot", to.port,
                  ngx_http_npmtoken_dial_to(&conn->dial));

    return NGX_OK;
}


void
ngx_http_npmtoken_connection_leave(ngx_http_npmtoken_connection_t *conn)
{
    ngx_http_npmtoken_state_e  state;

    state = conn->state;

    ngx_http_npmtoken_connection_close(conn);

    if (state == NGX_HTTP_NPMTOKEN_READY) {
        conn->owner->lost(conn->data);

    } else {
        ngx_http_npmtoken_connection_open(conn);
    }
}


static void
ngx_http_npmtoken_connection_ready(ngx_http_npmtoken_connection_t *conn)
{
    ngx_connection_t  *c;

    c = conn->peer.connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->log_error = ngx_http_npmtoken_connection_log_level(conn) == NGX_LOG_ERR
                   ? NGX_ERROR_ERR : NGX_ERROR_INFO;
    conn->log.action = "talking to redis";

    /* idle: nginx may close it when the worker exits */
    c->idle = 1;

    conn->heard = ngx_current_msec;
    conn->took = conn->heard - conn->begun;

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_READY);

    conn->owner->ready(conn->data);
}


ngx_int_t
ngx_http_npmtoken_connection_send(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *commands, ngx_uint_t ncommands)
{
    ngx_connection_t  *c;

    if (ngx_http_npmtoken_pipeline_add(conn, commands, ncommands) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "npmtoken redis %V: %ui commands, %ui replies are owed",
                   &conn->label, ncommands, conn->pending);

    c = conn->peer.connection;

    if (!conn->streaming) {
        conn->pending += ncommands;
        c->idle = 0;
    }

    /* one write for all commands of this turn of the event loop */

    ngx_post_event(c->write, &ngx_posted_events);

    return NGX_OK;
}


void
ngx_http_npmtoken_connection_works(ngx_http_npmtoken_connection_t *conn)
{
    if (conn->endpoint->suspected) {
        ngx_http_npmtoken_greeting_convict(conn);
    }

    conn->hops = 0;

    ngx_http_npmtoken_connection_log_works(conn);

    conn->failures = 0;
    conn->endpoint->worked = 1;
}


ngx_uint_t
ngx_http_npmtoken_connection_doubtful(ngx_http_npmtoken_connection_t *conn)
{
    return conn->pending == 0
           && ngx_current_msec - conn->heard > NGX_HTTP_NPMTOKEN_IDLE_TIME;
}


void
ngx_http_npmtoken_connection_renew(ngx_http_npmtoken_connection_t *conn,
    ngx_msec_t patience)
{
    ngx_log_error(NGX_LOG_NOTICE, &conn->log, 0,
                  "redis did not answer for %M ms, the last reply came %M ms "
                  "ago: a new connection is tried",
                  patience, ngx_current_msec - conn->heard);

    ngx_http_npmtoken_connection_close(conn);
    conn->owner->lost(conn->data);
}


void
ngx_http_npmtoken_connection_stream(ngx_http_npmtoken_connection_t *conn)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "npmtoken redis %V: replies may come unasked",
                   &conn->label);

    conn->streaming = 1;
    conn->pending = 0;

    /* nobody waits for this connection when the worker exits */
    conn->peer.connection->idle = 1;
}
