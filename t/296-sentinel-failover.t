# Sentinel: the master is another one, because it died, is frozen, or somebody
# wanted it so. The old one may come back, and say that it is the master: what
# it says then is not used.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Node;
use NpmToken::Sentinel;
use NpmToken::Util qw( read_file temp_dir wait_for write_file );

my $password = 'correct horse battery';
my $set = NpmToken::Sentinel->new;


sub node {
    my (%more) = @_;

    return NpmToken::Node->new(
        redis => $set->master,
        url   => $set->url,
        store => 'revocation_bound 1h; cache_ttl 1h;',
        %more,
    );
}

# what all servers have

sub put {
    my ($token, @fields) = @_;

    my $master = $set->master;

    # WAIT is about what its own connection has written

    $master->disconnect;
    local $master->{fresh} = 0;

    $master->put_token($token, @fields ? @fields : (user => 'alice'));

    my ($replicas) = $master->command(INFO => 'replication')
        =~ /^connected_slaves:(\d+)/m;

    $master->command(WAIT => $replicas, 2000);
}


# Asks all the time, as clients do, and counts; returns a function that ends it
# and returns what came: a hash.

my $load = 0;

sub load {
    my ($node, @tokens) = @_;

    my $base = temp_dir() . '/load' . $load++;
    my $parent = $$;
    my $child = fork // die "cannot fork: $!";

    if ($child == 0) {
        my %seen;

        for (my $n = 0; !-e "$base.stop" && getppid == $parent; $n++) {
            my $token = $tokens[$n % @tokens];
            my $r = eval {
                $node->get('/pkg', Authorization => "Bearer $token");
            };

            $seen{ $r ? $r->{status} : 'none' }++;
            sleep 0.005;
        }

        write_file("$base.seen", join ' ', %seen);
        POSIX::_exit(0);
    }

    return sub {
        write_file("$base.stop", '');
        waitpid $child, 0;

        return { split ' ', read_file("$base.seen") };
    };
}


sub goes_on {
    my ($node, $new, $what) = @_;

    my $begun = time;

    wait_for { $node->ask('npm_good') =~ /\A200/ } 'an answer', 20;

    my $ms = int(1000 * (time - $begun));

    cmp_ok($ms, '<', 1000, "$what: served again $ms ms after the sentinels"
           . ' name another');

    wait_for { clients($new, 'npmtoken-feed') == 1 } 'the feed';
    $node->cache('npm_good');

    $new->command(HSET => $new->record_name('npm_revoked'), revoked_at => 1);
    quickly { $node->ask('npm_revoked') =~ /\A401/ }
        'a revocation there is in effect';
}

sub only_503 {
    my ($seen, $what) = @_;

    my $good = delete $seen->{200} // 0;
    my $none = delete $seen->{503} // 0;

    is_deeply($seen, {}, "$what: a good token gets 200 ($good) or 503 ($none)");
    ok($good, 'and does get 200');
}


subtest 'a planned failover' => sub {
    put($_) for qw( npm_good npm_revoked npm_new );

    my $node = node();

    $node->cache($_) for qw( npm_good npm_revoked );

    # without a feed, each worker hears of it by itself

    my @no_feed = (
        redis => $set->master,
        url   => $set->url,
        store => 'push off; revocation_bound 100ms;',
    );
    my $pulling = NpmToken::Node->new(@no_feed, feed => 0);
    my $api = NpmToken::Api->new(@no_feed,
        api => 'npmtoken_api_attempts 0 0;');

    $pulling->ask_all('npm_revoked');
    $api->user('alice', $password);

    my $token = $api->login('alice', $password);

    put('npm_good');

    my $stop = load($node, 'npm_good', 'npm_new');
    my $old = $set->master;
    my $new = $set->failover;

    goes_on($node, $new, 'planned');

    # for some eight seconds more it does so

    is($old->command('ROLE')->[0], 'master',
       'the old one says that it is the master');
    is_deeply([grep { /\A200/ } $node->ask_all('npm_revoked')], [],
              'and is not believed');

    wait_for {
        !grep { /\A200/ } $pulling->ask_all('npm_revoked');
    } 'a node without a feed', 3;

    wait_for { $api->list($token)->{status} == 200 } 'the API';
    is($api->call('POST', '/-/npm/v1/user', $token,
                  { fullname => 'Moved' })->{status}, 200,
       'a change by the token API, without a feed');
    is($new->command(HGET => 'npmtoken:user:alice', 'fullname'), 'Moved',
       'is made at the new one');
    is($old->command('ROLE')->[0], 'master', 'all that before it is demoted');
    ok($_->quit, 'nginx quits') for $pulling, $api;
    only_503($stop->(), 'planned');
    ok($node->quit, 'nginx quits');
};


