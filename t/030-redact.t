# "npm logout" and "npm token revoke" put the token into the request line, and
# the request line into logs: there stands its short key instead.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::Util qw( read_file );

our $http = $ENV{TEST_NGINX_USE_HTTP2} ? 'HTTP/2.0' : 'HTTP/1.1';

our $key = token_key('npm_revealed');
our $short = short_key('npm_revealed');
our $base64 = short_key('c2VjcmV0/Zm9v==');

# after the request of that number nginx's own access log, which is in its
# format "combined", has as many lines, and no token

add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    my $lines = $block->combined // return;

    return if $index != $lines - 1;

    my $log;

    wait_for {
        $log = read_file("$ENV{TEST_NGINX_SERVROOT}/logs/access.log");
        ($log =~ tr/\n//) >= $lines;
    } 'the access log';

    like($log, qr/$::short/, $block->name . ' - the short key is in the log');
    unlike($log, qr/revealed|c2VjcmV0/, $block->name . ' - the token is not');
});

our $log = <<'_EOC_';
    log_format test escape=none '$request';
_EOC_

our $location = <<'_EOC_';
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
_EOC_

run_tests();

__DATA__

=== TEST 1: logout, in nginx's own format
--- tokens
npm_revealed     user=alice
c2VjcmV0/Zm9v==  user=alice
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
DELETE  /-/user/token/npm_revealed           npm_revealed     200 uri=/-/user/token/npm_revealed
DELETE  /-/user/token/c2VjcmV0/Zm9v==        c2VjcmV0/Zm9v==  200 uri=/-/user/token/c2VjcmV0/Zm9v==
DELETE  /-/user/token/c2VjcmV0%2FZm9v%3D%3D  c2VjcmV0/Zm9v==  200 uri=/-/user/token/c2VjcmV0%2FZm9v%3D%3D
DELETE  /-/user/token/npm_revealed           -                401 no_token
--- combined: 4
--- no_error_log
revealed
c2VjcmV0



=== TEST 2: logout, encoded or not
--- tokens
npm_revealed     user=alice
c2VjcmV0/Zm9v==  user=alice
--- http_config eval: $::log
--- config eval: $::location
--- cases
DELETE  /-/user/token/npm_revealed           npm_revealed     200
DELETE  /-/user/token/npm%5Frevealed         npm_revealed     200
DELETE  /-/user/token/%6epm_revealed         npm_revealed     200
DELETE  /-/user/token/npm_revealed?a=b       npm_revealed     200
DELETE  /-/user/token/c2VjcmV0/Zm9v==        c2VjcmV0/Zm9v==  200
DELETE  /-/user/token/c2VjcmV0%2FZm9v%3D%3D  c2VjcmV0/Zm9v==  200
DELETE  /-/user/token/c2VjcmV0%2fZm9v%3d%3d  c2VjcmV0/Zm9v==  200
--- test_lines eval
"DELETE /-/user/token/$::short $::http
DELETE /-/user/token/$::short $::http
DELETE /-/user/token/$::short $::http
DELETE /-/user/token/$::short?a=b $::http
DELETE /-/user/token/$::base64 $::http
DELETE /-/user/token/$::base64 $::http
DELETE /-/user/token/$::base64 $::http
"



=== TEST 3: a logout that is refused: neither log has the token
--- tokens
npm_revealed  user=alice protected=true
npm_readonly  user=alice readonly=true
--- http_config eval: $::log
--- config eval: $::location
--- cases
DELETE  /-/user/token/npm_revealed    npm_revealed  403 protected
DELETE  /-/user/token/npm_revealed    npm_readonly  403 readonly
DELETE  /-/user/token/npm_revealed    -             401 no_token
DELETE  /-/user/token/npm%5frevealed  npm_other     401 unknown
--- test_lines eval
"DELETE /-/user/token/$::short $::http
DELETE /-/user/token/$::short $::http
DELETE /-/user/token/$::short $::http
DELETE /-/user/token/$::short $::http
"
--- error_log eval
qr/npmtoken denied: protected, .*, request: "DELETE \/-\/user\/token\/$::short /
--- no_error_log
revealed



