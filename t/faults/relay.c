
/*
 * The network between the nodes and their Redis, as bad as one likes.
 *
 *     relay NODE=ADDRESS:PORT... SERVER=/path/of/socket...
 *
 * What a node's connection is for is seen in its first bytes, where it names
 * itself.  Bytes are delayed or held, never lost, reordered or made up: what
 * TCP itself would do to them.  Commands come on standard input, one a line,
 * and each is answered with one line:
 *
 *     delay NODE CLASS DIR MIN MAX   milliseconds, chosen for each chunk anew
 *     hold NODE CLASS DIR 0|1        nothing arrives while it is 1
 *     kill NODE CLASS                reset
 *     server NAME                    where new connections lead to
 *     count NODE CLASS               how many there are
 *
 * NODE is a name or "*"; CLASS is "feed", "lookup" or "*"; DIR is "up" (to
 * Redis), "down" or "*".
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
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


#define MAX_NODES     4
#define MAX_SERVERS   4
#define MAX_PAIRS     256
#define MAX_QUEUED    (8 * 1024 * 1024)
#define CHUNK         65536

#define FEED          0
#define LOOKUP        1
#define CLASSES       2

#define UP            0
#define DOWN          1


typedef struct chunk_s  chunk_t;

struct chunk_s {
    chunk_t     *next;
    uint64_t     due;
    size_t       len;
    size_t       sent;
    char         data[];
};


typedef struct {
    chunk_t     *head;
    chunk_t     *tail;
    size_t       queued;
    uint64_t     due;         /* of the last chunk */
    int          eof;         /* no more will be read */
} way_t;


typedef struct {
    int          fd[2];       /* of the node, of the server */
    int          node;
    int          class;
    int          named;
    way_t        way[2];
} pair_t;


typedef struct {
    unsigned     min;
    unsigned     max;
    int          hold;
} fault_t;


static struct {
    char        *name;
    int          fd;
    fault_t      faults[CLASSES][2];
} nodes[MAX_NODES];

static struct {
    char        *name;
    char        *path;
} servers[MAX_SERVERS];

static int       nnodes, nservers, server;
static pair_t   *pairs[MAX_PAIRS];
static int       npairs;


static void
die(char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}


static uint64_t
clock_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static void
add_node(char *name, char *addr)
{
    int                 fd, on;
    char               *port;
    struct sockaddr_in  sin;

    port = strrchr(addr, ':');
    if (port == NULL) {
        errno = EINVAL;
        die(addr);
    }

    *port++ = '\0';

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = inet_addr(addr);
    sin.sin_port = htons(atoi(port));

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 64) == -1)
    {
        die("listen");
    }

    nodes[nnodes].name = name;
    nodes[nnodes++].fd = fd;
}


static int
connect_server(void)
{
    int                 fd;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", servers[server].path);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd == -1) {
        return -1;
    }

    if (connect(fd, (struct sockaddr *) &sun, sizeof(sun)) == -1) {
        close(fd);
        return -1;
    }

    return fd;
}


