
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

/* a recovery code is 64 hex digits: npm's prompt accepts only these or six
   digits; its hash is hex SHA-256, as long */
#define NPMTOKEN_RECOVERY_LEN       64
#define NPMTOKEN_RECOVERY_CODES     5


/* Once per process, before any other thread.  NGX_OK or NGX_ERROR. */
ngx_int_t npmtoken_otp_init(void);

/* Writes NPMTOKEN_OTP_SECRET_LEN characters to "secret": NGX_OK, NGX_ERROR */
ngx_int_t npmtoken_otp_secret(u_char *secret);

/*
 * Returns the step that the code belongs to: that of "now" (seconds since the
 * epoch), the one before, or the one after.  Steps up to and including "used"
 * (-1: none) do not count, since a code is good once, and no older one is good
 * after it.  The caller must write the step down before it lets anybody in
 * (npmtoken_script_otp).
 *
 * NGX_DECLINED: the code belongs to none of them, or is not six digits.
 * NGX_ERROR: the secret is not valid.
 */
int64_t npmtoken_otp_verify(ngx_str_t *secret, ngx_str_t *code, int64_t now,
    int64_t used);

/*
 * Returns 1 if this is base32 (upper case, no padding) of 10 to 64 bytes, else
 * 0.
 */
ngx_uint_t npmtoken_otp_is_secret(ngx_str_t *secret);

/* Returns 1 if it has the form of a recovery code (in any case), else 0. */
ngx_uint_t npmtoken_otp_is_recovery(ngx_str_t *code);

/* Writes a new code of NPMTOKEN_RECOVERY_LEN lower-case digits to "code". */
void npmtoken_otp_recovery(u_char *code);

/*
 * Writes the hash of a code, NPMTOKEN_RECOVERY_LEN lower-case digits: SHA-256
 * of its digits in lower case.  NGX_OK, or NGX_ERROR.
 */
ngx_int_t npmtoken_otp_recovery_hash(ngx_str_t *code, u_char *hash);

/*
 * Writes the URL that an authenticator reads, otpauth://totp/ISSUER:NAME?...,
 * percent-encoded where it must be.  The issuer may be empty.  "buf" is of
 * npmtoken_otp_url_size() bytes.  Returns the end of the URL.
 */
size_t npmtoken_otp_url_size(ngx_str_t *issuer, ngx_str_t *name);
u_char *npmtoken_otp_url(u_char *buf, ngx_str_t *issuer, ngx_str_t *name,
    ngx_str_t *secret);


#endif /* _NPMTOKEN_OTP_H_INCLUDED_ */
