
/*
 * What a node of a Redis Cluster says of another one, and hash tags.
 */

#include "unit.h"
#include "ngx_http_npmtoken_cluster.h"
#include <stdio.h>


/* an error reply */

typedef struct {
    const char  *name;
    const char  *reply;
    const char  *to;       /* "MOVED|ASK host port", or "" */
} unit_case_t;


static unit_case_t  cases[] = {

    { "an address", "MOVED 3330 127.0.0.1:6381", "MOVED 127.0.0.1 6381" },
    { "an IPv6 address", "MOVED 3330 ::1:6381", "MOVED ::1 6381" },
    { "a name", "MOVED 1 redis-1.example:6381", "MOVED redis-1.example 6381" },
    { "no host", "MOVED 3330 :6381", "MOVED  6381" },
    { "an unknown host", "MOVED 3330 ?:6381", "MOVED  6381" },
    { "ASK", "ASK 3330 127.0.0.1:65535", "ASK 127.0.0.1 65535" },
    { "port 0", "MOVED 3330 127.0.0.1:0", "" },
    { "a port too large", "MOVED 3330 127.0.0.1:65536", "" },
    { "no number", "MOVED 3330 127.0.0.1:x", "" },
    { "a negative port", "MOVED 3330 127.0.0.1:-1", "" },
    { "an empty port", "MOVED 3330 127.0.0.1:", "" },
    { "no port", "MOVED 3330 localhost", "" },
    { "no place", "MOVED 3330", "" },
    { "nothing", "MOVED ", "" },
    { "the word", "MOVED", "" },
    { "another word", "MOVEDX 3330 127.0.0.1:6381", "" },
    { "ASKING", "ASKING 3330 127.0.0.1:6381", "" },
    { "another error", "ERR MOVED 3330 127.0.0.1:6381", "" },
    { "an empty error", "", "" }
};


static void
test_redirect(void **state)
{
    char                          text[128];
    redisReply                    reply;
    unit_case_t                  *c = *state;
    ngx_http_npmtoken_redirect_t  to;

    ngx_memzero(&reply, sizeof(redisReply));

    reply.type = REDIS_REPLY_ERROR;
    reply.str = strdup(c->reply);
    reply.len = strlen(c->reply);

    text[0] = '\0';

    if (ngx_http_npmtoken_cluster_redirect(&reply, &to) == NGX_OK) {
        (void) snprintf(text, sizeof(text), "%s %.*s %d",
                        to.ask ? "ASK" : "MOVED", (int) to.host.len,
                        to.host.data, (int) to.port);
    }

    assert_string_equal(text, c->to);

    /* the words alone are no error */

    reply.type = REDIS_REPLY_STRING;
    assert_int_equal(ngx_http_npmtoken_cluster_redirect(&reply, &to),
                     NGX_DECLINED);

    assert_int_equal(ngx_http_npmtoken_cluster_redirect(NULL, &to),
                     NGX_DECLINED);

    free(reply.str);
}


static void
unit_tag(char *text, ngx_uint_t has)
{
    ngx_str_t  name;

    name.data = (u_char *) text;
    name.len = strlen(text);

    assert_int_equal(ngx_http_npmtoken_cluster_hash_tag(&name), has);
}


static void
test_hash_tag(void **state)
{
    (void) state;

    unit_tag("{npmtoken}:", 1);
    unit_tag("n{t}:", 1);
    unit_tag("{{}:", 1);
    unit_tag("npmtoken:", 0);
    unit_tag("{}:", 0);
    unit_tag("{}{npmtoken}:", 0);
    unit_tag("{npmtoken:", 0);
    unit_tag("}npmtoken{:", 0);
    unit_tag("", 0);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hash_tag)
    };

    failed = unit_run("cluster: redirections", test_redirect, cases,
                      sizeof(cases[0]), unit_n(cases));

    failed += cmocka_run_group_tests_name("cluster", tests, NULL, NULL);

    return failed != 0;
}
