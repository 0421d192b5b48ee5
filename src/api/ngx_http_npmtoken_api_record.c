
#include "ngx_http_npmtoken_api_record.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_text.h"
#include "npmtoken_list.h"


static ngx_int_t ngx_http_npmtoken_api_record_add_grant(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_array_t *args);
static ngx_int_t ngx_http_npmtoken_api_record_add(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_array_t *args, char *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_api_record_add_list(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_array_t *args, char *name,
    ngx_array_t *list);
static ngx_int_t ngx_http_npmtoken_api_record_test(
    ngx_http_npmtoken_api_ctx_t *ctx);
static json_t *ngx_http_npmtoken_api_record_json_list(ngx_str_t *list);
static ngx_int_t ngx_http_npmtoken_api_record_json_more(json_t *json,
    npmtoken_field_t *fields, ngx_uint_t nfields);
static json_t *ngx_http_npmtoken_api_record_json_time(ngx_str_t *seconds);


ngx_int_t
ngx_http_npmtoken_api_record_make(ngx_http_npmtoken_api_ctx_t *ctx)
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
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    npmtoken_token_make(ctx->token.data);

    if (npmtoken_digest_key(&ctx->token, ctx->key) != NGX_OK
        || ngx_http_npmtoken_api_text_now(pool, &ctx->created) != NGX_OK
        || ngx_http_npmtoken_api_record_add_grant(ctx, args) != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_record_test(ctx);
}


static ngx_int_t
ngx_http_npmtoken_api_record_add_grant(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *args)
{
    ngx_str_t                       shown, expires;
    ngx_http_npmtoken_api_grant_t  *grant;

    static ngx_str_t  yes = ngx_string("true");
    static ngx_str_t  no = ngx_string("false");

    grant = &ctx->grant;

    shown.data = ctx->token.data;
    shown.len = NPMTOKEN_TOKEN_SHOWN;

    if (ngx_http_npmtoken_api_record_add(ctx, args, "user", &ctx->user)
        != NGX_OK
        || ngx_http_npmtoken_api_record_add(ctx, args, "readonly",
                                            grant->readonly ? &yes : &no)
           != NGX_OK
        || ngx_http_npmtoken_api_record_add(ctx, args, "created", &ctx->created)
           != NGX_OK
        || ngx_http_npmtoken_api_record_add(ctx, args, "updated", &ctx->created)
           != NGX_OK
        || ngx_http_npmtoken_api_record_add(ctx, args, "name", &grant->name)
           != NGX_OK
        || ngx_http_npmtoken_api_record_add_list(ctx, args, "cidr_whitelist",
                                                 &grant->cidrs) != NGX_OK
        || ngx_http_npmtoken_api_record_add_list(ctx, args, "packages",
                                                 &grant->packages) != NGX_OK
        || ngx_http_npmtoken_api_record_add_list(ctx, args, "scopes",
                                                 &grant->scopes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* nobody has to tell sessions apart by their secrets */

    if (grant->idle == 0
        && ngx_http_npmtoken_api_record_add(ctx, args, "token", &shown)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (grant->description.len
        && ngx_http_npmtoken_api_record_add(ctx, args, "description",
                                            &grant->description) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (grant->bypass_2fa
        && ngx_http_npmtoken_api_record_add(ctx, args, "bypass_2fa", &yes)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (grant->session.len
        && ngx_http_npmtoken_api_record_add(ctx, args, "session",
                                            &grant->session)
           != NGX_OK)
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

    return ngx_http_npmtoken_api_record_add(ctx, args, "expires_at", &expires);
}


static ngx_int_t
ngx_http_npmtoken_api_record_add(ngx_http_npmtoken_api_ctx_t *ctx,
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
ngx_http_npmtoken_api_record_add_list(ngx_http_npmtoken_api_ctx_t *ctx,
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

    return ngx_http_npmtoken_api_record_add(ctx, args, name, &value);
}


/* Checks the record with the code that enforces it. */

static ngx_int_t
ngx_http_npmtoken_api_record_test(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t          n;
    npmtoken_field_t   *fields, *bad;
    npmtoken_record_t  *record;

    fields = ctx->record.elts;
    n = ctx->record.nelts;

    if (!npmtoken_record_fits(fields, n)) {
        return ngx_http_npmtoken_api_answer_bad(ctx,
                     "This token is too large to be checked by all servers. "
                     "Give it shorter lists of CIDRs, packages or scopes.",
                     NULL);
    }

    record = ngx_palloc(ctx->request->pool, npmtoken_record_size(fields, n));
    if (record == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    bad = npmtoken_record_parse(record, fields, n);

    if (bad == NULL) {
        return NGX_OK;
    }

    return ngx_http_npmtoken_api_answer_bad(ctx,
                     "A token cannot be created with these", &bad->name);
}


json_t *
ngx_http_npmtoken_api_record_json(ngx_str_t *key, ngx_str_t *token,
    npmtoken_field_t *fields, ngx_uint_t nfields)
{
    json_t     *json, *cidrs;
    ngx_str_t  *name, *readonly, *created, *updated, none, unnamed;

    ngx_str_null(&none);
    ngx_str_set(&unnamed, "unnamed");

    name = ngx_http_npmtoken_api_text_field(fields, nfields, "name");
    readonly = ngx_http_npmtoken_api_text_field(fields, nfields, "readonly");
    created = ngx_http_npmtoken_api_text_field(fields, nfields, "created");
    updated = ngx_http_npmtoken_api_text_field(fields, nfields, "updated");

    name = (name && name->len) ? name : &unnamed;
    created = created ? created : &none;
    updated = updated ? updated : created;

    cidrs = ngx_http_npmtoken_api_record_json_list(
              ngx_http_npmtoken_api_text_field(fields, nfields,
                                               "cidr_whitelist"));

    json = json_pack("{so so so so sb so so}",
                     "token", ngx_http_npmtoken_api_text_json(token),
                     "key", ngx_http_npmtoken_api_text_json(key),
                     "name", ngx_http_npmtoken_api_text_json(name),
                     "cidr_whitelist", cidrs,
                     "readonly", readonly && readonly->len
                     && (readonly->data[0] == 't' || readonly->data[0] == '1'),
                     "created", ngx_http_npmtoken_api_text_json(created),
                     "updated", ngx_http_npmtoken_api_text_json(updated));

    if (json && ngx_http_npmtoken_api_record_json_more(json, fields, nfields)
                != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* Returns null if there is no list, since npm prints what it gets. */

static json_t *
ngx_http_npmtoken_api_record_json_list(ngx_str_t *list)
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
                                  ngx_http_npmtoken_api_text_json(&entry))
            != 0)
        {
            json_decref(json);
            return NULL;
        }

    } while (rc == NGX_OK);

    return json;
}


/* Adds the members that only a granular token has. */

static ngx_int_t
ngx_http_npmtoken_api_record_json_more(json_t *json, npmtoken_field_t *fields,
    ngx_uint_t nfields)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    static char  *lists[] = { "packages", "scopes" };

    for (i = 0; i < 2; i++) {
        value = ngx_http_npmtoken_api_text_field(fields, nfields, lists[i]);

        if (value
            && json_object_set_new(json, lists[i],
                                 ngx_http_npmtoken_api_record_json_list(value))
               != 0)
        {
            return NGX_ERROR;
        }
    }

    value = ngx_http_npmtoken_api_text_field(fields, nfields, "description");

    if (value
        && json_object_set_new(json, "description",
                               ngx_http_npmtoken_api_text_json(value))
           != 0)
    {
        return NGX_ERROR;
    }

    value = ngx_http_npmtoken_api_text_field(fields, nfields, "bypass_2fa");

    if (value
        && json_object_set_new(json, "bypass_2fa",
                               json_boolean(value->len && value->data[0] != 'f'
                                            && value->data[0] != '0'))
           != 0)
    {
        return NGX_ERROR;
    }

    value = ngx_http_npmtoken_api_text_field(fields, nfields, "expires_at");

    if (value
        && json_object_set_new(json, "expires",
                               ngx_http_npmtoken_api_record_json_time(value))
           != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static json_t *
ngx_http_npmtoken_api_record_json_time(ngx_str_t *seconds)
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
                        ngx_http_npmtoken_api_text_iso(buf, &tm, 0) - buf);
}
