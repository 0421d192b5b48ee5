# What stands before Redis or has been taken out of it: commands that a proxy
# ends the connection at, commands that are not there, connections that are
# reset. What the log says of it is for whoever has to act.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep time );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Relay qw( twemproxy );
use NpmToken::Server;
use NpmToken::Util qw( token_key wait_for );

my $redis = NpmToken::Redis->new;


sub lines {
    my ($node, $pattern) = @_;

    return scalar(() = $node->error_log =~ /$pattern/g);
}


# twemproxy 0.5 knows neither CLIENT nor ROLE nor INFO

subtest 'a proxy that closes at an unknown command is used without it' => sub {
    my $node = NpmToken::Node->new(
        url     => 'redis://127.0.0.1:' . twemproxy($redis->port),
        store   => 'push off; revocation_bound 10ms;',
        feed    => 0,
        workers => 1,
    );

    $redis->put_token('npm_proxied', user => 'alice');

    is($node->ask('npm_proxied'), '200 miss', 'the first request is answered');
    is($node->ask('npm_other'), '401 miss', 'and the next one');

    for my $command ('CLIENT SETNAME', 'ROLE') {
        is(lines($node, qr/\[warn\].*closed\ the\ connection\ at\ "\Q$command\E",\ which
                           \ is\ not\ sent\ again:\ \w+/x), 1,
           "the log says once that $command is left out");
    }

    unlike($node->error_log, qr/\[error\](?!.* denied)/, 'that is no error');

    ok($node->quit, 'nginx quits');
};


subtest 'with push on it works as with push off, and is tried more seldom'
=> sub {
    my $node = NpmToken::Node->new(
        url     => 'redis://127.0.0.1:' . twemproxy($redis->port),
        store   => 'revocation_bound 300ms;',
        feed    => 0,
        workers => 1,
    );

    wait_for { $node->ask('npm_proxied') eq '200 miss' } 'an answer';
    is($node->lives('npm_proxied', 0.3, 'a record', none => 1), '200 miss',
       'a record has the bound');

    my $line = $node->wait_log(qr/\[warn\].*works as with "push off"/);

    like($line, qr/does not say by INFO which server it is/, 'the log says why');

    $node->wait_log(qr/the next attempt is in 4 s/);
    is(lines($node, qr/works as with "push off"/), 3, 'three attempts');
    is(lines($node, qr/\[warn\].*works as with "push off"/), 1,
       'one of them a warning');
    is($node->live, 0, 'no feed is called live');
    ok($node->quit, 'nginx quits');
};


# What closes at all, since nothing is behind it, is no reason to leave
# anything out once there is.

subtest 'an outage behind a proxy leaves nothing out' => sub {
    my $relay = NpmToken::Relay->new(to => $redis->port);
    my $node = NpmToken::Node->new(
        url   => 'redis://127.0.0.1:' . $relay->port,
        store => 'lookup_timeout 5s;',
    );

    $node->cache('npm_proxied');

    $redis->stop;
    $node->wait_log(qr/\[error\].*closed by redis .*npmtoken-feed/);
    is($node->ask('npm_new', timeout => 20), '503 miss', 'not now')
        for 1 .. 2;

    $node->renewed(sub { $redis->start });
    $redis->put_token('npm_proxied', user => 'alice');

    my $live = $node->live;

    # and what was, for a moment, is asked again when it is connected anew
    $node->renewed(sub { $relay->reset });

    wait_for {
        $node->ask('npm_proxied') =~ /\A200/;
        clients($redis, 'npmtoken-feed');
    } 'a named connection';

    $node->cache('npm_proxied');
    ok(scalar(clients($redis, 'npmtoken-lookup')), 'the look-ups have a name');
    ok($node->quit, 'nginx quits');
};


# Managed Redis often has it so.

