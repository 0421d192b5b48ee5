
/*
 * Request -> call of the token API.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


typedef struct {
    ngx_uint_t                       method;   /* bits; 0 ends the table */
    ngx_str_t                        path;     /* behind the base */
    ngx_str_t                        suffix;   /* behind the subject, with one
                                                  more segment */
    ngx_uint_t                       subject;  /* 1: the path has one */
    ngx_http_npmtoken_api_call_e     call;
    ngx_http_npmtoken_api_step_pt    step;     /* the first one of the call */
} ngx_http_npmtoken_api_route_t;


/*
 * What a request asks of the API, by method and raw path, exactly as npm
 * writes it: any other spelling is none of ours, and has been judged as what
 * it is.  "subject" is the variable part of the path, decoded once, in the
 * request's pool.  Returns a row of the one table, never NULL; that of what is
 * none of ours is NGX_HTTP_NPMTOKEN_API_OTHER, without a step.
 */
ngx_http_npmtoken_api_route_t *ngx_http_npmtoken_api_route(
    ngx_http_request_t *r, ngx_str_t *subject);


#endif /* _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_ */
