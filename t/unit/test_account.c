
#include "unit.h"
#include "npmtoken_account.h"


#define UNIT_FIELDS  8


/*
 * "bad" is the field that is to be returned, by its place among the pairs,
 * or -1; the rest is the account, written as one string.
 */

typedef struct {
    const char  *name;
    int          bad;
    const char  *account;
    const char  *fields[2 * UNIT_FIELDS];
} unit_account_t;


typedef struct {
    const char  *name;
    ngx_int_t    rc;
    const char  *text;
} unit_text_t;


#define R10    "1234567890"
#define R50    R10 R10 R10 R10 R10
#define R200   R50 R50 R50 R50
#define H8     "0123cdef"
#define H64    H8 H8 H8 H8 H8 H8 H8 H8
#define SHORT  "GEZDGNBVGY3TQOJQ"
#define TOTP   SHORT SHORT
#define YES    "$y$j9T$abcd$3TxK0kx/JYCEwv0PvcSzJrF40nSxBRGFKIuxe.YiwgD"


static unit_account_t  accounts[] = {

    { "empty", -1, "", { NULL } },
    { "name", -1, "name=Ann", { "name", "Ann" } },
    { "name that is none", 0, "-", { "name", "a b" } },
    { "password", -1, "password=" YES, { "password", YES } },
    { "everything", -1,
      "password=" YES " email=a@b fullname=A totp=" TOTP " used=57",
      { "password", YES, "email", "a@b", "fullname", "A",
        "created", "2026-01-02T03:04:05.678Z", "tfa", "auth-only",
        "totp", TOTP, "totp_used", "57", "updated",
        "2026-01-02T03:04:05Z" } },
    { "writes", -1, "totp=" TOTP " writes",
      { "tfa", "auth-and-writes", "totp", TOTP } },
    { "pending", -1, "pending=" TOTP " pending-writes",
      { "tfa_pending", "auth-and-writes", "totp_pending", TOTP } },
    { "locked", -1, "locked", { "locked", "true" } },
    { "not locked", -1, "", { "locked", "false" } },
    { "one recovery code", -1, "recovery=" H64, { "recovery", H64 } },
    { "recovery codes", -1,
      "recovery=" H64 "," H64 "," H64 "," H64 "," H64,
      { "recovery", H64 "," H64 "," H64 "," H64 "," H64 } },
    { "the operator's own", -1, "", { "x_a", "", "x_tfa", "\n" } },
    { "empty fullname", -1, "", { "fullname", "" } },
    { "step 0", -1, "used=0", { "totp_used", "0" } },

    /* what is not known, or twice */

    { "unknown", 0, "-", { "readonly", "true" } },
    { "misspelt", 1, "-", { "x_a", "1", "lock", "true" } },
    { "longer", 0, "-", { "locked ", "true" } },
    { "other case", 0, "-", { "TFA", "auth-only" } },
    { "x_ alone", 0, "-", { "x_", "" } },
    { "twice", 1, "-", { "locked", "true", "locked", "false" } },
    { "no name", 0, "-", { "", "" } },

    /* a second factor by halves */

    { "mode without a secret", 0, "-", { "tfa", "auth-only" } },
    { "secret without a mode", 1, "-", { "locked", "true", "totp", TOTP } },
    { "pending mode alone", 0, "-", { "tfa_pending", "auth-only" } },
    { "pending secret alone", 0, "-", { "totp_pending", TOTP } },
    { "mode of one, secret of the other", 0, "-",
      { "tfa", "auth-only", "totp_pending", TOTP } },

    /* values */

    { "password in clear", 0, "-", { "password", "secret" } },
    { "password empty", 0, "-", { "password", "" } },
    { "password of the past", 0, "-",
      { "password", "$1$salt$qJH7.N4xYta3aEG/dfqo/0" } },
    { "email empty", 0, "-", { "email", "" } },
    { "date", 0, "-", { "created", "2026-02-30T03:04:05Z" } },
    { "date without a zone", 0, "-", { "updated", "2026-02-20T03:04:05" } },
    { "tfa off", 0, "-", { "tfa", "off", "totp", TOTP } },
    { "tfa empty", 0, "-", { "tfa", "", "totp", TOTP } },
    { "tfa cut", 0, "-", { "tfa", "auth-onl", "totp", TOTP } },
    { "pending disable", 0, "-",
      { "tfa_pending", "disable", "totp_pending", TOTP } },
    { "totp empty", 1, "-", { "tfa", "auth-only", "totp", "" } },
    { "totp lower", 1, "-",
      { "tfa", "auth-only", "totp", "gezdgnbvgy3tqojq" } },
    { "used negative", 0, "-", { "totp_used", "-1" } },
    { "used empty", 0, "-", { "totp_used", "" } },
    { "used too long", 0, "-", { "totp_used", "1234567890123" } },
    { "used with a blank", 0, "-", { "totp_used", "1 " } },
    { "used by a token", -1, "", { "totp_used_by", H64 H64 } },
    { "used by a part of a key", 0, "-", { "totp_used_by", H64 } },
    { "used by no key", 0, "-", { "totp_used_by", H64 H8 H8 H8 H8 H8 H8 H8
                                  "0123CDEF" } },
    { "used by nobody", 0, "-", { "totp_used_by", "" } },
    { "recovery empty", 0, "-", { "recovery", "" } },
    { "recovery short", 0, "-", { "recovery", H8 } },
    { "recovery upper", 0, "-",
      { "recovery", H8 H8 H8 H8 H8 H8 H8 "0123CDEF" } },
    { "recovery with a comma behind", 0, "-", { "recovery", H64 "," } },
    { "recovery with another between", 0, "-",
      { "recovery", H64 ";" H64 } },
    { "recovery shifted", 0, "-",
      { "recovery", H8 H8 H8 H8 H8 H8 H8 "0123cde,f" H64 } },
    { "six recovery codes", 0, "-",
      { "recovery", H64 "," H64 "," H64 "," H64 "," H64 "," H64 } },
    { "locked 1", 0, "-", { "locked", "1" } },
    { "locked empty", 0, "-", { "locked", "" } },
    { "fullname with a line break", 0, "-", { "fullname", "A\nB" } }
};


