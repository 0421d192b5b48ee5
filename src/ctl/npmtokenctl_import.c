
/*
 * Keys of another registry.
 *
 * The file is read twice.  First each row is made a record and judged; if one
 * is bad nothing is imported (or only it is not, with --skip-bad): a row is
 * never imported with less of a limit than it had, so a column that is not
 * known is an error, and so is whatever could be read in two ways.  Then the
 * rows are sent, many at a time.
 *
 * A row whose key is there already is left as it is: so an import that was
 * interrupted is simply begun again.
 */


#include "npmtokenctl.h"
#include "npmtoken_bearer.h"
#include "npmtoken_list.h"
#include "npmtoken_token.h"


#define CTL_COLUMNS      32
#define CTL_COLUMN_NAME  40

/* of a value: null in JSON, neither a text nor a list */
#define CTL_NULL         2

/* sent before a reply is read */
#define CTL_PIPELINE     500

/* bad rows that are told */
#define CTL_TOLD         20


/* a row: a value for each column that has one */

typedef struct {
    char                 *name[CTL_COLUMNS];
    char                 *value[CTL_COLUMNS];
    ngx_uint_t            list[CTL_COLUMNS];  /* 1: an array, or CTL_NULL */
    ngx_uint_t            n;
    ngx_uint_t            json;       /* or a line of CSV */
    ngx_uint_t            line;       /* or its number */
    char                 *why;        /* it is bad as it stands there */
} ctl_row_t;


typedef void (*ctl_row_pt)(ctl_row_t *row, size_t offset);


/* what a column is called elsewhere: lower case, without "_" */

typedef struct {
    const char           *column;
    const char           *field;      /* NULL: says nothing of the token */
} ctl_column_t;


static void ctl_read_file(const char *path);
static void ctl_each_row(ctl_row_pt handler);
static ngx_uint_t ctl_is_by_user(json_t *json);
static void ctl_each_csv(ctl_row_pt handler);
static char *ctl_csv_row(char *p, char **cells, ngx_uint_t *n,
    ngx_uint_t *line);
static char *ctl_csv_cell(char *p, char **cell, ngx_uint_t *line);
static void ctl_each_line(ctl_row_pt handler);
static void ctl_each_element(json_t *list, const char *user,
    ctl_row_pt handler);
static void ctl_json_row(json_t *object, const char *user, ngx_uint_t number,
    size_t offset, ctl_row_pt handler);
static char *ctl_json_value(json_t *value);
static char *ctl_json_list(json_t *list);
static ngx_uint_t ctl_has_user(json_t *object, const char *user);
static void ctl_json_fault(json_error_t *error, const char *begin);
static void ctl_row_add(ctl_row_t *row, const char *name, const char *value,
    ngx_uint_t list);
static void ctl_row_free(ctl_row_t *row);

static char *ctl_make_record(ctl_row_t *row, char *key, ctl_args_t *record);
static char *ctl_make_fields(ctl_row_t *row, ctl_args_t *record);
static char *ctl_field_of(const char *name, const char **field);
static ngx_uint_t ctl_is_limit(const char *field);
static ngx_uint_t ctl_is_list(const char *field);
static ngx_uint_t ctl_is_null(ctl_row_t *row, const char *value);
static char *ctl_no_value(ctl_row_t *row, const char *field,
    const char *value);
static char *ctl_add_field(ctl_args_t *record, const char *field,
    const char *value);
static const char *ctl_get(ctl_args_t *record, const char *field);
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
static void ctl_free_record(ctl_args_t *args);

static void ctl_judge_row(ctl_row_t *row, size_t offset);
static char *ctl_note_key(ctl_row_t *row, const char *key);
static ngx_uint_t ctl_is_double(const char *key);
static void ctl_bad_row(ngx_uint_t line, char *why);
static void ctl_send_row(ctl_row_t *row, size_t offset);
static void ctl_read_status(void);


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


static struct {
    char                 *data;
    size_t                len;
    ngx_uint_t            elements;
    ngx_uint_t            good;
    ngx_uint_t            bad;
    ngx_uint_t            sent;
    ngx_uint_t            waiting;
    ngx_uint_t            imported;
    ngx_uint_t            there;
    ngx_uint_t            respelt;
    json_t               *keys;       /* to the row; 0: several have it */
    json_t               *errors;
    ctl_args_t            args;
} ctl_file;


