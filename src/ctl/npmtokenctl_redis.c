
/*
 * Talks to Redis: commands and replies are hiredis', which reads and writes
 * nothing itself.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_cluster.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_sentinel.h"
#include "npmtokenctl_url.h"
#include "npmtokenctl_wire.h"


#define CTL_READ_SIZE        16384
#define CTL_WAIT_TIMEOUT     1000
#define CTL_WAIT_MAX         60000
#define CTL_PREFIX_MAX       128


static void ctl_cluster_prefix(void);
static void ctl_hello(ctl_url_t *url);
static redisReply *ctl_ask_args(const char *format, va_list args);
static int ctl_wait_here(int replicas);
static void ctl_format_command(const char *format, va_list args);
static void ctl_queue(char *command, int len);
static redisReply *ctl_read(void);
static void ctl_broken(const char *why);
static redisReply *ctl_check_reply(redisReply *reply);
static const char *ctl_hint(const char *error);


static ctl_url_t     ctl_url;
static redisReader  *ctl_reader;
static char         *ctl_redis_name;
static int           ctl_redis_database;
static ngx_uint_t    ctl_sessions;
static ngx_uint_t    ctl_connected;

/* of the connections that were left, the least; less than 0: none */
static int           ctl_replicas_left = -1;

/* commands that are not written yet */
static char         *ctl_out;
static size_t        ctl_out_len;
static size_t        ctl_out_size;


void
ctl_connect(void)
{
    ctl_url_t    url;
    const char  *text;

    ngx_memzero(&url, sizeof(ctl_url_t));

    text = ctl_options.redis ? ctl_options.redis : ctl_options.environment;

    ctl_parse_url(text ? text : "redis://127.0.0.1", &url);

    /* any user of this machine can read a command line */

    if (ctl_options.redis && url.password) {
        ctl_die(CTL_USAGE, "a password may not be given on the command line: "
                "use --redis-password-file or NPMTOKEN_REDIS");
    }

    ctl_secrets(&url);

    if (strlen(ctl_options.prefix) > CTL_PREFIX_MAX) {
        ctl_die(CTL_USAGE, "the prefix is longer than %d bytes",
                CTL_PREFIX_MAX);
    }

    ctl_redis_name = url.name;
    ctl_redis_database = url.db;

    if (!url.tls && (ctl_options.cacert || ctl_options.cert
                     || ctl_options.key || ctl_options.sni
                     || ctl_options.insecure))
    {
        ctl_die(CTL_USAGE, "--cacert, --cert, --key, --sni and --insecure are "
                "for rediss://, which is TLS");
    }

    ctl_url = url;

    if (url.master) {
        ctl_sentinel_open(url.hosts, url.master);
        return;
    }

    if (ctl_options.sentinel_user || ctl_options.sentinel_password_file) {
        ctl_die(CTL_USAGE, "--sentinel-user and --sentinel-password-file are "
                "for redis-sentinel://");
    }

    if (url.hosts) {
        ctl_cluster_prefix();
        ctl_cluster_open(url.hosts);
        return;
    }

    ctl_wire_open(url.name, url.host, url.port, url.tls);

    ctl_hello(&url);
}


/* all keys of a store have to be in one slot */

static void
ctl_cluster_prefix(void)
{
    if (strcmp(ctl_options.prefix, "npmtoken:") == 0) {
        ctl_options.prefix = "{npmtoken}:";
    }

    if (!ctl_hash_tag(ctl_options.prefix)) {
        ctl_die(CTL_USAGE, "the prefix \"%s\" has no hash tag, which a Redis "
                "Cluster needs, as in '{npmtoken}:'", ctl_options.prefix);
    }
}


ngx_uint_t
ctl_hash_tag(const char *prefix)
{
    const char  *open;

    open = strchr(prefix, '{');

    return open && open[1] != '}' && strchr(open, '}') != NULL;
}


const char *
ctl_reopen(const char *host, int port)
{
    const char  *why;

    ctl_connected = 0;

    why = ctl_wire_try(host, port, ctl_url.tls);

    if (why == NULL) {
        ctl_hello(&ctl_url);
    }

    return why;
}


ngx_uint_t
ctl_session(void)
{
    return ctl_sessions;
}


ngx_uint_t
ctl_is_cluster(void)
{
    return ctl_url.hosts != NULL && ctl_url.master == NULL;
}


ngx_uint_t
ctl_is_tls(void)
{
    return ctl_url.tls;
}


const char *
ctl_redis_url(void)
{
    return ctl_redis_name;
}


