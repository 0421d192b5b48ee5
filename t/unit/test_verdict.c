
#include "unit.h"
#include "npmtoken_cidr.h"
#include "npmtoken_verdict.h"


#define NOW  1800000000


/* a record that says several things: only the first in the order is given */

typedef struct {
    const char         *name;
    const char         *record;
    npmtoken_op_e       op;
    const char         *address;
    npmtoken_reason_e   reason;
} unit_verdict_t;


#define READ     NPMTOKEN_OP_READ
#define WRITE    NPMTOKEN_OP_WRITE
#define LOGOUT   NPMTOKEN_OP_LOGOUT

#define IN       "10.0.0.1"
#define OUT      "11.0.0.1"


static unit_verdict_t  cases[] = {
    { "full, read", "", READ, OUT, NPMTOKEN_ALLOW },
    { "full, write", "", WRITE, OUT, NPMTOKEN_ALLOW },
    { "full, no address", "", WRITE, "unix:", NPMTOKEN_ALLOW },
    { "read-only, read", "readonly", READ, OUT, NPMTOKEN_ALLOW },
    { "read-only, write", "readonly", WRITE, OUT, NPMTOKEN_READONLY },
    { "protected, write", "protected", WRITE, OUT, NPMTOKEN_ALLOW },
    { "inside, read", "limited", READ, IN, NPMTOKEN_ALLOW },
    { "inside, write", "limited", WRITE, IN, NPMTOKEN_ALLOW },
    { "inside, read-only, write", "limited readonly", WRITE, IN,
      NPMTOKEN_READONLY },
    { "outside, read", "limited", READ, OUT, NPMTOKEN_CIDR },
    { "outside, read-only, write", "limited readonly", WRITE, OUT,
      NPMTOKEN_CIDR },
    { "no address, limited", "limited", READ, "unix:", NPMTOKEN_CIDR },
    { "limited to nothing", "nowhere", READ, IN, NPMTOKEN_CIDR },

    { "bad, read", "bad", READ, IN, NPMTOKEN_BAD_RECORD },
    { "bad, outside, read-only", "bad limited readonly", WRITE, OUT,
      NPMTOKEN_BAD_RECORD },

    { "session, read", "session", READ, IN, NPMTOKEN_SESSION },
    { "session, write", "session", WRITE, IN, NPMTOKEN_SESSION },
    { "session, limited", "session limited readonly", WRITE, OUT,
      NPMTOKEN_SESSION },
    { "session, bad", "session bad", READ, IN, NPMTOKEN_BAD_RECORD },
    { "session, expired", "session expired", READ, IN, NPMTOKEN_EXPIRED },
    { "session, revoked", "session revoked", READ, IN, NPMTOKEN_REVOKED },
    { "logout, session", "session", LOGOUT, IN, NPMTOKEN_ALLOW },

    { "confined, read", "confined", READ, IN, NPMTOKEN_ALLOW },
    { "confined, write", "confined", WRITE, IN, NPMTOKEN_PACKAGE },
    { "confined, write outside", "confined limited", WRITE, OUT,
      NPMTOKEN_CIDR },
    { "confined, read-only, write", "confined readonly", WRITE, IN,
      NPMTOKEN_READONLY },
    { "confined, bad, write", "confined bad", WRITE, IN,
      NPMTOKEN_BAD_RECORD },
    { "confined, expired, write", "confined expired", WRITE, IN,
      NPMTOKEN_EXPIRED },
    { "confined, revoked, write", "confined revoked", WRITE, IN,
      NPMTOKEN_REVOKED },
    { "logout, confined", "confined", LOGOUT, IN, NPMTOKEN_ALLOW },

    { "last second", "lasts", WRITE, IN, NPMTOKEN_ALLOW },
    { "on the second", "expires", READ, IN, NPMTOKEN_EXPIRED },
    { "expired long ago", "expired", READ, IN, NPMTOKEN_EXPIRED },
    { "expired, bad", "expired bad limited readonly", WRITE, OUT,
      NPMTOKEN_EXPIRED },

    { "revoked", "revoked", READ, IN, NPMTOKEN_REVOKED },
    { "revoked and all else", "revoked expired bad limited readonly", WRITE,
      OUT, NPMTOKEN_REVOKED },

    { "logout", "", LOGOUT, IN, NPMTOKEN_ALLOW },
    { "logout, read-only", "readonly", LOGOUT, IN, NPMTOKEN_ALLOW },
    { "logout, outside", "limited", LOGOUT, OUT, NPMTOKEN_ALLOW },
    { "logout, expired", "expired", LOGOUT, IN, NPMTOKEN_ALLOW },
    { "logout, revoked", "revoked", LOGOUT, IN, NPMTOKEN_ALLOW },
    { "logout, protected", "protected", LOGOUT, IN, NPMTOKEN_PROTECTED },
    { "logout, protected and revoked", "protected revoked", LOGOUT, IN,
      NPMTOKEN_PROTECTED },
    { "logout, bad", "bad", LOGOUT, IN, NPMTOKEN_BAD_RECORD },
    { "logout, bad and protected", "bad protected", LOGOUT, IN,
      NPMTOKEN_BAD_RECORD }
};


