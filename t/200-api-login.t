# Login, sign-up, whoami and logout, as npm asks for them.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( token_key );

use constant WRONG => qr/\AThe user name or the password is wrong\.\z/;

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis => $redis,
    api   => 'npmtoken_api_attempts 0 0;',
    server => <<'_EOC_',
        location /signup/ {
            npmtoken main;
            npmtoken_base /signup/;
            npmtoken_api main;
            npmtoken_api_signup on;
            npmtoken_api_attempts 0 0;
            proxy_pass http://registry;
        }
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


sub put {
    my ($name, $body, %headers) = @_;

    my $auth = delete $headers{auth};
    my $base = delete $headers{base} // '/';
    my $rev = delete $headers{rev} // '';

    return $api->call('PUT', "$base-/user/org.couchdb.user:$name$rev", $auth,
                      $body, %headers);
}

sub body { return NpmToken::Api::login_body(@_) }

sub is_login {
    my ($r, $user, $name) = @_;

    my $token = $r->{json}{token} // '';

    is_answer($r, 201, {
        ok => $true, id => "org.couchdb.user:$user",
        rev => '_we_dont_use_revs_any_more', token => $token,
    }, $name);

    like($token, qr/\Anpm_[0-9A-Za-z]{36}\z/, '... a token as npm has them');

    return $token;
}


$api->user('alice', $password, email => 'alice@example.com');

subtest 'login' => sub {
    my $token = is_login(put('alice', body('alice', $password)), 'alice',
                         'name and password');
    my $record = $api->record($token);

    like(delete $record->{created},
         qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'created');
    like(delete $record->{updated}, qr/Z\z/, 'updated');
    like(delete $record->{expires_at}, qr/\A\d+\z/, 'its end');
    is_deeply($record, {
        user => 'alice', readonly => 'false', session => 'login',
        name => 'npm login from 127.0.0.1, ' . ($http2 ? 'curl/' . (
            `curl --version` =~ /curl (\S+)/)[0] : 'unknown client'),
        token => substr($token, 0, 8),
    }, 'its record: full permission');
    is_deeply([ $api->tokens_of('alice') ], [ token_key($token) ],
              'it is one of the tokens of the account');
    is($api->status_of($token, 'PUT'), 200, 'it is good at once');

    is_login(put('alice', { name => 'alice', password => $password }),
             'alice', 'with nothing else in the body');
    is_login(put('alice', { password => $password }), 'alice',
             'without the name in the body');
    is_login(put('alice', body('alice', $password), rev => '/-rev/1-a'),
             'alice', 'of a revision, as after a 409');
    is_login(put('alice', body('alice', $password,
        _rev => '1-a', email => undef, type => 'user', other => [ 1, {} ])),
        'alice', "with CouchDB's members");
    is_login(put('alice', body('alice', $password), base => '/signup/'),
             'alice', 'under a base');
    is_login(put('alice?write=true', body('alice', $password)), 'alice',
             'with a query');
};


