
/*
 * Takes over requests after the front module has judged them.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_HANDLER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_HANDLER_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Handler of the precontent phase.  Returns NGX_DECLINED if the request goes
 * on, NGX_DONE if the API answers it, or 500 (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_handler(ngx_http_request_t *r);

/*
 * Called for a request that the front module denies.  Returns 1 if this has
 * answered it, else 0.
 */
ngx_uint_t ngx_http_npmtoken_api_handler_denied(ngx_http_request_t *r);


#endif /* _NGX_HTTP_NPMTOKEN_API_HANDLER_H_INCLUDED_ */
