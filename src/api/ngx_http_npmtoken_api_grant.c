
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_text.h"
#include "npmtoken_cidr.h"
#include "npmtoken_list.h"


/* bytes */
#define NGX_HTTP_NPMTOKEN_API_MAX_LABEL        100
#define NGX_HTTP_NPMTOKEN_API_MAX_DESCRIPTION  1024

/* entries of a list of packages or scopes */
#define NGX_HTTP_NPMTOKEN_API_MAX_LIST         100

#define NGX_HTTP_NPMTOKEN_API_MAX_DAYS         36500

#define NGX_HTTP_NPMTOKEN_API_DAY              86400


/* a member of a body; "read" returns NGX_OK, or NGX_ERROR and has answered */

typedef struct {
    const char             *name;
    ngx_uint_t              granular;
    ngx_int_t             (*read)(ngx_http_npmtoken_api_ctx_t *ctx,
                                  json_t *value);
} ngx_http_npmtoken_api_member_t;


static ngx_int_t ngx_http_npmtoken_api_member(
    ngx_http_npmtoken_api_ctx_t *ctx, const char *name, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_bad(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence);
static ngx_int_t ngx_http_npmtoken_api_nothing(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_name(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_description(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_text(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value, size_t max, ngx_str_t *text);
static ngx_int_t ngx_http_npmtoken_api_read_readonly(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_cidrs(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_packages(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_packages_all(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_scopes(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_orgs(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_permission(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_expires(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_bypass(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value);
static ngx_int_t ngx_http_npmtoken_api_read_list(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value, ngx_uint_t max,
    ngx_array_t *list);
static ngx_int_t ngx_http_npmtoken_api_read_names(
    ngx_http_npmtoken_api_ctx_t *ctx, json_t *value, ngx_array_t *list);
static ngx_uint_t ngx_http_npmtoken_api_is_one(ngx_str_t *entry);
static ngx_int_t ngx_http_npmtoken_api_cidr(ngx_str_t *entry, u_char *buf);
static ngx_str_t *ngx_http_npmtoken_api_field(npmtoken_field_t *fields,
    ngx_uint_t nfields, char *name);
static ngx_int_t ngx_http_npmtoken_api_narrow_cidrs(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *outer);
static ngx_int_t ngx_http_npmtoken_api_split(ngx_str_t *list, ngx_pool_t *pool,
    ngx_array_t *entries);
static ngx_int_t ngx_http_npmtoken_api_add(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *args, char *name, ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_api_add_list(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_array_t *args, char *name,
    ngx_array_t *list);
static ngx_int_t ngx_http_npmtoken_api_add_all(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_array_t *args);
static ngx_int_t ngx_http_npmtoken_api_test(ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_json_list(ngx_str_t *list);
static ngx_int_t ngx_http_npmtoken_api_json_more(json_t *json,
    npmtoken_field_t *fields, ngx_uint_t nfields);
static json_t *ngx_http_npmtoken_api_json_time(ngx_str_t *seconds);


/* the members that npm sends to make a token */

static ngx_http_npmtoken_api_member_t  ngx_http_npmtoken_api_members[] = {

    { "password", 0, ngx_http_npmtoken_api_nothing },

    /* npm 5 to 11.6.2 */

    { "readonly", 0, ngx_http_npmtoken_api_read_readonly },
    { "cidr_whitelist", 0, ngx_http_npmtoken_api_read_cidrs },

    /* later ones: granular tokens */

    { "name", 1, ngx_http_npmtoken_api_read_name },
    { "description", 1, ngx_http_npmtoken_api_read_description },
    { "expires", 1, ngx_http_npmtoken_api_read_expires },
    { "packages", 1, ngx_http_npmtoken_api_read_packages },
    { "packages_all", 1, ngx_http_npmtoken_api_read_packages_all },
    { "scopes", 1, ngx_http_npmtoken_api_read_scopes },
    { "orgs", 1, ngx_http_npmtoken_api_read_orgs },
    { "packages_and_scopes_permission", 1,
      ngx_http_npmtoken_api_read_permission },
    { "orgs_permission", 1, ngx_http_npmtoken_api_read_orgs },
    { "bypass_2fa", 1, ngx_http_npmtoken_api_read_bypass },

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
        ngx_http_npmtoken_api_failed(ctx);
        return NGX_ERROR;
    }

    json_object_foreach(ctx->body, name, value) {
        if (ngx_http_npmtoken_api_member(ctx, name, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (grant->all && (grant->packages.nelts || grant->scopes.nelts)) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "A token is for all packages, or for some. Leave out "
                     "--packages-all, or --packages and --scopes.");
    }

    if (grant->granular && !grant->stated && ctx->conf->unstated) {
        grant->readonly = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_member(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *name, json_t *value)
{
    ngx_str_t                        quoted;
    ngx_http_npmtoken_api_member_t  *member;

    for (member = ngx_http_npmtoken_api_members; member->name; member++) {

        if (ngx_strcmp(member->name, name) != 0) {
            continue;
        }

        if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN
            && member->read == ngx_http_npmtoken_api_read_name)
        {
            /* there it is the account's */
            return NGX_OK;
        }

        ctx->grant.granular |= member->granular;

        return json_is_null(value) ? NGX_OK : member->read(ctx, value);
    }

    /* login comes with CouchDB's members, and those of a document it read */

    if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN) {
        return NGX_OK;
    }

    quoted.data = (u_char *) name;
    quoted.len = ngx_strlen(name);

    if (quoted.len > 64) {

        /* not within a character of UTF-8 */

        for (quoted.len = 64; (name[quoted.len] & 0xc0) == 0x80; ) {
            quoted.len--;
        }
    }

    ngx_http_npmtoken_api_error_quote(ctx, NGX_HTTP_BAD_REQUEST,
                                 "This registry does not know what to do with",
                                 &quoted);
    return NGX_ERROR;
}


/* npm takes a 400 to a login for "there is no such user" */

static ngx_int_t
ngx_http_npmtoken_api_bad(ngx_http_npmtoken_api_ctx_t *ctx,
    const char *sentence)
{
    ngx_http_npmtoken_api_error(ctx,
                                ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN
                                ? 422 : NGX_HTTP_BAD_REQUEST, sentence);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_api_nothing(ngx_http_npmtoken_api_ctx_t *ctx, json_t *value)
{
    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_name(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return ngx_http_npmtoken_api_text(ctx, value,
                                      NGX_HTTP_NPMTOKEN_API_MAX_LABEL,
                                      &ctx->grant.name);
}


static ngx_int_t
ngx_http_npmtoken_api_read_description(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return ngx_http_npmtoken_api_text(ctx, value,
                                      NGX_HTTP_NPMTOKEN_API_MAX_DESCRIPTION,
                                      &ctx->grant.description);
}


static ngx_int_t
ngx_http_npmtoken_api_text(ngx_http_npmtoken_api_ctx_t *ctx, json_t *value,
    size_t max, ngx_str_t *text)
{
    size_t  i;

    if (!json_is_string(value)) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "The name and the description of a token are texts.");
    }

    text->data = (u_char *) json_string_value(value);
    text->len = json_string_length(value);

    if (text->len > max) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "The name of a token has at most 100 bytes, its "
                     "description 1024.");
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] == 0x7f) {
            return ngx_http_npmtoken_api_bad(ctx,
                     "The name and the description of a token are one line "
                     "of text without control characters.");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_readonly(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (!json_is_boolean(value)) {
        return ngx_http_npmtoken_api_bad(ctx, "readonly is true or false.");
    }

    if (json_is_true(value)) {
        ctx->grant.readonly = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_bypass(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (!json_is_boolean(value)) {
        return ngx_http_npmtoken_api_bad(ctx, "bypass_2fa is true or false.");
    }

    ctx->grant.bypass_2fa = json_is_true(value) ? 1 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_packages_all(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (!json_is_boolean(value)) {
        return ngx_http_npmtoken_api_bad(ctx,
                                         "packages_all is true or false.");
    }

    ctx->grant.all = json_is_true(value) ? 1 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_permission(ngx_http_npmtoken_api_ctx_t *ctx,
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

    return ngx_http_npmtoken_api_bad(ctx,
                     "This registry knows the permissions read-only and "
                     "read-write; others it cannot keep.");
}


/* a token that may do something to an organisation is one without limits */

static ngx_int_t
ngx_http_npmtoken_api_read_orgs(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    if (json_is_array(value) && json_array_size(value) == 0) {
        return NGX_OK;
    }

    return ngx_http_npmtoken_api_bad(ctx,
                     "This registry cannot limit a token to organisations. "
                     "Leave out --orgs and --orgs-permission.");
}


static ngx_int_t
ngx_http_npmtoken_api_read_expires(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    json_int_t  days;

    days = json_is_integer(value) ? json_integer_value(value) : 0;

    if (days < 1 || days > NGX_HTTP_NPMTOKEN_API_MAX_DAYS) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "expires is a number of days, from 1 to 36500.");
    }

    ctx->grant.expires_at = time(NULL) + days * NGX_HTTP_NPMTOKEN_API_DAY;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_packages(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    return ngx_http_npmtoken_api_read_names(ctx, value, &ctx->grant.packages);
}


static ngx_int_t
ngx_http_npmtoken_api_read_scopes(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    u_char      *p;
    ngx_str_t   *scope;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_read_names(ctx, value, &ctx->grant.scopes)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* npm lets people write them without the "@" */

    scope = ctx->grant.scopes.elts;

    for (i = 0; i < ctx->grant.scopes.nelts; i++) {
        if (scope[i].len == 0 || scope[i].data[0] == '@') {
            continue;
        }

        p = ngx_pnalloc(ctx->request->pool, scope[i].len + 1);
        if (p == NULL) {
            ngx_http_npmtoken_api_failed(ctx);
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
ngx_http_npmtoken_api_read_cidrs(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value)
{
    u_char       buf[NPMTOKEN_CIDR_PACKED_MAX];
    ngx_str_t   *cidr;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_read_list(ctx, value, ctx->conf->max_cidrs,
                                        &ctx->grant.cidrs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cidr = ctx->grant.cidrs.elts;

    for (i = 0; i < ctx->grant.cidrs.nelts; i++) {

        if (ngx_http_npmtoken_api_cidr(&cidr[i], buf) > 0) {
            continue;
        }

        ngx_http_npmtoken_api_error_quote(ctx,
                     ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN
                     ? 422 : NGX_HTTP_BAD_REQUEST,
                     "CIDR whitelist contains invalid CIDR entry", &cidr[i]);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_cidr(ngx_str_t *entry, u_char *buf)
{
    if (!ngx_http_npmtoken_api_is_one(entry)) {
        return NGX_ERROR;
    }

    return npmtoken_cidr_pack(entry, buf);
}


/* in a record, commas part entries, and blanks may stand around them */

static ngx_uint_t
ngx_http_npmtoken_api_is_one(ngx_str_t *entry)
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
ngx_http_npmtoken_api_read_names(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value, ngx_array_t *list)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (ngx_http_npmtoken_api_read_list(ctx, value,
                                        NGX_HTTP_NPMTOKEN_API_MAX_LIST, list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* limited to nothing, or not limited? npm leaves an empty one out */

    if (list->nelts == 0) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "An empty list of packages or scopes is no limit: leave "
                     "it out, or name some.");
    }

    name = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (!ngx_http_npmtoken_api_is_one(&name[i])) {
            return ngx_http_npmtoken_api_bad(ctx,
                     "A list of packages or scopes has one name in each "
                     "entry.");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_read_list(ngx_http_npmtoken_api_ctx_t *ctx,
    json_t *value, ngx_uint_t max, ngx_array_t *list)
{
    size_t      i;
    json_t     *entry;
    ngx_str_t  *text;

    if (!json_is_array(value)) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "CIDRs, packages and scopes are lists of texts.");
    }

    if (json_array_size(value) > max) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "This is a longer list of CIDRs, packages or scopes "
                     "than a token may have here.");
    }

    json_array_foreach(value, i, entry) {

        if (!json_is_string(entry)) {
            return ngx_http_npmtoken_api_bad(ctx,
                     "CIDRs, packages and scopes are lists of texts.");
        }

        text = ngx_array_push(list);
        if (text == NULL) {
            ngx_http_npmtoken_api_failed(ctx);
            return NGX_ERROR;
        }

        text->data = (u_char *) json_string_value(entry);
        text->len = json_string_length(entry);
    }

    return NGX_OK;
}


/*
 * A read-only token gets nowhere near this, nor does one that may write some
 * packages alone: making a token is a write about no package.
 */

ngx_int_t
ngx_http_npmtoken_api_grant_narrow(ngx_http_npmtoken_api_ctx_t *ctx)
{
    int64_t     end;
    ngx_str_t  *cidrs;

    cidrs = ngx_http_npmtoken_api_field(ctx->bearer_fields,
                                        ctx->nbearer_fields,
                                        "cidr_whitelist");

    if (cidrs && ngx_http_npmtoken_api_narrow_cidrs(ctx, cidrs) != NGX_OK) {
        return NGX_ERROR;
    }

    end = ngx_min(ctx->bearer->expires_at, ctx->bearer->vanishes_at);

    if (ctx->grant.expires_at == NPMTOKEN_NEVER) {
        ctx->grant.expires_at = end;
        return NGX_OK;
    }

    if (ctx->grant.expires_at > end) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                     "A token cannot make one that outlives it. Ask for "
                     "fewer days, or log in with npm login.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_str_t *
ngx_http_npmtoken_api_field(npmtoken_field_t *fields, ngx_uint_t nfields,
    char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < nfields; i++) {
        if (fields[i].name.len == ngx_strlen(name)
            && ngx_memcmp(fields[i].name.data, name, fields[i].name.len) == 0)
        {
            return &fields[i].value;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_npmtoken_api_narrow_cidrs(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *outer)
{
    u_char      *ranges, buf[NPMTOKEN_CIDR_PACKED_MAX];
    ssize_t      n, len;
    ngx_str_t   *cidr;
    ngx_uint_t   i;

    if (ctx->grant.cidrs.nelts == 0) {

        if (ngx_http_npmtoken_api_split(outer, ctx->request->pool,
                                        &ctx->grant.cidrs)
            == NGX_OK)
        {
            return NGX_OK;
        }

        ngx_http_npmtoken_api_failed(ctx);
        return NGX_ERROR;
    }

    ranges = ngx_pnalloc(ctx->request->pool, npmtoken_cidr_size(outer));
    if (ranges == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return NGX_ERROR;
    }

    len = npmtoken_cidr_pack(outer, ranges);

    cidr = ctx->grant.cidrs.elts;

    for (i = 0; i < ctx->grant.cidrs.nelts; i++) {
        n = ngx_http_npmtoken_api_cidr(&cidr[i], buf);

        if (len < 0
            || npmtoken_cidr_within(buf, n, ranges, len) != NGX_OK)
        {
            ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                     "A token cannot make one for addresses that it is not "
                     "good for itself. Log in with npm login first.");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* NGX_OK or NGX_ERROR (no memory) */

static ngx_int_t
ngx_http_npmtoken_api_split(ngx_str_t *list, ngx_pool_t *pool,
    ngx_array_t *entries)
{
    ngx_int_t   rc;
    ngx_str_t   rest, *entry;

    rest = *list;

    do {
        entry = ngx_array_push(entries);
        if (entry == NULL) {
            return NGX_ERROR;
        }

        rc = npmtoken_list_next(&rest, entry);

    } while (rc == NGX_OK);

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_api_grant_record(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_pool_t   *pool;
    ngx_array_t  *args;

    pool = ctx->request->pool;
    args = &ctx->record;

    ctx->token.len = NPMTOKEN_TOKEN_LEN;
    ctx->token.data = ngx_pnalloc(pool, NPMTOKEN_TOKEN_LEN);

    if (ctx->token.data == NULL
        || ngx_array_init(args, pool, 16, sizeof(npmtoken_field_t)) != NGX_OK)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return NGX_ERROR;
    }

    npmtoken_token_make(ctx->token.data);

    if (npmtoken_digest_key(&ctx->token, ctx->key) != NGX_OK
        || ngx_http_npmtoken_api_now(pool, &ctx->created) != NGX_OK
        || ngx_http_npmtoken_api_add_all(ctx, args) != NGX_OK)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_test(ctx);
}


static ngx_int_t
ngx_http_npmtoken_api_add_all(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *args)
{
    ngx_str_t                       shown, expires;
    ngx_http_npmtoken_api_grant_t  *grant;

    static ngx_str_t  yes = ngx_string("true");
    static ngx_str_t  no = ngx_string("false");

    grant = &ctx->grant;

    shown.data = ctx->token.data;
    shown.len = NPMTOKEN_TOKEN_SHOWN;

    if (ngx_http_npmtoken_api_add(ctx, args, "user", &ctx->user) != NGX_OK
        || ngx_http_npmtoken_api_add(ctx, args, "readonly",
                                     grant->readonly ? &yes : &no) != NGX_OK
        || ngx_http_npmtoken_api_add(ctx, args, "created", &ctx->created)
           != NGX_OK
        || ngx_http_npmtoken_api_add(ctx, args, "updated", &ctx->created)
           != NGX_OK
        || ngx_http_npmtoken_api_add(ctx, args, "name", &grant->name)
           != NGX_OK
        || ngx_http_npmtoken_api_add(ctx, args, "token", &shown) != NGX_OK
        || ngx_http_npmtoken_api_add_list(ctx, args, "cidr_whitelist",
                                          &grant->cidrs) != NGX_OK
        || ngx_http_npmtoken_api_add_list(ctx, args, "packages",
                                          &grant->packages) != NGX_OK
        || ngx_http_npmtoken_api_add_list(ctx, args, "scopes",
                                          &grant->scopes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (grant->description.len
        && ngx_http_npmtoken_api_add(ctx, args, "description",
                                     &grant->description) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (grant->bypass_2fa
        && ngx_http_npmtoken_api_add(ctx, args, "bypass_2fa", &yes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (grant->expires_at == NPMTOKEN_NEVER) {
        return NGX_OK;
    }

    expires.data = ngx_pnalloc(ctx->request->pool, NGX_INT64_LEN);
    if (expires.data == NULL) {
        return NGX_ERROR;
    }

    expires.len = ngx_sprintf(expires.data, "%L", grant->expires_at)
                  - expires.data;

    return ngx_http_npmtoken_api_add(ctx, args, "expires_at", &expires);
}


static ngx_int_t
ngx_http_npmtoken_api_add(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *args, char *name, ngx_str_t *value)
{
    npmtoken_field_t  *field;

    field = ngx_array_push(args);
    if (field == NULL) {
        return NGX_ERROR;
    }

    field->name.data = (u_char *) name;
    field->name.len = ngx_strlen(name);
    field->value = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_add_list(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *args, char *name, ngx_array_t *list)
{
    size_t       len;
    u_char      *p;
    ngx_str_t    value, *entry;
    ngx_uint_t   i;

    if (list->nelts == 0) {
        return NGX_OK;
    }

    entry = list->elts;
    len = 0;

    for (i = 0; i < list->nelts; i++) {
        len += entry[i].len + 1;
    }

    value.data = ngx_pnalloc(ctx->request->pool, len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = value.data;

    for (i = 0; i < list->nelts; i++) {
        p = ngx_cpymem(p, entry[i].data, entry[i].len);
        *p++ = ',';
    }

    value.len = len - 1;

    return ngx_http_npmtoken_api_add(ctx, args, name, &value);
}


/* what those who enforce it will make of it: the same code decides here */

static ngx_int_t
ngx_http_npmtoken_api_test(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t          n;
    npmtoken_field_t   *fields, *bad;
    npmtoken_record_t  *record;

    fields = ctx->record.elts;
    n = ctx->record.nelts;

    if (npmtoken_record_fits(fields, n) != NGX_OK) {
        return ngx_http_npmtoken_api_bad(ctx,
                     "A token with so much in it would be good nowhere. "
                     "Give it shorter lists of CIDRs, packages or scopes.");
    }

    record = ngx_palloc(ctx->request->pool, npmtoken_record_size(fields, n));
    if (record == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return NGX_ERROR;
    }

    bad = npmtoken_record_parse(record, fields, n);

    if (bad == NULL) {
        return NGX_OK;
    }

    ngx_http_npmtoken_api_error_quote(ctx,
                     ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN
                     ? 422 : NGX_HTTP_BAD_REQUEST,
                     "A token cannot be made with these", &bad->name);
    return NGX_ERROR;
}


json_t *
ngx_http_npmtoken_api_grant_json(ngx_str_t *key, ngx_str_t *token,
    npmtoken_field_t *fields, ngx_uint_t nfields)
{
    json_t     *json, *cidrs;
    ngx_str_t  *name, *readonly, *created, *updated, none, unnamed;

    ngx_str_null(&none);
    ngx_str_set(&unnamed, "unnamed");

    name = ngx_http_npmtoken_api_field(fields, nfields, "name");
    readonly = ngx_http_npmtoken_api_field(fields, nfields, "readonly");
    created = ngx_http_npmtoken_api_field(fields, nfields, "created");
    updated = ngx_http_npmtoken_api_field(fields, nfields, "updated");

    name = (name && name->len) ? name : &unnamed;
    created = created ? created : &none;
    updated = updated ? updated : created;

    cidrs = ngx_http_npmtoken_api_json_list(
              ngx_http_npmtoken_api_field(fields, nfields, "cidr_whitelist"));

    json = json_pack("{so so so so sb so so}",
                     "token", ngx_http_npmtoken_api_json_text(token),
                     "key", ngx_http_npmtoken_api_json_text(key),
                     "name", ngx_http_npmtoken_api_json_text(name),
                     "cidr_whitelist", cidrs,
                     "readonly", readonly && readonly->len
                     && (readonly->data[0] == 't' || readonly->data[0] == '1'),
                     "created", ngx_http_npmtoken_api_json_text(created),
                     "updated", ngx_http_npmtoken_api_json_text(updated));

    if (json && ngx_http_npmtoken_api_json_more(json, fields, nfields)
                != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* null where there is none: npm prints what is there */

static json_t *
ngx_http_npmtoken_api_json_list(ngx_str_t *list)
{
    json_t     *json;
    ngx_int_t   rc;
    ngx_str_t   rest, entry;

    if (list == NULL) {
        return json_null();
    }

    json = json_array();
    rest = *list;

    do {
        rc = npmtoken_list_next(&rest, &entry);

        if (json_array_append_new(json,
                                  ngx_http_npmtoken_api_json_text(&entry))
            != 0)
        {
            json_decref(json);
            return NULL;
        }

    } while (rc == NGX_OK);

    return json;
}


/* what only a granular token has */

static ngx_int_t
ngx_http_npmtoken_api_json_more(json_t *json, npmtoken_field_t *fields,
    ngx_uint_t nfields)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    static char  *lists[] = { "packages", "scopes" };

    for (i = 0; i < 2; i++) {
        value = ngx_http_npmtoken_api_field(fields, nfields, lists[i]);

        if (value
            && json_object_set_new(json, lists[i],
                                   ngx_http_npmtoken_api_json_list(value))
               != 0)
        {
            return NGX_ERROR;
        }
    }

    value = ngx_http_npmtoken_api_field(fields, nfields, "description");

    if (value
        && json_object_set_new(json, "description",
                               ngx_http_npmtoken_api_json_text(value))
           != 0)
    {
        return NGX_ERROR;
    }

    value = ngx_http_npmtoken_api_field(fields, nfields, "bypass_2fa");

    if (value
        && json_object_set_new(json, "bypass_2fa",
                               json_boolean(value->len && value->data[0] != 'f'
                                            && value->data[0] != '0'))
           != 0)
    {
        return NGX_ERROR;
    }

    value = ngx_http_npmtoken_api_field(fields, nfields, "expires_at");

    if (value
        && json_object_set_new(json, "expires",
                               ngx_http_npmtoken_api_json_time(value)) != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static json_t *
ngx_http_npmtoken_api_json_time(ngx_str_t *seconds)
{
    u_char    buf[NGX_HTTP_NPMTOKEN_API_TIME_LEN];
    time_t    sec;
    ngx_tm_t  tm;

    sec = ngx_atotm(seconds->data, seconds->len);

    if (sec == (time_t) NGX_ERROR) {
        return json_null();
    }

    ngx_gmtime(sec, &tm);

    return json_stringn((char *) buf,
                        ngx_http_npmtoken_api_iso(buf, &tm, 0) - buf);
}
