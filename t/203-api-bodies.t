# The body of a call: how it may come, how long it may be, and what is no
# JSON object.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep );

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP2;
use NpmToken::Nginx qw( read_response request_text );
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    api    => 'npmtoken_api_attempts 0 0;',
    server => <<'_EOC_',
        client_body_timeout 60s;

        location /small/ {
            npmtoken main;
            npmtoken_base /small/;
            npmtoken_api main;
            npmtoken_api_max_body 1k;
            proxy_pass http://registry;
        }
        location /large/ {
            npmtoken main;
            npmtoken_base /large/;
            npmtoken_api main;
            npmtoken_api_max_body 64k;
            client_body_buffer_size 64k;
            proxy_pass http://registry;
        }
        location /nginx/ {
            npmtoken main;
            npmtoken_base /nginx/;
            npmtoken_api main;
            npmtoken_api_max_body 64k;
            client_max_body_size 2k;
            proxy_pass http://registry;
        }
        location /file/ {
            npmtoken main;
            npmtoken_base /file/;
            npmtoken_api main;
            client_body_in_file_only on;
            proxy_pass http://registry;
        }
_EOC_
);

my $password = 'correct horse battery';
my $tokens = '/-/npm/v1/tokens';
my $json = JSON::PP->new->canonical;

$api->user('alice', $password);

my $bearer = $api->login('alice', $password);
my $before = $api->all_of_redis;


# the body of a call, of this many bytes

sub body_of {
    my ($size) = @_;

    my $text = $json->encode({ password => $password });

    $size -= length $text;

    return $size > 0 ? $text . ' ' x $size : $text;
}

