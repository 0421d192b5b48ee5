# What error_log at the level "debug" says of feed, look-up, cache and
# connection: enough to follow a case, and nothing secret.
#
# Nothing of this depends on the protocol of the client.

use strict;
use warnings;

use Digest::SHA qw( sha512_hex );
use Test::More;

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $url = 'unix:' . $redis->socket;

my $nginx = NpmToken::Nginx->new(
    http => "npmtoken_store main { redis $url; }",
    server => 'location / { npmtoken main; empty_gif; }',
    level => 'debug',
);

plan(skip_all => 'this nginx has no debug log')
    if `nginx -V 2>&1` !~ /--with-debug/;


sub get {
    my $token = shift;

    my $c = NpmToken::HTTP1->new($nginx->port);

    $c->request('GET', '/', { Authorization => "Bearer $token" });

    return $c->response->{status};
}


sub says { return $nginx->error_log =~ $_[0] }


my $token = 'npm_trail0';
my $key = sha512_hex($token);
my $short = substr $key, 0, 8;

subtest 'the feed: each state, its epoch, what it has proven' => sub {
    wait_for { says(qr/npmtoken feed epoch: \d+, proven to \d+/) } 'a proof';

    my @states = $nginx->error_log =~ /npmtoken feed "main": (\w+), was /g;

    is("@states", 'id tracking subscribe live', 'each state');
    ok(says(qr/npmtoken feed "main": session [1-9]/), 'whose it is');
};

subtest 'the connection: each state, each step of its greeting' => sub {
    my @states = $nginx->error_log
        =~ /npmtoken redis npmtoken-feed: ([\w-]+), was /g;

    is("@states", 'connecting greeting ready', 'each state');

    my @steps = $nginx->error_log =~ /redis greeting: ([A-Z]+)/g;

    is("@steps[0 .. 2]", 'CLIENT ROLE INFO', 'each step');
};

subtest 'a look-up: from the request to the cache' => sub {
    $redis->put_token($token, user => 'alice');

    is(get($token), 200, 'allowed');

    for my $line (
        "request asks for key $short", "lookup $short: made",
        "lookup $short: sent", "lookup $short: HGETALL: 0",
        "lookup $short: may be cached: 1", 'cache: put, record: 1',
        "lookup $short: done: 0", 'request goes on: 0',
    ) {
        ok(says(qr/npmtoken \Q$line\E/), $line);
    }
};

subtest 'a change: pushed, and the entry is not used' => sub {
    $redis->put_token($token, user => 'alice', revoked_at => 1);

    wait_for { get($token) == 401 } 'refused';

    ok(says(qr/npmtoken feed: 1 keys changed/), 'pushed');
    ok(says(qr/npmtoken cache: an entry may not be used/), 'not used');
};

subtest 'nothing secret' => sub {
    ok(!says(qr/npmtoken [^\n]*\Q$token\E/), 'no token in a line of ours');
    ok(!says(qr/\Q$key\E/), 'no whole key');
};

$nginx->finish;

done_testing;
