/*
 * The slot that moves.
 *
 * A store of a cluster lives in one slot.  The feed and the look-ups of a node
 * are at server A, which owns the slot at first.  It is given to B by
 * MIGRATE, back, and away again.  A key is changed once: a record that is
 * there is deleted or rewritten, or one that is not there is made, by whoever
 * owns the slot then, or by the importing one, to which an ASK leads.
 *
 * The proof is PING on the feed and EXISTS, at the feed's server, of a key of
 * the slot that never is: PONG and 0 together.  What proof.pml shows of
 * sessions, epochs, counters and connections is taken for granted.
 */

#ifndef ROUNDS
#define ROUNDS   3                /* how often the slot moves */
#endif

#define A        0
#define B        1

#define ABSENT   0                /* what is known of a key */
#define FIRST    1
#define SECOND   2
#define NOTHING  3                /* no reply yet */

mtype = { GONE, IMPORTING, OWNED, MIGRATING,      /* a slot, at a server */
          KEY, PONG,                              /* to the feed */
          ZERO, ASK, MOVED };                     /* replies */


/* Time, as in proof.pml */

byte  now;

#define READING  (now > 0)


/* The servers. */

mtype slot[2];
byte  value[2];
byte  initial;                    /* ABSENT or FIRST */
bit   changed;
byte  round;
bit   asking;                     /* the writer was sent to the other one */
byte  asked;
byte  sent_in;                    /* which round */

#define SERVES(s)  (slot[s] == OWNED || (slot[s] == MIGRATING && value[s]))
#define SENDS(s)   (slot[s] == MIGRATING && !value[s])
#define TAKES(s)   (SERVES(s) || slot[s] == IMPORTING)     /* after ASKING */

/*
 * Who is sent on by ASK gives up before the slot can have gone away, come
 * back, and be about to go again.
 */

#ifdef OLD_ASK
#define IN_TIME(r)  true
#else
#define IN_TIME(r)  ((r) == round)
#endif

#define FOLLOWED    (by_ask -> (TAKES(B) && IN_TIME(asked_in)) : SERVES(B))


/* The node.  Its feed is at A, PING goes by it; EXISTS by another socket. */

chan  to = [1] of { bit };
chan  from = [2 * ROUNDS + 4] of { mtype };
bit   pending;                    /* the key changed in this turn at A */
bit   ready;                      /* what epoll_wait said */
chan  question = [1] of { bit };
chan  answer = [1] of { mtype };

bit   proven;
byte  count;


/* One look-up and one request. */

bit   stamped;
bit   stamp_time;
byte  stamp_count;
bit   redirected;                 /* it goes to B */
bit   by_ask;
byte  asked_in;                   /* which round */
byte  record;
bit   answered;
bit   read_1, read_2;

#if defined(REACH_HIT)            /* not the promise: can this happen at all? */
#define MARK     true
#define PROMISE  assert(!(answered && proven && !stamp_time))
#elif defined(REACH_BACK)
#define MARK     true
#define PROMISE                                                             \
    assert(!(answered && proven && !stamp_time && round == 2))
#elif defined(REACH_ASK)
#define MARK     true
#define PROMISE  assert(!(answered && redirected && record == FIRST))
#else
#define MARK     false
#define PROMISE  assert(!(answered && record == initial))
#endif


inline put(s, v)
{
    value[s] = v;
    if
    :: s == A -> pending = 1
    :: else
    fi
}


/* there it is changed: a record to be revoked has to be there */

inline change(s)
{
    if
    :: initial == FIRST && value[s] -> put(s, ABSENT); changed = 1
    :: initial == FIRST && value[s] -> put(s, SECOND); changed = 1
    :: initial == ABSENT -> put(s, SECOND); changed = 1
    :: else
    fi
}


proctype Servers()
{
    bit  b;

end:
    do
    :: atomic { !changed && SERVES(A) -> change(A) }
    :: atomic { !changed && SERVES(B) -> change(B) }
    :: d_step { !changed && SENDS(A) -> asking = 1; asked = B; sent_in = round }
    :: d_step { !changed && SENDS(B) -> asking = 1; asked = A; sent_in = round }
    :: atomic {
            !changed && asking ->
            asking = 0;
            if
            :: TAKES(asked) && IN_TIME(sent_in) -> change(asked)
            :: else                               /* MOVED */
            fi
        }
    :: d_step { changed && now == 0 -> now = 1 }

    /* PING is read once per turn, if the socket was readable when it began */
    :: atomic { ready && nempty(to) -> ready = 0; to ? b; from ! PONG; b = 0 }

    :: atomic {
            nempty(question) ->
            question ? b;
            if
            :: slot[b] == OWNED     -> answer ! ZERO
            :: slot[b] == MIGRATING -> answer ! ASK
            :: else                 -> answer ! MOVED
            fi;
            b = 0
        }

    /* the end of a turn at A */
    :: atomic {
            true ->
            if
            :: pending -> from ! KEY
            :: else
            fi;
            pending = 0;
            ready = nempty(to)
        }

    /* a look-up runs at A, or is sent on; the reply is as slow as it likes */
    :: atomic { stamped && record == NOTHING && !redirected && SERVES(A) ->
                record = value[A]; PROMISE }
    :: d_step { stamped && record == NOTHING && !redirected && !SERVES(A) ->
                redirected = 1;
                by_ask = SENDS(A);
                asked_in = round }
    :: atomic { stamped && record == NOTHING && redirected && FOLLOWED ->
                record = value[B]; PROMISE }
    od
}


