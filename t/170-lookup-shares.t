# Shares in the look-ups of a worker: what strangers can use up is not what
# others need, and who waits for one look-up is not counted.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( free_port wait_for );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

use constant { QUEUE => 40, SHARE => 10 };

my $redis = NpmToken::Redis->new;
my $http2 = free_port();
my $made = 0;

my $nginx = NpmToken::Nginx->new(
    level => 'debug',
    http  => <<"_EOC_",
    npmtoken_store main {
        redis unix:${\$redis->socket};
        lookup_timeout 8s;
        lookup_queue ${\QUEUE};
    }

    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    http2_max_concurrent_streams 1000;
_EOC_
    server => <<"_EOC_",
        listen 127.0.0.1:$http2 http2;

        location / {
            npmtoken main;
            empty_gif;
        }
_EOC_
);


sub new_token {
    my $token = 'npm_share' . $made++;

    $redis->put_token($token, user => 'alice');

    return $token;
}

sub headers {
    my ($token, $address) = @_;

    return { 'authorization' => "Bearer $token", 'x-real-ip' => $address };
}

sub start_get {
    my ($token, $address, $method) = @_;

    my $c = NpmToken::HTTP1->new($nginx->port);

    $c->request($method // 'GET', '/', headers($token, $address));

    return $c;
}

sub get { return start_get(@_)->response->{status} }

sub waited {
    return scalar(() = $nginx->error_log =~ /npmtoken request waits/g);
}

sub refused {
    return scalar(() = $nginx->access_log =~ /" 503 /g);
}

sub lines {
    my $what = shift;

    return grep { /\[warn\].*\Q$what\E.* is full/ }
        split /\n/, $nginx->error_log;
}


# Tokens that nobody has, on one connection: NUMBER, of which WAITING wait. The
# address may differ from one to the next.

sub flood {
    my ($number, $waiting, @addresses) = @_;

    my $c = NpmToken::HTTP2->new($http2);
    my ($before, $before_refused) = (waited(), refused());

    for my $i (1 .. $number) {
        my $address = $addresses[$i % @addresses];

        push @{ $c->{ids} },
            $c->request('GET', '/', headers('npm_guess' . $made++, $address));
    }

    $c->ping;

    wait_for { refused() - $before_refused + waited() - $before == $number }
        'all have been looked at';

    is(waited() - $before, $waiting, "$waiting of $number wait");

    return $c;
}


# what BODY starts while Redis sleeps is answered as it should be when it goes on

sub while_asleep (&) {
    my $body = shift;

    # the connection is there, and nothing is under way on it
    is(get(new_token(), '198.51.100.1'), 200, 'all is well');

    $redis->pause;

    my @waiting = eval { $body->() };
    my $error = $@;

    $redis->resume;
    die $error if $error;

    while (my ($c, $expected) = splice @waiting, 0, 2) {
        my @status = map { $_->{status} } $c->{ids}
            ? (map { $c->response($_) } @{ $c->{ids} }) : $c->response;
        my %seen;

        $seen{$_}++ for @status;

        is_deeply(\%seen, $expected, 'answered');
    }
}


# one request that waits, and is allowed then

sub waits {
    my ($name, @what) = @_;

    my $before = waited();
    my $c = start_get(@what);

    ok(eval { wait_for { waited() == $before + 1 } $name; 1 }, "$name waits");

    return ($c, { 200 => 1 });
}


# One that the cache has had: it was changed since, so that is not current. A
# worker that answers so has heard of it.

sub stale_token {
    my $token = new_token();

    is(get($token, '198.51.100.1'), 200, 'cached');
    $redis->put_token($token, user => 'alice', readonly => 'true');
    wait_for { start_get($token, '198.51.100.1', 'PUT')->response->{status}
               == 403 } 'the change';

    $redis->put_token($token, user => 'alice', x_note => 'changed');

    return $token;
}


my ($good, $stale) = (new_token(), stale_token());

subtest 'random tokens of one address fill no more than its share' => sub {
    while_asleep {
        my $c = flood(3 * QUEUE, SHARE, '192.0.2.1');

        return (
            $c, { 401 => SHARE, 503 => 3 * QUEUE - SHARE },
            waits('a good token of another address', $good, '192.0.2.2'),
            waits('one of the same address that the cache has had', $stale,
                  '192.0.2.1'),
        );
    };

    is(get(new_token(), '192.0.2.1'), 200, 'and there is room again');

    my @lines = lines('"lookup_share"');

    is(scalar @lines, 1, 'one line for all that were refused');
    like($lines[0], qr/ of the address ::ffff:192\.0\.2\.1 is full, 10 /,
         'which names the address');
};


subtest 'an IPv6 network of 64 bits is one address' => sub {
    my $token = new_token();

    while_asleep {
        my $c = flood(2 * SHARE, SHARE,
                      map { "2001:db8:0:1:$_" . '::1' } 1 .. 16);

        return (
            $c, { 401 => SHARE, 503 => SHARE },
            waits('one of the next network', $token, '2001:db8:0:2::1'),
        );
    };
};


subtest 'an IPv4 address is one, however it is written' => sub {
    while_asleep {
        my $c = flood(2 * SHARE, SHARE, '192.0.2.3', '::ffff:192.0.2.3');

        return ($c, { 401 => SHARE, 503 => SHARE });
    };
};


subtest 'strangers of many addresses fill the queue, but not that of tokens '
    . 'that the cache has had' => sub {
    my $token = stale_token();

    while_asleep {
        my $c = flood(2 * QUEUE, QUEUE, map { "203.0.113.$_" } 1 .. 8);

        is(get($good . 'x', '192.0.2.2'), 503, 'a token never seen: refused');

        return (
            $c, { 401 => QUEUE, 503 => QUEUE },
            waits('one that the cache has had', $token, '192.0.2.2'),
        );
    };

    is(scalar lines('"lookup_queue"'), 1, 'one line for all of them');
};


subtest 'who waits for a look-up is not counted' => sub {
    my $token = new_token();
    my $other = new_token();

    while_asleep {
        my $before = waited();
        my $c = NpmToken::HTTP2->new($http2);

        push @{ $c->{ids} },
            $c->request('GET', '/', headers($token, '192.0.2.4'))
            for 1 .. 10 * QUEUE;

        wait_for { waited() == $before + 10 * QUEUE } 'all wait';

        return (
            $c, { 200 => 10 * QUEUE },
            waits('one for another token', $other, '192.0.2.4'),
        );
    };
};


subtest 'a request that goes leaves its look-up counted' => sub {
    while_asleep {
        my $before = waited();
        my $c = NpmToken::HTTP2->new($http2);

        for (1 .. SHARE) {
            my $headers = headers('npm_guess' . $made++, '192.0.2.5');

            $c->cancel($c->request('GET', '/', $headers));
        }

        $c->ping;
        is(waited() - $before, SHARE, 'they waited');

        is(get('npm_guess' . $made++, '192.0.2.5'), 503, 'one more');

        return;
    };
};


subtest 'what was refused without a line is told with the next one' => sub {
    my $line = wait_for {
        while_asleep {
            my $c = flood(2 * SHARE, SHARE, '192.0.2.6');

            return ($c, { 401 => SHARE, 503 => SHARE });
        };

        return (lines('"lookup_share"'))[1];
    } 'the next line';

    my ($n) = $line =~ /one more is refused, (\d+) of any address/;

    cmp_ok($n, '>=', 3 * QUEUE - SHARE - 1, "$n others were refused");
};


ok($nginx->quit, 'nginx quits');

done_testing;
