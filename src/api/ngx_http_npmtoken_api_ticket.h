
/*
 * One-time passwords from the browser: the side of the client.  It is told
 * where to send its person, and gets a ticket for one write in place of a code.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_TICKET_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_TICKET_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Answers a poll with a ticket, which takes the place of ctx->pending: somebody
 * gave the one-time password.
 */
void ngx_http_npmtoken_api_ticket_make(ngx_http_npmtoken_api_ctx_t *ctx);

/*
 * Answers 401 so that the client asks for a one-time password.  If it says that
 * its person can give one in a browser, and this is a write that it makes once,
 * the answer has two URLs.  Otherwise, and if there can be none, it is that of
 * ngx_http_npmtoken_api_answer_challenge().
 */
void ngx_http_npmtoken_api_ticket_ask(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);

/* Returns 1 if a one-time password is a ticket by its form. */
ngx_uint_t ngx_http_npmtoken_api_ticket_is(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *code);

/*
 * Uses up a ticket.  "next" gets NGX_OK, NGX_DECLINED if it is not good for
 * this write, or NGX_ERROR if that cannot be known now.
 */
void ngx_http_npmtoken_api_ticket_use(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *ticket, ngx_http_npmtoken_api_result_pt next);


#endif /* _NGX_HTTP_NPMTOKEN_API_TICKET_H_INCLUDED_ */
