
#include "ngx_http_npmtoken_witness.h"
#include "ngx_http_npmtoken_greeting.h"

#include <openssl/rand.h>


/* bytes and elements of a reply */
#define NGX_HTTP_NPMTOKEN_WITNESS_BYTES     65536
#define NGX_HTTP_NPMTOKEN_WITNESS_ELEMENTS  1024

/* milliseconds that a key lives; nobody reads it */
#define NGX_HTTP_NPMTOKEN_WITNESS_LIFE      "1000"


struct ngx_http_npmtoken_witness_s {
    ngx_http_npmtoken_connection_t   conn;
    ngx_http_npmtoken_connection_t  *feed;
    ngx_uint_t                       replicas;
    ngx_msec_t                       patience;
    ngx_http_npmtoken_witness_pt     handler;
    void                            *data;

    ngx_uint_t                       key_len;   /* 0: nothing to be written */
    u_char                           key[NGX_HTTP_NPMTOKEN_WITNESS_KEY];
    unsigned                         set:1;     /* SET was answered */
    unsigned                         owed:1;    /* the reply to WAIT, behind a
                                                   SET that was refused */
};


static ngx_int_t ngx_http_npmtoken_witness_send(
    ngx_http_npmtoken_witness_t *witness);
static void ngx_http_npmtoken_witness_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_witness_reply_handler(void *data,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_witness_refused(redisReply *reply);
static void ngx_http_npmtoken_witness_lost_handler(void *data);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_witness_owner = {
    ngx_http_npmtoken_witness_ready_handler,
    ngx_http_npmtoken_witness_reply_handler,
    ngx_http_npmtoken_witness_lost_handler
};


ngx_http_npmtoken_witness_t *
ngx_http_npmtoken_witness_create(ngx_http_npmtoken_connection_t *feed,
    ngx_uint_t replicas, ngx_msec_t patience,
    ngx_http_npmtoken_witness_pt handler, void *data)
{
    ngx_http_npmtoken_witness_t     *witness;
    ngx_http_npmtoken_connection_t  *conn;

    witness = ngx_calloc(sizeof(ngx_http_npmtoken_witness_t), ngx_cycle->log);
    if (witness == NULL) {
        return NULL;
    }

    witness->feed = feed;
    witness->replicas = replicas;
    witness->patience = patience;
    witness->handler = handler;
    witness->data = data;

    conn = &witness->conn;

    conn->endpoint = feed->endpoint;
    conn->owner = &ngx_http_npmtoken_witness_owner;
    conn->data = witness;
    conn->connect_timeout = feed->connect_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_WITNESS_BYTES;
    conn->max_elements = NGX_HTTP_NPMTOKEN_WITNESS_ELEMENTS;
    conn->ask_server = 1;
    ngx_str_set(&conn->label, "npmtoken-witness");

    ngx_http_npmtoken_connection_init(conn);

    /* no other server can bear witness */
    conn->dial.kept = 1;

    return witness;
}


/*
 * rule: nonce-in-name.  A push carries nothing but names.  A write of an
 * earlier session, or of another worker or node, may be run late, by a server
 * that was stopped.  Its key is not one of this series, and is not pushed here.
 */

ngx_int_t
ngx_http_npmtoken_witness_prefix(ngx_http_npmtoken_endpoint_t *endpoint,
    ngx_str_t *prefix)
{
    u_char  *p, random[NGX_HTTP_NPMTOKEN_WITNESS_SERIES / 2];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(prefix->data, endpoint->records.data,
                   endpoint->records.len - (sizeof("token:") - 1));
    p = ngx_cpymem(p, NGX_HTTP_NPMTOKEN_WITNESS_KIND,
                   sizeof(NGX_HTTP_NPMTOKEN_WITNESS_KIND) - 1);
    p = ngx_hex_dump(p, random, sizeof(random));
    *p++ = ':';

    prefix->len = p - prefix->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_witness_write(ngx_http_npmtoken_witness_t *witness,
    ngx_str_t *prefix, uint64_t number)
{
    ngx_http_npmtoken_dial_t        *dial;
    ngx_http_npmtoken_connection_t  *conn;

    witness->set = 0;
    witness->key_len = ngx_sprintf(witness->key, "%V%uL", prefix, number)
                       - witness->key;

    conn = &witness->conn;

    if (conn->state == NGX_HTTP_NPMTOKEN_READY) {
        return witness->owed ? NGX_OK
                             : ngx_http_npmtoken_witness_send(witness);
    }

    if (conn->state == NGX_HTTP_NPMTOKEN_IDLE) {
        dial = &witness->feed->dial;

        ngx_http_npmtoken_dial_pin(&conn->dial, &dial->sockaddr, dial->socklen,
                                   ngx_http_npmtoken_dial_to(dial));
        ngx_http_npmtoken_connection_open(conn);
    }

    return NGX_OK;
}


/*
 * rule: one-write.  Behind SET and WAIT nothing is sent until both are
 * answered.  Otherwise the next SET could be run in one turn of the server
 * with a change that was acknowledged before it was sent, and be pushed first.
 */

static ngx_int_t
ngx_http_npmtoken_witness_send(ngx_http_npmtoken_witness_t *witness)
{
    u_char                       number[2][NGX_INT_T_LEN];
    ngx_str_t                    set[5], wait[3];
    ngx_http_npmtoken_command_t  commands[2];

    ngx_str_set(&set[0], "SET");
    set[1].data = witness->key;
    set[1].len = witness->key_len;
    ngx_str_set(&set[2], "1");
    ngx_str_set(&set[3], "PX");
    ngx_str_set(&set[4], NGX_HTTP_NPMTOKEN_WITNESS_LIFE);

    ngx_str_set(&wait[0], "WAIT");
    wait[1].data = number[0];
    wait[1].len = ngx_sprintf(number[0], "%ui", witness->replicas) - number[0];
    wait[2].data = number[1];
    wait[2].len = ngx_sprintf(number[1], "%M", witness->patience) - number[1];

    commands[0].argc = 5;
    commands[0].argv = set;
    commands[1].argc = 3;
    commands[1].argv = wait;

    return ngx_http_npmtoken_connection_send(&witness->conn, commands, 2);
}


/* rule: write-same-server; another one may be behind the address */

static void
ngx_http_npmtoken_witness_ready_handler(void *data)
{
    ngx_http_npmtoken_witness_t  *witness = data;

    if (!ngx_http_npmtoken_greeting_leads_to(&witness->conn,
                                             witness->feed->server))
    {
        ngx_http_npmtoken_connection_fail(&witness->conn, "this is not the "
                                          "server that pushes changes");
        return;
    }

    if (witness->key_len
        && ngx_http_npmtoken_witness_send(witness) != NGX_OK)
    {
        ngx_http_npmtoken_connection_fail(&witness->conn, "no memory");
    }
}


static ngx_int_t
ngx_http_npmtoken_witness_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_witness_t  *witness = data;

    ngx_int_t  rc;

    if (reply == NULL) {
        return NGX_ERROR;
    }

    if (witness->owed) {
        witness->owed = 0;

        return witness->key_len ? ngx_http_npmtoken_witness_send(witness)
                                : NGX_OK;
    }

    if (witness->key_len == 0) {
        return NGX_ERROR;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        witness->owed = !witness->set;
        rc = ngx_http_npmtoken_witness_refused(reply);

    } else if (!witness->set) {
        witness->set = 1;

        return (reply->type == REDIS_REPLY_STATUS
                && ngx_strcmp(reply->str, "OK") == 0) ? NGX_OK : NGX_ERROR;

    } else if (reply->type == REDIS_REPLY_INTEGER) {
        rc = (reply->integer >= (long long) witness->replicas) ? NGX_OK
                                                               : NGX_AGAIN;
    } else {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_works(&witness->conn);

    witness->key_len = 0;
    witness->handler(witness->data, rc, reply);

    return NGX_OK;
}


/* nothing is followed: another server than the feed's would be proven */

static ngx_int_t
ngx_http_npmtoken_witness_refused(redisReply *reply)
{
    ngx_str_t  code;

    ngx_http_npmtoken_codec_error(reply, &code);

    return (ngx_strncmp(code.data, "READONLY", 8) == 0
            || ngx_strncmp(code.data, "MOVED", 5) == 0)
           ? NGX_DECLINED : NGX_ERROR;
}


static void
ngx_http_npmtoken_witness_lost_handler(void *data)
{
    ngx_http_npmtoken_witness_t  *witness = data;

    witness->owed = 0;

    if (witness->key_len) {
        witness->key_len = 0;
        witness->handler(witness->data, NGX_ERROR, NULL);
    }
}


void
ngx_http_npmtoken_witness_close(ngx_http_npmtoken_witness_t *witness)
{
    witness->owed = 0;
    witness->key_len = 0;
    ngx_http_npmtoken_connection_close(&witness->conn);
}


void
ngx_http_npmtoken_witness_destroy(ngx_http_npmtoken_witness_t *witness)
{
    ngx_http_npmtoken_witness_close(witness);
    ngx_free(witness);
}
