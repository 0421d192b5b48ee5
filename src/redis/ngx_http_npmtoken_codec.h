
/*
 * RESP on the wire, by hiredis' formatter and reader, with the limits that
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


typedef struct {
    ngx_uint_t            argc;
    ngx_str_t            *argv;
} ngx_http_npmtoken_command_t;


typedef struct {
    redisReader          *reader;
    size_t                unread;      /* bytes fed since the last reply */
    size_t                max_reply;   /* bytes */
    ngx_uint_t            max_elements;
    ngx_uint_t            over;        /* a limit was passed */
} ngx_http_npmtoken_codec_t;


/*
 * "max_reply" is the most bytes that one reply may have, "max_elements" the
 * most elements of an array in it.  Returns NGX_OK or NGX_ERROR (no memory).
 * The codec must not be moved while it is in use.
 */
ngx_int_t ngx_http_npmtoken_codec_init(ngx_http_npmtoken_codec_t *codec,
    size_t max_reply, ngx_uint_t max_elements);

/* may be called twice */
void ngx_http_npmtoken_codec_done(ngx_http_npmtoken_codec_t *codec);

/* Returns NGX_OK or NGX_ERROR (no memory). */
ngx_int_t ngx_http_npmtoken_codec_feed(ngx_http_npmtoken_codec_t *codec,
    u_char *data, size_t len);

/*
 * NGX_OK: a whole reply, to be freed with freeReplyObject().
 * NGX_AGAIN: more bytes are needed.
 * NGX_DECLINED: the reply is over a limit; the rest of it cannot be skipped.
 * NGX_ERROR: this is not RESP, or there is no memory.
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


#endif /* _NGX_HTTP_NPMTOKEN_CODEC_H_INCLUDED_ */
