
#include "unit.h"
#include "npmtoken_password.h"
#include <pthread.h>


#define R8    "12345678"
#define R64   R8 R8 R8 R8 R8 R8 R8 R8
#define R256  R64 R64 R64 R64


typedef struct {
    const char  *name;
    ngx_int_t    rc;
    const char  *password;
    const char  *hash;
} unit_verify_t;


#define YES  "$y$j9T$abcd$3TxK0kx/JYCEwv0PvcSzJrF40nSxBRGFKIuxe.YiwgD"
#define BCR  "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"


/* each hash was printed by crypt(3) itself, of "password" */

static unit_verify_t  verifications[] = {
    { "yescrypt", NGX_OK, "password", YES },
    { "bcrypt", NGX_OK, "password", BCR },
    { "SHA-512", NGX_OK, "password",
      "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8w"
      "wnSq.qc.eoxqOmSuNp2xS0ktL3nh/" },
    { "scrypt", NGX_OK, "password",
      "$7$CU..../....$s6Yineq86dpZCjVFyzh1ONTvHbyVyJm4HAlOUGkkDtD" },
    { "wrong", NGX_DECLINED, "passwore", YES },
    { "shorter", NGX_DECLINED, "passwor", YES },
    { "longer", NGX_DECLINED, "password1", YES },
    { "other case", NGX_DECLINED, "Password", BCR },
    { "empty", NGX_DECLINED, "", YES },
    { "hash cut", NGX_DECLINED, "password",
      "$y$j9T$abcd$3TxK0kx/JYCEwv0PvcSzJrF40nSxBRGFKIuxe.Yiwg" },
    { "hash with more behind", NGX_DECLINED, "password", YES "x" },
    { "salt alone", NGX_DECLINED, "password", "$y$j9T$abcd$" },
    { "too long", NGX_DECLINED, R256 "x", YES },
    { "no hash", NGX_DECLINED, "password", "" },
    { "no hash and no password", NGX_DECLINED, "", "" },
    { "not a hash", NGX_ERROR, "password", "password" },
    { "method unknown", NGX_ERROR, "password", "$apr1$abc$xyz" },
    { "method alone", NGX_ERROR, "password", "$y$" },
    { "DES", NGX_ERROR, "password", "abJnggxhB/yWI" },
    { "MD5", NGX_ERROR, "password", "$1$salt$qJH7.N4xYta3aEG/dfqo/0" },
    { "failure token", NGX_ERROR, "password", "*0" },
    { "hash too long", NGX_ERROR, "password", "$y$j9T$" R256 R64 R64 }
};


static void
test_verify(void **state)
{
    ngx_str_t       password, hash;
    unit_verify_t  *row = *state;

    password = unit_str(row->password);
    hash = unit_str(row->hash);

    assert_int_equal(npmtoken_password_verify(&password, &hash), row->rc);
}


/* what a login makes anew */

static void
test_outdated(void **state)
{
    u_char      *text;
    ssize_t      len;
    ngx_str_t    password, hash;
    ngx_uint_t   i;

    static const char  *outdated[] = {
        BCR, "$2b$14$abcdefghijklmnopqrstuu", "$6$salt$x",
        "$7$CU..../....$salt$x", "$y$j8T$abcd$x", "$y$j7T$abcd$x", "$y$", ""
    };

    static const char  *kept[] = {
        YES, "$y$jAT$abcd$x", "$y$jFT$abcd$x", "$y$j8R$abcd$x",
        "$y$/8T$abcd$x"
    };

    (void) state;

    for (i = 0; i < unit_n(outdated); i++) {
        hash = unit_str(outdated[i]);
        assert_int_equal(npmtoken_password_outdated(&hash), 1);
    }

    for (i = 0; i < unit_n(kept); i++) {
        hash = unit_str(kept[i]);
        assert_int_equal(npmtoken_password_outdated(&hash), 0);
    }

    password = unit_str("correct horse");
    text = unit_room(NPMTOKEN_PASSWORD_HASH_MAX);

    len = npmtoken_password_hash(&password, text);
    assert_true(len > 0);

    hash.data = text;
    hash.len = len;

    assert_int_equal(npmtoken_password_outdated(&hash), 0);
}


