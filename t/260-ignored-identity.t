# A registry that does not take the identity: the error log says so, once.
#
# The registry is here another server of the same nginx, and answers as
# Verdaccio, Nexus and others do; t/examples has Verdaccio itself.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( temp_dir );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $socket = $redis->socket;
my $dir = temp_dir();

$redis->put_token('npm_alice', user => 'alice');
$redis->put_token('npm_slash', user => 'a/b');
$redis->put_token('npm_nobody', x_note => 'no user');

# answers of a registry, by the first segment of the path

my %answers = (
    taken    => [ 200, '{"username":"alice"}' ],
    spelt    => [ 200, "{\n  \"username\": \"ALICE\"\n}" ],
    empty    => [ 200, '{}' ],
    null     => [ 200, '{"username":null}' ],
    other    => [ 200, '{"username":"anonymous"}' ],
    longer   => [ 200, '{"username":"alice2"}' ],
    strange  => [ 401, '{"error":"who are you?"}' ],
    refuses  => [ 403, '{"error":"authorization required"}' ],
    fails    => [ 500, '{"error":"x"}' ],
    moved    => [ 302, 'http://localhost/' ],
);

my $locations = join '', map { <<"_EOC_" } sort keys %answers;
        location /$_/ { return $answers{$_}[0] '$answers{$_}[1]'; }
_EOC_

my $registry = <<"_EOC_";
    npmtoken_store main {
        redis unix:$socket;
    }

    proxy_cache_path $dir/cache keys_zone=cache:1m;
    gzip_min_length 0;

    server {
        listen unix:$dir/registry;
        access_log off;
$locations
        location /otp/ {
            add_header WWW-Authenticate 'OTP' always;
            return 401 '{"error":"You must provide a one-time pass."}';
        }
        location /zipped/ {
            gzip on;
            gzip_types *;
            gzip_http_version 1.0;
            gzip_proxied any;
            root $dir;
        }
    }
_EOC_

mkdir "$dir/zipped";
mkdir "$dir/zipped/-";

{
    open my $file, '>', "$dir/zipped/-/whoami" or die "whoami: $!";
    print $file '{"username":"anonymous"}';
    close $file or die "whoami: $!";
}

my $ignored = qr/\[error\] .*npmtoken: the registry does not take the user from "X-Npm-User" of "npmtoken_identity"/;

my $running;

# each subtest has an nginx of its own, since a line is written once

sub start {
    if ($running) {
        $running->finish;
        unlink "$dir/registry";
    }

    return $running = NpmToken::Nginx->new(http   => $registry,
                                           server => <<"_EOC_");
        npmtoken main;
        npmtoken_identity X-Npm-User;

        location / {
            proxy_set_header Accept-Encoding gzip;
            proxy_pass http://unix:$dir/registry;
        }
        location /cached/ {
            proxy_cache cache;
            proxy_cache_valid any 1m;
            proxy_pass http://unix:$dir/registry:/strange/;
        }
        location /mapped/ {
            npmtoken_identity X-Npm-User "user-\$npmtoken_user";
            proxy_pass http://unix:$dir/registry:/other/;
        }
        location /session/ {
            npmtoken_base /session/;
            proxy_pass http://unix:$dir/registry:/strange/;
        }
        location /own/ {
            return 401 '{"error":"of nginx"}';
        }
        location /off/ {
            npmtoken off;
            proxy_pass http://unix:$dir/registry:/strange/;
        }
        location /passed/ {
            npmtoken_unknown pass;
            npmtoken_anonymous read;
            proxy_pass http://unix:$dir/registry:/strange/;
        }
        location /dry/ {
            npmtoken_dry_run on;
            proxy_pass http://unix:$dir/registry:/strange/;
        }
_EOC_
}

sub get {
    my ($nginx, $path, $token) = @_;

    return $nginx->get($path, $token ? (Authorization => "Bearer $token")
                                     : ())->{status};
}

# the lines of the log so far; a request that ends is logged after its answer,
# these lines before

sub lines {
    my $nginx = shift;

    return grep { /$ignored/ } split /\n/, $nginx->error_log;
}


