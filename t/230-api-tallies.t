# Whose tally an attempt is counted in: that of an account and an address where
# somebody logs in, that of the token where one is there; and that they are in
# Redis, hence of all nodes.

use strict;
use warnings;

use Digest::SHA qw( sha512_hex );
use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( temp_dir token_key );

# curl may send a request twice, and what is counted here would be two

plan(skip_all => 'makes no difference in this mode') if $http2;

use constant {
    LOGIN  => '/-/user/org.couchdb.user:',
    SECRET => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
    USED   => qr/\AThis one-time password or a later one was/,
    WRONG  => qr/\AThis one-time password is wrong, too old, or used/,
};

my $redis = NpmToken::Redis->new;
my $password = 'correct horse battery';
my $tokens = '/-/npm/v1/tokens';
my $profile = '/-/npm/v1/user';

my @from = (server => 'set_real_ip_from 127.0.0.1; real_ip_header X-From;');

my $api = NpmToken::Api->new(redis => $redis, @from);
my $node = NpmToken::Api->new(redis => $redis, @from);


sub log_in {
    my ($on, $name, $with, %headers) = @_;

    return $on->call('PUT', LOGIN . $name, undef,
                     { name => $name, password => $with }, %headers);
}

sub attempts {
    my ($on, $name, $with, $n, %headers) = @_;

    return join ' ', map { log_in($on, $name, $with, %headers)->{status} }
        1 .. $n;
}

sub publish {
    my ($token, @otp) = @_;

    return $api->call('PUT', '/pkg', $token, '{}',
                      @otp ? ('npm-otp' => $otp[0]) : ());
}

sub account {
    my ($name, %fields) = @_;

    $redis->flush;
    $api->user($name, $password, %fields);
}

sub with_factor {
    my ($name, %fields) = @_;

    account($name, tfa => 'auth-and-writes', totp => SECRET, %fields);

    for my $token ("npm_${name}_one", "npm_${name}_two") {
        $redis->put_token($token, user => $name);
        $redis->command('SADD', "npmtoken:tokens-of:$name",
                        token_key($token));
    }

}

# A right code of now that nobody has used; two seconds are enough to send it.

sub right {
    settle(2);
    $redis->command('HDEL', 'npmtoken:user:alice', 'totp_used');

    return otp(SECRET);
}

sub tally {
    my ($kind, $what) = @_;

    return "npmtoken:tries:$kind:" . substr sha512_hex($what), 0, 32;
}

# as if the time that they wait had gone by

sub wait_is_over {
    $redis->command('HSET', $_, 'until', 1)
        for @{ $redis->command('KEYS', 'npmtoken:tries:codes:*') };
}

my $wrong = secret('000000');


subtest 'wrong logins of strangers do not keep an owner from what is his' =>
sub {
    with_factor('alice');

    is(attempts($api, 'alice', 'a guess by a stranger', 11),
       join(' ', (401) x 10, 429), 'a full tally');
    is(log_in($api, 'alice', $password, 'npm-otp' => right())->{status},
       429, 'the owner cannot log in');

    is(publish('npm_alice_one', right())->{status}, 200,
       'but publish with a token and a code');
    is($api->call('DELETE', "$tokens/token/" . token_key('npm_alice_two'),
                  'npm_alice_one', undef,
                  'npm-otp' => right())->{status}, 204,
       '... revoke what was stolen');
    is($api->call('POST', $profile, 'npm_alice_one', { password =>
                  { old => $password, new => $password } },
                  'npm-otp' => right())->{status}, 200,
       '... and change the password');

    is($api->call('POST', $tokens, 'npm_alice_one',
                  { password => $password },
                  'npm-otp' => right())->{status}, 200,
       '... and make another token');
};


subtest 'nor do those at the same address' => sub {
    with_factor('alice');

    is(attempts($api, "other-$_", 'another guess', 10),
       join(' ', (401) x 10), "other-$_") for 1 .. 5;
    is(log_in($api, 'bob', 'another guess')->{status}, 429,
       'the address is at its limit');
    is(publish('npm_alice_one', right())->{status}, 200,
       'a token and a code from there are good');
};