static void
test_hash(void **state)
{
    u_char     *text, *again;
    ssize_t     len;
    ngx_str_t   password, hash;

    (void) state;

    password = unit_str("correct horse");
    text = unit_room(NPMTOKEN_PASSWORD_HASH_MAX);
    again = unit_room(NPMTOKEN_PASSWORD_HASH_MAX);

    len = npmtoken_password_hash(&password, text);

    assert_true(len > 40 && len < NPMTOKEN_PASSWORD_HASH_MAX);
    assert_int_equal(strlen((char *) text), len);
    assert_memory_equal(text, "$y$", 3);

    hash = unit_bytes(text, len);

    assert_int_equal(npmtoken_password_is_hash(&hash), 1);
    assert_int_equal(npmtoken_password_verify(&password, &hash), NGX_OK);

    /* a salt of its own */

    assert_int_equal(npmtoken_password_hash(&password, again), len);
    assert_string_not_equal((char *) text, (char *) again);

    /* the last byte counts, of the longest as well */

    password = unit_str(R256);
    len = npmtoken_password_hash(&password, text);
    hash = unit_bytes(text, len);
    assert_int_equal(npmtoken_password_verify(&password, &hash), NGX_OK);

    password.data[password.len - 1] = 'x';
    assert_int_equal(npmtoken_password_verify(&password, &hash),
                     NGX_DECLINED);
}


static void
test_new(void **state)
{
    u_char     *text;
    ngx_uint_t  i;
    ngx_str_t   password;

    static ngx_str_t  bad[] = {
        ngx_string(""),
        ngx_string("1234567"),
        ngx_string(R256 "x"),
        ngx_string("12345678\0"),
        ngx_string("\00012345678"),
        ngx_string("1234\0005678")
    };

    (void) state;

    text = unit_room(NPMTOKEN_PASSWORD_HASH_MAX);

    for (i = 0; i < unit_n(bad); i++) {
        password = unit_bytes(bad[i].data, bad[i].len);
        assert_int_equal(npmtoken_password_is_allowed(&password), 0);
        assert_int_equal(npmtoken_password_hash(&password, text), NGX_ERROR);
    }

    password = unit_str("12345678");
    assert_int_equal(npmtoken_password_is_allowed(&password), 1);

    password = unit_str(R256);
    assert_int_equal(npmtoken_password_is_allowed(&password), 1);
}


/* "password" and a NUL is not "password" */

static void
test_nul(void **state)
{
    ngx_str_t  password, hash;

    (void) state;

    hash = unit_str(BCR);

    password = unit_bytes("password\0x", 10);
    assert_int_equal(npmtoken_password_verify(&password, &hash),
                     NGX_DECLINED);

    password = unit_bytes("password\0", 9);
    assert_int_equal(npmtoken_password_verify(&password, &hash),
                     NGX_DECLINED);

    hash = unit_bytes(BCR "\0", sizeof(BCR));
    password = unit_str("password");
    assert_int_equal(npmtoken_password_verify(&password, &hash), NGX_ERROR);
}


static double
unit_cpu(ngx_str_t *password, ngx_str_t *hash)
{
    ngx_uint_t       i;
    struct timespec  begin, end;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);

    for (i = 0; i < 8; i++) {
        assert_int_equal(npmtoken_password_verify(password, hash),
                         NGX_DECLINED);
    }

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);

    return (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9;
}


/* the time of the processor: what else runs here does not count much */

static void
test_time(void **state)
{
    u_char      text[NPMTOKEN_PASSWORD_HASH_MAX];
    double      with, without;
    ngx_str_t   password, wrong, hash, none;
    ngx_uint_t  i;

    (void) state;

    password = unit_str("correct horse");
    wrong = unit_str("correct house");
    ngx_str_null(&none);

    hash.len = npmtoken_password_hash(&password, text);
    hash.data = text;

    for (i = 0; i < 5; i++) {
        with = unit_cpu(&wrong, &hash);
        without = unit_cpu(&wrong, &none);

        if (without > 0.7 * with && without < 1.4 * with) {
            return;
        }
    }

    fail_msg("%f s with a hash, %f s without", with, without);
}


static void *
unit_thread(void *data)
{
    ngx_str_t   password, hash;
    ngx_uint_t  i;

    ngx_str_set(&password, "password");
    ngx_str_set(&hash, BCR);

    for (i = 0; i < 20; i++) {

        if (npmtoken_password_verify(&password, &hash) != NGX_OK) {
            *(ngx_uint_t *) data += 1;
        }
    }

    return NULL;
}


/* a stack as small as one of nginx's threads may be */

static void
test_threads(void **state)
{
    pthread_t       threads[4];
    ngx_uint_t      i, failed[4];
    pthread_attr_t  attr;

    (void) state;

    memset(failed, 0, sizeof(failed));
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, 65536), 0);

    for (i = 0; i < unit_n(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], &attr, unit_thread,
                                        &failed[i]), 0);
    }

    for (i = 0; i < unit_n(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failed[i], 0);
    }
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_outdated),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_threads)
    };

    failed = unit_run("passwords", test_verify, verifications,
                      sizeof(verifications[0]), unit_n(verifications));
    failed += cmocka_run_group_tests(tests, NULL, NULL);

    return failed != 0;
}