for (
    [ 'empty/-/whoami', 'a whoami that is about nobody' ],
    [ 'null/-/whoami', 'a whoami of null' ],
    [ 'other/-/whoami', 'a whoami that is about somebody else' ],
    [ 'longer/-/whoami', 'a whoami about a name that begins like the user' ],
    [ 'strange/-/whoami', 'a whoami that is answered 401', 401 ],
    [ 'refuses/-/whoami', 'a whoami that is answered 403', 403 ],
    [ 'strange/pkg', 'any request that is answered 401', 401 ],
) {
    my ($path, $name, $status) = @$_;

    subtest "$name is said, once" => sub {
        my $nginx = start();

        for (1 .. 3) {
            is(get($nginx, "/$path", 'npm_alice'), $status // 200, $path);
        }

        my @lines = lines($nginx);

        is(@lines, 1, 'once');
        like($lines[0], $status
             ? qr/: it answered $status to an allowed token while /
             : qr/: its whoami does not name the user of an allowed token while /,
             'what it is about');
        unlike($lines[0], qr/npm_alice|Bearer/, 'without the token');
    };
}


subtest 'after a whoami that is right it is said again' => sub {
    my $nginx = start();

    for my $path (qw( empty/-/whoami strange/pkg taken/-/whoami strange/pkg
                      other/-/whoami spelt/-/whoami empty/-/whoami )) {
        get($nginx, "/$path", 'npm_alice');
    }

    is(lines($nginx), 3, 'three times');
};


subtest 'nothing is said of what is no sign of it' => sub {
    my $nginx = start();

    for (
        [ '/taken/-/whoami', 'npm_alice', 200, 'the user' ],
        [ '/spelt/-/whoami', 'npm_alice', 200, 'in another spelling' ],
        [ '/refuses/pkg', 'npm_alice', 403, 'who may not have a package' ],
        [ '/other/-/whoam', 'npm_alice', 200, 'another path' ],
        [ '/other/whoami', 'npm_alice', 200, 'another path' ],
        [ '/fails/-/whoami', 'npm_alice', 500, 'a registry that fails' ],
        [ '/moved/-/whoami', 'npm_alice', 302, 'a redirect' ],
        [ '/otp/pkg', 'npm_alice', 401, 'a one-time password is asked for' ],
        [ '/zipped/-/whoami', 'npm_alice', 200, 'what cannot be read' ],
        [ '/other/-/whoami', 'npm_slash', 200, 'nor be compared' ],
        [ '/mapped/-/whoami', 'npm_alice', 200, 'a user of another name' ],
        [ '/own/pkg', 'npm_alice', 401, 'an answer of nginx itself' ],
        [ '/off/pkg', 'npm_alice', 401, 'where nothing is enforced' ],
        [ '/strange/pkg', 'npm_nobody', 401, 'a token of nobody' ],
        [ '/strange/-/whoami', 'npm_none', 401, 'an unknown token' ],
        [ '/strange/-/whoami', undef, 401, 'no token' ],
        [ '/passed/-/whoami', 'npm_none', 401, 'a token that is passed' ],
        [ '/passed/-/whoami', undef, 401, 'an anonymous read' ],
        [ '/dry/-/whoami', 'npm_none', 401, 'a dry run' ],
    ) {
        my ($path, $token, $status, $name) = @$_;

        is(get($nginx, $path, $token), $status, "$path: $name");
    }

    is($nginx->request('HEAD', '/taken/-/whoami',
                       { Authorization => 'Bearer npm_alice' })->{status},
       200, 'HEAD');
    is($nginx->request('PUT', '/session/-/user/org.couchdb.user:alice',
                       { Authorization => 'Bearer npm_alice' },
                       '{}')->{status}, 401, 'a session');

    is(lines($nginx), 0, 'no line');
};


subtest 'an answer from a cache says nothing about who asks' => sub {
    my $nginx = start();

    get($nginx, '/cached/pkg');
    get($nginx, '/cached/pkg', 'npm_alice');
    is(lines($nginx), 1, 'asked for alice, it does');

    $nginx->reload;
    get($nginx, '/cached/pkg', 'npm_alice');
    is(lines($nginx), 1, 'of the cache, it does not');
};


subtest 'in a dry run an allowed token tells it, before anybody is refused'
        => sub {
    my $nginx = start();

    get($nginx, '/dry/-/whoami', 'npm_alice');
    is(lines($nginx), 1, 'a line');
};


subtest 'after a reload it is looked for as before' => sub {
    my $nginx = start();

    get($nginx, '/strange/pkg', 'npm_alice');

    $nginx->reload;
    get($nginx, '/strange/pkg', 'npm_alice');
    is(lines($nginx), 2, 'a line of each configuration');

    $nginx->reload;
    is(get($nginx, '/taken/-/whoami', 'npm_alice'), 200, 'it serves');
};


done_testing();