static npmtoken_record_t *
make_record(const char *text)
{
    u_char             *ranges;
    ngx_str_t           list;
    npmtoken_record_t  *record;

    record = unit_room(sizeof(npmtoken_record_t)
                       + 8 * NPMTOKEN_CIDR_PACKED_MAX);

    memset(record, 0, sizeof(npmtoken_record_t));

    record->expires_at = NPMTOKEN_NEVER;
    record->readonly = strstr(text, "readonly") != NULL;
    record->revoked = strstr(text, "revoked") != NULL;
    record->protected = strstr(text, "protected") != NULL;
    record->bad = strstr(text, "bad") != NULL;
    record->session = strstr(text, "session") != NULL;
    record->ranges_only = strstr(text, "nowhere") != NULL;
    record->packages_only = strstr(text, "confined") != NULL;

    if (strstr(text, "lasts")) {
        record->expires_at = NOW + 1;
    }

    if (strstr(text, "expires")) {
        record->expires_at = NOW;
    }

    if (strstr(text, "expired")) {
        record->expires_at = 0;
    }

    if (strstr(text, "limited")) {
        list = unit_str("10.0.0.0/8,::1");
        ranges = npmtoken_record_ranges(record);

        record->ranges_only = 1;
        record->ranges_len = npmtoken_cidr_pack(&list, ranges);
    }

    return record;
}


static void
test_verdict(void **state)
{
    struct sockaddr_in   sin;
    unit_verdict_t      *row = *state;

    memset(&sin, 0, sizeof(sin));

    sin.sin_family = AF_INET;

    if (inet_pton(AF_INET, row->address, &sin.sin_addr) != 1) {
        sin.sin_family = AF_UNIX;
    }

    assert_int_equal(npmtoken_verdict(make_record(row->record), row->op,
                                      (struct sockaddr *) &sin, NOW),
                     row->reason);
}


/* packages, scopes, and a package */

typedef struct {
    const char         *package;
    const char         *packages;
    const char         *scopes;
    npmtoken_reason_e   reason;
} unit_package_t;


static unit_package_t  packages[] = {
    { "a", "a", NULL, NPMTOKEN_ALLOW },
    { "b", "a,b", "@s", NPMTOKEN_ALLOW },
    { "@s/x", "a,b", "@r,@s", NPMTOKEN_ALLOW },
    { "@s/x", NULL, "@s", NPMTOKEN_ALLOW },
    { "@s/x", "@s/x", NULL, NPMTOKEN_ALLOW },
    { "@s/y", "@s/x", NULL, NPMTOKEN_PACKAGE },
    { "@s/y", "@s/x,a", "@t", NPMTOKEN_PACKAGE },
    { "b", "a", NULL, NPMTOKEN_PACKAGE },
    { "s", NULL, "@s", NPMTOKEN_PACKAGE },
    { "A", "a", NULL, NPMTOKEN_PACKAGE },
    { "", "a", "@s", NPMTOKEN_PACKAGE },
    { "", NULL, NULL, NPMTOKEN_PACKAGE },
    { "a", NULL, NULL, NPMTOKEN_PACKAGE }
};