proctype Operator()
{
    byte  x, y;

end:
    do
    :: round < ROUNDS ->
        x = round % 2;
        y = 1 - x;

#ifdef BY_FORCE
        slot[y] = OWNED;                  /* and x hears of it some day */
        d_step { slot[x] = GONE; value[x] = ABSENT }
#else
        slot[y] = IMPORTING;
        slot[x] = MIGRATING;

        if
        :: d_step {
                value[x] ->
                value[y] = value[x];
                value[x] = ABSENT;
                pending = 1
            }
        :: !value[x]
        fi;

        if
        :: slot[y] = OWNED;
            slot[x] = GONE
        :: d_step { !value[y] -> slot[y] = GONE }        /* given up */
            slot[x] = OWNED;
            break
        fi;
#endif
        round++
    :: round == ROUNDS -> break
    od
}


proctype Time()
{
end:
    do
    :: d_step { now == 1 -> now = 2 }
    :: d_step { MARK && now == 0 -> now = 1 }
    od
}


#ifdef EXISTS_ELSEWHERE
#define ASKED_SERVER  B
#else
#define ASKED_SERVER  A
#endif

/* without a PONG the proof is the 0 alone */

#ifdef NO_PONG
#define ONCE_PONGED  true
#else
#define ONCE_PONGED  ponged
#endif


/* A worker, the owner of the feed. */

proctype Owner()
{
    mtype  m;
    bit    at, asks, pings, ponged, zero;

end:
    do
    :: !asks && !pings && !zero && !ponged ->
#ifdef CLOCK_AFTER_EXISTS
        atomic { question ! ASKED_SERVER; asks = 1 }
        at = READING;
#else
        at = READING;
        atomic { question ! ASKED_SERVER; asks = 1 }
#endif
#ifdef PING_AT_ONCE
        atomic { to ! 0; pings = 1 }
#endif

#ifndef PING_AT_ONCE
    :: atomic { zero && !pings && !ponged -> to ! 0; pings = 1 }
#endif

    :: atomic {
            from ? m ->
            if
            :: m == PONG -> pings = 0; ponged = 1
            :: else -> count++
            fi;
            m = 0
        }
    :: atomic {
            answer ? m ->
            asks = 0;
            if
            :: m == ZERO -> zero = 1
#if defined(ASK_PROVES) || defined(NO_EXISTS)
            :: m == ASK -> zero = 1
#endif
#if defined(MOVED_PROVES) || defined(NO_EXISTS)
            :: m == MOVED -> zero = 1
#else
            :: m == MOVED -> goto over
#endif
            :: else
            fi;
            m = 0
        }
    :: d_step { zero && ONCE_PONGED ->
                proven = proven || at;
                at = 0; zero = 0; ponged = 0 }
    :: d_step { !asks && !zero && ponged -> at = 0; ponged = 0 }
    od;

over:
    atomic { m = 0; at = 0; asks = 0; pings = 0; ponged = 0; zero = 0 }
}


proctype Lookup()
{
    stamp_time = READING;
    d_step { stamp_count = count; stamped = 1 }
}


/*
 * What another server says is not cached, and nobody joins the look-up once
 * it was sent on.
 */

#if defined(REDIRECTED_CACHED)
#define CURRENT  (proven || stamp_time)
#elif defined(REDIRECTED_ALONE)
#define CURRENT  (stamp_time || (proven && !redirected))
#else
#define CURRENT  (!redirected && (proven || stamp_time))
#endif


/* a hit, or it joins the look-up: either way by the stamp as it is then */

proctype Request()
{
    now == 2 && stamped;

    d_step { CURRENT -> read_1 = 1 }
    d_step { count == stamp_count -> read_2 = 1 }

    answered = 1;
    PROMISE
}


init {
    atomic {
        slot[A] = OWNED;
        slot[B] = GONE;
        record = NOTHING;
        if
        :: initial = FIRST
        :: initial = ABSENT
        fi;
        value[A] = initial;

        run Servers();
        run Operator();
        run Time();
        run Owner();
        run Lookup();
        run Request()
    }
}


/* as in proof.pml: nothing can go wrong any more */

#if defined(REACH_HIT) || defined(REACH_BACK) || defined(REACH_ASK)
#define HARMLESS  false
#else
#define HARMLESS  (record != NOTHING && record != initial)
#endif

#ifdef REDIRECTED_CACHED
#define PAST_USE  false
#else
#define PAST_USE  (redirected && !read_1 && !(CURRENT))
#endif

#ifndef FUTILE
#define FUTILE  (HARMLESS || PAST_USE                                         \
                 || (stamped && count != stamp_count && !read_2))
#endif

never {
    do
    :: !FUTILE
    od
}
