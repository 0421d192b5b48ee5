
/*
 * A list of CIDRs -> ranges; is this address inside?
 */


#ifndef _NPMTOKEN_CIDR_H_INCLUDED_
#define _NPMTOKEN_CIDR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the most bytes that one entry of a list takes when packed */
#define NPMTOKEN_CIDR_PACKED_MAX  18

/* bytes of what npmtoken_cidr_network() says */
#define NPMTOKEN_NETWORK_LEN      16


/* the most bytes that a list may need when packed */
size_t npmtoken_cidr_size(ngx_str_t *list);

/*
 * Packs a list "CIDR, address, ..." into "buf" of npmtoken_cidr_size()
 * bytes.  The result has no pointers and may be copied.
 *
 * Returns the bytes used, or NGX_ERROR if an entry is not exactly an address
 * or an address with a prefix length in range.  A guess could widen the list.
 * npm accepts host bits, so they are masked.  An IPv4-mapped IPv6 entry is an
 * error, since its owner may have meant either.
 */
ssize_t npmtoken_cidr_pack(ngx_str_t *list, u_char *buf);

/*
 * Returns 1 if the address is in one of the packed ranges, else 0.
 * An IPv4-mapped IPv6 address is matched as IPv4.  An address of another
 * family (AF_UNIX) is in no range.
 */
ngx_uint_t npmtoken_cidr_contains(u_char *ranges, size_t len,
    struct sockaddr *sockaddr);

/*
 * Returns 1 if each of the packed ranges is within a single range of "outer",
 * else 0.  A range that only two of "outer" cover together gives 0, too.
 */
ngx_uint_t npmtoken_cidr_within(u_char *ranges, size_t len, u_char *outer,
    size_t outer_len);

/*
 * Whom an address counts as where clients have shares, NPMTOKEN_NETWORK_LEN
 * bytes in "network".  An IPv4 address is itself, in its IPv4-mapped form,
 * also if it came so.  An IPv6 address is its /64, which one client has as a
 * whole.  All others (AF_UNIX) are one, ff00::, which no client can have.
 */
void npmtoken_cidr_network(struct sockaddr *sockaddr, u_char *network);


#endif /* _NPMTOKEN_CIDR_H_INCLUDED_ */