subtest 'the master is killed' => sub {
    put($_) for qw( npm_good npm_revoked npm_new );

    my $node = node();
    my $old = $set->master;

    $node->cache($_) for qw( npm_good npm_revoked );

    my $stop = load($node, 'npm_good', 'npm_new');

    $old->stop('KILL');

    my $new = $set->wait_for_another($old);

    goes_on($node, $new, 'kill -9');
    only_503($stop->(), 'kill -9');

    my @errors = grep { /\[error\].*(?:redis|connect\(\))/ }
        split /\n/, $node->error_log;

    cmp_ok(scalar(@errors), '<', 20, 'lines at "error": ' . @errors);

    # it comes back, as a master that knows nothing of what has happened

    $old->{config} =~ s/^replicaof.*\n//m;
    $old->start;
    $old->put_token('npm_revoked', user => 'alice');

    my $end = time + 1.5;
    my ($asked, $late) = (0, 0);

    while (time < $end) {
        $asked++;
        $late += grep { /\A200/ } $node->ask_all('npm_revoked');
    }

    is($late, 0, "it is not believed, $asked times asked");
    $old->stop;
    ok($node->quit, 'nginx quits');
};


# Frozen, succeeded, and thawed: for some time it answers as if it were the
# master. Every worker has had a connection to it.

subtest 'the master is frozen, and thawed when there is another' => sub {
    put($_) for qw( npm_good npm_revoked npm_unseen npm_none );

    my $old = $set->master;
    my $node = node(
        store => 'revocation_bound 500ms; lookup_timeout 300ms;',
    );
    my $api = NpmToken::Api->new(
        redis => $old,
        url   => $set->url,
        store => 'lookup_timeout 300ms; connect_timeout 300ms;',
        api   => 'npmtoken_api_attempts 0 0;',
    );

    $api->user('alice', $password);
    my $token = $api->login('alice', $password);
    put('npm_good');

    $node->ask_all($_) for qw( npm_good npm_revoked );
    $node->cache($_) for qw( npm_good npm_revoked );

    # the sentinel that is listened to is gone, so another is

    for my $sentinel ($set->sentinels) {
        clients($sentinel, 'npmtoken-watch') or next;
        $sentinel->stop('KILL');
        last;
    }

    wait_for {
        2 == map { clients($_, 'npmtoken-watch') } $set->running_sentinels;
    } 'other subscriptions';

    is($node->live, 1, 'that is no matter for the feed');

    my $stop = load($node, 'npm_good');

    $old->{stopped} = 1;
    $old->pause;

    my $new = $set->wait_for_another($old);

    $new->del_token($_) for 'npm_unseen', 'npm_revoked';

    my $deleted = time;

    # as the sentinels told, so soon

    wait_for { scalar clients($new, 'npmtoken-feed') == 2 } 'the feeds', 20;

    cmp_ok(time - $deleted, '<', 1, 'the feeds are there in time');

    $old->resume;

    my ($late, $asked) = (0, 0);
    my $thawed = time;

    while (time < $thawed + 1.5) {
        for my $token ('npm_revoked', 'npm_unseen') {
            $late += grep { /\A200/ } $node->ask_all($token);
            $asked++;
        }
    }

    is($late, 0, "nothing that was revoked is let through, $asked times asked");

    # nor does the API write what would be lost

    wait_for { $api->list($token)->{status} == 200 } 'the API';
    is($api->call('POST', '/-/npm/v1/user', $token,
                  { fullname => 'After' })->{status}, 200, 'a change');
    is($new->command(HGET => 'npmtoken:user:alice', 'fullname'), 'After',
       'is made at the new one');

    only_503($stop->(), 'SIGSTOP');

    delete $old->{stopped};
    ok($node->quit, 'nginx quits');
};


done_testing;
