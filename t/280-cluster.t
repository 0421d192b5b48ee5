# A Redis Cluster: which node has the slot is found by asking any of them, and
# found again when it is moved.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Util qw( wait_for );

my $start = time;
my $cluster = NpmToken::Cluster->new;

diag sprintf 'cluster: %.1f s', time - $start;


sub node {
    my ($store, %options) = @_;

    return NpmToken::Node->new(
        redis => $cluster,
        url   => $cluster->url,
        store => "revocation_bound 1h; $store",
        %options,
    );
}


subtest 'any node leads to the one that has the slot' => sub {
    for my $one ($cluster->nodes) {
        my $node = node('cache off; push off;', feed => 0,
                        url => 'redis-cluster://127.0.0.1:' . $one->port);

        $cluster->put_token('npm_any', user => 'alice');
        is($node->ask('npm_any') =~ s{ .*}{}r, '200',
           'port ' . $one->port);
        unlike($node->error_log, qr/\[(?:warn|error|crit|alert|emerg)\]/,
               'and the log is silent');
        ok($node->quit, 'nginx quits');
    }
};


my $node = node('');


subtest 'what changes is pushed' => sub {
    $cluster->put_token('npm_one', user => 'alice');
    is($node->cache('npm_one'), '200 hit', 'a record is cached');

    $cluster->del_token('npm_one');
    quickly { $node->ask('npm_one') =~ /\A401/ } 'it is revoked';

    is($node->cache('npm_one'), '401 hit', 'that there is none is cached');
    $cluster->put_token('npm_one', user => 'alice');
    quickly { $node->ask('npm_one') =~ /\A200/ } 'it is made';
};


subtest 'the slot is moved to another node' => sub {
    my ($to) = $cluster->others;

    $cluster->put_token('npm_stays', user => 'alice');
    is($node->cache('npm_stays'), '200 hit', 'a record is cached');
    is($node->cache('npm_new'), '401 hit', 'that there is none is cached');

    my $live = $node->live;

    $cluster->move($to);

    is($node->ask('npm_stays') =~ s/ .*//r, '200', 'a good token is good');

    $node->wait_live($live + 1);
    like($node->error_log, qr/\[notice\].* the slot of the keys has moved/,
         'the feed has moved, which is logged');

    is($node->cache('npm_stays'), '200 hit', 'it is cached again');

    $cluster->del_token('npm_stays');
    quickly { $node->ask('npm_stays') =~ /\A401/ } 'and revoked';

    $cluster->put_token('npm_new', user => 'alice');
    quickly { $node->ask('npm_new') =~ /\A200/ } 'and another one is made';
};


subtest 'all of that without an error' => sub {
    is_deeply([grep { /\[(?:warn|error|crit|alert|emerg)\]/ && !/ denied: / }
                   split /\n/, $node->error_log], [], 'in the log');
    ok($node->quit, 'nginx quits');
};


done_testing;
