
#include "ngx_http_npmtoken_reply.h"


/* seconds for which a logged bad record is remembered */
#define NGX_HTTP_NPMTOKEN_BAD_PAUSE  600


static ngx_int_t ngx_http_npmtoken_reply_parse(
    ngx_http_npmtoken_reply_log_t *log, u_char *key, redisReply *reply,
    npmtoken_record_t **record);
static void ngx_http_npmtoken_reply_bad_field(
    ngx_http_npmtoken_reply_log_t *log, u_char *key, ngx_str_t *field);
static ngx_int_t ngx_http_npmtoken_reply_bad(
    ngx_http_npmtoken_reply_log_t *log, u_char *key, ngx_str_t *what,
    npmtoken_record_t **record);
static ngx_uint_t ngx_http_npmtoken_reply_was_logged(
    ngx_http_npmtoken_reply_log_t *log, u_char *key, ngx_str_t *what);


ngx_int_t
ngx_http_npmtoken_reply_record(ngx_http_npmtoken_reply_log_t *log, u_char *key,
    redisReply *reply, npmtoken_record_t **record)
{
    ngx_str_t  code;

    if (reply == NULL) {
        ngx_str_set(&code, "the size");
        return ngx_http_npmtoken_reply_bad(log, key, &code, record);
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0) {
        return reply->elements
               ? ngx_http_npmtoken_reply_parse(log, key, reply, record)
               : NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return NGX_ABORT;
    }

    ngx_http_npmtoken_codec_error(reply, &code);

    if (ngx_strncmp(code.data, "WRONGTYPE", sizeof("WRONGTYPE") - 1) == 0) {
        ngx_str_set(&code, "the type");
        return ngx_http_npmtoken_reply_bad(log, key, &code, record);
    }

    ngx_http_npmtoken_reply_error(log, reply);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_reply_parse(ngx_http_npmtoken_reply_log_t *log, u_char *key,
    redisReply *reply, npmtoken_record_t **record)
{
    ngx_int_t          rc;
    ngx_str_t         *str;
    ngx_uint_t         i, nfields;
    redisReply        *element;
    npmtoken_field_t  *fields, *bad;

    nfields = reply->elements / 2;

    fields = ngx_alloc(nfields * sizeof(npmtoken_field_t), ngx_cycle->log);
    if (fields == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ABORT;

    for (i = 0; i < reply->elements; i++) {
        element = reply->element[i];

        if (element->type != REDIS_REPLY_STRING) {
            goto done;
        }

        str = (i % 2) ? &fields[i / 2].value : &fields[i / 2].name;
        str->data = (u_char *) element->str;
        str->len = element->len;
    }

    rc = NGX_ERROR;

    *record = ngx_alloc(npmtoken_record_size(fields, nfields), ngx_cycle->log);
    if (*record == NULL) {
        goto done;
    }

    bad = npmtoken_record_parse(*record, fields, nfields);

    if (bad) {
        ngx_http_npmtoken_reply_bad_field(log, key, &bad->name);

    } else {
        (void) ngx_http_npmtoken_reply_was_logged(log, key, NULL);
    }

    rc = NGX_OK;

done:

    ngx_free(fields);

    return rc;
}


/* a field may have any name; only one that looks like a name is logged */

static void
ngx_http_npmtoken_reply_bad_field(ngx_http_npmtoken_reply_log_t *log,
    u_char *key, ngx_str_t *field)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  name;

    name = *field;
    name.len = ngx_min(name.len, 64);

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if ((ch < '0' || ch > '9') && ch != '_' && ch != '-'
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z'))
        {
            ngx_str_set(&name, "(unprintable)");
            break;
        }
    }

    if (ngx_http_npmtoken_reply_was_logged(log, key, field)) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": bad record of key %*s, field \"%V\"",
                  log->store, (size_t) NPMTOKEN_SHORT_KEY_LEN, key, &name);
}


/* makes a record that only says that it cannot be used */

static ngx_int_t
ngx_http_npmtoken_reply_bad(ngx_http_npmtoken_reply_log_t *log, u_char *key,
    ngx_str_t *what, npmtoken_record_t **record)
{
    *record = ngx_calloc(npmtoken_record_size(NULL, 0), ngx_cycle->log);
    if (*record == NULL) {
        return NGX_ERROR;
    }

    (void) npmtoken_record_parse(*record, NULL, 0);

    (*record)->bad = 1;

    if (ngx_http_npmtoken_reply_was_logged(log, key, what)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": bad record of key %*s, by %V",
                  log->store, (size_t) NPMTOKEN_SHORT_KEY_LEN, key, what);

    return NGX_OK;
}


/*
 * Whether this fault of the record has been logged lately.  If not, the caller
 * logs it now.  A bearer can cause look-ups of a record as often as it likes.
 * "what" is NULL if the record is good: then the next fault is logged.
 */

static ngx_uint_t
ngx_http_npmtoken_reply_was_logged(ngx_http_npmtoken_reply_log_t *log,
    u_char *key, ngx_str_t *what)
{
    uint32_t                  hash;
    ngx_http_npmtoken_bad_t  *bad;

    hash = ngx_crc32_short(key, NPMTOKEN_SHORT_KEY_LEN);
    bad = &log->bad[hash % NGX_HTTP_NPMTOKEN_BAD_KEYS];

    hash = what ? ngx_crc32_long(what->data, what->len) : 0;

    if (ngx_memcmp(bad->key, key, NPMTOKEN_SHORT_KEY_LEN) == 0) {

        if (what == NULL) {
            bad->next = 0;

        } else if (ngx_time() < bad->next && hash == bad->what) {
            return 1;
        }
    }

    if (what) {
        bad->next = ngx_time() + NGX_HTTP_NPMTOKEN_BAD_PAUSE;
        bad->what = hash;
        ngx_memcpy(bad->key, key, NPMTOKEN_SHORT_KEY_LEN);
    }

    return 0;
}


void
ngx_http_npmtoken_reply_error(ngx_http_npmtoken_reply_log_t *log,
    redisReply *reply)
{
    ngx_str_t  code, words;

    ngx_http_npmtoken_codec_error(reply, &code);

    if (!npmtoken_outage_fail(&log->refused,
                              ngx_crc32_short(code.data, code.len),
                              ngx_current_msec))
    {
        return;
    }

    ngx_http_npmtoken_codec_words(reply, &words);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": redis answered \"%V\" (%V)%s",
                  log->store, &code, &words,
                  ngx_http_npmtoken_codec_advice(&code));
}


void
ngx_http_npmtoken_reply_works(ngx_http_npmtoken_reply_log_t *log)
{
    ngx_msec_t  lasted;

    if (npmtoken_outage_end(&log->refused, ngx_current_msec, &lasted)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "npmtoken_store \"%V\": redis answers look-ups again, "
                      "after %M.%03M s in which it refused %ui",
                      log->store, lasted / 1000, lasted % 1000,
                      log->refused.n);
    }
}
