
/*
 * A tally is a sorted set whose name ends with a digest of what it is about:
 * a name that somebody types may be a password by mistake.  An attempt is a
 * member of it, of a random name.
 *
 * A node that dies gives the places of what it was checking back after a
 * minute.  What takes longer than that to check counts all the same when it
 * fails, and meanwhile another one may be made.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/rand.h>
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_share.h"
#include "ngx_http_npmtoken_api_text.h"


/* of an attempt: the account and the address, or one other */
#define NGX_HTTP_NPMTOKEN_API_TALLIES        2

/* for how long a place is kept while it is checked, in milliseconds */
#define NGX_HTTP_NPMTOKEN_API_CHECK          "60000"

/* how often who waits asks again, and until when, in milliseconds */
#define NGX_HTTP_NPMTOKEN_API_AGAIN_FIRST    20
#define NGX_HTTP_NPMTOKEN_API_AGAIN_LAST     500
#define NGX_HTTP_NPMTOKEN_API_AGAIN_END      20000

/* of this worker, and of an address among them */
#define NGX_HTTP_NPMTOKEN_API_MAX_WAITING    512
#define NGX_HTTP_NPMTOKEN_API_WAITING_SHARE  64

/* digits of a digest in the name of a tally */
#define NGX_HTTP_NPMTOKEN_API_TALLY_LEN      32

#define NGX_HTTP_NPMTOKEN_API_ATTEMPT_LEN    16

/* how often it is logged that attempts are refused, in milliseconds */
#define NGX_HTTP_NPMTOKEN_API_REFUSED_LOG    10000


struct ngx_http_npmtoken_api_attempt_s {
    ngx_http_npmtoken_api_shared_t  shared;      /* while it waits */
    ngx_http_npmtoken_api_ctx_t    *ctx;
    ngx_str_t                       keys[NGX_HTTP_NPMTOKEN_API_TALLIES];
    ngx_uint_t                      limits[NGX_HTTP_NPMTOKEN_API_TALLIES];
    ngx_uint_t                      n;           /* of these */
    u_char                          id[NGX_HTTP_NPMTOKEN_API_ATTEMPT_LEN];
    const char                     *sentence;    /* to who is refused */
    ngx_http_npmtoken_api_step_pt   next;
    ngx_event_t                     timer;
    ngx_msec_t                      again;       /* how long it waits */
    ngx_msec_t                      end;         /* of waiting, */
    unsigned                        waits:1;     /* where it does */
    unsigned                        counts:1;    /* at once, in any case */
    unsigned                        placed:1;    /* and is not at its end */
};


