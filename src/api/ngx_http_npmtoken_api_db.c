
/*
 * Three connections a worker, since what is behind a command waits for it: one
 * to read, one to write, which WAIT holds up, and one for what takes long.
 * There an account has one job at a time, and its others are held back, up to
 * a number.  A command is a job; its memory is its own, as its request may be
 * gone before the reply is there.
 *
 * A command that has been sent is never sent again: it may have been done.
 * So a connection that may be forgotten by now is asked for a sign of life
 * first, and made anew where none comes.
 *
 * Only a master will do: of an account that is read from a replica, the
 * password may be changed by now.
 */


#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_walk.h"
#include "ngx_http_npmtoken_greeting.h"
#include "npmtoken_seldom.h"


/* jobs of an account that are held back, in a worker */
#define NGX_HTTP_NPMTOKEN_API_MAX_HELD      16

/* a page of tokens is the longest reply: of 256 KB, or of one large token */
#define NGX_HTTP_NPMTOKEN_API_MAX_REPLY     (8 * 1024 * 1024)
#define NGX_HTTP_NPMTOKEN_API_MAX_ELEMENTS  65536


typedef struct {
    ngx_http_npmtoken_connection_t   conn;
    ngx_queue_t                      jobs;      /* in the order of sending */
    ngx_queue_t                      held;      /* by age */
    npmtoken_seldom_t                refused;   /* by Redis */
    ngx_event_t                      probe;     /* ends the waiting for it */
    ngx_msec_t                       timeout;
    unsigned                         probing:1; /* nothing else is sent */
    unsigned                         doubt:1;   /* whether to a master */
} ngx_http_npmtoken_api_link_t;


struct ngx_http_npmtoken_api_db_s {
    ngx_http_npmtoken_store_t       *store;

    ngx_http_npmtoken_api_walk_t    *walk;      /* made with this */

    /* of this worker; made when they are first needed */
    ngx_http_npmtoken_api_link_t    *read;
    ngx_http_npmtoken_api_link_t    *write;
    ngx_http_npmtoken_api_link_t    *alone;
};


typedef struct {
    ngx_queue_t                      queue;
    ngx_pool_t                      *pool;
    ngx_http_npmtoken_api_link_t    *link;
    ngx_http_npmtoken_api_ctx_t     *ctx;       /* NULL: detached */
    ngx_http_npmtoken_api_reply_pt   handler;
    void                           (*asked)(void *data, redisReply *reply);
    void                            *data;      /* of that, which needs no
                                                   request */
    ngx_event_t                      timer;

    ngx_http_npmtoken_command_t      commands[2];
    ngx_uint_t                       ncommands;
    ngx_uint_t                       nreplies;
    ngx_uint_t                       replicas;
    redisReply                       status;    /* to the first of two */
    ngx_str_t                        account;   /* in lower case, if alone */
    unsigned                         alone:1;   /* others of it are held */
    unsigned                         held:1;
    unsigned                         sent:1;
} ngx_http_npmtoken_api_job_t;


static ngx_http_npmtoken_api_link_t *ngx_http_npmtoken_api_link(
    ngx_http_npmtoken_store_t *store, ngx_http_npmtoken_api_link_t **link,
    char *label);
static ngx_int_t ngx_http_npmtoken_api_db_eval(ngx_http_npmtoken_api_db_t *db,
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *script, ngx_uint_t argc,
    ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler);
static ngx_http_npmtoken_api_job_t *ngx_http_npmtoken_api_job(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_link_t *link,
    ngx_http_npmtoken_api_reply_pt handler);
static ngx_int_t ngx_http_npmtoken_api_job_command(
    ngx_http_npmtoken_api_job_t *job, ngx_uint_t nhead, ngx_str_t *head,
    ngx_uint_t argc, ngx_str_t *argv);
static ngx_int_t ngx_http_npmtoken_api_job_wait(
    ngx_http_npmtoken_api_job_t *job, ngx_http_npmtoken_api_conf_t *conf);
static ngx_int_t ngx_http_npmtoken_api_job_start(
    ngx_http_npmtoken_api_job_t *job, ngx_msec_t timeout);
