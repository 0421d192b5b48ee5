
/*
 * Method and URIs -> what the request asks of the registry.
 */


#ifndef _NPMTOKEN_OPERATION_H_INCLUDED_
#define _NPMTOKEN_OPERATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_package.h"


/* from the best to the worst: of two spellings the greater class wins */

typedef enum {
    NPMTOKEN_OP_SESSION = 0,
    NPMTOKEN_OP_READ,
    NPMTOKEN_OP_LOGOUT,
    NPMTOKEN_OP_WRITE
} npmtoken_op_e;


/* all slices are the caller's and only read */

typedef struct {
    ngx_str_t             method;     /* as in the request line */
    ngx_str_t             target;     /* raw path of the request target,
                                         without the query */
    ngx_str_t             uri;        /* decoded and normalised path */
    ngx_str_t             args;       /* raw query, without "?" */
    ngx_str_t             base;       /* where the registry is mounted,
                                         begins and ends with "/" */
    ngx_str_t             token;      /* the bearer's, or empty */
    unsigned              override:1; /* a method-override header is there */
} npmtoken_request_t;


/*
 * The class of a request: the worse of what "target" and "uri" say.
 * Everything not known to be better is a write.
 */
npmtoken_op_e npmtoken_operation_class(npmtoken_request_t *req);

/* "session", "read", "logout", "write" */
ngx_str_t *npmtoken_operation_name(npmtoken_op_e op);

/*
 * The package a request is about.  "buf" is of NPMTOKEN_PACKAGE_MAX bytes
 * and holds the decoded name; "name" is set to point into it, and is empty
 * where there is no package or its name is not one by npm's grammar.
 */
void npmtoken_operation_package(npmtoken_request_t *req, u_char *buf,
    ngx_str_t *name);

/*
 * The package that a write is about, where it is about one and nothing else,
 * and both spellings say so.  "buf" is of NPMTOKEN_PACKAGE_MAX bytes, and
 * "name" is set to point into it.  Returns NGX_OK; NGX_DECLINED, with an
 * empty name, for all that is not known to be such a write.
 */
ngx_int_t npmtoken_operation_subject(npmtoken_request_t *req, u_char *buf,
    ngx_str_t *name);

/*
 * Logging out and revoking put a token into the path.  Finds it in a raw
 * path or a request line, whatever the base and however it is spelt, and
 * sets "secret" to the slice of "line" where it stands, percent-encoding
 * and all.  Returns NGX_OK, or NGX_DECLINED where there is none.
 */
ngx_int_t npmtoken_operation_secret(ngx_str_t *line, ngx_str_t *secret);


#endif /* _NPMTOKEN_OPERATION_H_INCLUDED_ */
