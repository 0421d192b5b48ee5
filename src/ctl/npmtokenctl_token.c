
/*
 * Tokens.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_redis.h"
#include "npmtokenctl_token.h"
#include "npmtoken_cidr.h"
#include "npmtoken_list.h"
#include "npmtoken_token.h"


/* shortest id: npm's own list shows at least as many digits of a key */
#define CTL_ID_MIN  6

#define CTL_DAY     86400
#define CTL_DAYS    36500


/* selects records of a store */

typedef struct {
    const char           *user;       /* NULL: any user */
    const char           *id;         /* NULL: any key */
} ctl_wanted_t;


static ngx_uint_t ctl_keep_token(ngx_str_t *key, redisReply *hash,
    const void *data);
static ngx_uint_t ctl_common(ngx_str_t *one, ngx_str_t *two);
static json_t *ctl_list_json(redisReply *hash, const char *field);
static json_t *ctl_flag_json(redisReply *hash, const char *field);
static json_t *ctl_text_json(redisReply *hash, const char *field);
static json_t *ctl_expires_json(redisReply *hash);
static void ctl_print_token(ctl_item_t *item, ngx_uint_t id);
static void ctl_check_cidr(const char *list);
static char *ctl_expires(void);
static void ctl_store(const char *user, u_char *key, ctl_args_t *record);
static void ctl_take_back(const char *user, u_char *key);
static void ctl_revoke_change(npmtoken_change_t *change, const char *user,
    u_char *key, size_t len);
static void ctl_new_record(ctl_args_t *record, const char *user,
    u_char *token);
static void ctl_check_record(ctl_args_t *record);
static void ctl_print_new(const char *user, u_char *token, u_char *key);
static void ctl_revoke_wanted(ctl_items_t *items);
static void ctl_by_id(const char *text, ctl_items_t *items);
static void ctl_by_token(const char *text, ctl_items_t *items);
static ngx_uint_t ctl_revoke_one(ctl_item_t *item, time_t now);
static ngx_uint_t ctl_revoke_other(ctl_item_t *item, time_t now);
static ngx_uint_t ctl_revoke_script(const char *key, time_t now);


int
ctl_token_list(char **argv, ngx_uint_t n)
{
    json_t        *list;
    ngx_uint_t     i, id;
    ctl_items_t    tokens;
    ctl_wanted_t   wanted;

    static const char  *head[] = {
        "ID", "TOKEN", "USER", "CREATED", "READ-ONLY", "CIDR", "PACKAGES",
        "EXPIRES", "STATE", "NAME"
    };

    if (ctl_options.all + (int) n != 1) {
        ctl_die(CTL_USAGE, "usage: npmtokenctl token list NAME | --all");
    }

    ngx_memzero(&wanted, sizeof(ctl_wanted_t));
    wanted.user = n ? argv[0] : NULL;

    ctl_connect();
    ctl_scan("token:", ctl_keep_token, &wanted, &tokens);

    list = json_array();
    ctl_row(head, sizeof(head) / sizeof(head[0]));

    for (i = 0; i < tokens.n; i++) {

        if (tokens.items[i].hash == NULL) {
            continue;
        }

        id = ctl_id_len(&tokens, i);

        if (ctl_options.json) {
            json_array_append_new(list, ctl_token_json(&tokens.items[i], id));

        } else {
            ctl_print_token(&tokens.items[i], id);
        }
    }

    if (ctl_options.json) {
        ctl_print_json(list);

    } else {
        ctl_print_rows();
        json_decref(list);
    }

    return CTL_OK;
}


static ngx_uint_t
ctl_keep_token(ngx_str_t *key, redisReply *hash, const void *data)
{
    ngx_str_t            user, name;
    const ctl_wanted_t  *wanted = data;

    if (wanted->id
        && (key->len < strlen(wanted->id)
            || memcmp(key->data, wanted->id, strlen(wanted->id)) != 0))
    {
        return 0;
    }

    if (wanted->user == NULL) {
        return 1;
    }

    user = ctl_value(hash, "user");
    name = ctl_str(wanted->user);

    return npmtoken_account_same(&user, &name);
}


