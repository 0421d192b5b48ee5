# Sign-up never hands out a name that anything else knows.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;

use constant WRONG => qr/\AThe user name or the password is wrong\.\z/;

my $password = 'correct horse battery';
my $redis = NpmToken::Redis->new;

my $api = NpmToken::Api->new(
    redis  => $redis,
    api    => 'npmtoken_api_signup on; npmtoken_api_attempts 0 0;',
    server => <<'_EOC_',
        location /own/ {
            npmtoken main;
            npmtoken_base /own/;
            npmtoken_api main;
            npmtoken_api_signup on;
            npmtoken_api_reserved Boss ops@example.com;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
        location /none/ {
            npmtoken main;
            npmtoken_base /none/;
            npmtoken_api main;
            npmtoken_api_signup on;
            npmtoken_api_reserved off;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
_EOC_
);


sub sign_up {
    my ($name, %options) = @_;

    my $base = $options{base} // '/';

    return $api->call('PUT', "$base-/user/org.couchdb.user:$name", undef,
        NpmToken::Api::login_body($name, $password,
                                  email => 'somebody@example.com'));
}

sub is_taken {
    my ($name, $title, %options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = $api->all_of_redis;

    is_error(sign_up($name, %options), 401, WRONG, $title);
    is_deeply($api->all_of_redis, $before, '... nothing is made');
}


subtest 'a name that a record has is taken' => sub {
    $redis->flush;
    $redis->put_token('npm_a', user => 'alice');
    $redis->put_token('npm_b', user => 'Bob', revoked_at => 5);
    $redis->put_token('npm_n', readonly => 'true');
    $redis->command('SET', 'npmtoken:token:x', 'text');

    is_taken('alice', 'by hand, without an account and a set');
    is_taken('ALICE', 'in capitals');
    is_taken('bob', 'of one that is revoked');
    is(sign_up('alic')->{status}, 201, 'a name that begins so is free');
};


subtest 'a name whose last token is gone is taken' => sub {
    $redis->flush;
    $redis->put_token('npm_a', user => 'carol');
    $redis->command('SADD', 'npmtoken:tokens-of:carol', 'x');
    $redis->del_token('npm_a');
    is_taken('carol', 'while its set is there');

    # by a login to the registry behind, as "proxy" makes it, and a logout

    $redis->flush;

    my $token = sign_up('dave')->{json}{token};

    is($api->call('DELETE', "/-/user/token/$token", $token)->{status}, 200,
       'logged out');
    is_deeply([ map { s/^npmtoken://r } @{ $redis->command('KEYS', '*') } ],
              [ 'user:dave' ], 'the account stays');

    $redis->command('HDEL', 'npmtoken:user:dave', 'password');
    is_taken('dave', 'also without a password');
};


subtest 'reserved names' => sub {
    $redis->flush;

    is_taken($_, $_)
        for qw( anonymous root admin ADMIN npm all @all authenticated null );
    is_taken('boss', 'one of the own list', base => '/own/');
    is_taken('Ops@Example.com', 'the other one', base => '/own/');
    is(sign_up('root', base => '/own/')->{status}, 201,
       'which is the whole list');
    is(sign_up('admin', base => '/none/')->{status}, 201, 'none is reserved');

    $redis->flush;
    $api->user('root', $password);
    is(sign_up('root')->{status}, 201, 'an account that is there logs in');
};


subtest 'a large store is looked at page by page' => sub {
    $redis->flush;

    my $n = 20_000;

    $redis->command('EVAL', <<'_EOC_', 0, $n);
        for i = 1, tonumber(ARGV[1]) do
            redis.call('hset', 'npmtoken:token:' .. i, 'user', 'u' .. i)
            redis.call('set', 'other:' .. i, 'x')
        end
_EOC_

    $redis->command('CONFIG', 'RESETSTAT');
    $redis->command('CONFIG', 'SET', 'slowlog-log-slower-than', 20_000);
    $redis->command('SLOWLOG', 'RESET');

    my $keys = $redis->command('DBSIZE');

    is_error(sign_up("u$_"), 401, WRONG, "the name $_") for 1, 777, $n;
    is($redis->command('DBSIZE'), $keys, 'nothing is made');
    is(sign_up('nobody-else')->{status}, 201, 'another one is free');

    my ($scans) = $redis->command('INFO', 'commandstats')
        =~ /cmdstat_scan:calls=(\d+)/;

    cmp_ok($scans, '>', 2 * $n / 200, "by $scans pages");
    is($redis->command('SLOWLOG', 'LEN'), 0, 'none of them took long');

    # together

    my @c = map {
        my $c = NpmToken::HTTP1->new($api->port);

        $c->request('PUT', "/-/user/org.couchdb.user:$_",
                    { 'Content-Type' => 'application/json' },
                    qq({"name":"$_","password":"$password",)
                    . qq("email":"a\@example.com"}));
        $c;
    } map { ("new$_", "u$_") } 1 .. 12;

    my %status;

    $status{ $_->response->{status} }++ for @c;

    is_deeply(\%status, { 201 => 12, 401 => 12 }, 'many at a time');
};


subtest 'what cannot be looked at is not free' => sub {
    $redis->flush;
    $redis->command('ACL', 'SETUSER', 'default', '-scan');
    is(sign_up('erin')->{status}, 503, 'without the right to SCAN');
    is_deeply($api->all_of_redis, {}, 'nothing is made');
    $redis->command('ACL', 'SETUSER', 'default', '+@all');
    is(sign_up('erin')->{status}, 201, 'with it it is');

    $redis->put_token('npm_f', user => 'frank');
    $redis->command('ACL', 'SETUSER', 'default', 'resetkeys',
                    '~npmtoken:user:*', '~npmtoken:tokens-of:*');
    is(sign_up('frank')->{status}, 503, 'where records are not to be seen');
    $redis->command('ACL', 'SETUSER', 'default', 'allkeys');
};


done();
