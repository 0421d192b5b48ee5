
#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_list.h"


#define npmtoken_list_blank(ch)  ((ch) == ' ' || (ch) == '\t')


ngx_int_t
npmtoken_list_next(ngx_str_t *rest, ngx_str_t *entry)
{
    u_char     *p, *last, *end;
    ngx_int_t   rc;

    p = rest->data;
    last = p + rest->len;

    end = ngx_strlchr(p, last, ',');

    if (end) {
        rest->data = end + 1;
        rest->len = last - rest->data;
        rc = NGX_OK;

    } else {
        end = last;
        rest->data = last;
        rest->len = 0;
        rc = NGX_DONE;
    }

    while (p < end && npmtoken_list_blank(*p)) {
        p++;
    }

    while (p < end && npmtoken_list_blank(end[-1])) {
        end--;
    }

    entry->data = p;
    entry->len = end - p;

    return rc;
}
