
/*
 * The server is verified after the handshake, as nginx does it for upstreams:
 * OpenSSL's result for the chain, and then the name.  So a failure of either
 * has words of its own.
 *
 * TLS is a stream: what was decrypted comes in the order in which it was sent,
 * once, and nothing is left out.  OpenSSL may have read more from the socket
 * than it has handed over, and then the socket is not readable again.  So
 * whoever reads here reads until NGX_AGAIN, or posts its read event.
 */


#include "ngx_http_npmtoken_ssl.h"


#if (NGX_SSL)


/* certificates between the server's and the CA's, at most */
#define NGX_HTTP_NPMTOKEN_SSL_DEPTH  9


/* what to do about a failure, by OpenSSL's number of it */

typedef struct {
    int                   reason;
    char                 *advice;
} ngx_http_npmtoken_ssl_advice_t;


static char *ngx_http_npmtoken_ssl_trust(ngx_conf_t *cf,
    ngx_http_npmtoken_ssl_conf_t *conf);
static void ngx_http_npmtoken_ssl_set_name(ngx_http_npmtoken_ssl_t *ssl,
    ngx_str_t *name);
static ngx_uint_t ngx_http_npmtoken_ssl_is_address(u_char *name);
static ngx_int_t ngx_http_npmtoken_ssl_resume(ngx_http_npmtoken_ssl_t *ssl,
    ngx_connection_t *c);
static void ngx_http_npmtoken_ssl_save_session(ngx_connection_t *c);
static void ngx_http_npmtoken_ssl_drop_session(
    ngx_http_npmtoken_ssl_saved_t *saved);
static void ngx_http_npmtoken_ssl_handler(ngx_connection_t *c);
static ngx_int_t ngx_http_npmtoken_ssl_verify(ngx_http_npmtoken_ssl_t *ssl,
    ngx_connection_t *c);
static ngx_int_t ngx_http_npmtoken_ssl_check_name(
    ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c);
static u_char *ngx_http_npmtoken_ssl_log_error(ngx_log_t *log, u_char *buf,
    size_t len);
static void ngx_http_npmtoken_ssl_log_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_http_npmtoken_ssl_keep(ngx_http_npmtoken_ssl_t *ssl,
    u_char *text, size_t len);
static void ngx_http_npmtoken_ssl_say(ngx_http_npmtoken_ssl_t *ssl,
    const char *fmt, ...);


static ngx_http_npmtoken_ssl_advice_t  ngx_http_npmtoken_ssl_advices[] = {

    { SSL_R_WRONG_VERSION_NUMBER,
      "what answers there speaks no TLS" },

    { SSL_R_PACKET_LENGTH_TOO_LONG,
      "what answers there speaks no TLS" },

    { SSL_R_UNSUPPORTED_PROTOCOL,
      "see \"redis_ssl_protocols\"" },

    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
      "redis refuses our version, see \"redis_ssl_protocols\"" },

    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
      "redis may want a certificate (\"redis_ssl_certificate\"), or no cipher "
      "suits both (\"redis_ssl_ciphers\")" },

#ifdef SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED

    { SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
      "redis wants a certificate, see \"redis_ssl_certificate\"" },

#endif

    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
      "redis refuses our certificate, see \"redis_ssl_certificate\"" },

    { SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
      "redis refuses our certificate, see \"redis_ssl_certificate\"" },

    { SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
      "redis refuses our certificate, see \"redis_ssl_certificate\"" },

    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
      "redis refuses our certificate, see \"redis_ssl_certificate\"" },

    { SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
      "redis refuses our certificate, see \"redis_ssl_certificate\"" },

    { SSL_R_TLSV1_ALERT_UNKNOWN_CA,
      "redis does not know the CA of our certificate, see "
      "\"redis_ssl_certificate\"" },

    { 0, NULL }
};


