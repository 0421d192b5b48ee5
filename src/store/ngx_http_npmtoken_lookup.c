
/*
 * A look-up is two commands in the pipeline, HGETALL and PTTL.  Look-ups are
 * sent in the order in which they were made, and Redis answers in that order.
 * So a reply always belongs to the head of the queue.  All look-ups have the
 * same time-out, so the head is also the first to run out of time.
 *
 * A look-up lives from its first waiter to its result, even if all waiters
 * have gone: its replies must still be taken from the pipeline.  If Redis is
 * silent, only the timer ends a wait.  So the timer is not cancelable: a
 * worker that exits gracefully waits for it.
 */


#include "ngx_http_npmtoken_lookup.h"
#include "ngx_http_npmtoken_lookup_parts.h"
#include "ngx_http_npmtoken_lookup_detour.h"
#include "ngx_http_npmtoken_lookup_epoch.h"
#include "ngx_http_npmtoken_lookup_gate.h"
#include "ngx_http_npmtoken_lookup_try.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_greeting.h"


/*
 * A record larger than NPMTOKEN_RECORD_MAX is read and dropped up to this many
 * bytes.  The other look-ups wait for that, some 30 ms at a gigabit a second.
 * For a still larger record the connection is closed.
 */
#define NGX_HTTP_NPMTOKEN_SKIP_MAX   (4 * 1024 * 1024)


static ngx_http_npmtoken_lookup_t *ngx_http_npmtoken_lookup_join(
    ngx_http_npmtoken_lookups_t *lookups, u_char *key, uint32_t hash);
static ngx_int_t ngx_http_npmtoken_lookup_hopeless(
    ngx_http_npmtoken_lookups_t *lookups);
static ngx_http_npmtoken_lookup_t *ngx_http_npmtoken_lookup_create(
    ngx_http_npmtoken_lookups_t *lookups, u_char *tag, u_char *key,
    uint32_t hash, u_char *network);
