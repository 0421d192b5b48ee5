
#include "ngx_http_npmtoken_store_conf.h"
#include "ngx_http_npmtoken_cluster.h"
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
static ngx_int_t ngx_http_npmtoken_store_conf_credentials(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_conf_ssl(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_conf_ssl_missing(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, char *missing, char *present);
static ngx_int_t ngx_http_npmtoken_store_conf_sentinels(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_conf_replicas(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_conf_records(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store);
static ngx_int_t ngx_http_npmtoken_store_conf_cache(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, void *tag);


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


ngx_int_t
ngx_http_npmtoken_store_conf_init(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout, void *tag)
{
    ngx_http_npmtoken_lookup_conf_t  *lookup;

    if (!store->defined) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"npmtoken_store\" \"%V\" is defined, "
                      "but it is used in %s:%ui",
                      &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    lookup = &store->lookup;

    if (lookup->endpoint.name.data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"redis\" in \"npmtoken_store\" \"%V\" in %s:%ui",
                      &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    ngx_conf_init_msec_value(lookup->timeout, 500);
    ngx_conf_init_msec_value(lookup->connect_timeout, 1000);
    ngx_conf_init_msec_value(lookup->bound, 1000);
    ngx_conf_init_uint_value(lookup->replicas, 0);
    ngx_conf_init_uint_value(lookup->queue, 1024);
    ngx_conf_init_uint_value(lookup->share, ngx_max(lookup->queue / 4, 1));
    ngx_conf_init_msec_value(lookup->endpoint.keepalive, 15 * 1000);
    ngx_conf_init_msec_value(lookup->endpoint.user_timeout, 5 * 1000);
    ngx_conf_init_uint_value(lookup->endpoint.replica, 0);

    ngx_conf_init_size_value(store->cache_size, 8 * 1024 * 1024);
    ngx_conf_init_msec_value(store->cache_ttl, 60 * 1000);
    ngx_conf_init_msec_value(store->negative_ttl, 5 * 1000);
    ngx_conf_init_msec_value(store->stale_reads, 0);
    ngx_conf_init_uint_value(store->push, 1);

    if (lookup->share > lookup->queue) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"lookup_share\" %ui is more than \"lookup_queue\" %ui "
                      "in \"npmtoken_store\" \"%V\" in %s:%ui",
                      lookup->share, lookup->queue, &store->name,
                      store->file, store->line);
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_store_conf_credentials(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_conf_ssl(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_conf_replicas(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_conf_records(cf, store) != NGX_OK
        || ngx_http_npmtoken_store_conf_cache(cf, store, tag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    lookup->listen = lookup->endpoint.kind == NGX_HTTP_NPMTOKEN_SENTINEL
                     && (!store->push || lookup->cache == NULL);

    store->feed_conf.store = store->name;
    store->feed_conf.bound = lookup->bound;
    store->feed_conf.replicas = lookup->replicas;
    store->feed_conf.connect_timeout = lookup->connect_timeout;
    store->feed_conf.endpoint = &lookup->endpoint;

    return ngx_http_npmtoken_endpoint_resolve(cf, &lookup->endpoint, resolver,
                                              resolver_timeout);
}


static ngx_int_t
ngx_http_npmtoken_store_conf_credentials(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = &store->lookup.endpoint;

    if ((endpoint->user.len && store->redis_user.len)
        || (endpoint->password.len && store->redis_password.len))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"npmtoken_store\" \"%V\" in %s:%ui has a user or "
                      "password in \"redis\" and in another directive",
                      &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    if (store->redis_user.len) {
        endpoint->user = store->redis_user;
    }

    if (store->redis_password.len) {
        endpoint->password = store->redis_password;
    }

    if (endpoint->user.len && endpoint->password.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"npmtoken_store\" \"%V\" in %s:%ui has the user "
                      "\"%V\" but no password",
                      &store->name, store->file, store->line,
                      &endpoint->user);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_store_conf_sentinels(cf, store);
}


static ngx_int_t
ngx_http_npmtoken_store_conf_sentinels(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char                          *err;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = &store->lookup.endpoint;
    endpoint->sentinel_timeout = store->lookup.connect_timeout;

    if (endpoint->kind != NGX_HTTP_NPMTOKEN_SENTINEL
        && (endpoint->sentinel_user.len || endpoint->sentinel_password.len))
    {
        err = "a user or password of sentinels, but no \"redis-sentinel://\"";

    } else if (endpoint->sentinel_user.len
               && endpoint->sentinel_password.len == 0)
    {
        err = "\"redis_sentinel_user\" but no "
              "\"redis_sentinel_password_file\"";

    } else if (endpoint->kind != NGX_HTTP_NPMTOKEN_SINGLE && endpoint->replica)
    {
        err = "\"redis_replica on\", which is for the URL of one server";

    } else {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"npmtoken_store\" \"%V\" in %s:%ui has %s",
                  &store->name, store->file, store->line, err);

    return NGX_ERROR;
}


/* a directive that would have no effect is a mistake: someone expects TLS */

static ngx_int_t
ngx_http_npmtoken_store_conf_ssl(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char                          *present, *wrong;
    ngx_http_npmtoken_endpoint_t  *endpoint;
    ngx_http_npmtoken_ssl_conf_t  *ssl;

    endpoint = &store->lookup.endpoint;
    ssl = &endpoint->ssl_conf;

    if (!endpoint->ssl) {
        present = ssl->name.data ? "redis_ssl_name"
                  : ssl->verify != NGX_CONF_UNSET_UINT ? "redis_ssl_verify"
                  : ssl->trusted.data ? "redis_ssl_trusted_certificate"
                  : ssl->crl.data ? "redis_ssl_crl"
                  : ssl->certificate.data ? "redis_ssl_certificate"
                  : ssl->key.data ? "redis_ssl_certificate_key"
                  : ssl->protocols ? "redis_ssl_protocols"
                  : ssl->ciphers.data ? "redis_ssl_ciphers"
                  : NULL;

        return present ? ngx_http_npmtoken_store_conf_ssl_missing(cf, store,
                                            "TLS in the URL (\"rediss://\")",
                                            present)
                       : NGX_OK;
    }

    if (ssl->certificate.len && ssl->key.len == 0) {
        return ngx_http_npmtoken_store_conf_ssl_missing(cf, store,
                                               "redis_ssl_certificate_key",
                                               "redis_ssl_certificate");
    }

    if (ssl->key.len && ssl->certificate.len == 0) {
        return ngx_http_npmtoken_store_conf_ssl_missing(cf, store,
                                               "redis_ssl_certificate",
                                               "redis_ssl_certificate_key");
    }

    ngx_conf_init_uint_value(ssl->verify, 1);

    if (!ssl->verify && (ssl->trusted.len || ssl->crl.len)) {
        return ngx_http_npmtoken_store_conf_ssl_missing(cf, store,
                                            "\"redis_ssl_verify on\"",
                                            ssl->crl.len
                                            ? "redis_ssl_crl"
                                            : "redis_ssl_trusted_certificate");
    }

    wrong = ngx_http_npmtoken_ssl_create(cf, ssl);

    if (wrong) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s in \"npmtoken_store\" \"%V\" in %s:%ui",
                      wrong, &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_ssl_missing(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, char *missing, char *present)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" needs %s in \"npmtoken_store\" \"%V\" in %s:%ui",
                  present, missing, &store->name, store->file, store->line);

    return NGX_ERROR;
}


/* without a feed there is no proof, and a replica takes no write */

static ngx_int_t
ngx_http_npmtoken_store_conf_replicas(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    char  *other;

    if (store->lookup.replicas == 0) {
        return NGX_OK;
    }

    other = !store->push ? "\"push off\""
            : store->cache_size == 0 ? "\"cache off\""
            : store->lookup.endpoint.replica ? "\"redis_replica on\""
            : NULL;

    if (other == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"proof_replicas\" %ui does not go with %s in "
                  "\"npmtoken_store\" \"%V\" in %s:%ui",
                  store->lookup.replicas, other, &store->name, store->file,
                  store->line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_store_conf_records(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store)
{
    u_char                        *p;
    ngx_str_t                     *records;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    endpoint = &store->lookup.endpoint;

    if (store->prefix.data == NULL) {

        if (endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER) {
            ngx_str_set(&store->prefix, "{npmtoken}:");

        } else {
            ngx_str_set(&store->prefix, "npmtoken:");
        }
    }

    if (endpoint->kind == NGX_HTTP_NPMTOKEN_CLUSTER
        && !ngx_http_npmtoken_cluster_hash_tag(&store->prefix))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"prefix\" \"%V\" has no hash tag, which a Redis "
                      "Cluster needs, as in \"{npmtoken}:\", in "
                      "\"npmtoken_store\" \"%V\" in %s:%ui",
                      &store->prefix, &store->name, store->file, store->line);
        return NGX_ERROR;
    }

    records = &endpoint->records;

    records->len = store->prefix.len + sizeof("token:") - 1;
    records->data = ngx_pnalloc(cf->pool, records->len);

    if (records->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(records->data, store->prefix.data, store->prefix.len);
    ngx_memcpy(p, "token:", sizeof("token:") - 1);

    /* too short for a record's, and in reach of the right to read these */

    endpoint->none.len = records->len + sizeof("none") - 1;
    endpoint->none.data = ngx_pnalloc(cf->pool, endpoint->none.len);

    if (endpoint->none.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(endpoint->none.data, records->data, records->len);
    ngx_memcpy(p, "none", sizeof("none") - 1);

    return NGX_OK;
}


/*
 * After a reload, old workers still use their zone.  The name of a zone
 * identifies what its entries and its proofs depend on, so another Redis,
 * database, prefix or "proof_replicas" gets another zone.
 */

static ngx_int_t
ngx_http_npmtoken_store_conf_cache(ngx_conf_t *cf,
    ngx_http_npmtoken_store_t *store, void *tag)
{
    u_char                        *p;
    ngx_str_t                      name;
    ngx_http_npmtoken_endpoint_t  *endpoint;

    if (store->cache_size == 0) {
        return NGX_OK;
    }

    endpoint = &store->lookup.endpoint;

    name.len = sizeof("npmtoken    ") - 1 + store->name.len
               + endpoint->name.len + store->prefix.len + NGX_INT_T_LEN;
    name.data = ngx_pnalloc(cf->pool, name.len);

    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name.data, "npmtoken %V %V %V", &store->name,
                    &endpoint->name, &store->prefix);

    if (store->lookup.replicas) {
        p = ngx_sprintf(p, " %ui", store->lookup.replicas);
    }

    name.len = p - name.data;

    store->lookup.cache = ngx_http_npmtoken_cache_add(cf, &name,
                                                      store->cache_size, tag);

    return store->lookup.cache ? NGX_OK : NGX_ERROR;
}
