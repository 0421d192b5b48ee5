# What was judged is looked at once more by what acts on it: between a password
# and a token there is a slow hash, and whatever happens meanwhile counts.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

plan(skip_all => 'makes no difference in this mode') if $http2;

use constant TOTP => 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

my $old = secret('correct horse battery');
my $new = secret('another battery staple');

# the old password is right, which takes a while to find out; its hash is of
# the method that new ones have, so that it is not made anew

my $slow = crypt($old, '$y$jDT$' . 'a' x 20);
my $fast = crypt($new, '$2b$04$' . 'a' x 22);

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(redis => $redis,
                             api => 'npmtoken_api_attempts 0 0;');


sub account {
    my ($name, %fields) = @_;

    $redis->command('HSET', "npmtoken:user:$name", password => $slow, %fields);
    $redis->put_token("npm_$name", user => $name);
    $redis->command('SADD', "npmtoken:tokens-of:$name",
                    token_key("npm_$name"));
}


# Requests that are on their way when all of "meanwhile" is done: each account
# has been read, and each password is hashed, at the same time.

sub while_waiting {
    my ($reads, $requests, $meanwhile) = @_;

    $redis->command('CONFIG', 'RESETSTAT');

    my @c = map {
        my ($method, $path, $token, $body, %headers) = @$_;
        my $c = NpmToken::HTTP1->new($api->port);

        $c->request($method, $path, {
            'Content-Type' => 'application/json',
            ($token ? (Authorization => "Bearer $token") : ()), %headers,
        }, JSON::PP::encode_json($body));
        $c;
    } @$requests;

    wait_for {
        ($redis->command('INFO', 'commandstats')
            =~ /cmdstat_hgetall:calls=(\d+)/ ? $1 : 0) >= $reads * @c
    } 'the accounts to be read';

    $_->() for @$meanwhile;

    return map { $_->response } @c;
}

sub user { return 'npmtoken:user:' . shift }

sub record { return 'npmtoken:token:' . token_key('npm_' . shift) }

sub login {
    my $name = shift;

    return [ 'PUT', "/-/user/org.couchdb.user:$name", undef,
             { name => $name, password => $old } ];
}

# the tokens of a name that were not there before

sub made {
    my $name = shift;

    return [ grep { $_ ne record($name)
                    && $redis->command('HGET', $_, 'user') eq $name }
             grep { /npmtoken:token:/ } @{ $redis->command('KEYS', '*') } ];
}


my @changes = (
    [ 'the password is changed' => sub {
        $redis->command('HSET', user($_[0]), password => $fast) } ],
    [ 'the account is locked' => sub {
        $redis->command('HSET', user($_[0]), locked => 'true') } ],
    [ 'a second factor is turned on' => sub {
        $redis->command('HSET', user($_[0]), tfa => 'auth-only',
                        totp => TOTP) } ],
    [ 'the account is deleted' => sub {
        $redis->command('DEL', user($_[0])) } ],
    [ 'it is locked, its password changed and all tokens deleted' => sub {
        $redis->command('HSET', user($_[0]), password => $fast,
                        locked => 'true');
        $redis->command('DEL', record($_[0]), "npmtoken:tokens-of:$_[0]") } ],
);

subtest 'no login gets a token for a password that was right' => sub {
    $redis->flush;
    account("u$_") for 0 .. $#changes;

    # two at a time: a password waits ten seconds for a place, and no longer

    for my $i (0 .. $#changes) {
        my @r = while_waiting(1, [ (login("u$i")) x 2 ],
                              [ sub { $changes[$i][1]->("u$i") } ]);

        for (@r) {
            is($_->{status}, 401, "when $changes[$i][0]");
            like($_->{body}, qr/The user name or the password is wrong/,
                 '... as with a wrong password');
        }

        is_deeply(made("u$i"), [], '... no token is there');
    }
};

subtest 'a login gets its token when nothing of that happens' => sub {
    $redis->flush;
    account('alice');

    my ($r) = while_waiting(1, [ login('alice') ], [ sub {
        $redis->command('HSET', user('alice'), email => 'a@b.c') } ]);

    is($r->{status}, 201, 'but something else');
};


