# What is configured of TLS to Redis, and cannot be meant or used, stops
# "nginx -t".

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx qw( check_config );
use NpmToken::Tls;
use NpmToken::Util qw( module_path temp_dir write_file );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE};

my $dir = temp_dir() . '/config';
my $tls = NpmToken::Tls->new;
my $module = module_path();

mkdir $dir or die "mkdir $dir: $!";

my %file = (
    ca      => $tls->file('ca'),
    crl     => $tls->file('crl'),
    cert    => $tls->cert('client'),
    key     => $tls->key('client'),
    foreign => $tls->key('foreign'),
    text    => "$dir/text",
    none    => "$dir/none",
);

write_file($file{text}, "this is no certificate\n");


sub check {
    my ($url, @store) = @_;

    my $store = join "\n", map { "$_;" } "redis $url", @store;

    write_file("$dir/nginx.conf", <<"_EOC_");
load_module $module;
error_log $dir/error.log;
pid $dir/pid;
events { }
http {
    access_log off;
    npmtoken_store main {
        $store
    }
    server {
        listen unix:$dir/listen;
        location / {
            npmtoken main;
        }
    }
}
_EOC_

    return check_config($dir, "$dir/nginx.conf");
}


sub is_good {
    my ($what, @store) = @_;

    my ($status, $output) = check('rediss://127.0.0.1', @store);

    ok($status == 0 && $output eq '', $what) or diag $output;
}


sub is_bad {
    my ($what, $said, @store) = @_;

    my $url = $store[0] =~ m{://} ? shift @store : 'rediss://127.0.0.1';
    my ($status, $output) = check($url, @store);

    ok($status && $output =~ /\[emerg\]/ && $output =~ /nginx\.conf:\d+/
           && $output =~ $said, $what)
        or diag "status $status\n$output";
}


my $trust = "redis_ssl_trusted_certificate $file{ca}";
my $cert = "redis_ssl_certificate $file{cert}";
my $key = "redis_ssl_certificate_key $file{key}";

is_good('rediss:// alone: the CAs are those of the system');

is_good('everything that there is', $trust, $cert, $key,
    "redis_ssl_crl $file{crl}", 'redis_ssl_name redis.test',
    'redis_ssl_verify on', 'redis_ssl_protocols TLSv1.2 TLSv1.3',
    'redis_ssl_ciphers HIGH:!aNULL');

is_good('no verification', 'redis_ssl_verify off');


# without TLS none of them has an effect, so TLS was forgotten

for my $directive ($trust, $cert, $key, "redis_ssl_crl $file{crl}",
    'redis_ssl_name redis.test', 'redis_ssl_verify on',
    'redis_ssl_verify off', 'redis_ssl_protocols TLSv1.3',
    'redis_ssl_ciphers HIGH')
{
    my ($name) = $directive =~ /\A(\w+)/;

    for my $url ('redis://127.0.0.1', 'unix:/nowhere') {
        my ($status, $output) = check($url, $directive);

        ok($status && $output =~ /\[emerg\] .*"$name" needs TLS in the URL/,
           "$name with $url") or diag "status $status\n$output";
    }

    my $text = qr/"$name" directive is duplicate in/;

    is_bad("$name twice", $text, $directive, $directive);
    is_bad("$name without a value", qr/invalid number of arguments in "$name"/,
           $name);
    is_bad("$name with nothing", qr/invalid value "" in "$name"/,
           qq{$name ""});
    is_bad("$name with one value too many", $name =~ /protocols/
           ? qr/invalid value "b" in "$name"/
           : qr/invalid number of arguments in "$name"/, "$directive b");
}


is_bad('a certificate without a key',
    qr/"redis_ssl_certificate" needs redis_ssl_certificate_key/, $cert);

is_bad('a key without a certificate',
    qr/"redis_ssl_certificate_key" needs redis_ssl_certificate/, $key);

is_bad('the key of another certificate',
    qr/cannot be used in "redis_ssl_certificate" or "redis_ssl_certificate_k/,
    $cert, "redis_ssl_certificate_key $file{foreign}");

is_bad('CAs, and no verification',
    qr/"redis_ssl_trusted_certificate" needs "redis_ssl_verify on"/,
    $trust, 'redis_ssl_verify off');

is_bad('a list of what is revoked, and no verification',
    qr/"redis_ssl_crl" needs "redis_ssl_verify on"/,
    "redis_ssl_crl $file{crl}", 'redis_ssl_verify off');

is_bad('a version that is too old',
    qr/invalid value "TLSv1.1" in "redis_ssl_protocols" directive, it must be/,
    'redis_ssl_protocols TLSv1.1 TLSv1.2');

is_bad('ciphers that nobody knows',
    qr/a bad value of "redis_ssl_ciphers"/, 'redis_ssl_ciphers NOSUCH');

is_bad('a name that is no host\'s', qr/invalid value "x+" in "redis_ssl_name"/,
    'redis_ssl_name ' . 'x' x 256);

for my $what ('text', 'none') {
    my $file = $file{$what};

    is_bad("CAs in a file of $what",
        qr/\Q$file\E.*cannot be used in "redis_ssl_trusted_certificate"/s,
        "redis_ssl_trusted_certificate $file");

    is_bad("a list of what is revoked in a file of $what",
        qr/\Q$file\E.*cannot be used in "redis_ssl_crl"/s,
        "redis_ssl_crl $file");

    is_bad("a certificate in a file of $what",
        qr/\Q$file\E.*cannot be used in "redis_ssl_certificate"/s,
        "redis_ssl_certificate $file", $key);

    is_bad("a key in a file of $what",
        qr/\Q$file\E.*cannot be used in "redis_ssl_certificate"/s,
        $cert, "redis_ssl_certificate_key $file");
}

done_testing;
