
/*
 * A look-up is two commands in the pipeline, HGETALL and PTTL.  Look-ups are
 * sent in the order in which they were made and Redis answers in that order,
 * so a reply always belongs to the head of the queue, and as all have the
 * same time-out, the head is also the first to run out of time.
 *
 * A look-up lives from the first waiter to its result, also when all who
 * waited have gone: its replies are still to be taken from the pipeline.
 * The timer is the only thing that ends a wait if Redis is silent, so it is
 * not cancelable: a worker that exits gracefully waits for it.
 *
 * Look-ups are counted, not who waits for them: those are memory of requests,
 * which nginx bounds.  A client makes as many look-ups as it invents tokens,
 * so those for tokens of which the cache has no record are counted apart, and
 * by address; an address is known here only while it has some.
 */


#include "ngx_http_npmtoken_lookup.h"
#include "ngx_http_npmtoken_greeting.h"
#include "npmtoken_seldom.h"


#define ngx_http_npmtoken_proof(conf)                                         \
    ((conf)->cache ? (conf)->cache->sh->proof : NULL)


/*
 * Bytes of a larger record than NPMTOKEN_RECORD_MAX that are read and
 * forgotten: the others wait for them, some 30 ms at a gigabit a second.  For
 * a still larger one the connection is closed.
 */
#define NGX_HTTP_NPMTOKEN_SKIP_MAX   (4 * 1024 * 1024)

/* bad records that were logged are remembered for so many seconds */
#define NGX_HTTP_NPMTOKEN_BAD_PAUSE  600

/* how many of them; a key has one place */
#define NGX_HTTP_NPMTOKEN_BAD_KEYS   256


/* a bad record that was logged */

typedef struct {
    time_t                         next;       /* not before */
    uint32_t                       what;       /* was wrong */
    u_char                         key[NPMTOKEN_SHORT_KEY_LEN];
} ngx_http_npmtoken_bad_t;


/* an address that has look-ups for tokens of which there is no record */

typedef struct {
    ngx_str_node_t                 sn;         /* by network */
    ngx_uint_t                     lookups;
    u_char                         network[NPMTOKEN_NETWORK_LEN];
} ngx_http_npmtoken_asker_t;


struct ngx_http_npmtoken_lookup_s {
    ngx_str_node_t                 sn;         /* by key */
    ngx_queue_t                    queue;      /* by age */
    ngx_queue_t                    waiters;
    ngx_http_npmtoken_lookups_t   *lookups;
    ngx_http_npmtoken_asker_t     *asker;      /* NULL: of a known token */
    ngx_msec_t                     deadline;
    ngx_msec_t                     began;      /* when it was sent */
    ngx_msec_t                     patience;   /* with that; 0: to the end */

    ngx_http_npmtoken_stamp_t      stamp;      /* once it is sent */
    npmtoken_record_t             *record;
    uint64_t                       expires;    /* by the key's TTL */
    ngx_int_t                      rc;         /* of HGETALL */

    unsigned                       indexed:1;  /* in the tree */
    unsigned                       sent:1;
    unsigned                       resent:1;
    unsigned                       replied:1;  /* to HGETALL */

    u_char                         tag[NPMTOKEN_TAG_LEN];
    u_char                         key[NPMTOKEN_KEY_LEN];
};


struct ngx_http_npmtoken_lookups_s {
    ngx_http_npmtoken_lookup_conf_t  *conf;
    ngx_http_npmtoken_connection_t    conn;
    uint64_t                          epoch;    /* in which conn was opened to
                                                   the feed's peer */
    u_char                            server[NGX_HTTP_NPMTOKEN_SERVER_LEN];
                                                /* the feed's */
    uint64_t                          ready;    /* since when conn is, by our
                                                   clock */
    ngx_rbtree_t                      tree;
    ngx_rbtree_node_t                 sentinel;
    ngx_queue_t                       queue;
    ngx_uint_t                        known;    /* look-ups by what the cache
                                                   has of their tokens: a
                                                   record, */
    ngx_uint_t                        unknown;  /* or none */
    ngx_rbtree_t                      askers;
    ngx_rbtree_node_t                 askers_sentinel;
    npmtoken_seldom_t                 queue_full;
    npmtoken_seldom_t                 share_full;
    npmtoken_seldom_t                 refused;  /* by Redis */
    ngx_event_t                       timer;    /* of the head */
    ngx_http_npmtoken_bad_t           bad[NGX_HTTP_NPMTOKEN_BAD_KEYS];
    unsigned                          told:1;   /* of several servers */
};