subtest 'what else is wrong with it' => sub {
    my $before = $api->all_of_redis;
    my $rest = sub { return put('alice', body('alice', @_)) };

    is_error($rest->('incorrect horse'), 401, WRONG, 'a wrong password');
    is_error(put('nobody', body('nobody', $password)), 401, WRONG,
             'an unknown account');
    is($rest->('incorrect horse')->{body},
       put('nobody', body('nobody', $password))->{body},
       'one and the same answer');
    is_error($rest->($password . 'x'), 401, WRONG, 'a longer password');
    is_error($rest->(substr $password, 0, -1), 401, WRONG, 'a shorter one');
    is_error($rest->(uc $password), 401, WRONG, 'in upper case');
    is_error($rest->(''), 401, qr/password is missing/, 'an empty one');
    is_error($rest->(undef), 401, qr/password is missing/, 'null');
    is_error($rest->({ x => 1 }), 401, qr/password is missing/, 'an object');
    is_error($rest->(12345678), 401, qr/password is missing/, 'a number');
    is_error($rest->('x' x 256), 401, WRONG, 'of 256 bytes');
    is_error($rest->('x' x 257), 401, qr/password is too long/, 'of 257');
    is_error($rest->("$password\0"), 400, qr/contains a NUL/,
             'with a NUL behind it');
    is_error($rest->("correct\0x"), 400, qr/contains a NUL/, 'and within');

    is_error(put('alice', body('bob', $password)), 422,
             qr/differs from the one in its/, 'another name in the body');
    is_error(put('alice', body('Alice', $password)), 422,
             qr/differs from the one in its/, 'another case');
    is_error(put('alice', { name => [ 'alice' ], password => $password }),
             422, qr/differs from the one in its/, 'a list of names');
    is_error(put('Alice', body('Alice', 'incorrect horse')), 401, WRONG,
             'a wrong password in another case');

    for my $name ('.alice', '-alice', 'a%20b', 'al%69ce%0a', 'a%2fb',
                  '%C3%A9', 'a:b', '*', 'a%5cb', 'a,b', '%22', 'x' x 215)
    {
        my $r = put($name, { password => $password });

        # what is no session for the front module needs a token before
        ok($r->{status} == 422
               && $r->{json}{error} =~ /\AA user name has letters/
           || $r->{status} == 401
               && $r->{headers}{'www-authenticate'} eq 'Bearer',
           "no account is named \"" . substr($name, 0, 20) . '"')
            or diag "$r->{status} $r->{body}";
    }

    is_error(put('x' x 214, { password => $password }), 401, WRONG,
             'a name of 214 bytes is one');
    is_error(put('a.b_c~d@e+f-1', { password => $password }), 401, WRONG,
             'with all that may be in it');

    is_deeply($api->all_of_redis, $before, 'nothing of that changes anything');
};


subtest 'credentials that are sent along are not looked at' => sub {
    my %tokens = (
        'npm_readonly'   => [ user => 'bob', readonly => 'true' ],
        'npm_elsewhere'  => [ user => 'bob', cidr_whitelist => '192.0.2.1' ],
        'npm_expired'    => [ user => 'bob', expires_at => 1 ],
        'npm_revoked'    => [ user => 'bob', revoked_at => 1 ],
        'npm_bad_record' => [ user => 'bob', readonly => 'maybe' ],
        'npm_confined'   => [ user => 'bob', packages => 'one' ],
    );

    for my $token (sort keys %tokens) {
        $redis->put_token($token, @{ $tokens{$token} });
        is_login(put('alice', body('alice', $password), auth => $token),
                 'alice', $token);
        is_error(put('alice', body('alice', 'wrong password'),
                     auth => $token), 401, WRONG, '... and none without');
    }

    for my $auth ('npm_unknown', 'Basic YWxpY2U6eA==', 'Bearer a b c',
                  'Bearer ', 'Negotiate x', 'Basic !')
    {
        is_login(put('alice', body('alice', $password), auth => $auth),
                 'alice', $auth);
    }

    # Basic with the right password is no login
    is_error(put('alice', body('alice', 'wrong password'),
                 auth => 'Basic ' . 'YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5'),
             401, WRONG, 'Basic authentication is none');
};


subtest 'a login with less than full permission' => sub {
    my $token = is_login(put('alice', body('alice', $password,
        readonly => $true)), 'alice', 'readonly');

    is($api->record($token)->{readonly}, 'true', 'the record says so');
    is($api->status_of($token), 200, 'it reads');
    is($api->status_of($token, 'PUT'), 403, 'it does not write');

    $token = is_login(put('alice', body('alice', $password,
        cidr_whitelist => [ '192.0.2.0/24', '2001:db8::/32' ])), 'alice',
        'from some addresses');
    is($api->record($token)->{cidr_whitelist}, '192.0.2.0/24,2001:db8::/32',
       'the record says which');
    is($api->status_of($token), 401, 'it is good from nowhere else');

    $token = is_login(put('alice', body('alice', $password,
        readonly => $false, cidr_whitelist => [])), 'alice', 'none of both');
    is($api->status_of($token, 'PUT'), 200, 'full permission');

    my $before = $api->all_of_redis;

    # npm takes a 400 for "no such user"
    is_error(put('alice', body('alice', $password, readonly => 'yes')), 422,
             qr/readonly is true or false/, 'a readonly that is none');
    is_error(put('alice', body('alice', $password,
        cidr_whitelist => [ '192.0.2.0/33' ])), 422,
        qr{\ACIDR whitelist contains invalid CIDR entry: 192\.0\.2\.0/33\z},
        'a CIDR that is none');
    is_error(put('alice', body('alice', $password, cidr_whitelist => '::1')),
             422, qr/are lists/, 'a CIDR that is no list');
    is_deeply($api->all_of_redis, $before, 'and nothing is stored');
};


