# Start, reload, upgrade and end of nginx, with requests that wait for Redis:
# they are answered, and neither a process nor a connection stays behind.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw(
    at_exit nginx_binary read_file reap temp_dir token_key wait_for write_file
);

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $tokens = 0;
my $running;

# masters that are nobody's children
my @masters;

at_exit { kill 'TERM', @masters };


sub store {
    my ($more, $name) = @_;

    $more //= '';
    $name //= 'main';

    return "npmtoken_store $name {\n"
        . 'redis unix:' . $redis->socket . ";\n$more\n}\n";
}


sub start {
    my %options = @_;

    $running->finish if $running;

    return $running = NpmToken::Nginx->new(
        http   => store('lookup_timeout 8s;'),
        server => 'location / { npmtoken main; empty_gif; }',
        level  => 'debug',
        %options,
    );
}


sub new_token {
    my $token = 'npm_life' . $tokens++;

    $redis->put_token($token, user => 'alice');

    return $token;
}


sub start_get {
    my ($nginx, $token) = @_;

    my $c = NpmToken::HTTP1->new($nginx->port);

    $c->request('GET', '/', { Authorization => "Bearer $token" });

    return $c;
}


sub status {
    my ($nginx, $token) = @_;

    return start_get($nginx, $token)->response->{status};
}


sub waited {
    my $nginx = shift;

    return scalar(() = $nginx->error_log =~ /npmtoken request waits/g);
}


sub clients {
    return scalar grep { /\bname=npmtoken-lookup\b/ }
        split /\n/, $redis->command('CLIENT', 'LIST');
}


sub gone { return !-d '/proc/' . shift }


# requests that wait for a paused Redis

sub waiting {
    my ($nginx, $number) = @_;

    my @tokens = map { new_token() } 1 .. $number;
    my $before = waited($nginx);

    $redis->pause;

    my @connections = map { start_get($nginx, $_) } @tokens;

    wait_for { waited($nginx) >= $before + $number } 'waiting requests';

    return @connections;
}


sub answers { return join ' ', map { $_->response->{status} } @_ }


subtest 'quit, when idle' => sub {
    my $nginx = start(workers => 2);

    is(status($nginx, new_token()), 200, 'connected');

    my $start = time;

    ok($nginx->quit, 'ends');
    cmp_ok(time - $start, '<', 3, 'at once');
    wait_for { clients() == 0 } 'the end of the connection';
    pass('its connection is closed');
    unlike($nginx->error_log, qr/open socket/, 'no socket is left');
};


subtest 'quit, with requests that wait' => sub {
    my $nginx = start();

    is(status($nginx, new_token()), 200, 'connected');

    my @connections = waiting($nginx, 10);

    $nginx->signal('QUIT');
    wait_for { $nginx->error_log =~ /gracefully shutting down/ } 'the end';
    $redis->resume;

    is(answers(@connections), join(' ', (200) x 10), 'all are answered');
    ok($nginx->quit, 'ends');
    is(clients(), 0, 'its connection is closed');
};


subtest 'quit, with requests that wait in vain' => sub {
    my $nginx = start(http => store('lookup_timeout 700ms;'));

    is(status($nginx, new_token()), 200, 'connected');

    my @connections = waiting($nginx, 3);

    $nginx->signal('QUIT');

    is(answers(@connections), '503 503 503', 'they hear so');
    ok($nginx->quit, 'ends, and Redis sleeps');
    $redis->resume;
};


