
/*
 * nginx cannot omit one header line of a request.  A list must not be shrunk
 * in place, since proxy relies on the sizes of its parts.  So a new list is
 * made of the lines that stay.  The lines themselves do not move, since other
 * code points to them.
 *
 * The new list is made from the list as it is now.  Changes that other modules
 * have made since we last saw it are kept.
 */


#include "ngx_http_npmtoken_lines.h"


#define ngx_http_npmtoken_lines_is(h, name)                                   \
    ((h)->key.len == (name)->len                                              \
     && ngx_http_npmtoken_request_is_header(h, name))


static ngx_int_t ngx_http_npmtoken_lines_copy(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_list_t *headers);
static ngx_uint_t ngx_http_npmtoken_lines_goes(ngx_table_elt_t *h,
    ngx_uint_t which, ngx_str_t *identity);
static ngx_str_t *ngx_http_npmtoken_lines_identity(ngx_http_request_t *r);
static ngx_uint_t ngx_http_npmtoken_lines_upgrade(ngx_table_elt_t *h);
static ngx_int_t ngx_http_npmtoken_lines_keep(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx);
static void ngx_http_npmtoken_lines_gone(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which);
static void ngx_http_npmtoken_lines_forget(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_lines_crumbs(ngx_pool_t *pool,
    ngx_table_elt_t *h, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_lines_cookies(ngx_http_request_t *r);


static ngx_str_t  ngx_http_npmtoken_lines_authorization =
    ngx_string("Authorization");

static ngx_str_t  ngx_http_npmtoken_lines_cookie_name = ngx_string("Cookie");


/* Upgrade and the headers that go with it; also the variables of these */

static ngx_str_t  ngx_http_npmtoken_lines_upgrades[] = {
    ngx_string("Upgrade"),
    ngx_string("Connection"),
    ngx_string("HTTP2-Settings"),
    ngx_null_string
};


static ngx_str_t  ngx_http_npmtoken_lines_variables[] = {
    ngx_string("http_upgrade"),
    ngx_string("http_connection"),
    ngx_string("http_http2_settings"),
    ngx_null_string
};


ngx_uint_t
ngx_http_npmtoken_lines_forged(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    name = ngx_http_npmtoken_lines_identity(r);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_npmtoken_lines_is(&h[i], name)
                && !ngx_http_npmtoken_request_is_ours(ctx, &h[i]))
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_http_npmtoken_lines_change(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_table_elt_t *line)
{
    ngx_list_t        headers;
    ngx_table_elt_t  *copy;

    if (ngx_list_init(&headers, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK
        || ngx_http_npmtoken_lines_copy(r, ctx, which, &headers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    copy = NULL;

    if (line) {
        copy = ngx_list_push(&headers);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *line;
    }

    if ((which & NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION)
        && ngx_http_npmtoken_lines_keep(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.headers = headers;

    if (headers.last == &headers.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    ngx_http_npmtoken_lines_gone(r, ctx, which);

    if (copy
        && ngx_http_npmtoken_lines_is(copy,
                                      &ngx_http_npmtoken_lines_authorization))
    {
        r->headers_in.authorization = copy;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_lines_copy(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which, ngx_list_t *headers)
{
    ngx_str_t        *identity;
    ngx_uint_t        i, goes;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    identity = ngx_http_npmtoken_lines_identity(r);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ctx && ctx->named
                && ngx_http_npmtoken_request_is_ours(ctx, &h[i]))
            {
                goes = which & NGX_HTTP_NPMTOKEN_LINES_OURS;

            } else {
                goes = ngx_http_npmtoken_lines_goes(&h[i], which, identity);
            }

            if (goes) {
                continue;
            }

            copy = ngx_list_push(headers);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_npmtoken_lines_goes(ngx_table_elt_t *h, ngx_uint_t which,
    ngx_str_t *identity)
{
    if ((which & NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION)
        && ngx_http_npmtoken_lines_is(h,
                                      &ngx_http_npmtoken_lines_authorization))
    {
        return 1;
    }

    if ((which & NGX_HTTP_NPMTOKEN_LINES_FORGED)
        && ngx_http_npmtoken_lines_is(h, identity))
    {
        return 1;
    }

    return (which & NGX_HTTP_NPMTOKEN_LINES_UPGRADE)
           && ngx_http_npmtoken_lines_upgrade(h);
}


/*
 * The header name that no client may use, or an empty string.  Authorization
 * is the client's own: it holds the token, or what the registry checks.
 */

static ngx_str_t *
ngx_http_npmtoken_lines_identity(ngx_http_request_t *r)
{
    static ngx_str_t               none;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    return nlcf->identity->authorization ? &none : &nlcf->identity->name;
}


static ngx_uint_t
ngx_http_npmtoken_lines_upgrade(ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    for (name = ngx_http_npmtoken_lines_upgrades; name->len; name++) {
        if (ngx_http_npmtoken_lines_is(h, name)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Keeps a copy, since a subrequest may still use the list that holds the line.
 */

static ngx_int_t
ngx_http_npmtoken_lines_keep(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || ngx_http_npmtoken_request_is_ours(ctx, h)) {
        return NGX_OK;
    }

    ctx->authorization = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
    if (ctx->authorization == NULL) {
        ctx->taken = 0;
        return NGX_ERROR;
    }

    *ctx->authorization = *h;
    ctx->taken = 1;

    return NGX_OK;
}


static void
ngx_http_npmtoken_lines_gone(ngx_http_request_t *r,
    ngx_http_npmtoken_ctx_t *ctx, ngx_uint_t which)
{
    ngx_uint_t        ours;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;
    ours = (h && ngx_http_npmtoken_request_is_ours(ctx, h));

    if (which & (ours ? NGX_HTTP_NPMTOKEN_LINES_OURS
                      : NGX_HTTP_NPMTOKEN_LINES_AUTHORIZATION))
    {
        r->headers_in.authorization = NULL;
    }

    if (which & NGX_HTTP_NPMTOKEN_LINES_OURS) {
        ctx->named = 0;
    }

    if (which & NGX_HTTP_NPMTOKEN_LINES_UPGRADE) {
        r->headers_in.upgrade = NULL;
        r->headers_in.connection = NULL;
        ngx_http_npmtoken_lines_forget(r);
    }
}


/* variables may have been read before, and nginx caches their values */

static void
ngx_http_npmtoken_lines_forget(ngx_http_request_t *r)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        for (name = ngx_http_npmtoken_lines_variables; name->len; name++) {

            if (v[i].name.len == name->len
                && ngx_strncmp(v[i].name.data, name->data, name->len) == 0)
            {
                r->variables[i].valid = 0;
                r->variables[i].not_found = 0;
            }
        }
    }
}


ngx_int_t
ngx_http_npmtoken_lines_cookie(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_list_t        headers, before;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, line, *copy;

    ngx_str_null(value);

    if (ngx_list_init(&headers, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            line = h[i];

            if (ngx_http_npmtoken_lines_is(&line,
                                         &ngx_http_npmtoken_lines_cookie_name))
            {
                rc = ngx_http_npmtoken_lines_crumbs(r->pool, &line, name,
                                                    value);
                if (rc == NGX_ERROR) {
                    return NGX_ERROR;
                }

                if (rc == NGX_OK && line.value.len == 0) {
                    continue;
                }
            }

            copy = ngx_list_push(&headers);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = line;
        }
    }

    if (value->data == NULL) {
        return NGX_DECLINED;
    }

    before = r->headers_in.headers;

    r->headers_in.headers = headers;

    if (headers.last == &headers.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    if (ngx_http_npmtoken_lines_cookies(r) != NGX_OK) {
        r->headers_in.headers = before;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Takes the cookie out of the copy of a line.  Returns as the caller does.  A
 * cookie ends at a semicolon, whatever is in it.
 */

static ngx_int_t
ngx_http_npmtoken_lines_crumbs(ngx_pool_t *pool, ngx_table_elt_t *h,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char      *p, *last, *end, *start, *d, *line;
    ngx_uint_t   found;

    /* each part keeps its blanks, so the line never grows */

    line = ngx_pnalloc(pool, h->value.len + 1);
    if (line == NULL) {
        return NGX_ERROR;
    }

    d = line;
    found = 0;

    p = h->value.data;
    last = p + h->value.len;

    while (p < last) {

        end = ngx_strlchr(p, last, ';');
        end = end ? end : last;

        for (start = p; start < end && (*start == ' ' || *start == '\t'); ) {
            start++;
        }

        if ((size_t) (end - start) > name->len
            && start[name->len] == '='
            && ngx_memcmp(start, name->data, name->len) == 0)
        {
            start += name->len + 1;

            if (value->data == NULL) {
                value->len = end - start;
                value->data = ngx_pnalloc(pool, value->len + 1);

                if (value->data == NULL) {
                    return NGX_ERROR;
                }

                ngx_memcpy(value->data, start, value->len);
            }

            ngx_explicit_memzero(start, end - start);
            found = 1;

        } else if (start < end) {

            if (d > line) {
                *d++ = ';';
                start = p;
            }

            d = ngx_cpymem(d, start, end - start);
        }

        p = end + 1;
    }

    if (!found) {
        return NGX_DECLINED;
    }

    h->value.data = line;
    h->value.len = d - line;

    return NGX_OK;
}


/* Points nginx's own list of cookies to the lines that are there now. */

static ngx_int_t
ngx_http_npmtoken_lines_cookies(ngx_http_request_t *r)
{
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h;
#if (nginx_version >= 1023000)
    ngx_table_elt_t  **last;

    last = &r->headers_in.cookie;
    *last = NULL;
#else
    ngx_table_elt_t  **cookie;

    r->headers_in.cookies.nelts = 0;
#endif

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_npmtoken_lines_is(&h[i],
                                         &ngx_http_npmtoken_lines_cookie_name))
            {
                continue;
            }

#if (nginx_version >= 1023000)
            h[i].next = NULL;
            *last = &h[i];
            last = &h[i].next;
#else
            cookie = ngx_array_push(&r->headers_in.cookies);
            if (cookie == NULL) {
                return NGX_ERROR;
            }

            *cookie = &h[i];
#endif
        }
    }

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_npmtoken_lines_answer(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return h;
}
