
/*
 * The scripts, in a real redis-server on a socket of its own.
 */

#include "unit.h"
#include "npmtoken_script.h"
#include "npmtoken_script_web.h"
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <hiredis/hiredis.h>


#define UNIT_ARGS   24
#define UNIT_PAIRS  200


typedef struct {
    const char    *name;
    ngx_str_t     *script;
    const char    *keys;         /* how many of the arguments are keys */
    const char    *full;         /* what a full Redis answers */
    const char    *writes;       /* the commands that it needs */
    const char    *args[UNIT_ARGS];
} unit_call_t;


#define H1  "1111111111111111111111111111111111111111111111111111111111111111"
#define H2  "2222222222222222222222222222222222222222222222222222222222222222"


/* what was seen of ann; of an account that had no fullname; of her token a1 */
#define OLD   "~8 3 passwordold6 0 locked"
#define NONE  "~8 0 fullname"
#define A1    "=4 3 userann"

/* of a session, and of a request for a token */
#define M     "0123456789abcdef0123456789abcdef"
#define S1    "=4 3 userann7 32 session" M
#define W1    "=5 8 stateapproved"


/* what each script is good for, in the state that unit_fill() makes */

static unit_call_t  calls[] = {

    { "create", &npmtoken_script_create, "3", "-OOM", " hset sadd ",
      { "token:n1", "tokens-of:ann", "user:ann", OLD, "", "n1", "token:",
        "9", "1000000", "ann", "now", "user", "ann", "readonly", "true" } },

    { "create for a new name", &npmtoken_script_create, "3", "-OOM",
      " hset sadd ",
      { "token:n1", "tokens-of:bob", "user:bob", NONE, "", "n1", "token:",
        "9", "1000000", "Bob", "now", "user", "Bob" } },

    { "create by a token", &npmtoken_script_create, "4", "-OOM",
      " hset sadd ",
      { "token:n1", "tokens-of:ann", "user:ann", "token:a1", OLD, A1, "n1",
        "token:", "9", "1000000", "ann", "now", "user", "ann" } },

    { "create where one is stale", &npmtoken_script_create, "3", "-OOM",
      " hset sadd ",
      { "token:n1", "tokens-of:ann", "user:ann", "", "", "n1", "token:", "3",
        "1000000", "ann", "now", "user", "ann" } },

    { "signup", &npmtoken_script_signup, "1", "-OOM", " hset ",
      { "user:bob", "bob", "2", "password", "x" } },

    { "signup with a token", &npmtoken_script_signup, "3", "-OOM",
      " hset sadd ",
      { "user:bob", "token:n1", "tokens-of:bob", "bob", "4", "password", "x",
        "email", "b@c", "n1", "user", "bob" } },

    { "revoke", &npmtoken_script_revoke, "4", "OK", " del srem ",
      { "token:a1", "tokens-of:ann", "user:ann", "token:a1", OLD, A1, "a1",
        "ann", "", "" } },

    { "revoke and keep", &npmtoken_script_revoke, "2", "OK",
      " hset srem persist ",
      { "token:a1", "tokens-of:ann", "", "", "a1", "ann", "1000000", "" } },

    { "change", &npmtoken_script_account, "2", "-OOM", " hset ",
      { "user:ann", "token:a1", OLD, A1, "", "2", "password", "new" } },

    { "change and delete", &npmtoken_script_account, "1", "-OOM",
      " hset hdel ",
      { "user:ann", NONE, "", "", "2", "tfa", "auth-only", "email" } },

    { "delete", &npmtoken_script_account, "1", "OK", " hdel ",
      { "user:ann", OLD, "", "", "0", "tfa", "totp" } },

    { "make", &npmtoken_script_account, "1", "-OOM", " hset ",
      { "user:bob", NONE, "", "make", "2", "email", "b@c" } },

    { "totp", &npmtoken_script_otp, "1", "OK", " hset persist ",
      { "user:ann", "totp", "101", "", "", "", OLD } },

    { "recovery", &npmtoken_script_otp, "1", "OK", " hset persist ",
      { "user:ann", "recovery", H1 } },

    { "totp, counted", &npmtoken_script_otp, "2", "OK",
      " hset persist del ",
      { "user:ann", "tries:codes", "totp", "101", "k1", "3", "1000" } },

    { "begin", &npmtoken_script_begin, "2", "OK",
      " zadd pexpire zremrangebyscore ",
      { "tries:name", "tries:address", "id2", "1000", "9000", "3", "9" } },

    { "end", &npmtoken_script_end, "2", "OK",
      " zadd pexpire zrem zremrangebyscore ",
      { "tries:name", "tries:address", "id1", "9000" } },

    { "session", &npmtoken_script_session, "3", "-OOM",
      " hset sadd pexpire ",
      { "token:n1", "tokens-of:ann", "user:ann", "900000", OLD, "", "n1",
        "token:", "9", "1000000", "ann", "now", "user", "ann" } },

    { "take", &npmtoken_script_take, "4", "-OOM", " hset sadd del ",
      { "token:n1", "tokens-of:ann", "user:ann", "web:w1", OLD, W1, "n1",
        "token:", "9", "1000000", "ann", "now", "user", "ann" } },

    { "renew", &npmtoken_script_renew, "3", "-OOM",
      " hset pexpire sadd srem del ",
      { "token:s1", "token:n1", "tokens-of:ann", S1, "s1", "n1", "900000",
        "updated", "now" } },

    { "touch", &npmtoken_script_touch, "1", "OK", " pexpire ",
      { "token:s1", "900000" } },

    { "drop", &npmtoken_script_drop, "2", "OK", " del srem ",
      { "token:s1", "tokens-of:ann", "s1" } },

    { "ask", &npmtoken_script_ask, "2", "-OOM",
      " hset pexpire zadd zremrangebyscore ",
      { "web:w3", "web:pending", "9", "300000", "state", "pending" } },

    { "answer", &npmtoken_script_answer, "3", "-OOM", " hset ",
      { "web:w2", "user:ann", "token:s1", OLD, S1, "state", "approved" } },

    { "ticket", &npmtoken_script_ticket, "1", "-OOM", " hset pexpire ",
      { "web:w1", W1, "digest", "300000" } },

    { "redeem", &npmtoken_script_redeem, "2", "OK", " del ",
      { "web:w4", "user:ann", "digest", "ann", "a1", "what", "mark", OLD } },

    { "rehash", &npmtoken_script_rehash, "1", "-OOM", " hset ",
      { "user:ann", "old", "new" } }
};


static pid_t          unit_server;
static char           unit_dir[64];
static redisContext  *redis;


static redisContext *
unit_connect(void)
{
    char  path[128];

    sprintf(path, "%s/redis.sock", unit_dir);

    return redisConnectUnix(path);
}