int
ctl_id_len(ctl_items_t *items, ngx_uint_t i)
{
    ngx_uint_t  len;

    len = CTL_ID_MIN;

    if (i > 0) {
        len = ngx_max(len, ctl_common(&items->items[i].name,
                                      &items->items[i - 1].name) + 1);
    }

    if (i + 1 < items->n) {
        len = ngx_max(len, ctl_common(&items->items[i].name,
                                      &items->items[i + 1].name) + 1);
    }

    return (int) ngx_min(len, items->items[i].name.len);
}


static ngx_uint_t
ctl_common(ngx_str_t *one, ngx_str_t *two)
{
    ngx_uint_t  i;

    for (i = 0; i < one->len && i < two->len; i++) {
        if (one->data[i] != two->data[i]) {
            break;
        }
    }

    return i;
}


const char *
ctl_state(redisReply *hash)
{
    ngx_uint_t          n;
    npmtoken_field_t   *fields, *bad;
    npmtoken_record_t  *record;
    const char         *state;

    if (hash->type != REDIS_REPLY_ARRAY) {
        return "bad";
    }

    fields = ctl_fields(hash, &n);
    record = ctl_alloc(npmtoken_record_size(fields, n));
    bad = npmtoken_record_parse(record, fields, n);

    state = record->revoked ? "revoked"
            : record->expires_at <= time(NULL) ? "expired"
            : bad ? "bad" : "good";

    free(fields);
    free(record);

    return state;
}


json_t *
ctl_token_json(ctl_item_t *item, ngx_uint_t id)
{
    json_t      *json;
    ngx_str_t    shown;
    redisReply  *hash;

    hash = item->hash;
    shown = ctl_shown(hash);
    json = json_object();

    json_object_set_new(json, "id", ctl_json(item->name.data, id));
    json_object_set_new(json, "key", ctl_json(item->name.data,
                                              item->name.len));
    json_object_set_new(json, "token", ctl_json(shown.data, shown.len));
    json_object_set_new(json, "user", ctl_text_json(hash, "user"));
    json_object_set_new(json, "readonly", ctl_flag_json(hash, "readonly"));
    json_object_set_new(json, "cidr_whitelist",
                        ctl_list_json(hash, "cidr_whitelist"));
    json_object_set_new(json, "packages", ctl_list_json(hash, "packages"));
    json_object_set_new(json, "scopes", ctl_list_json(hash, "scopes"));
    json_object_set_new(json, "protected", ctl_flag_json(hash, "protected"));
    json_object_set_new(json, "bypass_2fa",
                        ctl_flag_json(hash, "bypass_2fa"));
    json_object_set_new(json, "name", ctl_text_json(hash, "name"));
    json_object_set_new(json, "description",
                        ctl_text_json(hash, "description"));
    json_object_set_new(json, "created", ctl_text_json(hash, "created"));
    json_object_set_new(json, "updated", ctl_text_json(hash, "updated"));
    json_object_set_new(json, "expires", ctl_expires_json(hash));
    json_object_set_new(json, "state", json_string(ctl_state(hash)));

    return json;
}


static json_t *
ctl_list_json(redisReply *hash, const char *field)
{
    json_t     *list;
    ngx_int_t   rc;
    ngx_str_t   value, entry;

    value = ctl_value(hash, field);

    if (value.data == NULL) {
        return json_null();
    }

    list = json_array();

    if (value.len == 0) {
        return list;
    }

    do {
        rc = npmtoken_list_next(&value, &entry);

        json_array_append_new(list, ctl_json(entry.data, entry.len));

    } while (rc == NGX_OK);

    return list;
}


static json_t *
ctl_flag_json(redisReply *hash, const char *field)
{
    return json_boolean(ctl_is_true(hash, field));
}


ngx_uint_t
ctl_is_true(redisReply *hash, const char *field)
{
    ngx_str_t  value;

    value = ctl_value(hash, field);

    return (value.len == 4 && memcmp(value.data, "true", 4) == 0)
           || (value.len == 1 && value.data[0] == '1');
}


