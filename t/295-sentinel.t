# Sentinel: whom it is asked, what an answer is worth, and what is said of one
# that is none.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Node;
use NpmToken::Sentinel;
use NpmToken::Server;
use NpmToken::Util qw( free_port read_file wait_for write_file );

my $set = NpmToken::Sentinel->new(
    replicas      => 1,
    config        => "requirepass secret\nmasterauth secret\n",
    auth          => ['secret'],
    monitor       => "auth-pass secret\n",
);
my $master = $set->master;
my ($replica) = $set->replicas;
my ($sentinel) = $set->sentinels;
my $file = "$master->{dir}/password";

write_file($file, "secret\n");
$master->put_token('npm_one', user => 'alice');

wait_for {
    $replica->command(EXISTS => $replica->record_name('npm_one'));
} 'the replica';


# a node whose sentinels are at these ports

sub node {
    my ($ports, %more) = @_;

    my $store = delete $more{store} // '';

    return NpmToken::Node->new(
        redis => $master,
        url   => 'redis-sentinel://'
            . join(',', map { "127.0.0.1:$_" } @$ports) . '/main',
        store => "redis_password_file $file; connect_timeout 300ms; $store",
        %more,
    );
}

sub lines {
    my ($node, $pattern) = @_;

    return grep { /$pattern/ } split /\n/, $node->error_log;
}

sub ask_for {
    my ($node, $seconds) = @_;

    my $end = time + $seconds;
    my %results;

    while (time < $end) {
        $results{$_}++ for $node->ask_all('npm_one');
        sleep 0.01;
    }

    return \%results;
}

# one that answers this to the question; a word in it is a bulk string

sub fake {
    my ($answer) = @_;

    return NpmToken::Server->redis(sub {
        my ($client, $name, @args) = @_;

        return ref $answer ? $answer->($client) : $answer
            if $name eq 'SENTINEL';

        return "+OK\r\n" if $name =~ /\A(?:AUTH|CLIENT)\z/;

        # it tells of nothing
        return '';
    });
}

sub names {
    my ($host, $port) = @_;

    return "*2\r\n" . join '', map { NpmToken::Server::bulk($_) } $host, $port;
}


subtest 'feed, look-ups and token API are at the master' => sub {
    my $node = NpmToken::Api->new(
        redis => $master,
        url   => $set->url,
        store => "redis_password_file $file;",
    );

    my $password = 'correct horse battery';

    $node->user('alice', $password);
    ok(my $token = $node->login('alice', $password), 'a login');
    is($node->list($token)->{status}, 200, 'a list');

    my %names = map { $_ => scalar(clients($master, $_)) }
        qw( npmtoken-feed npmtoken-lookup npmtoken-api-read );

    is_deeply([grep { !$names{$_} } sort keys %names], [], 'all are there');
    is(scalar(clients($replica, $_)), 0, "no $_ is at the replica")
        for sort keys %names;
    is(scalar(clients($sentinel, 'npmtoken-sentinel')), 0,
       'no question stays open');
};


subtest 'another database' => sub {
    my $node = node([map { $_->port } $set->sentinels], feed => 0,
                    url => $set->url('/3'));

    is($node->ask('npm_one'), '401 miss', 'it is not in that');
    ok($node->quit, 'nginx quits');
};


subtest 'one sentinel that is down is passed over' => sub {
    my $node = node([free_port(), $sentinel->port]);

    $node->cache('npm_one');
    $node->ask_all('npm_one');

    my @told = lines($node, qr/\[error\].*connect\(\) failed/);

    ok(@told >= 1 && @told <= 4, scalar(@told) . ' lines say so');
    like($told[0], qr/client name: npmtoken-\w+, redis: "[^"]*", server: "127\.0\.0\.1:\d+"/,
         'with the one that is down');
    ok($node->quit, 'nginx quits');
};


# of one that is right, and of liars

my $closed = free_port();

