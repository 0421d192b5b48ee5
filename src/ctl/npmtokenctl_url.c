
/*
 * The URL of Redis, and what else a person says of where it is and as whom to
 * connect.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_url.h"


#define CTL_PORT             6379


/* how URLs begin */

typedef struct {
    const char           *prefix;
    ngx_uint_t            tls;
    ngx_uint_t            cluster;
    ngx_uint_t            sentinel;
} ctl_scheme_t;


static void ctl_parse_sentinels(char *hosts, ctl_url_t *url);
static void ctl_parse_path(char *path, ctl_url_t *url);
static void ctl_parse_host(char *host, ctl_url_t *url);
static void ctl_parse_userinfo(char *userinfo, ctl_url_t *url);
static void ctl_decode(char *text);


static ctl_scheme_t  ctl_schemes[] = {
    { "redis://", 0, 0, 0 },
    { "rediss://", 1, 0, 0 },
    { "redis-sentinel://", 0, 0, 1 },
    { "redis-sentinel+tls://", 1, 0, 1 },
    { "redis-cluster://", 0, 1, 0 },
    { "redis-cluster+tls://", 1, 1, 0 },
    { NULL, 0, 0, 0 }
};


/* Messages never contain a part of the URL that may be a password. */

void
ctl_parse_url(const char *text, ctl_url_t *url)
{
    char          *copy, *at;
    ctl_scheme_t  *scheme;

    copy = ctl_format("%s", text);

    if (strncmp(copy, "unix:/", 6) == 0 && copy[6] != '/') {
        ctl_parse_path(copy + 5, url);
        return;
    }

    for (scheme = ctl_schemes; scheme->prefix; scheme++) {
        if (strncmp(copy, scheme->prefix, strlen(scheme->prefix)) == 0) {
            break;
        }
    }

    if (scheme->prefix == NULL) {
        ctl_die(CTL_USAGE, "the URL of Redis must be "
                "redis://[user[:password]@]host[:port][/db], the same with "
                "rediss:// for TLS, redis-sentinel://host[:port],host[:port]"
                "/master[/db], redis-cluster://host[:port],host[:port], or "
                "unix:/path[:db]");
    }

    url->tls = scheme->tls;
    copy += strlen(scheme->prefix);
    at = strrchr(copy, '@');

    if (at) {
        *at = '\0';
        ctl_parse_userinfo(copy, url);
        copy = at + 1;
    }

    if (scheme->sentinel) {
        url->name = ctl_format("%s%s", scheme->prefix, copy);
        ctl_parse_sentinels(copy, url);
        return;
    }

    if (scheme->cluster) {
        url->name = ctl_format("%s%s", scheme->prefix, copy);

        if (copy[strcspn(copy, "/")] != '\0') {
            ctl_die(CTL_USAGE, "%s: a Redis Cluster has no databases",
                    url->name);
        }

        url->hosts = copy;
        return;
    }

    ctl_parse_host(copy, url);
}


static void
ctl_parse_sentinels(char *hosts, ctl_url_t *url)
{
    char  *p;

    url->hosts = hosts;

    p = strchr(hosts, '/');

    if (p == NULL || p[1] == '\0' || p[1] == '/') {
        ctl_die(CTL_USAGE, "%s has no name of a master after the hosts",
                url->name);
    }

    *p++ = '\0';
    url->master = p;

    p = strchr(p, '/');

    if (p) {
        *p++ = '\0';

        if (*p) {
            url->db = ctl_number(p, 0, INT_MAX, "database");
        }
    }
}


char *
ctl_host_port(char *host, int *port, int fallback)
{
    char  *p;

    host = ctl_format("%s", host);
    p = host;

    if (*host == '[') {
        p = strchr(++host, ']');

        if (p == NULL) {
            ctl_die(CTL_USAGE, "a host of %s is not valid", ctl_redis_url());
        }

        *p++ = '\0';
    }

    *port = fallback;

    p = strchr(p, ':');

    if (p) {
        *p++ = '\0';
        *port = ctl_number(p, 1, 65535, "port");
    }

    return host;
}


