
/*
 * Passwords, by crypt(3).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <crypt.h>
#include <sodium/utils.h>
#include "npmtoken_password.h"


/* a work area is 32 kilobytes and more: too much for the stack of a thread */

typedef struct {
    struct crypt_data     crypt;
    char                  setting[NPMTOKEN_PASSWORD_HASH_MAX];
    char                  phrase[NPMTOKEN_PASSWORD_MAX + 1];
} npmtoken_password_work_t;


static ngx_uint_t npmtoken_password_possible(ngx_str_t *password);
static npmtoken_password_work_t *npmtoken_password_work(ngx_str_t *password);
static void npmtoken_password_done(npmtoken_password_work_t *work);
static ngx_int_t npmtoken_password_new_setting(npmtoken_password_work_t *work);
static char *npmtoken_password_crypt(npmtoken_password_work_t *work);
static ngx_int_t npmtoken_password_compare(npmtoken_password_work_t *work,
    ngx_str_t *hash);


#if (CRYPT_OUTPUT_SIZE != NPMTOKEN_PASSWORD_HASH_MAX)
#error the hashes of crypt(3) are of another size
#endif

#if (CRYPT_MAX_PASSPHRASE_SIZE <= NPMTOKEN_PASSWORD_MAX)
#error crypt(3) does not take passwords as long as that
#endif


ngx_uint_t
npmtoken_password_is_allowed(ngx_str_t *password)
{
    if (password->len < NPMTOKEN_PASSWORD_MIN
        || !npmtoken_password_possible(password))
    {
        return 0;
    }

    return 1;
}


static ngx_uint_t
npmtoken_password_possible(ngx_str_t *password)
{
    return password->len <= NPMTOKEN_PASSWORD_MAX
           && memchr(password->data, '\0', password->len) == NULL;
}


ssize_t
npmtoken_password_hash(ngx_str_t *password, u_char *hash)
{
    char                      *output;
    ssize_t                    len;
    npmtoken_password_work_t  *work;

    if (!npmtoken_password_is_allowed(password)) {
        return NGX_ERROR;
    }

    work = npmtoken_password_work(password);
    if (work == NULL) {
        return NGX_ERROR;
    }

    len = NGX_ERROR;

    if (npmtoken_password_new_setting(work) == NGX_OK) {

        output = npmtoken_password_crypt(work);

        if (output) {
            len = ngx_strlen(output);
            ngx_memcpy(hash, output, len + 1);
        }
    }

    npmtoken_password_done(work);

    return len;
}


ngx_int_t
npmtoken_password_verify(ngx_str_t *password, ngx_str_t *hash)
{
    ngx_int_t                  rc;
    npmtoken_password_work_t  *work;

    /* this does not depend on the hash, so it tells nothing of the account */

    if (password->len == 0 || !npmtoken_password_possible(password)) {
        return NGX_DECLINED;
    }

    if (hash->len && !npmtoken_password_is_hash(hash)) {
        return NGX_ERROR;
    }

    work = npmtoken_password_work(password);
    if (work == NULL) {
        return NGX_ERROR;
    }

    if (hash->len) {
        ngx_memcpy(work->setting, hash->data, hash->len);
        rc = npmtoken_password_compare(work, hash);

    } else if (npmtoken_password_new_setting(work) == NGX_OK
               && npmtoken_password_crypt(work))
    {
        rc = NGX_DECLINED;

    } else {
        rc = NGX_ERROR;
    }

    npmtoken_password_done(work);

    return rc;
}


static npmtoken_password_work_t *
npmtoken_password_work(ngx_str_t *password)
{
    npmtoken_password_work_t  *work;

    /* crypt(3) needs its part zeroed, and both strings need a NUL */

    work = calloc(1, sizeof(npmtoken_password_work_t));

    if (work) {
        ngx_memcpy(work->phrase, password->data, password->len);
    }

    return work;
}


static void
npmtoken_password_done(npmtoken_password_work_t *work)
{
    ngx_explicit_memzero(work, sizeof(npmtoken_password_work_t));
    free(work);
}


/* yescrypt with the library's default cost and a random salt */

static ngx_int_t
npmtoken_password_new_setting(npmtoken_password_work_t *work)
{
    return crypt_gensalt_rn("$y$", 0, NULL, 0, work->setting,
                            sizeof(work->setting))
           ? NGX_OK : NGX_ERROR;
}


static char *
npmtoken_password_crypt(npmtoken_password_work_t *work)
{
    char  *output;

    output = crypt_rn(work->phrase, work->setting, &work->crypt,
                      sizeof(struct crypt_data));

    /* crypt(3) may report a failure by an output that begins with "*" */

    return (output && output[0] != '*') ? output : NULL;
}


static ngx_int_t
npmtoken_password_compare(npmtoken_password_work_t *work, ngx_str_t *hash)
{
    char  *output;

    output = npmtoken_password_crypt(work);
    if (output == NULL) {
        return NGX_ERROR;
    }

    /* the length depends on the method alone, and is no secret */

    if (ngx_strlen(output) != hash->len
        || sodium_memcmp(output, hash->data, hash->len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
npmtoken_password_is_hash(ngx_str_t *hash)
{
    char  setting[NPMTOKEN_PASSWORD_HASH_MAX];

    if (hash->len == 0
        || hash->len >= NPMTOKEN_PASSWORD_HASH_MAX
        || memchr(hash->data, '\0', hash->len))
    {
        return 0;
    }

    ngx_memcpy(setting, hash->data, hash->len);
    setting[hash->len] = '\0';

    return crypt_checksalt(setting) == CRYPT_SALT_OK;
}


/*
 * A setting of yescrypt is "$y$", flags, cost and block size of a digit each,
 * "$"; its digits are in the order of ASCII.  Whoever has chosen others than
 * the library's knows why: only the cost is compared.
 */

ngx_uint_t
npmtoken_password_outdated(ngx_str_t *hash)
{
    char     setting[CRYPT_GENSALT_OUTPUT_SIZE];
    u_char  *p, *ours;

    enum { METHOD = 3, COST = METHOD + 1, BLOCK, END };

    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting))
        == NULL)
    {
        return 0;
    }

    p = hash->data;
    ours = (u_char *) setting;

    if (hash->len <= END || ngx_memcmp(p, ours, METHOD) != 0) {
        return 1;
    }

    return p[METHOD] == ours[METHOD]
           && p[BLOCK] == ours[BLOCK]
           && p[END] == ours[END]
           && p[COST] < ours[COST];
}
