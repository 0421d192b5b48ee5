# The least rights that are enough, and what follows where they are not: no
# feed, and then a cached record is good for the bound alone.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time sleep );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw( read_file token_key wait_for );


# the rights of a user in the documentation

sub rights_of {
    my ($user, $page) = @_;

    # a block before "Redis users" is that of "proof_replicas": t/276 tries it

    my $text = read_file($page // 'docs/redis.md')
        =~ s/\A.*^## Redis users$//msr;

    my ($rights) = $text
        =~ /^redis-cli ACL SETUSER $user on '>PASSWORD' (.*?[^\\])$/ms
        or die "there is no line of $user\n";

    return $rights =~ s/\\?\s+/ /gr =~ tr/'//dr;
}

# those, and less: Redis 7 can say that it is about reading

my $documented = rights_of('npmtoken');
my $reader = $documented =~ s/ ~/ %R~/r;

my %rights = (
    documented  => $documented,
    issuer      => rights_of('npmissuer'),
    api         => rights_of('npmtoken-api', 'docs/api.md'),
    ctl         => rights_of('npmtokenctl'),
    reader      => $reader,
    bare        => $reader =~ s/ \+client\|setname| \+role//gr,
    untracked   => $reader =~ s/ \+client\|tracking//r,
    unsubscribed => $reader =~ s/ \+subscribe//r,
    channelless => $reader =~ s/ &\S+//r,
    pingless    => $reader =~ s/ \+ping//r,
    infoless    => $reader =~ s/ \+info//r,
    idless      => $reader =~ s/ \+client\|id//r,
    ttlless     => $reader =~ s/ \+pttl//r,
);

my $redis = NpmToken::Redis->new(
    auth   => ['secret'],
    config => join '', "requirepass secret\n",
        map { "user $_ on >secret $rights{$_}\n" } sort keys %rights,
);

sub url {
    my ($user, $tcp) = @_;

    return "redis://$user:secret\@127.0.0.1:" . $redis->port if $tcp;

    return 'unix:' . $redis->socket . "; redis_user $user;"
        . " redis_password_file $redis->{dir}/password";
}

NpmToken::Util::write_file("$redis->{dir}/password", "secret\n");


for my $tcp (0, 1) {
    for my $user ('documented', 'reader', 'bare') {
        my $over = $tcp ? 'TCP' : 'unix';

        subtest "user $user over $over" => sub {
            my $node = NpmToken::Node->new(
                redis => $redis,
                url   => url($user, $tcp),
                store => 'revocation_bound 1h;',
            );

            $redis->put_token('npm_least', user => 'alice');
            $node->sync;
            is($node->cache('npm_least'), '200 hit', 'a record is cached');

            $redis->del_token('npm_least');

            quickly { $node->ask('npm_least') =~ /\A401/ } 'it is revoked';

            $redis->put_token('npm_least', user => 'alice');

            quickly { $node->ask('npm_least') =~ /\A200/ } 'it is made';

            is($node->live, 1, 'in one session');
            unlike($node->error_log, qr/\[(?:error|crit)\] \d+#\d+: \*\d+ redis/,
                   'with no error');
            ok($node->quit, 'it quits');
        };
    }
}


# TTL is part of what makes a record good
subtest 'no PTTL' => sub {
    my $node = NpmToken::Node->new(
        redis => $redis,
        url   => url('ttlless'),
    );

    $redis->put_token('npm_ttl', user => 'alice');

    is($node->ask('npm_ttl'), '503 miss', 'no look-up');
    $node->wait_log(qr/redis answered "NOPERM"/);
    ok($node->quit, 'it quits');
};


for my $user (qw( untracked unsubscribed channelless idless infoless
                   pingless )) {
    subtest "no proof: $user" => sub {
        # the epoch of a feed that may not PING begins, and is never proven

        my $begun = $user eq 'pingless';

        my $node = NpmToken::Node->new(
            redis => $redis,
            feed  => 0,
            url   => url($user, 1),
            store => 'revocation_bound 400ms;',
        );

        $redis->put_token('npm_unfed', user => 'alice');

        my $start = time;

        like($node->wait_log(qr/redis answered "NOPERM"/), qr/on the feed/,
             'the log says why');

        is($node->live, 0, 'no feed is called live');

        if (!$begun) {
            my $sent;

            wait_for {
                $sent = time;
                $node->ask('npm_unfed') eq '200 miss';
            } 'a miss';

            # a look-up may be used for the bound since it was sent
            is($node->lives('npm_unfed', 0.4, $user), '200 miss',
               'then it is looked up again');

            is($node->live, 0, 'there is no epoch');
        }

        like($node->error_log, qr/\[warn\].* on the feed.*"push off"/,
             'and what follows from it');

        $redis->del_token('npm_unfed');

        my $deleted = time;
        my $late = 0;

        while ((my $began = time) < $deleted + 0.6) {
            $late++ if $node->ask('npm_unfed') =~ /\A200/
                && $began > $deleted + 0.4;

            sleep 0.005;
        }

        is($late, 0, 'a revocation is enforced within the bound');

        # an outage is told once, and one that lasts is no rush of connections

        my $seconds = time - $start;
        my $errors = () = $node->error_log =~ /\[error\].* on the feed/g;

        cmp_ok($errors, '<=', 2 + $seconds, "$errors errors in "
               . sprintf('%.1f', $seconds) . ' s');

        ok($node->quit, 'it quits');
    };
}


# with push off it needs less

subtest 'push off' => sub {
    my $node = NpmToken::Node->new(
        redis => $redis,
        feed  => 0,
        url   => url('untracked'),
        store => 'push off; revocation_bound 400ms;',
    );

    $redis->put_token('npm_unpushed', user => 'alice');

    is($node->ask('npm_unpushed'), '200 miss', 'a miss');
    is($node->lives('npm_unpushed', 0.4, 'push off'), '200 miss',
       'then a look-up a bound');

    is(scalar(clients($redis, 'npmtoken-feed')), 0, 'there is no feed');
    unlike($node->error_log, qr/\[error\]/, 'and no error');
    ok($node->quit, 'it quits');
};


# A right that is documented is one that something above misses, or that is
# said to be for the log alone.

subtest 'each right of a node is needed' => sub {
    my %missed = map { $_ => 1 } map {
        my %less = map { $_ => 1 } split / /, $rights{$_};
        grep { !$less{$_} } split / /, $reader;
    } grep { /less\z|bare|untracked|unsubscribed/ } keys %rights;

    is_deeply([grep { !$missed{$_} } $reader =~ /([+&]\S+)/g], ['+hgetall'],
              'but for that of a look-up each is taken away above');
};


# What Redis itself says that a user may run, of all its commands and their
# subcommands. A key of another store, or of something else, is none of it.

SKIP: {
    skip 'this Redis cannot be asked what a user may do', 1
        if !eval { $redis->command(ACL => DRYRUN => 'default', 'PING') };

    for my $user (qw( documented api ctl issuer )) {
        subtest "the user $user may do what is documented, and no more"
        => sub {
            my @may = sort $rights{$user} =~ /\+(\S+)/g;
            my (@granted, $n);

            for my $command (@{ $redis->command('COMMAND') }) {

                # who is not known yet may say these
                next if grep { $_ eq 'no_auth' } @{ $command->[2] };

                my @subs = map { [ $_->[0], $_->[1] ] }
                    ref $command->[9] ? @{ $command->[9] } : ();

                for (@subs ? @subs : [ @$command[0, 1] ]) {
                    my ($name, $arity) = @$_;
                    my @words = split /\|/, $name;
                    my @args = ('x') x (abs($arity) - @words);

                    eval {
                        my $answer = $redis->command(ACL => DRYRUN => $user,
                                                     @words, @args);

                        push @granted, $name
                            if $answer !~ /permissions to run the/;
                        $n++;
                    };
                }
            }

            cmp_ok($n, '>', 200, "of $n commands");
            is_deeply([sort @granted], \@may, 'these');
        };
    }

    subtest 'keys and channels' => sub {
        my $dry = sub { $redis->command(ACL => DRYRUN => @_) };
        my $no_key = qr/no permissions to access the .* key/;
        my $no_channel = qr/no permissions to access the .* channel/;

        is($dry->(documented => HGETALL => 'npmtoken:token:x'), 'OK',
           'a node reads a record');
        like($dry->(documented => HGETALL => $_), $no_key, "and not $_")
            for 'npmtoken:user:x', 'other:token:x', 'x';
        is($dry->(documented => SUBSCRIBE => '__redis__:invalidate'), 'OK',
           'it hears of changes');
        like($dry->(documented => SUBSCRIBE => $_), $no_channel, "and not $_")
            for 'x', '__keyspace@0__:x';

        is($dry->(issuer => HSET => 'npmtoken:token:x', 'user', 'x'), 'OK',
           'an issuer makes a record');
        like($dry->(issuer => HSET => 'other:token:x', 'user', 'x'), $no_key,
             'and nothing else');
        like($dry->(issuer => DEL => 'npmtoken:token:x', 'x'), $no_key,
             'also not beside one');
    };
}


# and does with them what it is for

subtest 'an issuer makes, changes and revokes tokens' => sub {
    my $issuer = bless { %$redis, auth => ['issuer', 'secret'] },
        ref $redis;

    delete $issuer->{connection};

    my $name = $redis->record_name('npm_issued');

    for my $command (
        [ HSET => $name, user => 'alice', readonly => 'true' ],
        [ HGETALL => $name ], [ HDEL => $name, 'readonly' ],
        [ EXPIRE => $name, 100 ], [ PTTL => $name ], [ PERSIST => $name ],
        [ EXPIREAT => $name, int(time) + 100 ], [ SCAN => 0 ],
        [ DEL => $name ],
    ) {
        ok(defined eval { $issuer->command(@$command) }, $command->[0])
            or diag($@);
    }
};


done_testing;
