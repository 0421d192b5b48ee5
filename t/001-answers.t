# What a request is told that is not let through: every reason, with its
# status, its headers, its body and its line in the log; and that the registry
# sees nothing of it.
#
# A case checks all of that (t/lib/NpmToken/Cases.pm); what it cannot know, the
# sentence, is here.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

run_tests();

__DATA__

=== TEST 1: no token
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg  -   401 no_token  op=read
HEAD    /pkg  -   401 no_token  op=read
PUT     /pkg  -   401 no_token  op=write
DELETE  /pkg  -   401 no_token  op=write
GET     /pkg  ""  401 no_token  op=read
GET     /pkg  -   401 no_token  says="This registry needs a token. Run npm login, or put a token in .npmrc."
--- registry_lines



=== TEST 2: what is sent as a token is not one
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
HEAD  /pkg  "Bearer a b"          401 bad_token
PUT   /pkg  "Bearer a b"          401 bad_token
GET   /pkg  "bearer ${NPM_TOKEN}" 401 bad_token
GET   /pkg  "Bearer npm_full x"   401 bad_token
GET   /pkg  "Bearer npm_full,"    401 bad_token
GET   /pkg  "Bearer =npm"         401 bad_token
GET   /pkg  "Bearer a=b"          401 bad_token
GET   /pkg  "Bearer npm.é"        401 bad_token
GET   /pkg  "Bearer a b"          401 bad_token  says="What was sent as a token is not one. Check the token in .npmrc (is an environment variable in it not set?), or run npm login."
--- registry_lines



=== TEST 3: a token of 4096 bytes, and of 4097
--- http_config
    large_client_header_buffers 4 16k;
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- request eval
["GET /pkg", "GET /pkg", "GET /pkg"]
--- more_headers eval
["Authorization: Bearer " . "a" x 4096,
 "Authorization: Bearer " . "b" x 4096,
 "Authorization: Bearer " . "a" x 4097]
--- init
put_token('a' x 4096, user => 'alice');
--- error_code eval
[200, 401, 401]
--- response_body_like eval
["^GET /pkg\n", '"reason":"unknown"', '"reason":"bad_token"']
--- response_headers eval
["X-Registry: yes", "! X-Registry", "! X-Registry"]



=== TEST 4: a second Authorization header is nginx's own 400
--- tokens
npm_full  user=alice
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_full  400  +"Authorization: Bearer npm_full"
GET  /pkg  npm_full  200
--- registry_lines
GET /pkg "Bearer npm_full" "-"



=== TEST 5: a token without a record
--- tokens
npm_full  user=alice
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg  npm_other           401 unknown  op=read
HEAD  /pkg  npm_other           401 unknown  op=read
PUT   /pkg  npm_other           401 unknown  op=write
GET   /pkg  npm_other           401 unknown  says="Token %T is unknown or was revoked. Run npm login, or put a valid token in .npmrc."
GET   /pkg  npm_ful             401 unknown
GET   /pkg  npm_fulll           401 unknown
GET   /pkg  NPM_FULL            401 unknown
GET   /pkg  "bearer npm_other"  401 unknown  key=npm_other
GET   /pkg  npm_full            200
--- registry_lines
GET /pkg "Bearer npm_full" "-"



=== TEST 6: another scheme than Bearer
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg  "Basic YWxpY2U6c2VjcmV0"  401 unknown  op=read
HEAD  /pkg  "Basic YWxpY2U6c2VjcmV0"  401 unknown  op=read
PUT   /pkg  "Basic YWxpY2U6c2VjcmV0"  401 unknown  op=write
GET   /pkg  "npm_full"                401 no_token
GET   /pkg  "Token npm_full"          401 unknown
GET   /pkg  "Basic YWxpY2U6c2VjcmV0"  401 unknown  says="This registry knows tokens only, not the credentials sent. Run npm login, or put a valid token in .npmrc."
--- no_error_log
YWxpY2U6c2VjcmV0
--- registry_lines



