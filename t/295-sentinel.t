# Sentinel: which server is the master, and what follows when it is another
# one.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Sentinel;
use NpmToken::Util qw( wait_for );

my $set = NpmToken::Sentinel->new;

my $node = NpmToken::Node->new(
    url   => $set->url,
    redis => $set->master,
    store => 'revocation_bound 1h;',
    level => 'debug',
);

$set->master->put_token('npm_one', user => 'alice');
$node->sync;
$node->cache('npm_one');
pass('cached');

my $t=time;
my $old=$set->master;
$old->stop('KILL');
my $new=$set->wait_for_another($old);
diag "switched ", time-$t;
$node->wait_live(2);
diag "live ", time-$t;
wait_for { $node->ask('npm_one') =~ /200/ };
diag "ok ", time-$t;
diag join "\n", grep !/debug|denied/, split /\n/, $node->error_log;
done_testing;
