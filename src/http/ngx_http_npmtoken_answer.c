
#include "ngx_http_npmtoken_answer.h"
#include "ngx_http_npmtoken_identity.h"
#include "ngx_http_npmtoken_lines.h"


static ngx_int_t ngx_http_npmtoken_answer_headers(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_reason_t *reason,
    ngx_str_t *sentence);
static ngx_uint_t ngx_http_npmtoken_answer_by_nginx(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_npmtoken_answer_hide(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_answer_json(ngx_http_request_t *r,
    npmtoken_reason_t *reason, ngx_str_t *sentence);
static ngx_int_t ngx_http_npmtoken_answer_sentence(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_reason_e reason,
    ngx_str_t *sentence);
static void ngx_http_npmtoken_answer_facts(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_facts_t *facts, u_char *date);
static u_char *ngx_http_npmtoken_answer_date(u_char *buf, int64_t sec);
static ngx_table_elt_t *ngx_http_npmtoken_answer_push(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, char *name, ngx_str_t *value);


static ngx_str_t  ngx_http_npmtoken_json = ngx_string("application/json");
static ngx_str_t  ngx_http_npmtoken_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_npmtoken_one = ngx_string("1");


/* "2026-11-24 12:00 UTC" */
#define NGX_HTTP_NPMTOKEN_DATE_LEN  64


ngx_int_t
ngx_http_npmtoken_answer(ngx_http_request_t *r, ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_str_t           sentence;
    npmtoken_reason_t  *reason;

    reason = npmtoken_verdict_reason(ctx->reason);

    rc = ngx_http_npmtoken_answer_sentence(r, ctx, ctx->reason, &sentence);

    if (rc != NGX_OK
        || ngx_http_npmtoken_answer_headers(r, ctx, reason, &sentence)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_npmtoken_answer_by_nginx(r, reason->status)) {
        return ngx_http_npmtoken_answer_hide(r, ctx) == NGX_OK
               ? (ngx_int_t) reason->status : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, ngx_http_npmtoken_answer_json(r, reason,
                                                               &sentence));
    return NGX_DONE;
}


static ngx_int_t
ngx_http_npmtoken_answer_headers(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_reason_t *reason,
    ngx_str_t *sentence)
{
    ngx_table_elt_t  *h;

    if (reason->challenge.len) {
        h = ngx_http_npmtoken_answer_push(r, ctx, "WWW-Authenticate",
                                          &reason->challenge);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.www_authenticate = h;
    }

    /*
     * npm hides the error of a 401 that has a challenge, but always shows this
     */

    if (reason->status == NGX_HTTP_UNAUTHORIZED
        && ngx_http_npmtoken_answer_push(r, ctx, "npm-notice", sentence)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (reason->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_npmtoken_answer_push(r, ctx, "Retry-After",
                                         &ngx_http_npmtoken_one)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_answer_push(r, ctx, "Cache-Control",
                                      &ngx_http_npmtoken_no_store)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Whether nginx makes the answer.  With "satisfy any" a 401 or 403 of ours may
 * not be the last word.  An error_page takes a status, not an answer.
 */

static ngx_uint_t
ngx_http_npmtoken_answer_by_nginx(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                     i;
    ngx_http_err_page_t           *err_page;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && status != NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        return 1;
    }

    if (!nlcf->intercept_errors || clcf->error_pages == NULL) {
        return 0;
    }

    err_page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (err_page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


/*
 * The page of an error_page may be on another server.  If a token has a
 * record, or may have one, that server must not see it where the registry
 * itself does not.
 */

static ngx_int_t
ngx_http_npmtoken_answer_hide(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    if (nlcf->identity->name.len == 0
        || (ctx->record == NULL && ctx->reason != NPMTOKEN_UNAVAILABLE))
    {
        return NGX_OK;
    }

    return ngx_http_npmtoken_identity_drop(r, ctx, 1);
}


static ngx_int_t
ngx_http_npmtoken_answer_json(ngx_http_request_t *r,
    npmtoken_reason_t *reason, ngx_str_t *sentence)
{
    size_t                    len;
    u_char                   *p;
    ngx_http_complex_value_t  cv;

    len = sizeof("{\"error\":\"\",\"reason\":\"\"}" CRLF) - 1
          + sentence->len + reason->name.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = p;
    cv.value.len = ngx_sprintf(p, "{\"error\":\"%V\",\"reason\":\"%V\"}\n",
                               sentence, &reason->name) - p;

    /* otherwise discarding the body would send a "100 Continue" first */
    r->expect_tested = 1;

    /* otherwise the status of an error_page would replace ours */
    r->err_status = 0;

    return ngx_http_send_response(r, reason->status, &ngx_http_npmtoken_json,
                                  &cv);
}


ngx_int_t
ngx_http_npmtoken_answer_unknown(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_str_t  sentence;

    /* the sentence has the short key, which may not have been needed so far */

    (void) ngx_http_npmtoken_request_key(r, ctx);

    if (ngx_http_npmtoken_answer_sentence(r, ctx, NPMTOKEN_UNKNOWN, &sentence)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_answer_push(r, ctx, "npm-notice", &sentence)
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_npmtoken_answer_expires(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    u_char                        *p;
    int64_t                        end;
    ngx_str_t                      key, notice;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    end = ngx_min(ctx->record->expires_at, ctx->record->vanishes_at);

    /* a login ends soon after it was made: its owner need not be told daily */

    if (nlcf->expiry_notice == 0
        || ctx->record->login
        || end - ngx_time() > nlcf->expiry_notice
        || ngx_http_npmtoken_request_key(r, ctx) == NULL)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, sizeof("Token  expires on .") - 1
                             + NPMTOKEN_SHORT_KEY_LEN
                             + NGX_HTTP_NPMTOKEN_DATE_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key.data = ctx->key;
    key.len = NPMTOKEN_SHORT_KEY_LEN;

    notice.data = p;

    p = ngx_sprintf(p, "Token %V expires on ", &key);
    p = ngx_http_npmtoken_answer_date(p, end);
    *p++ = '.';

    notice.len = p - notice.data;

    return ngx_http_npmtoken_answer_push(r, ctx, "npm-notice", &notice)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_answer_sentence(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_reason_e reason,
    ngx_str_t *sentence)
{
    u_char            *p;
    u_char             date[NGX_HTTP_NPMTOKEN_DATE_LEN];
    npmtoken_facts_t   facts;

    p = ngx_pnalloc(r->pool, NPMTOKEN_SENTENCE_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_npmtoken_answer_facts(r, ctx, &facts, date);

    sentence->data = p;
    sentence->len = npmtoken_verdict_sentence(reason, &facts, p) - p;

    return NGX_OK;
}


static void
ngx_http_npmtoken_answer_facts(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, npmtoken_facts_t *facts, u_char *date)
{
    ngx_memzero(facts, sizeof(npmtoken_facts_t));

    if (ctx->key) {
        facts->short_key.data = ctx->key;
        facts->short_key.len = NPMTOKEN_SHORT_KEY_LEN;
    }

    facts->blank = (ctx->reason == NPMTOKEN_NO_TOKEN && ctx->value.len);

    if (r->connection->sockaddr->sa_family != AF_UNIX) {
        facts->address = r->connection->addr_text;
    }

    if (ctx->reason == NPMTOKEN_EXPIRED) {
        facts->expired.data = date;
        facts->expired.len = ngx_http_npmtoken_answer_date(date,
                                             ctx->record->expires_at) - date;
    }
}


static u_char *
ngx_http_npmtoken_answer_date(u_char *buf, int64_t sec)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) sec, &tm);

    return ngx_sprintf(buf, "%4d-%02d-%02d %02d:%02d UTC",
                       tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                       tm.ngx_tm_hour, tm.ngx_tm_min);
}


static ngx_table_elt_t *
ngx_http_npmtoken_answer_push(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, char *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    if (ctx->npushed == NGX_HTTP_NPMTOKEN_MAX_PUSHED) {
        return NULL;
    }

    h = ngx_http_npmtoken_lines_answer(r, name, value);
    if (h == NULL) {
        return NULL;
    }

    ctx->pushed[ctx->npushed] = h;
    ctx->said[ctx->npushed++] = value->data;

    return h;
}


void
ngx_http_npmtoken_answer_undo(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->npushed; i++) {

        if (ctx->pushed[i]->value.data != ctx->said[i]) {

            /*
             * an error in a filter has emptied the list, and the list is used
             * again
             */

            continue;
        }

        ctx->pushed[i]->hash = 0;

        if (r->headers_out.www_authenticate == ctx->pushed[i]) {
            r->headers_out.www_authenticate = NULL;
        }
    }

    ctx->npushed = 0;
}
