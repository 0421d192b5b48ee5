
#include "unit.h"
#include <ctype.h>
#include "npmtoken_package.h"


#define NAMES   NPMTOKEN_PACKAGE_NAMES
#define SCOPES  NPMTOKEN_PACKAGE_SCOPES

#define A50     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A212    A50 A50 A50 A50 "aaaaaaaaaaaa"


typedef struct {
    const char          *list;
    npmtoken_package_e   kind;
    const char          *packed;     /* NULL: an error */
} unit_list_t;


/* packed, with a point for each length that is seen to be right */

static unit_list_t  lists[] = {
    { "a", NAMES, ".a" },
    { "a,b", NAMES, ".a.b" },
    { " a ,\tb\t", NAMES, ".a.b" },
    { "@s/a,b,@s/b", NAMES, ".@s/a.b.@s/b" },
    { "a,a", NAMES, ".a.a" },
    { "A-Z0-9_.!~'()", NAMES, ".A-Z0-9_.!~'()" },
    { "-", NAMES, ".-" },
    { A212 "aa", NAMES, "." A212 "aa" },
    { "@s/" A212 "a", NAMES, NULL },
    { "@s/" A50, NAMES, ".@s/" A50 },
    { A212 "aaa", NAMES, NULL },

    { "", NAMES, NULL },
    { " ", NAMES, NULL },
    { ",", NAMES, NULL },
    { "a,", NAMES, NULL },
    { ",a", NAMES, NULL },
    { "a,,b", NAMES, NULL },
    { "a, ,b", NAMES, NULL },
    { "a b", NAMES, NULL },
    { "a;b", NAMES, NULL },
    { "a\n,b", NAMES, NULL },
    { "@s", NAMES, NULL },
    { "@s/", NAMES, NULL },
    { "@/a", NAMES, NULL },
    { "@s/a/b", NAMES, NULL },
    { "*", NAMES, NULL },
    { "a,a-*", NAMES, NULL },
    { "@s/*", NAMES, NULL },
    { "s/a", NAMES, NULL },
    { "@s/@a", NAMES, NULL },
    { "a@1", NAMES, NULL },
    { ".a", NAMES, NULL },
    { "_a", NAMES, NULL },
    { "@.s/a", NAMES, NULL },
    { "@s/_a", NAMES, NULL },
    { "@s/..", NAMES, NULL },
    { "a%2fb", NAMES, NULL },
    { "a\\b", NAMES, NULL },
    { "[\"a\"]", NAMES, NULL },
    { "\"a\"", NAMES, NULL },
    { "b\303\244r", NAMES, NULL },

    { "@s", SCOPES, ".@s" },
    { "@s , @t", SCOPES, ".@s.@t" },
    { "@" A212, SCOPES, NULL },
    { "s", SCOPES, NULL },
    { "@", SCOPES, NULL },
    { "@s/", SCOPES, NULL },
    { "@s/a", SCOPES, NULL },
    { "@s/*", SCOPES, NULL },
    { "@@s", SCOPES, NULL },
    { "@.s", SCOPES, NULL },
    { "@*", SCOPES, NULL },
    { "@s*", SCOPES, NULL },
    { "@s,", SCOPES, NULL },
    { "", SCOPES, NULL }
};


static void
test_pack(void **state)
{
    u_char       *buf, *p, *last;
    ssize_t       n;
    ngx_str_t     list, name;
    const char   *wanted;
    unit_list_t  *row = *state;

    list = unit_str(row->list);
    buf = unit_room(npmtoken_package_size(&list));

    n = npmtoken_package_pack(&list, row->kind, buf);

    if (row->packed == NULL) {
        assert_int_equal(n, NGX_ERROR);
        return;
    }

    assert_int_equal(n, strlen(row->packed));

    /* nothing is read behind the end of the list */

    p = unit_bytes(buf, n).data;
    last = p + n;
    wanted = row->packed;

    while (p < last) {
        p = npmtoken_package_next(p, &name);

        assert_int_equal(*wanted, '.');
        assert_memory_equal(name.data, wanted + 1, name.len);
        assert_true(name.len > 0 && name.data + name.len == p);

        wanted += 1 + name.len;
    }

    assert_ptr_equal(p, last);
    assert_int_equal(*wanted, '\0');
}


