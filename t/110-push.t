# Every way in which Redis changes a record is pushed, and bites at once: the
# bound is an hour here, so nothing but the push can do it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Node poll => 1;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

my $redis = NpmToken::Redis->new;

my $node = NpmToken::Node->new(
    redis => $redis,
    store => 'revocation_bound 1h; cache_ttl 1h; negative_ttl 1h;',
);

my $tokens = 0;
my ($token, $name);

sub redis { $redis->command(@_) }


# A token with a record, cached; then what is done to it, and the answer to a
# GET or PUT that must follow.

sub bites {
    my ($what, $code, $answer, %options) = @_;

    subtest $what => sub {
        $token = 'npm_' . $tokens++;
        $name = $redis->record_name($token);

        $redis->put_token($token, user => 'alice', x_field => 1);
        $redis->put_token("$token.other", user => 'bob', readonly => 'true');
        $options{before}->() if $options{before};

        my $was = $node->cache($token, %options);

        # nothing is on its way that could be taken for what comes next
        $node->sync;
        is($node->cache($token, %options), $was, 'it is cached');

        $code->();

        quickly { $node->ask($token, %options) =~ /\A$answer / } $what;

        my @results = $node->ask_all($token, %options);

        is(scalar(grep { /\A$answer / } @results), 2, 'so say all workers');

        $node->cache($token, %options);

        is_deeply([$node->ask_all($token, %options)],
                  ["$answer hit", "$answer hit"], 'and it is cached again');
    };
}


sub record { return ($name, user => 'alice', @_) }

my @put = (method => 'PUT');

# it is gone

bites('DEL', sub { redis(DEL => $name) }, 401);
bites('UNLINK', sub { redis(UNLINK => $name) }, 401);
bites('DEL of many', sub { redis(DEL => 'x', $name, 'y') }, 401);
bites('GETDEL over it', sub { redis(SET => $name, 1); redis(GETDEL => $name) },
      401);
bites('RENAME away', sub { redis(RENAME => $name, 'elsewhere') }, 401);
bites('MOVE', sub { redis(MOVE => $name, 1) }, 401);
bites('EXPIRE 0', sub { redis(EXPIRE => $name, 0) }, 401);
bites('PEXPIREAT in the past', sub { redis(PEXPIREAT => $name, 1) }, 401);
bites('HDEL of its last field',
      sub { redis(HDEL => $name, 'user', 'x_field') }, 401);
bites('MULTI', sub {
    redis('MULTI');
    redis(HSET => $name, x_field => 2);
    redis(DEL => $name);
    redis('EXEC');
}, 401);
bites('EVAL', sub {
    redis(EVAL => 'return redis.call("DEL", KEYS[1])', 1, $name);
}, 401);
bites('EVAL of a key it did not declare', sub {
    redis(EVAL => 'return redis.call("DEL", ARGV[1])', 0, $name);
}, 401);

# it is another one

bites('HSET', sub { redis(HSET => $name, readonly => 'true') }, 403, @put);
bites('HMSET', sub { redis(HMSET => $name, readonly => 'true') }, 403, @put);
bites('HSETNX', sub { redis(HSETNX => $name, readonly => 'true') }, 403, @put);
bites('revoked_at', sub { redis(HSET => $name, revoked_at => 1) }, 401);
bites('HINCRBY', sub { redis(HINCRBY => $name, revoked_at => 1) }, 401);
bites('HDEL', sub { redis(HDEL => $name, 'readonly') }, 200, @put,
      before => sub { redis(HSET => $name, readonly => 'true') });
bites('a bad record', sub { redis(HSET => $name, cidr => '::/0') }, 403);
bites('another type', sub { redis(SET => $name, 1) }, 403);
bites('RENAME over it', sub { redis(RENAME => "$name.src", $name) }, 403,
      @put, before => sub {
          redis(HSET => "$name.src", readonly => 'true', x_long_enough => 1);
      });
bites('COPY over it', sub { redis(COPY => "$name.src", $name, 'REPLACE') },
      403, @put, before => sub {
          redis(HSET => "$name.src", readonly => 'true');
      });
bites('RESTORE over it', sub {
    redis(RESTORE => $name, 0,
          redis(DUMP => $redis->record_name("$token.other")), 'REPLACE');
}, 403, @put);

# it comes back, over an entry that says there is none

my @unknown = (before => sub { redis(DEL => $name) });

bites('HSET of a new one', sub { redis(HSET => record()) }, 200, @unknown);
bites('RESTORE', sub {
    redis(RESTORE => $name, 0,
          redis(DUMP => $redis->record_name("$token.other")));
}, 200, @unknown);
bites('RENAME to it', sub {
    redis(RENAME => $redis->record_name("$token.other"), $name);
}, 200, @unknown);
bites('COPY to it', sub {
    redis(COPY => $redis->record_name("$token.other"), $name);
}, 200, @unknown);
bites('MOVE to it', sub {
    redis(SELECT => 1);
    redis(HSET => record());
    redis(MOVE => $name, 0);
    redis(SELECT => 0);
}, 200, @unknown);

# all of them

for my $command ('FLUSHALL', 'FLUSHDB', 'FLUSHALL ASYNC', 'FLUSHALL SYNC') {
    bites($command, sub { redis(split ' ', $command) }, 401);
}

