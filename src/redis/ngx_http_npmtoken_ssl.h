
/*
 * TLS to Redis, by nginx's own SSL layer.
 *
 * Without SSL in nginx these functions exist too.  Then no context can be
 * created, and nothing else is called.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SSL_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SSL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* bytes: the longest host name, that of DNS; what is said of a failure */
#define NGX_HTTP_NPMTOKEN_SSL_NAME    255
#define NGX_HTTP_NPMTOKEN_SSL_REASON  512


/* versions, as bits */
#define NGX_HTTP_NPMTOKEN_SSL_TLSv1_2  1
#define NGX_HTTP_NPMTOKEN_SSL_TLSv1_3  2


/* the last session of a worker, and the name that it was verified for */

typedef struct {
    void                 *session;
    ngx_uint_t            name_len;
    u_char                name[NGX_HTTP_NPMTOKEN_SSL_NAME];
} ngx_http_npmtoken_ssl_saved_t;


/* what TLS to an endpoint is like; it may be copied */

typedef struct {
    ngx_str_t             name;        /* empty: the host */
    ngx_uint_t            verify;
    ngx_uint_t            protocols;   /* 0: all of them */
    ngx_str_t             ciphers;
    ngx_str_t             trusted;     /* file of CAs; empty: the system's */
    ngx_str_t             crl;
    ngx_str_t             certificate;
    ngx_str_t             key;

    ngx_ssl_t            *context;     /* NULL: no TLS */
    ngx_http_npmtoken_ssl_saved_t  *saved;
} ngx_http_npmtoken_ssl_conf_t;


/*
 * TLS of one connection.  What nginx logs about a failure is kept here, so that
 * the owner can say it in the one line that it logs.
 */

typedef struct {
    ngx_log_t                      log;    /* of the socket; the first member */
    ngx_log_t                     *real;   /* the owner's */
    u_char                        *end;    /* of a message, in its line */

    ngx_http_npmtoken_ssl_conf_t  *conf;

    /* the handshake has ended: NGX_OK, or NGX_ERROR and reason() says why */
    void                         (*handler)(ngx_connection_t *c, ngx_int_t rc);

    ngx_uint_t                     name_len;
    u_char                         name[NGX_HTTP_NPMTOKEN_SSL_NAME + 1];
    u_char                         reason[NGX_HTTP_NPMTOKEN_SSL_REASON];
} ngx_http_npmtoken_ssl_t;


/*
 * Creates the context when the configuration has been read.  Files are read
 * now, so a worker needs no right to.  Returns NULL, or what is wrong; then
 * nginx may have logged a line about it, too.
 */
char *ngx_http_npmtoken_ssl_create(ngx_conf_t *cf,
    ngx_http_npmtoken_ssl_conf_t *conf);

/*
 * Begins the handshake on a socket that is connected.  ssl->conf and
 * ssl->handler are set.  "host" is the name or the address that was dialled;
 * "name" of the configuration goes before it.  The caller has set a timer of
 * c->write, which is the time-out.
 * NGX_OK: done, and the server is the right one.
 * NGX_AGAIN: ssl->handler will be called.
 * NGX_ERROR: failed, and reason() says why.
 */
ngx_int_t ngx_http_npmtoken_ssl_begin(ngx_http_npmtoken_ssl_t *ssl,
    ngx_connection_t *c, ngx_str_t *host);

/*
 * What nginx has said about the failure of this connection, as a text that
 * ends with zero.  Returns NULL if it has said nothing.
 */
char *ngx_http_npmtoken_ssl_reason(ngx_http_npmtoken_ssl_t *ssl);

/*
 * Call this before the socket is closed.  Does nothing on one without TLS.
 * Never waits: the other end hears of the end if it fits into its socket.
 */
void ngx_http_npmtoken_ssl_end(ngx_http_npmtoken_ssl_t *ssl,
    ngx_connection_t *c);


#endif /* _NGX_HTTP_NPMTOKEN_SSL_H_INCLUDED_ */
