# "proof_replicas": a proof is a write that replicas confirm. So a master that
# was succeeded, and does not know it, is believed no longer than the bound.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );


sub master {
    return NpmToken::Redis->new(config => "repl-diskless-sync-delay 0\n");
}


sub replica {
    my $master = shift;

    return NpmToken::Redis->new(
        config => 'replicaof 127.0.0.1 ' . $master->port . "\n");
}


sub linked {
    my $replica = shift;

    wait_for {
        $replica->command('INFO', 'replication') =~ /master_link_status:up/;
    } 'a replica';
}


# a node of a store that wants N replicas; "0" for a node that wants none

sub node {
    my ($master, $n, %options) = @_;

    return NpmToken::Node->new(
        redis => $master,
        url   => 'redis://127.0.0.1:' . $master->port,
        %options,
        store => "proof_replicas $n; lookup_timeout 300ms; "
            . ($options{store} // 'revocation_bound 400ms;'),
    );
}


# the keys of proofs that there are

sub witnesses {
    my $redis = shift;

    return @{ $redis->command('KEYS', 'npmtoken:witness:*') };
}


my %master = map { $_ => master() } qw( plain frozen demoted );
my %replica = map { $_ => [ map { replica($_) } ($master{$_}) x 2 ] }
    keys %master;

linked($_) for map { @$_ } values %replica;


subtest 'a token is cached and revoked while replicas confirm' => sub {
    my $redis = $master{plain};
    my $node = node($redis, 2, store => 'revocation_bound 1h;');

    $redis->put_token('npm_plain', user => 'alice');

    is($node->ask('npm_plain'), '200 miss', 'looked up');
    is($node->cache('npm_plain'), '200 hit', 'cached');

    $redis->del_token('npm_plain');

    quickly { $node->ask('npm_plain') =~ /\A401/ } 'revoked by a push';

    is($node->live, 1, 'in one session');
    unlike($node->error_log, qr/\[(?:warn|error|crit)\].*(?:redis|store)/,
           'nothing to complain of');

    $node->finish;
};


subtest 'what is written of proofs is short-lived, and for one node' => sub {
    my $redis = $master{plain};
    my $busy = node($redis, 1, store => 'revocation_bound 100ms;');
    my $calm = node($redis, 1, store => 'revocation_bound 1h;',
                    level => 'debug');

    wait_for {
        my %series = map { $_ => 1 }
            map { /\Anpmtoken:witness:([0-9a-f]{32}):\d+\z/ ? $1 : 'other' }
            witnesses($redis);

        keys %series == 2;
    } 'keys of both';

    my @ttls = map { $redis->command('PTTL', $_) } witnesses($redis);

    ok(!(grep { $_ > 1000 || $_ == -1 } @ttls), 'a key lives for a second');

    my $pushed = sub {
        scalar(() = $calm->error_log =~ /npmtoken feed: 1 keys changed/g);
    };
    my $written = sub {
        scalar(() = $calm->error_log =~ /npmtoken feed, write \d+/g);
    };

    my $calls = calls($redis, 'set');

    wait_for { calls($redis, 'set') > $calls + 20 } 'writes of the other';

    # each key is pushed once when it is written, and when it expires
    cmp_ok($pushed->(), '<=', 2 * $written->() + 2,
           'a node hears of its own writes alone');

    $_->finish for $busy, $calm;
    wait_for { !witnesses($redis) } 'no key is left';
    pass('no key is left');
};


subtest 'without enough replicas nothing is believed, and that is logged' => sub {
    my $redis = $master{plain};
    my ($one, $other) = @{ $replica{plain} };
    my $node = node($redis, 2);

    $redis->put_token('npm_few', user => 'alice');
    is($node->cache('npm_few'), '200 hit', 'cached');

    $one->pause;

    # the bound, the time-out of a look-up, and what a busy machine adds

    is($node->lives('npm_few', 0.4, 'one of two'), '503 miss', 'unavailable');
    is($node->ask('npm_never'), '503 miss', 'a look-up proves nothing');

    $node->wait_log(qr/\[error\].* 1 replicas have confirmed a proof, and "pro/);

    $one->resume;

    wait_for { $node->ask('npm_few') =~ /\A200/ } 'a good token';
    $node->wait_log(qr/\[error\].*proofs are confirmed again/);

    is(scalar(() = $node->error_log =~ /\[error\].*have confirmed a proof/g), 1,
       'it is logged once');
    is($node->live, 1, 'in one session');
};


subtest 'a look-up lengthens no proof' => sub {
    my $redis = $master{plain};
    my $node = node($redis, 2, store => 'revocation_bound 1500ms;');

    $redis->put_token('npm_late', user => 'alice');
    is($node->ask('npm_never'), '401 miss', 'there is a proof');

    $replica{plain}[0]->pause;

    my $start = time;

    # the last proof is good for half a second more

    sleep 1;

    my $first = $node->ask('npm_late');
    my ($hits, $late) = (0, 0);

    for ( ;; ) {
        my $began = time - $start;

        last if $began > 2.2;

        if ($node->ask('npm_late') =~ /\A200/) {
            $hits++;
            $late++ if $began > 1.5;
        }
    }

    $replica{plain}[0]->resume;

    is($late, 0, "no hit after the bound ($first, then $hits hits)");
    $node->finish;
};


# Old master, cut off from its replicas, and goes on. It has not heard that one
# of them was promoted, where a token is revoked.

sub succeed {
    my ($master, $next, $other) = @_;

    $next->command(REPLICAOF => 'NO', 'ONE');
    $other->command(REPLICAOF => '127.0.0.1', $next->port);

    wait_for {
        $next->command('INFO', 'replication') =~ /connected_slaves:1/;
    } 'the other replica';

    $next->del_token('npm_gone');

    wait_for { $next->command('WAIT', 1, 1000) >= 1 } 'the acknowledgement';
}


subtest 'a master that was succeeded is not believed' => sub {
    my $redis = $master{plain};
    my @replicas = @{ $replica{plain} };

    $redis->put_token('npm_gone', user => 'alice');

    my %node = (
        without => node($redis, 0),
        with    => node($redis, 1),
    );

    is($node{$_}->cache('npm_gone'), '200 hit', "cached, $_") for keys %node;

    succeed($redis, @replicas);

    is($node{with}->lives('npm_gone', 0.4, 'with', none => 1), '503 miss',
       'after the bound: unavailable');

    is($node{with}->ask('npm_never'), '503 miss', 'no look-up is believed');

    # this is what it is for
    is($node{without}->ask('npm_gone'), '200 hit', 'without: still good');
};


subtest 'a master that was stopped and succeeded is not believed' => sub {
    my $redis = $master{frozen};

    $redis->put_token('npm_gone', user => 'alice');

    my $node = node($redis, 1);

    is($node->cache('npm_gone'), '200 hit', 'cached');

    $redis->pause;

    # a write is on its way while it stands still

    sleep 0.2;

    succeed($redis, @{ $replica{frozen} });

    sleep 0.5;
    is($node->ask('npm_gone'), '503 miss', 'while it stands still');

    $redis->resume;

    my $end = time + 1;
    my %seen;

    $seen{ $node->ask('npm_gone', timeout => 5) }++ while time < $end;

    is_deeply([ keys %seen ], [ '503 miss' ], 'nor after that');
};


subtest 'a master that becomes a replica ends the session' => sub {
    my $redis = $master{demoted};

    $redis->put_token('npm_gone', user => 'alice');

    my $node = node($redis, 1);

    is($node->cache('npm_gone'), '200 hit', 'cached');

    succeed($redis, @{ $replica{demoted} });

    $redis->command(REPLICAOF => '127.0.0.1', $replica{demoted}[0]->port);

    # READONLY says it, or the write that was waiting is not answered

    $node->wait_log(qr/failed:\s(?:this\ is\ not\ the\ master
                               |the\ write\ of\ a\ proof\ timed\ out)/x);

    wait_for { $node->ask('npm_gone') eq '503 miss' } 'unavailable';
    pass('and it is unavailable');
};


subtest 'a reload asks for other replicas, and refuses nobody' => sub {
    my $redis = $master{frozen};
    my ($next) = @{ $replica{frozen} };

    $next->put_token('npm_reload', user => 'alice');

    my $node = node($next, 1, store => 'revocation_bound 1s;');

    is($node->cache('npm_reload'), '200 hit', 'cached');

    my $live = $node->live;
    my %seen;
    my $asks = sub {
        my $end = time + $_[0];

        $seen{ substr $node->ask('npm_reload'), 0, 3 }++ while time < $end;
    };

    $node->reload;
    $asks->(0.3);
    $node->wait_live($live + 1);
    $asks->(0.3);

    is_deeply([ keys %seen ], [ 200 ], 'the same number');

    $node->config(store => 'proof_replicas 5; lookup_timeout 300ms;'
                      . ' revocation_bound 400ms;');
    $node->reload;

    is($node->ask('npm_reload'), '503 miss', 'more than there are');

    $node->config(store => 'revocation_bound 400ms;');
    $node->reload;

    is($node->ask('npm_reload'), '200 miss', 'none');
};


done_testing;
