package NpmToken::Nginx;

# An nginx of this test alone, for what a block of Test::Nginx is too stiff
# for: clients that go away, reload, quit, Redis that comes and goes.
#
#     my $nginx = NpmToken::Nginx->new(
#         http    => "npmtoken_store main { redis unix:$socket; }",
#         server  => 'location / { npmtoken main; return 204; }',
#         workers => 2,                 # 1 if not given
#         module  => PATH,              # in place of the one of build/
#         modules => [],                # more to load: paths
#         before  => [],                # and before ours
#         env     => {},                # of its environment
#         main    => '',                # more for the main context
#         events  => '',                # more for the events block
#         listen  => ' http2',          # more for the listen directive
#         level   => 'debug',           # of the error log; info
#     );                                # started, and listens
#
#     $nginx->port; $nginx->dir; $nginx->pid; $nginx->worker_pids;
#     $nginx->config(server => ...);    # written, not yet in effect
#     $nginx->reload;                   # returns when new workers serve
#     $nginx->signal('HUP');
#     $nginx->quit; $nginx->stop; $nginx->start;
#
#     my $r = $nginx->get('/pkg', Authorization => 'Bearer x');
#     my $r = $nginx->request('PUT', '/pkg', { header => 'value' }, 'body');
#     $r->{status}; $r->{headers}{'npm-notice'}; $r->{body};
#
#     my $c = $nginx->connect;          # IO::Socket, to write by hand
#     my $r = read_response($c);        # undef at the end of file
#
#     $nginx->error_log; $nginx->access_log;
#     $nginx->wait_log(qr/.../);        # until a new line matches
#     $nginx->allow_log(qr/.../);       # an alert that is expected
#
# When the test ends nginx is told to quit, and the test fails if it does not
# within ten seconds, or if its log has an [alert], an [emerg], a [crit] or
# the report of a sanitizer.  A test that never gets there has failed anyway:
# end it with done_testing.

use strict;
use warnings;

use Carp qw( croak );
use Exporter qw( import );
use IO::Select;
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw( time sleep );

use NpmToken::Util qw(
    at_exit free_port module_path nginx_binary read_file reap spawn
    stop_process temp_dir wait_for write_file
);

our @EXPORT_OK = qw( check_config log_complaints read_response request_text );

my $count = 0;
my @running;


# lines of an error log that no test may leave behind

sub log_complaints {
    my ($text, @allowed) = @_;

    my $bad = qr{
        \[ (?: alert | emerg | crit ) \]
        | (?: Address | Leak | Thread | Memory ) Sanitizer
        | : \s runtime \s error: \s
    }x;

    return grep {
        my $line = $_;
        $line =~ $bad && !grep { $line =~ $_ } @allowed;
    } split /\n/, $text;
}


sub new {
    my ($class, %options) = @_;

    my $dir = temp_dir() . '/nginx' . $count++;

    my $self = bless {
        dir     => $dir,
        port    => free_port(),
        workers => 1,
        modules => [],
        before  => [],
        env     => {},
        main    => '',
        events  => '',
        http    => '',
        server  => '',
        listen  => '',
        level   => $ENV{TEST_NGINX_LOG_LEVEL} || 'info',
        allowed => [],
        %options,
    }, $class;

    mkdir $dir or croak "cannot make $dir: $!";

    $self->config;
    $self->start;

    push @running, $self;

    return $self;
}


sub port       { return $_[0]{port} }
sub dir        { return $_[0]{dir} }
sub pid        { return $_[0]{pid} }
sub error_log  { return read_file("$_[0]{dir}/error.log") }
sub access_log { return read_file("$_[0]{dir}/access.log") }

sub allow_log {
    my ($self, @patterns) = @_;

    push @{ $self->{allowed} }, @patterns;
}


