
#include "ngx_http_npmtoken_api_narrow.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_grant.h"
#include "ngx_http_npmtoken_api_text.h"
#include "npmtoken_cidr.h"
#include "npmtoken_list.h"


static int64_t ngx_http_npmtoken_api_narrow_end(
    ngx_http_npmtoken_api_ctx_t *ctx);
static ngx_int_t ngx_http_npmtoken_api_narrow_cidrs(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_str_t *outer);
static ngx_int_t ngx_http_npmtoken_api_narrow_split(ngx_str_t *list,
    ngx_pool_t *pool, ngx_array_t *entries);


/*
 * A read-only token cannot reach this, nor can a token limited to some
 * packages: making a token is a write that concerns no package.
 */

ngx_int_t
ngx_http_npmtoken_api_narrow(ngx_http_npmtoken_api_ctx_t *ctx)
{
    int64_t     end;
    ngx_str_t  *cidrs;

    cidrs = ngx_http_npmtoken_api_text_field(ctx->bearer_fields,
                                             ctx->nbearer_fields,
                                             "cidr_whitelist");

    if (cidrs && ngx_http_npmtoken_api_narrow_cidrs(ctx, cidrs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    end = ngx_http_npmtoken_api_narrow_end(ctx);

    if (ctx->grant.expires_at == NPMTOKEN_NEVER) {

        if (ctx->conf->lifetime) {
            ctx->grant.expires_at = time(NULL) + ctx->conf->lifetime;
        }

        ctx->grant.expires_at = ngx_min(ctx->grant.expires_at, end);

        return NGX_OK;
    }

    if (ctx->grant.expires_at > end) {
        ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                     "A token cannot create one that expires after it does. "
                     "Ask for fewer days, or log in with npm login.");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Returns the time which a token made by the bearer may not outlive.  A login
 * bounds nothing: its owner has just given the password again, and could have
 * logged in with that as well.  Otherwise nobody could make a token that is
 * good for longer than a login.
 */

static int64_t
ngx_http_npmtoken_api_narrow_end(ngx_http_npmtoken_api_ctx_t *ctx)
{
    npmtoken_record_t  *bearer;

    bearer = ctx->bearer;

    if (bearer->session) {
        return NPMTOKEN_NEVER;
    }

    return bearer->login ? bearer->vanishes_at
                         : ngx_min(bearer->expires_at, bearer->vanishes_at);
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

        if (ngx_http_npmtoken_api_narrow_split(outer, ctx->request->pool,
                                               &ctx->grant.cidrs)
            == NGX_OK)
        {
            return NGX_OK;
        }

        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    ranges = ngx_pnalloc(ctx->request->pool, npmtoken_cidr_size(outer));
    if (ranges == NULL) {
        ngx_http_npmtoken_api_answer_failed(ctx);
        return NGX_ERROR;
    }

    len = npmtoken_cidr_pack(outer, ranges);

    cidr = ctx->grant.cidrs.elts;

    for (i = 0; i < ctx->grant.cidrs.nelts; i++) {
        n = ngx_http_npmtoken_api_grant_cidr(&cidr[i], buf);

        if (len < 0
            || !npmtoken_cidr_within(buf, n, ranges, len))
        {
            ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_FORBIDDEN,
                     "A token cannot create one for addresses from which it "
                     "may not be used itself. Log in with npm login first.");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Returns NGX_OK or NGX_ERROR (no memory). */

static ngx_int_t
ngx_http_npmtoken_api_narrow_split(ngx_str_t *list, ngx_pool_t *pool,
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
