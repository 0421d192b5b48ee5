# What the cache keeps, for how long, and what it does not ask Redis: hits,
# misses, unknown tokens, expiry by every clock, records that are too large,
# and stores beside each other.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time sleep );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( short_key token_key wait_for );

my $redis = NpmToken::Redis->new;
my $other = NpmToken::Redis->new;


# no key goes before somebody asks for it
$redis->command('DEBUG', 'SET-ACTIVE-EXPIRE', 0);


# A bound of an hour: nothing is right here because it was short.  cache_ttl
# and negative_ttl have stores of their own.

my $node = NpmToken::Node->new(
    redis => $redis,
    store => 'revocation_bound 1h;',
    http  => <<"_EOC_",
    npmtoken_store uncached {
        redis unix:${\$redis->socket};
        cache off;
    }

    npmtoken_store ttl {
        redis unix:${\$redis->socket};
        cache_ttl 300ms;
    }

    npmtoken_store negative {
        redis unix:${\$redis->socket};
        negative_ttl 300ms;
    }

    npmtoken_store bound {
        redis unix:${\$redis->socket};
        push off;
        revocation_bound 300ms;
    }

    npmtoken_store other {
        redis unix:${\$other->socket};
    }

    npmtoken_store prefix {
        redis unix:${\$redis->socket};
        prefix else:;
    }

    npmtoken_store db {
        redis unix:${\$redis->socket}:3;
    }

    npmtoken_store twin {
        redis unix:${\$redis->socket};
    }
_EOC_
    server => join("\n", map {
        "location /$_/ { npmtoken $_; proxy_pass http://registry/; }"
    } qw( uncached ttl negative bound other prefix db twin )),
);

$node->wait_live(7);

sub asked (&) {
    my $code = shift;

    my $before = calls($redis, 'hgetall') + calls($redis, 'pttl');

    $code->();

    return calls($redis, 'hgetall') + calls($redis, 'pttl') - $before;
}


subtest 'a hit asks Redis nothing' => sub {
    $redis->put_token('npm_full', user => 'alice');
    $node->sync;

    is($node->ask('npm_full'), '200 miss', 'first a miss');

    my $asked = asked {
        is($node->ask($_), '200 hit', 'then a hit') for ('npm_full') x 5;
    };

    is($asked, 0, 'of which Redis knows nothing');

    is_deeply([$node->ask_all('npm_full')], ['200 hit', '200 hit'],
              'the workers share it');

    my $response = $node->ask_response($node->send_ask('npm_full'));

    is($response->{headers}{'x-user'}, 'alice', 'with its user');

    is($node->ask('npm_full', method => 'PUT'), '200 hit', 'and for a write');
};


subtest 'what the record says is said by a hit too' => sub {
    $redis->put_token('npm_ro', user => 'bob', readonly => 'true');
    $redis->put_token('npm_cidr', user => 'bob',
                      cidr_whitelist => '192.0.2.0/24, 2001:db8::/32');
    $redis->put_token('npm_here', user => 'bob',
                      cidr_whitelist => '192.0.2.0/24, 127.0.0.0/8');
    $redis->put_token('npm_bad', user => 'bob', read_only => 'true');
    $redis->put_token('npm_revoked', user => 'bob', revoked_at => 1);
    $redis->put_token('npm_expired', user => 'bob', expires_at => 1);
    $redis->put_token('npm_shared', user => 'bob', protected => 'true');
    $node->sync;

    my @cases = (
        [ npm_ro      => PUT => 403, 'readonly' ],
        [ npm_ro      => GET => 200 ],
        [ npm_cidr    => GET => 401, 'cidr' ],
        [ npm_here    => GET => 200 ],
        [ npm_bad     => GET => 403, 'bad_record' ],
        [ npm_revoked => GET => 401, 'revoked' ],
        [ npm_expired => GET => 401, 'expired' ],
        [ npm_shared  => DELETE => 403, 'protected' ],
    );

    for (@cases) {
        my ($token, $method, $status, $reason) = @$_;

        my $uri = $method eq 'DELETE' ? "/-/user/token/$token" : '/pkg';
        my @ask = ($token, method => $method, uri => $uri);

        $node->ask(@ask);

        is($node->ask(@ask), "$status hit", "$method with $token");

        if ($reason) {
            my $response = $node->ask_response($node->send_ask(@ask));
            my $key = short_key($token);

            like($response->{body}, qr/"reason":"$reason"/, $reason);
            like($node->wait_log(qr/npmtoken denied: $reason/), qr/key: $key/,
                 'with its key in the log');
        }
    }
};


