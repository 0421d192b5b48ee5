
/*
 * The socket is an ordinary ngx_connection_t; its data is the
 * ngx_http_npmtoken_connection_t.  Only its read and write events, the retry
 * timer and its dial wake the connection.
 *
 * Every callback to the owner may close the connection and open it again.
 * After a callback, ngx_http_npmtoken_connection_is() tells whether it is the
 * same connection.  The pointer does not tell, since nginx first reuses the
 * connection that was freed last.  Nothing of a request is referenced here.
 *
 * All timers here are cancelable.  Whoever waits for a reply has its own
 * timer, which is not cancelable and keeps an exiting worker alive.
 */


#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_greeting.h"
#include "ngx_http_npmtoken_socket.h"


/*
 * bytes of one read, and reads of one event before other events get their turn
 */
#define NGX_HTTP_NPMTOKEN_READ_SIZE   16384
#define NGX_HTTP_NPMTOKEN_READ_MAX    16

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
static void ngx_http_npmtoken_connection_logged(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_set_state(
    ngx_http_npmtoken_connection_t *conn, ngx_http_npmtoken_state_e state);
static void ngx_http_npmtoken_connection_write_handler(ngx_event_t *wev);
static void ngx_http_npmtoken_connection_secure(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_secured(ngx_connection_t *c,
    ngx_int_t rc);
static char *ngx_http_npmtoken_connection_tls(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_flush(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_write_failed(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_read_handler(ngx_event_t *rev);
static void ngx_http_npmtoken_connection_read(
    ngx_http_npmtoken_connection_t *conn);
static ngx_uint_t ngx_http_npmtoken_connection_is(
    ngx_http_npmtoken_connection_t *conn, ngx_atomic_uint_t number);
static void ngx_http_npmtoken_connection_eof(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_replies(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_replied(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_connection_greet(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_greeted(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static void ngx_http_npmtoken_connection_ready(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_format(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *command);
static ngx_int_t ngx_http_npmtoken_connection_append(
    ngx_http_npmtoken_connection_t *conn, u_char *data, size_t len);
static u_char *ngx_http_npmtoken_connection_log_error(ngx_log_t *log,
    u_char *buf, size_t len);


#if (NGX_DEBUG)

static char  *ngx_http_npmtoken_states[] = {
    "idle", "back-off", "dialling", "connecting", "securing",
    "greeting", "ready"
};

#endif


void
ngx_http_npmtoken_connection_init(ngx_http_npmtoken_connection_t *conn)
{
    conn->log = *ngx_cycle->log;
    conn->log.handler = ngx_http_npmtoken_connection_log_error;
    conn->log.data = conn;
    conn->log.action = NULL;

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

    conn->dial.level = ngx_http_npmtoken_connection_level(conn);

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
    quiet = (ngx_http_npmtoken_connection_level(conn) != NGX_LOG_ERR);

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
    char                       *tls;
    ngx_uint_t                  level;
    ngx_http_npmtoken_state_e   state;

    state = conn->state;
    tls = ngx_http_npmtoken_connection_tls(conn);

    /* with TLS, this line has what nginx would have logged before it */

    level = ngx_http_npmtoken_connection_fault(conn, 0);

    ngx_log_error(level, &conn->log, 0,
                  "redis connection failed: %s%s", tls ? "TLS: " : "",
                  tls ? tls : reason);

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

    (void) ngx_http_npmtoken_connection_fault(conn, 0);

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


/* an outage is logged once, not at each attempt to connect */

ngx_uint_t
ngx_http_npmtoken_connection_level(ngx_http_npmtoken_connection_t *conn)
{
    return npmtoken_outage_due(&conn->outage, 0, ngx_current_msec)
           ? NGX_LOG_ERR : NGX_LOG_INFO;
}


ngx_uint_t
ngx_http_npmtoken_connection_fault(ngx_http_npmtoken_connection_t *conn,
    uint32_t why)
{
    return npmtoken_outage_fail(&conn->outage, why, ngx_current_msec)
           ? NGX_LOG_ERR : NGX_LOG_INFO;
}


/*
 * nginx has logged what failed, so the same need not be logged again.  With
 * TLS it has not: its lines are kept for the one that follows.
 */

static void
ngx_http_npmtoken_connection_logged(ngx_http_npmtoken_connection_t *conn)
{
    if (ngx_http_npmtoken_connection_tls(conn)) {
        return;
    }

    if (conn->peer.connection->log_error == NGX_ERROR_ERR) {
        (void) ngx_http_npmtoken_connection_fault(conn, 0);
    }
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
            ngx_http_npmtoken_connection_logged(conn);
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


/* what is known of a failure of TLS, or NULL */

static char *
ngx_http_npmtoken_connection_tls(ngx_http_npmtoken_connection_t *conn)
{
    return (conn->endpoint->ssl && conn->state > NGX_HTTP_NPMTOKEN_CONNECTING)
           ? ngx_http_npmtoken_ssl_reason(&conn->ssl) : NULL;
}


static void
ngx_http_npmtoken_connection_flush(ngx_http_npmtoken_connection_t *conn)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    while (conn->out_sent < conn->out_len) {

        n = c->send(c, conn->out + conn->out_sent,
                    conn->out_len - conn->out_sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_npmtoken_connection_write_failed(conn);
            return;
        }

        conn->out_sent += n;
    }

    if (conn->out_sent == conn->out_len) {
        conn->out_sent = 0;
        conn->out_len = 0;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_npmtoken_connection_failed(conn, "cannot wait for writing");
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

    if (ngx_http_npmtoken_connection_is(conn, number)) {
        ngx_http_npmtoken_connection_logged(conn);
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
    u_char             buf[NGX_HTTP_NPMTOKEN_READ_SIZE];
    ssize_t            n;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_READ_MAX; i++) {

        if (conn->state == NGX_HTTP_NPMTOKEN_READY) {

            /* a reset of an idle connection is only its end */

            c->log_error = (conn->pending || conn->streaming)
                           && (conn->endpoint->ssl
                               || ngx_http_npmtoken_connection_level(conn)
                                  == NGX_LOG_ERR)
                           ? NGX_ERROR_ERR : NGX_ERROR_INFO;
        }

        n = c->recv(c, buf, NGX_HTTP_NPMTOKEN_READ_SIZE);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_http_npmtoken_connection_failed(conn,
                                                    "cannot wait for reading");
            }

            return;
        }

        if (n <= 0) {

            if (n < 0) {
                ngx_http_npmtoken_connection_logged(conn);
            }

            ngx_http_npmtoken_connection_eof(conn);
            return;
        }

        conn->heard = ngx_current_msec;
        conn->answered = 1;

        ngx_http_npmtoken_codec_feed(&conn->codec, buf, n);

        if (ngx_http_npmtoken_connection_replies(conn) != NGX_OK) {
            return;
        }
    }

    /*
     * other events come first, so this goes on in the next turn of the event
     * loop
     */

    ngx_post_event(c->read, &ngx_posted_next_events);
}


static ngx_uint_t
ngx_http_npmtoken_connection_is(ngx_http_npmtoken_connection_t *conn,
    ngx_atomic_uint_t number)
{
    return conn->peer.connection && conn->peer.connection->number == number;
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
        && ngx_http_npmtoken_connection_tls(conn) == NULL)
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


/* Returns NGX_OK if the connection is still there. */

static ngx_int_t
ngx_http_npmtoken_connection_replies(ngx_http_npmtoken_connection_t *conn)
{
    ngx_int_t           rc;
    ngx_uint_t          lost;
    redisReply         *reply;
    ngx_atomic_uint_t   number;

    number = conn->peer.connection->number;

    for ( ;; ) {
        rc = ngx_http_npmtoken_codec_next(&conn->codec, &reply);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            ngx_http_npmtoken_connection_failed(conn, "a malformed reply");
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            reply = NULL;
        }

        lost = (rc == NGX_ABORT);

        rc = ngx_http_npmtoken_connection_replied(conn, reply);

        if (reply) {
            freeReplyObject(reply);
        }

        if (!ngx_http_npmtoken_connection_is(conn, number)) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_http_npmtoken_connection_failed(conn, "an unexpected reply");
            return NGX_ERROR;
        }

        if (lost) {
            ngx_http_npmtoken_connection_failed(conn, "the reply is too large");
            return NGX_ERROR;
        }
    }
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

    c->log_error = ngx_http_npmtoken_connection_level(conn) == NGX_LOG_ERR
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
    size_t             mark;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    mark = conn->out_len;

    for (i = 0; i < ncommands; i++) {

        if (ngx_http_npmtoken_connection_format(conn, &commands[i])
            != NGX_OK)
        {
            conn->out_len = mark;
            return NGX_ERROR;
        }
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


/*
 * The end of an outage is at the level of its beginning: nginx's own error_log
 * shows no lower one, and an outage without an end looks as if it went on.
 */

void
ngx_http_npmtoken_connection_works(ngx_http_npmtoken_connection_t *conn)
{
    ngx_msec_t  lasted;
    ngx_uint_t  level;

    if (conn->endpoint->suspected) {
        ngx_http_npmtoken_greeting_convict(conn);
    }

    conn->hops = 0;

    if (conn->outage.failing) {

        /* nobody may have asked for anything for long since it was ready */

        level = npmtoken_outage_end(&conn->outage, conn->begun + conn->took,
                                    &lasted)
                ? NGX_LOG_ERR : NGX_LOG_NOTICE;

        ngx_log_error(level, &conn->log, 0,
                      "redis is reached again, after %M.%03M s",
                      lasted / 1000, lasted % 1000);
    }

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


static ngx_int_t
ngx_http_npmtoken_connection_format(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *command)
{
    char       *resp;
    ssize_t     n;
    ngx_int_t   rc;

    n = ngx_http_npmtoken_codec_format(command, &resp);
    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_http_npmtoken_connection_append(conn, (u_char *) resp, n);

    redisFreeCommand(resp);

    return rc;
}


static ngx_int_t
ngx_http_npmtoken_connection_append(ngx_http_npmtoken_connection_t *conn,
    u_char *data, size_t len)
{
    size_t   size;
    u_char  *p;

    if (conn->out_size - conn->out_len < len) {

        size = ngx_max(2 * conn->out_size, conn->out_len + len);
        size = ngx_max(size, 4096);

        p = ngx_alloc(size, &conn->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (conn->out) {
            ngx_memcpy(p, conn->out, conn->out_len);
            ngx_free(conn->out);
        }

        conn->out = p;
        conn->out_size = size;
    }

    ngx_memcpy(conn->out + conn->out_len, data, len);
    conn->out_len += len;

    return NGX_OK;
}


static u_char *
ngx_http_npmtoken_connection_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                          *p;
    ngx_http_npmtoken_connection_t  *conn;

    conn = log->data;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
    }

    p = ngx_snprintf(p, len, ", client name: %V, redis: \"%V\"",
                     &conn->label, &conn->endpoint->name);

    if (conn->endpoint->kind == NGX_HTTP_NPMTOKEN_SINGLE
        && conn->endpoint->seeds.nelts == 1)
    {
        return p;
    }

    return ngx_snprintf(p, buf + len - p, ", server: \"%V\"",
                        conn->dial.name);
}