subtest 'sign-up, where it is off' => sub {
    my $before = $api->all_of_redis;

    is_error(put('carol', body('carol', $password,
        email => 'carol@example.com')), 401, WRONG, 'no new account');

    is_deeply($api->all_of_redis, $before, 'nothing is made');
};


subtest 'sign-up, where it is on' => sub {
    my $sign_up = sub {
        my ($name, @more) = @_;

        return put($name, body($name, @more), base => '/signup/');
    };

    my $token = is_login($sign_up->('carol', $password,
        email => 'carol@example.com'), 'carol', 'a new account');
    my $account = $api->account('carol');

    like($account->{password}, qr/\A\$y\$/, 'its password is hashed');
    is($account->{email}, 'carol@example.com', 'its email');
    is($account->{created}, $account->{updated}, 'created');
    is($api->call('GET', '/-/whoami', $token)->{json}{username}, 'carol',
       'whoami');
    like($api->record($token)->{name}, qr/\Anpm login from 127\.0\.0\.1, /,
         'the token has a name');
    is_login(put('carol', body('carol', $password)), 'carol', 'it logs in');

    is_login($sign_up->('carol', $password, email => 'other@example.com'),
             'carol', 'the account is there: that is a login');
    is_error($sign_up->('carol', 'other password',
        email => 'other@example.com'), 401, WRONG,
        'and with another password none');
    is_deeply($api->account('carol'), $account, 'nothing of it is changed');

    my $before = $api->all_of_redis;

    is_error($sign_up->('dave', $password), 401, WRONG,
             'without an email it is a login');
    is_error($sign_up->('dave', $password, email => ''), 401, WRONG,
             'with an empty one, too');
    is_error($sign_up->('dave', $password, email => 'dave'), 422,
             qr/not an email address/, 'an email that is none');
    is_error($sign_up->('dave', $password, email => "d\@e\r\nx"), 422,
             qr/not an email address/, 'one with a line break');
    is_error($sign_up->('dave', '1234567', email => 'd@example.com'), 422,
             qr/at least 8 characters/, 'a password that is too short');
    is_error($sign_up->('dave', $password, email => 'd@example.com',
        readonly => 1), 422, qr/readonly is/, 'a token that cannot be');
    is_error($sign_up->('-dave', $password, email => 'd@example.com'), 422,
             qr/user name/, 'a name that cannot be');

    # the name has been somebody's
    $redis->command('SADD', 'npmtoken:tokens-of:erin', 'x');
    $before->{'npmtoken:tokens-of:erin'} = ['x'];
    is_error($sign_up->('erin', $password, email => 'e@example.com'), 401,
             WRONG, 'a name that has tokens already');

    is_deeply($api->all_of_redis, $before, 'nothing of that makes an account');

    $token = is_login($sign_up->('frank', $password, readonly => $true,
        email => 'f@example.com', cidr_whitelist => [ '127.0.0.0/8' ]),
        'frank', 'a new account with a restricted token');
    is($api->record($token)->{readonly}, 'true', 'read-only');
    is($api->record($token)->{cidr_whitelist}, '127.0.0.0/8', 'CIDR');

    $redis->command('DEL', 'npmtoken:tokens-of:erin');
};


