# The connections of the token API: forgotten by a balancer, to a replica, to
# several servers behind one address, to a Redis that evicts or is a cluster.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Node ();
use NpmToken::Redis;
use NpmToken::Relay qw( haproxy );
use NpmToken::Util qw( token_key wait_for );

my $password = 'correct horse battery';
my $other = 'another horse battery';

my @redis = (config => "repl-diskless-sync-delay 0\n");
my $redis = NpmToken::Redis->new(@redis);


sub api {
    my ($port, %more) = @_;

    return NpmToken::Api->new(
        redis => $redis,
        url   => "redis://127.0.0.1:$port",
        api   => 'npmtoken_api_attempts 0 0; npmtoken_api_signup on;',
        store => 'cache off; lookup_timeout 2s;',
        %more,
    );
}

sub log_in {
    my ($api, $name, $with) = @_;

    return $api->call('PUT', "/-/user/org.couchdb.user:$name", undef,
                      { name => $name, password => $with // $password });
}


subtest 'forgotten connections cost a moment, and no login' => sub {
    my $relay = NpmToken::Relay->new(to => $redis->port);
    my $api = api($relay->port);

    $api->user('alice', $password);

    my $token = $api->login('alice', $password);

    # longer than a connection is taken to be well without being asked
    sleep 1.2;
    cmp_ok($relay->forget, '>=', 2, 'read and write are forgotten');

    my $began = time;

    is(log_in($api, 'alice')->{status}, 201, 'login');

    my $ms = int(1000 * (time - $began));

    cmp_ok($ms, '<', 3000, "in time ($ms ms)");
    unlike($api->error_log, qr/\[error\].*npmtoken-api/, 'that is no error');

    is($redis->command('SCARD', 'npmtoken:tokens-of:alice'), 2,
       'it made one token');

    sleep 1.2;
    $relay->forget;
    is($api->call('DELETE', '/-/npm/v1/tokens/token/' . token_key($token),
                  $token)->{status}, 204, 'a revocation');
    is($redis->command('SCARD', 'npmtoken:tokens-of:alice'), 1, 'is done');
};


# What was sent may have been done: it is not sent again.

subtest 'what was sent is not sent again' => sub {
    my $relay = NpmToken::Relay->new(to => $redis->port);
    my $api = api($relay->port);

    $redis->flush;
    $api->user('alice', $password);
    $api->login('alice', $password);

    my ($before) = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_eval:calls=(\d+)/m;

    $relay->forget;
    is(log_in($api, 'alice')->{status}, 503, 'just used, and forgotten');

    my ($after) = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_eval:calls=(\d+)/m;

    is($after, $before, 'nothing was run');
    is(log_in($api, 'alice')->{status}, 201, 'the next one');
};


# The replica has what the master had before. Every other connection gets
# there, and must not read an account.

subtest 'an account is never read from a replica' => sub {
    my $replica = NpmToken::Redis->new(
        config => "$redis[1]replicaof 127.0.0.1 " . $redis->port . "\n",
    );

    $redis->flush;

    my $api = api(haproxy($redis->port, $replica->port));

    $api->user('alice', $password);
    wait_for { $replica->command('EXISTS', 'npmtoken:user:alice') } 'a copy';

    # it stands still, as it does when its link is cut
    $replica->command('REPLICAOF', '127.0.0.1', 1);
    $redis->command('HSET', 'npmtoken:user:alice', locked => 'true');

    my %results;

    for my $round (1 .. 6) {
        $results{log_in($api, 'alice')->{status}}++;

        # and again on new connections
        $_->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
            for $redis, $replica;
    }

    is($results{201}, undef, 'nobody logs in to a locked account');
    $redis->command('HDEL', 'npmtoken:user:alice', 'locked');

    wait_for { log_in($api, 'alice')->{status} == 201 } 'a login';
    is(scalar(grep { $_->{cmd} =~ /hget|hmget|eval/ }
                  NpmToken::Node::clients($replica, 'npmtoken-api-read')), 0,
       'no command of the API gets to the replica');
    like($api->error_log, qr/\[error\].*this server is a replica, and the token/,
         'it is said');
};


subtest 'a master that becomes a replica is left' => sub {
    $redis->flush;

    my $api = api($redis->port);

    $api->user('alice', $password);

    my $token = $api->login('alice', $password);

    is($api->list($token)->{status}, 200, 'all is well');

    $redis->command('REPLICAOF', '127.0.0.1', 1);
    is(log_in($api, 'alice')->{status}, 503, 'no login');

    # the connections are there still, and not idle

    is($api->list($token)->{status}, 503, 'nothing is read either');
    like($api->error_log, qr/READONLY.*: this is a replica, only its/,
         'it is said');
    $redis->command('REPLICAOF', 'NO', 'ONE');
    wait_for { $api->list($token)->{status} == 200 } 'the master again';
    is(log_in($api, 'alice')->{status}, 201, 'a login');
};


# before anybody has called

for (
    [ 'allkeys-lru', '100mb', qr/evicts.*: accounts, and with them their second/ ],
    [ 'volatile-ttl', '100mb', qr/evicts.*: keys with a TTL, such as tokens/ ],
    [ 'noeviction', '100mb', undef ],
    [ 'allkeys-lru', '0', undef ],
) {
    my ($policy, $limit, $expected) = @$_;

    subtest "maxmemory-policy $policy, maxmemory $limit" => sub {
        $redis->command('CONFIG', 'SET', 'maxmemory-policy', $policy);
        $redis->command('CONFIG', 'SET', 'maxmemory', $limit);

        my $api = api($redis->port, workers => 2);

        wait_for {
            NpmToken::Node::clients($redis, 'npmtoken-api-read');
        } 'the connection at the start';

        if ($expected) {
            like($api->wait_log(qr/\[warn\].*this redis evicts/), $expected,
                 'warned at the start');
        }

        is(log_in($api, 'alice')->{status}, 201, 'it works') for 1 .. 4;
        is(scalar(() = $api->error_log =~ /this redis evicts/g),
           $expected ? 1 : 0, $expected ? 'said once' : 'nothing is said');
        $api->quit;
    };
}

$redis->command('CONFIG', 'SET', 'maxmemory', 0);


subtest 'a cluster, and no hash tag' => sub {
    my $cluster = NpmToken::Redis->new(cluster => 1);

    $cluster->command(CLUSTER => ADDSLOTSRANGE => 0, 16383);
    wait_for {
        $cluster->command(CLUSTER => 'INFO') =~ /cluster_state:ok/;
    } 'the cluster';

    my $api = api($cluster->port);

    like($api->wait_log(qr/Redis Cluster/),
         qr/\[error\].*\Qprefix "{npmtoken}:";\E/, 'said at the start');

    is($api->call('PUT', '/-/user/org.couchdb.user:bob', undef, {
        name => 'bob', password => $password, email => 'b@example.com',
    })->{status}, 503, 'a sign-up');
    like($api->wait_log(qr/redis refused/),
         qr/CROSSSLOT.*\Qprefix "{npmtoken}:";\E/, 'and with the refusal');

    $api = api($cluster->port, store => 'cache off; prefix "{npmtoken}:";');
    is($api->call('PUT', '/-/user/org.couchdb.user:bob', undef, {
        name => 'bob', password => $password, email => 'b@example.com',
    })->{status}, 201, 'with one it works');
    unlike($api->error_log, qr/Redis Cluster/, 'and nothing is said');
};


done();
