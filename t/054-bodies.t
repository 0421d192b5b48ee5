# Request bodies: none is read, nor invited, before the verdict; a denial does
# not wait for one; an allowed one arrives whole.  Keepalive and pipelining.
#
# Both protocols are spoken here by clients of our own, so there is nothing
# for the HTTP/2 run to add.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( free_port read_file temp_dir wait_for );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $dir = temp_dir();
my $http2 = free_port();
my $store = "$dir/store";

mkdir $store;

# the registry keeps what is PUT in files

my $nginx = NpmToken::Nginx->new(
    level => 'debug',
    http  => <<"_EOC_",
    npmtoken_store main {
        redis unix:${\$redis->socket};
        lookup_timeout 5s;
    }

    server {
        listen unix:$dir/registry;
        access_log $dir/registry.log;
        client_max_body_size 30m;

        location / {
            root $store;
            dav_methods PUT;
        }
    }
_EOC_
    server => <<"_EOC_",
        listen 127.0.0.1:$http2 http2;

        location / {
            npmtoken main;
            proxy_pass http://unix:$dir/registry;
        }

        location /unbuffered/ {
            npmtoken main;
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://unix:$dir/registry;
        }
_EOC_
);

mkdir "$store/unbuffered";

my $tokens = 0;
my $files = 0;


# a token that was never asked for before, in Authorization

sub good {
    my $token = 'npm_good' . $tokens++;

    $redis->put_token($token, user => 'alice');

    return (Authorization => "Bearer $token");
}


sub bad { return (Authorization => 'Bearer npm_bad' . $tokens++) }


# how many requests have waited, of all

sub waited {
    return scalar(() = $nginx->error_log =~ /npmtoken request waits/g);
}


# runs code while its requests wait for a paused Redis

sub while_waiting {
    my ($number, $code) = @_;

    my $before = waited();

    $redis->pause;

    my $result = eval {
        $code->();
        wait_for { waited() >= $before + $number } 'waiting requests';
        1;
    };

    my $error = $@;

    $redis->resume;
    die $error if !$result;
}


sub body {
    my $size = shift;

    my $body = join '', map { chr int rand 256 } 1 .. 1000;

    return substr $body x (1 + $size / 1000), 0, $size;
}


sub connection { return NpmToken::HTTP1->new($nginx->port) }


subtest 'a denied PUT is not invited to go on' => sub {
    for my $headers ({}, { bad() }, { Authorization => 'Bearer' }) {
        my $c = connection();

        $c->request('PUT', '/pkg', { %$headers, Expect => '100-continue',
                                     'Content-Length' => 20_000_000 });

        is($c->response->{status}, 401, 'the first that is heard');
    }
};


subtest '... nor is it after a wait' => sub {
    my $c = connection();

    while_waiting(1, sub {
        $c->request('PUT', '/pkg', { bad(), Expect => '100-continue',
                                     'Content-Length' => 20_000_000 });
    });

    is($c->response->{status}, 401, 'the first that is heard');
};


subtest '... nor with a chunked body' => sub {
    my $c = connection();

    $c->request('PUT', '/pkg', { bad(), Expect => '100-continue',
                                 'Transfer-Encoding' => 'chunked' });

    is($c->response->{status}, 401, 'the first that is heard');
};


subtest 'an allowed PUT is invited, also after a wait' => sub {
    for my $wait (0, 1) {
        my $c = connection();
        my %good = good();
        my $send = sub {
            $c->request('PUT', "/expect$wait", { %good,
                Expect => '100-continue', 'Content-Length' => 5 });
        };

        $wait ? while_waiting(1, $send) : $send->();

        is($c->response->{status}, 100, 'invited');
        $c->write('hello');
        is($c->response->{status}, 201, 'stored');
        is(read_file("$store/expect$wait"), 'hello', 'the body');
    }
};


subtest 'a denial does not wait for the body' => sub {
    my $c = connection();

    $c->request('PUT', '/pkg', { bad(), 'Content-Length' => 20_000_000 });
    is($c->response->{status}, 401, 'Content-Length, nothing sent');

    $c = connection();
    $c->request('PUT', '/pkg', { bad(), 'Transfer-Encoding' => 'chunked' });
    $c->write("5\r\nhello\r\n");
    is($c->response->{status}, 401, 'chunked, not at its end');
};


subtest 'a client that sends it all the same gets the answer' => sub {
    my $c = connection();

    ok($c->request('PUT', '/pkg', { bad() }, body(3_000_000)), 'it is read');
    is($c->response->{status}, 401, 'denied');
};


subtest 'bodies arrive whole' => sub {
    my @sizes = (0, 1, 1000, 20_000, 100_000, 5_000_000);

    for my $where ('', 'unbuffered/') {
        for my $wait (0, 1) {
            for my $size (@sizes) {
                my $name = $where . 'file' . $files++;
                my $body = body($size);
                my $c = connection();
                my %good = good();

                # as much of it as the socket takes while nobody reads
                my $head = sub {
                    $c->request('PUT', "/$name", { %good,
                                'Content-Length' => $size },
                                substr $body, 0, 100_000);
                };

                $wait ? while_waiting(1, $head) : $head->();
                $c->write(substr $body, 100_000) if $size > 100_000;

                is($c->response->{status}, 201, "$name, $size bytes");
                ok(read_file("$store/$name") eq $body, 'the same');
            }
        }
    }
};


