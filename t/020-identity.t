# What the registry learns of who asks: at most one of an identity, which a
# record vouches for, and the Authorization that the client sent.
#
# The registry is here a server that answers with every header line it got,
# names in lower case, since nginx itself shows one line of a name only.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use IO::Socket::UNIX;
use NpmToken::Util qw( spawn temp_dir );

BEGIN {
    my $socket = temp_dir() . '/echo';

    $ENV{TEST_NGINX_ECHO} = "unix:$socket";

    spawn(temp_dir() . '/echo.log', $^X, '-MIO::Socket::UNIX', '-e', <<'_EOC_',
        my $server = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 64)
            or die "listen: $!";
        chmod 0777, $ARGV[0];

        while (my $client = $server->accept) {
            my $body = <$client> // next;
            my $length = 0;

            while (<$client>) {
                s/\r?\n\z//;
                last if $_ eq '';

                my ($name, $value) = split /:\s*/, $_, 2;

                $length = $value if lc $name eq 'content-length';
                $body .= lc($name) . ": $value\n";
            }

            read $client, my $sent, $length if $length;

            print $client "HTTP/1.0 200 OK\r\nX-Registry: yes\r\n",
                'Content-Length: ', length $body, "\r\n\r\n$body";
        }
_EOC_
        $socket);

    wait_for { IO::Socket::UNIX->new(Peer => $socket) } 'the registry';
}

our $tokens = <<'_EOC_';
npm_full     user=alice
npm_ro       user=bob readonly=true
npm_nobody   x_note=none
npm_revoked  user=carol revoked_at=1
npm_shared   user=ci protected=true
_EOC_

# names for what a case looks for

our $none = '(?s)\A(?!.*\nx[-_]npm[-_]user:)';
our $bare = '(?s)\A(?!.*\nauthorization:)';
our $alice = '(?s)\A(?!.*\nx[-_]npm[-_]user:.*\nx[-_]npm[-_]user:)'
             . '.*\nx-npm-user: alice\n';
our $neither = '(?s)\A(?!.*\n(?:authorization|x[-_]npm[-_]user):)';

our $location = <<'_EOC_';
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
_EOC_

our $many = sub { join ' ', map { qq{+"X-Line-$_: $_"} } 1 .. shift };

run_tests();

__DATA__

=== TEST 1: an allowed request: identity in, Authorization out
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
qq{GET     /pkg                     npm_full    200 body="$::alice"
GET     /pkg                     npm_full    200 body="$::bare"
PUT     /pkg                     npm_full    200 body="$::alice"
GET     /pkg                     npm_ro      200 body="\\nx-npm-user: bob\\n"
PUT     /pkg                     npm_ro      403 readonly
GET     /pkg                     npm_nobody  200 body="$::neither"
DELETE  /-/user/token/npm_full   npm_full    200 body="$::alice"
DELETE  /-/user/token/npm_full   npm_full    200 body="$::bare"
}



