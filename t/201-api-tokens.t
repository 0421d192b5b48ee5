# npm token list and npm token revoke: what is listed, and what it takes to
# take one away.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    store  => 'cache off; lookup_timeout 5s;',
    api    => 'npmtoken_api_attempts 0 0;',
    server => <<'_EOC_',
        location /pass/ {
            npmtoken main;
            npmtoken_base /pass/;
            npmtoken_unknown pass;
            npmtoken_api main;
            proxy_pass http://registry;
        }
_EOC_
);

my $password = 'correct horse battery';

$api->user('alice', $password);
$api->user('bob', $password);


# records as the API makes them, with the time that is said

sub put {
    my ($user, $token, %fields) = @_;

    $redis->put_token($token, user => $user, readonly => 'false',
                      token => substr($token, 0, 8), %fields);
    $redis->command('SADD', "npmtoken:tokens-of:$user", token_key($token));

    return $token;
}

sub names {
    my $r = shift;

    return join ' ', map { $_->{name} } @{ $r->{json}{objects} };
}


subtest 'what is listed of a token' => sub {
    put('alice', 'npm_plain', created => '2026-01-01T00:00:00.001Z',
        updated => '2026-01-02T00:00:00.000Z', name => 'one');
    put('alice', 'npm_all', created => '2026-01-01T00:00:00.002Z',
        name => 'two', readonly => 'true',
        cidr_whitelist => '192.0.2.0/24, 2001:db8::1', packages => 'a,@s/b',
        scopes => '@t', description => 'what "it" is for',
        bypass_2fa => 'true', expires_at => 4102444800);

    # made by the operator, with less than that
    put('alice', 'npm_bare');
    $redis->put_token('npm_bare', user => 'alice');

    my $r = $api->list('npm_plain');

    is_answer($r, 200, { total => 3, urls => {}, objects => [
        {
            token => 'npm_all', key => token_key('npm_all'), name => 'two',
            readonly => $true, created => '2026-01-01T00:00:00.002Z',
            updated => '2026-01-01T00:00:00.002Z',
            cidr_whitelist => [ '192.0.2.0/24', '2001:db8::1' ],
            packages => [ 'a', '@s/b' ], scopes => [ '@t' ],
            description => 'what "it" is for', bypass_2fa => $true,
            expires => '2100-01-01T00:00:00.000Z',
        },
        {
            token => 'npm_plai', key => token_key('npm_plain'), name => 'one',
            readonly => $false, cidr_whitelist => undef,
            created => '2026-01-01T00:00:00.001Z',
            updated => '2026-01-02T00:00:00.000Z',
        },
        {
            token => '', key => token_key('npm_bare'), name => 'unnamed',
            readonly => $false, cidr_whitelist => undef, created => '',
            updated => '',
        },
    ] }, 'newest first, nothing missing');

    $r = $api->call('HEAD', '/-/npm/v1/tokens', 'npm_plain');
    is("$r->{status} \"$r->{body}\"", '200 ""', 'HEAD');

    is_answer($api->list('npm_of_bob' eq put('bob', 'npm_of_bob',
        name => 'x', created => '2026-01-01T00:00:00.000Z')
        && 'npm_of_bob'), 200, { total => 1, urls => {}, objects => [ {
            token => 'npm_of_b', key => token_key('npm_of_bob'), name => 'x',
            readonly => $false, cidr_whitelist => undef,
            created => '2026-01-01T00:00:00.000Z',
            updated => '2026-01-01T00:00:00.000Z',
    } ] }, "others' are not listed");

    $redis->put_token('npm_unlisted', user => 'carol');
    is_answer($api->list('npm_unlisted'), 200,
              { total => 0, urls => {}, objects => [] }, 'none at all');
};


