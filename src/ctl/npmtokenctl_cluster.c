
/*
 * There is one connection at a time.  It leads home, to the node that has the
 * slot of the prefix; or away, to the node that the slot is being moved to,
 * for commands that are sent there one by one after ASKING.
 *
 * A redirection is dealt with when all replies on the connection have been
 * read: until then the commands behind it may still be carried out there.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_cluster.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_script.h"
#include "npmtokenctl_url.h"


#define CTL_CLUSTER_PORT   6379

/* redirections of one command; and attempts, this many milliseconds apart */
#define CTL_CLUSTER_HOPS   16
#define CTL_CLUSTER_TRIES  8
#define CTL_CLUSTER_PAUSE  250


typedef struct {
    char                 *data;
    size_t                len;
} ctl_cluster_command_t;


typedef struct {
    char                 *host;       /* empty: that of this node */
    int                   port;
    ngx_uint_t            ask;
} ctl_cluster_redirect_t;


static ngx_uint_t ctl_cluster_seed(char *host, char **why);
static void ctl_cluster_again(void);
static ngx_uint_t ctl_cluster_redirect(redisReply *reply,
    ctl_cluster_redirect_t *to);
static const char *ctl_cluster_go(const char *host, int port);
static redisReply *ctl_cluster_settle(ctl_cluster_command_t *command,
    redisReply *reply);
static redisReply *ctl_cluster_try(ctl_cluster_command_t *command);
static void ctl_cluster_home(void);
static ngx_uint_t ctl_cluster_is(redisReply *reply, const char *code);
static void ctl_cluster_pause(void);


/* the hosts of the URL, and where we are */

static char                  **ctl_cluster_hosts;
static ngx_uint_t              ctl_cluster_nhosts;
static char                   *ctl_cluster_host;
static char                   *ctl_cluster_home_host;
static int                     ctl_cluster_home_port;
static ngx_uint_t              ctl_cluster_away;

/* commands whose replies are still to be read */
static ctl_cluster_command_t  *ctl_cluster_commands;
static size_t                  ctl_cluster_ncommands;

/* replies that have been read before their time, and how many are given out */
static redisReply            **ctl_cluster_replies;
static size_t                  ctl_cluster_nreplies;
static size_t                  ctl_cluster_given;


void
ctl_cluster_open(char *hosts)
{
    char  *p, *why;

    for (p = strtok(hosts, ","); p; p = strtok(NULL, ",")) {
        ctl_cluster_hosts = ctl_grow(ctl_cluster_hosts, ctl_cluster_nhosts,
                                     sizeof(char *));
        ctl_cluster_hosts[ctl_cluster_nhosts++] = p;
    }

    if (ctl_cluster_nhosts == 0) {
        ctl_die(CTL_USAGE, "%s has no host", ctl_redis_url());
    }

    for (ctl_cluster_away = 0; ; ctl_cluster_away++) {
        why = NULL;

        if (ctl_cluster_seed(ctl_cluster_hosts[ctl_cluster_away], &why)) {
            break;
        }

        if (ctl_cluster_away + 1 == ctl_cluster_nhosts) {
            ctl_die(CTL_REDIS, "no node that %s names leads to the one that "
                    "has the slot of the prefix: %s", ctl_redis_url(), why);
        }
    }

    ctl_cluster_away = 0;
}


/* Whether this host, or where it sends us, has the slot; else "why" says. */

static ngx_uint_t
ctl_cluster_seed(char *host, char **why)
{
    int                      port, hops;
    char                    *name;
    const char              *error;
    redisReply              *reply;
    ctl_cluster_redirect_t   to;

    name = ctl_host_port(host, &port, CTL_CLUSTER_PORT);

    for (hops = 0; hops < CTL_CLUSTER_HOPS; hops++) {
        error = ctl_cluster_go(name, port);

        if (error) {
            *why = ctl_format("%s port %d: %s", name, port, error);
            return 0;
        }

        reply = ctl_ask("EXISTS %stoken:none", ctl_options.prefix);

        if (!ctl_cluster_redirect(reply, &to)) {

            if (reply->type != REDIS_REPLY_ERROR) {
                break;
            }

            if (!ctl_cluster_is(reply, "CLUSTERDOWN")
                && !ctl_cluster_is(reply, "LOADING"))
            {
                ctl_refused(reply);
            }

            *why = ctl_format("%s port %d: %s", name, port,
                              ctl_safe((u_char *) reply->str, reply->len));
            return 0;
        }

        /* who gives the slot away has it */

        if (to.ask) {
            break;
        }

        name = *to.host ? to.host : name;
        port = to.port;
    }

    if (hops == CTL_CLUSTER_HOPS) {
        *why = ctl_format("the nodes do not agree which has it");
        return 0;
    }

    ctl_cluster_home_host = name;
    ctl_cluster_home_port = port;

    return 1;
}


/* Finds the node that has the slot again; waits while there is none. */

static void
ctl_cluster_again(void)
{
    char        *why;
    ngx_uint_t   i, n;

    why = NULL;

    for (n = 0; n < CTL_CLUSTER_TRIES; n++) {

        for (i = 0; i < ctl_cluster_nhosts; i++) {
            if (ctl_cluster_seed(ctl_cluster_hosts[i], &why)) {
                ctl_cluster_away = 0;
                return;
            }
        }

        ctl_cluster_pause();
    }

    ctl_die(CTL_REDIS, "no node that %s names leads to the one that has the "
            "slot of the prefix: %s", ctl_redis_url(), why);
}


/* MOVED SLOT HOST:PORT, ASK SLOT HOST:PORT; "?" is no host either */

