
#include "npmtokenctl.h"
#include "npmtokenctl_wire.h"

#include <signal.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>


/* in seconds; that of a reply is longer than any WAIT */
#define CTL_CONNECT_TIMEOUT  5
#define CTL_PATIENCE         90


static void ctl_wire_tls(const char *host);
static SSL_CTX *ctl_wire_context(void);
static void ctl_wire_name(const char *host);
static ngx_uint_t ctl_wire_is_address(const char *host);
static const char *ctl_wire_handshake(void);
static const char *ctl_wire_why(int n);
static void ctl_wire_alert(void);


static redisContext  *ctl_wire;
static SSL           *ctl_wire_ssl;      /* NULL: no TLS */
static const char    *ctl_wire_failure = "";


void
ctl_wire_open(const char *name, const char *host, int port, ngx_uint_t tls)
{
    const char  *why;

    why = ctl_wire_try(host, port, tls);

    if (why) {
        ctl_die(CTL_REDIS, "cannot connect to %s%s: %s", name,
                tls ? " by TLS" : "", why);
    }
}


const char *
ctl_wire_try(const char *host, int port, ngx_uint_t tls)
{
    const char     *why;
    struct timeval  timeout = { CTL_CONNECT_TIMEOUT, 0 };
    struct timeval  patience = { CTL_PATIENCE, 0 };

    if (ctl_wire) {
        SSL_free(ctl_wire_ssl);
        ctl_wire_ssl = NULL;

        redisFree(ctl_wire);
    }

    ctl_wire = port ? redisConnectWithTimeout(host, port, timeout)
                    : redisConnectUnixWithTimeout(host, timeout);

    if (ctl_wire == NULL || ctl_wire->err) {
        return ctl_wire ? ctl_wire->errstr : "no memory";
    }

    if (tls) {
        (void) redisSetTimeout(ctl_wire, timeout);

        ctl_wire_tls(host);
        why = ctl_wire_handshake();

        if (why) {
            return why;
        }
    }

    (void) redisSetTimeout(ctl_wire, patience);

    return NULL;
}


void
ctl_wire_patience(int seconds)
{
    struct timeval  patience = { seconds, 0 };

    (void) redisSetTimeout(ctl_wire, patience);
}


static void
ctl_wire_tls(const char *host)
{
    SSL_CTX  *ctx;

    ctx = ctl_wire_context();
    ctl_wire_ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);

    if (ctl_wire_ssl == NULL
        || SSL_set_fd(ctl_wire_ssl, ctl_wire->fd) != 1)
    {
        ctl_die(CTL_BAD, "OpenSSL cannot be used");
    }

    ctl_wire_name(ctl_options.sni ? ctl_options.sni : host);

    /* a write to a closed connection is an error, and not the end of us */

    (void) signal(SIGPIPE, SIG_IGN);
}


static SSL_CTX *
ctl_wire_context(void)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL
        || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
    {
        ctl_die(CTL_BAD, "OpenSSL cannot be used");
    }

    if (ctl_options.insecure == 0) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }

    if (ctl_options.cacert
        ? SSL_CTX_load_verify_locations(ctx, ctl_options.cacert, NULL) != 1
        : SSL_CTX_set_default_verify_paths(ctx) != 1)
    {
        ctl_die(CTL_USAGE, "the CAs cannot be read%s%s",
                ctl_options.cacert ? " from " : "",
                ctl_options.cacert ? ctl_options.cacert : "");
    }

    if ((ctl_options.cert == NULL) != (ctl_options.key == NULL)) {
        ctl_die(CTL_USAGE, "--cert and --key need each other");
    }

    if (ctl_options.cert == NULL) {
        return ctx;
    }

    if (SSL_CTX_use_certificate_chain_file(ctx, ctl_options.cert) != 1) {
        ctl_die(CTL_USAGE, "there is no certificate to be read in %s",
                ctl_options.cert);
    }

    if (SSL_CTX_use_PrivateKey_file(ctx, ctl_options.key, SSL_FILETYPE_PEM)
        != 1)
    {
        ctl_die(CTL_USAGE, "there is no key of that certificate to be read in "
                "%s", ctl_options.key);
    }

    return ctx;
}


