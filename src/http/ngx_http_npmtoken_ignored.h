
/*
 * Sees that a registry ignores the identity, and says so in the error log.
 */


#ifndef _NGX_HTTP_NPMTOKEN_IGNORED_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_IGNORED_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/*
 * Puts a header filter in front of all others.  Call it once for each cycle,
 * after the modules' postconfiguration.
 */
void ngx_http_npmtoken_ignored_init(void);


#endif /* _NGX_HTTP_NPMTOKEN_IGNORED_H_INCLUDED_ */
