# One worker of a node has the feed: it dies, is stopped, or has to go, and
# another has it; and nothing of the feed keeps a worker from going.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time sleep );

use lib 't/lib';
use NpmToken::Nginx qw( read_response );
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( read_file spawn temp_dir wait_for );

my $redis = NpmToken::Redis->new;
my $tokens = 0;


sub feeds { return scalar(clients($redis, 'npmtoken-feed')) }


# a token that is cached everywhere

sub cached {
    my $node = shift;

    my $token = 'npm_' . $tokens++;

    $redis->put_token($token, user => 'alice');
    $node->sync;
    $node->cache($token);

    return $token;
}


# Revokes it, and asks the workers until the bound has passed: later than that
# none lets it in.

sub enforced {
    my ($node, $token, $bound, @workers) = @_;

    $redis->del_token($token);

    my $deleted = time;
    my ($late, $began) = (0);

    do {
        for my $worker (@workers) {
            $began = time;

            $late++ if $node->ask($token, worker => $worker) =~ /\A200/
                && $began - $deleted > $bound;
        }

        sleep 0.01;
    } while ($began - $deleted < $bound + 0.2);

    is($late, 0, 'a revocation is enforced within the bound');
}


my $node = NpmToken::Node->new(
    redis => $redis,
    store => 'revocation_bound 1s; cache_ttl 1h;',
);

$node->allow_log(qr/worker process \d+ exited on signal 9/);


subtest 'the owner is killed' => sub {
    is(feeds(), 1, 'there is one feed');

    my $token = cached($node);
    my $owner = $node->owner;
    my ($other) = grep { $_ != $owner } $node->workers;
    my $live = $node->live;

    kill KILL => $owner;

    enforced($node, $token, 1, $other);

    $node->wait_live($live + 1);

    isnt($node->owner, $owner, 'another worker has the feed');
    is(feeds(), 1, 'the only one');

    $token = cached($node);

    is_deeply([$node->ask_all($token)], ['200 hit', '200 hit'], 'it works');

    $redis->del_token($token);

    quickly { $node->ask($token) =~ /\A401/ } 'and revokes';
};


subtest 'the other one is killed' => sub {
    my $token = cached($node);
    my $owner = $node->owner;
    my ($other) = grep { $_ != $owner } $node->workers;
    my $live = $node->live;

    kill KILL => $other;

    wait_for {
        my @pids = $node->worker_pids;
        @pids == 2 && !grep { $_ == $other } @pids;
    } 'a new worker';

    is_deeply([$node->ask_all($token)], ['200 hit', '200 hit'],
              'the cache is as it was');
    is($node->owner, $owner, 'so is the feed');
    is($node->live, $live, 'and its session');
};


