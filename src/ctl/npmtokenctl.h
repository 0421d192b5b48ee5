
/*
 * Declarations that the parts of the operator's tool share.
 *
 * One process runs one command.  So an error ends the process (ctl_die), and
 * the end of the process frees its memory.
 */


#ifndef _NPMTOKENCTL_H_INCLUDED_
#define _NPMTOKENCTL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include "npmtoken_account.h"
#include "npmtoken_digest.h"
#include "npmtoken_record.h"
#include "npmtoken_script.h"


/* exit codes */
#define CTL_OK            0
#define CTL_BAD           1     /* bad, not found, or there already */
#define CTL_USAGE         2
#define CTL_REDIS         3     /* Redis is not reachable, or refused */
#define CTL_UNREPLICATED  4     /* done, but too few replicas have it */
#define CTL_UNSAVED       5     /* done, but Redis cannot save it */


/* an option with a value is NULL if it is not given */

typedef struct {
    const char           *redis;
    const char           *environment;   /* NPMTOKEN_REDIS */
    const char           *redis_user;
    const char           *redis_password_file;
    const char           *sentinel_user;
    const char           *sentinel_password_file;
    const char           *cacert;
    const char           *cert;
    const char           *key;
    const char           *sni;
    const char           *prefix;
    const char           *replicas;
    const char           *timeout;
    const char           *email;
    const char           *mode;
    const char           *issuer;
    const char           *cidr;
    const char           *expires;
    const char           *packages;
    const char           *scopes;
    const char           *name;
    const char           *description;
    const char           *user;
    const char           *passwords;

    int                   insecure;
    int                   json;
    int                   password_stdin;
    int                   no_password;
    int                   all;
    int                   readonly;
    int                   protected;
    int                   bypass_2fa;
    int                   keep;
    int                   yes;
    int                   dry_run;
    int                   skip_bad;
    int                   print;
    int                   proofs;
    int                   drop_passwords;
} ctl_options_t;


extern ctl_options_t  ctl_options;


/* memory; without memory the program ends */

void *ctl_alloc(size_t size);

/* room for one more than "n", doubled at each power of two */
void *ctl_grow(void *array, ngx_uint_t n, size_t size);
char *ctl_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));


/* text and times */

/* returns text for a terminal: control characters and bad UTF-8 as \xNN */
char *ctl_safe(const u_char *data, size_t len);

/* the same, as a JSON string */
json_t *ctl_json(const u_char *data, size_t len);

/* a date as npm prints it: of "seconds" since the epoch, and of now */
char *ctl_date(int64_t seconds, long milliseconds);
char *ctl_now(void);


/* output */

