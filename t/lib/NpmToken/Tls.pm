package NpmToken::Tls;

# A CA of this test alone, by the openssl command, and what speaks TLS with its
# certificates.
#
#     my $tls = NpmToken::Tls->new;
#
#     $tls->file('ca');             # the CA's certificate
#     $tls->file('other');          # that of another CA
#     $tls->file('crl');            # what the CA has revoked: "revoked"
#     $tls->cert('server'); $tls->key('server');
#
# Certificates, made when they are first asked for:
#
#     server    for redis.test, localhost, 127.0.0.1 and ::1
#     stranger  for stranger.test
#     expired   as "server", until yesterday
#     revoked   as "server", in the CRL
#     client    for clients
#     foreign   for clients, of the other CA
#     deep      as "server", of a CA below the CA; the chain is in its file
#
#     $tls->redis(PORT, cert => 'server', clients => 'no', more => '');
#                                   # lines for redis.conf: TLS on that port
#     my $front = $tls->front(TO, cert => 'server');
#                                   # haproxy, which ends TLS in front of the
#                                   # plain port TO, for the name redis.test
#                                   # alone; $front->{port}
#     $tls->front_log($front);      # for each connection
#                                   # { name, resumed, version }

use strict;
use warnings;

use Carp qw( croak );

use NpmToken::Util qw( free_port read_file spawn temp_dir wait_for
                       write_file );

my $count = 0;

my $names = 'DNS:redis.test, DNS:localhost, IP:127.0.0.1, IP:::1';

my %made_of = (
    server   => { names => $names, usage => 'serverAuth, clientAuth' },
    stranger => { names => 'DNS:stranger.test' },
    expired  => { names => $names, end => '20200102000000Z' },
    revoked  => { names => $names },
    client   => { usage => 'clientAuth' },
    foreign  => { usage => 'clientAuth', ca => 'other' },
    deep     => { names => $names, ca => 'below' },
);


sub new {
    my $class = shift;

    my $dir = temp_dir() . '/tls' . $count++;

    my $self = bless { dir => $dir, made => {} }, $class;

    mkdir $dir or croak "cannot make $dir: $!";

    write_file("$dir/conf", <<"_EOC_");
[req]
prompt = no
distinguished_name = name
[name]
CN = set by -subj
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
_EOC_

    for my $ca ('ca', 'other') {
        $self->_key($ca);
        $self->_run(req => '-x509', -config => "$dir/conf",
                    -extensions => 'ca', -key => "$dir/$ca.key",
                    -out => "$dir/$ca.crt", -days => 2,
                    -subj => "/CN=$ca of a test");
        $self->_database($ca);
    }

    return $self;
}


sub _run {
    my ($self, @command) = @_;

    my $log = "$self->{dir}/log";
    my $pid = spawn $log, 'openssl', @command;

    waitpid $pid, 0;

    $? == 0 or croak "openssl @command failed:\n" . read_file($log);
}


# an elliptic key is made at once

sub _key {
    my ($self, $name) = @_;

    $self->_run(genpkey => -algorithm => 'EC',
                -pkeyopt => 'ec_paramgen_curve:P-256',
                -out => "$self->{dir}/$name.key");
}


sub _database {
    my ($self, $ca) = @_;

    my $dir = $self->{dir};

    write_file("$dir/$ca.index", '');
    write_file("$dir/$ca.conf", <<"_EOC_");
[ca]
default_ca = this
[this]
database = $dir/$ca.index
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
unique_subject = no
[any]
commonName = supplied
_EOC_
}