int
ctl_redis_db(void)
{
    return ctl_redis_database;
}


static void
ctl_hello(ctl_url_t *url)
{
    if (ctl_reader) {
        redisReaderFree(ctl_reader);
    }

    ctl_reader = redisReaderCreate();

    if (ctl_reader == NULL) {
        ctl_die(CTL_BAD, "no memory");
    }

    ctl_sessions++;
    ctl_connected = 1;

    if (url->user) {
        freeReplyObject(ctl_say("AUTH %s %s", url->user, url->password));

    } else if (url->password) {
        freeReplyObject(ctl_say("AUTH %s", url->password));
    }

    if (url->db) {
        freeReplyObject(ctl_say("SELECT %d", url->db));
    }
}


redisReply *
ctl_say(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = ctl_ask_args(format, args);
    va_end(args);

    return ctl_check_reply(reply);
}


redisReply *
ctl_ask(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = ctl_ask_args(format, args);
    va_end(args);

    return reply;
}


static redisReply *
ctl_ask_args(const char *format, va_list args)
{
    int    len;
    char  *command;

    len = redisvFormatCommand(&command, format, args);

    if (len < 0) {
        ctl_die(CTL_BAD, "no memory");
    }

    ctl_raw(command, len);
    redisFreeCommand(command);

    return ctl_read();
}


void
ctl_raw(const char *command, size_t len)
{
    if (ctl_wire_write(command, len) != NGX_OK) {
        ctl_broken(ctl_wire_error());
    }
}


void
ctl_arg(ctl_args_t *args, const void *data, size_t len)
{
    args->data = ctl_grow(args->data, args->n, sizeof(char *));
    args->len = ctl_grow(args->len, args->n, sizeof(size_t));

    args->data[args->n] = data;
    args->len[args->n] = len;
    args->n++;
}


void
ctl_arg_text(ctl_args_t *args, const char *text)
{
    ctl_arg(args, text, strlen(text));
}


/* Adds nothing if there is no value. */

void
ctl_arg_pair(ctl_args_t *args, const char *name, const char *value)
{
    if (value) {
        ctl_arg_text(args, name);
        ctl_arg_text(args, value);
    }
}


char *
ctl_key(const char *kind, const u_char *name, size_t len)
{
    return ctl_format("%s%s%.*s", ctl_options.prefix, kind, (int) len, name);
}


redisReply *
ctl_command(ctl_args_t *args)
{
    ctl_append(args);

    return ctl_check_reply(ctl_reply());
}


redisReply *
ctl_do(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    ctl_format_command(format, args);
    va_end(args);

    return ctl_check_reply(ctl_reply());
}


redisReply *
ctl_try(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    ctl_format_command(format, args);
    va_end(args);

    return ctl_reply();
}


static void
ctl_format_command(const char *format, va_list args)
{
    int    len;
    char  *command;

    len = redisvFormatCommand(&command, format, args);

    ctl_queue(command, len);
}


/* "command" is hiredis', and freed */

static void
ctl_queue(char *command, int len)
{
    char  *out;

    if (len < 0) {
        ctl_die(CTL_BAD, "no memory");
    }

    if (ctl_out_size - ctl_out_len < (size_t) len) {
        ctl_out_size = 2 * ctl_out_size + len;
        out = ctl_alloc(ctl_out_size);

        if (ctl_out) {
            ngx_memcpy(out, ctl_out, ctl_out_len);
            free(ctl_out);
        }

        ctl_out = out;
    }

    ngx_memcpy(ctl_out + ctl_out_len, command, len);
    ctl_out_len += len;

    if (ctl_is_cluster()) {
        ctl_cluster_sent(command, len);
    }

    redisFreeCommand(command);
}


void
ctl_append(ctl_args_t *args)
{
    int    len;
    char  *command;

    len = redisFormatCommandArgv(&command, (int) args->n, args->data,
                                 args->len);

    ctl_queue(command, len);
}


redisReply *
ctl_reply(void)
{
    return ctl_is_cluster() ? ctl_cluster_reply() : ctl_receive();
}


redisReply *
ctl_receive(void)
{
    ctl_raw(ctl_out, ctl_out_len);
    ctl_out_len = 0;

    return ctl_read();
}


