
/*
 * token -> key, tag.
 */


#ifndef _NPMTOKEN_DIGEST_H_INCLUDED_
#define _NPMTOKEN_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* lowercase hex SHA-512: npm's own "key" of a token */
#define NPMTOKEN_KEY_LEN        128

/* the only part of a key that appears in logs and answers */
#define NPMTOKEN_SHORT_KEY_LEN  8


/* finds a token in the cache without the cost of SHA-512 */
#define NPMTOKEN_TAG_LEN        16

/* the length of the secret that tags are made with */
#define NPMTOKEN_SECRET_LEN     16


/*
 * Writes NPMTOKEN_KEY_LEN hex digits (no NUL) of the token to "key".
 * Returns NGX_OK, or NGX_ERROR if libcrypto cannot (no memory, no SHA-512).
 */
ngx_int_t npmtoken_digest_key(ngx_str_t *token, u_char *key);

/*
 * Writes NPMTOKEN_TAG_LEN bytes to "tag": SipHash-2-4 with 128 bits.  Nobody
 * who does not know the secret can find two tokens with the same tag.
 */
void npmtoken_digest_tag(ngx_str_t *token, u_char *secret, u_char *tag);


#endif /* _NPMTOKEN_DIGEST_H_INCLUDED_ */
