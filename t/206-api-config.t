# Directives of the token API: what is wrong stops "nginx -t", which says what
# it is and where.

use strict;
use warnings;

use lib 't/lib';
use NpmToken 'only_default_mode';

use NpmToken::Nginx qw( check_config );
use NpmToken::Util qw( api_module_path module_path temp_dir write_file );

my $dir = temp_dir() . '/config';

mkdir $dir or die "mkdir $dir: $!";

my ($front, $api) = (module_path(), api_module_path());


sub check {
    my (%parts) = @_;

    $parts{modules} //= "load_module $front;\nload_module $api;";
    $parts{location} //= 'npmtoken main; npmtoken_api main;';
    $_ //= '' for @parts{qw( main http server nested limit_except if more )};

    write_file("$dir/nginx.conf", <<"_EOC_");
$parts{modules}
error_log $dir/error.log;
pid $dir/pid;
$parts{main}
events { }
http {
    access_log off;
    client_body_temp_path $dir/t1;
    proxy_temp_path $dir/t2;
    fastcgi_temp_path $dir/t3;
    uwsgi_temp_path $dir/t4;
    scgi_temp_path $dir/t5;
    npmtoken_store main {
        redis unix:/nowhere;
    }
    npmtoken_store other {
        redis unix:/elsewhere;
    }
    $parts{http}
    server {
        listen unix:$dir/listen;
        $parts{server}
        location / {
            $parts{location}
            location /nested {
                $parts{nested}
            }
            limit_except GET {
                $parts{limit_except}
            }
            if (\$args) {
                $parts{if}
            }
        }
        location /more {
            $parts{more}
        }
    }
}
_EOC_

    return check_config($dir, "$dir/nginx.conf");
}

sub is_bad {
    my ($where, $text, @said) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $output) = check($where => $text);

    my @missing = grep { index($output, $_) < 0 } @said;

    push @missing, '[emerg]' if $output !~ /\[emerg\]/;

    my $name = "$where: $text" =~ s/\n/ /gr;

    ok($status && !@missing, substr $name, 0, 100)
        or diag "status $status; not said: @missing\n$output";

    return $output;
}

