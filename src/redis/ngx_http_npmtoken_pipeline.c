
/*
 * The handler of replies may close the connection and open it again.  After
 * it was called, ngx_http_npmtoken_pipeline_is() tells whether it is the same
 * connection.
 */


#include "ngx_http_npmtoken_pipeline.h"
#include "ngx_http_npmtoken_connection_log.h"


/*
 * bytes of one read, and reads of one event before other events get their turn
 */
#define NGX_HTTP_NPMTOKEN_READ_SIZE   16384
#define NGX_HTTP_NPMTOKEN_READ_MAX    16


static ngx_int_t ngx_http_npmtoken_pipeline_format(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *command);
static ngx_int_t ngx_http_npmtoken_pipeline_append(
    ngx_http_npmtoken_connection_t *conn, u_char *data, size_t len);
static ngx_int_t ngx_http_npmtoken_pipeline_replies(
    ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_pipeline_handler_pt handler, char **reason);


ngx_int_t
ngx_http_npmtoken_pipeline_add(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *commands, ngx_uint_t ncommands)
{
    size_t      mark;
    ngx_uint_t  i;

    mark = conn->out_len;

    for (i = 0; i < ncommands; i++) {

        if (ngx_http_npmtoken_pipeline_format(conn, &commands[i]) != NGX_OK) {
            conn->out_len = mark;
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_pipeline_format(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *command)
{
    char       *resp;
    ssize_t     n;
    ngx_int_t   rc;

    n = ngx_http_npmtoken_codec_format(command, &resp);
    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_http_npmtoken_pipeline_append(conn, (u_char *) resp, n);

    redisFreeCommand(resp);

    return rc;
}


static ngx_int_t
ngx_http_npmtoken_pipeline_append(ngx_http_npmtoken_connection_t *conn,
    u_char *data, size_t len)
{
    size_t   size;
    u_char  *p;

    if (conn->out_size - conn->out_len < len) {

        size = ngx_max(2 * conn->out_size, conn->out_len + len);
        size = ngx_max(size, 4096);

        p = ngx_alloc(size, &conn->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (conn->out) {
            ngx_memcpy(p, conn->out, conn->out_len);
            ngx_free(conn->out);
        }

        conn->out = p;
        conn->out_size = size;
    }

    ngx_memcpy(conn->out + conn->out_len, data, len);
    conn->out_len += len;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_pipeline_flush(ngx_http_npmtoken_connection_t *conn)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    while (conn->out_sent < conn->out_len) {

        n = c->send(c, conn->out + conn->out_sent,
                    conn->out_len - conn->out_sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            return NGX_DECLINED;
        }

        conn->out_sent += n;
    }

    if (conn->out_sent == conn->out_len) {
        conn->out_sent = 0;
        conn->out_len = 0;
    }

    return ngx_handle_write_event(c->write, 0) == NGX_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_npmtoken_pipeline_read(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_pipeline_handler_pt handler, char **reason)
{
    u_char             buf[NGX_HTTP_NPMTOKEN_READ_SIZE];
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = conn->peer.connection;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_READ_MAX; i++) {

        if (conn->state == NGX_HTTP_NPMTOKEN_READY) {

            /* a reset of an idle connection is only its end */

            c->log_error = (conn->pending || conn->streaming)
                           && (conn->endpoint->ssl
                               || ngx_http_npmtoken_connection_log_level(conn)
                                  == NGX_LOG_ERR)
                           ? NGX_ERROR_ERR : NGX_ERROR_INFO;
        }

        n = c->recv(c, buf, NGX_HTTP_NPMTOKEN_READ_SIZE);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                *reason = "cannot wait for reading";
                return NGX_ERROR;
            }

            return NGX_OK;
        }

        if (n <= 0) {
            return n < 0 ? NGX_DECLINED : NGX_DONE;
        }

        conn->heard = ngx_current_msec;
        conn->answered = 1;

        ngx_http_npmtoken_codec_feed(&conn->codec, buf, n);

        rc = ngx_http_npmtoken_pipeline_replies(conn, handler, reason);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /*
     * other events come first, so this goes on in the next turn of the event
     * loop
     */

    ngx_post_event(c->read, &ngx_posted_next_events);

    return NGX_OK;
}


/* Returns what ngx_http_npmtoken_pipeline_read() does. */

static ngx_int_t
ngx_http_npmtoken_pipeline_replies(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_pipeline_handler_pt handler, char **reason)
{
    ngx_int_t           rc;
    ngx_uint_t          lost;
    redisReply         *reply;
    ngx_atomic_uint_t   number;

    number = conn->peer.connection->number;

    for ( ;; ) {
        rc = ngx_http_npmtoken_codec_next(&conn->codec, &reply);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            *reason = "a malformed reply";
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            reply = NULL;
        }

        lost = (rc == NGX_ABORT);

        rc = handler(conn, reply);

        if (reply) {
            freeReplyObject(reply);
        }

        if (!ngx_http_npmtoken_pipeline_is(conn, number)) {
            return NGX_ABORT;
        }

        if (rc != NGX_OK) {
            *reason = "an unexpected reply";
            return NGX_ERROR;
        }

        if (lost) {
            *reason = "the reply is too large";
            return NGX_ERROR;
        }
    }
}


ngx_uint_t
ngx_http_npmtoken_pipeline_is(ngx_http_npmtoken_connection_t *conn,
    ngx_atomic_uint_t number)
{
    return conn->peer.connection && conn->peer.connection->number == number;
}
