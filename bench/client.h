
/*
 * One connection to nginx, and what an npm client sends over it.
 */


#ifndef _NPMTOKEN_BENCH_CLIENT_H_INCLUDED_
#define _NPMTOKEN_BENCH_CLIENT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* npm's own form: "npm_" and 36 characters */
#define CLIENT_TOKEN   40

#define CLIENT_BUFFER  65536


/* a request is text, with a place in it where the token goes */

typedef struct {
    char      text[2048];
    size_t    len;
    size_t    token;
} client_request_t;


typedef struct {
    int       fd;
    int       port;
    int       status;     /* of the answer that is being read, or 0 */
    size_t    body;       /* bytes of it that are still to come */
    size_t    have;       /* bytes of its headers in buf */
    char     *buf;
} client_t;


/* nanoseconds, CLOCK_MONOTONIC */
int64_t client_now(void);

/* prints "what", and what "err" means if it is not 0, and ends the program */
void client_fail(const char *what, int err);

/* the 11 header lines of an npm that installs; a PUT has a small body */
void client_request(client_request_t *request, const char *method,
    const char *path);

/* connects, which must succeed, and leaves the socket non-blocking */
int client_socket(int port);
void client_open(client_t *client, int port);

/* 0, or -1 if the server has closed: the client is connected again then */
int client_send(client_t *client, client_request_t *request,
    const char *token);

/*
 * The status of an answer if one is complete; 0 if more of it is to come;
 * -1 if the server has closed: the client is connected again then.
 */
int client_read(client_t *client);


#endif /* _NPMTOKEN_BENCH_CLIENT_H_INCLUDED_ */
