
/*
 * Each worker has three connections, because a command delays all that follow
 * it on its connection.  One is for reads.  One is for writes, which WAIT
 * delays.  One is for slow commands, of which an account has one at a time.
 * A command is a job.  A job has its own memory, because its waiter may be gone
 * before the reply arrives.
 *
 * Redis has to be a master: a replica may still have an old password of an
 * account.
 */


#include "ngx_http_npmtoken_command.h"
#include "ngx_http_npmtoken_link.h"


/* jobs of an account that a worker holds back at most */
#define NGX_HTTP_NPMTOKEN_COMMAND_MAX_HELD  16


struct ngx_http_npmtoken_commands_s {
    ngx_http_npmtoken_store_t           *store;

    /* links of this worker, created when first needed */
    ngx_http_npmtoken_link_t            *read;
    ngx_http_npmtoken_link_t            *write;
    ngx_http_npmtoken_link_t            *alone;
};


struct ngx_http_npmtoken_command_job_s {
    ngx_http_npmtoken_link_job_t         sent;     /* first */
    ngx_http_npmtoken_commands_t        *commands;
    ngx_http_npmtoken_link_t            *link;
    ngx_pool_t                          *pool;
    ngx_http_npmtoken_command_waiter_t  *waiter;   /* NULL: nobody waits */
    ngx_event_t                          timer;
    ngx_uint_t                           replicas;
    ngx_uint_t                          *session;  /* NULL: any will do */
    redisReply                           status;   /* reply to the first of
                                                      two commands */
};


static ngx_http_npmtoken_link_t *ngx_http_npmtoken_command_link(
    ngx_http_npmtoken_commands_t *commands, ngx_http_npmtoken_link_t **link,
    char *label);
static ngx_http_npmtoken_command_job_t *ngx_http_npmtoken_command_create(
    ngx_http_npmtoken_commands_t *commands, ngx_http_npmtoken_link_t **slot,
    char *label);
static ngx_int_t ngx_http_npmtoken_command_set(
    ngx_http_npmtoken_command_job_t *job, ngx_str_t *script, ngx_uint_t argc,
    ngx_str_t *argv);
static ngx_int_t ngx_http_npmtoken_command_copy(ngx_pool_t *pool,
    ngx_str_t *to, ngx_str_t *from);
static ngx_int_t ngx_http_npmtoken_command_wait(
    ngx_http_npmtoken_command_job_t *job, ngx_uint_t replicas,
    ngx_msec_t timeout);
static ngx_int_t ngx_http_npmtoken_command_send(
    ngx_http_npmtoken_command_job_t *job, ngx_msec_t timeout,
    ngx_http_npmtoken_command_waiter_t *waiter);
static ngx_int_t ngx_http_npmtoken_command_account(
    ngx_http_npmtoken_command_job_t *job, ngx_str_t *account);
static void ngx_http_npmtoken_command_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_npmtoken_command_reply(
    ngx_http_npmtoken_link_job_t *sent, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_command_keep_status(
    ngx_http_npmtoken_command_job_t *job, redisReply *reply);
static redisReply *ngx_http_npmtoken_command_waited(
    ngx_http_npmtoken_command_job_t *job, redisReply *reply);
static redisReply *ngx_http_npmtoken_command_no_error(
    ngx_http_npmtoken_command_job_t *job, redisReply *reply);
static void ngx_http_npmtoken_command_works(
    ngx_http_npmtoken_command_job_t *job);
static uint32_t ngx_http_npmtoken_command_kind(
    ngx_http_npmtoken_command_job_t *job);
static void ngx_http_npmtoken_command_lost(
    ngx_http_npmtoken_link_job_t *sent);
static void ngx_http_npmtoken_command_end(
    ngx_http_npmtoken_command_job_t *job, redisReply *reply);
static void ngx_http_npmtoken_command_free(
    ngx_http_npmtoken_command_job_t *job);
static void ngx_http_npmtoken_command_link_exit(
    ngx_http_npmtoken_link_t **link);
static void ngx_http_npmtoken_command_free_all(ngx_queue_t *jobs);


static ngx_http_npmtoken_link_owner_t  ngx_http_npmtoken_command_owner = {
    ngx_http_npmtoken_command_reply,
    ngx_http_npmtoken_command_lost
};


ngx_http_npmtoken_commands_t *
ngx_http_npmtoken_command_get(ngx_conf_t *cf, ngx_array_t *all,
    ngx_http_npmtoken_store_t *store)
{
    ngx_uint_t                      i;
    ngx_http_npmtoken_commands_t   *commands, **p;

    p = all->elts;

    for (i = 0; i < all->nelts; i++) {
        if (p[i]->store == store) {
            return p[i];
        }
    }

    p = ngx_array_push(all);
    commands = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_commands_t));

    if (p == NULL || commands == NULL) {
        return NULL;
    }

    commands->store = store;
    *p = commands;

    return commands;
}


