
/*
 * What a feed says, and when it is tried again, if Redis does not know or allow
 * what the feed needs.
 */


#ifndef _NGX_HTTP_NPMTOKEN_FEED_REFUSAL_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_FEED_REFUSAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_feed_parts.h"


/* Ends the session, since the server has not said which one it is. */
void ngx_http_npmtoken_feed_refusal_nameless(ngx_http_npmtoken_feed_t *feed);

/*
 * Logs the error "reply".  Returns NGX_OK if that is a refusal, which has ended
 * the session; or NGX_ERROR: the caller ends it, Redis cannot run the command
 * now.
 */
ngx_int_t ngx_http_npmtoken_feed_refusal_error(
    ngx_http_npmtoken_feed_t *feed, redisReply *reply);


#endif /* _NGX_HTTP_NPMTOKEN_FEED_REFUSAL_H_INCLUDED_ */
