
/*
 * Many nodes, as their Redis sees them: each is a connection that says and
 * does what the feed of a node does.
 *
 *     feeds PORT NODES [-i MS] revoke FILE
 *     feeds PORT NODES [-i MS] watch
 *
 * A node greets, tracks, subscribes, and sends a PING every MS milliseconds
 * (250, as for the default bound), one at a time.  If it loses its connection
 * it comes back as a node does, after the same pauses.
 *
 * "revoke" deletes the keys that FILE names, one to a line, when all nodes are
 * live.  For each it prints in nanoseconds
 *
 *     SENT   from the sending of DEL to Redis's OK
 *     HALF   from the sending of DEL to when half of the nodes have read the
 *            push
 *     LAST   ... and all
 *
 * "watch" prints, whenever one of the numbers has changed, but at most every
 * 10 ms: the time, how many nodes are live, how many have been connected to
 * begin with, and how often one has tried to connect.  It goes on until its
 * input ends.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "client.h"


#define FEEDS_BUFFER     16384
#define FEEDS_EVENTS     16
#define FEEDS_MS         1000000LL
#define FEEDS_TIMEOUT    (60000 * FEEDS_MS)

/* as ngx_http_npmtoken_connection.c has them */
#define FEEDS_RETRY_MIN  50
#define FEEDS_RETRY_MAX  1000

#define FEEDS_PREFIX     "npmtoken:token:"


typedef enum {
    FEEDS_BACKOFF = 0,
    FEEDS_CONNECTING,
    FEEDS_GREETING,
    FEEDS_ID,
    FEEDS_TRACKING,
    FEEDS_SUBSCRIBE,
    FEEDS_LIVE
} feeds_state_e;


typedef struct {
    int             fd;
    feeds_state_e   state;
    int             greeted;     /* replies to the greeting */
    int             failures;
    int             told;        /* it has read the push that is awaited */
    int             pinged;
    unsigned long   nonce;
    int64_t         due;         /* when it connects, or sends a PING */
    size_t          have;
    char           *buf;
} feeds_node_t;


static int            port, epoll;
static int64_t        interval = 250 * FEEDS_MS;
static feeds_node_t  *nodes;
static int            nodes_n, live, told;
static long           attempts;
static const char    *awaited;


static void
feeds_send(feeds_node_t *node, const char *command)
{
    size_t  len;

    len = strlen(command);

    /* what does not fit is seen as a lost connection at the next read */

    (void) !send(node->fd, command, len, MSG_NOSIGNAL);
}


static int64_t
feeds_delay(int failures)
{
    int       delay;
    unsigned  n;

    delay = FEEDS_RETRY_MIN;

    while (--failures > 0 && delay < FEEDS_RETRY_MAX) {
        delay *= 2;
    }

    if (delay > FEEDS_RETRY_MAX) {
        delay = FEEDS_RETRY_MAX;
    }

    /* each node is a process of its own, with random numbers of its own */

    if (getrandom(&n, sizeof(n), 0) != sizeof(n)) {
        client_fail("getrandom", errno);
    }

    return (delay / 2 + (int) (n % (delay / 2 + 1))) * FEEDS_MS;
}


static void
feeds_lost(feeds_node_t *node)
{
    if (node->state == FEEDS_LIVE) {
        live--;
    }

    if (node->fd != -1) {
        (void) close(node->fd);
        node->fd = -1;
    }

    node->state = FEEDS_BACKOFF;
    node->have = 0;
    node->failures++;
    node->due = client_now() + feeds_delay(node->failures);
}


static void
feeds_connect(feeds_node_t *node)
{
    int                 on;
    struct epoll_event  event;
    struct sockaddr_in  sin;

    attempts++;

    node->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
    if (node->fd == -1) {
        client_fail("socket", errno);
    }

    on = 1;
    (void) setsockopt(node->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (connect(node->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        && errno != EINPROGRESS)
    {
        feeds_lost(node);
        return;
    }

    node->state = FEEDS_CONNECTING;
    node->greeted = 0;
    node->pinged = 0;

    event.events = EPOLLIN|EPOLLOUT|EPOLLET;
    event.data.ptr = node;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, node->fd, &event) == -1) {
        client_fail("epoll_ctl", errno);
    }
}


static void
feeds_ping(feeds_node_t *node)
{
    char  command[64], nonce[24];

    node->pinged = 1;
    node->due = client_now() + interval;

    snprintf(nonce, sizeof(nonce), "%lu", ++node->nonce);
    snprintf(command, sizeof(command), "*2\r\n$4\r\nPING\r\n$%zu\r\n%s\r\n",
             strlen(nonce), nonce);

    feeds_send(node, command);
}


/* bytes of the reply that the buffer begins with, 0 if it is not all there */

