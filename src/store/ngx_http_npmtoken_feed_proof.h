
/*
 * How a session proves that it has reported everything: by a PING on the feed,
 * after the slot has been asked for in a Redis Cluster; or by a write that
 * replicas confirm ("proof_replicas").
 */


#ifndef _NGX_HTTP_NPMTOKEN_FEED_PROOF_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_FEED_PROOF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_feed_parts.h"


/*
 * Makes what a feed needs for its proofs.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_http_npmtoken_feed_proof_init(ngx_http_npmtoken_feed_t *feed);

/*
 * Begins a proof; none is under way.  Returns NGX_OK, or NGX_ERROR if there is
 * no memory.
 */
ngx_int_t ngx_http_npmtoken_feed_proof_begin(ngx_http_npmtoken_feed_t *feed);

/* Whether nothing has come on the connection for so long that it is dead. */
ngx_uint_t ngx_http_npmtoken_feed_proof_deaf(ngx_http_npmtoken_feed_t *feed);

/* Whether the proof under way has taken so long that the session is over. */
ngx_uint_t ngx_http_npmtoken_feed_proof_silent(
    ngx_http_npmtoken_feed_t *feed);

/*
 * Take the answers to a proof, which come on the feed: the name of a pushed key
 * that begins with the series of the witness, and the text of a PONG.  Return
 * NGX_OK, or NGX_ERROR if the session is over.
 */
ngx_int_t ngx_http_npmtoken_feed_proof_pushed(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *name);
ngx_int_t ngx_http_npmtoken_feed_proof_pong(ngx_http_npmtoken_feed_t *feed,
    redisReply *nonce);

/* Closes the other connections of a proof: the session is over. */
void ngx_http_npmtoken_feed_proof_close(ngx_http_npmtoken_feed_t *feed);

/* Closes and frees them. */
void ngx_http_npmtoken_feed_proof_free(ngx_http_npmtoken_feed_t *feed);


#endif /* _NGX_HTTP_NPMTOKEN_FEED_PROOF_H_INCLUDED_ */
