
/*
 * A scanner counts the bytes of a reply before hiredis gets them.  It knows
 * where in the reply they are, and a part over a limit never reaches hiredis.
 * hiredis reads a reply after all of it has come, and must find its end where
 * the scanner did.  If the two disagree, this is not RESP.
 */


#include "ngx_http_npmtoken_codec.h"


#define NGX_HTTP_NPMTOKEN_MAX_ARGS  64

/* most bytes of a word that is logged */
#define NGX_HTTP_NPMTOKEN_MAX_WORD  32

/* most digits of a length */
#define NGX_HTTP_NPMTOKEN_MAX_DIGITS  18

/* bytes of the shortest element, a status without a text */
#define NGX_HTTP_NPMTOKEN_MIN_ELEMENT  3


/* what the scanner is reading */

enum {
    NGX_HTTP_NPMTOKEN_SCAN_TYPE = 0,   /* the first byte of an element */
    NGX_HTTP_NPMTOKEN_SCAN_LINE,
    NGX_HTTP_NPMTOKEN_SCAN_BULK,       /* the length of a string */
    NGX_HTTP_NPMTOKEN_SCAN_ARRAY,      /* the length of an array */
    NGX_HTTP_NPMTOKEN_SCAN_BYTES       /* a string and the end of its line */
};


static ngx_int_t ngx_http_npmtoken_codec_scan(
    ngx_http_npmtoken_codec_t *codec);
static ngx_int_t ngx_http_npmtoken_codec_type(
    ngx_http_npmtoken_codec_t *codec, u_char ch);
static ngx_int_t ngx_http_npmtoken_codec_line(
    ngx_http_npmtoken_codec_t *codec, u_char ch);
static ngx_int_t ngx_http_npmtoken_codec_digit(
    ngx_http_npmtoken_codec_t *codec, u_char ch);
static ngx_int_t ngx_http_npmtoken_codec_length(
    ngx_http_npmtoken_codec_t *codec);
static ngx_int_t ngx_http_npmtoken_codec_bytes(
    ngx_http_npmtoken_codec_t *codec);
static ngx_int_t ngx_http_npmtoken_codec_element(
    ngx_http_npmtoken_codec_t *codec);
static ngx_int_t ngx_http_npmtoken_codec_fits(
    ngx_http_npmtoken_codec_t *codec, uint64_t size);
static ngx_int_t ngx_http_npmtoken_codec_over(
    ngx_http_npmtoken_codec_t *codec, uint64_t size);
static ngx_int_t ngx_http_npmtoken_codec_read(
    ngx_http_npmtoken_codec_t *codec, redisReply **reply);


ngx_int_t
ngx_http_npmtoken_codec_init(ngx_http_npmtoken_codec_t *codec,
    size_t max_reply, ngx_uint_t max_elements, size_t max_skip)
{
    ngx_memzero(codec, sizeof(ngx_http_npmtoken_codec_t));

    codec->max_reply = max_reply;
    codec->max_elements = max_elements;
    codec->max_skip = max_skip;

    codec->reader = redisReaderCreate();

    return codec->reader ? NGX_OK : NGX_ERROR;
}


void
ngx_http_npmtoken_codec_done(ngx_http_npmtoken_codec_t *codec)
{
    if (codec->reader) {
        redisReaderFree(codec->reader);
        codec->reader = NULL;
    }
}


void
ngx_http_npmtoken_codec_feed(ngx_http_npmtoken_codec_t *codec, u_char *data,
    size_t len)
{
    codec->pos = data;
    codec->last = data + len;
}


ngx_int_t
ngx_http_npmtoken_codec_next(ngx_http_npmtoken_codec_t *codec,
    redisReply **reply)
{
    u_char     *start;
    ngx_int_t   rc;

    start = codec->pos;

    rc = ngx_http_npmtoken_codec_scan(codec);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        codec->lost = (rc == NGX_ABORT);
        return rc;
    }

    if (!codec->skipping && codec->pos > start
        && redisReaderFeed(codec->reader, (char *) start, codec->pos - start)
           != REDIS_OK)
    {
        return NGX_ERROR;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    codec->size = 0;

    if (codec->skipping) {
        codec->skipping = 0;
        return NGX_DECLINED;
    }

    return ngx_http_npmtoken_codec_read(codec, reply);
}


/* Returns NGX_OK if "pos" is just after a whole reply. */

