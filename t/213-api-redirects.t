# A one-time password is asked for once a request, however often nginx sends
# it on to another location.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;

my $password = 'correct horse battery';
my $redis = NpmToken::Redis->new;

my $api = NpmToken::Api->new(
    redis    => $redis,
    location => <<'_EOC_',
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 0 0;

        location / {
            try_files /none @registry;
        }

        location /failing {
            error_page 502 = @registry;
            proxy_pass http://127.0.0.1:1;
        }

        location @registry {
            proxy_pass http://registry;
        }
_EOC_
);

$api->user('alice', $password);

my $token = $api->login('alice', $password);
my $r = $api->call('POST', '/-/npm/v1/user', $token, {
    tfa => { password => $password, mode => 'auth-and-writes' },
});
my ($secret) = ($r->{json}{tfa} // '') =~ /secret=(\w+)/
    or die 'no second factor';

settle();

$r = $api->call('POST', '/-/npm/v1/user', $token,
                { tfa => [ otp($secret, -1) ] });

my @codes = @{ $r->{json}{tfa} };

for my $path ('/pkg', '/failing') {
    is($api->call('PUT', $path, $token, {})->{status}, 401,
       "$path: one is asked for");

    my $code = shift @codes;

    $r = $api->call('PUT', $path, $token, {}, 'npm-otp' => $code);
    is($r->{status}, 200, '... and is enough');
    is($r->{body}, "PUT $path\n", '... for the registry');

    is($api->call('PUT', $path, $token, {}, 'npm-otp' => $code)->{status},
       401, '... once');
}

done();
