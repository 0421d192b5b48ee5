
/*
 * Passwords, by crypt(3).  Slow by intention: never on an event loop.  All
 * functions may run in any thread.
 */


#ifndef _NPMTOKEN_PASSWORD_H_INCLUDED_
#define _NPMTOKEN_PASSWORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes; crypt(3) itself takes less than 512.  The least is for new ones:
   what another system has hashed may be shorter. */
#define NPMTOKEN_PASSWORD_MIN       8
#define NPMTOKEN_PASSWORD_MAX       256

/* the longest hash, with its NUL: CRYPT_OUTPUT_SIZE */
#define NPMTOKEN_PASSWORD_HASH_MAX  384


/*
 * NGX_OK: it may be the new password of an account.  NGX_DECLINED: it is too
 * short or too long, or has a NUL in it.
 */
ngx_int_t npmtoken_password_valid(ngx_str_t *password);

/*
 * Writes the yescrypt hash of a password, and a NUL, to "hash" of
 * NPMTOKEN_PASSWORD_HASH_MAX bytes.  Returns its length, or NGX_ERROR: there
 * is no memory, or the password is not valid.
 */
ssize_t npmtoken_password_hash(ngx_str_t *password, u_char *hash);

/*
 * NGX_OK: it is the password.  NGX_DECLINED: it is not.  NGX_ERROR: the hash
 * is not one that is valid, or there is no memory.  Without a hash (an empty
 * one) the time of a new one is spent, and the password is wrong: nobody
 * learns by a clock which accounts there are.  A password that is empty, too
 * long, or has a NUL in it (crypt(3) would look at what is before it alone)
 * is wrong at once, whatever the hash.
 */
ngx_int_t npmtoken_password_verify(ngx_str_t *password, ngx_str_t *hash);

/*
 * NGX_OK: it begins as a hash does that crypt(3) can verify, by a method that
 * is not of the past: yescrypt, scrypt, bcrypt, SHA-512.  Else NGX_DECLINED.
 */
ngx_int_t npmtoken_password_hash_valid(ngx_str_t *hash);


#endif /* _NPMTOKEN_PASSWORD_H_INCLUDED_ */
