
#include "ngx_http_npmtoken_feed_proof.h"
#include "ngx_http_npmtoken_feed_refusal.h"
#include "ngx_http_npmtoken_cluster.h"


/*
 * A connection on which a PING is unanswered, and nothing else came for this
 * many milliseconds, leads nowhere.  Redis itself answers BUSY after that time.
 */
#define NGX_HTTP_NPMTOKEN_FEED_PATIENCE  5000

/* the most milliseconds for which Redis waits for replicas */
#define NGX_HTTP_NPMTOKEN_FEED_WAIT      2500


static ngx_msec_t ngx_http_npmtoken_feed_proof_patience(
    ngx_http_npmtoken_feed_conf_t *conf);
static void ngx_http_npmtoken_feed_proof_slot_handler(void *data,
    ngx_int_t rc, redisReply *reply);
static void ngx_http_npmtoken_feed_proof_withheld(
    ngx_http_npmtoken_feed_t *feed, redisReply *reply);
static void ngx_http_npmtoken_feed_proof_moved(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_proof_write(
    ngx_http_npmtoken_feed_t *feed);
static void ngx_http_npmtoken_feed_proof_witness_handler(void *data,
    ngx_int_t rc, redisReply *reply);
static void ngx_http_npmtoken_feed_proof_doubt(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_feed_proof_ping(
    ngx_http_npmtoken_feed_t *feed);
static ngx_int_t ngx_http_npmtoken_feed_proof_done(
    ngx_http_npmtoken_feed_t *feed);


ngx_int_t
ngx_http_npmtoken_feed_proof_init(ngx_http_npmtoken_feed_t *feed)
{
    ngx_http_npmtoken_feed_conf_t  *conf;

    conf = feed->conf;

    if (conf->replicas == 0) {
        return NGX_OK;
    }

    feed->witness = ngx_http_npmtoken_witness_create(&feed->conn,
                                  conf->replicas,
                                  ngx_http_npmtoken_feed_proof_patience(conf),
                                  ngx_http_npmtoken_feed_proof_witness_handler,
                                  feed);

    return feed->witness ? NGX_OK : NGX_ERROR;
}


/*
 * How long Redis waits for replicas: a missing one has to be told from a silent
 * server, which ends the session.
 */

static ngx_msec_t
ngx_http_npmtoken_feed_proof_patience(ngx_http_npmtoken_feed_conf_t *conf)
{
    return ngx_min(conf->bound / 2, NGX_HTTP_NPMTOKEN_FEED_WAIT);
}


/*
 * A bound may be long.  But what is pushed is lost on a connection that has
 * been forgotten, and a change should not take that long.
 */

ngx_uint_t
ngx_http_npmtoken_feed_proof_silent(ngx_http_npmtoken_feed_t *feed)
{
    uint64_t  waited;

    waited = ngx_http_npmtoken_proof_clock() - feed->sent;

    return waited > feed->lease
           || (waited > NGX_HTTP_NPMTOKEN_FEED_PATIENCE
               && ngx_http_npmtoken_feed_proof_deaf(feed));
}


ngx_uint_t
ngx_http_npmtoken_feed_proof_deaf(ngx_http_npmtoken_feed_t *feed)
{
    return ngx_current_msec - feed->conn.heard
           > NGX_HTTP_NPMTOKEN_FEED_PATIENCE;
}


/*
 * rule: proof-is-time-of-sending, clock-before-write.  A proof proves a time at
 * which nothing of it was sent.
 *
 * A node of a cluster goes on answering PING when its slot is elsewhere.  So it
 * has to show first that it has the slot.  The PING comes after that answer: a
 * key may have been changed elsewhere and brought here by MIGRATE just before
 * it, and the PONG is behind the push of that.
 */

ngx_int_t
ngx_http_npmtoken_feed_proof_begin(ngx_http_npmtoken_feed_t *feed)
{
    feed->sent = ngx_http_npmtoken_proof_clock();

    if (feed->witness) {
        return ngx_http_npmtoken_feed_proof_write(feed);
    }

    if (!feed->conn.cluster
        && feed->conf->endpoint->kind != NGX_HTTP_NPMTOKEN_CLUSTER)
    {
        return ngx_http_npmtoken_feed_proof_ping(feed);
    }

    if (feed->slot == NULL) {
        feed->slot = ngx_http_npmtoken_slot_create(&feed->conn,
                                     ngx_http_npmtoken_feed_proof_slot_handler,
                                     feed);
        if (feed->slot == NULL) {
            return NGX_ERROR;
        }
    }

    feed->asking = 1;

    return ngx_http_npmtoken_slot_ask(feed->slot);
}


static void
ngx_http_npmtoken_feed_proof_slot_handler(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed \"%V\", the slot: %i", &feed->conf->store,
                   rc);

    feed->asking = 0;

    switch (rc) {

    case NGX_OK:
        if (ngx_http_npmtoken_feed_proof_ping(feed) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn, "no memory");
        }

        return;

    case NGX_AGAIN:
        feed->sent = 0;

        if (!feed->moving) {
            feed->moving = 1;
            ngx_http_npmtoken_feed_proof_withheld(feed, reply);
        }

        return;

    case NGX_DECLINED:
        ngx_http_npmtoken_feed_proof_moved(feed, reply);
        return;

    default: /* NGX_ERROR */
        feed->sent = 0;

        /* rule: error-is-no-life */

        if (reply
            && ngx_http_npmtoken_feed_refusal_error(feed, reply) != NGX_OK)
        {
            ngx_http_npmtoken_connection_fail(&feed->conn,
                                              "an unexpected reply");
        }
    }
}


