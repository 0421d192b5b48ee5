# error_page: what an operator's pages replace, and that none of them is a
# way in.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

run_tests();

__DATA__

=== TEST 1: without npmtoken_intercept_errors our answer stands
--- config
    location / {
        npmtoken main;
        error_page 401 403 503 /sorry;
        proxy_pass http://registry;
    }

    location = /sorry {
        npmtoken off;
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



=== TEST 2: with it the page replaces the body, and our headers stay
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 401 /sorry;
        proxy_pass http://registry;
    }

    location = /sorry {
        npmtoken off;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
Cache-Control: no-store
X-Registry: yes
--- response_headers_like
npm-notice: .+
--- response_body_like: ^GET /sorry



=== TEST 3: with it, a page for another status changes nothing
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 403 404 /sorry;
        proxy_pass http://registry;
    }

    location = /sorry {
        npmtoken off;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
Content-Type: application/json
--- response_body_like: "reason":"no_token"



=== TEST 4: with it, no page at all changes nothing
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
Content-Type: application/json
--- response_body_like: "reason":"no_token"



=== TEST 5: with it, a page for a 503, in a file
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
        lookup_timeout 100ms;
    }
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 503 /sorry.html;
        proxy_pass http://registry;
    }

    location = /sorry.html {
        npmtoken off;
    }
--- user_files
>>> sorry.html
come back later
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 503
--- response_headers
Retry-After: 1
Content-Type: text/html
--- response_body
come back later



=== TEST 6: with it, a page for a 403; a status of the operator's own
--- tokens
npm_ro    user=alice readonly=true
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 403 =451 /sorry;
        proxy_pass http://registry;
    }

    location = /sorry {
        npmtoken off;
        return 200 "ask the owner\n";
    }
--- request
DELETE /pkg/-rev/1
--- more_headers
Authorization: Bearer npm_ro
--- error_code: 451
--- response_body
ask the owner



=== TEST 7: a page in an enforced location is refused, as "deny" refuses it
--- config
    npmtoken main;
    npmtoken_intercept_errors on;
    error_page 401 /sorry;

    location / {
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
! X-Registry
--- response_body_like: 401 Authorization Required



=== TEST 8: ... without interception in JSON
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 401 /sorry;
        proxy_pass http://registry;
    }

    location = /sorry {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
Content-Type: application/json
WWW-Authenticate: Bearer
Cache-Control: no-store
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 9: no header twice after two denials
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 401 /sorry;
        proxy_pass http://registry;
    }

    location = /sorry {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- raw_response_headers_unlike eval
qr/npm-notice.*npm-notice|www-authenticate.*www-authenticate|cache-control.*cache-control/si



=== TEST 10: an error page that enforces, where the first location does not: an anonymous PUT
--- config
    location / {
        root html;
        error_page 404 405 = @reg;
    }

    location @reg {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
PUT /pkg
stolen
--- no_http2
--- error_code: 401
--- response_headers
Content-Type: application/json
WWW-Authenticate: Bearer
! X-Registry
--- response_body_like: "reason":"no_token"
--- no_error_log
[alert]



=== TEST 11: ... an anonymous GET
--- config
    location / {
        root html;
        error_page 404 405 = @reg;
    }

    location @reg {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 12: ... an anonymous DELETE where anonymous reads are allowed
--- config
    npmtoken_anonymous read;

    location / {
        root html;
        error_page 404 405 = @reg;
    }

    location @reg {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 13: ... an own answer keeps its status where error_page has none
--- tokens
npm_ro    user=bob readonly=true
--- config
    location / {
        root html;
        error_page 404 405 @reg;
    }

    location @reg {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- more_headers
Authorization: Bearer npm_ro
--- error_code: 403
--- response_headers
! X-Registry
--- response_body_like: "reason":"readonly"



=== TEST 14: ... and with a good token the request gets there
--- tokens
npm_full    user=alice
--- config
    location / {
        root html;
        error_page 404 405 = @reg;
    }

    location @reg {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- request
PUT /pkg
body
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry
--- no_error_log
[alert]



=== TEST 15: a page makes a GET of any method, and is judged as one
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_intercept_errors on;
        error_page 401 = /fallback;
        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
! Cache-Control
--- response_body_like: ^GET /fallback
--- error_log: npmtoken denied: no_token



=== TEST 16: the registry's own errors, caught by proxy_intercept_errors
--- tokens
npm_full    user=alice
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/broken;

        location / {
            return 502;
        }
    }
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_intercept_errors on;
        error_page 502 = @other;
        proxy_pass http://unix:$TEST_NGINX_DIR/broken;
    }

    location @other {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- request
PUT /pkg
body
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry



=== TEST 17: ... to a location that enforces nothing: neither token nor name
--- tokens
npm_full    user=alice
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/broken;

        location / {
            return 502;
        }
    }
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_intercept_errors on;
        error_page 502 = @other;
        proxy_pass http://unix:$TEST_NGINX_DIR/broken;
    }

    location @other {
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
X-Npm-User: root
--- error_code: 200
--- response_body
GET /pkg
Authorization: 
X-Npm-User: 
Host: registry



=== TEST 18: an allowed request keeps no notice of a denial before it
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken other;
        npmtoken_intercept_errors on;
        error_page 401 = @main;
        proxy_pass http://registry;
    }

    location @main {
        npmtoken main;
        proxy_pass http://registry;
    }
--- http_config
    npmtoken_store other {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
        prefix other:;
    }
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_headers
! npm-notice
! WWW-Authenticate
! Cache-Control
--- response_body_like: (?m)^GET /pkg$
--- error_log: npmtoken denied: unknown



=== TEST 19: a page that changes the status has nothing of the denial
--- config
    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        error_page 401 = @elsewhere;
        proxy_pass http://registry;
    }

    location @elsewhere {
        npmtoken off;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
! Cache-Control
--- response_body_like: ^GET /pkg
