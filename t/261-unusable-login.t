# "npmtoken_api_login proxy" before a registry whose answer to a login says
# nothing about the password: everybody's password counts as wrong, and the
# error log says so, once.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( api_module_path temp_dir );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};
plan(skip_all => 'nginx has no threads with poll')
    if ($ENV{TEST_NGINX_EVENT_TYPE} // '') eq 'poll';

my $redis = NpmToken::Redis->new;
my $socket = $redis->socket;
my $dir = temp_dir();
my @says_nothing = (404, 405, 409, 410, 413, 415);
my @refuses = (400, 401, 403, 422);

my $locations = join '', map { <<"_EOC_" } @says_nothing, @refuses, 201;
        location /-/user/org.couchdb.user:s$_ { return $_ '{}'; }
_EOC_

my $nginx = NpmToken::Nginx->new(
    modules => [ api_module_path() ],
    http    => <<"_EOC_",
    npmtoken_store main {
        redis unix:$socket;
    }

    server {
        listen unix:$dir/registry;
        access_log off;
$locations
    }
_EOC_
    server  => join('', map { <<"_EOC_" } @says_nothing, 'all'),
        location /$_/ {
            npmtoken main;
            npmtoken_base /$_/;
            npmtoken_api main;
            npmtoken_api_login proxy;
            npmtoken_api_attempts 0 0;
            proxy_pass http://unix:$dir/registry:/;
        }
_EOC_
);


# whose registry answers a login with this status

sub login {
    my ($base, $status) = @_;

    return $nginx->request('PUT', "/$base/-/user/org.couchdb.user:s$status",
        { 'Content-Type' => 'application/json' },
        qq({"name":"s$status","password":"correct horse"}))->{status};
}

sub lines {
    my ($pattern) = @_;

    return grep { /\[error\] .*npmtoken: the registry answered a login/
                      && /$pattern/ }
        split /\n/, $nginx->error_log;
}


for my $status (@says_nothing) {
    subtest "$status is said, once" => sub {
        is(login($status, $status), 401, 'refused') for 1 .. 3;

        my @lines = lines(qr/ login with $status, which says nothing about /);

        is(@lines, 1, 'one line');
        is(($lines[0] =~ /Verdaccio: .*"login: true"/) ? 1 : 0,
           $status == 409 ? 1 : 0, 'what to do, for Verdaccio');
        unlike($lines[0], qr/correct horse/, 'without the password');
    };
}


subtest 'a refusal of the password is none of these' => sub {
    my $before = lines(qr/./);

    is(login('all', $_), 401, "$_ refuses") for @refuses;
    is(lines(qr/./), $before, 'no line');
};


subtest 'after a password that was right it is said again' => sub {
    my $before = lines(qr/./);

    is(login('all', $_), $_ == 201 ? 201 : 401, "$_ says")
        for 409, 404, 201, 409, 401, 409;

    is(lines(qr/./), $before + 2, 'twice');
};


done_testing();
