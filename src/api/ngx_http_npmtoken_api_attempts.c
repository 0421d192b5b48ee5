
/*
 * A tally is made by the first attempt of an account or an address, and
 * counts until its time has passed since then.  Its key is a tag under a
 * secret of the zone: neither names nor addresses stand in shared memory.
 *
 * Where the zone is full, the tally that was counted up longest ago goes,
 * and with it what it knew of somebody.  That is no way to more attempts:
 * the tally of an address that is at it is never the oldest, and to push out
 * that of an account takes as many attempts on other accounts as the zone has
 * tallies (some 8,000), all in the time for which it counts.  Each address
 * has no more than its own limit of them, so it takes some 160 addresses or
 * IPv6 networks to win one more round on one account: with these, as many
 * attempts on as many accounts could have been made anyway.  Without a limit
 * for addresses, one address is enough, and 8,000 attempts.  An attempt that
 * is refused makes no tally.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/rand.h>
#include "ngx_http_npmtoken_api_attempts.h"


#define NGX_HTTP_NPMTOKEN_API_ZONE_SIZE  (1024 * 1024)

/* how often it is logged that the zone is full, in milliseconds */
#define NGX_HTTP_NPMTOKEN_API_FULL_LOG   60000


typedef struct {
    ngx_rbtree_node_t             node;        /* its key begins the tag */
    ngx_queue_t                   queue;
    u_char                        tag[NPMTOKEN_TAG_LEN];
    ngx_msec_t                    end;         /* of its time */
    ngx_uint_t                    count;
} ngx_http_npmtoken_api_tally_t;


typedef struct {
    size_t                        layout;
    u_char                        secret[NPMTOKEN_SECRET_LEN];
    ngx_rbtree_t                  rbtree;
    ngx_rbtree_node_t             sentinel;
    ngx_queue_t                   queue;       /* counted up last: first */
    ngx_msec_t                    full;        /* it was logged */
    unsigned                      logged:1;
} ngx_http_npmtoken_api_tallies_t;


struct ngx_http_npmtoken_api_attempts_s {
    ngx_http_npmtoken_api_tallies_t  *sh;
    ngx_slab_pool_t                  *shpool;
};


/* what an attempt is counted for, and how often it may be */

typedef struct {
    u_char                        tag[NPMTOKEN_TAG_LEN];
    ngx_uint_t                    limit;       /* 0: none */
} ngx_http_npmtoken_api_counted_t;


/* of an attempt */
#define NGX_HTTP_NPMTOKEN_API_NCOUNTED  2


static ngx_int_t ngx_http_npmtoken_api_attempts_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_npmtoken_api_attempts_counted(
    ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_counted_t *counted);
static ngx_int_t ngx_http_npmtoken_api_attempts_account(
    ngx_http_npmtoken_api_ctx_t *ctx, u_char *tag);
static void ngx_http_npmtoken_api_attempts_address(
    ngx_http_npmtoken_api_ctx_t *ctx, u_char *tag);
static time_t ngx_http_npmtoken_api_attempts_wait_locked(
    ngx_http_npmtoken_api_attempts_t *attempts,
    ngx_http_npmtoken_api_counted_t *counted);
static ngx_int_t ngx_http_npmtoken_api_attempts_count_locked(
    ngx_http_npmtoken_api_attempts_t *attempts,
    ngx_http_npmtoken_api_counted_t *counted, time_t time);
static ngx_http_npmtoken_api_tally_t *
    ngx_http_npmtoken_api_attempts_new_locked(
    ngx_http_npmtoken_api_attempts_t *attempts, u_char *tag);
static ngx_http_npmtoken_api_tally_t *
    ngx_http_npmtoken_api_attempts_find_locked(
    ngx_http_npmtoken_api_attempts_t *attempts, u_char *tag);
static void ngx_http_npmtoken_api_attempts_expire_locked(
    ngx_http_npmtoken_api_attempts_t *attempts);
static ngx_int_t ngx_http_npmtoken_api_attempts_evict_locked(
    ngx_http_npmtoken_api_attempts_t *attempts);
static void ngx_http_npmtoken_api_attempts_delete_locked(
    ngx_http_npmtoken_api_attempts_t *attempts,
    ngx_http_npmtoken_api_tally_t *tally);
static ngx_rbtree_key_t ngx_http_npmtoken_api_attempts_key(u_char *tag);
static void ngx_http_npmtoken_api_attempts_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


static ngx_str_t  ngx_http_npmtoken_api_zone =
    ngx_string("npmtoken_api_attempts");


/* of what the processes of two configurations share */

