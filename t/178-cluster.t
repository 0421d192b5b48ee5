# A node of a Redis Cluster that a plain URL names: it has to have the slot of
# the prefix, and the prefix a hash tag, so that all keys of a store are in that
# slot. Without one it is said what to write, before somebody makes a token in
# vain.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

my $redis = NpmToken::Redis->new(cluster => 1);

$redis->command(CLUSTER => ADDSLOTSRANGE => 0, 16383);
wait_for {
    $redis->command(CLUSTER => 'INFO') =~ /cluster_state:ok/;
} 'the cluster';


subtest 'a prefix without a hash tag is an error at the start' => sub {
    $redis->put_token('npm_cluster', user => 'alice');

    my $node = NpmToken::Node->new(redis => $redis);

    my @lines = grep { /Redis Cluster/ } split /\n/, $node->error_log;

    is(scalar(@lines), 1, 'one line');
    like($lines[0], qr/\[error\].*\Qprefix "{npmtoken}:";\E/,
         'and what to write');
    is($node->cache('npm_cluster'), '200 hit', 'what can be read is enforced');
    ok($node->quit, 'nginx quits');
};


for my $prefix ('{npmtoken}:', 'npm{token}:') {
    subtest "the prefix $prefix is fine" => sub {
        local $redis->{prefix} = "${prefix}token:";

        $redis->put_token('npm_tagged', user => 'alice');

        my $node = NpmToken::Node->new(
            redis => $redis,
            store => qq{prefix "$prefix";},
        );

        is($node->cache('npm_tagged'), '200 hit', 'enforced');
        unlike($node->error_log, qr/Redis Cluster/, 'the log is silent');
        ok($node->quit, 'nginx quits');
    };
}


subtest '{} is no hash tag' => sub {
    my $node = NpmToken::Node->new(
        redis => $redis,
        store => 'prefix "{}npmtoken:";',
    );

    like($node->error_log, qr/\[error\].*Redis Cluster/, 'said');
    ok($node->quit, 'nginx quits');
};


subtest 'another node\'s slot' => sub {
    $redis->command(CLUSTER => DELSLOTSRANGE => 0, 16383);

    my $node = NpmToken::Node->new(
        redis => $redis,
        feed  => 0,
        store => 'prefix "{npmtoken}:";',
    );

    is($node->ask('npm_away'), '503 miss', 'unavailable');
    like($node->wait_log(qr/redis answered "CLUSTERDOWN" \(/),
         qr/"CLUSTERDOWN" \(Hash slot not served\)/, 'in the words of Redis');
    is($node->live, 0, 'and no feed vouches for anything');
    ok($node->quit, 'nginx quits');
};


done_testing;