sub config {
    my ($self, %options) = @_;

    @$self{ keys %options } = values %options;

    my $dir = $self->{dir};
    my $modules = join "\n", map { "load_module $_;" }
        @{ $self->{before} }, $self->{module} // module_path(),
        @{ $self->{modules} };
    my $user = $> == 0 ? 'user root;' : '';
    my $use = $ENV{TEST_NGINX_EVENT_TYPE}
        ? "use $ENV{TEST_NGINX_EVENT_TYPE};" : '';

    write_file("$dir/nginx.conf", <<_EOC_);
$modules
$user
daemon off;
worker_processes $self->{workers};
error_log $dir/error.log $self->{level};
pid $dir/nginx.pid;
$self->{main}

events {
    worker_connections 512;
    $use
    $self->{events}
}

http {
    access_log $dir/access.log;
    default_type text/plain;
    client_body_temp_path $dir/client_body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

    $self->{http}

    server {
        listen 127.0.0.1:$self->{port}$self->{listen};
        server_name localhost;
        client_max_body_size 30m;

        $self->{server}
    }
}
_EOC_
}


# "nginx -t": exit status and what it printed; of this nginx's configuration
# as it is now, or as a function check_config(PREFIX, FILE)

sub check_config {
    my ($dir, $file) = ref $_[0]
        ? ($_[0]{dir}, "$_[0]{dir}/nginx.conf") : @_;

    my @command = (nginx_binary(), '-t', '-q', '-e', 'stderr', '-p', "$dir/",
                   '-c', $file);

    my $output = `@command 2>&1`;

    return ($? >> 8, $output);
}


sub start {
    my $self = shift;

    my $dir = $self->{dir};

    local @ENV{ keys %{ $self->{env} } } = values %{ $self->{env} };

    $self->{pid} = spawn "$dir/stderr.log", nginx_binary(),
        '-e', "$dir/error.log", '-p', "$dir/", '-c', "$dir/nginx.conf";

    my $connection;

    eval {
        wait_for {
            die "exited\n" if reap($self->{pid});

            -s "$dir/nginx.pid"
                && ($connection = IO::Socket::INET->new(
                        PeerAddr => '127.0.0.1', PeerPort => $self->{port}));
        } 'nginx', 20;

        1;
    } or do {
        my $why = $@;

        stop_process(delete $self->{pid});
        croak "nginx did not start: $why" . $self->error_log;
    };

    return $self;
}


sub signal {
    my ($self, $signal) = @_;

    kill $signal, $self->{pid} or croak "cannot signal nginx: $!";
}


sub worker_pids {
    my $self = shift;

    return grep {
        read_file("/proc/$_/cmdline") =~ /\Anginx: worker process/
    } _children($self->{pid});
}


sub _children {
    my $pid = shift;

    return split ' ', read_file("/proc/$pid/task/$pid/children");
}


# new workers serve when the old ones have been told to go

sub reload {
    my $self = shift;

    my %old = map { $_ => 1 } $self->worker_pids;

    $self->signal('HUP');

    wait_for {
        my @pids = $self->worker_pids;

        (grep { !$old{$_} } @pids) >= $self->{workers}
            && !grep {
                $old{$_} && read_file("/proc/$_/cmdline") !~ /shutting down/
            } @pids;
    } 'new workers';
}


# graceful; false if it did not end in time

sub quit {
    my ($self, $timeout) = @_;

    my $pid = delete $self->{pid} or return 1;

    kill 'QUIT', $pid;

    return 1 if eval {
        wait_for { reap($pid) } 'nginx to quit', $timeout // 10;
        1;
    };

    my @workers = _children($pid);

    stop_process($pid, 'TERM');
    kill 'KILL', grep { -d "/proc/$_" } @workers;

    return 0;
}


sub stop {
    my $self = shift;

    stop_process(delete $self->{pid}, 'TERM') if $self->{pid};
}


sub connect {
    my ($self, %options) = @_;

    my $connection = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{port},
        %options,
    ) or croak "cannot connect to nginx: $!";

    $connection->autoflush(1);

    return $connection;
}


