
#include "ngx_http_npmtoken_share.h"


void
ngx_http_npmtoken_share_join(ngx_http_npmtoken_line_t *line,
    ngx_http_npmtoken_sharer_t *sharer)
{
    if (line->n++ == 0) {
        ngx_queue_init(&line->queue);
    }

    ngx_queue_insert_tail(&line->queue, &sharer->queue);
}


void
ngx_http_npmtoken_share_leave(ngx_http_npmtoken_line_t *line,
    ngx_http_npmtoken_sharer_t *sharer)
{
    ngx_queue_remove(&sharer->queue);

    line->n--;
}


ngx_uint_t
ngx_http_npmtoken_share_count(ngx_http_npmtoken_line_t *line,
    ngx_str_t *address)
{
    ngx_uint_t                       n;
    ngx_queue_t                     *q;
    ngx_http_npmtoken_sharer_t  *sharer;

    if (line->n == 0) {
        return 0;
    }

    n = 0;

    for (q = ngx_queue_head(&line->queue);
         q != ngx_queue_sentinel(&line->queue);
         q = ngx_queue_next(q))
    {
        sharer = ngx_queue_data(q, ngx_http_npmtoken_sharer_t, queue);

        if (sharer->address.len == address->len
            && ngx_memcmp(sharer->address.data, address->data, address->len)
               == 0)
        {
            n++;
        }
    }

    return n;
}
