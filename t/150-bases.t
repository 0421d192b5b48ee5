# A registry below a path: the exceptions of the table are right there, and
# nowhere else, whatever else is mounted on the same host.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $tokens = <<'_EOT_';
npm_full    user=alice
npm_ro      user=bob readonly=true
npm_shared  user=ci protected=true
npm_dead    user=bob revoked_at=1
npm_old     user=bob expires_at=1
npm_far     user=bob cidr_whitelist=192.0.2.1
dG9r/ZW4=   user=base readonly=true
_EOT_

# What is asked of a registry: method, path behind its base, credentials, the
# answer where the base fits, and where it does not.

our @asked = map { [ split /\s{2,}/ ] } split /\n/, <<'_EOT_';
POST  -/npm/v1/security/advisories/bulk  npm_ro  200  403 readonly op=write
POST  -/npm/v1/security/audits  npm_ro  200  403 readonly op=write
POST  -/npm/v1/security/audits/quick  npm_ro  200  403 readonly op=write
POST  -/npm/v1/security/audits/quick  npm_dead  401 revoked op=read  401 revoked op=write
POST  -/npm/v1/security/audits/quick  npm_old  401 expired op=read  401 expired op=write
POST  -/npm/v1/security/audits/quick  npm_far  401 cidr op=read  401 cidr op=write
POST  -/npm/v1/security/audits/quick  npm_none  401 unknown op=read  401 unknown op=write
POST  -/npm/v1/security/audits/quick  -  401 no_token op=read  401 no_token op=write
PUT  -/user/org.couchdb.user:alice  -  200  401 no_token op=write
PUT  -/user/org.couchdb.user:alice  npm_ro  200 auth=sent  403 readonly op=write
PUT  -/user/org.couchdb.user:alice  npm_dead  200 auth=sent  401 revoked op=write
PUT  -/user/org.couchdb.user:alice  npm_old  200 auth=sent  401 expired op=write
PUT  -/user/org.couchdb.user:alice  npm_far  200 auth=sent  401 cidr op=write
PUT  -/user/org.couchdb.user:alice  npm_none  200 auth=sent  401 unknown op=write
PUT  -/user/org.couchdb.user:alice/-rev/3-a  "Basic YTpi"  200 auth=sent  401 unknown op=write
GET  -/user/org.couchdb.user:alice?write=true  "Basic YTpi"  200 auth=sent  401 unknown op=read
POST  -/v1/login  -  200  401 no_token op=write
POST  -/v1/login  npm_dead  200 auth=sent  401 revoked op=write
POST  -/npm/v1/oidc/token/exchange/package/pkg  "Bearer ey.J.x"  200 auth=sent  401 unknown op=write key=ey.J.x
POST  -/npm/v1/oidc/token/exchange/package/@s%2fpkg  "Bearer ey.J.x"  200 auth=sent  401 unknown op=write key=ey.J.x
GET  -/ping  -  200  401 no_token op=read
GET  -/ping?write=true  npm_dead  200 auth=sent  401 revoked op=read
HEAD  -/ping  -  200  401 no_token op=read
DELETE  -/user/token/npm_ro  npm_ro  200 user=bob auth=""  403 readonly op=write
DELETE  -/user/token/dG9r%2FZW4%3D  dG9r/ZW4=  200 user=base auth=""  403 readonly op=write
DELETE  -/user/token/dG9r/ZW4=  dG9r/ZW4=  200 user=base auth=""  403 readonly op=write
DELETE  -/user/token/npm_dead  npm_dead  200 user="" auth=sent  401 revoked op=write
DELETE  -/user/token/npm_none  npm_none  200 user="" auth=sent  401 unknown op=write
DELETE  -/user/token/npm_shared  npm_shared  403 protected op=logout  200 user=ci
DELETE  -/user/token/npm_full  npm_ro  403 readonly op=write  403 readonly op=write
GET  -/whoami  npm_ro  200 user=bob  200 user=bob
GET  -/whoami  -  401 no_token op=read  401 no_token op=read
GET  @s%2fpkg  npm_ro  200 user=bob  200 user=bob
POST  -/npm/v1/tokens  npm_ro  403 readonly op=write  403 readonly op=write
PUT  -/user/v1/star  npm_ro  403 readonly op=write  403 readonly op=write
PUT  @s%2fpkg  npm_ro  403 readonly op=write  403 readonly op=write
PUT  @s%2fpkg  npm_full  200 user=alice  200 user=alice
_EOT_


