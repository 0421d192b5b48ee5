
/*
 * The channel is "+switch-master" of Redis Sentinel.  A message on it is
 * "NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT", for each master that the sentinel
 * monitors.
 *
 * A subscribed connection takes no question, so the sentinel is asked on
 * another one when the subscription has been confirmed.
 */


#include "ngx_http_npmtoken_watch.h"


/* of one message: bytes, elements */
#define NGX_HTTP_NPMTOKEN_WATCH_REPLY     4096
#define NGX_HTTP_NPMTOKEN_WATCH_ELEMENTS  16

/* milliseconds: between questions for a sign of life, until it is missed */
#define NGX_HTTP_NPMTOKEN_WATCH_TICK      1000
#define NGX_HTTP_NPMTOKEN_WATCH_SILENCE   2000

/* milliseconds until a refused subscription is tried again: first, at most */
#define NGX_HTTP_NPMTOKEN_WATCH_RETRY     1000
#define NGX_HTTP_NPMTOKEN_WATCH_RETRY_MAX (5 * 60 * 1000)


struct ngx_http_npmtoken_watch_s {
    ngx_http_npmtoken_endpoint_t         sentinels;
    ngx_http_npmtoken_endpoint_t        *endpoint;
    ngx_http_npmtoken_connection_t       conn;
    ngx_queue_t                          listeners;
    ngx_queue_t                          end;       /* of those to tell now */
    ngx_http_npmtoken_sentinel_waiter_t  question;
    ngx_event_t                          tick;
    ngx_msec_t                           pinged;    /* when, if "pinging" */
    ngx_uint_t                           refused;   /* in a row */
    unsigned                             confirmed:1;
    unsigned                             pinging:1;
    unsigned                             told:1;    /* that it is refused */
};


static ngx_http_npmtoken_watch_t *ngx_http_npmtoken_watch_create(
    ngx_http_npmtoken_endpoint_t *endpoint);
static void ngx_http_npmtoken_watch_close(ngx_http_npmtoken_watch_t *watch);
static void ngx_http_npmtoken_watch_tell(ngx_http_npmtoken_watch_t *watch,
    ngx_str_t *host, ngx_uint_t port);
