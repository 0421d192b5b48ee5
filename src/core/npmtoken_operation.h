
/*
 * Method and URIs -> what the request asks of the registry.
 */


#ifndef _NPMTOKEN_OPERATION_H_INCLUDED_
#define _NPMTOKEN_OPERATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_base.h"
#include "npmtoken_package.h"


/* from the best class to the worst: of two spellings the greater one counts */

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
    npmtoken_base_t      *base;       /* where the registry is mounted */
    ngx_str_t             token;      /* the bearer's, or empty */
    unsigned              override:1; /* has a method-override header */
} npmtoken_request_t;


/*
 * The class of a request: the worse of those that "target" and "uri" give.  A
 * request that is not known to be better is a write.
 */
npmtoken_op_e npmtoken_operation_class(npmtoken_request_t *req);

/* "session", "read", "logout", "write" */
ngx_str_t *npmtoken_operation_name(npmtoken_op_e op);

/*
 * The package that a request is about.  "buf" is of NPMTOKEN_PACKAGE_MAX bytes;
 * the decoded name is written there, and "name" points to it.  "name" is empty
 * if there is no package, or if npm's grammar does not allow its name.
 */
void npmtoken_operation_package(npmtoken_request_t *req, u_char *buf,
    ngx_str_t *name);

/*
 * The package of a write that is about one package and nothing else, if both
 * spellings agree on it.  "buf" is of NPMTOKEN_PACKAGE_MAX bytes, and "name"
 * points into it.  Returns NGX_OK, or NGX_DECLINED, with an empty name, for
 * every other request.
 */
ngx_int_t npmtoken_operation_subject(npmtoken_request_t *req, u_char *buf,
    ngx_str_t *name);


#endif /* _NPMTOKEN_OPERATION_H_INCLUDED_ */
