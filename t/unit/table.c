
#include "table.h"
#include <sys/mman.h>


static uint64_t table_mix(uint64_t x);


uint64_t
table_random(void)
{
    static uint64_t  n;

    return table_mix(++n);
}


void
table_tag(uint64_t token, u_char *tag)
{
    uint64_t  words[2];

    if (token == 0) {
        memset(tag, 0, NPMTOKEN_TAG_LEN);
        return;
    }

    words[0] = table_mix(token / 4);
    words[1] = table_mix(~(token / 4)) >> 2 | (token % 4) << 62;

    memcpy(tag, words, NPMTOKEN_TAG_LEN);
}


void
table_entry(uint64_t token, uint64_t version, ngx_uint_t positive,
    ngx_http_npmtoken_entry_t *entry)
{
    size_t    i, size;
    uint64_t  x;

    memset(entry, 0, sizeof(ngx_http_npmtoken_entry_t));

    x = table_mix(token << 32 ^ version);
    size = sizeof(npmtoken_record_t);

    table_tag(token, entry->tag);

    entry->stamp.word = ngx_http_npmtoken_word(1, version);
    entry->stamp.count = version << 1 | positive;
    entry->stamp.counter = (uint32_t) x;
    entry->deadline = x;

    if (!positive) {
        return;
    }

    size += x % (NGX_HTTP_NPMTOKEN_RECORD_MAX - size + 1);

    for (i = 0; i < size; i++) {
        entry->u.bytes[i] = (u_char) (x >> (i % 8 * 8)) + i;
    }

    entry->u.record.size = size;
}


ngx_int_t
table_put(ngx_http_npmtoken_table_t *table, uint64_t token, uint64_t version,
    ngx_uint_t positive)
{
    ngx_http_npmtoken_entry_t  entry;

    table_entry(token, version, positive, &entry);

    return ngx_http_npmtoken_table_put_locked(table, &entry);
}


uint64_t
table_version(ngx_http_npmtoken_entry_t *entry, uint64_t token)
{
    size_t                     len;
    uint64_t                   version;
    ngx_http_npmtoken_entry_t  wanted;

    version = entry->stamp.count >> 1;

    table_entry(token, version, entry->stamp.count & 1, &wanted);

    len = offsetof(ngx_http_npmtoken_entry_t, u)
          + ngx_max(wanted.u.record.size, sizeof(npmtoken_record_t));

    return memcmp(entry, &wanted, len) == 0 ? version : TABLE_WRONG;
}


uint64_t
table_get(ngx_http_npmtoken_table_t *table, uint64_t token)
{
    u_char                     tag[NPMTOKEN_TAG_LEN];
    ngx_http_npmtoken_entry_t  entry;

    table_tag(token, tag);

    if (ngx_http_npmtoken_table_get(table, tag, &entry) != NGX_OK) {
        return TABLE_MISS;
    }

    return table_version(&entry, token);
}


void *
table_shared(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
             0);
    assert_true(p != MAP_FAILED);

    return p;
}


ngx_http_npmtoken_table_t *
table_make(size_t size)
{
    ngx_http_npmtoken_table_t  *table;

    table = ngx_http_npmtoken_table_init(table_shared(size), size);
    assert_non_null(table);

    return table;
}


static uint64_t
table_mix(uint64_t x)
{
    x = (x + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;

    return x ^ (x >> 31);
}
