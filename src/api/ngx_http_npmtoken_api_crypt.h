
/*
 * Passwords in nginx's thread pool: crypt(3) is slow by intention.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_CRYPT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_CRYPT_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Verifies ctx->password against ctx->account.password (empty: spends the
 * time and declines).  "handler" is called from the event loop, never from
 * within here: NGX_OK, NGX_DECLINED: it is wrong, NGX_ERROR: also where it
 * has waited for too long.  On NGX_OK ctx->rehashed is another hash of the
 * password, in the request's pool, where the one that it has is outdated.
 * Returns NGX_AGAIN; or NGX_BUSY if too many wait already, NGX_ERROR: then
 * the handler is not called.
 */
ngx_int_t ngx_http_npmtoken_api_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc));

/*
 * Hashes "password".  As above; on NGX_OK the hash is in ctx->account.password,
 * in the request's pool.
 */
ngx_int_t ngx_http_npmtoken_api_hash(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc));

/* The same for somebody who has no account: with places of their own. */
ngx_int_t ngx_http_npmtoken_api_crypt_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc));


#endif /* _NGX_HTTP_NPMTOKEN_API_CRYPT_H_INCLUDED_ */