char *
ngx_http_npmtoken_ssl_create(ngx_conf_t *cf,
    ngx_http_npmtoken_ssl_conf_t *conf)
{
    ngx_ssl_t           *ssl;
    ngx_uint_t           protocols;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    conf->saved = ngx_pcalloc(cf->pool, sizeof(ngx_http_npmtoken_ssl_saved_t));

    if (ssl == NULL || conf->saved == NULL) {
        return "no memory";
    }

    ssl->log = cf->log;

    protocols = 0;

    if (conf->protocols != NGX_HTTP_NPMTOKEN_SSL_TLSv1_3) {
        protocols |= NGX_SSL_TLSv1_2;
    }

    if (conf->protocols != NGX_HTTP_NPMTOKEN_SSL_TLSv1_2) {
        protocols |= NGX_SSL_TLSv1_3;
    }

    if (ngx_ssl_create(ssl, protocols, NULL) != NGX_OK) {
        return "no TLS";
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return "no memory";
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    conf->context = ssl;

    if (conf->ciphers.data == NULL) {
        ngx_str_set(&conf->ciphers, "DEFAULT");
    }

    if (ngx_ssl_ciphers(cf, ssl, &conf->ciphers, 0) != NGX_OK) {
        return "a bad value of \"redis_ssl_ciphers\"";
    }

    if (conf->certificate.len
        && ngx_ssl_certificate(cf, ssl, &conf->certificate, &conf->key, NULL)
           != NGX_OK)
    {
        return "a file that cannot be used in \"redis_ssl_certificate\" or "
               "\"redis_ssl_certificate_key\"";
    }

    if (ngx_ssl_client_session_cache(cf, ssl, 1) != NGX_OK) {
        return "no sessions of TLS";
    }

    return conf->verify ? ngx_http_npmtoken_ssl_trust(cf, conf) : NULL;
}


/* without a file, nginx sets the depth alone */

static char *
ngx_http_npmtoken_ssl_trust(ngx_conf_t *cf, ngx_http_npmtoken_ssl_conf_t *conf)
{
    ngx_ssl_t  *ssl;

    ssl = conf->context;

    if (ngx_ssl_trusted_certificate(cf, ssl, &conf->trusted,
                                    NGX_HTTP_NPMTOKEN_SSL_DEPTH)
        != NGX_OK)
    {
        return "a file that cannot be used in "
               "\"redis_ssl_trusted_certificate\"";
    }

    if (conf->trusted.len == 0
        && SSL_CTX_set_default_verify_paths(ssl->ctx) == 0)
    {
        return "no CAs: those of the system cannot be used";
    }

    if (ngx_ssl_crl(cf, ssl, &conf->crl) != NGX_OK) {
        return "a file that cannot be used in \"redis_ssl_crl\"";
    }

    return NULL;
}


ngx_int_t
ngx_http_npmtoken_ssl_begin(ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c,
    ngx_str_t *host)
{
    ngx_int_t  rc;

    ngx_http_npmtoken_ssl_set_name(ssl, ssl->conf->name.len ? &ssl->conf->name
                                                            : host);
    ssl->reason[0] = '\0';

    c->pool = ngx_create_pool(512, c->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    ssl->real = c->log;
    ssl->log = *c->log;
    ssl->log.handler = ngx_http_npmtoken_ssl_log_error;
    ssl->log.data = ssl;
    ssl->log.writer = ngx_http_npmtoken_ssl_log_writer;
    ssl->log.wdata = ssl;
    ssl->log.next = NULL;

    c->log = &ssl->log;
    c->log_error = NGX_ERROR_ERR;

    if (ngx_ssl_create_connection(ssl->conf->context, c, NGX_SSL_CLIENT)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the owner's buffer may move while a part of it is being written */

    SSL_set_mode(c->ssl->connection, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    c->ssl->handler = ngx_http_npmtoken_ssl_handler;
    c->ssl->save_session = ngx_http_npmtoken_ssl_save_session;

    /* RFC 6066, section 3: no addresses in server_name */

    if (!ngx_http_npmtoken_ssl_is_address(ssl->name)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) ssl->name)
           == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name(\"%s\") failed", ssl->name);
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_ssl_resume(ssl, c) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    return rc == NGX_OK ? ngx_http_npmtoken_ssl_verify(ssl, c) : rc;
}


/* the brackets of an IPv6 address belong to the URL */

static void
ngx_http_npmtoken_ssl_set_name(ngx_http_npmtoken_ssl_t *ssl, ngx_str_t *name)
{
    size_t   len;
    u_char  *p;

    p = name->data;
    len = name->len;

    if (len > 2 && p[0] == '[' && p[len - 1] == ']') {
        p++;
        len -= 2;
    }

    ssl->name_len = ngx_min(len, NGX_HTTP_NPMTOKEN_SSL_NAME);
    ngx_memcpy(ssl->name, p, ssl->name_len);
    ssl->name[ssl->name_len] = '\0';
}


static ngx_uint_t
ngx_http_npmtoken_ssl_is_address(u_char *name)
{
    return ngx_strchr(name, ':') != NULL
           || ngx_inet_addr(name, ngx_strlen(name)) != INADDR_NONE;
}


/*
 * A session is offered only for the name that it was verified for: what is
 * verified of a resumed one is the certificate of its first handshake.
 */

static ngx_int_t
ngx_http_npmtoken_ssl_resume(ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c)
{
    ngx_http_npmtoken_ssl_saved_t  *saved;

    saved = ssl->conf->saved;

    if (saved->session == NULL || saved->name_len != ssl->name_len
        || ngx_memcmp(saved->name, ssl->name, ssl->name_len) != 0)
    {
        return NGX_OK;
    }

    return ngx_ssl_set_session(c, saved->session);
}


/* with TLS 1.3 this is called when a ticket comes, after the handshake */

static void
ngx_http_npmtoken_ssl_save_session(ngx_connection_t *c)
{
    ngx_http_npmtoken_ssl_t        *ssl;
    ngx_http_npmtoken_ssl_saved_t  *saved;

    ssl = (ngx_http_npmtoken_ssl_t *) c->log;
    saved = ssl->conf->saved;

    ngx_http_npmtoken_ssl_drop_session(saved);

    saved->session = ngx_ssl_get_session(c);
    saved->name_len = ssl->name_len;
    ngx_memcpy(saved->name, ssl->name, ssl->name_len);
}


static void
ngx_http_npmtoken_ssl_drop_session(ngx_http_npmtoken_ssl_saved_t *saved)
{
    if (saved->session) {
        ngx_ssl_free_session(saved->session);
        saved->session = NULL;
    }
}


static void
ngx_http_npmtoken_ssl_handler(ngx_connection_t *c)
{
    ngx_int_t                 rc;
    ngx_http_npmtoken_ssl_t  *ssl;

    ssl = (ngx_http_npmtoken_ssl_t *) c->log;

    if (c->ssl->handshaked) {
        rc = ngx_http_npmtoken_ssl_verify(ssl, c);

    } else {
        rc = NGX_ERROR;

        if (c->write->timedout) {
            ngx_http_npmtoken_ssl_say(ssl, "the handshake timed out, perhaps "
                                      "what listens there speaks no TLS");
        }

        ngx_http_npmtoken_ssl_drop_session(ssl->conf->saved);
    }

    ssl->handler(c, rc);
}


static ngx_int_t
ngx_http_npmtoken_ssl_verify(ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c)
{
    long  rc;

    if (!ssl->conf->verify) {
        return NGX_OK;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_http_npmtoken_ssl_say(ssl, "the certificate of redis is not good: "
                                  "%s (%l)%s",
                                  X509_verify_cert_error_string(rc), rc,
                                  ssl->conf->trusted.len
                                  ? "" : ", by the system's CAs, see "
                                         "\"redis_ssl_trusted_certificate\"");

    } else if (ngx_http_npmtoken_ssl_check_name(ssl, c) != NGX_OK) {
        ngx_http_npmtoken_ssl_say(ssl, "the certificate of redis is not for "
                                  "\"%s\", see \"redis_ssl_name\"",
                                  ssl->name);

    } else {
        return NGX_OK;
    }

    ngx_http_npmtoken_ssl_drop_session(ssl->conf->saved);

    return NGX_ERROR;
}


/* nginx compares names, and an address is none */

static ngx_int_t
ngx_http_npmtoken_ssl_check_name(ngx_http_npmtoken_ssl_t *ssl,
    ngx_connection_t *c)
{
    int         rc;
    X509       *cert;
    ngx_str_t   name;

    if (!ngx_http_npmtoken_ssl_is_address(ssl->name)) {
        name.data = ssl->name;
        name.len = ssl->name_len;

        return ngx_ssl_check_host(c, &name);
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) ssl->name, 0);

    X509_free(cert);

    return rc == 1 ? NGX_OK : NGX_ERROR;
}


/* notes where the message ends that is about to be logged */

static u_char *
ngx_http_npmtoken_ssl_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_http_npmtoken_ssl_t  *ssl = log->data;

    ssl->end = buf;

    return ssl->real->handler ? ssl->real->handler(ssl->real, buf, len) : buf;
}


/*
 * A failure of the connection is kept for the owner.  Everything else goes
 * where the owner's lines go, as nginx has written it.
 */

static void
ngx_http_npmtoken_ssl_log_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_log_t                *real;
    ngx_http_npmtoken_ssl_t  *ssl = log->wdata;

    if (level == NGX_LOG_CRIT || level == NGX_LOG_ERR) {

        if (ssl->end > buf && ssl->end <= buf + len) {
            ngx_http_npmtoken_ssl_keep(ssl, buf, ssl->end - buf);
        }

        return;
    }

    for (real = ssl->real; real; real = real->next) {

        if (real->log_level < level) {
            break;
        }

        if (real->writer) {
            real->writer(real, level, buf, len);

        } else if (real->file) {
            (void) ngx_write_fd(real->file->fd, buf, len);
        }
    }
}