static int
unit_start(void **state)
{
    int  i;

    (void) state;

    strcpy(unit_dir, "/tmp/npmtoken-unit.XXXXXX");

    if (mkdtemp(unit_dir) == NULL) {
        return -1;
    }

    unit_server = fork();

    if (unit_server == 0) {

        /* however this ends, that ends too */

        prctl(PR_SET_PDEATHSIG, SIGKILL);

        if (chdir(unit_dir) == 0 && freopen("log", "w", stdout)) {
            execlp("redis-server", "redis-server", "--port", "0",
                   "--unixsocket", "redis.sock", "--save", "", NULL);
        }

        _exit(127);
    }

    for (i = 0; i < 1000; i++) {

        redis = unit_connect();

        if (redis && redis->err == 0) {
            return 0;
        }

        redisFree(redis);
        usleep(10000);
    }

    fprintf(stderr, "redis-server did not start\n");

    return -1;
}


static int
unit_stop(void **state)
{
    char            path[400];
    DIR            *dir;
    struct dirent  *entry;

    (void) state;

    redisFree(redis);
    kill(unit_server, SIGKILL);
    waitpid(unit_server, NULL, 0);

    dir = opendir(unit_dir);

    while (dir && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", unit_dir, entry->d_name);
        (void) unlink(path);
    }

    closedir(dir);

    return rmdir(unit_dir);
}


/* a status as it is, an error as "-" and its first word, the rest as in RESP */

static void
unit_print(char *text, size_t size, redisReply *reply)
{
    size_t  i, n;

    switch (reply->type) {

    case REDIS_REPLY_INTEGER:
        snprintf(text, size, "%lld", reply->integer);
        break;

    case REDIS_REPLY_NIL:
        snprintf(text, size, "nil");
        break;

    case REDIS_REPLY_ERROR:
        snprintf(text, size, "-%.*s", (int) strcspn(reply->str, " "),
                 reply->str);
        break;

    case REDIS_REPLY_ARRAY:
        n = snprintf(text, size, "[");

        for (i = 0; i < reply->elements; i++) {
            n += snprintf(text + n, size - n, i ? " " : "");
            unit_print(text + n, size - n, reply->element[i]);
            n += strlen(text + n);
        }

        snprintf(text + n, size - n, "]");
        break;

    default:
        snprintf(text, size, "%s", reply->str);
    }
}


static void
unit_reply(redisReply *reply, char *text, size_t size)
{
    assert_non_null(reply);
    unit_print(text, size, reply);
    freeReplyObject(reply);
}


static void
unit_do(const char *wanted, const char *format, ...)
{
    char         text[4096];
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(redis, format, args);
    va_end(args);

    unit_reply(reply, text, sizeof(text));
    assert_string_equal(text, wanted);
}


/* EVAL of a script: how many keys, keys and arguments */

static void
unit_append(redisContext *context, ngx_str_t *script, const char *keys,
    const char **args)
{
    int          n;
    size_t       lens[UNIT_ARGS + 3];
    const char  *argv[UNIT_ARGS + 3];

    argv[0] = "EVAL";
    argv[1] = (char *) script->data;
    argv[2] = keys;

    for (n = 0; n < UNIT_ARGS && args[n]; n++) {
        argv[n + 3] = args[n];
    }

    for (n += 3; n > 0; n--) {
        lens[n - 1] = strlen(argv[n - 1]);
    }

    lens[1] = script->len;

    for (n = 0; n < UNIT_ARGS && args[n]; n++) { /* void */ }

    assert_int_equal(redisAppendCommandArgv(context, n + 3, argv, lens),
                     REDIS_OK);
}


static void
unit_answer(redisContext *context, char *text, size_t size)
{
    void  *reply;

    assert_int_equal(redisGetReply(context, &reply), REDIS_OK);
    unit_reply(reply, text, size);
}


#define unit_eval(wanted, script, keys, ...)                                  \
    do {                                                                      \
        char         unit_text[4096];                                         \
        const char  *unit_args[UNIT_ARGS] = { __VA_ARGS__ };                  \
        unit_append(redis, &script, keys, unit_args);                         \
        unit_answer(redis, unit_text, sizeof(unit_text));                     \
        assert_string_equal(unit_text, wanted);                               \
    } while (0)


/* of a name that there need be no account of, and nothing was judged */

#define create(wanted, token, set, ...)                                       \
    unit_eval(wanted, npmtoken_script_create, "3", token, set, "user:any",    \
              "", "", __VA_ARGS__)

#define create_by(wanted, ...)                                                \
    unit_eval(wanted, npmtoken_script_create, "4", "token:k",                 \
              "tokens-of:ann", "user:ann", "token:a1", __VA_ARGS__)

#define signup(wanted, keys, ...)                                             \
    unit_eval(wanted, npmtoken_script_signup, keys, __VA_ARGS__)

#define revoke(wanted, token, set, ...)                                       \
    unit_eval(wanted, npmtoken_script_revoke, "2", token, set, "", "",        \
              __VA_ARGS__)

#define revoke_by(wanted, ...)                                                \
    unit_eval(wanted, npmtoken_script_revoke, "4", "token:a2",                \
              "tokens-of:ann", "user:ann", "token:a1", __VA_ARGS__)

#define list(wanted, ...)                                                     \
    unit_eval(wanted, npmtoken_script_list, "1", "tokens-of:ann", "token:",   \
              __VA_ARGS__)

#define find(wanted, ...)                                                     \
    unit_eval(wanted, npmtoken_script_find, "1", "tokens-of:ann", "token:",   \
              __VA_ARGS__)

#define change(wanted, ...)                                                   \
    unit_eval(wanted, npmtoken_script_account, "1", __VA_ARGS__)

#define otp(wanted, ...)                                                      \
    unit_eval(wanted, npmtoken_script_otp, "1", __VA_ARGS__)

#define code(wanted, ...)                                                     \
    unit_eval(wanted, npmtoken_script_otp, "2", "user:ann", "tries:codes",    \
              __VA_ARGS__)

#define begin(wanted, keys, ...)                                              \
    unit_eval(wanted, npmtoken_script_begin, keys, __VA_ARGS__)

#define end(keys, ...)                                                        \
    unit_eval("OK", npmtoken_script_end, keys, __VA_ARGS__)


/* a digest of all there is; a hash and a set have no order of their own */

