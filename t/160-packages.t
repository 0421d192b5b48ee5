# Tokens that may change certain packages only.  nginx has a path of its own
# making beside the one that was sent: what all the spellings are is in the
# unit tests; here is what nginx makes of them, in each way of handing them on.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $tokens = <<'_EOC_';
npm_one     user=alice packages=allowed
npm_some    user=alice packages="allowed, @s/pkg ,Mixed"
npm_scope   user=alice scopes=@s
npm_both    user=alice packages=allowed scopes="@s,@t"
npm_dash    user=alice packages=-
npm_ro      user=bob   packages=allowed readonly=true
npm_far     user=bob   packages=allowed cidr_whitelist=192.0.2.1
npm_old     user=bob   packages=allowed expires_at=1
npm_dead    user=bob   packages=allowed revoked_at=1
npm_bad     user=bob   packages=allowed nonsense=1
npm_shared  user=ci    packages=allowed protected=true
_EOC_

our $location = <<'_EOC_';
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
_EOC_

# no spelling gets a write to another package, or to none, past the module

our $spellings = <<'_EOC_';
PUT     /other                                          npm_both  403 package
PUT     /allowed2                                       npm_both  403 package
PUT     /allowe                                         npm_both  403 package
PUT     /Allowed                                        npm_both  403 package
PUT     /ALLOWED                                        npm_both  403 package
PUT     /allowed/                                       npm_both  403 package
PUT     //allowed                                       npm_both  403 package
PUT     /allowed//-rev/1                                npm_both  403 package
PUT     /./allowed                                      npm_both  403 package
PUT     /other/../allowed                               npm_both  403 package
PUT     /allowed/../other                               npm_both  403 package
PUT     /allowed/-rev/../../other                       npm_both  403 package
PUT     /allowed/-rev/..                                npm_both  403 package
PUT     /allowed/-rev/%2e%2e/%2e%2e/other               npm_both  403 package
PUT     /allowed%2f..%2fother                           npm_both  403 package
PUT     /other%2f..%2fallowed                           npm_both  403 package
PUT     /allowed%2f-rev%2f1                             npm_both  403 package
PUT     /allowed%2F%2e%2e%2Fother                       npm_both  403 package
PUT     /allowed%252f..%252fother                       npm_both  403 package
PUT     /allowed;x=/../other                            npm_both  403 package
PUT     /allowed%3bx                                    npm_both  403 package
PUT     /allowed\..\other                               npm_both  403 package
PUT     /allowed%5c..%5cother                           npm_both  403 package
PUT     /allowed%20                                     npm_both  403 package
PUT     /allowed%0a                                     npm_both  403 package
PUT     /allowed%3fx                                    npm_both  403 package
PUT     /allowed%23x                                    npm_both  403 package
PUT     /allowed%c0%af..%c0%afother                     npm_both  403 package
PUT     /allowed/-REV/1                                 npm_both  403 package
PUT     /allowed/tag                                    npm_both  403 package
PUT     /allowed/-/allowed-1.0.0.tgz                    npm_both  403 package
DELETE  /allowed                                        npm_both  403 package
DELETE  /allowed/-rev/1/../../../other/-rev/1           npm_both  403 package
DELETE  /allowed/-/other-1.0.0.tgz/-rev/1               npm_both  403 package
DELETE  /allowed/-/allowed-other-1.0.0.tgz/-rev/1       npm_both  403 package
DELETE  /allowed/-/../../other/-/other-1.tgz/-rev/1     npm_both  403 package
DELETE  /other/-/allowed-1.0.0.tgz/-rev/1               npm_both  403 package
PUT     /@s                                             npm_both  403 package
PUT     /@s/                                            npm_both  403 package
PUT     /@s%2f                                          npm_both  403 package
PUT     /@S%2fpkg                                       npm_both  403 package
PUT     /@u%2fpkg                                       npm_both  403 package
PUT     /@s%2f..%2fother                                npm_both  403 package
PUT     /@s/../other                                    npm_both  403 package
PUT     /@s%2f%2fpkg                                    npm_both  403 package
PUT     /@s//pkg                                        npm_both  403 package
PUT     /@s%252fpkg                                     npm_both  403 package
PUT     /%2540s%2fpkg                                   npm_both  403 package
PUT     /@s%2fpkg%2f..%2f..%2fother                     npm_both  403 package
PUT     /@s%2f@t%2fpkg                                  npm_both  403 package
PUT     /s%2fpkg                                        npm_both  403 package
PUT     /-/package/other/dist-tags/latest               npm_both  403 package
PUT     /-/package/allowed/../other/dist-tags/latest    npm_both  403 package
PUT     /-/package/allowed%2f..%2fother/dist-tags/t     npm_both  403 package
PUT     /-/package/allowed/dist-tags/t/../../../other/dist-tags/t  npm_both  403 package
PUT     /-/package/allowed/dist-tags                    npm_both  403 package
PUT     /-/PACKAGE/allowed/dist-tags/t                  npm_both  403 package
POST    /-/package/other/access                         npm_both  403 package
POST    /-/package/allowed/access/x                     npm_both  403 package
POST    /-/stage/package/other                          npm_both  403 package
POST    /allowed                                        npm_both  403 package
PATCH   /allowed                                        npm_both  403 package
COPY    /allowed      npm_both  403 package  +"Destination: /other"
MOVE    /allowed      npm_both  403 package  +"Destination: /other"
PUT     /allowed      npm_both  403 package  +"X-HTTP-Method-Override: DELETE"
GET     /allowed      npm_both  403 package  +"X-HTTP-Method: PUT"
_EOC_

