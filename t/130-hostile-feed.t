# A feed on which comes what no Redis sends: the session ends with a line in
# the log, nothing is proven by it, and nothing worse happens. What a good
# Redis sends is understood however it is cut.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node poll => 1;
use NpmToken::Redis;
use NpmToken::Server;
use NpmToken::Util qw( read_file temp_dir token_key wait_for write_file );

my $file = temp_dir() . '/mode';
my $prefix = 'npmtoken:token:';


sub bulk { return map { '$' . length . "\r\n$_\r\n" } @_ }

sub array { return '*' . @_ . "\r\n" . join '', @_ }

sub message {
    my $names = shift;

    return array(bulk('message', '__redis__:invalidate'), $names);
}

sub invalidation { return message(array(bulk(map { $prefix . $_ } @_))) }


# What PING gets; "%" is the nonce and "%-" the one before. The rest is as it
# should be.

my $pong = array(bulk('pong', '%'));
my $key = token_key('npm_good');

my %ping = (
    'garbage'          => "this is no protocol\r\n",
    'an empty line'    => "\r\n",
    'zeros'            => "\0" x 100,
    'HTTP'             => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    'a status'         => "+PONG\r\n",
    'an integer'       => ":1\r\n",
    'a string'         => bulk('%'),
    'nil'              => "\$-1\r\n",
    'a nil array'      => "*-1\r\n",
    'an empty array'   => "*0\r\n",
    'an error'         => "-ERR no\r\n",
    'BUSY'             => "-BUSY Redis is busy running a script\r\n",
    'MASTERDOWN'       => "-MASTERDOWN Link with MASTER is down\r\n",
    'an evil error'    => "-\e[31mX\t\"evil\" \r\n",
    'another nonce'    => array(bulk('pong', '99999999')),
    'the last nonce'   => array(bulk('pong', '%-')),
    'no nonce'         => array(bulk('pong', '')),
    'a negative nonce' => array(bulk('pong', '-%')),
    'a long nonce'     => array(bulk('pong', '9' x 100)),
    'nil as nonce'     => array(bulk('pong'), "\$-1\r\n"),
    'integer as nonce' => array(bulk('pong'), ":%\r\n"),
    'pong alone'       => array(bulk('pong')),
    'pong and more'    => array(bulk('pong', '%', 'x')),
    'two pongs'        => $pong x 2,
    'pong in capitals' => array(bulk('PONG', '%')),
    'what was asked'   => array(bulk('PING', '%')),
    'integers'         => array(":1\r\n", ":2\r\n"),
    'a string of names' => message(bulk("$prefix$key")),
    'an integer of names' => message(":1\r\n"),
    'a status of names' => message("+OK\r\n"),
    'a number as name' => message(array(bulk("$prefix$key"), ":1\r\n")),
    'nil as name'      => message(array("\$-1\r\n")),
    'names in names'   => message(array(array(bulk("$prefix$key")))),
    'no names'         => array(bulk('message', '__redis__:invalidate')),
    'names and more'   => array(bulk('message', '__redis__:invalidate'),
                                array(bulk("$prefix$key")), ":1\r\n"),
    'another channel'  => array(bulk('message', 'other'), array()),
    'another message'  => array(bulk('pmessage', '__redis__:invalidate'),
                                array()),
    'an unsubscription' => array(bulk('unsubscribe', '__redis__:invalidate'),
                                 ":0\r\n"),
    'depth'            => "*1\r\n" x 100,
    'more depth'       => "*1\r\n" x 100_000,
    'a huge array'     => "*2147483647\r\n",
    'a larger array'   => "*2147483648\r\n",
    'a huger array'    => "*99999999999999999999\r\n",
    'less than nil'    => "*-2\r\n",
    'huge names'       => array(bulk('message', '__redis__:invalidate'),
                                "*2147483647\r\n"),
    'a huge name'      => array(bulk('message', '__redis__:invalidate'),
                                "*1\r\n\$2000000000\r\n" . 'x' x 4_300_000),
    'a huger name'     => array(bulk('message'),
                                "\$99999999999999999999\r\n"),
    'a negative name'  => array(bulk('message'), "\$-5\r\nalice\r\n"),
    'an endless line'  => '+' . 'x' x 4_300_000,
    'letters'          => "*x\r\n",
    'a RESP3 push'     => ">2\r\n" . join('', bulk('invalidate'), "_\r\n"),
    'a RESP3 null'     => message("_\r\n"),
    'the end'          => undef,
    'the end in a head' => [ "*2\r", undef ],
    'the end in a pong' => [ substr($pong, 0, 12), undef ],
    'the end in names' => [ substr(invalidation($key), 0, 70), undef ],
    'a pong, and noise' => "$pong\0\0\0",
);