subtest 'chunked bodies arrive whole' => sub {
    for my $wait (0, 1) {
        my $name = 'file' . $files++;
        my $body = body(50_000);
        my $c = connection();
        my %good = good();
        my $send = sub {
            $c->request('PUT', "/$name", { %good,
                        'Transfer-Encoding' => 'chunked' });

            $c->write(sprintf("%x\r\n", length) . "$_\r\n")
                for $body =~ /(.{1,7000})/sg;

            $c->write("0\r\n\r\n");
        };

        $wait ? while_waiting(1, $send) : $send->();

        is($c->response->{status}, 201, $name);
        ok(read_file("$store/$name") eq $body, 'the same');
    }
};


subtest 'keepalive goes on after denials' => sub {
    my $c = connection();

    for (1 .. 3) {
        $c->request('GET', '/nothing', { bad() });
        is($c->response->{status}, 401, 'GET');

        $c->request('HEAD', '/nothing', { bad() });
        is($c->response('HEAD')->{status}, 401, 'HEAD');

        $c->request('PUT', '/nothing', { bad() }, 'a short body');
        is($c->response->{status}, 401, 'PUT with a short body');

        $c->request('PUT', '/nothing', { bad() }, body(200_000));
        is($c->response->{status}, 401, 'PUT with a long body');

        $c->request('PUT', '/nothing', { bad(),
                    'Transfer-Encoding' => 'chunked' });
        $c->write("5\r\nhello\r\n0\r\n\r\n");
        is($c->response->{status}, 401, 'PUT with a chunked body');

        $c->request('PUT', '/kept', { good() }, 'kept');
        like($c->response->{status}, qr/\A20[14]\z/, 'allowed');
    }

    is(read_file("$store/kept"), 'kept', 'the body of the last one');
};


subtest 'pipelined requests are answered in their order' => sub {
    for my $wait (0, 1) {
        my $c = connection();
        my %good = good();
        my $send = sub {
            my $text = '';

            for (["PUT /piped$wait", 'good', 'first'],
                 ['PUT /nothing', 'bad', 'second'],
                 ["GET /piped$wait", 'good'],
                 ['GET /nothing', 'bad'],
                 ['GET /nothing', 'none'],
                 ["GET /piped$wait", 'good'])
            {
                my ($line, $who, $body) = @$_;
                my %headers = $who eq 'good' ? %good
                            : $who eq 'bad'  ? bad() : ();

                $text .= "$line HTTP/1.1\r\nHost: localhost\r\n"
                    . join('', map { "$_: $headers{$_}\r\n" } keys %headers)
                    . (defined $body
                        ? 'Content-Length: ' . length($body) . "\r\n" : '')
                    . "\r\n" . ($body // '');
            }

            $c->write($text);
        };

        $wait ? while_waiting(1, $send) : $send->();

        is_deeply([ map { $c->response->{status} } 1 .. 6 ],
                  [201, 401, 200, 401, 401, 200], $wait ? 'waiting' : 'at once');
    }
};


subtest 'HTTP/1.0, and Connection: close' => sub {
    my $c = connection();

    $c->write("GET /nothing HTTP/1.0\r\n\r\n");
    is($c->response->{status}, 401, 'HTTP/1.0');
    ok($c->eof, 'closed');

    $c = connection();
    $c->request('GET', '/nothing', { bad(), Connection => 'close' });
    is($c->response->{status}, 401, 'close');
    ok($c->eof, 'closed');
};


subtest 'HTTP/2: a denial does not wait for the body' => sub {
    my $c = NpmToken::HTTP2->new($http2);

    my $id = $c->request('PUT', '/pkg', { bad(),
                         'content-length' => 20_000_000 }, undef, 1);
    my $r = $c->response($id);

    is($r->{status}, 401, 'nothing sent');
    like($r->{body}, qr/"reason":"unknown"/, 'in JSON');

    $id = $c->request('PUT', '/pkg', { bad() }, undef, 1);
    $c->data($id, 'some of it');
    is($c->response($id)->{status}, 401, 'some of it sent');

    while_waiting(1, sub {
        $id = $c->request('PUT', '/pkg', { bad() }, undef, 1);
        $c->data($id, body(60_000));
    });

    is($c->response($id)->{status}, 401, 'a window full, while waiting');

    $id = $c->request('GET', '/kept', { good() });
    is($c->response($id)->{body}, 'kept', 'the connection goes on');
};


subtest 'HTTP/2: bodies arrive whole' => sub {
    my $c = NpmToken::HTTP2->new($http2);

    for my $where ('', 'unbuffered/') {
        for my $wait (0, 1) {
            for my $size (0, 1, 60_000, 1_000_000) {
                my $name = $where . 'file' . $files++;
                my $body = body($size);
                my %good = good();
                my $id;
                my $head = sub {
                    $id = $c->request('PUT', "/$name", { %good,
                                      'content-length' => $size }, undef, 1);
                    $c->data($id, substr $body, 0, 30_000);
                };

                $wait ? while_waiting(1, $head) : $head->();
                $c->data($id, $size > 30_000 ? substr $body, 30_000 : '', 1);

                is($c->response($id)->{status}, 201, "$name, $size bytes");
                ok(read_file("$store/$name") eq $body, 'the same');
            }
        }
    }
};


subtest 'the registry has seen nothing of what was denied' => sub {
    my $log = read_file("$dir/registry.log");

    unlike($log, qr{ /nothing }, 'no request');
    unlike($log, qr{ /pkg }, 'no PUT');
};

done_testing;
