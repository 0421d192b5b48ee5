
#include "ngx_http_npmtoken_api_text.h"
#include "npmtoken_cidr.h"


ngx_str_t
ngx_http_npmtoken_api_text_key(ngx_http_npmtoken_api_ctx_t *ctx, char *kind,
    ngx_str_t *name)
{
    u_char     *p;
    ngx_str_t   key, *prefix;

    prefix = &ctx->conf->store->prefix;

    key.len = prefix->len + ngx_strlen(kind) + name->len;
    key.data = ngx_pnalloc(ctx->request->pool, key.len + 1);

    if (key.data) {
        p = ngx_cpymem(key.data, prefix->data, prefix->len);
        p = ngx_cpymem(p, kind, ngx_strlen(kind));

        /* the prefix of all keys has no name: its data may be NULL */

        if (name->len) {
            ngx_memcpy(p, name->data, name->len);
        }
    }

    return key;
}


ngx_str_t
ngx_http_npmtoken_api_text_account_key(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind)
{
    u_char     *name;
    ngx_str_t   key;

    key = ngx_http_npmtoken_api_text_key(ctx, kind, &ctx->user);

    if (key.data) {
        name = key.data + key.len - ctx->user.len;
        (void) npmtoken_account_fold(&ctx->user, name);
    }

    return key;
}


ngx_uint_t
ngx_http_npmtoken_api_text_spelt(ngx_http_npmtoken_api_ctx_t *ctx)
{
    size_t  i;

    for (i = 0; i < ctx->user.len; i++) {
        if (ctx->user.data[i] != ngx_tolower(ctx->user.data[i])) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_npmtoken_api_text_tokens_args(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_str_t *argv)
{
    ngx_str_t  none;

    ngx_str_null(&none);

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = *script;
    ngx_str_set(&argv[2], "2");
    argv[3] = ngx_http_npmtoken_api_text_account_key(ctx, "tokens-of:");
    argv[4] = ctx->conf->store->lookup.endpoint.none;
    argv[5] = ngx_http_npmtoken_api_text_key(ctx, "token:", &none);

    if (argv[3].data == NULL || argv[5].data == NULL) {
        return NGX_ERROR;
    }

    /* the folded name ends the key */

    argv[6].len = ctx->user.len;
    argv[6].data = argv[3].data + argv[3].len - argv[6].len;

    return NGX_OK;
}


ngx_str_t
ngx_http_npmtoken_api_text_address(ngx_http_request_t *r)
{
    u_char           *p, network[NPMTOKEN_NETWORK_LEN];
    ngx_str_t         text;
    struct sockaddr  *sockaddr;

    static u_char  ipv4[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    text.len = 0;
    text.data = ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN + sizeof("/64"));

    if (text.data == NULL) {
        return text;
    }

    p = text.data;
    sockaddr = r->connection->sockaddr;

    npmtoken_cidr_network(sockaddr, network);

    if (sockaddr->sa_family == AF_UNIX) {
        p = ngx_cpymem(p, "unix:", sizeof("unix:") - 1);

    } else if (ngx_memcmp(network, ipv4, sizeof(ipv4)) == 0) {
        p += ngx_inet_ntop(AF_INET, &network[12], p, NGX_SOCKADDR_STRLEN);

    } else {
        p += ngx_inet_ntop(AF_INET6, network, p, NGX_SOCKADDR_STRLEN);
        p = ngx_cpymem(p, "/64", sizeof("/64") - 1);
    }

    text.len = p - text.data;

    return text;
}


ngx_int_t
ngx_http_npmtoken_api_text_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    rc = NGX_DECLINED;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_npmtoken_request_is_header(&h[i], name)) {
                continue;
            }

            if (rc == NGX_OK) {
                return NGX_ERROR;
            }

            *value = h[i].value;
            rc = NGX_OK;
        }
    }

    return rc;
}