static void
test_package(void **state)
{
    ngx_uint_t          n;
    ngx_str_t           package;
    unit_package_t     *row = *state;
    npmtoken_field_t    fields[3];
    npmtoken_record_t  *record;

    n = 0;

    fields[n].name = unit_str("user");
    fields[n++].value = unit_str("alice");

    if (row->packages) {
        fields[n].name = unit_str("packages");
        fields[n++].value = unit_str(row->packages);
    }

    if (row->scopes) {
        fields[n].name = unit_str("scopes");
        fields[n++].value = unit_str(row->scopes);
    }

    record = unit_room((npmtoken_record_size(fields, n) + 7) & ~(size_t) 7);

    assert_null(npmtoken_record_parse(record, fields, n));

    package = unit_str(row->package);

    assert_int_equal(npmtoken_verdict_package(record, &package), row->reason);
}


/* the table of reasons, and what is said with all facts and with none */

typedef struct {
    const char         *name;
    npmtoken_reason_e   reason;
    ngx_uint_t          status;
    const char         *challenge;
    const char         *has;         /* with facts */
    const char         *begins;      /* without */
} unit_reason_t;


static unit_reason_t  reasons[] = {
    { "allow", NPMTOKEN_ALLOW, 0, "", "allowed", "The request" },
    { "no_token", NPMTOKEN_NO_TOKEN, 401, "Bearer", "npm login", "This reg" },
    { "bad_token", NPMTOKEN_BAD_TOKEN, 401, "Bearer", ".npmrc", "What was" },
    { "unknown", NPMTOKEN_UNKNOWN, 401, "Bearer",
      "Token 1a2b3c4d is unknown or was revoked. Run npm login, or put a "
      "valid token in .npmrc.", "This registry" },
    { "revoked", NPMTOKEN_REVOKED, 401, "Bearer",
      "Token 1a2b3c4d was revoked", "This token was revoked" },
    { "expired", NPMTOKEN_EXPIRED, 401, "Bearer",
      "Token 1a2b3c4d expired on 2026-01-02. ", "This token expired. " },
    { "cidr", NPMTOKEN_CIDR, 401, "ipaddress",
      "Token 1a2b3c4d may not be used from address 10.0.0.1. ",
      "This token may not be used from here. " },
    { "readonly", NPMTOKEN_READONLY, 403, "",
      "Token 1a2b3c4d is read-only: it can install packages, but not publish "
      "or change anything. Put a token with full permission in .npmrc, or ask "
      "the registry's administrator for one.", "This token is read-only" },
    { "package", NPMTOKEN_PACKAGE, 403, "",
      "Token 1a2b3c4d is limited to certain packages: it can install any, but "
      "publish and change only those. Put a token that may do this in .npmrc, "
      "or ask the registry's administrator for one.",
      "This token is limited to" },
    { "bad_record", NPMTOKEN_BAD_RECORD, 403, "",
      "Token 1a2b3c4d cannot be used", "This token cannot be used" },
    { "session", NPMTOKEN_SESSION, 401, "Bearer",
      "Token 1a2b3c4d is a login to the registry's web page, and is good there "
      "only. ", "This token is a login" },
    { "protected", NPMTOKEN_PROTECTED, 403, "",
      "cannot be logged out", "This token is shared" },
    { "unavailable", NPMTOKEN_UNAVAILABLE, 503, "",
      "cannot be checked", "Tokens cannot" }
};


static void
assert_printable(u_char *p, u_char *last)
{
    for ( /* void */ ; p < last; p++) {
        assert_true(*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\'
                    && *p != '%');
    }
}


