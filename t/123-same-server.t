# Feed and look-ups talk to one and the same server: it is that server's word
# that the feed passes on.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Server;
use NpmToken::Util qw( free_port wait_for );


# One name, two addresses, two servers, in an order that the resolver changes
# each time it is asked. They say different things, so one can see whom nginx
# has asked.

my $port = free_port();
my $dns = NpmToken::Server->dns;
my %server;

for my $address ('127.0.0.1', '127.0.0.2') {
    $server{$address} = NpmToken::Redis->new(
        port   => $port,
        config => "bind $address\n",
    );

    $server{$address}->put_token('npm_where', user => "at-$address");
}

$dns->names('redis.test' => [sort keys %server]);

my $node = NpmToken::Node->new(
    url   => "redis://redis.test:$port",
    store => 'revocation_bound 1h; lookup_timeout 5s;',
    http  => 'resolver 127.0.0.1:' . $dns->port . ' ipv6=off;',
);


# the address at which there is a feed

sub feed {
    my @at;

    wait_for {
        @at = grep {
            $server{$_}->pid && clients($server{$_}, 'npmtoken-feed');
        } sort keys %server;

        @at == 1;
    } 'one feed';

    return $at[0];
}


# where a worker's look-up goes

sub asked {
    my ($token, $worker) = @_;

    my $response = $node->ask_response(
        $node->send_ask($token, worker => $worker));

    return $response->{headers}{'x-user'} // "status $response->{status}";
}


my %seen;

for my $round (1 .. 40) {
    my $at = feed();

    for my $worker ($node->workers) {

        # of a token that is in no cache, and of one that may be

        $server{$_}->put_token("npm_$worker$round", user => "at-$_")
            for keys %server;

        is(asked($_, $worker), "at-$at", "$round: looked up at the feed's")
            for "npm_$worker$round", 'npm_where';
    }

    $seen{$at}++;

    last if $round >= 8 && keys %seen == 2;

    $node->renewed(sub {
        $server{$at}->command(CLIENT => KILL => TYPE => 'pubsub');
    });
}

is_deeply([sort keys %seen], [sort keys %server],
          'the feed has been at both of them');


# its server goes, so all go to the other; and it comes back, to nobody

{
    my $at = feed();
    my ($other) = grep { $_ ne $at } keys %server;

    $node->renewed(sub { $server{$at}->stop });

    is(feed(), $other, 'the feed goes to the other');

    for my $worker ($node->workers) {
        wait_for { asked('npm_where', $worker) eq "at-$other" } 'a look-up';
        pass('the look-ups, too');
    }

    $server{$at}->start;
    $server{$at}->put_token('npm_where', user => "at-$at");
    $server{$at}->put_token('npm_new', user => "at-$at");
    $server{$other}->put_token('npm_new', user => "at-$other");

    for my $worker ($node->workers) {
        is(asked('npm_new', $worker), "at-$other", 'and they stay there');
    }
}

# Its server takes no connection any more but has the feed still: what another
# server says is true now, but no feed would tell when it changes, so it is
# good for the bound (t/175-one-address.t).

{
    my $at = feed();
    my ($other) = grep { $_ ne $at } keys %server;
    my $live = $node->live;

    $server{$_}->put_token('npm_else', user => "at-$_") for keys %server;

    # the feed, and this test's
    $server{$at}->command(CONFIG => SET => 'maxclients', 2);
    $server{$at}->command(CLIENT => KILL => ID => $_->{id})
        for clients($server{$at}, 'npmtoken-lookup');

    my %results;

    for my $worker (($node->workers) x 4) {
        my $response = $node->ask_response(
            $node->send_ask('npm_else', worker => $worker));

        $results{"$response->{headers}{'x-user'}"
                 . " $response->{headers}{'x-cache'}"}++
            if $response->{status} == 200;
    }

    ok($results{"at-$other miss"}, 'the other one answers');
    is_deeply([grep { !/\Aat-\Q$other\E / } keys %results], [],
              'nobody else does');
    like($node->error_log, qr/\[error\].*\(max number of clients reached\)/,
         'the log has what the first one said');
    is($node->live, $live, 'the feed goes on');

    $server{$at}->command(CONFIG => SET => 'maxclients', 1000);
}

