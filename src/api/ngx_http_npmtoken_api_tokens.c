
/*
 * npm token create, revoke.
 */


#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_auth.h"
#include "ngx_http_npmtoken_api_body.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_narrow.h"
#include "ngx_http_npmtoken_api_pending.h"
#include "ngx_http_npmtoken_api_record.h"
#include "ngx_http_npmtoken_api_session.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_tokens.h"
#include "ngx_http_npmtoken_api_wait.h"


/* the shortest prefix of a key that can name it, as npm prints them */
#define NGX_HTTP_NPMTOKEN_API_MIN_ID        6


static void ngx_http_npmtoken_api_tokens_create_body(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_create_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_create_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_stored(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_tokens_withdrawn(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static void ngx_http_npmtoken_api_tokens_made(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_created(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_tokens_unstated(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_revoke_known(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_revoke_loaded(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_revoke_admitted(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_tokens_revoke_found(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);
static ngx_uint_t ngx_http_npmtoken_api_tokens_is_id(ngx_str_t *id);
static void ngx_http_npmtoken_api_tokens_revoke_send(
    ngx_http_npmtoken_api_ctx_t *ctx, npmtoken_change_t *change,
    ngx_http_npmtoken_api_reply_pt next);
static void ngx_http_npmtoken_api_tokens_revoked(
    ngx_http_npmtoken_api_ctx_t *ctx, redisReply *reply);


/* token create: body, bearer, password, code, write, answer */

void
ngx_http_npmtoken_api_tokens_create(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_body_read(ctx,
                                    ngx_http_npmtoken_api_tokens_create_body);
}


static void
ngx_http_npmtoken_api_tokens_create_body(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_grant_read(ctx) != NGX_OK
        || ngx_http_npmtoken_api_auth_again(ctx, ctx->body) != NGX_OK)
    {
        return;
    }

    if (ctx->web && ctx->grant.name.len == 0) {
        (void) ngx_http_npmtoken_api_answer_bad(ctx, "Give the token a name.",
                                                NULL);
        return;
    }

    ngx_http_npmtoken_api_act_bearer(ctx,
                                     ngx_http_npmtoken_api_tokens_create_known);
}


static void
ngx_http_npmtoken_api_tokens_create_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ngx_http_npmtoken_api_narrow(ctx) != NGX_OK) {
        return;
    }

    ngx_http_npmtoken_api_auth_begin(ctx,
                                  ngx_http_npmtoken_api_tokens_create_admitted);
}


static void
ngx_http_npmtoken_api_tokens_create_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_tokens_store(ctx,
                                       ngx_http_npmtoken_api_tokens_made);
}


static void
ngx_http_npmtoken_api_tokens_made(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_session_renew(ctx,
                                        ngx_http_npmtoken_api_tokens_created);
}


void
ngx_http_npmtoken_api_tokens_store(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    npmtoken_change_t  change;

    ctx->stored = next;

    if (ngx_http_npmtoken_api_record_make(ctx) != NGX_OK
        || ngx_http_npmtoken_api_act_begin(ctx, &change) != NGX_OK)
    {
        return;
    }

    change.limit = ctx->conf->max_tokens;

    /* who has too many tokens has to log in to revoke some */

    if (ctx->grant.idle) {
        change.limit += NGX_HTTP_NPMTOKEN_API_SESSIONS;
        change.ttl = ctx->grant.idle;
    }

    if (ctx->spend) {
        change.spend = 1;
        change.bearer = ctx->pending;
        change.bearer_seen = ctx->pending_seen;
    }

    change.now = time(NULL);
    change.created = ctx->created;
    change.record = ctx->record.elts;
    change.nrecord = ctx->record.nelts;

    /* a record may name a user for whom no account can be made */

    if (npmtoken_account_is_name(&ctx->user)) {
        change.name = ctx->user;
    }

    ngx_http_npmtoken_api_act(ctx, &change, npmtoken_script_create_args,
                              ngx_http_npmtoken_api_tokens_stored);
}


static void
ngx_http_npmtoken_api_tokens_stored(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "LIMIT")) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                     "This account has as many tokens as it may have. Revoke "
                     "some with npm token revoke, or ask the registry's "
                     "administrator.");
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "CHANGED")) {

        /* the account has changed since the decision */

        if (ctx->call == NGX_HTTP_NPMTOKEN_API_LOGIN) {
            ngx_http_npmtoken_api_answer_wrong(ctx);

        } else if (ctx->spend) {
            ngx_http_npmtoken_api_pending_gone(ctx);

        } else {
            ngx_http_npmtoken_api_answer_changed(ctx);
        }

        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    if (ctx->unreplicated) {

        /* revoke the token, which nobody has seen */

        ngx_http_npmtoken_api_tokens_withdraw(ctx,
                                       ngx_http_npmtoken_api_tokens_withdrawn);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: token %*s made", (size_t) 8, ctx->key);

    ctx->stored(ctx);
}


static void
ngx_http_npmtoken_api_tokens_withdrawn(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_http_npmtoken_api_answer_unavailable(ctx);
}


static void
ngx_http_npmtoken_api_tokens_created(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t     *json;
    ngx_str_t   key;

    key.data = ctx->key;
    key.len = NPMTOKEN_KEY_LEN;

    if (ngx_http_npmtoken_api_tokens_unstated(ctx) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    json = ngx_http_npmtoken_api_record_json(&key, &ctx->token,
                                             ctx->record.elts,
                                             ctx->record.nelts);

    ngx_http_npmtoken_api_answer(ctx, NGX_HTTP_OK, json);
}


/*
 * Later npm does not send --read-only, so tell its user what the token may do.
 */

static ngx_int_t
ngx_http_npmtoken_api_tokens_unstated(ngx_http_npmtoken_api_ctx_t *ctx)
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

    return ngx_http_npmtoken_api_answer_header(ctx->request, "npm-notice",
                                               ctx->grant.readonly ? &readonly
                                                            : &full);
}


/* token revoke: bearer, account, code, find, write, answer */

void
ngx_http_npmtoken_api_tokens_revoke(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_act_bearer(ctx,
                                    ngx_http_npmtoken_api_tokens_revoke_known);
}


static void
ngx_http_npmtoken_api_tokens_revoke_known(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_auth_load(ctx,
                                    ngx_http_npmtoken_api_tokens_revoke_loaded);
}


static void
ngx_http_npmtoken_api_tokens_revoke_loaded(ngx_http_npmtoken_api_ctx_t *ctx)
{
    if (ctx->account.tfa == NPMTOKEN_TFA_AUTH_AND_WRITES
        && !ctx->bearer->bypass_2fa)
    {
        ctx->reuse = ctx->conf->reuse;

        ngx_http_npmtoken_api_auth_second_factor(ctx,
                                  ngx_http_npmtoken_api_tokens_revoke_admitted);
        return;
    }

    ngx_http_npmtoken_api_tokens_revoke_admitted(ctx);
}


/*
 * Finds a token by its key, by a unique prefix of its key, or by the token
 * itself.  The first characters that the list shows do not name a token, since
 * many tokens share them.
 */

static void
ngx_http_npmtoken_api_tokens_revoke_admitted(ngx_http_npmtoken_api_ctx_t *ctx)
{
    u_char     digest[NPMTOKEN_KEY_LEN];
    ngx_str_t  argv[9];

    if (npmtoken_digest_key(&ctx->subject, digest) != NGX_OK
        || ngx_http_npmtoken_api_text_tokens_args(ctx, &npmtoken_script_find,
                                                  argv)
           != NGX_OK)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    argv[7].data = digest;
    argv[7].len = NPMTOKEN_KEY_LEN;

    ngx_str_set(&argv[8], "");

    if (ngx_http_npmtoken_api_tokens_is_id(&ctx->subject)) {
        argv[8] = ctx->subject;
    }

    ngx_http_npmtoken_api_wait_read(ctx, 9, argv,
                                    ngx_http_npmtoken_api_tokens_revoke_found);
}


static void
ngx_http_npmtoken_api_tokens_revoke_found(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_str_t  key;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: the id is of %uz tokens", reply->elements);

    if (reply->elements == 0) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_NOT_FOUND,
                     "This account has no such token. Give the id that npm "
                     "token list shows, or the whole token.");
        return;
    }

    if (reply->elements > 1) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_BAD_REQUEST,
                     "More than one token of this account has an id that "
                     "begins like this. Give more of it.");
        return;
    }

    if (ngx_http_npmtoken_api_text_copy(ctx, reply->element[0], &key) != NGX_OK
        || key.len != NPMTOKEN_KEY_LEN)
    {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_tokens_revoke_key(ctx, &key,
                                         ngx_http_npmtoken_api_tokens_revoked);
}


