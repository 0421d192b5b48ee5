# The session of the web page: what its cookie is, what it opens, what ends it,
# and who may use it.  The numbers are the statements of docs/web.md.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( free_port read_file temp_dir token_key wait_for );
use NpmToken::Web;

use constant TOTP => 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

my $password = secret('correct horse battery');
my $new_password = secret('another battery staple');

my $echo = temp_dir() . '/echo';

my $mapped = free_port();
my $redis = NpmToken::Redis->new;

# two nodes: the second has the page as well, and a cache

my $api = NpmToken::Api->new(
    redis => $redis,
    api   => 'npmtoken_api_page on; npmtoken_api_attempts 0 0;',
    http  => <<"_EOC_",
    log_format cookies '\$http_cookie|\$request';
    proxy_cache_path @{[ temp_dir() ]}/cache keys_zone=cookies:1m;

    server {
        listen unix:$echo;

        location / {
            return 200 "cookie: \$http_cookie\\nauth: \$http_authorization\\n";
        }
    }
_EOC_
    server => <<"_EOC_",
        listen [::]:$mapped ipv6only=off;
        access_log @{[ temp_dir() ]}/cookies.log cookies;

        location /echo/ {
            npmtoken main;
            npmtoken_base /echo/;
            npmtoken_anonymous read;
            npmtoken_api main;
            proxy_pass http://unix:$echo;
        }
        location /bare/ {
            proxy_cache cookies;
            proxy_cache_key "\$uri|\$http_cookie";
            proxy_cache_valid 200 1m;
            proxy_pass http://unix:$echo;
        }
        location /tls/ {
            npmtoken main;
            npmtoken_base /tls/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_url https://npm.example.com/tls;
            proxy_pass http://registry;
        }
        location /forever/ {
            npmtoken main;
            npmtoken_base /forever/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_session 0;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
        location /few/ {
            npmtoken main;
            npmtoken_base /few/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_max_tokens 1;
            proxy_pass http://registry;
        }
_EOC_
);

my $other = NpmToken::Api->new(
    redis => $redis,
    store => '',
    api   => 'npmtoken_api_page on; npmtoken_api_attempts 0 0;',
);

$api->user('alice', $password);
$api->user('bob', $password);


sub browser { return NpmToken::Web->new($_[0] // $api, @_[1 .. $#_]) }

sub logged_in {
    my $web = browser(@_);

    $web->login('alice', $password);

    return $web;
}

sub record_key { return 'npmtoken:token:' . token_key($_[0]->cookie) }

# on both nodes

sub is_dead {
    my ($web, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $node ($api, $other) {
        my $there = NpmToken::Web->new($node, cookie => $web->cookie);
        my $r = $there->get('tokens');

        is($r->{status}, 401, $name);
        is_deeply([ sort keys %{ $r->{json} } ], [ 'error', 'login' ],
                  '... and the page is told to log in');
    }
}

sub is_alive {
    my ($web, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(NpmToken::Web->new($_, cookie => $web->cookie)->get('tokens')->{status},
       200, $name) for $api, $other;
}


subtest '1: the cookie, and what Redis has of it' => sub {
    my $web = browser();
    my $r = $web->login('alice', $password);

    like($r->{headers}{'set-cookie'},
         qr/\A__Host-npmtoken=npm_[0-9A-Za-z]{36}; Path=\/; Secure; HttpOnly; SameSite=Strict\z/,
         'it is for this host alone, for no script, and for no other site');

    my $record = $api->record($web->cookie);

    is($record->{user}, 'alice', 'its record is found by its SHA-512');
    like($record->{session}, qr/\A[0-9a-f]{32}\z/, '... says what it is');
    is($record->{token}, undef, '... and shows nothing of the secret');
    ok((grep { $_ eq token_key($web->cookie) } $api->tokens_of('alice')),
       '... is one of the tokens of the account');
    like($record->{name}, qr/\Aweb page from 127\.0\.0\.1, /, '... its name');
};


subtest '2: each login has a new value, and no other is adopted' => sub {
    my $web = logged_in();
    my $first = $web->cookie;

    $web->login('alice', $password);
    isnt($web->cookie, $first, 'a second login has another one');
    wait_for {
        !$redis->command('EXISTS', 'npmtoken:token:' . token_key($first))
    } 'the first one to be gone';

    for my $value ('npm_' . 'a' x 36, 'x', '',
                   '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')
    {
        my $there = browser();

        $there->cookie($value);
        is_dead($there, "\"$value\" opens nothing");
        $there->cookie($value);
        $there->login('alice', $password);
        isnt($there->cookie, $value, '... and a login does not adopt it');
    }

    my $before = $web->cookie;
    my $r = $web->post('tokens', { name => 'a', password => $password });

    is($r->{status}, 200, 'a token is made, for which the password is asked');
    isnt($web->cookie, $before, '... and the session has another value');
    is_alive($web, '... which is good');
    $before = browser($api, cookie => $before);
    is_dead($before, '... and the one before is not');
};


subtest '3: it ends unused, and after a time' => sub {
    my $web = logged_in();

    my $left = $redis->command('TTL', record_key($web));
    ok($left > 890 && $left <= 900, 'a quarter of an hour unused')
        or diag($left);

    my $end = $api->record($web->cookie)->{expires_at} - time;
    ok($end > 12 * 3600 - 20 && $end <= 12 * 3600, 'twelve hours')
        or diag($end);

    $redis->command('EXPIRE', record_key($web), 100);
    is($web->get('tokens')->{status}, 200, 'it is used');
    wait_for { $redis->command('TTL', record_key($web)) > 890 }
        'its time to begin anew';

    $redis->command('EXPIRE', record_key($web), 880);
    is($web->get('tokens')->{status}, 200, 'it is used often');
    is($web->get('tokens')->{status}, 200, '...');
    ok($redis->command('TTL', record_key($web)) <= 880,
       'that is not written each time');

    $redis->command('HSET', record_key($web), 'expires_at', time - 1);
    is_dead($web, 'after its end');

    $web = logged_in();
    $redis->command('DEL', record_key($web));
    is_dead($web, 'after it was not used');

    $web = logged_in($api, base => '/forever/');
    is($api->record($web->cookie)->{expires_at}, undef,
       'with no end set, it has none');
    $left = $redis->command('TTL', record_key($web));
    ok($left > 890, '... but it still has to be used') or diag($left);
    is($web->get('session')->{json}{expires}, undef, '... and the page knows');
};


subtest '4: what ends it on every node' => sub {
    my $web = logged_in();
    my $copy = browser($api, cookie => $web->cookie);
    my $r = $web->post('logout');

    is($r->{status}, 204, 'logout');
    is($web->cookie, undef, '... drops the cookie');
    is_dead($copy, '... and a copy of it is dead');
    is($copy->post('logout')->{status}, 204, '... a second logout is no error');

    my @ends = (
        [ 'a lock' => sub {
            $redis->command('HSET', 'npmtoken:user:alice', locked => 'true')
          } ],
        [ 'another password' => sub {
            $redis->command('HSET', 'npmtoken:user:alice', password =>
                crypt($password, '$2b$04$' . 'b' x 22)) } ],
        [ 'a second factor' => sub {
            $redis->command('HSET', 'npmtoken:user:alice', tfa => 'auth-only',
                            totp => TOTP) } ],
        [ 'a deleted account' => sub {
            $redis->command('DEL', 'npmtoken:user:alice') } ],
        [ 'npm token revoke' => sub {
            my $token = $api->login('alice', $password);
            my $id = substr token_key($_[0]->cookie), 0, 12;

            is($api->call('DELETE', "/-/npm/v1/tokens/token/$id",
                          $token)->{status}, 204, 'npm revokes it') } ],
        [ 'the page of another browser' => sub {
            my $r = logged_in($other)->post('revoke',
                { keys => [ token_key($_[0]->cookie) ] });

            is_deeply($r->{json}, { revoked => [ token_key($_[0]->cookie) ],
                                    failed => [] }, 'the page revokes it') } ],
        [ 'an operator' => sub {
            $redis->command('HSET', record_key($_[0]), revoked_at => 1) } ],
        [ 'an operator who deletes it' => sub {
            $redis->command('DEL', record_key($_[0])) } ],
    );

    for (@ends) {
        my ($what, $do) = @$_;
        my $web = logged_in();

        is_alive($web, "before $what");
        $do->($web);
        is_dead($web, "after $what");
        $api->user('alice', $password);
    }
};


subtest '4: the other sessions end when one of them changes the account' =>
    sub
{
    my ($web, $stolen) = (logged_in(), logged_in());

    my $r = $web->post('user',
        { password => { old => $password, new => $new_password } });

    is($r->{status}, 200, 'the password is changed') or diag($r->{body});
    is_alive($web, 'who has done it goes on');
    is_dead($stolen, 'another one does not');
    $api->user('alice', $password);

    ($web, $stolen) = (logged_in(), logged_in());

    $r = $web->post('user',
        { tfa => { password => $password, mode => 'auth-only' } });

    my ($secret) = ($r->{json}{tfa} // '') =~ /secret=([A-Z2-7]+)/;

    ok(defined $secret, 'a second factor is set up') or diag($r->{body});
    secret($secret);
    is_alive($stolen, 'nothing ends before it is confirmed');

    $r = $web->post('user', { tfa => [ otp($secret) ] });
    is(scalar @{ $r->{json}{tfa} // [] }, 5, 'it is confirmed');
    is_alive($web, 'who has done it goes on');
    is_dead($stolen, 'another one does not');

    $r = $web->post('user',
        { tfa => { password => $password, mode => 'disable' } },
        'npm-otp' => otp($secret, 1));

    is($r->{status}, 200, 'it is turned off') or diag($r->{body});
    is_alive($web, 'who has done it goes on');
    $api->user('alice', $password);
};


subtest '5: it opens the calls of the page, and nothing else' => sub {
    my $web = logged_in();
    my $cookie = $web->cookie;
    my %cookie = (Cookie => "__Host-npmtoken=$cookie",
                  'Sec-Fetch-Site' => 'same-origin');

    for (qw( GET:/pkg PUT:/pkg GET:/-/whoami GET:/-/npm/v1/tokens
        POST:/-/npm/v1/tokens GET:/-/npm/v1/user DELETE:/-/user/token/x ))
    {
        my ($method, $uri) = split /:/;

        my ($with, $without) = map {
            $api->call($method, $uri, undef, $method =~ /P/ ? '{}' : undef, @$_)
        } [ %cookie ], [];

        is($with->{status}, 401, "$method $uri with the cookie is refused");
        is($with->{body}, $without->{body}, '... as without it');
    }

    my $r = $api->call('GET', '/echo/pkg', undef, undef, %cookie);

    is($r->{status}, 200, 'what anybody may read');
    is($r->{body}, "cookie: \nauth: \n", '... is read as by anybody');

    for (qw( GET:/pkg PUT:/pkg GET:/-/whoami GET:/-/npm/v1/tokens )) {
        my ($method, $uri) = split /:/;
        my $r = $api->call($method, $uri, $cookie);

        is($r->{status}, 401, "$method $uri with it as a token is refused");
        is($r->{json}{reason}, 'session', '... which it is not');
    }

    is($api->call('GET', '/-/npmtoken/api/tokens', $api->login('alice',
        $password), undef, 'Sec-Fetch-Site' => 'same-origin')->{status}, 401,
        'nor is a token good for the page');

    my $there = browser();

    $there->cookie($api->login('alice', $password));
    is_dead($there, '... also not as a cookie');
};


subtest '6: it reaches no registry, no log and no cache' => sub {
    my $web = logged_in();
    my $cookie = $web->cookie;

    for ([ "__Host-npmtoken=$cookie" => '' ],
         [ "a=1; __Host-npmtoken=$cookie" => 'a=1' ],
         [ "__Host-npmtoken=$cookie; b=2" => 'b=2' ],
         [ "a=1;__Host-npmtoken=$cookie;b=2" => 'a=1;b=2' ],
         [ "a=1; __Host-npmtoken=$cookie; b=2; __Host-npmtoken=$cookie"
           => 'a=1; b=2' ],
         [ "x__Host-npmtoken=1; __Host-npmtokens=2; __Host-npmtoken=$cookie"
           => 'x__Host-npmtoken=1; __Host-npmtokens=2' ],
         [ 'a=1; b="2"' => 'a=1; b="2"' ])
    {
        my ($sent, $seen) = @$_;

        for my $uri ('/echo/pkg', '/bare/pkg') {
            my $r = $api->call('GET', $uri, undef, undef, Cookie => $sent);

            is($r->{body}, "cookie: $seen\nauth: \n",
               "$uri sees \"$seen\" of it");
        }
    }

    # what is joined again is no longer than what came

    for my $sent ('a;' x 3500, 'a;' x 3500 . "__Host-npmtoken=$cookie") {
        my $r = $api->call('GET', '/bare/long', undef, undef,
                           Cookie => $sent);

        is($r->{status}, 200, 'a cookie of many parts is no trouble');
    }

    is($api->call('GET', '/bare/key', undef, undef, Cookie => $_)->{status},
       200, 'a cache') for "a=1; __Host-npmtoken=$cookie", 'a=1';

    $web->get('tokens');
    $api->call('GET', '/pkg', undef, undef,
               Cookie => "__Host-npmtoken=$cookie");
    $api->finish;

    unlike(read_file(temp_dir() . '/cookies.log'), qr/npm_/,
           'no log has it, though its format has the cookies');
    like(read_file(temp_dir() . '/cookies.log'), qr/^a=1\|GET \/bare\/key/m,
         '... which it shows');

    my $found = `grep -rl -- '$cookie' @{[ temp_dir() ]}/cache 2>/dev/null`;

    is($found, '', 'nor has the cache');
    $api->start;
};


subtest '7: the cookie is looked at for the page of this origin only' => sub {
    my $web = logged_in();
    my $host = 'http://localhost';

    my @refused = (
        [ 'another site' => 'Sec-Fetch-Site' => 'cross-site' ],
        [ 'a sibling host' => 'Sec-Fetch-Site' => 'same-site' ],
        [ 'an address that was typed' => 'Sec-Fetch-Site' => 'none' ],
        [ 'an unknown word' => 'Sec-Fetch-Site' => 'Same-Origin' ],
        [ 'an empty word' => 'Sec-Fetch-Site' => '' ],
        [ 'both' => 'Sec-Fetch-Site' => [ 'same-origin', 'cross-site' ] ],
        [ 'no header at all' => 'Sec-Fetch-Site' => undef ],
        [ 'another origin' => 'Sec-Fetch-Site' => undef,
          Origin => 'https://evil.example' ],
        [ 'a sibling origin' => 'Sec-Fetch-Site' => undef,
          Origin => 'http://a.localhost' ],
        [ 'another scheme' => 'Sec-Fetch-Site' => undef,
          Origin => 'https://localhost' ],
        [ 'another port' => 'Sec-Fetch-Site' => undef,
          Origin => 'http://localhost:81' ],
        [ 'a sandbox' => 'Sec-Fetch-Site' => undef, Origin => 'null' ],
        [ 'another site with our origin' => 'Sec-Fetch-Site' => 'cross-site',
          Origin => $host ],
        [ 'two origins' => 'Sec-Fetch-Site' => undef,
          Origin => [ $host, $host ] ],
    );

    my $before = $api->all_of_redis;

    for (@refused) {
        my ($what, %headers) = @$_;

        is_error($web->get('tokens', Host => 'localhost', %headers), 403,
                 qr/page of this registry/, "$what may not read");
        is_error($web->post('revoke', { keys => [ 'a' ] },
                            Host => 'localhost', %headers), 403, undef,
                 '... nor write');
        is_error(browser()->post('login',
                    { name => 'alice', password => $password },
                    Host => 'localhost', %headers), 403, undef,
                 '... nor log anybody in');
        is_error($web->post('logout', {}, Host => 'localhost', %headers), 403,
                 undef, '... nor out');
    }

    is_deeply($api->all_of_redis, $before, 'nothing was done');

    is($web->get('tokens', 'Sec-Fetch-Site' => undef, Host => 'localhost',
                 Origin => $host)->{status}, 200,
       'an old browser says its origin');

    for my $type ('application/x-www-form-urlencoded', 'text/plain',
                  'multipart/form-data', 'application/jsonp', '')
    {
        is_error($web->post('logout', {}, 'Content-Type' => $type), 415,
                 qr{application/json}, "a body of type \"$type\" is refused");
    }

    is($web->post('revoke', { keys => [] }, 'Content-Type' =>
        'application/json; charset=utf-8')->{status}, 400, 'JSON is not');

    my $there = NpmToken::Web->new($api, base => '/tls/');

    is($there->get('session', 'Sec-Fetch-Site' => undef,
                   Origin => 'https://npm.example.com')->{status}, 200,
       'the origin is that of npmtoken_api_url, if that is set');
    is($there->get('session', 'Sec-Fetch-Site' => undef, Host => 'localhost',
                   Origin => $host)->{status}, 403, '... and no other');
    is_alive($web, 'the session has lived through all that');
};


subtest '11: what is asked again, session or not' => sub {
    my $web = logged_in();
    my $before = $api->all_of_redis;

    for (
        [ 'a token', tokens => { name => 'a' } ],
        [ 'a second factor', user => { tfa => { mode => 'auth-only' } } ],
        [ 'a password', user => { password => { new => $new_password } } ],
    ) {
        my ($what, $call, $body) = @$_;
        my $r = $web->post($call, $body);

        is($r->{status}, 401, "$what takes the password");
        ok($r->{json}{reauth}, '... and the page is told to ask for it');
    }

    is_error($web->post('tokens', { name => 'a', password => 'wrong one' }),
             401, qr/wrong/, 'a wrong password is one');
    is_deeply($api->all_of_redis, $before, 'nothing was done');

    is($web->post('tokens', { name => 'a', password => $password,
        packages_and_scopes_permission => 'read-only' })->{json}{readonly},
       $true, 'with it a token is made');
    is_error($web->post('tokens', { password => $password }), 400, qr/name/,
             'it needs a name');
};


subtest '12: one text and one status for each failed login' => sub {
    $api->user('locked', $password, locked => 'true');

    my %seen;

    for ([ 'alice', 'a wrong one' ], [ 'nobody', $password ],
         [ 'locked', $password ], [ 'locked', 'a wrong one' ])
    {
        my ($name, $password) = @$_;
        my $r = browser()->post('login',
                                { name => $name, password => $password });

        is_error($r, 401, qr/\AThe user name or the password is wrong\.\z/,
                 $name);
        is($r->{headers}{'set-cookie'}, undef, '... no cookie');
        $seen{$r->{body}}++;
    }

    is(keys %seen, 1, 'nothing tells them apart');
};


subtest 'a second factor' => sub {
    settle();
    $api->user('alice', $password, tfa => 'auth-and-writes', totp => TOTP);

    my $web = browser();
    my $r = $web->post('login', { name => 'alice', password => 'wrong' },
                       'npm-otp' => otp(TOTP));

    is_error($r, 401, qr/wrong/, 'a code is not looked at before the password');
    $r = $web->post('login', { name => 'alice', password => $password });
    is_error($r, 401, qr/one-time password/, 'a code is asked for',
             challenge => 'otp');
    is($r->{headers}{'set-cookie'}, undef, '... there is no session before it');
    is_error($web->post('login', { name => 'alice', password => $password },
        'npm-otp' => '000000'), 401, qr/wrong/, 'a wrong one',
        challenge => 'otp');
    $web->login('alice', $password, 'npm-otp' => otp(TOTP));

    my $info = $web->get('session')->{json};

    is($info->{tfa}, 'auth-and-writes', 'the page knows the mode');
    ok($info->{fresh}, '... and that the code was given a moment ago');

    is_error($web->post('tokens', { name => 'a', password => $password }), 401,
             undef, 'a token takes a code of its own', challenge => 'otp');
    $r = $web->post('tokens', { name => 'a', password => $password },
                    'npm-otp' => otp(TOTP, 1));
    is($r->{status}, 200, '... and is made with one');

    my $key = $r->{json}{key};

    $redis->command('HSET', record_key($web), updated =>
                    '2026-01-01T00:00:00.000Z');
    ok(!$web->get('session')->{json}{fresh}, 'some time later');
    is_error($web->post('revoke', { keys => [ $key ] }), 401, undef,
             '... to revoke takes a code', challenge => 'otp');
    $api->user('alice', $password);
};


subtest '20: a password is not sent in the clear' => sub {
    for my $host ('npm.example.com', 'npm.example.com:80', '192.0.2.1',
                  'localhost.example.com', '127.0.0.1.example.com',
                  '[2001:db8::1]:80')
    {
        my $web = browser();
        my $r = $web->get('session', Host => $host);

        is($r->{json}{login}, 'none', "$host: no login");
        like($r->{json}{error}, qr/https/, '... and why');
        is_error($web->post('login', { name => 'alice',
            password => $password }, Host => $host), 403, qr/https/,
            '... is refused');
    }

    for my $host ('localhost', 'localhost:8080', '127.0.0.1:8080', '[::1]:80',
                  'npm.localhost')
    {
        is(browser()->get('session', Host => $host)->{json}{login}, 'password',
           "$host: this machine");
    }

    is(browser($api, base => '/tls/')->get('session')->{json}{login},
       'password', 'TLS ends in front of us, as npmtoken_api_url says');
};


subtest 'my address is one that a token can be limited to' => sub {
    my $r = `curl -s -H 'Sec-Fetch-Site: same-origin' http://127.0.0.1:$mapped/-/npmtoken/api/session`;

    like($r, qr/"address":"127\.0\.0\.1"/, 'IPv4 to a socket of IPv6');

    my $web = logged_in();
    my $address = $web->get('session')->{json}{address};

    is($web->post('tokens', { name => 'a', password => $password,
        cidr_whitelist => [ $address ] })->{status}, 200, 'it can');
};


subtest 'the two lists' => sub {
    $redis->flush;
    $api->user('alice', $password);

    my ($web, $second) = (logged_in(), logged_in());
    my $token = $api->login('alice', $password);
    my $made = $web->post('tokens', { name => '<b>ci</b>', expires => 5,
                                      password => $password })->{json};

    is_deeply([ map { $_->{key} } @{ $api->list($token)->{json}{objects} } ],
              [ $made->{key}, token_key($token) ],
              'npm token list has tokens only');

    my $r = $web->get('tokens?perPage=100');

    is_deeply([ map { [ @$_{qw( name kind expired )} ] }
                @{ $r->{json}{objects} } ],
              [ [ '<b>ci</b>', 'token', $false ],
                [ $api->record($token)->{name}, 'login', $false ] ],
              'the page says which a login has made');
    is($r->{json}{total}, 2, '... and how many there are');

    $r = $web->get('sessions');
    is_deeply([ sort map { $_->{key} . ($_->{current} ? ' current' : '') }
                @{ $r->{json}{objects} } ],
              [ sort { $a cmp $b } token_key($web->cookie) . ' current',
                token_key($second->cookie) ], 'sessions have a list of theirs');
    is_deeply([ grep { $_->{kind} ne 'session' } @{ $r->{json}{objects} } ],
              [], '... with nothing else');

    is($api->status_of($made->{token}, 'PUT'), 200, 'the token is good');

    my @keys = ($made->{key}, token_key($web->cookie), token_key($token),
                'f' x 128);

    $r = $web->post('revoke', { keys => \@keys });

    is_deeply($r->{json}, { revoked => [ @keys[0, 2, 3, 1] ], failed => [] },
              'several are revoked at once, the session itself last');
    is($web->cookie, undef, '... and who revokes the session is logged out');
    is($api->status_of($made->{token}), 401, 'the token is refused');
    is_alive($second, 'another session goes on');

    $api->user('bob', $password);

    my $bob = $api->login('bob', $password);
    $r = $second->post('revoke', { keys => [ token_key($bob) ] });
    is($r->{status}, 200, "somebody else's token");
    is($api->status_of($bob, 'PUT'), 200, '... is as it was');
};


subtest 'who has too many tokens can still log in to revoke some' => sub {
    $redis->flush;
    $api->user('alice', $password);

    my $token = $api->login('alice', $password);
    my $web = logged_in($api, base => '/few/');

    is($web->get('tokens')->{json}{total}, 1, 'there is one');
    is_error($web->post('tokens', { name => 'a', password => $password }), 403,
             qr/as many tokens/, 'no more can be made');
    is($web->post('revoke', { keys => [ token_key($token) ] })->{status}, 200,
       'it is revoked');
};


done();
