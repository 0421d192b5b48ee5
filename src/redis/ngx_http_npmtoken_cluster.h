
/*
 * What a node of a Redis Cluster says about slots.
 */


#ifndef _NGX_HTTP_NPMTOKEN_CLUSTER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CLUSTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_codec.h"


/* redirections in a row before a connection waits */
#define NGX_HTTP_NPMTOKEN_MAX_HOPS  5


/* where a node sends a client */

typedef struct {
    ngx_str_t             host;        /* points into the reply; empty: the
                                          host of the node that said so */
    ngx_uint_t            port;
    unsigned              ask:1;       /* this command only, after ASKING */
} ngx_http_npmtoken_redirect_t;


/*
 * Reads the reply "MOVED SLOT HOST:PORT" or "ASK SLOT HOST:PORT".  The host may
 * be a name, an address, or unknown, which is nothing or "?"; see "Redirection
 * and resharding" in Redis's cluster specification.  An IPv6 address has no
 * brackets.  The host is not checked.  Returns NGX_OK, or NGX_DECLINED if the
 * reply is something else.
 */
ngx_int_t ngx_http_npmtoken_cluster_redirect(redisReply *reply,
    ngx_http_npmtoken_redirect_t *to);

/*
 * Whether a name that begins like this has a hash tag: text between the first
 * "{" and the next "}".  The tag alone says which slot a key is in, so all keys
 * with this prefix are in one.
 */
ngx_uint_t ngx_http_npmtoken_cluster_hash_tag(ngx_str_t *name);


#endif /* _NGX_HTTP_NPMTOKEN_CLUSTER_H_INCLUDED_ */
