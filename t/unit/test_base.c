
#include "unit.h"
#include <ctype.h>
#include "npmtoken_base.h"


typedef struct {
    const char  *path;
    const char  *target;     /* NULL: it is refused */
    const char  *uri;
} unit_base_t;


static unit_base_t  bases[] = {
    { "/", "/", "/" },
    { "/npm", "/npm/", "/npm/" },
    { "/npm/", "/npm/", "/npm/" },
    { "/a-b_c.d~e/@f", "/a-b_c.d~e/@f/", "/a-b_c.d~e/@f/" },
    { "/a/acme%2Fweb/npm/", "/a/acme%2Fweb/npm/", "/a/acme/web/npm/" },
    { "/a/acme%2fweb/npm", "/a/acme%2fweb/npm/", "/a/acme/web/npm/" },
    { "/acme/feed%40Local/npm/", "/acme/feed%40Local/npm/",
      "/acme/feed@Local/npm/" },
    { "/My%20Project/npm/", "/My%20Project/npm/", "/My Project/npm/" },
    { "/%C3%A4/", "/%C3%A4/", "/\303\244/" },

    { "", NULL, NULL },
    { "npm", NULL, NULL },
    { "%2Fnpm/", NULL, NULL },
    { "//", NULL, NULL },
    { "/npm//", NULL, NULL },
    { "/a//b/", NULL, NULL },
    { "/./", NULL, NULL },
    { "/npm/../x", NULL, NULL },
    { "/npm/.x/", NULL, NULL },
    { "/a%2F/b/", NULL, NULL },
    { "/a/%2Fb/", NULL, NULL },
    { "/a%2F%2Fb/", NULL, NULL },
    { "/a%2F.b/", NULL, NULL },
    { "/a%2F", NULL, NULL },
    { "/%2e/", NULL, NULL },
    { "/%2E%2e/", NULL, NULL },
    { "/n%70m/", NULL, NULL },
    { "/n%30m/", NULL, NULL },
    { "/a%7e/", NULL, NULL },
    { "/a%5fb/", NULL, NULL },
    { "/a%2db/", NULL, NULL },
    { "/a%00b/", NULL, NULL },
    { "/a%0ab/", NULL, NULL },
    { "/a%7fb/", NULL, NULL },
    { "/a%25b/", NULL, NULL },
    { "/a%252Fb/", NULL, NULL },
    { "/a%3fb/", NULL, NULL },
    { "/a%23b/", NULL, NULL },
    { "/a%3Bb/", NULL, NULL },
    { "/a%5cb/", NULL, NULL },
    { "/a%", NULL, NULL },
    { "/a%2", NULL, NULL },
    { "/a%2/", NULL, NULL },
    { "/a%zz/", NULL, NULL },
    { "/a%2x/", NULL, NULL },
    { "/a b/", NULL, NULL },
    { "/a?b/", NULL, NULL },
    { "/a#b/", NULL, NULL },
    { "/a;b/", NULL, NULL },
    { "/a\\b/", NULL, NULL },
    { "/$host/", NULL, NULL },
    { "/\303\244/", NULL, NULL },
    { "/a\001/", NULL, NULL },
    { "/a\177/", NULL, NULL },
    { "http://localhost/npm/", NULL, NULL }
};


static void
test_parse(void **state)
{
    u_char           *buf;
    ngx_str_t         path;
    unit_base_t      *row = *state;
    npmtoken_base_t   base;

    path = unit_str(row->path);
    buf = unit_room(2 * (path.len + 1));

    if (row->uri == NULL) {
        assert_int_equal(npmtoken_base_parse(&path, buf, &base),
                         NGX_DECLINED);
        return;
    }

    assert_int_equal(npmtoken_base_parse(&path, buf, &base), NGX_OK);
    unit_assert_str(&base.target, row->target);
    unit_assert_str(&base.uri, row->uri);
}


/* what is under a base: each byte of it, and no other, in one spelling */

static void
test_match(void **state)
{
    int               ch;
    char              text[64];
    size_t            i;
    u_char           *buf;
    ngx_int_t         same;
    ngx_str_t         path, target;
    npmtoken_base_t   base;

    static const char  sent[] = "/a/acme%2Fweb/%c3%A4/npm/";

    (void) state;

    path = unit_str(sent);
    buf = unit_room(2 * (path.len + 1));

    assert_int_equal(npmtoken_base_parse(&path, buf, &base), NGX_OK);

    for (i = 0; i < path.len; i++) {

        target = unit_bytes(sent, i);
        assert_int_equal(npmtoken_base_covers(&base, &target), 0);

        for (ch = 0; ch < 256; ch++) {
            memcpy(text, sent, sizeof(sent));
            text[i] = (char) ch;

            target = unit_bytes(text, path.len);

            same = (sent[i] == (char) ch);

            if ((i > 1 && sent[i - 1] == '%') || (i > 2 && sent[i - 2] == '%'))
            {
                same = (tolower(ch) == tolower(sent[i]) && ch < 0x80);
            }

            assert_int_equal(npmtoken_base_covers(&base, &target),
                             same);
        }
    }

    target = unit_str("/a/acme%2fweb/%C3%a4/npm/pkg");
    assert_int_equal(npmtoken_base_covers(&base, &target), 1);

    target = unit_str("/a/acme/web/%C3%a4/npm/pkg");
    assert_int_equal(npmtoken_base_covers(&base, &target), 0);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_match)
    };

    failed = unit_run("base: paths", test_parse, bases, sizeof(bases[0]),
                      unit_n(bases));

    failed += cmocka_run_group_tests_name("base", tests, NULL, NULL);

    return failed != 0;
}
