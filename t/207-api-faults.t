# Redis that is away, full, read-only, or holds what it should not, in the
# midst of a call: it is a clear 503, nothing half-made stays, and no token is
# shown that was not stored.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Nginx qw( read_response request_text );
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

# a copy is begun at once, not when others may have asked for one, too
my @redis = (config => "repl-diskless-sync-delay 0\n");

my $redis = NpmToken::Redis->new(@redis);
my $password = 'correct horse battery';
my @api = (api => 'npmtoken_api_attempts 0 0; npmtoken_api_signup on; '
                . 'npmtoken_api_otp_reuse off;');

my $api = NpmToken::Api->new(redis => $redis, @api,
    store => 'cache off; lookup_timeout 150ms;');

# one that knows its tokens without Redis, for a minute
my $cached = NpmToken::Api->new(redis => $redis, @api,
    store => 'push off; revocation_bound 60s; lookup_timeout 150ms;');

my $node = NpmToken::Api->new(redis => $redis, @api, store => 'cache off;');

use constant NOT_NOW => qr/\AAccounts and tokens cannot be read or changed/;

my $tokens = '/-/npm/v1/tokens';
my $profile = '/-/npm/v1/user';


sub log_in {
    my ($on, $name, %more) = @_;

    return $on->call('PUT', "/-/user/org.couchdb.user:$name", undef,
                     { password => $password, %more });
}

# each token of a set has its record, and each record is in the set

