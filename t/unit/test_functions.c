
/*
 * The functions of nginx that npmtokenctl has of its own, beside nginx's:
 * t/unit/Makefile compiles the first with "own_" for "ngx_".
 */


#include "unit.h"


#define TEST_FUNCTIONS_ROUNDS  20000
#define TEST_FUNCTIONS_LEN     24


ngx_int_t own_atoi(u_char *line, size_t n);
ngx_int_t own_hextoi(u_char *line, size_t n);
void own_strlow(u_char *dst, u_char *src, size_t n);
ngx_int_t own_strncasecmp(u_char *s1, u_char *s2, size_t n);
u_char * ngx_cdecl own_sprintf(u_char *buf, const char *fmt, ...);
u_char *own_hex_dump(u_char *dst, u_char *src, size_t len);
ngx_int_t own_memn2cmp(u_char *s1, u_char *s2, size_t n1, size_t n2);
uintptr_t own_escape_uri(u_char *dst, u_char *src, size_t size,
    ngx_uint_t type);
uint32_t own_utf8_decode(u_char **p, size_t n);
void own_explicit_memzero(void *buf, size_t n);

extern uint32_t  own_crc32_table256[];


static uint32_t  seed;


static uint32_t
test_functions_random(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;

    return (seed >> 8) % below;
}


/* bytes by chance, of an alphabet or of all */

static ngx_str_t
test_functions_text(const char *alphabet)
{
    u_char      text[TEST_FUNCTIONS_LEN];
    size_t      i, len;
    ngx_uint_t  n;

    len = test_functions_random(TEST_FUNCTIONS_LEN + 1);
    n = alphabet ? strlen(alphabet) : 256;

    for (i = 0; i < len; i++) {
        text[i] = test_functions_random(n);

        if (alphabet) {
            text[i] = alphabet[text[i]];
        }
    }

    return unit_bytes(text, len);
}


static void
test_crc32(void **state)
{
    (void) state;

    assert_memory_equal(own_crc32_table256, ngx_crc32_table256,
                        256 * sizeof(uint32_t));
}


static void
test_numbers(void **state)
{
    ngx_str_t   text;
    ngx_uint_t  i;

    static const char  *rows[] = {
        "", "0", "00", "9223372036854775807", "9223372036854775808",
        "7fffffffffffffff", "8000000000000000", "-1", "+1", " 1", "1 ", "g",
        "fF", "/", ":", "@", "`", "92233720368547758070"
    };

    static const char  *alphabets[] = {
        "0123456789", "0123456789abcdefABCDEF", "012 fgG/:@`", NULL
    };

    (void) state;

    for (i = 0; i < unit_n(rows); i++) {
        text = unit_str(rows[i]);

        assert_int_equal(own_atoi(text.data, text.len),
                         ngx_atoi(text.data, text.len));
        assert_int_equal(own_hextoi(text.data, text.len),
                         ngx_hextoi(text.data, text.len));
    }

    for (i = 0; i < TEST_FUNCTIONS_ROUNDS; i++) {
        text = test_functions_text(alphabets[i % unit_n(alphabets)]);

        assert_int_equal(own_atoi(text.data, text.len),
                         ngx_atoi(text.data, text.len));
        assert_int_equal(own_hextoi(text.data, text.len),
                         ngx_hextoi(text.data, text.len));
    }
}


static void
test_formats(void **state)
{
    u_char      own[128], its[128];
    u_char     *end;
    uint64_t    number;
    ngx_uint_t  i;

    static const uint64_t  numbers[] = {
        0, 1, 9, 10, 4294967295U, 4294967296U, INT64_MAX,
        (uint64_t) INT64_MAX + 1, UINT64_MAX
    };

    static const char  *formats[] = {
        "%L", "a %L b%uz ", "%uz %uz "
    };

    (void) state;

    for (i = 0; i < unit_n(numbers) * unit_n(formats); i++) {
        number = numbers[i % unit_n(numbers)];

        end = own_sprintf(own, formats[i / unit_n(numbers)], number, number);
        assert_int_equal(end - own,
                         ngx_sprintf(its, formats[i / unit_n(numbers)],
                                     number, number) - its);
        assert_memory_equal(own, its, end - own);
    }
}


