
/*
 * Requests over keepalive connections, one token after the other.
 *
 *     load PORT TOKENS [-m METHOD] [-p PATH] [-c CONNECTIONS]
 *          [-n REQUESTS | -d SECONDS] [-f FIRST] [-l NUMBER] [-r RATE]
 *          [-o FILE]
 *
 * TOKENS is a file of tokens, one to a line; NUMBER of them are used, from
 * the FIRST on, again and again.  All connections are open before the first
 * request is sent.  Without RATE each of them sends its next request when it
 * has the answer; with it so many come per second, whatever the answers do,
 * and the latency of one is counted from the time at which it is due.
 *
 * Prints one line of JSON, times in nanoseconds.  FILE gets a line for each
 * request: when it was due, latency, status.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client.h"


#define LOAD_EVENTS    512
#define LOAD_STATUSES  600


typedef struct {
    client_t          client;
    int64_t           due;       /* of the request it waits for, or 0 */
    const char       *token;
} load_conn_t;


typedef struct {
    int64_t           due;
    int64_t           latency;
    int               status;
} load_sample_t;


static int               port;
static const char       *method = "GET";
static const char       *path = "/lodash";
static const char       *output;
static const char       *tokens;
static size_t            number, first;
static size_t            conns_n = 64, requests;
static double            seconds;
static int64_t           rate;

static int               epoll;
static client_request_t  request;
static load_conn_t      *conns, **idle;
static size_t            idle_n, idle_first;
static int64_t           begin, end;
static size_t            sent, done, lost;
static load_sample_t    *samples;
static size_t            samples_max;
static size_t            statuses[LOAD_STATUSES];


static void
load_tokens(const char *file)
{
    int          fd;
    size_t       all;
    struct stat  st;

    fd = open(file, O_RDONLY);

    if (fd == -1 || fstat(fd, &st) == -1) {
        client_fail(file, errno);
    }

    tokens = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);

    if (tokens == MAP_FAILED) {
        client_fail("mmap", errno);
    }

    all = st.st_size / (CLIENT_TOKEN + 1);

    if (number == 0) {
        number = all;
    }

    if (all < number) {
        client_fail("not so many tokens", 0);
    }
}


static void
load_arguments(int argc, char **argv)
{
    int  c;

    while ((c = getopt(argc, argv, "m:p:c:n:d:f:l:r:o:")) != -1) {

        switch (c) {
        case 'm': method = optarg;           break;
        case 'p': path = optarg;             break;
        case 'c': conns_n = atol(optarg);    break;
        case 'n': requests = atol(optarg);   break;
        case 'd': seconds = atof(optarg);    break;
        case 'f': first = atol(optarg);      break;
        case 'l': number = atol(optarg);     break;
        case 'r': rate = atol(optarg);       break;
        case 'o': output = optarg;           break;
        default:  exit(2);
        }
    }

    if (argc - optind != 2 || (requests == 0) == (seconds == 0)) {
        fprintf(stderr, "how to use it stands at the top of load.c\n");
        exit(2);
    }

    port = atoi(argv[optind]);
    load_tokens(argv[optind + 1]);
}


static void
load_watch(load_conn_t *conn, int op)
{
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.ptr = conn;

    if (epoll_ctl(epoll, op, conn->client.fd, &ev) == -1) {
        client_fail("epoll_ctl", errno);
    }
}


static void
load_connect(void)
{
    size_t         i;
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }

    epoll = epoll_create1(0);
    conns = calloc(conns_n, sizeof(load_conn_t));
    idle = calloc(conns_n, sizeof(load_conn_t *));

    if (epoll == -1 || conns == NULL || idle == NULL) {
        client_fail("start", errno);
    }

    for (i = 0; i < conns_n; i++) {
        client_open(&conns[i].client, port);
        load_watch(&conns[i], EPOLL_CTL_ADD);
        idle[idle_n++] = &conns[i];
    }
}


/* again on a new connection, if the server has closed the old one */

static void
load_write(load_conn_t *conn)
{
    while (client_send(&conn->client, &request, conn->token) == -1) {
        lost++;
        load_watch(conn, EPOLL_CTL_ADD);
    }
}


static int
load_finished(int64_t now)
{
    return requests ? sent == requests : now >= end;
}


