package NpmToken::Soak;

# Thousands of mixed requests against one nginx and a Redis that is paused,
# killed and started again meanwhile: every kind of token, location and
# client, HTTP/1 and HTTP/2, with clients that go away at any moment.
#
#     my $soak = NpmToken::Soak->new(seed => 1);   # nginx and Redis started
#     $soak->run(10_000);                          # so many requests more
#     $soak->wrong;       # answers that should not have been: a list
#     $soak->summary;     # text: how many of what
#     $soak->worker;      # pid
#     $soak->nginx;
#
# The seed makes the same requests; how they fall between the faults of Redis
# is up to the machine.

use strict;
use warnings;

use Time::HiRes qw( sleep time );

use NpmToken::HTTP1;
use NpmToken::HTTP2;
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( free_port read_file temp_dir token_key wait_for );

# what a token's record says, and what the location "/" answers: to a read,
# to a write. Besides, anything can be a 503 that needs a look-up.

my %kinds = (
    full      => [ [ user => 'alice' ], 200, 200 ],
    plain     => [ [ x_note => 'nobody in particular' ], 200, 200 ],
    expiring  => [ [ user => 'alice', expires_at => int(time) + 86400 ],
                   200, 200 ],
    here      => [ [ user => 'alice', cidr_whitelist => '127.0.0.0/8, ::1' ],
                   200, 200 ],
    elsewhere => [ [ user => 'alice', cidr_whitelist => '192.0.2.0/24' ],
                   401, 401 ],
    readonly  => [ [ user => 'bob', readonly => 'true' ], 200, 403 ],
    revoked   => [ [ user => 'bob', revoked_at => 1_500_000_000 ], 401, 401 ],
    expired   => [ [ user => 'bob', expires_at => 1_500_000_000 ], 401, 401 ],
    protected => [ [ user => 'ci', protected => 'true' ], 200, 200 ],
    bad       => [ [ user => 'bob', read_only => 'true' ], 403, 403 ],
    large     => [ [ x_large => 'x' x 100_000 ], 403, 403 ],
    type      => [ undef, 403, 403 ],
    unknown   => [ undef, 401, 401 ],
    none      => [ undef, 401, 401 ],
    malformed => [ undef, 401, 401 ],
    basic     => [ undef, 401, 401 ],
);

my @kinds = sort keys %kinds;

# and the other locations, where only this is asked of an answer: that it is
# one of these

my %locations = (
    '/anonymous/' => qr/\A(?:200|401|403|503)\z/,
    '/pass/'      => qr/\A(?:200|401|403|503)\z/,
    '/dry/'       => qr/\A(?:200|503)\z/,
    '/any/'       => qr/\A(?:200|401|403|503)\z/,
    '/all/'       => qr/\A(?:200|401|403|503)\z/,
    '/page/'      => qr/\A(?:200|401|403|503)\z/,
    '/try/'       => qr/\A(?:200|401|403|503)\z/,
    '/other/'     => qr/\A(?:200|401|403|503)\z/,
    '/two/'       => qr/\A(?:200|401|403|503)\z/,
    '/mirror/'    => qr/\A(?:200|401|403|503)\z/,
);

my @locations = sort keys %locations;


sub new {
    my ($class, %options) = @_;

    my $self = bless {
        seed  => 1,
        wait  => 300,
        redis => NpmToken::Redis->new,
        http2 => free_port(),
        count => 0,
        wrong => [],
        seen  => {},
        did   => {},
        %options,
    }, $class;

    srand $self->{seed};

    $self->_start_nginx;
    $self->_put_tokens;

    return $self;
}


sub nginx  { return $_[0]{nginx} }
sub wrong  { return @{ $_[0]{wrong} } }

sub worker {
    my $self = shift;

    my $pid = $self->{nginx}->pid;

    # not by its title, which valgrind does not let it set
    return wait_for {
        (split ' ', read_file("/proc/$pid/task/$pid/children"))[0];
    } 'a worker';
}


