
/*
 * Reads the values of the token API's directives.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_CONF_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_CONF_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* the configuration of a location as it is read, before it is merged */

typedef struct {
    ngx_http_npmtoken_api_conf_t       api;        /* first, for handlers */
    ngx_str_t                          name;       /* of the store, or "off" */
    unsigned                           in_location:1;
} ngx_http_npmtoken_api_loc_conf_t;


/* the bounds of a number, and the text to log if it is outside of them */

typedef struct {
    ngx_uint_t                         min;
    ngx_uint_t                         max;
    char                              *expected;
} ngx_http_npmtoken_api_bounds_t;


/*
 * Each handles its directive, as "set" of ngx_command_t does.  It logs an
 * invalid value together with what is expected.
 */

char *ngx_http_npmtoken_api_conf_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_max_body(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_replicas(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_attempts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_session(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_lifetime(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_reserved(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_user(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Sets the value at cmd->offset of "conf".  cmd->post is an array of
 * ngx_conf_enum_t.
 */
char *ngx_http_npmtoken_api_conf_enum(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The same for a number.  cmd->post is ngx_http_npmtoken_api_bounds_t. */
char *ngx_http_npmtoken_api_conf_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_NPMTOKEN_API_CONF_H_INCLUDED_ */
