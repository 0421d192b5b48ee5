
#include "ngx_http_npmtoken_link.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_greeting.h"


/* The longest reply is a page of tokens: 256 KB, or one large token. */
#define NGX_HTTP_NPMTOKEN_LINK_MAX_REPLY     (8 * 1024 * 1024)
#define NGX_HTTP_NPMTOKEN_LINK_MAX_ELEMENTS  65536


static ngx_int_t ngx_http_npmtoken_link_queue(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);
static ngx_uint_t ngx_http_npmtoken_link_busy(ngx_http_npmtoken_link_t *link,
    ngx_str_t *account);
static void ngx_http_npmtoken_link_follow(ngx_http_npmtoken_link_t *link);
static void ngx_http_npmtoken_link_compare(ngx_http_npmtoken_link_t *link);
static void ngx_http_npmtoken_link_turn(ngx_http_npmtoken_link_t *link);
static void ngx_http_npmtoken_link_forget(ngx_http_npmtoken_link_t *link);
static void ngx_http_npmtoken_link_switch_handler(void *data, ngx_str_t *host,
    ngx_uint_t port);
static ngx_uint_t ngx_http_npmtoken_link_jobs_of(ngx_queue_t *jobs,
    ngx_str_t *account);
static ngx_uint_t ngx_http_npmtoken_link_same(ngx_str_t *one, ngx_str_t *two);
static ngx_int_t ngx_http_npmtoken_link_probe(ngx_http_npmtoken_link_t *link);
static void ngx_http_npmtoken_link_probe_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_npmtoken_link_probed(ngx_http_npmtoken_link_t *link,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_link_send(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job);
static void ngx_http_npmtoken_link_ready_handler(void *data);
static void ngx_http_npmtoken_link_send_all(ngx_http_npmtoken_link_t *link);
static ngx_int_t ngx_http_npmtoken_link_reply_handler(void *data,
    redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_link_redirected(
    ngx_http_npmtoken_link_t *link, ngx_http_npmtoken_link_job_t *job,
    redisReply *reply);
static void ngx_http_npmtoken_link_leave(ngx_http_npmtoken_link_t *link);
static void ngx_http_npmtoken_link_detour(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_link_detour_handler(
    ngx_http_npmtoken_detour_job_t *detour, redisReply *reply);
static void ngx_http_npmtoken_link_lost_handler(void *data);
static void ngx_http_npmtoken_link_lose(ngx_http_npmtoken_link_t *link,
    ngx_queue_t *lost);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_link_handlers = {
    ngx_http_npmtoken_link_ready_handler,
    ngx_http_npmtoken_link_reply_handler,
    ngx_http_npmtoken_link_lost_handler
};


ngx_http_npmtoken_link_t *
ngx_http_npmtoken_link_create(ngx_http_npmtoken_store_t *store, char *label,
    ngx_http_npmtoken_link_owner_t *owner)
{
    ngx_http_npmtoken_link_t        *link;
    ngx_http_npmtoken_connection_t  *conn;

    link = ngx_calloc(sizeof(ngx_http_npmtoken_link_t), ngx_cycle->log);
    if (link == NULL) {
        return NULL;
    }

    ngx_queue_init(&link->jobs);
    ngx_queue_init(&link->held);
    ngx_queue_init(&link->moved);
    ngx_queue_init(&link->away);

    link->owner = owner;
    link->timeout = store->lookup.timeout;
    link->refused.pause = NPMTOKEN_OUTAGE_PAUSE;
    link->probe.handler = ngx_http_npmtoken_link_probe_handler;
    link->probe.data = link;
    link->probe.log = ngx_cycle->log;
    link->probe.cancelable = 1;

    conn = &link->conn;

    if (store->lookup.listen) {
        link->listener.handler = ngx_http_npmtoken_link_switch_handler;
        link->listener.data = link;

        ngx_http_npmtoken_watch_join(&store->lookup.endpoint,
                                     &link->listener);

    } else if (store->lookup.endpoint.kind == NGX_HTTP_NPMTOKEN_SENTINEL) {
        link->proof = store->lookup.cache->sh->proof;
    }

    conn->endpoint = &store->lookup.endpoint;
    conn->owner = &ngx_http_npmtoken_link_handlers;
    conn->data = link;
    conn->connect_timeout = store->lookup.connect_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_LINK_MAX_REPLY;
    conn->max_elements = NGX_HTTP_NPMTOKEN_LINK_MAX_ELEMENTS;
    conn->label.data = (u_char *) label;
    conn->label.len = ngx_strlen(label);
    conn->ask_master = 1;
    conn->ask_slot = 1;

    /* one worker alone logs warnings about the server */

    conn->ask_server = (ngx_worker == 0);
    conn->ask_memory = (ngx_worker == 0);

    ngx_http_npmtoken_connection_init(conn);

    return link;
}


ngx_int_t
ngx_http_npmtoken_link_add(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job)
{
    if (job->account.len
        && ngx_http_npmtoken_link_busy(link, &job->account))
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                       "npmtoken job %p is held: its account has another one",
                       job);

        job->held = 1;
        ngx_queue_insert_tail(&link->held, &job->queue);

        return NGX_OK;
    }

    return ngx_http_npmtoken_link_queue(link, job);
}


/* Sends the job now, or once there is a connection. */

static ngx_int_t
ngx_http_npmtoken_link_queue(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job)
{
    ngx_int_t  rc;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                   "npmtoken job %p, connection: %d, probing: %d, doubt: %d",
                   job, link->conn.state, link->probing, link->doubt);

    rc = NGX_OK;

    ngx_http_npmtoken_link_follow(link);

    if (link->conn.state != NGX_HTTP_NPMTOKEN_READY) {
        ngx_http_npmtoken_connection_open(&link->conn);

    } else if (link->probing || link->leaving) {

        /*
         * the job is sent after the reply to the probe, or on the next
         * connection
         */

    } else if (ngx_http_npmtoken_connection_doubtful(&link->conn)
               || (link->doubt && link->conn.pending == 0))
    {
        rc = ngx_http_npmtoken_link_probe(link);

    } else {
        rc = ngx_http_npmtoken_link_send(link, job);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&link->jobs, &job->queue);

    return NGX_OK;
}


