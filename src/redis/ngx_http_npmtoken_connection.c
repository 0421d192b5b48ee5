
/*
 * The socket is an ordinary ngx_connection_t whose data is the
 * ngx_http_npmtoken_connection_t; it is woken by its read and write events,
 * by the retry timer and by the resolver, and by nothing else.
 *
 * Every callback to the owner may close the connection, and open it again:
 * after one, ngx_http_npmtoken_connection_is() tells whether it is the same.
 * The pointer does not, since nginx gives out first what was last given back.
 * Nothing of a request is referenced here.
 *
 * All timers here are cancelable: those who wait for a reply have a timer of
 * their own, which is not, and it is that one which keeps an exiting worker.
 */


#include "ngx_http_npmtoken_connection.h"


/* bytes of one read, and reads of one event, before others get their turn */
#define NGX_HTTP_NPMTOKEN_READ_SIZE   16384
#define NGX_HTTP_NPMTOKEN_READ_MAX    16

/* back-off in milliseconds: the first, doubled at each failure, the last */
#define NGX_HTTP_NPMTOKEN_RETRY_MIN   50
#define NGX_HTTP_NPMTOKEN_RETRY_MAX   1000


/*
 * What is said on connecting, in this order.  From SETNAME on it may be
 * refused; and where the connection is closed at it, as proxies do which do
 * not know a command, it is left out.
 */

enum {
    NGX_HTTP_NPMTOKEN_AUTH = 0,
    NGX_HTTP_NPMTOKEN_SELECT,
    NGX_HTTP_NPMTOKEN_SETNAME,
    NGX_HTTP_NPMTOKEN_ROLE,
    NGX_HTTP_NPMTOKEN_SERVER,
    NGX_HTTP_NPMTOKEN_MEMORY,
    NGX_HTTP_NPMTOKEN_PING,         /* where nothing else is left */
    NGX_HTTP_NPMTOKEN_GREETED
};


typedef struct {
    char         *command;
    char         *without;    /* what follows where it is left out */
} ngx_http_npmtoken_step_t;


