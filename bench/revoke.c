
/*
 * How long a revocation takes to be enforced.
 *
 *     revoke PORT BARE REDIS FILE
 *
 * FILE has in each line a token and the name of its record, which is in the
 * Redis at port REDIS; PORT is where nginx enforces them, BARE where it does
 * not.  For each token requests go out back to back until one is refused;
 * in the middle of that its record is deleted, and a subscriber of the same
 * kind as the module's feed waits for the news, too.
 *
 * Prints a line for each token, in nanoseconds:
 *
 *     SENT   from the sending of DEL to Redis's OK
 *     PUSH   from OK to when the subscriber has read the invalidation
 *     BEGUN  from OK to the sending of the first request that was refused
 *     TOLD   from OK to its answer
 *     HIT    a request that was allowed, the last before DEL was sent
 *     MISS   a request whose token was looked up
 *     BARE   a request where nothing is enforced
 *     LATE   how many that began after OK were allowed
 */


#define _GNU_SOURCE

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "client.h"


#define REVOKE_BUFFER   65536
#define REVOKE_TIMEOUT  ((int64_t) 10 * 1000000000)

/* nanoseconds between the first request and DEL, at most */
#define REVOKE_PAUSE    2000000


typedef struct {
    int       fd;
    size_t    have;
    char      buf[REVOKE_BUFFER];
} revoke_redis_t;


typedef struct {
    int64_t   sent;      /* DEL */
    int64_t   ok;
    int64_t   push;
    int64_t   begun;     /* the request that is out, or was refused */
    int64_t   told;
    int64_t   hit;
    int64_t   miss;
    int64_t   bare;
    size_t    late;
} revoke_times_t;


static client_t          client, bare;
static client_request_t  request;
static revoke_redis_t    writer, subscriber;


static void
revoke_write(revoke_redis_t *redis, const char *command)
{
    size_t  len;

    len = strlen(command);

    if (send(redis->fd, command, len, MSG_NOSIGNAL) != (ssize_t) len) {
        client_fail("send to redis", errno);
    }
}


/* what was read since the last revoke_forget(), as a string */

static char *
revoke_read(revoke_redis_t *redis)
{
    ssize_t  n;

    if (redis->have == REVOKE_BUFFER - 1) {
        client_fail("redis says too much", 0);
    }

    n = recv(redis->fd, redis->buf + redis->have,
             REVOKE_BUFFER - 1 - redis->have, 0);

    if (n == 0 || (n == -1 && errno != EAGAIN)) {
        client_fail("recv from redis", n ? errno : 0);
    }

    redis->have += n > 0 ? n : 0;
    redis->buf[redis->have] = '\0';

    return redis->buf;
}


static void
revoke_forget(revoke_redis_t *redis)
{
    redis->have = 0;
    redis->buf[0] = '\0';
}


static void
revoke_await(revoke_redis_t *redis, const char *reply)
{
    struct pollfd  pfd;

    while (strstr(revoke_read(redis), reply) == NULL) {

        if (redis->buf[0] == '-') {
            client_fail(redis->buf, 0);
        }

        pfd.fd = redis->fd;
        pfd.events = POLLIN;

        if (poll(&pfd, 1, 5000) != 1) {
            client_fail("redis is silent", 0);
        }
    }
}


static void
revoke_subscribe(void)
{
    char  command[256];

    revoke_write(&subscriber, "CLIENT ID\r\n");
    revoke_await(&subscriber, "\r\n");

    snprintf(command, sizeof(command),
             "CLIENT TRACKING ON REDIRECT %ld BCAST PREFIX npmtoken:token:"
             "\r\n", atol(subscriber.buf + 1));

    revoke_forget(&subscriber);
    revoke_write(&subscriber, command);
    revoke_await(&subscriber, "+OK\r\n");

    revoke_forget(&subscriber);
    revoke_write(&subscriber, "SUBSCRIBE __redis__:invalidate\r\n");
    revoke_await(&subscriber, ":1\r\n");
}


/* one request and its answer; how long that took */