my @useless = (
    [ 'does not know the name', "*-1\r\n",
      qr/the sentinel does not know a master "main"/ ],
    [ 'answers an error', "-ERR unknown command 'SENTINEL'\r\n",
      qr/the sentinel answered "ERR" \(unknown command\b.*\) to SENTINEL/ ],
    [ 'answers a number', ":1\r\n", qr/named no valid address/ ],
    [ 'answers no pair', "*1\r\n\$4\r\nhost\r\n", qr/named no valid address/ ],
    [ 'names no port', names('127.0.0.1', 0), qr/named no valid address/ ],
    [ 'names a port that there is not', names('127.0.0.1', 65536),
      qr/named no valid address/ ],
    [ 'names a host of odd letters', names("127.0.0.1\r\nX: y", 6379),
      qr/named no valid address/ ],
    [ 'names nobody', names('', 6379), qr/named no valid address/ ],
    [ 'says nothing', '', qr/the sentinel does not answer/ ],
    [ 'hangs up', sub { undef }, qr/redis connection failed: closed by redis/ ],
    [ 'talks without end', '*2' . "\r\n\$90000000\r\n" . 'x' x 20000,
      qr/the reply is too large|named no valid address/ ],
    [ 'names a replica', names('127.0.0.1', $replica->port),
      qr/named this server as the master, and it is a replica/ ],
    [ 'names a sentinel', names('127.0.0.1', $sentinel->port),
      qr/redis answered "ERR" \(|this server is a sentinel/ ],
    [ 'names a dead host', names('127.0.0.1', $closed),
      qr/connect\(\) failed .*, server: "127\.0\.0\.1:$closed"/ ],
    [ 'names a host without an address', names('redis.example', 6379),
      qr/"redis\.example" is not in "redis", and there is no "resolver"/ ],
);

for (@useless) {
    my ($what, $answer, $line) = @$_;

    subtest "one sentinel $what, and the next one is right" => sub {
        my $fake = fake($answer);
        my $node = node([$fake->port, $sentinel->port], workers => 1);

        $node->cache('npm_one');
        pass('there are answers');

        my @told = lines($node, $line);

        ok(scalar(@told), 'the log says what it does');
        like($told[0] // '', qr/\[error\]/, 'as an error');
        unlike($node->error_log, qr/^X: y/m, 'in words of its own');
        ok($node->quit, 'nginx quits');
    };
}


# all of them, so that nothing is right

{
    my @nodes = map {
        my ($what, $answer, $line) = @$_;

        my $fake = fake($answer);

        {
            what  => $what,
            line  => $line,
            fake  => $fake,
            node  => node([$fake->port], workers => 1, feed => 0),
        };
    } grep { $_->[0] =~ /know the name|a replica|dead host|no port/ } @useless;

    for my $it (@nodes) {
        my ($node, $what) = @$it{qw( node what )};

        subtest "no sentinel but one that $what: 503, and no storm" => sub {
            my $results = ask_for($node, 1.2);

            is_deeply([keys %$results], ['503 miss'], 'unavailable');

            # feed and look-ups tell it once, a question once a worker

            my @told = lines($node, qr/\[error\].*(?:sentinel|redis conn|connect)/);

            ok(@told >= 1 && @told <= 8, scalar(@told) . ' lines at "error"')
                or diag(join "\n", @told);

            my $attempts = lines($node, qr/client name: npmtoken/);

            cmp_ok($attempts, '<', 100, "$attempts lines at all");
            ok($node->quit, 'nginx quits');
        };
    }
}


subtest 'no sentinel is there when nginx starts, and then one is' => sub {
    my $late = ($set->sentinels)[2];

    $late->stop;

    my $node = node([free_port(), $late->port], feed => 0);
    my $results = ask_for($node, 1);

    is_deeply([keys %$results], ['503 miss'], 'unavailable');

    my @told = lines($node, qr/\[error\].*connect\(\) failed/);

    ok(@told >= 1 && @told <= 8,
       scalar(@told) . ' lines at "error" say that one cannot be reached');

    $late->start;
    $node->wait_live(1);
    $node->cache('npm_one');
    pass('nobody has to help');
    ok($node->quit, 'nginx quits');
};


subtest 'the URL of a sentinel as that of a Redis' => sub {
    my $node = NpmToken::Node->new(
        url  => 'redis://127.0.0.1:' . $sentinel->port,
        feed => 0,
    );

    is($node->ask('npm_one'), '503 miss', 'unavailable');
    like($node->error_log,
         qr/this server is a sentinel: .* begins with "redis-sentinel:/,
         'the log says what to write');
    ok($node->quit, 'nginx quits');
};


# the user of the servers

subtest 'a master that may not be asked for its role is not taken' => sub {
    $_->command(ACL => SETUSER => 'mute', 'on', '>secret', '~*', '&*', '+@all',
                '-role') for $set->servers;

    my $node = node([$sentinel->port], feed => 0, store => 'redis_user mute;');

    is($node->ask('npm_one'), '503 miss', 'unavailable');
    like($node->error_log, qr/\[error\].*redis answered "NOPERM".*give its user/,
         'the log says what it lacks');
    ok($node->quit, 'nginx quits');
};


# The line of docs/redis.md for sentinel.conf, and less. A sentinel whose
# default user needs a password refuses whoever has none.

subtest 'the rights at a sentinel that docs/redis.md names' => sub {
    my ($user) = read_file('docs/redis.md')
        =~ /^    (user npmtoken on >PASSWORD .*\+sentinel.*)$/m
        or die 'docs/redis.md has no such line';

    $user =~ s/PASSWORD/right/;

    my %users = (
        all          => $user,
        unsubscribed => $user =~ s/ \+subscribe//r,
        channelless  => $user =~ s/ &\S+//r,
        unasked      => $user =~ s/ \+sentinel\S+//r,
        pingless     => $user =~ s/ \+ping//r,
        nameless     => $user =~ s/ \+client\S+//r,
    );

    my $own = NpmToken::Sentinel->new(
        replicas      => 1,
        sentinels     => 1,
        sentinel      => "requirepass admin\n" . join('',
            map { $users{$_} =~ s/npmtoken/$_/r . "\n" } sort keys %users),
        sentinel_auth => ['admin'],
    );

    $own->master->put_token('npm_one', user => 'alice');
    write_file("$file.$_", "$_\n") for 'right', 'wrong';

    my ($server) = $own->sentinels;

    my $start = sub {
        my ($store, %more) = @_;

        return NpmToken::Node->new(
            redis   => $own->master,
            url     => $own->url,
            store   => "connect_timeout 300ms; $store",
            workers => 1,
            %more,
        );
    };
    my $as = sub {
        my ($name, %more) = @_;

        return $start->("redis_sentinel_user $name;"
            . " redis_sentinel_password_file $file.right;", %more);
    };

    for my $name ('all', 'nameless') {
        my $node = $as->($name);

        $node->cache('npm_one');
        ok(scalar(wait_for {
            $server->command(CLIENT => 'LIST') =~ / sub=1 .* user=$name\b/;
        } 'a subscription'), "$name: it is told of a new master");
        unlike($node->error_log, qr/\[(?:warn|error)\].*sentinel/,
               "$name: with no complaint");
        ok($node->quit, 'nginx quits');
    }

    for my $name ('unsubscribed', 'channelless') {
        my $node = $as->($name);

        $node->cache('npm_one');

        my $line = $node->wait_log(qr/to SUBSCRIBE/);

        like($line, qr/\[warn\].*"NOPERM".*a new master is noticed only when/,
             "$name: one may look up, and is told what is missing");

        my @told = lines($node, qr/\[(?:warn|error)\].*sentinel/);

        is(scalar(@told), 1, "$name: once");
        ok($node->quit, 'nginx quits');
    }

    {
        my $node = $as->('pingless');

        $node->cache('npm_one');
        $node->wait_log(qr/\[warn\].*"NOPERM".* to PING: a new master/);
        $node->wait_log(qr/\[info\].*"NOPERM".* to PING: .* is in 2 s/);
        is(scalar(my @told = lines($node, qr/\[warn\]/)), 1,
           'pingless: is told, too, once');
        ok($node->quit, 'nginx quits');
    }

    for (
        [ 'who may not ask', 'NOPERM', sub { $as->('unasked', feed => 0) } ],
        [ 'a wrong password', 'WRONGPASS', sub {
            $start->("redis_sentinel_password_file $file.wrong;", feed => 0);
        } ],
        [ 'no password', 'NOAUTH', sub { $start->('', feed => 0) } ],
    ) {
        my ($what, $code, $make) = @$_;
        my $node = $make->();

        is($node->ask('npm_one'), '503 miss', "$what: unavailable");

        my $line = $node->wait_log(qr/\[error\].*sentinel answered|\[error\].*redis answered/);

        like($line, qr/"$code".*npmtoken-sentinel|"$code".*npmtoken-watch/,
             'the log says it');

        my $results = ask_for($node, 0.5);

        is_deeply([keys %$results], ['503 miss'], 'and so it stays');
        ok(lines($node, qr/\[error\].*(?:redis|sentinel)/) <= 8,
           'without a line a time');
        ok($node->quit, 'nginx quits');
    }

    # and no more

    my ($run, @no) = ('', ());

    for my $command (
        [ 'SENTINEL', 'FAILOVER', 'main' ], [ 'SENTINEL', 'MASTERS' ],
        [ 'SENTINEL', 'SET', 'main', 'quorum', 1 ],
        [ 'SENTINEL', 'REMOVE', 'main' ], [ 'SENTINEL', 'RESET', '*' ],
        [ 'SENTINEL', 'CONFIG', 'GET', '*' ], [ 'PSUBSCRIBE', '*' ],
        [ 'SUBSCRIBE', '__sentinel__:hello' ], [ 'INFO' ], [ 'SHUTDOWN' ],
        [ 'ACL', 'LIST' ], [ 'CLIENT', 'LIST' ], [ 'CLIENT', 'KILL', 'x' ],
        [ 'PUBLISH', '+switch-master', 'x' ],
    ) {
        local $server->{auth} = ['all', 'right'];

        $server->disconnect;
        eval { $server->command(@$command) };
        push @no, "@$command" if $@ !~ /NOPERM/;
        $server->disconnect;
    }

    is_deeply(\@no, [], 'it may do nothing else');
};


done_testing;
