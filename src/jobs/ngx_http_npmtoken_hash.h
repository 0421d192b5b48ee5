
/*
 * Hashes passwords in nginx's thread pool, because crypt(3) is slow by design.
 */


#ifndef _NGX_HTTP_NPMTOKEN_HASH_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_http_npmtoken_hash_s         ngx_http_npmtoken_hash_t;
typedef struct ngx_http_npmtoken_hash_waiter_s  ngx_http_npmtoken_hash_waiter_t;


/*
 * A caller that waits for a hash.  The caller owns the memory, and must call
 * ngx_http_npmtoken_hash_forget() before it frees it.
 */

struct ngx_http_npmtoken_hash_waiter_s {
    ngx_http_npmtoken_hash_t     *job;       /* NULL: not waiting */

    /*
     * NGX_OK: "made" is the new hash, valid during the call; it is empty if
     * none was needed.  NGX_DECLINED: the password is wrong.  NGX_ERROR: the
     * hash cannot be computed now, or the job has waited for too long.
     */
    void                        (*handler)(
                                     ngx_http_npmtoken_hash_waiter_t *waiter,
                                     ngx_int_t rc, ngx_str_t *made);
    void                         *data;
};


/*
 * The next three functions copy their arguments.  "address" is a text that
 * stands for the client's address, which has a limited share of the jobs.  Each
 * returns NGX_AGAIN if the waiter will be called, never from within the call.
 * Each returns NGX_BUSY if too many jobs wait already, or NGX_ERROR if there is
 * no memory; then the waiter is not called.
 */

/*
 * Verifies a password against "hash".  An empty hash takes the same time and
 * is declined.  If the hash is outdated, makes a new one of the password.
 */
ngx_int_t ngx_http_npmtoken_hash_verify(ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password, ngx_str_t *hash,
    ngx_http_npmtoken_hash_waiter_t *waiter);

/* Makes the hash of a password. */
ngx_int_t ngx_http_npmtoken_hash_make(ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password,
    ngx_http_npmtoken_hash_waiter_t *waiter);

/* As above, for somebody without an account: sign-ups have separate places. */
ngx_int_t ngx_http_npmtoken_hash_signup(ngx_thread_pool_t *threads,
    ngx_str_t *address, ngx_str_t *password,
    ngx_http_npmtoken_hash_waiter_t *waiter);

/* Cancels the call of a waiter.  Does nothing if the waiter does not wait. */
void ngx_http_npmtoken_hash_forget(ngx_http_npmtoken_hash_waiter_t *waiter);


#endif /* _NGX_HTTP_NPMTOKEN_HASH_H_INCLUDED_ */
