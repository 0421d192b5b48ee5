# The ways in which proxy_pass hands a request on: as it came, with another
# path, to a server whose name is a variable, on kept connections.  What was
# judged is what the registry gets, or something no better.
#
# The registry is here one that shows the request as it came, line by line.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use IO::Socket::UNIX;
use NpmToken::Util qw( spawn temp_dir );

BEGIN {
    my $socket = temp_dir() . '/lines';

    $ENV{TEST_NGINX_LINES} = "unix:$socket";

    # keeps its connections, and counts the requests on each

    spawn(temp_dir() . '/lines.log', $^X, '-MIO::Socket::UNIX', '-e', <<'_EOT_',
        my $server = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 64)
            or die "listen: $!";
        chmod 0777, $ARGV[0];
        $SIG{CHLD} = 'IGNORE';

        while (my $client = $server->accept) {
            fork and next;

            my $n = 0;

            while (my $body = <$client>) {
                my $length = 0;

                while (<$client>) {
                    last if !/[^\r\n]/;
                    $length = $1 if /^Content-Length: (\d+)/i;
                    $body .= $_;
                }

                read $client, my $sent, $length if $length;

                $n++;
                $body =~ s/\r//g;
                $body .= "request $n of this connection\n";

                print $client "HTTP/1.1 200 OK\r\nX-Registry: yes\r\n",
                    'Content-Length: ', length $body, "\r\n\r\n$body";
                $client->flush;
            }

            exit;
        }
_EOT_
        $socket);

    wait_for { IO::Socket::UNIX->new(Peer => $socket) } 'the registry';
}

our $tokens = <<'_EOT_';
npm_full    user=alice
npm_ro      user=bob readonly=true
npm_1       user=anna
npm_2       user=bert
dG9r/ZW4=   user=base readonly=true
_EOT_

our $upstream = <<'_EOT_';
    upstream lines {
        server     $TEST_NGINX_LINES;
        keepalive  4;
    }
_EOT_

# "METHOD PATH CREDENTIALS EXPECTED" and, where the registry is to be asked,
# "-> PATH" that it gets

sub cases {
    return join '', map {
        my ($case, $path) = / -> / ? split / -> / : ($_);
        my ($method) = split ' ', $case;

        $path = quotemeta $path if defined $path;
        $path = defined $path && $method ne 'HEAD'
            ? qq{ body="(?s)\\A$method $path HTTP/1\\.[01]\\n"} : '';

        "$case$path\n";
    } map { s/ +/ /gr } grep { /\S/ } split /\n/, shift;
}

run_tests();

__DATA__

=== TEST 1: no URI: as it was sent
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    location / {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://lines;
    }
--- cases eval
main::cases(<<'_EOT_')
GET    /npm/@s%2fpkg                              npm_ro    200 -> /npm/@s%2fpkg
GET    /npm/%40s%2Fpkg?a=%2f&b                    npm_ro    200 -> /npm/%40s%2Fpkg?a=%2f&b
GET    /npm/a//b/./c/../d                         npm_ro    200 -> /npm/a//b/./c/../d
PUT    /npm/@s%2fpkg                              npm_full  200 -> /npm/@s%2fpkg
PUT    /npm/@s%2fpkg                              npm_ro    403 readonly
POST   /npm/-/npm/v1/security/audits/quick        npm_ro    200 -> /npm/-/npm/v1/security/audits/quick
DELETE /npm/-/user/token/npm%5fro                 npm_ro    200 -> /npm/-/user/token/npm%5fro
PUT    /npm/-/user/org.couchdb.user:a%20b         -         200 -> /npm/-/user/org.couchdb.user:a%20b
POST   /npm/-/npm/v1/oidc/token/exchange/package/@s%2fp  -  200 -> /npm/-/npm/v1/oidc/token/exchange/package/@s%2fp
PUT    /npm/pkg/../-/user/org.couchdb.user:a      -         401 no_token op=write
_EOT_



=== TEST 2: the URI "/": decoded, made canonical, encoded anew
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://lines/;
    }
