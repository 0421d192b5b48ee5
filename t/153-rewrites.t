# rewrite, set and if before the module, and every kind of location: of the
# path that was sent and the one that nginx made of it, the worse counts.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $tokens = <<'_EOT_';
npm_full    user=alice
npm_ro      user=bob readonly=true
npm_dead    user=bob revoked_at=1
_EOT_

run_tests();

__DATA__

=== TEST 1: of two classes the worse
--- tokens eval: $::tokens
--- config
    npmtoken main;

    rewrite  ^/-/v1/login$                      /-/npm/v1/security/audits  break;
    rewrite  ^/-/npm/v1/security/audits/quick$  /-/v1/login                break;
    rewrite  ^/-/npm/v1/security/audits$        /-/npm/v1/tokens           break;
    rewrite  ^/-/user/token/npm_ro$             /pkg/-rev/1                break;
    rewrite  ^/pkg/-rev/2$                      /-/user/token/npm_ro       break;
    rewrite  ^/-/ping$                          /pkg                       break;
    rewrite  ^/pkg/1$                           /-/ping                    break;
    rewrite  ^/-/user/org.couchdb.user:one$     /-/user/org.couchdb.user:two  break;
    rewrite  ^/-/user/org.couchdb.user:bad$     /-/user/org.couchdb.user:a/b  break;
    rewrite  ^/-/npm/v1/oidc/token/exchange/package/pkg$  /-/v1/login      break;

    location / {
        proxy_pass http://registry;
    }
--- cases
POST    /-/v1/login                      npm_ro    200 uri=/-/npm/v1/security/audits
POST    /-/v1/login                      -         401 no_token  op=read
POST    /-/v1/login                      npm_dead  401 revoked   op=read
POST    /-/npm/v1/security/audits/quick  npm_ro    200 uri=/-/v1/login
POST    /-/npm/v1/security/audits/quick  -         401 no_token  op=read
POST    /-/npm/v1/security/audits        npm_ro    403 readonly  op=write
POST    /-/npm/v1/security/audits        npm_full  200 uri=/-/npm/v1/tokens
DELETE  /-/user/token/npm_ro             npm_ro    403 readonly  op=write
DELETE  /pkg/-rev/2                      npm_ro    403 readonly  op=write
GET     /-/ping                          -         401 no_token  op=read
GET     /pkg/1                           -         401 no_token  op=read
PUT     /-/user/org.couchdb.user:one     -         200 uri=/-/user/org.couchdb.user:two
PUT     /-/user/org.couchdb.user:bad     -         401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/pkg  -  200 uri=/-/v1/login



=== TEST 2: a prefix that a rewrite takes away, by break and by last
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location /npm/ {
        npmtoken_base /npm/;
        rewrite ^/npm/(.*)$ /$1 break;
        proxy_pass http://registry;
    }
    location /last/ {
        rewrite ^/last/(.*)$ /inner/$1 last;
    }
    location /inner/ {
        internal;
        npmtoken_base /last/;
        rewrite ^/inner/(.*)$ /$1 break;
        proxy_pass http://registry;
    }
    location ~* ^/any/ {
        npmtoken_base /any/;
        rewrite (?i)^/any/(.*)$ /$1 break;
        proxy_pass http://registry;
    }
