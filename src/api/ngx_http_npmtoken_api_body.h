
/*
 * The body of a request, as JSON.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_BODY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_BODY_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Reads the body into ctx->body, an object, then calls "next".  What is not
 * one is answered here; so is one that would be written to a file on its way,
 * since there may be a password in it.
 */
void ngx_http_npmtoken_api_body_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);

/* Frees ctx->body, and wipes the passwords that are there. */
void ngx_http_npmtoken_api_body_free(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * A password that is a member of "json".  Returns NGX_OK; or NGX_ERROR after
 * having answered what is wrong with it.
 */
ngx_int_t ngx_http_npmtoken_api_body_password(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *json, const char *member,
    ngx_str_t *password);


#endif /* _NGX_HTTP_NPMTOKEN_API_BODY_H_INCLUDED_ */