int
ctl_import(char **argv, ngx_uint_t n)
{
    (void) n;

    ctl_file.keys = json_object();
    ctl_file.errors = json_array();
    ctl_read_file(argv[0]);

    ctl_each_row(ctl_judge_row);
    ctl_progress_done();

    if (ctl_file.bad > CTL_TOLD) {
        ctl_note("... and %lu more", (unsigned long) ctl_file.bad - CTL_TOLD);
    }

    if (ctl_file.good + ctl_file.bad == 0) {
        ctl_die(CTL_BAD, "there is no row in \"%s\"", argv[0]);
    }

    if (!ctl_options.dry_run && (ctl_file.bad == 0 || ctl_options.skip_bad)) {
        ctl_connect();
        ctl_each_row(ctl_send_row);

        while (ctl_file.waiting) {
            ctl_read_status();
        }

        ctl_progress_done();

        if (ctl_file.respelt) {
            ctl_note("%lu rows spell the name of an account in another case "
                     "than it does: these are not imported",
                     (unsigned long) ctl_file.respelt);
        }

        ctl_wait_or_die();
    }

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}",
                                 "good", (int) ctl_file.good,
                                 "bad", (int) ctl_file.bad,
                                 "imported", (int) ctl_file.imported,
                                 "there_already", (int) ctl_file.there,
                                 "respelt", (int) ctl_file.respelt,
                                 "errors", ctl_file.errors));

    } else if (ctl_options.dry_run) {
        printf("%lu rows are good, %lu bad; nothing was imported\n",
               (unsigned long) ctl_file.good, (unsigned long) ctl_file.bad);

    } else if (ctl_file.bad && !ctl_options.skip_bad) {
        printf("%lu rows are bad: nothing was imported\n",
               (unsigned long) ctl_file.bad);

    } else {
        printf("%lu imported, %lu were there already, %lu bad\n",
               (unsigned long) ctl_file.imported,
               (unsigned long) ctl_file.there, (unsigned long) ctl_file.bad);
    }

    return (ctl_file.bad || ctl_file.respelt) ? CTL_BAD : CTL_OK;
}


static void
ctl_read_file(const char *path)
{
    FILE    *file;
    size_t   size, n;

    file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        ctl_die(CTL_USAGE, "cannot open \"%s\": %s", path, strerror(errno));
    }

    size = 0;

    do {
        if (size - ctl_file.len < 2) {
            size = size ? 2 * size : 65536;
            ctl_file.data = realloc(ctl_file.data, size);

            if (ctl_file.data == NULL) {
                ctl_die(CTL_BAD, "no memory");
            }
        }

        n = fread(ctl_file.data + ctl_file.len, 1, size - ctl_file.len - 1,
                  file);
        ctl_file.len += n;

    } while (n);

    if (ferror(file)) {
        ctl_die(CTL_USAGE, "cannot read \"%s\": %s", path, strerror(errno));
    }

    ctl_file.data[ctl_file.len] = '\0';

    /* a byte order mark is at the beginning, and nowhere else */

    if (strncmp(ctl_file.data, "\357\273\277", 3) == 0) {
        ctl_file.len -= 3;
        memmove(ctl_file.data, ctl_file.data + 3, ctl_file.len + 1);
    }

    if (strlen(ctl_file.data) != ctl_file.len) {
        ctl_die(CTL_BAD, "\"%s\" has a NUL in it: it is no text", path);
    }
}


/* JSON if it begins so: one document, or one on each line */

static void
ctl_each_row(ctl_row_pt handler)
{
    json_t        *json, *value;
    const char    *p, *user;
    json_error_t   error;

    p = ctl_file.data + strspn(ctl_file.data, " \t\r\n");

    if (*p != '{' && *p != '[') {
        ctl_each_csv(handler);
        return;
    }

    json = json_loads(p, JSON_REJECT_DUPLICATES, &error);
    ctl_file.elements = 0;

    if (json == NULL) {
        ctl_json_fault(&error, p);
    }

    if (json_is_array(json)) {
        ctl_each_element(json, NULL, handler);

    } else if (ctl_is_by_user(json)) {

        /* Verdaccio's store */

        json_object_foreach(json, user, value) {
            ctl_each_element(value, user, handler);
        }

    } else {
        ctl_each_line(handler);
    }

    json_decref(json);
}