static unit_text_t  names[] = {
    { "a", NGX_OK, "a" },
    { "all kinds", NGX_OK, "Az09-._~@+" },
    { "longest", NGX_OK, R200 "12345678901234" },
    { "underscore first", NGX_OK, "_a" },
    { "empty", NGX_DECLINED, "" },
    { "too long", NGX_DECLINED, R200 "123456789012345" },
    { "dot first", NGX_DECLINED, ".a" },
    { "hyphen first", NGX_DECLINED, "-a" },
    { "slash", NGX_DECLINED, "a/b" },
    { "colon", NGX_DECLINED, "a:b" },
    { "blank", NGX_DECLINED, "a b" },
    { "percent", NGX_DECLINED, "a%b" },
    { "star", NGX_DECLINED, "a*" },
    { "bracket", NGX_DECLINED, "a[b" },
    { "line break", NGX_DECLINED, "a\n" },
    { "DEL", NGX_DECLINED, "a\177" },
    { "UTF-8", NGX_DECLINED, "b\303\244r" }
};


static unit_text_t  emails[] = {
    { "short", NGX_OK, "a@b" },
    { "usual", NGX_OK, "a.b+c@example.com" },
    { "longest", NGX_OK, R200 R50 "12@3" },
    { "too long", NGX_DECLINED, R200 R50 "123@4" },
    { "empty", NGX_DECLINED, "" },
    { "without at", NGX_DECLINED, "abc" },
    { "two", NGX_DECLINED, "a@b@c" },
    { "at first", NGX_DECLINED, "@bc" },
    { "at last", NGX_DECLINED, "ab@" },
    { "blank", NGX_DECLINED, "a @b" },
    { "line break", NGX_DECLINED, "a@b\r" },
    { "DEL", NGX_DECLINED, "a@b\177" },
    { "UTF-8", NGX_DECLINED, "a@b\303\244" }
};


static unit_text_t  fullnames[] = {
    { "usual", NGX_OK, "Ada Lovelace" },
    { "empty", NGX_OK, "" },
    { "UTF-8", NGX_OK, "b\303\244r \342\202\254 \360\237\230\200" },
    { "longest", NGX_OK, R200 },
    { "too long", NGX_DECLINED, R200 "1" },
    { "line break", NGX_DECLINED, "a\nb" },
    { "DEL", NGX_DECLINED, "a\177" },
    { "C1", NGX_DECLINED, "a\302\205" },
    { "cut", NGX_DECLINED, "a\303" },
    { "overlong", NGX_DECLINED, "\300\257" },
    { "surrogate", NGX_DECLINED, "\355\240\200" },
    { "alone", NGX_DECLINED, "\200" },
    { "beyond", NGX_DECLINED, "\364\220\200\200" },
    { "Latin-1", NGX_DECLINED, "b\344r" }
};


static void
unit_put(char *text, const char *what, ngx_str_t *value)
{
    if (value->len) {
        sprintf(text + strlen(text), "%s%s=%.*s", *text ? " " : "", what,
                (int) value->len, value->data);
    }
}


static void
unit_flag(char *text, const char *what, unsigned is)
{
    if (is) {
        sprintf(text + strlen(text), "%s%s", *text ? " " : "", what);
    }
}


