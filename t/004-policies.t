# What the policies of a location do: npmtoken_anonymous, npmtoken_unknown,
# npmtoken_base, npmtoken_dry_run, npmtoken_log_level, npmtoken_expiry_notice.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

# times from now: an hour, a little under and over a week
our ($hour, $days, $week) = map { time + int } 3600, 6.9 * 86400, 7.1 * 86400;

run_tests();

__DATA__

=== TEST 1: npmtoken_anonymous deny, and by default
--- config
    npmtoken main;

    location / {
        proxy_pass http://registry;
    }
    location /deny {
        npmtoken_anonymous deny;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg   -  401 no_token
GET   /deny  -  401 no_token
POST  /-/npm/v1/security/advisories/bulk  -  401 no_token  op=read



=== TEST 2: npmtoken_anonymous read
--- tokens
npm_full  user=alice
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases
GET      /pkg                                 -          200 auth="" notice=""
HEAD     /pkg                                 -          200
OPTIONS  /pkg                                 -          200
GET      /pkg                                 ""         200
POST     /-/npm/v1/security/advisories/bulk   -          200
PUT      /pkg                                 -          401 no_token  op=write
DELETE   /pkg/-rev/1                          -          401 no_token  op=write
DELETE   /-/user/token/npm_full               -          401 no_token  op=write
POST     /-/npm/v1/tokens                     -          401 no_token
GET      /pkg                                 npm_other  401 unknown
GET      /pkg                                 "Basic a"  401 unknown
GET      /pkg                                 "Bearer,"  401 bad_token
GET      /pkg                                 npm_full   200



=== TEST 3: npmtoken_anonymous of a variable
--- http_config
    map $http_x_policy $policy {
        default  $http_x_policy;
        half     "$http_x_policy, then";
    }
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous $policy;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  -  200           +"X-Policy: read"
PUT  /pkg  -  401 no_token  +"X-Policy: read"
GET  /pkg  -  401 no_token  +"X-Policy: deny"
GET  /pkg  -  401 no_token
GET  /pkg  -  401 no_token  +"X-Policy: READ"
GET  /pkg  -  401 no_token  +"X-Policy: reader"
GET  /pkg  -  401 no_token  +"X-Policy: rea"
GET  /pkg  -  401 no_token  +"X-Policy: on"
GET  /pkg  -  401 no_token  +"X-Policy: sent_by_client"
--- error_log
the variable in "npmtoken_anonymous" directive is neither "read" nor "deny" and counts as "deny"
--- no_error_log
sent_by_client



=== TEST 4: a variable in the middle of a value
--- config
    set $mode ea;

    location / {
        npmtoken main;
        npmtoken_anonymous "r${mode}d";
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  -  200
PUT  /pkg  -  401 no_token



=== TEST 5: npmtoken_anonymous by the client's network
--- http_config
    geo $anonymous {
        default    deny;
        127.0.0.1  read;
    }
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous $anonymous;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  -  200
PUT  /pkg  -  401 no_token



=== TEST 6: npmtoken_unknown deny, and by default
--- config
    npmtoken main;
    npmtoken_anonymous read;

    location / {
        proxy_pass http://registry;
    }
    location /deny {
        npmtoken_unknown deny;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg                      npm_other       401 unknown
GET     /pkg                      "Basic YTpi"    401 unknown
PUT     /pkg                      npm_other       401 unknown
GET     /deny                     npm_other       401 unknown
GET     /deny                     "Digest a=b"    401 unknown
DELETE  /-/user/token/npm_other   npm_other       200 auth=sent user=""



=== TEST 7: npmtoken_unknown anonymous, where reading is free
--- tokens
npm_full     user=alice
npm_revoked  revoked_at=1
npm_expired  expires_at=1
npm_bad      nonsense=1
npm_cidr     cidr_whitelist=192.0.2.1
npm_ro       readonly=true
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_unknown anonymous;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg  npm_other      200  auth="" user="" notice="^Token [0-9a-f]{8} is unknown or was revoked\."
GET     /pkg  "Basic YTpi"   200  auth="" user="" notice="^This registry knows tokens only, not the credentials sent\."
HEAD    /pkg  npm_other      200  notice="is unknown"
PUT     /pkg  npm_other      401 unknown
PUT     /pkg  "Basic YTpi"   401 unknown
GET     /pkg  "Bearer,"      401 bad_token
GET     /pkg  -              200  auth="" notice=""
PUT     /pkg  -              401 no_token
GET     /pkg  npm_full       200  auth=sent notice=""
PUT     /pkg  npm_full       200  auth=sent
GET     /pkg  npm_revoked    401 revoked
GET     /pkg  npm_expired    401 expired
GET     /pkg  npm_bad        403 bad_record
GET     /pkg  npm_cidr       401 cidr
PUT     /pkg  npm_ro         403 readonly
DELETE  /-/user/token/npm_other   npm_other   200 auth=sent notice=""
PUT     /-/user/org.couchdb.user:a  npm_other  200 auth=sent notice=""
PUT     /-/user/org.couchdb.user:a  "Basic YTpi"  200 auth=sent notice=""



=== TEST 8: npmtoken_unknown anonymous, where even reading is not
--- config
    location / {
        npmtoken main;
        npmtoken_unknown anonymous;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_other     401 unknown
GET  /pkg  "Basic YTpi"  401 unknown
PUT  /pkg  npm_other     401 unknown
GET  /pkg  -             401 no_token



=== TEST 9: npmtoken_unknown pass
--- tokens
npm_full     user=alice
npm_revoked  revoked_at=1
npm_expired  expires_at=1
npm_bad      nonsense=1
npm_cidr     cidr_whitelist=192.0.2.1
npm_ro       readonly=true
--- config
    location / {
        npmtoken main;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg  npm_other      200  auth=sent user="" notice=""
PUT     /pkg  npm_other      200  auth=sent user="" notice=""
GET     /pkg  "Basic YTpi"   200  auth=sent
PUT     /pkg  "Basic YTpi"   200  auth=sent
GET     /pkg  "Bearer,"      401 bad_token
GET     /pkg  -              401 no_token
PUT     /pkg  -              401 no_token
GET     /pkg  npm_full       200  auth=sent
GET     /pkg  npm_revoked    401 revoked
GET     /pkg  npm_expired    401 expired
GET     /pkg  npm_bad        403 bad_record
GET     /pkg  npm_cidr       401 cidr
GET     /pkg  npm_ro         200
PUT     /pkg  npm_ro         403 readonly



=== TEST 10: npmtoken_unknown pass: what Redis cannot be asked about does not pass
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- config
    location / {
        npmtoken main;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_other     503 unavailable
GET  /pkg  "Basic YTpi"  200 auth=sent



=== TEST 11: npmtoken_unknown pass gains nothing by "satisfy any"
--- tokens
npm_full  user=alice
--- config
    location / {
        satisfy any;
        deny all;
        npmtoken main;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
--- request eval
["GET /pkg", "GET /pkg", "GET /pkg"]
--- more_headers eval
["Authorization: Bearer npm_other", "Authorization: Basic YTpi",
 "Authorization: Bearer npm_full"]
--- error_code eval
[403, 403, 200]
--- response_headers eval
["! X-Registry", "! X-Registry", "X-Registry: yes"]



=== TEST 12: npmtoken_base
--- tokens
npm_full  user=alice
npm_ro    user=bob readonly=true
--- config
    npmtoken main;
    npmtoken_base /npm/;

    location / {
        proxy_pass http://registry;
    }
--- cases
POST    /npm/-/npm/v1/security/audits          npm_ro    200
POST    /-/npm/v1/security/audits              npm_ro    403 readonly
PUT     /npm/-/user/org.couchdb.user:a         -         200
PUT     /-/user/org.couchdb.user:a             -         401 no_token
PUT     /NPM/-/user/org.couchdb.user:a         -         401 no_token
PUT     /npm-/user/org.couchdb.user:a          -         401 no_token
PUT     /npm//-/user/org.couchdb.user:a        -         401 no_token
PUT     /x/npm/-/user/org.couchdb.user:a       -         401 no_token
PUT     /npm/npm/-/user/org.couchdb.user:a     -         401 no_token
PUT     /%6epm/-/user/org.couchdb.user:a       -         401 no_token
GET     /npm/-/ping                            -         200
GET     /-/ping                                -         401 no_token
DELETE  /npm/-/user/token/npm_ro               npm_ro    200
DELETE  /-/user/token/npm_ro                   npm_ro    403 readonly
GET     /npm/pkg                               npm_ro    200
GET     /elsewhere                             npm_ro    200
PUT     /npm/pkg                               npm_full  200



=== TEST 13: npmtoken_base without its slash, two segments, and "/"
--- config
    npmtoken main;

    location /one/ {
        npmtoken_base /one;
        proxy_pass http://registry;
    }
    location /repository/npm/ {
        npmtoken_base /repository/npm;
        proxy_pass http://registry;
    }
    location /-/ {
        npmtoken_base /;
        proxy_pass http://registry;
    }
--- cases
PUT  /one/-/user/org.couchdb.user:a             -  200
PUT  /repository/npm/-/user/org.couchdb.user:a  -  200
PUT  /-/user/org.couchdb.user:a                 -  200
PUT  /one-/user/org.couchdb.user:a              -  401 no_token
PUT  /one/one/-/user/org.couchdb.user:a         -  401 no_token



=== TEST 14: the path that was asked for counts, not only the one it became
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://registry/;
    }
    location /alias/ {
        npmtoken main;
        npmtoken_base /npm/;
        rewrite ^/alias/(.*)$ /npm/$1 break;
        proxy_pass http://registry;
    }
    location /inner/ {
        npmtoken main;
        npmtoken_base /inner/;
        rewrite ^/inner/(.*)$ /$1 break;
        proxy_pass http://registry;
    }
    location /evil/ {
        npmtoken main;
        rewrite ^/evil/.*$ /-/user/org.couchdb.user:a break;
        proxy_pass http://registry;
    }
    location /-/ {
        npmtoken main;
        rewrite ^ /pkg break;
        proxy_pass http://registry;
    }
--- cases
PUT  /npm/-/user/org.couchdb.user:a    -  200 uri=/-/user/org.couchdb.user:a
PUT  /inner/-/user/org.couchdb.user:a  -  200 uri=/-/user/org.couchdb.user:a
PUT  /alias/-/user/org.couchdb.user:a  -  401 no_token
PUT  /evil/x                           -  401 no_token
PUT  /-/user/org.couchdb.user:a        -  401 no_token



=== TEST 15: npmtoken_dry_run on: decided, logged, and let through as it came
--- tokens
npm_full     user=alice
npm_revoked  revoked_at=1
npm_expired  expires_at=1
npm_bad      nonsense=1
npm_cidr     cidr_whitelist=192.0.2.1
npm_ro       readonly=true
npm_shared   protected=true
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg  -             200 no_token    user="" auth="" notice=""
PUT     /pkg  "Bearer,"     200 bad_token   user="" auth=Bearer,
PUT     /pkg  "Bearer"      200 no_token    user="" auth=Bearer
PUT     /pkg  npm_other     200 unknown     user="" auth=sent
PUT     /pkg  "Basic YTpi"  200 unknown     user="" auth=sent
GET     /pkg  npm_revoked   200 revoked     user="" auth=sent notice=""
GET     /pkg  npm_expired   200 expired     user="" auth=sent
GET     /pkg  npm_bad       200 bad_record  user="" auth=sent
GET     /pkg  npm_cidr      200 cidr        user="" auth=sent
PUT     /pkg  npm_ro        200 readonly    user="" auth=sent
DELETE  /-/user/token/npm_shared  npm_shared  200 protected  user="" auth=sent
PUT     /pkg  npm_full      200             user=alice auth=""



=== TEST 16: npmtoken_dry_run on, without Redis
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        proxy_pass http://registry;
    }
--- cases
PUT  /pkg  npm_full  200 unavailable  auth=sent



=== TEST 17: npmtoken_dry_run with npmtoken_unknown anonymous: as it came
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        npmtoken_anonymous read;
        npmtoken_unknown anonymous;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_other     200          auth=sent notice=""
PUT  /pkg  npm_other     200 unknown  auth=sent
GET  /pkg  "Basic YTpi"  200          auth=sent notice=""



=== TEST 18: npmtoken_dry_run of a variable
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run $http_x_dry;
        proxy_pass http://registry;
    }
--- cases
PUT  /pkg  -  200 no_token  +"X-Dry: on"
PUT  /pkg  -  401 no_token  +"X-Dry: off"
PUT  /pkg  -  401 no_token
PUT  /pkg  -  401 no_token  +"X-Dry: 1"
PUT  /pkg  -  401 no_token  +"X-Dry: ON"
--- error_log
the variable in "npmtoken_dry_run" directive is neither "on" nor "off" and counts as "off"



=== TEST 19: npmtoken_dry_run gains nothing by "satisfy any"
--- tokens
npm_full  user=alice
--- config
    location / {
        satisfy any;
        deny all;
        npmtoken main;
        npmtoken_dry_run on;
        proxy_pass http://registry;
    }
--- request eval
["GET /pkg", "GET /pkg", "GET /pkg"]
--- more_headers eval
["", "Authorization: Bearer npm_other", "Authorization: Bearer npm_full"]
--- error_code eval
[403, 403, 403]
--- response_headers eval
["! X-Registry", "! X-Registry", "! X-Registry"]



=== TEST 20: without a dry run it is "satisfy any" that lets it in
--- tokens
npm_full  user=alice
--- config
    location / {
        satisfy any;
        deny all;
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_full  200



=== TEST 21: npmtoken_log_level error, and by default
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- error_log eval
qr/\[error\] \d+#\d+: \*\d+ npmtoken denied: no_token, key: -, operation: read, client: 127\.0\.0\.1, server: localhost, request: "GET \/pkg HTTP/



=== TEST 22: npmtoken_log_level info
--- config
    location / {
        npmtoken main;
        npmtoken_log_level info;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- error_log eval
qr/\[info\] \d+#\d+: \*\d+ npmtoken denied: no_token/



=== TEST 23: npmtoken_log_level notice
--- config
    location / {
        npmtoken main;
        npmtoken_log_level notice;
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 401
--- error_log eval
qr/\[notice\] \d+#\d+: \*\d+ npmtoken denied: no_token/



=== TEST 24: npmtoken_log_level warn, of a dry run too
--- config
    npmtoken main;

    location / {
        npmtoken_log_level warn;
        npmtoken_dry_run on;
        proxy_pass http://registry;
    }
    location /error {
        npmtoken_log_level error;
        proxy_pass http://registry;
    }
--- request eval
["GET /pkg", "GET /error"]
--- error_code eval
[200, 401]
--- grep_error_log eval
qr/\[\w+\] \d+#\d+: \*\d+ npmtoken denied[^:]*: no_token/
--- grep_error_log_out eval
qr/\A(?:\[warn\] \S+: \*\d+ npmtoken denied, dry run: no_token|\[error\] \S+: \*\d+ npmtoken denied: no_token)\n\z/



=== TEST 25: npmtoken_expiry_notice: seven days by default
--- tokens eval
"npm_hour user=alice expires_at=$::hour
npm_days user=alice expires_at=$::days
npm_week user=alice expires_at=$::week
npm_never user=alice
"
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases eval
my @t = gmtime $::hour;
my $date = sprintf "%04d-%02d-%02d %02d:%02d", $t[5] + 1900, $t[4] + 1, @t[3, 2, 1];
qq{
GET   /pkg  npm_hour   200  notice="^Token [0-9a-f]{8} expires on $date UTC\\.\$"
PUT   /pkg  npm_hour   200  notice="^Token [0-9a-f]{8} expires on $date UTC\\.\$"
GET   /pkg  npm_days   200  notice="expires on"
GET   /pkg  npm_week   200  notice=""
GET   /pkg  npm_never  200  notice=""
}



=== TEST 26: npmtoken_expiry_notice: other times, and off
--- tokens eval
"npm_hour user=alice expires_at=$::hour
npm_week user=alice expires_at=$::week
"
--- config
    npmtoken main;

    location /off {
        npmtoken_expiry_notice 0;
        proxy_pass http://registry;
    }
    location /hour {
        npmtoken_expiry_notice 59m;
        proxy_pass http://registry;
    }
    location /longer {
        npmtoken_expiry_notice 61m;
        proxy_pass http://registry;
    }
    location /month {
        npmtoken_expiry_notice 1M;
        proxy_pass http://registry;
    }
--- cases
GET  /off     npm_hour  200  notice=""
GET  /hour    npm_hour  200  notice=""
GET  /longer  npm_hour  200  notice="expires on"
GET  /month   npm_week  200  notice="expires on"



=== TEST 27: npmtoken_expiry_notice: the key's own TTL counts, the sooner of the two
--- tokens eval
"npm_key user=alice
npm_both user=alice expires_at=$::week
npm_far user=alice
"
--- init
redis('EXPIRE', 'npmtoken:token:' . token_key('npm_key'), 3600);
redis('EXPIRE', 'npmtoken:token:' . token_key('npm_both'), 3600);
redis('EXPIRE', 'npmtoken:token:' . token_key('npm_far'), 30 * 24 * 3600);
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_key   200  notice="^Token [0-9a-f]{8} expires on "
GET  /pkg  npm_both  200  notice="^Token [0-9a-f]{8} expires on "
GET  /pkg  npm_far   200  notice=""



=== TEST 28: npmtoken_expiry_notice: not for who is refused, nor a session
--- tokens eval
"npm_ro readonly=true expires_at=$::hour\n"
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg                         npm_ro  200  notice="expires on"
PUT     /pkg                         npm_ro  403  readonly notice=""
PUT     /-/user/org.couchdb.user:a   npm_ro  200  notice=""



=== TEST 29: npmtoken_unknown anonymous: the same notice where the cache says so
--- store_directives
cache 1m;
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_unknown anonymous;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_other  200  notice="^Token [0-9a-f]{8} is unknown or was revoked\."
GET  /pkg  npm_other  200  notice="^Token [0-9a-f]{8} is unknown or was revoked\."
PUT  /pkg  npm_other  401 unknown
