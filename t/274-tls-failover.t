# Sentinels and a cluster by TLS: who is named at run time is verified as the
# hosts of the URL are, and so is whom look-ups go to.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Sentinel;
use NpmToken::Tls;
use NpmToken::Util qw( wait_for );

my $tls = NpmToken::Tls->new;

# the servers are known by their address

my $trust = 'redis_ssl_trusted_certificate ' . $tls->file('ca') . ';';
my $long = 'revocation_bound 1h; lookup_timeout 5s;';


subtest 'the master that sentinels name, and the one after a failover' => sub {
    my $set = NpmToken::Sentinel->new(tls => $tls, replicas => 1);
    my $master = $set->master;

    $master->put_token('npm_named', user => 'alice');

    my $node = NpmToken::Node->new(
        redis => $master,
        url   => $set->url,
        store => "$long $trust",
    );

    is($node->cache('npm_named'), '200 hit', 'cached');

    $master->put_token('npm_named', user => 'bob', readonly => 'true');

    quickly { $node->ask('npm_named', method => 'PUT') =~ /\A403/ }
        'a change is pushed';

    my $next;

    $node->renewed(sub { $next = $set->failover });
    $next->put_token('npm_next', user => 'carol');

    wait_for { $node->ask('npm_next') =~ /\A200/ } 'a token of the next one';
    pass('the next master is looked up at');

    is(clients($next, 'npmtoken-feed'), 1, 'and pushes');

    $node->finish;

    # no sentinel is believed whose certificate is not good

    my $other = NpmToken::Node->new(
        redis => $next,
        url   => $set->url,
        feed  => 0,
        store => 'redis_ssl_trusted_certificate ' . $tls->file('other') . ';',
    );

    $other->wait_log(qr/TLS: the certificate of redis is not good/);
    is($other->ask('npm_next'), '503 miss', 'a wrong CA');
};


subtest 'the node that has the slot, and the one that gets it' => sub {
    my $cluster = NpmToken::Cluster->new(tls => $tls, replicas => 0);

    my $node = NpmToken::Node->new(
        redis => $cluster,
        url   => $cluster->url,
        store => "$long $trust",
    );

    $cluster->put_token('npm_slot', user => 'alice');

    is($node->cache('npm_slot'), '200 hit', 'cached');

    my ($to) = $cluster->others;

    $cluster->migrate_begin($to);
    $cluster->migrate_keys($to);

    # asked for by ASKING, at the other node

    $cluster->put_token('npm_asked', user => 'bob');
    is($node->ask('npm_asked'), '200 miss', 'looked up on a detour');

    $node->renewed(sub { $cluster->migrate_end($to) });

    is($node->cache('npm_slot'), '200 hit', 'cached again');

    $cluster->del_token('npm_slot');
    quickly { $node->ask('npm_slot') =~ /\A401/ } 'revoked there';
};


done_testing;