=== TEST 2: all others: no identity, Authorization as it was sent
--- tokens eval: $::tokens
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        npmtoken_anonymous read;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /pass {
        npmtoken_unknown pass;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /dry {
        npmtoken_dry_run on;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /off {
        npmtoken off;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
my @cases = (
    'GET     /pkg                                 -',
    'PUT     /-/user/org.couchdb.user:alice       npm_full',
    'PUT     /-/user/org.couchdb.user:alice       "Basic YTpi"',
    'POST    /-/npm/v1/oidc/token/exchange/package/p  npm_full',
    'GET     /-/ping                              npm_full',
    'DELETE  /-/user/token/npm_revoked            npm_revoked',
    'DELETE  /-/user/token/npm_other              npm_other',
    'GET     /pass                                npm_other',
    'PUT     /pass                                "Basic YTpi"',
    'GET     /off                                 npm_full',
    'PUT     /off                                 -',
);
CORE::join("\n", map {
    my ($sent) = /(\S+|"[^"]*")$/;
    my $auth = $sent eq '-' ? $::bare
        : '\nauthorization: ' . ($sent =~ /"(.*)"/ ? $1 : "Bearer $sent") . '\n';
    qq{$_ 200 +"X-Npm-User: root" body="$::none"},
    qq{$_ 200 +"X-Npm-User: root" body="$auth"};
} @cases)



=== TEST 3: ... of a dry run, what would have been denied
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        npmtoken_identity X-Npm-User;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
qq{PUT  /pkg  npm_ro       200 readonly  +"X-Npm-User: root"  body="$::none"
PUT  /pkg  npm_ro       200 readonly  body="\\nauthorization: Bearer npm_ro\\n"
GET  /pkg  npm_revoked  200 revoked   body="\\nauthorization: Bearer npm_revoked\\n"
GET  /pkg  npm_other    200 unknown   body="\\nauthorization: Bearer npm_other\\n"
GET  /pkg  -            200 no_token  +"X-Npm-User: root"  body="$::neither"
PUT  /pkg  npm_full     200           +"X-Npm-User: root"  body="$::alice"
PUT  /pkg  npm_full     200           body="$::bare"
}



=== TEST 4: npmtoken_unknown anonymous: neither
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_unknown anonymous;
        npmtoken_identity X-Npm-User;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
qq{GET  /pkg  npm_other     200  +"X-Npm-User: root"  body="$::neither"
GET  /pkg  "Basic YTpi"  200  +"X-Npm-User: root"  body="$::neither"
GET  /pkg  -             200  +"X-Npm-User: root"  body="$::neither"
}



=== TEST 5: a forged header, however it is spelt
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
qq{GET  /pkg     npm_full    200  +"X-Npm-User: root"  body="$::alice"
GET  /pkg     npm_full    200  +"x-npm-user: root"  body="$::alice"
GET  /pkg     npm_full    200  +"X-NPM-USER: root"  body="$::alice"
GET  /pkg     npm_full    200  +"X-Npm-User: root"  +"X-Npm-User: admin" +"x-NPM-user: root"  body="$::alice"
GET  /pkg     npm_full    200  +"X_Npm_User: root"  body="$::alice"
GET  /pkg     npm_nobody  200  +"X-Npm-User: root"  body="$::none"
GET  /-/ping  -           200  +"X-Npm-User: root"  body="$::none"
GET  /-/ping  -           200  +"X-Npm-User: root" +"x-npm-user: admin"  body="$::none"
GET  /pkg     npm_full    200  +"X-Npm-User-Agent: mine" body="\\nx-npm-user-agent: mine\\n"
GET  /pkg     npm_full    200  +"X-Npm-Use: mine"        body="\\nx-npm-use: mine\\n"
}



=== TEST 6: a forged header with underscores, which nginx lets through
--- tokens eval: $::tokens
--- config eval
"    underscores_in_headers on;\n" . $::location . '
    location /off {
        npmtoken_identity X-Npm-User;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /free {
        proxy_pass http://$TEST_NGINX_ECHO;
    }
'
--- cases eval
qq{GET  /pkg     npm_full  200  +"X_Npm_User: root"  body="$::alice"
GET  /pkg     npm_full  200  +"X_NPM-user: root"  body="$::alice"
GET  /-/ping  -         200  +"X_Npm_User: root"  body="$::none"
GET  /-/ping  -         200  +"X-Npm_User: root" +"X_Npm-User: root"  body="$::none"
GET  /off     npm_full  200  +"X_Npm_User: root"  body="$::none"
GET  /free    npm_full  200  +"X_Npm_User: root"  body="\\nx_npm_user: root\\n"
}



=== TEST 7: a name that has underscores itself
--- tokens eval: $::tokens
--- config
    underscores_in_headers on;

    location / {
        npmtoken main;
        npmtoken_identity REMOTE_USER;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases
GET  /pkg     npm_full  200  +"Remote-User: root" +"REMOTE_USER: root" +"remote_user: x"  body="(?s)\A(?!.*\nremote-user)(?!.*\nremote_user.*\nremote_user).*\nremote_user: alice\n"
GET  /-/ping  -         200  +"Remote-User: root" +"REMOTE_USER: root"  body="(?s)\A(?!.*\nremote.user)"



=== TEST 8: auth_request, which asks before us, sees nothing forged
--- tokens eval: $::tokens
--- config
    underscores_in_headers on;
    npmtoken_identity X-Npm-User;

    location / {
        npmtoken main;
        auth_request /auth;
        auth_request_set $seen $upstream_http_x_seen;
        add_header X-Seen $seen always;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location = /auth {
        internal;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_FREE_PORT;
        underscores_in_headers on;

        location / {
            add_header X-Seen "user=$http_x_npm_user auth=$http_authorization";
            return 200 seen;
        }
    }
--- request eval
["GET /pkg", "GET /pkg", "GET /-/ping"]
--- more_headers eval
["Authorization: Bearer npm_full\nX-Npm-User: root",
 "Authorization: Bearer npm_full\nX_Npm_User: root", "x-npm-user: root"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-Seen: user= auth=Bearer npm_full", "X-Seen: user= auth=Bearer npm_full",
 "X-Seen: user= auth="]
--- response_body_like eval
[$::alice, $::alice, $::none]



=== TEST 9: a value of the operator's own
--- tokens eval: $::tokens
--- http_config
    map $npmtoken_user $mail {
        alice    alice@example.com;
        default  "";
    }
--- config
    npmtoken main;

    location / {
        npmtoken_identity X-Npm-User $mail;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /constant {
        npmtoken_identity X-Npm-User somebody;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /mixed {
        npmtoken_identity X-Npm-User "<$npmtoken_user>; ro=$npmtoken_readonly; key=$npmtoken_key";
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /client {
        npmtoken_identity X-Npm-User $http_x_npm_user;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
qq{GET  /pkg       npm_full    200  +"X-Npm-User: root"  body="\\nx-npm-user: alice\@example\\.com\\n"
GET  /pkg       npm_ro      200  +"X-Npm-User: root"  body="$::neither"
GET  /constant  npm_ro      200  +"X-Npm-User: root"  body="\\nx-npm-user: somebody\\n"
GET  /constant  npm_ro      200  body="$::bare"
GET  /mixed     npm_ro      200  body="\\nx-npm-user: <bob>; ro=1; key=[0-9a-f]{32}\\n"
GET  /client    npm_full    200  +"X-Npm-User: root"  body="$::neither"
GET  /-/ping    npm_full    200  +"X-Npm-User: root"  body="$::none"
GET  /constant  -           401  no_token
}



=== TEST 10: npmtoken_identity Authorization: the registry's own credentials
--- tokens eval: $::tokens
--- http_config
    map $npmtoken_user $registry_auth {
        alice    "Basic YWxpY2U6c2VjcmV0";
        default  "";
    }
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_identity Authorization $registry_auth;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
qq{GET     /pkg                                npm_full     200  body="(?s)\\A(?!.*\\nauthorization:.*\\nauthorization:).*\\nauthorization: Basic YWxpY2U6c2VjcmV0\\n"
PUT     /pkg                                npm_full     200  body="\\nauthorization: Basic YWxpY2U6c2VjcmV0\\n"
GET     /pkg                                npm_ro       200  body="$::bare"
GET     /pkg                                -            200  body="$::bare"
PUT     /-/user/org.couchdb.user:alice      npm_full     200  body="\\nauthorization: Bearer npm_full\\n"
PUT     /-/user/org.couchdb.user:alice      "Basic YTpi" 200  body="\\nauthorization: Basic YTpi\\n"
DELETE  /-/user/token/npm_revoked           npm_revoked  200  body="\\nauthorization: Bearer npm_revoked\\n"
GET     /pkg                                "Basic YTpi" 401  unknown
}



=== TEST 11: npmtoken_identity authorization, in another case
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_identity authorization "Token $npmtoken_user";
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /off {
        npmtoken_identity authorization "Token $npmtoken_user";
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases
GET  /pkg     npm_full  200  body="(?s)\A(?!.*\nauthorization:.*\nauthorization:).*\nauthorization: Token alice\n"
GET  /-/ping  npm_full  200  body="\nauthorization: Bearer npm_full\n"
GET  /off     npm_full  200  body="\nauthorization: Bearer npm_full\n"



=== TEST 12: npmtoken_identity off, and by default: Authorization is left alone
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /off {
        npmtoken_identity off;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases
GET  /pkg  npm_full  200  body="\nauthorization: Bearer npm_full\n"
GET  /off  npm_full  200  body="\nauthorization: Bearer npm_full\n"
GET  /off  npm_full  200  +"X-Npm-User: root"  body="\nx-npm-user: root\n"



=== TEST 13: CR LF in the path, in a value: no line is added
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User "$npmtoken_user $uri";
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /package/ {
        npmtoken main;
        npmtoken_base /package/;
        npmtoken_identity X-Npm-User "$npmtoken_package";
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
qq{GET  /pkg                                npm_full  200  body="\\nx-npm-user: alice /pkg\\n"
GET  /a%0d%0aX-Evil:%20root              npm_full  200  body="(?s)\\A(?!.*\\n(?:x-evil|x-npm-user|authorization):)"
GET  /a%0aX-Evil:%20root                 npm_full  200  body="(?s)\\A(?!.*\\n(?:x-evil|x-npm-user|authorization):)"
GET  /a%0dX-Evil:%20root                 npm_full  200  body="(?s)\\A(?!.*\\n(?:x-evil|x-npm-user|authorization):)"
GET  /a%7f                               npm_full  200  body="$::neither"
GET  /a%c3%a4                            npm_full  200  body="$::neither"
GET  /package/a                          npm_full  200  body="\\nx-npm-user: a\\n"
GET  /package/a%0d%0aX-Evil:%20root      npm_full  200  body="(?s)\\A(?!.*\\n(?:x-evil|x-npm-user|authorization):)"
}
--- error_log
the value of "npmtoken_identity" "X-Npm-User" is not printable ASCII, so no identity is sent



=== TEST 14: many header lines: lists of several parts
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
CORE::join "\n", map {
    my $n = $_;
    my $lines = $::many->($n);
    my $last = "(?s)\\nx-line-1: 1\\n.*\\nx-line-$n: $n\\n";

    qq{GET  /pkg     npm_full    200  $lines  body="$::alice"},
    qq{GET  /pkg     npm_full    200  $lines  body="$::bare"},
    qq{GET  /pkg     npm_full    200  $lines  body="$last"},
    qq{GET  /pkg     npm_full    200  +"X-Npm-User: root" $lines +"X-Npm-User: root"  body="$::alice"},
    qq{GET  /pkg     npm_full    200  +"X-Npm-User: root" $lines +"X-Npm-User: root"  body="$last"},
    qq{GET  /-/ping  npm_full    200  $lines +"X-Npm-User: root"  body="$::none"},
    qq{GET  /-/ping  npm_full    200  $lines +"X-Npm-User: root"  body="$last"};
} 15 .. 21, 36 .. 42, 60, 90



=== TEST 15: every one of many lines gets there, once, in its order
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
my $all = CORE::join '', map { "x-line-$_: $_\\n" } 1 .. 47;
qq{GET  /pkg  npm_full  200  } . $::many->(47) . qq{ +"X-Npm-User: root"  body="\\n${all}x-npm-user: alice\\n"}



=== TEST 16: nothing but forged lines
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
my $forged = '+"X-Npm-User: root" ' x 50;
qq{GET  /pkg     npm_full  200  $forged body="$::alice"
GET  /-/ping  -         200  $forged body="$::none"
}



=== TEST 17: beside proxy_set_header
--- tokens eval: $::tokens
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;
    proxy_set_header X-Outer outer;

    location / {
        proxy_set_header X-Inner inner;
        proxy_set_header Host npm.example.com;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /same {
        proxy_set_header X-Npm-User $npmtoken_user;
        proxy_set_header Authorization $http_authorization;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /empty {
        proxy_set_header X-Npm-User "";
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /bare {
        proxy_pass_request_headers off;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases eval
qq{GET  /pkg    npm_full  200  +"X-Npm-User: root"  body="$::alice"
GET  /pkg    npm_full  200  body="$::bare"
GET  /pkg    npm_full  200  body="\\nx-inner: inner\\n"
GET  /pkg    npm_full  200  body="\\nhost: npm\\.example\\.com\\n"
GET  /same   npm_full  200  +"X-Npm-User: root"  body="$::alice"
GET  /same   npm_full  200  body="$::bare"
GET  /empty  npm_full  200  +"X-Npm-User: root"  body="$::neither"
GET  /bare   npm_full  200  +"X-Npm-User: root"  body="$::neither"
}



=== TEST 18: other credentials are not ours to touch
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET  /pkg  npm_full  200  +"Proxy-Authorization: Basic a"  body="\nproxy-authorization: Basic a\n"
GET  /pkg  npm_full  200  +"Cookie: a=b"  body="\ncookie: a=b\n"
GET  /pkg  npm_full  200  +"npm-otp: 123456"  body="\nnpm-otp: 123456\n"
GET  /pkg  npm_full  200  +"X-Authorization: a"  body="\nx-authorization: a\n"



=== TEST 19: the next request on the connection starts anew
--- tokens eval: $::tokens
--- config eval: $::location
--- pipelined_requests eval
["GET /pkg", "GET /-/ping", "GET /pkg", "GET /-/ping"]
--- more_headers eval
["Authorization: Bearer npm_full\nX-Npm-User: root", "X-Npm-User: root",
 "Authorization: Bearer npm_ro", ""]
--- error_code eval
[200, 200, 200, 200]
--- response_body_like eval
[$::alice, $::none, '\nx-npm-user: bob\n', $::none]



=== TEST 20: what the log says of the headers
--- tokens eval: $::tokens
--- http_config
    log_format test escape=none '$http_x_npm_user|$http_authorization';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases
GET  /pkg     npm_full  200  +"X-Npm-User: root"
GET  /-/ping  -         200  +"X-Npm-User: root"
PUT  /pkg     npm_ro    403  readonly +"X-Npm-User: root"
--- test_lines
alice|
|
|Bearer npm_ro



=== TEST 21: a request with a body
--- tokens eval: $::tokens
--- config eval: $::location
--- request eval
"PUT /pkg\n" . 'x' x 100000
--- more_headers
Authorization: Bearer npm_full
X-Npm-User: root
--- response_body_like eval: $::alice



=== TEST 22: two names in two locations
--- tokens eval: $::tokens
--- config
    npmtoken main;

    location / {
        npmtoken_identity X-Npm-User;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /sso/ {
        npmtoken_identity X-SSO-USER;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases
GET  /pkg      npm_full  200  +"X-SSO-USER: root"  body="(?s)x-sso-user: root.*x-npm-user: alice"
GET  /sso/pkg  npm_full  200  +"X-SSO-USER: root"  body="(?s)\A(?!.*root).*\nx-sso-user: alice\n"



=== TEST 23: $remote_user, which nginx reads from Authorization: no name that nobody checked
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_unknown anonymous;
        npmtoken_identity X-Npm-User;
        proxy_set_header X-Remote-User $remote_user;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
    location /off {
        proxy_set_header X-Remote-User $remote_user;
        proxy_pass http://$TEST_NGINX_ECHO;
    }
--- cases
GET  /pkg  "Basic YWxpY2U6c2VjcmV0"  200  body="(?s)\A(?!.*\n(?:x-remote-user|authorization):)"
GET  /off  "Basic YWxpY2U6c2VjcmV0"  200  body="\nx-remote-user: alice\n"
GET  /pkg  npm_full                  200  body="(?s)\A(?!.*\nx-remote-user:).*\nx-npm-user: alice\n"
