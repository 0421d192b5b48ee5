
/*
 * A worker makes one walk at a time, for up to 32 callers that asked before it
 * began.  Later callers wait for a next walk.  So Redis has at most one page of
 * each worker to answer at a time, however many names strangers ask for.
 */


#include "npmtoken_script.h"
#include "ngx_http_npmtoken_walk.h"


/* keys of a page; one page occupies Redis for about half a millisecond */
#define NGX_HTTP_NPMTOKEN_WALK_PAGE        "200"

/* names of one walk; all callers that may wait, and those of an address */
#define NGX_HTTP_NPMTOKEN_WALK_NAMES       32
#define NGX_HTTP_NPMTOKEN_WALK_WAITERS     256
#define NGX_HTTP_NPMTOKEN_WALK_SHARE       32

#define NGX_HTTP_NPMTOKEN_WALK_CURSOR_LEN  20


struct ngx_http_npmtoken_walk_s {
    ngx_http_npmtoken_commands_t       *commands;
    ngx_http_npmtoken_store_t          *store;
    ngx_http_npmtoken_command_waiter_t  asking;    /* for a page */
    ngx_http_npmtoken_walk_waiter_t    *waiters[NGX_HTTP_NPMTOKEN_WALK_WAITERS];
    ngx_uint_t                          next;      /* where the search for
                                                      the next walk's waiters
                                                      begins */
    u_char                      cursor[NGX_HTTP_NPMTOKEN_WALK_CURSOR_LEN];
    size_t                              cursor_len;
    ngx_uint_t                          session;   /* that knows the cursor */
    unsigned                            running:1;
};


static ngx_uint_t ngx_http_npmtoken_walk_place(ngx_http_npmtoken_walk_t *walk,
    ngx_str_t *address);
static ngx_int_t ngx_http_npmtoken_walk_begin(ngx_http_npmtoken_walk_t *walk);
static ngx_int_t ngx_http_npmtoken_walk_page(ngx_http_npmtoken_walk_t *walk);
static void ngx_http_npmtoken_walk_reply(
    ngx_http_npmtoken_command_waiter_t *asking, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_walk_read(ngx_http_npmtoken_walk_t *walk,
    redisReply *reply);
static void ngx_http_npmtoken_walk_found(ngx_http_npmtoken_walk_t *walk,
    redisReply *names, ngx_http_npmtoken_walk_e what);
static ngx_uint_t ngx_http_npmtoken_walk_has(redisReply *names,
    ngx_str_t *name);
static void ngx_http_npmtoken_walk_end(ngx_http_npmtoken_walk_t *walk,
    ngx_int_t rc);
static void ngx_http_npmtoken_walk_waiter_end(
    ngx_http_npmtoken_walk_waiter_t *waiter, ngx_int_t rc);


ngx_http_npmtoken_walk_t *
ngx_http_npmtoken_walk_get(ngx_conf_t *cf, ngx_array_t *all,
    ngx_http_npmtoken_commands_t *commands, ngx_http_npmtoken_store_t *store)
{
    ngx_uint_t                  i;
    ngx_http_npmtoken_walk_t   *walk, **p;

    p = all->elts;

    for (i = 0; i < all->nelts; i++) {
        if (p[i]->store == store) {
            return p[i];
        }
    }

    p = ngx_array_push(all);
    walk = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_walk_t));

    if (p == NULL || walk == NULL) {
        return NULL;
    }

    walk->commands = commands;
    walk->store = store;
    walk->asking.handler = ngx_http_npmtoken_walk_reply;
    walk->asking.data = walk;

    *p = walk;

    return walk;
}


