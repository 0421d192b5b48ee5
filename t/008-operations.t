# What a request asks for, on its way through nginx, which has a path of its
# own making beside the one that was sent.  All that clients send is in the
# unit tests; here is a sample of it, and what only nginx can get wrong.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $tokens = <<'_EOC_';
npm_full    user=alice
npm_ro      user=bob readonly=true
npm_shared  user=ci protected=true
npm_dead    user=bob revoked_at=1
npm_old     user=bob expires_at=1
npm_far     user=bob cidr_whitelist=192.0.2.1
npm_bad     user=bob nonsense=1
dG9r/ZW4=   user=base
a/../b      user=dots readonly=true
a//b        user=empty readonly=true
_EOC_

our $location = <<'_EOC_';
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
_EOC_

our $many = join ' ', map { qq{+"X-$_: 1"} } 1 .. 45;

run_tests();

__DATA__

=== TEST 1: reads
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET      /pkg                                 npm_ro  200
GET      /@s%2fpkg                            npm_ro  200  uri=/@s%2fpkg
GET      /@s%2Fpkg?write=true                 npm_ro  200  uri=/@s%2Fpkg?write=true
GET      /@s/pkg/-/pkg-1.0.0.tgz              npm_ro  200
HEAD     /pkg                                 npm_ro  200
OPTIONS  /pkg                                 npm_ro  200
GET      /-/whoami                            npm_ro  200
GET      /-/v1/search?text=a                  npm_ro  200
GET      /-/npm/v1/tokens                     npm_ro  200
GET      /-/user/org.couchdb.user:a           npm_ro  200
GET      /-/package/pkg/dist-tags             npm_ro  200
POST     /-/npm/v1/security/advisories/bulk   npm_ro  200
POST     /-/npm/v1/security/audits            npm_ro  200
POST     /-/npm/v1/security/audits/quick      npm_ro  200
POST     /-/npm/v1/security/audits?x=1        npm_ro  200



=== TEST 2: reads need a token, too
--- config eval: $::location
--- cases
GET      /pkg                                 -  401 no_token  op=read
OPTIONS  /pkg                                 -  401 no_token  op=read
POST     /-/npm/v1/security/advisories/bulk   -  401 no_token  op=read
GET      /-/user/org.couchdb.user:a           -  401 no_token  op=read
GET      /-/whoami                            -  401 no_token  op=read



=== TEST 3: writes
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT      /pkg                                 npm_ro    403 readonly  op=write
PUT      /@s%2fpkg                            npm_ro    403 readonly  op=write
PUT      /pkg/-rev/1-2                        npm_ro    403 readonly  op=write
DELETE   /pkg/-rev/undefined                  npm_ro    403 readonly  op=write
DELETE   /pkg/-/pkg-1.0.0.tgz/-rev/1          npm_ro    403 readonly  op=write
PUT      /-/package/pkg/dist-tags/latest      npm_ro    403 readonly  op=write
POST     /-/package/@s%2fpkg/access           npm_ro    403 readonly  op=write
PUT      /-/team/s/team/user                  npm_ro    403 readonly  op=write
POST     /-/npm/v1/user                       npm_ro    403 readonly  op=write
POST     /-/npm/v1/tokens                     npm_ro    403 readonly  op=write
DELETE   /-/npm/v1/tokens/token/npm_full      npm_ro    403 readonly  op=write
POST     /-/npm/v1/hooks/hook                 npm_ro    403 readonly  op=write
PUT      /-/user/v1/star                      npm_ro    403 readonly  op=write
POST     /-/stage/package/pkg                 npm_ro    403 readonly  op=write
PATCH    /pkg                                 npm_ro    403 readonly  op=write
MKCOL    /pkg                                 npm_ro    403 readonly  op=write
PROPFIND /pkg                                 npm_ro    403 readonly  op=write
FETCH    /pkg                                 npm_ro    403 readonly  op=write
get      /pkg                                 npm_ro    400
POST     /pkg                                 npm_full  200
PUT      /pkg                                 npm_full  200
POST     /-/npm/v1/tokens                     npm_full  200
DELETE   /-/npm/v1/tokens/token/npm_ro        npm_full  200



