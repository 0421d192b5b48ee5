
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "client.h"


#define CLIENT_BODY  "{\"name\":\"lodash\"}"


static size_t client_headers(client_t *client, size_t n);
static int client_reopen(client_t *client);


int64_t
client_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


void
client_fail(const char *what, int err)
{
    fprintf(stderr, "%s%s%s\n", what, err ? ": " : "",
            err ? strerror(err) : "");

    exit(1);
}


void
client_request(client_request_t *request, const char *method,
    const char *path)
{
    int         n;
    char       *p;
    size_t      size;
    const char *body;

    p = request->text;
    size = sizeof(request->text);
    body = strcmp(method, "PUT") == 0 ? CLIENT_BODY : "";

    n = snprintf(p, size,
                 "%s %s HTTP/1.1\r\n"
                 "user-agent: npm/11.4.2 node/v20.19.2 linux x64 "
                 "workspaces/false\r\n"
                 "npm-auth-type: web\r\n"
                 "npm-command: install\r\n"
                 "pacote-version: 21.0.0\r\n"
                 "pacote-req-type: packument\r\n"
                 "pacote-pkg-id: registry:lodash\r\n"
                 "accept: application/vnd.npm.install-v1+json; q=1.0, "
                 "application/json; q=0.8, */*\r\n"
                 "authorization: Bearer ", method, path);

    request->token = n;

    memset(p + n, '0', CLIENT_TOKEN);
    n += CLIENT_TOKEN;

    n += snprintf(p + n, size - n,
                  "\r\n"
                  "Accept-Encoding: gzip,deflate\r\n"
                  "Host: registry.example:4873\r\n"
                  "Connection: keep-alive\r\n");

    if (*body) {
        n += snprintf(p + n, size - n,
                      "content-type: application/json\r\n"
                      "Content-Length: %zu\r\n", strlen(body));
    }

    n += snprintf(p + n, size - n, "\r\n%s", body);

    request->len = n;
}


int
client_socket(int port)
{
    int                 fd, on;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));

    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
        || fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
    {
        client_fail("connect", errno);
    }

    return fd;
}


void
client_open(client_t *client, int port)
{
    memset(client, 0, sizeof(client_t));

    client->port = port;
    client->fd = client_socket(port);
    client->buf = malloc(CLIENT_BUFFER);

    if (client->buf == NULL) {
        client_fail("malloc", errno);
    }
}


static int
client_reopen(client_t *client)
{
    (void) close(client->fd);

    client->fd = client_socket(client->port);
    client->status = 0;
    client->have = 0;

    return -1;
}


int
client_send(client_t *client, client_request_t *request, const char *token)
{
    ssize_t  n;

    memcpy(request->text + request->token, token, CLIENT_TOKEN);

    n = send(client->fd, request->text, request->len, MSG_NOSIGNAL);

    if (n == -1 && (errno == EPIPE || errno == ECONNRESET)) {
        return client_reopen(client);
    }

    /* it is small, and nothing is on its way before it */

    if (n != (ssize_t) request->len) {
        client_fail("send", errno);
    }

    return 0;
}


int
client_read(client_t *client)
{
    ssize_t  n;

    n = recv(client->fd, client->buf + client->have,
             CLIENT_BUFFER - client->have, 0);

    if (n == 0 || (n == -1 && errno == ECONNRESET)) {
        return client_reopen(client);
    }

    if (n == -1) {
        if (errno == EAGAIN || errno == EINTR) {
            return 0;
        }

        client_fail("recv", errno);
    }

    if (client->status == 0) {
        n = client_headers(client, n);
    }

    if (client->status == 0 || (size_t) n < client->body) {
        client->body -= n;
        return 0;
    }

    n = client->status;

    client->status = 0;
    client->have = 0;

    return n;
}


/* bytes of the body that stand behind the headers */

static size_t
client_headers(client_t *client, size_t n)
{
    char  *p, *end;

    client->have += n;

    if (client->have == CLIENT_BUFFER) {
        client_fail("too many headers", 0);
    }

    client->buf[client->have] = '\0';
    client->body = 0;

    end = strstr(client->buf, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    end += sizeof("\r\n\r\n") - 1;
    client->status = atoi(client->buf + sizeof("HTTP/1.1"));

    for (p = client->buf; p < end; p = strchr(p, '\n') + 1) {
        if (strncasecmp(p, "Content-Length:", 15) == 0) {
            client->body = atol(p + 15);
            return client->have - (end - client->buf);
        }
    }

    if (client->status != 204 && client->status != 304) {
        client_fail("an answer has no length", 0);
    }

    return 0;
}
