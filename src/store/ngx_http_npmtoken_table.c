
/*
 * The table of records in shared memory.  It is made of buckets of slots and
 * nothing else, so a writer that is killed at any instruction spoils at most
 * one slot.
 *
 * A tag has two candidate buckets, each named by its own bits of the tag, and
 * a home slot in the first one.  The cost of a hit is mainly the cache lines
 * that it loads, and an entry at home is found without loading another.  So an
 * entry goes there if there is room.  An entry elsewhere is found by the
 * header of the bucket, one line of hints.
 *
 * A sequence number guards each slot.  It is 0 in a slot that was never used.
 * It is odd while the slot is written, and stays odd if the writer dies.  A
 * slot with 0 or an odd number is vacant.
 *
 * A comment named "rule: ..." stands where a wrong answer would follow if the
 * line were left out.  t/unit/test_table.c and test_table_faults.c then fail.
 * A missing fence or a weaker order shows only on processors that reorder more
 * than x86 does.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_table.h"


#define NGX_HTTP_NPMTOKEN_TABLE_LINE       64
#define NGX_HTTP_NPMTOKEN_TABLE_SLOTS      8

/* most slots of a bucket that say that there is no such token */
#define NGX_HTTP_NPMTOKEN_TABLE_NEGATIVES  2


/* -O2 does not unroll loops of a known length, which are half of a hit */

#if (__GNUC__ >= 8 && !defined(__clang__))
#define ngx_http_npmtoken_table_unroll  _Pragma("GCC unroll 16")
#else
#define ngx_http_npmtoken_table_unroll
#endif


/* what a new entry may replace, in this order */

#define NGX_HTTP_NPMTOKEN_TABLE_VACANT     0
#define NGX_HTTP_NPMTOKEN_TABLE_NEGATIVE   1
#define NGX_HTTP_NPMTOKEN_TABLE_POSITIVE   2
#define NGX_HTTP_NPMTOKEN_TABLE_NOTHING    3


#define ngx_http_npmtoken_table_vacant(sequence)                              \
    ((sequence) == 0 || ((sequence) & 1))

#define ngx_http_npmtoken_table_kind(entry)                                   \
    ((entry)->u.record.size ? NGX_HTTP_NPMTOKEN_TABLE_POSITIVE                \
                            : NGX_HTTP_NPMTOKEN_TABLE_NEGATIVE)

/*
 * The order in which two words were taken: by epoch, then by time.  The
 * difference has the right sign even if the numbers wrap around.
 */

#define ngx_http_npmtoken_table_order(one, two)                               \
    ((int64_t) ((one)->stamp.word - (two)->stamp.word))


/* entries are copied by words; each word is read and written atomically */

typedef uintptr_t __attribute__((may_alias))  ngx_http_npmtoken_table_word_t;

#define ngx_http_npmtoken_table_words(size)                                   \
    (((size) + sizeof(ngx_http_npmtoken_table_word_t) - 1)                    \
     / sizeof(ngx_http_npmtoken_table_word_t))

/* bytes of an entry up to the account name */
#define NGX_HTTP_NPMTOKEN_TABLE_FIXED                                         \
    (offsetof(ngx_http_npmtoken_entry_t, u) + sizeof(npmtoken_record_t))


typedef struct {
    uint32_t                          sequence;
    uint32_t                          unused;
    ngx_http_npmtoken_entry_t         entry;
} ngx_http_npmtoken_table_slot_t;


typedef struct {
    uint32_t                          hints[NGX_HTTP_NPMTOKEN_TABLE_SLOTS];
    u_char                            pad[NGX_HTTP_NPMTOKEN_TABLE_LINE
                                          - NGX_HTTP_NPMTOKEN_TABLE_SLOTS
                                            * sizeof(uint32_t)];
    ngx_http_npmtoken_table_slot_t    slots[NGX_HTTP_NPMTOKEN_TABLE_SLOTS];
} ngx_http_npmtoken_table_bucket_t;


struct ngx_http_npmtoken_table_s {
    uint32_t                          nbuckets;
    u_char                            pad[NGX_HTTP_NPMTOKEN_TABLE_LINE
                                          - sizeof(uint32_t)];
    ngx_http_npmtoken_table_bucket_t  buckets[1];
};


