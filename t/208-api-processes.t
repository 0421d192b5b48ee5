# Calls in whose midst something ends: the client, the worker, the
# configuration.  A password is being looked at by a thread then, or Redis is
# asked.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Nginx qw( read_response request_text );
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

my $redis = NpmToken::Redis->new;
my $password = 'correct horse battery';
my $login = '/-/user/org.couchdb.user:alice';
my $body = '{"password":"' . secret($password) . '"}';
my $tokens = '/-/npm/v1/tokens';

sub start {
    return NpmToken::Api->new(redis => $redis, store => 'cache off;',
        api => 'npmtoken_api_attempts 0 0;', @_);
}

my $api = start();
my ($worker) = wait_for { [ $api->worker_pids ]->[0] } 'a worker';

# a hash that takes long enough for what is to happen meanwhile

my $hash = crypt($password, '$2b$11$' . 'a' x 22);

sub slow { $api->user('alice', undef, password => $hash) }

sub gone { return !-d "/proc/$_[0]" }

sub quick { $api->user('alice', $password) }

sub noted {
    my $r = shift;

    NpmToken::Api::note_secrets('', undef, undef, {}, $r) if $r;

    return $r;
}

# Redis has been asked for the account, and a thread has what it said

sub asked {
    my ($redis) = @_;

    my ($calls) = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_hgetall:calls=(\d+)/m;

    return $calls // 0;
}

sub hashing {
    my ($on, $n) = @_;

    my $before = asked($redis);
    my @connections;

    for (1 .. $n // 1) {
        push @connections, my $c = $on->connect;

        print $c request_text('PUT', $login, {}, $body);
    }

    wait_for { asked($redis) >= $before + @connections } 'the account';

    return @connections;
}


subtest 'a client that goes' => sub {
    slow();

    my $made = $api->tokens_of('alice');

    for my $how (qw( close reset )) {
        my $before = asked($redis);
        my $c = NpmToken::HTTP1->new($api->port);

        $c->request('PUT', $login, {}, $body);
        wait_for { asked($redis) > $before } 'the account';
        $c->$how;
    }

    # which HTTP/2 can do without, and the API cannot
    my %length = ('content-length' => length $body);
    my $c = NpmToken::HTTP2->new($api->{http2_port});
    my $before = asked($redis);
    my @ids = map { $c->request('PUT', $login, \%length, $body) } 1 .. 3;

    wait_for { asked($redis) >= $before + 3 } 'the account';
    $c->cancel($ids[1]);

    is(noted($c->response($ids[$_], 30))->{status}, 201,
       'HTTP/2: the stream beside one that was cancelled') for 0, 2;

    $before = asked($redis);
    $c->request('PUT', $login, \%length, $body) for 1 .. 3;
    wait_for { asked($redis) >= $before + 3 } 'the account';
    $c->close;

    # and while Redis sleeps, which then answers nobody

    quick();

    my $token = $api->login('alice', $password);

    for my $call ([ PUT => $login, $body ], [ GET => $tokens ],
                  [ POST => $tokens, $body ], [ GET => '/-/npm/v1/user' ],
                  [ DELETE => "$tokens/token/0123456789" ])
    {
        my ($method, $uri, $body) = @$call;

        $redis->pause;

        my @clients = map {
            my $c = NpmToken::HTTP1->new($api->port);

            $c->request($method, $uri, { Authorization => "Bearer $token" },
                        $body);
            $c;
        } 1 .. 4;

        my $c = NpmToken::HTTP2->new($api->{http2_port});
        my @ids = map { $c->request($method, $uri,
            { authorization => "Bearer $token", $body ? %length : () },
            $body) } 1 .. 4;

        $c->ping;
        $c->cancel($_) for @ids[0, 1];
        $c->ping;
        $clients[0]->close;
        $clients[1]->reset;
        $c->close;
        $redis->resume;

        for my $i (2, 3) {
            my $r = noted($clients[$i]->response($method, 30));

            ok($r->{status}, "$method $uri: the others are answered");
        }
    }

    wait_for { ; $api->list($token)->{status} == 200 } 'Redis';
    is(join(' ', $api->worker_pids), $worker, 'it is the same worker');
};


subtest 'reload' => sub {
    slow();

    my @connections = hashing($api, 4);

    $api->reload;

    for my $c (@connections) {
        is(noted(read_response($c, 'PUT', 60))->{status}, 201,
           'the old worker answers');

        # nginx waits for that a while
        close $c;
    }

    wait_for { gone($worker) } 'the end of the old worker', 30;
    pass('and ends');

    quick();
    ok($api->login('alice', $password), 'the new one goes on');

    # a worker with idle connections to Redis ends, too
    ($worker) = $api->worker_pids;
    $api->reload;
    wait_for { gone($worker) } 'the end of that', 30;
    pass('one that has nothing to do ends');
};


subtest 'quit' => sub {
    my $other = start();

    slow();

    my @connections = hashing($other, 2);

    $other->signal('QUIT');

    for my $c (@connections) {
        is((noted(read_response($c)) // {})->{status}, 201,
           'all are answered');
        close $c;
    }

    ok($other->quit(60), 'nginx quits');
};


subtest 'told to stop at once' => sub {
    my $other = start();

    slow();

    my $before = $api->all_of_redis;
    my @connections = hashing($other, 4);

    $other->stop;

    ok(!defined eval { read_response($_) }, 'nobody is answered')
        for @connections;
    is_deeply($api->all_of_redis, $before, 'and nothing is made');

    $other = start();
    @connections = hashing($other, 2);

    my ($worker) = $other->worker_pids;

    kill 'KILL', $worker;
    $other->allow_log(qr/exited on signal 9/);
    ok(!defined eval { read_response($_) }, 'killed: nobody is answered')
        for @connections;
    quick();
    wait_for { ; $other->call('PUT', $login, undef, $body)->{status} == 201 }
        'another worker';
    pass('another worker goes on');
};


# two workers share what is counted, and Redis the rest

subtest 'two workers' => sub {
    my $two = start(workers => 2, listen => ' reuseport');

    quick();

    my $token = $two->login('alice', $password);

    for (1 .. 40) {
        my $made = $two->create($token, password => $password);

        is($two->status_of($made), 200, 'it is good') if $_ % 10 == 0;
        $two->call('DELETE', "$tokens/token/" . token_key($made), $token);
    }

    is($two->list($token)->{status}, 200, 'listed');
};


done();
