
/*
 * The front door: directives, configuration, phases.  The work is done in
 * src/, one directory for each concern; src/README.md is the map.
 */


#include "ngx_http_npmtoken_access.h"
#include "ngx_http_npmtoken_identity.h"
#include "ngx_http_npmtoken_ignored.h"
#include "ngx_http_npmtoken_redact.h"
#include "ngx_http_npmtoken_setter.h"
#include "ngx_http_npmtoken_store_complete.h"
#include "ngx_http_npmtoken_store_conf.h"
#include "ngx_http_npmtoken_variables.h"
#include "npmtoken_version.h"


typedef struct {
    ngx_array_t                   stores;      /* of pointers */
    unsigned                      warned:1;    /* npmtoken_unknown pass */
    unsigned                      identity:1;  /* somewhere */
    unsigned                      overruled:1; /* a denial can be */
} ngx_http_npmtoken_main_conf_t;


/* a directive with two values that may be a variable */

typedef struct {
    ngx_str_t                     on;
    ngx_str_t                     off;
} ngx_http_npmtoken_switch_values_t;


static void *ngx_http_npmtoken_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_npmtoken_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_npmtoken_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_npmtoken_warn_pass(ngx_conf_t *cf);
static void ngx_http_npmtoken_merge_switch(ngx_http_npmtoken_switch_t *conf,
    ngx_http_npmtoken_switch_t *prev);
