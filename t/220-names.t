# One account has one name: however it is typed, it is found, with its second
# factor, its lock and its tokens, and it is what its owner calls it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( temp_dir token_key );

use constant WRONG => qr/\AThe user name or the password is wrong\.\z/;
use constant BAD   => qr/\AThis account cannot be used\./;
use constant TOTP  => 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

my $redis = NpmToken::Redis->new;
my $dir = temp_dir();

my %is = (bob => 'password of small bob', Bob => 'password of great Bob');

secret(values %is);

# Two registries, by what they are asked about: one has a person "bob", however
# the name is spelt; the other has "bob" and "Bob".

my $api = NpmToken::Api->new(
    redis => $redis,
    http  => <<"_EOC_",
    map \$request_body \$folding {
        default  no;
        '~"name":"(?i:bob|eve|carol)","password":"$is{bob}"'  yes;
    }

    map \$request_body \$exact {
        default  no;
        '~"name":"bob","password":"$is{bob}"'  yes;
        '~"name":"Bob","password":"$is{Bob}"'  yes;
    }

    log_format asked '\$request_uri';

    server {
        listen unix:$dir/asked;
        access_log $dir/asked.log asked;

        location /folding/ {
            proxy_set_header X-Right \$folding;
            proxy_pass http://unix:$dir/right;
        }
        location /exact/ {
            proxy_set_header X-Right \$exact;
            proxy_pass http://unix:$dir/right;
        }
    }

    server {
        listen unix:$dir/right;
        access_log off;

        location / {
            if (\$http_x_right = yes) {
                return 201 '{"ok":true}';
            }
            return 401 '{"error":"wrong"}';
        }
    }
_EOC_
    server => join("", map { <<"_EOC_" } qw( folding exact )) . <<'_EOC_',
        location /$_/ {
            npmtoken main;
            npmtoken_base /$_/;
            npmtoken_api main;
            npmtoken_api_login proxy;
            npmtoken_api_attempts 0 0;
            proxy_pass http://unix:$dir/asked;
        }
_EOC_
        location /signup/ {
            npmtoken main;
            npmtoken_base /signup/;
            npmtoken_api main;
            npmtoken_api_signup on;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
_EOC_
    api => 'npmtoken_api_attempts 0 0;',
);


sub login {
    my ($base, $name, $password, %more) = @_;

    return $api->call('PUT', "$base-/user/org.couchdb.user:$name", undef,
        NpmToken::Api::login_body($name, $password,
            $base eq '/signup/' ? (email => "$name\@example.com") : ()),
        %more);
}


sub is_of {
    my ($r, $name, $title) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $token = $r->{json}{token} // '';

    is("$r->{status} @{[ $r->{json}{id} // '' ]} "
       . ($api->record($token)->{user} // ''),
       "201 org.couchdb.user:$name $name", $title) or diag $r->{body};

    return $token;
}


subtest 'a name in capitals has the second factor of the account' => sub {
    $redis->flush;
    $api->user('bob', undef, tfa => 'auth-only', totp => TOTP);
    settle();

    for my $name (qw( bob BOB Bob )) {
        is_error(login('/folding/', $name, $is{bob}), 401,
                 qr/must provide a one-time password/, "$name without a code",
                 challenge => 'otp');
    }

    is_of(login('/folding/', 'BOB', $is{bob}, 'npm-otp' => otp(TOTP, 0)),
          'bob', 'with one it is the account');
    is_error(login('/folding/', 'Bob', $is{bob}, 'npm-otp' => otp(TOTP, 0)),
             401, qr/used already/, 'once in any spelling',
             challenge => 'otp');
    is_deeply([ sort grep { !/token:[0-9a-f]/ }
                     @{ $redis->command('KEYS', '*') } ],
              [ 'npmtoken:tokens-of:bob', 'npmtoken:user:bob' ],
              'and no other account is there');
};


subtest 'a name in capitals has the lock of the account' => sub {
    $redis->flush;
    $api->user('bob', undef, locked => 'true');

    is_error(login('/folding/', $_, $is{bob}), 401, WRONG, $_)
        for qw( bob BOB );
};


subtest 'the first login of a name gives it its spelling' => sub {
    $redis->flush;

    my $token = is_of(login('/folding/', 'Carol', $is{bob}), 'Carol',
                      'Carol logs in');

    is($api->account('carol')->{name}, 'Carol', 'it is kept');
    is_of(login('/folding/', 'CAROL', $is{bob}), 'Carol', 'in capitals');
    is_of(login('/folding/', 'carol', $is{bob}), 'Carol', 'in small letters');

    is($api->call('GET', '/folding/-/whoami', $token)->{json}{username},
       'Carol', 'whoami');
    is($api->list($token)->{json}{total}, 3, 'all tokens are its own');
};


subtest 'another one whose name differs by case is refused' => sub {
    $redis->flush;

    is_of(login('/exact/', 'bob', $is{bob}), 'bob', 'bob was first');
    is_error(login('/exact/', 'Bob', $is{Bob}), 401, WRONG,
             "Bob's own password is none of bob's");
    is_of(login('/exact/', 'Bob', $is{bob}), 'bob',
          "and bob's is, whoever asks");
    is_deeply([ map { m{/(org\S+)} } split /\n/,
                NpmToken::Util::read_file("$dir/asked.log") ]->[-1],
              'org.couchdb.user:bob', 'the registry was asked about bob');
};


subtest 'an account by the spelling of its owner' => sub {
    $redis->flush;
    $api->user('dora', $is{bob}, name => 'Dora');

    my $token = is_of(login('/', 'dora', $is{bob}), 'Dora', 'dora');

    is_of(login('/', 'DORA', $is{bob}), 'Dora', 'DORA');
    is($api->call('GET', '/-/npm/v1/user', $token)->{json}{name}, 'Dora',
       'the profile');

    my $r = $api->call('POST', '/-/npm/v1/user', $token,
        { tfa => { password => $is{bob}, mode => 'auth-only' } });

    secret($r->{json}{tfa} =~ /secret=(\w+)/);
    like($r->{json}{tfa}, qr{\Aotpauth://totp/npm:Dora\?}, 'the label');

    is($api->record($api->create($token, password => $is{bob}))->{user},
       'Dora', 'a token that it makes');

    $redis->command('HSET', 'npmtoken:user:dora', name => 'Another');
    is_error(login('/', 'dora', $is{bob}), 403, BAD,
             'a spelling of another name is bad');
    $api->wait_log(qr/account "dora" cannot be used: field "name"/);
};


subtest 'sign-up beside an account is a login to it' => sub {
    $redis->flush;
    $api->user('alice', $is{bob});

    my $before = $api->all_of_redis;

    is_error(login('/signup/', 'ALICE', $is{Bob}), 401, WRONG,
             'with another password');
    is_deeply($api->all_of_redis, $before, 'nothing is made');
    is_of(login('/signup/', 'ALICE', $is{bob}), 'alice', 'with its own');
    is_of(login('/signup/', 'Frank', $is{Bob}), 'Frank', 'a free one');
    is_of(login('/signup/', 'frank', $is{Bob}), 'Frank', 'is taken by that');
};


subtest 'a record in another spelling has the second factor' => sub {
    $redis->flush;
    $api->user('alice', $is{bob}, tfa => 'auth-and-writes', totp => TOTP);
    $redis->put_token('npm_byhand', user => 'ALICE');
    $redis->command('SADD', 'npmtoken:tokens-of:alice',
                    token_key('npm_byhand'));

    is_error($api->call('PUT', '/pkg', 'npm_byhand'), 401,
             qr/must provide a one-time password/, 'a write asks for a code',
             challenge => 'otp');
    is($api->call('GET', '/-/whoami', 'npm_byhand')->{json}{username},
       'ALICE', 'it is what its record says');
    is($api->list('npm_byhand')->{json}{total}, 1, 'it is listed');

    $api->user('alice', $is{bob});
    is($api->call('DELETE', '/-/npm/v1/tokens/token/'
                  . token_key('npm_byhand'), 'npm_byhand')->{status}, 204,
       'and revoked');
    is_deeply([ $api->tokens_of('alice') ], [], 'from the set, too');
};


subtest 'an account of an older release keeps its second factor' => sub {
    $redis->flush;
    $api->user('Eve', undef, tfa => 'auth-only', totp => TOTP);

    is_error(login('/folding/', $_, $is{bob}), 403, BAD, "as $_")
        for qw( Eve eve EVE );
    $api->wait_log(qr/npmtokenctl user fold/);
    is_deeply([ grep { /token/ } map { s/^npmtoken://r }
                @{ $redis->command('KEYS', '*') } ], [], 'no token is made');

    $redis->put_token('npm_eve', user => 'Eve');
    is_error($api->call('PUT', '/pkg', 'npm_eve'), 403, BAD,
             'its token does not write');
};


subtest 'nor is one made beside it with a token that is spelt in another way'
    => sub {
    $redis->flush;
    $api->user('Eve', undef, tfa => 'auth-only', totp => TOTP);
    $redis->put_token('npm_eve', user => 'eve');

    is_error($api->call('POST', '/folding/-/npm/v1/tokens', 'npm_eve',
                        { password => $is{bob} }), 403, BAD, 'by a token');
    is_error($api->call('POST', '/folding/-/npm/v1/user', 'npm_eve',
                        { fullname => 'Eve' }), 403, BAD, 'by a profile');
    is($redis->command('EXISTS', 'npmtoken:user:eve'), 0, 'there is none');
    is_error(login('/folding/', 'eve', $is{bob}), 403, BAD,
             'so no login goes without a code');
};


done();
