# A Redis that answers what no Redis should: no reply lets a request through,
# none takes nginx down, and a good one is understood however it is cut.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time );

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::Nginx;
use NpmToken::Server;
use NpmToken::Util qw( read_file temp_dir token_key wait_for write_file );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $mode = temp_dir() . '/mode';
my $good_token = 'npm_good';
my $good_key = 'npmtoken:token:' . token_key($good_token);


sub bulk { return map { '$' . length . "\r\n$_\r\n" } @_ }

sub hash { return '*' . @_ . "\r\n" . join '', bulk(@_) }

my $record = hash(user => 'alice');


# What each reply is to. The server looks up in a file what it is to be like,
# so that one server and one nginx see them all.

my %replies = (
    good => sub {
        my ($name, $key) = @_;

        return $name eq 'PTTL' ? ":-1\r\n"
            : $key eq $good_key ? $record : "*0\r\n";
    },

    split => sub {
        my ($name, $key) = @_;

        return [ split //, $name eq 'PTTL' ? ":-1\r\n"
                 : $key eq $good_key ? $record : "*0\r\n" ];
    },

    # what HGETALL gets; PTTL then gets ":-1"

    garbage      => "this is no protocol\r\n",
    nothing      => "\r\n",
    zeros        => "\0" x 100,
    http         => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    status       => "+OK\r\n",
    integer      => ":1\r\n",
    string       => "\$5\r\nalice\r\n",
    nil          => "\$-1\r\n",
    nil_array    => "*-1\r\n",
    odd          => hash('user'),
    nested       => "*2\r\n\$4\r\nuser\r\n*1\r\n:1\r\n",
    integers     => "*2\r\n:1\r\n:2\r\n",
    nil_value    => "*2\r\n\$4\r\nuser\r\n\$-1\r\n",
    deep         => ("*1\r\n" x 100),
    huge_array   => "*2147483647\r\n",
    huger_array  => "*99999999999999999999\r\n",
    minus_array  => "*-2\r\n",
    many         => "*2000000\r\n" . hash(user => 'alice') x 100,
    huge_bulk    => "*2\r\n\$4\r\nuser\r\n\$2000000000\r\n" . 'x' x 1_000_000,
    huger_bulk   => "*2\r\n\$4\r\nuser\r\n\$99999999999999999999\r\n",
    minus_bulk   => "*2\r\n\$4\r\nuser\r\n\$-5\r\nalice\r\n",
    endless_line => '+' . 'x' x 1_000_000,
    endless_error => '-' . 'x' x 1_000_000,
    letters      => "*x\r\n",
    resp3_map    => "%1\r\n\$4\r\nuser\r\n\$5\r\nalice\r\n",
    resp3_push   => ">2\r\n\$4\r\nuser\r\n\$5\r\nalice\r\n",
    closed       => undef,
    cut          => [ "*2\r\n\$4\r\nuser\r\n\$5\r\nal", undef ],
    cut_head     => [ "*2\r", undef ],
    error        => "-ERR it is not so\r\n",
    loading      => "-LOADING Redis is loading the dataset in memory\r\n",
    moved        => "-MOVED 3999 127.0.0.1:6381\r\n",
    evil_error   => "-\e[31mX\n\"evil\" \r\n",
    busy         => "-BUSY Redis is busy running a script\r\n",
);

# what PTTL gets, when HGETALL has been answered as it should be

my %ttls = (
    ttl_status  => "+OK\r\n",
    ttl_string  => "\$2\r\n-1\r\n",
    ttl_nil     => "\$-1\r\n",
    ttl_array   => "*1\r\n:-1\r\n",
    ttl_garbage => "soon\r\n",
    ttl_error   => "-ERR no\r\n",
    ttl_huge    => ":99999999999999999999\r\n",
    ttl_closed  => undef,
    ttl_over    => "*100000\r\n",
    ttl_letters => ":abc\r\n",
);

# more than was asked for, behind a good answer

my %extra = (
    extra_reply => "+OK\r\n",
    extra_hash  => hash(user => 'root'),
    extra_noise => "\0\0\0",
);


