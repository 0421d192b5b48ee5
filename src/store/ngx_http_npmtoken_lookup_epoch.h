
/*
 * Which server look-ups go to: that of the feed, epoch by epoch, or the master
 * that a sentinel names.  Their stamps say whether the feed vouches for it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LOOKUP_EPOCH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LOOKUP_EPOCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_lookup_parts.h"


/* Follows what sentinels say, for a store without a feed. */
void ngx_http_npmtoken_lookup_epoch_listen(
    ngx_http_npmtoken_lookups_t *lookups);

/*
 * Follows the feed.  If another epoch has begun, the connection is closed; the
 * next one leads to the epoch's server.
 */
void ngx_http_npmtoken_lookup_epoch_follow(
    ngx_http_npmtoken_lookups_t *lookups);

/*
 * Takes the stamp of a look-up that is about to be sent.  The stamp says what
 * vouches for the server that the connection leads to; it is void if nothing
 * does that counts.
 */
void ngx_http_npmtoken_lookup_epoch_stamp(ngx_http_npmtoken_lookup_t *lookup);

/*
 * Logs, once, that look-ups and feed reach different servers.  "word" is what
 * ngx_http_npmtoken_proof_proven() gave.
 */
void ngx_http_npmtoken_lookup_epoch_apart(
    ngx_http_npmtoken_lookups_t *lookups, uint64_t word);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_EPOCH_H_INCLUDED_ */
