
/*
 * A tally is a sorted set.  Its name ends with a digest of what it counts,
 * because somebody may type a password in place of a name.  An attempt is a
 * member of the set, with a random name.
 *
 * When a node dies, the places of its unfinished attempts are free after a
 * minute.  An attempt that takes longer than a minute to check still counts
 * when it fails.  In the meantime another attempt may take its place.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/rand.h>
#include "npmtoken_digest.h"
#include "npmtoken_script.h"
#include "ngx_http_npmtoken_attempts.h"


/* how long an attempt being checked keeps its place, in milliseconds */
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_CHECK          "60000"

/* first and longest delay of a retry, and when retries end; milliseconds */
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_AGAIN_FIRST    20
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_AGAIN_LAST     500
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_AGAIN_END      20000

/* attempts that may wait: in this worker, and from one address */
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_MAX_WAITING    512
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_WAITING_SHARE  64

/* digits of a digest in the name of a tally */
#define NGX_HTTP_NPMTOKEN_ATTEMPTS_DIGEST_LEN     32


static uint64_t ngx_http_npmtoken_attempts_time(
    ngx_http_npmtoken_attempt_t *attempt);
static ngx_int_t ngx_http_npmtoken_attempts_ask(
    ngx_http_npmtoken_attempt_t *attempt);
