
/*
 * What the table gives while others write, stop, and die.  Processes are
 * stepped by ptrace, so that each instruction of theirs is tried; compiled as
 * the module is, without sanitizers.
 */

#include "table.h"
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>


#define FAULTS_TOKENS     16
#define FAULTS_STEPS      20000      /* of one call: more is a hang */

#define FAULTS_BEGAN      1
#define FAULTS_ENDED      2

#define HAMMER_READERS    3
#define HAMMER_TOKENS     64
#define HAMMER_BUCKETS    6
#define HAMMER_USEC       2000000


/*
 * A table, and what is then put into it: instruction by instruction.  Tokens
 * 1 to "positives" are there with their number as version, and behind them
 * "negatives"; "odd" slots were left by writers that died.
 */

typedef struct {
    const char    *name;
    ngx_uint_t     positives;
    ngx_uint_t     negatives;
    ngx_uint_t     odd;
    uint64_t       token;
    ngx_uint_t     positive;
} faults_t;


static faults_t  faults[] = {
    { "into a table without entries", 0, 0, 0, 3, 1 },
    { "a new token", 4, 1, 0, 9, 1 },
    { "a new unknown token", 4, 1, 0, 9, 0 },
    { "the same token", 8, 0, 0, 3, 1 },
    { "a token becomes unknown", 5, 2, 0, 3, 0 },
    { "an unknown token becomes known", 5, 2, 0, 7, 1 },
    { "instead of an unknown one", 6, 2, 0, 9, 1 },
    { "instead of another unknown one", 5, 2, 0, 9, 0 },
    { "instead of the oldest", 8, 0, 0, 9, 1 },
    { "where a writer died", 4, 0, 4, 9, 1 },
    { "the same token, where writers died", 3, 1, 4, 3, 1 }
};


typedef struct {
    const char    *name;
    ngx_uint_t     readers;
    ngx_uint_t     kills;
} hammer_t;


static hammer_t  hammers[] = {
    { "a writer and readers", 3, 0 },
    { "a reader, and writers killed at any time", 1, 500 }
};


/* what processes share beside the table */

typedef struct {
    ngx_uint_t                 state;    /* of the process that is stepped */
    ngx_int_t                  rc;
    ngx_http_npmtoken_entry_t  entry;

    uint64_t                   version;
    uint64_t                   published[HAMMER_TOKENS];
    uint64_t                   hits;
    uint64_t                   misses;
    uint64_t                   faults;
    uint64_t                   stop;
} shared_t;


typedef void (*child_pt)(void);


static shared_t                   *shared;
static ngx_http_npmtoken_table_t  *table;

/* made beforehand, since each instruction of a stepped process costs time */
static ngx_http_npmtoken_entry_t   given;


/* versions: that of the table at first, and that of what is put into it */

#define version_before(token)  (token)
#define version_after          1000


static ngx_uint_t
faults_has(faults_t *f, uint64_t token)
{
    return token > 0 && token <= f->positives + f->negatives;
}


static void
prepare(faults_t *f)
{
    u_char      *slot;
    uint64_t     i;
    ngx_uint_t   odd, used;

    memset(table, 0, TABLE_SIZE(1));
    (void) ngx_http_npmtoken_table_init(table, TABLE_SIZE(1));

    used = f->positives + f->negatives;

    for (i = 1; i <= used; i++) {
        assert_int_equal(table_put(table, i, version_before(i),
                                   i <= f->positives),
                         NGX_OK);
    }

    /* of those never used, behind the headers of table and bucket */

    slot = (u_char *) table + 128;

    for (odd = 0; odd < f->odd; slot += TABLE_SLOT) {
        if (*(uint32_t *) slot == 0) {
            *(uint32_t *) slot = 1;
            odd++;
        }
    }

    table_entry(f->token, version_after, f->positive, &given);

    memset(shared, 0, sizeof(shared_t));
}


/* one instruction; 0 if it was behind the last of the call */

static ngx_uint_t
step(pid_t pid)
{
    int  status;

    assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(WSTOPSIG(status), SIGTRAP);

    return shared->state != FAULTS_ENDED;
}


