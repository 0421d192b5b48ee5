# Redis over TLS: what is looked up, pushed, resumed and read again.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::Nginx;
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Relay;
use NpmToken::Tls;
use NpmToken::Util qw( free_port read_file wait_for write_file );

my $tls = NpmToken::Tls->new;
my $port = free_port();
my $redis = NpmToken::Redis->new(config => $tls->redis($port));

my $trust = 'redis_ssl_trusted_certificate ' . $tls->file('ca') . ';';
my $long = 'revocation_bound 1h; lookup_timeout 5s;';


sub node {
    my (%options) = @_;

    my $port = delete $options{port} // $port;
    my $host = delete $options{host} // '127.0.0.1';

    return NpmToken::Node->new(
        redis => $redis,
        url   => "rediss://$host:$port",
        %options,
        store => "$long $trust " . ($options{store} // ''),
    );
}


# a token is looked up, found in the cache, and refused when it has gone

sub enforces {
    my ($node, $token, $what) = @_;

    $redis->put_token($token, user => 'alice');

    is($node->ask($token), '200 miss', "$what: looked up");

    $node->cache($token);
    $redis->del_token($token);

    quickly { $node->ask($token) =~ /\A401/ } "$what: a revocation is pushed";
}


for my $version ('TLSv1.2', 'TLSv1.3') {
    subtest "a token is looked up, cached and revoked over $version" => sub {
        my $front = $tls->front($redis->port);
        my $node = node(
            port  => $front->{port},
            store => "redis_ssl_protocols $version;"
                . ' redis_ssl_name redis.test;',
        );

        enforces($node, 'npm_version', $version);

        my %seen = map { $_->{version} => 1 } $tls->front_log($front);

        is_deeply([ keys %seen ], [ $version ], 'the version is that one');
    };
}


subtest 'the name is told, and the host is the name if none is given' => sub {
    my $front = $tls->front($redis->port);
    my $node = node(
        port  => $front->{port},
        host  => 'localhost',
        store => 'redis_ssl_name redis.test;',
    );

    enforces($node, 'npm_name', 'redis_ssl_name');

    my ($seen) = $tls->front_log($front);

    is($seen->{name}, 'redis.test', 'redis_ssl_name is the name told');

    for my $host ('localhost', '127.0.0.1', '[::1]') {
        enforces(node(host => $host), 'npm_host', $host);
    }
};


subtest 'a session is resumed by the connections that follow' => sub {
    my $front = $tls->front($redis->port);
    my $node = node(
        port    => $front->{port},
        workers => 1,
        store   => 'redis_ssl_name redis.test;',
    );

    enforces($node, 'npm_session', 'at first');

    my $resumed = sub {
        return scalar(grep { $_->{resumed} } $tls->front_log($front));
    };

    is($resumed->(), 1, 'the second connection resumed that of the first');

    $node->renewed(sub {
        $redis->command(CLIENT => KILL => TYPE => 'pubsub');
    });

    enforces($node, 'npm_again', 'resumed');
    is($resumed->(), 3, 'so did those that were made later');
};


subtest 'a CA below the CA is followed' => sub {
    my $own = free_port();
    my $deep = NpmToken::Redis->new(
        config => $tls->redis($own, cert => 'deep'));

    $deep->put_token('npm_deep');

    my $node = node(port => $own, redis => $deep);

    is($node->ask('npm_deep'), '200 miss', 'looked up');
};


for my $version ('TLSv1.2', 'TLSv1.3') {
    subtest "a server that wants a certificate gets it, $version" => sub {
        my $own = free_port();
        my $strict = NpmToken::Redis->new(
            config => $tls->redis($own, clients => 'yes'));

        $strict->put_token('npm_client');

        my $node = node(
            port  => $own,
            redis => $strict,
            store => "redis_ssl_protocols $version;"
                . ' redis_ssl_certificate ' . $tls->cert('client') . ';'
                . ' redis_ssl_certificate_key ' . $tls->key('client') . ';',
        );

        is($node->ask('npm_client'), '200 miss', 'looked up');
    };
}


subtest 'a reload reads the files again' => sub {
    my $own = free_port();
    my $strict = NpmToken::Redis->new(
        config => $tls->redis($own, clients => 'yes'));

    $strict->put_token('npm_reload');

    my %file = map { $_ => "$tls->{dir}/used.$_" } qw( ca cert key );
    my $use = sub {
        my ($ca, $client) = @_;

        write_file($file{ca}, read_file($tls->file($ca)));
        write_file($file{cert}, read_file($tls->cert($client)));
        write_file($file{key}, read_file($tls->key($client)));
    };

    $use->('ca', 'client');

    my $node = NpmToken::Node->new(
        redis => $strict,
        url   => "rediss://127.0.0.1:$own",
        store => "$long redis_ssl_trusted_certificate $file{ca};"
            . " redis_ssl_certificate $file{cert};"
            . " redis_ssl_certificate_key $file{key};",
    );

    is($node->ask('npm_reload'), '200 miss', 'the right files');

    # another CA: Redis is not trusted any more, nor are we

    $use->('other', 'foreign');
    is($node->cache('npm_reload'), '200 hit', 'files alone change nothing');

    $node->reload;
    $node->wait_log(qr/\[error\].*certificate .* is not good/);
    is($node->ask('npm_never'), '503 miss',
       'after the reload, the files that are wrong');

    $use->('ca', 'client');

    my $live = $node->live;

    $node->reload;
    $node->wait_live($live + 1);
    like($node->ask('npm_reload'), qr/\A200/, 'and the right ones again');
};


subtest 'many changes at a time, and a flush, are heard' => sub {
    my $node = node(workers => 1);

    my @tokens = map { "npm_many$_" } 1 .. 300;

    $redis->put_token($_) for @tokens;
    $node->ask($_) for @tokens;

    is(scalar(grep { $node->ask($_) eq '200 hit' } @tokens), 300,
       'all of them are cached');

    # one message with a thousand times as many names

    $redis->command(EVAL => q{
        for i = 1, 20000 do
            redis.call('HSET', KEYS[1] .. i, 'user', 'a')
        end
        return redis.call('DEL', unpack(ARGV))
    }, 1, 'npmtoken:token:', map { $redis->record_name($_) } @tokens);

    $node->sync;

    is(scalar(grep { $node->ask($_) =~ /\A401/ } @tokens), 300,
       'all of them are refused');

    $redis->put_token('npm_flush');
    $node->cache('npm_flush');
    $redis->flush;

    quickly { $node->ask('npm_flush') =~ /\A401/ } 'a flush is heard';
};


subtest 'a pipeline that the socket cannot take at once is written' => sub {
    my $relay = NpmToken::Relay->new(to => $port, small => 1);
    my $nginx = NpmToken::Nginx->new(
        level => 'debug',
        http  => <<"_EOC_",
            npmtoken_store main {
                redis rediss://127.0.0.1:@{[ $relay->port ]};
                $trust
                cache off;
                lookup_queue 2000;
                lookup_share 2000;
                lookup_timeout 20s;
            }
_EOC_
        server => 'location / { npmtoken main; empty_gif; }',
    );

    my @tokens = map { "npm_full$_" } 1 .. 400;

    $redis->put_token($_) for @tokens;

    my $get = sub {
        my $c = NpmToken::HTTP1->new($nginx->port);

        $c->request('GET', '/', { Authorization => "Bearer $_[0]" });

        return $c;
    };

    is($get->('npm_full1')->response->{status}, 200, 'there is a connection');

    # more and more, so that what waits is moved in memory

    my $logged = sub { scalar(() = $nginx->error_log =~ /$_[0]/g) };
    my $waited = $logged->('request waits');

    $relay->pause;

    my @asked;

    while (@asked < @tokens) {
        push @asked, map { $get->($_) } @tokens[ @asked .. $#asked + 40 ];

        wait_for {
            $logged->('request waits') == $waited + @asked;
        } 'requests that wait';
    }

    ok($logged->('SSL_get_error: 3'), 'the socket was full');

    $relay->resume;

    is(scalar(grep { $_->response->{status} == 200 } @asked), 400,
       'all of them are answered');

    is($relay->count, 1, 'on the connection that there was');
};


subtest 'a Redis that went and came back is reached again' => sub {
    my $node = node(workers => 1);

    $redis->put_token('npm_back');
    $node->cache('npm_back');

    $node->renewed(sub { $redis->restart });
    $redis->put_token('npm_back');

    wait_for { $node->ask('npm_back') eq '200 hit' } 'a hit';
    pass('looked up, and cached');

    $node->renewed(sub { $redis->restart('KILL') });
    pass('also after it was killed');
};


done_testing;
