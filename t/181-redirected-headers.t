# What is taken out of a request stays out when it is redirected to another
# location, and what other modules have done to its headers stays done.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Registry;

my $modules = '/usr/lib/nginx/modules';

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE};

my $redis = NpmToken::Redis->new;
my $registry = NpmToken::Registry->new;
my $to = $registry->socket;

$redis->put_token('npm_full', user => 'alice');
$redis->put_token('npm_ro', user => 'bob', readonly => 'true');
$redis->put_token('npm_other', user => 'carol');

my $stores = <<"_EOT_";
    npmtoken_store main { redis unix:@{[ $redis->socket ]}; }
    npmtoken_store nobody { redis unix:/nonexistent; }
_EOT_

my @loaded = map { "$modules/$_.so" }
    qw( ndk_http_module ngx_http_lua_module
        ngx_http_headers_more_filter_module );

# the ways in which a request gets to another location, from one in which
# "$access" is said, in the access phase

sub ways {
    my ($name, $first, $then, $access) = @_;

    $access //= '';

    return <<"_EOT_";
    location /$name/try/ {
        $first
        access_by_lua_block { $access }
        root /nonexistent;
        try_files /x \@$name;
    }
    location /$name/exec/ {
        $first
        access_by_lua_block { $access }
        content_by_lua_block { ngx.exec("\@$name") }
    }
    location /$name/path/ {
        $first
        access_by_lua_block { $access }
        content_by_lua_block { ngx.exec("/to/$name/path/x") }
    }
    location /$name/page/ {
        $first
        access_by_lua_block { $access }
        error_page 404 = \@$name;
        root /nonexistent;
    }
    location /$name/accel/ {
        $first
        access_by_lua_block { $access }
        proxy_pass http://unix:$registry->{path}.accel:/$name/;
    }
    location \@$name {
        $then
        proxy_pass http://$to;
    }
    location /to/$name/ {
        $then
        proxy_pass http://$to;
    }
_EOT_
}

my @ways = qw( try exec path page accel );

my $lua = 'ngx.req.clear_header("X-Role"); '
        . 'ngx.req.set_header("X-Tenant", "acme")';

my $identity = 'npmtoken_identity X-Npm-User;';

my $nginx = NpmToken::Nginx->new(
    modules => \@loaded,
    http => "$stores\n" . <<"_EOT_",
    server {
        listen unix:$registry->{path}.accel;

        location ~ ^/([a-z]+)/ {
            add_header X-Accel-Redirect \@\$1;
            return 200 no;
        }
    }
_EOT_
    server => join "\n",
        ways('both', "npmtoken main; $identity",
             "npmtoken main; $identity", $lua),
        ways('off', "npmtoken off; $identity",
             "npmtoken off; $identity", $lua),
        ways('public', "npmtoken main; $identity", '', $lua),
        ways('known', "npmtoken main; $identity",
             "npmtoken off; $identity"),
        ways('own', "npmtoken main; $identity",
             'npmtoken main; npmtoken_identity off;'),
        ways('sso', "npmtoken main; $identity",
             'npmtoken main; npmtoken_identity X-SSO-USER;'),
        ways('auth', 'npmtoken main; npmtoken_identity Authorization '
             . '"Basic $npmtoken_user";', ''),
        ways('set', "npmtoken main; $identity", "npmtoken off; $identity",
             'ngx.req.set_header("Authorization", "Basic b3BlcmF0b3I=")'),
        ways('unknown', "npmtoken main; $identity npmtoken_unknown anonymous;"
             . ' npmtoken_anonymous read;', ''),
        ways('pass', "npmtoken main; $identity npmtoken_unknown anonymous;"
             . ' npmtoken_anonymous read;',
             'npmtoken main; npmtoken_unknown pass;'),
        <<"_EOT_");
    location /twice/ {
        npmtoken main;
        $identity
        access_by_lua_block { $lua }
        root /nonexistent;
        try_files /x \@twice;
    }
    location \@twice {
        npmtoken main;
        npmtoken_identity X-SSO-USER;
        access_by_lua_block { ngx.req.set_header("X-Second", "two") }
        error_page 502 = \@third;
        proxy_pass http://unix:/nonexistent:;
    }
    location \@third {
        npmtoken main;
        $identity
        more_set_input_headers "X-Third: three";
        more_clear_input_headers "X-Gone";
        proxy_pass http://$to;
    }

    location /denied/ {
        npmtoken main;
        $identity
        npmtoken_intercept_errors on;
        error_page 401 403 = \@public;
        proxy_pass http://$to;
    }
    location /any/ {
        npmtoken main;
        $identity
        satisfy any;
        deny all;
        error_page 401 403 = \@public;
        proxy_pass http://$to;
    }
    location /down/ {
        npmtoken nobody;
        $identity
        npmtoken_intercept_errors on;
        error_page 503 = \@public;
        proxy_pass http://$to;
    }
    location /again/ {
        npmtoken nobody;
        $identity
        npmtoken_intercept_errors on;
        error_page 503 = \@both;
        proxy_pass http://$to;
    }
