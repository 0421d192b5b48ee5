# The address of the client: IPv4, IPv6, IPv4 in IPv6, none at all, and what
# nginx's realip module says.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use IO::Socket::INET;
use NpmToken::Nginx qw( read_response request_text );

# what a balancer that speaks the PROXY protocol sends

add_response_body_check(sub {
    my ($block) = @_;

    for my $line (split /\n/, $block->balanced // '') {
        my ($from, $token, $status) = $line =~ /^(.*?)\s+(\S+)\s+(\d+)$/;

        my $connection = IO::Socket::INET->new(
            "127.0.0.1:$ENV{TEST_NGINX_FREE_PORT}") or die "connect: $!";

        print $connection "PROXY $from\r\n", request_text('GET', '/pkg',
            { Authorization => "Bearer $token" });

        is(read_response($connection)->{status}, $status,
           $block->name . " - $line");
    }
});

our $tokens = <<'_EOC_';
npm_any      user=alice
npm_four     cidr_whitelist=127.0.0.1
npm_net      cidr_whitelist=127.0.0.0/8
npm_all4     cidr_whitelist=0.0.0.0/0
npm_six      cidr_whitelist=::1
npm_six128   cidr_whitelist=::1/128
npm_all6     cidr_whitelist=::/0
npm_both     cidr_whitelist="127.0.0.1, ::1"
npm_else4    cidr_whitelist=192.0.2.0/24,10.0.0.0/8
npm_else6    cidr_whitelist=2001:db8::/32
npm_mapped   cidr_whitelist=::ffff:127.0.0.1
npm_mapnet   cidr_whitelist=::ffff:0:0/96
_EOC_

our $listen = <<'_EOC_';
        location / {
            npmtoken main;
            proxy_pass http://registry;
        }
_EOC_

run_tests();

__DATA__

=== TEST 1: IPv4
--- tokens eval: $::tokens
--- config eval: $::listen
--- cases
GET  /pkg  npm_any     200
GET  /pkg  npm_four    200
GET  /pkg  npm_net     200
GET  /pkg  npm_all4    200
GET  /pkg  npm_both    200
GET  /pkg  npm_six     401 cidr
GET  /pkg  npm_six128  401 cidr
GET  /pkg  npm_all6    401 cidr
GET  /pkg  npm_else4   401 cidr
GET  /pkg  npm_else6   401 cidr  notice="from address 127\.0\.0\.1\."
GET  /pkg  npm_mapped  403 bad_record
GET  /pkg  npm_mapnet  403 bad_record



=== TEST 2: IPv6
--- tokens eval: $::tokens
--- http_config eval
'server {
    listen [::1]:$TEST_NGINX_FREE_PORT;
' . $::listen . '}'
--- config
    location / {
        proxy_pass http://[::1]:$TEST_NGINX_FREE_PORT;
    }
--- cases
GET  /pkg  npm_any     200
GET  /pkg  npm_four    401 cidr
GET  /pkg  npm_net     401 cidr
GET  /pkg  npm_all4    401 cidr
GET  /pkg  npm_both    200
GET  /pkg  npm_six     200
GET  /pkg  npm_six128  200
GET  /pkg  npm_all6    200
GET  /pkg  npm_else4   401 cidr
GET  /pkg  npm_else6   401 cidr  notice="from address ::1\."
GET  /pkg  npm_mapped  403 bad_record



=== TEST 3: IPv4 in IPv6, from a listener for both
--- tokens eval: $::tokens
--- http_config eval
'server {
    listen [::ffff:127.0.0.1]:$TEST_NGINX_FREE_PORT ipv6only=off;
' . $::listen . '}'
--- config
    location / {
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- cases
GET  /pkg  npm_any     200
GET  /pkg  npm_four    200
GET  /pkg  npm_net     200
GET  /pkg  npm_all4    200
GET  /pkg  npm_both    200
GET  /pkg  npm_six     401 cidr
GET  /pkg  npm_all6    401 cidr
GET  /pkg  npm_else4   401 cidr  notice="from address ::ffff:127\.0\.0\.1\."
GET  /pkg  npm_mapped  403 bad_record



=== TEST 4: a unix socket: no address, so in no range
--- tokens eval: $::tokens
--- http_config eval
'server {
    listen unix:$TEST_NGINX_SERVER_ROOT/logs/front;
' . $::listen . '}'
--- config
    location / {
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/logs/front:;
    }
