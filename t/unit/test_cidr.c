
#include "unit.h"
#include "npmtoken_cidr.h"


/* for a list that is good: an address inside, and one outside */

typedef struct {
    const char  *list;
    const char  *inside;     /* NULL: the list is an error */
    const char  *outside;
} unit_cidr_t;


static unit_cidr_t  cases[] = {
    { "10.0.0.1", "10.0.0.1", "10.0.0.2" },
    { "10.0.0.1/32", "10.0.0.1", "10.0.0.0" },
    { "10.0.0.0/8", "10.255.1.2", "11.0.0.0" },
    { "192.168.0.1/24", "192.168.0.77", "192.168.1.1" },
    { "192.168.5.0/23", "192.168.4.9", "192.168.6.0" },
    { "128.0.0.0/1", "200.1.1.1", "127.255.255.255" },
    { "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
    { "1.2.3.4/0", "203.0.113.9", "::1" },
    { "255.255.255.255/32", "255.255.255.255", "255.255.255.254" },
    { "255.255.255.255", "255.255.255.255", "1.2.3.4" },
    { "0.0.0.0", "0.0.0.0", "0.0.0.1" },
    { "1.2.3.4/31", "1.2.3.5", "1.2.3.6" },
    { "1.2.3.4/9", "1.127.0.0", "1.128.0.0" },

    { "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
    { "2001:db8::1", "2001:db8::1", "2001:db8::2" },
    { "2001:DB8::1/128", "2001:db8::1", "2001:db8::" },
    { "2001:db8::ffff/127", "2001:db8::fffe", "2001:db8::fffd" },
    { "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
    { "::1", "::1", "::2" },
    { "::", "::", "::1" },
    { "::/0", "2001:db8::1", "10.0.0.1" },
    { "::/0", "::1", "::ffff:10.0.0.1" },
    { "::1.2.3.4", "::1.2.3.4", "1.2.3.4" },

    /* a client on a dual-stack socket */

    { "10.0.0.0/8", "::ffff:10.9.9.9", "::ffff:11.0.0.1" },

    { "10.0.0.1,10.0.0.2", "10.0.0.2", "10.0.0.3" },
    { "10.0.0.1,2001:db8::/32", "2001:db8::5", "10.0.0.5" },
    { "2001:db8::/32,10.0.0.1", "10.0.0.1", "2001:db9::1" },
    { " 10.0.0.1 ,\t10.0.0.0/30\t", "10.0.0.3", "10.0.0.4" },
    { "10.0.0.1,10.0.0.1", "10.0.0.1", "10.0.0.2" },

    { "", NULL, NULL },
    { " ", NULL, NULL },
    { ",", NULL, NULL },
    { "10.0.0.1,", NULL, NULL },
    { ",10.0.0.1", NULL, NULL },
    { "10.0.0.1,,10.0.0.2", NULL, NULL },
    { "10.0.0.1, ,10.0.0.2", NULL, NULL },
    { "10.0.0.1;10.0.0.2", NULL, NULL },
    { "10.0.0.1 10.0.0.2", NULL, NULL },
    { "10.0.0.1\n", NULL, NULL },
    { "10.0.0.1, localhost", NULL, NULL },
    { "all", NULL, NULL },
    { "unix:", NULL, NULL },
    { "*", NULL, NULL },
    { "localhost", NULL, NULL },

    { "10", NULL, NULL },
    { "10.0.0", NULL, NULL },
    { "10.0.0.", NULL, NULL },
    { "10.0.0.0.", NULL, NULL },
    { "10.0.0.0.0", NULL, NULL },
    { "1..2.3", NULL, NULL },
    { "...", NULL, NULL },
    { "10.0.0.256", NULL, NULL },
    { "010.0.0.1", NULL, NULL },
    { "0x0a.0.0.1", NULL, NULL },
    { "167772161", NULL, NULL },
    { "10.0.0.-1", NULL, NULL },
    { "+10.0.0.1", NULL, NULL },
    { "10.0.0.1:80", NULL, NULL },
    { "[::1]", NULL, NULL },

    { "10.0.0.0/", NULL, NULL },
    { "10.0.0.0/33", NULL, NULL },
    { "10.0.0.0/128", NULL, NULL },
    { "10.0.0.0/-1", NULL, NULL },
    { "10.0.0.0/+8", NULL, NULL },
    { "10.0.0.0/08", NULL, NULL },
    { "10.0.0.0/00", NULL, NULL },
    { "10.0.0.0/8 8", NULL, NULL },
    { "10.0.0.0/ 8", NULL, NULL },
    { "10.0.0.0 /8", NULL, NULL },
    { "10.0.0.0/8/8", NULL, NULL },
    { "10.0.0.0/8x", NULL, NULL },
    { "10.0.0.0/0x8", NULL, NULL },
    { "10.0.0.0/255.0.0.0", NULL, NULL },
    { "10.0.0.0/4294967304", NULL, NULL },
    { "/8", NULL, NULL },

    { ":", NULL, NULL },
    { ":::", NULL, NULL },
    { "::/129", NULL, NULL },
    { "::/1280", NULL, NULL },
    { "::/", NULL, NULL },
    { "1::2::3", NULL, NULL },
    { "12345::", NULL, NULL },
    { "g::", NULL, NULL },
    { "fe80::1%eth0", NULL, NULL },
    { "fe80::1%1/64", NULL, NULL },
    { "1:2:3:4:5:6:7:8:9", NULL, NULL },
    { "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", NULL, NULL },

    { "::ffff:10.0.0.1", NULL, NULL },
    { "::ffff:10.0.0.0/104", NULL, NULL },
    { "::ffff:0:0/96", NULL, NULL },
    { "::FFFF:a00:1", NULL, NULL },
    { "0:0:0:0:0:ffff:a00:1/128", NULL, NULL },
    { "10.0.0.1,::ffff:10.0.0.1", NULL, NULL }
};


static ngx_uint_t
match(u_char *ranges, size_t len, const char *address)
{
    struct sockaddr_in    sin;
    struct sockaddr_in6   sin6;

    memset(&sin, 0, sizeof(sin));
    memset(&sin6, 0, sizeof(sin6));

    if (inet_pton(AF_INET, address, &sin.sin_addr) == 1) {
        sin.sin_family = AF_INET;
        return npmtoken_cidr_contains(ranges, len, (struct sockaddr *) &sin);
    }

    assert_int_equal(inet_pton(AF_INET6, address, &sin6.sin6_addr), 1);

    sin6.sin6_family = AF_INET6;

    return npmtoken_cidr_contains(ranges, len, (struct sockaddr *) &sin6);
}


static void
test_list(void **state)
{
    u_char       *buf;
    ssize_t       n;
    ngx_str_t     list, packed;
    unit_cidr_t  *row = *state;

    list = unit_str(row->list);
    buf = unit_room(npmtoken_cidr_size(&list));

    n = npmtoken_cidr_pack(&list, buf);

    if (row->inside == NULL) {
        assert_int_equal(n, NGX_ERROR);
        return;
    }

    assert_true(n > 0 && (size_t) n <= npmtoken_cidr_size(&list));

    packed = unit_bytes(buf, n);

    assert_int_equal(match(packed.data, n, row->inside), 1);
    assert_int_equal(match(packed.data, n, row->outside), 0);
}


static void
test_nul(void **state)
{
    u_char     *buf;
    ngx_str_t   list;

    (void) state;

    list = unit_bytes("10.0.0.1\0", 9);
    buf = unit_room(npmtoken_cidr_size(&list));
    assert_int_equal(npmtoken_cidr_pack(&list, buf), NGX_ERROR);

    list = unit_bytes("10.0.0.1\0/8", 11);
    assert_int_equal(npmtoken_cidr_pack(&list, buf), NGX_ERROR);

    list = unit_bytes("::1\0", 4);
    assert_int_equal(npmtoken_cidr_pack(&list, buf), NGX_ERROR);
}


/* a client of a unix socket has no address: it is in no range */

static void
test_unix(void **state)
{
    u_char           *buf;
    ssize_t           n;
    ngx_str_t         list;
    struct sockaddr   sa;

    (void) state;

    memset(&sa, 0, sizeof(sa));
    sa.sa_family = AF_UNIX;

    list = unit_str("0.0.0.0/0,::/0");
    buf = unit_room(npmtoken_cidr_size(&list));
    n = npmtoken_cidr_pack(&list, buf);

    assert_true(n > 0);
    assert_int_equal(npmtoken_cidr_contains(buf, n, &sa), 0);
}


static void
test_empty(void **state)
{
    (void) state;

    assert_int_equal(match((u_char *) "", 0, "10.0.0.1"), 0);
}


/* each prefix length, against a mask worked out another way */

static void
test_prefixes(void **state)
{
    char        text[64], address[64];
    u_char     *buf;
    ssize_t     n;
    uint32_t    net, addr, wanted;
    ngx_str_t   list;
    unsigned    bits, bit;

    (void) state;

    net = 0xa5c3960f;

    for (bits = 0; bits <= 32; bits++) {

        snprintf(text, sizeof(text), "165.195.150.15/%u", bits);

        list = unit_str(text);
        buf = unit_room(npmtoken_cidr_size(&list));
        n = npmtoken_cidr_pack(&list, buf);
        assert_int_equal(n, 6);

        for (bit = 0; bit < 32; bit++) {

            addr = net ^ (1U << (31 - bit));
            wanted = bit >= bits;

            snprintf(address, sizeof(address), "%u.%u.%u.%u", addr >> 24,
                     (addr >> 16) & 255, (addr >> 8) & 255, addr & 255);

            assert_int_equal(match(buf, n, address), wanted);
        }
    }
}


/* a token that another one makes is not to be good in more places */

static void
test_within(void **state)
{
    u_char      *inner, *outer;
    size_t       i;
    ssize_t      n, m;
    ngx_str_t    list;

    static struct {
        char     *inner;
        char     *outer;
        int       within;
    } rows[] = {
        { "10.0.0.0/8", "10.0.0.0/8", 1 },
        { "10.1.2.3", "10.0.0.0/8", 1 },
        { "10.0.0.0/8", "10.1.0.0/16", 0 },
        { "10.0.0.0/7", "10.0.0.0/8", 0 },
        { "11.0.0.1", "10.0.0.0/8", 0 },
        { "11.0.0.1", "10.0.0.0/8,11.0.0.0/24", 1 },
        { "10.0.0.1,11.0.0.1", "10.0.0.0/8,11.0.0.0/24", 1 },
        { "10.0.0.1,12.0.0.1", "10.0.0.0/8,11.0.0.0/24", 0 },
        { "10.0.0.0/7", "10.0.0.0/8,11.0.0.0/8", 0 },
        { "2001:db8::1", "2001:db8::/32", 1 },
        { "2001:db9::1", "2001:db8::/32", 0 },
        { "::/0", "0.0.0.0/0", 0 },
        { "10.0.0.1", "::/0", 0 },
        { "10.0.0.1", "0.0.0.0/0", 1 },
        { "0.0.0.0/0", "0.0.0.0/0", 1 }
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        list = unit_str(rows[i].inner);
        inner = unit_room(npmtoken_cidr_size(&list));
        n = npmtoken_cidr_pack(&list, inner);

        list = unit_str(rows[i].outer);
        outer = unit_room(npmtoken_cidr_size(&list));
        m = npmtoken_cidr_pack(&list, outer);

        assert_true(n > 0 && m > 0);
        assert_int_equal(npmtoken_cidr_within(inner, n, outer, m),
                         rows[i].within);
        assert_int_equal(npmtoken_cidr_within(inner, n, outer, 0),
                         0);
    }
}


static void
test_network(void **state)
{
    u_char               network[NPMTOKEN_NETWORK_LEN];
    u_char               text[NGX_INET6_ADDRSTRLEN];
    size_t               i, len;
    ngx_str_t            address;
    struct sockaddr_in   sin;
    struct sockaddr_in6  sin6;
    struct sockaddr      sa, *sockaddr;

    struct {
        char  *address;
        char  *network;
    } rows[] = {
        { "192.0.2.1", "::ffff:192.0.2.1" },
        { "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
        { "0.0.0.0", "::ffff:0.0.0.0" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
        { "2001:db8:1:2::", "2001:db8:1:2::" },
        { "2001:db8:1:3::", "2001:db8:1:3::" },
        { "::1", "::" },
        { "", "ff00::" }
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        address = unit_str(rows[i].address);

        memset(&sa, 0, sizeof(sa));
        memset(&sin, 0, sizeof(sin));
        memset(&sin6, 0, sizeof(sin6));

        sin.sin_addr.s_addr = ngx_inet_addr(address.data, address.len);

        if (address.len == 0) {
            sa.sa_family = AF_UNIX;
            sockaddr = &sa;

        } else if (sin.sin_addr.s_addr != INADDR_NONE) {
            sin.sin_family = AF_INET;
            sockaddr = (struct sockaddr *) &sin;

        } else {
            sin6.sin6_family = AF_INET6;
            sockaddr = (struct sockaddr *) &sin6;

            assert_int_equal(ngx_inet6_addr(address.data, address.len,
                                            sin6.sin6_addr.s6_addr),
                             NGX_OK);
        }

        npmtoken_cidr_network(sockaddr, network);

        len = ngx_inet6_ntop(network, text, NGX_INET6_ADDRSTRLEN);

        assert_int_equal(len, strlen(rows[i].network));
        assert_memory_equal(text, rows[i].network, len);
    }
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_network)
    };

    failed = unit_run("cidr: lists", test_list, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += cmocka_run_group_tests_name("cidr", tests, NULL, NULL);

    return failed != 0;
}
