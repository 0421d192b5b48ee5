# "proof_replicas" with Sentinel and with a Redis Cluster: good tokens are
# served again by the next master, and the old one is not believed, whatever it
# says.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Sentinel;
use NpmToken::Util qw( wait_for );

my $store = 'proof_replicas 1; revocation_bound 400ms; lookup_timeout 400ms;';


# Asks for a revoked token for some time; only these answers may come.

sub never {
    my ($node, $seconds, $what) = @_;

    my $end = time + $seconds;
    my %seen;

    $seen{ substr $node->ask('npm_gone', timeout => 10), 0, 3 }++
        while time < $end;

    is($seen{200}, undef, "$what: not let through ("
        . join(', ', map { "$_: $seen{$_}" } sort keys %seen) . ')');
}


subtest 'Sentinel: the master is stopped, succeeded, and goes on' => sub {
    my $set = NpmToken::Sentinel->new;
    my $old = $set->master;

    $old->put_token($_, user => 'alice') for qw( npm_gone npm_good );

    my $node = NpmToken::Node->new(
        redis => $old,
        url   => $set->url,
        store => $store,
    );

    $node->cache($_) for qw( npm_gone npm_good );

    $old->pause;

    my $new = $set->wait_for_another($old);

    wait_for {
        $new->command(INFO => 'replication') =~ /^connected_slaves:1/m
    } 'its replica';

    $new->del_token('npm_gone');
    ok($new->command(WAIT => 1, 2000), 'the next one has revoked a token');

    wait_for { $node->ask('npm_good') =~ /\A200/ } 'a good token', 20;
    pass('a good token is served again');

    $old->resume;
    never($node, 1.5, 'while the old one says that it is the master');
    like($node->ask('npm_good'), qr/\A200/, 'a good token still is');

    $node->finish;
};


subtest 'Cluster: the slot moves, and its owner fails' => sub {
    my $cluster = NpmToken::Cluster->new(masters => 3, timeout => 500);

    $cluster->put_token($_, user => 'alice') for qw( npm_gone npm_good );

    my $node = NpmToken::Node->new(
        redis => $cluster,
        url   => $cluster->url,
        store => $store,
    );

    $node->cache($_) for qw( npm_gone npm_good );

    # the write of a proof is answered by ASK, which is no proof

    my $from = $cluster->owner;
    my ($to) = $cluster->others;

    $cluster->migrate_begin($to);

    wait_for { $node->ask('npm_good') eq '503 miss' } 'no proof';
    pass('while the slot is being moved, nothing is proven');

    $cluster->migrate_keys($to);
    $cluster->migrate_end($to);

    wait_for { $node->ask('npm_good') =~ /\A200/ } 'a good token', 20;
    pass('it has moved, and a good token is served');

    # the new owner is stopped; its replica has the slot then

    my ($next) = $cluster->replicas($to);

    $to->pause;
    $to->{paused} = 1;
    $cluster->wait_owner($next);

    $cluster->del_token('npm_gone');

    sleep 0.5;
    $to->resume;
    $to->{paused} = 0;

    never($node, 1, 'the owner that was stopped');
};


done_testing;
