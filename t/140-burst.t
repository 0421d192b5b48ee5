# 100,000 revocations at once: the feed keeps up with them, none is lost, and
# what it costs the tokens that share a counter with one of them is printed.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw( time );

use lib 't/lib';
use NpmToken::Nginx qw( request_text );
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

my $revocations = 100_000;
my $cached = 2_000;

my $redis = NpmToken::Redis->new;

# Of those which are revoked, some are in the cache; so are some which are not

my @revoked = map { "npm_revoked$_" } 1 .. $cached;
my @others  = map { "npm_other$_" } 1 .. $revocations - $cached;
my @good    = map { "npm_good$_" } 1 .. $cached;

my %name = map { $_ => 'npmtoken:token:' . token_key($_) }
    @revoked, @others, @good;


# commands that answer with an integer, in a pipeline

sub pipeline {
    my @commands = @_;

    my $connection = IO::Socket::UNIX->new(Peer => $redis->socket)
        or die "cannot connect: $!";

    while (my @some = splice @commands, 0, 1000) {
        my $text = '';

        for my $command (@some) {
            $text .= '*' . @$command . "\r\n";
            $text .= '$' . length . "\r\n$_\r\n" for @$command;
        }

        print $connection $text;
        $connection->flush;

        for (@some) {
            my $reply = <$connection>;

            die "unexpected reply: $reply" if $reply !~ /\A:\d/;
        }
    }
}


# Asks with each token, in a pipeline; how many of each result there were.

sub ask_many {
    my ($node, @tokens) = @_;

    my $connection = $node->connect;
    my $data = '';
    my %results;

    while (my @some = splice @tokens, 0, 50) {
        print $connection join '', map {
            request_text('GET', '/pkg', { Connection => 'keep-alive',
                                          Authorization => "Bearer $_" });
        } @some;

        my $left = @some;

        while ($left) {
            while ($data =~ m{\AHTTP/1\.1\ (\d+).*?\r\n
                              Content-Length:\ (\d+)\r\n
                              .*?X-Cache:\ (\w+)\r\n.*?\r\n\r\n}xs
                   && length $data >= $+[0] + $2)
            {
                $results{"$1 $3"}++;
                substr($data, 0, $+[0] + $2) = '';
                $left--;
            }

            sysread $connection, $data, 65536, length $data
                or die 'nginx closed the connection' if $left;
        }
    }

    return \%results;
}


for my $size ('8m', '64m') {
    subtest "cache $size" => sub {
        pipeline(map { [ HSET => $name{$_}, user => 'alice' ] }
                 @revoked, @others, @good);

        my $node = NpmToken::Node->new(
            redis => $redis,
            level => 'notice',
            store => "cache $size; revocation_bound 1h; cache_ttl 1h;"
                     . ' negative_ttl 1h;',
        );

        wait_for {
            my $results = ask_many($node, @revoked, @good);

            ($results->{'200 hit'} // 0) == 2 * $cached;
        } 'all of them in the cache';

        my $start = time;

        pipeline(map { [ DEL => $name{$_} ] } @others, @revoked);

        my $told = time;

        $node->sync;

        my $heard = time;

        my $results = ask_many($node, @revoked);

        is(($results->{'401 miss'} // 0) + ($results->{'401 hit'} // 0),
           $cached, 'of those which were revoked none is let in');
        is($results->{'401 miss'}, $cached, 'each was looked up again');

        $results = ask_many($node, @good);

        my ($hits, $misses) = map { $_ // 0 } @$results{ '200 hit',
                                                         '200 miss' };

        is($hits + $misses, $cached, 'all others are let in');
        ok($hits, 'some without a look-up');
        is($node->live, 1, 'in one session of the feed');

        diag(sprintf 'cache %s: %d revocations in %.0f ms, heard %.0f ms'
             . ' later; %.1f %% of the other tokens looked up again',
             $size, $revocations, 1000 * ($told - $start),
             1000 * ($heard - $told), 100 * $misses / $cached);

        ok($node->quit, 'nginx quits');
    };
}


done_testing;
