# A connection that a balancer or NAT has forgotten without telling either end:
# it takes what is sent, and nothing ever comes back. And how soon the kernel
# is asked to notice such a thing.

use strict;
use warnings;

use Socket qw( AF_INET sockaddr_family unpack_sockaddr_in );
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Relay;
use NpmToken::Util qw( wait_for );

my $redis = NpmToken::Redis->new;
my $tokens = 0;


sub node {
    my ($port, @more) = @_;

    return NpmToken::Node->new(
        url => "redis://127.0.0.1:$port",
        @more,
    );
}

sub new_token {
    my $token = 'npm_forgotten' . $tokens++;

    $redis->put_token($token, user => 'alice');

    return $token;
}


# idle for longer than a second, and just used

for my $idle (1.2, 0) {
    for my $store ('', 'push off;') {
        my $name = ($idle ? 'an idle connection' : 'one in use')
            . ($store ? ', push off' : '');

        subtest "$name is forgotten: the request is answered, not 503" => sub {
            my $relay = NpmToken::Relay->new(to => $redis->port);
            my $node = node($relay->port, feed => !$store,
                            store => "lookup_timeout 2s; $store");

            for my $worker ($node->workers) {
                is($node->ask(new_token(), worker => $worker), '200 miss',
                   'all is well');
            }

            sleep $idle if $idle;

            $relay->forget;
            $_->{began} = time, $_->{asked} = $node->send_ask(new_token(),
                worker => $_->{worker}) for my @asked
                    = map { { worker => $_ } } $node->workers;

            for (@asked) {
                is($node->ask_result($_->{asked}), '200 miss', 'answered');

                my $ms = int(1000 * (time - $_->{began}));

                cmp_ok($ms, '<', 1900, "in time ($ms ms)");
            }

            unlike($node->error_log, qr/\[error\].*npmtoken-lookup/,
                   'that is no error');
            like($node->error_log,
                 qr/\[notice\].*did not answer for \d+ ms, the last reply came/,
                 'the log says what was done');
            ok($node->quit, 'nginx quits');
        };
    }
}


# as long as the other try is possible, there are no two of them

subtest 'a Redis that is slow, and not forgotten, is waited for' => sub {
    my $node = node($redis->port, store => 'lookup_timeout 1s;');

    for my $worker ($node->workers) {
        $node->ask(new_token(), worker => $worker);
    }

    my $token = new_token();

    $redis->pause;
    my @asked = map { $node->send_ask($token, worker => $_) } $node->workers;
    sleep 0.7;
    $redis->resume;

    is($node->ask_result($_), '200 miss', 'answered') for @asked;
    ok($node->quit, 'nginx quits');
};


# Over a line so slow that there is no time for a second connection, the first
# one has all of the time.

subtest 'a slow line is no reason to begin again' => sub {
    my $relay = NpmToken::Relay->new(to => $redis->port, delay => 0.3);
    my $node = node($relay->port, store => 'push off; lookup_timeout 1500ms;',
                    feed => 0, workers => 1);

    wait_for { $node->ask(new_token()) =~ /\A200/ } 'the connection';

    my $made = $relay->count;

    sleep 1.2;
    is($node->ask(new_token()), '200 miss', 'answered');
    is($relay->count, $made, 'on the same connection');
    ok($node->quit, 'nginx quits');
};


# The numbers are those of Linux: pidfd_open, pidfd_getfd; SOL_TCP,
# TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT

sub options {
    my ($node, $port) = @_;

    my ($worker) = $node->workers;
    my $pidfd = syscall 434, $worker + 0, 0;

    for my $fd (map { m{(\d+)\z} } glob "/proc/$worker/fd/*") {
        my $mine = syscall 438, $pidfd, $fd + 0, 0;

        return if $mine < 0;

        open my $socket, '+<&=', $mine or next;

        my $peer = getpeername $socket or next;

        next if sockaddr_family($peer) != AF_INET
            || (unpack_sockaddr_in($peer))[0] != $port;

        return join ' ', unpack('i', getsockopt $socket, 1, 9),
            map { unpack 'i', getsockopt $socket, 6, $_ } 4, 5, 6, 18;
    }

    return 'no socket';
}

for (
    [ 'the default', '', '1 15 5 3 5000' ],
    [ 'as said', 'redis_keepalive 1m; redis_user_timeout 2s;',
      '1 60 20 3 2000' ],
    [ 'seconds alone', 'redis_keepalive 1s;', '1 1 1 3 5000' ],
    [ 'off', 'redis_keepalive 0; redis_user_timeout 0;',
      qr/\A0 \d+ \d+ \d+ 0\z/ ],
) {
    my ($name, $store, $expected) = @$_;

    my $node = node($redis->port, workers => 1, feed => 0,
                    store => "push off; $store");

    $node->ask(new_token());

    my $got = options($node, $redis->port);

    SKIP: {
        skip 'this system does not let us look', 1 if !defined $got;

        like($got, ref $expected ? $expected : qr/\A\Q$expected\E\z/,
             "keep-alive and user time-out: $name");
    }

    ok($node->quit, 'nginx quits');
}


done_testing;