# the same of what comes before

my %handshake = (
    id => {
        'a status'       => "+OK\r\n",
        'a string'       => bulk('7'),
        'nil'            => "\$-1\r\n",
        'an array'       => array(":7\r\n"),
        'NOPERM'         => "-NOPERM this user has no permissions\r\n",
        'the end'        => undef,
        'two'            => ":7\r\n:7\r\n",
    },
    tracking => {
        'an integer'     => ":1\r\n",
        'another status' => "+QUEUED\r\n",
        'an error'       => "-ERR no such client\r\n",
        'NOPERM'         => "-NOPERM this user has no permissions\r\n",
        'the end'        => undef,
        'a message too early' => "+OK\r\n+OK\r\n",
    },
    subscribe => {
        'a status'       => "+OK\r\n",
        'another channel' => array(bulk('subscribe', 'other'), ":1\r\n"),
        'an error'       => "-NOPERM this user has no permissions\r\n",
        'the end'        => undef,
        'a pong'         => array(bulk('pong', '1')),
        'something else' => array(bulk('psubscribe', '__redis__:invalidate'),
                                  ":1\r\n"),
    },
);


# A file says at which command to say what: STAGE, a line feed, the key in that
# list. Where there is nothing in it, all is well.

my @replies = (\%ping, @handshake{qw( id tracking subscribe )});
my @stages = qw( ping id tracking subscribe );

# What a good Redis says along with its PONG.

my %good = (
    split => sub { invalidation($key) . shift },     # byte by byte
    names => sub { invalidation('0' x 128, $key) . shift },
    other => sub { invalidation('short', 'f' x 128, 'x' x 300, '') . shift },
    none  => sub { message("*0\r\n") . shift },
    all   => sub { message("\$-1\r\n") . shift },
    after => sub { shift() . invalidation($key) },
);

