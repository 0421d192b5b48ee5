
/*
 * One-time passwords: TOTP (RFC 6238: SHA-1, 6 digits, 30 seconds), and
 * recovery codes.
 */


#ifndef _NPMTOKEN_OTP_H_INCLUDED_
#define _NPMTOKEN_OTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* base32 of 20 bytes; of 64 */
#define NPMTOKEN_OTP_SECRET_LEN     32
#define NPMTOKEN_OTP_SECRET_MAX     103

#define NPMTOKEN_OTP_STEP           30

/* a recovery code: hex digits, since npm's prompt takes nothing else but six
   digits; and its hash, hex SHA-256 */
#define NPMTOKEN_RECOVERY_LEN       64
#define NPMTOKEN_RECOVERY_CODES     5


/* Once per process, before any other thread.  NGX_OK or NGX_ERROR. */
ngx_int_t npmtoken_otp_init(void);

/* Writes NPMTOKEN_OTP_SECRET_LEN characters to "secret": NGX_OK, NGX_ERROR */
ngx_int_t npmtoken_otp_secret(u_char *secret);

/*
 * The step whose code this is: the one before that of "now" (seconds since
 * the epoch), now's own, or the one after.  Steps up to and including "used"
 * (-1: none) are none of them, since a code is good once, and so is each that
 * is older than one used.  Whoever lets somebody in by a step writes it down
 * first (npmtoken_script_otp).
 * NGX_DECLINED: none, or it is not six digits.  NGX_ERROR: the secret is not
 * valid.
 */
int64_t npmtoken_otp_verify(ngx_str_t *secret, ngx_str_t *code, int64_t now,
    int64_t used);

/* NGX_OK if it is base32 (upper case, no padding) of a secret of 10 to 64
   bytes, NGX_DECLINED if not */
ngx_int_t npmtoken_otp_secret_valid(ngx_str_t *secret);

/* NGX_OK: it has the form of a recovery code (digits of any case) */
ngx_int_t npmtoken_otp_is_recovery(ngx_str_t *code);

/* Writes a new code of NPMTOKEN_RECOVERY_LEN lower-case digits to "code". */
void npmtoken_otp_recovery(u_char *code);

/*
 * Writes the hash of a code, NPMTOKEN_RECOVERY_LEN lower-case digits: SHA-256
 * of its digits in lower case.  NGX_OK, or NGX_ERROR.
 */
ngx_int_t npmtoken_otp_recovery_hash(ngx_str_t *code, u_char *hash);

/*
 * The line that an authenticator takes, otpauth://totp/ISSUER:NAME?..., with
 * everything percent-encoded that has to be.  The issuer may be empty.  "buf"
 * is of npmtoken_otp_url_size() bytes.  Returns the end of what was written.
 */
size_t npmtoken_otp_url_size(ngx_str_t *issuer, ngx_str_t *name);
u_char *npmtoken_otp_url(u_char *buf, ngx_str_t *issuer, ngx_str_t *name,
    ngx_str_t *secret);


#endif /* _NPMTOKEN_OTP_H_INCLUDED_ */
