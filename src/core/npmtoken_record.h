
/*
 * Fields of a hash -> record.
 */


#ifndef _NPMTOKEN_RECORD_H_INCLUDED_
#define _NPMTOKEN_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the longest account name, in bytes */
#define NPMTOKEN_USER_MAX  214

/*
 * The largest record that is read: the bytes of the reply to HGETALL in RESP2,
 * and its elements, each name and each value being one.  A larger record is
 * bad.  Most of the elements are room for x_ fields.
 */
#define NPMTOKEN_RECORD_MAX           65536
#define NPMTOKEN_RECORD_MAX_ELEMENTS  1024

/* expires_at or vanishes_at of a token that never does */
#define NPMTOKEN_NEVER     INT64_MAX


typedef struct {
    ngx_str_t             name;
    ngx_str_t             value;
} npmtoken_field_t;


/*
 * What Redis says about one token.  The record is one block of "size" bytes
 * without pointers, so it may be copied, also into shared memory.  The account
 * name and the packed lists (npmtoken_cidr.h, npmtoken_package.h) follow the
 * structure.
 */

typedef struct {
    int64_t               expires_at;    /* seconds since the epoch */
    int64_t               vanishes_at;   /* the same, by the key's TTL; set by
                                            the caller that asked for it */
    uint32_t              size;          /* of the whole block */
    uint32_t              ranges_len;
    uint16_t              user_len;      /* 0: no name */
    unsigned              readonly:1;
    unsigned              ranges_only:1; /* good from the ranges alone */
    unsigned              revoked:1;
    unsigned              protected:1;
    unsigned              bad:1;
    unsigned              packages_only:1;
                                         /* writes only to the packages and
                                            scopes that it names */
    unsigned              bypass_2fa:1;
    unsigned              login:1;       /* a login of npm has made it */
    unsigned              session:1;     /* a login of the page: it opens the
                                            page's calls and nothing else */
    uint16_t              packages_len;
    uint16_t              scopes_len;
} npmtoken_record_t;


/* whether it ever expires or vanishes */
#define npmtoken_record_ends(record)                                          \
    ((record)->expires_at != NPMTOKEN_NEVER                                   \
     || (record)->vanishes_at != NPMTOKEN_NEVER)

#define npmtoken_record_user(record)   ((u_char *) ((record) + 1))

#define npmtoken_record_ranges(record)                                        \
    (npmtoken_record_user(record) + (record)->user_len)

#define npmtoken_record_packages(record)                                      \
    (npmtoken_record_ranges(record) + (record)->ranges_len)

#define npmtoken_record_scopes(record)                                        \
    (npmtoken_record_packages(record) + (record)->packages_len)


/*
 * Returns 1 if the reply to HGETALL with these fields is no larger than what is
 * read of one (NPMTOKEN_RECORD_MAX).  Returns 0 if no enforcer would take it.
 */
ngx_uint_t npmtoken_record_fits(npmtoken_field_t *fields, ngx_uint_t nfields);

/* the most bytes that the record of these fields may need */
size_t npmtoken_record_size(npmtoken_field_t *fields, ngx_uint_t nfields);

/*
 * Makes a record in "record", of npmtoken_record_size() bytes.
 *
 * Never fails.  If a field does not parse, or is not known and does not begin
 * with "x_", the record is marked bad, and the first such field is returned for
 * the log; else NULL is returned.  The other fields still count, since the
 * verdict "revoked" precedes "bad record".
 *
 * The schema is section "The Redis schema" of docs/redis.md.
 */
npmtoken_field_t *npmtoken_record_parse(npmtoken_record_t *record,
    npmtoken_field_t *fields, ngx_uint_t nfields);

/*
 * The form of the field with that name, in words that can follow "it is not".
 * A constant; NULL if there is no such field.
 */
char *npmtoken_record_form(ngx_str_t *name);


#endif /* _NPMTOKEN_RECORD_H_INCLUDED_ */
