
/*
 * Proves that a record read earlier is still good.  The proof rests on the
 * stamp that was taken before the record was asked for, and on the state that
 * all workers of a node share.  t/model/README.md has the argument, and checks
 * it.
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


/* no epoch and no session has this number, nor 0 */
#define NGX_HTTP_NPMTOKEN_NO_NUMBER                                           \
    (UINT64_MAX >> NGX_HTTP_NPMTOKEN_TIME_BITS)


/* taken before a look-up is sent; kept with its result */

typedef struct {
    uint64_t              word;      /* the epoch, and the time of taking */
    uint32_t              count;     /* the key's counter plus that of
                                        everything; see stamp_alone() */
    uint32_t              counter;   /* which one is the key's */
} ngx_http_npmtoken_stamp_t;


/* the longest host name, in bytes: that of DNS */
#define NGX_HTTP_NPMTOKEN_PEER_HOST  255


/* where the feed of an epoch is connected to, and which server that is */

typedef struct {
    ngx_sockaddr_t        sockaddr;
    socklen_t             socklen;
    u_char                server[NGX_HTTP_NPMTOKEN_SERVER_LEN];

    /* what the certificate of a server with TLS has to be for */
    u_char                host_len;
    u_char                host[NGX_HTTP_NPMTOKEN_PEER_HOST];
} ngx_http_npmtoken_peer_t;


/* in shared memory; the counters follow it */

typedef struct {
    uint64_t                  word;      /* the epoch, and the time that is
                                            proven */
    uint64_t                  lease;     /* session number, expiry */
    uint32_t                  all;       /* counter of everything */
    uint32_t                  mask;      /* of counter numbers */

    ngx_http_npmtoken_peer_t  peer;      /* of the epoch */
    uint32_t                  peer_crc;  /* of peer and epoch */

    uint32_t                  counters[1];
} ngx_http_npmtoken_proof_t;


/*
 * Milliseconds, rounded down.  Where the system has such a clock, it goes on
 * while the machine is suspended and the process stopped.
 */
uint64_t ngx_http_npmtoken_proof_clock(void);

/* size in bytes of a state with this many counters, a power of two */
size_t ngx_http_npmtoken_proof_size(ngx_uint_t counters);

void ngx_http_npmtoken_proof_init(ngx_http_npmtoken_proof_t *proof,
    ngx_uint_t counters);

/*
 * Takes the stamp for a key of hex digits.  "proof" may be NULL for a store
 * that shares nothing: then the stamp is only a time.
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
 * Marks a stamp that no feed vouches for.  What was read under it is current
 * for the bound from the stamp's own time, as with "push off", whatever is
 * proven.  The mark flips the top bit of the count.  The count has to be
 * compared anyway, and a flipped one does not equal that of the counters.
 * Call this only once for a stamp.
 */

#define NGX_HTTP_NPMTOKEN_ALONE  0x80000000

#define ngx_http_npmtoken_stamp_alone(stamp)                                  \
    (stamp)->count ^= NGX_HTTP_NPMTOKEN_ALONE

/*
 * Marks a stamp whose own time proves nothing ("proof_replicas"): what was read
 * under it is current only while a proof of its epoch is.  Call this once for a
 * stamp, and not for one that is marked as alone.
 */

#define NGX_HTTP_NPMTOKEN_STRICT  0x40000000

#define ngx_http_npmtoken_stamp_strict(stamp)                                 \
    (stamp)->count ^= NGX_HTTP_NPMTOKEN_STRICT

/*
 * Whether what was read under the stamp may be used now.  "now" is by
 * ngx_http_npmtoken_proof_clock(), rounded up.  "bound" is in milliseconds.
 * "proof" may be NULL, as above.
 */
ngx_uint_t ngx_http_npmtoken_proof_current(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp, uint64_t now, ngx_msec_t bound);

/*
 * Whether nothing about the key was pushed since the stamp, however old it is.
 */
ngx_uint_t ngx_http_npmtoken_proof_unchanged(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp);

/*
 * Whether "epoch" is the present one, and is proven to a time that is not older
 * than the bound.  "now" and "bound" as above.
 */
ngx_uint_t ngx_http_npmtoken_proof_vouched(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, uint64_t now, ngx_msec_t bound);

/* The number of the present epoch. */
uint64_t ngx_http_npmtoken_proof_epoch(ngx_http_npmtoken_proof_t *proof);

/* The epoch and the time that is proven, in one word. */
#define ngx_http_npmtoken_proof_proven(proof)                                 \
    __atomic_load_n(&(proof)->word, __ATOMIC_ACQUIRE)


/*
 * The functions below are for the owner of the feed.  These two count a change
 * of one key (hex digits), and of everything.
 */

void ngx_http_npmtoken_proof_invalidate(ngx_http_npmtoken_proof_t *proof,
    u_char *key);
void ngx_http_npmtoken_proof_invalidate_all(ngx_http_npmtoken_proof_t *proof);

/*
 * Takes the lease if it has run out or belongs to "session".  "duration" is in
 * milliseconds.  Returns a new session number, or 0 if another worker has the
 * lease.
 */
uint64_t ngx_http_npmtoken_proof_lease_take(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_msec_t duration);

/* Returns NGX_OK, or NGX_DECLINED if another worker has the lease. */
ngx_int_t ngx_http_npmtoken_proof_lease_renew(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_msec_t duration);

void ngx_http_npmtoken_proof_lease_release(ngx_http_npmtoken_proof_t *proof,
    uint64_t session);

/*
 * Begins the next epoch for a feed that is connected to "peer", which must
 * have no undefined byte.  A peer of zeros means that no server is vouched for.
 * Returns the epoch, or 0 if another worker has the lease.
 */
uint64_t ngx_http_npmtoken_proof_epoch_begin(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_http_npmtoken_peer_t *peer);

/*
 * Records that the feed of "epoch" has reported everything up to "time".
 * Returns NGX_OK, or NGX_DECLINED if the epoch is over.
 */
ngx_int_t ngx_http_npmtoken_proof_prove(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, uint64_t time);

/*
 * Copies the peer of an epoch into "peer".  Returns NGX_OK, or NGX_DECLINED if
 * it is not known.
 */
ngx_int_t ngx_http_npmtoken_proof_epoch_peer(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, ngx_http_npmtoken_peer_t *peer);


#endif /* _NGX_HTTP_NPMTOKEN_PROOF_H_INCLUDED_ */
