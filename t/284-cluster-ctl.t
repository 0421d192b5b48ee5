# npmtokenctl on a Redis Cluster: it finds the node that has the slot, follows
# it, and takes no half of the keys for all of them.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Util qw( temp_dir token_key write_file );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE};

my $ctl = $ENV{NPMTOKENCTL} || 'build/npmtokenctl';

plan(skip_all => "no $ctl") if !-x $ctl;

my $cluster = NpmToken::Cluster->new(masters => 2, replicas => 1);
my $prefix = '{npmtoken}:';


# (status, what it printed, errors included)

sub ctl {
    my ($input, @args) = @_;

    my ($in, $out) = map { temp_dir() . "/ctl.$_" } qw( in out );

    write_file($in, $input);

    my $command = join ' ', map { "'$_'" } $ctl, @args;
    my $status = system("NPMTOKEN_REDIS='" . $cluster->url
                        . "' $command <$in >$out 2>&1");

    return ($status >> 8, NpmToken::Util::read_file($out));
}


sub works {
    my ($what, @args) = @_;

    my ($status, $text) = ctl(@args);

    is($status, 0, $what) or diag $text;
    chomp $text;

    return $text;
}


sub fails {
    my ($what, $pattern, @args) = @_;

    my ($status, $text) = ctl(@args);

    isnt($status, 0, $what);
    like($text, $pattern, "$what: it says why");
}


sub token_of { return $_[0] =~ /^(npm_\w+)$/m ? $1 : 'none' }


my $token;


subtest 'accounts and tokens' => sub {
    works('user add', "correct horse\n", 'user', 'add', 'alice',
          '--replicas', 1);
    $token = token_of(works('token create', '', 'token', 'create', 'alice',
                            '--replicas', 1));
    like(works('token list', '', 'token', 'list', 'alice'),
         qr/@{[ substr token_key($token), 0, 6 ]}/, 'it is in the list');
    works('check', '', 'check');
    is($cluster->command('EXISTS', "${prefix}user:alice"), 1,
       'the prefix has a hash tag by itself');
};


subtest 'any node, dead ones too, leads to the owner' => sub {
    for my $node ($cluster->nodes) {
        works('port ' . $node->port, '', 'user', 'list', '--redis',
              'redis-cluster://127.0.0.1:1,127.0.0.1:' . $node->port);
    }

    fails('no node', qr/no node .* leads to the one that has the slot/,
          '', 'user', 'list', '--redis', 'redis-cluster://127.0.0.1:1');
};


subtest 'URLs' => sub {
    my $url = $cluster->url;

    fails('a database', qr/has no databases/, '', 'user', 'list', '--redis',
          "$url/1");
    fails('a prefix', qr/has no hash tag/, '', 'user', 'list', '--prefix',
          'npm:');
    fails('a plain URL', qr{use a redis-cluster:// URL}, '', 'user', 'show',
          'alice', '--prefix', $prefix, '--redis',
          'redis://127.0.0.1:' . ($cluster->others)[0]->port);
};


subtest 'while the slot is moved' => sub {
    my ($to) = $cluster->others;
    my $second = token_of(works('token create', '', 'token', 'create',
                                'alice'));

    $cluster->migrate_begin($to);

    fails('no list of all', qr/the slot of the prefix is being moved/,
          '', 'token', 'list', 'alice');

    # its account is at the other node

    $cluster->migrate_keys($to, "${prefix}user:alice");

    like(works('user show', '', 'user', 'show', 'alice'), qr/alice/,
         'one key is found where it is');
    works('user lock', '', 'user', 'lock', 'alice', '--replicas', 1);
    is($cluster->command('HEXISTS', "${prefix}user:alice", 'locked'), 1,
       'and changed there');
    works('user unlock', '', 'user', 'unlock', 'alice');

    fails('no new token', qr/TRYAGAIN/, '', 'token', 'create', 'alice');

    $cluster->migrate_keys($to);
    $cluster->migrate_end($to);

    works('token create', '', 'token', 'create', 'alice');
    works('token revoke', '', 'token', 'revoke', $second);
    is($cluster->command('EXISTS', "${prefix}token:" . token_key($second)), 0,
       'it is revoked');
};


subtest 'the slot is moved in the midst of an import' => sub {
    my ($to) = $cluster->others;
    my $n = 3000;

    my $rows = '[' . join(',', map {
        '{"key":"' . token_key("npm_row$_") . qq(","user":"user$_"})
    } 1 .. $n) . ']';

    my $pid = fork // die;

    if ($pid == 0) {
        $cluster->move($to);
        POSIX::_exit(0);
    }

    my ($status, $text) = ctl($rows, 'import', '-');

    waitpid $pid, 0;

    # a new key may wait for the end of the move, or be told of it

    if ($status) {
        like($text, qr/TRYAGAIN/, 'it ended, and said why');
        works('the rest', $rows, 'import', '-');
    }

    my @there = grep {
        $cluster->owner->command('EXISTS',
                                 "${prefix}token:" . token_key("npm_row$_"))
    } 1 .. $n;

    is(scalar(@there), $n, 'all rows are there');
};


done_testing;