static void
test_reason(void **state)
{
    u_char             *buf, *last;
    ngx_str_t           text;
    unit_reason_t      *row = *state;
    npmtoken_facts_t    facts;
    npmtoken_reason_t  *reason;

    reason = npmtoken_verdict_reason(row->reason);

    unit_assert_str(&reason->name, row->name);
    unit_assert_str(&reason->challenge, row->challenge);
    assert_int_equal(reason->status, row->status);

    buf = unit_room(NPMTOKEN_SENTENCE_MAX);

    memset(&facts, 0, sizeof(facts));

    facts.short_key = unit_str("1a2b3c4d");
    facts.address = unit_str("10.0.0.1");
    facts.expired = unit_str("2026-01-02");

    last = npmtoken_verdict_sentence(row->reason, &facts, buf);

    assert_true(last > buf && last - buf < 300 && last[-1] == '.');
    assert_printable(buf, last);

    text = unit_bytes(buf, last - buf + 1);
    text.data[last - buf] = '\0';
    assert_non_null(strstr((char *) text.data, row->has));

    memset(&facts, 0, sizeof(facts));

    last = npmtoken_verdict_sentence(row->reason, &facts, buf);

    assert_true((size_t) (last - buf) > strlen(row->begins));
    assert_true(last - buf < 300 && last[-1] == '.');
    assert_printable(buf, last);
    assert_memory_equal(buf, row->begins, strlen(row->begins));
}


/* each enumerator has a row of its own, and the tests above have them all */

static void
test_all_reasons(void **state)
{
    ngx_uint_t          i, k;
    npmtoken_reason_t  *reason, *other;

    (void) state;

    assert_int_equal(unit_n(reasons), NPMTOKEN_REASONS);

    for (i = 0; i < NPMTOKEN_REASONS; i++) {

        reason = npmtoken_verdict_reason(i);

        assert_true(reason->name.len > 0);
        assert_true(reason->status == 0 ? i == NPMTOKEN_ALLOW
                                        : reason->status >= 400);
        assert_int_equal(reasons[i].reason, i);

        for (k = 0; k < i; k++) {
            other = npmtoken_verdict_reason(k);

            assert_string_not_equal((char *) reason->name.data,
                                    (char *) other->name.data);
        }
    }
}


/* who sent a scheme with nothing behind it is told what that may come from */

static void
test_blank(void **state)
{
    u_char            *buf, *last;
    npmtoken_facts_t   facts;

    (void) state;

    buf = unit_room(NPMTOKEN_SENTENCE_MAX);

    memset(&facts, 0, sizeof(facts));
    facts.blank = 1;

    last = npmtoken_verdict_sentence(NPMTOKEN_NO_TOKEN, &facts, buf);

    assert_printable(buf, last);

    *last = '\0';
    assert_non_null(strstr((char *) buf, "there was none"));
    assert_non_null(strstr((char *) buf, "environment variable"));

    last = npmtoken_verdict_sentence(NPMTOKEN_READONLY, &facts, buf);

    *last = '\0';
    assert_non_null(strstr((char *) buf, "is read-only"));
}


/* facts that are not what they should be do no harm */

static void
test_facts(void **state)
{
    char               junk[1000];
    size_t             i;
    u_char            *buf, *last;
    npmtoken_facts_t   facts;

    (void) state;

    for (i = 0; i < sizeof(junk); i++) {
        junk[i] = (char) (i == '%' ? 'x' : i);
    }

    memset(&facts, 0, sizeof(facts));

    facts.short_key = unit_bytes(junk, sizeof(junk));
    facts.address = facts.short_key;
    facts.expired = facts.short_key;

    buf = unit_room(NPMTOKEN_SENTENCE_MAX);

    for (i = 0; i < unit_n(reasons); i++) {
        last = npmtoken_verdict_sentence(reasons[i].reason, &facts, buf);

        assert_true(last <= buf + NPMTOKEN_SENTENCE_MAX);
        assert_printable(buf, last);
    }
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_all_reasons),
        cmocka_unit_test(test_blank),
        cmocka_unit_test(test_facts)
    };

    failed = unit_run("verdict: cases", test_verdict, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += unit_run("verdict: packages", test_package, packages,
                       sizeof(packages[0]), unit_n(packages));

    failed += unit_run("verdict: reasons", test_reason, reasons,
                       sizeof(reasons[0]), unit_n(reasons));

    failed += cmocka_run_group_tests_name("verdict", tests, NULL, NULL);

    return failed != 0;
}
