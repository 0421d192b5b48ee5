
/*
 * Output for a person or a program.
 */


#include "npmtokenctl.h"


#define CTL_CELLS     12


static size_t ctl_columns(const char *text);


static struct {
    char                **cells;
    ngx_uint_t            rows;
    ngx_uint_t            columns;
} ctl_table;


void
ctl_die(int code, const char *format, ...)
{
    char     text[4096];
    char    *json;
    va_list  args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    ctl_progress_done();
    fflush(stdout);

    if (ctl_options.json) {
        json = json_dumps(json_pack("{s:o, s:i}", "error",
                                    ctl_json((u_char *) text, strlen(text)),
                                    "code", code), 0);
        fprintf(stderr, "%s\n", json);

    } else {
        fprintf(stderr, "npmtokenctl: %s\n", text);
    }

    exit(code);
}


/* Prints a note for a person; a program reads the JSON. */

void
ctl_note(const char *format, ...)
{
    va_list  args;

    if (ctl_options.json) {
        return;
    }

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fputc('\n', stderr);
}


void
ctl_print_json(json_t *json)
{
    if (json_dumpf(json, stdout, JSON_INDENT(2)) != 0) {
        ctl_die(CTL_BAD, "cannot write to the standard output");
    }

    putchar('\n');
    json_decref(json);
}


void
ctl_row(const char **cells, ngx_uint_t n)
{
    ngx_uint_t  i;

    ctl_table.columns = n;

    for (i = 0; i < CTL_CELLS; i++) {
        ctl_table.cells = ctl_grow(ctl_table.cells,
                                   ctl_table.rows * CTL_CELLS + i,
                                   sizeof(char *));
        ctl_table.cells[ctl_table.rows * CTL_CELLS + i] =
            (i < n && cells[i] && *cells[i]) ? strdup(cells[i]) : strdup("-");
    }

    ctl_table.rows++;
}


void
ctl_print_rows(void)
{
    char        *cell;
    size_t       width[CTL_CELLS];
    ngx_uint_t   i, row;

    ngx_memzero(width, sizeof(width));

    for (row = 0; row < ctl_table.rows; row++) {
        for (i = 0; i < ctl_table.columns; i++) {
            cell = ctl_table.cells[row * CTL_CELLS + i];
            width[i] = ngx_max(width[i], ctl_columns(cell));
        }
    }

    for (row = 0; row < ctl_table.rows; row++) {

        for (i = 0; i < ctl_table.columns; i++) {

            cell = ctl_table.cells[row * CTL_CELLS + i];

            if (i == ctl_table.columns - 1) {
                printf("%s\n", cell);

            } else {
                printf("%s%*s", cell, (int) (width[i] - ctl_columns(cell)) + 2,
                       "");
            }
        }
    }
}


/* Counts the characters of a UTF-8 text: the bytes that begin one. */

static size_t
ctl_columns(const char *text)
{
    size_t  n;

    for (n = 0; *text; text++) {
        n += ((*text & 0xc0) != 0x80);
    }

    return n;
}
