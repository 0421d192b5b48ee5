
/*
 * npm token list, create, revoke.
 */


#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_text.h"


#define NGX_HTTP_NPMTOKEN_API_PER_PAGE      10
#define NGX_HTTP_NPMTOKEN_API_MAX_PER_PAGE  9999

/* the arguments of npmtoken_script_create before the fields */
#define NGX_HTTP_NPMTOKEN_API_HEAD          7

/* the shortest prefix of a key that stands for it, as npm prints them */
#define NGX_HTTP_NPMTOKEN_API_MIN_ID        6


typedef struct {
    ngx_str_t                key;
    npmtoken_field_t        *fields;
    ngx_uint_t               nfields;
    ngx_str_t                created;
} ngx_http_npmtoken_api_listed_t;


static void ngx_http_npmtoken_api_ask_list(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt handler);
static ngx_int_t ngx_http_npmtoken_api_list_args(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_list_arg(ngx_http_request_t *r,
    char *name, ngx_int_t value, ngx_int_t min, ngx_int_t max);
static void ngx_http_npmtoken_api_list_reply(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_listed(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply, ngx_array_t *tokens);
static int ngx_libc_cdecl ngx_http_npmtoken_api_newer(const void *one,
    const void *two);
static json_t *ngx_http_npmtoken_api_page(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *tokens);
static json_t *ngx_http_npmtoken_api_urls(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t total);
static ngx_str_t ngx_http_npmtoken_api_shown(
    ngx_http_npmtoken_api_listed_t *token);
static void ngx_http_npmtoken_api_create_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_parent(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_create_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_stored(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_withdrawn(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_created(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_unstated(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_revoke_account(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_revoke_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_resolve(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_find_id(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply, ngx_str_t *key);
static ngx_uint_t ngx_http_npmtoken_api_is_id(ngx_str_t *id);
static void ngx_http_npmtoken_api_revoked(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);


void
ngx_http_npmtoken_api_list(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_list_args(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                                    "perPage is a number from 1 to 9999, "
                                    "page one from 0.");
        return;
    }

    ngx_http_npmtoken_api_ask_list(ctx, ngx_http_npmtoken_api_list_reply);
}


static ngx_int_t
ngx_http_npmtoken_api_list_args(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ctx->per_page = ngx_http_npmtoken_api_list_arg(ctx->request, "perPage",
                                          NGX_HTTP_NPMTOKEN_API_PER_PAGE, 1,
                                          NGX_HTTP_NPMTOKEN_API_MAX_PER_PAGE);

    ctx->page = ngx_http_npmtoken_api_list_arg(ctx->request, "page", 0, 0,
                                               1000000);

    return (ctx->per_page == NGX_ERROR || ctx->page == NGX_ERROR)
           ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_list_arg(ngx_http_request_t *r, char *name,
    ngx_int_t value, ngx_int_t min, ngx_int_t max)
{
    ngx_str_t  arg;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK) {
        return value;
    }

    value = ngx_atoi(arg.data, arg.len);

    return (value == NGX_ERROR || value < min || value > max) ? NGX_ERROR
                                                              : value;
}


static void
ngx_http_npmtoken_api_ask_list(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt handler)
{
    ngx_str_t  argv[6], none;

    ngx_str_null(&none);

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = npmtoken_script_list;
    ngx_str_set(&argv[2], "1");
    argv[3] = ngx_http_npmtoken_api_redis_key(ctx, "tokens-of:", &ctx->user);
    argv[4] = ngx_http_npmtoken_api_redis_key(ctx, "token:", &none);
    argv[5] = ctx->user;

    if (argv[3].data == NULL || argv[4].data == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_read(ctx, 6, argv, handler) != NGX_AGAIN) {
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_list_reply(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_array_t  tokens;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_listed(ctx, reply, &tokens) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_qsort(tokens.elts, tokens.nelts,
              sizeof(ngx_http_npmtoken_api_listed_t),
              ngx_http_npmtoken_api_newer);

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 ngx_http_npmtoken_api_page(ctx, &tokens));
}


static ngx_int_t
ngx_http_npmtoken_api_listed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply, ngx_array_t *tokens)
{
    size_t                           i;
    ngx_uint_t                       k;
    ngx_http_npmtoken_api_listed_t  *token;

    if (ngx_array_init(tokens, ctx->request->pool, reply->elements / 2 + 1,
                       sizeof(ngx_http_npmtoken_api_listed_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        token = ngx_array_push(tokens);

        ngx_memzero(token, sizeof(ngx_http_npmtoken_api_listed_t));

        token->fields = ngx_http_npmtoken_api_fields(ctx,
                                                     reply->element[i + 1],
                                                     &token->nfields);

        if (token->fields == NULL
            || ngx_http_npmtoken_api_copy(ctx, reply->element[i], &token->key)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        for (k = 0; k < token->nfields; k++) {
            if (token->fields[k].name.len == sizeof("created") - 1
                && ngx_memcmp(token->fields[k].name.data, "created",
                              sizeof("created") - 1) == 0)
            {
                token->created = token->fields[k].value;
            }
        }
    }

    return NGX_OK;
}


/* by the text of the time, which sorts as the time does */

static int ngx_libc_cdecl
ngx_http_npmtoken_api_newer(const void *one, const void *two)
{
    ngx_int_t                              rc;
    const ngx_http_npmtoken_api_listed_t  *a = one, *b = two;

    rc = ngx_memn2cmp(b->created.data, a->created.data, b->created.len,
                      a->created.len);

    return (int) (rc ? rc : ngx_memn2cmp(a->key.data, b->key.data, a->key.len,
                                         b->key.len));
}


static json_t *
ngx_http_npmtoken_api_page(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_array_t *tokens)
{
    json_t                          *objects;
    ngx_str_t                        shown;
    ngx_uint_t                       i, last;
    ngx_http_npmtoken_api_listed_t  *token;

    objects = json_array();
    token = tokens->elts;

    i = ctx->page * ctx->per_page;
    last = ngx_min(i + ctx->per_page, tokens->nelts);

    for ( /* void */ ; i < last; i++) {
        shown = ngx_http_npmtoken_api_shown(&token[i]);

        if (json_array_append_new(objects,
                ngx_http_npmtoken_api_grant_json(&token[i].key, &shown,
                                                 token[i].fields,
                                                 token[i].nfields))
            != 0)
        {
            json_decref(objects);
            return NULL;
        }
    }

    return json_pack("{so si so}", "objects", objects,
                     "total", (int) tokens->nelts,
                     "urls", ngx_http_npmtoken_api_urls(ctx, tokens->nelts));
}


/* what the record says is shown of it; never more than a part of it is */

static ngx_str_t
ngx_http_npmtoken_api_shown(ngx_http_npmtoken_api_listed_t *token)
{
    ngx_str_t   shown;
    ngx_uint_t  i;

    ngx_str_set(&shown, "");

    for (i = 0; i < token->nfields; i++) {
        if (token->fields[i].name.len == sizeof("token") - 1
            && ngx_memcmp(token->fields[i].name.data, "token",
                          sizeof("token") - 1) == 0)
        {
            shown = token->fields[i].value;
        }
    }

    shown.len = ngx_min(shown.len, NPMTOKEN_TOKEN_SHOWN);

    return shown;
}


static json_t *
ngx_http_npmtoken_api_urls(ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t total)
{
    u_char   buf[128], *p;
    json_t  *urls;

    urls = json_object();

    if ((ngx_uint_t) (ctx->page + 1) * ctx->per_page < total) {
        p = ngx_sprintf(buf, "/-/npm/v1/tokens?perPage=%i&page=%i",
                        ctx->per_page, ctx->page + 1);
        json_object_set_new(urls, "next",
                            json_stringn((char *) buf, p - buf));
    }

    if (ctx->page) {
        p = ngx_sprintf(buf, "/-/npm/v1/tokens?perPage=%i&page=%i",
                        ctx->per_page, ctx->page - 1);
        json_object_set_new(urls, "prev",
                            json_stringn((char *) buf, p - buf));
    }

    return urls;
}


void
ngx_http_npmtoken_api_create(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_read_body(ctx, ngx_http_npmtoken_api_create_body);
}


static void
ngx_http_npmtoken_api_create_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t  argv[2], key;

    if (ngx_http_npmtoken_api_grant_read(ctx) != NGX_OK
        || ngx_http_npmtoken_api_body_password(ctx, ctx->body, "password",
                                               &ctx->password)
           != NGX_OK)
    {
        return;
    }

    /* as it is now, with all of its texts */

    key.data = ngx_http_npmtoken_key(ctx->request, ctx->judged);
    key.len = NPMTOKEN_KEY_LEN;

    ngx_str_set(&argv[0], "HGETALL");

    if (key.data) {
        argv[1] = ngx_http_npmtoken_api_redis_key(ctx, "token:", &key);
    }

    if (key.data == NULL || argv[1].data == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_read(ctx, 2, argv, ngx_http_npmtoken_api_parent)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_parent(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_uint_t          n;
    npmtoken_field_t   *fields;
    npmtoken_record_t  *record;

    n = 0;
    fields = reply ? ngx_http_npmtoken_api_fields(ctx, reply, &n) : NULL;

    if (fields == NULL) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    record = ngx_palloc(ctx->request->pool, npmtoken_record_size(fields, n));
    if (record == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    /* it may have been changed since it was judged */

    if (n == 0
        || npmtoken_record_parse(record, fields, n)
        || npmtoken_verdict(record, NPMTOKEN_OP_WRITE,
                            ctx->request->connection->sockaddr, time(NULL))
           != NPMTOKEN_ALLOW)
    {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                                    "This token may not make tokens.");
        return;
    }

    if (ngx_http_npmtoken_api_grant_narrow(ctx, fields, n) != NGX_OK) {
        return;
    }

    ngx_http_npmtoken_api_authenticate(ctx,
                                       ngx_http_npmtoken_api_create_granted);
}


static void
ngx_http_npmtoken_api_create_granted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_store_token(ctx, ngx_http_npmtoken_api_created);
}


void
ngx_http_npmtoken_api_store_token(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    u_char       buf[2 * NGX_INT64_LEN];
    ngx_str_t   *arg, none;

    ngx_str_null(&none);

    ctx->granted = next;

    if (ngx_http_npmtoken_api_grant_record(ctx, NGX_HTTP_NPMTOKEN_API_HEAD)
        != NGX_OK)
    {
        return;
    }

    arg = ctx->record.elts;

    arg[3].data = ctx->key;
    arg[3].len = NPMTOKEN_KEY_LEN;

    ngx_str_set(&arg[0], "2");
    arg[1] = ngx_http_npmtoken_api_redis_key(ctx, "token:", &arg[3]);
    arg[2] = ngx_http_npmtoken_api_redis_key(ctx, "tokens-of:", &ctx->user);
    arg[4] = ngx_http_npmtoken_api_redis_key(ctx, "token:", &none);

    arg[5].data = buf;
    arg[5].len = ngx_sprintf(buf, "%ui", ctx->conf->max_tokens) - buf;
    arg[6].data = buf + NGX_INT64_LEN;
    arg[6].len = ngx_sprintf(arg[6].data, "%T", time(NULL)) - arg[6].data;

    if (arg[1].data == NULL || arg[2].data == NULL || arg[4].data == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_write(ctx, &npmtoken_script_create,
                                    ctx->record.nelts, arg,
                                    ngx_http_npmtoken_api_stored)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_stored(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_str_t  key;

    if (reply == NULL) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "LIMIT") == NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_FORBIDDEN,
                     "This account has as many tokens as an account may have "
                     "here. Revoke some with npm token revoke, or ask who "
                     "runs this registry.");
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "OK") != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ctx->unreplicated) {

        /* nobody has seen it, so it had better not be */

        key.data = ctx->key;
        key.len = NPMTOKEN_KEY_LEN;

        ngx_http_npmtoken_api_revoke_key(ctx, &key, 0,
                                         ngx_http_npmtoken_api_withdrawn);
        return;
    }

    ctx->granted(ctx);
}


static void
ngx_http_npmtoken_api_withdrawn(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_http_npmtoken_api_unavailable(ctx);
}


static void
ngx_http_npmtoken_api_created(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t            *json;
    ngx_str_t          key;
    npmtoken_field_t  *fields;

    fields = (npmtoken_field_t *) ((ngx_str_t *) ctx->record.elts
                                   + NGX_HTTP_NPMTOKEN_API_HEAD);

    key.data = ctx->key;
    key.len = NPMTOKEN_KEY_LEN;

    if (ngx_http_npmtoken_api_unstated(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    json = ngx_http_npmtoken_api_grant_json(&key, &ctx->token, fields,
                 (ctx->record.nelts - NGX_HTTP_NPMTOKEN_API_HEAD) / 2);

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json);
}


/* later npm sends nothing for --read-only: so its user is told what he got */

static ngx_int_t
ngx_http_npmtoken_api_unstated(ngx_http_npmtoken_api_ctx_t *ctx)
{
    static ngx_str_t  full = ngx_string(
        "This token may read and write. This npm does not send --read-only: "
        "use --packages-and-scopes-permission=read-only.");

    static ngx_str_t  readonly = ngx_string(
        "This token may only read. For one that may write, use "
        "--packages-and-scopes-permission=read-write.");

    if (!ctx->grant.granular || ctx->grant.stated) {
        return NGX_OK;
    }

    return ngx_http_npmtoken_api_header(ctx->request, "npm-notice",
                                        ctx->grant.readonly ? &readonly
                                                            : &full);
}


void
ngx_http_npmtoken_api_revoke(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_revoke_account);
}


static void
ngx_http_npmtoken_api_revoke_account(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ctx->judged->record->bypass_2fa)
    {
        ngx_http_npmtoken_api_second_factor(ctx,
                                        ngx_http_npmtoken_api_revoke_granted);
        return;
    }

    ngx_http_npmtoken_api_revoke_granted(ctx);
}


static void
ngx_http_npmtoken_api_revoke_granted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_ask_list(ctx, ngx_http_npmtoken_api_resolve);
}


static void
ngx_http_npmtoken_api_resolve(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_str_t  key;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    switch (ngx_http_npmtoken_api_find_id(ctx, reply, &key)) {

    case NGX_OK:
        ngx_http_npmtoken_api_revoke_key(ctx, &key, 0,
                                         ngx_http_npmtoken_api_revoked);
        return;

    case NGX_BUSY:
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                     "More than one token of this account has an id that "
                     "begins so. Give more of it.");
        return;

    case NGX_DECLINED:
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_NOT_FOUND,
                     "This account has no such token. Give the id that npm "
                     "token list shows, or the whole token.");
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_api_failed(ctx);
    }
}


/*
 * A key, the beginning of one and no other, or a token.  Its first characters
 * that the list shows are none of these: many tokens have the same.
 */

static ngx_int_t
ngx_http_npmtoken_api_find_id(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply, ngx_str_t *key)
{
    u_char       digest[NPMTOKEN_KEY_LEN];
    size_t       i;
    redisReply  *candidate, *found;

    if (npmtoken_digest_key(&ctx->subject, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    found = NULL;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        candidate = reply->element[i];

        if (candidate->type != REDIS_REPLY_STRING
            || candidate->len != NPMTOKEN_KEY_LEN)
        {
            continue;
        }

        if (ngx_memcmp(candidate->str, digest, NPMTOKEN_KEY_LEN) == 0) {
            found = candidate;
            break;
        }

        if (!ngx_http_npmtoken_api_is_id(&ctx->subject)
            || ngx_memcmp(candidate->str, ctx->subject.data, ctx->subject.len)
               != 0)
        {
            continue;
        }

        if (found) {
            return NGX_BUSY;
        }

        found = candidate;
    }

    if (found == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_npmtoken_api_copy(ctx, found, key);
}


static ngx_uint_t
ngx_http_npmtoken_api_is_id(ngx_str_t *id)
{
    u_char  ch;
    size_t  i;

    if (id->len < NGX_HTTP_NPMTOKEN_API_MIN_ID || id->len > NPMTOKEN_KEY_LEN)
    {
        return 0;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i];

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return 0;
        }
    }

    return 1;
}


void
ngx_http_npmtoken_api_revoke_key(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *key, ngx_uint_t self, ngx_http_npmtoken_api_reply_pt next)
{
    u_char                         buf[NGX_TIME_T_LEN];
    ngx_str_t                      argv[7];
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_npmtoken_module);

    ngx_str_set(&argv[0], "2");
    argv[1] = ngx_http_npmtoken_api_redis_key(ctx, "token:", key);
    argv[2] = ngx_http_npmtoken_api_redis_key(ctx, "tokens-of:", &ctx->user);
    argv[3] = *key;
    argv[4] = ctx->user;
    ngx_str_set(&argv[5], "");
    ngx_str_set(&argv[6], "");

    if (nlcf->unknown == NGX_HTTP_NPMTOKEN_UNKNOWN_PASS) {

        /* there a token without a record is not restricted at all */

        argv[5].data = buf;
        argv[5].len = ngx_sprintf(buf, "%T", time(NULL)) - buf;
    }

    if (self) {
        ngx_str_set(&argv[6], "self");
    }

    if (argv[1].data == NULL || argv[2].data == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_write(ctx, &npmtoken_script_revoke, 7, argv,
                                    next)
        != NGX_AGAIN)
    {
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


static void
ngx_http_npmtoken_api_revoked(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_unreplicated(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "OK") != NGX_OK) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_NOT_FOUND,
                                    "This account has no such token any "
                                    "more.");
        return;
    }

    ngx_http_npmtoken_api_done(ctx);
}
