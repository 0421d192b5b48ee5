package NpmToken::Api;

# What the tests of the token API need: an nginx that answers it, in front of
# a registry that says what it was asked, and what npm does to talk to it.
#
#     my $redis = NpmToken::Redis->new;
#     my $api   = NpmToken::Api->new(
#         redis    => $redis,             # on its unix socket
#         url      => 'redis://...',      # or this, in its place
#         store    => 'cache off;',       # of the store "main"; this, if
#                                         # nothing is said
#         api      => 'npmtoken_api_signup on;',   # more for "location /",
#                                         # that has "npmtoken" and
#                                         # "npmtoken_api" and proxy_pass
#         location => '...',              # or all of it
#         ...                             # what NpmToken::Nginx takes: http,
#     );                                  # server, main, workers, level
#
#     $api->user('alice', 'secret password', FIELD => VALUE...);
#                                         # an account, in Redis
#     my $token = $api->login('alice', 'secret password');
#
#     my $r = $api->call('POST', '/-/npm/v1/tokens', $token,
#                        { password => '...' }, 'npm-otp' => '123456');
#     $r->{status}; $r->{headers}{'cache-control'}; $r->{body};
#     $r->{json};                         # of a body that is JSON, else undef
#
# The body is a reference, which becomes JSON; or text, sent as it is; or
# undef. JSON->true and its like are $true, $false. In the HTTP/2 run it goes
# over HTTP/2 by curl, else over HTTP/1; call1() always does the latter.
#
#     is_answer($r, STATUS, { MEMBER => VALUE }, NAME);   # all of the JSON
#     is_error($r, STATUS, qr/.../, NAME);  # {"error": "..."} and no more;
#                                         # and of each: JSON, no-store
#     $api->registry_log;                 # lines METHOD URI, as they came
#     $api->registry_log_of(sub { ... }); # those of that time
#
#     otp($secret, STEPS);                # the code of now, or some steps on
#     settle();                           # waits until a step has just begun,
#                                         # where less than 10 s of it are left;
#                                         # settle(2): less than two
#
#     done();                             # the end of the file
#
# At the end no password, token, one-time password or recovery code that the
# test has used may stand in a log, nor in Redis.  secret('...') names another
# one; secrets() has all of them; not_secret('...') is for a token of the
# registry, that gets to see it.

use strict;
use warnings;

use parent 'NpmToken::Nginx';

use Carp qw( croak );
use Digest::SHA qw( hmac_sha1 );
use Exporter ();
use JSON::PP ();
use Test::More ();
use Time::HiRes qw( sleep time );

use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw(
    api_module_path free_port read_file temp_dir token_key wait_for
    write_file
);

our @EXPORT = qw(
    $false $http2 $true done id_of is_answer is_error not_secret otp
    secret secrets settle
);

our ($true, $false) = (JSON::PP::true, JSON::PP::false);
our $http2 = $ENV{TEST_NGINX_USE_HTTP2} ? 1 : 0;

my $json = JSON::PP->new->utf8->allow_nonref->canonical;

my %secrets;
my $count = 0;
my @all;


# nginx has thread pools, and the API its passwords in one, with the event
# methods that can be told of something by a thread: poll is none of these