/* { "alice": [ {...}, ... ], ... } */

static ngx_uint_t
ctl_is_by_user(json_t *json)
{
    json_t      *list;
    const char  *user;

    json_object_foreach(json, user, list) {

        if (!json_is_array(list)
            || (json_array_size(list)
                && !json_is_object(json_array_get(list, 0))))
        {
            return 0;
        }
    }

    return json_object_size(json) != 0;
}


static void
ctl_each_csv(ctl_row_pt handler)
{
    char        *p, *copy, *names[CTL_COLUMNS], *cells[CTL_COLUMNS];
    ctl_row_t    row;
    ngx_uint_t   i, n, columns, line;

    copy = ctl_format("%s", ctl_file.data);
    p = copy;
    line = 1;

    p = ctl_csv_row(p, names, &columns, &line);

    while (*p) {

        ngx_memzero(&row, sizeof(ctl_row_t));
        row.line = line;

        p = ctl_csv_row(p, cells, &n, &line);

        if (n == 1 && *cells[0] == '\0') {
            continue;
        }

        for (i = 0; i < n && i < columns; i++) {
            ctl_row_add(&row, names[i], cells[i], 0);
        }

        if (n != columns) {
            row.why = ctl_format("it has %lu columns, and the first line %lu",
                                 (unsigned long) n, (unsigned long) columns);
        }

        handler(&row, p - copy);
        ctl_row_free(&row);
    }

    free(copy);
}


/* cells are cut out of the text in place */

static char *
ctl_csv_row(char *p, char **cells, ngx_uint_t *n, ngx_uint_t *line)
{
    char        *end, c;
    ngx_uint_t   begin;

    *n = 0;
    begin = *line;

    for ( ;; ) {

        if (*n == CTL_COLUMNS) {
            ctl_die(CTL_BAD, "line %lu has more than %d columns",
                    (unsigned long) begin, CTL_COLUMNS);
        }

        end = ctl_csv_cell(p, &cells[(*n)++], line);
        c = *end;

        if (c == '\r') {

            if (end[1] != '\n') {
                ctl_die(CTL_BAD, "line %lu, cell %lu: a carriage return that "
                        "does not end the line", (unsigned long) *line,
                        (unsigned long) *n);
            }

            *end++ = '\0';
            c = '\n';
        }

        if (c != '\0') {
            *end++ = '\0';
        }

        if (c != ',') {
            *line += (c == '\n');
            return end;
        }

        p = end;
    }
}


/* where the cell ends; what is quoted may have anything in it */

static char *
ctl_csv_cell(char *p, char **cell, ngx_uint_t *line)
{
    char  *to;

    if (*p != '"') {
        *cell = p;
        p += strcspn(p, "\",\r\n");

        if (*p == '"') {
            ctl_die(CTL_BAD, "line %lu: a quote within a cell that does not "
                    "begin with one", (unsigned long) *line);
        }

        return p;
    }

    to = p;
    *cell = p++;

    for ( ;; ) {

        if (*p == '\0') {
            ctl_die(CTL_BAD, "line %lu: a quote is not closed",
                    (unsigned long) *line);
        }

        if (*p == '"' && *++p != '"') {
            break;
        }

        *line += (*p == '\n');
        *to++ = *p++;
    }

    if (*p && strchr(",\r\n", *p) == NULL) {
        ctl_die(CTL_BAD, "line %lu: text behind a quote",
                (unsigned long) *line);
    }

    /* the end is looked at before it is cut */

    if (to < p) {
        *to = '\0';
    }

    return p;
}


static void
ctl_each_line(ctl_row_pt handler)
{
    char          *p, *end;
    json_t        *json;
    ngx_uint_t     line;
    json_error_t   error;

    p = ctl_file.data;

    for (line = 1; *p; line++, p = end + (*end == '\n')) {

        end = p + strcspn(p, "\n");

        if (strspn(p, " \t\r") >= (size_t) (end - p)) {
            continue;
        }

        json = json_loadb(p, end - p, JSON_REJECT_DUPLICATES, &error);

        if (!json_is_object(json)) {
            ctl_die(CTL_BAD, "line %lu is no object of JSON: %s",
                    (unsigned long) line, json ? "it is something else"
                                               : error.text);
        }

        ctl_json_row(json, NULL, line, end - ctl_file.data, handler);
        json_decref(json);
    }
}


