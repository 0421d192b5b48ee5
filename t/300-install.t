# tools/install beside a running nginx, and tools/upgrade-nginx, which brings
# the new code to it.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use NpmToken::Nginx qw( read_response );
use NpmToken::Redis;
use NpmToken::Util qw(
    api_module_path at_exit module_path project_root read_file temp_dir
    wait_for write_file
);

if ($ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE}) {
    plan(skip_all => 'makes no difference in this mode');
}

# nginx starts a new nginx by the name that it was started by itself

chomp($ENV{TEST_NGINX_BINARY} = `sh -c 'command -v nginx'`)
    if !$ENV{TEST_NGINX_BINARY};

# a make that runs this test has options that are not for another

delete @ENV{qw( MAKEFLAGS MFLAGS MAKELEVEL )};

my $root = project_root();
my $dest = temp_dir() . '/dest';
my $built = temp_dir() . '/built';
my $modules = "$dest/modules";

my @files = qw(
    /modules/ngx_http_npmtoken_module.so
    /modules/ngx_http_npmtoken_api_module.so
    /usr/bin/npmtokenctl
    /usr/lib/npmtoken/upgrade-nginx
    /usr/share/man/man1/npmtokenctl.1
    /usr/share/man/man5/npmtoken.5
    /usr/share/doc/npmtoken/examples/verdaccio.conf
);


# what a command said, and its exit status

sub run {
    my @command = @_;

    my $output = `@command 2>&1`;

    return ($? >> 8, $output);
}


# tools/install of what is in "built"

sub install {
    return run("BUILD=$built DESTDIR=$dest PREFIX=/usr MODULESDIR=/modules",
        "$root/tools/install", @_);
}


# another module that does the same: bytes behind its end are not read

sub rebuild {
    my $text = shift;

    for my $path (module_path(), api_module_path()) {
        my ($name) = $path =~ m{([^/]+)\z};

        write_file("$built/$name", read_file($path) . $text);
    }

    write_file("$built/npmtokenctl", "#!/bin/sh\n");
    write_file("$built/npmtoken.5", ".TH NPMTOKEN 5\n");
}


sub upgrade {
    return run("$root/tools/upgrade-nginx", @_);
}


# the lines of a process's map that name our module

sub maps {
    my $pid = shift;

    return join '', grep { m{/ngx_http_npmtoken_module} }
        split /^/, read_file("/proc/$pid/maps");
}


mkdir $built;
rebuild('first');

subtest '"make install" puts everything below DESTDIR' => sub {
    my $place = temp_dir() . '/make';
    my ($rc, $output) = run("make -C $root --no-print-directory install",
        "DESTDIR=$place PREFIX=/usr MODULESDIR=/modules");

    is($rc, 0, 'it succeeds') or diag($output);
    ok(-f "$place$_", "it has $_") for @files;
    ok(-x "$place/usr/bin/npmtokenctl", 'and npmtokenctl may be executed');

    ($rc, $output) = run("make -C $root --no-print-directory uninstall",
        "DESTDIR=$place PREFIX=/usr MODULESDIR=/modules");

    is($rc, 0, '"make uninstall" succeeds');
    ok(!-e "$place/usr" && !-e "$place/modules", 'and leaves nothing');
};

my ($rc, $output) = install();

is($rc, 0, 'what was built is installed') or diag($output);


# an nginx of the installed modules, with a request of each kind: one that is
# begun, and short ones all the time

my $redis = NpmToken::Redis->new;
my $registry = temp_dir() . '/registry';

my $nginx = NpmToken::Nginx->new(
    workers => 2,
    module  => "$modules/ngx_http_npmtoken_module.so",
    modules => ["$modules/ngx_http_npmtoken_api_module.so"],
    http    => "npmtoken_store main { redis unix:$redis->{socket}; }",
    server  => "location / { npmtoken main; npmtoken_anonymous read;
                             proxy_pass http://unix:$registry; }
                }
                server { listen unix:$registry; return 204;",
);

my $pidfile = $nginx->dir . '/nginx.pid';
my $config = $nginx->dir . '/nginx.conf';

# Once more as a daemon: nginx takes no signal USR2 from under its parent.
# Nobody ends this one but the test.

at_exit {
    my $pid = -e $pidfile && read_file($pidfile) =~ /(\d+)/ ? $1 : return;

    kill 'QUIT', $pid;
    wait_for { !-d "/proc/$pid" } 'nginx to quit';
};

$nginx->stop;
write_file($config, read_file($config) =~ s/daemon off;/daemon on;/r);

system($ENV{TEST_NGINX_BINARY}, '-e', $nginx->dir . '/error.log', '-p',
    $nginx->dir . '/', '-c', $config) == 0
    or die "nginx did not start\n";

follow();


# from now on "$nginx" is the master whose number is in the file

sub follow {
    wait_for { -s $pidfile } 'the number of nginx';
    $nginx->{pid} = 0 + read_file($pidfile);
}


# asks without a pause while the code runs; how many there were, and how many
# had no answer

