
/*
 * Converts a row of another registry to a key and a record.
 *
 * The record never has fewer limits than the row.  So an unknown column is an
 * error, and so is anything that could be read in two ways.
 */


#include "npmtokenctl_import.h"
#include "npmtoken_bearer.h"
#include "npmtoken_list.h"
#include "npmtoken_token.h"


#define CTL_COLUMN_NAME  40


/* names of columns in other registries: lower case, without "_" */

typedef struct {
    const char           *column;
    const char           *field;      /* NULL: the column is ignored */
} ctl_column_t;


static char *ctl_make_fields(ctl_row_t *row, ctl_args_t *record);
static ngx_uint_t ctl_is_limit(const char *field);
static ngx_uint_t ctl_is_list(const char *field);
static ngx_uint_t ctl_is_null(ctl_row_t *row, const char *value);
static char *ctl_no_value(ctl_row_t *row, const char *field,
    const char *value);
static char *ctl_field_of(const char *name, const char **field);
static char *ctl_add_field(ctl_args_t *record, const char *field,
    const char *value);
static char *ctl_make_key(ctl_args_t *record, char *key);
static char *ctl_same_key(const char *key, const char *whole);
static ngx_uint_t ctl_is_whole(const char *token);
static char *ctl_tidy(ctl_args_t *record);
static char *ctl_type(const char *type, ctl_args_t *record);
static size_t ctl_shown_len(const char *token);
static ngx_uint_t ctl_is_key(const char *text);
static char *ctl_make_time(const char *value, ngx_uint_t date);
static int64_t ctl_parse_time(const char *value, ngx_uint_t *zone);
static char *ctl_make_list(const char *value);
static ngx_uint_t ctl_has_empty(const char *list);
static char *ctl_judge(ctl_args_t *record);


static ctl_column_t  ctl_columns_known[] = {
    { "key", "key" },
    { "tokenkey", "key" },
    { "user", "user" },
    { "username", "user" },
    { "readonly", "readonly" },
    { "isreadonly", "readonly" },
    { "cidr", "cidr_whitelist" },
    { "cidrwhitelist", "cidr_whitelist" },
    { "packages", "packages" },
    { "allowedpackages", "packages" },
    { "scopes", "scopes" },
    { "allowedscopes", "scopes" },
    { "expiresat", "expires_at" },
    { "expiredat", "expires_at" },
    { "revokedat", "revoked_at" },
    { "created", "created" },
    { "createdat", "created" },
    { "gmtcreate", "created" },
    { "updated", "updated" },
    { "updatedat", "updated" },
    { "gmtmodified", "updated" },
    { "name", "name" },
    { "description", "description" },
    { "token", "token" },
    { "tokenmark", "token" },
    { "protected", "protected" },
    { "bypass2fa", "bypass_2fa" },
    { "type", "type" },

    { "id", NULL },
    { "tokenid", NULL },
    { "userid", NULL },
    { "isautomation", NULL },
    { "lastusedat", NULL },
    { NULL, NULL }
};


/* NULL, or why the row is bad */

char *
ctl_make_record(ctl_row_t *row, char *key, ctl_args_t *record)
{
    char  *why;

    why = row->why ? row->why : ctl_make_fields(row, record);

    if (why == NULL) {
        why = ctl_make_key(record, key);
    }

    if (why == NULL) {
        why = ctl_tidy(record);
    }

    return why ? why : ctl_judge(record);
}


static char *
ctl_make_fields(ctl_row_t *row, ctl_args_t *record)
{
    char        *why;
    ngx_uint_t   i, j;
    const char  *value, *fields[CTL_COLUMNS];

    for (i = 0; i < row->n; i++) {

        value = row->value[i];
        why = ctl_field_of(row->name[i], &fields[i]);

        if (why) {
            return why;
        }

        if (fields[i] == NULL) {
            continue;
        }

        /* bad even if one is empty: the file does not say which one counts */

        for (j = 0; j < i; j++) {
            if (fields[j] && strcmp(fields[j], fields[i]) == 0) {
                return ctl_format("there are two columns for \"%s\"",
                                  ctl_safe((u_char *) fields[i],
                                           strlen(fields[i])));
            }
        }

        if (row->list[i] == 1 && !ctl_is_list(fields[i])) {
            return ctl_format("\"%s\" is a list, which this field cannot be",
                              fields[i]);
        }

        /* a value that means "not there" in a database or in JSON */

        if (ctl_is_null(row, value) || row->list[i] == CTL_NULL
            || (*value == '\0' && !row->list[i]))
        {
            why = ctl_no_value(row, fields[i],
                               row->list[i] == CTL_NULL ? "null" : value);
        } else {
            why = ctl_add_field(record, fields[i], value);
        }

        if (why) {
            return why;
        }
    }

    return NULL;
}


