
/*
 * Fields of the hash "user:<name>" -> account.
 */


#ifndef _NPMTOKEN_ACCOUNT_H_INCLUDED_
#define _NPMTOKEN_ACCOUNT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_record.h"


#define NPMTOKEN_EMAIL_MAX     254
#define NPMTOKEN_FULLNAME_MAX  200


typedef enum {
    NPMTOKEN_TFA_OFF = 0,
    NPMTOKEN_TFA_AUTH_ONLY,        /* wherever a password is asked for */
    NPMTOKEN_TFA_AUTH_AND_WRITES   /* and on every write */
} npmtoken_tfa_e;


/*
 * The texts point into the fields that the account was parsed from.
 *
 *   field         what it is                            absent means
 *   name          the name as its owner spells it       as in the key
 *   password      hash of the password                  another registry
 *                                                       knows it
 *   email         address of the person                 none
 *   fullname      name of the person                    none
 *   created       when the account was made             not known
 *   updated       when it was last changed              not known
 *   tfa           mode of the second factor             off
 *   totp          its secret                            off
 *   tfa_pending   a mode not yet confirmed              none
 *   totp_pending  a secret not yet confirmed            none
 *   totp_used     last step (30 s) whose code was used  none
 *   totp_used_by  key of the token that may repeat it   none
 *   recovery      SHA-256 of unused recovery codes      none
 *   locked        whether nobody logs in                false
 *   x_...         anything of the operator's
 *
 * npmtoken_account_form() returns the form of each.
 */

typedef struct {
    ngx_str_t             name;
    ngx_str_t             password;
    ngx_str_t             email;
    ngx_str_t             fullname;
    ngx_str_t             created;
    ngx_str_t             updated;
    ngx_str_t             totp;
    ngx_str_t             totp_pending;
    ngx_str_t             recovery;
    npmtoken_tfa_e        tfa;
    npmtoken_tfa_e        tfa_pending;
    int64_t               totp_used;     /* -1: none */
    unsigned              locked:1;
} npmtoken_account_t;


/*
 * Parses the fields of an account.  Returns NULL, or the first bad field; then
 * the account must not be used.  A field is bad if it does not parse, or is not
 * known and does not begin with "x_".  "tfa" without "totp", or "totp" without
 * "tfa", is bad too; so is one of the two pending fields without the other.
 * This way no account loses its second factor by mistake.  The caller has to
 * compare "name" with the key by npmtoken_account_same().
 */
npmtoken_field_t *npmtoken_account_parse(npmtoken_account_t *account,
    npmtoken_field_t *fields, ngx_uint_t nfields);

/*
 * Returns the form of a field, in words that may follow "it has to be".  The
 * text is a constant.  Returns NULL if there is no such field.
 */
char *npmtoken_account_form(ngx_str_t *name);

/*
 * Returns 1 if an account may have this name, else 0.  A name has 1 to
 * NPMTOKEN_USER_MAX letters, digits and "-._~@+", and does not begin with "."
 * or "-".  Paths, headers, logs and keys contain it unescaped.
 */
ngx_uint_t npmtoken_account_is_name(ngx_str_t *name);

/*
 * Folds a name: turns ASCII letters into lower case.  Two names that differ
 * only in case are one account, and its key has the folded name.  Writes
 * name->len bytes to "buf", which may be name->data, and returns them.  Any
 * text may be folded.
 */
ngx_str_t npmtoken_account_fold(ngx_str_t *name, u_char *buf);

/* Returns 1 if both names are of one account, else 0. */
ngx_uint_t npmtoken_account_same(ngx_str_t *one, ngx_str_t *two);

/* Return 1 if the value has the form of its field, else 0. */
ngx_uint_t npmtoken_account_is_email(ngx_str_t *email);
ngx_uint_t npmtoken_account_is_fullname(ngx_str_t *fullname);

/*
 * Parses a mode into "tfa".  Returns NGX_OK, or NGX_DECLINED if the text is no
 * mode; "off" is none.
 */
ngx_int_t npmtoken_account_tfa(ngx_str_t *text, npmtoken_tfa_e *tfa);

/* Returns a constant: "auth-only", "auth-and-writes", or "" for off. */
ngx_str_t *npmtoken_account_tfa_name(npmtoken_tfa_e tfa);


#endif /* _NPMTOKEN_ACCOUNT_H_INCLUDED_ */
