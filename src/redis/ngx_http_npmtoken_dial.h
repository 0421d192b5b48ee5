
/*
 * Which address a connection tries next.
 *
 * Addresses are tried in rounds.  A round goes through the addresses of the
 * endpoint's hosts in turn.  If the dial has a place, which is a host and port
 * found at run time, the round goes through the addresses of that place alone.
 * If it is pinned, the round has that one address.
 *
 * If the hosts are sentinels, they are asked for the place at the beginning of
 * each round.
 *
 * It opens no socket, and knows no connection.
 */


#ifndef _NGX_HTTP_NPMTOKEN_DIAL_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_DIAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_endpoint.h"
#include "ngx_http_npmtoken_sentinel.h"


/* the longest host name of a place, in bytes: that of DNS */
#define NGX_HTTP_NPMTOKEN_DIAL_HOST   255

/* the most addresses of a name that are tried in a round */
#define NGX_HTTP_NPMTOKEN_DIAL_FOUND  8


typedef struct {
    ngx_http_npmtoken_endpoint_t  *endpoint;
    ngx_log_t                     *log;
    ngx_uint_t                     level;    /* of what is logged */

    /*
     * Called from the event loop after NGX_AGAIN, with what the function would
     * have returned otherwise: NGX_OK or NGX_DECLINED.
     */
    void                         (*handler)(void *data, ngx_int_t rc);
    void                          *data;

    /* the address to connect to, or the last one that was connected to */
    ngx_sockaddr_t                 sockaddr;
    socklen_t                      socklen;
    ngx_str_t                     *name;     /* of its host, for logs */

    ngx_uint_t                     seed;     /* which host */
    ngx_uint_t                     next;     /* which of its addresses */

    /* found at run time, for this round */
    ngx_resolver_ctx_t            *resolving;
    ngx_sockaddr_t                 found[NGX_HTTP_NPMTOKEN_DIAL_FOUND];
    socklen_t                      found_len[NGX_HTTP_NPMTOKEN_DIAL_FOUND];
    ngx_uint_t                     nfound;   /* 0: those of the seed */

    ngx_str_t                      place;    /* host and port; empty: none */
    ngx_str_t                      host;     /* the host in it, or what is
                                                pinned, for logs */
    in_port_t                      port;
    u_char                         text[NGX_HTTP_NPMTOKEN_DIAL_HOST
                                        + sizeof("[]:65535")];

    /* the host of a pin */
    ngx_str_t                      pin;
    u_char                         pin_text[NGX_HTTP_NPMTOKEN_DIAL_HOST];
    ngx_http_npmtoken_sentinel_waiter_t  question;

    unsigned                       pinned:1;
    unsigned                       kept:1;     /* a pin survives a failure */
    unsigned                       finding:1;  /* not to call the handler */
} ngx_http_npmtoken_dial_t;


/*
 * Initializes a dial that is zero.  "endpoint" and "log" must outlive it.
 */
void ngx_http_npmtoken_dial_init(ngx_http_npmtoken_dial_t *dial,
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_log_t *log);

/*
 * Finds the address to connect to.  After a success it is that of the last
 * time, unless the resolver says otherwise.
 * NGX_OK: dial->sockaddr has the address.
 * NGX_AGAIN: dial->handler will be called, never from within this call.
 * NGX_DECLINED: the round is over without one, which is logged at dial->level.
 * The caller waits before it asks again, and then another round begins.
 */
ngx_int_t ngx_http_npmtoken_dial_find(ngx_http_npmtoken_dial_t *dial);

/*
 * As above, after the address that was found has failed: finds the next one of
 * the round.  At the end of a round, a place and a pin are forgotten.
 */
ngx_int_t ngx_http_npmtoken_dial_next(ngx_http_npmtoken_dial_t *dial);

/* Ends a search.  The handler is not called. */
void ngx_http_npmtoken_dial_stop(ngx_http_npmtoken_dial_t *dial);

/*
 * Dials only this address, which is copied, until it fails; with dial->kept
 * also after that.  "host" is the host that has it, as dial_to() of another
 * dial told; it is copied, too.  Call it only when nothing is searched for.
 */
void ngx_http_npmtoken_dial_pin(ngx_http_npmtoken_dial_t *dial,
    ngx_sockaddr_t *sockaddr, socklen_t socklen, ngx_str_t *host);

/*
 * Dials only this place, until all its addresses have failed.  "host" is an
 * address, an IPv6 one without brackets, or a name.  It may come from
 * strangers, and is checked and copied.  Call it only when nothing is searched
 * for.  Returns NGX_OK, or NGX_DECLINED if this is no host or no port.
 */
ngx_int_t ngx_http_npmtoken_dial_place(ngx_http_npmtoken_dial_t *dial,
    ngx_str_t *host, ngx_uint_t port);

/*
 * As above, for another port of the address that the dial "other" has, which
 * may be this one.
 */
ngx_int_t ngx_http_npmtoken_dial_port(ngx_http_npmtoken_dial_t *dial,
    ngx_http_npmtoken_dial_t *other, ngx_uint_t port);

/* The host that is dialled, as it was named: a name, or an address. */
ngx_str_t *ngx_http_npmtoken_dial_to(ngx_http_npmtoken_dial_t *dial);

/* Whether the place that is dialled, or was dialled last, is this one. */
ngx_uint_t ngx_http_npmtoken_dial_leads_to(ngx_http_npmtoken_dial_t *dial,
    ngx_str_t *host, ngx_uint_t port);

/*
 * Whether this may be the host and port of a place.  Returns NGX_OK or
 * NGX_DECLINED.
 */
ngx_int_t ngx_http_npmtoken_dial_check(ngx_str_t *host, ngx_int_t port);

/*
 * The next search begins with the next host of the endpoint: the one that has
 * named a place which has failed may name it again.  Call it only when nothing
 * is searched for.
 */
void ngx_http_npmtoken_dial_pass(ngx_http_npmtoken_dial_t *dial);

/* Forgets a place and a pin: the endpoint's hosts are dialled again. */
void ngx_http_npmtoken_dial_home(ngx_http_npmtoken_dial_t *dial);


#endif /* _NGX_HTTP_NPMTOKEN_DIAL_H_INCLUDED_ */