static void ngx_http_npmtoken_lookup_again(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_lookup_reply_handler(void *data,
    redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_lookup_redirected(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static void ngx_http_npmtoken_lookup_replied(
    ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc);
static void ngx_http_npmtoken_lookup_lost_handler(void *data);
static void ngx_http_npmtoken_lookup_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_lookup_done_all(ngx_queue_t *lookups,
    ngx_int_t rc);
static void ngx_http_npmtoken_lookup_free(ngx_http_npmtoken_lookup_t *lookup);


static ngx_http_npmtoken_owner_t  ngx_http_npmtoken_lookup_owner = {
    ngx_http_npmtoken_lookup_ready_handler,
    ngx_http_npmtoken_lookup_reply_handler,
    ngx_http_npmtoken_lookup_lost_handler
};


ngx_http_npmtoken_lookups_t *
ngx_http_npmtoken_lookup_start(ngx_http_npmtoken_lookup_conf_t *conf)
{
    ngx_http_npmtoken_lookups_t     *lookups;
    ngx_http_npmtoken_connection_t  *conn;

    lookups = ngx_calloc(sizeof(ngx_http_npmtoken_lookups_t), ngx_cycle->log);
    if (lookups == NULL) {
        return NULL;
    }

    lookups->conf = conf;

    ngx_rbtree_init(&lookups->tree, &lookups->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&lookups->queue);
    ngx_queue_init(&lookups->away);

    ngx_http_npmtoken_asker_init(&lookups->askers, &conf->store, conf->queue,
                                 conf->share);

    lookups->logged.store = &conf->store;
    lookups->logged.refused.pause = NPMTOKEN_OUTAGE_PAUSE;

    lookups->timer.handler = ngx_http_npmtoken_lookup_timer_handler;
    lookups->timer.data = lookups;
    lookups->timer.log = ngx_cycle->log;

    ngx_http_npmtoken_lookup_gate_init(lookups);

    conn = &lookups->conn;

    conn->endpoint = &conf->endpoint;
    conn->owner = &ngx_http_npmtoken_lookup_owner;
    conn->data = lookups;
    conn->connect_timeout = conf->connect_timeout;
    conn->max_reply = NPMTOKEN_RECORD_MAX;
    conn->max_elements = NPMTOKEN_RECORD_MAX_ELEMENTS;
    conn->max_skip = NGX_HTTP_NPMTOKEN_SKIP_MAX;
    conn->ask_slot = 1;
    ngx_str_set(&conn->label, "npmtoken-lookup");

    ngx_http_npmtoken_connection_init(conn);

    if (conf->listen) {
        ngx_http_npmtoken_lookup_epoch_listen(lookups);
    }

    return lookups;
}


void
ngx_http_npmtoken_lookup_stop(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q, *w;
    ngx_http_npmtoken_lookup_t  *lookup;

    ngx_http_npmtoken_watch_leave(&lookups->conf->endpoint,
                                  &lookups->listener);
    ngx_http_npmtoken_connection_close(&lookups->conn);

    if (lookups->detour) {
        ngx_http_npmtoken_detour_destroy(lookups->detour);
    }

    if (!ngx_queue_empty(&lookups->away)) {
        ngx_queue_add(&lookups->queue, &lookups->away);
    }

    while (!ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        while (!ngx_queue_empty(&lookup->waiters)) {
            w = ngx_queue_head(&lookup->waiters);
            ngx_http_npmtoken_lookup_forget(
                  ngx_queue_data(w, ngx_http_npmtoken_waiter_t, queue));
        }

        ngx_http_npmtoken_lookup_remove(lookup);
        ngx_http_npmtoken_lookup_free(lookup);
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);

    if (lookups->gate.timer_set) {
        ngx_del_timer(&lookups->gate);
    }

    ngx_free(lookups);
}


ngx_int_t
ngx_http_npmtoken_lookup(ngx_http_npmtoken_lookups_t *lookups, u_char *tag,
    u_char *key, u_char *network, ngx_http_npmtoken_waiter_t *waiter)
{
    uint32_t                     hash;
    ngx_http_npmtoken_lookup_t  *lookup;

    hash = ngx_crc32_long(key, NPMTOKEN_KEY_LEN);

    lookup = ngx_http_npmtoken_lookup_join(lookups, key, hash);

    if (lookup) {
        ngx_http_npmtoken_lookup_debug(key, "joined, sent", lookup->sent);

    } else {

        if (ngx_http_npmtoken_lookup_hopeless(lookups)
            || !ngx_http_npmtoken_asker_room(&lookups->askers, network))
        {
            ngx_http_npmtoken_lookup_debug(key, "not made, look-ups known",
                                           lookups->askers.known);
            return NGX_ERROR;
        }

        ngx_http_npmtoken_lookup_debug(key, "made, connection",
                                       lookups->conn.state);

        lookup = ngx_http_npmtoken_lookup_create(lookups, tag, key, hash,
                                                 network);
        if (lookup == NULL) {
            return NGX_ERROR;
        }
    }

    waiter->lookup = lookup;
    ngx_queue_insert_tail(&lookup->waiters, &waiter->queue);

    return NGX_AGAIN;
}


/*
 * rule: join-if-current.  A look-up in flight is an entry that is not yet
 * filled.  If it may no longer be joined, it goes on for those that have
 * joined, and leaves its place in the tree to the next one.
 */

static ngx_http_npmtoken_lookup_t *
ngx_http_npmtoken_lookup_join(ngx_http_npmtoken_lookups_t *lookups,
    u_char *key, uint32_t hash)
{
    ngx_str_t                         name;
    ngx_http_npmtoken_lookup_t       *lookup;
    ngx_http_npmtoken_lookup_conf_t  *conf;

    name.data = key;
    name.len = NPMTOKEN_KEY_LEN;

    lookup = (ngx_http_npmtoken_lookup_t *)
                       ngx_str_rbtree_lookup(&lookups->tree, &name, hash);

    if (lookup == NULL || !lookup->sent) {
        return lookup;
    }

    conf = lookups->conf;

    if (ngx_http_npmtoken_proof_current(ngx_http_npmtoken_proof(conf),
                                        &lookup->stamp,
                                        ngx_http_npmtoken_proof_clock() + 1,
                                        conf->bound))
    {
        return lookup;
    }

    ngx_http_npmtoken_lookup_debug(key, "too old to be joined, epoch",
                           ngx_http_npmtoken_word_number(lookup->stamp.word));

    ngx_rbtree_delete(&lookups->tree, &lookup->sn.node);
    lookup->indexed = 0;

    return NULL;
}


/* whether waiting is useless: Redis is not tried again before the time-out */

static ngx_int_t
ngx_http_npmtoken_lookup_hopeless(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_msec_int_t                   left;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &lookups->conn;

    if (conn->state != NGX_HTTP_NPMTOKEN_BACKOFF) {
        return 0;
    }

    left = conn->retry_at - ngx_current_msec;

    return left > (ngx_msec_int_t) lookups->conf->timeout;
}


static ngx_http_npmtoken_lookup_t *
ngx_http_npmtoken_lookup_create(ngx_http_npmtoken_lookups_t *lookups,
    u_char *tag, u_char *key, uint32_t hash, u_char *network)
{
    ngx_http_npmtoken_lookup_t  *lookup;

    lookup = ngx_calloc(sizeof(ngx_http_npmtoken_lookup_t), ngx_cycle->log);
    if (lookup == NULL) {
        return NULL;
    }

    ngx_memcpy(lookup->key, key, NPMTOKEN_KEY_LEN);

    if (tag) {
        ngx_memcpy(lookup->tag, tag, NPMTOKEN_TAG_LEN);
    }

    lookup->lookups = lookups;
    lookup->expires = UINT64_MAX;
    lookup->deadline = ngx_current_msec + lookups->conf->timeout;
    ngx_queue_init(&lookup->waiters);

    lookup->sn.str.data = lookup->key;
    lookup->sn.str.len = NPMTOKEN_KEY_LEN;
    lookup->sn.node.key = hash;

    if (ngx_http_npmtoken_asker_count(&lookups->askers, network,
                                      &lookup->asker)
        != NGX_OK)
    {
        ngx_free(lookup);
        return NULL;
    }

    ngx_http_npmtoken_lookup_epoch_follow(lookups);

    if (lookups->conn.state != NGX_HTTP_NPMTOKEN_READY) {
        ngx_http_npmtoken_connection_open(&lookups->conn);

    } else if (!ngx_http_npmtoken_lookup_gate_vouched(lookups)) {
        ngx_http_npmtoken_lookup_gate_wait(lookups);

    } else if (ngx_http_npmtoken_lookup_try_send(lookup) != NGX_OK) {
        ngx_http_npmtoken_lookup_free(lookup);
        return NULL;
    }

    ngx_rbtree_insert(&lookups->tree, &lookup->sn.node);
    lookup->indexed = 1;

    ngx_queue_insert_tail(&lookups->queue, &lookup->queue);
    ngx_http_npmtoken_lookup_set_timer(lookups);

    return lookup;
}


/* asks for all of them again, on a new connection */

static void
ngx_http_npmtoken_lookup_again(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_lookup_restart(lookups);
    ngx_http_npmtoken_connection_open(&lookups->conn);
    ngx_http_npmtoken_lookup_set_timer(lookups);
}


void
ngx_http_npmtoken_lookup_restart(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q;
    ngx_http_npmtoken_lookup_t  *lookup;

    ngx_http_npmtoken_connection_close(&lookups->conn);

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         q = ngx_queue_next(q))
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);
        ngx_http_npmtoken_lookup_try_reset(lookup);
    }
}


