
/*
 * A line of those that wait or are served, in order.  It counts the members
 * of one address, so that no address takes the places that others need.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SHARE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SHARE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* embedded in each member of a line */

typedef struct {
    ngx_queue_t    queue;
    ngx_str_t      address;     /* stands for the client's address; a text */
} ngx_http_npmtoken_sharer_t;


/* a zeroed line is empty */

typedef struct {
    ngx_queue_t    queue;
    ngx_uint_t     n;
} ngx_http_npmtoken_line_t;


/*
 * Adds a member to the end of a line, or removes it.  The caller owns the
 * memory of the member and of its address.
 */
void ngx_http_npmtoken_share_join(ngx_http_npmtoken_line_t *line,
    ngx_http_npmtoken_sharer_t *sharer);
void ngx_http_npmtoken_share_leave(ngx_http_npmtoken_line_t *line,
    ngx_http_npmtoken_sharer_t *sharer);

/*
 * Returns how many members of the line have this address.  It looks at each
 * member; a line has some hundreds.
 */
ngx_uint_t ngx_http_npmtoken_share_count(ngx_http_npmtoken_line_t *line,
    ngx_str_t *address);


#endif /* _NGX_HTTP_NPMTOKEN_SHARE_H_INCLUDED_ */
