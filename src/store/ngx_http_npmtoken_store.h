
/*
 * A store: the way to get a record, from the cache or from Redis.
 */


#ifndef _NGX_HTTP_NPMTOKEN_STORE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_feed.h"
#include "ngx_http_npmtoken_lookup.h"


typedef struct {
    ngx_str_t                         name;

    ngx_http_npmtoken_lookup_conf_t   lookup;
    ngx_http_npmtoken_feed_conf_t     feed_conf;
    ngx_str_t                         redis_user;
    ngx_str_t                         redis_password;
    ngx_str_t                         prefix;

    size_t                            cache_size;     /* 0: off */
    ngx_msec_t                        cache_ttl;
    ngx_msec_t                        negative_ttl;
    ngx_msec_t                        stale_reads;    /* 0: never */
    ngx_uint_t                        push;

    /* where the store is defined, or else first used; for messages */
    u_char                           *file;
    ngx_uint_t                        line;
    u_char                           *parsed;      /* the last directive */
    unsigned                          defined:1;
    unsigned                          used:1;      /* by a location */

    /* of this worker; look-ups are started when first needed */
    ngx_http_npmtoken_lookups_t      *lookups;
    ngx_http_npmtoken_feed_t         *feed;
} ngx_http_npmtoken_store_t;


/*
 * Starts what a worker needs from the beginning.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_npmtoken_store_start(ngx_http_npmtoken_store_t *store);

/*
 * Makes the tag of a token and prefetches the slot where its entry would be.
 * Call it early.  Does nothing if there is no cache.
 */
void ngx_http_npmtoken_store_tag(ngx_http_npmtoken_store_t *store,
    ngx_str_t *token, u_char *tag);

/*
 * Reads a token's entry from the cache.
 * NGX_OK: "entry" is a copy that may be used.  Its record has size 0 if there
 * is no such token.
 * NGX_DECLINED: there is none that may be used; ask Redis.
 */
ngx_int_t ngx_http_npmtoken_store_cached(ngx_http_npmtoken_store_t *store,
    u_char *tag, ngx_http_npmtoken_entry_t *entry);

/*
 * Reads a token's entry that may be used for reading while Redis cannot be
 * asked, by "stale_reads".  Returns NGX_OK with a copy in "entry", or
 * NGX_DECLINED if there is none.
 */
ngx_int_t ngx_http_npmtoken_store_stale(ngx_http_npmtoken_store_t *store,
    u_char *tag, ngx_http_npmtoken_entry_t *entry);

/*
 * Asks for the record of a key (NPMTOKEN_KEY_LEN digits) on behalf of the
 * client at "sockaddr".
 * NGX_AGAIN: the waiter will be called, but never from within this call.
 * NGX_ERROR: it will not be called.  Tokens cannot be checked now.
 */
ngx_int_t ngx_http_npmtoken_store_ask(ngx_http_npmtoken_store_t *store,
    u_char *tag, u_char *key, struct sockaddr *sockaddr,
    ngx_http_npmtoken_waiter_t *waiter);

/* Frees what this worker has of a store, when the worker exits. */
void ngx_http_npmtoken_store_exit(ngx_http_npmtoken_store_t *store);


#endif /* _NGX_HTTP_NPMTOKEN_STORE_H_INCLUDED_ */