sub create {
    my ($body, $base, %headers) = @_;

    return $api->call('POST', ($base // '') . $tokens, $bearer, $body,
                      %headers);
}


subtest 'what is no JSON object' => sub {
    my $no = qr/\AThe body of this request is not one JSON object\.\z/;

    for my $body (
        'nonsense', '{', '}', '{}}', '{} {}', '[]', '[{}]', '""', '1', 'null',
        'true', '{"password"}', '{"password":}', '{"password":"x",}',
        "{'password':'x'}", '{password:"x"}', '{"a":1 "b":2}', '{"a":01}',
        '{"a":+1}', '{"a":.5}', '{"a":NaN}', '{"a":Infinity}', '{"a":1e999}',
        '{"a":99999999999999999999999}', '{"a":"\x"}', '{"a":"\u12"}',
        '{"a":"\ud800"}', '{"a":"\udc00\ud800"}', "{\"a\":\"\n\"}",
        "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}",
        "{\"\xff\":1}", "\0", "{}\0", "{\0}", ' ', "\n", '//', '{}//',
        '{"a":1,"a":2}', '{"password":"x","password":"y"}',
        '{"a":{"b":1,"b":1}}', '{"readonly":true,"readonly":false}',
        '[' x 4000, '{"a":' x 1500, '{"a":' . '[' x 3000 . ']' x 3000 . '}',
        'password=x&readonly=true',
    ) {
        my $name = substr $body, 0, 30;

        $name =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;

        is_error(create($body), 400, $no, "not $name");
    }

    my $nul = qr/contains a NUL/;

    is_error(create($_), 400, $nul, "not $_")
        for '{"password":"a\u0000"}', '{"a":"\u0000"}', '{"a":{"b":["\u0000"]}}',
            '{"name":"a\u0000b","password":"x"}';

    is_error(create(undef), 400, qr/a body that is one JSON object/, 'nothing');
    is_error(create(''), 400, qr/one JSON object/, 'no bytes at all');

    # each of the calls that has one

    for my $call ([ PUT => '/-/user/org.couchdb.user:alice' ],
                  [ POST => $tokens ], [ POST => '/-/npm/v1/user' ])
    {
        my ($method, $uri) = @$call;

        is_error($api->call($method, $uri, $bearer, '[]'), 400, $no,
                 "$method $uri");
        is_error($api->call($method, $uri, $bearer, undef), 400,
                 qr/one JSON object/, "$method $uri without a body");
        is_error($api->call($method, $uri, $bearer, '{"a":"\u0000"}'), 400,
                 $nul, "$method $uri with a NUL");
    }

    is_deeply($api->all_of_redis, $before, 'nothing is stored');
};


subtest 'what is one' => sub {
    for my $body (
        body_of(0), "\r\n\t " . body_of(0) . "\n",
        '{"password":"correct horse battery","readonly":null}',
        '{"pass\u0077ord":"\u0063orrect horse battery"}',
        '{"password":"correct horse battery","name":"\ud83d\ude00"}',
    ) {
        is(create($body)->{status}, 200, $body =~ s/\s+/ /gr);
    }

    is(create(body_of(0), '', 'Content-Type' => $_)->{status}, 200,
       "as $_: yarn and older npm are not particular")
        for 'text/plain', 'application/x-www-form-urlencoded';
};


subtest 'how long it may be' => sub {
    my $large = qr/\AThe body of this request is too large\.\z/;

    is(create(body_of(1024), '/small')->{status}, 200, 'as long as it may');
    is_error(create(body_of(1025), '/small'), 413, $large, 'and longer');
    is(create(body_of(65_536), '/large')->{status}, 200, '64k');
    is_error(create(body_of(65_537), '/large'), 413, $large, 'and longer');
    is(create(body_of(8192))->{status}, 200,
       "what is not said: nginx's buffer of a body");
    is_error(create(body_of(16_385)), 413, $large, 'and longer');
    is_error(create(body_of(1_000_000)), 413, $large, 'and very long');
    is(create(body_of(2049), '/nginx')->{status}, 413,
       "nginx's own limit, where that is less");

    is_error($api->call('PUT', '/small/-/user/org.couchdb.user:alice', undef,
        '{"password":"' . 'x' x 1024 . '"}'), 413, $large, 'of a login');

    is(create(body_of(100), '/file')->{status}, 200,
       'where bodies are kept in files, this one is not');
    is(join(' ', glob $api->dir . '/client_body/*'), '', 'none is there');
};


subtest 'what has no length' => sub {
    my $needs = qr/\AA request to this address needs Content-Length\.\z/;

    my $c = $api->connect;

    print $c "POST $tokens HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $bearer\r\nConnection: close\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n";

    my $r = read_response($c, 'POST');

    $r->{json} = JSON::PP->new->decode($r->{body});
    is_error($r, 411, $needs, 'chunked');

    my $c2 = NpmToken::HTTP2->new($api->{http2_port});
    my $id = $c2->request('POST', $tokens,
                          { authorization => "Bearer $bearer" }, undef, 1);

    is($c2->response($id)->{status}, 411, 'over HTTP/2');
    like($c2->response($id)->{body}, qr/needs Content-Length/, '... in JSON');

    $id = $c2->request('POST', $tokens,
                       { authorization => "Bearer $bearer" });
    is($c2->response($id)->{status}, 400, 'and over HTTP/2 without a body');
};


# the token of an answer that was not got by call()

sub noted {
    my $r = shift;

    NpmToken::Api::note_secrets('', undef, undef, {}, $r);

    return $r;
}


# what a network makes of one

sub in_pieces {
    my ($name, $base, @pieces) = @_;

    my $c = $api->connect;
    my $first = 1;

    for my $piece (@pieces) {
        sleep 0.05 if !$first;
        $first = 0;

        syswrite $c, $piece;
    }

    my $r = noted(read_response($c, 'POST'));

    is($r->{status}, 200, $name) or diag $r->{body};
}

subtest 'how it may come' => sub {
    for my $size (50, 900, 2000, 6000) {
        my $text = request_text('POST', $tokens,
            { Authorization => "Bearer $bearer" }, body_of($size));
        my $head = index($text, "\r\n\r\n") + 4;

        in_pieces("$size bytes: all at once", '', $text);
        in_pieces("$size bytes: behind the header", '',
                  substr($text, 0, $head), substr $text, $head);

        for my $cut (1, 30, $size - 1) {
            in_pieces("$size bytes: $cut of them with the header", '',
                      substr($text, 0, $head + $cut),
                      substr $text, $head + $cut);
        }

        in_pieces("$size bytes: in many parts", '',
            substr($text, 0, $head + 10), substr($text, $head + 10, 10),
            substr($text, $head + 20, 10), substr $text, $head + 30);
    }

    my $text = request_text('POST', "/large$tokens",
        { Authorization => "Bearer $bearer" }, body_of(60_000));

    in_pieces('much, in parts', '', map { substr $text, 10_000 * $_, 10_000 }
              0 .. int(length($text) / 10_000));

    # HTTP/2 frames

    my $c = NpmToken::HTTP2->new($api->{http2_port});
    my $body = body_of(3000);
    my $id = $c->request('POST', $tokens,
        { authorization => "Bearer $bearer", 'content-length' => 3000 },
        undef, 1);

    for (0 .. 2) {
        $c->data($id, substr($body, 1000 * $_, 1000), $_ == 2);
        sleep 0.02;
    }

    my $r = noted($c->response($id));

    is($r->{status}, 200, 'three frames of HTTP/2') or diag $r->{body};

    # a client that asks first

    $c = $api->connect;
    print $c "POST $tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
        . "Authorization: Bearer $bearer\r\nConnection: close\r\n"
        . "Expect: 100-continue\r\n\r\n";
    is(read_response($c, 'POST')->{status}, 100, 'it is told to go on');
    print $c body_of(50);
    $r = noted(read_response($c, 'POST'));
    is($r->{status}, 200, 'and answered');

    $c = $api->connect;
    print $c "POST $tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n"
        . "Authorization: Bearer $bearer\r\nConnection: close\r\n"
        . "Expect: 100-continue\r\n\r\n";
    is(read_response($c, 'POST')->{status}, 413, 'what is too long is not');

    # the next request on the same connection is whole

    my $one = request_text('POST', $tokens,
        { Authorization => "Bearer $bearer", Connection => 'keep-alive' },
        body_of(60));

    $c = $api->connect;
    print $c $one, $one;

    for (1 .. 2) {
        my $r = read_one($c);

        is($r, 200, "request $_ of two that come together");
    }
};


# status of one response on a connection that goes on

sub read_one {
    my $c = shift;

    local $/ = "\r\n\r\n";

    my $head = <$c>;
    my ($status) = $head =~ m{\AHTTP/\S+ (\d+)};
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;

    read $c, my ($body), $length;
    noted({ body => $body });

    return $status;
}


subtest 'what never comes' => sub {
    my $before = $api->all_of_redis;

    for my $how (qw( close reset )) {
        my $c = NpmToken::HTTP1->new($api->port);

        $c->write("POST $tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n"
            . "Authorization: Bearer $bearer\r\n\r\n{\"password\":");
        sleep 0.05;
        $c->$how;
    }

    my $c = NpmToken::HTTP2->new($api->{http2_port});
    my $id = $c->request('POST', $tokens,
        { authorization => "Bearer $bearer", 'content-length' => 60 },
        undef, 1);

    $c->data($id, '{"password":');
    $c->cancel($id);
    $c->ping;

    wait_for { (() = $api->access_log =~ /" (?:400|499) /g) >= 2 } 'the log';
    is_deeply($api->all_of_redis, $before, 'is not waited for');
};


done();
