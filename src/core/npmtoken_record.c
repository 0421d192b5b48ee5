
/*
 * Fields of a hash -> record.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_bearer.h"
#include "npmtoken_cidr.h"
#include "npmtoken_package.h"
#include "npmtoken_record.h"


#define NPMTOKEN_RECORD_LABEL_MAX  255
#define NPMTOKEN_RECORD_TEXT_MAX   1024
#define NPMTOKEN_RECORD_TOKEN_MAX  64
#define NPMTOKEN_RECORD_MARK_LEN   32

/* the record has 16 bits for the length of a packed list */
#define NPMTOKEN_RECORD_NAMES_MAX  65535

/* 9999-12-31T23:59:59Z; a later time was meant as milliseconds */
#define NPMTOKEN_RECORD_TIME_MAX   253402300799LL


/*
 * Returns NGX_OK, or NGX_ERROR if the value does not have the field's form; the
 * record is not changed then.
 */

typedef ngx_int_t (*npmtoken_field_pt)(npmtoken_record_t *record,
    ngx_str_t *value);


typedef struct {
    ngx_str_t             name;
    npmtoken_field_pt     parse;
    char                 *form;        /* what the parser takes, in words */
} npmtoken_known_field_t;


static size_t npmtoken_record_resp(size_t len);
static size_t npmtoken_record_decimal(size_t n);
static ngx_uint_t npmtoken_record_find(ngx_str_t *name);
static ngx_uint_t npmtoken_record_extra(ngx_str_t *name);
static ngx_int_t npmtoken_record_user_field(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_cidr_whitelist(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_packages_field(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_scopes_field(npmtoken_record_t *record,
    ngx_str_t *value);
static ssize_t npmtoken_record_names(ngx_str_t *value, npmtoken_package_e kind,
    u_char *buf);
static ngx_int_t npmtoken_record_readonly(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_protected(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_bypass_2fa(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_session(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_expires_at(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_revoked_at(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_date(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_label(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_description(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_text(ngx_str_t *value, size_t max);
static ngx_int_t npmtoken_record_token(npmtoken_record_t *record,
    ngx_str_t *value);
static ngx_int_t npmtoken_record_flag(ngx_str_t *value);
static int64_t npmtoken_record_time(ngx_str_t *value);
static ngx_int_t npmtoken_record_calendar(u_char *p);
static ngx_int_t npmtoken_record_digits(u_char *p, u_char *last);


/*
 * The one table of fields.  Section "The Redis schema" of docs/redis.md begins
 * each form with the same words.  The fields are parsed in this order; the
 * first ones are stored behind the structure, in this order as well.
 */

static npmtoken_known_field_t  npmtoken_known_fields[] = {

    { ngx_string("user"), npmtoken_record_user_field,
      "1 to 214 printable ASCII characters without a blank" },
    { ngx_string("cidr_whitelist"), npmtoken_record_cidr_whitelist,
      "a list of CIDRs or addresses, IPv4 or IPv6, separated by commas" },
    { ngx_string("packages"), npmtoken_record_packages_field,
      "names of packages such as pkg or @scope/pkg, separated by commas" },
    { ngx_string("scopes"), npmtoken_record_scopes_field,
      "scopes such as @scope, separated by commas" },
    { ngx_string("readonly"), npmtoken_record_readonly,
      "true, false, 1 or 0" },
    { ngx_string("expires_at"), npmtoken_record_expires_at,
      "seconds since the epoch" },
    { ngx_string("revoked_at"), npmtoken_record_revoked_at,
      "seconds since the epoch" },
    { ngx_string("protected"), npmtoken_record_protected,
      "true, false, 1 or 0" },
    { ngx_string("bypass_2fa"), npmtoken_record_bypass_2fa,
      "true, false, 1 or 0" },
    { ngx_string("session"), npmtoken_record_session,
      "login, or 32 lower-case hex digits" },
    { ngx_string("created"), npmtoken_record_date,
      "a date such as 2026-11-24T12:00:00.000Z" },
    { ngx_string("updated"), npmtoken_record_date,
      "a date such as 2026-11-24T12:00:00.000Z" },
    { ngx_string("name"), npmtoken_record_label,
      "at most 255 bytes without control characters" },
    { ngx_string("description"), npmtoken_record_description,
      "at most 1024 bytes without control characters" },
    { ngx_string("token"), npmtoken_record_token,
      "the first characters of the token, at most 64" }
};

#define NPMTOKEN_KNOWN_FIELDS                                                 \
    (sizeof(npmtoken_known_fields) / sizeof(npmtoken_known_fields[0]))


/* *N CR LF, then for each name and value: $LENGTH CR LF, itself, CR LF */

ngx_uint_t
npmtoken_record_fits(npmtoken_field_t *fields, ngx_uint_t nfields)
{
    size_t      size;
    ngx_uint_t  i;

    if (2 * nfields > NPMTOKEN_RECORD_MAX_ELEMENTS) {
        return 0;
    }

    size = 1 + npmtoken_record_decimal(2 * nfields) + 2;

    for (i = 0; i < nfields; i++) {
        size += npmtoken_record_resp(fields[i].name.len)
                + npmtoken_record_resp(fields[i].value.len);
    }

    return size <= NPMTOKEN_RECORD_MAX;
}


static size_t
npmtoken_record_resp(size_t len)
{
    return 1 + npmtoken_record_decimal(len) + 2 + len + 2;
}


static size_t
npmtoken_record_decimal(size_t n)
{
    size_t  digits;

    for (digits = 1; n >= 10; n /= 10) {
        digits++;
    }

    return digits;
}


size_t
npmtoken_record_size(npmtoken_field_t *fields, ngx_uint_t nfields)
{
    size_t             size;
    ngx_uint_t         i, k;
    npmtoken_field_pt  parse;

    size = sizeof(npmtoken_record_t) + NPMTOKEN_USER_MAX;

    for (i = 0; i < nfields; i++) {

        k = npmtoken_record_find(&fields[i].name);
        if (k == NPMTOKEN_KNOWN_FIELDS) {
            continue;
        }

        parse = npmtoken_known_fields[k].parse;

        if (parse == npmtoken_record_cidr_whitelist) {
            size += npmtoken_cidr_size(&fields[i].value);

        } else if (parse == npmtoken_record_packages_field
                   || parse == npmtoken_record_scopes_field)
        {
            size += npmtoken_package_size(&fields[i].value);
        }
    }

    return size;
}


npmtoken_field_t *
npmtoken_record_parse(npmtoken_record_t *record, npmtoken_field_t *fields,
    ngx_uint_t nfields)
{
    ngx_uint_t         i, k;
    npmtoken_field_t  *bad, *known[NPMTOKEN_KNOWN_FIELDS];

    ngx_memzero(record, sizeof(npmtoken_record_t));
    ngx_memzero(known, sizeof(known));

    record->expires_at = NPMTOKEN_NEVER;
    record->size = sizeof(npmtoken_record_t);

    bad = NULL;

    for (i = 0; i < nfields; i++) {

        k = npmtoken_record_find(&fields[i].name);

        if (k < NPMTOKEN_KNOWN_FIELDS && known[k] == NULL) {
            known[k] = &fields[i];
            continue;
        }

        /* a field that is there twice, or not known, may be a restriction */

        if (bad == NULL && !npmtoken_record_extra(&fields[i].name)) {
            bad = &fields[i];
        }
    }

    for (k = 0; k < NPMTOKEN_KNOWN_FIELDS; k++) {

        if (known[k] == NULL
            || npmtoken_known_fields[k].parse(record, &known[k]->value)
               == NGX_OK)
        {
            continue;
        }

        if (bad == NULL || known[k] < bad) {
            bad = known[k];
        }
    }

    record->bad = (bad != NULL);

    return bad;
}


char *
npmtoken_record_form(ngx_str_t *name)
{
    ngx_uint_t  k;

    k = npmtoken_record_find(name);

    return (k < NPMTOKEN_KNOWN_FIELDS) ? npmtoken_known_fields[k].form : NULL;
}


static ngx_uint_t
npmtoken_record_find(ngx_str_t *name)
{
    ngx_str_t   *known;
    ngx_uint_t   k;

    for (k = 0; k < NPMTOKEN_KNOWN_FIELDS; k++) {

        known = &npmtoken_known_fields[k].name;

        if (name->len == known->len
            && ngx_memcmp(name->data, known->data, known->len) == 0)
        {
            break;
        }
    }

    return k;
}


static ngx_uint_t
npmtoken_record_extra(ngx_str_t *name)
{
    return name->len > 2 && name->data[0] == 'x' && name->data[1] == '_';
}


static ngx_int_t
npmtoken_record_user_field(npmtoken_record_t *record, ngx_str_t *value)
{
    size_t  i;

    if (value->len == 0 || value->len > NPMTOKEN_USER_MAX) {
        return NGX_ERROR;
    }

    /* it becomes a header's value: a line break would add another header */

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= 0x20 || value->data[i] >= 0x7f) {
            return NGX_ERROR;
        }
    }

    ngx_memcpy(npmtoken_record_user(record), value->data, value->len);

    record->user_len = (uint16_t) value->len;
    record->size += value->len;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_cidr_whitelist(npmtoken_record_t *record, ngx_str_t *value)
{
    ssize_t  n;

    n = npmtoken_cidr_pack(value, npmtoken_record_ranges(record));

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->ranges_only = 1;
    record->ranges_len = (uint32_t) n;
    record->size += n;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_packages_field(npmtoken_record_t *record, ngx_str_t *value)
{
    ssize_t  n;

    n = npmtoken_record_names(value, NPMTOKEN_PACKAGE_NAMES,
                              npmtoken_record_packages(record));
    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->packages_only = 1;
    record->packages_len = (uint16_t) n;
    record->size += n;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_scopes_field(npmtoken_record_t *record, ngx_str_t *value)
{
    ssize_t  n;

    n = npmtoken_record_names(value, NPMTOKEN_PACKAGE_SCOPES,
                              npmtoken_record_scopes(record));
    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->packages_only = 1;
    record->scopes_len = (uint16_t) n;
    record->size += n;

    return NGX_OK;
}


static ssize_t
npmtoken_record_names(ngx_str_t *value, npmtoken_package_e kind, u_char *buf)
{
    if (npmtoken_package_size(value) > NPMTOKEN_RECORD_NAMES_MAX) {
        return NGX_ERROR;
    }

    return npmtoken_package_pack(value, kind, buf);
}


static ngx_int_t
npmtoken_record_readonly(npmtoken_record_t *record, ngx_str_t *value)
{
    ngx_int_t  flag;

    flag = npmtoken_record_flag(value);
    if (flag == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->readonly = flag;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_protected(npmtoken_record_t *record, ngx_str_t *value)
{
    ngx_int_t  flag;

    flag = npmtoken_record_flag(value);
    if (flag == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->protected = flag;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_bypass_2fa(npmtoken_record_t *record, ngx_str_t *value)
{
    ngx_int_t  flag;

    flag = npmtoken_record_flag(value);
    if (flag == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->bypass_2fa = flag;

    return NGX_OK;
}


/* The digits stand for the account as it was when somebody logged in. */

static ngx_int_t
npmtoken_record_session(npmtoken_record_t *record, ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    if (value->len == 5 && ngx_memcmp(value->data, "login", 5) == 0) {
        record->login = 1;
        return NGX_OK;
    }

    if (value->len != NPMTOKEN_RECORD_MARK_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return NGX_ERROR;
        }
    }

    record->session = 1;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_expires_at(npmtoken_record_t *record, ngx_str_t *value)
{
    int64_t  time;

    time = npmtoken_record_time(value);
    if (time == NGX_ERROR) {
        return NGX_ERROR;
    }

    record->expires_at = time;

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_revoked_at(npmtoken_record_t *record, ngx_str_t *value)
{
    if (npmtoken_record_time(value) == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* a time in the future revokes as well: it permits nothing until then */

    record->revoked = 1;

    return NGX_OK;
}


/* YYYY-MM-DDTHH:MM:SS[.fraction]Z */

static ngx_int_t
npmtoken_record_date(npmtoken_record_t *record, ngx_str_t *value)
{
    size_t   i;
    u_char  *p, *last;

    static char  form[] = "dddd-dd-ddTdd:dd:dd";

    (void) record;

    p = value->data;

    if (value->len < sizeof("2026-01-02T03:04:05Z") - 1) {
        return NGX_ERROR;
    }

    for (i = 0; i < sizeof(form) - 1; i++) {

        if (form[i] == 'd' ? (p[i] < '0' || p[i] > '9')
                           : (p[i] != (u_char) form[i]))
        {
            return NGX_ERROR;
        }
    }

    last = p + value->len - 1;

    if (*last != 'Z' || npmtoken_record_calendar(p) != NGX_OK) {
        return NGX_ERROR;
    }

    p += sizeof(form) - 1;

    if (p == last) {
        return NGX_OK;
    }

    return (*p == '.') ? npmtoken_record_digits(p + 1, last) : NGX_ERROR;
}


static ngx_int_t
npmtoken_record_label(npmtoken_record_t *record, ngx_str_t *value)
{
    (void) record;

    return npmtoken_record_text(value, NPMTOKEN_RECORD_LABEL_MAX);
}


static ngx_int_t
npmtoken_record_description(npmtoken_record_t *record, ngx_str_t *value)
{
    (void) record;

    return npmtoken_record_text(value, NPMTOKEN_RECORD_TEXT_MAX);
}


static ngx_int_t
npmtoken_record_text(ngx_str_t *value, size_t max)
{
    size_t  i;

    if (value->len > max) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_token(npmtoken_record_t *record, ngx_str_t *value)
{
    (void) record;

    if (value->len > NPMTOKEN_RECORD_TOKEN_MAX
        || !npmtoken_bearer_is_token68(value->data, value->len))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_flag(ngx_str_t *value)
{
    if ((value->len == 4 && ngx_memcmp(value->data, "true", 4) == 0)
        || (value->len == 1 && value->data[0] == '1'))
    {
        return 1;
    }

    if ((value->len == 5 && ngx_memcmp(value->data, "false", 5) == 0)
        || (value->len == 1 && value->data[0] == '0'))
    {
        return 0;
    }

    return NGX_ERROR;
}


static int64_t
npmtoken_record_time(ngx_str_t *value)
{
    size_t   i;
    int64_t  time;

    if (value->len > 12
        || npmtoken_record_digits(value->data, value->data + value->len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    time = 0;

    for (i = 0; i < value->len; i++) {
        time = time * 10 + (value->data[i] - '0');
    }

    return (time > NPMTOKEN_RECORD_TIME_MAX) ? NGX_ERROR : time;
}


/* whether the numbers of a date are in range; all of them are digits */

static ngx_int_t
npmtoken_record_calendar(u_char *p)
{
    ngx_int_t  year, month, day, days;

    static ngx_int_t  lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    year = ngx_atoi(p, 4);
    month = ngx_atoi(p + 5, 2);
    day = ngx_atoi(p + 8, 2);

    if (month < 1 || month > 12) {
        return NGX_ERROR;
    }

    days = lengths[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        days++;
    }

    if (day < 1 || day > days
        || ngx_atoi(p + 11, 2) > 23
        || ngx_atoi(p + 14, 2) > 59
        || ngx_atoi(p + 17, 2) > 59)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
npmtoken_record_digits(u_char *p, u_char *last)
{
    if (p == last) {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
