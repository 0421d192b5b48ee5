# "npmtoken_api_login proxy": the registry behind says whether a password is
# right, and nothing that a client sends makes it say so of another one.
#
# The registry is here an nginx that answers as one; what it was asked is in
# logs/test.log.

use strict;
use warnings;

use lib 't/lib';
use NpmToken::Logins;
use NpmToken;

use IO::Socket::UNIX;
use NpmToken::Util qw( read_file temp_dir );

# takes connections, and never answers

my $silent = IO::Socket::UNIX->new(Local => temp_dir() . '/silent',
                                   Listen => 16) or die "listen: $!";

chmod 0777, temp_dir() . '/silent';

# a registry that answers with one status, whatever the password

our $statuses = join '',
    "    server {\n        listen unix:\$TEST_NGINX_DIR/statuses;\n",
    "        access_log off;\n",
    (map { <<"_EOC_" }
        location /-/user/org.couchdb.user:s$_ {
            return $_ '{"ok":true,"token":"npm_of_the_registry"}';
        }
_EOC_
     200, 201, 202, 204, 206, 400, 401, 403, 404, 405, 408, 409, 410, 422, 429,
     500, 501, 502, 503, 504),
    (map { <<"_EOC_" }
        location /-/user/org.couchdb.user:s$_ {
            return $_ /-/user/org.couchdb.user:s201;
        }
_EOC_
     301, 302, 303, 307, 308),
    "    }\n";

our $tokens = "npm_alice user=alice\n";

# what a login of alice is to the registry

sub alice {
    my ($path, $password, @more) = @_;

    my %headers = (accept => 'application/json', host => 'logins',
                   content_type => 'application/json', @more);

    my $headers = join '', map { " $_=$headers{$_}" } sort keys %headers;

    return "PUT $path$headers {\"_id\":\"org.couchdb.user:alice\","
        . "\"name\":\"alice\",\"password\":\"$password\",\"type\":\"user\","
        . "\"roles\":[],\"date\":\"\"}\n";
}

# Where in the configuration of TEST_NGINX "proxy" is, a location has all that
# it needs

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config',
        $block->config =~ s/^(\s*)PROXY;$/$1npmtoken main;\n$1npmtoken_api main;
$1npmtoken_api_login proxy;/mgr) if defined $block->config;
});


# all that nginx has written but what its registry has

sub passwords {
    my $root = $ENV{TEST_NGINX_SERVROOT};

    my @files = grep { -f && !m{/logs/test\.log\z} }
        glob "$root/logs/* $root/*_temp/* $root/*_temp/*/*";

    @files >= 2 or die "no logs in $root\n";

    return map { "$_\n" } grep { read_file($_) =~ /right-or-wrong/ } @files;
}

sub and_passwords { return sub { $_[0] . join '', passwords() } }


run_tests();

__DATA__

=== TEST 1: a password that the registry takes, and one that it does not
--- config
    location / {
        PROXY;
        npmtoken_api_attempts 2 100;
        proxy_pass http://logins;
    }
--- logins
alice  wrong  401
alice  right  201
alice  right  201
bob    right  201
alice  wrong  401
alice  right  429



=== TEST 2: it is asked as npm asks, and gets nothing else of what came
--- config
    location / {
        PROXY;
        npmtoken_unknown pass;
        npmtoken_identity X-Npm-User;
        proxy_pass http://logins;
    }
--- more_headers
Authorization: Basic YWxpY2U6cmlnaHQ=
Proxy-Authorization: Basic YWxpY2U6cmlnaHQ=
Cookie: a=b
X-Npm-User: alice
npm-otp: 123456
npm-auth-type: legacy
Accept: text/html
Accept-Encoding: gzip
Range: bytes=0-1
If-Match: "a"
If-None-Match: "b"
Content-Type: text/plain
Content-Encoding: identity
X-HTTP-Method-Override: GET
X-Other: yes
User-Agent: npm/11
X-Forwarded-For: 192.0.2.7
--- request eval
'PUT /-/user/org.couchdb.user:a%40b.c%2Bd?x=y
{"name":"a@b.c+d","password":"\"\\\\q\u00e4","type":"x","roles":["admin"]}'
--- error_code: 401
--- response_body
{"error":"The user name or the password is wrong."}
--- test_lines eval
'PUT /-/user/org.couchdb.user:a%40b.c%2Bd accept=application/json '
. 'content_type=application/json host=logins user_agent=npm/11 '
. 'x_forwarded_for=192.0.2.7 '
. '{"_id":"org.couchdb.user:a@b.c+d","name":"a@b.c+d",'
. "\"password\":\"\\\"\\\\q\xc3\xa4\","
. '"type":"user","roles":[],"date":""}' . "\n"



