
/*
 * Makes the subrequest that logs in to the registry.
 *
 * If the request is itself a login, the subrequest is a clone that continues
 * where its parent is.  Otherwise the subrequest is a new one by URI, so that
 * it reaches the location for logins by the same rules as a login.  In a named
 * location no URI finds that location, so there it is a clone, too.
 *
 * Nothing from the client that could make the registry answer 200 may reach it:
 * not the query, the method or a header that overrides it, the credentials or
 * anything derived from them.
 */


#include "ngx_http_npmtoken_api_proxied.h"
#include "ngx_http_npmtoken_api_text.h"


static ngx_int_t ngx_http_npmtoken_api_proxied_uri(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_uint_t ngx_http_npmtoken_api_proxied_itself(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_int_t ngx_http_npmtoken_api_proxied_body(
    ngx_http_npmtoken_api_proxied_t *login);
static json_t *ngx_http_npmtoken_api_proxied_json(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_proxied_wipe(void *data);
static ngx_int_t ngx_http_npmtoken_api_proxied_headers(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_int_t ngx_http_npmtoken_api_proxied_keep(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_uint_t ngx_http_npmtoken_api_proxied_kept(ngx_table_elt_t *h);
static ngx_table_elt_t *ngx_http_npmtoken_api_proxied_header(ngx_pool_t *pool,
    ngx_list_t *headers, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_api_proxied_length(
    ngx_http_npmtoken_api_proxied_t *login, ngx_str_t *value);
static void ngx_http_npmtoken_api_proxied_variables(
    ngx_http_npmtoken_api_proxied_t *login, ngx_http_request_t *sr);


static ngx_str_t  ngx_http_npmtoken_api_put = ngx_string("PUT");
static ngx_str_t  ngx_http_npmtoken_api_user_path =
    ngx_string("-/user/org.couchdb.user:");

static ngx_str_t  ngx_http_npmtoken_api_accept = ngx_string("Accept");
static ngx_str_t  ngx_http_npmtoken_api_content_type =
    ngx_string("Content-Type");
static ngx_str_t  ngx_http_npmtoken_api_content_length =
    ngx_string("Content-Length");
static ngx_str_t  ngx_http_npmtoken_api_json = ngx_string("application/json");


/* the client's header lines that a login keeps */

static ngx_str_t  ngx_http_npmtoken_api_kept[] = {
    ngx_string("host"),
    ngx_string("user-agent"),
    ngx_string("forwarded"),
    ngx_string("x-forwarded-for"),
    ngx_string("x-forwarded-host"),
    ngx_string("x-forwarded-port"),
    ngx_string("x-forwarded-proto"),
    ngx_string("x-real-ip"),
    ngx_string("via"),
    ngx_null_string
};


ngx_int_t
ngx_http_npmtoken_api_proxied_make(ngx_http_npmtoken_api_proxied_t *login)
{
    if (ngx_http_npmtoken_api_proxied_uri(login) != NGX_OK
        || ngx_http_npmtoken_api_proxied_body(login) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_api_proxied_headers(login);
}


static ngx_int_t
ngx_http_npmtoken_api_proxied_uri(ngx_http_npmtoken_api_proxied_t *login)
{
    u_char                        *p;
    size_t                         escape;
    ngx_str_t                     *user, *path;
    npmtoken_base_t               *base;
    ngx_http_request_t            *r;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    r = login->ctx->request;

    if (ngx_http_npmtoken_api_proxied_itself(login)) {
        login->clone = 1;
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    login->clone = clcf->named && r->valid_unparsed_uri;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);
    user = &login->ctx->user;

    base = &nlcf->base;
    path = &ngx_http_npmtoken_api_user_path;

    escape = 2 * ngx_escape_uri(NULL, user->data, user->len,
                                NGX_ESCAPE_URI_COMPONENT);

    login->uri.len = base->uri.len + path->len + user->len;
    login->unparsed_uri.len = base->target.len + path->len + user->len
                              + escape;

    p = ngx_pnalloc(r->pool, login->uri.len + login->unparsed_uri.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    login->uri.data = p;

    p = ngx_cpymem(p, base->uri.data, base->uri.len);
    p = ngx_cpymem(p, path->data, path->len);
    p = ngx_cpymem(p, user->data, user->len);

    login->unparsed_uri.data = p;

    p = ngx_cpymem(p, base->target.data, base->target.len);
    p = ngx_cpymem(p, path->data, path->len);
    (void) ngx_escape_uri(p, user->data, user->len, NGX_ESCAPE_URI_COMPONENT);

    return NGX_OK;
}


/*
 * Returns 1 if the parent is itself a login: it has the path of npm's first
 * try, and the account as it is spelt.  Takes its URI, without the query.
 */

static ngx_uint_t
ngx_http_npmtoken_api_proxied_itself(ngx_http_npmtoken_api_proxied_t *login)
{
    u_char                        *p, *last;
    ngx_http_request_t            *r;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    if (login->ctx->call != NGX_HTTP_NPMTOKEN_API_LOGIN
        || login->ctx->subject.len != login->ctx->user.len
        || ngx_memcmp(login->ctx->subject.data, login->ctx->user.data,
                      login->ctx->user.len)
           != 0)
    {
        return 0;
    }

    r = login->ctx->request;
    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    login->uri = r->uri;
    login->unparsed_uri = r->unparsed_uri;

    last = r->unparsed_uri.data + r->unparsed_uri.len;

    p = ngx_strlchr(r->unparsed_uri.data, last, '?');
    if (p) {
        last = p;
        login->unparsed_uri.len = p - r->unparsed_uri.data;
    }

    p = r->unparsed_uri.data + nlcf->base.target.len
        + ngx_http_npmtoken_api_user_path.len;

    return ngx_strlchr(p, last, '/') == NULL;
}


static ngx_int_t
ngx_http_npmtoken_api_proxied_body(ngx_http_npmtoken_api_proxied_t *login)
{
    char                *text;
    json_t              *json;
    ngx_buf_t           *b;
    ngx_pool_cleanup_t  *cln;

    json = ngx_http_npmtoken_api_proxied_json(login->ctx);
    if (json == NULL) {
        return NGX_ERROR;
    }

    text = json_dumps(json, JSON_COMPACT);

    ngx_explicit_memzero(
        (void *) json_string_value(json_object_get(json, "password")),
        login->ctx->password.len);

    json_decref(json);

    if (text == NULL) {
        return NGX_ERROR;
    }

    login->text.data = (u_char *) text;
    login->text.len = ngx_strlen(text);

    /* the text must live as long as anything may still send it */

    cln = ngx_pool_cleanup_add(login->ctx->request->pool, 0);
    if (cln == NULL) {
        ngx_http_npmtoken_api_proxied_wipe(&login->text);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_npmtoken_api_proxied_wipe;
    cln->data = &login->text;

    b = &login->buf;

    b->start = login->text.data;
    b->end = b->start + login->text.len;
    b->pos = b->start;
    b->last = b->end;
    b->memory = 1;
    b->last_buf = 1;

    login->chain.buf = b;
    login->body.bufs = &login->chain;
    login->body.buf = b;

    return NGX_OK;
}


static json_t *
ngx_http_npmtoken_api_proxied_json(ngx_http_npmtoken_api_ctx_t *ctx)
{
    json_t     *json;
    ngx_str_t   date;

    if (ngx_http_npmtoken_api_text_now(ctx->request->pool, &date) != NGX_OK) {
        return NULL;
    }

    json = json_pack("{ss+% ss% ss% ss s[] ss%}",
                     "_id", "org.couchdb.user:", ctx->user.data, ctx->user.len,
                     "name", ctx->user.data, ctx->user.len,
                     "password", ctx->password.data, ctx->password.len,
                     "type", "user",
                     "roles",
                     "date", date.data, date.len);

    if (json == NULL || ctx->email.len == 0) {
        return json;
    }

    if (json_object_set_new(json, "email",
                            json_stringn((char *) ctx->email.data,
                                         ctx->email.len))
        != 0)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


static void
ngx_http_npmtoken_api_proxied_wipe(void *data)
{
    ngx_str_t *text = data;

    ngx_explicit_memzero(text->data, text->len);

    free(text->data);
}


static ngx_int_t
ngx_http_npmtoken_api_proxied_headers(ngx_http_npmtoken_api_proxied_t *login)
{
    ngx_str_t               length;
    ngx_pool_t             *pool;
    ngx_http_request_t     *r;
    ngx_http_headers_in_t  *in;

    r = login->ctx->request;
    pool = r->pool;
    in = &login->headers_in;

    if (ngx_http_npmtoken_api_proxied_keep(login) != NGX_OK
        || ngx_http_npmtoken_api_proxied_length(login, &length) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* of the header lines that nginx has pointers to, keep these */

    in->host = r->headers_in.host;
    in->user_agent = r->headers_in.user_agent;
#if (NGX_HTTP_X_FORWARDED_FOR)
    in->x_forwarded_for = r->headers_in.x_forwarded_for;
#endif
#if (NGX_HTTP_REALIP)
    in->x_real_ip = r->headers_in.x_real_ip;
#endif
    in->server = r->headers_in.server;
    in->keep_alive_n = -1;

    in->content_length_n = login->text.len;

    in->content_length = ngx_http_npmtoken_api_proxied_header(pool,
                           &in->headers,
                           &ngx_http_npmtoken_api_content_length, &length);

    in->content_type = ngx_http_npmtoken_api_proxied_header(pool,
                           &in->headers, &ngx_http_npmtoken_api_content_type,
                           &ngx_http_npmtoken_api_json);

    if (in->content_length == NULL
        || in->content_type == NULL
        || ngx_http_npmtoken_api_proxied_header(pool, &in->headers,
                                                &ngx_http_npmtoken_api_accept,
                                                &ngx_http_npmtoken_api_json)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_proxied_keep(ngx_http_npmtoken_api_proxied_t *login)
{
    ngx_uint_t           i;
    ngx_list_t          *headers;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h, *copy;
    ngx_http_request_t  *r;

    r = login->ctx->request;
    headers = &login->headers_in.headers;

    if (ngx_list_init(headers, r->pool, 12, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_npmtoken_api_proxied_kept(&h[i])) {
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
ngx_http_npmtoken_api_proxied_kept(ngx_table_elt_t *h)
{
    ngx_str_t  *name;

    for (name = ngx_http_npmtoken_api_kept; name->len; name++) {
        if (h->key.len == name->len
            && ngx_strncmp(h->lowcase_key, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_table_elt_t *
ngx_http_npmtoken_api_proxied_header(ngx_pool_t *pool, ngx_list_t *headers,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = *name;
    h->value = *value;

    h->lowcase_key = ngx_pnalloc(pool, name->len);
    if (h->lowcase_key == NULL) {
        return NULL;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, name->data, name->len);

    return h;
}


static ngx_int_t
ngx_http_npmtoken_api_proxied_length(ngx_http_npmtoken_api_proxied_t *login,
    ngx_str_t *value)
{
    value->data = ngx_pnalloc(login->ctx->request->pool, NGX_SIZE_T_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%uz", login->text.len)
                 - value->data;

    return NGX_OK;
}


void
ngx_http_npmtoken_api_proxied_request(ngx_http_npmtoken_api_proxied_t *login,
    ngx_http_request_t *sr)
{
    ngx_list_t  *headers;

    sr->method = NGX_HTTP_PUT;
    sr->method_name = ngx_http_npmtoken_api_put;

    sr->unparsed_uri = login->unparsed_uri;

    if (!login->clone) {
        sr->valid_unparsed_uri = 1;
    }

    sr->headers_in = login->headers_in;

    headers = &login->headers_in.headers;

    if (headers->last == &headers->part) {
        sr->headers_in.headers.last = &sr->headers_in.headers.part;
    }

    /* a body of its own: nothing to read from the client, no file to close */

    sr->request_body = &login->body;

    /* the answer contains a token that is not ours: do not even read it */

    sr->header_only = 1;

    ngx_http_npmtoken_api_proxied_variables(login, sr);
}


/*
 * A subrequest inherits the values of variables that its parent has computed,
 * such as one from the client's Authorization.  The login computes its own.  It
 * keeps only values that cannot be computed: those from "set", from a regex or
 * from auth_request.
 */

static void
ngx_http_npmtoken_api_proxied_variables(ngx_http_npmtoken_api_proxied_t *login,
    ngx_http_request_t *sr)
{
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t  *values, *value;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(sr, ngx_http_core_module);
    v = cmcf->variables.elts;

    values = sr->variables;
    sr->variables = login->variables;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (!values[i].valid || !(v[i].flags & NGX_HTTP_VAR_CHANGEABLE)) {
            continue;
        }

        value = NULL;

        if (!(v[i].flags & NGX_HTTP_VAR_WEAK)) {
            value = ngx_http_get_indexed_variable(sr, i);
        }

        if (value == NULL || value->not_found) {
            sr->variables[i] = values[i];
        }
    }
}
