
/*
 * A progress bar on a terminal.
 */


#include "npmtokenctl.h"


/* shortest time between two redraws */
#define CTL_PROGRESS  100       /* milliseconds */

#define CTL_BAR       32


static int64_t ctl_clock(void);


static struct {
    int64_t               drawn;
    unsigned              shown:1;
} ctl_bar;


void
ctl_progress(const char *what, size_t done, size_t total)
{
    int      filled;
    int64_t  now;

    if (ctl_options.json || !isatty(STDERR_FILENO)) {
        return;
    }

    now = ctl_clock();

    /* a job that is done at once needs no bar */

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
