
/*
 * A question has a connection of its own, which is closed after the answer.
 * A sentinel that cannot be reached is passed over by the dial of that
 * connection, and one that gives no useful answer here.
 *
 * The command is "SENTINEL GET-MASTER-ADDR-BY-NAME name" of Redis Sentinel; its
 * reply is an array of host and port, or nil for a name that it does not know.
 */


#include "ngx_http_npmtoken_sentinel.h"
#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_connection_log.h"


/* of one reply: bytes, elements */
#define NGX_HTTP_NPMTOKEN_SENTINEL_REPLY     4096
#define NGX_HTTP_NPMTOKEN_SENTINEL_ELEMENTS  16


struct ngx_http_npmtoken_sentinel_s {
    ngx_http_npmtoken_endpoint_t     endpoint;  /* the sentinels */
    ngx_http_npmtoken_connection_t   conn;
    ngx_str_t                       *master;
    ngx_queue_t                      waiters;
    ngx_event_t                      timer;     /* time-out of the answer */
    ngx_uint_t                       useless;   /* answers in a row */
};


static ngx_http_npmtoken_sentinel_t *ngx_http_npmtoken_sentinel_create(
    ngx_http_npmtoken_endpoint_t *endpoint);
static void ngx_http_npmtoken_sentinel_ready_handler(void *data);
static void ngx_http_npmtoken_sentinel_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_sentinel_lost_handler(void *data);
static ngx_int_t ngx_http_npmtoken_sentinel_reply_handler(void *data,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_sentinel_useless(
    ngx_http_npmtoken_sentinel_t *sentinel, redisReply *reply);
static void ngx_http_npmtoken_sentinel_close(
    ngx_http_npmtoken_sentinel_t *sentinel);
static void ngx_http_npmtoken_sentinel_tell(
    ngx_http_npmtoken_sentinel_t *sentinel, ngx_int_t rc, ngx_str_t *host,
    ngx_uint_t port);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_sentinel_owner = {
    ngx_http_npmtoken_sentinel_ready_handler,
    ngx_http_npmtoken_sentinel_reply_handler,
    ngx_http_npmtoken_sentinel_lost_handler
};


ngx_int_t
ngx_http_npmtoken_sentinel_ask(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_sentinel_waiter_t *waiter)
{
    if (endpoint->sentinel == NULL) {
        endpoint->sentinel = ngx_http_npmtoken_sentinel_create(endpoint);

        if (endpoint->sentinel == NULL) {
            return NGX_DECLINED;
        }
    }

    ngx_queue_insert_tail(&endpoint->sentinel->waiters, &waiter->queue);
    waiter->waiting = 1;

    ngx_http_npmtoken_connection_open(&endpoint->sentinel->conn);

    return NGX_AGAIN;
}


void
ngx_http_npmtoken_sentinel_forget(ngx_http_npmtoken_sentinel_waiter_t *waiter)
{
    if (waiter->waiting) {
        ngx_queue_remove(&waiter->queue);
        waiter->waiting = 0;
    }
}


void
ngx_http_npmtoken_sentinel_doubt(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_uint_t told_by)
{
    ngx_http_npmtoken_connection_t  *conn;

    if (endpoint->sentinel == NULL) {
        return;
    }

    conn = &endpoint->sentinel->conn;

    /* others may have asked the next one already, or are asking now */

    if (conn->dial.seed == told_by
        && (conn->state == NGX_HTTP_NPMTOKEN_IDLE
            || conn->state == NGX_HTTP_NPMTOKEN_BACKOFF))
    {
        ngx_http_npmtoken_dial_pass(&conn->dial);
    }
}


void
ngx_http_npmtoken_sentinel_trust(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_uint_t seed)
{
    ngx_http_npmtoken_connection_t  *conn;

    if (endpoint->sentinel == NULL) {
        return;
    }

    conn = &endpoint->sentinel->conn;

    /* what is under way may bring what was true before */

    ngx_http_npmtoken_sentinel_close(endpoint->sentinel);

    conn->dial.seed = seed;
    conn->dial.next = 0;
    conn->retry_at = ngx_current_msec;

    if (!ngx_queue_empty(&endpoint->sentinel->waiters)) {
        ngx_http_npmtoken_connection_open(conn);
    }
}


void
ngx_http_npmtoken_sentinel_endpoint(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_endpoint_t *sentinels)
{
    *sentinels = *endpoint;

    sentinels->kind = NGX_HTTP_NPMTOKEN_SINGLE;
    sentinels->user = endpoint->sentinel_user;
    sentinels->password = endpoint->sentinel_password;
    sentinels->db = 0;
    sentinels->sentinel = NULL;
    sentinels->watch = NULL;

    /* proxies before the servers have nothing to do with the sentinels */

    sentinels->left_out = 0;
    sentinels->suspected = 0;
    sentinels->retried = 0;
    sentinels->told = 0;
    sentinels->worked = 0;
}


void
ngx_http_npmtoken_sentinel_stop(ngx_http_npmtoken_endpoint_t *endpoint)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_sentinel_t  *sentinel;

    sentinel = endpoint->sentinel;

    if (sentinel == NULL) {
        return;
    }

    while (!ngx_queue_empty(&sentinel->waiters)) {
        q = ngx_queue_head(&sentinel->waiters);

        ngx_http_npmtoken_sentinel_forget(
                 ngx_queue_data(q, ngx_http_npmtoken_sentinel_waiter_t, queue));
    }

    ngx_http_npmtoken_sentinel_close(sentinel);

    ngx_free(sentinel);
    endpoint->sentinel = NULL;
}