/* for how long, nobody knows, so this is logged once */

static void
ngx_http_npmtoken_feed_proof_withheld(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": there is a key \"%V\", which "
                      "nobody may make: until it is deleted, a record is used "
                      "no longer than \"revocation_bound\"",
                      &feed->conf->store, &feed->conf->endpoint->none);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": the slot of the keys is being "
                  "moved: until that is done, a record is used no longer than "
                  "\"revocation_bound\"", &feed->conf->store);
}


/* what is pushed here is not about the slot any more */

static void
ngx_http_npmtoken_feed_proof_moved(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": the slot of the keys has moved to "
                  "another node, and the feed ends", &feed->conf->store);

    if (ngx_http_npmtoken_connection_follow(&feed->conn, reply) != NGX_OK) {
        ngx_http_npmtoken_connection_fail(&feed->conn, "the slot of the keys "
                                          "is at another node, which only a "
                                          "\"redis-cluster://\" URL follows");
    }
}


/*
 * rule: proof-is-a-write, proof-replicated, push-comes-back.  A master that was
 * succeeded still answers and pushes, and no longer has the replicas.  What
 * replicas have confirmed says nothing of pushes that were not read yet.
 *
 * In a cluster this says what EXISTS says: a node takes the key of a slot only
 * if it has that, and is not giving it away.
 */

static ngx_int_t
ngx_http_npmtoken_feed_proof_write(ngx_http_npmtoken_feed_t *feed)
{
    feed->nonce++;
    feed->pushed = 0;
    feed->confirmed = 0;

    return ngx_http_npmtoken_witness_write(feed->witness, &feed->series,
                                           feed->nonce);
}


static void
ngx_http_npmtoken_feed_proof_witness_handler(void *data, ngx_int_t rc,
    redisReply *reply)
{
    ngx_http_npmtoken_feed_t  *feed = data;

    ngx_http_npmtoken_redirect_t  to;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed, write %uL: %i", feed->nonce, rc);

    switch (rc) {

    case NGX_OK:
        feed->confirmed = 1;

        if (feed->pushed && ngx_http_npmtoken_feed_proof_done(feed) != NGX_OK) {
            ngx_http_npmtoken_connection_fail(&feed->conn, "its epoch is over");
        }

        return;

    case NGX_DECLINED:
        if (ngx_http_npmtoken_cluster_redirect(reply, &to) == NGX_OK) {
            ngx_http_npmtoken_feed_proof_moved(feed, reply);
            return;
        }

        ngx_http_npmtoken_connection_fail(&feed->conn, "this is not the master "
                                          "of the records any more");
        return;

    default: /* NGX_AGAIN, NGX_ERROR */
        feed->sent = 0;

        if (reply) {
            ngx_http_npmtoken_feed_proof_doubt(feed, reply);
        }
    }
}


/* a series of failures is logged once */