sub _make {
    my ($self, $name) = @_;

    return if $self->{made}{$name}++;

    my $dir = $self->{dir};
    my $of = $made_of{$name} or croak "no certificate \"$name\"";
    my $ca = $of->{ca} // 'ca';
    my $usage = $of->{usage} // 'serverAuth';

    if ($ca eq 'below' && !$self->{made}{below}++) {
        $self->_key('below');
        $self->_sign('below', 'ca', "basicConstraints = critical, CA:true\n"
                     . "keyUsage = critical, keyCertSign\n");
        $self->_database('below');
    }

    $self->_key($name);
    $self->_sign($name, $ca, join('',
        "basicConstraints = critical, CA:false\n",
        "extendedKeyUsage = $usage\n",
        $of->{names} ? "subjectAltName = $of->{names}\n" : ''),
        $of->{end});

    if ($ca eq 'below') {
        write_file("$dir/$name.crt", join '', map { read_file("$dir/$_.crt") }
                   $name, 'below');
    }

    if ($name eq 'revoked') {
        $self->_run(ca => -config => "$dir/ca.conf", -keyfile => "$dir/ca.key",
                    -cert => "$dir/ca.crt", -revoke => "$dir/$name.crt");
    }
}


sub _sign {
    my ($self, $name, $ca, $extensions, $end) = @_;

    my $dir = $self->{dir};

    write_file("$dir/$name.ext", $extensions);

    $self->_run(req => '-new', -config => "$dir/conf",
                -key => "$dir/$name.key", -out => "$dir/$name.csr",
                -subj => "/CN=$name of a test");

    $self->_run(ca => '-batch', '-notext', -config => "$dir/$ca.conf",
                -keyfile => "$dir/$ca.key", -cert => "$dir/$ca.crt",
                -extfile => "$dir/$name.ext", -in => "$dir/$name.csr",
                -out => "$dir/$name.crt",
                $end ? (-startdate => '20200101000000Z', -enddate => $end)
                     : ());
}


sub cert {
    my ($self, $name) = @_;

    $self->_make($name);

    return "$self->{dir}/$name.crt";
}


sub key {
    my ($self, $name) = @_;

    $self->_make($name);

    return "$self->{dir}/$name.key";
}


sub file {
    my ($self, $name) = @_;

    my $dir = $self->{dir};

    return "$dir/$name.crt" if $name ne 'crl';

    $self->_make('revoked');
    $self->_run(ca => '-gencrl', -config => "$dir/ca.conf",
                -keyfile => "$dir/ca.key", -cert => "$dir/ca.crt",
                -out => "$dir/crl");

    return "$dir/crl";
}


sub redis {
    my ($self, $port, %options) = @_;

    my $name = $options{cert} // 'server';
    my $clients = $options{clients} // 'no';

    return join '',
        "tls-port $port\n",
        'tls-cert-file ', $self->cert($name), "\n",
        'tls-key-file ', $self->key($name), "\n",
        'tls-ca-cert-file ', $self->file('ca'), "\n",
        "tls-auth-clients $clients\n",
        $options{more} // '';
}


sub front {
    my ($self, $to, %options) = @_;

    my $name = $options{cert} // 'server';
    my $dir = $self->{dir};
    my $front = { port => free_port(), log => "$dir/front" . $count++ };

    write_file("$front->{log}.pem",
               read_file($self->cert($name)) . read_file($self->key($name)));

    # "strict-sni" refuses who says no name, or another one

    write_file("$front->{log}.cfg", <<"_EOC_");
global
  log stdout format raw local0
defaults
  mode tcp
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:$front->{port} ssl crt $front->{log}.pem strict-sni
  log global
  option logasap
  log-format "seen %[ssl_fc_sni] %[ssl_fc_is_resumed] %[ssl_fc_protocol]"
  default_backend b
backend b
  server s 127.0.0.1:$to
_EOC_

    spawn "$front->{log}.log", 'haproxy', '-db', '-f', "$front->{log}.cfg";

    eval {
        wait_for {
            IO::Socket::INET->new(PeerAddr => "127.0.0.1:$front->{port}");
        } 'haproxy';
        1;
    } or croak "haproxy does not listen:\n" . read_file("$front->{log}.log");

    return $front;
}


sub front_log {
    my ($self, $front) = @_;

    return map {
        /\Aseen (\S+) (\S+) (\S+)/
            ? { name => $1, resumed => $2, version => $3 } : ()
    } split /\n/, read_file("$front->{log}.log");
}


1;
