
/*
 * What makes a record that was read a while ago still good: the stamp that
 * was taken before it was asked for, and the state that all workers of a node
 * share.  t/model/README.md has the argument, and checks it.
 */


#ifndef _NGX_HTTP_NPMTOKEN_PROOF_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_PROOF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_endpoint.h"


/*
 * Epoch and time in one word, so that both change at once: the epoch in the
 * upper bits, milliseconds of ngx_http_npmtoken_proof_clock() in the lower.
 */

#define NGX_HTTP_NPMTOKEN_TIME_BITS  40
#define NGX_HTTP_NPMTOKEN_TIME_MASK                                           \
    (((uint64_t) 1 << NGX_HTTP_NPMTOKEN_TIME_BITS) - 1)

#define ngx_http_npmtoken_word(number, time)                                  \
    (((uint64_t) (number) << NGX_HTTP_NPMTOKEN_TIME_BITS) | (time))

#define ngx_http_npmtoken_word_number(word)                                   \
    ((word) >> NGX_HTTP_NPMTOKEN_TIME_BITS)

#define ngx_http_npmtoken_word_time(word)                                     \
    ((word) & NGX_HTTP_NPMTOKEN_TIME_MASK)


/* no epoch and no session has this one, nor 0 */
#define NGX_HTTP_NPMTOKEN_NO_NUMBER                                           \
    (UINT64_MAX >> NGX_HTTP_NPMTOKEN_TIME_BITS)


/* taken before a look-up is sent; kept with what it finds */

typedef struct {
    uint64_t              word;      /* the epoch, and the time of taking */
    uint32_t              count;     /* of the key's counter and of all;
                                        see stamp_alone() */
    uint32_t              counter;   /* which one is the key's */
} ngx_http_npmtoken_stamp_t;


/* where the feed of an epoch is connected to, and which server that is */

typedef struct {
    ngx_sockaddr_t        sockaddr;
    socklen_t             socklen;
    u_char                server[NGX_HTTP_NPMTOKEN_SERVER_LEN];
} ngx_http_npmtoken_peer_t;


/* in shared memory; the counters stand behind it */

typedef struct {
    uint64_t                  word;      /* epoch, proven */
    uint64_t                  lease;     /* session number, expiry */
    uint32_t                  all;       /* counter of everything */
    uint32_t                  mask;      /* of counter numbers */

    ngx_http_npmtoken_peer_t  peer;      /* of the epoch */
    uint32_t                  peer_crc;  /* of that, and of its number */

    uint32_t                  counters[1];
} ngx_http_npmtoken_proof_t;


/*
 * Milliseconds, rounded down, of a clock that goes on while the machine is
 * suspended and the process stopped, where the system has one.
 */
uint64_t ngx_http_npmtoken_proof_clock(void);

/* bytes of the state with that many counters, a power of two */
size_t ngx_http_npmtoken_proof_size(ngx_uint_t counters);

void ngx_http_npmtoken_proof_init(ngx_http_npmtoken_proof_t *proof,
    ngx_uint_t counters);

/*
 * The stamp for a key of hex digits.  "proof" may be NULL, for a store that
 * shares nothing: then a stamp is but a time.
 */
void ngx_http_npmtoken_proof_stamp(ngx_http_npmtoken_proof_t *proof,
    u_char *key, ngx_http_npmtoken_stamp_t *stamp);

/* Makes a stamp that will never be current. */
#define ngx_http_npmtoken_stamp_void(stamp)                                   \
    (stamp)->word |= ~NGX_HTTP_NPMTOKEN_TIME_MASK

#define ngx_http_npmtoken_stamp_is_void(stamp)                                \
    (ngx_http_npmtoken_word_number((stamp)->word)                             \
     == NGX_HTTP_NPMTOKEN_NO_NUMBER)

/*
 * Makes a stamp for which no feed vouches: what was read is current for the
 * bound from the stamp's own time, as with "push off", whatever is proven.
 * Told by the top bit of its count, since the other one has to be compared
 * anyhow: it never is that of the counters.  To be called once.
 */

#define NGX_HTTP_NPMTOKEN_ALONE  0x80000000

#define ngx_http_npmtoken_stamp_alone(stamp)                                  \
    (stamp)->count ^= NGX_HTTP_NPMTOKEN_ALONE

/*
 * Whether what was read under the stamp may be used now.  "now" is by
 * ngx_http_npmtoken_proof_clock(), rounded up; "bound" is in milliseconds.
 */
ngx_uint_t ngx_http_npmtoken_proof_current(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp, uint64_t now, ngx_msec_t bound);

/* Whether nothing about the key was pushed since, however old it is. */
ngx_uint_t ngx_http_npmtoken_proof_unchanged(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp);

uint64_t ngx_http_npmtoken_proof_epoch(ngx_http_npmtoken_proof_t *proof);

/* The epoch and the time that is proven, in one word. */
#define ngx_http_npmtoken_proof_proven(proof)                                 \
    __atomic_load_n(&(proof)->word, __ATOMIC_ACQUIRE)


/* for the owner of the feed */

void ngx_http_npmtoken_proof_invalidate(ngx_http_npmtoken_proof_t *proof,
    u_char *key);
void ngx_http_npmtoken_proof_invalidate_all(ngx_http_npmtoken_proof_t *proof);

/*
 * Takes the lease if it has run out or is that of "session", under a new
 * session number, which is returned; 0 if another has it.
 */
uint64_t ngx_http_npmtoken_proof_lease_take(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_msec_t duration);

/* NGX_OK, or NGX_DECLINED if another has it */
ngx_int_t ngx_http_npmtoken_proof_lease_renew(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_msec_t duration);

void ngx_http_npmtoken_proof_lease_release(ngx_http_npmtoken_proof_t *proof,
    uint64_t session);

/*
 * Begins the next epoch, which is returned, for a feed that is connected to
 * "peer", with no undefined byte in it; 0 if the lease is another's.
 */
uint64_t ngx_http_npmtoken_proof_epoch_begin(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_http_npmtoken_peer_t *peer);

/*
 * The feed of "epoch" has told everything up to "time".  NGX_OK, or
 * NGX_DECLINED if the epoch is over.
 */
ngx_int_t ngx_http_npmtoken_proof_prove(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, uint64_t time);

/* NGX_OK, or NGX_DECLINED if the peer of the epoch is not known. */
ngx_int_t ngx_http_npmtoken_proof_epoch_peer(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, ngx_http_npmtoken_peer_t *peer);


#endif /* _NGX_HTTP_NPMTOKEN_PROOF_H_INCLUDED_ */
