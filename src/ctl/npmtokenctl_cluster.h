
/*
 * A Redis Cluster: which node has the keys, and what to do with a reply that
 * says that another one has.
 */


#ifndef _NPMTOKENCTL_CLUSTER_H_INCLUDED_
#define _NPMTOKENCTL_CLUSTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>


/*
 * Connects to the node that has the slot of the prefix, by asking the hosts in
 * turn.  "hosts" is host[:port][,host[:port]]... and is changed.  Ends the
 * program if no host leads there.
 */
void ctl_cluster_open(char *hosts);

/* Notes a command that is about to be sent; the bytes are copied. */
void ctl_cluster_sent(const char *command, size_t len);

/*
 * Returns the reply to the oldest command.  A command that this node sends
 * elsewhere has not been carried out; it is sent again, to where the node says.
 */
redisReply *ctl_cluster_reply(void);

/*
 * Ends the program if this node has not, or not any more, all keys of the
 * store, or if it is not the one of "session".  Call it after each page of a
 * SCAN: a page without keys that another node has would look whole, and a
 * cursor means nothing to another node.  Does nothing without a cluster.
 */
void ctl_cluster_whole(ngx_uint_t session);


#endif /* _NPMTOKENCTL_CLUSTER_H_INCLUDED_ */
