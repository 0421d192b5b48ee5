
/*
 * RESP2 on the wire, by the formatter and the reader of hiredis, with limits
 * that its reader does not have.  That reader buffers whatever comes,
 * allocates what an array's header asks for, and from 1.x on nests without
 * limit.
 *
 * Works with hiredis 0.14 and 1.x.
 */


#ifndef _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>


/* most bytes of Redis's words in a line of the log */
#define NGX_HTTP_NPMTOKEN_MAX_WORDS  128


typedef struct {
    ngx_uint_t            argc;
    ngx_str_t            *argv;
} ngx_http_npmtoken_command_t;


/* most levels of nested arrays, including the outermost */
#define NGX_HTTP_NPMTOKEN_MAX_DEPTH  3


typedef struct {
    redisReader          *reader;      /* the kept part of a reply */
    u_char               *pos;         /* the bytes fed and not yet read */
    u_char               *last;

    size_t                max_reply;   /* bytes */
    ngx_uint_t            max_elements;
    size_t                max_skip;    /* bytes */

    /* of the reply that is being read */
    uint64_t              size;        /* bytes read so far */
    ngx_uint_t            state;
    ngx_uint_t            depth;       /* arrays around what is being read */
    uint64_t              left[NGX_HTTP_NPMTOKEN_MAX_DEPTH];
                                       /* elements left in each */
    uint64_t              rest;        /* bytes still to come of a string */
    uint64_t              number;      /* the value of a length */
    ngx_uint_t            digits;
    unsigned              minus:1;
    unsigned              cr:1;        /* the last byte of a line was a CR */
    unsigned              skipping:1;  /* the reply is over a limit */
    unsigned              lost:1;      /* and its end will not be found */
} ngx_http_npmtoken_codec_t;


/*
 * "max_reply" is the most bytes of one reply, "max_elements" the most elements
 * of an array in it.  A reply over these limits is read to its end and dropped
 * if it has at most "max_skip" bytes.  With 0 no reply is skipped.  Returns
 * NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_codec_init(ngx_http_npmtoken_codec_t *codec,
    size_t max_reply, ngx_uint_t max_elements, size_t max_skip);

/* Frees what the codec has.  It may be called twice. */
void ngx_http_npmtoken_codec_done(ngx_http_npmtoken_codec_t *codec);

/*
 * Hands over "len" received bytes.  The caller must leave them in place, and
 * must not feed others, until ngx_http_npmtoken_codec_next() has returned
 * NGX_AGAIN.
 */
void ngx_http_npmtoken_codec_feed(ngx_http_npmtoken_codec_t *codec,
    u_char *data, size_t len);

/*
 * Reads the next reply from the bytes that were fed.
 * NGX_OK: "reply" is a whole reply.  The caller frees it with
 * freeReplyObject().
 * NGX_AGAIN: more bytes are needed.
 * NGX_DECLINED: a reply was over a limit and has been skipped.
 * NGX_ABORT: the reply is over a limit and is not skipped.  codec->lost is set
 * as soon as that is known.
 * NGX_ERROR: this is not RESP2, or there is no memory.
 * After NGX_ABORT and NGX_ERROR, call only ngx_http_npmtoken_codec_done().
 */
ngx_int_t ngx_http_npmtoken_codec_next(ngx_http_npmtoken_codec_t *codec,
    redisReply **reply);

/*
 * Formats a command in RESP.  The caller frees "resp" with redisFreeCommand().
 * Returns its length in bytes, or NGX_ERROR (no memory).
 */
ssize_t ngx_http_npmtoken_codec_format(ngx_http_npmtoken_command_t *command,
    char **resp);

/*
 * The code of an error reply, such as "LOADING" or "NOPERM", or "ERR" if it
 * has none.  It is the one part of the reply that is safe to log as it is.
 */
void ngx_http_npmtoken_codec_error(redisReply *reply, ngx_str_t *code);

/*
 * The text of an error reply after its code, as far as it is safe to log: up
 * to NGX_HTTP_NPMTOKEN_MAX_WORDS bytes of plain text.  Parts of a command that
 * the reply repeats are left out, since they may be a password or a key.
 * "words" points into the reply, or is "nothing else" if nothing is left.  Do
 * not use this for the reply to AUTH.
 */
void ngx_http_npmtoken_codec_words(redisReply *reply, ngx_str_t *words);

/*
 * What to do about an error with this code, as the end of a sentence.  Returns
 * "" if there is no advice.
 */
char *ngx_http_npmtoken_codec_advice(ngx_str_t *code);

/*
 * The value of a line "name:value" in a reply to INFO.  "value" points into
 * the reply.  Returns NGX_OK, or NGX_DECLINED if there is no such line.
 */
ngx_int_t ngx_http_npmtoken_codec_info(redisReply *reply, char *name,
    ngx_str_t *value);


#endif /* _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_ */