static void
test_case(void **state)
{
    size_t      n;
    ngx_int_t   rc, own;
    ngx_str_t   text, other;
    ngx_uint_t  i;

    (void) state;

    for (i = 0; i < TEST_FUNCTIONS_ROUNDS; i++) {
        text = test_functions_text((i & 1) ? "aA" : NULL);
        other = test_functions_text((i & 1) ? "aA" : NULL);

        n = ngx_min(text.len, other.len);

        if (n && i % 5 == 0) {
            text.data[n / 2] = other.data[n / 2] = '\0';
        }

        rc = ngx_strncasecmp(text.data, other.data, n);
        own = own_strncasecmp(text.data, other.data, n);

        assert_int_equal(own < 0, rc < 0);
        assert_int_equal(own > 0, rc > 0);
    }
}


static void
test_bytes(void **state)
{
    u_char      own[3 * TEST_FUNCTIONS_LEN], its[3 * TEST_FUNCTIONS_LEN];
    u_char     *end;
    ngx_int_t   rc;
    ngx_str_t   text, other;
    uintptr_t   n;
    ngx_uint_t  i;

    (void) state;

    for (i = 0; i < TEST_FUNCTIONS_ROUNDS; i++) {
        text = test_functions_text(NULL);
        other = test_functions_text((i & 1) ? "a" : NULL);

        own_strlow(own, text.data, text.len);
        ngx_strlow(its, text.data, text.len);
        assert_memory_equal(own, its, text.len);

        end = own_hex_dump(own, text.data, text.len);
        assert_int_equal(end - own,
                         ngx_hex_dump(its, text.data, text.len) - its);
        assert_memory_equal(own, its, end - own);

        n = ngx_escape_uri(NULL, text.data, text.len,
                           NGX_ESCAPE_URI_COMPONENT);
        assert_int_equal(own_escape_uri(NULL, text.data, text.len,
                                        NGX_ESCAPE_URI_COMPONENT), n);

        end = (u_char *) own_escape_uri(own, text.data, text.len,
                                        NGX_ESCAPE_URI_COMPONENT);
        assert_int_equal(end - own, text.len + 2 * n);
        ngx_escape_uri(its, text.data, text.len, NGX_ESCAPE_URI_COMPONENT);
        assert_memory_equal(own, its, end - own);

        /* only the sign of it is said */

        rc = ngx_memn2cmp(text.data, other.data, text.len, other.len);
        assert_int_equal(own_memn2cmp(text.data, other.data, text.len,
                                      other.len) < 0, rc < 0);
        assert_int_equal(own_memn2cmp(other.data, other.data, other.len,
                                      other.len), 0);

        own_explicit_memzero(own, sizeof(own));
        ngx_memzero(its, sizeof(its));
        assert_memory_equal(own, its, sizeof(own));
    }
}


/*
 * First bytes of 0xf8 and above begin no character: nginx says so from 1.23
 * on, and ours with any.
 */

static void
test_utf8(void **state)
{
    u_char     *own, *its, text[5];
    uint32_t    i, k, c;
    ngx_str_t   bytes;

    static const u_char  bits[] = {
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2,
        0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf7
    };

    (void) state;

    for (i = 0; i < unit_n(bits) * unit_n(bits) * unit_n(bits)
                    * unit_n(bits); i++)
    {
        c = i;

        for (k = 0; k < 4; k++) {
            text[k] = bits[c % unit_n(bits)];
            c /= unit_n(bits);
        }

        bytes = unit_bytes(text, 1 + i % 4);

        own = its = bytes.data;

        c = ngx_utf8_decode(&its, bytes.len);
        assert_int_equal(own_utf8_decode(&own, bytes.len), c);
        assert_ptr_equal(own, its);
    }

    for (i = 0xf8; i <= 0xff; i++) {
        memset(text, 0x90, sizeof(text));
        text[0] = i;
        own = text;

        assert_int_equal(own_utf8_decode(&own, sizeof(text)), 0xffffffff);
        assert_ptr_equal(own, text + 1);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        { "the table of CRC-32 is nginx's", test_crc32, NULL, NULL, NULL },
        { "numbers are read as nginx reads them", test_numbers, NULL, NULL,
          NULL },
        { "numbers are written as nginx writes them", test_formats, NULL,
          NULL, NULL },
        { "case is ignored as nginx ignores it", test_case, NULL, NULL, NULL },
        { "bytes are changed and compared as nginx does", test_bytes, NULL,
          NULL, NULL },
        { "UTF-8 is decoded as nginx does", test_utf8, NULL, NULL, NULL }
    };

    seed = 1;

    return cmocka_run_group_tests_name("functions", tests, NULL, NULL);
}