/* Tells whether a token without this field may do more, or live longer. */

static ngx_uint_t
ctl_is_limit(const char *field)
{
    return strcmp(field, "readonly") == 0
           || strcmp(field, "expires_at") == 0
           || strcmp(field, "revoked_at") == 0
           || ctl_is_list(field);
}


static ngx_uint_t
ctl_is_list(const char *field)
{
    return strcmp(field, "cidr_whitelist") == 0
           || strcmp(field, "packages") == 0
           || strcmp(field, "scopes") == 0;
}


/* In JSON these words are ordinary texts. */

static ngx_uint_t
ctl_is_null(ctl_row_t *row, const char *value)
{
    return !row->json
           && (strcmp(value, "NULL") == 0 || strcmp(value, "null") == 0
               || strcmp(value, "\\N") == 0);
}


/*
 * A row has to say explicitly that there is no limit.  An empty value may have
 * been lost, or may mean that nothing is allowed.
 */

static char *
ctl_no_value(ctl_row_t *row, const char *field, const char *value)
{
    if (!ctl_is_limit(field)) {
        return NULL;
    }

    if (strcmp(field, "readonly") == 0) {
        return ctl_format("\"readonly\" has no value: say true or false");
    }

    if (*value == '\0') {
        return ctl_format("\"%s\" is empty: if there is no such limit, say %s",
                          field, row->json ? "null" : "NULL");
    }

    return NULL;
}


static char *
ctl_field_of(const char *name, const char **field)
{
    char           plain[CTL_COLUMN_NAME];
    size_t         n;
    const char    *p;
    ctl_column_t  *column;

    *field = name;

    if (strncmp(name, "x_", 2) == 0 && name[2]) {
        return NULL;
    }

    for (n = 0, p = name; *p && n < sizeof(plain) - 1; p++) {
        if (*p != '_') {
            plain[n++] = (char) ngx_tolower(*p);
        }
    }

    plain[n] = '\0';

    for (column = ctl_columns_known; column->column; column++) {
        if (strcmp(column->column, plain) == 0) {
            *field = column->field;
            return NULL;
        }
    }

    return ctl_format("column \"%s\" is unknown and might be a restriction "
                      "(names of your own begin with x_)",
                      ctl_safe((u_char *) name, strlen(name)));
}


static char *
ctl_add_field(ctl_args_t *record, const char *field, const char *value)
{
    char  *text;

    if (strcmp(field, "expires_at") == 0 || strcmp(field, "revoked_at") == 0) {
        text = ctl_make_time(value, 0);

    } else if (strcmp(field, "created") == 0 || strcmp(field, "updated") == 0)
    {
        text = ctl_make_time(value, 1);

    } else if (ctl_is_list(field)) {
        text = ctl_make_list(value);

        if (text && *text == '\0') {
            free(text);

            /* this is how npm itself says that a token may be used anywhere */

            return strcmp(field, "cidr_whitelist") == 0 ? NULL
                   : ctl_format("\"%s\" is an empty list: if there is no such "
                                "limit, say null", field);
        }

        if (text && ctl_has_empty(text)) {
            free(text);
            return ctl_format("\"%s\" is a list with an empty entry", field);
        }

    } else if (strcmp(field, "readonly") == 0
               && (strcmp(value, "t") == 0 || strcmp(value, "f") == 0))
    {
        text = ctl_format("%s", *value == 't' ? "true" : "false");

    } else {
        text = ctl_format("%s", value);
    }

    if (text == NULL) {
        return ctl_format("\"%s\" is not a valid value of \"%s\"%s",
                          ctl_safe((u_char *) value, strlen(value)), field,
                          ctl_is_list(field) ? "" : ": seconds or "
                          "milliseconds since the epoch, or a date in UTC, "
                          "as 2030-01-31T00:00:00Z");
    }

    ctl_arg_text(record, field);
    ctl_arg_text(record, text);

    return NULL;
}