static void
unit_state(char *text, size_t size)
{
    unit_reply(redisCommand(redis, "EVAL %s 0",
        "local all = {}\n"
        "local function put(...) all[#all + 1] = cjson.encode({...}) end\n"
        "for _, key in ipairs(redis.call('keys', '*')) do\n"
        "    local kind = redis.call('type', key).ok\n"
        "    put(key, kind, redis.call('ttl', key) < 0)\n"
        "    if kind == 'hash' then\n"
        "        for _, f in ipairs(redis.call('hkeys', key)) do\n"
        "            put(key, f, redis.call('hget', key, f))\n"
        "        end\n"
        "    elseif kind == 'set' then\n"
        "        for _, m in ipairs(redis.call('smembers', key)) do\n"
        "            put(key, m)\n"
        "        end\n"
        "    elseif kind == 'zset' then\n"
        "        put(key, unpack(redis.call('zrange', key, 0, -1,\n"
        "                                   'withscores')))\n"
        "    elseif kind == 'list' then\n"
        "        put(key, unpack(redis.call('lrange', key, 0, -1)))\n"
        "    end\n"
        "end\n"
        "table.sort(all)\n"
        "return redis.sha1hex(table.concat(all, ' '))\n"), text, size);
}


/* an account with two tokens, one that was, and one that is long over */

static void
unit_fill(void)
{
    unit_do("OK", "FLUSHALL");
    unit_do("6", "HSET user:ann password old email a@b tfa auth-only "
            "totp GEZDGNBVGY3TQOJQ totp_used 100 recovery " H1 "," H2);
    unit_do("1", "HSET token:a1 user ann");
    unit_do("2", "HSET token:a2 user ann expires_at 999999");
    unit_do("2", "HSET token:a3 user ann expires_at 913600");
    unit_do("2", "HSET token:s1 user ann session " M);
    unit_do("1", "HSET web:w1 state approved");
    unit_do("1", "HSET web:w2 state pending");
    unit_do("6", "HSET web:w4 state ticket ticket digest user Ann by a1 "
            "request what mark mark");
    unit_do("1", "ZADD web:pending 1 x");
    unit_do("4", "SADD tokens-of:ann a1 a2 a3 a4");
    unit_do("1", "HSET tries:codes wrong 1");
    unit_do("1", "ZADD tries:name 9999999999999 id0");
    unit_do("1", "ZADD tries:address -9999999999999 id1");
}


static int
unit_empty(void **state)
{
    (void) state;

    unit_do("OK", "FLUSHALL");

    return 0;
}


static void
test_create(void **state)
{
    (void) state;

    create("OK", "token:k", "tokens-of:ann", "k", "token:", "2", "1000", "",
           "", "user", "ann", "name", "a b\n");
    unit_do("[user ann name a b\n]", "HGETALL token:k");
    unit_do("[k]", "SMEMBERS tokens-of:ann");

    create("EXISTS", "token:k", "tokens-of:eve", "k", "token:", "2", "1000",
           "", "", "user", "eve");
    unit_do("[user ann name a b\n]", "HGETALL token:k");
    unit_do("0", "EXISTS tokens-of:eve");

    unit_do("OK", "SET token:s text");
    create("EXISTS", "token:s", "tokens-of:ann", "s", "token:", "2", "1000",
           "", "", "user", "ann");

    create("OK", "token:l", "tokens-of:ann", "l", "token:", "2", "1000", "",
           "", "user", "ann");
    create("LIMIT", "token:m", "tokens-of:ann", "m", "token:", "2", "1000", "",
           "", "user", "ann");
    unit_do("0", "EXISTS token:m");
    unit_do("2", "SCARD tokens-of:ann");

    create("OK", "token:m", "tokens-of:ann", "m", "token:", "0", "1000", "",
           "", "user", "ann");
}


static void
test_create_makes_room(void **state)
{
    (void) state;

    /* a1 is good, a2 expired just now, a3 a day ago, a4 is gone */

    unit_fill();
    create("LIMIT", "token:k", "tokens-of:ann", "k", "token:", "2", "1000000",
           "", "", "user", "ann");
    unit_do("4", "SCARD tokens-of:ann");

    /* one second before it was a day */

    create("LIMIT", "token:k", "tokens-of:ann", "k", "token:", "3", "999999",
           "", "", "user", "ann");

    create("OK", "token:k", "tokens-of:ann", "k", "token:", "3", "1000000", "",
           "", "user", "ann");
    unit_do("[1 1 0 0 1]", "SMISMEMBER tokens-of:ann a1 a2 a3 a4 k");
    unit_do("1", "EXISTS token:a3");

    /* what cannot be read counts */

    unit_fill();
    unit_do("1", "DEL token:a3");
    unit_do("OK", "SET token:a3 text");
    unit_do("0", "HSET token:a2 expires_at 1e3");
    create("LIMIT", "token:k", "tokens-of:ann", "k", "token:", "3", "1000000",
           "", "", "user", "ann");
}


static void
test_signup(void **state)
{
    char  before[64], after[64];

    (void) state;

    signup("OK", "1", "user:ann", "ann", "4", "password", "x", "email", "a@b");
    unit_do("[password x email a@b]", "HGETALL user:ann");

    signup("EXISTS", "1", "user:ann", "ann", "2", "password", "y");
    unit_do("x", "HGET user:ann password");

    signup("OK", "3", "user:bob", "token:b", "tokens-of:bob", "bob", "2",
           "password", "z", "b", "user", "bob", "readonly", "true");
    unit_do("[password z]", "HGETALL user:bob");
    unit_do("[user bob readonly true]", "HGETALL token:b");
    unit_do("[b]", "SMEMBERS tokens-of:bob");

    unit_state(before, sizeof(before));

    signup("EXISTS", "3", "user:bob", "token:c", "tokens-of:bob", "bob", "2",
           "password", "y", "c", "user", "bob");
    signup("EXISTS", "3", "user:cat", "token:b", "tokens-of:cat", "cat", "2",
           "password", "y", "b", "user", "cat");

    unit_state(after, sizeof(after));
    assert_string_equal(before, after);
}


/* whoever signs up does not get the tokens that a name was given */

static void
test_signup_of_a_name_with_tokens(void **state)
{
    (void) state;

    unit_do("1", "HSET token:a user ann");
    unit_do("1", "SADD tokens-of:ann a");

    signup("EXISTS", "3", "user:ann", "token:k", "tokens-of:ann", "ann", "2",
           "password", "x", "k", "user", "ann");
    unit_do("0", "EXISTS user:ann token:k");

    signup("OK", "1", "user:ann", "ann", "2", "password", "x");
}


static void
test_revoke(void **state)
{
    (void) state;

    unit_fill();

    revoke("NONE", "token:a1", "tokens-of:eve", "a1", "eve", "");
    revoke("NONE", "token:a1", "tokens-of:", "a1", "", "");
    revoke("NONE", "token:a4", "tokens-of:ann", "a4", "ann", "");
    unit_do("1", "EXISTS token:a1");

    revoke("OK", "token:a1", "tokens-of:ann", "a1", "ann", "", "self");
    unit_do("0", "EXISTS token:a1");
    unit_do("0", "SISMEMBER tokens-of:ann a1");
    revoke("NONE", "token:a1", "tokens-of:ann", "a1", "ann", "");

    /* one that was written by hand, without a name, in no set */

    unit_do("1", "HSET token:h readonly true");
    revoke("NONE", "token:h", "tokens-of:ann", "h", "ann", "");
    revoke("OK", "token:h", "tokens-of:", "h", "", "");
    unit_do("0", "EXISTS token:h");
}


