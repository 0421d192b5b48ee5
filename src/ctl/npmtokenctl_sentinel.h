
/*
 * Redis Sentinel: which server is the master.
 */


#ifndef _NPMTOKENCTL_SENTINEL_H_INCLUDED_
#define _NPMTOKENCTL_SENTINEL_H_INCLUDED_


/*
 * Connects to the master of the name "master", by asking the sentinels in turn.
 * "hosts" is host[:port][,host[:port]]... and is changed.  Ends the program if
 * no sentinel leads there.
 */
void ctl_sentinel_open(char *hosts, const char *master);


#endif /* _NPMTOKENCTL_SENTINEL_H_INCLUDED_ */