subtest 'an unknown token is cached, and forgotten when it is made' => sub {
    is($node->ask('npm_no'), '401 miss', 'a miss');

    is(asked {
        is($node->ask('npm_no'), '401 hit', 'a hit');
    }, 0, 'Redis is not asked');

    my $response = $node->ask_response($node->send_ask('npm_no'));
    my $key = short_key('npm_no');

    like($response->{body}, qr/\b$key\b.*"reason":"unknown"/,
         'the short key is in the answer of a hit');

    is($node->ask('npm_no', method => 'DELETE',
                  uri => '/-/user/token/npm_no'),
       '200 hit', 'logout passes with it');
};


subtest 'cache off' => sub {
    is(asked {
        is($node->ask('npm_full', uri => '/uncached/pkg'), '200 off', 'off')
            for 1 .. 3;
        is($node->ask('npm_no', uri => '/uncached/pkg'), '401 off', 'off');
    }, 8, 'each request is a look-up');

    $redis->put_token('npm_off', user => 'carol');

    is($node->ask('npm_off', uri => '/uncached/pkg'), '200 off', 'it is there');

    $redis->del_token('npm_off');

    is($node->ask('npm_off', uri => '/uncached/pkg'), '401 off', 'it is gone');
};


subtest 'neither session nor anonymous request has a state of the cache'
    => sub
{
    is($node->ask('npm_full', uri => '/-/ping'), '200', 'a session');
    is($node->ask(undef, uri => '/anonymous'), '200', 'anonymous');
    is($node->ask(undef), '401', 'no token');
};


subtest 'ttl' => sub {
    for (['npm_full', '/ttl/pkg', 'cache_ttl'],
         ['npm_none', '/negative/pkg', 'negative_ttl'],
         ['npm_full', '/bound/pkg', 'the bound, without push'],
         ['npm_none', '/bound/pkg', 'the bound, without push, unknown'])
    {
        my ($token, $uri, $what) = @$_;

        $node->ask($token, uri => $uri);
        $node->{answered} = time;

        # another look-up begins anew, so this is the first one's life
        my ($hits, $late, $miss) = (0, 0, 0);

        while (!$miss) {
            my $began = time;

            if ($node->ask($token, uri => $uri) =~ / hit\z/) {
                $hits++;
                $late++ if $began - $node->{answered} > 0.3;

            } else {
                $miss = time - $node->{answered};
            }

            sleep 0.01;
        }

        is($late, 0, "$what: no hit after its time");
        ok($hits, "$what: $hits hits, a miss after "
                  . int(1000 * $miss) . ' ms');
    }

    is($node->ask('npm_full', uri => '/negative/pkg'), '200 miss',
       'a record has cache_ttl');

    sleep 0.4;

    is($node->ask('npm_full', uri => '/negative/pkg'), '200 hit',
       'not negative_ttl');

    is($node->ask('npm_none', uri => '/ttl/pkg'), '401 miss',
       'an unknown token has negative_ttl');

    sleep 0.4;

    is($node->ask('npm_none', uri => '/ttl/pkg'), '401 hit', 'not cache_ttl');
};


# Redis keeps such a key until somebody reads it, so nothing is pushed

