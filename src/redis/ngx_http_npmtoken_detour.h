
/*
 * Commands that a node of a Redis Cluster has sent to another node, each for
 * this once, because their slot is being moved there (ASK).
 *
 * A detour is a connection to that other node.  Each command goes after ASKING:
 * without it the node would send it back.
 */


#ifndef _NGX_HTTP_NPMTOKEN_DETOUR_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_DETOUR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_connection.h"


typedef struct ngx_http_npmtoken_detour_s      ngx_http_npmtoken_detour_t;
typedef struct ngx_http_npmtoken_detour_job_s  ngx_http_npmtoken_detour_job_t;


/* one or two commands; memory of the caller, also that of the commands */

struct ngx_http_npmtoken_detour_job_s {
    ngx_queue_t                   queue;
    ngx_http_npmtoken_command_t  *commands;
    ngx_uint_t                    ncommands;
    ngx_uint_t                    nreplies;  /* so far, those to ASKING, too */

    /*
     * Called for each reply to a command, from the event loop or by
     * ngx_http_npmtoken_detour_expire().
     * "reply" is valid during the call; NULL means that this reply and those
     * after it will not come.  After the last reply, and after NULL, the job is
     * the caller's again, who may free it.  Returns NGX_OK, or NGX_ERROR if the
     * reply does not fit the command: then the connection is closed.
     */
    ngx_int_t                   (*handler)(
                                      ngx_http_npmtoken_detour_job_t *job,
                                      redisReply *reply);
    void                         *data;

    unsigned                      sent:1;
};


/*
 * Creates a detour for commands of the connection "conn", with its endpoint,
 * limits and label.  Returns NULL if there is no memory.
 */
ngx_http_npmtoken_detour_t *ngx_http_npmtoken_detour_create(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Sends a job to where "ask", the reply of the node at the other end of "conn",
 * says.  The caller ends a job that waits too long.  Returns NGX_OK, or
 * NGX_ERROR if it is not sent: "ask" cannot be followed, the detour leads
 * elsewhere and is in use, or there is no memory.
 */
ngx_int_t ngx_http_npmtoken_detour_add(ngx_http_npmtoken_detour_t *detour,
    ngx_http_npmtoken_connection_t *conn, redisReply *ask,
    ngx_http_npmtoken_detour_job_t *job);

/*
 * Ends a job that waits for too long, and all that were sent: calls their
 * handlers with NULL.  Call it only from the event loop.
 */
void ngx_http_npmtoken_detour_expire(ngx_http_npmtoken_detour_t *detour,
    ngx_http_npmtoken_detour_job_t *job);

/* Closes the connection if nothing waits for it.  "detour" may be NULL. */
void ngx_http_npmtoken_detour_rest(ngx_http_npmtoken_detour_t *detour);

/* Closes and frees the detour.  No handler is called. */
void ngx_http_npmtoken_detour_destroy(ngx_http_npmtoken_detour_t *detour);


#endif /* _NGX_HTTP_NPMTOKEN_DETOUR_H_INCLUDED_ */
