# Several registries in one nginx, each with a store of its own: what one
# knows of a token is nothing to another, cached or not, and also when both
# are asked on the same connection.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Util qw( read_file );

# a line for each record: prefix, token, fields

add_block_preprocessor(sub {
    my $block = shift;

    defined $block->records or return;

    # before this runs, Redis is emptied
    $block->set_value('init', 'main::put_records(q{' . $block->records . '})');
});

sub put_records {
    for (split /\n/, shift) {
        my ($prefix, $token, @fields) = split;

        redis('HSET', record($prefix, $token), map { split /=/, $_, 2 }
              @fields);
    }
}

sub record {
    my ($prefix, $token) = @_;

    return "${prefix}:token:" . token_key($token);
}


# Asks on one connection, one request after the other, "METHOD PATH TOKEN"
# each.  Returns a line for each: status, and who it was or why not.

sub asker {
    wait_for {
        2 == (() = read_file($Test::Nginx::Util::ErrLogFile)
                       =~ /the feed is live/g);
    } 'the feeds of both caches';

    my $http2 = $ENV{TEST_NGINX_USE_HTTP2};
    my $c = ($http2 ? 'NpmToken::HTTP2' : 'NpmToken::HTTP1')
        ->new($ENV{TEST_NGINX_SERVER_PORT});

    return sub {
        my ($method, $path, $token) = split ' ', shift;
        my %headers = ($token ? (Authorization => "Bearer $token") : ());

        my $id = $c->request($method, $path, \%headers);
        my $response = $c->response($http2 ? $id : $method);

        my ($what) = $response->{body}
            =~ /(?:^X-Npm-User: |"reason":")([^"\n]*)/m;

        return "$response->{status} $what";
    };
}

sub on_one_connection {
    my @requests = split /\n/, shift;

    return sub {
        my $ask = asker();

        return join '', map { "$_ - " . $ask->($_) . "\n" } @requests;
    };
}


# ... while the records change.  A step is a request, or a command for Redis;
# the
# first request behind a command is asked until the answer is the expected one.

sub while_it_changes {
    my @steps = @_;

    return sub {
        my $ask = asker();
        my $changed;

        for (@steps) {
            if (ref) {
                redis(@$_);
                $changed = 1;
                next;
            }

            my ($request, $expected) = split / - /;

            if ($changed) {
                wait_for { $ask->($request) eq $expected } $_;
                $changed = 0;
                next;
            }

            my $got = $ask->($request);
            return "$request - $got\n" if $got ne $expected;
        }

        return "as expected\n";
    };
}


our $stores = <<'_EOT_';
    npmtoken_store one {
        redis             unix:$TEST_NGINX_REDIS_SOCKET;
        prefix            one:;
        revocation_bound  1h;
    }
    npmtoken_store two {
        redis             unix:$TEST_NGINX_REDIS_SOCKET;
        prefix            two:;
        revocation_bound  1h;
    }
    npmtoken_store three {
        redis             redis://127.0.0.1:$TEST_NGINX_REDIS_PORT;
        prefix            three:;
        cache             off;
    }
_EOT_

our $registries = <<'_EOT_';
    npmtoken_identity  X-Npm-User  "$npmtoken_user $npmtoken_cache";

    location /npm/ {
        npmtoken       one;
        npmtoken_base  /npm/;
        proxy_pass     http://registry;
    }
    location /api/npm/two/ {
        npmtoken       two;
        npmtoken_base  /api/npm/two/;
        proxy_pass     http://registry;
    }
    location /api/npm/three/ {
        npmtoken       three;
        npmtoken_base  /api/npm/three/;
        proxy_pass     http://registry;
    }
    location /open/ {
        npmtoken       off;
        proxy_pass     http://registry/open/;
    }
_EOT_

our $records = <<'_EOT_';
one    npm_1     user=anna
two    npm_2     user=bert
three  npm_3     user=carl
one    npm_all   user=anna
two    npm_all   user=bert  readonly=true
three  npm_all   user=carl  cidr_whitelist=192.0.2.1
one    npm_gone  user=anna  revoked_at=1
two    npm_gone  user=bert
three  npm_gone  user=carl  expires_at=1
one    npm_logs  user=anna  protected=true
two    npm_logs  user=bert  readonly=true
three  npm_logs  user=carl  nonsense=1
_EOT_