subtest 'what is left out' => sub {
    put('dave', 'npm_dave', name => 'good');
    put('dave', 'npm_gone', name => 'gone');
    $redis->del_token('npm_gone');
    put('dave', 'npm_revoked', name => 'revoked', revoked_at => 1);
    put('erin', 'npm_stolen', name => 'of somebody else');
    $redis->command('SADD', 'npmtoken:tokens-of:dave',
                    token_key('npm_stolen'));
    $redis->command('SET', $redis->record_name('npm_text'), 'x');
    $redis->command('SADD', 'npmtoken:tokens-of:dave', token_key('npm_text'),
                    'nonsense');
    put('dave', 'npm_expired', name => 'expired', expires_at => 1);

    is(join(' ', sort split / /, names($api->list('npm_dave'))),
       'expired good', 'what is gone, revoked, or no token of the account');
};


subtest 'records that are not as ours' => sub {
    my %odd = (
        name        => "caf\xe9 \xff",
        description => "a\0b\x80",
        created     => "\xc3",
        token       => "npm_o\xc3\xa9\xc3\xa9",
        packages    => "\xff",
    );

    for my $field (sort keys %odd) {
        put('odd', 'npm_odd', name => 'odd', $field => $odd{$field});
        put('odd', 'npm_even', name => 'even');

        my $r = $api->list('npm_even');

        is($r->{status}, 200, "\"$field\" that is no UTF-8");
        like(names($r), qr/even/, '... and the other is listed')
            or diag $r->{body};
    }

    put('odd', 'npm_odd', name => 'x', token => 'npm_odd_whole_of_it');
    unlike($api->list('npm_even')->{body}, qr/npm_odd_w/,
           'never more than eight characters of a token');
};


subtest 'pages' => sub {
    my @names = map { sprintf 't%02d', $_ } 1 .. 25;

    for my $i (1 .. 25) {
        put('many', "npm_many$i", name => $names[$i - 1],
            created => sprintf '2026-01-01T00:00:%02d.000Z', $i);
    }

    @names = reverse @names;

    my $tokens = '/-/npm/v1/tokens';
    my $ask = sub { return $api->list('npm_many1', @_) };

    my $r = $ask->();
    is(names($r), "@names[0 .. 9]", 'the first ten, the newest first');
    is_deeply($r->{json}{urls}, { next => "$tokens?perPage=10&page=1" },
              'the next page');
    is($r->{json}{total}, 25, 'how many there are');

    # as npm does
    my @all;

    for (my $url = $tokens; $url; $url = $r->{json}{urls}{next}) {
        $r = $api->call('GET', $url, 'npm_many1');
        push @all, names($r);
    }

    is("@all", "@names", 'from page to page, to the end');
    is(scalar @all, 3, 'three of them');
    is_deeply($r->{json}{urls}, { prev => "$tokens?perPage=10&page=1" },
              'there is nothing after the last');

    $r = $ask->('?perPage=5&page=2');
    is(names($r), "@names[10 .. 14]", 'perPage and page');
    is_deeply($r->{json}{urls}, { next => "$tokens?perPage=5&page=3",
                                  prev => "$tokens?perPage=5&page=1" },
              'before and after it');
    is(names($ask->('?page=2')), "@names[20 .. 24]", 'page alone');
    is(names($ask->('?perPage=25')), "@names", 'all that there are');
    is_deeply($ask->('?perPage=25')->{json}{urls}, {}, '... and no more');
    is(names($ask->('?perPage=9999')), "@names", 'the most');
    is(names($ask->('?perPage=1&page=24')), $names[24], 'the last');
    is_answer($ask->('?perPage=9999&page=1000000'), 200,
              { total => 25, objects => [],
                urls => { prev => "$tokens?perPage=9999&page=999999" } },
              'far behind the last');

    is_error($ask->("?$_"), 400, qr/\AperPage is a number from 1 to 9999/, $_)
        for 'perPage=0', 'perPage=10000', 'perPage=-1', 'perPage=x',
            'perPage=', 'perPage=1.5', 'perPage=+5', 'perPage=1e2',
            'perPage=99999999999999999999', 'page=-1', 'page=x', 'page=',
            'page=1000001', 'page=99999999999999999999', 'page=0x1',
            'perPage=10&page=y', 'perPage=%31';
};


