
#include "unit.h"
#include "npmtoken_cidr.h"
#include "npmtoken_package.h"
#include "npmtoken_record.h"


#define UNIT_FIELDS  8


/*
 * "bad" is the field that is to be returned, by its place among the pairs,
 * or -1; the rest is the record, written as one string.
 */

typedef struct {
    const char  *name;
    int          bad;
    const char  *record;
    const char  *fields[2 * UNIT_FIELDS];
} unit_record_t;


#define R8    "12345678"
#define R64   R8 R8 R8 R8 R8 R8 R8 R8
#define R214  R64 R64 R64 R8 R8 "123456"
#define R255  R64 R64 R64 R8 R8 R8 R8 R8 R8 R8 "1234567"
#define R1024 R255 R255 R255 R255 "1234"


static unit_record_t  cases[] = {

    /* what is good */

    { "user only", -1, "user=alice",
      { "user", "alice" } },
    { "nothing but a label", -1, "",
      { "name", "ci" } },
    { "everything", -1,
      "user=bob readonly limited=10.0.0.0/8 protected expires=1800000000",
      { "user", "bob", "readonly", "true", "cidr_whitelist", "10.0.0.0/8",
        "expires_at", "1800000000", "protected", "true", "created",
        "2026-01-02T03:04:05.678Z", "token", "npm_ab", "x_note", "\n" } },
    { "ranges before the user", -1, "user=bob limited=10.0.0.0/8",
      { "cidr_whitelist", "10.1.1.1/8", "user", "bob" } },
    { "user of one byte", -1, "user=~", { "user", "~" } },
    { "user of all kinds", -1, "user=a@b.c!\"#%&'\\", { "user",
      "a@b.c!\"#%&'\\" } },
    { "longest user", -1, "user=" R214, { "user", R214 } },
    { "readonly 1", -1, "readonly", { "readonly", "1" } },
    { "readonly 0", -1, "", { "readonly", "0" } },
    { "readonly false", -1, "", { "readonly", "false" } },
    { "protected 1", -1, "protected", { "protected", "1" } },
    { "protected false", -1, "", { "protected", "false" } },
    { "expires at 0", -1, "expires=0", { "expires_at", "0" } },
    { "expires at 007", -1, "expires=7", { "expires_at", "007" } },
    { "expires last", -1, "expires=253402300799",
      { "expires_at", "253402300799" } },
    { "revoked", -1, "revoked", { "revoked_at", "1700000000" } },
    { "revoked at 0", -1, "revoked", { "revoked_at", "0" } },
    { "revoked in the future", -1, "revoked",
      { "revoked_at", "253402300799" } },
    { "two ranges", -1, "limited=10.0.0.0/8,2001:db8::/32",
      { "cidr_whitelist", "10.0.0.0/8, 2001:db8::/32" } },
    { "date", -1, "", { "created", "2026-11-24T12:14:41Z" } },
    { "date with milliseconds", -1, "",
      { "updated", "2026-11-24T12:14:41.123Z" } },
    { "date with one digit", -1, "", { "updated", "2026-11-24T12:14:41.1Z" } },
    { "leap day", -1, "", { "created", "2028-02-29T00:00:00Z" } },
    { "leap day of 2000", -1, "", { "created", "2000-02-29T23:59:59Z" } },
    { "empty label", -1, "", { "name", "" } },
    { "label in UTF-8", -1, "", { "name", "b\303\244r \"x\" \\" } },
    { "longest label", -1, "", { "name", R255 } },
    { "first characters of a token", -1, "", { "token", "npm_a" } },
    { "longest first characters", -1, "", { "token", R64 } },
    { "one package", -1, "packages=a", { "packages", "a" } },
    { "packages", -1, "packages=a,@s/b",
      { "packages", " a , @s/b\t" } },
    { "scopes", -1, "scopes=@s,@t", { "scopes", "@s,@t" } },
    { "all lists, in another order", -1,
      "user=bob limited=10.0.0.0/8 packages=a,b scopes=@s",
      { "scopes", "@s", "packages", "a,b", "cidr_whitelist", "10.0.0.0/8",
        "user", "bob" } },
    { "bypass_2fa", -1, "bypass_2fa", { "bypass_2fa", "true" } },
    { "bypass_2fa 1", -1, "bypass_2fa", { "bypass_2fa", "1" } },
    { "bypass_2fa 0", -1, "", { "bypass_2fa", "0" } },
    { "a login", -1, "login", { "session", "login" } },
    { "a session", -1, "session",
      { "session", "0123456789abcdef0123456789abcdef" } },
    { "empty description", -1, "", { "description", "" } },
    { "longest description", -1, "", { "description", R1024 } },
    { "description in UTF-8", -1, "",
      { "description", "b\303\244r, \"x\" \\ @s/a" } },
    { "the operator's own", -1, "",
      { "x_a", "anything", "x_b", "", "x__", "\001" } },

    /* what is not known */

    { "unknown", 0, "", { "cidr", "10.0.0.0/8" } },
    { "misspelt", 1, "user=alice", { "user", "alice", "read_only", "true" } },
    { "other case", 0, "", { "Readonly", "true" } },
    { "other case of user", 0, "", { "USER", "alice" } },
    { "blank in the name", 0, "", { "readonly ", "true" } },
    { "empty name", 0, "", { "", "" } },
    { "x alone", 0, "", { "x", "" } },
    { "x_ alone", 0, "", { "x_", "" } },
    { "X_", 0, "", { "X_a", "" } },
    { "xa", 0, "", { "xa_", "" } },
    { "longer than known", 0, "", { "users", "alice" } },
    { "shorter than known", 0, "", { "use", "alice" } },
    { "twice", 1, "user=alice", { "user", "alice", "user", "bob" } },
    { "twice the same", 1, "readonly", { "readonly", "1", "readonly", "1" } },
    { "the first of two", 1, "",
      { "x_a", "", "cidr", "1", "readonly", "maybe" } },
    { "the first of two, the other way", 1, "",
      { "x_a", "", "readonly", "maybe", "cidr", "1" } },
    { "the first of two known", 0, "",
      { "token", "", "user", "" } },

    /* a bad record keeps what is good: "revoked" is said before it */

    { "revoked and unknown", 0, "revoked",
      { "cidr", "1", "revoked_at", "1" } },
    { "expired and bad", 1, "expires=1",
      { "expires_at", "1", "user", "a b" } },
    { "scopes and bad packages", 0, "user=bob scopes=@s",
      { "packages", "a,", "scopes", "@s", "user", "bob" } },
    { "user and bad ranges", 1, "user=alice",
      { "user", "alice", "cidr_whitelist", "10.0.0.0/33" } },

    /* values */

    { "user empty", 0, "", { "user", "" } },
    { "user with a blank", 0, "", { "user", "a b" } },
    { "user with a line break", 0, "", { "user", "a\r\nX-Groups: admin" } },
    { "user with a tab", 0, "", { "user", "a\tb" } },
    { "user with DEL", 0, "", { "user", "a\177" } },
    { "user in UTF-8", 0, "", { "user", "b\303\244r" } },
    { "user too long", 0, "", { "user", R214 "x" } },

    { "readonly empty", 0, "", { "readonly", "" } },
    { "readonly True", 0, "", { "readonly", "True" } },
    { "readonly yes", 0, "", { "readonly", "yes" } },
    { "readonly 2", 0, "", { "readonly", "2" } },
    { "readonly 01", 0, "", { "readonly", "01" } },
    { "readonly true with a blank", 0, "", { "readonly", "true " } },
    { "readonly falsey", 0, "", { "readonly", "falsey" } },
    { "readonly fals", 0, "", { "readonly", "fals" } },
    { "protected on", 0, "", { "protected", "on" } },
    { "protected empty", 0, "", { "protected", "" } },

    { "ranges empty", 0, "", { "cidr_whitelist", "" } },
    { "ranges blank", 0, "", { "cidr_whitelist", " " } },
    { "ranges as JSON", 0, "", { "cidr_whitelist", "[\"10.0.0.0/8\"]" } },
    { "ranges, one bad", 0, "",
      { "cidr_whitelist", "10.0.0.0/8,10.0.0.0/99" } },
    { "ranges mapped", 0, "", { "cidr_whitelist", "::ffff:10.0.0.0/104" } },

    { "packages empty", 0, "", { "packages", "" } },
    { "packages blank", 0, "", { "packages", " " } },
    { "packages, one bad", 0, "", { "packages", "a,../b" } },
    { "packages with a scope", 0, "", { "packages", "@s" } },
    { "packages as JSON", 0, "", { "packages", "[\"a\"]" } },
    { "packages, all", 0, "", { "packages", "@s/a,@s/" } },
    { "packages twice", 1, "packages=a", { "packages", "a", "packages", "b" } },
    { "scopes empty", 0, "", { "scopes", "" } },
    { "scopes with a package", 0, "", { "scopes", "@s/a" } },
    { "scopes without @", 0, "", { "scopes", "s" } },
    { "package", 0, "", { "package", "a" } },
    { "session empty", 0, "", { "session", "" } },
    { "session of another kind", 0, "", { "session", "logins" } },
    { "session true", 0, "", { "session", "true" } },
    { "session in capitals", 0, "",
      { "session", "0123456789ABCDEF0123456789abcdef" } },
    { "session too short", 0, "",
      { "session", "0123456789abcdef0123456789abcde" } },
    { "session too long", 0, "",
      { "session", "0123456789abcdef0123456789abcdef0" } },
    { "bypass_2fa empty", 0, "", { "bypass_2fa", "" } },
    { "bypass_2fa yes", 0, "", { "bypass_2fa", "yes" } },
    { "description too long", 0, "", { "description", R1024 "x" } },
    { "description with a line break", 0, "", { "description", "a\nb" } },

    { "expires empty", 0, "", { "expires_at", "" } },
    { "expires negative", 0, "", { "expires_at", "-1" } },
    { "expires signed", 0, "", { "expires_at", "+1" } },
    { "expires with a blank", 0, "", { "expires_at", " 1" } },
    { "expires as a fraction", 0, "", { "expires_at", "1800000000.5" } },
    { "expires as an exponent", 0, "", { "expires_at", "1e9" } },
    { "expires in hex", 0, "", { "expires_at", "0x10" } },
    { "expires as a date", 0, "", { "expires_at", "2026-01-02T03:04:05Z" } },
    { "expires in milliseconds", 0, "", { "expires_at", "1800000000000" } },
    { "expires past the last", 0, "", { "expires_at", "253402300800" } },
    { "expires huge", 0, "", { "expires_at", "99999999999999999999999" } },
    { "expires never", 0, "", { "expires_at", "never" } },
    { "revoked empty", 0, "", { "revoked_at", "" } },
    { "revoked false", 0, "", { "revoked_at", "false" } },

    { "date empty", 0, "", { "created", "" } },
    { "date without a zone", 0, "", { "created", "2026-11-24T12:14:41" } },
    { "date with another zone", 0, "", { "created", "2026-11-24T12:14:41A" } },
    { "date with another zone and a fraction", 0, "",
      { "created", "2026-11-24T12:14:41.5A" } },
    { "date with an offset", 0, "",
      { "created", "2026-11-24T12:14:41+01:00" } },
    { "date in small letters", 0, "", { "created", "2026-11-24t12:14:41z" } },
    { "date with a blank", 0, "", { "created", "2026-11-24 12:14:41Z" } },
    { "date only", 0, "", { "created", "2026-11-24" } },
    { "date with a point only", 0, "", { "created", "2026-11-24T12:14:41.Z" } },
    { "date with a comma", 0, "", { "created", "2026-11-24T12:14:41,5Z" } },
    { "date with letters behind", 0, "",
      { "created", "2026-11-24T12:14:41.5xZ" } },
    { "date with something behind", 0, "",
      { "created", "2026-11-24T12:14:41Z " } },
    { "date in seconds", 0, "", { "updated", "1700000000" } },
    { "month 0", 0, "", { "updated", "2026-00-24T12:14:41Z" } },
    { "month 13", 0, "", { "updated", "2026-13-24T12:14:41Z" } },
    { "day 0", 0, "", { "updated", "2026-11-00T12:14:41Z" } },
    { "day 31 of 30", 0, "", { "updated", "2026-11-31T12:14:41Z" } },
    { "day 32", 0, "", { "updated", "2026-12-32T12:14:41Z" } },
    { "no leap day", 0, "", { "updated", "2026-02-29T12:14:41Z" } },
    { "no leap day of 2100", 0, "", { "updated", "2100-02-29T12:14:41Z" } },
    { "hour 24", 0, "", { "updated", "2026-11-24T24:00:00Z" } },
    { "minute 60", 0, "", { "updated", "2026-11-24T12:60:41Z" } },
    { "second 60", 0, "", { "updated", "2026-11-24T12:14:60Z" } },

    { "label too long", 0, "", { "name", R255 "x" } },
    { "label with a line break", 0, "", { "name", "a\nb" } },
    { "label with DEL", 0, "", { "name", "a\177" } },

    { "token empty", 0, "", { "token", "" } },
    { "token too long", 0, "", { "token", R64 "x" } },
    { "token masked", 0, "", { "token", "npm_***" } },
    { "token with an ellipsis", 0, "", { "token", "npm_a\342\200\246" } }
};