static ngx_int_t ngx_http_npmtoken_api_db_job_queue(
    ngx_http_npmtoken_api_job_t *job);
static ngx_int_t ngx_http_npmtoken_api_db_job_account(
    ngx_http_npmtoken_api_job_t *job);
static ngx_uint_t ngx_http_npmtoken_api_db_jobs_of(ngx_queue_t *jobs,
    ngx_str_t *account);
static void ngx_http_npmtoken_api_db_release(
    ngx_http_npmtoken_api_job_t *job);
static ngx_int_t ngx_http_npmtoken_api_db_probe(
    ngx_http_npmtoken_api_link_t *link);
static void ngx_http_npmtoken_api_db_probe_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_npmtoken_api_db_probed(
    ngx_http_npmtoken_api_link_t *link, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_job_send(
    ngx_http_npmtoken_api_job_t *job);
static void ngx_http_npmtoken_api_job_detach(void *data);
static void ngx_http_npmtoken_api_job_end(ngx_http_npmtoken_api_job_t *job,
    redisReply *reply);
static void ngx_http_npmtoken_api_job_free(ngx_http_npmtoken_api_job_t *job);
static void ngx_http_npmtoken_api_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_api_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_api_reply_handler(void *data,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_keep_status(
    ngx_http_npmtoken_api_job_t *job, redisReply *reply);
static redisReply *ngx_http_npmtoken_api_waited(
    ngx_http_npmtoken_api_job_t *job, redisReply *reply);
static redisReply *ngx_http_npmtoken_api_no_error(
    ngx_http_npmtoken_api_job_t *job, redisReply *reply);
static void ngx_http_npmtoken_api_db_doubt(ngx_http_npmtoken_api_link_t *link);
static void ngx_http_npmtoken_api_lost_handler(void *data);
static void ngx_http_npmtoken_api_link_exit(
    ngx_http_npmtoken_api_link_t *link);
static void ngx_http_npmtoken_api_db_jobs_free(ngx_queue_t *jobs);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_api_owner = {
    ngx_http_npmtoken_api_ready_handler,
    ngx_http_npmtoken_api_reply_handler,
    ngx_http_npmtoken_api_lost_handler
};


ngx_http_npmtoken_api_db_t *
ngx_http_npmtoken_api_db_get(ngx_conf_t *cf, ngx_array_t *dbs,
    ngx_http_npmtoken_store_t *store)
{
    ngx_uint_t                     i;
    ngx_http_npmtoken_api_db_t    *db, **p;

    p = dbs->elts;

    for (i = 0; i < dbs->nelts; i++) {
        if (p[i]->store == store) {
            return p[i];
        }
    }

    p = ngx_array_push(dbs);
    db = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_api_db_t));

    if (p == NULL || db == NULL) {
        return NULL;
    }

    db->walk = ngx_http_npmtoken_api_walk_create(cf->pool, db, store);
    if (db->walk == NULL) {
        return NULL;
    }

    db->store = store;
    *p = db;

    return db;
}


static ngx_http_npmtoken_api_link_t *
ngx_http_npmtoken_api_link(ngx_http_npmtoken_store_t *store,
    ngx_http_npmtoken_api_link_t **link, char *label)
{
    ngx_http_npmtoken_connection_t  *conn;
    ngx_http_npmtoken_api_link_t    *made;

    made = *link;

    if (made) {
        return made;
    }

    made = ngx_calloc(sizeof(ngx_http_npmtoken_api_link_t), ngx_cycle->log);
    if (made == NULL) {
        return NULL;
    }

    ngx_queue_init(&made->jobs);
    ngx_queue_init(&made->held);

    made->timeout = store->lookup.timeout;
    made->probe.handler = ngx_http_npmtoken_api_db_probe_handler;
    made->probe.data = made;
    made->probe.log = ngx_cycle->log;
    made->probe.cancelable = 1;

    conn = &made->conn;

    conn->endpoint = &store->lookup.endpoint;
    conn->owner = &ngx_http_npmtoken_api_owner;
    conn->data = made;
    conn->connect_timeout = store->lookup.connect_timeout;
    conn->max_reply = NGX_HTTP_NPMTOKEN_API_MAX_REPLY;
    conn->max_elements = NGX_HTTP_NPMTOKEN_API_MAX_ELEMENTS;
    conn->label.data = (u_char *) label;
    conn->label.len = ngx_strlen(label);
    conn->ask_master = 1;

    /* what there is to say of the server, one worker says */

    conn->ask_server = (ngx_worker == 0);
    conn->ask_memory = (ngx_worker == 0);

    ngx_http_npmtoken_connection_init(conn);

    *link = made;

    return made;
}