--- cases
GET  /pkg  npm_any    200
GET  /pkg  npm_four   401 cidr  notice="may not be used from here\."
GET  /pkg  npm_all4   401 cidr
GET  /pkg  npm_six    401 cidr
GET  /pkg  npm_all6   401 cidr
GET  /pkg  npm_both   401 cidr



=== TEST 5: realip: the address that the load balancer gives
--- tokens eval: $::tokens
--- config
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_else4  200       +"X-Real-IP: 192.0.2.7"
GET  /pkg  npm_else4  200       +"X-Real-IP: 10.255.255.255"
GET  /pkg  npm_else4  401 cidr  +"X-Real-IP: 192.0.3.1"  notice="from address 192\.0\.3\.1\."
GET  /pkg  npm_else6  200       +"X-Real-IP: 2001:db8::7"
GET  /pkg  npm_else6  401 cidr  +"X-Real-IP: 2001:db9::7"  notice="from address 2001:db9::7\."
GET  /pkg  npm_four   401 cidr  +"X-Real-IP: 192.0.2.7"
GET  /pkg  npm_four   200
GET  /pkg  npm_four   200       +"X-Real-IP: nonsense"
GET  /pkg  npm_all6   401 cidr  +"X-Real-IP: ::ffff:192.0.2.7"
GET  /pkg  npm_else4  200       +"X-Real-IP: ::ffff:192.0.2.7"



=== TEST 6: without realip no header is believed
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_else4  401 cidr  +"X-Real-IP: 192.0.2.7"
GET  /pkg  npm_else4  401 cidr  +"X-Forwarded-For: 192.0.2.7"
GET  /pkg  npm_else4  401 cidr  +"Forwarded: for=192.0.2.7"
GET  /pkg  npm_four   200       +"X-Forwarded-For: 192.0.2.7"



=== TEST 7: realip of X-Forwarded-For, recursive
--- tokens eval: $::tokens
--- config
    set_real_ip_from 127.0.0.1;
    set_real_ip_from 203.0.113.0/24;
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_else4  200       +"X-Forwarded-For: 198.51.100.1, 192.0.2.7, 203.0.113.9"
GET  /pkg  npm_else4  401 cidr  +"X-Forwarded-For: 192.0.2.7, 198.51.100.1, 203.0.113.9"



=== TEST 8: realip behind a unix socket
--- tokens eval: $::tokens
--- http_config eval
'server {
    listen unix:$TEST_NGINX_SERVER_ROOT/logs/front;
    set_real_ip_from unix:;
    real_ip_header X-Real-IP;
' . $::listen . '}'
--- config
    location / {
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/logs/front:;
    }
--- cases
GET  /pkg  npm_else4  200       +"X-Real-IP: 192.0.2.7"
GET  /pkg  npm_else4  401 cidr  +"X-Real-IP: 198.51.100.1"
GET  /pkg  npm_all4   401 cidr



=== TEST 9: realip by the PROXY protocol
--- tokens eval: $::tokens
--- http_config eval
'server {
    listen 127.0.0.1:$TEST_NGINX_FREE_PORT proxy_protocol;
    set_real_ip_from 127.0.0.1;
    real_ip_header proxy_protocol;
' . $::listen . '}'
--- config
    location / {
        proxy_pass http://registry;
    }
--- request
GET /pkg
--- balanced
TCP4 192.0.2.7 127.0.0.1 1000 80       npm_else4  200
TCP4 198.51.100.1 127.0.0.1 1000 80    npm_else4  401
TCP6 2001:db8::7 2001:db8::1 1000 80   npm_else6  200
TCP6 2001:db9::7 2001:db8::1 1000 80   npm_else6  401
UNKNOWN                                npm_four   200
UNKNOWN                                npm_else4  401



=== TEST 10: $remote_addr is the same address
--- tokens
npm_here  cidr_whitelist=192.0.2.7
--- http_config
    log_format test '$remote_addr $realip_remote_addr $npmtoken_verdict';
--- config
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_here  200       +"X-Real-IP: 192.0.2.7"
GET  /pkg  npm_here  401 cidr
--- test_lines
192.0.2.7 127.0.0.1 allow
127.0.0.1 127.0.0.1 cidr



