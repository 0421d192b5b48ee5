
/*
 * Login attempts, counted in Redis and so across all nodes.
 *
 * An attempt takes a place when it begins.  A failed attempt keeps its place
 * until its time is over, so attempts made in parallel cannot exceed the
 * limit.  A successful attempt gives its place back.  If all places are taken
 * and some of them belong to attempts still being checked, a new attempt waits
 * for one of these to end.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ATTEMPTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ATTEMPTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_npmtoken_command.h"
#include "ngx_http_npmtoken_share.h"


/* tallies of an attempt: the account and the address, or one other */
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES  2

#define NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN   16


typedef struct ngx_http_npmtoken_attempt_s  ngx_http_npmtoken_attempt_t;


/*
 * One attempt.  The caller owns the memory, zeroes it first, and must call
 * ngx_http_npmtoken_attempts_forget() before it frees it.
 */

struct ngx_http_npmtoken_attempt_s {
    ngx_pool_t                          *pool;      /* outlives the attempt */
    ngx_http_npmtoken_commands_t        *commands;
    ngx_str_t                            prefix;    /* of the store */
    ngx_str_t                            address;   /* stands for the client's
                                                       address; a text */
    time_t                               time;      /* seconds that a failed
                                                       attempt counts */
    unsigned                             counts:1;  /* it counts at once,
                                                       whatever its result */

    /*
     * NGX_OK: the attempt may go on, or its failure has been counted.
     * NGX_BUSY: there is no place for "wait" seconds.
     * NGX_ERROR: Redis cannot be asked, the attempt has waited for too long,
     * or too many attempts wait.
     */
    void                               (*handler)(
                                         ngx_http_npmtoken_attempt_t *attempt,
                                         ngx_int_t rc);
    void                                *data;
    time_t                               wait;

    /* private to _attempts */
    ngx_http_npmtoken_sharer_t           sharer;    /* while it waits */
    ngx_http_npmtoken_command_waiter_t   asking;
    ngx_str_t               keys[NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];
    ngx_uint_t              limits[NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];
    ngx_uint_t                           n;         /* of keys and limits */
    u_char                  id[NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN];
    ngx_event_t                          timer;
    ngx_msec_t                           again;     /* delay of next retry */
    ngx_msec_t                           end;       /* when retries end */
    unsigned                             waits:1;   /* it waits for a place */
    unsigned                             placed:1;  /* it has a place */
};


/*
 * Initializes an attempt whose public members are set.  Returns NGX_OK, or
 * NGX_ERROR if there are no random bytes for its id.
 */
ngx_int_t ngx_http_npmtoken_attempts_create(
    ngx_http_npmtoken_attempt_t *attempt);

/*
 * Counts the attempt in the tally of "what".  "kind" begins the tally's name,
 * for example "tries:token:".  A limit of 0 means no limit, and no tally.
 * what->data may be NULL: the caller had no memory for it.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_npmtoken_attempts_tally(
    ngx_http_npmtoken_attempt_t *attempt, char *kind, ngx_str_t *what,
    ngx_uint_t limit);

/*
 * Takes a place.  Returns NGX_OK if the attempt has no limit and may go on;
 * NGX_AGAIN if the handler will be called, never from within this function;
 * NGX_ERROR if there is no memory, and the handler will not be called.
 */
ngx_int_t ngx_http_npmtoken_attempts_begin(
    ngx_http_npmtoken_attempt_t *attempt);

/*
 * Counts the attempt as failed.  Returns as above; NGX_OK means that the
 * attempt has no place, so there is nothing to count.
 */
ngx_int_t ngx_http_npmtoken_attempts_fail(
    ngx_http_npmtoken_attempt_t *attempt);

/*
 * Gives the place back, if the attempt has one: it succeeded, or there was
 * nothing to check.
 */
void ngx_http_npmtoken_attempts_give_back(
    ngx_http_npmtoken_attempt_t *attempt);

/*
 * Cancels the attempt: the handler will not be called.  An attempt that still
 * has a place has no known result, and counts as failed.
 */
void ngx_http_npmtoken_attempts_forget(ngx_http_npmtoken_attempt_t *attempt);

/*
 * Returns the key of a tally, allocated from "pool": the prefix of a store,
 * "kind", and a digest of "what".  The data is NULL if there is no memory, or
 * if what->data is NULL.
 */
ngx_str_t ngx_http_npmtoken_attempts_key(ngx_pool_t *pool, ngx_str_t *prefix,
    char *kind, ngx_str_t *what);

/*
 * Returns a number as text, allocated from "pool".  The data is NULL if there
 * is no memory.
 */
ngx_str_t ngx_http_npmtoken_attempts_number(ngx_pool_t *pool, uint64_t n);

/* Returns the seconds of a reply "WAIT N", or NGX_DECLINED for another one. */
ngx_int_t ngx_http_npmtoken_attempts_wait(redisReply *reply);


#endif /* _NGX_HTTP_NPMTOKEN_ATTEMPTS_H_INCLUDED_ */
