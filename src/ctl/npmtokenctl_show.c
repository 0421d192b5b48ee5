
/*
 * One token, in words.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_token.h"


#define CTL_DAY  86400


typedef struct {
    const char           *text;       /* a label, or the beginning of a key */
    ngx_uint_t            id;         /* it may be that of a key */
} ctl_sought_t;


static ngx_uint_t ctl_show_keep(ngx_str_t *key, redisReply *hash,
    const void *data);
static ngx_uint_t ctl_show_begins(ngx_str_t *key, const char *text);
static ngx_uint_t ctl_show_find(ctl_items_t *items, ctl_sought_t *sought);
static void ctl_show_several(ctl_items_t *items, ctl_sought_t *sought,
    ngx_uint_t by_id);
static char *ctl_show_key(const char *token);
static char *ctl_show_fault(redisReply *hash);
static int64_t ctl_show_vanishes(ctl_item_t *item, char **why);
static void ctl_show_words(ctl_item_t *item, ngx_uint_t id);
static char *ctl_show_state(redisReply *hash);
static char *ctl_show_login(redisReply *hash);
static char *ctl_show_may(redisReply *hash);
static char *ctl_show_ends(ctl_item_t *item);
static char *ctl_show_time(int64_t seconds);
static void ctl_show_json(ctl_item_t *item, ngx_uint_t id);
static void ctl_show_line(const char *what, const char *value);


int
ctl_token_show(char **argv, ngx_uint_t n)
{
    ngx_str_t      line;
    ngx_uint_t     i, id;
    ctl_items_t    items;
    ctl_sought_t   sought;

    (void) n;

    sought.text = argv[0];

    if (strcmp(argv[0], "-") == 0) {
        line = ctl_read_line();
        sought.text = ctl_show_key((char *) line.data);
    }

    sought.id = ctl_is_id(sought.text);

    ctl_connect();
    ctl_scan("token:", ctl_show_keep, &sought, &items);

    i = ctl_show_find(&items, &sought);
    id = ctl_id_len(&items, i);

    if (ctl_options.json) {
        ctl_show_json(&items.items[i], id);

    } else {
        ctl_show_words(&items.items[i], id);
    }

    return CTL_OK;
}


static ngx_uint_t
ctl_show_keep(ngx_str_t *key, redisReply *hash, const void *data)
{
    ngx_str_t            label;
    const ctl_sought_t  *sought = data;

    label = ctl_value(hash, "name");

    return (sought->id && ctl_show_begins(key, sought->text))
           || (label.len && label.len == strlen(sought->text)
               && memcmp(label.data, sought->text, label.len) == 0);
}


static ngx_uint_t
ctl_show_begins(ngx_str_t *key, const char *text)
{
    return key->len >= strlen(text)
           && memcmp(key->data, text, strlen(text)) == 0;
}


/*
 * Returns the token that is meant: by its key, else by its label, else it is
 * the whole token that was typed.  Ends the program unless there is one.
 */

static ngx_uint_t
ctl_show_find(ctl_items_t *items, ctl_sought_t *sought)
{
    char        *key;
    ngx_uint_t   i, found, by_id, kept;

    found = 0;
    by_id = 0;
    kept = 0;

    for (i = 0; i < items->n; i++) {

        if (items->items[i].hash == NULL) {
            continue;
        }

        kept++;

        if (sought->id
            && ctl_show_begins(&items->items[i].name, sought->text))
        {
            by_id++;
            found = i;

        } else if (by_id == 0) {
            found = i;
        }
    }

    if (by_id > 1 || (by_id == 0 && kept > 1)) {
        ctl_show_several(items, sought, by_id);
    }

    if (kept) {
        return found;
    }

    key = ctl_show_key(sought->text);

    for (i = 0; i < items->n; i++) {

        if (items->items[i].name.len == NPMTOKEN_KEY_LEN
            && ctl_show_begins(&items->items[i].name, key))
        {
            items->items[i].hash = ctl_try("HGETALL %s", ctl_key("token:",
                                                         (u_char *) key,
                                                         NPMTOKEN_KEY_LEN));
            return i;
        }
    }

    ctl_die(CTL_BAD, "there is no token with such a key or name");
}


