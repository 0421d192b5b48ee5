
/*
 * What a token is to be: read from a body, in npm's both dialects; made
 * narrower than the token that asks for it; written as fields of a record.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads ctx->body into ctx->grant.  Returns NGX_OK; or NGX_ERROR after having
 * answered why it cannot be.  What a body asks for and cannot be honoured in
 * full is refused, never granted wider.
 */
ngx_int_t ngx_http_npmtoken_api_grant_read(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Makes ctx->grant no wider than ctx->bearer: what was not asked for is
 * inherited, what is wider is refused.  The end of a token is the earlier one
 * of expires_at and the TTL of its key.  Returns as above.
 */
ngx_int_t ngx_http_npmtoken_api_grant_narrow(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Makes a token of ctx->grant: ctx->token, ctx->key, ctx->created, and in
 * ctx->record the fields of its record.  They have been seen to make a record
 * that is not bad, and one that enforcers read.  Returns as above.
 */
ngx_int_t ngx_http_npmtoken_api_grant_record(
    ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * npm's token object of a record; "token" is what is shown of it.  NULL: no
 * memory.
 */
json_t *ngx_http_npmtoken_api_grant_json(ngx_str_t *key, ngx_str_t *token,
    npmtoken_field_t *fields, ngx_uint_t nfields);


#endif /* _NGX_HTTP_NPMTOKEN_API_GRANT_H_INCLUDED_ */
