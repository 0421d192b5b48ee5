# How long a login and a token that people make are good for, and what a login
# is called.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( token_key );

use constant DAY => 86400;

my $password = 'correct horse battery';

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    api    => 'npmtoken_api_attempts 0 0;',
    server => join '', map { my ($base, $api) = @$_; <<"_EOC_" }
        location /$base/ {
            npmtoken main;
            npmtoken_base /$base/;
            npmtoken_api main;
            $api
            proxy_pass http://registry;
        }
_EOC_
        [ hour    => 'npmtoken_api_session 1h;' ],
        [ forever => 'npmtoken_api_session 0;' ],
        [ signup  => 'npmtoken_api_session 1h; npmtoken_api_signup on;' ],
        [ short   => 'npmtoken_api_lifetime 30d 90d;' ],
        [ preset  => 'npmtoken_api_lifetime 30d 0;' ]
);

$api->user('alice', $password);


sub login {
    my ($base, $headers, %more) = @_;

    my $r = $api->call('PUT', "${base}-/user/org.couchdb.user:alice", undef,
                       { name => 'alice', password => $password, %more },
                       %{ $headers // {} });

    is($r->{status}, 201, 'a login') or diag($r->{body});

    return $r->{json}{token};
}

sub create {
    my ($base, $token, %body) = @_;

    return $api->call('POST', "${base}-/npm/v1/tokens", $token,
                      { password => $password, %body });
}

# seconds from now, of a token or of the bearer of a record

sub left {
    my $end = $api->record($_[0])->{expires_at};

    return defined $end ? $end - time : undef;
}

sub is_left {
    my ($token, $seconds, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $left = left($token);

    ok(defined $left && $left <= $seconds && $left > $seconds - 30, $name)
        or diag($left // 'for ever', " is not $seconds");
}


subtest 'a login ends' => sub {
    my $token = login('/');

    is_left($token, DAY / 2, 'after twelve hours');
    is($api->record($token)->{session}, 'login', 'it says that it is one');
    is($api->status_of($token, 'PUT'), 200, 'it may write');
    is($api->call('GET', '/pkg', $token)->{headers}{'npm-notice'}, undef,
       'nobody is told daily that it ends');

    is_left(login('/hour/'), 3600, 'after the time that is set');
    is_left(login('/hour/', undef, expires => 1), 3600,
            'also if it asks for more');

    $token = login('/forever/');
    is(left($token), undef, 'or never, if that is set');
    is($api->record($token)->{session}, undef, 'it says nothing then');

    my $r = $api->call('PUT', '/signup/-/user/org.couchdb.user:bob', undef,
                       { name => 'bob', password => $password,
                         email => 'bob@example.com' });
    is_left($r->{json}{token}, 3600, 'so does the login of a sign-up');
};


subtest 'a token that a login makes outlives it' => sub {
    my $login = login('/');

    my $r = create('/', $login);
    is($r->{status}, 200, 'without a time of its own');
    is(left($r->{json}{token}), undef, '... for ever');

    is_left(create('/', $login, expires => 100)->{json}{token}, 100 * DAY,
            'with one');

    my $token = create('/', $login, expires => 2)->{json}{token};

    is_left(create('/', $token)->{json}{token}, 2 * DAY,
            'but one that such a token makes does not outlive that');
    is_error(create('/', $token, expires => 3), 403, qr/expires after/,
             '... nor if it asks for it');

    $redis->command('EXPIRE', 'npmtoken:token:' . token_key($login), 5000);
    is_left(create('/', $login)->{json}{token}, 5000,
            'nor does one outlive a TTL that an operator has set');
};


subtest 'the lifetime of tokens that people make' => sub {
    my $login = login('/');

    is_left(create('/short/', $login)->{json}{token}, 30 * DAY,
            'the preset one');
    is_left(create('/short/', $login, expires => 90)->{json}{token}, 90 * DAY,
            'the longest');
    is_left(create('/short/', $login, expires => 1)->{json}{token}, DAY,
            'a shorter one');

    my $before = $api->all_of_redis;

    is_error(create('/short/', $login, expires => 91), 403,
        qr/\AA token is good for at most 90 days here\. Ask for fewer with /,
        'a longer one is refused, with the limit in the sentence');
    is_error(create('/short/', $login, expires => 36500), 403, qr/90 days/,
             'and one of a century');
    is_deeply($api->all_of_redis, $before, '... and nothing was made');

    is_left(create('/preset/', $login)->{json}{token}, 30 * DAY,
            'without a longest: the preset one');
    is_left(create('/preset/', $login, expires => 3650)->{json}{token},
            3650 * DAY, '... and any other');

    my $token = create('/', $login, expires => 2)->{json}{token};

    is_left(create('/short/', $token)->{json}{token}, 2 * DAY,
            'the preset one is not longer than the token that asks has');
};


subtest 'a login is called by address and client' => sub {
    my $name = sub {
        return $api->record(login('/', { 'User-Agent' => $_[0] }))->{name};
    };

    my %clients = (
        'npm/11.6.1 node/v24.1.0 linux x64 workspaces/false' => 'npm/11.6.1',
        'pnpm/10.1.0 npm/? node/v24 linux x64' => 'pnpm/10.1.0',
        'undici' => 'undici',
        'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
            => 'Firefox/140.0',
        'Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) '
            . 'Chrome/156.0.0.0 Safari/537.36 Edg/156.0.1.2' => 'Edg/156.0.1.2',
        'Mozilla/5.0 (nothing known)' => 'unknown client',
        '<b>npm</b>' => 'unknown client',
        "npm/\xc3\xa9" => 'unknown client',
        '"' => 'unknown client',
        'n' x 300 => 'n' x 40,
    );

    is($name->($_), "npm login from 127.0.0.1, $clients{$_}",
       substr $_, 0, 40) for sort keys %clients;

    like($api->list(login('/'), '?perPage=1')->{json}{objects}[0]{name},
         qr/\Anpm login from 127\.0\.0\.1, /, 'the list says so');
};


done();
