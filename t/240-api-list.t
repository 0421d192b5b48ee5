# npm token list takes from nobody else: it is read as a page, on a connection
# of its own, one at a time for an account.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

use constant {
    TOKENS => 199,
    PAGE   => 256 * 1024,
    HELD   => 16,              # of an account, while one is under way
};

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    level  => 'debug',
    store  => 'cache off; lookup_timeout 8s;',
);

$api->user($_, 'correct horse battery') for qw( alice bob carol );

my $packages = join ',', map { sprintf '@scope/%03d%s', $_, 'x' x 190 } 1 .. 199;


# as the API would make them, if its limits were raised

sub put {
    my ($user, $token, $second, %fields) = @_;

    $redis->put_token($token, user => $user, name => $token =~ s/npm_//r,
        created => sprintf('2026-01-01T00:%02d:%02d.000Z', $second / 60,
                           $second % 60),
        token => substr($token, 0, 8), %fields);
    $redis->command('SADD', "npmtoken:tokens-of:$user", token_key($token));

    return $token;
}


my $tokens = '/-/npm/v1/tokens';
my @names = map { sprintf 'npm_large%03d', $_ } 1 .. TOKENS;

for my $i (1 .. TOKENS) {
    put('alice', $names[$i - 1], $i, readonly => 'true',
        packages => $packages, x_note => 'x' x 10_000);
}

my $readonly = put('alice', 'npm_readonly', 1000, readonly => 'true');
my $writer = put('alice', 'npm_writer', 1001);
my $bob = put('bob', 'npm_of_bob', 1);

# nginx's own debug log, by which requests are seen to wait, has their headers
not_secret($readonly, $writer, $bob, 'npm_of_carol4');

# nginx's own debug log, by which requests are seen to wait, has their headers
not_secret($readonly, $writer, $bob, 'npm_of_carol4');