/* bits of a tag: they name the buckets, the hint and the home slot */

typedef struct {
    uint32_t                          first;
    uint32_t                          second;
    uint32_t                          hint;
    uint32_t                          home;
} ngx_http_npmtoken_table_tag_t;


typedef struct {
    ngx_http_npmtoken_table_bucket_t  *bucket;
    ngx_uint_t                         slot;
    ngx_uint_t                         kind;
    int64_t                            order;    /* among those of a kind */
} ngx_http_npmtoken_table_place_t;


_Static_assert(offsetof(ngx_http_npmtoken_table_bucket_t, slots)
               == NGX_HTTP_NPMTOKEN_TABLE_LINE,
               "the header of a bucket is not one cache line");

_Static_assert(sizeof(ngx_http_npmtoken_table_slot_t)
               % NGX_HTTP_NPMTOKEN_TABLE_LINE == 0,
               "slots share cache lines");

_Static_assert(offsetof(ngx_http_npmtoken_table_t, buckets)
               == NGX_HTTP_NPMTOKEN_TABLE_LINE,
               "the first bucket is not aligned");

_Static_assert(sizeof(ngx_http_npmtoken_table_tag_t)
               == NPMTOKEN_TAG_LEN,
               "a tag has other bits than are used");

_Static_assert(NGX_HTTP_NPMTOKEN_TABLE_FIXED
               % sizeof(ngx_http_npmtoken_table_word_t) == 0
               && sizeof(ngx_http_npmtoken_entry_t)
                  % sizeof(ngx_http_npmtoken_table_word_t) == 0,
               "an entry is not a number of words");


static ngx_int_t ngx_http_npmtoken_table_search(
    ngx_http_npmtoken_table_bucket_t *bucket, uint32_t hint, u_char *tag,
    ngx_http_npmtoken_entry_t *entry);
static ngx_int_t ngx_http_npmtoken_table_read(
    ngx_http_npmtoken_table_slot_t *slot, u_char *tag,
    ngx_http_npmtoken_entry_t *entry);
static ngx_uint_t ngx_http_npmtoken_table_find(
    ngx_http_npmtoken_table_bucket_t *bucket, uint32_t hint, u_char *tag);
static void ngx_http_npmtoken_table_choose(
    ngx_http_npmtoken_table_bucket_t *bucket, ngx_uint_t home,
    ngx_http_npmtoken_entry_t *entry, ngx_http_npmtoken_table_place_t *best);
static void ngx_http_npmtoken_table_consider(
    ngx_http_npmtoken_entry_t *entry, ngx_uint_t negatives,
    ngx_http_npmtoken_table_place_t *place,
    ngx_http_npmtoken_table_place_t *best);
static void ngx_http_npmtoken_table_vacate(
    ngx_http_npmtoken_table_slot_t *slot);
static void ngx_http_npmtoken_table_write(
    ngx_http_npmtoken_table_bucket_t *bucket, ngx_uint_t n, uint32_t hint,
    ngx_http_npmtoken_entry_t *entry);


static ngx_inline ngx_http_npmtoken_table_bucket_t *
ngx_http_npmtoken_table_bucket(ngx_http_npmtoken_table_t *table, uint32_t bits)
{
    return &table->buckets[((uint64_t) bits * table->nbuckets) >> 32];
}


static ngx_inline ngx_uint_t
ngx_http_npmtoken_table_home(ngx_http_npmtoken_table_tag_t *bits)
{
    return bits->home % NGX_HTTP_NPMTOKEN_TABLE_SLOTS;
}


ngx_http_npmtoken_table_t *
ngx_http_npmtoken_table_init(void *mem, size_t size)
{
    size_t                      n;
    ngx_http_npmtoken_table_t  *table = mem;

    if (size < sizeof(ngx_http_npmtoken_table_t)) {
        return NULL;
    }

    n = (size - offsetof(ngx_http_npmtoken_table_t, buckets))
        / sizeof(ngx_http_npmtoken_table_bucket_t);

    table->nbuckets = (uint32_t) ngx_min(n, NGX_MAX_UINT32_VALUE);

    return table;
}


