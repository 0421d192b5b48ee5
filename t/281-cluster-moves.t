# A slot that is being moved: what is known of a token while its key may be at
# either of two nodes, and when nodes tell where to go in other words.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Util qw( wait_for );

my $cluster = NpmToken::Cluster->new(masters => 2, replicas => 0);


sub node {
    my ($bound, $store, %options) = @_;

    return NpmToken::Node->new(
        redis => $cluster,
        url   => $cluster->url,
        store => "revocation_bound $bound; $store",
        %options,
    );
}


# errors and warnings, but for those about tokens

sub complaints {
    my $node = shift;

    return [grep { /\[(?:warn|error|crit|alert|emerg)\]/ && !/ denied: / }
            split /\n/, $node->error_log];
}


subtest 'what came by ASK is right, and is not cached' => sub {
    my $node = node('1h', '');
    my ($to) = $cluster->others;

    $cluster->put_token('npm_stays', user => 'alice');
    $cluster->put_token('npm_goes', user => 'bob');
    $cluster->migrate_begin($to);
    $cluster->migrate_keys($to, $cluster->record_name('npm_goes'));

    is($node->ask('npm_goes'), '200 miss', 'a record that has been moved')
        for 1 .. 3;
    is($node->ask('npm_absent'), '401 miss', 'a record that is nowhere')
        for 1 .. 3;
    is($node->cache('npm_stays'), '200 hit', 'one that is still there');

    $cluster->del_token('npm_goes');
    is($node->ask('npm_goes'), '401 miss', 'it is revoked where it is');

    $cluster->put_token('npm_absent', user => 'carol');
    is($node->ask('npm_absent'), '200 miss', 'and another one made');

    $cluster->migrate_keys($to);
    $cluster->migrate_end($to);

    is($node->cache($_), '200 hit', "$_ is cached when all is done")
        for qw( npm_stays npm_absent );

    is_deeply(complaints($node), [], 'the log is silent');
    ok($node->quit, 'nginx quits');
};


subtest 'a token that another node makes is known within the bound' => sub {
    my $node = node('500ms', 'negative_ttl 1h;');
    my ($to) = $cluster->others;

    is($node->cache('npm_made'), '401 hit', 'there is none, which is cached');

    $cluster->migrate_begin($to);
    $cluster->put_token('npm_made', user => 'alice');

    is($node->lives('npm_made', 0.5, 'it'), '200 miss', 'it is there');
    like($node->wait_log(qr/the slot of the keys is being moved/),
         qr/\[notice\]/, 'the log says that there is no proof');

    $cluster->migrate_cancel($to, $cluster->record_name('npm_made'));

    is($node->cache('npm_made'), '200 hit', 'it is back, and cached');
    $cluster->del_token('npm_made');
    quickly { $node->ask('npm_made') =~ /\A401/ } 'and revoked';
    is($node->live, 1, 'the feed was the same all the time');
    ok($node->quit, 'nginx quits');
};


subtest 'somebody makes the key that nobody may make' => sub {
    my $node = node('300ms', '');

    $cluster->put_token('npm_none', user => 'alice');
    is($node->cache('npm_none'), '200 hit', 'a record is cached');

    $cluster->command('SET', '{npmtoken}:token:none', 'x');
    like($node->wait_log(qr/there is a key "\Q{npmtoken}:token:none\E"/),
         qr/\[warn\]/, 'the log says so');

    is($node->lives('npm_none', 0.3, 'it', none => 1), '200 miss',
       'nothing is proven');

    $cluster->command('DEL', '{npmtoken}:token:none');

    wait_for {
        sleep 0.4;
        $node->ask('npm_none') eq '200 hit';
    } 'a hit that is older than the bound';
    pass('until it is gone');
    is($node->live, 1, 'in one session');
    ok($node->quit, 'nginx quits');
};


subtest 'nothing is proven by a node that lost the slot' => sub {
    my $node = node('500ms', 'negative_ttl 1h;');
    my ($to) = $cluster->others;

    is($node->cache('npm_later'), '401 hit', 'there is none, which is cached');

    $cluster->move($to);
    $cluster->put_token('npm_later', user => 'alice');

    is($node->lives('npm_later', 0.5, 'it', none => 1) =~ s/ .*//r, '200',
       'it is there');
    ok($node->quit, 'nginx quits');
};