static void ngx_http_npmtoken_watch_ready_handler(void *data);
static void ngx_http_npmtoken_watch_lost_handler(void *data);
static ngx_int_t ngx_http_npmtoken_watch_reply_handler(void *data,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_watch_refused(
    ngx_http_npmtoken_watch_t *watch, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_watch_confirmed(
    ngx_http_npmtoken_watch_t *watch);
static ngx_int_t ngx_http_npmtoken_watch_message(
    ngx_http_npmtoken_watch_t *watch, redisReply *reply);
static u_char *ngx_http_npmtoken_watch_word(u_char **p, u_char *last,
    ngx_str_t *word);
static void ngx_http_npmtoken_watch_answer_handler(void *data, ngx_int_t rc,
    ngx_str_t *host, ngx_uint_t port);
static void ngx_http_npmtoken_watch_tick_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_npmtoken_watch_send(
    ngx_http_npmtoken_watch_t *watch, ngx_uint_t argc, ngx_str_t *argv);
static ngx_uint_t ngx_http_npmtoken_watch_is(redisReply *reply,
    ngx_uint_t element, char *text);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_watch_owner = {
    ngx_http_npmtoken_watch_ready_handler,
    ngx_http_npmtoken_watch_reply_handler,
    ngx_http_npmtoken_watch_lost_handler
};


void
ngx_http_npmtoken_watch_join(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_listener_t *listener)
{
    ngx_http_npmtoken_watch_t  *watch;

    if (listener->listening) {
        return;
    }

    if (endpoint->watch == NULL) {
        endpoint->watch = ngx_http_npmtoken_watch_create(endpoint);

        if (endpoint->watch == NULL) {
            return;
        }
    }

    watch = endpoint->watch;

    if (ngx_queue_empty(&watch->listeners)) {
        ngx_http_npmtoken_connection_open(&watch->conn);
        ngx_add_timer(&watch->tick, NGX_HTTP_NPMTOKEN_WATCH_TICK);
    }

    ngx_queue_insert_tail(&watch->listeners, &listener->queue);
    listener->listening = 1;
}


void
ngx_http_npmtoken_watch_leave(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_http_npmtoken_listener_t *listener)
{
    if (!listener->listening) {
        return;
    }

    ngx_queue_remove(&listener->queue);
    listener->listening = 0;

    if (ngx_queue_empty(&endpoint->watch->listeners)) {
        ngx_http_npmtoken_watch_close(endpoint->watch);
    }
}


void
ngx_http_npmtoken_watch_stop(ngx_http_npmtoken_endpoint_t *endpoint)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_listener_t  *listener;

    if (endpoint->watch == NULL) {
        return;
    }

    while (!ngx_queue_empty(&endpoint->watch->listeners)) {
        q = ngx_queue_head(&endpoint->watch->listeners);
        listener = ngx_queue_data(q, ngx_http_npmtoken_listener_t, queue);

        ngx_http_npmtoken_watch_leave(endpoint, listener);
    }

    ngx_free(endpoint->watch);
    endpoint->watch = NULL;
}


static ngx_http_npmtoken_watch_t *
ngx_http_npmtoken_watch_create(ngx_http_npmtoken_endpoint_t *endpoint)
{
    ngx_http_npmtoken_watch_t       *watch;
    ngx_http_npmtoken_connection_t  *conn;

    watch = ngx_calloc(sizeof(ngx_http_npmtoken_watch_t), ngx_cycle->log);
    if (watch == NULL) {
        return NULL;
    }

    watch->endpoint = endpoint;
    ngx_http_npmtoken_sentinel_endpoint(endpoint, &watch->sentinels);

    ngx_queue_init(&watch->listeners);

    watch->question.handler = ngx_http_npmtoken_watch_answer_handler;
    watch->question.data = watch;

    watch->tick.handler = ngx_http_npmtoken_watch_tick_handler;
    watch->tick.data = watch;
    watch->tick.log = ngx_cycle->log;
    watch->tick.cancelable = 1;

    conn = &watch->conn;

    conn->endpoint = &watch->sentinels;
    conn->owner = &ngx_http_npmtoken_watch_owner;
    conn->data = watch;
    conn->connect_timeout = endpoint->sentinel_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_WATCH_REPLY;
    conn->max_elements = NGX_HTTP_NPMTOKEN_WATCH_ELEMENTS;
    conn->sentinel = 1;
    ngx_str_set(&conn->label, "npmtoken-watch");

    ngx_http_npmtoken_connection_init(conn);

    return watch;
}


static void
ngx_http_npmtoken_watch_close(ngx_http_npmtoken_watch_t *watch)
{
    ngx_http_npmtoken_sentinel_forget(&watch->question);
    ngx_http_npmtoken_connection_close(&watch->conn);

    if (watch->tick.timer_set) {
        ngx_del_timer(&watch->tick);
    }

    watch->confirmed = 0;
    watch->pinging = 0;
}


/* A listener may leave when it is called, and others may join. */

static void
ngx_http_npmtoken_watch_tell(ngx_http_npmtoken_watch_t *watch,
    ngx_str_t *host, ngx_uint_t port)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_listener_t  *listener;

    /* the subscription does not end before all have been told */

    ngx_queue_insert_tail(&watch->listeners, &watch->end);

    while (ngx_queue_head(&watch->listeners) != &watch->end) {
        q = ngx_queue_head(&watch->listeners);
        listener = ngx_queue_data(q, ngx_http_npmtoken_listener_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&watch->listeners, q);

        listener->handler(listener->data, host, port);
    }

    ngx_queue_remove(&watch->end);

    if (ngx_queue_empty(&watch->listeners)) {
        ngx_http_npmtoken_watch_close(watch);
    }
}