static ngx_int_t ngx_http_npmtoken_connection_resolve(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_resolved(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_connection_connect(
    ngx_http_npmtoken_connection_t *conn);
static ngx_int_t ngx_http_npmtoken_connection_connect_to(
    ngx_http_npmtoken_connection_t *conn, struct sockaddr *sockaddr,
    socklen_t socklen);
static void ngx_http_npmtoken_connection_failed(
    ngx_http_npmtoken_connection_t *conn, char *reason);
static void ngx_http_npmtoken_connection_retry(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_retry_handler(ngx_event_t *ev);
static ngx_msec_t ngx_http_npmtoken_connection_delay(ngx_uint_t failures);
static void ngx_http_npmtoken_connection_set_state(
    ngx_http_npmtoken_connection_t *conn, ngx_http_npmtoken_state_e state);
static void ngx_http_npmtoken_connection_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_http_npmtoken_connection_test(ngx_connection_t *c);
static void ngx_http_npmtoken_connection_flush(
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
static ngx_uint_t ngx_http_npmtoken_connection_asks(
    ngx_http_npmtoken_connection_t *conn);
static ngx_uint_t ngx_http_npmtoken_connection_step(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step);
static ngx_int_t ngx_http_npmtoken_connection_say(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step);
static ngx_int_t ngx_http_npmtoken_connection_greeted(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_connection_refused(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_connection_told(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static void ngx_http_npmtoken_connection_told_server(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_connection_hash_tag(ngx_str_t *name);
static void ngx_http_npmtoken_connection_told_memory(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_connection_first(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step);
static void ngx_http_npmtoken_connection_ready(
    ngx_http_npmtoken_connection_t *conn);
static ngx_uint_t ngx_http_npmtoken_connection_suspect(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_acquit(
    ngx_http_npmtoken_endpoint_t *endpoint);
static void ngx_http_npmtoken_connection_convict(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_keepalive(
    ngx_http_npmtoken_connection_t *conn);
static void ngx_http_npmtoken_connection_option(
    ngx_http_npmtoken_connection_t *conn, int option, char *name, int value);
static ngx_int_t ngx_http_npmtoken_connection_format(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *command);
static ngx_int_t ngx_http_npmtoken_connection_append(
    ngx_http_npmtoken_connection_t *conn, u_char *data, size_t len);
static u_char *ngx_http_npmtoken_connection_log_error(ngx_log_t *log,
    u_char *buf, size_t len);


#if (NGX_DEBUG)

static char  *ngx_http_npmtoken_states[] = {
    "idle", "back-off", "resolving", "connecting", "greeting", "ready"
};

#endif


static ngx_http_npmtoken_step_t  ngx_http_npmtoken_steps[] = {
    { "AUTH", "" },
    { "SELECT", "" },
    { "CLIENT SETNAME", "the connections have no name there" },
    { "ROLE", "it is not known whether this is a replica" },
    { "INFO server", "it is not known which server this is, and what it "
                     "pushes is not relied on" },
    { "INFO memory", "it is not known whether it evicts" }
};


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

    if (ngx_http_npmtoken_connection_resolve(conn) != NGX_OK) {
        ngx_http_npmtoken_connection_retry(conn);
    }
}


static ngx_int_t
ngx_http_npmtoken_connection_resolve(ngx_http_npmtoken_connection_t *conn)
{
    ngx_resolver_ctx_t            *ctx;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    if (conn->pinned) {
        if (ngx_http_npmtoken_connection_connect_to(conn,
                                                    &conn->sockaddr.sockaddr,
                                                    conn->socklen)
            == NGX_OK)
        {
            return NGX_OK;
        }

        conn->pinned = 0;
    }

    if (endpoint->resolver == NULL) {
        return ngx_http_npmtoken_connection_connect(conn);
    }

    ctx = ngx_resolve_start(endpoint->resolver, NULL);
    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = endpoint->url.host;
    ctx->handler = ngx_http_npmtoken_connection_resolved;
    ctx->data = conn;
    ctx->timeout = endpoint->resolver_timeout;
    ctx->cancelable = 1;

    conn->resolving = ctx;
    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_RESOLVING);

    /* the handler may have been called when this returns */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        conn->resolving = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_connection_resolved(ngx_resolver_ctx_t *ctx)
{
    socklen_t                        socklen;
    ngx_sockaddr_t                   sockaddr;
    ngx_http_npmtoken_connection_t  *conn;

    conn = ctx->data;
    conn->resolving = NULL;

    if (ctx->state || ctx->naddrs == 0) {
        ngx_log_error(ngx_http_npmtoken_connection_level(conn), &conn->log, 0,
                      "%V could not be resolved (%i: %s)", &ctx->name,
                      ctx->state, ngx_resolver_strerror(ctx->state));

        ngx_resolve_name_done(ctx);
        ngx_http_npmtoken_connection_retry(conn);
        return;
    }

    /* the resolver rotates its addresses, so the first is another each time */

    socklen = ctx->addrs[0].socklen;

    ngx_memcpy(&sockaddr, ctx->addrs[0].sockaddr, socklen);
    ngx_inet_set_port(&sockaddr.sockaddr, conn->endpoint->url.port);

    ngx_resolve_name_done(ctx);

    if (ngx_http_npmtoken_connection_connect_to(conn, &sockaddr.sockaddr,
                                                socklen)
        != NGX_OK)
    {
        ngx_http_npmtoken_connection_retry(conn);
    }
}


static ngx_int_t
ngx_http_npmtoken_connection_connect(ngx_http_npmtoken_connection_t *conn)
{
    ngx_addr_t                    *addr;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    do {
        addr = &endpoint->addrs[conn->next_addr];

        if (ngx_http_npmtoken_connection_connect_to(conn, addr->sockaddr,
                                                    addr->socklen)
            == NGX_OK)
        {
            return NGX_OK;
        }

        conn->next_addr = (conn->next_addr + 1) % endpoint->naddrs;

    } while (conn->next_addr);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_connection_connect_to(ngx_http_npmtoken_connection_t *conn,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_int_t               rc;
    ngx_uint_t              level;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    peer = &conn->peer;

    if (sockaddr != &conn->sockaddr.sockaddr) {
        ngx_memcpy(&conn->sockaddr, sockaddr, socklen);
        conn->socklen = socklen;
    }

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = &conn->sockaddr.sockaddr;
    peer->socklen = socklen;
    peer->name = &conn->endpoint->url.url;
    peer->get = ngx_event_get_peer;
    peer->log = &conn->log;
    peer->log_error = conn->failures ? NGX_ERROR_INFO : NGX_ERROR_ERR;
    peer->so_keepalive = (conn->endpoint->keepalive != 0);

    conn->log.action = "connecting to redis";
    conn->log.connection = 0;

    level = conn->log.log_level;

    if (conn->failures && level < NGX_LOG_INFO) {

        /* what fails at once, as a unix socket does, nginx logs by itself */

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

    ngx_http_npmtoken_connection_keepalive(conn);

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_CONNECTING);

    /* through the greeting as well */
    ngx_add_timer(c->write, conn->connect_timeout);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


/*
 * What no end of the connection is told of, as where a balancer or NAT forgets
 * it: the kernel asks the other end when the connection is idle, and gives up
 * when what was sent is not acknowledged.  Asking also keeps it remembered.
 */

static void
ngx_http_npmtoken_connection_keepalive(ngx_http_npmtoken_connection_t *conn)
{
#if (NGX_HAVE_KEEPALIVE_TUNABLE)
    int  seconds;
#endif

    if (conn->sockaddr.sockaddr.sa_family == AF_UNIX) {
        return;
    }

#if (NGX_HAVE_KEEPALIVE_TUNABLE)

    seconds = conn->endpoint->keepalive / 1000;

    if (seconds) {
        ngx_http_npmtoken_connection_option(conn, TCP_KEEPIDLE,
                                            "TCP_KEEPIDLE", seconds);
        ngx_http_npmtoken_connection_option(conn, TCP_KEEPINTVL,
                                            "TCP_KEEPINTVL",
                                            ngx_max(seconds / 3, 1));
        ngx_http_npmtoken_connection_option(conn, TCP_KEEPCNT,
                                            "TCP_KEEPCNT", 3);
    }

#endif

#if (defined TCP_USER_TIMEOUT)

    if (conn->endpoint->user_timeout) {
        ngx_http_npmtoken_connection_option(conn, TCP_USER_TIMEOUT,
                                            "TCP_USER_TIMEOUT",
                                            conn->endpoint->user_timeout);
    }

#endif
}


static void
ngx_http_npmtoken_connection_option(ngx_http_npmtoken_connection_t *conn,
    int option, char *name, int value)
{
    if (setsockopt(conn->peer.connection->fd, IPPROTO_TCP, option,
                   (const void *) &value, sizeof(int))
        == -1)
    {
        ngx_log_error(NGX_LOG_WARN, &conn->log, ngx_socket_errno,
                      "setsockopt(%s, %d) failed, ignored", name, value);
    }
}


void
ngx_http_npmtoken_connection_close(ngx_http_npmtoken_connection_t *conn)
{
    if (conn->resolving) {
        ngx_resolve_name_done(conn->resolving);
        conn->resolving = NULL;
    }

    if (conn->retry.timer_set) {
        ngx_del_timer(&conn->retry);
    }

    if (conn->peer.connection) {
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
    conn->role = NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN;
    ngx_memzero(conn->server, NGX_HTTP_NPMTOKEN_SERVER_LEN);
    conn->refusal.len = 0;

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
    ngx_http_npmtoken_state_e      state;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    state = conn->state;

    ngx_log_error(ngx_http_npmtoken_connection_level(conn), &conn->log, 0,
                  "redis connection failed: %s", reason);

    ngx_http_npmtoken_connection_close(conn);
    ngx_http_npmtoken_connection_acquit(conn->endpoint);

    if (state == NGX_HTTP_NPMTOKEN_READY) {
        conn->failures++;
        conn->retry_at = ngx_current_msec
                         + ngx_http_npmtoken_connection_delay(conn->failures);
        conn->owner->lost(conn->data);
        return;
    }

    endpoint = conn->endpoint;

    if (conn->pinned) {
        conn->pinned = 0;

    } else if (endpoint->resolver == NULL) {
        conn->next_addr = (conn->next_addr + 1) % endpoint->naddrs;

        if (conn->next_addr
            && ngx_http_npmtoken_connection_connect(conn) == NGX_OK)
        {
            return;
        }
    }

    ngx_http_npmtoken_connection_retry(conn);
}


static void
ngx_http_npmtoken_connection_retry(ngx_http_npmtoken_connection_t *conn)
{
    ngx_msec_t  delay;

    delay = ngx_http_npmtoken_connection_delay(++conn->failures);

    conn->retry_at = ngx_current_msec + delay;

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


/* the jitter keeps workers that lost the same Redis from coming back as one */

static ngx_msec_t
ngx_http_npmtoken_connection_delay(ngx_uint_t failures)
{
    ngx_msec_t  delay;

    delay = NGX_HTTP_NPMTOKEN_RETRY_MIN;

    while (--failures && delay < NGX_HTTP_NPMTOKEN_RETRY_MAX) {
        delay *= 2;
    }

    delay = ngx_min(delay, NGX_HTTP_NPMTOKEN_RETRY_MAX);

    return delay / 2 + (ngx_msec_t) ngx_random() % (delay / 2 + 1);
}


/* an outage is told once, not at each attempt to end it */

ngx_uint_t
ngx_http_npmtoken_connection_level(ngx_http_npmtoken_connection_t *conn)
{
    return conn->failures ? NGX_LOG_INFO : NGX_LOG_ERR;
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

        if (ngx_http_npmtoken_connection_test(c) != NGX_OK) {
            ngx_http_npmtoken_connection_failed(conn, "cannot connect");
            return;
        }

        if (ngx_http_npmtoken_connection_greet(conn) != NGX_OK) {
            ngx_http_npmtoken_connection_failed(conn, "no memory");
            return;
        }
    }

    ngx_http_npmtoken_connection_flush(conn);
}


static ngx_int_t
ngx_http_npmtoken_connection_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "connect() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
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
            ngx_http_npmtoken_connection_failed(conn, "cannot write");
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

        /* an error is seen by the write handler, which is called as well */

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

        if (conn->state == NGX_HTTP_NPMTOKEN_READY && !conn->streaming) {

            /* a reset of an idle connection is no more than its end */

            c->log_error = conn->pending ? NGX_ERROR_ERR : NGX_ERROR_INFO;
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
            ngx_http_npmtoken_connection_eof(conn);
            return;
        }

        conn->heard = ngx_current_msec;

        ngx_http_npmtoken_codec_feed(&conn->codec, buf, n);

        if (ngx_http_npmtoken_connection_replies(conn) != NGX_OK) {
            return;
        }
    }

    /* others come first, so not in this turn of the event loop */

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
        /* "timeout" in redis.conf, a restart: nobody waits, nothing failed */

        ngx_log_error(NGX_LOG_INFO, &conn->log, 0,
                      "redis closed an idle connection");

        ngx_http_npmtoken_connection_close(conn);
        conn->owner->lost(conn->data);
        return;
    }

    if (conn->state == NGX_HTTP_NPMTOKEN_GREETING
        && ngx_http_npmtoken_connection_suspect(conn))
    {
        ngx_http_npmtoken_connection_close(conn);
        ngx_http_npmtoken_connection_open(conn);
        return;
    }

    ngx_http_npmtoken_connection_failed(conn, "closed by redis");
}


/*
 * A connection that ended in the greeting may have been ended by what was
 * said last, or by an outage.  Those are told apart by trying: the first of
 * the optional commands that were not answered is left out, then the next one.
 * If it works without, that was the cause; if not, none of them was.
 */

static ngx_uint_t
ngx_http_npmtoken_connection_suspect(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                     step;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    /* the reply to AUTH may have been on its way */
    step = ngx_max(conn->greeting, NGX_HTTP_NPMTOKEN_SETNAME);
    step = ngx_http_npmtoken_connection_step(conn, step);

    if (step >= NGX_HTTP_NPMTOKEN_PING) {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, &conn->log, 0,
                  "redis closed the connection, perhaps at \"%s\"",
                  ngx_http_npmtoken_steps[step].command);

    endpoint->left_out |= (ngx_uint_t) 1 << step;
    endpoint->suspected |= (ngx_uint_t) 1 << step;

    return 1;
}


static void
ngx_http_npmtoken_connection_acquit(ngx_http_npmtoken_endpoint_t *endpoint)
{
    endpoint->left_out &= ~endpoint->suspected;
    endpoint->suspected = 0;
}


static void
ngx_http_npmtoken_connection_convict(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                     step, bit;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    for (step = 0; step < NGX_HTTP_NPMTOKEN_PING; step++) {
        bit = (ngx_uint_t) 1 << step;

        if (endpoint->suspected & ~endpoint->told & bit) {
            ngx_log_error(NGX_LOG_WARN, &conn->log, 0,
                          "redis closed the connection at \"%s\", which is "
                          "left out from now on: %s",
                          ngx_http_npmtoken_steps[step].command,
                          ngx_http_npmtoken_steps[step].without);
        }
    }

    endpoint->told |= endpoint->suspected;
    endpoint->suspected = 0;
}


/* NGX_OK if the connection is still there */

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
            ngx_http_npmtoken_connection_failed(conn, "too large a reply");
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
    ngx_uint_t  step;

    conn->log.action = "greeting redis";

    if (ngx_http_npmtoken_codec_init(&conn->codec, conn->max_reply,
                                     conn->max_elements, conn->max_skip)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_set_state(conn, NGX_HTTP_NPMTOKEN_GREETING);

    conn->asked = ngx_http_npmtoken_connection_asks(conn);

    step = ngx_http_npmtoken_connection_step(conn, NGX_HTTP_NPMTOKEN_AUTH);

    conn->greeting = step;

    while (step != NGX_HTTP_NPMTOKEN_GREETED) {

        if (ngx_http_npmtoken_connection_say(conn, step) != NGX_OK) {
            return NGX_ERROR;
        }

        step = ngx_http_npmtoken_connection_step(conn, step + 1);
    }

    return NGX_OK;
}


/* the steps of this greeting, one bit each */

static ngx_uint_t
ngx_http_npmtoken_connection_asks(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                     again, asks;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    /* what works without a command may do so since an outage has just ended */

    again = endpoint->left_out & ~endpoint->suspected & ~endpoint->retried;

    endpoint->left_out &= ~again;
    endpoint->retried |= again;

    asks = (1 << NGX_HTTP_NPMTOKEN_SETNAME) | (1 << NGX_HTTP_NPMTOKEN_ROLE);

    if (conn->ask_server) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_SERVER;
    }

    if (conn->ask_memory) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_MEMORY;
    }

    asks &= ~endpoint->left_out;

    /* a balancer without a server takes connections as well */

    if (asks == 0) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_PING;
    }

    if (endpoint->password.len) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_AUTH;
    }

    /* the least rights an ACL can give a reader forbid SELECT */

    if (endpoint->db) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_SELECT;
    }

    return asks;
}


/* this step or the next one of the greeting */

static ngx_uint_t
ngx_http_npmtoken_connection_step(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step)
{
    while (step < NGX_HTTP_NPMTOKEN_GREETED
           && !(conn->asked & ((ngx_uint_t) 1 << step)))
    {
        step++;
    }

    return step;
}


static ngx_int_t
ngx_http_npmtoken_connection_say(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step)
{
    u_char                         buf[NGX_INT_T_LEN];
    ngx_str_t                      argv[3];
    ngx_uint_t                     n;
    ngx_http_npmtoken_command_t    command;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;
    n = 0;

    switch (step) {

    case NGX_HTTP_NPMTOKEN_AUTH:
        ngx_str_set(&argv[n], "AUTH");
        n++;

        if (endpoint->user.len) {
            argv[n++] = endpoint->user;
        }

        argv[n++] = endpoint->password;
        break;

    case NGX_HTTP_NPMTOKEN_SELECT:
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = buf;
        argv[1].len = ngx_sprintf(buf, "%ui", endpoint->db) - buf;
        n = 2;
        break;

    case NGX_HTTP_NPMTOKEN_SETNAME:
        ngx_str_set(&argv[0], "CLIENT");
        ngx_str_set(&argv[1], "SETNAME");
        argv[2] = conn->label;
        n = 3;
        break;

    case NGX_HTTP_NPMTOKEN_ROLE:
        ngx_str_set(&argv[0], "ROLE");
        n = 1;
        break;

    case NGX_HTTP_NPMTOKEN_SERVER:
        ngx_str_set(&argv[0], "INFO");
        ngx_str_set(&argv[1], "server");
        n = 2;
        break;

    case NGX_HTTP_NPMTOKEN_MEMORY:
        ngx_str_set(&argv[0], "INFO");
        ngx_str_set(&argv[1], "memory");
        n = 2;
        break;

    default: /* NGX_HTTP_NPMTOKEN_PING */
        ngx_str_set(&argv[0], "PING");
        n = 1;
        break;
    }

    command.argc = n;
    command.argv = argv;

    return ngx_http_npmtoken_connection_send(conn, &command, 1);
}


static ngx_int_t
ngx_http_npmtoken_connection_greeted(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    ngx_int_t           rc;
    ngx_atomic_uint_t   number;

    number = conn->peer.connection->number;

    rc = (reply->type == REDIS_REPLY_ERROR)
         ? ngx_http_npmtoken_connection_refused(conn, reply)
         : ngx_http_npmtoken_connection_told(conn, reply);

    if (rc != NGX_OK || !ngx_http_npmtoken_connection_is(conn, number)) {
        return rc;
    }

    /* whatever was answered may be suspected anew some day */
    conn->endpoint->retried &= ~((ngx_uint_t) 1 << conn->greeting);

    conn->pending--;
    conn->greeting = ngx_http_npmtoken_connection_step(conn,
                                                       conn->greeting + 1);

    if (conn->greeting == NGX_HTTP_NPMTOKEN_GREETED) {
        ngx_http_npmtoken_connection_ready(conn);
    }

    return NGX_OK;
}


/* who may not name itself or ask for the role may still look up */

static ngx_int_t
ngx_http_npmtoken_connection_refused(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    ngx_str_t   code, words;
    ngx_uint_t  optional;

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    optional = conn->greeting >= NGX_HTTP_NPMTOKEN_SETNAME
               && (ngx_strncmp(code.data, "NOPERM", 6) == 0
                   || ngx_strncmp(code.data, "ERR", 3) == 0);

    /* no reply to a command, and the connection ends with it */

    if (words.len >= sizeof("max number of clients") - 1
        && ngx_strncmp(words.data, "max number of clients",
                       sizeof("max number of clients") - 1)
           == 0)
    {
        optional = 0;

    } else if (conn->greeting == NGX_HTTP_NPMTOKEN_AUTH) {

        /* what is said of a password may have it */
        ngx_str_set(&words, "to AUTH");
    }

    if (!optional) {
        ngx_log_error(ngx_http_npmtoken_connection_level(conn), &conn->log, 0,
                      "redis answered \"%V\" (%V)%s",
                      &code, &words, ngx_http_npmtoken_codec_advice(&code));
        return NGX_ERROR;
    }

    if (conn->greeting == NGX_HTTP_NPMTOKEN_SERVER) {
        conn->refusal.data = conn->refused;
        conn->refusal.len = ngx_snprintf(conn->refused, sizeof(conn->refused),
                                         "\"%V\" to INFO (%V)", &code, &words)
                            - conn->refused;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_connection_told(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    switch (conn->greeting) {

    case NGX_HTTP_NPMTOKEN_ROLE:
        conn->role = ngx_http_npmtoken_connection_role(reply);

        if (conn->role != NGX_HTTP_NPMTOKEN_REPLICA) {
            return NGX_OK;
        }

        if (conn->ask_master) {
            ngx_http_npmtoken_connection_failed(conn, "this is a replica, and "
                                                "the token API needs its "
                                                "master");
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_WARN, &conn->log, 0,
                      "this redis is a replica: a revocation is enforced "
                      "when it has got there");
        return NGX_OK;

    case NGX_HTTP_NPMTOKEN_SERVER:
        ngx_http_npmtoken_connection_told_server(conn, reply);
        return NGX_OK;

    case NGX_HTTP_NPMTOKEN_MEMORY:
        ngx_http_npmtoken_connection_told_memory(conn, reply);
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


ngx_http_npmtoken_role_e
ngx_http_npmtoken_connection_role(redisReply *reply)
{
    char  *role;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        return NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN;
    }

    role = reply->element[0]->str;

    if (ngx_strcmp(role, "master") == 0) {
        return NGX_HTTP_NPMTOKEN_MASTER;
    }

    return ngx_strcmp(role, "slave") == 0 ? NGX_HTTP_NPMTOKEN_REPLICA
                                          : NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN;
}


static void
ngx_http_npmtoken_connection_told_server(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  value;

    if (ngx_http_npmtoken_codec_info(reply, "run_id", &value) == NGX_OK
        && value.len == NGX_HTTP_NPMTOKEN_SERVER_LEN)
    {
        for (i = 0; i < value.len; i++) {
            ch = value.data[i];

            if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
                break;
            }
        }

        if (i == value.len) {
            ngx_memcpy(conn->server, value.data, value.len);
        }
    }

    if (ngx_http_npmtoken_codec_info(reply, "redis_mode", &value) == NGX_OK
        && value.len == sizeof("cluster") - 1
        && ngx_strncmp(value.data, "cluster", value.len) == 0
        && !ngx_http_npmtoken_connection_hash_tag(&conn->endpoint->records)
        && ngx_http_npmtoken_connection_first(conn, NGX_HTTP_NPMTOKEN_SERVER))
    {
        ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                      "this redis is a Redis Cluster, where tokens can be "
                      "neither made nor revoked unless the prefix has a hash "
                      "tag: prefix \"{npmtoken}:\";");
    }
}


ngx_uint_t
ngx_http_npmtoken_connection_server_step(void)
{
    return (ngx_uint_t) 1 << NGX_HTTP_NPMTOKEN_SERVER;
}


ngx_uint_t
ngx_http_npmtoken_connection_leads_to(ngx_http_npmtoken_connection_t *conn,
    u_char *server)
{
    return conn->server[0]
           && ngx_memcmp(conn->server, server, NGX_HTTP_NPMTOKEN_SERVER_LEN)
              == 0;
}


/* what stands between the first brace and the next one, if anything does */

static ngx_uint_t
ngx_http_npmtoken_connection_hash_tag(ngx_str_t *name)
{
    u_char  *open, *end, *last;

    last = name->data + name->len;
    open = ngx_strlchr(name->data, last, '{');

    if (open == NULL) {
        return 0;
    }

    end = ngx_strlchr(open, last, '}');

    return end && end > open + 1;
}


static void
ngx_http_npmtoken_connection_told_memory(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    char       *lost;
    ngx_str_t   policy, max;

    if (ngx_http_npmtoken_codec_info(reply, "maxmemory_policy", &policy)
        != NGX_OK
        || ngx_http_npmtoken_codec_info(reply, "maxmemory", &max) != NGX_OK)
    {
        return;
    }

    /* without a limit nothing is evicted, whatever the policy */

    if (max.len == 1 && max.data[0] == '0') {
        return;
    }

    if (policy.len > 8 && ngx_strncmp(policy.data, "allkeys-", 8) == 0) {
        lost = "accounts, and with them their second factors, and tokens";

    } else if (policy.len > 9
               && ngx_strncmp(policy.data, "volatile-", 9) == 0)
    {
        lost = "what has a TTL, such as tokens that expire by it,";

    } else {
        return;
    }

    if (ngx_http_npmtoken_connection_first(conn, NGX_HTTP_NPMTOKEN_MEMORY)) {
        ngx_log_error(NGX_LOG_WARN, &conn->log, 0,
                      "this redis evicts when it is full (maxmemory-policy "
                      "is not \"noeviction\"): %s may be lost", lost);
    }
}


/* what a node is to be told once, one of its workers tells */

static ngx_uint_t
ngx_http_npmtoken_connection_first(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step)
{
    ngx_uint_t  bit;

    /* bits above those of steps: this is not about leaving one out */
    bit = (ngx_uint_t) 1 << (NGX_HTTP_NPMTOKEN_GREETED + step);

    if (conn->endpoint->told & bit) {
        return 0;
    }

    conn->endpoint->told |= bit;

    return 1;
}


static void
ngx_http_npmtoken_connection_ready(ngx_http_npmtoken_connection_t *conn)
{
    ngx_connection_t  *c;

    c = conn->peer.connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    conn->log.action = "talking to redis";

    /* idle: may be closed by nginx when the worker exits */
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

    c = conn->peer.connection;

    if (!conn->streaming) {
        conn->pending += ncommands;
        c->idle = 0;
    }

    /* one write for all that is asked in this turn of the event loop */

    ngx_post_event(c->write, &ngx_posted_events);

    return NGX_OK;
}


void
ngx_http_npmtoken_connection_works(ngx_http_npmtoken_connection_t *conn)
{
    if (conn->endpoint->suspected) {
        ngx_http_npmtoken_connection_convict(conn);
    }

    if (conn->failures) {
        ngx_log_error(NGX_LOG_NOTICE, &conn->log, 0,
                      "redis is reached again");
        conn->failures = 0;
    }
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
                  "redis did not answer for %M ms, the last reply is %M ms "
                  "old: another connection is tried",
                  patience, ngx_current_msec - conn->heard);

    ngx_http_npmtoken_connection_close(conn);
    conn->owner->lost(conn->data);
}


void
ngx_http_npmtoken_connection_stream(ngx_http_npmtoken_connection_t *conn)
{
    conn->streaming = 1;
    conn->pending = 0;

    /* nobody waits for it when the worker exits */
    conn->peer.connection->idle = 1;
}


void
ngx_http_npmtoken_connection_pin(ngx_http_npmtoken_connection_t *conn,
    ngx_sockaddr_t *sockaddr, socklen_t socklen)
{
    conn->sockaddr = *sockaddr;
    conn->socklen = socklen;
    conn->pinned = 1;
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

    return ngx_snprintf(p, len, ", client name: %V, redis: \"%V\"",
                        &conn->label, &conn->endpoint->name);
}
