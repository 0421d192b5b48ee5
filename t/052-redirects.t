# Internal redirects of all kinds: each location judges what gets there, the
# record is looked up once, and the second location sees the right identity.
#
# A record that was looked up for one block is not asked for in another: each
# has a token of its own, so that what is cached does not matter.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::Util qw( read_file );

add_block_preprocessor(sub {
    redis('CONFIG', 'RESETSTAT');
});


# how many look-ups there were so far, as one more line of the body

sub and_lookups {
    return sub {
        my ($calls) = redis('INFO', 'commandstats')
            =~ /^cmdstat_hgetall:calls=(\d+)/m;

        return $_[0] . 'lookups: ' . ($calls // 0) . "\n";
    };
}


# what logs/verdicts.log got, as one more line of the body

sub and_verdicts {
    return sub {
        return $_[0] . wait_for {
            read_file("$ENV{TEST_NGINX_SERVROOT}/logs/verdicts.log");
        };
    };
}


run_tests();

__DATA__

=== TEST 1: try_files to a named location, both enforced: one look-up
--- tokens
npm_t1      user=alice
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        root html;
        try_files $uri @reg;
    }

    location @reg {
        proxy_pass http://registry;
    }
--- request
PUT /pkg
body
--- more_headers
Authorization: Bearer npm_t1
X-Npm-User: root
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry
lookups: 1



=== TEST 2: try_files to a named location that enforces nothing: the token stays here
--- tokens
npm_t2      user=alice
--- config
    npmtoken_identity X-Npm-User;

    location / {
        npmtoken main;
        root html;
        try_files $uri @reg;
    }

    location @reg {
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t2
X-Npm-User: root
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
GET /pkg
Authorization: 
X-Npm-User: 
Host: registry
lookups: 1



=== TEST 3: try_files to a named location that alone enforces
--- config
    location / {
        root html;
        try_files $uri @reg;
    }

    location @reg {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
PUT /pkg
body
--- no_http2
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 4: try_files to a path
--- tokens
npm_t4      user=alice
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        root html;
        try_files $uri /registry$uri;
    }

    location /registry/ {
        proxy_pass http://registry/;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t4
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
GET /pkg
Authorization: 
X-Npm-User: alice
Host: registry
lookups: 1



=== TEST 5: index: the file behind a directory
--- tokens
npm_t5      user=alice
--- config
    npmtoken main;

    location / {
        root html;
        index start.html;
    }
--- user_files
>>> dir/start.html
start
--- request
GET /dir/
--- more_headers
Authorization: Bearer npm_t5
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
start
lookups: 1



=== TEST 6: index: only the location of the file enforces
--- config
    location / {
        root html;
        index start.html;
    }

    location = /dir/start.html {
        npmtoken main;
        root html;
    }
--- user_files
>>> dir/start.html
start
--- request
GET /dir/
--- error_code: 401
--- response_body_like: "reason":"no_token"



=== TEST 7: X-Accel-Redirect to a location that enforces
--- tokens
npm_t7      user=alice
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/accel;

        location / {
            add_header X-Accel-Redirect /files$request_uri;
            return 200 "not this";
        }
    }
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        proxy_pass http://unix:$TEST_NGINX_DIR/accel;
    }

    location /files/ {
        internal;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t7
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
GET /files/pkg
Authorization: 
X-Npm-User: alice
Host: registry
lookups: 1
--- no_error_log
[alert]



=== TEST 8: X-Accel-Redirect from a location that does not, to one that does
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/accel;

        location / {
            add_header X-Accel-Redirect /files$request_uri;
            return 200 "not this";
        }
    }
--- config
    location / {
        proxy_pass http://unix:$TEST_NGINX_DIR/accel;
    }

    location /files/ {
        internal;
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
Content-Type: application/json
WWW-Authenticate: Bearer
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 9: X-Accel-Redirect to a named location: the notice of expiry once
--- tokens
npm_t9      user=alice expires_at=4000000000
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/accel;

        location / {
            add_header X-Accel-Redirect @named;
            return 200 "not this";
        }
    }
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;
    npmtoken_expiry_notice 1000000d;

    location / {
        proxy_pass http://unix:$TEST_NGINX_DIR/accel;
    }

    location @named {
        proxy_pass http://registry;
    }
--- request
PUT /pkg
body
--- more_headers
Authorization: Bearer npm_t9
--- error_code: 200
--- response_headers_like
npm-notice: Token \w{8} expires on 2096-10-02 07:06 UTC\.
--- raw_response_headers_unlike: (?is)npm-notice.*npm-notice
--- response_body_filters eval: main::and_lookups()
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry
lookups: 1



=== TEST 10: rewrite ... last, with both locations enforced
--- tokens
npm_t10     user=alice
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location /old/ {
        rewrite ^/old/(.*)$ /new/$1 last;
    }

    location /new/ {
        proxy_pass http://registry;
    }
