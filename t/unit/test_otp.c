
#include "unit.h"
#include "npmtoken_otp.h"


typedef struct {
    const char  *name;
    int64_t      step;
    const char  *code;
    int64_t      now;
    int64_t      used;
} unit_otp_t;


typedef struct {
    const char  *name;
    ngx_int_t    rc;
    const char  *text;
} unit_text_t;


/* base32 of RFC 6238's "12345678901234567890" */
#define SECRET  "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#define S16     "GEZDGNBVGY3TQOJQ"

#define H8      "0123abEF"
#define H64     H8 H8 H8 H8 H8 H8 H8 H8


/* RFC 6238, appendix B: SHA-1, the last six of its eight digits */

static unit_otp_t  codes[] = {
    { "RFC 6238: 59", 1, "287082", 59, -1 },
    { "RFC 6238: 1111111109", 37037036, "081804", 1111111109, -1 },
    { "RFC 6238: 1111111111", 37037037, "050471", 1111111111, -1 },
    { "RFC 6238: 1234567890", 41152263, "005924", 1234567890, -1 },
    { "RFC 6238: 2000000000", 66666666, "279037", 2000000000, -1 },
    { "RFC 6238: 20000000000", 666666666, "353130", 20000000000, -1 },

    /* a clock that is off by a step, and by two */

    { "begin of the step before", 37037037, "050471", 1111111080, -1 },
    { "end of the step after", 37037037, "050471", 1111111169, -1 },
    { "two steps early", NGX_DECLINED, "050471", 1111111079, -1 },
    { "two steps late", NGX_DECLINED, "050471", 1111111170, -1 },

    /* a code is good once, and none before one used */

    { "used before", 37037037, "050471", 1111111111, 37037036 },
    { "used", NGX_DECLINED, "050471", 1111111111, 37037037 },
    { "used, and the next step has come", NGX_DECLINED, "050471",
      1111111141, 37037037 },
    { "the next one used", NGX_DECLINED, "050471", 1111111111, 37037038 },
    { "used in the time to come", NGX_DECLINED, "050471", 1111111111,
      99999999 },

    /* two steps with one code: the later, or it would be good once more */

    { "twins", 37079357, "186519", 1112380680, -1 },
    { "twins, later", 37079357, "186519", 1112380710, -1 },
    { "twins, used", NGX_DECLINED, "186519", 1112380710, 37079357 },

    { "at the beginning of time", 0, "755224", 0, -1 },
    { "step 0 used", NGX_DECLINED, "755224", 0, 0 },

    { "wrong", NGX_DECLINED, "050472", 1111111111, -1 },
    { "of another time", NGX_DECLINED, "287082", 1111111111, -1 },
    { "five digits", NGX_DECLINED, "50471", 1111111111, -1 },
    { "seven digits", NGX_DECLINED, "0504710", 1111111111, -1 },
    { "eight digits", NGX_DECLINED, "14050471", 1111111111, -1 },
    { "blank before", NGX_DECLINED, " 50471", 1111111111, -1 },
    { "letters", NGX_DECLINED, "05o471", 1111111111, -1 },
    { "empty", NGX_DECLINED, "", 1111111111, -1 }
};


static unit_text_t  secrets[] = {
    { "20 bytes", NGX_OK, SECRET },
    { "10 bytes", NGX_OK, S16 },
    { "16 bytes", NGX_OK, "GEZDGNBVGY3TQOJQGEZDGNBVGY" },
    { "64 bytes", NGX_OK, S16 S16 S16 S16 S16 S16 "GEZDGNA" },
    { "5 bytes", NGX_DECLINED, "GEZDGNBV" },
    { "65 bytes", NGX_DECLINED, S16 S16 S16 S16 S16 S16 "GEZDGNBV" },
    { "empty", NGX_DECLINED, "" },
    { "lower case", NGX_DECLINED, "gezdgnbvgy3tqojq" },
    { "digit 1", NGX_DECLINED, "1EZDGNBVGY3TQOJQ" },
    { "digit 8", NGX_DECLINED, "GEZDGNBVGY3TQOJ8" },
    { "blanks", NGX_DECLINED, "GEZDGNBV GY3TQOJQ" },
    { "padding", NGX_DECLINED, "GEZDGNBVGY3TQOJQGEZDGNBVGY======" },
    { "of no length", NGX_DECLINED, S16 "G" },
    { "binary", NGX_DECLINED, "GEZDGNBVGY3TQOJ\377" }
};


static unit_text_t  recoveries[] = {
    { "recovery code", NGX_OK, H64 },
    { "six digits", NGX_DECLINED, "123456" },
    { "empty", NGX_DECLINED, "" },
    { "63", NGX_DECLINED, H8 H8 H8 H8 H8 H8 H8 "0123abE" },
    { "65", NGX_DECLINED, H64 "0" },
    { "g", NGX_DECLINED, H8 H8 H8 H8 H8 H8 H8 "0123abEg" },
    { "comma", NGX_DECLINED, H8 H8 H8 H8 H8 H8 H8 "0123abE," }
};


static void
test_code(void **state)
{
    ngx_str_t    secret, code;
    unit_otp_t  *row = *state;

    secret = unit_str(SECRET);
    code = unit_str(row->code);

    assert_int_equal(npmtoken_otp_verify(&secret, &code, row->now, row->used),
                     row->step);
}


