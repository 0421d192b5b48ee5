
/*
 * The "redis" URL of a store, parsed: where to connect, by what means, as which
 * user, and under which prefix the records are.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_ssl.h"


#define NGX_HTTP_NPMTOKEN_REDIS_PORT     6379
#define NGX_HTTP_NPMTOKEN_SENTINEL_PORT  26379

/* the longest prefix of records, in bytes */
#define NGX_HTTP_NPMTOKEN_MAX_RECORDS  (128 + sizeof("token:") - 1)

/*
 * A process of Redis is known by its run_id: a random number in hex that it
 * takes at its start and reports in INFO.  All zeros: not known.
 */

#define NGX_HTTP_NPMTOKEN_SERVER_LEN  40


/* what the hosts of a URL are */

typedef enum {
    NGX_HTTP_NPMTOKEN_SINGLE = 0,   /* the server itself */
    NGX_HTTP_NPMTOKEN_SENTINEL,     /* those that know the server */
    NGX_HTTP_NPMTOKEN_CLUSTER       /* some of the cluster's nodes */
} ngx_http_npmtoken_endpoint_kind_e;


/* what a worker asks the sentinels, and what it hears of them */
typedef struct ngx_http_npmtoken_sentinel_s  ngx_http_npmtoken_sentinel_t;
typedef struct ngx_http_npmtoken_watch_s     ngx_http_npmtoken_watch_t;


/* a host of a URL */

typedef struct {
    ngx_str_t             name;        /* host and port as in the URL */
    ngx_url_t             url;
    ngx_addr_t           *addrs;
    ngx_uint_t            naddrs;      /* 0: resolve at each connect */
} ngx_http_npmtoken_seed_t;


typedef struct {
    ngx_str_t             name;        /* the URL without user and password,
                                          for logs */
    ngx_http_npmtoken_endpoint_kind_e  kind;

    ngx_str_t             user;        /* empty: the default user */
    ngx_str_t             password;    /* empty: no AUTH */
    ngx_uint_t            db;
    ngx_str_t             master;      /* its name, if it is asked for */
    ngx_str_t             records;     /* prefix of the records' keys */
    ngx_str_t             none;        /* a key beside them that is never
                                          made */

    ngx_str_t             sentinel_user;      /* as above, for sentinels */
    ngx_str_t             sentinel_password;
    ngx_msec_t            sentinel_timeout;   /* of connecting, of an answer */
    ngx_http_npmtoken_sentinel_t  *sentinel;  /* NULL: none was asked yet */
    ngx_http_npmtoken_watch_t     *watch;     /* NULL: nobody has listened */

    ngx_array_t           seeds;       /* of ngx_http_npmtoken_seed_t; at
                                          least one, and one if SINGLE */
    ngx_resolver_t       *resolver;    /* NULL: there is none */
    ngx_msec_t            resolver_timeout;

    ngx_msec_t            keepalive;     /* 0: off */
    ngx_msec_t            user_timeout;  /* 0: the system's value */
    ngx_uint_t            replica;       /* 1: a replica may be used */
    ngx_uint_t            worked;        /* 1: a connection of this worker has
                                            worked */

    /*
     * Steps of a greeting, as bits.  This worker leaves out the steps in
     * left_out, since the connection was closed at them.  Those in "suspected"
     * are not yet shown to be the cause.  Those in "retried" have had their
     * second chance.  Those in "told" are logged.
     */
    ngx_uint_t            left_out;
    ngx_uint_t            suspected;
    ngx_uint_t            retried;
    ngx_uint_t            told;

    unsigned              ssl:1;       /* TLS to each server */
    ngx_http_npmtoken_ssl_conf_t  ssl_conf;
} ngx_http_npmtoken_endpoint_t;


/*
 * Parses one of these, where USER is [user[:password]@] and HOSTS is
 * host[:port][,host[:port]]...:
 *
 *     redis://USERhost[:port][/db]            unix:/path[:db]
 *     redis-sentinel://USERHOSTS/master[/db]
 *     redis-cluster://USERHOSTS
 *
 * With TLS, the schemes are rediss, redis-sentinel+tls, redis-cluster+tls.
 * Memory is allocated from cf->pool.  Host names are not resolved yet.
 * Returns NGX_OK, or NGX_ERROR with a line logged that contains no password.
 */
ngx_int_t ngx_http_npmtoken_endpoint_parse(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_npmtoken_endpoint_t *endpoint);

/*
 * Call this when the configuration has been read.  Finds the addresses of the
 * host names, or leaves that to "resolver" at run time if it has servers.
 * "resolver_timeout" is in milliseconds.  Returns NGX_OK, or NGX_ERROR with a
 * line logged.
 */
ngx_int_t ngx_http_npmtoken_endpoint_resolve(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout);


#endif /* _NGX_HTTP_NPMTOKEN_ENDPOINT_H_INCLUDED_ */
