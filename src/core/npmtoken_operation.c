
/*
 * Method and URIs -> what the request asks of the registry.
 *
 * GET, HEAD and OPTIONS read; every other method writes.  The one table below
 * has the exceptions.  A registry may understand a path in its own way, so an
 * exception must match exactly, in both spellings of the path.  In doubt the
 * class is the worse one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_operation.h"
#include "npmtoken_package.h"


/*
 * What a {variable} of a path may stand for:
 *
 *   {name}, {rev}  one segment
 *   {package}      a package name; the "/" of a scoped one must be encoded in
 *                  an exception, and may be in a subject
 *   {file}         one segment: a file of that package
 *   {token}        the bearer's own token, to the end of the path
 *   {any}          the rest of the path, which may be empty
 */

typedef struct {
    ngx_str_t             method;
    ngx_str_t             path;     /* behind the base */
    ngx_str_t             args;     /* the whole query, if not empty */
    npmtoken_op_e         op;
} npmtoken_exception_t;


typedef struct {
    ngx_str_t             method;
    ngx_str_t             path;
} npmtoken_subject_t;


/* a path in one of its two spellings */

typedef struct {
    u_char               *start;    /* behind the base */
    u_char               *last;
    ngx_uint_t            raw;      /* as in the request line: still encoded */
    ngx_str_t            *package;  /* of a subject: {package} is copied
                                       there; else NULL */
} npmtoken_path_t;


static ngx_uint_t npmtoken_operation_reads(ngx_str_t *method);
static ngx_uint_t npmtoken_operation_special(u_char *p, size_t len);
static ngx_int_t npmtoken_operation_target(npmtoken_request_t *req,
    npmtoken_path_t *path);
static void npmtoken_operation_uri(npmtoken_request_t *req,
    npmtoken_path_t *path);
static npmtoken_op_e npmtoken_operation_path(npmtoken_request_t *req,
    npmtoken_path_t *path, npmtoken_op_e op);
static npmtoken_op_e npmtoken_operation_look(npmtoken_request_t *req,
    npmtoken_path_t *path, npmtoken_exception_t *exception, npmtoken_op_e op);
static ngx_int_t npmtoken_operation_match(npmtoken_request_t *req,
    npmtoken_path_t *path, ngx_str_t *method, ngx_str_t *pattern);
static u_char *npmtoken_operation_variable(npmtoken_request_t *req,
    u_char *variable, u_char *p, npmtoken_path_t *path);
static u_char *npmtoken_operation_named(u_char *p, npmtoken_path_t *path);
static u_char *npmtoken_operation_file(u_char *p, npmtoken_path_t *path);
static u_char *npmtoken_operation_segment(u_char *p, npmtoken_path_t *path);
static u_char *npmtoken_operation_bearer(npmtoken_request_t *req, u_char *p,
    npmtoken_path_t *path);
static ngx_int_t npmtoken_operation_canonical(ngx_str_t *token);
static u_char *npmtoken_operation_decode(u_char *p, u_char *last, u_char *ch);
static ngx_int_t npmtoken_operation_about(npmtoken_request_t *req,
    npmtoken_path_t *path, u_char *buf, ngx_str_t *name);
static size_t npmtoken_operation_take(npmtoken_path_t *path, u_char *buf);
static ngx_uint_t npmtoken_operation_is(u_char *p, size_t len, char *name);


/* the exceptions: requests of a better class than that of their method */