static void
ctl_each_element(json_t *list, const char *user, ctl_row_pt handler)
{
    size_t   i, n;
    json_t  *element;

    if (!json_is_array(list)) {
        ctl_die(CTL_BAD, "the tokens of \"%s\" are no array", user);
    }

    n = json_array_size(list);

    json_array_foreach(list, i, element) {

        if (!json_is_object(element)) {
            ctl_die(CTL_BAD, "element %lu is no object",
                    (unsigned long) ctl_file.elements + 1);
        }

        ctl_json_row(element, user, ++ctl_file.elements,
                     ctl_file.len * (i + 1) / n, handler);
    }
}


static void
ctl_json_row(json_t *object, const char *user, ngx_uint_t number,
    size_t offset, ctl_row_pt handler)
{
    char        *text;
    json_t      *value;
    ctl_row_t    row;
    const char  *name;

    ngx_memzero(&row, sizeof(ctl_row_t));
    row.line = number;

    row.json = 1;

    if (user && !ctl_has_user(object, user)) {
        ctl_row_add(&row, "user", user, 0);
    }

    json_object_foreach(object, name, value) {

        text = json_is_null(value) ? ctl_format("null")
                                   : ctl_json_value(value);

        if (text) {
            ctl_row_add(&row, name, text,
                        json_is_null(value) ? CTL_NULL : json_is_array(value));
            free(text);

        } else {
            row.why = ctl_format("\"%s\" has a value of a kind that it cannot "
                                 "have", ctl_safe((u_char *) name,
                                                  strlen(name)));
        }
    }

    handler(&row, offset);
    ctl_row_free(&row);
}


static char *
ctl_json_value(json_t *value)
{
    if (json_is_string(value)) {

        if (strlen(json_string_value(value)) != json_string_length(value)) {
            return NULL;
        }

        return ctl_format("%s", json_string_value(value));
    }

    if (json_is_integer(value)) {
        return ctl_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }

    if (json_is_boolean(value)) {
        return ctl_format("%s", json_is_true(value) ? "true" : "false");
    }

    return json_is_array(value) ? ctl_json_list(value) : NULL;
}


/*
 * Whose token it is in a store by users: the row may say so as well, but not
 * another.
 */

static ngx_uint_t
ctl_has_user(json_t *object, const char *user)
{
    const char  *own;

    own = json_string_value(json_object_get(object, "user"));

    return own && strcmp(own, user) == 0;
}


/*
 * The whole file is no document of JSON.  It may be one on each line; if the
 * first line is none either, says where the fault is.
 */

static void
ctl_json_fault(json_error_t *error, const char *begin)
{
    size_t       len;
    json_t      *first;
    const char  *p;
    ngx_uint_t   line;

    len = strcspn(begin, "\n");
    first = json_loadb(begin, len, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(first)) {
        json_decref(first);
        return;
    }

    for (line = error->line, p = ctl_file.data; p < begin; p++) {
        line += (*p == '\n');
    }

    ctl_die(CTL_BAD, "line %lu is no object of JSON, nor is the file one: "
            "column %d: %s", (unsigned long) line, error->column,
            ctl_safe((u_char *) error->text, strlen(error->text)));
}


/*
 * A comma within an element would make two of it, and one that is empty or
 * blank would be none.
 */

static char *
ctl_json_list(json_t *list)
{
    char    *text, *longer;
    size_t   i;
    json_t  *element;

    text = ctl_format("%s", "");

    json_array_foreach(list, i, element) {

        if (!json_is_string(element)
            || strchr(json_string_value(element), ',')
            || json_string_value(element)[strspn(json_string_value(element),
                                                 " \t")] == '\0'
            || strlen(json_string_value(element))
               != json_string_length(element))
        {
            free(text);
            return NULL;
        }

        longer = ctl_format("%s%s%s", text, i ? "," : "",
                            json_string_value(element));
        free(text);
        text = longer;
    }

    return text;
}


