package NpmToken::Server;

# Small servers on the loopback interface that are not what they should be: a
# Redis that answers what the test says, and a name server.  Each is a child
# that ends with the test.
#
#     my $fake = NpmToken::Server->redis(sub {
#         my ($client, @command) = @_;      # $client->{n}: 1 for the first
#                                           # connection
#         return "+OK\r\n";                 # a reply; a reference to a list
#                                           # is sent part by part, a moment
#                                           # between them; undef: close
#     });
#
#     my $dns = NpmToken::Server->dns;
#     $dns->names('redis.test' => ['127.0.0.2', '127.0.0.1']);
#     $dns->queries;                        # how many there were
#
#     $server->port; $server->stop;
#
# NpmToken::Server::greeting(@command) is what a good Redis says to the words
# that come first, or undef.

use strict;
use warnings;

use Carp qw( croak );
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw( IPPROTO_TCP TCP_NODELAY );
use Time::HiRes qw( sleep );

use NpmToken::Util qw( at_exit free_port read_file temp_dir wait_for
                       write_file );

my $count = 0;
my @running;


sub _start {
    my ($class, $protocol, $code, %more) = @_;

    my $port = free_port();

    my $listen = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Proto     => $protocol,
        ReuseAddr => 1,
        $protocol eq 'tcp' ? (Listen => 511) : (),
    ) or croak "cannot listen on port $port: $!";

    my $self = bless { port => $port, %more }, $class;

    my $parent = $$;

    $self->{pid} = fork // croak "cannot fork: $!";

    if ($self->{pid} == 0) {
        $SIG{TERM} = $SIG{INT} = 'DEFAULT';
        $SIG{PIPE} = 'IGNORE';

        # not even when the test is killed does it stay
        $SIG{ALRM} = sub { POSIX::_exit(0) if getppid != $parent; alarm 1 };
        alarm 1;

        eval { $code->($listen, $self); 1 } or warn $@;
        POSIX::_exit(1);
    }

    push @running, $self;

    return $self;
}


sub port { return $_[0]{port} }


sub stop {
    my $self = shift;

    my $pid = delete $self->{pid} or return;

    local $?;

    kill 'TERM', $pid;
    waitpid $pid, 0;
}


sub redis {
    my ($class, $answer) = @_;

    return $class->_start('tcp', sub {
        my $listen = shift;

        my $select = IO::Select->new($listen);
        my %clients;
        my $n = 0;

        for ( ;; ) {
            for my $socket ($select->can_read(1)) {
                if ($socket == $listen) {
                    my $new = $listen->accept or next;

                    # two replies to two commands would be 40 ms apart
                    setsockopt $new, IPPROTO_TCP, TCP_NODELAY, 1;

                    $select->add($new);
                    $clients{$new} = { n => ++$n, socket => $new,
                                       data => '' };
                    next;
                }

                my $client = $clients{$socket};
                my $got = sysread $socket, $client->{data}, 65536,
                    length $client->{data};

                if (!$got || !_serve($client, $answer)) {
                    $select->remove($socket);
                    delete $clients{$socket};
                    close $socket;
                }
            }
        }
    });
}


# false if the connection is to be closed

sub _serve {
    my ($client, $answer) = @_;

    while (my @command = _command($client)) {
        my $reply = $answer->($client, @command);

        return 0 if !defined $reply;

        my @parts = ref $reply ? @$reply : ($reply);

        while (defined(my $part = shift @parts)) {
            my $sent = 0;

            while ($sent < length $part) {
                $sent += syswrite($client->{socket}, $part, 65536, $sent)
                    // return 0;
            }

            sleep 0.002 if @parts;
        }

        # a list that ends with undef closes behind what was sent
        return 0 if ref $reply && !defined $reply->[-1];
    }

    return 1;
}


sub _command {
    my $client = shift;

    $client->{data} =~ /\A\*(\d+)\r\n/ or return;

    my ($argc, $pos) = ($1, $+[0]);
    my @args;

    for (1 .. $argc) {
        substr($client->{data}, $pos) =~ /\A\$(\d+)\r\n/ or return;

        my ($size, $head) = ($1, $+[0]);

        return if length $client->{data} < $pos + $head + $size + 2;

        push @args, substr $client->{data}, $pos + $head, $size;
        $pos += $head + $size + 2;
    }

    substr($client->{data}, 0, $pos) = '';

    return @args;
}


sub bulk { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }


sub greeting {
    my ($name, @args) = @_;

    return "+OK\r\n" if $name =~ /\A(?:AUTH|SELECT|CLIENT)\z/;

    return "*3\r\n\$6\r\nmaster\r\n:0\r\n*0\r\n" if $name eq 'ROLE';

    return bulk("# Server\r\nrun_id:" . '0f' x 20 . "\r\n")
        if $name eq 'INFO';

    return undef;
}


sub dns {
    my $class = shift;

    my $base = temp_dir() . '/dns' . $count++;

    return $class->_start('udp', sub {
        my ($socket, $self) = @_;

        for ( ;; ) {
            # the alarm interrupts it
            defined $socket->recv(my $query, 4096) or next;

            open my $log, '>>', "$self->{base}.log" or die;
            print $log "query\n";
            close $log;

            my $names = read_file("$self->{base}.names");

            $socket->send(_dns_answer($query, $names));
        }
    }, base => $base);
}


sub names {
    my ($self, %names) = @_;

    write_file("$self->{base}.names.new", join '',
        map { "$_ @{ $names{$_} }\n" } keys %names);
    rename "$self->{base}.names.new", "$self->{base}.names";
}


sub queries {
    my $self = shift;

    return scalar(() = read_file("$self->{base}.log") =~ /\n/g);
}


# A records with a TTL of one second, no others; NXDOMAIN for other names

sub _dns_answer {
    my ($query, $names) = @_;

    my ($id) = unpack 'n', $query;
    my $pos = 12;
    my @labels;

    while (my $n = ord substr $query, $pos, 1) {
        push @labels, substr $query, $pos + 1, $n;
        $pos += 1 + $n;
    }

    my $question = substr $query, 12, $pos + 5 - 12;
    my ($type) = unpack 'n', substr $query, $pos + 1, 2;
    my $name = join '.', @labels;

    my ($found) = $names =~ /^\Q$name\E (.*)$/m;
    my @addresses = defined $found && $type == 1 ? split ' ', $found : ();

    my $answer = pack 'nnnnnn', $id, defined $found ? 0x8180 : 0x8183, 1,
        scalar @addresses, 0, 0;

    $answer .= $question;
    $answer .= pack 'nnnNnC4', 0xc00c, 1, 1, 1, 4, split /\./ for @addresses;

    return $answer;
}


at_exit {
    $_->stop for @running;
};


1;