static void
ctl_parse_path(char *path, ctl_url_t *url)
{
    char  *colon;

    url->name = ctl_format("unix:%s", path);
    url->host = path;

    colon = strrchr(path, ':');

    if (colon && strchr(colon, '/') == NULL) {
        *colon = '\0';
        url->db = ctl_number(colon + 1, 0, INT_MAX, "database");
    }
}


static void
ctl_parse_host(char *host, ctl_url_t *url)
{
    char  *p;

    url->name = ctl_format("%s://%s", url->tls ? "rediss" : "redis", host);
    url->port = CTL_PORT;

    p = strchr(host, '/');

    if (p) {
        *p++ = '\0';

        if (*p) {
            url->db = ctl_number(p, 0, INT_MAX, "database");
        }
    }

    p = host;

    if (*host == '[') {
        p = strchr(++host, ']');

        if (p == NULL || (p[1] != '\0' && p[1] != ':')) {
            ctl_die(CTL_USAGE, "the host of %s is not valid", url->name);
        }

        *p++ = '\0';
    }

    p = strchr(p, ':');

    if (p) {
        *p++ = '\0';
        url->port = ctl_number(p, 1, 65535, "port");
    }

    if (*host == '\0') {
        ctl_die(CTL_USAGE, "%s has no host", url->name);
    }

    url->host = host;
}


static void
ctl_parse_userinfo(char *userinfo, ctl_url_t *url)
{
    char  *colon;

    colon = strchr(userinfo, ':');

    if (colon) {
        *colon++ = '\0';
        ctl_decode(colon);
        url->password = *colon ? colon : NULL;
    }

    ctl_decode(userinfo);
    url->user = *userinfo ? userinfo : NULL;
}


static void
ctl_decode(char *text)
{
    char       *p;
    ngx_int_t   c;

    for (p = text; *text; text++) {

        c = (u_char) *text;

        if (c == '%') {
            c = (text[1] && text[2]) ? ngx_hextoi((u_char *) text + 1, 2)
                                     : NGX_ERROR;

            if (c == NGX_ERROR || c == 0) {
                ctl_die(CTL_USAGE, "the user or password in the URL of Redis "
                        "is not percent-encoded correctly");
            }

            text += 2;
        }

        *p++ = (char) c;
    }

    *p = '\0';
}


int
ctl_number(const char *text, int min, int max, const char *what)
{
    ngx_int_t  n;

    n = ngx_atoi((u_char *) text, strlen(text));

    if (n < min || n > max) {
        ctl_die(CTL_USAGE, "\"%s\" is not a valid %s", text, what);
    }

    return (int) n;
}


void
ctl_secrets(ctl_url_t *url)
{
    if (ctl_options.redis_user) {
        url->user = (char *) ctl_options.redis_user;
    }

    if (ctl_options.redis_password_file) {
        url->password = ctl_read_secret(ctl_options.redis_password_file);
    }

    if (url->user && url->password == NULL) {
        ctl_die(CTL_USAGE, "a user of Redis needs a password: use "
                "--redis-password-file");
    }
}


char *
ctl_read_secret(const char *path)
{
    char   *line;
    FILE   *file;
    size_t  size;

    file = fopen(path, "re");
    if (file == NULL) {
        ctl_die(CTL_USAGE, "cannot open \"%s\": %s", path, strerror(errno));
    }

    line = NULL;
    size = 0;

    if (getline(&line, &size, file) == -1) {
        ctl_die(CTL_USAGE, "there is no password in \"%s\"", path);
    }

    fclose(file);

    line[strcspn(line, "\r\n")] = '\0';

    if (*line == '\0') {
        ctl_die(CTL_USAGE, "there is no password in \"%s\"", path);
    }

    return line;
}