ngx_int_t
ngx_http_npmtoken_walk(ngx_http_npmtoken_walk_t *walk,
    ngx_http_npmtoken_walk_waiter_t *waiter)
{
    ngx_uint_t  i;

    i = ngx_http_npmtoken_walk_place(walk, &waiter->address);

    if (i == NGX_HTTP_NPMTOKEN_WALK_WAITERS) {
        return NGX_ERROR;
    }

    waiter->place = i;
    waiter->walk = walk;
    waiter->walking = 0;

    walk->waiters[i] = waiter;

    if (walk->running || ngx_http_npmtoken_walk_begin(walk) == NGX_OK) {
        return NGX_AGAIN;
    }

    walk->running = 0;

    ngx_http_npmtoken_walk_forget(waiter);

    return NGX_ERROR;
}


/*
 * Returns a free place.  Returns NGX_HTTP_NPMTOKEN_WALK_WAITERS if there is
 * none, or if this address has its share.
 */

static ngx_uint_t
ngx_http_npmtoken_walk_place(ngx_http_npmtoken_walk_t *walk,
    ngx_str_t *address)
{
    ngx_str_t   *other;
    ngx_uint_t   i, place, share;

    place = NGX_HTTP_NPMTOKEN_WALK_WAITERS;
    share = 0;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_WALK_WAITERS; i++) {

        if (walk->waiters[i] == NULL) {
            place = i;
            continue;
        }

        other = &walk->waiters[i]->address;

        if (other->len == address->len
            && ngx_memcmp(other->data, address->data, address->len) == 0)
        {
            share++;
        }
    }

    return share < NGX_HTTP_NPMTOKEN_WALK_SHARE
           ? place : NGX_HTTP_NPMTOKEN_WALK_WAITERS;
}


/*
 * Returns NGX_OK, also if there are no waiters.  Returns NGX_ERROR if nothing
 * was sent.
 */

static ngx_int_t
ngx_http_npmtoken_walk_begin(ngx_http_npmtoken_walk_t *walk)
{
    ngx_uint_t                        i, n;
    ngx_http_npmtoken_walk_waiter_t  *waiter;

    n = 0;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_WALK_WAITERS; i++) {

        if (n == NGX_HTTP_NPMTOKEN_WALK_NAMES) {
            break;
        }

        waiter = walk->waiters[walk->next];
        walk->next = (walk->next + 1) % NGX_HTTP_NPMTOKEN_WALK_WAITERS;

        if (waiter) {
            waiter->walking = 1;
            n++;
        }
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken walk for %ui names", n);

    walk->running = (n != 0);
    walk->cursor[0] = '0';
    walk->cursor_len = 1;
    walk->session = 0;

    return walk->running ? ngx_http_npmtoken_walk_page(walk) : NGX_OK;
}


/*
 * In a cluster the keys select the node: a store has all keys in one slot.  A
 * node that moves the slot has only some of them, and refuses the script
 * because of the key that does not exist.
 */

static ngx_int_t
ngx_http_npmtoken_walk_page(ngx_http_npmtoken_walk_t *walk)
{
    ngx_str_t                         argv[8 + NGX_HTTP_NPMTOKEN_WALK_NAMES];
    ngx_uint_t                        i, n;
    ngx_http_npmtoken_walk_waiter_t  *waiter;

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = npmtoken_script_walk;
    ngx_str_set(&argv[2], "2");
    argv[4] = walk->store->lookup.endpoint.none;
    argv[5] = walk->store->prefix;
    argv[6].data = walk->cursor;
    argv[6].len = walk->cursor_len;
    ngx_str_set(&argv[7], NGX_HTTP_NPMTOKEN_WALK_PAGE);

    n = 8;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_WALK_WAITERS; i++) {
        waiter = walk->waiters[i];

        if (waiter && waiter->walking) {
            argv[3] = waiter->key;
            argv[n++] = waiter->name;
        }
    }

    if (n == 8) {
        return NGX_DECLINED;
    }

    return ngx_http_npmtoken_command_page(walk->commands, &walk->session, n,
                                          argv, &walk->asking)
           == NGX_AGAIN ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_npmtoken_walk_reply(ngx_http_npmtoken_command_waiter_t *asking,
    redisReply *reply)
{
    ngx_http_npmtoken_walk_t  *walk = asking->data;

    if (reply == NULL
        || ngx_http_npmtoken_walk_read(walk, reply) != NGX_OK)
    {
        ngx_http_npmtoken_walk_end(walk, NGX_ERROR);
        return;
    }

    if (walk->cursor_len == 1 && walk->cursor[0] == '0') {
        ngx_http_npmtoken_walk_end(walk, NGX_OK);
        return;
    }

    /* this also fails if no waiter is left */

    if (ngx_http_npmtoken_walk_page(walk) != NGX_OK) {
        ngx_http_npmtoken_walk_end(walk, NGX_ERROR);
    }
}