--- cases
GET     /npm/@s%2fpkg                        npm_ro    200 uri=/@s/pkg
PUT     /npm/@s%2fpkg                        npm_ro    403 readonly  op=write
POST    /npm/-/npm/v1/security/audits        npm_ro    200 uri=/-/npm/v1/security/audits
PUT     /npm/-/user/org.couchdb.user:a       -         200 uri=/-/user/org.couchdb.user:a
DELETE  /npm/-/user/token/npm_ro             npm_ro    200 uri=/-/user/token/npm_ro
PUT     /npm/npm/-/user/org.couchdb.user:a   -         401 no_token  op=write
PUT     /npm//-/user/org.couchdb.user:a      -         401 no_token  op=write
PUT     /npm/x/../-/user/org.couchdb.user:a  -         401 no_token  op=write
POST    /last/-/npm/v1/security/audits       npm_ro    200 uri=/-/npm/v1/security/audits
PUT     /last/-/user/org.couchdb.user:a      -         200 uri=/-/user/org.couchdb.user:a
DELETE  /last/-/user/token/npm_ro            npm_ro    200 uri=/-/user/token/npm_ro
PUT     /last/pkg                            npm_ro    403 readonly  op=write
PUT     /inner/-/user/org.couchdb.user:a     -         404
PUT     /any/-/user/org.couchdb.user:a       -         200 uri=/-/user/org.couchdb.user:a
PUT     /Any/-/user/org.couchdb.user:a       -         401 no_token  op=write
PUT     /%61ny/-/user/org.couchdb.user:a     -         401 no_token  op=write
POST    /ANY/-/npm/v1/security/audits        npm_ro    403 readonly  op=write
GET     /ANY/pkg                             npm_ro    200 uri=/pkg



=== TEST 3: a prefix that a rewrite puts in front: no exceptions; a URI keeps them
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        rewrite ^/(.*)$ /repository/npm/$1 break;
        proxy_pass http://registry;
    }
    location /uri/ {
        npmtoken_base /uri/;
        proxy_pass http://registry/repository/npm/;
    }
--- cases
GET     /pkg                                 npm_ro    200 uri=/repository/npm/pkg
POST    /-/npm/v1/security/audits            npm_ro    403 readonly  op=write
PUT     /-/user/org.couchdb.user:a           -         401 no_token  op=write
DELETE  /-/user/token/npm_ro                 npm_ro    403 readonly  op=write
GET     /-/ping                              -         401 no_token  op=read
POST    /uri/-/npm/v1/security/audits        npm_ro    200 uri=/repository/npm/-/npm/v1/security/audits
PUT     /uri/-/user/org.couchdb.user:a       -         200 uri=/repository/npm/-/user/org.couchdb.user:a
DELETE  /uri/-/user/token/npm_ro             npm_ro    200 uri=/repository/npm/-/user/token/npm_ro



=== TEST 4: set and if
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        set $to /-/v1/login;

        if ($http_x_to) {
            set $to $http_x_to;
        }
        if ($request_method = POST) {
            rewrite ^ $to break;
        }

        proxy_pass http://registry;
    }
    location /if/ {
        npmtoken_base /if/;

        if ($request_method = PUT) {
            proxy_pass http://registry;
        }

        proxy_pass http://registry;
    }
    location /off/ {
        if ($http_x_off) {
            proxy_pass http://registry;
        }

        proxy_pass http://registry;
    }
--- cases
POST    /pkg                                 -         401 no_token  op=write
POST    /-/v1/login                          -         200 uri=/-/v1/login
POST    /-/v1/login                          -         401 no_token  op=write  +"X-To: /pkg"
POST    /pkg                                 npm_ro    403 readonly  op=write  +"X-To: /-/npm/v1/security/audits"
POST    /-/npm/v1/security/audits            npm_ro    200                     +"X-To: /-/npm/v1/security/audits"
POST    /-/npm/v1/security/audits            npm_ro    403 readonly  op=write  +"X-To: /-/npm/v1/security/../tokens"
PUT     /if/-/user/org.couchdb.user:a        -         200
PUT     /if/pkg                              npm_ro    403 readonly  op=write
PUT     /if/pkg                              npm_full  200
GET     /if/pkg                              npm_ro    200
PUT     /off/pkg                             npm_ro    403 readonly  op=write  +"X-Off: 1"
GET     /off/pkg                             -         401 no_token            +"X-Off: 1"



=== TEST 5: a query that is changed: the exception with one needs it in both
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        proxy_pass http://registry;
    }
    location /-/user/org.couchdb.user:added {
        set $args write=true;
        proxy_pass http://registry;
    }
    location /-/user/org.couchdb.user:taken {
        set $args "";
        proxy_pass http://registry;
    }
    location /-/user/org.couchdb.user:another {
        rewrite ^ /-/user/org.couchdb.user:b?write=true&more=1? break;
        proxy_pass http://registry;
    }
    location /-/user/org.couchdb.user:same {
        rewrite ^ /-/user/org.couchdb.user:b break;
        proxy_pass http://registry;
    }
