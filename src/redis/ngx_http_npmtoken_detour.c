
#include "ngx_http_npmtoken_detour.h"
#include "ngx_http_npmtoken_cluster.h"


struct ngx_http_npmtoken_detour_s {
    ngx_http_npmtoken_connection_t   conn;
    ngx_queue_t                      jobs;      /* in the order of sending */
    ngx_str_t                        host;      /* of the other node; empty:
                                                   that of "other" */
    ngx_uint_t                       port;
    ngx_sockaddr_t                   other;     /* who named it */
    u_char                           text[NGX_HTTP_NPMTOKEN_DIAL_HOST];
};


static ngx_int_t ngx_http_npmtoken_detour_to(
    ngx_http_npmtoken_detour_t *detour, ngx_http_npmtoken_dial_t *other,
    ngx_http_npmtoken_redirect_t *to);
static ngx_int_t ngx_http_npmtoken_detour_send(
    ngx_http_npmtoken_detour_t *detour, ngx_http_npmtoken_detour_job_t *job);
static void ngx_http_npmtoken_detour_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_detour_reply_handler(void *data,
    redisReply *reply);
static void ngx_http_npmtoken_detour_lost_handler(void *data);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_detour_owner = {
    ngx_http_npmtoken_detour_ready_handler,
    ngx_http_npmtoken_detour_reply_handler,
    ngx_http_npmtoken_detour_lost_handler
};


ngx_http_npmtoken_detour_t *
ngx_http_npmtoken_detour_create(ngx_http_npmtoken_connection_t *conn)
{
    ngx_http_npmtoken_detour_t  *detour;

    detour = ngx_calloc(sizeof(ngx_http_npmtoken_detour_t), ngx_cycle->log);
    if (detour == NULL) {
        return NULL;
    }

    ngx_queue_init(&detour->jobs);

    detour->conn.endpoint = conn->endpoint;
    detour->conn.owner = &ngx_http_npmtoken_detour_owner;
    detour->conn.data = detour;
    detour->conn.label = conn->label;
    detour->conn.connect_timeout = conn->connect_timeout;
    detour->conn.max_reply = conn->max_reply;
    detour->conn.max_elements = conn->max_elements;
    detour->conn.max_skip = conn->max_skip;

    ngx_http_npmtoken_connection_init(&detour->conn);

    return detour;
}


ngx_int_t
ngx_http_npmtoken_detour_add(ngx_http_npmtoken_detour_t *detour,
    ngx_http_npmtoken_connection_t *conn, redisReply *ask,
    ngx_http_npmtoken_detour_job_t *job)
{
    ngx_http_npmtoken_redirect_t  to;

    if (ngx_http_npmtoken_cluster_redirect(ask, &to) != NGX_OK || !to.ask) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_detour_to(detour, &conn->dial, &to) != NGX_OK) {
        return NGX_ERROR;
    }

    job->nreplies = 0;
    job->sent = 0;

    if (detour->conn.state == NGX_HTTP_NPMTOKEN_READY
        && ngx_http_npmtoken_detour_send(detour, job) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&detour->jobs, &job->queue);

    ngx_http_npmtoken_connection_open(&detour->conn);

    return NGX_OK;
}


/* Does nothing if the detour leads there already. */

