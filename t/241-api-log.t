# What whoever likes can cause, as often as he likes, is not a line in the log
# each time.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;

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


subtest 'Redis refuses look-ups: its first refusal, and the end of it' => sub
{
    $redis->command('ACL', 'SETUSER', 'default', '-hgetall');

    is($api->status_of("npm_nobody$_"), 503, 'unavailable') for 1 .. 30;
    is(lines('redis answered "NOPERM'), 1, 'one line');
    is(lines('redis answered "NOPERM.*npmtokenctl init'), 1,
       'which says what to do');

    $redis->command('ACL', 'SETUSER', 'default', '+hgetall');

    is($api->status_of('npm_nobody'), 401, 'it answers again');
    is(lines('redis answers look-ups again, after \d+\.\d{3} s'
             . ' in which it refused 30'), 1, 'with how many there were');
};


# whoever has a bad record, or a Redis that refuses now and then, is no reason
# for two lines a request

subtest 'Redis refuses every other look-up: two lines in five seconds' => sub
{
    my $before = lines('redis answer');

    for (1 .. 20) {
        $redis->command('ACL', 'SETUSER', 'default', '-hgetall');
        is($api->status_of("npm_nobody$_"), 503, 'unavailable');
        $redis->command('ACL', 'SETUSER', 'default', '+hgetall');
        is($api->status_of("npm_nobody$_"), 401, 'not known');
    }

    cmp_ok(lines('redis answer') - $before, '<=', 4, 'as few lines as that');
};


subtest 'Redis refuses the API: the same' => sub {
    is($api->list('npm_of_alice')->{status}, 200, 'all is well');

    $redis->command('ACL', 'SETUSER', 'default', '-eval');

    is($api->list('npm_of_alice')->{status}, 503, 'unavailable') for 1 .. 30;
    is(lines('redis refused a command of the token API: NOPERM'), 1,
       'one line');

    # what is not refused is no end of it

    is($api->call('GET', '/-/npm/v1/user', 'npm_of_alice')->{status}, 200,
       'reads are taken');
    is(lines('takes this command of the token API again'), 0, 'no end');

    $redis->command('ACL', 'SETUSER', 'default', '+eval');

    is($api->list('npm_of_alice')->{status}, 200, 'all is well again');
    is(lines('redis takes this command of the token API again, after'
             . ' \d+\.\d{3} s in which it refused 30'), 1, 'the end');
};


done();
