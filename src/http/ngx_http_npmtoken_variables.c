
/*
 * A variable is computed when it is used.  Key, operation and package are
 * known before the access phase and can be used there, for example by
 * limit_req.  The other variables are empty until then.  No variable is
 * cacheable: the values change when the record arrives, and with each location
 * that judges.
 */


#include "ngx_http_npmtoken_variables.h"


/* hex digits; someone can find a token with the same 8 digits in minutes */
#define NGX_HTTP_NPMTOKEN_VARIABLE_KEY_LEN  32


static ngx_int_t ngx_http_npmtoken_variables_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_npmtoken_variables_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_npmtoken_variables_operation(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_npmtoken_variables_package(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_npmtoken_variables_verdict(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_npmtoken_variables_cache(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_npmtoken_variables_readonly(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_npmtoken_variables_set(ngx_http_variable_value_t *v,
    u_char *data, size_t len);


/* in the order of ngx_http_npmtoken_cached_e */

static ngx_str_t  ngx_http_npmtoken_cached[] = {
    ngx_string("off"),
    ngx_string("hit"),
    ngx_string("miss"),
    ngx_string("stale")
};


static ngx_http_variable_t  ngx_http_npmtoken_vars[] = {

    { ngx_string("npmtoken_user"), NULL,
      ngx_http_npmtoken_variables_user, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("npmtoken_key"), NULL,
      ngx_http_npmtoken_variables_key, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("npmtoken_operation"), NULL,
      ngx_http_npmtoken_variables_operation, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("npmtoken_package"), NULL,
      ngx_http_npmtoken_variables_package, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("npmtoken_verdict"), NULL,
      ngx_http_npmtoken_variables_verdict, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("npmtoken_cache"), NULL,
      ngx_http_npmtoken_variables_cache, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("npmtoken_readonly"), NULL,
      ngx_http_npmtoken_variables_readonly, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_npmtoken_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_npmtoken_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_npmtoken_ctx_t  *ctx;

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    if (ctx && ctx->concluded && ctx->verified) {
        ngx_http_npmtoken_variables_set(v, npmtoken_record_user(ctx->record),
                                        ctx->record->user_len);
    } else {
        ngx_http_npmtoken_variables_set(v, NULL, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_npmtoken_ctx_t  *ctx;

    ctx = ngx_http_npmtoken_request_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_request_parse(r, ctx);

    if (ngx_http_npmtoken_request_key(r, ctx)) {
        ngx_http_npmtoken_variables_set(v, ctx->key,
                                        NGX_HTTP_NPMTOKEN_VARIABLE_KEY_LEN);
    } else {
        ngx_http_npmtoken_variables_set(v, NULL, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_operation(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *name;
    npmtoken_op_e             operation;
    ngx_http_npmtoken_ctx_t  *ctx;

    ctx = ngx_http_npmtoken_request_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->concluded) {
        operation = ctx->operation;

    } else {
        ngx_http_npmtoken_request_parse(r, ctx);
        operation = ngx_http_npmtoken_request_operation(r->main, ctx);
    }

    name = npmtoken_operation_name(operation);

    ngx_http_npmtoken_variables_set(v, name->data, name->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_package(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  package;

    if (ngx_http_npmtoken_request_package(r->main, &package) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_variables_set(v, package.data, package.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_verdict(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *name;
    ngx_http_npmtoken_ctx_t  *ctx;

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    if (ctx && ctx->concluded) {
        name = &npmtoken_verdict_reason(ctx->reason)->name;
        ngx_http_npmtoken_variables_set(v, name->data, name->len);

    } else {
        ngx_http_npmtoken_variables_set(v, NULL, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_cache(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *name;
    ngx_http_npmtoken_ctx_t  *ctx;

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    if (ctx && ctx->concluded && ctx->store) {
        name = &ngx_http_npmtoken_cached[ctx->cached];
        ngx_http_npmtoken_variables_set(v, name->data, name->len);

    } else {
        ngx_http_npmtoken_variables_set(v, NULL, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_variables_readonly(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_npmtoken_ctx_t  *ctx;

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    if (ctx && ctx->concluded && ctx->store && ctx->record
        && !ctx->record->bad)
    {
        ngx_http_npmtoken_variables_set(v,
                              (u_char *) (ctx->record->readonly ? "1" : "0"),
                              1);
    } else {
        ngx_http_npmtoken_variables_set(v, NULL, 0);
    }

    return NGX_OK;
}


static void
ngx_http_npmtoken_variables_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
}
