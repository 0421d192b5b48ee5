
#include "ngx_http_npmtoken_store_conf.h"
#include "ngx_http_npmtoken_setter.h"


/* most bytes of a password file */
#define NGX_HTTP_NPMTOKEN_MAX_PASSWORD  4096

/* most bytes of "prefix" */
#define NGX_HTTP_NPMTOKEN_MAX_PREFIX                                          \
    (NGX_HTTP_NPMTOKEN_MAX_RECORDS - (sizeof("token:") - 1))

/* least "revocation_bound" in milliseconds; below, no proof can be in time */
#define NGX_HTTP_NPMTOKEN_MIN_BOUND     10


#define NGX_HTTP_NPMTOKEN_SSL_OFFSET(field)                                   \
    offsetof(ngx_http_npmtoken_store_t, lookup.endpoint.ssl_conf.field)


/* a directive of the block; only redis_ssl_protocols takes several values */

typedef struct {
    ngx_str_t             name;
    ngx_int_t           (*set)(ngx_conf_t *cf, ngx_str_t *value, void *field);
    ngx_uint_t            offset;      /* in the store */
} ngx_http_npmtoken_store_command_t;


static char *ngx_http_npmtoken_store_conf_command(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static void ngx_http_npmtoken_store_conf_braces(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_conf_set_url(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_user(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_password_file(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_ssl_name(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_ssl_text(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_ssl_protocols(
    ngx_conf_t *cf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_msec(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_msec_or_zero(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_bound(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_keepalive(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_msec(ngx_conf_t *cf,
    ngx_str_t *value, ngx_msec_t *msec, ngx_int_t min, char *expected);
static ngx_int_t ngx_http_npmtoken_store_conf_set_cache(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_flag(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_number(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_set_number_or_zero(
    ngx_conf_t *cf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_npmtoken_store_conf_number(ngx_conf_t *cf,
    ngx_str_t *value, ngx_uint_t *number, ngx_int_t min, char *expected);
static ngx_int_t ngx_http_npmtoken_store_conf_set_prefix(ngx_conf_t *cf,
    ngx_str_t *value, void *field);


static ngx_http_npmtoken_store_command_t  ngx_http_npmtoken_store_commands[] = {

    { ngx_string("redis"),
      ngx_http_npmtoken_store_conf_set_url,
      offsetof(ngx_http_npmtoken_store_t, lookup.endpoint) },

    { ngx_string("redis_user"),
      ngx_http_npmtoken_store_conf_set_user,
      offsetof(ngx_http_npmtoken_store_t, redis_user) },

    { ngx_string("redis_password_file"),
      ngx_http_npmtoken_store_conf_set_password_file,
      offsetof(ngx_http_npmtoken_store_t, redis_password) },

    { ngx_string("redis_sentinel_user"),
      ngx_http_npmtoken_store_conf_set_user,
      offsetof(ngx_http_npmtoken_store_t, lookup.endpoint.sentinel_user) },

    { ngx_string("redis_sentinel_password_file"),
      ngx_http_npmtoken_store_conf_set_password_file,
      offsetof(ngx_http_npmtoken_store_t,
               lookup.endpoint.sentinel_password) },

    { ngx_string("redis_keepalive"),
      ngx_http_npmtoken_store_conf_set_keepalive,
      offsetof(ngx_http_npmtoken_store_t, lookup.endpoint.keepalive) },

    { ngx_string("redis_user_timeout"),
      ngx_http_npmtoken_store_conf_set_msec_or_zero,
      offsetof(ngx_http_npmtoken_store_t, lookup.endpoint.user_timeout) },

    { ngx_string("redis_replica"),
      ngx_http_npmtoken_store_conf_set_flag,
      offsetof(ngx_http_npmtoken_store_t, lookup.endpoint.replica) },

    { ngx_string("redis_ssl_name"),
      ngx_http_npmtoken_store_conf_set_ssl_name,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(name) },

    { ngx_string("redis_ssl_verify"),
      ngx_http_npmtoken_store_conf_set_flag,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(verify) },

    { ngx_string("redis_ssl_trusted_certificate"),
      ngx_http_npmtoken_store_conf_set_ssl_text,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(trusted) },

    { ngx_string("redis_ssl_crl"),
      ngx_http_npmtoken_store_conf_set_ssl_text,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(crl) },

    { ngx_string("redis_ssl_certificate"),
      ngx_http_npmtoken_store_conf_set_ssl_text,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(certificate) },

    { ngx_string("redis_ssl_certificate_key"),
      ngx_http_npmtoken_store_conf_set_ssl_text,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(key) },

    { ngx_string("redis_ssl_protocols"),
      ngx_http_npmtoken_store_conf_set_ssl_protocols,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(protocols) },

    { ngx_string("redis_ssl_ciphers"),
      ngx_http_npmtoken_store_conf_set_ssl_text,
      NGX_HTTP_NPMTOKEN_SSL_OFFSET(ciphers) },

    { ngx_string("connect_timeout"),
      ngx_http_npmtoken_store_conf_set_msec,
      offsetof(ngx_http_npmtoken_store_t, lookup.connect_timeout) },

    { ngx_string("lookup_timeout"),
      ngx_http_npmtoken_store_conf_set_msec,
      offsetof(ngx_http_npmtoken_store_t, lookup.timeout) },

    { ngx_string("lookup_queue"),
      ngx_http_npmtoken_store_conf_set_number,
      offsetof(ngx_http_npmtoken_store_t, lookup.queue) },

    { ngx_string("lookup_share"),
      ngx_http_npmtoken_store_conf_set_number,
      offsetof(ngx_http_npmtoken_store_t, lookup.share) },

    { ngx_string("prefix"),
      ngx_http_npmtoken_store_conf_set_prefix,
      offsetof(ngx_http_npmtoken_store_t, prefix) },

    { ngx_string("cache"),
      ngx_http_npmtoken_store_conf_set_cache,
      offsetof(ngx_http_npmtoken_store_t, cache_size) },

    { ngx_string("cache_ttl"),
      ngx_http_npmtoken_store_conf_set_msec,
      offsetof(ngx_http_npmtoken_store_t, cache_ttl) },

    { ngx_string("negative_ttl"),
      ngx_http_npmtoken_store_conf_set_msec,
      offsetof(ngx_http_npmtoken_store_t, negative_ttl) },

    { ngx_string("revocation_bound"),
      ngx_http_npmtoken_store_conf_set_bound,
      offsetof(ngx_http_npmtoken_store_t, lookup.bound) },

    { ngx_string("push"),
      ngx_http_npmtoken_store_conf_set_flag,
      offsetof(ngx_http_npmtoken_store_t, push) },

    { ngx_string("proof_replicas"),
      ngx_http_npmtoken_store_conf_set_number_or_zero,
      offsetof(ngx_http_npmtoken_store_t, lookup.replicas) },

    { ngx_string("stale_reads"),
      ngx_http_npmtoken_store_conf_set_msec_or_zero,
      offsetof(ngx_http_npmtoken_store_t, stale_reads) },

    { ngx_null_string, NULL, 0 }
};


ngx_http_npmtoken_store_t *
ngx_http_npmtoken_store_conf_get(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_npmtoken_store_t   *store, **storep;

    storep = stores->elts;

    for (i = 0; i < stores->nelts; i++) {
        if (storep[i]->name.len == name->len
            && ngx_strncmp(storep[i]->name.data, name->data, name->len) == 0)
        {
            return storep[i];
        }
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_store_t));
    if (store == NULL) {
        return NULL;
    }

    store->name = *name;
    store->file = cf->conf_file->file.name.data;
    store->line = cf->conf_file->line;

    store->lookup.store = *name;
    store->lookup.timeout = NGX_CONF_UNSET_MSEC;
    store->lookup.connect_timeout = NGX_CONF_UNSET_MSEC;
    store->lookup.queue = NGX_CONF_UNSET_UINT;
    store->lookup.share = NGX_CONF_UNSET_UINT;
    store->lookup.bound = NGX_CONF_UNSET_MSEC;
    store->lookup.replicas = NGX_CONF_UNSET_UINT;
    store->lookup.endpoint.keepalive = NGX_CONF_UNSET_MSEC;
    store->lookup.endpoint.user_timeout = NGX_CONF_UNSET_MSEC;
    store->lookup.endpoint.replica = NGX_CONF_UNSET_UINT;
    store->lookup.endpoint.ssl_conf.verify = NGX_CONF_UNSET_UINT;

    store->cache_size = NGX_CONF_UNSET_SIZE;
    store->cache_ttl = NGX_CONF_UNSET_MSEC;
    store->negative_ttl = NGX_CONF_UNSET_MSEC;
    store->stale_reads = NGX_CONF_UNSET_MSEC;
    store->push = NGX_CONF_UNSET_UINT;

    storep = ngx_array_push(stores);
    if (storep == NULL) {
        return NULL;
    }

    *storep = store;

    return store;
}


char *
ngx_http_npmtoken_store_conf_block(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char        *rv;
    ngx_conf_t   save;

    if (store->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"npmtoken_store\" \"%V\"",
                           &store->name);
        return NGX_CONF_ERROR;
    }

    store->defined = 1;
    store->file = cf->conf_file->file.name.data;
    store->line = cf->conf_file->line;

    save = *cf;
    cf->handler = ngx_http_npmtoken_store_conf_command;
    cf->handler_conf = (void *) store;

    rv = ngx_conf_parse(cf, NULL);

    if (rv != NGX_CONF_OK) {
        ngx_http_npmtoken_store_conf_braces(cf, store);
    }

    *cf = save;

    return rv;
}


/* nginx does not call us for a brace, and says only 'unexpected "{"' */

static void
ngx_http_npmtoken_store_conf_braces(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts && value[0].data != store->parsed
        && ngx_strcmp(value[0].data, "prefix") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a \"prefix\" with braces needs quotes: "
                           "prefix \"{npmtoken}:\";");
    }
}


/*
 * The types of ngx_command_t have no free bit for a context of our own.  So
 * the block has its own table, as "types" and "map" do.
 */

static char *
ngx_http_npmtoken_store_conf_command(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_npmtoken_store_t  *store = conf;

    ngx_str_t                          *value;
    ngx_http_npmtoken_store_command_t  *command;

    value = cf->args->elts;
    store->parsed = value[0].data;

    if (ngx_strcmp(value[0].data, "include") == 0) {
        if (cf->args->nelts == 2) {
            return ngx_conf_include(cf, dummy, conf);
        }

        goto invalid;
    }

    for (command = ngx_http_npmtoken_store_commands;
         command->name.len;
         command++)
    {
        if (ngx_strcmp(value[0].data, command->name.data) != 0) {
            continue;
        }

        if (cf->args->nelts != 2
            && (cf->args->nelts < 2
                || command->set
                   != ngx_http_npmtoken_store_conf_set_ssl_protocols))
        {
            goto invalid;
        }

        if (command->set(cf, &value[1], (u_char *) store + command->offset)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"npmtoken_store\"",
                       &value[0]);
    return NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid number of arguments in \"%V\" directive",
                       &value[0]);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_duplicate(ngx_conf_t *cf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" directive is duplicate", &value[0]);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_invalid(ngx_conf_t *cf, char *expected)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    (void) ngx_http_npmtoken_setter_invalid(cf, &value[1], expected);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_url(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_http_npmtoken_endpoint_t  *endpoint = field;

    if (endpoint->name.data) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    return ngx_http_npmtoken_endpoint_parse(cf, value, endpoint);
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_user(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_str_t  *user = field;

    if (user->data) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    if (value->len == 0) {
        return ngx_http_npmtoken_store_conf_invalid(cf, "a name");
    }

    *user = *value;

    return NGX_OK;
}


/* the master reads the file, so a worker needs no right to */

static ngx_int_t
ngx_http_npmtoken_store_conf_set_password_file(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_str_t  *password = field;

    u_char     *buf;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   name;

    if (password->data) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_NPMTOKEN_MAX_PASSWORD);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed in "
                           "\"%V\" directive", &name,
                           (ngx_str_t *) cf->args->elts);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, NGX_HTTP_NPMTOKEN_MAX_PASSWORD);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    while (n > 0 && (buf[n - 1] == LF || buf[n - 1] == CR)) {
        n--;
    }

    if (n <= 0 || n == NGX_HTTP_NPMTOKEN_MAX_PASSWORD) {
        return ngx_http_npmtoken_store_conf_invalid(cf,
                                      "a file with one password in it");
    }

    password->data = buf;
    password->len = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_ssl_name(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_str_t  *name = field;

    if (name->data) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    if (value->len == 0 || value->len > NGX_HTTP_NPMTOKEN_SSL_NAME) {
        return ngx_http_npmtoken_store_conf_invalid(cf,
                                              "a name of 1 to 255 characters");
    }

    *name = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_ssl_text(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_str_t  *text = field;

    if (text->data) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    if (value->len == 0) {
        return ngx_http_npmtoken_store_conf_invalid(cf, "not empty");
    }

    *text = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_ssl_protocols(ngx_conf_t *cf,
    ngx_str_t *value, void *field)
{
    ngx_uint_t  *protocols = field;

    ngx_uint_t   i;

    if (*protocols) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    for (i = 0; i < cf->args->nelts - 1; i++) {

        if (ngx_strcmp(value[i].data, "TLSv1.2") == 0) {
            *protocols |= NGX_HTTP_NPMTOKEN_SSL_TLSv1_2;

        } else if (ngx_strcmp(value[i].data, "TLSv1.3") == 0) {
            *protocols |= NGX_HTTP_NPMTOKEN_SSL_TLSv1_3;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in "
                               "\"redis_ssl_protocols\" directive, it must be "
                               "\"TLSv1.2\", \"TLSv1.3\" or both", &value[i]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_msec(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    return ngx_http_npmtoken_store_conf_msec(cf, value, field, 1,
                                             "a time over 0");
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_msec_or_zero(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    return ngx_http_npmtoken_store_conf_msec(cf, value, field, 0, "a time");
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_bound(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    return ngx_http_npmtoken_store_conf_msec(cf, value, field,
                                             NGX_HTTP_NPMTOKEN_MIN_BOUND,
                                             "a time of 10ms or more");
}


/* the system takes seconds, at most 32767 */

static ngx_int_t
ngx_http_npmtoken_store_conf_set_keepalive(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_msec_t  *msec = field;

    if (ngx_http_npmtoken_store_conf_msec(cf, value, msec, 0,
                                          "a time from 1s to 9h, or 0")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (*msec && (*msec < 1000 || *msec > 9 * 3600 * 1000)) {
        return ngx_http_npmtoken_store_conf_invalid(cf,
                                               "a time from 1s to 9h, or 0");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_msec(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *msec, ngx_int_t min, char *expected)
{
    ngx_int_t  n;

    if (*msec != NGX_CONF_UNSET_MSEC) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n < min) {
        return ngx_http_npmtoken_store_conf_invalid(cf, expected);
    }

    *msec = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_cache(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    size_t  *size = field;

    ssize_t  n;

    if (*size != NGX_CONF_UNSET_SIZE) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    if (ngx_strcmp(value->data, "off") == 0) {
        *size = 0;
        return NGX_OK;
    }

    n = ngx_parse_size(value);

    if (n == NGX_ERROR || n < (ssize_t) NGX_HTTP_NPMTOKEN_MIN_CACHE) {
        return ngx_http_npmtoken_store_conf_invalid(cf,
                                         "a size of 64k or more, or \"off\"");
    }

    *size = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_flag(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_uint_t  *flag = field;

    if (*flag != NGX_CONF_UNSET_UINT) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    if (ngx_strcmp(value->data, "on") == 0) {
        *flag = 1;

    } else if (ngx_strcmp(value->data, "off") == 0) {
        *flag = 0;

    } else {
        return ngx_http_npmtoken_store_conf_invalid(cf, "\"on\" or \"off\"");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_number(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    return ngx_http_npmtoken_store_conf_number(cf, value, field, 1,
                                               "a number over 0");
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_number_or_zero(ngx_conf_t *cf,
    ngx_str_t *value, void *field)
{
    return ngx_http_npmtoken_store_conf_number(cf, value, field, 0,
                                               "a number");
}


static ngx_int_t
ngx_http_npmtoken_store_conf_number(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t *number, ngx_int_t min, char *expected)
{
    ngx_int_t  n;

    if (*number != NGX_CONF_UNSET_UINT) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n < min) {
        return ngx_http_npmtoken_store_conf_invalid(cf, expected);
    }

    *number = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_set_prefix(ngx_conf_t *cf, ngx_str_t *value,
    void *field)
{
    ngx_str_t  *prefix = field;

    size_t      i;

    if (prefix->data) {
        return ngx_http_npmtoken_store_conf_duplicate(cf);
    }

    if (value->len == 0 || value->len > NGX_HTTP_NPMTOKEN_MAX_PREFIX) {
        return ngx_http_npmtoken_store_conf_invalid(cf,
                                      "1 to 128 printable characters");
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return ngx_http_npmtoken_store_conf_invalid(cf,
                                          "1 to 128 printable characters");
        }
    }

    *prefix = *value;

    return NGX_OK;
}
