
/*
 * A look-up that a node of a Redis Cluster has sent to another one, for this
 * once (ASK).
 */


#ifndef _NGX_HTTP_NPMTOKEN_LOOKUP_DETOUR_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LOOKUP_DETOUR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_lookup_parts.h"


/*
 * Moves a look-up from the queue to those that are away, and sends it to where
 * "reply", an ASK, says.  Its waiters are called when that node has answered,
 * or when its time is over, or now if it cannot be sent.  So call it only from
 * the event loop; the look-up may be gone afterwards.
 */
void ngx_http_npmtoken_lookup_detour_leave(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);

/* Frees what a look-up has for its detour, if anything. */
void ngx_http_npmtoken_lookup_detour_free(ngx_http_npmtoken_lookup_t *lookup);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_DETOUR_H_INCLUDED_ */
