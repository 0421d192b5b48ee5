
#include "unit.h"
#include <sys/mman.h>


static u_char *unit_slot(size_t size);


ngx_str_t
unit_bytes(const void *data, size_t len)
{
    ngx_str_t  s;

    s.data = unit_slot(len);
    s.len = len;

    if (len) {
        memcpy(s.data, data, len);
    }

    return s;
}


ngx_str_t
unit_str(const char *text)
{
    return unit_bytes(text, strlen(text));
}


void *
unit_room(size_t size)
{
    u_char  *p;

    p = unit_slot(size);
    memset(p, 0xa5, size);

    return p;
}


static u_char *
unit_slot(size_t size)
{
    size_t           page;
    static u_char   *slots[UNIT_SLOTS];
    static unsigned  next;

    assert_true(size <= UNIT_SLOT);

    page = sysconf(_SC_PAGESIZE);
    next = (next + 1) % UNIT_SLOTS;

    if (slots[next] == NULL) {
        slots[next] = mmap(NULL, UNIT_SLOT + page, PROT_READ|PROT_WRITE,
                           MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
        assert_true(slots[next] != MAP_FAILED);
        assert_int_equal(mprotect(slots[next] + UNIT_SLOT, page, PROT_NONE),
                         0);
    }

    return slots[next] + UNIT_SLOT - size;
}


int
unit_run(const char *group, CMUnitTestFunction test, const void *rows,
    size_t size, size_t n)
{
    int                 failed;
    size_t              i;
    struct CMUnitTest  *tests;

    tests = calloc(n, sizeof(struct CMUnitTest));
    if (tests == NULL) {
        return 1;
    }

    for (i = 0; i < n; i++) {
        tests[i].initial_state = (char *) rows + i * size;
        tests[i].name = *(const char **) tests[i].initial_state;
        tests[i].test_func = test;
    }

    failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);

    free(tests);

    return failed;
}


void
unit_assert_str(ngx_str_t *got, const char *wanted)
{
    char  text[1024];

    assert_true(got->len < sizeof(text));

    if (got->len) {
        memcpy(text, got->data, got->len);
    }

    text[got->len] = '\0';

    assert_string_equal(text, wanted);
}


void
unit_in_range(ngx_uint_t value, ngx_uint_t min, ngx_uint_t max,
    const char *file, int line)
{
    if (value < min || value > max) {
        print_error("%lu is not in %lu to %lu\n", (unsigned long) value,
                    (unsigned long) min, (unsigned long) max);
        _fail(file, line);
    }
}
