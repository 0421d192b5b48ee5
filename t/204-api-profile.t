# npm profile get, set, enable-2fa, disable-2fa, and what a second factor
# changes of all the rest.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( token_key );

my $redis = NpmToken::Redis->new;
my @locations = (api => 'npmtoken_api_attempts 0 0; npmtoken_api_issuer "A B";
                         npmtoken_api_otp_reuse off;');
my $api = NpmToken::Api->new(redis => $redis, @locations);

# another node with the same Redis
my $node = NpmToken::Api->new(redis => $redis, @locations);

my $password = 'correct horse battery';
my $profile = '/-/npm/v1/user';
my $tokens = '/-/npm/v1/tokens';

use constant {
    ASKS     => qr/\AYou must provide a one-time password: six digits/,
    USED     => qr/\AThis one-time password or a later one was/,
    NO_MORE  => qr/\AThis one-time password is wrong, too old, or used/,
    WRONG    => qr/\AThe user name or the password is wrong\.\z/,
};


sub set {
    my ($token, $body, @more) = @_;

    return $api->call('POST', $profile, $token, $body, @more);
}

# of an account without anything

sub profile_of {
    my ($name, %more) = @_;

    return {
        tfa => undef, name => $name, email => '', email_verified => $false,
        fullname => undef, created => undef, cidr_whitelist => undef,
        updated => $api->account($name)->{updated}, %more,
    };
}

sub is_asked {
    my ($r, $name, $pattern) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_error($r, 401, $pattern // ASKS, $name, challenge => 'otp');
}


subtest 'get' => sub {
    $api->user('alice', $password, email => 'alice@example.com',
        fullname => 'Al "X" ' . "Caf\xc3\xa9",
        created => '2026-01-01T00:00:00.000Z',
        updated => '2026-01-02T00:00:00.000Z');

    my $token = $api->login('alice', $password);

    is_answer($api->call('GET', $profile, $token), 200, profile_of('alice',
        email => 'alice@example.com', fullname => "Al \"X\" Caf\x{e9}",
        created => '2026-01-01T00:00:00.000Z',
        updated => '2026-01-02T00:00:00.000Z'), 'all of it');
    is($api->call('HEAD', $profile, $token)->{status}, 200, 'HEAD');

    $redis->put_token('npm_alone', user => 'alone', readonly => 'true');
    is_answer($api->call('GET', $profile, 'npm_alone'), 200,
              profile_of('alone'), 'of a name without an account, read-only');

    $redis->put_token('npm_nameless', readonly => 'false');
    is_error($api->call('GET', $profile, 'npm_nameless'), 403,
             qr/belongs to no account/, 'of nobody');
    is_error($api->call('GET', $profile), 401, undef, 'without a token',
             challenge => 'Bearer');
};


subtest 'set' => sub {
    $api->user('bob', $password);

    my $token = $api->login('bob', $password);

    is_answer(set($token, { email => 'bob@example.com', fullname => 'Bob' }),
              200, profile_of('bob', email => 'bob@example.com',
                              fullname => 'Bob'), 'both that there are');
    like($api->account('bob')->{updated}, qr/\A\d{4}-.*Z\z/, 'and when');

    # as npm 6 sends all that there could be
    is_answer(set($token, { email => 'bob@example.org', fullname => 'Bob',
        homepage => '', freenode => undef, twitter => '', github => undef }),
        200, profile_of('bob', email => 'bob@example.org',
                        fullname => 'Bob'), 'with empty ones that are not');

    # ... after it has asked for the password
    my $object = sub {
        return set($token, { email => { email => $_[0],
                                        password => $_[1] } });
    };

    is_answer($object->('bob@example.net', $password), 200,
              profile_of('bob', email => 'bob@example.net',
                         fullname => 'Bob'), 'an email with the password');
    is_error($object->('x@example.net', 'wrong password'), 401, WRONG,
             '... that is wrong');
    is_error($object->('x@example.net', undef), 401, qr/missing/,
             '... that is missing');
    is($object->('bob@example.org', $password)->{status}, 200, '... again');

    is_answer(set($token, { fullname => undef }), 200,
              profile_of('bob', email => 'bob@example.org'), 'null clears');
    is_answer(set($token, { email => '' }), 200,
              profile_of('bob', email => 'bob@example.org'),
              'what is empty changes nothing');
    is_answer(set($token, { email => undef }), 200, profile_of('bob'),
              'null clears the other');
    is_answer(set($token, {}), 200, profile_of('bob'), 'nothing');

    my $account = $api->account('bob');

    is_error(set($token, { $_ => 'x' }), 400,
             qr/has an email and a full name, and nothing else/,
             $_) for 'homepage', 'freenode', 'twitter', 'github';
    is_error(set($token, { email => $_ }), 400, qr/not an email address/,
             "email: \"$_\"") for 'x', '@', 'a@b@c', "a\@b\n", ' a@b', 'a@',
                                  "\x{e9}\@example.com", 'x' x 250 . '@x.org';
    is_error(set($token, { fullname => $_ }), 400, qr/full name of one line/,
             'fullname: ' . ($_ =~ s/[^ -~]/?/gr))
        for "a\nb", "\e[1m", "\x{9b}", 'x' x 201;
    is_deeply($api->account('bob'), $account, 'nothing of these is stored');

    $redis->put_token('npm_bob_ro', user => 'bob', readonly => 'true');
    $redis->put_token('npm_bob_one', user => 'bob', packages => 'a');

    my $before = $api->all_of_redis;
    is_error(set('npm_bob_ro', { fullname => 'B' }), 403, qr/read-only/,
             'with a read-only token');
    is_error(set('npm_bob_one', { fullname => 'B' }), 403, qr/packages/,
             'with one of a package');
    is_error(set(undef, { fullname => 'B' }), 401, undef, 'with none',
             challenge => 'Bearer');

    is_deeply($api->all_of_redis, $before, 'nothing of these is stored');

    $redis->put_token('npm_full_alone', user => 'alone');
    is_error(set('npm_full_alone', { fullname => 'A' }), 403,
             qr/There is no account of this name/, 'no account is made by it');
    is_deeply($api->account('alone'), {}, '... there is none');
};


subtest 'a new password' => sub {
    $api->user('carol', $password);

    my $token = $api->login('carol', $password);
    my $change = sub {
        return set($token, { password => { old => $_[0], new => $_[1] } });
    };
    my $before = $api->account('carol');

    is_error($change->('wrong password', 'new password'), 401, WRONG,
             'the old one is wrong');
    is_error($change->($password, 'short'), 400, qr/at least 8 characters/,
             'the new one is too short');
    is_error($change->($password, 'x' x 257), 401, qr/too long/, 'too long');
    is_error($change->($password, undef), 401, qr/missing/, 'missing');
    is_error($change->(undef, 'new password'), 401, qr/missing/,
             'the old one is missing');
    is_error($change->($password, "new\0password"), 400, qr/NUL/, 'a NUL');
    is_deeply($api->account('carol'), $before, 'nothing is changed');

    is_answer($change->($password, 'new password'), 200, profile_of('carol'),
              'both are right');
    like($api->account('carol')->{password}, qr/\A\$y\$/, 'it is hashed');
    is_error($api->call('PUT', '/-/user/org.couchdb.user:carol', undef,
        { password => $password }), 401, WRONG, 'the old one is none');
    ok($api->login('carol', 'new password'), 'the new one is one');
    is($api->status_of($token, 'PUT'), 200, 'tokens stay good');

    $api->user('dave', undef, email => 'd@example.com');
    $redis->put_token('npm_dave', user => 'dave');
    is_error(set('npm_dave', { password => { old => 'x' x 8,
        new => 'y' x 8 } }), 403, qr/Another registry keeps/,
        'of an account whose password is elsewhere');
};


# Two factors.  Codes are made by the clock; where one is used more often
# than it may be, "forget" makes Redis forget it.

sub forget { $redis->command('HDEL', "npmtoken:user:$_[0]", 'totp_used') }

my ($token, $secret, @codes);

sub enable {
    my ($mode, @more) = @_;

    return set($token, { tfa => { password => $password, mode => $mode } },
               @more);
}

$api->user('erin', $password);
$token = $api->login('erin', $password);


subtest 'enable-2fa' => sub {
    settle(4);

    my $before = $api->account('erin');

    is_error(set($token, { tfa => { password => 'wrong password',
        mode => 'auth-only' } }), 401, WRONG, 'with a wrong password');
    is_error(set($token, { tfa => { mode => 'auth-only' } }), 401,
             qr/missing/, 'with none');
    is_error(enable($_), 400, qr/auth-only or auth-and-writes/,
             'in no such mode: ' . ($_ // 'null'))
        for 'off', '', 'Auth-Only', undef, [], 1;
    is_error(set($token, { tfa => [ '123456' ] }), 400,
             qr/\AThere is no two-factor/, 'nothing to confirm');
    is_deeply($api->account('erin'), $before, 'nothing is changed');

    my $r = enable('auth-only');
    my $url = $r->{json}{tfa} // '';

    like($url, qr{\Aotpauth://totp/A%20B:erin\?}, 'an address for an app');
    is_answer($r, 200, { tfa => $url }, 'and nothing else');
    ($secret) = $url =~ /secret=([A-Z2-7]{32})(?:&|\z)/;
    like($url, qr/issuer=A%20B/, 'with the issuer');
    is($api->account('erin')->{totp_pending}, $secret, 'it is pending');
    is_answer($api->call('GET', $profile, $token), 200, profile_of('erin',
        tfa => { mode => 'auth-only', pending => $true }), 'and said to be');

    ok($api->login('erin', $password), 'what is pending asks for nothing');
    is($api->status_of($token, 'PUT'), 200, 'nor a write');

    # begun again, the first secret is no more
    my $first = $secret;

    ($secret) = enable('auth-only')->{json}{tfa} =~ /secret=([A-Z2-7]{32})/;
    isnt($secret, $first, 'begun again');
    is_error(set($token, { tfa => [ otp($first) ] }), 403,
             qr/\AThis code is wrong/, 'by a code of the first');
    is_error(set($token, { tfa => [ $_ ] }), 403, qr/\AThis code is wrong/,
             "by \"$_\"")
        for otp($secret, -3), otp($secret, 3), '0', '1234567', 'x' x 64;
    is_error(set($token, { tfa => $_ }), 400, qr/There is no two-factor/,
             'by nothing') for [], [ 1 ], [ undef ], [ '' ];

    $redis->put_token('npm_erin_ro', user => 'erin', readonly => 'true');
    is_error(set('npm_erin_ro', { tfa => [ otp($secret) ] }), 403,
             qr/read-only/, 'by a read-only token');

    my $code = otp($secret);

    $r = set($token, { tfa => [ $code ] });
    @codes = @{ $r->{json}{tfa} // [] };

    is_answer($r, 200, { tfa => \@codes }, 'confirmed by a code');
    is(scalar(grep { /\A[0-9a-f]{64}\z/ } @codes), 5, 'five recovery codes');

    my %seen = map { $_ => 1 } @codes;

    is(scalar keys %seen, 5, 'each another');
    is($api->account('erin')->{tfa}, 'auth-only', 'it is on');
    is($api->account('erin')->{totp_pending}, undef, 'nothing is pending');
    is_answer($api->call('GET', $profile, $token), 200, profile_of('erin',
        tfa => { mode => 'auth-only', pending => $false }), 'and said to be');

    is_asked($api->call('PUT', '/-/user/org.couchdb.user:erin', undef,
        { password => $password }, 'npm-otp' => $code),
        'the code that confirmed is used up', USED);
    is_error(set($token, { tfa => [ otp($secret, 1) ] }), 400,
             qr/There is no two-factor/, 'there is nothing to confirm');
};


sub log_in {
    my ($body, %headers) = @_;

    my $on = delete $headers{node} // $api;

    return $on->call('PUT', '/-/user/org.couchdb.user:erin', undef,
                     { password => $password, %$body }, %headers);
}


subtest 'a code' => sub {
    settle(4);
    forget('erin');

    is_asked(log_in({}), 'is asked for');
    is_asked(log_in({}, 'npm-otp' => ''), '... an empty one is none');
    is_error(log_in({ password => 'wrong password' }), 401, WRONG,
             'the password is looked at before it');
    is_error(log_in({ password => 'wrong password' },
        'npm-otp' => otp($secret)), 401, WRONG,
        'and with a right code the answer is the same');

    is_asked(log_in({}, 'npm-otp' => $_), "not \"$_\"", NO_MORE)
        for '1', '12345', '1234567', 'abcdef', otp($secret) . ' x',
            'f' x 64, 'f' x 63, otp($secret, -2), otp($secret, 2);

    my @two = (otp($secret), otp($secret, 1));

    is_asked(log_in({}, 'npm-otp' => \@two), 'two of them are none');
    is_asked(log_in({}, 'npm-otp' => [ @two[0, 0] ]), '... nor one twice');

    is(log_in({}, 'npm-otp' => otp($secret, -1))->{status}, 201,
       'the one before');
    is(log_in({}, 'npm-otp' => otp($secret))->{status}, 201, 'of now');
    is_asked(log_in({}, 'npm-otp' => otp($secret)), 'not twice', USED);
    is_asked(log_in({}, 'npm-otp' => otp($secret, -1)),
             'nor an earlier one', USED);
    is_asked(log_in({}, 'npm-otp' => otp($secret), node => $node),
             'nor on another node', USED);
    is(log_in({}, 'npm-otp' => otp($secret, 1), node => $node)->{status}, 201,
       'the next, on another node');
    is_asked(log_in({}, 'npm-otp' => otp($secret, 1)),
             'and not on the first then', USED);

    # at once on both: one of them has it

    forget('erin');

    my $body = '{"password":"' . $password . '"}';
    my $code = secret(otp($secret));
    my @connections = map {
        my $c = $_->connect;

        print $c NpmToken::Nginx::request_text('PUT',
            '/-/user/org.couchdb.user:erin', { 'npm-otp' => $code }, $body);
        $c;
    } ($api, $node) x 4;

    my @status = map {
        my $r = NpmToken::Nginx::read_response($_);

        NpmToken::Api::note_secrets('', undef, undef, {}, $r);
        $r->{status};
    } @connections;

    is(scalar(grep { $_ == 201 } @status), 1, 'of eight at once, one is let in');
    is(scalar(grep { $_ == 401 } @status), 7, '... and the others are not');
};


subtest 'a recovery code' => sub {
    is(scalar(split /,/, $api->account('erin')->{recovery}), 5, 'five');
    unlike($api->account('erin')->{recovery}, qr/$codes[0]/, 'are hashed');

    is(log_in({}, 'npm-otp' => $codes[0])->{status}, 201, 'is good');
    is_asked(log_in({}, 'npm-otp' => $codes[0]), 'once', NO_MORE);
    is_asked(log_in({}, 'npm-otp' => $codes[0], node => $node),
             '... on all nodes', NO_MORE);
    is(scalar(split /,/, $api->account('erin')->{recovery}), 4, 'four left');
    is(log_in({}, 'npm-otp' => secret(uc $codes[1]), node => $node)->{status},
       201, 'in upper case');
    is_error(log_in({ password => 'wrong password' },
        'npm-otp' => $codes[2]), 401, WRONG, 'not with a wrong password');
    is(log_in({}, 'npm-otp' => $codes[$_])->{status}, 201, "number $_")
        for 2 .. 4;
    is($api->account('erin')->{recovery}, undef, 'none is left');
    is_asked(log_in({}, 'npm-otp' => $codes[4]), 'and that is all', NO_MORE);
    forget('erin');
    is(log_in({}, 'npm-otp' => otp($secret))->{status}, 201,
       'codes of the app are good still');
};


subtest 'auth-only' => sub {
    settle(4);
    forget('erin');

    my $body = { password => $password };

    is_asked($api->call('POST', $tokens, $token, $body), 'to make a token');
    is($api->call('POST', $tokens, $token, $body,
        'npm-otp' => otp($secret, -1))->{status}, 200, '... with a code');
    is_asked(set($token, { password => { old => $password,
        new => 'new password' } }), 'for a new password');
    is_asked(enable('auth-and-writes'), 'for another mode');
    is_asked(enable('disable'), 'to disable it');

    is($api->status_of($token, 'PUT'), 200, 'not to publish');
    is(set($token, { fullname => 'Erin' })->{status}, 200,
       'not to set a name');

    my ($made) = grep { $_ ne token_key($token) } $api->tokens_of('erin');

    is($api->call('DELETE', "$tokens/token/$made", $token)->{status}, 204,
       'not to revoke');
    is($api->list($token)->{status}, 200, 'not to list');

    # and the mode is changed: npm before 11.4 expects null there

    for my $agent ('npm/6.14.18 node/v14.0.0 linux x64', 'npm/5.5.1 node/v8',
                   'npm/7.0.0', 'npm/10.2.4 node/v20', 'npm/11.3.0')
    {
        forget('erin');
        is_answer(enable('auth-only', 'npm-otp' => otp($secret),
            'User-Agent' => $agent), 200, { tfa => undef }, $agent);
    }

    for my $agent ('npm/11.4.0 node/v22', 'npm/12.2.0', 'npm/60.1.1', 'npm/6',
                   'pnpm/6.0.0', 'yarn/1.22')
    {
        forget('erin');

        my $mode = $agent =~ m{npm/11} ? 'auth-only' : 'auth-and-writes';
        my $r = enable($mode, 'npm-otp' => otp($secret),
                       'User-Agent' => $agent);

        is_answer($r, 200, profile_of('erin', fullname => 'Erin',
            tfa => { mode => $mode, pending => $false }), $agent);
    }

    is($api->account('erin')->{tfa}, 'auth-and-writes', 'it is changed');
    is($api->account('erin')->{totp}, $secret, 'the secret is the same');
};


subtest 'auth-and-writes' => sub {
    settle(4);
    forget('erin');

    my @seen = $api->registry_log_of(sub {
        is_asked($api->call($_->[0], $_->[1], $token, '{}'),
                 "$_->[0] $_->[1]")
            for [ PUT => '/pkg' ], [ PUT => '/@s%2fp' ],
                [ DELETE => '/pkg/-rev/1' ],
                [ PUT => '/-/package/pkg/dist-tags/latest' ],
                [ POST => '/-/npm/v1/hooks/hook' ], [ PATCH => '/pkg' ];

        is_asked($api->call('PUT', '/pkg', $token, '{}',
                            'npm-otp' => '000000'), 'a wrong code', NO_MORE);
    });

    is_deeply(\@seen, [], 'the registry sees nothing of that');

    is($api->status_of($token, 'GET', $_), 200, "GET $_")
        for '/pkg', '/-/whoami', $profile, $tokens;
    is($api->status_of($token, 'POST',
                       '/-/npm/v1/security/advisories/bulk'), 200, 'audit');

    my $r = $api->call('PUT', '/pkg', $token, 'x' x 100_000,
                       'npm-otp' => otp($secret, -1));

    is("$r->{status} $r->{body}", "200 PUT /pkg\n", 'with a code it publishes');
    is_asked($api->call('PUT', '/pkg', $token, '{}',
                        'npm-otp' => otp($secret, -1)), 'once', USED);
    is_asked($node->call('PUT', '/pkg', $token, '{}',
                         'npm-otp' => otp($secret, -1)), '... on all nodes',
             USED);

    is_asked(set($token, { fullname => 'E' }), 'to set a name');
    is(set($token, { fullname => 'E' }, 'npm-otp' => otp($secret))->{status},
       200, '... with a code');

    forget('erin');

    my $made = $api->call('POST', $tokens, $token,
        { password => $password, name => 'ci', bypass_2fa => $true },
        'npm-otp' => otp($secret))->{json}{token};

    is_asked($api->call('DELETE', "$tokens/token/$made", $token),
             'to revoke');

    # that one does without

    is($api->status_of($made, 'PUT'), 200, 'bypass_2fa: it publishes');
    is($api->call('POST', $profile, $made, { fullname => 'Er' })->{status},
       200, '... sets a name');
    is_asked($api->call('POST', $tokens, $made, { password => $password }),
             '... makes no token');
    is_asked($api->call('POST', $profile, $made, { password =>
        { old => $password, new => 'new password' } }), '... no password');
    is_asked($api->call('POST', $profile, $made, { tfa =>
        { password => $password, mode => 'disable' } }), '... disables no 2fa');
    is($api->call('DELETE', "$tokens/token/$made", $made)->{status}, 204,
       '... revokes');

    # a logout is no write

    my $other = do {
        forget('erin');
        log_in({}, 'npm-otp' => otp($secret))->{json}{token};
    };

    is($api->call('DELETE', "/-/user/token/$other", $other)->{status}, 200,
       'a logout asks for nothing');

    # nobody's token, and that of another

    $redis->put_token('npm_of_nobody', readonly => 'false');
    is($api->status_of('npm_of_nobody', 'PUT'), 200, 'nor of no account');
    $redis->put_token('npm_of_frank', user => 'frank');
    is($api->status_of('npm_of_frank', 'PUT'), 200,
       'nor of a name without an account');

    $redis->command('HSET', 'npmtoken:user:frank', 'nonsense', 1);
    is_error($api->call('PUT', '/pkg', 'npm_of_frank', '{}'), 403,
             qr/account cannot be used/, 'a bad account writes nothing');
    is($api->status_of('npm_of_frank'), 200, '... it reads');
};


subtest 'disable-2fa' => sub {
    forget('erin');

    is_asked(enable('disable'), 'a code is asked for');
    is_error(set($token, { tfa => { password => 'wrong password',
        mode => 'disable' } }, 'npm-otp' => otp($secret)), 401, WRONG,
        'and the password');

    my $r = enable('disable', 'npm-otp' => otp($secret));

    is("$r->{status} " . ($r->{json}{tfa} // 'null'), '200 null',
       'it is off');

    my $account = $api->account('erin');

    is(join(' ', grep { /\A(?:tfa|totp|recovery)/ } sort keys %$account), '',
       'nothing is left of it');
    ok($api->login('erin', $password), 'no code is asked for');
    is($api->status_of($token, 'PUT'), 200, 'nor on writes');
    is(enable('disable')->{status}, 200, 'once more does no harm');

    my ($new) = enable('auth-only')->{json}{tfa} =~ /secret=([A-Z2-7]{32})/;

    isnt($new, $secret, 'enabled again, it is another secret');
    is(enable('disable')->{status}, 200, 'what is pending is disabled');
    is($api->account('erin')->{totp_pending}, undef, '... it is gone');
};


done();
