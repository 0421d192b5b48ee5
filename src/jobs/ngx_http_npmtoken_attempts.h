
/*
 * Attempts to prove who one is, counted in Redis, so over all nodes.
 *
 * An attempt takes a place when it begins and, if it fails, keeps it until its
 * time is over: so as many at once as somebody likes are no more than the
 * limit.  One that succeeds gives its place back; where all places are taken
 * by those that are being checked, it waits for that.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ATTEMPTS_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ATTEMPTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_npmtoken_command.h"
#include "ngx_http_npmtoken_share.h"


/* of an attempt: the account and the address, or one other */
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES  2

#define NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN   16


typedef struct ngx_http_npmtoken_attempt_s  ngx_http_npmtoken_attempt_t;


/*
 * What a caller hands over to be called back.  It is the caller's memory,
 * zeroed at first, and the caller must forget it before that memory goes.
 */

struct ngx_http_npmtoken_attempt_s {
    ngx_pool_t                          *pool;      /* it does not outlive */
    ngx_http_npmtoken_commands_t        *commands;
    ngx_str_t                            prefix;    /* of the store */
    ngx_str_t                            address;   /* as _share has it */
    time_t                               time;      /* that one counts */
    unsigned                             counts:1;  /* at once, and in any
                                                       case: it has no end */

    /*
     * NGX_OK: it may go on, or its end has been counted.  NGX_BUSY: there is
     * no place for "wait" seconds.  NGX_ERROR: Redis cannot be asked, or it
     * has waited for too long.
     */
    void                               (*handler)(
                                         ngx_http_npmtoken_attempt_t *attempt,
                                         ngx_int_t rc);
    void                                *data;
    time_t                               wait;

    /* of _attempts alone */
    ngx_http_npmtoken_sharer_t           sharer;    /* while it waits */
    ngx_http_npmtoken_command_waiter_t   asking;
    ngx_str_t               keys[NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];
    ngx_uint_t              limits[NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];
    ngx_uint_t                           n;         /* of these */
    u_char                  id[NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN];
    ngx_event_t                          timer;
    ngx_msec_t                           again;     /* how long it waits */
    ngx_msec_t                           end;       /* of waiting, */
    unsigned                             waits:1;   /* where it does */
    unsigned                             placed:1;  /* and is not at its end */
};


/* Makes an attempt of what is set of it: NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_npmtoken_attempts_create(
    ngx_http_npmtoken_attempt_t *attempt);

/*
 * It counts for "what", of which "kind" is the beginning of the tally's name:
 * "tries:token:".  A limit of 0 is none.  "what" may be without data, as there
 * was no memory for it.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_attempts_tally(
    ngx_http_npmtoken_attempt_t *attempt, char *kind, ngx_str_t *what,
    ngx_uint_t limit);

/*
 * Takes a place.  NGX_OK: it may go on, it has no limit.  NGX_AGAIN: the
 * handler will be called, never from within here; NGX_ERROR: no memory, it
 * will not be.
 */
ngx_int_t ngx_http_npmtoken_attempts_begin(
    ngx_http_npmtoken_attempt_t *attempt);

/* It failed, and that is counted.  As above; NGX_OK: it has no place. */
ngx_int_t ngx_http_npmtoken_attempts_fail(
    ngx_http_npmtoken_attempt_t *attempt);

/* It succeeded, or was none: gives its place back, if it has one. */
void ngx_http_npmtoken_attempts_give_back(
    ngx_http_npmtoken_attempt_t *attempt);

/*
 * The handler will not be called.  Where it has a place, nobody has seen its
 * end: it counts as failed.
 */
void ngx_http_npmtoken_attempts_forget(ngx_http_npmtoken_attempt_t *attempt);

/*
 * The key of a tally, in "pool": the prefix of a store, "kind", and a digest of
 * "what", which may be without data.  The data is NULL if there is no memory.
 */
ngx_str_t ngx_http_npmtoken_attempts_key(ngx_pool_t *pool, ngx_str_t *prefix,
    char *kind, ngx_str_t *what);

/* A number as an argument, in "pool"; the data is NULL: no memory. */
ngx_str_t ngx_http_npmtoken_attempts_number(ngx_pool_t *pool, uint64_t n);

/* The seconds of a reply "WAIT N"; NGX_DECLINED if it is another one. */
ngx_int_t ngx_http_npmtoken_attempts_wait(redisReply *reply);


#endif /* _NGX_HTTP_NPMTOKEN_ATTEMPTS_H_INCLUDED_ */