ok($node->quit, 'nginx quits');


# With one server: a look-up goes on a connection that was opened in the
# epoch, since what answered at the address before may be another server now.

subtest 'a new epoch, and new connections' => sub {
    my $redis = NpmToken::Redis->new;

    my $node = NpmToken::Node->new(
        redis => $redis,
        store => 'revocation_bound 1h;',
    );

    my $token = 0;

    for (1 .. 3) {
        $node->ask('npm_' . $token++, worker => $_) for $node->workers;

        my @before = map { $_->{id} } clients($redis, 'npmtoken-lookup');

        is(scalar(@before), 2, 'each worker has a connection');

        $node->ask('npm_' . $token++, worker => $_) for $node->workers;

        is_deeply([map { $_->{id} } clients($redis, 'npmtoken-lookup')],
                  \@before, 'and keeps it');

        my ($feed) = clients($redis, 'npmtoken-feed');

        $node->renewed(sub {
            $redis->command(CLIENT => KILL => ID => $feed->{id});
        });

        ($feed) = clients($redis, 'npmtoken-feed');

        $node->ask('npm_' . $token++, worker => $_) for $node->workers;

        my @after = clients($redis, 'npmtoken-lookup');

        is(scalar(@after), 2, 'each has a connection again');
        is(scalar(grep { $_->{id} < $feed->{id} } @after), 0,
           'opened after the feed was');
    }
};


# The look-ups' connection is greeted when an epoch begins: it is closed by
# its own answer, and opened again. The fake Redis withholds that answer until
# the feed has told of its epoch, by a PING.

subtest 'an epoch begins while a connection is greeted' => sub {
    my %held;

    my $fake = NpmToken::Server->redis(sub {
        my ($client, $name, @args) = @_;

        $client->{name} = $args[1]
            if $name eq 'CLIENT' && $args[0] eq 'SETNAME';

        my $feed = ($client->{name} // '') eq 'npmtoken-feed';

        # the feed goes on when there is somebody to hold up

        if ($name eq 'ROLE' && !$feed && !$held{done}) {
            $held{lookup} = $client->{socket};
            $held{done} = 1;

            syswrite delete $held{feed}, NpmToken::Server::greeting('ROLE')
                if $held{feed};

            return '';
        }

        if ($name eq 'ROLE' && $feed && !$held{done}) {
            $held{feed} = $client->{socket};
            return '';
        }

        if ($name eq 'PING') {
            syswrite delete $held{lookup}, NpmToken::Server::greeting('ROLE')
                if $held{lookup};

            return "*2\r\n\$4\r\npong\r\n\$" . length($args[0])
                . "\r\n$args[0]\r\n";
        }

        return ":7\r\n" if $name eq 'CLIENT' && $args[0] eq 'ID';
        return "*2\r\n\$4\r\nuser\r\n\$5\r\nalice\r\n"
            if $name eq 'HGETALL';
        return ":-1\r\n" if $name eq 'PTTL';
        return "*3\r\n\$9\r\nsubscribe\r\n\$20\r\n"
            . "__redis__:invalidate\r\n:1\r\n" if $name eq 'SUBSCRIBE';

        return NpmToken::Server::greeting($name);
    });

    my $node = NpmToken::Node->new(
        url   => 'redis://127.0.0.1:' . $fake->port,
        feed  => 0,
        store => 'revocation_bound 1h; lookup_timeout 10s;'
                 . ' connect_timeout 10s;',
    );

    is($node->ask('npm_held'), '200 miss', 'it is looked up in the end');

    $node->wait_live(1);

    is($node->cache('npm_held'), '200 hit', 'and cached');
    unlike($node->error_log, qr/exited on signal/, 'no worker has died');
    ok($node->quit, 'nginx quits');
};


done_testing;
