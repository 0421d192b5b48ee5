
/*
 * token -> key, tag.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/evp.h>
#include <sodium/crypto_shorthash_siphash24.h>
#include "npmtoken_digest.h"


#define NPMTOKEN_DIGEST_LEN  64


static const EVP_MD *npmtoken_digest_method(void);


ngx_int_t
npmtoken_digest_key(ngx_str_t *token, u_char *key)
{
    u_char         digest[NPMTOKEN_DIGEST_LEN];
    const EVP_MD  *md;

    md = npmtoken_digest_method();

    if (md == NULL
        || EVP_MD_size(md) != NPMTOKEN_DIGEST_LEN
        || EVP_Digest(token->data, token->len, digest, NULL, md, NULL) != 1)
    {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(key, digest, NPMTOKEN_DIGEST_LEN);

    return NGX_OK;
}


static const EVP_MD *
npmtoken_digest_method(void)
{
#if (OPENSSL_VERSION_NUMBER >= 0x30000000L)

    static EVP_MD  *md;

    /*
     * With EVP_sha512() each digest would search the providers.  The method
     * is fetched once per process and never freed.
     */

    if (md == NULL) {
        md = EVP_MD_fetch(NULL, "SHA512", NULL);
    }

    return md;

#else

    return EVP_sha512();

#endif
}


void
npmtoken_digest_tag(ngx_str_t *token, u_char *secret, u_char *tag)
{
    (void) crypto_shorthash_siphashx24(tag, token->data, token->len, secret);
}
