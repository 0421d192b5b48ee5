
/*
 * A worker walks once at a time, for all who have asked before it began: who
 * asks later waits for the next one.  So however many names strangers want,
 * Redis has one page of each worker to answer at a time.
 */


#include "ngx_http_npmtoken_api_walk.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_text.h"


/* keys a page: Redis does nothing else for about half a millisecond */
#define NGX_HTTP_NPMTOKEN_API_PAGE         "200"

/* names a walk, and who may wait at all */
#define NGX_HTTP_NPMTOKEN_API_WALK_NAMES   32
#define NGX_HTTP_NPMTOKEN_API_WALKERS      256

#define NGX_HTTP_NPMTOKEN_API_CURSOR_LEN   20


typedef struct {
    ngx_uint_t                        place;     /* in "walkers" */
    ngx_http_npmtoken_api_ctx_t      *ctx;
    ngx_http_npmtoken_api_walk_t     *walk;
    ngx_http_npmtoken_api_walked_pt   handler;
    ngx_str_t                         name;      /* folded, */
    ngx_str_t                         key;       /* and its account's */
    ngx_uint_t                        what;
    unsigned                          walking:1; /* else: in the next one */
} ngx_http_npmtoken_api_walker_t;


struct ngx_http_npmtoken_api_walk_s {
    ngx_http_npmtoken_api_db_t       *db;
    ngx_http_npmtoken_store_t        *store;
    ngx_http_npmtoken_api_walker_t   *walkers[NGX_HTTP_NPMTOKEN_API_WALKERS];
    ngx_uint_t                        next;      /* place of who has waited for
                                                    the longest, or about it */
    u_char                            cursor[NGX_HTTP_NPMTOKEN_API_CURSOR_LEN];
    size_t                            cursor_len;
    unsigned                          running:1;
};


static ngx_int_t ngx_http_npmtoken_api_walk_begin(
    ngx_http_npmtoken_api_walk_t *walk);
static ngx_int_t ngx_http_npmtoken_api_walk_page(
    ngx_http_npmtoken_api_walk_t *walk);
static void ngx_http_npmtoken_api_walk_reply(void *data, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_walk_read(
    ngx_http_npmtoken_api_walk_t *walk, redisReply *reply);
static void ngx_http_npmtoken_api_walk_found(
    ngx_http_npmtoken_api_walk_t *walk, redisReply *names, ngx_uint_t what);
static ngx_uint_t ngx_http_npmtoken_api_walk_has(redisReply *names,
    ngx_str_t *name);
static void ngx_http_npmtoken_api_walk_end(
    ngx_http_npmtoken_api_walk_t *walk, ngx_int_t rc);
static void ngx_http_npmtoken_api_walk_walker_end(
    ngx_http_npmtoken_api_walker_t *walker, ngx_int_t rc);
static void ngx_http_npmtoken_api_walk_walker_detach(void *data);


ngx_http_npmtoken_api_walk_t *
ngx_http_npmtoken_api_walk_create(ngx_pool_t *pool,
    ngx_http_npmtoken_api_db_t *db, ngx_http_npmtoken_store_t *store)
{
    ngx_http_npmtoken_api_walk_t  *walk;

    walk = ngx_pcalloc(pool, sizeof(ngx_http_npmtoken_api_walk_t));
    if (walk == NULL) {
        return NULL;
    }

    walk->db = db;
    walk->store = store;

    return walk;
}


void
ngx_http_npmtoken_api_walk(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t what, ngx_http_npmtoken_api_walked_pt handler)
{
    ngx_str_t                        key;
    ngx_uint_t                       i;
    ngx_http_npmtoken_api_walk_t    *walk;
    ngx_http_npmtoken_api_walker_t  *walker;

    walk = ngx_http_npmtoken_api_db_walk(ctx->conf->db);

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_WALKERS; i++) {
        if (walk->walkers[i] == NULL) {
            break;
        }
    }

    if (i == NGX_HTTP_NPMTOKEN_API_WALKERS) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    walker = ngx_pcalloc(ctx->request->pool,
                         sizeof(ngx_http_npmtoken_api_walker_t));
    key = ngx_http_npmtoken_api_text_account_key(ctx, "user:");

    if (walker == NULL || key.data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    walker->place = i;
    walker->ctx = ctx;
    walker->walk = walk;
    walker->handler = handler;
    walker->what = what;
    walker->key = key;
    walker->name.len = ctx->user.len;
    walker->name.data = key.data + key.len - ctx->user.len;

    walk->walkers[i] = walker;

    ctx->job = walker;
    ctx->detach = ngx_http_npmtoken_api_walk_walker_detach;

    if (walk->running || ngx_http_npmtoken_api_walk_begin(walk) == NGX_OK) {
        return;
    }

    walk->running = 0;
    ctx->job = NULL;

    ngx_http_npmtoken_api_walk_walker_detach(walker);
    ngx_http_npmtoken_api_answer_unavailable(ctx);
}


/* NGX_OK, also where nobody has asked; NGX_ERROR: nothing was sent */

static ngx_int_t
ngx_http_npmtoken_api_walk_begin(ngx_http_npmtoken_api_walk_t *walk)
{
    ngx_uint_t                       i, n;
    ngx_http_npmtoken_api_walker_t  *walker;

    n = 0;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_WALKERS; i++) {

        if (n == NGX_HTTP_NPMTOKEN_API_WALK_NAMES) {
            break;
        }

        walker = walk->walkers[walk->next];
        walk->next = (walk->next + 1) % NGX_HTTP_NPMTOKEN_API_WALKERS;

        if (walker) {
            walker->walking = 1;
            n++;
        }
    }

    walk->running = (n != 0);
    walk->cursor[0] = '0';
    walk->cursor_len = 1;

    return walk->running ? ngx_http_npmtoken_api_walk_page(walk) : NGX_OK;
}


