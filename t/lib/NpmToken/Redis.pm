package NpmToken::Redis;

# A redis-server of this test alone, and a small client.
#
#     my $redis = NpmToken::Redis->new;       # started, and answers
#
#     $redis->socket                          # path of its unix socket
#     $redis->port                            # on 127.0.0.1 and ::1
#     $redis->pid
#     $redis->log                             # what it logged
#
#     $redis->command('HSET', $key, 'user', 'alice');
#     $redis->put_token('npm_secret', user => 'alice', readonly => 'true');
#     $redis->del_token('npm_secret');
#     $redis->flush;
#
#     $redis->stop;                           # also: $redis->stop('KILL')
#     $redis->start;                          # same port and socket, empty
#     $redis->restart;
#     $redis->pause; $redis->resume;          # SIGSTOP, SIGCONT
#
# new() takes more lines of redis.conf:  config => "requirepass secret\n"
# and what the client is to say first:   auth => ['secret']
# and whether it is a node of a cluster: cluster => 1
# and that its port is for TLS, by an NpmToken::Tls:  tls => $tls
# and words that start it elsewhere:     before => ['nsenter', ...]

use strict;
use warnings;

use Carp qw( croak );
use IO::Socket::UNIX;

use NpmToken::Util qw(
    free_port read_file spawn stop_process temp_dir token_key wait_for
    write_file
);

my $count = 0;


sub new {
    my ($class, %options) = @_;

    my $name = temp_dir() . '/redis' . $count++;

    my $self = bless {
        dir    => $name,
        socket => "$name/s",
        port   => free_port(),
        prefix => 'npmtoken:token:',
        config => '',
        before => [],
        arguments => [],
        %options,
    }, $class;

    # by itself it would be one of those of outgoing connections

    $self->{config} .= "cluster-enabled yes\ncluster-port " . free_port()
        . "\n" if $self->{cluster};

    mkdir $name or croak "cannot make $name: $!";

    return $self->start;
}


sub socket { return $_[0]{socket} }
sub port   { return $_[0]{port} }
sub pid    { return $_[0]{pid} }
sub log    { return read_file("$_[0]{dir}/log") }


sub start {
    my $self = shift;

    croak 'redis-server runs already' if $self->{pid};

    unlink $self->{socket};

    $self->configure;

    $self->{pid} = spawn "$self->{dir}/log", @{ $self->{before} },
        'redis-server', "$self->{dir}/conf", @{ $self->{arguments} };

    eval {
        wait_for { eval { $self->command('PING') } } 'redis-server';
        1;
    } or croak "redis-server does not answer:\n" . $self->log;

    return $self;
}


# the lines about its port, and how it reaches others

sub listening {
    my $self = shift;

    return "port $self->{port}" if !$self->{tls};

    return "port 0\n" . $self->{tls}->redis($self->{port})
        . "tls-replication yes\n";
}


# what a server of its own kind has in redis.conf

sub configure {
    my $self = shift;

    my $port = $self->listening;

    write_file("$self->{dir}/conf", <<_EOC_);
bind 127.0.0.1 -::1
$port
unixsocket $self->{socket}
unixsocketperm 777
dir $self->{dir}
save ""
appendonly no
daemonize no
enable-debug-command local
$self->{config}
_EOC_
}


sub stop {
    my ($self, $signal) = @_;

    delete $self->{connection};
    stop_process(delete $self->{pid}, $signal) if $self->{pid};
}


sub restart {
    my $self = shift;

    $self->stop(@_);

    return $self->start;
}


sub pause  { kill 'STOP', $_[0]{pid} }
sub resume { kill 'CONT', $_[0]{pid} }

# the client's own connection, where redis is to close idle ones
sub disconnect { delete $_[0]{connection} }


# Returns the reply: a string, an integer, undef for nil, a reference to an
# array.  Dies of an error.

sub command {
    my ($self, @args) = @_;

    # one that sentinels close when they like is not kept
    delete $self->{connection} if $self->{fresh};

    my $connection = $self->_connection;

    _send($connection, @args);

    my $reply = eval { _reply($connection) };

    if (my $error = $@) {
        delete $self->{connection} if $error !~ /^redis: /;
        croak $error;
    }

    return $reply;
}


sub _connection {
    my $self = shift;

    # a child has no business with its parent's connection
    if (!$self->{connection} || $self->{connection_pid} != $$) {
        my $connection = IO::Socket::UNIX->new(Peer => $self->{socket})
            or croak "cannot connect to $self->{socket}: $!";

        if ($self->{auth}) {
            _send($connection, 'AUTH', @{ $self->{auth} });
            _reply($connection);
        }

        $self->{connection} = $connection;
        $self->{connection_pid} = $$;
    }

    return $self->{connection};
}


sub _send {
    my ($connection, @args) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $data = '*' . @args . "\r\n";
    $data .= '$' . length($_) . "\r\n$_\r\n" for @args;

    $connection->print($data) && $connection->flush
        or croak "cannot write to redis: $!";
}


sub _reply {
    my $connection = shift;

    my $line = do { local $/ = "\r\n"; <$connection> };

    defined $line or croak 'redis closed the connection';

    my ($type, $rest) = $line =~ /\A(.)(.*)\r\n\z/s
        or croak "bad reply: $line";

    return $rest if $type eq '+' || $type eq ':';

    die "redis: $rest\n" if $type eq '-';

    if ($type eq '$') {
        return undef if $rest < 0;

        read($connection, my $data, $rest + 2) // 0;

        return substr $data, 0, $rest;
    }

    if ($type eq '*') {
        return undef if $rest < 0;

        return [ map { _reply($connection) } 1 .. $rest ];
    }

    croak "bad reply: $line";
}


sub record_name {
    my ($self, $token) = @_;

    return $self->{prefix} . token_key($token);
}


# one command, as everybody who writes a record should: one made by two would
# for a moment be a wider one

sub put_token {
    my ($self, $token, @fields) = @_;

    my $name = $self->record_name($token);

    @fields = (x_test => 1) if !@fields;

    $self->command('DEL', $name);
    $self->command('HSET', $name, @fields);
}


sub del_token {
    my ($self, $token) = @_;

    return $self->command('DEL', $self->record_name($token));
}


sub flush { return $_[0]->command('FLUSHALL') }


1;