our $start = <<'_EOT_';
    location = /start {
        return 200;
    }
_EOT_

our $toured = <<'_EOT_';
PUT /npm/pkg npm_all - 200 anna miss
PUT /api/npm/two/pkg npm_all - 403 readonly
PUT /api/npm/three/pkg npm_all - 401 cidr
GET /api/npm/two/pkg npm_2 - 200 bert miss
GET /npm/pkg npm_2 - 401 unknown
GET /npm/pkg npm_gone - 401 revoked
GET /api/npm/two/pkg npm_gone - 200 bert miss
PUT /open/pkg - 200 
GET /npm/pkg - 401 no_token
GET /api/npm/three/pkg npm_3 - 200 carl off
GET /npm/pkg npm_3 - 401 unknown
GET /npm/-/ping - 200 
GET /api/npm/two/-/ping npm_1 - 200 
_EOT_

our $tour = $toured =~ s/ - .*//mgr;

run_tests();

__DATA__

=== TEST 1: what is in one is unknown to the others
--- records eval: $::records
--- http_config eval: $::stores
--- config eval: $::registries
--- cases
GET     /npm/pkg                           npm_1     200 user="anna miss"
GET     /api/npm/two/pkg                   npm_1     401 unknown
GET     /api/npm/three/pkg                 npm_1     401 unknown
GET     /npm/pkg                           npm_2     401 unknown
GET     /api/npm/two/pkg                   npm_2     200 user="bert miss"
GET     /api/npm/three/pkg                 npm_2     401 unknown
GET     /npm/pkg                           npm_3     401 unknown
GET     /api/npm/two/pkg                   npm_3     401 unknown
GET     /api/npm/three/pkg                 npm_3     200 user="carl off"
GET     /open/pkg                          npm_3     200 user="" auth=sent
PUT     /open/pkg                          -         200 user=""
GET     /npm/pkg                           npm_1     200
GET     /api/npm/two/pkg                   npm_1     401 unknown
PUT     /api/npm/two/pkg                   npm_2     200
PUT     /npm/pkg                           npm_2     401 unknown



=== TEST 2: one token, with other rights in each
--- records eval: $::records
--- http_config eval: $::stores
--- config eval: $::registries
--- cases
PUT     /npm/pkg                           npm_all   200
PUT     /api/npm/two/pkg                   npm_all   403 readonly
PUT     /api/npm/three/pkg                 npm_all   401 cidr
GET     /api/npm/two/pkg                   npm_all   200
PUT     /api/npm/two/pkg                   npm_all   403 readonly
PUT     /npm/pkg                           npm_all   200
GET     /npm/pkg                           npm_gone  401 revoked
GET     /api/npm/two/pkg                   npm_gone  200
GET     /api/npm/three/pkg                 npm_gone  401 expired
PUT     /api/npm/two/pkg                   npm_gone  200
PUT     /npm/pkg                           npm_gone  401 revoked
DELETE  /npm/-/user/token/npm_logs         npm_logs  403 protected  op=logout
DELETE  /api/npm/two/-/user/token/npm_logs npm_logs  200
DELETE  /api/npm/three/-/user/token/npm_logs npm_logs  403 bad_record op=logout
DELETE  /api/npm/two/-/user/token/npm_all  npm_logs  403 readonly   op=write
POST    /api/npm/two/-/npm/v1/security/audits    npm_all  200
POST    /api/npm/three/-/npm/v1/security/audits  npm_all  401 cidr   op=read
PUT     /api/npm/three/-/user/org.couchdb.user:a npm_all  200 auth=sent



=== TEST 3: by the name of the host, which may be spelt in its own way
--- records eval: $::records
--- http_config eval
$::stores . <<'_EOT_'
    server {
        listen       127.0.0.1:$TEST_NGINX_SERVER_PORT;
        server_name  two.example *.two.example;

        location / {
            npmtoken           two;
            npmtoken_identity  X-Npm-User;
            proxy_pass         http://registry;
        }
    }
