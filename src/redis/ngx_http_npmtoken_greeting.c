
/*
 * This sends nothing and closes nothing.  It makes commands and judges
 * replies, and the connection acts on them.
 */


#include "ngx_http_npmtoken_greeting.h"
#include "ngx_http_npmtoken_cluster.h"
#include "ngx_http_npmtoken_connection_log.h"


/*
 * The commands on connecting, in this order.  Redis may refuse those from
 * SETNAME on.  Some proxies close the connection at a command that they do not
 * know: that command is left out.
 */

enum {
    NGX_HTTP_NPMTOKEN_AUTH = 0,
    NGX_HTTP_NPMTOKEN_SELECT,
    NGX_HTTP_NPMTOKEN_SETNAME,
    NGX_HTTP_NPMTOKEN_ROLE,
    NGX_HTTP_NPMTOKEN_SERVER,
    NGX_HTTP_NPMTOKEN_MEMORY,
    NGX_HTTP_NPMTOKEN_PING,         /* if nothing else is left */
    NGX_HTTP_NPMTOKEN_SLOT,         /* is it here; is never left out */
    NGX_HTTP_NPMTOKEN_GREETED
};


typedef struct {
    char         *command;
    char         *without;    /* the effect of leaving it out */
} ngx_http_npmtoken_step_t;


static ngx_uint_t ngx_http_npmtoken_greeting_asks(
    ngx_http_npmtoken_connection_t *conn);
static ngx_uint_t ngx_http_npmtoken_greeting_step(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step);
static ngx_uint_t ngx_http_npmtoken_greeting_say(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step, ngx_str_t *argv,
    u_char *db);
static ngx_int_t ngx_http_npmtoken_greeting_slot(redisReply *reply);
static ngx_int_t ngx_http_npmtoken_greeting_refused(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static char *ngx_http_npmtoken_greeting_advice(
    ngx_http_npmtoken_connection_t *conn, ngx_str_t *code);
static ngx_uint_t ngx_http_npmtoken_greeting_required(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step);
static ngx_int_t ngx_http_npmtoken_greeting_told(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_greeting_told_role(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static void ngx_http_npmtoken_greeting_told_server(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static void ngx_http_npmtoken_greeting_told_memory(
    ngx_http_npmtoken_connection_t *conn, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_greeting_first(
    ngx_http_npmtoken_connection_t *conn, ngx_uint_t step);


static ngx_http_npmtoken_step_t  ngx_http_npmtoken_steps[] = {
    { "AUTH", "" },
    { "SELECT", "" },
    { "CLIENT SETNAME", "its connections have no name on the server" },
    { "ROLE", "it is not known whether this is a replica" },
    { "INFO server", "it is not known which server this is, so its pushes are "
                     "not relied on" },
    { "INFO memory", "it is not known whether it evicts" },
    { "PING", "" },
    { "EXISTS", "" }
};


ngx_uint_t
ngx_http_npmtoken_greeting_begin(ngx_http_npmtoken_connection_t *conn,
    ngx_http_npmtoken_greeting_t *greeting)
{
    ngx_uint_t  n, step;

    conn->asked = ngx_http_npmtoken_greeting_asks(conn);

    step = ngx_http_npmtoken_greeting_step(conn, NGX_HTTP_NPMTOKEN_AUTH);

    conn->greeting = step;

    for (n = 0; step != NGX_HTTP_NPMTOKEN_GREETED; n++) {
        greeting->commands[n].argv = greeting->argv[n];
        greeting->commands[n].argc =
            ngx_http_npmtoken_greeting_say(conn, step, greeting->argv[n],
                                           greeting->db);

        step = ngx_http_npmtoken_greeting_step(conn, step + 1);
    }

    return n;
}


/* returns the steps of this greeting, one bit each */

static ngx_uint_t
ngx_http_npmtoken_greeting_asks(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                     again, asks;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    /* a greeting may work without a command only because an outage has ended */

    again = endpoint->left_out & ~endpoint->suspected & ~endpoint->retried;

    endpoint->left_out &= ~again;
    endpoint->retried |= again;

    asks = 1 << NGX_HTTP_NPMTOKEN_SETNAME;

    if (!conn->sentinel) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_ROLE;
    }

    if (conn->ask_server) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_SERVER;
    }

    if (conn->ask_memory) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_MEMORY;
    }

    asks &= ~endpoint->left_out;

    if (conn->ask_slot && endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_SLOT;
    }

    /* a balancer without a server accepts connections, too */

    if (asks == 0) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_PING;
    }

    if (endpoint->password.len) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_AUTH;
    }

    /* SELECT is sent only if needed: the least ACL of a reader forbids it */

    if (endpoint->db) {
        asks |= 1 << NGX_HTTP_NPMTOKEN_SELECT;
    }

    return asks;
}