static ngx_http_npmtoken_link_t *
ngx_http_npmtoken_command_link(ngx_http_npmtoken_commands_t *commands,
    ngx_http_npmtoken_link_t **link, char *label)
{
    if (*link == NULL) {
        *link = ngx_http_npmtoken_link_create(commands->store, label,
                                             &ngx_http_npmtoken_command_owner);
    }

    return *link;
}


ngx_int_t
ngx_http_npmtoken_command_start(ngx_http_npmtoken_commands_t *commands)
{
    ngx_http_npmtoken_link_t  *link;

    if (ngx_worker != 0) {
        return NGX_OK;
    }

    link = ngx_http_npmtoken_command_link(commands, &commands->read,
                                          "npmtoken-api-read");
    if (link == NULL) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_connection_open(&link->conn);

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_command_read(ngx_http_npmtoken_commands_t *commands,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter)
{
    return ngx_http_npmtoken_command_script(commands, NULL, argc, argv,
                                            waiter);
}


ngx_int_t
ngx_http_npmtoken_command_page(ngx_http_npmtoken_commands_t *commands,
    ngx_uint_t *session, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter)
{
    ngx_http_npmtoken_command_job_t  *job;

    job = ngx_http_npmtoken_command_create(commands, &commands->read,
                                           "npmtoken-api-read");
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->session = session;
    job->sent.session = *session;

    if (ngx_http_npmtoken_command_set(job, NULL, argc, argv) != NGX_OK
        || (*session && *session != job->link->session))
    {
        ngx_http_npmtoken_command_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_command_send(job, commands->store->lookup.timeout,
                                          waiter);
}


ngx_int_t
ngx_http_npmtoken_command_read_alone(ngx_http_npmtoken_commands_t *commands,
    ngx_str_t *account, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter)
{
    ngx_int_t                         rc;
    ngx_http_npmtoken_command_job_t  *job;

    job = ngx_http_npmtoken_command_create(commands, &commands->alone,
                                           "npmtoken-api-list");
    if (job == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_http_npmtoken_command_account(job, account) != NGX_OK
        || ngx_http_npmtoken_command_set(job, NULL, argc, argv) != NGX_OK)
    {
        goto failed;
    }

    if (ngx_http_npmtoken_link_held(job->link, &job->sent.account)
        >= NGX_HTTP_NPMTOKEN_COMMAND_MAX_HELD)
    {
        rc = NGX_BUSY;
        goto failed;
    }

    return ngx_http_npmtoken_command_send(job, commands->store->lookup.timeout,
                                          waiter);

failed:

    ngx_http_npmtoken_command_free(job);

    return rc;
}


ngx_int_t
ngx_http_npmtoken_command_write(ngx_http_npmtoken_commands_t *commands,
    ngx_uint_t replicas, ngx_msec_t replicas_timeout, ngx_str_t *script,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter)
{
    ngx_msec_t                        timeout;
    ngx_http_npmtoken_command_job_t  *job;

    job = ngx_http_npmtoken_command_create(commands, &commands->write,
                                           "npmtoken-api-write");
    if (job == NULL) {
        return NGX_ERROR;
    }

    timeout = commands->store->lookup.timeout;

    if (ngx_http_npmtoken_command_set(job, script, argc, argv) != NGX_OK) {
        goto failed;
    }

    if (replicas) {
        timeout += replicas_timeout;

        if (ngx_http_npmtoken_command_wait(job, replicas, replicas_timeout)
            != NGX_OK)
        {
            goto failed;
        }
    }

    return ngx_http_npmtoken_command_send(job, timeout, waiter);

failed:

    ngx_http_npmtoken_command_free(job);

    return NGX_ERROR;
}


/* Uses the connection for reads: the one for writes may wait for replicas. */

ngx_int_t
ngx_http_npmtoken_command_script(ngx_http_npmtoken_commands_t *commands,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter)
{
    ngx_http_npmtoken_command_job_t  *job;

    job = ngx_http_npmtoken_command_create(commands, &commands->read,
                                           "npmtoken-api-read");
    if (job == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_command_set(job, script, argc, argv) != NGX_OK) {
        ngx_http_npmtoken_command_free(job);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_command_send(job, commands->store->lookup.timeout,
                                          waiter);
}


/* A job for the link in "slot", which is created if need be. */

static ngx_http_npmtoken_command_job_t *
ngx_http_npmtoken_command_create(ngx_http_npmtoken_commands_t *commands,
    ngx_http_npmtoken_link_t **slot, char *label)
{
    ngx_pool_t                       *pool;
    ngx_http_npmtoken_link_t         *link;
    ngx_http_npmtoken_command_job_t  *job;

    link = ngx_http_npmtoken_command_link(commands, slot, label);
    if (link == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_npmtoken_command_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->pool = pool;
    job->commands = commands;
    job->link = link;

    job->timer.handler = ngx_http_npmtoken_command_timer_handler;
    job->timer.data = job;
    job->timer.log = ngx_cycle->log;

    return job;
}


/* Adds a command to the job.  "script" is NULL if the command is no script. */

static ngx_int_t
ngx_http_npmtoken_command_set(ngx_http_npmtoken_command_job_t *job,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv)
{
    ngx_str_t                    *arg;
    ngx_str_t                     eval = ngx_string("EVAL");
    ngx_uint_t                    i;
    ngx_http_npmtoken_command_t  *command;

    command = &job->sent.commands[job->sent.ncommands++];

    command->argc = script ? 2 + argc : argc;
    command->argv = ngx_palloc(job->pool, command->argc * sizeof(ngx_str_t));

    if (command->argv == NULL) {
        return NGX_ERROR;
    }

    arg = command->argv;

    if (script) {
        if (ngx_http_npmtoken_command_copy(job->pool, arg++, &eval) != NGX_OK
            || ngx_http_npmtoken_command_copy(job->pool, arg++, script)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < argc; i++) {
        if (ngx_http_npmtoken_command_copy(job->pool, arg++, &argv[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_command_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from)
{
    to->len = from->len;
    to->data = ngx_pnalloc(pool, from->len + 1);

    if (to->data == NULL) {
        return NGX_ERROR;
    }

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_command_wait(ngx_http_npmtoken_command_job_t *job,
    ngx_uint_t replicas, ngx_msec_t timeout)
{
    u_char     buf[2 * NGX_INT64_LEN];
    ngx_str_t  argv[3];

    ngx_str_set(&argv[0], "WAIT");

    argv[1].data = buf;
    argv[1].len = ngx_sprintf(buf, "%ui", replicas) - buf;

    argv[2].data = buf + NGX_INT64_LEN;
    argv[2].len = ngx_sprintf(argv[2].data, "%M", timeout) - argv[2].data;

    job->replicas = replicas;

    return ngx_http_npmtoken_command_set(job, NULL, 3, argv);
}


static ngx_int_t
ngx_http_npmtoken_command_send(ngx_http_npmtoken_command_job_t *job,
    ngx_msec_t timeout, ngx_http_npmtoken_command_waiter_t *waiter)
{
    if (ngx_http_npmtoken_link_add(job->link, &job->sent) != NGX_OK) {
        ngx_http_npmtoken_command_free(job);
        return NGX_ERROR;
    }

    ngx_add_timer(&job->timer, timeout);

    job->waiter = waiter;

    if (waiter) {
        waiter->job = job;
        waiter->unreplicated = 0;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_npmtoken_command_account(ngx_http_npmtoken_command_job_t *job,
    ngx_str_t *account)
{
    ngx_str_t  *folded;

    folded = &job->sent.account;

    folded->data = ngx_pnalloc(job->pool, account->len + 1);
    if (folded->data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(folded->data, account->data, account->len);
    folded->len = account->len;

    return NGX_OK;
}


/* A job that was sent stays: its replies have to be read from the pipeline. */

void
ngx_http_npmtoken_command_forget(ngx_http_npmtoken_command_waiter_t *waiter)
{
    ngx_http_npmtoken_command_job_t  *job;

    job = waiter->job;

    if (job == NULL) {
        return;
    }

    job->waiter = NULL;
    waiter->job = NULL;

    if (job->sent.held) {
        ngx_http_npmtoken_link_remove(job->link, &job->sent);
        ngx_http_npmtoken_command_free(job);
    }
}


static void
ngx_http_npmtoken_command_timer_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_command_job_t  *job = ev->data;

    if (job->sent.sent) {

        /* this ends all jobs that were sent, including this one */

        ngx_http_npmtoken_link_expire(job->link, &job->sent);
        return;
    }

    ngx_http_npmtoken_command_end(job, NULL);
}


static ngx_int_t
ngx_http_npmtoken_command_reply(ngx_http_npmtoken_link_job_t *sent,
    redisReply *reply)
{
    ngx_http_npmtoken_command_job_t  *job;

    job = (ngx_http_npmtoken_command_job_t *) sent;

    if (job->session) {
        *job->session = job->link->session;
    }

    if (sent->nreplies < sent->ncommands) {
        return ngx_http_npmtoken_command_keep_status(job, reply);
    }

    if (sent->ncommands > 1) {
        reply = ngx_http_npmtoken_command_waited(job, reply);
    }

    ngx_http_npmtoken_command_end(job,
                               ngx_http_npmtoken_command_no_error(job, reply));

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_command_keep_status(ngx_http_npmtoken_command_job_t *job,
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
ngx_http_npmtoken_command_waited(ngx_http_npmtoken_command_job_t *job,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER
        && reply->integer >= (long long) job->replicas)
    {
        return &job->status;
    }

    (void) ngx_http_npmtoken_command_no_error(job, reply);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &job->link->conn.log, 0,
                   "npmtoken job %p is known to fewer than %ui replicas",
                   job, job->replicas);

    if (job->waiter) {
        job->waiter->unreplicated = 1;
    }

    return &job->status;
}


/*
 * Returns NULL for an error reply.  What begins and what ends a series of them
 * is logged.  A command of another kind does not end it: a user may lack the
 * right to one of them.
 */

static redisReply *
ngx_http_npmtoken_command_no_error(ngx_http_npmtoken_command_job_t *job,
    redisReply *reply)
{
    ngx_str_t                      code, words;
    ngx_http_npmtoken_link_t      *link;
    ngx_http_npmtoken_commands_t  *commands;

    link = job->link;

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_http_npmtoken_command_works(job);
        return reply;
    }

    ngx_http_npmtoken_codec_error(reply, &code);

    if (ngx_strncmp(code.data, "READONLY", 8) == 0) {
        commands = job->commands;

        ngx_http_npmtoken_link_doubt(commands->read);
        ngx_http_npmtoken_link_doubt(commands->write);
        ngx_http_npmtoken_link_doubt(commands->alone);
    }

    if (!link->refused.failing) {
        link->kind = ngx_http_npmtoken_command_kind(job);
    }

    if (!npmtoken_outage_fail(&link->refused,
                              ngx_crc32_short(code.data, code.len),
                              ngx_current_msec))
    {
        return NULL;
    }

    ngx_http_npmtoken_codec_words(reply, &words);

    ngx_log_error(NGX_LOG_ERR, &link->conn.log, 0,
                  "redis refused a command of the token API: %V (%V)%s",
                  &code, &words, ngx_http_npmtoken_codec_advice(&code));

    return NULL;
}


static void
ngx_http_npmtoken_command_works(ngx_http_npmtoken_command_job_t *job)
{
    ngx_msec_t                 lasted;
    ngx_http_npmtoken_link_t  *link;

    link = job->link;

    if (!link->refused.failing
        || link->kind != ngx_http_npmtoken_command_kind(job))
    {
        return;
    }

    if (npmtoken_outage_end(&link->refused, ngx_current_msec, &lasted)) {
        ngx_log_error(NGX_LOG_ERR, &link->conn.log, 0,
                      "redis takes this command of the token API again, after "
                      "%M.%03M s in which it refused %ui",
                      lasted / 1000, lasted % 1000, link->refused.n);
    }
}


/* Returns a hash of the command, or of its script. */

static uint32_t
ngx_http_npmtoken_command_kind(ngx_http_npmtoken_command_job_t *job)
{
    ngx_str_t                    *word;
    ngx_http_npmtoken_command_t  *command;

    command = &job->sent.commands[0];
    word = &command->argv[0];

    if (ngx_strncmp(word->data, "EVAL", 4) == 0 && command->argc > 1) {
        word = &command->argv[1];
    }

    return ngx_crc32_long(word->data, word->len);
}


static void
ngx_http_npmtoken_command_lost(ngx_http_npmtoken_link_job_t *sent)
{
    ngx_http_npmtoken_command_end((ngx_http_npmtoken_command_job_t *) sent,
                                  NULL);
}


/* The handler may free the memory of its waiter. */

static void
ngx_http_npmtoken_command_end(ngx_http_npmtoken_command_job_t *job,
    redisReply *reply)
{
    ngx_http_npmtoken_command_waiter_t  *waiter;

    ngx_http_npmtoken_link_remove(job->link, &job->sent);

    waiter = job->waiter;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &job->link->conn.log, 0,
                   "npmtoken job %p ends, type of its reply: %d, waiter: %p",
                   job, reply ? reply->type : 0, waiter);

    if (waiter) {
        waiter->job = NULL;
        waiter->handler(waiter, reply);
    }

    ngx_http_npmtoken_command_free(job);
}


static void
ngx_http_npmtoken_command_free(ngx_http_npmtoken_command_job_t *job)
{
    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    ngx_destroy_pool(job->pool);
}


ngx_uint_t
ngx_http_npmtoken_command_is(redisReply *reply, char *status)
{
    return reply->type == REDIS_REPLY_STATUS
           && ngx_strcmp(reply->str, status) == 0;
}


void
ngx_http_npmtoken_command_exit(ngx_http_npmtoken_commands_t *commands)
{
    ngx_http_npmtoken_command_link_exit(&commands->read);
    ngx_http_npmtoken_command_link_exit(&commands->write);
    ngx_http_npmtoken_command_link_exit(&commands->alone);
}


static void
ngx_http_npmtoken_command_link_exit(ngx_http_npmtoken_link_t **link)
{
    if (*link == NULL) {
        return;
    }

    ngx_http_npmtoken_command_free_all(&(*link)->jobs);
    ngx_http_npmtoken_command_free_all(&(*link)->held);
    ngx_http_npmtoken_command_free_all(&(*link)->moved);
    ngx_http_npmtoken_command_free_all(&(*link)->away);

    ngx_http_npmtoken_link_destroy(*link);

    *link = NULL;
}


static void
ngx_http_npmtoken_command_free_all(ngx_queue_t *jobs)
{
    ngx_queue_t                      *q;
    ngx_http_npmtoken_command_job_t  *job;

    q = ngx_queue_head(jobs);

    while (q != ngx_queue_sentinel(jobs)) {
        job = ngx_queue_data(q, ngx_http_npmtoken_command_job_t, sent.queue);
        q = ngx_queue_next(q);

        if (job->waiter) {
            job->waiter->job = NULL;
        }

        ngx_http_npmtoken_command_free(job);
    }
}
