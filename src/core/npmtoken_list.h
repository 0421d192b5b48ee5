
/*
 * A list "entry, entry, ..." in a field of a record.
 */


#ifndef _NPMTOKEN_LIST_H_INCLUDED_
#define _NPMTOKEN_LIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Sets "entry" to the first entry of "rest", without the blanks around it, and
 * moves "rest" behind its comma.  Returns NGX_OK, or NGX_DONE for the last
 * entry.  An empty list has one entry, an empty one.
 *
 *     rest = *list;
 *
 *     do {
 *         rc = npmtoken_list_next(&rest, &entry);
 *         ...
 *     } while (rc == NGX_OK);
 */
ngx_int_t npmtoken_list_next(ngx_str_t *rest, ngx_str_t *entry);


#endif /* _NPMTOKEN_LIST_H_INCLUDED_ */
