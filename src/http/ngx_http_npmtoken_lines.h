
/*
 * Removes header lines from a request and adds one.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LINES_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LINES_H_INCLUDED_


#include "ngx_http_npmtoken_request.h"


/* Which lines.  Our identity counts only as the first, whatever its name is. */

#define NGX_HTTP_NPMTOKEN_LINES_OURS           0x01  /* our identity */
#define NGX_HTTP_NPMTOKEN_LINES_FORGED         0x02  /* anyone else's */
#define NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION  0x04
#define NGX_HTTP_NPMTOKEN_LINES_UPGRADE        0x08  /* and its companions */


/*
 * Whether the request has a line that has the name of its location's identity
 * and is not ours.  "ctx" may be NULL.
 */
ngx_uint_t ngx_http_npmtoken_lines_forged(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);

/*
 * Removes the lines that "which" names from the request, which may be a
 * subrequest, and adds a copy of "line" unless it is NULL.  The caller keeps
 * the bytes of "line" alive as long as the request.  All other lines stay,
 * even those that other modules have set.  If Authorization or our identity is
 * removed, "ctx" records that.  "ctx" may be NULL if "which" names neither.
 * Returns NGX_OK, or NGX_ERROR (no memory) and has then changed nothing.
 */
ngx_int_t ngx_http_npmtoken_lines_change(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_table_elt_t *line);

/*
 * Takes a cookie out of the request, wherever it is sent, and sets "value" to
 * that of the first one, in the request's pool.  Removes a Cookie line that has
 * nothing else.  Returns NGX_OK; NGX_DECLINED if there is no such cookie; or
 * NGX_ERROR (no memory), and the request cannot go on then.
 */
ngx_int_t ngx_http_npmtoken_lines_cookie(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);

/*
 * Adds a line to an answer.  The caller keeps name and value alive as long as
 * the request.  Returns the line, or NULL if there is no memory.
 */
ngx_table_elt_t *ngx_http_npmtoken_lines_answer(ngx_http_request_t *r,
    char *name, ngx_str_t *value);


#endif /* _NGX_HTTP_NPMTOKEN_LINES_H_INCLUDED_ */