static size_t
feeds_reply(const char *p, size_t len)
{
    long         n;
    size_t       used, more;
    const char  *end;

    end = memmem(p, len, "\r\n", 2);
    if (end == NULL) {
        return 0;
    }

    used = end + 2 - p;
    n = atol(p + 1);

    if (p[0] == '$') {
        used += n >= 0 ? (size_t) n + 2 : 0;
        return used <= len ? used : 0;
    }

    if (p[0] != '*') {
        return used;
    }

    while (n-- > 0) {
        more = feeds_reply(p + used, len - used);

        if (more == 0) {
            return 0;
        }

        used += more;
    }

    return used;
}


static int
feeds_has(const char *reply, size_t len, const char *text)
{
    return memmem(reply, len, text, strlen(text)) != NULL;
}


static void
feeds_live(feeds_node_t *node, const char *reply, size_t len)
{
    if (feeds_has(reply, len, "$4\r\npong\r\n")) {
        node->pinged = 0;
        node->failures = 0;
        return;
    }

    if (awaited && !node->told && feeds_has(reply, len, awaited)) {
        node->told = 1;
        told++;
    }
}


/* a step of the session; -1 if the reply is not what it has to be */

static int
feeds_step(feeds_node_t *node, const char *reply, size_t len)
{
    char  command[256], id[24];

    switch (node->state) {

    case FEEDS_GREETING:

        /* CLIENT SETNAME, ROLE, INFO server */

        if (++node->greeted == 3) {
            node->state = FEEDS_ID;
            feeds_send(node, "*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n");
        }

        return reply[0] == '-' ? -1 : 0;

    case FEEDS_ID:

        if (reply[0] != ':') {
            return -1;
        }

        snprintf(id, sizeof(id), "%ld", atol(reply + 1));
        snprintf(command, sizeof(command),
                 "*8\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\non\r\n"
                 "$8\r\nREDIRECT\r\n$%zu\r\n%s\r\n$5\r\nBCAST\r\n"
                 "$6\r\nPREFIX\r\n$%zu\r\n%s\r\n",
                 strlen(id), id, strlen(FEEDS_PREFIX), FEEDS_PREFIX);

        node->state = FEEDS_TRACKING;
        feeds_send(node, command);
        return 0;

    case FEEDS_TRACKING:

        node->state = FEEDS_SUBSCRIBE;
        feeds_send(node, "*2\r\n$9\r\nSUBSCRIBE\r\n"
                         "$20\r\n__redis__:invalidate\r\n");

        return reply[0] == '+' ? 0 : -1;

    case FEEDS_SUBSCRIBE:

        if (!feeds_has(reply, len, "subscribe")) {
            return reply[0] == '*' ? 0 : -1;
        }

        node->state = FEEDS_LIVE;
        live++;
        feeds_ping(node);
        return 0;

    default:

        feeds_live(node, reply, len);
        return reply[0] == '*' ? 0 : -1;
    }
}


static void
feeds_read(feeds_node_t *node)
{
    char     *p;
    size_t    used;
    ssize_t   n;

    for ( ;; ) {
        n = recv(node->fd, node->buf + node->have, FEEDS_BUFFER - node->have,
                 0);

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        if (n <= 0) {
            feeds_lost(node);
            return;
        }

        node->have += n;
        p = node->buf;

        while (node->have) {
            used = feeds_reply(p, node->have);

            if (used == 0) {
                break;
            }

            if (feeds_step(node, p, used) == -1) {
                feeds_lost(node);
                return;
            }

            p += used;
            node->have -= used;
        }

        memmove(node->buf, p, node->have);
    }
}


static void
feeds_event(feeds_node_t *node, unsigned events)
{
    if (node->fd == -1) {
        return;
    }

    if (events & (EPOLLERR|EPOLLHUP)) {
        feeds_lost(node);
        return;
    }

    if (node->state == FEEDS_CONNECTING && (events & EPOLLOUT)) {
        node->state = FEEDS_GREETING;
        feeds_send(node, "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n"
                         "$13\r\nnpmtoken-feed\r\n*1\r\n$4\r\nROLE\r\n"
                         "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n");
    }

    if (events & EPOLLIN) {
        feeds_read(node);
    }
}


static void
feeds_timers(void)
{
    int      i;
    int64_t  now;

    now = client_now();

    for (i = 0; i < nodes_n; i++) {

        if (nodes[i].due > now) {
            continue;
        }

        if (nodes[i].state == FEEDS_BACKOFF) {
            feeds_connect(&nodes[i]);

        } else if (nodes[i].state == FEEDS_LIVE && !nodes[i].pinged) {
            feeds_ping(&nodes[i]);
        }
    }
}


/* one turn of the loop, of a millisecond at most */