static void
test_revoke_and_keep(void **state)
{
    (void) state;

    unit_fill();
    unit_do("1", "EXPIRE token:a1 1000");

    revoke("OK", "token:a1", "tokens-of:ann", "a1", "ann", "777");
    unit_do("[user ann revoked_at 777]", "HGETALL token:a1");
    unit_do("-1", "TTL token:a1");
    unit_do("0", "SISMEMBER tokens-of:ann a1");

    revoke("NONE", "token:a1", "tokens-of:ann", "a1", "ann", "888");
    revoke("NONE", "token:a1", "tokens-of:ann", "a1", "ann", "");
    unit_do("777", "HGET token:a1 revoked_at");
}


static void
test_revoke_protected(void **state)
{
    (void) state;

    unit_fill();

    unit_do("1", "HSET token:a1 protected true");
    revoke("PROTECTED", "token:a1", "tokens-of:ann", "a1", "ann", "", "self");
    revoke("PROTECTED", "token:a1", "tokens-of:ann", "a1", "ann", "7", "self");
    revoke("NONE", "token:a1", "tokens-of:eve", "a1", "eve", "", "self");

    unit_do("0", "HSET token:a1 protected maybe");
    revoke("PROTECTED", "token:a1", "tokens-of:ann", "a1", "ann", "", "self");

    unit_do("0", "HSET token:a1 protected false");
    revoke("OK", "token:a1", "tokens-of:ann", "a1", "ann", "", "self");

    unit_do("1", "HSET token:a2 protected 1");
    revoke("OK", "token:a2", "tokens-of:ann", "a2", "ann", "");
    unit_do("0", "EXISTS token:a2");
}


static void
test_list(void **state)
{
    (void) state;

    list("[0]", "ann", "0", "10", "100", "50");

    unit_do("2", "HSET token:a user ann readonly true");
    unit_do("1", "HSET token:b user bob");
    unit_do("2", "HSET token:c user ann revoked_at 7");
    unit_do("1", "HSET token:d readonly true");
    unit_do("OK", "SET token:e text");
    unit_do("6", "SADD tokens-of:ann a b c d e f");

    list("[1 a [user ann readonly true]]", "ann", "0", "10", "100", "50");
    list("[1]", "ann", "1", "10", "100", "50");
    list("[1]", "ann", "9999000000", "9999", "100", "50");

    /* by time, then by key; what is no time comes last */

    unit_do("OK", "FLUSHALL");
    unit_do("3", "HSET token:a user ann created 2026-01-01T00:00:00.000Z x_ a");
    unit_do("3", "HSET token:b user Ann created 2026-01-01T00:00:00.001Z n 1");
    unit_do("2", "HSET token:c user ANN created 2026-01-01T00:00:00.000Z");
    unit_do("2", "HSET token:d user ann created zzz");
    unit_do("2", "HSET token:e user ann created "
            "2026-01-01T00:00:00.000Z0000000000");
    unit_do("5", "SADD tokens-of:ann a b c d e");

    list("[5 b [user Ann created 2026-01-01T00:00:00.001Z n 1]"
         " a [user ann created 2026-01-01T00:00:00.000Z]"
         " c [user ANN created 2026-01-01T00:00:00.000Z]"
         " d [user ann created zzz]"
         " e [user ann created 2026-01-01T00:00:00.000Z0000000000]]",
         "aNN", "0", "10", "1000", "50");
    list("[5 a [user ann created 2026-01-01T00:00:00.000Z]"
         " c [user ANN created 2026-01-01T00:00:00.000Z]]",
         "ann", "1", "2", "1000", "50");

    /* as many as there is room for, each 39 bytes, but one in any case */

    list("[5 a [user ann created 2026-01-01T00:00:00.000Z]"
         " c [user ANN created 2026-01-01T00:00:00.000Z]]",
         "ann", "1", "4", "78", "50");
    list("[5 a [user ann created 2026-01-01T00:00:00.000Z]]",
         "ann", "1", "4", "77", "50");
    list("[5 a [user ann created 2026-01-01T00:00:00.000Z]]",
         "ann", "1", "4", "1", "50");

    /* and of one that is too large what it is known by */

    list("[5 a [created 2026-01-01T00:00:00.000Z]"
         " c [created 2026-01-01T00:00:00.000Z]]",
         "ann", "1", "2", "1000", "37");
    list("[5 a [user ann created 2026-01-01T00:00:00.000Z]]",
         "ann", "1", "1", "1000", "38");
}


static void
test_find(void **state)
{
    char         text[64];
    const char  *args[UNIT_ARGS] = { "tokens-of:ann", "token:", "ann", "xxxx",
                                     "ccc" };

    (void) state;

    find("[]", "ann", "aaaa", "a");

    unit_do("1", "HSET token:aaaa user ann");
    unit_do("1", "HSET token:aaab user Ann");
    unit_do("1", "HSET token:aaac user bob");
    unit_do("2", "HSET token:aabc user ann revoked_at 7");
    unit_do("OK", "SET token:aacc text");
    unit_do("1", "HSET token:aad user ann");
    unit_do("1", "HSET token:cccc user ann");
    unit_do("1", "HSET token:cccd user ann");
    unit_do("1", "HSET token:ccce user ann");
    unit_do("9", "SADD tokens-of:ann aaaa aaab aaac aabc aacc aad cccc cccd "
            "ccce");

    find("[aaaa]", "ANN", "aaaa", "");
    find("[aaaa]", "ann", "aaaa", "a");
    find("[aaab]", "ann", "xxxx", "aaab");
    find("[]", "ann", "aaac", "aaac");
    find("[]", "ann", "aabc", "aabc");
    find("[]", "ann", "aacc", "aacc");
    find("[]", "ann", "xxxx", "");
    find("[]", "ann", "xxxx", "aad");
    find("[]", "ann", "xxxx", "aaaaa");
    find("[]", "bob", "xxxx", "c");

    /* of three that begin so there are two, which will do to say so */

    unit_do("2", "DEL token:cccd token:ccce");
    find("[cccc]", "ann", "xxxx", "ccc");
    unit_do("1", "HSET token:cccd user ann");
    unit_do("1", "HSET token:ccce user ann");
    unit_append(redis, &npmtoken_script_find, "1", args);
    unit_answer(redis, text, sizeof(text));
    assert_int_equal(strlen(text), strlen("[cccc ccce]"));
}