/*
 * A line is "TIME [LEVEL] PID#TID: *NUMBER MESSAGE", and in the message may
 * stand "error:", a number of OpenSSL in hex and a colon.
 */

static void
ngx_http_npmtoken_ssl_keep(ngx_http_npmtoken_ssl_t *ssl, u_char *text,
    size_t len)
{
    char                            *what;
    u_char                          *p, *end, *last;
    ngx_int_t                        code;
    ngx_http_npmtoken_ssl_advice_t  *advice;

    last = text + len;
    p = ngx_strnstr(text, "error:", len);

    if (p) {
        p += sizeof("error:") - 1;
        end = ngx_strlchr(p, last, ':');
        code = end ? ngx_hextoi(p, end - p) : NGX_ERROR;
        what = (code > 0) ? (char *) ERR_reason_error_string(code) : NULL;

        if (what) {
            advice = ngx_http_npmtoken_ssl_advices;

            while (advice->advice && advice->reason != ERR_GET_REASON(code)) {
                advice++;
            }

            ngx_http_npmtoken_ssl_say(ssl, advice->advice ? "%s; %s" : "%s",
                                      what, advice->advice);
            return;
        }
    }

    p = ngx_strlchr(text, last, '#');
    p = p ? ngx_strlchr(p, last, ' ') : NULL;
    p = p ? p + 1 : text;

    if (p < last && *p == '*') {
        while (p < last && *p++ != ' ') { /* void */ }
    }

    ngx_http_npmtoken_ssl_say(ssl, "%*s", (size_t) (last - p), p);
}