=== TEST 11: lists that are as they should be
--- tokens
npm_one     cidr_whitelist=127.0.0.1/32
npm_host    cidr_whitelist=127.0.0.99/24
npm_host31  cidr_whitelist=127.0.0.0/31
npm_zero    cidr_whitelist=0.0.0.0/0
npm_ones    cidr_whitelist=255.255.255.255/32
npm_onesb   cidr_whitelist=255.255.255.255
npm_blanks  cidr_whitelist=" 192.0.2.1 ,  127.0.0.0/8 "
npm_many    cidr_whitelist=10.0.0.0/8,::1,2001:db8::/32,192.0.2.1,127.0.0.1
npm_short   cidr_whitelist=127.0.0.1/31
npm_next    cidr_whitelist=127.0.0.2/31
npm_hostof6 cidr_whitelist=2001:db8::1/32
--- config eval: $::listen
--- cases
GET  /pkg  npm_one      200
GET  /pkg  npm_host     200
GET  /pkg  npm_host31   200
GET  /pkg  npm_zero     200
GET  /pkg  npm_ones     401 cidr
GET  /pkg  npm_onesb    401 cidr
GET  /pkg  npm_blanks   200
GET  /pkg  npm_many     200
GET  /pkg  npm_short    200
GET  /pkg  npm_next     401 cidr
GET  /pkg  npm_hostof6  401 cidr



=== TEST 12: the address 255.255.255.255, which inet_addr() takes for an error
--- tokens
npm_ones  cidr_whitelist=255.255.255.255/32
npm_net   cidr_whitelist=255.255.255.0/24
--- config
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_net   200        +"X-Real-IP: 255.255.255.7"
GET  /pkg  npm_ones  401 cidr   +"X-Real-IP: 255.255.255.254"



=== TEST 13: lists that are not: never wider by guessing
--- tokens
npm_empty    cidr_whitelist=
npm_blank    cidr_whitelist=" "
npm_comma    cidr_whitelist=127.0.0.1,
npm_first    cidr_whitelist=,127.0.0.1
npm_double   cidr_whitelist=127.0.0.1,,10.0.0.0/8
npm_space    cidr_whitelist="127.0.0.1 10.0.0.0/8"
npm_slash    cidr_whitelist=127.0.0.1/
npm_33       cidr_whitelist=127.0.0.1/33
npm_minus    cidr_whitelist=127.0.0.1/-1
npm_mask     cidr_whitelist=127.0.0.0/255.0.0.0
npm_three    cidr_whitelist=127.0.0
npm_star     cidr_whitelist=127.0.0.*
npm_all      cidr_whitelist=all
npm_name     cidr_whitelist=localhost
npm_zeros    cidr_whitelist=127.0.0.01
npm_hex      cidr_whitelist=0x7f.0.0.1
npm_300      cidr_whitelist=127.0.0.300
npm_129      cidr_whitelist=::1/129
npm_zone     cidr_whitelist=fe80::1%lo
npm_brackets cidr_whitelist=[::1]
npm_port     cidr_whitelist=127.0.0.1:80
npm_second   cidr_whitelist=127.0.0.1,nonsense
npm_json     cidr_whitelist=["127.0.0.1"]
npm_plus     cidr_whitelist=127.0.0.1/+8
npm_pad      cidr_whitelist=127.0.0.1/08
--- config eval: $::listen
--- cases
GET  /pkg  npm_empty     403 bad_record
GET  /pkg  npm_blank     403 bad_record
GET  /pkg  npm_comma     403 bad_record
GET  /pkg  npm_first     403 bad_record
GET  /pkg  npm_double    403 bad_record
GET  /pkg  npm_space     403 bad_record
GET  /pkg  npm_slash     403 bad_record
GET  /pkg  npm_33        403 bad_record
GET  /pkg  npm_minus     403 bad_record
GET  /pkg  npm_mask      403 bad_record
GET  /pkg  npm_three     403 bad_record
GET  /pkg  npm_star      403 bad_record
GET  /pkg  npm_all       403 bad_record
GET  /pkg  npm_name      403 bad_record
GET  /pkg  npm_zeros     403 bad_record
GET  /pkg  npm_hex       403 bad_record
GET  /pkg  npm_300       403 bad_record
GET  /pkg  npm_129       403 bad_record
GET  /pkg  npm_zone      403 bad_record
GET  /pkg  npm_brackets  403 bad_record
GET  /pkg  npm_port      403 bad_record
GET  /pkg  npm_second    403 bad_record
GET  /pkg  npm_json      403 bad_record
GET  /pkg  npm_plus      403 bad_record
GET  /pkg  npm_pad       403 bad_record
--- error_log
field "cidr_whitelist"