static void
ngx_http_npmtoken_lookup_ready_handler(void *data)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    lookups->ready = ngx_http_npmtoken_proof_clock();

    ngx_http_npmtoken_lookup_pass(lookups);
}


void
ngx_http_npmtoken_lookup_pass(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q;
    ngx_http_npmtoken_lookup_t  *lookup;

    /* a new epoch may have begun while it was connecting */

    ngx_http_npmtoken_lookup_epoch_follow(lookups);

    if (lookups->conn.state != NGX_HTTP_NPMTOKEN_READY) {

        if (!ngx_queue_empty(&lookups->queue)) {
            ngx_http_npmtoken_connection_open(&lookups->conn);
        }

        return;
    }

    if (!ngx_http_npmtoken_lookup_gate_vouched(lookups)) {

        if (lookups->conf->replicas && lookups->epoch
            && !ngx_http_npmtoken_greeting_leads_to(&lookups->conn,
                                                    lookups->server))
        {
            ngx_http_npmtoken_lookup_epoch_apart(lookups,
                              ngx_http_npmtoken_proof_proven(
                                   ngx_http_npmtoken_proof(lookups->conf)));
        }

        if (!ngx_queue_empty(&lookups->queue)) {
            ngx_http_npmtoken_lookup_gate_wait(lookups);
        }

        return;
    }

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         q = ngx_queue_next(q))
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if (lookup->sent) {
            continue;
        }

        if (ngx_http_npmtoken_lookup_try_send(lookup) != NGX_OK) {

            /* the next look-up would get this one's replies */

            ngx_http_npmtoken_connection_fail(&lookups->conn, "no memory");
            return;
        }
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
}


