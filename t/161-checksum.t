# npmtoken_checksum: a token of npm's kind with a wrong checksum is unknown, and
# Redis is not asked.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

my %asked;

# --- lookups: what Redis was asked by all the requests of the block

add_response_body_check(sub {
    my ($block) = @_;

    my $requests = ref $block->request ? @{ $block->request } : 1;

    return if ++$asked{$block->name} < $requests || !defined $block->lookups;

    my ($calls) = redis('INFO', 'commandstats')
        =~ /^cmdstat_hgetall:calls=(\d+)/m;

    is($calls // 0, $block->lookups, $block->name . ' - look-ups');
});

# $good has a record, $wrong too though its last character is another

our $good = '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';
our $wrong = 'npm_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18';

our $tokens = <<"_EOC_";
$good      user=alice
$wrong     user=mallory
npm_short  user=mallory
other      user=bob
cnpm_1_x   user=carol readonly=true
_EOC_

our $count = "main::redis('CONFIG', 'RESETSTAT');";

run_tests();

__DATA__

=== TEST 1: off, and by default: whatever has a record
--- tokens eval: $::tokens
--- init eval: $::count
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
    location /off {
        npmtoken main;
        npmtoken_checksum off;
        proxy_pass http://registry;
    }
--- cases eval
"GET /pkg  $::good    200 user=alice
GET  /pkg  $::wrong   200 user=mallory
GET  /off  npm_short  200"
--- lookups: 3



=== TEST 2: on
--- tokens eval: $::tokens
--- init eval: $::count
--- config
    location / {
        npmtoken main;
        npmtoken_checksum on;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases eval
"GET    /pkg  $::good    200 user=alice
PUT     /pkg  other      200 user=bob
GET     /pkg  cnpm_1_x   200 user=carol
PUT     /pkg  cnpm_1_x   403 readonly
GET     /pkg  no_such    401 unknown
GET     /pkg  $::wrong   401 unknown
PUT     /pkg  $::wrong   401 unknown
GET     /pkg  npm_short  401 unknown
GET     /pkg  npm_       401 unknown
GET     /pkg  ${main::good}1 401 unknown
GET     /pkg  -          401 no_token
GET     /pkg  \"Basic $::wrong\"  401 unknown"
--- lookups: 5



=== TEST 3: sessions and logout pass, as of any unknown token
--- tokens eval: $::tokens
--- init eval: $::count
--- config
    location / {
        npmtoken main;
        npmtoken_checksum on;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases eval
"PUT    /-/user/org.couchdb.user:a  $::wrong  200 user='' auth=sent
GET     /-/ping                     $::wrong  200 auth=sent
POST    /-/v1/login                 $::wrong  200 auth=sent
DELETE  /-/user/token/$::wrong      $::wrong  200 user='' auth=sent
DELETE  /-/user/token/$::good       $::wrong  401 unknown op=write" =~ s/''/""/gr
--- lookups: 0



=== TEST 4: npmtoken_unknown anonymous
--- tokens eval: $::tokens
--- init eval: $::count
--- config
    location / {
        npmtoken main;
        npmtoken_checksum on;
        npmtoken_unknown anonymous;
        npmtoken_anonymous read;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases eval
"GET /pkg  $::wrong  200 user='' auth='' notice='is unknown or was revoked'
PUT  /pkg  $::wrong  401 unknown" =~ s/'/"/gr
--- lookups: 0



=== TEST 5: npmtoken_unknown pass does not let it pass: it may be a revoked one
--- tokens eval
"$::wrong     revoked_at=1
npm_short  readonly=true
"
--- init eval: $::count
--- config
    location / {
        npmtoken main;
        npmtoken_checksum on;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
--- cases eval
"GET    /pkg  $::wrong    401 unknown
PUT     /pkg  npm_short   401 unknown
PUT     /pkg  npm_no_such 401 unknown
DELETE  /-/user/token/npm_no_such  npm_no_such  200 auth=sent
PUT     /pkg  $::good     200 auth=sent
PUT     /pkg  no_such     200 auth=sent"
--- lookups: 2



=== TEST 6: npmtoken_dry_run
--- tokens eval: $::tokens
--- init eval: $::count
--- config
    location / {
        npmtoken main;
        npmtoken_checksum on;
        npmtoken_dry_run on;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases eval
"GET /pkg  $::wrong  200 unknown user='' auth=sent
PUT  /pkg  $::wrong  200 unknown user='' auth=sent" =~ s/''/""/gr
--- lookups: 0



=== TEST 7: Redis away: unknown all the same, and others are not
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- config
    location / {
        npmtoken main;
        npmtoken_checksum on;
        proxy_pass http://registry;
    }
--- cases eval
"GET    /pkg  $::wrong  401 unknown
DELETE  /-/user/token/$::wrong  $::wrong  200 auth=sent
GET     /pkg  $::good   503 unavailable
GET     /pkg  no_such   503 unavailable"



=== TEST 8: server, location, limit_except; each judges by its own
--- tokens eval: $::tokens
--- init eval: $::count
--- config
    npmtoken main;
    npmtoken_checksum on;

    location / {
        proxy_pass http://registry;
    }
    location /off {
        npmtoken_checksum off;
        proxy_pass http://registry;
    }
    location /writes {
        npmtoken_checksum off;
        limit_except GET {
            npmtoken_checksum on;
        }
        proxy_pass http://registry;
    }
--- cases eval
"GET /pkg     $::wrong  401 unknown
GET  /off     $::wrong  200
GET  /writes  $::wrong  200
PUT  /writes  $::wrong  401 unknown"
--- lookups: 2



=== TEST 9: http; what another location has found is not known here
--- tokens eval: $::tokens
--- init eval: $::count
--- http_config
    npmtoken_checksum on;

    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }

    log_format test 'user=$npmtoken_user cache=$npmtoken_cache '
                    'readonly=$npmtoken_readonly verdict=$npmtoken_verdict';
--- config
    npmtoken main;
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken_checksum off;
        root html;
        try_files $uri @registry;
    }
    location @registry {
        proxy_pass http://registry;
    }
--- cases eval
"GET /pkg  $::good   200
GET  /pkg  $::wrong  401 unknown"
--- test_lines
user=alice cache=miss readonly=0 verdict=allow
user= cache= readonly= verdict=unknown
--- lookups: 2