sub import {
    if (($ENV{TEST_NGINX_EVENT_TYPE} // '') eq 'poll') {
        Test::More::plan(skip_all => 'nginx has no threads with poll');
    }

    goto &Exporter::import;
}


sub new {
    my ($class, %options) = @_;

    my $api = delete $options{api} // '';
    my $redis = $options{redis};
    my $url = delete $options{url} // 'unix:' . $redis->socket;
    my $store = delete $options{store} // 'cache off;';
    my $http = delete $options{http} // '';
    my $server = delete $options{server} // '';
    my $n = $count++;
    my $registry = temp_dir() . "/registry-api$n";
    my $port = free_port();

    # a node that was told to die without removing it

    unlink $registry;

    my $location = delete $options{location} // <<"_EOC_";
        location / {
            npmtoken main;
            npmtoken_api main;
            $api
            proxy_pass http://registry;
        }
_EOC_

    my $self = $class->SUPER::new(
        modules => [ api_module_path() ],
        http    => <<"_EOC_",
    npmtoken_store main {
        redis $url;
        $store
    }

    upstream registry {
        server unix:$registry;
    }

    log_format registry '\$request_method \$request_uri';

    server {
        listen unix:$registry;
        access_log @{[ temp_dir() ]}/registry$n.log registry;
        client_max_body_size 30m;

        location / {
            add_header X-Registry yes always;
            return 200 "\$request_method \$request_uri\\n";
        }
    }

    $http
_EOC_
        server => <<"_EOC_",
        listen 127.0.0.1:$port http2;
        $server
        $location
_EOC_
        %options,
        http2_port => $port,
        registry_log => temp_dir() . "/registry$n.log",
    );

    # where Redis is stopped, its socket is not there
    $self->allow_log(qr/connect\(\) to unix:\S+ failed .* redis/);

    push @all, $self;

    return $self;
}


sub not_secret { $secrets{$_} = 0 for @_ }


sub secret {
    $secrets{$_} //= 1 for @_;

    return $_[0];
}


sub secrets { return grep { $secrets{$_} } sort keys %secrets }


# what a person would not want to see anywhere; call() notes it by itself

sub note_secrets {
    my ($uri, $token, $body, $headers, $response) = @_;

    secret($token) if defined $token && $token !~ / /;

    for (ref $headers->{'npm-otp'} ? @{ $headers->{'npm-otp'} }
                                   : $headers->{'npm-otp'} // ())
    {
        secret($_) if length > 5;
    }

    if (ref $body eq 'HASH') {
        for ($body->{password}, ref $body->{tfa} eq 'HASH'
                                ? $body->{tfa}{password} : ())
        {
            for (ref eq 'HASH' ? values %$_ : $_) {
                secret($_) if defined && !ref && length > 5;
            }
        }

        if (ref $body->{tfa} eq 'ARRAY') {
            secret($_) for grep { !ref && length($_ // '') > 5 }
                @{ $body->{tfa} };
        }
    }

    secret($_) for $response->{body} =~ /(npm_[0-9A-Za-z]{36})/g,
                   $response->{body} =~ /"([0-9a-f]{64})"/g;
}


sub call {
    my ($self, @args) = @_;

    return $http2 ? $self->_call($self->can('_curl'), @args)
                  : $self->call1(@args);
}


sub call1 {
    my ($self, @args) = @_;

    return $self->_call($self->can('request'), @args);
}


sub _call {
    my ($self, $send, $method, $uri, $token, $body, %headers) = @_;

    my $text = ref $body ? $json->encode($body) : $body;

    if (defined $token) {
        $headers{Authorization} = $token =~ / / ? $token : "Bearer $token";
    }

    $headers{'Content-Type'} //= 'application/json' if defined $text;

    my $r = $send->($self, $method, $uri, \%headers, $text)
        // croak "no answer to $method $uri";

    $r->{json} = eval { $json->decode($r->{body}) };

    note_secrets($uri, $token, $body, \%headers, $r);

    return $r;
}


# a header given as a list is sent as often

sub _curl {
    my ($self, $method, $uri, $headers, $body) = @_;

    my $out = temp_dir() . '/curl';

    my @command = ('curl', '-s', '--http2-prior-knowledge', '--path-as-is',
        '--globoff', '-X', $method, '-D', "$out.head", '-o', "$out.body",
        '--max-time', 20);

    push @command, '-I' if $method eq 'HEAD';

    for my $name (sort keys %$headers) {
        my $value = $headers->{$name};

        push @command, '-H', "$name: $_" for ref $value ? @$value : $value;
    }

    if (defined $body) {
        write_file("$out.data", $body);
        push @command, '--data-binary', "\@$out.data";
    }

    unlink "$out.body", "$out.head";

    my $status = system(@command,
                        "http://127.0.0.1:$self->{http2_port}$uri");

    # curl may not read, or read a part of, an answer that comes before it has
    # sent the body

    return $self->request($method, $uri, $headers, $body)
        if $status != 0;

    my $head = read_file("$out.head");

    # of a "100 Continue" nothing is said
    $head =~ s/\AHTTP\S+ 1.*?\r\n\r\n//s;

    my ($code) = $head =~ m{\AHTTP/\S+ (\d+)} or return undef;
    my %response = (status => $code, head => $head, headers => {},
                    body => read_file("$out.body"));

    $response{body} = '' if $method eq 'HEAD';

    while ($head =~ /^([^:\r\n]+):[ ]*(.*?)\r?$/mg) {
        my $name = lc $1;

        $response{headers}{$name} = exists $response{headers}{$name}
            ? "$response{headers}{$name}, $2" : $2;
    }

    return \%response;
}


# NpmToken::Nginx has one value for each name

sub request {
    my ($self, $method, $uri, $headers, $body) = @_;

    my @more;

    for my $name (grep { ref $headers->{$_} } sort keys %$headers) {
        push @more, map { "$name: $_\r\n" } @{ delete $headers->{$name} };
    }

    return $self->SUPER::request($method, $uri, $headers, $body) if !@more;

    my $connection = $self->connect;
    my $text = NpmToken::Nginx::request_text($method, $uri, $headers, $body);

    $text =~ s/\r\n/\r\n@{[ join '', @more ]}/;

    print $connection $text;

    return NpmToken::Nginx::read_response($connection, $method);
}


# The hash is one that takes no time

sub user {
    my ($self, $name, $password, %fields) = @_;

    if (defined $password) {
        secret($password) if length $password > 5;
        $fields{password} = crypt($password, '$2b$04$' . 'a' x 22);
    }

    my $key = ($self->{prefix} // 'npmtoken:') . "user:$name";

    $self->{redis}->command('DEL', $key);
    $self->{redis}->command('HSET', $key, %fields);
}


sub account {
    my ($self, $name) = @_;

    return { @{ $self->{redis}->command('HGETALL',
        ($self->{prefix} // 'npmtoken:') . "user:$name") } };
}


sub record {
    my ($self, $token) = @_;

    return { @{ $self->{redis}->command('HGETALL',
        ($self->{prefix} // 'npmtoken:') . 'token:' . token_key($token)) } };
}


sub tokens_of {
    my ($self, $name) = @_;

    my @keys = sort @{ $self->{redis}->command('SMEMBERS',
        ($self->{prefix} // 'npmtoken:') . "tokens-of:$name") };

    return @keys;
}


# what is there at all, to see that nothing was changed

sub all_of_redis {
    my $self = shift;

    return dump_redis($self->{redis});
}


sub dump_redis {
    my $redis = shift;

    my %all;

    for my $key (@{ $redis->command('KEYS', '*') }) {
        my $type = $redis->command('TYPE', $key);

        $all{$key} = $type eq 'hash' ? { @{ $redis->command('HGETALL', $key) } }
                   : $type eq 'set'
                     ? [ sort @{ $redis->command('SMEMBERS', $key) } ]
                   : $type eq 'zset'
                     ? [ sort @{ $redis->command('ZRANGE', $key, 0, -1) } ]
                   : $type;
    }

    return \%all;
}


sub login_body {
    my ($name, $password, %more) = @_;

    return {
        _id => "org.couchdb.user:$name", name => $name,
        password => $password, type => 'user', roles => [],
        date => '2026-11-24T12:00:00.000Z', %more,
    };
}


sub login {
    my ($self, $name, $password, %more) = @_;

    my $r = $self->call('PUT', "/-/user/org.couchdb.user:$name", undef,
                        login_body($name, $password, %more));

    $r->{status} == 201
        or croak "no login of $name: $r->{status} $r->{body}";

    return $r->{json}{token};
}


# a token as "create" makes it

sub create {
    my ($self, $token, %body) = @_;

    my $r = $self->call('POST', '/-/npm/v1/tokens', $token, \%body);

    $r->{status} == 200
        or croak "no token: $r->{status} $r->{body}";

    return $r->{json}{token};
}


sub list {
    my ($self, $token, $query) = @_;

    return $self->call('GET', '/-/npm/v1/tokens' . ($query // ''), $token);
}


sub status_of {
    my ($self, $token, $method, $uri, @more) = @_;

    return $self->call($method // 'GET', $uri // '/pkg', $token, undef,
                       @more)->{status};
}


sub id_of {
    return substr token_key($_[0]), 0, $_[1] // 6;
}


sub registry_log {
    my $self = shift;

    return split /\n/, read_file($self->{registry_log});
}


# an access log is written when the request has ended, so a line that should
# not be there might come late: one more request, and wait for that

sub registry_log_of {
    my ($self, $code) = @_;

    my $before = $self->registry_log;

    $code->();

    my $mark = '/-/ping?' . $self->{marks}++;

    $self->call1('GET', $mark);

    my @lines;

    wait_for {
        @lines = $self->registry_log;
        @lines && $lines[-1] eq "GET $mark";
    } 'the log of the registry';

    pop @lines;

    return @lines[$before .. $#lines];
}


sub is_answer {
    my ($r, $status, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong;

    push @wrong, "the status is $r->{status}" if $r->{status} != $status;

    push @wrong, _wrong_head($r);

    my $got = $json->encode($r->{json} // '(no JSON)');
    my $want = $json->encode($expected);

    push @wrong, "it is $got, not $want" if $got ne $want;

    Test::More::ok(!@wrong, $name)
        or Test::More::diag(join "\n", @wrong, $r->{body});
}


sub _wrong_head {
    my $r = shift;

    my @wrong;

    my %expected = ('content-type' => 'application/json',
                    'cache-control' => 'no-store');

    for my $name (sort keys %expected) {
        my $value = $r->{headers}{$name} // '';

        push @wrong, "$name is \"$value\"" if $value ne $expected{$name};
    }

    push @wrong, 'it is the registry that answered'
        if $r->{headers}{'x-registry'};

    return @wrong;
}


# OPTIONS: challenge => WWW-Authenticate, none if not given; retry => 1

sub is_error {
    my ($r, $status, $pattern, $name, %options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong;

    push @wrong, "the status is $r->{status}" if $r->{status} != $status;

    push @wrong, _wrong_head($r);

    my $error = ref $r->{json} eq 'HASH' ? $r->{json}{error} : undef;

    push @wrong, 'no error'
        if !defined $error || grep { $_ !~ /\A(?:error|reason)\z/ }
                                   keys %{ $r->{json} };

    push @wrong, "it does not match $pattern"
        if defined $pattern && ($error // '') !~ $pattern;

    my $challenge = $r->{headers}{'www-authenticate'} // '';

    push @wrong, "WWW-Authenticate is \"$challenge\""
        if $challenge ne ($options{challenge} // '');

    my $retry = $r->{headers}{'retry-after'} // '';

    push @wrong, "Retry-After is \"$retry\""
        if $retry ne ($options{retry} // '');

    Test::More::ok(!@wrong, $name)
        or Test::More::diag(join "\n", @wrong, $r->{body});
}


sub _base32 {
    my $text = shift;

    my $bits = '';

    $bits .= sprintf '%05b', index 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', $_
        for split //, $text;

    return pack 'B*', substr $bits, 0, 8 * int(length($bits) / 8);
}


sub otp {
    my ($secret, $steps) = @_;

    my $step = int(time() / 30) + ($steps // 0);
    my $hash = hmac_sha1(pack('Q>', $step), _base32($secret));
    my $at = ord(substr $hash, -1) & 15;

    return sprintf '%06d',
        (unpack('N', substr $hash, $at, 4) & 0x7fffffff) % 1_000_000;
}


# what a test does with codes takes less than ten seconds, or than it says

sub settle {
    my $needed = shift // 10;

    my $left = 30 - (time() - 30 * int(time() / 30));

    sleep $left + 0.05 if $left < $needed;
}


sub _leaks {
    my ($text, $where) = @_;

    # what is within a longer word is something else: six digits may well be
    # a part of a hash

    my %words = map { $_ => 1 } $text =~ /[0-9A-Za-z_]+/g;

    return map { "$where has \"$_\"" } grep {
        /\W/ ? $text =~ /(?<![0-9A-Za-z])\Q$_\E(?![0-9A-Za-z])/ : $words{$_}
    } grep { $secrets{$_} } sort keys %secrets;
}


# The end of a file: each nginx quits, then all is looked at once more

sub done {
    $_->finish for @all;

    my @leaks;

    for my $api (@all) {
        push @leaks, _leaks($api->error_log, 'the error log'),
            _leaks($api->access_log, 'the access log'),
            _leaks(read_file($api->{registry_log}), "the registry's log");
    }

    my %seen;

    for my $redis (grep { $_ && $_->pid && !$seen{$_}++ }
                   map { $_->{redis} } @all)
    {
        push @leaks, _leaks($json->encode(dump_redis($redis)), 'Redis');
    }

    my $n = keys %secrets;

    Test::More::ok(!@leaks, "none of $n secrets is in a log or in Redis")
        or Test::More::diag(join "\n", @leaks);

    Test::More::done_testing();
}


1;
