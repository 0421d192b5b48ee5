# Redis that is not there, comes, goes, refuses, sleeps, or is the wrong one:
# a request is answered 200 or 503 and never let through, and it is asked
# again without anybody's help.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw(
    reap read_file short_key spawn temp_dir token_key wait_for write_file
);

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $tokens = 0;
my $running;


sub start {
    my ($store, @options) = @_;

    $running->finish if $running;

    $running = NpmToken::Nginx->new(
        http   => "npmtoken_store main {\n$store\n}",
        server => 'location / { npmtoken main; empty_gif; }',
        @options,
    );

    # where Redis is stopped, its socket is not there
    $running->allow_log(qr/connect\(\) to unix:\S+ failed .* redis/);

    return $running;
}


sub new_token {
    my $token = 'npm_fault' . $tokens++;

    $redis->put_token($token, user => 'alice');

    return $token;
}


sub get {
    my ($nginx, $token) = @_;

    return $nginx->get('/', Authorization => "Bearer $token");
}


sub status { return get(@_)->{status} }

sub on_socket { return 'redis unix:' . $redis->socket . ';' }

sub on_port { return 'redis redis://127.0.0.1:' . $redis->port . ';' }


subtest 'absent at the start, then there' => sub {
    for my $where (\&on_socket, \&on_port) {
        $redis->stop;

        my $nginx = start($where->());

        for (1 .. 3) {
            my $r = get($nginx, 'npm_early');

            is($r->{status}, 503, 'unavailable');
            like($r->{body}, qr/"reason":"unavailable"/, 'in JSON');
        }

        is($nginx->get('/')->{status}, 401, 'no token is a 401 even so');

        $redis->start;

        my $token = new_token();

        wait_for { status($nginx, $token) == 200 } 'the reconnect';
        pass('reconnected');
        like($nginx->error_log, qr/\[(?:error|crit)\].* redis/, 'the outage in the log');
        like($nginx->error_log, qr/\[error\].*redis is reached again, after \d+\.\d{3} s/,
             'and its end');
    }
};


