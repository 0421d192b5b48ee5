# A client's identity header in subrequests: auth_request, mirror, SSI, Lua's.
# Where npmtoken_identity is in effect they do not have it, whatever is in
# effect where the request itself is, and in whatever phase they start.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Registry;
use NpmToken::Util qw( temp_dir wait_for write_file );

my $modules = '/usr/lib/nginx/modules';

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE};

my $redis = NpmToken::Redis->new;
my $registry = NpmToken::Registry->new;
my $to = $registry->socket;

$redis->put_token('npm_full', user => 'alice');

my $identity = 'npmtoken_identity X-Npm-User;';

my $nginx = NpmToken::Nginx->new(
    modules => [ map { "$modules/$_.so" }
                     qw( ndk_http_module ngx_http_lua_module ) ],
    http => 'npmtoken_store main { redis unix:' . $redis->socket . '; }',
    server => <<"_EOT_");
    underscores_in_headers on;
    ignore_invalid_headers off;

    location /sub/ {
        internal;
        $identity
        proxy_pass http://$to;
    }
    location /plain/ {
        internal;
        proxy_pass http://$to;
    }
    location /again/ {
        internal;
        $identity
        root /nonexistent;
        error_page 404 = /sub/again;
    }

    location /auth/ {
        auth_request /sub/auth;
        proxy_pass http://$to;
    }
    location /auth-again/ {
        auth_request /again/x;
        proxy_pass http://$to;
    }
    location /auth-enforced/ {
        npmtoken main;
        $identity
        auth_request /sub/auth-enforced;
        proxy_pass http://$to;
    }
    location /mirror/ {
        mirror /sub/mirror;
        proxy_pass http://$to;
    }
    location /mirror-enforced/ {
        npmtoken main;
        $identity
        mirror /sub/mirror-enforced;
        proxy_pass http://$to;
    }
    location /mirror-off/ {
        npmtoken main;
        mirror /sub/mirror-off;
        proxy_pass http://$to;
    }
    location /ssi/ {
        ssi on;
        ssi_types *;
        root @{[ temp_dir ]};
    }
    location /rewrite/ {
        rewrite_by_lua_block { ngx.location.capture("/sub/rewrite") }
        proxy_pass http://$to;
    }
    location /access/ {
        access_by_lua_block { ngx.location.capture("/sub/access") }
        proxy_pass http://$to;
    }
    location /content/ {
        npmtoken main;
        $identity
        content_by_lua_block {
            ngx.location.capture("/sub/content",
                                 { method = ngx.HTTP_PUT, body = "x" })
            ngx.print(ngx.location.capture("/plain/content").body)
        }
    }
_EOT_


# what got to a subrequest's location, of the request with this line

sub sub_got {
    my ($path, $which) = @_;

    return wait_for {
        my $got = $registry->got($path) // '';

        $got =~ /^X-Which: \Q$which\E$/m ? $got : undef;
    } "$which for $path";
}

my @forged = ('X-Npm-User', 'x-npm-user', 'X_Npm_User', 'X.Npm.User',
              'x~npm-USER');


for (['auth_request', '/auth/x', '/sub/auth'],
     ['auth_request, redirected', '/auth-again/x', '/sub/again'],
     ['mirror', '/mirror/x', '/sub/mirror'],
     ['SSI', '/ssi/page', '/sub/ssi'],
     ['Lua, in the rewrite phase', '/rewrite/x', '/sub/rewrite'],
     ['Lua, in the access phase', '/access/x', '/sub/access'])
{
    my ($title, $path, $sub) = @$_;

    subtest "$title: where it goes to, nothing forged gets" => sub {
        mkdir temp_dir() . '/ssi';
        write_file(temp_dir() . '/ssi/page',
                   '<!--#include virtual="/sub/ssi" -->');

        for my $name (@forged) {
            my $r = $nginx->get($path, $name => 'root', 'X-Which' => $name,
                                'X-Npm-Users' => 'other');

            is($r->{status}, 200);

            my $got = sub_got($sub, $name);

            unlike($got, qr/root/, $name);
            like($got, qr/^X-Npm-Users: other$/m);

            # where the directive is not, the client's is the client's
            like($r->{body}, qr/^\Q$name\E: root$/m) if $path !~ /ssi/;
        }
    };
}


subtest 'of an enforced request nothing forged gets there either' => sub {
    for (['/auth-enforced/x', '/sub/auth-enforced'],
         ['/mirror-off/x', '/sub/mirror-off'])
    {
        my ($path, $sub) = @$_;

        my $r = $nginx->get($path, Authorization => 'Bearer npm_full',
                            'X-Npm-User' => 'root', 'X-Which' => 'one');

        is($r->{status}, 200);
        unlike(sub_got($sub, 'one'), qr/x-npm-user/i);
    }
};


subtest 'our own identity does, once the request has it' => sub {
    my $r = $nginx->get('/mirror-enforced/x',
                        Authorization => 'Bearer npm_full',
                        'X-Npm-User' => 'root', 'X-Which' => 'two');

    like($r->{body}, qr/^X-Npm-User: alice$/m);
    like(sub_got('/sub/mirror-enforced', 'two'), qr/^X-Npm-User: alice$/m);

    $r = $nginx->get('/content/x', Authorization => 'Bearer npm_full',
                     'X-Npm-User' => 'root', 'X-Which' => 'three');

    my $got = sub_got('/sub/content', 'three');

    like($r->{body}, qr/^X-Npm-User: alice$/m);
    like($got, qr/^X-Npm-User: alice$/m);
    unlike($r->{body} . $got, qr/root|Authorization/i);
};


done_testing;
