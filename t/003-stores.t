# The npmtoken_store block, and the ways to Redis: addresses, names, sockets,
# databases, passwords, users with few rights, prefixes.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::Redis;

# a second Redis, with a password and users, and databases with one token each

our $locked;

BEGIN {
    my $password = 'p:a/s@s%w rd';

    $locked = NpmToken::Redis->new(
        auth   => [$password],
        config => qq{requirepass "$password"\n} . <<'_EOC_',
user reader on >reader_secret ~npmtoken:token:* resetchannels -@all +hgetall +pttl
user named on >named_secret ~npmtoken:token:* resetchannels -@all +hgetall +pttl +client|setname +role
user narrow on >narrow_secret ~other:* resetchannels -@all +hgetall +pttl
user blind on >blind_secret ~npmtoken:token:* resetchannels -@all +hgetall
user selects on >selects_secret ~npmtoken:token:* resetchannels -@all +hgetall +pttl +select
_EOC_
    );

    $ENV{TEST_NGINX_LOCKED_SOCKET} = $locked->socket;
    $ENV{TEST_NGINX_LOCKED_PORT} = $locked->port;

    $locked->put_token('npm_locked', user => 'lock');
    $locked->command('SELECT', 9);
    $locked->put_token('npm_nine', user => 'nine');
    $locked->command('SELECT', 0);
}

# a token in a database of the first Redis, or under another prefix

add_block_preprocessor(sub {
    my $block = shift;

    defined $block->keys or return;

    # before this runs, Redis is emptied
    $block->set_value('init', 'main::put_keys(q{' . $block->keys . '})');
});

sub put_keys {
    for my $line (split /\n/, shift) {
        my ($db, $prefix, $token, @fields) = split ' ', $line;

        redis('SELECT', $db);
        redis('HSET', $prefix . 'token:' . token_key($token),
              map { split /=/, $_, 2 } @fields);
        redis('SELECT', 0);
    }
}

add_response_body_check(sub {
    my ($block) = @_;

    defined $block->clients or return;

    my @names = redis('CLIENT', 'LIST') =~ /name=npmtoken-lookup\b/g;

    is(scalar @names, $block->clients, $block->name . ' - connections');
});

our $location = <<'_EOC_';
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
_EOC_

run_tests();

__DATA__

=== TEST 1: TCP, by address and port
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full   200  user=alice
GET  /pkg  npm_other  401  unknown



=== TEST 2: TCP, with a slash and with database 0
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/;
    }
    npmtoken_store zero {
        redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/0;
    }
--- config eval
$::location . <<'_EOC_'
    location /zero {
        npmtoken zero;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
_EOC_
--- cases
GET  /pkg   npm_full  200  user=alice
GET  /zero  npm_full  200  user=alice



=== TEST 3: TCP over IPv6
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis redis://[::1]:$TEST_NGINX_REDIS_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full  200  user=alice



=== TEST 4: TCP, by name
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis redis://localhost:$TEST_NGINX_REDIS_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full   200  user=alice
GET  /pkg  npm_other  401  unknown



=== TEST 5: unix socket
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full   200  user=alice
GET  /pkg  npm_other  401  unknown



=== TEST 6: database by TCP
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/7;
    }
--- keys
7  npmtoken:  npm_seven  user=seven
0  npmtoken:  npm_zero   user=zero
--- config eval: $::location
--- cases
GET  /pkg  npm_seven  200  user=seven
GET  /pkg  npm_zero   401  unknown



=== TEST 7: database by unix socket
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET:7;
    }
--- keys
7  npmtoken:  npm_seven  user=seven
0  npmtoken:  npm_zero   user=zero
--- config eval: $::location
--- cases
GET  /pkg  npm_seven  200  user=seven
GET  /pkg  npm_zero   401  unknown



=== TEST 8: a database that Redis does not have
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET:77;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full  503  unavailable
--- error_log
redis answered "ERR



=== TEST 9: two stores, each with tokens that the other does not know
--- keys
0  a:  npm_a     user=anna
0  b:  npm_b     user=bert
0  a:  npm_both  user=anna
0  b:  npm_both  user=bert readonly=true
--- http_config
    npmtoken_store first {
        redis   unix:$TEST_NGINX_REDIS_SOCKET;
        prefix  a:;
    }
    npmtoken_store second {
        redis   unix:$TEST_NGINX_REDIS_SOCKET;
        prefix  b:;
    }
