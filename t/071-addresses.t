# The address of Redis: names with a dead address, and names that a resolver
# looks up again at each reconnect.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Server;
use NpmToken::Util qw( nginx_binary temp_dir wait_for write_file );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $tokens = 0;
my $running;


sub start {
    my ($store, $http) = @_;

    $running->finish if $running;

    return $running = NpmToken::Nginx->new(
        http   => ($http // '') . "npmtoken_store main {\n$store\n}",
        server => 'location / { npmtoken main; empty_gif; }',
    );
}


sub new_token {
    my $server = shift // $redis;

    my $token = 'npm_address' . $tokens++;

    $server->put_token($token, user => 'alice');

    return $token;
}


sub status {
    my ($nginx, $token) = @_;

    return $nginx->get('/', Authorization => "Bearer $token")->{status};
}


# kills what Redis has of nginx's connections

sub cut {
    my $server = shift // $redis;

    eval { $server->command('CLIENT', 'KILL', 'TYPE', $_, 'SKIPME', 'yes') }
        for qw( pubsub normal );
}


subtest 'IPv4 and IPv6' => sub {
    my $port = $redis->port;

    for my $host ('127.0.0.1', '[::1]', 'localhost') {
        my $nginx = start("redis redis://$host:$port;");

        is(status($nginx, new_token()), 200, $host);
    }
};


# A name with two addresses stands in a file of hosts that this nginx alone
# sees, which takes root.

sub with_hosts {
    my $lines = shift;

    my $dir = temp_dir();
    my $binary = nginx_binary();

    write_file("$dir/hosts", $lines);
    write_file("$dir/nginx", <<"_EOC_");
#!/bin/sh
run='mount --bind $dir/hosts /etc/hosts && exec $binary "\$@"'
exec unshare --mount sh -c "\$run" nginx "\$@"
_EOC_
    chmod 0755, "$dir/nginx";

    return "$dir/nginx";
}


for my $alive ('127.0.0.1', '127.0.0.3') {
    subtest "a name with two addresses, of which $alive is alive" => sub {
        plan(skip_all => 'not root, or no mount namespaces')
            if system('unshare --mount true 2>/dev/null') != 0;

        # the system puts them into an order of its own: the first one is dead
        # either here or there

        local $ENV{TEST_NGINX_BINARY} =
            with_hosts("127.0.0.1 redis.test\n127.0.0.3 redis.test\n");

        my $one = NpmToken::Redis->new(config => "bind $alive\n");
        my $nginx = start('redis redis://redis.test:' . $one->port . ';');

        is(status($nginx, new_token($one)), 200, 'the living one is found');

        for (1 .. 4) {
            cut($one);
            wait_for { status($nginx, new_token($one)) == 200 } 'it again';
        }

        pass('also after connections were lost');

        $one->stop;
        is(status($nginx, 'npm_x'), 503, 'both dead: unavailable');

        $one->start;
        wait_for { status($nginx, 'npm_x') == 401 } 'it again';
        pass('found again');

        $running->finish;
        undef $running;
    };
}


subtest 'a resolver is asked, and again at each reconnect' => sub {
    my $dns = NpmToken::Server->dns;
    my $other = NpmToken::Redis->new(config => 'bind 127.0.0.2'
        . "\nport " . $redis->port . "\n");

    $dns->names('redis.test' => ['127.0.0.1']);

    my $nginx = start('redis redis://redis.test:' . $redis->port . ';',
                      'resolver 127.0.0.1:' . $dns->port . ' ipv6=off;');

    is(status($nginx, new_token()), 200, 'the first look-up');
    cmp_ok($dns->queries, '>=', 1, 'asked');

    # its record is in the other one only

    my $token = new_token($other);

    is(status($nginx, $token), 401, 'unknown to the first');

    $dns->names('redis.test' => ['127.0.0.2']);

    wait_for { cut(); status($nginx, new_token($other)) == 200 }
        'the other one';
    pass('the connection was lost, and the name leads to the other one');

    # of two addresses one is dead: sooner or later the living one is tried

    $other->stop;
    $dns->names('redis.test' => ['127.0.0.3', '127.0.0.1']);

    wait_for { status($nginx, new_token()) == 200 } 'the living one', 20;
    pass('one of two addresses is enough');
};


subtest 'all addresses of a name are tried, without a pause' => sub {
    my $dns = NpmToken::Server->dns;

    $dns->names('redis.test' => [map("127.0.0.$_", 11 .. 17), '127.0.0.1']);

    my $nginx = start('push off; cache off;'
                      . ' redis redis://redis.test:' . $redis->port . ';',
                      'resolver 127.0.0.1:' . $dns->port . ' ipv6=off;');

    my @status = map { cut(); status($nginx, new_token()) } 1 .. 10;

    is_deeply(\@status, [(200) x 10], 'seven dead ones delay no request');
};


subtest 'a name that cannot be resolved, and then can' => sub {
    my $dns = NpmToken::Server->dns;

    $dns->names;

    my $nginx = start('redis redis://redis.test:' . $redis->port . ';',
                      'resolver 127.0.0.1:' . $dns->port . ' ipv6=off;'
                      . ' resolver_timeout 1s;');
    my $token = new_token();

    is(status($nginx, $token), 503, 'unavailable');
    like($nginx->error_log,
         qr/\[error\].*redis\.test could not be resolved/, 'logged');

    $dns->names('redis.test' => ['127.0.0.1']);
    wait_for { status($nginx, $token) == 200 } 'the name', 20;
    pass('resolved');
};


subtest 'a name server that is silent' => sub {
    my $silent = NpmToken::Server->_start('udp', sub { sleep 1 while 1 });

    my $nginx = start('redis redis://redis.test:' . $redis->port . ';'
                      . ' lookup_timeout 300ms;',
                      'resolver 127.0.0.1:' . $silent->port . ' ipv6=off;'
                      . ' resolver_timeout 1s;');

    is(status($nginx, "npm_silent$_"), 503, 'unavailable') for 1 .. 3;
    ok($nginx->quit, 'nginx quits, though it is resolving');
};


subtest 'an address that never answers' => sub {

    # of a listener whose queue is full, as of a host that is away

    my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die;
    my @queue = map {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $full->sockport, Blocking => 0)
    } 1 .. 8;

    my $nginx = start('redis redis://127.0.0.1:' . $full->sockport . ';'
                      . ' connect_timeout 200ms; lookup_timeout 1s;');

    is(status($nginx, 'npm_full'), 503, 'unavailable');
    like($nginx->error_log, qr/\[error\].*redis connection failed: timed out/,
         'logged');
    ok($nginx->quit, 'nginx quits, though it is connecting');
};

done_testing;
