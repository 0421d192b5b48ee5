
/*
 * token -> key.
 */


#ifndef _NPMTOKEN_DIGEST_H_INCLUDED_
#define _NPMTOKEN_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* lowercase hex SHA-512: npm's own "key" of a token */
#define NPMTOKEN_KEY_LEN        128

/* the only form of a key that appears in prose */
#define NPMTOKEN_SHORT_KEY_LEN  8


/*
 * Writes NPMTOKEN_KEY_LEN hex digits (no NUL) of the token to "key".
 * Returns NGX_OK, or NGX_ERROR if libcrypto cannot (no memory, no SHA-512).
 */
ngx_int_t npmtoken_digest_key(ngx_str_t *token, u_char *key);


#endif /* _NPMTOKEN_DIGEST_H_INCLUDED_ */