=== TEST 3: an email goes there, too: it may be how one signs up
--- config
    location / {
        PROXY;
        proxy_pass http://logins;
    }
--- request eval
'PUT /-/user/org.couchdb.user:alice
{"name":"alice","password":"right","email":"a@example.com"}'
--- error_code: 201
--- response_body_like: "token":"npm_
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right')
=~ s/\}$/,"email":"a\@example.com"}/r



=== TEST 4: the second try of npm is a login as the first
--- config
    location / {
        PROXY;
        proxy_pass http://logins;
    }
--- request eval
'PUT /-/user/org.couchdb.user:alice/-rev/1-a
{"name":"alice","password":"right","_rev":"1-a"}'
--- error_code: 201
--- response_body_like: "token":"npm_
--- test_lines eval: main::alice('/-/user/org.couchdb.user:alice', 'right')



=== TEST 5: to make a token, it is asked by a login
--- tokens eval: $::tokens
--- config
    location / {
        PROXY;
        npmtoken_identity X-Npm-User;
        proxy_pass http://logins;
    }
--- logins
create npm_alice  wrong  401  +?x=y
create npm_alice  right  200  +"X-Other: yes"
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'wrong')
. main::alice('/-/user/org.couchdb.user:alice', 'right')



=== TEST 6: ... with a name that has to be encoded
--- tokens
npm_6  user=a@b.c+d
--- config
    location / {
        PROXY;
        proxy_pass http://logins;
    }
--- logins
create npm_6  right  200
--- test_lines eval
main::alice('/-/user/org.couchdb.user:a%40b.c%2Bd', 'right')
=~ s/alice/a\@b.c+d/gr



=== TEST 7: a base that the registry has, too
--- tokens eval: $::tokens
--- config
    location /npm/ {
        PROXY;
        npmtoken_base /npm/;
        proxy_pass http://logins;
    }
--- logins
alice             right  201  at=/npm/
create npm_alice  right  200  at=/npm/
--- test_lines eval
main::alice('/npm/-/user/org.couchdb.user:alice', 'right') x 2



=== TEST 8: ... one that proxy_pass replaces
--- tokens eval: $::tokens
--- config
    location /npm/ {
        PROXY;
        npmtoken_base /npm/;
        proxy_pass http://logins/of/it/;
    }
--- logins
alice             right  201  at=/npm/
create npm_alice  right  200  at=/npm/
--- test_lines eval
main::alice('/of/it/-/user/org.couchdb.user:alice', 'right') x 2



=== TEST 9: ... one that a rewrite takes away
--- tokens eval: $::tokens
--- config
    location /npm/ {
        PROXY;
        npmtoken_base /npm/;
        rewrite ^/npm(/.*)$ $1 break;
        proxy_pass http://logins;
    }
--- logins
alice             right  201  at=/npm/
create npm_alice  right  200  at=/npm/
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right') x 2



=== TEST 10: ... one that a regex has captured the rest of
--- tokens eval: $::tokens
--- config
    location ~ ^/npm(?<rest>/.*)$ {
        PROXY;
        npmtoken_base /npm/;
        proxy_set_header X-Set $rest;
        proxy_pass http://logins$1;
    }
--- logins
alice             right  201  at=/npm/
create npm_alice  right  200  at=/npm/
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right',
            x_set => '/-/user/org.couchdb.user:alice') x 2



=== TEST 11: a server and a path of variables
--- tokens eval: $::tokens
--- config
    location / {
        PROXY;
        set $backend logins;
        proxy_pass http://$backend$request_uri;
    }
--- logins
alice             right  201
create npm_alice  right  200
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right') x 2



