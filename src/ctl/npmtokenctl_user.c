
/*
 * Accounts.
 */


#include "npmtokenctl.h"
#include "npmtoken_account.h"
#include "npmtoken_otp.h"
#include "npmtoken_password.h"
#include "npmtoken_script.h"


static char *ctl_hash(const char *name);
static redisReply *ctl_account(const char *name, npmtoken_account_t *account);
static void ctl_change(ctl_args_t *args, const char *name, ngx_str_t *field,
    ngx_str_t *value);
static void ctl_changed(ctl_args_t *args, const char *name);
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


int
ctl_user_add(char **argv, ngx_uint_t n)
{
    char        *key, *now;
    ngx_str_t    email;
    ctl_args_t   args;
    const char  *name, *hash;

    (void) n;

    name = argv[0];
    ctl_check_name(name);

    if (ctl_options.email) {
        email.data = (u_char *) ctl_options.email;
        email.len = strlen(ctl_options.email);

        if (npmtoken_account_email(&email) != NGX_OK) {
            ctl_die(CTL_BAD, "\"%s\" is no address of e-mail",
                    ctl_safe(email.data, email.len));
        }
    }

    ngx_memzero(&args, sizeof(ctl_args_t));
    ctl_connect();

    /* asked before a password is, and by the script again */

    key = ctl_key("user:", (u_char *) name, strlen(name));

    if (ctl_do("EXISTS %s", key)->integer) {
        ctl_die(CTL_BAD, "there is an account \"%s\"", name);
    }

    hash = ctl_options.no_password ? NULL : ctl_hash(name);
    now = ctl_now();

    ctl_script(&args, &npmtoken_script_signup, 1);
    ctl_arg_text(&args, key);
    ctl_arg_text(&args, ctl_format("%d", 4 + 2 * (hash != NULL)
                                         + 2 * (ctl_options.email != NULL)));
    ctl_arg_pair(&args, "password", hash);
    ctl_arg_pair(&args, "email", ctl_options.email);
    ctl_arg_pair(&args, "created", now);
    ctl_arg_pair(&args, "updated", now);

    if (strcmp(ctl_status(&args), "OK") != 0) {
        ctl_die(CTL_BAD, "there is an account \"%s\"", name);
    }

    ctl_wait_or_die();
    ctl_note("There is an account \"%s\" now.", name);

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:s}", "user", name));
    }

    return CTL_OK;
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
    char                *hash;
    ctl_args_t           args;
    npmtoken_account_t   account;

    static ngx_str_t  field = ngx_string("password");

    (void) n;

    ctl_connect();
    (void) ctl_account(argv[0], &account);

    hash = ctl_hash(argv[0]);

    ngx_memzero(&args, sizeof(ctl_args_t));
    ctl_change(&args, argv[0], &field, &account.password);
    ctl_arg_text(&args, "4");
    ctl_arg_pair(&args, "password", hash);
    ctl_arg_pair(&args, "updated", ctl_now());
    ctl_changed(&args, argv[0]);

    ctl_note("The password of \"%s\" is changed.", argv[0]);

    return CTL_OK;
}


/* the account, or the end: it is not there, or bad */

static redisReply *
ctl_account(const char *name, npmtoken_account_t *account)
{
    ngx_uint_t         n;
    redisReply        *hash;
    npmtoken_field_t  *fields, *bad;

    ctl_check_name(name);

    hash = ctl_do("HGETALL %s", ctl_key("user:", (u_char *) name,
                                        strlen(name)));

    if (hash->elements == 0) {
        ctl_die(CTL_BAD, "there is no account \"%s\"", name);
    }

    fields = ctl_fields(hash, &n);
    bad = npmtoken_account_parse(account, fields, n);

    if (bad) {
        ctl_die(CTL_BAD, "the account \"%s\" is bad, field \"%s\": see check",
                name, ctl_safe(bad->name.data, bad->name.len));
    }

    return hash;
}


static void
ctl_change(ctl_args_t *args, const char *name, ngx_str_t *field,
    ngx_str_t *value)
{
    ctl_script(args, &npmtoken_script_account, 1);
    ctl_arg_text(args, ctl_key("user:", (u_char *) name, strlen(name)));
    ctl_arg(args, field->data, field->len);
    ctl_arg(args, value->data ? value->data : (u_char *) "", value->len);
}


static void
ctl_changed(ctl_args_t *args, const char *name)
{
    if (strcmp(ctl_status(args), "OK") != 0) {
        ctl_die(CTL_BAD, "\"%s\" was changed by somebody else meanwhile: "
                "nothing is done, try again", name);
    }

    ctl_wait_or_die();

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:s}", "user", name));
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


/* also of an account that is bad in other ways: it must be possible */

