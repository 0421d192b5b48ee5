
/*
 * Reason -> response.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ANSWER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ANSWER_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/*
 * Answers a denied request, whose reason is in ctx.  Returns what the access
 * handler is to return: NGX_DONE if the answer has been sent, or the status
 * if nginx is to make it.
 */
ngx_int_t ngx_http_npmtoken_answer(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * What an allowed request is told beside its answer: that its token, which
 * has a record, expires soon, if it does; or that its credentials are not
 * known and were left aside.  Both return NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_answer_expires(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
ngx_int_t ngx_http_npmtoken_answer_unknown(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/* Takes the header lines back that were added for an earlier verdict. */
void ngx_http_npmtoken_answer_undo(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);


#endif /* _NGX_HTTP_NPMTOKEN_ANSWER_H_INCLUDED_ */