static ngx_int_t
ngx_http_npmtoken_codec_scan(ngx_http_npmtoken_codec_t *codec)
{
    ngx_int_t  rc;

    while (codec->pos < codec->last) {

        switch (codec->state) {

        case NGX_HTTP_NPMTOKEN_SCAN_TYPE:
            rc = ngx_http_npmtoken_codec_type(codec, *codec->pos++);
            break;

        case NGX_HTTP_NPMTOKEN_SCAN_BYTES:
            rc = ngx_http_npmtoken_codec_bytes(codec);
            break;

        default: /* a line */
            rc = ngx_http_npmtoken_codec_line(codec, *codec->pos++);
            break;
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_npmtoken_codec_type(ngx_http_npmtoken_codec_t *codec, u_char ch)
{
    codec->cr = 0;
    codec->minus = 0;
    codec->digits = 0;
    codec->number = 0;

    switch (ch) {

    case '+':
    case '-':
    case ':':
        codec->state = NGX_HTTP_NPMTOKEN_SCAN_LINE;
        break;

    case '$':
        codec->state = NGX_HTTP_NPMTOKEN_SCAN_BULK;
        break;

    case '*':
        codec->state = NGX_HTTP_NPMTOKEN_SCAN_ARRAY;
        break;

    default:
        return NGX_ERROR;
    }

    return ngx_http_npmtoken_codec_fits(codec, ++codec->size);
}


static ngx_int_t
ngx_http_npmtoken_codec_line(ngx_http_npmtoken_codec_t *codec, u_char ch)
{
    ngx_int_t   rc;
    ngx_uint_t  end;

    rc = ngx_http_npmtoken_codec_fits(codec, ++codec->size);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    end = (codec->cr && ch == LF);

    if (codec->state != NGX_HTTP_NPMTOKEN_SCAN_LINE && !end) {
        return ngx_http_npmtoken_codec_digit(codec, ch);
    }

    codec->cr = (ch == CR);

    if (!end) {

        /* a line has no length that says where it ends */

        return codec->skipping ? NGX_ABORT : NGX_AGAIN;
    }

    if (codec->state == NGX_HTTP_NPMTOKEN_SCAN_LINE) {
        return ngx_http_npmtoken_codec_element(codec);
    }

    return ngx_http_npmtoken_codec_length(codec);
}


/* a length is digits, or "-1" for nil, followed by the end of the line */

static ngx_int_t
ngx_http_npmtoken_codec_digit(ngx_http_npmtoken_codec_t *codec, u_char ch)
{
    if (codec->cr) {
        return NGX_ERROR;
    }

    if (ch == CR && codec->digits) {
        codec->cr = 1;
        return NGX_AGAIN;
    }

    if (ch == '-' && !codec->minus && codec->digits == 0) {
        codec->minus = 1;
        return NGX_AGAIN;
    }

    if (ch < '0' || ch > '9'
        || codec->digits == NGX_HTTP_NPMTOKEN_MAX_DIGITS)
    {
        return NGX_ERROR;
    }

    codec->number = codec->number * 10 + (ch - '0');
    codec->digits++;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_npmtoken_codec_length(ngx_http_npmtoken_codec_t *codec)
{
    uint64_t  least;

    if (codec->minus) {
        return codec->number == 1 ? ngx_http_npmtoken_codec_element(codec)
                                  : NGX_ERROR;
    }

    if (codec->state == NGX_HTTP_NPMTOKEN_SCAN_BULK) {
        codec->rest = codec->number + 2;
        codec->state = NGX_HTTP_NPMTOKEN_SCAN_BYTES;

        return ngx_http_npmtoken_codec_fits(codec, codec->size + codec->rest);
    }

    if (codec->number == 0) {
        return ngx_http_npmtoken_codec_element(codec);
    }

    if (codec->depth == NGX_HTTP_NPMTOKEN_MAX_DEPTH) {
        return NGX_ABORT;
    }

    codec->left[codec->depth++] = codec->number;
    codec->state = NGX_HTTP_NPMTOKEN_SCAN_TYPE;

    least = codec->size + codec->number * NGX_HTTP_NPMTOKEN_MIN_ELEMENT;

    if (!codec->skipping && codec->number > codec->max_elements) {
        return ngx_http_npmtoken_codec_over(codec, least);
    }

    return ngx_http_npmtoken_codec_fits(codec, least);
}


static ngx_int_t
ngx_http_npmtoken_codec_bytes(ngx_http_npmtoken_codec_t *codec)
{
    size_t  n;

    n = ngx_min((uint64_t) (codec->last - codec->pos), codec->rest);

    codec->pos += n;
    codec->size += n;
    codec->rest -= n;

    return codec->rest ? NGX_AGAIN : ngx_http_npmtoken_codec_element(codec);
}


/* an element ends; this also ends each array whose last element it is */

static ngx_int_t
ngx_http_npmtoken_codec_element(ngx_http_npmtoken_codec_t *codec)
{
    codec->state = NGX_HTTP_NPMTOKEN_SCAN_TYPE;

    while (codec->depth) {

        if (--codec->left[codec->depth - 1]) {
            return NGX_AGAIN;
        }

        codec->depth--;
    }

    return NGX_OK;
}


/* "size" is the least number of bytes that the reply will have */

static ngx_int_t
ngx_http_npmtoken_codec_fits(ngx_http_npmtoken_codec_t *codec, uint64_t size)
{
    if (size <= (codec->skipping ? codec->max_skip : codec->max_reply)) {
        return NGX_AGAIN;
    }

    return ngx_http_npmtoken_codec_over(codec, size);
}


/* what hiredis has of this reply is dropped; the rest is not given to it */

static ngx_int_t
ngx_http_npmtoken_codec_over(ngx_http_npmtoken_codec_t *codec, uint64_t size)
{
    if (size > codec->max_skip) {
        return NGX_ABORT;
    }

    redisReaderFree(codec->reader);

    codec->reader = redisReaderCreate();
    codec->skipping = 1;

    return codec->reader ? NGX_AGAIN : NGX_ERROR;
}


static ngx_int_t
ngx_http_npmtoken_codec_read(ngx_http_npmtoken_codec_t *codec,
    redisReply **reply)
{
    void  *object;

    object = NULL;

    if (redisReaderGetReply(codec->reader, &object) != REDIS_OK
        || object == NULL)
    {
        return NGX_ERROR;
    }

    if (codec->reader->pos != codec->reader->len) {
        freeReplyObject(object);
        return NGX_ERROR;
    }

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


/*
 * "unknown command 'AUTH', with args beginning with: ..." repeats arguments,
 * so the text ends before them.  It also ends before a word that is too long
 * for a word of a language, such as the name of a record.
 */

void
ngx_http_npmtoken_codec_words(redisReply *reply, ngx_str_t *words)
{
    size_t      i, len, word;
    u_char      ch, *p;
    ngx_str_t   code;

    static u_char  args[] = ", with args";

    ngx_http_npmtoken_codec_error(reply, &code);

    p = (u_char *) reply->str;
    len = reply->len;

    if (code.data == p) {
        p += code.len;
        len -= code.len;
    }

    while (len && *p == ' ') {
        p++;
        len--;
    }

    len = ngx_min(len, NGX_HTTP_NPMTOKEN_MAX_WORDS);
    word = 0;

    for (i = 0; i < len; i++) {
        ch = p[i];

        if (ch == ' ') {
            word = i + 1;
            continue;
        }

        if (ngx_strncmp(p + i, args, sizeof(args) - 1) == 0) {
            break;
        }

        if (i - word >= NGX_HTTP_NPMTOKEN_MAX_WORD
            || ((ch < '0' || ch > '9')
                && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
                && (ch == '\0'
                    || ngx_strchr("'`.,:;()|/_-*", ch) == NULL)))
        {
            i = word;
            break;
        }
    }

    while (i && p[i - 1] == ' ') {
        i--;
    }

    if (i == 0) {
        ngx_str_set(words, "nothing else");
        return;
    }

    words->data = p;
    words->len = i;
}


char *
ngx_http_npmtoken_codec_advice(ngx_str_t *code)
{
    ngx_uint_t  i;

    static char  *advice[][2] = {
        { "NOPERM", ": give its user the rights that \"Redis users\" in "
                    "docs/redis.md lists, as \"npmtokenctl init\" does" },
        { "NOAUTH", ": give its password by \"redis_password_file\"" },
        { "CROSSSLOT", ": this is a Redis Cluster, where the prefix needs a "
                       "hash tag: prefix \"{npmtoken}:\";" },
        { "CLUSTERDOWN", ": this is a Redis Cluster in which no node has the "
                         "slot of the prefix" },
        { "MOVED", ": another node of the Redis Cluster has the slot of the "
                   "prefix, which only a \"redis-cluster://\" URL follows" },
        { "ASK", ": the slot of the prefix is being moved, which only a "
                 "\"redis-cluster://\" URL follows" },
        { "TRYAGAIN", ": the slot of the prefix is being moved to another "
                      "node" },
        { "READONLY", ": this is a replica, only its master accepts changes" },
        { "OOM", ": it is full" },
        { "MISCONF", ": it cannot save" }
    };

    for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
        if (code->len == ngx_strlen(advice[i][0])
            && ngx_strncmp(code->data, advice[i][0], code->len) == 0)
        {
            return advice[i][1];
        }
    }

    return "";
}


ngx_int_t
ngx_http_npmtoken_codec_info(redisReply *reply, char *name, ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *end, *last;

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_DECLINED;
    }

    len = ngx_strlen(name);
    p = (u_char *) reply->str;
    last = p + reply->len;

    while (p < last) {
        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > len && p[len] == ':'
            && ngx_strncmp(p, name, len) == 0)
        {
            value->data = p + len + 1;
            value->len = end - value->data;

            if (value->len && value->data[value->len - 1] == CR) {
                value->len--;
            }

            return NGX_OK;
        }

        p = end + 1;
    }

    return NGX_DECLINED;
}
