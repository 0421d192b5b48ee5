
/*
 * Header lines of a request: some out, one in.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LINES_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LINES_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/* which lines; an identity of ours is no other but the first */

#define NGX_HTTP_NPMTOKEN_LINES_OURS           0x01  /* our identity */
#define NGX_HTTP_NPMTOKEN_LINES_FORGED         0x02  /* another one's */
#define NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION  0x04
#define NGX_HTTP_NPMTOKEN_LINES_UPGRADE        0x08  /* and what goes with
                                                        it */


/*
 * Whether the request has a line with the name of its location's identity
 * that is not ours.  "ctx" may be NULL.
 */
ngx_uint_t ngx_http_npmtoken_lines_forged(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * Takes the lines that "which" names out of the request, a subrequest for
 * one, and puts a copy of "line" in, if that is not NULL; its bytes are to
 * live as long as the request.  All other lines stay, whoever has set them.
 * Authorization and our identity, if they go, are noted in "ctx", which may
 * be NULL where neither is named.  Returns NGX_OK, or NGX_ERROR (no memory)
 * and has then changed nothing.
 */
ngx_int_t ngx_http_npmtoken_lines_change(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_table_elt_t *line);

/*
 * Adds a line to an answer; name and value are to live as long as the request.
 * Returns NULL if there is no memory.
 */
ngx_table_elt_t *ngx_http_npmtoken_lines_answer(ngx_http_request_t *r,
    char *name, ngx_str_t *value);


#endif /* _NGX_HTTP_NPMTOKEN_LINES_H_INCLUDED_ */
