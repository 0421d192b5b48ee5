# Redis stops answering, goes away and comes back: what a cached record is
# worth meanwhile, and what stale_reads adds to that.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time sleep );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

my $redis = NpmToken::Redis->new;
my $unix = 'unix:' . $redis->socket;

my %stores = (
    stale => 'revocation_bound 300ms; stale_reads 1h;',
    short => 'revocation_bound 300ms; stale_reads 1500ms;',
    long  => 'revocation_bound 1h; stale_reads 1h;',
);

my $node = NpmToken::Node->new(
    redis => $redis,
    level => 'notice',
    store => 'revocation_bound 500ms; lookup_timeout 100ms;',
    http  => join('', map { <<"_EOC_" } sort keys %stores),
    npmtoken_store $_ {
        redis $unix;
        lookup_timeout 100ms;
        connect_timeout 300ms;
        $stores{$_}
    }
_EOC_
    server => join("\n", map {
        "location /$_/ { npmtoken $_; proxy_pass http://registry/; }"
    } sort keys %stores),
);

my @stale = (uri => '/stale/pkg');
my @short = (uri => '/short/pkg');
my @long  = (uri => '/long/pkg');

$node->allow_log(qr/connect\(\) to unix:\S+ failed/);
$node->wait_live(1 + keys %stores);


# with Redis stopped, and going on afterwards

sub paused (&) {
    my $code = shift;

    my $live = $node->live;

    $redis->pause;
    eval { $code->(); 1 } or fail($@);
    $redis->resume;

    # it has answered: the feeds are there, or begin a session
    $redis->command('PING');

    $node->sync($_ ? (uri => "/$_/pkg") : ()) for '', sort keys %stores;
}


subtest 'Redis is stopped for a while' => sub {
    $redis->put_token('npm_full', user => 'alice');
    $node->sync;
    $node->sync(@long);
    $node->cache($_, @long) for qw( npm_full npm_none );
    $node->cache($_) for qw( npm_full npm_none );

    paused {
        is($node->lives('npm_full', 0.5, 'SIGSTOP'), '503 miss',
           'past the bound nobody can say');
        is($node->ask('npm_none'), '503 miss', 'neither of an unknown token');
        is($node->ask('npm_full', method => 'PUT'), '503 miss',
           'nor to a write');
        is($node->ask('npm_full', uri => '/-/ping'), '200', 'sessions pass');
        is($node->ask('npm_full', @long), '200 hit', 'a long bound is long');
        is($node->ask('npm_none', @long), '401 hit', 'to everybody');
        is($node->ask('npm_full', @long, method => 'PUT'), '200 hit',
           'and everything');
    };

    wait_for { $node->ask('npm_full') eq '200 hit' } 'a hit';
    pass('it goes on');

    $redis->del_token('npm_full');

    quickly { $node->ask('npm_full') =~ /\A401/ } 'and revokes';
};


# One that is stopped for less than the bound changes nothing.

subtest 'Redis is stopped for a moment' => sub {
    $redis->put_token('npm_short', user => 'alice');
    $node->sync(@long);
    $node->cache('npm_short', @long);

    my $live = $node->live;

    paused {
        is($node->ask('npm_short', @long), '200 hit', 'a hit');
    };

    is($node->ask('npm_short', @long), '200 hit', 'and still one');
};


