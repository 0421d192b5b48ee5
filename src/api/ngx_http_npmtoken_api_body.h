
/*
 * Reads the body of a request as JSON.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_BODY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_BODY_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads the body into ctx->body, a JSON object, then calls "next".  Answers if
 * the body is not an object.  Also answers if nginx would write the body to a
 * file, since it may have a password in it.
 */
void ngx_http_npmtoken_api_body_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* Frees ctx->body and wipes the passwords in it. */
void ngx_http_npmtoken_api_body_free(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Points "password" to the password in a member of "json", which owns the data.
 * Returns NGX_OK, or NGX_ERROR after it has answered what is wrong.
 */
ngx_int_t ngx_http_npmtoken_api_body_password(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *json, const char *member,
    ngx_str_t *password);


#endif /* _NGX_HTTP_NPMTOKEN_API_BODY_H_INCLUDED_ */
