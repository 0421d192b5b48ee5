
/*
 * Every word here is changed by one atomic operation.  So a worker that stops
 * or dies between two of them leaves a valid state.  At worst that is an epoch
 * that nobody proves, and such an epoch proves nothing.
 */


#include "ngx_http_npmtoken_proof.h"


#define ngx_http_npmtoken_load(p)  __atomic_load_n(p, __ATOMIC_ACQUIRE)

#define ngx_http_npmtoken_next(number)                                        \
    ((number) + 1 == NGX_HTTP_NPMTOKEN_NO_NUMBER ? 1 : (number) + 1)

#define ngx_http_npmtoken_cas(p, old, new)                                    \
    __atomic_compare_exchange_n(p, old, new, 0, __ATOMIC_ACQ_REL,             \
                                __ATOMIC_ACQUIRE)


static uint32_t ngx_http_npmtoken_proof_counter(
    ngx_http_npmtoken_proof_t *proof, u_char *key);
static uint32_t ngx_http_npmtoken_proof_count(ngx_http_npmtoken_proof_t *proof,
    uint32_t counter);

/* inlined, it would cost each hit a register */

static ngx_uint_t ngx_http_npmtoken_proof_alone(
    ngx_http_npmtoken_proof_t *proof, ngx_http_npmtoken_stamp_t *stamp,
    uint64_t now, ngx_msec_t bound) __attribute__((noinline));
static uint32_t ngx_http_npmtoken_proof_peer_crc(ngx_http_npmtoken_peer_t *peer,
    uint64_t epoch);


/*
 * rule: clock-counts-suspension, clock-at-judgement.  CLOCK_MONOTONIC stands
 * still while a machine is suspended, and revocations do not; nginx's cached
 * time stands still with its worker.
 */

