/*
 * The master that is succeeded, and a proof that is a write.
 *
 * Three servers: the old master, the replica that is promoted, and another
 * replica.  Nobody tells the old master: it may be stopped, thawed, cut off,
 * and goes on as a master until somebody demotes it.  The feed and the
 * look-ups of a node are at the old master or at its successor; a PONG from
 * either says only that this process has told everything.
 *
 * The proof is a write that N replicas confirm and whose push comes back
 * ("proof_replicas N").  A revocation is acknowledged when W replicas have it.
 *
 * What proof.pml shows of sessions, epochs, counters and connections is taken
 * for granted: there is one session, and look-ups are at the feed's server.
 */

#ifndef N
#define N        1                /* replicas that confirm a proof */
#endif
#ifndef W
#define W        1                /* replicas that confirm a revocation */
#endif
#ifndef K
#define K        2                /* proofs that are tried */
#endif

#define OLD      0                /* the master that is succeeded */
#define NEXT     1                /* its replica, which is promoted */
#define THIRD    2                /* another replica */

#define NONE     0
#define VALID    1
#define REVOKED  2

mtype = { KEY, ALL, PROOF };      /* pushed to the feed */


/*
 * Time, as in proof.pml: 0 until the revocation is acknowledged, 2 past the
 * bound after it.  A time that is kept is one bit: was it read after the
 * acknowledgement?
 */

byte  now;

#define READING  (now > 0)


/*
 * A stream of writes has the number of its master.  Who follows a stream has
 * its first writes, so many as "has" says.  "at" is where in a stream a write
 * is, counted from 1; 0 if it is not there.
 */

byte  length[2];
byte  revoked_at[2];
byte  proof_at[2 * (K + 1)];

byte  follows[3];                 /* which stream */
byte  has[3];
byte  acked[2 * 3];               /* what the stream's master heard of it */

bit   moved;                      /* the slot went from NEXT to another shard */

#define PROOF_AT(m, n)    proof_at[(m) * (K + 1) + (n)]
#define ACKED(m, s)       acked[(m) * 3 + (s)]

#define MASTER(s)         ((s) != THIRD && follows[s] == (s))
#define PROMOTED          (follows[NEXT] == NEXT)
#define KNOWS(s)          (revoked_at[follows[s]]                           \
                           && has[s] >= revoked_at[follows[s]])

#define CONFIRMS(m, s, at)  ((s) != (m) && ACKED(m, s) >= (at) -> 1 : 0)
#define CONFIRMED(m, at)    (CONFIRMS(m, OLD, at) + CONFIRMS(m, NEXT, at)   \
                             + CONFIRMS(m, THIRD, at))

/*
 * An acknowledgement by the old master counts only if the successor has the
 * write: else Redis itself has lost it, whatever a node does.  With W = all
 * replicas this is no assumption.
 */

#ifdef ANY_PROMOTED
#define NOT_LOST  true
#else
#define NOT_LOST  KNOWS(NEXT)
#endif


/* The node: a feed, and a connection for the writes that prove. */

bit   begun;
byte  server;                     /* where the feed is: OLD or NEXT */
chan  from = [K + 4] of { mtype, byte };
bit   key_pending;                /* changed in this turn of the loop */
bit   proof_pending[K + 1];

chan  to[K + 1] = [K] of { byte };        /* each try has its own socket */
byte  writes_to[K + 1];           /* which server that leads to */
bit   ready[K + 1];               /* what epoll_wait said */
bit   confirmed[K + 1];           /* the reply to WAIT: N or more */

bit   proven;                     /* shared by the workers */
byte  count;


/* One look-up and one request, as in proof.pml. */

bit   stamped;
bit   stamp_time;
byte  stamp_count;
byte  record;
bit   answered;
bit   read_1, read_2;

#if defined(REACH_HIT)            /* not the promise: can this happen at all? */
#define MARK     true
#define PROMISE  assert(!(answered && record == VALID))
#elif defined(REACH_NEXT)
#define MARK     true
#define PROMISE  assert(!(answered && record == VALID && server == NEXT))
#elif defined(REACH_DENIED)
#define MARK     false
#define PROMISE  assert(!(answered && record == REVOKED && server == NEXT))
#else
#define MARK     false
#define PROMISE  assert(!(answered && record == VALID))
#endif


inline append(m)
{
    length[m]++;
    has[m] = length[m]
}


/* a replica takes one more write, and its master hears of it */

