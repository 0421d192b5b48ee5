
/*
 * What the table of records costs: time of a look-up by the number of
 * entries, memory of an entry, and how many of a million are kept.
 *
 *     table               prints a table
 *     table hits NUMBER   that many look-ups which hit, to be counted by
 *                         callgrind (see the Makefile)
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/mman.h>
#include <time.h>
#include "ngx_http_npmtoken_table.h"


#define BENCH_MILLION  1000000

/* look-ups of one round; the best of some rounds is printed */
#define BENCH_LOOKUPS  2000000
#define BENCH_ROUNDS   5

/* bytes of an account name */
#define BENCH_USER     16


typedef struct {
    size_t        zone;      /* megabytes; a sixteenth of it is for
                               counters */
    ngx_uint_t    entries;
} bench_case_t;


static bench_case_t  cases[] = {
    { 8, 1000 },
    { 8, 10000 },
    { 8, 100000 },
    { 256, BENCH_MILLION }
};


/* tags are as random as SipHash makes them */

static void
bench_tag(uint64_t number, u_char *tag)
{
    uint64_t    word;
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        word = (number * 2 + i + 1) * 0x9e3779b97f4a7c15u;
        word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
        word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
        word ^= word >> 31;

        ngx_memcpy(tag + i * sizeof(word), &word, sizeof(word));
    }
}


static void *
bench_memory(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    return p;
}


static ngx_http_npmtoken_table_t *
bench_fill(size_t zone, ngx_uint_t entries, size_t *size)
{
    ngx_uint_t                  i;
    ngx_http_npmtoken_entry_t   entry;
    ngx_http_npmtoken_table_t  *table;

    *size = (zone << 20) / 16 * 15;
    table = ngx_http_npmtoken_table_init(bench_memory(*size), *size);

    if (table == NULL) {
        fprintf(stderr, "no table in %zu MB\n", zone);
        exit(1);
    }

    ngx_memzero(&entry, sizeof(entry));

    entry.u.record.size = sizeof(npmtoken_record_t) + BENCH_USER;
    entry.u.record.user_len = BENCH_USER;

    for (i = 0; i < entries; i++) {
        bench_tag(i, entry.tag);
        entry.stamp.word = ngx_http_npmtoken_word(1, i);

        (void) ngx_http_npmtoken_table_put_locked(table, &entry);
    }

    return table;
}


static double
bench_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


/* the tags to look up, in random order, so that making them costs nothing */

static u_char *
bench_tags(ngx_uint_t from, ngx_uint_t entries)
{
    u_char      *tags;
    uint64_t     x;
    ngx_uint_t   i;

    tags = bench_memory(BENCH_LOOKUPS * NPMTOKEN_TAG_LEN);
    x = 1;

    for (i = 0; i < BENCH_LOOKUPS; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bench_tag(from + (x >> 32) % entries,
                  tags + i * NPMTOKEN_TAG_LEN);
    }

    return tags;
}


static double
bench_get(ngx_http_npmtoken_table_t *table, ngx_uint_t from,
    ngx_uint_t entries)
{
    double                     begin, ns, best;
    u_char                    *tags;
    ngx_uint_t                 i, n, found;
    ngx_http_npmtoken_entry_t  entry;

    tags = bench_tags(from, entries);
    best = 1e9;
    found = 0;

    for (n = 0; n < BENCH_ROUNDS; n++) {
        begin = bench_now();

        for (i = 0; i < BENCH_LOOKUPS; i++) {
            found += ngx_http_npmtoken_table_get(table,
                         tags + i * NPMTOKEN_TAG_LEN, &entry)
                     == NGX_OK;
        }

        ns = (bench_now() - begin) / BENCH_LOOKUPS;
        best = ngx_min(best, ns);
    }

    munmap(tags, BENCH_LOOKUPS * NPMTOKEN_TAG_LEN);

    if (from ? found != 0 : found == 0) {
        fprintf(stderr, "%lu found\n", (unsigned long) found);
        exit(1);
    }

    return best;
}


static ngx_uint_t
bench_kept(ngx_http_npmtoken_table_t *table, ngx_uint_t entries)
{
    u_char                     tag[NPMTOKEN_TAG_LEN];
    ngx_uint_t                 i, found;
    ngx_http_npmtoken_entry_t  entry;

    found = 0;

    for (i = 0; i < entries; i++) {
        bench_tag(i, tag);
        found += ngx_http_npmtoken_table_get(table, tag, &entry) == NGX_OK;
    }

    return found;
}


/* as full as with a million in 256 MB */

static void
bench_hits(ngx_uint_t n)
{
    size_t                      size;
    ngx_uint_t                  i, found;
    u_char                      tag[NPMTOKEN_TAG_LEN];
    ngx_http_npmtoken_entry_t   entry;
    ngx_http_npmtoken_table_t  *table;

    table = bench_fill(8, BENCH_MILLION / 32, &size);
    found = 0;

    for (i = 0; i < n; i++) {
        bench_tag(i % (BENCH_MILLION / 32), tag);
        found += ngx_http_npmtoken_table_get(table, tag, &entry) == NGX_OK;
    }

    printf("%lu\n", (unsigned long) found);
}


int
main(int argc, char **argv)
{
    size_t                      size = 0;
    ngx_uint_t                  i, kept = 0;
    ngx_http_npmtoken_table_t  *table;

    if (argc == 3 && strcmp(argv[1], "hits") == 0) {
        bench_hits(atol(argv[2]));
        return 0;
    }

    printf("| entries | zone, MB | hit, ns | miss, ns | kept | of them, %% |\n"
           "| ---: | ---: | ---: | ---: | ---: | ---: |\n");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        table = bench_fill(cases[i].zone, cases[i].entries, &size);
        kept = bench_kept(table, cases[i].entries);

        printf("| %lu | %zu | %.0f | %.0f | %lu | %.3f |\n",
               (unsigned long) cases[i].entries, cases[i].zone,
               bench_get(table, 0, cases[i].entries),
               bench_get(table, BENCH_MILLION, cases[i].entries),
               (unsigned long) kept, kept * 100.0 / cases[i].entries);
        fflush(stdout);

        munmap(table, size);
    }

    /* of the last, which is the one that is full */

    printf("\nbytes of the table for each that is kept: %.1f\n",
           (double) size / kept);

    return 0;
}
