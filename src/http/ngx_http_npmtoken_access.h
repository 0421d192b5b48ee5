
/*
 * The access phase: judge, park, wake.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ACCESS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ACCESS_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/* the handler of the access phase */
ngx_int_t ngx_http_npmtoken_access_handler(ngx_http_request_t *r);

/*
 * The handler of the precontent phase: a request that gets there has been
 * let through, so what was said of a denial that "satisfy any" has overruled
 * is taken back.
 */
ngx_int_t ngx_http_npmtoken_access_precontent(ngx_http_request_t *r);


#endif /* _NGX_HTTP_NPMTOKEN_ACCESS_H_INCLUDED_ */
