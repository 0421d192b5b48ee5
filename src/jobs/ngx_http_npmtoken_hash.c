
/*
 * A job has its own memory, because its waiter may be gone before a thread
 * begins.  The thread uses nothing but the job.  The completion handler frees
 * the job on the event loop.  A worker that has to stop at once does not wait
 * for that.  Then nginx joins its threads, and the job goes with the process.
 *
 * A job that finds no place waits for one.  An address has a limited share of
 * the places and of the waiting jobs, so a flood from one address does not
 * block others.  Sign-ups have separate places.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>
#include "npmtoken_password.h"
#include "ngx_http_npmtoken_hash.h"
#include "ngx_http_npmtoken_share.h"


#if !(NGX_THREADS)
#error npmtoken_api needs an nginx that is built with threads
#endif


/* how long a job may wait for a place, in milliseconds */
#define NGX_HTTP_NPMTOKEN_HASH_PLACE_WAIT  10000

/*
 * The timer of a running job, in milliseconds.  A worker that exits gracefully
 * waits only for timers.
 */
#define NGX_HTTP_NPMTOKEN_HASH_WAIT        60000


/* the places of this worker; each takes a thread and some megabytes */

typedef struct {
    ngx_uint_t                        max;        /* places */
    ngx_uint_t                        share;      /* places of an address */
    ngx_uint_t                        max_waiting;
    ngx_uint_t                        waiting_share;
    ngx_http_npmtoken_line_t          running;
    ngx_http_npmtoken_line_t          waiting;
} ngx_http_npmtoken_hash_places_t;


struct ngx_http_npmtoken_hash_s {
    ngx_http_npmtoken_sharer_t        sharer;     /* first */
    ngx_http_npmtoken_hash_places_t  *places;
    ngx_pool_t                       *pool;
    ngx_http_npmtoken_hash_waiter_t  *waiter;     /* NULL: forgotten */
    ngx_thread_pool_t                *threads;
    ngx_thread_task_t                *task;
    ngx_event_t                       timer;
    unsigned                          running:1;

    /* used by the thread */
    ngx_str_t                         password;
    ngx_str_t                         hash;       /* to verify against */
    u_char                           *made;       /* NULL: none is made */
    size_t                            made_len;
    ngx_uint_t                        verify;
    ngx_int_t                         rc;
};


static ngx_int_t ngx_http_npmtoken_hash_new(
    ngx_http_npmtoken_hash_places_t *places, ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password,
    ngx_http_npmtoken_hash_waiter_t *waiter);
static ngx_http_npmtoken_hash_t *ngx_http_npmtoken_hash_create(
    ngx_thread_pool_t *threads, ngx_str_t *address, ngx_str_t *password);
static ngx_int_t ngx_http_npmtoken_hash_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from);
static ngx_int_t ngx_http_npmtoken_hash_start(ngx_http_npmtoken_hash_t *job,
    ngx_http_npmtoken_hash_places_t *places,
    ngx_http_npmtoken_hash_waiter_t *waiter);
static ngx_uint_t ngx_http_npmtoken_hash_place(ngx_http_npmtoken_hash_t *job);
static ngx_int_t ngx_http_npmtoken_hash_run(ngx_http_npmtoken_hash_t *job);
static void ngx_http_npmtoken_hash_thread(void *data, ngx_log_t *log);
static void ngx_http_npmtoken_hash_done(ngx_event_t *ev);
static void ngx_http_npmtoken_hash_next(
    ngx_http_npmtoken_hash_places_t *places);
static void ngx_http_npmtoken_hash_end(ngx_http_npmtoken_hash_t *job,
    ngx_int_t rc);
static void ngx_http_npmtoken_hash_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_hash_free(ngx_http_npmtoken_hash_t *job);


static ngx_http_npmtoken_hash_places_t  ngx_http_npmtoken_hash_logins = {
    32, 8, 256, 64, { { NULL, NULL }, 0 }, { { NULL, NULL }, 0 }
};

static ngx_http_npmtoken_hash_places_t  ngx_http_npmtoken_hash_signups = {
    4, 2, 64, 16, { { NULL, NULL }, 0 }, { { NULL, NULL }, 0 }
};