static json_t *
ctl_text_json(redisReply *hash, const char *field)
{
    ngx_str_t  value;

    value = ctl_value(hash, field);

    return value.data ? ctl_json(value.data, value.len) : json_null();
}


static json_t *
ctl_expires_json(redisReply *hash)
{
    ngx_int_t  time;
    ngx_str_t  value;

    value = ctl_value(hash, "expires_at");
    time = value.len <= 12 ? ngx_atoi(value.data, value.len) : NGX_ERROR;

    if (value.data == NULL || time == NGX_ERROR) {
        return json_null();
    }

    return json_string(ctl_date(time, 0));
}


static void
ctl_print_token(ctl_item_t *item, ngx_uint_t id)
{
    char        *packages, *scopes;
    json_t      *expires;
    ngx_str_t    shown;
    redisReply  *hash;

    hash = item->hash;
    shown = ctl_shown(hash);
    packages = ctl_text(hash, "packages", SIZE_MAX);
    scopes = ctl_text(hash, "scopes", SIZE_MAX);
    expires = ctl_expires_json(hash);

    ctl_row((const char *[]) {
                ctl_safe(item->name.data, id),
                ctl_safe(shown.data, shown.len),
                ctl_text(hash, "user", SIZE_MAX),
                ctl_text(hash, "created", 10),
                ctl_is_true(hash, "readonly") ? "yes" : "no",
                ctl_text(hash, "cidr_whitelist", SIZE_MAX),
                ctl_format("%s%s%s", packages,
                           *packages && *scopes ? "," : "", scopes),
                json_is_string(expires)
                    ? ctl_format("%.10s", json_string_value(expires)) : "",
                ctl_state(hash),
                ctl_text(hash, "name", SIZE_MAX)
            }, 10);

    json_decref(expires);
}


char *
ctl_text(redisReply *hash, const char *field, size_t max)
{
    ngx_str_t  value;

    value = ctl_value(hash, field);

    return ctl_safe(value.data, ngx_min(value.len, max));
}


int
ctl_token_create(char **argv, ngx_uint_t n)
{
    char        *user;
    u_char       key[NPMTOKEN_KEY_LEN + 1], token[NPMTOKEN_TOKEN_LEN + 1];
    ngx_str_t    text;
    ctl_args_t   record;
    ngx_uint_t   replicas;

    (void) n;

    ngx_memzero(key, sizeof(key));
    ngx_memzero(token, sizeof(token));
    ngx_memzero(&record, sizeof(ctl_args_t));

    npmtoken_token_make(token);
    text.data = token;
    text.len = NPMTOKEN_TOKEN_LEN;

    if (npmtoken_digest_key(&text, key) != NGX_OK) {
        ctl_die(CTL_BAD, "the token cannot be hashed");
    }

    /* report bad options before asking Redis */

    ctl_new_record(&record, argv[0], token);

    ctl_connect();

    user = ctl_spelling(argv[0]);
    record.data[1] = user;

    ctl_store(user, key, &record);

    replicas = ctl_wait();

    if (replicas) {
        ctl_take_back(user, key);
        ctl_die(CTL_UNREPLICATED, "only %lu of %s replicas have the token, so "
                "it was removed again",
                (unsigned long) replicas - 1,
                ctl_options.replicas);
    }

    ctl_print_new(user, token, key);
    ngx_explicit_memzero(token, sizeof(token));

    return CTL_OK;
}


static void
ctl_store(const char *user, u_char *key, ctl_args_t *record)
{
    const char         *status;
    npmtoken_change_t   change;

    ctl_record_change(&change, user, key, record);
    change.now = time(NULL);

    status = ctl_change(&change, npmtoken_script_create_args);

    if (strcmp(status, "CHANGED") == 0) {
        ctl_die(CTL_BAD, "the account \"%s\" was just created with another "
                "spelling; nothing was changed, try again", user);
    }

    if (strcmp(status, "OK") != 0) {
        ctl_die(CTL_BAD, "a token with that key exists already");
    }
}


