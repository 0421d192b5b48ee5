/*
 * One slot of the table: a sequence number and two words that belong together.
 * The promise: what a reader takes for a record is one record, whole, whoever
 * was stopped or killed in the middle of writing it.  No worker waits.
 */

#define WRITERS  3

byte  seq;
byte  tag, rest;                  /* the slot; both of one writer, or torn */
byte  lock;                       /* the writer that holds the table's lock */
bit   killed[WRITERS + 1];
bit   freed;                      /* of the first, who had the lock */


inline even()
{
#ifdef SEQUENCE_GOES_BACK
    seq = s - 1
#else
    seq = s + 1
#endif
}


proctype Writer(byte me) provided (!killed[me])
{
    byte  s;

#ifndef NO_LOCK
    atomic {
        if
        :: lock == 0 -> lock = me
        :: else -> goto over                      /* it is not cached, then */
        fi
    }
#endif

    s = seq;
#ifdef BLIND_INCREMENT
    s = s + 1;
#else
    s = (s % 2 -> s : s + 1);                     /* the dead left it odd */
#endif

#ifdef ODD_AFTER
    tag = me;
    seq = s;
#else
    seq = s;
    tag = me;
#endif

#ifdef EVEN_BEFORE
    even();
    rest = me;
#else
    rest = me;
    even();
#endif

#ifndef NO_LOCK
    lock = 0;
#endif

over:
    skip
}


/* nginx's master learns of a worker's death, and frees what it had locked. */

active proctype Master()
{
end:
    do
    :: !killed[1] -> killed[1] = 1
    :: !killed[2] -> killed[2] = 1
    :: d_step { lock == 1 && killed[1] -> lock = 0; freed = 1 }
    :: d_step { lock == 2 && killed[2] -> lock = 0 }
#ifdef LOCK_TAKEN_FROM_STOPPED
    :: d_step { lock != 0 -> lock = 0 }
#endif
    od
}


active proctype Reader()
{
    byte  s, t, r;

    s = seq;
#ifndef NO_EVEN_CHECK
    s % 2 == 0;
#endif
    t = tag;
    r = rest;
#ifndef NO_RECHECK
    seq == s;
#endif

#ifdef REACH
    assert(!(t == 2 && freed && s == 2))
#else
    assert(t == r)
#endif
}


init {
    atomic { run Writer(1); run Writer(2); run Writer(3) }
}