my @bearers = (
    [ 'is revoked' => 'HSET', revoked_at => 5 ],
    [ 'is gone' => 'DEL' ],
    [ 'becomes read-only' => 'HSET', readonly => 'true' ],
    [ 'gets addresses' => 'HSET', cidr_whitelist => '127.0.0.0/8' ],
    [ 'becomes somebody else' => 'HSET', user => 'eve' ],
    [ 'gets an end' => 'HSET', expires_at => 99999999999 ],
);

subtest 'no token is made by one that was good' => sub {
    $redis->flush;
    account("u$_") for 0 .. $#bearers;

    # its own record, when it was judged and when it asks; and the account

    for my $i (0 .. $#bearers) {
        my ($what, $command, @fields) = @{ $bearers[$i] };

        my ($r) = while_waiting(3, [
            [ 'POST', '/-/npm/v1/tokens', "npm_u$i", { password => $old } ]
        ], [ sub { $redis->command($command, record("u$i"), @fields) } ]);

        is($r->{status}, 401, "that $what meanwhile");
        is_deeply(made("u$i"), [], '... no token is there');
    }
};


subtest 'a profile is not changed by what was right before' => sub {
    my @profiles = ({ password => { old => $old, new => $new } },
                    { tfa => { password => $old, mode => 'auth-only' } });

    $redis->flush;
    account("u$_") for 0 .. 3;

    my @r = while_waiting(3, [ map {
        [ 'POST', '/-/npm/v1/user', "npm_u$_", $profiles[$_ % 2] ]
    } 0 .. 3 ], [
        sub { $redis->command('HSET', user('u0'), locked => 'true') },
        sub { $redis->command('HSET', user('u1'), locked => 'true') },
        sub { $redis->del_token('npm_u2') },
        sub { $redis->del_token('npm_u3') },
    ]);

    is($r[$_]{status}, 409, 'where the account is locked') for 0, 1;
    is($r[$_]{status}, 401, 'where the token is revoked') for 2, 3;
    is_deeply($api->account("u$_"), { password => $slow, locked => 'true' },
              'the account is as it was') for 0, 1;
    is_deeply($api->account("u$_"), { password => $slow },
              'the account is as it was') for 2, 3;
};


# A record that is cached says what it was; calls that change something look.

subtest 'a cached record is none to act on' => sub {
    my $cached = NpmToken::Api->new(
        redis => $redis, store => 'cache 1m; push off;'
            . ' revocation_bound 60s;', api => 'npmtoken_api_attempts 0 0;');

    my $other = 'npm_other';

    for my $change ([ 'HSET', revoked_at => 5 ], [ 'HSET', user => 'eve' ],
                    [ 'DEL' ])
    {
        my ($command, @fields) = @$change;

        $redis->flush;
        account('alice', password => $fast);
        $redis->put_token($other, user => 'alice');
        $redis->command('SADD', 'npmtoken:tokens-of:alice',
                        token_key($other));

        my $token = "npm_cached_$command" . @fields . ($fields[0] // '');

        $redis->put_token($token, user => 'alice');
        is($cached->status_of($token), 200, 'in the cache');
        $redis->command($command, 'npmtoken:token:' . token_key($token),
                        @fields);

        is($cached->call('DELETE', '/-/npm/v1/tokens/token/'
                         . token_key($other), $token)->{status}, 401,
           'revokes nothing');
        is($cached->call('DELETE', "/-/user/token/$other", $token)->{status},
           401, 'logs nobody out');
        is($cached->call('POST', '/-/npm/v1/tokens', $token,
                         { password => $new })->{status}, 401,
           'makes nothing');
        is($cached->call('POST', '/-/npm/v1/user', $token,
                         { email => 'x@example.com' })->{status}, 401,
           'and changes nothing');
        is($redis->command('EXISTS', 'npmtoken:token:' . token_key($other)),
           1, 'the other token is there');
    }
};


subtest 'a token that needs a code now does not go without' => sub {
    $redis->flush;
    account('alice', tfa => 'auth-and-writes', totp => TOTP);
    $redis->put_token('npm_other', user => 'alice');

    is_error($api->call('DELETE', '/-/user/token/npm_other', 'npm_alice'),
             401, qr/must provide a one-time password/,
             'to log another token out', challenge => 'otp');
    is($api->call('DELETE', '/-/user/token/npm_alice', 'npm_alice')->{status},
       200, 'itself it may');
};


done();