subtest 'wrong codes with one token are none with another' => sub {
    with_factor('alice');

    is_error(publish('npm_alice_one', $wrong), 401, WRONG, "a wrong code, $_",
             challenge => 'otp') for 1 .. 10;
    is_error(publish('npm_alice_one', right()), 429,
             qr/\AToo many wrong one-time password/,
             'after ten of them none is looked at, be it right',
             retry => 900);
    is(publish('npm_alice_two', right())->{status}, 200,
       'with another token it is good');
    is(log_in($node, 'alice', $password,
              'npm-otp' => right())->{status}, 201,
       'and so it is for a login');
};


subtest 'wrong passwords with a token are none of the account' => sub {
    account('alice');
    $redis->put_token($_, user => 'alice') for 'npm_one', 'npm_two';

    my $create = sub {
        my ($token, $with) = @_;

        return $api->call('POST', $tokens, $token,
                          { password => $with })->{status};
    };

    is(join(' ', map { $create->('npm_one', 'a wrong password') } 1 .. 11),
       join(' ', (401) x 10, 429), 'a full tally of a token');
    is($api->call('POST', $profile, 'npm_one', { password =>
        { old => $password, new => 'new password' } })->{status}, 429,
        '... which counts for all that asks for the password');
    is($create->('npm_two', $password), 200, 'another token is good');
    is(log_in($api, 'alice', $password)->{status}, 201, 'so is a login');
};


subtest 'a right code that was used is no guess' => sub {
    with_factor('alice');

    settle(8);

    my $code = otp(SECRET);

    is(publish('npm_alice_one', $code)->{status}, 200, 'a code');
    is_error(publish('npm_alice_two', $code), 401, USED,
             "with another token it is used up, $_", challenge => 'otp')
        for 1 .. 12;
    is_error(log_in($api, 'alice', $password, 'npm-otp' => $code), 401, USED,
             "for a login, too, $_", challenge => 'otp') for 1 .. 12;
    is(publish('npm_alice_two', right())->{status}, 200,
       'the next one is good');
    is(log_in($api, 'alice', 'a wrong password')->{status}, 401,
       'and a login is looked at');
};


