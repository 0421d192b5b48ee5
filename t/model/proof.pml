/*
 * The cache and the proof of npmtoken.
 *
 * The promise: a revocation that Redis acknowledged at time T is enforced for
 * every request that begins after T + bound.  README.md beside this file says
 * what is modelled, why the abstractions are sound, and what each rule is.
 * Every rule can be taken out with the -D named after it.
 *
 * Whatever can be stopped is stopped by not being scheduled: nothing here is
 * ever forced to go on.  One statement is one atomic step in reality; what
 * stands in one d_step or atomic is one instruction (the word, a counter) or
 * one turn inside Redis, which is a single thread.
 */

#ifndef S
#define S        3                /* feed sessions, each under its own lease */
#endif
#ifndef W
#define W        2                /* writes to the key; the last one revokes */
#endif

#ifdef ONE_SERVER                 /* a smaller model, for more sessions */
#define RESTARTS false
#else
#define RESTARTS true
#endif

#define OURS     0                /* the Redis in which the token is revoked */
#define OTHER    1                /* another one, where it never is */

#define NONE     0
#define VALID    1
#define REVOKED  2

mtype = { TRACKING, SUBSCRIBE, PING,                     /* to Redis */
          OK, CONFIRM, PONG, KEY, ALL, ERROR };          /* to the feed */


/* Time: 0 until the revocation is acknowledged, 2 past the bound after it. */

byte  now;                        /* real time */
byte  clock;                      /* what the machine's clock says of it */

/*
 * A time that is kept is kept as one bit: was it read after the acknowledgement?
 * Judged at 2, only such a time can be within the bound; judged earlier, any.
 */

#define READING        (clock > 0)
#define RECENT(t, at)  ((at) < 2 || (t))            /* at - t <= bound */


/* The zone. */

byte  epoch;                      /* epoch, proven and peer: one atomic word */
bit   proven;
bit   peer;
byte  count;                      /* the counter of the key */
byte  shared;                     /* the counter that is part of every count */
byte  lease;                      /* the session number that holds it */

bit   server_of[S + 1];           /* ghost: whom the feed of an epoch asks */

#ifdef PEER_APART
bit   apart;
#endif


/* Redis, and the feed's connections to it. */

chan  to[S] = [2] of { mtype, bit };
chan  from[S] = [W + 4] of { mtype, bit };

bit   server[S];                  /* whom this session talks to */
bit   dead[S];                    /* its process was restarted */
bit   tracking[S];
bit   subscribed[S];
bit   pending[S];                 /* key changed in this turn of the loop */
bit   ready[S];                   /* what epoll_wait said */
byte  writes;
bit   revoked;
bit   restarted;


/*
 * One look-up.  It stays readable, as a look-up in flight and afterwards as
 * an entry of the cache: "a look-up in flight is an entry not yet filled".
 */

byte  conn_epoch;
bit   conn_server;
bit   connected;
bit   sent;
bit   stamped;
bit   stamp_time;
byte  stamp_epoch;
byte  stamp_count;
byte  stamp_shared;
byte  record;                     /* what it read */


/* One request, begun when now == 2. */

bit   answered;                   /* the look-up's record answers it */
bit   by_proof;                   /* only the feed vouched for it */
bit   read_1, read_2, read_3;     /* the word, the count, the shared count */

#ifdef NO_BOUND
#define FOR_EVER  true
#else
#define FOR_EVER  false
#endif

#if defined(REACH_HIT)            /* not the promise: can this happen at all? */
#define MARK     true             /* time passes without a revocation */
#define PROMISE  assert(!(answered && by_proof && record == VALID))
#elif defined(REACH_OVERLAP)
#define MARK     true
#define PROMISE  assert(!(answered && by_proof && epoch == 1 && lease == 2))
#elif defined(REACH_RESTART)
#define MARK     true
#define PROMISE  assert(!(answered && by_proof && restarted && epoch == 2))
#elif defined(REACH_DENIED)
#define MARK     false
#define PROMISE  assert(!(answered && by_proof && record == REVOKED))
#else
#define MARK     false
#define PROMISE                                                             \
    assert(!(answered && record == VALID                                    \
             && server_of[stamp_epoch] == OURS))
#endif


inline change_key()
{
    for (i : 0 .. S - 1) {
        if
        :: tracking[i] -> pending[i] = 1
        :: else
        fi
    }
}


inline change_all()               /* FLUSHALL is announced as it runs */
{
    for (i : 0 .. S - 1) {
        if
        :: tracking[i] && subscribed[i] -> from[i] ! ALL, 0
        :: else
        fi
    }
}