static void
ctl_show_several(ctl_items_t *items, ctl_sought_t *sought, ngx_uint_t by_id)
{
    char        *ids;
    ngx_uint_t   i, n;

    ids = ctl_format("%s", "");
    n = 0;

    for (i = 0; i < items->n; i++) {

        if (items->items[i].hash == NULL
            || (by_id
                && !ctl_show_begins(&items->items[i].name, sought->text)))
        {
            continue;
        }

        n++;
        ids = ctl_format("%s %.*s", ids, ctl_id_len(items, i),
                         items->items[i].name.data);
    }

    ctl_die(CTL_BAD, "%lu tokens have such a %s:%s", (unsigned long) n,
            by_id ? "key" : "name",
            ctl_safe((u_char *) ids, ngx_min(strlen(ids), 1000)));
}


static char *
ctl_show_key(const char *token)
{
    u_char     *key;
    ngx_str_t   text;

    text.data = (u_char *) token;
    text.len = strcspn(token, "\r\n");

    key = ctl_alloc(NPMTOKEN_KEY_LEN + 1);

    if (npmtoken_digest_key(&text, key) != NGX_OK) {
        ctl_die(CTL_BAD, "the token cannot be hashed");
    }

    return (char *) key;
}


/* Returns why nginx rejects the record, or NULL. */

static char *
ctl_show_fault(redisReply *hash)
{
    size_t      i;
    ctl_args_t  fields;

    if (hash->type != REDIS_REPLY_ARRAY) {
        return ctl_format("it is no hash");
    }

    ngx_memzero(&fields, sizeof(ctl_args_t));

    for (i = 0; i < hash->elements; i++) {
        ctl_arg(&fields, hash->element[i]->str, hash->element[i]->len);
    }

    return ctl_record_fault(&fields);
}


/*
 * Returns when the key ends by its TTL, in seconds since the epoch; 0 if never;
 * -1 if Redis does not say, and why.
 */

static int64_t
ctl_show_vanishes(ctl_item_t *item, char **why)
{
    int64_t      ends;
    redisReply  *reply;

    *why = NULL;

    reply = ctl_try("PTTL %s%b", ctl_key("token:", (u_char *) "", 0),
                    item->name.data, item->name.len);

    if (reply->type != REDIS_REPLY_INTEGER) {
        *why = ctl_format("not known: its user of Redis may not ask for it "
                          "(+pttl)");
        ends = -1;

    } else if (reply->integer < 0) {
        ends = 0;

    } else {
        ends = time(NULL) + reply->integer / 1000;
    }

    freeReplyObject(reply);

    return ends;
}


static void
ctl_show_words(ctl_item_t *item, ngx_uint_t id)
{
    size_t       i;
    char        *cidr;
    ngx_str_t    shown;
    redisReply  *hash;

    hash = item->hash;
    shown = ctl_shown(hash);
    cidr = ctl_text(hash, "cidr_whitelist", SIZE_MAX);

    ctl_show_line("id", ctl_safe(item->name.data, id));
    ctl_show_line("key", ctl_safe(item->name.data, item->name.len));
    ctl_show_line("token", shown.len ? ctl_format("begins with %s",
                                                  ctl_safe(shown.data,
                                                           shown.len))
                                     : "");
    ctl_show_line("user", ctl_text(hash, "user", SIZE_MAX));
    ctl_show_line("name", ctl_text(hash, "name", SIZE_MAX));
    ctl_show_line("description", ctl_text(hash, "description", SIZE_MAX));
    ctl_show_line("state", ctl_show_state(hash));
    ctl_show_line("may", ctl_show_may(hash));
    ctl_show_line("accepted", *cidr ? ctl_format("from %s", cidr)
                                    : "from anywhere");
    ctl_show_line("ends", ctl_show_ends(item));
    ctl_show_line("log out", ctl_is_true(hash, "protected")
                             ? "its bearer can neither log it out nor revoke "
                               "it" : "");
    ctl_show_line("2FA", ctl_is_true(hash, "bypass_2fa")
                         ? "its writes need no one-time password" : "");
    ctl_show_line("login", ctl_show_login(hash));
    ctl_show_line("created", ctl_text(hash, "created", SIZE_MAX));
    ctl_show_line("updated", ctl_text(hash, "updated", SIZE_MAX));

    for (i = 0; hash->type == REDIS_REPLY_ARRAY && i + 1 < hash->elements;
         i += 2)
    {
        if (strncmp(hash->element[i]->str, "x_", 2) == 0) {
            ctl_show_line(ctl_safe((u_char *) hash->element[i]->str,
                                   hash->element[i]->len),
                          ctl_safe((u_char *) hash->element[i + 1]->str,
                                   hash->element[i + 1]->len));
        }
    }
}


