
/*
 * Tokens as npm makes them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sodium/randombytes.h>
#include "npmtoken_token.h"


#define NPMTOKEN_TOKEN_PREFIX        "npm_"
#define NPMTOKEN_TOKEN_PREFIX_LEN    (sizeof(NPMTOKEN_TOKEN_PREFIX) - 1)
#define NPMTOKEN_TOKEN_BODY_LEN      30
#define NPMTOKEN_TOKEN_CHECKSUM_LEN  6


_Static_assert(NPMTOKEN_TOKEN_PREFIX_LEN + NPMTOKEN_TOKEN_BODY_LEN
               + NPMTOKEN_TOKEN_CHECKSUM_LEN
               == NPMTOKEN_TOKEN_LEN,
               "the parts of a token do not add up to the whole");


static ngx_uint_t npmtoken_token_base62(u_char ch);
static void npmtoken_token_checksum(u_char *body, u_char *checksum);


static u_char  npmtoken_token_digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";


void
npmtoken_token_make(u_char *token)
{
    u_char  *body;

    body = ngx_cpymem(token, NPMTOKEN_TOKEN_PREFIX, NPMTOKEN_TOKEN_PREFIX_LEN);

    npmtoken_token_secret(body, NPMTOKEN_TOKEN_BODY_LEN);
    npmtoken_token_checksum(body, body + NPMTOKEN_TOKEN_BODY_LEN);
}


void
npmtoken_token_secret(u_char *secret, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        secret[i] = npmtoken_token_digits[randombytes_uniform(62)];
    }
}


void
npmtoken_token_code(u_char *code)
{
    size_t  i;

    static u_char  letters[] = "BCDFGHJKLMNPQRSTVWXZ";

    for (i = 0; i < NPMTOKEN_CODE_LEN; i++) {
        code[i] = (i == NPMTOKEN_CODE_LEN / 2)
                  ? '-' : letters[randombytes_uniform(sizeof(letters) - 1)];
    }
}


ngx_int_t
npmtoken_token_check(ngx_str_t *token)
{
    u_char      *body;
    u_char       checksum[NPMTOKEN_TOKEN_CHECKSUM_LEN];
    ngx_uint_t   i;

    if (token->len < NPMTOKEN_TOKEN_PREFIX_LEN
        || ngx_memcmp(token->data, NPMTOKEN_TOKEN_PREFIX,
                      NPMTOKEN_TOKEN_PREFIX_LEN)
           != 0)
    {
        return NGX_DECLINED;
    }

    if (token->len != NPMTOKEN_TOKEN_LEN) {
        return NGX_ERROR;
    }

    body = token->data + NPMTOKEN_TOKEN_PREFIX_LEN;

    for (i = 0; i < NPMTOKEN_TOKEN_BODY_LEN; i++) {
        if (!npmtoken_token_base62(body[i])) {
            return NGX_ERROR;
        }
    }

    npmtoken_token_checksum(body, checksum);

    if (ngx_memcmp(body + NPMTOKEN_TOKEN_BODY_LEN, checksum,
                   NPMTOKEN_TOKEN_CHECKSUM_LEN)
        != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
npmtoken_token_base62(u_char ch)
{
    return (ch >= '0' && ch <= '9')
           || (ch >= 'A' && ch <= 'Z')
           || (ch >= 'a' && ch <= 'z');
}


/* the checksum covers the body alone; six digits hold any CRC-32 */

static void
npmtoken_token_checksum(u_char *body, u_char *checksum)
{
    uint32_t    crc;
    ngx_uint_t  i;

    crc = ngx_crc32_long(body, NPMTOKEN_TOKEN_BODY_LEN);

    for (i = NPMTOKEN_TOKEN_CHECKSUM_LEN; i-- > 0; /* void */ ) {
        checksum[i] = npmtoken_token_digits[crc % 62];
        crc /= 62;
    }
}
