# The page's calls with bodies that are wrong, huge, or missing members, and with
# a Redis that is away, slow, full or has something else under a key: a clear
# answer, and nothing half made.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( token_key wait_for );
use NpmToken::Web;

my $password = secret('correct horse battery');

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    store  => 'cache off; lookup_timeout 500ms;',
    api    => 'npmtoken_api_page on; npmtoken_api_attempts 0 0;',
    server => <<'_EOC_',
        location /limits/ {
            npmtoken main;
            npmtoken_base /limits/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_lifetime 7d 30d;
            npmtoken_api_attempts 3 5;
            npmtoken_api_max_cidrs 2;
            proxy_pass http://registry;
        }
        location /copies/ {
            npmtoken main;
            npmtoken_base /copies/;
            npmtoken_api main;
            npmtoken_api_page on;
            npmtoken_api_replicas 1 50ms;
            proxy_pass http://registry;
        }
_EOC_
);

$api->user('alice', $password);


sub logged_in {
    my $web = NpmToken::Web->new($api, @_);

    $web->login('alice', $password);

    return $web;
}

sub begin {
    my $r = $api->call('POST', '/-/v1/login', undef, '{}');
    my ($id) = ($r->{json}{loginUrl} // '') =~ /#login=(.*)/ or return;
    my ($done) = $r->{json}{doneUrl} =~ m{(/-/v1/done.*)};

    return secret($id), secret($done =~ /=(.*)/) ? $done : $done;
}

# an answer in words, with the headers of the page, of the API and no other

sub is_refused {
    my ($r, $statuses, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $ok = (grep { $r->{status} == $_ } @$statuses)
        && ($r->{json}{error} // '') =~ /\A\w.*\S\z/s
        && ($r->{headers}{'content-security-policy'} // '') =~ /default-src/
        && !$r->{headers}{'set-cookie'};

    ok($ok, $name) or diag("$r->{head}$r->{body}");
}


my %calls = (
    login   => { name => 'alice', password => $password },
    tokens  => { name => 'a', password => $password },
    revoke  => { keys => [ 'a' x 128 ] },
    user    => { password => { old => $password, new => 'x' x 9 } },
    pending => { id => 'a' x 24 },
    approve => { id => 'a' x 24 },
    deny    => { id => 'a' x 24 },
);

subtest 'a body that is none' => sub {
    my $web = logged_in();
    my $before = $api->all_of_redis;

    for my $call (sort keys %calls) {
        for my $body ('', '[]', 'null', '"x"', '{', '{}}', "{\"a\":\"\0\"}",
                      '{"a":"\u0000"}', '{"a":1,"a":2}', "{\"a\":\"\xff\"}",
                      '{"name":"a","name":"b"}')
        {
            is_refused($web->send('POST', $call, $body),
                       [ 400 ], "$call: " . $body =~ s/[^ -~]/?/gr);
        }

        is_refused($web->send('POST', $call, '{"a":"' . 'x' x 20000 . '"}'),
                   [ 413 ], "$call: a huge one");
        is_refused($web->send('POST', $call, '[' x 3000), [ 400 ],
                   "$call: a deep one");
    }

    is_deeply($api->all_of_redis, $before, 'nothing has changed');
};


subtest 'members of other kinds' => sub {
    my $web = logged_in();
    my $before = $api->all_of_redis;
    my @values = (undef, $true, 0, 1e300, '', 'x' x 3000, [], [ 1 ],
                  [ [] ], {}, { a => 1 }, "\x{1F600}", '<script>', "a\nb");

    for my $call (sort keys %calls) {
        for my $member (sort keys %{ $calls{$call} }) {
            my %rest = %{ $calls{$call} };

            delete $rest{$member};

            for my $value ('none', @values) {
                my $none = !ref $value && ($value // '') eq 'none';

                # this is another name, or a change of nothing

                next if $call eq 'user'
                    || ($call eq 'tokens' && $member eq 'name'
                        && !ref $value && ($value // '') =~ /\A[<\x{1F600}]/);

                is_refused($web->send('POST', $call, { %rest,
                    $none ? () : ($member => $value) }),
                    [ 400, 401, 403, 404, 410, 422 ],
                    "$call: $member " . ($none ? 'missing'
                        : ref $value || (substr $value // 'null', 0, 9)
                                =~ s/[^ -~]/?/gr));
            }
        }
    }

    for my $value (1, [], 'x', { old => 1 }, { new => 'x' x 9 },
                   { old => $password, new => 'short' },
                   { old => $password, new => 'x' x 257 },
                   { old => 'wrong one', new => 'x' x 9 })
    {
        my $r = $web->post('user', { password => $value });

        ok($r->{status} != 500 && ($r->{status} != 200 || !ref $value
                                   || ref $value eq 'ARRAY'),
           "user: a password that is no change: $r->{status}");
    }

    for my $value ([], [ 1 ], [ '000000' ], { mode => 'on' },
                   { password => $password, mode => 'on' },
                   { password => $password })
    {
        is_refused($web->post('user', { tfa => $value }), [ 400, 401 ],
                   'user: a second factor that is none');
    }

    is($api->account('alice')->{tfa}, undef, 'there is none');

    # a session gets another secret when its account changes

    my $count = sub { return scalar grep { /:token:/ } keys %{ $_[0] } };

    is($count->($api->all_of_redis), $count->($before),
       'no token was made, and none is gone');
};


subtest 'members that nobody knows, and limits' => sub {
    my $web = logged_in();
    my $limited = logged_in(base => '/limits/');

    is_refused($web->post('tokens', { name => 'a', password => $password,
                                      admin => $true }), [ 400 ],
               'a member that might be a limit');
    is_refused($web->post('tokens', { name => 'a', password => $password,
                                      $_ => [] }), [ 400 ],
               "an empty list of $_") for qw( packages scopes );
    is_refused($limited->post('tokens', { name => 'a', password => $password,
                                          expires => 31 }), [ 403 ],
               'a token that is to live too long');
    is_refused($limited->post('tokens', { name => 'a', password => $password,
        cidr_whitelist => [ ('127.0.0.1') x 3 ] }), [ 400 ],
        'too many addresses');
    is_refused($web->post('tokens', { name => 'a', password => $password,
        cidr_whitelist => [ $_ ] }), [ 400 ], "no address: $_")
        for '127.0.0.1/33', 'localhost', '::/129', '1.2.3.4,5.6.7.8';
    is_refused($web->post('revoke', { keys => [ ('a' x 128) x 51 ] }), [ 400 ],
               'too many keys');
    is($web->post('revoke', { keys => [ ('a' x 128) x 50 ] })->{status}, 200,
       'but not too many');
    is_refused($web->post('revoke', { keys => [ 'A' x 128 ] }), [ 400 ],
               'a key in capitals');
    is_refused($web->get("tokens?$_"), [ 400 ], "a page of $_")
        for 'perPage=0', 'perPage=10000', 'page=-1', 'page=x', 'perPage=';

    for (1 .. 3) {
        is_refused($limited->post('tokens', { name => 'a',
                                              password => "wrong $_" }),
                   [ 401 ], 'a wrong password in a session');
    }

    is($limited->post('tokens', { name => 'a', password => $password })
           ->{status}, 429, '... counts, also before the right one');

    my $there = NpmToken::Web->new($api, base => '/limits/');

    is($there->post('login', { name => 'bob', password => "wrong $_" })
           ->{status}, 401, 'a wrong login') for 1 .. 3;
    is($there->post('login', { name => 'bob', password => $password })
           ->{status}, 429, '... counts for the account');
    is($api->call('PUT', '/limits/-/user/org.couchdb.user:bob', undef,
                  { name => 'bob', password => $password })->{status}, 429,
       '... for npm as well');
};


subtest 'Redis is slow' => sub {
    my $web = logged_in();
    my ($id, $done) = begin();
    my $before = $api->all_of_redis;

    $redis->pause;

    for my $call (sort keys %calls) {
        my $r = $web->post($call, { %{ $calls{$call} } });

        is_refused($r, [ 503 ], "$call is answered in time");
        like($r->{headers}{'retry-after'} // '', qr/\A\d+\z/, '... for now');
    }

    is($web->get($_)->{status}, 503, $_) for qw( session tokens sessions user );
    is($api->call('GET', $done)->{status}, 503, 'a poll');
    is($api->call('POST', '/-/v1/login', undef, '{}')->{status}, 503,
       'a login in the browser');

    $redis->resume;
    wait_for { $web->get('tokens')->{status} == 200 } 'Redis';
    is_deeply([ $api->tokens_of('alice') ],
              [ sort @{ $before->{'npmtoken:tokens-of:alice'} } ],
              'no token was made for nobody');
};


subtest 'Redis is full' => sub {
    my $web = logged_in();
    my ($id, $done) = begin();
    my $token = $api->login('alice', $password);

    $redis->command('CONFIG', 'SET', 'maxmemory', 1);

    is_refused(NpmToken::Web->new($api)->post('login', $calls{login}),
               [ 503 ], 'no session is made');
    is_refused($web->post('tokens', $calls{tokens}), [ 503 ], 'nor a token');
    is_refused($web->post('approve', { id => $id }), [ 503 ],
               'nothing is approved');
    is($api->call('GET', $done)->{status}, 202, 'a client goes on waiting');
    is($web->get('tokens')->{status}, 200, 'the list is there');
    is($web->post('revoke', { keys => [ token_key($token) ] })->{status}, 200,
       'and a token can be revoked');
    is($web->post('logout')->{status}, 204, 'and a session left');

    $redis->command('CONFIG', 'SET', 'maxmemory', 0);
};


subtest 'something else is under a key' => sub {
    my $web = logged_in();
    my ($id, $done) = begin();
    my ($key) = grep { /npmtoken:web:[0-9a-f]{32}\z/
                       && ($redis->command('HGET', $_, 'state') // '')
                          eq 'pending' }
        @{ $redis->command('KEYS', 'npmtoken:web:*') };

    my $saved = $redis->command('DUMP', $key);
    my @all = grep { /npmtoken:web:[0-9a-f]{32}\z/ }
        @{ $redis->command('KEYS', 'npmtoken:web:*') };

    $redis->command('DEL', @all);
    $redis->command('SET', $_, 'x') for @all;
    is_refused($web->post($_, { id => $id }), [ 503 ], "$_ of a text")
        for qw( pending approve deny );
    is($api->call('GET', $done)->{status}, 503, 'a poll of one');
    $redis->command('DEL', @all);

    $redis->command('HSET', $_, state => 'pending', kind => 'login',
        user => "a\nb", done => 'x', code => '<b>', address => "\xff",
        client => "\0", x => 'y') for @all;

    my $r = $web->post('pending', { id => $id });

    is($r->{status}, 200, 'a request with bytes of any kind is still JSON');
    is($r->{json}{address}, '?', '... of characters');
    $redis->command('DEL', @all);

    $redis->command('DEL', 'npmtoken:token:' . token_key($web->cookie));
    $redis->command('SET', 'npmtoken:token:' . token_key($web->cookie), 'x');
    is_refused($web->get('tokens'), [ 503 ], 'a session that is a text');
    $redis->command('DEL', 'npmtoken:token:' . token_key($web->cookie));

    for my $fields ([ user => 'alice', session => 'x' ],
                    [ user => 'alice' ], [ session => 'a' x 32 ],
                    [ user => 'alice', session => 'a' x 32, more => 1 ],
                    [ user => 'alice', session => 'a' x 32 ],
                    [ user => 'a b', session => 'a' x 32 ])
    {
        $redis->command('HSET', 'npmtoken:token:' . token_key($web->cookie),
                        @$fields);

        my $r = $web->get('tokens');

        ok($r->{status} == 401 || $r->{status} == 403,
           "a record that is no session of it: @$fields")
            or diag("$r->{status} $r->{body}");
        $redis->command('DEL',
                        'npmtoken:token:' . token_key($web->cookie));
    }
};


subtest 'too few copies' => sub {
    my $web = NpmToken::Web->new($api, base => '/copies/');

    is_refused($web->post('login', $calls{login}), [ 503 ],
               'no session is acknowledged that a fail-over would lose');
    is($web->cookie, undef, '... there is no cookie');

    my $there = logged_in();

    $web->cookie($there->cookie);

    my @before = $api->tokens_of('alice');

    is_refused($web->post('tokens', $calls{tokens}), [ 503 ], 'nor a token');
    is_deeply([ $api->tokens_of('alice') ], \@before, '... it is withdrawn');

    my ($id, $done) = begin();

    $there->post('approve', { id => $id });
    is($api->call('GET', "/copies$done")->{status}, 503,
       'nor one for a client that polls');
    is_deeply([ $api->tokens_of('alice') ], \@before, '... it is withdrawn');
    is($api->call('GET', $done)->{status}, 410, '... and not given again');
};


subtest 'a client that goes' => sub {
    my $web = logged_in();

    for my $call (sort keys %calls) {
        my $c = NpmToken::HTTP1->new($api->port);

        $c->request('POST', "/-/npmtoken/api/$call", {
            'Content-Type' => 'application/json',
            'Sec-Fetch-Site' => 'same-origin',
            Cookie => '__Host-npmtoken=' . $web->cookie,
        }, JSON::PP::encode_json($calls{$call}));
        $c->close;
    }

    my ($id, $done) = begin();
    my $c = NpmToken::HTTP1->new($api->port);

    $c->request('GET', $done, {});
    $c->close;

    wait_for { NpmToken::Web->new($api)->post('login', { name => 'alice',
        password => 'x' x 9 })->{status} =~ /200|401/ } 'the worker';
    is($api->call('GET', '/-/npmtoken/')->{status}, 200, 'it goes on');
};


done();
