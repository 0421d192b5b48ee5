# Look-ups: one for a token however many ask, a bound on how many there are, a
# time-out, and a connection that is lost in the middle.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time );

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;

sub store {
    my ($more, $url) = @_;

    $url //= 'unix:' . $redis->socket;

    # a cached record would be no look-up
    return "npmtoken_store main {\n redis $url;\n cache off;\n $more\n}";
}

my $server = 'location / { npmtoken main; empty_gif; }';
my $tokens = 0;
my $running;


# one at a time: the one of the subtest before has ended

sub start {
    if ($running) {
        $running->finish;
    }

    $running = NpmToken::Nginx->new(server => $server, @_);

    # where Redis is stopped, its socket is not there
    $running->allow_log(qr/connect\(\) to unix:\S+ failed .* redis/);

    return $running;
}


sub new_token {
    my $token = 'npm_lookup' . $tokens++;

    $redis->put_token($token, user => 'alice');

    return $token;
}


sub start_get {
    my ($nginx, $token) = @_;

    my $c = NpmToken::HTTP1->new($nginx->port);

    $c->request('GET', '/', { Authorization => "Bearer $token" });

    return $c;
}


sub get {
    my ($nginx, $token) = @_;

    return start_get($nginx, $token)->response;
}


sub waited {
    my $nginx = shift;

    return scalar(() = $nginx->error_log =~ /npmtoken request waits/g);
}


sub commands {
    my $name = shift;

    my ($calls) = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_\Q$name\E:calls=(\d+)/m;

    return $calls // 0;
}


sub clients {
    return grep { /\bname=npmtoken-lookup\b/ }
        split /\n/, $redis->command('CLIENT', 'LIST');
}


subtest 'one look-up for a token, however many ask' => sub {
    my $nginx = start(
        http => store('lookup_timeout 8s;'),
        level => 'debug', workers => 2,
    );

    # both workers have connected before
    wait_for { get($nginx, new_token()); clients() == 2 } 'two connections';

    my $token = new_token();

    $redis->command('CONFIG', 'RESETSTAT');

    my $before = waited($nginx);

    $redis->pause;

    my @connections = map { start_get($nginx, $token) } 1 .. 200;

    wait_for { waited($nginx) >= $before + 200 } '200 waiting requests';
    $redis->resume;

    is(scalar(grep { $_->response->{status} == 200 } @connections), 200,
       'all are answered');

    my $calls = commands('hgetall');

    cmp_ok($calls, '>=', 1, 'at least one HGETALL');
    cmp_ok($calls, '<=', 2, 'at most one a worker');
};


subtest 'different tokens share the pipeline' => sub {
    my $nginx = start(
        http => store('lookup_timeout 8s; lookup_share 400;'),
        level => 'debug',
    );

    my @tokens = map { (new_token(), "npm_nobody$_") } 1 .. 200;

    $redis->pause;

    my @connections = map { start_get($nginx, $_) } @tokens;

    wait_for { waited($nginx) == 400 } '400 waiting requests';
    $redis->resume;

    is_deeply([ map { $_->response->{status} } @connections ],
              [ (200, 401) x 200 ], 'each has its own answer');
    is(scalar(clients()), 1, 'on one connection');
};


subtest 'lookup_queue: one too many is refused at once' => sub {
    my $nginx = start(
        http => store('lookup_timeout 8s; lookup_queue 2; lookup_share 2;'),
        level => 'debug',
    );

    my $token = new_token();

    $redis->pause;

    my @connections = map { start_get($nginx, $_) } $token, $token, 'npm_x';

    wait_for { waited($nginx) == 3 } 'waiting requests';

    for ('npm_y', 'npm_z') {
        my $r = get($nginx, $_);

        is($r->{status}, 503, 'refused');
        like($r->{body}, qr/"reason":"unavailable"/, 'as unavailable');
    }

    like($nginx->error_log, qr/\[warn\].*"lookup_queue" is full/, 'logged');
    $redis->resume;

    is_deeply([ map { $_->response->{status} } @connections ],
              [ 200, 200, 401 ], 'the others wait and are answered');
    is(get($nginx, new_token())->{status}, 200, 'and there is room again');
};


