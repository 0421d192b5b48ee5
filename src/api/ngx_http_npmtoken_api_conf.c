
#include "ngx_http_npmtoken_api_conf.h"
#include "ngx_http_npmtoken_setter.h"


/* ten years, in seconds */
#define NGX_HTTP_NPMTOKEN_API_MAX_LIFETIME  (3650 * 24 * 60 * 60)


char *
ngx_http_npmtoken_api_conf_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_str_t  *value;

    if (alcf->name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                             "the name of a store or \"off\"");
    }

    alcf->name = value[1];
    alcf->in_location = (cf->cmd_type & NGX_HTTP_LOC_CONF) ? 1 : 0;

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_npmtoken_setter_enum(cf, cmd, conf, "", " or ");
}


char *
ngx_http_npmtoken_api_conf_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_int_t                        n;
    ngx_str_t                       *value;
    ngx_uint_t                      *field;
    ngx_http_npmtoken_api_bounds_t  *bounds;

    field = (ngx_uint_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    bounds = cmd->post;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR
        || (ngx_uint_t) n < bounds->min || (ngx_uint_t) n > bounds->max)
    {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                bounds->expected);
    }

    *field = n;

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_max_body(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (alcf->api.max_body != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[1]);

    if (size < 1024 || size > 1024 * 1024) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                "a size from 1k to 1m");
    }

    alcf->api.max_body = size;

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_replicas(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (alcf->api.replicas != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n > 100) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                   "a number from 0 to 100");
    }

    alcf->api.replicas = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    alcf->api.replicas_timeout = ngx_parse_time(&value[2], 0);

    if (alcf->api.replicas_timeout == (ngx_msec_t) NGX_ERROR
        || alcf->api.replicas_timeout == 0
        || alcf->api.replicas_timeout > 60000)
    {
        return ngx_http_npmtoken_setter_invalid(cf, &value[2],
                                                   "a time from 1ms to 60s");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_attempts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t   i, *fields[2];

    fields[0] = &alcf->api.account_attempts;
    fields[1] = &alcf->api.address_attempts;

    if (*fields[0] != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < 2; i++) {
        n = ngx_atoi(value[i + 1].data, value[i + 1].len);

        if (n == NGX_ERROR || n > 1000000) {
            return ngx_http_npmtoken_setter_invalid(cf, &value[i + 1],
                           "a number from 0, which is no limit, to 1000000");
        }

        *fields[i] = n;
    }

    if (cf->args->nelts == 3) {
        return NGX_CONF_OK;
    }

    alcf->api.attempts_time = ngx_parse_time(&value[3], 1);

    if (alcf->api.attempts_time < 1
        || alcf->api.attempts_time > 7 * 24 * 60 * 60)
    {
        return ngx_http_npmtoken_setter_invalid(cf, &value[3],
                                                "a time from 1s to 7d");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_session(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    time_t      time;
    ngx_str_t  *value;

    if (alcf->api.session != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    time = ngx_parse_time(&value[1], 1);

    if (time == (time_t) NGX_ERROR
        || (time && time < 60)
        || time > NGX_HTTP_NPMTOKEN_API_MAX_LIFETIME)
    {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                           "0, which is no limit, or a time from 1m to 3650d");
    }

    alcf->api.session = time;

    return NGX_CONF_OK;
}


/* npm states a lifetime in days, so shorter ones could not be asked for. */

char *
ngx_http_npmtoken_api_conf_lifetime(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_str_t   *value;
    time_t       times[2];
    ngx_uint_t   i;

    if (alcf->api.lifetime != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < 2; i++) {
        times[i] = ngx_parse_time(&value[i + 1], 1);

        if (times[i] == (time_t) NGX_ERROR
            || (times[i] && times[i] < 24 * 60 * 60)
            || times[i] > NGX_HTTP_NPMTOKEN_API_MAX_LIFETIME)
        {
            return ngx_http_npmtoken_setter_invalid(cf, &value[i + 1],
                           "0, which is no limit, or a time from 1d to 3650d");
        }
    }

    if (times[1] && (times[0] == 0 || times[0] > times[1])) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                           "a time up to the most that is allowed, which "
                           "comes second");
    }

    alcf->api.lifetime = times[0];
    alcf->api.lifetime_max = times[1];

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_reserved(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (alcf->api.reserved != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        alcf->api.reserved = NULL;
        return NGX_CONF_OK;
    }

    alcf->api.reserved = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                          sizeof(ngx_str_t));
    if (alcf->api.reserved == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!npmtoken_account_is_name(&value[i])
            || ngx_strcmp(value[i].data, "off") == 0)
        {
            return ngx_http_npmtoken_setter_invalid(cf, &value[i],
                           "names of 1 to 214 letters, digits and -._~@+, "
                           "or \"off\" alone");
        }

        name = ngx_array_push(alcf->api.reserved);
        *name = value[i];
    }

    return NGX_CONF_OK;
}


