
/*
 * Logging out and revoking put a token into the request line, which is logged.
 */


#ifndef _NGX_HTTP_NPMTOKEN_REDACT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_REDACT_H_INCLUDED_


#include "npmtoken_secret.h"
#include "ngx_http_npmtoken_request.h"


/*
 * The handler of the post-read phase.  It replaces a token in r->request_line
 * by the short key before anything logs that line.  Routing does not use the
 * request line; the parts that routing uses do not change.
 */
ngx_int_t ngx_http_npmtoken_redact_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_NPMTOKEN_REDACT_H_INCLUDED_ */