--- cases eval
main::cases(<<'_EOT_')
GET    /npm/@s%2fpkg                              npm_ro    200 -> /@s/pkg
GET    /npm/a//b/./c/../d?a=%2f                   npm_ro    200 -> /a/b/d?a=%2f
GET    /npm/pkg%3fwrite=true                      npm_ro    200 -> /pkg%3Fwrite=true
PUT    /npm/@s%2fpkg                              npm_full  200 -> /@s/pkg
PUT    /npm/@s%2fpkg                              npm_ro    403 readonly
POST   /npm/-/npm/v1/security/audits/quick        npm_ro    200 -> /-/npm/v1/security/audits/quick
DELETE /npm/-/user/token/npm%5fro                 npm_ro    200 -> /-/user/token/npm_ro
DELETE /npm/-/user/token/dG9r%2FZW4%3D            dG9r/ZW4= 200 -> /-/user/token/dG9r/ZW4=
PUT    /npm/-/user/org.couchdb.user:a%20b         -         200 -> /-/user/org.couchdb.user:a%20b
POST   /npm/-/npm/v1/oidc/token/exchange/package/@s%2fp  -  200 -> /-/npm/v1/oidc/token/exchange/package/@s/p
PUT    /npm/pkg/../-/user/org.couchdb.user:a      -         401 no_token op=write
PUT    /npm//-/user/org.couchdb.user:a            -         401 no_token op=write
POST   /npm/%2d/npm/v1/security/audits            npm_ro    403 readonly op=write
DELETE /npm/-%2fuser%2ftoken%2fnpm_ro             npm_ro    403 readonly op=write
_EOT_



=== TEST 3: a URI that is another path
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://lines/repository/npm-private/;
    }
    location / {
        npmtoken main;
        proxy_pass http://$TEST_NGINX_LINES:/repository/npm-public/;
    }
--- cases eval
main::cases(<<'_EOT_')
GET    /npm/pkg                                   npm_ro    200 -> /repository/npm-private/pkg
POST   /npm/-/npm/v1/security/audits              npm_ro    200 -> /repository/npm-private/-/npm/v1/security/audits
PUT    /npm/-/user/org.couchdb.user:a             -         200 -> /repository/npm-private/-/user/org.couchdb.user:a
DELETE /npm/-/user/token/npm_ro                   npm_ro    200 -> /repository/npm-private/-/user/token/npm_ro
DELETE /npm/pkg/-rev/1                            npm_ro    403 readonly op=write
POST   /-/npm/v1/security/audits                  npm_ro    200 -> /repository/npm-public/-/npm/v1/security/audits
GET    /-/ping                                    -         200 -> /repository/npm-public/-/ping
GET    /pkg                                       -         401 no_token
PUT    /pkg                                       npm_full  200 -> /repository/npm-public/pkg
_EOT_



=== TEST 4: a location without its slash: what nginx joins is judged as it was sent
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    location /npm {
        npmtoken main;
        npmtoken_base /npm/;
        proxy_pass http://lines/;
    }
    location /reg {
        npmtoken main;
        npmtoken_base /reg/;
        proxy_pass http://lines;
    }
    location /bare {
        npmtoken main;
        npmtoken_base /bare/;
        proxy_pass http://lines/-/user;
    }
--- cases eval
main::cases(<<'_EOT_')
PUT    /npm-/user/org.couchdb.user:a              -         401 no_token op=write
PUT    /npm%2d/user/org.couchdb.user:a            -         401 no_token op=write
POST   /npm-/npm/v1/security/audits               npm_ro    403 readonly op=write
DELETE /npm-/user/token/npm_ro                    npm_ro    403 readonly op=write
DELETE /npm-/user/token/npm_full                  npm_full  200 -> /-/user/token/npm_full
PUT    /npm/-/user/org.couchdb.user:a             -         200 -> //-/user/org.couchdb.user:a
PUT    /reg-/user/org.couchdb.user:a              -         401 no_token op=write
PUT    /reg/-/user/org.couchdb.user:a             -         200 -> /reg/-/user/org.couchdb.user:a
DELETE /bare/token/other                          npm_ro    403 readonly op=write
_EOT_



=== TEST 5: the server in a variable, with the path as it was sent
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    npmtoken main;
    npmtoken_base /npm/;
    set $backend lines;

    location /npm/ {
        proxy_pass http://$backend;
    }
    location /npm/uri/ {
        proxy_pass http://$backend$request_uri;
    }
    location ~ ^/npm/to/(?<where>lines)/ {
        proxy_pass http://$where;
    }
--- cases eval
main::cases(<<'_EOT_')
GET    /npm/@s%2fpkg?a=%2f                        npm_ro    200 -> /npm/@s%2fpkg?a=%2f
GET    /npm/uri/@s%2fpkg?a=%2f                    npm_ro    200 -> /npm/uri/@s%2fpkg?a=%2f
GET    /npm/to/lines/@s%2fpkg                     npm_ro    200 -> /npm/to/lines/@s%2fpkg
PUT    /npm/-/user/org.couchdb.user:a             -         200 -> /npm/-/user/org.couchdb.user:a
POST   /npm/-/npm/v1/security/audits              npm_ro    200 -> /npm/-/npm/v1/security/audits
GET    /npm/uri/a%0d%0aX-Npm-User:%20root         npm_ro    200 -> /npm/uri/a%0d%0aX-Npm-User:%20root
DELETE /npm/uri/../-/user/token/npm_ro            npm_ro    403 readonly op=write
PUT    /npm/to/lines/pkg                          npm_ro    403 readonly op=write
_EOT_



