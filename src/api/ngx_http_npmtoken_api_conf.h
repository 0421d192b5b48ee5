
/*
 * The values of the token API's directives.
 */


#ifndef _NGX_HTTP_NPMTOKEN_API_CONF_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_API_CONF_H_INCLUDED_


#include "ngx_http_npmtoken_api.h"


/* what is read of a location, until it is merged */

typedef struct {
    ngx_http_npmtoken_api_conf_t       api;        /* first, for handlers */
    ngx_str_t                          name;       /* of the store; "off" */
    unsigned                           in_location:1;
} ngx_http_npmtoken_api_loc_conf_t;


/* the bounds of a number, and what is said of another */

typedef struct {
    ngx_uint_t                         min;
    ngx_uint_t                         max;
    char                              *expected;
} ngx_http_npmtoken_api_bounds_t;


/*
 * Each sets what its directive says, as ngx_command_t's "set" does; another
 * value is logged together with what it has to be.
 */

char *ngx_http_npmtoken_api_conf_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_max_body(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_replicas(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_attempts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_reserved(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_npmtoken_api_conf_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* at cmd->offset of "conf"; cmd->post is an array of ngx_conf_enum_t */
char *ngx_http_npmtoken_api_conf_enum(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the same; cmd->post is ngx_http_npmtoken_api_bounds_t */
char *ngx_http_npmtoken_api_conf_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_NPMTOKEN_API_CONF_H_INCLUDED_ */
