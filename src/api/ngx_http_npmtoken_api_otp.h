
/*
 * The second factor of a request: a one-time password, a recovery code, or a
 * ticket from the browser, in the npm-otp header.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_OTP_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_OTP_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/*
 * Calls "next" if the account, which must be loaded, has no second factor, or
 * if the npm-otp header has it.  Otherwise answers: asks for a code, or says
 * why this one is not accepted, and gives back or counts the attempt.  With
 * ctx->reuse, also accepts the code used last, if the same token used it and
 * also with ctx->reuse.
 */
void ngx_http_npmtoken_api_otp_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next);


#endif /* _NGX_HTTP_NPMTOKEN_API_OTP_H_INCLUDED_ */