subtest 'restarted under load' => sub {
    my $nginx = start(on_socket(), workers => 2);
    my $end = time + 4;
    my $restarts = 0;
    my ($token, $other) = ('npm_load', 'npm_other');

    $redis->put_token($_, user => 'alice') for $token, $other;
    is(status($nginx, $token), 200, 'connected');

    # the child is the load: its exit status says whether all was well

    pipe my $in, my $out or die;

    my $pid = fork // die;

    if ($pid == 0) {
        my %count;

        while (time < $end) {
            for my $t ($token, $other) {
                $count{ eval { status($nginx, $t) } // 'none' }++;
            }
        }

        print $out join ' ', %count;
        close $out;
        POSIX::_exit(0);
    }

    close $out;

    # the record is there again before anybody can ask: it is in the file

    $redis->command('CONFIG', 'SET', 'save', '3600 1');

    while (time < $end - 0.5) {
        $redis->command('SAVE');
        $redis->stop($restarts % 2 ? 'KILL' : 'TERM');
        sleep 0.05;
        $redis->start;
        $restarts++;
        sleep 0.3;
    }

    waitpid $pid, 0;
    my %seen = split ' ', <$in>;

    cmp_ok($restarts, '>', 3, 'it was restarted several times');
    cmp_ok($seen{200} // 0, '>', 0, 'there were good answers');
    is_deeply([ grep { !/\A(?:200|503)\z/ } sort keys %seen ], [],
              'nothing but 200 and 503: ' . join ' ', %seen);
    wait_for { status($nginx, $token) == 200 } 'an answer';
    is(scalar($nginx->worker_pids), 2, 'both workers are there');
    unlike($nginx->error_log, qr/exited on signal/, 'the first ones');

    $redis->command('CONFIG', 'SET', 'save', '');
    unlink "$redis->{dir}/dump.rdb";
};


subtest 'closes idle connections' => sub {

    # without a feed: that is not idle, and may be about to write
    my $nginx = start(on_socket() . 'push off;', level => 'info');

    is(status($nginx, new_token()), 200, 'connected');

    # "timeout" is in seconds and looked after once a second; this is the same
    $redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    $nginx->wait_log(qr/\[info\].*redis closed an idle connection/);

    is(status($nginx, new_token()), 200, 'the next look-up opens another');
    unlike($nginx->error_log, qr/\[error\]/, 'that is no error');

    $redis->command('CONFIG', 'SET', 'timeout', 1);
    $nginx->wait_log(qr/\[info\].*redis closed an idle connection/);
    $redis->disconnect;
    $redis->command('CONFIG', 'SET', 'timeout', 0);

    is(status($nginx, new_token()), 200, 'by "timeout", too');
    unlike($nginx->error_log, qr/\[error\]/, 'that is no error');
};


subtest 'sleeps in DEBUG SLEEP' => sub {
    my $nginx = start(on_socket() . 'lookup_timeout 5s;');
    my $token = new_token();

    is(status($nginx, $token), 200, 'connected');

    my $pid = fork // die;

    if ($pid == 0) {
        eval { $redis->command('DEBUG', 'SLEEP', '0.7') };
        POSIX::_exit(0);
    }

    is(status($nginx, 'npm_unheard'), 401, 'the answer is waited for');
    waitpid $pid, 0;
};


subtest 'loads its data' => sub {
    my $nginx = start(on_socket() . 'lookup_timeout 300ms;');
    my $token = new_token();

    $redis->command('DEBUG', 'POPULATE', 8000);
    $redis->command('CONFIG', 'SET', 'save', '3600 1');
    $redis->command('SAVE');
    $redis->stop;

    # 0.2 ms a key, so that LOADING lasts long enough to be seen

    my $config = $redis->{config};

    $redis->{config} = "key-load-delay 200\nloading-process-events-interval-bytes"
        . " 1024\n";

    # start() waits for PONG, which would be too late

    my $pid = start_loading();

    my $r;

    wait_for {
        $r = get($nginx, $token);
        $nginx->error_log =~ /redis answered "LOADING"/;
    } 'LOADING';

    is($r->{status}, 503, 'unavailable');

    wait_for { status($nginx, $token) == 200 } 'the end of LOADING', 30;
    pass('good again when it has loaded');

    kill 'TERM', $pid;
    wait_for { reap($pid) } 'the end of redis-server';

    $redis->{config} = $config;
    unlink "$redis->{dir}/dump.rdb";
    $redis->start;
};


sub start_loading {
    my $conf = "$redis->{dir}/conf.loading";

    unlink $redis->socket;
    write_file($conf, read_file("$redis->{dir}/conf")
               . $redis->{config});

    return spawn "$redis->{dir}/log", 'redis-server', $conf;
}


subtest 'wrong password, and then the right one' => sub {
    my $file = temp_dir() . '/password';

    $redis->command('CONFIG', 'SET', 'requirepass', 'right');
    $redis->{auth} = ['right'];

    write_file($file, "wrong\n");

    my $nginx = start(on_socket() . " redis_password_file $file;");
    my $token = new_token();

    is(status($nginx, $token), 503, 'wrong: unavailable');
    like($nginx->error_log, qr/\[error\].*redis answered "WRONGPASS"/,
         'the code of the reply in the log');
    unlike($nginx->error_log, qr/wrong/, 'and no password');

    write_file($file, "right\n");
    $nginx->reload;
    wait_for { status($nginx, $token) == 200 } 'the right password';
    pass('right after a reload');

    $nginx = start(on_socket());
    is(status($nginx, $token), 503, 'none: unavailable');
    like($nginx->error_log, qr/\[error\].*redis answered "NOAUTH"/, 'logged');

    $redis->command('CONFIG', 'SET', 'requirepass', '');
    delete $redis->{auth};
    wait_for { status($nginx, $token) == 200 } 'Redis without a password';
    pass('good when none is needed any more');
};


subtest 'may not read' => sub {
    $redis->command('ACL', 'SETUSER', 'reader', 'on', '>secret',
                    '~npmtoken:token:*', '+hgetall', '+pttl');

    my $port = $redis->port;
    my $nginx = start("redis redis://reader:secret\@127.0.0.1:$port;");
    my $token = new_token();

    is(status($nginx, $token), 200, 'HGETALL and PTTL are enough');

    $redis->command('ACL', 'SETUSER', 'reader', '-hgetall');
    is(status($nginx, new_token()), 503, 'without HGETALL: unavailable');
    like($nginx->error_log, qr/\[error\].*redis answered "NOPERM"/, 'logged');

    $redis->command('ACL', 'SETUSER', 'reader', '+hgetall', '-pttl');
    is(status($nginx, new_token()), 503, 'without PTTL: unavailable');

    $redis->command('ACL', 'SETUSER', 'reader', '+pttl');
    is(status($nginx, new_token()), 200, 'with both: good again');
};


subtest 'a record that is not a hash' => sub {
    my $nginx = start(on_socket());

    for my $type (
        [ SET => 'x' ], [ RPUSH => 'x' ], [ SADD => 'x' ], [ ZADD => 1, 'x' ],
    ) {
        my ($command, @args) = @$type;
        my $token = "npm_type_$command";

        $redis->command($command, 'npmtoken:token:' . token_key($token),
                        @args);

        my $r = get($nginx, $token);
        my $short = short_key($token);

        is($r->{status}, 403, "$command: refused");
        like($r->{body}, qr/"reason":"bad_record"/, 'as a bad record');
        like($nginx->error_log,
             qr/\[error\].*bad record of key $short, by the type/, 'logged');
    }

    is(status($nginx, new_token()), 200, 'the connection is as good as ever');
};


subtest 'a record that is too large' => sub {
    my $nginx = start(on_socket());
    my $large = 'npm_large';

    $redis->put_token($large, x_much => 'x' x 100_000);
    is(get($nginx, $large)->{status}, 403, 'in bytes: refused');

    $redis->put_token('npm_many', map { ("x_$_" => 1) } 1 .. 2000);
    is(get($nginx, 'npm_many')->{status}, 403, 'in fields: refused');

    wait_for { status($nginx, new_token()) == 200 } 'the next one';
    pass('others go on');

    $redis->put_token('npm_above', x_much => 'x' x 66_000);
    is(get($nginx, 'npm_above')->{status}, 403, 'just over the limit');

    $redis->put_token('npm_below', x_much => 'x' x 60_000);
    wait_for { status($nginx, 'npm_below') == 200 } 'the one below';
    pass('below the limit');
};


subtest 'its name in CLIENT LIST' => sub {
    my $nginx = start(on_port());

    is(status($nginx, new_token()), 200, 'connected');
    like($redis->command('CLIENT', 'LIST'), qr/\bname=npmtoken-lookup\b/,
         'is there');
};


subtest 'another database' => sub {
    my $nginx = start('redis redis://127.0.0.1:' . $redis->port . '/3;');
    my $token = new_token();

    is(status($nginx, $token), 401, 'the record is in 0');
    $redis->command('MOVE', 'npmtoken:token:' . token_key($token), 3);
    wait_for { status($nginx, $token) == 200 } 'the record in 3';
    pass('and now in 3');

    $nginx = start('redis redis://127.0.0.1:' . $redis->port . '/99;');
    is(status($nginx, $token), 503, 'one that there is not: unavailable');
};


subtest 'a replica' => sub {
    my $replica = NpmToken::Redis->new(
        config => 'replicaof 127.0.0.1 ' . $redis->port . "\n");
    my $token = new_token();

    wait_for {
        $replica->command('EXISTS', 'npmtoken:token:' . token_key($token));
    } 'the replica';

    my $nginx = start('redis unix:' . $replica->socket
                      . '; redis_replica on;');

    is(status($nginx, $token), 200, 'one that is meant is asked');
    like($nginx->error_log, qr/\[warn\].*this redis is a replica/, 'warned');
};


subtest 'no connection to spare' => sub {
    my $nginx = start(on_socket());

    $redis->command('CONFIG', 'SET', 'maxclients', 1);

    is(status($nginx, 'npm_maxclients'), 503, 'unavailable');
    $redis->command('CONFIG', 'SET', 'maxclients', 1000);
    wait_for { status($nginx, 'npm_maxclients') == 401 } 'a connection';
    pass('and then not');
};

done_testing;
