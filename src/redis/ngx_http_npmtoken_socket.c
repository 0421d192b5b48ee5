
#include "ngx_http_npmtoken_socket.h"


static void ngx_http_npmtoken_socket_option(ngx_connection_t *c, int option,
    char *name, int value);


void
ngx_http_npmtoken_socket_options(ngx_connection_t *c,
    ngx_http_npmtoken_endpoint_t *endpoint)
{
#if (NGX_HAVE_KEEPALIVE_TUNABLE)
    int  seconds;

    seconds = endpoint->keepalive / 1000;

    if (seconds) {
        ngx_http_npmtoken_socket_option(c, TCP_KEEPIDLE, "TCP_KEEPIDLE",
                                        seconds);
        ngx_http_npmtoken_socket_option(c, TCP_KEEPINTVL, "TCP_KEEPINTVL",
                                        ngx_max(seconds / 3, 1));
        ngx_http_npmtoken_socket_option(c, TCP_KEEPCNT, "TCP_KEEPCNT", 3);
    }

#endif

#if (defined TCP_USER_TIMEOUT)

    if (endpoint->user_timeout) {
        ngx_http_npmtoken_socket_option(c, TCP_USER_TIMEOUT,
                                        "TCP_USER_TIMEOUT",
                                        endpoint->user_timeout);
    }

#endif
}


static void
ngx_http_npmtoken_socket_option(ngx_connection_t *c, int option, char *name,
    int value)
{
    if (setsockopt(c->fd, IPPROTO_TCP, option, (const void *) &value,
                   sizeof(int))
        == -1)
    {
        ngx_log_error(NGX_LOG_WARN, c->log, ngx_socket_errno,
                      "setsockopt(%s, %d) failed, ignored", name, value);
    }
}


ngx_int_t
ngx_http_npmtoken_socket_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "connect() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}