--- request
GET /old/pkg
--- more_headers
Authorization: Bearer npm_t10
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
GET /new/pkg
Authorization: 
X-Npm-User: alice
Host: registry
lookups: 1



=== TEST 11: rewrite ... last, out of a location that is exempt
--- config
    npmtoken main;

    location /open/ {
        npmtoken off;
        rewrite ^/open/(.*)$ /new/$1 last;
    }

    location /new/ {
        proxy_pass http://registry;
    }
--- request
DELETE /open/pkg
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 12: rewrite cannot make a session of a write
--- config
    npmtoken main;

    location / {
        rewrite ^/pkg$ /-/v1/login break;
        proxy_pass http://registry;
    }
--- request
POST /pkg
x
--- no_http2
--- error_code: 401
--- response_headers
! X-Registry
--- error_log: operation: write



=== TEST 13: nor a read of one
--- config
    npmtoken main;
    npmtoken_anonymous read;

    location / {
        rewrite ^ /-/npm/v1/security/audits/quick break;
        proxy_pass http://registry;
    }
--- request
POST /pkg
x
--- no_http2
--- error_code: 401
--- response_headers
! X-Registry
--- error_log: operation: write



=== TEST 14: proxy_pass without a URI part: the path as it was sent
--- tokens
npm_t14     user=alice
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /@scope%2fpkg
--- more_headers
Authorization: Bearer npm_t14
--- error_code: 200
--- response_body_like: ^GET /\@scope%2fpkg



=== TEST 15: proxy_pass with a URI part, and npmtoken_base
--- tokens
npm_t15     user=alice
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry/;
    }
--- request
GET /npm/pkg
--- more_headers
Authorization: Bearer npm_t15
--- error_code: 200
--- response_body
GET /pkg
Authorization: 
X-Npm-User: alice
Host: registry



=== TEST 16: ... a session under the base passes
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://registry/;
    }
--- request
POST /npm/-/v1/login
{}
--- error_code: 200
--- response_body_like: ^POST /-/v1/login



=== TEST 17: ... and outside of it does not
--- config
    location / {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://registry;
    }
--- request
POST /-/v1/login
{}
--- no_http2
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 18: two stores in two locations of one request: both are asked
--- tokens
npm_t18     user=alice
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }

    npmtoken_store other {
        redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT;
        prefix other:;
    }
--- config
    npmtoken_identity X-Npm-User;

    location / {
        npmtoken main;
        root html;
        try_files $uri @reg;
    }

    location @reg {
        npmtoken other;
        proxy_pass http://registry;
    }
--- init
redis('HSET', 'other:token:' . token_key('npm_t18'), 'user', 'bob');
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t18
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
GET /pkg
Authorization: 
X-Npm-User: bob
Host: registry
lookups: 2



=== TEST 19: ... a record in one is unknown to the other
--- tokens
npm_t19     user=alice
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }

    npmtoken_store other {
        redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT;
        prefix other:;
    }
--- config
    location / {
        npmtoken main;
        root html;
        try_files $uri @reg;
    }

    location @reg {
        npmtoken other;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t19
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"unknown"



=== TEST 20: an unknown token, in two locations: one look-up
--- config
    npmtoken_unknown anonymous;
    npmtoken_anonymous read;
    npmtoken main;

    location / {
        root html;
        try_files $uri @reg;
    }

    location @reg {
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t20
--- error_code: 200
--- raw_response_headers_unlike: (?is)npm-notice.*npm-notice
--- response_headers_like
npm-notice: .+
--- response_body_filters eval: main::and_lookups()
--- response_body
GET /pkg
Authorization: 
X-Npm-User: 
Host: registry
lookups: 1



=== TEST 21: a read-only token: the second location does not take a write for less
--- tokens
npm_t21     user=alice readonly=true
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        root html;
        try_files $uri @reg;
    }

    location @reg {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- more_headers
Authorization: Bearer npm_t21
--- error_code: 403
--- response_headers
! X-Registry
--- response_body_filters eval: main::and_lookups()
--- response_body_like: "reason":"readonly".*lookups: 1



=== TEST 22: variables in the log are those of the last location that judged
--- tokens
npm_t22     user=alice readonly=true
--- http_config
    log_format verdicts '$npmtoken_verdict $npmtoken_user $npmtoken_readonly';
--- config
    access_log logs/verdicts.log verdicts;

    location / {
        npmtoken main;
        root html;
        try_files $uri @reg;
    }

    location @reg {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t22
--- error_code: 200
--- response_body_filters eval: main::and_verdicts()
--- response_body
GET /pkg
Authorization: 
X-Npm-User: alice
Host: registry
allow alice 1



=== TEST 23: a loop of redirects ends as it does without us
--- tokens
npm_t23     user=alice
--- config
    npmtoken main;

    location / {
        root html;
        try_files /nothing /again;
    }

    location = /again {
        root html;
        try_files /nothing /more;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_t23
--- error_code: 500
--- error_log: rewrite or internal redirection cycle
