
#include "ngx_http_npmtoken_feed_refusal.h"
#include "ngx_http_npmtoken_connection_log.h"
#include "ngx_http_npmtoken_greeting.h"


/* milliseconds until a refused feed is tried again: at first, at most */
#define NGX_HTTP_NPMTOKEN_FEED_RETRY     1000
#define NGX_HTTP_NPMTOKEN_FEED_RETRY_MAX (5 * 60 * 1000)


static void ngx_http_npmtoken_feed_refusal_refuse(
    ngx_http_npmtoken_feed_t *feed, ngx_str_t *why, char *advice);


void
ngx_http_npmtoken_feed_refusal_nameless(ngx_http_npmtoken_feed_t *feed)
{
    u_char     buf[NGX_HTTP_NPMTOKEN_MAX_WORDS + 128];
    ngx_str_t  why, *refusal;

    refusal = &feed->conn.refusal;

    why.data = buf;

    if (refusal->len) {
        why.len = ngx_snprintf(buf, sizeof(buf), "redis answered %V on the "
                               "feed, whose user needs +info", refusal)
                  - buf;

    } else {
        ngx_str_set(&why, "redis does not say by INFO which server it is");
    }

    ngx_http_npmtoken_feed_refusal_refuse(feed, &why, "");
}


/* Redis does not know or allow a command, or cannot run it now */

ngx_int_t
ngx_http_npmtoken_feed_refusal_error(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    u_char      buf[2 * NGX_HTTP_NPMTOKEN_MAX_WORDS];
    ngx_str_t   code, words, why;
    ngx_uint_t  level;

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    if (ngx_strncmp(code.data, "ERR", 3) == 0
        || ngx_strncmp(code.data, "NOPERM", 6) == 0)
    {
        why.data = buf;
        why.len = ngx_snprintf(buf, sizeof(buf),
                               "redis answered \"%V\" on the feed (%V)",
                               &code, &words)
                  - buf;

        ngx_http_npmtoken_feed_refusal_refuse(feed, &why,
                                      ngx_http_npmtoken_codec_advice(&code));
        return NGX_OK;
    }

    level = ngx_http_npmtoken_connection_log_fault(&feed->conn,
                                       ngx_crc32_short(code.data, code.len));

    ngx_log_error(level, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": redis answered \"%V\" on the feed "
                  "(%V)", &feed->conf->store, &code, &words);

    return NGX_ERROR;
}


/*
 * The refusal will last until somebody acts.  So it is logged once that the
 * store works without the feed, and the feed is tried again at growing
 * intervals.
 */

static void
ngx_http_npmtoken_feed_refusal_refuse(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *why, char *advice)
{
    ngx_uint_t                     level;
    ngx_msec_t                     delay;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = feed->conf->endpoint;

    delay = NGX_HTTP_NPMTOKEN_FEED_RETRY << ngx_min(feed->refused, 10);
    delay = ngx_min(delay, NGX_HTTP_NPMTOKEN_FEED_RETRY_MAX);

    level = NGX_LOG_INFO;

    /* at the end of an outage, INFO may be the first step left out */

    if (!feed->told
        && (feed->refused || (feed->conn.asked
                              & ngx_http_npmtoken_greeting_server_step())))
    {
        level = NGX_LOG_WARN;
        feed->told = 1;
    }

    ngx_log_error(level, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": %V: %s; the next attempt is in "
                  "%M s%s",
                  &feed->conf->store, why,
                  feed->witness
                  ? "without proofs no token can be checked, since "
                    "\"proof_replicas\" is set"
                  : "the store works as with \"push off\" and uses a record no "
                    "longer than \"revocation_bound\"",
                  delay / 1000, advice);

    feed->refused++;
    feed->retry_at = ngx_current_msec + delay;

    /* the next attempt includes INFO again */
    endpoint->left_out &= ~ngx_http_npmtoken_greeting_server_step();

    ngx_http_npmtoken_connection_close(&feed->conn);
    ngx_http_npmtoken_feed_lost_handler(feed);
}