=== TEST 4: token revoke, by a token and by a key, which is no secret
--- tokens
npm_full      user=alice
npm_readonly  user=alice readonly=true
--- http_config eval: $::log
--- config eval: $::location
--- cases eval
qq{DELETE  /-/npm/v1/tokens/token/npm_revealed          npm_full      200
DELETE  /-/npm/v1/tokens/token/npm%5Frevealed        npm_full      200
DELETE  /-/npm/v1/tokens/token/npm_revealed          npm_readonly  403 readonly
DELETE  /-/npm/v1/tokens/token/$::key  npm_full      200
DELETE  /-/npm/v1/tokens/token/} . uc($::key) . qq{  npm_full      200
DELETE  /-/npm/v1/tokens/token/} . substr($::key, 1) . qq{  npm_full      200
}
--- test_lines eval
"DELETE /-/npm/v1/tokens/token/$::short $::http
DELETE /-/npm/v1/tokens/token/$::short $::http
DELETE /-/npm/v1/tokens/token/$::short $::http
DELETE /-/npm/v1/tokens/token/$::short $::http
DELETE /-/npm/v1/tokens/token/" . short_key(uc $::key) . " $::http
DELETE /-/npm/v1/tokens/token/" . short_key(substr $::key, 1) . " $::http
"
--- no_error_log
revealed



=== TEST 5: other methods, below a base, twice below it, and in odd spellings
--- tokens
npm_full  user=alice
--- http_config eval: $::log
--- config eval: $::location
--- cases
PUT      /-/user/token/npm_revealed                     npm_full  200
POST     /-/user/token/npm_revealed                     npm_full  200
PATCH    /-/user/token/npm_revealed                     npm_full  200
OPTIONS  /-/user/token/npm_revealed                     npm_full  200
DELETE   /npm/-/user/token/npm_revealed                 npm_full  200
DELETE   /npm/npm/-/user/token/npm_revealed             npm_full  200
DELETE   /npm/npm/-/npm/v1/tokens/token/npm_revealed    npm_full  200
DELETE   //-/user/token/npm_revealed                    npm_full  200
DELETE   /-/user//token/npm_revealed                    npm_full  200
DELETE   /-/user/./token/npm_revealed                   npm_full  200
DELETE   /-/user/x/../token/npm_revealed                npm_full  200
DELETE   /%2D/user/token/npm_revealed                   npm_full  200
DELETE   /-/user/%74oken/npm_revealed                   npm_full  200
DELETE   /-/user%2ftoken%2Fnpm_revealed                 npm_full  200
DELETE   /-/USER/Token/npm_revealed                     npm_full  200
DELETE   /-/user/token;x/npm_revealed                   npm_full  200
--- test_lines eval
"PUT /-/user/token/$::short $::http
POST /-/user/token/$::short $::http
PATCH /-/user/token/$::short $::http
OPTIONS /-/user/token/$::short $::http
DELETE /npm/-/user/token/$::short $::http
DELETE /npm/npm/-/user/token/$::short $::http
DELETE /npm/npm/-/npm/v1/tokens/token/$::short $::http
DELETE //-/user/token/$::short $::http
DELETE /-/user//token/$::short $::http
DELETE /-/user/./token/$::short $::http
DELETE /-/user/x/../token/$::short $::http
DELETE /%2D/user/token/$::short $::http
DELETE /-/user/%74oken/$::short $::http
DELETE /-/user%2ftoken%2F$::short $::http
DELETE /-/USER/Token/$::short $::http
DELETE /-/user/token;x/$::short $::http
"
--- no_error_log
revealed



=== TEST 6: what is hidden though it is no token, and what is not
--- tokens
npm_full  user=alice
--- http_config eval: $::log
--- config eval: $::location
--- cases
DELETE  /-/user/token/npm_revealed/x    npm_full  200
DELETE  /-/user/token//npm_revealed     npm_full  200
DELETE  /-/user/token                   npm_full  200
DELETE  /-/user/token/                  npm_full  200
DELETE  /token/-rev/1                   npm_full  200
DELETE  /pkg/-rev/1                     npm_full  200
PUT     /tokens                         npm_full  200
POST    /-/npm/v1/tokens                npm_full  200
PUT     /-/user/org.couchdb.user:alice  -         200
PUT     /token/token                    npm_full  200
--- test_lines eval
"DELETE /-/user/token/" . short_key('npm_revealed/x') . " $::http
DELETE /-/user/token/" . short_key('/npm_revealed') . " $::http
DELETE /-/user/token $::http
DELETE /-/user/token/ $::http
DELETE /token/-rev/1 $::http
DELETE /pkg/-rev/1 $::http
PUT /tokens $::http
POST /-/npm/v1/tokens $::http
PUT /-/user/org.couchdb.user:alice $::http
PUT /token/token $::http
"



