# Clients that go away while their request waits leave nothing behind, however
# they go and however many they are.
#
# Both protocols are spoken here by clients of our own, so there is nothing
# for the HTTP/2 run to add.

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

use constant QUEUE => 20;

my $redis = NpmToken::Redis->new;
my $http2 = free_port();

my $nginx = NpmToken::Nginx->new(
    level => 'debug',
    http  => <<"_EOC_",
    npmtoken_store main {
        redis unix:${\$redis->socket};
        lookup_timeout 8s;
        lookup_queue ${\QUEUE};
        lookup_share ${\QUEUE};
    }
_EOC_
    server => <<"_EOC_",
        listen 127.0.0.1:$http2 http2;

        location / {
            npmtoken main;
            empty_gif;
        }
_EOC_
);

my $tokens = 0;


sub new_token {
    my $token = 'npm_abort' . $tokens++;

    $redis->put_token($token, user => 'alice');

    return $token;
}


sub bearer { return { Authorization => 'Bearer ' . shift } }

sub waited {
    return scalar(() = $nginx->error_log =~ /npmtoken request waits/g);
}


sub logged {
    my $status = shift;

    return scalar(() = $nginx->access_log =~ /" $status /g);
}


# Runs code, which gets NUMBER tokens, sees that so many requests wait, runs
# what is to happen to them, and lets Redis go on

sub while_waiting {
    my ($number, $begin, $then) = @_;

    my @tokens = map { new_token() } 1 .. $number;
    my $before = waited();

    $redis->pause;

    my $ok = eval {
        my @made = $begin->(@tokens);

        wait_for { waited() >= $before + $number } 'waiting requests';
        $then->(@made);
        1;
    };

    my $error = $@;

    $redis->resume;
    die $error if !$ok;
}


# As many as may wait can wait, and are answered: nobody who has gone is still
# counted

sub all_is_well {
    my $name = shift;

    subtest "$name: nothing is left" => sub {
        my @connections;

        while_waiting(QUEUE, sub {
            for (@_) {
                push @connections, NpmToken::HTTP1->new($nginx->port);
                $connections[-1]->request('GET', '/', bearer($_));
            }
        }, sub {
            my $c = NpmToken::HTTP1->new($nginx->port);

            $c->request('GET', '/', bearer('npm_one_too_many'));
            is($c->response->{status}, 503, 'the queue is as long as it was');
        });

        is_deeply([ map { $_->response->{status} } @connections ],
                  [ (200) x QUEUE ], 'and all are answered');
    };
}


sub start_http1 {
    return map {
        my $c = NpmToken::HTTP1->new($nginx->port);

        $c->request('GET', '/', bearer($_));
        $c;
    } @_;
}


all_is_well('at first');

for my $how (qw( close reset )) {
    my $before = logged(499);

    while_waiting(QUEUE, \&start_http1, sub {
        $_->$how for @_;

        wait_for { logged(499) == $before + QUEUE } 'QUEUE times 499';
        pass("HTTP/1 $how: 499, at once");
    });

    all_is_well("HTTP/1 $how");
}


# Poll shows no end of file behind data, and none is read before the verdict:
# it is noticed then at the latest.

for my $body (1, 100_000) {
    my $before = logged('\d+');

    while_waiting(1, sub {
        my $c = NpmToken::HTTP1->new($nginx->port);

        $c->request('PUT', '/', bearer(@_), 'x' x $body);

        return $c;
    }, sub { $_[0]->close });

    wait_for { logged('\d+') > $before } 'the end of the PUT';
    pass("HTTP/1 close with a body of $body bytes");
}

all_is_well('with a body');


{
    my $before = logged(499);

    while_waiting(QUEUE, sub {
        my $c = NpmToken::HTTP2->new($http2);

        return ($c, map { $c->request('GET', '/', bearer($_)) } @_);
    }, sub {
        my ($c, @ids) = @_;

        $c->cancel($_) for @ids;
        $c->ping;

        wait_for { logged(499) == $before + QUEUE } 'QUEUE times 499';
        pass('HTTP/2 RST_STREAM: 499, at once');
    });

    all_is_well('HTTP/2 RST_STREAM');
}


{
    my $before = logged(499);
    my ($c, @ids);

    while_waiting(QUEUE, sub {
        $c = NpmToken::HTTP2->new($http2);
        @ids = map { $c->request('GET', '/', bearer($_)) } @_;
    }, sub {
        $c->cancel($ids[$_]) for grep { $_ % 2 } 0 .. QUEUE - 1;
        $c->ping;
    });

    is_deeply([ map { $c->response($ids[$_])->{status} }
                grep { $_ % 2 == 0 } 0 .. QUEUE - 1 ],
              [ (200) x (QUEUE / 2) ],
              'HTTP/2: the streams between cancelled ones are answered');
    is(logged(499), $before + QUEUE / 2, 'and the others logged');

    $ids[0] = $c->request('GET', '/', bearer(new_token()));
    is($c->response($ids[0])->{status}, 200, 'the connection goes on');
}


{
    my $before = logged(499);

    while_waiting(QUEUE, sub {
        my $c = NpmToken::HTTP2->new($http2);

        $c->request('GET', '/', bearer($_)) for @_;

        return $c;
    }, sub {
        $_[0]->close;

        wait_for { logged(499) == $before + QUEUE } 'QUEUE times 499';
        pass('HTTP/2 close of the connection: 499, at once');
    });

    all_is_well('HTTP/2 close');
}


# all streams wait for one look-up: what wakes one may end the others

{
    my $token = new_token();
    my @clients;
    my $before = waited();

    $redis->pause;

    for (1 .. 3) {
        push @clients, my $c = NpmToken::HTTP2->new($http2);

        $c->request('GET', '/', bearer($token)) for 1 .. 5;
    }

    wait_for { waited() >= $before + 15 } 'waiting requests';
    $clients[1]->close;
    $redis->resume;

    is_deeply([ map { my $c = $_; map { $c->response($_)->{status} }
                                  (1, 3, 5, 7, 9) } @clients[0, 2] ],
              [ (200) x 10 ], 'HTTP/2, one token: the other connections');

    all_is_well('HTTP/2, one token');
}


# the answer comes when the client has gone, but nginx has not seen it yet

for my $protocol (1, 2) {
    my $before = waited();
    my @tokens = map { new_token() } 1 .. QUEUE;

    $redis->pause;

    my $c = $protocol == 2 && NpmToken::HTTP2->new($http2);
    my @connections = $c
        ? (map { $c->request('GET', '/', bearer($_)); () } @tokens)
        : start_http1(@tokens);

    wait_for { waited() >= $before + QUEUE } 'waiting requests';

    my ($worker) = $nginx->worker_pids;

    kill 'STOP', $worker;

    $redis->resume;
    $redis->command('PING');
    $_->reset for @connections;
    $c->close if $c;

    kill 'CONT', $worker;

    all_is_well("HTTP/$protocol, gone at the same time");
}


# many aborts while Redis sleeps: more than may wait, one after another

{
    my $before = logged('(?:499|503)');

    $redis->pause;

    for my $round (1 .. 10) {
        my @connections = start_http1(map { "npm_gone$round.$_" } 1 .. QUEUE);
        my $c = NpmToken::HTTP2->new($http2);

        $c->request('GET', '/', bearer("npm_gone$round.$_.2"))
            for 1 .. QUEUE;
        $c->ping;

        $_->reset for @connections;
        $c->close;
    }

    wait_for { logged('(?:499|503)') >= $before + 10 * 2 * QUEUE } 'aborts';
    $redis->resume;

    pass('many aborts');
    all_is_well('many aborts');
}


# idle connections of clients and the end: nothing holds nginx up

ok($nginx->quit, 'nginx quits');

done_testing;