static ngx_http_npmtoken_sentinel_t *
ngx_http_npmtoken_sentinel_create(ngx_http_npmtoken_endpoint_t *endpoint)
{
    ngx_http_npmtoken_sentinel_t    *sentinel;
    ngx_http_npmtoken_connection_t  *conn;

    sentinel = ngx_calloc(sizeof(ngx_http_npmtoken_sentinel_t),
                          ngx_cycle->log);
    if (sentinel == NULL) {
        return NULL;
    }

    ngx_http_npmtoken_sentinel_endpoint(endpoint, &sentinel->endpoint);

    sentinel->master = &endpoint->master;
    ngx_queue_init(&sentinel->waiters);

    sentinel->timer.handler = ngx_http_npmtoken_sentinel_timer_handler;
    sentinel->timer.data = sentinel;
    sentinel->timer.log = ngx_cycle->log;
    sentinel->timer.cancelable = 1;

    conn = &sentinel->conn;

    conn->endpoint = &sentinel->endpoint;
    conn->owner = &ngx_http_npmtoken_sentinel_owner;
    conn->data = sentinel;
    conn->connect_timeout = endpoint->sentinel_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_SENTINEL_REPLY;
    conn->max_elements = NGX_HTTP_NPMTOKEN_SENTINEL_ELEMENTS;
    conn->sentinel = 1;
    ngx_str_set(&conn->label, "npmtoken-sentinel");

    ngx_http_npmtoken_connection_init(conn);

    return sentinel;
}


static void
ngx_http_npmtoken_sentinel_ready_handler(void *data)
{
    ngx_http_npmtoken_sentinel_t  *sentinel = data;

    ngx_str_t                      argv[3];
    ngx_http_npmtoken_command_t    command;

    if (ngx_queue_empty(&sentinel->waiters)) {
        ngx_http_npmtoken_sentinel_close(sentinel);
        return;
    }

    ngx_str_set(&argv[0], "SENTINEL");
    ngx_str_set(&argv[1], "GET-MASTER-ADDR-BY-NAME");
    argv[2] = *sentinel->master;

    command.argc = 3;
    command.argv = argv;

    if (ngx_http_npmtoken_connection_send(&sentinel->conn, &command, 1)
        != NGX_OK)
    {
        ngx_http_npmtoken_connection_fail(&sentinel->conn, "no memory");
        return;
    }

    ngx_add_timer(&sentinel->timer, sentinel->conn.connect_timeout);
}


static void
ngx_http_npmtoken_sentinel_timer_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_sentinel_t  *sentinel = ev->data;

    ngx_http_npmtoken_connection_fail(&sentinel->conn,
                                      "the sentinel does not answer");
}


static void
ngx_http_npmtoken_sentinel_lost_handler(void *data)
{
    ngx_http_npmtoken_sentinel_t  *sentinel = data;

    if (sentinel->timer.timer_set) {
        ngx_del_timer(&sentinel->timer);
    }

    ngx_http_npmtoken_dial_pass(&sentinel->conn.dial);

    if (!ngx_queue_empty(&sentinel->waiters)) {
        ngx_http_npmtoken_connection_open(&sentinel->conn);
    }
}


