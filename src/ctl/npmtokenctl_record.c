
/*
 * Records and accounts, as they are in Redis.
 */


#include "npmtokenctl.h"
#include "npmtokenctl_cluster.h"
#include "npmtokenctl_redis.h"
#include "npmtoken_account.h"
#include "npmtoken_token.h"


/* hashes requested at a time */
#define CTL_BATCH  500


static void ctl_scan_batch(redisReply *keys, size_t skip, ctl_keep_pt keep,
    const void *data, ctl_items_t *items);
static char *ctl_pattern(const char *kind);
static int ctl_compare(const void *one, const void *two);
static void ctl_unique(ctl_items_t *items);


/*
 * SCAN returns each key that exists during the whole scan.  It may return a key
 * more than once, and may return keys that appear or go meanwhile.
 */

void
ctl_scan(const char *kind, ctl_keep_pt keep, const void *data,
    ctl_items_t *items)
{
    char        *cursor, *pattern;
    size_t       total, done;
    ngx_uint_t   session;
    redisReply  *reply;

    ngx_memzero(items, sizeof(ctl_items_t));

    /* needed only for the progress bar, so Redis may refuse it */

    reply = ctl_try("DBSIZE");
    total = (reply->type == REDIS_REPLY_INTEGER) ? reply->integer : 0;
    done = 0;
    freeReplyObject(reply);

    session = ctl_session();
    pattern = ctl_pattern(kind);
    cursor = ctl_format("0");

    do {
        reply = ctl_do("SCAN %s MATCH %s COUNT %d", cursor, pattern,
                       CTL_BATCH);

        free(cursor);
        cursor = ctl_format("%s", reply->element[0]->str);

        ctl_scan_batch(reply->element[1],
                       strlen(ctl_options.prefix) + strlen(kind), keep, data,
                       items);
        freeReplyObject(reply);

        ctl_cluster_whole(session);

        done += CTL_BATCH;
        ctl_progress("reading", done, total);

    } while (strcmp(cursor, "0") != 0);

    ctl_progress_done();
    ctl_unique(items);
}


static void
ctl_scan_batch(redisReply *keys, size_t skip, ctl_keep_pt keep,
    const void *data, ctl_items_t *items)
{
    size_t       i;
    ctl_item_t  *item;
    ctl_args_t   args;
    redisReply  *key, *hash;

    ngx_memzero(&args, sizeof(ctl_args_t));

    for (i = 0; i < keys->elements; i++) {
        key = keys->element[i];

        args.n = 0;
        ctl_arg_text(&args, "HGETALL");
        ctl_arg(&args, key->str, key->len);
        ctl_append(&args);
    }

    for (i = 0; i < keys->elements; i++) {

        key = keys->element[i];
        hash = ctl_reply();

        if (hash->type == REDIS_REPLY_ERROR
            && strncmp(hash->str, "WRONGTYPE", 9) != 0)
        {
            ctl_refused(hash);
        }

        /* the key is gone by now */

        if (hash->type == REDIS_REPLY_ARRAY && hash->elements == 0) {
            freeReplyObject(hash);
            continue;
        }

        items->items = ctl_grow(items->items, items->n, sizeof(ctl_item_t));
        item = &items->items[items->n++];

        item->name.len = key->len - skip;
        item->name.data = ctl_alloc(item->name.len + 1);
        ngx_memcpy(item->name.data, key->str + skip, item->name.len);
        item->hash = hash;

        if (!keep(&item->name, hash, data)) {
            freeReplyObject(hash);
            item->hash = NULL;
        }
    }

    free(args.data);
    free(args.len);
}


static char *
ctl_pattern(const char *kind)
{
    return ctl_format("%s%s*", ctl_prefix_pattern(), kind);
}


/* Escapes the characters of the prefix that are special in a pattern. */

char *
ctl_prefix_pattern(void)
{
    char        *pattern, *p;
    const char  *text;

    pattern = ctl_alloc(2 * strlen(ctl_options.prefix) + 1);
    p = pattern;

    for (text = ctl_options.prefix; *text; text++) {

        if (strchr("*?[]\\^", *text)) {
            *p++ = '\\';
        }

        *p++ = *text;
    }

    return pattern;
}