/*
 * a short entry, with little more than an account name, ends in the second
 * line
 */

void
ngx_http_npmtoken_table_prefetch(ngx_http_npmtoken_table_t *table,
    u_char *tag)
{
    u_char                            *slot;
    ngx_http_npmtoken_table_tag_t      bits;
    ngx_http_npmtoken_table_bucket_t  *first;

    ngx_memcpy(&bits, tag, NPMTOKEN_TAG_LEN);

    first = ngx_http_npmtoken_table_bucket(table, bits.first);
    slot = (u_char *) &first->slots[ngx_http_npmtoken_table_home(&bits)];

    __builtin_prefetch(slot);
    __builtin_prefetch(slot + NGX_HTTP_NPMTOKEN_TABLE_LINE);
}


ngx_int_t
ngx_http_npmtoken_table_get(ngx_http_npmtoken_table_t *table, u_char *tag,
    ngx_http_npmtoken_entry_t *entry)
{
    ngx_uint_t                         home;
    ngx_http_npmtoken_table_tag_t      bits;
    ngx_http_npmtoken_table_bucket_t  *first, *second;

    ngx_memcpy(&bits, tag, NPMTOKEN_TAG_LEN);

    first = ngx_http_npmtoken_table_bucket(table, bits.first);
    home = ngx_http_npmtoken_table_home(&bits);

    if (ngx_http_npmtoken_table_read(&first->slots[home], tag, entry)
        == NGX_OK)
    {
        return NGX_OK;
    }

    second = ngx_http_npmtoken_table_bucket(table, bits.second);

    __builtin_prefetch(second);

    if (ngx_http_npmtoken_table_search(first, bits.hint, tag, entry)
        == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_http_npmtoken_table_search(second, bits.hint, tag, entry);
}


static ngx_int_t
ngx_http_npmtoken_table_search(ngx_http_npmtoken_table_bucket_t *bucket,
    uint32_t hint, u_char *tag, ngx_http_npmtoken_entry_t *entry)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_TABLE_SLOTS; i++) {

        if (__atomic_load_n(&bucket->hints[i], __ATOMIC_RELAXED) == hint
            && ngx_http_npmtoken_table_read(&bucket->slots[i], tag, entry)
               == NGX_OK)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_inline void
ngx_http_npmtoken_table_load(void *to, void *from, ngx_uint_t begin,
    ngx_uint_t end)
{
    ngx_uint_t                       i;
    ngx_http_npmtoken_table_word_t  *dst = to, *src = from;

    ngx_http_npmtoken_table_unroll
    for (i = begin; i < end; i++) {
        dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
    }
}


static ngx_int_t
ngx_http_npmtoken_table_read(ngx_http_npmtoken_table_slot_t *slot, u_char *tag,
    ngx_http_npmtoken_entry_t *entry)
{
    uint32_t  sequence, size;

    sequence = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);

    /* rule: slot-even-check */

    if (ngx_http_npmtoken_table_vacant(sequence)) {
        return NGX_DECLINED;
    }

    ngx_http_npmtoken_table_load(entry, &slot->entry, 0,
        ngx_http_npmtoken_table_words(NPMTOKEN_TAG_LEN));

    /* rule: whole-tag, of the copy; the hint is only a hint */

    if (ngx_memcmp(entry->tag, tag, NPMTOKEN_TAG_LEN) != 0) {
        return NGX_DECLINED;
    }

    ngx_http_npmtoken_table_load(entry, &slot->entry,
        ngx_http_npmtoken_table_words(NPMTOKEN_TAG_LEN),
        ngx_http_npmtoken_table_words(NGX_HTTP_NPMTOKEN_TABLE_FIXED));

    /*
     * rule: bound-the-size.  It is not yet proven that this is an entry at
     * all.  The size is that of the copy, so it cannot change after the check.
     */

    size = entry->u.record.size;

    if (size > NGX_HTTP_NPMTOKEN_RECORD_MAX) {
        return NGX_DECLINED;
    }

    ngx_http_npmtoken_table_load(entry, &slot->entry,
        ngx_http_npmtoken_table_words(NGX_HTTP_NPMTOKEN_TABLE_FIXED),
        ngx_http_npmtoken_table_words(
            offsetof(ngx_http_npmtoken_entry_t, u) + size));

    /*
     * rule: slot-recheck.  If a word of the copy comes from a later write, the
     * sequence number read after the fence differs from the first one.
     */

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if (__atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) != sequence) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_table_put_locked(ngx_http_npmtoken_table_t *table,
    ngx_http_npmtoken_entry_t *entry)
{
    ngx_uint_t                         i, slot, home;
    ngx_http_npmtoken_table_tag_t      bits;
    ngx_http_npmtoken_table_place_t    place;
    ngx_http_npmtoken_table_bucket_t  *buckets[2];

    ngx_memcpy(&bits, entry->tag, NPMTOKEN_TAG_LEN);

    buckets[0] = ngx_http_npmtoken_table_bucket(table, bits.first);
    buckets[1] = ngx_http_npmtoken_table_bucket(table, bits.second);

    /*
     * rule: one-slot-per-tag.  An older entry of the tag is removed before the
     * new one is stored, and even if the new one is not stored.
     */

    for (i = 0; i < 2; i++) {
        slot = ngx_http_npmtoken_table_find(buckets[i], bits.hint, entry->tag);

        if (slot == NGX_HTTP_NPMTOKEN_TABLE_SLOTS) {
            continue;
        }

        /* rule: younger-stays */

        if (ngx_http_npmtoken_table_order(&buckets[i]->slots[slot].entry,
                                          entry)
            > 0)
        {
            return NGX_DECLINED;
        }

        ngx_http_npmtoken_table_vacate(&buckets[i]->slots[slot]);
    }

    if (entry->u.record.size > NGX_HTTP_NPMTOKEN_RECORD_MAX) {
        return NGX_DECLINED;
    }

    place.kind = NGX_HTTP_NPMTOKEN_TABLE_NOTHING;

    home = ngx_http_npmtoken_table_home(&bits);

    ngx_http_npmtoken_table_choose(buckets[0], home, entry, &place);
    ngx_http_npmtoken_table_choose(buckets[1], home, entry, &place);

    if (place.kind == NGX_HTTP_NPMTOKEN_TABLE_NOTHING) {
        return NGX_DECLINED;
    }

    ngx_http_npmtoken_table_write(place.bucket, place.slot, bits.hint, entry);

    return NGX_OK;
}


