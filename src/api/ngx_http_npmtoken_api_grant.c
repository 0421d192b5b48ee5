
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "npmtoken_cidr.h"


/* bytes */
#define NGX_HTTP_NPMTOKEN_API_MAX_LABEL        100
#define NGX_HTTP_NPMTOKEN_API_MAX_DESCRIPTION  1024

/* entries in a list of packages or scopes */
#define NGX_HTTP_NPMTOKEN_API_MAX_LIST         100

#define NGX_HTTP_NPMTOKEN_API_MAX_DAYS         36500

#define NGX_HTTP_NPMTOKEN_API_DAY              86400


/*
 * A member of a body.  "read" returns NGX_OK, or NGX_ERROR after it has
 * answered.
 */

typedef struct {
    const char             *name;
    ngx_uint_t              granular;
    ngx_int_t             (*read)(ngx_http_npmtoken_api_ctx_t *ctx,
                                  json_t *value);
} ngx_http_npmtoken_api_member_t;


static ngx_int_t ngx_http_npmtoken_api_grant_member(
    ngx_http_npmtoken_api_ctx_t *ctx, const char *name, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_nothing(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_name(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_description(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_text(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value, size_t max,
    ngx_str_t *text);
static ngx_int_t ngx_http_npmtoken_api_grant_readonly(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_bypass(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_packages_all(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_permission(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_orgs(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_expires(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static void ngx_http_npmtoken_api_grant_too_long(
    ngx_http_npmtoken_api_ctx_t *ctx, time_t days);
static ngx_int_t ngx_http_npmtoken_api_grant_packages(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_scopes(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_grant_cidrs(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_uint_t ngx_http_npmtoken_api_grant_is_one(ngx_str_t *entry);
static ngx_int_t ngx_http_npmtoken_api_grant_names(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value, ngx_array_t *list);
static ngx_int_t ngx_http_npmtoken_api_grant_list(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value, ngx_uint_t max,
    ngx_array_t *list);


/* the members that npm sends to make a token */

static ngx_http_npmtoken_api_member_t  ngx_http_npmtoken_api_members[] = {

    { "password", 0, ngx_http_npmtoken_api_grant_nothing },

    /* npm 5 to 11.6.2 */

    { "readonly", 0, ngx_http_npmtoken_api_grant_readonly },
    { "cidr_whitelist", 0, ngx_http_npmtoken_api_grant_cidrs },

    /* later npm: granular tokens */

    { "name", 1, ngx_http_npmtoken_api_grant_name },
    { "description", 1, ngx_http_npmtoken_api_grant_description },
    { "expires", 1, ngx_http_npmtoken_api_grant_expires },
    { "packages", 1, ngx_http_npmtoken_api_grant_packages },
    { "packages_all", 1, ngx_http_npmtoken_api_grant_packages_all },
    { "scopes", 1, ngx_http_npmtoken_api_grant_scopes },
    { "orgs", 1, ngx_http_npmtoken_api_grant_orgs },
    { "packages_and_scopes_permission", 1,
      ngx_http_npmtoken_api_grant_permission },
    { "orgs_permission", 1, ngx_http_npmtoken_api_grant_orgs },
    { "bypass_2fa", 1, ngx_http_npmtoken_api_grant_bypass },

    { NULL, 0, NULL }
};


ngx_int_t
ngx_http_npmtoken_api_grant_read(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t                         *value;
    ngx_pool_t                     *pool;
    const char                     *name;
    ngx_http_npmtoken_api_grant_t  *grant;

    pool = ctx->request->pool;
    grant = &ctx->grant;

    grant->expires_at = NPMTOKEN_NEVER;

    if (ngx_array_init(&grant->cidrs, pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&grant->packages, pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&grant->scopes, pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    json_object_foreach(ctx->body, name, value) {
        if (ngx_http_npmtoken_api_grant_member(ctx, name, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (grant->all && (grant->packages.nelts || grant->scopes.nelts)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "A token is for all packages, or for some. Leave out "
                     "--packages-all, or --packages and --scopes.", NULL);
    }

    if (grant->granular && !grant->stated && ctx->conf->unstated) {
        grant->readonly = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_member(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *name, json_t *value)
{
    ngx_str_t                        quoted;
    ngx_http_npmtoken_api_member_t  *member;

    for (member = ngx_http_npmtoken_api_members; member->name; member++) {

        if (ngx_strcmp(member->name, name) != 0) {
            continue;
        }

        if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN
            && member->read == ngx_http_npmtoken_api_grant_name)
        {
            /* in a login, this is the name of the account */
            return NGX_OK;
        }

        ctx->grant.granular |= member->granular;

        return json_is_null(value) ? NGX_OK : member->read(ctx, value);
    }

    /* a login has CouchDB's members, and those of the document that npm read */

    if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN) {
        return NGX_OK;
    }

    quoted.data = (u_char *) name;
    quoted.len = ngx_strlen(name);

    if (quoted.len > 64) {

        /* do not cut within a UTF-8 character */

        for (quoted.len = 64; (name[quoted.len] & 0xc0) == 0x80; ) {
            quoted.len--;
        }
    }

    ngx_http_npmtoken_api_answer_error_quote(ctx, NGX_HTTP_BAD_REQUEST,
                                 "This registry does not support",
                                 &quoted);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_nothing(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_name(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return ngx_http_npmtoken_api_grant_text(ctx, value,
                                            NGX_HTTP_NPMTOKEN_API_MAX_LABEL,
                                            &ctx->grant.name);
}


static ngx_int_t
ngx_http_npmtoken_api_grant_description(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return ngx_http_npmtoken_api_grant_text(ctx, value,
                                         NGX_HTTP_NPMTOKEN_API_MAX_DESCRIPTION,
                                         &ctx->grant.description);
}


static ngx_int_t
ngx_http_npmtoken_api_grant_text(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value, size_t max, ngx_str_t *text)
{
    size_t  i;

    if (!json_is_string(value)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "The name and the description of a token are strings.",
                     NULL);
    }

    text->data = (u_char *) json_string_value(value);
    text->len = json_string_length(value);

    if (text->len > max) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "The name of a token has at most 100 bytes, its "
                     "description 1024.", NULL);
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] == 0x7f) {
            return ngx_http_npmtoken_api_answer_bad(ctx,
                     "The name and the description of a token are one line "
                     "each, without control characters.", NULL);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_readonly(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (!json_is_boolean(value)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                                                "readonly is true or false.",
                                                NULL);
    }

    if (json_is_true(value)) {
        ctx->grant.readonly = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_bypass(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (!json_is_boolean(value)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                                                "bypass_2fa is true or false.",
                                                NULL);
    }

    ctx->grant.bypass_2fa = json_is_true(value) ? 1 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_packages_all(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (!json_is_boolean(value)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                                         "packages_all is true or false.",
                                         NULL);
    }

    ctx->grant.all = json_is_true(value) ? 1 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_permission(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    const char  *permission;

    permission = json_is_string(value) ? json_string_value(value) : "";

    ctx->grant.stated = 1;

    if (ngx_strcmp(permission, "read-only") == 0) {
        ctx->grant.readonly = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(permission, "read-write") == 0) {
        return NGX_OK;
    }

    return ngx_http_npmtoken_api_answer_bad(ctx,
                     "This registry supports the permissions read-only and "
                     "read-write, and no others.", NULL);
}


/* A token with rights for an organisation would be a token without limits. */

static ngx_int_t
ngx_http_npmtoken_api_grant_orgs(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (json_is_array(value) && json_array_size(value) == 0) {
        return NGX_OK;
    }

    return ngx_http_npmtoken_api_answer_bad(ctx,
                     "This registry cannot limit a token to organisations. "
                     "Leave out --orgs and --orgs-permission.", NULL);
}


static ngx_int_t
ngx_http_npmtoken_api_grant_expires(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    time_t      max;
    json_int_t  days;

    days = json_is_integer(value) ? json_integer_value(value) : 0;

    if (days < 1 || days > NGX_HTTP_NPMTOKEN_API_MAX_DAYS) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "expires is a number of days, from 1 to 36500.", NULL);
    }

    max = ctx->conf->lifetime_max;

    /* a login is bounded by npmtoken_api_session */

    if (max
        && days > max / NGX_HTTP_NPMTOKEN_API_DAY
        && ctx->call != NGX_HTTP_NPMTOKEN_API_LOGIN)
    {
        ngx_http_npmtoken_api_grant_too_long(ctx,
                                             max / NGX_HTTP_NPMTOKEN_API_DAY);
        return NGX_ERROR;
    }

    ctx->grant.expires_at = time(NULL) + days * NGX_HTTP_NPMTOKEN_API_DAY;

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_grant_too_long(ngx_http_npmtoken_api_ctx_t *ctx,
    time_t days)
{
    u_char  *p, buf[sizeof("A token is good for at most  days here. Ask for "
                           "fewer with --expires.") + NGX_TIME_T_LEN];

    p = ngx_sprintf(buf, "A token is good for at most %T days here. Ask for "
                    "fewer with --expires.", days);
    *p = '\0';

    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN, (char *) buf);
}


static ngx_int_t
ngx_http_npmtoken_api_grant_packages(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return ngx_http_npmtoken_api_grant_names(ctx, value, &ctx->grant.packages);
}


static ngx_int_t
ngx_http_npmtoken_api_grant_scopes(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    u_char      *p;
    ngx_str_t   *scope;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_grant_names(ctx, value, &ctx->grant.scopes)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* npm lets users omit the "@" */

    scope = ctx->grant.scopes.elts;

    for (i = 0; i < ctx->grant.scopes.nelts; i++) {
        if (scope[i].len == 0 || scope[i].data[0] == '@') {
            continue;
        }

        p = ngx_pnalloc(ctx->request->pool, scope[i].len + 1);
        if (p == NULL) {
            ngx_http_npmtoken_api_answer_failed(ctx);
            return NGX_ERROR;
        }

        *p = '@';
        ngx_memcpy(p + 1, scope[i].data, scope[i].len);

        scope[i].data = p;
        scope[i].len++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_cidrs(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    u_char       buf[NPMTOKEN_CIDR_PACKED_MAX];
    ngx_str_t   *cidr;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_grant_list(ctx, value, ctx->conf->max_cidrs,
                                         &ctx->grant.cidrs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cidr = ctx->grant.cidrs.elts;

    for (i = 0; i < ctx->grant.cidrs.nelts; i++) {

        if (ngx_http_npmtoken_api_grant_cidr(&cidr[i], buf) > 0) {
            continue;
        }

        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "CIDR whitelist contains invalid CIDR entry", &cidr[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_api_grant_cidr(ngx_str_t *entry, u_char *buf)
{
    if (!ngx_http_npmtoken_api_grant_is_one(entry)) {
        return NGX_ERROR;
    }

    return npmtoken_cidr_pack(entry, buf);
}


/* Commas separate the entries of a record, and blanks may surround them. */

static ngx_uint_t
ngx_http_npmtoken_api_grant_is_one(ngx_str_t *entry)
{
    size_t  i;

    for (i = 0; i < entry->len; i++) {
        if (entry->data[i] <= ' ' || entry->data[i] == ',') {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_names(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value, ngx_array_t *list)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_grant_list(ctx, value,
                                         NGX_HTTP_NPMTOKEN_API_MAX_LIST, list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* an empty list is ambiguous: no packages or all; npm omits it */

    if (list->nelts == 0) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "An empty list of packages or scopes is no limit: leave "
                     "it out, or name some.", NULL);
    }

    name = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (!ngx_http_npmtoken_api_grant_is_one(&name[i])) {
            return ngx_http_npmtoken_api_answer_bad(ctx,
                     "Each entry of a list of packages or scopes is one "
                     "name.", NULL);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_grant_list(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value, ngx_uint_t max, ngx_array_t *list)
{
    size_t      i;
    json_t     *entry;
    ngx_str_t  *text;

    if (!json_is_array(value)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "CIDRs, packages and scopes are lists of strings.", NULL);
    }

    if (json_array_size(value) > max) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "This list of CIDRs, packages or scopes is longer than a "
                     "token may have.", NULL);
    }

    json_array_foreach(value, i, entry) {

        if (!json_is_string(entry)) {
            return ngx_http_npmtoken_api_answer_bad(ctx,
                     "CIDRs, packages and scopes are lists of strings.", NULL);
        }

        text = ngx_array_push(list);
        if (text == NULL) {
            ngx_http_npmtoken_api_answer_failed(ctx);
            return NGX_ERROR;
        }

        text->data = (u_char *) json_string_value(entry);
        text->len = json_string_length(entry);
    }

    return NGX_OK;
}


void
ngx_http_npmtoken_api_grant_login(ngx_http_npmtoken_api_ctx_t *ctx)
{
    time_t  session;

    session = ctx->conf->session;

    if (session) {
        ngx_str_set(&ctx->grant.session, "login");
        ctx->grant.expires_at = ngx_min(ctx->grant.expires_at,
                                        time(NULL) + session);
    }
}
