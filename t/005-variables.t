# The variables: what they are for each kind of request, allowed or denied,
# before the access phase and after it, in a log, a map, a header, a
# subrequest.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

# how a record was found is another test's concern: here only whether

our $log = <<'_EOC_';
    map $npmtoken_cache $looked_up {
        ""                          -;
        ~^(?:off|hit|miss|stale)$   yes;
        default                     $npmtoken_cache;
    }

    log_format test escape=none
        '$request_method user=$npmtoken_user key=$npmtoken_key '
        'op=$npmtoken_operation pkg=$npmtoken_package '
        'verdict=$npmtoken_verdict looked_up=$looked_up ro=$npmtoken_readonly';
_EOC_

our %key = map { $_ => substr token_key($_), 0, 32 } qw(
    npm_full npm_ro npm_revoked npm_expired npm_bad npm_cidr npm_anon
    npm_shared npm_other
);

our $tokens = <<'_EOC_';
npm_full     user=alice
npm_ro       user=bob readonly=true
npm_revoked  user=carol revoked_at=1
npm_expired  user=carol expires_at=1 readonly=true
npm_bad      user=carol nonsense=1
npm_cidr     user=carol cidr_whitelist=192.0.2.1
npm_shared   user=carol protected=true
npm_anon     x_note=nobody
_EOC_

run_tests();

__DATA__