subtest 'of redis:// a cluster\'s node proves nothing without the slot' => sub {
    my $owner = $cluster->owner;
    my ($to) = $cluster->others;

    my $node = node('500ms', 'negative_ttl 1h; prefix "{npmtoken}:";',
                    url => 'redis://127.0.0.1:' . $owner->port);

    is($node->cache('npm_plain'), '401 hit', 'there is none, which is cached');

    $cluster->migrate_begin($to);
    $cluster->put_token('npm_plain', user => 'alice');

    is($node->lives('npm_plain', 0.5, 'it'), '503 miss',
       'it cannot be looked up');

    $cluster->migrate_keys($to);
    $cluster->migrate_end($to);

    like($node->wait_log(qr/redis connection failed: the slot of the keys/),
         qr/\Qonly a "redis-cluster:\/\/" URL follows\E/,
         'the log says what to write');
    ok($node->quit, 'nginx quits');
};


for (
    [ 'an empty host' => 'unknown-endpoint', '', '127.0.0.1' ],
    [ 'a name' => 'hostname', 'localhost', 'localhost' ],
    [ '"?"' => 'hostname', '', '127.0.0.1' ],
) {
    my ($what, $type, $name, $host) = @$_;

    subtest "MOVED and ASK with $what" => sub {
        my $owner = $cluster->owner;
        my ($to) = $cluster->others;

        for ($cluster->nodes) {
            $_->command('CONFIG', 'SET', 'cluster-announce-hostname', $name);
            $_->command('CONFIG', 'SET', 'cluster-preferred-endpoint-type',
                        $type);
        }

        wait_for {
            eval { $to->command('EXISTS', '{npmtoken}:x') };
            $@ =~ /MOVED 3330 (\S*):\d+$/m
                && $1 eq ($name || ($type eq 'hostname' ? '?' : ''));
        } 'what they say';

        my $node = node('1h', '', url => "redis-cluster://$host:" . $to->port);

        $cluster->put_token('npm_named', user => 'alice');
        is($node->cache('npm_named'), '200 hit', 'the owner is found');

        $cluster->migrate_begin($to);
        $cluster->migrate_keys($to);
        is($node->ask('npm_absent') =~ s/ .*//r, '200', 'ASK is followed');
        $cluster->migrate_end($to);

        my $live = $node->live;

        is($node->ask('npm_named') =~ s/ .*//r, '200', 'and found again');
        $node->wait_live($live + 1) if $live == 1;
        is($node->cache('npm_named'), '200 hit', 'and cached again');

        is_deeply(complaints($node), [], 'the log is silent');
        ok($node->quit, 'nginx quits');
    };
}


subtest 'nodes that name each other are not stormed' => sub {
    my $owner = $cluster->owner;
    my ($other) = $cluster->others;

    my $node = node('1h', 'push off; cache off; lookup_timeout 300ms;',
                    feed => 0);

    $cluster->put_token('npm_ring', user => 'alice');
    is($node->ask('npm_ring') =~ s/ .*//r, '200', 'they agree');

    my $connections = sub {
        my $n = 0;

        for ($cluster->nodes) {
            $_->command('INFO', 'stats')
                =~ /total_connections_received:(\d+)/;
            $n += $1;
        }

        return $n;
    };

    # the owner has no key, and so may say that it has given the slot away

    $owner->command('FLUSHALL');
    $owner->command('CLUSTER', 'SETSLOT', 3330, 'NODE', $other->{id});

    my ($first, $end) = ($connections->(), time + 2);
    my %status;

    while (time < $end) {
        eval { $owner->command('EXISTS', '{npmtoken}:x') };
        last if $@ !~ /MOVED/;

        $owner->command('CLUSTER', 'SETSLOT', 3330, 'NODE', $other->{id});
        $status{ $node->ask('npm_ring') =~ s/ .*//r }++;
    }

    my $n = $connections->() - $first;

    is_deeply([keys %status], ['503'], 'unavailable');
    cmp_ok($n, '<', 200, "$n connections in 2 s");

    $owner->command('CLUSTER', 'SETSLOT', 3330, 'NODE', $owner->{id});
    $cluster->wait_owner($owner);
    $cluster->put_token('npm_ring', user => 'alice');

    wait_for { $node->ask('npm_ring') =~ /\A200/ } 'that they agree again';
    pass('they agree again');
    ok($node->quit, 'nginx quits');
};


done_testing;
