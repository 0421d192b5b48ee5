
#include "unit.h"
#include "npmtoken_token.h"


#define BODY    30

#define DIGITS  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"                        \
                "abcdefghijklmnopqrstuvwxyz"


typedef struct {
    const char  *token;
    ngx_int_t    rc;
} unit_token_t;


/*
 * The first is an example that was published for tokens of this form; the
 * checksums of the others come from other programs than ours.
 */

static unit_token_t  cases[] = {
    { "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", NGX_OK },
    { "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", NGX_OK },
    { "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", NGX_OK },
    { "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", NGX_OK },
    { "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", NGX_OK },
    { "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", NGX_OK },
    { "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", NGX_OK },

    /* npm's prefix, and something else */

    { "npm_", NGX_ERROR },
    { "npm_2C8GjS", NGX_ERROR },
    { "npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq1", NGX_ERROR },
    { "npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq177", NGX_ERROR },
    { "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=", NGX_ERROR },
    { "npm_npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", NGX_ERROR },
    { "npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ4gfFC3", NGX_ERROR },
    { "npm_0000000000000000000000000000002c8gJs", NGX_ERROR },

    /* a checksum that is right, of what is no base62 */

    { "npm_zQWBuTSOoRi4A9-pHcVY5ncnsDkxkJ3YcOe2", NGX_ERROR },
    { "npm_zQWBuTSOoRi4A9_pHcVY5ncnsDkxkJ2pSNUe", NGX_ERROR },

    /* other kinds of token */

    { "", NGX_DECLINED },
    { "npm", NGX_DECLINED },
    { "NPM_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", NGX_DECLINED },
    { "npm-zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", NGX_DECLINED },
    { "xnpm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq1", NGX_DECLINED },
    { "cnpm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq1", NGX_DECLINED },
    { "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", NGX_DECLINED },
    { "01234567-89ab-cdef-0123-456789abcdef", NGX_DECLINED }
};


static void
test_check(void **state)
{
    ngx_str_t      token;
    unit_token_t  *row = *state;

    token = unit_str(row->token);

    assert_int_equal(npmtoken_token_check(&token), row->rc);
}


/* a token cut short anywhere is none, but for what is no npm token at all */

static void
test_lengths(void **state)
{
    size_t      len;
    ngx_str_t   token;

    (void) state;

    for (len = 0; len < NPMTOKEN_TOKEN_LEN; len++) {
        token = unit_bytes(cases[0].token, len);

        assert_int_equal(npmtoken_token_check(&token),
                         len < 4 ? NGX_DECLINED : NGX_ERROR);
    }
}


/* each character of each vector, changed to each other byte */

static void
test_changes(void **state)
{
    size_t      i, n;
    u_char      was;
    unsigned    ch;
    ngx_str_t   token;

    (void) state;

    for (n = 0; cases[n].rc == NGX_OK; n++) {
        token = unit_str(cases[n].token);

        for (i = 0; i < token.len; i++) {
            was = token.data[i];

            for (ch = 0; ch < 256; ch++) {
                token.data[i] = (u_char) ch;

                assert_int_equal(npmtoken_token_check(&token),
                                 ch == was ? NGX_OK
                                 : i < 4 ? NGX_DECLINED : NGX_ERROR);
            }

            token.data[i] = was;
        }
    }

    assert_int_equal(n, 7);
}


static void
test_make(void **state)
{
    u_char      *one, *two;
    ngx_str_t    token;

    (void) state;

    one = unit_room(NPMTOKEN_TOKEN_LEN);
    two = unit_room(NPMTOKEN_TOKEN_LEN);

    npmtoken_token_make(one);
    npmtoken_token_make(two);

    token.data = one;
    token.len = NPMTOKEN_TOKEN_LEN;

    assert_int_equal(npmtoken_token_check(&token), NGX_OK);
    assert_memory_not_equal(one, two, NPMTOKEN_TOKEN_LEN);
}


/*
 * Each character is as likely as any other, in the body as a whole and at
 * each place of it: chi-square, of 61 degrees of freedom, is over 150 once in
 * 10^9 runs.  A byte taken modulo 62 makes it some thousands for the whole.
 */

static double
chi_square(unsigned *counts, double expected)
{
    int     i;
    double  sum;

    sum = 0;

    for (i = 0; i < 62; i++) {
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    }

    return sum;
}


static void
test_distribution(void **state)
{
    int         i, n;
    u_char     *token;
    unsigned    all[62], places[BODY][62];
    ptrdiff_t   digit;

    static char  digits[] = DIGITS;
    static int   tokens = 20000;

    (void) state;

    memset(all, 0, sizeof(all));
    memset(places, 0, sizeof(places));

    token = unit_room(NPMTOKEN_TOKEN_LEN);

    for (n = 0; n < tokens; n++) {
        npmtoken_token_make(token);

        for (i = 0; i < BODY; i++) {
            assert_true(token[4 + i] != '\0');
            digit = strchr(digits, token[4 + i]) - digits;

            assert_true(digit >= 0 && digit < 62);

            all[digit]++;
            places[i][digit]++;
        }
    }

    assert_true(chi_square(all, BODY * tokens / 62.0) < 150);

    for (i = 0; i < BODY; i++) {
        assert_true(chi_square(places[i], tokens / 62.0) < 150);
    }
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_distribution)
    };

    failed = unit_run("token: checksums", test_check, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += cmocka_run_group_tests_name("token", tests, NULL, NULL);

    return failed != 0;
}