/* in a cluster the key says where: each of the store is in one slot */

static ngx_int_t
ngx_http_npmtoken_api_walk_page(ngx_http_npmtoken_api_walk_t *walk)
{
    ngx_str_t                        argv[7 + NGX_HTTP_NPMTOKEN_API_WALK_NAMES];
    ngx_uint_t                       i, n;
    ngx_http_npmtoken_api_walker_t  *walker;

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = npmtoken_script_walk;
    ngx_str_set(&argv[2], "1");
    argv[4] = walk->store->prefix;
    argv[5].data = walk->cursor;
    argv[5].len = walk->cursor_len;
    ngx_str_set(&argv[6], NGX_HTTP_NPMTOKEN_API_PAGE);

    n = 7;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_WALKERS; i++) {
        walker = walk->walkers[i];

        if (walker && walker->walking) {
            argv[3] = walker->key;
            argv[n++] = walker->name;
        }
    }

    if (n == 7) {
        return NGX_DECLINED;
    }

    return ngx_http_npmtoken_api_db_ask(walk->db, n, argv,
                                     ngx_http_npmtoken_api_walk_reply, walk)
           == NGX_AGAIN ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_npmtoken_api_walk_reply(void *data, redisReply *reply)
{
    ngx_http_npmtoken_api_walk_t  *walk = data;

    if (reply == NULL
        || ngx_http_npmtoken_api_walk_read(walk, reply) != NGX_OK)
    {
        ngx_http_npmtoken_api_walk_end(walk, NGX_ERROR);
        return;
    }

    if (walk->cursor_len == 1 && walk->cursor[0] == '0') {
        ngx_http_npmtoken_api_walk_end(walk, NGX_OK);
        return;
    }

    /* nobody may be left of those who asked */

    if (ngx_http_npmtoken_api_walk_page(walk) != NGX_OK) {
        ngx_http_npmtoken_api_walk_end(walk, NGX_ERROR);
    }
}


static ngx_int_t
ngx_http_npmtoken_api_walk_read(ngx_http_npmtoken_api_walk_t *walk,
    redisReply *reply)
{
    redisReply  *cursor, *found, *unfolded;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return NGX_ERROR;
    }

    cursor = reply->element[0];
    found = reply->element[1];
    unfolded = reply->element[2];

    if (cursor->type != REDIS_REPLY_STRING
        || cursor->len == 0
        || cursor->len > NGX_HTTP_NPMTOKEN_API_CURSOR_LEN
        || found->type != REDIS_REPLY_ARRAY
        || unfolded->type != REDIS_REPLY_ARRAY)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(walk->cursor, cursor->str, cursor->len);
    walk->cursor_len = cursor->len;

    ngx_http_npmtoken_api_walk_found(walk, found,
                                     NGX_HTTP_NPMTOKEN_API_ANYTHING);
    ngx_http_npmtoken_api_walk_found(walk, unfolded,
                                     NGX_HTTP_NPMTOKEN_API_UNFOLDED);

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_walk_found(ngx_http_npmtoken_api_walk_t *walk,
    redisReply *names, ngx_uint_t what)
{
    ngx_uint_t                       i;
    ngx_http_npmtoken_api_walker_t  *walker;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_WALKERS; i++) {
        walker = walk->walkers[i];

        if (walker
            && walker->walking
            && walker->what == what
            && ngx_http_npmtoken_api_walk_has(names, &walker->name))
        {
            ngx_http_npmtoken_api_walk_walker_end(walker, NGX_BUSY);
        }
    }
}


static ngx_uint_t
ngx_http_npmtoken_api_walk_has(redisReply *names, ngx_str_t *name)
{
    size_t       i;
    redisReply  *found;

    for (i = 0; i < names->elements; i++) {
        found = names->element[i];

        if (found->type == REDIS_REPLY_STRING
            && (size_t) found->len == name->len
            && ngx_memcmp(found->str, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * While it is marked as running whoever asks from within is in the next walk.
 * One that cannot begin ends at once.
 */

static void
ngx_http_npmtoken_api_walk_end(ngx_http_npmtoken_api_walk_t *walk,
    ngx_int_t rc)
{
    ngx_uint_t                       i;
    ngx_http_npmtoken_api_walker_t  *walker;

    do {
        for (i = 0; i < NGX_HTTP_NPMTOKEN_API_WALKERS; i++) {
            walker = walk->walkers[i];

            if (walker && walker->walking) {
                ngx_http_npmtoken_api_walk_walker_end(walker, rc);
            }
        }

        rc = ngx_http_npmtoken_api_walk_begin(walk);

    } while (rc != NGX_OK);
}


/* the request may be gone after this, and the walker with it */

static void
ngx_http_npmtoken_api_walk_walker_end(ngx_http_npmtoken_api_walker_t *walker,
    ngx_int_t rc)
{
    ngx_connection_t             *c;
    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = walker->ctx;
    c = ctx->request->connection;

    walker->walk->walkers[walker->place] = NULL;

    ctx->job = NULL;

    ngx_http_set_log_request(c->log, ctx->request);

    walker->handler(ctx, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_npmtoken_api_walk_walker_detach(void *data)
{
    ngx_http_npmtoken_api_walker_t  *walker = data;

    walker->walk->walkers[walker->place] = NULL;
}
