
/*
 * Logging out and revoking put a token into the request line.
 */


#ifndef _NGX_HTTP_NPMTOKEN_REDACT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_REDACT_H_INCLUDED_


#include "npmtoken_secret.h"
#include "ngx_http_npmtoken_request.h"


/*
 * The handler of the post-read phase: puts the short key in the place of a
 * token in r->request_line, before anything logs that.  Routing does not use
 * the request line, and what it does use is left alone.
 */
ngx_int_t ngx_http_npmtoken_redact_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_NPMTOKEN_REDACT_H_INCLUDED_ */
