
/*
 * What the setters of directives share, in both modules and in the block of a
 * store.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SETTER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SETTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Logs that a value of the directive is invalid, and what is "expected".
 * Returns NGX_CONF_ERROR.
 */
char *ngx_http_npmtoken_setter_invalid(ngx_conf_t *cf, ngx_str_t *value,
    char *expected);

/*
 * Like ngx_conf_set_enum_slot(), but the message also names the directive and
 * all values.  "before" stands before the first value, "between" between two.
 * Returns NGX_CONF_OK, "is duplicate", or NGX_CONF_ERROR with a line logged.
 */
char *ngx_http_npmtoken_setter_enum(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf, char *before, char *between);


#endif /* _NGX_HTTP_NPMTOKEN_SETTER_H_INCLUDED_ */
