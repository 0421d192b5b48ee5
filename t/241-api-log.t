# What whoever likes can cause, as often as he likes, is not a line in the log
# each time.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis => $redis,
    api   => 'npmtoken_api_attempts 0 0;',
);

$api->user('alice', 'correct horse battery');
$redis->put_token('npm_of_alice', user => 'alice');


sub lines {
    my $pattern = shift;

    return scalar(() = $api->error_log =~ /^.*\[error\].*$pattern.*$/mg);
}


subtest 'Redis refuses look-ups: one line in five seconds, with a number' => sub
{
    $redis->command('ACL', 'SETUSER', 'default', '-hgetall');

    is($api->status_of("npm_nobody$_"), 503, 'unavailable') for 1 .. 30;
    is(lines('redis answered "NOPERM'), 1, 'one line');

    wait_for {
        $api->status_of('npm_nobody');
        lines('redis answered "NOPERM') == 2;
    } 'the next line';

    like($api->error_log, qr/redis gave the same answer (?:29|[3-9]\d|\d{3,}) more/,
         'with how many there were');

    $redis->command('ACL', 'SETUSER', 'default', '+hgetall');
};


subtest 'Redis refuses the API: the same' => sub {
    is($api->list('npm_of_alice')->{status}, 200, 'all is well');

    $redis->command('ACL', 'SETUSER', 'default', '-eval');

    is($api->list('npm_of_alice')->{status}, 503, 'unavailable') for 1 .. 30;
    is(lines('redis refused a command of the token API: NOPERM'), 1,
       'one line');

    $redis->command('ACL', 'SETUSER', 'default', '+eval');
};


done();