static npmtoken_exception_t  npmtoken_exceptions[] = {

    /* login, adduser: the password is in the body */

    { ngx_string("PUT"),
      ngx_string("-/user/org.couchdb.user:{name}"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    /* login to a name that exists: read it, then write that revision */

    { ngx_string("GET"),
      ngx_string("-/user/org.couchdb.user:{name}"),
      ngx_string("write=true"), NPMTOKEN_OP_SESSION },

    { ngx_string("PUT"),
      ngx_string("-/user/org.couchdb.user:{name}/-rev/{rev}"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    /* login with a browser */

    { ngx_string("POST"),
      ngx_string("-/v1/login"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    /* publishing from a CI system: the bearer token is that system's own */

    { ngx_string("POST"),
      ngx_string("-/npm/v1/oidc/token/exchange/package/{package}"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    /* ping, doctor, adduser of npm 6: sent without a token */

    { ngx_string("GET"),
      ngx_string("-/ping"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    { ngx_string("HEAD"),
      ngx_string("-/ping"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    /* audit, and each install: a read that is too long for a URI */

    { ngx_string("POST"),
      ngx_string("-/npm/v1/security/advisories/bulk"),
      ngx_null_string, NPMTOKEN_OP_READ },

    { ngx_string("POST"),
      ngx_string("-/npm/v1/security/audits/quick"),
      ngx_null_string, NPMTOKEN_OP_READ },

    { ngx_string("POST"),
      ngx_string("-/npm/v1/security/audits"),
      ngx_null_string, NPMTOKEN_OP_READ },

    /* logout */

    { ngx_string("DELETE"),
      ngx_string("-/user/token/{token}"),
      ngx_null_string, NPMTOKEN_OP_LOGOUT },

    { ngx_null_string, ngx_null_string, ngx_null_string, NPMTOKEN_OP_WRITE }
};


/*
 * The web page, where it is on.  Its calls have a session of their own, which
 * the token API judges.  It answers all of this itself, so none of it reaches a
 * registry.
 */

static npmtoken_exception_t  npmtoken_page_exceptions[] = {

    { ngx_string("GET"),
      ngx_string("-/npmtoken/{any}"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    { ngx_string("HEAD"),
      ngx_string("-/npmtoken/{any}"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    { ngx_string("POST"),
      ngx_string("-/npmtoken/{any}"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    /* npm asks whether somebody has logged it in by the page */

    { ngx_string("GET"),
      ngx_string("-/v1/done"),
      ngx_null_string, NPMTOKEN_OP_SESSION },

    { ngx_null_string, ngx_null_string, ngx_null_string, NPMTOKEN_OP_WRITE }
};


/*
 * The writes to one package, as clients send them.  A token that is limited to
 * some packages can make no other write.
 */

static npmtoken_subject_t  npmtoken_subjects[] = {

    /* publish, deprecate, star */

    { ngx_string("PUT"), ngx_string("{package}") },

    /* unpublish, owner */

    { ngx_string("PUT"), ngx_string("{package}/-rev/{rev}") },
    { ngx_string("DELETE"), ngx_string("{package}/-rev/{rev}") },
    { ngx_string("DELETE"), ngx_string("{package}/-/{file}/-rev/{rev}") },

    /* dist-tag, owner of pnpm, access, trust */

    { ngx_string("PUT"), ngx_string("-/package/{package}/dist-tags/{name}") },
    { ngx_string("DELETE"),
      ngx_string("-/package/{package}/dist-tags/{name}") },
    { ngx_string("PUT"), ngx_string("-/package/{package}/owners") },
    { ngx_string("POST"), ngx_string("-/package/{package}/access") },
    { ngx_string("POST"), ngx_string("-/package/{package}/trust") },
    { ngx_string("DELETE"), ngx_string("-/package/{package}/trust/{name}") },

    /* publish that awaits approval */

    { ngx_string("POST"), ngx_string("-/stage/package/{package}") },

    { ngx_null_string, ngx_null_string }
};


static ngx_str_t  npmtoken_operation_names[] = {
    ngx_string("session"),
    ngx_string("read"),
    ngx_string("logout"),
    ngx_string("write")
};


npmtoken_op_e
npmtoken_operation_class(npmtoken_request_t *req)
{
    size_t           len;
    npmtoken_op_e    op, target;
    npmtoken_path_t  path;

    if (req->override) {
        return NPMTOKEN_OP_WRITE;
    }

    op = npmtoken_operation_reads(&req->method) ? NPMTOKEN_OP_READ
                                                : NPMTOKEN_OP_WRITE;

    /* most requests are about packages, and end here */

    len = req->base->target.len;

    if (req->target.len < len
        || !npmtoken_operation_special(req->target.data + len,
                                       req->target.len - len)
        || npmtoken_operation_target(req, &path) != NGX_OK)
    {
        return op;
    }

    target = npmtoken_operation_path(req, &path, op);

    /* an exception never makes the class worse than the method does */

    if (target == op) {
        return op;
    }

    npmtoken_operation_uri(req, &path);

    op = npmtoken_operation_path(req, &path, op);

    return ngx_max(op, target);
}


ngx_str_t *
npmtoken_operation_name(npmtoken_op_e op)
{
    return &npmtoken_operation_names[op];
}


static ngx_uint_t
npmtoken_operation_reads(ngx_str_t *method)
{
    return npmtoken_operation_is(method->data, method->len, "GET")
           || npmtoken_operation_is(method->data, method->len, "HEAD")
           || npmtoken_operation_is(method->data, method->len, "OPTIONS");
}


/* whether the path is one of the registry's own, as all exceptions are */

static ngx_uint_t
npmtoken_operation_special(u_char *p, size_t len)
{
    return len >= 2 && p[0] == '-' && p[1] == '/';
}


static ngx_int_t
npmtoken_operation_target(npmtoken_request_t *req, npmtoken_path_t *path)
{
    if (!npmtoken_base_covers(req->base, &req->target)) {
        return NGX_DECLINED;
    }

    path->start = req->target.data + req->base->target.len;
    path->last = req->target.data + req->target.len;
    path->raw = 1;
    path->package = NULL;

    return NGX_OK;
}


static void
npmtoken_operation_uri(npmtoken_request_t *req, npmtoken_path_t *path)
{
    ngx_str_t  *base;

    base = &req->base->uri;

    path->start = req->uri.data;
    path->last = req->uri.data + req->uri.len;
    path->raw = 0;
    path->package = NULL;

    if (req->uri.len == 0 || req->uri.data[0] != '/') {
        path->last = path->start;
        return;
    }

    if (req->uri.len >= base->len
        && ngx_memcmp(req->uri.data, base->data, base->len) == 0)
    {
        path->start += base->len;
        return;
    }

    path->start++;
}


static npmtoken_op_e
npmtoken_operation_path(npmtoken_request_t *req, npmtoken_path_t *path,
    npmtoken_op_e op)
{
    if (!npmtoken_operation_special(path->start, path->last - path->start)) {
        return op;
    }

    if (req->base->page) {
        op = npmtoken_operation_look(req, path, npmtoken_page_exceptions, op);
    }

    return npmtoken_operation_look(req, path, npmtoken_exceptions, op);
}


static npmtoken_op_e
npmtoken_operation_look(npmtoken_request_t *req, npmtoken_path_t *path,
    npmtoken_exception_t *exception, npmtoken_op_e op)
{
    for ( /* void */ ; exception->method.len; exception++) {

        if (exception->args.len
            && (req->args.len != exception->args.len
                || ngx_memcmp(req->args.data, exception->args.data,
                              exception->args.len)
                   != 0))
        {
            continue;
        }

        if (npmtoken_operation_match(req, path, &exception->method,
                                     &exception->path)
            == NGX_OK)
        {
            return exception->op;
        }
    }

    return op;
}


static ngx_int_t
npmtoken_operation_match(npmtoken_request_t *req, npmtoken_path_t *path,
    ngx_str_t *method, ngx_str_t *pattern)
{
    u_char  *p, *t, *end;

    if (req->method.len != method->len
        || ngx_memcmp(req->method.data, method->data, method->len) != 0)
    {
        return NGX_DECLINED;
    }

    p = path->start;
    t = pattern->data;
    end = t + pattern->len;

    while (t < end) {

        if (*t == '{') {
            p = npmtoken_operation_variable(req, t + 1, p, path);
            if (p == NULL) {
                return NGX_DECLINED;
            }

            t = ngx_strlchr(t, end, '}') + 1;
            continue;
        }

        if (p == path->last || *p != *t) {
            return NGX_DECLINED;
        }

        p++;
        t++;
    }

    return (p == path->last) ? NGX_OK : NGX_DECLINED;
}


/* returns the end of the text that the variable matches, or NULL */

static u_char *
npmtoken_operation_variable(npmtoken_request_t *req, u_char *variable,
    u_char *p, npmtoken_path_t *path)
{
    switch (*variable) {

    case 't':
        return npmtoken_operation_bearer(req, p, path);

    case 'p':
        return npmtoken_operation_named(p, path);

    case 'f':
        return npmtoken_operation_file(p, path);

    case 'a':
        return path->last;

    default:
        return npmtoken_operation_segment(p, path);
    }
}


static u_char *
npmtoken_operation_named(u_char *p, npmtoken_path_t *path)
{
    size_t            len;
    u_char            buf[NPMTOKEN_PACKAGE_MAX];
    npmtoken_path_t   rest;

    /* npm encodes the slash of a scope; a raw path must have it so */

    if (path->package == NULL
        && path->raw && ngx_strlchr(p, path->last, '/'))
    {
        return NULL;
    }

    rest = *path;
    rest.start = p;

    len = npmtoken_operation_take(&rest, buf);

    if (!npmtoken_package_is_name(buf, len)) {
        return NULL;
    }

    if (path->package) {

        /* "-" is a valid package name, but these paths are the registry's */

        if (len == 1 && buf[0] == '-') {
            return NULL;
        }

        ngx_memcpy(path->package->data, buf, len);
        path->package->len = len;
    }

    return rest.start;
}


/*
 * npm names a file PACKAGE-VERSION: the package without its scope, and a
 * version, which begins with a digit.  Nothing in it needs encoding.
 */

static u_char *
npmtoken_operation_file(u_char *p, npmtoken_path_t *path)
{
    u_char     *end;
    ngx_str_t   base;

    end = npmtoken_operation_segment(p, path);

    if (end == NULL) {
        return NULL;
    }

    npmtoken_package_base(path->package, &base);

    if ((size_t) (end - p) < base.len + 2
        || ngx_memcmp(p, base.data, base.len) != 0
        || p[base.len] != '-'
        || p[base.len + 1] < '0' || p[base.len + 1] > '9')
    {
        return NULL;
    }

    return end;
}


/*
 * One segment that means the same to every registry, whether it decodes the
 * segment or not.
 */

static u_char *
npmtoken_operation_segment(u_char *p, npmtoken_path_t *path)
{
    u_char      ch;
    size_t      n, dots;

    n = 0;
    dots = 0;

    while (p < path->last && *p != '/') {

        ch = *p;

        if (path->raw) {
            p = npmtoken_operation_decode(p, path->last, &ch);
            if (p == NULL) {
                return NULL;
            }

        } else {
            p++;
        }

        if (ch < 0x20 || ch >= 0x7f) {
            return NULL;
        }

        switch (ch) {

        case '/':
        case '\\':
        case ';':
        case '%':
        case '?':
        case '#':
            return NULL;

        case '.':
            dots++;
            break;
        }

        n++;
    }

    if (n == 0 || (dots == n && n <= 2)) {
        return NULL;
    }

    return p;
}


/*
 * A token may contain slashes, and npm encodes some characters and not
 * others, so the decoded rest of the path is compared.  A dot segment or an
 * empty one in the raw path is also in the decoded one.
 */

static u_char *
npmtoken_operation_bearer(npmtoken_request_t *req, u_char *p,
    npmtoken_path_t *path)
{
    u_char  ch, *t, *last;

    t = req->token.data;
    last = t + req->token.len;

    while (p < path->last) {

        ch = *p;

        if (path->raw) {
            p = npmtoken_operation_decode(p, path->last, &ch);
            if (p == NULL) {
                return NULL;
            }

        } else {
            p++;
        }

        if (t == last || *t++ != ch) {
            return NULL;
        }
    }

    if (t != last || npmtoken_operation_canonical(&req->token) != NGX_OK) {
        return NULL;
    }

    return p;
}


/* no empty, "." or ".." segment */

static ngx_int_t
npmtoken_operation_canonical(ngx_str_t *token)
{
    u_char  *p, *last, *end;

    p = token->data;
    last = p + token->len;

    for ( ;; ) {
        end = ngx_strlchr(p, last, '/');
        if (end == NULL) {
            end = last;
        }

        if (end == p
            || (end - p == 1 && p[0] == '.')
            || (end - p == 2 && p[0] == '.' && p[1] == '.'))
        {
            return NGX_DECLINED;
        }

        if (end == last) {
            return NGX_OK;
        }

        p = end + 1;
    }
}


/* decodes one character, once; returns its end, or NULL if it is not valid */

static u_char *
npmtoken_operation_decode(u_char *p, u_char *last, u_char *ch)
{
    ngx_int_t  n;

    if (*p != '%') {
        *ch = *p;
        return p + 1;
    }

    if (last - p < 3) {
        return NULL;
    }

    n = ngx_hextoi(p + 1, 2);
    if (n == NGX_ERROR) {
        return NULL;
    }

    *ch = (u_char) n;

    return p + 3;
}


void
npmtoken_operation_package(npmtoken_request_t *req, u_char *buf,
    ngx_str_t *name)
{
    size_t           len;
    npmtoken_path_t  path;

    ngx_str_null(name);

    if (npmtoken_operation_target(req, &path) != NGX_OK) {
        npmtoken_operation_uri(req, &path);
    }

    len = npmtoken_operation_take(&path, buf);

    if (len == 1 && buf[0] == '-') {

        if (path.last - path.start < 9
            || ngx_memcmp(path.start, "/package/", 9) != 0)
        {
            return;
        }

        path.start += 9;

        len = npmtoken_operation_take(&path, buf);
    }

    if (!npmtoken_package_is_name(buf, len)) {
        return;
    }

    name->data = buf;
    name->len = len;
}


ngx_int_t
npmtoken_operation_subject(npmtoken_request_t *req, u_char *buf,
    ngx_str_t *name)
{
    u_char           other[NPMTOKEN_PACKAGE_MAX];
    ngx_str_t        second;
    npmtoken_path_t  path;

    ngx_str_null(name);

    /* with an override the method is not known */

    if (req->override
        || npmtoken_operation_target(req, &path) != NGX_OK
        || npmtoken_operation_about(req, &path, buf, name) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    npmtoken_operation_uri(req, &path);

    if (npmtoken_operation_about(req, &path, other, &second) == NGX_OK
        && second.len == name->len
        && ngx_memcmp(second.data, name->data, name->len) == 0)
    {
        return NGX_OK;
    }

    ngx_str_null(name);

    return NGX_DECLINED;
}


static ngx_int_t
npmtoken_operation_about(npmtoken_request_t *req, npmtoken_path_t *path,
    u_char *buf, ngx_str_t *name)
{
    npmtoken_subject_t  *subject;

    name->data = buf;
    name->len = 0;

    path->package = name;

    for (subject = npmtoken_subjects; subject->method.len; subject++) {

        if (npmtoken_operation_match(req, path, &subject->method,
                                     &subject->path)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    ngx_str_null(name);

    return NGX_DECLINED;
}


/*
 * Takes the first segment off the path, or the first two if the first is only
 * a scope, and writes them decoded to "buf".  Returns the length, or 0 if they
 * do not decode or are longer than a package name may be.
 */

static size_t
npmtoken_operation_take(npmtoken_path_t *path, u_char *buf)
{
    u_char      ch, *p;
    size_t      n;
    ngx_uint_t  slash;

    p = path->start;
    n = 0;
    slash = 0;

    while (p < path->last) {

        if (*p == '/' && (slash || n == 0 || buf[0] != '@')) {
            break;
        }

        ch = *p;

        if (path->raw) {
            p = npmtoken_operation_decode(p, path->last, &ch);
            if (p == NULL) {
                return 0;
            }

        } else {
            p++;
        }

        if (n == NPMTOKEN_PACKAGE_MAX) {
            return 0;
        }

        if (ch == '/') {
            slash = 1;
        }

        buf[n++] = ch;
    }

    path->start = p;

    return n;
}


static ngx_uint_t
npmtoken_operation_is(u_char *p, size_t len, char *name)
{
    return len == ngx_strlen(name) && ngx_memcmp(p, name, len) == 0;
}