/* what the certificate has to be for; an address is not told to the server */

static void
ctl_wire_name(const char *host)
{
    int  rc;

    if (ctl_wire_is_address(host)) {
        rc = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ctl_wire_ssl), host);

    } else {
        rc = SSL_set1_host(ctl_wire_ssl, host) == 1
             && SSL_set_tlsext_host_name(ctl_wire_ssl, host) == 1;
    }

    if (rc != 1) {
        ctl_die(CTL_USAGE, "\"%s\" is no name of a certificate", host);
    }
}


static ngx_uint_t
ctl_wire_is_address(const char *host)
{
    return strchr(host, ':') != NULL
           || strspn(host, "0123456789.") == strlen(host);
}


/* Returns NULL, or why it failed. */

static const char *
ctl_wire_handshake(void)
{
    int   n;
    long  rc;

    ERR_clear_error();

    n = SSL_connect(ctl_wire_ssl);

    if (n == 1) {
        return NULL;
    }

    rc = SSL_get_verify_result(ctl_wire_ssl);

    if (rc != X509_V_OK && ctl_options.insecure == 0) {
        return ctl_format("the certificate of Redis is not good: %s "
                          "(see --cacert, --sni)",
                          X509_verify_cert_error_string(rc));
    }

    return ctl_wire_why(n);
}


/* "n" is what a function of OpenSSL has returned */

static const char *
ctl_wire_why(int n)
{
    int          error;
    const char  *text;

    error = SSL_get_error(ctl_wire_ssl, n);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return "timed out";
    }

    if (error == SSL_ERROR_SSL) {
        error = ERR_GET_REASON(ERR_peek_error());
        text = ERR_reason_error_string(ERR_peek_error());

        if (error == SSL_R_WRONG_VERSION_NUMBER) {
            return "what answers there speaks no TLS";
        }

        return ctl_format("%s%s", text ? text : "a fault in TLS",
                          error < 1000 || ctl_options.cert
                          ? "" : " (see --cert)");
    }

    return errno ? strerror(errno) : "closed by Redis";
}


ngx_int_t
ctl_wire_write(const void *data, size_t len)
{
    int          n;
    ssize_t      sent;
    const char  *p;

    for (p = data; len; p += sent, len -= sent) {

        if (ctl_wire_ssl == NULL) {
            sent = send(ctl_wire->fd, p, len, MSG_NOSIGNAL);

            if (sent <= 0) {
                ctl_wire_failure = strerror(errno);
                return NGX_ERROR;
            }

            continue;
        }

        ERR_clear_error();
        errno = 0;

        n = SSL_write(ctl_wire_ssl, p, (int) ngx_min(len, INT_MAX));

        if (n <= 0) {
            ctl_wire_failure = ctl_wire_why(n);
            ctl_wire_alert();
            return NGX_ERROR;
        }

        sent = n;
    }

    return NGX_OK;
}


/*
 * With TLS 1.3, a server that wants a certificate says so when our handshake
 * has ended, and closes.  What it has said can still be read.
 */

static void
ctl_wire_alert(void)
{
    int   n;
    char  c;

    ERR_clear_error();

    n = SSL_read(ctl_wire_ssl, &c, 1);

    if (n <= 0 && SSL_get_error(ctl_wire_ssl, n) == SSL_ERROR_SSL) {
        ctl_wire_failure = ctl_wire_why(n);
    }
}


ssize_t
ctl_wire_read(void *data, size_t size)
{
    int      n;
    ssize_t  got;

    if (ctl_wire_ssl) {
        ERR_clear_error();
        errno = 0;

        n = SSL_read(ctl_wire_ssl, data, (int) ngx_min(size, INT_MAX));

        if (n <= 0) {
            ctl_wire_failure = ctl_wire_why(n);
            return NGX_ERROR;
        }

        return n;
    }

    got = recv(ctl_wire->fd, data, size, 0);

    if (got <= 0) {
        ctl_wire_failure = (got == 0) ? "closed by Redis"
                           : (errno == EAGAIN) ? "timed out"
                           : strerror(errno);
        return NGX_ERROR;
    }

    return got;
}


const char *
ctl_wire_error(void)
{
    return ctl_wire_failure;
}
