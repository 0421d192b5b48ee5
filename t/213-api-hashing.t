# Passwords are hashed beside the event loop: whatever takes its time there,
# other requests are answered; whoever goes away meanwhile; and a worker that
# is told to quit ends it first.
#
# And what the attempts that this counts are after a reload, and when many
# come at once.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( temp_dir wait_for );

plan(skip_all => 'makes no difference in this mode') if $http2;

# takes about a second, and then is another password's

use constant SLOW => '$2b$14$' . 'a' x 21 . 'u' . 'b' x 31;

use constant LOGIN => '/-/user/org.couchdb.user:';

my $redis = NpmToken::Redis->new;


sub start {
    my ($api, %options) = @_;

    my $nginx = NpmToken::Api->new(
        redis => $redis, api => $api, level => 'debug', %options);

    $redis->flush;

    return $nginx;
}


sub slow {
    my ($nginx, @names) = @_;

    $nginx->user($_, undef, password => SLOW) for @names;
}


# sends a login, whose answer is to be read later

sub send_login {
    my ($nginx, $name, $password) = @_;

    my $c = NpmToken::HTTP1->new($nginx->port);

    $c->request('PUT', LOGIN . $name, { 'Content-Type' => 'application/json' },
        "{\"name\":\"$name\",\"password\":\"@{[ secret($password) ]}\"}");

    return $c;
}


sub status {
    my ($nginx, $name, $password) = @_;

    return $nginx->call1('PUT', LOGIN . $name, undef,
        { name => $name, password => $password })->{status};
}


# how many hashes threads have begun; all there is in this nginx's pool

