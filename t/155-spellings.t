# The rest of what turns no write into a read, nor anything into a session or
# a logout: percent forms, bytes that nginx takes and a registry may take for
# something else, methods, tokens in every state and of every shape.  More of
# it is in 008-operations.t, and all that needs no nginx in the unit tests.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::HTTP1;

our $tokens = <<'_EOT_';
npm_full    user=alice
npm_ro      user=bob readonly=true
npm_shared  user=ci readonly=true protected=true
npm_dead    user=bob revoked_at=1
npm_old     user=bob expires_at=1
npm_far     user=bob cidr_whitelist=192.0.2.1
npm_bad     user=bob nonsense=1
a+b/c==     user=bob readonly=true
-._~+/a     user=bob readonly=true
a/b/c/d     user=bob readonly=true
/a          user=bob readonly=true
a/          user=bob readonly=true
./a         user=bob readonly=true
a/./b       user=bob readonly=true
..          user=bob readonly=true
f//f        user=alice
p//p        user=ci protected=true
d//d        user=bob revoked_at=1
_EOT_

our $location = <<'_EOT_';
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
_EOT_


# Bytes as they are, on a connection each: what came back, and the line that
# the registry saw.

sub raw {
    my @requests = @_;

    return sub {
        my $text = '';

        for (@requests) {
            my $c = NpmToken::HTTP1->new($ENV{TEST_NGINX_SERVER_PORT});
            my $seen = length registry_log();

            $c->write(s/\n/\r\nHost: localhost\r\nConnection: close\r\n/r
                      . "\r\n");

            my $response = $c->response;
            my ($reason) = ($response->{body} // '') =~ /"reason":"(\w+)"/;

            wait_for { length registry_log() > $seen } 'the registry'
                if $response->{status} == 200;

            my ($line) = substr(registry_log(), $seen) =~ /^(.*?) "/;

            s/\n.*//s;
            s/([^ -~])/sprintf '\\x%02x', ord $1/ge;

            $text .= "$_: $response->{status} "
                . ($reason // $line // '') . "\n";
        }

        return $text;
    };
}

run_tests();

__DATA__

=== TEST 1: sessions pass with whatever they carry
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
my @sessions = (
    'PUT   /-/user/org.couchdb.user:alice',
    'PUT   /-/user/org.couchdb.user:alice/-rev/3-a',
    'GET   /-/user/org.couchdb.user:alice?write=true',
    'POST  /-/v1/login',
    'POST  /-/npm/v1/oidc/token/exchange/package/pkg',
    'POST  /-/npm/v1/oidc/token/exchange/package/@s%2fpkg',
    'GET   /-/ping',
);
my @sent = (qw( - npm_full npm_ro npm_shared npm_dead npm_old npm_far npm_bad
                npm_none ), '"Basic YTpi"', '"Bearer,"', '"Bearer a b"',
            '"Digest x"', '"non sense"');

CORE::join "\n", map { my $s = $_; map {
    "$s $_ 200 user=\"\" " . ($_ eq '-' ? 'auth=""' : 'auth=sent')
} @sent } @sessions



=== TEST 2: the audit's questions, which are reads
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
my %answers = (
    npm_full => '200', npm_ro => '200', npm_shared => '200',
    npm_dead => '401 revoked', npm_old => '401 expired',
    npm_far => '401 cidr', npm_bad => '403 bad_record',
    npm_none => '401 unknown', '"Basic YTpi"' => '401 unknown',
    '"Bearer a b"' => '401 bad_token', '-' => '401 no_token',
);

CORE::join "\n", map { my $path = $_; map {
    "POST /-/npm/v1/security/$path $_ $answers{$_} "
    . ($answers{$_} eq '200' ? '' : 'op=read')
} sort keys %answers } qw( audits audits/quick advisories/bulk )



=== TEST 3: tokens are made and revoked by who may write
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
POST    /-/npm/v1/tokens                       npm_ro      403 readonly    op=write
POST    /-/npm/v1/tokens                       npm_shared  403 readonly    op=write
POST    /-/npm/v1/tokens/                      npm_ro      403 readonly    op=write
POST    /-/npm/v1/tokens?readonly=true         npm_ro      403 readonly    op=write
PUT     /-/npm/v1/tokens                       npm_ro      403 readonly    op=write
POST    /-/npm/v1/tokens                       npm_dead    401 revoked     op=write
POST    /-/npm/v1/tokens                       npm_far     401 cidr        op=write
POST    /-/npm/v1/tokens                       -           401 no_token    op=write
DELETE  /-/npm/v1/tokens/token/npm_ro          npm_ro      403 readonly    op=write
DELETE  /-/npm/v1/tokens/token/0123abcd        npm_ro      403 readonly    op=write
POST    /-/npm/v1/tokens                       npm_full    200



=== TEST 4: NUL, and what is no percent form
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET     /pkg%00                                npm_ro  400
PUT     /-/user/org.couchdb.user:a%00          -       400
PUT     /-/user/org.couchdb.user:a%00/../pkg   -       400
POST    /-/v1/login%00                         -       400
POST    /-/npm/v1/security/audits%00           npm_ro  400
DELETE  /-/user/token/x%00                     npm_ro  400
DELETE  /pkg%00/-/user/token/x                 npm_ro  400
PUT     /-/user/org.couchdb.user:a%            -       400
PUT     /-/user/org.couchdb.user:a%4           -       400
PUT     /-/user/org.couchdb.user:a%zz          -       400
DELETE  /-/user/token/x%                       npm_ro  400
DELETE  /-/user/token/%u0078                   npm_ro  400
DELETE  /-/user/token/%%378                    npm_ro  400
PUT     /-/user/org.couchdb.user:a%2500        -       401 no_token  op=write
DELETE  /-/user/token/npm_ro%2500              npm_ro  403 readonly  op=write
GET     /-/ping%2500                           -       401 no_token  op=read
--- registry_lines



=== TEST 5: overlong and other UTF-8
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /-/user/org.couchdb.user:a%c0%afb          -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:%c0%ae%c0%ae      -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:%e0%80%ae         -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%ef%bc%8fb       -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%c3%a9           -       401 no_token  op=write
PUT     /-/user%c0%aforg.couchdb.user:a            -       401 no_token  op=write
POST    /-%c0%afv1/login                           -       401 no_token  op=write
POST    /-/v1/login%c0%80                          -       401 no_token  op=write
POST    /-/v1/log%c4%b1n                           -       401 no_token  op=write
POST    /-/npm/v1/security/audits%c0%af            npm_ro  403 readonly  op=write
POST    /-/npm/v1/security%e0%80%afaudits          npm_ro  403 readonly  op=write
POST    /%e2%88%92/npm/v1/security/audits          npm_ro  403 readonly  op=write
DELETE  /-/user/token/%c1%aepm_ro                  npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro%e0%80%af              npm_ro  403 readonly  op=write
DELETE  /-/user/token%c0%afnpm_ro                  npm_ro  403 readonly  op=write
POST    /-/npm/v1/oidc/token/exchange/package/@s%c0%afp  -  401 no_token  op=write
GET     /%c0%af                                    npm_ro  200
PUT     /%c0%af-/v1/login                          npm_ro  403 readonly  op=write
--- registry_lines
GET /%c0%af "Bearer npm_ro" "-"



=== TEST 6: encoded twice, and what need not be encoded at all
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
GET     /%2540s%252fpkg                            npm_ro  200
PUT     /%2540s%252fpkg                            npm_ro  403 readonly  op=write
PUT     /%40s%2Fpkg                                npm_ro  403 readonly  op=write
PUT     /@s%2Fpkg                                  npm_ro  403 readonly  op=write
POST    /-/package/%40s%2Fpkg/access               npm_ro  403 readonly  op=write
POST    /-/npm/v1/security%252faudits              npm_ro  403 readonly  op=write
POST    /-/npm/v1/security%2faudits                npm_ro  403 readonly  op=write
POST    /%252d/npm/v1/security/audits              npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/%61udits                npm_ro  403 readonly  op=write
POST    /-/npm/v%31/security/audits                npm_ro  403 readonly  op=write
POST    /-/%76%31/login                            -       401 no_token  op=write
POST    /%2f-/v1/login                             -       401 no_token  op=write
POST    /%2e/-/v1/login                            -       401 no_token  op=write
PUT     /-/user/org%2ecouchdb.user:a               -       401 no_token  op=write
PUT     /-/user/org.couchdb.user%3Aa               -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:%252e%252e        -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%252e            -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:%61               -       200
GET     /-/%70ing                                  -       401 no_token  op=read
DELETE  /-/user/token/%256epm_ro                   npm_ro  403 readonly  op=write



=== TEST 7: ";", a backslash, other capitals
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
POST    /-/v1/login;a=b                            -       401 no_token  op=write
POST    /-/v1;a=b/login                            -       401 no_token  op=write
POST    /-;a=b/v1/login                            -       401 no_token  op=write
POST    /;/-/v1/login                              -       401 no_token  op=write
POST    /-/v1/login%3b                             -       401 no_token  op=write
PUT     /-/user;x/org.couchdb.user:a               -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%3bx             -       401 no_token  op=write
DELETE  /-/user/token;x/npm_ro                     npm_ro  403 readonly  op=write
DELETE  /-/user/token/;x/npm_ro                    npm_ro  403 readonly  op=write
DELETE  /pkg/..;/-/user/token/npm_ro               npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/audits;/quick           npm_ro  403 readonly  op=write
GET     /-/ping;x                                  -       401 no_token  op=read
GET     /pkg;x                                     npm_ro  200
DELETE  /-\user\token\npm_ro                       npm_ro  403 readonly  op=write
DELETE  /-/user/token\npm_ro                       npm_ro  403 readonly  op=write
DELETE  /pkg\..\-/user/token/npm_ro                npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro\                      npm_ro  403 readonly  op=write
DELETE  /-/user/token/npm_ro%5c..%5cx              npm_ro  403 readonly  op=write
PUT     /-/user/org.couchdb.user:a\..\..\..\pkg    -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a%5C..%5C         -       401 no_token  op=write
POST    /-/v1\login                                -       401 no_token  op=write
POST    /-/npm/v1/security\audits                  npm_ro  403 readonly  op=write
GET     /-\ping                                    -       401 no_token  op=read
POST    /-/V1/login                                -       401 no_token  op=write
POST    /-/NPM/v1/security/audits                  npm_ro  403 readonly  op=write
POST    /-/npm/v1/Security/audits/quick            npm_ro  403 readonly  op=write
POST    /-/npm/v1/security/advisories/BULK         npm_ro  403 readonly  op=write
PUT     /-/user/org.CouchDB.user:a                 -       401 no_token  op=write
DELETE  /-/User/token/npm_ro                       npm_ro  403 readonly  op=write
DELETE  /-/user/Token/npm_ro                       npm_ro  403 readonly  op=write
POST    /-/npm/v1/OIDC/token/exchange/package/pkg  -       401 no_token  op=write



=== TEST 8: something behind it: a slash, a dot, a blank
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
my @behind = qw( / // . .. /. /.. /./ %2e %2e%2e %2f %20 + %09 %7f : ~ .json
                 /x - %0a %0d%0a * );
my $denied = '403 readonly op=write';

CORE::join "\n", map {;
    "POST /-/v1/login$_ - 401 no_token op=write",
    "GET /-/ping$_ - 401 no_token op=read",
    "POST /-/npm/v1/security/audits$_ npm_ro $denied",
    "POST /-/npm/v1/security/audits/quick$_ npm_ro $denied",
    "POST /-/npm/v1/security/advisories/bulk$_ npm_ro $denied",
    "DELETE /-/user/token/npm_ro$_ npm_ro $denied",
} @behind
--- registry_lines



=== TEST 9: query strings
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
POST    /-/v1/login?x=y                                  -       200
POST    /-/npm/v1/security/audits?write=true             npm_ro  200
PUT     /-/user/org.couchdb.user:a?write=true            -       200
GET     /-/user/org.couchdb.user:a?write=%74rue          -       401 no_token  op=read
GET     /-/user/org.couchdb.user:a?WRITE=true            -       401 no_token  op=read
GET     /-/user/org.couchdb.user:a?write=true&           -       401 no_token  op=read
GET     /-/user/org.couchdb.user:a??write=true           -       401 no_token  op=read
GET     /-/user/org.couchdb.user:a?write=true?           -       401 no_token  op=read
GET     /-/user/org.couchdb.user:a?                      -       401 no_token  op=read
GET     /-/user/org.couchdb.user:a%3fwrite=true          -       401 no_token  op=read
GET     /-/user/alice?write=true                         -       401 no_token  op=read
GET     /pkg?write=true                                  -       401 no_token  op=read
GET     /pkg?write=true                                  npm_ro  200
PUT     /pkg?write=false                                 npm_ro  403 readonly  op=write
PUT     /pkg?/-/user/org.couchdb.user:a                  -       401 no_token  op=write
POST    /pkg?/-/npm/v1/security/audits                   npm_ro  403 readonly  op=write
POST    /?/-/npm/v1/security/audits                      npm_ro  403 readonly  op=write
POST    /pkg?_method=GET                                 npm_ro  403 readonly  op=write
DELETE  /pkg/-rev/1?method=GET                           npm_ro  403 readonly  op=write
DELETE  /pkg?/-/user/token/npm_ro                        npm_ro  403 readonly  op=write



=== TEST 10: paths with "-rev"
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
PUT     /pkg/-rev/1-a                                    npm_ro  403 readonly  op=write
PUT     /@s%2fpkg/-rev/1-a                               npm_ro  403 readonly  op=write
DELETE  /@s%2fpkg/-rev/undefined                         npm_ro  403 readonly  op=write
DELETE  /@s/pkg/-/pkg-1.0.0.tgz/-rev/1-a                 npm_ro  403 readonly  op=write
DELETE  /pkg/-rev/                                       npm_ro  403 readonly  op=write
DELETE  /-rev/1                                          npm_ro  403 readonly  op=write
DELETE  /-/-rev/1                                        npm_ro  403 readonly  op=write
GET     /pkg/-rev/1-a                                    npm_ro  200
PUT     /-/user/org.couchdb.user:a/-rev/1%2f2            -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/-rev/..               -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/-rev/%2e%2e           -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/-rev/1/..             -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/-Rev/1                -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/%2drev/1              -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/-rev/1/-rev/2         -       401 no_token  op=write
PUT     /-/user/org.couchdb.user:a/../pkg/-rev/1         -       401 no_token  op=write
DELETE  /-/user/org.couchdb.user:a/-rev/1                -       401 no_token  op=write
GET     /-/user/org.couchdb.user:a/-rev/1?write=true     -       401 no_token  op=read



=== TEST 11: methods that nobody knows are writes, or nginx refuses them
--- tokens eval: $::tokens
--- config eval: $::location
--- cases eval
my $writes = CORE::join '', map {
    "$_ /pkg npm_ro 403 readonly op=write\n$_ /-/ping - 401 no_token op=write\n"
    . "$_ /pkg npm_full 200\n"
} qw( POST PUT DELETE PATCH COPY MOVE LOCK UNLOCK PROPPATCH QUERY PURGE LINK
      REPORT SEARCH GETS XGET HEADER OPTION PUBLISH X );

$writes . "
TRACE    /pkg  npm_ro  405
TRACE    /pkg  npm_full  405
get      /pkg  npm_ro  400
Get      /pkg  npm_ro  400
OPTIONS  /pkg  npm_ro  200
OPTIONS  /-/ping  -    401 no_token  op=read
"



=== TEST 12: logout: the token in every shape
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
DELETE  /-/user/token/%6e%70%6d%5f%72%6f    npm_ro    200
DELETE  /-/user/token/%6E%70%6D%5F%72%6F    npm_ro    200
DELETE  /-/user/token/npm_ro                "bearer npm_ro"  200
DELETE  /-/user/token/a+b/c==               a+b/c==   200
DELETE  /-/user/token/a%2Bb%2Fc%3D%3D       a+b/c==   200
DELETE  /-/user/token/a+b%2fc==             a+b/c==   200
DELETE  /-/user/token/a%20b%2fc==           a+b/c==   403 readonly  op=write
DELETE  /-/user/token/a%252Bb%252Fc         a+b/c==   403 readonly  op=write
DELETE  /-/user/token/a+b/c=                a+b/c==   403 readonly  op=write
DELETE  /-/user/token/a+b/c                 a+b/c==   403 readonly  op=write
DELETE  /-/user/token/-._~+/a               -._~+/a   200
DELETE  /-/user/token/a/b%2fc/d             a/b/c/d   200
DELETE  /-/user/token/a//b/c/d              a/b/c/d   403 readonly  op=write
DELETE  /-/user/token/a/b/./c/d             a/b/c/d   403 readonly  op=write
DELETE  /-/user/token/a/b/x/../c/d          a/b/c/d   403 readonly  op=write
DELETE  /-/user/token/npm_ro                "Basic YTpi"     401 unknown  op=write
DELETE  /-/user/token/Bearer%20npm_ro       npm_ro    403 readonly  op=write
DELETE  /-/user/token/npm_shared            npm_shared  403 protected  op=logout
DELETE  /-/user/token/npm%5fshared          npm_shared  403 protected  op=logout
DELETE  /-/user/token/npm_bad               npm_bad   403 bad_record  op=logout



=== TEST 13: ... one with an empty or a dot segment goes as any other write
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
DELETE  /-/user/token//a              /a       403 readonly  op=write
DELETE  /-/user/token/%2fa            /a       403 readonly  op=write
DELETE  /-/user/token/a/              a/       403 readonly  op=write
DELETE  /-/user/token/a%2f            a/       403 readonly  op=write
DELETE  /-/user/token/./a             ./a      403 readonly  op=write
DELETE  /-/user/token/%2e%2fa         ./a      403 readonly  op=write
DELETE  /-/user/token/a%2f.%2fb       a/./b    403 readonly  op=write
DELETE  /-/user/token/%2e%2e          ..       403 readonly  op=write
DELETE  /-/user/token/d%2f%2fd        d//d     401 revoked   op=write
DELETE  /-/user/token/g%2f%2fg        g//g     401 unknown   op=write
DELETE  /-/user/token/f%2f%2ff        f//f     200
DELETE  /-/user/token/f//f            f//f     200
DELETE  /-/user/token/p%2f%2fp        p//p     200



=== TEST 14: the exchange of a CI system's token
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
POST    /-/npm/v1/oidc/token/exchange/package/@s%2Fpkg      "Bearer ey.J.x"  200 auth=sent
POST    /-/npm/v1/oidc/token/exchange/package/pkg?x         "Bearer ey.J.x"  200 auth=sent
POST    /-/npm/v1/oidc/token/exchange/package/@s%252fpkg    -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/@s%2fa%2fb    -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/@s%2f%2fpkg   -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/s%2fpkg       -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/@s%5cpkg      -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/..            -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/pkg/../../x   -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/pkg%20        -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package/pkg/          -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange/package               -       401 no_token  op=write
POST    /-/npm/v1/oidc/token/exchange                       -       401 no_token  op=write
POST    /-/npm/v1/oidc/token                                -       401 no_token  op=write
PUT     /-/npm/v1/oidc/token/exchange/package/pkg           -       401 no_token  op=write
GET     /-/npm/v1/oidc/token/exchange/package/pkg           -       401 no_token  op=read
DELETE  /-/npm/v1/oidc/token/exchange/package/pkg           npm_ro  403 readonly  op=write



=== TEST 15: headers that name another method or another path
--- tokens eval: $::tokens
--- config eval: $::location
--- cases
POST    /-/v1/login                     -       401 no_token  op=write  +"X-HTTP-Method-Override: POST"
POST    /-/npm/v1/security/audits       npm_ro  403 readonly  op=write  +"X-Method-Override: GET"
POST    /pkg                            npm_ro  403 readonly  op=write  +"X-HTTP-Method-Override: GET"
GET     /pkg                            npm_ro  403 readonly  op=write  +"X-HTTP-METHOD: DELETE" +"X-HTTP-Method: GET"
OPTIONS /pkg                            npm_ro  403 readonly  op=write  +"X-HTTP-Method-Override: DELETE"
DELETE  /-/user/token/npm_ro            npm_ro  403 readonly  op=write  +"X-Method-Override: DELETE"
PUT     /pkg                            npm_ro  403 readonly  op=write  +"X-Original-URL: /-/v1/login"
PUT     /pkg                            npm_ro  403 readonly  op=write  +"X-Rewrite-URL: /-/user/org.couchdb.user:a"
POST    /pkg                            npm_ro  403 readonly  op=write  +"Content-Type: application/x-www-form-urlencoded" +"Referer: http://localhost/-/v1/login"



=== TEST 16: bytes as they are
--- no_http2
--- tokens eval: $::tokens
--- config eval
$::location . '
    location = /start {
        return 200;
    }
'
--- request
GET /start
--- response_body_filters eval
main::raw(map { s/ AS (\S+)/\nAuthorization: Bearer $1\r\n/r . (/ AS / ? '' : "\n") } (
    "PUT /-/user/org.couchdb.user:a HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\xc0\xafb HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\xc3\xa4 HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\xff HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\x01 HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\x7f HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\t HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a\0 HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a b HTTP/1.1",
    "PUT  /-/user/org.couchdb.user:a HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a  HTTP/1.1",
    "PUT /-/user/org.couchdb.user:a HTTP/1.0",
    "PUT /-/user/org.couchdb.user:a HTTP/2.0",
    "PUT -/user/org.couchdb.user:a HTTP/1.1",
    "PUT //-/user/org.couchdb.user:a HTTP/1.1",
    "PUT ///localhost/-/user/org.couchdb.user:a HTTP/1.1",
    "PUT http://localhost//-/user/org.couchdb.user:a HTTP/1.1",
    "PUT HTTP://LOCALHOST/-/user/org.couchdb.user:a HTTP/1.1",
    "PUT http:/-/user/org.couchdb.user:a HTTP/1.1",
    "PUT http://localhost\\-/user/org.couchdb.user:a HTTP/1.1",
    "PUT http://u:p\@localhost/-/user/org.couchdb.user:a HTTP/1.1",
    "PUT * HTTP/1.1",
    "OPTIONS * HTTP/1.1 AS npm_ro",
    "POST /-/npm/v1/security/audits\xc0\xaf HTTP/1.1 AS npm_ro",
    "POST /-/npm/v1/security/audits HTTP/1.1 AS npm_ro",
    "DELETE /-/user/token/npm_ro\xff HTTP/1.1 AS npm_ro",
    "DELETE /-/user/token/npm_ro HTTP/1.1 AS npm_ro",
    "GET /-/ping\xa0 HTTP/1.1",
    "POST \\-\\v1\\login HTTP/1.1",
    "GET- /pkg HTTP/1.1 AS npm_ro",
    "GET_ /pkg HTTP/1.1 AS npm_ro",
    "HEAD-GET /pkg HTTP/1.1 AS npm_ro",
))
--- response_body
PUT /-/user/org.couchdb.user:a HTTP/1.1: 200 PUT /-/user/org.couchdb.user:a
PUT /-/user/org.couchdb.user:a\xc0\xafb HTTP/1.1: 401 no_token
PUT /-/user/org.couchdb.user:a\xc3\xa4 HTTP/1.1: 401 no_token
PUT /-/user/org.couchdb.user:a\xff HTTP/1.1: 401 no_token
PUT /-/user/org.couchdb.user:a\x01 HTTP/1.1: 400 
PUT /-/user/org.couchdb.user:a\x7f HTTP/1.1: 400 
PUT /-/user/org.couchdb.user:a\x09 HTTP/1.1: 400 
PUT /-/user/org.couchdb.user:a\x00 HTTP/1.1: 400 
PUT /-/user/org.couchdb.user:a b HTTP/1.1: 400 
PUT  /-/user/org.couchdb.user:a HTTP/1.1: 200 PUT /-/user/org.couchdb.user:a
PUT /-/user/org.couchdb.user:a  HTTP/1.1: 200 PUT /-/user/org.couchdb.user:a
PUT /-/user/org.couchdb.user:a HTTP/1.0: 200 PUT /-/user/org.couchdb.user:a
PUT /-/user/org.couchdb.user:a HTTP/2.0: 505 
PUT -/user/org.couchdb.user:a HTTP/1.1: 400 
PUT //-/user/org.couchdb.user:a HTTP/1.1: 401 no_token
PUT ///localhost/-/user/org.couchdb.user:a HTTP/1.1: 401 no_token
PUT http://localhost//-/user/org.couchdb.user:a HTTP/1.1: 401 no_token
PUT HTTP://LOCALHOST/-/user/org.couchdb.user:a HTTP/1.1: 200 PUT /-/user/org.couchdb.user:a
PUT http:/-/user/org.couchdb.user:a HTTP/1.1: 400 
PUT http://localhost\-/user/org.couchdb.user:a HTTP/1.1: 400 
PUT http://u:p@localhost/-/user/org.couchdb.user:a HTTP/1.1: 400 
PUT * HTTP/1.1: 400 
OPTIONS * HTTP/1.1: 400 
POST /-/npm/v1/security/audits\xc0\xaf HTTP/1.1: 403 readonly
POST /-/npm/v1/security/audits HTTP/1.1: 200 POST /-/npm/v1/security/audits
DELETE /-/user/token/npm_ro\xff HTTP/1.1: 403 readonly
DELETE /-/user/token/npm_ro HTTP/1.1: 200 DELETE /-/user/token/npm_ro
GET /-/ping\xa0 HTTP/1.1: 401 no_token
POST \-\v1\login HTTP/1.1: 400 
GET- /pkg HTTP/1.1: 403 readonly
GET_ /pkg HTTP/1.1: 403 readonly
HEAD-GET /pkg HTTP/1.1: 403 readonly