_EOT_
--- config
    location / {
        npmtoken           one;
        npmtoken_identity  X-Npm-User;
        proxy_pass         http://registry;
    }
--- cases
GET  /pkg  npm_1    200 user=anna
GET  /pkg  npm_2    200 user=bert  +"Host: two.example"
GET  /pkg  npm_2    200 user=bert  +"Host: TWO.example."
GET  /pkg  npm_2    200 user=bert  +"Host: two.example:4873"
GET  /pkg  npm_2    200 user=bert  +"Host: a.two.example"
GET  /pkg  npm_1    401 unknown    +"Host: two.example"
GET  /pkg  npm_2    401 unknown

# a name that nobody has is the first server's
GET  /pkg  npm_1    401 unknown    +"Host: three.example"
PUT  /pkg  npm_all  200 user=anna
PUT  /pkg  npm_all  403 readonly   +"Host: two.example"
PUT  /pkg  npm_all  403 readonly   +"Host: two.example" +"X-Forwarded-Host: one.example"



=== TEST 4: absolute-form: the host in it counts, and not the header
--- no_http2
--- records eval: $::records
--- http_config eval
$::stores . <<'_EOT_'
    server {
        listen       127.0.0.1:$TEST_NGINX_SERVER_PORT;
        server_name  two.example;

        location / {
            npmtoken           two;
            npmtoken_identity  X-Npm-User;
            proxy_pass         http://registry;
        }
    }
_EOT_
--- config
    location / {
        npmtoken           one;
        npmtoken_identity  X-Npm-User;
        proxy_pass         http://registry;
    }
--- cases
PUT     http://two.example/pkg                      npm_all   403 readonly
PUT     http://two.example/pkg                      npm_all   403 readonly  +"Host: localhost"
PUT     http://localhost/pkg                        npm_all   200 user=anna +"Host: two.example"
GET     http://two.example/pkg                      npm_1     401 unknown
DELETE  http://two.example/-/user/token/npm_logs    npm_logs  200 user=bert
DELETE  http://localhost/-/user/token/npm_logs      npm_logs  403 protected +"Host: two.example"



=== TEST 5: one connection, which goes from one to the other
--- records eval: $::records
--- http_config eval: $::stores
--- config eval: $::registries . $::start
--- request
GET /start
--- response_body_filters eval
main::on_one_connection($::tour x 2)
--- response_body eval
my $again = $::toured;

$again =~ s/ miss$/ hit/mg;

$::toured . $again



=== TEST 6: what changes in one changes in no other
--- records eval: $::records
--- http_config eval: $::stores
--- config eval: $::registries . $::start
--- request
GET /start
--- response_body_filters eval
main::while_it_changes(
    'GET /npm/pkg npm_all - 200 anna miss',
    'GET /api/npm/two/pkg npm_all - 200 bert miss',
    'PUT /api/npm/two/pkg npm_all - 403 readonly',
    'GET /npm/pkg npm_2 - 401 unknown',

    [ 'HSET', main::record('one', 'npm_all'), 'revoked_at', 1 ],
    'GET /npm/pkg npm_all - 401 revoked',
    'GET /api/npm/two/pkg npm_all - 200 bert hit',

    [ 'HDEL', main::record('two', 'npm_all'), 'readonly' ],
    'PUT /api/npm/two/pkg npm_all - 200 bert hit',
    'PUT /npm/pkg npm_all - 401 revoked',

    [ 'DEL', main::record('two', 'npm_all') ],
    'GET /api/npm/two/pkg npm_all - 401 unknown',
    'GET /npm/pkg npm_all - 401 revoked',

    [ 'HSET', main::record('one', 'npm_2'), 'user', 'dora' ],
    'GET /npm/pkg npm_2 - 200 dora hit',
    'GET /api/npm/two/pkg npm_2 - 200 bert miss',
    'GET /api/npm/two/pkg npm_2 - 200 bert hit',
    'GET /api/npm/three/pkg npm_2 - 401 unknown',
)
--- response_body
as expected
