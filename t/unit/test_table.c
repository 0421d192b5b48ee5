
/* What the table keeps, by one process; test_table_faults.c has the others. */

#include "table.h"
#include <sys/mman.h>


#define MODEL_TOKENS      1000
#define MODEL_OPERATIONS  2000000


/* what a plain map would say of a token */

typedef struct {
    uint64_t    version;      /* TABLE_MISS: nothing */
    unsigned    positive:1;
} model_t;


static ngx_uint_t
found(ngx_http_npmtoken_table_t *table, uint64_t from, uint64_t to)
{
    uint64_t    token, version;
    ngx_uint_t  n;

    n = 0;

    for (token = from; token < to; token++) {
        version = table_get(table, token);

        assert_true(version != TABLE_WRONG);

        n += (version != TABLE_MISS);
    }

    return n;
}


/* what is got is the last that was put, or nothing; and stays so */

static void
model_get(ngx_http_npmtoken_table_t *table, model_t *model, uint64_t token)
{
    uint64_t  version;

    version = table_get(table, token);

    if (version != TABLE_MISS) {
        assert_int_equal(version, model[token].version);
    }

    model[token].version = version;
}


static void
model_put(ngx_http_npmtoken_table_t *table, model_t *model, uint64_t token,
    uint64_t version, unsigned positive)
{
    ngx_int_t  rc;

    /* so that the model knows what is there */
    model_get(table, model, token);

    rc = table_put(table, token, version, positive);

    if (model[token].version > version) {
        assert_int_equal(rc, NGX_DECLINED);
        assert_int_equal(table_get(table, token), model[token].version);
        return;
    }

    if (rc != NGX_OK) {
        assert_false(positive);
        assert_int_equal(table_get(table, token), TABLE_MISS);
        model[token].version = TABLE_MISS;
        return;
    }

    model[token].version = version;
    model[token].positive = positive;

    assert_int_equal(table_get(table, token), version);
}


static void
test_model(void **state)
{
    model_t                    *model;
    uint64_t                    token, version;
    ngx_uint_t                  i, hits, what;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    /* room for two tokens in three, so that there is eviction all the time */
    table = table_make(TABLE_SIZE(MODEL_TOKENS * 2 / 3 / 8));

    model = calloc(MODEL_TOKENS, sizeof(model_t));
    assert_non_null(model);

    hits = 0;

    for (i = 1; i <= MODEL_OPERATIONS; i++) {
        token = table_random() % MODEL_TOKENS;
        what = table_random() % 8;

        /* one in eight comes late */
        version = (table_random() % 8) ? i : i - table_random() % i;

        if (what < 5) {
            model_get(table, model, token);
            hits += (model[token].version != TABLE_MISS);

        } else {
            model_put(table, model, token, version, what > 5);
        }
    }

    free(model);

    unit_assert_in_range(hits, MODEL_OPERATIONS / 4, MODEL_OPERATIONS);
}


static void
test_sizes(void **state)
{
    size_t                      size, most;
    ngx_uint_t                  i, n, last;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    last = 0;
    most = TABLE_SIZE(3) + 64;

    for (size = 0; size <= most; size += 64) {
        table = unit_room(size);
        memset(table, 0, size);

        table = ngx_http_npmtoken_table_init(table, size);

        if (size < TABLE_SIZE(1)) {
            assert_null(table);
            continue;
        }

        assert_non_null(table);

        for (i = 0; i < 400; i++) {
            assert_int_equal(table_put(table, i, i + 1, 1), NGX_OK);
        }

        n = found(table, 0, 400);

        assert_int_equal(n, (size - 64) / (TABLE_SIZE(1) - 64) * 8);
        assert_true(n >= last);

        last = n;
    }

    assert_int_equal(last, 24);
}


/* a hundredth of a million in a hundredth of 256 MB less a sixteenth */

static void
test_capacity(void **state)
{
    uint64_t                    i;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    table = table_make((((size_t) 256 << 20) / 16 * 15 / 100) & ~63);

    for (i = 0; i < 10000; i++) {
        assert_int_equal(table_put(table, i * 4, i + 1, 1), NGX_OK);
    }

    unit_assert_in_range(found(table, 0, 40000), 9990, 10000);
}