static ngx_uint_t
make_fields(unit_record_t *row, npmtoken_field_t *fields)
{
    ngx_uint_t  n;

    for (n = 0; n < UNIT_FIELDS && row->fields[2 * n]; n++) {
        fields[n].name = unit_str(row->fields[2 * n]);
        fields[n].value = unit_str(row->fields[2 * n + 1]);
    }

    return n;
}


/* the packed ranges against those of the list that is wanted */

static void
assert_ranges(npmtoken_record_t *record, const char *wanted)
{
    u_char     *buf;
    ssize_t     n;
    ngx_str_t   list;

    list = unit_str(wanted);
    buf = unit_room(npmtoken_cidr_size(&list));
    n = npmtoken_cidr_pack(&list, buf);

    assert_int_equal(record->ranges_len, n);
    assert_memory_equal(npmtoken_record_ranges(record), buf, n);
}


/* the names as the list is, without blanks; returns the length when packed */

static size_t
assert_names(u_char *p, size_t len, const char *wanted)
{
    u_char     *last;
    ngx_str_t   name;

    last = p + len;

    while (p < last) {
        p = npmtoken_package_next(p, &name);

        assert_memory_equal(name.data, wanted, name.len);

        wanted += name.len;
        wanted += (*wanted == ',');
    }

    assert_ptr_equal(p, last);
    assert_int_equal(*wanted, '\0');

    return len;
}


