
/*
 * The bytes to and from Redis, with TLS or without.  hiredis of Debian 12 has
 * no TLS: it makes the connection, commands and replies, and reads and writes
 * nothing.
 */


#ifndef _NPMTOKENCTL_WIRE_H_INCLUDED_
#define _NPMTOKENCTL_WIRE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Connects, by TLS if "tls" is set.  "port" 0: "host" is the path of a socket.
 * "name" is the URL, for messages.  Ends the program if it cannot.  Closes the
 * connection that there was before.
 */
void ctl_wire_open(const char *name, const char *host, int port,
    ngx_uint_t tls);

/* The same, but returns NULL, or why it cannot. */
const char *ctl_wire_try(const char *host, int port, ngx_uint_t tls);

/* Waits this many seconds for a reply, until another host is connected to. */
void ctl_wire_patience(int seconds);

/* Writes all of it.  Returns NGX_OK, or NGX_ERROR. */
ngx_int_t ctl_wire_write(const void *data, size_t len);

/* Returns the number of bytes read, at least one, or NGX_ERROR. */
ssize_t ctl_wire_read(void *data, size_t size);

/* Why the last call failed. */
const char *ctl_wire_error(void);


#endif /* _NPMTOKENCTL_WIRE_H_INCLUDED_ */
