package NpmToken::Relay;

# What may stand between nginx and Redis: a relay that forgets connections as
# balancers and NAT do, or a real balancer.  Each ends with the test.
#
#     my $relay = NpmToken::Relay->new(to => $redis->port);
#     my $relay = NpmToken::Relay->new(to => $redis->port, delay => 0.2);
#     my $relay = NpmToken::Relay->new(to => $redis->port, small => 1);
#                         # takes little that it has not passed on
#
#     $relay->port;
#     $relay->forget;     # connections that there are swallow all from now on;
#                         # both ends stay open
#     $relay->reset;      # ... are reset; returns how many there were
#     $relay->count;      # how many have been made
#     $relay->pause; $relay->resume;
#
#     my $port = haproxy($redis->port, ...);          # in turn
#     my $port = twemproxy($redis->port);

use strict;
use warnings;

use parent 'NpmToken::Server';

use Errno qw( EAGAIN EINTR );
use Exporter qw( import );
use IO::Select;
use IO::Socket::INET;
use Socket qw( IPPROTO_TCP SOL_SOCKET SO_LINGER SO_RCVBUF TCP_MAXSEG );
use Time::HiRes qw( time );

use NpmToken::Util qw( free_port read_file spawn temp_dir wait_for
                       write_file );

our @EXPORT_OK = qw( haproxy twemproxy );

my $count = 0;


sub new {
    my ($class, %options) = @_;

    my $base = temp_dir() . '/relay' . $count++;

    return $class->_start('tcp', sub { _run(@_, %options) }, base => $base);
}


sub forget { return $_[0]->_tell('USR1') }
sub reset  { return $_[0]->_tell('USR2') }

sub pause  { kill 'STOP', $_[0]{pid} }
sub resume { kill 'CONT', $_[0]{pid} }

sub count {
    return scalar(() = read_file("$_[0]{base}.made") =~ /\n/g);
}


# returns when it is done, how many connections it was done to

sub _tell {
    my ($self, $signal) = @_;

    my $before = length read_file("$self->{base}.done");

    kill $signal, $self->{pid};

    my $line = wait_for {
        substr read_file("$self->{base}.done"), $before;
    } "the relay's answer to $signal";

    return $line + 0;
}


sub _note {
    my ($name, $text) = @_;

    open my $log, '>>', $name or die;
    syswrite $log, "$text\n";
    close $log;
}


sub _run {
    my ($listen, $self, %options) = @_;

    my $select = IO::Select->new($listen);
    my $delay = $options{delay} // 0;

    # the other side's buffer grows with the size of a segment

    if ($options{small}) {
        setsockopt $listen, SOL_SOCKET, SO_RCVBUF, 4096;
        setsockopt $listen, IPPROTO_TCP, TCP_MAXSEG, 536;
    }

    my (%peer, %forgotten, @late, @signals);

    $SIG{USR1} = sub { push @signals, 'forget' };
    $SIG{USR2} = sub { push @signals, 'reset' };

    my $end = sub {
        for my $socket (grep { defined } $_[0], delete $peer{$_[0]}) {
            $select->remove($socket);
            delete @$_{$socket} for \%peer, \%forgotten;
            setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
                if $_[1];
            close $socket;
        }
    };

    for ( ;; ) {
        while (my $signal = shift @signals) {
            my %all = map { $_ => $_ } values %peer;

            $forgotten{$_} = 1 for $signal eq 'forget' ? keys %all : ();

            if ($signal eq 'reset') {
                for my $socket (values %all) {
                    $end->($socket, 1) if $peer{$socket};
                }
            }

            _note("$self->{base}.done", keys(%all) / 2);
        }

        while (@late && $late[0][0] <= time) {
            my (undef, $socket, $data) = @{ shift @late };

            if (!defined fileno $socket) {
                next;
            }

            defined $data ? syswrite $socket, $data : $end->($socket);
        }

        for my $socket ($select->can_read(@late ? 0.01 : 0.2)) {
            if ($socket == $listen) {
                my $new = $listen->accept or next;
                my $to = IO::Socket::INET->new(
                    PeerAddr => "127.0.0.1:$options{to}");

                if (!$to) {
                    close $new;
                    next;
                }

                $peer{$new} = $to;
                $peer{$to} = $new;
                $select->add($new, $to);
                _note("$self->{base}.made", 'one');
                next;
            }

            next if !$peer{$socket};

            my $got = sysread $socket, my $data, 65536;

            next if !defined $got && ($! == EAGAIN || $! == EINTR);

            if ($forgotten{$socket}) {
                $select->remove($socket) if !$got;
                next;
            }

            # with a delay, what was said before the end comes before it

            if (!$got && $delay) {
                $select->remove($socket);
                push @late, [ time + $delay, $peer{$socket} ];

            } elsif (!$got) {
                $end->($socket);

            } elsif ($delay) {
                push @late, [ time + $delay, $peer{$socket}, $data ];

            } else {
                syswrite $peer{$socket}, $data;
            }
        }
    }
}


sub _listens {
    my ($port, $log) = @_;

    eval {
        wait_for {
            IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
        } 'the proxy';
        1;
    } or die "the proxy does not listen:\n" . read_file($log);

    return $port;
}


sub haproxy {
    my @to = @_;

    my $port = free_port();
    my $base = temp_dir() . '/haproxy' . $count++;

    write_file("$base.cfg", <<"_EOC_" . join '',
defaults
  mode tcp
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:$port
  default_backend b
backend b
  balance roundrobin
_EOC_
        map { "  server s$_ 127.0.0.1:$to[$_]\n" } 0 .. $#to);

    spawn "$base.log", 'haproxy', '-db', '-f', "$base.cfg";

    return _listens($port, "$base.log");
}


sub twemproxy {
    my $to = shift;

    my $port = free_port();
    my $stats = free_port();
    my $base = temp_dir() . '/twemproxy' . $count++;

    write_file("$base.yml", <<"_EOC_");
main:
  listen: 127.0.0.1:$port
  hash: fnv1a_64
  distribution: ketama
  redis: true
  servers:
    - 127.0.0.1:$to:1 one
_EOC_

    spawn "$base.log", 'nutcracker', '-c', "$base.yml", '-s', $stats,
        '-a', '127.0.0.1', '-p', "$base.pid", '-o', "$base.out";

    return _listens($port, "$base.log");
}


1;