void ctl_die(int code, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void ctl_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* prints the value, and frees it */
void ctl_print_json(json_t *json);

/* adds a row to the table, and prints all rows; an empty cell is "-" */
void ctl_row(const char **cells, ngx_uint_t n);
void ctl_print_rows(void);

void ctl_print_qr(const char *text);
void ctl_progress(const char *what, size_t done, size_t total);
void ctl_progress_done(void);


/* input of a person */

/* asks for a new password, twice on a terminal; never an argument */
ngx_str_t ctl_new_password(const char *name);
void ctl_confirm(const char *question);

/* the first line of the standard input */
ngx_str_t ctl_read_line(void);


/* Redis */

typedef struct {
    const char          **data;
    size_t               *len;
    ngx_uint_t            n;
} ctl_args_t;


void ctl_connect(void);

/* the URL without user and password, and the number of its database */
const char *ctl_redis_url(void);
int ctl_redis_db(void);

void ctl_arg(ctl_args_t *args, const void *data, size_t len);
void ctl_arg_text(ctl_args_t *args, const char *text);
void ctl_arg_pair(ctl_args_t *args, const char *name, const char *value);

/* returns the prefix of the keys, escaped as in a pattern */
char *ctl_prefix_pattern(void);

/* returns a key: prefix, kind, name */
char *ctl_key(const char *kind, const u_char *name, size_t len);

/* the same, with the name of an account, which it folds */
ngx_str_t ctl_account_key(const char *kind, const char *name);

/* returns a text as ngx_str_t; NULL becomes an empty text */
ngx_str_t ctl_str(const char *text);

/* send a command; an error reply ends the program */
redisReply *ctl_command(ctl_args_t *args);
redisReply *ctl_do(const char *format, ...);

/* as ctl_do(), but an error reply is returned */
redisReply *ctl_try(const char *format, ...);

/* queues a command; call ctl_reply() once for each */
void ctl_append(ctl_args_t *args);
redisReply *ctl_reply(void);
void ctl_refused(redisReply *reply);

/* writes the arguments of a change; "write" is the function of its script */
void ctl_script(ctl_args_t *args, npmtoken_change_t *change,
    void (*write)(npmtoken_change_t *change));

/* begins the arguments of a script; add the keys and arguments after it */
void ctl_script_begin(ctl_args_t *args, ngx_str_t *script);

/* runs a script, and returns its status */
const char *ctl_status(ctl_args_t *args);

/* the same for a change */
const char *ctl_change(npmtoken_change_t *change,
    void (*write)(npmtoken_change_t *change));

/* waits for replicas; returns 0, or one more than the replicas that have it */
ngx_uint_t ctl_wait(void);
void ctl_wait_or_die(void);


/* records */

typedef struct {
    ngx_str_t             name;       /* the key without prefix and kind */
    redisReply           *hash;       /* or an error reply, or NULL */
} ctl_item_t;


typedef struct {
    ctl_item_t           *items;
    ngx_uint_t            n;
} ctl_items_t;


/* returns 1 to keep the hash */
typedef ngx_uint_t (*ctl_keep_pt)(ngx_str_t *name, redisReply *hash,
    const void *data);

/* finds all keys of a kind, sorted by name; keeps the hashes "keep" wants */
void ctl_scan(const char *kind, ctl_keep_pt keep, const void *data,
    ctl_items_t *items);

/* returns the value of a field; its data is NULL if the field is absent */
ngx_str_t ctl_value(redisReply *hash, const char *field);

/* returns the fields of a reply, for the core to parse */
npmtoken_field_t *ctl_fields(redisReply *hash, ngx_uint_t *n);

/* ends the program if this is no valid name of an account */
void ctl_check_name(const char *name);

/*
 * Returns an account's name as its owner spells it, from the heap.  Without
 * such an account returns the name as given.
 */
char *ctl_spelling(const char *name);

/*
 * Returns why nginx would reject a record that is to be written, from the
 * heap, or NULL if the record is good.
 */
char *ctl_record_fault(ctl_args_t *record);

/* fills in the change that creates a record (field, value, ...) of a user */
void ctl_record_change(npmtoken_change_t *change, const char *user,
    u_char *key, ctl_args_t *record);

/* returns the field "token", cut to the NPMTOKEN_TOKEN_SHOWN bytes of a list */
ngx_str_t ctl_shown(redisReply *hash);


/* commands; each returns an exit code */

int ctl_user_add(char **argv, ngx_uint_t n);
int ctl_user_passwd(char **argv, ngx_uint_t n);
int ctl_user_lock(char **argv, ngx_uint_t n);
int ctl_user_unlock(char **argv, ngx_uint_t n);
int ctl_user_tfa_enable(char **argv, ngx_uint_t n);
int ctl_user_tfa_disable(char **argv, ngx_uint_t n);
int ctl_user_list(char **argv, ngx_uint_t n);
int ctl_user_show(char **argv, ngx_uint_t n);
int ctl_user_fold(char **argv, ngx_uint_t n);
int ctl_token_list(char **argv, ngx_uint_t n);
int ctl_token_show(char **argv, ngx_uint_t n);
int ctl_token_create(char **argv, ngx_uint_t n);
int ctl_token_revoke(char **argv, ngx_uint_t n);
int ctl_import(char **argv, ngx_uint_t n);
int ctl_check(char **argv, ngx_uint_t n);
int ctl_init(char **argv, ngx_uint_t n);


#endif /* _NPMTOKENCTL_H_INCLUDED_ */
