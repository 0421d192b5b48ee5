
/*
 * Makes the users of Redis, with no more than their rights.
 *
 * Redis gets the SHA-256 of a password and never the password.  A password
 * that a user has already stays, so that the nodes can take over a new one by
 * and by; --drop-passwords ends the former ones.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_init.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_rights.h"


typedef struct {
    ctl_role_t           *role;
    ngx_str_t             password;
    char                  hash[CTL_HASH_LEN + 1];
    char                 *before;     /* as ACL LIST has it; NULL: no user */
    char                 *after;
    char                 *changes;
} ctl_user_t;


static ngx_uint_t ctl_init_users(char **argv, ngx_uint_t n, ctl_user_t *users);
static char *ctl_init_listed(redisReply *list, const char *user);
static ngx_uint_t ctl_init_has(const char *line, const char *word, size_t len);
static void ctl_init_ask(ctl_user_t *user, int channels);
static void ctl_init_set(ctl_user_t *user, int channels);
static void ctl_init_tell(ctl_user_t *user);
static char *ctl_init_missing(const char *line, const char *other,
    const char *sign);
static ngx_uint_t ctl_init_passwords(const char *line);
static char *ctl_init_save(const char **where);
static void ctl_init_notes(redisReply *list);
static char *ctl_init_options(void);
static char *ctl_init_nginx(ctl_user_t *users, ngx_uint_t n);
static void ctl_init_json(ctl_user_t *users, ngx_uint_t n, const char *where,
    const char *why, const char *nginx);


int
ctl_init(char **argv, ngx_uint_t n)
{
    int          channels;
    char        *why, *nginx;
    ngx_uint_t   i;
    ctl_user_t   users[CTL_ROLES];
    redisReply  *list;
    const char  *where;

    n = ctl_init_users(argv, n, users);

    if (ctl_options.print) {

        for (i = 0; i < n; i++) {
            ctl_rights_print(users[i].role, ctl_prefix_pattern(), 0);
        }

        return CTL_OK;
    }

    ctl_connect();

    if (ctl_is_cluster()) {
        ctl_die(CTL_USAGE, "a Redis Cluster does not copy its users: do this "
                "for each node, with its redis:// URL and --prefix '%s'",
                ctl_options.prefix);
    }

    /* what is not allowed is found before anybody types a password */

    list = ctl_do("ACL LIST");
    channels = strstr(ctl_init_listed(list, "default"), " &") != NULL
               || strstr(ctl_init_listed(list, "default"), "channels") != NULL;

    for (i = 0; i < n; i++) {
        users[i].before = ctl_init_listed(list, users[i].role->user);
        ctl_init_ask(&users[i], channels);
    }

    for (i = 0; i < n; i++) {
        ctl_secret(users[i].role->user, &users[i].password, users[i].hash);
    }

    for (i = 0; i < n; i++) {
        ctl_init_set(&users[i], channels);
        ctl_init_tell(&users[i]);
    }

    why = ctl_init_save(&where);
    nginx = ctl_init_nginx(users, n);

    ctl_init_notes(list);
    freeReplyObject(list);

    if (ctl_options.json) {
        ctl_init_json(users, n, where, why, nginx);

    } else {
        fflush(stderr);
        printf("%s", nginx);
    }

    if (why) {
        fflush(stdout);
        ctl_note("NOT SAVED: %s.  The users are there until Redis restarts.",
                 why);
    }

    return why ? CTL_UNSAVED : CTL_OK;
}


/* Which users are wanted: those of the roles, or all but the issuer's. */

static ngx_uint_t
ctl_init_users(char **argv, ngx_uint_t n, ctl_user_t *users)
{
    ngx_uint_t   i, k;
    const char  *usual[] = { "worker", "api", "ctl" };

    ngx_memzero(users, CTL_ROLES * sizeof(ctl_user_t));

    if (n == 0) {
        argv = (char **) usual;
        n = sizeof(usual) / sizeof(usual[0]);
    }

    for (i = 0; i < n; i++) {

        users[i].role = ctl_rights_role(argv[i]);

        if (users[i].role == NULL) {
            ctl_die(CTL_USAGE, "there is no role \"%s\": these are worker, "
                    "api, ctl, issuer", argv[i]);
        }

        for (k = 0; k < i; k++) {
            if (users[k].role == users[i].role) {
                ctl_die(CTL_USAGE, "the role \"%s\" is given twice", argv[i]);
            }
        }
    }

    return n;
}


/* Returns the rules of a user, each with a blank before it, or NULL. */

static char *
ctl_init_listed(redisReply *list, const char *user)
{
    size_t       i, len;
    const char  *line;

    len = strlen(user);

    for (i = 0; i < list->elements; i++) {

        line = list->element[i]->str;

        if (line && strncmp(line, "user ", 5) == 0
            && strncmp(line + 5, user, len) == 0 && line[5 + len] == ' ')
        {
            return ctl_format("%s", line + 5 + len);
        }
    }

    return strcmp(user, "default") == 0 ? ctl_format(" ") : NULL;
}