subtest 'rename-command CLIENT ""' => sub {
    my $renamed = NpmToken::Redis->new(
        config => qq{rename-command CLIENT ""\n});

    $renamed->put_token('npm_renamed', user => 'alice');

    my $node = NpmToken::Node->new(
        redis   => $renamed,
        store   => 'revocation_bound 300ms;',
        feed    => 0,
        workers => 1,
    );

    $node->cache('npm_renamed');
    is($node->lives('npm_renamed', 0.3, 'a record'), '200 miss',
       'a record has the bound');

    my $line = $node->wait_log(qr/\[warn\].*works as with "push off"/);

    like($line, qr/"ERR" on the feed \(unknown command 'CLIENT'\)/,
         'the log has what Redis said');
    unlike($node->error_log, qr/args beginning/, '... but not what it repeats');

    $node->wait_log(qr/the next attempt is in 2 s/);

    my $before = lines($node, qr/on the feed/);

    unlike($node->error_log, qr/\[error\](?!.* denied)/, 'that is no error');
    is($before, 2, 'it is tried ever more seldom');
    ok($node->quit, 'nginx quits');
};


subtest 'a reset of an idle connection is its end, as FIN is' => sub {
    my $relay = NpmToken::Relay->new(to => $redis->port);
    my $node = NpmToken::Node->new(
        url     => 'redis://127.0.0.1:' . $relay->port,
        store   => 'push off;',
        feed    => 0,
        workers => 1,
    );

    is($node->ask('npm_idle1'), '401 miss', 'a look-up');
    is($relay->reset, 1, 'its connection is reset');

    $node->wait_log(qr/\[info\].*redis closed an idle connection/);
    is($node->ask('npm_idle2'), '401 miss', 'the next look-up');
    like($node->error_log, qr/\[info\].*Connection reset by peer/,
         'the reset is seen');
    unlike($node->error_log, qr/\[(?:error|warn|crit)\](?!.* denied)/,
           'that is no error');
    ok($node->quit, 'nginx quits');
};


subtest 'a feed that does not last is not told as if all were well' => sub {
    my $relay = NpmToken::Relay->new(to => $redis->port);
    my $node = NpmToken::Node->new(
        url     => 'redis://127.0.0.1:' . $relay->port,
        workers => 1,
    );

    for my $n (1 .. 5) {
        is(lines($node, qr/\[warn\].*the feed does not last/), $n > 3 ? 1 : 0,
           'lost ' . ($n - 1) . ' times');
        $node->renewed(sub { $relay->reset });
    }

    like($node->error_log, qr/does\ not\ last:\ it\ was\ lost\ 3\ times\ in\ a\ row,\ each
                              \ within\ 30\ s/x, 'what it says');
    ok($node->quit, 'nginx quits');
};


# What a Redis says of a command may have the command's words in it: those of
# AUTH, or the name of a record.

subtest 'what Redis says is logged, and no secret' => sub {
    my $secret = 'sEcReT';
    my $say;

    my $fake = NpmToken::Server->redis(sub {
        my ($client, $name, @args) = @_;

        my $with = join ' ', map { "'$_'" } @args;

        return "-ERR unknown command '$name', with args beginning with: $with"
            . "\r\n" if $name eq 'AUTH' && $args[0] eq 'user';
        return "-WRONG password $args[0]\r\n"
            if $name eq 'AUTH' && $args[0] ne 'good';
        return "-NOPERM \0 $args[0] is no key for you\r\n"
            if $name eq 'HGETALL';
        return "-ERR \e[31mred\r\n" if $name eq 'PTTL';

        return NpmToken::Server::greeting($name, @args);
    });

    for (
        [ "redis://user:$secret\@", qr/"ERR" \(to AUTH\)/ ],
        [ "redis://:$secret\@", qr/"WRONG" \(to AUTH\)/ ],
        [ 'redis://:good@', qr/"NOPERM"\ \(nothing\ else\):\ give\ its\ user
                               .*"Redis\ users"/x ],
    ) {
        my ($url, $expected) = @$_;

        my $node = NpmToken::Node->new(
            url     => "${url}127.0.0.1:" . $fake->port,
            store   => 'push off; lookup_timeout 100ms;',
            feed    => 0,
            workers => 1,
        );

        is($node->ask('npm_said'), '503 miss', 'unavailable');
        like($node->wait_log(qr/redis answered/), $expected, 'as it is said');
        unlike($node->error_log, qr/$secret/, 'no password');
        unlike($node->error_log, qr/[\e\0]|31mred/, 'nothing for a terminal');
        my $key = token_key('npm_said');
        unlike($node->error_log, qr/@{[ substr $key, 0, 9 ]}/, 'no whole key');
        ok($node->quit, 'nginx quits');
    }
};


done_testing;
