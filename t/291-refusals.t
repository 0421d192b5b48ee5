# A Redis that refuses: commands that a managed service does not have, a
# password that is missing, wrong or new, a user without rights. Each is told
# in a clear line, nginx does not hammer at the door, and what it cannot know
# it does not let pass.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( read_file temp_dir wait_for write_file );

use constant BOUND => 0.4;


sub node {
    my ($url, $store, @more) = @_;

    return NpmToken::Node->new(
        url   => $url,
        store => 'revocation_bound ' . 1000 * BOUND . 'ms; '
            . ($store // ''),
        feed  => 0,
        @more,
    );
}

sub connections {
    my $redis = shift;

    my ($n) = $redis->command(INFO => 'stats')
        =~ /^total_connections_received:(\d+)/m;

    return $n;
}

sub lines {
    my ($node, $pattern) = @_;

    return grep { /$pattern/ } split /\n/, $node->error_log;
}

# asks each worker for so many seconds; returns how often each answer came

sub ask_for {
    my ($node, $seconds, $token) = @_;

    my $end = time + $seconds;
    my %results;

    while (time < $end) {
        $results{$_}++ for $node->ask_all($token);
        sleep 0.01;
    }

    return \%results;
}


# Redis 5 and services that hide commands say "ERR unknown command" to what
# pushed changes need.

for my $command ('CLIENT', 'SUBSCRIBE') {
    subtest "without $command it works as with \"push off\"" => sub {
        my $redis = NpmToken::Redis->new(
            config => "rename-command $command \"\"\n");
        my $node = node('unix:' . $redis->socket);

        $redis->put_token('npm_one', user => 'alice');

        wait_for { $node->ask('npm_one') =~ /\A200/ } 'a look-up';

        my $before = connections($redis);
        my $results = ask_for($node, 1.5, 'npm_one');

        ok($results->{'200 hit'}, 'a record is cached');
        is_deeply([grep { !/\A200 (?:hit|miss)\z/ } keys %$results], [],
                  'nobody is refused');
        is($node->lives('npm_one', BOUND, $command, none => 1), '200 miss',
           'the bound is that of "push off"');

        $node->cache('npm_one');
        $redis->del_token('npm_one');

        my $deleted = time;
        my ($late, $began) = (0);

        do {
            $began = time;
            $late++ if $node->ask('npm_one') =~ /\A200/
                && $began > $deleted + BOUND;
            sleep 0.01;
        } while ($began < $deleted + 2 * BOUND);

        is($late, 0, 'a revocation is enforced within it');

        my @warned = lines($node, qr/\[warn\]/);

        is(scalar(@warned), 1, 'one warning') or diag("@warned");
        like($warned[0] // '',
             qr/"ERR" on the feed \(unknown command \W$command\W\)/,
             'it says what is missing');
        like($warned[0] // '', qr/works as with "push off".*"revocation_bound"/,
             'and what follows');
        cmp_ok(connections($redis) - $before, '<=', 4,
               'the feed is tried again at growing intervals');
        is($node->live, 0, 'no feed is called live');
        ok($node->quit, 'nginx quits');
    };
}


# who may not come in

for (
    [ 'NOAUTH', 'no password', '' ],
    [ 'WRONGPASS', 'a wrong password',
      'redis_password_file %s/wrong;' ],
    [ 'WRONGPASS', 'a wrong user',
      'redis_user nobody; redis_password_file %s/right;' ],
    [ 'NOPERM', 'a user who may not look up',
      'redis_user idle; redis_password_file %s/right;' ],
) {
    my ($code, $what, $store) = @$_;

    subtest "$what: a clear line, and no storm" => sub {
        my $redis = NpmToken::Redis->new(
            auth   => ['secret'],
            config => "requirepass secret\n"
                . "user idle on >secret resetkeys -\@all +ping\n",
        );

        write_file("$redis->{dir}/right", "secret\n");
        write_file("$redis->{dir}/wrong", "wrong-secret\n");
        $redis->put_token('npm_one', user => 'alice');

        my $before = connections($redis);
        my $node = node('redis://127.0.0.1:' . $redis->port,
                        $store =~ s/%s/$redis->{dir}/r);

        is_deeply([keys %{ ask_for($node, 1.2, 'npm_one') }], ['503 miss'],
                  'unavailable');

        my @told = lines($node, qr/\[error\].*redis answered "$code"/);
        my $made = connections($redis) - $before;

        ok(@told >= 1 && @told <= 5,
           scalar(@told) . ' lines at "error" say so');
        cmp_ok($made, '<', 40, "$made connections in 1.2 s");
        unlike($node->error_log, qr/secret/, 'no password is in the log');
        ok($node->quit, 'nginx quits');
    };
}


# The new password is put into the file and nginx reloaded, while people ask.
# A user of ACL may have two passwords for a time; that of "requirepass" is
# one, and whoever is connected stays so.

for my $way ('requirepass', 'ACL') {
    subtest "a new password, a reload, and no good token is refused: $way"
    => sub {
        my $acl = $way eq 'ACL';
        my $redis = NpmToken::Redis->new($acl ? (
            auth   => ['admin', 'admin'],
            config => "user default off\nuser admin on >admin ~* &* +\@all\n"
                . "user nginx on >first ~* &* +\@all\n",
        ) : (
            auth   => ['first'],
            config => "requirepass first\n",
        ));
        my $user = $acl ? 'redis_user nginx;' : '';
        my $file = "$redis->{dir}/password";

        write_file($file, "first\n");
        $redis->put_token("npm_$_", user => 'alice') for 0 .. 2000;

        my $node = node('unix:' . $redis->socket,
                        "$user redis_password_file $file;", feed => 1);

        # each token is asked for once, and so is looked up

        my $stop = temp_dir() . "/stop-$way";
        my $report = temp_dir() . "/report-$way";
        my $parent = $$;
        my $child = fork // die "cannot fork: $!";

        if ($child == 0) {
            my %seen;

            for my $n (0 .. 2000) {
                last if -e $stop || getppid != $parent;

                my $r = eval {
                    $node->get('/pkg', Authorization => "Bearer npm_$n");
                };

                $seen{ $r ? $r->{status} : 'none' }++;
                sleep 0.005;
            }

            write_file($report,
                       join ' ', map { "$_=$seen{$_}" } sort keys %seen);
            POSIX::_exit(0);
        }

        sleep 0.2;

        if (!$acl) {
            $redis->command(CONFIG => SET => 'requirepass', 'second');
            $redis->{auth} = ['second'];

        } else {
            $redis->command(ACL => SETUSER => 'nginx', '>second');
        }

        sleep 0.2;
        write_file($file, "second\n");
        $node->reload;
        $node->wait_live(2);

        $redis->command(ACL => SETUSER => 'nginx', '<first') if $acl;

        # an old worker that still answers has the old password

        wait_for {
            my @all = NpmToken::Nginx::worker_pids($node);
            my @new = $node->worker_pids;

            @all == @new;
        } 'the old workers to end';

        # the new workers connect with it alone

        $redis->command(CLIENT => KILL => TYPE => 'normal', SKIPME => 'yes');
        $redis->command(CLIENT => KILL => TYPE => 'pubsub');
        $node->wait_live(3);
        sleep 0.2;

        write_file($stop, '');
        waitpid $child, 0;
        like(read_file($report), qr/\A200=\d+\z/, 'each one was let through');
        unlike($node->error_log, qr/WRONGPASS|NOAUTH/, 'nobody was sent away');
        ok($node->quit, 'nginx quits');
    };
}


done_testing;
