
/*
 * What the setters of directives share: of both front doors, and of a store's.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SETTER_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SETTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Logs that a value of the directive is none, and what it has to be.  Returns
 * NGX_CONF_ERROR.
 */
char *ngx_http_npmtoken_setter_invalid(ngx_conf_t *cf, ngx_str_t *value,
    char *expected);

/*
 * As ngx_conf_set_enum_slot(), but the message names the directive as well,
 * and all values: "before" the first, and "between" two.
 */
char *ngx_http_npmtoken_setter_enum(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf, char *before, char *between);


#endif /* _NGX_HTTP_NPMTOKEN_SETTER_H_INCLUDED_ */