static void
test_secret_valid(void **state)
{
    ngx_str_t     secret, code;
    unit_text_t  *row = *state;

    secret = unit_str(row->text);
    code = unit_str("000000");

    assert_int_equal(npmtoken_otp_is_secret(&secret), row->rc == NGX_OK);

    assert_int_equal(npmtoken_otp_verify(&secret, &code, 1111111111, 99999999),
                     row->rc == NGX_OK ? NGX_DECLINED : NGX_ERROR);
}


static void
test_is_recovery(void **state)
{
    u_char       *hash;
    ngx_str_t     code;
    unit_text_t  *row = *state;

    code = unit_str(row->text);
    hash = unit_room(NPMTOKEN_RECOVERY_LEN);

    assert_int_equal(npmtoken_otp_is_recovery(&code),
                     row->rc == NGX_OK);
    assert_int_equal(npmtoken_otp_recovery_hash(&code, hash),
                     row->rc == NGX_OK ? NGX_OK : NGX_ERROR);
}


static void
test_secret(void **state)
{
    u_char     *first, *second;
    ngx_str_t   secret;

    (void) state;

    first = unit_room(NPMTOKEN_OTP_SECRET_LEN);
    second = unit_room(NPMTOKEN_OTP_SECRET_LEN);

    assert_int_equal(npmtoken_otp_secret(first), NGX_OK);
    assert_int_equal(npmtoken_otp_secret(second), NGX_OK);
    assert_memory_not_equal(first, second, NPMTOKEN_OTP_SECRET_LEN);

    secret.data = first;
    secret.len = NPMTOKEN_OTP_SECRET_LEN;
    assert_int_equal(npmtoken_otp_is_secret(&secret), 1);
}


static void
test_recovery(void **state)
{
    u_char     *first, *second, *hash;
    ngx_str_t   code;

    (void) state;

    first = unit_room(NPMTOKEN_RECOVERY_LEN);
    second = unit_room(NPMTOKEN_RECOVERY_LEN);
    hash = unit_room(NPMTOKEN_RECOVERY_LEN);

    npmtoken_otp_recovery(first);
    npmtoken_otp_recovery(second);
    assert_memory_not_equal(first, second, NPMTOKEN_RECOVERY_LEN);

    code.data = first;
    code.len = NPMTOKEN_RECOVERY_LEN;
    assert_int_equal(npmtoken_otp_is_recovery(&code), 1);

    /* sha256sum says so, of 64 times "a", and case does not matter */

    memset(first, 'a', NPMTOKEN_RECOVERY_LEN);
    assert_int_equal(npmtoken_otp_recovery_hash(&code, hash), NGX_OK);
    assert_memory_equal(hash, "ffe054fe7ae0cb6dc65c3af9b61d5209"
                              "f439851db43d0ba5997337df154668eb", 64);

    memset(first, 'A', NPMTOKEN_RECOVERY_LEN);
    memset(hash, 0, NPMTOKEN_RECOVERY_LEN);
    assert_int_equal(npmtoken_otp_recovery_hash(&code, hash), NGX_OK);
    assert_memory_equal(hash, "ffe054fe7ae0cb6dc65c3af9b61d5209"
                              "f439851db43d0ba5997337df154668eb", 64);
}


static void
unit_url(const char *issuer, const char *name, const char *wanted)
{
    u_char     *buf;
    size_t      size;
    ngx_str_t   i, n, secret, url;

    i = unit_str(issuer);
    n = unit_str(name);
    secret = unit_str(SECRET);

    size = npmtoken_otp_url_size(&i, &n);
    buf = unit_room(size);

    url.data = buf;
    url.len = npmtoken_otp_url(buf, &i, &n, &secret) - buf;

    assert_true(url.len <= size);
    unit_assert_str(&url, wanted);
}


static void
test_url(void **state)
{
    (void) state;

    unit_url("npm", "alice",
             "otpauth://totp/npm:alice?secret=" SECRET
             "&issuer=npm&algorithm=SHA1&digits=6&period=30");

    unit_url("Ex & Co:1", "a@b.c",
             "otpauth://totp/Ex%20%26%20Co%3A1:a%40b.c?secret=" SECRET
             "&issuer=Ex%20%26%20Co%3A1&algorithm=SHA1&digits=6&period=30");

    unit_url("", "\303\244?",
             "otpauth://totp/%C3%A4%3F?secret=" SECRET
             "&algorithm=SHA1&digits=6&period=30");

    unit_url("&&&&&&&&&&&&&&&&&&&&", "%%%%%%%%%%",
             "otpauth://totp/"
             "%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26:"
             "%25%25%25%25%25%25%25%25%25%25?secret=" SECRET "&issuer="
             "%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26%26"
             "&algorithm=SHA1&digits=6&period=30");
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_url)
    };

    if (npmtoken_otp_init() != NGX_OK) {
        return 1;
    }

    failed = unit_run("one-time passwords", test_code, codes,
                      sizeof(codes[0]), unit_n(codes));
    failed += unit_run("secrets", test_secret_valid, secrets,
                       sizeof(secrets[0]), unit_n(secrets));
    failed += unit_run("recovery codes", test_is_recovery, recoveries,
                       sizeof(recoveries[0]), unit_n(recoveries));
    failed += cmocka_run_group_tests(tests, NULL, NULL);

    return failed != 0;
}
