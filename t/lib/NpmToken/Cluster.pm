package NpmToken::Cluster;

# A Redis Cluster of this test alone, whose nodes are NpmToken::Redis.
#
#     my $cluster = NpmToken::Cluster->new;        # 3 masters, 3 replicas
#     my $cluster = NpmToken::Cluster->new(
#         masters  => 2,
#         replicas => 0,              # of each master
#         timeout  => 1000,           # cluster-node-timeout
#         config   => "...\n",        # more lines of redis.conf
#         auth     => [...],          # as NpmToken::Redis has it
#         tls      => $tls,           # nothing but TLS, of NpmToken::Tls
#     );
#
#     $cluster->url                   # redis-cluster://..., with all nodes
#     $cluster->nodes                 # all that were not stopped; and not
#                                     # paused: $node->{paused} = 1
#     $cluster->owner                 # the master that has the slot of the
#                                     # store, as most masters say
#     $cluster->others                # masters that have not
#     $cluster->replicas($master)
#     $cluster->wait_owner($node)     # until all nodes say that it has it
#
#     $cluster->command(...)          # to the owner, following MOVED and ASK
#     $cluster->put_token('npm_secret', user => 'alice');
#     $cluster->del_token('npm_secret');
#
#     $cluster->migrate_begin($to);   # the slot is being moved
#     $cluster->migrate_keys($to);    # all its keys, or these:
#     $cluster->migrate_keys($to, @keys);
#     $cluster->migrate_end($to);     # it has moved
#     $cluster->move($to);            # all of this
#     $cluster->migrate_cancel($to, @keys);   # it stays; these come back
#
# The prefix is "{npmtoken}:", which is in slot 3330.

use strict;
use warnings;

use Carp qw( croak );
use Time::HiRes qw( sleep );

use NpmToken::Redis;
use NpmToken::Util qw( free_port wait_for );

my $SLOT = 3330;
my $SLOTS = 16384;


sub new {
    my ($class, %options) = @_;

    my $self = bless {
        masters  => 3,
        replicas => 1,
        timeout  => 1000,
        config   => '',
        prefix   => '{npmtoken}:token:',
        %options,
    }, $class;

    my $n = $self->{masters} * (1 + $self->{replicas});

    for (1 .. $n) {
        my $bus = free_port();
        my $port = free_port();

        my $node = NpmToken::Redis->new(
            prefix => $self->{prefix},
            port   => $port,
            bus    => $bus,
            auth   => $self->{auth},
            config => "cluster-enabled yes\ncluster-port $bus\n"
                . "cluster-node-timeout $self->{timeout}\n"
                . "cluster-require-full-coverage no\n"
                . "repl-diskless-sync-delay 0\n"
                . $self->_tls($port)
                . $self->{config},
        );

        $node->{id} = $node->command('CLUSTER', 'MYID');

        push @{ $self->{nodes} }, $node;
    }

    $self->_meet;

    return $self;
}


# of each other, nodes want a client's certificate

sub _tls {
    my ($self, $port) = @_;

    my $tls = $self->{tls} or return '';

    return "port 0\ntls-cluster yes\ntls-replication yes\n"
        . 'tls-client-cert-file ' . $tls->cert('client') . "\n"
        . 'tls-client-key-file ' . $tls->key('client') . "\n"
        . $tls->redis($port, clients => 'no');
}