static void
ngx_http_npmtoken_watch_ready_handler(void *data)
{
    ngx_http_npmtoken_watch_t  *watch = data;

    ngx_str_t                   argv[2];

    watch->confirmed = 0;
    watch->pinging = 0;

    ngx_str_set(&argv[0], "SUBSCRIBE");
    ngx_str_set(&argv[1], "+switch-master");

    if (ngx_http_npmtoken_watch_send(watch, 2, argv) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&watch->conn, "no memory");
        return;
    }

    /* the confirmation is awaited like a sign of life */

    watch->pinging = 1;
    watch->pinged = ngx_current_msec;

    ngx_http_npmtoken_connection_stream(&watch->conn);
}


static void
ngx_http_npmtoken_watch_lost_handler(void *data)
{
    ngx_http_npmtoken_watch_t  *watch = data;

    watch->confirmed = 0;
    watch->pinging = 0;

    ngx_http_npmtoken_dial_pass(&watch->conn.dial);
    ngx_http_npmtoken_connection_open(&watch->conn);
}


static ngx_int_t
ngx_http_npmtoken_watch_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_watch_t  *watch = data;

    if (reply == NULL) {
        return NGX_ERROR;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        return ngx_http_npmtoken_watch_refused(watch, reply);
    }

    if (ngx_http_npmtoken_watch_is(reply, 0, "pong")) {
        watch->pinging = 0;
        watch->refused = 0;
        watch->told = 0;

        ngx_http_npmtoken_connection_works(&watch->conn);

        return NGX_OK;
    }

    if (ngx_http_npmtoken_watch_is(reply, 0, "subscribe")) {
        return ngx_http_npmtoken_watch_confirmed(watch);
    }

    if (ngx_http_npmtoken_watch_is(reply, 0, "message")
        && ngx_http_npmtoken_watch_is(reply, 1, "+switch-master"))
    {
        return ngx_http_npmtoken_watch_message(watch, reply);
    }

    return NGX_ERROR;
}


/*
 * The refusal lasts until somebody acts.  The master is then found anew when
 * the connection to it ends.
 */