static ngx_http_npmtoken_api_attempt_t *ngx_http_npmtoken_api_attempts_new(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_attempts_tallies(
    ngx_http_npmtoken_api_attempt_t *attempt);
static ngx_int_t ngx_http_npmtoken_api_attempts_tally(
    ngx_http_npmtoken_api_attempt_t *attempt, char *kind, ngx_str_t *what,
    ngx_uint_t limit);
static ngx_str_t ngx_http_npmtoken_api_attempts_key(
    ngx_http_npmtoken_api_ctx_t *ctx, char *kind, ngx_str_t *what);
static ngx_str_t ngx_http_npmtoken_api_attempts_name(
    ngx_http_npmtoken_api_ctx_t *ctx, size_t room);
static ngx_uint_t ngx_http_npmtoken_api_attempts_limit(
    ngx_http_npmtoken_api_conf_t *conf);
static ngx_str_t ngx_http_npmtoken_api_attempts_number(ngx_pool_t *pool,
    uint64_t n);
static void ngx_http_npmtoken_api_attempts_ask(
    ngx_http_npmtoken_api_attempt_t *attempt);
static void ngx_http_npmtoken_api_attempts_begun(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_attempts_stand(
    ngx_http_npmtoken_api_attempt_t *attempt);
static void ngx_http_npmtoken_api_attempts_again(ngx_event_t *ev);
static void ngx_http_npmtoken_api_attempts_detach(void *data);
static ngx_int_t ngx_http_npmtoken_api_attempts_end_args(
    ngx_http_npmtoken_api_attempt_t *attempt, uint64_t msec, ngx_str_t *argv,
    ngx_uint_t *argc);
static void ngx_http_npmtoken_api_attempts_tell(
    ngx_http_npmtoken_api_ctx_t *ctx, uint64_t msec);
static void ngx_http_npmtoken_api_attempts_ended(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);


/* those of this worker that wait */

static ngx_http_npmtoken_api_line_t  ngx_http_npmtoken_api_attempts_line;


void
ngx_http_npmtoken_api_attempts_begin(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_http_npmtoken_api_attempt_t  *attempt;

    if (ctx->attempt && ctx->attempt->placed) {
        next(ctx);
        return;
    }

    attempt = ngx_http_npmtoken_api_attempts_new(ctx);

    if (attempt == NULL
        || ngx_http_npmtoken_api_attempts_tallies(attempt) != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    attempt->next = next;
    attempt->sentence = "Too many failed attempts to log in. Wait a while, "
                        "then try again.";

    ngx_http_npmtoken_api_attempts_ask(attempt);
}


void
ngx_http_npmtoken_api_attempts_signup(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_str_t                         address;
    ngx_http_npmtoken_api_attempt_t  *attempt;

    address = ngx_http_npmtoken_api_text_address(ctx->request);

    attempt = ngx_http_npmtoken_api_attempts_new(ctx);

    if (attempt == NULL
        || address.data == NULL
        || ngx_http_npmtoken_api_attempts_tally(attempt, "tries:signup:",
                                                &address,
                                                ctx->conf->address_attempts)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    attempt->counts = 1;
    attempt->next = next;
    attempt->sentence = "Too many new accounts from this address. Wait a "
                        "while, then try again.";

    ngx_http_npmtoken_api_attempts_ask(attempt);
}


static ngx_http_npmtoken_api_attempt_t *
ngx_http_npmtoken_api_attempts_new(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char                            random[8];
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ngx_pcalloc(ctx->request->pool,
                          sizeof(ngx_http_npmtoken_api_attempt_t));

    if (attempt == NULL || RAND_bytes(random, sizeof(random)) != 1) {
        return NULL;
    }

    (void) ngx_hex_dump(attempt->id, random, sizeof(random));

    attempt->ctx = ctx;
    attempt->again = NGX_HTTP_NPMTOKEN_API_AGAIN_FIRST;
    attempt->end = ngx_current_msec + NGX_HTTP_NPMTOKEN_API_AGAIN_END;

    ctx->attempt = attempt;

    return attempt;
}


/* a token that is sent with a login proves nothing */

static ngx_int_t
ngx_http_npmtoken_api_attempts_tallies(
    ngx_http_npmtoken_api_attempt_t *attempt)
{
    ngx_str_t                      token, name, address;
    ngx_http_npmtoken_api_ctx_t   *ctx;
    ngx_http_npmtoken_api_conf_t  *conf;

    ctx = attempt->ctx;
    conf = ctx->conf;

    if (ctx->call != NGX_HTTP_NPMTOKEN_API_LOGIN) {
        token.data = ngx_http_npmtoken_request_key(ctx->request, ctx->judged);
        token.len = NPMTOKEN_KEY_LEN;

        return ngx_http_npmtoken_api_attempts_tally(attempt, "tries:token:",
                    &token, ngx_http_npmtoken_api_attempts_limit(conf));
    }

    name = ngx_http_npmtoken_api_attempts_name(ctx, 0);
    address = ngx_http_npmtoken_api_text_address(ctx->request);

    if (ngx_http_npmtoken_api_attempts_tally(attempt, "tries:account:", &name,
                                             conf->account_attempts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_attempts_tally(attempt, "tries:address:",
                                                &address,
                                                conf->address_attempts);
}


static ngx_int_t
ngx_http_npmtoken_api_attempts_tally(ngx_http_npmtoken_api_attempt_t *attempt,
    char *kind, ngx_str_t *what, ngx_uint_t limit)
{
    ngx_str_t  *key;

    if (limit == 0) {
        return NGX_OK;
    }

    key = &attempt->keys[attempt->n];

    *key = ngx_http_npmtoken_api_attempts_key(attempt->ctx, kind, what);

    if (key->data == NULL) {
        return NGX_ERROR;
    }

    attempt->limits[attempt->n++] = limit;

    return NGX_OK;
}


/* "what" may be without data: there was no memory for it */

static ngx_str_t
ngx_http_npmtoken_api_attempts_key(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_str_t *what)
{
    u_char     digest[NPMTOKEN_KEY_LEN];
    ngx_str_t  name;

    if (what->data == NULL || npmtoken_digest_key(what, digest) != NGX_OK) {
        ngx_str_null(&name);
        return name;
    }

    name.data = digest;
    name.len = NGX_HTTP_NPMTOKEN_API_TALLY_LEN;

    return ngx_http_npmtoken_api_text_key(ctx, kind, &name);
}


/* the name of the account, with some room behind it */

static ngx_str_t
ngx_http_npmtoken_api_attempts_name(ngx_http_npmtoken_api_ctx_t *ctx,
    size_t room)
{
    ngx_str_t  name;

    name.len = ctx->user.len;
    name.data = ngx_pnalloc(ctx->request->pool, name.len + room);

    if (name.data) {
        npmtoken_account_fold(&ctx->user, name.data);
    }

    return name;
}


static ngx_uint_t
ngx_http_npmtoken_api_attempts_limit(ngx_http_npmtoken_api_conf_t *conf)
{
    /* who says "0 50" wants nobody kept out by strangers: these are none */

    return conf->account_attempts ? conf->account_attempts
                                  : conf->address_attempts;
}


ngx_int_t
ngx_http_npmtoken_api_attempts_codes(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *key, ngx_str_t *args)
{
    u_char      *p;
    ngx_str_t    what, *hash;
    ngx_uint_t   limit;

    limit = ngx_http_npmtoken_api_attempts_limit(ctx->conf);

    if (limit == 0) {
        return NGX_DECLINED;
    }

    if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN) {
        hash = &ctx->account.password;

        what = ngx_http_npmtoken_api_attempts_name(ctx, 1 + hash->len);

        if (what.data == NULL) {
            return NGX_ERROR;
        }

        p = what.data + what.len;
        *p++ = '\0';
        p = ngx_copy(p, hash->data, hash->len);

        what.len = p - what.data;

    } else {
        what.data = ngx_http_npmtoken_request_key(ctx->request, ctx->judged);
        what.len = NPMTOKEN_KEY_LEN;
    }

    *key = ngx_http_npmtoken_api_attempts_key(ctx, "tries:codes:", &what);

    args[0] = ngx_http_npmtoken_api_attempts_number(ctx->request->pool,
                                                    limit);
    args[1] = ngx_http_npmtoken_api_attempts_number(ctx->request->pool,
                                    (uint64_t) ctx->conf->attempts_time
                                    * 1000);

    return (key->data && args[0].data && args[1].data) ? NGX_OK : NGX_ERROR;
}


static ngx_str_t
ngx_http_npmtoken_api_attempts_number(ngx_pool_t *pool, uint64_t n)
{
    ngx_str_t  text;

    text.len = 0;
    text.data = ngx_pnalloc(pool, NGX_INT64_LEN);

    if (text.data) {
        text.len = ngx_sprintf(text.data, "%uL", n) - text.data;
    }

    return text;
}


static void
ngx_http_npmtoken_api_attempts_ask(ngx_http_npmtoken_api_attempt_t *attempt)
{
    ngx_str_t                    *arg;
    ngx_uint_t                    i;
    ngx_pool_t                   *pool;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    /* number of keys, the keys, id, two times, the limits */

    ngx_str_t  argv[4 + 2 * NGX_HTTP_NPMTOKEN_API_TALLIES];

    ctx = attempt->ctx;
    pool = ctx->request->pool;

    if (attempt->n == 0) {
        attempt->next(ctx);
        return;
    }

    arg = argv;

    *arg++ = ngx_http_npmtoken_api_attempts_number(pool, attempt->n);

    for (i = 0; i < attempt->n; i++) {
        *arg++ = attempt->keys[i];
    }

    arg->data = attempt->id;
    arg++->len = NGX_HTTP_NPMTOKEN_API_ATTEMPT_LEN;

    if (attempt->counts) {
        ngx_str_set(arg, "0");

    } else {
        ngx_str_set(arg, NGX_HTTP_NPMTOKEN_API_CHECK);
    }

    arg++;

    *arg++ = ngx_http_npmtoken_api_attempts_number(pool,
                                    (uint64_t) ctx->conf->attempts_time
                                    * 1000);

    for (i = 0; i < attempt->n; i++) {
        *arg++ = ngx_http_npmtoken_api_attempts_number(pool,
                                                       attempt->limits[i]);
    }

    for (i = 0; i < (ngx_uint_t) (arg - argv); i++) {
        if (argv[i].data == NULL) {
            ngx_http_npmtoken_api_answer_failed(ctx);
            return;
        }
    }

    if (ngx_http_npmtoken_api_db_script(ctx, &npmtoken_script_begin,
                                        arg - argv, argv,
                                        ngx_http_npmtoken_api_attempts_begun)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_attempts_begun(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_int_t                         wait;
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ctx->attempt;

    if (reply && ngx_http_npmtoken_api_is(reply, "OK") == NGX_OK) {
        attempt->placed = !attempt->counts;
        attempt->next(ctx);
        return;
    }

    if (reply && ngx_http_npmtoken_api_is(reply, "BUSY") == NGX_OK) {
        ngx_http_npmtoken_api_attempts_stand(attempt);
        return;
    }

    wait = reply ? ngx_http_npmtoken_api_attempts_wait(reply) : NGX_DECLINED;

    if (wait == NGX_DECLINED) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ngx_http_npmtoken_api_attempts_refused(ctx, wait, attempt->sentence);
}


/* until others have succeeded, or have failed */

static void
ngx_http_npmtoken_api_attempts_stand(ngx_http_npmtoken_api_attempt_t *attempt)
{
    ngx_http_npmtoken_api_ctx_t   *ctx;
    ngx_http_npmtoken_api_line_t  *line;

    ctx = attempt->ctx;
    line = &ngx_http_npmtoken_api_attempts_line;

    attempt->shared.address = ngx_http_npmtoken_api_text_address(ctx->request);

    if ((ngx_msec_int_t) (attempt->end - ngx_current_msec) <= 0
        || attempt->shared.address.data == NULL
        || line->n >= NGX_HTTP_NPMTOKEN_API_MAX_WAITING
        || ngx_http_npmtoken_api_share_count(line, &attempt->shared.address)
           >= NGX_HTTP_NPMTOKEN_API_WAITING_SHARE)
    {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ngx_http_npmtoken_api_share_join(line, &attempt->shared);

    attempt->timer.handler = ngx_http_npmtoken_api_attempts_again;
    attempt->timer.data = attempt;
    attempt->timer.log = ngx_cycle->log;

    ngx_add_timer(&attempt->timer, attempt->again);

    attempt->again = ngx_min(2 * attempt->again,
                             NGX_HTTP_NPMTOKEN_API_AGAIN_LAST);

    ctx->job = attempt;
    ctx->detach = ngx_http_npmtoken_api_attempts_detach;
}


static void
ngx_http_npmtoken_api_attempts_again(ngx_event_t *ev)
{
    ngx_connection_t                 *c;
    ngx_http_npmtoken_api_ctx_t      *ctx;
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ev->data;

    ctx = attempt->ctx;
    c = ctx->request->connection;

    ngx_http_npmtoken_api_share_leave(&ngx_http_npmtoken_api_attempts_line,
                                      &attempt->shared);
    ctx->job = NULL;

    ngx_http_set_log_request(c->log, ctx->request);

    ngx_http_npmtoken_api_attempts_ask(attempt);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_npmtoken_api_attempts_detach(void *data)
{
    ngx_http_npmtoken_api_attempt_t  *attempt = data;

    ngx_http_npmtoken_api_share_leave(&ngx_http_npmtoken_api_attempts_line,
                                      &attempt->shared);

    ngx_del_timer(&attempt->timer);
}


ngx_int_t
ngx_http_npmtoken_api_attempts_wait(redisReply *reply)
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


/* "argv" has room for the number of keys, the keys, id, time */

static ngx_int_t
ngx_http_npmtoken_api_attempts_end_args(
    ngx_http_npmtoken_api_attempt_t *attempt, uint64_t msec, ngx_str_t *argv,
    ngx_uint_t *argc)
{
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    pool = attempt->ctx->request->pool;

    argv[0] = ngx_http_npmtoken_api_attempts_number(pool, attempt->n);

    for (i = 0; i < attempt->n; i++) {
        argv[1 + i] = attempt->keys[i];
    }

    argv[1 + i].data = attempt->id;
    argv[1 + i].len = NGX_HTTP_NPMTOKEN_API_ATTEMPT_LEN;
    argv[2 + i] = ngx_http_npmtoken_api_attempts_number(pool, msec);

    *argc = 3 + i;

    return (argv[0].data && argv[2 + i].data) ? NGX_OK : NGX_ERROR;
}


/* nobody waits for the reply: should it be lost, the place ends by itself */

static void
ngx_http_npmtoken_api_attempts_tell(ngx_http_npmtoken_api_ctx_t *ctx,
    uint64_t msec)
{
    ngx_str_t   argv[3 + NGX_HTTP_NPMTOKEN_API_TALLIES];
    ngx_uint_t  argc;

    if (ctx->attempt == NULL || !ctx->attempt->placed) {
        return;
    }

    ctx->attempt->placed = 0;

    if (ngx_http_npmtoken_api_attempts_end_args(ctx->attempt, msec, argv,
                                                &argc)
        == NGX_OK)
    {
        ngx_http_npmtoken_api_db_tell(ctx->conf, &npmtoken_script_end, argc,
                                      argv);
    }
}


void
ngx_http_npmtoken_api_attempts_succeeded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_attempts_tell(ctx, 0);
}


void
ngx_http_npmtoken_api_attempts_gone(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_attempts_tell(ctx,
                                (uint64_t) ctx->conf->attempts_time * 1000);
}


void
ngx_http_npmtoken_api_attempts_failed(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_str_t                         argv[3 + NGX_HTTP_NPMTOKEN_API_TALLIES];
    ngx_uint_t                        argc;
    ngx_http_npmtoken_api_attempt_t  *attempt;

    attempt = ctx->attempt;

    if (attempt == NULL || !attempt->placed) {
        next(ctx);
        return;
    }

    attempt->next = next;

    if (ngx_http_npmtoken_api_attempts_end_args(attempt,
                                (uint64_t) ctx->conf->attempts_time * 1000,
                                argv, &argc)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_db_script(ctx, &npmtoken_script_end, argc, argv,
                                        ngx_http_npmtoken_api_attempts_ended)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
    }
}


/* what was not counted is not told, either */

static void
ngx_http_npmtoken_api_attempts_ended(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ctx->attempt->placed = 0;
    ctx->attempt->next(ctx);
}


void
ngx_http_npmtoken_api_attempts_refused(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t seconds, const char *sentence)
{
    static ngx_msec_t  logged;
    static ngx_uint_t  refused;

    refused++;

    if (logged == 0
        || ngx_current_msec - logged >= NGX_HTTP_NPMTOKEN_API_REFUSED_LOG)
    {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "npmtoken: too many failed attempts, another one is "
                      "refused for %T s; refused since the last such line: "
                      "%ui", seconds, refused);

        logged = ngx_current_msec;
        refused = 0;
    }

    ngx_http_npmtoken_api_answer_too_many(ctx, seconds, sentence);
}
