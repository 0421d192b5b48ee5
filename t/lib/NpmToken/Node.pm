package NpmToken::Node;

# What the tests of the cache and the feed need: a node, that is an nginx with
# two workers which can be asked one by one, and a Redis of its own.
#
#     use NpmToken::Node;               # skips the file over HTTP/2 and poll
#     use NpmToken::Node poll => 1;     # ... over HTTP/2 only
#
#     my $redis = NpmToken::Redis->new;
#     my $node  = NpmToken::Node->new(
#         redis   => $redis,            # on its unix socket
#         url     => 'redis://...',     # or this, in its place
#         store   => 'revocation_bound 60s;',   # more for the store "main"
#         workers => 2,
#         ...                           # what NpmToken::Nginx takes: http,
#     );                                # server, main, level
#
# The store's feed is live when this returns, unless "feed => 0" is said.
# Locations: "/" lets through to the upstream "registry", which answers 200;
# "/anonymous" besides has npmtoken_anonymous.
#
#     $node->ask($token);               # "200 hit": status, $npmtoken_cache
#     $node->ask($token, method => 'PUT', worker => $pid, timeout => 10,
#                uri => '/pkg');
#     $node->ask_all($token);           # of each worker
#     $node->workers;                   # their pids, when all are there
#     $node->send_ask($token, ...);     # sends it; ask_result() reads
#
#     $node->cache($token);             # asks until it is a hit
#     $node->sync;                      # what was written has been pushed;
#                                       # takes what ask() does
#     $node->owner;                     # pid of the feed's worker
#     $node->live;                      # how many epochs have begun
#     $node->wait_live($n);             # until there are so many
#     $node->renewed(sub { ... });      # until one more has begun by that
#
#     $node->lives($token, BOUND, WHAT, OPTIONS);
#                                       # from now on it may be a hit for BOUND
#                                       # seconds and not longer; returns what
#                                       # came then.  "none => 1": it need not
#                                       # be a hit at all
#
#     calls($redis, 'hgetall');         # as commandstats has it
#     clients($redis, 'npmtoken-feed'); # a hash for each, of CLIENT LIST
#     quickly { ... } WHAT;             # how long it took in ms, and a test
#
# quickly() waits until its block is true.  That it takes milliseconds is seen
# in what it prints; a busy machine is no failure, waiting for the bound is.

use strict;
use warnings;

use parent 'NpmToken::Nginx';

use Carp qw( croak );
use Test::More ();
use Time::HiRes qw( time sleep );

use NpmToken::Nginx qw( read_response request_text );
use NpmToken::Redis;
use NpmToken::Util qw( free_port read_file wait_for temp_dir );

my @exported = qw( calls clients quickly );
my $count = 0;


sub import {
    my ($class, %options) = @_;

    if ($ENV{TEST_NGINX_USE_HTTP2}
        || ($ENV{TEST_NGINX_EVENT_TYPE} && !$options{poll}))
    {
        Test::More::plan(skip_all => 'makes no difference in this mode');
    }

    no strict 'refs';

    *{ caller() . "::$_" } = \&{$_} for @exported;
}


sub new {
    my ($class, %options) = @_;

    my $url   = delete $options{url} // "unix:$options{redis}{socket}";
    my $feed  = delete $options{feed} // 1;
    my $store = delete $options{store} // '';
    my $http  = delete $options{http} // '';

    # the way out of each worker's own listening socket is a keepalive
    # connection, and with reuseport there soon is one to each worker

    my $self = $class->SUPER::new(
        workers => 2,
        listen  => ' reuseport',
        server  => '',
        %options,
        store   => $store,
        url     => $url,
        extra   => $http,
        more    => $options{server} // '',
        asking  => {},
        http    => '',
        registry => temp_dir() . '/registry' . $count++,
    );

    $self->wait_live(1) if $feed;

    return $self;
}


# NpmToken::Nginx writes what it has in "http" and "server"

sub config {
    my ($self, %options) = @_;

    @$self{ keys %options } = values %options;

    $self->{http} = <<"_EOC_";
    npmtoken_store main {
        redis $self->{url};
        $self->{store}
    }

    keepalive_timeout 600s;
    keepalive_requests 10000000;

    $self->{extra}

    upstream registry {
        server unix:$self->{registry};
    }

    server {
        listen unix:$self->{registry};
        access_log off;

        location / {
            return 200;
        }
    }
_EOC_

    $self->{server} = <<"_EOC_";
        add_header X-Cache \$npmtoken_cache always;
        add_header X-User \$npmtoken_user always;
        add_header X-Pid \$pid always;

        location / {
            npmtoken main;
            proxy_pass http://registry/;
        }

        location /anonymous {
            npmtoken main;
            npmtoken_anonymous read;
            proxy_pass http://registry/;
        }

        location = /-/pid {
            return 200;
        }

        $self->{more}
_EOC_

    $self->SUPER::config;
}


sub start {
    my ($self, @args) = @_;

    unlink $self->{registry};

    return $self->SUPER::start(@args);
}


# a connection to this worker, or to any

