
#include "unit.h"
#include "npmtoken_digest.h"


typedef struct {
    const char  *token;
    const char  *key;
} unit_digest_t;


/* the keys as sha512sum prints them */

static unit_digest_t  cases[] = {
    { "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    { "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",
      "223d3549fe4b13dea673286538887a168209329aa736697d5e185a637de7d71c"
      "5ac3e1e1f52a1a7b9eabd0a13062721afbb225b7b98503b622eda3dc1b8d1792" },
    { "a+b/c==",
      "4d2fd8ad34b61c18957de2e5b4e38e6088efa50cd2e49ac1e19a7a33cc7b6e62"
      "4d4b6d3578fa2af7cd8f750aeeb54450586b936f7e3890b6e0f7e0dc60692fb5" }
};


/* 4096 times "a" */

static const char  longest[] =
    "eb7040948a189a59d72d1e53869fba1aeacb6c3be33c7be5d1f03f31a9660033"
    "b2018649b33325b48b317944664d8e71a64a7c6f29dd18acf162c8b0d13a214e";


static void
test_key(void **state)
{
    u_char         *key;
    ngx_str_t       token;
    unit_digest_t  *row = *state;

    token = unit_str(row->token);
    key = unit_room(NPMTOKEN_KEY_LEN);

    assert_int_equal(npmtoken_digest_key(&token, key), NGX_OK);
    assert_memory_equal(key, row->key, NPMTOKEN_KEY_LEN);
}


static void
test_longest(void **state)
{
    char        text[4096];
    u_char     *key;
    ngx_str_t   token;

    (void) state;

    memset(text, 'a', sizeof(text));

    token = unit_bytes(text, sizeof(text));
    key = unit_room(NPMTOKEN_KEY_LEN);

    assert_int_equal(npmtoken_digest_key(&token, key), NGX_OK);
    assert_memory_equal(key, longest, NPMTOKEN_KEY_LEN);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_longest)
    };

    failed = unit_run("digest: keys", test_key, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += cmocka_run_group_tests_name("digest", tests, NULL, NULL);

    return failed != 0;
}