static void
assert_record(npmtoken_record_t *record, const char *wanted)
{
    char      *word, *save, text[2048];
    int64_t    expires;
    size_t     packages_len, scopes_len;
    unsigned   readonly, limited, revoked, protected, bypass_2fa;
    unsigned   login, session;
    ngx_str_t  user;

    strcpy(text, wanted);

    expires = NPMTOKEN_NEVER;
    readonly = limited = revoked = protected = bypass_2fa = 0;
    login = session = 0;
    packages_len = scopes_len = 0;

    user.data = npmtoken_record_user(record);
    user.len = record->user_len;

    if (strncmp(text, "user=", 5) != 0) {
        assert_int_equal(user.len, 0);
    }

    for (word = strtok_r(text, " ", &save);
         word;
         word = strtok_r(NULL, " ", &save))
    {
        if (strncmp(word, "user=", 5) == 0) {
            unit_assert_str(&user, word + 5);

        } else if (strncmp(word, "limited=", 8) == 0) {
            limited = 1;
            assert_ranges(record, word + 8);

        } else if (strncmp(word, "packages=", 9) == 0) {
            packages_len = assert_names(npmtoken_record_packages(record),
                                        record->packages_len, word + 9);

        } else if (strncmp(word, "scopes=", 7) == 0) {
            scopes_len = assert_names(npmtoken_record_scopes(record),
                                      record->scopes_len, word + 7);

        } else if (strcmp(word, "bypass_2fa") == 0) {
            bypass_2fa = 1;

        } else if (strcmp(word, "login") == 0) {
            login = 1;

        } else if (strcmp(word, "session") == 0) {
            session = 1;

        } else if (strncmp(word, "expires=", 8) == 0) {
            expires = atoll(word + 8);

        } else if (strcmp(word, "readonly") == 0) {
            readonly = 1;

        } else if (strcmp(word, "revoked") == 0) {
            revoked = 1;

        } else {
            assert_string_equal(word, "protected");
            protected = 1;
        }
    }

    assert_true(record->expires_at == expires);
    assert_int_equal(record->readonly, readonly);
    assert_int_equal(record->ranges_only, limited);
    assert_int_equal(record->revoked, revoked);
    assert_int_equal(record->protected, protected);
    assert_int_equal(record->ranges_len != 0, limited);
    assert_int_equal(record->packages_len, packages_len);
    assert_int_equal(record->scopes_len, scopes_len);
    assert_int_equal(record->packages_only, packages_len || scopes_len);
    assert_int_equal(record->bypass_2fa, bypass_2fa);
    assert_int_equal(record->login, login);
    assert_int_equal(record->session, session);
    assert_int_equal(record->size, sizeof(npmtoken_record_t)
                                   + record->user_len + record->ranges_len
                                   + packages_len + scopes_len);
}


