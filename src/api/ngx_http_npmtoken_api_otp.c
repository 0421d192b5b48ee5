
#include "ngx_http_npmtoken_api_otp.h"
#include "ngx_http_npmtoken_api_act.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_attempts.h"
#include "ngx_http_npmtoken_api_text.h"
#include "ngx_http_npmtoken_api_ticket.h"
#include "ngx_http_npmtoken_api_wait.h"
#include "ngx_http_npmtoken_attempts.h"


static void ngx_http_npmtoken_api_otp_ticket(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc);
static ngx_str_t *ngx_http_npmtoken_api_otp_header(ngx_http_request_t *r);
static void ngx_http_npmtoken_api_otp_totp(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *code);
static void ngx_http_npmtoken_api_otp_recovery(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *code);
static void ngx_http_npmtoken_api_otp_use(ngx_http_npmtoken_api_ctx_t *ctx,
    char *kind, ngx_str_t *value);
static void ngx_http_npmtoken_api_otp_used(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_npmtoken_api_otp_wrong_code(
    ngx_http_npmtoken_api_ctx_t *ctx);


void
ngx_http_npmtoken_api_otp_verify(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_step_pt next)
{
    ngx_str_t  *code;

    ctx->verified = next;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: second factor, mode %d, reuse %d",
                   ctx->account.tfa, ctx->reuse);

    if (ctx->account.tfa == NPMTOKEN_TFA_OFF) {
        next(ctx);
        return;
    }

    code = ngx_http_npmtoken_api_otp_header(ctx->request);

    if (code == NULL || code->len == 0) {

        /* only this answer tells npm to ask for a code */

        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_ticket_ask(ctx,
                         "You must provide a one-time password: six digits "
                         "from your authenticator, or a recovery code. "
                         "Use npm --otp=<code>.");
        return;
    }

    if (ngx_http_npmtoken_api_ticket_is(ctx, code)) {
        ngx_http_npmtoken_api_ticket_use(ctx, code,
                                             ngx_http_npmtoken_api_otp_ticket);

    } else if (npmtoken_otp_is_recovery(code)) {
        ngx_http_npmtoken_api_otp_recovery(ctx, code);

    } else {
        ngx_http_npmtoken_api_otp_totp(ctx, code);
    }
}


static void
ngx_http_npmtoken_api_otp_ticket(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_int_t rc)
{
    ngx_str_t  none;

    switch (rc) {

    case NGX_OK:
        ctx->verified(ctx);
        return;

    case NGX_DECLINED:
        ngx_str_set(&none, "");
        ngx_http_npmtoken_api_otp_use(ctx, "wrong", &none);
        return;

    default: /* NGX_ERROR */
        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_answer_unavailable(ctx);
    }
}


static ngx_str_t *
ngx_http_npmtoken_api_otp_header(ngx_http_request_t *r)
{
    ngx_str_t         name, *value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_str_set(&name, "npm-otp");

    value = NULL;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_npmtoken_request_is_header(&h[i], &name)) {
                continue;
            }

            /* ignore two headers: a server behind us may read the other one */

            if (value) {
                return NULL;
            }

            value = &h[i].value;
        }
    }

    return value;
}


/*
 * A used code is not a wrong code.  The script tells them apart, since it also
 * sees a use that came after the account was loaded.
 */

static void
ngx_http_npmtoken_api_otp_totp(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *code)
{
    u_char     buf[NGX_INT64_LEN];
    int64_t    step;
    ngx_str_t  value;

    step = npmtoken_otp_verify(&ctx->account.totp, code, time(NULL), -1);

    if (step < 0) {
        ngx_str_set(&value, "");

        ngx_http_npmtoken_api_otp_use(ctx, "wrong", &value);
        return;
    }

    value.data = buf;
    value.len = ngx_sprintf(buf, "%L", step) - buf;

    ngx_http_npmtoken_api_otp_use(ctx, "totp", &value);
}


