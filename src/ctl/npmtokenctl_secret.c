
/*
 * Passwords of users of Redis: made, read, asked for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sodium/randombytes.h>
#include "npmtokenctl_init.h"


/* where a file is that a person makes */
#define CTL_SECRET_DIR    "/etc/nginx"

/* digits of a password that is made: 238 bits */
#define CTL_SECRET_LEN    40

/* nginx reads no longer one */
#define CTL_SECRET_MAX    256


static void ctl_secret_make(const char *path);
static char *ctl_secret_read(const char *path);
static void ctl_secret_check(const char *user, ngx_str_t *password);


void
ctl_secret(const char *user, ngx_str_t *password, char *hash)
{
    char    *path;
    u_char   digest[EVP_MAX_MD_SIZE];

    if (ctl_options.passwords) {
        path = ctl_secret_path(user);
        ctl_secret_make(path);
        *password = ctl_str(ctl_secret_read(path));

    } else {
        *password = ctl_new_password(user);
    }

    ctl_secret_check(user, password);

    if (EVP_Digest(password->data, password->len, digest, NULL, EVP_sha256(),
                   NULL) != 1)
    {
        ctl_die(CTL_BAD, "the password cannot be hashed");
    }

    hash[0] = '#';
    *ngx_hex_dump((u_char *) hash + 1, digest, (CTL_HASH_LEN - 1) / 2) = '\0';
}


char *
ctl_secret_path(const char *user)
{
    char        *dir, *path;
    const char  *given;

    given = ctl_options.passwords ? ctl_options.passwords : CTL_SECRET_DIR;

    dir = realpath(given, NULL);

    if (dir == NULL && ctl_options.passwords) {
        ctl_die(CTL_USAGE, "there is no directory \"%s\": %s", given,
                strerror(errno));
    }

    path = ctl_format("%s/%s.password", dir ? dir : given, user);
    free(dir);

    return path;
}


/* A file that is there stays as it is. */

static void
ctl_secret_make(const char *path)
{
    int      fd;
    u_char   password[CTL_SECRET_LEN + 1];
    size_t   i;

    static const char  digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz";

    fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {

        if (errno != EEXIST) {
            ctl_die(CTL_BAD, "cannot make \"%s\": %s", path, strerror(errno));
        }

        return;
    }

    for (i = 0; i < CTL_SECRET_LEN; i++) {
        password[i] = digits[randombytes_uniform(sizeof(digits) - 1)];
    }

    password[i] = '\n';

    if (write(fd, password, sizeof(password)) != sizeof(password)
        || fsync(fd) != 0 || close(fd) != 0)
    {
        (void) unlink(path);
        ctl_die(CTL_BAD, "cannot write \"%s\": %s", path, strerror(errno));
    }

    ngx_explicit_memzero(password, sizeof(password));
    ctl_note("%s is made, with a new password in it.", path);
}


/* Returns all of the file but the end of its line, as nginx takes it. */

static char *
ctl_secret_read(const char *path)
{
    int      fd;
    char    *text;
    ssize_t  n;

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        ctl_die(CTL_USAGE, "cannot open \"%s\": %s", path, strerror(errno));
    }

    text = ctl_alloc(CTL_SECRET_MAX + 1);
    n = read(fd, text, CTL_SECRET_MAX);
    close(fd);

    if (n == CTL_SECRET_MAX) {
        ctl_die(CTL_USAGE, "\"%s\" has more than a password in it", path);
    }

    while (n > 0 && (text[n - 1] == LF || text[n - 1] == CR)) {
        n--;
    }

    if (n <= 0) {
        ctl_die(CTL_USAGE, "there is no password in \"%s\"", path);
    }

    text[n] = '\0';

    return text;
}


static void
ctl_secret_check(const char *user, ngx_str_t *password)
{
    size_t  i;

    for (i = 0; i < password->len; i++) {

        if (password->data[i] < 0x20 || password->data[i] == 0x7f) {
            ctl_die(CTL_BAD, "the password of \"%s\" has a control character "
                    "in it", user);
        }
    }
}


char *
ctl_nginx_quoted(const char *text)
{
    char  *quoted, *p;

    if (*text && strpbrk(text, " \t\"'\\;{}$#") == NULL) {
        return ctl_format("%s", text);
    }

    quoted = ctl_alloc(2 * strlen(text) + 3);
    p = quoted;
    *p++ = '"';

    for ( /* void */ ; *text; text++) {

        if (*text == '"' || *text == '\\') {
            *p++ = '\\';
        }

        *p++ = *text;
    }

    *p = '"';

    return quoted;
}
