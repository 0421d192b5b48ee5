
/*
 * A job has its own memory, since its request may be gone before a thread has
 * even begun: the thread sees the job and nothing else.  It is freed by its
 * completion, on the event loop; or, where the worker does not wait for that
 * (it was told to stop at once), with the process, after the thread has ended
 * it: nginx joins its threads when a worker exits.
 */


#include "ngx_http_npmtoken_api_crypt.h"


#if !(NGX_THREADS)
#error npmtoken_api needs an nginx that is built with threads
#endif


/* of this worker: each takes a thread, and some megabytes, while it runs */
#define NGX_HTTP_NPMTOKEN_API_MAX_HASHES  32

/* a worker that exits gracefully waits for timers, and for nothing else */
#define NGX_HTTP_NPMTOKEN_API_HASH_WAIT   60000


typedef struct {
    ngx_pool_t                     *pool;
    ngx_http_npmtoken_api_ctx_t    *ctx;        /* NULL: detached */
    void                          (*handler)(ngx_http_npmtoken_api_ctx_t *ctx,
                                             ngx_int_t rc);
    ngx_thread_task_t              *task;
    ngx_event_t                     timer;

    /* what the thread sees */
    ngx_str_t                       password;
    ngx_str_t                       hash;       /* to verify against */
    u_char                         *made;       /* NULL: verify */
    size_t                          made_len;
    ngx_int_t                       rc;
} ngx_http_npmtoken_api_hash_t;


static ngx_http_npmtoken_api_hash_t *ngx_http_npmtoken_api_hash_create(
    ngx_str_t *password);
static ngx_int_t ngx_http_npmtoken_api_hash_copy(ngx_pool_t *pool,
    ngx_str_t *to, ngx_str_t *from);
static ngx_int_t ngx_http_npmtoken_api_hash_start(
    ngx_http_npmtoken_api_hash_t *job, ngx_http_npmtoken_api_ctx_t *ctx,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc));
