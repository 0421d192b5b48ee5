
/*
 * Where a call of the page comes from, and where the page is.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ORIGIN_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Checks that the page itself makes this call: the browser says that it is of
 * the same origin, and what changes something has a JSON body, which no form of
 * another site can send.  Returns NGX_OK, or NGX_ERROR after it has answered.
 */
ngx_int_t ngx_http_npmtoken_api_origin_check(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Returns 1 if a password may be sent here: over TLS, as the connection or
 * npmtoken_api_url says, or to this machine itself.
 */
ngx_uint_t ngx_http_npmtoken_api_origin_safe(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Returns the URL of the registry with "more" behind it.  It ends with a slash
 * if "more" is empty.  The data is in the request's pool, or NULL if there is
 * no memory or the request does not say which host it is for.
 */
ngx_str_t ngx_http_npmtoken_api_origin_url(ngx_http_npmtoken_api_ctx_t *ctx,
    char *more);


#endif /* _NGX_HTTP_NPMTOKEN_API_ORIGIN_H_INCLUDED_ */
