package NpmToken::Registry;

# A registry on a unix socket that answers with what it got, line by line as
# it came, and that opens tunnels.
#
#     my $registry = NpmToken::Registry->new;
#
#     $registry->socket;                # "unix:PATH", for proxy_pass and server
#     $registry->got('/path');          # the last request for that path, as a
#                                       # text: lines that end with "\n"
#     $registry->count('/path');        # how many there were
#
# A request for a path with "tunnel" in it, if it has an Upgrade, or with
# "unasked" in it in any case, is answered by 101; what comes then on the
# connection is answered with "tunnel: " before it.

use strict;
use warnings;

use IO::Socket::UNIX;

use NpmToken::Util qw( read_file spawn temp_dir wait_for );

my $count = 0;

my $program = <<'_EOT_';
    use IO::Select;

    my ($path, $log) = @ARGV;

    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 64)
        or die "listen: $!";

    chmod 0777, $path;
    $SIG{CHLD} = 'IGNORE';

    while (my $client = $listen->accept) {
        fork and next;

        my ($head, $length) = (scalar <$client> // exit, 0);

        while (<$client>) {
            last if !/[^\r\n]/;
            $length = $1 if /^Content-Length: (\d+)/i;
            $head .= $_;
        }

        read $client, my $body, $length if $length;

        $head =~ s/\r//g;

        # one write, or those of two would mix
        open my $file, '>>', $log;
        syswrite $file, "$head\n";

        if ($head =~ m{\A\S+ \S*unasked}
            || ($head =~ m{\A\S+ \S*tunnel} && $head =~ /^Upgrade: (\S+)/mi))
        {
            print $client "HTTP/1.1 101 Switching Protocols\r\n",
                "Connection: upgrade\r\nUpgrade: ", $1 // 'x', "\r\n\r\n";
            $client->flush;

            # who is to say something has been told to; else nobody does
            if (IO::Select->new($client)->can_read(1)
                && sysread $client, my $data, 4096)
            {
                print $client "tunnel: $data";
            }

            exit;
        }

        print $client "HTTP/1.1 200 OK\r\nX-Registry: yes\r\n",
            "Connection: close\r\n",
            'Content-Length: ', length $head, "\r\n\r\n",
            $head =~ /\AHEAD/ ? '' : $head;
        $client->flush;
        exit;
    }
_EOT_


sub new {
    my $class = shift;

    my $path = temp_dir() . '/shows' . $count++;

    my $self = bless { path => $path, log => "$path.log" }, $class;

    spawn("$path.err", $^X, '-MIO::Socket::UNIX', '-e', $program, $path,
          $self->{log});

    wait_for { IO::Socket::UNIX->new(Peer => $path) } 'the registry';

    return $self;
}


sub socket { return "unix:$_[0]{path}" }


sub _requests {
    my ($self, $path) = @_;

    return grep { /\A\S+ \Q$path\E[? ]/ }
        split /\n\n/, -e $self->{log} ? read_file($self->{log}) : '';
}


sub got {
    my @requests = _requests(@_);

    return @requests ? "$requests[-1]\n" : undef;
}


sub count { return scalar(my @requests = _requests(@_)) }


1;
