
/*
 * Commands that the token API sends to Redis.  They have their own
 * connections, and each has a time-out.
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
 * A caller that waits for a reply.  The caller owns the memory, and must call
 * ngx_http_npmtoken_command_forget() before it frees it.
 */

struct ngx_http_npmtoken_command_waiter_s {
    ngx_http_npmtoken_command_job_t     *job;      /* NULL: not waiting */

    /*
     * "reply" is valid during the call, and is never an error reply.  NULL
     * means that Redis refused the command, or cannot be asked.  Redis may or
     * may not have executed it.
     */
    void                               (*handler)(
                                   ngx_http_npmtoken_command_waiter_t *waiter,
                                   redisReply *reply);
    void                                *data;

    unsigned                             unreplicated:1; /* done, but too few
                                                            replicas have it */
};


/*
 * Returns the commands of a store.  The first call for a store allocates them
 * from the pool of "cf" and adds them to "all".  Returns NULL if there is no
 * memory.
 */
ngx_http_npmtoken_commands_t *ngx_http_npmtoken_command_get(ngx_conf_t *cf,
    ngx_array_t *all, ngx_http_npmtoken_store_t *store);

/*
 * Connects one worker of a node, so that warnings about this Redis are in the
 * log before the first call.  Returns NGX_OK, or NGX_ERROR if there is no
 * memory.
 */
ngx_int_t ngx_http_npmtoken_command_start(
    ngx_http_npmtoken_commands_t *commands);

/* Closes the connections of this worker.  No waiter is called. */
void ngx_http_npmtoken_command_exit(ngx_http_npmtoken_commands_t *commands);

/*
 * Sends a copy of a command.  Returns NGX_AGAIN if the waiter will be called:
 * once, and never from within this function.  Returns NGX_ERROR if there is no
 * memory, and the waiter will not be called.
 */
ngx_int_t ngx_http_npmtoken_command_read(
    ngx_http_npmtoken_commands_t *commands, ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * As the first, for a page of a SCAN.  A cursor makes sense only to the server
 * that gave it: so all pages go over the same connection.  "session" is 0 for
 * the first page, is set when its reply comes, and is handed over for the next
 * ones.  It has to outlive the call.  If that connection is gone, the waiter
 * gets NULL.
 */
ngx_int_t ngx_http_npmtoken_command_page(
    ngx_http_npmtoken_commands_t *commands, ngx_uint_t *session,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * As above, for a slow command: it has a connection of its own.  An account,
 * in any spelling, has one such command at a time; a few more wait.  Also
 * returns NGX_BUSY if too many wait already.
 */
ngx_int_t ngx_http_npmtoken_command_read_alone(
    ngx_http_npmtoken_commands_t *commands, ngx_str_t *account,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * As above, for a script that changes something.  The waiter gets the script's
 * reply once "replicas" replicas have the change, or "replicas_timeout"
 * (milliseconds) is over.  In the second case waiter->unreplicated is set.
 * "argv" is: number of keys, keys, arguments.
 */
ngx_int_t ngx_http_npmtoken_command_write(
    ngx_http_npmtoken_commands_t *commands, ngx_uint_t replicas,
    ngx_msec_t replicas_timeout, ngx_str_t *script, ngx_uint_t argc,
    ngx_str_t *argv, ngx_http_npmtoken_command_waiter_t *waiter);

/*
 * As above, but waits for no replica.  A later read sees what the script did.
 * "waiter" may be NULL: then nobody learns the result.
 */
ngx_int_t ngx_http_npmtoken_command_script(
    ngx_http_npmtoken_commands_t *commands, ngx_str_t *script,
    ngx_uint_t argc, ngx_str_t *argv,
    ngx_http_npmtoken_command_waiter_t *waiter);

/* Cancels the call of a waiter.  Does nothing if the waiter does not wait. */
void ngx_http_npmtoken_command_forget(
    ngx_http_npmtoken_command_waiter_t *waiter);

/* Returns 1 if the reply is this status, else 0. */
ngx_uint_t ngx_http_npmtoken_command_is(redisReply *reply, char *status);


#endif /* _NGX_HTTP_NPMTOKEN_COMMAND_H_INCLUDED_ */