ngx_int_t
ngx_http_npmtoken_hash_verify(ngx_thread_pool_t *threads, ngx_str_t *address,
    ngx_str_t *password, ngx_str_t *hash,
    ngx_http_npmtoken_hash_waiter_t *waiter)
{
    ngx_http_npmtoken_hash_t  *job;

    job = ngx_http_npmtoken_hash_create(threads, address, password);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->verify = 1;

    if (ngx_http_npmtoken_hash_copy(job->pool, &job->hash, hash) != NGX_OK) {
        ngx_http_npmtoken_hash_free(job);
        return NGX_ERROR;
    }

    /* a password that today's rules would refuse keeps its old hash */

    if (hash->len
        && npmtoken_password_outdated(hash)
        && npmtoken_password_is_allowed(password))
    {
        job->made = ngx_palloc(job->pool, NPMTOKEN_PASSWORD_HASH_MAX);

        if (job->made == NULL) {
            ngx_http_npmtoken_hash_free(job);
            return NGX_ERROR;
        }
    }

    return ngx_http_npmtoken_hash_start(job, &ngx_http_npmtoken_hash_logins,
                                        waiter);
}


ngx_int_t
ngx_http_npmtoken_hash_make(ngx_thread_pool_t *threads, ngx_str_t *address,
    ngx_str_t *password, ngx_http_npmtoken_hash_waiter_t *waiter)
{
    return ngx_http_npmtoken_hash_new(&ngx_http_npmtoken_hash_logins, threads,
                                      address, password, waiter);
}


ngx_int_t
ngx_http_npmtoken_hash_signup(ngx_thread_pool_t *threads, ngx_str_t *address,
    ngx_str_t *password, ngx_http_npmtoken_hash_waiter_t *waiter)
{
    return ngx_http_npmtoken_hash_new(&ngx_http_npmtoken_hash_signups,
                                      threads, address, password, waiter);
}