subtest 'the owner is stopped for longer than its lease' => sub {
    my $token = cached($node);
    my $owner = $node->owner;
    my ($other) = grep { $_ != $owner } $node->workers;
    my $live = $node->live;

    $node->ask_all($token);

    kill STOP => $owner;

    enforced($node, $token, 1, $other);

    $node->wait_live($live + 1);

    is($node->owner, $other, 'the other has the feed');

    # a session of its own cannot be ended by one that is stopped
    is(feeds(), 2, 'Redis does not know it yet');

    # What it was asked meanwhile it judges by what is true then: by entry
    # and clock of before it would have let this in.

    my $asked = $node->send_ask($token, worker => $owner);

    kill CONT => $owner;

    like($node->ask_result($asked), qr/\A401/,
         'what it was asked meanwhile it refuses');

    like($node->wait_log(qr/another (?:worker has taken|feed has begun)/),
         qr/ $owner#/, 'it finds that it is the owner no more');

    wait_for { feeds() == 1 } 'one feed';
    is($node->owner, $other, 'the feed stays where it is');

    my $session = $node->live;

    $token = cached($node);
    is_deeply([$node->ask_all($token)], ['200 hit', '200 hit'], 'it works');

    $redis->del_token($token);
    quickly { $node->ask($token, worker => $owner) =~ /\A401/ } 'and revokes';

    is($node->live, $session, 'in one session');
};


# A worker that is stopped for less than the lease is the owner still, and its
# PING of before proves no more than it did.

subtest 'the owner is stopped for a moment' => sub {
    my $token = cached($node);
    my $owner = $node->owner;
    my ($other) = grep { $_ != $owner } $node->workers;
    my $live = $node->live;

    kill STOP => $owner;
    sleep 0.3;
    $redis->del_token($token);
    kill CONT => $owner;

    quickly { $node->ask($token, worker => $other) =~ /\A401/ } 'it revokes';

    is($node->owner, $owner, 'it has the feed still')
        if $node->live == $live;
};


# The lease is an hour from here on, so who goes gives it back.

$node->config(store => 'revocation_bound 1h;');
$node->renewed(sub { $node->reload });

subtest 'reload' => sub {
    for (1 .. 3) {
        my $live = $node->live;
        my %old = map { $_ => 1 } $node->workers;

        $node->signal('HUP');

        quickly { $node->live > $live } 'the feed is moved';

        ok(!$old{$node->owner}, 'to a new worker');

        wait_for { feeds() == 1 } 'one feed';
        wait_for { !grep { -d "/proc/$_" } keys %old } 'the end of the old';
        is($node->live, $live + 1, 'in one session');
    }

    my $token = cached($node);

    $redis->del_token($token);
    quickly { $node->ask($token) =~ /\A401/ } 'it revokes';
};


# A request that an old worker has not judged yet: half of its head is there.

subtest 'an old worker goes on, by the feed of a new one' => sub {
    my $token = cached($node);
    my $gone = cached($node);
    my $owner = $node->owner;

    my @half = map {
        my $connection = $node->connect;

        print $connection "GET /pkg HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\n";

        $connection;
    } 1 .. 8;

    # it has been accepted and read when what came later is answered
    $node->ask_all($token);

    $node->renewed(sub { $node->reload });

    $node->cache($token);
    $redis->del_token($gone);
    $node->sync;

    my %new = map { $_ => 1 } $node->workers;
    my %results;

    for my $i (0 .. $#half) {
        my $asked = $i % 2 ? $gone : $token;

        print { $half[$i] } "Authorization: Bearer $asked\r\n\r\n";

        my $response = read_response($half[$i], 'GET') // next;

        next if $new{ $response->{headers}{'x-pid'} };

        $results{"$asked $response->{status} "
                 . "$response->{headers}{'x-cache'}"}++;
    }

    ok($results{"$token 200 hit"}, 'an old worker has hits');

    is_deeply([grep { !/\A(?:$token 200|$gone 401) / } keys %results], [],
              'and lets nobody in who is revoked');

    is(feeds(), 1, 'by the feed of a new one');
};


subtest 'quit' => sub {
    $node->cache('npm_none');

    my $start = time;

    ok($node->quit, 'it quits');

    my $ms = int(1000 * (time - $start));

    # the lease is an hour; the machine may be busy
    cmp_ok($ms, '<', 5000, "in $ms ms");

    wait_for { feeds() == 0 } 'no feed';
    is(scalar(clients($redis, 'npmtoken-lookup')), 0, 'nor a look-up');

    $node->renewed(sub { $node->start });
};


subtest 'quit while Redis is stopped' => sub {
    $redis->pause;

    my ($worker) = $node->workers;
    my $asked = $node->send_ask('npm_waits', worker => $worker);

    # what came first has been read first
    $node->ask(undef, uri => '/-/ping', worker => $worker);

    my $start = time;

    $node->signal('QUIT');

    is($node->ask_result($asked), '503 miss', 'who waits gets an answer');

    ok($node->quit, 'it quits');

    my $ms = int(1000 * (time - $start));

    cmp_ok($ms, '<', 5000, "in $ms ms");

    $redis->resume;
};


# Neither the master nor the helpers of proxy_cache have business with Redis.

subtest 'cache manager and loader' => sub {
    my $node = NpmToken::Node->new(
        redis => $redis,
        url   => 'redis://127.0.0.1:' . $redis->port,
        http  => 'proxy_cache_path ' . temp_dir()
                 . '/proxy_cache keys_zone=proxy:1m;',
    );

    $node->cache('npm_none', worker => $_) for $node->workers;

    # inodes of sockets that are connected to Redis

    my $port = sprintf '%04X', $redis->port;
    my %inode;

    for (split /\n/, read_file('/proc/net/tcp')) {
        my @words = split;

        $inode{$words[9]} = 1 if $words[2] =~ /:$port\z/;
    }

    my %name;

    for my $pid ($node->pid, split ' ',
                 read_file("/proc/$node->{pid}/task/$node->{pid}/children"))
    {
        my ($name) = read_file("/proc/$pid/cmdline") =~ /nginx: (\w+ \w+)/;

        $name{$name} //= 0;
        $name{$name} += grep {
            (readlink // '') =~ /\Asocket:\[(\d+)\]\z/ && $inode{$1};
        } glob "/proc/$pid/fd/*";
    }

    is($name{'master process'}, 0, 'the master has no connection');
    is($name{'cache manager'}, 0, 'nor has the cache manager');
    is($name{'cache loader'}, 0, 'nor the cache loader');
    cmp_ok($name{'worker process'}, '>=', 2, 'the workers have');

    ok($node->quit, 'it quits');
};


subtest 'no master' => sub {
    my $node = NpmToken::Node->new(
        redis   => $redis,
        main    => 'master_process off;',
        workers => 1,
        store   => 'revocation_bound 1h;',
    );

    my $token = cached($node);

    $redis->del_token($token);

    quickly { $node->ask($token) =~ /\A401/ } 'it revokes';
    is(feeds(), 1, 'there is a feed');
    ok($node->quit, 'it quits');
};


done_testing;