typedef struct {
    const char          *name;
    const char          *list;
    npmtoken_package_e   kind;
    ngx_int_t            rc;
} unit_match_t;


static unit_match_t  matches[] = {
    { "a", "a", NAMES, NGX_OK },
    { "b", "a,b,@s/c", NAMES, NGX_OK },
    { "@s/c", "a,b,@s/c", NAMES, NGX_OK },
    { "c", "a,b,@s/c", NAMES, NGX_DECLINED },
    { "@t/c", "a,b,@s/c", NAMES, NGX_DECLINED },
    { "A", "a", NAMES, NGX_DECLINED },
    { "a", "A", NAMES, NGX_DECLINED },
    { "aa", "a,aaa", NAMES, NGX_DECLINED },
    { "aa", "a", NAMES, NGX_DECLINED },
    { "a", "ab", NAMES, NGX_DECLINED },
    { "b", "ab", NAMES, NGX_DECLINED },
    { "", "a", NAMES, NGX_DECLINED },
    { "@s", "@s/a", NAMES, NGX_DECLINED },

    { "@s/a", "@s", SCOPES, NGX_OK },
    { "@s/b", "@r,@s", SCOPES, NGX_OK },
    { "@S/b", "@r,@s", SCOPES, NGX_DECLINED },
    { "@ss/b", "@s", SCOPES, NGX_DECLINED },
    { "@s/b", "@ss", SCOPES, NGX_DECLINED },
    { "s", "@s", SCOPES, NGX_DECLINED },
    { "@s", "@s", SCOPES, NGX_DECLINED },
    { "", "@s", SCOPES, NGX_DECLINED }
};


static void
test_match(void **state)
{
    u_char        *buf;
    ssize_t        n;
    ngx_str_t      list, name;
    unit_match_t  *row = *state;

    list = unit_str(row->list);
    buf = unit_room(npmtoken_package_size(&list));

    n = npmtoken_package_pack(&list, row->kind, buf);
    assert_true(n > 0);

    name = unit_str(row->name);

    assert_int_equal(npmtoken_package_listed(unit_bytes(buf, n).data, n,
                                            row->kind, &name),
                     row->rc == NGX_OK);
    assert_int_equal(npmtoken_package_listed(NULL, 0, row->kind, &name),
                     0);
}


/* each byte that a name may not have in it, and a NUL */

static void
test_bytes(void **state)
{
    unsigned    ch;
    u_char     *p;

    static const char  good[] = "-_.!~*'()";

    (void) state;

    for (ch = 0; ch < 256; ch++) {
        p = unit_str("a?b").data;
        p[1] = (u_char) ch;

        assert_int_equal(npmtoken_package_is_name(p, 3),
                         (ch && strchr(good, ch)) || (ch < 128 && isalnum(ch))
                        );
    }

    assert_int_equal(npmtoken_package_is_name(NULL, 0), 0);
}


static void
test_base(void **state)
{
    ngx_str_t  name, base;

    (void) state;

    name = unit_str("pkg");
    npmtoken_package_base(&name, &base);
    unit_assert_str(&base, "pkg");

    name = unit_str("@s/pkg");
    npmtoken_package_base(&name, &base);
    unit_assert_str(&base, "pkg");
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_base)
    };

    failed = unit_run("package: lists", test_pack, lists, sizeof(lists[0]),
                      unit_n(lists));

    failed += unit_run("package: matches", test_match, matches,
                       sizeof(matches[0]), unit_n(matches));

    failed += cmocka_run_group_tests_name("package", tests, NULL, NULL);

    return failed != 0;
}