static void
test_negatives_in_a_bucket(void **state)
{
    uint64_t                    i;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    table = table_make(TABLE_SIZE(1));

    /* at most two, the youngest */

    for (i = 1; i <= 20; i++) {
        assert_int_equal(table_put(table, i, i, 0), NGX_OK);
    }

    assert_int_equal(found(table, 1, 21), 2);
    assert_int_equal(table_get(table, 19), 19);
    assert_int_equal(table_get(table, 20), 20);

    /* one that comes late has no place */

    assert_int_equal(table_put(table, 21, 18, 0), NGX_DECLINED);
    assert_int_equal(found(table, 1, 22), 2);

    /* what exists takes what is vacant first, then theirs */

    for (i = 30; i < 36; i++) {
        assert_int_equal(table_put(table, i, i, 1), NGX_OK);
    }

    assert_int_equal(found(table, 1, 22), 2);

    assert_int_equal(table_put(table, 36, 36, 1), NGX_OK);
    assert_int_equal(table_get(table, 19), TABLE_MISS);
    assert_int_equal(table_get(table, 20), 20);

    assert_int_equal(table_put(table, 37, 37, 1), NGX_OK);
    assert_int_equal(found(table, 1, 22), 0);
    assert_int_equal(found(table, 30, 38), 8);

    /* and they take nothing back */

    assert_int_equal(table_put(table, 40, 40, 0), NGX_DECLINED);
    assert_int_equal(found(table, 30, 38), 8);
}


static void
test_positive_becomes_negative(void **state)
{
    uint64_t                    i;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    table = table_make(TABLE_SIZE(1));

    for (i = 1; i <= 8; i++) {
        assert_int_equal(table_put(table, i, i, 1), NGX_OK);
    }

    /* each is deleted in turn: there are two negative ones at most */

    for (i = 1; i <= 8; i++) {
        assert_int_equal(table_put(table, i, 10 + i, 0), NGX_OK);
        assert_int_equal(table_get(table, i), 10 + i);
        assert_int_equal(found(table, 1, 9), ngx_min(8, 8 - i + 2));
    }

    /* without a place for the negative one, the positive goes all the same */

    assert_int_equal(table_put(table, 1, 12, 1), NGX_OK);
    assert_int_equal(table_put(table, 1, 13, 0), NGX_DECLINED);
    assert_int_equal(table_get(table, 1), TABLE_MISS);
}


static void
test_victim(void **state)
{
    uint64_t                    i;
    ngx_http_npmtoken_table_t  *table;
    static const uint64_t       ages[] = { 50, 30, 80, 10, 70, 20, 60, 40 };

    (void) state;

    table = table_make(TABLE_SIZE(1));

    for (i = 0; i < 8; i++) {
        assert_int_equal(table_put(table, ages[i], ages[i], 1), NGX_OK);
    }

    /* the oldest goes */

    for (i = 10; i <= 80; i += 10) {
        assert_int_equal(table_get(table, i), i);
        assert_int_equal(table_put(table, 100 + i, 100 + i, 1), NGX_OK);
        assert_int_equal(table_get(table, i), TABLE_MISS);
        assert_int_equal(found(table, 0, 200), 8);
    }
}


/* the younger one is that of the later epoch, then of the later time */

static void
test_order(void **state)
{
    ngx_uint_t                  i;
    ngx_http_npmtoken_entry_t   entry;
    ngx_http_npmtoken_table_t  *table;

    static const struct {
        uint64_t                word;
        ngx_int_t               rc;
    } puts[] = {
        { ngx_http_npmtoken_word(7, 100), NGX_OK },
        { ngx_http_npmtoken_word(7, 99), NGX_DECLINED },
        { ngx_http_npmtoken_word(7, 100), NGX_OK },
        { ngx_http_npmtoken_word(6, 200), NGX_DECLINED },
        { ngx_http_npmtoken_word(8, 50), NGX_OK },
        { ngx_http_npmtoken_word(7, 300), NGX_DECLINED },
        { ngx_http_npmtoken_word(0x7fffff, 1), NGX_OK },
        { ngx_http_npmtoken_word(0xffffff, 1), NGX_OK },
        { ngx_http_npmtoken_word(1, 1), NGX_OK },
        { ngx_http_npmtoken_word(0xffffff, 2), NGX_DECLINED }
    };

    (void) state;

    table = table_make(TABLE_SIZE(4));

    for (i = 0; i < unit_n(puts); i++) {
        table_entry(5, 1, 1, &entry);
        entry.stamp.word = puts[i].word;

        assert_int_equal(ngx_http_npmtoken_table_put_locked(table, &entry),
                         puts[i].rc);
    }
}


