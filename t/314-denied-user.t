# The line of the error log about a refusal: whose token it was, where that is
# known, and nothing that could be taken for another part of the line.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( short_key );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE};

my $redis = NpmToken::Redis->new;

my $nginx = NpmToken::Nginx->new(
    http   => 'npmtoken_store main { redis unix:' . $redis->socket . '; }',
    server => <<'_EOC_',
location / { npmtoken main; empty_gif; }
location /dry/ { npmtoken main; npmtoken_dry_run on; empty_gif; }
_EOC_
);


sub denied {
    my ($token, $path) = @_;

    my $before = length $nginx->error_log;

    $nginx->request('PUT', $path // '/x',
                    defined $token ? { Authorization => "Bearer $token" } : {});

    my ($line) = substr($nginx->error_log, $before)
        =~ /: \*\d+ (npmtoken denied.*?), client: /;

    return $line;
}


subtest 'the user of the record is named' => sub {
    $redis->put_token('npm_readonly', user => 'alice', readonly => 'true');
    $redis->put_token('npm_revoked', user => 'Bob@example.com',
                      revoked_at => 1);
    $redis->put_token('npm_bad', user => 'carol', readonly => 'perhaps');

    for my $case (
        [ 'npm_readonly', 'readonly', 'alice' ],
        [ 'npm_revoked', 'revoked', 'Bob@example.com' ],
        [ 'npm_bad', 'bad_record', 'carol' ],
    ) {
        my ($token, $reason, $user) = @$case;
        my $key = short_key($token);
        my $line = "npmtoken denied: $reason, user: $user, key: $key,"
            . ' operation: write';

        is(denied($token), $line, "$reason, looked up");
        is(denied($token), $line, "$reason, cached");
    }

    is(denied('npm_readonly', '/dry/x'),
       'npmtoken denied, dry run: readonly, user: alice, key: '
       . short_key('npm_readonly') . ', operation: write', 'in a dry run, too');
};


subtest 'where there is no record, or no name in it, nobody is named' => sub {
    $redis->put_token('npm_nameless', readonly => 'true');

    is(denied(undef), 'npmtoken denied: no_token, key: -, operation: write',
       'no token');
    is(denied('npm_unknown'),
       'npmtoken denied: unknown, key: ' . short_key('npm_unknown')
       . ', operation: write', 'no record');
    is(denied('npm_nameless'),
       'npmtoken denied: readonly, key: ' . short_key('npm_nameless')
       . ', operation: write', 'no name');
};


subtest 'a name that could be another part of the line is not written' => sub {
    for my $user ('x,operation:read', 'x"y', "x\\x1b[0m", 'x;y', 'a:b') {
        my $token = 'npm_' . unpack 'H*', $user;

        $redis->put_token($token, user => $user, readonly => 'true');

        is(denied($token),
           'npmtoken denied: readonly, user: (unprintable), key: '
           . short_key($token) . ', operation: write', $user);
    }
};


subtest 'a token is never in the line' => sub {
    unlike($nginx->error_log, qr/npm_(?:readonly|revoked|bad)/, 'none');
};

done_testing;