static void
test_fields(void **state)
{
    size_t              size;
    ngx_uint_t          n;
    unit_record_t      *row = *state;
    npmtoken_field_t    fields[UNIT_FIELDS], *bad;
    npmtoken_record_t  *record;

    n = make_fields(row, fields);

    /*
     * Rounded up, since the end of the page has to suit the structure; what
     * is asked for is checked by itself.
     */

    size = npmtoken_record_size(fields, n);
    record = unit_room((size + 7) & ~(size_t) 7);

    bad = npmtoken_record_parse(record, fields, n);

    assert_ptr_equal(bad, row->bad == -1 ? NULL : &fields[row->bad]);

    assert_int_equal(record->bad, bad != NULL);
    assert_true(record->size <= size);
    assert_record(record, row->record);
}


/* a NUL is a character like any other, and nowhere a good one */

static void
test_nul(void **state)
{
    size_t              i;
    npmtoken_field_t    field;
    npmtoken_record_t  *record;

    static const char  *names[] = {
        "user", "readonly", "cidr_whitelist", "expires_at", "revoked_at",
        "created", "name", "token", "protected", "packages", "scopes",
        "bypass_2fa", "description"
    };

    static const char  *values[] = {
        "alice", "true", "10.0.0.1", "1", "1", "2026-11-24T12:14:41Z", "ci",
        "npm_a", "1", "a", "@s", "1", "for CI"
    };

    (void) state;

    for (i = 0; i < unit_n(names); i++) {

        field.name = unit_str(names[i]);
        field.value = unit_str(values[i]);
        record = unit_room((npmtoken_record_size(&field, 1) + 7) & ~7UL);

        assert_null(npmtoken_record_parse(record, &field, 1));

        field.value = unit_bytes(values[i], strlen(values[i]) + 1);
        record = unit_room((npmtoken_record_size(&field, 1) + 7) & ~7UL);

        assert_ptr_equal(npmtoken_record_parse(record, &field, 1), &field);

        field.value = unit_str(values[i]);
        field.name = unit_bytes(names[i], strlen(names[i]) + 1);

        assert_ptr_equal(npmtoken_record_parse(record, &field, 1), &field);
    }
}


