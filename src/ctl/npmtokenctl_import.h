
/*
 * Declarations that the parts of the import share: the rows of a file.
 */


#ifndef _NPMTOKENCTL_IMPORT_H_INCLUDED_
#define _NPMTOKENCTL_IMPORT_H_INCLUDED_


#include "npmtokenctl.h"


#define CTL_COLUMNS  32

/* kind of a value: null in JSON, neither a text nor a list */
#define CTL_NULL     2


/* a row: its columns that have a value */

typedef struct {
    char                 *name[CTL_COLUMNS];
    char                 *value[CTL_COLUMNS];
    ngx_uint_t            list[CTL_COLUMNS];  /* 1: an array, or CTL_NULL */
    ngx_uint_t            n;
    ngx_uint_t            json;       /* 0: a line of CSV */
    ngx_uint_t            line;       /* in CSV; in JSON the row's number */
    char                 *why;        /* why the row is bad, or NULL */
} ctl_row_t;


/* the row is valid during the call; "offset" of "total" bytes are read */
typedef void (*ctl_row_pt)(ctl_row_t *row, size_t offset, size_t total);


/* reads a file; ends the program if it cannot */
void ctl_read_file(const char *path);

/* calls the handler for each row of that file */
void ctl_each_row(ctl_row_pt handler);

/*
 * Returns the elements of a JSON array, joined by commas, from the heap.
 * Returns NULL if the text would be another list.
 */
char *ctl_json_list(json_t *list);


/*
 * Makes a key of NPMTOKEN_KEY_LEN digits, and a record: field, value, ...
 * Returns NULL, or why the row is bad.  Free the record in both cases.
 */
char *ctl_make_record(ctl_row_t *row, char *key, ctl_args_t *record);

/* returns the value of a field of a record, or NULL */
const char *ctl_get(ctl_args_t *record, const char *field);

void ctl_free_record(ctl_args_t *record);


#endif /* _NPMTOKENCTL_IMPORT_H_INCLUDED_ */