static void
reset(int fd)
{
    struct linger  linger;

    linger.l_onoff = 1;
    linger.l_linger = 0;

    (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}


static void
accept_pair(int node)
{
    int      fd, up, on;
    pair_t  *pair;

    fd = accept4(nodes[node].fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd == -1) {
        return;
    }

    up = connect_server();

    if (up == -1 || npairs == MAX_PAIRS) {
        reset(fd);
        return;
    }

    on = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    pair = calloc(1, sizeof(pair_t));
    if (pair == NULL) {
        die("calloc");
    }

    pair->fd[0] = fd;
    pair->fd[1] = up;
    pair->node = node;
    pair->class = LOOKUP;

    pairs[npairs++] = pair;
}


static void
close_pair(int i, int rst)
{
    int       d;
    pair_t   *pair;
    chunk_t  *chunk;

    pair = pairs[i];
    pairs[i] = pairs[--npairs];

    if (rst) {
        reset(pair->fd[0]);

    } else {
        close(pair->fd[0]);
    }

    close(pair->fd[1]);

    for (d = 0; d < 2; d++) {
        while ((chunk = pair->way[d].head)) {
            pair->way[d].head = chunk->next;
            free(chunk);
        }
    }

    free(pair);
}


static void
read_way(pair_t *pair, int d)
{
    static char  buf[CHUNK];

    way_t       *way;
    fault_t     *fault;
    ssize_t      n;
    chunk_t     *chunk;
    uint64_t     due;

    n = read(pair->fd[d], buf, CHUNK);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n < 0) {
        n = 0;
    }

    if (d == UP && !pair->named && n) {
        pair->named = 1;

        if (memmem(buf, n, "npmtoken-feed", sizeof("npmtoken-feed") - 1)) {
            pair->class = FEED;
        }
    }

    way = &pair->way[d];
    fault = &nodes[pair->node].faults[pair->class][d];

    chunk = malloc(sizeof(chunk_t) + n);
    if (chunk == NULL) {
        die("malloc");
    }

    due = clock_ms() + fault->min
          + (fault->max > fault->min ? random() % (fault->max - fault->min)
                                     : 0);

    if (due < way->due) {
        due = way->due;
    }

    chunk->next = NULL;
    chunk->due = way->due = due;
    chunk->len = n;
    chunk->sent = 0;
    memcpy(chunk->data, buf, n);

    if (way->head) {
        way->tail->next = chunk;

    } else {
        way->head = chunk;
    }

    way->tail = chunk;
    way->queued += n;

    /* an empty chunk is the end of the stream */
    way->eof = (n == 0);
}


/* 0 if the pair is at its end */

static int
write_way(pair_t *pair, int d)
{
    way_t    *way;
    ssize_t   n;
    chunk_t  *chunk;

    way = &pair->way[d];

    if (nodes[pair->node].faults[pair->class][d].hold) {
        return 1;
    }

    while ((chunk = way->head) && chunk->due <= clock_ms()) {

        if (chunk->len == 0) {
            return 0;
        }

        n = send(pair->fd[!d], chunk->data + chunk->sent,
                 chunk->len - chunk->sent, MSG_NOSIGNAL);

        if (n == -1) {
            return errno == EAGAIN || errno == EINTR;
        }

        chunk->sent += n;
        way->queued -= n;

        if (chunk->sent == chunk->len) {
            way->head = chunk->next;
            free(chunk);
        }
    }

    return 1;
}


static int
matches(char *pattern, char *name)
{
    return strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0;
}


static void
set_faults(char *node, char *class, char *dir, fault_t *new)
{
    static char  *classes[] = { "feed", "lookup" };
    static char  *dirs[] = { "up", "down" };

    int           n, c, d;
    fault_t      *fault;

    for (n = 0; n < nnodes; n++) {
        for (c = 0; c < CLASSES; c++) {
            for (d = 0; d < 2; d++) {

                if (!matches(node, nodes[n].name)
                    || !matches(class, classes[c])
                    || !matches(dir, dirs[d]))
                {
                    continue;
                }

                fault = &nodes[n].faults[c][d];

                if (new->hold == -1) {
                    fault->min = new->min;
                    fault->max = new->max;

                } else {
                    fault->hold = new->hold;
                }
            }
        }
    }
}


static int
count(char *node, char *class, int kill)
{
    int  i, n;

    n = 0;

    for (i = npairs - 1; i >= 0; i--) {

        if (matches(node, nodes[pairs[i]->node].name)
            && matches(class, pairs[i]->class == FEED ? "feed" : "lookup"))
        {
            n++;

            if (kill) {
                close_pair(i, 1);
            }
        }
    }

    return n;
}


static int
select_server(char *name)
{
    int  i;

    for (i = 0; i < nservers; i++) {
        if (strcmp(servers[i].name, name) == 0) {
            server = i;
            return 1;
        }
    }

    return -1;
}


