# A look-up in flight is an entry that is not filled yet: who comes when it is
# older than the bound does not wait for it, since what it will say may be
# older than a revocation that is to be enforced by now.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Server;
use NpmToken::Util qw( read_file temp_dir token_key wait_for );

my $log = temp_dir() . '/asked';


# A Redis that is slow to answer the first look-up of each token, and then has
# no such token any more: it was revoked while its record was on the way.

my %asked;

my $fake = NpmToken::Server->redis(sub {
    my ($client, $name, @args) = @_;

    return ":-1\r\n" if $name eq 'PTTL';

    return NpmToken::Server::greeting($name, @args) if $name ne 'HGETALL';

    open my $out, '>>', $log or die;
    print $out "$args[0]\n";
    close $out;

    return "*0\r\n" if $asked{$args[0]}++;

    sleep 2;

    return "*2\r\n\$4\r\nuser\r\n\$5\r\nalice\r\n";
});


sub asked {
    my $key = token_key(shift);

    return scalar(() = read_file($log) =~ /:$key\n/g);
}


for my $push ('off', 'on') {
    my $node = NpmToken::Node->new(
        url   => 'redis://127.0.0.1:' . $fake->port,
        feed  => 0,
        store => "push $push; revocation_bound 500ms; lookup_timeout 20s;",
    );

    my ($worker) = $node->workers;
    my $token = "npm_$push";

    # so that none is opened meanwhile

    my @open = map {
        $node->send_ask(undef, uri => '/-/ping', worker => $worker);
    } 1 .. 6;

    $node->ask_result($_) for @open;

    my $start = time;

    my @early = map { $node->send_ask($token, worker => $worker) } 1 .. 2;

    # what came later has been answered
    $node->ask(undef, uri => '/-/ping', worker => $worker);

    my $early = time - $start;

    wait_for { asked($token) } 'the look-up';
    sleep 0.6;

    my @late = map { $node->send_ask($token, worker => $worker) } 1 .. 2;

    my @results = map { $node->ask_result($_) } @early;

    is($results[0], '200 miss', "push $push: who asked first is let in");

    SKIP: {
        skip 'the machine is too slow', 1 if $early > 0.4;
        is($results[1], '200 miss', 'so is who came a moment later');
    }

    is($node->ask_result($_), '401 miss', 'who came after the bound is not')
        for @late;

    like($node->ask($token), qr/\A401/, 'nor is anybody later');

    cmp_ok(asked($token), '>=', 2, 'that was another look-up');

    ok($node->quit, 'nginx quits');
}


# With a Redis that is stopped: they are all answered, by two look-ups.

subtest 'a real one' => sub {
    my $redis = NpmToken::Redis->new;

    my $node = NpmToken::Node->new(
        redis => $redis,
        store => 'revocation_bound 500ms; lookup_timeout 20s;',
    );

    $redis->put_token('npm_join', user => 'alice');
    $node->sync;

    my ($worker) = $node->workers;

    $node->ask('npm_other', worker => $worker);

    my @open = map {
        $node->send_ask(undef, uri => '/-/ping', worker => $worker);
    } 1 .. 40;

    $node->ask_result($_) for @open;

    my $before = calls($redis, 'hgetall');

    $redis->pause;

    my $start = time;
    my @asked = map { $node->send_ask('npm_join', worker => $worker) } 1 .. 20;

    $node->ask(undef, uri => '/-/ping', worker => $worker);

    my $took = time - $start;

    sleep 0.6;

    push @asked, map { $node->send_ask('npm_join', worker => $worker) } 1 .. 19;

    $node->ask(undef, uri => '/-/ping', worker => $worker);

    $redis->resume;

    is($node->ask_result($_), '200 miss', 'answered') for @asked;

    my $calls = calls($redis, 'hgetall') - $before;

    cmp_ok($calls, '>=', 2, 'those who came late have not joined');

    SKIP: {
        skip 'the machine is too slow', 1 if $took > 0.4;

        # and one more, if the feed has begun a session
        cmp_ok($calls, '<=', 4, "$calls look-ups for 39 requests");
    }
};


done_testing;
