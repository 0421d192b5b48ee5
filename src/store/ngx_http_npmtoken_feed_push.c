
#include "ngx_http_npmtoken_feed_push.h"
#include "ngx_http_npmtoken_feed_proof.h"
#include "npmtoken_digest.h"


static ngx_int_t ngx_http_npmtoken_feed_push_invalidation(
    ngx_http_npmtoken_feed_t *feed, redisReply *names);
static ngx_int_t ngx_http_npmtoken_feed_push_changed(
    ngx_http_npmtoken_feed_t *feed, ngx_str_t *name);


ngx_int_t
ngx_http_npmtoken_feed_push_message(ngx_http_npmtoken_feed_t *feed,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    if (reply->elements == 3
        && ngx_http_npmtoken_feed_is(reply->element[0], "message")
        && ngx_http_npmtoken_feed_is(reply->element[1],
                                     "__redis__:invalidate"))
    {
        return ngx_http_npmtoken_feed_push_invalidation(feed,
                                                        reply->element[2]);
    }

    if (reply->elements == 2
        && ngx_http_npmtoken_feed_is(reply->element[0], "pong"))
    {
        return ngx_http_npmtoken_feed_proof_pong(feed, reply->element[1]);
    }

    return NGX_ERROR;
}


/*
 * a string in place of the names comes from a PUBLISH by a client, not from
 * Redis
 */

static ngx_int_t
ngx_http_npmtoken_feed_push_invalidation(ngx_http_npmtoken_feed_t *feed,
    redisReply *names)
{
    size_t       i;
    ngx_str_t    name;
    redisReply  *element;

    if (names->type == REDIS_REPLY_NIL) {

        /* rule: flush-invalidates */

        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                       "npmtoken feed: everything changed");

        ngx_http_npmtoken_proof_invalidate_all(feed->proof);
        return NGX_OK;
    }

    if (names->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &feed->conn.log, 0,
                   "npmtoken feed: %uz keys changed", names->elements);

    for (i = 0; i < names->elements; i++) {
        element = names->element[i];

        if (element->type != REDIS_REPLY_STRING) {
            return NGX_ERROR;
        }

        name.data = (u_char *) element->str;
        name.len = element->len;

        if (ngx_http_npmtoken_feed_push_changed(feed, &name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* rule: key-invalidates; a name that is not a record's has no cached record */

static ngx_int_t
ngx_http_npmtoken_feed_push_changed(ngx_http_npmtoken_feed_t *feed,
    ngx_str_t *name)
{
    size_t  len;

    if (feed->witness && name->len > feed->series.len
        && ngx_memcmp(name->data, feed->series.data, feed->series.len) == 0)
    {
        return ngx_http_npmtoken_feed_proof_pushed(feed, name);
    }

    len = feed->conf->endpoint->records.len;

    if (name->len == len + NPMTOKEN_KEY_LEN) {
        ngx_http_npmtoken_proof_invalidate(feed->proof, name->data + len);
    }

    return NGX_OK;
}