=== TEST 7: absolute-form
--- no_http2
--- tokens
npm_revealed  user=alice
--- http_config eval: $::log
--- config eval: $::location
--- cases
DELETE  http://localhost/-/user/token/npm_revealed  npm_revealed  200
--- test_lines eval
"DELETE http://localhost/-/user/token/$::short HTTP/1.1
"
--- no_error_log
revealed



=== TEST 8: where nothing is enforced
--- http_config eval: $::log
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken off;
        proxy_pass http://registry;
    }
--- cases
DELETE  /-/user/token/npm_revealed            npm_revealed  200
DELETE  /-/npm/v1/tokens/token/npm_revealed   npm_revealed  200
--- test_lines eval
"DELETE /-/user/token/$::short $::http
DELETE /-/npm/v1/tokens/token/$::short $::http
"



=== TEST 9: in the lines that other modules log
--- tokens
npm_revealed  user=alice
--- http_config
    limit_req_zone $npmtoken_key zone=tokens:1m rate=1r/m;
--- config
    location / {
        npmtoken main;
        limit_req zone=tokens;
        limit_req_status 429;
        proxy_pass http://registry;
    }
    location /denied/ {
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request eval
["DELETE /-/user/token/npm_revealed", "DELETE /-/user/token/npm_revealed",
 "DELETE /denied/-/user/token/npm_revealed"]
--- more_headers
Authorization: Bearer npm_revealed
--- error_code eval
[200, 429, 403]
--- no_error_log
revealed
--- combined: 3



=== TEST 10: ... which are there
--- tokens
npm_revealed  user=alice
--- config
    location / {
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request
DELETE /-/user/token/npm_revealed
--- more_headers
Authorization: Bearer npm_revealed
--- error_code: 403
--- error_log eval
qr/access forbidden by rule, .*, request: "DELETE \/-\/user\/token\/$::short /
--- no_error_log
revealed



=== TEST 11: a very long token
--- http_config eval
"    large_client_header_buffers 4 16k;\n" . $::log
--- config eval: $::location
--- cases eval
'DELETE  /-/user/token/' . 'a' x 5000 . "  -  401 no_token\n"
--- test_lines eval
'DELETE /-/user/token/' . short_key('a' x 5000) . " $::http\n"
--- no_error_log
aaaaaaaaa



=== TEST 12: a bad request with the token in its line
--- no_http2
--- tokens
npm_revealed  user=alice
--- http_config eval: $::log
--- config eval: $::location
--- raw_request eval
"DELETE /-/user/token/npm_revealed HTTP/1.1\r\nHost: localhost\r\n"
. "Authorization: Bearer npm_revealed\r\nTransfer-Encoding: chunked\r\n"
. "Connection: close\r\n\r\nnonsense\r\n"
--- error_code_like: ^(?:200|400)$
--- no_error_log
revealed
--- test_lines eval
"DELETE /-/user/token/$::short HTTP/1.1
"



=== TEST 13: in Referer, where npm 6 says what it was called with
--- tokens
npm_revealed  user=alice
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request eval
["GET /-/npm/v1/tokens", "DELETE /-/npm/v1/tokens/token/npm_revealed"]
--- more_headers
Authorization: Bearer npm_revealed
Referer: token revoke npm_revealed
--- error_code eval
[200, 200]
--- no_error_log
revealed
--- combined: 2



=== TEST 14: ... and of which the rest stays
--- tokens
npm_full  user=alice
--- http_config
    log_format test escape=none '$http_referer';
--- config eval: $::location
--- request eval
["GET /one", "GET /two", "GET /three"]
--- more_headers eval
my $bearer = "Authorization: Bearer npm_full\n";
["${bearer}Referer: token revoke npm_revealed\n",
 "${bearer}Referer: token list\n",
 "${bearer}Referer: publish of a token list here\n"]
--- error_code eval
[200, 200, 200]
--- test_lines
token revoke
token list
publish of a token list here