#define NGX_HTTP_NPMTOKEN_API_LAYOUT                                          \
    (sizeof(ngx_http_npmtoken_api_tallies_t) << 16                            \
     | sizeof(ngx_http_npmtoken_api_tally_t) << 8                             \
     | offsetof(ngx_http_npmtoken_api_tally_t, count))


ngx_http_npmtoken_api_attempts_t *
ngx_http_npmtoken_api_attempts_create(ngx_conf_t *cf, void *tag)
{
    ngx_shm_zone_t                    *shm_zone;
    ngx_http_npmtoken_api_attempts_t  *attempts;

    shm_zone = ngx_shared_memory_add(cf, &ngx_http_npmtoken_api_zone,
                                     NGX_HTTP_NPMTOKEN_API_ZONE_SIZE, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    if (shm_zone->data) {
        return shm_zone->data;
    }

    attempts = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_api_attempts_t));
    if (attempts == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_http_npmtoken_api_attempts_init;
    shm_zone->data = attempts;

    return attempts;
}


static ngx_int_t
ngx_http_npmtoken_api_attempts_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_npmtoken_api_attempts_t  *old = data;

    ngx_http_npmtoken_api_tallies_t   *sh;
    ngx_http_npmtoken_api_attempts_t  *attempts;

    attempts = shm_zone->data;

    attempts->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old || shm_zone->shm.exists) {
        attempts->sh = attempts->shpool->data;

        if (attempts->sh->layout != NGX_HTTP_NPMTOKEN_API_LAYOUT) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "zone \"%V\" is of another version of the module: "
                          "nginx has to be restarted", &shm_zone->shm.name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    sh = ngx_slab_calloc(attempts->shpool,
                         sizeof(ngx_http_npmtoken_api_tallies_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    if (RAND_bytes(sh->secret, NPMTOKEN_SECRET_LEN) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed for zone \"%V\"",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    sh->layout = NGX_HTTP_NPMTOKEN_API_LAYOUT;

    ngx_rbtree_init(&sh->rbtree, &sh->sentinel,
                    ngx_http_npmtoken_api_attempts_insert);
    ngx_queue_init(&sh->queue);

    attempts->sh = sh;
    attempts->shpool->data = sh;

    /* a full zone is dealt with here */
    attempts->shpool->log_nomem = 0;

    return NGX_OK;
}


time_t
ngx_http_npmtoken_api_attempts_begin(ngx_http_npmtoken_api_ctx_t *ctx)
{
    time_t                             wait, longest;
    ngx_uint_t                         i;
    ngx_http_npmtoken_api_counted_t    counted[NGX_HTTP_NPMTOKEN_API_NCOUNTED];
    ngx_http_npmtoken_api_attempts_t  *attempts;

    if (ctx->counted) {
        return 0;
    }

    if (ngx_http_npmtoken_api_attempts_counted(ctx, counted) != NGX_OK) {
        return 1;
    }

    attempts = ctx->conf->attempts;
    longest = 0;

    ngx_shmtx_lock(&attempts->shpool->mutex);

    ngx_http_npmtoken_api_attempts_expire_locked(attempts);

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_NCOUNTED; i++) {
        wait = ngx_http_npmtoken_api_attempts_wait_locked(attempts,
                                                          &counted[i]);
        longest = ngx_max(longest, wait);
    }

    for (i = 0; longest == 0 && i < NGX_HTTP_NPMTOKEN_API_NCOUNTED; i++) {

        /* what cannot be counted is refused, too */

        if (ngx_http_npmtoken_api_attempts_count_locked(attempts, &counted[i],
                                                   ctx->conf->attempts_time)
            != NGX_OK)
        {
            longest = 1;
        }
    }

    ngx_shmtx_unlock(&attempts->shpool->mutex);

    if (longest) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "npmtoken: too many failed attempts, another one is "
                      "refused for %T s", longest);
        return longest;
    }

    ctx->counted = 1;

    return 0;
}


/*
 * A tally may have begun anew since the attempt was counted, and then loses
 * one of another attempt: which is on an account that has just been proven to
 * be one's own.
 */