/* the lock is held, so nothing moves during this read */

static ngx_uint_t
ngx_http_npmtoken_table_find(ngx_http_npmtoken_table_bucket_t *bucket,
    uint32_t hint, u_char *tag)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_TABLE_SLOTS; i++) {

        if (bucket->hints[i] == hint
            && !ngx_http_npmtoken_table_vacant(bucket->slots[i].sequence)
            && ngx_memcmp(bucket->slots[i].entry.tag, tag, NPMTOKEN_TAG_LEN)
               == 0)
        {
            break;
        }
    }

    return i;
}


static void
ngx_http_npmtoken_table_choose(ngx_http_npmtoken_table_bucket_t *bucket,
    ngx_uint_t home, ngx_http_npmtoken_entry_t *entry,
    ngx_http_npmtoken_table_place_t *best)
{
    ngx_uint_t                       i, used, negatives;
    ngx_uint_t                       kinds[NGX_HTTP_NPMTOKEN_TABLE_SLOTS];
    ngx_http_npmtoken_table_place_t  place;

    used = 0;
    negatives = 0;

    for (i = 0; i < NGX_HTTP_NPMTOKEN_TABLE_SLOTS; i++) {

        if (ngx_http_npmtoken_table_vacant(bucket->slots[i].sequence)) {
            kinds[i] = NGX_HTTP_NPMTOKEN_TABLE_VACANT;
            continue;
        }

        kinds[i] = ngx_http_npmtoken_table_kind(&bucket->slots[i].entry);

        used++;
        negatives += (kinds[i] == NGX_HTTP_NPMTOKEN_TABLE_NEGATIVE);
    }

    place.bucket = bucket;

    if (used < NGX_HTTP_NPMTOKEN_TABLE_SLOTS / 2) {
        used = 0;
    }

    for (i = 0; i < NGX_HTTP_NPMTOKEN_TABLE_SLOTS; i++) {
        place.slot = (home + i) % NGX_HTTP_NPMTOKEN_TABLE_SLOTS;
        place.kind = kinds[place.slot];

        /*
         * Of vacant slots, prefer the home in the first bucket.  When the
         * first bucket begins to fill, prefer one in the emptier bucket.
         * Without a vacant slot, prefer the oldest entry of a kind.
         */

        place.order = (place.kind == NGX_HTTP_NPMTOKEN_TABLE_VACANT)
                      ? (int64_t) used
                      : ngx_http_npmtoken_table_order(
                            &bucket->slots[place.slot].entry, entry);

        ngx_http_npmtoken_table_consider(entry, negatives, &place, best);
    }
}


