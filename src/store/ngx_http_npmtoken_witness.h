
/*
 * A proof that is a write ("proof_replicas"): a short-lived key is set at the
 * server of the feed, and replicas confirm that they have it.
 *
 * A master that was succeeded answers PING as before, but it has no replicas
 * that would confirm a write.  The feed adds that the push of the key has come
 * back.  t/model/README.md has the argument.
 *
 * The write has a connection of its own, since WAIT holds up what is sent
 * behind it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_WITNESS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_WITNESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_connection.h"


/*
 * A key is <prefix>witness:<series>:<number>.  The feed tracks what begins with
 * the series, which is random and new for each session.  In one turn Redis
 * pushes the names of one tracked prefix after those of another, in the order
 * of the alphabet: this one has to come after "token:".
 */
#define NGX_HTTP_NPMTOKEN_WITNESS_KIND    "witness:"
#define NGX_HTTP_NPMTOKEN_WITNESS_SERIES  32

/* bytes of a prefix of these keys, and of a key */
#define NGX_HTTP_NPMTOKEN_WITNESS_PREFIX                                      \
    (NGX_HTTP_NPMTOKEN_MAX_RECORDS + sizeof(NGX_HTTP_NPMTOKEN_WITNESS_KIND)   \
     + NGX_HTTP_NPMTOKEN_WITNESS_SERIES)
#define NGX_HTTP_NPMTOKEN_WITNESS_KEY                                         \
    (NGX_HTTP_NPMTOKEN_WITNESS_PREFIX + NGX_INT64_LEN)


typedef struct ngx_http_npmtoken_witness_s  ngx_http_npmtoken_witness_t;


/*
 * Called with the result of a write.  It may write again, or close.
 * NGX_OK: the server has the key, and so have enough replicas.
 * NGX_AGAIN: too few replicas; "reply" is an integer that says how many.
 * NGX_DECLINED: this is not the master, or not that of the key; "reply" is its
 * error.
 * NGX_ERROR: "reply" is another error, or NULL if there is no answer.
 */
typedef void (*ngx_http_npmtoken_witness_pt)(void *data, ngx_int_t rc,
    redisReply *reply);


/*
 * Creates what writes for a feed, whose connection must outlive it.  A write
 * is confirmed by "replicas"; "patience", in milliseconds, is how long Redis
 * waits for them.  Returns NULL if there is no memory.
 */
ngx_http_npmtoken_witness_t *ngx_http_npmtoken_witness_create(
    ngx_http_npmtoken_connection_t *feed, ngx_uint_t replicas,
    ngx_msec_t patience, ngx_http_npmtoken_witness_pt handler, void *data);

/*
 * Makes a new prefix of keys, NGX_HTTP_NPMTOKEN_WITNESS_PREFIX bytes at most,
 * in "prefix", whose memory is the caller's.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_witness_prefix(
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_str_t *prefix);

/*
 * Writes the key of this number at the server that the feed leads to now.
 * There is one write at a time.  The handler is not called while the server
 * cannot be reached: the caller has a time-out.  Returns NGX_OK, or NGX_ERROR
 * if there is no memory.
 */
ngx_int_t ngx_http_npmtoken_witness_write(
    ngx_http_npmtoken_witness_t *witness, ngx_str_t *prefix, uint64_t number);

/* Ends the write and closes the connection. */
void ngx_http_npmtoken_witness_close(ngx_http_npmtoken_witness_t *witness);

void ngx_http_npmtoken_witness_destroy(ngx_http_npmtoken_witness_t *witness);


#endif /* _NGX_HTTP_NPMTOKEN_WITNESS_H_INCLUDED_ */