static ngx_http_npmtoken_lookup_t *ngx_http_npmtoken_lookup_join(
    ngx_http_npmtoken_lookups_t *lookups, u_char *key, uint32_t hash);
static ngx_int_t ngx_http_npmtoken_lookup_hopeless(
    ngx_http_npmtoken_lookups_t *lookups);
static ngx_int_t ngx_http_npmtoken_lookup_room(
    ngx_http_npmtoken_lookups_t *lookups, u_char *network);
static ngx_http_npmtoken_asker_t *ngx_http_npmtoken_lookup_asker(
    ngx_http_npmtoken_lookups_t *lookups, u_char *network);
static void ngx_http_npmtoken_lookup_queue_full(
    ngx_http_npmtoken_lookups_t *lookups, ngx_uint_t n);
static void ngx_http_npmtoken_lookup_share_full(
    ngx_http_npmtoken_lookups_t *lookups, u_char *network);
static ngx_http_npmtoken_lookup_t *ngx_http_npmtoken_lookup_create(
    ngx_http_npmtoken_lookups_t *lookups, u_char *tag, u_char *key,
    uint32_t hash, u_char *network);
static ngx_int_t ngx_http_npmtoken_lookup_count(
    ngx_http_npmtoken_lookup_t *lookup, u_char *network);