static char *ngx_http_npmtoken_block_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_npmtoken_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_npmtoken_switch_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_npmtoken_enum_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_npmtoken_base_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_npmtoken_time_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_npmtoken_header_set(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_uint_t ngx_http_npmtoken_header_allowed(ngx_str_t *name);
static ngx_int_t ngx_http_npmtoken_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_npmtoken_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_npmtoken_init_phase(ngx_conf_t *cf,
    ngx_http_phases phase, ngx_http_handler_pt handler);
static ngx_int_t ngx_http_npmtoken_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_npmtoken_init_process(ngx_cycle_t *cycle);
static void ngx_http_npmtoken_exit_process(ngx_cycle_t *cycle);


static ngx_http_npmtoken_switch_values_t  ngx_http_npmtoken_anonymous_values = {
    ngx_string("read"), ngx_string("deny")
};


static ngx_http_npmtoken_switch_values_t  ngx_http_npmtoken_dry_run_values = {
    ngx_string("on"), ngx_string("off")
};


static ngx_conf_enum_t  ngx_http_npmtoken_unknown_values[] = {
    { ngx_string("deny"), NGX_HTTP_NPMTOKEN_UNKNOWN_DENY },
    { ngx_string("anonymous"), NGX_HTTP_NPMTOKEN_UNKNOWN_ANONYMOUS },
    { ngx_string("pass"), NGX_HTTP_NPMTOKEN_UNKNOWN_PASS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_npmtoken_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_npmtoken_flag_values[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_null_string, 0 }
};


/* headers that nginx or the protocol needs, in lower case */

static ngx_str_t  ngx_http_npmtoken_reserved[] = {
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("expect"),
    ngx_string("host"),
    ngx_string("keep-alive"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_null_string
};


static ngx_http_npmtoken_identity_conf_t  ngx_http_npmtoken_identity_off;


#define NGX_HTTP_NPMTOKEN_LOC_CONF                                            \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)

#define NGX_HTTP_NPMTOKEN_LMT_CONF                                            \
    (NGX_HTTP_NPMTOKEN_LOC_CONF|NGX_HTTP_LMT_CONF)


static ngx_command_t  ngx_http_npmtoken_commands[] = {

    { ngx_string("npmtoken_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_npmtoken_block_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_anonymous"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_switch_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, anonymous),
      &ngx_http_npmtoken_anonymous_values },

    { ngx_string("npmtoken_unknown"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_enum_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, unknown),
      &ngx_http_npmtoken_unknown_values },

    { ngx_string("npmtoken_checksum"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_enum_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, checksum),
      &ngx_http_npmtoken_flag_values },

    { ngx_string("npmtoken_base"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_base_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_dry_run"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_switch_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, dry_run),
      &ngx_http_npmtoken_dry_run_values },

    { ngx_string("npmtoken_intercept_errors"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_enum_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, intercept_errors),
      &ngx_http_npmtoken_flag_values },

    { ngx_string("npmtoken_log_level"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_enum_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, log_level),
      &ngx_http_npmtoken_log_levels },

    { ngx_string("npmtoken_expiry_notice"),
      NGX_HTTP_NPMTOKEN_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_time_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_loc_conf_t, expiry_notice),
      NULL },

    { ngx_string("npmtoken_identity"),
      NGX_HTTP_NPMTOKEN_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_npmtoken_header_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_npmtoken_module_ctx = {
    ngx_http_npmtoken_add_variables,       /* preconfiguration */
    ngx_http_npmtoken_init,                /* postconfiguration */

    ngx_http_npmtoken_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_npmtoken_create_loc_conf,     /* create location configuration */
    ngx_http_npmtoken_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_npmtoken_module = {
    NGX_MODULE_V1,
    &ngx_http_npmtoken_module_ctx,         /* module context */
    ngx_http_npmtoken_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_npmtoken_init_module,         /* init module */
    ngx_http_npmtoken_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_npmtoken_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_npmtoken_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_npmtoken_main_conf_t  *nmcf;

    nmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_main_conf_t));
    if (nmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&nmcf->stores, cf->pool, 2,
                       sizeof(ngx_http_npmtoken_store_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return nmcf;
}


static void *
ngx_http_npmtoken_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_npmtoken_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->anonymous.complex = NULL;
     *     conf->dry_run.complex = NULL;
     *     conf->base = { { 0, NULL }, { 0, NULL } };
     */

    conf->store = NGX_CONF_UNSET_PTR;
    conf->anonymous.value = NGX_CONF_UNSET;
    conf->dry_run.value = NGX_CONF_UNSET;
    conf->unknown = NGX_CONF_UNSET_UINT;
    conf->checksum = NGX_CONF_UNSET_UINT;
    conf->intercept_errors = NGX_CONF_UNSET_UINT;
    conf->log_level = NGX_CONF_UNSET_UINT;
    conf->expiry_notice = NGX_CONF_UNSET;
    conf->identity = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_npmtoken_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_npmtoken_loc_conf_t  *prev = parent;
    ngx_http_npmtoken_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_npmtoken_main_conf_t  *nmcf;

    ngx_conf_merge_ptr_value(conf->store, prev->store, NULL);
    ngx_conf_merge_uint_value(conf->unknown, prev->unknown,
                              NGX_HTTP_NPMTOKEN_UNKNOWN_DENY);
    ngx_conf_merge_uint_value(conf->checksum, prev->checksum, 0);
    ngx_conf_merge_str_value(conf->base.target, prev->base.target, "/");
    ngx_conf_merge_str_value(conf->base.uri, prev->base.uri, "/");
    ngx_conf_merge_uint_value(conf->intercept_errors, prev->intercept_errors,
                              0);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);
    ngx_conf_merge_sec_value(conf->expiry_notice, prev->expiry_notice,
                             7 * 24 * 60 * 60);
    ngx_conf_merge_ptr_value(conf->identity, prev->identity,
                             &ngx_http_npmtoken_identity_off);

    ngx_http_npmtoken_merge_switch(&conf->anonymous, &prev->anonymous);
    ngx_http_npmtoken_merge_switch(&conf->dry_run, &prev->dry_run);

    if (conf->store && conf->unknown == NGX_HTTP_NPMTOKEN_UNKNOWN_PASS) {
        ngx_http_npmtoken_warn_pass(cf);
    }

    /* a handler that no location needs is not registered */

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_npmtoken_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->identity->name.len) {
        nmcf->identity = 1;
    }

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY || conf->intercept_errors) {
        nmcf->overruled = 1;
    }

    return NGX_CONF_OK;
}


/* in other modes a lost record revokes; here it lifts a restriction */

static void
ngx_http_npmtoken_warn_pass(ngx_conf_t *cf)
{
    ngx_http_npmtoken_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_npmtoken_module);

    if (nmcf->warned) {
        return;
    }

    nmcf->warned = 1;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "with \"npmtoken_unknown pass\" a token without a record "
                  "is unrestricted: revoke by \"revoked_at\" and never by "
                  "deleting, give records no TTL, and let redis evict none");
}


