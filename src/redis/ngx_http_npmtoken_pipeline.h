
/*
 * The bytes of a connection: commands that are written, replies that are read.
 *
 * This sets the members of a connection that are about its bytes: out, codec,
 * heard, answered.  It closes nothing and knows no owner: the connection is
 * told how writing or reading has ended, and acts on it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_PIPELINE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_PIPELINE_H_INCLUDED_


#include "ngx_http_npmtoken_connection.h"


/*
 * Called with each reply, which is freed after the call, or with NULL for one
 * that was over a limit.  It may close the connection and open it again.
 * Returns NGX_OK, or NGX_ERROR if nothing like this reply is awaited.
 */
typedef ngx_int_t (*ngx_http_npmtoken_pipeline_handler_pt)(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);


/*
 * Adds commands to the bytes to be written, all or none.  Returns NGX_OK, or
 * NGX_ERROR (no memory; nothing was added).
 */
ngx_int_t ngx_http_npmtoken_pipeline_add(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_command_t *commands, ngx_uint_t ncommands);

/*
 * Writes what the socket takes.
 * NGX_OK: all is written, or the write event will tell when more can be.
 * NGX_DECLINED: writing failed, which nginx or the TLS of the socket has noted.
 * NGX_ERROR: the write event cannot be waited for.
 */
ngx_int_t ngx_http_npmtoken_pipeline_flush(
    ngx_http_npmtoken_connection_t *conn);

/*
 * Reads what has come, up to a limit in one turn of the event loop, and calls
 * "handler" with each reply.
 * NGX_OK: the read event will tell when there is more.
 * NGX_ABORT: the handler has closed the connection, perhaps opened it again.
 * NGX_DONE: the other end has closed the connection.
 * NGX_DECLINED: reading failed, which nginx or the TLS of the socket has noted.
 * NGX_ERROR: the connection is no use any more; "reason" says why.
 */
ngx_int_t ngx_http_npmtoken_pipeline_read(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_pipeline_handler_pt handler, char **reason);

/*
 * Whether the connection is the same as when its socket had this number.  The
 * pointer to the socket does not tell, since nginx first reuses the one that
 * was freed last.
 */
ngx_uint_t ngx_http_npmtoken_pipeline_is(ngx_http_npmtoken_connection_t *conn,
    ngx_atomic_uint_t number);


#endif /* _NGX_HTTP_NPMTOKEN_PIPELINE_H_INCLUDED_ */
