
/*
 * A request that is a login itself is cloned: the subrequest goes on from
 * where its parent is.  Any other one is asked anew, by its URI, so that it
 * gets to the location that logins have, by the rules that logins go by; only
 * in a named location there is nothing to find it by, and it is cloned.
 *
 * Whatever makes a registry answer 200 makes a password right.  So nothing of
 * the client's gets there that could: not its query, its method or a header
 * that overrides it, its credentials or what they were turned into; and no
 * answer counts that nginx made of another one, with an error_page.
 */


#include "ngx_http_npmtoken_api_registry.h"
#include "ngx_http_npmtoken_api_text.h"


typedef struct {
    ngx_http_npmtoken_api_ctx_t    *ctx;
    ngx_http_npmtoken_api_result_pt handler;
    ngx_http_post_subrequest_t      post;
    ngx_str_t                       uri;
    ngx_str_t                       unparsed_uri;
    ngx_str_t                       text;       /* of the body */
    ngx_http_request_body_t         body;
    ngx_chain_t                     chain;
    ngx_buf_t                       buf;
    ngx_http_headers_in_t           headers_in;
    ngx_http_variable_value_t      *variables;
    unsigned                        clone:1;
    unsigned                        verified:1; /* as its parent was */
    unsigned                        done:1;
} ngx_http_npmtoken_api_proxied_t;


static ngx_int_t ngx_http_npmtoken_api_registry_start(
    ngx_http_npmtoken_api_ctx_t *ctx, ngx_http_npmtoken_api_result_pt handler);