--- cases
GET     /-/user/org.couchdb.user:a?write=true        -  200 uri=/-/user/org.couchdb.user:a?write=true
GET     /-/user/org.couchdb.user:added               -  401 no_token  op=read
GET     /-/user/org.couchdb.user:taken?write=true    -  401 no_token  op=read
GET     /-/user/org.couchdb.user:another?write=true  -  401 no_token  op=read
GET     /-/user/org.couchdb.user:same?write=true     -  200 uri=/-/user/org.couchdb.user:b?write=true



=== TEST 6: locations by a regex
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location ~ ^/api/npm/(?<name>one|two)/ {
        npmtoken_base /api/npm/one/;
        proxy_pass http://registry;
    }
    location ~* ^/repository/ {
        npmtoken_base /repository/;
        proxy_pass http://registry;
    }
    location ~ \.tgz$ {
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
    location / {
        proxy_pass http://registry;
    }
--- cases
POST    /api/npm/one/-/npm/v1/security/audits          npm_ro    200
POST    /api/npm/two/-/npm/v1/security/audits          npm_ro    403 readonly  op=write
PUT     /api/npm/one/-/user/org.couchdb.user:a         -         200
PUT     /api/npm/one%2f-/user/org.couchdb.user:a       -         401 no_token  op=write
PUT     /repository/-/user/org.couchdb.user:a          -         200
PUT     /Repository/-/user/org.couchdb.user:a          -         401 no_token  op=write
GET     /Repository/pkg                                npm_ro    200
GET     /pkg/-/pkg-1.0.0.tgz                           -         200
HEAD    /@s/pkg/-/pkg-1.0.0.tgz                        -         200
GET     /pkg/-/pkg-1.0.0.TGZ                           -         401 no_token  op=read
PUT     /pkg/-/pkg-1.0.0.tgz                           -         401 no_token  op=write
DELETE  /pkg/-rev/1/x.tgz                              npm_ro    403 readonly  op=write
DELETE  /pkg/-/pkg-1.0.0.tgz/-rev/1                    npm_ro    403 readonly  op=write
POST    /-/v1/login/x.tgz                              -         401 no_token  op=write
GET     /pkg?x.tgz                                     -         401 no_token  op=read



=== TEST 7: "^~" and "="
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location ~ /open/ {
        npmtoken off;
        proxy_pass http://registry;
    }
    location ^~ /npm/ {
        npmtoken_base /npm/;
        proxy_pass http://registry;
    }
    location = /-/done {
        npmtoken off;
        proxy_pass http://registry/-/done;
    }
    location / {
        proxy_pass http://registry;
    }
--- cases
GET     /npm/open/pkg                        -         401 no_token  op=read
PUT     /npm/open/pkg                        npm_ro    403 readonly  op=write
PUT     /npm/-/user/org.couchdb.user:a       -         200
GET     /open/pkg                            -         200
GET     /-/done?session=1                    -         200 uri=/-/done?session=1
GET     /-/done/                             -         401 no_token  op=read
GET     /-/done%2f                           -         401 no_token  op=read
GET     /-/doNe                              -         401 no_token  op=read
GET     /-/done;x                            -         401 no_token  op=read
DELETE  /-/done/x                            npm_ro    403 readonly  op=write

# what goes by the exempt location gets there as that location's path
DELETE  /pkg/-rev/1/../../../-/done          -         200 uri=/-/done
DELETE  /pkg/-rev/1/..%2f..%2f..%2f-/done    -         200 uri=/-/done



=== TEST 8: nested locations, each with its own
--- tokens eval: $::tokens
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;

        location /npm/-/v1/ {
            proxy_pass http://registry;
        }
        location /npm/open/ {
            npmtoken off;
            proxy_pass http://registry/npm/open/;

            location /npm/open/closed/ {
                npmtoken main;
                proxy_pass http://registry;
            }
        }
        location ~ ^/npm/free/.*\.tgz$ {
            npmtoken_anonymous read;
            proxy_pass http://registry;
        }
        location /npm/inner/ {
            npmtoken_base /npm/inner/;
            proxy_pass http://registry;
        }
    }