sub _start_nginx {
    my $self = shift;

    my $dir = temp_dir();
    my $unix = $self->{redis}->socket;
    my $port = $self->{redis}->port;

    $self->{nginx} = NpmToken::Nginx->new(
        http => <<"_EOC_",
    npmtoken_store main {
        redis unix:$unix;
        lookup_timeout $self->{wait}ms;
        lookup_queue 40;
        lookup_share 40;
    }

    npmtoken_store other {
        redis redis://127.0.0.1:$port/0;
        lookup_timeout $self->{wait}ms;
        prefix other:;
        cache off;
    }

    server {
        listen unix:$dir/registry;
        access_log off;

        location / {
            return 200 "\$request_method \$http_x_npm_user\\n";
        }
    }
_EOC_
        server => <<"_EOC_",
        listen 127.0.0.1:$self->{http2} http2;
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_set_header Host registry;
        client_body_buffer_size 32k;

        location / {
            proxy_pass http://unix:$dir/registry;
        }

        location /anonymous/ {
            npmtoken_anonymous read;
            npmtoken_unknown anonymous;
            proxy_pass http://unix:$dir/registry;
        }

        location /pass/ {
            npmtoken_unknown pass;
            proxy_pass http://unix:$dir/registry;
        }

        location /dry/ {
            npmtoken_dry_run on;
            proxy_pass http://unix:$dir/registry;
        }

        location /any/ {
            satisfy any;
            deny all;
            proxy_pass http://unix:$dir/registry;
        }

        location /all/ {
            allow all;
            auth_request /check;
            proxy_pass http://unix:$dir/registry;
        }

        location = /check {
            internal;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://unix:$dir/registry;
        }

        location /page/ {
            npmtoken_intercept_errors on;
            error_page 401 403 503 /sorry;
            proxy_pass http://unix:$dir/registry;
        }

        location = /sorry {
            npmtoken off;
            proxy_pass http://unix:$dir/registry;
        }

        location /try/ {
            root $dir/nothing;
            try_files \$uri \@registry;
        }

        location \@registry {
            proxy_pass http://unix:$dir/registry;
        }

        location /other/ {
            npmtoken other;
            proxy_pass http://unix:$dir/registry;
        }

        location /two/ {
            npmtoken_dry_run on;
            root $dir/nothing;
            try_files \$uri \@other;
        }

        location \@other {
            npmtoken other;
            proxy_pass http://unix:$dir/registry;
        }

        location /mirror/ {
            mirror /copy;
            proxy_pass http://unix:$dir/registry;
        }

        location = /copy {
            internal;
            proxy_pass http://unix:$dir/registry;
        }
_EOC_
    );

    # where Redis is stopped, its socket is not there
    $self->{nginx}->allow_log(qr/connect\(\) to unix:\S+ failed .* redis/);
}


sub _put_tokens {
    my $self = shift;

    my $redis = $self->{redis};

    for my $kind (@kinds) {
        my $fields = $kinds{$kind}[0] // next;

        for my $n (1 .. 5) {
            $redis->put_token("npm_$kind$n", @$fields);
            $redis->command('HSET', 'other:token:'
                            . token_key("npm_$kind$n"), @$fields);
        }
    }

    $redis->command('SET', 'npmtoken:token:' . token_key("npm_type$_"), 'x')
        for 1 .. 5;
}


sub _pick { return $_[rand @_] }


# one request, not yet sent

sub _make {
    my $self = shift;

    my $kind = _pick(@kinds);
    my $location = rand() < 0.5 ? '/' : _pick(@locations);
    my $method = _pick(qw( GET GET GET HEAD PUT PUT DELETE POST ));
    my $n = 1 + int rand 5;
    my $token = $kind eq 'unknown' && rand() < 0.5
        ? 'npm_' . int rand 1e9 : "npm_$kind$n";
    my %headers;

    $headers{authorization} = "Bearer $token";
    $headers{authorization} = 'Basic YTpi' if $kind eq 'basic';
    $headers{authorization} = 'Bearer a b' if $kind eq 'malformed';
    delete $headers{authorization} if $kind eq 'none';

    $headers{'x-npm-user'} = 'root' if rand() < 0.3;
    $headers{"x-more-$_"} = 'x' x rand 100 for 1 .. (rand() < 0.2 ? 30 : 1);

    my $uri = $location . _pick('pkg', '@scope%2fpkg', 'pkg/-/pkg-1.0.0.tgz',
                                '-/whoami', 'pkg/-rev/1-0');
    my ($session, $logout);

    if ($location eq '/' && rand() < 0.1) {
        ($method, $uri, $session) = ('POST', '/-/v1/login', 1);

    } elsif ($location eq '/' && rand() < 0.1) {
        ($method, $uri, $logout) = ('DELETE', "/-/user/token/$token", 1);
    }

    my $body;

    if ($method eq 'PUT' || $method eq 'POST') {
        $body = 'x' x _pick(0, 10, 1000, 20_000, 200_000);
    }

    return { kind => $kind, location => $location, method => $method,
             uri => $uri, headers => \%headers, body => $body,
             session => $session, logout => $logout };
}


# what has been answered: is that possible

sub _judge {
    my ($self, $request, $response) = @_;

    my $status = !$response ? 'closed'
        : $response->{status} // "reset $response->{reset}";

    $self->{seen}{$status}++;

    my $expected;

    if ($request->{session}) {
        $expected = qr/\A200\z/;

    } elsif ($request->{logout}) {
        $expected = qr/\A(?:200|401|403|503)\z/;

    } elsif ($request->{location} eq '/') {
        my ($undef, $read, $write) = @{ $kinds{ $request->{kind} } };

        my $good = $request->{method} =~ /\A(?:GET|HEAD)\z/ ? $read : $write;

        # a Redis that has just been started has no records yet
        $expected = $self->{empty} ? qr/\A(?:$good|401|503)\z/
            : $request->{kind} =~ /\A(?:none|malformed|basic)\z/
                ? qr/\A$good\z/ : qr/\A(?:$good|503)\z/;

    } else {
        $expected = $locations{ $request->{location} };
    }

    if ($status !~ $expected) {
        push @{ $self->{wrong} }, "$request->{method} $request->{uri} by "
            . "$request->{kind}: $status";
    }

    # a body that is all there; the name is never one that a client made up

    if ($response && defined $response->{body}
        && $response->{body} =~ /\Q root\E$/m)
    {
        push @{ $self->{wrong} }, "a forged name at $request->{uri}";
    }
}


