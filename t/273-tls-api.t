# The token API's own connections to Redis use TLS, too.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Tls;
use NpmToken::Util qw( free_port );

my $tls = NpmToken::Tls->new;
my $port = free_port();

# nothing but TLS, and only for those who have a certificate

my $redis = NpmToken::Redis->new(
    config => "port 0\n" . $tls->redis($port, clients => 'yes'));

my $api = NpmToken::Api->new(
    redis => $redis,
    url   => "rediss://localhost:$port",
    store => 'cache off; lookup_timeout 5s;'
        . ' redis_ssl_trusted_certificate ' . $tls->file('ca') . ';'
        . ' redis_ssl_certificate ' . $tls->cert('client') . ';'
        . ' redis_ssl_certificate_key ' . $tls->key('client') . ';',
    api   => 'npmtoken_api_signup on;',
);

my $password = 'correct horse battery';

$api->user('alice', $password);

my $token = $api->login('alice', $password);

ok($token, 'a login');

my $r = $api->call('GET', '/-/npm/v1/tokens', $token);

is($r->{status}, 200, 'the list of tokens');
is(scalar(@{ $r->{json}{objects} }), 1, 'has that one');

is($api->call('GET', '/-/whoami', $token)->{json}{username}, 'alice',
   'the token is good');

is($api->call('DELETE', "/-/user/token/$token", $token)->{status}, 200,
   'a logout');

is($api->call('GET', '/-/whoami', $token)->{status}, 401,
   'the token is gone');

done();