inline follow(s)
{
    has[s]++;
    ACKED(follows[s], s) = has[s]
}


/* a full resynchronisation with the successor */

inline resync(s)
{
    follows[s] = NEXT;
    has[s] = length[NEXT];
    ACKED(NEXT, s) = has[s]
}


inline write_proof(m, n)
{
#ifdef PROOF_IS_PING
    from ! PROOF, n; confirmed[n] = 1
#else
    if
    :: MASTER(m) ->
        append(m);
        PROOF_AT(m, n) = length[m];
        if
        :: m == server -> proof_pending[n] = 1
        :: else
        fi
    :: else                                       /* READONLY */
    fi
#endif
}


/* One read takes whatever is in the socket by then. */

#define RUN(k)                                                              \
    :: atomic {                                                             \
            nempty(to[k]) && (ready[k] || writes_to[k] != server) ->        \
            ready[k] = 0;                                                   \
            do                                                              \
            :: to[k] ? n -> write_proof(writes_to[k], n);                   \
                if                                                          \
                :: nempty(to[k])                                            \
                :: break                                                    \
                fi                                                          \
            od;                                                             \
            n = 0                                                           \
        }

/* the reply to WAIT; N = 0 asks nobody */

#define WAIT(n)                                                             \
    :: d_step {                                                             \
            (!confirmed[n] && PROOF_AT(writes_to[n], n)                     \
             && CONFIRMED(writes_to[n], PROOF_AT(writes_to[n], n)) >= N) -> \
            confirmed[n] = 1                                                \
        }


active proctype Servers()
{
    byte  n;

end:
    do
    /* the revocation: by a writer that knows of the successor, or does not */
    :: d_step { MASTER(OLD) && !revoked_at[OLD] ->
                append(OLD); revoked_at[OLD] = length[OLD];
                key_pending = key_pending || (begun && server == OLD) }
    :: d_step { PROMOTED && !moved && !revoked_at[NEXT] ->
                append(NEXT); revoked_at[NEXT] = length[NEXT];
                key_pending = key_pending || (begun && server == NEXT) }

    /* ... which is acknowledged, in time, by the one that ran it */
    :: d_step { (now == 0 && revoked_at[OLD] && MASTER(OLD) && NOT_LOST
                 && CONFIRMED(OLD, revoked_at[OLD]) >= W) -> now = 1 }
    :: d_step { (now == 0 && revoked_at[NEXT] && PROMOTED
                 && CONFIRMED(NEXT, revoked_at[NEXT]) >= W) -> now = 1 }

#ifdef SLOT_MOVES_ON
    /* the slot moves to another shard, and there it is revoked */
    :: d_step { now == 0 && PROMOTED && server == OLD && begun ->
                moved = 1; now = 1 }
#endif

    /* replication, as slow as it likes */
    :: d_step { !PROMOTED && has[NEXT] < length[OLD] -> follow(NEXT) }
    :: d_step { has[THIRD] < length[follows[THIRD]] -> follow(THIRD) }
    :: d_step {
            follows[OLD] == NEXT && has[OLD] < length[NEXT] ->
            follow(OLD);
            if
            :: begun && server == OLD && has[OLD] == revoked_at[NEXT] ->
                key_pending = 1
            :: else
            fi;
            for (n : 1 .. K) {
                if
                :: (begun && server == OLD
                    && has[OLD] == PROOF_AT(NEXT, n)) ->
                    proof_pending[n] = 1
                :: else
                fi
            }
            n = 0
        }

    /* the promotion; nobody tells the old master */
    :: d_step {
            !PROMOTED ->
            follows[NEXT] = NEXT;
            length[NEXT] = has[NEXT];
            if
            :: revoked_at[OLD] && revoked_at[OLD] <= has[NEXT] ->
                revoked_at[NEXT] = revoked_at[OLD]
            :: else
            fi;
            for (n : 1 .. K) {
                if
                :: PROOF_AT(OLD, n) && PROOF_AT(OLD, n) <= has[NEXT] ->
                    PROOF_AT(NEXT, n) = PROOF_AT(OLD, n)
                :: else
                fi
            }
            n = 0
        }

    /* ... until it is, and told to follow; connections to it stay */
    :: d_step { PROMOTED && follows[THIRD] == OLD -> resync(THIRD) }
    :: atomic {
            PROMOTED && follows[OLD] == OLD ->
            resync(OLD);
            if
            :: begun && server == OLD -> from ! ALL, 0
            :: else
            fi
        }

    RUN(1)
    WAIT(1)
#if K > 1
    RUN(2)
    WAIT(2)
#endif
#if K > 2
    RUN(3)
    WAIT(3)
#endif

    /*
     * The end of a turn at the feed's server: pushes go out prefix by prefix,
     * in the order of the alphabet; then epoll_wait.
     */
    :: atomic {
            begun ->
#ifdef PROOFS_FIRST
            for (n : 1 .. K) {
                if
                :: proof_pending[n] -> from ! PROOF, n
                :: else
                fi
            }
#endif
            if
            :: key_pending -> from ! KEY, 0
            :: else
            fi;
            for (n : 1 .. K) {
                if
#ifndef PROOFS_FIRST
                :: proof_pending[n] -> from ! PROOF, n
#endif
                :: else
                fi;
                proof_pending[n] = 0;
                ready[n] = (writes_to[n] == server && nempty(to[n]))
            }
            key_pending = 0;
            n = 0
        }

    /* the look-up runs; its reply takes as long as it likes */
    :: atomic {
            stamped && record == NONE && !(moved && server == NEXT) ->
            record = (KNOWS(server) -> REVOKED : VALID);
            PROMISE
        }
    od
}


