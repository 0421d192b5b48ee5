
/*
 * One connection of a worker to a Redis: socket, authentication, pipeline.
 *
 * It does not know what the commands mean.  Commands are answered in the order
 * in which they were sent.  When the connection is lost, the owner is told
 * once.  Commands that were not answered by then never will be.
 */


#ifndef _NGX_HTTP_NPMTOKEN_CONNECTION_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CONNECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include "ngx_http_npmtoken_codec.h"
#include "ngx_http_npmtoken_dial.h"
#include "ngx_http_npmtoken_endpoint.h"
#include "ngx_http_npmtoken_ssl.h"
#include "npmtoken_outage.h"


typedef struct ngx_http_npmtoken_connection_s  ngx_http_npmtoken_connection_t;


typedef enum {
    NGX_HTTP_NPMTOKEN_IDLE = 0,     /* no socket, none is wanted */
    NGX_HTTP_NPMTOKEN_BACKOFF,      /* no socket until the timer fires */
    NGX_HTTP_NPMTOKEN_DIALLING,     /* the address is looked for */
    NGX_HTTP_NPMTOKEN_CONNECTING,
    NGX_HTTP_NPMTOKEN_SECURING,     /* the handshake of TLS */
    NGX_HTTP_NPMTOKEN_GREETING,     /* AUTH, SELECT, SETNAME, ROLE, INFO */
    NGX_HTTP_NPMTOKEN_READY
} ngx_http_npmtoken_state_e;


typedef enum {
    NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN = 0,
    NGX_HTTP_NPMTOKEN_MASTER,
    NGX_HTTP_NPMTOKEN_REPLICA,
    NGX_HTTP_NPMTOKEN_NO_SERVER     /* it is a sentinel */
} ngx_http_npmtoken_role_e;


/* milliseconds of silence after which a connection may be forgotten */
#define NGX_HTTP_NPMTOKEN_IDLE_TIME   1000


/*
 * How the owner is called back.  It is always called from the event loop,
 * never from within ngx_http_npmtoken_connection_open() or _send().
 */

typedef struct {
    /* commands may be sent now */
    void                (*ready)(void *data);

    /*
     * The reply to the oldest unanswered command.  The connection frees it.
     * NULL: the reply was over the limit of bytes or elements and has been
     * skipped.  If it could not be skipped, codec.lost is set and the
     * connection is lost right after.  The owner returns NGX_OK, or NGX_ERROR
     * if the reply is not what it asked for: then the connection is closed.
     */
    ngx_int_t           (*reply)(void *data, redisReply *reply);

    /* unanswered commands are lost; open() may be called from here */
    void                (*lost)(void *data);
} ngx_http_npmtoken_owner_t;


struct ngx_http_npmtoken_connection_s {
    ngx_http_npmtoken_endpoint_t  *endpoint;
    ngx_http_npmtoken_owner_t     *owner;
    void                          *data;
    ngx_str_t                      label;     /* its purpose, for logs */
    ngx_msec_t                     connect_timeout;
    size_t                         max_reply;    /* bytes */
    ngx_uint_t                     max_elements; /* of an array */
    size_t                         max_skip;     /* bytes of a larger one */

    ngx_http_npmtoken_state_e      state;
    ngx_uint_t                     pending;   /* replies still to come */

    ngx_http_npmtoken_dial_t       dial;      /* has the last address */
    unsigned                       streaming:1;  /* replies come unasked */
    unsigned                       answered:1;   /* a byte has come */

    /* what the owner wants to know of the server */
    unsigned                       ask_server:1;
    unsigned                       ask_memory:1;
    unsigned                       ask_master:1; /* a replica is no use */
    unsigned                       ask_slot:1;   /* of a cluster only the
                                                    owner of the slot is */
    unsigned                       sentinel:1;   /* this leads to one, which
                                                    has no role to ask for */

    /* what the server has said about itself */
    u_char                         server[NGX_HTTP_NPMTOKEN_SERVER_LEN];
    unsigned                       cluster:1;  /* it is a node of one */
    ngx_http_npmtoken_role_e       role;
    ngx_str_t                      refusal;  /* its reply if it does not say who
                                                it is */
    u_char                         refused[NGX_HTTP_NPMTOKEN_MAX_WORDS + 64];

