# A replica takes no revocation by itself, and says nothing of how old it is.
# So one that is reached by mistake is not asked; "redis_replica on" says that
# it is no mistake.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

my @redis = (config => "repl-diskless-sync-delay 0\n");
my $master = NpmToken::Redis->new(@redis);
my $replica = NpmToken::Redis->new(
    config => "$redis[1]replicaof 127.0.0.1 " . $master->port . "\n");

$master->put_token('npm_one', user => 'alice');

wait_for {
    $replica->command(EXISTS => $replica->record_name('npm_one'));
} 'the replica';


sub node {
    my ($url, $store, @more) = @_;

    return NpmToken::Node->new(
        url   => $url,
        store => $store // '',
        @more,
    );
}

sub refusals {
    my $node = shift;

    return grep { /this server is a replica: name the master/ }
        split /\n/, $node->error_log;
}

sub connections {
    my ($n) = $replica->command(INFO => 'stats')
        =~ /^total_connections_received:(\d+)/m;

    return $n;
}


for my $push ('on', 'off') {
    subtest "a replica that nobody meant refuses, push $push" => sub {
        my $node = node('unix:' . $replica->socket, "push $push;", feed => 0);
        my $before = connections();
        my $start = time;
        my $asked = 0;

        while (time < $start + 2) {
            for my $worker ($node->workers) {
                my $result = $node->ask('npm_one', worker => $worker);

                $result eq '503 miss' or fail("it is $result");
                $asked++;
            }

            sleep 0.01;
        }

        ok($asked, "$asked times unavailable");

        # the feed's, and those of the look-ups of two workers

        my @lines = refusals($node);
        my @errors = grep { /\[error\]/ } @lines;
        my $made = connections() - $before;

        ok(@errors && @errors <= 3,
           scalar(@errors) . ' lines at "error", one a connection');
        like($errors[0], qr/"redis", or set "redis_replica on"/,
             'it says what to do');
        cmp_ok($made, '<', 60, "it backs off, $made connections in 2 s");
        is($node->live, 0, 'there is no feed');
        ok($node->quit, 'nginx quits');
    };
}


subtest '"redis_replica on" means it' => sub {
    my $node = node('unix:' . $replica->socket, 'redis_replica on;');

    $node->cache('npm_one');
    is(scalar(refusals($node)), 0, 'it is not refused');
    like($node->error_log, qr/\[warn\].*this redis is a replica: a revocation/,
         'what that means is said');

    $master->command(HSET => $master->record_name('npm_one'), revoked_at => 1);
    quickly { $node->ask('npm_one') =~ /\A401/ } 'a revocation gets there';
    $master->command(HDEL => $master->record_name('npm_one'), 'revoked_at');
    ok($node->quit, 'nginx quits');
};


subtest 'a master needs no word about it' => sub {
    my $node = node('unix:' . $master->socket, 'redis_replica on;');

    $node->cache('npm_one');
    unlike($node->error_log, qr/replica/, 'the log says nothing');
    ok($node->quit, 'nginx quits');
};


# what was a replica when nginx began is the master now

subtest 'one that is promoted is taken' => sub {
    my $node = node('unix:' . $replica->socket, '', feed => 0);

    is($node->ask('npm_one'), '503 miss', 'not before');

    $replica->command(REPLICAOF => 'NO', 'ONE');
    $node->wait_live(1);
    wait_for { $node->ask('npm_one') =~ /\A200/ } 'a look-up';
    $node->cache('npm_one');
    pass('then it is');

    $replica->command(REPLICAOF => '127.0.0.1', $master->port);
    ok($node->quit, 'nginx quits');
};


done_testing;
