
/*
 * Says in a few characters who sent a request.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_CLIENT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_CLIENT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* the longest name of a client, in bytes */
#define NGX_HTTP_NPMTOKEN_API_CLIENT_MAX  40


/*
 * Returns the client's name and version from its User-Agent, such as
 * "npm/11.6.1" or "Firefox/140.0", or "unknown client".  It has letters, digits
 * and "./+_-" only, and a blank in the last case.  The data is constant or the
 * request's.
 */
ngx_str_t ngx_http_npmtoken_api_client(ngx_http_request_t *r);

/*
 * Returns the client's address as text, one that is mapped into IPv6 as IPv4.
 * The data is in the request's pool, or NULL if there is no memory.
 */
ngx_str_t ngx_http_npmtoken_api_client_address(ngx_http_request_t *r);

/*
 * Returns a name for a token: "WHAT from ADDRESS, CLIENT".  The data is in the
 * request's pool, or NULL if there is no memory.
 */
ngx_str_t ngx_http_npmtoken_api_client_name(ngx_http_request_t *r,
    char *what);

/* The same for an address and a client that are known already. */
ngx_str_t ngx_http_npmtoken_api_client_label(ngx_pool_t *pool, char *what,
    ngx_str_t *address, ngx_str_t *client);


#endif /* _NGX_HTTP_NPMTOKEN_API_CLIENT_H_INCLUDED_ */
