
/*
 * The access phase: judges a request, parks it while its record is awaited,
 * and wakes it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ACCESS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ACCESS_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/*
 * The handler of the access phase.  Returns NGX_AGAIN while the record is
 * awaited.  Otherwise returns NGX_OK or NGX_DECLINED to let the request go on,
 * NGX_DONE if a denial has been answered, or the status if nginx makes the
 * answer.
 */
ngx_int_t ngx_http_npmtoken_access_handler(ngx_http_request_t *r);

/*
 * The handler of the precontent phase.  A request that gets there has been
 * allowed.  If "satisfy any" overruled a denial, the handler takes back the
 * header lines of that denial.  Returns NGX_DECLINED.
 */
ngx_int_t ngx_http_npmtoken_access_precontent(ngx_http_request_t *r);


#endif /* _NGX_HTTP_NPMTOKEN_ACCESS_H_INCLUDED_ */
