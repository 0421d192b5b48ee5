
/*
 * Allocates memory, or ends the program.
 */


#include "npmtokenctl.h"


static void ctl_no_memory(void) __attribute__((noreturn));


void *
ctl_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size);
    if (p == NULL) {
        ctl_no_memory();
    }

    return p;
}


/* Makes room for one more than "n".  Doubles the room at each power of two. */

void *
ctl_grow(void *array, ngx_uint_t n, size_t size)
{
    if (n & (n - 1)) {
        return array;
    }

    array = realloc(array, (n ? 2 * n : 1) * size);
    if (array == NULL) {
        ctl_no_memory();
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
        ctl_no_memory();
    }

    va_end(args);

    return text;
}


/* Like ctl_die(), but does not allocate. */

static void
ctl_no_memory(void)
{
    ctl_progress_done();
    fflush(stdout);

    if (ctl_options.json) {
        fprintf(stderr, "{\"error\": \"no memory\", \"code\": %d}\n",
                CTL_BAD);

    } else {
        fprintf(stderr, "npmtokenctl: no memory\n");
    }

    exit(CTL_BAD);
}