static ngx_int_t ngx_http_npmtoken_api_registry_uri(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_uint_t ngx_http_npmtoken_api_registry_itself(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_int_t ngx_http_npmtoken_api_registry_body(
    ngx_http_npmtoken_api_proxied_t *login);
static json_t *ngx_http_npmtoken_api_registry_json(
    ngx_http_npmtoken_api_ctx_t *ctx);
static void ngx_http_npmtoken_api_registry_wipe(void *data);
static ngx_int_t ngx_http_npmtoken_api_registry_headers(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_int_t ngx_http_npmtoken_api_registry_keep(
    ngx_http_npmtoken_api_proxied_t *login);
static ngx_uint_t ngx_http_npmtoken_api_registry_kept(ngx_table_elt_t *h);
static ngx_table_elt_t *ngx_http_npmtoken_api_registry_header(ngx_pool_t *pool,
    ngx_list_t *headers, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_npmtoken_api_registry_length(
    ngx_http_npmtoken_api_proxied_t *login, ngx_str_t *value);
static void ngx_http_npmtoken_api_registry_request(
    ngx_http_npmtoken_api_proxied_t *login, ngx_http_request_t *sr);
static void ngx_http_npmtoken_api_registry_variables(
    ngx_http_npmtoken_api_proxied_t *login, ngx_http_request_t *sr);
static ngx_int_t ngx_http_npmtoken_api_registry_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_npmtoken_api_registry_detach(void *data);
static void ngx_http_npmtoken_api_registry_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_npmtoken_api_registry_result(
    ngx_http_npmtoken_api_ctx_t *ctx);


static ngx_str_t  ngx_http_npmtoken_api_put = ngx_string("PUT");
static ngx_str_t  ngx_http_npmtoken_api_user_path =
    ngx_string("-/user/org.couchdb.user:");

static ngx_str_t  ngx_http_npmtoken_api_accept = ngx_string("Accept");
static ngx_str_t  ngx_http_npmtoken_api_content_type =
    ngx_string("Content-Type");
static ngx_str_t  ngx_http_npmtoken_api_content_length =
    ngx_string("Content-Length");
static ngx_str_t  ngx_http_npmtoken_api_json = ngx_string("application/json");


/* what a login keeps of the client's header lines */

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


void
ngx_http_npmtoken_api_registry(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler)
{
    if (ngx_http_npmtoken_api_registry_start(ctx, handler) != NGX_OK) {
        handler(ctx, NGX_ERROR);
    }
}


static ngx_int_t
ngx_http_npmtoken_api_registry_start(ngx_http_npmtoken_api_ctx_t *ctx,
    ngx_http_npmtoken_api_result_pt handler)
{
    ngx_uint_t                        flags;
    ngx_http_request_t               *r, *sr;
    ngx_http_core_main_conf_t        *cmcf;
    ngx_http_npmtoken_api_proxied_t  *login;

    r = ctx->request;
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    login = ngx_pcalloc(r->pool, sizeof(ngx_http_npmtoken_api_proxied_t));
    if (login == NULL) {
        return NGX_ERROR;
    }

    login->variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                        * sizeof(ngx_http_variable_value_t));
    if (login->variables == NULL) {
        return NGX_ERROR;
    }

    login->ctx = ctx;
    login->handler = handler;
    login->post.handler = ngx_http_npmtoken_api_registry_done;
    login->post.data = login;

    if (ngx_http_npmtoken_api_registry_uri(login) != NGX_OK
        || ngx_http_npmtoken_api_registry_body(login) != NGX_OK
        || ngx_http_npmtoken_api_registry_headers(login) != NGX_OK)
    {
        return NGX_ERROR;
    }

    flags = NGX_HTTP_SUBREQUEST_WAITED;

    if (login->clone) {
        flags |= NGX_HTTP_SUBREQUEST_CLONE;
    }

    if (ngx_http_subrequest(r, &login->uri, NULL, &sr, &login->post, flags)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "npmtoken api: registry asked for a password, clone: %d",
                   login->clone);

    /* it is posted, and has not begun */

    ctx->job = login;
    ctx->detach = ngx_http_npmtoken_api_registry_detach;
    ctx->registry_status = 0;

    login->verified = ctx->judged->verified;
    ctx->judged->verified = 0;

    ngx_http_npmtoken_api_registry_request(login, sr);

    r->write_event_handler = ngx_http_npmtoken_api_registry_resume;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_registry_uri(ngx_http_npmtoken_api_proxied_t *login)
{
    u_char                        *p;
    size_t                         escape;
    ngx_str_t                     *user, *path;
    npmtoken_base_t               *base;
    ngx_http_request_t            *r;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_npmtoken_loc_conf_t  *nlcf;

    r = login->ctx->request;

    if (ngx_http_npmtoken_api_registry_itself(login)) {
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
 * The parent is such a login: the path of its first try, without a query, and
 * of the account as it is spelt.
 */

static ngx_uint_t
ngx_http_npmtoken_api_registry_itself(ngx_http_npmtoken_api_proxied_t *login)
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
ngx_http_npmtoken_api_registry_body(ngx_http_npmtoken_api_proxied_t *login)
{
    char                *text;
    json_t              *json;
    ngx_buf_t           *b;
    ngx_pool_cleanup_t  *cln;

    json = ngx_http_npmtoken_api_registry_json(login->ctx);
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

    /* it is needed until there is nobody left who may still send it */

    cln = ngx_pool_cleanup_add(login->ctx->request->pool, 0);
    if (cln == NULL) {
        ngx_http_npmtoken_api_registry_wipe(&login->text);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_npmtoken_api_registry_wipe;
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
ngx_http_npmtoken_api_registry_json(ngx_http_npmtoken_api_ctx_t *ctx)
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
ngx_http_npmtoken_api_registry_wipe(void *data)
{
    ngx_str_t *text = data;

    ngx_explicit_memzero(text->data, text->len);

    free(text->data);
}


static ngx_int_t
ngx_http_npmtoken_api_registry_headers(ngx_http_npmtoken_api_proxied_t *login)
{
    ngx_str_t               length;
    ngx_pool_t             *pool;
    ngx_http_request_t     *r;
    ngx_http_headers_in_t  *in;

    r = login->ctx->request;
    pool = r->pool;
    in = &login->headers_in;

    if (ngx_http_npmtoken_api_registry_keep(login) != NGX_OK
        || ngx_http_npmtoken_api_registry_length(login, &length) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* of all that nginx has pointers to, these stay */

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

    in->content_length = ngx_http_npmtoken_api_registry_header(pool,
                           &in->headers,
                           &ngx_http_npmtoken_api_content_length, &length);

    in->content_type = ngx_http_npmtoken_api_registry_header(pool,
                           &in->headers, &ngx_http_npmtoken_api_content_type,
                           &ngx_http_npmtoken_api_json);

    if (in->content_length == NULL
        || in->content_type == NULL
        || ngx_http_npmtoken_api_registry_header(pool, &in->headers,
                                                 &ngx_http_npmtoken_api_accept,
                                                 &ngx_http_npmtoken_api_json)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_registry_keep(ngx_http_npmtoken_api_proxied_t *login)
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

            if (!ngx_http_npmtoken_api_registry_kept(&h[i])) {
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
ngx_http_npmtoken_api_registry_kept(ngx_table_elt_t *h)
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
ngx_http_npmtoken_api_registry_header(ngx_pool_t *pool, ngx_list_t *headers,
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
ngx_http_npmtoken_api_registry_length(ngx_http_npmtoken_api_proxied_t *login,
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


static void
ngx_http_npmtoken_api_registry_request(ngx_http_npmtoken_api_proxied_t *login,
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

    /* its own, with nothing in it to be read, or to be closed */

    sr->request_body = &login->body;

    /* the answer has a token in it, which is not ours: it is not even read */

    sr->header_only = 1;

    ngx_http_npmtoken_api_registry_variables(login, sr);
}


/*
 * A subrequest has the values that its parent has computed: of the client's
 * Authorization, for one.  A login computes its own, and keeps only what is
 * not computed: what "set" has set, what a regex has captured or auth_request
 * has left.
 */

static void
ngx_http_npmtoken_api_registry_variables(
    ngx_http_npmtoken_api_proxied_t *login, ngx_http_request_t *sr)
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


/*
 * NGX_OK ends the subrequest here, whatever there was: nginx would go on with
 * an error_page, and its status would be the last one.
 */

static ngx_int_t
ngx_http_npmtoken_api_registry_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_npmtoken_api_proxied_t *login = data;

    ngx_http_npmtoken_api_ctx_t  *ctx;

    ctx = login->ctx;

    login->done = 1;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->registry_status = rc;

    } else if (rc == NGX_OK && sr->upstream) {
        ctx->registry_status = sr->upstream->headers_in.status_n;
    }

    if (rc == NGX_HTTP_REQUEST_TIME_OUT
        || rc == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return rc;
    }

    return NGX_OK;
}


/* all of its memory is the request's, and goes with it */

static void
ngx_http_npmtoken_api_registry_detach(void *data)
{
    ngx_http_npmtoken_api_proxied_t *login = data;

    login->ctx->judged->verified = login->verified;
}


/* the subrequest has ended and posted its parent */

static void
ngx_http_npmtoken_api_registry_resume(ngx_http_request_t *r)
{
    ngx_http_npmtoken_api_ctx_t      *ctx;
    ngx_http_npmtoken_api_proxied_t  *login;

    ctx = ngx_http_get_module_ctx(r, ngx_http_npmtoken_api_module);
    login = ctx->job;

    if (!login->done) {
        return;
    }

    ngx_http_npmtoken_api_registry_detach(login);

    ctx->job = NULL;

    r->write_event_handler = ngx_http_request_empty_handler;

    /* with poll, whoever watched the client may have stopped */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    login->handler(ctx, ngx_http_npmtoken_api_registry_result(ctx));
}


static ngx_int_t
ngx_http_npmtoken_api_registry_result(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = ctx->registry_status;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "npmtoken api: registry answers a password with %ui",
                   status);

    if (status == NGX_HTTP_OK || status == NGX_HTTP_CREATED) {
        return NGX_OK;
    }

    /* 440 and above are nginx's own, for what is no answer */

    if (status >= NGX_HTTP_BAD_REQUEST && status < 440
        && status != NGX_HTTP_REQUEST_TIME_OUT
        && status != NGX_HTTP_TOO_MANY_REQUESTS)
    {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "npmtoken: the registry cannot be asked for a password, "
                  "status of its answer: %ui", status);

    return NGX_ERROR;
}