/* A record may have a user name that no account can have. */

void
ctl_record_change(npmtoken_change_t *change, const char *user,
    u_char *key, ctl_args_t *record)
{
    ngx_uint_t  i;
    ngx_str_t   name;

    ngx_memzero(change, sizeof(npmtoken_change_t));

    name = ctl_str(user);

    change->token = ctl_str(ctl_key("token:", key, NPMTOKEN_KEY_LEN));
    change->tokens = ctl_account_key("tokens-of:", user);
    change->user = ctl_account_key("user:", user);
    change->prefix = ctl_str(ctl_key("token:", key, 0));
    change->created = ctl_str(ctl_now());
    change->key.data = key;
    change->key.len = NPMTOKEN_KEY_LEN;

    if (npmtoken_account_is_name(&name)) {
        change->name = name;
    }

    change->nrecord = record->n / 2;
    change->record = ctl_alloc(change->nrecord * sizeof(npmtoken_field_t));

    for (i = 0; i < change->nrecord; i++) {
        change->record[i].name.data = (u_char *) record->data[2 * i];
        change->record[i].name.len = record->len[2 * i];
        change->record[i].value.data = (u_char *) record->data[2 * i + 1];
        change->record[i].value.len = record->len[2 * i + 1];
    }
}


/* A failover could lose the token.  Nobody has seen it yet: deletes it. */

static void
ctl_take_back(const char *user, u_char *key)
{
    npmtoken_change_t  change;

    ctl_revoke_change(&change, user, key, NPMTOKEN_KEY_LEN);

    (void) ctl_change(&change, npmtoken_script_revoke_args);
}


static void
ctl_revoke_change(npmtoken_change_t *change, const char *user, u_char *key,
    size_t len)
{
    ngx_memzero(change, sizeof(npmtoken_change_t));

    change->token = ctl_str(ctl_key("token:", key, len));
    change->tokens = ctl_account_key("tokens-of:", user);
    change->key.data = key;
    change->key.len = len;

    change->name.len = strlen(user);
    change->name.data = change->tokens.data + change->tokens.len
                        - change->name.len;
}


/* field, value, ... */

static void
ctl_new_record(ctl_args_t *record, const char *user, u_char *token)
{
    char  *now;

    if (ctl_options.cidr) {
        ctl_check_cidr(ctl_options.cidr);
    }

    now = ctl_now();

    ctl_arg_pair(record, "user", user);
    ctl_arg_pair(record, "readonly", ctl_options.readonly ? "true" : "false");
    ctl_arg_pair(record, "cidr_whitelist", ctl_options.cidr);
    ctl_arg_pair(record, "packages", ctl_options.packages);
    ctl_arg_pair(record, "scopes", ctl_options.scopes);
    ctl_arg_pair(record, "expires_at", ctl_expires());
    ctl_arg_pair(record, "protected", ctl_options.protected ? "true" : NULL);
    ctl_arg_pair(record, "bypass_2fa",
                 ctl_options.bypass_2fa ? "true" : NULL);
    ctl_arg_pair(record, "name", ctl_options.name);
    ctl_arg_pair(record, "description", ctl_options.description);
    ctl_arg_pair(record, "created", now);
    ctl_arg_pair(record, "updated", now);
    ctl_arg_pair(record, "token",
                 ctl_format("%.*s", NPMTOKEN_TOKEN_SHOWN, token));

    ctl_check_record(record);
}


/* The message is npm's, with the entry as it was typed. */

static void
ctl_check_cidr(const char *list)
{
    char       *packed;
    size_t      len;
    ngx_str_t   entry;

    for ( ;; ) {

        len = strcspn(list, ",");
        entry.data = (u_char *) list;
        entry.len = len;

        packed = ctl_alloc(npmtoken_cidr_size(&entry) + 1);

        if (npmtoken_cidr_pack(&entry, (u_char *) packed) == NGX_ERROR) {
            ctl_die(CTL_BAD, "CIDR whitelist contains invalid CIDR entry: %s",
                    ctl_safe(entry.data, entry.len));
        }

        free(packed);

        if (list[len] == '\0') {
            return;
        }

        list += len + 1;
    }
}