# The lines for a registry at PATH.  SENT is what its own path begins with; "-"
# where the path is not looked at.

sub cases {
    my ($fits, $path, $sent) = @_;

    return join '', map {
        my ($method, $rest, $credentials, $right, $wrong) = @$_;
        my $expected = $fits ? $right : $wrong;

        my $uri = $sent eq '-' || $method eq 'HEAD' || $expected !~ /^200/
            ? '' : "uri=$sent$rest";

        "$method $path$rest $credentials $expected $uri\n";
    } @asked;
}


run_tests();

__DATA__

=== TEST 1: at /npm/, the path as it was sent
--- tokens eval: $::tokens
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases eval: main::cases(1, '/npm/', '/npm/')



=== TEST 2: at /npm/, which the registry does not know of
--- tokens eval: $::tokens
--- config
    location /npm/ {
        npmtoken main;
        npmtoken_base /npm/;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry/;
    }
--- cases eval: main::cases(1, '/npm/', '-')



=== TEST 3: at /api/npm/NAME/, and its neighbours
--- tokens eval: $::tokens
--- config
    npmtoken_identity X-Npm-User;
    npmtoken main;

    location /api/npm/one/ {
        npmtoken_base /api/npm/one/;
        proxy_pass http://registry;
    }
    location /api/npm/two/ {
        npmtoken_base /api/npm/two;
        proxy_pass http://registry;
    }
    location / {
        proxy_pass http://registry;
    }
--- cases eval
main::cases(1, '/api/npm/one/', '/api/npm/one/')
. main::cases(1, '/api/npm/two/', '/api/npm/two/')
. main::cases(1, '/', '/')
. main::cases(0, '/api/npm/three/', '/api/npm/three/')
. main::cases(0, '/api/npm/', '/api/npm/')



=== TEST 4: the base is of another registry, or none is said
--- tokens eval: $::tokens
--- config
    npmtoken_identity X-Npm-User;
    npmtoken main;

    location /npm/ {
        proxy_pass http://registry;
    }
    location /api/npm/one/ {
        npmtoken_base /api/npm/two/;
        proxy_pass http://registry;
    }
    location /repository/ {
        npmtoken_base /repository/npm/;
        proxy_pass http://registry;
    }
    location /deep/ {
        npmtoken_base /;
        proxy_pass http://registry;
    }
--- cases eval
main::cases(0, '/npm/', '/npm/')
. main::cases(0, '/api/npm/one/', '/api/npm/one/')
. main::cases(0, '/repository/maven/', '/repository/maven/')
. main::cases(0, '/deep/', '/deep/')



=== TEST 5: paths that are the base to nginx alone, or nearly
--- tokens eval: $::tokens
--- config
    location / {
        npmtoken main;
        npmtoken_base /api/npm/one/;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
--- cases eval
local @::asked = grep { $_->[2] =~ /^(?:-|npm_ro)$/ } @::asked;

CORE::join '', map { main::cases(0, $_, $_) } qw(
    /api/npm//one/ /api//npm/one/ //api/npm/one/ /api/npm/one//
    /api/./npm/one/ /api/npm/two/../one/ /api/npm/one/x/../ /x/../api/npm/one/
    /api/npm/%6fne/ /api%2fnpm/one/ /api/npm/one%2f /API/npm/one/
    /api/npm/One/ /api/npm/one/one/ /api/npm/one;x/ /api/npm/one/;/
    /api/npm/one/%2e/ /api/npm/one/%2e%2e/one/ /x/api/npm/one/
)