void
ngx_http_npmtoken_api_attempts_succeeded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t                         i;
    ngx_http_npmtoken_api_tally_t     *tally;
    ngx_http_npmtoken_api_counted_t    counted[NGX_HTTP_NPMTOKEN_API_NCOUNTED];
    ngx_http_npmtoken_api_attempts_t  *attempts;

    if (!ctx->counted
        || ngx_http_npmtoken_api_attempts_counted(ctx, counted) != NGX_OK)
    {
        return;
    }

    ctx->counted = 0;

    attempts = ctx->conf->attempts;

    ngx_shmtx_lock(&attempts->shpool->mutex);

    for (i = 0; i < NGX_HTTP_NPMTOKEN_API_NCOUNTED; i++) {

        if (counted[i].limit == 0) {
            continue;
        }

        tally = ngx_http_npmtoken_api_attempts_find_locked(attempts,
                                                           counted[i].tag);
        if (tally && --tally->count == 0) {
            ngx_http_npmtoken_api_attempts_delete_locked(attempts, tally);
        }
    }

    ngx_shmtx_unlock(&attempts->shpool->mutex);
}


static ngx_int_t
ngx_http_npmtoken_api_attempts_counted(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_counted_t *counted)
{
    counted[0].limit = ctx->conf->account_attempts;
    counted[1].limit = ctx->conf->address_attempts;

    ngx_http_npmtoken_api_attempts_address(ctx, counted[1].tag);

    return ngx_http_npmtoken_api_attempts_account(ctx, counted[0].tag);
}


static ngx_int_t
ngx_http_npmtoken_api_attempts_account(ngx_http_npmtoken_api_ctx_t *ctx,
    u_char *tag)
{
    u_char     *p;
    ngx_str_t  *store, text;

    store = &ctx->conf->store->name;

    text.len = sizeof("account") + store->len + 1 + ctx->user.len;
    text.data = ngx_pnalloc(ctx->request->pool, text.len);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, "account", sizeof("account"));
    p = ngx_cpymem(p, store->data, store->len);
    *p++ = '\0';

    ngx_strlow(p, ctx->user.data, ctx->user.len);

    npmtoken_digest_tag(&text, ctx->conf->attempts->sh->secret, tag);

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_attempts_address(ngx_http_npmtoken_api_ctx_t *ctx,
    u_char *tag)
{
    u_char               *p, buf[sizeof("address") + 8];
    ngx_str_t             text;
    struct sockaddr      *sockaddr;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct in6_addr      *addr;
#endif

    p = ngx_cpymem(buf, "address", sizeof("address"));

    sockaddr = ctx->request->connection->sockaddr;

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        p = ngx_cpymem(p, &sin->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        addr = &((struct sockaddr_in6 *) sockaddr)->sin6_addr;

        p = IN6_IS_ADDR_V4MAPPED(addr)
            ? ngx_cpymem(p, &addr->s6_addr[12], 4)
            : ngx_cpymem(p, addr->s6_addr, 8);
        break;
#endif

    default:
        break;
    }

    text.data = buf;
    text.len = p - buf;

    npmtoken_digest_tag(&text, ctx->conf->attempts->sh->secret, tag);
}


/* 0: one more may be made */

static time_t
ngx_http_npmtoken_api_attempts_wait_locked(
    ngx_http_npmtoken_api_attempts_t *attempts,
    ngx_http_npmtoken_api_counted_t *counted)
{
    time_t                          wait;
    ngx_http_npmtoken_api_tally_t  *tally;

    if (counted->limit == 0) {
        return 0;
    }

    tally = ngx_http_npmtoken_api_attempts_find_locked(attempts, counted->tag);

    if (tally == NULL || tally->count < counted->limit) {
        return 0;
    }

    wait = (tally->end - ngx_current_msec + 999) / 1000;

    return ngx_max(wait, 1);
}


static ngx_int_t
ngx_http_npmtoken_api_attempts_count_locked(
    ngx_http_npmtoken_api_attempts_t *attempts,
    ngx_http_npmtoken_api_counted_t *counted, time_t time)
{
    ngx_http_npmtoken_api_tally_t  *tally;

    if (counted->limit == 0) {
        return NGX_OK;
    }

    tally = ngx_http_npmtoken_api_attempts_find_locked(attempts, counted->tag);

    if (tally) {
        ngx_queue_remove(&tally->queue);

    } else {
        tally = ngx_http_npmtoken_api_attempts_new_locked(attempts,
                                                          counted->tag);
        if (tally == NULL) {
            return NGX_ERROR;
        }

        tally->count = 0;
        tally->end = ngx_current_msec + (ngx_msec_t) time * 1000;
    }

    tally->count++;

    ngx_queue_insert_head(&attempts->sh->queue, &tally->queue);

    return NGX_OK;
}