static void ngx_http_npmtoken_lookup_uncount(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_follow(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_stamp(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_apart(
    ngx_http_npmtoken_lookups_t *lookups, uint64_t word);
static ngx_int_t ngx_http_npmtoken_lookup_send(
    ngx_http_npmtoken_lookup_t *lookup);
static ngx_msec_t ngx_http_npmtoken_lookup_patience(
    ngx_http_npmtoken_lookup_t *lookup);
static ngx_msec_int_t ngx_http_npmtoken_lookup_left(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_ready_handler(void *data);
static ngx_int_t ngx_http_npmtoken_lookup_reply_handler(void *data,
    redisReply *reply);
static void ngx_http_npmtoken_lookup_lost_handler(void *data);
static void ngx_http_npmtoken_lookup_reset(
    ngx_http_npmtoken_lookup_t *lookup);
static ngx_int_t ngx_http_npmtoken_lookup_hash_reply(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_lookup_parse(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static void ngx_http_npmtoken_lookup_log_bad(
    ngx_http_npmtoken_lookup_t *lookup, ngx_str_t *field);
static void ngx_http_npmtoken_lookup_log_error(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_lookup_was_logged(
    ngx_http_npmtoken_lookup_t *lookup, ngx_str_t *what);
static ngx_int_t ngx_http_npmtoken_lookup_bad_record(
    ngx_http_npmtoken_lookup_t *lookup, ngx_str_t *what);
static ngx_int_t ngx_http_npmtoken_lookup_ttl_reply(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_lookup_cache(
    ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc);
static void ngx_http_npmtoken_lookup_timer_handler(ngx_event_t *ev);
static void ngx_http_npmtoken_lookup_set_timer(
    ngx_http_npmtoken_lookups_t *lookups);
static void ngx_http_npmtoken_lookup_remove(
    ngx_http_npmtoken_lookup_t *lookup);
static void ngx_http_npmtoken_lookup_done_all(ngx_queue_t *lookups,
    ngx_int_t rc);
static void ngx_http_npmtoken_lookup_done(ngx_http_npmtoken_lookup_t *lookup,
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

    ngx_rbtree_init(&lookups->askers, &lookups->askers_sentinel,
                    ngx_str_rbtree_insert_value);

    lookups->timer.handler = ngx_http_npmtoken_lookup_timer_handler;
    lookups->timer.data = lookups;
    lookups->timer.log = ngx_cycle->log;

    conn = &lookups->conn;

    conn->endpoint = &conf->endpoint;
    conn->owner = &ngx_http_npmtoken_lookup_owner;
    conn->data = lookups;
    conn->connect_timeout = conf->connect_timeout;
    conn->max_reply = NPMTOKEN_RECORD_MAX;
    conn->max_elements = NPMTOKEN_RECORD_MAX_ELEMENTS;
    conn->max_skip = NGX_HTTP_NPMTOKEN_SKIP_MAX;
    ngx_str_set(&conn->label, "npmtoken-lookup");

    ngx_http_npmtoken_connection_init(conn);

    return lookups;
}


void
ngx_http_npmtoken_lookup_stop(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_queue_t                 *q, *w;
    ngx_http_npmtoken_lookup_t  *lookup;

    ngx_http_npmtoken_connection_close(&lookups->conn);

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

    if (lookup == NULL) {

        if (ngx_http_npmtoken_lookup_hopeless(lookups)
            || !ngx_http_npmtoken_lookup_room(lookups, network))
        {
            return NGX_ERROR;
        }

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
 * rule: join-if-current.  A look-up in flight is an entry not yet filled.
 * One that may not be joined goes on for those who have, and leaves its place
 * in the tree to the next.
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

    ngx_rbtree_delete(&lookups->tree, &lookup->sn.node);
    lookup->indexed = 0;

    return NULL;
}


/* if Redis is not tried again before the time is out, why wait */

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


/* whether one more may be made */

static ngx_int_t
ngx_http_npmtoken_lookup_room(ngx_http_npmtoken_lookups_t *lookups,
    u_char *network)
{
    ngx_uint_t                  n;
    ngx_http_npmtoken_asker_t  *asker;

    n = network ? lookups->unknown : lookups->known;

    if (n >= lookups->conf->queue) {
        ngx_http_npmtoken_lookup_queue_full(lookups, n);
        return 0;
    }

    if (network == NULL) {
        return 1;
    }

    asker = ngx_http_npmtoken_lookup_asker(lookups, network);

    if (asker && asker->lookups >= lookups->conf->share) {
        ngx_http_npmtoken_lookup_share_full(lookups, network);
        return 0;
    }

    return 1;
}


static ngx_http_npmtoken_asker_t *
ngx_http_npmtoken_lookup_asker(ngx_http_npmtoken_lookups_t *lookups,
    u_char *network)
{
    ngx_str_t  name;

    name.data = network;
    name.len = NPMTOKEN_NETWORK_LEN;

    return (ngx_http_npmtoken_asker_t *)
               ngx_str_rbtree_lookup(&lookups->askers, &name,
                               ngx_crc32_short(network, NPMTOKEN_NETWORK_LEN));
}


static void
ngx_http_npmtoken_lookup_queue_full(ngx_http_npmtoken_lookups_t *lookups,
    ngx_uint_t n)
{
    ngx_uint_t  omitted;

    if (!npmtoken_seldom(&lookups->queue_full, 0, ngx_time(), &omitted)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": \"lookup_queue\" is full, %ui "
                  "look-ups are under way: another one is refused, and %ui "
                  "have been since this was last logged",
                  &lookups->conf->store, n, omitted);
}


static void
ngx_http_npmtoken_lookup_share_full(ngx_http_npmtoken_lookups_t *lookups,
    u_char *network)
{
    size_t      len;
    u_char      text[NGX_INET6_ADDRSTRLEN];
    ngx_uint_t  omitted;

    if (!npmtoken_seldom(&lookups->share_full, 0, ngx_time(), &omitted)) {
        return;
    }

    len = ngx_inet6_ntop(network, text, NGX_INET6_ADDRSTRLEN);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": \"lookup_share\" of the address "
                  "%*s is full, %ui look-ups for tokens that are not in the "
                  "cache are under way: another one is refused, and %ui, of "
                  "any address, have been since this was last logged",
                  &lookups->conf->store, len, text, lookups->conf->share,
                  omitted);
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

    if (ngx_http_npmtoken_lookup_count(lookup, network) != NGX_OK) {
        ngx_free(lookup);
        return NULL;
    }

    ngx_http_npmtoken_lookup_follow(lookups);

    if (lookups->conn.state != NGX_HTTP_NPMTOKEN_READY) {
        ngx_http_npmtoken_connection_open(&lookups->conn);

    } else if (ngx_http_npmtoken_lookup_send(lookup) != NGX_OK) {
        ngx_http_npmtoken_lookup_free(lookup);
        return NULL;
    }

    ngx_rbtree_insert(&lookups->tree, &lookup->sn.node);
    lookup->indexed = 1;

    ngx_queue_insert_tail(&lookups->queue, &lookup->queue);
    ngx_http_npmtoken_lookup_set_timer(lookups);

    return lookup;
}


/* a look-up that is counted is there until it is freed */

static ngx_int_t
ngx_http_npmtoken_lookup_count(ngx_http_npmtoken_lookup_t *lookup,
    u_char *network)
{
    ngx_http_npmtoken_asker_t    *asker;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    if (network == NULL) {
        lookups->known++;
        return NGX_OK;
    }

    asker = ngx_http_npmtoken_lookup_asker(lookups, network);

    if (asker == NULL) {
        asker = ngx_calloc(sizeof(ngx_http_npmtoken_asker_t), ngx_cycle->log);
        if (asker == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(asker->network, network, NPMTOKEN_NETWORK_LEN);

        asker->sn.str.data = asker->network;
        asker->sn.str.len = NPMTOKEN_NETWORK_LEN;
        asker->sn.node.key = ngx_crc32_short(network, NPMTOKEN_NETWORK_LEN);

        ngx_rbtree_insert(&lookups->askers, &asker->sn.node);
    }

    asker->lookups++;
    lookup->asker = asker;
    lookups->unknown++;

    return NGX_OK;
}


static void
ngx_http_npmtoken_lookup_uncount(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_asker_t    *asker;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;
    asker = lookup->asker;

    if (asker == NULL) {
        lookups->known--;
        return;
    }

    lookups->unknown--;

    if (--asker->lookups == 0) {
        ngx_rbtree_delete(&lookups->askers, &asker->sn.node);
        ngx_free(asker);
    }
}


/*
 * rule: connection-of-epoch.  The feed vouches for the server that it is
 * connected to, so a look-up goes to that address, on a connection opened in
 * the feed's epoch: an older one may lead to a server that is no longer the
 * one behind that address.  What has been sent on it is sent again.  Whether
 * it is the same server is for that server to say, when the connection opens.
 */

static void
ngx_http_npmtoken_lookup_follow(ngx_http_npmtoken_lookups_t *lookups)
{
    uint64_t                      epoch;
    ngx_queue_t                  *q;
    ngx_http_npmtoken_peer_t      peer;
    ngx_http_npmtoken_proof_t    *proof;
    ngx_http_npmtoken_lookup_t   *lookup;

    proof = ngx_http_npmtoken_proof(lookups->conf);

    if (proof == NULL) {
        return;
    }

    epoch = ngx_http_npmtoken_proof_epoch(proof);

    if (epoch == lookups->epoch
        || ngx_http_npmtoken_proof_epoch_peer(proof, epoch, &peer) != NGX_OK)
    {
        return;
    }

    ngx_http_npmtoken_connection_close(&lookups->conn);

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         q = ngx_queue_next(q))
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);
        ngx_http_npmtoken_lookup_reset(lookup);
    }

    ngx_http_npmtoken_connection_pin(&lookups->conn, &peer.sockaddr,
                                     peer.socklen);
    ngx_memcpy(lookups->server, peer.server, NGX_HTTP_NPMTOKEN_SERVER_LEN);

    /* there is one that answers it */
    lookups->conn.ask_server = 1;
    lookups->conn.endpoint->left_out &=
                                 ~ngx_http_npmtoken_greeting_server_step();
    lookups->epoch = epoch;
}


/* rule: stamp-before-send */

static void
ngx_http_npmtoken_lookup_stamp(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_proof_t    *proof;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;
    proof = ngx_http_npmtoken_proof(lookups->conf);

    ngx_http_npmtoken_proof_stamp(proof, lookup->key, &lookup->stamp);

    /* rule: connection-of-epoch */

    if (proof
        && ngx_http_npmtoken_word_number(lookup->stamp.word) != lookups->epoch)
    {
        ngx_http_npmtoken_stamp_void(&lookup->stamp);
        return;
    }

    /* rule: same-server */

    if (lookups->epoch
        && !ngx_http_npmtoken_connection_leads_to(&lookups->conn,
                                                  lookups->server))
    {
        ngx_http_npmtoken_stamp_alone(&lookup->stamp);
        ngx_http_npmtoken_lookup_apart(lookups,
                                       ngx_http_npmtoken_proof_proven(proof));
    }
}


/*
 * After a restart this is so for a moment.  But a server that has answered
 * the feed since this connection was made is another one.
 */

static void
ngx_http_npmtoken_lookup_apart(ngx_http_npmtoken_lookups_t *lookups,
    uint64_t word)
{
    if (lookups->told
        || ngx_http_npmtoken_word_number(word) != lookups->epoch
        || ngx_http_npmtoken_word_time(word) <= lookups->ready)
    {
        return;
    }

    lookups->told = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": look-ups do not reach the server "
                  "that pushes changes, so there are several behind \"%V\": "
                  "what is looked up is used for \"revocation_bound\" and no "
                  "longer",
                  &lookups->conf->store, &lookups->conf->endpoint.name);
}


static ngx_int_t
ngx_http_npmtoken_lookup_send(ngx_http_npmtoken_lookup_t *lookup)
{
    u_char                       *p;
    ngx_str_t                     hgetall[2], pttl[2], *records;
    ngx_http_npmtoken_command_t   commands[2];
    ngx_http_npmtoken_lookups_t  *lookups;
    u_char                        name[NGX_HTTP_NPMTOKEN_MAX_RECORDS
                                       + NPMTOKEN_KEY_LEN];

    ngx_http_npmtoken_lookup_stamp(lookup);

    lookups = lookup->lookups;
    records = &lookups->conf->endpoint.records;

    lookup->began = ngx_current_msec;
    lookup->patience = ngx_http_npmtoken_lookup_patience(lookup);

    p = ngx_cpymem(name, records->data, records->len);
    p = ngx_cpymem(p, lookup->key, NPMTOKEN_KEY_LEN);

    ngx_str_set(&hgetall[0], "HGETALL");
    hgetall[1].data = name;
    hgetall[1].len = p - name;

    ngx_str_set(&pttl[0], "PTTL");
    pttl[1] = hgetall[1];

    commands[0].argc = 2;
    commands[0].argv = hgetall;
    commands[1].argc = 2;
    commands[1].argv = pttl;

    if (ngx_http_npmtoken_connection_send(&lookups->conn, commands, 2)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    lookup->sent = 1;

    return NGX_OK;
}


/*
 * A connection that a balancer or NAT has forgotten takes what is sent and
 * never answers.  So the first try of a look-up ends while there is time for
 * another one on a new connection, if that takes no longer than the last time:
 * sooner where nothing was heard for long.  Meanwhile other replies may come.
 */

static ngx_msec_t
ngx_http_npmtoken_lookup_patience(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_msec_t                       timeout;
    ngx_http_npmtoken_connection_t  *conn;

    conn = &lookup->lookups->conn;
    timeout = lookup->lookups->conf->timeout;

    if (lookup->resent || conn->took >= timeout / 4) {
        return 0;
    }

    timeout = ngx_http_npmtoken_connection_doubtful(conn) ? timeout / 4
                                                          : timeout / 2;

    return ngx_max(timeout, 1);
}


/* until when the head of the queue is waited for */

static ngx_msec_int_t
ngx_http_npmtoken_lookup_left(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_msec_int_t  left, heard;

    left = lookup->deadline - ngx_current_msec;

    if (!lookup->sent || lookup->patience == 0) {
        return left;
    }

    heard = lookup->lookups->conn.heard - lookup->began;

    return ngx_min(left, (ngx_msec_int_t) (lookup->began + lookup->patience
                                           - ngx_current_msec)
                         + ngx_max(heard, 0));
}


static void
ngx_http_npmtoken_lookup_ready_handler(void *data)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    ngx_queue_t                  *q;
    ngx_http_npmtoken_lookup_t   *lookup;

    /* a new epoch may have begun while it was connecting */

    ngx_http_npmtoken_lookup_follow(lookups);

    if (lookups->conn.state != NGX_HTTP_NPMTOKEN_READY) {

        if (!ngx_queue_empty(&lookups->queue)) {
            ngx_http_npmtoken_connection_open(&lookups->conn);
        }

        return;
    }

    lookups->ready = ngx_http_npmtoken_proof_clock();

    for (q = ngx_queue_head(&lookups->queue);
         q != ngx_queue_sentinel(&lookups->queue);
         q = ngx_queue_next(q))
    {
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if (ngx_http_npmtoken_lookup_send(lookup) != NGX_OK) {

            /* whoever is behind would be answered in this one's place */

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

        if (lookup->resent) {
            ngx_http_npmtoken_lookup_remove(lookup);
            ngx_queue_insert_tail(&lost, &lookup->queue);
            continue;
        }

        ngx_http_npmtoken_lookup_reset(lookup);
        lookup->resent = 1;
    }

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_connection_open(&lookups->conn);
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done_all(&lost, NGX_ERROR);
}


static void
ngx_http_npmtoken_lookup_reset(ngx_http_npmtoken_lookup_t *lookup)
{
    lookup->sent = 0;
    lookup->replied = 0;
    lookup->expires = UINT64_MAX;

    if (lookup->record) {
        ngx_free(lookup->record);
        lookup->record = NULL;
    }
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

    if (!lookup->replied) {
        lookup->replied = 1;

        lookup->rc = ngx_http_npmtoken_lookup_hash_reply(lookup, reply);

        if (lookup->rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        if (reply || !lookups->conn.codec.lost) {
            return NGX_OK;
        }

        /* nothing comes behind it, so when it ends is not known */

        rc = ngx_http_npmtoken_lookup_cache(lookup, lookup->rc);

    } else {
        rc = ngx_http_npmtoken_lookup_ttl_reply(lookup, reply);

        if (rc == NGX_ABORT) {
            return NGX_ERROR;
        }

        rc = ngx_http_npmtoken_lookup_cache(lookup, rc);
    }

    ngx_http_npmtoken_connection_works(&lookups->conn);

    ngx_http_npmtoken_lookup_remove(lookup);
    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done(lookup, rc);

    return NGX_OK;
}


/* what the waiters will be told; NGX_ABORT if this is no reply to HGETALL */

static ngx_int_t
ngx_http_npmtoken_lookup_hash_reply(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_str_t  code;

    if (reply == NULL) {
        ngx_str_set(&code, "the size");
        return ngx_http_npmtoken_lookup_bad_record(lookup, &code);
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0) {
        return reply->elements ? ngx_http_npmtoken_lookup_parse(lookup, reply)
                               : NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return NGX_ABORT;
    }

    ngx_http_npmtoken_codec_error(reply, &code);

    if (ngx_strncmp(code.data, "WRONGTYPE", sizeof("WRONGTYPE") - 1) == 0) {
        ngx_str_set(&code, "the type");
        return ngx_http_npmtoken_lookup_bad_record(lookup, &code);
    }

    ngx_http_npmtoken_lookup_log_error(lookup, reply);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_lookup_parse(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_int_t          rc;
    ngx_str_t         *str;
    ngx_uint_t         i, nfields;
    redisReply        *element;
    npmtoken_field_t  *fields, *bad;

    nfields = reply->elements / 2;

    fields = ngx_alloc(nfields * sizeof(npmtoken_field_t), ngx_cycle->log);
    if (fields == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ABORT;

    for (i = 0; i < reply->elements; i++) {
        element = reply->element[i];

        if (element->type != REDIS_REPLY_STRING) {
            goto done;
        }

        str = (i % 2) ? &fields[i / 2].value : &fields[i / 2].name;
        str->data = (u_char *) element->str;
        str->len = element->len;
    }

    rc = NGX_ERROR;

    lookup->record = ngx_alloc(npmtoken_record_size(fields, nfields),
                               ngx_cycle->log);
    if (lookup->record == NULL) {
        goto done;
    }

    bad = npmtoken_record_parse(lookup->record, fields, nfields);

    if (bad) {
        ngx_http_npmtoken_lookup_log_bad(lookup, &bad->name);

    } else {
        (void) ngx_http_npmtoken_lookup_was_logged(lookup, NULL);
    }

    rc = NGX_OK;

done:

    ngx_free(fields);

    return rc;
}


/* the name of a field may be anything, the log takes what a name looks like */

static void
ngx_http_npmtoken_lookup_log_bad(ngx_http_npmtoken_lookup_t *lookup,
    ngx_str_t *field)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  name, key;

    name = *field;
    name.len = ngx_min(name.len, 64);

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if ((ch < '0' || ch > '9') && ch != '_' && ch != '-'
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z'))
        {
            ngx_str_set(&name, "(unprintable)");
            break;
        }
    }

    if (ngx_http_npmtoken_lookup_was_logged(lookup, field)) {
        return;
    }

    key.data = lookup->key;
    key.len = NPMTOKEN_SHORT_KEY_LEN;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": bad record of key %V, field \"%V\"",
                  &lookup->lookups->conf->store, &key, &name);
}


/*
 * Whether that this of the record is bad has been logged lately; if not, it
 * will be now.  A record is asked for as often as its bearer likes.  "what" is
 * NULL where all is well: whatever is bad later is news.
 */

static ngx_uint_t
ngx_http_npmtoken_lookup_was_logged(ngx_http_npmtoken_lookup_t *lookup,
    ngx_str_t *what)
{
    uint32_t                  hash;
    ngx_http_npmtoken_bad_t  *bad;

    hash = ngx_crc32_short(lookup->key, NPMTOKEN_SHORT_KEY_LEN);
    bad = &lookup->lookups->bad[hash % NGX_HTTP_NPMTOKEN_BAD_KEYS];

    hash = what ? ngx_crc32_long(what->data, what->len) : 0;

    if (ngx_memcmp(bad->key, lookup->key, NPMTOKEN_SHORT_KEY_LEN) == 0) {

        if (what == NULL) {
            bad->next = 0;

        } else if (ngx_time() < bad->next && hash == bad->what) {
            return 1;
        }
    }

    if (what) {
        bad->next = ngx_time() + NGX_HTTP_NPMTOKEN_BAD_PAUSE;
        bad->what = hash;
        ngx_memcpy(bad->key, lookup->key, NPMTOKEN_SHORT_KEY_LEN);
    }

    return 0;
}


/* a record of which nothing is known but that it cannot be used */

static ngx_int_t
ngx_http_npmtoken_lookup_bad_record(ngx_http_npmtoken_lookup_t *lookup,
    ngx_str_t *what)
{
    ngx_str_t  key;

    lookup->record = ngx_calloc(npmtoken_record_size(NULL, 0),
                                ngx_cycle->log);
    if (lookup->record == NULL) {
        return NGX_ERROR;
    }

    (void) npmtoken_record_parse(lookup->record, NULL, 0);

    lookup->record->bad = 1;

    if (ngx_http_npmtoken_lookup_was_logged(lookup, what)) {
        return NGX_OK;
    }

    key.data = lookup->key;
    key.len = NPMTOKEN_SHORT_KEY_LEN;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": bad record of key %V, by %V",
                  &lookup->lookups->conf->store, &key, what);

    return NGX_OK;
}


static void
ngx_http_npmtoken_lookup_log_error(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    uint32_t    what;
    ngx_str_t   code, words;
    ngx_uint_t  omitted;

    ngx_http_npmtoken_codec_error(reply, &code);

    what = ngx_crc32_short(code.data, code.len);

    if (!npmtoken_seldom(&lookup->lookups->refused, what, ngx_time(),
                         &omitted))
    {
        return;
    }

    if (omitted) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": redis has answered so %ui more "
                      "times", &lookup->lookups->conf->store, omitted);
    }

    ngx_http_npmtoken_codec_words(reply, &words);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": redis answered \"%V\" (%V)%s",
                  &lookup->lookups->conf->store, &code, &words,
                  ngx_http_npmtoken_codec_advice(&code));
}


static ngx_int_t
ngx_http_npmtoken_lookup_ttl_reply(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    if (reply == NULL) {
        return NGX_ABORT;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        if (lookup->rc != NGX_ERROR) {
            ngx_http_npmtoken_lookup_log_error(lookup, reply);
        }

        return NGX_ERROR;
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        return NGX_ABORT;
    }

    if (lookup->rc != NGX_OK) {
        return lookup->rc;
    }

    if (reply->integer == -2) {

        /* it went between the two commands */

        return NGX_DECLINED;
    }

    if (reply->integer == -1) {
        lookup->record->vanishes_at = NPMTOKEN_NEVER;
        return NGX_OK;
    }

    /* rule: deadline-from-stamp, so never later than in Redis */

    lookup->expires = ngx_http_npmtoken_word_time(lookup->stamp.word)
                      + reply->integer;

    lookup->record->vanishes_at = ngx_time() + reply->integer / 1000;

    return NGX_OK;
}


/*
 * Stored with its stamp, whatever came meanwhile: if something was pushed, the
 * stamp is not current and the entry a miss.
 */

static ngx_int_t
ngx_http_npmtoken_lookup_cache(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc)
{
    ngx_http_npmtoken_cache_t  *cache;

    if (rc == NGX_OK && lookup->expires <= ngx_http_npmtoken_proof_clock()) {

        /*
         * rule: deadline-at-answer.  It went while the reply came; or will
         * soon, since its time counts from before the asking.
         */

        return NGX_ERROR;
    }

    cache = lookup->lookups->conf->cache;

    if (rc == NGX_ERROR || cache == NULL
        || ngx_http_npmtoken_stamp_is_void(&lookup->stamp))
    {
        return rc;
    }

    ngx_http_npmtoken_cache_put(cache, lookup->tag, &lookup->stamp,
                                lookup->expires,
                                rc == NGX_OK ? lookup->record : NULL);
    return rc;
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

        sent |= lookup->sent || lookup->resent;

        ngx_http_npmtoken_lookup_remove(lookup);
        ngx_queue_insert_tail(&late, &lookup->queue);
    }

    if (sent) {

        /*
         * Its reply would be taken for the next one's, and what has not
         * answered for so long had better be connected to anew.  On the
         * second connection not even the greeting may have been answered.
         */

        ngx_http_npmtoken_connection_fail(&lookups->conn,
                                          "a look-up timed out");
    }

    if (!sent && !ngx_queue_empty(&lookups->queue)) {
        q = ngx_queue_head(&lookups->queue);
        lookup = ngx_queue_data(q, ngx_http_npmtoken_lookup_t, queue);

        if (ngx_http_npmtoken_lookup_left(lookup) <= 0) {
            ngx_http_npmtoken_connection_renew(&lookups->conn,
                                               lookup->patience);
        }
    }

    ngx_http_npmtoken_lookup_set_timer(lookups);
    ngx_http_npmtoken_lookup_done_all(&late, NGX_ERROR);
}


static void
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

    left = ngx_http_npmtoken_lookup_left(lookup);

    ngx_add_timer(&lookups->timer, (ngx_msec_t) ngx_max(left, 1));
}


static void
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
 * The look-up has been removed, so a waiter that is called may make another
 * for the same key; it may also make the next waiter go away.
 */

static void
ngx_http_npmtoken_lookup_done(ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc)
{
    ngx_queue_t                  *q;
    ngx_http_npmtoken_waiter_t   *waiter;
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

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
    ngx_http_npmtoken_lookup_uncount(lookup);
    ngx_http_npmtoken_lookup_reset(lookup);
    ngx_free(lookup);
}
