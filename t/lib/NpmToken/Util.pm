package NpmToken::Util;

# What every test needs: free ports, a directory of its own, processes that
# end with the test, and waiting for a condition.

use strict;
use warnings;

use Carp qw( croak );
use Cwd qw( abs_path );
use Digest::SHA qw( sha512_hex );
use Errno qw( EINTR );
use Exporter qw( import );
use Fcntl qw( :flock O_CREAT O_RDWR );
use File::Basename qw( dirname );
use File::Path qw( make_path remove_tree );
use File::Temp qw( tempdir );
use IO::Socket::INET;
use POSIX qw( WNOHANG );
use Test::More ();      # before our END block: it ends after that
use Time::HiRes qw( time sleep );

our @EXPORT_OK = qw(
    api_module_path
    at_exit
    free_port
    module_path
    nginx_binary
    project_root
    read_file
    reap
    spawn
    stop_process
    temp_dir
    token_key
    short_key
    wait_for
    write_file
);

my $owner = $$;
my %locks;
my %children;
my @at_exit;
my $dir;

# an interrupted test cleans up as one that ends

for my $signal (qw( INT TERM HUP )) {
    $SIG{$signal} ||= sub { exit 130 };
}


sub project_root () {
    return abs_path(dirname(__FILE__) . '/../../..');
}


sub module_path () {
    my $path = $ENV{NPMTOKEN_MODULE}
        || project_root() . '/build/ngx_http_npmtoken_module.so';

    -f $path or croak "no module at $path: run \"make\" first";

    return $path;
}


# the token API: it stands beside the other, and is loaded after it

sub api_module_path () {
    my $path = module_path() =~ s/_module\.so\z/_api_module.so/r;

    -f $path or croak "no module at $path: run \"make\" first";

    return $path;
}


# Debian's nginx knows epoll only; tools/nginx-poll builds one that knows poll

sub nginx_binary () {
    return $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};

    return 'nginx' if ($ENV{TEST_NGINX_EVENT_TYPE} // '') ne 'poll';

    my $path = project_root() . '/build/nginx-poll/nginx';

    -x $path or croak "no nginx at $path: run \"tools/nginx-poll\" first";

    return $path;
}


# the key of a token: what names its record

sub token_key ($) {
    return sha512_hex($_[0]);
}


# the only form of a key that appears in prose

sub short_key ($) {
    return substr token_key($_[0]), 0, 8;
}


# Waits until the code returns something true, and returns that; dies if it
# does not within the time given (10 seconds).

sub wait_for (&;$$) {
    my ($code, $what, $timeout) = @_;

    my $end = time + ($timeout // 10);

    for ( ;; ) {
        my $value = $code->();

        return $value if $value;

        if (time > $end) {
            croak 'timed out waiting for ' . ($what // 'a condition');
        }

        sleep 0.01;
    }
}


# A port that is free on the loopback interface, and below those which the
# system gives to outgoing connections.  The lock keeps tests that run side
# by side apart while nobody listens on it.

sub free_port () {
    my $locks = "/tmp/npmtoken-ports-$<";

    make_path($locks);

    for (1 .. 1000) {
        my $port = 20000 + int rand 12000;

        next if $locks{$port};

        sysopen my $lock, "$locks/$port", O_CREAT | O_RDWR or next;
        flock $lock, LOCK_EX | LOCK_NB or next;

        IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Listen    => 1,
            ReuseAddr => 1,
        ) or next;

        $locks{$port} = $lock;

        return $port;
    }

    croak 'no free port';
}


# A directory of this test, removed when it ends.  It has a short name, since
# the path of a unix socket may be 107 bytes long and no more.

sub temp_dir () {
    if (!defined $dir) {
        $dir = tempdir('/tmp/npmtoken-XXXXXX', CLEANUP => 0);
        chmod 0755, $dir;
    }

    return $dir;
}


sub read_file ($) {
    my $path = shift;

    open my $in, '<:raw', $path or return '';
    local $/;

    return scalar(<$in>) // '';
}


sub write_file ($$) {
    my ($path, $text) = @_;

    open my $out, '>:raw', $path or croak "cannot write $path: $!";
    print $out $text;
    close $out or croak "cannot write $path: $!";
}


# Starts a program that ends at the latest when this test does, even if that
# is killed: spawn(LOG, COMMAND...) returns the pid.

sub spawn ($@) {
    my ($log, @command) = @_;

    my $pid = fork() // croak "cannot fork: $!";

    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>>', $log;

        # neither a lock of ours nor the TAP stream is for others to keep
        POSIX::close($_) for 3 .. 255;

        exec 'setpriv', '--pdeathsig', 'KILL', @command
            or POSIX::_exit(127);
    }

    $children{$pid} = 1;

    return $pid;
}


# true once the process is gone

sub reap ($) {
    my $pid = shift;

    return 1 if !$children{$pid};

    my $rc = waitpid $pid, WNOHANG;

    return 0 if $rc == 0 || ($rc == -1 && $! == EINTR);

    delete $children{$pid};

    return 1;
}


sub stop_process ($;$) {
    my ($pid, $signal) = @_;

    local $?;

    return if !$children{$pid};

    kill $signal // 'TERM', $pid;

    if (!eval { wait_for { reap($pid) } "the end of $pid", 10; 1 }) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        delete $children{$pid};
    }
}


# Runs when the test ends, the last one first, before processes are stopped;
# gets the exit status.

sub at_exit (&) {
    unshift @at_exit, shift;
}


END {
    if ($$ == $owner) {
        my $status = $?;

        local ($?, $!, $@);

        $_->($status) for splice @at_exit;

        stop_process($_) for keys %children;

        remove_tree($dir) if defined $dir;
    }
}


1;