sub is_whole {
    my $name = shift;

    my $all = $api->all_of_redis;
    my @wrong;

    for my $key (keys %$all) {
        if ($key =~ /\Anpmtoken:tokens-of:(.*)/) {
            push @wrong, map { "$1 has $_" } grep {
                ($all->{"npmtoken:token:$_"}{user} // '') ne $1
            } ref $all->{$key} ? @{ $all->{$key} } : ();

        } elsif ($key =~ /\Anpmtoken:token:(.*)/) {
            my ($id, $record) = ($1, $all->{$key});
            my $set = $all->{"npmtoken:tokens-of:$record->{user}"} // [];

            push @wrong, "nobody has $id"
                if !grep { $_ eq $id } ref $set ? @$set : ();

        } elsif ($key =~ /\Anpmtoken:user:(.*)/ && ref $all->{$key} eq 'HASH')
        {
            push @wrong, "$1 has no password" if !$all->{$key}{password};
        }
    }

    is_deeply(\@wrong, [], $name);
}

sub no_token {
    my ($r, $name) = @_;

    unlike($r->{body}, qr/npm_/, $name);
}

sub back {
    my $on = shift;

    my $token;

    # the look-ups have a connection of their own

    wait_for { $token = log_in($on, 'alice')->{json}{token} } 'the API';
    wait_for { $on->list($token)->{status} == 200 } 'the look-ups';
    pass('then it goes on');
}


$api->user('alice', $password);

my $token = $api->login('alice', $password);

is($_->list($token)->{status}, 200, 'all is well') for $api, $cached, $node;


# every call of somebody whose token is known, and of one who logs in

my @calls = (
    [ GET => $tokens ],
    [ POST => $tokens, { password => $password } ],
    [ DELETE => "$tokens/token/" . token_key($token) ],
    [ GET => $profile ],
    [ POST => $profile, { fullname => 'X' } ],
    [ POST => $profile, { password => { old => $password,
                                        new => 'other password' } } ],
    [ POST => $profile, { tfa => { password => $password,
                                   mode => 'auth-only' } } ],
    [ PUT => '/pkg', '{}' ],
    [ PUT => '/-/user/org.couchdb.user:alice', { password => $password } ],
    [ PUT => '/-/user/org.couchdb.user:new', { password => $password,
        email => 'n@example.com' } ],
    [ DELETE => "/-/user/token/$token" ],
);

sub all_fail {
    my ($name) = @_;

    for (@calls) {
        my ($method, $uri, $body) = @$_;
        my $r = $cached->call($method, $uri, $token, $body);

        is_error($r, 503, NOT_NOW, "$name: $method " . substr($uri, 0, 30),
                 retry => 1);
        no_token($r, '... no token');
    }

    my $r = $api->list($token);

    is($r->{status}, 503, "$name: a token that is not known");
}


subtest 'away' => sub {
    my $before = $api->all_of_redis;

    $redis->stop;
    all_fail('stopped');
    $redis->start;
    is_deeply($api->all_of_redis, {}, 'nothing was kept for later');

    for my $key (sort keys %$before) {
        $redis->command(ref $before->{$key} eq 'HASH'
            ? ('HSET', $key, %{ $before->{$key} })
            : ('SADD', $key, @{ $before->{$key} }));
    }

    back($_) for $api, $cached;
    is_whole('all is whole');
};


subtest 'asleep' => sub {
    my $before = $api->all_of_redis;

    $redis->pause;

    # what was asked already is answered once more
    all_fail('paused');
    $redis->resume;

    back($_) for $api, $cached;
    is_whole('all is whole');

    # what had been sent when time was up may have been done then: the token
    # was shown to nobody, but if it is there, it is all there

    my $record = $api->record($token);

    ok(!%$record || $record->{user} eq 'alice', 'the token is there, or not');
};


$redis->flush;
$api->user('alice', $password);
$token = $api->login('alice', $password);
is($cached->list($token)->{status}, 200, 'known again');
$calls[2][1] = "$tokens/token/" . token_key($token);
$calls[-1][1] = "/-/user/token/$token";


subtest 'full' => sub {
    my $secret = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

    $api->user('olivia', $password, tfa => 'auth-and-writes',
               totp => $secret);
    $redis->put_token('npm_olivia', user => 'olivia');
    $redis->command('SADD', 'npmtoken:tokens-of:olivia',
                    token_key('npm_olivia'));

    my $before = $api->all_of_redis;

    $redis->command('CONFIG', 'SET', 'maxmemory', 1);

    for (
        [ 'login',   PUT => '/-/user/org.couchdb.user:alice',
                     { password => $password } ],
        [ 'sign-up', PUT => '/-/user/org.couchdb.user:new',
                     { password => $password, email => 'n@example.com' } ],
        [ 'create',  POST => $tokens, { password => $password } ],
        [ 'profile', POST => $profile, { fullname => 'X' } ],
        [ 'password', POST => $profile, { password => { old => $password,
                                          new => 'other password' } } ],
        [ '2fa',     POST => $profile, { tfa => { password => $password,
                                         mode => 'auth-only' } } ],
    ) {
        my ($name, $method, $uri, $body) = @$_;
        my $r = $api->call($method, $uri, $token, $body);

        is_error($r, 503, NOT_NOW, $name, retry => 1);
        no_token($r, '... no token');
    }

    is_deeply($api->all_of_redis, $before, 'nothing is stored');
    like($api->wait_log(qr/redis refused/),
         qr/redis refused a command of the token API: OOM/, 'it is logged');

    is($api->list($token)->{status}, 200, 'it can be listed');

    # what takes a right away goes on, and a code is used up

    settle(5);

    my $r = $api->call('PUT', '/pkg', 'npm_olivia', '{}',
                       'npm-otp' => otp($secret));

    is($r->{status}, 200, 'a code is good');
    is($api->call('PUT', '/pkg', 'npm_olivia', '{}',
                  'npm-otp' => otp($secret))->{status}, 401, '... once');

    is($api->call('DELETE', "$tokens/token/" . token_key('npm_olivia'),
        'npm_olivia', undef, 'npm-otp' => otp($secret, 1))->{status}, 204,
        'a token is revoked');
    is($api->status_of('npm_olivia'), 401, '... and it bites');
    is($api->call('DELETE', "/-/user/token/$token", $token)->{status}, 200,
       'a logout');
    is($api->status_of($token), 401, '... bites, too');

    $redis->command('CONFIG', 'SET', 'maxmemory', 0);
    back($api);
    is_whole('all is whole');
};


subtest 'a replica' => sub {
    my $master = NpmToken::Redis->new(@redis);

    $redis->flush;
    $api->user('alice', $password);
    $token = $api->login('alice', $password);

    # a copy of the same, so that what it has is not what is missing

    $master->command('REPLICAOF', '127.0.0.1', $redis->port);
    wait_for { $master->command('EXISTS', 'npmtoken:user:alice') } 'a copy';
    $master->command('REPLICAOF', 'NO', 'ONE');

    my $before = $api->all_of_redis;

    $redis->command('REPLICAOF', '127.0.0.1', $master->port);

    for my $call (
        [ PUT => '/-/user/org.couchdb.user:alice', { password => $password } ],
        [ PUT => '/-/user/org.couchdb.user:new', { password => $password,
            email => 'n@example.com' } ],
        [ POST => $tokens, { password => $password } ],
        [ POST => $profile, { fullname => 'X' } ],
        [ DELETE => "$tokens/token/" . token_key($token) ],
        [ DELETE => "/-/user/token/$token" ],
    ) {
        my ($method, $uri, $body) = @$call;
        my $r = $api->call($method, $uri, $token, $body);

        is($r->{status}, 503, "$method " . substr($uri, 0, 30));
        is($r->{headers}{'retry-after'}, 1, '... try again');
        no_token($r, '... no token');
    }

    wait_for { $redis->command('EXISTS', 'npmtoken:user:alice') } 'a copy';
    is_deeply($api->all_of_redis, $before, 'nothing is changed');

    $redis->command('REPLICAOF', 'NO', 'ONE');
    back($api);
};


subtest 'keys of another type' => sub {
    $redis->flush;
    $api->user('alice', $password);
    $redis->put_token('npm_alice', user => 'alice');
    $redis->command('SET', 'npmtoken:tokens-of:alice', 'x');

    # the hash is made anew by that, before it fails
    is(log_in($api, 'alice')->{status}, 503, 'a login');

    my $before = $api->all_of_redis;

    is_error($api->list('npm_alice'), 503, NOT_NOW, 'list', retry => 1);
    is_error(log_in($api, 'alice'), 503, NOT_NOW, 'login', retry => 1);
    is_error($api->call('POST', $tokens, 'npm_alice',
        { password => $password }), 503, NOT_NOW, 'create', retry => 1);
    is_error($api->call('DELETE', '/-/user/token/npm_alice', 'npm_alice'),
             503, NOT_NOW, 'logout', retry => 1);
    is_deeply($api->all_of_redis, $before, 'nothing is changed');

    like($api->wait_log(qr/redis refused.*WRONGTYPE/), qr/WRONGTYPE/,
         'it is logged');
};


subtest 'two who revoke one token' => sub {
    $redis->flush;
    $api->user('alice', $password);

    my $bearer = $api->login('alice', $password);
    my $both = sub {
        my ($uri, $auth) = @_;

        my @connections = map {
            my $c = $_->connect;

            print $c request_text('DELETE', $uri,
                                  { Authorization => "Bearer $auth" });
            $c;
        } ($api, $node) x 3;

        return join ' ', sort map { read_response($_)->{status} }
            @connections;
    };

    for (1 .. 5) {
        my $made = $api->create($bearer, password => $password);

        is($both->("$tokens/token/" . token_key($made), $bearer),
           '204 404 404 404 404 404', 'one of six has done it');
        is($api->status_of($made), 401, '... and it bites');
    }

    my $made = $api->create($bearer, password => $password);

    is($both->("/-/user/token/$made", $made), join(' ', (200) x 6),
       'and all who log out');
    is_whole('all is whole');
};


subtest 'two who sign up as one' => sub {
    my @connections = map {
        my $c = $_->connect;

        print $c request_text('PUT', '/-/user/org.couchdb.user:twin', {},
            '{"password":"' . secret("password of $_->{port}")
            . '","email":"t@example.com"}');
        $c;
    } $api, $node;

    my @r = map { read_response($_) } @connections;

    NpmToken::Api::note_secrets('', undef, undef, {}, $_) for @r;

    is(join(' ', sort map { $_->{status} } @r), '201 401', 'one of them is');
    is_whole('all is whole');
};


subtest 'copies that have to be there' => sub {
    $redis->flush;

    my $replica = NpmToken::Redis->new(@redis);

    $replica->command('REPLICAOF', '127.0.0.1', $redis->port);

    my $careful = NpmToken::Api->new(redis => $redis,
        api => 'npmtoken_api_attempts 0 0; npmtoken_api_signup on;'
            . ' npmtoken_api_replicas 1 300ms;',
        store => 'cache off;');

    $careful->user('alice', $password);

    my $secret = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

    $careful->user('olivia', $password, tfa => 'auth-only', totp => $secret);

    wait_for {
        $redis->command('INFO', 'replication') =~ /state=online/
            && $replica->command('EXISTS', 'npmtoken:user:olivia');
    } 'a replica';

    my $token = $careful->login('alice', $password);

    ok($replica->command('EXISTS', $replica->record_name($token)),
       'when it is acknowledged, the copy has it');

    my $made = $careful->create($token, password => $password);

    is($careful->call('DELETE', "$tokens/token/$made", $token)->{status}, 204,
       'revoked');
    ok(!$replica->command('EXISTS', $replica->record_name($made)),
       '... of the copy, too');
    is($careful->call('POST', $profile, $token,
                      { fullname => 'A' })->{status}, 200, 'profile');
    is($replica->command('HGET', 'npmtoken:user:alice', 'fullname'), 'A',
       '... the copy has it');
    is($careful->call('PUT', '/-/user/org.couchdb.user:new', undef,
        { password => $password, email => 'n@example.com' })->{status}, 201,
        'sign-up');

    $made = $careful->create($token, password => $password);
    $replica->pause;

    my $before = $careful->all_of_redis;
    my $done = qr/\AThe change is made, but too few replicas of the database/;

    my $r = $careful->call('POST', $tokens, $token,
                           { password => $password });
    is_error($r, 503, NOT_NOW, 'create', retry => 1);
    no_token($r, '... no token');
    $r = log_in($careful, 'alice');
    is_error($r, 503, NOT_NOW, 'login', retry => 1);
    no_token($r, '... no token');
    is_deeply($careful->all_of_redis, $before,
              'the tokens have been withdrawn');

    settle(2);
    is_error($careful->call('PUT', '/-/user/org.couchdb.user:olivia', undef,
        { password => $password }, 'npm-otp' => otp($secret)), 503, NOT_NOW,
        'a code that another might not know of is not taken', retry => 1);
    is_deeply([ $careful->tokens_of('olivia') ], [], '... no token');

    $r = $careful->call('PUT', '/-/user/org.couchdb.user:newer', undef,
        { password => $password, email => 'n@example.com' });
    is($r->{status}, 503, 'sign-up');
    like($r->{json}{error}, $done, '... is said to be done');
    no_token($r, '... no token');
    ok($careful->account('newer')->{password}, '... the account is there');
    is_deeply([ $careful->tokens_of('newer') ], [],
              '... the token has been withdrawn');

    is_error($careful->call('DELETE', "$tokens/token/$made", $token), 503,
             $done, 'revoke');
    is_deeply($careful->record($made), {}, '... is done');
    is_error($careful->call('POST', $profile, $token, { fullname => 'B' }),
             503, $done, 'profile');
    is($careful->account('alice')->{fullname}, 'B', '... is done');
    is_error($careful->call('DELETE', "/-/user/token/$token", $token), 503,
             $done, 'logout');
    is($careful->status_of($token), 401, '... is done');

    $replica->resume;

    wait_for { log_in($careful, 'alice')->{status} == 201 } 'the replica';
    pass('then it goes on');
    is_whole('all is whole');
};


done();