static void
ngx_http_npmtoken_feed_proof_doubt(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    ngx_str_t   code, words;
    ngx_uint_t  level;

    level = feed->doubted ? NGX_LOG_INFO : NGX_LOG_ERR;
    feed->doubted = 1;

    if (reply->type == REDIS_REPLY_INTEGER) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": %L replicas have confirmed a "
                      "proof, and \"proof_replicas\" is %ui: tokens cannot be "
                      "checked until there are as many",
                      &feed->conf->store, (int64_t) reply->integer,
                      feed->conf->replicas);
        return;
    }

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": redis answered \"%V\" to the write "
                  "of a proof (%V)%s; tokens cannot be checked without it",
                  &feed->conf->store, &code, &words,
                  ngx_http_npmtoken_codec_advice(&code));
}


/* rule: one-ping; only one PING is on its way at a time */

static ngx_int_t
ngx_http_npmtoken_feed_proof_ping(ngx_http_npmtoken_feed_t *feed)
{
    u_char     nonce[NGX_INT64_LEN];
    ngx_str_t  argv[2];

    feed->nonce++;

    ngx_str_set(&argv[0], "PING");
    argv[1].data = nonce;
    argv[1].len = ngx_sprintf(nonce, "%uL", feed->nonce) - nonce;

    return ngx_http_npmtoken_feed_send(feed, 2, argv);
}


/*
 * A key of the series is pushed when it is written, and once more when it
 * expires.  Only the last one counts.
 */

ngx_int_t
ngx_http_npmtoken_feed_proof_pushed(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *name)
{
    ngx_int_t  n;

    n = ngx_atoi(name->data + feed->series.len,
                 name->len - feed->series.len);

    if (feed->sent == 0 || n == NGX_ERROR || (uint64_t) n != feed->nonce) {
        return NGX_OK;
    }

    feed->pushed = 1;

    return feed->confirmed ? ngx_http_npmtoken_feed_proof_done(feed) : NGX_OK;
}


/*
 * rule: apply-before-proof.  Messages are taken one by one, so everything
 * pushed before this reply has been counted.  A change that is pushed after it
 * had not been acknowledged to anyone when the PING was sent.
 *
 * TLS changes nothing of this.  What it hands over comes in the order of
 * sending, so what it has decrypted and not yet handed over (SSL_pending)
 * stands behind this reply.  And what Redis' side of TLS had read ahead when
 * it ran a change cannot be a PING that was sent after that change was
 * acknowledged.
 */

ngx_int_t
ngx_http_npmtoken_feed_proof_pong(ngx_http_npmtoken_feed_t *feed,
    redisReply *nonce)
{
    ngx_int_t  n;

    if (nonce->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    n = ngx_atoi((u_char *) nonce->str, nonce->len);

    if (feed->sent == 0 || feed->asking || feed->witness || n == NGX_ERROR
        || (uint64_t) n != feed->nonce)
    {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_feed_proof_done(feed);
}


static ngx_int_t
ngx_http_npmtoken_feed_proof_done(ngx_http_npmtoken_feed_t *feed)
{
    ngx_uint_t  level;

    if (ngx_http_npmtoken_proof_prove(feed->proof, feed->epoch, feed->sent)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": another feed has begun an "
                      "epoch", &feed->conf->store);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed epoch: %uL, proven to %uL", feed->epoch,
                   feed->sent);

    feed->sent = 0;
    feed->moving = 0;

    if (!feed->proven) {

        /* the end of a refusal is seen where its beginning was */

        level = feed->told ? NGX_LOG_WARN : NGX_LOG_NOTICE;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": the feed is live, epoch %uL",
                      &feed->conf->store, feed->epoch);

        feed->proven = 1;
        feed->refused = 0;
        feed->told = 0;
        feed->live_at = ngx_current_msec;
    }

    if (feed->doubted) {
        feed->doubted = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": proofs are confirmed again",
                      &feed->conf->store);
    }

    ngx_http_npmtoken_connection_works(&feed->conn);

    return NGX_OK;
}


void
ngx_http_npmtoken_feed_proof_close(ngx_http_npmtoken_feed_t *feed)
{
    if (feed->slot) {
        ngx_http_npmtoken_slot_close(feed->slot);
    }

    if (feed->witness) {
        ngx_http_npmtoken_witness_close(feed->witness);
    }
}


void
ngx_http_npmtoken_feed_proof_free(ngx_http_npmtoken_feed_t *feed)
{
    if (feed->slot) {
        ngx_http_npmtoken_slot_destroy(feed->slot);
    }

    if (feed->witness) {
        ngx_http_npmtoken_witness_destroy(feed->witness);
    }
}