--- cases
GET     /npm/pkg                              npm_ro    200 user=bob
POST    /npm/-/v1/login                       -         200 user=""
POST    /npm/-/v1/logout                      -         401 no_token  op=write
PUT     /npm/open/pkg                         -         200 user="" +"X-Npm-User: root"
PUT     /npm/open/closed/pkg                  -         401 no_token  op=write
PUT     /npm/open/x/../closed/pkg             -         401 no_token  op=write
PUT     /npm/open/../pkg                      -         401 no_token  op=write
PUT     /npm/open/%2e%2e/pkg                  -         401 no_token  op=write
PUT     /npm/pkg/../open/x                    -         200 uri=/npm/open/x
GET     /npm/free/pkg.tgz                     -         200
GET     /npm/free/../pkg.tgz                  -         401 no_token  op=read
PUT     /npm/free/pkg.tgz                     -         401 no_token  op=write
PUT     /npm/inner/-/user/org.couchdb.user:a  -         200
PUT     /npm/-/user/org.couchdb.user:a        -         200
PUT     /npm/innerx/-/user/org.couchdb.user:a -         401 no_token  op=write



=== TEST 9: named locations: the method stays, and so does the path that was sent
--- tokens eval: $::tokens
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/old;
        return 404;
    }
--- config
    npmtoken_identity X-Npm-User;

    location / {
        npmtoken main;
        proxy_intercept_errors on;
        error_page 404 = @new;
        proxy_pass http://unix:$TEST_NGINX_DIR/old;
    }
    location @new {
        npmtoken main;
        rewrite ^/pkg$ /-/v1/login break;
        rewrite ^/-/npm/v1/security/audits$ /-/npm/v1/tokens break;
        proxy_pass http://registry;
    }
    location /open/ {
        try_files /nothing @new;
    }
    location /open/pkg {
        rewrite ^/open(/pkg)$ $1 break;
        try_files /nothing @new;
    }
--- cases
GET     /other                               npm_ro    200 user=bob uri=/other
PUT     /other                               npm_ro    403 readonly  op=write
PUT     /other                               npm_full  200 user=alice uri=/other
POST    /pkg                                 npm_ro    403 readonly  op=write
POST    /pkg                                 npm_full  200 uri=/-/v1/login
POST    /-/npm/v1/security/audits            npm_ro    403 readonly  op=write
POST    /-/npm/v1/security/audits/quick      npm_ro    200 user=bob
PUT     /-/user/org.couchdb.user:a           -         200 user="" +"X-Npm-User: root"
PUT     /open/x                              -         401 no_token  op=write
PUT     /open/-/user/org.couchdb.user:a      -         401 no_token  op=write
POST    /open/pkg                            -         401 no_token  op=write



=== TEST 10: slashes that are not merged, below a base
--- tokens eval: $::tokens
--- config
    merge_slashes off;
    npmtoken main;

    location /npm/ {
        npmtoken_base /npm/;
        proxy_pass http://registry;
    }
    location /uri/ {
        npmtoken_base /uri/;
        proxy_pass http://registry/;
    }
    location / {
        proxy_pass http://registry;
    }
--- cases
PUT     /npm/-/user/org.couchdb.user:a       -         200
PUT     /npm//-/user/org.couchdb.user:a      -         401 no_token  op=write
PUT     //npm/-/user/org.couchdb.user:a      -         401 no_token  op=write
PUT     /npm/-//user/org.couchdb.user:a      -         401 no_token  op=write
PUT     /uri//-/user/org.couchdb.user:a      -         401 no_token  op=write
POST    /uri/-/npm/v1/security/audits        npm_ro    200 uri=/-/npm/v1/security/audits
POST    /uri/-/npm/v1/security/audits//      npm_ro    403 readonly  op=write
DELETE  /uri/-/user/token//npm_ro            npm_ro    403 readonly  op=write
GET     /uri//-/ping                         -         401 no_token  op=read