static void
ngx_http_npmtoken_lookup_lost_handler(void *data)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    ngx_queue_t                  *q, lost;
    ngx_http_npmtoken_lookup_t   *lookup;

    ngx_queue_init(&lost);

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         /* void */ )
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);
        q = ngx_queue_next(q);

        if (!lookup->sent) {
            continue;
        }

        if (lookups->moved) {

            /* a node that has told where to go has not failed */

            ngx_http_npmtoken_lookup_try_reset(lookup);
            continue;
        }

        if (lookup->resent) {
            ngx_http_npmtoken_lookup_remove(lookup);
            ngx_queue_insert_tail(&lost, &lookup->queue);
            continue;
        }

        ngx_http_npmtoken_lookup_debug(lookup->key, "lost, replied",
                                       lookup->replied);

        ngx_http_npmtoken_lookup_try_reset(lookup);
        lookup->resent = 1;
    }

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_connection_open(&lookups->conn);
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done_all(&lost, NGX_ERROR);
}


/* the first reply of a look-up is to HGETALL, the second to PTTL */

static ngx_int_t
ngx_http_npmtoken_lookup_reply_handler(void *data, redisReply *reply)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    ngx_int_t                     rc;
    ngx_queue_t                  *q;
    ngx_http_npmtoken_lookup_t   *lookup;

    if (ngx_queue_empty(&lookups->queue)) {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&lookups->queue);
    lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

    if (!lookup->sent) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_lookup_redirected(lookup, reply)) {
        return NGX_OK;
    }

    if (!lookup->replied) {
        lookup->replied = 1;

        lookup->rc = ngx_http_npmtoken_reply_record(&lookups->logged,
                                                    lookup->key, reply,
                                                    &lookup->record);

        ngx_http_npmtoken_lookup_debug(lookup->key, "HGETALL", lookup->rc);

        if (lookup->rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        if (reply || !lookups->conn.codec.lost) {
            return NGX_OK;
        }

        /* no PTTL reply follows, so it is not known when the key ends */

        rc = ngx_http_npmtoken_lookup_try_cache(lookup, lookup->rc);

    } else {
        rc = ngx_http_npmtoken_lookup_try_ttl(lookup, reply);

        if (rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        if (rc != NGX_ERROR && ngx_http_npmtoken_lookup_gate_unproven(lookup)) {
            ngx_http_npmtoken_lookup_debug(lookup->key, "not proven, asked",
                                           1);
            ngx_http_npmtoken_lookup_again(lookups);
            return NGX_OK;
        }

        rc = ngx_http_npmtoken_lookup_try_cache(lookup, rc);
    }

    ngx_http_npmtoken_lookup_replied(lookup, rc);

    return NGX_OK;
}


static void
ngx_http_npmtoken_lookup_replied(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc)
{
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    ngx_http_npmtoken_connection_works(&lookups->conn);

    if (rc != NGX_ERROR) {
        ngx_http_npmtoken_reply_works(&lookups->logged);
    }

    ngx_http_npmtoken_lookup_remove(lookup);
    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done(lookup, rc);
}


/*
 * Whether the reply is dealt with, since a node of a cluster has said that
 * another one has the key.
 */

static ngx_uint_t
ngx_http_npmtoken_lookup_redirected(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_uint_t                     last;
    ngx_http_npmtoken_lookups_t   *lookups;
    ngx_http_npmtoken_redirect_t   to;

    lookups = lookup->lookups;

    if (lookups->conn.endpoint->kind != NGX_HTTP_NPMTOKEN_CLUSTER) {
        return 0;
    }

    last = lookup->replied;

    if (ngx_http_npmtoken_cluster_redirect(reply, &to) != NGX_OK) {

        if (last && lookup->away) {

            /* the key went away and came back between the two commands */

            ngx_http_npmtoken_lookup_replied(lookup, NGX_ERROR);
            return 1;
        }

        return 0;
    }

    if (!to.ask) {
        ngx_http_npmtoken_lookup_debug(lookup->key, "moved, port", to.port);

        lookups->moved = 1;
        (void) ngx_http_npmtoken_connection_follow(&lookups->conn, reply);
        lookups->moved = 0;

        ngx_http_npmtoken_detour_rest(lookups->detour);

        return 1;
    }

    lookup->replied = 1;
    lookup->away = 1;

    if (last) {
        ngx_http_npmtoken_lookup_detour_leave(lookup, reply);
    }

    return 1;
}


static void
ngx_http_npmtoken_lookup_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t                    sent;
    ngx_queue_t                  *q, late;
    ngx_http_npmtoken_lookup_t   *lookup;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = ev->data;

    sent = 0;
    ngx_queue_init(&late);

    while (!ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if ((ngx_msec_int_t) (lookup->deadline - ngx_current_msec) > 0) {
            break;
        }

        /* who waits at the gate does not wait for the connection */

        sent |= lookup->sent || (lookup->resent && !lookups->gate.timer_set);

        ngx_http_npmtoken_lookup_debug(lookup->key, "timed out, sent",
                                       lookup->sent);

        ngx_http_npmtoken_lookup_remove(lookup);
        ngx_queue_insert_tail(&late, &lookup->queue);
    }

    if (sent) {

        /*
         * Its reply would be taken for the next one's, and a connection that
         * has been silent for so long is better replaced.  On the second
         * connection even the greeting may be unanswered.
         */

        ngx_http_npmtoken_connection_fail(&lookups->conn,
                                          "a look-up timed out");
    }

    if (!sent && !ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if (ngx_http_npmtoken_lookup_try_left(lookup) <= 0) {
            ngx_http_npmtoken_connection_renew(&lookups->conn,
                                               lookup->patience);
        }
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done_all(&late, NGX_ERROR);
}


void
ngx_http_npmtoken_lookup_set_timer(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q;
    ngx_msec_int_t               left;
    ngx_http_npmtoken_lookup_t  *lookup;

    if (ngx_queue_empty(&lookups->queue)) {

        if (lookups->timer.timer_set) {
            ngx_del_timer(&lookups->timer);
        }

        return;
    }

    q = ngx_queue_head(&lookups->queue);
    lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

    left = ngx_http_npmtoken_lookup_try_left(lookup);

    ngx_add_timer(&lookups->timer, (ngx_msec_t) ngx_max(left, 1));
}


void
ngx_http_npmtoken_lookup_remove(ngx_http_npmtoken_lookup_t *lookup)
{
    if (lookup->indexed) {
        ngx_rbtree_delete(&lookup->lookups->tree, &lookup->sn.node);
        lookup->indexed = 0;
    }

    ngx_queue_remove(&lookup->queue);
}


static void
ngx_http_npmtoken_lookup_done_all(ngx_queue_t *lookups, ngx_int_t rc)
{
    ngx_queue_t                 *q;
    ngx_http_npmtoken_lookup_t  *lookup;

    while (!ngx_queue_empty(lookups)) {
        q = ngx_queue_head(lookups);
        ngx_queue_remove(q);

        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        ngx_http_npmtoken_lookup_done(lookup, rc);
    }
}


/*
 * The look-up has been removed.  So a waiter that is called may make another
 * look-up for the same key.  It may also make the next waiter go away.
 */

void
ngx_http_npmtoken_lookup_done(ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc)
{
    ngx_queue_t                  *q;
    ngx_http_npmtoken_waiter_t   *waiter;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    ngx_http_npmtoken_lookup_debug(lookup->key, "done", rc);

    while (!ngx_queue_empty(&lookup->waiters)) {
        q = ngx_queue_head(&lookup->waiters);
        waiter = ngx_queue_data(q, ngx_http_npmtoken_waiter_t, queue);

        ngx_http_npmtoken_lookup_forget(waiter);

        waiter->handler(waiter, rc, lookup->record);
    }

    ngx_http_npmtoken_lookup_free(lookup);

    if (ngx_exiting && ngx_queue_empty(&lookups->queue)) {

        /* nginx closes idle connections once, when the exit begins */

        ngx_http_npmtoken_connection_close(&lookups->conn);
        ngx_http_npmtoken_detour_rest(lookups->detour);
    }
}


void
ngx_http_npmtoken_lookup_forget(ngx_http_npmtoken_waiter_t *waiter)
{
    if (waiter->lookup) {
        waiter->lookup = NULL;
        ngx_queue_remove(&waiter->queue);
    }
}


static void
ngx_http_npmtoken_lookup_free(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_asker_uncount(&lookup->lookups->askers, lookup->asker);

    ngx_http_npmtoken_lookup_detour_free(lookup);
    ngx_http_npmtoken_lookup_try_reset(lookup);
    ngx_free(lookup);
}
