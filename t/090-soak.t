# A small version of "make soak": mixed requests, with faults, aborts and
# time-outs among them.  It speaks both protocols itself.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Soak;

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $soak = NpmToken::Soak->new(seed => $ENV{SEED} || 1);
my $worker = $soak->worker;

$soak->run(600);

is_deeply([ $soak->wrong ], [], 'every answer is a possible one');
ok($soak->settled, 'a good token is let in at the end');
is($soak->worker, $worker, 'it was one worker all along');

note($soak->summary);

done_testing;