static char *
ctl_expires(void)
{
    ngx_int_t  days;

    if (ctl_options.expires == NULL) {
        return NULL;
    }

    days = ngx_atoi((u_char *) ctl_options.expires,
                    strlen(ctl_options.expires));

    if (days < 1 || days > CTL_DAYS) {
        ctl_die(CTL_BAD, "a token expires in 1 to %d days, not in \"%s\"",
                CTL_DAYS, ctl_safe((u_char *) ctl_options.expires,
                strlen(ctl_options.expires)));
    }

    return ctl_format("%ld", (long) (time(NULL) + days * CTL_DAY));
}


static void
ctl_check_record(ctl_args_t *record)
{
    char  *why;

    why = ctl_record_fault(record);

    if (why) {
        ctl_die(CTL_BAD, "%s", why);
    }
}


static void
ctl_print_new(const char *user, u_char *token, u_char *key)
{
    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:s, s:s, s:s}", "token", token, "key",
                                 key, "user", user));
        return;
    }

    printf("%s\n", token);

    ctl_note("This is the token of \"%s\". It is not shown again. Its id is "
             "%.*s.",
             ctl_safe((u_char *) user, strlen(user)), NPMTOKEN_SHORT_KEY_LEN,
             key);
}


int
ctl_token_revoke(char **argv, ngx_uint_t n)
{
    ngx_str_t      line;
    ctl_items_t    items;
    ctl_wanted_t   wanted;

    if (ctl_options.all + (ctl_options.user != NULL) + (int) n != 1) {
        ctl_die(CTL_USAGE, "usage: npmtokenctl token revoke ID | TOKEN | - | "
                "--user NAME | --all");
    }

    ctl_connect();

    if (n) {

        if (strcmp(argv[0], "-") == 0) {
            line = ctl_read_line();
            ctl_by_token((char *) line.data, &items);

        } else {
            ctl_by_id(argv[0], &items);
        }

    } else {
        ngx_memzero(&wanted, sizeof(ctl_wanted_t));
        wanted.user = ctl_options.user;
        ctl_scan("token:", ctl_keep_token, &wanted, &items);
    }

    if (ctl_options.all && items.n) {
        ctl_confirm(ctl_format("This revokes all %lu tokens of the store. "
                               "Continue?", (unsigned long) items.n));
    }

    ctl_revoke_wanted(&items);

    return CTL_OK;
}


static void
ctl_revoke_wanted(ctl_items_t *items)
{
    time_t        now;
    json_t       *list;
    ngx_uint_t    i, done;

    now = ctl_options.keep ? time(NULL) : 0;
    list = json_array();
    done = 0;

    for (i = 0; i < items->n; i++) {

        if (items->items[i].hash == NULL
            || !ctl_revoke_one(&items->items[i], now))
        {
            continue;
        }

        json_array_append_new(list, ctl_json(items->items[i].name.data,
                                             items->items[i].name.len));
        ctl_progress("revoking", ++done, items->n);
    }

    ctl_progress_done();

    if (done == 0) {
        ctl_die(CTL_BAD, "there is no such token");
    }

    ctl_wait_or_die();
    ctl_note("Revoked %lu token%s.", (unsigned long) done,
             done == 1 ? "" : "s");

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:o}", "revoked", list));
    }
}


/* A token may look like an id.  It is no id if no key begins with it. */

static void
ctl_by_id(const char *text, ctl_items_t *items)
{
    ngx_uint_t     i, found;
    ctl_wanted_t   wanted;

    found = 0;

    if (ctl_is_id(text)) {

        ngx_memzero(&wanted, sizeof(ctl_wanted_t));
        wanted.id = text;
        ctl_scan("token:", ctl_keep_token, &wanted, items);

        for (i = 0; i < items->n; i++) {
            found += (items->items[i].hash != NULL);
        }

        if (found > 1) {
            ctl_die(CTL_BAD, "%lu tokens have a key that begins with %s: give "
                    "more digits", (unsigned long) found, text);
        }
    }

    if (found == 0) {
        ctl_by_token(text, items);
    }
}


