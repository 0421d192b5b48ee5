
/*
 * What the files of src/http share: the configuration of a location, and what
 * is known of a request.
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
    unsigned                      user:1;      /* that is the value */
    unsigned                      ignored:1;   /* by the registry; was said */
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

    /*
     * Called for a denied request.  Returns 1 if it has given a better answer.
     * NULL: no such handler.
     */
    ngx_uint_t                  (*denied)(ngx_http_request_t *r);
} ngx_http_npmtoken_loc_conf_t;


/* the most header lines that we add to an answer */
#define NGX_HTTP_NPMTOKEN_MAX_PUSHED  4


/* $npmtoken_cache */

typedef enum {
    NGX_HTTP_NPMTOKEN_CACHE_OFF = 0,
    NGX_HTTP_NPMTOKEN_CACHE_HIT,
    NGX_HTTP_NPMTOKEN_CACHE_MISS,
    NGX_HTTP_NPMTOKEN_CACHE_STALE
} ngx_http_npmtoken_cached_e;


/*
 * What is known of a request.  Internal redirects clear r->ctx, but this is
 * kept.  ngx_http_npmtoken_request_ctx() makes it; it is freed with the
 * request.
 */

typedef struct {
    unsigned                      parsed:1;    /* the credentials are below */
    unsigned                      concluded:1; /* so is the verdict */
    unsigned                      verified:1;  /* a record allowed it */
    unsigned                      anonymous:1; /* its unknown credentials are
                                                  ignored */
    unsigned                      passed:1;    /* left to the registry */
    unsigned                      taken:1;     /* the client's Authorization is
                                                  removed and kept below */
    unsigned                      claimed:1;   /* a record has it, and it is
                                                  never put back */
    unsigned                      named:1;     /* our identity is there */
    unsigned                      cleanup:1;   /* is registered */

    u_char                       *key;         /* NULL: not computed */
    ngx_http_npmtoken_store_t    *store;       /* NULL: not asked */
    npmtoken_record_t            *record;      /* NULL: none */
    ngx_uint_t                    npushed;

    /* from here on only waiter.lookup is zeroed */

    /* the header's value, and the token in it */
    ngx_str_t                     value;
    ngx_str_t                     token;
    npmtoken_bearer_e             credentials;

    /* the result of the look-up */
    ngx_int_t                     found;       /* NGX_OK: the record;
                                                  NGX_DECLINED: there is none;
                                                  NGX_ERROR: not known */
    ngx_http_npmtoken_cached_e    cached;
    u_char                        tag[NPMTOKEN_TAG_LEN];
    ngx_http_npmtoken_waiter_t    waiter;
    ngx_http_npmtoken_entry_t     entry;       /* copied from the cache */

    /* verdict of the last location that judged */
    npmtoken_op_e                 operation;
    npmtoken_reason_e             reason;

    /* answer: the header lines that we added, and their values */
    ngx_table_elt_t              *pushed[NGX_HTTP_NPMTOKEN_MAX_PUSHED];
    u_char                       *said[NGX_HTTP_NPMTOKEN_MAX_PUSHED];

    /*
     * the line that was removed from the request, and the bytes that identify
     * the line that was added
     */
    ngx_table_elt_t              *authorization;
    u_char                       *identity_name;
    u_char                       *identity_value;
} ngx_http_npmtoken_ctx_t;


extern ngx_module_t  ngx_http_npmtoken_module;


/*
 * The context of the main request of "r".  It is made if it is missing and
 * "create" is set.  Returns NULL if there is none, or no memory.
 */
ngx_http_npmtoken_ctx_t *ngx_http_npmtoken_request_ctx(ngx_http_request_t *r,
    ngx_uint_t create);

/*
 * Reads the client's Authorization into ctx, unless that has been done.  Uses
 * the request's line, or else the line that was removed from it.
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
 * What the request asks its location's registry to do.  ctx must have been
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
 * The package of a write to one package.  The function is a
 * npmtoken_subject_pt, and "data" is the request.
 */
ngx_int_t ngx_http_npmtoken_request_subject(void *data, u_char *buf,
    ngx_str_t *name);

/* The present value of a directive that may be a variable. */
#define ngx_http_npmtoken_request_switch(r, sw)                               \
    ((sw)->complex ? ngx_http_npmtoken_request_switch_variable(r, sw)         \
                   : (sw)->value)

ngx_flag_t ngx_http_npmtoken_request_switch_variable(ngx_http_request_t *r,
    ngx_http_npmtoken_switch_t *sw);

/*
 * Whether a header line has this name.  Case does not matter.  Characters that
 * are neither letters nor digits are equal to each other, since CGI and
 * similar interfaces turn all of them into "_".
 */
ngx_uint_t ngx_http_npmtoken_request_is_header(ngx_table_elt_t *h,
    ngx_str_t *name);

/*
 * Whether this line is the identity that we added, unchanged since.  Lists
 * move their lines, so the line is recognized by its bytes.
 */
ngx_uint_t ngx_http_npmtoken_request_is_ours(ngx_http_npmtoken_ctx_t *ctx,
    ngx_table_elt_t *h);


#endif /* _NGX_HTTP_NPMTOKEN_REQUEST_H_INCLUDED_ */
