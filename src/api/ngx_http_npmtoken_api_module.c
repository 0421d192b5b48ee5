
/*
 * The front door of the token API: directives, configuration, phase.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_npmtoken_api_conf.h"
#include "ngx_http_npmtoken_api_handler.h"
#include "ngx_http_npmtoken_api_session.h"
#include "npmtoken_version.h"


#if !(NGX_THREADS)
#error "the token API needs nginx --with-threads, since it hashes passwords in "
       "threads"
#endif


typedef struct {
    ngx_array_t                        commands;   /* of pointers */
    ngx_array_t                        walks;      /* the same */
    unsigned                           used:1;
    unsigned                           page:1;     /* it is on somewhere */
} ngx_http_npmtoken_api_main_conf_t;


static void *ngx_http_npmtoken_api_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_npmtoken_api_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_npmtoken_api_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_npmtoken_api_use(ngx_conf_t *cf,
    ngx_http_npmtoken_api_loc_conf_t *conf);
static ngx_int_t ngx_http_npmtoken_api_check_version(ngx_conf_t *cf);
static ngx_int_t ngx_http_npmtoken_api_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_npmtoken_api_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_npmtoken_api_init_process(ngx_cycle_t *cycle);
static void ngx_http_npmtoken_api_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_npmtoken_api_logins[] = {
    { ngx_string("accounts"), NGX_HTTP_NPMTOKEN_API_ACCOUNTS },
    { ngx_string("proxy"), NGX_HTTP_NPMTOKEN_API_PROXY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_npmtoken_api_flags[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_npmtoken_api_permissions[] = {
    { ngx_string("full"), 0 },
    { ngx_string("read-only"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_npmtoken_api_reauths[] = {
    { ngx_string("password"), NGX_HTTP_NPMTOKEN_API_REAUTH_PASSWORD },
    { ngx_string("code"), NGX_HTTP_NPMTOKEN_API_REAUTH_CODE },
    { ngx_string("off"), NGX_HTTP_NPMTOKEN_API_REAUTH_OFF },
    { ngx_null_string, 0 }
};


static ngx_http_npmtoken_api_bounds_t  ngx_http_npmtoken_api_tokens = {
    1, 10000, "a number from 1 to 10000"
};


static ngx_http_npmtoken_api_bounds_t  ngx_http_npmtoken_api_cidrs = {
    1, 1000, "a number from 1 to 1000"
};


/*
 * Names that nobody can get by signing up, by default: a registry may trust
 * these by name alone.  The first ones are groups and roles of registries.
 */

static ngx_str_t  ngx_http_npmtoken_api_names[] = {
    ngx_string("all"),
    ngx_string("@all"),
    ngx_string("anonymous"),
    ngx_string("@anonymous"),
    ngx_string("authenticated"),
    ngx_string("@authenticated"),
    ngx_string("everyone"),
    ngx_string("public"),
    ngx_string("guest"),
    ngx_string("nobody"),
    ngx_string("ghost"),
    ngx_string("undefined"),
    ngx_string("null"),
    ngx_string("root"),
    ngx_string("admin"),
    ngx_string("admins"),
    ngx_string("administrator"),
    ngx_string("administrators"),
    ngx_string("maintainer"),
    ngx_string("maintainers"),
    ngx_string("developer"),
    ngx_string("developers"),
    ngx_string("owner"),
    ngx_string("system"),
    ngx_string("support"),
    ngx_string("security"),
    ngx_string("npm"),
    ngx_string("nginx"),
    ngx_string("registry"),
    ngx_string("verdaccio")
};

#define NGX_HTTP_NPMTOKEN_API_NAMES                                           \
    (sizeof(ngx_http_npmtoken_api_names)                                      \
     / sizeof(ngx_http_npmtoken_api_names[0]))


static ngx_array_t  ngx_http_npmtoken_api_reserved_names = {
    ngx_http_npmtoken_api_names, NGX_HTTP_NPMTOKEN_API_NAMES,
    sizeof(ngx_str_t), NGX_HTTP_NPMTOKEN_API_NAMES, NULL
};


#define NGX_HTTP_NPMTOKEN_API_LOC_CONF                                        \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_command_t  ngx_http_npmtoken_api_commands[] = {

    { ngx_string("npmtoken_api"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_store,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_login"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, login),
      &ngx_http_npmtoken_api_logins },

    { ngx_string("npmtoken_api_signup"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, signup),
      &ngx_http_npmtoken_api_flags },

    { ngx_string("npmtoken_api_permission"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, unstated),
      &ngx_http_npmtoken_api_permissions },

    { ngx_string("npmtoken_api_replicas"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_npmtoken_api_conf_replicas,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_attempts"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_npmtoken_api_conf_attempts,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_otp_reuse"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, reuse),
      &ngx_http_npmtoken_api_flags },

    { ngx_string("npmtoken_api_session"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_session,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_lifetime"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_npmtoken_api_conf_lifetime,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_max_tokens"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_number,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, max_tokens),
      &ngx_http_npmtoken_api_tokens },

    { ngx_string("npmtoken_api_max_cidrs"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_number,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, max_cidrs),
      &ngx_http_npmtoken_api_cidrs },

    { ngx_string("npmtoken_api_max_body"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_max_body,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_reserved"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_npmtoken_api_conf_reserved,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_page"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, page),
      &ngx_http_npmtoken_api_flags },

    { ngx_string("npmtoken_api_user"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_user,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_reauth"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, reauth),
      &ngx_http_npmtoken_api_reauths },

    { ngx_string("npmtoken_api_web_otp"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_npmtoken_api_conf_t, web_otp),
      &ngx_http_npmtoken_api_flags },

    { ngx_string("npmtoken_api_url"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_issuer"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_issuer,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("npmtoken_api_thread_pool"),
      NGX_HTTP_NPMTOKEN_API_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_npmtoken_api_conf_pool,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_npmtoken_api_module_ctx = {
    ngx_http_npmtoken_api_check_version,     /* preconfiguration */
    ngx_http_npmtoken_api_init,              /* postconfiguration */

    ngx_http_npmtoken_api_create_main_conf,  /* create main configuration */
    NULL,                                    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_npmtoken_api_create_loc_conf,   /* create location configuration */
    ngx_http_npmtoken_api_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_npmtoken_api_module = {
    NGX_MODULE_V1,
    &ngx_http_npmtoken_api_module_ctx,       /* module context */
    ngx_http_npmtoken_api_commands,          /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    ngx_http_npmtoken_api_init_module,       /* init module */
    ngx_http_npmtoken_api_init_process,      /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    ngx_http_npmtoken_api_exit_process,      /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_npmtoken_api_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_npmtoken_api_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_api_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->commands, cf->pool, 4,
                       sizeof(ngx_http_npmtoken_commands_t *))
        != NGX_OK
        || ngx_array_init(&conf->walks, cf->pool, 4,
                          sizeof(ngx_http_npmtoken_walk_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_npmtoken_api_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_npmtoken_api_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_api_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->name = { 0, NULL };
     *     conf->in_location = 0;
     *     conf->api.store = NULL;
     *     conf->api.issuer = { 0, NULL };
     *     conf->api.url = { 0, NULL };
     */

    conf->api.login = NGX_CONF_UNSET_UINT;
    conf->api.signup = NGX_CONF_UNSET_UINT;
    conf->api.unstated = NGX_CONF_UNSET_UINT;
    conf->api.replicas = NGX_CONF_UNSET_UINT;
    conf->api.replicas_timeout = NGX_CONF_UNSET_MSEC;
    conf->api.account_attempts = NGX_CONF_UNSET_UINT;
    conf->api.address_attempts = NGX_CONF_UNSET_UINT;
    conf->api.attempts_time = NGX_CONF_UNSET;
    conf->api.reserved = NGX_CONF_UNSET_PTR;
    conf->api.reuse = NGX_CONF_UNSET_UINT;
    conf->api.session = NGX_CONF_UNSET;
    conf->api.lifetime = NGX_CONF_UNSET;
    conf->api.lifetime_max = NGX_CONF_UNSET;
    conf->api.max_tokens = NGX_CONF_UNSET_UINT;
    conf->api.max_cidrs = NGX_CONF_UNSET_UINT;
    conf->api.max_body = NGX_CONF_UNSET_SIZE;
    conf->api.pool = NGX_CONF_UNSET_PTR;
    conf->api.page = NGX_CONF_UNSET_UINT;
    conf->api.web_otp = NGX_CONF_UNSET_UINT;
    conf->api.person = NGX_CONF_UNSET_PTR;
    conf->api.reauth = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_npmtoken_api_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_npmtoken_api_loc_conf_t  *prev = parent;
    ngx_http_npmtoken_api_loc_conf_t  *conf = child;

    ngx_conf_merge_str_value(conf->name, prev->name, "off");

    ngx_conf_merge_uint_value(conf->api.login, prev->api.login,
                              NGX_HTTP_NPMTOKEN_API_ACCOUNTS);
    ngx_conf_merge_uint_value(conf->api.signup, prev->api.signup, 0);
    ngx_conf_merge_uint_value(conf->api.unstated, prev->api.unstated, 0);
    ngx_conf_merge_uint_value(conf->api.replicas, prev->api.replicas, 0);
    ngx_conf_merge_msec_value(conf->api.replicas_timeout,
                              prev->api.replicas_timeout, 1000);
    ngx_conf_merge_uint_value(conf->api.account_attempts,
                              prev->api.account_attempts, 10);
    ngx_conf_merge_uint_value(conf->api.address_attempts,
                              prev->api.address_attempts, 50);
    ngx_conf_merge_sec_value(conf->api.attempts_time,
                             prev->api.attempts_time, 15 * 60);
    ngx_conf_merge_ptr_value(conf->api.reserved, prev->api.reserved,
                             &ngx_http_npmtoken_api_reserved_names);
    ngx_conf_merge_uint_value(conf->api.reuse, prev->api.reuse, 1);
    ngx_conf_merge_sec_value(conf->api.session, prev->api.session,
                             12 * 60 * 60);
    ngx_conf_merge_sec_value(conf->api.lifetime, prev->api.lifetime, 0);
    ngx_conf_merge_sec_value(conf->api.lifetime_max, prev->api.lifetime_max,
                             0);
    ngx_conf_merge_uint_value(conf->api.max_tokens, prev->api.max_tokens,
                              200);
    ngx_conf_merge_uint_value(conf->api.max_cidrs, prev->api.max_cidrs, 64);
    ngx_conf_merge_size_value(conf->api.max_body, prev->api.max_body,
                              16 * 1024);
    ngx_conf_merge_str_value(conf->api.issuer, prev->api.issuer, "npm");
    ngx_conf_merge_ptr_value(conf->api.pool, prev->api.pool, NULL);
    ngx_conf_merge_uint_value(conf->api.page, prev->api.page, 0);
    ngx_conf_merge_uint_value(conf->api.web_otp, prev->api.web_otp, 0);
    ngx_conf_merge_ptr_value(conf->api.person, prev->api.person, NULL);
    ngx_conf_merge_uint_value(conf->api.reauth, prev->api.reauth,
                              NGX_HTTP_NPMTOKEN_API_REAUTH_CODE);
    ngx_conf_merge_str_value(conf->api.url, prev->api.url, "");

    if (ngx_strcmp(conf->name.data, "off") == 0) {
        return NGX_CONF_OK;
    }

    return ngx_http_npmtoken_api_use(cf, conf);
}


/*
 * The API answers only requests judged in the same location by the same store.
 * If a location enforces nothing, such as one for error pages, then an
 * inherited "npmtoken_api" does nothing there.
 */

static char *
ngx_http_npmtoken_api_use(ngx_conf_t *cf,
    ngx_http_npmtoken_api_loc_conf_t *conf)
{
    ngx_http_npmtoken_loc_conf_t       *nlcf;
    ngx_http_npmtoken_api_main_conf_t  *amcf;

    nlcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_npmtoken_module);

    if (nlcf->store == NULL && !conf->in_location) {
        return NGX_CONF_OK;
    }

    if (nlcf->store == NULL
        || nlcf->store->name.len != conf->name.len
        || ngx_memcmp(nlcf->store->name.data, conf->name.data,
                      conf->name.len)
           != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"npmtoken_api %V\" needs \"npmtoken %V\" in the same "
                      "location", &conf->name, &conf->name);
        return NGX_CONF_ERROR;
    }

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_npmtoken_api_module);

    if (conf->api.pool == NULL) {
        conf->api.pool = ngx_thread_pool_add(cf, NULL);

        if (conf->api.pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    nlcf->denied = ngx_http_npmtoken_api_handler_denied;
    nlcf->base.page = conf->api.page;

    if (conf->api.page) {
        amcf->page = 1;
    }

    conf->api.store = nlcf->store;
    conf->api.commands = ngx_http_npmtoken_command_get(cf, &amcf->commands,
                                                       nlcf->store);
    if (conf->api.commands == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->api.walk = ngx_http_npmtoken_walk_get(cf, &amcf->walks,
                                                conf->api.commands,
                                                nlcf->store);
    amcf->used = 1;

    return conf->api.walk ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* Both modules use the same structures, so they must be of one version. */

static ngx_int_t
ngx_http_npmtoken_api_check_version(ngx_conf_t *cf)
{
    if (ngx_strcmp(npmtoken_version, NPMTOKEN_VERSION) == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "ngx_http_npmtoken_api_module is of version %s, but "
                  "ngx_http_npmtoken_module is of version %s: install both "
                  "from the same version", NPMTOKEN_VERSION,
                  npmtoken_version);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_api_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt                *h;
    ngx_http_core_main_conf_t          *cmcf;
    ngx_http_npmtoken_api_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_npmtoken_api_module);

    if (!amcf->used) {
        return NGX_OK;
    }

    if (npmtoken_otp_init() != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "npmtoken_api: liboath cannot be used");
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_npmtoken_api_handler;

    if (!amcf->page) {
        return NGX_OK;
    }

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_npmtoken_api_session_handler;

    return NGX_OK;
}


/*
 * A finished thread notifies nginx through the event method.  Some event
 * methods cannot be notified.
 */

static ngx_int_t
ngx_http_npmtoken_api_init_module(ngx_cycle_t *cycle)
{
    char                               **name;
    ngx_event_conf_t                    *ecf;
    ngx_http_npmtoken_api_main_conf_t   *amcf;

    static char  *methods[] = { "epoll", "kqueue", "eventport", NULL };

    amcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_npmtoken_api_module);

    if (amcf == NULL || !amcf->used) {
        return NGX_OK;
    }

    ecf = ngx_event_get_conf(cycle->conf_ctx, ngx_event_core_module);

    for (name = methods; *name; name++) {
        if (ngx_strcmp(ecf->name, *name) == 0) {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "\"npmtoken_api\" does not work with \"use %s\": nginx "
                  "has no threads there", ecf->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_api_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_npmtoken_commands_t      **commands;
    ngx_http_npmtoken_api_main_conf_t  *amcf;

    /* the cache manager and the cache loader call this as well */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    amcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_npmtoken_api_module);
    if (amcf == NULL) {
        return NGX_OK;
    }

    commands = amcf->commands.elts;

    for (i = 0; i < amcf->commands.nelts; i++) {
        if (ngx_http_npmtoken_command_start(commands[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_npmtoken_commands_t      **commands;
    ngx_http_npmtoken_api_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_npmtoken_api_module);
    if (amcf == NULL) {
        return;
    }

    commands = amcf->commands.elts;

    for (i = 0; i < amcf->commands.nelts; i++) {
        ngx_http_npmtoken_command_exit(commands[i]);
    }
}