inline reply(s)
{
    if
    :: c == TRACKING ->
        if
        :: from[s] ! OK, 0; tracking[s] = (server[s] == OURS)
        :: from[s] ! ERROR, 0                     /* no right to it, say */
        fi
    :: c == SUBSCRIBE -> from[s] ! CONFIRM, 0; subscribed[s] = 1
    :: c == PING      -> from[s] ! PONG, n
    fi
}


/*
 * One read of a feed's socket takes whatever is in the kernel by then, if
 * epoll_wait found it readable.  The loop inside a slow script answers errors
 * and pushes nothing.  Another server has a loop of its own.
 */

#define ANSWER(s)                                                           \
    :: atomic {                                                             \
            ready[s] && nempty(to[s]) ->                                    \
            ready[s] = 0;                                                   \
            do                                                              \
            :: to[s] ? c, n -> reply(s);                                    \
                if                                                          \
                :: nempty(to[s])                                            \
                :: break                                                    \
                fi                                                          \
            od;                                                             \
            c = 0; n = 0                                                    \
        }                                                                   \
    :: atomic {                                                             \
            !dead[s] && nempty(to[s]) ->                                    \
            to[s] ? c, n; from[s] ! ERROR, 0; c = 0; n = 0                  \
        }                                                                   \
    :: atomic {                                                             \
            server[s] == OTHER && nempty(to[s]) ->                          \
            to[s] ? c, n; reply(s); c = 0; n = 0                            \
        }


active proctype Redis()
{
    mtype  c;
    bit    n;
    byte   i;

end:
    do
    /* a write runs; its pushes wait for the end of the turn */
    :: atomic { writes < W -> writes++; revoked = (writes == W);
                change_key(); i = 0 }
    :: atomic { writes < W -> writes++; revoked = (writes == W);
                change_all(); i = 0 }

    /* ... and may be acknowledged at once, before any push is queued */
    :: atomic { revoked && now == 0 -> now = 1; clock = 1 }

    /* what it does for the feeds, see ANSWER */
    ANSWER(0)
#if S > 1
    ANSWER(1)
#endif
#if S > 2
    ANSWER(2)
#endif

    /* a look-up runs; its reply takes as long as it likes */
    :: atomic {
            sent && record == NONE && connected ->
            record = (revoked && conn_server == OURS -> REVOKED : VALID);
            PROMISE
        }

    /* before it sleeps the loop flushes the pushes; then epoll_wait */
    :: d_step {
            true ->
            for (i : 0 .. S - 1) {
                if
                :: pending[i] && subscribed[i] -> from[i] ! KEY, 0
                :: else
                fi;
                pending[i] = 0;
                ready[i] = (server[i] == OURS && !dead[i] && nempty(to[i]))
            }
            i = 0
        }

    /* it is restarted, with its data: every connection to it is dead */
    :: d_step {
            !restarted && RESTARTS ->
            restarted = 1;
            for (i : 0 .. S - 1) {
                if
                :: server[i] == OURS && lease > i -> dead[i] = 1
                :: else
                fi;
                tracking[i] = 0; subscribed[i] = 0;
                pending[i] = 0; ready[i] = 0
            }
            i = 0;
            if
            :: conn_server == OURS -> connected = 0
            :: else
            fi
        }

#ifdef TWO_SOCKETS
    :: d_step { tracking[0] -> tracking[0] = 0 }
#endif
    od
}


active proctype Time()
{
end:
    do
    :: d_step { now == 1 -> now = 2; clock = 2 }
#ifdef CLOCK_STOPS
    :: d_step { now == 1 -> now = 2 }            /* suspended meanwhile */
#endif
    :: d_step { MARK && now == 0 -> now = 1; clock = 1 }
    od
}


