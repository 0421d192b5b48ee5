
/*
 * Reads the rights and limits of a new token from a body, in both dialects of
 * npm.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads ctx->body into ctx->grant.  Returns NGX_OK, or NGX_ERROR after it has
 * answered why not.  Refuses a body that cannot be honoured in full: never
 * grants more than was asked for.
 */
ngx_int_t ngx_http_npmtoken_api_grant_read(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Packs one entry of a list of CIDRs into "buf", which has room for
 * NPMTOKEN_CIDR_PACKED_MAX bytes.  Returns how many it used, or NGX_ERROR or 0
 * if the entry is not valid.
 */
ngx_int_t ngx_http_npmtoken_api_grant_cidr(ngx_str_t *entry, u_char *buf);

/* Makes ctx->grant that of a login, which ends as the configuration says. */
void ngx_http_npmtoken_api_grant_login(ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_ */
