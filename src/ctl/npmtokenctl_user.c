
/*
 * Accounts.
 */


#include "npmtokenctl.h"
#include "npmtoken_otp.h"
#include "npmtoken_password.h"


/* a change of an account, and room for the fields that it sets or deletes */

typedef struct {
    npmtoken_change_t     change;
    char                 *name;       /* in its owner's spelling */
    npmtoken_field_t      set[8];
    ngx_str_t             delete[8];
} ctl_edit_t;


static char *ctl_hash(const char *name);
static redisReply *ctl_account(const char *name, npmtoken_account_t *account);
static ngx_uint_t ctl_is_account(const char *name);
static ngx_uint_t ctl_has_capitals(const char *name);
static void ctl_field(npmtoken_change_t *change, const char *name,
    const char *value);
static void ctl_edit(ctl_edit_t *edit, const char *name, redisReply *hash,
    const char *judged);
static void ctl_edit_set(ctl_edit_t *edit, const char *field,
    const char *value);
static void ctl_edit_delete(ctl_edit_t *edit, const char *field);
static void ctl_edit_make(ctl_edit_t *edit);
static void ctl_edited(ctl_edit_t *edit);
static int ctl_lock(const char *name, ngx_uint_t lock);
static char *ctl_otpauth(char *account, u_char *secret);
static char *ctl_recovery_codes(char **codes);
static void ctl_print_tfa(const char *name, const char *url, char **codes);
static ngx_uint_t ctl_keep_account(ngx_str_t *name, redisReply *hash,
    const void *data);
static ngx_uint_t ctl_codes_left(ngx_str_t *recovery);
static json_t *ctl_user_json(ngx_str_t *name, redisReply *hash);
static ngx_uint_t ctl_tokens_of(ngx_str_t *name);
static void ctl_print_user(ngx_str_t *name, redisReply *hash);
static ngx_uint_t ctl_fold(const char *name, json_t *list);


int
ctl_user_add(char **argv, ngx_uint_t n)
{
    char               *name, *now;
    ngx_str_t           email;
    const char         *hash;
    npmtoken_change_t   change;
    npmtoken_field_t    fields[5];

    (void) n;

    ctl_check_name(argv[0]);

    if (ctl_options.email) {
        email = ctl_str(ctl_options.email);

        if (!npmtoken_account_is_email(&email)) {
            ctl_die(CTL_BAD, "\"%s\" is not a valid email address",
                    ctl_safe(email.data, email.len));
        }
    }

    ctl_connect();

    /* check before asking for a password; the script checks again */

    name = ctl_spelling(argv[0]);

    if (ctl_is_account(name)) {
        ctl_die(CTL_BAD, "there is an account \"%s\"", name);
    }

    hash = ctl_options.no_password ? NULL : ctl_hash(name);
    now = ctl_now();

    ngx_memzero(&change, sizeof(npmtoken_change_t));

    change.user = ctl_account_key("user:", name);
    change.name = ctl_str(name);
    change.account = fields;

    ctl_field(&change, "password", hash);
    ctl_field(&change, "email", ctl_options.email);
    ctl_field(&change, "created", now);
    ctl_field(&change, "updated", now);
    ctl_field(&change, "name", ctl_has_capitals(name) ? name : NULL);

    if (strcmp(ctl_change(&change, npmtoken_script_signup_args), "OK") != 0) {
        ctl_die(CTL_BAD, "there is an account \"%s\"", name);
    }

    ctl_wait_or_die();
    ctl_note("The account \"%s\" is created.", name);

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:s}", "user", name));
    }

    return CTL_OK;
}


/* An account that has only a name was made with a token: it is none yet. */

