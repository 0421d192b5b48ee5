# What ends a session of the feed, and what a cached record is worth until the
# next one: the bound and no more.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw( time sleep );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

my $redis = NpmToken::Redis->new(config => <<'_EOC_');
loading-process-events-interval-bytes 1024
_EOC_

# the long one is for what a new epoch does, the short one for the lack of it

my $node = NpmToken::Node->new(
    redis => $redis,
    store => 'revocation_bound 1h; cache_ttl 1h; lookup_timeout 5s;',
);

sub redis { $redis->command(@_) }


# says something to Redis and does not wait for the answer

sub begin {
    my $line = shift;

    my $connection = IO::Socket::UNIX->new(Peer => $redis->socket)
        or die "cannot connect: $!";

    print $connection "$line\r\n";
    $connection->flush;

    return $connection;
}


# a session ends, and with it what was cached in its epoch

sub ends_session {
    my ($what, $log, $code, %options) = @_;

    subtest $what => sub {
        $redis->put_token('npm_epoch', user => 'alice');
        $node->sync;
        $node->cache('npm_epoch');

        my $live = $node->live;
        my ($feed) = clients($redis, 'npmtoken-feed');

        $node->{seen} = length $node->error_log;

        $code->($feed);

        like($node->wait_log($log), $log, 'the log says so');
        $node->wait_live($live + 1);

        # one that was allowed a moment ago, and is looked up again
        is($node->ask('npm_epoch'), $options{result} // '200 miss',
           'what was cached is not any more');

        $node->cache('npm_epoch');

        my @feeds = clients($redis, 'npmtoken-feed');

        is(scalar(@feeds), 1, 'there is one feed');
        isnt($feeds[0]{id}, $feed->{id}, 'another one');

        $redis->del_token('npm_epoch');

        quickly { $node->ask('npm_epoch') =~ /\A401/ } 'it works';
    };
}


ends_session('CLIENT KILL', qr/\[error\].*: closed by redis .*npmtoken-feed/,
    sub { redis(CLIENT => KILL => ID => shift->{id}) });

ends_session('CLIENT KILL TYPE pubsub', qr/npmtoken-feed/,
    sub { redis(CLIENT => KILL => TYPE => 'pubsub') });

ends_session('somebody publishes where Redis alone should',
    qr/\[error\].*an unexpected reply.*npmtoken-feed/,
    sub { redis(PUBLISH => '__redis__:invalidate', 'npmtoken:token:x') });

ends_session('somebody publishes nothing', qr/an unexpected reply/,
    sub { redis(PUBLISH => '__redis__:invalidate', '') });


# 100,000 names in one message are 14.5 MB

my $many = <<'_EOC_';
for i = 1, tonumber(ARGV[1]) do
    local hex = redis.sha1hex(i)
    redis.call('HSET', 'npmtoken:token:' .. string.sub(hex .. hex .. hex
               .. hex, 1, 128), 'x_', 1)
end
_EOC_

ends_session('an invalidation of 14 MB is one of everything',
    qr/\[notice\].*a message on the feed is too large/,
    sub { redis(EVAL => $many, 0, 100_000) });


subtest 'one of 10,000 names is read' => sub {
    $redis->put_token('npm_among', user => 'alice');
    $node->sync;

    my $live = $node->live;

    $node->cache('npm_among');

    redis(EVAL => "$many redis.call('DEL', ARGV[2])", 0, 10_000,
          $redis->record_name('npm_among'));

    quickly { $node->ask('npm_among') =~ /\A401/ } 'the last of them';

    $node->sync;

    is($node->live, $live, 'and the feed goes on');
};


# "timeout" in redis.conf is for what is idle. A feed is not, and of a look-up's
# connection nobody will notice.

subtest 'a timeout of Redis' => sub {
    my $live = $node->live;

    $node->ask('npm_before');

    my %before = map { $_->{id} => 1 } clients($redis, 'npmtoken-lookup');

    ok(scalar(keys %before), 'there is a connection');

    redis(CONFIG => SET => 'timeout', 1);

    wait_for {
        !grep { $before{ $_->{id} } } clients($redis, 'npmtoken-lookup');
    } 'the end of it';

    redis(CONFIG => SET => 'timeout', 0);

    is($node->ask('npm_after'), '401 miss', 'there is another when needed');
    is($node->live, $live, 'the feed goes on');
};


redis(CONFIG => SET => 'client-output-buffer-limit', 'pubsub 65536 0 0');

ends_session('the limit of the output buffer',
    qr/\[error\].*: closed by redis .*npmtoken-feed/,
    sub { redis(EVAL => $many, 0, 10_000) });

like($redis->log, qr/scheduled to be closed ASAP.*output buffer/,
     'Redis says so as well');

redis(CONFIG => SET => 'client-output-buffer-limit', 'pubsub 32mb 8mb 60');


# From here on with a bound of half a second, and a feed that does not come
# back for a while.

$node->config(store => 'revocation_bound 500ms; lookup_timeout 2s;');
$node->renewed(sub { $node->reload });


subtest 'a busy script' => sub {
    $redis->put_token('npm_busy', user => 'alice');
    $node->sync;
    $node->cache('npm_busy');

    my $live = $node->live;

    redis(CONFIG => SET => 'lua-time-limit', 20);

    my $script = begin('EVAL "while true do end" 0');

    $node->wait_log(qr/redis answered "BUSY" on the feed/);

    my $result = $node->lives('npm_busy', 0.5, 'BUSY');

    is($result, '503 miss', 'then nobody can say');
    is($node->ask('npm_busy', method => 'PUT'), '503 miss', 'of a write, too');
    is($node->live, $live, 'there was no epoch');

    redis(SCRIPT => 'KILL');

    $node->wait_live($live + 1);

    wait_for { $node->ask('npm_busy') =~ /\A200/ } 'look-ups';
    $node->cache('npm_busy');

    $redis->del_token('npm_busy');

    quickly { $node->ask('npm_busy') =~ /\A401/ } 'it works again';
};


subtest 'Redis loads its data' => sub {
    redis(EVAL => $many, 0, 20_000);
    $redis->put_token('npm_loading', user => 'alice');
    $node->sync;
    $node->cache('npm_loading');

    my $live = $node->live;

    redis(CONFIG => SET => 'key-load-delay', 200);
    my $reload = begin('DEBUG RELOAD');

    wait_for {
        eval { redis('PING'); 1 } ? 0 : $@ =~ /LOADING/;
    } 'LOADING';

    $node->wait_log(qr/redis answered "LOADING"/);

    # the feed has been refused, but the last proof may be older than that

    my $result = $node->lives('npm_loading', 0.5, 'LOADING', none => 1);

    is($result, '503 miss', 'then nobody can say');

    wait_for {
        eval { redis(CONFIG => SET => 'key-load-delay', 0); 1 };
    } 'the end of it', 60;

    $node->wait_live($live + 1);
    wait_for { $node->ask('npm_loading') =~ /\A200/ } 'look-ups';
    $node->cache('npm_loading');
    $redis->del_token('npm_loading');

    quickly { $node->ask('npm_loading') =~ /\A401/ } 'it works again';
};


done_testing;
