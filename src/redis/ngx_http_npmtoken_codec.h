
/*
 * RESP2 on the wire, by hiredis' formatter and reader, with the limits that
 * hiredis' reader does not have: it buffers whatever comes, allocates what
 * an array's header asks for, and from 1.x on nests without end.
 *
 * hiredis 0.14 and 1.x.
 */


#ifndef _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>


/* bytes of what Redis said, in a line of the log */
#define NGX_HTTP_NPMTOKEN_MAX_WORDS  128


typedef struct {
    ngx_uint_t            argc;
    ngx_str_t            *argv;
} ngx_http_npmtoken_command_t;


/* arrays within arrays, the outermost counted */
#define NGX_HTTP_NPMTOKEN_MAX_DEPTH  3


typedef struct {
    redisReader          *reader;      /* has what is kept of the reply */
    u_char               *pos;         /* of what was fed: not yet read */
    u_char               *last;

    size_t                max_reply;   /* bytes */
    ngx_uint_t            max_elements;
    size_t                max_skip;    /* bytes */

    /* of the reply that is being read */
    uint64_t              size;        /* bytes that have been read */
    ngx_uint_t            state;
    ngx_uint_t            depth;       /* arrays around what is being read */
    uint64_t              left[NGX_HTTP_NPMTOKEN_MAX_DEPTH];
                                       /* elements to come of each */
    uint64_t              rest;        /* bytes to come of a string */
    uint64_t              number;      /* of a length */
    ngx_uint_t            digits;
    unsigned              minus:1;
    unsigned              cr:1;        /* the last byte of a line was one */
    unsigned              skipping:1;  /* it is over a limit */
    unsigned              lost:1;      /* and its end will not be found */
} ngx_http_npmtoken_codec_t;


/*
 * "max_reply" is the most bytes that one reply may have, "max_elements" the
 * most elements of an array in it.  A reply over these is read to its end and
 * not kept, if it has at most "max_skip" bytes; so with 0 none is.
 * Returns NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_http_npmtoken_codec_init(ngx_http_npmtoken_codec_t *codec,
    size_t max_reply, ngx_uint_t max_elements, size_t max_skip);

/* may be called twice */
void ngx_http_npmtoken_codec_done(ngx_http_npmtoken_codec_t *codec);

/*
 * Bytes that have come.  They have to stay where they are, and no others may
 * be fed, until ngx_http_npmtoken_codec_next() has returned NGX_AGAIN.
 */
void ngx_http_npmtoken_codec_feed(ngx_http_npmtoken_codec_t *codec,
    u_char *data, size_t len);

/*
 * NGX_OK: a whole reply, to be freed with freeReplyObject().
 * NGX_AGAIN: more bytes are needed.
 * NGX_DECLINED: a reply over a limit, which was skipped.
 * NGX_ABORT: the reply is over a limit, and is not skipped: codec->lost is set
 * as soon as that is known.
 * NGX_ERROR: this is not RESP2, or there is no memory.
 * After the last two only ngx_http_npmtoken_codec_done() may follow.
 */
ngx_int_t ngx_http_npmtoken_codec_next(ngx_http_npmtoken_codec_t *codec,
    redisReply **reply);

/*
 * A command in RESP, to be freed with redisFreeCommand().
 * Returns its length, or NGX_ERROR (no memory).
 */
ssize_t ngx_http_npmtoken_codec_format(ngx_http_npmtoken_command_t *command,
    char **resp);

/*
 * The code of an error reply, the one part of it that is safe to log:
 * "LOADING", "NOPERM"; "ERR" where it has none.
 */
void ngx_http_npmtoken_codec_error(redisReply *reply, ngx_str_t *code);

/*
 * What an error reply says behind its code, as far as it is safe to log: up
 * to NGX_HTTP_NPMTOKEN_MAX_WORDS bytes of plain text, and nothing of what it
 * repeats of a command, since that may be a password or a key.  Points into
 * the reply; "nothing else" if nothing is left.  Not for the reply to AUTH.
 */
void ngx_http_npmtoken_codec_words(redisReply *reply, ngx_str_t *words);

/* What to do about an error of this code, as the end of a sentence, or "". */
char *ngx_http_npmtoken_codec_advice(ngx_str_t *code);

/*
 * The value of a line "name:value" in a reply to INFO.  Points into the
 * reply.  NGX_OK, or NGX_DECLINED if there is no such line.
 */
ngx_int_t ngx_http_npmtoken_codec_info(redisReply *reply, char *name,
    ngx_str_t *value);


#endif /* _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_ */