static ngx_int_t
ngx_http_npmtoken_sentinel_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_sentinel_t  *sentinel = data;

    ngx_int_t                      port;
    ngx_str_t                      host;
    redisReply                   **element;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 2)
    {
        return ngx_http_npmtoken_sentinel_useless(sentinel, reply);
    }

    element = reply->element;

    if (element[0]->type != REDIS_REPLY_STRING
        || element[1]->type != REDIS_REPLY_STRING)
    {
        return ngx_http_npmtoken_sentinel_useless(sentinel, reply);
    }

    host.data = (u_char *) element[0]->str;
    host.len = element[0]->len;

    port = ngx_atoi((u_char *) element[1]->str, element[1]->len);

    if (ngx_http_npmtoken_dial_check(&host, port) != NGX_OK) {
        return ngx_http_npmtoken_sentinel_useless(sentinel, reply);
    }

    sentinel->useless = 0;

    ngx_http_npmtoken_connection_works(&sentinel->conn);
    ngx_http_npmtoken_sentinel_close(sentinel);
    ngx_http_npmtoken_sentinel_tell(sentinel, NGX_OK, &host, port);

    return NGX_OK;
}


/* asks the next sentinel, until all have been asked */

static ngx_int_t
ngx_http_npmtoken_sentinel_useless(ngx_http_npmtoken_sentinel_t *sentinel,
    redisReply *reply)
{
    uint32_t                         why;
    ngx_str_t                        code, words;
    ngx_uint_t                       level;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &sentinel->conn;

    /* each sentinel is told of once in an outage */

    why = 1 + conn->dial.seed;
    level = ngx_http_npmtoken_connection_log_fault(conn, why);

    if (reply && reply->type == REDIS_REPLY_NIL) {
        ngx_log_error(level, &conn->log, 0,
                      "the sentinel does not know a master \"%V\"",
                      sentinel->master);

    } else if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_http_npmtoken_codec_error(reply, &code);
        ngx_http_npmtoken_codec_words(reply, &words);

        ngx_log_error(level, &conn->log, 0,
                      "the sentinel answered \"%V\" (%V) to SENTINEL "
                      "GET-MASTER-ADDR-BY-NAME", &code, &words);

    } else {
        ngx_log_error(level, &conn->log, 0,
                      "the sentinel named no valid address of the master "
                      "\"%V\"", sentinel->master);
    }

    ngx_http_npmtoken_sentinel_close(sentinel);
    ngx_http_npmtoken_dial_pass(&conn->dial);

    if (++sentinel->useless < sentinel->endpoint.seeds.nelts) {
        ngx_http_npmtoken_connection_open(conn);
        return NGX_OK;
    }

    sentinel->useless = 0;
    conn->failures++;

    ngx_http_npmtoken_sentinel_tell(sentinel, NGX_DECLINED, NULL, 0);

    return NGX_OK;
}


static void
ngx_http_npmtoken_sentinel_close(ngx_http_npmtoken_sentinel_t *sentinel)
{
    if (sentinel->timer.timer_set) {
        ngx_del_timer(&sentinel->timer);
    }

    ngx_http_npmtoken_connection_close(&sentinel->conn);
}


/* A waiter that is called may ask again, and is not told twice. */

static void
ngx_http_npmtoken_sentinel_tell(ngx_http_npmtoken_sentinel_t *sentinel,
    ngx_int_t rc, ngx_str_t *host, ngx_uint_t port)
{
    ngx_uint_t                            seed;
    ngx_queue_t                          *q, waiters;
    ngx_http_npmtoken_sentinel_waiter_t  *waiter;

    if (ngx_queue_empty(&sentinel->waiters)) {
        return;
    }

    seed = sentinel->conn.dial.seed;

    ngx_queue_init(&waiters);
    ngx_queue_add(&waiters, &sentinel->waiters);
    ngx_queue_init(&sentinel->waiters);

    while (!ngx_queue_empty(&waiters)) {
        q = ngx_queue_head(&waiters);
        waiter = ngx_queue_data(q, ngx_http_npmtoken_sentinel_waiter_t, queue);

        ngx_http_npmtoken_sentinel_forget(waiter);

        waiter->told_by = seed;
        waiter->handler(waiter->data, rc, host, port);
    }
}