=== TEST 4: sessions: with no token, a stale one, another scheme, nonsense
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT   /-/user/org.couchdb.user:alice                            -             200
PUT   /-/user/org.couchdb.user:alice                            npm_other     200 auth=sent
PUT   /-/user/org.couchdb.user:alice                            npm_dead      200 auth=sent
PUT   /-/user/org.couchdb.user:alice                            npm_bad       200 auth=sent
PUT   /-/user/org.couchdb.user:alice                            npm_ro        200 auth=sent
PUT   /-/user/org.couchdb.user:alice                            "Bearer"      200 auth=""
PUT   /-/user/org.couchdb.user:alice                            "Basic YTpi"  200 auth=sent
PUT   /-/user/org.couchdb.user:alice/-rev/1-2                   "Basic YTpi"  200 auth=sent
PUT   /-/user/org.couchdb.user:alice/-rev/undefined             "Basic YTpi"  200 auth=sent
PUT   /-/user/org.couchdb.user:al%20ice                         -             200
PUT   /-/user/org.couchdb.user:alice%40example.com              -             200
GET   /-/user/org.couchdb.user:alice?write=true                 "Basic YTpi"  200 auth=sent
POST  /-/v1/login                                               -             200
POST  /-/v1/login                                               npm_other     200 auth=sent
POST  /-/npm/v1/oidc/token/exchange/package/pkg                 "Bearer ey.J.x"  200 auth=sent
POST  /-/npm/v1/oidc/token/exchange/package/@s%2fpkg            "Bearer ey.J.x"  200 auth=sent
POST  /-/npm/v1/oidc/token/exchange/package/%40s%2Fpkg          "Bearer ey.J.x"  200 auth=sent
GET   /-/ping                                                   -             200
GET   /-/ping?write=true                                        npm_other     200
HEAD  /-/ping                                                   -             200



=== TEST 5: what is nearly a session
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /-/user/org.couchdb.user:                                -       401 no_token  op=write
PUT     /-/user/org.couchdb.user                                 -       401 no_token  op=write
PUT     /-/user/alice                                            -       401 no_token  op=write
PUT     /-/user/ORG.couchdb.user:alice                           -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:alice/                          -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:alice/x                         -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/../b                          -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%2fb                           -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%252fb                         -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%0d%0ab                        -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a;b                             -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%5cb                           -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:alice/-rev/                     -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:alice/-rev/1/2                  -       401 no_token  op=write
DELETE  /-/user/org.couchdb.user:alice                           -       401 no_token  op=write
POST    /-/user/org.couchdb.user:alice                           -       401 no_token  op=write
GET     /-/user/org.couchdb.user:alice?write=true&x=1            -       401 no_token  op=read
GET     /-/user/org.couchdb.user:alice?write=false               -       401 no_token  op=read
POST    /-/v1/login/                                             -       401 no_token  op=write
POST    /-/v1/Login                                              -       401 no_token  op=write
PUT     /-/v1/login                                              -       401 no_token  op=write
GET     /-/v1/login                                              -       401 no_token  op=read
GET     /-/v1/done?sessionId=1                                   -       401 no_token  op=read
POST    /-/npm/v1/oidc/token/exchange/package/                   -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/@s/pkg             -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/pkg/x              -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/..%2fpkg           -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/@s%2f..            -       401 no_token  op=write
POST    /-/ping                                                  -       401 no_token  op=write
GET     /-/ping/                                                 -       401 no_token  op=read
GET     /-/pingpong                                              -       401 no_token  op=read
PUT     /-/user/v1/star                                          -       401 no_token  op=write



=== TEST 6: logout, in whatever state the token is
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases
DELETE  /-/user/token/npm_full       npm_full    200 user=alice auth=""
DELETE  /-/user/token/npm_ro         npm_ro      200 user=bob   auth=""
DELETE  /-/user/token/npm_dead       npm_dead    200 user=""    auth=sent
DELETE  /-/user/token/npm_old        npm_old     200 user=""    auth=sent
DELETE  /-/user/token/npm_far        npm_far     200 user=""    auth=sent
DELETE  /-/user/token/npm_other      npm_other   200 user=""    auth=sent
DELETE  /-/user/token/npm_shared     npm_shared  403 protected   op=logout
DELETE  /-/user/token/npm_bad        npm_bad     403 bad_record  op=logout
DELETE  /-/user/token/npm_ro?x=1     npm_ro      200
DELETE  /-/user/token/npm%5fro       npm_ro      200
DELETE  /-/user/token/%6Epm_ro       npm_ro      200
DELETE  /-/user/token/dG9r/ZW4=      dG9r/ZW4=   200 user=base
DELETE  /-/user/token/dG9r%2FZW4%3D  dG9r/ZW4=   200 user=base
DELETE  /-/user/token/dG9r%2fZW4%3d  dG9r/ZW4=   200 user=base
DELETE  /-/user/token/a/../b         a/../b      403 readonly    op=write
DELETE  /-/user/token/a%2f..%2fb     a/../b      403 readonly    op=write
DELETE  /-/user/token/a//b           a//b        403 readonly    op=write



