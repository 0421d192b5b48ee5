# Tokens that somebody makes up do not push those out of the cache that exist:
# the smallest cache, and many more of them than it has places.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Node;
use NpmToken::Redis;

use constant { GOOD => 100, BAD => 3000 };

my $redis = NpmToken::Redis->new;
my $node = NpmToken::Node->new(
    redis   => $redis,
    workers => 1,
    store   => 'cache 64k; cache_ttl 1h; negative_ttl 1h;'
               . ' revocation_bound 60s;',
);

my @good = map { "npm_good$_" } 1 .. GOOD;

$redis->put_token($_, user => 'alice') for @good;


# which are hits; what is not, is cached by that

sub hits { return grep { $node->ask($_) eq '200 hit' } @good }


hits() for 1 .. 2;

# two of a bucket may have pushed each other out already
my @cached = hits();

cmp_ok(scalar @cached, '>', GOOD / 2, scalar(@cached) . ' tokens are cached');

my %seen;

$seen{ $node->ask("npm_guess$_") }++ for 1 .. BAD;

is_deeply(\%seen, { '401 miss' => BAD }, 'as many that nobody has');

is(scalar(grep { $node->ask($_) eq '200 hit' } @cached), scalar @cached,
   'and all of the tokens are cached still');

ok($node->quit, 'nginx quits');

done_testing;
