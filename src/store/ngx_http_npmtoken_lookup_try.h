
/*
 * One try of a look-up: what is sent, how long it may take, and what its
 * replies say.  A try that was lost is followed by another one.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LOOKUP_TRY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LOOKUP_TRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_lookup_parts.h"


/*
 * Takes the stamp of a look-up and sends it.  The connection is ready.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_npmtoken_lookup_try_send(
    ngx_http_npmtoken_lookup_t *lookup);

/*
 * Makes the two commands of a look-up.  All memory is the caller's: two
 * "commands", two lists of "words", and "name", which has room for the name of
 * a record, NGX_HTTP_NPMTOKEN_MAX_RECORDS + NPMTOKEN_KEY_LEN bytes.
 */
void ngx_http_npmtoken_lookup_try_commands(
    ngx_http_npmtoken_lookup_t *lookup, ngx_http_npmtoken_command_t *commands,
    ngx_str_t (*words)[2], u_char *name);

/* Milliseconds that are left to wait for the head of the queue. */
ngx_msec_int_t ngx_http_npmtoken_lookup_try_left(
    ngx_http_npmtoken_lookup_t *lookup);

/* Forgets what was sent and what came of it; frees the record. */
void ngx_http_npmtoken_lookup_try_reset(ngx_http_npmtoken_lookup_t *lookup);

/*
 * Reads the reply to PTTL, the second one: when the record vanishes.  Returns
 * what the look-up's waiters are to get, or NGX_ABORT if the reply does not fit
 * the command.
 */
ngx_int_t ngx_http_npmtoken_lookup_try_ttl(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);

/*
 * Caches the result "rc" with its stamp, whatever was pushed in the meantime.
 * If something was pushed, the stamp is not current and the entry is a miss.
 * Returns "rc", or NGX_ERROR if the record vanishes now, or if no proof vouches
 * for what was read and one has to.
 */
ngx_int_t ngx_http_npmtoken_lookup_try_cache(
    ngx_http_npmtoken_lookup_t *lookup, ngx_int_t rc);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_TRY_H_INCLUDED_ */
