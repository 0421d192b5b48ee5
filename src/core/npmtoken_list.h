
/*
 * A list "entry, entry, ...", as fields of a record have them.
 */


#ifndef _NPMTOKEN_LIST_H_INCLUDED_
#define _NPMTOKEN_LIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Sets "entry" to the slice of the list up to its first comma, without the
 * blanks around it, and takes that off "rest".  Returns NGX_OK, or NGX_DONE
 * if it was the last one.  An empty list has one entry, which is empty.
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
