# proxy_cache behind the module: what the registry answered to one is never
# given to another, whoever asks and however.  Each key or rule that is not
# enough has a block, too, in which the theft succeeds: so they can be told
# apart here.
#
# The registry says for whom each answer is.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

use IO::Socket::UNIX;
use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Util qw( read_file spawn temp_dir write_file );

my $dir = temp_dir();

BEGIN {
    my $dir = temp_dir();

    $ENV{TEST_NGINX_PRIVATE} = "unix:$dir/private";

    # It notes what it is asked, and answers nothing while there is a file
    # "hold", or at all while there is one "down".

    spawn("$dir/private.log", $^X, '-MIO::Socket::UNIX', '-e', <<'_EOT_',
        my $dir = shift;
        my $server = IO::Socket::UNIX->new(Local => "$dir/private",
                                           Listen => 64)
            or die "listen: $!";
        chmod 0777, "$dir/private";
        $SIG{CHLD} = 'IGNORE';

        while (my $client = $server->accept) {
            fork and next;

            my $line = <$client> // exit;
            my ($user, $sent) = ('', '');

            while (<$client>) {
                last if !/[^\r\n]/;
                $user = $1 if /^X-Npm-User: ([^\r\n]*)/i;
                $sent = $1 if /^Authorization: ([^\r\n]*)/i;
            }

            $line =~ s/ HTTP.*//s;

            open my $log, '>>', "$dir/asked" or die;
            syswrite $log, "$line for <$user> <$sent>\n";

            exit if -e "$dir/down";
            select undef, undef, undef, 0.01 while -e "$dir/hold";

            my $body = "for <$user> <$sent>\n";

            print $client "HTTP/1.0 200 OK\r\nX-Registry: yes\r\n",
                "X-For: <$user> <$sent>\r\n",
                $line =~ /short/ ? "X-Accel-Expires: 1\r\n" : '',
                'Content-Length: ', length $body, "\r\n\r\n",
                $line =~ /^HEAD/ ? '' : $body;
            exit;
        }
_EOT_
        $dir);

    wait_for { IO::Socket::UNIX->new(Peer => "$dir/private") } 'the registry';
}

add_block_preprocessor(sub {
    unlink "$dir/asked", "$dir/hold", "$dir/down";
});

sub asked { return read_file("$dir/asked") }

our $tokens = <<'_EOT_';
npm_alice    user=alice
npm_alice2   user=alice readonly=true
npm_bob      user=bob
npm_Alice    user=Alice
npm_a        user=a
npm_ab       user=a/b
npm_nobody   readonly=true
npm_noone    x_note=none
npm_revoked  user=alice revoked_at=1
npm_expired  user=alice expires_at=1
npm_far      user=alice cidr_whitelist=192.0.2.1
npm_bad      user=alice nonsense=1
_EOT_

our $log = <<'_EOT_';
    log_format test escape=none
        '$request_method $request_uri $status $upstream_cache_status $sent_http_x_for';

    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=npm:1m;

    map $npmtoken_key $foreign {
        volatile;
        ""       $http_authorization;
        default  "";
    }
_EOT_

our $bare = <<'_EOT_';
    access_log         $TEST_NGINX_SERVER_ROOT/logs/test.log test;
    npmtoken           main;
    proxy_cache        npm;
    proxy_cache_valid  200 1h;
_EOT_

our $cached = $bare . "    npmtoken_identity  X-Npm-User;\n";

# what conf-examples/proxy-cache.conf says of the key

our $safe = $cached;

for (read_file('conf-examples/proxy-cache.conf')) {
    my $line = qr/^ +proxy_(?:cache_key|cache_bypass|no_cache) .*;\n/m;

    $safe .= join '', /$line/g;
    $log .= join '', /^ +map \$http_accept \$packument .*?\}\n/msg;
}

our $pass = $bare . <<'_EOT_';
    npmtoken_unknown      pass;
    npmtoken_anonymous    read;
    proxy_cache_key       "$server_name $npmtoken_key $packument $request_uri";
_EOT_

