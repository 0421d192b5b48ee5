# Upgrade: where we enforce, no tunnel is opened to the registry, since
# nobody would judge what comes through it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Registry;

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2};

my $redis = NpmToken::Redis->new;
my $registry = NpmToken::Registry->new;
my $to = $registry->socket;

$redis->put_token('npm_full', user => 'alice');
$redis->put_token('npm_ro', user => 'bob', readonly => 'true');

# as operators write it, for websockets

my $lines = <<"_EOT_";
    proxy_http_version 1.1;
    proxy_set_header Upgrade \$http_upgrade;
    proxy_set_header Connection "upgrade";
_EOT_

my $other = <<"_EOT_";
    proxy_http_version 1.1;
    proxy_set_header Upgrade \$http_upgrade;
    proxy_set_header Connection \$http_connection;
    proxy_set_header HTTP2-Settings \$http_http2_settings;
_EOT_

my $nginx = NpmToken::Nginx->new(
    http => "npmtoken_store main { redis unix:" . $redis->socket . "; }\n"
        . 'map $http_upgrade $asks { "" no; default yes; }
           map $http_x_dry $dry { yes on; default off; }',
    server => <<"_EOT_");
    location / {
        npmtoken main;
        $lines
        proxy_pass http://$to;
    }
    location /other/ {
        npmtoken main;
        $other
        proxy_pass http://$to;
    }
    location /read/ {
        npmtoken main;
        npmtoken_anonymous read;
        $lines
        proxy_pass http://$to;
    }
    location /identity/ {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        $lines
        proxy_pass http://$to;
    }
    location /asked/ {
        npmtoken main;
        set \$x "\$asks \$http_upgrade";
        $lines
        proxy_pass http://$to;
    }
    location /dry/ {
        npmtoken main;
        npmtoken_dry_run \$dry;
        $lines
        proxy_pass http://$to;
    }
    location /fall/ {
        npmtoken main;
        root /nonexistent;
        try_files /nothing \@off;
    }
    location \@off {
        $lines
        proxy_pass http://$to;
    }
    location /off/ {
        $lines
        proxy_pass http://$to;
    }
    location /off/identity/ {
        npmtoken_identity X-Npm-User;
        $lines
        proxy_pass http://$to;
    }
_EOT_

my $h2 = NpmToken::Nginx->new(
    http => "npmtoken_store main { redis unix:" . $redis->socket . "; }",
    listen => ' http2',
    server => "location / { npmtoken main; $lines proxy_pass http://$to; }");


# the status of a request that wants a tunnel, and what comes back for what is
# said in it

sub ask {
    my ($path, $token, @headers) = @_;

    my $client = NpmToken::HTTP1->new($nginx->port);

    unshift @headers, "Authorization: Bearer $token" if $token;

    $client->write(join "\r\n", "GET $path HTTP/1.1", 'Host: localhost',
                   @headers, '', '');

    my $status = $client->response->{status};

    return ($status, '') if $status != 101;

    # nginx may have closed already

    $client->write("DELETE /stolen/-rev/1 HTTP/1.1\r\nHost: x\r\n\r\n");

    return ($status, eval { $client->rest } // '');
}

my @websocket = ('Connection: Upgrade', 'Upgrade: websocket');
my @h2c = ('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c',
           'HTTP2-Settings: AAMAAABkAAQAAP__');


sub plain {
    my ($title, $path, $token, @headers) = @_;

    my ($status, $text) = ask($path, $token, @headers);

    is($status, 200, "$title: it is answered as a request");
    unlike($text, qr/tunnel:/, "$title: there is no tunnel");

    my $got = $registry->got($path);

    unlike($got, qr/^(?:Upgrade|HTTP2-Settings):/mi,
           "$title: the registry gets no Upgrade");

    return $got;
}


subtest 'where we enforce there is no tunnel' => sub {
    for (['a full token', '/tunnel/1', 'npm_full'],
         ['a read-only one', '/tunnel/2', 'npm_ro'],
         ['anybody who may read', '/read/tunnel', undef],
         ['with an identity', '/identity/tunnel', 'npm_ro'])
    {
        my ($title, $path, $token) = @$_;

        plain("$title, websocket", "$path/w", $token, @websocket);
        plain("$title, h2c", "$path/h", $token, @h2c);
        plain("$title, anything", "$path/a", $token, 'Connection: upgrade',
              'upgrade: a, b', 'UPGRADE: c');
    }
};


subtest 'nor for a session, which takes no token' => sub {
    my ($status, $text) = ask('/-/ping?tunnel', undef, @websocket);

    is($status, 200);
    unlike($text, qr/tunnel:/);
};


subtest 'what else was said of it goes too' => sub {
    my $got = plain('Connection as it came', '/other/tunnel', 'npm_full',
                    @h2c, 'X-Other: stays');

    unlike($got, qr/upgrade/i);
    like($got, qr/^X-Other: stays$/m);
};


subtest 'also where Upgrade has been looked at before' => sub {
    plain('a map, a set', '/asked/tunnel', 'npm_full', @websocket);
};


subtest 'also behind a redirect to where nothing is enforced' => sub {
    plain('try_files', '/fall/tunnel', 'npm_full', @websocket);
};


subtest 'a 101 that nobody asked for opens nothing' => sub {
    my ($status, $text) = ask('/unasked', 'npm_full', 'Connection: close',
                              'Upgrade: websocket');

    is($status, 101);
    unlike($text, qr/tunnel:/);
};


subtest 'nor over HTTP/2' => sub {
    my $c = NpmToken::HTTP2->new($h2->port);
    my $id = $c->request('GET', '/tunnel/h2', {
        authorization => 'Bearer npm_full', upgrade => 'websocket',
    });

    is($c->response($id)->{status}, 200);
    unlike($registry->got('/tunnel/h2'), qr/^Upgrade:/mi);
};


subtest 'CONNECT is no way either' => sub {
    my $client = NpmToken::HTTP1->new($nginx->port);

    $client->write("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n"
                   . "Authorization: Bearer npm_full\r\n\r\n");

    like($client->response->{status}, qr/\A40[05]\z/);
};


subtest 'a dry run lets through what came' => sub {
    my ($status, $text) = ask('/dry/tunnel', 'npm_ro', @websocket,
                              'X-Dry: yes');

    is($status, 101);
    like($text, qr/tunnel: DELETE/);

    plain('and where it is off', '/dry/tunnel', 'npm_ro', @websocket);
};


subtest 'elsewhere it is not ours' => sub {
    for my $headers (\@websocket, \@h2c) {
        my ($status, $text) = ask('/off/tunnel', undef, @$headers);

        is($status, 101);
        like($text, qr/tunnel: DELETE/);
    }
};


subtest 'but no header is forged in a tunnel: only websockets remain' => sub {
    my $path = '/off/identity/tunnel';

    for my $value ('websocket', 'WebSocket') {
        my ($status, $text) = ask($path, undef, 'Connection: upgrade',
                                  "Upgrade: $value");

        is($status, 101, $value);
        like($text, qr/tunnel: DELETE/, $value);
    }

    plain('h2c', $path, undef, @h2c);
    plain('a list', $path, undef, 'Connection: upgrade',
          'Upgrade: websocket, h2c');
    plain('two lines', $path, undef, 'Connection: upgrade',
          'Upgrade: websocket', 'Upgrade: h2c');
};


done_testing;