    ngx_log_t                      log;
    ngx_peer_connection_t          peer;
    ngx_http_npmtoken_ssl_t        ssl;
    ngx_http_npmtoken_codec_t      codec;

    u_char                        *out;       /* bytes to be written */
    size_t                         out_len;
    size_t                         out_sent;
    size_t                         out_size;

    ngx_event_t                    retry;     /* ends a back-off */
    ngx_msec_t                     retry_at;
    ngx_uint_t                     failures;  /* since it last worked */
    ngx_uint_t                     hops;      /* redirections since then */
    npmtoken_outage_t              outage;    /* the same, for the log */
    ngx_uint_t                     asked;     /* its steps, as bits */
    ngx_uint_t                     greeting;  /* the step that is awaited */

    ngx_msec_t                     begun;     /* when connecting began */
    ngx_msec_t                     took;      /* from then until ready */
    ngx_msec_t                     heard;     /* when a byte came last */
};


/*
 * Initializes a connection.  The caller has set endpoint, owner, data, label,
 * connect_timeout, the limits, and what to ask; the rest is zero.
 */
void ngx_http_npmtoken_connection_init(ngx_http_npmtoken_connection_t *conn);

/*
 * Makes the connection ready, now or after its back-off.  The owner's ready()
 * is called then.
 */
void ngx_http_npmtoken_connection_open(ngx_http_npmtoken_connection_t *conn);

/*
 * Adds commands to the pipeline, all or none.  Call it only in the state
 * READY.  The event loop writes them later.  Returns NGX_OK, or NGX_ERROR (no
 * memory; nothing was added).
 */
ngx_int_t ngx_http_npmtoken_connection_send(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *commands, ngx_uint_t ncommands);

/*
 * Says that the owner has got what the connection is for.  Only this ends a
 * series of failures.  A client that may greet Redis may still be refused
 * everything else.  It must not reconnect at once, with a line in the log, for
 * ever.
 */
void ngx_http_npmtoken_connection_works(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Whether a balancer or NAT may have forgotten the connection, so that what is
 * sent is lost silently.  This is so if no reply is owed and nothing came for
 * NGX_HTTP_NPMTOKEN_IDLE_TIME.
 */
ngx_uint_t ngx_http_npmtoken_connection_doubtful(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Closes the connection because nothing came for "patience" milliseconds, and
 * calls the owner's lost().  That may be no failure of Redis, so open() then
 * connects at once.
 */
void ngx_http_npmtoken_connection_renew(ngx_http_npmtoken_connection_t *conn,
    ngx_msec_t patience);

/*
 * Closes the connection, and goes to where the reply "MOVED" says.  If the
 * connection was ready, calls the owner's lost(), who opens it.  That is no
 * failure, unless there were many such replies in a row or the place is none:
 * then there is a back-off, and the hosts of the endpoint are asked again.
 * Returns NGX_OK, or NGX_DECLINED with nothing done if the reply is something
 * else or the endpoint is no cluster.
 */
ngx_int_t ngx_http_npmtoken_connection_follow(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);

/*
 * The same in two steps, for an owner that has to read other replies first.
 * _turn() only says where the next connection leads.  It returns NGX_OK,
 * NGX_DECLINED as above, or NGX_ERROR if the connection should be failed.
 * _leave() closes this one, and calls the owner's lost() if it was ready.
 */
ngx_int_t ngx_http_npmtoken_connection_turn(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
void ngx_http_npmtoken_connection_leave(ngx_http_npmtoken_connection_t *conn);

/*
 * From now on, until the connection is lost, replies may come unasked, and no
 * reply is awaited for a command that is sent.
 */
void ngx_http_npmtoken_connection_stream(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Closes the socket as broken and logs "reason".  Calls the owner's lost() if
 * there was a socket.
 */
void ngx_http_npmtoken_connection_fail(ngx_http_npmtoken_connection_t *conn,
    char *reason);

/* Closes the connection without calling the owner.  open() may follow. */
void ngx_http_npmtoken_connection_close(ngx_http_npmtoken_connection_t *conn);


#endif /* _NGX_HTTP_NPMTOKEN_CONNECTION_H_INCLUDED_ */