static pid_t
begin(child_pt child)
{
    int    status;
    pid_t  pid;

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            perror("ptrace");
            _exit(1);
        }

        (void) raise(SIGSTOP);

        __atomic_store_n(&shared->state, FAULTS_BEGAN, __ATOMIC_SEQ_CST);
        child();
        __atomic_store_n(&shared->state, FAULTS_ENDED, __ATOMIC_SEQ_CST);

        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL),
                     0);

    while (shared->state != FAULTS_BEGAN) {
        assert_int_equal(step(pid), 1);
    }

    return pid;
}


static void
finish(pid_t pid)
{
    int  status;

    assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
}


static void
child_put(void)
{
    (void) ngx_http_npmtoken_table_put_locked(table, &given);
}


static void
child_get(void)
{
    shared->rc = ngx_http_npmtoken_table_get(table, given.tag,
                                             &shared->entry);
}


/* what may be seen of a put; returns whether it is */

static ngx_uint_t
look(ngx_http_npmtoken_table_t *t, faults_t *f)
{
    uint64_t    token, version;
    ngx_uint_t  lost, after;

    lost = 0;
    after = 0;

    for (token = 0; token < FAULTS_TOKENS; token++) {
        version = table_get(t, token);

        if (token == f->token && version == version_after) {
            after = 1;
            continue;
        }

        if (version == TABLE_MISS) {
            lost += (token != f->token && faults_has(f, token));
            continue;
        }

        assert_true(faults_has(f, token));
        assert_int_equal(version, version_before(token));
    }

    /* it costs one other entry at most */
    unit_assert_in_range(lost, 0, 1);

    return after;
}


/* the next writer has all slots */

static void
go_on(ngx_http_npmtoken_table_t *t, faults_t *f)
{
    uint64_t  i;

    assert_int_equal(table_put(t, f->token, version_after + 1, 1), NGX_OK);
    assert_int_equal(table_get(t, f->token), version_after + 1);

    for (i = 20; i < 28; i++) {
        assert_int_equal(table_put(t, i, version_after + i, 1), NGX_OK);
    }

    for (i = 20; i < 28; i++) {
        assert_int_equal(table_get(t, i), version_after + i);
    }
}


/*
 * A writer stopped behind each instruction: nobody waits, none is deceived.
 * What it would leave if it were killed there is what is there: so that is
 * checked, and what the next writer makes of it, on a copy.
 */

static void
test_stopped(void **state)
{
    pid_t       pid;
    u_char     *last, *copy;
    size_t      size;
    faults_t   *f = *state;
    ngx_uint_t  n, states, after;

    size = TABLE_SIZE(1);
    last = (u_char *) table + TABLE_SIZE(2);
    copy = (u_char *) table + TABLE_SIZE(4);

    prepare(f);
    memcpy(last, table, size);

    pid = begin(child_put);
    after = look(table, f);
    states = 0;

    assert_int_equal(after, 0);

    for (n = 0; step(pid); n++) {
        assert_true(n < FAULTS_STEPS);

        if (memcmp(last, table, size) == 0) {
            continue;
        }

        states++;

        memcpy(last, table, size);
        memcpy(copy, table, size);

        /* what was seen once stays */
        assert_true(look(table, f) >= after);
        after = look(table, f);

        go_on((ngx_http_npmtoken_table_t *) copy, f);
    }

    finish(pid);

    assert_int_equal(look(table, f), 1);
    assert_true(states >= sizeof(given) / sizeof(uint64_t) / 4);
}


/* a reader stopped behind each instruction, while its token is written */

static ngx_uint_t
overtake(faults_t *f, ngx_uint_t steps)
{
    pid_t       pid;
    uint64_t    version;
    ngx_uint_t  n, more;

    prepare(f);

    pid = begin(child_get);
    more = 1;

    for (n = 0; more && n < steps; n++) {
        more = step(pid);
    }

    assert_int_equal(table_put(table, f->token, version_after, f->positive),
                     NGX_OK);
    finish(pid);

    if (shared->rc == NGX_OK) {
        version = table_version(&shared->entry, f->token);

        if (version != version_after) {
            assert_true(faults_has(f, f->token));
            assert_int_equal(version, version_before(f->token));
        }
    }

    return more;
}


static void
test_overtaken(void **state)
{
    faults_t   *f = *state;
    ngx_uint_t  n;

    if (!faults_has(f, f->token)) {
        return;
    }

    for (n = 0; overtake(f, n); n++) {
        assert_true(n < FAULTS_STEPS);
    }
}


