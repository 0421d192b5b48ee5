# The token commands of a registry whose own path has encoded characters.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Registry;

my $redis = NpmToken::Redis->new;

my $base = '/api/v4/groups/acme%2Fweb/-/packages/npm/';
my $place = '/api/v4/groups/acme/web/-/packages/npm/';

my $login = '-/user/org.couchdb.user:alice';
my $password = 'correct horse battery';

my $api = NpmToken::Api->new(
    redis => $redis,
    location => "location $place {
        npmtoken main;
        npmtoken_api main;
        npmtoken_base $base;
        proxy_pass http://registry;
    }",
);

$api->user('alice', $password);

my %body = (name => 'alice', password => $password);


subtest 'npm login, whoami, token create, list, revoke, logout' => sub {
    my $r = $api->call('PUT', "$base$login", undef, \%body);

    is($r->{status}, 201);

    my $token = secret($r->{json}{token});

    # in the other case of the hex digits, too

    my $same = $base =~ s/%2F/%2f/r;

    is_answer($api->call('GET', "$same-/whoami", $token), 200,
              { username => 'alice' }, 'whoami');

    $r = $api->call('POST', "$base-/npm/v1/tokens", $token,
                    { password => $password, readonly => $true });

    is($r->{status}, 200);

    my $made = secret($r->{json}{token});
    my $key = $r->{json}{key};

    is(@{ $api->call('GET', "$base-/npm/v1/tokens", $token)->{json}{objects} },
       2);
    is($api->call('DELETE', "$base-/npm/v1/tokens/token/$key",
                  $token)->{status}, 204);
    is($api->call('GET', "$base-/whoami", $made)->{status}, 401);
    is($api->call('DELETE', "$base-/user/token/$token", $token)->{status},
       200);
    is($api->call('GET', "$base-/whoami", $token)->{status}, 401);
};


subtest 'a path that is the base to nginx alone is no call' => sub {
    is($api->call('PUT', "$place$login", undef, \%body)->{status}, 401);
};


subtest 'the registry is asked about a password by its own path' => sub {
    my $registry = NpmToken::Registry->new;
    my $other = $login =~ s/alice/carol/r;

    my $asking = NpmToken::Api->new(
        redis => $redis,
        location => "location $place {
            npmtoken main;
            npmtoken_api main;
            npmtoken_api_login proxy;
            npmtoken_base $base;
            proxy_pass http://@{[ $registry->socket ]};
        }",
    );

    my $r = $asking->call('PUT', "$base$other", undef,
                          { name => 'carol', password => $password });

    is($r->{status}, 201);
    is($registry->count("$base$other"), 1, 'at login');

    my $token = secret($r->{json}{token});

    $r = $asking->call('POST', "$base-/npm/v1/tokens", $token,
                       { password => $password });

    is($r->{status}, 200);
    is($registry->count("$base$other"), 2, 'when a token is made');
    like($registry->got("$base$other"), qr{\APUT });

    secret($r->{json}{token});
};


done();
