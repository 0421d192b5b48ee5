
#include "unit.h"
#include "npmtoken_bearer.h"


typedef struct {
    const char         *value;
    npmtoken_bearer_e   result;
    const char         *token;
} unit_bearer_t;


#define NONE     NPMTOKEN_BEARER_NONE
#define TOKEN    NPMTOKEN_BEARER_TOKEN
#define FOREIGN  NPMTOKEN_BEARER_FOREIGN
#define BAD      NPMTOKEN_BEARER_BAD


static unit_bearer_t  cases[] = {
    { "", NONE, "" },
    { " ", NONE, "" },
    { "\t  \t", NONE, "" },

    { "Bearer abc", TOKEN, "abc" },
    { "bearer abc", TOKEN, "abc" },
    { "BEARER abc", TOKEN, "abc" },
    { "bEaReR abc", TOKEN, "abc" },
    { "  Bearer abc  ", TOKEN, "abc" },
    { "Bearer    abc", TOKEN, "abc" },
    { "Bearer\tabc\t", TOKEN, "abc" },
    { "Bearer a", TOKEN, "a" },
    { "Bearer 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", TOKEN,
      "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" },
    { "Bearer 6ba7b810-9dad-11d1-80b4-00c04fd430c8", TOKEN,
      "6ba7b810-9dad-11d1-80b4-00c04fd430c8" },
    { "Bearer a+b/c~d_e-f.g==", TOKEN, "a+b/c~d_e-f.g==" },
    { "Bearer eyJhbGciOi.eyJzdWIi.SflKxw_R-JSM", TOKEN,
      "eyJhbGciOi.eyJzdWIi.SflKxw_R-JSM" },

    { "Bearer", NONE, "" },
    { "bearer", NONE, "" },
    { "Bearer ", NONE, "" },
    { "  Bearer\t", NONE, "" },
    { "Bearer  \t  ", NONE, "" },
    { "Basic", NONE, "" },
    { "Basic  ", NONE, "" },
    { "Token", NONE, "" },
    { "Beare", NONE, "" },
    { "Bearerabc", NONE, "" },
    { "Bearer-X ", NONE, "" },
    { "abc", NONE, "" },
    { "a!#$%&'*+-.^_`|~9", NONE, "" },

    { "Bearer a b", BAD, "" },
    { "Bearer a\tb", BAD, "" },
    { "Bearer a,b", BAD, "" },
    { "Bearer a=b", BAD, "" },
    { "Bearer =", BAD, "" },
    { "Bearer ==", BAD, "" },
    { "Bearer ${NPM_TOKEN}", BAD, "" },
    { "Bearer \"abc\"", BAD, "" },
    { "Bearer undefined;", BAD, "" },
    { "Bearer a\001b", BAD, "" },
    { "Bearer a\177", BAD, "" },
    { "Bearer a\200", BAD, "" },
    { "Bearer \303\244", BAD, "" },
    { "Bearer %61", BAD, "" },
    { "Bearer a\\b", BAD, "" },
    { "Bearer:abc", BAD, "" },
    { "Bearer,abc", BAD, "" },
    { "Bearer=abc", BAD, "" },
    { "Bearer/abc", BAD, "" },
    { "Bearer\001 abc", BAD, "" },
    { "Bearer\200 abc", BAD, "" },

    { "Basic YWxpY2U6c2VjcmV0", FOREIGN, "" },
    { "Basic =", FOREIGN, "" },
    { "Basic,", FOREIGN, "" },
    { "Basic:", FOREIGN, "" },
    { "Beare abc", FOREIGN, "" },
    { "Bearers abc", FOREIGN, "" },
    { "Bearer-X abc", FOREIGN, "" },
    { "Bearer~ abc", FOREIGN, "" },
    { "Digest username=\"bearer\"", FOREIGN, "" },
    { "abc=", FOREIGN, "" },
    { "a/b", FOREIGN, "" },
    { "\303\244", FOREIGN, "" },
    { "a\001", FOREIGN, "" },
    { ",", FOREIGN, "" }
};


static void
test_value(void **state)
{
    ngx_str_t       value, token;
    unit_bearer_t  *row = *state;

    value = unit_str(row->value);
    token = unit_str("left over");

    assert_int_equal(npmtoken_bearer_parse(&value, &token), row->result);
    unit_assert_str(&token, row->token);

    if (row->result == TOKEN) {
        assert_true(token.data > value.data
                    && token.data + token.len <= value.data + value.len);
    }
}


static void
test_nul(void **state)
{
    ngx_str_t  value, token;

    (void) state;

    value = unit_bytes("Bearer a\0b", 10);
    assert_int_equal(npmtoken_bearer_parse(&value, &token), BAD);

    value = unit_bytes("Bearer\0a", 8);
    assert_int_equal(npmtoken_bearer_parse(&value, &token), BAD);

    value = unit_bytes("Bearer a\0", 9);
    assert_int_equal(npmtoken_bearer_parse(&value, &token), BAD);
}


/* each byte but those of token68, alone and in the middle */

static void
test_alphabet(void **state)
{
    int         ch, good;
    char        text[16];
    ngx_str_t   value, token;

    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz"
                                    "0123456789-._~+/";

    (void) state;

    for (ch = 0; ch < 256; ch++) {

        good = (ch && strchr(alphabet, ch) != NULL);

        memcpy(text, "Bearer xxx", 10);
        text[8] = ch;

        value = unit_bytes(text, 10);
        assert_int_equal(npmtoken_bearer_parse(&value, &token),
                         good ? TOKEN : BAD);

        value = unit_bytes(&text[8], 1);
        assert_int_equal(npmtoken_bearer_is_token68(value.data, 1),
                         good);
    }
}


static void
test_length(void **state)
{
    char        text[7 + NPMTOKEN_TOKEN_MAX + 1];
    ngx_str_t   value, token;

    (void) state;

    memset(text, 'a', sizeof(text));
    memcpy(text, "Bearer ", 7);

    value = unit_bytes(text, sizeof(text) - 1);
    assert_int_equal(npmtoken_bearer_parse(&value, &token), TOKEN);
    assert_int_equal(token.len, NPMTOKEN_TOKEN_MAX);

    value = unit_bytes(text, sizeof(text));
    assert_int_equal(npmtoken_bearer_parse(&value, &token), BAD);
    assert_int_equal(token.len, 0);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_alphabet),
        cmocka_unit_test(test_length)
    };

    failed = unit_run("bearer: values", test_value, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += cmocka_run_group_tests_name("bearer", tests, NULL, NULL);

    return failed != 0;
}
