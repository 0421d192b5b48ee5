# "proof_replicas": what is no proof is none, whatever Redis says; the rights
# that it takes; and what it cannot go with.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx qw( check_config );
use NpmToken::Node;
use NpmToken::Redis;
use NpmToken::Server;
use NpmToken::Util qw( module_path read_file temp_dir wait_for write_file );

my $file = temp_dir() . '/mode';


sub bulk { return map { '$' . length . "\r\n$_\r\n" } @_ }

sub array { return '*' . @_ . "\r\n" . join '', @_ }

sub pushed {
    return array(bulk('message', '__redis__:invalidate'), array(bulk(@_)));
}


# What SET gets, then WAIT, and what of "SERIES" and "NUMBER" the feed is told.

my $all = sub { "$_[0]$_[1]" };

my %modes = (
    good               => [ "+OK\r\n", ":1\r\n", $all ],
    'more than enough' => [ "+OK\r\n", ":7\r\n", $all ],

    'no push'          => [ "+OK\r\n", ":1\r\n" ],
    'no replica'       => [ "+OK\r\n", ":0\r\n", $all ],
    'less than none'   => [ "+OK\r\n", ":-1\r\n", $all ],
    'a string'         => [ "+OK\r\n", bulk('1'), $all ],
    'no WAIT'          => [ "+OK\r\n", "-ERR unknown command\r\n", $all ],
    'no SET'           => [ "-NOREPLICAS Not enough\r\n", ":1\r\n", $all ],
    'a full redis'     => [ "-OOM command not allowed\r\n", ":1\r\n", $all ],
    'a replica'        => [ "-READONLY You can't\r\n", ":1\r\n", $all ],
    'a moved slot'     => [ "-MOVED 1 127.0.0.1:1\r\n", ":1\r\n", $all ],
    'a moving slot'    => [ "-ASK 1 127.0.0.1:1\r\n", ":1\r\n", $all ],
    'a transaction'    => [ "+QUEUED\r\n", ":1\r\n", $all ],
    'the last push'    => [ "+OK\r\n", ":1\r\n",
                            sub { $_[0] . ($_[1] - 1) } ],
    'the next push'    => [ "+OK\r\n", ":1\r\n",
                            sub { $_[0] . ($_[1] + 1) } ],
    'a signed number'  => [ "+OK\r\n", ":1\r\n", sub { "$_[0]-$_[1]" } ],
    'another series'   => [ "+OK\r\n", ":1\r\n",
                            sub { $_[0] =~ tr/0-9a-f/1-9a-f0/r . $_[1] } ],
    'another kind'     => [ "+OK\r\n", ":1\r\n",
                            sub { $_[0] =~ s/witness/token/r . $_[1] } ],
);

my $feed;

my $fake = NpmToken::Server->redis(sub {
    my ($client, @command) = @_;

    my $mode = $modes{ read_file($file) };
    my $name = uc $command[0];

    $name .= ' ' . uc $command[1] if $name eq 'CLIENT';

    return "+OK\r\n" if $name eq 'CLIENT SETNAME';
    return array(bulk('master'), ":0\r\n", array()) if $name eq 'ROLE';
    return join '', bulk("# Server\r\nrun_id:" . 'a' x 40 . "\r\n")
        if $name eq 'INFO';
    return ":7\r\n" if $name eq 'CLIENT ID';
    return "+OK\r\n" if $name eq 'CLIENT TRACKING';
    return array(bulk('user', 'alice')) if $name eq 'HGETALL';
    return ":-1\r\n" if $name eq 'PTTL';

    if ($name eq 'SUBSCRIBE') {
        $feed = $client;
        return array(bulk('subscribe', '__redis__:invalidate'), ":1\r\n");
    }

    if ($name eq 'SET') {
        my ($series, $number) = $command[1] =~ /\A(.*:)(\d+)\z/;

        syswrite $feed->{socket}, pushed($mode->[2]->($series, $number))
            if $mode->[2];

        return $mode->[0];
    }

    return $name eq 'WAIT' ? $mode->[1] : "-ERR unknown command\r\n";
});


# one node for all of them: what is no proof ends in "unavailable"

write_file($file, 'good');

my $node = NpmToken::Node->new(
    url   => 'redis://127.0.0.1:' . $fake->port,
    store => 'proof_replicas 1; revocation_bound 100ms;'
        . ' lookup_timeout 100ms;',
    workers => 1,
);

for my $mode ('good', 'more than enough',
    sort grep { !/good|enough/ } keys %modes)
{
    write_file($file, $mode);

    if ($mode =~ /good|enough/) {
        wait_for { $node->ask('npm_any') eq '200 hit' } 'a hit';
        pass("a proof: $mode");
        next;
    }

    wait_for { $node->ask('npm_any') eq '503 miss' } "$mode: unavailable";

    is($node->ask('npm_any'), '503 miss', "no proof: $mode");

    write_file($file, 'good');
    wait_for { $node->ask('npm_any') eq '200 hit' } "a hit after $mode";
}