static void
ngx_http_npmtoken_ssl_say(ngx_http_npmtoken_ssl_t *ssl, const char *fmt, ...)
{
    va_list   args;
    u_char   *last;

    va_start(args, fmt);
    last = ngx_vslprintf(ssl->reason,
                         ssl->reason + NGX_HTTP_NPMTOKEN_SSL_REASON - 1, fmt,
                         args);
    va_end(args);

    *last = '\0';
}


char *
ngx_http_npmtoken_ssl_reason(ngx_http_npmtoken_ssl_t *ssl)
{
    return ssl->reason[0] ? (char *) ssl->reason : NULL;
}


void
ngx_http_npmtoken_ssl_end(ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c)
{
    if (c->ssl) {

        /* what is sent is not waited for, and a failure is not told */

        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {

            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
    }

    if (c->pool) {
        ngx_destroy_pool(c->pool);
        c->pool = NULL;
    }

    if (c->log == &ssl->log) {
        c->log = ssl->real;
    }
}


#else


char *
ngx_http_npmtoken_ssl_create(ngx_conf_t *cf,
    ngx_http_npmtoken_ssl_conf_t *conf)
{
    return "TLS in \"redis\", for which nginx and these modules have to be "
           "built with SSL (--with-http_ssl_module),";
}


ngx_int_t
ngx_http_npmtoken_ssl_begin(ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c,
    ngx_str_t *host)
{
    return NGX_ERROR;
}


char *
ngx_http_npmtoken_ssl_reason(ngx_http_npmtoken_ssl_t *ssl)
{
    return NULL;
}


void
ngx_http_npmtoken_ssl_end(ngx_http_npmtoken_ssl_t *ssl, ngx_connection_t *c)
{
}


#endif
