
/*
 * A token as npm makes them: "npm_", a body of 30 base62 characters, and 6
 * that are the CRC-32 of the body in base62.
 */


#ifndef _NPMTOKEN_TOKEN_H_INCLUDED_
#define _NPMTOKEN_TOKEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NPMTOKEN_TOKEN_LEN     40

/* of a token, what a list of tokens shows: a true prefix, since npm finds a
   token by it */
#define NPMTOKEN_TOKEN_SHOWN   8


/*
 * Writes a new token of NPMTOKEN_TOKEN_LEN bytes (no NUL) to "token", from
 * the system's CSPRNG, each character as likely as any other.
 */
void npmtoken_token_make(u_char *token);

/*
 * NGX_OK: npm's prefix and a checksum that is right.  NGX_ERROR: npm's
 * prefix, and what follows is not 36 base62 characters with the right
 * checksum.  NGX_DECLINED: another kind of token.
 */
ngx_int_t npmtoken_token_check(ngx_str_t *token);


#endif /* _NPMTOKEN_TOKEN_H_INCLUDED_ */