subtest 'codes with a right password: each window is twice the last' => sub {
    with_factor('alice');

    my $guess = sub {
        my $r = log_in($api, 'alice', $password, 'npm-otp' => $_[0]);

        return "$r->{status} " . ($r->{headers}{'retry-after'} // '');
    };

    my $window = sub {
        my $wait = shift;

        is($guess->($wrong), '401 ', "a wrong code, $_") for 1 .. 10;

        # the tally of the account knows of the last quarter of an hour alone
        $redis->command('DEL', tally('account', 'alice'));
        $redis->command('DEL', tally('address', '127.0.0.1'));

        my ($status, $left) = split / /, $guess->(right());

        is($status, 429, "a right one after $wait seconds");
        ok($left <= $wait && $left > $wait - 60, "... not before: $left");
    };

    $window->(900);
    wait_is_over();
    $window->(1800);
    wait_is_over();
    $window->(3600);

    # what takes a token does not wait for that

    is(publish('npm_alice_one', right())->{status}, 200,
       'a code with a token is good');
    is($api->call('POST', $profile, 'npm_alice_one', { password =>
        { old => $password, new => 'a new password' } },
        'npm-otp' => right())->{status}, 200, 'a new password');

    is(log_in($api, 'alice', 'a new password',
              'npm-otp' => right())->{status}, 201,
       '... ends the waiting');
};


subtest 'a right code begins anew' => sub {
    with_factor('alice');

    for (1 .. 3) {
        is(publish('npm_alice_one', $wrong)->{status}, 401, "wrong, $_")
            for 1 .. 9;

        is(publish('npm_alice_one', right())->{status}, 200, 'right');
    }
};


subtest 'nodes count together' => sub {
    account('alice');

    is(attempts($_->[0], 'alice', 'a guess at a node', 1), $_->[1],
       'one after the other')
        for map({ [ $_, 401 ] } ($api, $node) x 5),
            map({ [ $_, 429 ] } ($api, $node));
};


subtest 'what is kept of it' => sub {
    account('alice');

    is(attempts($api, 'Alice', 'a guess', 1), 401, 'a wrong password');
    is(attempts($api, 'hunter2-by-mistake', 'a guess', 1,
                'X-From' => '2001:db8:1:2:3::4'), 401, '... and another');

    is_deeply([ sort @{ $redis->command('KEYS', 'npmtoken:tries:*') } ],
              [ sort { $a cmp $b } tally('account', 'alice'),
                tally('address', '127.0.0.1'),
                tally('account', 'hunter2-by-mistake'),
                tally('address', '2001:db8:1:2::/64') ],
              'a digest of names and of addresses');

    for my $key (@{ $redis->command('KEYS', 'npmtoken:tries:*') }) {
        my $left = $redis->command('TTL', $key);

        ok($left > 800 && $left <= 900, "$key: for a quarter of an hour");
        ok($redis->command('MEMORY', 'USAGE', $key) < 300, '... in 300 bytes');
    }

    is(log_in($api, 'alice', $password)->{status}, 201, 'a right password');
    is($redis->command('ZCARD', tally('account', 'alice')), 1,
       '... leaves nothing behind');

    # more attempts than there may be make no more members

    attempts($api, 'alice', 'many guesses', 15);
    is($redis->command('ZCARD', tally('account', 'alice')), 10,
       'a tally has no more members than its limit');
};


subtest 'a flood of other names pushes nothing out' => sub {
    my $flooded = NpmToken::Api->new(redis => $redis,
        api => 'npmtoken_api_attempts 1 0; npmtoken_api_login proxy;
                location /-/user/ { proxy_pass http://no; }',
        http => 'upstream no { server unix:' . temp_dir()
            . '/no; }
            server { listen unix:' . temp_dir() . '/no;
                access_log off; return 401; }');

    $redis->flush;
    secret('wrong-anyway');

    my $c = NpmToken::HTTP1->new($flooded->port);
    my $body = '{"password":"wrong-anyway"}';

    my $try = sub {
        my %got;

        $c->request('PUT', LOGIN . $_, {}, $body) for @_;
        $got{ $c->response->{status} }++ for @_;

        return \%got;
    };

    is_deeply($try->('first', 'first'), { 401 => 1, 429 => 1 }, 'a full one');

    # as many as nginx takes on a connection

    for my $round (1 .. 9) {
        is_deeply($try->(map { "$round-$_" } 1 .. 100), { 401 => 100 },
                  'a hundred others');
    }

    is_deeply($try->('first'), { 429 => 1 }, 'it is still');

    my @keys = @{ $redis->command('KEYS', 'npmtoken:tries:*') };

    is(@keys, 901, 'one for each');

    my $size = $redis->command('MEMORY', 'USAGE', $keys[0]);

    ok($size < 300, "... of some 200 bytes: $size");
};


sub send_login {
    my ($on, $name, $with) = @_;

    my $c = NpmToken::HTTP1->new($on->port);

    $c->request('PUT', LOGIN . $name, {},
                "{\"name\":\"$name\",\"password\":\"@{[ secret($with) ]}\"}");

    return $c;
}

sub answers {
    my %got;

    for (@_) {
        my $r = $_->response;

        NpmToken::Api::note_secrets('', undef, undef, {}, $r);
        $got{ $r->{status} }++;
    }

    return \%got;
}


subtest 'right logins at once all succeed' => sub {
    account('alice');

    is_deeply(answers(map { send_login($_ % 2 ? $api : $node, 'alice',
                                       $password) } 1 .. 24),
              { 201 => 24 }, '24 of one account, on two nodes');
    is($redis->command('ZCARD', tally('account', 'alice')), 0,
       '... and none counts');

    is_deeply(answers(map { send_login($api, 'alice',
                                       "a wrong password $_") } 1 .. 24),
              { 401 => 10, 429 => 14 }, 'of wrong ones ten are looked at');
};


subtest 'what a node that died was checking has its place for a minute' =>
sub {
    account('alice');

    my ($seconds) = @{ $redis->command('TIME') };

    $redis->command('ZADD', tally('account', 'alice'),
        map { (-1000 * ($seconds + 2), "dead-$_") } 1 .. 10);

    is(log_in($api, 'alice', $password)->{status}, 201,
       'a login waits for it');
    is($redis->command('ZCARD', tally('account', 'alice')), 0,
       '... and it is gone');
};


subtest 'the log says it once for all of some seconds' => sub {
    my $new = NpmToken::Api->new(redis => $redis,
                                 api => 'npmtoken_api_attempts 1 0;');

    account('alice');
    is(attempts($new, 'alice', 'a logged guess', 30),
       join(' ', 401, (429) x 29), 'thirty attempts');

    $new->wait_log(qr/too many failed attempts/);

    is(scalar(() = $new->error_log =~ /too many failed attempts/g), 1,
       'one line');
};


done();
