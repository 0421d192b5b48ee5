# satisfy all and satisfy any, with allow/deny, auth_basic and auth_request,
# each in both verdicts.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::Util qw( write_file );

write_file("$ENV{TEST_NGINX_DIR}/htpasswd", "alice:{PLAIN}secret\n");

# what auth_request asks

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', $block->config . <<'_EOC_');

        location = /verdict/yes {
            internal;
            return 204;
        }

        location = /verdict/no {
            internal;
            return 403;
        }

        location = /verdict/who {
            internal;
            return 401;
        }
_EOC_

    redis('CONFIG', 'RESETSTAT');
});


sub count_lookups {
    return sub {
        my ($calls) = redis('INFO', 'commandstats')
            =~ /^cmdstat_hgetall:calls=(\d+)/m;

        return 'lookups: ' . ($calls // 0) . "\n";
    };
}


run_tests();

__DATA__

=== TEST 1: satisfy all, deny: the address is refused before any look-up
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 403
--- response_headers
! npm-notice
! WWW-Authenticate
--- response_body_like: 403 Forbidden.*nginx
--- error_log: access forbidden by rule
--- no_error_log
npmtoken denied



=== TEST 2: and that costs no look-up
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 403
--- response_body_filters eval: main::count_lookups()
--- response_body
lookups: 0



=== TEST 3: satisfy all, allow: our verdict counts, an allow
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken main;
        allow all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_body_like: (?m)^GET /pkg$
--- no_error_log
npmtoken denied



=== TEST 4: satisfy all, allow: our verdict counts, a denial
--- config
    location / {
        npmtoken main;
        allow all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 401
--- response_headers
Content-Type: application/json
--- response_body_like: "reason":"unknown"



=== TEST 5: satisfy all, auth_basic without a password: nothing is looked up
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken main;
        auth_basic registry;
        auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 401
--- response_headers
WWW-Authenticate: Basic realm="registry"
! npm-notice
--- response_body_filters eval: main::count_lookups()
--- response_body
lookups: 0



=== TEST 6: satisfy all, auth_basic with its password: a foreign credential
--- config
    location / {
        npmtoken main;
        auth_basic registry;
        auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Basic YWxpY2U6c2VjcmV0
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
--- response_body_like: "reason":"unknown"



=== TEST 7: satisfy all, auth_basic with its password, npmtoken_unknown pass
--- config
    location / {
        npmtoken main;
        npmtoken_unknown pass;
        auth_basic registry;
        auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Basic YWxpY2U6c2VjcmV0
--- error_code: 200
--- response_body_like: (?m)^Authorization: Basic YWxpY2U6c2VjcmV0$
--- no_error_log
npmtoken denied



=== TEST 8: satisfy all, auth_request says no: nothing is looked up
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken main;
        auth_request /verdict/no;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 403
--- response_headers
! npm-notice
--- response_body_filters eval: main::count_lookups()
--- response_body
lookups: 0



=== TEST 9: satisfy all, auth_request says yes: we say no
--- tokens
npm_ro    user=alice readonly=true
--- config
    location / {
        npmtoken main;
        auth_request /verdict/yes;
        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- more_headers
Authorization: Bearer npm_ro
--- error_code: 403
--- response_headers
Content-Type: application/json
--- response_body_like: "reason":"readonly"



=== TEST 10: satisfy all, auth_request and we say yes
--- tokens
npm_full    user=alice
--- config
    location / {
        npmtoken main;
        auth_request /verdict/yes;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_body
GET /pkg
Authorization: 
X-Npm-User: alice
Host: registry
--- no_error_log
npmtoken denied



=== TEST 11: satisfy any, an allow that matches skips us
--- tokens
npm_full    user=alice
--- config
    location / {
        satisfy any;
        npmtoken main;
        allow all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
! Cache-Control
--- response_body_filters eval: main::count_lookups()
--- response_body
lookups: 0



=== TEST 12: satisfy any, deny and our 401: nginx's page, our headers
--- config
    location / {
        satisfy any;
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
Content-Type: text/html
Cache-Control: no-store
--- response_headers_like
npm-notice: .*unknown.*
--- response_body_like: 401 Authorization Required
--- error_log: npmtoken denied: unknown



=== TEST 13: satisfy any, deny and our 403: nginx's page
--- tokens
npm_ro    user=alice readonly=true
--- config
    location / {
        satisfy any;
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- more_headers
Authorization: Bearer npm_ro
--- error_code: 403
--- response_headers
Content-Type: text/html
Cache-Control: no-store
--- response_body_like: 403 Forbidden
--- error_log: npmtoken denied: readonly



=== TEST 14: satisfy any, deny, and a good token
--- tokens
npm_full    user=alice
--- config
    location / {
        satisfy any;
        npmtoken main;
        npmtoken_identity X-Npm-User;
        deny all;
        proxy_pass http://registry;
    }
--- request
PUT /pkg
x
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry



=== TEST 15: satisfy any, auth_basic fails, our token is good: no challenge
--- tokens
npm_full    user=alice
--- config
    location / {
        satisfy any;
        npmtoken main;
        auth_basic registry;
        auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
--- response_body_like: (?m)^Authorization: Bearer npm_full$



=== TEST 16: satisfy any, auth_basic has its password: we are not asked
--- config
    location / {
        satisfy any;
        npmtoken main;
        auth_basic registry;
        auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
        proxy_pass http://registry;
    }
--- request
PUT /pkg
x
--- more_headers
Authorization: Basic YWxpY2U6c2VjcmV0
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
--- response_body_like: (?m)^Authorization: Basic YWxpY2U6c2VjcmV0$
--- no_error_log
npmtoken denied



=== TEST 17: satisfy any, auth_request says yes: we are not asked
--- config
    location / {
        satisfy any;
        npmtoken main;
        auth_request /verdict/yes;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
! Cache-Control
--- response_body_filters eval: main::count_lookups()
--- response_body
lookups: 0



=== TEST 18: satisfy any, auth_request says 401, our token is good
--- tokens
npm_full    user=alice
--- config
    location / {
        satisfy any;
        npmtoken main;
        auth_request /verdict/who;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 200
--- response_headers
! WWW-Authenticate
! npm-notice
--- response_body_like: (?m)^GET /pkg$



=== TEST 19: satisfy any, auth_request says 403, we say 401
--- config
    location / {
        satisfy any;
        npmtoken main;
        auth_request /verdict/no;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
--- response_headers_like
npm-notice: .+
--- response_body_like: 401 Authorization Required



=== TEST 20: satisfy any, Redis away: 503 ends the request, in JSON
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
        lookup_timeout 100ms;
    }
--- config
    location / {
        satisfy any;
        npmtoken main;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 503
--- response_headers
Content-Type: application/json
Retry-After: 1
Cache-Control: no-store
--- response_body_like: "reason":"unavailable"



=== TEST 21: satisfy any, a dry run gains nothing: our denial is not given
--- config
    location / {
        satisfy any;
        npmtoken main;
        npmtoken_dry_run on;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 403
--- response_headers
! WWW-Authenticate
! npm-notice
! Cache-Control
--- response_body_like: 403 Forbidden
--- error_log: npmtoken denied, dry run: unknown



=== TEST 22: satisfy any, a dry run gains nothing by a good token either
--- tokens
npm_full    user=alice
--- config
    location / {
        satisfy any;
        npmtoken main;
        npmtoken_dry_run on;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- error_code: 403
--- response_body_like: 403 Forbidden



=== TEST 23: satisfy any, unknown credentials that pass gain nothing
--- config
    location / {
        satisfy any;
        npmtoken main;
        npmtoken_unknown pass;
        deny all;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 403
--- response_body_like: 403 Forbidden
--- no_error_log
npmtoken denied



=== TEST 24: satisfy any with us alone, and unknown credentials that pass
--- config
    location / {
        satisfy any;
        npmtoken main;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_nobody
--- error_code: 200
--- response_body_like: (?m)^Authorization: Bearer npm_nobody$



=== TEST 25: satisfy any with us alone: a denial stands
--- config
    location / {
        satisfy any;
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- response_headers
WWW-Authenticate: Bearer
--- response_body_like: 401 Authorization Required



=== TEST 26: satisfy any, our 401, and an error page with npmtoken off
--- config
    location / {
        satisfy any;
        npmtoken main;
        deny all;
        error_page 401 = /login;
        proxy_pass http://registry;
    }

    location = /login {
        npmtoken off;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 200
--- response_body_like: (?m)^GET /login$
