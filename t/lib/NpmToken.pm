package NpmToken;

# Test::Nginx::Socket with our module and a Redis of its own:
#
#     use lib 't/lib';
#     use NpmToken;
#
#     run_tests();
#
#     __DATA__
#
#     === TEST 1: a token with a record may read
#     --- tokens
#     npm_full    user=alice
#     npm_ro      user=bob readonly=true
#     --- config
#         location / {
#             npmtoken main;
#             proxy_pass http://registry;
#         }
#     --- request
#     GET /pkg
#     --- more_headers
#     Authorization: Bearer npm_full
#     --- error_code: 200
#     --- response_body_like: (?m)^GET /pkg$
#
# There is no plan to count: tests are counted as they run, and a file that
# dies halfway fails.
#
# What is there for each block
#
#     The store "main", on the unix socket of a private redis-server that is
#     emptied before each block; and the upstream "registry", a server that
#     answers with what it was asked: a line METHOD URI, a line for each of
#     the headers Authorization, X-Npm-User, Host, and the rest.  What it was
#     asked is also in registry_log().
#
# What a block may say, beyond what Test::Nginx has
#
#     --- tokens            TOKEN FIELD=VALUE..., one token a line; a value
#                           with blanks stands in "double quotes"
#     --- store_directives  what else the store "main" has; "cache off;" if
#                           nothing is said, since most blocks change what
#                           they ask for and want to see the change at once
#     --- no_store          no store "main" (nor is there one where
#                           http_config has a npmtoken_store of its own)
#     --- allow_log         patterns, one a line, of lines at [crit], [alert]
#                           or [emerg] that are expected; every other one
#                           fails the test, also one logged at shutdown
#     --- no_http2          HTTP/1 also in the HTTP/2 run: for what curl
#                           cannot do there, such as reading an early answer
#                           to a PUT that has a body
#     --- cases             many requests, a line each: see NpmToken::Cases,
#                           also for "registry_lines" and "test_lines"
#
# In config, http_config and main_config
#
#     $TEST_NGINX_REDIS_SOCKET    $TEST_NGINX_REDIS_PORT
#     $TEST_NGINX_REGISTRY        unix:PATH of the registry
#     $TEST_NGINX_FREE_PORT       one more port, on which nobody listens
#     $TEST_NGINX_DIR             a directory of this test
#
# In Perl, also in --- init, in "eval" filters and before run_tests()
#
#     redis(COMMAND...)           the reply; dies of an error
#     put_token(TOKEN, FIELD => VALUE...), del_token(TOKEN), flush()
#     token_key(TOKEN), short_key(TOKEN)
#     redis_server()              the NpmToken::Redis: stop, start, pause...
#     registry_log()              what reached the registry, since the start
#                                 of the block: METHOD URI "AUTH" "USER"
#     wait_for { ... } WHAT
#
# "use NpmToken 'only_default_mode'" leaves a file out of the HTTP/2 and poll
# runs, where it makes no difference.
#
# Run one file with "prove t/NNN-topic.t", in the other modes with
# TEST_NGINX_USE_HTTP2=1 or TEST_NGINX_EVENT_TYPE=poll before that.  Logs of
# a failed file stay in build/t/.

use strict;
use warnings;

use NpmToken::Util qw(
    at_exit free_port module_path nginx_binary project_root read_file
    short_key temp_dir token_key wait_for write_file
);

my $root;

BEGIN {
    $root = project_root();

    # Test::Nginx reads these as it is loaded

    my ($name) = $0 =~ m{([^/]+?)(?:\.t)?\z};

    mkdir "$root/build";
    mkdir "$root/build/t";

    my $port = $ENV{TEST_NGINX_SERVER_PORT} || free_port();

    $ENV{TEST_NGINX_SERVER_PORT} = $ENV{TEST_NGINX_PORT} = $port;
    $ENV{TEST_NGINX_SERVROOT} = "$root/build/t/$name.$$";
    $ENV{TEST_NGINX_LOAD_MODULES} = module_path();
    $ENV{TEST_NGINX_BINARY} = nginx_binary();
    $ENV{TEST_NGINX_LOG_LEVEL} ||= 'info';
    $ENV{TEST_NGINX_REGISTRY} = 'unix:' . temp_dir() . '/registry';
    $ENV{TEST_NGINX_DIR} = temp_dir();
    $ENV{TEST_NGINX_FREE_PORT} = free_port();
}

use Test::Nginx::Socket ();

use File::Path qw( remove_tree );