static void
hammer_reader(void)
{
    uint64_t  token, least, version, seen[HAMMER_TOKENS];
    uint64_t  hits, misses;

    memset(seen, 0, sizeof(seen));
    hits = 0;
    misses = 0;

    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
        token = table_random() % HAMMER_TOKENS;

        least = __atomic_load_n(&shared->published[token], __ATOMIC_ACQUIRE);
        least = ngx_max(least, seen[token]);

        version = table_get(table, token);

        if (version == TABLE_MISS) {
            misses++;
            continue;
        }

        hits++;

        if (version == TABLE_WRONG || version < least) {
            __atomic_fetch_add(&shared->faults, 1, __ATOMIC_RELAXED);
            continue;
        }

        seen[token] = version;
    }

    __atomic_fetch_add(&shared->hits, hits, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shared->misses, misses, __ATOMIC_RELAXED);
}


/* versions go up, so that no put comes late */

static void
hammer_writer(void)
{
    uint64_t  token, version;

    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
        version = __atomic_add_fetch(&shared->version, 1, __ATOMIC_RELAXED);
        token = table_random() % HAMMER_TOKENS;

        if (table_put(table, token, version, table_random() % 4 > 0)
            == NGX_OK)
        {
            __atomic_store_n(&shared->published[token], version,
                             __ATOMIC_RELEASE);
        }
    }
}


static pid_t
hammer_fork(void (*child)(void))
{
    pid_t  pid;

    /* so that what is random differs from child to child */
    (void) table_random();

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        child();
        _exit(0);
    }

    return pid;
}


static void
hammer_wait(pid_t pid)
{
    int  status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}


static uint64_t
usec(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/* kills the writer some time after it began, and returns the next one */

static pid_t
hammer_kill(pid_t pid)
{
    int       status;
    uint64_t  version, until;

    version = __atomic_load_n(&shared->version, __ATOMIC_RELAXED);

    while (__atomic_load_n(&shared->version, __ATOMIC_RELAXED) == version) {
        (void) sched_yield();
    }

    until = usec() + table_random() % 100;

    while (usec() < until) { /* void */ }

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));

    return hammer_fork(hammer_writer);
}


/*
 * All at full speed: what is got is whole, not older than what had been put
 * when the get began, and not older than what was got before.
 */

static void
test_hammer(void **state)
{
    pid_t       readers[HAMMER_READERS], writer;
    uint64_t    until;
    ngx_uint_t  i, kills;
    hammer_t   *h = *state;

    memset(shared, 0, sizeof(shared_t));
    memset(table, 0, TABLE_SIZE(HAMMER_BUCKETS));
    (void) ngx_http_npmtoken_table_init(table, TABLE_SIZE(HAMMER_BUCKETS));

    writer = hammer_fork(hammer_writer);

    for (i = 0; i < h->readers; i++) {
        readers[i] = hammer_fork(hammer_reader);
    }

    until = usec() + HAMMER_USEC;
    kills = 0;

    while (usec() < until || kills < h->kills) {
        if (kills < h->kills) {
            writer = hammer_kill(writer);
            kills++;

        } else {
            (void) poll(NULL, 0, 10);
        }
    }

    __atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);

    hammer_wait(writer);

    for (i = 0; i < h->readers; i++) {
        hammer_wait(readers[i]);
    }

    assert_int_equal(shared->faults, 0);

    /* there was something to see */
    assert_true(shared->hits > 100000);
    assert_true(shared->misses > 1000);
}


int
main(void)
{
    int  failed;

    /* a get that hangs ends the test */
    (void) alarm(120);

    shared = table_shared(sizeof(shared_t));
    table = table_shared(TABLE_SIZE(HAMMER_BUCKETS));

    failed = unit_run("table: writer stopped", test_stopped, faults,
                      sizeof(faults[0]), unit_n(faults));

    failed += unit_run("table: reader overtaken", test_overtaken, faults,
                       sizeof(faults[0]), unit_n(faults));

    failed += unit_run("table: at full speed", test_hammer, hammers,
                       sizeof(hammers[0]), unit_n(hammers));

    return failed != 0;
}