/* returns this step, or the next one that is in the greeting */

static ngx_uint_t
ngx_http_npmtoken_greeting_step(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step)
{
    while (step < NGX_HTTP_NPMTOKEN_GREETED
           && !(conn->asked & ((ngx_uint_t) 1 << step)))
    {
        step++;
    }

    return step;
}


/* fills in the words of a command, and returns their number */

static ngx_uint_t
ngx_http_npmtoken_greeting_say(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step, ngx_str_t *argv, u_char *db)
{
    ngx_uint_t                     n;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;
    n = 0;

    switch (step) {

    case NGX_HTTP_NPMTOKEN_AUTH:
        ngx_str_set(&argv[n], "AUTH");
        n++;

        if (endpoint->user.len) {
            argv[n++] = endpoint->user;
        }

        argv[n++] = endpoint->password;
        return n;

    case NGX_HTTP_NPMTOKEN_SELECT:
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = db;
        argv[1].len = ngx_sprintf(db, "%ui", endpoint->db) - db;
        return 2;

    case NGX_HTTP_NPMTOKEN_SETNAME:
        ngx_str_set(&argv[0], "CLIENT");
        ngx_str_set(&argv[1], "SETNAME");
        argv[2] = conn->label;
        return 3;

    case NGX_HTTP_NPMTOKEN_ROLE:
        ngx_str_set(&argv[0], "ROLE");
        return 1;

    case NGX_HTTP_NPMTOKEN_SERVER:
        ngx_str_set(&argv[0], "INFO");
        ngx_str_set(&argv[1], "server");
        return 2;

    case NGX_HTTP_NPMTOKEN_MEMORY:
        ngx_str_set(&argv[0], "INFO");
        ngx_str_set(&argv[1], "memory");
        return 2;

    case NGX_HTTP_NPMTOKEN_SLOT:
        ngx_str_set(&argv[0], "EXISTS");
        argv[1] = endpoint->none;
        return 2;

    default: /* NGX_HTTP_NPMTOKEN_PING */
        ngx_str_set(&argv[0], "PING");
        return 1;
    }
}


ngx_int_t
ngx_http_npmtoken_greeting_reply(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    ngx_int_t  rc;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, &conn->log, 0,
                   "npmtoken redis greeting: %s %s",
                   ngx_http_npmtoken_steps[conn->greeting].command,
                   reply->type == REDIS_REPLY_ERROR ? "is refused"
                                                    : "is answered");

    rc = NGX_DECLINED;

    if (conn->greeting == NGX_HTTP_NPMTOKEN_SLOT) {
        rc = ngx_http_npmtoken_greeting_slot(reply);
    }

    if (rc == NGX_DECLINED) {
        rc = (reply->type == REDIS_REPLY_ERROR)
             ? ngx_http_npmtoken_greeting_refused(conn, reply)
             : ngx_http_npmtoken_greeting_told(conn, reply);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* a command that was answered may be suspected again later */
    conn->endpoint->retried &= ~((ngx_uint_t) 1 << conn->greeting);

    conn->greeting = ngx_http_npmtoken_greeting_step(conn, conn->greeting + 1);

    return (conn->greeting == NGX_HTTP_NPMTOKEN_GREETED) ? NGX_DONE : NGX_OK;
}


/* a node that gives the slot away still owns it */

