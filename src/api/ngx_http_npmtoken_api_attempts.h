
/*
 * Failed attempts to prove who one is, counted in shared memory for each
 * account and each address.
 *
 * An attempt is counted when it begins, and taken back when it succeeds: so
 * as many at once as somebody likes are no more than the limit.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * The shared zone, of all stores: made by the first call.  Returns NULL with
 * a line logged.  What it holds survives a reload.
 */
ngx_http_npmtoken_api_attempts_t *ngx_http_npmtoken_api_attempts_create(
    ngx_conf_t *cf, void *tag);

/*
 * Counts an attempt of ctx->user in its store from the client's address, once
 * for a request.  Returns 0 if it may be made, else after how many seconds to
 * try again, and then has counted nothing; a limit of 0 is none.  What does
 * not fit into the zone takes the place of what was counted longest ago.
 * Names that differ by case alone are one: to another registry they may be.
 * An IPv6 address stands for its /64, all unix sockets for one address.
 */
time_t ngx_http_npmtoken_api_attempts_begin(ngx_http_npmtoken_api_ctx_t *ctx);

/* It succeeded: takes back what begin() counted, if it did. */
void ngx_http_npmtoken_api_attempts_succeeded(
    ngx_http_npmtoken_api_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_API_ATTEMPTS_H_INCLUDED_ */