inline begin_epoch(s)
{
#ifdef PEER_APART
    apart = server[s];
#endif
#ifdef NO_EPOCH
    d_step { peer = server[s]; my_epoch = epoch }
#else
#ifdef EPOCH_STORED
    my_epoch = epoch + 1;
    d_step { epoch = my_epoch; server_of[epoch] = server[s];
#else
    d_step { epoch++; my_epoch = epoch; server_of[epoch] = server[s];
#endif
#ifndef EPOCH_KEEPS_PROVEN
             proven = 0;
#endif
             peer = server[s] }
#endif
}


/* Counters are incremented by one instruction. */

inline increment(counter)
{
#ifdef COUNT_NOT_ATOMIC
    tmp = counter;
    d_step { counter = tmp + 1; tmp = 0 }
#else
    counter++
#endif
}


/* What a worker reads may lie as long before it is read: one step will do. */

#if defined(COUNT_NOT_ATOMIC) || defined(PROOF_STORED)                      \
    || defined(PROOF_BEFORE_APPLY)
#define ATOMIC
#else
#define ATOMIC  atomic
#endif


inline apply(what)
{
    if
#ifndef IGNORE_KEY
    :: what == KEY -> increment(count)
#endif
#ifndef IGNORE_FLUSH
    :: what == ALL -> increment(shared)
#endif
    :: else
    fi
}


inline prove(time)
{
#if defined(PROOF_OLD_EPOCH)
    proven = time
#elif defined(PROOF_STORED)
    if
    :: epoch == my_epoch
    :: else -> goto over
    fi;
    d_step { epoch = my_epoch; peer = server[s]; proven = time }
#else
    if
    :: epoch == my_epoch -> proven = time
    :: else -> goto over
    fi
#endif
}


proctype Feed(byte s)
{
    mtype  m, late;
    bit    n;
    byte   my_epoch, tmp;
    bit    at[2];
    bit    flying[2];

    /* its number is one more than the last: the lease was free or run out */
    atomic {
        lease == s -> lease = s + 1;
        if
        :: server[s] = OURS
#ifndef ONE_SERVER
        :: server[s] = OTHER
#endif
        fi
    }

#ifdef EPOCH_AT_LEASE
    begin_epoch(s);
#endif

    to[s] ! TRACKING, 0;                  /* connected; CLIENT ID told it */

#ifdef EPOCH_AT_CONNECT
    begin_epoch(s);
#endif

    from[s] ? m, n;
#ifndef UNCHECKED_REPLY
    if
    :: m == OK
    :: else -> goto over
    fi;
#endif
    m = 0;

#ifdef EPOCH_AT_TRACKING
    begin_epoch(s);
#endif

    to[s] ! SUBSCRIBE, 0;

#ifdef EPOCH_BEFORE_SUBSCRIBED
    begin_epoch(s);
#endif

    from[s] ? m, n;
    if
    :: m == CONFIRM
    :: else -> goto over
    fi;
    m = 0;

#ifndef NO_LEASE_CHECK
    if
    :: lease == s + 1
    :: else -> goto over
    fi;
#endif

#if !defined(EPOCH_AT_LEASE) && !defined(EPOCH_AT_CONNECT)                  \
    && !defined(EPOCH_AT_TRACKING) && !defined(EPOCH_BEFORE_SUBSCRIBED)
    begin_epoch(s);
#endif

end:
    do
    :: !flying[0] ->
#ifdef CLOCK_AFTER_PING
        atomic { to[s] ! PING, 0; flying[0] = 1 }
        at[0] = READING;
#else
        at[0] = READING;
        atomic { to[s] ! PING, 0; flying[0] = 1 }
#endif

#ifdef TWO_PINGS
    :: flying[0] && !flying[1] ->
        at[1] = READING;
        atomic { to[s] ! PING, 1; flying[1] = 1 }
#endif

    :: ATOMIC {
            from[s] ? m, n ->
            if
            :: m == KEY || m == ALL ->
#ifdef PROOF_BEFORE_APPLY
                late = m
#else
                apply(m)
#endif
            :: m == PONG ->
                flying[n] = 0;
#ifdef RECEIPT_TIME
                at[n] = READING;
#endif
                prove(at[n]);
                at[n] = 0;
#ifdef PROOF_BEFORE_APPLY
                apply(late);
                late = 0
#endif
#ifdef ERROR_IS_LIFE
            :: m == ERROR -> flying[0] = 0; prove(at[0]); at[0] = 0
#endif
            :: else -> goto over
            fi;
            m = 0; n = 0
        }
    od;

over:
    /* nothing is left of a session that is over */
    atomic { m = 0; n = 0; my_epoch = 0; at[0] = 0; at[1] = 0;
             flying[0] = 0; flying[1] = 0; late = 0; tmp = 0 }
}


inline stamp_the_time()
{
    stamp_time = READING
}


inline stamp_the_epoch()
{
#ifdef OLD_CONNECTION
    stamp_epoch = epoch
#else
    d_step { conn_epoch == epoch -> stamp_epoch = epoch }
#endif
}


inline stamp_the_count()
{
    stamp_count = count;
    stamp_shared = shared
}


/* The connection is opened within an epoch, to the feed's own peer. */

inline open_connection()
{
#if defined(PEER_APART)
    conn_epoch = epoch;
    d_step { conn_server = apart; connected = 1 }
#elif defined(OTHER_SERVER)
    atomic {
        conn_epoch = epoch; connected = 1;
        if
        :: conn_server = OURS
        :: conn_server = OTHER
        fi
    }
#else
    d_step { conn_epoch = epoch; conn_server = peer; connected = 1 }
#endif
}


/* What does not fit blocks: another look-up may fit, and is another run. */

active proctype Lookup()
{
    open_connection();

#if !defined(STAMP_AFTER_SEND) && !defined(TIME_AFTER_SEND)
    stamp_the_time();
#endif
    stamp_the_epoch();
#if !defined(STAMP_AFTER_SEND) && !defined(COUNT_AFTER_SEND)
    stamp_the_count();
#endif

#if defined(STAMP_AFTER_SEND) || defined(TIME_AFTER_SEND)                   \
    || defined(EPOCH_AFTER_SEND) || defined(COUNT_AFTER_SEND)
    sent = 1;
#endif
#if defined(STAMP_AFTER_SEND) || defined(TIME_AFTER_SEND)
    stamp_the_time();
#endif
#if defined(STAMP_AFTER_SEND) || defined(EPOCH_AFTER_SEND)
    stamp_epoch = epoch;
#endif
#if defined(STAMP_AFTER_SEND) || defined(COUNT_AFTER_SEND)
    stamp_the_count();
#endif
    d_step { sent = 1; stamped = 1; conn_epoch = 0 }

    /*
     * The connection broke: once more on a new one, with the stamp it has,
     * as long as that is of the same epoch.
     */
end:
    do
    :: d_step { record == NONE && !connected && epoch == stamp_epoch ->
                conn_server = peer; connected = 1 }
    od
}


inline read_word()
{
    d_step {
        (epoch == stamp_epoch
         && (RECENT(stamp_time, at) || RECENT(proven, at) || FOR_EVER)) ->
        by_proof = !RECENT(stamp_time, at);
        read_1 = 1
    }
}


inline read_count()
{
    d_step { count == stamp_count -> read_2 = 1 }
    d_step { shared == stamp_shared -> read_3 = 1 }
}


/*
 * What it reads and finds to differ blocks it: a miss.  A look-up that is not
 * yet sent when the request begins is sent after it, and is none to fear.
 */

active proctype Request()
{
    byte  at;

#ifdef CACHED_CLOCK
    at = clock;
    now == 2 && stamped;
#else
    now == 2 && stamped;
    at = clock;
#endif

#if defined(JOIN_ANY)                     /* its reply is still on the way */
    skip;
#elif defined(COUNT_BEFORE_WORD)
    read_count();
    read_word();
#else
    read_word();
    read_count();
#endif

    answered = 1;
    PROMISE
}


/*
 * A run in which nothing can go wrong any more need not be followed: the
 * look-up has read, or is about to, that the token is revoked, or asks for
 * another Redis; or, since epoch and counters only grow, the request will
 * never find them as the stamp has them.
 */

#ifdef REACH_DENIED
#define HARMLESS  (record == VALID)
#else
#define HARMLESS  (record == REVOKED                                        \
                   || (record == NONE && revoked && connected               \
                       && conn_server == OURS))
