
/*
 * A connection for jobs, each of one command or two: they are sent in order,
 * and only to a master.  Of an account one is sent at a time, and others are
 * held back.
 *
 * A command that has been sent is never sent again: it may have been done.
 * So a connection that may be forgotten by now is asked for a sign of life
 * first, and made anew where none comes.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LINK_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LINK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_seldom.h"
#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_store.h"


typedef struct ngx_http_npmtoken_link_s  ngx_http_npmtoken_link_t;


/* what a link sees of a job; the job's owner sets the commands */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_npmtoken_command_t      commands[2];
    ngx_uint_t                       ncommands;
    ngx_uint_t                       nreplies;  /* that have come */
    ngx_str_t                        account;   /* empty: none is held */
    unsigned                         sent:1;
    unsigned                         held:1;
} ngx_http_npmtoken_link_job_t;


/*
 * How the owner of jobs is called back, never from within _link_add().  It
 * removes a job that has ended.
 */

typedef struct {
    /*
     * The reply to a command of the job that was sent first; it lives for the
     * call.  NGX_ERROR: it is not what was asked for, and the connection is to
     * be closed.
     */
    ngx_int_t                      (*reply)(ngx_http_npmtoken_link_job_t *job,
                                            redisReply *reply);

    /* it was sent, and no reply will come */
    void                           (*lost)(ngx_http_npmtoken_link_job_t *job);
} ngx_http_npmtoken_link_owner_t;


struct ngx_http_npmtoken_link_s {
    ngx_http_npmtoken_connection_t   conn;
    ngx_http_npmtoken_link_owner_t  *owner;
    ngx_queue_t                      jobs;      /* in the order of sending */
    ngx_queue_t                      held;      /* by age */
    npmtoken_seldom_t                refused;   /* by Redis; its owner's */
    ngx_event_t                      probe;     /* ends the waiting for it */
    ngx_msec_t                       timeout;
    unsigned                         probing:1; /* nothing else is sent */
    unsigned                         doubt:1;   /* whether to a master */
};


/* One to the Redis of a store; "label" is for logs.  NULL: no memory. */
ngx_http_npmtoken_link_t *ngx_http_npmtoken_link_create(
    ngx_http_npmtoken_store_t *store, char *label,
    ngx_http_npmtoken_link_owner_t *owner);

/*
 * Sends a job now, or when there is a connection.  Its owner sees to it that
 * it does not wait for ever.  NGX_OK, or NGX_ERROR: no memory, it is not sent.
 */
ngx_int_t ngx_http_npmtoken_link_add(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);

/* Takes a job out; the next one of its account is sent, if one is held. */
void ngx_http_npmtoken_link_remove(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);

/* How many jobs of an account are held. */
ngx_uint_t ngx_http_npmtoken_link_held(ngx_http_npmtoken_link_t *link,
    ngx_str_t *account);

/*
 * It may lead to no master: the next job is sent when it has shown what it
 * leads to.  NULL is none.
 */
void ngx_http_npmtoken_link_doubt(ngx_http_npmtoken_link_t *link);

/* Closes it.  Nobody is called; what is left of jobs is their owner's. */
void ngx_http_npmtoken_link_destroy(ngx_http_npmtoken_link_t *link);


#endif /* _NGX_HTTP_NPMTOKEN_LINK_H_INCLUDED_ */
