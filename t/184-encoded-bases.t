# A registry whose own path has encoded characters, as GitLab's group and
# Azure Artifacts' view have: what is asked below it is what it is anywhere.
# A path that nginx alone takes for it makes no exception.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $tokens = <<'_EOT_';
npm_full    user=alice
npm_ro      user=bob readonly=true
npm_shared  user=ci protected=true
npm_acme    user=ann packages=@acme/x,pkg
dG9r/ZW4=   user=base readonly=true
_EOT_

our $gitlab = '/api/v4/groups/acme%2Fweb/-/packages/npm/';
our $azure = '/acme/_packaging/feed%40Local/npm/registry/';
our $space = '/My%20Project/_packaging/%c3%a4/npm/';

# What is asked: method, path behind the base, credentials, the answer where
# the base fits, and where it does not.

our @asked = map { [ split /\s{2,}/ ] } split /\n/, <<'_EOT_';
POST  -/npm/v1/security/advisories/bulk  npm_ro  200  403 readonly op=write
POST  -/npm/v1/security/audits/quick  -  401 no_token op=read  401 no_token op=write
GET  -/ping  -  200  401 no_token op=read
POST  -/v1/login  -  200  401 no_token op=write
PUT  -/user/org.couchdb.user:x  -  200  401 no_token op=write
PUT  -/user/org.couchdb.user:x/-rev/3-a  "Basic YTpi"  200 auth=sent  401 unknown op=write
GET  -/user/org.couchdb.user:x?write=true  "Basic YTpi"  200 auth=sent  401 unknown op=read
POST  -/npm/v1/oidc/token/exchange/package/@s%2fpkg  -  200  401 no_token op=write
DELETE  -/user/token/npm_ro  npm_ro  200 user=bob  403 readonly op=write
DELETE  -/user/token/dG9r%2FZW4%3D  dG9r/ZW4=  200 user=base  403 readonly op=write
DELETE  -/user/token/npm_shared  npm_shared  403 protected op=logout  200 user=ci
PUT  @acme%2fx  npm_acme  200 user=ann  403 package op=write
PUT  @acme%2Fx  npm_acme  200 user=ann  403 package op=write
PUT  @acme/x  npm_acme  200 user=ann  403 package op=write
DELETE  pkg/-/pkg-1.0.0.tgz/-rev/1  npm_acme  200 user=ann  403 package op=write
PUT  -/package/@acme%2fx/dist-tags/t  npm_acme  200 user=ann  403 package op=write
PUT  @acme%2fy  npm_acme  403 package op=write  403 package op=write
PUT  x/@acme%2fx  npm_acme  403 package op=write  403 package op=write
GET  @acme%2fx  npm_ro  200 user=bob  200 user=bob
PUT  @acme%2fx  npm_ro  403 readonly op=write  403 readonly op=write
PUT  @acme%2fx  npm_full  200 user=alice  200 user=alice
GET  -/whoami  -  401 no_token op=read  401 no_token op=read
POST  -/npm/v1/tokens  npm_ro  403 readonly op=write  403 readonly op=write
_EOT_


sub cases {
    my ($fits, $path, $sent) = @_;

    $sent //= $path;

    return join '', map {
        my ($method, $rest, $credentials, $right, $wrong) = @$_;
        my $expected = $fits ? $right : $wrong;

        my $uri = $expected !~ /^200/ || $sent eq '-' ? '' : "uri=$sent$rest";

        "$method $path$rest $credentials $expected $uri\n";
    } @asked;
}

sub other_case { return $_[0] =~ s/(%..)/$1 eq uc $1 ? lc $1 : uc $1/ger }


run_tests();

__DATA__

