# Where the API stands: under which paths, in which locations, and beside what
# else of nginx.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( free_port token_key );

my $redis = NpmToken::Redis->new;
my $socket = $redis->socket;
my $password = 'correct horse battery';

my $api = NpmToken::Api->new(
    redis => $redis,
    http  => <<"_EOC_",
    npmtoken_store other {
        redis unix:$socket;
        prefix other:;
        cache off;
    }
_EOC_
    location => <<'_EOC_',
        npmtoken main;
        npmtoken_api main;
        npmtoken_api_attempts 0 0;
        npmtoken_api_otp_reuse off;

        location / {
            proxy_pass http://registry;
        }
        location /npm/ {
            npmtoken_base /npm/;
            proxy_pass http://registry/;
        }
        location ~ ^/api/npm/[no]+e/ {
            npmtoken_base /api/npm/one/;
            rewrite ^/api/npm/one/(.*)$ /$1 break;
            proxy_pass http://registry;
        }
        location /api/npm/two/ {
            npmtoken_base /api/npm/two/;
            npmtoken other;
            npmtoken_api other;
            proxy_pass http://registry;
        }
        location /off/ {
            npmtoken_base /off/;
            npmtoken_api off;
            proxy_pass http://registry;
        }
        location /none/ {
            npmtoken off;
            proxy_pass http://registry;
        }
        location /dry/ {
            npmtoken_base /dry/;
            npmtoken_dry_run on;
            proxy_pass http://registry;
        }
        location /reads/ {
            npmtoken_base /reads/;
            npmtoken_anonymous read;
            npmtoken_unknown anonymous;
            proxy_pass http://registry;
        }
        location /any/ {
            npmtoken_base /any/;
            satisfy any;
            deny all;
            proxy_pass http://registry;
        }
        location /allowed/ {
            npmtoken_base /allowed/;
            satisfy any;
            allow all;
            proxy_pass http://registry;
        }
        location /both/ {
            npmtoken_base /both/;
            satisfy all;
            deny 192.0.2.1;
            proxy_pass http://registry;
        }
        location /denied/ {
            npmtoken_base /denied/;
            deny all;
            proxy_pass http://registry;
        }
        location /try/ {
            npmtoken_base /try/;
            root html;
            try_files $uri @registry;
        }
        location @registry {
            npmtoken_base /try/;
            proxy_pass http://registry;
        }
        location /hop/ {
            npmtoken_base /hop/;
            npmtoken_api off;
            root html;
            try_files $uri @hop;
        }
        location @hop {
            npmtoken_base /hop/;
            npmtoken other;
            npmtoken_api other;
            satisfy any;
            allow all;
            proxy_pass http://registry;
        }
        location /page/ {
            npmtoken_base /page/;
            proxy_intercept_errors on;
            error_page 418 = @page;
            proxy_pass http://registry;
        }
        location @page {
            npmtoken_base /page/;
            proxy_pass http://registry;
        }
        location /page/teapot {
            npmtoken_base /page/;
            error_page 418 = @page;
            proxy_intercept_errors on;
            rewrite ^ /teapot break;
            proxy_pass http://registry;
        }
        location /except/ {
            npmtoken_base /except/;
            limit_except GET PUT {
                npmtoken off;
            }
            proxy_pass http://registry;
        }
        location /index/ {
            npmtoken_base /index/;
            rewrite ^/index/index/(.*)$ /index/$1 last;
            proxy_pass http://registry;
        }
        location /mirror/ {
            npmtoken_base /mirror/;
            mirror /-/mirrored;
            proxy_pass http://registry;
        }
        location = /-/mirrored {
            internal;
            npmtoken off;
            proxy_pass http://registry/mirrored;
        }
        location /auth/ {
            npmtoken_base /auth/;
            auth_request /-/asked;
            proxy_pass http://registry;
        }
        location = /-/asked {
            internal;
            npmtoken off;
            proxy_pass http://registry/asked;
        }
_EOC_
);


sub login {
    my ($base, $name, @more) = @_;

    return $api->call('PUT', "$base-/user/org.couchdb.user:$name", undef,
                      { password => $password }, @more);
}