static void
test_change(void **state)
{
    (void) state;

    unit_fill();

    change("CHANGED", "user:ann", "~8 5 passwordolder", "", "", "2",
           "password", "n");
    change("CHANGED", "user:ann", "~8 0 password", "", "", "2", "password",
           "n");
    change("CHANGED", "user:ann", "~8 1 fullnamex", "", "", "2", "password",
           "n");
    unit_do("old", "HGET user:ann password");

    change("OK", "user:ann", OLD, "", "", "4", "password", "new", "fullname",
           "A B");
    unit_do("[new A B]", "HMGET user:ann password fullname");

    change("OK", "user:ann", "~11 0 tfa_pending", "", "", "2", "email", "c@d",
           "tfa", "totp", "totp_used", "none");
    unit_do("[c@d nil nil nil]", "HMGET user:ann email tfa totp totp_used");

    /* of what is gone nothing is made */

    change("CHANGED", "user:bob", "~8 0 password", "", "", "2", "password",
           "n");
    unit_do("0", "EXISTS user:bob");

    /* what is made was not there */

    change("OK", "user:bob", "~8 0 password", "", "make", "2", "email", "b@c");
    change("CHANGED", "user:bob", "~8 0 password", "", "make", "2", "email",
           "d@e");
    unit_do("[email b@c]", "HGETALL user:bob");
}


/* all that was judged is looked at once more, and nothing is done if not so */

static void
test_what_was_judged(void **state)
{
    ngx_uint_t  i;
    char        before[64], after[64];

    static const char  *accounts[] = {
        "HSET user:ann password new", "HDEL user:ann password",
        "HSET user:ann locked true", "DEL user:ann"
    };

    static const char  *bearers[] = {
        "HSET token:a1 revoked_at 5", "HSET token:a1 user eve",
        "HSET token:a1 x_y z", "HSET token:a1 cidr_whitelist ::1",
        "DEL token:a1"
    };

    (void) state;

    for (i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
        unit_fill();
        freeReplyObject(redisCommand(redis, accounts[i]));
        unit_state(before, sizeof(before));

        create_by("CHANGED", OLD, A1, "k", "token:", "0", "1", "ann", "now",
                  "user", "ann");
        revoke_by("CHANGED", OLD, A1, "a2", "ann", "", "");
        change("CHANGED", "user:ann", OLD, "", "", "2", "email", "x");
        otp("USED", "user:ann", "totp", "101", "", "", "", OLD);

        unit_state(after, sizeof(after));
        assert_string_equal(before, after);
    }

    for (i = 0; i < sizeof(bearers) / sizeof(bearers[0]); i++) {
        unit_fill();
        freeReplyObject(redisCommand(redis, bearers[i]));
        unit_state(before, sizeof(before));

        create_by("DENIED", OLD, A1, "k", "token:", "0", "1", "ann", "now",
                  "user", "ann");
        revoke_by("DENIED", OLD, A1, "a2", "ann", "", "");
        unit_eval("DENIED", npmtoken_script_account, "2", "user:ann",
                  "token:a1", OLD, A1, "", "2", "email", "x");

        unit_state(after, sizeof(after));
        assert_string_equal(before, after);
    }

    unit_fill();
    create_by("OK", OLD, A1, "k", "token:", "0", "1", "ann", "now", "user",
              "ann");
    revoke_by("OK", OLD, A1, "a2", "ann", "", "");
}


static void
test_seen(void **state)
{
    u_char            buf[128];
    size_t            len;
    npmtoken_field_t  fields[2] = {
        { ngx_string("a"), ngx_string("1 2") },
        { ngx_string("bc"), ngx_string("") }
    };
    ngx_str_t  names[] = {
        ngx_string("d"), ngx_string("a"), ngx_null_string
    };

    (void) state;

    len = npmtoken_script_seen(buf, fields, 2, NULL);
    assert_int_equal(len, npmtoken_script_seen(NULL, fields, 2, NULL));
    buf[len] = '\0';
    assert_string_equal((char *) buf, "=1 3 a1 22 0 bc");

    len = npmtoken_script_seen(buf, fields, 2, names);
    assert_int_equal(len, npmtoken_script_seen(NULL, fields, 2, names));
    buf[len] = '\0';
    assert_string_equal((char *) buf, "~1 0 d1 3 a1 2");
}


/* a name that was given a token has an account, in one spelling */

static void
test_create_takes_the_name(void **state)
{
    (void) state;

    unit_eval("OK", npmtoken_script_create, "3", "token:k", "tokens-of:bob",
              "user:bob", "", "", "k", "token:", "0", "1", "Bob", "now",
              "user", "Bob");
    unit_do("[created now name Bob]", "HGETALL user:bob");

    unit_eval("CHANGED", npmtoken_script_create, "3", "token:l",
              "tokens-of:bob", "user:bob", "", "", "l", "token:", "0", "1",
              "bob", "now", "user", "bob");
    unit_do("0", "EXISTS token:l");

    revoke("OK", "token:k", "tokens-of:bob", "k", "bob", "");
    unit_do("[created now name Bob]", "HGETALL user:bob");
    signup("EXISTS", "3", "user:bob", "token:m", "tokens-of:bob", "bob", "2",
           "password", "x", "m", "user", "bob");

    /* the operator may give it a password, not another spelling */

    signup("EXISTS", "1", "user:bob", "bob", "2", "password", "x");
    signup("OK", "1", "user:bob", "Bob", "2", "password", "x");
    signup("EXISTS", "1", "user:bob", "Bob", "2", "password", "y");
}


/* what the bearer's key has left is an end, too */

static void
test_create_ends_with_the_bearer(void **state)
{
    (void) state;

    unit_fill();
    unit_do("1", "EXPIRE token:a1 100");

    create_by("OK", "", A1, "k", "token:", "0", "1000", "ann", "now", "user",
              "ann");
    unit_do("1", "EVAL %s 1 token:k",
            "local at = tonumber(redis.call('hget', KEYS[1], 'expires_at'))\n"
            "return at >= 1095 and at <= 1100 and 1 or at\n");

    unit_do("1", "DEL token:k");
    create_by("OK", "", A1, "k", "token:", "0", "1000", "ann", "now", "user",
              "ann", "expires_at", "1050");
    unit_do("1050", "HGET token:k expires_at");

    unit_do("1", "DEL token:k");
    create_by("OK", "", A1, "k", "token:", "0", "1000", "ann", "now",
              "expires_at", "9999", "user", "ann");
    unit_do("1", "EVAL %s 1 token:k",
            "local at = tonumber(redis.call('hget', KEYS[1], 'expires_at'))\n"
            "return at >= 1095 and at <= 1100 and 1 or at\n");
}


/* a name is found however it is spelt, and whatever else is there */

#define walk(wanted, ...)                                                     \
    unit_eval(wanted, npmtoken_script_walk, "1", "n*:user:x", "n*:", "0",     \
              "1000", __VA_ARGS__)

