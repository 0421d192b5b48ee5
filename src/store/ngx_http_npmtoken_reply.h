
/*
 * Redis's reply to HGETALL: a record, or why there is none.
 */


#ifndef _NGX_HTTP_NPMTOKEN_REPLY_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_REPLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_digest.h"
#include "npmtoken_record.h"
#include "npmtoken_outage.h"
#include "ngx_http_npmtoken_codec.h"


/* this many logged bad records are remembered; a key has one place */
#define NGX_HTTP_NPMTOKEN_BAD_KEYS   256


/* a bad record that was logged */

typedef struct {
    time_t                         next;       /* not before */
    uint32_t                       what;       /* was wrong */
    u_char                         key[NPMTOKEN_SHORT_KEY_LEN];
} ngx_http_npmtoken_bad_t;


/* what was logged lately; all zero at first but the store and the pause */

typedef struct {
    ngx_str_t                     *store;
    npmtoken_outage_t              refused;    /* by Redis */
    ngx_http_npmtoken_bad_t        bad[NGX_HTTP_NPMTOKEN_BAD_KEYS];
} ngx_http_npmtoken_reply_log_t;


/*
 * Reads the record of a key (NPMTOKEN_KEY_LEN digits) from the reply to
 * HGETALL.  "reply" is NULL if it was too large.
 * NGX_OK: "record" is the record, which the caller frees.  It is "bad" if it
 * cannot be used; that is logged now and then.
 * NGX_DECLINED: there is no record.
 * NGX_ERROR: Redis refuses, which is logged, or there is no memory.
 * NGX_ABORT: this is no reply to HGETALL.
 */
ngx_int_t ngx_http_npmtoken_reply_record(ngx_http_npmtoken_reply_log_t *log,
    u_char *key, redisReply *reply, npmtoken_record_t **record);

/* Logs an error reply of Redis, if it begins an outage. */
void ngx_http_npmtoken_reply_error(ngx_http_npmtoken_reply_log_t *log,
    redisReply *reply);

/* Says that a look-up was answered, which ends an outage. */
void ngx_http_npmtoken_reply_works(ngx_http_npmtoken_reply_log_t *log);


#endif /* _NGX_HTTP_NPMTOKEN_REPLY_H_INCLUDED_ */
