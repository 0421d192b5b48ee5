
/*
 * Requests, confirms and removes the second factor of an account.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_TFA_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_TFA_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Both functions need the body read, the bearer known, and the account loaded.
 *
 * Changes the second factor as "tfa" says, an object in ctx->body.
 */
void ngx_http_npmtoken_api_tfa_set(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *tfa);

/* Confirms the pending second factor.  "codes" is an array in ctx->body. */
void ngx_http_npmtoken_api_tfa_confirm(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *codes);


#endif /* _NGX_HTTP_NPMTOKEN_API_TFA_H_INCLUDED_ */