=== TEST 7: logout of another token, or of nothing
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
DELETE  /-/user/token/npm_full        npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_other       npm_ro  403 readonly  op=write
DELETE  /-/user/token/                npm_ro  403 readonly  op=write
DELETE  /-/user/token                 npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_r           npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_roo         npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro/         npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro/x        npm_ro  403 readonly  op=write
DELETE  /-/user/token/NPM_RO          npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm%255fro      npm_ro  403 readonly  op=write
DELETE  /-/user/TOKEN/npm_ro          npm_ro  403 readonly  op=write
DELETE  /-/user//token/npm_ro         npm_ro  403 readonly  op=write
DELETE  /-/user/token//npm_ro         npm_ro  403 readonly  op=write
DELETE  /-/user/x/../token/npm_ro     npm_ro  403 readonly  op=write
PUT     /-/user/token/npm_ro          npm_ro  403 readonly  op=write
POST    /-/user/token/npm_ro          npm_ro  403 readonly  op=write
GET     /-/user/token/npm_ro          npm_ro  200
DELETE  /-/user/token/npm_ro          -       401 no_token  op=write
DELETE  /-/user/token/npm_full        npm_full  200
DELETE  /-/user/token/npm_ro          npm_full  200



=== TEST 8: one path for nginx, another for the registry
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
DELETE  /pkg/-rev/1/../../../-/user/token/npm_ro           npm_ro  403 readonly  op=write
DELETE  /pkg/-rev/1/%2e%2e/%2e%2e/%2e%2e/-/user/token/npm_ro  npm_ro  403 readonly  op=write
DELETE  /pkg/-rev/1%2f..%2f..%2f..%2f-/user/token/npm_ro   npm_ro  403 readonly  op=write
DELETE  /./-/user/token/npm_ro                             npm_ro  403 readonly  op=write
DELETE  //-/user/token/npm_ro                              npm_ro  403 readonly  op=write
DELETE  /%2d/user/token/npm_ro                             npm_ro  403 readonly  op=write
DELETE  /-%2fuser%2ftoken%2fnpm_ro                         npm_ro  403 readonly  op=write
DELETE  /-/user/token/x/../npm_ro                          npm_ro  403 readonly  op=write
DELETE  /-/user/token/../token/npm_ro                      npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro/../npm_ro                     npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro;x                             npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro%3fx                           npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro%23x                           npm_ro  403 readonly  op=write
PUT     /pkg/../-/user/org.couchdb.user:a                  -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/../../../pkg            -       401 no_token  op=write
PUT     /pkg%2f..%2f-/user/org.couchdb.user:a              -       401 no_token  op=write
PUT     /-/./user/org.couchdb.user:a                       -       401 no_token  op=write
PUT     /-//user/org.couchdb.user:a                        -       401 no_token  op=write
PUT     /%2d/user/org.couchdb.user:a                       -       401 no_token  op=write
PUT     /-/%75ser/org.couchdb.user:a                       -       401 no_token  op=write
POST    /pkg/../-/v1/login                                 -       401 no_token  op=write
POST    /-/v1/../v1/login                                  -       401 no_token  op=write
POST    /-/v1/login/.                                      -       401 no_token  op=write
POST    /-/v1/login/x/..                                   -       401 no_token  op=write
POST    /-/npm/v1/security/audits/../../tokens             npm_ro  403 readonly  op=write
POST    /pkg/../-/npm/v1/security/audits                   npm_ro  403 readonly  op=write
POST    /-/npm/v1/security//audits                         npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits/                         npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/AUDITS                          npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits%2fquick                  npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits%20                       npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits;x                        npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits%5c                       npm_ro  403 readonly  op=write
GET     /pkg/../-/ping                                     -       401 no_token  op=read
GET     /-/ping%2f..%2f..%2fpkg                            -       401 no_token  op=read
--- registry_lines



=== TEST 9: slashes are not merged
--- tokens eval: $::tokens
--- config eval
"    merge_slashes off;\n" . $::location
--- cases
DELETE  //-/user/token/npm_ro                  npm_ro  403 readonly  op=write
PUT     /-//user/org.couchdb.user:a            -       401 no_token  op=write
POST    //-/npm/v1/security/audits             npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro                   npm_ro  200