our $nowhere = <<'_EOC_';
PUT     /                                     npm_both  403 package
PUT     /-                                    npm_dash  403 package
PUT     /-/-rev/1                             npm_dash  403 package
PUT     /-/org/o/user                         npm_both  403 package
PUT     /-/org/s/team                         npm_both  403 package
DELETE  /-/team/s/t                           npm_both  403 package
PUT     /-/team/s/t/package                   npm_both  403 package
PUT     /-/team/s/t/user                      npm_both  403 package
POST    /-/npm/v1/hooks/hook                  npm_both  403 package
POST    /-/npm/v1/user                        npm_both  403 package
POST    /-/npm/v1/tokens                      npm_both  403 package
DELETE  /-/npm/v1/tokens/token/0123ab         npm_both  403 package
PUT     /-/user/v1/star                       npm_both  403 package
POST    /-/stage/1/approve                    npm_both  403 package
DELETE  /-/stage/1                            npm_both  403 package
DELETE  /-/user/token/npm_one                 npm_both  403 package
POST    /-/anything                           npm_both  403 package
_EOC_

run_tests();

__DATA__

=== TEST 1: what is named may be changed
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /allowed                                     npm_one    200 user=alice uri=/allowed
PUT     /allowed?write=true                          npm_one    200 user=alice
PUT     /allowed/-rev/1-a                            npm_one    200 user=alice
DELETE  /allowed/-rev/undefined                      npm_one    200 user=alice
DELETE  /allowed/-/allowed-1.0.0.tgz/-rev/1-a        npm_one    200 user=alice
PUT     /-/package/allowed/dist-tags/latest          npm_one    200 user=alice
DELETE  /-/package/allowed/dist-tags/a%20b           npm_one    200 user=alice
PUT     /-/package/allowed/owners                    npm_one    200 user=alice
POST    /-/package/allowed/access                    npm_one    200 user=alice
POST    /-/package/allowed/trust                     npm_one    200 user=alice
DELETE  /-/package/allowed/trust/1                   npm_one    200 user=alice
POST    /-/stage/package/allowed                     npm_one    200 user=alice
PUT     /%61llowed                                   npm_one    200 user=alice
PUT     /@s%2fpkg                                    npm_some   200 user=alice uri=/@s%2fpkg
PUT     /@s%2Fpkg                                    npm_some   200 user=alice
PUT     /@s/pkg                                      npm_some   200 user=alice uri=/@s/pkg
PUT     /%40s%2fpkg                                  npm_some   200 user=alice
PUT     /Mixed                                       npm_some   200 user=alice
POST    /-/package/%40s%2Fpkg/access                 npm_some   200 user=alice
DELETE  /@s/pkg/-/pkg-1.0.0.tgz/-rev/1-a             npm_some   200 user=alice
PUT     /@s%2fpkg                                    npm_scope  200 user=alice
PUT     /@s%2fother                                  npm_scope  200 user=alice
PUT     /@s%2fother                                  npm_both   200 user=alice
PUT     /@t%2fother                                  npm_both   200 user=alice
PUT     /allowed                                     npm_both   200 user=alice