static void ngx_http_npmtoken_attempts_begun(
    ngx_http_npmtoken_command_waiter_t *asking, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_attempts_stand(
    ngx_http_npmtoken_attempt_t *attempt);
static void ngx_http_npmtoken_attempts_again(ngx_event_t *ev);
static void ngx_http_npmtoken_attempts_leave(
    ngx_http_npmtoken_attempt_t *attempt);
static ngx_int_t ngx_http_npmtoken_attempts_end_args(
    ngx_http_npmtoken_attempt_t *attempt, uint64_t msec, ngx_str_t *argv,
    ngx_uint_t *argc);
static void ngx_http_npmtoken_attempts_tell(
    ngx_http_npmtoken_attempt_t *attempt, uint64_t msec);
static void ngx_http_npmtoken_attempts_ended(
    ngx_http_npmtoken_command_waiter_t *asking, redisReply *reply);


/* attempts of this worker that wait for a place */

static ngx_http_npmtoken_line_t  ngx_http_npmtoken_attempts_line;


ngx_int_t
ngx_http_npmtoken_attempts_create(ngx_http_npmtoken_attempt_t *attempt)
{
    u_char  random[NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN / 2];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(attempt->id, random, sizeof(random));

    attempt->again = NGX_HTTP_NPMTOKEN_ATTEMPTS_AGAIN_FIRST;
    attempt->end = ngx_current_msec + NGX_HTTP_NPMTOKEN_ATTEMPTS_AGAIN_END;

    attempt->asking.data = attempt;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_attempts_tally(ngx_http_npmtoken_attempt_t *attempt,
    char *kind, ngx_str_t *what, ngx_uint_t limit)
{
    ngx_str_t  *key;

    if (limit == 0) {
        return NGX_OK;
    }

    key = &attempt->keys[attempt->n];

    *key = ngx_http_npmtoken_attempts_key(attempt->pool, &attempt->prefix,
                                          kind, what);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    attempt->limits[attempt->n++] = limit;

    return NGX_OK;
}


ngx_str_t
ngx_http_npmtoken_attempts_key(ngx_pool_t *pool, ngx_str_t *prefix,
    char *kind, ngx_str_t *what)
{
    u_char     *p, digest[NPMTOKEN_KEY_LEN];
    ngx_str_t   key;

    ngx_str_null(&key);

    if (what->data == NULL || npmtoken_digest_key(what, digest) != NGX_OK) {
        return key;
    }

    key.len = prefix->len + ngx_strlen(kind)
              + NGX_HTTP_NPMTOKEN_ATTEMPTS_DIGEST_LEN;
    key.data = ngx_pnalloc(pool, key.len);

    if (key.data) {
        p = ngx_copy(key.data, prefix->data, prefix->len);
        p = ngx_copy(p, kind, ngx_strlen(kind));
        ngx_memcpy(p, digest, NGX_HTTP_NPMTOKEN_ATTEMPTS_DIGEST_LEN);
    }

    return key;
}


ngx_str_t
ngx_http_npmtoken_attempts_number(ngx_pool_t *pool, uint64_t n)
{
    ngx_str_t  text;

    text.len = 0;
    text.data = ngx_pnalloc(pool, NGX_INT64_LEN);

    if (text.data) {
        text.len = ngx_sprintf(text.data, "%uL", n) - text.data;
    }

    return text;
}


static uint64_t
ngx_http_npmtoken_attempts_time(ngx_http_npmtoken_attempt_t *attempt)
{
    return (uint64_t) attempt->time * 1000;
}


ngx_int_t
ngx_http_npmtoken_attempts_begin(ngx_http_npmtoken_attempt_t *attempt)
{
    return attempt->n ? ngx_http_npmtoken_attempts_ask(attempt) : NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_attempts_ask(ngx_http_npmtoken_attempt_t *attempt)
{
    ngx_str_t   *arg;
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    /* the number of keys, the keys, the id, two times, the limits */

    ngx_str_t  argv[4 + 2 * NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];

    pool = attempt->pool;
    arg = argv;

    *arg++ = ngx_http_npmtoken_attempts_number(pool, attempt->n);

    for (i = 0; i < attempt->n; i++) {
        *arg++ = attempt->keys[i];
    }

    arg->data = attempt->id;
    arg++->len = NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN;

    if (attempt->counts) {
        ngx_str_set(arg, "0");

    } else {
        ngx_str_set(arg, NGX_HTTP_NPMTOKEN_ATTEMPTS_CHECK);
    }

    arg++;

    *arg++ = ngx_http_npmtoken_attempts_number(pool,
                                    ngx_http_npmtoken_attempts_time(attempt));

    for (i = 0; i < attempt->n; i++) {
        *arg++ = ngx_http_npmtoken_attempts_number(pool, attempt->limits[i]);
    }

    for (i = 0; i < (ngx_uint_t) (arg - argv); i++) {
        if (argv[i].data == NULL) {
            return NGX_ERROR;
        }
    }

    attempt->asking.handler = ngx_http_npmtoken_attempts_begun;

    return ngx_http_npmtoken_command_script(attempt->commands,
                                            &npmtoken_script_begin,
                                            arg - argv, argv,
                                            &attempt->asking);
}


static void
ngx_http_npmtoken_attempts_begun(ngx_http_npmtoken_command_waiter_t *asking,
    redisReply *reply)
{
    ngx_int_t                     rc;
    ngx_http_npmtoken_attempt_t  *attempt = asking->data;

    rc = NGX_ERROR;

    if (reply && ngx_http_npmtoken_command_is(reply, "OK")) {
        attempt->placed = !attempt->counts;
        rc = NGX_OK;

    } else if (reply && ngx_http_npmtoken_command_is(reply, "BUSY")) {
        rc = ngx_http_npmtoken_attempts_stand(attempt);

        if (rc == NGX_AGAIN) {
            return;
        }

    } else if (reply) {
        attempt->wait = ngx_http_npmtoken_attempts_wait(reply);
        rc = (attempt->wait == NGX_DECLINED) ? NGX_ERROR : NGX_BUSY;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken attempt %p begins: %i, placed: %d", attempt, rc,
                   attempt->placed);

    attempt->handler(attempt, rc);
}


/*
 * Waits, since other attempts will succeed or fail.  Returns NGX_AGAIN, or
 * NGX_ERROR if the attempt may not wait, or not any longer.
 */

static ngx_int_t
ngx_http_npmtoken_attempts_stand(ngx_http_npmtoken_attempt_t *attempt)
{
    ngx_http_npmtoken_line_t  *line;

    line = &ngx_http_npmtoken_attempts_line;

    if ((ngx_msec_int_t) (attempt->end - ngx_current_msec) <= 0
        || line->n >= NGX_HTTP_NPMTOKEN_ATTEMPTS_MAX_WAITING
        || ngx_http_npmtoken_share_count(line, &attempt->address)
           >= NGX_HTTP_NPMTOKEN_ATTEMPTS_WAITING_SHARE)
    {
        return NGX_ERROR;
    }

    attempt->sharer.address = attempt->address;
    ngx_http_npmtoken_share_join(line, &attempt->sharer);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken attempt %p waits for a place for %M ms", attempt,
                   attempt->again);

    attempt->waits = 1;

    attempt->timer.handler = ngx_http_npmtoken_attempts_again;
    attempt->timer.data = attempt;
    attempt->timer.log = ngx_cycle->log;

    ngx_add_timer(&attempt->timer, attempt->again);

    attempt->again = ngx_min(2 * attempt->again,
                             NGX_HTTP_NPMTOKEN_ATTEMPTS_AGAIN_LAST);

    return NGX_AGAIN;
}


static void
ngx_http_npmtoken_attempts_again(ngx_event_t *ev)
{
    ngx_http_npmtoken_attempt_t  *attempt = ev->data;

    ngx_http_npmtoken_attempts_leave(attempt);

    if (ngx_http_npmtoken_attempts_ask(attempt) != NGX_AGAIN) {
        attempt->handler(attempt, NGX_ERROR);
    }
}


static void
ngx_http_npmtoken_attempts_leave(ngx_http_npmtoken_attempt_t *attempt)
{
    attempt->waits = 0;

    ngx_http_npmtoken_share_leave(&ngx_http_npmtoken_attempts_line,
                                  &attempt->sharer);
}


ngx_int_t
ngx_http_npmtoken_attempts_wait(redisReply *reply)
{
    ngx_int_t  seconds;

    if (reply->type != REDIS_REPLY_STATUS
        || reply->len <= sizeof("WAIT ") - 1
        || ngx_strncmp(reply->str, "WAIT ", sizeof("WAIT ") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    seconds = ngx_atoi((u_char *) reply->str + sizeof("WAIT ") - 1,
                       reply->len - (sizeof("WAIT ") - 1));

    return (seconds == NGX_ERROR) ? NGX_DECLINED : seconds;
}


/* "argv" has room for the number of keys, the keys, the id, the time */

static ngx_int_t
ngx_http_npmtoken_attempts_end_args(ngx_http_npmtoken_attempt_t *attempt,
    uint64_t msec, ngx_str_t *argv, ngx_uint_t *argc)
{
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    pool = attempt->pool;

    argv[0] = ngx_http_npmtoken_attempts_number(pool, attempt->n);

    for (i = 0; i < attempt->n; i++) {
        argv[1 + i] = attempt->keys[i];
    }

    argv[1 + i].data = attempt->id;
    argv[1 + i].len = NGX_HTTP_NPMTOKEN_ATTEMPTS_ID_LEN;
    argv[2 + i] = ngx_http_npmtoken_attempts_number(pool, msec);

    *argc = 3 + i;

    return (argv[0].data && argv[2 + i].data) ? NGX_OK : NGX_ERROR;
}


/* Nobody waits for the reply.  If the command is lost, the place expires. */

static void
ngx_http_npmtoken_attempts_tell(ngx_http_npmtoken_attempt_t *attempt,
    uint64_t msec)
{
    ngx_str_t   argv[3 + NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];
    ngx_uint_t  argc;

    if (!attempt->placed) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken attempt %p ends, counts for %uL ms", attempt,
                   msec);

    attempt->placed = 0;

    if (ngx_http_npmtoken_attempts_end_args(attempt, msec, argv, &argc)
        == NGX_OK)
    {
        (void) ngx_http_npmtoken_command_script(attempt->commands,
                                                &npmtoken_script_end, argc,
                                                argv, NULL);
    }
}


void
ngx_http_npmtoken_attempts_give_back(ngx_http_npmtoken_attempt_t *attempt)
{
    ngx_http_npmtoken_attempts_tell(attempt, 0);
}


void
ngx_http_npmtoken_attempts_forget(ngx_http_npmtoken_attempt_t *attempt)
{
    if (attempt->waits) {
        ngx_http_npmtoken_attempts_leave(attempt);
        ngx_del_timer(&attempt->timer);
    }

    ngx_http_npmtoken_command_forget(&attempt->asking);

    ngx_http_npmtoken_attempts_tell(attempt,
                                    ngx_http_npmtoken_attempts_time(attempt));
}


ngx_int_t
ngx_http_npmtoken_attempts_fail(ngx_http_npmtoken_attempt_t *attempt)
{
    ngx_str_t   argv[3 + NGX_HTTP_NPMTOKEN_ATTEMPTS_TALLIES];
    ngx_uint_t  argc;

    if (!attempt->placed) {
        return NGX_OK;
    }

    if (ngx_http_npmtoken_attempts_end_args(attempt,
                                   ngx_http_npmtoken_attempts_time(attempt),
                                   argv, &argc)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    attempt->asking.handler = ngx_http_npmtoken_attempts_ended;

    return ngx_http_npmtoken_command_script(attempt->commands,
                                            &npmtoken_script_end, argc, argv,
                                            &attempt->asking);
}


/* A failure that could not be counted is not reported as counted. */

static void
ngx_http_npmtoken_attempts_ended(ngx_http_npmtoken_command_waiter_t *asking,
    redisReply *reply)
{
    ngx_http_npmtoken_attempt_t  *attempt = asking->data;

    if (reply == NULL) {
        attempt->handler(attempt, NGX_ERROR);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "npmtoken attempt %p has failed, and is counted", attempt);

    attempt->placed = 0;

    attempt->handler(attempt, NGX_OK);
}
