
/*
 * Those who wait, or are served, in order; and how many of them are of one
 * address, so that none takes all of what others need.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SHARE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SHARE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a part of what stands in a line */

typedef struct {
    ngx_queue_t    queue;
    ngx_str_t      address;     /* whom its address stands for, as a text */
} ngx_http_npmtoken_sharer_t;


/* zeroed, it is empty */

typedef struct {
    ngx_queue_t    queue;
    ngx_uint_t     n;
} ngx_http_npmtoken_line_t;


/* At the end of the line, and out of it. */
void ngx_http_npmtoken_share_join(ngx_http_npmtoken_line_t *line,
    ngx_http_npmtoken_sharer_t *sharer);
void ngx_http_npmtoken_share_leave(ngx_http_npmtoken_line_t *line,
    ngx_http_npmtoken_sharer_t *sharer);

/* How many in the line are of this address; a line has some hundreds. */
ngx_uint_t ngx_http_npmtoken_share_count(ngx_http_npmtoken_line_t *line,
    ngx_str_t *address);


#endif /* _NGX_HTTP_NPMTOKEN_SHARE_H_INCLUDED_ */