=== TEST 1: in the log
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
    location /off/ {
        npmtoken off;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg                       npm_full      200
PUT     /@scope%2fpkg              npm_full      200
GET     /pkg                       npm_ro        200
PUT     /pkg                       npm_ro        403 readonly
GET     /pkg                       npm_revoked   401 revoked
GET     /pkg                       npm_expired   401 expired
GET     /pkg                       npm_bad       403 bad_record
GET     /pkg                       npm_cidr      401 cidr
GET     /pkg                       npm_anon      200
GET     /pkg                       npm_other     401 unknown
GET     /pkg                       -             401 no_token
GET     /pkg                       "Bearer,"     401 bad_token
GET     /pkg                       "Basic YTpi"  401 unknown
GET     /-/ping                    npm_full      200
PUT     /-/user/org.couchdb.user:a npm_other     200
DELETE  /-/user/token/npm_full     npm_full      200
DELETE  /-/user/token/npm_revoked  npm_revoked   200
DELETE  /-/user/token/npm_shared   npm_shared    403 protected
DELETE  /-/user/token/npm_other    npm_other     200
GET     /off/pkg                   npm_full      200
--- test_lines eval
"GET user=alice key=$::key{npm_full} op=read pkg=pkg verdict=allow looked_up=yes ro=0
PUT user=alice key=$::key{npm_full} op=write pkg=\@scope/pkg verdict=allow looked_up=yes ro=0
GET user=bob key=$::key{npm_ro} op=read pkg=pkg verdict=allow looked_up=yes ro=1
PUT user= key=$::key{npm_ro} op=write pkg=pkg verdict=readonly looked_up=yes ro=1
GET user= key=$::key{npm_revoked} op=read pkg=pkg verdict=revoked looked_up=yes ro=0
GET user= key=$::key{npm_expired} op=read pkg=pkg verdict=expired looked_up=yes ro=1
GET user= key=$::key{npm_bad} op=read pkg=pkg verdict=bad_record looked_up=yes ro=
GET user= key=$::key{npm_cidr} op=read pkg=pkg verdict=cidr looked_up=yes ro=0
GET user= key=$::key{npm_anon} op=read pkg=pkg verdict=allow looked_up=yes ro=0
GET user= key=$::key{npm_other} op=read pkg=pkg verdict=unknown looked_up=yes ro=
GET user= key= op=read pkg=pkg verdict=no_token looked_up=- ro=
GET user= key= op=read pkg=pkg verdict=bad_token looked_up=- ro=
GET user= key= op=read pkg=pkg verdict=unknown looked_up=- ro=
GET user= key=$::key{npm_full} op=session pkg= verdict=allow looked_up=- ro=
PUT user= key=$::key{npm_other} op=session pkg= verdict=allow looked_up=- ro=
DELETE user=alice key=$::key{npm_full} op=logout pkg= verdict=allow looked_up=yes ro=0
DELETE user= key=$::key{npm_revoked} op=logout pkg= verdict=allow looked_up=yes ro=0
DELETE user= key=$::key{npm_shared} op=logout pkg= verdict=protected looked_up=yes ro=0
DELETE user= key=$::key{npm_other} op=logout pkg= verdict=allow looked_up=yes ro=
GET user= key=$::key{npm_full} op=read pkg=off verdict= looked_up=- ro=
"



=== TEST 2: where the record cannot be had
--- http_config eval
$::log . 'npmtoken_store main { redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT; }'
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_full  503 unavailable
--- test_lines eval
"GET user= key=$::key{npm_full} op=read pkg=pkg verdict=unavailable looked_up=yes ro=
"



=== TEST 3: in a dry run, with pass, with anonymous
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;
    npmtoken main;

    location /dry {
        npmtoken_dry_run on;
        proxy_pass http://registry;
    }
    location /pass {
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
    location /anonymous {
        npmtoken_anonymous read;
        npmtoken_unknown anonymous;
        proxy_pass http://registry;
    }
--- cases
PUT  /dry        npm_ro        200 readonly
PUT  /dry        npm_full      200
PUT  /pass       npm_other     200
GET  /pass       "Basic YTpi"  200
GET  /anonymous  npm_other     200
GET  /anonymous  -             200
--- test_lines eval
"PUT user= key=$::key{npm_ro} op=write pkg=dry verdict=readonly looked_up=yes ro=1
PUT user=alice key=$::key{npm_full} op=write pkg=dry verdict=allow looked_up=yes ro=0
PUT user= key=$::key{npm_other} op=write pkg=pass verdict=allow looked_up=yes ro=
GET user= key= op=read pkg=pass verdict=allow looked_up=- ro=
GET user= key=$::key{npm_other} op=read pkg=anonymous verdict=allow looked_up=yes ro=
GET user= key= op=read pkg=anonymous verdict=allow looked_up=- ro=
"



=== TEST 4: limit_req by the key, which comes before the look-up
--- tokens eval: $::tokens
--- http_config
    limit_req_zone $npmtoken_key zone=tokens:1m rate=1r/m;
--- config
    location / {
        npmtoken main;
        limit_req zone=tokens;
        limit_req_status 429;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_full   200
GET  /pkg  npm_full   429
GET  /pkg  npm_ro     200
GET  /pkg  npm_other  401 unknown
GET  /pkg  npm_other  429
GET  /pkg  npm_ro     429
GET  /pkg  -          401 no_token
GET  /pkg  -          401 no_token



=== TEST 5: limit_req by what is asked, and not where it is off
--- tokens eval: $::tokens
--- http_config
    map $npmtoken_operation $writes {
        write    $npmtoken_key;
        default  "";
    }
    limit_req_zone $writes zone=writes:1m rate=1r/m;
--- config
    limit_req zone=writes;
    limit_req_status 429;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
    location /off {
        proxy_pass http://registry;
    }
--- cases
PUT  /pkg  npm_full  200
GET  /pkg  npm_full  200
GET  /pkg  npm_full  200
PUT  /pkg  npm_full  429
PUT  /off  npm_ro    200
PUT  /off  npm_ro    429



=== TEST 6: limit_req by the package
--- tokens eval: $::tokens
--- http_config
    limit_req_zone $npmtoken_package zone=packages:1m rate=1r/m;
--- config
    location / {
        npmtoken main;
        limit_req zone=packages;
        limit_req_status 429;
        proxy_pass http://registry;
    }
--- cases
GET  /@s%2fpkg    npm_full  200
GET  /@s/pkg      npm_full  429
GET  /%40s%2Fpkg  npm_ro    429
GET  /pkg         npm_full  200
GET  /-/whoami    npm_full  200
GET  /-/whoami    npm_full  200



=== TEST 7: before the access phase there is no user, and after it there is
--- tokens eval: $::tokens
--- http_config
    limit_req_zone $npmtoken_user$npmtoken_verdict$npmtoken_readonly$npmtoken_cache zone=users:1m rate=1r/m;

    map $npmtoken_user $team {
        alice    red;
        ""       none;
        default  other;
    }
--- config
    location / {
        npmtoken main;
        limit_req zone=users;
        add_header X-Team $team always;
        add_header X-User $npmtoken_user always;
        proxy_pass http://registry;
    }
--- request eval
["GET /pkg", "GET /pkg", "GET /pkg", "PUT /pkg", "GET /pkg"]
--- more_headers eval
["Authorization: Bearer npm_full", "Authorization: Bearer npm_full",
 "Authorization: Bearer npm_ro", "Authorization: Bearer npm_ro", ""]
--- error_code eval
[200, 200, 200, 403, 401]
--- response_headers eval
["X-Team: red\nX-User: alice", "X-Team: red\nX-User: alice",
 "X-Team: other\nX-User: bob", "X-Team: none\n! X-User",
 "X-Team: none\n! X-User"]



=== TEST 8: a variable that was used early has the later value later
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        set $early "$npmtoken_user,$npmtoken_verdict";
        add_header X-Early $early always;
        add_header X-Late "$npmtoken_user,$npmtoken_verdict" always;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_full
--- response_headers
X-Early: ,
X-Late: alice,allow



=== TEST 9: what the registry is told by proxy_set_header
--- tokens eval: $::tokens
--- http_config
    log_format told escape=none '$http_x_user|$http_x_key|$http_x_op|$http_x_pkg';

    server {
        listen 127.0.0.1:$TEST_NGINX_FREE_PORT;
        access_log $TEST_NGINX_SERVER_ROOT/logs/test.log told;

        location / {
            return 200 told;
        }
    }
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        proxy_set_header X-User $npmtoken_user;
        proxy_set_header X-Key $npmtoken_key;
        proxy_set_header X-Op $npmtoken_operation;
        proxy_set_header X-Pkg $npmtoken_package;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- request eval
["GET /a", "PUT /\@s%2fb", "GET /a%0d%0aX-User:%20root", "GET /-/ping"]
--- more_headers eval
["Authorization: Bearer npm_full", "Authorization: Bearer npm_full",
 "X-User: root", "Authorization: Bearer npm_full"]
--- error_code eval
[200, 200, 200, 200]
--- test_lines eval
"alice|$::key{npm_full}|read|a
alice|$::key{npm_full}|write|\@s/b
||read|
|$::key{npm_full}|session|
"



=== TEST 10: in a mirror's subrequest
--- tokens eval: $::tokens
--- http_config
    log_format told escape=none '$http_x_user|$http_x_key|$http_x_op|$http_x_pkg|$http_x_verdict';

    server {
        listen 127.0.0.1:$TEST_NGINX_FREE_PORT;
        access_log $TEST_NGINX_SERVER_ROOT/logs/test.log told;

        location / {
            return 200 told;
        }
    }
--- config
    location / {
        npmtoken main;
        mirror /mirror;
        proxy_pass http://registry;
    }
    location = /mirror {
        internal;
        proxy_set_header X-User $npmtoken_user;
        proxy_set_header X-Key $npmtoken_key;
        proxy_set_header X-Op $npmtoken_operation;
        proxy_set_header X-Pkg $npmtoken_package;
        proxy_set_header X-Verdict $npmtoken_verdict;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- cases
GET  /pkg  npm_full  200
PUT  /pkg  npm_ro    403 readonly
--- test_lines eval
"alice|$::key{npm_full}|read|pkg|allow
"



=== TEST 11: in an auth_request
--- tokens eval: $::tokens
--- http_config
    log_format told escape=none '$http_x_key|$http_x_op|$http_x_pkg';

    server {
        listen 127.0.0.1:$TEST_NGINX_FREE_PORT;
        access_log $TEST_NGINX_SERVER_ROOT/logs/test.log told;

        location / {
            return 200 told;
        }
    }
--- config
    location / {
        npmtoken main;
        auth_request /auth;
        proxy_pass http://registry;
    }
    location = /auth {
        internal;
        proxy_set_header X-Key $npmtoken_key;
        proxy_set_header X-Op $npmtoken_operation;
        proxy_set_header X-Pkg $npmtoken_package;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- cases
PUT  /pkg  npm_full  200
--- test_lines eval
"$::key{npm_full}|write|pkg
"



=== TEST 12: $npmtoken_package: names as npm sends them
--- http_config
    log_format test escape=none '$request_uri $npmtoken_package';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        proxy_pass http://registry;
    }
--- cases
GET     /pkg                               -  200
GET     /pkg/                              -  200
GET     /pkg/1.0.0                         -  200
GET     /pkg/-/pkg-1.0.0.tgz               -  200
GET     /@s%2fpkg                          -  200
GET     /@s%2Fpkg                          -  200
GET     /%40s%2Fpkg                        -  200
GET     /@s/pkg                            -  200
GET     /@s/pkg/-/pkg-1.0.0.tgz            -  200
PUT     /@s%2fpkg/-rev/1-2                 -  200
GET     /-/package/pkg/dist-tags           -  200
PUT     /-/package/@s%2fpkg/dist-tags/a    -  200
POST    /-/package/%40s%2Fpkg/access       -  200
GET     /-/package/@s/pkg/dist-tags        -  200
GET     /pkg?write=true                    -  200
GET     /JSONStream                        -  200
GET     /a~b!c'd(e)*                       -  200
GET     /%70kg                             -  200
GET     /a-_.b                             -  200
--- test_lines
/pkg pkg
/pkg/ pkg
/pkg/1.0.0 pkg
/pkg/-/pkg-1.0.0.tgz pkg
/@s%2fpkg @s/pkg
/@s%2Fpkg @s/pkg
/%40s%2Fpkg @s/pkg
/@s/pkg @s/pkg
/@s/pkg/-/pkg-1.0.0.tgz @s/pkg
/@s%2fpkg/-rev/1-2 @s/pkg
/-/package/pkg/dist-tags pkg
/-/package/@s%2fpkg/dist-tags/a @s/pkg
/-/package/%40s%2Fpkg/access @s/pkg
/-/package/@s/pkg/dist-tags @s/pkg
/pkg?write=true pkg
/JSONStream JSONStream
/a~b!c'd(e)* a~b!c'd(e)*
/%70kg pkg
/a-_.b a-_.b



=== TEST 13: $npmtoken_package: empty for all that is no name
--- http_config
    log_format test escape=none '$request_uri [$npmtoken_package]';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        proxy_pass http://registry;
    }
--- cases
GET  /                          -  200
GET  /?pkg                      -  200
GET  /-/whoami                  -  200
GET  /-/package                 -  200
GET  /-/package/                -  200
GET  /-/packages/pkg            -  200
GET  /-/v1/search?text=pkg      -  200
GET  /.pkg                      -  200
GET  /_pkg                      -  200
GET  /@s                        -  200
GET  /@s/                       -  200
GET  /@/pkg                     -  200
GET  /@s/_pkg                   -  200
GET  /@s/.pkg                   -  200
GET  /@s%2f%2fpkg               -  200
GET  /@s@t/pkg                  -  200
GET  /s%2fpkg                   -  200
GET  /pkg%20                    -  200
GET  /pkg%0d%0aX-A:%20b         -  200
GET  /pkg%0a                    -  200
GET  /pkg%22                    -  200
GET  /pkg%5cx                   -  200
GET  /pkg%c3%a4                 -  200
GET  /pkg%25                    -  200
GET  /pkg%2561                  -  200
GET  /pkg;x                     -  200
GET  /pkg:x                     -  200
GET  /pkg+x                     -  200
GET  //pkg                      -  200
--- test_lines
/ []
/?pkg []
/-/whoami []
/-/package []
/-/package/ []
/-/packages/pkg []
/-/v1/search?text=pkg []
/.pkg []
/_pkg []
/@s []
/@s/ []
/@/pkg []
/@s/_pkg []
/@s/.pkg []
/@s%2f%2fpkg []
/@s@t/pkg []
/s%2fpkg []
/pkg%20 []
/pkg%0d%0aX-A:%20b []
/pkg%0a []
/pkg%22 []
/pkg%5cx []
/pkg%c3%a4 []
/pkg%25 []
/pkg%2561 []
/pkg;x []
/pkg:x []
/pkg+x []
//pkg []



=== TEST 14: $npmtoken_package: 214 bytes, and 215
--- http_config
    log_format test escape=none '[$npmtoken_package]';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        proxy_pass http://registry;
    }
--- cases eval
'GET /' . 'p' x 214 . " - 200\n" . 'GET /' . 'p' x 215 . " - 200\n"
. 'GET /@s%2f' . 'p' x 211 . " - 200\n" . 'GET /@s%2f' . 'p' x 212 . " - 200\n"
--- test_lines eval
'[' . 'p' x 214 . "]\n[]\n[\@s/" . 'p' x 211 . "]\n[]\n"



=== TEST 15: $npmtoken_package below a base
--- http_config
    log_format test escape=none '$request_uri [$npmtoken_package]';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location /npm/ {
        npmtoken_base /npm/;
        proxy_pass http://registry;
    }
    location /mapped/ {
        npmtoken_base /npm/;
        proxy_pass http://registry;
        rewrite ^/mapped/(.*)$ /npm/$1 break;
    }
--- cases
GET  /npm/pkg                         -  200
GET  /npm/@s%2fpkg                    -  200
GET  /npm/-/package/pkg/dist-tags     -  200
GET  /npm/                            -  200
GET  /mapped/pkg                      -  200
--- test_lines
/npm/pkg [pkg]
/npm/@s%2fpkg [@s/pkg]
/npm/-/package/pkg/dist-tags [pkg]
/npm/ []
/mapped/pkg [pkg]
