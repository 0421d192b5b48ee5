# One-time passwords that are given in the browser: who is offered that, and
# what the ticket is good for.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );
use NpmToken::Web;

use constant TOTP => 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
use constant GONE => qr/\AThis request is gone: it was answered, or has waited/;
use constant OTP => qr/\AYou must provide a one-time password/;
use constant WRONG => qr/\AThis one-time password is wrong/;

my $password = secret('correct horse battery');

my $redis = NpmToken::Redis->new;

my ($api, $other) = map {
    NpmToken::Api->new(
        redis  => $redis,
        api    => 'npmtoken_api_page on; npmtoken_api_web_otp on;'
            . ' npmtoken_api_attempts 0 0;',
        server => <<'_EOC_')
        location /off/ {
            npmtoken main;
            npmtoken_base /off/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
        location /few/ {
            npmtoken main;
            npmtoken_base /few/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_web_otp on;
            npmtoken_api_attempts 3 3;
            proxy_pass http://registry;
        }
_EOC_
} 1, 2;


# an account with a second factor, and two tokens of it

sub account {
    my ($name, %fields) = @_;

    $api->user($name, $password);

    my @tokens = map { $api->login($name, $password) } 1, 2;

    $api->user($name, $password, tfa => 'auth-and-writes', totp => TOTP,
               %fields);

    return @tokens;
}

# a browser that has logged in, for which the code of the next step is used up

sub browser {
    my ($name, $steps) = @_;

    my $web = NpmToken::Web->new($other);

    $redis->command('HDEL', "npmtoken:user:$name", 'totp_used');
    $web->login($name, $password, 'npm-otp' => otp(TOTP, $steps // 0));

    return $web;
}

# over HTTP/1 in any mode: curl sends a body twice if the answer comes early

sub put {
    my ($uri, $token, %headers) = @_;

    return $api->call1('PUT', $uri, $token, '{}', 'npm-auth-type' => 'web',
                      'npm-command' => 'publish', %headers);
}

# what a client has of an answer with URLs: the id for the browser, the path to
# poll

sub asked {
    my $r = shift;

    my ($id) = ($r->{json}{authUrl} // '') =~ /#otp=([0-9A-Za-z]{24})\z/;
    my ($done) = ($r->{json}{doneUrl} // '') =~ m{(/-/v1/done\?authId=.*)};

    secret($_) for grep { defined } $id, ($done // '') =~ /=(.*)/;

    return ($id, $done);
}

sub poll { return $api->call('GET', shift) }

sub ticket {
    my ($web, $r) = @_;

    my ($id, $done) = asked($r);

    is($web->post('approve', { id => $id })->{status}, 200, 'approved');

    my $ticket = poll($done)->{json}{token};

    return secret($ticket);
}

sub is_passed {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{headers}{'x-registry'}, 'yes', $name) or diag($r->{body});
}

sub is_offered {
    my ($r, $offered, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 401, $name);
    is($r->{headers}{'www-authenticate'}, 'otp', '... a code is asked for');
    like($r->{json}{error}, OTP, '... in words');
    is(join(' ', sort keys %{ $r->{json} }),
       $offered ? 'authUrl doneUrl error' : 'error',
       $offered ? '... or by the browser' : '... in the terminal');
}


subtest 'a publish with a code from the browser' => sub {
    settle();

    my ($token) = account('alice');
    my $r = put('/@acme%2fbox', $token);

    is_offered($r, 1, 'the write');

    my ($id, $done) = asked($r);
    my $web = browser('alice');

    $r = $web->post('pending', { id => $id });
    delete @{ $r->{json} }{qw( created expires_in )};
    is(length(delete $r->{json}{code}), 9, 'the page has a code to compare');
    is_deeply($r->{json}, { kind => 'otp', address => '127.0.0.1',
        same_address => $true, client => $r->{json}{client}, user => 'alice',
        method => 'PUT', package => '@acme/box', command => 'publish' },
        '... and says whose write it is, and of what');

    $r = poll($done);
    is($r->{status}, 202, 'the client waits');
    is($r->{headers}{'retry-after'}, 2, '... with pauses');

    is($web->post('approve', { id => $id })->{status}, 200, 'approved');

    $r = poll($done);
    is($r->{status}, 200, 'the client has its answer');
    is_deeply([ keys %{ $r->{json} } ], [ 'token' ], '... in "token"');

    my $ticket = secret($r->{json}{token});

    like($ticket, qr/\A[0-9a-f]{32}[0-9A-Za-z]{24}\z/,
         'it is neither six digits nor 64 hex digits');
    is_error(poll($done), 410, GONE, 'it is given out once');
    is($api->status_of($ticket), 401, 'it is no token');

    is_passed(put('/@acme%2fbox', $token, 'npm-otp' => $ticket),
              'with it the write is made');
    is_error(put('/@acme%2fbox', $token, 'npm-otp' => $ticket), 401, WRONG,
             'a second one is not', challenge => 'otp');
};


subtest 'what a ticket is bound to' => sub {
    settle();

    my ($token, $second) = account('alice');
    my ($bobs) = account('bob');
    my $web = browser('alice');
    my $ticket = ticket($web, put('/box', $token));
    my %with = ('npm-otp' => $ticket);

    for (
        [ 'another token' => 'PUT', '/box', $second ],
        [ 'another account' => 'PUT', '/box', $bobs ],
        [ 'another package' => 'PUT', '/box2', $token ],
        [ 'another spelling' => 'PUT', '/%62ox', $token ],
        [ 'another base' => 'PUT', '/few/box', $token ],
        [ 'another method' => 'DELETE', '/box', $token ],
    ) {
        my ($what, $method, $uri, $token) = @$_;

        is_error($api->call($method, $uri, $token, '{}', %with), 401, WRONG,
                 "not to $what", challenge => 'otp');
    }

    is_error($api->call('POST', '/-/npm/v1/tokens', $token,
        { password => $password }, %with), 401, WRONG, 'it makes no token',
        challenge => 'otp');
    is_error($api->call('PUT', '/-/user/org.couchdb.user:alice', undef,
        { name => 'alice', password => $password }, %with), 401, WRONG,
        'and no login', challenge => 'otp');
    is_error(put('/box', $token, 'npm-otp' => substr($ticket, 0, 55) . '_'),
             401, WRONG, 'one that is a little different',
             challenge => 'otp');
    like(put('/box', $token, 'npm-otp' => [ $ticket, $ticket ])->{json}{error},
         OTP, 'two of them are none') if !$http2;
    is_passed(put('/box', $token, %with), 'it is still good for its write');
};


subtest 'what ends a ticket' => sub {
    settle();

    my ($token) = account('alice');
    my $web = browser('alice');

    for (
        [ 'a lock' => locked => 'true' ],
        [ 'another password' => password => crypt('y' x 9, '$2b$04$'
            . 'd' x 22) ],
        [ 'another authenticator' => totp =>
            'MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK' ],
    ) {
        my ($what, @fields) = @$_;
        my ($before, $after) = map { [ asked(put('/box', $token)) ] } 1, 2;

        $web = browser('alice');

        for ($before, $after) {
            is($web->post('approve', { id => $_->[0] })->{status}, 200,
               "approved before $what");
        }

        my $ticket = secret(poll($before->[1])->{json}{token});

        $redis->command('HSET', 'npmtoken:user:alice', @fields);
        is_error(poll($after->[1]), 410, GONE, '... no ticket is made after');

        # a lock stops logins; tokens go on

        if ($what eq 'a lock') {
            is_passed(put('/box', $token, 'npm-otp' => $ticket),
                      '... one that was made is for a token, which goes on');
        } else {
            is_error(put('/box', $token, 'npm-otp' => $ticket), 401, WRONG,
                     '... one that was made is good for nothing',
                     challenge => 'otp');
        }

        $api->user('alice', $password, tfa => 'auth-and-writes',
                   totp => TOTP);
    }

    my $ticket = ticket($web = browser('alice'), put('/box', $token));

    $redis->command('DEL', grep { /npmtoken:web:[0-9a-f]{32}/ }
        @{ $redis->command('KEYS', '*') });
    is_error(put('/box', $token, 'npm-otp' => $ticket), 401, WRONG,
             'its time', challenge => 'otp');
};


subtest 'who may approve' => sub {
    settle();

    my ($token) = account('alice');

    account('bob');

    my ($id, $done) = asked(put('/box', $token));

    is_error(browser('bob')->post('approve', { id => $id }), 403,
             qr/Another account/, 'nobody else');

    my $web = browser('alice');

    $redis->command('HSET', 'npmtoken:token:' . token_key($web->cookie),
                    updated => '2026-01-01T00:00:00.000Z');

    ok($web->post('approve', { id => $id })->{json}{reauth},
       'a login of some time ago gives the password again');
    is_error($web->post('approve', { id => $id, password => $password }), 401,
             OTP, '... and a code', challenge => 'otp');
    is($web->post('approve', { id => $id, password => $password },
                  'npm-otp' => otp(TOTP, 1))->{status}, 200, '... and may');
    is(poll($done)->{status}, 200, 'the client has its answer');
    is_error(browser('alice')->post('deny', { id => $id }), 410, GONE,
             'that cannot be denied any more');

    ($id, $done) = asked(put('/box', $token));
    is(browser('alice')->post('deny', { id => $id })->{status}, 200, 'denied');
    is_error(poll($done), 410, qr/denied/, 'the client is told');
};


subtest 'who is offered it' => sub {
    my ($token) = account('alice');

    for (
        [ 'npm 8, or with --otp' => 'npm-auth-type' => 'legacy' ],
        [ 'npm 6, yarn' => 'npm-auth-type' => undef ],
        [ 'an unknown way' => 'npm-auth-type' => 'Web' ],
    ) {
        my ($who, %headers) = @$_;

        is_offered($api->call('PUT', '/box', $token, '{}',
            map { defined $headers{$_} ? ($_ => $headers{$_}) : () }
            keys %headers), 0, "not $who");
    }

    is_offered(put('/off/box', $token), 0, 'not where it is off');
    is_offered(put('/box', $token, Host => 'npm.example.com'), 0,
               'not where nobody could log in');

    for (
        [ 'an unpublish, of several writes' => 'PUT', '/box/-rev/1-a' ],
        [ '... nor its last one' => 'DELETE', '/box/-/box-1.0.0.tgz/-rev/1' ],
    ) {
        my ($what, $method, $uri) = @$_;

        is_offered($api->call($method, $uri, $token, '{}',
                              'npm-auth-type' => 'web'), 0, "not $what");
    }

    is_offered($api->call('PUT', '/-/user/org.couchdb.user:alice', undef,
        { name => 'alice', password => $password },
        'npm-auth-type' => 'web'), 0, 'not a login');

    is_offered($api->call('PUT', '/-/package/box/dist-tags/next', $token,
        '"1.0.0"', 'npm-auth-type' => 'web'), 1, 'a dist-tag');
    is_offered($api->call('POST', '/-/npm/v1/tokens', $token,
        { password => $password }, 'npm-auth-type' => 'web'), 1,
        'npm token create');
    is_error($api->call('POST', '/-/npm/v1/tokens', $token,
        { password => 'wrong one' }, 'npm-auth-type' => 'web'), 401,
        qr/name or the password/, '... after the password');
    is_offered($api->call('DELETE', '/-/npm/v1/tokens/token/' . 'a' x 128,
        $token, undef, 'npm-auth-type' => 'web'), 1, 'npm token revoke');
};


subtest 'npm token create with a code from the browser' => sub {
    settle();

    my ($token) = account('alice');
    my $create = sub {
        return $api->call('POST', '/-/npm/v1/tokens', $token,
                          { password => $password }, 'npm-auth-type' => 'web',
                          @_);
    };
    my $ticket = ticket(browser('alice'), $create->());

    is($create->('npm-otp' => $ticket)->{status}, 200, 'a token is made');
    is_error($create->('npm-otp' => $ticket), 401, WRONG, '... one',
             challenge => 'otp');
};


subtest 'how many' => sub {
    my ($token, $second) = account('alice');
    my @r = map { put('/box', $token) } 1 .. 21;

    is(scalar(grep { $_->{json}{authUrl} } @r), 20, 'a token has twenty');
    is_offered($r[-1], 0, 'then it has to ask in the terminal');
    is_offered(put('/box', $second), 1, 'another one is not affected');

    for (1 .. 3) {
        is_error(put('/few/box', $second, 'npm-otp' => 'a' x 56), 401, WRONG,
                 'guesses', challenge => 'otp');
    }

    is(put('/few/box', $second, 'npm-otp' => 'a' x 56)->{status}, 429,
       '... count as wrong codes do');
};


subtest 'of two writes at once with one ticket one is made' => sub {
    settle();

    my ($token) = account('alice');
    my $ticket = ticket(browser('alice'), put('/box', $token));

    my @c = map {
        my $c = NpmToken::HTTP1->new($_->port);

        $c->request('PUT', '/box', { Authorization => "Bearer $token",
            'npm-otp' => $ticket }, '{}');
        $c;
    } ($api, $other) x 3;

    is_deeply([ sort map { $_->response->{status} } @c ],
              [ 200, (401) x 5 ], 'the others are refused');
};


done();