sub _connection {
    my ($self, $worker) = @_;

    my $asking = $self->{asking};

    for my $pid (defined $worker ? $worker : sort keys %$asking) {
        while (my $connection = shift @{ $asking->{$pid} }) {

            # nothing can be read there unless nginx has closed it
            return $connection
                if !IO::Select->new($connection)->can_read(0);
        }
    }

    for (1 .. 1000) {
        my $connection = $self->connect;

        print $connection request_text('GET', '/-/pid',
                                       { Connection => 'keep-alive' });

        # that of a worker which is stopped waits in vain
        my $response = eval { read_response($connection, 'GET', 0.5) }
            // next;

        my $pid = $response->{headers}{'x-pid'};

        return $connection if !defined $worker || $pid == $worker;

        push @{ $asking->{$pid} }, $connection;
    }

    croak "cannot get a connection to worker $worker";
}


sub send_ask {
    my ($self, $token, %options) = @_;

    my $method = $options{method} // 'GET';
    my $connection = $self->_connection($options{worker});

    my %headers = (Connection => 'keep-alive');

    $headers{Authorization} = "Bearer $token" if defined $token;

    print $connection request_text($method, $options{uri} // '/pkg',
                                   \%headers);

    return { connection => $connection, method => $method,
             timeout => $options{timeout} };
}


sub ask_response {
    my ($self, $asked) = @_;

    my $connection = $asked->{connection};

    my $response = read_response($connection, $asked->{method},
                                 $asked->{timeout})
        or croak 'nginx closed the connection';

    if (($response->{headers}{connection} // '') ne 'close') {
        push @{ $self->{asking}{ $response->{headers}{'x-pid'} } },
            $connection;
    }

    return $response;
}


sub ask_result {
    my ($self, $asked) = @_;

    my $response = $self->ask_response($asked);

    return join ' ', $response->{status},
        grep { length } $response->{headers}{'x-cache'} // '';
}


sub ask {
    my ($self, @args) = @_;

    return $self->ask_result($self->send_ask(@args));
}


sub ask_all {
    my ($self, $token, %options) = @_;

    return map { $self->ask($token, %options, worker => $_) } $self->workers;
}


# a worker has its name a moment after it was started

sub workers {
    my $self = shift;

    my @pids;

    wait_for {
        @pids = sort { $a <=> $b } $self->worker_pids;
        @pids == $self->{workers};
    } 'all workers';

    return @pids;
}


# workers of this configuration only

sub worker_pids {
    my $self = shift;

    my @pids = $self->SUPER::worker_pids;

    return @pids if $self->{old_too};

    return grep {
        read_file("/proc/$_/cmdline") !~ /shutting down/
    } @pids;
}


sub reload {
    my ($self, @args) = @_;

    local $self->{old_too} = 1;

    $self->SUPER::reload(@args);

    delete @{ $self->{asking} }{ keys %{ $self->{asking} } };
}


sub cache {
    my ($self, $token, %options) = @_;

    return wait_for {
        my $result = $self->ask($token, %options);

        $result =~ / hit\z/ ? $result : undef;
    } 'a hit';
}


# The feed tells changes in their order, so when the last one has been heard,
# all have.

sub sync {
    my ($self, @options) = @_;

    my @change = ('HSET', $self->{redis}->record_name('npm_sync'), 'x_n', 1);

    $self->{redis}->command(@change);
    $self->cache('npm_sync', @options);
    $self->{redis}->command(@change);

    wait_for {
        $self->ask('npm_sync', @options) eq "200 miss";
    } 'a change on the feed';
}


sub lives {
    my ($self, $token, $bound, $what, %options) = @_;

    my $start = time;
    my $none = delete $options{none};
    my ($hits, $late) = (0, 0);

    for ( ;; ) {
        my $began = time;
        my $result = $self->ask($token, %options);

        if ($result =~ / hit\z/) {
            $hits++;

            if ($began - $start > $bound) {
                $late++;
                last if $late > 10;
            }

        } else {
            my $ms = int(1000 * ($began - $start));

            Test::More::is($late, 0, "$what: no hit after the bound");
            Test::More::ok($hits || $none,
                           "$what: $hits hits within it, $ms ms");

            return $result;
        }

        sleep 0.005;
    }

    Test::More::fail("$what: hits go on after the bound");

    return '';
}


sub live {
    my $self = shift;

    return scalar(() = $self->error_log =~ /: the feed is live, epoch /g);
}


sub wait_live {
    my ($self, $n) = @_;

    return wait_for { $self->live >= $n } "epoch number $n", 30;
}


sub renewed {
    my ($self, $code) = @_;

    my $live = $self->live;

    $code->();

    return $self->wait_live($live + 1);
}


# the worker that has the other end of Redis's socket, by what it logged

sub owner {
    my $self = shift;

    my ($pid) = $self->error_log
        =~ /.*^\S+ \S+ \[notice\] (\d+)#\d+: [^\n]*: the feed is live/ms;

    return $pid;
}


sub calls {
    my ($redis, $command) = @_;

    my ($calls) = $redis->command('INFO', 'commandstats')
        =~ /^cmdstat_\Q$command\E:calls=(\d+)/m;

    return $calls // 0;
}


sub clients {
    my ($redis, $name) = @_;

    return grep { $_->{name} eq $name } map {
        +{ map { /\A([^=]+)=(.*)\z/s } split / / }
    } split /\n/, $redis->command('CLIENT', 'LIST');
}


sub quickly (&$) {
    my ($code, $what) = @_;

    my $start = time;
    my $value = eval { wait_for { $code->() } $what, 20 };
    my $error = $@;

    my $ms = int(1000 * (time - $start) + 0.5);

    Test::More::ok($value, "$what ($ms ms)") or Test::More::diag($error);

    return $value;
}


1;