sub meanwhile {
    my ($code) = @_;

    my $stop = temp_dir() . '/stop';
    my $log = temp_dir() . '/asked';

    unlink $stop, $log;

    my $parent = $$;
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        my ($asked, $lost) = (0, 0);

        while (!-e $stop && getppid() == $parent) {
            my $response = eval { $nginx->get('/pkg') };

            $asked++;
            $lost++ if !$response || $response->{status} != 204;
            write_file("$log.new", "$asked $lost");
            rename "$log.new", $log;
        }

        POSIX::_exit(0);
    }

    my $asked = sub { (split ' ', -e $log ? read_file($log) : '0 0')[0] };
    my $more = sub {
        my $n = $asked->() + 20;

        wait_for { $asked->() >= $n } 'twenty more requests';
    };

    $more->();
    $code->();
    $more->();

    write_file($stop, '');
    waitpid $pid, 0;

    return split ' ', read_file($log);
}


sub half_of_a_request {
    my $connection = $nginx->connect;

    print $connection "GET /pkg HTTP/1.1\r\nHost: localhost\r\n";

    # what came later has been answered by each worker
    $nginx->get('/pkg') for 1 .. 20;

    return $connection;
}


sub rest_of_it {
    my $connection = shift;

    print $connection "Connection: close\r\n\r\n";

    return read_response($connection, 'GET')->{status};
}


subtest 'a module that nginx has loaded is replaced and no worker dies' =>
sub {
    my @workers;

    wait_for { (@workers = $nginx->worker_pids) == 2 } 'two workers';

    my $half = half_of_a_request();

    rebuild('second');

    my ($asked, $lost) = meanwhile(sub {
        my ($rc, $output) = install();

        is($rc, 0, 'it is installed') or diag($output);
        like($output, qr{installed \S+/ngx_http_npmtoken_module\.so},
            'and says so');
        unlike($output, qr/upgrade-nginx\z/,
            'below DESTDIR no nginx is meant');
    });

    is($lost, 0, "none of $asked requests is lost");
    is(rest_of_it($half), 204, 'one that had begun is answered');

    is_deeply([ $nginx->worker_pids ], \@workers, 'the workers are the same ones');
    like(maps($_), qr/ \(deleted\)$/m, 'and what they run is whole')
        for @workers;
    is(read_file("$modules/ngx_http_npmtoken_module.so"),
        read_file("$built/ngx_http_npmtoken_module.so"),
        'the new module is in its place');
    is_deeply([ grep { !/\.so\z/ } glob "$modules/* $modules/.[!.]*" ], [],
        'and nothing beside it');
};


subtest 'what is the same already is left alone' => sub {
    my $before = (stat "$modules/ngx_http_npmtoken_module.so")[1];

    my ($rc, $output) = install();

    is($rc, 0, 'it succeeds');
    is($output, '', 'in silence');
    is((stat "$modules/ngx_http_npmtoken_module.so")[1], $before,
        'the file is the same one');
};


subtest 'a reload keeps the old code' => sub {
    $nginx->reload;

    like(maps($nginx->pid), qr/ \(deleted\)$/m, 'of the master');
    like(maps($_), qr/ \(deleted\)$/m, 'and of a worker')
        for grep { read_file("/proc/$_/cmdline") !~ /shutting/ }
            $nginx->worker_pids;
};


subtest 'with a broken configuration the old nginx goes on' => sub {
    my $good = read_file($config);
    my $old = $nginx->pid;

    write_file($config, "$good\nbroken;\n");
    $nginx->allow_log(qr/unknown directive "broken"/);

    my ($asked, $lost) = meanwhile(sub {
        my ($rc, $output) = upgrade($pidfile);

        is($rc, 1, 'the upgrade fails');
        like($output, qr/did not start, and the old one \($old\) goes on/,
            'and says so');
    });

    is($lost, 0, "none of $asked requests is lost");
    is(0 + read_file($pidfile), $old, 'it has its number back');

    write_file($config, $good);
};


subtest 'an upgrade brings the new code and loses no request' => sub {
    my $old = $nginx->pid;
    my $half = half_of_a_request();

    my ($asked, $lost) = meanwhile(sub {
        my ($rc, $output) = upgrade('--if-replaced', $pidfile);

        is($rc, 0, 'it succeeds') or diag($output);
        like($output, qr/\Anginx \(\d+\) runs the new code; the old one/,
            'and says so');
    });

    is($lost, 0, "none of $asked requests is lost");

    my $new = 0 + read_file($pidfile);

    isnt($new, $old, 'another nginx has the number');
    unlike(maps($new), qr/ \(deleted\)$/m, 'its code is the new one');
    is(rest_of_it($half), 204, 'a request that had begun is answered');

    follow();
};


subtest 'with nothing replaced nothing is done' => sub {
    my $before = read_file($pidfile);
    my ($rc, $output) = upgrade('--if-replaced', $pidfile);

    is($rc, 0, 'it succeeds');
    is($output, '', 'in silence');
    is(read_file($pidfile), $before, 'nginx is the same one');

    ($rc, $output) = upgrade('--if-replaced', "$dest/none.pid");

    is("$rc $output", '0 ', 'and so where no nginx runs');

    ($rc, $output) = upgrade("$dest/none.pid");

    is($rc, 1, 'asked for, it fails there');
    like($output, qr{no nginx runs whose number is in $dest/none\.pid},
        'and says why');
};


# the daemon is ended above; what its log has is looked at as ever

undef $nginx->{pid};

done_testing();
