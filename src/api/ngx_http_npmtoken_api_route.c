
#include "ngx_http_npmtoken_api_route.h"
#include "ngx_http_npmtoken_api_calls.h"
#include "ngx_http_npmtoken_api_page.h"


static ngx_int_t ngx_http_npmtoken_api_route_match(
    ngx_http_npmtoken_api_route_t *route, ngx_str_t *rest, ngx_str_t *subject);
static ngx_int_t ngx_http_npmtoken_api_route_decode(ngx_http_request_t *r,
    ngx_str_t *raw, ngx_str_t *subject);
static ngx_int_t ngx_http_npmtoken_api_route_hex(u_char ch);


/* the one table of the calls, as npm 5 to 12 and the page make them */

static ngx_http_npmtoken_api_route_t  ngx_http_npmtoken_api_routes[] = {

    { NGX_HTTP_POST, ngx_string("-/v1/login"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_WEB_LOGIN, ngx_http_npmtoken_api_browser_login },

    { NGX_HTTP_PUT, ngx_string("-/user/org.couchdb.user:"),
      ngx_null_string, 1, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_LOGIN, ngx_http_npmtoken_api_login },

    /*
     * npm sends this after a 409; the API never answers 409 here, but an
     * earlier registry may have
     */

    { NGX_HTTP_PUT, ngx_string("-/user/org.couchdb.user:"),
      ngx_string("/-rev/"), 1, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_LOGIN, ngx_http_npmtoken_api_login },

    { NGX_HTTP_DELETE, ngx_string("-/user/token/"),
      ngx_null_string, 1, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_LOGOUT, ngx_http_npmtoken_api_login_logout },

    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_string("-/whoami"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_login_whoami },

    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_string("-/npm/v1/user"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_profile_get },

    { NGX_HTTP_POST, ngx_string("-/npm/v1/user"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_PROFILE_SET, ngx_http_npmtoken_api_profile_set },

    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_string("-/npm/v1/tokens"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_list },

    { NGX_HTTP_POST, ngx_string("-/npm/v1/tokens"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_tokens_create },

    { NGX_HTTP_DELETE, ngx_string("-/npm/v1/tokens/token/"),
      ngx_null_string, 1, NGX_HTTP_NPMTOKEN_API_NPM,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_tokens_revoke },

    { NGX_HTTP_GET, ngx_string("-/v1/done"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_ANYONE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_browser_done },

    /* the page */

    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_string("-/npmtoken/"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_ANYONE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_page_file },

    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_string("-/npmtoken/"),
      ngx_null_string, 1, NGX_HTTP_NPMTOKEN_API_ANYONE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_page_file },

    { NGX_HTTP_GET, ngx_string("-/npmtoken/api/session"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_PAGE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_web_session },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/login"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_PAGE,
      NGX_HTTP_NPMTOKEN_API_LOGIN, ngx_http_npmtoken_api_web_login },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/logout"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_PAGE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_web_logout },

    { NGX_HTTP_GET, ngx_string("-/npmtoken/api/tokens"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_list },

    { NGX_HTTP_GET, ngx_string("-/npmtoken/api/sessions"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_list_sessions },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/tokens"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_tokens_create },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/revoke"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_web_revoke },

    { NGX_HTTP_GET, ngx_string("-/npmtoken/api/user"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_profile_get },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/user"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_PROFILE_SET, ngx_http_npmtoken_api_profile_set },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/pending"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_PAGE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_approve_seen },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/approve"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_SESSION,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_approve },

    { NGX_HTTP_POST, ngx_string("-/npmtoken/api/deny"),
      ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_PAGE,
      NGX_HTTP_NPMTOKEN_API_CALL, ngx_http_npmtoken_api_approve_deny },

    { 0, ngx_null_string, ngx_null_string, 0, 0, 0, NULL }
};


static ngx_http_npmtoken_api_route_t  ngx_http_npmtoken_api_route_other = {
    0, ngx_null_string, ngx_null_string, 0, NGX_HTTP_NPMTOKEN_API_NPM,
    NGX_HTTP_NPMTOKEN_API_OTHER, NULL
};


/* whatever else is below the page */

static ngx_http_npmtoken_api_route_t  ngx_http_npmtoken_api_route_none = {
    0, ngx_string("-/npmtoken/"), ngx_null_string, 0,
    NGX_HTTP_NPMTOKEN_API_ANYONE, NGX_HTTP_NPMTOKEN_API_CALL,
    ngx_http_npmtoken_api_page_none
};


ngx_http_npmtoken_api_route_t *
ngx_http_npmtoken_api_route(ngx_http_request_t *r, ngx_str_t *subject)
{
    u_char                         *p;
    ngx_str_t                       rest, raw;
    ngx_http_npmtoken_loc_conf_t   *nlcf;
    ngx_http_npmtoken_api_conf_t   *conf;
    ngx_http_npmtoken_api_route_t  *route;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_api_module);
    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_npmtoken_module);

    rest = r->unparsed_uri;

    p = ngx_strlchr(rest.data, rest.data + rest.len, '?');
    if (p) {
        rest.len = p - rest.data;
    }

    if (!npmtoken_base_covers(&nlcf->base, &rest)) {
        return &ngx_http_npmtoken_api_route_other;
    }

    rest.data += nlcf->base.target.len;
    rest.len -= nlcf->base.target.len;

    for (route = ngx_http_npmtoken_api_routes; route->method; route++) {

        if (!(route->method & r->method)
            || (route->whose && !conf->page)
            || ngx_http_npmtoken_api_route_match(route, &rest, &raw) != NGX_OK)
        {
            continue;
        }

        /* a subject that cannot be decoded is empty; the call stays the same */

        if (ngx_http_npmtoken_api_route_decode(r, &raw, subject) != NGX_OK) {
            ngx_str_null(subject);
        }

        return route;
    }

    route = &ngx_http_npmtoken_api_route_none;

    if (conf->page
        && rest.len >= route->path.len
        && ngx_memcmp(rest.data, route->path.data, route->path.len) == 0)
    {
        return route;
    }

    return &ngx_http_npmtoken_api_route_other;
}


static ngx_int_t
ngx_http_npmtoken_api_route_match(ngx_http_npmtoken_api_route_t *route,
    ngx_str_t *rest, ngx_str_t *subject)
{
    u_char  *p, *last;

    if (rest->len < route->path.len
        || ngx_memcmp(rest->data, route->path.data, route->path.len) != 0)
    {
        return NGX_DECLINED;
    }

    p = rest->data + route->path.len;
    last = rest->data + rest->len;

    subject->data = p;
    subject->len = last - p;

    if (!route->subject) {
        return p == last ? NGX_OK : NGX_DECLINED;
    }

    p = ngx_strlchr(p, last, '/');

    if (route->suffix.len == 0) {

        /* a token may contain "/", and some clients do not encode it */

        if (p && route->call != NGX_HTTP_NPMTOKEN_API_LOGOUT) {
            return NGX_DECLINED;
        }

        return subject->len ? NGX_OK : NGX_DECLINED;
    }

    if (p == NULL
        || p == subject->data
        || (size_t) (last - p) <= route->suffix.len
        || ngx_memcmp(p, route->suffix.data, route->suffix.len) != 0
        || ngx_strlchr(p + route->suffix.len, last, '/'))
    {
        return NGX_DECLINED;
    }

    subject->len = p - subject->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_route_decode(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_str_t *subject)
{
    u_char     *p, *last, *d;
    ngx_int_t   high, low;

    d = ngx_pnalloc(r->pool, raw->len + 1);
    if (d == NULL) {
        return NGX_ERROR;
    }

    subject->data = d;

    last = raw->data + raw->len;

    for (p = raw->data; p < last; p++) {

        if (*p != '%') {
            *d++ = *p;
            continue;
        }

        if (last - p < 3) {
            return NGX_DECLINED;
        }

        high = ngx_http_npmtoken_api_route_hex(p[1]);
        low = ngx_http_npmtoken_api_route_hex(p[2]);

        if (high == NGX_ERROR || low == NGX_ERROR) {
            return NGX_DECLINED;
        }

        *d++ = (u_char) (high << 4 | low);
        p += 2;
    }

    subject->len = d - subject->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_api_route_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : NGX_ERROR;
}