ngx_uint_t
ctl_is_id(const char *text)
{
    size_t  len;

    len = strlen(text);

    return len >= CTL_ID_MIN && len <= NPMTOKEN_KEY_LEN
           && strspn(text, "0123456789abcdef") == len;
}


static void
ctl_by_token(const char *text, ctl_items_t *items)
{
    u_char     *key;
    ngx_str_t   token;

    token.data = (u_char *) text;
    token.len = strcspn(text, "\r\n");

    key = ctl_alloc(NPMTOKEN_KEY_LEN + 1);

    if (npmtoken_digest_key(&token, key) != NGX_OK) {
        ctl_die(CTL_BAD, "the token cannot be hashed");
    }

    items->n = 1;
    items->items = ctl_alloc(sizeof(ctl_item_t));
    items->items[0].name.data = key;
    items->items[0].name.len = NPMTOKEN_KEY_LEN;
    items->items[0].hash = ctl_try("HGETALL %s", ctl_key("token:", key,
                                                         NPMTOKEN_KEY_LEN));

    if (items->items[0].hash->type == REDIS_REPLY_ARRAY
        && items->items[0].hash->elements == 0)
    {
        ctl_die(CTL_BAD, "no token has that key or that value");
    }
}


/* Returns 1 if this call has revoked the token. */

static ngx_uint_t
ctl_revoke_one(ctl_item_t *item, time_t now)
{
    char               *name;
    ngx_str_t           user;
    npmtoken_change_t   change;

    if (item->hash->type != REDIS_REPLY_ARRAY) {
        return ctl_revoke_other(item, now);
    }

    user = ctl_value(item->hash, "user");
    name = ctl_format("%.*s", (int) user.len, user.data ? user.data
                                                        : (u_char *) "");

    ctl_revoke_change(&change, name, item->name.data, item->name.len);
    change.now = now;

    return strcmp(ctl_change(&change, npmtoken_script_revoke_args), "OK")
           == 0;
}


/* A key that is no hash is a token that nobody can use; deletes it too. */

static ngx_uint_t
ctl_revoke_other(ctl_item_t *item, time_t now)
{
    char        *key;
    redisReply  *reply;

    if (strncmp(item->hash->str, "WRONGTYPE", 9) != 0) {
        ctl_refused(item->hash);
    }

    key = ctl_key("token:", item->name.data, item->name.len);

    if (ctl_is_cluster()) {
        return ctl_revoke_script(key, now);
    }

    freeReplyObject(ctl_do("MULTI"));
    freeReplyObject(ctl_do("DEL %s", key));

    if (now) {
        freeReplyObject(ctl_do("HSET %s revoked_at %ld", key, (long) now));
    }

    reply = ctl_do("EXEC");

    return reply->type == REDIS_REPLY_ARRAY;
}


/*
 * A transaction cannot be sent to another node.  The key that does not exist
 * lets a node refuse the script while it moves the slot: there, what has been
 * deleted is at the other node, and cannot be made again here.
 */

static ngx_uint_t
ctl_revoke_script(const char *key, time_t now)
{
    ctl_args_t  args;

    static ngx_str_t  script = ngx_string(
        "redis.call('del', KEYS[1])\n"
        "if ARGV[1] ~= '0' then\n"
        "    redis.call('hset', KEYS[1], 'revoked_at', ARGV[1])\n"
        "end\n"
        "return redis.status_reply('OK')\n"
    );

    ngx_memzero(&args, sizeof(ctl_args_t));

    ctl_script_begin(&args, &script);
    ctl_arg_text(&args, "2");
    ctl_arg_text(&args, key);
    ctl_arg_text(&args, ctl_format("%stoken:none", ctl_options.prefix));
    ctl_arg_text(&args, ctl_format("%ld", (long) now));

    return strcmp(ctl_status(&args), "OK") == 0;
}
