
/*
 * The second factor of an account: asked for, confirmed, and given up.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_TFA_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_TFA_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Both go on where the body is read, the token that asks is known, and the
 * account is loaded.
 *
 * Changes the second factor as "tfa" says, an object of ctx->body.
 */
void ngx_http_npmtoken_api_tfa_set(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *tfa);

/* Confirms the one that waits for it; "codes" is an array of ctx->body. */
void ngx_http_npmtoken_api_tfa_confirm(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *codes);


#endif /* _NGX_HTTP_NPMTOKEN_API_TFA_H_INCLUDED_ */