ngx_int_t
ngx_http_npmtoken_api_db_start(ngx_http_npmtoken_api_db_t *db)
{
    ngx_http_npmtoken_api_link_t  *link;

    if (ngx_worker != 0) {
        return NGX_OK;
    }

    link = ngx_http_npmtoken_api_link(db->store, &db->read,
                                      "npmtoken-api-read");
    if (link == NULL) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_open(&link->conn);

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_api_read(ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t argc,
    ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_http_npmtoken_api_db_t    *db;
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link;

    db = ctx->conf->db;

    link = ngx_http_npmtoken_api_link(db->store, &db->read,
                                      "npmtoken-api-read");
    if (link == NULL) {
        return NGX_ERROR;
    }

    job = ngx_http_npmtoken_api_job(ctx, link, handler);
    if (job == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_api_job_command(job, 0, NULL, argc, argv)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_job_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_job_start(job, db->store->lookup.timeout);
}


ngx_int_t
ngx_http_npmtoken_api_db_ask(ngx_http_npmtoken_api_db_t *db, ngx_uint_t argc,
    ngx_str_t *argv, void (*handler)(void *data, redisReply *reply),
    void *data)
{
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link;

    link = ngx_http_npmtoken_api_link(db->store, &db->read,
                                      "npmtoken-api-read");
    if (link == NULL) {
        return NGX_ERROR;
    }

    job = ngx_http_npmtoken_api_job(NULL, link, NULL);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->asked = handler;
    job->data = data;

    if (ngx_http_npmtoken_api_job_command(job, 0, NULL, argc, argv)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_job_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_job_start(job, db->store->lookup.timeout);
}


ngx_http_npmtoken_api_walk_t *
ngx_http_npmtoken_api_db_walk(ngx_http_npmtoken_api_db_t *db)
{
    return db->walk;
}


ngx_int_t
ngx_http_npmtoken_api_db_read_alone(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_int_t                      rc;
    ngx_http_npmtoken_api_db_t    *db;
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link;

    db = ctx->conf->db;

    link = ngx_http_npmtoken_api_link(db->store, &db->alone,
                                      "npmtoken-api-list");
    if (link == NULL) {
        return NGX_ERROR;
    }

    job = ngx_http_npmtoken_api_job(ctx, link, handler);
    if (job == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_http_npmtoken_api_db_job_account(job) != NGX_OK
        || ngx_http_npmtoken_api_job_command(job, 0, NULL, argc, argv)
           != NGX_OK)
    {
        goto failed;
    }

    if (ngx_http_npmtoken_api_db_jobs_of(&link->held, &job->account)
        >= NGX_HTTP_NPMTOKEN_API_MAX_HELD)
    {
        rc = NGX_BUSY;
        goto failed;
    }

    return ngx_http_npmtoken_api_job_start(job, db->store->lookup.timeout);

failed:

    ngx_http_npmtoken_api_job_free(job);

    return rc;
}


ngx_int_t
ngx_http_npmtoken_api_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_str_t                      head[2];
    ngx_msec_t                     timeout;
    ngx_http_npmtoken_api_db_t    *db;
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link;

    db = ctx->conf->db;

    link = ngx_http_npmtoken_api_link(db->store, &db->write,
                                      "npmtoken-api-write");
    if (link == NULL) {
        return NGX_ERROR;
    }

    job = ngx_http_npmtoken_api_job(ctx, link, handler);
    if (job == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&head[0], "EVAL");
    head[1] = *script;

    timeout = db->store->lookup.timeout;

    if (ngx_http_npmtoken_api_job_command(job, 2, head, argc, argv)
        != NGX_OK)
    {
        goto failed;
    }

    if (ctx->conf->replicas) {
        timeout += ctx->conf->replicas_timeout;

        if (ngx_http_npmtoken_api_job_wait(job, ctx->conf) != NGX_OK) {
            goto failed;
        }
    }

    return ngx_http_npmtoken_api_job_start(job, timeout);

failed:

    ngx_http_npmtoken_api_job_free(job);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_npmtoken_api_db_script(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler)
{
    return ngx_http_npmtoken_api_db_eval(ctx->conf->db, ctx, script, argc,
                                         argv, handler);
}


void
ngx_http_npmtoken_api_db_tell(ngx_http_npmtoken_api_conf_t *conf,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv)
{
    (void) ngx_http_npmtoken_api_db_eval(conf->db, NULL, script, argc, argv,
                                         NULL);
}


/* on the connection to read: the other one may wait for replicas */

static ngx_int_t
ngx_http_npmtoken_api_db_eval(ngx_http_npmtoken_api_db_t *db,
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *script, ngx_uint_t argc,
    ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_str_t                      head[2];
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link;

    link = ngx_http_npmtoken_api_link(db->store, &db->read,
                                      "npmtoken-api-read");
    if (link == NULL) {
        return NGX_ERROR;
    }

    job = ngx_http_npmtoken_api_job(ctx, link, handler);
    if (job == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&head[0], "EVAL");
    head[1] = *script;

    if (ngx_http_npmtoken_api_job_command(job, 2, head, argc, argv)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_job_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_job_start(job, db->store->lookup.timeout);
}


static ngx_http_npmtoken_api_job_t *
ngx_http_npmtoken_api_job(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_link_t *link, ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_pool_t                   *pool;
    ngx_http_npmtoken_api_job_t  *job;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_npmtoken_api_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->pool = pool;
    job->link = link;
    job->ctx = ctx;
    job->handler = handler;

    job->timer.handler = ngx_http_npmtoken_api_timer_handler;
    job->timer.data = job;
    job->timer.log = ngx_cycle->log;

    return job;
}


static ngx_int_t
ngx_http_npmtoken_api_job_command(ngx_http_npmtoken_api_job_t *job,
    ngx_uint_t nhead, ngx_str_t *head, ngx_uint_t argc, ngx_str_t *argv)
{
    ngx_str_t                    *arg, *from;
    ngx_uint_t                    i;
    ngx_http_npmtoken_command_t  *command;

    command = &job->commands[job->ncommands++];

    command->argc = nhead + argc;
    command->argv = ngx_palloc(job->pool, command->argc * sizeof(ngx_str_t));

    if (command->argv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < command->argc; i++) {
        arg = &command->argv[i];
        from = i < nhead ? &head[i] : &argv[i - nhead];

        arg->len = from->len;
        arg->data = ngx_pnalloc(job->pool, from->len + 1);

        if (arg->data == NULL) {
            return NGX_ERROR;
        }

        if (from->len) {
            ngx_memcpy(arg->data, from->data, from->len);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_job_wait(ngx_http_npmtoken_api_job_t *job,
    ngx_http_npmtoken_api_conf_t *conf)
{
    u_char     buf[2 * NGX_INT64_LEN];
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "WAIT");

    argv[1].data = buf;
    argv[1].len = ngx_sprintf(buf, "%ui", conf->replicas) - buf;

    argv[2].data = buf + NGX_INT64_LEN;
    argv[2].len = ngx_sprintf(argv[2].data, "%M", conf->replicas_timeout)
                  - argv[2].data;

    job->replicas = conf->replicas;

    return ngx_http_npmtoken_api_job_command(job, 0, NULL, 3, argv);
}


static ngx_int_t
ngx_http_npmtoken_api_job_start(ngx_http_npmtoken_api_job_t *job,
    ngx_msec_t timeout)
{
    ngx_http_npmtoken_api_link_t  *link;

    link = job->link;

    if (job->alone
        && ngx_http_npmtoken_api_db_jobs_of(&link->jobs, &job->account))
    {
        job->held = 1;
        ngx_queue_insert_tail(&link->held, &job->queue);

    } else if (ngx_http_npmtoken_api_db_job_queue(job) != NGX_OK) {
        ngx_http_npmtoken_api_job_free(job);
        return NGX_ERROR;
    }

    ngx_add_timer(&job->timer, timeout);

    if (job->ctx) {
        job->ctx->job = job;
        job->ctx->detach = ngx_http_npmtoken_api_job_detach;
    }

    return NGX_AGAIN;
}


/* it is sent now, or when there is a connection */

static ngx_int_t
ngx_http_npmtoken_api_db_job_queue(ngx_http_npmtoken_api_job_t *job)
{
    ngx_int_t                      rc;
    ngx_http_npmtoken_api_link_t  *link;

    link = job->link;
    rc = NGX_OK;

    if (link->conn.state != NGX_HTTP_NPMTOKEN_READY) {
        ngx_http_npmtoken_connection_open(&link->conn);

    } else if (link->probing) {

        /* it is sent when the answer has come */

    } else if (ngx_http_npmtoken_connection_doubtful(&link->conn)
               || (link->doubt && link->conn.pending == 0))
    {
        rc = ngx_http_npmtoken_api_db_probe(link);

    } else {
        rc = ngx_http_npmtoken_api_job_send(job);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&link->jobs, &job->queue);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_db_job_account(ngx_http_npmtoken_api_job_t *job)
{
    ngx_str_t  *user;

    user = &job->ctx->user;

    job->account.data = ngx_pnalloc(job->pool, user->len + 1);
    if (job->account.data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(job->account.data, user->data, user->len);
    job->account.len = user->len;
    job->alone = 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_npmtoken_api_db_jobs_of(ngx_queue_t *jobs, ngx_str_t *account)
{
    ngx_uint_t                    n;
    ngx_queue_t                  *q;
    ngx_http_npmtoken_api_job_t  *job;

    n = 0;

    for (q = ngx_queue_head(jobs);
         q != ngx_queue_sentinel(jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);

        if (job->account.len == account->len
            && ngx_memcmp(job->account.data, account->data, account->len) == 0)
        {
            n++;
        }
    }

    return n;
}


/* a job has ended: the next of its account, if no other one is under way */

static void
ngx_http_npmtoken_api_db_release(ngx_http_npmtoken_api_job_t *job)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_api_job_t   *next;
    ngx_http_npmtoken_api_link_t  *link;

    link = job->link;

    if (ngx_http_npmtoken_api_db_jobs_of(&link->jobs, &job->account)) {
        return;
    }

    for (q = ngx_queue_head(&link->held);
         q != ngx_queue_sentinel(&link->held);
         q = ngx_queue_next(q))
    {
        next = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);

        if (next->account.len != job->account.len
            || ngx_memcmp(next->account.data, job->account.data,
                          job->account.len)
               != 0)
        {
            continue;
        }

        ngx_queue_remove(q);
        next->held = 0;

        if (ngx_http_npmtoken_api_db_job_queue(next) != NGX_OK) {

            /* no memory now: maybe before its time is out */

            next->held = 1;
            ngx_queue_insert_head(&link->held, q);
        }

        return;
    }
}


/*
 * Asks for a sign of life, and where the role is known, whether it still is:
 * what waits is sent when the answer has come.
 */

static ngx_int_t
ngx_http_npmtoken_api_db_probe(ngx_http_npmtoken_api_link_t *link)
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

    link->probing = 1;

    ngx_add_timer(&link->probe,
                  ngx_max(link->timeout / 4, link->conn.took) + 1);

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_db_probe_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_api_link_t  *link = ev->data;

    ngx_http_npmtoken_connection_renew(&link->conn, link->timeout / 4);
}


/* whatever it says, it is alive; but a replica will not do */

static ngx_int_t
ngx_http_npmtoken_api_db_probed(ngx_http_npmtoken_api_link_t *link,
    redisReply *reply)
{
    link->probing = 0;
    link->doubt = 0;
    ngx_del_timer(&link->probe);

    if (ngx_http_npmtoken_greeting_role(reply)
        == NGX_HTTP_NPMTOKEN_REPLICA)
    {
        ngx_http_npmtoken_connection_fail(&link->conn, "this has become a "
                                          "replica, and the token API needs "
                                          "its master");
        return NGX_OK;
    }

    ngx_http_npmtoken_api_ready_handler(link);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_job_send(ngx_http_npmtoken_api_job_t *job)
{
    if (ngx_http_npmtoken_connection_send(&job->link->conn, job->commands,
                                          job->ncommands)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->sent = 1;

    return NGX_OK;
}


/* the request goes; the replies are still to be taken from the pipeline */

static void
ngx_http_npmtoken_api_job_detach(void *data)
{
    ngx_http_npmtoken_api_job_t  *job = data;

    job->ctx = NULL;

    if (job->held) {
        ngx_queue_remove(&job->queue);
        ngx_http_npmtoken_api_job_free(job);
    }
}


/* the job is freed, then its request goes on, and may be gone after that */

static void
ngx_http_npmtoken_api_job_end(ngx_http_npmtoken_api_job_t *job,
    redisReply *reply)
{
    ngx_connection_t                *c;
    ngx_http_npmtoken_api_ctx_t     *ctx;
    ngx_http_npmtoken_api_reply_pt   handler;

    ctx = job->ctx;
    handler = job->handler;

    ngx_queue_remove(&job->queue);

    if (job->alone) {
        ngx_http_npmtoken_api_db_release(job);
    }

    if (ctx) {
        c = ctx->request->connection;

        ctx->job = NULL;

        ngx_http_set_log_request(c->log, ctx->request);

        handler(ctx, reply);

        ngx_http_run_posted_requests(c);

    } else if (job->asked) {
        job->asked(job->data, reply);
    }

    ngx_http_npmtoken_api_job_free(job);
}


static void
ngx_http_npmtoken_api_job_free(ngx_http_npmtoken_api_job_t *job)
{
    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    ngx_destroy_pool(job->pool);
}


static void
ngx_http_npmtoken_api_timer_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_api_job_t  *job = ev->data;

    if (job->sent) {

        /* which ends all that have been sent, this one among them */

        ngx_http_npmtoken_connection_fail(&job->link->conn,
                                          "a command timed out");
        return;
    }

    ngx_http_npmtoken_api_job_end(job, NULL);
}


static void
ngx_http_npmtoken_api_ready_handler(void *data)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link = data;

    for (q = ngx_queue_head(&link->jobs);
         q != ngx_queue_sentinel(&link->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);

        if (!job->sent && ngx_http_npmtoken_api_job_send(job) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&link->conn, "no memory");
            return;
        }
    }
}


static ngx_int_t
ngx_http_npmtoken_api_reply_handler(void *data, redisReply *reply)
{
    ngx_queue_t                   *q;
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link = data;

    if (reply && link->probing) {
        return ngx_http_npmtoken_api_db_probed(link, reply);
    }

    if (reply == NULL || ngx_queue_empty(&link->jobs)) {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&link->jobs);
    job = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);

    if (!job->sent) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_works(&link->conn);

    job->nreplies++;

    if (job->nreplies < job->ncommands) {
        return ngx_http_npmtoken_api_keep_status(job, reply);
    }

    if (job->ncommands > 1) {
        reply = ngx_http_npmtoken_api_waited(job, reply);
    }

    ngx_http_npmtoken_api_job_end(job,
                                  ngx_http_npmtoken_api_no_error(job, reply));

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_keep_status(ngx_http_npmtoken_api_job_t *job,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STATUS && reply->type != REDIS_REPLY_ERROR)
    {
        return NGX_ERROR;
    }

    job->status = *reply;
    job->status.str = ngx_pnalloc(job->pool, reply->len + 1);

    if (job->status.str == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(job->status.str, reply->str, reply->len + 1);

    return NGX_OK;
}


static redisReply *
ngx_http_npmtoken_api_waited(ngx_http_npmtoken_api_job_t *job,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER
        && reply->integer >= (long long) job->replicas)
    {
        return &job->status;
    }

    (void) ngx_http_npmtoken_api_no_error(job, reply);

    if (job->ctx) {
        job->ctx->unreplicated = 1;
    }

    return &job->status;
}


static redisReply *
ngx_http_npmtoken_api_no_error(ngx_http_npmtoken_api_job_t *job,
    redisReply *reply)
{
    uint32_t                     what;
    ngx_str_t                    code, words;
    ngx_uint_t                   omitted;
    ngx_http_npmtoken_api_db_t  *db;

    if (reply->type != REDIS_REPLY_ERROR) {
        return reply;
    }

    ngx_http_npmtoken_codec_error(reply, &code);

    if (job->ctx && ngx_strncmp(code.data, "READONLY", 8) == 0) {
        db = job->ctx->conf->db;

        ngx_http_npmtoken_api_db_doubt(db->read);
        ngx_http_npmtoken_api_db_doubt(db->write);
        ngx_http_npmtoken_api_db_doubt(db->alone);
    }

    what = ngx_crc32_short(code.data, code.len);

    if (!npmtoken_seldom(&job->link->refused, what, ngx_time(), &omitted)) {
        return NULL;
    }

    if (omitted) {
        ngx_log_error(NGX_LOG_ERR, &job->link->conn.log, 0,
                      "redis has refused so %ui more commands of the token "
                      "API", omitted);
    }

    ngx_http_npmtoken_codec_words(reply, &words);

    ngx_log_error(NGX_LOG_ERR, &job->link->conn.log, 0,
                  "redis refused a command of the token API: %V (%V)%s",
                  &code, &words, ngx_http_npmtoken_codec_advice(&code));

    return NULL;
}


/* the next command is sent when the connection has shown what it leads to */

static void
ngx_http_npmtoken_api_db_doubt(ngx_http_npmtoken_api_link_t *link)
{
    if (link) {
        link->doubt = 1;
    }
}


static void
ngx_http_npmtoken_api_lost_handler(void *data)
{
    ngx_queue_t                   *q, lost;
    ngx_http_npmtoken_api_job_t   *job;
    ngx_http_npmtoken_api_link_t  *link = data;

    link->probing = 0;
    link->doubt = 0;

    if (link->probe.timer_set) {
        ngx_del_timer(&link->probe);
    }

    /* those that were not sent are at the end, and wait for their timers */

    ngx_queue_init(&lost);

    while (!ngx_queue_empty(&link->jobs)) {
        q = ngx_queue_head(&link->jobs);
        job = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);

        if (!job->sent) {
            ngx_http_npmtoken_connection_open(&link->conn);
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&lost, q);
    }

    while (!ngx_queue_empty(&lost)) {
        q = ngx_queue_head(&lost);
        job = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);

        ngx_http_npmtoken_api_job_end(job, NULL);
    }
}


ngx_int_t
ngx_http_npmtoken_api_is(redisReply *reply, char *status)
{
    return (reply->type == REDIS_REPLY_STATUS
            && ngx_strcmp(reply->str, status) == 0)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_npmtoken_api_db_exit(ngx_http_npmtoken_api_db_t *db)
{
    ngx_http_npmtoken_api_link_exit(db->read);
    ngx_http_npmtoken_api_link_exit(db->write);
    ngx_http_npmtoken_api_link_exit(db->alone);

    db->read = NULL;
    db->write = NULL;
    db->alone = NULL;
}


static void
ngx_http_npmtoken_api_link_exit(ngx_http_npmtoken_api_link_t *link)
{
    if (link == NULL) {
        return;
    }

    ngx_http_npmtoken_connection_close(&link->conn);

    if (link->probe.timer_set) {
        ngx_del_timer(&link->probe);
    }

    ngx_http_npmtoken_api_db_jobs_free(&link->jobs);
    ngx_http_npmtoken_api_db_jobs_free(&link->held);

    ngx_free(link);
}


static void
ngx_http_npmtoken_api_db_jobs_free(ngx_queue_t *jobs)
{
    ngx_queue_t                  *q;
    ngx_http_npmtoken_api_job_t  *job;

    q = ngx_queue_head(jobs);

    while (q != ngx_queue_sentinel(jobs)) {
        job = ngx_queue_data(q, ngx_http_npmtoken_api_job_t, queue);
        q = ngx_queue_next(q);

        if (job->ctx) {
            job->ctx->job = NULL;
        }

        ngx_http_npmtoken_api_job_free(job);
    }
}