static int
ctl_lock(const char *name, ngx_uint_t lock)
{
    ngx_str_t    value;
    ctl_args_t   args;
    redisReply  *hash;

    static ngx_str_t  field = ngx_string("locked");

    ctl_check_name(name);
    ctl_connect();

    hash = ctl_do("HGETALL %s", ctl_key("user:", (u_char *) name,
                                        strlen(name)));
    value = ctl_value(hash, "locked");

    ngx_memzero(&args, sizeof(ctl_args_t));

    if (hash->elements == 0) {
        ctl_die(CTL_BAD, "there is no account \"%s\"", name);
    }

    ctl_change(&args, name, &field, &value);
    ctl_arg_text(&args, lock ? "4" : "2");
    ctl_arg_pair(&args, "updated", ctl_now());
    ctl_arg_pair(&args, "locked", lock ? "true" : NULL);

    if (!lock) {
        ctl_arg_text(&args, "locked");
    }

    ctl_changed(&args, name);

    ctl_note(lock ? "\"%s\" is locked; its tokens are good as before: token "
             "revoke --user." : "\"%s\" is not locked any more.", name);

    return CTL_OK;
}


int
ctl_user_tfa_enable(char **argv, ngx_uint_t n)
{
    char                *hashes, *codes[NPMTOKEN_RECOVERY_CODES];
    u_char               secret[NPMTOKEN_OTP_SECRET_LEN + 1];
    ngx_str_t            mode;
    ctl_args_t           args;
    npmtoken_tfa_e       tfa;
    npmtoken_account_t   account;

    static ngx_str_t  field = ngx_string("totp");

    (void) n;

    mode.data = (u_char *) (ctl_options.mode ? ctl_options.mode
                                             : "auth-and-writes");
    mode.len = ngx_strlen(mode.data);

    if (npmtoken_account_tfa(&mode, &tfa) != NGX_OK) {
        ctl_die(CTL_USAGE, "--mode is auth-only or auth-and-writes");
    }

    ctl_connect();
    (void) ctl_account(argv[0], &account);

    if (account.totp.len) {
        ctl_die(CTL_BAD, "\"%s\" has a second factor: it is to be disabled "
                "first", argv[0]);
    }

    ngx_memzero(secret, sizeof(secret));

    if (npmtoken_otp_secret(secret) != NGX_OK) {
        ctl_die(CTL_BAD, "no secret can be made");
    }

    hashes = ctl_recovery_codes(codes);

    ngx_memzero(&args, sizeof(ctl_args_t));
    ctl_change(&args, argv[0], &field, &account.totp);
    ctl_arg_text(&args, "8");
    ctl_arg_pair(&args, "tfa", (char *) mode.data);
    ctl_arg_pair(&args, "totp", (char *) secret);
    ctl_arg_pair(&args, "recovery", hashes);
    ctl_arg_pair(&args, "updated", ctl_now());
    ctl_arg_text(&args, "totp_used");
    ctl_arg_text(&args, "tfa_pending");
    ctl_arg_text(&args, "totp_pending");

    if (strcmp(ctl_status(&args), "OK") != 0) {
        ctl_die(CTL_BAD, "\"%s\" was changed by somebody else meanwhile: "
                "nothing is done, try again", argv[0]);
    }

    /* shown in any case: there is no other time */

    ctl_print_tfa(argv[0], ctl_otpauth(argv[0], secret), codes);
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

    printf("\nEach of these recovery codes is good once, in place of a "
           "one-time password:\n\n");

    for (i = 0; i < NPMTOKEN_RECOVERY_CODES; i++) {
        printf("    %s\n", codes[i]);
    }

    json_decref(json);

    ctl_note("\nAll of this is shown this once.");
}


int
ctl_user_tfa_disable(char **argv, ngx_uint_t n)
{
    ctl_args_t           args;
    npmtoken_account_t   account;

    static ngx_str_t  field = ngx_string("totp");

    (void) n;

    ctl_connect();
    (void) ctl_account(argv[0], &account);

    if (account.totp.len == 0 && account.totp_pending.len == 0) {
        ctl_die(CTL_BAD, "\"%s\" has no second factor", argv[0]);
    }

    ngx_memzero(&args, sizeof(ctl_args_t));
    ctl_change(&args, argv[0], &field, &account.totp);
    ctl_arg_text(&args, "2");
    ctl_arg_pair(&args, "updated", ctl_now());
    ctl_arg_text(&args, "tfa");
    ctl_arg_text(&args, "totp");
    ctl_arg_text(&args, "tfa_pending");
    ctl_arg_text(&args, "totp_pending");
    ctl_arg_text(&args, "totp_used");
    ctl_arg_text(&args, "recovery");
    ctl_changed(&args, argv[0]);

    ctl_note("\"%s\" needs no second factor any more.", argv[0]);

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


/* neither the hash of the password nor the secret is shown, to anybody */

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

    json_object_set_new(json, "name", ctl_json(name->data, name->len));

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
    ngx_str_t  email, tfa, locked, created;

    email = ctl_value(hash, "email");
    tfa = ctl_value(hash, "tfa");
    locked = ctl_value(hash, "locked");
    created = ctl_value(hash, "created");

    ctl_row((const char *[]) {
                ctl_safe(name->data, name->len),
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

    name.data = (u_char *) argv[0];
    name.len = ngx_strlen(name.data);

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
