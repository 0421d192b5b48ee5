# The other end is gone and nobody says so: its host is dead, a line is cut, a
# balancer has forgotten the connection. What is waited for in vain is noticed.
#
# A cut line is a network of its own, whose other side has no way back.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

BEGIN {
    # this process and nginx get a network that nobody else uses

    if (!$ENV{NPMTOKEN_NETNS} && $> == 0
        && system('unshare -n true 2>/dev/null') == 0)
    {
        $ENV{NPMTOKEN_NETNS} = 1;
        exec 'unshare', '-n', 'sh', '-c', 'ip link set lo up; exec "$0" "$@"',
            $^X, (map { "-I$_" } @INC), $0, @ARGV;
    }
}

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Relay;
use NpmToken::Util qw( spawn temp_dir wait_for );

use constant {
    HERE  => '192.0.2.1',
    THERE => '192.0.2.2',
};


# A push is lost on a connection that a balancer has forgotten. The bound may
# be long, and a change does not take that long.

subtest 'a feed that is forgotten is noticed long before a long bound'
=> sub {
    my $redis = NpmToken::Redis->new;
    my $relay = NpmToken::Relay->new(to => $redis->port);
    my $node = NpmToken::Node->new(
        redis => $redis,
        url   => 'redis://127.0.0.1:' . $relay->port,
        store => 'revocation_bound 1h;',
    );

    $redis->put_token('npm_one', user => 'alice');
    $node->sync;
    $node->cache('npm_one');

    $relay->forget;
    $redis->del_token('npm_one');

    my $start = time;

    is($node->ask('npm_one'), '200 hit', 'nobody has told of the revocation');
    wait_for { $node->ask('npm_one') =~ /\A401/ } 'the revocation', 20;
    cmp_ok(time - $start, '<', 12,
           sprintf('it is in effect after %.1f s', time - $start));
    like($node->error_log, qr/\[error\].*a PING timed out/, 'the log says why');
    ok($node->quit, 'nginx quits');
};


# returns the words that run a command on the other side of a line

sub other_side {
    my $pid = spawn temp_dir() . '/netns.log', 'unshare', '-n', 'sleep', 600;
    my @there = ('nsenter', '-t', $pid, '-n');

    wait_for {
        (readlink("/proc/$pid/ns/net") // '') ne readlink '/proc/self/ns/net';
    } 'the other network';

    for (
        "ip link add np0 type veth peer name np1 netns $pid",
        'ip addr add ' . HERE . '/24 dev np0',
        'ip link set np0 up',
        "@there ip addr add " . THERE . '/24 dev np1',
        "@there ip link set np1 up",
    ) {
        system("$_ 2>/dev/null") == 0 or return;
    }

    return @there;
}

my @there = $ENV{NPMTOKEN_NETNS} ? other_side() : ();

SKIP: {
    skip 'this system gives us no network to cut', 1 if !@there;

    my $redis = NpmToken::Redis->new(
        before => \@there,
        config => 'bind ' . THERE . "\nprotected-mode no\n",
    );

    my $cut = sub { system @there, 'ip', 'route', $_[0], 'blackhole', HERE };

    my $url = 'redis://' . THERE . ':' . $redis->port;

    subtest 'a line that is cut is noticed by the time-out of the system'
    => sub {
        my $node = NpmToken::Node->new(
            redis => $redis,
            url   => $url,
            store => 'revocation_bound 1h; redis_user_timeout 1s;'
                . ' lookup_timeout 400ms;',
        );

        $redis->put_token("npm_$_", user => 'alice') for 1 .. 3;
        $node->sync;
        $node->cache('npm_1');

        $cut->('add');

        my $start = time;

        is($node->ask('npm_2'), '503 miss', 'a look-up is not waited for');
        cmp_ok(time - $start, '<', 2, 'longer than lookup_timeout');

        my $line = $node->wait_log(
            qr/110: Connection timed out.*npmtoken-feed/);

        like($line, qr/\[error\]/, 'the feed is given up, and that is logged');
        cmp_ok(time - $start, '<', 4.5,
               sprintf('before the PING would be, after %.1f s', time - $start));
        is($node->ask('npm_1'), '200 hit', 'what is cached has its bound');

        my $live = $node->live;

        $cut->('del');
        $node->wait_live($live + 1);

        wait_for { $node->ask('npm_3') =~ /\A200/ } 'a look-up';
        $node->cache('npm_1');
        $redis->del_token('npm_1');
        quickly { $node->ask('npm_1') =~ /\A401/ } 'then all is well';
        ok($node->quit, 'nginx quits');
    };

    subtest 'the token API notices it, too' => sub {
        my $api = NpmToken::Api->new(
            redis => $redis,
            url   => $url,
            store => 'lookup_timeout 300ms;',
        );
        my $password = 'correct horse battery';

        $api->user('alice', $password);

        my $token = $api->login('alice', $password);

        $cut->('add');

        my $start = time;

        is($api->list($token)->{status}, 503, 'unavailable');
        cmp_ok(time - $start, '<', 3, 'in time');

        $cut->('del');
        wait_for { $api->list($token)->{status} == 200 } 'the API';
        pass('then it goes on');
    };
}


done_testing;