static ngx_uint_t
ctl_init_has(const char *line, const char *word, size_t len)
{
    const char  *p;

    for (p = line; p; p = strchr(p, ' ')) {

        p += strspn(p, " ");

        if (strncmp(p, word, len) == 0 && (p[len] == ' ' || p[len] == '\0')) {
            return 1;
        }
    }

    return 0;
}


/*
 * A user of that name may be there for something else, such as another prefix.
 * Asks before a right is taken from it.
 */

static void
ctl_init_ask(ctl_user_t *user, int channels)
{
    char        *rules, *lost;
    ngx_uint_t   i;
    ctl_args_t   args;

    if (user->before == NULL) {
        return;
    }

    ngx_memzero(&args, sizeof(ctl_args_t));
    ctl_rights(&args, user->role, ctl_prefix_pattern(), channels,
               ctl_redis_db());

    rules = ctl_format("%s", "");

    for (i = 0; i < args.n; i++) {
        rules = ctl_format("%s %s", rules, args.data[i]);
    }

    lost = ctl_init_missing(user->before, rules, "~%&+(");

    if (*lost) {
        ctl_note("The user \"%s\" is there, and would lose%s.",
                 user->role->user, lost);
        ctl_confirm("Is it to?");
    }
}


/* One command, so no connection ever finds a user with half of its rights. */

static void
ctl_init_set(ctl_user_t *user, int channels)
{
    ctl_args_t   args;
    redisReply  *list;

    ngx_memzero(&args, sizeof(ctl_args_t));

    ctl_arg_text(&args, "ACL");
    ctl_arg_text(&args, "SETUSER");
    ctl_arg_text(&args, user->role->user);
    ctl_arg_text(&args, "on");

    if (ctl_options.drop_passwords || user->before == NULL) {
        ctl_arg_text(&args, "resetpass");
    }

    ctl_arg_text(&args, user->hash);

    /* Redis 7 has more rights in brackets, which nothing else resets */

    if (user->before && strstr(user->before, " (")) {
        ctl_arg_text(&args, "clearselectors");
    }

    ctl_rights(&args, user->role, ctl_prefix_pattern(), channels,
               ctl_redis_db());

    freeReplyObject(ctl_command(&args));

    list = ctl_do("ACL LIST");
    user->after = ctl_init_listed(list, user->role->user);
    freeReplyObject(list);

    if (user->after == NULL) {
        ctl_die(CTL_REDIS, "Redis has no user \"%s\" after it was made",
                user->role->user);
    }
}


static void
ctl_init_tell(ctl_user_t *user)
{
    char        *gained, *lost;
    ngx_uint_t   n, was;

    n = ctl_init_passwords(user->after);

    if (user->before == NULL) {
        user->changes = ctl_format(" is made");

    } else {
        was = ctl_init_passwords(user->before);
        gained = ctl_init_missing(user->after, user->before, "~%&+(on");
        lost = ctl_init_missing(user->before, user->after, "~%&+(on");

        user->changes = ctl_format("%s%s%s%s%s%s",
            *gained ? " gets" : "", gained,
            *lost ? (*gained ? ", loses" : " loses") : "", lost,
            *gained || *lost ? "," : "",
            !ctl_init_has(user->before, user->hash, CTL_HASH_LEN)
                ? " has a new password"
                : n < was ? " has one password again"
                : *gained || *lost ? " keeps its password" : " is as it was");
    }

    ctl_note("user %s:%s.", user->role->user, user->changes);

    if (n > 1) {
        ctl_note("    It has %lu passwords: the former ones are good until "
                 "--drop-passwords.", (unsigned long) n);
    }
}


/*
 * Returns the words of one line that the other has not, from the heap, each
 * with a blank before it.  Words that begin with none of these signs do not
 * count: passwords, and flags that differ between versions of Redis.
 */

static char *
ctl_init_missing(const char *line, const char *other, const char *sign)
{
    char    *words;
    size_t   len;

    words = ctl_format("%s", "");

    for ( ;; ) {

        line += strspn(line, " ");
        len = strcspn(line, " ");

        if (len == 0) {
            return words;
        }

        if (strchr(sign, *line) && !ctl_init_has(other, line, len)) {
            words = ctl_format("%s %s", words, ctl_safe((u_char *) line, len));
        }

        line += len;
    }
}


static ngx_uint_t
ctl_init_passwords(const char *line)
{
    ngx_uint_t  n;

    n = 0;

    for (line = strstr(line, " #"); line; line = strstr(line + 1, " #")) {
        n++;
    }

    return n;
}


/*
 * Returns NULL if Redis has the users after a restart, with where it has them;
 * else why not.
 */