use NpmToken::Cases qw( check_case check_lines expand_cases );
use NpmToken::Nginx qw( check_config log_complaints );
use NpmToken::Redis;

our @EXPORT = qw(
    del_token flush put_token redis redis_server registry_log short_key
    token_key wait_for
);

my $redis;


sub import {
    my ($class, @options) = @_;

    my $package = caller;

    for my $option (@options) {
        $option eq 'only_default_mode' or die "unknown option \"$option\"\n";

        if ($ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE}) {
            Test::More::plan(skip_all => 'makes no difference in this mode');
        }
    }

    # Test::Nginx exports to the package that it thinks calls it
    eval "package $package; Test::Nginx::Socket->import(); 1" or die $@;

    # code in "--- init", in "eval" filters and their like is evaluated there

    for my $to ($package, qw(
        Test::Base::Filter Test::Nginx::Socket Test::Nginx::Util
    ))
    {
        no strict 'refs';
        no warnings 'redefine';

        *{"${to}::$_"} = \&{$_} for @EXPORT;
    }

    Test::More::plan('no_plan');

    $redis = NpmToken::Redis->new;

    $ENV{TEST_NGINX_REDIS_SOCKET} = $redis->socket;
    $ENV{TEST_NGINX_REDIS_PORT} = $redis->port;

    # with a master, as operators run it: without one, nginx cannot reload
    Test::Nginx::Socket::master_on();

    # "location /" is for the blocks
    Test::Nginx::Socket::no_root_location();

    Test::Nginx::Socket::add_block_preprocessor(\&prepare_block);
}


sub redis_server () { return $redis }

sub redis (@)       { return $redis->command(@_) }

sub put_token (@)   { return $redis->put_token(@_) }

sub del_token ($)   { return $redis->del_token(@_) }

sub flush ()        { return $redis->flush }

sub registry_log () {
    return read_file("$ENV{TEST_NGINX_SERVROOT}/logs/registry.log");
}


