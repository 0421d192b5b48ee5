
/*
 * One-time passwords, by liboath.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <liboath/oath.h>
#include <openssl/evp.h>
#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include "npmtoken_otp.h"


#define NPMTOKEN_OTP_DIGITS       6

/* of a secret, in bytes */
#define NPMTOKEN_OTP_BYTES        20
#define NPMTOKEN_OTP_BYTES_MIN    10
#define NPMTOKEN_OTP_BYTES_MAX    64


static ngx_int_t npmtoken_otp_decode(ngx_str_t *secret, char **key,
    size_t *len);
static void npmtoken_otp_free(char *data, size_t len);
static ngx_uint_t npmtoken_otp_is_digits(ngx_str_t *code);


ngx_int_t
npmtoken_otp_init(void)
{
    if (sodium_init() < 0 || oath_init() != OATH_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
npmtoken_otp_secret(u_char *secret)
{
    char       bytes[NPMTOKEN_OTP_BYTES], *text;
    size_t     len;
    ngx_int_t  rc;

    randombytes_buf(bytes, sizeof(bytes));

    rc = NGX_ERROR;

    if (oath_base32_encode(bytes, sizeof(bytes), &text, &len) == OATH_OK) {

        if (len == NPMTOKEN_OTP_SECRET_LEN) {
            ngx_memcpy(secret, text, len);
            rc = NGX_OK;
        }

        npmtoken_otp_free(text, len);
    }

    ngx_explicit_memzero(bytes, sizeof(bytes));

    return rc;
}


int64_t
npmtoken_otp_verify(ngx_str_t *secret, ngx_str_t *code, int64_t now,
    int64_t used)
{
    char     *key, otp[NPMTOKEN_OTP_DIGITS + 1];
    size_t    len;
    int64_t   step, current, found;

    if (npmtoken_otp_decode(secret, &key, &len) != NGX_OK) {
        return NGX_ERROR;
    }

    found = NGX_DECLINED;
    current = now / NPMTOKEN_OTP_STEP;

    if (!npmtoken_otp_is_digits(code)) {
        goto done;
    }

    /*
     * All three steps are always compared.  If two of them have the same
     * code, the later one counts: else the code could be used once more.
     */

    for (step = ngx_max(current - 1, 0); step <= current + 1; step++) {

        if (oath_hotp_generate(key, len, step, NPMTOKEN_OTP_DIGITS, false,
                               OATH_HOTP_DYNAMIC_TRUNCATION, otp)
            != OATH_OK)
        {
            found = NGX_ERROR;
            break;
        }

        if (sodium_memcmp(otp, code->data, NPMTOKEN_OTP_DIGITS) == 0
            && step > used)
        {
            found = step;
        }
    }

    ngx_explicit_memzero(otp, sizeof(otp));

done:

    npmtoken_otp_free(key, len);

    return found;
}


ngx_uint_t
npmtoken_otp_is_secret(ngx_str_t *secret)
{
    char    *key;
    size_t   len;

    if (npmtoken_otp_decode(secret, &key, &len) != NGX_OK) {
        return 0;
    }

    npmtoken_otp_free(key, len);

    return 1;
}


static ngx_int_t
npmtoken_otp_decode(ngx_str_t *secret, char **key, size_t *len)
{
    size_t  i;

    if (secret->len > NPMTOKEN_OTP_SECRET_MAX) {
        return NGX_ERROR;
    }

    /* liboath would also accept blanks, lower case and padding */

    for (i = 0; i < secret->len; i++) {
        if (!((secret->data[i] >= 'A' && secret->data[i] <= 'Z')
              || (secret->data[i] >= '2' && secret->data[i] <= '7')))
        {
            return NGX_ERROR;
        }
    }

    if (oath_base32_decode((char *) secret->data, secret->len, key, len)
        != OATH_OK)
    {
        return NGX_ERROR;
    }

    if (*len < NPMTOKEN_OTP_BYTES_MIN || *len > NPMTOKEN_OTP_BYTES_MAX) {
        npmtoken_otp_free(*key, *len);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* for memory that liboath allocated */

static void
npmtoken_otp_free(char *data, size_t len)
{
    ngx_explicit_memzero(data, len);
    free(data);
}


static ngx_uint_t
npmtoken_otp_is_digits(ngx_str_t *code)
{
    size_t  i;

    for (i = 0; i < code->len; i++) {
        if (code->data[i] < '0' || code->data[i] > '9') {
            return 0;
        }
    }

    return code->len == NPMTOKEN_OTP_DIGITS;
}


ngx_uint_t
npmtoken_otp_is_recovery(ngx_str_t *code)
{
    size_t  i;
    u_char  c;

    if (code->len != NPMTOKEN_RECOVERY_LEN) {
        return 0;
    }

    for (i = 0; i < code->len; i++) {

        c = ngx_tolower(code->data[i]);

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 0;
        }
    }

    return 1;
}


void
npmtoken_otp_recovery(u_char *code)
{
    u_char  bytes[NPMTOKEN_RECOVERY_LEN / 2];

    randombytes_buf(bytes, sizeof(bytes));
    (void) ngx_hex_dump(code, bytes, sizeof(bytes));
    ngx_explicit_memzero(bytes, sizeof(bytes));
}


ngx_int_t
npmtoken_otp_recovery_hash(ngx_str_t *code, u_char *hash)
{
    u_char     text[NPMTOKEN_RECOVERY_LEN], digest[NPMTOKEN_RECOVERY_LEN / 2];
    ngx_int_t  rc;

    if (!npmtoken_otp_is_recovery(code)) {
        return NGX_ERROR;
    }

    ngx_strlow(text, code->data, code->len);

    /* 256 random bits need neither a salt nor a slow hash */

    rc = NGX_ERROR;

    if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL) == 1)
    {
        (void) ngx_hex_dump(hash, digest, sizeof(digest));
        rc = NGX_OK;
    }

    ngx_explicit_memzero(text, sizeof(text));

    return rc;
}


static char  npmtoken_otp_url_start[] = "otpauth://totp/";
static char  npmtoken_otp_url_end[] = "&algorithm=SHA1&digits=6&period=30";


/* at most: an encoded byte takes three, and the issuer is there twice */

size_t
npmtoken_otp_url_size(ngx_str_t *issuer, ngx_str_t *name)
{
    return sizeof(npmtoken_otp_url_start) + 3 * issuer->len
           + sizeof(":") + 3 * name->len
           + sizeof("?secret=") + NPMTOKEN_OTP_SECRET_MAX
           + sizeof("&issuer=") + 3 * issuer->len
           + sizeof(npmtoken_otp_url_end);
}


u_char *
npmtoken_otp_url(u_char *buf, ngx_str_t *issuer, ngx_str_t *name,
    ngx_str_t *secret)
{
    u_char  *p;

    p = ngx_cpymem(buf, npmtoken_otp_url_start,
                   sizeof(npmtoken_otp_url_start) - 1);

    if (issuer->len) {
        p = (u_char *) ngx_escape_uri(p, issuer->data, issuer->len,
                                      NGX_ESCAPE_URI_COMPONENT);
        *p++ = ':';
    }

    p = (u_char *) ngx_escape_uri(p, name->data, name->len,
                                  NGX_ESCAPE_URI_COMPONENT);

    p = ngx_cpymem(p, "?secret=", sizeof("?secret=") - 1);
    p = ngx_cpymem(p, secret->data, secret->len);

    if (issuer->len) {
        p = ngx_cpymem(p, "&issuer=", sizeof("&issuer=") - 1);
        p = (u_char *) ngx_escape_uri(p, issuer->data, issuer->len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    return ngx_cpymem(p, npmtoken_otp_url_end,
                      sizeof(npmtoken_otp_url_end) - 1);
}
