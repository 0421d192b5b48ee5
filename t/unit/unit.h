
/*
 * What the unit tests share: bytes that end where readable memory ends, and
 * tables of cases of which each is a test of cmocka's.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <setjmp.h>
#include <cmocka.h>


/* longest input of a test, and how many stay valid at the same time */
#define UNIT_SLOT   65536
#define UNIT_SLOTS  64


#define unit_n(table)  (sizeof(table) / sizeof((table)[0]))


/*
 * A copy of the bytes that ends at the end of a page behind which nothing
 * may be read or written: one byte too far is a crash, with or without a
 * sanitizer.
 */
ngx_str_t unit_bytes(const void *data, size_t len);
ngx_str_t unit_str(const char *text);

/* room of this size, also at the end of a page */
void *unit_room(size_t size);

/*
 * Runs "test" on each row of a table as a test of its own; the row is
 * *state, and its first member has to be "const char *", the test's name.
 */
int unit_run(const char *group, CMUnitTestFunction test, const void *rows,
    size_t size, size_t n);

void unit_assert_str(ngx_str_t *got, const char *wanted);

/* cmocka has changed the name of its own from one release to the next */
#define unit_assert_in_range(value, min, max)                                 \
    unit_in_range(value, min, max, __FILE__, __LINE__)

void unit_in_range(ngx_uint_t value, ngx_uint_t min, ngx_uint_t max,
    const char *file, int line);


#endif /* _UNIT_H_INCLUDED_ */