bites('FLUSHALL, and it is made again at once', sub {
    redis('MULTI');
    redis('FLUSHALL');
    redis(HSET => record(readonly => 'true'));
    redis('EXEC');
}, 403, @put);


# Redis drops it by itself

bites('expiry', sub { redis(PEXPIRE => $name, 50) }, 401);

bites('DEBUG RELOAD, which keeps it', sub {
    redis(DEBUG => 'RELOAD');
    redis(HSET => $name, readonly => 'true');
}, 403, @put);


subtest 'DEBUG RELOAD alone is a change of everything' => sub {
    $redis->put_token('npm_reload', user => 'alice');
    $node->sync;
    $node->cache('npm_reload');

    redis(DEBUG => 'RELOAD');

    quickly { $node->ask('npm_reload') eq '200 miss' } 'a miss';
};


subtest 'what changes nothing is not pushed' => sub {
    $redis->put_token('npm_quiet', user => 'alice');
    $redis->put_token('npm_loud', user => 'alice');
    $node->sync;
    $node->cache('npm_quiet');

    my $quiet = $redis->record_name('npm_quiet');

    redis(HGETALL => $quiet);
    redis(TOUCH => $quiet);
    redis(HDEL => $quiet, 'none');
    redis(HSETNX => $quiet, 'user', 'bob');
    redis(EXPIRE => $quiet, 1000, 'XX');
    redis(HSET => "npmtoken:user:alice", x => 1);
    redis(DEL => $redis->record_name('npm_loud'));

    $node->sync;

    is($node->ask('npm_quiet'), '200 hit', 'it is a hit still');

    redis(HSET => $quiet, 'user', 'alice');

    quickly { $node->ask('npm_quiet') eq '200 miss' }
        'the same value again is a change';
};


# An evicted token is gone; each that went has been announced.

subtest 'eviction' => sub {
    my @tokens = map { "npm_evict$_" } 1 .. 200;

    $redis->put_token($_, user => 'alice') for @tokens;
    $node->sync;
    $node->cache($_) for @tokens;

    my ($used) = redis(INFO => 'memory') =~ /^used_memory:(\d+)/m;

    redis(CONFIG => SET => 'maxmemory-policy', 'allkeys-random');
    redis(CONFIG => SET => 'maxmemory', $used - 20_000);

    wait_for {
        eval { redis(SET => 'x', 1) };
        redis('DBSIZE') < @tokens;
    } 'an eviction';

    redis(CONFIG => SET => 'maxmemory', 0);

    my %gone = map { $_ => 1 }
        grep { !redis(EXISTS => $redis->record_name($_)) } @tokens;

    ok(scalar(keys %gone), scalar(keys %gone) . ' tokens were evicted');

    my ($stale, $wrong) = (0, 0);

    quickly { $node->ask((keys %gone)[0]) =~ /\A401/ } 'one of them';

    $node->sync;

    for (@tokens) {
        my $result = $node->ask($_);

        $stale++ if $gone{$_} && $result !~ /\A401/;
        $wrong++ if !$gone{$_} && $result !~ /\A200/;
    }

    is($stale, 0, 'none of them is allowed');
    is($wrong, 0, 'all others are');

    redis('FLUSHALL');
};


# The one ordinary command that changes records and is not pushed: an ACL must
# forbid it.  When Redis pushes that too, this has to be told.

subtest 'SWAPDB is not pushed' => sub {
    $redis->put_token('npm_swap', user => 'alice');
    $node->sync;
    $node->cache('npm_swap');

    redis(SWAPDB => 0, 1);

    $redis->put_token('npm_loud', user => 'alice');

    # a push that came later has been heard
    redis(SWAPDB => 0, 1);
    $node->sync;
    redis(SWAPDB => 0, 1);

    is($node->ask('npm_swap'), '200 hit', 'the token is still let in');

    redis(SWAPDB => 0, 1);
};


is($node->live, 1, 'all of this was one session of the feed');

my @feeds = clients($redis, 'npmtoken-feed');

is(scalar(@feeds), 1, 'and there is one feed for both workers');
is($feeds[0]{sub}, 1, 'with one subscription');
like($feeds[0]{flags}, qr/P/, 'in subscribe mode');
like($feeds[0]{flags}, qr/t/, 'that tracks');
like($feeds[0]{flags}, qr/B/, 'in broadcast mode');
is($feeds[0]{redir}, $feeds[0]{id}, 'redirected to itself');


# What one node hears the other hears as well.

subtest 'two nodes' => sub {
    my $second = NpmToken::Node->new(
        redis => $redis,
        store => 'revocation_bound 1h; cache_ttl 1h;',
    );

    $redis->put_token('npm_both', user => 'alice');

    for my $each ($node, $second) {
        $each->sync;
        $each->cache('npm_both');
    }

    is(scalar(clients($redis, 'npmtoken-feed')), 2, 'a feed for each');

    $redis->del_token('npm_both');

    quickly { $_->ask('npm_both') =~ /\A401/ } 'both refuse'
        for $node, $second;

    ok($second->quit, 'one of them quits');

    wait_for { clients($redis, 'npmtoken-feed') == 1 } 'one feed';
    is($node->live, 1, 'the other goes on');
};


done_testing;
