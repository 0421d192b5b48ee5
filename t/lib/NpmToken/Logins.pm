package NpmToken::Logins;

# Blocks that log in: with the token API, in all modes that it has.
#
#     use lib 't/lib';
#     use NpmToken::Logins;       # before NpmToken
#     use NpmToken;
#
#     --- accounts
#     alice  secret-of-alice
#     bob    secret-of-bob  locked=true
#     --- logins
#     alice  secret-of-alice  201
#     alice  another          401
#     alice  secret-of-alice  429  from=10.1.2.3
#     create npm_token secret 200
#
# NAME PASSWORD STATUS logs in; "create" TOKEN PASSWORD STATUS makes a token.
# The status says what the answer has to be: a new token of ours (201, 200),
# or what is said of 401, 429 and 503, and never a token of the registry.
# More words of a line
#
#     from=ADDRESS       the client's, where a configuration has
#                        $TEST_NGINX_FROM_ANYWHERE
#     at=PATH            the base of the registry, "/" if nothing is said
#     +"NAME: VALUE"     one more header line
#     +"?QUERY"
#
# For what is told to the registry instead: upstream "logins", a registry for
# which a password that begins with "right" is right, and every other one is
# wrong.  What it was asked is in logs/test.log, hence in "--- test_lines":
# METHOD URI HEADER=VALUE... BODY, the headers in order of their names, and
# without the time in the body.
#
# nginx has no thread pools with poll, so nothing is run in that mode.

use strict;
use warnings;

use Test::More ();

BEGIN {
    if (($ENV{TEST_NGINX_EVENT_TYPE} // '') eq 'poll') {
        Test::More::plan(skip_all => 'nginx has no threads with poll');
    }
}

use NpmToken ();
use NpmToken::Util qw( api_module_path temp_dir );

# what is seen of a request

my @headers = qw(
    accept accept_encoding authorization content_encoding content_type cookie
    expect host if_match if_none_match npm_auth_type npm_otp
    proxy_authorization range te transfer_encoding user_agent x_forwarded_for
    x_http_method_override x_npm_user x_other x_request_uri x_set
);

my %says = (
    401 => qr/\A\{"error":"The user name or the password is wrong\."\}\n\z/,
    429 => qr/\A\{"error":"Too many failed attempts [^"]+"\}\n\z/,
    503 => qr/\A\{"error":"Accounts and tokens cannot be [^"]+"\}\n\z/,
);

# the password of an account is none of the registry's

my $new = qr/\A\{(?!.*of_the_registry).*"token":"npm_[0-9A-Za-z]{36}"/s;


# cheap, since a test is no attacker

sub password_hash ($) {
    return crypt shift, '$6$rounds=1000$npmtoken$';
}


sub put_account {
    my ($redis, $name, $password, @fields) = @_;

    $redis->command('HSET', "npmtoken:user:$name",
                    password => password_hash($password), @fields);
}


$Test::Nginx::Util::LoadModules .= ' ' . api_module_path();

# to be where one likes

$ENV{TEST_NGINX_FROM_ANYWHERE} =
    'set_real_ip_from 127.0.0.1; real_ip_header X-From;';

$ENV{TEST_NGINX_LOGINS} = 'unix:' . temp_dir() . '/logins';

# after NpmToken's own, which empties Redis

push @Test::Nginx::Util::BlockPreprocessors, sub {
    my $block = shift;

    accounts($block) if defined $block->accounts;
    logins($block) if defined $block->logins;

    $block->set_value('http_config',
                      ($block->http_config // '') . registry_config());
};


sub accounts {
    my $block = shift;

    for (grep { /\S/ } split /\n/, $block->accounts) {
        my ($name, $password, @fields) = split ' ';

        put_account(NpmToken::redis_server(), $name, $password,
                    map { split /=/, $_, 2 } @fields);
    }
}


sub logins {
    my $block = shift;

    my (@requests, @headers, @codes, @bodies, @retries);

    for (grep { /\S/ } split /\n/, $block->logins) {
        my @words = /\G\s*((?:[^\s"]|"[^"]*")+)/g;

        tr/"//d for @words;

        my ($request, $header) = login($block->name, \@words);
        my $status = shift @words;

        push @requests, $request;
        push @headers, $header;
        push @codes, $status;
        push @bodies, $status =~ /^20/ ? $new : $says{$status} // '';
        push @retries, $status =~ /^(?:429|503)$/
            ? "Retry-After: [1-9][0-9]*\nCache-Control: no-store"
            : 'Retry-After: ';
    }

    $block->set_value('request', \@requests);
    $block->set_value('more_headers', \@headers);
    $block->set_value('error_code', \@codes);
    $block->set_value('response_body_like', \@bodies);
    $block->set_value('response_headers_like', \@retries);
}


sub login {
    my ($name, $words) = @_;

    my ($who, $token, $base, $query, $header) = (shift @$words, undef, '/',
                                                 '', '');

    $token = shift @$words if $who eq 'create';

    my $password = shift @$words;
    my $status = shift @$words;

    for (@$words) {
        if    (/\Afrom=(.*)/)        { $header .= "X-From: $1\n" }
        elsif (/\Aat=(.*)/)          { $base = $1 }
        elsif (/\A\+(\?.*)/)         { $query = $1 }
        elsif (/\A\+(.*)/)           { $header .= "$1\n" }
        else                         { die "$name: what is \"$_\"?\n" }
    }

    @$words = ($status);

    if (defined $token) {
        return ("POST ${base}-/npm/v1/tokens$query\n"
            . "{\"password\":\"$password\",\"readonly\":false,"
            . '"cidr_whitelist":[]}',
            "Authorization: Bearer $token\n$header");
    }

    return ("PUT ${base}-/user/org.couchdb.user:" . encode($who) . "$query\n"
        . "{\"_id\":\"org.couchdb.user:$who\",\"name\":\"$who\","
        . "\"password\":\"$password\",\"type\":\"user\",\"roles\":[],"
        . '"date":"2026-01-01T00:00:00.000Z"}', $header);
}


# as npm does

sub encode {
    return shift =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}


# The body of a request is there for what proxy_pass is told, and not for
# "if": so it goes on to another server that has the password as a header.

sub registry_config {
    my $dir = temp_dir();
    my $maps = join '', map { <<"_EOC_" } @headers;
    map \$http_$_ \$has_$_ {
        ""       "";
        default  " $_=\$http_$_";
    }
_EOC_
    my $has = join '', map { "\$has_$_" } @headers;

    return <<"_EOC_";

    upstream logins {
        server \$TEST_NGINX_LOGINS;
    }

    map \$request_body \$is_right {
        default              no;
        ~"password":"right   yes;
    }

    map \$request_body \$dateless {
        default              \$request_body;
        '~^(?<before>.*"date":")[-0-9T:.]+Z(?<behind>".*)\$'
                             \$before\$behind;
    }

$maps
    log_format test escape=none '\$request_method \$request_uri$has'
                                ' \$dateless';

    server {
        listen \$TEST_NGINX_LOGINS;
        access_log \$TEST_NGINX_SERVER_ROOT/logs/test.log test;

        location / {
            proxy_set_header X-Right \$is_right;
            proxy_pass http://unix:$dir/right;
        }
    }

    server {
        listen unix:$dir/right;
        access_log off;

        location / {
            if (\$http_x_right = yes) {
                return 201 '{"ok":true,"token":"npm_of_the_registry"}';
            }

            return 401 '{"error":"wrong"}';
        }
    }
_EOC_
}


1;