=== TEST 12: each call in a location of its own
--- tokens eval: $::tokens
--- config
    location = /-/npm/v1/tokens {
        PROXY;
        proxy_pass http://logins/elsewhere;
    }

    location /-/user/ {
        PROXY;
        proxy_pass http://logins/logins/;
    }
--- logins
alice             right  201
create npm_alice  right  200
create npm_alice  wrong  401
--- test_lines eval
main::alice('/logins/org.couchdb.user:alice', 'right') x 2
. main::alice('/logins/org.couchdb.user:alice', 'wrong')



=== TEST 13: a named location, by try_files
--- tokens eval: $::tokens
--- config
    location / {
        root html;
        try_files $uri @registry;
    }

    location @registry {
        PROXY;
        proxy_pass http://logins;
    }
--- logins
alice             right  201
create npm_alice  right  200
create npm_alice  wrong  401
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right') x 2
. main::alice('/-/user/org.couchdb.user:alice', 'wrong')



=== TEST 14: ... by error_page
--- tokens eval: $::tokens
--- config
    location / {
        root html;
        error_page 404 405 = @registry;
    }

    location @registry {
        PROXY;
        proxy_pass http://logins;
    }
--- logins
alice             right  201
create npm_alice  right  200
create npm_alice  wrong  401
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right') x 2
. main::alice('/-/user/org.couchdb.user:alice', 'wrong')



=== TEST 15: what each status means
--- http_config eval: $::statuses
--- config
    location / {
        PROXY;
        proxy_pass http://unix:$TEST_NGINX_DIR/statuses;
    }
--- logins
s200  any  201
s201  any  201
s202  any  503
s204  any  503
s206  any  503
s301  any  503
s302  any  503
s303  any  503
s307  any  503
s308  any  503
s400  any  401
s401  any  401
s403  any  401
s404  any  401
s405  any  401
s408  any  503
s409  any  401
s410  any  401
s422  any  401
s429  any  503
s500  any  503
s501  any  503
s502  any  503
s503  any  503
s504  any  503