static void
ngx_http_npmtoken_merge_switch(ngx_http_npmtoken_switch_t *conf,
    ngx_http_npmtoken_switch_t *prev)
{
    if (conf->value != NGX_CONF_UNSET) {
        return;
    }

    *conf = *prev;

    if (conf->value == NGX_CONF_UNSET) {
        conf->value = 0;
    }
}


static char *
ngx_http_npmtoken_block_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_npmtoken_main_conf_t  *nmcf = conf;

    ngx_str_t                  *value;
    ngx_http_npmtoken_store_t  *store;

    value = cf->args->elts;

    if (value[1].len == 0 || ngx_strcmp(value[1].data, "off") == 0) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                "a name other than \"off\"");
    }

    store = ngx_http_npmtoken_store_conf_get(cf, &nmcf->stores, &value[1]);
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_npmtoken_store_conf_block(cf, store);
}


static char *
ngx_http_npmtoken_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf = conf;

    ngx_str_t                      *value;
    ngx_http_npmtoken_main_conf_t  *nmcf;

    if (nlcf->store != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                              "the name of a store or \"off\"");
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        nlcf->store = NULL;
        return NGX_CONF_OK;
    }

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_npmtoken_module);

    nlcf->store = ngx_http_npmtoken_store_conf_get(cf, &nmcf->stores,
                                                   &value[1]);
    if (nlcf->store == NULL) {
        return NGX_CONF_ERROR;
    }

    nlcf->store->used = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_npmtoken_switch_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                          *value;
    ngx_http_npmtoken_switch_t         *sw;
    ngx_http_compile_complex_value_t    ccv;
    ngx_http_npmtoken_switch_values_t  *values;

    sw = (ngx_http_npmtoken_switch_t *) (p + cmd->offset);
    values = cmd->post;

    if (sw->value != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    sw->name = cmd->name;
    sw->on = values->on;
    sw->off = values->off;
    sw->value = 0;

    if (ngx_http_script_variables_count(&value[1])) {

        sw->complex = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (sw->complex == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[1];
        ccv.complex_value = sw->complex;

        return ngx_http_compile_complex_value(&ccv) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[1].data, values->on.data) == 0) {
        sw->value = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, values->off.data) == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive, "
                       "it must be \"%V\", \"%V\" or a variable",
                       &value[1], &cmd->name, &values->on, &values->off);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_npmtoken_enum_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_npmtoken_setter_enum(cf, cmd, conf, "one of ", ", ");
}


