
/*
 * Passwords in nginx's thread pool: crypt(3) is slow by intention.
 */


#ifndef _NGX_HTTP_NPMTOKEN_HASH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_http_npmtoken_hash_s         ngx_http_npmtoken_hash_t;
typedef struct ngx_http_npmtoken_hash_waiter_s  ngx_http_npmtoken_hash_waiter_t;


/*
 * What a caller hands over to be called back.  It is the caller's memory, and
 * the caller must forget it before that memory goes.
 */

struct ngx_http_npmtoken_hash_waiter_s {
    ngx_http_npmtoken_hash_t     *job;       /* NULL: not waiting */

    /*
     * NGX_OK: "made" is the hash that was made, valid during the call; it is
     * empty where none was needed.  NGX_DECLINED: the password is wrong.
     * NGX_ERROR: that cannot be done now, or it has waited for too long.
     */
    void                        (*handler)(
                                     ngx_http_npmtoken_hash_waiter_t *waiter,
                                     ngx_int_t rc, ngx_str_t *made);
    void                         *data;
};


/*
 * Each of these takes copies of what it is given.  "address" is whom the job
 * counts for, as a text.  Returns NGX_AGAIN: the waiter will be called, though
 * never from within here.  NGX_BUSY: too many wait already; NGX_ERROR: no
 * memory; then the waiter is not called.
 */

/*
 * Verifies a password against "hash"; an empty one spends the time and
 * declines.  Where the hash is outdated, another one of the password is made.
 */
ngx_int_t ngx_http_npmtoken_hash_verify(ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password, ngx_str_t *hash,
    ngx_http_npmtoken_hash_waiter_t *waiter);

/* Makes the hash of a password. */
ngx_int_t ngx_http_npmtoken_hash_make(ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password,
    ngx_http_npmtoken_hash_waiter_t *waiter);

/* The same for somebody who has no account: with places of their own. */
ngx_int_t ngx_http_npmtoken_hash_signup(ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password,
    ngx_http_npmtoken_hash_waiter_t *waiter);

/* The waiter will not be called; nothing happens if it does not wait. */
void ngx_http_npmtoken_hash_forget(ngx_http_npmtoken_hash_waiter_t *waiter);


#endif /* _NGX_HTTP_NPMTOKEN_HASH_H_INCLUDED_ */
