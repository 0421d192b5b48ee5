
/*
 * A list of CIDRs -> ranges; is this address inside?
 *
 * A packed range is one byte 4 or 6, one byte of prefix length, and the 4 or
 * 16 bytes of the address with its host bits masked.
 *
 * The parser is our own since ngx_ptocidr() takes "1..2.3" and "..." for
 * addresses and refuses 255.255.255.255/32; the matcher is nginx's.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_cidr.h"
#include "npmtoken_list.h"


#define npmtoken_cidr_packed(range)  ((*(range) == 6) ? 18 : 6)


static ssize_t npmtoken_cidr_pack_entry(u_char *p, u_char *last, u_char *buf);
static ngx_int_t npmtoken_cidr_prefix(u_char *p, u_char *last, ngx_int_t max);
static void npmtoken_cidr_mask(u_char *addr, size_t len, ngx_uint_t bits);
static void npmtoken_cidr_expand(ngx_cidr_t *cidr, u_char *range);
static ngx_uint_t npmtoken_cidr_range_within(u_char *range, u_char *outer);


size_t
npmtoken_cidr_size(ngx_str_t *list)
{
    size_t  i, n;

    n = 1;

    for (i = 0; i < list->len; i++) {
        if (list->data[i] == ',') {
            n++;
        }
    }

    return n * NPMTOKEN_CIDR_PACKED_MAX;
}


ssize_t
npmtoken_cidr_pack(ngx_str_t *list, u_char *buf)
{
    u_char     *out;
    ssize_t     n;
    ngx_int_t   rc;
    ngx_str_t   rest, entry;

    out = buf;
    rest = *list;

    do {
        rc = npmtoken_list_next(&rest, &entry);

        n = npmtoken_cidr_pack_entry(entry.data, entry.data + entry.len, out);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        out += n;

    } while (rc == NGX_OK);

    return out - buf;
}


static ssize_t
npmtoken_cidr_pack_entry(u_char *p, u_char *last, u_char *buf)
{
    int         family;
    size_t      len;
    u_char     *slash, *end, text[NGX_INET6_ADDRSTRLEN + 1];
    ngx_int_t   bits;

    static u_char  mapped[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    slash = ngx_strlchr(p, last, '/');
    end = slash ? slash : last;

    /* inet_pton() would accept the text before a NUL and ignore the rest */

    if ((size_t) (end - p) > NGX_INET6_ADDRSTRLEN
        || ngx_strlchr(p, end, '\0') != NULL)
    {
        return NGX_ERROR;
    }

    *ngx_cpymem(text, p, end - p) = '\0';

    family = ngx_strlchr(p, end, ':') ? AF_INET6 : AF_INET;
    len = (family == AF_INET6) ? 16 : 4;

    if (inet_pton(family, (char *) text, &buf[2]) != 1) {
        return NGX_ERROR;
    }

    bits = len * 8;

    if (slash) {
        bits = npmtoken_cidr_prefix(slash + 1, last, bits);
        if (bits == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (family == AF_INET6
        && ngx_memcmp(&buf[2], mapped, sizeof(mapped)) == 0)
    {
        return NGX_ERROR;
    }

    buf[0] = (family == AF_INET6) ? 6 : 4;
    buf[1] = (u_char) bits;

    npmtoken_cidr_mask(&buf[2], len, bits);

    return 2 + len;
}


static ngx_int_t
npmtoken_cidr_prefix(u_char *p, u_char *last, ngx_int_t max)
{
    ngx_int_t  bits;

    if (last - p < 1 || last - p > 3 || (*p == '0' && last - p > 1)) {
        return NGX_ERROR;
    }

    bits = ngx_atoi(p, last - p);

    return (bits > max) ? NGX_ERROR : bits;
}


static void
npmtoken_cidr_mask(u_char *addr, size_t len, ngx_uint_t bits)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (bits >= 8) {
            bits -= 8;
            continue;
        }

        addr[i] &= (u_char) (0xff00 >> bits);
        bits = 0;
    }
}


ngx_uint_t
npmtoken_cidr_contains(u_char *ranges, size_t len, struct sockaddr *sockaddr)
{
    u_char       *p, *last;
    ngx_cidr_t    cidr;
    ngx_array_t   cidrs;

    ngx_memzero(&cidrs, sizeof(ngx_array_t));

    cidrs.elts = &cidr;
    cidrs.nelts = 1;

    p = ranges;
    last = p + len;

    while (p < last) {
        npmtoken_cidr_expand(&cidr, p);

        if (ngx_cidr_match(sockaddr, &cidrs) == NGX_OK) {
            return 1;
        }

        p += npmtoken_cidr_packed(p);
    }

    return 0;
}


static void
npmtoken_cidr_expand(ngx_cidr_t *cidr, u_char *range)
{
    ngx_memzero(cidr, sizeof(ngx_cidr_t));

    if (range[0] == 6) {
        cidr->family = AF_INET6;
        ngx_memcpy(cidr->u.in6.addr.s6_addr, &range[2], 16);
        ngx_memset(cidr->u.in6.mask.s6_addr, 0xff, 16);
        npmtoken_cidr_mask(cidr->u.in6.mask.s6_addr, 16, range[1]);
        return;
    }

    cidr->family = AF_INET;
    ngx_memcpy(&cidr->u.in.addr, &range[2], 4);
    ngx_memset(&cidr->u.in.mask, 0xff, 4);
    npmtoken_cidr_mask((u_char *) &cidr->u.in.mask, 4, range[1]);
}


ngx_uint_t
npmtoken_cidr_within(u_char *ranges, size_t len, u_char *outer,
    size_t outer_len)
{
    u_char  *p, *o;

    for (p = ranges; p < ranges + len; p += npmtoken_cidr_packed(p)) {

        for (o = outer; o < outer + outer_len; o += npmtoken_cidr_packed(o)) {
            if (npmtoken_cidr_range_within(p, o)) {
                break;
            }
        }

        if (o >= outer + outer_len) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
npmtoken_cidr_range_within(u_char *range, u_char *outer)
{
    size_t  len;
    u_char  addr[16];

    if (range[0] != outer[0] || range[1] < outer[1]) {
        return 0;
    }

    len = npmtoken_cidr_packed(range) - 2;

    ngx_memcpy(addr, &range[2], len);
    npmtoken_cidr_mask(addr, len, outer[1]);

    return ngx_memcmp(addr, &outer[2], len) == 0;
}


void
npmtoken_cidr_network(struct sockaddr *sockaddr, u_char *network)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    ngx_memzero(network, NPMTOKEN_NETWORK_LEN);

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;

        network[10] = 0xff;
        network[11] = 0xff;
        ngx_memcpy(&network[12], &sin->sin_addr, 4);
        break;

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;

        ngx_memcpy(network, &sin6->sin6_addr,
                   IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) ? 16 : 8);
        break;

    default:
        network[0] = 0xff;
        break;
    }
}