static void
ngx_http_npmtoken_api_otp_recovery(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_str_t *code)
{
    u_char     buf[NPMTOKEN_RECOVERY_LEN];
    ngx_str_t  value;

    if (npmtoken_otp_recovery_hash(code, buf) != NGX_OK) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    value.data = buf;
    value.len = NPMTOKEN_RECOVERY_LEN;

    ngx_http_npmtoken_api_otp_use(ctx, "recovery", &value);
}


/*
 * Lets Redis decide: it accepts a code once for all nodes, and counts attempts
 * over all nodes.
 */

static void
ngx_http_npmtoken_api_otp_use(ngx_http_npmtoken_api_ctx_t *ctx, char *kind,
    ngx_str_t *value)
{
    ngx_str_t  argv[7 + NGX_HTTP_NPMTOKEN_API_CODES_ARGS], *arg, *what, key;
    ngx_str_t  args[NGX_HTTP_NPMTOKEN_API_CODES_ARGS];
    ngx_int_t  counted;

    counted = ngx_http_npmtoken_api_attempts_codes(ctx, &key, args);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: one-time password of kind %s, counted: %i",
                   kind, counted);

    arg = argv;

    if (counted == NGX_OK) {
        ngx_str_set(arg, "2");

    } else {
        ngx_str_set(arg, "1");
    }

    arg++;
    *arg++ = ngx_http_npmtoken_api_text_account_key(ctx, "user:");

    if (counted == NGX_OK) {
        *arg++ = key;
    }

    arg->data = (u_char *) kind;
    arg++->len = ngx_strlen(kind);
    *arg++ = *value;

    what = arg++;
    ngx_str_set(what, "");

    if (ctx->reuse) {
        what->data = ngx_http_npmtoken_api_act_key(ctx);
        what->len = NPMTOKEN_KEY_LEN;
    }

    if (counted == NGX_OK) {
        *arg++ = args[0];
        *arg++ = args[1];

    } else {
        ngx_str_set(arg, "");
        arg++;
        ngx_str_set(arg, "");
        arg++;
    }

    *arg++ = ctx->user_seen;

    if (counted == NGX_ERROR || argv[1].data == NULL || what->data == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return;
    }

    ngx_http_npmtoken_api_wait_write(ctx, &npmtoken_script_otp, arg - argv,
                                     argv, ngx_http_npmtoken_api_otp_used);
}


static void
ngx_http_npmtoken_api_otp_used(ngx_http_npmtoken_api_ctx_t *ctx,
    redisReply *reply)
{
    ngx_int_t  wait;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: one-time password, reply %d, unreplicated %d",
                   reply ? reply->type : 0, ctx->unreplicated);

    /*
     * If a replica without this use took over, the code could be used a second
     * time.
     */

    if (reply == NULL || ctx->unreplicated) {
        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_answer_unavailable(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "OK")) {
        ctx->verified(ctx);
        return;
    }

    if (ngx_http_npmtoken_command_is(reply, "USED")) {

        /* the client had the code and has not guessed it */

        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_answer_challenge(ctx,
                         "This one-time password or a later one was used "
                         "already. Wait for the next one and try again.");
        return;
    }

    wait = ngx_http_npmtoken_attempts_wait(reply);

    if (wait != NGX_DECLINED) {
        ngx_http_npmtoken_api_attempts_give_back(ctx);
        ngx_http_npmtoken_api_attempts_refused(ctx, wait,
                         "Too many wrong one-time passwords. Wait a while, "
                         "then try again.");
        return;
    }

    ngx_http_npmtoken_api_attempts_failed(ctx,
                                        ngx_http_npmtoken_api_otp_wrong_code);
}


static void
ngx_http_npmtoken_api_otp_wrong_code(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_challenge(ctx,
                         "This one-time password is wrong, too old, or used "
                         "already. Wait for the next one and try again.");
}
