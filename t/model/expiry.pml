/*
 * A key that expires does so without a push, or with a late one.  The promise:
 * a request that begins when the key has expired is not answered by what was
 * read before.  Redis tells how long a key has yet to live, not until when.
 */

#define EXPIRES  2
#define END      5

byte  now;

bit   stamped, ran, filled;
bit   found;
byte  stamp, ttl, deadline;


active proctype Time()
{
end:
    do
    :: now < END -> now++
    od
}


active proctype Lookup()
{
    stamp = now;
    stamped = 1;

    d_step {                                      /* Redis */
        found = (now < EXPIRES);
        ttl = (found -> EXPIRES - now : 0);
        ran = 1
    }

#ifdef DEADLINE_FROM_RECEIPT
    deadline = now + ttl;
#else
    deadline = stamp + ttl;
#endif
    filled = 1
}


active proctype Request()
{
    byte  begun;

    begun = now;

    if
    :: filled ->                                  /* an entry of the cache */
#ifndef EXPIRY_BY_PUSH
        now < deadline;
#endif
        skip
    :: stamped && !filled ->                      /* a look-up to join */
        filled;
#ifndef ANSWER_UNCHECKED
        now < deadline;
#endif
        skip
    fi;

#ifdef REACH
    assert(!(found && begun > stamp))
#else
    assert(!(found && begun >= EXPIRES))
#endif
}
