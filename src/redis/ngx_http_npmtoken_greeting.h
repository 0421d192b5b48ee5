
/*
 * The commands that are sent to a Redis on connecting, and its replies about
 * itself.
 *
 * This sets the members of a connection that are about the server: asked,
 * greeting, role, server, refusal.  In the endpoint it notes the commands at
 * which the connection is closed.
 */


#ifndef _NGX_HTTP_NPMTOKEN_GREETING_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_GREETING_H_INCLUDED_


#include "ngx_http_npmtoken_connection.h"


/* the most commands of one greeting */
#define NGX_HTTP_NPMTOKEN_GREETING_MAX  8


/* the commands and the memory of their words */

typedef struct {
    ngx_http_npmtoken_command_t  commands[NGX_HTTP_NPMTOKEN_GREETING_MAX];
    ngx_str_t                    argv[NGX_HTTP_NPMTOKEN_GREETING_MAX][3];
    u_char                       db[NGX_INT_T_LEN];
} ngx_http_npmtoken_greeting_t;


/*
 * Begins the greeting of a connection that has just been made.  Fills in
 * "greeting", which must live until the commands are formatted.  Returns the
 * number of commands to send, at least one.
 */
ngx_uint_t ngx_http_npmtoken_greeting_begin(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_greeting_t *greeting);

/*
 * Handles the reply to the first unanswered command of the greeting.
 * NGX_OK: other replies are awaited.
 * NGX_DONE: this was the last one.
 * NGX_DECLINED: this server has the wrong role.
 * NGX_BUSY: the reply says which other node of the cluster to go to.
 * NGX_ERROR: Redis refuses, which is logged.
 */
ngx_int_t ngx_http_npmtoken_greeting_reply(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);

/* What is wrong with the role of the server, after NGX_DECLINED. */
char *ngx_http_npmtoken_greeting_objection(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Call this when the connection has ended before the last reply.  Returns 1 if
 * one of the commands may be the cause: the next greeting leaves it out.
 * Returns 0 if there is no command left to suspect.
 */
ngx_uint_t ngx_http_npmtoken_greeting_suspect(
    ngx_http_npmtoken_connection_t *conn);

/*
 * The greeting also fails without the suspected commands: they are sent again.
 */
void ngx_http_npmtoken_greeting_acquit(
    ngx_http_npmtoken_endpoint_t *endpoint);

/*
 * The greeting works without the suspected commands: they stay left out, and
 * that is logged.
 */
void ngx_http_npmtoken_greeting_convict(
    ngx_http_npmtoken_connection_t *conn);

/* The role in the reply to ROLE. */
ngx_http_npmtoken_role_e ngx_http_npmtoken_greeting_role(redisReply *reply);

/* The bit in "left_out" of the command that asks a server who it is. */
ngx_uint_t ngx_http_npmtoken_greeting_server_step(void);

/*
 * Whether the connection is known to lead to "server", a run_id of
 * NGX_HTTP_NPMTOKEN_SERVER_LEN bytes.
 */
ngx_uint_t ngx_http_npmtoken_greeting_leads_to(
    ngx_http_npmtoken_connection_t *conn, u_char *server);


#endif /* _NGX_HTTP_NPMTOKEN_GREETING_H_INCLUDED_ */