sub is_good {
    my ($where, $text, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $output) = check($where => $text);

    ok($status == 0 && $output eq '', $name // "$where: $text is good")
        or diag "status $status\n$output";
}


is_good(main => '', 'the configuration that is varied');

my @values = (
    [ 'npmtoken_api_login', 'must be "accounts" or "proxy"',
      'Accounts', 'on', 'off', 'basic', '""', '$host' ],
    [ 'npmtoken_api_signup', 'must be "off" or "on"',
      'yes', 'On', '1', '""', '$host' ],
    [ 'npmtoken_api_otp_reuse', 'must be "off" or "on"',
      'yes', 'On', '0', '""' ],
    [ 'npmtoken_api_page', 'must be "off" or "on"',
      'yes', 'On', '0', '""', '$host' ],
    [ 'npmtoken_api_reauth', 'must be "password" or "code" or "off"',
      'on', 'otp', '""' ],
    [ 'npmtoken_api_user', 'must be a value with a variable, or empty: '
      . 'everybody would be that person', 'alice', 'off' ],
    [ 'npmtoken_api_web_otp', 'must be "off" or "on"', 'yes', '""', '1' ],
    [ 'npmtoken_api_url', 'must be a URL such as https://npm.example.com/',
      'npm.example.com', '/npm/', 'https://', 'https:///x', 'ftp://a/',
      '""', 'https://a/?b', 'https://a/#b', '"https://a b/"', 'https://a/%20',
      'https://$host/' ],
    [ 'npmtoken_api_permission', 'must be "full" or "read-only"',
      'read-write', 'readonly', 'none', '""' ],
    [ 'npmtoken_api_replicas', 'must be a number from 0 to 100',
      '-1', '101', 'x', '""', '1.5', '99999999999999999999' ],
    [ 'npmtoken_api_session',
      'must be 0, which is no limit, or a time from 1m to 3650d',
      '59s', '-1', 'x', '""', '3651d', '1.5h', '99999999999999999999' ],
    [ 'npmtoken_api_max_tokens', 'must be a number from 1 to 10000',
      '0', '-1', '10001', 'x', '""', '1k', '99999999999999999999' ],
    [ 'npmtoken_api_max_cidrs', 'must be a number from 1 to 1000',
      '0', '1001', 'x', '""' ],
    [ 'npmtoken_api_max_body', 'must be a size from 1k to 1m',
      '0', '1023', '2m', '1048577', '-1', 'x', '""', '1g' ],
    [ 'npmtoken_api_issuer',
      'must be 1 to 64 ASCII characters, none of them a colon',
      '""', 'a:b', 'x' x 65, "\xc3\xa9", "\"a\tb\"" ],
    [ 'npmtoken_api_reserved',
      'must be names of 1 to 214 letters, digits and -._~@+, or "off" alone',
      '""', '"a b"', 'a/b', '-a', '$host', 'x' x 215, "\xc3\xa9" ],
    [ 'npmtoken_api_thread_pool', 'must be the name of a thread_pool', '""' ],
    [ 'npmtoken_api', 'must be the name of a store or "off"', '""' ],
);

for (@values) {
    my ($directive, $expected, @bad) = @$_;

    for my $value (@bad) {
        my $shown = $value =~ tr/"//dr;

        for my $where (qw( http server location )) {
            is_bad($where, "$directive $value;", "\"$directive\" directive",
                   "invalid value \"$shown\"", $expected, 'nginx.conf:');
        }
    }
}

for (
    [ 'npmtoken_api_replicas 1', 'must be a time from 1ms to 60s',
      '0', 'x', '""', '-1s', '61s', '0ms' ],
    [ 'npmtoken_api_attempts 1 1', 'must be a time from 1s to 7d',
      '0', 'x', '""', '-1s', '8d', '500ms' ],
    [ 'npmtoken_api_lifetime 1d',
      'must be 0, which is no limit, or a time from 1d to 3650d',
      '23h', '-1', 'x', '""', '3651d' ],
    [ 'npmtoken_api_attempts 1', 'must be a number from 0, which is no limit,',
      '-1', 'x', '""', '1000001' ],
) {
    my ($directive, $expected, @bad) = @$_;

    is_bad(location => "$directive $_;", 'invalid value', $expected) for @bad;
}

is_bad(location => 'npmtoken_api_attempts x 1;', 'invalid value "x"');
is_bad(location => "npmtoken_api_lifetime $_;", 'invalid value',
       'must be a time up to the most that is allowed, which comes second')
    for '0 30d', '31d 30d';


# as many names as one likes

is_bad(location => "npmtoken_api_reserved $_;", 'invalid value "off"',
       '"off" alone') for 'a off', 'off a', 'off off';
is_bad(location => 'npmtoken_api_reserved a b; npmtoken_api_reserved off;',
       '"npmtoken_api_reserved" directive is duplicate');
is_bad(location => 'npmtoken_api_reserved;', 'invalid number of arguments');
is_bad($_, 'npmtoken_api_reserved a;', 'is not allowed here')
    for qw( if limit_except main );
is_good($_, 'npmtoken_api_reserved a B c@d;') for qw( http server nested );
is_good(location => "npmtoken main; npmtoken_api main; $_;")
    for 'npmtoken_api_reserved off', 'npmtoken_api_reserved Boss';


# twice, with too few or too many values, where it may not stand

my %good = (
    npmtoken_api              => 'main',
    npmtoken_api_login        => 'proxy',
    npmtoken_api_signup       => 'on',
    npmtoken_api_permission   => 'read-only',
    npmtoken_api_replicas     => '1 1s',
    npmtoken_api_attempts     => '1 1 1m',
    npmtoken_api_otp_reuse    => 'off',
    npmtoken_api_session      => '8h',
    npmtoken_api_lifetime     => '30d 90d',
    npmtoken_api_max_tokens   => '10',
    npmtoken_api_max_cidrs    => '10',
    npmtoken_api_max_body     => '4k',
    npmtoken_api_issuer       => 'Acme',
    npmtoken_api_page         => 'on',
    npmtoken_api_web_otp      => 'on',
    npmtoken_api_user         => '$remote_user',
    npmtoken_api_reauth       => 'off',
    npmtoken_api_url          => 'https://npm.example.com',
    npmtoken_api_thread_pool  => 'default',
);

for my $directive (sort keys %good) {
    my $line = "$directive $good{$directive};";

    for my $where (qw( http server location nested )) {
        my $with = $where eq 'location' ? 'npmtoken main;' : '';

        is_good($where, "$with $line");
        is_bad($where, "$with $line $line",
               "\"$directive\" directive is duplicate", 'nginx.conf:');
    }

    is_bad(location => "$directive;", "\"$directive\" directive",
           'invalid number of arguments');
    is_bad(location => "$directive 1 2 3 4;", "\"$directive\" directive",
           'invalid number of arguments');

    is_bad($_, $line, "\"$directive\" directive is not allowed here")
        for qw( if limit_except main );
}

is_good(location => "npmtoken main; npmtoken_api main; $_;") for (
    'npmtoken_api_login accounts', 'npmtoken_api_signup off',
    'npmtoken_api_permission full', 'npmtoken_api_replicas 0',
    'npmtoken_api_replicas 100 60s', 'npmtoken_api_replicas 1 1ms',
    'npmtoken_api_attempts 0 0', 'npmtoken_api_attempts 1000000 1000000 7d',
    'npmtoken_api_attempts 1 1 1s', 'npmtoken_api_max_tokens 1',
    'npmtoken_api_session 0', 'npmtoken_api_session 1m',
    'npmtoken_api_session 3650d', 'npmtoken_api_lifetime 0 0',
    'npmtoken_api_lifetime 30d 0', 'npmtoken_api_lifetime 1d 1d',
    'npmtoken_api_lifetime 3650d 3650d',
    'npmtoken_api_max_tokens 10000', 'npmtoken_api_max_cidrs 1000',
    'npmtoken_api_max_body 1k', 'npmtoken_api_max_body 1m',
    'npmtoken_api_issuer "Acme & Sons"', 'npmtoken_api_issuer ' . 'x' x 64,
);

# who can be anybody

for my $value ('$http_x_user', 'a$arg_user', '${cookie_user}') {
    my ($status, $output) = check(location => "npmtoken main;"
        . " npmtoken_api main; npmtoken_api_user $value;");

    is($status, 0, "npmtoken_api_user $value is allowed");
    like($output, qr/\[warn\].*\Q"npmtoken_api_user $value": a client can send/,
         '... with a warning');
}

is_good(location => 'npmtoken main; npmtoken_api main; npmtoken_api_user "";');

is_good(main => 'thread_pool slow threads=2;', 'a thread pool');
{
    my ($status, $output) = check(
        main => 'thread_pool slow threads=2;',
        location => 'npmtoken main; npmtoken_api main;'
            . ' npmtoken_api_thread_pool slow;');

    ok($status == 0, 'a thread pool of its own') or diag $output;
}

is_bad(location => 'npmtoken main; npmtoken_api main;'
       . ' npmtoken_api_thread_pool nowhere;', 'unknown thread pool "nowhere"');


# beside "npmtoken", of the same store

my $needs = 'needs "npmtoken';

is_bad(location => 'npmtoken_api main;',
       '"npmtoken_api main" needs "npmtoken main" in the same location');
is_bad(location => 'npmtoken other; npmtoken_api main;',
       '"npmtoken_api main" needs "npmtoken main" in the same location');
is_bad(location => 'npmtoken main; npmtoken_api nowhere;',
       '"npmtoken_api nowhere" needs "npmtoken nowhere"');
is_bad(location => 'npmtoken off; npmtoken_api main;', $needs);
is_bad(nested => 'npmtoken other;', $needs);
is_bad(more => 'npmtoken_api main;', $needs);
is_bad(server => 'npmtoken other; npmtoken_api main;', $needs);
is_bad(http => 'npmtoken other; npmtoken_api main;', $needs);

is_good($_ => 'npmtoken main; npmtoken_api main;',
        "of all locations: $_") for qw( http server );
is_good(http => 'npmtoken_api main;',
        'http: where nothing is enforced it does nothing');
is_good(server => 'npmtoken_api main;',
        'server: where nothing is enforced it does nothing');
is_good(nested => 'npmtoken off;', 'nor in a nested location');
is_good(nested => 'npmtoken_api off;', 'off in a nested location');
is_good(nested => 'npmtoken other; npmtoken_api off;',
        'off in a location of another store');
is_good(nested => 'npmtoken other; npmtoken_api other;', 'another store');
is_good(limit_except => 'npmtoken off;', 'limit_except');
is_good(location => 'npmtoken_api off;', 'off alone');
is_good(location => 'npmtoken main;', 'none of it');


# the modules

{
    my ($status, $output) = check(
        modules => "load_module $front;",
        location => 'npmtoken main; npmtoken_api main;');

    like($output, qr/unknown directive "npmtoken_api"/,
         'without the second module');

    ($status, $output) = check(modules => "load_module $front;",
                               location => 'npmtoken main;');
    is($status, 0, 'and without a directive of it');

    for my $modules ("load_module $api;\nload_module $front;",
                     "load_module $api;")
    {
        ($status, $output) = check(modules => $modules);
        like($output, qr/\[emerg\].*undefined symbol: ngx_http_npmtoken_/,
             'the second needs the first before it');
    }
}