uint64_t
ngx_http_npmtoken_proof_clock(void)
{
    struct timespec  ts;

#if (defined CLOCK_BOOTTIME)
    (void) clock_gettime(CLOCK_BOOTTIME, &ts);
#else
    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
#endif

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


size_t
ngx_http_npmtoken_proof_size(ngx_uint_t counters)
{
    return offsetof(ngx_http_npmtoken_proof_t, counters)
           + counters * sizeof(uint32_t);
}


void
ngx_http_npmtoken_proof_init(ngx_http_npmtoken_proof_t *proof,
    ngx_uint_t counters)
{
    ngx_memzero(proof, ngx_http_npmtoken_proof_size(counters));

    proof->mask = counters - 1;
}


static uint32_t
ngx_http_npmtoken_proof_counter(ngx_http_npmtoken_proof_t *proof, u_char *key)
{
    return (uint32_t) ngx_hextoi(key, 8) & proof->mask;
}


/*
 * Both counters only grow.  So their sum is the same only if both are, unless
 * there are 2^32 changes within the life of an entry.
 */

static uint32_t
ngx_http_npmtoken_proof_count(ngx_http_npmtoken_proof_t *proof,
    uint32_t counter)
{
    return ngx_http_npmtoken_load(&proof->counters[counter])
           + ngx_http_npmtoken_load(&proof->all);
}


void
ngx_http_npmtoken_proof_stamp(ngx_http_npmtoken_proof_t *proof, u_char *key,
    ngx_http_npmtoken_stamp_t *stamp)
{
    uint64_t  now;

    now = ngx_http_npmtoken_proof_clock();

    if (proof == NULL) {
        stamp->word = now;
        stamp->counter = 0;
        stamp->count = 0;
        return;
    }

    stamp->word = ngx_http_npmtoken_word(ngx_http_npmtoken_proof_epoch(proof),
                                         now);
    stamp->counter = ngx_http_npmtoken_proof_counter(proof, key);
    stamp->count = ngx_http_npmtoken_proof_count(proof, stamp->counter);
}


ngx_uint_t
ngx_http_npmtoken_proof_current(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp, uint64_t now, ngx_msec_t bound)
{
    uint64_t  word, time;

    time = ngx_http_npmtoken_word_time(stamp->word);

    if (proof) {

        /*
         * rule: word-before-count.  The owner counts before it proves; read
         * the other way round, a count from before an invalidation could
         * stand beside a proof from after it.
         */

        word = ngx_http_npmtoken_load(&proof->word);

        if (ngx_http_npmtoken_word_number(word)
            != ngx_http_npmtoken_word_number(stamp->word)
            || ngx_http_npmtoken_proof_count(proof, stamp->counter)
               != stamp->count)
        {
            return ngx_http_npmtoken_proof_alone(proof, stamp, now, bound);
        }

        /*
         * rule: bound; from the look-up or the last proof, whichever is later
         */

        time = ngx_max(time, ngx_http_npmtoken_word_time(word));
    }

    return (int64_t) (now - time) <= (int64_t) bound;
}


/*
 * rule: same-server.  The bound of a stamp that is alone counts from its own
 * time, and no proof renews it.
 *
 * rule: lookup-is-no-proof.  That of a strict one counts from the proof alone.
 *
 * rule: word-before-count, as above.
 */

static ngx_uint_t
ngx_http_npmtoken_proof_alone(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp, uint64_t now, ngx_msec_t bound)
{
    uint32_t  mark;
    uint64_t  word, time;

    word = ngx_http_npmtoken_load(&proof->word);
    mark = ngx_http_npmtoken_proof_count(proof, stamp->counter) ^ stamp->count;

    if (mark == NGX_HTTP_NPMTOKEN_ALONE) {
        time = ngx_http_npmtoken_word_time(stamp->word);

    } else if (mark == NGX_HTTP_NPMTOKEN_STRICT) {
        time = ngx_http_npmtoken_word_time(word);

    } else {
        return 0;
    }

    return ngx_http_npmtoken_word_number(word)
           == ngx_http_npmtoken_word_number(stamp->word)
           && (int64_t) (now - time) <= (int64_t) bound;
}


ngx_uint_t
ngx_http_npmtoken_proof_vouched(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, uint64_t now, ngx_msec_t bound)
{
    uint64_t  word;

    word = ngx_http_npmtoken_load(&proof->word);

    return epoch && ngx_http_npmtoken_word_number(word) == epoch
           && (int64_t) (now - ngx_http_npmtoken_word_time(word))
              <= (int64_t) bound;
}


/* of a strict stamp too: "stale_reads" does without a proof */

ngx_uint_t
ngx_http_npmtoken_proof_unchanged(ngx_http_npmtoken_proof_t *proof,
    ngx_http_npmtoken_stamp_t *stamp)
{
    uint32_t  mark;

    mark = ngx_http_npmtoken_proof_count(proof, stamp->counter) ^ stamp->count;

    return mark == 0 || mark == NGX_HTTP_NPMTOKEN_STRICT;
}


uint64_t
ngx_http_npmtoken_proof_epoch(ngx_http_npmtoken_proof_t *proof)
{
    return ngx_http_npmtoken_word_number(ngx_http_npmtoken_load(&proof->word));
}


/* rule: count-one-instruction.  A former owner may count at the same time. */

void
ngx_http_npmtoken_proof_invalidate(ngx_http_npmtoken_proof_t *proof,
    u_char *key)
{
    uint32_t  counter;

    counter = ngx_http_npmtoken_proof_counter(proof, key);

    (void) __atomic_add_fetch(&proof->counters[counter], 1, __ATOMIC_ACQ_REL);
}


void
ngx_http_npmtoken_proof_invalidate_all(ngx_http_npmtoken_proof_t *proof)
{
    (void) __atomic_add_fetch(&proof->all, 1, __ATOMIC_ACQ_REL);
}


uint64_t
ngx_http_npmtoken_proof_lease_take(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_msec_t duration)
{
    uint64_t  lease, now, number;

    now = ngx_http_npmtoken_proof_clock();
    lease = ngx_http_npmtoken_load(&proof->lease);

    number = ngx_http_npmtoken_word_number(lease);

    if ((session == 0 || number != session)
        && ngx_http_npmtoken_word_time(lease) > now)
    {
        return 0;
    }

    number = ngx_http_npmtoken_next(number);

    if (!ngx_http_npmtoken_cas(&proof->lease, &lease,
                               ngx_http_npmtoken_word(number,
                                                      now + duration)))
    {
        return 0;
    }

    return number;
}


ngx_int_t
ngx_http_npmtoken_proof_lease_renew(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_msec_t duration)
{
    uint64_t  lease, now;

    now = ngx_http_npmtoken_proof_clock();
    lease = ngx_http_npmtoken_load(&proof->lease);

    if (ngx_http_npmtoken_word_number(lease) != session) {
        return NGX_DECLINED;
    }

    return ngx_http_npmtoken_cas(&proof->lease, &lease,
                                 ngx_http_npmtoken_word(session,
                                                        now + duration))
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_npmtoken_proof_lease_release(ngx_http_npmtoken_proof_t *proof,
    uint64_t session)
{
    uint64_t  lease;

    lease = ngx_http_npmtoken_load(&proof->lease);

    if (ngx_http_npmtoken_word_number(lease) == session) {
        (void) ngx_http_npmtoken_cas(&proof->lease, &lease,
                                     ngx_http_npmtoken_word(session, 0));
    }
}


/*
 * rule: epoch-one-instruction.  The check that the session still has the lease
 * is no rule: without it, two owners would take the epoch from each other, and
 * all entries would be misses.
 */

uint64_t
ngx_http_npmtoken_proof_epoch_begin(ngx_http_npmtoken_proof_t *proof,
    uint64_t session, ngx_http_npmtoken_peer_t *peer)
{
    uint64_t  word, lease, epoch;

    lease = ngx_http_npmtoken_load(&proof->lease);

    if (ngx_http_npmtoken_word_number(lease) != session
        || ngx_http_npmtoken_word_time(lease)
           <= ngx_http_npmtoken_proof_clock())
    {
        return 0;
    }

    word = ngx_http_npmtoken_load(&proof->word);

    do {
        epoch = ngx_http_npmtoken_next(ngx_http_npmtoken_word_number(word));

        proof->peer = *peer;
        proof->peer_crc = ngx_http_npmtoken_proof_peer_crc(peer, epoch);

    } while (!ngx_http_npmtoken_cas(&proof->word, &word,
                                    ngx_http_npmtoken_word(epoch, 0)));

    return epoch;
}


static uint32_t
ngx_http_npmtoken_proof_peer_crc(ngx_http_npmtoken_peer_t *peer, uint64_t epoch)
{
    uint32_t  crc, len;

    len = peer->socklen;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) &peer->sockaddr, sizeof(ngx_sockaddr_t));
    ngx_crc32_update(&crc, (u_char *) &len, sizeof(uint32_t));
    ngx_crc32_update(&crc, peer->server, NGX_HTTP_NPMTOKEN_SERVER_LEN);
    ngx_crc32_update(&crc, &peer->host_len, 1);
    ngx_crc32_update(&crc, peer->host, NGX_HTTP_NPMTOKEN_PEER_HOST);
    ngx_crc32_update(&crc, (u_char *) &epoch, sizeof(uint64_t));
    ngx_crc32_final(crc);

    return crc;
}