=== TEST 16: a registry that is down; and nothing is counted
--- config
    location / {
        PROXY;
        npmtoken_api_attempts 1 1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- logins
alice  right  503
alice  right  503



=== TEST 17: ... that does not answer
--- config
    location / {
        PROXY;
        npmtoken_api_attempts 1 1;
        proxy_read_timeout 100ms;
        proxy_pass http://unix:$TEST_NGINX_DIR/silent;
    }
--- logins
alice  right  503
alice  right  503



=== TEST 18: no registry: nobody has a password
--- tokens eval: $::tokens
--- config
    location / {
        PROXY;
        root html;
    }
--- logins
alice             right  401
create npm_alice  right  401



=== TEST 19: an answer that nginx has made is none of a registry
--- tokens eval: $::tokens
--- config
    location / {
        PROXY;
        proxy_pass http://logins;
    }

    location /-/user/ {
        return 201 '{"ok":true}';
    }
--- logins
create npm_alice  right  503



=== TEST 20: nor is an error page, even one that makes it a 200
--- tokens eval: $::tokens
--- config
    error_page 401 =200 /fine.txt;

    location / {
        PROXY;
        npmtoken_intercept_errors on;
        proxy_intercept_errors on;
        proxy_pass http://logins;
    }

    location = /fine.txt {
        root html;
    }
--- user_files
>>> fine.txt
fine
--- logins
alice             wrong  401
create npm_alice  wrong  401
alice             right  201
create npm_alice  right  200



=== TEST 21: ... or asks another registry
--- http_config eval: $::statuses
--- config
    error_page 401 502 504 = @another;

    location / {
        PROXY;
        proxy_intercept_errors on;
        proxy_pass http://logins;
    }

    location /down/ {
        PROXY;
        npmtoken_base /down/;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }

    location @another {
        rewrite ^ /-/user/org.couchdb.user:s201 break;
        proxy_pass http://unix:$TEST_NGINX_DIR/statuses;
    }
--- logins
alice  wrong  401
alice  right  503  at=/down/



=== TEST 22: a redirect within nginx, which a registry asks for with a 401
--- http_config
    server {
        listen unix:$TEST_NGINX_DIR/accel;
        access_log off;

        location / {
            add_header X-Accel-Redirect /fine always;
            return 401;
        }
    }
--- config
    location / {
        PROXY;
        proxy_pass http://unix:$TEST_NGINX_DIR/accel;
    }

    location = /fine {
        internal;
        return 200 '{"ok":true}';
    }
--- logins
alice  wrong  401



=== TEST 23: what has been computed of the client's request is not used
--- tokens eval: $::tokens
--- http_config
    map $http_authorization $credentials {
        default $http_authorization;
    }

    log_format main 'main $request_method $request_uri "$credentials" '
                    '$mine $npmtoken_user';
--- config
    location / {
        PROXY;
        access_log logs/test.log main;

        set $mine kept;

        if ($credentials = no) {
            set $mine "$request_uri$http_authorization";
        }

        proxy_set_header Authorization $credentials;
        proxy_set_header X-Npm-User $npmtoken_user;
        proxy_set_header X-Request-URI $request_uri;
        proxy_set_header X-Set $mine;
        proxy_pass http://logins;
    }
--- logins
alice             right  201  +"Authorization: Bearer npm_alice"
create npm_alice  right  200
--- test_lines eval
my $login = main::alice('/-/user/org.couchdb.user:alice', 'right',
    x_request_uri => '/-/user/org.couchdb.user:alice', x_set => 'kept');

$login
. "main PUT /-/user/org.couchdb.user:alice \"Bearer npm_alice\" kept \n"
. $login
. "main POST /-/npm/v1/tokens \"Bearer npm_alice\" kept alice\n"



=== TEST 24: on kept connections
--- http_config
    upstream kept {
        server $TEST_NGINX_LOGINS;
        keepalive 4;
    }
--- config
    location / {
        PROXY;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://kept;
    }
--- logins
alice  right  201
alice  wrong  401
alice  right  201
alice  wrong  401



=== TEST 25: nothing of it is cached
--- tokens eval: $::tokens
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;
--- config
    location / {
        PROXY;
        proxy_cache cache;
        proxy_cache_key one;
        proxy_cache_valid any 1h;
        proxy_cache_methods GET HEAD POST;
        proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
        proxy_pass http://logins;
    }
--- logins
alice             right  201
alice             wrong  401
create npm_alice  right  200
create npm_alice  wrong  401
create npm_alice  right  200
--- test_lines eval
CORE::join '', map { main::alice('/-/user/org.couchdb.user:alice', $_) }
qw( right wrong right wrong right )



=== TEST 26: a password stands in no log and no file
--- config
    location / {
        PROXY;
        log_subrequest on;
        client_body_in_file_only on;
        proxy_request_buffering off;
        proxy_pass http://logins;
    }
--- request
PUT /-/user/org.couchdb.user:alice
{"name":"alice","password":"right-or-wrong"}
--- error_code: 201
--- response_body_filters eval: main::and_passwords()
--- response_body_like: \A[^\n]+"token":"npm_[^\n]+\n\z
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right-or-wrong')



=== TEST 27: ... nor where the registry refuses it, or is not there
--- config
    location / {
        PROXY;
        log_subrequest on;
        client_body_in_file_only on;
        proxy_pass http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- request
PUT /-/user/org.couchdb.user:alice
{"name":"alice","password":"no-right-or-wrong"}
--- error_code: 503
--- response_body_filters eval: main::and_passwords()
--- response_body_like: \A[^\n]+\n\z



=== TEST 28: an account that has a password here is not asked of there
--- accounts
alice  secret-of-alice
--- config
    location / {
        PROXY;
        proxy_pass http://logins;
    }
--- logins
alice  secret-of-alice  201
alice  right            401
bob    right            201
--- test_lines eval
main::alice('/-/user/org.couchdb.user:alice', 'right') =~ s/alice/bob/gr



=== TEST 29: what else a location does with requests
--- config
    location / {
        PROXY;
        gzip on;
        gzip_types *;
        ssi on;
        ssi_types *;
        sub_filter_types *;
        sub_filter token nekot;
        add_header X-Added yes always;
        mirror /mirror;
        limit_rate 1m;
        proxy_buffering off;
        proxy_pass http://logins;
    }

    location = /mirror {
        internal;
        proxy_pass http://logins/mirror;
    }
--- logins
alice  wrong  401
--- test_lines eval: main::alice('/-/user/org.couchdb.user:alice', 'wrong')