subtest 'lookup_timeout' => sub {
    my $nginx = start(
        http => store('lookup_timeout 600ms;'),
        level => 'debug',
    );

    is(get($nginx, new_token())->{status}, 200, 'connected');

    my $token = new_token();

    $redis->pause;

    my $start = time;
    my $r = get($nginx, $token);
    my $took = time - $start;

    $redis->resume;

    is($r->{status}, 503, 'in vain');
    is($r->{headers}{'retry-after'}, 1, 'Retry-After');
    cmp_ok($took, '>', 0.5, 'not before its time');
    cmp_ok($took, '<', 5, 'nor long after');

    like($nginx->error_log, qr/\[error\].*a look-up timed out/, 'logged');

    wait_for { get($nginx, $token)->{status} == 200 } 'the answer';
    pass('Redis is asked again when it goes on');
    like($nginx->error_log, qr/\[error\].*redis is reached again/, 'logged');
};


subtest 'a late reply is nobody else\'s' => sub {
    my $nginx = start(
        http => store('lookup_timeout 300ms;'),
    );

    my $known = new_token();

    for my $round (1 .. 5) {
        $redis->pause;
        is(get($nginx, "npm_later$round")->{status}, 503, 'timed out');
        $redis->resume;

        wait_for { get($nginx, $known)->{status} == 200 } 'an answer';
        is(get($nginx, "npm_nobody$round")->{status}, 401, 'unknown stays so');
    }
};


subtest 'waiting requests survive one lost connection' => sub {
    my $nginx = start(
        http => store('lookup_timeout 8s;'),
        level => 'debug',
    );

    is(get($nginx, new_token())->{status}, 200, 'connected');

    my @tokens = map { new_token() } 1 .. 20;
    my ($id) = map { /\bid=(\d+)/ } clients();

    # it sleeps, the look-ups come, and before them in its queue is the order
    # to kill their connection

    $redis->pause;

    my $pid = fork // die;

    if ($pid == 0) {
        eval { $redis->command('CLIENT', 'KILL', 'ID', $id) };
        POSIX::_exit(0);
    }

    my @connections = map { start_get($nginx, $_) } @tokens, 'npm_nobody';

    wait_for { waited($nginx) >= 21 } 'waiting requests';
    $redis->resume;
    waitpid $pid, 0;

    is_deeply([ map { $_->response->{status} } @connections ],
              [ (200) x 20, 401 ], 'answered after the reconnect');

    my ($new) = map { /\bid=(\d+)/ } clients();

    isnt($new, $id, 'there was one');
};


subtest 'and a Redis that is restarted while they wait' => sub {
    my $nginx = start(
        http => store('lookup_timeout 8s;'),
        level => 'debug',
    );

    is(get($nginx, new_token())->{status}, 200, 'connected');

    my $token = new_token();

    $redis->pause;

    my @connections = map { start_get($nginx, $token) } 1 .. 10;

    wait_for { waited($nginx) >= 11 } 'waiting requests';

    $redis->stop('KILL');
    $redis->start;

    is_deeply([ map { $_->response->{status} } @connections ],
              [ (401) x 10 ], 'by the new one, which is empty');
};


subtest 'while a Redis sleeps, those who come do not outwait their time' =>
    sub {
    my $nginx = start(
        http => store('lookup_timeout 400ms; connect_timeout 300ms;'),
       
    );

    is(get($nginx, new_token())->{status}, 200, 'connected');

    $redis->pause;

    my (@status, $slowest);
    my $end = time + 2;

    for (my $i = 0; time < $end; $i++) {
        my $start = time;

        push @status, get($nginx, "npm_sleepy$i")->{status};

        my $took = time - $start;

        $slowest = $took if !defined $slowest || $took > $slowest;
    }

    $redis->resume;

    is(scalar(grep { $_ != 503 } @status), 0, 'only 503');
    cmp_ok($slowest, '<', 4, 'each in time');
    wait_for { get($nginx, 'npm_sleepy')->{status} == 401 } 'Redis';
    pass('and Redis is asked again');
};


done_testing;