static ngx_int_t
ngx_http_npmtoken_greeting_slot(redisReply *reply)
{
    ngx_http_npmtoken_redirect_t  to;

    if (ngx_http_npmtoken_cluster_redirect(reply, &to) != NGX_OK) {
        return NGX_DECLINED;
    }

    return to.ask ? NGX_OK : NGX_BUSY;
}


/* a user that may not name itself or ask for the role may still look up */

static ngx_int_t
ngx_http_npmtoken_greeting_refused(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    ngx_str_t   code, words;
    ngx_uint_t  level, optional;

    ngx_http_npmtoken_codec_error(reply, &code);
    ngx_http_npmtoken_codec_words(reply, &words);

    optional = !ngx_http_npmtoken_greeting_required(conn, conn->greeting)
               && (ngx_strncmp(code.data, "NOPERM", 6) == 0
                   || ngx_strncmp(code.data, "ERR", 3) == 0);

    /* this is no reply to a command; the connection ends with it */

    if (words.len >= sizeof("max number of clients") - 1
        && ngx_strncmp(words.data, "max number of clients",
                       sizeof("max number of clients") - 1)
           == 0)
    {
        optional = 0;

    } else if (conn->greeting == NGX_HTTP_NPMTOKEN_AUTH) {

        /* the text of a refused AUTH may contain the password */
        ngx_str_set(&words, "to AUTH");
    }

    if (!optional) {
        level = ngx_http_npmtoken_connection_log_fault(conn,
                                       ngx_crc32_short(code.data, code.len));

        ngx_log_error(level, &conn->log, 0, "redis answered \"%V\" (%V)%s",
                      &code, &words,
                      ngx_http_npmtoken_greeting_advice(conn, &code));
        return NGX_ERROR;
    }

    if (conn->greeting == NGX_HTTP_NPMTOKEN_SERVER) {
        conn->refusal.data = conn->refused;
        conn->refusal.len = ngx_snprintf(conn->refused, sizeof(conn->refused),
                                         "\"%V\" to INFO (%V)", &code, &words)
                            - conn->refused;
    }

    return NGX_OK;
}


/*
 * A password that was good and is no longer has been changed, or Redis has
 * lost its users: it forgets those that it has not saved when it restarts.
 */

static char *
ngx_http_npmtoken_greeting_advice(ngx_http_npmtoken_connection_t *conn,
    ngx_str_t *code)
{
    ngx_uint_t  by_user;

    by_user = conn->greeting == NGX_HTTP_NPMTOKEN_AUTH
              || ngx_strncmp(code->data, "NOAUTH", 6) == 0;

    if (!by_user || ngx_strncmp(code->data, "LOADING", 7) == 0) {
        return ngx_http_npmtoken_codec_advice(code);
    }

    if (conn->sentinel) {
        return ": see \"redis_sentinel_user\" and "
               "\"redis_sentinel_password_file\"";
    }

    if (conn->endpoint->worked) {
        return ": this worked before. If Redis was restarted without its "
               "users, make them again (\"npmtokenctl init\") and let it save "
               "them (\"ACL SAVE\"); if the password was changed, put it into "
               "the file of \"redis_password_file\" and reload nginx";
    }

    if (ngx_strncmp(code->data, "WRONGPASS", 9) == 0) {
        return ": Redis has no such user, or another password for it: "
               "\"npmtokenctl init\" makes it";
    }

    return ngx_http_npmtoken_codec_advice(code);
}


/* a server that a sentinel named has to say itself that it is the master */

static ngx_uint_t
ngx_http_npmtoken_greeting_required(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step)
{
    return step < NGX_HTTP_NPMTOKEN_SETNAME
           || (step == NGX_HTTP_NPMTOKEN_ROLE
               && conn->endpoint->kind == NGX_HTTP_NPMTOKEN_SENTINEL);
}


