
/*
 * Authorization header -> token.
 */


#ifndef _NPMTOKEN_BEARER_H_INCLUDED_
#define _NPMTOKEN_BEARER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the longest token, in bytes; a longer one is bad */
#define NPMTOKEN_TOKEN_MAX  4096


typedef enum {
    NPMTOKEN_BEARER_NONE = 0,     /* no credentials: an empty value, or a
                                     scheme with nothing behind it */
    NPMTOKEN_BEARER_TOKEN,        /* Bearer and one token68 */
    NPMTOKEN_BEARER_FOREIGN,      /* another scheme: not ours to judge */
    NPMTOKEN_BEARER_BAD           /* Bearer, but not one token68, or too long */
} npmtoken_bearer_e;


/*
 * Reads the value of an Authorization header.  On NPMTOKEN_BEARER_TOKEN
 * "token" is a slice of "value": it lives as long as value's bytes do.
 * On anything else "token" is empty.
 *
 * The scheme is compared without case (RFC 9110, 11.1); the alphabet is
 * token68 (RFC 6750, 2.1), which UUIDs, base64 and JWTs fit as well.  A
 * scheme by itself is what pnpm and deno send for a variable that is empty.
 */
npmtoken_bearer_e npmtoken_bearer_parse(ngx_str_t *value, ngx_str_t *token);

/* Returns 1 if these bytes are one token68, else 0; 0 if there are none. */
ngx_uint_t npmtoken_bearer_is_token68(u_char *p, size_t len);


#endif /* _NPMTOKEN_BEARER_H_INCLUDED_ */