static char *
ctl_show_state(redisReply *hash)
{
    char        *fault;
    ngx_int_t    time;
    ngx_str_t    revoked;
    const char  *state;

    state = ctl_state(hash);
    fault = ctl_show_fault(hash);
    revoked = ctl_value(hash, "revoked_at");

    if (strcmp(state, "revoked") == 0) {
        time = revoked.len <= 12 ? ngx_atoi(revoked.data, revoked.len)
                                 : NGX_ERROR;

        return time == NGX_ERROR ? ctl_format("revoked")
                                 : ctl_format("revoked at %s",
                                              ctl_show_time(time));
    }

    if (fault == NULL) {
        return ctl_format("%s", state);
    }

    return ctl_format("%s: %s", strcmp(state, "bad") == 0
                                ? state : "expired, and bad", fault);
}


/* Which login has made the token, if one has. */

static char *
ctl_show_login(redisReply *hash)
{
    ngx_str_t  session;

    session = ctl_value(hash, "session");

    if (session.len == 0) {
        return "";
    }

    return (session.len == 5 && memcmp(session.data, "login", 5) == 0)
           ? "npm login has made it"
           : "it is a login of the web page, and opens nothing but that";
}


static char *
ctl_show_may(redisReply *hash)
{
    char  *packages, *scopes;

    packages = ctl_text(hash, "packages", SIZE_MAX);
    scopes = ctl_text(hash, "scopes", SIZE_MAX);

    if (ctl_is_true(hash, "readonly")) {
        return ctl_format("read, and not write");
    }

    if (*packages == '\0' && *scopes == '\0') {
        return ctl_format("read and write");
    }

    return ctl_format("read, and write to %s%s%s%s%s",
                      *packages ? "the packages " : "", packages,
                      *packages && *scopes ? " and " : "",
                      *scopes ? "the packages of " : "", scopes);
}


static char *
ctl_show_ends(ctl_item_t *item)
{
    char       *why, *ends;
    int64_t     vanishes;
    ngx_int_t   time;
    ngx_str_t   value;

    value = ctl_value(item->hash, "expires_at");
    time = value.len && value.len <= 12 ? ngx_atoi(value.data, value.len)
                                        : NGX_ERROR;
    vanishes = ctl_show_vanishes(item, &why);

    ends = (value.data == NULL) ? ctl_format("never")
           : (time == NGX_ERROR) ? ctl_safe(value.data, value.len)
           : ctl_show_time(time);

    if (vanishes > 0) {
        return ctl_format("%s; its key at %s", ends, ctl_show_time(vanishes));
    }

    return why ? ctl_format("%s; its key: %s", ends, why) : ends;
}


static char *
ctl_show_time(int64_t seconds)
{
    char     *date;
    int64_t   left;

    date = ctl_date(seconds, 0);
    left = seconds - time(NULL);

    if (left >= 2 * CTL_DAY) {
        return ctl_format("%.10s, in %ld days", date, (long) (left / CTL_DAY));
    }

    if (left <= -2 * CTL_DAY) {
        return ctl_format("%.10s, %ld days ago", date,
                          (long) (-left / CTL_DAY));
    }

    return ctl_format("%.10s %.5s UTC", date, date + 11);
}


static void
ctl_show_json(ctl_item_t *item, ngx_uint_t id)
{
    char     *why, *fault;
    json_t   *json;
    int64_t   vanishes;

    json = ctl_token_json(item, id);
    vanishes = ctl_show_vanishes(item, &why);
    fault = ctl_show_fault(item->hash);

    json_object_set_new(json, "key_expires", vanishes > 0
                        ? json_string(ctl_date(vanishes, 0)) : json_null());
    json_object_set_new(json, "fault", fault
                        ? ctl_json((u_char *) fault, strlen(fault))
                        : json_null());

    ctl_print_json(json);
}


static void
ctl_show_line(const char *what, const char *value)
{
    if (*value) {
        printf("%-12s %s\n", what, value);
    }
}