/*
 * An old master may go on answering, and say that it is one.  What it
 * acknowledges then is lost.  So a link does not stay at a server that the feed
 * has left for another one.  Replies that are still to come belong to this
 * connection: nothing more is sent on it, and it ends with the last of them.
 */

static void
ngx_http_npmtoken_link_follow(ngx_http_npmtoken_link_t *link)
{
    ngx_http_npmtoken_link_compare(link);

    if (!link->left || link->skip || link->leaving) {
        return;
    }

    /* what waits for a connection or for a probe has not been sent */

    if (!ngx_queue_empty(&link->jobs)
        && link->conn.state == NGX_HTTP_NPMTOKEN_READY
        && !link->probing)
    {
        link->leaving = 1;
        return;
    }

    ngx_http_npmtoken_connection_close(&link->conn);
    ngx_http_npmtoken_link_forget(link);
    ngx_http_npmtoken_link_turn(link);
}


/* Finds out whether the feed is at another server than the link. */

static void
ngx_http_npmtoken_link_compare(ngx_http_npmtoken_link_t *link)
{
    uint64_t                         epoch;
    ngx_http_npmtoken_connection_t  *conn;

    if (link->proof == NULL) {
        return;
    }

    conn = &link->conn;
    epoch = ngx_http_npmtoken_proof_epoch(link->proof);

    if (epoch == link->epoch
        || ngx_http_npmtoken_proof_epoch_peer(link->proof, epoch, &link->peer)
           != NGX_OK)
    {
        return;
    }

    link->epoch = epoch;

    link->left = link->peer.socklen == 0
                 || ngx_cmp_sockaddr(&link->peer.sockaddr.sockaddr,
                                     link->peer.socklen,
                                     &conn->dial.sockaddr.sockaddr,
                                     conn->dial.socklen, 1)
                    != NGX_OK;
}


/*
 * The next connection leads to the feed's server, if that is known: a sentinel
 * may still name the old master.  Call this only if there is no socket.
 */

static void
ngx_http_npmtoken_link_turn(ngx_http_npmtoken_link_t *link)
{
    ngx_str_t  host;

    link->left = 0;
    link->conn.retry_at = ngx_current_msec;

    if (link->proof == NULL) {
        return;
    }

    if (link->peer.socklen == 0) {
        ngx_http_npmtoken_dial_home(&link->conn.dial);
        return;
    }

    host.data = link->peer.host;
    host.len = link->peer.host_len;

    ngx_http_npmtoken_dial_pin(&link->conn.dial, &link->peer.sockaddr,
                               link->peer.socklen, &host);
}


