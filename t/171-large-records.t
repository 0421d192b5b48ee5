# A record that is too large is its token's affair: that token is refused, and
# the connection, the other look-ups and the log go on.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( read_file short_key wait_for );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $made = 0;

my $nginx = NpmToken::Nginx->new(
    level => 'debug',
    http  => <<"_EOC_",
    npmtoken_store main {
        redis unix:${\$redis->socket};
        lookup_timeout 8s;
        cache_ttl 1h;
    }

    npmtoken_store uncached {
        redis unix:${\$redis->socket};
        lookup_timeout 8s;
        cache off;
    }
_EOC_
    server => <<"_EOC_",
        location / {
            npmtoken main;
            empty_gif;
        }

        location /uncached/ {
            npmtoken uncached;
            empty_gif;
        }
_EOC_
);


# what a record may be too large by

my %large = (
    'a list of addresses'  => sub { (cidr_whitelist => join ',',
                                     map { "192.0.2.$_/32" } (1 .. 250) x 24) },
    'a text of ours'       => sub { (x_note => 'x' x 66_000) },
    'many texts of ours'   => sub { map { ("x_$_" => 'x') } 1 .. 600 },
    '100,000 of them'      => sub { map { ("x_$_" => 'x') } 1 .. 100_000 },
    'three megabytes'      => sub { (x_note => 'x' x 3_000_000) },
);


sub put {
    my (@fields) = @_;

    my $token = 'npm_large' . $made++;

    $redis->put_token($token, user => 'alice', @fields);

    return $token;
}

sub start_get {
    my ($token, $uri) = @_;

    my $c = NpmToken::HTTP1->new($nginx->port);

    $c->request('GET', $uri // '/', { Authorization => "Bearer $token" });

    return $c;
}

sub reason {
    my $r = shift->response;
    my ($reason) = $r->{body} =~ /"reason":"(\w+)"/;

    return $r->{status} . (defined $reason ? " $reason" : '');
}

sub get { return reason(start_get(@_)) }

sub connections {
    return join ' ', sort { $a <=> $b } map { /\bid=(\d+) / }
        grep { /\bname=npmtoken-lookup\b/ }
        split /\n/, $redis->command('CLIENT', 'LIST');
}

sub calls {
    my ($calls) = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_hgetall:calls=(\d+)/m;

    return $calls // 0;
}

sub waited {
    return scalar(() = $nginx->error_log =~ /npmtoken request waits/g);
}

sub lines {
    my $token = shift;
    my $key = short_key($token);

    return scalar(() = $nginx->error_log =~ /bad record of key $key/g);
}


# a connection of before the feed's epoch is made anew
$nginx->wait_log(qr/the feed is live/);

is(get(put()), 200, 'all is well');
is(get(put(), '/uncached/'), 200, 'there, too');

my $connections = connections();


for my $what (sort keys %large) {
    subtest "$what: that token is refused, the others are answered" => sub {
        my $large = put($large{$what}->());

        # all in one pipeline

        my @all = map { (put(), $large, "npm_nobody$what$_" =~ tr/ ,/__/r) }
            1 .. 20;
        my $before = waited();

        $redis->pause;

        my @clients = map { start_get($_) } @all;

        wait_for { waited() == $before + @all } 'all wait';
        $redis->resume;

        is_deeply([ map { reason($_) } @clients ],
                  [ ('200', '403 bad_record', '401 unknown') x 20 ],
                  'as they should be');
        is(connections(), $connections, 'on the connection that there was');

        $redis->command('CONFIG', 'RESETSTAT');

        is(get($large), '403 bad_record', 'again') for 1 .. 3;
        is(calls(), 0, 'and it is not read again');

        is(get($large, '/uncached/'), '403 bad_record', 'without a cache')
            for 1 .. 3;

        is(connections(), $connections, 'on the connection that there was');

        $redis->put_token($large, user => 'alice');
        wait_for { get($large) eq '200' } 'the change';
        pass('it is good as soon as it is smaller');
    };
}


subtest 'a record over four megabytes costs a connection once' => sub {
    my $large = put(x_note => 'x' x 5_000_000);
    my @all = map { (put(), $large) } 1 .. 10;
    my $before = waited();

    $redis->pause;

    my @clients = map { start_get($_) } @all;

    wait_for { waited() == $before + @all } 'all wait';
    $redis->resume;

    is_deeply([ map { reason($_) } @clients ], [ (200, '403 bad_record') x 10 ],
              'all are answered');
    like($nginx->error_log, qr/the reply is too large/, 'it was closed');

    is(get(put()), 200, 'there is another one');

    my $now = connections();

    isnt($now, $connections, '... which is not the one of before');
    is(get($large), '403 bad_record', 'again') for 1 .. 3;
    is(connections(), $now, 'and that goes on');
};


subtest 'what ends is refused until then' => sub {
    my $large = put(x_note => 'x' x 100_000);

    $redis->command('PEXPIRE', $redis->record_name($large), 1500);
    is(get($large), '403 bad_record', 'it is there');

    wait_for { get($large) eq '401 unknown' } 'the end';
    pass('then it is unknown');
};


subtest 'it is logged once, not at each use' => sub {
    my $large = put(x_note => 'x' x 100_000);

    is(get($large, '/uncached/'), '403 bad_record', 'refused') for 1 .. 20;
    is(lines($large), 1, 'one line');

    $redis->put_token($large, usr => 'alice');
    is(get($large, '/uncached/'), '403 bad_record', 'refused') for 1 .. 20;
    is(lines($large), 2, 'another one for another reason');

    $redis->put_token($large, user => 'alice');
    is(get($large, '/uncached/'), '200', 'good again');

    $redis->put_token($large, usr => 'alice');
    is(get($large, '/uncached/'), '403 bad_record', 'refused') for 1 .. 20;
    is(lines($large), 3, 'and one if it was good meanwhile');
};


my ($worker) = $nginx->worker_pids;
my ($rss) = read_file("/proc/$worker/status") =~ /^VmHWM:\s+(\d+)/m;

cmp_ok($rss, '<', 40_000, "nothing of it was kept in memory ($rss kB)");

ok($nginx->quit, 'nginx quits');

done_testing;
