
/*
 * What the kernel is to do for a socket, and what it says of one.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SOCKET_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SOCKET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_npmtoken_endpoint.h"


/*
 * Of a TCP socket.  What no end of a connection is told of, as where a
 * balancer or NAT forgets it: the kernel asks the other end when the
 * connection is idle, and gives up when what was sent is not acknowledged.
 * Asking also keeps it remembered.  What fails is logged, and ignored.
 */
void ngx_http_npmtoken_socket_options(ngx_connection_t *c,
    ngx_http_npmtoken_endpoint_t *endpoint);

/* Whether connecting has succeeded: NGX_OK, or NGX_ERROR with a line logged. */
ngx_int_t ngx_http_npmtoken_socket_test(ngx_connection_t *c);


#endif /* _NGX_HTTP_NPMTOKEN_SOCKET_H_INCLUDED_ */
