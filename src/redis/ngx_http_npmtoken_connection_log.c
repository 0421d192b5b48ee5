
#include "ngx_http_npmtoken_connection_log.h"


static u_char *ngx_http_npmtoken_connection_log_error(ngx_log_t *log,
    u_char *buf, size_t len);


void
ngx_http_npmtoken_connection_log_init(ngx_http_npmtoken_connection_t *conn)
{
    conn->log = *ngx_cycle->log;
    conn->log.handler = ngx_http_npmtoken_connection_log_error;
    conn->log.data = conn;
    conn->log.action = NULL;
}


static u_char *
ngx_http_npmtoken_connection_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                          *p;
    ngx_http_npmtoken_connection_t  *conn;

    conn = log->data;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
    }

    p = ngx_snprintf(p, len, ", client name: %V, redis: \"%V\"",
                     &conn->label, &conn->endpoint->name);

    if (conn->endpoint->kind == NGX_HTTP_NPMTOKEN_SINGLE
        && conn->endpoint->seeds.nelts == 1)
    {
        return p;
    }

    return ngx_snprintf(p, buf + len - p, ", server: \"%V\"",
                        conn->dial.name);
}


/* an outage is logged once, not at each attempt to connect */

ngx_uint_t
ngx_http_npmtoken_connection_log_level(ngx_http_npmtoken_connection_t *conn)
{
    return npmtoken_outage_due(&conn->outage, 0, ngx_current_msec)
           ? NGX_LOG_ERR : NGX_LOG_INFO;
}


ngx_uint_t
ngx_http_npmtoken_connection_log_fault(ngx_http_npmtoken_connection_t *conn,
    uint32_t why)
{
    return npmtoken_outage_fail(&conn->outage, why, ngx_current_msec)
           ? NGX_LOG_ERR : NGX_LOG_INFO;
}


void
ngx_http_npmtoken_connection_log_failed(ngx_http_npmtoken_connection_t *conn,
    char *reason)
{
    char        *tls;
    ngx_uint_t   level;

    tls = ngx_http_npmtoken_connection_log_tls(conn);

    /* with TLS, this line has what nginx would have logged before it */

    level = ngx_http_npmtoken_connection_log_fault(conn, 0);

    ngx_log_error(level, &conn->log, 0,
                  "redis connection failed: %s%s", tls ? "TLS: " : "",
                  tls ? tls : reason);
}


/*
 * nginx has logged what failed, so the same need not be logged again.  With
 * TLS it has not: its lines are kept for the one that follows.
 */

void
ngx_http_npmtoken_connection_log_done(ngx_http_npmtoken_connection_t *conn)
{
    if (ngx_http_npmtoken_connection_log_tls(conn)) {
        return;
    }

    if (conn->peer.connection->log_error == NGX_ERROR_ERR) {
        (void) ngx_http_npmtoken_connection_log_fault(conn, 0);
    }
}


char *
ngx_http_npmtoken_connection_log_tls(ngx_http_npmtoken_connection_t *conn)
{
    return (conn->endpoint->ssl && conn->state > NGX_HTTP_NPMTOKEN_CONNECTING)
           ? ngx_http_npmtoken_ssl_reason(&conn->ssl) : NULL;
}


/*
 * The end of an outage is at the level of its beginning: nginx's own error_log
 * shows no lower one, and an outage without an end looks as if it went on.
 */

void
ngx_http_npmtoken_connection_log_works(ngx_http_npmtoken_connection_t *conn)
{
    ngx_msec_t  lasted;
    ngx_uint_t  level;

    if (conn->outage.failing) {

        /* nobody may have asked for anything for long since it was ready */

        level = npmtoken_outage_end(&conn->outage, conn->begun + conn->took,
                                    &lasted)
                ? NGX_LOG_ERR : NGX_LOG_NOTICE;

        ngx_log_error(level, &conn->log, 0,
                      "redis is reached again, after %M.%03M s",
                      lasted / 1000, lasted % 1000);
    }
}