=== TEST 1: the base as the registry's URL has it, the location as nginx decodes it
--- tokens eval: $::tokens
--- config eval
"    npmtoken main;
    npmtoken_identity X-Npm-User;

    location /api/v4/groups/acme/web/-/packages/npm/ {
        npmtoken_base $::gitlab;
        proxy_pass http://registry;
    }
    location /acme/_packaging/feed\@Local/npm/registry/ {
        npmtoken_base $::azure;
        proxy_pass http://registry;
    }
    location \"/My Project/\" {
        npmtoken_base $::space;
        proxy_pass http://registry;
    }
"
--- cases eval
CORE::join '', map { main::cases(1, $_) }
    map { ($_, main::other_case($_)) } $::gitlab, $::azure, $::space



=== TEST 2: a base without its slash, and a location of a regex
--- tokens eval: $::tokens
--- config eval
"    location ~ ^/api/v4/groups/([^/]+)/([^/]+)/-/packages/npm/ {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        npmtoken_base /api/v4/groups/acme%2fweb/-/packages/npm;
        proxy_pass http://registry;
    }
"
--- cases eval
main::cases(1, $::gitlab)
. main::cases(0, $::gitlab =~ s/acme/other/r)
. main::cases(0, '/api/v4/groups/acme/web/-/packages/npm/')



=== TEST 3: with a URI in proxy_pass, and a rewrite that takes the base away
--- tokens eval: $::tokens
--- config eval
"    npmtoken main;
    npmtoken_identity X-Npm-User;
    npmtoken_base $::gitlab;

    location /api/v4/groups/acme/web/-/packages/npm/ {
        proxy_pass http://registry/;
    }
"
--- cases eval: main::cases(1, $::gitlab, '-')



=== TEST 4: ... a rewrite
--- tokens eval: $::tokens
--- config eval
"    location /api/v4/groups/acme/web/-/packages/npm/ {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        npmtoken_base $::gitlab;
        rewrite ^/api/v4/groups/acme/web/-/packages/npm(/.*) \$1 break;
        proxy_pass http://registry;
    }
"
--- cases eval: main::cases(1, $::gitlab, '-')



=== TEST 5: paths that are the base to nginx alone, or nearly, are no exception
--- tokens eval: $::tokens
--- config eval
"    location / {
        npmtoken main;
        npmtoken_base $::gitlab;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
"
--- cases eval
local @::asked = grep { $_->[2] =~ /^(?:-|npm_ro|npm_acme)$/ } @::asked;

CORE::join '', map { main::cases(0, $_) } qw(
    /api/v4/groups/acme/web/-/packages/npm/
    /api/v4/groups/acme%252Fweb/-/packages/npm/
    /api/v4/groups/%61cme%2Fweb/-/packages/npm/
    /api/v4/groups/acme%2Fweb/%2d/packages/npm/
    /api/v4/groups/acme%2Fweb/-/packages%2Fnpm/
    /api/v4/groups/acme%2Fweb/-/packages/npm%2F
    /api/v4/groups/acme%2F/web/-/packages/npm/
    /api/v4/groups/acme%2Fweb//-/packages/npm/
    /api/v4/groups/acme%2Fweb/./-/packages/npm/
    /api/v4/groups/x/../acme%2Fweb/-/packages/npm/
    /api/v4/groups/acme%2FWeb/-/packages/npm/
    /api/v4/groups/acme%5Cweb/-/packages/npm/
    /x/api/v4/groups/acme%2Fweb/-/packages/npm/
)
--- no_error_log
[alert]



=== TEST 6: $npmtoken_operation and $npmtoken_package are found below it
--- tokens eval: $::tokens
--- config eval
"    access_log \$TEST_NGINX_SERVER_ROOT/logs/test.log test;

    location / {
        npmtoken main;
        npmtoken_base $::gitlab;
        proxy_pass http://registry;
    }
"
--- http_config
    log_format test '$npmtoken_operation [$npmtoken_package]';
--- cases eval
qq{GET  $::gitlab-/ping  -  200
PUT  $::gitlab\@acme%2fx  npm_full  200
GET  $::gitlab-/package/pkg/dist-tags  npm_full  200
}
--- test_lines
session []
write [@acme/x]
read [pkg]