subtest 'who may list' => sub {
    put('frank', 'npm_frank_ro', readonly => 'true', name => 'ro');
    put('frank', 'npm_frank_far', cidr_whitelist => '192.0.2.1',
        name => 'far');
    put('frank', 'npm_frank_one', packages => 'one', name => 'one');

    is($api->list('npm_frank_ro')->{json}{total}, 3, 'a read-only one');
    is($api->list('npm_frank_one')->{json}{total}, 3, 'one of a package');
    is_error($api->list('npm_frank_far'), 401, qr/address/,
             'one that is out of range', challenge => 'ipaddress');
    is_error($api->list(undef), 401, undef, 'nobody', challenge => 'Bearer');
    is_error($api->list('npm_unknown'), 401, undef, 'an unknown one',
             challenge => 'Bearer');
    is_error($api->list('Basic YTpi'), 401, undef, 'Basic',
             challenge => 'Bearer');
};


sub revoke {
    my ($token, $id, @more) = @_;

    return $api->call('DELETE', "/-/npm/v1/tokens/token/$id", $token, undef,
                      @more);
}

sub is_revoked {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$r->{status} \"$r->{body}\" $r->{headers}{'cache-control'}",
       '204 "" no-store', $name);
}

use constant NONE => qr/\AThis account has no such token\./;


subtest 'revoke' => sub {
    my $bearer = $api->login('alice', $password);
    my $make = sub {
        return $api->create($bearer, password => $password);
    };

    # whose keys begin as no other does; 1 in 2**24 is not worth a loop

    for my $how (
        [ 'by its key',          sub { token_key($_[0]) } ],
        [ 'by six digits of it', sub { id_of($_[0]) } ],
        [ 'by more of it',       sub { id_of($_[0], 100) } ],
        [ 'by the token',        sub { $_[0] } ],
    ) {
        my ($name, $id) = @$how;
        my $token = $make->();

        is($api->status_of($token, 'PUT'), 200, 'it is good');
        is_revoked(revoke($bearer, $id->($token)), $name);
        is($api->status_of($token), 401, '... it is good for nothing');
        is_deeply($api->record($token), {}, '... its record is gone');
        unlike($api->list($bearer)->{body}, qr/${\ token_key($token) }/,
               '... it is not listed');
        is_error(revoke($bearer, $id->($token)), 404, NONE, '... but once');
    }

    my $token = $make->();
    my $before = $api->all_of_redis;

    is_error(revoke($bearer, $_), 404, NONE, 'not by "' . substr($_, 0, 20)
             . '"')
        for substr($token, 0, 8), substr($token, 0, 39), id_of($token, 5),
            uc token_key($token), token_key($token) . '0', 'npm_', '0',
            uc($token), "x$token", '%20' . $token, id_of($token) . '%2a';

    is_error(revoke('npm_of_bob', token_key($token)), 404, NONE,
             "nor another account's, by its key");
    is_error(revoke('npm_of_bob', $token), 404, NONE, '... or the token');
    is_error(revoke('npm_of_bob', id_of($token)), 404, NONE, '... or the id');
    is_error(revoke('npm_frank_ro', token_key('npm_frank_ro')), 403,
             qr/read-only/, 'nor with a read-only one, not even itself');
    is_error(revoke('npm_frank_one', token_key('npm_frank_one')), 403,
             qr/packages/, 'nor one of a package');
    is_error(revoke('npm_frank_far', token_key('npm_frank_far')), 401, undef,
             'nor one out of its range', challenge => 'ipaddress');
    is_error(revoke(undef, $token), 401, undef, 'nor with none',
             challenge => 'Bearer');

    is_deeply($api->all_of_redis, $before, 'nothing of that changes anything');

    is_revoked(revoke($token, $token), 'a token revokes itself');
    is($api->status_of($token), 401, '... and is gone');

    # percent-encoded, as clients do

    my $odd = put('alice', 'odd+/token==', name => 'odd');
    my $encoded = $odd =~ s{([^0-9A-Za-z_.-])}{sprintf '%%%02x', ord $1}ger;

    is_revoked(revoke($bearer, $encoded), 'a token with other characters');
    is_deeply($api->record($odd), {}, '... is gone');
};


