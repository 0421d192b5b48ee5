
/*
 * What the parts of the import share: the rows of a file.
 */


#ifndef _NPMTOKENCTL_IMPORT_H_INCLUDED_
#define _NPMTOKENCTL_IMPORT_H_INCLUDED_


#include "npmtokenctl.h"


#define CTL_COLUMNS  32

/* of a value: null in JSON, neither a text nor a list */
#define CTL_NULL     2


/* a row: a value for each column that has one */

typedef struct {
    char                 *name[CTL_COLUMNS];
    char                 *value[CTL_COLUMNS];
    ngx_uint_t            list[CTL_COLUMNS];  /* 1: an array, or CTL_NULL */
    ngx_uint_t            n;
    ngx_uint_t            json;       /* or a line of CSV */
    ngx_uint_t            line;       /* or its number */
    char                 *why;        /* it is bad as it stands there */
} ctl_row_t;


/* a row, valid during the call; "offset" of "total" bytes are behind it */
typedef void (*ctl_row_pt)(ctl_row_t *row, size_t offset, size_t total);


/* what cannot be read ends the program */
void ctl_read_file(const char *path);

/* calls the handler for each row of that file */
void ctl_each_row(ctl_row_pt handler);

/*
 * The elements of an array of JSON, with commas between, from the heap; NULL
 * if that would be another list
 */
char *ctl_json_list(json_t *list);


/*
 * Makes a key of NPMTOKEN_KEY_LEN digits, and a record of field, value, ...,
 * which is to be freed in either case.  NULL, or why the row is bad.
 */
char *ctl_make_record(ctl_row_t *row, char *key, ctl_args_t *record);

/* a field's value in it, or NULL */
const char *ctl_get(ctl_args_t *record, const char *field);

void ctl_free_record(ctl_args_t *record);


#endif /* _NPMTOKENCTL_IMPORT_H_INCLUDED_ */
