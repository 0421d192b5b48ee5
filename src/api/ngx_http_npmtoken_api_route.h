
/*
 * Maps a request to a call of the token API.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* who may make a call */

typedef enum {
    NGX_HTTP_NPMTOKEN_API_NPM = 0,     /* npm, with its token */
    NGX_HTTP_NPMTOKEN_API_ANYONE,      /* of the page; so are the others */
    NGX_HTTP_NPMTOKEN_API_PAGE,        /* the page itself */
    NGX_HTTP_NPMTOKEN_API_SESSION      /* somebody who is logged in there */
} ngx_http_npmtoken_api_whose_e;


typedef struct {
    ngx_uint_t                       method;   /* bits; 0 ends the table */
    ngx_str_t                        path;     /* after the base */
    ngx_str_t                        suffix;   /* after the subject, before one
                                                  more segment */
    ngx_uint_t                       subject;  /* 1: the path has one */
    ngx_http_npmtoken_api_whose_e    whose;
    ngx_http_npmtoken_api_call_e     call;
    ngx_http_npmtoken_api_step_pt    step;     /* the first step of the call */
} ngx_http_npmtoken_api_route_t;


/*
 * Finds the call that a request makes, by method and raw path.  A path must be
 * spelt exactly as npm writes it: any other spelling is not a call of the API.
 * Sets "subject" to the variable part of the path, decoded once, in the
 * request's pool.  Returns a row of the static table, never NULL.  For a
 * request that is not a call, the row is NGX_HTTP_NPMTOKEN_API_OTHER without a
 * step.  Where the page is on, all below it is a call.
 */
ngx_http_npmtoken_api_route_t *ngx_http_npmtoken_api_route(
    ngx_http_request_t *r, ngx_str_t *subject);


#endif /* _NGX_HTTP_NPMTOKEN_API_ROUTE_H_INCLUDED_ */
