
/*
 * A registry that does not read the identity answers a person with a good
 * token as it answers a stranger.  The person sees a refusal, and nginx has
 * allowed the request.  So nothing would say what is wrong.
 *
 * Two answers show it: 401 to a request with an identity, and a whoami that is
 * refused or names somebody else.  No body is waited for.  A whoami is short,
 * and has almost always come together with its header.
 */


#include "ngx_http_npmtoken_ignored.h"


static ngx_int_t ngx_http_npmtoken_ignored_filter(ngx_http_request_t *r);
static void ngx_http_npmtoken_ignored_look(ngx_http_request_t *r,
    ngx_uint_t whoami);
static ngx_uint_t ngx_http_npmtoken_ignored_otp(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_ignored_names(ngx_http_request_t *r,
    npmtoken_record_t *record);
static void ngx_http_npmtoken_ignored_log(ngx_http_request_t *r,
    ngx_http_npmtoken_identity_conf_t *identity, ngx_uint_t status);


#define NGX_HTTP_NPMTOKEN_WHOAMI  "/-/whoami"


static ngx_http_output_header_filter_pt  ngx_http_npmtoken_next_header_filter;


/*
 * nginx's own filters take no notice of what is there before them, and this
 * module is initialized before them.
 */

void
ngx_http_npmtoken_ignored_init(void)
{
    ngx_http_npmtoken_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_npmtoken_ignored_filter;
}


static ngx_int_t
ngx_http_npmtoken_ignored_filter(ngx_http_request_t *r)
{
    size_t      len;
    ngx_uint_t  whoami;

    len = sizeof(NGX_HTTP_NPMTOKEN_WHOAMI) - 1;

    /* almost no path ends like that, so this costs one comparison */

    whoami = (r->uri.len >= len
              && r->uri.data[r->uri.len - 1] == 'i'
              && ngx_memcmp(r->uri.data + r->uri.len - len,
                            NGX_HTTP_NPMTOKEN_WHOAMI, len)
                 == 0);

    if (whoami || r->headers_out.status == NGX_HTTP_UNAUTHORIZED) {
        ngx_http_npmtoken_ignored_look(r, whoami);
    }

    return ngx_http_npmtoken_next_header_filter(r);
}


static void
ngx_http_npmtoken_ignored_look(ngx_http_request_t *r, ngx_uint_t whoami)
{
    ngx_uint_t                          status;
    ngx_http_npmtoken_ctx_t            *ctx;
    ngx_http_npmtoken_loc_conf_t       *nlcf;
    ngx_http_npmtoken_identity_conf_t  *identity;

    ctx = ngx_http_npmtoken_request_ctx(r, 0);

    /* an answer from a cache was not given to this user */

    if (r != r->main || ctx == NULL || !ctx->named || r->upstream == NULL
#if (NGX_HTTP_CACHE)
        || r->cached
#endif
       )
    {
        return;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    identity = nlcf->identity;
    status = r->upstream->headers_in.status_n;

    if (status == NGX_HTTP_UNAUTHORIZED) {

        if (!ngx_http_npmtoken_ignored_otp(r)) {
            ngx_http_npmtoken_ignored_log(r, identity, status);
        }

        return;
    }

    if (!whoami) {
        return;
    }

    if (status == NGX_HTTP_FORBIDDEN) {
        ngx_http_npmtoken_ignored_log(r, identity, status);
        return;
    }

    if (status != NGX_HTTP_OK || !identity->user) {
        return;
    }

    switch (ngx_http_npmtoken_ignored_names(r, ctx->record)) {

    case NGX_OK:
        identity->ignored = 0;
        break;

    case NGX_DECLINED:
        ngx_http_npmtoken_ignored_log(r, identity, status);
        break;

    default: /* NGX_AGAIN */
        break;
    }
}


/*
 * Returns 1 if the registry asks for a one-time password: npm's registry does
 * so by a 401.
 */

static ngx_uint_t
ngx_http_npmtoken_ignored_otp(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = r->upstream->headers_in.www_authenticate;

    return h && ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                                 (u_char *) "OTP", sizeof("OTP") - 2)
                != NULL;
}


/*
 * Looks for the user in the part of a whoami's answer that has come with its
 * header.  Returns NGX_OK if it is there, NGX_DECLINED if it is not, NGX_AGAIN
 * if this cannot be told.
 */

static ngx_int_t
ngx_http_npmtoken_ignored_names(ngx_http_request_t *r,
    npmtoken_record_t *record)
{
    u_char      name[NPMTOKEN_USER_MAX + 2];
    off_t       length;
    u_char     *user;
    size_t      i;
    ngx_buf_t  *b;

    b = &r->upstream->buffer;
    user = npmtoken_record_user(record);
    length = r->upstream->headers_in.content_length_n;

    if (r->method != NGX_HTTP_GET
        || r->headers_out.content_encoding
        || (length == -1 ? ngx_strlchr(b->pos, b->last, '}') == NULL
                         : b->last - b->pos < length))
    {
        return NGX_AGAIN;
    }

    name[0] = '"';

    for (i = 0; i < record->user_len; i++) {

        /* JSON may have more than one spelling of these */

        if (user[i] == '"' || user[i] == '\\' || user[i] == '/') {
            return NGX_AGAIN;
        }

        name[i + 1] = user[i];
    }

    name[i + 1] = '"';

    return ngx_strlcasestrn(b->pos, b->last, name, i + 1) ? NGX_OK
                                                          : NGX_DECLINED;
}


/* says it once, and again only after a whoami that named its user */

static void
ngx_http_npmtoken_ignored_log(ngx_http_request_t *r,
    ngx_http_npmtoken_identity_conf_t *identity, ngx_uint_t status)
{
    if (identity->ignored) {
        return;
    }

    identity->ignored = 1;

    if (status == NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "npmtoken: the registry does not take the user from "
                      "\"%V\" of \"npmtoken_identity\": its whoami does not "
                      "name the user of an allowed token", &identity->name);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "npmtoken: the registry does not take the user from "
                  "\"%V\" of \"npmtoken_identity\": it answered %ui to an "
                  "allowed token", &identity->name, status);
}