/*
 * rule: peer-in-word.  Two workers that both believe they own the feed may
 * write the peer at once, for example after one was stopped for long.  The
 * checksum then reveals a mixed peer.
 */

ngx_int_t
ngx_http_npmtoken_proof_epoch_peer(ngx_http_npmtoken_proof_t *proof,
    uint64_t epoch, ngx_http_npmtoken_peer_t *peer)
{
    uint32_t  crc;

    *peer = proof->peer;
    crc = proof->peer_crc;

    if (epoch == 0 || peer->socklen > sizeof(ngx_sockaddr_t)
        || crc != ngx_http_npmtoken_proof_peer_crc(peer, epoch))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * rule: proof-own-epoch.  A feed that was replaced while it was stopped must
 * not vouch for entries of its successor's epoch.
 */

ngx_int_t
ngx_http_npmtoken_proof_prove(ngx_http_npmtoken_proof_t *proof, uint64_t epoch,
    uint64_t time)
{
    uint64_t  word;

    word = ngx_http_npmtoken_load(&proof->word);

    do {
        if (ngx_http_npmtoken_word_number(word) != epoch) {
            return NGX_DECLINED;
        }

        if (ngx_http_npmtoken_word_time(word) >= time) {
            return NGX_OK;
        }

    } while (!ngx_http_npmtoken_cas(&proof->word, &word,
                                    ngx_http_npmtoken_word(epoch, time)));

    return NGX_OK;
}
