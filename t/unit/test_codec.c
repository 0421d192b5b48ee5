
/*
 * Replies of Redis, in pieces: what is within the limits is what hiredis reads
 * of it, what is over them is skipped, and whatever it was, the next reply is
 * the next reply.
 */

#include "unit.h"
#include "ngx_http_npmtoken_codec.h"
#include <stdio.h>


#define UNIT_REPLY     200
#define UNIT_ELEMENTS  8
#define UNIT_SKIP      5000


/* what becomes of a reply with ":7\r\n" behind it */

typedef struct {
    const char  *name;
    const char  *reply;
    const char  *text;     /* as unit_text() has it, or: "skipped", "lost",
                              "malformed" */
} unit_case_t;


/* a status is one line: from 1.0 on hiredis says so of a CR or an LF within */

#if (HIREDIS_MAJOR >= 1)
#define unit_line(text)  "malformed"
#else
#define unit_line(text)  text
#endif


#define N10   "1234567890"
#define N100  N10 N10 N10 N10 N10 N10 N10 N10 N10 N10
#define N190  N100 N10 N10 N10 N10 N10 N10 N10 N10 N10

static unit_case_t  cases[] = {

    { "status", "+OK\r\n", "+OK" },
    { "empty status", "+\r\n", "+" },
    { "error", "-ERR no\r\n", "-ERR no" },
    { "returns in a status", "+a\rb\r\r\n", unit_line("+a\rb\r") },
    { "line feed in a status", "+a\nb\r\n", unit_line("+a\nb") },
    { "integer", ":-12\r\n", ":-12" },
    { "string", "$5\r\nalice\r\n", "alice" },
    { "empty string", "$0\r\n\r\n", "" },
    { "line ends in a string", "$4\r\n\r\n\r\n\r\n", "\r\n\r\n" },
    { "nil", "$-1\r\n", "nil" },
    { "nil array", "*-1\r\n", "nil" },
    { "empty array", "*0\r\n", "[]" },
    { "array", "*2\r\n$1\r\na\r\n:1\r\n", "[a :1]" },
    { "empty array in an array", "*2\r\n*0\r\n$1\r\na\r\n", "[[] a]" },
    { "nil in an array", "*2\r\n$-1\r\n*-1\r\n", "[nil nil]" },
    { "the deepest", "*1\r\n*2\r\n*1\r\n:1\r\n:2\r\n", "[[[:1] :2]]" },
    { "as many elements as may be",
      "*8\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n",
      "[:1 :2 :3 :4 :5 :6 :7 :8]" },
    { "as many bytes as may be", "$192\r\n" N190 "ab\r\n", N190 "ab" },

    { "one byte more", "$193\r\n" N190 "abc\r\n", "skipped" },
    { "one element more",
      "*9\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n"
      "$1\r\n6\r\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n", "skipped" },
    { "many bytes in many", "*3\r\n$100\r\n" N100 "\r\n$100\r\n" N100
      "\r\n$1\r\na\r\n", "skipped" },
    { "many bytes at the end of arrays", "*1\r\n*2\r\n$1\r\na\r\n$193\r\n"
      N190 "abc\r\n", "skipped" },
    { "line ends in what is skipped", "*2\r\n$193\r\n" N190 "\r\n\r\r\n"
      "$2\r\n\r\n\r\n", "skipped" },
    { "nil in what is skipped", "*9\r\n$-1\r\n$-1\r\n$-1\r\n*-1\r\n*0\r\n"
      "$0\r\n\r\n$-1\r\n$-1\r\n$-1\r\n", "skipped" },

    { "a string that is too long to skip", "$4999\r\nabc", "lost" },
    { "too many elements to skip", "*1667\r\n", "lost" },
    { "the most elements", "*999999999999999999\r\n", "lost" },
    { "the longest string", "$999999999999999999\r\n", "lost" },
    { "a long string in what is skipped", "*9\r\n$4990\r\n", "lost" },
    { "many elements in what is skipped", "*9\r\n*1664\r\n", "lost" },
    { "too deep", "*1\r\n*1\r\n*1\r\n*1\r\n", "lost" },
    { "a long line", "+" N190 N190, "lost" },
    { "a long error", "-" N190 N190, "lost" },
    { "a line in what is skipped", "*9\r\n:1\r\n", "lost" },

    { "no type", "x", "malformed" },
    { "an end of line", "\r\n", "malformed" },
    { "RESP3", "%1\r\n$1\r\na\r\n$1\r\nb\r\n", "malformed" },
    { "no length", "$\r\n", "malformed" },
    { "no digit", "$-\r\n", "malformed" },
    { "negative", "$-2\r\n", "malformed" },
    { "negative array", "*-2\r\n", "malformed" },
    { "minus twice", "$--1\r\n", "malformed" },
    { "minus behind", "$1-\r\n", "malformed" },
    { "plus", "$+1\r\n", "malformed" },
    { "blank", "$ 1\r\n", "malformed" },
    { "letters", "*x\r\n", "malformed" },
    { "line feed alone", "$1\na\r\n", "malformed" },
    { "return in a length", "$1\r1\r\n", "malformed" },
    { "too many digits", "$1000000000000000000\r\n", "malformed" },
    { "no number", ":a\r\n", "malformed" }
};


