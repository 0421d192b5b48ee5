# What a debug log says of calls of the token API: each step, so that a support
# case can be followed; and nothing that is secret.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;

plan skip_all => 'nginx is built without --with-debug'
    if `nginx -V 2>&1` !~ /--with-debug/;

my $password = 'correct horse battery';
my $other = 'staple correct horse';
my $secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(redis => $redis, level => 'debug');

$api->user('alice', $password);


# what the module itself has said since the last time

my $seen = 0;

sub trail {
    my @said = $api->error_log =~ /: \*\d+ (npmtoken api: .*)$/mg;
    my @new = @said[ $seen .. $#said ];

    $seen = @said;

    return join '', map { "$_\n" } @new;
}


my ($token, $made);

subtest 'a login can be followed' => sub {
    $token = $api->login('alice', $password);

    my $trail = trail();

    like($trail, qr{call\ \d,\ "-/user/org\.couchdb\.user:"\n
                    .* body\ of\ \d+\ bytes\n
                    .* account\ read,\ [1-9]\d*\ fields\n
                    .* password\ verified:\ 0,\ locked:\ 0\n
                    .* second\ factor,\ mode\ 0
                    .* admitted\n
                    .* change,\ \d+\ words\n
                    .* token\ [0-9a-f]{8}\ made\n
                    .* answer\ 201\n}xs, 'step by step');
};


subtest 'a refused one shows where it ends' => sub {
    is($api->call('POST', '/-/npm/v1/tokens', $token,
                  { password => $other })->{status}, 401, 'refused');

    my $trail = trail();

    like($trail, qr/token that asks, \d+ fields: allow\n/, 'a good token');
    like($trail, qr/password verified: -5, locked: 0\n/, 'a wrong password');
    unlike($trail, qr/admitted|change,/, 'no more than that');
    like($trail, qr/answer 401\n\z/, 'an answer');
};


subtest 'so does a one-time password' => sub {
    $redis->command('HSET', 'npmtoken:user:alice', 'tfa', 'auth-and-writes',
                    'totp', $secret);

    $made = $api->call('POST', '/-/npm/v1/tokens', $token,
                       { password => $password }, 'npm-otp' => otp($secret));

    is($made->{status}, 200, 'made');

    like(trail(), qr{second\ factor,\ mode\ [1-9]\d*,\ reuse\ 0\n
                     .* one-time\ password\ of\ kind\ totp,
                     .* one-time\ password,\ reply\ \d+,\ unreplicated\ 0\n
                     .* admitted\n}xs, 'step by step');
};


subtest 'nothing of it is secret' => sub {
    my $said = join '', $api->error_log =~ /^.* npmtoken api: .*$/mg;

    ok(length $said, 'something is said');

    unlike($said, qr/\Q$_->[1]\E/, "not $_->[0]")
        for [ 'the password', $password ], [ 'a wrong one', $other ],
            [ 'the secret', $secret ], [ 'a token', $token ],
            [ 'the new token', $made->{json}{token} ];

    unlike($said, qr/\b[0-9]{6}\b/, 'no code');
    unlike($said, qr/[0-9a-f]{9}/, 'a key has 8 digits');
};


done_testing();
