
/*
 * The web page: its files, which are compiled in, and the headers of all that
 * it answers.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_PAGE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_PAGE_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Adds the headers of the page to the answer to come, whatever that is.
 * Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_page_headers(ngx_http_request_t *r);

/* The step for what the page does not have: answers 404 or 405. */
void ngx_http_npmtoken_api_page_none(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_PAGE_H_INCLUDED_ */
