
/*
 * What is said to a Redis on connecting, and what it says of itself.
 *
 * The members of a connection that are about the server are set here: asked,
 * greeting, role, server, refusal; and what the endpoint does not survive
 * being asked.
 */


#ifndef _NGX_HTTP_NPMTOKEN_GREETING_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_GREETING_H_INCLUDED_


#include "ngx_http_npmtoken_connection.h"


/* the most commands of one */
#define NGX_HTTP_NPMTOKEN_GREETING_MAX  7


/* the commands, and the memory of their words */

typedef struct {
    ngx_http_npmtoken_command_t  commands[NGX_HTTP_NPMTOKEN_GREETING_MAX];
    ngx_str_t                    argv[NGX_HTTP_NPMTOKEN_GREETING_MAX][3];
    u_char                       db[NGX_INT_T_LEN];
} ngx_http_npmtoken_greeting_t;


/*
 * Begins the greeting of a connection that is made.  Returns how many
 * commands are to be sent; one at least.
 */
ngx_uint_t ngx_http_npmtoken_greeting_begin(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_greeting_t *greeting);

/*
 * The reply to the first of them that was not answered.  NGX_OK: others are
 * awaited.  NGX_DONE: this was the last.  NGX_DECLINED: it is a replica where
 * the owner needs a master.  NGX_ERROR: it refuses, which is logged at
 * "level".
 */
ngx_int_t ngx_http_npmtoken_greeting_reply(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply,
    ngx_uint_t level);

/*
 * The connection has ended before the last reply.  1: it may have been one of
 * the commands, which the next greeting leaves out; 0: none is left to blame.
 */
ngx_uint_t ngx_http_npmtoken_greeting_suspect(
    ngx_http_npmtoken_connection_t *conn);

/* It fails without them as well: those suspected are not left out. */
void ngx_http_npmtoken_greeting_acquit(
    ngx_http_npmtoken_endpoint_t *endpoint);

/* It works without them: those suspected are left out, and that is logged. */
void ngx_http_npmtoken_greeting_convict(
    ngx_http_npmtoken_connection_t *conn);

/* What ROLE was answered. */
ngx_http_npmtoken_role_e ngx_http_npmtoken_greeting_role(redisReply *reply);

/* The bit in "left_out" of asking a server who it is. */
ngx_uint_t ngx_http_npmtoken_greeting_server_step(void);

/* Whether the connection is known to lead to this server. */
ngx_uint_t ngx_http_npmtoken_greeting_leads_to(
    ngx_http_npmtoken_connection_t *conn, u_char *server);


#endif /* _NGX_HTTP_NPMTOKEN_GREETING_H_INCLUDED_ */
