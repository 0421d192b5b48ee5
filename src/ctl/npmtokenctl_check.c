
/*
 * Reports what is bad in a store, and why.
 */


#include "npmtokenctl.h"


/* a field of an account may hold a secret, so its value is not shown */

typedef struct {
    ngx_uint_t            account;
    json_t               *bad;
    ngx_uint_t            n;
} ctl_check_t;


static ngx_uint_t ctl_keep_bad(ngx_str_t *name, redisReply *hash,
    const void *data);
static ngx_uint_t ctl_is_unfolded(ngx_str_t *name);
static ngx_uint_t ctl_is_large(redisReply *hash);
static npmtoken_field_t *ctl_bad_field(ngx_uint_t account, ngx_str_t *name,
    redisReply *hash);
static ngx_uint_t ctl_name_is_bad(ngx_uint_t account, ngx_str_t *name);
static void ctl_report(ctl_check_t *check, ctl_item_t *item);
static char *ctl_why(ctl_check_t *check, npmtoken_field_t *field);


int
ctl_check(char **argv, ngx_uint_t n)
{
    ngx_uint_t   account, i, bad, checked;
    ctl_check_t  check;
    ctl_items_t  items;

    (void) argv;
    (void) n;

    ctl_connect();

    check.bad = json_array();
    bad = 0;
    checked = 0;

    for (account = 0; account < 2; account++) {

        check.account = account;
        ctl_scan(account ? "user:" : "token:", ctl_keep_bad, &check, &items);

        for (i = 0; i < items.n; i++) {
            if (items.items[i].hash) {
                ctl_report(&check, &items.items[i]);
                bad++;
            }
        }

        checked += items.n;
    }

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:i, s:o}", "checked", (int) checked,
                                 "bad", check.bad));
    } else {
        ctl_note("%lu records and accounts, %lu bad.",
                 (unsigned long) checked, (unsigned long) bad);
    }

    return bad ? CTL_BAD : CTL_OK;
}


static ngx_uint_t
ctl_keep_bad(ngx_str_t *name, redisReply *hash, const void *data)
{
    const ctl_check_t  *check = data;

    return hash->type == REDIS_REPLY_ERROR
           || ctl_name_is_bad(check->account, name)
           || (check->account && ctl_is_unfolded(name))
           || ctl_bad_field(check->account, name, hash)
           || (!check->account && ctl_is_large(hash));
}


/* Nothing ever looks for an account under a key that is not folded. */

static ngx_uint_t
ctl_is_unfolded(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] != ngx_tolower(name->data[i])) {
            return 1;
        }
    }

    return 0;
}


/* Tells whether a record is too large to be read. */

static ngx_uint_t
ctl_is_large(redisReply *hash)
{
    ngx_uint_t         n, fits;
    npmtoken_field_t  *fields;

    fields = ctl_fields(hash, &n);
    fits = npmtoken_record_fits(fields, n);
    free(fields);

    return !fits;
}


/* The texts of the returned field point into the reply. */

static npmtoken_field_t *
ctl_bad_field(ngx_uint_t account, ngx_str_t *name, redisReply *hash)
{
    ngx_uint_t           i, n;
    npmtoken_field_t    *fields, *bad;
    npmtoken_record_t   *record;
    npmtoken_account_t   parsed;

    fields = ctl_fields(hash, &n);

    if (account) {
        bad = npmtoken_account_parse(&parsed, fields, n);

        if (bad == NULL
            && parsed.name.len
            && !npmtoken_account_same(&parsed.name, name))
        {
            for (i = 0; fields[i].value.data != parsed.name.data; i++) {
                /* void */
            }

            bad = &fields[i];
        }

    } else {
        record = ctl_alloc(npmtoken_record_size(fields, n));
        bad = npmtoken_record_parse(record, fields, n);
        free(record);
    }

    if (bad == NULL) {
        free(fields);
    }

    return bad;
}


static ngx_uint_t
ctl_name_is_bad(ngx_uint_t account, ngx_str_t *name)
{
    u_char      c;
    ngx_uint_t  i;

    if (account) {
        return !npmtoken_account_is_name(name);
    }

    if (name->len != NPMTOKEN_KEY_LEN) {
        return 1;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 1;
        }
    }

    return 0;
}


static void
ctl_report(ctl_check_t *check, ctl_item_t *item)
{
    char              *name, *field, *why;
    npmtoken_field_t  *bad;

    bad = NULL;

    if (item->hash->type == REDIS_REPLY_ERROR) {
        why = "it is not a hash";

    } else if (ctl_name_is_bad(check->account, &item->name)) {
        why = check->account ? "the key is not a valid account name"
                             : "the key is not the SHA-512 of a token (128 hex "
                               "digits in lower case), so no token matches it";

    } else if (check->account && ctl_is_unfolded(&item->name)) {
        why = "its key has capitals, so it is never found: run npmtokenctl "
              "user fold";

    } else {
        bad = ctl_bad_field(check->account, &item->name, item->hash);
        why = bad ? ctl_why(check, bad)
                  : ctl_format("it is larger than the limit of %d bytes",
                               NPMTOKEN_RECORD_MAX);
    }

    name = ctl_safe(item->name.data, item->name.len);
    field = bad ? ctl_safe(bad->name.data, bad->name.len) : NULL;

    if (ctl_options.json) {
        json_array_append_new(check->bad,
            json_pack("{s:s, s:s, s:s?, s:s}",
                      "kind", check->account ? "account" : "token",
                      "key", name, "field", field, "why", why));
        return;
    }

    printf("%s %s: ", check->account ? "account" : "token", name);

    if (field) {
        printf("field \"%s\": ", field);
    }

    printf("%s\n", why);
}


static char *
ctl_why(ctl_check_t *check, npmtoken_field_t *field)
{
    char  *form;

    form = check->account ? npmtoken_account_form(&field->name)
                          : npmtoken_record_form(&field->name);

    if (form == NULL) {
        return "there is no such field (names of your own begin with x_)";
    }

    if (check->account) {
        return ctl_format("it must be %s", form);
    }

    return ctl_format("\"%s\" is not %s",
                      ctl_safe(field->value.data, ngx_min(field->value.len,
                                                          200)), form);
}