$node->finish;


# the rights, as docs/redis.md has them

my $reader = 'resetkeys resetchannels -@all %R~npmtoken:token:*'
    . ' %W~npmtoken:witness:* &__redis__:invalidate +hgetall +pttl +ping'
    . ' +client|id +client|setname +client|tracking +subscribe +role +info'
    . ' +set +wait';

my %rights = (
    reader  => $reader,
    setless => $reader =~ s/ \+set//r,
    waitless => $reader =~ s/ \+wait//r,
    keyless => $reader =~ s/ %W\S+//r,
);

my $master = NpmToken::Redis->new(
    auth   => ['secret'],
    config => join '', "requirepass secret\nrepl-diskless-sync-delay 0\n",
        map { "user $_ on >secret $rights{$_}\n" } sort keys %rights,
);

my $replica = NpmToken::Redis->new(
    config => 'replicaof 127.0.0.1 ' . $master->port
        . "\nmasterauth secret\n",
);

wait_for {
    $master->command('INFO', 'replication') =~ /state=online/;
} 'the replica';


sub acl_node {
    my ($user, %options) = @_;

    return NpmToken::Node->new(
        redis => $master,
        url   => "redis://$user:secret\@127.0.0.1:" . $master->port,
        store => 'proof_replicas 1; revocation_bound 200ms;'
            . ' lookup_timeout 300ms;',
        %options,
    );
}


subtest 'the rights that docs/redis.md gives are enough, and no more' => sub {
    my $node = acl_node('reader');

    $master->put_token('npm_acl', user => 'alice');
    is($node->cache('npm_acl'), '200 hit', 'cached');

    $master->del_token('npm_acl');
    quickly { $node->ask('npm_acl') =~ /\A401/ } 'revoked';

    for (
        [ SET => 'npmtoken:token:x', 1 ],
        [ SET => 'npmtoken:user:x', 1 ],
        [ GET => 'npmtoken:witness:x' ],
        [ DEL => 'npmtoken:witness:x' ],
    ) {
        like($master->command(ACL => DRYRUN => 'reader', @$_),
             qr/no permissions/, "no @$_");
    }

    $node->finish;
};


for my $user ('setless', 'waitless', 'keyless') {
    subtest "without one of them it is said, and nothing is believed: $user"
        => sub
    {
        my $node = acl_node($user, feed => 0);

        $master->put_token('npm_acl', user => 'alice');

        like($node->wait_log(qr/redis answered "NOPERM" to the write of/),
             qr/\[error\].*"main".*docs\/redis\.md.*tokens cannot be checked/,
             'it is said');

        is($node->ask('npm_acl'), '503 miss', 'unavailable');
        is($node->ask('npm_acl'), '503 miss', 'and again');

        is(scalar(() = $node->error_log =~ /\[error\].*NOPERM/g), 1,
           'it is said once');
        is($node->live, 0, 'no feed is called live');

        $node->finish;
    };
}


# what it cannot go with

my $dir = temp_dir() . '/config';

mkdir $dir or die "mkdir $dir: $!";

sub check {
    my $store = shift;
    my $module = module_path();

    write_file("$dir/nginx.conf", <<"_EOC_");
load_module $module;
error_log $dir/error.log;
pid $dir/pid;
events { }
http {
    access_log off;
    npmtoken_store main {
        redis redis://127.0.0.1;
        $store
    }
    server {
        listen unix:$dir/listen;
        location / {
            npmtoken main;
        }
    }
}
_EOC_

    return check_config($dir, "$dir/nginx.conf");
}

for (
    [ 'proof_replicas 1; push off;', '"proof_replicas" 1 does not go with '
      . '"push off"' ],
    [ 'proof_replicas 2; cache off;', 'does not go with "cache off"' ],
    [ 'proof_replicas 1; redis_replica on;',
      'does not go with "redis_replica on"' ],
    [ 'proof_replicas -1;', 'invalid value "-1" in "proof_replicas"' ],
    [ 'proof_replicas x;', 'invalid value "x" in "proof_replicas"' ],
    [ 'proof_replicas 1 2;', 'invalid number of arguments in "proof_replicas' ],
    [ 'proof_replicas 1; proof_replicas 1;', 'duplicate' ],
) {
    my ($store, $said) = @$_;
    my ($status, $output) = check($store);

    ok($status && $output =~ /\[emerg\]/ && index($output, $said) >= 0
           && $output =~ /nginx\.conf:\d+/, $store)
        or diag $output;
}

for ('proof_replicas 0; push off; cache off;', 'proof_replicas 0;',
    'proof_replicas 3;')
{
    my ($status, $output) = check($_);

    ok($status == 0 && $output eq '', "$_ is good") or diag $output;
}

done_testing;
