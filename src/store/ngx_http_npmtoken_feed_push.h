
/* What comes on a live feed: the names of changed keys, and PONG. */


#ifndef _NGX_HTTP_NPMTOKEN_FEED_PUSH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_FEED_PUSH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_feed_parts.h"


/*
 * Takes a message.  Returns NGX_OK, or NGX_ERROR if it is none that Redis sends
 * on a feed, or if the session is over.
 */
ngx_int_t ngx_http_npmtoken_feed_push_message(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);


#endif /* _NGX_HTTP_NPMTOKEN_FEED_PUSH_H_INCLUDED_ */
