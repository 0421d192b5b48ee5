# What is wrong with TLS to Redis makes no connection, and one line of the
# error log that says which it is.

use strict;
use warnings;

use IO::Socket::INET;
use Test::More;

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Server;
use NpmToken::Tls;
use NpmToken::Util qw( free_port wait_for );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $tls = NpmToken::Tls->new;

my %file = map { $_ => $tls->file($_) } qw( ca other crl );
my %cert = map { $_ => $tls->cert($_) } qw( client foreign );
my %key = map { $_ => $tls->key($_) } qw( client foreign );


# one redis-server for all that can be said to it while it runs

my $port = free_port();
my $redis = NpmToken::Redis->new(config => $tls->redis($port));

$redis->put_token('npm_good', user => 'alice');


sub server {
    my ($name, %options) = @_;

    $redis->command(
        CONFIG => SET =>
        'tls-cert-file'    => $tls->cert($name),
        'tls-key-file'     => $tls->key($name),
        'tls-auth-clients' => $options{clients} // 'no',
        'tls-protocols'    => $options{protocols} // 'TLSv1.2 TLSv1.3',
    );
}


my $nginx;

sub asks {
    my ($url, @store) = @_;

    my $store = join "\n", map { "$_;" } "redis $url", 'cache off', @store;

    if ($nginx) {
        $nginx->finish;
    }

    $nginx = NpmToken::Nginx->new(
        http   => "npmtoken_store main {\n$store\n}\n",
        server => 'location / { npmtoken main; empty_gif; }',
    );

    return $nginx->get('/', Authorization => 'Bearer npm_good')->{status};
}


# lines at [error] and worse that are about the connection

sub errors {
    return grep {
        /\[(?:error|crit|alert|emerg)\]/ && !/npmtoken denied/
    } split /\n/, $nginx->error_log;
}


sub is_refused {
    my ($what, $said, $url, @store) = @_;

    subtest $what => sub {
        is(asks($url, 'lookup_timeout 150ms', @store), 503,
           'no connection');

        wait_for { errors() > 0 } 'a line of the error log';

        # it is tried again, and again

        $nginx->get('/', Authorization => 'Bearer npm_good');

        my @errors = errors();

        is(scalar(@errors), 1, 'one line of the error log');
        like($errors[0], $said, 'it says which it is')
            or diag $_ for @errors;
        like($errors[0], qr/redis: "\Q$url\E"/, 'and where');
    };
}


my $url = "rediss://127.0.0.1:$port";
my $trust = "redis_ssl_trusted_certificate $file{ca}";


is(asks($url, $trust), 200, 'with the right CA it works');

is_refused('a CA that is not that of Redis',
    qr/TLS: the certificate of redis is not good: self-signed certificate in/,
    $url, "redis_ssl_trusted_certificate $file{other}");

is_refused('a CA of which the system does not know, and none is given',
    qr/not good: [^:]+ \(\d+\), by the system's CAs, see "redis_ssl_trusted/,
    $url);

is_refused('a name that is not in the certificate',
    qr/TLS: the certificate of redis is not for "other\.test", see "redis_ssl/,
    $url, $trust, 'redis_ssl_name other.test');

is_refused('an address that is not in the certificate',
    qr/TLS: the certificate of redis is not for "127\.0\.0\.10"/,
    $url, $trust, 'redis_ssl_name 127.0.0.10');

is(asks($url, 'redis_ssl_verify off', 'redis_ssl_name other.test'), 200,
   'without verification both are let pass');


server('stranger');

is_refused('a certificate of another host, the address being asked for',
    qr/TLS: the certificate of redis is not for "127\.0\.0\.1"/,
    $url, $trust);


server('expired');

is_refused('a certificate that has expired',
    qr/TLS: the certificate of redis is not good: certificate has expired/,
    $url, $trust);


server('revoked');

is(asks($url, $trust), 200, 'what was revoked works without a list of that');

is_refused('a certificate that was revoked',
    qr/TLS: the certificate of redis is not good: certificate revoked/,
    $url, $trust, "redis_ssl_crl $file{crl}");


for my $version ('TLSv1.2', 'TLSv1.3') {
    server('server', clients => 'yes', protocols => $version);

    is_refused("no certificate for a Redis that wants one, $version",
        qr/TLS: [^;]+; redis (?:may want|wants) a certificate.*redis_ssl_cert/,
        $url, $trust);

    is_refused("one that Redis does not trust, $version",
        qr/TLS: tlsv1 alert unknown ca; redis does not know the CA of our/,
        $url, $trust, "redis_ssl_certificate $cert{foreign}",
        "redis_ssl_certificate_key $key{foreign}");

    is(asks($url, $trust, "redis_ssl_certificate $cert{client}",
            "redis_ssl_certificate_key $key{client}"), 200,
       "one that Redis trusts, $version");
}


server('server', protocols => 'TLSv1.3');

is_refused('a version that Redis does not speak',
    qr/TLS: tlsv1 alert protocol version; .* "redis_ssl_protocols"/,
    $url, $trust, 'redis_ssl_protocols TLSv1.2');

server('server');

is_refused('a cipher that Redis does not have',
    qr/TLS: [^;]*handshake failure; .*"redis_ssl_ciphers"/,
    $url, $trust, 'redis_ssl_protocols TLSv1.2',
    'redis_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256');


is_refused('TLS to a port that is for plain text',
    qr/TLS: .*, perhaps what listens there speaks no TLS/,
    'rediss://127.0.0.1:' . $redis->port, $trust, 'connect_timeout 100ms');

# a server that says something first, as Redis does to strangers

my $curt = NpmToken::Server->_start('tcp', sub {
    my $listen = shift;
    my @clients;

    for ( ;; ) {
        my $client = $listen->accept or next;

        syswrite $client, "-DENIED Redis is running in protected mode\r\n";
        push @clients, $client;
    }
});

is_refused('TLS to a port that answers in plain text',
    qr/TLS: wrong version number; what answers there speaks no TLS/,
    'rediss://127.0.0.1:' . $curt->port, $trust);

is_refused('plain text to a port that is for TLS',
    qr/failed: closed by redis before it answered .* TLS there \("rediss:/,
    "redis://127.0.0.1:$port");


# who takes the connection, and is silent

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "cannot listen: $!";

is_refused('TLS to somebody who is silent',
    qr/TLS: the handshake timed out, perhaps what listens there speaks no TLS/,
    'rediss://127.0.0.1:' . $silent->sockport, $trust,
    'connect_timeout 100ms');


# nothing is written in the clear where TLS was asked for

$nginx->finish;
undef $nginx;

while (IO::Select->new($silent)->can_read(0)) {
    my $client = $silent->accept or last;

    sysread $client, my $data, 65536;
    unlike($data // '', qr/HGETALL|SETNAME|AUTH/, 'no command in the clear');
    last;
}


done_testing;