subtest 'accounts that cannot log in' => sub {
    $api->user('locked', $password, locked => 'true');
    is_error(put('locked', body('locked', $password)), 401, WRONG, 'locked');

    $api->user('elsewhere', undef, email => 'x@example.com');
    is_error(put('elsewhere', body('elsewhere', $password)), 401, WRONG,
             'whose password another registry has');

    $api->user('strange', $password, nonsense => 'x');
    is_error(put('strange', body('strange', $password)), 403,
             qr/\AThis account cannot be used\./, 'with an unknown field');
    like($api->wait_log(qr/npmtoken account/),
         qr/account "strange" cannot be used: field "nonsense"/, 'logged');

    $api->user('old', undef, password => '$1$abc$defghijklmnop');
    is_error(put('old', body('old', $password)), 403,
             qr/cannot be used/, 'with an old kind of hash');

    $redis->command('SET', 'npmtoken:user:text', 'x');
    is_error(put('text', body('text', $password)), 503,
             qr/cannot be read or changed at/, 'that is no hash',
             retry => 1);

    is(scalar(grep { /tokens-of:(?!alice|carol|frank)/ }
              keys %{ $api->all_of_redis }), 0, 'none has got a token');

    $redis->command('DEL', 'npmtoken:user:text');
};


subtest 'login by the browser' => sub {
    my @seen = $api->registry_log_of(sub {
        for my $body ('{}', '{"hostname":"x"}', 'x', undef) {
            is_error($api->call('POST', '/-/v1/login', undef, $body), 404,
                     qr/asks for name and password/, $body // 'no body');
        }

        is_error($api->call('POST', '/-/v1/login?x=1', 'npm_unknown', '{}'),
                 404, undef, 'with a token and a query');
        is_error($api->call('POST', '/pass/-/v1/login', 'npm_unknown', '{}'),
                 404, undef, 'with npmtoken_unknown pass');
        is_error(put('alice', body('alice', 'wrong password')), 401, WRONG,
                 'nor does a login');
        is_error(put('alice', body('alice', 'wrong password'),
                     base => '/pass/'), 401, WRONG,
                 'with npmtoken_unknown pass, too');
    });

    is_deeply(\@seen, [], 'the registry never sees one');
};


subtest 'whoami' => sub {
    my $token = $api->login('alice', $password);

    is_answer($api->call('GET', '/-/whoami', $token), 200,
              { username => 'alice' }, 'whoami');
    is_answer($api->call('GET', '/-/whoami?x=y', $token), 200,
              { username => 'alice' }, 'with a query');

    my $r = $api->call('HEAD', '/-/whoami', $token);

    is("$r->{status} $r->{headers}{'content-length'} \"$r->{body}\"",
       '200 21 ""', 'HEAD');

    is_error($api->call('GET', '/-/whoami'), 401, qr/token/, 'without a token',
             challenge => 'Bearer');
    is_error($api->call('GET', '/-/whoami', 'npm_unknown'), 401, undef,
             'with an unknown one', challenge => 'Bearer');

    $redis->put_token('npm_nameless', readonly => 'false');
    is_error($api->call('GET', '/-/whoami', 'npm_nameless'), 403,
             qr/\AThis token belongs to no account\.\z/, 'of no account');

    $redis->put_token('npm_readonly', user => 'bob', readonly => 'true');
    is_answer($api->call('GET', '/-/whoami', 'npm_readonly'), 200,
              { username => 'bob' }, 'read-only, and without an account');
};


subtest 'logout' => sub {
    my $log_out = sub {
        my ($token, $path, $base) = @_;

        $path //= $token =~ s{([^0-9A-Za-z_.-])}{sprintf '%%%02X', ord $1}ger;

        return $api->call('DELETE', ($base // '/') . "-/user/token/$path",
                          $token);
    };
    my %ok = (ok => $true);

    my $token = $api->login('alice', $password);

    is_answer($log_out->($token), 200, \%ok, 'a good token');
    is_deeply($api->record($token), {}, 'its record is gone');
    ok(!grep({ $_ eq token_key($token) } $api->tokens_of('alice')),
       '... and it is not listed');
    is($api->status_of($token), 401, 'it is good for nothing');
    is_answer($log_out->($token), 200, \%ok, 'once more');

    my $odd = 'abc+/def/+=';
    my %tokens = (
        npm_out_revoked   => [ user => 'bob', revoked_at => 1 ],
        npm_out_expired   => [ user => 'bob', expires_at => 1 ],
        npm_out_elsewhere => [ user => 'bob', cidr_whitelist => '192.0.2.1' ],
        npm_out_readonly  => [ user => 'bob', readonly => 'true' ],
        npm_out_confined  => [ user => 'bob', packages => 'one' ],
        npm_out_nobody    => [ readonly => 'true' ],
        $odd              => [ user => 'bob' ],
        "$odd="           => [ user => 'bob' ],
    );

    for my $token (sort keys %tokens) {
        $redis->put_token($token, @{ $tokens{$token} });
        $redis->command('SADD', 'npmtoken:tokens-of:bob', token_key($token));

        is_answer($log_out->($token, $token eq $odd ? $odd : undef), 200,
                  \%ok, $token);
        is($api->status_of($token), 401, '... is good for nothing');

        my $record = $api->record($token);

        is(scalar(keys %$record), $token eq 'npm_out_revoked' ? 2 : 0,
           '... and its record is gone, but what was revoked stays so');
    }

    is_answer($log_out->('npm_out_unknown'), 200, \%ok, 'an unknown token');

    $redis->put_token('npm_out_shared', user => 'ci', protected => 'true');
    is_error($log_out->('npm_out_shared'), 403, qr/cannot be logged out/,
             'a protected one is not');
    is($api->status_of('npm_out_shared'), 200, '... and stays good');

    # another token than the bearer: of the same account, of others

    my ($one, $two) = map { $api->login('alice', $password) } 1 .. 2;

    $redis->put_token('npm_of_bob', user => 'bob');

    my $other = sub {
        my ($bearer, $token) = @_;

        return $api->call('DELETE', "/-/user/token/$token", $bearer);
    };

    is_error($other->('npm_of_bob', $one), 404, qr/no such token/,
             "another account's");
    is_error($other->('npm_unknown', $one), 401, undef,
             'with an unknown bearer', challenge => 'Bearer');
    is_error($other->(undef, $one), 401, undef, 'with none',
             challenge => 'Bearer');
    is($api->status_of($one), 200, '... it stays good');
    is_error($other->($two, 'npm_never_was'), 404, qr/no such token/,
             'one that never was');

    $redis->put_token('npm_out_readonly', user => 'alice',
                      readonly => 'true');
    is_error($other->('npm_out_readonly', $one), 403, qr/read-only/,
             'with a read-only one');
    is_answer($other->($two, $one), 200, \%ok, 'of the same account');
    is($api->status_of($one), 401, '... it is gone');

    is($redis->command('EXISTS', 'npmtoken:tokens-of:'), 0,
       'no account without a name');
};


subtest 'where unknown tokens pass' => sub {
    not_secret('registrys');

    my $token = $api->login('alice', $password);

    my @seen = $api->registry_log_of(sub {
        is($api->status_of('registrys', 'GET', "/pass$_"), 200, $_)
            for '/-/whoami', '/-/npm/v1/tokens', '/-/npm/v1/user';

        is($api->status_of('registrys', 'DELETE',
                           '/pass/-/user/token/registrys'), 200, 'logout');
        is($api->status_of('registrys', 'POST', '/pass/-/npm/v1/tokens'),
           200, 'create');
        is($api->status_of('Basic YTpi', 'GET', '/pass/-/whoami'), 200,
           'Basic');

        is($api->call('GET', '/pass/-/whoami', $token)->{json}{username},
           'alice', 'our token is answered by us');
        is_answer($api->call('DELETE', "/pass/-/user/token/$token", $token),
                  200, { ok => $true }, 'and logged out by us');
    });

    is_deeply(\@seen, [
        'GET /pass/-/whoami', 'GET /pass/-/npm/v1/tokens',
        'GET /pass/-/npm/v1/user', 'DELETE /pass/-/user/token/registrys',
        'POST /pass/-/npm/v1/tokens', 'GET /pass/-/whoami',
    ], "the registry answers for its own tokens");

    like($api->record($token)->{revoked_at} // '', qr/\A\d{10}\z/,
         'its record stays, and says that it is revoked');
    is($redis->command('PTTL', $redis->record_name($token)), -1,
       '... without end');
    is($api->status_of($token, 'GET', '/pass/pkg'), 401,
       'or it would pass now');
    is_answer($api->call('DELETE', "/pass/-/user/token/$token", $token),
              200, { ok => $true }, 'logged out once more');
};


done();