/*
 * A client may send any header, argument or cookie.  There are proxies that set
 * one and let none through, so this is no error.
 */

char *
ngx_http_npmtoken_api_conf_user(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_str_t                         *value, *name;
    ngx_http_compile_complex_value_t   ccv;

    static ngx_str_t  sent[] = {
        ngx_string("$http_"), ngx_string("${http_"), ngx_string("$arg_"),
        ngx_string("${arg_"), ngx_string("$cookie_"), ngx_string("${cookie_"),
        ngx_null_string
    };

    if (alcf->api.person != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        alcf->api.person = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                           "a value with a variable, or empty: everybody would "
                           "be that person");
    }

    for (name = sent; name->len; name++) {
        if (ngx_strnstr(value[1].data, (char *) name->data, value[1].len)) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"npmtoken_api_user %V\": a client can send "
                               "that itself, and be anybody, unless something "
                               "in front of nginx sets it", &value[1]);
            break;
        }
    }

    alcf->api.person = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (alcf->api.person == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = alcf->api.person;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* The URL is given to clients, which open it: so it is plain. */

char *
ngx_http_npmtoken_api_conf_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    size_t      i, start;
    u_char      ch, *p;
    ngx_str_t   url, *value;

    if (alcf->api.url.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    url = value[1];

    start = 0;

    if (url.len > 8 && ngx_strncmp(url.data, "https://", 8) == 0) {
        start = 8;

    } else if (url.len > 7 && ngx_strncmp(url.data, "http://", 7) == 0) {
        start = 7;
    }

    for (i = start; i < url.len; i++) {
        ch = url.data[i];

        if ((ch < '0' || ch > '9')
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && (ch == '\0' || ngx_strchr(".-_~:[]/@", ch) == NULL))
        {
            break;
        }
    }

    if (start == 0 || url.data[start] == '/' || i < url.len) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                           "a URL such as https://npm.example.com/ of letters, "
                           "digits and ./:@_~[]-");
    }

    if (url.data[url.len - 1] != '/') {

        p = ngx_pnalloc(cf->pool, url.len + 1);
        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(p, url.data, url.len);
        p[url.len++] = '/';

        url.data = p;
    }

    alcf->api.url = url;

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (alcf->api.issuer.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < ' ' || value[1].data[i] >= 0x7f
            || value[1].data[i] == ':')
        {
            break;
        }
    }

    if (value[1].len == 0 || value[1].len > 64 || i < value[1].len) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                           "1 to 64 ASCII characters, none of them a colon");
    }

    alcf->api.issuer = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_npmtoken_api_conf_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_npmtoken_api_loc_conf_t  *alcf = conf;

    ngx_str_t  *value;

    if (alcf->api.pool != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                "the name of a thread_pool");
    }

    alcf->api.pool = ngx_thread_pool_add(cf, &value[1]);

    return alcf->api.pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}