subtest 'quit, while there is no Redis' => sub {
    $redis->stop;

    my $nginx = start(http => 'npmtoken_store main { redis redis://127.0.0.1:'
                      . $redis->port . '; lookup_timeout 400ms; }');

    is(status($nginx, 'npm_a'), 503, 'unavailable');

    my $start = time;

    ok($nginx->quit, 'ends');
    cmp_ok(time - $start, '<', 3, 'at once');

    # and with a request that waits for a connection

    $nginx = start(http => 'npmtoken_store main { redis redis://127.0.0.1:'
                   . $redis->port . '; lookup_timeout 1s; }');

    my $c = start_get($nginx, 'npm_a');

    wait_for { waited($nginx) == 1 } 'a waiting request';
    $nginx->signal('QUIT');
    is(answers($c), 503, 'it is answered');
    ok($nginx->quit, 'ends');

    # the same, and Redis comes in time

    $nginx = start(http => 'npmtoken_store main { redis redis://127.0.0.1:'
                   . $redis->port . '; lookup_timeout 8s; }');

    $c = start_get($nginx, 'npm_a');
    wait_for { waited($nginx) == 1 } 'a waiting request';
    $nginx->signal('QUIT');
    wait_for { $nginx->error_log =~ /gracefully shutting down/ } 'the end';
    $redis->start;
    is(answers($c), 401, 'it is answered by Redis, though nginx exits');

    my $quick = time;

    ok($nginx->quit, 'ends');
    cmp_ok(time - $quick, '<', 3, 'at once');
};


subtest 'terminate, with requests that wait' => sub {
    my $nginx = start();

    is(status($nginx, new_token()), 200, 'connected');

    my @connections = waiting($nginx, 10);
    my $start = time;

    $nginx->signal('TERM');
    wait_for { reap($nginx->pid) } 'the end';
    $redis->resume;

    cmp_ok(time - $start, '<', 4, 'at once');
    is(scalar(grep { defined $_->response } @connections), 0, 'unanswered');
    wait_for { clients() == 0 } 'the end of the connection';
    pass('its connection is closed');
};


subtest 'reload, when idle' => sub {
    my $nginx = start(workers => 2);

    wait_for { status($nginx, new_token()); clients() == 2 } 'connections';

    my @old = $nginx->worker_pids;

    $nginx->reload;
    wait_for { !grep { !gone($_) } @old } 'the end of the old workers', 5;
    pass('the old workers end');
    wait_for { clients() == 0 } 'the end of their connections';
    pass('and close their connections');
    is(status($nginx, new_token()), 200, 'the new ones serve');
};


subtest 'reload, with requests that wait' => sub {
    my $nginx = start();

    is(status($nginx, new_token()), 200, 'connected');

    my ($old) = $nginx->worker_pids;
    my @connections = waiting($nginx, 10);

    $nginx->reload;
    ok(!gone($old), 'the old worker is there');

    $redis->resume;
    is(answers(@connections), join(' ', (200) x 10), 'all are answered');

    wait_for { gone($old) } 'the end of the old worker', 5;
    pass('the old worker ends');
    is(status($nginx, new_token()), 200, 'the new one serves');
    wait_for { clients() == 1 } 'one connection';
    pass('on its own connection');
};