=== TEST 2: and nothing else
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /other                                       npm_one    403 package op=write says="Token %T is limited to certain packages: it can install any, but publish and change only those. Put a token that may do this in .npmrc, or ask the registry's administrator for one."
PUT     /@s%2fallowed                                npm_one    403 package
PUT     /allowed                                     npm_scope  403 package
PUT     /@s%2fother                                  npm_some   403 package
PUT     /@t%2fpkg                                    npm_some   403 package
PUT     /mixed                                       npm_some   403 package
PUT     /@t%2fpkg                                    npm_scope  403 package
PUT     /@ss%2fpkg                                   npm_scope  403 package



=== TEST 3: reads, sessions and logout are not bound
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET     /other                                       npm_one    200 user=alice
HEAD    /@t%2fother                                  npm_one    200
GET     /other/-/other-1.0.0.tgz                     npm_one    200 user=alice
GET     /-/package/other/dist-tags                   npm_one    200 user=alice
GET     /-/whoami                                    npm_one    200 user=alice
GET     /-/npm/v1/tokens                             npm_one    200 user=alice
POST    /-/npm/v1/security/advisories/bulk           npm_one    200 user=alice
PUT     /-/user/org.couchdb.user:alice               npm_one    200 user=""
POST    /-/v1/login                                  npm_one    200 user=""
DELETE  /-/user/token/npm_one                        npm_one    200 user=alice
DELETE  /-/user/token/npm_shared                     npm_shared 403 protected



=== TEST 4: of several reasons
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /other                                       npm_ro     403 readonly
PUT     /allowed                                     npm_ro     403 readonly
PUT     /other                                       npm_far    401 cidr
PUT     /other                                       npm_old    401 expired
PUT     /other                                       npm_dead   401 revoked
PUT     /other                                       npm_bad    403 bad_record
GET     /other                                       npm_bad    403 bad_record



=== TEST 5: spellings
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval: $::spellings



=== TEST 6: writes about no package
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval: $::nowhere



=== TEST 7: spellings, where nginx sends its own
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry/;
    }
--- cases eval: $::spellings



=== TEST 8: spellings, where slashes are not merged, and with a regex location
--- tokens eval: $::tokens
--- config
    merge_slashes off;

    location ~ ^/ {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases eval: $::spellings



=== TEST 9: under a base, with and without a URI in proxy_pass
--- tokens eval: $::tokens
--- config
    npmtoken main;
    npmtoken_base /npm/;

    location /npm/ {
        proxy_pass http://registry/;
    }
    location /npm/npm/ {
        proxy_pass http://registry;
    }
    location / {
        proxy_pass http://registry;
    }
--- cases eval
($::spellings . $::nowhere) =~ s{^(\S+\s+)/}{$1/npm/}gmr . <<'_EOC_'
PUT     /npm/allowed                                 npm_one    200 uri=/allowed
PUT     /npm/@s/pkg                                  npm_scope  200 uri=/@s/pkg
DELETE  /npm/allowed/-rev/1                          npm_one    200 uri=/allowed/-rev/1
PUT     /npm/npm/allowed                             npm_one    403 package
PUT     /allowed                                     npm_one    403 package
PUT     /npm//allowed                                npm_one    403 package
PUT     /NPM/allowed                                 npm_one    403 package
PUT     /x/../npm/allowed                            npm_one    403 package
_EOC_



=== TEST 10: a rewrite: both paths have to name it
--- tokens
npm_one  user=alice packages=allowed
npm_two  user=alice packages=allowed,other,package,another
--- config
    npmtoken main;

    location / {
        rewrite ^/allowed$ /other break;
        rewrite ^/package$ /another break;
        rewrite ^/third$ /allowed break;
        rewrite ^/other/(.*)$ /other/$1 break;
        proxy_pass http://registry;
    }
    location /npm/ {
        npmtoken_base /npm/;
        rewrite ^/npm/(.*)$ /$1 break;
        proxy_pass http://registry;
    }
--- cases
PUT  /allowed         npm_one  403 package
PUT  /allowed         npm_two  403 package
PUT  /package         npm_two  403 package
PUT  /another         npm_two  200
PUT  /third           npm_one  403 package
PUT  /other           npm_two  200
PUT  /other/-rev/1    npm_two  200
PUT  /npm/allowed     npm_one  200 uri=/allowed
PUT  /npm/other       npm_one  403 package



=== TEST 11: each location that a request gets to judges
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        root html;
        try_files $uri @registry;
    }
    location @registry {
        proxy_pass http://registry;
    }
    location /index {
        root html;
        try_files $uri /other;
    }
    location /other {
        proxy_pass http://registry;
    }