static ngx_int_t
ngx_http_npmtoken_walk_read(ngx_http_npmtoken_walk_t *walk, redisReply *reply)
{
    redisReply  *cursor, *found, *unfolded;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return NGX_ERROR;
    }

    cursor = reply->element[0];
    found = reply->element[1];
    unfolded = reply->element[2];

    if (cursor->type != REDIS_REPLY_STRING
        || cursor->len == 0
        || cursor->len > NGX_HTTP_NPMTOKEN_WALK_CURSOR_LEN
        || found->type != REDIS_REPLY_ARRAY
        || unfolded->type != REDIS_REPLY_ARRAY)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(walk->cursor, cursor->str, cursor->len);
    walk->cursor_len = cursor->len;

    ngx_http_npmtoken_walk_found(walk, found, NGX_HTTP_NPMTOKEN_WALK_ANYTHING);
    ngx_http_npmtoken_walk_found(walk, unfolded,
                                 NGX_HTTP_NPMTOKEN_WALK_UNFOLDED);

    return NGX_OK;
}


static void
ngx_http_npmtoken_walk_found(ngx_http_npmtoken_walk_t *walk,
    redisReply *names, ngx_http_npmtoken_walk_e what)
{
    ngx_uint_t                        i;
    ngx_http_npmtoken_walk_waiter_t  *waiter;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_WALK_WAITERS; i++) {
        waiter = walk->waiters[i];

        if (waiter
            && waiter->walking
            && waiter->what == what
            && ngx_http_npmtoken_walk_has(names, &waiter->name))
        {
            ngx_http_npmtoken_walk_waiter_end(waiter, NGX_BUSY);
        }
    }
}


static ngx_uint_t
ngx_http_npmtoken_walk_has(redisReply *names, ngx_str_t *name)
{
    size_t       i;
    redisReply  *found;

    for (i = 0; i < names->elements; i++) {
        found = names->element[i];

        if (found->type == REDIS_REPLY_STRING
            && (size_t) found->len == name->len
            && ngx_memcmp(found->str, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * The walk is still marked as running here, so a name that a handler asks for
 * is in the next walk.  A walk that cannot begin ends at once.
 */

static void
ngx_http_npmtoken_walk_end(ngx_http_npmtoken_walk_t *walk, ngx_int_t rc)
{
    ngx_uint_t                        i;
    ngx_http_npmtoken_walk_waiter_t  *waiter;

    do {
        for (i = 0; i < NGX_HTTP_NPMTOKEN_WALK_WAITERS; i++) {
            waiter = walk->waiters[i];

            if (waiter && waiter->walking) {
                ngx_http_npmtoken_walk_waiter_end(waiter, rc);
            }
        }

        rc = ngx_http_npmtoken_walk_begin(walk);

    } while (rc != NGX_OK);
}


/* The handler may free the memory of its waiter. */

static void
ngx_http_npmtoken_walk_waiter_end(ngx_http_npmtoken_walk_waiter_t *waiter,
    ngx_int_t rc)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken walk, waiter at %ui: %i", waiter->place, rc);

    ngx_http_npmtoken_walk_forget(waiter);

    waiter->handler(waiter, rc);
}


void
ngx_http_npmtoken_walk_forget(ngx_http_npmtoken_walk_waiter_t *waiter)
{
    if (waiter->walk) {
        waiter->walk->waiters[waiter->place] = NULL;
        waiter->walk = NULL;
    }
}
