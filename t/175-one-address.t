# One address, several servers: a balancer over a master and its replica. A
# feed vouches for what its own server says, and a server is known by what it
# alone can say, never by the address.

use strict;
use warnings;

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Relay qw( haproxy );
use NpmToken::Util qw( wait_for );

use constant BOUND => 0.5;

my @redis = (config => "repl-diskless-sync-delay 0\n");
my $master = NpmToken::Redis->new(@redis);
my $link = NpmToken::Relay->new(to => $master->port, delay => 0.2);
my $replica = NpmToken::Redis->new(
    config => "$redis[1]replicaof 127.0.0.1 " . $link->port . "\n",
);

my $balancer = haproxy($master->port, $replica->port);


sub node {
    my ($port) = @_;

    return NpmToken::Node->new(
        url     => "redis://127.0.0.1:$port",
        store   => 'redis_replica on; revocation_bound '
                   . 1000 * BOUND . 'ms;',
        workers => 1,
    );
}

sub replicated {
    my ($token, $field, $value) = @_;

    wait_for {
        ($replica->command(HGET => $replica->record_name($token), $field)
         // '') eq $value;
    } 'the replica';

    return time;
}


# where feed and look-ups are: "master replica", say

sub where {
    return join ' ', map {
        my $name = $_;
        clients($master, $name) ? 'master'
            : clients($replica, $name) ? 'replica' : 'none';
    } 'npmtoken-feed', 'npmtoken-lookup';
}


subtest 'what another server than the feed\'s says is good for the bound'
=> sub {
    my $node = node($balancer);

    $master->put_token('npm_one', user => 'alice');
    replicated('npm_one', user => 'alice');

    # nginx makes them in pairs, so one more turns master and replica around

    for (1 .. 4) {
        $node->ask('npm_none' . $_);

        last if where() eq 'master replica';

        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$balancer");

        my ($at) = grep { clients($_, 'npmtoken-feed') } $master, $replica;

        $node->renewed(sub {
            $at->command(CLIENT => KILL => TYPE => 'pubsub');
        });
    }

    is(where(), 'master replica', 'look-ups are elsewhere than the feed');

    # it is of use all the same

    $node->cache('npm_one');
    is($node->lives('npm_one', BOUND, 'a record'), '200 miss',
       'then it is looked up again');

    $node->cache('npm_one');

    $master->command(HSET => $master->record_name('npm_one'),
                     revoked_at => 1);
    like($node->ask('npm_one'), qr/\A200/, 'the replica has it not yet');

    my $there = replicated('npm_one', revoked_at => 1);
    my $late = 0;

    for ( ;; ) {
        my $began = time;

        last if $node->ask('npm_one') =~ /\A401/;

        $late++ if $began > $there + BOUND;
        last if $began > $there + 3 * BOUND;

        sleep 0.01;
    }

    is($late, 0, 'a revocation that has got there is enforced in the bound');

    my @told = $node->error_log
        =~ /\[warn\].*(look-ups do not reach the server that pushes.*)/g;

    is(scalar(@told), 1, 'the log says so once');
    like($told[0], qr/\bseveral\b.*"revocation_bound"/, 'and what follows');
    ok($node->quit, 'nginx quits');
};


subtest 'a balancer with one server is no hindrance' => sub {
    my $node = node(haproxy($master->port));

    $master->put_token('npm_same', user => 'alice');
    $node->cache('npm_same');

    my $end = time + 3 * BOUND;
    my %results;

    while (time < $end) {
        $results{$node->ask('npm_same')}++;
        sleep 0.05;
    }

    is_deeply([keys %results], ['200 hit'], 'a record outlives the bound');

    $master->command(HSET => $master->record_name('npm_same'),
                     revoked_at => 1);
    quickly { $node->ask('npm_same') =~ /\A401/ } 'it is revoked';

    unlike($node->error_log, qr/several|do not reach/, 'the log is silent');
    ok($node->quit, 'nginx quits');
};


# For a moment the look-ups are at the new process, and the feed's is gone: two
# names, but never two servers.

subtest 'a restart is not taken for a second server' => sub {
    my $redis = NpmToken::Redis->new;
    my $node = node(haproxy($redis->port));

    for my $round (1 .. 3) {
        $node->renewed(sub { $redis->restart });
        $redis->put_token('npm_again', user => 'alice');

        wait_for { $node->ask('npm_again') =~ /\A200/ } 'an answer';
        $node->cache('npm_again');
        sleep 0.05, $node->ask("npm_$round$_") for 1 .. 10;
    }

    unlike($node->error_log, qr/several|do not reach/, 'the log is silent');
    ok($node->quit, 'nginx quits');
};


done_testing;
