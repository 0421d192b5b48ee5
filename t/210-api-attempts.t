# Failed attempts to log in are counted for an account and for an address.
# Past the limit there is no attempt, whatever the password.

use strict;
use warnings;

use lib 't/lib';
use NpmToken::Logins;
use NpmToken;

run_tests();

__DATA__

=== TEST 1: past the limit of an account, the right password is refused, too
--- accounts
alice  secret-of-alice
bob    secret-of-bob
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 3 100;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
alice  secret           401
alice  secret-of-bob    401
alice  secret-of-alice  429
alice  wrong            429
bob    secret-of-bob    201



=== TEST 2: what succeeds does not count, and takes back nothing else
--- accounts
alice  secret-of-alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 2 2;
        proxy_pass http://registry;
    }
--- logins
alice  secret-of-alice  201
alice  secret-of-alice  201
alice  secret-of-alice  201
alice  wrong            401
alice  secret-of-alice  201
alice  secret-of-alice  201
alice  wrong            401
alice  secret-of-alice  429



=== TEST 3: an account that is not there has its limit, and the same answers
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 2 100;
        proxy_pass http://registry;
    }
--- logins
nobody  wrong  401
nobody  wrong  401
nobody  wrong  429



=== TEST 4: past the limit of an address, no account can log in from there
--- accounts
alice  secret-of-alice
bob    secret-of-bob
carol  secret-of-carol
--- config
    $TEST_NGINX_FROM_ANYWHERE

    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 100 3;
        proxy_pass http://registry;
    }
--- logins
alice   wrong            401  from=192.0.2.1
bob     wrong            401  from=192.0.2.1
nobody  wrong            401  from=192.0.2.1
carol   secret-of-carol  429  from=192.0.2.1
carol   secret-of-carol  201  from=192.0.2.2
alice   secret-of-alice  201  from=192.0.2.2
alice   secret-of-alice  429  from=192.0.2.1



=== TEST 5: the limit of an account holds from everywhere
--- accounts
alice  secret-of-alice
--- config
    $TEST_NGINX_FROM_ANYWHERE

    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 2 100;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401  from=192.0.2.1
alice  wrong            401  from=2001:db8::1
alice  secret-of-alice  429  from=192.0.2.3



=== TEST 6: an IPv6 address stands for its /64
--- accounts
alice  secret-of-alice
--- config
    $TEST_NGINX_FROM_ANYWHERE

    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 100 2;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401  from=2001:db8:1:2::1
alice  wrong            401  from=2001:db8:1:2:ffff:ffff:ffff:ffff
alice  secret-of-alice  429  from=2001:db8:1:2:3:4:5:6
alice  secret-of-alice  201  from=2001:db8:1:3::1
alice  secret-of-alice  201  from=2001:db8:1:1:ffff:ffff:ffff:ffff



=== TEST 7: an IPv4 address within IPv6 is that address, and no /64
--- accounts
alice  secret-of-alice
--- config
    $TEST_NGINX_FROM_ANYWHERE

    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 100 2;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401  from=::ffff:192.0.2.1
alice  wrong            401  from=192.0.2.1
alice  secret-of-alice  429  from=::ffff:192.0.2.1
alice  secret-of-alice  429  from=192.0.2.1
alice  secret-of-alice  201  from=::ffff:192.0.2.2



=== TEST 8: unix sockets are one address
--- accounts
alice  secret-of-alice
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/behind;
        access_log off;

        location / {
            npmtoken main;
            npmtoken_api main;
            npmtoken_api_attempts 100 2;
            proxy_pass http://registry;
        }
    }
--- config
    location / {
        proxy_pass http://unix:$TEST_NGINX_DIR/behind;
    }
--- logins
alice  wrong            401
bob    wrong            401
alice  secret-of-alice  429



=== TEST 9: names that differ by case alone count together
--- accounts
alice  secret-of-alice
Alice  secret-of-alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 2 100;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
ALICE  wrong            401
alice  secret-of-alice  429
Alice  secret-of-alice  429
alicf  wrong            401



=== TEST 10: 0 is no limit of an account
--- accounts
alice  secret-of-alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 0 4;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  secret-of-alice  429



=== TEST 11: ... nor of an address
--- accounts
alice  secret-of-alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 1 0;
        proxy_pass http://registry;
    }
--- logins
anna   wrong            401
bert   wrong            401
carl   wrong            401
carl   wrong            429
alice  secret-of-alice  201



=== TEST 12: ... nor of anything
--- accounts
alice  secret-of-alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 0 0;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  secret-of-alice  201



=== TEST 13: ten of an account, if nothing is said
--- accounts
alice  secret-of-alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  wrong            401
alice  secret-of-alice  429



=== TEST 14: accounts of that name in two stores are two, by their prefixes
--- accounts
alice  secret-of-alice
--- http_config
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }

    npmtoken_store side {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
        prefix side:;
    }

    npmtoken_store same {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
--- config
    npmtoken_api_attempts 2 100;

    location / {
        npmtoken main;
        npmtoken_api main;
        proxy_pass http://registry;
    }

    location /side/ {
        npmtoken side;
        npmtoken_base /side/;
        npmtoken_api side;
        proxy_pass http://registry;
    }

    location /same/ {
        npmtoken same;
        npmtoken_base /same/;
        npmtoken_api same;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
alice  wrong            401
alice  secret-of-alice  429
alice  secret-of-alice  401  at=/side/
alice  secret-of-alice  429  at=/same/



=== TEST 15: the limit is that of the location, what is counted is not
--- accounts
alice  secret-of-alice
--- config
    npmtoken main;
    npmtoken_api main;

    location / {
        npmtoken_api_attempts 2 100;
        proxy_pass http://registry;
    }

    location /more/ {
        npmtoken_base /more/;
        npmtoken_api_attempts 4 100;
        proxy_pass http://registry;
    }

    location /any/ {
        npmtoken_base /any/;
        npmtoken_api_attempts 0 0;
        proxy_pass http://registry;
    }
--- logins
alice  wrong            401
alice  wrong            401  at=/more/
alice  secret-of-alice  429
alice  wrong            401  at=/more/
alice  wrong            401  at=/more/
alice  secret-of-alice  429  at=/more/
alice  wrong            401  at=/any/
alice  secret-of-alice  201  at=/any/



=== TEST 16: making a token with a wrong password is an attempt of that token
--- accounts
alice  secret-of-alice
--- tokens
npm_a16  user=alice
npm_b16  user=alice
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 2 100;
        proxy_pass http://registry;
    }
--- logins
create npm_a16  wrong            401
alice           wrong            401
create npm_a16  secret-of-alice  200
create npm_a16  wrong            401
create npm_a16  secret-of-alice  429
create npm_b16  secret-of-alice  200
alice           secret-of-alice  201
alice           wrong            401
alice           secret-of-alice  429
create npm_b16  secret-of-alice  200



=== TEST 17: a locked account tells nothing of its password, and counts
--- accounts
alice  secret-of-alice  locked=true
--- config
    location / {
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 2 100;
        proxy_pass http://registry;
    }
--- logins
alice  secret-of-alice  401
alice  wrong            401
alice  secret-of-alice  429



=== TEST 18: when Redis cannot be asked, nothing counts
--- http_config
    npmtoken_store away {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- config
    location / {
        npmtoken away;
        npmtoken_api away;
        npmtoken_api_attempts 1 1;
        proxy_pass http://registry;
    }
--- logins
alice  wrong  503
alice  wrong  503