#endif

#if defined(PROOF_STORED) || defined(JOIN_ANY)
#define PAST_EPOCH  false
#else
#define PAST_EPOCH  (epoch != stamp_epoch && !read_1)
#endif

#if defined(COUNT_NOT_ATOMIC) || defined(JOIN_ANY)
#define PAST_COUNT  false
#else
#define PAST_COUNT  ((count != stamp_count && !read_2)                      \
                     || (shared != stamp_shared && !read_3))
#endif

/* These have long traces, to which the search is led. */

#ifdef PROOF_STORED
#define ASTRAY  ((connected && lease < 2) || (stamped && stamp_epoch != 2)   \
                 || (revoked && !stamped) || (lease == 3 && !revoked))
#elif defined(REACH_RESTART)
#define ASTRAY  (writes || (connected && !restarted))
#elif defined(COUNT_NOT_ATOMIC)
#define ASTRAY  ((writes && lease < 2)                                      \
                 || (stamped && (stamp_epoch != 2 || stamp_count == 0)))
#else
#define ASTRAY  false
#endif

#ifndef FUTILE
#define FUTILE  (HARMLESS || ASTRAY                                         \
                 || (stamped && (server_of[stamp_epoch] == OTHER            \
                                 || PAST_EPOCH || PAST_COUNT)))
#endif

never {
    do
    :: !FUTILE
    od
}


init {
    byte  i;

    atomic {
        for (i : 0 .. S - 1) {
            run Feed(i)
        }
        i = 0
    }
}