/* many ranges: the size that is asked for is enough */

static void
test_many_ranges(void **state)
{
    char               *text, *p;
    int                 i;
    size_t              size;
    npmtoken_field_t    field;
    npmtoken_record_t  *record;

    (void) state;

    text = malloc(65536);
    assert_non_null(text);

    p = text;

    for (i = 0; i < 1000; i++) {
        p += sprintf(p, "%s2001:db8::%x", i ? "," : "", i);
    }

    field.name = unit_str("cidr_whitelist");
    field.value = unit_str(text);

    free(text);

    size = npmtoken_record_size(&field, 1);
    record = unit_room((size + 7) & ~(size_t) 7);

    assert_null(npmtoken_record_parse(record, &field, 1));
    assert_int_equal(record->ranges_len, 1000 * NPMTOKEN_CIDR_PACKED_MAX);
    assert_true(record->size <= size);
}


/* what is too long for the record's 16 bits is bad, and what is not is kept */

static void
test_long_names(void **state)
{
    char               *text;
    size_t              i, len;
    npmtoken_field_t    field;
    npmtoken_record_t  *record;

    (void) state;

    text = malloc(UNIT_SLOT);
    assert_non_null(text);

    for (i = 0; i < UNIT_SLOT; i++) {
        text[i] = (i & 1) ? ',' : 'a';
    }

    /* a list of n bytes takes n + 1 */

    record = malloc(2 * UNIT_SLOT);
    assert_non_null(record);

    for (len = 65531; len < UNIT_SLOT; len += 2) {
        field.name = unit_str("packages");
        field.value = unit_bytes(text, len);

        assert_true(npmtoken_record_size(&field, 1) <= 2 * UNIT_SLOT);

        if (len + 1 > 65535) {
            assert_ptr_equal(npmtoken_record_parse(record, &field, 1), &field);
            assert_int_equal(record->packages_len, 0);
            continue;
        }

        assert_null(npmtoken_record_parse(record, &field, 1));
        assert_int_equal(record->packages_len, len + 1);
    }

    free(record);
    free(text);
}


