
/*
 * The rights of the users of Redis.  This is the one table of them: docs/ has
 * what ctl_rights_print() prints, and a test compares the two.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_rights.h"


/* columns of a line that is printed, without its " \" */
#define CTL_RIGHTS_COLUMNS  76


static void ctl_rights_words(ctl_args_t *args, const char *sigil,
    const char *prefix, const char *words);
static char *ctl_rights_quoted(const char *word);


ctl_role_t  ctl_roles[CTL_ROLES] = {

    { "worker", "npmtoken", "a node that only enforces tokens",
      "token:*", "__redis__:invalidate",
      "hgetall pttl ping subscribe client|id client|tracking client|setname "
      "role info", "exists asking" },

    { "api", "npmtoken-api", "a node that also answers npm login and npm token",
      "token:* user:* tokens-of:* tries:* web:*", "__redis__:invalidate",
      "hgetall pttl ping subscribe client|id client|tracking client|setname "
      "role info eval wait hget hmget hset hdel del exists persist scard "
      "smembers sadd srem scan time pexpire zadd zcard zcount zrangebyscore "
      "zrem zremrangebyscore", "asking" },

    { "ctl", "npmtokenctl", "npmtokenctl",
      "token:* user:* tokens-of:*", "",
      "evalsha script|load exists hget hmget hgetall hset hdel del persist "
      "pttl sadd srem scard smembers scan rename dbsize multi exec wait",
      "asking" },

    { "issuer", "npmissuer", "a program of yours that makes and revokes tokens",
      "*", "",
      "hset hdel hgetall del expire expireat persist pttl scan", "" }
};


ctl_role_t *
ctl_rights_role(const char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < CTL_ROLES; i++) {
        if (strcmp(ctl_roles[i].name, name) == 0) {
            return &ctl_roles[i];
        }
    }

    return NULL;
}


void
ctl_rights(ctl_args_t *args, ctl_role_t *role, const char *prefix, int channels,
    int db)
{
    ngx_uint_t  proofs, reads;

    ctl_arg_text(args, "resetkeys");

    if (channels) {
        ctl_arg_text(args, "resetchannels");
    }

    ctl_arg_text(args, "-@all");

    /* who may write proofs still may not write records, unless others do */

    proofs = ctl_options.proofs && *role->channels;
    reads = proofs && strstr(role->commands, "hset") == NULL;

    ctl_rights_words(args, reads ? "%R~" : "~", prefix, role->keys);

    if (proofs) {
        ctl_rights_words(args, "%W~", prefix, "witness:*");
    }

    if (channels) {
        ctl_rights_words(args, "&", "", role->channels);
    }

    ctl_rights_words(args, "+", "", role->commands);

    if (proofs) {
        ctl_rights_words(args, "+", "", reads ? "set wait" : "set");
    }

    if (ctl_hash_tag(prefix)) {
        ctl_rights_words(args, "+", "", role->cluster);
    }

    /* the database of a URL that names one has to be selected */

    if (db) {
        ctl_arg_text(args, "+select");
    }
}


/* Adds each word, with what stands before it. */

static void
ctl_rights_words(ctl_args_t *args, const char *sigil, const char *prefix,
    const char *words)
{
    size_t  len;

    for ( ;; ) {

        words += strspn(words, " ");
        len = strcspn(words, " ");

        if (len == 0) {
            return;
        }

        ctl_arg_text(args, ctl_format("%s%s%.*s", sigil, prefix, (int) len,
                                      words));
        words += len;
    }
}


void
ctl_rights_print(ctl_role_t *role, const char *prefix, int db)
{
    char        *word;
    size_t       column;
    ngx_uint_t   i;
    ctl_args_t   args;

    ngx_memzero(&args, sizeof(ctl_args_t));

    ctl_rights(&args, role, prefix, 1, db);

    column = printf("redis-cli ACL SETUSER %s on '>PASSWORD'", role->user);

    for (i = 0; i < args.n; i++) {

        word = ctl_rights_quoted(args.data[i]);

        if (column + 1 + strlen(word) > CTL_RIGHTS_COLUMNS) {
            column = printf(" \\\n   ") - 3;
        }

        column += printf(" %s", word);
    }

    printf("\n");
}


/* Returns a word as a shell takes it. */

static char *
ctl_rights_quoted(const char *word)
{
    char        *quoted, *p;
    const char  *safe = "abcdefghijklmnopqrstuvwxyz+-@";

    if (strspn(word, safe) == strlen(word)) {
        return ctl_format("%s", word);
    }

    quoted = ctl_alloc(4 * strlen(word) + 3);
    p = quoted;
    *p++ = '\'';

    for ( /* void */ ; *word; word++) {

        if (*word == '\'') {
            p += sprintf(p, "'\\''");

        } else {
            *p++ = *word;
        }
    }

    *p = '\'';

    return quoted;
}
