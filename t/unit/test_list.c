
#include "unit.h"
#include "npmtoken_list.h"


typedef struct {
    const char  *list;
    const char  *entries;     /* each in brackets */
} unit_list_t;


static unit_list_t  cases[] = {
    { "a", "[a]" },
    { "a,b", "[a][b]" },
    { " a\t, \tb ", "[a][b]" },
    { "a b,c", "[a b][c]" },
    { "", "[]" },
    { " ", "[]" },
    { ",", "[][]" },
    { "a,", "[a][]" },
    { ",a", "[][a]" },
    { "a,,b", "[a][][b]" },
    { "\na", "[\na]" }
};


static void
test_list(void **state)
{
    char          found[64];
    size_t        n;
    ngx_int_t     rc;
    ngx_str_t     list, rest, entry;
    unit_list_t  *row = *state;

    list = unit_str(row->list);
    rest = list;
    n = 0;

    do {
        rc = npmtoken_list_next(&rest, &entry);

        n += snprintf(found + n, sizeof(found) - n, "[%.*s]",
                      (int) entry.len, entry.data);

        assert_true(entry.data >= list.data);
        assert_true(entry.data + entry.len <= list.data + list.len);

    } while (rc == NGX_OK);

    assert_int_equal(rc, NGX_DONE);
    assert_int_equal(rest.len, 0);
    assert_string_equal(found, row->entries);
}


int
main(void)
{
    return unit_run("list", test_list, cases, sizeof(cases[0]), unit_n(cases))
           != 0;
}