static void ngx_http_npmtoken_api_hash_thread(void *data, ngx_log_t *log);
static void ngx_http_npmtoken_api_hash_done(ngx_event_t *ev);
static ngx_int_t ngx_http_npmtoken_api_hash_keep(
    ngx_http_npmtoken_api_hash_t *job, ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_hash_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_api_hash_detach(void *data);
static void ngx_http_npmtoken_api_hash_free(
    ngx_http_npmtoken_api_hash_t *job);


static ngx_uint_t  ngx_http_npmtoken_api_hashes;


ngx_int_t
ngx_http_npmtoken_api_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc))
{
    ngx_http_npmtoken_api_hash_t  *job;

    if (ngx_http_npmtoken_api_hashes >= NGX_HTTP_NPMTOKEN_API_MAX_HASHES) {
        return NGX_BUSY;
    }

    job = ngx_http_npmtoken_api_hash_create(&ctx->password);
    if (job == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_api_hash_copy(job->pool, &job->hash,
                                        &ctx->account.password)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_hash_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_hash_start(job, ctx, handler);
}


ngx_int_t
ngx_http_npmtoken_api_hash(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *password,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc))
{
    ngx_http_npmtoken_api_hash_t  *job;

    if (ngx_http_npmtoken_api_hashes >= NGX_HTTP_NPMTOKEN_API_MAX_HASHES) {
        return NGX_BUSY;
    }

    job = ngx_http_npmtoken_api_hash_create(password);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->made = ngx_palloc(job->pool, NPMTOKEN_PASSWORD_HASH_MAX);
    if (job->made == NULL) {
        ngx_http_npmtoken_api_hash_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_hash_start(job, ctx, handler);
}


static ngx_http_npmtoken_api_hash_t *
ngx_http_npmtoken_api_hash_create(ngx_str_t *password)
{
    ngx_pool_t                    *pool;
    ngx_thread_task_t             *task;
    ngx_http_npmtoken_api_hash_t  *job;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_http_npmtoken_api_hash_t));
    if (task == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job = task->ctx;

    job->pool = pool;
    job->task = task;
    job->rc = NGX_ERROR;

    if (ngx_http_npmtoken_api_hash_copy(pool, &job->password, password)
        != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return job;
}


static ngx_int_t
ngx_http_npmtoken_api_hash_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from)
{
    to->data = ngx_pnalloc(pool, from->len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    /* there is no hash of an account that is not there */

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    to->len = from->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_hash_start(ngx_http_npmtoken_api_hash_t *job,
    ngx_http_npmtoken_api_ctx_t *ctx,
    void (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc))
{
    job->ctx = ctx;
    job->handler = handler;

    job->task->handler = ngx_http_npmtoken_api_hash_thread;
    job->task->event.handler = ngx_http_npmtoken_api_hash_done;
    job->task->event.data = job;
    job->task->event.log = ngx_cycle->log;

    job->timer.handler = ngx_http_npmtoken_api_hash_timer_handler;
    job->timer.data = job;
    job->timer.log = ngx_cycle->log;

    if (ngx_thread_task_post(ctx->conf->pool, job->task) != NGX_OK) {
        ngx_http_npmtoken_api_hash_free(job);
        return NGX_ERROR;
    }

    ngx_http_npmtoken_api_hashes++;

    ngx_add_timer(&job->timer, NGX_HTTP_NPMTOKEN_API_HASH_WAIT);

    ctx->job = job;
    ctx->detach = ngx_http_npmtoken_api_hash_detach;

    return NGX_AGAIN;
}


/* in a thread */

static void
ngx_http_npmtoken_api_hash_thread(void *data, ngx_log_t *log)
{
    ngx_http_npmtoken_api_hash_t *job = data;

    ssize_t  n;

    if (job->made) {
        n = npmtoken_password_hash(&job->password, job->made);

        job->rc = (n > 0) ? NGX_OK : NGX_ERROR;
        job->made_len = (n > 0) ? n : 0;

    } else {
        job->rc = npmtoken_password_verify(&job->password, &job->hash);
    }

    ngx_explicit_memzero(job->password.data, job->password.len);
}


/* the request may be gone when its handler returns */

static void
ngx_http_npmtoken_api_hash_done(ngx_event_t *ev)
{
    ngx_int_t                      rc;
    ngx_connection_t              *c;
    ngx_http_npmtoken_api_ctx_t   *ctx;
    ngx_http_npmtoken_api_hash_t  *job;

    void  (*handler)(ngx_http_npmtoken_api_ctx_t *ctx, ngx_int_t rc);

    job = ev->data;

    ctx = job->ctx;
    handler = job->handler;
    rc = job->rc;

    ngx_http_npmtoken_api_hashes--;

    if (ctx && rc == NGX_OK && job->made) {
        rc = ngx_http_npmtoken_api_hash_keep(job, ctx);
    }

    ngx_http_npmtoken_api_hash_free(job);

    if (ctx == NULL) {
        return;
    }

    ctx->job = NULL;

    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    handler(ctx, rc);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_npmtoken_api_hash_keep(ngx_http_npmtoken_api_hash_t *job,
    ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  made;

    made.data = job->made;
    made.len = job->made_len;

    return ngx_http_npmtoken_api_hash_copy(ctx->request->pool,
                                           &ctx->account.password, &made);
}


/* the queue is long, and there are few processors */

static void
ngx_http_npmtoken_api_hash_timer_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_NPMTOKEN_API_HASH_WAIT);
}


static void
ngx_http_npmtoken_api_hash_detach(void *data)
{
    ngx_http_npmtoken_api_hash_t  *job = data;

    job->ctx = NULL;
}


/* no thread has it */

static void
ngx_http_npmtoken_api_hash_free(ngx_http_npmtoken_api_hash_t *job)
{
    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    ngx_explicit_memzero(job->password.data, job->password.len);

    ngx_destroy_pool(job->pool);
}
