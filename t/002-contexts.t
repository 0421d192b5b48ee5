# Every directive has its effect in each of its contexts, is inherited, and
# can be taken back below.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

# each directive with a value that is not its default
our $directives = <<'_EOC_';
    npmtoken                   main;
    npmtoken_anonymous         read;
    npmtoken_unknown           anonymous;
    npmtoken_base              /npm;
    npmtoken_log_level         warn;
    npmtoken_expiry_notice     0;
    npmtoken_intercept_errors  on;
_EOC_

our $identity = "    npmtoken_identity          X-Npm-User;\n";

our $dry_run = <<'_EOC_';
    npmtoken          main;
    npmtoken_dry_run  on;
_EOC_

# ... and what shows it

our $soon = time + 3600;

our $tokens = <<"_EOC_";
npm_full  user=alice
npm_ro    user=bob readonly=true
npm_soon  user=carol expires_at=$soon
_EOC_

our $cases = <<'_EOC_';
GET   /npm/pkg                          npm_full   200 user=alice auth="" notice=""
GET   /npm/pkg                          npm_soon   200 user=carol notice=""
GET   /npm/pkg                          -          200
GET   /npm/pkg                          npm_other  200 user="" auth="" notice="is unknown"
PUT   /npm/pkg                          npm_other  401 unknown
PUT   /npm/pkg                          npm_ro     403 readonly
POST  /npm/-/npm/v1/security/audits     npm_ro     200 user=bob auth=""
PUT   /npm/-/user/org.couchdb.user:bob  npm_ro     200 user="" auth=sent
PUT   /-/user/org.couchdb.user:bob      npm_ro     403 readonly
_EOC_

run_tests();

__DATA__

=== TEST 1: http
--- tokens eval: $::tokens
--- http_config eval: $::directives . $::identity
--- config
    location / {
        proxy_pass http://registry;
    }
--- cases eval: $::cases
--- error_log
[warn]
npmtoken denied: readonly
--- no_error_log
[error]



=== TEST 2: server
--- tokens eval: $::tokens
--- config eval
$::directives . $::identity . <<'_EOC_'
    location / {
        proxy_pass http://registry;
    }
_EOC_
--- cases eval: $::cases
--- error_log
[warn]
npmtoken denied: readonly
--- no_error_log
[error]



=== TEST 3: location
--- tokens eval: $::tokens
--- config eval
"    location / {\n" . $::directives . $::identity . <<'_EOC_'
        proxy_pass http://registry;
    }
_EOC_
--- cases eval: $::cases
--- error_log
[warn]
npmtoken denied: readonly
--- no_error_log
[error]



=== TEST 4: limit_except
--- tokens eval: $::tokens
--- config eval
"    location / {\n" . $::identity . "limit_except DELETE {\n" . $::directives
. <<'_EOC_'
        }
        proxy_pass http://registry;
    }
_EOC_
--- cases eval: $::cases . "DELETE /npm/pkg/-rev/1 - 200\n"
--- error_log
[warn]
npmtoken denied: readonly
--- no_error_log
[error]



=== TEST 5: a location in a location, an if
--- tokens eval: $::tokens
--- config eval
"    location / {\n" . $::directives . $::identity . <<'_EOC_'
        location /npm/ {
            proxy_pass http://registry;

            if ($request_method = GET) {
                set $x 1;
            }
        }
        location /-/ {
            proxy_pass http://registry;
        }
    }
_EOC_
--- cases eval: $::cases



=== TEST 6: an expiry that is told where it is not switched off
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;

        location /quiet {
            npmtoken_expiry_notice 0;
            proxy_pass http://registry;
        }
    }
--- cases
GET  /pkg    npm_soon  200  notice="^Token [0-9a-f]{8} expires on 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.$"
GET  /quiet  npm_soon  200  notice=""



=== TEST 7: npmtoken_expiry_notice in http, of an hour
--- tokens eval: $::tokens
--- http_config
    npmtoken_expiry_notice 30m;
--- config
    npmtoken main;

    location / {
        proxy_pass http://registry;
    }
    location /two {
        npmtoken_expiry_notice 2h;
        proxy_pass http://registry;
    }
--- cases
GET  /one  npm_soon  200  notice=""
GET  /two  npm_soon  200  notice="expires on"



=== TEST 8: npmtoken_dry_run in http
--- http_config eval: $::dry_run
--- config
    location / {
        proxy_pass http://registry;
    }
    location /strict {
        npmtoken_dry_run off;
        proxy_pass http://registry;
    }
--- cases
PUT  /pkg     -  200 no_token
PUT  /strict  -  401 no_token



=== TEST 9: npmtoken_dry_run in server
--- config eval
$::dry_run . <<'_EOC_'
    location / {
        proxy_pass http://registry;
    }
    location /strict {
        npmtoken_dry_run off;
        proxy_pass http://registry;
    }
_EOC_
--- cases
PUT  /pkg     -  200 no_token
PUT  /strict  -  401 no_token



=== TEST 10: npmtoken_dry_run in location and in limit_except
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        proxy_pass http://registry;

        limit_except GET {
            npmtoken_dry_run off;
        }
    }
    location /other {
        npmtoken main;
        proxy_pass http://registry;

        limit_except GET {
            npmtoken_dry_run on;
        }
    }
--- cases
GET  /pkg    -  200 no_token
PUT  /pkg    -  401 no_token
GET  /other  -  401 no_token
PUT  /other  -  200 no_token



=== TEST 11: npmtoken in limit_except only: reading is free
--- tokens
npm_full  user=alice
npm_ro    user=alice readonly=true
--- config
    location / {
        proxy_pass http://registry;

        limit_except GET {
            npmtoken main;
        }
    }