static void
test_walk(void **state)
{
    (void) state;

    unit_do("1", "HSET n*:token:a user Ann");
    unit_do("1", "HSET n*:token:b readonly true");
    unit_do("OK", "SET n*:token:c bob");
    unit_do("1", "HSET nn:token:d user bob");
    unit_do("1", "HSET n*:user:cat email x");
    unit_do("1", "SADD n*:tokens-of:dan x");
    unit_do("1", "HSET n*:proof:eve user eve");

    walk("[0 [ann] []]", "ann");
    walk("[0 [] []]", "bob", "eve", "an", "");
    walk("[0 [cat] []]", "cat");
    walk("[0 [dan] []]", "dan");

    unit_do("1", "HSET n*:user:Eve email x");
    walk("[0 [] []]", "bob");
    walk("[0 [eve] [eve]]", "eve");
}


static void
test_fold(void **state)
{
    (void) state;

#define fold(wanted)                                                          \
    unit_eval(wanted, npmtoken_script_fold, "4", "user:Ann", "user:ann",      \
              "tokens-of:Ann", "tokens-of:ann", "Ann")

    unit_do("1", "HSET user:Ann password x");
    unit_do("2", "SADD tokens-of:Ann a b");
    unit_do("1", "SADD tokens-of:ann c");

    fold("OK");
    unit_do("[password x name Ann]", "HGETALL user:ann");
    unit_do("3", "SCARD tokens-of:ann");
    unit_do("0", "EXISTS user:Ann tokens-of:Ann");

    unit_do("1", "HSET user:Ann password y");
    fold("EXISTS");
    unit_do("[password x name Ann]", "HGETALL user:ann");
    unit_do("[password y]", "HGETALL user:Ann");
}


static void
test_totp(void **state)
{
    (void) state;

    unit_fill();

    otp("USED", "user:ann", "totp", "99");
    otp("USED", "user:ann", "totp", "100");
    otp("OK", "user:ann", "totp", "101");
    otp("USED", "user:ann", "totp", "101");
    unit_do("101", "HGET user:ann totp_used");

    /* by number, not by text */

    otp("OK", "user:ann", "totp", "1000");
    otp("USED", "user:ann", "totp", "999");

    unit_do("1", "HDEL user:ann totp_used");
    otp("OK", "user:ann", "totp", "5");

    unit_do("0", "HSET user:ann totp_used x");
    otp("USED", "user:ann", "totp", "9999");

    unit_do("1", "HDEL user:ann totp");
    otp("USED", "user:ann", "totp", "99999");

    otp("USED", "user:bob", "totp", "1");
    unit_do("0", "EXISTS user:bob");
}


static void
test_recovery(void **state)
{
    (void) state;

    unit_fill();

    otp("WRONG", "user:ann", "recovery", "1111");
    otp("WRONG", "user:ann", "recovery", "");
    otp("WRONG", "user:ann", "recovery", H1 "," H2);

    otp("OK", "user:ann", "recovery", H1);
    unit_do(H2, "HGET user:ann recovery");
    otp("WRONG", "user:ann", "recovery", H1);

    otp("OK", "user:ann", "recovery", H2);
    unit_do("0", "HEXISTS user:ann recovery");
    otp("WRONG", "user:ann", "recovery", H2);

    otp("USED", "user:bob", "recovery", H2);
    unit_do("0", "EXISTS user:bob");
}


/* a step is good again for the token that has used it, and for no other */

static void
test_totp_again(void **state)
{
    (void) state;

    unit_fill();

    otp("OK", "user:ann", "totp", "101", "k1");
    otp("OK", "user:ann", "totp", "101", "k1");
    otp("USED", "user:ann", "totp", "101", "k2");
    otp("USED", "user:ann", "totp", "101", "");
    otp("USED", "user:ann", "totp", "100", "k1");
    otp("OK", "user:ann", "totp", "101", "k1");

    otp("OK", "user:ann", "totp", "102", "k2");
    otp("USED", "user:ann", "totp", "102", "k1");
    otp("USED", "user:ann", "totp", "101", "k1");

    /* what a login has used is good for nothing else */

    otp("OK", "user:ann", "totp", "103", "");
    unit_do("0", "HEXISTS user:ann totp_used_by");
    otp("USED", "user:ann", "totp", "103", "k2");
    otp("USED", "user:ann", "totp", "103", "");
}


/* the milliseconds that "until" is ahead, more or less */

static void
unit_until(long long wanted)
{
    long long    ahead;
    redisReply  *reply;

    reply = redisCommand(redis, "EVAL %s 0",
        "local t = redis.call('time')\n"
        "return redis.call('hget', 'tries:codes', 'until')\n"
        "       - t[1] * 1000 - math.floor(t[2] / 1000)\n");

    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);

    ahead = reply->integer;
    freeReplyObject(reply);

    if (ahead > wanted || ahead < wanted - 5000) {
        fail_msg("%lld and not %lld", ahead, wanted);
    }
}


static void
test_wrong_codes(void **state)
{
    ngx_uint_t  i;

    static const long long  waits[] = {
        900000, 1800000, 3600000, 7200000, 14400000, 28800000, 57600000,
        86400000, 86400000
    };

    (void) state;

    unit_fill();
    unit_do("1", "DEL tries:codes");

    /* each window is twice the last one, up to a day */

    for (i = 0; i < unit_n(waits); i++) {
        code("WRONG", "wrong", "", "", "2", "900000");
        code("WRONG", "recovery", "x", "", "2", "900000");
        unit_until(waits[i]);
        unit_do("0", "HSET tries:codes until 1");
    }

    /* what is used counts neither way, and what is right ends all of that */

    code("USED", "totp", "100", "k1", "2", "900000");
    unit_do("18", "HGET tries:codes wrong");
    code("OK", "totp", "101", "k1", "2", "900000");
    unit_do("0", "EXISTS tries:codes");
    code("WRONG", "wrong", "", "", "2", "900000");
    unit_do("[1 nil]", "HMGET tries:codes wrong until");

    /* within the wait none is looked at, be it right */

    code("WRONG", "wrong", "", "", "2", "900000");
    code("WAIT 900", "totp", "102", "k1", "2", "900000");
    code("WAIT 900", "totp", "101", "k1", "2", "900000");
    code("WAIT 900", "recovery", H1, "", "2", "900000");
    code("WAIT 900", "wrong", "", "", "2", "900000");
    unit_do("101", "HGET user:ann totp_used");

    /* a few, long ago, are forgotten; a level of waiting is not so soon */

    unit_do("1", "DEL tries:codes");
    code("WRONG", "wrong", "", "", "2", "900000");
    unit_do("1", "EXPIRE tries:codes 901 XX");
    code("WRONG", "wrong", "", "", "2", "900000");
    unit_do("0", "EXPIRE tries:codes 2591000 GT");
}


