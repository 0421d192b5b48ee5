
/*
 * Clients that hammer the nodes with tokens, and write down what they were
 * told and when.
 *
 *     load STATE LOG SEED PORT...
 *
 * STATE is a file of slots that the checker changes while this reads it; LOG
 * gets a record for each request.  Some clients send a request before the
 * last one is answered, some connect anew after a few.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define FAST          24       /* clients of each node */
#define SLOW          72       /* these are there when all others wait */
#define CLIENTS       (FAST + SLOW)
#define SLOWER        60
#define MAX_NODES     4
#define MAX_SLOTS     1024
#define DEPTH         2
#define SECOND        1000000000ULL
#define PATIENCE      (20 * SECOND)

/* in each hundred requests */
#define HOT           60
#define WRITES        35


typedef struct {
    uint32_t     stop;
    uint32_t     pause;
    uint32_t     idle;       /* told by us: nothing is on its way */
    uint32_t     gap;        /* mean microseconds from one to the next */
    uint32_t     nslots;
    uint32_t     reserved[3];

    struct {
        uint32_t  serial;    /* of a token; 0: none */
        uint32_t  hot;
    } slots[MAX_SLOTS];
} state_t;


typedef struct {
    uint64_t     begin;
    uint64_t     end;
    uint32_t     serial;
    uint16_t     client;
    uint16_t     status;     /* 0: no answer */
    uint8_t      node;
    uint8_t      write;
    uint8_t      first;      /* of its connection */
    char         reason[13]; /* as the answer has it; empty: none */
} __attribute__((packed)) record_t;


typedef struct {
    int          fd;
    int          node;
    int          depth;
    int          slow;
    int          life;       /* requests of a connection */
    int          left;
    int          n;          /* requests without answer */
    record_t     asked[DEPTH];
    uint64_t     next;
    size_t       len;
    char         buf[8192];
} client_t;


static state_t   *state;
static FILE      *out;
static client_t   clients[CLIENTS * MAX_NODES];
static int        nclients, ports[MAX_NODES], nnodes;


static void
die(char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}


static uint64_t
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * SECOND + ts.tv_nsec;
}


static void
note(record_t *record, int status)
{
    record->end = now();
    record->status = status;

    fwrite(record, sizeof(record_t), 1, out);
}


static void
hang_up(client_t *client)
{
    int  i;

    for (i = 0; i < client->n; i++) {
        note(&client->asked[i], 0);
    }

    close(client->fd);

    client->fd = -1;
    client->n = 0;
    client->len = 0;
}


static void
set_next(client_t *client)
{
    uint64_t  gap;

    gap = (uint64_t) state->gap * (client->slow ? SLOWER : 1);

    client->next = now() + random() % (2 * gap) * 1000;
}


static uint32_t
pick(void)
{
    uint32_t  i, n, k;

    n = state->nslots;
    k = random() % n;

    if (random() % 100 < HOT) {
        for (i = 0; i < n; i++) {
            if (state->slots[(k + i) % n].hot) {
                k = (k + i) % n;
                break;
            }
        }
    }

    return state->slots[k].serial;
}


static int
dial(client_t *client)
{
    int                 fd, on;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd == -1) {
        die("socket");
    }

    on = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(ports[client->node]);

    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        && errno != EINPROGRESS)
    {
        close(fd);
        return -1;
    }

    /* what is sent before the connection is there would be refused */

    if (poll(&(struct pollfd) { .fd = fd, .events = POLLOUT }, 1, 100) != 1) {
        close(fd);
        return -1;
    }

    client->fd = fd;
    client->left = client->life;

    return 0;
}


static void
ask(client_t *client)
{
    int        n;
    char       buf[256];
    record_t  *record;

    record = &client->asked[client->n];

    memset(record, 0, sizeof(record_t));

    record->begin = now();
    record->serial = pick();
    record->client = client - clients;
    record->node = client->node;
    record->write = random() % 100 < WRITES;

    set_next(client);

    if (record->serial == 0) {
        return;
    }

    client->n++;

    if (client->fd == -1) {
        record->first = 1;

        if (dial(client) == -1) {
            note(record, 0);
            client->n = 0;
            return;
        }
    }

    n = sprintf(buf, "%s /pkg HTTP/1.1\r\nHost: faults\r\n"
                "Authorization: Bearer npm_%036u\r\n%s\r\n",
                record->write ? "PUT" : "GET", record->serial,
                record->write ? "Content-Length: 0\r\n" : "");

    if (send(client->fd, buf, n, MSG_NOSIGNAL) != n) {
        hang_up(client);
        return;
    }

    client->left--;
}