active proctype Time()
{
end:
    do
    :: d_step { now == 1 -> now = 2 }
    :: d_step { MARK && now == 0 -> now = 1 }
    od
}


#if defined(NO_PUSH)
#define PROVES(n)  (confirmed[n])
#elif defined(NO_WAIT)
#define PROVES(n)  (pushed[n])
#else
#define PROVES(n)  (confirmed[n] && pushed[n])
#endif

#ifdef TWO_WRITES
#define SOCKET(n)  1
#define MAY_SEND   (last < K)
#else
#define SOCKET(n)  (n)
#define MAY_SEND   (last < K && !flying)
#endif


/* A worker, the owner of the feed.  Any step may be its last. */

active proctype Owner()
{
    mtype  m;
    byte   n, last;
    bit    flying;
    bit    at[K + 1];
    bit    pushed[K + 1];

    atomic {
        if
        :: server = OLD
        :: PROMOTED && !moved -> server = NEXT
        fi;
        begun = 1
    }

end:
    do
    :: atomic {
            MAY_SEND -> last++; flying = 1;
            writes_to[last] = server;
#ifdef WRITE_ANYWHERE
            if
            :: PROMOTED -> writes_to[last] = NEXT
            :: true
            fi
#endif
        }
#ifdef CLOCK_AFTER_WRITE
        to[SOCKET(last)] ! last;
        at[last] = READING;
#else
        at[last] = READING;
        to[SOCKET(last)] ! last;
#endif

    /* no reply in time: what was written may be run later all the same */
    :: flying -> flying = 0

    :: atomic {
            from ? m, n ->
            if
            :: m == PROOF ->
#ifdef ANY_NONCE
                pushed[last] = 1
#else
                pushed[n] = 1
#endif
            :: else -> count++
            fi;
            m = 0; n = 0
        }

#ifdef TWO_WRITES
    :: d_step { last > 1 && PROVES(2) -> proven = at[2] }
#endif
    :: d_step { flying && last && PROVES(last) ->
                proven = at[last]; flying = 0 }
    od
}


active proctype Lookup()
{
    begun;
    stamp_time = READING;
    d_step { stamp_count = count; stamped = 1 }
}


active proctype Request()
{
    now == 2 && stamped;

    d_step {
#ifdef LOOKUP_PROVES
        (proven || stamp_time) ->
#else
        proven ->
#endif
        read_1 = 1
    }
    d_step { count == stamp_count -> read_2 = 1 }

    answered = 1;
    PROMISE
}


/* as in proof.pml: nothing can go wrong any more */

#ifdef REACH_DENIED
#define HARMLESS  (record == VALID)
#else
#define HARMLESS  (record == REVOKED)
#endif

/* These break without a failover. */

#if defined(ANY_NONCE) || (defined(TWO_WRITES) && defined(PROOFS_FIRST))
#define ASTRAY  PROMOTED
#else
#define ASTRAY  false
#endif

#ifndef FUTILE
#define FUTILE  (HARMLESS || ASTRAY                                         \
                 || (stamped && count != stamp_count && !read_2))
#endif

never {
    do
    :: !FUTILE
    od
}
