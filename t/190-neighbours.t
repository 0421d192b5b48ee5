# Other modules in the same nginx. It opens each so that all see the names of
# all, and the first that has a name has it for everybody: nchan has a hiredis
# of its own, others have their JSON parsers. So ours give no names but their
# own, and take none but nginx's.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken 'only_default_mode';

use NpmToken::Api;
use NpmToken::Nginx qw( check_config );
use NpmToken::Redis;
use NpmToken::Util qw(
    api_module_path module_path read_file temp_dir wait_for write_file
);

use constant MODULES => '/usr/lib/nginx/modules';

# some need others, which have to be loaded before them

my @first = map { MODULES . "/$_.so" } qw(
    ndk_http_module ngx_stream_module
);

my %first = map { $_ => 1 } @first;
my @others = (@first, grep { !$first{$_} } glob MODULES . '/*.so');

# a copy of ours may be installed there

@others = grep { !/npmtoken/ } @others;

my $nchan = MODULES . '/ngx_nchan_module.so';
my $redis = NpmToken::Redis->new;


sub names {
    my ($which, @files) = @_;

    # without their versions, which have names as well (A); what may be
    # missing (w) is the compiler's own

    return map { /\s[^\sAw]\s+([^\s@]+)/ ? $1 : () }
        `nm -D $which @files 2>/dev/null`;
}


for my $module (module_path(), api_module_path()) {
    my ($file) = $module =~ m{([^/]+)\z};

    # those by which nginx finds what is in a module

    my %nginx = map { $_ => 1 }
        qw( ngx_modules ngx_module_names ngx_module_order );

    my @foreign = grep { !/^(?:ngx_http_)?npmtoken_/ && !$nginx{$_} }
        names('--defined-only', $module);

    is("@foreign", '', "$file gives no names but its own");
}

my ($nginx) = grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}),
    '/usr/sbin';

my %there = map { $_ => 1 } names('--defined-only', $nginx, module_path()),
    names('--defined-only', map { m{=> (/\S+)} ? $1 : () } `ldd $nginx`);

for my $module (module_path(), api_module_path()) {
    my ($file) = $module =~ m{([^/]+)\z};

    my @foreign = grep { !$there{$_} } names('-u', $module);

    is("@foreign", '', "$file takes no names but nginx's");
}


# What an nginx with both modules does, by all of their libraries

sub works {
    my ($api, $name) = @_;

    subtest $name => sub {
        my $worker = wait_for { join ' ', $api->worker_pids } 'a worker';

        is(NpmToken::Nginx::get($api, '/pkg',
                                Authorization => 'Bearer npm_any')->{status},
           401, 'an unknown token is refused');

        wait_for { $redis->command('CLIENT', 'LIST') =~ /npmtoken-feed/ }
            'a feed';

        $api->user('alice', 'secret password');

        my $token = $api->login('alice', 'secret password');

        is($api->status_of($token), 200, 'a token may read');

        my $r = $api->call1('POST', '/-/npm/v1/user', $token,
            { tfa => { password => secret('secret password'),
                       mode => 'auth-and-writes' } });

        my ($seed) = ($r->{json}{tfa} // '') =~ /secret=([A-Z2-7]+)/;

        ok($seed, 'a second factor is begun') or diag $r->{body};

        settle();

        $r = $api->call1('POST', '/-/npm/v1/user', $token,
            { tfa => [ otp($seed) ] });

        is($r->{status}, 200, 'a code is right') or diag $r->{body};

        is(join(' ', $api->worker_pids), $worker, 'no worker has died');
        unlike($api->error_log, qr/exited on signal/, '... nor has one before');
    };

    $redis->flush;
}


# More than any module has: all names of these libraries, in front of all
# others, and nobody survives a call.

my %all = map { $_ => 1 } grep { /^[A-Za-z]/ } map {
    names('--defined-only', glob "/usr/lib/*/lib$_.so")
} qw( hiredis jansson oath sodium );

my $trap = temp_dir() . '/trap.so';

write_file(temp_dir() . '/trap.c', join '', "void abort(void);\n",
           map { "void $_(void) { abort(); }\n" } sort keys %all);

system("cc -w -fno-builtin -shared -fPIC -o $trap " . temp_dir() . '/trap.c')
    == 0 or die "cc failed\n";

cmp_ok(scalar keys %all, '>', 500, 'there are names to be taken');

works(NpmToken::Api->new(redis => $redis, store => '',
                         env => { LD_PRELOAD => $trap }),
      'names of libraries that others have are not called');


cmp_ok(scalar @others, '>=', 30, 'there are neighbours');

works(NpmToken::Api->new(redis => $redis, store => '', before => \@others),
      'all other modules, loaded before ours');

works(NpmToken::Api->new(redis => $redis, store => '',
                         modules => [ api_module_path(), @others ]),
      'all other modules, loaded after ours');


# nchan, with its own Redis in use

for my $order ('before', 'after') {
    my $api = NpmToken::Api->new(
        redis   => $redis,
        store   => '',
        before  => $order eq 'before' ? [ $nchan ] : [],
        modules => [ api_module_path(), $order eq 'after' ? $nchan : () ],
        http    => 'nchan_redis_url redis://127.0.0.1:' . $redis->port . ';',
        server  => <<'_EOC_',
            location /publish {
                nchan_use_redis   on;
                nchan_publisher;
                nchan_channel_id  news;
            }
_EOC_
    );

    # until it has connected it answers 503

    my $status = wait_for {
        my $r = NpmToken::Nginx::request($api, 'POST', '/publish', {}, 'text');

        $r && $r->{status} =~ /^20[12]$/ && $r->{status};
    } 'nchan to publish';

    like($status, qr/^20[12]$/, "nchan, loaded $order ours, publishes");

    works($api, "nchan, loaded $order ours");
}


# each for itself: nginx takes it before and after

my $dir = temp_dir() . '/one';
mkdir $dir or die "mkdir $dir: $!";

for my $other (grep { !$first{$_} } @others) {
    my ($name) = $other =~ m{([^/]+)\.so\z};
    my @ours = (module_path(), api_module_path());
    my @wrong;

    for ([ @first, $other, @ours ], [ @ours, @first, $other ]) {
        write_file("$dir/nginx.conf", join '',
            (map { "load_module $_;\n" } @$_), <<"_EOC_");
error_log stderr;
pid $dir/pid;
events { }
http {
    client_body_temp_path $dir/t1;
    proxy_temp_path $dir/t2;
    fastcgi_temp_path $dir/t3;
    uwsgi_temp_path $dir/t4;
    scgi_temp_path $dir/t5;
    npmtoken_store main {
        redis unix:/nowhere;
    }
    server {
        listen unix:$dir/listen;
        location / {
            npmtoken main;
            npmtoken_api main;
        }
    }
}
_EOC_

        my ($status, $output) = check_config($dir, "$dir/nginx.conf");

        push @wrong, $output if $status;
    }

    is("@wrong", '', "$name, before and after ours");
}

done();
