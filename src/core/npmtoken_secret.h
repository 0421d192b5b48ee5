
/*
 * Where a token stands in a path.
 */


#ifndef _NPMTOKEN_SECRET_H_INCLUDED_
#define _NPMTOKEN_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Finds the token that a logout or a revocation puts into the path, or the
 * secret that a login by the browser puts into the query.  "line" is
 * a raw path or a request line, with any base and any spelling.  Sets "secret"
 * to the slice of "line" that is the token, still percent-encoded.  Returns
 * NGX_OK, or NGX_DECLINED if there is none.
 */
ngx_int_t npmtoken_secret_find(ngx_str_t *line, ngx_str_t *secret);


#endif /* _NPMTOKEN_SECRET_H_INCLUDED_ */
