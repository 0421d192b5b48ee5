package NpmToken::HTTP1;

# One HTTP/1 connection, for several requests on it, pipelined ones, and
# bodies that are sent late or never.
#
#     my $c = NpmToken::HTTP1->new($nginx->port);
#
#     $c->write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
#     $c->request('PUT', '/pkg', { Authorization => 'Bearer x' }, 'body');
#
#     my $r = $c->response;             # of GET; undef at the end of file
#     my $r = $c->response('HEAD');
#     $r->{status}; $r->{headers}{'npm-notice'}; $r->{body};
#
#     $c->unread;                       # true if something has come
#     $c->eof;                          # waits until the server has closed
#     $c->rest;                         # all that comes until then
#     $c->close; $c->reset;             # with FIN, with RST
#
# Everything that waits dies after ten seconds.

use strict;
use warnings;

use Carp qw( croak );
use IO::Select;
use IO::Socket::INET;
use Socket qw( SOL_SOCKET SO_LINGER );
use Time::HiRes qw( time );


sub new {
    my ($class, $port) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port,
    ) or croak "cannot connect to port $port: $!";

    return bless { socket => $socket, data => '' }, $class;
}


sub write {
    my ($self, $text) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $text) {
        my $n = syswrite($self->{socket}, $text) // return 0;

        substr($text, 0, $n) = '';
    }

    return 1;
}


sub request {
    my ($self, $method, $uri, $headers, $body) = @_;

    my %headers = (Host => 'localhost', %{ $headers // {} });

    $headers{'Content-Length'} //= length $body if defined $body;

    return $self->write(join "\r\n", "$method $uri HTTP/1.1",
        (map { "$_: $headers{$_}" } sort keys %headers), '', $body // '');
}


# false at the end of file

sub _more {
    my ($self, $end) = @_;

    # a signal interrupts it

    until (IO::Select->new($self->{socket})->can_read($end - time)) {
        croak "timed out reading, got \"$self->{data}\"" if time > $end;
    }

    return sysread $self->{socket}, $self->{data}, 65536,
        length $self->{data};
}


sub response {
    my ($self, $method, $timeout) = @_;

    my $end = time + ($timeout // 60);

    while ($self->{data} !~ /\r\n\r\n/) {
        $self->_more($end) or return undef;
    }

    $self->{data} =~ s/\A(.*?)\r\n\r\n//s;

    my ($line, @lines) = split /\r\n/, $1;
    my %headers;

    for (@lines) {
        my ($name, $value) = /\A([^:]+):\s*(.*)\z/s;

        push @{ $headers{lc $name} }, $value;
    }

    $_ = join ', ', @$_ for values %headers;

    my ($status) = $line =~ m{\AHTTP/\S+ (\d+)};
    my $body = '';

    if ($status >= 200 && $status != 204 && $status != 304
        && ($method // 'GET') ne 'HEAD')
    {
        $body = $self->_body(\%headers, $end);
    }

    return { status => $status, headers => \%headers, body => $body };
}


sub _body {
    my ($self, $headers, $end) = @_;

    my $length = $headers->{'content-length'};

    if (defined $length) {
        while (length $self->{data} < $length) {
            $self->_more($end) or croak 'the body is cut short';
        }

        return substr $self->{data}, 0, $length, '';
    }

    if (($headers->{'transfer-encoding'} // '') ne 'chunked') {
        1 while $self->_more($end);

        return delete $self->{data};
    }

    my $body = '';

    for ( ;; ) {
        if ($self->{data} =~ /\A([0-9a-fA-F]+)\r\n/
            && length $self->{data} >= $+[0] + hex($1) + 2)
        {
            my $size = hex $1;

            $body .= substr $self->{data}, $+[0], $size;
            substr($self->{data}, 0, $+[0] + $size + 2) = '';

            return $body if !$size;
            next;
        }

        $self->_more($end) or croak 'the body is cut short';
    }
}


sub unread {
    my $self = shift;

    return length $self->{data}
        || IO::Select->new($self->{socket})->can_read(0);
}


sub eof {
    my $self = shift;

    my $end = time + 60;

    1 while $self->_more($end);

    return 1;
}


sub rest {
    my $self = shift;

    $self->eof;

    return $self->{data};
}


sub close {
    my $self = shift;

    CORE::close delete $self->{socket};
}


sub reset {
    my $self = shift;

    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);

    CORE::close delete $self->{socket};
}


1;