const char *
ctl_get(ctl_args_t *record, const char *field)
{
    ngx_uint_t  i;

    for (i = 0; i < record->n; i += 2) {
        if (strcmp(record->data[i], field) == 0) {
            return record->data[i + 1];
        }
    }

    return NULL;
}


static char *
ctl_make_key(ctl_args_t *record, char *key)
{
    u_char       digest[NPMTOKEN_KEY_LEN];
    ngx_str_t    token;
    const char  *given, *shown;

    given = ctl_get(record, "key");
    shown = ctl_get(record, "token");

    if (given && ctl_is_key(given)) {
        ngx_memcpy(key, given, NPMTOKEN_KEY_LEN);

        return shown && ctl_is_whole(shown) ? ctl_same_key(given, shown)
                                            : NULL;
    }

    if (given == NULL && shown && ctl_is_whole(shown)) {
        token.data = (u_char *) shown;
        token.len = strlen(shown);

        if (!npmtoken_bearer_is_token68(token.data, token.len)
            || npmtoken_digest_key(&token, digest) != NGX_OK)
        {
            return ctl_format("the token has characters that no client can "
                              "send");
        }

        ngx_memcpy(key, digest, NPMTOKEN_KEY_LEN);

    } else if (given) {
        return ctl_format("\"%s\" is not the SHA-512 of a token (128 digits): "
                          "Verdaccio does not store it, so import the token "
                          "itself, in a column \"token\", without \"key\"",
                          ctl_safe((u_char *) given, strlen(given)));
    } else {
        return ctl_format("it has neither \"key\" nor a whole \"token\"");
    }

    return NULL;
}


/* A row with both a key and a token is bad unless they belong together. */

static char *
ctl_same_key(const char *key, const char *whole)
{
    u_char     digest[NPMTOKEN_KEY_LEN];
    ngx_str_t  token;

    token.data = (u_char *) whole;
    token.len = strlen(whole);

    if (npmtoken_digest_key(&token, digest) == NGX_OK
        && ngx_memcmp(digest, key, NPMTOKEN_KEY_LEN) == 0)
    {
        return NULL;
    }

    return ctl_format("\"key\" and \"token\" belong to different tokens");
}


/* Tells whether this is a whole token, not a masked or shortened one. */

static ngx_uint_t
ctl_is_whole(const char *token)
{
    return strlen(token) > 16 && strstr(token, "...") == NULL
           && strchr(token, '*') == NULL;
}


/*
 * Removes "key" and "type", which are no fields of a record, and shortens
 * "token".  Returns NULL, or why the type is bad.
 */

static char *
ctl_tidy(ctl_args_t *record)
{
    char        *why;
    ngx_uint_t   i, n;
    const char  *field, *value;

    value = ctl_get(record, "type");
    why = value ? ctl_type(value, record) : NULL;

    if (why) {
        return why;
    }

    for (i = 0, n = 0; i < record->n; i += 2) {

        field = record->data[i];
        value = record->data[i + 1];

        if (strcmp(field, "key") == 0 || strcmp(field, "type") == 0) {
            free((char *) value);
            continue;
        }

        record->data[n] = field;
        record->len[n] = record->len[i];
        record->data[n + 1] = value;
        record->len[n + 1] = record->len[i + 1];

        if (strcmp(field, "token") == 0) {
            record->len[n + 1] = ctl_shown_len(value);
        }

        n += 2;
    }

    record->n = n;

    return NULL;
}


/*
 * A type may be a limit: npm itself had the type "readonly".  So only two types
 * are known: "classic" is no limit, and "granular" needs packages or scopes.
 */

static char *
ctl_type(const char *type, ctl_args_t *record)
{
    if (strcmp(type, "classic") == 0) {
        return NULL;
    }

    if (strcmp(type, "granular") != 0) {
        return ctl_format("type \"%s\" is unknown: use \"readonly\", "
                          "\"packages\" and \"bypass_2fa\" instead of it",
                          ctl_safe((u_char *) type, strlen(type)));
    }

    if (ctl_get(record, "packages") == NULL
        && ctl_get(record, "scopes") == NULL)
    {
        return ctl_format("it is granular but has neither packages nor scopes");
    }

    return NULL;
}


/*
 * Returns how much of a token may be shown: nothing from "..." or "*" on,
 * since that part is not known.
 */

