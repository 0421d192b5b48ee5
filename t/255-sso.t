# Single sign-on: the person that nginx knows, by auth_request here, is who is
# on the page and approves there, and npmtoken_api_reauth says what that person
# is asked again.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( temp_dir token_key );
use NpmToken::Web;

use constant TOTP => 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

my $password = secret('correct horse battery');
my $sso = temp_dir() . '/sso';

my $redis = NpmToken::Redis->new;

my $pages = join '', map { my ($base, $reauth, $attempts) = @$_; <<"_EOC_" }
        location ${base}-/npmtoken/ {
            auth_request /auth;
            auth_request_set \$person \$upstream_http_x_user;
            npmtoken main;
            npmtoken_base $base;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_web_otp on;
            npmtoken_api_user \$person;
            npmtoken_api_attempts @{[ $attempts // 0 ]} 0;
            $reauth
            proxy_pass http://registry;
        }
_EOC_
        [ '/' => '' ], [ '/password/' => 'npmtoken_api_reauth password;' ],
        [ '/off/' => 'npmtoken_api_reauth off;' ],
        [ '/few/' => '', 3 ];

my $api = NpmToken::Api->new(
    redis => $redis,
    http  => <<"_EOC_",
    # the stand-in for the single sign-on: it knows people by a cookie of its own
    server {
        listen unix:$sso;
        location / {
            if (\$cookie_sso = '') {
                return 401;
            }
            add_header X-User \$cookie_sso;
            return 200;
        }
    }
_EOC_
    location => $pages,
    server => <<"_EOC_",
        location /any/-/npmtoken/ {
            satisfy any;
            deny all;
            npmtoken main;
            npmtoken_base /any/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_user \$remote_user;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
        location = /auth {
            internal;
            proxy_pass http://unix:$sso;
            proxy_pass_request_body off;
            proxy_set_header Content-Length '';
        }
        location / {
            npmtoken main;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_web_otp on;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
        location /both/ {
            npmtoken main;
            npmtoken_base /both/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_user \$cookie_sso;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
_EOC_
);

$api->allow_log(qr/"npmtoken_api_user \$cookie_sso": a client can send that/);


# a browser that the single sign-on knows as that person

sub browser {
    my ($name, %options) = @_;

    my $web = NpmToken::Web->new($api, %options);

    $web->{name} = $name;

    return $web;
}

# as NpmToken::Web does, with the other cookie beside ours

sub as {
    my ($web, $call, @args) = @_;

    my @cookies = (defined $web->{name} ? "sso=$web->{name}" : (),
        defined $web->cookie ? '__Host-npmtoken=' . $web->cookie : ());

    return $web->$call(@args, @cookies ? (Cookie => join '; ', @cookies) : ());
}

sub enter {
    my $web = browser(@_);

    my $r = as($web, post => 'login', {});

    is($r->{status}, 200, "$_[0] is logged in") or diag($r->{body});

    return $web;
}

sub begin {
    my $r = $api->call('POST', '/-/v1/login', undef, '{}');

    return ($r->{json}{loginUrl} =~ /#login=(.*)/,
            $r->{json}{doneUrl} =~ m{(/-/v1/done.*)});
}

# the secret parts of what begin() gives

sub begun {
    my ($id, $done) = begin();

    secret($id, $done =~ /=(.*)/);

    return ($id, $done);
}


subtest 'the person that nginx knows has no password to give' => sub {
    my $web = browser('alice');
    my $info = as($web, get => 'session')->{json};

    is($info->{user}, undef, 'there is no session yet');
    is($info->{login}, 'sso', '... and nothing to type for one');

    my $r = as($web, post => 'login', {});

    is($r->{status}, 200, 'the page asks for one');
    is($r->{json}{user}, 'alice', '... it is hers');
    is($r->{json}{fresh}, $false, '... for which nothing was asked');
    is($r->{json}{reauth}, 'code', '... a code will be, if there is one');
    is($r->{json}{password}, $false, '... and no password is kept');
    is_deeply([ keys %{ $api->account('alice') } ], [ 'created' ],
              'the account has come into being');
    is(as($web, get => 'tokens')->{status}, 200, 'the session is good');

    $r = as($web, post => 'tokens', { name => 'ci' });
    is($r->{status}, 200, 'a token is made without a password');

    my $token = $r->{json}{token};

    is($api->call('GET', '/-/whoami', $token)->{json}{username}, 'alice',
       '... hers');
    is(as($web, get => 'tokens')->{json}{total}, 1, 'the list has it');
    is(as($web, post => 'logout', {})->{status}, 204, 'logout');
    is(as($web, get => 'tokens')->{status}, 401, '... ends the session');
};


subtest 'npm login, approved by single sign-on' => sub {
    my ($id, $done) = begun();
    my $web = enter('Dora');

    is(as($web, post => 'approve', { id => $id })->{status}, 200, 'approved');

    my $r = $api->call('GET', $done);

    is($api->call('GET', '/-/whoami', $r->{json}{token})->{json}{username},
       'Dora', 'npm is who the single sign-on says, as it spells her');
    is($api->account('dora')->{name}, 'Dora', 'so is the account');
};


subtest 'a session is that of one person' => sub {
    my $web = enter('alice');
    my $copy = browser('bob');

    $copy->cookie($web->cookie);
    is(as($copy, get => 'tokens')->{status}, 401, 'somebody else has none');
    is(as($copy, get => 'session')->{json}{user}, undef, '...');
    is(as($copy, post => 'login', {})->{json}{user}, 'bob',
       '... and gets one of his own');

    $web = enter('alice');
    $copy = browser('ALICE');
    $copy->cookie($web->cookie);
    is(as($copy, get => 'tokens')->{status}, 200,
       'another spelling is the same person');

    is($web->get('tokens')->{status}, 401,
       'without the single sign-on auth_request refuses');

    my $both = NpmToken::Web->new($api, base => '/both/',
                                  cookie => $web->cookie);

    is($both->get('tokens')->{status}, 401,
       'where the person is gone, the session is, too');

    $api->user('carol', $password);

    my $typed = NpmToken::Web->new($api, base => '/both/');

    $typed->login('carol', $password);
    is($typed->get('tokens')->{status}, 200,
       'a session for which a password was given is good without');
    $typed->{name} = 'alice';
    is(as($typed, get => 'tokens')->{status}, 401,
       '... but not for somebody else');
    $typed->{name} = 'carol';
    is(as($typed, get => 'tokens')->{status}, 200, '... and for herself it is');
    is(as($typed, get => 'session')->{json}{reauth}, 'password',
       '... with the password to be given again');
};


subtest 'what is asked again' => sub {
    settle();
    $api->user('erin', $password, tfa => 'auth-only', totp => TOTP);

    my %body = (name => 'a');

    for my $base ('/', '/password/', '/off/') {
        my $web = enter('erin', base => $base);
        my $r = as($web, post => 'tokens', { %body });

        if ($base eq '/password/') {
            is($r->{json}{reauth}, $true, 'password: the password');
            $r = as($web, post => 'tokens', { %body, password => $password });
        }

        if ($base ne '/off/') {
            is_error($r, 401, qr/one-time password/, "$base: a code",
                     challenge => 'otp');
            $redis->command('HDEL', 'npmtoken:user:erin', 'totp_used');
            $r = as($web, post => 'tokens', { %body,
                $base eq '/' ? () : (password => $password) },
                'npm-otp' => otp(TOTP));
        }

        is($r->{status}, 200, "$base: a token") or diag($r->{body});
        is(as($web, get => 'session')->{json}{fresh}, $true,
           '... and nothing is asked to approve for a while');
    }

    my ($id) = begun();
    my $web = enter('erin');

    is_error(as($web, post => 'approve', { id => $id }), 401,
             qr/one-time password/, 'an approval asks for the code',
             challenge => 'otp');
    is_error(as($web, post => 'approve', { id => $id, password => 'wrong' }),
             401, qr/password is wrong/, 'a password that is given counts');

    my $r = as($web, post => 'user', { password => { new => 'x' x 9 } });

    ok($r->{json}{reauth}, 'to change the password takes the old one');
    is_error(as($web, post => 'user',
                { tfa => { mode => 'disable' } }), 401, qr/one-time password/,
             'to turn the second factor off takes a code',
             challenge => 'otp');
};


subtest 'a write is not confirmed by single sign-on alone' => sub {
    settle();
    $api->user('fay', $password);

    my $token = $api->login('fay', $password);

    $api->user('fay', $password, tfa => 'auth-and-writes', totp => TOTP);

    my $r = $api->call1('PUT', '/box', $token, '{}', 'npm-auth-type' => 'web');
    my ($id) = $r->{json}{authUrl} =~ /#otp=(.*)/;

    secret($id, $r->{json}{doneUrl} =~ /=(.*)/);

    my $web = enter('fay');

    is_error(as($web, post => 'approve', { id => $id }), 401,
             qr/one-time password/, 'the code is asked for',
             challenge => 'otp');
    is(as($web, post => 'approve', { id => $id }, 'npm-otp' => otp(TOTP))
           ->{status}, 200, '... and is enough');
};


subtest 'a new session gives no new attempts' => sub {
    $api->user('ida', $password, tfa => 'auth-and-writes', totp => TOTP);

    my %status;

    for (1 .. 3) {
        my $web = enter('ida', base => '/few/');

        $status{ as($web, post => 'tokens', { name => 'a' },
                    'npm-otp' => '000000')->{status} }++ for 1 .. 2;
    }

    is_deeply(\%status, { 401 => 3, 429 => 3 },
              'wrong codes are counted for the account');
};


subtest 'nobody comes in where "satisfy any" is set' => sub {
    my $web = browser(undef, base => '/any/');
    my $r = as($web, post => 'login', {},
               Authorization => 'Basic YWxpY2U6eA==');

    cmp_ok($r->{status}, '>=', 400, 'the name may be anybody\'s');
    is($web->cookie, undef, 'there is no session');
};


subtest 'who cannot come in' => sub {
    $api->user('gil', $password, locked => 'true');

    is_error(as(browser('gil'), post => 'login', {}), 403, qr/locked/,
             'a locked account');

    for my $name ('a b', '-a', '.a', 'a/b', 'a' x 215, "\xc3\xa9", 'a%00') {
        my $r = as(browser($name), post => 'login', {});

        is_error($r, 403, qr/single sign-on/, "\"$name\" is no name");

        my $info = as(browser($name), get => 'session')->{json};

        is($info->{login}, 'none', '... and the page knows');
        like($info->{error}, qr/single sign-on/, '... why');
    }

    is_error(as(browser('alice'), post => 'login', {},
                'Sec-Fetch-Site' => 'cross-site'), 403, undef,
             'another site makes no session');
    is(NpmToken::Web->new($api)->post('login', { name => 'alice',
        password => $password })->{status}, 401,
       'auth_request lets nobody in that it does not know');
};


done();
