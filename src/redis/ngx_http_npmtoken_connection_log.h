
/*
 * What is logged of a connection: which one it is, why it failed, and at which
 * level.  An outage is logged once, not at each attempt to connect, and so is
 * its end.
 *
 * Of the members of a connection, this sets "outage", and at first "log".
 */


#ifndef _NGX_HTTP_NPMTOKEN_CONNECTION_LOG_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CONNECTION_LOG_H_INCLUDED_


#include "ngx_http_npmtoken_connection.h"


/* Initializes conn->log.  Each line of it names the connection. */
void ngx_http_npmtoken_connection_log_init(
    ngx_http_npmtoken_connection_t *conn);

/*
 * The level at which a failure is logged.  Only the first of an outage is an
 * error; the others are information.
 */
ngx_uint_t ngx_http_npmtoken_connection_log_level(
    ngx_http_npmtoken_connection_t *conn);

/*
 * The same for a failure that is logged now.  "why" is a hash of what Redis
 * said: each such reason is an error once in an outage.  0: no reason that is
 * worth a line after others.
 */
ngx_uint_t ngx_http_npmtoken_connection_log_fault(
    ngx_http_npmtoken_connection_t *conn, uint32_t why);

/*
 * Logs that the connection failed, and why: what is known of a failure of TLS,
 * else "reason".  Call it before the connection is closed.
 */
void ngx_http_npmtoken_connection_log_failed(
    ngx_http_npmtoken_connection_t *conn, char *reason);

/*
 * Call this when connecting, reading or writing has failed: where nginx itself
 * has logged it, the same is not logged as an error again.
 */
void ngx_http_npmtoken_connection_log_done(
    ngx_http_npmtoken_connection_t *conn);

/* What is known of a failure of TLS, or NULL. */
char *ngx_http_npmtoken_connection_log_tls(
    ngx_http_npmtoken_connection_t *conn);

/* Ends an outage, if there is one, and logs how long it lasted. */
void ngx_http_npmtoken_connection_log_works(
    ngx_http_npmtoken_connection_t *conn);


#endif /* _NGX_HTTP_NPMTOKEN_CONNECTION_LOG_H_INCLUDED_ */