static ngx_uint_t
ctl_cluster_redirect(redisReply *reply, ctl_cluster_redirect_t *to)
{
    char  *text, *colon;

    if (!ctl_cluster_is(reply, "MOVED") && !ctl_cluster_is(reply, "ASK")) {
        return 0;
    }

    to->ask = ctl_cluster_is(reply, "ASK");

    text = strchr(reply->str, ' ');
    text = text ? strchr(text + 1, ' ') : NULL;
    colon = text ? strrchr(text, ':') : NULL;

    if (colon == NULL) {
        return 0;
    }

    to->host = ctl_format("%.*s", (int) (colon - text - 1), text + 1);
    to->port = ctl_number(colon + 1, 1, 65535, "port of a node");

    if (strcmp(to->host, "?") == 0) {
        *to->host = '\0';
    }

    return 1;
}


/*
 * Connects to a node, an empty host being the present one.  What replicas have
 * is asked before the connection is left: WAIT is about what was written on
 * the connection that it is sent on.
 */

static const char *
ctl_cluster_go(const char *host, int port)
{
    if (*host) {
        ctl_cluster_host = ctl_format("%s", host);
    }

    ctl_wait_before_leaving();

    return ctl_reopen(ctl_cluster_host, port);
}


void
ctl_cluster_sent(const char *command, size_t len)
{
    ctl_cluster_command_t  *last;

    ctl_cluster_commands = ctl_grow(ctl_cluster_commands,
                                    ctl_cluster_ncommands,
                                    sizeof(ctl_cluster_command_t));

    last = &ctl_cluster_commands[ctl_cluster_ncommands++];

    last->data = ctl_alloc(len);
    last->len = len;
    ngx_memcpy(last->data, command, len);
}


redisReply *
ctl_cluster_reply(void)
{
    size_t       i, n;
    redisReply  *reply;

    if (ctl_cluster_given < ctl_cluster_nreplies) {
        return ctl_cluster_replies[ctl_cluster_given++];
    }

    if (ctl_cluster_away) {
        ctl_cluster_home();
    }

    n = ctl_cluster_ncommands;

    ctl_cluster_replies = ctl_grow(ctl_cluster_replies, 0,
                                   sizeof(redisReply *));
    ctl_cluster_nreplies = 0;
    ctl_cluster_given = 0;

    for (i = 0; i < n; i++) {
        ctl_cluster_replies = ctl_grow(ctl_cluster_replies, i,
                                       sizeof(redisReply *));
        ctl_cluster_replies[i] = ctl_receive();
    }

    for (i = 0; i < n; i++) {
        reply = ctl_cluster_replies[i];

        ctl_cluster_replies[i] =
            ctl_cluster_settle(&ctl_cluster_commands[i], reply);

        free(ctl_cluster_commands[i].data);
    }

    ctl_cluster_ncommands = 0;
    ctl_cluster_nreplies = n;

    return ctl_cluster_replies[ctl_cluster_given++];
}


/* Returns the reply of the node that carries the command out, or refuses it. */

static redisReply *
ctl_cluster_settle(ctl_cluster_command_t *command, redisReply *reply)
{
    ngx_uint_t               hops, tries;
    ctl_cluster_redirect_t   to;

    tries = 0;

    for (hops = 0; hops < CTL_CLUSTER_HOPS; hops++) {

        if (ctl_cluster_redirect(reply, &to)) {
            ctl_cluster_away = to.ask;

            if (ctl_cluster_go(to.host, to.port) != NULL) {
                ctl_cluster_again();

            } else if (!to.ask) {
                ctl_cluster_home_host = ctl_cluster_host;
                ctl_cluster_home_port = to.port;
            }

        } else if (ctl_cluster_is(reply, "NOSCRIPT")) {
            ctl_script_load();

        } else if (ctl_cluster_is(reply, "TRYAGAIN")
                   || ctl_cluster_is(reply, "CLUSTERDOWN"))
        {
            if (++tries == CTL_CLUSTER_TRIES) {
                return reply;
            }

            /* a moment does not count as a redirection */

            hops = 0;
            ctl_cluster_pause();

            if (ctl_cluster_away) {
                ctl_cluster_home();
            }

        } else {
            return reply;
        }

        freeReplyObject(reply);
        reply = ctl_cluster_try(command);
    }

    return reply;
}


static redisReply *
ctl_cluster_try(ctl_cluster_command_t *command)
{
    if (ctl_cluster_away) {
        freeReplyObject(ctl_ask("ASKING"));
    }

    ctl_raw(command->data, command->len);

    return ctl_receive();
}


static void
ctl_cluster_home(void)
{
    ctl_cluster_away = 0;

    if (ctl_cluster_go(ctl_cluster_home_host, ctl_cluster_home_port) != NULL) {
        ctl_cluster_again();
    }
}


void
ctl_cluster_whole(ngx_uint_t session)
{
    redisReply  *reply;

    if (!ctl_is_cluster()) {
        return;
    }

    reply = ctl_ask("EXISTS %stoken:none", ctl_options.prefix);

    if (session != ctl_session() || reply->type != REDIS_REPLY_INTEGER
        || reply->integer != 0)
    {
        ctl_die(CTL_REDIS, "the slot of the prefix is being moved to another "
                "node, so not all keys can be seen: try again when that is "
                "done");
    }

    freeReplyObject(reply);
}


static ngx_uint_t
ctl_cluster_is(redisReply *reply, const char *code)
{
    size_t  len;

    len = strlen(code);

    return reply->type == REDIS_REPLY_ERROR
           && strncmp(reply->str, code, len) == 0
           && (reply->str[len] == ' ' || reply->str[len] == '\0');
}


static void
ctl_cluster_pause(void)
{
    (void) usleep(CTL_CLUSTER_PAUSE * 1000);
}