sub _meet {
    my $self = shift;

    my @nodes = @{ $self->{nodes} };
    my @masters = @nodes[0 .. $self->{masters} - 1];
    my $first = 0;

    for my $i (0 .. $#masters) {
        my $last = int($SLOTS * ($i + 1) / @masters) - 1;

        $masters[$i]->command('CLUSTER', 'ADDSLOTSRANGE', $first, $last);
        $masters[$i]->command('CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);

        $first = $last + 1;
    }

    $nodes[0]->command('CLUSTER', 'MEET', '127.0.0.1', $_->port, $_->{bus})
        for @nodes[1 .. $#nodes];

    wait_for {
        !grep { my $node = $_; grep { !$node->_knows($_->{id}) } @nodes }
            @nodes;
    } 'that all nodes know each other', 30;

    for my $i (@masters .. $#nodes) {
        $nodes[$i]->command('CLUSTER', 'REPLICATE',
                            $masters[$i % @masters]{id});
    }

    wait_for {
        !grep {
            $_->command('CLUSTER', 'INFO') !~ /cluster_state:ok/
        } @nodes;
    } 'that all nodes are fine', 30;

    wait_for {
        !grep {
            $_->command('INFO', 'replication') !~ /master_link_status:up/
        } @nodes[@masters .. $#nodes];
    } 'that all replicas are in sync', 30;

    $self->wait_owner($self->owner);
}


sub NpmToken::Redis::_knows {
    my ($node, $id) = @_;

    return $node->command('CLUSTER', 'NODES')
        =~ /^$id \S+ (?!\S*handshake)/m;
}


# of any node: it runs
sub pid { return ($_[0]->nodes)[0] && ($_[0]->nodes)[0]->pid }


sub nodes { return grep { $_->{pid} && !$_->{paused} } @{ $_[0]{nodes} } }


sub url {
    my ($self, $user) = @_;

    return 'redis-cluster' . ($self->{tls} ? '+tls' : '') . '://'
        . ($user // '')
        . join ',', map { '127.0.0.1:' . $_->port } @{ $self->{nodes} };
}


# what one node says: [id of the master, ids of its replicas]

sub _slot {
    my ($self, $node) = @_;

    for my $range (@{ $node->command('CLUSTER', 'SLOTS') }) {
        my ($first, $last, @who) = @$range;

        return map { $_->[2] } @who if $first <= $SLOT && $SLOT <= $last;
    }

    return ();
}


sub _node {
    my ($self, $id) = @_;

    my ($node) = grep { $_->{id} eq $id } @{ $self->{nodes} };

    return $node;
}


sub owner {
    my $self = shift;

    my %votes;

    for my $node ($self->nodes) {
        my ($id) = eval { $self->_slot($node) };

        $votes{$id}++ if defined $id;
    }

    my ($id) = sort { $votes{$b} <=> $votes{$a} } keys %votes;

    return defined $id ? $self->_node($id) : undef;
}


sub others {
    my $self = shift;

    my $owner = $self->owner;

    return grep {
        $_ != $owner && $_->command('ROLE')->[0] eq 'master'
    } $self->nodes;
}


sub replicas {
    my ($self, $master) = @_;

    return grep {
        $_->command('INFO', 'replication') =~ /^role:slave/m
            && $_->command('CLUSTER', 'NODES')
               =~ /^$_->{id} \S+ \S*slave\S* $master->{id} /m;
    } $self->nodes;
}


sub wait_owner {
    my ($self, $owner) = @_;

    wait_for {
        !grep {
            my ($id) = $self->_slot($_);
            ($id // '') ne $owner->{id};
        } $self->nodes;
    } 'that all nodes know the owner of the slot', 30;
}


sub command {
    my ($self, @args) = @_;

    my $node = $self->owner;

    for (1 .. 50) {
        my $reply = eval { $node->command(@args) };
        my $error = $@ or return $reply;

        my ($kind, $port) = $error
            =~ /\Aredis: (MOVED|ASK) \d+ \S*:(\d+)$/m or croak $error;

        ($node) = grep { $_->port == $port } $self->nodes
            or croak "no node at $port";

        $node->command('ASKING') if $kind eq 'ASK';
    }

    croak 'too many redirections';
}


# a record is that of a single Redis, which only sends the commands itself

*record_name = \&NpmToken::Redis::record_name;
*put_token   = \&NpmToken::Redis::put_token;
*del_token   = \&NpmToken::Redis::del_token;


sub migrate_begin {
    my ($self, $to) = @_;

    my $from = $self->owner;

    $self->{from} = $from;

    $to->command('CLUSTER', 'SETSLOT', $SLOT, 'IMPORTING', $from->{id});
    $from->command('CLUSTER', 'SETSLOT', $SLOT, 'MIGRATING', $to->{id});

    return $from;
}


sub migrate_keys {
    my ($self, $to, @keys) = @_;

    my $from = $self->{from};
    my $all = !@keys;

    for ( ;; ) {
        @keys = @{ $from->command('CLUSTER', 'GETKEYSINSLOT', $SLOT, 100) }
            if $all;

        return if !@keys;

        $from->command('MIGRATE', '127.0.0.1', $to->port, '', 0, 5000,
                       'KEYS', @keys);

        return if !$all;
    }
}


sub migrate_end {
    my ($self, $to) = @_;

    my $from = delete $self->{from};

    # a replica of the new owner has to have it first: redis-cli does so, too

    $_->command('CLUSTER', 'SETSLOT', $SLOT, 'NODE', $to->{id})
        for $to, $from, grep { $_ != $to && $_ != $from } $self->others;

    $self->wait_owner($to);
}


sub migrate_cancel {
    my ($self, $to, @keys) = @_;

    my $from = delete $self->{from};

    $from->command('CLUSTER', 'SETSLOT', $SLOT, 'STABLE');
    $to->command('MIGRATE', '127.0.0.1', $from->port, '', 0, 5000,
                 'KEYS', @keys) if @keys;
    $to->command('CLUSTER', 'SETSLOT', $SLOT, 'STABLE');
}


sub move {
    my ($self, $to) = @_;

    $self->migrate_begin($to);
    $self->migrate_keys($to);
    $self->migrate_end($to);
}


sub stop { $_->stop for $_[0]->nodes }


1;