--- cases
PUT  /allowed  npm_one  200
PUT  /other    npm_one  403 package
PUT  /index    npm_one  403 package
GET  /index    npm_one  200



=== TEST 12: from the cache, as from Redis
--- tokens eval: $::tokens
--- store_directives
cache 1m; push off; revocation_bound 60s;
--- http_config
    log_format test '$npmtoken_cache $npmtoken_verdict $npmtoken_package';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /other    npm_some   200
PUT  /other    npm_some   403 package
PUT  /@s/pkg   npm_some   200
PUT  /allowed  npm_both   200
PUT  /@t%2fx   npm_both   200
PUT  /@u%2fx   npm_both   403 package
--- test_lines
miss allow other
hit package other
hit allow @s/pkg
miss allow allowed
hit allow @t/x
hit package @u/x



=== TEST 13: lists that no slot of the cache has room for
--- init
put_token('npm_long', user => 'alice',
          packages => join(',', map { "package-$_" } 1 .. 500),
          scopes => join(', ', map { "\@scope-$_" } 1 .. 500));
--- store_directives
cache 1m; push off; revocation_bound 60s;
--- http_config
    log_format test '$npmtoken_cache $npmtoken_verdict $npmtoken_package';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
PUT  /package-1          npm_long  200
PUT  /package-500        npm_long  200
PUT  /package-501        npm_long  403 package
PUT  /@scope-500%2fx     npm_long  200
PUT  /@scope-501%2fx     npm_long  403 package
--- test_lines
miss allow package-1
miss allow package-500
miss package package-501
miss allow @scope-500/x
miss package @scope-501/x



=== TEST 14: fields that are not of their form
--- tokens
npm_1  user=alice packages=
npm_2  user=alice packages=allowed,
npm_3  user=alice packages="allowed other"
npm_4  user=alice packages=@s
npm_5  user=alice packages=@s/*
npm_6  user=alice packages=../allowed
npm_7  user=alice scopes=
npm_8  user=alice scopes=s
npm_9  user=alice scopes=@s/pkg
npm_a  user=alice bypass_2fa=yes
npm_b  user=alice package=allowed
npm_c  user=alice scope=@s
--- init
put_token('npm_d', user => 'alice', description => 'x' x 1025);
put_token('npm_e', user => 'alice', description => "a\nb");
put_token('npm_f', user => 'alice', bypass_2fa => 'true',
          description => "\xc3\xbc" . 'x' x 1022);
--- config eval: $::location
--- cases
GET  /allowed  npm_1  403 bad_record
GET  /allowed  npm_2  403 bad_record
GET  /allowed  npm_3  403 bad_record
GET  /allowed  npm_4  403 bad_record
GET  /allowed  npm_5  403 bad_record
GET  /allowed  npm_6  403 bad_record
GET  /allowed  npm_7  403 bad_record
GET  /allowed  npm_8  403 bad_record
GET  /allowed  npm_9  403 bad_record
GET  /allowed  npm_a  403 bad_record
GET  /allowed  npm_b  403 bad_record
GET  /allowed  npm_c  403 bad_record
GET  /allowed  npm_d  403 bad_record
GET  /allowed  npm_e  403 bad_record
PUT  /allowed  npm_f  200 user=alice



=== TEST 15: npmtoken_dry_run
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        proxy_pass http://registry;
    }
--- cases
PUT  /other    npm_one  200 package auth=sent
PUT  /allowed  npm_one  200



=== TEST 16: npmtoken_unknown pass
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_unknown pass;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases
PUT  /other    npm_one    403 package
PUT  /other    npm_other  200
