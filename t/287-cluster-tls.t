# A Redis Cluster by TLS: each node that is found later is verified, too.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Tls;

my $tls = NpmToken::Tls->new;
my $cluster = NpmToken::Cluster->new(masters => 2, replicas => 0,
                                     tls => $tls);


sub node {
    my ($store, %options) = @_;

    return NpmToken::Node->new(
        redis => $cluster,
        url   => $cluster->url,
        store => 'revocation_bound 1h; connect_timeout 5s;'
            . ' redis_ssl_trusted_certificate ' . $tls->file('ca')
            . "; $store",
        %options,
    );
}


subtest 'MOVED, ASK and what is pushed' => sub {
    my $node = node('');
    my ($to) = $cluster->others;

    $cluster->put_token('npm_tls', user => 'alice');
    is($node->cache('npm_tls'), '200 hit', 'a record is cached');

    $cluster->migrate_begin($to);
    $cluster->migrate_keys($to);
    is($node->ask('npm_tls') =~ s/ .*//r, '200', 'ASK is followed');
    $cluster->migrate_end($to);

    $node->wait_live(2);
    is($node->cache('npm_tls'), '200 hit', 'and MOVED');

    $cluster->del_token('npm_tls');
    quickly { $node->ask('npm_tls') =~ /\A401/ } 'it is revoked';

    is_deeply([grep { /\[(?:warn|error)\]/ && !/ denied: / }
                   split /\n/, $node->error_log], [], 'the log is silent');
    ok($node->quit, 'nginx quits');
};


# the port that MOVED names without a host is of the same address, and the
# certificate has to be for the same name

subtest 'an empty host' => sub {
    my ($to) = $cluster->others;

    $_->command('CONFIG', 'SET', 'cluster-preferred-endpoint-type',
                'unknown-endpoint') for $cluster->nodes;

    my $node = node('', url => 'redis-cluster+tls://localhost:' . $to->port);

    $cluster->put_token('npm_empty', user => 'alice');
    is($node->cache('npm_empty'), '200 hit', 'the owner is found');
    ok($node->quit, 'nginx quits');
};


subtest 'a node with another certificate' => sub {
    my $node = node('redis_ssl_name stranger.test; push off;', feed => 0);

    is($node->ask('npm_empty') =~ s/ .*//r, '503', 'unavailable');
    like($node->wait_log(qr/certificate of redis is not for "stranger.test"/),
         qr/\[error\]/, 'the log says why');
    ok($node->quit, 'nginx quits');
};


done_testing;
