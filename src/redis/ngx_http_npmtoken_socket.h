
/*
 * Options of a socket, and the result of connecting.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SOCKET_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SOCKET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_npmtoken_endpoint.h"


/*
 * Sets the options of a TCP socket.  They find a connection that ends without
 * a sign, for example because a balancer or NAT has forgotten it.  The kernel
 * probes the other end of an idle connection, and gives up if sent data is not
 * acknowledged.  The probes also keep the connection remembered.  A failure is
 * logged and ignored.
 */
void ngx_http_npmtoken_socket_options(ngx_connection_t *c,
    ngx_http_npmtoken_endpoint_t *endpoint);

/*
 * Whether connecting has succeeded.  Returns NGX_OK, or NGX_ERROR with a line
 * logged.
 */
ngx_int_t ngx_http_npmtoken_socket_test(ngx_connection_t *c);


#endif /* _NGX_HTTP_NPMTOKEN_SOCKET_H_INCLUDED_ */
