
/*
 * A line of the log that others can cause as often as they like: is it time to
 * write it, and how often was it not?
 */


#ifndef _NPMTOKEN_SELDOM_H_INCLUDED_
#define _NPMTOKEN_SELDOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* seconds between two that say the same */
#define NPMTOKEN_SELDOM_PAUSE  5


/* all zero at first */

typedef struct {
    time_t                next;        /* not before */
    uint32_t              what;        /* was said */
    ngx_uint_t            omitted;     /* since then */
} npmtoken_seldom_t;


/*
 * Whether the line is written now, in seconds: what is another thing than the
 * last time always is.  "omitted" is how often the last thing was left out.
 */

static ngx_inline ngx_uint_t
npmtoken_seldom(npmtoken_seldom_t *seldom, uint32_t what, time_t now,
    ngx_uint_t *omitted)
{
    if (now < seldom->next && what == seldom->what) {
        seldom->omitted++;
        return 0;
    }

    *omitted = seldom->omitted;

    seldom->next = now + NPMTOKEN_SELDOM_PAUSE;
    seldom->what = what;
    seldom->omitted = 0;

    return 1;
}


#endif /* _NPMTOKEN_SELDOM_H_INCLUDED_ */
