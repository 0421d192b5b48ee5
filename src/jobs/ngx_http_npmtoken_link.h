
/*
 * A connection for jobs.  A job is one or two commands.  Jobs are sent in
 * order, and only to a master.  If a job names an account, other jobs of that
 * account are held back until it ends.
 *
 * A command is never sent twice, because Redis may have executed it.  So a
 * connection that the other side may have dropped is probed before a job is
 * sent.  If no reply comes, the connection is made anew.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LINK_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LINK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_outage.h"
#include "ngx_http_npmtoken_connection.h"
#include "ngx_http_npmtoken_detour.h"
#include "ngx_http_npmtoken_store.h"
#include "ngx_http_npmtoken_watch.h"


typedef struct ngx_http_npmtoken_link_s  ngx_http_npmtoken_link_t;


/* the part of a job that a link uses; the job's owner sets the commands */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_npmtoken_command_t      commands[2];
    ngx_uint_t                       ncommands;
    ngx_uint_t                       nreplies;  /* received so far */
    ngx_str_t                        account;   /* empty: is never held */
    ngx_uint_t                       session;   /* 0: any; else the only one
                                                   of the link in which it
                                                   makes sense */
    ngx_http_npmtoken_detour_job_t   detour;
    unsigned                         sent:1;
    unsigned                         held:1;
    unsigned                         away:1;    /* its keys are at another
                                                   node of a cluster */
} ngx_http_npmtoken_link_job_t;


/*
 * Handlers of the owner of jobs, never called from within _link_add().  The
 * owner removes a job that has ended.
 */

typedef struct {
    /*
     * A reply to a command of the oldest job.  "reply" is valid during the
     * call.  Returns NGX_OK, or NGX_ERROR if the connection has to be closed:
     * the reply does not fit the command, or there is no memory.
     */
    ngx_int_t                      (*reply)(ngx_http_npmtoken_link_job_t *job,
                                            redisReply *reply);

    /* the job was sent, and no reply will come */
    void                           (*lost)(ngx_http_npmtoken_link_job_t *job);
} ngx_http_npmtoken_link_owner_t;


struct ngx_http_npmtoken_link_s {
    ngx_http_npmtoken_connection_t   conn;
    ngx_http_npmtoken_link_owner_t  *owner;
    ngx_queue_t                      jobs;      /* in the order of sending */
    ngx_queue_t                      moved;     /* to be sent elsewhere */
    ngx_queue_t                      away;      /* on a detour */
    ngx_http_npmtoken_detour_t      *detour;
    ngx_uint_t                       session;   /* number of the connection */
    ngx_uint_t                       skip;      /* replies to be dropped */
    ngx_queue_t                      held;      /* by age */
    npmtoken_outage_t                refused;   /* for logs of the owner */
    uint32_t                         kind;      /* of the command that was */
    ngx_event_t                      probe;     /* time-out of the probe */
    ngx_msec_t                       timeout;
    ngx_http_npmtoken_proof_t       *proof;     /* NULL: there is no feed */
    uint64_t                         epoch;     /* in which it was compared
                                                   with the feed */
    ngx_http_npmtoken_peer_t         peer;      /* of that epoch */
    ngx_http_npmtoken_listener_t     listener;  /* if there is none */
    unsigned                         probing:1; /* nothing else is sent */
    unsigned                         doubt:1;   /* may lead to no master */
    unsigned                         left:1;    /* there is another master */
    unsigned                         leaving:1; /* nothing more is sent here;
                                                   it ends with the last
                                                   reply */
};


/*
 * A node of a Redis Cluster may answer that another node has the keys of a job
 * (MOVED, ASK).  It has executed nothing then.  The link sends the job there,
 * and the owner is told of the reply that comes from there.
 */

/*
 * Creates a link to the Redis of a store.  "label" names it in logs.  Returns
 * NULL if there is no memory.
 */
ngx_http_npmtoken_link_t *ngx_http_npmtoken_link_create(
    ngx_http_npmtoken_store_t *store, char *label,
    ngx_http_npmtoken_link_owner_t *owner);

/*
 * Sends a job now, or once there is a connection.  The owner keeps the memory
 * of the job, and ends it if it waits too long.  Returns NGX_OK, or NGX_ERROR
 * if there is no memory and the job is not sent.
 */
ngx_int_t ngx_http_npmtoken_link_add(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);

/* Removes a job.  If another job of its account is held, sends that one. */
void ngx_http_npmtoken_link_remove(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);

/*
 * Ends a job that was sent and is not answered for too long, and with it all
 * that were sent the same way: calls the owner's lost() for each.
 */
void ngx_http_npmtoken_link_expire(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);

/* Returns how many jobs of an account are held. */
ngx_uint_t ngx_http_npmtoken_link_held(ngx_http_npmtoken_link_t *link,
    ngx_str_t *account);

/*
 * Tells that the link may not lead to a master any more.  The next job is sent
 * after the link has asked for the role of the server.  "link" may be NULL.
 */
void ngx_http_npmtoken_link_doubt(ngx_http_npmtoken_link_t *link);

/*
 * Closes and frees the link.  No handler is called.  The owner frees the jobs
 * that are left.
 */
void ngx_http_npmtoken_link_destroy(ngx_http_npmtoken_link_t *link);


#endif /* _NGX_HTTP_NPMTOKEN_LINK_H_INCLUDED_ */