static void
ctl_row_add(ctl_row_t *row, const char *name, const char *value,
    ngx_uint_t list)
{
    if (row->n == CTL_COLUMNS) {
        ctl_die(CTL_BAD, "row %lu has more than %d columns",
                (unsigned long) row->line, CTL_COLUMNS);
    }

    row->list[row->n] = list;
    row->name[row->n] = ctl_format("%s", name);
    row->value[row->n++] = ctl_format("%s", value);
}


static void
ctl_row_free(ctl_row_t *row)
{
    ngx_uint_t  i;

    for (i = 0; i < row->n; i++) {
        free(row->name[i]);
        free(row->value[i]);
    }
}


/* NULL, or why the row is bad */

static char *
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

        /* also if one of them is empty: which one counts, is not said */

        for (j = 0; j < i; j++) {
            if (fields[j] && strcmp(fields[j], fields[i]) == 0) {
                return ctl_format("there are two columns for \"%s\"",
                                  ctl_safe((u_char *) fields[i],
                                           strlen(fields[i])));
            }
        }

        if (row->list[i] == 1 && !ctl_is_list(fields[i])) {
            return ctl_format("\"%s\" is a list, and can be none",
                              fields[i]);
        }

        /* what a database or JSON has for "not there" */

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


/* without it a token may more, or for longer */

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


/* in JSON these are texts as any other */

static ngx_uint_t
ctl_is_null(ctl_row_t *row, const char *value)
{
    return !row->json
           && (strcmp(value, "NULL") == 0 || strcmp(value, "null") == 0
               || strcmp(value, "\\N") == 0);
}


/*
 * That there is no limit has to be said: what is just empty may as well have
 * been lost, or mean that nothing is allowed.
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

    return ctl_format("column \"%s\" is not known: it might be a limit (your "
                      "own begin with x_)", ctl_safe((u_char *) name,
                                                     strlen(name)));
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

            /* npm itself says so that a token may be used anywhere */

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
        return ctl_format("\"%s\" is no value of \"%s\"%s",
                          ctl_safe((u_char *) value, strlen(value)), field,
                          ctl_is_list(field) ? "" : ": seconds or "
                          "milliseconds since the epoch, or a date in UTC, "
                          "as 2030-01-31T00:00:00Z");
    }

    ctl_arg_text(record, field);
    ctl_arg_text(record, text);

    return NULL;
}


static const char *
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

        if (npmtoken_bearer_token68(token.data, token.len) != NGX_OK
            || npmtoken_digest_key(&token, digest) != NGX_OK)
        {
            return ctl_format("the token is none that a client can send");
        }

        ngx_memcpy(key, digest, NPMTOKEN_KEY_LEN);

    } else if (given) {
        return ctl_format("\"%s\" is not the SHA-512 of a token (128 digits): "
                          "Verdaccio's store has no such, so only the token "
                          "itself, in a column \"token\" without \"key\", can "
                          "be imported", ctl_safe((u_char *) given,
                                                  strlen(given)));
    } else {
        return ctl_format("it has neither \"key\" nor a whole \"token\"");
    }

    return NULL;
}


/* a row that has both is about one token */

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

    return ctl_format("\"key\" is of another token than \"token\"");
}


/* not what is shown of a token to tell it from others */

static ngx_uint_t
ctl_is_whole(const char *token)
{
    return strlen(token) > 16 && strstr(token, "...") == NULL
           && strchr(token, '*') == NULL;
}


/* takes out of the record what is none of its fields, or too much */

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
 * A type may be a limit, as "readonly" was one of npm's own: two are known, of
 * which one says nothing.
 */

static char *
ctl_type(const char *type, ctl_args_t *record)
{
    if (strcmp(type, "classic") == 0) {
        return NULL;
    }

    if (strcmp(type, "granular") != 0) {
        return ctl_format("type \"%s\" is not known: say what it stands for in "
                          "\"readonly\", \"packages\", \"bypass_2fa\", and "
                          "leave it out", ctl_safe((u_char *) type,
                                                   strlen(type)));
    }

    if (ctl_get(record, "packages") == NULL
        && ctl_get(record, "scopes") == NULL)
    {
        return ctl_format("it is granular, and there are neither packages nor "
                          "scopes that it is for");
    }

    return NULL;
}