static ngx_http_npmtoken_api_tally_t *
ngx_http_npmtoken_api_attempts_new_locked(
    ngx_http_npmtoken_api_attempts_t *attempts, u_char *tag)
{
    ngx_http_npmtoken_api_tally_t  *tally;

    for ( ;; ) {
        tally = ngx_slab_alloc_locked(attempts->shpool,
                                      sizeof(ngx_http_npmtoken_api_tally_t));
        if (tally) {
            break;
        }

        if (ngx_http_npmtoken_api_attempts_evict_locked(attempts) != NGX_OK) {
            return NULL;
        }
    }

    ngx_memcpy(tally->tag, tag, NPMTOKEN_TAG_LEN);
    tally->node.key = ngx_http_npmtoken_api_attempts_key(tag);

    ngx_rbtree_insert(&attempts->sh->rbtree, &tally->node);

    return tally;
}


/* NULL: there is none, or its time is over */

static ngx_http_npmtoken_api_tally_t *
ngx_http_npmtoken_api_attempts_find_locked(
    ngx_http_npmtoken_api_attempts_t *attempts, u_char *tag)
{
    ngx_int_t                       rc;
    ngx_rbtree_key_t                key;
    ngx_rbtree_node_t              *node;
    ngx_http_npmtoken_api_tally_t  *tally;

    key = ngx_http_npmtoken_api_attempts_key(tag);
    node = attempts->sh->rbtree.root;

    while (node != &attempts->sh->sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        tally = (ngx_http_npmtoken_api_tally_t *) node;
        rc = ngx_memcmp(tag, tally->tag, NPMTOKEN_TAG_LEN);

        if (rc == 0) {

            if ((ngx_msec_int_t) (tally->end - ngx_current_msec) > 0) {
                return tally;
            }

            ngx_http_npmtoken_api_attempts_delete_locked(attempts, tally);

            return NULL;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


/* two go for two that may come */

static void
ngx_http_npmtoken_api_attempts_expire_locked(
    ngx_http_npmtoken_api_attempts_t *attempts)
{
    ngx_uint_t                      n;
    ngx_queue_t                    *q;
    ngx_http_npmtoken_api_tally_t  *tally;

    for (n = 0; n < 2 && !ngx_queue_empty(&attempts->sh->queue); n++) {
        q = ngx_queue_last(&attempts->sh->queue);
        tally = ngx_queue_data(q, ngx_http_npmtoken_api_tally_t, queue);

        if ((ngx_msec_int_t) (tally->end - ngx_current_msec) > 0) {
            break;
        }

        ngx_http_npmtoken_api_attempts_delete_locked(attempts, tally);
    }
}


static ngx_int_t
ngx_http_npmtoken_api_attempts_evict_locked(
    ngx_http_npmtoken_api_attempts_t *attempts)
{
    ngx_queue_t                      *q;
    ngx_http_npmtoken_api_tally_t    *tally;
    ngx_http_npmtoken_api_tallies_t  *sh;

    sh = attempts->sh;

    if (ngx_queue_empty(&sh->queue)) {
        return NGX_ERROR;
    }

    q = ngx_queue_last(&sh->queue);
    tally = ngx_queue_data(q, ngx_http_npmtoken_api_tally_t, queue);

    ngx_http_npmtoken_api_attempts_delete_locked(attempts, tally);

    if (!sh->logged
        || ngx_current_msec - sh->full > NGX_HTTP_NPMTOKEN_API_FULL_LOG)
    {
        sh->logged = 1;
        sh->full = ngx_current_msec;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "zone \"%V\" is full: the oldest failed attempts are "
                      "forgotten", &ngx_http_npmtoken_api_zone);
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_attempts_delete_locked(
    ngx_http_npmtoken_api_attempts_t *attempts,
    ngx_http_npmtoken_api_tally_t *tally)
{
    ngx_queue_remove(&tally->queue);

    ngx_rbtree_delete(&attempts->sh->rbtree, &tally->node);

    ngx_slab_free_locked(attempts->shpool, tally);
}


static ngx_rbtree_key_t
ngx_http_npmtoken_api_attempts_key(u_char *tag)
{
    ngx_rbtree_key_t  key;

    ngx_memcpy(&key, tag, sizeof(ngx_rbtree_key_t));

    return key;
}


static void
ngx_http_npmtoken_api_attempts_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_uint_t                      left;
    ngx_rbtree_node_t             **p;
    ngx_http_npmtoken_api_tally_t  *tally, *other;

    tally = (ngx_http_npmtoken_api_tally_t *) node;

    for ( ;; ) {
        other = (ngx_http_npmtoken_api_tally_t *) temp;

        left = (node->key != temp->key)
               ? node->key < temp->key
               : ngx_memcmp(tally->tag, other->tag, NPMTOKEN_TAG_LEN) < 0;

        p = left ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}
