# docs/operating.md: its commands, typed as they stand there, while people ask.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw( sleep );

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Util qw(
    free_port project_root read_file temp_dir wait_for write_file
);

my $root = project_root();
my $page = read_file("$root/docs/operating.md");
my $count = 0;

# where Redis is stopped, its socket is not there
my $away = qr/connect\(\) to unix:\S+ failed .* redis/;

system("$root/tools/build-ctl >/dev/null") == 0 or die 'no npmtokenctl';


# the blocks of a section, in their order

sub blocks {
    my $title = shift;

    my ($section) = $page =~ /^## \Q$title\E\n(.*?)(?=^## |\z)/ms
        or die "there is no section \"$title\"";

    return $section =~ /^```sh\n(.*?)^```$/msg;
}


# Programs of the names that the commands have, for the Redis and the nginx of
# this test; systemctl is for run() itself.

sub bin {
    my ($redis, $node) = @_;

    my $bin = temp_dir() . '/bin' . $count++;
    my $path = $ENV{PATH};

    mkdir $bin or die;

    my $program = sub {
        my ($name, $text) = @_;

        write_file("$bin/$name", "#!/bin/sh\nPATH='$path'\n$text\n");
        chmod 0755, "$bin/$name";
    };

    $program->('redis-cli', 'exec redis-cli -s ' . $redis->socket . ' "$@"')
        if $redis;
    $program->('npmtokenctl', 'NPMTOKEN_REDIS=unix:' . $redis->socket
               . " exec $root/build/npmtokenctl --yes \"\$@\"");
    $program->('nginx', '[ "$1" = -t ] && exec nginx -t -q -e stderr -p '
               . $node->dir . ' -c ' . $node->dir . '/nginx.conf' . "\n"
               . '[ "$*" = "-s reload" ] && kill -HUP ' . $node->pid)
        if $node;

    return $bin;
}


sub run {
    my ($bin, $text, %options) = @_;

    my $redis = delete $options{redis};
    my $names = join '|', map { quotemeta } sort { length $b <=> length $a }
        keys %options;

    $text =~ s/($names)/$options{$1}/g if $names;

    for my $part (split /^(systemctl .*\n)/m, $text) {

        if ($part =~ /\Asystemctl (stop|start) redis-server\n/) {
            my $what = $1;
            $redis->$what;
            next;
        }

        next if $part eq '';

        local $ENV{PATH} = "$bin:$ENV{PATH}";

        write_file("$bin/block", $part);

        my $output = `timeout 30 sh -eu $bin/block 2>&1`;

        is($?, 0, 'typed: ' . ($part =~ /\A(.*)/)[0]) or diag($output);
        note($output);
    }
}


# People who ask, each token again and again: for as long as the code runs.
# Returns how often each status came.

sub under_load {
    my ($node, $tokens, $code) = @_;

    my $stop = temp_dir() . '/stop' . $count++;
    my $report = "$stop.report";
    my $pid = fork // die "cannot fork: $!";

    if ($pid == 0) {
        my ($n, %seen) = 0;

        while (!-e $stop) {
            my $token = 'npm_op' . $n++ % $tokens;
            my $r = eval {
                $node->get('/pkg', Authorization => "Bearer $token");
            };

            $seen{ $r ? $r->{status} : 'none' }++;
            sleep 0.002;
        }

        write_file($report, join ' ', map { "$_=$seen{$_}" } sort keys %seen);
        POSIX::_exit(0);
    }

    my $ok = eval { $code->(); 1 };
    my $error = $@;

    write_file($stop, '');
    waitpid $pid, 0;
    die $error if !$ok;

    return read_file($report);
}


# a Redis, and a node whose user is made as docs/redis.md says