static ngx_uint_t
ctl_is_account(const char *name)
{
    size_t       i;
    ngx_str_t    key;
    redisReply  *hash;

    key = ctl_account_key("user:", name);
    hash = ctl_do("HGETALL %b", key.data, key.len);

    for (i = 0; i < hash->elements; i += 2) {
        if (strcmp(hash->element[i]->str, "name") != 0
            && strcmp(hash->element[i]->str, "created") != 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ctl_has_capitals(const char *name)
{
    return name[strcspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0';
}


/* Adds no field if there is no value. */

static void
ctl_field(npmtoken_change_t *change, const char *name, const char *value)
{
    if (value) {
        change->account[change->naccount].name = ctl_str(name);
        change->account[change->naccount].value = ctl_str(value);
        change->naccount++;
    }
}


static char *
ctl_hash(const char *name)
{
    char       *hash;
    ngx_str_t   password;

    password = ctl_new_password(name);
    hash = ctl_alloc(NPMTOKEN_PASSWORD_HASH_MAX);

    if (npmtoken_password_hash(&password, (u_char *) hash) == NGX_ERROR) {
        ctl_die(CTL_BAD, "the password cannot be hashed");
    }

    ngx_explicit_memzero(password.data, password.len);

    return hash;
}


int
ctl_user_passwd(char **argv, ngx_uint_t n)
{
    ctl_edit_t           edit;
    redisReply          *account;
    npmtoken_account_t   parsed;

    (void) n;

    ctl_connect();

    account = ctl_account(argv[0], &parsed);

    ctl_edit(&edit, argv[0], account, "password");
    ctl_edit_set(&edit, "password", ctl_hash(edit.name));
    ctl_edited(&edit);

    ctl_note("The password of \"%s\" is changed.", edit.name);

    return CTL_OK;
}


/* Returns the account.  Ends the program if it is absent or bad. */

static redisReply *
ctl_account(const char *name, npmtoken_account_t *account)
{
    ngx_str_t          key, typed;
    ngx_uint_t         n;
    redisReply        *hash;
    npmtoken_field_t  *fields, *bad;

    ctl_check_name(name);

    typed = ctl_str(name);
    key = ctl_account_key("user:", name);
    hash = ctl_do("HGETALL %b", key.data, key.len);

    if (hash->elements == 0) {
        ctl_die(CTL_BAD, "there is no account \"%s\"", name);
    }

    fields = ctl_fields(hash, &n);
    bad = npmtoken_account_parse(account, fields, n);

    if (bad == NULL
        && account->name.len
        && !npmtoken_account_same(&account->name, &typed))
    {
        ctl_die(CTL_BAD, "the account \"%s\" is bad, field \"name\": see "
                "check", name);
    }

    if (bad) {
        ctl_die(CTL_BAD, "the account \"%s\" is bad, field \"%s\": see check",
                name, ctl_safe(bad->name.data, bad->name.len));
    }

    return hash;
}


/* Begins a change that is made only if the judged field is still the same. */

static void
ctl_edit(ctl_edit_t *edit, const char *name, redisReply *hash,
    const char *judged)
{
    u_char             *seen;
    ngx_str_t           names[2];
    ngx_uint_t          n;
    npmtoken_field_t   *fields;
    npmtoken_change_t  *change;

    ngx_memzero(edit, sizeof(ctl_edit_t));

    change = &edit->change;

    change->user = ctl_account_key("user:", name);
    change->account = edit->set;
    change->delete = edit->delete;

    fields = ctl_fields(hash, &n);
    names[0] = ctl_str(judged);
    ngx_str_null(&names[1]);

    change->user_seen.len = npmtoken_script_seen(NULL, fields, n, names);
    seen = ctl_alloc(change->user_seen.len);
    (void) npmtoken_script_seen(seen, fields, n, names);
    change->user_seen.data = seen;

    edit->name = ctl_spelling(name);

    ctl_edit_set(edit, "updated", ctl_now());
}


static void
ctl_edit_set(ctl_edit_t *edit, const char *field, const char *value)
{
    ctl_field(&edit->change, field, value);
}


static void
ctl_edit_delete(ctl_edit_t *edit, const char *field)
{
    edit->change.delete[edit->change.ndelete++] = ctl_str(field);
}


static void
ctl_edit_make(ctl_edit_t *edit)
{
    if (strcmp(ctl_change(&edit->change, npmtoken_script_account_args), "OK")
        != 0)
    {
        ctl_die(CTL_BAD, "\"%s\" was changed by someone else at the same time; "
                "nothing was changed, try again", edit->name);
    }
}


static void
ctl_edited(ctl_edit_t *edit)
{
    ctl_edit_make(edit);
    ctl_wait_or_die();

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:s}", "user", edit->name));
    }
}


int
ctl_user_lock(char **argv, ngx_uint_t n)
{
    (void) n;

    return ctl_lock(argv[0], 1);
}


int
ctl_user_unlock(char **argv, ngx_uint_t n)
{
    (void) n;

    return ctl_lock(argv[0], 0);
}


/* Also locks an account that is bad in other ways: this must be possible. */

static int
ctl_lock(const char *name, ngx_uint_t lock)
{
    ngx_str_t    key;
    ctl_edit_t   edit;
    redisReply  *hash;

    ctl_check_name(name);
    ctl_connect();

    key = ctl_account_key("user:", name);
    hash = ctl_do("HGETALL %b", key.data, key.len);

    if (hash->elements == 0) {
        ctl_die(CTL_BAD, "there is no account \"%s\"", name);
    }

    ctl_edit(&edit, name, hash, "locked");

    if (lock) {
        ctl_edit_set(&edit, "locked", "true");

    } else {
        ctl_edit_delete(&edit, "locked");
    }

    ctl_edited(&edit);

    ctl_note(lock ? "\"%s\" is locked. Its tokens stay valid; to end them, run "
                    "npmtokenctl token revoke --user."
                  : "\"%s\" is unlocked.", edit.name);

    return CTL_OK;
}


int
ctl_user_tfa_enable(char **argv, ngx_uint_t n)
{
    char                *hashes, *codes[NPMTOKEN_RECOVERY_CODES];
    u_char               secret[NPMTOKEN_OTP_SECRET_LEN + 1];
    ngx_str_t            mode;
    ctl_edit_t           edit;
    redisReply          *hash;
    npmtoken_tfa_e       tfa;
    npmtoken_account_t   account;

    (void) n;

    mode.data = (u_char *) (ctl_options.mode ? ctl_options.mode
                                             : "auth-and-writes");
    mode.len = ngx_strlen(mode.data);

    if (npmtoken_account_tfa(&mode, &tfa) != NGX_OK) {
        ctl_die(CTL_USAGE, "--mode is auth-only or auth-and-writes");
    }

    ctl_connect();
    hash = ctl_account(argv[0], &account);

    if (account.totp.len) {
        ctl_die(CTL_BAD, "\"%s\" has a second factor already: disable it "
                "first", argv[0]);
    }

    ngx_memzero(secret, sizeof(secret));

    if (npmtoken_otp_secret(secret) != NGX_OK) {
        ctl_die(CTL_BAD, "a secret cannot be generated");
    }

    hashes = ctl_recovery_codes(codes);

    ctl_edit(&edit, argv[0], hash, "totp");
    ctl_edit_set(&edit, "tfa", (char *) mode.data);
    ctl_edit_set(&edit, "totp", (char *) secret);
    ctl_edit_set(&edit, "recovery", hashes);
    ctl_edit_delete(&edit, "totp_used");
    ctl_edit_delete(&edit, "totp_used_by");
    ctl_edit_delete(&edit, "tfa_pending");
    ctl_edit_delete(&edit, "totp_pending");
    ctl_edit_make(&edit);

    /* show these even if too few replicas have them: it is the only time */

    ctl_print_tfa(edit.name, ctl_otpauth(edit.name, secret), codes);
    ctl_wait_or_die();

    return CTL_OK;
}


static char *
ctl_otpauth(char *account, u_char *secret)
{
    u_char     *url;
    ngx_str_t   issuer, name, text;

    issuer.data = (u_char *) (ctl_options.issuer ? ctl_options.issuer : "npm");
    issuer.len = ngx_strlen(issuer.data);
    name.data = (u_char *) account;
    name.len = ngx_strlen(name.data);
    text.data = secret;
    text.len = NPMTOKEN_OTP_SECRET_LEN;

    url = ctl_alloc(npmtoken_otp_url_size(&issuer, &name) + 1);
    (void) npmtoken_otp_url(url, &issuer, &name, &text);

    return (char *) url;
}


static char *
ctl_recovery_codes(char **codes)
{
    char        *hashes, *p;
    ngx_uint_t   i;
    ngx_str_t    code;

    hashes = ctl_alloc(NPMTOKEN_RECOVERY_CODES * (NPMTOKEN_RECOVERY_LEN + 1));
    p = hashes;

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {

        codes[i] = ctl_alloc(NPMTOKEN_RECOVERY_LEN + 1);
        npmtoken_otp_recovery((u_char *) codes[i]);

        code.data = (u_char *) codes[i];
        code.len = NPMTOKEN_RECOVERY_LEN;

        if (i) {
            *p++ = ',';
        }

        if (npmtoken_otp_recovery_hash(&code, (u_char *) p) != NGX_OK) {
            ctl_die(CTL_BAD, "a recovery code cannot be hashed");
        }

        p += NPMTOKEN_RECOVERY_LEN;
    }

    return hashes;
}


static void
ctl_print_tfa(const char *name, const char *url, char **codes)
{
    json_t      *json, *list;
    ngx_uint_t   i;

    list = json_array();

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {
        json_array_append_new(list, json_string(codes[i]));
    }

    json = json_pack("{s:s, s:s, s:o}", "user", name, "otpauth", url,
                     "recovery", list);

    if (ctl_options.json) {
        ctl_print_json(json);
        return;
    }

    printf("%s\n\n", url);
    ctl_print_qr(url);

    printf("\nEach of these recovery codes works once instead of a one-time "
           "password:\n\n");

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {
        printf("    %s\n", codes[i]);
    }

    json_decref(json);

    ctl_note("\nThis is not shown again.");
}


int
ctl_user_tfa_disable(char **argv, ngx_uint_t n)
{
    ctl_edit_t           edit;
    redisReply          *hash;
    npmtoken_account_t   account;

    (void) n;

    ctl_connect();
    hash = ctl_account(argv[0], &account);

    if (account.totp.len == 0 && account.totp_pending.len == 0) {
        ctl_die(CTL_BAD, "\"%s\" has no second factor", argv[0]);
    }

    ctl_edit(&edit, argv[0], hash, "totp");
    ctl_edit_delete(&edit, "tfa");
    ctl_edit_delete(&edit, "totp");
    ctl_edit_delete(&edit, "tfa_pending");
    ctl_edit_delete(&edit, "totp_pending");
    ctl_edit_delete(&edit, "totp_used");
    ctl_edit_delete(&edit, "totp_used_by");
    ctl_edit_delete(&edit, "recovery");
    ctl_edited(&edit);

    ctl_note("\"%s\" no longer has a second factor.", edit.name);

    return CTL_OK;
}


int
ctl_user_list(char **argv, ngx_uint_t n)
{
    json_t      *list;
    ngx_uint_t   i;
    ctl_items_t  users;

    static const char  *head[] = {
        "NAME", "E-MAIL", "PASSWORD", "2FA", "LOCKED", "TOKENS", "CREATED"
    };

    (void) argv;
    (void) n;

    ctl_connect();
    ctl_scan("user:", ctl_keep_account, NULL, &users);

    list = json_array();
    ctl_row(head, sizeof(head) / sizeof(head[0]));

    for (i = 0; i < users.n; i++) {

        if (ctl_options.json) {
            json_array_append_new(list, ctl_user_json(&users.items[i].name,
                                                      users.items[i].hash));
        } else {
            ctl_print_user(&users.items[i].name, users.items[i].hash);
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
ctl_keep_account(ngx_str_t *name, redisReply *hash, const void *data)
{
    (void) name;
    (void) hash;
    (void) data;

    return 1;
}


/* Shows nobody the hash of the password or the secret. */

static json_t *
ctl_user_json(ngx_str_t *name, redisReply *hash)
{
    json_t      *json;
    ngx_uint_t   i;
    ngx_str_t    value;

    static const char  *fields[] = {
        "email", "fullname", "tfa", "tfa_pending", "created", "updated"
    };

    json = json_object();

    value = ctl_value(hash, "name");
    json_object_set_new(json, "name",
                        value.data ? ctl_json(value.data, value.len)
                                   : ctl_json(name->data, name->len));

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        value = ctl_value(hash, fields[i]);
        json_object_set_new(json, fields[i],
                            value.data ? ctl_json(value.data, value.len)
                                       : json_null());
    }

    value = ctl_value(hash, "locked");
    json_object_set_new(json, "locked",
                        json_boolean(value.len == 4
                                     && memcmp(value.data, "true", 4) == 0));

    json_object_set_new(json, "password",
                        json_boolean(ctl_value(hash, "password").data));

    value = ctl_value(hash, "recovery");
    json_object_set_new(json, "recovery_codes",
                        json_integer((int) ctl_codes_left(&value)));
    json_object_set_new(json, "tokens",
                        json_integer((int) ctl_tokens_of(name)));

    return json;
}


static ngx_uint_t
ctl_codes_left(ngx_str_t *recovery)
{
    return (recovery->len + 1) / (NPMTOKEN_RECOVERY_LEN + 1);
}


static ngx_uint_t
ctl_tokens_of(ngx_str_t *name)
{
    redisReply  *reply;
    ngx_uint_t   n;

    reply = ctl_try("SCARD %s", ctl_key("tokens-of:", name->data, name->len));
    n = (reply->type == REDIS_REPLY_INTEGER) ? reply->integer : 0;
    freeReplyObject(reply);

    return n;
}


static void
ctl_print_user(ngx_str_t *name, redisReply *hash)
{
    ngx_str_t  own, email, tfa, locked, created;

    own = ctl_value(hash, "name");
    email = ctl_value(hash, "email");
    tfa = ctl_value(hash, "tfa");
    locked = ctl_value(hash, "locked");
    created = ctl_value(hash, "created");

    ctl_row((const char *[]) {
                own.data ? ctl_safe(own.data, own.len)
                         : ctl_safe(name->data, name->len),
                ctl_safe(email.data, email.len),
                ctl_value(hash, "password").data ? "yes" : "no",
                ctl_safe(tfa.data, tfa.len),
                ctl_safe(locked.data, locked.len),
                ctl_format("%lu", (unsigned long) ctl_tokens_of(name)),
                ctl_safe(created.data, ngx_min(created.len, 10))
            }, 7);
}


int
ctl_user_show(char **argv, ngx_uint_t n)
{
    json_t              *json, *value;
    ngx_str_t            name;
    redisReply          *hash;
    const char          *field;
    npmtoken_account_t   account;

    (void) n;

    ctl_connect();
    hash = ctl_account(argv[0], &account);

    /* an account without a name has the name of its key */

    name = ctl_str(argv[0]);
    (void) npmtoken_account_fold(&name, name.data);

    json = ctl_user_json(&name, hash);

    if (ctl_options.json) {
        ctl_print_json(json);
        return CTL_OK;
    }

    json_object_foreach(json, field, value) {

        if (json_is_string(value)) {
            printf("%-16s%s\n", field,
                   ctl_safe((u_char *) json_string_value(value),
                            json_string_length(value)));

        } else if (json_is_integer(value)) {
            printf("%-16s%d\n", field, (int) json_integer_value(value));

        } else {
            printf("%-16s%s\n", field, json_is_true(value) ? "yes"
                                       : json_is_false(value) ? "no" : "-");
        }
    }

    json_decref(json);

    return CTL_OK;
}


/*
 * Moves accounts and sets of tokens whose keys were made before names were
 * folded.
 */

int
ctl_user_fold(char **argv, ngx_uint_t n)
{
    json_t       *moved, *left;
    ngx_uint_t    i, k, bad;
    const char   *name;
    ctl_items_t   items;

    static const char  *kinds[] = { "user:", "tokens-of:" };

    (void) argv;
    (void) n;

    ctl_connect();

    moved = json_array();
    left = json_array();

    for (k = 0; k < 2; k++) {
        ctl_scan(kinds[k], ctl_keep_account, NULL, &items);

        for (i = 0; i < items.n; i++) {
            name = (char *) items.items[i].name.data;

            if (!ctl_has_capitals(name) || ctl_fold(name, moved)) {
                continue;
            }

            /* the second round finds its set again */

            if (k == 0) {
                ctl_note("\"%s\" and its name in small letters are both "
                         "accounts: delete the key of one of them.",
                         ctl_safe((u_char *) name, strlen(name)));
                json_array_append_new(left, ctl_json((u_char *) name,
                                                     strlen(name)));
            }
        }
    }

    ctl_wait_or_die();
    bad = json_array_size(left);

    ctl_note("Moved %lu, left %lu.", (unsigned long) json_array_size(moved),
             (unsigned long) bad);

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:o, s:o}", "moved", moved, "left", left));

    } else {
        json_decref(moved);
        json_decref(left);
    }

    return bad ? CTL_BAD : CTL_OK;
}


/* Returns 1 if the account or set was moved. */

static ngx_uint_t
ctl_fold(const char *name, json_t *list)
{
    ngx_uint_t   i;
    ngx_str_t    keys[4];
    ctl_args_t   args;

    keys[0] = ctl_str(ctl_key("user:", (u_char *) name, strlen(name)));
    keys[1] = ctl_account_key("user:", name);
    keys[2] = ctl_str(ctl_key("tokens-of:", (u_char *) name, strlen(name)));
    keys[3] = ctl_account_key("tokens-of:", name);

    ngx_memzero(&args, sizeof(ctl_args_t));

    ctl_script_begin(&args, &npmtoken_script_fold);
    ctl_arg_text(&args, "4");

    for (i = 0; i < 4; i++) {
        ctl_arg(&args, keys[i].data, keys[i].len);
    }

    ctl_arg_text(&args, name);

    if (strcmp(ctl_status(&args), "OK") != 0) {
        return 0;
    }

    json_array_append_new(list, ctl_json((u_char *) name, strlen(name)));

    return 1;
}
