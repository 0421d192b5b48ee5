
/*
 * Is a name known to anything in Redis?  Records may be written by hand, so
 * no index has them all: each key is looked at, page by page.
 */


#ifndef _NGX_HTTP_NPMTOKEN_WALK_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_WALK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_command.h"


typedef struct ngx_http_npmtoken_walk_s         ngx_http_npmtoken_walk_t;
typedef struct ngx_http_npmtoken_walk_waiter_s  ngx_http_npmtoken_walk_waiter_t;


typedef enum {
    /* what counts: an account, a set of tokens, or a record; or just ... */
    NGX_HTTP_NPMTOKEN_WALK_ANYTHING = 0,

    /* an account whose key has capitals, as an older release made them */
    NGX_HTTP_NPMTOKEN_WALK_UNFOLDED
} ngx_http_npmtoken_walk_e;


/*
 * What a caller hands over to be called back.  It is the caller's memory, and
 * so are its texts; the caller must forget it before that goes.
 */

struct ngx_http_npmtoken_walk_waiter_s {
    ngx_str_t                      name;      /* folded, */
    ngx_str_t                      key;       /* and its account's */
    ngx_str_t                      address;   /* whom it is for, as a text */
    ngx_http_npmtoken_walk_e       what;

    /*
     * NGX_OK: nothing has the name; NGX_BUSY: something has, however it spells
     * it; NGX_ERROR: that cannot be known now.
     */
    void                         (*handler)(
                                      ngx_http_npmtoken_walk_waiter_t *waiter,
                                      ngx_int_t rc);
    void                          *data;

    ngx_http_npmtoken_walk_t      *walk;      /* NULL: not waiting */
    ngx_uint_t                     place;     /* in "waiters" */
    unsigned                       walking:1; /* else: in the next one */
};


/* The one of a store, made in "cf" the first time.  NULL: no memory. */
ngx_http_npmtoken_walk_t *ngx_http_npmtoken_walk_get(ngx_conf_t *cf,
    ngx_array_t *all, ngx_http_npmtoken_commands_t *commands,
    ngx_http_npmtoken_store_t *store);

/*
 * Looks for waiter->name.  NGX_AGAIN: the waiter will be called once, never
 * from within here.  NGX_ERROR: it will not be; that cannot be known now.
 */
ngx_int_t ngx_http_npmtoken_walk(ngx_http_npmtoken_walk_t *walk,
    ngx_http_npmtoken_walk_waiter_t *waiter);

/* The waiter will not be called; nothing happens if it does not wait. */
void ngx_http_npmtoken_walk_forget(ngx_http_npmtoken_walk_waiter_t *waiter);


#endif /* _NGX_HTTP_NPMTOKEN_WALK_H_INCLUDED_ */
