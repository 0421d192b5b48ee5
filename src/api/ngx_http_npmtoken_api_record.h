
/*
 * Converts a token between a grant, the fields of its record, and npm's JSON.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_RECORD_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_RECORD_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Makes a token from ctx->grant: sets ctx->token, ctx->key, ctx->created, and
 * the fields of the record in ctx->record.  Checks that these fields make a
 * valid record that enforcing nodes can read.  Returns NGX_OK, or NGX_ERROR
 * after it has answered why not.
 */
ngx_int_t ngx_http_npmtoken_api_record_make(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Returns a record as npm's token object.  "token" is the text to show for the
 * token.  The caller owns the object.  Returns NULL if there is no memory.
 */
json_t *ngx_http_npmtoken_api_record_json(ngx_str_t *key, ngx_str_t *token,
    npmtoken_field_t *fields, ngx_uint_t nfields);


#endif /* _NGX_HTTP_NPMTOKEN_API_RECORD_H_INCLUDED_ */