static char *
ctl_init_save(const char **where)
{
    redisReply  *reply;

    *where = NULL;

    reply = ctl_try("ACL SAVE");

    if (reply->type != REDIS_REPLY_ERROR) {
        *where = "its ACL file (ACL SAVE)";
        freeReplyObject(reply);
        goto saved;
    }

    if (strstr(reply->str, "not configured to use an ACL file") == NULL) {
        return ctl_format("Redis refused ACL SAVE: %s",
                          ctl_safe((u_char *) reply->str, reply->len));
    }

    freeReplyObject(reply);

    reply = ctl_try("CONFIG REWRITE");

    if (reply->type != REDIS_REPLY_ERROR) {
        *where = "its configuration file (CONFIG REWRITE), with all else that "
                 "CONFIG SET has changed";
        freeReplyObject(reply);
        goto saved;
    }

    if (strstr(reply->str, "without a config file")) {
        return ctl_format("Redis has neither an ACL file nor a configuration "
                          "file: start it with \"aclfile FILE\" in one");
    }

    return ctl_format("Redis has no ACL file, and refused CONFIG REWRITE: %s",
                      ctl_safe((u_char *) reply->str, reply->len));

saved:

    ctl_note("Saved by Redis to %s.", *where);

    return NULL;
}


/* What an operator would find out when it is too late. */

static void
ctl_init_notes(redisReply *list)
{
    char        *others;
    redisReply  *reply;

    others = strstr(ctl_init_listed(list, "default"), " nopass");

    if (others && ctl_init_has(ctl_init_listed(list, "default"), "on", 2)) {
        ctl_note("Note: the user \"default\" has no password, so whoever "
                 "reaches this Redis may do anything.");
    }

    reply = ctl_try("INFO");

    if (reply->type == REDIS_REPLY_STRING
        && (strstr(reply->str, "\nrole:slave")
            || strstr(reply->str, "\nslave0:")
            || strstr(reply->str, "\ncluster_enabled:1")))
    {
        ctl_note("Note: Redis does not copy its users to other servers. Do "
                 "the same on each replica and each node, or all are refused "
                 "after a failover.");
    }

    freeReplyObject(reply);
}


/* Returns what nginx.conf needs, from the heap. */

static char *
ctl_init_nginx(ctl_user_t *users, ngx_uint_t n)
{
    char        *text, *prefix, *options;
    ngx_uint_t   i;

    text = ctl_format("%s", "");
    options = ctl_init_options();
    prefix = strcmp(ctl_options.prefix, "npmtoken:") == 0
             ? ctl_format("%s", "")
             : ctl_format("    prefix               %s;\n",
                          ctl_nginx_quoted(ctl_options.prefix));

    for (i = 0; i < n; i++) {

        if (strcmp(users[i].role->channels, "") == 0) {
            ctl_note("For %s: user %s, password file %s", users[i].role->what,
                     users[i].role->user, ctl_secret_path(users[i].role->user));
            continue;
        }

        text = ctl_format("%s\n# %s\n"
                          "npmtoken_store main {\n"
                          "    redis                %s;\n"
                          "    redis_user           %s;\n"
                          "    redis_password_file  %s;\n"
                          "%s%s}\n",
                          text, users[i].role->what,
                          ctl_nginx_quoted(ctl_redis_url()),
                          users[i].role->user,
                          ctl_nginx_quoted(ctl_secret_path(
                                                       users[i].role->user)),
                          options, prefix);
    }

    return text;
}


/* the directives for what our options say of sentinels and TLS, or nothing */

static char *
ctl_init_options(void)
{
    char        *text;
    ngx_uint_t   i;

    struct {
        const char  *directive;
        const char  *value;
    } lines[] = {
        { "redis_sentinel_user", ctl_options.sentinel_user },
        { "redis_sentinel_password_file",
          ctl_options.sentinel_password_file },
        { "redis_ssl_trusted_certificate", ctl_options.cacert },
        { "redis_ssl_name", ctl_options.sni },
        { "redis_ssl_certificate", ctl_options.cert },
        { "redis_ssl_certificate_key", ctl_options.key },
        { "redis_ssl_verify", ctl_options.insecure ? "off" : NULL }
    };

    text = ctl_format("%s", "");

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].value) {
            text = ctl_format("%s    %s  %s;\n", text, lines[i].directive,
                              ctl_nginx_quoted(lines[i].value));
        }
    }

    return text;
}


static void
ctl_init_json(ctl_user_t *users, ngx_uint_t n, const char *where,
    const char *why, const char *nginx)
{
    json_t      *list;
    ngx_uint_t   i;

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}",
            "role", users[i].role->name, "user", users[i].role->user,
            "change", users[i].changes + 1));
    }

    ctl_print_json(json_pack("{s:o, s:o, s:o, s:s}", "users", list,
        "saved", where ? json_string(where) : json_null(),
        "why_not", why ? json_string(why) : json_null(),
        "nginx", nginx));
}