_EOT_

$nginx->allow_log(qr{connect\(\) to unix:/nonexistent});


# what the registry got: a hash of lists by the header's name in lower case

sub ask {
    my ($path, $authorization, %more) = @_;

    my $method = delete $more{method} // 'GET';

    my $r = $nginx->request($method, $path, {
        defined $authorization ? (Authorization => $authorization) : (),
        %more,
    });

    is($r->{status}, 200, "$path is answered") or diag $r->{body};

    my %got;

    for (split /\n/, $r->{body}) {
        push @{ $got{lc $1} }, $2 if /\A([^: ]+): (.*)/;
    }

    return \%got;
}


sub headers {
    my ($got, %expected) = @_;

    my %of = map { $_ => $got->{$_} && join '|', @{ $got->{$_} } }
        keys %expected;

    is_deeply(\%of, \%expected);
}


subtest 'what another module did to headers stays done' => sub {
    for my $way (@ways) {
        headers(ask("/both/$way/x", 'Bearer npm_full', 'X-Role' => 'admin',
                    'X-Npm-User' => 'root', 'X-Plain' => 'p'),
                'x-tenant' => 'acme', 'x-role' => undef, 'x-plain' => 'p',
                'x-npm-user' => 'alice', authorization => undef);

        headers(ask("/off/$way/x", undef, 'X-Role' => 'admin',
                    'X-Npm-User' => 'root'),
                'x-tenant' => 'acme', 'x-role' => undef,
                'x-npm-user' => undef);

        headers(ask("/off/$way/x", 'Bearer npm_x', 'X-Role' => 'admin'),
                'x-tenant' => 'acme', 'x-role' => undef,
                authorization => 'Bearer npm_x');
    }
};


subtest '... of many lines' => sub {
    for my $n (15 .. 22, 38 .. 43) {
        my %many = map {
            my $i = $_; (sprintf('X-Line-%02d', $i), $i)
        } 1 .. $n;
        my %lines = map { (lc, $many{$_}) } keys %many;

        headers(ask('/both/try/x', 'Bearer npm_full', %many,
                    'X-Role' => 'admin', 'X-Npm-User' => 'root'),
                %lines, 'x-tenant' => 'acme', 'x-role' => undef,
                'x-npm-user' => 'alice');
    }
};


subtest '... through two redirects, by each location on the way' => sub {
    headers(ask('/twice/x', 'Bearer npm_full', 'X-Role' => 'admin',
                'X-Gone' => 'g', 'X-Npm-User' => 'root',
                'X-SSO-USER' => 'root'),
            'x-tenant' => 'acme', 'x-second' => 'two', 'x-third' => 'three',
            'x-role' => undef, 'x-gone' => undef, 'x-sso-user' => undef,
            'x-npm-user' => 'alice', authorization => undef);
};


subtest 'a Bearer that a record has claimed stays taken' => sub {
    for my $way (@ways) {
        for my $name (qw( public known own )) {
            headers(ask("/$name/$way/x", 'Bearer npm_full',
                        'X-Npm-User' => 'root'),
                    authorization => undef, 'x-npm-user' => undef);
        }

        headers(ask("/sso/$way/x", 'Bearer npm_full'),
                authorization => undef, 'x-npm-user' => undef,
                'x-sso-user' => 'alice');
    }
};


subtest '... and so does what we sent in its place' => sub {
    for my $way (@ways) {
        headers(ask("/auth/$way/x", 'Bearer npm_full'),
                authorization => undef);
    }
};


subtest '... also where its record denies, or nobody can say' => sub {
    for (['/denied/x', 'PUT'], ['/any/x', 'PUT'], ['/down/x', 'GET']) {
        my ($path, $method) = @$_;

        headers(ask($path, 'Bearer npm_ro', method => $method),
                authorization => undef, 'x-npm-user' => undef);
    }
};


subtest '... and is judged all the same where it gets to' => sub {
    headers(ask('/again/x', 'Bearer npm_full'),
            authorization => undef, 'x-npm-user' => 'alice');

    is($nginx->request('PUT', '/again/x', {
        Authorization => 'Bearer npm_ro' })->{status}, 403);
};


subtest 'what nobody has claimed is for who is to judge it' => sub {
    for my $way (@ways) {
        headers(ask("/pass/$way/x", 'Bearer npm_none'),
                authorization => 'Bearer npm_none');
        headers(ask("/unknown/$way/x", 'Bearer npm_none'),
                authorization => undef);
    }

    headers(ask('/denied/x', 'Bearer npm_none'),
            authorization => 'Bearer npm_none');
};


subtest 'what another module sets after us is its own' => sub {
    for my $way (@ways) {
        headers(ask("/set/$way/x", 'Bearer npm_full'),
                authorization => 'Basic b3BlcmF0b3I=',
                'x-npm-user' => undef);
    }
};


done_testing;