static void
command(char *line)
{
    int       rc;
    char      node[64], class[64], dir[64];
    fault_t   fault;

    fault.hold = -1;
    rc = -1;

    if (sscanf(line, "delay %63s %63s %63s %u %u", node, class, dir,
               &fault.min, &fault.max) == 5)
    {
        set_faults(node, class, dir, &fault);
        rc = 0;

    } else if (sscanf(line, "hold %63s %63s %63s %d", node, class, dir,
                      &fault.hold) == 4)
    {
        set_faults(node, class, dir, &fault);
        rc = 0;

    } else if (sscanf(line, "kill %63s %63s", node, class) == 2) {
        rc = count(node, class, 1);

    } else if (sscanf(line, "count %63s %63s", node, class) == 2) {
        rc = count(node, class, 0);

    } else if (sscanf(line, "server %63s", node) == 1) {
        rc = select_server(node);
    }

    printf("%d\n", rc);
    fflush(stdout);
}


static void
commands(void)
{
    static char    buf[4096];
    static size_t  len;

    char          *end;
    ssize_t        n;

    n = read(STDIN_FILENO, buf + len, sizeof(buf) - 1 - len);

    if (n <= 0) {
        exit(0);
    }

    len += n;
    buf[len] = '\0';

    while ((end = strchr(buf, '\n'))) {
        *end++ = '\0';
        command(buf);
        len -= end - buf;
        memmove(buf, end, len + 1);
    }
}


/* until when nothing is due */

static int
wait_for(pair_t *pair, struct pollfd *pfd, uint64_t now, int timeout)
{
    int     d;
    way_t  *way;

    for (d = 0; d < 2; d++) {
        pfd[d].fd = pair->fd[d];
        pfd[d].events = 0;
    }

    for (d = 0; d < 2; d++) {
        way = &pair->way[d];

        if (!way->eof && way->queued < MAX_QUEUED) {
            pfd[d].events |= POLLIN;
        }

        if (way->head == NULL
            || nodes[pair->node].faults[pair->class][d].hold)
        {
            continue;
        }

        if (way->head->due <= now) {
            pfd[!d].events |= POLLOUT;

        } else if (way->head->due - now < (uint64_t) timeout) {
            timeout = way->head->due - now;
        }
    }

    /* an end that is known already would be told for ever */

    for (d = 0; d < 2; d++) {
        if (pfd[d].events == 0) {
            pfd[d].fd = -1;
        }
    }

    return timeout;
}


static void
turn(void)
{
    int             i, n, d, timeout;
    uint64_t        now;
    struct pollfd   pfds[1 + MAX_NODES + 2 * MAX_PAIRS], *pfd;

    now = clock_ms();
    timeout = 1000;
    n = 0;

    pfds[n].fd = STDIN_FILENO;
    pfds[n++].events = POLLIN;

    for (i = 0; i < nnodes; i++) {
        pfds[n].fd = nodes[i].fd;
        pfds[n++].events = POLLIN;
    }

    for (i = 0; i < npairs; i++) {
        timeout = wait_for(pairs[i], &pfds[n], now, timeout);
        n += 2;
    }

    if (poll(pfds, n, timeout) == -1) {
        if (errno == EINTR) {
            return;
        }

        die("poll");
    }

    /* from the last, since a pair that closes gives its place to the last */

    for (i = npairs - 1; i >= 0; i--) {
        pfd = &pfds[1 + nnodes + 2 * i];

        for (d = 0; d < 2; d++) {
            if (pfd[d].revents & (POLLIN | POLLHUP | POLLERR)
                && pfd[d].events & POLLIN)
            {
                read_way(pairs[i], d);
            }
        }

        if (!write_way(pairs[i], UP) || !write_way(pairs[i], DOWN)) {
            close_pair(i, 0);
        }
    }

    for (i = 0; i < nnodes; i++) {
        if (pfds[1 + i].revents) {
            accept_pair(i);
        }
    }

    if (pfds[0].revents) {
        commands();
    }
}


int
main(int argc, char **argv)
{
    int    i;
    char  *value;

    for (i = 1; i < argc; i++) {
        value = strchr(argv[i], '=');

        if (value == NULL) {
            errno = EINVAL;
            die(argv[i]);
        }

        *value++ = '\0';

        if (*value == '/') {
            servers[nservers].name = argv[i];
            servers[nservers++].path = value;

        } else {
            add_node(argv[i], value);
        }
    }

    printf("0\n");
    fflush(stdout);

    for ( ;; ) {
        turn();
    }
}