static void
feeds_turn(void)
{
    int                 i, n;
    static int64_t      timers;
    struct epoll_event  list[FEEDS_EVENTS];

    n = epoll_wait(epoll, list, FEEDS_EVENTS, 1);

    for (i = 0; i < n; i++) {
        if (list[i].data.ptr) {
            feeds_event(list[i].data.ptr, list[i].events);
        }
    }

    if (client_now() - timers >= FEEDS_MS) {
        timers = client_now();
        feeds_timers();
    }
}


static void
feeds_until_live(void)
{
    int64_t  begin;

    begin = client_now();

    while (live < nodes_n) {
        feeds_turn();

        if (client_now() - begin > FEEDS_TIMEOUT) {
            client_fail("the nodes do not become live", 0);
        }
    }
}


static void
feeds_revoke(int writer, const char *name)
{
    int      i;
    char     command[512], reply[64];
    int64_t  sent, ok, half;

    told = 0;
    ok = half = 0;
    awaited = name;

    for (i = 0; i < nodes_n; i++) {
        nodes[i].told = 0;
    }

    snprintf(command, sizeof(command), "*2\r\n$3\r\nDEL\r\n$%zu\r\n%s\r\n",
             strlen(name), name);

    sent = client_now();

    if (send(writer, command, strlen(command), MSG_NOSIGNAL) == -1) {
        client_fail("send", errno);
    }

    while (ok == 0 || told < nodes_n) {

        if (ok == 0 && recv(writer, reply, sizeof(reply), 0) > 0) {
            ok = client_now();

            if (reply[0] != ':' || reply[1] != '1') {
                client_fail("there was no such key", 0);
            }
        }

        feeds_turn();

        if (half == 0 && told * 2 >= nodes_n) {
            half = client_now();
        }

        if (client_now() - sent > FEEDS_TIMEOUT) {
            client_fail("a node has not heard of a revocation", 0);
        }
    }

    printf("%lld %lld %lld\n", (long long) (ok - sent),
           (long long) (half - sent), (long long) (client_now() - sent));
}


static void
feeds_revocations(const char *file)
{
    int                 writer;
    char                name[256];
    FILE               *f;
    int64_t             until;
    struct epoll_event  event;

    f = fopen(file, "r");
    if (f == NULL) {
        client_fail(file, errno);
    }

    writer = client_socket(port);

    /* its reply ends a wait */

    event.events = EPOLLIN;
    event.data.ptr = NULL;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, writer, &event) == -1) {
        client_fail("epoll_ctl", errno);
    }

    while (fscanf(f, "%255s", name) == 1) {
        feeds_revoke(writer, name);

        until = client_now() + (5 + random() % 10) * FEEDS_MS;

        while (client_now() < until) {
            feeds_turn();
        }
    }

    (void) fclose(f);
}


static void
feeds_watch(void)
{
    int            was_live, up, i;
    long           was;
    int64_t        next;
    struct pollfd  pfd;

    was_live = -1;
    was = -1;
    next = 0;

    pfd.fd = STDIN_FILENO;
    pfd.events = POLLIN;

    while (poll(&pfd, 1, 0) == 0) {
        feeds_turn();

        if (client_now() < next || (live == was_live && attempts == was)) {
            continue;
        }

        for (i = 0, up = 0; i < nodes_n; i++) {
            up += nodes[i].state > FEEDS_CONNECTING;
        }

        next = client_now() + 10 * FEEDS_MS;
        was_live = live;
        was = attempts;

        printf("%lld %d %d %ld\n", (long long) client_now(), live, up,
               attempts);
    }
}


static void
feeds_init(void)
{
    int  i;

    epoll = epoll_create1(0);
    nodes = calloc(nodes_n, sizeof(feeds_node_t));

    if (epoll == -1 || nodes == NULL) {
        client_fail("no memory", errno);
    }

    for (i = 0; i < nodes_n; i++) {
        nodes[i].fd = -1;
        nodes[i].due = client_now() + i * FEEDS_MS / 4;
        nodes[i].buf = malloc(FEEDS_BUFFER);

        if (nodes[i].buf == NULL) {
            client_fail("no memory", 0);
        }
    }
}


int
main(int argc, char **argv)
{
    int  i;

    i = 3;

    if (argc > 5 && strcmp(argv[3], "-i") == 0) {
        interval = atoi(argv[4]) * FEEDS_MS;
        i = 5;
    }

    if (argc <= i || atoi(argv[2]) < 1) {
        fprintf(stderr, "how to use it stands at the top of feeds.c\n");
        return 2;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);

    port = atoi(argv[1]);
    nodes_n = atoi(argv[2]);

    feeds_init();
    feeds_until_live();

    if (strcmp(argv[i], "revoke") == 0 && argc == i + 2) {
        feeds_revocations(argv[i + 1]);

    } else if (strcmp(argv[i], "watch") == 0) {
        feeds_watch();
    }

    return 0;
}
