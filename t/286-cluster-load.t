# The slot goes to and fro, key by key, and once by a failover, while tokens are
# made and revoked: no token is good, or bad, for longer than the bound, and no
# good one is refused but as unavailable.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Util qw( token_key );

my $SECONDS = $ENV{CLUSTER_SECONDS} || 6;
my $BOUND = 0.2;

my $cluster = NpmToken::Cluster->new(timeout => 2000);

my $node = NpmToken::Node->new(
    redis => $cluster,
    url   => $cluster->url,
    store => 'revocation_bound 200ms; negative_ttl 1h; cache_ttl 1h;'
        . ' lookup_timeout 300ms;',
);

my @tokens = map {
    { name => "npm_load$_", alive => 0, since => 0 }
} 1 .. 12;


# moves the slot, with a pause at each key, and now and then gives it up

sub move_about {
    my $end = shift;

    my $n = 0;

    while (time < $end) {
        my ($to) = $cluster->others;
        my $from = $cluster->migrate_begin($to);

        $n++;

        for my $key (@{ $from->command('CLUSTER', 'GETKEYSINSLOT', 3330,
                                       100) })
        {
            $cluster->migrate_keys($to, $key);
            sleep 0.02;
        }

        sleep 0.3;

        $cluster->migrate_keys($to);
        $cluster->migrate_end($to);

        if ($n % 3 == 0) {
            my $master = $cluster->owner;
            my ($replica) = $cluster->replicas($master);

            next if !$replica;

            $replica->command('CLUSTER', 'FAILOVER');
            $cluster->wait_owner($replica);
        }
    }

    return $n;
}


my $start = time;
my $mover = fork // die;

if ($mover == 0) {
    my $n = eval { move_about($start + $SECONDS) };

    diag $@ if $@;
    POSIX::_exit($n ? $n : 255);
}

my (%seen, @wrong);

while (time < $start + $SECONDS) {
    my $token = $tokens[rand @tokens];

    if (rand() < 0.15) {
        eval {
            if ($token->{alive}) {
                $cluster->del_token($token->{name});

            } else {
                $cluster->command('HSET',
                                  $cluster->record_name($token->{name}),
                                  user => 'alice');
            }

            $token->{alive} = !$token->{alive};
            $token->{since} = time;
            $seen{changes}++;
            1;

        # done or not, so it says nothing from now on
        } or $token->{since} = time + 1e6;

        next;
    }

    my $began = time;
    my $status = $node->ask($token->{name}) =~ s/ .*//r;

    $seen{$status}++;

    next if $began <= $token->{since} + $BOUND;

    my $right = $token->{alive} ? '200' : '401';

    next if $status eq $right || $status eq '503';

    push @wrong, sprintf '%s is %s, %.3f s after it should be %s',
        $token->{name}, $status, $began - $token->{since}, $right;
}

waitpid $mover, 0;

my $moves = $? >> 8;

isnt($moves, 255, 'the slot could be moved');
cmp_ok($moves, '>', 2, "$moves moves");
is_deeply(\@wrong, [], 'no answer is wrong');
cmp_ok($seen{200}, '>', 10 * ($seen{503} // 0), 'few are unavailable');
diag join ', ', map { "$_: $seen{$_}" } sort keys %seen;

ok($node->quit, 'nginx quits');

done_testing;