/* What is known of a connection ends with it. */

static void
ngx_http_npmtoken_link_forget(ngx_http_npmtoken_link_t *link)
{
    link->probing = 0;
    link->doubt = 0;
    link->leaving = 0;
    link->skip = 0;

    if (link->probe.timer_set) {
        ngx_del_timer(&link->probe);
    }
}


static void
ngx_http_npmtoken_link_switch_handler(void *data, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_http_npmtoken_link_t  *link = data;

    link->left = !ngx_http_npmtoken_dial_leads_to(&link->conn.dial, host,
                                                  port);
}


void
ngx_http_npmtoken_link_remove(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_link_job_t  *next;

    ngx_queue_remove(&job->queue);

    if (job->account.len == 0
        || ngx_http_npmtoken_link_busy(link, &job->account))
    {
        return;
    }

    for (q = ngx_queue_head(&link->held);
         q != ngx_queue_sentinel(&link->held);
         q = ngx_queue_next(q))
    {
        next = ngx_queue_data(q, ngx_http_npmtoken_link_job_t, queue);

        if (!ngx_http_npmtoken_link_same(&next->account, &job->account)) {
            continue;
        }

        ngx_queue_remove(q);
        next->held = 0;

        if (ngx_http_npmtoken_link_queue(link, next) != NGX_OK) {

            /* no memory: try again later, before its time-out */

            next->held = 1;
            ngx_queue_insert_head(&link->held, q);
        }

        return;
    }
}


ngx_uint_t
ngx_http_npmtoken_link_held(ngx_http_npmtoken_link_t *link,
    ngx_str_t *account)
{
    return ngx_http_npmtoken_link_jobs_of(&link->held, account);
}


/* whether a job of the account is under way, by whatever way */

static ngx_uint_t
ngx_http_npmtoken_link_busy(ngx_http_npmtoken_link_t *link,
    ngx_str_t *account)
{
    return ngx_http_npmtoken_link_jobs_of(&link->jobs, account)
           || ngx_http_npmtoken_link_jobs_of(&link->moved, account)
           || ngx_http_npmtoken_link_jobs_of(&link->away, account);
}


static ngx_uint_t
ngx_http_npmtoken_link_jobs_of(ngx_queue_t *jobs, ngx_str_t *account)
{
    ngx_uint_t                     n;
    ngx_queue_t                   *q;
    ngx_http_npmtoken_link_job_t  *job;

    n = 0;

    for (q = ngx_queue_head(jobs);
         q != ngx_queue_sentinel(jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_npmtoken_link_job_t, queue);

        if (ngx_http_npmtoken_link_same(&job->account, account)) {
            n++;
        }
    }

    return n;
}


static ngx_uint_t
ngx_http_npmtoken_link_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_memcmp(one->data, two->data, one->len) == 0;
}


/*
 * Probes the connection.  If the server has told its role, asks for the role
 * again.  Waiting jobs are sent after the reply.
 */

static ngx_int_t
ngx_http_npmtoken_link_probe(ngx_http_npmtoken_link_t *link)
{
    ngx_str_t                    argv[1];
    ngx_http_npmtoken_command_t  command;

    if (link->conn.role == NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN) {
        ngx_str_set(&argv[0], "PING");

    } else {
        ngx_str_set(&argv[0], "ROLE");
    }

    command.argc = 1;
    command.argv = argv;

    if (ngx_http_npmtoken_connection_send(&link->conn, &command, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                   "npmtoken link is asked for a sign of life");

    link->probing = 1;

    ngx_add_timer(&link->probe,
                  ngx_max(link->timeout / 4, link->conn.took) + 1);

    return NGX_OK;
}


static void
ngx_http_npmtoken_link_probe_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_link_t  *link = ev->data;

    ngx_http_npmtoken_connection_renew(&link->conn, link->timeout / 4);
}


/* Any reply shows that the server is alive.  A replica is not accepted. */

