
/*
 * Passwords, by crypt(3).  Hashing is slow on purpose: never do it in an event
 * loop.  All functions may run in any thread.
 */


#ifndef _NPMTOKEN_PASSWORD_H_INCLUDED_
#define _NPMTOKEN_PASSWORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes; crypt(3) itself takes less than 512.  The minimum is for new passwords
   only: another system may have hashed a shorter one. */
#define NPMTOKEN_PASSWORD_MIN       8
#define NPMTOKEN_PASSWORD_MAX       256

/* the longest hash, with its NUL: CRYPT_OUTPUT_SIZE */
#define NPMTOKEN_PASSWORD_HASH_MAX  384


/*
 * Returns 1 if this may become the password of an account, 0 if it is too
 * short, too long, or has a NUL.
 */
ngx_uint_t npmtoken_password_is_allowed(ngx_str_t *password);

/*
 * Writes the yescrypt hash of a password, and a NUL, to "hash" of
 * NPMTOKEN_PASSWORD_HASH_MAX bytes.  Returns its length, or NGX_ERROR if there
 * is no memory or the password is not valid.
 */
ssize_t npmtoken_password_hash(ngx_str_t *password, u_char *hash);

/*
 * NGX_OK: the password is right.  NGX_DECLINED: it is wrong.  NGX_ERROR: the
 * hash is not valid, or there is no memory.
 *
 * An empty hash stands for an account that does not exist: a new hash is made
 * and the password is wrong, so the time does not tell which accounts exist.
 * A password that is empty, too long, or has a NUL is wrong at once, whatever
 * the hash: crypt(3) would ignore what follows the NUL.
 */
ngx_int_t npmtoken_password_verify(ngx_str_t *password, ngx_str_t *hash);

/*
 * Returns 1 if this begins like a hash of a current method that crypt(3) can
 * verify (yescrypt, scrypt, bcrypt, SHA-512), else 0.
 */
ngx_uint_t npmtoken_password_is_hash(ngx_str_t *hash);

/*
 * Returns 1 if a valid hash is of another method than npmtoken_password_hash()
 * makes, or of the same with a lower cost; else 0.
 */
ngx_uint_t npmtoken_password_outdated(ngx_str_t *hash);


#endif /* _NPMTOKEN_PASSWORD_H_INCLUDED_ */
