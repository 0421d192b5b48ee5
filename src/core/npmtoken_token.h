
/*
 * Tokens of npm's form: "npm_", a body of 30 base62 characters, and the CRC-32
 * of the body as 6 base62 characters.
 */


#ifndef _NPMTOKEN_TOKEN_H_INCLUDED_
#define _NPMTOKEN_TOKEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NPMTOKEN_TOKEN_LEN     40

#define NPMTOKEN_CODE_LEN      9

/* how much of a token a list shows; it must be a prefix, since npm finds a
   token by it */
#define NPMTOKEN_TOKEN_SHOWN   8


/*
 * Writes a new token of NPMTOKEN_TOKEN_LEN bytes (no NUL) to "token".  The
 * body is from the system's CSPRNG; all characters are equally likely.
 */
void npmtoken_token_make(u_char *token);

/*
 * Writes "len" random base62 characters (no NUL) to "secret", from the system's
 * CSPRNG.
 */
void npmtoken_token_secret(u_char *secret, size_t len);

/*
 * Writes a random code for people to compare to "code", NPMTOKEN_CODE_LEN bytes
 * (no NUL), such as "BCDF-GHJK": letters that make no word and are not mistaken
 * for each other (RFC 8628, 6.1).
 */
void npmtoken_token_code(u_char *code);

/*
 * NGX_OK: the token has npm's form and the right checksum.  NGX_ERROR: it
 * begins with "npm_", but has another form or checksum.  NGX_DECLINED: it is
 * another kind of token.
 */
ngx_int_t npmtoken_token_check(ngx_str_t *token);


#endif /* _NPMTOKEN_TOKEN_H_INCLUDED_ */