static ngx_int_t
ngx_http_npmtoken_hash_new(ngx_http_npmtoken_hash_places_t *places,
    ngx_thread_pool_t *threads, ngx_str_t *address, ngx_str_t *password,
    ngx_http_npmtoken_hash_waiter_t *waiter)
{
    ngx_http_npmtoken_hash_t  *job;

    job = ngx_http_npmtoken_hash_create(threads, address, password);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->made = ngx_palloc(job->pool, NPMTOKEN_PASSWORD_HASH_MAX);
    if (job->made == NULL) {
        ngx_http_npmtoken_hash_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_hash_start(job, places, waiter);
}


static ngx_http_npmtoken_hash_t *
ngx_http_npmtoken_hash_create(ngx_thread_pool_t *threads, ngx_str_t *address,
    ngx_str_t *password)
{
    ngx_pool_t                *pool;
    ngx_thread_task_t         *task;
    ngx_http_npmtoken_hash_t  *job;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    task = ngx_thread_task_alloc(pool, sizeof(ngx_http_npmtoken_hash_t));
    if (task == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job = task->ctx;

    job->pool = pool;
    job->task = task;
    job->threads = threads;
    job->rc = NGX_ERROR;

    if (ngx_http_npmtoken_hash_copy(pool, &job->sharer.address, address)
        != NGX_OK
        || ngx_http_npmtoken_hash_copy(pool, &job->password, password)
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return job;
}


static ngx_int_t
ngx_http_npmtoken_hash_copy(ngx_pool_t *pool, ngx_str_t *to, ngx_str_t *from)
{
    to->data = ngx_pnalloc(pool, from->len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    /* the hash is empty if there is no such account */

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    to->len = from->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_hash_start(ngx_http_npmtoken_hash_t *job,
    ngx_http_npmtoken_hash_places_t *places,
    ngx_http_npmtoken_hash_waiter_t *waiter)
{
    ngx_int_t  rc;

    job->places = places;

    job->task->handler = ngx_http_npmtoken_hash_thread;
    job->task->event.handler = ngx_http_npmtoken_hash_done;
    job->task->event.data = job;
    job->task->event.log = ngx_cycle->log;

    job->timer.handler = ngx_http_npmtoken_hash_timer_handler;
    job->timer.data = job;
    job->timer.log = ngx_cycle->log;

    if (ngx_http_npmtoken_hash_place(job)) {
        rc = ngx_http_npmtoken_hash_run(job);

    } else if (places->waiting.n >= places->max_waiting
               || ngx_http_npmtoken_share_count(&places->waiting,
                                                &job->sharer.address)
                  >= places->waiting_share)
    {
        rc = NGX_BUSY;

    } else {
        ngx_http_npmtoken_share_join(&places->waiting, &job->sharer);
        ngx_add_timer(&job->timer, NGX_HTTP_NPMTOKEN_HASH_PLACE_WAIT);
        rc = NGX_OK;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken hash %p: %i, running: %ui, waiting: %ui", job, rc,
                   places->running.n, places->waiting.n);

    if (rc != NGX_OK) {
        ngx_http_npmtoken_hash_free(job);
        return rc;
    }

    job->waiter = waiter;
    waiter->job = job;

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_http_npmtoken_hash_place(ngx_http_npmtoken_hash_t *job)
{
    ngx_http_npmtoken_hash_places_t  *places;

    places = job->places;

    return places->running.n < places->max
           && ngx_http_npmtoken_share_count(&places->running,
                                            &job->sharer.address)
              < places->share;
}


static ngx_int_t
ngx_http_npmtoken_hash_run(ngx_http_npmtoken_hash_t *job)
{
    if (ngx_thread_task_post(job->threads, job->task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken hash %p is a thread's", job);

    job->running = 1;

    ngx_http_npmtoken_share_join(&job->places->running, &job->sharer);

    ngx_add_timer(&job->timer, NGX_HTTP_NPMTOKEN_HASH_WAIT);

    return NGX_OK;
}


/* Runs in a thread. */

static void
ngx_http_npmtoken_hash_thread(void *data, ngx_log_t *log)
{
    ngx_http_npmtoken_hash_t *job = data;

    ssize_t  n;

    job->rc = job->verify
              ? npmtoken_password_verify(&job->password, &job->hash) : NGX_OK;

    if (job->made && job->rc == NGX_OK) {
        n = npmtoken_password_hash(&job->password, job->made);

        if (n > 0) {
            job->made_len = n;

        } else if (!job->verify) {
            job->rc = NGX_ERROR;
        }
    }

    ngx_explicit_memzero(job->password.data, job->password.len);
}


static void
ngx_http_npmtoken_hash_done(ngx_event_t *ev)
{
    ngx_http_npmtoken_hash_t         *job;
    ngx_http_npmtoken_hash_places_t  *places;

    job = ev->data;
    places = job->places;

    ngx_http_npmtoken_share_leave(&places->running, &job->sharer);

    ngx_http_npmtoken_hash_next(places);

    ngx_http_npmtoken_hash_end(job, job->rc);
}


/* Runs the first waiting jobs whose address has not used up its share. */

static void
ngx_http_npmtoken_hash_next(ngx_http_npmtoken_hash_places_t *places)
{
    ngx_queue_t               *q, *next;
    ngx_http_npmtoken_hash_t  *job;

    if (places->waiting.n == 0) {
        return;
    }

    for (q = ngx_queue_head(&places->waiting.queue);
         q != ngx_queue_sentinel(&places->waiting.queue)
         && places->running.n < places->max;
         q = next)
    {
        next = ngx_queue_next(q);

        job = (ngx_http_npmtoken_hash_t *)
                  ngx_queue_data(q, ngx_http_npmtoken_sharer_t, queue);

        if (!ngx_http_npmtoken_hash_place(job)) {
            continue;
        }

        ngx_http_npmtoken_share_leave(&places->waiting, &job->sharer);

        if (ngx_http_npmtoken_hash_run(job) != NGX_OK) {

            /* the waiter may not be called here; the job's timer does it */

            ngx_http_npmtoken_share_join(&places->waiting, &job->sharer);
            return;
        }
    }
}


/* The handler may free the memory of its waiter. */

static void
ngx_http_npmtoken_hash_end(ngx_http_npmtoken_hash_t *job, ngx_int_t rc)
{
    ngx_str_t                         made;
    ngx_http_npmtoken_hash_waiter_t  *waiter;

    waiter = job->waiter;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken hash %p ends: %i, waiter: %p", job, rc, waiter);

    if (waiter) {
        waiter->job = NULL;

        made.data = job->made;
        made.len = (rc == NGX_OK) ? job->made_len : 0;

        waiter->handler(waiter, rc, &made);
    }

    ngx_http_npmtoken_hash_free(job);
}


/*
 * A running job is waited for without limit: the queue of the threads is long,
 * and there are few processors.
 */

static void
ngx_http_npmtoken_hash_timer_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_hash_t  *job = ev->data;

    if (job->running) {
        ngx_add_timer(ev, NGX_HTTP_NPMTOKEN_HASH_WAIT);
        return;
    }

    ngx_http_npmtoken_share_leave(&job->places->waiting, &job->sharer);

    ngx_http_npmtoken_hash_end(job, NGX_ERROR);
}


void
ngx_http_npmtoken_hash_forget(ngx_http_npmtoken_hash_waiter_t *waiter)
{
    ngx_http_npmtoken_hash_t  *job;

    job = waiter->job;

    if (job == NULL) {
        return;
    }

    job->waiter = NULL;
    waiter->job = NULL;

    if (!job->running) {
        ngx_http_npmtoken_share_leave(&job->places->waiting, &job->sharer);
        ngx_http_npmtoken_hash_free(job);
    }
}


/* No thread may use the job any more. */

static void
ngx_http_npmtoken_hash_free(ngx_http_npmtoken_hash_t *job)
{
    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    ngx_explicit_memzero(job->password.data, job->password.len);

    ngx_destroy_pool(job->pool);
}