static redisReply *
ctl_read(void)
{
    void     *reply;
    ssize_t   n;
    char      buf[CTL_READ_SIZE];

    for ( ;; ) {
        if (redisReaderGetReply(ctl_reader, &reply) != REDIS_OK) {
            ctl_broken(ctl_reader->errstr);
        }

        if (reply) {
            return reply;
        }

        n = ctl_wire_read(buf, CTL_READ_SIZE);

        if (n == NGX_ERROR) {
            ctl_broken(ctl_wire_error());
        }

        (void) redisReaderFeed(ctl_reader, buf, n);
    }
}


static void
ctl_broken(const char *why)
{
    ctl_die(CTL_REDIS, "the connection to %s broke: %s; the command may or may "
            "not have been carried out", ctl_redis_name, why);
}


static redisReply *
ctl_check_reply(redisReply *reply)
{
    ctl_refused(reply);

    return reply;
}


/* Ends the program if the reply is an error. */

void
ctl_refused(redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_die(CTL_REDIS, "Redis refused%s: %s", ctl_hint(reply->str),
                ctl_safe((u_char *) reply->str, reply->len));
    }
}


static const char *
ctl_hint(const char *error)
{
    ngx_uint_t  i;

    static const char  *hints[][2] = {
        { "OOM", ", it is full" },
        { "READONLY", ", it is a replica: use its master" },
        { "NOAUTH", ", it needs a password: use --redis-password-file" },
        { "WRONGPASS", ", the user or the password is wrong" },
        { "NOPERM", ", its user may not do that" },
        { "NOREPLICAS", ", it has too few replicas" },
        { "MISCONF", ", it cannot save" },
        { "CROSSSLOT", ", it is a Redis Cluster: use --prefix "
                       "'{npmtoken}:', and prefix \"{npmtoken}:\"; in "
                       "nginx" },
        { "CLUSTERDOWN", ", it is a Redis Cluster in which no node has the "
                         "slot of the prefix" },
        { "MOVED", ", it is a node of a Redis Cluster: use a "
                   "redis-cluster:// URL" },
        { "ASK", ", it is a node of a Redis Cluster: use a redis-cluster:// "
                 "URL" },
        { "TRYAGAIN", ", the slot of the prefix is being moved to another "
                      "node: try again when that is done" },
        { "LOADING", ", it is not ready" },
        { "MASTERDOWN", ", it is a replica without a master" },
        { "WRONGTYPE", ", a key has another type: run npmtokenctl check" }
    };

    for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strncmp(error, hints[i][0], strlen(hints[i][0])) == 0) {
            return hints[i][1];
        }
    }

    return "";
}


ngx_str_t
ctl_account_key(const char *kind, const char *name)
{
    ngx_str_t  key, folded;

    key = ctl_str(ctl_key(kind, (u_char *) name, strlen(name)));

    folded.len = strlen(name);
    folded.data = key.data + key.len - folded.len;
    (void) npmtoken_account_fold(&folded, folded.data);

    return key;
}


ngx_str_t
ctl_str(const char *text)
{
    ngx_str_t  str;

    str.data = (u_char *) (text ? text : "");
    str.len = ngx_strlen(str.data);

    return str;
}


ngx_uint_t
ctl_wait(void)
{
    int  replicas, n;

    if (ctl_options.replicas == NULL) {
        return 0;
    }

    replicas = ctl_number(ctl_options.replicas, 0, 1000,
                          "number of replicas");

    n = ctl_wait_here(replicas);

    if (ctl_replicas_left >= 0) {
        n = ngx_min(n, ctl_replicas_left);
    }

    return n >= replicas ? 0 : n + 1;
}


static int
ctl_wait_here(int replicas)
{
    int          timeout;
    redisReply  *reply;

    timeout = CTL_WAIT_TIMEOUT;

    if (ctl_options.timeout) {
        timeout = ctl_number(ctl_options.timeout, 1, CTL_WAIT_MAX,
                             "time in milliseconds");
    }

    reply = ctl_say("WAIT %d %d", replicas, timeout);

    return (int) reply->integer;
}


void
ctl_wait_before_leaving(void)
{
    int  n;

    if (ctl_options.replicas == NULL || !ctl_connected) {
        return;
    }

    n = ctl_wait_here(ctl_number(ctl_options.replicas, 0, 1000,
                                 "number of replicas"));

    if (ctl_replicas_left < 0 || n < ctl_replicas_left) {
        ctl_replicas_left = n;
    }
}


void
ctl_wait_or_die(void)
{
    ngx_uint_t  n;

    n = ctl_wait();

    if (n) {
        ctl_die(CTL_UNREPLICATED, "the change is made, but only %lu of %s "
                "replicas have it", (unsigned long) n - 1,
                ctl_options.replicas);
    }
}
