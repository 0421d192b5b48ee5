
#include "ngx_http_npmtoken_lookup_epoch.h"
#include "ngx_http_npmtoken_greeting.h"


static void ngx_http_npmtoken_lookup_epoch_switch_handler(void *data,
    ngx_str_t *host, ngx_uint_t port);
static void ngx_http_npmtoken_lookup_epoch_move(
    ngx_http_npmtoken_lookups_t *lookups);


void
ngx_http_npmtoken_lookup_epoch_listen(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_listener_t  *listener;

    listener = &lookups->listener;

    listener->handler = ngx_http_npmtoken_lookup_epoch_switch_handler;
    listener->data = lookups;

    ngx_http_npmtoken_watch_join(&lookups->conf->endpoint, listener);
}


/*
 * rule: connection-of-epoch.  The feed vouches for the server that it is
 * connected to.  So a look-up goes to that address, on a connection opened in
 * the feed's epoch: an older connection may lead to another server that was
 * behind that address before.  What was sent on the older connection is sent
 * again.  When the connection opens, the server itself says whether it is the
 * same one.
 */

void
ngx_http_npmtoken_lookup_epoch_follow(ngx_http_npmtoken_lookups_t *lookups)
{
    uint64_t                    epoch;
    ngx_str_t                   host;
    ngx_http_npmtoken_peer_t    peer;
    ngx_http_npmtoken_proof_t  *proof;

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

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &lookups->conn.log, 0,
                   "npmtoken lookup epoch: %uL, was %uL", epoch,
                   lookups->epoch);

    ngx_http_npmtoken_lookup_epoch_move(lookups);

    /* an epoch in which no server is vouched for has no peer */

    if (peer.socklen) {
        host.data = peer.host;
        host.len = peer.host_len;

        ngx_http_npmtoken_dial_pin(&lookups->conn.dial, &peer.sockaddr,
                                   peer.socklen, &host);
    } else {
        ngx_http_npmtoken_dial_home(&lookups->conn.dial);
    }

    ngx_memcpy(lookups->server, peer.server, NGX_HTTP_NPMTOKEN_SERVER_LEN);

    /* the feed's server has answered this */
    lookups->conn.ask_server = 1;
    lookups->conn.endpoint->left_out &=
                                 ~ngx_http_npmtoken_greeting_server_step();
    lookups->epoch = epoch;
}


static void
ngx_http_npmtoken_lookup_epoch_move(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_lookup_restart(lookups);

    /* what failed before was another server */
    lookups->conn.retry_at = ngx_current_msec;
}


static void
ngx_http_npmtoken_lookup_epoch_switch_handler(void *data, ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_http_npmtoken_lookups_t  *lookups = data;

    if (ngx_http_npmtoken_dial_leads_to(&lookups->conn.dial, host, port)) {
        return;
    }

    ngx_http_npmtoken_lookup_epoch_move(lookups);
    ngx_http_npmtoken_dial_home(&lookups->conn.dial);

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_connection_open(&lookups->conn);
    }
}


/* rule: stamp-before-send */

void
ngx_http_npmtoken_lookup_epoch_stamp(ngx_http_npmtoken_lookup_t *lookup)
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
        ngx_http_npmtoken_lookup_debug(lookup->key, "not to be cached, epoch",
                                       lookups->epoch);

        ngx_http_npmtoken_stamp_void(&lookup->stamp);
        return;
    }

    /* rule: same-server */

    if (lookups->epoch
        && !ngx_http_npmtoken_greeting_leads_to(&lookups->conn,
                                                lookups->server))
    {
        ngx_http_npmtoken_lookup_debug(lookup->key, "another server, epoch",
                                       lookups->epoch);

        if (lookups->conf->replicas) {
            ngx_http_npmtoken_stamp_void(&lookup->stamp);
            return;
        }

        ngx_http_npmtoken_stamp_alone(&lookup->stamp);
        ngx_http_npmtoken_lookup_epoch_apart(lookups,
                                       ngx_http_npmtoken_proof_proven(proof));
        return;
    }

    if (lookups->conf->replicas) {
        ngx_http_npmtoken_stamp_strict(&lookup->stamp);
    }
}


/*
 * After a restart, look-ups and feed may reach different servers for a moment.
 * But if the server has answered the feed since this connection was made, it
 * is another one.
 */

void
ngx_http_npmtoken_lookup_epoch_apart(ngx_http_npmtoken_lookups_t *lookups,
    uint64_t word)
{
    /* of a cluster, these are two nodes until the feed has moved, too */

    if (lookups->told
        || lookups->conn.endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER
        || ngx_http_npmtoken_word_number(word) != lookups->epoch
        || ngx_http_npmtoken_word_time(word) <= lookups->ready)
    {
        return;
    }

    lookups->told = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": look-ups do not reach the server "
                  "that pushes changes, so there are several servers behind "
                  "\"%V\": a record is used no longer than "
                  "\"revocation_bound\"",
                  &lookups->conf->store, &lookups->conf->endpoint.name);
}
