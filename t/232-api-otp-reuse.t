# One one-time password for several packages: what npm publish --workspaces,
# lerna and changesets send.  And what is said to ask for one.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Nginx qw( read_response request_text );
use NpmToken::Redis;
use NpmToken::Util qw( token_key );

use constant {
    LOGIN  => '/-/user/org.couchdb.user:',
    SECRET => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
    USED   => qr/\AThis one-time password or a later one was/,
};

my $redis = NpmToken::Redis->new;
my $password = 'correct horse battery';
my $tokens = '/-/npm/v1/tokens';
my $profile = '/-/npm/v1/user';

my $api = NpmToken::Api->new(redis => $redis);
my $node = NpmToken::Api->new(redis => $redis);
my $strict = NpmToken::Api->new(redis => $redis,
                                api => 'npmtoken_api_otp_reuse off;');


sub fresh {
    $redis->flush;
    $api->user('alice', $password, tfa => 'auth-and-writes', totp => SECRET);

    for my $token ('npm_one', 'npm_two') {
        $redis->put_token($token, user => 'alice');
        $redis->command('SADD', 'npmtoken:tokens-of:alice',
                        token_key($token));
    }

    settle(5);
}

sub publish {
    my ($on, $token, $code) = @_;

    return $on->call('PUT', '/pkg', $token, '{}', 'npm-otp' => $code);
}

sub is_used {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_error($r, 401, USED, $name, challenge => 'otp');
}


subtest 'sixteen packages with one code' => sub {
    fresh();

    my $code = otp(SECRET);

    is(join(' ', map { publish($_ % 2 ? $api : $node, 'npm_one',
                               $code)->{status} } 1 .. 16),
       join(' ', (200) x 16), 'are all published, on two nodes');
    is($api->account('alice')->{totp_used_by}, token_key('npm_one'),
       'who used it is the key of a token');
    is_deeply([ grep { /tries/ } @{ $redis->command('KEYS', '*') } ], [],
              'and nothing counts as wrong');
};


subtest 'at once, too' => sub {
    fresh();

    my $code = secret(otp(SECRET));

    my @c = map {
        my $c = $_->connect;

        print $c request_text('PUT', '/pkg', {
            Authorization => 'Bearer npm_one', 'npm-otp' => $code }, '{}');
        $c;
    } ($api, $node) x 8;

    is(join(' ', map { read_response($_)->{status} } @c),
       join(' ', (200) x 16), 'sixteen writes');
};


subtest 'it is good for the token that has used it, and no other' => sub {
    fresh();

    my $code = otp(SECRET);

    is(publish($api, 'npm_one', $code)->{status}, 200, 'a write');
    is_used(publish($api, 'npm_two', $code), 'with another token');
    is_used($api->call('PUT', LOGIN . 'alice', undef,
        { password => $password }, 'npm-otp' => $code), 'a login');
    is_used($api->call('POST', $tokens, 'npm_one',
        { password => $password }, 'npm-otp' => $code), 'a new token');
    is_used($api->call('POST', $profile, 'npm_one',
        { fullname => 'Alice' }, 'npm-otp' => $code), 'the profile');
    is_used($api->call('POST', $profile, 'npm_one', { tfa =>
        { password => $password, mode => 'disable' } },
        'npm-otp' => $code), 'the second factor');
    is($api->call('DELETE', "$tokens/token/" . token_key('npm_two'),
        'npm_one', undef, 'npm-otp' => $code)->{status}, 204,
        'with that one a token is revoked');
    is(publish($api, 'npm_one', $code)->{status}, 200, '... and a write');

    # a later code ends it, whoever has used that

    is(publish($api, 'npm_one', otp(SECRET, 1))->{status}, 200, 'the next');
    is_used(publish($api, 'npm_one', $code), 'the one before then');
};


subtest 'a code that something else has used is good for no write' => sub {
    fresh();

    is($api->call('PUT', LOGIN . 'alice', undef, { password => $password },
                  'npm-otp' => otp(SECRET, -1))->{status}, 201, 'a login');
    is_used(publish($api, 'npm_one', otp(SECRET, -1)), 'a write');
    is($api->call('POST', $tokens, 'npm_one', { password => $password },
                  'npm-otp' => otp(SECRET))->{status}, 200, 'a new token');
    is_used(publish($api, 'npm_one', otp(SECRET)), 'a write with its maker');

    # of the token that wrote before nothing is left

    is(publish($api, 'npm_one', otp(SECRET, 1))->{status}, 200, 'a write');
    is($api->call('POST', $profile, 'npm_one', { tfa =>
        { password => $password, mode => 'disable' } },
        'npm-otp' => otp(SECRET, 1))->{status}, 401, 'no second factor less');
    $redis->command('HDEL', 'npmtoken:user:alice', 'totp_used');
    is($api->call('POST', $profile, 'npm_one', { tfa =>
        { password => $password, mode => 'disable' } },
        'npm-otp' => otp(SECRET, 1))->{status}, 200, 'disabled');
    is_deeply([ grep { /totp/ } keys %{ $api->account('alice') } ], [],
              '... and nothing of it is left');
};


subtest 'it ends with its own time' => sub {
    fresh();

    # as after a minute and a half: it was used, three steps ago

    my $old = secret(otp(SECRET, -3));

    $redis->command('HSET', 'npmtoken:user:alice', totp_used =>
        int(time() / 30) - 3, totp_used_by => token_key('npm_one'));

    is_error(publish($api, 'npm_one', $old), 401, qr/is wrong, too old/,
             'a code of a minute and a half ago', challenge => 'otp');
};


subtest 'npmtoken_api_otp_reuse off' => sub {
    fresh();

    my $code = otp(SECRET);

    is(publish($strict, 'npm_one', $code)->{status}, 200, 'once');
    is_used(publish($strict, 'npm_one', $code), '... and not twice');
    is_used(publish($api, 'npm_one', $code), '... nor where twice is allowed');
};


# pnpm 11 says that it is "undici" and looks for small letters; npm and its
# kind lower all letters before they look

subtest 'a one-time password is asked for in small letters' => sub {
    fresh();

    for my $agent ('npm/11.6.1 node/v22 linux x64', 'pnpm/12.2.1 npm/?',
                   'undici', 'Bun/1.4.5', 'yarn/1.22.22')
    {
        is($api->call('PUT', LOGIN . 'alice', undef,
                      { password => $password }, 'User-Agent' => $agent)
           ->{headers}{'www-authenticate'}, 'otp', $agent);
    }
};


done();
