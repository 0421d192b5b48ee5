
/*
 * What the rooms of src/http share: the configuration of a location, and
 * what is known of a request.
 */


#ifndef _NGX_HTTP_NPMTOKEN_REQUEST_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "npmtoken_base.h"
#include "npmtoken_bearer.h"
#include "npmtoken_digest.h"
#include "npmtoken_operation.h"
#include "npmtoken_record.h"
#include "npmtoken_token.h"
#include "npmtoken_verdict.h"
#include "ngx_http_npmtoken_store.h"


/* npmtoken_unknown */

#define NGX_HTTP_NPMTOKEN_UNKNOWN_DENY       0
#define NGX_HTTP_NPMTOKEN_UNKNOWN_ANONYMOUS  1
#define NGX_HTTP_NPMTOKEN_UNKNOWN_PASS       2


/* a directive with two values that may be a variable */

typedef struct {
    ngx_str_t                     name;        /* of the directive */
    ngx_str_t                     on;          /* the value that opens */
    ngx_str_t                     off;         /* the value that does not */
    ngx_flag_t                    value;
    ngx_http_complex_value_t     *complex;     /* NULL: a constant */
} ngx_http_npmtoken_switch_t;


/* npmtoken_identity */

typedef struct {
    ngx_str_t                     name;        /* len 0: off */
    u_char                       *lowcase;     /* the name */
    ngx_uint_t                    hash;        /* of that */
    ngx_http_complex_value_t      value;
    unsigned                      authorization:1;  /* that is the name */
} ngx_http_npmtoken_identity_conf_t;


typedef struct {
    ngx_http_npmtoken_store_t    *store;       /* NULL: off */
    ngx_http_npmtoken_switch_t    anonymous;   /* 1: may read */
    ngx_http_npmtoken_switch_t    dry_run;
    ngx_uint_t                    unknown;
    ngx_uint_t                    checksum;
    npmtoken_base_t               base;
    ngx_uint_t                    intercept_errors;
    ngx_uint_t                    log_level;
    time_t                        expiry_notice;
    ngx_http_npmtoken_identity_conf_t  *identity;

    /* who may have a better answer to what is denied: 1 if it has been given;
       NULL: nobody */
    ngx_uint_t                  (*denied)(ngx_http_request_t *r);
} ngx_http_npmtoken_loc_conf_t;


/* the most header lines that an answer of ours gets */
#define NGX_HTTP_NPMTOKEN_MAX_PUSHED  4


/* $npmtoken_cache */

typedef enum {
    NGX_HTTP_NPMTOKEN_CACHE_OFF = 0,
    NGX_HTTP_NPMTOKEN_CACHE_HIT,
    NGX_HTTP_NPMTOKEN_CACHE_MISS,
    NGX_HTTP_NPMTOKEN_CACHE_STALE
} ngx_http_npmtoken_cached_e;


/*
 * What is known of a request, kept through internal redirects, which clear
 * r->ctx.  Made by ngx_http_npmtoken_request_ctx(), freed with the request.
 */

typedef struct {
    unsigned                      parsed:1;    /* the credentials are below */
    unsigned                      concluded:1; /* so is the verdict */
    unsigned                      verified:1;  /* a record allowed it */
    unsigned                      anonymous:1; /* as if without its unknown
                                                  credentials */
    unsigned                      passed:1;    /* left to the registry */
    unsigned                      taken:1;     /* the client's Authorization,
                                                  which is below */
    unsigned                      claimed:1;   /* ... by a record: it is never
                                                  put back */
    unsigned                      named:1;     /* our identity is there */
    unsigned                      cleanup:1;   /* is registered */

    u_char                       *key;         /* NULL: not computed */
    ngx_http_npmtoken_store_t    *store;       /* NULL: not asked */
    npmtoken_record_t            *record;      /* NULL: none */
    ngx_uint_t                    npushed;

    /* from here on nothing is zeroed but waiter.lookup */

    /* token, and the value that it was read from */
    ngx_str_t                     value;
    ngx_str_t                     token;
    npmtoken_bearer_e             credentials;

    /* what the store has said */
    ngx_int_t                     found;       /* NGX_OK: the record;
                                                  NGX_DECLINED: there is none;
                                                  NGX_ERROR: not known */
    ngx_http_npmtoken_cached_e    cached;
    u_char                        tag[NPMTOKEN_TAG_LEN];
    ngx_http_npmtoken_waiter_t    waiter;
    ngx_http_npmtoken_entry_t     entry;       /* a copy of what the cache
                                                  has */

    /* verdict of the last location that judged */
    npmtoken_op_e                 operation;
    npmtoken_reason_e             reason;

    /* answer: the header lines that we added, and what they said */
    ngx_table_elt_t              *pushed[NGX_HTTP_NPMTOKEN_MAX_PUSHED];
    u_char                       *said[NGX_HTTP_NPMTOKEN_MAX_PUSHED];

    /* the line that was taken out of the request's, and the bytes by which
       the one that was put in is known */
    ngx_table_elt_t              *authorization;
    u_char                       *identity_name;
    u_char                       *identity_value;
} ngx_http_npmtoken_ctx_t;


extern ngx_module_t  ngx_http_npmtoken_module;


/*
 * The context of the main request that "r" belongs to, made if "create" is
 * set.  Returns NULL if there is none, or no memory.
 */
ngx_http_npmtoken_ctx_t *ngx_http_npmtoken_request_ctx(ngx_http_request_t *r,
    ngx_uint_t create);

/*
 * Reads the client's Authorization into ctx, if that has not been done: what
 * the request has, or else what was taken out of it.
 */
void ngx_http_npmtoken_request_parse(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * The key of the token in ctx: NPMTOKEN_KEY_LEN digits in the request's
 * pool.  Returns NULL if there is no token, no memory, or no digest.
 */
u_char *ngx_http_npmtoken_request_key(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * What the request asks of the registry that its location has.  ctx has been
 * parsed.
 */
npmtoken_op_e ngx_http_npmtoken_request_operation(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * The package that the request is about, in the request's pool, or empty.
 * Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_request_package(ngx_http_request_t *r,
    ngx_str_t *package);

/*
 * The package of a write that is about one package: npmtoken_subject_pt, with
 * the request as its data.
 */
ngx_int_t ngx_http_npmtoken_request_subject(void *data, u_char *buf,
    ngx_str_t *name);

/* The value, now, of a directive that may be a variable. */
#define ngx_http_npmtoken_request_switch(r, sw)                               \
    ((sw)->complex ? ngx_http_npmtoken_request_switch_variable(r, sw)         \
                   : (sw)->value)

ngx_flag_t ngx_http_npmtoken_request_switch_variable(ngx_http_request_t *r,
    ngx_http_npmtoken_switch_t *sw);

/*
 * Whether a header line has this name: in any case, and with any character
 * that is neither letter nor digit for any other, since CGI and its like
 * make "_" of all of them.
 */
ngx_uint_t ngx_http_npmtoken_request_is_header(ngx_table_elt_t *h,
    ngx_str_t *name);

/*
 * Whether this is the identity that we have put into the request, and nobody
 * has changed since.  Lists move their lines, so it is known by its bytes.
 */
ngx_uint_t ngx_http_npmtoken_request_is_ours(ngx_http_npmtoken_ctx_t *ctx,
    ngx_table_elt_t *h);


#endif /* _NGX_HTTP_NPMTOKEN_REQUEST_H_INCLUDED_ */
