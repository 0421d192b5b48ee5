
/*
 * Reads a CSV or JSON file row by row, also more than once.
 */


#include "npmtokenctl_import.h"


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
static ngx_uint_t ctl_has_user(json_t *object, const char *user);
static void ctl_json_fault(json_error_t *error, const char *begin);
static void ctl_row_add(ctl_row_t *row, const char *name, const char *value,
    ngx_uint_t list);
static void ctl_row_free(ctl_row_t *row);


static struct {
    char                 *data;
    size_t                len;
    ngx_uint_t            elements;
} ctl_rows;


void
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
        if (size - ctl_rows.len < 2) {
            size = size ? 2 * size : 65536;
            ctl_rows.data = realloc(ctl_rows.data, size);

            if (ctl_rows.data == NULL) {
                ctl_die(CTL_BAD, "no memory");
            }
        }

        n = fread(ctl_rows.data + ctl_rows.len, 1, size - ctl_rows.len - 1,
                  file);
        ctl_rows.len += n;

    } while (n);

    if (ferror(file)) {
        ctl_die(CTL_USAGE, "cannot read \"%s\": %s", path, strerror(errno));
    }

    ctl_rows.data[ctl_rows.len] = '\0';

    /* remove a byte order mark, which is only at the beginning */

    if (strncmp(ctl_rows.data, "\357\273\277", 3) == 0) {
        ctl_rows.len -= 3;
        memmove(ctl_rows.data, ctl_rows.data + 3, ctl_rows.len + 1);
    }

    if (strlen(ctl_rows.data) != ctl_rows.len) {
        ctl_die(CTL_BAD, "\"%s\" contains a NUL, so it is not a text file",
                path);
    }
}


/*
 * The file is JSON if it begins like JSON: one document, or a document on each
 * line.  Else it is CSV.
 */

void
ctl_each_row(ctl_row_pt handler)
{
    json_t        *json, *value;
    const char    *p, *user;
    json_error_t   error;

    p = ctl_rows.data + strspn(ctl_rows.data, " \t\r\n");

    if (*p != '{' && *p != '[') {
        ctl_each_csv(handler);
        return;
    }

    json = json_loads(p, JSON_REJECT_DUPLICATES, &error);
    ctl_rows.elements = 0;

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

    copy = ctl_format("%s", ctl_rows.data);
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
            row.why = ctl_format("it has %lu columns, but the first line has "
                                 "%lu",
                                 (unsigned long) n, (unsigned long) columns);
        }

        handler(&row, p - copy, ctl_rows.len);
        ctl_row_free(&row);
    }

    free(copy);
}


/* Splits a row into cells, in place. */

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
                ctl_die(CTL_BAD, "line %lu, cell %lu: a carriage return is not "
                        "at the end of the line",
                        (unsigned long) *line,
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


/* Returns where the cell ends.  A quoted cell may contain any character. */

static char *
ctl_csv_cell(char *p, char **cell, ngx_uint_t *line)
{
    char  *to;

    if (*p != '"') {
        *cell = p;
        p += strcspn(p, "\",\r\n");

        if (*p == '"') {
            ctl_die(CTL_BAD, "line %lu: a quote is inside a cell that does not "
                    "begin with a quote", (unsigned long) *line);
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
        ctl_die(CTL_BAD, "line %lu: text follows a closing quote",
                (unsigned long) *line);
    }

    /* if the cell ends at p, the caller reads *p before it cuts there */

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

    p = ctl_rows.data;

    for (line = 1; *p; line++, p = end + (*end == '\n')) {

        end = p + strcspn(p, "\n");

        if (strspn(p, " \t\r") >= (size_t) (end - p)) {
            continue;
        }

        json = json_loadb(p, end - p, JSON_REJECT_DUPLICATES, &error);

        if (!json_is_object(json)) {
            ctl_die(CTL_BAD, "line %lu is not a JSON object: %s",
                    (unsigned long) line, json ? "it is something else"
                    : error.text);
        }

        ctl_json_row(json, NULL, line, end - ctl_rows.data, handler);
        json_decref(json);
    }
}


static void
ctl_each_element(json_t *list, const char *user, ctl_row_pt handler)
{
    size_t   i, n;
    json_t  *element;

    if (!json_is_array(list)) {
        ctl_die(CTL_BAD, "the tokens of \"%s\" are not an array", user);
    }

    n = json_array_size(list);

    json_array_foreach(list, i, element) {

        if (!json_is_object(element)) {
            ctl_die(CTL_BAD, "element %lu is not an object",
                    (unsigned long) ctl_rows.elements + 1);
        }

        ctl_json_row(element, user, ++ctl_rows.elements,
                     ctl_rows.len * (i + 1) / n, handler);
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
            row.why = ctl_format("\"%s\" has a value of the wrong type",
                                 ctl_safe((u_char *) name, strlen(name)));
        }
    }

    handler(&row, offset, ctl_rows.len);
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
 * Tells whether a row of a store by users names that user itself.  If it names
 * another user, it gets a second "user", and is bad for that.
 */

static ngx_uint_t
ctl_has_user(json_t *object, const char *user)
{
    const char  *own;

    own = json_string_value(json_object_get(object, "user"));

    return own && strcmp(own, user) == 0;
}


/*
 * The whole file is not one JSON document, but may be a document on each line.
 * If the first line is no document either, reports where the error is.
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

    for (line = error->line, p = ctl_rows.data; p < begin; p++) {
        line += (*p == '\n');
    }

    ctl_die(CTL_BAD, "neither line %lu nor the whole file is a JSON object: "
            "column %d: %s", (unsigned long) line, error->column,
            ctl_safe((u_char *) error->text, strlen(error->text)));
}


/*
 * Refuses an element with a comma, which would become two elements.  Refuses an
 * empty or blank element, which would get lost.
 */

char *
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