static void
ngx_http_npmtoken_table_consider(ngx_http_npmtoken_entry_t *entry,
    ngx_uint_t negatives, ngx_http_npmtoken_table_place_t *place,
    ngx_http_npmtoken_table_place_t *best)
{
    if (place->kind > best->kind
        || (place->kind == best->kind && place->order >= best->order))
    {
        return;
    }

    /*
     * Guessing unknown tokens costs nothing.  So they get a part of each
     * bucket, and never the place of a token that exists.
     */

    if (ngx_http_npmtoken_table_kind(entry)
        == NGX_HTTP_NPMTOKEN_TABLE_NEGATIVE)
    {
        switch (place->kind) {

        case NGX_HTTP_NPMTOKEN_TABLE_VACANT:
            if (negatives >= NGX_HTTP_NPMTOKEN_TABLE_NEGATIVES) {
                return;
            }

            break;

        case NGX_HTTP_NPMTOKEN_TABLE_NEGATIVE:
            if (place->order > 0) {
                return;
            }

            break;

        default: /* NGX_HTTP_NPMTOKEN_TABLE_POSITIVE */
            return;
        }
    }

    *best = *place;
}


static void
ngx_http_npmtoken_table_vacate(ngx_http_npmtoken_table_slot_t *slot)
{
    __atomic_store_n(&slot->sequence, slot->sequence | 1, __ATOMIC_RELAXED);
}


static void
ngx_http_npmtoken_table_write(ngx_http_npmtoken_table_bucket_t *bucket,
    ngx_uint_t n, uint32_t hint, ngx_http_npmtoken_entry_t *entry)
{
    ngx_uint_t                       i, words;
    ngx_http_npmtoken_table_slot_t  *slot;
    ngx_http_npmtoken_table_word_t  *dst, *src;

    slot = &bucket->slots[n];

    /*
     * rule: slot-odd-first, slot-stays-odd.  A reader that reads a word
     * written after the fence, and then passes its own fence, reads the odd
     * number or a later one.  If the writer of a slot died, its number is odd
     * already.
     */

    ngx_http_npmtoken_table_vacate(slot);

    __atomic_thread_fence(__ATOMIC_RELEASE);

    __atomic_store_n(&bucket->hints[n], hint, __ATOMIC_RELAXED);

    dst = (ngx_http_npmtoken_table_word_t *) &slot->entry;
    src = (ngx_http_npmtoken_table_word_t *) entry;

    words = ngx_http_npmtoken_table_words(
            ngx_max(NGX_HTTP_NPMTOKEN_TABLE_FIXED,
                    offsetof(ngx_http_npmtoken_entry_t, u)
                    + entry->u.record.size));

    for (i = 0; i < words; i++) {
        __atomic_store_n(&dst[i], src[i], __ATOMIC_RELAXED);
    }

    /*
     * rule: slot-even-last, slot-number-grows.  A reader could be deceived
     * only if it slept in the middle of a copy while this slot was written
     * 2^31 times.
     */

    __atomic_store_n(&slot->sequence, slot->sequence + 1, __ATOMIC_RELEASE);
}