sub prepare_block {
    my $block = shift;

    if ($redis->pid) {
        flush();
        put_tokens($block->tokens) if defined $block->tokens;

    } elsif (defined $block->tokens) {
        die $block->name . ": no Redis to put tokens into\n";
    }

    my $http = $block->http_config // '';

    if (!defined $block->no_store && $http !~ /\bnpmtoken_store\b/) {
        $http .= "\n    npmtoken_store main {\n"
            . "        redis unix:\$TEST_NGINX_REDIS_SOCKET;\n        "
            . ($block->store_directives // 'cache off;') . "\n    }\n";
    }

    $block->set_value('http_config', $http . registry_config());

    expand_cases($block) if defined $block->cases;

    # what nginx prints is in its log too; an error we show ourselves
    $block->set_value('suppress_stderr', '');

    # in the HTTP/2 run Test::Nginx would say this of each such block

    if (defined $block->raw_request || defined $block->pipelined_requests) {
        $block->set_value('no_http2', '');
    }
}


sub put_tokens {
    for my $line (split /\n/, shift) {
        $line =~ s/\A\s*(?:#.*)?//;

        my @words;

        while ($line =~ /\G\s*((?:[^\s"]|"[^"]*")+)/gc) {
            push @words, $1 =~ tr/"//dr;
        }

        my $token = shift @words // next;

        put_token($token, map { /\A([^=]+)=(.*)\z/s or die "not FIELD=VALUE: "
            . "\"$_\"\n"; ($1, $2) } @words);
    }
}


sub registry_config {
    return <<'_EOC_';

    upstream registry {
        server $TEST_NGINX_REGISTRY;
    }

    log_format registry '$request_method $request_uri '
                        '"$http_authorization" "$http_x_npm_user"';

    server {
        listen $TEST_NGINX_REGISTRY;
        access_log $TEST_NGINX_SERVER_ROOT/logs/registry.log registry;
        client_max_body_size 30m;

        location / {
            add_header X-Registry yes always;
            return 200 "$request_method $request_uri
Authorization: $http_authorization
X-Npm-User: $http_x_npm_user
Host: $http_host
";
        }
    }
_EOC_
}


# what Test::Nginx does otherwise than we need

sub wrap (&$) {
    my ($code, $name) = @_;

    no strict 'refs';
    no warnings qw( redefine prototype );

    my $original = \&{"Test::Nginx::$name"};

    *{"Test::Nginx::$name"} = sub { $code->($original, @_) };
}


# "http2 on" is of nginx 1.25.1, not of 1.19.9; nothing of a test listens on
# other addresses than loopback ones; and a bad configuration fails at once

wrap {
    my ($original, $block, @args) = @_;

    my $version = $Test::Nginx::Util::NginxVersion;

    local $Test::Nginx::Util::NginxVersion =
        $version < 1.025001 ? '1.019008' : $version;

    $original->($block, @args);

    my $file = $Test::Nginx::Util::ConfFile;
    my $conf = read_file($file);
    my $port = $ENV{TEST_NGINX_SERVER_PORT};

    $conf =~ s/^(\s+listen\s+)$port\b/${1}127.0.0.1:$port/gm;

    write_file($file, $conf);

    # of an nginx that was killed
    unlink $ENV{TEST_NGINX_REGISTRY} =~ s/\Aunix://r;

    # Test::Nginx would try to start for half a minute
    if (!defined $block->must_die && !defined $block->reload_fails) {
        my ($status, $output) = check_config($ENV{TEST_NGINX_SERVROOT}, $file);

        Test::More::BAIL_OUT($block->name . ":\n$output") if $status;
    }
} 'Util::write_config_file';


# the path as it is written in the test

wrap {
    my ($original, @args) = @_;

    my ($program, @rest) = @{ $original->(@args) };

    return [ $program, '--path-as-is', '--globoff', @rest ];
} 'Socket::gen_curl_cmd_from_req';


# HTTP/2 has header names in lower case only, and Test::Nginx looks for one
# that must not be there in the case that the block has

wrap {
    my ($original, $block, $response, $headers, @args) = @_;

    if (defined $block->cases) {
        check_case($block, $response, $args[1]);
        return;
    }

    my $expected = $block->response_headers // '';

    $expected = join "\n", @$expected if ref $expected;

    for my $name ($expected =~ /^!\s*(\S+)/mg) {
        $headers =~ s/^\Q$name\E(?=\s*:)/$name/mig;
    }

    $original->($block, $response, $headers, @args);
} 'Socket::check_response_headers';


# a case has its own look at the log, and not the pause that comes before this

wrap {
    my ($original, $block, @args) = @_;

    my $requests = ref $block->request ? @{ $block->request } : 1;
    my $more = ++$block->{npmtoken_asked} < $requests;

    $original->($block, @args) if !$more || !defined $block->cases;

    check_lines($block, $ENV{TEST_NGINX_SERVROOT}) if !$more;
} 'Socket::check_error_log';


# nginx has to quit by itself; Test::Nginx would kill it, and only warn

wrap {
    my ($original, $pid, $wait, $name) = @_;

    if ($wait && $pid && $name ne 'cleanup'
        && Test::Nginx::Util::is_running($pid))
    {
        kill 'QUIT', $pid;

        if (!eval {
            wait_for {
                waitpid $pid, POSIX::WNOHANG();
                !Test::Nginx::Util::is_running($pid);
            };
            1;
        })
        {
            Test::More::fail("$name - nginx quits within ten seconds");
        }

        return if !Test::Nginx::Util::is_running($pid);
    }

    $original->($pid, $wait, $name);
} 'Util::kill_process';


# Called when nginx has ended, before its logs are removed: the place to see
# the whole of its error log.

wrap {
    my ($original, @args) = @_;

    $original->(@args);

    my $block = $Test::Nginx::Util::PrevBlock // return;

    return if defined $block->must_die;

    my @allowed = map { qr/$_/ } grep { /\S/ }
        split /\n/, $block->allow_log // '';

    my @lines = log_complaints(
        read_file($Test::Nginx::Util::ErrLogFile), @allowed);

    if (@lines) {
        Test::More::fail($block->name . ' - the error log is clean');
        Test::More::diag($_) for @lines;
    }
} 'Util::check_prev_block_shutdown_error_log';


# a denial is an [error] line, and expected: no need to warn of each

$SIG{__WARN__} = sub {
    warn @_ if $_[0] !~ /\AWARNING: .* \[(?:error|crit|alert|emerg)\] /;
};


# one file that cannot go on is no reason to stop all the others

{
    no warnings 'redefine';

    *Test::More::BAIL_OUT = sub {
        Test::More::diag("bail out: @_");
        exit 255;
    };
}


# nginx has ended by then: our END block was there before Test::Nginx's

at_exit {
    my $status = shift;

    my $dir = $ENV{TEST_NGINX_SERVROOT};

    if ($status == 0 && Test::More->builder->is_passing) {
        remove_tree($dir);

    } elsif (-d $dir) {
        Test::More::diag("configuration and logs are in $dir");
    }
};


1;
