
/*
 * A sentinel may be dead, silent, or wrong.  So its answer is checked as nginx
 * checks it: the server that it names has to say itself that it is the master.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_sentinel.h"
#include "npmtokenctl_url.h"
#include "npmtokenctl_wire.h"


#define CTL_SENTINEL_PORT      26379

/* in seconds */
#define CTL_SENTINEL_PATIENCE  3


static char *ctl_sentinel_try(char *host, const char *master,
    const char *password);
static redisReply *ctl_sentinel_ask(redisReader *reader, const char *master,
    const char *password, char **why);
static redisReply *ctl_sentinel_say(redisReader *reader, const char *format,
    ...);
static char *ctl_sentinel_follow(redisReply *answer);


void
ctl_sentinel_open(char *hosts, const char *master)
{
    char  *host, *why, *password;

    password = ctl_options.sentinel_password_file
               ? ctl_read_secret(ctl_options.sentinel_password_file) : NULL;

    if (ctl_options.sentinel_user && password == NULL) {
        ctl_die(CTL_USAGE, "a user of the sentinels needs a password: use "
                "--sentinel-password-file");
    }

    why = NULL;

    for (host = strtok(hosts, ","); host; host = strtok(NULL, ",")) {
        why = ctl_sentinel_try(host, master, password);

        if (why == NULL) {
            return;
        }
    }

    if (why == NULL) {
        ctl_die(CTL_USAGE, "%s has no host", ctl_redis_url());
    }

    ctl_die(CTL_REDIS, "no sentinel of %s leads to the master: %s",
            ctl_redis_url(), why);
}


/* Returns NULL, or why this sentinel does not lead to the master. */

static char *
ctl_sentinel_try(char *host, const char *master, const char *password)
{
    int           port;
    char         *why, *name;
    redisReply   *answer;
    redisReader  *reader;

    name = ctl_format("%s", host);
    host = ctl_host_port(host, &port, CTL_SENTINEL_PORT);

    why = (char *) ctl_wire_try(host, port, ctl_is_tls());

    if (why) {
        return ctl_format("%s: %s", name, why);
    }

    ctl_wire_patience(CTL_SENTINEL_PATIENCE);

    reader = redisReaderCreate();

    if (reader == NULL) {
        ctl_die(CTL_BAD, "no memory");
    }

    answer = ctl_sentinel_ask(reader, master, password, &why);

    if (answer) {
        why = ctl_sentinel_follow(answer);
    }

    redisReaderFree(reader);

    return why ? ctl_format("%s: %s", name, why) : NULL;
}


/* Returns a host and a port, or NULL, and then why there are none. */

static redisReply *
ctl_sentinel_ask(redisReader *reader, const char *master, const char *password,
    char **why)
{
    redisReply  *reply;

    reply = NULL;

    if (ctl_options.sentinel_user) {
        reply = ctl_sentinel_say(reader, "AUTH %s %s",
                                 ctl_options.sentinel_user, password);

    } else if (password) {
        reply = ctl_sentinel_say(reader, "AUTH %s", password);
    }

    /* its words may repeat the password */

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        *why = "user or password are wrong";
        return NULL;
    }

    reply = ctl_sentinel_say(reader, "SENTINEL GET-MASTER-ADDR-BY-NAME %s",
                             master);

    if (reply == NULL) {
        *why = "it does not answer";
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        *why = ctl_format("%s", ctl_safe((u_char *) reply->str, reply->len));
        return NULL;
    }

    if (reply->type == REDIS_REPLY_NIL) {
        *why = ctl_format("it does not know a master \"%s\"", master);
        return NULL;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        *why = "its answer is no host and port";
        return NULL;
    }

    return reply;
}


/* Returns NULL if no reply comes. */

static redisReply *
ctl_sentinel_say(redisReader *reader, const char *format, ...)
{
    int      len;
    char    *command, buf[1024];
    void    *reply;
    ssize_t  n;
    va_list  args;

    va_start(args, format);
    len = redisvFormatCommand(&command, format, args);
    va_end(args);

    if (len < 0) {
        ctl_die(CTL_BAD, "no memory");
    }

    n = ctl_wire_write(command, len);
    redisFreeCommand(command);

    reply = NULL;

    while (n != NGX_ERROR && reply == NULL) {
        n = ctl_wire_read(buf, sizeof(buf));

        if (n != NGX_ERROR
            && (redisReaderFeed(reader, buf, n) != REDIS_OK
                || redisReaderGetReply(reader, &reply) != REDIS_OK))
        {
            return NULL;
        }
    }

    return reply;
}


static char *
ctl_sentinel_follow(redisReply *answer)
{
    char        *host, *why;
    ngx_int_t    port;
    redisReply  *role;

    host = ctl_safe((u_char *) answer->element[0]->str,
                    answer->element[0]->len);
    port = ngx_atoi((u_char *) answer->element[1]->str,
                    answer->element[1]->len);

    if (*host == '\0' || port < 1 || port > 65535) {
        return "its answer is no host and port";
    }

    why = (char *) ctl_reopen(host, (int) port);

    if (why) {
        return ctl_format("it names %s port %d: %s", host, (int) port, why);
    }

    role = ctl_ask("ROLE");

    if (role->type == REDIS_REPLY_ERROR) {
        ctl_refused(role);
    }

    if (role->type != REDIS_REPLY_ARRAY || role->elements == 0
        || role->element[0]->type != REDIS_REPLY_STRING
        || strcmp(role->element[0]->str, "master") != 0)
    {
        return ctl_format("it names %s port %d, which is no master", host,
                          (int) port);
    }

    return NULL;
}