/* a length that the words name is the one that the parser allows */

typedef struct {
    const char         *name;        /* of a field */
    ngx_uint_t          max;
} unit_form_t;


static unit_form_t  forms[] = {
    { "user", 214 },
    { "name", 255 },
    { "description", 1024 },
    { "token", 64 }
};


static void
test_form(void **state)
{
    char               *form, text[2048], number[8];
    unit_form_t        *row = *state;
    npmtoken_field_t    field;
    npmtoken_record_t  *record;

    memset(text, 'a', sizeof(text));
    snprintf(number, sizeof(number), " %lu", (unsigned long) row->max);

    field.name = unit_str(row->name);
    form = npmtoken_record_form(&field.name);

    assert_non_null(form);
    assert_non_null(strstr(form, number));

    field.value = unit_bytes(text, row->max);
    record = unit_room((npmtoken_record_size(&field, 1) + 7) & ~(size_t) 7);

    assert_null(npmtoken_record_parse(record, &field, 1));

    field.value = unit_bytes(text, row->max + 1);
    assert_ptr_equal(npmtoken_record_parse(record, &field, 1), &field);
}


static void
test_no_form(void **state)
{
    ngx_str_t  name;

    (void) state;

    name = unit_str("x_team");
    assert_null(npmtoken_record_form(&name));

    name = unit_str("read_only");
    assert_null(npmtoken_record_form(&name));
}


/* to the byte: what Redis sends is no larger than what is read */

static void
test_fits(void **state)
{
    size_t             size;
    ngx_uint_t         i;
    npmtoken_field_t  *fields;

    (void) state;

    fields = calloc(NPMTOKEN_RECORD_MAX_ELEMENTS, sizeof(npmtoken_field_t));
    assert_non_null(fields);

    /* "*2", "$1", "a", "$65512", the value; each with CR LF behind it */

    size = NPMTOKEN_RECORD_MAX - sizeof("*2rn$1rnarn$65512rnrn") + 1;

    fields[0].name = unit_str("a");
    fields[0].value.len = size;
    assert_int_equal(npmtoken_record_fits(fields, 1), 1);

    fields[0].value.len++;
    assert_int_equal(npmtoken_record_fits(fields, 1), 0);

    for (i = 0; i < NPMTOKEN_RECORD_MAX_ELEMENTS; i++) {
        fields[i].name = unit_str("x_a");
        ngx_str_null(&fields[i].value);
    }

    i = NPMTOKEN_RECORD_MAX_ELEMENTS / 2;
    assert_int_equal(npmtoken_record_fits(fields, i), 1);
    assert_int_equal(npmtoken_record_fits(fields, i + 1), 0);

    free(fields);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_many_ranges),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_no_form),
        cmocka_unit_test(test_fits)
    };

    failed = unit_run("record: fields", test_fields, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += unit_run("record: forms", test_form, forms, sizeof(forms[0]),
                       unit_n(forms));

    failed += cmocka_run_group_tests_name("record", tests, NULL, NULL);

    return failed != 0;
}
