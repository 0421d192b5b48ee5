# What a token may not do to itself or beyond itself: outlive its parent, end
# where it is protected, be larger than what enforcers read.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( token_key );

my $password = 'correct horse battery';
my $redis = NpmToken::Redis->new;

my $api = NpmToken::Api->new(
    redis  => $redis,
    api    => 'npmtoken_api_attempts 0 0;',
    server => <<'_EOC_',
        location /pass/ {
            npmtoken main;
            npmtoken_base /pass/;
            npmtoken_unknown pass;
            npmtoken_api main;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
        location /large/ {
            npmtoken main;
            npmtoken_base /large/;
            npmtoken_api main;
            npmtoken_api_attempts 0 0;
            npmtoken_api_max_cidrs 1000;
            npmtoken_api_max_body 256k;
            client_body_buffer_size 256k;
            proxy_pass http://registry;
        }
_EOC_
);


sub start {
    $redis->flush;
    $api->user('alice', $password);
    put('npm_alice', @_);
}

sub put {
    my ($token, @fields) = @_;

    $redis->put_token($token, user => 'alice', @fields);
    $redis->command('SADD', 'npmtoken:tokens-of:alice', token_key($token));
}

sub key { return 'npmtoken:token:' . token_key(shift) }

sub create {
    my ($base, %body) = @_;

    return $api->call('POST', "$base-/npm/v1/tokens", 'npm_alice',
                      { password => $password, %body });
}


subtest 'a token ends with the TTL of its parent' => sub {
    for my $base ('/', '/pass/') {
        start();
        $redis->command('EXPIRE', key('npm_alice'), 3600);

        my $r = create($base);
        my $record = $api->record($r->{json}{token});
        my $left = ($record->{expires_at} // 'inf') - time;

        is($r->{status}, 200, "$base: it is made");
        cmp_ok($left, '<=', 3600, '... and ends no later');
        cmp_ok($left, '>', 3500, '... nor much sooner');
        like($r->{json}{expires}, qr/\A\d{4}-/, '... as it is told');

        is_error(create($base, expires => 30), 403,
                 qr/cannot create one that expires after it/, 'asked for more');
    }

    start(expires_at => time + 7200);
    $redis->command('EXPIRE', key('npm_alice'), 3600);
    cmp_ok($api->record(create('/')->{json}{token})->{expires_at} - time,
           '<=', 3600, 'of two ends the earlier');

    start(expires_at => time + 3600);
    $redis->command('EXPIRE', key('npm_alice'), 7200);
    cmp_ok($api->record(create('/')->{json}{token})->{expires_at} - time,
           '<=', 3600, '... whichever it is');

    start();
    $redis->command('EXPIRE', key('npm_alice'), 40 * 86400);
    cmp_ok(abs($api->record(create('/', expires => 30)->{json}{token})
               ->{expires_at} - time - 30 * 86400), '<', 10,
           'what ends sooner stays');
};


subtest 'a protected token does not end itself' => sub {
    my $key = token_key('npm_alice');

    for my $base ('/', '/pass/') {
        for my $id ($key, substr($key, 0, 6), substr($key, 0, 64),
                    'npm_alice', 'npm%5falice', 'npm_%61lice')
        {
            start(protected => 'true');

            is_error($api->call('DELETE', "$base-/npm/v1/tokens/token/$id",
                                'npm_alice'),
                     403, qr/cannot log itself out or revoke itself/,
                     "$base: revoke " . substr $id, 0, 12);
            is($redis->command('HEXISTS', key('npm_alice'), 'revoked_at'), 0,
               '... it is there');
            is($api->status_of('npm_alice'), 200, '... and good');
        }
    }

    start(protected => 'true');
    put('npm_other');

    is($api->call('DELETE', "/-/npm/v1/tokens/token/$key",
                  'npm_other')->{status}, 204, 'another one may end it');

    start(protected => 'false');
    is($api->call('DELETE', "/-/npm/v1/tokens/token/$key",
                  'npm_alice')->{status}, 204, 'one that is not is revoked');
};


subtest 'no token is made that enforcers would not read' => sub {
    start();

    # lists of 44, 21 and 10 kilobytes: all three are too much

    my @cidrs = map { sprintf 'fd00:1111:2222:3333:4444:5555:%04x:0000/112',
                      $_ } 1 .. 1000;
    my @names = map { sprintf '@%s/%s%05d', 'n' x 100, 'p' x 100, $_ }
                1 .. 100;
    my @scopes = map { sprintf '@%s%05d', 's' x 95, $_ } 1 .. 100;

    my $r = create('/large/', cidr_whitelist => \@cidrs);

    is($r->{status}, 200, 'one of 44 kilobytes is made');
    is($api->status_of($r->{json}{token}), 401, '... and is no bad record');

    is_error(create('/large/', cidr_whitelist => \@cidrs,
                    packages => \@names, scopes => \@scopes),
             400, qr/is too large to be checked/,
             'one of 75 kilobytes is not');
    is(scalar(grep { /token:[0-9a-f]/ } @{ $redis->command('KEYS', '*') }), 2,
       '... nothing is kept');

    is_error($api->call('PUT', '/large/-/user/org.couchdb.user:alice', undef, {
        name => 'alice', password => $password, cidr_whitelist => \@cidrs,
        packages => \@names, scopes => \@scopes,
    }), 422, qr/is too large to be checked/, 'nor by a login');
};


subtest 'a login with a name that is none is told so' => sub {
    start(readonly => 'true');
    $redis->put_token('npm_dead', user => 'alice', revoked_at => 5);

    my @names = ('CORP%5Calice', 'CORP%5calice', 'CORP\\alice', '%C3%BCnal',
                 "\xc3\xbcnal", 'a%2Fb', '..%2f..%2fpkg', 'a%3Bb', '.',
                 '%2e%2e', 'a%25', 'a%23', 'a%7f', 'al%20ice');

    for my $token (undef, 'npm_alice', 'npm_dead', 'npm_unknown') {
        my @lines = $api->registry_log_of(sub {
            for my $name (@names) {
                is_error($api->call1('PUT', "/-/user/org.couchdb.user:$name",
                                     $token, { password => $password }),
                         422, qr/\AA user name has letters/,
                         "$name, " . ($token // 'no token'));
            }
        });

        is_deeply(\@lines, [], 'the registry gets none of them');
    }

    is_error($api->call1('PUT',
                 '/-/user/org.couchdb.user:CORP%5Calice/-rev/1-a', undef,
                 { password => $password }),
             422, qr/\AA user name has letters/, 'of a revision');

    # what is no login is what it was

    for my $path ('/-/user/org.couchdb.user:a/b', '/pkg%5Ca',
                  '/-/user/org.couchdb.user:', '/-/user/CORP%5Calice')
    {
        is($api->call1('PUT', $path, undef, {})->{status}, 401, $path);
    }

    is($api->call1('GET', '/-/user/org.couchdb.user:CORP%5Calice', undef)
       ->{status}, 401, 'to be read');
};


done();