static void
load_next(load_conn_t *conn, int64_t due)
{
    conn->due = due;
    conn->token = tokens
                  + (first + sent) % number * (CLIENT_TOKEN + 1);
    sent++;

    load_write(conn);
}


static void
load_done(load_conn_t *conn, int status, int64_t now)
{
    load_sample_t  *sample;

    if (status < 0 || status >= LOAD_STATUSES) {
        client_fail("not a status", 0);
    }

    if (done == samples_max) {
        samples_max = samples_max ? samples_max * 2 : 65536;
        samples = realloc(samples, samples_max * sizeof(load_sample_t));

        if (samples == NULL) {
            client_fail("realloc", errno);
        }
    }

    sample = &samples[done++];

    sample->due = conn->due;
    sample->latency = now - conn->due;
    sample->status = status;

    statuses[status]++;

    conn->due = 0;
    idle[(idle_first + idle_n++) % conns_n] = conn;
}


/*
 * Each in its turn: an exiting worker closes connections that are idle, but
 * none that has not had its first request, and would wait for that.
 */

static load_conn_t *
load_idle(void)
{
    load_conn_t  *conn;

    conn = idle[idle_first];

    idle_first = (idle_first + 1) % conns_n;
    idle_n--;

    return conn;
}


static void
load_event(load_conn_t *conn)
{
    int  status;

    status = client_read(&conn->client);

    if (status == -1) {
        load_watch(conn, EPOLL_CTL_ADD);

        if (conn->due) {
            lost++;
            load_write(conn);
        }

    } else if (status) {
        load_done(conn, status, client_now());
    }
}


/* sends what is due; milliseconds until there is more */

static int
load_send(void)
{
    int64_t  now, due;

    now = client_now();

    while (idle_n && !load_finished(now)) {
        due = now;

        if (rate) {
            due = begin + (int64_t) sent * 1000000000 / rate;

            if (due > now) {
                return (due - now) / 1000000;
            }
        }

        load_next(load_idle(), due);
        now = client_now();
    }

    return 100;
}


static void
load_run(void)
{
    int                 i, n, timeout;
    struct epoll_event  events[LOAD_EVENTS];

    begin = client_now();
    end = begin + seconds * 1e9;

    for ( ;; ) {
        timeout = load_send();

        if (load_finished(client_now()) && idle_n == conns_n) {
            return;
        }

        n = epoll_wait(epoll, events, LOAD_EVENTS, timeout);

        if (n == -1 && errno != EINTR) {
            client_fail("epoll_wait", errno);
        }

        for (i = 0; i < n; i++) {
            load_event(events[i].data.ptr);
        }
    }
}


static void
load_write_samples(void)
{
    FILE    *f;
    size_t   i;

    f = fopen(output, "w");
    if (f == NULL) {
        client_fail(output, errno);
    }

    for (i = 0; i < done; i++) {
        fprintf(f, "%lld %lld %d\n", (long long) samples[i].due,
                (long long) samples[i].latency, samples[i].status);
    }

    if (fclose(f) != 0) {
        client_fail(output, errno);
    }
}


static int
load_compare(const void *one, const void *two)
{
    const load_sample_t  *a = one, *b = two;

    return (a->latency > b->latency) - (a->latency < b->latency);
}


static void
load_report(double time)
{
    size_t       i;
    const char  *comma;

    if (done == 0) {
        client_fail("nothing was answered", 0);
    }

    qsort(samples, done, sizeof(load_sample_t), load_compare);

    printf("{\"requests\": %zu, \"seconds\": %.6f, \"lost\": %zu, "
           "\"p50\": %lld, \"p99\": %lld, \"max\": %lld, \"statuses\": {",
           done, time, lost,
           (long long) samples[done / 2].latency,
           (long long) samples[done * 99 / 100].latency,
           (long long) samples[done - 1].latency);

    comma = "";

    for (i = 0; i < LOAD_STATUSES; i++) {
        if (statuses[i]) {
            printf("%s\"%zu\": %zu", comma, i, statuses[i]);
            comma = ", ";
        }
    }

    printf("}}\n");
}


int
main(int argc, char **argv)
{
    double  time;

    load_arguments(argc, argv);
    client_request(&request, method, path);
    load_connect();

    load_run();

    time = (client_now() - begin) / 1e9;

    if (output) {
        load_write_samples();
    }

    load_report(time);

    return 0;
}
