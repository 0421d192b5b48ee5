
/*
 * The limits work by hiredis' own table of object functions: ours is a copy
 * of it in which the function that makes an array looks at the header first.
 * A refused array makes the reader fail for good, as out of memory would; the
 * flag behind the reader's private data tells the two apart.
 */


#include "ngx_http_npmtoken_codec.h"


#define NGX_HTTP_NPMTOKEN_MAX_DEPTH     3

#define NGX_HTTP_NPMTOKEN_MAX_ARGS  64


#if (HIREDIS_MAJOR >= 1)
typedef size_t  ngx_http_npmtoken_elements_t;
#else
typedef int     ngx_http_npmtoken_elements_t;
#endif


static void *ngx_http_npmtoken_codec_array(const redisReadTask *task,
    ngx_http_npmtoken_elements_t elements);


/* how hiredis makes the objects of a reply; set before the first use */

static redisReplyObjectFunctions  ngx_http_npmtoken_codec_default;
static redisReplyObjectFunctions  ngx_http_npmtoken_codec_limited;


ngx_int_t
ngx_http_npmtoken_codec_init(ngx_http_npmtoken_codec_t *codec,
    size_t max_reply, ngx_uint_t max_elements)
{
    redisReader  *reader;

    reader = redisReaderCreate();
    if (reader == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_npmtoken_codec_default.createArray == NULL) {
        ngx_http_npmtoken_codec_default = *reader->fn;
        ngx_http_npmtoken_codec_limited = *reader->fn;
        ngx_http_npmtoken_codec_limited.createArray =
                                                ngx_http_npmtoken_codec_array;
    }

    reader->fn = &ngx_http_npmtoken_codec_limited;
    reader->privdata = codec;

    codec->reader = reader;
    codec->unread = 0;
    codec->max_reply = max_reply;
    codec->max_elements = max_elements;
    codec->over = 0;

    return NGX_OK;
}


void
ngx_http_npmtoken_codec_done(ngx_http_npmtoken_codec_t *codec)
{
    if (codec->reader) {
        redisReaderFree(codec->reader);
        codec->reader = NULL;
    }
}


static void *
ngx_http_npmtoken_codec_array(const redisReadTask *task,
    ngx_http_npmtoken_elements_t elements)
{
    ngx_uint_t                  depth;
    const redisReadTask        *parent;
    ngx_http_npmtoken_codec_t  *codec;

    codec = task->privdata;
    depth = 1;

    for (parent = task->parent; parent; parent = parent->parent) {
        depth++;
    }

    if ((ngx_uint_t) elements > codec->max_elements
        || depth > NGX_HTTP_NPMTOKEN_MAX_DEPTH)
    {
        codec->over = 1;
        return NULL;
    }

    return ngx_http_npmtoken_codec_default.createArray(task, elements);
}


ngx_int_t
ngx_http_npmtoken_codec_feed(ngx_http_npmtoken_codec_t *codec, u_char *data,
    size_t len)
{
    if (redisReaderFeed(codec->reader, (char *) data, len) != REDIS_OK) {
        return NGX_ERROR;
    }

    codec->unread += len;

    return NGX_OK;
}


ngx_int_t
ngx_http_npmtoken_codec_next(ngx_http_npmtoken_codec_t *codec,
    redisReply **reply)
{
    int           rc;
    void         *object;
    size_t        rest;
    redisReader  *reader;

    reader = codec->reader;
    object = NULL;

    rc = redisReaderGetReply(reader, &object);

    if (rc != REDIS_OK) {
        return codec->over ? NGX_DECLINED : NGX_ERROR;
    }

    if (object == NULL) {
        return codec->unread > codec->max_reply ? NGX_DECLINED : NGX_AGAIN;
    }

    rest = reader->len - reader->pos;

    if (codec->unread - rest > codec->max_reply) {

        /* how it was cut into reads must not decide */

        freeReplyObject(object);
        return NGX_DECLINED;
    }

    codec->unread = rest;
    *reply = object;

    return NGX_OK;
}


ssize_t
ngx_http_npmtoken_codec_format(ngx_http_npmtoken_command_t *command,
    char **resp)
{
    size_t        lens[NGX_HTTP_NPMTOKEN_MAX_ARGS];
    ssize_t       n;
    ngx_uint_t    i;
    const char   *args[NGX_HTTP_NPMTOKEN_MAX_ARGS];

    if (command->argc > NGX_HTTP_NPMTOKEN_MAX_ARGS) {
        return NGX_ERROR;
    }

    for (i = 0; i < command->argc; i++) {
        args[i] = (char *) command->argv[i].data;
        lens[i] = command->argv[i].len;
    }

    n = redisFormatCommandArgv(resp, command->argc, args, lens);

    return n < 0 ? NGX_ERROR : n;
}


void
ngx_http_npmtoken_codec_error(redisReply *reply, ngx_str_t *code)
{
    size_t  i;

    for (i = 0; i < (size_t) reply->len; i++) {
        if (reply->str[i] < 'A' || reply->str[i] > 'Z') {
            break;
        }
    }

    if (i == 0) {
        ngx_str_set(code, "ERR");
        return;
    }

    code->data = (u_char *) reply->str;
    code->len = i;
}
