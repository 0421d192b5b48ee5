# npm login in the browser: what the client asks and polls, what the page shows
# and answers, over two nodes.  The numbers are the statements of docs/web.md.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( at_exit read_file temp_dir token_key wait_for );
use NpmToken::Web;

use constant TOTP => 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
use constant GONE => qr/\AThis request is gone: it was answered, or has waited/;

my $password = secret('correct horse battery');

my $redis = NpmToken::Redis->new;
my $monitor = temp_dir() . '/monitor';
my $watch = fork // die "fork: $!";

if ($watch == 0) {
    open STDOUT, '>', $monitor or die "open: $!";
    exec 'redis-cli', '-s', $redis->socket, 'MONITOR';
}

at_exit { kill 'TERM', $watch; waitpid $watch, 0 };
wait_for { -s $monitor } 'MONITOR';

my @locations = (
    server => <<'_EOC_',
        location /base/ {
            npmtoken main;
            npmtoken_base /base/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_session 1h;
            proxy_pass http://registry;
        }
        location /tls/ {
            npmtoken main;
            npmtoken_base /tls/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_url https://npm.example.com/npm;
            proxy_pass http://registry;
        }
        location /signup/ {
            npmtoken main;
            npmtoken_base /signup/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_signup on;
            proxy_pass http://registry;
        }
        location /few/ {
            npmtoken main;
            npmtoken_base /few/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_attempts 10 3;
            proxy_pass http://registry;
        }
        location /two/ {
            npmtoken main;
            npmtoken_base /two/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_max_tokens 2;
            proxy_pass http://registry;
        }
_EOC_
);

my ($api, $other) = map {
    NpmToken::Api->new(
        redis => $redis,
        api   => 'npmtoken_api_page on; npmtoken_api_attempts 0 0;',
        @locations)
} 1, 2;

$api->user('alice', $password);
$api->user('bob', $password);


# what a client has of a login that it began: the secrets in both URLs

