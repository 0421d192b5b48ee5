
/*
 * What the token API asks of Redis, and tells it: commands on connections of
 * its own, each with a time-out.
 */


#ifndef _NGX_HTTP_NPMTOKEN_COMMAND_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_COMMAND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_store.h"


typedef struct ngx_http_npmtoken_commands_s  ngx_http_npmtoken_commands_t;
typedef struct ngx_http_npmtoken_command_job_s
    ngx_http_npmtoken_command_job_t;
typedef struct ngx_http_npmtoken_command_waiter_s
    ngx_http_npmtoken_command_waiter_t;


/*
 * What a caller hands over to be called back.  It is the caller's memory, and
 * the caller must forget it before that memory goes.
 */

struct ngx_http_npmtoken_command_waiter_s {
    ngx_http_npmtoken_command_job_t     *job;      /* NULL: not waiting */

    /*
     * The reply, which lives for the call; none is an error.  NULL: Redis
     * cannot be asked; it may or may not have done what it was told.
     */
    void                               (*handler)(
                                   ngx_http_npmtoken_command_waiter_t *waiter,
                                   redisReply *reply);
    void                                *data;

    unsigned                             unreplicated:1; /* done, but known to
                                                            too few replicas */
};


/* Those of a store, made in "cf" the first time.  NULL: no memory. */
ngx_http_npmtoken_commands_t *ngx_http_npmtoken_command_get(ngx_conf_t *cf,
    ngx_array_t *all, ngx_http_npmtoken_store_t *store);

/*
 * Connects one worker of a node, so that what is to be said of this Redis is
 * in the log before anybody calls.  Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_command_start(
    ngx_http_npmtoken_commands_t *commands);

/* Closes the connections of this worker.  Nobody is called. */
void ngx_http_npmtoken_command_exit(ngx_http_npmtoken_commands_t *commands);

/*
 * Sends a command, of which it takes a copy.  Returns NGX_AGAIN: the waiter
 * will be called once, though never from within here.  NGX_ERROR: no memory,
 * it will not be.
 */
ngx_int_t ngx_http_npmtoken_command_read(
    ngx_http_npmtoken_commands_t *commands, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * The same for what takes long: on a connection of its own, and for one
 * account, however it is spelt, one at a time; some others wait.
 * NGX_BUSY: too many do.
 */
ngx_int_t ngx_http_npmtoken_command_read_alone(
    ngx_http_npmtoken_commands_t *commands, ngx_str_t *account,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * The same for a script that changes something: the waiter gets its reply only
 * after that many replicas have it, or "replicas_timeout" (milliseconds) is
 * over; then waiter->unreplicated is set, and the reply is the script's all the
 * same.  "argv" is: number of keys, keys, arguments.
 */
ngx_int_t ngx_http_npmtoken_command_write(
    ngx_http_npmtoken_commands_t *commands, ngx_uint_t replicas,
    ngx_msec_t replicas_timeout, ngx_str_t *script, ngx_uint_t argc,
    ngx_str_t *argv, ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * The same for a script that nobody has to be told of: no replica is waited
 * for.  What is read after it is read after it was done.  "waiter" may be
 * NULL: what comes of it is not known.
 */
ngx_int_t ngx_http_npmtoken_command_script(
    ngx_http_npmtoken_commands_t *commands, ngx_str_t *script,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/* The waiter will not be called; nothing happens if it does not wait. */
void ngx_http_npmtoken_command_forget(
    ngx_http_npmtoken_command_waiter_t *waiter);

/* NGX_OK if a reply is this status, else NGX_DECLINED. */
ngx_int_t ngx_http_npmtoken_command_is(redisReply *reply, char *status);


#endif /* _NGX_HTTP_NPMTOKEN_COMMAND_H_INCLUDED_ */