static ngx_int_t
ngx_http_npmtoken_link_probed(ngx_http_npmtoken_link_t *link,
    redisReply *reply)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                   "npmtoken link shows a sign of life");

    link->probing = 0;
    link->doubt = 0;
    ngx_del_timer(&link->probe);

    if (ngx_http_npmtoken_greeting_role(reply)
        == NGX_HTTP_NPMTOKEN_REPLICA)
    {
        ngx_http_npmtoken_connection_fail(&link->conn, "this server has become "
                                                       "a replica, and the "
                                                       "token API needs the "
                                                       "master");
        return NGX_OK;
    }

    ngx_http_npmtoken_link_send_all(link);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_link_send(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job)
{
    if (ngx_http_npmtoken_connection_send(&link->conn, job->commands,
                                          job->ncommands)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                   "npmtoken job %p is sent", job);

    job->sent = 1;

    return NGX_OK;
}


static void
ngx_http_npmtoken_link_ready_handler(void *data)
{
    ngx_http_npmtoken_link_t  *link = data;

    link->session++;

    ngx_http_npmtoken_link_send_all(link);
}


static void
ngx_http_npmtoken_link_send_all(ngx_http_npmtoken_link_t *link)
{
    ngx_queue_t                   *q, *next, lost;
    ngx_http_npmtoken_link_job_t  *job;

    ngx_queue_init(&lost);

    for (q = ngx_queue_head(&link->jobs);
         q != ngx_queue_sentinel(&link->jobs);
         q = next)
    {
        next = ngx_queue_next(q);
        job = ngx_queue_data(q, ngx_http_npmtoken_link_job_t, queue);

        if (job->sent) {
            continue;
        }

        if (job->session && job->session != link->session) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&lost, q);
            continue;
        }

        if (ngx_http_npmtoken_link_send(link, job) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&link->conn, "no memory");
            break;
        }
    }

    ngx_http_npmtoken_link_lose(link, &lost);
}


static ngx_int_t
ngx_http_npmtoken_link_reply_handler(void *data, redisReply *reply)
{
    ngx_int_t                      rc;
    ngx_queue_t                   *q;
    ngx_http_npmtoken_link_t      *link = data;
    ngx_http_npmtoken_link_job_t  *job;

    if (reply && link->probing) {
        return ngx_http_npmtoken_link_probed(link, reply);
    }

    if (reply && link->skip) {
        link->skip--;
        ngx_http_npmtoken_link_leave(link);
        return NGX_OK;
    }

    if (reply == NULL || ngx_queue_empty(&link->jobs)) {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&link->jobs);
    job = ngx_queue_data(q, ngx_http_npmtoken_link_job_t, queue);

    if (!job->sent) {
        return NGX_ERROR;
    }

    job->nreplies++;

    if (!ngx_http_npmtoken_link_redirected(link, job, reply)) {

        if (!link->leaving) {
            ngx_http_npmtoken_connection_works(&link->conn);
        }

        rc = link->owner->reply(job, reply);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_npmtoken_link_leave(link);

    return NGX_OK;
}


/*
 * Goes to where the jobs were moved, once all replies have come: what was sent
 * behind them may have been executed.
 */

static void
ngx_http_npmtoken_link_leave(ngx_http_npmtoken_link_t *link)
{
    if (link->leaving && link->conn.pending == 0) {
        ngx_http_npmtoken_detour_rest(link->detour);
        ngx_http_npmtoken_connection_leave(&link->conn);
    }
}


/*
 * Whether the reply is dealt with, since a node of a cluster has said that
 * another one has the keys.  It says so in reply to the first command of a job,
 * since WAIT has no keys; then the reply to WAIT means nothing.
 */

static ngx_uint_t
ngx_http_npmtoken_link_redirected(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job, redisReply *reply)
{
    ngx_http_npmtoken_redirect_t  to;

    if (job->nreplies > 1
        || link->conn.endpoint->kind != NGX_HTTP_NPMTOKEN_CLUSTER
        || ngx_http_npmtoken_cluster_redirect(reply, &to) != NGX_OK)
    {
        return 0;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                   "npmtoken job %p goes elsewhere, ask: %d, port: %ui", job,
                   to.ask, to.port);

    link->skip = job->ncommands - 1;

    job->nreplies = 0;
    ngx_queue_remove(&job->queue);

    if (to.ask) {
        ngx_http_npmtoken_connection_works(&link->conn);
        ngx_http_npmtoken_link_detour(link, job, reply);
        return 1;
    }

    job->sent = 0;
    ngx_queue_insert_tail(&link->moved, &job->queue);

    if (!link->leaving) {
        link->leaving = 1;

        if (ngx_http_npmtoken_connection_turn(&link->conn, reply) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&link->conn, "the nodes of the "
                                              "cluster do not agree which has "
                                              "the slot");
        }
    }

    return 1;
}