static void
test_parse(void **state)
{
    int                  bad;
    char                 text[2048];
    unsigned             n;
    npmtoken_field_t    *found, fields[UNIT_FIELDS];
    npmtoken_account_t   account;
    unit_account_t      *row = *state;

    for (n = 0; n < UNIT_FIELDS && row->fields[2 * n]; n++) {
        fields[n].name = unit_str(row->fields[2 * n]);
        fields[n].value = unit_str(row->fields[2 * n + 1]);
    }

    found = npmtoken_account_parse(&account, fields, n);

    bad = found ? (int) (found - fields) : -1;
    assert_int_equal(bad, row->bad);

    if (found) {
        return;
    }

    text[0] = '\0';

    unit_put(text, "name", &account.name);
    unit_put(text, "password", &account.password);
    unit_put(text, "email", &account.email);
    unit_put(text, "fullname", &account.fullname);
    unit_put(text, "totp", &account.totp);
    unit_flag(text, "writes", account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES);
    unit_put(text, "pending", &account.totp_pending);
    unit_flag(text, "pending-writes",
              account.tfa_pending == NPMTOKEN_TFA_AUTH_AND_WRITES);
    unit_put(text, "recovery", &account.recovery);
    unit_flag(text, "locked", account.locked);

    if (account.totp_used != -1) {
        sprintf(text + strlen(text), "%sused=%d", *text ? " " : "",
                (int) account.totp_used);
    }

    assert_string_equal(text, row->account);
    assert_int_equal(account.totp.len == 0, account.tfa == NPMTOKEN_TFA_OFF);
}


static void
test_name(void **state)
{
    ngx_str_t     text;
    unit_text_t  *row = *state;

    text = unit_str(row->text);
    assert_int_equal(npmtoken_account_is_name(&text), row->rc == NGX_OK);
}


static void
test_email(void **state)
{
    ngx_str_t     text;
    unit_text_t  *row = *state;

    text = unit_str(row->text);
    assert_int_equal(npmtoken_account_is_email(&text), row->rc == NGX_OK);
}


static void
test_fullname(void **state)
{
    ngx_str_t     text;
    unit_text_t  *row = *state;

    text = unit_str(row->text);
    assert_int_equal(npmtoken_account_is_fullname(&text), row->rc == NGX_OK);
}


static void
test_tfa_names(void **state)
{
    ngx_str_t       text;
    npmtoken_tfa_e  tfa;

    (void) state;

    unit_assert_str(npmtoken_account_tfa_name(NPMTOKEN_TFA_OFF), "");
    unit_assert_str(npmtoken_account_tfa_name(NPMTOKEN_TFA_AUTH_ONLY),
                    "auth-only");

    text = unit_str("auth-and-writes");
    assert_int_equal(npmtoken_account_tfa(&text, &tfa), NGX_OK);
    assert_int_equal(tfa, NPMTOKEN_TFA_AUTH_AND_WRITES);

    text = unit_str("");
    assert_int_equal(npmtoken_account_tfa(&text, &tfa), NGX_DECLINED);
}


static void
test_form(void **state)
{
    ngx_str_t  name;

    (void) state;

    name = unit_str("fullname");
    assert_non_null(strstr(npmtoken_account_form(&name), " 200 "));

    name = unit_str("email");
    assert_non_null(strstr(npmtoken_account_form(&name), " 254 "));

    name = unit_str("x_team");
    assert_null(npmtoken_account_form(&name));
}


/* small letters of ASCII, and nothing else of a name */

static void
test_fold(void **state)
{
    u_char     buf[16];
    ngx_str_t  name, folded, other;

    (void) state;

    name = unit_str("Ann@B.C_[Z");
    folded = npmtoken_account_fold(&name, buf);
    other = unit_str("ann@b.c_[z");

    assert_int_equal(folded.len, other.len);
    assert_memory_equal(folded.data, other.data, other.len);

    assert_int_equal(npmtoken_account_same(&name, &folded), 1);

    other = unit_str("ann@b.c_{z");
    assert_int_equal(npmtoken_account_same(&name, &other), 0);

    other = unit_str("ann@b.c_[");
    assert_int_equal(npmtoken_account_same(&name, &other), 0);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_tfa_names),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_form)
    };

    failed = unit_run("accounts", test_parse, accounts, sizeof(accounts[0]),
                      unit_n(accounts));
    failed += unit_run("names", test_name, names, sizeof(names[0]),
                       unit_n(names));
    failed += unit_run("emails", test_email, emails, sizeof(emails[0]),
                       unit_n(emails));
    failed += unit_run("full names", test_fullname, fullnames,
                       sizeof(fullnames[0]), unit_n(fullnames));
    failed += cmocka_run_group_tests(tests, NULL, NULL);

    return failed != 0;
}
