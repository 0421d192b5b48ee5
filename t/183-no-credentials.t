# An Authorization that has a scheme and nothing behind it, as pnpm and deno
# send it where a variable is empty, is no credential: what comes with it is
# judged, counted, cached and sent on as what comes with none.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $tokens = "npm_full user=alice\n";

# what is none, and what is something else

our @none = ('""', '"Bearer"', '"bearer"', '"BEARER"', '"Basic"', '"Token"',
             '"npm_full"', '"x-none"');

our @some = ('"Bearer,"', '"Bearer ="', '"Bearer a b"', '"Basic ="',
             '"Basic YTpi"', '"Bearer:npm_full"');


# each line for each of these, after the same without any

sub cases {
    my ($sent, $cases) = @_;

    return join '', map {
        my $case = $_;

        map { "$case\n" =~ s/ SENT / $_ /r } @$sent;
    } grep { /\S/ } split /\n/, $cases;
}


run_tests();

__DATA__

=== TEST 1: where anybody may read, it reads, and the registry gets nothing of it
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases eval
main::cases(['-', @::none], <<'_EOT_');
GET   /pkg  SENT  200 auth="" user="" notice=""
HEAD  /pkg  SENT  200
POST  /-/npm/v1/security/advisories/bulk  SENT  200 auth=""
PUT   /pkg  SENT  401 no_token op=write
DELETE  /-/user/token/npm_full  SENT  401 no_token op=write
GET   /-/ping  SENT  200 auth=""
PUT   /-/user/org.couchdb.user:alice  SENT  200 auth=""
_EOT_



=== TEST 2: ... also with an identity, which is nobody's
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
    location /auth/ {
        npmtoken main;
        npmtoken_anonymous read;
        npmtoken_base /auth/;
        npmtoken_identity Authorization "Basic $npmtoken_user";
        proxy_pass http://registry/;
    }
--- cases eval
main::cases(['-', @::none], <<'_EOT_');
GET   /pkg  SENT  200 auth="" user="" notice="" +"X-Npm-User: root"
GET   /auth/pkg  SENT  200 auth="" notice=""
PUT   /auth/-/user/org.couchdb.user:alice  SENT  200 auth=""
_EOT_



=== TEST 3: where nobody may, it needs a token
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases eval
main::cases(['-', @::none], <<'_EOT_')
GET   /pkg  SENT  401 no_token op=read
PUT   /pkg  SENT  401 no_token op=write
GET   /-/ping  SENT  200 auth=""
_EOT_
. qq{GET  /pkg  ""  401 no_token says="This registry needs a token. Run npm login, or put a token in .npmrc."
GET  /pkg  "Bearer"  401 no_token says="This registry needs a token behind Bearer, and there was none. Check the token in .npmrc (is an environment variable in it not set?), or run npm login."
};



=== TEST 4: it is none that the registry could judge, or that is unknown
--- tokens eval: $::tokens
--- config
    location /pass {
        npmtoken main;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
    location /pass/read {
        npmtoken main;
        npmtoken_unknown pass;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
    location /anonymous {
        npmtoken main;
        npmtoken_unknown anonymous;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases eval
main::cases(['-', @::none], <<'_EOT_');
GET   /pass  SENT  401 no_token
PUT   /pass  SENT  401 no_token
GET   /pass/read  SENT  200 auth="" notice=""
PUT   /pass/read  SENT  401 no_token
GET   /anonymous  SENT  200 auth="" notice=""
PUT   /anonymous  SENT  401 no_token
_EOT_



=== TEST 5: variables, and what is made of them, are those of nobody
--- tokens eval: $::tokens
--- http_config
    log_format test '[$npmtoken_key] [$npmtoken_user] [$npmtoken_cache] [$npmtoken_readonly] [$http_authorization]';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  -         200
GET  /pkg  "Bearer"  200
GET  /pkg  "Basic"   200
--- test_lines
[] [] [] [] [-]
[] [] [] [] [-]
[] [] [] [] [-]



=== TEST 6: what has something behind the scheme is what it was
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg  "Bearer,"          401 bad_token
GET   /pkg  "Bearer ="         401 bad_token
GET   /pkg  "Bearer a b"       401 bad_token
GET   /pkg  "Bearer:npm_full"  401 bad_token
GET   /pkg  "Basic ="          401 unknown
GET   /pkg  "Basic YTpi"       401 unknown
GET   /pkg  "npm_full="        401 unknown
GET   /pkg  npm_full           200 auth=sent



=== TEST 7: a dry run lets through what came, where nothing is enforced it is not ours
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_dry_run on;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
    location /off {
        proxy_pass http://registry;
    }
--- cases
PUT  /pkg  "Bearer"  200 no_token auth=Bearer
GET  /pkg  "Bearer"  200 auth=Bearer
GET  /off  "Bearer"  200 auth=Bearer



=== TEST 8: two Authorization headers stay nginx's 400
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_anonymous read;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  "Bearer"  400 +"Authorization: Bearer npm_full"