npmtoken_field_t *
ngx_http_npmtoken_api_text_fields(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply, ngx_uint_t *nfields)
{
    size_t             i;
    npmtoken_field_t  *fields;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2) {
        return NULL;
    }

    *nfields = reply->elements / 2;

    fields = ngx_palloc(ctx->request->pool,
                        (*nfields + 1) * sizeof(npmtoken_field_t));
    if (fields == NULL) {
        return NULL;
    }

    for (i = 0; i < *nfields; i++) {

        if (ngx_http_npmtoken_api_text_copy(ctx, reply->element[2 * i],
                                            &fields[i].name)
            != NGX_OK
            || ngx_http_npmtoken_api_text_copy(ctx, reply->element[2 * i + 1],
                                               &fields[i].value)
               != NGX_OK)
        {
            return NULL;
        }
    }

    return fields;
}


ngx_int_t
ngx_http_npmtoken_api_text_copy(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply, ngx_str_t *text)
{
    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    text->len = reply->len;
    text->data = ngx_pnalloc(ctx->request->pool, reply->len + 1);

    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, reply->str, reply->len);

    return NGX_OK;
}


ngx_str_t
ngx_http_npmtoken_api_text_plain(ngx_str_t *name)
{
    u_char     ch;
    size_t     i;
    ngx_str_t  unknown = ngx_string("?");

    if (name->len == 0 || name->len > 64) {
        return unknown;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch < '0' || ch > '9') && ch != '_'
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z'))
        {
            return unknown;
        }
    }

    return *name;
}


json_t *
ngx_http_npmtoken_api_text_json(ngx_str_t *text)
{
    u_char  *p;
    size_t   i;
    json_t  *json;

    json = json_stringn(text->len ? (char *) text->data : "", text->len);

    if (json) {
        return json;
    }

    p = ngx_alloc(text->len, ngx_cycle->log);
    if (p == NULL) {
        return NULL;
    }

    for (i = 0; i < text->len; i++) {
        p[i] = (text->data[i] < 0x80) ? text->data[i] : '?';
    }

    json = json_stringn((char *) p, text->len);

    ngx_free(p);

    return json;
}


u_char *
ngx_http_npmtoken_api_text_iso(u_char *buf, ngx_tm_t *tm, ngx_msec_t msec)
{
    return ngx_sprintf(buf, "%4d-%02d-%02dT%02d:%02d:%02d.%03MZ",
                       tm->ngx_tm_year, tm->ngx_tm_mon, tm->ngx_tm_mday,
                       tm->ngx_tm_hour, tm->ngx_tm_min, tm->ngx_tm_sec, msec);
}


time_t
ngx_http_npmtoken_api_text_time(ngx_str_t *text)
{
    u_char      *p;
    struct tm    tm;
    ngx_int_t    parts[6];
    ngx_uint_t   i;

    static struct {
        size_t     at;
        size_t     len;
    } digits[] = {
        { 0, 4 }, { 5, 2 }, { 8, 2 }, { 11, 2 }, { 14, 2 }, { 17, 2 }
    };

    if (text->len < NGX_HTTP_NPMTOKEN_API_TIME_LEN) {
        return NGX_ERROR;
    }

    p = text->data;

    for (i = 0; i < 6; i++) {
        parts[i] = ngx_atoi(p + digits[i].at, digits[i].len);

        if (parts[i] == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    ngx_memzero(&tm, sizeof(struct tm));

    tm.tm_year = parts[0] - 1900;
    tm.tm_mon = parts[1] - 1;
    tm.tm_mday = parts[2];
    tm.tm_hour = parts[3];
    tm.tm_min = parts[4];
    tm.tm_sec = parts[5];

    return timegm(&tm);
}


ngx_int_t
ngx_http_npmtoken_api_text_now(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_tm_t     tm;
    ngx_time_t  *tp;

    text->data = ngx_pnalloc(pool, NGX_HTTP_NPMTOKEN_API_TIME_LEN);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    ngx_gmtime(tp->sec, &tm);

    text->len = ngx_http_npmtoken_api_text_iso(text->data, &tm, tp->msec)
                - text->data;

    return NGX_OK;
}


ngx_str_t *
ngx_http_npmtoken_api_text_field(npmtoken_field_t *fields, ngx_uint_t nfields,
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
