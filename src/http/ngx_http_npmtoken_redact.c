
#include "ngx_http_npmtoken_redact.h"


static ngx_int_t ngx_http_npmtoken_redact_line(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_redact_referer(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_redact_key(ngx_http_request_t *r,
    ngx_str_t *secret, u_char *key);


ngx_int_t
ngx_http_npmtoken_redact_handler(ngx_http_request_t *r)
{
    if (r->headers_in.referer
        && ngx_http_npmtoken_redact_referer(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* in what is read, a secret can only be in a query */

    if ((!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) || r->args.len)
        && ngx_http_npmtoken_redact_line(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_npmtoken_redact_line(ngx_http_request_t *r)
{
    u_char     *p;
    u_char      key[NPMTOKEN_KEY_LEN];
    ngx_str_t   line, secret, redacted;

    line = r->request_line;

    if (npmtoken_secret_find(&line, &secret) != NGX_OK) {
        return NGX_OK;
    }

    if (ngx_http_npmtoken_redact_key(r, &secret, key) != NGX_OK) {
        return NGX_ERROR;
    }

    redacted.len = line.len - secret.len + NPMTOKEN_SHORT_KEY_LEN;
    redacted.data = ngx_pnalloc(r->pool, redacted.len);

    if (redacted.data == NULL) {
        ngx_str_null(&r->request_line);
        return NGX_ERROR;
    }

    p = ngx_cpymem(redacted.data, line.data, secret.data - line.data);
    p = ngx_cpymem(p, key, NPMTOKEN_SHORT_KEY_LEN);
    ngx_memcpy(p, secret.data + secret.len,
               line.data + line.len - secret.data - secret.len);

    r->request_line = redacted;

    return NGX_OK;
}


/*
 * npm 6 sends its command line in Referer, such as "token revoke TOKEN", and
 * nginx's own log formats contain that.  The command stays.
 */

static ngx_int_t
ngx_http_npmtoken_redact_referer(ngx_http_request_t *r)
{
    u_char           *p, *last;
    ngx_str_t         command;
    ngx_table_elt_t  *h;

    h = r->headers_in.referer;

    if (h->value.len <= sizeof("token ") - 1
        || ngx_strncmp(h->value.data, "token ", sizeof("token ") - 1) != 0)
    {
        return NGX_OK;
    }

    p = h->value.data + sizeof("token ") - 1;
    last = h->value.data + h->value.len;

    p = ngx_strlchr(p, last, ' ');
    if (p == NULL) {
        return NGX_OK;
    }

    command.len = p - h->value.data;
    command.data = ngx_pnalloc(r->pool, command.len + 1);

    if (command.data == NULL) {
        h->value.len = 0;
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(command.data, h->value.data, command.len + 1);

    h->value = command;

    return NGX_OK;
}


/*
 * The key of the secret in the path, which is decoded once.  A secret that is
 * a key already stays as it is: npm sends a key to revoke a token by its id.
 */

static ngx_int_t
ngx_http_npmtoken_redact_key(ngx_http_request_t *r, ngx_str_t *secret,
    u_char *key)
{
    size_t      i;
    u_char      ch, *src, *dst;
    ngx_str_t   token;

    token.data = ngx_pnalloc(r->pool, secret->len + 1);

    if (token.data == NULL) {
        ngx_str_null(&r->request_line);
        return NGX_ERROR;
    }

    src = secret->data;
    dst = token.data;

    ngx_unescape_uri(&dst, &src, secret->len, 0);

    token.len = dst - token.data;

    if (token.len == NPMTOKEN_KEY_LEN) {

        for (i = 0; i < token.len; i++) {
            ch = token.data[i];

            if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
                break;
            }
        }

        if (i == token.len) {
            ngx_memcpy(key, token.data, NPMTOKEN_KEY_LEN);
            return NGX_OK;
        }
    }

    if (npmtoken_digest_key(&token, key) != NGX_OK) {
        ngx_str_null(&r->request_line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