=== TEST 6: line ends in a path: a rewritten one is encoded anew
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location /uri/ {
        proxy_pass http://lines/;
    }
    location /rewritten/ {
        rewrite ^/rewritten/((?:.|\n)*)$ /$1 break;
        proxy_pass http://lines;
    }
--- cases eval
main::cases(<<'_EOT_')
GET    /uri/a%20HTTP/1.0%0d%0aX-Npm-User:%20root%0d%0aX-Rest:        npm_ro  200 -> /a%20HTTP/1.0%0D%0AX-Npm-User:%20root%0D%0AX-Rest:
GET    /rewritten/a%20HTTP/1.0%0d%0aX-Npm-User:%20root%0d%0aX-Rest:  npm_ro  200 -> /a%20HTTP/1.0%0D%0AX-Npm-User:%20root%0D%0AX-Rest:
_EOT_



=== TEST 7: ... CONTROL: a decoded path in a variable is not: that is no way to send one
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        proxy_pass http://lines$uri;
    }
    location ~ ^/captured/((?:.|\n)*)$ {
        proxy_pass http://lines/$1;
    }
--- cases eval
my $forged = 'body="(?s)\AGET /a HTTP/1\.0\nX-Npm-User: root\n"';

qq{GET  /a%20HTTP/1.0%0d%0aX-Npm-User:%20root%0d%0aX-Rest:           npm_ro  200 $forged
GET  /captured/a%20HTTP/1.0%0d%0aX-Npm-User:%20root%0d%0aX-Rest:  npm_ro  200 $forged
}



=== TEST 8: kept connections to the registry: each request has its own identity
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;
    npmtoken_anonymous read;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / {
        proxy_pass http://lines;
    }
--- cases
GET     /pkg                            npm_1     200  body="(?si)\A(?!.*\nAuthorization).*\nX-Npm-User: anna\n.*request 1 of"
GET     /pkg                            npm_2     200  body="(?si)\A(?!.*\nAuthorization).*\nX-Npm-User: bert\n.*request 2 of"
PUT     /pkg                            npm_ro    403  readonly
GET     /pkg                            -         200  body="(?si)\A(?!.*\n(?:Authorization|X-Npm-User):).*request 3 of"
PUT     /-/user/org.couchdb.user:a      npm_1     200  body="(?si)\A(?!.*\nX-Npm-User:).*\nAuthorization: Bearer npm_1\n.*request 4 of"
GET     /pkg                            npm_2     200  body="(?si)\A(?!.*\nAuthorization).*\nX-Npm-User: bert\n.*request 5 of"
GET     /pkg                            npm_none  401  unknown
DELETE  /-/user/token/npm_none          npm_none  200  body="(?si)\A(?!.*\nX-Npm-User:).*\nAuthorization: Bearer npm_none\n.*request 6 of"
GET     /pkg                            npm_1     200  body="(?si)\A(?!.*\nAuthorization).*\nX-Npm-User: anna\n.*request 7 of"  +"X-Npm-User: root"



=== TEST 9: no header of the client's is passed on: no identity either
--- tokens eval: $::tokens
--- http_config eval: $::upstream
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass_request_headers off;
        proxy_pass http://lines;
    }
--- cases
GET  /pkg  npm_1  200  +"X-Npm-User: root"  body="(?si)\A(?!.*\n(?:Authorization|X-Npm-User):)"



=== TEST 10: a second registry where the first does not answer: each by its own store
--- tokens eval: $::tokens
--- http_config eval
$::upstream . '
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
    npmtoken_store other {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
        prefix other:;
    }
'
--- init
redis('HSET', 'other:token:' . token_key('npm_1'), 'user', 'dora',
      'readonly', 'true')
--- config
    npmtoken_identity X-Npm-User;

    location / {
        npmtoken main;
        error_page 502 = @second;
        proxy_pass http://unix:$TEST_NGINX_DIR/nobody;
    }
    location @second {
        npmtoken other;
        proxy_pass http://lines;
    }
--- cases
GET  /pkg  npm_1  200  body="\nX-Npm-User: dora\n"
PUT  /pkg  npm_1  403  readonly
GET  /pkg  npm_2  401  unknown
GET  /pkg  -      401  no_token
--- allow_log
connect\(\) to unix:.* failed
