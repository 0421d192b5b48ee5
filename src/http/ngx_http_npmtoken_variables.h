
/*
 * The $npmtoken_... variables.
 */


#ifndef _NGX_HTTP_NPMTOKEN_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_VARIABLES_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/* Adds the variables; for preconfiguration.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_npmtoken_variables_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_NPMTOKEN_VARIABLES_H_INCLUDED_ */