static ngx_uint_t
ngx_http_npmtoken_api_tokens_is_id(ngx_str_t *id)
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


/* Compares keys to find out whether the token is the bearer's own. */

void
ngx_http_npmtoken_api_tokens_revoke_key(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *key, ngx_http_npmtoken_api_reply_pt next)
{
    u_char             *own;
    npmtoken_change_t   change;

    own = ngx_http_npmtoken_api_act_key(ctx);

    if (own == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_memcpy(ctx->key, key->data, NPMTOKEN_KEY_LEN);

    if (ngx_http_npmtoken_api_act_begin(ctx, &change) != NGX_OK) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: token %*s goes", (size_t) 8, ctx->key);

    change.self = (ngx_memcmp(own, ctx->key, NPMTOKEN_KEY_LEN) == 0);

    ngx_http_npmtoken_api_tokens_revoke_send(ctx, &change, next);
}


/* Nobody has seen the token, so no bearer is checked. */

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

    /* with "pass", a token without a record is not restricted at all */

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
ngx_http_npmtoken_api_tokens_revoked(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    if (reply == NULL) {
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ctx->unreplicated) {
        ngx_http_npmtoken_api_answer_unreplicated(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "CHANGED")) {
        ngx_http_npmtoken_api_answer_changed(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "PROTECTED")) {
        ngx_http_npmtoken_api_answer_protected(ctx);
        return;
    }

    if (!ngx_http_npmtoken_command_is(reply, "OK")) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_NOT_FOUND,
                                           "This account no longer has this "
                                           "token.");
        return;
    }

    ngx_http_npmtoken_api_answer_no_content(ctx);
}
