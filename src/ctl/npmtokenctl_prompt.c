
/*
 * Input of a person.  A password is read without echo.  However the program
 * ends, it restores the terminal.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <termios.h>
#include "npmtokenctl.h"
#include "npmtoken_password.h"


static ngx_str_t ctl_ask(const char *question);
static void ctl_echo_on(void);
static void ctl_signal(int signo);
static void ctl_check_password(ngx_str_t *password);


static struct termios         ctl_terminal;
static volatile sig_atomic_t  ctl_silent;


ngx_str_t
ctl_new_password(const char *name)
{
    ngx_str_t  password, again;

    if (ctl_options.password_stdin || !isatty(STDIN_FILENO)) {
        password = ctl_read_line();
        ctl_check_password(&password);
        return password;
    }

    password = ctl_ask(ctl_format("New password of %s: ", name));
    ctl_check_password(&password);

    again = ctl_ask("Again: ");

    if (password.len != again.len
        || memcmp(password.data, again.data, again.len) != 0)
    {
        ctl_die(CTL_BAD, "the passwords do not match; nothing was changed");
    }

    return password;
}


static void
ctl_check_password(ngx_str_t *password)
{
    if (!npmtoken_password_is_allowed(password)) {
        ctl_die(CTL_BAD, "a password has %d to %d bytes and contains no NUL",
                NPMTOKEN_PASSWORD_MIN, NPMTOKEN_PASSWORD_MAX);
    }
}


static ngx_str_t
ctl_ask(const char *question)
{
    ngx_str_t       line;
    struct termios  silent;

    if (tcgetattr(STDIN_FILENO, &ctl_terminal) != 0) {
        ctl_die(CTL_BAD, "cannot read the settings of the terminal");
    }

    silent = ctl_terminal;
    silent.c_lflag &= ~(tcflag_t) ECHO;

    signal(SIGINT, ctl_signal);
    signal(SIGTERM, ctl_signal);
    signal(SIGHUP, ctl_signal);
    signal(SIGQUIT, ctl_signal);
    signal(SIGTSTP, SIG_IGN);
    atexit(ctl_echo_on);

    ctl_silent = 1;

    /* discard what was typed before the question */

    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) {
        ctl_die(CTL_BAD, "cannot turn off echo on the terminal");
    }

    fprintf(stderr, "%s", question);
    line = ctl_read_line();

    ctl_echo_on();
    fputc('\n', stderr);

    return line;
}


static void
ctl_echo_on(void)
{
    if (ctl_silent) {
        ctl_silent = 0;
        (void) tcsetattr(STDIN_FILENO, TCSANOW, &ctl_terminal);
    }
}


static void
ctl_signal(int signo)
{
    ctl_echo_on();
    signal(signo, SIG_DFL);
    raise(signo);
}


ngx_str_t
ctl_read_line(void)
{
    char       *text;
    size_t      size;
    ssize_t     n;
    ngx_str_t   line;

    text = NULL;
    size = 0;

    n = getline(&text, &size, stdin);
    if (n == -1) {
        ctl_die(CTL_BAD, "nothing was read from the standard input");
    }

    if (n > 0 && text[n - 1] == '\n') {
        n--;
    }

    if (n > 0 && text[n - 1] == '\r') {
        n--;
    }

    line.data = (u_char *) text;
    line.len = n;

    return line;
}


void
ctl_confirm(const char *question)
{
    ngx_str_t  line;

    if (ctl_options.yes) {
        return;
    }

    if (!isatty(STDIN_FILENO)) {
        ctl_die(CTL_USAGE, "this needs --yes when there is no terminal to ask "
                "on");
    }

    fprintf(stderr, "%s [yes/no] ", question);
    line = ctl_read_line();

    if (line.len != 3 || memcmp(line.data, "yes", 3) != 0) {
        ctl_die(CTL_BAD, "nothing was changed");
    }
}