--- cases
GET   /pkg  -          200
HEAD  /pkg  -          200
GET   /pkg  npm_other  200  auth=sent
PUT   /pkg  -          401 no_token
PUT   /pkg  npm_ro     403 readonly
PUT   /pkg  npm_full   200



=== TEST 12: npmtoken off in limit_except
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;

        limit_except GET {
            npmtoken off;
        }
    }
--- cases
GET   /pkg  -  401 no_token
HEAD  /pkg  -  401 no_token
PUT   /pkg  -  200



=== TEST 13: on, off, and on again
--- http_config
    npmtoken main;
--- config
    npmtoken off;

    location / {
        proxy_pass http://registry;
    }
    location /on {
        npmtoken main;
        proxy_pass http://registry;

        location /on/off {
            npmtoken off;
            proxy_pass http://registry;
        }
    }
--- cases
GET  /pkg     -  200
GET  /on      -  401 no_token
GET  /on/off  -  200



=== TEST 14: what is set without npmtoken has no effect
--- config
    npmtoken_anonymous  deny;
    npmtoken_unknown    deny;

    location / {
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  -          200
PUT  /pkg  npm_other  200  auth=sent
PUT  /pkg  "Bearer"   200



=== TEST 15: each directive is overridden below
--- tokens eval: $::tokens
--- http_config eval: $::directives . $::identity
--- config
    npmtoken_anonymous         deny;
    npmtoken_unknown           deny;
    npmtoken_base              /;
    npmtoken_log_level         notice;
    npmtoken_intercept_errors  off;
    npmtoken_identity          off;

    location / {
        proxy_pass http://registry;
    }
--- cases
GET   /pkg                          npm_full   200 user="" auth=sent
GET   /pkg                          -          401 no_token
GET   /pkg                          npm_other  401 unknown
PUT   /-/user/org.couchdb.user:bob  npm_ro     200
--- error_log
[notice]
npmtoken denied: unknown
--- no_error_log
[warn]
[error]



=== TEST 16: npmtoken_intercept_errors in http
--- http_config
    npmtoken main;
    npmtoken_intercept_errors on;
--- config
    error_page 401 = @own;

    location / {
        proxy_pass http://registry;
    }
    location @own {
        npmtoken off;
        add_header X-Own yes always;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- response_headers
X-Own: yes
--- response_body_like: ^GET /pkg



=== TEST 17: npmtoken_intercept_errors in server
--- config
    npmtoken main;
    npmtoken_intercept_errors on;
    error_page 401 = @own;

    location / {
        proxy_pass http://registry;
    }
    location @own {
        npmtoken off;
        add_header X-Own yes always;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- response_headers
X-Own: yes



=== TEST 18: npmtoken_intercept_errors in location and limit_except
--- config
    error_page 401 = @own;

    location / {
        npmtoken main;
        npmtoken_intercept_errors on;
        proxy_pass http://registry;

        limit_except GET {
            npmtoken_intercept_errors off;
        }
    }
    location @own {
        npmtoken off;
        add_header X-Own yes always;
        proxy_pass http://registry;
    }
--- request eval
["GET /pkg", "PUT /pkg"]
--- error_code eval
[200, 401]
--- response_headers eval
["X-Own: yes", "! X-Own"]



=== TEST 19: npmtoken_identity in http, also where nothing is enforced
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_identity X-Npm-User;
--- config
    location / {
        proxy_pass http://registry;
    }
    location /on {
        npmtoken main;
        proxy_pass http://registry;
    }
    location /off {
        npmtoken_identity off;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_full  200  user=""       auth=sent  +"X-Npm-User: root"
GET  /on   npm_full  200  user="alice"  auth=""    +"X-Npm-User: root"
GET  /off  npm_full  200  user="root"   auth=sent  +"X-Npm-User: root"



=== TEST 20: two locations, each with its own policy
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
    location /private/ {
        npmtoken_base /private/;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg                                  -       200
GET  /private/pkg                          -       401 no_token
PUT  /private/-/user/org.couchdb.user:bob  -       200
PUT  /-/user/org.couchdb.user:bob          -       200
GET  /private/pkg                          npm_ro  200
PUT  /private/pkg                          npm_ro  403 readonly



=== TEST 21: two servers
--- tokens eval: $::tokens
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_FREE_PORT;
        npmtoken_anonymous read;
        npmtoken main;

        location / {
            proxy_pass http://registry;
        }
    }
--- config
    npmtoken main;

    location / {
        proxy_pass http://registry;
    }
    location /other/ {
        npmtoken off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- cases
GET  /pkg        -       401 no_token
GET  /other/pkg  -       200
GET  /pkg        npm_ro  200



=== TEST 22: nothing is configured: nothing is changed, and no Redis is asked
--- no_store
--- config
    location / {
        add_header X-Said "$npmtoken_user|$npmtoken_operation|$npmtoken_package|$npmtoken_verdict|$npmtoken_cache|$npmtoken_readonly" always;
        proxy_pass http://registry;
    }
--- request eval
["PUT /pkg", "DELETE /-/user/token/npm_full", "GET /pkg"]
--- more_headers eval
["Authorization: Bearer npm_full\nX-Npm-User: root", "", "Authorization: Basic YTpi"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-Said: |write|pkg|||", "X-Said: |write||||", "X-Said: |read|pkg|||"]
--- registry_lines
PUT /pkg "Bearer npm_full" "root"
DELETE /-/user/token/npm_full "-" "-"
GET /pkg "Basic YTpi" "-"
--- no_error_log
redis



=== TEST 23: a store that is there and nowhere enforced: no Redis is asked
--- config
    location / {
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_full  200  auth=sent
PUT  /pkg  -         200
--- no_error_log
redis
