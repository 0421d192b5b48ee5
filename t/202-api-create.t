# npm token create: the bodies of npm 5 to 11.6.2 and of later ones, what is
# refused of them, and what a restricted token makes.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( token_key );

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    api    => 'npmtoken_api_attempts 0 0; npmtoken_api_max_cidrs 5;',
    server => <<'_EOC_',
        location /few/ {
            npmtoken main;
            npmtoken_base /few/;
            npmtoken_api main;
            npmtoken_api_max_tokens 3;
            proxy_pass http://registry;
        }
        location /careful/ {
            npmtoken main;
            npmtoken_base /careful/;
            npmtoken_api main;
            npmtoken_api_permission read-only;
            proxy_pass http://registry;
        }
_EOC_
);

my $password = 'correct horse battery';

$api->user('alice', $password);

my $bearer = $api->login('alice', $password);


sub create {
    my ($token, @body) = @_;

    return $api->call('POST', '/-/npm/v1/tokens', $token,
                      @body == 1 ? $body[0]
                                 : { password => $password, @body });
}

# all of the answer, and of the record; returns the token

sub is_created {
    my ($r, $name, %expected) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %fields = %{ delete $expected{record} // {} };
    my $token = $r->{json}{token} // '';
    my $record = $api->record($token);
    my $created = $record->{created} // '';

    is_answer($r, 200, {
        token => $token, key => token_key($token), name => 'unnamed',
        readonly => $false, cidr_whitelist => undef, created => $created,
        updated => $created, %expected,
    }, $name);

    like($token, qr/\Anpm_[0-9A-Za-z]{36}\z/, '... a token');
    is_deeply($record, {
        user => 'alice', readonly => 'false', created => $created,
        updated => $created, name => '', token => substr($token, 0, 8),
        %fields,
    }, '... its record');
    ok((grep { $_ eq token_key($token) } $api->tokens_of('alice')),
       '... is one of the tokens of the account');

    return $token;
}

subtest 'as npm 5 to 11.6.2 ask' => sub {
    my $token = is_created(create($bearer, readonly => $false,
                                  cidr_whitelist => []), 'all of it');

    is($api->status_of($token, 'PUT'), 200, 'it writes');

    is_created(create($bearer, {password => $password}), 'the password alone');
    is_created(create($bearer, readonly => undef, cidr_whitelist => undef),
               'null for the rest');

    $token = is_created(create($bearer, readonly => $true), 'read-only',
        readonly => $true, record => { readonly => 'true' });

    is($api->status_of($token), 200, 'it reads');
    is($api->status_of($token, 'PUT'), 403, 'it does not write');

    $token = is_created(create($bearer,
        cidr_whitelist => [ '192.0.2.0/24' ]), 'CIDR',
        cidr_whitelist => [ '192.0.2.0/24' ],
        record => { cidr_whitelist => '192.0.2.0/24' });

    is($api->status_of($token), 401, 'it is good from nowhere else');

    my @cidrs = ('127.0.0.1', '192.0.2.1/24', '::1', '2001:db8::1/32',
                 '0.0.0.0/0');

    $token = is_created(create($bearer, readonly => $true,
        cidr_whitelist => \@cidrs), 'both, IPv6 among them, as it was written',
        readonly => $true, cidr_whitelist => \@cidrs,
        record => { readonly => 'true', cidr_whitelist => join ',', @cidrs });

    is($api->status_of($token), 200, 'it reads from here');
    is($api->status_of($token, 'PUT'), 403, 'it does not write');
};


my $before = $api->all_of_redis;

subtest 'the password' => sub {
    my $wrong = qr/\AThe user name or the password is wrong\.\z/;

    is_error(create($bearer, password => 'wrong password'), 401, $wrong,
               'a wrong one');
    is_error(create($bearer, {}), 401, qr/password is missing/, 'none');
    is_error(create($bearer, password => undef), 401,
               qr/password is missing/, 'null');
    is_error(create($bearer, password => ''), 401, qr/password is missing/,
               'an empty one');
    is_error(create($bearer, password => [ $password ]), 401,
               qr/password is missing/, 'a list');
    is_error(create($bearer, password => "$password\0"), 400, qr/NUL/,
               'one with a NUL');
    is_error(create($bearer, password => 'x' x 257), 401, qr/too long/,
               'a long one');

    $redis->put_token('npm_no_account', user => 'nobody');
    is_error(create('npm_no_account', {password => $password}), 401, $wrong,
               'of somebody who has no account');
    $redis->put_token('npm_nameless', readonly => 'false');
    is_error(create('npm_nameless', {password => $password}), 403,
               qr/belongs to no account/, 'of nobody');

    is_error(create(undef, {password => $password}), 401, undef, 'no token',
               challenge => 'Bearer');
    is_error(create('npm_unknown', {password => $password}), 401, undef,
               'an unknown token', challenge => 'Bearer');
    is_error(create('Basic YTpi', {password => $password}), 401, undef,
               'Basic', challenge => 'Bearer');

    $redis->del_token($_) for 'npm_no_account', 'npm_nameless';
};


subtest 'a CIDR that is none' => sub {
    for my $cidr ('nonsense', '', ' ', '192.0.2.0/33', '192.0.2.0/-1',
                  '192.0.2.0/', '192.0.2', '192.0.2.256', '1.2.3.4/8/8',
                  '192.0.2.0/24,198.51.100.0/24', ',', '192.0.2.0/24,',
                  '::1/129', ':::', '::ffff:192.0.2.1', '::ffff:0:0/96',
                  '0x7f.0.0.1', '010.0.0.1', "192.0.2.1\n", '*',
                  'he said "no"', "a\\b", "\x{1}", '<script>',
                  "caf\xc3\xa9", '192.0.2.0/24 ', 'x' x 300)
    {
        utf8::decode(my $text = $cidr);

        my $r = create($bearer, cidr_whitelist => [ '192.0.2.1', $text ]);

        is_error($r, 400,
            qr/\ACIDR whitelist contains invalid CIDR entry: \Q$text\E\z/,
            "not \"" . ($cidr =~ s/[^\x20-\x7e]/?/gr) . '"');
    }

    is_error(create($bearer, cidr_whitelist => $_->[0]), 400,
               qr/are lists of strings/, $_->[1])
        for [ '192.0.2.1', 'a text' ], [ {}, 'an object' ],
            [ [ 1 ], 'a number in a list' ], [ [ undef ], 'null in a list' ],
            [ [ [ '192.0.2.1' ] ], 'a list in a list' ], [ $true, 'true' ];

    is_error(create($bearer, cidr_whitelist => [ ('192.0.2.1') x 6 ]), 400,
               qr/packages or scopes is longer than/, 'more than there may be');
    is_error(create($bearer, readonly => $_), 400,
               qr/readonly is true or false/, 'readonly that is none')
        for 1, 'true', [], '';
};


subtest 'members of a granular token that cannot be' => sub {
    for my $case (
        [ { surprise => 1 },
          qr/\AThis registry does not support: surprise\z/ ],
        [ { Readonly => $true }, qr/not support: Readonly\z/ ],
        [ { cidr => [ '192.0.2.1' ] }, qr/not support: cidr\z/ ],
        [ { 'a"b<' => 1 }, qr/not support: a"b<\z/ ],
        [ { "\n" => 1 }, qr/not support: \n\z/ ],
        [ { 'x' x 100 => 1 }, qr/support: x{64}\z/ ],
        [ { 'x' x 63 . "\x{e9}" x 40 => 1 }, qr/support: x{63}\z/ ],
        [ { "\x{20ac}" x 40 => 1 }, qr/support: \x{20ac}{21}\z/ ],
        [ { '' => 1 }, qr/support: \z/ ],
        [ { token => 'npm_mine' }, qr/support: token\z/ ],
        [ { user => 'root' }, qr/support: user\z/ ],
        [ { expires_at => 1 }, qr/support: expires_at\z/ ],
        [ { protected => $true }, qr/support: protected\z/ ],
        (map { [ { expires => $_ }, qr/\Aexpires is a number of days, from/ ] }
            0, -1, 1.5, '3', 36501, 4_000_000_000, 1e15, $true, [], {}),
        (map { [ { packages_and_scopes_permission => $_ },
                 qr/supports the permissions read-only and read-write/ ] }
            'no-access', 'read-write-stage-only', 'write', 'Read-Only', '',
            1, $true, [ 'read-only' ]),
        (map { [ { orgs => $_ }, qr/cannot limit a token to organisations/ ] }
            [ 'o' ], 'o', {}),
        [ { orgs_permission => 'read-only' }, qr/to organisations/ ],
        (map { [ { packages => $_ }, undef ] }
            'a', {}, [ 1 ], [ undef ], [ '' ], [ 'a', '' ], [ '.a' ],
            [ 'a b' ], [ '*' ], [ '@s/*' ], [ '@s' ], [ 'a/b' ], [ '@s/a/b' ],
            [ 'x' x 215 ], [ 'a,b' ], [ "a\n" ], [ ' a' ], [ 'a%2fb' ],
            [ ('a') x 101 ], [ "\x{e9}" ]),
        (map { [ { scopes => $_ }, undef ] }
            's', {}, [ 1 ], [ '' ], [ '@' ], [ '@s/a' ], [ 's/a' ], [ '*' ],
            [ '@s,@t' ], [ 's,t' ], [ ' s' ], [ "\x{e9}" ], [ ('s') x 101 ]),
        [ { packages => [] }, qr/\AAn empty list of packages or scopes/,
          'no packages' ],
        [ { scopes => [] }, qr/\AAn empty list of packages or scopes/,
          'no scopes' ],
        [ { packages_all => $true, packages => [ 'a' ] },
          qr/for all packages, or for some/ ],
        [ { packages_all => $true, scopes => [ 's' ] },
          qr/for all packages, or for some/ ],
        [ { packages_all => 'yes' }, qr/packages_all is true or false/ ],
        [ { bypass_2fa => 1 }, qr/bypass_2fa is true or false/ ],
        (map { [ { name => $_ }, undef ] }
            1, [], {}, 'x' x 101, "a\nb", "a\x7f"),
        (map { [ { description => $_ }, undef ] }
            1, [], 'x' x 1025, "a\tb", "\e[31m"),
    ) {
        my ($body, $pattern) = @$case;
        my ($name) = JSON::PP->new->canonical->ascii->encode($body)
            =~ /\A\{(.{0,60})/;

        is_error(create($bearer, name => 'g', %$body), 400, $pattern,
                   "not $name");
    }
};

is_deeply($api->all_of_redis, $before, 'nothing of these is stored');


subtest 'as later npm asks' => sub {
    my $full = qr/\AThis token may read and write\. This npm does not/;

    my $r = create($bearer, name => 'ci');
    is_created($r, 'a name', name => 'ci', record => { name => 'ci' });
    like($r->{headers}{'npm-notice'}, $full,
         'and a word on what it may, since npm does not send --read-only');

    $r = create($bearer, name => 'ci',
                packages_and_scopes_permission => 'read-write');
    is_created($r, 'read-write', name => 'ci', record => { name => 'ci' });
    is($r->{headers}{'npm-notice'}, undef, 'that was said');

    $r = create($bearer, name => 'ci',
                packages_and_scopes_permission => 'read-only');

    my $token = is_created($r, 'a permission of read-only', name => 'ci',
        readonly => $true, record => { name => 'ci', readonly => 'true' });

    is($api->status_of($token, 'PUT'), 403, 'is a read-only token');
    is(create($bearer, readonly => $false)->{headers}{'npm-notice'}, undef,
       'no word to older npm');

    $token = is_created(create($bearer, readonly => $true, name => 'x',
        packages_and_scopes_permission => 'read-write'), 'the narrower of two',
        name => 'x', readonly => $true,
        record => { name => 'x', readonly => 'true' });

    my $soon = time + 3 * 86400;

    $r = create($bearer, name => "caf\x{e9} \"\x{1F600}\"",
        description => 'for <b>', expires => 3, packages => [ 'a', '@s/b' ],
        scopes => [ 't', '@u' ], cidr_whitelist => [ '127.0.0.0/8' ],
        packages_and_scopes_permission => 'read-write',
        bypass_2fa => $true, orgs => [], packages_all => $false,
        orgs_permission => undef);

    my $expires = $api->record($r->{json}{token})->{expires_at} // 0;
    my @at = gmtime $expires;

    $token = is_created($r, 'everything', name => "caf\x{e9} \"\x{1F600}\"",
        description => 'for <b>', packages => [ 'a', '@s/b' ],
        scopes => [ '@t', '@u' ], cidr_whitelist => [ '127.0.0.0/8' ],
        bypass_2fa => $true,
        expires => sprintf('%04d-%02d-%02dT%02d:%02d:%02d.000Z',
            $at[5] + 1900, $at[4] + 1, @at[3, 2, 1, 0]),
        record => {
            name => "caf\xc3\xa9 \"\xf0\x9f\x98\x80\"",
            description => 'for <b>', packages => 'a,@s/b',
            scopes => '@t,@u', cidr_whitelist => '127.0.0.0/8',
            bypass_2fa => 'true', expires_at => $expires,
        });

    ok($expires >= $soon && $expires < $soon + 10, 'it expires in three days');

    for (
        [ PUT => '/a', 200 ], [ PUT => '/@s%2fb', 200 ],
        [ PUT => '/@t/x', 200 ], [ PUT => '/@u%2fy', 200 ],
        [ PUT => '/b', 403 ], [ PUT => '/@s%2fa', 403 ],
        [ GET => '/b', 200 ], [ GET => '/-/whoami', 200 ],
        [ PUT => '/-/package/a/dist-tags/latest', 200 ],
        [ PUT => '/-/package/b/dist-tags/latest', 403 ],
        [ POST => '/-/npm/v1/tokens', 403 ],
        [ POST => '/-/npm/v1/user', 403 ],
    ) {
        my ($method, $uri, $status) = @$_;

        is($api->status_of($token, $method, $uri), $status, "$method $uri");
    }

    is_created(create($bearer, name => 'x', packages_all => $true,
        packages_and_scopes_permission => 'read-write'), 'all packages',
        name => 'x', record => { name => 'x' });
    is_created(create($bearer, name => 'x' x 100, description => 'y' x 1024),
        'long texts', name => 'x' x 100, description => 'y' x 1024,
        record => { name => 'x' x 100, description => 'y' x 1024 });
    is(create($bearer, name => 'x', expires => 36500)->{status}, 200,
       'the longest time');
    is(create($bearer, name => 'x', packages => [ ('a') x 100 ])->{status},
       200, 'the longest list');
};


subtest 'where what is not said is read-only' => sub {
    my $ask = sub {
        return $api->call('POST', '/careful/-/npm/v1/tokens', $bearer,
                          { password => $password, @_ });
    };

    my $r = $ask->(name => 'x');

    is_created($r, 'a granular token', name => 'x', readonly => $true,
               record => { name => 'x', readonly => 'true' });
    like($r->{headers}{'npm-notice'}, qr/\AThis token may only read\./,
         'which is said');
    is_created($ask->(readonly => $false), 'not one of older npm');
    is_created($ask->(name => 'x',
        packages_and_scopes_permission => 'read-write'), 'nor if it is said',
        name => 'x', record => { name => 'x' });
};


sub restricted {
    my (%fields) = @_;

    my $token = 'npm_parent' . int rand 1e9;

    $redis->put_token($token, user => 'alice', %fields);

    return $token;
}


subtest 'what a restricted token makes' => sub {
    my $count = $api->tokens_of('alice');

    is_error(create(restricted(readonly => 'true'), {password => $password}),
               403, qr/read-only/, 'a read-only one: nothing');
    is_error(create(restricted(packages => 'a'), {password => $password}),
               403, qr/packages/, 'one of a package: nothing');
    is_error(create(restricted(scopes => '@a'), {password => $password}),
               403, qr/packages/, 'one of a scope: nothing');
    is_error(create(restricted(cidr_whitelist => '192.0.2.1'),
        {password => $password}), 401, undef, 'one out of its range: nothing',
        challenge => 'ipaddress');
    is_error(create(restricted(expires_at => 1), {password => $password}),
               401, undef, 'one that has expired: nothing',
               challenge => 'Bearer');

    my $parent = restricted(cidr_whitelist => '127.0.0.0/8, 2001:db8::/32');

    for my $wider ('0.0.0.0/0', '126.0.0.0/7', '192.0.2.1', '::/0',
                   '2001:db8::/31', '::ffff:7f00:1')
    {
        my $r = create($parent, cidr_whitelist => [ '127.0.0.1', $wider ]);

        is($r->{status}, $wider =~ /ffff/ ? 400 : 403, "nothing for $wider");
        like($r->{json}{error}, qr/may not be used itself|invalid/,
             '... it says why');
    }

    $parent = restricted(expires_at => time + 86400 * 5);
    is_error(create($parent, name => 'x', expires => 6), 403,
               qr/\AA token cannot create one that expires after it does\./,
               'nothing that outlives it');

    is($api->tokens_of('alice'), $count, 'nothing of that is stored');

    # and what they do make

    $parent = restricted(cidr_whitelist => '127.0.0.0/8, 2001:db8::/32');

    is_created(create($parent, {password => $password}),
        'where nothing is said, the ranges of its parent',
        cidr_whitelist => [ '127.0.0.0/8', '2001:db8::/32' ],
        record => { cidr_whitelist => '127.0.0.0/8,2001:db8::/32' });
    is_created(create($parent, cidr_whitelist => []),
        '... also for an empty list',
        cidr_whitelist => [ '127.0.0.0/8', '2001:db8::/32' ],
        record => { cidr_whitelist => '127.0.0.0/8,2001:db8::/32' });
    is_created(create($parent, readonly => $true,
        cidr_whitelist => [ '127.0.0.0/8', '127.1.2.3', '2001:db8:1::/48' ]),
        'equal and narrower ones', readonly => $true,
        cidr_whitelist => [ '127.0.0.0/8', '127.1.2.3', '2001:db8:1::/48' ],
        record => { readonly => 'true', cidr_whitelist =>
                    '127.0.0.0/8,127.1.2.3,2001:db8:1::/48' });

    my $end = time + 86400 * 5;

    $parent = restricted(expires_at => $end);

    is($api->record(create($parent,
        {password => $password})->{json}{token})->{expires_at}, $end,
        'where nothing is said, the end of its parent');

    my $r = create($parent, name => 'x', expires => 4);
    ok($api->record($r->{json}{token})->{expires_at} < $end,
       'an earlier one');

    # what no verdict knows: changed since it was cached is changed now

    $parent = restricted();
    is(create($parent, {password => $password})->{status}, 200,
       'without a restriction: anything');
};


subtest 'no more tokens than an account may have' => sub {
    $api->user('bob', $password);
    $redis->put_token('npm_of_bob', user => 'bob');

    my $ask = sub {
        return $api->call('POST', '/few/-/npm/v1/tokens', 'npm_of_bob',
                          { password => $password });
    };

    my @made = map { $ask->()->{json}{token} } 1 .. 3;

    is(scalar $api->tokens_of('bob'), 3, 'as many as it may');
    is_error($ask->(), 403, qr/\AThis account has as many tokens as/,
               'not one more');
    is_error($api->call('PUT', '/few/-/user/org.couchdb.user:bob', undef,
        { password => $password }), 403, qr/as many tokens as/,
        'nor by a login');
    is(scalar $api->tokens_of('bob'), 3, 'they are as many as they were');

    is($api->call('DELETE', "/few/-/npm/v1/tokens/token/$made[0]",
                  'npm_of_bob')->{status}, 204, 'one is revoked');
    is($ask->()->{status}, 200, 'and another made');

    $redis->command('HSET', $redis->record_name($made[1]),
                    'expires_at', time - 100_000);
    is($ask->()->{status}, 200, 'one that expired a day ago makes room');
    is(scalar $api->tokens_of('bob'), 3, 'they are three again');
    is_error($ask->(), 403, qr/as many tokens as/, 'and no more');
};


done();
