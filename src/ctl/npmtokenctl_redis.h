
/*
 * What the rest of npmtokenctl need not know of the connection to Redis.
 */


#ifndef _NPMTOKENCTL_REDIS_H_INCLUDED_
#define _NPMTOKENCTL_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>


/* Whether the URL says TLS. */
ngx_uint_t ctl_is_tls(void);

/*
 * Connects to a host of the same kind as the URL's, as the same user, in place
 * of the connection there is.  Returns NULL, or why it failed.
 */
const char *ctl_reopen(const char *host, int port);

/* Whether a prefix has a hash tag, so that all its keys are in one slot. */
ngx_uint_t ctl_hash_tag(const char *prefix);

/* How often it has been connected. */
ngx_uint_t ctl_session(void);

/* Whether the URL is a Redis Cluster's. */
ngx_uint_t ctl_is_cluster(void);

/* Sends a command at once and reads its reply.  No other may be awaited. */
redisReply *ctl_ask(const char *format, ...);

/* As ctl_do(), but before what is queued. */
redisReply *ctl_say(const char *format, ...);

/* Writes the bytes of a command. */
void ctl_raw(const char *command, size_t len);

/* Writes what is queued, and reads the next reply, whatever it says. */
redisReply *ctl_receive(void);

/*
 * Asks how many replicas have what was written on this connection.  That counts
 * in the answer of ctl_wait().
 */
void ctl_wait_before_leaving(void);


#endif /* _NPMTOKENCTL_REDIS_H_INCLUDED_ */