/* 0 if there is no whole answer in the buffer */

static int
answer(client_t *client)
{
    int        last;
    char      *end, *p;
    size_t     len;
    record_t  *record;

    client->buf[client->len] = '\0';

    end = strstr(client->buf, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }

    *end = '\0';
    end += 4;

    p = strcasestr(client->buf, "\r\nContent-Length:");
    len = p ? strtoul(p + 17, NULL, 10) : 0;

    if (client->len < end - client->buf + len) {
        end[-4] = '\r';
        return 0;
    }

    last = strcasestr(client->buf, "\r\nConnection: close") != NULL;

    if (client->n == 0) {
        fprintf(stderr, "load: an answer to nothing: %s\n", client->buf);
        exit(1);
    }

    record = &client->asked[0];

    /* what a reason may be is for the checker to say */

    if ((p = memmem(end, len, "\"reason\":\"", 10))) {
        p += 10;
        memcpy(record->reason, p, MIN(strcspn(p, "\""),
                                      sizeof(record->reason)));
    }

    note(record, atoi(client->buf + 9));

    client->n--;
    memmove(&client->asked[0], &client->asked[1],
            client->n * sizeof(record_t));

    client->len -= end - client->buf + len;
    memmove(client->buf, end + len, client->len);

    if (last) {
        hang_up(client);
        return 0;
    }

    return 1;
}


static void
hear(client_t *client)
{
    ssize_t  n;

    n = read(client->fd, client->buf + client->len,
             sizeof(client->buf) - 1 - client->len);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        hang_up(client);
        return;
    }

    client->len += n;

    while (client->len && answer(client)) { /* void */ }

    if (client->fd != -1 && client->n == 0 && client->left <= 0) {
        hang_up(client);
    }
}


static int
may_ask(client_t *client)
{
    return !state->pause
           && client->n < client->depth
           && (client->fd == -1 || client->left > 0);
}


static void
turn(void)
{
    int             i, busy;
    uint64_t        t, next;
    client_t       *client;
    struct pollfd   pfds[CLIENTS * MAX_NODES];

    next = now() + SECOND / 100;
    busy = 0;

    for (i = 0; i < nclients; i++) {
        client = &clients[i];

        pfds[i].fd = client->fd;
        pfds[i].events = POLLIN;

        busy |= client->n;

        if (may_ask(client) && client->next < next) {
            next = client->next;
        }
    }

    state->idle = state->pause && !busy;

    t = now();
    poll(pfds, nclients, next > t ? (next - t + 999999) / 1000000 : 0);

    for (i = 0; i < nclients; i++) {
        client = &clients[i];

        if (client->fd != -1 && pfds[i].fd == client->fd && pfds[i].revents) {
            hear(client);
        }

        if (client->n && now() - client->asked[0].begin > PATIENCE) {
            hang_up(client);
        }

        if (may_ask(client) && client->next <= now()) {
            ask(client);
        }
    }
}


int
main(int argc, char **argv)
{
    int        i, fd;
    client_t  *client;

    if (argc < 5) {
        fprintf(stderr, "usage: load STATE LOG SEED PORT...\n");
        return 1;
    }

    fd = open(argv[1], O_RDWR);
    if (fd == -1) {
        die(argv[1]);
    }

    state = mmap(NULL, sizeof(state_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                 fd, 0);
    if (state == MAP_FAILED) {
        die("mmap");
    }

    out = fopen(argv[2], "w");
    if (out == NULL) {
        die(argv[2]);
    }

    srandom(atoi(argv[3]));

    for (i = 4; i < argc && nnodes < MAX_NODES; i++) {
        ports[nnodes++] = atoi(argv[i]);
    }

    nclients = CLIENTS * nnodes;

    for (i = 0; i < nclients; i++) {
        client = &clients[i];

        client->fd = -1;
        client->node = i % nnodes;
        client->slow = i / nnodes >= FAST;
        client->depth = (i / nnodes) % 4 ? 1 : DEPTH;
        client->life = (i / nnodes) % 3 ? 500 : 3;
        set_next(client);
    }

    while (!state->stop && getppid() != 1) {
        turn();
    }

    for (i = 0; i < nclients; i++) {
        if (clients[i].fd != -1) {
            hang_up(&clients[i]);
        }
    }

    return fclose(out) ? 1 : 0;
}
