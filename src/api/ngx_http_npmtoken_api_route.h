
/*
 * Request -> call of the token API.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * What a request asks of the API, by method and raw path, exactly as npm
 * writes it: any other spelling is none of ours, and has been judged as what
 * it is.  "subject" is the variable part of the path, decoded once, in the
 * request's pool.
 */
ngx_http_npmtoken_api_call_e ngx_http_npmtoken_api_route(
    ngx_http_request_t *r, ngx_str_t *subject);


#endif /* _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_ */
