
/*
 * Fields of the hash "user:<name>" -> account.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_account.h"
#include "npmtoken_digest.h"
#include "npmtoken_otp.h"
#include "npmtoken_password.h"


/* most digits of a step: enough for any time that a record may have */
#define NPMTOKEN_ACCOUNT_STEP_DIGITS  12


/* returns NGX_OK, or NGX_DECLINED if the value does not have the form */

typedef ngx_int_t (*npmtoken_account_field_pt)(npmtoken_account_t *account,
    ngx_str_t *value);


typedef struct {
    ngx_str_t                  name;
    npmtoken_account_field_pt  parse;
    char                      *form;   /* valid values, in words */
} npmtoken_account_known_t;


static ngx_uint_t npmtoken_account_find(ngx_str_t *name);
static ngx_uint_t npmtoken_account_extra(ngx_str_t *name);
static npmtoken_field_t *npmtoken_account_pair(npmtoken_field_t *mode,
    npmtoken_field_t *secret);
static ngx_int_t npmtoken_account_name_field(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_password_field(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_email_field(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_fullname_field(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_created(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_updated(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_tfa_field(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_totp(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_tfa_pending(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_totp_pending(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_totp_used(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_totp_used_by(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_recovery(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_int_t npmtoken_account_locked(npmtoken_account_t *account,
    ngx_str_t *value);
static ngx_uint_t npmtoken_account_is_date(ngx_str_t *value);
static ngx_uint_t npmtoken_account_is(ngx_str_t *value, ngx_str_t *text);


enum {
    NPMTOKEN_ACCOUNT_TFA = 0,
    NPMTOKEN_ACCOUNT_TOTP,
    NPMTOKEN_ACCOUNT_TFA_PENDING,
    NPMTOKEN_ACCOUNT_TOTP_PENDING
};


static npmtoken_account_known_t  npmtoken_account_fields[] = {

    /* in the order of the enumeration */

    { ngx_string("tfa"), npmtoken_account_tfa_field,
      "auth-only or auth-and-writes, together with totp" },
    { ngx_string("totp"), npmtoken_account_totp,
      "base32 of 10 to 64 bytes, together with tfa" },
    { ngx_string("tfa_pending"), npmtoken_account_tfa_pending,
      "auth-only or auth-and-writes, together with totp_pending" },
    { ngx_string("totp_pending"), npmtoken_account_totp_pending,
      "base32 of 10 to 64 bytes, together with tfa_pending" },

    { ngx_string("name"), npmtoken_account_name_field,
      "the name of the key, spelt in any case" },
    { ngx_string("password"), npmtoken_account_password_field,
      "a hash of crypt(3): yescrypt, scrypt, bcrypt, SHA-512" },
    { ngx_string("email"), npmtoken_account_email_field,
      "at most 254 printable ASCII characters, one of them \"@\"" },
    { ngx_string("fullname"), npmtoken_account_fullname_field,
      "UTF-8 without control characters, at most 200 bytes" },
    { ngx_string("created"), npmtoken_account_created,
      "a date such as 2026-11-24T12:00:00.000Z" },
    { ngx_string("updated"), npmtoken_account_updated,
      "a date such as 2026-11-24T12:00:00.000Z" },
    { ngx_string("totp_used"), npmtoken_account_totp_used,
      "a number" },
    { ngx_string("totp_used_by"), npmtoken_account_totp_used_by,
      "the key of a token, 128 hex digits in lower case" },
    { ngx_string("recovery"), npmtoken_account_recovery,
      "at most five hashes, separated by commas" },
    { ngx_string("locked"), npmtoken_account_locked,
      "true or false" }
};

#define NPMTOKEN_ACCOUNT_FIELDS                                               \
    (sizeof(npmtoken_account_fields) / sizeof(npmtoken_account_fields[0]))


static ngx_str_t  npmtoken_account_tfa_names[] = {
    ngx_string(""),
    ngx_string("auth-only"),
    ngx_string("auth-and-writes")
};


npmtoken_field_t *
npmtoken_account_parse(npmtoken_account_t *account, npmtoken_field_t *fields,
    ngx_uint_t nfields)
{
    ngx_uint_t         i, k;
    npmtoken_field_t  *bad, *known[NPMTOKEN_ACCOUNT_FIELDS];

    ngx_memzero(account, sizeof(npmtoken_account_t));
    ngx_memzero(known, sizeof(known));

    account->totp_used = -1;

    for (i = 0; i < nfields; i++) {

        k = npmtoken_account_find(&fields[i].name);

        if (k == NPMTOKEN_ACCOUNT_FIELDS) {

            if (!npmtoken_account_extra(&fields[i].name)) {
                return &fields[i];
            }

            continue;
        }

        if (known[k]
            || npmtoken_account_fields[k].parse(account, &fields[i].value)
               != NGX_OK)
        {
            return &fields[i];
        }

        known[k] = &fields[i];
    }

    bad = npmtoken_account_pair(known[NPMTOKEN_ACCOUNT_TFA],
                                known[NPMTOKEN_ACCOUNT_TOTP]);
    if (bad) {
        return bad;
    }

    return npmtoken_account_pair(known[NPMTOKEN_ACCOUNT_TFA_PENDING],
                                 known[NPMTOKEN_ACCOUNT_TOTP_PENDING]);
}


char *
npmtoken_account_form(ngx_str_t *name)
{
    ngx_uint_t  k;

    k = npmtoken_account_find(name);

    return (k < NPMTOKEN_ACCOUNT_FIELDS) ? npmtoken_account_fields[k].form
                                         : NULL;
}


static ngx_uint_t
npmtoken_account_find(ngx_str_t *name)
{
    ngx_uint_t  k;

    for (k = 0; k < NPMTOKEN_ACCOUNT_FIELDS; k++) {
        if (npmtoken_account_is(name, &npmtoken_account_fields[k].name)) {
            break;
        }
    }

    return k;
}


static ngx_uint_t
npmtoken_account_extra(ngx_str_t *name)
{
    return name->len > 2 && name->data[0] == 'x' && name->data[1] == '_';
}


/* Returns the mode or the secret if the other one is missing, else NULL. */

static npmtoken_field_t *
npmtoken_account_pair(npmtoken_field_t *mode, npmtoken_field_t *secret)
{
    if (mode && secret) {
        return NULL;
    }

    return mode ? mode : secret;
}


static ngx_int_t
npmtoken_account_name_field(npmtoken_account_t *account, ngx_str_t *value)
{
    account->name = *value;

    return npmtoken_account_is_name(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_password_field(npmtoken_account_t *account, ngx_str_t *value)
{
    account->password = *value;

    return npmtoken_password_is_hash(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_email_field(npmtoken_account_t *account, ngx_str_t *value)
{
    account->email = *value;

    return npmtoken_account_is_email(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_fullname_field(npmtoken_account_t *account, ngx_str_t *value)
{
    account->fullname = *value;

    return npmtoken_account_is_fullname(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_created(npmtoken_account_t *account, ngx_str_t *value)
{
    account->created = *value;

    return npmtoken_account_is_date(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_updated(npmtoken_account_t *account, ngx_str_t *value)
{
    account->updated = *value;

    return npmtoken_account_is_date(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_tfa_field(npmtoken_account_t *account, ngx_str_t *value)
{
    return npmtoken_account_tfa(value, &account->tfa);
}


static ngx_int_t
npmtoken_account_totp(npmtoken_account_t *account, ngx_str_t *value)
{
    account->totp = *value;

    return npmtoken_otp_is_secret(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_tfa_pending(npmtoken_account_t *account, ngx_str_t *value)
{
    return npmtoken_account_tfa(value, &account->tfa_pending);
}


static ngx_int_t
npmtoken_account_totp_pending(npmtoken_account_t *account, ngx_str_t *value)
{
    account->totp_pending = *value;

    return npmtoken_otp_is_secret(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
npmtoken_account_totp_used(npmtoken_account_t *account, ngx_str_t *value)
{
    ngx_int_t  step;

    /* ngx_atoi() accepts only digits: no sign, no blank */

    if (value->len > NPMTOKEN_ACCOUNT_STEP_DIGITS) {
        return NGX_DECLINED;
    }

    step = ngx_atoi(value->data, value->len);
    if (step == NGX_ERROR) {
        return NGX_DECLINED;
    }

    account->totp_used = step;

    return NGX_OK;
}


/* Only the script uses it: it compares it with the key of a token. */

static ngx_int_t
npmtoken_account_totp_used_by(npmtoken_account_t *account, ngx_str_t *value)
{
    size_t  i;
    u_char  c;

    (void) account;

    if (value->len != NPMTOKEN_KEY_LEN) {
        return NGX_DECLINED;
    }

    for (i = 0; i < value->len; i++) {
        c = value->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* HASH[,HASH...] */

static ngx_int_t
npmtoken_account_recovery(npmtoken_account_t *account, ngx_str_t *value)
{
    size_t      i;
    u_char      c;
    ngx_uint_t  codes, comma;

    codes = (value->len + 1) / (NPMTOKEN_RECOVERY_LEN + 1);

    if (codes == 0
        || codes > NPMTOKEN_RECOVERY_CODES
        || codes * (NPMTOKEN_RECOVERY_LEN + 1) != value->len + 1)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < value->len; i++) {

        c = value->data[i];
        comma = (i % (NPMTOKEN_RECOVERY_LEN + 1) == NPMTOKEN_RECOVERY_LEN);

        if (comma ? c != ','
                  : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
        {
            return NGX_DECLINED;
        }
    }

    account->recovery = *value;

    return NGX_OK;
}


static ngx_int_t
npmtoken_account_locked(npmtoken_account_t *account, ngx_str_t *value)
{
    static ngx_str_t  yes = ngx_string("true");
    static ngx_str_t  no = ngx_string("false");

    if (npmtoken_account_is(value, &yes)) {
        account->locked = 1;
        return NGX_OK;
    }

    return npmtoken_account_is(value, &no) ? NGX_OK : NGX_DECLINED;
}


/* A date has the form that the record of a token requires. */

static ngx_uint_t
npmtoken_account_is_date(ngx_str_t *value)
{
    npmtoken_field_t   field;
    npmtoken_record_t  record;

    ngx_str_set(&field.name, "created");
    field.value = *value;

    return npmtoken_record_parse(&record, &field, 1) == NULL;
}


static ngx_uint_t
npmtoken_account_is(ngx_str_t *value, ngx_str_t *text)
{
    return value->len == text->len
           && ngx_memcmp(value->data, text->data, text->len) == 0;
}


ngx_uint_t
npmtoken_account_is_name(ngx_str_t *name)
{
    size_t  i;
    u_char  c;

    if (name->len == 0
        || name->len > NPMTOKEN_USER_MAX
        || name->data[0] == '.'
        || name->data[0] == '-')
    {
        return 0;
    }

    for (i = 0; i < name->len; i++) {

        c = name->data[i];

        if ((c >= '0' && c <= '9')
            || (c >= 'A' && c <= 'Z')
            || (c >= 'a' && c <= 'z')
            || c == '-' || c == '.' || c == '_'
            || c == '~' || c == '@' || c == '+')
        {
            continue;
        }

        return 0;
    }

    return 1;
}


ngx_str_t
npmtoken_account_fold(ngx_str_t *name, u_char *buf)
{
    ngx_str_t  folded;

    ngx_strlow(buf, name->data, name->len);

    folded.data = buf;
    folded.len = name->len;

    return folded;
}


ngx_uint_t
npmtoken_account_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_strncasecmp(one->data, two->data, one->len) == 0;
}


ngx_uint_t
npmtoken_account_is_email(ngx_str_t *email)
{
    size_t      i;
    ngx_uint_t  at;

    if (email->len < 3 || email->len > NPMTOKEN_EMAIL_MAX) {
        return 0;
    }

    at = 0;

    for (i = 0; i < email->len; i++) {

        if (email->data[i] <= 0x20 || email->data[i] >= 0x7f) {
            return 0;
        }

        if (email->data[i] == '@') {
            at++;
        }
    }

    if (at != 1 || email->data[0] == '@' || email->data[email->len - 1] == '@')
    {
        return 0;
    }

    return 1;
}


ngx_uint_t
npmtoken_account_is_fullname(ngx_str_t *fullname)
{
    u_char    *p, *last;
    uint32_t   c;

    if (fullname->len > NPMTOKEN_FULLNAME_MAX) {
        return 0;
    }

    p = fullname->data;
    last = p + fullname->len;

    while (p < last) {

        c = *p;

        if (c >= 0x80) {
            c = ngx_utf8_decode(&p, last - p);

        } else {
            p++;
        }

        if (c < 0x20
            || (c >= 0x7f && c <= 0x9f)
            || (c >= 0xd800 && c <= 0xdfff)
            || c > 0x10ffff)
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
npmtoken_account_tfa(ngx_str_t *text, npmtoken_tfa_e *tfa)
{
    ngx_uint_t  i;

    for (i = NPMTOKEN_TFA_AUTH_ONLY; i <= NPMTOKEN_TFA_AUTH_AND_WRITES; i++) {

        if (npmtoken_account_is(text, &npmtoken_account_tfa_names[i])) {
            *tfa = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_str_t *
npmtoken_account_tfa_name(npmtoken_tfa_e tfa)
{
    return &npmtoken_account_tfa_names[tfa];
}