--- config
    npmtoken_identity X-Npm-User;

    location /a/ {
        npmtoken first;
        proxy_pass http://registry;
    }
    location /b/ {
        npmtoken second;
        proxy_pass http://registry;
    }
--- cases
GET  /a/pkg  npm_a     200  user=anna
GET  /b/pkg  npm_b     200  user=bert
GET  /a/pkg  npm_b     401  unknown
GET  /b/pkg  npm_a     401  unknown
PUT  /a/pkg  npm_both  200  user=anna
PUT  /b/pkg  npm_both  403  readonly
GET  /b/pkg  npm_both  200  user=bert



=== TEST 10: two stores on two servers
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis   unix:$TEST_NGINX_REDIS_SOCKET;
    }
    npmtoken_store locked {
        redis   "redis://:p:a%2Fs%40s%25w%20rd@127.0.0.1:$TEST_NGINX_LOCKED_PORT";
    }
--- config eval
$::location . <<'_EOC_'
    location /locked {
        npmtoken locked;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
_EOC_
--- cases
GET  /pkg     npm_full    200  user=alice
GET  /pkg     npm_locked  401  unknown
GET  /locked  npm_locked  200  user=lock
GET  /locked  npm_full    401  unknown



=== TEST 11: a store that is defined after its use
--- tokens
npm_full  user=alice
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_FREE_PORT;

        location / {
            npmtoken main;
            npmtoken_identity X-Npm-User;
            proxy_pass http://registry;
        }
    }
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
--- config
    location / {
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- cases
GET  /pkg  npm_full  200  user=alice auth=""
--- registry_lines
GET /pkg "-" "alice"



=== TEST 12: include in the block
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        include store/*.conf;
        lookup_queue 10;
    }
--- user_files
>>> ../conf/store/a.conf
redis unix:$TEST_NGINX_REDIS_SOCKET;
>>> ../conf/store/b.conf
prefix npmtoken:;
connect_timeout 2s;
--- config eval: $::location
--- cases
GET  /pkg  npm_full   200  user=alice
GET  /pkg  npm_other  401  unknown



=== TEST 13: everything that the block takes
--- keys
0  my:  npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis            redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/0;
        connect_timeout  1500ms;
        lookup_timeout   2s;
        lookup_queue     5;
        lookup_share     2;
        prefix           my:;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full  200  user=alice



=== TEST 14: a store that nobody uses
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
    npmtoken_store idle {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full  200  user=alice
--- no_error_log
connect()



=== TEST 15: a password in the URL, percent-encoded
--- http_config
    npmtoken_store main {
        redis "redis://:p%3Aa%2Fs%40s%25w%20rd@127.0.0.1:$TEST_NGINX_LOCKED_PORT";
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  200  user=lock
GET  /pkg  npm_other   401  unknown
--- no_error_log
w rd
w%20rd



=== TEST 16: user and password in the URL
--- http_config
    npmtoken_store main {
        redis "redis://default:p:a%2Fs%40s%25w%20rd@localhost:$TEST_NGINX_LOCKED_PORT/9";
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_nine    200  user=nine
GET  /pkg  npm_locked  401  unknown



=== TEST 17: no password where one is needed
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_LOCKED_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  503  unavailable
--- error_log
NOAUTH



=== TEST 18: a wrong password, which nobody gets to see
--- http_config
    npmtoken_store main {
        redis redis://:not_this_one@127.0.0.1:$TEST_NGINX_LOCKED_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  503  unavailable
--- error_log
WRONGPASS
--- no_error_log
not_this_one



=== TEST 19: a password where none is needed
--- tokens
npm_full  user=alice
--- http_config
    npmtoken_store main {
        redis redis://:some_password@127.0.0.1:$TEST_NGINX_REDIS_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full  503  unavailable
--- error_log
redis answered "ERR
--- no_error_log
some_password



=== TEST 20: redis_password_file, with a line's end
--- http_config
    npmtoken_store main {
        redis                unix:$TEST_NGINX_LOCKED_SOCKET;
        redis_password_file  secret;
    }
--- user_files
>>> ../conf/secret
p:a/s@s%w rd
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  200  user=lock



=== TEST 21: redis_password_file, without a line's end, by its full path
--- http_config
    npmtoken_store main {
        redis                redis://127.0.0.1:$TEST_NGINX_LOCKED_PORT/9;
        redis_password_file  $TEST_NGINX_DIR/secret;
    }
--- user_files eval
[["$ENV{TEST_NGINX_DIR}/secret", 'p:a/s@s%w rd']]
--- config eval: $::location
--- cases
GET  /pkg  npm_nine  200  user=nine



=== TEST 22: redis_user and redis_password_file, the least rights there are
--- http_config
    npmtoken_store main {
        redis                redis://127.0.0.1:$TEST_NGINX_LOCKED_PORT;
        redis_user           reader;
        redis_password_file  secret;
        cache                off;
    }
--- user_files
>>> ../conf/secret
reader_secret
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  200  user=lock
GET  /pkg  npm_other   401  unknown
GET  /pkg  npm_locked  200  user=lock
--- no_error_log
NOPERM



=== TEST 23: a user who may also name the connection and ask for the role
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_LOCKED_SOCKET;
        redis_user           named;
        redis_password_file  secret;
        cache                off;
    }
--- user_files
>>> ../conf/secret
named_secret
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  200  user=lock
--- no_error_log
NOPERM



=== TEST 24: the user in the URL, the password in a file
--- http_config
    npmtoken_store main {
        redis redis://reader@127.0.0.1:$TEST_NGINX_LOCKED_PORT;
        redis_password_file  secret;
    }
--- user_files
>>> ../conf/secret
reader_secret
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  200  user=lock



=== TEST 25: a user of another key space: nobody is allowed, none unknown
--- http_config
    npmtoken_store main {
        redis redis://narrow:narrow_secret@127.0.0.1:$TEST_NGINX_LOCKED_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  503  unavailable
GET  /pkg  npm_other   503  unavailable
--- error_log
npmtoken_store "main": redis answered "NOPERM



=== TEST 26: a user who may not ask for the TTL: a token might have one
--- http_config
    npmtoken_store main {
        redis redis://blind:blind_secret@127.0.0.1:$TEST_NGINX_LOCKED_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_locked  503  unavailable
--- error_log
redis answered "NOPERM



=== TEST 27: a user who may not SELECT, and a database other than 0
--- http_config
    npmtoken_store main {
        redis redis://reader:reader_secret@127.0.0.1:$TEST_NGINX_LOCKED_PORT/9;
    }
    npmtoken_store selects {
        redis redis://selects:selects_secret@127.0.0.1:$TEST_NGINX_LOCKED_PORT/9;
    }
--- config eval
$::location . <<'_EOC_'
    location /selects {
        npmtoken selects;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
_EOC_
--- cases
GET  /pkg      npm_nine  503  unavailable
GET  /selects  npm_nine  200  user=nine
--- error_log
redis answered "NOPERM



=== TEST 28: the prefix
--- keys
0  npmtoken:           npm_default  user=def
0  registry/x{y}:      npm_other    user=other
--- http_config
    npmtoken_store main {
        redis   unix:$TEST_NGINX_REDIS_SOCKET;
        prefix  "registry/x{y}:";
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_other    200  user=other
GET  /pkg  npm_default  401  unknown



=== TEST 29: a prefix as long as they get
--- keys eval
'0 ' . 'x' x 128 . ' npm_long user=long'
--- http_config eval
'npmtoken_store main {
    redis   unix:$TEST_NGINX_REDIS_SOCKET;
    prefix  ' . 'x' x 128 . ';
}'
--- config eval: $::location
--- cases
GET  /pkg  npm_long  200  user=long



=== TEST 30: the connection has a name, and one is enough for many requests
--- tokens
npm_full  user=alice
--- config eval: $::location
--- cases
GET  /pkg  npm_full   200
GET  /pkg  npm_other  401 unknown
GET  /pkg  npm_full   200
--- clients: 1



=== TEST 31: a name that is resolved while nginx runs, by a resolver that is not there
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_FREE_PORT ipv6=off;
    resolver_timeout 100ms;

    npmtoken_store main {
        redis redis://redis.invalid:$TEST_NGINX_REDIS_PORT;
    }
--- config eval: $::location
--- cases
GET  /pkg  npm_full  503  unavailable
