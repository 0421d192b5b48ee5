
/*
 * npm token list, create, revoke.
 */


#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_db.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_record.h"
#include "ngx_http_npmtoken_api_text.h"


#define NGX_HTTP_NPMTOKEN_API_PER_PAGE      10
#define NGX_HTTP_NPMTOKEN_API_MAX_PER_PAGE  9999

/* bytes of keys and fields of a page, unless one token has more */
#define NGX_HTTP_NPMTOKEN_API_PAGE_BYTES    (256 * 1024)

/* the shortest prefix of a key that stands for it, as npm prints them */
#define NGX_HTTP_NPMTOKEN_API_MIN_ID        6


static ngx_int_t ngx_http_npmtoken_api_list_args(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_list_arg(ngx_http_request_t *r,
    char *name, ngx_int_t value, ngx_int_t min, ngx_int_t max);
static void ngx_http_npmtoken_api_tokens_list_ask(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_tokens_args(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *script, ngx_str_t *argv);
static void ngx_http_npmtoken_api_list_reply(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_api_tokens_fit(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n, ngx_uint_t total,
    ngx_uint_t *size);
static json_t *ngx_http_npmtoken_api_page(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static json_t *ngx_http_npmtoken_api_listed(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *key, redisReply *fields);
static json_t *ngx_http_npmtoken_api_urls(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_uint_t n, ngx_uint_t size, ngx_uint_t total);
static ngx_int_t ngx_http_npmtoken_api_tokens_url(json_t *urls, char *name,
    ngx_uint_t per_page, ngx_uint_t page);
static ngx_str_t ngx_http_npmtoken_api_shown(npmtoken_field_t *fields,
    ngx_uint_t nfields);
static void ngx_http_npmtoken_api_create_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_parent(ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_create_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_stored(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_withdrawn(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_created(ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_unstated(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_revoke_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_revoke_account(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_revoke_granted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_resolve(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static ngx_int_t ngx_http_npmtoken_api_find_id(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_uint_t ngx_http_npmtoken_api_is_id(ngx_str_t *id);
static void ngx_http_npmtoken_api_tokens_revoke_send(
    ngx_http_npmtoken_api_ctx_t *ctx, npmtoken_change_t *change,
    ngx_http_npmtoken_api_reply_pt next);
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

    ngx_http_npmtoken_api_tokens_list_ask(ctx);
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
ngx_http_npmtoken_api_tokens_list_ask(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     *p, buf[4 * NGX_INT64_LEN];
    ngx_str_t   argv[10];

    if (ngx_http_npmtoken_api_tokens_args(ctx, &npmtoken_script_list, argv)
        != NGX_OK)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    p = buf;

    argv[6].data = p;
    p = ngx_sprintf(p, "%i", ctx->page * ctx->per_page);
    argv[6].len = p - argv[6].data;

    argv[7].data = p;
    p = ngx_sprintf(p, "%i", ctx->per_page);
    argv[7].len = p - argv[7].data;

    argv[8].data = p;
    p = ngx_sprintf(p, "%d", NGX_HTTP_NPMTOKEN_API_PAGE_BYTES);
    argv[8].len = p - argv[8].data;

    argv[9].data = p;
    p = ngx_sprintf(p, "%d", NPMTOKEN_RECORD_MAX);
    argv[9].len = p - argv[9].data;

    switch (ngx_http_npmtoken_api_db_read_alone(ctx, 10, argv,
                                            ngx_http_npmtoken_api_list_reply))
    {
    case NGX_AGAIN:
        return;

    case NGX_BUSY:
        ngx_http_npmtoken_api_answer_busy(ctx,
                                          "This account lists its tokens too "
                                          "many times at once. Try again.");
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


/* the first six of the arguments of a script about the tokens of an account */

static ngx_int_t
ngx_http_npmtoken_api_tokens_args(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *script, ngx_str_t *argv)
{
    ngx_str_t  none;

    ngx_str_null(&none);

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = *script;
    ngx_str_set(&argv[2], "1");
    argv[3] = ngx_http_npmtoken_api_text_account_key(ctx, "tokens-of:");
    argv[4] = ngx_http_npmtoken_api_redis_key(ctx, "token:", &none);

    if (argv[3].data == NULL || argv[4].data == NULL) {
        return NGX_ERROR;
    }

    /* the folded name ends the key */

    argv[5].len = ctx->user.len;
    argv[5].data = argv[3].data + argv[3].len - argv[5].len;

    return NGX_OK;
}


static void
ngx_http_npmtoken_api_list_reply(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements % 2 == 0
        || reply->element[0]->type != REDIS_REPLY_INTEGER)
    {
        ngx_http_npmtoken_api_unavailable(ctx);
        return;
    }

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK,
                                 ngx_http_npmtoken_api_page(ctx, reply));
}


/*
 * Redis gave "n" tokens of a page.  Where that is less than there was to give,
 * more would have been too large: then the page ends where one of some other
 * size begins, since the next one has to be named by "perPage" and "page", too.
 * Neither gets less than half of what there was room for.  Returns the number
 * of tokens on this page; "size" is that of the next.
 */

static ngx_uint_t
ngx_http_npmtoken_api_tokens_fit(ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n,
    ngx_uint_t total, ngx_uint_t *size)
{
    ngx_uint_t  first, fit;

    first = ctx->page * ctx->per_page;

    *size = ctx->per_page;

    if (n == 0 || n >= *size || first + n >= total) {
        return ngx_min(n, *size);
    }

    for (*size = n; /* void */ ; (*size)--) {
        fit = n - (first + n) % *size;

        if (2 * fit >= n) {
            return fit;
        }
    }
}


static json_t *
ngx_http_npmtoken_api_page(ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply)
{
    json_t      *objects;
    ngx_uint_t   i, n, size, total;

    total = reply->element[0]->integer;

    n = ngx_http_npmtoken_api_tokens_fit(ctx, reply->elements / 2, total,
                                         &size);

    objects = json_array();

    for (i = 0; i < n; i++) {

        if (json_array_append_new(objects,
                ngx_http_npmtoken_api_listed(ctx, reply->element[2 * i + 1],
                                             reply->element[2 * i + 2]))
            != 0)
        {
            json_decref(objects);
            return NULL;
        }
    }

    return json_pack("{so sI so}", "objects", objects,
                     "total", (json_int_t) total,
                     "urls", ngx_http_npmtoken_api_urls(ctx, n, size, total));
}


static json_t *
ngx_http_npmtoken_api_listed(ngx_http_npmtoken_api_ctx_t *ctx, redisReply *key,
    redisReply *hash)
{
    ngx_str_t          name, shown;
    ngx_uint_t         n;
    npmtoken_field_t  *fields;

    fields = ngx_http_npmtoken_api_fields(ctx, hash, &n);

    if (fields == NULL || ngx_http_npmtoken_api_copy(ctx, key, &name) != NGX_OK)
    {
        return NULL;
    }

    shown = ngx_http_npmtoken_api_shown(fields, n);

    return ngx_http_npmtoken_api_record_json(&name, &shown, fields, n);
}


/* what the record says is shown of it; never more than a part of it is */

static ngx_str_t
ngx_http_npmtoken_api_shown(npmtoken_field_t *fields, ngx_uint_t nfields)
{
    ngx_str_t   shown;
    ngx_uint_t  i;

    ngx_str_set(&shown, "");

    for (i = 0; i < nfields; i++) {
        if (fields[i].name.len == sizeof("token") - 1
            && ngx_memcmp(fields[i].name.data, "token", sizeof("token") - 1)
               == 0)
        {
            shown = fields[i].value;
        }
    }

    shown.len = ngx_min(shown.len, NPMTOKEN_TOKEN_SHOWN);

    return shown;
}


static json_t *
ngx_http_npmtoken_api_urls(ngx_http_npmtoken_api_ctx_t *ctx, ngx_uint_t n,
    ngx_uint_t size, ngx_uint_t total)
{
    json_t      *urls;
    ngx_uint_t   end;

    urls = json_object();
    end = ctx->page * ctx->per_page + n;

    if (n && end < total
        && ngx_http_npmtoken_api_tokens_url(urls, "next", size, end / size)
           != NGX_OK)
    {
        json_decref(urls);
        return NULL;
    }

    if (ctx->page
        && ngx_http_npmtoken_api_tokens_url(urls, "prev", ctx->per_page,
                                            ctx->page - 1)
           != NGX_OK)
    {
        json_decref(urls);
        return NULL;
    }

    return urls;
}


static ngx_int_t
ngx_http_npmtoken_api_tokens_url(json_t *urls, char *name, ngx_uint_t per_page,
    ngx_uint_t page)
{
    u_char  buf[sizeof("/-/npm/v1/tokens?perPage=&page=") + 2 * NGX_INT64_LEN];
    u_char  *p;

    p = ngx_sprintf(buf, "/-/npm/v1/tokens?perPage=%ui&page=%ui", per_page,
                    page);

    return json_object_set_new(urls, name,
                               json_stringn((char *) buf, p - buf)) == 0
           ? NGX_OK : NGX_ERROR;
}


void
ngx_http_npmtoken_api_create(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_read_body(ctx, ngx_http_npmtoken_api_create_body);
}


static void
ngx_http_npmtoken_api_create_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_grant_read(ctx) != NGX_OK
        || ngx_http_npmtoken_api_body_password(ctx, ctx->body, "password",
                                               &ctx->password)
           != NGX_OK)
    {
        return;
    }

    ngx_http_npmtoken_api_act_bearer(ctx, ngx_http_npmtoken_api_parent);
}


static void
ngx_http_npmtoken_api_parent(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_grant_narrow(ctx) != NGX_OK) {
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
    npmtoken_change_t  change;

    ctx->granted = next;

    if (ngx_http_npmtoken_api_record_make(ctx) != NGX_OK
        || ngx_http_npmtoken_api_act_begin(ctx, &change) != NGX_OK)
    {
        return;
    }

    change.limit = ctx->conf->max_tokens;
    change.now = time(NULL);
    change.created = ctx->created;
    change.record = ctx->record.elts;
    change.nrecord = ctx->record.nelts;

    /* a record may name whom no account can be made for */

    if (npmtoken_account_name(&ctx->user) == NGX_OK) {
        change.name = ctx->user;
    }

    ngx_http_npmtoken_api_act(ctx, &change, npmtoken_script_create_args,
                              ngx_http_npmtoken_api_stored);
}


static void
ngx_http_npmtoken_api_stored(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
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

    if (ngx_http_npmtoken_api_is(reply, "CHANGED") == NGX_OK) {

        /* what was right when it was judged is wrong by now */

        if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN) {
            ngx_http_npmtoken_api_answer_wrong(ctx);

        } else {
            ngx_http_npmtoken_api_answer_changed(ctx);
        }

        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "OK") != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    if (ctx->unreplicated) {

        /* nobody has seen it, so it had better not be */

        ngx_http_npmtoken_api_tokens_withdraw(ctx,
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
    json_t     *json;
    ngx_str_t   key;

    key.data = ctx->key;
    key.len = NPMTOKEN_KEY_LEN;

    if (ngx_http_npmtoken_api_unstated(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    json = ngx_http_npmtoken_api_record_json(&key, &ctx->token,
                                             ctx->record.elts,
                                             ctx->record.nelts);

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
    ngx_http_npmtoken_api_act_bearer(ctx,
                                    ngx_http_npmtoken_api_tokens_revoke_known);
}


static void
ngx_http_npmtoken_api_tokens_revoke_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_load(ctx, ngx_http_npmtoken_api_revoke_account);
}


static void
ngx_http_npmtoken_api_revoke_account(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ctx->bearer->bypass_2fa)
    {
        ctx->reuse = ctx->conf->reuse;

        ngx_http_npmtoken_api_second_factor(ctx,
                                        ngx_http_npmtoken_api_revoke_granted);
        return;
    }

    ngx_http_npmtoken_api_revoke_granted(ctx);
}


static void
ngx_http_npmtoken_api_revoke_granted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    switch (ngx_http_npmtoken_api_find_id(ctx)) {

    case NGX_AGAIN:
        return;

    case NGX_DECLINED:
        ngx_http_npmtoken_api_failed(ctx);
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_api_unavailable(ctx);
    }
}


/*
 * A key, the beginning of one and no other, or a token.  Its first characters
 * that the list shows are none of these: many tokens have the same.  NGX_AGAIN:
 * asked for.  NGX_DECLINED: no memory.  NGX_ERROR: Redis cannot be asked.
 */

static ngx_int_t
ngx_http_npmtoken_api_find_id(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     digest[NPMTOKEN_KEY_LEN];
    ngx_str_t  argv[8];

    if (npmtoken_digest_key(&ctx->subject, digest) != NGX_OK
        || ngx_http_npmtoken_api_tokens_args(ctx, &npmtoken_script_find, argv)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    argv[6].data = digest;
    argv[6].len = NPMTOKEN_KEY_LEN;

    ngx_str_set(&argv[7], "");

    if (ngx_http_npmtoken_api_is_id(&ctx->subject)) {
        argv[7] = ctx->subject;
    }

    return ngx_http_npmtoken_api_read(ctx, 8, argv,
                                      ngx_http_npmtoken_api_resolve);
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

    if (reply->elements == 0) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_NOT_FOUND,
                     "This account has no such token. Give the id that npm "
                     "token list shows, or the whole token.");
        return;
    }

    if (reply->elements > 1) {
        ngx_http_npmtoken_api_error(ctx, NGX_HTTP_BAD_REQUEST,
                     "More than one token of this account has an id that "
                     "begins so. Give more of it.");
        return;
    }

    if (ngx_http_npmtoken_api_copy(ctx, reply->element[0], &key) != NGX_OK
        || key.len != NPMTOKEN_KEY_LEN)
    {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_revoke_key(ctx, &key,
                                     ngx_http_npmtoken_api_revoked);
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


/* whichever way it is named, the bearer's own is found by its key */

void
ngx_http_npmtoken_api_revoke_key(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *key, ngx_http_npmtoken_api_reply_pt next)
{
    u_char             *own;
    npmtoken_change_t   change;

    own = ngx_http_npmtoken_request_key(ctx->request, ctx->judged);

    if (own == NULL) {
        ngx_http_npmtoken_api_failed(ctx);
        return;
    }

    ngx_memcpy(ctx->key, key->data, NPMTOKEN_KEY_LEN);

    if (ngx_http_npmtoken_api_act_begin(ctx, &change) != NGX_OK) {
        return;
    }

    change.self = (ngx_memcmp(own, ctx->key, NPMTOKEN_KEY_LEN) == 0);

    ngx_http_npmtoken_api_tokens_revoke_send(ctx, &change, next);
}


/* nobody has seen it, and nobody is asked */

void
ngx_http_npmtoken_api_tokens_withdraw(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_reply_pt next)
{
    npmtoken_change_t  change;

    ctx->bearer = NULL;

    if (ngx_http_npmtoken_api_act_begin(ctx, &change) == NGX_OK) {
        ngx_http_npmtoken_api_tokens_revoke_send(ctx, &change, next);
    }
}


static void
ngx_http_npmtoken_api_tokens_revoke_send(ngx_http_npmtoken_api_ctx_t *ctx,
    npmtoken_change_t *change, ngx_http_npmtoken_api_reply_pt next)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_npmtoken_module);

    /* there a token without a record is not restricted at all */

    if (nlcf->unknown == NGX_HTTP_NPMTOKEN_UNKNOWN_PASS) {
        change->now = time(NULL);
    }

    /* the folded name ends the key */

    change->name.len = ctx->user.len;
    change->name.data = change->user.data + change->user.len
                        - change->name.len;

    ngx_http_npmtoken_api_act(ctx, change, npmtoken_script_revoke_args, next);
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

    if (ngx_http_npmtoken_api_is(reply, "CHANGED") == NGX_OK) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return;
    }

    if (ngx_http_npmtoken_api_is(reply, "PROTECTED") == NGX_OK) {
        ngx_http_npmtoken_api_answer_protected(ctx);
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
