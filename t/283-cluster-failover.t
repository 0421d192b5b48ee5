# The master that has the slot dies, is stopped, or hands over: its replica is
# found, good tokens are served again soon, and none is refused but as
# unavailable.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Util qw( wait_for );

my $cluster = NpmToken::Cluster->new(timeout => 500);

my $node = NpmToken::Node->new(
    redis => $cluster,
    url   => $cluster->url,
    store => 'revocation_bound 300ms; lookup_timeout 200ms;',
);

my $tokens = 0;


# A child that asks the other nodes for the slot; returns what says when one of
# them had it, in ms after $start

sub recovery {
    my ($old, $start) = @_;

    pipe my $read, my $write or die;

    my @others = grep { $_ != $old } $cluster->nodes;
    my $pid = fork // die;

    if ($pid == 0) {
        while (time < $start + 20) {
            for my $node (@others) {
                my $n = eval { $node->command('EXISTS', '{npmtoken}:x') }
                    // next;

                syswrite $write, int(1000 * (time - $start));
                POSIX::_exit(0);
            }

            sleep 0.002;
        }

        POSIX::_exit(1);
    }

    close $write;

    return sub {
        waitpid $pid, 0;
        return scalar(<$read>) // -1;
    };
}


# what is answered to good tokens, known and new ones, until 10 in a row are
# good; in ms from the beginning: the last that was refused, of how many

sub watch {
    my ($what, $old, $code) = @_;

    my @tokens = map {
        my $token = 'npm_good' . $tokens++;

        $cluster->put_token($token, user => 'alice');
        $token;
    } 1 .. 200;

    $node->cache($tokens[0]);
    $cluster->command('WAIT', 1, 1000);

    my ($start, $row, $n, $refused, $last) = (time, 0, 0, 0, 0);
    my (%status, $new);
    my $recovered = recovery($old, $start);

    $code->();

    while (time < $start + 20) {
        my $token = $tokens[$n++ % @tokens];
        my $status = $node->ask($token) =~ s/ .*//r;

        $status{$status}++;

        if ($status eq '200') {
            $row++;
            sleep 0.005;

        } else {
            $last = time - $start;
            $refused++;
            $row = 0;
            sleep 0.002;
        }

        # who has it now?

        next if $row % 20 != 10;

        $new //= eval { $cluster->owner };
        undef $new if $new && $new == $old;

        last if $row > 20 && $new;
    }

    delete $status{200};
    is_deeply([sort keys %status], [$refused ? '503' : ()],
              "$what: nothing but unavailable");
    ok($new, "$what: another master has the slot");

    diag sprintf '%s: %d of %d refused, the last after %d ms; Redis itself has '
        . 'recovered after %d ms', $what, $refused, $n, 1000 * $last,
        $recovered->();

    return $new;
}


sub works {
    my $what = shift;

    $cluster->put_token('npm_after', user => 'alice');
    $node->cache('npm_after');
    $cluster->del_token('npm_after');

    quickly { $node->ask('npm_after') =~ /\A401/ } "$what: it revokes";
}


subtest 'a planned failover' => sub {
    my $old = $cluster->owner;
    my ($replica) = $cluster->replicas($old);

    my $new = watch('planned', $old, sub {
        $replica->command('CLUSTER', 'FAILOVER');
    });

    is($new, $replica, 'it is the replica');
    $cluster->wait_owner($new);
    works('planned');
};


subtest 'kill -9' => sub {
    my $old = $cluster->owner;

    my $new = watch('kill -9', $old, sub { $old->stop('KILL') });

    $cluster->wait_owner($new);
    works('kill -9');

    $old->start;
    wait_for { eval { $old->command('ROLE')->[0] } eq 'slave' } 'it is back';
    works('it is back');
};


subtest 'SIGSTOP' => sub {
    my $old = $cluster->owner;
    my $live = $node->live;

    my $new = watch('SIGSTOP', $old, sub {
        $old->pause;
        $old->{paused} = 1;
    });

    $cluster->wait_owner($new);
    wait_for { $node->live > $live } 'the feed', 30;
    works('SIGSTOP');

    $old->resume;
    $old->{paused} = 0;
    works('it goes on');
};


ok($node->quit, 'nginx quits');

done_testing;
