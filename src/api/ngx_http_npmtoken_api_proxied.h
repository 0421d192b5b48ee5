
/*
 * Makes the subrequest that logs in to the registry behind nginx.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_PROXIED_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_PROXIED_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * The caller allocates it from the request's pool, zeroed, and sets "ctx".  All
 * that it points to lives as long as that pool.
 */

typedef struct {
    ngx_http_npmtoken_api_ctx_t       *ctx;
    ngx_http_npmtoken_api_result_pt    handler;
    ngx_http_post_subrequest_t         post;
    ngx_str_t                          uri;
    ngx_str_t                          unparsed_uri;
    ngx_str_t                          text;       /* of the body */
    ngx_http_request_body_t            body;
    ngx_chain_t                        chain;
    ngx_buf_t                          buf;
    ngx_http_headers_in_t              headers_in;
    ngx_http_variable_value_t         *variables;
    unsigned                           clone:1;
    unsigned                           verified:1; /* as the parent was */
    unsigned                           done:1;
} ngx_http_npmtoken_api_proxied_t;


/*
 * Makes the URI, body and header lines for the login of login->ctx.  Returns
 * NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_proxied_make(
    ngx_http_npmtoken_api_proxied_t *login);

/* Puts these into the subrequest "sr", which must not have begun. */
void ngx_http_npmtoken_api_proxied_request(
    ngx_http_npmtoken_api_proxied_t *login, ngx_http_request_t *sr);


#endif /* _NGX_HTTP_NPMTOKEN_API_PROXIED_H_INCLUDED_ */