subtest 'an old worker that still serves may ask again' => sub {
    my $nginx = start(server => <<'_EOC_');
        location / { npmtoken main; empty_gif; }
        keepalive_timeout 60s;
        location = /slow { limit_rate 20000; root html; }
_EOC_

    mkdir $nginx->dir . '/html';
    write_file($nginx->dir . '/html/slow', 'x' x 60_000);

    is(status($nginx, new_token()), 200, 'connected');

    my ($old) = $nginx->worker_pids;

    # HTTP/1: pipelined behind a slow answer, judged after the reload

    my $c = NpmToken::HTTP1->new($nginx->port);
    my $token = new_token();

    $c->write("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        . "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n\r\n");

    wait_for { $c->unread } 'the slow answer';
    $nginx->reload;
    wait_for { clients() == 0 } 'the end of the old connection';

    is($c->response->{status}, 200, 'the slow answer');

    # with keepalive off in an exiting worker it may also be closed

    my $r = $c->response;

    ok(!defined $r || $r->{status} == 200, 'what is behind it');
    wait_for { gone($old) } 'the end of the old worker';
    pass('the old worker ends');
};


subtest 'reload with another Redis, another prefix' => sub {
    my $other = NpmToken::Redis->new;
    my $nginx = start();

    $redis->put_token('npm_here', user => 'alice');
    $other->put_token('npm_there', user => 'alice');
    $other->command('HSET', 'mine:token:'
        . token_key('npm_mine'), 'user', 'alice');

    is(status($nginx, 'npm_here'), 200, 'here');
    is(status($nginx, 'npm_there'), 401, 'not there');

    $nginx->config(http => 'npmtoken_store main { redis unix:'
                   . $other->socket . '; }');
    $nginx->reload;
    wait_for { clients() == 0 } 'the end of the old connection';

    is(status($nginx, 'npm_here'), 401, 'not here');
    is(status($nginx, 'npm_there'), 200, 'there');

    $nginx->config(http => 'npmtoken_store main { redis unix:'
                   . $other->socket . '; prefix mine:; }');
    $nginx->reload;

    is(status($nginx, 'npm_there'), 401, 'another prefix');
    is(status($nginx, 'npm_mine'), 200, 'knows others');
};


subtest 'a reload that fails changes nothing' => sub {
    my $nginx = start();

    is(status($nginx, new_token()), 200, 'connected');

    my @old = $nginx->worker_pids;

    $nginx->allow_log(qr/\[emerg\].*no "redis" in "npmtoken_store"/);
    $nginx->config(http => 'npmtoken_store main { }');
    $nginx->signal('HUP');
    $nginx->wait_log(qr/no "redis" in "npmtoken_store"/);

    is(status($nginx, new_token()), 200, 'as before');
    is_deeply([ $nginx->worker_pids ], \@old, 'by the same worker');
    $nginx->config(http => store());
};


subtest 'many reloads under load' => sub {
    my $nginx = start(workers => 2, level => 'info');
    my $token = new_token();

    is(status($nginx, $token), 200, 'connected');

    pipe my $in, my $out or die;

    my $pid = fork // die;

    if ($pid == 0) {
        my %count;
        my $stop = 0;

        $SIG{TERM} = sub { $stop = 1 };

        # a connection that an exiting worker closes before it reads is
        # nginx's own, and no answer

        while (!$stop) {
            my $status = eval {
                my $r = start_get($nginx, $token)->response;

                $r ? $r->{status} : 'closed';
            };

            $count{ $status // $@ =~ s/\s+/_/gr }++;
        }

        print $out join ' ', %count;
        close $out;
        POSIX::_exit(0);
    }

    close $out;

    for (1 .. 15) {
        $nginx->reload;
    }

    kill 'TERM', $pid;
    waitpid $pid, 0;

    my %seen = split ' ', <$in>;

    cmp_ok($seen{200} // 0, '>', 20, 'requests were answered');
    is_deeply([ grep { !/\A(?:200|closed)\z/ } sort keys %seen ], [],
              'and all of them well: ' . join ' ', %seen);

    wait_for {
        read_file("/proc/${\$nginx->pid}/task/${\$nginx->pid}/children")
            =~ /\A\d+ \d+ \z/;
    } 'the end of the old workers';
    pass('two workers are left');

    wait_for { clients() <= 2 } 'the end of their connections';
    pass('and at most two connections');
};


subtest 'worker_shutdown_timeout, with requests that wait' => sub {
    my $nginx = start(main => 'worker_shutdown_timeout 500ms;',
                      http => store('lookup_timeout 6s;'));

    is(status($nginx, new_token()), 200, 'connected');

    my ($old) = $nginx->worker_pids;
    my @connections = waiting($nginx, 5);

    $nginx->signal('HUP');
    is(scalar(grep { defined $_->response } @connections), 0,
       'they are cut off');
    wait_for { gone($old) } 'the end of the old worker';
    pass('the old worker ends');
    $redis->resume;
    is(status($nginx, new_token()), 200, 'the new one serves');
    unlike($nginx->error_log, qr/exited on signal/, 'no crash');
};


subtest 'binary upgrade' => sub {
    my $nginx = start();
    my $dir = $nginx->dir;
    my $file = "$dir/nginx.pid";

    ok($nginx->quit, 'the configuration is there');

    # nginx takes a master whose parent is the one that started it for one
    # that is being upgraded to: it has to be a daemon

    write_file("$dir/nginx.conf",
               read_file("$dir/nginx.conf") =~ s/^daemon off;//mr);

    chomp(my $binary = `which ${\nginx_binary()}`);

    is(system("$binary -e $dir/error.log -p $dir/ -c $dir/nginx.conf"
              . ' 3>&- 4>&-'), 0, 'a daemon');

    my $old = wait_for { -s $file && read_file($file) + 0 } 'the old master';

    push @masters, $old;

    wait_for { eval { status($nginx, new_token()) == 200 } } 'an answer';

    my @connections = waiting($nginx, 5);

    kill 'USR2', $old;

    my $new = wait_for { -s $file && read_file($file) != $old
                         && read_file($file) + 0 } 'the new master';

    push @masters, $new;

    wait_for { read_file("/proc/$new/task/$new/children") =~ /\d/ }
        'its worker';

    kill 'QUIT', $old;
    $redis->resume;

    is(answers(@connections), join(' ', (200) x 5), 'all are answered');

    wait_for { gone($old) } 'the end of the old master';
    is(status($nginx, new_token()), 200, 'the new one serves');
    wait_for { clients() == 1 } 'one connection';

    kill 'QUIT', $new;
    wait_for { gone($new) } 'the end of the new master';
    pass('and ends');
    wait_for { clients() == 0 } 'the end of the connection';
    pass('no connection is left');
    @masters = ();
};


subtest 'without a master' => sub {
    my $nginx = start(main => 'master_process off;');

    is(status($nginx, new_token()), 200, 'serves');

    my @connections = waiting($nginx, 3);

    $redis->resume;
    is(answers(@connections), '200 200 200', 'after a wait, too');
    ok($nginx->quit, 'ends');
    wait_for { clients() == 0 } 'the end of the connection';
    unlike($nginx->error_log, qr/open socket/, 'no socket is left');
};


subtest 'helper processes have nothing to do with Redis' => sub {
    my $dir = temp_dir();
    my $nginx = start(
        http   => store() . "proxy_cache_path $dir/cache keys_zone=c:1m;",
        server => "location / { npmtoken main; proxy_cache c; empty_gif; }",
    );

    is(status($nginx, new_token()), 200, 'serves');
    is(clients(), 1, 'one connection');

    my ($worker) = $nginx->worker_pids;
    my ($manager) = grep {
        read_file("/proc/$_/cmdline") =~ /cache manager/
    } split ' ', read_file("/proc/${\$nginx->pid}/task/${\$nginx->pid}/children");

    ok($manager, 'there is a cache manager');
    $nginx->reload;
    is(status($nginx, new_token()), 200, 'serves after a reload');
    wait_for { clients() == 1 } 'one connection';
    pass('one connection');
    ok($nginx->quit, 'ends');
};


subtest 'a worker that is killed' => sub {
    my $nginx = start();

    is(status($nginx, new_token()), 200, 'connected');

    my ($old) = $nginx->worker_pids;

    $nginx->allow_log(qr/worker process $old exited on signal 9/);
    kill 'KILL', $old;
    wait_for { my ($new) = $nginx->worker_pids; $new && $new != $old }
        'a new worker';

    is(status($nginx, new_token()), 200, 'its successor serves');
    wait_for { clients() == 1 } 'one connection';
    pass('on one connection');
};


subtest 'logs that are opened again' => sub {
    my $nginx = start(level => 'info');
    my $dir = $nginx->dir;

    is(status($nginx, new_token()), 200, 'connected');

    rename "$dir/error.log", "$dir/error.log.1";
    $nginx->signal('USR1');

    wait_for {
        status($nginx, new_token());
        $redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

        read_file("$dir/error.log") =~ /redis closed an idle connection/;
    } 'a line of ours';

    pass('ours go there as well');
};

done_testing;