@names = map { s/npm_//r } qw( npm_writer npm_readonly ), reverse @names;


sub names { return map { $_->{name} } @{ $_[0]{json}{objects} } }

sub stats {
    my %calls = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_(\w+):calls=(\d+)/mg;

    $redis->command('CONFIG', 'RESETSTAT');

    return \%calls;
}


# requests that may wait

sub start {
    my ($token, $uri, $method) = @_;

    my $c = NpmToken::HTTP1->new($api->port);

    $c->request($method // 'GET', $uri, { Authorization => "Bearer $token" });

    return $c;
}

sub statuses {
    my %seen;

    $seen{ $_->response->{status} }++ for @_;

    return \%seen;
}

sub waited {
    return scalar(() = $api->error_log =~ /npmtoken request goes on/g);
}


subtest 'a list is read as a page' => sub {
    stats();

    my $r = $api->list($readonly, '?perPage=3&page=1');

    is_deeply([ names($r) ], [ @names[3 .. 5] ], 'the page');
    is($r->{json}{total}, TOKENS + 2, 'how many there are');

    my $calls = stats();

    cmp_ok($calls->{hgetall}, '<=', 3 + 1, 'and no other record is read');
    cmp_ok($calls->{hmget}, '<=', TOKENS + 2, 'but for a few short fields');
};


subtest 'a page is bounded in bytes, and the next one goes on there' => sub {
    for my $query ('', '?perPage=9999', '?perPage=50', '?perPage=7&page=0') {
        my (@all, $pages, %total);
        my $largest = 0;

        for (my $url = "$tokens$query"; $url; $pages++) {
            my $body = start($readonly, $url)->response->{body};
            my @page = $body =~ /"name":\s*"(\w+)"/g;
            my ($per_page) = $url =~ /perPage=(\d+)/;

            push @all, @page;
            $total{$_}++ for $body =~ /"total":\s*(\d+)/;
            $largest = length $body if length $body > $largest;

            last if !@page || @page > ($per_page // 10);

            ($url) = $body =~ /"next":\s*"([^"]+)"/;
        }

        is("@all", "@names", "\"$query\": each once, in their order");
        is_deeply([ keys %total ], [ TOKENS + 2 ], 'the number of all');
        cmp_ok($pages, '<', TOKENS / 2, "in $pages pages");
        cmp_ok($largest, '<', 1.1 * PAGE, "the largest has $largest bytes");
    }
};


subtest 'one that is too large for a page, and one too large for a record'
    => sub {
    put('carol', 'npm_of_carol1', 1);
    put('carol', 'npm_of_carol2', 2, readonly => 'true',
        packages => join ',', ($packages) x 10);
    put('carol', 'npm_of_carol3', 3, x_note => 'x' x 1_000_000);
    put('carol', 'npm_of_carol4', 4);

    my $r = $api->list('npm_of_carol4');

    is(join(' ', names($r)), 'of_carol4 of_carol3 of_carol2 of_carol1', 'all are listed');
    cmp_ok(length $r->{body}, '<', 2000, 'with little of it');
    is($r->{json}{objects}[2]{created}, '2026-01-01T00:00:02.000Z',
       'but enough to tell it');

    $r = $api->call('DELETE', '/-/npm/v1/tokens/token/' . token_key('npm_of_carol2'),
                    'npm_of_carol4');
    is($r->{status}, 204, 'and to revoke it');
    is(join(' ', names($api->list('npm_of_carol4'))), 'of_carol4 of_carol3 of_carol1', 'gone');
};


subtest 'a token is found by its id without a record being read' => sub {
    my $token = put('alice', 'npm_to_revoke', 2000);

    stats();

    my $r = $api->call('DELETE',
                       '/-/npm/v1/tokens/token/' . id_of($token, 12), $writer);

    is($r->{status}, 204, 'revoked');

    my $calls = stats();

    # hmget of its own, in two scripts
    cmp_ok($calls->{hmget}, '<=', 3, 'no others are looked at');
};


subtest 'one list at a time for an account' => sub {
    is($api->list($readonly)->{status}, 200, 'all is well');
    is($api->list($bob)->{status}, 200, 'there, too');

    my $before = waited();
    my (@alice, @bob);

    # the token is looked up, then Redis sleeps: PAUSE of WRITE lets look-ups
    # through, and holds scripts up

    $redis->command('CLIENT', 'PAUSE', '8000', 'WRITE');

    @alice = map { start($readonly, $tokens) } 1 .. 40;

    wait_for { waited() >= $before + 40 } 'lists of one account';

    @bob = map { start($bob, $tokens) } 1 .. 2;

    wait_for { waited() >= $before + 42 } 'lists of another one';

    # who are refused are answered meanwhile

    wait_for { scalar(() = $api->access_log =~ /" 429 /g)
               == 40 - HELD - 1 } 'those that are too many';

    my ($clients) = $redis->command('CLIENT', 'LIST')
        =~ /^(.* name=npmtoken-api-list .*)$/m;

    like($clients, qr/ name=npmtoken-api-list /, 'on a connection of its own');

    is($api->status_of($bob), 200, 'a look-up goes on meanwhile');
    is($api->call('GET', '/-/npm/v1/user', $bob)->{status}, 200,
       'and a profile');

    $redis->command('CLIENT', 'UNPAUSE');

    is_deeply(statuses(@alice), { 200 => HELD + 1, 429 => 40 - HELD - 1 },
              'the rest are answered');
    is_deeply(statuses(@bob), { 200 => 2 }, 'and the others');

    my $r = $api->list($readonly);

    is($r->{status}, 200, 'and there is room again');
};


subtest 'what is too many says so' => sub {
    my $before = waited();

    $redis->command('CLIENT', 'PAUSE', '8000', 'WRITE');

    my @lists = map { start($readonly, $tokens) } 0 .. HELD;

    wait_for { waited() >= $before + HELD + 1 } 'lists';

    my $r = $api->call1('GET', $tokens, $readonly);

    is_error($r, 429, qr/Too many lists of this account's tokens/, 'refused',
             retry => 1);

    # this needs no list

    $r = start($writer, '/-/npm/v1/tokens/token/ffffffff', 'DELETE');

    $redis->command('CLIENT', 'UNPAUSE');

    is($r->response->{status}, 404, 'a token may be revoked meanwhile');
    is_deeply(statuses(@lists), { 200 => HELD + 1 }, 'the rest are answered');
};


subtest 'lists that wait go with their connection, and no further' => sub {
    my $before = waited();

    $redis->command('CLIENT', 'PAUSE', '8000', 'WRITE');

    my @lists = map { start($readonly, $tokens) } 0 .. HELD;

    wait_for { waited() >= $before + HELD + 1 } 'lists';

    my ($id) = $redis->command('CLIENT', 'LIST')
        =~ /^id=(\d+) .* name=npmtoken-api-list /m;

    $redis->command('CLIENT', 'KILL', 'ID', $id);
    $redis->command('CLIENT', 'UNPAUSE');

    is_deeply(statuses(@lists), { 200 => HELD, 503 => 1 },
              'the one that was asked is not asked again, the others are');
};


done();
