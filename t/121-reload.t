# What a reload keeps of a store's cache, and what it must not.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time );

use lib 't/lib';
use NpmToken::Nginx qw( read_response );
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

my $redis = NpmToken::Redis->new;
my $other = NpmToken::Redis->new;
my $kept = 'revocation_bound 1h; cache_ttl 1h;';

# Without push there is no feed whose new session would make everything a
# miss, so a hit tells that the zone is the same one.

my $pushless = "$kept push off;";

my $node = NpmToken::Node->new(redis => $redis, store => $kept);

my $first = $node->{url};


# the epoch in the shared zone, by the last session

sub epoch {
    my ($epoch) = $node->error_log =~ /.*: the feed is live, epoch (\d+)/s;

    return $epoch;
}


# Requests of which the workers of now have read half of the head, and which
# they are to judge when another configuration is there.

sub half {
    my @half = map {
        my $connection = $node->connect;

        print $connection "GET /pkg HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\n";

        $connection;
    } 1 .. 8;

    # what came later has been answered
    $node->ask_all('npm_none');

    return @half;
}


# the rest of the head, and the answers of old workers

sub rest {
    my ($token, @half) = @_;

    my %new = map { $_ => 1 } $node->workers;
    my @results;

    for my $connection (@half) {
        print $connection "Authorization: Bearer $token\r\n\r\n";

        my $response = read_response($connection, 'GET') // next;

        push @results, $response->{status}
            if !$new{ $response->{headers}{'x-pid'} };
    }

    return @results;
}


subtest 'an unchanged store keeps its zone' => sub {
    $redis->put_token('npm_full', user => 'alice');
    $node->sync;
    $node->cache($_) for qw( npm_full npm_none );

    for my $epoch (2, 3) {
        $node->renewed(sub { $node->reload });

        is(epoch(), $epoch, 'the epochs go on');
    }

    # the session is a new one, and the rest is looked up again

    wait_for { $node->ask('npm_full') eq '200 hit' };
    pass('it is cached');

    $redis->del_token('npm_full');

    quickly { $node->ask('npm_full') =~ /\A401/ } 'and revoked';
};


subtest 'other directives' => sub {
    # a bound, a time, comments, another server
    $node->config(
        store => "$kept negative_ttl 1h; lookup_timeout 1s; # and so on",
        more  => 'location /new { return 204; }',
    );
    $node->renewed(sub { $node->reload });

    is(epoch(), 4, 'the zone is the same');
};


subtest 'without push' => sub {
    $redis->put_token('npm_full', user => 'alice');
    $node->config(store => $pushless);
    $node->reload;

    wait_for { !clients($redis, 'npmtoken-feed') } 'no feed';
    $node->cache($_) for qw( npm_full npm_none );

    $node->reload;

    my $before = calls($redis, 'hgetall');

    is_deeply([map { $node->ask_all($_) } qw( npm_full npm_none )],
              ['200 hit', '200 hit', '401 hit', '401 hit'],
              'each entry is still there');

    is(calls($redis, 'hgetall'), $before, 'Redis is not asked');

    # off and on again by reload: it is the same zone

    $node->config(store => 'cache off;');
    $node->reload;
    is($node->ask('npm_full'), '200 off', 'no cache');

    $node->config(store => $pushless);
    $node->reload;
    is($node->ask('npm_full'), '200 miss', 'a fresh one');
};


# Old workers go on with the zone and the Redis that they have.

my @changes = (
    [ 'another size',   store => "$pushless cache 1m;" ],
    [ 'another db',     url   => "$first:1" ],
    [ 'another prefix', store => "$pushless prefix else:;" ],
    [ 'another Redis',  url   => 'unix:' . $other->socket ],
    [ 'another URL of the same Redis',
                        url   => 'redis://127.0.0.1:' . $redis->port ],
);

$redis->put_token('npm_old', user => 'alice');

for (@changes) {
    my ($what, $name, $value) = @$_;

    subtest $what => sub {
        $node->config(store => $pushless, url => $first);
        $node->reload;
        $node->cache($_) for qw( npm_old npm_gone );

        my @half = half();
        my %old = map { $_ => 1 } $node->workers;

        $node->config($name => $value);
        $node->reload;

        my $same = $what =~ /size|URL/;
        my $status = $same ? 200 : 401;

        is($node->ask('npm_old'), "$status miss", 'a fresh zone');
        $node->cache('npm_old');
        is_deeply([$node->ask_all('npm_old')],
                  ["$status hit", "$status hit"], 'that works');

        my @results = rest('npm_old', @half);

        ok(scalar(@results), 'an old worker was asked');
        is(scalar(grep { $_ != 200 } @results), 0, 'it has its own');

        wait_for { !grep { -d "/proc/$_" } keys %old }
            'the end of the old workers';

        is($node->ask('npm_old'), "$status hit", 'that changes nothing');
    };
}


# An old worker whose Redis nobody feeds from any more is left with the bound.

subtest 'the feed of a store that is gone' => sub {
    $node->config(store => 'revocation_bound 200ms;', url => $first);
    $node->renewed(sub { $node->reload });

    $redis->put_token('npm_moved', user => 'alice');
    $node->sync;
    $node->cache('npm_moved');

    my @half = half();

    $other->flush;
    $node->config(url => 'unix:' . $other->socket);
    $node->renewed(sub { $node->reload });

    is(epoch(), 1, 'a fresh zone');
    wait_for { clients($redis, 'npmtoken-feed') == 0 } 'no feed of the old';
    is(scalar(clients($other, 'npmtoken-feed')), 1, 'there is one feed');

    $redis->del_token('npm_moved');

    my $deleted = time;

    wait_for { time > $deleted + 0.2 } 'the bound';

    my @results = rest('npm_moved', @half);

    ok(scalar(@results), 'an old worker was asked');
    is(scalar(grep { $_ != 401 } @results), 0, 'it enforces');

    $other->put_token('npm_moved', user => 'bob');

    quickly { $node->ask('npm_moved') =~ /\A200/ } 'the new ones, too';
};


subtest 'a configuration that is refused changes nothing' => sub {
    $node->config(store => $kept, url => $first);
    $node->renewed(sub { $node->reload });

    my $live = $node->live;
    my $epoch = epoch();
    my %old = map { $_ => 1 } $node->workers;

    $redis->put_token('npm_still', user => 'alice');
    $node->sync;
    $node->cache('npm_still');

    $node->config(store => 'cache 1k;');
    $node->signal('HUP');
    $node->wait_log(qr/invalid value "1k" in "cache"/);

    is_deeply([$node->ask_all('npm_still')], ['200 hit', '200 hit'], 'hits');
    is($node->live, $live, 'the session goes on');
    is_deeply([$node->workers], [sort { $a <=> $b } keys %old],
              'the workers, too');

    $node->allow_log(qr/invalid value "1k" in "cache"/);
    $node->config(store => $kept);
};


done_testing;
