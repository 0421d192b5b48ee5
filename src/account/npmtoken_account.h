
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
 * The slices are those of the fields that the account was made from.
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
 * npmtoken_account_form() has the form of each.
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
 * Returns NULL, or the first field that does not parse or is not known (and
 * does not begin with "x_"): the account cannot be used then, and what is in
 * it counts for nothing.  "tfa" without "totp" or the other way round is bad
 * too, as is one of the pending two: never is an account without its second
 * factor by mistake.  Whether "name" is one of the account's key is for the
 * caller to see, who knows the key: npmtoken_account_same().
 */
npmtoken_field_t *npmtoken_account_parse(npmtoken_account_t *account,
    npmtoken_field_t *fields, ngx_uint_t nfields);

/*
 * What a value of the field of that name has to be, in words that may follow
 * "it has to be": a constant.  NULL if there is no such field.
 */
char *npmtoken_account_form(ngx_str_t *name);

/*
 * NGX_OK for a name that an account may have: 1 to NPMTOKEN_USER_MAX of
 * letters, digits and "-._~@+", not beginning with "." or "-".  It stands in
 * paths, headers, logs and keys as it is.  NGX_DECLINED for any other.
 */
ngx_int_t npmtoken_account_name(ngx_str_t *name);

/*
 * Two names that differ in case alone are one account: its key has the folded
 * one, small letters of ASCII.  Writes name->len bytes to "buf", which may be
 * that of the name, and returns them; any text may be folded.
 */
ngx_str_t npmtoken_account_fold(ngx_str_t *name, u_char *buf);

/* NGX_OK if these are names of one account, else NGX_DECLINED. */
ngx_int_t npmtoken_account_same(ngx_str_t *one, ngx_str_t *two);

/* NGX_OK or NGX_DECLINED, as the table above has it */
ngx_int_t npmtoken_account_email(ngx_str_t *email);
ngx_int_t npmtoken_account_fullname(ngx_str_t *fullname);

/* NGX_OK, and the mode; or NGX_DECLINED ("off" is none of them) */
ngx_int_t npmtoken_account_tfa(ngx_str_t *text, npmtoken_tfa_e *tfa);

/* "auth-only", "auth-and-writes", or "" */
ngx_str_t *npmtoken_account_tfa_name(npmtoken_tfa_e tfa);


#endif /* _NPMTOKEN_ACCOUNT_H_INCLUDED_ */