static ngx_int_t
ngx_http_npmtoken_watch_refused(ngx_http_npmtoken_watch_t *watch,
    redisReply *reply)
{
    ngx_str_t                        code, words;
    ngx_uint_t                       level;
    ngx_msec_t                       delay;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &watch->conn;

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    delay = NGX_HTTP_NPMTOKEN_WATCH_RETRY << ngx_min(watch->refused, 10);
    delay = ngx_min(delay, NGX_HTTP_NPMTOKEN_WATCH_RETRY_MAX);

    level = watch->told ? NGX_LOG_INFO : NGX_LOG_WARN;

    ngx_log_error(level, &conn->log, 0,
                  "the sentinel answered \"%V\" (%V) to %s: a new master is "
                  "noticed only when the connection to the old one ends; the "
                  "next attempt is in %M s",
                  &code, &words, watch->confirmed ? "PING" : "SUBSCRIBE",
                  delay / 1000);

    watch->told = 1;
    watch->refused++;
    watch->confirmed = 0;
    watch->pinging = 0;

    ngx_http_npmtoken_connection_close(conn);
    ngx_http_npmtoken_dial_pass(&conn->dial);

    conn->retry_at = ngx_current_msec + delay;

    ngx_http_npmtoken_connection_open(conn);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_watch_confirmed(ngx_http_npmtoken_watch_t *watch)
{
    watch->confirmed = 1;
    watch->pinging = 0;

    if (watch->question.waiting) {
        return NGX_OK;
    }

    ngx_http_npmtoken_sentinel_trust(watch->endpoint, watch->conn.dial.seed);

    return (ngx_http_npmtoken_sentinel_ask(watch->endpoint, &watch->question)
            == NGX_AGAIN) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_npmtoken_watch_answer_handler(void *data, ngx_int_t rc,
    ngx_str_t *host, ngx_uint_t port)
{
    ngx_http_npmtoken_watch_t  *watch = data;

    /* what is wrong is logged where it was asked */

    if (rc == NGX_OK && ngx_http_npmtoken_dial_check(host, port) == NGX_OK) {
        ngx_http_npmtoken_watch_tell(watch, host, port);
    }
}


static ngx_int_t
ngx_http_npmtoken_watch_message(ngx_http_npmtoken_watch_t *watch,
    redisReply *reply)
{
    u_char     *p, *last;
    ngx_int_t   port;
    ngx_str_t   name, host, word;

    if (reply->elements != 3
        || reply->element[2]->type != REDIS_REPLY_STRING)
    {
        return NGX_ERROR;
    }

    p = (u_char *) reply->element[2]->str;
    last = p + reply->element[2]->len;

    if (ngx_http_npmtoken_watch_word(&p, last, &name) == NULL
        || ngx_http_npmtoken_watch_word(&p, last, &word) == NULL
        || ngx_http_npmtoken_watch_word(&p, last, &word) == NULL
        || ngx_http_npmtoken_watch_word(&p, last, &host) == NULL
        || ngx_http_npmtoken_watch_word(&p, last, &word) == NULL)
    {
        return NGX_ERROR;
    }

    if (name.len != watch->endpoint->master.len
        || ngx_memcmp(name.data, watch->endpoint->master.data, name.len) != 0)
    {
        /* of another set of servers */
        return NGX_OK;
    }

    port = ngx_atoi(word.data, word.len);

    if (ngx_http_npmtoken_dial_check(&host, port) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the others may not know yet */

    ngx_http_npmtoken_sentinel_trust(watch->endpoint, watch->conn.dial.seed);

    ngx_http_npmtoken_watch_tell(watch, &host, port);

    return NGX_OK;
}


/* Takes the next word of a text whose words are separated by one blank. */

static u_char *
ngx_http_npmtoken_watch_word(u_char **p, u_char *last, ngx_str_t *word)
{
    word->data = *p;

    while (*p < last && **p != ' ') {
        (*p)++;
    }

    word->len = *p - word->data;

    if (*p < last) {
        (*p)++;
    }

    return word->len ? word->data : NULL;
}


static void
ngx_http_npmtoken_watch_tick_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_watch_t  *watch = ev->data;

    ngx_str_t                   argv[1];

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_NPMTOKEN_WATCH_TICK);

    if (watch->conn.state != NGX_HTTP_NPMTOKEN_READY) {
        ngx_http_npmtoken_connection_open(&watch->conn);
        return;
    }

    if (watch->pinging) {

        if (ngx_current_msec - watch->pinged
            >= NGX_HTTP_NPMTOKEN_WATCH_SILENCE)
        {
            ngx_http_npmtoken_connection_fail(&watch->conn,
                                              "the sentinel does not answer");
        }

        return;
    }

    ngx_str_set(&argv[0], "PING");

    if (ngx_http_npmtoken_watch_send(watch, 1, argv) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&watch->conn, "no memory");
        return;
    }

    watch->pinging = 1;
    watch->pinged = ngx_current_msec;
}


static ngx_int_t
ngx_http_npmtoken_watch_send(ngx_http_npmtoken_watch_t *watch,
    ngx_uint_t argc, ngx_str_t *argv)
{
    ngx_http_npmtoken_command_t  command;

    command.argc = argc;
    command.argv = argv;

    return ngx_http_npmtoken_connection_send(&watch->conn, &command, 1);
}


static ngx_uint_t
ngx_http_npmtoken_watch_is(redisReply *reply, ngx_uint_t element, char *text)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > element
           && reply->element[element]->type == REDIS_REPLY_STRING
           && ngx_strcmp(reply->element[element]->str, text) == 0;
}
