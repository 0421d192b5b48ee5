# Subrequests, which nginx never sends through the access phase: auth_request,
# mirror and SSI.  And limit_except.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use NpmToken::Util qw( read_file );

# a second registry, with its own log

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', ($block->http_config // '') . <<'_EOC_');

    log_format second '$request_method $request_uri '
                      '"$http_authorization" "$http_x_npm_user"';

    server {
        listen unix:$TEST_NGINX_DIR/second;
        access_log $TEST_NGINX_SERVER_ROOT/logs/second.log second;

        location / {
            return 200 "$request_uri $http_x_npm_user\n";
        }

        location /no/ {
            return 403;
        }
    }
_EOC_

    redis('CONFIG', 'RESETSTAT');
});


sub second_log {
    return read_file("$ENV{TEST_NGINX_SERVROOT}/logs/second.log");
}


# the body, and what the second registry saw

sub and_second {
    my $lines = shift;

    return sub {
        wait_for { (() = second_log() =~ /\n/g) >= $lines } 'a subrequest';

        return $_[0] . second_log();
    };
}


sub and_lookups {
    return sub {
        my ($calls) = redis('INFO', 'commandstats')
            =~ /^cmdstat_hgetall:calls=(\d+)/m;

        return $_[0] . 'lookups: ' . ($calls // 0) . "\n";
    };
}


run_tests();

__DATA__

=== TEST 1: auth_request asks with the Bearer, and never with a forged name
--- tokens
npm_s1      user=alice
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        auth_request /check;
        proxy_pass http://registry;
    }

    location = /check {
        internal;
        proxy_pass http://unix:$TEST_NGINX_DIR/second;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_s1
X-Npm-User: root
x-npm_user: root
--- error_code: 200
--- response_body_filters eval: main::and_second(1)
--- response_body
GET /pkg
Authorization: 
X-Npm-User: alice
Host: registry
GET /check "Bearer npm_s1" "-"



=== TEST 2: auth_request refuses: no look-up
--- tokens
npm_s2      user=alice
--- config
    location / {
        npmtoken main;
        auth_request /no/check;
        proxy_pass http://registry;
    }

    location = /no/check {
        internal;
        proxy_pass http://unix:$TEST_NGINX_DIR/second;
    }
--- request
GET /pkg
--- more_headers
Authorization: Bearer npm_s2
--- error_code: 403
--- response_body_filters eval: main::and_lookups()
--- response_body_like: 403 Forbidden.*lookups: 0



=== TEST 3: auth_request to an enforced location is not judged as a request
--- tokens
npm_s3      user=alice
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        auth_request /check;
        proxy_pass http://registry;
    }

    location = /check {
        internal;
        proxy_pass http://unix:$TEST_NGINX_DIR/second;
    }
--- request
PUT /pkg
body
--- more_headers
Authorization: Bearer npm_s3
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry
lookups: 1



=== TEST 4: a mirror gets what the registry gets
--- tokens
npm_s5      user=alice
--- config
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        mirror /mirror;
        proxy_pass http://registry;
    }

    location = /mirror {
        internal;
        proxy_pass http://unix:$TEST_NGINX_DIR/second:/copy;
    }
--- request
PUT /pkg
some body
--- more_headers
Authorization: Bearer npm_s5
X-Npm-User: root
--- error_code: 200
--- response_body_filters eval: main::and_second(1)
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry
PUT /copy "-" "alice"



=== TEST 5: a mirror sees nothing of a denied request
--- config
    location / {
        npmtoken main;
        mirror /mirror;
        proxy_pass http://registry;
    }

    location = /mirror {
        internal;
        proxy_pass http://unix:$TEST_NGINX_DIR/second:/copy;
    }
--- request
PUT /pkg
some body
--- no_http2
--- error_code: 401
--- response_body_filters eval: main::and_second(0)
--- response_body_like: \A[^\n]*"reason":"no_token"[^\n]*\n\z



=== TEST 6: SSI: parts of a page that is allowed
--- tokens
npm_s7      user=alice
--- config
    npmtoken main;
    npmtoken_identity X-Npm-User;

    location / {
        root html;
        ssi on;
        ssi_types *;
    }

    location /part/ {
        proxy_pass http://unix:$TEST_NGINX_DIR/second;
    }
--- user_files
>>> page.html
[<!--#include virtual="/part/one" -->]
[<!--#include virtual="/part/two" -->]
[<!--#echo var="npmtoken_user" -->]
--- request
GET /page.html
--- more_headers
Authorization: Bearer npm_s7
X-Npm-User: root
--- error_code: 200
--- response_body_filters eval: main::and_lookups()
--- response_body
[/part/one alice
]
[/part/two alice
]
[alice]
lookups: 1
--- no_error_log
[alert]



=== TEST 7: SSI in a page that nobody enforces: its parts are not judged
--- config
    location / {
        root html;
        ssi on;
        ssi_types *;
    }

    location /part/ {
        npmtoken main;
        proxy_pass http://unix:$TEST_NGINX_DIR/second;
    }
--- user_files
>>> page.html
[<!--#include virtual="/part/one" -->][<!--#echo var="npmtoken_verdict" default="" -->]
--- request
GET /page.html
--- error_code: 200
--- response_body
[/part/one 
][]



=== TEST 8: limit_except: only what is not a read is enforced
--- config
    location / {
        limit_except GET {
            npmtoken main;
        }

        proxy_pass http://registry;
    }
--- request
GET /pkg
--- error_code: 200
--- response_body_like: ^GET /pkg



=== TEST 9: ... an anonymous DELETE
--- config
    location / {
        limit_except GET {
            npmtoken main;
        }

        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- error_code: 401
--- response_headers
! X-Registry
--- response_body_like: "reason":"no_token"



=== TEST 10: ... a PUT with a good token
--- tokens
npm_s11     user=alice
--- config
    location / {
        npmtoken_identity X-Npm-User;

        limit_except GET {
            npmtoken main;
        }

        proxy_pass http://registry;
    }
--- request
PUT /pkg
body
--- more_headers
Authorization: Bearer npm_s11
--- error_code: 200
--- response_body
PUT /pkg
Authorization: 
X-Npm-User: alice
Host: registry



=== TEST 11: limit_except with npmtoken off inside an enforced location
--- config
    location / {
        npmtoken main;

        limit_except GET {
            npmtoken off;
        }

        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- error_code: 200
--- response_body_like: ^DELETE /pkg



=== TEST 12: limit_except: deny beside us, and no look-up
--- tokens
npm_s13     user=alice
--- config
    location / {
        npmtoken main;

        limit_except GET {
            deny all;
        }

        proxy_pass http://registry;
    }
--- request
DELETE /pkg/-rev/1
--- more_headers
Authorization: Bearer npm_s13
--- error_code: 403
--- response_body_filters eval: main::and_lookups()
--- response_body_like: 403 Forbidden.*lookups: 0