static ngx_int_t
ngx_http_npmtoken_greeting_told(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    switch (conn->greeting) {

    case NGX_HTTP_NPMTOKEN_ROLE:
        return ngx_http_npmtoken_greeting_told_role(conn, reply);

    case NGX_HTTP_NPMTOKEN_SERVER:
        ngx_http_npmtoken_greeting_told_server(conn, reply);
        return NGX_OK;

    case NGX_HTTP_NPMTOKEN_MEMORY:
        ngx_http_npmtoken_greeting_told_memory(conn, reply);
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_npmtoken_greeting_told_role(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    conn->role = ngx_http_npmtoken_greeting_role(reply);

    if (conn->endpoint->kind == NGX_HTTP_NPMTOKEN_SENTINEL) {
        return (conn->role == NGX_HTTP_NPMTOKEN_MASTER) ? NGX_OK
                                                        : NGX_DECLINED;
    }

    switch (conn->role) {

    case NGX_HTTP_NPMTOKEN_NO_SERVER:
        return NGX_DECLINED;

    case NGX_HTTP_NPMTOKEN_REPLICA:

        /* of a cluster, a replica sends the client to its master */

        if (conn->asked & (1 << NGX_HTTP_NPMTOKEN_SLOT)) {
            return NGX_OK;
        }

        if (conn->ask_master || !conn->endpoint->replica) {
            return NGX_DECLINED;
        }

        ngx_log_error(NGX_LOG_WARN, &conn->log, 0,
                      "this redis is a replica: a revocation is enforced once "
                      "it has arrived there");
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


char *
ngx_http_npmtoken_greeting_objection(ngx_http_npmtoken_connection_t *conn)
{
    switch (conn->role) {

    case NGX_HTTP_NPMTOKEN_NO_SERVER:
        return "this server is a sentinel: a URL of sentinels begins with "
               "\"redis-sentinel://\"";

    case NGX_HTTP_NPMTOKEN_REPLICA:

        if (conn->endpoint->kind == NGX_HTTP_NPMTOKEN_SENTINEL) {
            return "a sentinel named this server as the master, and it is a "
                   "replica";
        }

        if (conn->ask_master) {
            return "this server is a replica, and the token API needs the "
                   "master";
        }

        return "this server is a replica: name the master in \"redis\", or "
               "set \"redis_replica on\"";

    default:
        return "a sentinel named this server as the master, and it does not "
               "say so";
    }
}


ngx_http_npmtoken_role_e
ngx_http_npmtoken_greeting_role(redisReply *reply)
{
    char  *role;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        return NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN;
    }

    role = reply->element[0]->str;

    if (ngx_strcmp(role, "master") == 0) {
        return NGX_HTTP_NPMTOKEN_MASTER;
    }

    if (ngx_strcmp(role, "slave") == 0) {
        return NGX_HTTP_NPMTOKEN_REPLICA;
    }

    return ngx_strcmp(role, "sentinel") == 0 ? NGX_HTTP_NPMTOKEN_NO_SERVER
                                             : NGX_HTTP_NPMTOKEN_ROLE_UNKNOWN;
}


static void
ngx_http_npmtoken_greeting_told_server(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  value;

    if (ngx_http_npmtoken_codec_info(reply, "run_id", &value) == NGX_OK
        && value.len == NGX_HTTP_NPMTOKEN_SERVER_LEN)
    {
        for (i = 0; i < value.len; i++) {
            ch = value.data[i];

            if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
                break;
            }
        }

        if (i == value.len) {
            ngx_memcpy(conn->server, value.data, value.len);
        }
    }

    if (ngx_http_npmtoken_codec_info(reply, "redis_mode", &value) == NGX_OK
        && value.len == sizeof("cluster") - 1
        && ngx_strncmp(value.data, "cluster", value.len) == 0)
    {
        conn->cluster = 1;
    }

    if (conn->cluster
        && !ngx_http_npmtoken_cluster_hash_tag(&conn->endpoint->records)
        && ngx_http_npmtoken_greeting_first(conn, NGX_HTTP_NPMTOKEN_SERVER))
    {
        ngx_log_error(NGX_LOG_ERR, &conn->log, 0,
                      "this redis is a Redis Cluster, where tokens can be "
                      "neither created nor revoked unless the prefix has a "
                      "hash tag: prefix \"{npmtoken}:\";");
    }
}


static void
ngx_http_npmtoken_greeting_told_memory(ngx_http_npmtoken_connection_t *conn,
    redisReply *reply)
{
    char       *lost;
    ngx_str_t   policy, max;

    if (ngx_http_npmtoken_codec_info(reply, "maxmemory_policy", &policy)
        != NGX_OK
        || ngx_http_npmtoken_codec_info(reply, "maxmemory", &max) != NGX_OK)
    {
        return;
    }

    /* without a limit nothing is evicted, whatever the policy is */

    if (max.len == 1 && max.data[0] == '0') {
        return;
    }

    if (policy.len > 8 && ngx_strncmp(policy.data, "allkeys-", 8) == 0) {
        lost = "accounts, and with them their second factors, and tokens";

    } else if (policy.len > 9
               && ngx_strncmp(policy.data, "volatile-", 9) == 0)
    {
        lost = "keys with a TTL, such as tokens that expire by it,";

    } else {
        return;
    }

    if (ngx_http_npmtoken_greeting_first(conn, NGX_HTTP_NPMTOKEN_MEMORY)) {
        ngx_log_error(NGX_LOG_WARN, &conn->log, 0,
                      "this redis evicts when it is full (maxmemory-policy "
                      "is not \"noeviction\"): %s may be lost", lost);
    }
}


/* only one worker of a node logs this, once */

static ngx_uint_t
ngx_http_npmtoken_greeting_first(ngx_http_npmtoken_connection_t *conn,
    ngx_uint_t step)
{
    ngx_uint_t  bit;

    /* bits above those of the steps, which are about leaving a step out */
    bit = (ngx_uint_t) 1 << (NGX_HTTP_NPMTOKEN_GREETED + step);

    if (conn->endpoint->told & bit) {
        return 0;
    }

    conn->endpoint->told |= bit;

    return 1;
}


/*
 * A connection that ended in the greeting may have been ended by the last
 * command, or by an outage.  Trying tells them apart.  The first optional
 * command that was not answered is left out, then the next one.  If the
 * greeting works without it, that command was the cause.  If not, none of them
 * was.
 */

ngx_uint_t
ngx_http_npmtoken_greeting_suspect(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                     step;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    /* the reply to AUTH may have been on its way */
    step = ngx_max(conn->greeting, NGX_HTTP_NPMTOKEN_SETNAME);
    step = ngx_http_npmtoken_greeting_step(conn, step);

    if (step >= NGX_HTTP_NPMTOKEN_PING
        || ngx_http_npmtoken_greeting_required(conn, step))
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_INFO, &conn->log, 0,
                  "redis closed the connection, perhaps at \"%s\"",
                  ngx_http_npmtoken_steps[step].command);

    endpoint->left_out |= (ngx_uint_t) 1 << step;
    endpoint->suspected |= (ngx_uint_t) 1 << step;

    return 1;
}


void
ngx_http_npmtoken_greeting_acquit(ngx_http_npmtoken_endpoint_t *endpoint)
{
    endpoint->left_out &= ~endpoint->suspected;
    endpoint->suspected = 0;
}


void
ngx_http_npmtoken_greeting_convict(ngx_http_npmtoken_connection_t *conn)
{
    ngx_uint_t                     step, bit;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = conn->endpoint;

    for (step = 0; step < NGX_HTTP_NPMTOKEN_PING; step++) {
        bit = (ngx_uint_t) 1 << step;

        if (endpoint->suspected & ~endpoint->told & bit) {
            ngx_log_error(NGX_LOG_WARN, &conn->log, 0,
                          "redis closed the connection at \"%s\", which is not "
                          "sent again: %s",
                          ngx_http_npmtoken_steps[step].command,
                          ngx_http_npmtoken_steps[step].without);
        }
    }

    endpoint->told |= endpoint->suspected;
    endpoint->suspected = 0;
}


ngx_uint_t
ngx_http_npmtoken_greeting_server_step(void)
{
    return (ngx_uint_t) 1 << NGX_HTTP_NPMTOKEN_SERVER;
}


ngx_uint_t
ngx_http_npmtoken_greeting_leads_to(ngx_http_npmtoken_connection_t *conn,
    u_char *server)
{
    return conn->server[0]
           && ngx_memcmp(conn->server, server, NGX_HTTP_NPMTOKEN_SERVER_LEN)
              == 0;
}
