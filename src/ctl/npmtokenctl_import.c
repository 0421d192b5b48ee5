
/*
 * Imports keys of another registry.
 *
 * The file is read twice.  First each row is converted to a record and checked.
 * If one is bad, nothing is imported; with --skip-bad only the bad rows are
 * left out.  A row is never imported with fewer limits than it had.  So an
 * unknown column is an error, and so is anything that could be read in two
 * ways.  Then the rows are sent, many at a time.
 *
 * A key that is there already is left as it is.  So an interrupted import can
 * simply be run again.
 */


#include "npmtokenctl_import.h"


/* commands that are sent before a reply is read */
#define CTL_PIPELINE     500

/* bad rows that are printed at most */
#define CTL_TOLD         20


static void ctl_judge_row(ctl_row_t *row, size_t offset, size_t total);
static char *ctl_note_key(ctl_row_t *row, const char *key);
static ngx_uint_t ctl_is_double(const char *key);
static void ctl_bad_row(ngx_uint_t line, char *why);
static void ctl_send_row(ctl_row_t *row, size_t offset, size_t total);
static void ctl_read_status(void);


static struct {
    ngx_uint_t            good;
    ngx_uint_t            bad;
    ngx_uint_t            sent;
    ngx_uint_t            waiting;
    ngx_uint_t            imported;
    ngx_uint_t            there;
    ngx_uint_t            respelt;
    json_t               *keys;       /* row of a key; 0: several rows */
    json_t               *errors;
    ctl_args_t            args;
} ctl_counts;


int
ctl_import(char **argv, ngx_uint_t n)
{
    (void) n;

    ctl_counts.keys = json_object();
    ctl_counts.errors = json_array();
    ctl_read_file(argv[0]);

    ctl_each_row(ctl_judge_row);
    ctl_progress_done();

    if (ctl_counts.bad > CTL_TOLD) {
        ctl_note("... and %lu more", (unsigned long) ctl_counts.bad - CTL_TOLD);
    }

    if (ctl_counts.good + ctl_counts.bad == 0) {
        ctl_die(CTL_BAD, "\"%s\" has no rows", argv[0]);
    }

    if (!ctl_options.dry_run && (ctl_counts.bad == 0 || ctl_options.skip_bad)) {
        ctl_connect();
        ctl_each_row(ctl_send_row);

        while (ctl_counts.waiting) {
            ctl_read_status();
        }

        ctl_progress_done();

        if (ctl_counts.respelt) {
            ctl_note("%lu rows spell the name of an account in another case "
                     "than the account does, and are not imported",
                     (unsigned long) ctl_counts.respelt);
        }

        ctl_wait_or_die();
    }

    if (ctl_options.json) {
        ctl_print_json(json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}",
                                 "good", (int) ctl_counts.good,
                                 "bad", (int) ctl_counts.bad,
                                 "imported", (int) ctl_counts.imported,
                                 "there_already", (int) ctl_counts.there,
                                 "respelt", (int) ctl_counts.respelt,
                                 "errors", ctl_counts.errors));

    } else if (ctl_options.dry_run) {
        printf("%lu rows are valid, %lu are not; nothing was imported\n",
               (unsigned long) ctl_counts.good, (unsigned long) ctl_counts.bad);

    } else if (ctl_counts.bad && !ctl_options.skip_bad) {
        printf("%lu rows are not valid; nothing was imported\n",
               (unsigned long) ctl_counts.bad);

    } else {
        printf("%lu imported, %lu already there, %lu not valid\n",
               (unsigned long) ctl_counts.imported,
               (unsigned long) ctl_counts.there,
               (unsigned long) ctl_counts.bad);
    }

    return (ctl_counts.bad || ctl_counts.respelt) ? CTL_BAD : CTL_OK;
}


static void
ctl_judge_row(ctl_row_t *row, size_t offset, size_t total)
{
    char        *why, key[NPMTOKEN_KEY_LEN];
    ctl_args_t   record;

    ngx_memzero(&record, sizeof(ctl_args_t));

    ctl_progress("checking", offset, total);

    why = ctl_make_record(row, key, &record);
    ctl_free_record(&record);

    if (why == NULL) {
        why = ctl_note_key(row, key);
    }

    if (why) {
        ctl_bad_row(row->line, why);

    } else {
        ctl_counts.good++;
    }
}


/*
 * If two rows have the same key, nothing says which one counts: both are bad.
 */

static char *
ctl_note_key(ctl_row_t *row, const char *key)
{
    char         name[NPMTOKEN_KEY_LEN + 1];
    json_t      *seen;
    ngx_uint_t   first;

    ngx_memcpy(name, key, NPMTOKEN_KEY_LEN);
    name[NPMTOKEN_KEY_LEN] = '\0';

    seen = json_object_get(ctl_counts.keys, name);

    if (seen == NULL) {
        json_object_set_new(ctl_counts.keys, name, json_integer(row->line));
        return NULL;
    }

    first = (ngx_uint_t) json_integer_value(seen);

    if (first) {
        ctl_counts.good--;
        ctl_bad_row(first, ctl_format("row %lu has the same key",
                                      (unsigned long) row->line));
        json_integer_set(seen, 0);
    }

    return ctl_format("an earlier row has the same key");
}


static ngx_uint_t
ctl_is_double(const char *key)
{
    char  name[NPMTOKEN_KEY_LEN + 1];

    ngx_memcpy(name, key, NPMTOKEN_KEY_LEN);
    name[NPMTOKEN_KEY_LEN] = '\0';

    return json_integer_value(json_object_get(ctl_counts.keys, name)) == 0;
}


static void
ctl_bad_row(ngx_uint_t line, char *why)
{
    if (ctl_counts.bad++ < CTL_TOLD) {
        ctl_progress_done();
        ctl_note("row %lu: %s", (unsigned long) line, why);
        json_array_append_new(ctl_counts.errors,
                              json_pack("{s:i, s:s}", "row", (int) line,
                                        "why", why));
    }
}


static void
ctl_send_row(ctl_row_t *row, size_t offset, size_t total)
{
    char                key[NPMTOKEN_KEY_LEN];
    ctl_args_t          record;
    npmtoken_change_t   change;

    ngx_memzero(&record, sizeof(ctl_args_t));

    if (ctl_make_record(row, key, &record) != NULL || ctl_is_double(key)) {
        ctl_free_record(&record);
        return;
    }

    ctl_record_change(&change, ctl_get(&record, "user"), (u_char *) key,
                      &record);

    ctl_script(&ctl_counts.args, &change, npmtoken_script_create_args);
    ctl_append(&ctl_counts.args);

    free(change.token.data);
    free(change.tokens.data);
    free(change.user.data);
    free(change.prefix.data);
    free(change.created.data);
    free(change.record);
    ctl_free_record(&record);

    if (++ctl_counts.waiting == CTL_PIPELINE) {
        ctl_progress("importing", offset, total);

        while (ctl_counts.waiting) {
            ctl_read_status();
        }
    }
}


static void
ctl_read_status(void)
{
    redisReply  *reply;

    reply = ctl_reply();
    ctl_counts.waiting--;

    /* imported rows stay; run the import again for the rest */

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_note("%lu rows were imported before this:",
                 (unsigned long) ctl_counts.imported);
        ctl_refused(reply);
    }

    if (strcmp(reply->str, "OK") == 0) {
        ctl_counts.imported++;

    } else if (strcmp(reply->str, "CHANGED") == 0) {
        ctl_counts.respelt++;

    } else {
        ctl_counts.there++;
    }

    freeReplyObject(reply);
}
