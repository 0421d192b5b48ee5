
/*
 * Reason -> response.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ANSWER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ANSWER_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/*
 * Answers a denied request.  The reason is in ctx.  Returns what the access
 * handler returns: NGX_DONE if the answer has been sent, or the status if
 * nginx makes the answer (500 if there is no memory).
 */
ngx_int_t ngx_http_npmtoken_answer(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * Add header lines to the answer of an allowed request.  _expires() says that
 * the token expires soon, if it does; the token has a record.  _unknown() says
 * that its credentials are unknown and were ignored.  Both return NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_answer_expires(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
ngx_int_t ngx_http_npmtoken_answer_unknown(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/* Takes back the header lines that an earlier verdict added. */
void ngx_http_npmtoken_answer_undo(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_ANSWER_H_INCLUDED_ */
