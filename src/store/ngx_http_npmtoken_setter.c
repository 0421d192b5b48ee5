
#include "ngx_http_npmtoken_setter.h"


char *
ngx_http_npmtoken_setter_invalid(ngx_conf_t *cf, ngx_str_t *value,
    char *expected)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive, "
                       "it must be %s", value, directive, expected);
    return NGX_CONF_ERROR;
}


char *
ngx_http_npmtoken_setter_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf,
    char *before, char *between)
{
    char  *p = conf;

    u_char           *last;
    ngx_str_t        *value;
    ngx_uint_t       *field, i;
    ngx_conf_enum_t  *e;
    u_char            expected[128];

    field = (ngx_uint_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    e = cmd->post;
    last = expected;

    for (i = 0; e[i].name.len; i++) {
        if (value[1].len == e[i].name.len
            && ngx_strcmp(value[1].data, e[i].name.data) == 0)
        {
            *field = e[i].value;
            return NGX_CONF_OK;
        }

        last = ngx_slprintf(last, expected + sizeof(expected) - 1,
                            "%s\"%V\"", i ? between : before, &e[i].name);
    }

    *last = '\0';

    return ngx_http_npmtoken_setter_invalid(cf, &value[1], (char *) expected);
}