subtest 'stale_reads' => sub {
    $redis->put_token($_, user => 'alice')
        for qw( npm_old npm_revoked npm_killed npm_ttl );
    $redis->put_token('npm_ro', readonly => 'true');
    $redis->put_token('npm_range', cidr_whitelist => '192.0.2.1');

    $node->sync(@stale);
    $node->cache($_, @stale)
        for qw( npm_old npm_revoked npm_ro npm_range npm_none npm_killed );

    # a push that nobody has asked about since

    $redis->del_token('npm_revoked');
    $node->sync(@stale);

    # an epoch that was not begun when this was looked up

    my $live = $node->live;

    $redis->command(CLIENT => KILL => TYPE => 'pubsub');
    $node->wait_live($live + 1 + keys %stores);

    $redis->command(PEXPIRE => $redis->record_name('npm_ttl'), 1200);
    $node->sync(@stale);
    $node->cache('npm_ttl', @stale);
    my $ttl = time + 1.2;

    paused {
        wait_for { $node->ask('npm_old', @stale) =~ / stale\z/ } 'no Redis';

        is($node->ask('npm_old', @stale), '200 stale', 'a read');
        is_deeply([$node->ask_all('npm_old', @stale)],
                  ['200 stale', '200 stale'], 'of each worker');
        is($node->ask('npm_old', @stale, method => 'HEAD'), '200 stale',
           'HEAD');
        is($node->ask('npm_old', @stale, method => $_), '503 miss',
           "$_, a write") for qw( PUT DELETE POST PATCH );
        is($node->ask('npm_old', method => 'DELETE',
                      uri => '/stale/-/user/token/npm_old'),
           '503 miss', 'a logout');
        is($node->ask('npm_ro', @stale), '200 stale', 'a read-only one');
        is($node->ask('npm_range', @stale), '401 stale',
           'what the record says holds');
        is($node->ask('npm_none', @stale), '503 miss', 'an unknown one');
        is($node->ask('npm_other', @stale), '503 miss', 'one never seen');
        is($node->ask('npm_revoked', @stale), '503 miss',
           'one whose change was pushed');
        is($node->ask('npm_killed', @stale), '200 stale',
           'one of the last epoch');

        my ($late, $seen) = (0, 0);

        while ((my $began = time) < $ttl + 0.3) {
            if ($node->ask('npm_ttl', @stale) =~ /\A200/) {
                $seen++;
                $late++ if $began > $ttl;
            }
        }

        is($late, 0, 'none past the TTL of its key');
        is($node->ask('npm_ttl', @stale), '503 miss', 'it is past');
    };

    $redis->del_token('npm_old');

    quickly { $node->ask('npm_old', @stale) =~ /\A401/ } 'and that is all';
};


# One message of so many names is taken for a change of everything. It ends the
# session as well, and an epoch is not what makes a record too old for this.

my $many = <<'_EOC_';
redis.call('DEL', KEYS[1])
for i = 1, 20000 do
    redis.call('SET', 'npmtoken:token:' .. i, 1, 'PX', 1)
end
_EOC_

for my $change ('FLUSHALL', 'a message that is too large') {
    subtest "stale_reads, and $change" => sub {
        $redis->put_token('npm_flushed', user => 'alice');
        $node->sync(@stale);
        $node->cache('npm_flushed', @stale);

        if ($change eq 'FLUSHALL') {
            $redis->flush;

        } else {
            my $live = $node->live;

            $redis->command(EVAL => $many, 1,
                            $redis->record_name('npm_flushed'));
            $node->wait_live($live + 1 + keys %stores);
        }

        $node->sync(@stale);

        paused {
            wait_for { $node->ask('npm_flushed', @stale) !~ / hit\z/ };

            is($node->ask('npm_flushed', @stale), '503 miss', 'not stale');
        };
    };
}


subtest 'stale_reads is about the age of a record' => sub {
    $redis->put_token('npm_aged', user => 'alice');
    $node->sync(@short);

    my $sent = time;

    $node->cache('npm_aged', @short);

    my $known = time;

    paused {
        my ($late, $seen, $began) = (0, 0);

        do {
            $began = time;

            if ($node->ask('npm_aged', @short) =~ /\A200 stale\z/) {
                $seen++;
                $late++ if $began - $known > 1.5;
            }
        } while ($began < $known + 1.7);

        ok($seen, "it serves $seen reads");
        is($late, 0, 'none when it is older');
        is($node->ask('npm_aged', @short), '503 miss', 'then nobody can say');
    };
};


# Redis ends, and there is no socket any more

subtest 'restart' => sub {
    $redis->put_token('npm_gone', user => 'alice');

    for my $at ([], \@stale, \@long) {
        $node->sync(@$at);
        $node->cache('npm_gone', @$at);
    }

    my $live = $node->live;
    my $log = length $node->error_log;

    $redis->stop;

    is($node->lives('npm_gone', 0.5, 'no Redis', none => 1), '503 miss',
       'then nobody can say');

    wait_for { $node->ask('npm_gone', @stale) eq '200 stale' } 'stale';
    pass('stale_reads');

    is($node->ask('npm_gone', @stale, method => 'PUT'), '503 miss', 'reads');
    is($node->ask('npm_gone', @long), '200 hit', 'a long bound is long');

    $redis->start;
    $node->wait_live($live + 1 + keys %stores);

    # each of two look-up connections and a feed in each store has told it

    my $lines = () = substr($node->error_log, $log)
        =~ /\[(?:crit|error)\].*, client name: npmtoken-/g;

    cmp_ok($lines, '<=', 2 * 3 * (1 + keys %stores),
           "$lines lines in the log about it");

    # it has no record any more, and the new epochs make that known

    for my $at ([], \@stale, \@long) {
        quickly { $node->ask('npm_gone', @$at) eq '401 hit' }
            'it is empty: ' . ($at->[1] // '/pkg');
    }
};


done_testing;