static int64_t
revoke_trip(client_t *c, const char *token, int expected)
{
    int            status;
    int64_t        begin;
    struct pollfd  pfd;

    begin = client_now();

    if (client_send(c, &request, token) == -1) {
        client_fail("nginx has closed", 0);
    }

    while ((status = client_read(c)) == 0) {
        pfd.fd = c->fd;
        pfd.events = POLLIN;

        (void) poll(&pfd, 1, 5000);
    }

    if (status != expected) {
        fprintf(stderr, "a status of %d\n", status);
        exit(1);
    }

    return client_now() - begin;
}


static void
revoke_answered(revoke_times_t *times, const char *token)
{
    int      status;
    int64_t  now;

    if (times->told) {
        return;
    }

    status = client_read(&client);

    if (status == 0) {
        return;
    }

    now = client_now();

    if (status == 401) {
        times->told = now;
        return;
    }

    if (status != 200) {
        fprintf(stderr, "a status of %d\n", status);
        exit(1);
    }

    if (times->ok && times->begun > times->ok) {
        times->late++;
    }

    if (times->sent == 0) {
        times->hit = now - times->begun;
    }

    times->begun = client_now();

    if (client_send(&client, &request, token) == -1) {
        client_fail("nginx has closed", 0);
    }
}


static void
revoke_step(revoke_times_t *times, const char *token, const char *name)
{
    struct pollfd    pfd[3];
    struct timespec  wait;

    pfd[0].fd = client.fd;
    pfd[1].fd = writer.fd;
    pfd[2].fd = subscriber.fd;

    pfd[0].events = pfd[1].events = pfd[2].events = POLLIN;

    /* short enough for DEL to be sent in time */

    wait.tv_sec = 0;
    wait.tv_nsec = 100000;

    if (ppoll(pfd, 3, &wait, NULL) == -1) {
        client_fail("ppoll", errno);
    }

    if (pfd[1].revents && times->ok == 0
        && strstr(revoke_read(&writer), ":1\r\n"))
    {
        times->ok = client_now();
    }

    if (pfd[2].revents && strstr(revoke_read(&subscriber), name)
        && times->push == 0)
    {
        times->push = client_now();
    }

    if (pfd[0].revents) {
        revoke_answered(times, token);
    }
}


static void
revoke_one(const char *token, const char *name)
{
    char            command[512];
    int64_t         start, pause;
    revoke_times_t  times;

    memset(&times, 0, sizeof(times));

    revoke_forget(&writer);
    revoke_forget(&subscriber);

    snprintf(command, sizeof(command), "DEL %s\r\n", name);

    times.miss = revoke_trip(&client, token, 200);
    times.hit = revoke_trip(&client, token, 200);
    times.bare = revoke_trip(&bare, token, 200);

    start = client_now();
    pause = random() % REVOKE_PAUSE;

    times.begun = start;

    if (client_send(&client, &request, token) == -1) {
        client_fail("nginx has closed", 0);
    }

    while (times.ok == 0 || times.push == 0 || times.told == 0) {

        if (times.sent == 0 && client_now() - start >= pause) {
            times.sent = client_now();
            revoke_write(&writer, command);
        }

        revoke_step(&times, token, name);

        if (client_now() - start > REVOKE_TIMEOUT) {
            client_fail("a revocation was not enforced in ten seconds", 0);
        }
    }

    printf("%lld %lld %lld %lld %lld %lld %lld %zu\n",
           (long long) (times.ok - times.sent),
           (long long) (times.push - times.ok),
           (long long) (times.begun - times.ok),
           (long long) (times.told - times.ok),
           (long long) times.hit, (long long) times.miss,
           (long long) times.bare, times.late);
}


int
main(int argc, char **argv)
{
    char   token[64], name[256];
    FILE  *f;

    if (argc != 5) {
        fprintf(stderr, "how to use it stands at the top of revoke.c\n");
        return 2;
    }

    f = fopen(argv[4], "r");
    if (f == NULL) {
        client_fail(argv[4], errno);
    }

    client_request(&request, "GET", "/lodash");
    client_open(&client, atoi(argv[1]));
    client_open(&bare, atoi(argv[2]));

    writer.fd = client_socket(atoi(argv[3]));
    subscriber.fd = client_socket(atoi(argv[3]));

    revoke_subscribe();

    while (fscanf(f, "%63s %255s", token, name) == 2) {
        revoke_one(token, name);
    }

    (void) fclose(f);

    return 0;
}
