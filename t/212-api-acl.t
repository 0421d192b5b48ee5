# The rights in Redis that docs/api.md names are enough for all calls, and with
# one less nothing is half made.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( read_file token_key );
use NpmToken::Web;

my ($rights) = read_file('docs/api.md')
    =~ /^redis-cli ACL SETUSER npmtoken-api on '>PASSWORD' (.*?[^\\])$/ms
    or die 'docs/api.md has no such command';

$rights =~ s/'|\\\n *//g;

my $password = 'correct horse battery';

my $redis = NpmToken::Redis->new(
    auth   => ['secret'],
    config => join '', "requirepass secret\n",
        "user all on >secret $rights\n",
        'user unasked on >secret ' . $rights =~ s/ \+(?:info|role)\b//gr . "\n",
        'user older on >secret '
            . $rights =~ s/ ~npmtoken:tries:\S+| \+(?:info|scan|z\w+)\b//gr
            . "\n",
        map { my $less = $rights =~ s/ \+$_\b//r;
              "user $_ on >secret $less\n" } qw( sadd hset del hmget scan ),
);

NpmToken::Util::write_file("$redis->{dir}/password", "secret\n");


sub api {
    my ($user, $attempts) = (@_, '0 0');

    return NpmToken::Api->new(
        redis => $redis,
        url   => 'unix:' . $redis->socket . "; redis_user $user;"
            . " redis_password_file $redis->{dir}/password",
        api   => "npmtoken_api_signup on; npmtoken_api_attempts $attempts;"
            . ' npmtoken_api_page on;',
    );
}

sub sign_up {
    my ($api, $name) = @_;

    return $api->call('PUT', "/-/user/org.couchdb.user:$name", undef, {
        name => $name, password => $password, email => "$name\@example.com",
    });
}

sub login {
    my ($api, $name) = @_;

    return $api->call('PUT', "/-/user/org.couchdb.user:$name", undef, {
        name => $name, password => $password,
    });
}


subtest 'all calls' => sub {
    my $api = api('all');
    my $r = sign_up($api, 'alice');
    my $token = $r->{json}{token};

    is($r->{status}, 201, 'adduser');

    for my $call ([ 'GET', '/-/whoami' ], [ 'GET', '/-/npm/v1/tokens' ],
                  [ 'GET', '/-/npm/v1/user' ],
                  [ 'POST', '/-/npm/v1/user', { fullname => 'Alice' } ])
    {
        my ($method, $path, $body) = @$call;

        $r = $api->call($method, $path, $token, $body);
        is($r->{status}, 200, "$method $path");
    }

    $r = $api->call('POST', '/-/npm/v1/tokens', $token,
                    { password => $password, readonly => $true });
    is($r->{status}, 200, 'a token is made');

    $r = $api->call('DELETE', "/-/npm/v1/tokens/token/$r->{json}{key}",
                    $token);
    is($r->{status}, 204, 'and revoked');

    $r = $api->call('POST', '/-/npm/v1/user', $token,
                    { tfa => { password => $password, mode => 'auth-only' } });
    is($r->{status}, 200, 'a second factor');

    my $web = NpmToken::Web->new($api);

    $web->login('alice', $password);
    is($web->get($_)->{status}, 200, "the page: $_")
        for qw( session tokens sessions user );
    is($web->post('tokens', { name => 'a', password => $password })->{status},
       200, 'the page makes a token');
    is($web->get('tokens')->{status}, 200, 'with a new secret');
    is($web->post('logout')->{status}, 204, 'and logs out');

    my ($secret) = $r->{json}{tfa} =~ /secret=(\w+)/;

    secret($secret);
    settle();

    $r = $api->call('POST', '/-/npm/v1/user', $token,
                    { tfa => [ otp($secret, 0) ] });
    is($r->{status}, 200, 'is confirmed');
    secret(@{ $r->{json}{tfa} });

    $r = $api->call('POST', '/-/npm/v1/user', $token,
                    { tfa => { password => $password, mode => 'disable' } },
                    'npm-otp' => $r->{json}{tfa}[0]);
    is($r->{status}, 200, 'and turned off by a recovery code');
};


subtest 'without info and role' => sub {
    my $api = api('unasked');

    is(sign_up($api, 'erin')->{status}, 201, 'it works');
    unlike($api->error_log, qr/\[error\].*npmtoken-api/, 'with no error');
};


for my $less ('sadd', 'hset') {
    subtest "without $less" => sub {
        my $api = api($less);

        is(sign_up($api, 'bob')->{status}, 503, 'nobody signs up');
        is_deeply([ grep { /bob/ } $redis->command('KEYS', '*') ], [],
                  'nothing is kept of it');
    };
}


subtest 'without hmget' => sub {
    my $token = sign_up(api('all'), 'dave')->{json}{token};

    is(api('hmget')->call('GET', '/-/npm/v1/tokens', $token)->{status}, 503,
       'a list that leaves out what it may not see is none');
};


subtest 'without scan' => sub {
    sign_up(api('all'), 'frank');

    my $api = api('scan');

    is(sign_up($api, 'grace')->{status}, 503, 'nobody signs up');
    is(login($api, 'frank')->{status}, 201, 'who has an account logs in');
};


# what an upgrade from before attempts were counted in Redis finds

subtest 'without info, scan, tries and its commands' => sub {
    my $token = sign_up(api('all'), 'heidi')->{json}{token};
    my $api = api('older', '10 50');

    is($api->call('GET', '/-/whoami', $token)->{status}, 200,
       'a token is good');
    is($api->call('GET', '/-/npm/v1/tokens', $token)->{status}, 200,
       'its list is shown');
    is(login($api, 'heidi')->{status}, 503, 'nobody logs in');
    is($api->call('POST', '/-/npm/v1/tokens', $token,
                  { password => $password })->{status}, 503,
       'no token is made');
    like($api->error_log, qr/NOPERM/, 'the log says why');
};


subtest 'without del' => sub {
    my $token = sign_up(api('all'), 'carol')->{json}{token};
    my $api = api('del');
    my $key = token_key($token);

    is($api->call('DELETE', "/-/npm/v1/tokens/token/$key", $token)->{status},
       503, 'no token is revoked');
    is($api->call('GET', '/-/whoami', $token)->{status}, 200,
       'it is good still');
    is($redis->command('SISMEMBER', 'npmtoken:tokens-of:carol', $key), 1,
       'and one of the account');
};


done();