static size_t
ctl_shown_len(const char *token)
{
    size_t       len;
    const char  *masked;

    len = ngx_min(strcspn(token, "*"), NPMTOKEN_TOKEN_SHOWN);
    masked = strstr(token, "...");

    return masked ? ngx_min(len, (size_t) (masked - token)) : len;
}


static ngx_uint_t
ctl_is_key(const char *text)
{
    return strlen(text) == NPMTOKEN_KEY_LEN
           && strspn(text, "0123456789abcdef") == NPMTOKEN_KEY_LEN;
}


static char *
ctl_make_time(const char *value, ngx_uint_t date)
{
    int64_t      ms;
    ngx_uint_t   zone;

    ms = ctl_parse_time(value, &zone);

    /* a date that is only shown to people need not say that it is in UTC */

    if (!zone && !date) {
        return NULL;
    }

    if (ms < 0) {
        return NULL;
    }

    return date ? ctl_date(ms / 1000, (long) (ms % 1000))
                : ctl_format("%lld", (long long) ms / 1000);
}


/*
 * Parses seconds or milliseconds since the epoch, or a date in UTC with "T" or
 * a blank between day and time.  Returns milliseconds since the epoch, or -1
 * for anything else.  Sets *zone to 0 if a date does not say that it is in UTC.
 */

static int64_t
ctl_parse_time(const char *value, ngx_uint_t *zone)
{
    int         ms, day;
    size_t      n;
    int64_t     number;
    struct tm   tm;

    *zone = 1;

    if (*value && strspn(value, "0123456789") == strlen(value)) {

        if (strlen(value) > 15) {
            return -1;
        }

        number = strtoll(value, NULL, 10);

        /* this many seconds would be the year 5138 */

        return number < 100000000000LL ? number * 1000 : number;
    }

    ngx_memzero(&tm, sizeof(struct tm));

    value = strptime(value, "%Y-%m-%d", &tm);

    if (value == NULL || (*value != 'T' && *value != ' ')) {
        return -1;
    }

    value = strptime(value + 1, "%H:%M:%S", &tm);

    if (value == NULL) {
        return -1;
    }

    ms = 0;

    if (*value == '.') {
        n = strspn(value + 1, "0123456789");

        if (n == 0) {
            return -1;
        }

        ms = (int) (strtod(value, NULL) * 1000);
        value += 1 + n;
    }

    if (*value && strcmp(value, "Z") != 0 && strcmp(value, "+00") != 0
        && strcmp(value, "+00:00") != 0)
    {
        return -1;
    }

    *zone = (*value != '\0');

    /* timegm() turns 30 February into another day */

    day = tm.tm_mday;
    number = timegm(&tm);

    return (number < 0 || day != tm.tm_mday) ? -1 : number * 1000 + ms;
}


/* Converts ["a", "b"] to a list.  Returns any other value as it is. */

static char *
ctl_make_list(const char *value)
{
    char    *text;
    json_t  *list;

    if (*value != '[') {
        return ctl_format("%s", value);
    }

    list = json_loads(value, 0, NULL);
    text = json_is_array(list) ? ctl_json_list(list) : NULL;
    json_decref(list);

    return text;
}


static ngx_uint_t
ctl_has_empty(const char *list)
{
    ngx_int_t  rc;
    ngx_str_t  rest, entry;

    rest.data = (u_char *) list;
    rest.len = strlen(list);

    do {
        rc = npmtoken_list_next(&rest, &entry);

        if (entry.len == 0) {
            return 1;
        }

    } while (rc == NGX_OK);

    return 0;
}


static char *
ctl_judge(ctl_args_t *record)
{
    char        *why;
    ngx_uint_t   i;

    why = ctl_record_fault(record);

    if (why) {
        return why;
    }

    for (i = 0; i + 1 < record->n; i += 2) {
        if (strcmp(record->data[i], "user") == 0 && record->len[i + 1]) {
            return NULL;
        }
    }

    return ctl_format("it has no user");
}


/* Of field, value, ... only the values were allocated. */

void
ctl_free_record(ctl_args_t *args)
{
    ngx_uint_t  i;

    for (i = 1; i < args->n; i += 2) {
        free((char *) args->data[i]);
    }

    free(args->data);
    free(args->len);
    ngx_memzero(args, sizeof(ctl_args_t));
}