# One request on a connection of its own.  The body goes out behind the head
# at once; an early answer is read nevertheless.

sub request {
    my ($self, $method, $uri, $headers, $body) = @_;

    my $connection = $self->connect;

    local $SIG{PIPE} = 'IGNORE';

    print $connection request_text($method, $uri, $headers, $body);

    return read_response($connection, $method);
}


sub request_text {
    my ($method, $uri, $headers, $body) = @_;

    my %headers = (Host => 'localhost', Connection => 'close',
                   %{ $headers // {} });

    $headers{'Content-Length'} //= length $body if defined $body;

    my $text = "$method $uri HTTP/1.1\r\n";
    $text .= "$_: $headers{$_}\r\n" for sort keys %headers;

    return "$text\r\n" . ($body // '');
}


sub get {
    my ($self, $uri, %headers) = @_;

    return $self->request('GET', $uri, \%headers);
}


# Reads one response, with its body.  Undef if there is none before the end
# of file; dies if the time (a minute) is up.

sub read_response {
    my ($connection, $method, $timeout) = @_;

    my $end = time + ($timeout // 60);
    my $select = IO::Select->new($connection);
    my $data = '';

    my $more = sub {
        my $left = $end - time;

        croak "timed out reading a response, got \"$data\""
            if $left <= 0 || !$select->can_read($left);

        return sysread $connection, $data, 65536, length $data;
    };

    while ($data !~ /\r\n\r\n/) {
        $more->() or return undef;
    }

    my ($head, $rest) = $data =~ /\A(.*?)\r\n\r\n(.*)\z/s;
    my ($line, @lines) = split /\r\n/, $head;
    my ($status) = $line =~ m{\AHTTP/\S+ (\d+)};

    my %response = (status => $status, head => "$head\r\n", headers => {});

    for (@lines) {
        my ($name, $value) = /\A([^:]+):\s*(.*)\z/s;

        $name = lc $name;

        $response{headers}{$name} = exists $response{headers}{$name}
            ? "$response{headers}{$name}, $value" : $value;
    }

    $data = $rest;

    my $length = $response{headers}{'content-length'};
    my $chunked = ($response{headers}{'transfer-encoding'} // '')
        =~ /chunked/i;

    if (($method // '') eq 'HEAD' || $status == 204 || $status == 304
        || $status < 200)
    {
        $length = 0;
    }

    if (defined $length) {
        while (length $data < $length) {
            $more->() or last;
        }

        $data = substr $data, 0, $length;

    } elsif ($chunked) {
        while ($data !~ /(?:\A|\r\n)0\r\n\r\n\z/) {
            $more->() or last;
        }

        my $body = '';

        while ($data =~ s/\A([0-9a-fA-F]+)[^\r]*\r\n//) {
            my $size = hex $1 or last;

            $body .= substr $data, 0, $size, '';
            $data =~ s/\A\r\n//;
        }

        $data = $body;

    } else {
        1 while $more->();
    }

    $response{body} = $data;

    return \%response;
}


# Waits until a line that was not there at the last call matches, and returns
# it.

sub wait_log {
    my ($self, $pattern, $timeout) = @_;

    return wait_for {
        my $text = substr $self->error_log, $self->{seen} // 0;

        $text =~ /^(.*$pattern.*)$/m or return undef;

        $self->{seen} += $+[0];

        return $1;
    } "a log line that matches $pattern", $timeout;
}


# What must hold at the end of every test; a part of it that does not is one
# more test, and fails.

sub finish {
    my $self = shift;

    my $quit = $self->quit;

    if (!$quit) {
        Test::More::fail('nginx quits within ten seconds');
    }

    my @lines = log_complaints($self->error_log, @{ $self->{allowed} });

    if (@lines) {
        Test::More::fail('the error log is clean');
        Test::More::diag($_) for @lines;
    }

    return $quit && !@lines;
}


at_exit {
    $_->finish for splice @running;
};


1;