static void
ngx_http_npmtoken_link_detour(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job, redisReply *reply)
{
    if (link->detour == NULL) {
        link->detour = ngx_http_npmtoken_detour_create(&link->conn);
    }

    job->away = 1;
    ngx_queue_insert_tail(&link->away, &job->queue);

    job->detour.commands = job->commands;
    job->detour.ncommands = job->ncommands;
    job->detour.handler = ngx_http_npmtoken_link_detour_handler;
    job->detour.data = link;

    if (link->detour == NULL
        || ngx_http_npmtoken_detour_add(link->detour, &link->conn, reply,
                                        &job->detour)
           != NGX_OK)
    {
        link->owner->lost(job);
    }
}


static ngx_int_t
ngx_http_npmtoken_link_detour_handler(ngx_http_npmtoken_detour_job_t *detour,
    redisReply *reply)
{
    ngx_http_npmtoken_link_t      *link = detour->data;
    ngx_http_npmtoken_link_job_t  *job;

    job = (ngx_http_npmtoken_link_job_t *)
              ((u_char *) detour
               - offsetof(ngx_http_npmtoken_link_job_t, detour));

    if (reply == NULL) {
        link->owner->lost(job);
        return NGX_OK;
    }

    job->nreplies++;

    return link->owner->reply(job, reply);
}


void
ngx_http_npmtoken_link_expire(ngx_http_npmtoken_link_t *link,
    ngx_http_npmtoken_link_job_t *job)
{
    if (job->away) {
        ngx_http_npmtoken_detour_expire(link->detour, &job->detour);
        return;
    }

    ngx_http_npmtoken_connection_fail(&link->conn, "a command timed out");
}


void
ngx_http_npmtoken_link_doubt(ngx_http_npmtoken_link_t *link)
{
    if (link) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &link->conn.log, 0,
                       "npmtoken link may lead to no master");

        link->doubt = 1;
    }
}


static void
ngx_http_npmtoken_link_lost_handler(void *data)
{
    ngx_queue_t                   *q, lost;
    ngx_http_npmtoken_link_t      *link = data;
    ngx_http_npmtoken_link_job_t  *job;

    ngx_http_npmtoken_link_forget(link);

    if (link->left) {
        ngx_http_npmtoken_link_turn(link);
    }

    ngx_queue_init(&lost);

    while (!ngx_queue_empty(&link->jobs)) {
        q = ngx_queue_head(&link->jobs);
        job = ngx_queue_data(q, ngx_http_npmtoken_link_job_t, queue);

        if (!job->sent) {
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&lost, q);
    }

    /* jobs that were not executed stay until their time-out */

    while (!ngx_queue_empty(&link->moved)) {
        q = ngx_queue_last(&link->moved);

        ngx_queue_remove(q);
        ngx_queue_insert_head(&link->jobs, q);
    }

    if (!ngx_queue_empty(&link->jobs)) {
        ngx_http_npmtoken_connection_open(&link->conn);
    }

    ngx_http_npmtoken_link_lose(link, &lost);
}


static void
ngx_http_npmtoken_link_lose(ngx_http_npmtoken_link_t *link, ngx_queue_t *lost)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_link_job_t  *job;

    while (!ngx_queue_empty(lost)) {
        q = ngx_queue_head(lost);
        job = ngx_queue_data(q, ngx_http_npmtoken_link_job_t, queue);

        link->owner->lost(job);
    }
}


void
ngx_http_npmtoken_link_destroy(ngx_http_npmtoken_link_t *link)
{
    ngx_http_npmtoken_watch_leave(link->conn.endpoint, &link->listener);
    ngx_http_npmtoken_connection_close(&link->conn);

    if (link->detour) {
        ngx_http_npmtoken_detour_destroy(link->detour);
    }

    if (link->probe.timer_set) {
        ngx_del_timer(&link->probe);
    }

    ngx_free(link);
}