static void
test_attempts(void **state)
{
    (void) state;

    /* what is checked has a place, and gives it back or keeps it */

    begin("OK", "1", "tries:a", "i1", "60000", "900000", "2");
    begin("OK", "1", "tries:a", "i2", "60000", "900000", "2");
    begin("BUSY", "1", "tries:a", "i3", "60000", "900000", "2");
    unit_do("2", "ZCARD tries:a");

    end("1", "tries:a", "i1", "0");
    begin("OK", "1", "tries:a", "i3", "60000", "900000", "2");
    end("1", "tries:a", "i2", "900000");
    begin("BUSY", "1", "tries:a", "i4", "60000", "900000", "2");
    end("1", "tries:a", "i3", "900000");
    begin("WAIT 900", "1", "tries:a", "i4", "60000", "900000", "2");
    begin("OK", "1", "tries:a", "i4", "60000", "900000", "3");
    unit_do("3", "ZCARD tries:a");

    /* until as many are over as are too many for this limit */

    unit_do("OK", "FLUSHALL");
    end("1", "tries:a", "i1", "10000");
    end("1", "tries:a", "i2", "20000");
    end("1", "tries:a", "i3", "30000");
    begin("WAIT 10", "1", "tries:a", "i4", "60000", "900000", "3");
    begin("WAIT 30", "1", "tries:a", "i4", "60000", "900000", "1");

    /* of several, in all or in none */

    end("1", "tries:b", "j1", "900000");
    begin("WAIT 900", "2", "tries:c", "tries:b", "j2", "60000", "1", "1",
          "1");
    unit_do("0", "EXISTS tries:c");

    /* what is over is none, of either kind */

    unit_do("1", "DEL tries:b");
    unit_do("2", "ZADD tries:b -1000 k1 1000 k2");
    begin("OK", "1", "tries:b", "k3", "60000", "900000", "1");
    unit_do("[k3]", "ZRANGE tries:b 0 -1");

    /* a place is kept for the time of a check, and ends with the tally */

    unit_do("1", "EXPIRE tries:b 61 GT");
    end("1", "tries:b", "k3", "0");
    unit_do("0", "EXISTS tries:b");
    begin("OK", "1", "tries:b", "k4", "0", "900000", "1");
    begin("WAIT 900", "1", "tries:b", "k5", "0", "900000", "1");
    unit_do("1", "EXPIRE tries:b 901 GT");

    /* whoever was checked for longer than that counts */

    end("1", "tries:d", "l1", "900000");
    begin("WAIT 900", "1", "tries:d", "l2", "60000", "900000", "1");
}


static void
test_rehash(void **state)
{
    (void) state;

    unit_fill();

    unit_eval("CHANGED", npmtoken_script_rehash, "1", "user:ann", "x", "new");
    unit_eval("OK", npmtoken_script_rehash, "1", "user:ann", "old", "new");
    unit_do("new", "HGET user:ann password");
    unit_eval("CHANGED", npmtoken_script_rehash, "1", "user:bob", "", "new");
    unit_do("0", "EXISTS user:bob");
}


/* two that ask at once, on connections of their own: one gets it */

static void
unit_race(ngx_str_t *script, const char *keys, const char **first,
    const char **second, const char *loser)
{
    char           a[64], b[64];
    redisContext  *other;

    other = unit_connect();

    unit_append(redis, script, keys, first);
    unit_append(other, script, keys, second);

    unit_answer(other, b, sizeof(b));
    unit_answer(redis, a, sizeof(a));

    assert_string_equal(strcmp(a, "OK") == 0 ? b : a, loser);
    assert_true((strcmp(a, "OK") == 0) != (strcmp(b, "OK") == 0));

    redisFree(other);
}


static void
test_races(void **state)
{
    ngx_uint_t  i;

    static const char  *create_1[] = { "token:x", "tokens-of:ann", "user:ann",
        "", "", "x", "token:", "5", "1", "ann", "now", "user", "ann", NULL };
    static const char  *create_2[] = { "token:y", "tokens-of:ann", "user:ann",
        "", "", "y", "token:", "5", "1", "ann", "now", "user", "ann", NULL };
    static const char  *revokes[] = { "token:a1", "tokens-of:ann", "", "",
        "a1", "ann", "", "", NULL };
    static const char  *keeps[] = { "token:a2", "tokens-of:ann", "", "", "a2",
        "ann", "7", "", NULL };
    static const char  *signups[] = { "user:bob", "token:z", "tokens-of:bob",
        "bob", "2", "password", "x", "z", "user", "bob", NULL };
    static const char  *totps[] = { "user:ann", "totp", "101", NULL };
    static const char  *codes[] = { "user:ann", "recovery", H1, NULL };

    (void) state;

    for (i = 0; i < UNIT_PAIRS; i++) {
        unit_fill();
        unit_do("1", "HSET token:a4 user ann");

        unit_race(&npmtoken_script_create, "3", create_1, create_2, "LIMIT");
        unit_do("5", "SCARD tokens-of:ann");
        unit_race(&npmtoken_script_revoke, "2", revokes, revokes, "NONE");
        unit_race(&npmtoken_script_revoke, "2", keeps, keeps, "NONE");
        unit_do("3", "SCARD tokens-of:ann");
        unit_race(&npmtoken_script_signup, "3", signups, signups, "EXISTS");
        unit_race(&npmtoken_script_otp, "1", totps, totps, "USED");
        unit_race(&npmtoken_script_otp, "1", codes, codes, "WRONG");
    }
}


/* runs a call; where it is refused, nothing has changed */

static void
unit_refused(redisContext *context, unit_call_t *call, const char *wanted)
{
    char  before[64], after[64], text[4096];

    unit_state(before, sizeof(before));

    unit_append(context, call->script, call->keys, call->args);
    unit_answer(context, text, sizeof(text));

    if (strcmp(text, wanted) != 0) {
        fail_msg("%s: \"%s\" and not \"%s\"", call->name, text, wanted);
    }

    unit_state(after, sizeof(after));

    if (strcmp(text, "OK") != 0) {
        assert_string_equal(before, after);

    } else {
        assert_string_not_equal(before, after);
    }
}


/* where nothing is in its way each call is good, or the tests below are not */

static void
test_allowed(void **state)
{
    unit_fill();
    unit_refused(redis, *state, "OK");
}


static void
test_full(void **state)
{
    unit_call_t  *call = *state;

    unit_fill();

    unit_do("OK", "CONFIG SET maxmemory 1");
    unit_refused(redis, call, call->full);
    unit_do("OK", "CONFIG SET maxmemory 0");
}