sub begun {
    my $nginx = shift;

    return scalar(() = $nginx->error_log =~ /run task #/g);
}

sub ended {
    my $nginx = shift;

    return scalar(() = $nginx->error_log =~ /run completion handler/g);
}

sub hashing {
    my ($nginx, $code, $number) = @_;

    my $before = begun($nginx);
    my @result = $code->();

    wait_for { begun($nginx) >= $before + ($number // 1) } 'a hash';

    return @result;
}


{
    my $nginx = start('npmtoken_api_attempts 0 0;');

    slow($nginx, 'alice');

    my ($c) = hashing($nginx, sub { send_login($nginx, 'alice', 'a-try-1') });

    my @others = map { $nginx->call1('GET', '/pkg')->{status} } 1 .. 20;

    is("@others", "@{[ (401) x 20 ]}", 'others are answered');
    is(ended($nginx), 0, '... while a password is hashed');
    ok(!$c->unread, '... which has no answer yet');
    is($c->response->{status}, 401, '... and gets it then');

    # a client that goes away gets no answer

    ($c) = hashing($nginx, sub { send_login($nginx, 'alice', 'a-try-2') });

    my $before = ended($nginx);

    $c->close;

    wait_for { ended($nginx) > $before } 'the end of a hash';

    is(status($nginx, 'nobody', 'a-try-3'), 401,
       'a hash ends though its client has gone');

    # a worker that quits

    ($c) = hashing($nginx, sub { send_login($nginx, 'alice', 'a-try-4') });

    $nginx->reload;

    is($c->response->{status}, 401, 'an old worker ends what it hashes');

    ($c) = hashing($nginx, sub { send_login($nginx, 'alice', 'a-try-5') });

    my $quits = $nginx->pid;

    $nginx->signal('QUIT');

    is($c->response->{status}, 401, '... and one that quits');
    ok($nginx->quit(20), '... and does quit');

    $nginx->start;

    ($c) = hashing($nginx, sub { send_login($nginx, 'alice', 'a-try-6') });

    # a thread that hashes cannot be stopped, and the master waits for a second

    $nginx->allow_log(qr/worker process \d+ exited on signal 9/);
    $nginx->stop;

    ok(!defined $c->response, 'one that is told to stop has no answer');

    $nginx->start;
}


# requests that end before their hash does

{
    my $nginx = start('npmtoken_api_attempts 0 0;',
                      main => 'worker_shutdown_timeout 100ms;');

    slow($nginx, 'alice');

    my @c = map {
        my $n = $_;
        hashing($nginx, sub { send_login($nginx, 'alice', "cut-off-$n") });
    } 1, 2;

    $nginx->signal('QUIT');

    ok(!defined $_->response, 'a request that is cut off') for @c;
    is(ended($nginx), 0, '... before its password is hashed');
    ok($nginx->quit(20), '... which ends, and calls nobody');
}


# ... or before the registry has said anything

{
    my $silent = IO::Socket::UNIX->new(Local => temp_dir() . '/silent',
                                       Listen => 16) or die "listen: $!";

    chmod 0777, temp_dir() . '/silent';

    my $nginx = start('npmtoken_api_attempts 2 0; npmtoken_api_login proxy;
                       location /-/user/ {
                           proxy_pass http://silent;
                       }',
        http => 'upstream silent {
                     server unix:' . temp_dir() . '/silent;
                 }');

    for my $n (1, 2) {
        my $c = send_login($nginx, 'alice', "no-answer-$n");

        my $asked = $silent->accept;

        $c->close;

        wait_for { (() = $nginx->access_log =~ / 499 /g) == $n }
            'the end of a request';
    }

    is(status($nginx, 'alice', 'no-answer-3'), 429,
       'a login counts if its client goes away');
}


# as many at once as somebody likes

{
    my $nginx = start('npmtoken_api_attempts 3 0;');

    slow($nginx, 'alice');

    my @c = map { send_login($nginx, 'alice', "at-once-$_") } 1 .. 12;
    my %got;

    $got{ $_->response->{status} }++ for @c;

    is_deeply(\%got, { 401 => 3, 429 => 9 },
              'twelve attempts at once: the three that are allowed');

    like($nginx->error_log,
         qr/\[warn\] .* npmtoken: too many failed attempts, the next one is/,
         '... and a line in the log');

    # what counts has begun, whatever becomes of it

    slow($nginx, 'bob');

    for my $n (1 .. 3) {
        my ($c) = hashing($nginx,
                          sub { send_login($nginx, 'bob', "goes-away-$n") });
        $c->close;
    }

    is(status($nginx, 'bob', 'goes-away-4'), 429,
       'an attempt counts if its client goes away');
}


# more than there are places: the others wait for theirs, up to a number

{
    my $nginx = start('npmtoken_api_attempts 0 0; '
                      . 'npmtoken_api_thread_pool one;',
                      main => 'thread_pool one threads=1;');

    slow($nginx, 'alice');
    $nginx->user('bob', 'password-of-bob');

    my ($first) = hashing($nginx,
                          sub { send_login($nginx, 'alice', 'too-many-0') });

    my @c = map { send_login($nginx, 'bob', "too-many-$_") } 1 .. 79;
    my %got;

    $got{ $_->response->{status} }++ for $first, @c;

    is_deeply(\%got, { 401 => 72, 503 => 8 },
              'of eighty at once from one address 8 are hashed and 64 wait');

    is(status($nginx, 'bob', 'password-of-bob'), 201,
       '... and others when these have ended');
}


# the window, and what survives a reload

{
    my $nginx = start('npmtoken_api_attempts 1 0 2s;
                       location /-/user/org.couchdb.user:longer {
                           npmtoken_api_attempts 1 0 1d;
                           proxy_pass http://registry;
                       }', workers => 2);

    $nginx->user('alice', 'secret-of-alice');

    # the oldest of all, and it stays: what is over is found behind it

    is(status($nginx, 'longer', 'wrong-one-0'), 401, 'a time that is longer');

    is(status($nginx, 'alice', 'wrong-one-1'), 401, 'a wrong password');

    my $r = $nginx->call1('PUT', LOGIN . 'alice', undef,
        { name => 'alice', password => 'secret-of-alice' });

    is($r->{status}, 429, '... and there is no other attempt');
    like($r->{headers}{'retry-after'}, qr/\A[12]\z/,
         '... for two seconds at most');

    wait_for { status($nginx, 'alice', 'secret-of-alice') == 201 }
        'the end of that time';

    pass('... but after that');

    is(status($nginx, 'longer', 'wrong-one-0'), 429,
       '... and not after that of another');

    $nginx->{server} =~ s/1 0 2s/1 0 1d/;
    $nginx->config;
    $nginx->reload;

    is(status($nginx, 'bob', 'wrong-one-2'), 401, 'a wrong password');
    is(status($nginx, 'bob', 'wrong-one-3'), 429, '... is one too many');

    $nginx->reload;

    is(status($nginx, 'bob', 'wrong-one-4'), 429, '... after a reload, too');
}

done();
