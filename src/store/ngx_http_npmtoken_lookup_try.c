
#include "ngx_http_npmtoken_lookup_try.h"
#include "ngx_http_npmtoken_lookup_epoch.h"
#include "ngx_http_npmtoken_lookup_gate.h"


static ngx_msec_t ngx_http_npmtoken_lookup_try_patience(
    ngx_http_npmtoken_lookup_t *lookup);


ngx_int_t
ngx_http_npmtoken_lookup_try_send(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_str_t                     words[2][2];
    ngx_http_npmtoken_command_t   commands[2];
    ngx_http_npmtoken_lookups_t  *lookups;
    u_char                        name[NGX_HTTP_NPMTOKEN_MAX_RECORDS
                                       + NPMTOKEN_KEY_LEN];

    ngx_http_npmtoken_lookup_epoch_stamp(lookup);

    lookups = lookup->lookups;

    lookup->began = ngx_current_msec;
    lookup->patience = ngx_http_npmtoken_lookup_try_patience(lookup);

    ngx_http_npmtoken_lookup_try_commands(lookup, commands, words, name);

    if (ngx_http_npmtoken_connection_send(&lookups->conn, commands, 2)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    lookup->sent = 1;

    ngx_http_npmtoken_lookup_debug(lookup->key, "sent, patience",
                                   lookup->patience);
    return NGX_OK;
}


void
ngx_http_npmtoken_lookup_try_commands(ngx_http_npmtoken_lookup_t *lookup,
    ngx_http_npmtoken_command_t *commands, ngx_str_t (*words)[2],
    u_char *name)
{
    u_char     *p;
    ngx_str_t  *records;

    records = &lookup->lookups->conf->endpoint.records;

    p = ngx_cpymem(name, records->data, records->len);
    p = ngx_cpymem(p, lookup->key, NPMTOKEN_KEY_LEN);

    ngx_str_set(&words[0][0], "HGETALL");
    words[0][1].data = name;
    words[0][1].len = p - name;

    ngx_str_set(&words[1][0], "PTTL");
    words[1][1] = words[0][1];

    commands[0].argc = 2;
    commands[0].argv = words[0];
    commands[1].argc = 2;
    commands[1].argv = words[1];
}


/*
 * A connection that a balancer or NAT has forgotten takes what is sent and
 * never answers.  So the first try of a look-up ends while there is time for
 * another one on a new connection, if connecting takes no longer than last
 * time.  The first try ends sooner if nothing was heard for long.  Other
 * replies may come in the meantime.
 */

static ngx_msec_t
ngx_http_npmtoken_lookup_try_patience(ngx_http_npmtoken_lookup_t *lookup)
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


ngx_msec_int_t
ngx_http_npmtoken_lookup_try_left(ngx_http_npmtoken_lookup_t *lookup)
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


void
ngx_http_npmtoken_lookup_try_reset(ngx_http_npmtoken_lookup_t *lookup)
{
    lookup->sent = 0;
    lookup->replied = 0;
    lookup->away = 0;
    lookup->expires = UINT64_MAX;

    if (lookup->record) {
        ngx_free(lookup->record);
        lookup->record = NULL;
    }
}


ngx_int_t
ngx_http_npmtoken_lookup_try_ttl(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    if (reply == NULL) {
        return NGX_ABORT;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        if (lookup->rc != NGX_ERROR) {
            ngx_http_npmtoken_reply_error(&lookup->lookups->logged, reply);
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

        /* the key vanished between the two commands */

        return NGX_DECLINED;
    }

    if (reply->integer == -1) {
        lookup->record->vanishes_at = NPMTOKEN_NEVER;
        return NGX_OK;
    }

    /*
     * rule: deadline-from-stamp; so the deadline is never later than in Redis
     */

    lookup->expires = ngx_http_npmtoken_word_time(lookup->stamp.word)
                      + reply->integer;

    lookup->record->vanishes_at = ngx_time() + reply->integer / 1000;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_lookup_try_cache(ngx_http_npmtoken_lookup_t *lookup,
    ngx_int_t rc)
{
    ngx_http_npmtoken_cache_t  *cache;

    if (rc == NGX_OK && lookup->expires <= ngx_http_npmtoken_proof_clock()) {

        /*
         * rule: deadline-at-answer.  The key vanished while the reply was on
         * its way, or will soon: its time counts from before the command was
         * sent.
         */

        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_lookup_gate_unproven(lookup)) {
        return NGX_ERROR;
    }

    cache = lookup->lookups->conf->cache;

    ngx_http_npmtoken_lookup_debug(lookup->key, "may be cached",
                          cache && rc != NGX_ERROR
                          && !ngx_http_npmtoken_stamp_is_void(&lookup->stamp));

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
