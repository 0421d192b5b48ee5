
/*
 * The "redis" URL of a store -> where to connect, and as whom; and under
 * which prefix the records are there.
 */


#ifndef _NGX_HTTP_NPMTOKEN_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_NPMTOKEN_REDIS_PORT   6379

/* the longest prefix of records, in bytes */
#define NGX_HTTP_NPMTOKEN_MAX_RECORDS  (128 + sizeof("token:") - 1)

/*
 * A process of Redis by its run_id, a random number of its own that it takes
 * when it starts and tells in INFO, in hex.  All zeros: not known.
 */

#define NGX_HTTP_NPMTOKEN_SERVER_LEN  40


typedef struct {
    ngx_str_t             name;        /* the URL without user and password,
                                          for logs */
    ngx_str_t             user;        /* empty: the default user */
    ngx_str_t             password;    /* empty: no AUTH */
    ngx_uint_t            db;
    ngx_str_t             records;     /* prefix of the records' keys */

    ngx_url_t             url;         /* host, port */
    ngx_addr_t           *addrs;
    ngx_uint_t            naddrs;      /* 0: ask the resolver at each
                                          connect */
    ngx_resolver_t       *resolver;
    ngx_msec_t            resolver_timeout;

    ngx_msec_t            keepalive;     /* 0: not asked for */
    ngx_msec_t            user_timeout;  /* 0: the system's */

    /*
     * Steps of a greeting, as bits, that this worker leaves out since the
     * connection was closed at them: all, those that are not yet shown to be
     * the cause, those that had their second chance, those told in the log.
     */
    ngx_uint_t            left_out;
    ngx_uint_t            suspected;
    ngx_uint_t            retried;
    ngx_uint_t            told;
} ngx_http_npmtoken_endpoint_t;


/*
 * Parses redis://[user[:password]@]host[:port][/db] or unix:/path[:db].
 * Everything is allocated from cf->pool.  Host names are not resolved yet.
 * On an error a line is logged, which has no password in it, and
 * NGX_ERROR is returned.
 */
ngx_int_t ngx_http_npmtoken_endpoint_parse(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_npmtoken_endpoint_t *endpoint);

/*
 * To be called when the configuration has been read: finds the addresses of
 * a host name, or leaves that to "resolver" at run time if it has servers.
 * Returns NGX_OK, or NGX_ERROR with a line logged.
 */
ngx_int_t ngx_http_npmtoken_endpoint_resolve(ngx_conf_t *cf,
    ngx_http_npmtoken_endpoint_t *endpoint, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout);


#endif /* _NGX_HTTP_NPMTOKEN_ENDPOINT_H_INCLUDED_ */
