
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


void *
ctl_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size);
    if (p == NULL) {
        ctl_die(CTL_BAD, "no memory");
    }

    return p;
}


/* room for one more than "n", doubled at each power of two */

void *
ctl_grow(void *array, ngx_uint_t n, size_t size)
{
    if (n & (n - 1)) {
        return array;
    }

    array = realloc(array, (n ? 2 * n : 1) * size);
    if (array == NULL) {
        ctl_die(CTL_BAD, "no memory");
    }

    return array;
}


char *
ctl_format(const char *format, ...)
{
    char     *text;
    va_list   args;

    va_start(args, format);

    if (vasprintf(&text, format, args) < 0) {
        ctl_die(CTL_BAD, "no memory");
    }

    va_end(args);

    return text;
}


char *
ctl_safe(const u_char *data, size_t len)
{
    char      *text, *p;
    u_char    *next, *last;
    uint32_t   c;

    text = ctl_alloc(4 * len + 1);
    p = text;
    last = (u_char *) data + len;

    while (data < last) {

        next = (u_char *) data;
        c = (*data < 0x80) ? *next++ : ngx_utf8_decode(&next, last - data);

        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff
            || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
        {
            p += sprintf(p, "\\x%02x", *data++);
            continue;
        }

        while (data < next) {
            *p++ = (char) *data++;
        }
    }

    return text;
}


json_t *
ctl_json(const u_char *data, size_t len)
{
    json_t  *json;

    json = json_stringn((const char *) data, len);

    return json ? json : json_string(ctl_safe(data, len));
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


char *
ctl_date(int64_t seconds, long milliseconds)
{
    char       text[64];
    time_t     time;
    struct tm  tm;

    time = (time_t) seconds;
    gmtime_r(&time, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);

    return ctl_format("%s.%03ldZ", text, milliseconds);
}


char *
ctl_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return ctl_date(ts.tv_sec, ts.tv_nsec / 1000000);
}
