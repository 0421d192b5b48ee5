package NpmToken::HTTP2;

# One HTTP/2 connection without TLS, with control over single streams, which
# curl does not give.  Headers are sent as plain literals; of those received
# only the status is read, which nginx sends first and without Huffman code.
#
#     my $c = NpmToken::HTTP2->new($port);
#
#     my $id = $c->request('GET', '/pkg', { authorization => 'Bearer x' });
#     my $id = $c->request('PUT', '/pkg', { ... }, 'body');
#     my $id = $c->request('PUT', '/pkg', { ... }, undef, 1);  # body follows
#     $c->data($id, 'part'); $c->data($id, 'last', 1);
#
#     my $r = $c->response($id);        # dies after ten seconds
#     $r->{status}; $r->{body}; $r->{reset};
#
#     $c->cancel($id);                  # RST_STREAM
#     $c->ping;                         # all before it has been processed
#     $c->close;

use strict;
use warnings;

use Carp qw( croak );
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw( time );

use constant {
    DATA          => 0,
    HEADERS       => 1,
    RST_STREAM    => 3,
    SETTINGS      => 4,
    PING          => 6,
    GOAWAY        => 7,
    WINDOW_UPDATE => 8,

    END_STREAM    => 1,
    ACK           => 1,
    END_HEADERS   => 4,

    CANCEL        => 8,
};

# of HPACK's static table
my %status = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
              14 => 500);


sub new {
    my ($class, $port) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port,
    ) or croak "cannot connect to port $port: $!";

    my $self = bless {
        socket  => $socket,
        data    => '',
        next_id => 1,
        streams => {},
        window  => 65535,
        initial => 65535,
        pongs   => 0,
    }, $class;

    $self->_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->_frame(SETTINGS, 0, 0, '');

    # what is sent before that may count against other limits
    $self->_until(sub { $self->{settings} }, 'SETTINGS');

    return $self;
}


sub _write {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite($self->{socket}, $bytes)
            // croak "cannot write: $!";

        substr($bytes, 0, $n) = '';
    }
}


sub _frame {
    my ($self, $type, $flags, $id, $payload) = @_;

    $self->_write(substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $id) . $payload);
}


sub _string {
    my $string = shift;

    my $n = length $string;

    return chr($n) . $string if $n < 127;

    my $prefix = chr 127;

    for ($n -= 127; $n >= 128; $n >>= 7) {
        $prefix .= chr(128 | $n & 127);
    }

    return $prefix . chr($n) . $string;
}


sub request {
    my ($self, $method, $path, $headers, $body, $more) = @_;

    my $id = $self->{next_id};

    $self->{next_id} += 2;
    $self->{streams}{$id} = { window => $self->{initial}, body => '' };

    my @headers = (':method', $method, ':scheme', 'http', ':path', $path,
                   ':authority', 'localhost', %{ $headers // {} });
    my $block = '';

    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= "\0" . _string(lc $name) . _string($value);
    }

    my $end = defined $body || $more ? 0 : END_STREAM;

    $self->_frame(HEADERS, END_HEADERS | $end, $id, $block);
    $self->data($id, $body, 1) if defined $body;

    return $id;
}


# waits for room in the windows; stops when the stream has been answered

sub data {
    my ($self, $id, $bytes, $last) = @_;

    my $stream = $self->{streams}{$id};

    do {
        $self->_until(sub {
            $stream->{done} || !length $bytes
                || ($stream->{window} > 0 && $self->{window} > 0)
        }, 'a window');

        return if $stream->{done};

        my $n = length $bytes;

        for ($stream->{window}, $self->{window}, 16384) {
            $n = $_ if $n > $_;
        }

        my $part = substr $bytes, 0, $n, '';

        $stream->{window} -= $n;
        $self->{window} -= $n;

        $self->_frame(DATA, $last && !length $bytes ? END_STREAM : 0, $id,
                      $part);
    } while (length $bytes);
}


sub cancel {
    my ($self, $id) = @_;

    $self->_frame(RST_STREAM, 0, $id, pack 'N', CANCEL);
}


sub ping {
    my $self = shift;

    my $pongs = $self->{pongs};

    $self->_frame(PING, 0, 0, 'npmtoken');
    $self->_until(sub { $self->{pongs} > $pongs }, 'the reply to a PING');
}


sub response {
    my ($self, $id, $timeout) = @_;

    my $stream = $self->{streams}{$id};

    $self->_until(sub { $stream->{done} }, "the response on stream $id",
                  $timeout);

    return $stream;
}


sub done { return $_[0]{streams}{ $_[1] }{done} }

sub close { CORE::close delete $_[0]{socket} }


sub _until {
    my ($self, $condition, $what, $timeout) = @_;

    my $end = time + ($timeout // 10);

    while (!$condition->()) {
        # a signal interrupts it

        until (IO::Select->new($self->{socket})->can_read($end - time)) {
            croak "timed out waiting for $what" if time > $end;
        }

        sysread $self->{socket}, $self->{data}, 65536, length $self->{data}
            or croak "nginx closed, when waiting for $what";

        while (length $self->{data} >= 9) {
            my $size = unpack 'N', "\0" . substr $self->{data}, 0, 3;

            last if length $self->{data} < 9 + $size;

            my ($type, $flags, $id) = unpack 'x3 CCN', $self->{data};

            $self->_received($type, $flags, $id & 0x7fffffff,
                             substr $self->{data}, 9, $size);
            substr($self->{data}, 0, 9 + $size) = '';
        }
    }
}


sub _received {
    my ($self, $type, $flags, $id, $payload) = @_;

    my $stream = $self->{streams}{$id};

    if ($type == SETTINGS && !($flags & ACK)) {
        while ($payload =~ /(..)(....)/sg) {
            $self->{initial} = unpack 'N', $2 if unpack('n', $1) == 4;
        }

        $self->{settings} = 1;
        $self->_frame(SETTINGS, ACK, 0, '');

    } elsif ($type == PING) {
        if ($flags & ACK) {
            $self->{pongs}++;
        } else {
            $self->_frame(PING, ACK, 0, $payload);
        }

    } elsif ($type == WINDOW_UPDATE) {
        my $n = unpack 'N', $payload;

        if ($id == 0) {
            $self->{window} += $n;
        } elsif ($stream) {
            $stream->{window} += $n;
        }

    } elsif ($type == GOAWAY) {
        $self->{goaway} = 1;

    } elsif ($stream) {
        if ($type == HEADERS) {
            $stream->{status} = _status($payload);

        } elsif ($type == DATA) {
            $stream->{body} .= $payload;

            # the connection's window, of what has been read
            $self->_frame(WINDOW_UPDATE, 0, 0, pack 'N', length $payload)
                if length $payload;

        } elsif ($type == RST_STREAM) {
            $stream->{reset} = unpack 'N', $payload;
            $stream->{done} = 1;
        }

        if (($type == HEADERS || $type == DATA) && $flags & END_STREAM) {
            $stream->{done} = 1;
        }
    }
}


sub _status {
    my $block = shift;

    # a change of the table's size
    $block =~ s/\A[\x20-\x3f]//;

    my $first = ord $block;

    return $status{ $first & 0x7f } if $first & 0x80;

    $block =~ /\A.\x03(\d\d\d)/s or croak 'no status in a response';

    return $1;
}


1;