/* of a token, what may be shown: what is behind "..." or "*" is not known */

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

    /* what is in a record for people to see decides nothing */

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
 * In milliseconds: seconds or milliseconds since the epoch, or a date in UTC
 * ("T" or a blank between day and time).  -1: something else.  *zone is 0 if
 * it is a date that does not say that it is in UTC.
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

        /* in seconds that would be the year 5138 */

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

    /* 30 February is another day */

    day = tm.tm_mday;
    number = timegm(&tm);

    return (number < 0 || day != tm.tm_mday) ? -1 : number * 1000 + ms;
}


/* ["a", "b"], or the list as it is */

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


/* of field, value, ... the values were allocated */

static void
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


static void
ctl_judge_row(ctl_row_t *row, size_t offset)
{
    char        *why, key[NPMTOKEN_KEY_LEN];
    ctl_args_t   record;

    ngx_memzero(&record, sizeof(ctl_args_t));

    ctl_progress("checking", offset, ctl_file.len);

    why = ctl_make_record(row, key, &record);
    ctl_free_record(&record);

    if (why == NULL) {
        why = ctl_note_key(row, key);
    }

    if (why) {
        ctl_bad_row(row->line, why);

    } else {
        ctl_file.good++;
    }
}


/*
 * Of two rows with one key it is not said which one counts: both are bad.
 */

static char *
ctl_note_key(ctl_row_t *row, const char *key)
{
    char         name[NPMTOKEN_KEY_LEN + 1];
    json_t      *seen;
    ngx_uint_t   first;

    ngx_memcpy(name, key, NPMTOKEN_KEY_LEN);
    name[NPMTOKEN_KEY_LEN] = '\0';

    seen = json_object_get(ctl_file.keys, name);

    if (seen == NULL) {
        json_object_set_new(ctl_file.keys, name, json_integer(row->line));
        return NULL;
    }

    first = (ngx_uint_t) json_integer_value(seen);

    if (first) {
        ctl_file.good--;
        ctl_bad_row(first, ctl_format("row %lu has the same key",
                                      (unsigned long) row->line));
        json_integer_set(seen, 0);
    }

    return ctl_format("a row before it has the same key");
}


static ngx_uint_t
ctl_is_double(const char *key)
{
    char  name[NPMTOKEN_KEY_LEN + 1];

    ngx_memcpy(name, key, NPMTOKEN_KEY_LEN);
    name[NPMTOKEN_KEY_LEN] = '\0';

    return json_integer_value(json_object_get(ctl_file.keys, name)) == 0;
}


static void
ctl_bad_row(ngx_uint_t line, char *why)
{
    if (ctl_file.bad++ < CTL_TOLD) {
        ctl_progress_done();
        ctl_note("row %lu: %s", (unsigned long) line, why);
        json_array_append_new(ctl_file.errors,
                              json_pack("{s:i, s:s}", "row", (int) line,
                                        "why", why));
    }
}


static void
ctl_send_row(ctl_row_t *row, size_t offset)
{
    char                key[NPMTOKEN_KEY_LEN];
    ctl_args_t          record;
    npmtoken_change_t   change;

    ngx_memzero(&record, sizeof(ctl_args_t));

    if (ctl_make_record(row, key, &record) != NULL || ctl_is_double(key)) {
        ctl_free_record(&record);
        return;
    }

    ctl_record_change(&change, ctl_get(&record, "user"), (u_char *) key,
                      &record);

    ctl_script(&ctl_file.args, &change, npmtoken_script_create_args);
    ctl_append(&ctl_file.args);

    free(change.token.data);
    free(change.tokens.data);
    free(change.user.data);
    free(change.prefix.data);
    free(change.created.data);
    free(change.record);
    ctl_free_record(&record);

    if (++ctl_file.waiting == CTL_PIPELINE) {
        ctl_progress("importing", offset, ctl_file.len);

        while (ctl_file.waiting) {
            ctl_read_status();
        }
    }
}


static void
ctl_read_status(void)
{
    redisReply  *reply;

    reply = ctl_reply();
    ctl_file.waiting--;

    /* what is imported stays: the rest comes by the next try */

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_note("%lu rows were imported before this:",
                 (unsigned long) ctl_file.imported);
        ctl_refused(reply);
    }

    if (strcmp(reply->str, "OK") == 0) {
        ctl_file.imported++;

    } else if (strcmp(reply->str, "CHANGED") == 0) {
        ctl_file.respelt++;

    } else {
        ctl_file.there++;
    }

    freeReplyObject(reply);
}