# Sends requests, calls $between when they wait or are on their way, and reads
# the answers; some clients go away

sub _burst {
    my ($self, $number, $aborts, $between) = @_;

    $self->{count} += $number;

    my (@http1, @http2, $c2);

    while ($number-- > 0) {
        my $request = $self->_make;

        if (rand() < 0.4) {
            $c2 = NpmToken::HTTP2->new($self->{http2})
                if !$c2 || rand() < 0.1;

            my $id = $c2->request(@$request{qw( method uri headers )},
                                  undef, defined $request->{body});

            # what fits into the window, so that nothing waits here
            if (defined $request->{body}) {
                my $body = substr $request->{body}, 0, 3000;

                $request->{open} = length $body == 3000 && rand() < 0.3;
                $c2->data($id, $body, !$request->{open});
            }

            push @http2, [ $request, $c2, $id ];

        } else {
            my $c = NpmToken::HTTP1->new($self->{nginx}->port);
            my $body = $request->{body};

            # no more than the socket takes while nobody reads

            $c->request(@$request{qw( method uri headers )}, $body);
            push @http1, [ $request, $c ];
        }
    }

    $between->() if $between;

    for (@http1) {
        my ($request, $c) = @$_;

        if (rand() < $aborts) {
            rand() < 0.5 ? $c->close : $c->reset;
            $self->{did}{'HTTP/1 aborts'}++;
            next;
        }

        $self->_judge($request, eval { $c->response($request->{method}) });
        $self->_again($c) if rand() < 0.3;
    }

    my %closed;

    for (@http2) {
        my ($request, $c, $id) = @$_;

        next if $closed{$c};

        if (rand() < $aborts) {
            if (rand() < 0.2) {
                $c->close;
                $closed{$c} = 1;
                $self->{did}{'HTTP/2 closes'}++;

            } else {
                $c->cancel($id);
                $self->{did}{'HTTP/2 resets'}++;
            }

            next;
        }

        if ($request->{open} && !$c->done($id)) {

            # its body goes on, or never does
            eval { $c->data($id, 'end', 1) };
        }

        $self->_judge($request, eval { $c->response($id) });
    }
}


# one more on the same connection, if it is still there

sub _again {
    my ($self, $c) = @_;

    my $request = $self->_make;

    $self->{count}++;
    $self->{did}{'keepalive'}++;
    $c->request(@$request{qw( method uri headers )}, $request->{body});

    my $response = eval { $c->response($request->{method}) };

    $self->_judge($request, $response) if $response;
}


# what may happen in a round, and how often in a hundred of them

sub run {
    my ($self, $number) = @_;

    my $end = $self->{count} + $number;

    while ($self->{count} < $end) {
        my $p = rand 100;
        my $k = 1 + int rand 30;

        if ($p < 60) {
            $self->_burst($k, 0.05);

        } elsif ($p < 75) {
            $self->_while_paused($k, 'waits', rand 0.1);

        } elsif ($p < 80) {
            $self->_while_paused($k, 'time-outs', 1.2 * $self->{wait} / 1000);

        } elsif ($p < 90) {
            $self->_kill_connections($k);

        } elsif ($p < 93) {
            $self->_restart($k);

        } else {
            $self->_burst($k, 0.5);
        }
    }
}


sub _while_paused {
    my ($self, $k, $what, $time) = @_;

    my $redis = $self->{redis};

    $self->{did}{$what}++;

    $redis->pause;

    my $ok = eval {
        $self->_burst($k, 0.3, sub {
            sleep $time;
            $redis->resume if rand() < 0.8;
        });
        1;
    };

    my $error = $@;

    $redis->resume;
    die $error if !$ok;
}


sub _kill_connections {
    my ($self, $k) = @_;

    $self->{did}{'connections killed'}++;

    $self->_burst($k, 0.1, sub {
        $self->{redis}->command(qw( CLIENT KILL TYPE normal SKIPME yes ));
    });
}


sub _restart {
    my ($self, $k) = @_;

    my $redis = $self->{redis};

    $self->{did}{'restarts'}++;
    $self->{empty} = 1;

    $self->_burst($k, 0.1, sub { $redis->stop(_pick('TERM', 'KILL')) });
    $self->_burst(1 + int rand 5, 0.1);
    $self->_burst($k, 0.1, sub { $redis->start; $self->_put_tokens });

    $self->{empty} = 0;
}


# nothing is left that would keep others out

sub settled {
    my $self = shift;

    return eval {
        wait_for {
            my $r = $self->{nginx}->get('/pkg',
                                        Authorization => 'Bearer npm_full1');
            $r && $r->{status} == 200;
        };
    } || 0;
}


sub summary {
    my $self = shift;

    my $list = sub {
        my $hash = shift;

        return join ', ', map { "$_: $hash->{$_}" } sort keys %$hash;
    };

    return "$self->{count} requests; " . $list->($self->{did})
        . '; answers ' . $list->($self->{seen});
}


1;