static void
unit_text(char *text, redisReply *reply)
{
    size_t  i;

    text += strlen(text);

    switch (reply->type) {

    case REDIS_REPLY_ARRAY:
        strcpy(text, "[");

        for (i = 0; i < reply->elements; i++) {

            if (i) {
                strcat(text, " ");
            }

            unit_text(text, reply->element[i]);
        }

        strcat(text, "]");
        break;

    case REDIS_REPLY_INTEGER:
        sprintf(text, ":%lld", reply->integer);
        break;

    case REDIS_REPLY_NIL:
        strcpy(text, "nil");
        break;

    default:
        sprintf(text, "%s%s", reply->type == REDIS_REPLY_STATUS ? "+"
                              : reply->type == REDIS_REPLY_ERROR ? "-" : "",
                reply->str);
    }
}


/*
 * The replies that are read of "data" in pieces of "piece" bytes, each in a
 * line of "text".
 */

static void
unit_read(const char *data, size_t len, size_t piece, char *text)
{
    size_t                      i;
    ngx_int_t                   rc;
    ngx_str_t                   bytes;
    redisReply                 *reply;
    ngx_http_npmtoken_codec_t   codec;

    *text = '\0';

    assert_int_equal(ngx_http_npmtoken_codec_init(&codec, UNIT_REPLY,
                                                  UNIT_ELEMENTS, UNIT_SKIP),
                     NGX_OK);

    for (i = 0; i < len; i += piece) {

        /* hence nothing of an earlier piece is read */

        bytes = unit_bytes(data + i, ngx_min(piece, len - i));

        ngx_http_npmtoken_codec_feed(&codec, bytes.data, bytes.len);

        for ( ;; ) {
            rc = ngx_http_npmtoken_codec_next(&codec, &reply);

            if (rc == NGX_AGAIN) {
                break;
            }

            assert_int_equal(codec.lost, rc == NGX_ABORT);

            if (rc == NGX_OK) {
                unit_text(text, reply);
                freeReplyObject(reply);
            }

            strcat(text, rc == NGX_OK ? ""
                         : rc == NGX_DECLINED ? "skipped"
                         : rc == NGX_ABORT ? "lost" : "malformed");
            strcat(text, "\n");

            if (rc != NGX_OK && rc != NGX_DECLINED) {
                goto done;
            }
        }
    }

done:

    ngx_http_npmtoken_codec_done(&codec);
    ngx_http_npmtoken_codec_done(&codec);
}


static void
test_reply(void **state)
{
    char          data[2048], wanted[2048], text[2048];
    size_t        piece, len;
    unit_case_t  *c = *state;

    sprintf(data, "%s:7\r\n", c->reply);
    len = strlen(data);

    sprintf(wanted, strcmp(c->text, "lost") == 0
                    || strcmp(c->text, "malformed") == 0 ? "%s\n" : "%s\n:7\n",
            c->text);

    for (piece = 1; piece <= len; piece++) {
        unit_read(data, len, piece, text);
        assert_string_equal(text, wanted);
    }
}


/* all that go on, one behind another, in pieces of all lengths */

static void
test_pipeline(void **state)
{
    char          data[8192], wanted[8192], text[8192];
    size_t        i, piece, len;

    (void) state;

    *data = '\0';
    *wanted = '\0';

    for (i = 0; i < unit_n(cases); i++) {

        if (strcmp(cases[i].text, "lost") == 0
            || strcmp(cases[i].text, "malformed") == 0)
        {
            continue;
        }

        strcat(data, cases[i].reply);
        strcat(wanted, cases[i].text);
        strcat(wanted, "\n");
    }

    len = strlen(data);

    for (piece = 1; piece <= len; piece++) {
        unit_read(data, len, piece, text);
        assert_string_equal(text, wanted);
    }
}


/* a reply that never ends is given up at the limit, whatever it promised */

static void
test_endless(void **state)
{
    char    data[3 * UNIT_SKIP], text[64];
    size_t  len;

    (void) state;

    len = sprintf(data, "*1000\r\n");

    while (len < 2 * UNIT_SKIP) {
        len += sprintf(data + len, "$10\r\n" N10 "\r\n");
    }

    unit_read(data, len, 100, text);
    assert_string_equal(text, "lost\n");
}


/* no bytes make it read or write where it should not, or never come back */

static void
test_noise(void **state)
{
    char         data[64], text[2048];
    size_t       i, n, len;
    static char  alphabet[] = "$$**+:-0123\r\n\r\n\r\nab";

    (void) state;

    srandom(20261130);

    for (n = 0; n < 100000; n++) {
        len = random() % sizeof(data);

        for (i = 0; i < len; i++) {
            data[i] = alphabet[random() % (sizeof(alphabet) - 1)];
        }

        if (len) {
            unit_read(data, len, 1 + random() % len, text);
        }
    }
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_noise)
    };

    failed = unit_run("codec: replies", test_reply, cases, sizeof(cases[0]),
                      unit_n(cases));

    failed += cmocka_run_group_tests_name("codec", tests, NULL, NULL);

    return failed != 0;
}