$api->user('alice', $password);
{
    local $api->{prefix} = 'other:';
    $api->user('zoe', $password);
}

my $token = $api->login('alice', $password);


# all of what it answers, under a base

sub is_there {
    my ($base, $name, %options) = @_;

    $name //= $base;

    my $user = $options{user} // 'alice';

    subtest $name => sub {
        my @seen = $api->registry_log_of(sub {
            my $r = login($base, $user);
            my $token = $r->{json}{token};

            is($r->{status}, 201, 'login');
            is_answer($api->call('GET', "$base-/whoami", $token), 200,
                      { username => $user }, 'whoami');
            is($api->call('HEAD', "$base-/whoami", $token)->{status}, 200,
               'HEAD');

            $r = $api->call('POST', "$base-/npm/v1/tokens", $token,
                            { password => $password });
            is($r->{status}, 200, 'create');
            my $made = $r->{json}{token};

            $r = $api->call('GET', "$base-/npm/v1/tokens?perPage=1", $token);
            is($r->{status}, 200, 'list');
            like($r->{json}{urls}{next}, qr{\A/-/npm/v1/tokens\?},
                 'npm puts its base before that');
            is($api->call('DELETE', "$base-/npm/v1/tokens/token/$made",
                          $token)->{status}, 204, 'revoke');
            is($api->call('GET', "$base-/npm/v1/user", $token)->{status},
               200, 'profile get');
            is($api->call('POST', "$base-/npm/v1/user", $token,
                          { fullname => 'A' })->{status}, 200, 'profile set');
            is_error($api->call('POST', "$base-/v1/login", undef, '{}'), 404,
                     undef, 'login by the browser');
            is_answer($api->call('DELETE', "$base-/user/token/$token",
                                 $token), 200, { ok => $true }, 'logout');

            # in a dry run it is then one that the registry may know

            is($api->call('GET', "$base-/whoami", $token)->{status}, 401,
               'out') unless $options{dry};
        });

        is_deeply([ grep { !/asked|mirrored/ } @seen ], [],
                  'the registry sees nothing of it');

        $token = $api->login('alice', $password);

        my $r = $api->call('PUT', "${base}pkg", $options{token} // $token);
        like($r->{body}, qr{\APUT .*pkg\n}, 'the rest is the registry\'s');
    };
}

is_there('/');
is_there('/npm/');
is_there('/api/npm/one/', 'a base that is rewritten');
is_there('/any/', 'satisfy any, and only a token does');
is_there('/both/', 'satisfy all');
is_there('/try/', 'before try_files');
is_there('/page/', 'with error_page');
is_there('/index/', 'with a rewrite to other locations');
is_there('/mirror/', 'with a mirror');
is_there('/auth/', 'with auth_request');
is_there('/dry/', 'in a dry run', dry => 1);
is_there('/reads/', 'where anybody may read');


subtest 'another store' => sub {
    my $r = login('/api/npm/two/', 'zoe');
    my $other = $r->{json}{token};

    is($r->{status}, 201, 'its accounts log in');
    is($api->call('GET', '/api/npm/two/-/whoami',
                  $other)->{json}{username}, 'zoe', 'its tokens are good');
    is(login('/api/npm/two/', 'alice')->{status}, 401,
       'the accounts of the first do not');
    is($api->call('GET', '/-/whoami', $other)->{status}, 401,
       'its tokens are none there');
    is($redis->command('EXISTS', 'npmtoken:token:' . token_key($other)), 0,
       'nor are their records');
};


subtest 'off' => sub {
    my @seen = $api->registry_log_of(sub {
        for my $base ('/off/', '/none/') {
            is($api->call('GET', "$base-/whoami", $token)->{body},
               "GET $base-/whoami\n", "$base-/whoami");
            is($api->call('POST', "$base-/npm/v1/tokens", $token,
                '{}')->{body}, "POST $base-/npm/v1/tokens\n", 'tokens');
            is(login($base, 'alice')->{body},
               "PUT $base-/user/org.couchdb.user:alice\n", 'login');
        }
    });

    is(scalar @seen, 6, "is the registry's");
};


subtest 'other spellings' => sub {
    my @seen = $api->registry_log_of(sub {
        for my $uri (
            '//-/whoami', '/-//whoami', '/-/whoami/', '/-/WHOAMI',
            '/-/whoam%69', '/%2d/whoami', '/-%2fwhoami', '/./-/whoami',
            '/x/../-/whoami', '/-/npm/v1/tokens/', '/-/npm/v1//tokens',
            '/-/npm/V1/tokens', '/-/npm/v1/%74okens', '/-/whoami%20',
            '/-/whoami;x', '/-/npm/v1/token', '/-/npm/v1/users',
            '/-/npm/v1/tokens/token', '/npm/npm/-/whoami', '/-/npm/-/whoami',
        ) {
            my $r = $api->call('GET', $uri, $token);

            is($r->{status}, 200, "GET $uri") or diag $r->{body};
            ok($r->{headers}{'x-registry'}, '... is the registry\'s');
            is($api->call('GET', $uri)->{status}, 401, '... takes a token');
        }

        for my $case (
            [ PUT => '/-/user/org.couchdb.user:' ],
            [ PUT => '/-/user/org.couchdb.user:a/b' ],
            [ PUT => '/-/user/org.couchdb.user:a/-rev/' ],
            [ PUT => '/-/user/org.couchdb.user:a/-rev/1/2' ],
            [ PUT => '/-/user/org.couchdb.user%3aa' ],
            [ PUT => '/-/user/org.couchdb.USER:a' ],
            [ PUT => '//-/user/org.couchdb.user:a' ],
            [ PUT => '/-/user/v1/star' ],
            [ POST => '/-/user/org.couchdb.user:a' ],
            [ DELETE => '/-/user/org.couchdb.user:a' ],
            [ POST => '/-/v1/login/' ], [ POST => '/-/v1/LOGIN' ],
            [ PUT => '/-/v1/login' ], [ POST => '/-/whoami' ],
            [ PUT => '/-/npm/v1/tokens' ], [ PATCH => '/-/npm/v1/user' ],
            [ DELETE => '/-/npm/v1/tokens' ],
            [ DELETE => '/-/npm/v1/tokens/token/a/b' ],
            [ DELETE => '/-/npm/v1/tokens/token/' ],
            [ DELETE => '/-/npm/v1/tokens/token/a%zz' ],
            [ POST => '/-/npm/v1/tokens/token/a' ],
        ) {
            my ($method, $uri) = @$case;
            my $r = $api->call($method, $uri, $token, '{}');

            # nginx does not take each of them
            ok($r->{headers}{'x-registry'} || $r->{status} == 400
               && $r->{body} =~ /nginx/, "$method $uri: the registry's")
                or diag "$r->{status} $r->{body}";
            is($api->call1($method, $uri, undef, '{}')->{status},
               $uri =~ /zz/ ? 400 : 401, '... and takes a token');
        }
    });

    my $alice = $api->tokens_of('alice');

    $api->call('PUT', '//-/user/org.couchdb.user:alice', $token,
               { password => $password });
    is($api->tokens_of('alice'), $alice, 'no token is made by another one');
};


subtest 'a method that another header says' => sub {
    $redis->put_token('npm_ro', user => 'alice', readonly => 'true');

    for my $name ('X-HTTP-Method-Override', 'X-HTTP-Method',
                  'X-Method-Override')
    {
        is(login('/', 'alice', $name => 'DELETE')->{status}, 401,
           "$name: a login is a write");
        is($api->call('GET', '/-/whoami', 'npm_ro', undef,
                      $name => 'DELETE')->{status}, 403,
           '... and so is whoami');
        is($api->call('GET', '/-/whoami', $token, undef,
                      $name => 'DELETE')->{status}, 200,
           '... which a full token may');
        is($api->call('DELETE', '/-/user/token/npm_ro', 'npm_ro', undef,
                      $name => 'GET')->{status}, 403,
           '... a logout, too');
    }
};


sub is_denied {
    my ($base, $name, @tokens) = @_;

    for my $credentials (@tokens) {
        for my $call ([ GET => '-/whoami' ], [ GET => '-/npm/v1/tokens' ],
                      [ GET => '-/npm/v1/user' ])
        {
            my ($method, $uri) = @$call;

            is_error($api->call($method, "$base$uri", $credentials), 401,
                     undef, "$name: $uri with " . ($credentials // 'none'),
                     challenge => 'Bearer');
        }
    }
}

subtest 'who was let through without being known' => sub {
    my $before = $api->all_of_redis;

    is_denied('/dry/', 'dry run', undef);
    is_denied('/reads/', 'anonymous', undef, 'npm_unknown', 'Basic YTpi');

    $redis->put_token('npm_far', user => 'alice',
                      cidr_whitelist => '192.0.2.1');
    $redis->put_token('npm_shared', user => 'alice', protected => 'true');
    $before = $api->all_of_redis;

    is_denied('/dry/', 'dry run', 'npm_far');

    for my $credentials (undef, 'npm_ro', 'npm_far') {
        my $name = $credentials // 'none';

        for my $call (
            [ POST => '-/npm/v1/tokens', { password => $password } ],
            [ POST => '-/npm/v1/user', { fullname => 'X' } ],
            [ DELETE => '-/npm/v1/tokens/token/' . token_key($token) ],
        ) {
            my ($method, $uri, $body) = @$call;

            is_error($api->call($method, "/dry/$uri", $credentials, $body),
                     401, undef, "dry run: $method $uri with $name",
                     challenge => 'Bearer');
        }
    }

    is($api->call('DELETE', '/dry/-/user/token/npm_shared',
                  'npm_shared')->{status}, 401,
       'a protected token is not logged out');
    is_deeply($api->all_of_redis, $before, 'nothing is changed');
};


# for those who move from a registry's own tokens

subtest 'in a dry run a token that no record knows is the registry\'s' => sub {
    my $before = $api->all_of_redis;

    # the registry gets it, in the path, too
    not_secret('npm_theirs');

    for my $credentials ('npm_theirs', 'Basic YTpi', 'Bearer a b') {
        for my $call (
            [ GET => '-/whoami' ], [ GET => '-/npm/v1/tokens' ],
            [ GET => '-/npm/v1/user' ],
            [ POST => '-/npm/v1/tokens', { password => $password } ],
            [ POST => '-/npm/v1/user', { fullname => 'X' } ],
            [ DELETE => '-/npm/v1/tokens/token/' . token_key($token) ],
            [ DELETE => '-/user/token/npm_theirs' ],
        ) {
            my ($method, $uri, $body) = @$call;
            my $r = $api->call($method, "/dry/$uri", $credentials, $body);

            ok($r->{headers}{'x-registry'},
               "$method $uri with $credentials: $r->{status}");
        }
    }

    is_deeply($api->all_of_redis, $before, 'nothing is changed');
};


subtest 'beside allow and deny' => sub {
    for my $base ('/denied/', '/any/') {
        my $r = $api->call('GET', "$base-/whoami");

        isnt($r->{status}, 200, "$base without a token: $r->{status}");
    }

    is($api->call('GET', '/denied/-/whoami', $token)->{status}, 403,
       'an address that is denied has no API');
    is(login('/denied/', 'alice')->{status}, 403, '... no login');

    # docs/security.md: with satisfy any, an "allow" that matches skips the module; and
    # so there is no API, and nobody is let in by it

    for my $credentials (undef, 'npm_unknown', $token) {
        my $r = $api->call('GET', '/allowed/-/whoami', $credentials);

        ok($r->{headers}{'x-registry'}, 'allow: it is the registry\'s, with '
           . ($credentials ? 'a token' : 'none'));
    }
};


subtest 'judged by one store, and then by none' => sub {
    local $api->{prefix} = 'other:';
    $api->user('alice', $password);
    my $account = $api->account('alice');

    ok($api->call('GET', '/hop/-/whoami', $token)->{headers}{'x-registry'},
       "a token of the first is nobody's in the other");
    $api->call('POST', '/hop/-/npm/v1/user', $token, { fullname => 'X' });
    is_deeply($api->account('alice'), $account, '... and changes nothing');
};


subtest 'limit_except' => sub {
    is($api->call('GET', '/except/-/whoami', $token)->{json}{username},
       'alice', 'within: the API');
    is($api->call('POST', '/except/-/npm/v1/tokens', $token,
                  { password => $password })->{body},
       "POST /except/-/npm/v1/tokens\n", 'without: the registry');
};


# A one-time password is used up when it is looked at; where a request goes
# on to another location it has been looked at already

subtest 'two locations and one code' => sub {
    my $secret = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

    $api->user('tom', $password, tfa => 'auth-and-writes', totp => $secret);
    $redis->put_token('npm_tom', user => 'tom');

    my @places = ('/try/pkg', '/page/pkg', '/index/index/pkg', '/mirror/pkg',
                  '/auth/pkg', '/npm/pkg');

    for my $uri (@places) {
        settle(2);
        $redis->command('HDEL', 'npmtoken:user:tom', 'totp_used');

        is_error($api->call('PUT', $uri, 'npm_tom', '{}'), 401,
                 qr/one-time password/, "$uri asks", challenge => 'otp');

        my $r = $api->call('PUT', $uri, 'npm_tom', 'x' x 20_000,
                           'npm-otp' => otp($secret));

        like("$r->{status} $r->{body}", qr{\A200 PUT \S+pkg\n},
             '... once');
        is_error($api->call('PUT', $uri, 'npm_tom', '{}',
                            'npm-otp' => otp($secret)), 401,
                 qr/used already/, '... and not twice', challenge => 'otp');
    }
};


subtest 'the registry that is asked again by error_page' => sub {
    my $r = $api->call('PUT', '/page/teapot', $token, '{}');

    is($r->{status}, 200, 'is asked');
};


# at the level of the server and of all; a node that has the one module alone

for my $level (qw( http server location )) {
    my $text = "npmtoken main; npmtoken_api main; npmtoken_api_signup on;\n";

    my $node = NpmToken::Api->new(
        redis => $redis,
        http  => $level eq 'http' ? "npmtoken main;\nnpmtoken_api main;\n"
                                    . "npmtoken_api_signup on;\n" : '',
        server => $level eq 'server' ? $text : '',
        location => 'location / { '
            . ($level eq 'location' ? $text : '')
            . ' proxy_pass http://registry; }'
            . ' location /error { npmtoken off; return 200; }',
    );

    # the registry's own server is on the level of http as well

    is($node->call('PUT', '/-/user/org.couchdb.user:alice', undef,
        { password => $password })->{status}, 201, "at the level of $level");
    is($node->call('GET', '/error')->{status}, 200,
       '... and off where nothing is enforced');
}


{
    my $port = free_port();
    my $node = NpmToken::Nginx->new(
        server => "location / { npmtoken main; proxy_pass"
            . " http://127.0.0.1:$port; }",
        http   => "npmtoken_store main { redis unix:$socket; cache off; }\n"
            . "server { listen 127.0.0.1:$port; location / { return 200 x; } }",
    );

    my $status = sub {
        my ($method, $token) = @_;

        return $node->request($method, '/a',
                              { Authorization => "Bearer $token" })->{status};
    };

    my $make = sub {
        return $api->create($api->login('alice', $password),
                            password => $password, @_);
    };

    is($status->('PUT', $make->()), 200, 'the first module alone: full');
    is($status->('PUT', $make->(readonly => $true)), 403, 'read-only');
    is($status->('GET', $make->(cidr_whitelist => [ '::1' ])), 401, 'CIDR');
    is($status->('PUT', $make->(name => 'x', packages => [ 'a' ])), 200,
       'a package');
    is($status->('PUT', $make->(name => 'x', packages => [ 'b' ])), 403,
       'another');
    is($status->('GET', $make->(name => 'x', expires => 1)), 200, 'expires');

    my $made = $make->();

    is($api->call('DELETE', "/-/npm/v1/tokens/token/$made",
                  $made)->{status}, 204, 'one is revoked');
    is($status->('GET', $made), 401, '... and bites there');
    is($node->request('PUT', '/-/user/org.couchdb.user:alice', {},
                      '{}')->{status}, 200, "its logins are the registry's");
}


done();