=== TEST 7: a revoked token
--- tokens
npm_revoked  user=alice revoked_at=1700000000
npm_later    user=alice revoked_at=99999999999
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg  npm_revoked  401 revoked  op=read
HEAD  /pkg  npm_revoked  401 revoked  op=read
PUT   /pkg  npm_revoked  401 revoked  op=write
GET   /pkg  npm_revoked  401 revoked  says="Token %T was revoked. Run npm login, or put a valid token in .npmrc."
GET   /pkg  npm_later    401 revoked
--- registry_lines



=== TEST 8: an expired token
--- tokens
npm_expired  user=alice expires_at=1700000000
npm_first    user=alice expires_at=0
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg  npm_expired  401 expired  op=read
HEAD  /pkg  npm_expired  401 expired  op=read
PUT   /pkg  npm_expired  401 expired  op=write
GET   /pkg  npm_expired  401 expired  says="Token %T expired on 2023-11-14 22:13 UTC. Run npm login, or put a new token in .npmrc."
GET   /pkg  npm_first    401 expired  notice="expired on 1970-01-01 00:00 UTC"
--- registry_lines



=== TEST 9: an address that the token does not allow
--- tokens
npm_office  user=alice cidr_whitelist=192.0.2.0/24,2001:db8::/32
npm_here    user=alice cidr_whitelist=192.0.2.0/24,127.0.0.0/8
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg  npm_office  401 cidr  op=read
HEAD  /pkg  npm_office  401 cidr  op=read
PUT   /pkg  npm_office  401 cidr  op=write
GET   /pkg  npm_office  401 cidr  says="Token %T may not be used from address 127.0.0.1. Work from an address that it allows, or ask the registry's administrator for another token."
GET   /pkg  npm_here    200
PUT   /pkg  npm_here    200
--- registry_lines
GET /pkg "Bearer npm_here" "-"
PUT /pkg "Bearer npm_here" "-"



=== TEST 10: a read-only token
--- tokens
npm_readonly  user=alice readonly=true
npm_one       user=alice readonly=1
npm_false     user=alice readonly=false
npm_zero      user=alice readonly=0
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg         npm_readonly  200
HEAD    /pkg         npm_readonly  200
OPTIONS /pkg         npm_readonly  200
PUT     /pkg         npm_readonly  403 readonly  op=write
DELETE  /pkg/-rev/1  npm_readonly  403 readonly  op=write
PATCH   /pkg         npm_readonly  403 readonly  op=write
PUT     /pkg         npm_readonly  403 readonly  says="Token %T is read-only: it can install packages, but not publish or change anything. Put a token with full permission in .npmrc, or ask the registry's administrator for one."
PUT     /pkg         npm_one       403 readonly
PUT     /pkg         npm_false     200
PUT     /pkg         npm_zero      200
--- registry_lines
GET /pkg "Bearer npm_readonly" "-"
HEAD /pkg "Bearer npm_readonly" "-"
OPTIONS /pkg "Bearer npm_readonly" "-"
PUT /pkg "Bearer npm_false" "-"
PUT /pkg "Bearer npm_zero" "-"



=== TEST 11: a record that cannot be used
--- tokens
npm_bad  user=alice read_only=true
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET   /pkg                       npm_bad  403 bad_record  op=read
HEAD  /pkg                       npm_bad  403 bad_record  op=read
PUT   /pkg                       npm_bad  403 bad_record  op=write
DELETE /-/user/token/npm_bad     npm_bad  403 bad_record  op=logout
GET   /pkg                       npm_bad  403 bad_record  says="Token %T cannot be used: what the registry has on record about it is not valid. Ask the registry's administrator to correct it."
--- error_log
npmtoken_store "main": bad record of key 90f3a447, field "read_only"
--- registry_lines



=== TEST 12: a token that is shared
--- tokens
npm_shared  user=ci protected=true
npm_one     user=ci protected=1
npm_own     user=ci protected=false
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
DELETE  /-/user/token/npm_shared  npm_shared  403 protected  op=logout
DELETE  /-/user/token/npm_shared  npm_shared  403 protected  says="Token %T is shared and cannot be logged out. To stop using it here, remove it from .npmrc."
DELETE  /-/user/token/npm_one     npm_one     403 protected
GET     /pkg                      npm_shared  200
PUT     /pkg                      npm_shared  200
DELETE  /-/user/token/npm_own     npm_own     200
--- registry_lines
GET /pkg "Bearer npm_shared" "-"
PUT /pkg "Bearer npm_shared" "-"
DELETE /-/user/token/npm_own "Bearer npm_own" "-"



