
/*
 * What a person sees, or a program reads.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <qrencode.h>
#include "npmtokenctl.h"


#define CTL_CELLS     12

/* redrawn at most that often */
#define CTL_PROGRESS  100       /* milliseconds */

#define CTL_BAR       32

/* white around a code, in modules */
#define CTL_QUIET     4


static int64_t ctl_clock(void);
static size_t ctl_columns(const char *text);
static ngx_uint_t ctl_module(QRcode *code, int x, int y);


static struct {
    char                **cells;
    ngx_uint_t            rows;
    ngx_uint_t            columns;
} ctl_table;


static struct {
    int64_t               drawn;
    unsigned              shown:1;
} ctl_bar;


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


/* for a person: a program has the JSON */

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


/* of UTF-8, the bytes that begin a character */

static size_t
ctl_columns(const char *text)
{
    size_t  n;

    for (n = 0; *text; text++) {
        n += ((*text & 0xc0) != 0x80);
    }

    return n;
}


/*
 * Two modules in one character, the upper and the lower half; what is light
 * is drawn, so on a terminal the colours are given as well.
 */

void
ctl_print_qr(const char *text)
{
    int      x, y;
    QRcode  *code;

    static const char  *halves[] = {
        " ", "\342\226\204", "\342\226\200", "\342\226\210"
    };

    code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (code == NULL) {
        ctl_note("(too long for a QR code)");
        return;
    }

    for (y = -CTL_QUIET; y < code->width + CTL_QUIET; y += 2) {

        if (isatty(STDOUT_FILENO)) {
            printf("\033[40;97m");
        }

        for (x = -CTL_QUIET; x < code->width + CTL_QUIET; x++) {
            printf("%s", halves[2 * !ctl_module(code, x, y)
                                + !ctl_module(code, x, y + 1)]);
        }

        printf("%s\n", isatty(STDOUT_FILENO) ? "\033[0m" : "");
    }

    QRcode_free(code);
}


static ngx_uint_t
ctl_module(QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width) {
        return 0;
    }

    return code->data[y * code->width + x] & 1;
}


void
ctl_progress(const char *what, size_t done, size_t total)
{
    int      filled;
    int64_t  now;

    if (ctl_options.json || !isatty(STDERR_FILENO)) {
        return;
    }

    now = ctl_clock();

    /* what is done at once needs none */

    if (ctl_bar.drawn == 0) {
        ctl_bar.drawn = now;
    }

    if (now - ctl_bar.drawn < CTL_PROGRESS) {
        return;
    }

    ctl_bar.drawn = now;
    ctl_bar.shown = 1;

    done = ngx_min(done, total);
    filled = total ? (int) (done * CTL_BAR / total) : 0;

    fprintf(stderr, "\r%s [%.*s%*s] %3d%% ", what, filled,
            "################################", CTL_BAR - filled, "",
            total ? (int) (done * 100 / total) : 0);
}


void
ctl_progress_done(void)
{
    if (ctl_bar.shown) {
        fprintf(stderr, "\r\033[K");
    }

    ctl_bar.shown = 0;
    ctl_bar.drawn = 0;
}


static int64_t
ctl_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
