package NpmToken::Sentinel;

# A master with replicas, and sentinels that watch over them: real ones, on
# loopback, with short times.
#
#     my $set = NpmToken::Sentinel->new;      # 1 master, 2 replicas, 3
#                                             # sentinels; all know each other
#     $set->url;                              # redis-sentinel://.../main
#     $set->url('/1', $sentinel, ...);        # another database, these only
#     $set->master;                           # whom the sentinels name: an
#                                             # NpmToken::Redis
#     $set->replicas;                         # the others
#     $set->servers; $set->sentinels;         # all, NpmToken::Redis
#     $set->failover;                         # a planned one; returns when the
#                                             # sentinels name another
#     $set->wait_for_another($old);           # until they all do
#     $set->settled;                          # until each server is known, and
#                                             # is what it should be
#
# new() takes
#
#     replicas => 2, sentinels => 3
#     config   => '',      # more lines of redis.conf, for each server
#     auth     => [...],   # what NpmToken::Redis says first to a server
#     monitor  => '',      # more lines about "main", without its name, such
#                          # as "auth-pass secret"
#     sentinel => '',      # more lines of sentinel.conf
#     sentinel_auth => [...]
#     after    => 1000,    # down-after-milliseconds
#     tls      => $tls,    # all of them by TLS, with an NpmToken::Tls
#
# A server that is started again is what it was at first.

use strict;
use warnings;

use Carp qw( croak );
use Digest::SHA qw( sha1_hex );

use NpmToken::Redis;
use NpmToken::Util qw( wait_for write_file );


sub new {
    my ($class, %options) = @_;

    my $self = bless {
        replicas      => 2,
        sentinels     => 3,
        config        => '',
        monitor       => '',
        sentinel      => '',
        after         => 1000,
        %options,
    }, $class;

    my @auth = (fresh => 1, tls => $self->{tls},
                $self->{auth} ? (auth => $self->{auth}) : ());

    # a copy is begun at once, not when others may have asked for one, too
    my $config = "repl-diskless-sync-delay 0\n$self->{config}";

    my $master = NpmToken::Redis->new(config => $config, @auth);

    $self->{servers} = [$master, map {
        NpmToken::Redis->new(
            config => $config . 'replicaof 127.0.0.1 ' . $master->port . "\n",
            @auth,
        );
    } 1 .. $self->{replicas}];

    wait_for {
        $master->command(INFO => 'replication')
            =~ /^connected_slaves:$self->{replicas}\b/m;
    } 'the replicas';

    $self->{watching} = [map {
        NpmToken::Sentinel::Server->new(
            set => $self,
            id  => sha1_hex("sentinel $_"),
            tls => $self->{tls},
            arguments => ['--sentinel'],
            $self->{sentinel_auth} ? (auth => $self->{sentinel_auth}) : (),
            waiting => 1,
        );
    } 1 .. $self->{sentinels}];

    # they know each other before they are started, which saves seconds
    $_->start for $self->sentinels;

    $self->settled;

    return $self;
}


sub servers   { return @{ $_[0]{servers} } }
sub sentinels { return @{ $_[0]{watching} } }


sub url {
    my ($self, $rest, @sentinels) = @_;

    @sentinels = $self->sentinels if !@sentinels;

    return ($self->{tls} ? 'redis-sentinel+tls://' : 'redis-sentinel://')
        . join(',', map { '127.0.0.1:' . $_->port } @sentinels)
        . '/main' . ($rest // '');
}


# whom a sentinel names, or undef

sub named_by {
    my ($self, $sentinel) = @_;

    my $answer = eval {
        $sentinel->command(SENTINEL => 'GET-MASTER-ADDR-BY-NAME', 'main');
    } or return undef;

    my ($server) = grep { $_->port == $answer->[1] } $self->servers;

    return $server;
}


sub running_sentinels {
    my $self = shift;

    return grep { $_->pid && !$_->{stopped} } $self->sentinels;
}


sub master {
    my $self = shift;

    for my $sentinel ($self->running_sentinels) {
        return $self->named_by($sentinel) // next;
    }

    croak 'no sentinel names a master';
}


sub replicas {
    my $self = shift;

    my $master = $self->master;

    return grep { $_ != $master } $self->servers;
}


sub wait_for_another {
    my ($self, $old) = @_;

    return wait_for {
        my @named = map { $self->named_by($_) // return undef }
            $self->running_sentinels;

        (grep { $_ == $old || $_ != $named[0] } @named) ? undef : $named[0];
    } 'another master', 30;
}


sub failover {
    my $self = shift;

    my $old = $self->master;
    my ($sentinel) = $self->running_sentinels;

    wait_for {
        eval { $sentinel->command(SENTINEL => FAILOVER => 'main'); 1 };
    } 'a good replica', 20;

    return $self->wait_for_another($old);
}


# Replicas that are connected, and each sentinel knows all others.

sub settled {
    my $self = shift;

    wait_for {
        my $master = $self->master;
        my $others = grep { $_->pid && $_ != $master } $self->servers;

        my $online = () = $master->command(INFO => 'replication')
            =~ /^slave\d+:.*state=online/mg;

        return 0 if $online < $others;

        for my $sentinel ($self->running_sentinels) {
            my %master = @{ $sentinel->command(SENTINEL => MASTER => 'main') };

            return 0 if $master{flags} ne 'master'
                || $master{port} != $master->port
                || $master{'num-slaves'} < $others;

            eval { $sentinel->command(SENTINEL => CKQUORUM => 'main') }
                or return 0;

            for (@{ $sentinel->command(SENTINEL => REPLICAS => 'main') }) {
                my %replica = @$_;
                my ($server) = grep { $_->port == $replica{port} }
                    $self->servers;

                return 0 if $server->pid && !$server->{stopped}
                    && ($replica{flags} ne 'slave'
                        || $replica{'master-link-status'} ne 'ok');
            }
        }

        1;
    } 'the sentinels', 40;

    return $self;
}


package NpmToken::Sentinel::Server;

use strict;
use warnings;

use parent -norequire, 'NpmToken::Redis';

use NpmToken::Util qw( write_file );


# it is started when all of them are known

sub start {
    my $self = shift;

    return delete $self->{waiting} ? $self : $self->SUPER::start;
}


sub configure {
    my $self = shift;

    my $set = $self->{set};
    my $file = "$self->{dir}/conf";

    # what a sentinel has written there is its memory
    return if -e $file;

    my ($master, @replicas) = $set->servers;
    my @all = $set->sentinels;
    my $quorum = int(@all / 2) + 1;

    my $port = $self->listening;
    my $text = <<_EOC_;
bind 127.0.0.1
$port
unixsocket $self->{socket}
unixsocketperm 777
dir $self->{dir}
daemonize no
$set->{sentinel}
sentinel myid $self->{id}
sentinel monitor main 127.0.0.1 $master->{port} $quorum
sentinel down-after-milliseconds main $set->{after}
sentinel failover-timeout main 10000
sentinel parallel-syncs main 5
_EOC_

    $text .= "sentinel $1 main $2\n"
        while $set->{monitor} =~ /^(\S+) (.*)$/mg;

    $text .= "sentinel known-replica main 127.0.0.1 $_->{port}\n"
        for @replicas;

    $text .= "sentinel known-sentinel main 127.0.0.1 $_->{port} $_->{id}\n"
        for grep { $_ != $self } @all;

    write_file($file, $text);
}


1;
