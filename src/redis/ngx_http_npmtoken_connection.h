
/*
 * One connection of a worker to a Redis: socket, authentication, pipeline.
 *
 * It knows nothing of what is asked.  Commands are answered in the order in
 * which they were sent; when the connection is lost, the owner is told once,
 * and what was not answered by then never will be.
 */


#ifndef _NGX_HTTP_NPMTOKEN_CONNECTION_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CONNECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include "ngx_http_npmtoken_codec.h"
#include "ngx_http_npmtoken_endpoint.h"


typedef struct ngx_http_npmtoken_connection_s  ngx_http_npmtoken_connection_t;


typedef enum {
    NGX_HTTP_NPMTOKEN_IDLE = 0,     /* no socket, nobody wants one */
    NGX_HTTP_NPMTOKEN_BACKOFF,      /* no socket until the timer fires */
    NGX_HTTP_NPMTOKEN_RESOLVING,
    NGX_HTTP_NPMTOKEN_CONNECTING,
    NGX_HTTP_NPMTOKEN_GREETING,     /* AUTH, SELECT, SETNAME, ROLE, INFO */
    NGX_HTTP_NPMTOKEN_READY
} ngx_http_npmtoken_state_e;


typedef enum {
    NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN = 0,
    NGX_HTTP_NPMTOKEN_MASTER,
    NGX_HTTP_NPMTOKEN_REPLICA
} ngx_http_npmtoken_role_e;


/* milliseconds of silence after which a connection may be forgotten */
#define NGX_HTTP_NPMTOKEN_IDLE_TIME   1000


/*
 * How the owner is called back, always from the event loop and never from
 * within ngx_http_npmtoken_connection_open() or _send().
 */

typedef struct {
    /* commands may be sent now */
    void                (*ready)(void *data);

    /*
     * The reply to the oldest command that has none; freed by the caller.
     * NULL: it is over the limit of bytes or elements, and was skipped; where
     * it was not, codec.lost is set and the connection is lost right after.
     * NGX_ERROR: it is not what was asked for, and the connection is to be
     * closed.
     */
    ngx_int_t           (*reply)(void *data, redisReply *reply);

    /* unanswered commands are lost; open() may be called from here */
    void                (*lost)(void *data);
} ngx_http_npmtoken_owner_t;


struct ngx_http_npmtoken_connection_s {
    ngx_http_npmtoken_endpoint_t  *endpoint;
    ngx_http_npmtoken_owner_t     *owner;
    void                          *data;
    ngx_str_t                      label;     /* what it is for, for logs */
    ngx_msec_t                     connect_timeout;
    size_t                         max_reply;    /* bytes */
    ngx_uint_t                     max_elements; /* of an array */
    size_t                         max_skip;     /* bytes of a larger one */

    ngx_http_npmtoken_state_e      state;
    ngx_uint_t                     pending;   /* replies owed */

    ngx_sockaddr_t                 sockaddr;  /* of the last socket */
    socklen_t                      socklen;
    unsigned                       pinned:1;  /* connect to sockaddr alone */
    unsigned                       streaming:1;  /* replies come unasked */

    /* what the owner wants to know of the server */
    unsigned                       ask_server:1;
    unsigned                       ask_memory:1;
    unsigned                       ask_master:1; /* a replica will not do */

    /* what it has said of itself */
    u_char                         server[NGX_HTTP_NPMTOKEN_SERVER_LEN];
    ngx_http_npmtoken_role_e       role;
    ngx_str_t                      refusal;  /* of saying who it is */
    u_char                         refused[NGX_HTTP_NPMTOKEN_MAX_WORDS + 64];

    ngx_log_t                      log;
    ngx_peer_connection_t          peer;
    ngx_resolver_ctx_t            *resolving;
    ngx_http_npmtoken_codec_t      codec;

    u_char                        *out;       /* not yet written */
    size_t                         out_len;
    size_t                         out_sent;
    size_t                         out_size;

    ngx_event_t                    retry;     /* ends a back-off */
    ngx_msec_t                     retry_at;
    ngx_uint_t                     failures;  /* since it last worked */
    ngx_uint_t                     next_addr;
    ngx_uint_t                     asked;     /* steps of the greeting, bits */
    ngx_uint_t                     greeting;  /* the step to be answered */

    ngx_msec_t                     begun;     /* when it began to connect */
    ngx_msec_t                     took;      /* from there to be ready */
    ngx_msec_t                     heard;     /* when a byte came last */
};


/* endpoint, owner, data, label, connect_timeout, limits, asks are set */
void ngx_http_npmtoken_connection_init(ngx_http_npmtoken_connection_t *conn);

/* Sees to it that the connection gets ready, now or after its back-off. */
void ngx_http_npmtoken_connection_open(ngx_http_npmtoken_connection_t *conn);

/*
 * Adds commands to the pipeline, all or none; only in the state READY.
 * They are written when the event loop comes round.
 * Returns NGX_OK, or NGX_ERROR (no memory; nothing was added).
 */
ngx_int_t ngx_http_npmtoken_connection_send(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *commands, ngx_uint_t ncommands);

/*
 * The owner has got what the connection is for.  Only this ends a series of
 * failures: who may greet Redis may still be refused all the rest, and is not
 * to come back at once, with a line in the log, for ever.
 */
void ngx_http_npmtoken_connection_works(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Whether a balancer or NAT may have forgotten the connection meanwhile, so
 * that what is sent is lost without a word: nothing was owed on it for a time.
 */
ngx_uint_t ngx_http_npmtoken_connection_doubtful(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Nothing came for "patience" milliseconds: closes the connection, and calls
 * the owner's lost().  It need be no failure of Redis, so open() connects at
 * once.
 */
void ngx_http_npmtoken_connection_renew(ngx_http_npmtoken_connection_t *conn,
    ngx_msec_t patience);

/* the level at which a failure is logged: only the first of a series is new */
ngx_uint_t ngx_http_npmtoken_connection_level(
    ngx_http_npmtoken_connection_t *conn);

/*
 * From now on, until the connection is lost, replies may come unasked, and
 * none is owed for what is sent.
 */
void ngx_http_npmtoken_connection_stream(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Makes the connection go to this address.  Where that fails, it is unpinned
 * (conn->pinned tells) and goes to the addresses of its endpoint.
 * Only when there is no socket.
 */
void ngx_http_npmtoken_connection_pin(ngx_http_npmtoken_connection_t *conn,
    ngx_sockaddr_t *sockaddr, socklen_t socklen);

/*
 * Gives the socket up as broken, with "reason" in the log, and calls the
 * owner's lost() if there was a socket.
 */
void ngx_http_npmtoken_connection_fail(ngx_http_npmtoken_connection_t *conn,
    char *reason);

/* Closes quietly, without calling anybody; open() may follow. */
void ngx_http_npmtoken_connection_close(ngx_http_npmtoken_connection_t *conn);


#endif /* _NGX_HTTP_NPMTOKEN_CONNECTION_H_INCLUDED_ */