=== TEST 10: a header that overrides the method makes it a write
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET     /pkg                               npm_ro    403 readonly  op=write  +"X-HTTP-Method-Override: DELETE"
GET     /pkg                               npm_ro    403 readonly  op=write  +"X-HTTP-Method-Override: GET"
GET     /pkg                               npm_ro    403 readonly  op=write  +"x-http-method-override: PUT"
GET     /pkg                               npm_ro    403 readonly  op=write  +"X-HTTP-Method: PUT"
GET     /pkg                               npm_ro    403 readonly  op=write  +"X-Method-Override: PUT"
HEAD    /pkg                               npm_ro    403 readonly  op=write  +"X-Method-Override: PUT"
POST    /-/npm/v1/security/audits          npm_ro    403 readonly  op=write  +"X-HTTP-Method-Override: PUT"
PUT     /-/user/org.couchdb.user:a         -         401 no_token  op=write  +"X-HTTP-Method-Override: DELETE"
GET     /-/ping                            -         401 no_token  op=write  +"X-HTTP-Method-Override: DELETE"
DELETE  /-/user/token/npm_ro               npm_ro    403 readonly  op=write  +"X-HTTP-Method-Override: DELETE"
GET     /pkg                               npm_ro    200                     +"X-HTTP-Method-Overrides: DELETE"
GET     /pkg                               npm_ro    200                     +"X-Method: DELETE"
GET     /pkg                               npm_full  200                     +"X-HTTP-Method-Override: DELETE"



=== TEST 11: ... with underscores, where nginx lets them through; and behind many others
--- tokens eval: $::tokens
--- config eval
"    underscores_in_headers on;\n" . $::location
--- cases eval
qq{GET  /pkg  npm_ro  403 readonly  op=write  +"X_HTTP_Method_Override: DELETE"
GET  /pkg  npm_ro  403 readonly  op=write  $::many +"X-Method-Override: PUT"
GET  /pkg  npm_ro  200 $::many
}



=== TEST 12: absolute-form
--- no_http2
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET     http://localhost/pkg                                    npm_ro    200 uri=/pkg
GET     http://localhost/pkg                                    -         401 no_token  op=read
PUT     http://localhost/pkg                                    npm_ro    403 readonly  op=write
PUT     http://other.example:8080/-/user/org.couchdb.user:a     -         200 uri=/-/user/org.couchdb.user:a
PUT     http://localhost/x/../-/user/org.couchdb.user:a         -         401 no_token  op=write
PUT     http://localhost/-/user/org.couchdb.user:a/../../../p   -         401 no_token  op=write
DELETE  http://localhost/-/user/token/npm_ro                    npm_ro    200 uri=/-/user/token/npm_ro
DELETE  http://localhost//-/user/token/npm_ro                   npm_ro    403 readonly  op=write
POST    http://localhost/-/npm/v1/security/audits               npm_ro    200
GET     http://localhost                                        npm_ro    200 uri=/
GET     http://localhost?/-/ping                                -         401 no_token  op=read
PUT     http://localhost?/-/user/org.couchdb.user:a             -         401 no_token  op=write



=== TEST 13: raw bytes in the request line
--- no_http2
--- tokens eval: $::tokens
--- config eval: $::location
--- raw_request eval
"PUT /-/user/org.couchdb.user:a\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n"
. "Connection: close\r\nContent-Length: 0\r\n\r\n"
--- error_code: 401
--- response_body_like: no_token



=== TEST 14: a fragment, which nginx cuts off its own path and not off the registry's
--- no_http2
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /-/user/org.couchdb.user:a#x           -       401 no_token  op=write
DELETE  /-/user/token/npm_ro#/x                npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits#             npm_ro  403 readonly  op=write
GET     /pkg#x                                 npm_ro  200



=== TEST 15: an internal rewrite does not make an exception of a write
--- tokens eval: $::tokens
--- config
    rewrite ^/innocent$ /-/user/org.couchdb.user:a last;
    rewrite ^/-/v1/login$ /pkg last;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
PUT   /innocent      -  401 no_token  op=write
POST  /-/v1/login    -  401 no_token  op=write



=== TEST 16: HTTP/1.0 without Host, and a lone Host of another name
--- no_http2
--- tokens eval: $::tokens
--- config eval: $::location
--- raw_request eval
"DELETE /-/user/token/npm_ro HTTP/1.0\r\nAuthorization: Bearer npm_ro\r\n\r\n"
--- response_body_like: ^DELETE /-/user/token/npm_ro\n