sub begin {
    my ($node, $base, $body, %headers) = @_;

    my $r = ($node // $api)->call('POST', ($base // '/') . '-/v1/login', undef,
        $body // '{}', 'User-Agent' => 'npm/11.6.1 node/v24', %headers);

    my %login = (answer => $r);

    @login{qw( id )} = ($r->{json}{loginUrl} // '') =~ /#login=(.*)/;
    @login{qw( done )} = ($r->{json}{doneUrl} // '') =~ m{(/-/v1/done.*)};

    secret($_) for grep { defined } $login{id},
        ($login{done} // '') =~ /authId=(.*)/;

    return \%login;
}

sub poll {
    my ($login, $node, %headers) = @_;

    return ($node // $api)->call('GET', $login->{done}, undef, undef, %headers);
}

# a poll may come too soon after another one

sub still_waits {
    my ($login, $node, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $status = poll($login, $node)->{status};

    ok($status == 202 || $status == 429, $name) or diag($status);
}

sub browser {
    my ($name, $node, %options) = @_;

    my $web = NpmToken::Web->new($node // $api, %options);

    $web->login($name, $password) if defined $name;

    return $web;
}

sub is_gone {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_error($r, 410, GONE, $name);
}


subtest 'what the client gets' => sub {
    my $login = begin();
    my $r = $login->{answer};

    is($r->{status}, 200, 'an answer');
    is_deeply([ sort keys %{ $r->{json} } ], [ 'doneUrl', 'loginUrl' ],
              'two URLs');
    like($r->{json}{loginUrl},
         qr{\Ahttp://[\w.:]+/-/npmtoken/#login=[0-9A-Za-z]{24}\z},
         'one for the browser: its secret is not sent to a server');
    like($r->{json}{doneUrl},
         qr{\Ahttp://[\w.:]+/-/v1/done\?authId=[0-9a-f]{32}[0-9A-Za-z]{24}\z},
         'one for the client');
    unlike("$r->{json}{loginUrl} $r->{json}{doneUrl}", qr/%/,
           'no client encodes anything in them');
    like($r->{headers}{'npm-notice'},
         qr/\ACompare this code .*: [B-Z]{4}-[B-Z]{4}\z/,
         'a code to compare, which npm prints');
    is($r->{headers}{'cache-control'}, 'no-store', 'nobody keeps that');

    $r = poll($login);
    is($r->{status}, 202, 'it has to wait');
    is($r->{headers}{'retry-after'}, 2, '... for two seconds');
    is_deeply($r->{json}, {}, '... as JSON, or npm fails');
    is($r->{headers}{'npm-notice'}, undef, '... without a notice each time');

    my $ttl = $redis->command('PTTL', (grep { /npmtoken:web:[0-9a-f]{32}\z/ }
        @{ $redis->command('KEYS', 'npmtoken:web:*') })[0]);

    ok($ttl > 290_000 && $ttl <= 300_000, 'it waits for five minutes');

    for ([ 'yarn 4: no body' => '', 'Content-Length' => 0,
           'Content-Type' => undef ],
         [ 'npm 9: a host' => '{"hostname":"laptop"}' ],
         [ 'adduser' => '{"create":true}' ],
         [ 'no JSON' => 'nothing' ], [ 'too much' => 'x' x 40000 ],
         [ 'a stale token' => '{}', Authorization => 'Bearer npm_stale' ],
         [ 'what is no token' => '{}', Authorization => 'Bearer a b' ])
    {
        my ($what, $body, %headers) = @$_;

        delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;
        is(begin(undef, undef, $body, %headers)->{answer}{status}, 200, $what);
    }

    is(begin(undef, '/signup/', '{"create":true}')->{answer}{status}, 404,
       'npm adduser asks for name and password, where that makes an account');
    is(begin(undef, '/signup/', $_, 'Content-Length' => length)
           ->{answer}{status}, 200, "... but no login does: $_")
        for '', '{}', '{"hostname":"laptop"}', '{"create":false}';

    my $c = NpmToken::HTTP1->new($api->port);

    $c->request('POST', '/-/v1/login', { 'Transfer-Encoding' => 'chunked' });
    $c->write("2\r\n{}\r\n0\r\n\r\n");
    is($c->response->{status}, 200, 'a body of unknown length');

    is(begin(undef, '/tls/')->{answer}{json}{loginUrl}
           =~ s/=.*//r, 'https://npm.example.com/npm/-/npmtoken/#login',
       'the URLs are those of npmtoken_api_url');
    is(begin(undef, '/base/')->{answer}{json}{doneUrl}
           =~ s{\?.*|\Ahttp://[^/]*}{}gr, '/base/-/v1/done',
       '... or of the base');
    is(begin(undef, undef, '{}', Host => 'npm.example.com')->{answer}{status},
       404, 'nobody could log in there in the clear: npm asks for a password');
};


subtest 'a login, with each step at another node' => sub {
    my $login = begin();
    my $web = browser('alice', $other);

    my ($code) = $login->{answer}{headers}{'npm-notice'} =~ /: (.*)/;
    my $r = $web->post('pending', { id => $login->{id} });

    is($r->{status}, 200, 'the page shows it');
    ok(delete $r->{json}{expires_in} > 290, '... how long it waits');
    like(delete $r->{json}{created}, qr/Z\z/, '... since when');
    is_deeply($r->{json}, { kind => 'login', code => $code,
        address => '127.0.0.1', same_address => $true,
        client => 'npm/11.6.1' }, '... who asks, and the same code');

    still_waits($login, $other, 'that changes nothing');

    my @before = $api->tokens_of('alice');

    $r = $web->post('approve', { id => $login->{id} });
    is_answer($r, 200, { ok => $true }, 'it is approved');
    is_deeply([ $api->tokens_of('alice') ], \@before,
              'there is no token before the client takes it');

    $r = poll($login);
    is($r->{status}, 200, 'the client takes it');
    is_deeply([ keys %{ $r->{json} } ], [ 'token' ], '... a token');

    my $token = $r->{json}{token};
    my $record = $api->record($token);

    is($api->call('GET', '/-/whoami', $token)->{json}{username}, 'alice',
       '... of who has approved it');
    is($api->status_of($token, 'PUT'), 200, '... that may write');
    is($record->{name}, 'npm login from 127.0.0.1, npm/11.6.1',
       '... called by who has asked, not by the browser');
    is($record->{session}, 'login', '... as of any login');
    ok($record->{expires_at} - time > 43000, '... and with an end');

    is_gone(poll($login, $_), 'a second poll gets none') for $api, $other;
    is_gone($web->post($_, { id => $login->{id} }), "nor is there one to $_")
        for qw( pending approve deny );
    is_deeply([ grep { /npmtoken:web:[0-9a-f]{32}/ }
                @{ $redis->command('KEYS', '*') } ],
              [ grep { /npmtoken:web:[0-9a-f]{32}/
                       && $redis->command('HGET', $_, 'state') eq 'pending' }
                @{ $redis->command('KEYS', '*') } ], 'nothing is left of it');
};


subtest '13: two secrets that say nothing of each other' => sub {
    my @logins = map { begin() } 1, 2;
    my $web = browser('alice');
    my ($id, $done) = map { $logins[0]{done} =~ /authId=(.{32})(.*)/ ? ($1, $2)
                                                                     : () } 1;

    unlike($logins[0]{done}, qr/\Q$logins[0]{id}\E/, 'they are two');
    is_gone($web->post('pending', { id => $done }),
            'that of the client shows nothing to a browser');
    is_gone($web->post('approve', { id => substr $id, 0, 24 }),
            '... nor does its id');

    $web->post('approve', { id => $logins[0]{id} });

    for my $guess ("$id$logins[0]{id}", "$id" . 'a' x 24,
                   $logins[1]{done} =~ /authId=(.{32})/ ? "$1$done" : '',
                   $id, "$id$done" . 'a', substr("$id$done", 0, -1), '',
                   '*', 'x' x 2000, "$id$done\%00")
    {
        is_gone($api->call('GET', "/-/v1/done?authId=$guess"),
                'another poll: ' . substr $guess, 0, 40);
    }

    is_gone($api->call('GET', '/-/v1/done'), 'or none');
    is(poll($logins[0])->{status}, 200, 'the right one is good after that');
    still_waits($logins[1], $api, 'the other login still waits');
};


subtest '14, 15: who may answer' => sub {
    my $login = begin();

    is($api->call('GET', '/-/npmtoken/')->{status}, 200, 'to open the page');
    is(browser()->post('pending', { id => $login->{id} })->{status}, 200,
       '... which shows the request');
    still_waits($login, $api, '... and approves nothing');

    my $web = browser();
    my $r = $web->post('approve', { id => $login->{id} });

    is($r->{status}, 401, 'nobody approves without a login');
    ok($r->{json}{login}, '... and the page is told so');

    for my $site ('cross-site', 'same-site', undef) {
        is_error(browser('alice')->post('approve', { id => $login->{id} },
            'Sec-Fetch-Site' => $site), 403, undef,
            'nor does another site: ' . ($site // 'none said'));
    }

    for my $body ({}, { id => undef }, { id => 1 }, { id => '' },
                  { id => [ $login->{id} ] }, { id => "$login->{id}a" },
                  { id => '*' x 24 }, { id => 'a' x 24 })
    {
        is_gone(browser('alice')->post($_, $body), "$_ of something else")
            for qw( pending approve deny );
    }

    still_waits($login, $other, 'it still waits');

    my $later = browser('alice');

    $redis->command('HSET', 'npmtoken:token:' . token_key($later->cookie),
                    updated => '2026-01-01T00:00:00.000Z');

    $r = $later->post('approve', { id => $login->{id} });
    is($r->{status}, 401, 'a login of some time ago');
    ok($r->{json}{reauth}, '... has to give the password again');
    is_error($later->post('approve', { id => $login->{id},
        password => 'wrong one' }), 401, qr/wrong/, '... the right one');

    my $before = $later->cookie;

    is($later->post('approve', { id => $login->{id},
        password => $password })->{status}, 200, '... with it, it may');
    isnt($later->cookie, $before, '... and goes on with another secret');
    is(poll($login)->{status}, 200, 'the client has its token');
};


subtest 'another address is told' => sub {
    my $login = begin();
    my ($key) = grep { ($redis->command('HGET', $_, 'code') // '')
                       eq ($login->{answer}{headers}{'npm-notice'} =~ /(.{9})\z/
                           ? $1 : '') }
        grep { /npmtoken:web:[0-9a-f]{32}/ } @{ $redis->command('KEYS', '*') };

    $redis->command('HSET', $key, address => '192.0.2.7');

    my $r = browser()->post('pending', { id => $login->{id} });

    is($r->{json}{address}, '192.0.2.7', 'the page shows it');
    is($r->{json}{same_address}, $false, '... and knows that it is another');
};


subtest '16: an approval counts once' => sub {
    my $login = begin();
    my @web = (browser('alice'), browser('bob', $other));

    is($web[0]->post('approve', { id => $login->{id} })->{status}, 200,
       'one person approves');
    is_gone($web[1]->post('approve', { id => $login->{id} }),
            '... a second one comes too late');
    is_gone($web[0]->post('deny', { id => $login->{id} }),
            '... and so does a denial');

    my @c = map {
        my $c = NpmToken::HTTP1->new($_->port);

        $c->request('GET', $login->{done}, {});
        $c;
    } ($api, $other) x 4;

    my @r = map { $_->response } @c;

    is_deeply([ sort map { $_->{status} } @r ], [ 200, (410) x 7 ],
              'of eight polls at once one gets a token');
    secret($_->{body} =~ /(npm_\w{36})/) for @r;

    $login = begin();

    @c = map {
        my $c = NpmToken::HTTP1->new($api->port);

        $c->request('POST', '/-/npmtoken/api/approve', {
            'Content-Type' => 'application/json',
            'Sec-Fetch-Site' => 'same-origin',
            Cookie => '__Host-npmtoken=' . $_->cookie,
        }, JSON::PP::encode_json({ id => $login->{id} }));
        $c;
    } @web;

    is_deeply([ sort map { $_->response->{status} } @c ], [ 200, 410 ],
              'of two approvals at once one counts');
};


subtest 'denied' => sub {
    my $login = begin();
    my $web = browser(undef, $other);

    is_answer($web->post('deny', { id => $login->{id} }), 200, { ok => $true },
              'whoever has the page open may deny');

    for (1, 2) {
        my $r = poll($login);

        is_error($r, 410, qr/\AThis was denied in the browser\.\z/,
                 'the client is told at once');
        is($r->{headers}{'npm-notice'}, $r->{json}{error},
           '... and npm prints it');
    }

    is_gone(browser('alice')->post('approve', { id => $login->{id} }),
            'it cannot be approved any more');
};


subtest 'expired' => sub {
    my ($login, $approved) = (begin(), begin());
    my $web = browser('alice');

    $web->post('approve', { id => $approved->{id} });

    $redis->command('DEL', $_) for grep { /npmtoken:web:[0-9a-f]{32}/ }
        @{ $redis->command('KEYS', '*') };

    is_gone(poll($login), 'the client is told');
    is_gone(poll($approved), '... also if it had been approved');
    is_gone($web->post($_, { id => $login->{id} }), "$_ comes too late")
        for qw( pending approve deny );
};


subtest 'what happens between the approval and the poll' => sub {
    my @changes = (
        [ 'a lock' => locked => 'true' ],
        [ 'another password' => password => crypt('x' x 9, '$2b$04$'
            . 'c' x 22) ],
        [ 'a second factor' => tfa => 'auth-only', totp => TOTP ],
        [ 'the end of the account' => ],
    );

    for (@changes) {
        my ($what, @fields) = @$_;
        my $login = begin();
        my $web = browser('bob');

        is($web->post('approve', { id => $login->{id} })->{status}, 200,
           "approved before $what");

        if (@fields) {
            $redis->command('HSET', 'npmtoken:user:bob', @fields);
        } else {
            $redis->command('DEL', 'npmtoken:user:bob');
        }

        my @before = $api->tokens_of('bob');

        is_gone(poll($login), '... there is no token after it');
        is_deeply([ $api->tokens_of('bob') ], \@before, '... none was made');
        $api->user('bob', $password);
    }

    my $login = begin();

    browser('alice', $api, base => '/two/')
        ->post('approve', { id => $login->{id} });
    $login->{done} = "/two$login->{done}";
    is_error(poll($login), 403, qr/as many tokens/,
             'who has too many tokens is told');
};


subtest '18: how often and how many' => sub {
    my $login = begin();

    # on a slow machine the second one may come late, and is none too many

    my $r;

    for (1 .. 50) {
        poll($login);
        $r = poll($login, $other);
        last if $r->{status} != 202;
    }

    is_error($r, 429, qr/moment ago/, 'one at once is refused', retry => 2);
    browser('alice')->post('approve', { id => $login->{id} });
    is(poll($login)->{status}, 200, '... but not the one that gets the token');

    my $forget = sub {
        $redis->command('DEL', $_) for grep { /tries:/ }
            @{ $redis->command('KEYS', '*') };
    };

    $forget->();
    is(begin($api, '/few/')->{answer}{status}, 200, 'a login of an address')
        for 1 .. 3;
    like(begin($api, '/few/')->{answer}{headers}{'retry-after'}, qr/\A\d+\z/,
         'past the limit it has to wait');
    is(begin($api, '/few/')->{answer}{status}, 429, '... which npm takes for '
       . '"ask for a password"');
    $forget->();

    my $all = 'npmtoken:web:pending';

    $redis->command('ZADD', $all, map { (9_999_999_999_999, "x$_") }
        1 .. 10_000);
    is(begin()->{answer}{status}, 404,
       'where ten thousand wait, npm asks for a password');
    $redis->command('DEL', $all);
    $redis->command('ZADD', $all, map { (1_000, "x$_") } 1 .. 10_000);
    is(begin()->{answer}{status}, 200, 'those that are over do not count');
    ok($redis->command('ZCARD', $all) < 20, '... and are forgotten');
};


subtest '19: the token that a client sends with a poll does not matter' => sub {
    my $good = $api->login('alice', $password);
    my $far = $api->create($good, password => $password,
                           cidr_whitelist => [ '192.0.2.0/24' ]);

    for (undef, $good, $far, 'npm_unknown', 'Basic YTpi', 'Bearer') {
        my $login = begin();
        my %headers = defined $_
            ? (Authorization => / |Bearer/ ? $_ : "Bearer $_") : ();

        is(poll($login, undef, %headers)->{status}, 202,
           'a poll with ' . ($_ // 'none'));
    }
};


subtest 'nothing that Redis is sent is a secret' => sub {
    my $mark = 'end of ' . rand;

    $redis->command('ECHO', $mark);
    wait_for { index(read_file($monitor), $mark) >= 0 } 'MONITOR';

    my $text = read_file($monitor);

    like($text, qr/npmtoken:web:[0-9a-f]{32}/, 'it was sent requests');
    ok(index($text, $_) < 0, 'but no secret') for secrets();
};


subtest 'Redis is away' => sub {
    my ($login, $approved) = (begin(), begin());
    my $web = browser('alice');

    $web->post('approve', { id => $approved->{id} });
    $redis->stop;

    is_error(begin()->{answer}, 503, undef, 'a login', retry => 1);
    is_error(poll($login), 503, undef, 'a poll', retry => 1);
    is_error($web->post($_, { id => $login->{id} }), 503, undef, $_,
             retry => 1) for qw( pending approve deny );
    is_error($web->get('tokens'), 503, undef, 'the page', retry => 1);
    is_error($web->get('session'), 503, undef, 'who is logged in', retry => 1);
    is_error($web->post('logout'), 503, undef, 'logout', retry => 1);
    is($api->call('GET', '/-/npmtoken/')->{status}, 200,
       'the page itself is there');

    $redis->start;
};


subtest 'no secret is in a log' => sub {
    my $login;

    wait_for { ($login = begin())->{answer}{status} == 200 } 'Redis';

    poll($login);
    $api->call('GET', "/nothing$login->{done}");
    $api->call('GET', "/few/../base$login->{done}");
    $api->finish;

    my ($secret) = $login->{done} =~ /authId=(.*)/;

    unlike($api->access_log, qr/\Q$secret\E/, 'the access log');
    like($api->access_log, qr{GET /-/v1/done\?[0-9a-f]{8} HTTP},
         '... has the first digits of its digest');
    $api->start;
};


done();