static ngx_int_t
ngx_http_npmtoken_detour_to(ngx_http_npmtoken_detour_t *detour,
    ngx_http_npmtoken_dial_t *other, ngx_http_npmtoken_redirect_t *to)
{
    ngx_int_t                  rc;
    ngx_http_npmtoken_dial_t  *dial;

    dial = &detour->conn.dial;

    /* the dial forgets a place that failed */

    if ((dial->pinned || dial->place.len)
        && detour->port == to->port
        && detour->host.len == to->host.len
        && ngx_memcmp(detour->text, to->host.data, to->host.len) == 0
        && ngx_memcmp(&detour->other, &other->sockaddr, other->socklen) == 0)
    {
        return NGX_OK;
    }

    if (!ngx_queue_empty(&detour->jobs)) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_close(&detour->conn);

    rc = to->host.len ? ngx_http_npmtoken_dial_place(dial, &to->host, to->port)
                      : ngx_http_npmtoken_dial_port(dial, other, to->port);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* the dial has accepted it, so it is not too long */

    detour->host.data = detour->text;
    detour->host.len = to->host.len;
    ngx_memcpy(detour->text, to->host.data, to->host.len);

    detour->port = to->port;
    detour->other = other->sockaddr;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_detour_send(ngx_http_npmtoken_detour_t *detour,
    ngx_http_npmtoken_detour_job_t *job)
{
    ngx_str_t                    asking = ngx_string("ASKING");
    ngx_uint_t                   i;
    ngx_http_npmtoken_command_t  commands[4];

    for (i = 0; i < job->ncommands; i++) {
        commands[2 * i].argc = 1;
        commands[2 * i].argv = &asking;
        commands[2 * i + 1] = job->commands[i];
    }

    if (ngx_http_npmtoken_connection_send(&detour->conn, commands,
                                          2 * job->ncommands)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->sent = 1;

    return NGX_OK;
}


static void
ngx_http_npmtoken_detour_ready_handler(void *data)
{
    ngx_http_npmtoken_detour_t      *detour = data;

    ngx_queue_t                     *q;
    ngx_http_npmtoken_detour_job_t  *job;

    for (q = ngx_queue_head(&detour->jobs);
         q != ngx_queue_sentinel(&detour->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_npmtoken_detour_job_t, queue);

        if (ngx_http_npmtoken_detour_send(detour, job) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&detour->conn, "no memory");
            return;
        }
    }
}


/* each second reply is to a command, the others are to ASKING */

static ngx_int_t
ngx_http_npmtoken_detour_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_detour_t      *detour = data;

    ngx_queue_t                     *q;
    ngx_http_npmtoken_detour_job_t  *job;

    if (reply == NULL || ngx_queue_empty(&detour->jobs)) {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&detour->jobs);
    job = ngx_queue_data(q, ngx_http_npmtoken_detour_job_t, queue);

    if (!job->sent) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_works(&detour->conn);

    if (job->nreplies++ % 2 == 0) {

        /* what a refusal means, the reply to the command says */

        return NGX_OK;
    }

    if (job->nreplies == 2 * job->ncommands) {
        ngx_queue_remove(q);
    }

    return job->handler(job, reply);
}


static void
ngx_http_npmtoken_detour_lost_handler(void *data)
{
    ngx_http_npmtoken_detour_t      *detour = data;

    ngx_queue_t                     *q, lost;
    ngx_http_npmtoken_detour_job_t  *job;

    ngx_queue_init(&lost);

    while (!ngx_queue_empty(&detour->jobs)) {
        q = ngx_queue_head(&detour->jobs);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&lost, q);
    }

    while (!ngx_queue_empty(&lost)) {
        q = ngx_queue_head(&lost);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_npmtoken_detour_job_t, queue);

        (void) job->handler(job, NULL);
    }
}


void
ngx_http_npmtoken_detour_expire(ngx_http_npmtoken_detour_t *detour,
    ngx_http_npmtoken_detour_job_t *job)
{
    if (job->sent) {

        /* this ends all jobs, including this one */

        ngx_http_npmtoken_connection_fail(&detour->conn,
                                          "a command timed out");
        return;
    }

    ngx_queue_remove(&job->queue);
    ngx_http_npmtoken_detour_rest(detour);

    (void) job->handler(job, NULL);
}


void
ngx_http_npmtoken_detour_rest(ngx_http_npmtoken_detour_t *detour)
{
    if (detour && ngx_queue_empty(&detour->jobs)) {
        ngx_http_npmtoken_connection_close(&detour->conn);
    }
}


void
ngx_http_npmtoken_detour_destroy(ngx_http_npmtoken_detour_t *detour)
{
    ngx_http_npmtoken_connection_close(&detour->conn);
    ngx_free(detour);
}