subtest 'the TTL of a key' => sub {
    my $name = $redis->record_name('npm_vanishes');

    for my $command ('PEXPIRE', 'PEXPIREAT') {
        $redis->put_token('npm_vanishes', user => 'alice');

        my $deadline = time + 0.7;

        $redis->command($command, $name,
                        $command eq 'PEXPIRE' ? 700
                                              : int(1000 * $deadline));

        my $written = time + 0.7;

        my ($hits, $late, $gone) = (0, 0, undef);

        while (!$gone) {
            my $began = time;
            my $result = $node->ask('npm_vanishes');

            if ($result =~ /\A200/) {
                $hits++ if $result =~ / hit\z/;
                $late++ if $began > $written;

            } else {
                $gone = $began;
            }

            sleep 0.01;
        }

        is($late, 0, "$command: none allowed after its time");
        ok($hits, "$command: $hits hits before");
        cmp_ok($gone, '>=', $deadline - 0.05, "$command: not refused before");
        like($node->ask('npm_vanishes'), qr/\A401/, 'it stays so');
    }

    # Redis still counts it, so it is not the feed that said so
    is($redis->command('EXISTS', $redis->record_name('npm_vanishes')), 0,
       'gone');
};


subtest 'expires_at' => sub {
    my $expires = int(time) + 2;

    $redis->put_token('npm_expires', user => 'alice', expires_at => $expires);

    my ($hits, $late, $gone) = (0, 0, undef);

    # the second is that of time(), which the kernel counts by ticks

    while (!$gone) {
        my $began = time;
        my $result = $node->ask('npm_expires');

        if ($result =~ /\A200/) {
            $hits++ if $result =~ / hit\z/;
            $late++ if $began >= $expires + 0.05;

        } else {
            $gone = time;
            is($result, '401 hit', 'refused by the cached record');
        }

        sleep 0.01;
    }

    is($late, 0, 'none allowed after its time');
    ok($hits, "$hits hits before");
    cmp_ok($gone, '>=', $expires, 'not refused before');
};


# A slot has 144 bytes of a record, 32 of them fixed: the name, and 6 or 18
# for each range.

subtest 'a record too large for a slot' => sub {
    $redis->put_token('npm_name', user => 'a' x 60);
    $redis->put_token('npm_long', user => 'a' x 214);
    $redis->put_token('npm_ranges', user => 'alice',
        cidr_whitelist => join ',', '127.0.0.1',
            map { "10.$_.0.0/16" } 1 .. 100);
    $node->sync;

    is($node->ask('npm_name'), '200 miss', 'one that fits');
    is($node->ask('npm_name'), '200 hit', 'is cached');

    for my $token ('npm_long', 'npm_ranges') {
        is($node->ask($token), '200 miss', "$token is served") for 1 .. 3;

        $redis->del_token($token);
        $node->sync;

        is($node->ask($token), '401 miss', 'and is gone at once');
        is($node->ask($token), '401 hit', 'of which there is an entry');

        $redis->put_token($token, user => 'b' x 214);
        $node->sync;

        is($node->ask($token), '200 miss', 'and back') for 1 .. 2;
    }
};


subtest 'stores share nothing' => sub {
    $redis->flush;
    $redis->put_token('npm_main', user => 'alice');
    $other->put_token('npm_other', user => 'bob');

    $redis->command('HSET', 'else:token:' . token_key('npm_prefix'),
                    user => 'carol');
    $redis->command('SELECT', 3);
    $redis->put_token('npm_db', user => 'dave');
    $redis->command('SELECT', 0);

    my %token = (
        ''       => 'npm_main',
        twin     => 'npm_main',
        other    => 'npm_other',
        prefix   => 'npm_prefix',
        db       => 'npm_db',
    );

    # all of them in each, twice: a miss and a hit

    for my $store (sort keys %token) {
        for my $token (sort values %token) {
            my $status = $token{$store} eq $token ? 200 : 401;
            my @ask = ($token, uri => ($store && "/$store") . '/pkg');

            wait_for { $node->ask(@ask) =~ / hit\z/ };

            is($node->ask(@ask), "$status hit",
               "$token in the store \"" . ($store || 'main') . '"');
        }
    }

    # the same Redis, and still two caches: this is the other's only look-up

    $redis->put_token('npm_twice', user => 'alice');
    $node->sync;
    $node->sync(uri => '/twin/pkg');

    is($node->ask('npm_twice'), '200 miss', 'a miss');
    is($node->ask('npm_twice', uri => '/twin/pkg'), '200 miss',
       'and a miss in another store of the same Redis');
    is($node->ask('npm_twice'), '200 hit', 'then hits');
    is($node->ask('npm_twice', uri => '/twin/pkg'), '200 hit', 'in both');
};


done_testing;