static void
test_too_large(void **state)
{
    ngx_http_npmtoken_entry_t   entry;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    table = table_make(TABLE_SIZE(2));

    assert_int_equal(table_put(table, 5, 1, 1), NGX_OK);

    table_entry(5, 2, 1, &entry);
    entry.u.record.size = NGX_HTTP_NPMTOKEN_RECORD_MAX + 1;

    /* and the older one is no answer any more */

    assert_int_equal(ngx_http_npmtoken_table_put_locked(table, &entry),
                     NGX_DECLINED);
    assert_int_equal(table_get(table, 5), TABLE_MISS);

    entry.u.record.size = NGX_HTTP_NPMTOKEN_RECORD_MAX;

    assert_int_equal(ngx_http_npmtoken_table_put_locked(table, &entry),
                     NGX_OK);
}


/* sizes that no writer wrote: nothing is read or written out of bounds */

static void
test_bad_size(void **state)
{
    u_char                     *p, *mem, tag[NPMTOKEN_TAG_LEN];
    uint32_t                    size;
    ngx_uint_t                  i;
    ngx_http_npmtoken_entry_t  *slot, *entry;
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    mem = unit_room(TABLE_SIZE(1));
    memset(mem, 0, TABLE_SIZE(1));
    table = ngx_http_npmtoken_table_init(mem, TABLE_SIZE(1));
    entry = unit_room(sizeof(ngx_http_npmtoken_entry_t));

    table_tag(5, tag);
    assert_int_equal(table_put(table, 5, 1, 1), NGX_OK);

    p = memmem(mem, TABLE_SIZE(1), tag, NPMTOKEN_TAG_LEN);
    assert_non_null(p);

    slot = (ngx_http_npmtoken_entry_t *) p;

    for (i = 0; i < 32; i++) {
        size = (uint32_t) 1 << i;
        slot->u.record.size = size;

        assert_int_equal(ngx_http_npmtoken_table_get(table, tag, entry),
                         size <= NGX_HTTP_NPMTOKEN_RECORD_MAX ? NGX_OK
                                                              : NGX_DECLINED);
    }

    slot->u.record.size = UINT32_MAX;

    assert_int_equal(ngx_http_npmtoken_table_get(table, tag, entry),
                     NGX_DECLINED);
}


/* a token of zeroes is not in a table of zeroes */

static void
test_empty(void **state)
{
    ngx_http_npmtoken_table_t  *table;

    (void) state;

    table = table_make(TABLE_SIZE(10));

    assert_int_equal(found(table, 0, 1000), 0);
    assert_int_equal(table_put(table, 0, 1, 1), NGX_OK);
    assert_int_equal(found(table, 0, 1000), 1);
}


/*
 * 1,000,000 guesses among 10,000 tokens: behind them, before them, between
 * them; "slots" is how many there are for each token.
 */

static ngx_uint_t
guess(double slots, ngx_uint_t before, ngx_uint_t between, ngx_uint_t behind)
{
    size_t                      size;
    uint64_t                    i, j, version, guessed;
    ngx_uint_t                  kept;
    ngx_http_npmtoken_table_t  *table;

    size = TABLE_SIZE((size_t) (10000 * slots / 8));
    table = table_make(size);
    version = 0;
    guessed = 1000000;

    for (i = 0; i < before; i++) {
        (void) table_put(table, guessed++ * 4, ++version, 0);
    }

    for (i = 0; i < 10000; i++) {
        assert_int_equal(table_put(table, i * 4, ++version, 1), NGX_OK);

        for (j = 0; j < between / 10000; j++) {
            (void) table_put(table, guessed++ * 4, ++version, 0);
        }
    }

    kept = found(table, 0, 40000);

    for (i = 0; i < behind; i++) {
        (void) table_put(table, guessed++ * 4, ++version, 0);
    }

    assert_int_equal(found(table, 0, 40000), kept);

    munmap(table, size);

    return kept;
}


static void
test_guessing(void **state)
{
    (void) state;

    /* 8 MB less a sixteenth, the default: 3.9 slots for each token */

    assert_int_equal(guess(3.9, 0, 0, 1000000), 10000);
    assert_int_equal(guess(3.9, 1000000, 0, 0), 10000);
    assert_int_equal(guess(3.9, 0, 1000000, 0), 10000);

    /* as full as with a million in 256 MB */

    unit_assert_in_range(guess(1.25, 0, 0, 1000000), 9990, 10000);
    unit_assert_in_range(guess(1.25, 1000000, 0, 0), 9980, 10000);
    unit_assert_in_range(guess(1.25, 0, 1000000, 0), 9980, 10000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_negatives_in_a_bucket),
        cmocka_unit_test(test_positive_becomes_negative),
        cmocka_unit_test(test_victim),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_bad_size),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_guessing)
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL) != 0;
}
