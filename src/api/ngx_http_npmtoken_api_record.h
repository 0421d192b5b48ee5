
/*
 * What a token is: as a grant, as fields of its record, as npm's JSON.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_RECORD_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_RECORD_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Makes a token of ctx->grant: ctx->token, ctx->key, ctx->created, and in
 * ctx->record the fields of its record.  They have been seen to make a record
 * that is not bad, and one that enforcers read.  NGX_OK; or NGX_ERROR after
 * having answered why it cannot be.
 */
ngx_int_t ngx_http_npmtoken_api_record_make(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * npm's token object of a record; "token" is what is shown of it.  NULL: no
 * memory.
 */
json_t *ngx_http_npmtoken_api_record_json(ngx_str_t *key, ngx_str_t *token,
    npmtoken_field_t *fields, ngx_uint_t nfields);


#endif /* _NGX_HTTP_NPMTOKEN_API_RECORD_H_INCLUDED_ */
