
/*
 * What the rest of npmtokenctl need not know of the connection to Redis.
 */


#ifndef _NPMTOKENCTL_REDIS_H_INCLUDED_
#define _NPMTOKENCTL_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>


/* a number in the URL or an option; ends the program if it is none */
int ctl_number(const char *text, int min, int max, const char *what);

/*
 * Cuts the port off a host, and the brackets of an IPv6 address.  "fallback" is
 * the port of a host without one.  Ends the program if it is not valid.
 */
char *ctl_host_port(char *host, int *port, int fallback);

/* The first line of a file.  Ends the program if there is none. */
char *ctl_read_secret(const char *path);

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

/* Writes the bytes of a command. */
void ctl_raw(const char *command, size_t len);

/* Writes what is queued, and reads the next reply, whatever it says. */
redisReply *ctl_receive(void);

/* Loads the script that is in use into another server. */
void ctl_script_load(void);

/*
 * Asks how many replicas have what was written on this connection.  That counts
 * in the answer of ctl_wait().
 */
void ctl_wait_before_leaving(void);


#endif /* _NPMTOKENCTL_REDIS_H_INCLUDED_ */