static void
ctl_unique(ctl_items_t *items)
{
    ngx_uint_t  i, n;

    if (items->n == 0) {
        return;
    }

    qsort(items->items, items->n, sizeof(ctl_item_t), ctl_compare);

    for (n = 1, i = 1; i < items->n; i++) {
        if (ctl_compare(&items->items[n - 1], &items->items[i]) != 0) {
            items->items[n++] = items->items[i];
        }
    }

    items->n = n;
}


static int
ctl_compare(const void *one, const void *two)
{
    const ctl_item_t  *a = one, *b = two;

    return (int) ngx_memn2cmp(a->name.data, b->name.data, a->name.len,
                              b->name.len);
}


ngx_str_t
ctl_value(redisReply *hash, const char *field)
{
    size_t     i;
    ngx_str_t  value = ngx_null_string;

    if (hash->type != REDIS_REPLY_ARRAY) {
        return value;
    }

    for (i = 0; i + 1 < hash->elements; i += 2) {
        if (strcmp(hash->element[i]->str, field) == 0) {
            value.data = (u_char *) hash->element[i + 1]->str;
            value.len = hash->element[i + 1]->len;
        }
    }

    return value;
}


npmtoken_field_t *
ctl_fields(redisReply *hash, ngx_uint_t *n)
{
    size_t             i;
    npmtoken_field_t  *fields;

    *n = hash->elements / 2;
    fields = ctl_alloc((*n + 1) * sizeof(npmtoken_field_t));

    for (i = 0; i < *n; i++) {
        fields[i].name.data = (u_char *) hash->element[2 * i]->str;
        fields[i].name.len = hash->element[2 * i]->len;
        fields[i].value.data = (u_char *) hash->element[2 * i + 1]->str;
        fields[i].value.len = hash->element[2 * i + 1]->len;
    }

    return fields;
}


void
ctl_check_name(const char *name)
{
    ngx_str_t  text;

    text.data = (u_char *) name;
    text.len = strlen(name);

    if (!npmtoken_account_is_name(&text)) {
        ctl_die(CTL_BAD, "\"%s\" is not a valid account name: use 1 to %d "
                "letters, digits and -._~@+, not beginning with \".\" "
                "or \"-\"",
                ctl_safe(text.data, text.len), NPMTOKEN_USER_MAX);
    }
}


char *
ctl_spelling(const char *name)
{
    char        *spelling;
    ngx_str_t    key, own, typed;
    redisReply  *reply;

    typed = ctl_str(name);
    key = ctl_account_key("user:", name);

    reply = ctl_try("HGETALL %b", key.data, key.len);
    own = ctl_value(reply, "name");

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        spelling = ctl_format("%s", name);

    } else if (own.data && npmtoken_account_same(&own, &typed)) {
        spelling = ctl_format("%.*s", (int) own.len, own.data);

    } else {
        spelling = ctl_format("%.*s", (int) typed.len,
                              key.data + key.len - typed.len);
    }

    freeReplyObject(reply);

    return spelling;
}


ngx_str_t
ctl_shown(redisReply *hash)
{
    ngx_str_t  token;

    token = ctl_value(hash, "token");
    token.len = ngx_min(token.len, NPMTOKEN_TOKEN_SHOWN);

    return token;
}


char *
ctl_record_fault(ctl_args_t *record)
{
    char               *why, *form;
    ngx_uint_t          i, n;
    npmtoken_field_t   *fields, *bad;
    npmtoken_record_t  *parsed;

    n = record->n / 2;
    fields = ctl_alloc((n + 1) * sizeof(npmtoken_field_t));

    for (i = 0; i < n; i++) {
        fields[i].name.data = (u_char *) record->data[2 * i];
        fields[i].name.len = record->len[2 * i];
        fields[i].value.data = (u_char *) record->data[2 * i + 1];
        fields[i].value.len = record->len[2 * i + 1];
    }

    parsed = ctl_alloc(npmtoken_record_size(fields, n));
    bad = npmtoken_record_parse(parsed, fields, n);
    why = NULL;

    if (bad == NULL && !npmtoken_record_fits(fields, n)) {
        why = ctl_format("it is larger than the limit of %d bytes",
                         NPMTOKEN_RECORD_MAX);
    }

    if (bad) {
        form = npmtoken_record_form(&bad->name);

        why = ctl_format("\"%s\" is not a valid value of \"%.*s\": %s",
                         ctl_safe(bad->value.data, bad->value.len),
                         (int) bad->name.len, bad->name.data,
                         form ? form : "there is no such field");
    }

    free(fields);
    free(parsed);

    return why;
}
