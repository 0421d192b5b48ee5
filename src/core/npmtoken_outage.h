
/*
 * Something does not work for a while.  What begins that is a line of the log,
 * and so is its end; what fails in between is not, however often it does.
 */


#ifndef _NPMTOKEN_OUTAGE_H_INCLUDED_
#define _NPMTOKEN_OUTAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* milliseconds, where a request can begin an outage, and another one end it */
#define NPMTOKEN_OUTAGE_PAUSE  5000


/* all zero at first, but the pause */

typedef struct {
    ngx_msec_t            pause;       /* between the first lines of two */
    ngx_msec_t            since;
    ngx_msec_t            next;        /* first line of another, not before */
    ngx_uint_t            n;           /* failures */
    uint32_t              told;        /* reasons that were logged, as bits */
    unsigned              failing:1;
} npmtoken_outage_t;


#define npmtoken_outage_bit(why)                                              \
    ((uint32_t) 1 << ((why) ? 1 + (why) % 31 : 0))


/*
 * Whether a line about a failure is due.  "why" is a hash of the reason, or 0
 * for one that is not worth a line after any other.  Each reason is told once
 * in an outage.  An outage that is shorter than the pause may not be told.
 */

static ngx_inline ngx_uint_t
npmtoken_outage_due(npmtoken_outage_t *outage, uint32_t why, ngx_msec_t now)
{
    if (outage->failing && outage->told) {
        return !(outage->told & npmtoken_outage_bit(why));
    }

    return (ngx_msec_int_t) (now - outage->next) >= 0;
}


/* The same; and the failure counts, and the line is written. */

static ngx_inline ngx_uint_t
npmtoken_outage_fail(npmtoken_outage_t *outage, uint32_t why, ngx_msec_t now)
{
    if (!outage->failing) {
        outage->failing = 1;
        outage->told = 0;
        outage->n = 0;
        outage->since = now;
    }

    outage->n++;

    if (!npmtoken_outage_due(outage, why, now)) {
        return 0;
    }

    if (outage->told == 0) {
        outage->next = now + outage->pause;
    }

    outage->told |= npmtoken_outage_bit(why) | 1;

    return 1;
}


/*
 * It works.  Returns 1 if an outage ended that had a line in the log, with
 * its milliseconds up to "end"; "outage->n" is how often it failed.
 */

static ngx_inline ngx_uint_t
npmtoken_outage_end(npmtoken_outage_t *outage, ngx_msec_t end,
    ngx_msec_t *lasted)
{
    if (!outage->failing) {
        return 0;
    }

    *lasted = ((ngx_msec_int_t) (end - outage->since) > 0)
              ? end - outage->since : 0;

    outage->failing = 0;

    return outage->told != 0;
}


#endif /* _NPMTOKEN_OUTAGE_H_INCLUDED_ */
