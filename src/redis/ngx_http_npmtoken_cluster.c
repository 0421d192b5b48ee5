
#include "ngx_http_npmtoken_cluster.h"


static ngx_str_t  ngx_http_npmtoken_moved = ngx_string("MOVED ");
static ngx_str_t  ngx_http_npmtoken_ask = ngx_string("ASK ");


ngx_int_t
ngx_http_npmtoken_cluster_redirect(redisReply *reply,
    ngx_http_npmtoken_redirect_t *to)
{
    u_char     *p, *last, *colon;
    ngx_int_t   port;
    ngx_str_t   text;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return NGX_DECLINED;
    }

    text.data = (u_char *) reply->str;
    text.len = reply->len;

    if (text.len > ngx_http_npmtoken_moved.len
        && ngx_memcmp(text.data, ngx_http_npmtoken_moved.data,
                      ngx_http_npmtoken_moved.len)
           == 0)
    {
        to->ask = 0;
        p = text.data + ngx_http_npmtoken_moved.len;

    } else if (text.len > ngx_http_npmtoken_ask.len
               && ngx_memcmp(text.data, ngx_http_npmtoken_ask.data,
                             ngx_http_npmtoken_ask.len)
                  == 0)
    {
        to->ask = 1;
        p = text.data + ngx_http_npmtoken_ask.len;

    } else {
        return NGX_DECLINED;
    }

    last = text.data + text.len;

    p = ngx_strlchr(p, last, ' ');

    if (p == NULL) {
        return NGX_DECLINED;
    }

    p++;

    for (colon = last; colon > p && colon[-1] != ':'; colon--) {
        /* void */
    }

    if (colon == p) {
        return NGX_DECLINED;
    }

    port = ngx_atoi(colon, last - colon);

    if (port < 1 || port > 65535) {
        return NGX_DECLINED;
    }

    to->port = port;
    to->host.data = p;
    to->host.len = colon - 1 - p;

    if (to->host.len == 1 && *p == '?') {
        to->host.len = 0;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_npmtoken_cluster_hash_tag(ngx_str_t *name)
{
    u_char  *open, *end, *last;

    last = name->data + name->len;
    open = ngx_strlchr(name->data, last, '{');

    if (open == NULL) {
        return 0;
    }

    end = ngx_strlchr(open, last, '}');

    return end && end > open + 1;
}