subtest 'ids that begin alike' => sub {
    # two keys that are alike in their first digits are found by trying: here
    # the set has them by hand

    my @keys = map { 'abcdef' . $_ x 122 } '1', '2';
    my @more = ('abcdef1' . '0' x 121);

    for my $key (@keys, @more) {
        $redis->command('HSET', "npmtoken:token:$key", user => 'alike',
                        name => $key);
        $redis->command('SADD', 'npmtoken:tokens-of:alike', $key);
    }

    put('alike', 'npm_alike', name => 'bearer');

    for my $id ('abcdef', 'abcdef1') {
        is_error(revoke('npm_alike', $id), 400,
                 qr/\AMore than one token of this account has an id that/,
                 "$id is two of them");
    }

    is($api->list('npm_alike')->{json}{total}, 4, 'none is revoked');
    is_revoked(revoke('npm_alike', 'abcdef11'), 'a longer one is one');
    is_revoked(revoke('npm_alike', 'abcdef1'),
               'and what was two, is one then');
    is_revoked(revoke('npm_alike', $keys[1]), 'the key');
    is($api->list('npm_alike')->{json}{total}, 1, 'all are gone');
};


subtest 'what a person has who would have it gone' => sub {
    put('grace', 'npm_grace', name => 'bearer');
    put('grace', 'npm_shared', name => 'shared', protected => 'true');
    put('grace', 'npm_late', name => 'late', expires_at => 1);
    put('grace', 'npm_wrong', name => 'wrong', nonsense => 'x');

    is_revoked(revoke('npm_grace', token_key('npm_shared')),
               'a protected one: that it cannot log itself out is all');
    is_revoked(revoke('npm_grace', token_key('npm_late')), 'an expired one');
    is_revoked(revoke('npm_grace', token_key('npm_wrong')),
               'one with a bad record');
    is(names($api->list('npm_grace')), 'bearer', 'the list confirms it');
};


subtest 'where unknown tokens pass' => sub {
    put('heidi', 'npm_heidi', name => 'bearer');
    put('heidi', 'npm_other', name => 'other');
    $redis->command('EXPIRE', $redis->record_name('npm_other'), 100);

    is_revoked($api->call('DELETE',
        '/pass/-/npm/v1/tokens/token/' . token_key('npm_other'), 'npm_heidi'),
        'revoked');
    like($api->record('npm_other')->{revoked_at}, qr/\A\d{10}\z/,
         'its record says so');
    is($redis->command('PTTL', $redis->record_name('npm_other')), -1,
       '... for ever');
    is($api->status_of('npm_other', 'GET', '/pass/pkg'), 401,
       'it does not pass');
    is(names($api->call('GET', '/pass/-/npm/v1/tokens', 'npm_heidi')),
       'bearer', 'it is not listed');
    is_error($api->call('DELETE',
        '/pass/-/npm/v1/tokens/token/' . token_key('npm_other'), 'npm_heidi'),
        404, NONE, 'nor revoked again');
};


subtest 'many tokens' => sub {
    # all that "npmtoken_api_max_tokens" can allow, and not the smallest

    $redis->command('EVAL', <<'_EOC_', 0, 10_000);
        for i = 1, tonumber(ARGV[1]) do
            local key = string.rep('0', 112) .. string.format('%016x', i)
            redis.call('HSET', 'npmtoken:token:' .. key, 'user', 'lots',
                'readonly', 'false', 'name', 'npm login',
                'created', '2026-01-01T00:00:00.000Z',
                'updated', '2026-01-01T00:00:00.000Z',
                'token', 'npm_' .. i % 1000, 'cidr_whitelist',
                '192.0.2.0/24,198.51.100.0/24,203.0.113.0/24')
            redis.call('SADD', 'npmtoken:tokens-of:lots', key)
        end
_EOC_

    $redis->put_token('npm_lots', user => 'lots');

    my $r = $api->list('npm_lots', '?perPage=9999');

    is($r->{status}, 200, 'can be listed') or diag $r->{body};
    is($r->{json}{total}, 10_000, 'all of them');
    is_revoked(revoke('npm_lots', sprintf '%0128x', 77), 'and revoked');
    $redis->command('FLUSHALL');
};


done();