sub start {
    my ($tokens, %options) = @_;

    my $etc = temp_dir() . '/etc' . $count++;

    mkdir $etc or die;

    # a replica waits that long for others

    my $redis = NpmToken::Redis->new(%options, config =>
        "repl-diskless-sync-delay 0\n" . ($options{config} // ''));

    write_file("$redis->{dir}/users.acl", '');

    run(bin($redis), "npmtokenctl init worker ctl --passwords $etc || [ \$? = 5"
        . " ]\n");

    $redis->put_token("npm_op$_", user => 'alice') for 0 .. $tokens - 1;

    my $store = "redis_user npmtoken; redis_password_file"
        . " $etc/npmtoken.password; revocation_bound 400ms;";

    return ($redis, $etc, $store);
}


# one that can save its users

sub acl_file {
    my $path = temp_dir() . '/users' . $count++ . '.acl';

    write_file($path, '');

    return (config => "aclfile $path\n");
}


subtest 'a new password for Redis' => sub {
    my ($redis, $etc, $store) = start(300, acl_file());
    my $node = NpmToken::Node->new(redis => $redis, store => $store);
    $node->allow_log($away);

    my $bin = bin($redis, $node);
    my @blocks = blocks('A new password for Redis');

    is(scalar(@blocks), 3, 'three blocks');

    my $old = read_file("$etc/npmtoken.password");

    my $seen = under_load($node, 300, sub {
        run($bin, $blocks[0], '/etc/nginx' => $etc);

        # the old workers may connect again, and so may the new ones

        my $live = $node->live;

        $redis->command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        $redis->command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        $node->wait_live(++$live);

        my %before = map { $_ => 1 } $node->worker_pids;

        run($bin, $blocks[1], '/etc/nginx' => $etc);
        $node->wait_live(++$live);
        wait_for { !grep { $before{$_} } $node->worker_pids }
            'the end of the old workers';
        run($bin, $blocks[2], '/etc/nginx' => $etc);
        $redis->command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        $node->wait_live(++$live);
    });

    like($seen, qr/\A200=\d+\z/, 'everybody was let through');
    isnt(read_file("$etc/npmtoken.password"), $old, 'it is another one');
    ok(!-e "$etc/npmtoken.password.old", 'the old file is gone');

    my ($rules) = grep { /\Auser npmtoken / } @{ $redis->command('ACL', 'LIST') };

    is(scalar(() = $rules =~ / #/g), 1, 'and so is the old password');
    unlike($node->error_log, qr/WRONGPASS|NOAUTH/, 'nobody was sent away');

    # Redis has saved it

    $redis->restart;
    wait_for { $node->ask('npm_none') =~ /\A401/ } 'Redis, restarted';
    ok($node->quit, 'nginx quits');
};


subtest 'new certificates' => sub {
    my ($redis, $etc, $store) = start(1);
    my $port = free_port();

    my $certificate = sub {
        my ($name, $to) = @_;

        system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
               'ec_paramgen_curve:P-256', '-nodes', '-days', 2, '-subj',
               "/CN=$name", '-keyout', "$to.key", '-out', "$to.crt") == 0
            or die 'openssl';
    };

    open my $stderr, '>&', \*STDERR or die;
    open STDERR, '>', '/dev/null' or die;
    $certificate->('first', "$etc/npm");
    $certificate->('second', "$etc/new");
    open STDERR, '>&', $stderr or die;

    my $node = NpmToken::Node->new(
        redis => $redis,
        store => 'revocation_bound 1h; cache_ttl 1h;',
        http  => "server { listen 127.0.0.1:$port ssl; return 204;"
            . " ssl_certificate $etc/npm.crt;"
            . " ssl_certificate_key $etc/npm.key; }",
    );

    my $subject = sub {
        my $text = `openssl s_client -connect 127.0.0.1:$port </dev/null 2>&1`;

        return $text =~ /subject=.*?(\w+)$/m ? $1 : $text;
    };

    is($subject->(), 'first', 'the one');
    $node->cache('npm_op0');

    rename "$etc/new.$_", "$etc/npm.$_" for 'crt', 'key';

    my ($block) = blocks('New certificates');
    my $live = $node->live;

    run(bin($redis, $node), $block);
    wait_for { $subject->() eq 'second' } 'the other one';
    pass('and then the other');
    $node->wait_live($live + 1);
    ok($node->quit, 'nginx quits');
};


for my $aof ('', 'appendonly yes') {
    subtest "backup and restore, $aof" => sub {
        my ($redis, $etc, $store) = start(2, config => "$aof\n");
        my $node = NpmToken::Node->new(redis => $redis, store => $store);
        $node->allow_log($away);

        my $bin = bin($redis, $node);
        my ($backup) = blocks('Backup');
        my ($restore, $after) = blocks('Restore');
        my %paths = (
            '/var/backups'   => $etc,
            '/var/lib/redis' => $redis->{dir},
            'redis:redis'    => "$<",
        );

        $redis->put_token('npm_kept', user => 'alice');
        run($bin, $backup, %paths);
        is((stat "$etc/npmtoken.rdb")[2] & 077, 0, 'it is for its owner');
        like(read_file("$etc/npmtoken.acl"), qr/^user npmtoken on /m,
             'the users, too');

        # after the backup: one is made, one is revoked, and both are cached

        $redis->put_token('npm_made', user => 'bob');
        $redis->del_token('npm_kept');
        $node->sync;
        is($node->cache('npm_made'), '200 hit', 'one that was made since');
        is($node->cache('npm_op0'), '200 hit', 'one of before');

        if ($aof) {
            my $restart = sub {
                $redis->stop;
                $redis->{config} = $_[0];
                rename "$redis->{dir}/appendonlydir", "$etc/appendonlydir";
            };

            $restart->('');
            $redis->{pid} = undef;
        }

        $redis->{config} = '' if $aof;

        # users that are in no file are gone with the process

        my @users = grep { /\Auser npm/ } split /\n/,
            read_file("$etc/npmtoken.acl");

        $redis->{config} .= join '', map { "$_\n" } @users;

        my $live = $node->live;

        run($bin, $restore, %paths, redis => $redis);
        run($bin, $after =~ s/^.*REWRITE\n//mr) if $aof;

        # from the first look that the new session has on

        $node->wait_live($live + 1);

        is($node->ask('npm_made', worker => $_) =~ s/ .*//r, '401',
           'what Redis has no more is refused') for $node->workers;
        is($node->ask('npm_op0') =~ s/ .*//r, '200', 'one of before is good');
        is($node->ask('npm_kept') =~ s/ .*//r, '200',
           'and so is what had been revoked');

        # as the page says

        is(system("NPMTOKEN_REDIS=unix:$redis->{socket}"
                  . " $root/build/npmtokenctl token revoke npm_kept"
                  . ' >/dev/null 2>&1'), 0, 'it is revoked again');
        quickly { $node->ask('npm_kept') =~ /\A401/ } 'at once';

        if ($aof) {
            $redis->{config} .= "appendonly yes\n";
            wait_for {
                $redis->command('INFO', 'persistence')
                    =~ /aof_rewrite_in_progress:0.*aof_rewrite_scheduled:0/s;
            } 'the file is written';
            $redis->restart('KILL');
            wait_for { $node->ask('npm_op1') =~ /\A200/ } 'Redis, restarted';
            is($redis->command('EXISTS', $redis->record_name('npm_kept')), 0,
               'the file has what was changed');
        }

        ok($node->quit, 'nginx quits');
    };
}


subtest 'moving to another Redis' => sub {
    my ($old, $etc, $store) = start(300, acl_file());
    my $new = NpmToken::Redis->new(acl_file());
    my @blocks = blocks('Moving to another Redis');
    my %names = (
        'redis-cli -h old.example.com' => 'redis-cli -s ' . $old->socket,
        'redis-cli -h new.example.com' => 'redis-cli -s ' . $new->socket,
        'REPLICAOF old.example.com 6379' => 'REPLICAOF 127.0.0.1 ' . $old->port,
        'redis://new.example.com'      => 'unix:' . $new->socket,
        's/old.example.com/new.example.com/' =>
            's,' . $old->socket . ',' . $new->socket . ',',
        '/etc/nginx/nginx.conf'        => 'CONF',
        '/etc/nginx'                   => $etc,
        'sleep 1'                      => 'sleep 0.05',
    );

    my $node = NpmToken::Node->new(redis => $old, store => $store);
    $node->allow_log($away);

    my $bin = bin($old, $node);
    my ($variables) = $blocks[0] =~ /\A((?:\w+=.*\n)+)/;

    unlink "$bin/redis-cli";
    $names{'/etc/nginx/nginx.conf'} = $node->dir . '/nginx.conf';
    $old->put_token('npm_gone', user => 'carol');
    $node->cache('npm_gone');

    my $seen = under_load($node, 300, sub {
        run($bin, $blocks[0], %names);

        # until here all is as it was

        $old->put_token('npm_late', user => 'bob');

        run($bin, $variables . $blocks[1], %names);

        ok(!eval { $old->del_token('npm_gone'); 1 }, 'a change is refused');
        like($@, qr/NOREPLICAS/, 'and not lost');
        is($node->ask('npm_gone') =~ s/ .*//r, '200', 'tokens are enforced');

        run($bin, $variables . $blocks[2], %names);

        my $live = $node->live;

        run($bin, $blocks[3], %names);
        $node->wait_live($live + 1);

        # "redis-cli SHUTDOWN" ends the test's own child

        delete $old->{connection};
        run($bin, $variables . $blocks[4] =~ s/^\$new CONFIG REWRITE\n//mr,
            %names);
        $old->stop;
        ok(!-e $old->socket, 'the old one is gone');
    });

    like($seen, qr/\A200=\d+\z/, 'everybody was let through');
    is($node->ask('npm_late') =~ s/ .*//r, '200', 'a late change has come along');

    $new->del_token('npm_gone');
    quickly { $node->ask('npm_gone') =~ /\A401/ } 'a change is pushed';
    like($new->command('INFO', 'replication'), qr/role:master/, 'it is a master');
    ok($node->quit, 'nginx quits');
};


done_testing;