=== TEST 13: no Redis
--- no_store
--- http_config
    npmtoken_store main {
        redis redis://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET     /pkg                    npm_full  503 unavailable  op=read
HEAD    /pkg                    npm_full  503 unavailable  op=read
PUT     /pkg                    npm_full  503 unavailable  op=write
DELETE  /-/user/token/npm_full  npm_full  503 unavailable  op=logout
GET     /pkg                    npm_full  503 unavailable  says="Tokens cannot be checked at the moment. Try again soon; if it lasts, tell the registry's administrator."
GET     /pkg                    -         401 no_token
GET     /pkg                    "Basic a" 401 unknown
GET     /-/ping                 npm_full  200
--- registry_lines
GET /-/ping "Bearer npm_full" "-"



=== TEST 14: several reasons: revoked, expired, bad_record, cidr, readonly
--- tokens
npm_all      revoked_at=1 expires_at=1 nonsense=1 cidr_whitelist=192.0.2.1 readonly=true
npm_expired  expires_at=1 nonsense=1 cidr_whitelist=192.0.2.1 readonly=true
npm_bad      nonsense=1 cidr_whitelist=192.0.2.1 readonly=true
npm_cidr     cidr_whitelist=192.0.2.1 readonly=true
npm_readonly readonly=true
npm_re       revoked_at=1 cidr_whitelist=192.0.2.1
npm_rb       revoked_at=1 readonly=maybe
npm_ec       expires_at=1 cidr_whitelist=192.0.2.1
npm_er       expires_at=1 readonly=true
npm_br       user="a b" readonly=true
npm_badtime  expires_at=soon revoked_at=1
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
PUT  /pkg  npm_all      401 revoked
PUT  /pkg  npm_expired  401 expired
PUT  /pkg  npm_bad      403 bad_record
PUT  /pkg  npm_cidr     401 cidr
PUT  /pkg  npm_readonly 403 readonly
PUT  /pkg  npm_re       401 revoked
PUT  /pkg  npm_rb       401 revoked
PUT  /pkg  npm_ec       401 expired
PUT  /pkg  npm_er       401 expired
PUT  /pkg  npm_br       403 bad_record
PUT  /pkg  npm_badtime  401 revoked
--- registry_lines



=== TEST 15: a denied request with a body: the connection can be used again
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- pipelined_requests eval
["PUT /pkg\nsomething or other", "GET /-/ping"]
--- error_code eval
[401, 200]
--- response_body_like eval
['"reason":"no_token"', "^GET /-/ping\n"]
--- registry_lines
GET /-/ping "-" "-"



=== TEST 16: 100-continue is not answered with an invitation
--- config
    lingering_timeout 50ms;

    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- raw_request eval
"PUT /pkg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
. "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
--- error_code: 401
--- response_body_like: "reason":"no_token"
--- raw_response_headers_like: ^HTTP/1.1 401
--- registry_lines



=== TEST 17: HTTP/1.0 and HTTP/0.9
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- no_http2
--- request
GET /pkg HTTP/1.0
--- error_code: 401
--- response_headers
Content-Type: application/json
WWW-Authenticate: Bearer
Cache-Control: no-store
--- response_body_like: ^\{"error":"[^"]+","reason":"no_token"\}\n$



=== TEST 18: what the record says is never in an answer, nor what was asked
--- tokens
npm_said  user=nobody_knows name=label_of_it x_own=thing_of_it cidr_whitelist=192.0.2.77
npm_sick  user=nobody_knows name=label_of_it misspelt_field=1
--- config
    location / {
        npmtoken main;
        proxy_pass http://registry;
    }
--- cases
GET  /asked_for  npm_said  401 cidr        body="^(?!.*(?:nobody_knows|label_of_it|thing_of_it|192\.0\.2\.77|asked_for))"
GET  /asked_for  npm_sick  403 bad_record  body="^(?!.*(?:nobody_knows|label_of_it|misspelt|asked_for))"