static void
test_replica(void **state)
{
    unit_fill();

    unit_do("OK", "REPLICAOF 127.0.0.1 1");
    unit_refused(redis, *state, "-READONLY");
    unit_do("OK", "REPLICAOF NO ONE");
}


static void
test_alone(void **state)
{
    unit_fill();

    unit_do("OK", "CONFIG SET min-replicas-to-write 1");
    unit_refused(redis, *state, "-NOREPLICAS");
    unit_do("OK", "CONFIG SET min-replicas-to-write 0");
}


/* each key in turn is a list, if it is there or not */

static void
test_types(void **state)
{
    unsigned      i;
    const char   *key;
    unit_call_t  *call = *state;

    for (i = 0; i < (unsigned) atoi(call->keys); i++) {

        unit_fill();

        key = call->args[i];
        unit_do(strstr("user:ann token:a1 tokens-of:ann tries:codes tries:name"
                       " tries:address token:s1 web:w1 web:w2 web:w4"
                       " web:pending", key)
                ? "1" : "0",
                "DEL %s", key);
        unit_do("1", "LPUSH %s x", key);

        if (strcmp(key, "token:n1") == 0 || strcmp(key, "web:w3") == 0) {
            unit_refused(redis, call, "EXISTS");

        } else {
            unit_refused(redis, call, "-WRONGTYPE");
        }
    }
}


/*
 * Without the right to each of the commands that write, in turn; their names
 * are between blanks, since "del" is in "hdel".
 */

static void
test_rights(void **state)
{
    unsigned       i;
    redisContext  *user;
    unit_call_t   *call = *state;

    static const char  *writes[] = {
        " hset ", " hdel ", " sadd ", " srem ", " del ", " persist ",
        " zadd ", " zrem ", " zremrangebyscore ", " pexpire "
    };

    for (i = 0; i < unit_n(writes); i++) {

        unit_fill();
        unit_do("OK", "ACL SETUSER u reset on nopass ~* +@all -%b",
                writes[i] + 1, strlen(writes[i]) - 2);

        user = unit_connect();
        freeReplyObject(redisCommand(user, "AUTH u x"));

        unit_refused(user, call,
                     strstr(call->writes, writes[i]) ? "-NOPERM" : "OK");
        redisFree(user);
    }

    unit_fill();
    unit_do("OK", "ACL SETUSER u reset on nopass ~x +@all");

    user = unit_connect();
    freeReplyObject(redisCommand(user, "AUTH u x"));
    unit_refused(user, call, "-NOPERM");
    redisFree(user);
}


/* more arguments than Lua's stack takes, or one too few */

static void
test_arguments(void **state)
{
    int           n;
    char          text[4096], before[64], after[64];
    size_t        lens[10003];
    const char   *argv[10003];
    ngx_uint_t    i;
    unit_call_t  *call;

    (void) state;

    for (i = 0; i < unit_n(calls); i++) {

        call = &calls[i];

        if (call->script != &npmtoken_script_create
            && call->script != &npmtoken_script_signup
            && call->script != &npmtoken_script_account)
        {
            continue;
        }

        unit_fill();
        unit_state(before, sizeof(before));

        argv[0] = "EVAL";
        argv[1] = (char *) call->script->data;
        argv[2] = call->keys;

        for (n = 3; call->args[n - 3]; n++) {
            argv[n] = call->args[n - 3];
        }

        for ( /* void */ ; n < 10003; n++) {
            argv[n] = "x";
        }

        for (n = 0; n < 10003; n++) {
            lens[n] = strlen(argv[n]);
        }

        unit_reply(redisCommandArgv(redis, 10003, argv, lens), text,
                   sizeof(text));

        assert_string_equal(text, "-ERR");

        unit_state(after, sizeof(after));
        assert_string_equal(before, after);
    }

    unit_fill();
    unit_state(before, sizeof(before));

    create("-ERR", "token:k", "tokens-of:ann", "k", "token:", "9", "1",
           "user");
    create("-ERR", "token:k", "tokens-of:ann", "k", "token:", "9", "1");
    signup("-ERR", "1", "user:bob", "1", "password");
    signup("-ERR", "1", "user:bob", "2", "password");
    signup("-ERR", "1", "user:bob", "0");
    signup("-ERR", "3", "user:bob", "token:k", "tokens-of:bob", "2",
           "password", "x", "k");
    signup("-ERR", "3", "user:bob", "token:k", "tokens-of:bob", "2",
           "password", "x", "k", "user");
    change("-ERR", "user:ann", "password", "old", "1", "password");
    change("-ERR", "user:ann", "password", "old", "3", "a", "b", "c");

    unit_state(after, sizeof(after));
    assert_string_equal(before, after);
}


static int
unit_calls(const char *group, CMUnitTestFunction test)
{
    return unit_run(group, test, calls, sizeof(calls[0]), unit_n(calls));
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_create, unit_empty),
        cmocka_unit_test_setup(test_create_makes_room, unit_empty),
        cmocka_unit_test_setup(test_signup, unit_empty),
        cmocka_unit_test_setup(test_signup_of_a_name_with_tokens, unit_empty),
        cmocka_unit_test_setup(test_revoke, unit_empty),
        cmocka_unit_test_setup(test_revoke_and_keep, unit_empty),
        cmocka_unit_test_setup(test_revoke_protected, unit_empty),
        cmocka_unit_test_setup(test_list, unit_empty),
        cmocka_unit_test_setup(test_find, unit_empty),
        cmocka_unit_test_setup(test_change, unit_empty),
        cmocka_unit_test_setup(test_what_was_judged, unit_empty),
        cmocka_unit_test(test_seen),
        cmocka_unit_test_setup(test_create_takes_the_name, unit_empty),
        cmocka_unit_test_setup(test_create_ends_with_the_bearer, unit_empty),
        cmocka_unit_test_setup(test_walk, unit_empty),
        cmocka_unit_test_setup(test_fold, unit_empty),
        cmocka_unit_test_setup(test_totp, unit_empty),
        cmocka_unit_test_setup(test_recovery, unit_empty),
        cmocka_unit_test_setup(test_totp_again, unit_empty),
        cmocka_unit_test_setup(test_wrong_codes, unit_empty),
        cmocka_unit_test_setup(test_attempts, unit_empty),
        cmocka_unit_test_setup(test_rehash, unit_empty),
        cmocka_unit_test_setup(test_races, unit_empty),
        cmocka_unit_test_setup(test_arguments, unit_empty)
    };

    if (unit_start(NULL) != 0) {
        return 1;
    }

    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += unit_calls("allowed", test_allowed);
    failed += unit_calls("full", test_full);
    failed += unit_calls("replica", test_replica);
    failed += unit_calls("without replicas", test_alone);
    failed += unit_calls("types", test_types);
    failed += unit_calls("rights", test_rights);

    return unit_stop(NULL) != 0 || failed != 0;
}
