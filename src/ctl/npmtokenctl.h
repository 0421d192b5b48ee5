
/*
 * The tool of the operator: what its parts share.
 *
 * It is one process for one command, so what goes wrong ends it (ctl_die),
 * and what it allocates is freed by that end.
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
#define CTL_BAD           1     /* found bad, not found, is there already */
#define CTL_USAGE         2
#define CTL_REDIS         3     /* not reachable, or it refused */
#define CTL_UNREPLICATED  4     /* done, but not on as many replicas */


/* an option that takes a value is NULL if it is not given */

typedef struct {
    const char           *redis;
    const char           *environment;   /* NPMTOKEN_REDIS */
    const char           *redis_user;
    const char           *redis_password_file;
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
} ctl_options_t;


extern ctl_options_t  ctl_options;


/* memory; where there is none, the program ends */

void *ctl_alloc(size_t size);

/* room for one more than "n", doubled at each power of two */
void *ctl_grow(void *array, ngx_uint_t n, size_t size);
char *ctl_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));


/* text and times */

/* for a terminal: control characters and what is no UTF-8 as \xNN */
char *ctl_safe(const u_char *data, size_t len);

/* the same as a value of JSON */
json_t *ctl_json(const u_char *data, size_t len);

/* now, as npm prints it, and "seconds" */
char *ctl_date(int64_t seconds, long milliseconds);
char *ctl_now(void);


/* output */

void ctl_die(int code, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void ctl_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* prints, and frees */
void ctl_print_json(json_t *json);

/* a table, row by row; "-" for an empty cell */
void ctl_row(const char **cells, ngx_uint_t n);
void ctl_print_rows(void);

void ctl_print_qr(const char *text);
void ctl_progress(const char *what, size_t done, size_t total);
void ctl_progress_done(void);


/* what a person types */

/* a new password, twice if it is typed; never on the command line */
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

void ctl_arg(ctl_args_t *args, const void *data, size_t len);
void ctl_arg_text(ctl_args_t *args, const char *text);
void ctl_arg_pair(ctl_args_t *args, const char *name, const char *value);

/* PREFIX KIND NAME */
char *ctl_key(const char *kind, const u_char *name, size_t len);

/* the same; the name is folded, as that of an account is in each key */
ngx_str_t ctl_account_key(const char *kind, const char *name);

/* a text as nginx has it; what is NULL is empty */
ngx_str_t ctl_str(const char *text);

/* an error reply ends the program */
redisReply *ctl_command(ctl_args_t *args);
redisReply *ctl_do(const char *format, ...);

/* as ctl_do(), but an error reply is returned */
redisReply *ctl_try(const char *format, ...);

/* queued; one ctl_reply() for each */
void ctl_append(ctl_args_t *args);
redisReply *ctl_reply(void);
void ctl_refused(redisReply *reply);

/* the arguments of a change; "write" is the function of its script */
void ctl_script(ctl_args_t *args, npmtoken_change_t *change,
    void (*write)(npmtoken_change_t *change));

/* begins those of another script; then keys and arguments follow */
void ctl_script_begin(ctl_args_t *args, ngx_str_t *script);

/* the status that a script returned */
const char *ctl_status(ctl_args_t *args);

/* the same of a change */
const char *ctl_change(npmtoken_change_t *change,
    void (*write)(npmtoken_change_t *change));

/* waits for the replicas: 0, or how many have it and one */
ngx_uint_t ctl_wait(void);
void ctl_wait_or_die(void);


/* records */

typedef struct {
    ngx_str_t             name;       /* of the key, without prefix, kind */
    redisReply           *hash;       /* or an error, or NULL */
} ctl_item_t;


typedef struct {
    ctl_item_t           *items;
    ngx_uint_t            n;
} ctl_items_t;


/* 1: the hash is kept */
typedef ngx_uint_t (*ctl_keep_pt)(ngx_str_t *name, redisReply *hash,
    const void *data);

/* all keys of a kind, sorted by name; hashes only of those to be kept */
void ctl_scan(const char *kind, ctl_keep_pt keep, const void *data,
    ctl_items_t *items);

/* a field's value; an empty string with NULL data if it is not there */
ngx_str_t ctl_value(redisReply *hash, const char *field);

/* fields of a reply, for the core to parse */
npmtoken_field_t *ctl_fields(redisReply *hash, ngx_uint_t *n);

/* a name of an account, or the end */
void ctl_check_name(const char *name);

/* an account's name as it is spelt, from the heap; as it is if there is none */
char *ctl_spelling(const char *name);

/*
 * What those who enforce a record would find bad in one that is to be
 * written, from the heap; NULL: nothing
 */
char *ctl_record_fault(ctl_args_t *record);

/* the change that makes a record, field, value, ..., of that user */
void ctl_record_change(npmtoken_change_t *change, const char *user,
    u_char *key, ctl_args_t *record);

/* "token" of a list: a true prefix, and no more of it than that */
ngx_str_t ctl_shown(redisReply *hash);


/* commands: exit codes */

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
int ctl_token_create(char **argv, ngx_uint_t n);
int ctl_token_revoke(char **argv, ngx_uint_t n);
int ctl_import(char **argv, ngx_uint_t n);
int ctl_check(char **argv, ngx_uint_t n);


#endif /* _NPMTOKENCTL_H_INCLUDED_ */
