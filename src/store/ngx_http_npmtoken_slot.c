
#include "ngx_http_npmtoken_slot.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_greeting.h"


/* bytes and elements of a reply */
#define NGX_HTTP_NPMTOKEN_SLOT_BYTES     65536
#define NGX_HTTP_NPMTOKEN_SLOT_ELEMENTS  1024


struct ngx_http_npmtoken_slot_s {
    ngx_http_npmtoken_connection_t   conn;
    ngx_http_npmtoken_connection_t  *feed;
    ngx_http_npmtoken_slot_pt        handler;
    void                            *data;
    unsigned                         asked:1;
};


static ngx_int_t ngx_http_npmtoken_slot_send(ngx_http_npmtoken_slot_t *slot);
static void ngx_http_npmtoken_slot_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_slot_reply_handler(void *data,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_slot_answer(redisReply *reply);
static void ngx_http_npmtoken_slot_lost_handler(void *data);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_slot_owner = {
    ngx_http_npmtoken_slot_ready_handler,
    ngx_http_npmtoken_slot_reply_handler,
    ngx_http_npmtoken_slot_lost_handler
};


ngx_http_npmtoken_slot_t *
ngx_http_npmtoken_slot_create(ngx_http_npmtoken_connection_t *feed,
    ngx_http_npmtoken_slot_pt handler, void *data)
{
    ngx_http_npmtoken_slot_t        *slot;
    ngx_http_npmtoken_connection_t  *conn;

    slot = ngx_calloc(sizeof(ngx_http_npmtoken_slot_t), ngx_cycle->log);
    if (slot == NULL) {
        return NULL;
    }

    slot->feed = feed;
    slot->handler = handler;
    slot->data = data;

    conn = &slot->conn;

    conn->endpoint = feed->endpoint;
    conn->owner = &ngx_http_npmtoken_slot_owner;
    conn->data = slot;
    conn->connect_timeout = feed->connect_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_SLOT_BYTES;
    conn->max_elements = NGX_HTTP_NPMTOKEN_SLOT_ELEMENTS;
    conn->ask_server = 1;
    ngx_str_set(&conn->label, "npmtoken-slot");

    ngx_http_npmtoken_connection_init(conn);

    /* this is no question for another server */
    conn->dial.kept = 1;

    return slot;
}


ngx_int_t
ngx_http_npmtoken_slot_ask(ngx_http_npmtoken_slot_t *slot)
{
    slot->asked = 1;

    if (slot->conn.state == NGX_HTTP_NPMTOKEN_READY) {
        return ngx_http_npmtoken_slot_send(slot);
    }

    if (slot->conn.state == NGX_HTTP_NPMTOKEN_IDLE) {
        ngx_http_npmtoken_dial_pin(&slot->conn.dial,
                                   &slot->feed->dial.sockaddr,
                                   slot->feed->dial.socklen,
                               ngx_http_npmtoken_dial_to(&slot->feed->dial));

        ngx_http_npmtoken_connection_open(&slot->conn);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_slot_send(ngx_http_npmtoken_slot_t *slot)
{
    ngx_str_t                    argv[2];
    ngx_http_npmtoken_command_t  command;

    ngx_str_set(&argv[0], "EXISTS");
    argv[1] = slot->conn.endpoint->none;

    command.argc = 2;
    command.argv = argv;

    return ngx_http_npmtoken_connection_send(&slot->conn, &command, 1);
}


/* rule: same-server; another one may be behind the address */

static void
ngx_http_npmtoken_slot_ready_handler(void *data)
{
    ngx_http_npmtoken_slot_t  *slot = data;

    if (!ngx_http_npmtoken_greeting_leads_to(&slot->conn, slot->feed->server))
    {
        ngx_http_npmtoken_connection_fail(&slot->conn, "this is not the "
                                          "server that pushes changes");
        return;
    }

    if (slot->asked && ngx_http_npmtoken_slot_send(slot) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&slot->conn, "no memory");
    }
}


static ngx_int_t
ngx_http_npmtoken_slot_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_slot_t  *slot = data;

    if (reply == NULL || !slot->asked) {
        return NGX_ERROR;
    }

    slot->asked = 0;

    ngx_http_npmtoken_connection_works(&slot->conn);

    slot->handler(slot->data, ngx_http_npmtoken_slot_answer(reply), reply);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_slot_answer(redisReply *reply)
{
    ngx_http_npmtoken_redirect_t  to;

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer == 0 ? NGX_OK : NGX_AGAIN;
    }

    if (ngx_http_npmtoken_cluster_redirect(reply, &to) != NGX_OK) {
        return NGX_ERROR;
    }

    return to.ask ? NGX_AGAIN : NGX_DECLINED;
}


/* the question is asked again at the next proof */

static void
ngx_http_npmtoken_slot_lost_handler(void *data)
{
    ngx_http_npmtoken_slot_t  *slot = data;

    if (slot->asked) {
        slot->asked = 0;
        slot->handler(slot->data, NGX_ERROR, NULL);
    }
}


void
ngx_http_npmtoken_slot_close(ngx_http_npmtoken_slot_t *slot)
{
    slot->asked = 0;
    ngx_http_npmtoken_connection_close(&slot->conn);
}


void
ngx_http_npmtoken_slot_destroy(ngx_http_npmtoken_slot_t *slot)
{
    ngx_http_npmtoken_slot_close(slot);
    ngx_free(slot);
}
