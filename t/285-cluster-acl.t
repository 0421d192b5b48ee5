# The rights that docs/redis.md names for a Redis Cluster are enough, and what
# follows where they are not.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Cluster;
use NpmToken::Node;
use NpmToken::Util qw( read_file wait_for );

my $docs = read_file('docs/redis.md');

my ($rights) = $docs =~ /^redis-cli ACL SETUSER npmtoken on (.*?)\n```/ms
    or die 'docs/redis.md has no such line';

$rights =~ s/\\\n//g;
$rights =~ s/'//g;
$rights =~ s/>PASSWORD/>secret/;
$rights =~ s/~npmtoken:/~{npmtoken}:/g;

my ($more) = $docs =~ /^\| `worker` +\| (`\+exists`[^|]*) \|/m
    or die 'docs/redis.md does not say what a cluster needs';

$more = join ' ', $more =~ /`(\+\w+)`/g;

is($more, '+exists +asking', 'what docs/redis.md says');

my %rights = (
    whole   => "$rights $more",
    unasked => "$rights +exists",
    blind   => "$rights +asking",
);

my $cluster = NpmToken::Cluster->new(
    masters => 2, replicas => 0,
    config  => join '', map { "user $_ on $rights{$_}\n" } sort keys %rights,
);


sub node {
    my ($user, %options) = @_;

    return NpmToken::Node->new(
        redis => $cluster,
        url   => $cluster->url("$user:secret\@"),
        store => 'revocation_bound 400ms;',
        %options,
    );
}


sub moving {
    my $code = shift;

    my ($to) = $cluster->others;

    $cluster->put_token('npm_goes', user => 'alice');
    $cluster->migrate_begin($to);
    $cluster->migrate_keys($to);

    $code->();

    $cluster->migrate_end($to);
}


subtest 'all rights' => sub {
    my $node = node('whole');

    $cluster->put_token('npm_acl', user => 'alice');
    is($node->cache('npm_acl'), '200 hit', 'a record is cached');

    moving(sub {
        is($node->ask('npm_goes') =~ s/ .*//r, '200', 'ASK is followed');
    });

    is($node->cache('npm_acl'), '200 hit', 'and MOVED');
    is_deeply([grep { /\[(?:warn|error)\]/ } split /\n/, $node->error_log],
              [], 'the log is silent');
    ok($node->quit, 'nginx quits');
};


subtest 'without +asking' => sub {
    my $node = node('unasked');

    moving(sub {
        is($node->ask('npm_goes') =~ s/ .*//r, '503', 'unavailable');
        like($node->wait_log(qr/redis answered "(?:NOPERM|MOVED)"/),
             qr/\[error\]/, 'the log says why');
    });

    is($node->cache('npm_goes'), '200 hit', 'until it has been moved');
    ok($node->quit, 'nginx quits');
};


subtest 'without +exists' => sub {
    my $node = node('blind', feed => 0);

    $cluster->put_token('npm_blind', user => 'alice');
    is($node->ask('npm_blind') =~ s/ .*//r, '200', 'it enforces');

    like($node->wait_log(qr/redis answered "NOPERM" on the feed/),
         qr/\[warn\].*works as with "push off"/, 'the log says what follows');
    is($node->live, 0, 'no feed vouches for anything');

    $cluster->del_token('npm_blind');
    is($node->lives('npm_blind', 0.4, 'it', none => 1) =~ s/ .*//r, '401',
       'then it is looked up again');
    ok($node->quit, 'nginx quits');
};


done_testing;