my $fake = NpmToken::Server->redis(sub {
    my ($client, $name, @args) = @_;

    my $now = read_file($mode) || 'good';

    if ($now =~ /\Agreeting (.*)\z/s) {
        my $reply = $1;

        return $name =~ /\A(?:CLIENT|ROLE)\z/ ? $reply : undef;
    }

    if (my $reply = NpmToken::Server::greeting($name, @args)) {
        return $now eq 'split' ? [ split //, $reply ] : $reply;
    }

    if (exists $ttls{$now}) {
        return $name eq 'PTTL' ? $ttls{$now} : $record;
    }

    if (exists $extra{$now}) {
        return $name eq 'PTTL' ? ":-1\r\n$extra{$now}" : $record;
    }

    my $reply = $replies{$now};

    return $reply->($name, @args) if ref $reply eq 'CODE';

    return $name eq 'PTTL' ? ":-1\r\n" : $reply;
});

my $port = $fake->port;

my $nginx = NpmToken::Nginx->new(
    http => <<"_EOC_",
    npmtoken_store main {
        redis redis://127.0.0.1:$port;
        lookup_timeout 1s;
        cache off;
    }
_EOC_
    server => 'location / { npmtoken main; empty_gif; }',
);

my ($worker) = wait_for { ($nginx->worker_pids)[0] } 'a worker';


sub be {
    write_file("$mode.new", shift);
    rename "$mode.new", $mode;
}


sub get { return $nginx->get('/', Authorization => 'Bearer ' . shift) }


sub recovers {
    my $name = shift;

    be('good');

    eval {
        wait_for { get($good_token)->{status} == 200 } 'a good answer';
        1;
    } or return fail("$name: recovers: $@");

    is(get('npm_nobody')->{status}, 401, "$name: recovers");
}


recovers('at first');


subtest 'a reply in single bytes' => sub {
    be('split');

    is(get($good_token)->{status}, 200, 'a record');
    is(get('npm_nobody')->{status}, 401, 'none');

    recovers('split');
};


# over a limit: a record that cannot be used, and never one that can

my %bad_record = map { $_ => 1 }
    qw( deep huge_array many huge_bulk endless_line endless_error );

for my $name (sort grep { !/\A(?:good|split)\z/ } keys %replies) {
    subtest "HGETALL: $name" => sub {
        be($name);

        # twice: a look-up that is sent again must not fare better

        for (1, 2) {
            my $start = time;
            my $r = get("npm_$name$_");

            if ($bad_record{$name}) {
                is($r->{status}, 403, 'refused');
                like($r->{body}, qr/"reason":"bad_record"/, 'as bad record');

            } else {
                is($r->{status}, 503, 'refused');
                like($r->{body}, qr/"reason":"unavailable"/,
                     'as unavailable');
            }

            cmp_ok(time - $start, '<', 5, 'in time');
        }

        recovers($name);
    };
}


for my $name (sort keys %ttls) {
    subtest "PTTL: $name" => sub {
        be($name);

        for (1, 2) {
            my $r = get("npm_$name$_");

            is($r->{status}, 503, 'refused');
        }

        recovers($name);
    };
}


for my $name (sort keys %extra) {
    subtest "more than asked for: $name" => sub {
        be($name);

        # the answer was good: it may be used; what is behind it may not

        my $status = get($good_token)->{status};

        like($status, qr/\A(?:200|503)\z/, 'answered');
        like($nginx->error_log,
             qr/\[(?:error|info)\].*(?:an unexpected|a malformed) reply/,
             'the connection is closed');

        recovers($name);
    };
}


for my $case (
    [ 'an error'    => "-ERR unknown command\r\n" ],
    [ 'garbage'     => "what\r\n" ],
    [ 'no reply'    => '' ],
    [ 'a huge bulk' => "\$2000000000\r\n" . 'x' x 100_000 ],
    [ 'an array'    => "*3\r\n:1\r\n:2\r\n:3\r\n" ],
    [ 'an empty array' => "*0\r\n" ],
    [ 'a huge array' => "*2147483647\r\n" ],
) {
    my ($name, $reply) = @$case;

    subtest "greeting: $name" => sub {
        be('garbage');
        get("npm_greeting_$name" =~ tr/ /_/r);

        # connections made from now on hear this, and nothing after it

        be("greeting $reply");

        my $r = get("npm_greeting2_$name" =~ tr/ /_/r);

        is($r->{status}, 503, 'refused');
        recovers($name);
    };
}


subtest 'many requests wait when it goes wrong' => sub {
    for my $name (qw( garbage cut huge_bulk closed nested )) {
        be('good');
        recovers($name);

        my @connections;

        be($name);

        for (1 .. 50) {
            my $c = NpmToken::HTTP1->new($nginx->port);

            $c->request('GET', '/', { Authorization => "Bearer npm_$name$_" });
            push @connections, $c;
        }

        my %seen;

        $seen{ $_->response->{status} }++ for @connections;

        is_deeply([ grep { !/\A(?:403|503)\z/ } keys %seen ], [],
                  "$name: " . join ' ', %seen);
    }

    recovers('many');
};


is_deeply([ $nginx->worker_pids ], [ $worker ], 'it was one worker all along');

unlike($nginx->error_log, qr/evil|\e\[31m/, 'nothing it said is in the log');

my ($rss) = read_file("/proc/$worker/status") =~ /^VmHWM:\s+(\d+)/m;

cmp_ok($rss, '<', 60_000, "and it never took much memory ($rss kB)");

done_testing;
