
/*
 * Finds out whether anything in Redis uses a name.  Operators may write records
 * by hand, so no index has them all.  A walk looks at each key, page by page.
 */


#ifndef _NGX_HTTP_NPMTOKEN_WALK_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_WALK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_command.h"


typedef struct ngx_http_npmtoken_walk_s         ngx_http_npmtoken_walk_t;
typedef struct ngx_http_npmtoken_walk_waiter_s  ngx_http_npmtoken_walk_waiter_t;


typedef enum {
    /* an account, a set of tokens, or the record of a token */
    NGX_HTTP_NPMTOKEN_WALK_ANYTHING = 0,

    /* only an account whose key has capitals, made by an older release */
    NGX_HTTP_NPMTOKEN_WALK_UNFOLDED
} ngx_http_npmtoken_walk_e;


/*
 * A caller that waits for the end of a walk.  The caller owns the memory and
 * the texts.  It must call ngx_http_npmtoken_walk_forget() before it
 * frees them.
 */

struct ngx_http_npmtoken_walk_waiter_s {
    ngx_str_t                      name;      /* folded */
    ngx_str_t                      key;       /* key of its account */
    ngx_str_t                      address;   /* text of the client's */
    ngx_http_npmtoken_walk_e       what;

    /*
     * NGX_OK: nothing uses the name.  NGX_BUSY: something uses it, in any
     * spelling.  NGX_ERROR: the walk could not be finished.
     */
    void                         (*handler)(
                                      ngx_http_npmtoken_walk_waiter_t *waiter,
                                      ngx_int_t rc);
    void                          *data;

    ngx_http_npmtoken_walk_t      *walk;      /* NULL: not waiting */
    ngx_uint_t                     place;     /* index in "waiters" */
    unsigned                       walking:1; /* 0: is for the next walk */
};


/*
 * Returns the walk of a store.  The first call for a store allocates it from
 * the pool of "cf" and adds it to "all".  Returns NULL if there is no memory.
 */
ngx_http_npmtoken_walk_t *ngx_http_npmtoken_walk_get(ngx_conf_t *cf,
    ngx_array_t *all, ngx_http_npmtoken_commands_t *commands,
    ngx_http_npmtoken_store_t *store);

/*
 * Looks for waiter->name.  Returns NGX_AGAIN if the waiter will be called:
 * once, and never from within this function.  Returns NGX_ERROR if there is no
 * memory or too many wait; then the waiter will not be called.
 */
ngx_int_t ngx_http_npmtoken_walk(ngx_http_npmtoken_walk_t *walk,
    ngx_http_npmtoken_walk_waiter_t *waiter);

/* Cancels the call of a waiter.  Does nothing if the waiter does not wait. */
void ngx_http_npmtoken_walk_forget(ngx_http_npmtoken_walk_waiter_t *waiter);


#endif /* _NGX_HTTP_NPMTOKEN_WALK_H_INCLUDED_ */