our $location = <<'_EOT_';
    location / {
        proxy_pass http://$TEST_NGINX_PRIVATE;
    }
_EOT_

# A second server of its own store, which has the same cache

sub two_registries {
    my $how = shift;

    return $log . <<'_EOT_' . $how . <<'_EOT_';
    npmtoken_store main {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
    }
    npmtoken_store other {
        redis unix:$TEST_NGINX_REDIS_SOCKET;
        prefix other:;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        server_name other.example;
_EOT_
        location / {
            npmtoken other;
            proxy_pass http://$TEST_NGINX_PRIVATE;
        }
    }
_EOT_
}


# On connections of their own, since some wait for others.  Each is
# [ METHOD, URI, TOKEN ]; the answer is "STATUS BODY".

sub send_request {
    my ($method, $uri, $token) = @_;

    my $http2 = $ENV{TEST_NGINX_USE_HTTP2};
    my $c = ($http2 ? 'NpmToken::HTTP2' : 'NpmToken::HTTP1')
        ->new($ENV{TEST_NGINX_SERVER_PORT});
    my $id = $c->request($method, $uri, $token
        ? { Authorization => "Bearer $token" } : {});

    return sub {
        my $response = $c->response($http2 ? $id : $method);

        return "$response->{status} " . ($response->{body}
            =~ /^(for .*)|"reason":"(\w+)"/m ? $1 // $2 : '');
    };
}

sub answer { return send_request(@_)->() }


# A cached answer that is too old, and a registry that is away

sub stale_is_stolen_by_nobody {
    my $text = answer('GET', '/short', 'npm_alice') . "\n";

    write_file("$dir/down", '');

    # a hit, until it is old

    wait_for {
        answer('GET', '/short', 'npm_alice');
        read_file("$ENV{TEST_NGINX_SERVROOT}/logs/test.log")
            =~ m{^GET /short 200 STALE <alice>}m;
    } 'a stale answer';

    $text .= answer('GET', '/short', $_) . "\n"
        for qw( npm_alice npm_alice2 npm_bob npm_Alice npm_nobody npm_revoked
                npm_far npm_unknown ), '';

    unlink "$dir/down";

    return $text;
}


# A cached answer that is made anew behind the back of who asks

sub updates_are_made_for_who_asks {
    my $text = answer('GET', '/short', 'npm_alice') . "\n"
        . answer('GET', '/short', 'npm_bob') . "\n";

    for my $name (qw( alice bob alice )) {
        my $before = () = asked() =~ /<$name>/g;

        wait_for {
            my $answer = answer('GET', '/short', "npm_$name");

            $answer eq "200 for <$name> <>"
                or $text .= "$name got \"$answer\"\n";

            $before < (() = asked() =~ /<$name>/g);
        } "an update for $name";
    }

    # whatever it was asked, it was by one of the two
    $text .= "asked for others\n"
        if asked() =~ m{^(?!GET /short for <(?:alice|bob)> <>$)}m;

    return $text;
}


# Many who ask at once: whoever waits, waits for an answer of its own

sub nobody_waits_for_another {
    write_file("$dir/hold", '');

    my @waiting = send_request('GET', '/locked', 'npm_alice');

    wait_for { asked() =~ /<alice>/ } 'the first';

    push @waiting, map { send_request('GET', '/locked', $_) }
        qw( npm_alice npm_alice2 npm_revoked npm_bob npm_bob );

    wait_for { asked() =~ /<bob>/ } 'another';

    unlink "$dir/hold";

    return join '', map { $_->() . "\n" } @waiting;
}

run_tests();

__DATA__

=== TEST 1: a private answer, and who would like to have it
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval: $::safe . $::location
--- cases
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_alice2   200 body="<alice> <>"
GET   /private      npm_bob      200 body="<bob> <>"
GET   /private      npm_Alice    200 body="<Alice> <>"
GET   /private      npm_nobody   200 body="<> <>"
GET   /private      -            401 no_token
GET   /private      npm_revoked  401 revoked
GET   /private      npm_expired  401 expired
GET   /private      npm_far      401 cidr
GET   /private      npm_bad      403 bad_record
GET   /private      npm_unknown  401 unknown
GET   /private      "Basic YWxpY2U6YQ=="       401 unknown
GET   /private      "Bearer,"                  401 bad_token
GET   /private      npm_bob      200 body="<bob> <>" +"X-Npm-User: alice"
GET   /private      -            401 no_token        +"X-Npm-User: alice"
GET   /private      npm_bob      200 body="<bob> <>" +"Host: alice.example"
GET   /private      npm_bob      200 body="<bob> <>" +"Cookie: user=alice"
HEAD  /private      npm_bob      200
HEAD  /private      npm_alice    200
HEAD  /private      -            401 no_token
HEAD  /private      npm_revoked  401 revoked
--- test_lines
GET /private 200 MISS <alice> <>
GET /private 200 HIT <alice> <>
GET /private 200 HIT <alice> <>
GET /private 200 MISS <bob> <>
GET /private 200 MISS <Alice> <>
GET /private 200 MISS <> <>
GET /private 401  
GET /private 401  
GET /private 401  
GET /private 401  
GET /private 403  
GET /private 401  
GET /private 401  
GET /private 401  
GET /private 200 HIT <bob> <>
GET /private 401  
GET /private 200 HIT <bob> <>
GET /private 200 HIT <bob> <>
HEAD /private 200 HIT <bob> <>
HEAD /private 200 HIT <alice> <>
HEAD /private 401  
HEAD /private 401  



=== TEST 2: ... CONTROL: a key without the user gives it to all who may read
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::cached . '    proxy_cache_key "$server_name $packument $request_uri";
    proxy_cache_bypass    $http_authorization;
    proxy_no_cache        $http_authorization;
    npmtoken_anonymous read;
' . $::location
--- cases
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_bob      200 body="<alice> <>"
GET   /private      -            200 body="<alice> <>"
GET   /private      npm_nobody   200 body="<alice> <>"
GET   /private      npm_revoked  401 revoked
HEAD  /private      npm_bob      200
--- test_lines
GET /private 200 MISS <alice> <>
GET /private 200 HIT <alice> <>
GET /private 200 HIT <alice> <>
GET /private 200 HIT <alice> <>
GET /private 401  
HEAD /private 200 HIT <alice> <>



=== TEST 3: HEAD first
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval: $::safe . $::location
--- cases
HEAD  /private      npm_alice    200
HEAD  /private      npm_bob      200
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_bob      200 body="<bob> <>"
--- test_lines
HEAD /private 200 MISS <alice> <>
HEAD /private 200 MISS <bob> <>
GET /private 200 HIT <alice> <>
GET /private 200 HIT <bob> <>



=== TEST 4: anonymous reads, and tokens that are as good as none
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::safe . '    npmtoken_anonymous read;
    npmtoken_unknown anonymous;
' . $::location
--- cases
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      -            200 body="<> <>"
GET   /private      npm_unknown  200 body="<> <>"
GET   /private      npm_nobody   200 body="<> <>"
GET   /private      npm_noone    200 body="<> <>"
GET   /private      "Basic YWxpY2U6YQ=="  200 body="<> <>"
GET   /private      npm_revoked  401 revoked
GET   /private      npm_bob      200 body="<bob> <>"
GET   /private      -            200 body="<> <>" +"X-Npm-User: alice"
GET   /private      npm_alice    200 body="<alice> <>"
--- test_lines
GET /private 200 MISS <alice> <>
GET /private 200 MISS <> <>
GET /private 200 HIT <> <>
GET /private 200 HIT <> <>
GET /private 200 HIT <> <>
GET /private 200 HIT <> <>
GET /private 401  
GET /private 200 MISS <bob> <>
GET /private 200 HIT <> <>
GET /private 200 HIT <alice> <>



=== TEST 5: who is named so that name and path run into each other
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval: $::safe . $::location
--- cases
GET   /b/private    npm_a        200 body="<a> <>"
GET   /private      npm_ab       200 body="<a/b> <>"
GET   /b/private    npm_a        200 body="<a> <>"
GET   /b/%70rivate  npm_ab       200 body="<a/b> <>"
GET   /b/private?x  npm_a        200 body="<a> <>"
--- test_lines
GET /b/private 200 MISS <a> <>
GET /private 200 MISS <a/b> <>
GET /b/private 200 HIT <a> <>
GET /b/%70rivate 200 MISS <a/b> <>
GET /b/private?x 200 MISS <a> <>



=== TEST 6: ... CONTROL: a key with nothing between the two
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::cached . '    proxy_cache_key "$npmtoken_user$request_uri";
' . $::location
--- cases
GET   /b/private    npm_a        200 body="<a> <>"
GET   /private      npm_ab       200 body="<a> <>"



=== TEST 7: CONTROL: a key with the token that the registry gets, which is none
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::cached . '    proxy_cache_key "$http_authorization $remote_user $request_uri";
' . $::location
--- cases
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_bob      200 body="<alice> <>"



=== TEST 8: CONTROL: a key with the header, which was read before it was cleaned
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::cached . '    proxy_cache_key "$http_x_npm_user $request_uri";

    if ($http_x_npm_user = root) {
        return 403;
    }
' . $::location
--- cases
GET   /private      npm_alice    200 body="<alice> <>" +"X-Npm-User: alice"
GET   /private      npm_bob      200 body="<alice> <>" +"X-Npm-User: alice"



=== TEST 9: a login's answer, which is for who knows the password
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval: $::safe . $::location
--- cases
GET   /-/user/org.couchdb.user:alice?write=true   "Basic YWxpY2U6YQ=="  200 body="<> <Basic YWxpY2U6YQ==>"
GET   /-/user/org.couchdb.user:alice?write=true   -                     200 body="<> <>"
GET   /-/user/org.couchdb.user:alice?write=true   "Basic Ym9iOmI="      200 body="<> <Basic Ym9iOmI=>"
GET   /-/user/org.couchdb.user:alice?write=true   npm_revoked           200 body="<> <Bearer npm_revoked>"
GET   /-/user/org.couchdb.user:alice?write=true   npm_bob               200 body="<> <Bearer npm_bob>"
GET   /-/user/org.couchdb.user:alice?write=true   -                     200 body="<> <>"
--- test_lines
GET /-/user/org.couchdb.user:alice?write=true 200 BYPASS <> <Basic YWxpY2U6YQ==>
GET /-/user/org.couchdb.user:alice?write=true 200 MISS <> <>
GET /-/user/org.couchdb.user:alice?write=true 200 BYPASS <> <Basic Ym9iOmI=>
GET /-/user/org.couchdb.user:alice?write=true 200 BYPASS <> <Bearer npm_revoked>
GET /-/user/org.couchdb.user:alice?write=true 200 BYPASS <> <Bearer npm_bob>
GET /-/user/org.couchdb.user:alice?write=true 200 HIT <> <>



=== TEST 10: ... CONTROL: the user in the key is not enough, since there is none yet
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::cached . '    proxy_cache_key "$server_name $npmtoken_user $packument $request_uri";
' . $::location
--- cases
GET   /-/user/org.couchdb.user:alice?write=true   "Basic YWxpY2U6YQ=="  200 body="<> <Basic YWxpY2U6YQ==>"
GET   /-/user/org.couchdb.user:alice?write=true   -                     200 body="<> <Basic YWxpY2U6YQ==>"



=== TEST 11: in a dry run, where the registry still judges
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::safe . '    npmtoken_dry_run on;
' . $::location
--- cases
GET   /private      npm_unknown  200 unknown body="<> <Bearer npm_unknown>"
GET   /private      npm_other    200 unknown body="<> <Bearer npm_other>"
GET   /private      -            200 no_token body="<> <>"
GET   /private      npm_revoked  200 revoked body="<> <Bearer npm_revoked>"
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_bob      200 body="<bob> <>"
GET   /private      npm_unknown  200 unknown body="<> <Bearer npm_unknown>"
--- test_lines
GET /private 200 BYPASS <> <Bearer npm_unknown>
GET /private 200 BYPASS <> <Bearer npm_other>
GET /private 200 MISS <> <>
GET /private 200 BYPASS <> <Bearer npm_revoked>
GET /private 200 MISS <alice> <>
GET /private 200 MISS <bob> <>
GET /private 200 BYPASS <> <Bearer npm_unknown>



=== TEST 12: ... CONTROL: the user in the key is not enough there either
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::cached . '    proxy_cache_key "$server_name $npmtoken_user $packument $request_uri";
    npmtoken_dry_run on;
' . $::location
--- cases
GET   /private      npm_unknown  200 unknown body="<> <Bearer npm_unknown>"
GET   /private      npm_other    200 unknown body="<> <Bearer npm_unknown>"
GET   /private      -            200 no_token body="<> <Bearer npm_unknown>"



=== TEST 13: npmtoken_unknown pass: by the key
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::pass . '    proxy_cache_bypass $foreign;
    proxy_no_cache     $foreign;
' . $::location
--- cases
GET   /private      npm_unknown  200 body="<> <Bearer npm_unknown>"
GET   /private      npm_unknown  200 body="<> <Bearer npm_unknown>"
GET   /private      npm_other    200 body="<> <Bearer npm_other>"
GET   /private      npm_Unknown  200 body="<> <Bearer npm_Unknown>"
GET   /private      npm_unknown= 200 body="<> <Bearer npm_unknown=>"
GET   /private      npm_alice    200 body="<> <Bearer npm_alice>"
GET   /private      npm_alice2   200 body="<> <Bearer npm_alice2>"
GET   /private      npm_revoked  401 revoked
GET   /private      npm_far      401 cidr
GET   /private      -            200 body="<> <>"
GET   /private      "Basic YWxpY2U6YQ=="  200 body="<> <Basic YWxpY2U6YQ==>"
GET   /private      "Basic Ym9iOmI="      200 body="<> <Basic Ym9iOmI=>"
GET   /private      "Bearer a b"          401 bad_token
GET   /private      -            200 body="<> <>"
GET   /private      "bearer npm_unknown"  200 body="<> <Bearer npm_unknown>" key=npm_unknown
HEAD  /private      npm_other2   200
HEAD  /private      "Basic YWxpY2U6YQ=="  200
--- test_lines
GET /private 200 MISS <> <Bearer npm_unknown>
GET /private 200 HIT <> <Bearer npm_unknown>
GET /private 200 MISS <> <Bearer npm_other>
GET /private 200 MISS <> <Bearer npm_Unknown>
GET /private 200 MISS <> <Bearer npm_unknown=>
GET /private 200 MISS <> <Bearer npm_alice>
GET /private 200 MISS <> <Bearer npm_alice2>
GET /private 401  
GET /private 401  
GET /private 200 MISS <> <>
GET /private 200 BYPASS <> <Basic YWxpY2U6YQ==>
GET /private 200 BYPASS <> <Basic Ym9iOmI=>
GET /private 401  
GET /private 200 HIT <> <>
GET /private 200 HIT <> <Bearer npm_unknown>
HEAD /private 200 MISS <> <Bearer npm_other2>
HEAD /private 200 BYPASS <> <Basic YWxpY2U6YQ==>



=== TEST 14: ... CONTROL: the key alone: other credentials than tokens have none
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval: $::pass . $::location
--- cases
GET   /private      "Basic YWxpY2U6YQ=="  200 body="<> <Basic YWxpY2U6YQ==>"
GET   /private      "Basic Ym9iOmI="      200 body="<> <Basic YWxpY2U6YQ==>"
GET   /private      -                     200 body="<> <Basic YWxpY2U6YQ==>"



=== TEST 15: ... CONTROL: the user in place of the key: what passed has none
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::bare . '    npmtoken_unknown pass;
    proxy_cache_key "$server_name $npmtoken_user $packument $request_uri";
' . $::location
--- cases
GET   /private      npm_unknown  200 body="<> <Bearer npm_unknown>"
GET   /private      npm_other    200 body="<> <Bearer npm_unknown>"



=== TEST 16: a registry that gets the token itself, and records without a user
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::bare . '    proxy_cache_key "$server_name $npmtoken_key $packument $request_uri";
    proxy_cache_bypass $foreign;
    proxy_no_cache     $foreign;
' . $::location
--- cases
GET   /private      npm_nobody   200 body="<> <Bearer npm_nobody>"
GET   /private      npm_noone    200 body="<> <Bearer npm_noone>"
GET   /private      npm_nobody   200 body="<> <Bearer npm_nobody>"
GET   /-/ping       "Basic Ym9iOmI="  200 body="<> <Basic Ym9iOmI=>"
GET   /-/ping       -            200 body="<> <>"
GET   /private      -            401 no_token
--- test_lines
GET /private 200 MISS <> <Bearer npm_nobody>
GET /private 200 MISS <> <Bearer npm_noone>
GET /private 200 HIT <> <Bearer npm_nobody>
GET /-/ping 200 BYPASS <> <Basic Ym9iOmI=>
GET /-/ping 200 MISS <> <>
GET /private 401  



=== TEST 17: ... CONTROL: the user in the key, of records that have none
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::bare . '    proxy_cache_key "$server_name $npmtoken_user $packument $request_uri";
' . $::location
--- cases
GET   /private      npm_nobody   200 body="<> <Bearer npm_nobody>"
GET   /private      npm_noone    200 body="<> <Bearer npm_nobody>"



=== TEST 18: two registries in one cache: alice of one is not alice of the other
--- tokens eval: $::tokens
--- http_config eval: main::two_registries($::safe)
--- init
redis('HSET', 'other:token:' . token_key('npm_other'), 'user', 'alice')
--- config eval: $::safe . $::location
--- cases
GET   /private      npm_alice    200 body="<alice> <>"
GET   /private      npm_other    200 body="<alice> <>"  +"Host: other.example"
GET   /private      npm_other    200 body="<alice> <>"  +"Host: OTHER.example:80"
GET   /private      npm_other    401 unknown
GET   /private      npm_alice    401 unknown            +"Host: other.example"
GET   /private      npm_alice    200 body="<alice> <>"
--- test_lines
GET /private 200 MISS <alice> <>
GET /private 200 MISS <alice> <>
GET /private 200 HIT <alice> <>
GET /private 401  
GET /private 401  
GET /private 200 HIT <alice> <>



=== TEST 19: ... CONTROL: a key without the server's name
--- tokens eval: $::tokens
--- http_config eval: main::two_registries($::safe =~ s/\$server_name //r)
--- init
redis('HSET', 'other:token:' . token_key('npm_other'), 'user', 'alice')
--- config eval
$::safe =~ s/\$server_name //r . $::location
--- cases
GET   /private      npm_alice    200
GET   /private      npm_other    200  +"Host: other.example"
--- test_lines
GET /private 200 MISS <alice> <>
GET /private 200 HIT <alice> <>



=== TEST 20: the registry is away: what is old is still its owner's
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::safe . '    proxy_cache_use_stale error timeout updating;
    location = /start {
        return 200;
    }
' . $::location
--- request
GET /start
--- response_body_filters eval
\&main::stale_is_stolen_by_nobody
--- response_body
200 for <alice> <>
200 for <alice> <>
200 for <alice> <>
502 
502 
502 
401 revoked
401 cidr
401 unknown
401 no_token



=== TEST 21: updates in the background
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::safe . '    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
    location = /start {
        return 200;
    }
' . $::location
--- request
GET /start
--- response_body_filters eval
\&main::updates_are_made_for_who_asks
--- response_body
200 for <alice> <>
200 for <bob> <>



=== TEST 22: the lock
--- tokens eval: $::tokens
--- http_config eval: $::log
--- config eval
$::safe . '    proxy_cache_lock on;
    location = /start {
        return 200;
    }
' . $::location
--- request
GET /start
--- response_body_filters eval
[ \&main::nobody_waits_for_another, sub { $_[0] . main::asked() } ]
--- response_body
200 for <alice> <>
200 for <alice> <>
200 for <alice> <>
401 revoked
200 for <bob> <>
200 for <bob> <>
GET /locked for <alice> <>
GET /locked for <bob> <>