static char *
ngx_http_npmtoken_base_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf = conf;

    u_char     *buf;
    ngx_str_t  *value;

    if (nlcf->base.target.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    buf = ngx_pnalloc(cf->pool, 2 * (value[1].len + 1));
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (npmtoken_base_parse(&value[1], buf, &nlcf->base) != NGX_OK) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                             "a plain path such as \"/npm/\" "
                                             "or \"/groups/acme%2Fweb/npm/\"");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_npmtoken_time_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    time_t     *field;
    ngx_str_t  *value;

    field = (time_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *field = ngx_parse_time(&value[1], 1);

    if (*field == (time_t) NGX_ERROR) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                "a time in whole seconds");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_npmtoken_header_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf = conf;

    ngx_str_t                           *value, user;
    ngx_http_compile_complex_value_t     ccv;
    ngx_http_npmtoken_identity_conf_t   *identity;

    if (nlcf->identity != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        nlcf->identity = &ngx_http_npmtoken_identity_off;
        return NGX_CONF_OK;
    }

    if (!ngx_http_npmtoken_header_allowed(&value[1])) {
        return ngx_http_npmtoken_setter_invalid(cf, &value[1],
                                                "a header name that neither "
                                                "nginx nor HTTP itself needs, "
                                                "or \"off\"");
    }

    identity = ngx_pcalloc(cf->pool,
                           sizeof(ngx_http_npmtoken_identity_conf_t));
    if (identity == NULL) {
        return NGX_CONF_ERROR;
    }

    identity->lowcase = ngx_pnalloc(cf->pool, value[1].len);
    if (identity->lowcase == NULL) {
        return NGX_CONF_ERROR;
    }

    identity->name = value[1];
    identity->hash = ngx_hash_strlow(identity->lowcase, value[1].data,
                                     value[1].len);
    identity->authorization =
        (value[1].len == sizeof("Authorization") - 1
         && ngx_strcasecmp(value[1].data, (u_char *) "Authorization") == 0);

    ngx_str_set(&user, "$npmtoken_user");

    identity->user = (cf->args->nelts == 2
                      || ngx_strcmp(value[2].data, user.data) == 0);

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = cf->args->nelts == 3 ? &value[2] : &user;
    ccv.complex_value = &identity->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    nlcf->identity = identity;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_npmtoken_header_allowed(ngx_str_t *name)
{
    u_char      ch;
    size_t      i;
    ngx_str_t  *reserved;

    if (name->len == 0) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch < '0' || ch > '9') && ch != '-' && ch != '_'
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z'))
        {
            return 0;
        }
    }

    for (reserved = ngx_http_npmtoken_reserved; reserved->len; reserved++) {
        if (name->len == reserved->len
            && ngx_strncasecmp(name->data, reserved->data, name->len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_npmtoken_add_variables(ngx_conf_t *cf)
{
    return ngx_http_npmtoken_variables_add(cf);
}


static ngx_int_t
ngx_http_npmtoken_init(ngx_conf_t *cf)
{
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_npmtoken_store_t     **stores;
    ngx_http_npmtoken_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_npmtoken_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    stores = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {
        if (ngx_http_npmtoken_store_complete(cf, stores[i], clcf->resolver,
                                             clcf->resolver_timeout,
                                             &ngx_http_npmtoken_module)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (nmcf->identity
        && ngx_http_npmtoken_init_phase(cf, NGX_HTTP_PREACCESS_PHASE,
                                        ngx_http_npmtoken_identity_handler)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nmcf->stores.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_http_npmtoken_init_phase(cf, NGX_HTTP_POST_READ_PHASE,
                                     ngx_http_npmtoken_redact_handler)
        != NGX_OK
        || ngx_http_npmtoken_init_phase(cf, NGX_HTTP_ACCESS_PHASE,
                                        ngx_http_npmtoken_access_handler)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nmcf->overruled
        && ngx_http_npmtoken_init_phase(cf, NGX_HTTP_PRECONTENT_PHASE,
                                        ngx_http_npmtoken_access_precontent)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_init_phase(ngx_conf_t *cf, ngx_http_phases phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}


/*
 * Logs the version at each start and reload, since a reload may load new files
 * of the modules.  The second module calls this one and is not called.  It has
 * compared its own version before.
 */

static ngx_int_t
ngx_http_npmtoken_init_module(ngx_cycle_t *cycle)
{
    char                           *second;
    ngx_uint_t                      i;
    ngx_http_npmtoken_main_conf_t  *nmcf;

    static char  api[] = "ngx_http_npmtoken_api_module";

    if (ngx_test_config) {
        return NGX_OK;
    }

    second = NULL;

    for (i = 0; cycle->modules[i]; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, api) == 0) {
            second = api;
        }
    }

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "npmtoken %s: ngx_http_npmtoken_module%s%s",
                  npmtoken_version, second ? ", " : "", second ? second : "");

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_npmtoken_module);

    if (nmcf && nmcf->identity) {
        ngx_http_npmtoken_ignored_init();
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_npmtoken_store_t     **stores;
    ngx_http_npmtoken_main_conf_t  *nmcf;

    /* the cache manager and the cache loader call this, too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_npmtoken_module);
    if (nmcf == NULL) {
        return NGX_OK;
    }

    stores = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {
        if (ngx_http_npmtoken_store_start(stores[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_npmtoken_store_t     **stores;
    ngx_http_npmtoken_main_conf_t  *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_npmtoken_module);
    if (nmcf == NULL) {
        return;
    }

    stores = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {
        ngx_http_npmtoken_store_exit(stores[i]);
    }
}