sub answer {
    my ($client, $name, @args) = @_;

    my $feed = ($client->{name} // '') eq 'npmtoken-feed';

    if ($name eq 'CLIENT') {
        $client->{name} = $args[1] if $args[0] eq 'SETNAME';

        $name = "$name $args[0]";
    }

    my %stage = ('PING' => 'ping', 'CLIENT ID' => 'id',
                 'CLIENT TRACKING' => 'tracking', 'SUBSCRIBE' => 'subscribe');

    my $stage = $stage{$name} // '';
    my ($at, $what) = split /\n/, read_file($file), 2;

    $at //= '';

    my $good = $stage eq 'id' ? ":7\r\n"
        : $stage eq 'subscribe' ? array(bulk('subscribe', '__redis__:invalidate'),
                                        ":1\r\n")
        : $stage eq 'ping' ? $pong
        : $name eq 'HGETALL' && $args[0] eq "$prefix$key"
                           ? array(bulk('user', 'alice'))
        : $name eq 'HGETALL' ? "*0\r\n"
        : $name eq 'PTTL' ? ":-1\r\n"
        : NpmToken::Server::greeting($name =~ /(\S+)/, @args);

    my $reply = $good;

    if ($stage && $at eq $stage) {
        my ($list) = map { $replies[$_] }
            grep { $stages[$_] eq $stage } 0 .. $#stages;

        $reply = $list->{$what};

    } elsif ($stage eq 'ping' && $at eq 'good') {

        # once a session
        $reply = $good{$what}->($good) if !$client->{$what}++;

    } elsif ($stage eq 'ping' && $at ne '') {

        # the stage is reached by a session that ends
        return undef;
    }

    return $reply if $stage ne 'ping' || !defined $reply;

    my $cut = $at eq 'good' && $what eq 'split';
    my @parts = map { defined ? nonce($_, $args[0]) : undef }
        ref $reply ? @$reply : $reply;

    return $cut ? [ map { split // } @parts ] : \@parts;
}

sub nonce {
    my ($reply, $nonce) = @_;

    my %bulk = ('%' => $nonce, '%-' => $nonce - 1, '-%' => "-$nonce");

    $reply =~ s/\$\d+\r\n(-?%-?)\r\n/(bulk($bulk{$1}))[0]/ge;

    return $reply =~ s/%/$nonce/gr;
}

sub mode {
    my $text = join "\n", @_;

    write_file("$file.new", $text);
    rename "$file.new", $file or die;
}


mode();

my $fake = NpmToken::Server->redis(\&answer);

my $node = NpmToken::Node->new(
    url   => 'redis://127.0.0.1:' . $fake->port,
    store => 'revocation_bound 100ms; cache_ttl 1h; lookup_timeout 10s;'
             . ' connect_timeout 10s;',
);

my @workers = $node->workers;

is($node->cache('npm_good'), '200 hit', 'all is well');


sub kilobytes {
    my ($rss) = read_file("/proc/$_[0]/status") =~ /^VmHWM:\s+(\d+) kB/m;

    return $rss;
}


for my $i (0 .. $#stages) {
    my ($stage, $replies) = ($stages[$i], $replies[$i]);

    for my $what (sort keys %$replies) {
        my $live = $node->live;
        my $line;

        $node->{seen} = length $node->error_log;

        my $ok = eval {
            mode($stage, $what);

            # the session that there is ends first, to get to that stage, and
            # then it is a failure in a series

            $node->wait_log(qr/\[error\].*: closed by redis .*npmtoken-feed/)
                if $stage ne 'ping';

            my $level = $stage eq 'ping' ? 'error' : 'info';

            # not by a PING that was never answered, but where so much is sent
            # that a busy machine takes a second for it

            my $slow = length($replies->{$what} // '') > 1_000_000
                ? '| a\ PING\ timed\ out' : '';

            # what a command is refused with ends a session, and no series of
            # failures

            my $refused = ($replies->{$what} // '')
                =~ /\A-(?:ERR|NOPERM|[^A-Z])/;

            # what Redis said is the line of the outage, then

            my ($code) = $refused ? ()
                : ($replies->{$what} // '') =~ /\A-([A-Z]+)/;

            if ($code && $stage eq 'ping') {
                $node->wait_log(
                    qr/\[error\].* redis answered "$code" on the feed/);
                $level = 'info';
            }

            $line = $node->wait_log($refused ? qr{
                \[warn\] .* \ redis\ answered\ "(?:ERR|NOPERM)"
                \ on\ the\ feed\ \(.*\):\ .*the\ store\ works\ as\ with
            }x : qr{
                \[$level\] .* \ redis\ connection\ failed:
                \ (?: an\ unexpected\ reply | a\ malformed\ reply
                    | the\ reply\ is\ too\ large | closed\ by\ redis $slow )
                .* npmtoken-feed
            }x);

            mode();

            $node->wait_log(qr/redis is reached again/)
                if !$refused || $stage ne 'ping';
            $node->wait_live($live + 1);
            1;
        };

        ok($ok, "$stage: $what")
            or diag($@, substr $node->error_log, -3000);

        mode();

        note($line // 'nothing');
    }
}

is($node->cache('npm_good'), '200 hit', 'all is well again');


for my $what (sort keys %good) {
    next if $what eq 'none' || $what eq 'other';

    subtest "understood: $what" => sub {
        $node->cache('npm_good');

        my $live = $node->live;

        mode('good', $what);

        quickly { $node->ask('npm_good') eq '200 miss' } 'it has changed';

        is($node->live, $live, 'in the session that there is');
        mode();
        is($node->cache('npm_good'), '200 hit', 'it is cached again');
    };
}


for my $what ('none', 'other') {
    subtest "understood: $what" => sub {
        my $live = $node->live;

        $node->cache('npm_good');
        mode('good', $what);

        # longer than the bound, so it has been proven meanwhile

        my $start = time;
        my ($hits, $misses) = (0, 0);

        while (time < $start + 0.3) {
            $node->ask('npm_good') eq '200 hit' ? $hits++ : $misses++;
        }

        is($node->live, $live, 'in the session that there is');
        cmp_ok($hits, '>', $misses, "$hits hits, $misses misses");
        mode();
    };
}


is_deeply([$node->workers], \@workers, 'no worker has died');

for my $pid (@workers) {
    my $mb = int(kilobytes($pid) / 1024);

    cmp_ok($mb, '<', 150, "nor used more than $mb MB");
}

unlike($node->error_log, qr/evil/, 'what an error said is not in the log');

ok($node->quit, 'nginx quits');

done_testing;
