
/*
 * What the token API asks of Redis, and tells it: commands on connections of
 * its own, each with a time-out.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_DB_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_DB_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* The one of a store, made in "cf" the first time.  NULL: no memory. */
ngx_http_npmtoken_api_db_t *ngx_http_npmtoken_api_db_get(ngx_conf_t *cf,
    ngx_array_t *dbs, ngx_http_npmtoken_store_t *store);

/*
 * Connects one worker of a node, so that what is to be said of this Redis is
 * in the log before anybody calls.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_api_db_start(ngx_http_npmtoken_api_db_t *db);

/* Closes the connections of this worker. */
void ngx_http_npmtoken_api_db_exit(ngx_http_npmtoken_api_db_t *db);

/*
 * Sends a command.  "handler" is called once, never from within here; the
 * reply lives for the call.  One at a time for a request.
 * Returns NGX_AGAIN, or NGX_ERROR: then the handler is not called.
 */
ngx_int_t ngx_http_npmtoken_api_read(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for what takes long: on a connection of its own, and for one
 * account of ctx one at a time; some others wait.  NGX_BUSY: too many do.
 */
ngx_int_t ngx_http_npmtoken_api_db_read_alone(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t argc, ngx_str_t *argv, ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for a script that changes something: "handler" gets its reply only
 * after as many replicas as npmtoken_api_replicas says have it.  Where they
 * have not, ctx->unreplicated is set and the reply is the script's all the
 * same.  "argv" is: number of keys, keys, arguments.
 */
ngx_int_t ngx_http_npmtoken_api_write(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/*
 * The same for what is of no one request: "handler" is called with "data".
 */
ngx_int_t ngx_http_npmtoken_api_db_ask(ngx_http_npmtoken_api_db_t *db,
    ngx_uint_t argc, ngx_str_t *argv,
    void (*handler)(void *data, redisReply *reply), void *data);

/* The walk of a store, in this worker: _walk. */
ngx_http_npmtoken_api_walk_t *ngx_http_npmtoken_api_db_walk(
    ngx_http_npmtoken_api_db_t *db);

/*
 * The same for a script that nobody has to be told of: no replica is waited
 * for.  What is read after it is read after it was done.
 */
ngx_int_t ngx_http_npmtoken_api_db_script(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_api_reply_pt handler);

/* The same, for which no request waits; what comes of it is not known. */
void ngx_http_npmtoken_api_db_tell(ngx_http_npmtoken_api_conf_t *conf,
    ngx_str_t *script, ngx_uint_t argc, ngx_str_t *argv);

/* NGX_OK if a reply is this status */
ngx_int_t ngx_http_npmtoken_api_is(redisReply *reply, char *status);


#endif /* _NGX_HTTP_NPMTOKEN_API_DB_H_INCLUDED_ */
