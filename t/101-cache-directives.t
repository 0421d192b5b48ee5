# The directives of a store that are about its cache and the feed: what they
# take, and what nginx -t says of the rest, with directive and value.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Nginx qw( check_config );
use NpmToken::Node;
use NpmToken::Util qw( module_path temp_dir write_file );

my $dir = temp_dir();
my $module = module_path();


# exit status and output of "nginx -t"

sub check {
    my ($store, $more) = @_;

    write_file("$dir/nginx.conf", <<"_EOC_");
load_module $module;
pid $dir/nginx.pid;
error_log stderr notice;

events {}

http {
    access_log off;

    npmtoken_store main {
        redis unix:$dir/redis;
        $store
    }

    ${\($more // '')}

    server {
        listen unix:$dir/nginx;
        location / { npmtoken main; }
    }
}
_EOC_

    return check_config($dir, "$dir/nginx.conf");
}


sub refused {
    my ($store, $message) = @_;

    my ($status, $output) = check($store);

    subtest "refused: $store" => sub {
        isnt($status, 0, 'the status');
        like($output, $message, 'the message');
        like($output, qr{/nginx\.conf:\d+$}m, 'with the line');
    };
}


sub invalid {
    my ($name, $value, $expected) = @_;

    my $quoted = quotemeta $value =~ tr/"//dr;

    refused("$name $value;",
        qr/\[emerg\] .*invalid value "$quoted" in "$name" directive, it must be \Q$expected\E in /);
}


my $size = 'a size of 64k or more, or "off"';
my $time = 'a time';
my $positive = 'a time over 0';
my $bound = 'a time of 10ms or more';
my $flag = '"on" or "off"';

invalid(cache => $_, $size) for qw( 0 1k 63k -1 8x on Off 8m8 1g "" );

for my $name (qw( cache_ttl negative_ttl )) {
    invalid($name, $_, $positive) for qw( 0 -1 1x off "" );
}

invalid(revocation_bound => $_, $bound) for qw( 0 5ms 9ms -1s x off "" );
invalid(stale_reads => $_, $time) for qw( x -1 off );
invalid(push => $_, $flag) for qw( maybe 1 yes ON "" );
invalid(redis_replica => $_, $flag) for qw( maybe 1 yes ON "" );

my %valid = (
    cache            => [qw( off 64k 65537 8m 64m )],
    cache_ttl        => [qw( 1ms 60s 1d )],
    negative_ttl     => [qw( 1ms 5s 1d )],
    revocation_bound => [qw( 10ms 1s 1h )],
    stale_reads      => [qw( 0 1ms 1d )],
    push             => [qw( on off )],
    redis_replica    => [qw( on off )],
);

for my $name (sort keys %valid) {
    my @values = @{ $valid{$name} };

    for my $value (@values) {
        my ($status, $output) = check("$name $value;");

        is($status, 0, "$name $value") or diag($output);
    }

    refused("$name $values[0]; $name $values[0];",
            qr/\[emerg\] .*"$name" directive is duplicate in /);

    refused("$name $_;",
            qr/\[emerg\] .*invalid number of arguments in "$name" directive/)
        for '', "$values[0] $values[0]";
}


# a cache that the machine has no memory for is an error of the start

{
    my ($status, $output) = check('cache 9999999999m;');

    isnt($status, 0, 'no machine has that much: refused');
    like($output, qr/\[(?:emerg|alert)\]/, 'with a message');
}


done_testing;
