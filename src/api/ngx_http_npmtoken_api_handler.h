
/*
 * Takes requests in, after they have been judged.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_HANDLER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_HANDLER_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* of the precontent phase */
ngx_int_t ngx_http_npmtoken_api_handler(ngx_http_request_t *r);

/* What the front module denies: 1 if it has been answered by this. */
ngx_uint_t ngx_http_npmtoken_api_handler_denied(ngx_http_request_t *r);


#endif /* _NGX_HTTP_NPMTOKEN_API_HANDLER_H_INCLUDED_ */
