# A configuration that is wrong stops "nginx -t", and says which directive is,
# by what value, and where.  A password is never said.

use strict;
use warnings;

use lib 't/lib';
use NpmToken 'only_default_mode';

use NpmToken::Nginx qw( check_config );
use NpmToken::Util qw( module_path temp_dir write_file );

my $dir = temp_dir() . '/config';

mkdir $dir or die "mkdir $dir: $!";

my $secret = 'sEcReT';

write_file("$dir/password", "$secret\n");
write_file("$dir/empty", '');
write_file("$dir/newline", "\n");
write_file("$dir/long", 'x' x 5000);
write_file("$dir/included.conf", "prefix two words;\n");


# nginx -t with something in each of the places that a configuration has

sub check {
    my (%parts) = @_;

    my $module = module_path();

    my $store = $parts{store} // "redis unix:/nowhere;\n";
    my $stores = $parts{stores} // "npmtoken_store main {\n$store\n}\n";

    $_ //= '' for @parts{qw( main http server location limit_except if )};

    write_file("$dir/nginx.conf", <<"_EOC_");
load_module $module;
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
    $stores
    $parts{http}
    server {
        listen unix:$dir/listen;
        $parts{server}
        location / {
            $parts{location}
            limit_except GET {
                $parts{limit_except}
            }
            if (\$args) {
                $parts{if}
            }
        }
    }
}
_EOC_

    return check_config($dir, "$dir/nginx.conf");
}


sub is_bad {
    my ($where, $text, @said) = @_;

    my ($status, $output) = check($where => $text);

    my @missing = grep { index($output, $_) < 0 } @said;

    push @missing, '[emerg]' if $output !~ /\[emerg\]/;

    # these are found when all has been read, and nginx's own say no place

    push @missing, 'where'
        if $output !~ /(?:nginx|included)\.conf:\d+/
           && $output !~ /unknown "\w+" variable|host not found in "redis"/;

    my $name = "$where: $text";

    $name =~ s/\n/ /g;
    $name = substr($name, 0, 100) . '...' if length $name > 103;

    ok($status && !@missing && $output !~ /$secret/, $name)
        or diag "status $status; not said: @missing\n$output";
}


sub is_good {
    my ($where, $text, $name) = @_;

    my ($status, $output) = check($where => $text);

    ok($status == 0 && $output eq '', $name // "$where: $text is good")
        or diag "status $status\n$output";
}


# what is used everywhere is good to begin with

is_good(location => "npmtoken main;", 'the configuration that is varied');


# the value of a directive, and what the message says beside the two

my @values = (
    [ 'npmtoken_anonymous', 'must be "read", "deny" or a variable',
      'yes', 'on', 'READ', 'write', 'reads', '""', '"read "' ],

    [ 'npmtoken_dry_run', 'must be "on", "off" or a variable',
      'yes', '1', 'true', 'On', '""' ],

    [ 'npmtoken_unknown', 'must be one of "deny", "anonymous", "pass"',
      'allow', 'Deny', 'read', 'off', '""', 'passs' ],

    [ 'npmtoken_checksum', 'must be one of "off", "on"',
      'yes', 'On', '0', '$host', '""' ],

    [ 'npmtoken_intercept_errors', 'must be one of "off", "on"',
      'yes', 'ON', '1', '""' ],

    [ 'npmtoken_log_level', 'must be one of "info", "notice", "warn", "error"',
      'debug', 'crit', 'err', 'Error', '""' ],

    [ 'npmtoken_base', 'must be a plain path such as "/npm/"',
      'npm', 'npm/', '""', '//', '/npm//', '/npm/../x', '/./', '/npm/.x/',
      '/n%70m/', '/a?b', '/a#b', '"/a b"', '/a\\\\b', '"/a;b"', '/$host/',
      'http://localhost/npm/', "/\xc3\xa9/", '/a%2F%2Fb/', '/a%2F.b/',
      '/%2e%2e/', '/a%252Fb/', '/a%3Fb/', '/a%3bb/', '/a%5Cb/', '/a%00b/',
      '/a%0d%0ab/', '/a%', '/a%2', '/a%zzb/' ],

    [ 'npmtoken_expiry_notice', 'must be a time in whole seconds',
      'week', '-1', '1.5d', '7days', '500ms', '""', '99999999999999999999d' ],
);

for (@values) {
    my ($directive, $expected, @bad) = @$_;

    for my $value (@bad) {
        my $shown = $value;

        $shown =~ tr/"//d;
        $shown =~ s/\\\\/\\/g;

        for my $where (qw( http server location limit_except )) {
            is_bad($where, "$directive $value;", "\"$directive\" directive",
                   "invalid value \"$shown\"", $expected);
        }
    }
}

my @identity = (
    '""', '"X Npm User"', 'X-Npm-User:', 'X:User', "X-\xc3\xa9", '$npmtoken_user',
    'Host', 'host', 'Connection', 'Content-Length', 'Content-Type',
    'Transfer-Encoding', 'TE', 'Trailer', 'Upgrade', 'Expect', 'Keep-Alive',
    '"X-User\r\nX-Other"',
);

for my $value (@identity) {
    my ($shown) = $value =~ /\A"?([^"\\]*)/;

    is_bad($_, "npmtoken_identity $value;", '"npmtoken_identity" directive',
           "invalid value \"$shown") for qw( http server location );
}

is_bad(location => 'npmtoken_identity X-User $no_such_thing;',
       'no_such_thing');
is_bad(location => 'npmtoken_identity off $npmtoken_user $npmtoken_key;',
       '"npmtoken_identity" directive');
is_bad(location => 'npmtoken_anonymous $no_such_thing;', 'no_such_thing');
is_bad(location => 'npmtoken_dry_run $no_such_thing;', 'no_such_thing');


# twice, with too few or too many values, where it may not stand

my %good = (
    npmtoken                   => 'main',
    npmtoken_anonymous         => 'read',
    npmtoken_unknown           => 'anonymous',
    npmtoken_checksum          => 'on',
    npmtoken_base              => '/npm/',
    npmtoken_dry_run           => 'on',
    npmtoken_intercept_errors  => 'on',
    npmtoken_log_level         => 'info',
    npmtoken_expiry_notice     => '1d',
    npmtoken_identity          => 'X-Npm-User',
);

for my $directive (sort keys %good) {
    my $line = "$directive $good{$directive};";

    my @where = qw( http server location );
    push @where, 'limit_except' if $directive ne 'npmtoken_identity';

    for my $where (@where) {
        is_good($where, $line);
        is_bad($where, "$line\n$line", "\"$directive\" directive is duplicate");
    }

    is_bad(location => "$directive;", "\"$directive\" directive",
           'invalid number of arguments');
    is_bad(location => "$directive a b c;", "\"$directive\" directive",
           'invalid number of arguments');

    is_bad(if => $line, "\"$directive\" directive is not allowed here");
    is_bad(main => $line, "\"$directive\" directive is not allowed here");
    is_bad(store => "redis unix:/nowhere;\n$line",
           "unknown directive \"$directive\" in \"npmtoken_store\"");
}

is_bad(limit_except => 'npmtoken_identity X-Npm-User;',
       '"npmtoken_identity" directive is not allowed here');
is_bad(location => 'npmtoken_anonymouse read;',
       'unknown directive "npmtoken_anonymouse"');

is_good(location => "$_;") for (
    'npmtoken off', 'npmtoken_anonymous deny', 'npmtoken_anonymous $arg_a',
    'npmtoken_unknown deny', 'npmtoken_checksum off',
    'npmtoken_dry_run off', 'npmtoken_dry_run $arg_a',
    'npmtoken_base /', 'npmtoken_base /a-b_c.d~e', 'npmtoken_base /a/b/c',
    'npmtoken_base /a/acme%2Fweb/npm', 'npmtoken_base /a/feed%40Local/npm/',
    'npmtoken_intercept_errors off', 'npmtoken_log_level notice',
    'npmtoken_log_level warn', 'npmtoken_log_level error',
    'npmtoken_expiry_notice 0', 'npmtoken_expiry_notice 90',
    'npmtoken_identity off', 'npmtoken_identity REMOTE_USER',
    'npmtoken_identity X-User "a $npmtoken_user"',
    'npmtoken_identity Authorization $npmtoken_user',
);


# stores

is_bad(location => 'npmtoken other;', 'no "npmtoken_store" "other" is defined');
is_bad(location => 'npmtoken Main;', 'no "npmtoken_store" "Main" is defined');
is_bad(limit_except => 'npmtoken other;', '"npmtoken_store" "other"');
is_bad(location => 'npmtoken "";', '"npmtoken" directive', 'invalid value ""');

is_bad(stores => 'npmtoken_store { redis unix:/nowhere; }',
       '"npmtoken_store" directive', 'invalid number of arguments');
is_bad(stores => 'npmtoken_store a b { redis unix:/nowhere; }',
       '"npmtoken_store" directive', 'invalid number of arguments');
is_bad(stores => 'npmtoken_store off { redis unix:/nowhere; }',
       '"npmtoken_store" directive', 'invalid value "off"');
is_bad(stores => 'npmtoken_store "" { redis unix:/nowhere; }',
       '"npmtoken_store" directive', 'invalid value ""');
is_bad(stores => 'npmtoken_store main;', '"npmtoken_store"', 'has no opening');
is_bad(stores => "npmtoken_store main { redis unix:/a; }\n" x 2,
       'duplicate "npmtoken_store" "main"');
is_bad(stores => 'npmtoken_store main { }',
       'no "redis" in "npmtoken_store" "main"');
is_bad(server => 'npmtoken_store late { redis unix:/nowhere; }',
       '"npmtoken_store" directive is not allowed here');
is_bad(location => 'npmtoken_store late { redis unix:/nowhere; }',
       '"npmtoken_store" directive is not allowed here');
is_bad(main => 'npmtoken_store main { redis unix:/nowhere; }',
       '"npmtoken_store" directive is not allowed here');
is_bad(stores => 'npmtoken_store main { redis unix:/nowhere;', 'unexpected "{"');

my $redis = "redis unix:/nowhere;\n";

is_bad(store => "$redis nonsense 1;",
       'unknown directive "nonsense" in "npmtoken_store"');
is_bad(store => "$redis Redis unix:/nowhere;", 'unknown directive "Redis"');
is_bad(store => "$redis server localhost;", 'unknown directive "server"');
is_bad(store => "$redis prefix { }", 'unexpected "{"');

# nginx's own parser ends there, and we say why

is_bad(store => "$redis prefix $_;", 'unexpected "{"',
       'a "prefix" with braces needs quotes: prefix "{npmtoken}:";')
    for '{npmtoken}:', 'npm{token}:';
is_good(store => "$redis prefix \"{npmtoken}:\";");

is_bad(store => "$redis include included.conf;", '"prefix" directive',
       'invalid number of arguments');
is_bad(store => "$redis include no_such_file.conf;", 'no_such_file.conf');
is_bad(store => "$redis include;", '"include" directive',
       'invalid number of arguments');

my %store = (
    redis                => 'unix:/nowhere',
    redis_user           => 'reader',
    redis_password_file  => 'password',
    connect_timeout      => '1s',
    lookup_timeout       => '1s',
    lookup_queue         => '10',
    lookup_share         => '5',
    prefix               => 'a:',
    redis_keepalive      => '1m',
    redis_user_timeout   => '1s',
);

for my $directive (sort keys %store) {
    my $line = "$directive $store{$directive};";
    my $before = $directive eq 'redis' ? '' : $redis;

    is_bad(store => "$before $line\n$line",
           "\"$directive\" directive is duplicate");
    is_bad(store => "$before $directive;", "\"$directive\" directive",
           'invalid number of arguments');
    is_bad(store => "$before $directive a b;", "\"$directive\" directive",
           'invalid number of arguments');
}

for (
    [ 'connect_timeout', 'must be a time over 0',
      '0', '-1', 'soon', '1x', '""', '1.5s', '0ms' ],
    [ 'lookup_timeout', 'must be a time over 0',
      '0', '0s', '-1s', 'never', 'off', '""' ],
    [ 'lookup_queue', 'must be a number over 0',
      '0', '-1', '1k', 'many', '""', '1.5', '99999999999999999999' ],
    [ 'lookup_share', 'must be a number over 0',
      '0', '-1', '1k', '25%', '""', '1.5', '99999999999999999999' ],
    [ 'prefix', 'must be 1 to 128 printable characters',
      '""', '"a b"', '"a\r"', '"a\n"', '"a\t"', "\xc3\xa9", 'x' x 129 ],
    [ 'redis_user', 'must be a name', '""' ],
    [ 'redis_keepalive', 'must be a time from 1s to 9h, or 0',
      '500ms', '10h', 'on', '-1s', '""' ],
    [ 'redis_user_timeout', 'must be a time', 'off', '-1s', '""' ],
) {
    my ($directive, $expected, @bad) = @$_;

    for my $value (@bad) {
        my ($shown) = $value =~ /\A"?([^"\\]*)/;

        is_bad(store => "$redis $directive $value;",
               "\"$directive\" directive", "invalid value \"$shown", $expected);
    }
}

is_good(store => "$redis $_;") for (
    'connect_timeout 1ms', 'lookup_timeout 1m', 'lookup_queue 1',
    'lookup_queue 4; lookup_share 4',
    'prefix ' . 'x' x 128, 'prefix :',
    'redis_keepalive 1s', 'redis_keepalive 9h', 'redis_keepalive 0',
    'redis_user_timeout 1ms', 'redis_user_timeout 0',
);

is_bad(store => "$redis lookup_queue 4; lookup_share 5;",
       '"lookup_share" 5 is more than "lookup_queue" 4', '"main"');
is_bad(store => "$redis lookup_share 1025;",
       '"lookup_share" 1025 is more than "lookup_queue" 1024');


# where Redis is

for (
    [ 'localhost' => 'must begin with', 'localhost' ],
    [ '127.0.0.1:6379' => 'must begin with', '127.0.0.1:6379' ],
    [ '""' => 'must begin with', '""' ],
    [ 'http://localhost' => 'must begin with', 'http://localhost' ],
    [ 'Redis://localhost' => 'must begin with', 'Redis://localhost' ],
    [ 'redis:localhost' => 'must begin with', 'redis:localhost' ],
    [ 'redis:/localhost' => 'must begin with', 'redis:/localhost' ],
    [ '/run/redis.sock' => 'must begin with', '/run/redis.sock' ],
    [ 'redis://' => 'no host', 'value "redis://"' ],
    [ 'redis:///0' => 'no host', 'value "redis://' ],
    [ 'redis://:6379' => 'redis://:6379' ],
    [ 'redis://127.0.0.1:0' => 'port', 'redis://127.0.0.1:0' ],
    [ 'redis://127.0.0.1:65536' => 'port', 'redis://127.0.0.1:65536' ],
    [ 'redis://127.0.0.1:port' => 'port', 'redis://127.0.0.1:port' ],
    [ 'redis://127.0.0.1/x' => 'database', 'redis://127.0.0.1/x' ],
    [ 'redis://127.0.0.1/-1' => 'database', 'redis://127.0.0.1/-1' ],
    [ 'redis://127.0.0.1/1/2' => 'database', 'redis://127.0.0.1/1/2' ],
    [ 'redis://127.0.0.1/0?x=1' => 'database', 'redis://127.0.0.1/0?x=1' ],
    [ 'redis://127.0.0.1/99999999999999999999' => 'database' ],
    [ 'redis://[::1' => 'redis://[::1' ],
    [ 'redis://[::g]' => 'redis://[::g]' ],
    [ 'redis://no..host' => 'host not found',
      'redis://no..host' ],
    [ 'redis://$..host' => 'redis://$..host' ],
    [ 'unix:' => 'unix:' ],
    [ 'unix:/nowhere:x' => 'database', 'unix:/nowhere:x' ],
    [ 'unix:/nowhere:-1' => 'database', 'unix:/nowhere:-1' ],
    [ 'unix:/' . 'x' x 120 => 'unix:/xxx' ],
) {
    my ($value, @said) = @$_;

    is_bad(store => "redis $value;", '"redis" directive', @said);
}

is_good(store => "redis $_;") for (
    'redis://127.0.0.1', 'redis://127.0.0.1/', 'redis://127.0.0.1:1/15',
    'redis://[::1]:1', 'redis://localhost', 'unix:/nowhere:3',
    "redis://:$secret\@127.0.0.1", "redis://user:$secret\@127.0.0.1/1",
    "redis://user:a:b\@c%20d\@127.0.0.1/1",
);


# a password is told to nobody

for (
    [ "redis://:$secret\@127.0.0.1/x" => 'database', 'redis://127.0.0.1/x' ],
    [ "redis://user:$secret\@127.0.0.1:0" => 'port', 'redis://127.0.0.1:0' ],
    [ "redis://user:$secret\@no..host" => 'host not found',
      'redis://no..host' ],
    [ "redis://user:$secret\@" => 'no host', 'value "redis://"' ],
    [ "redis://user:$secret%2\@127.0.0.1" => 'percent-encoding' ],
    [ "redis://user:$secret%zz\@127.0.0.1" => 'percent-encoding' ],
    [ "redis://%:$secret\@127.0.0.1" => 'percent-encoding' ],
    [ "redis://user:${secret}\@a\@127.0.0.1/x" => 'database' ],
    [ "redi://user:$secret\@127.0.0.1" => 'must begin with' ],
    [ "http://user:$secret\@127.0.0.1" => 'must begin with' ],
    [ "user:$secret\@127.0.0.1" => 'must begin with' ],
    [ "redis:user:$secret\@127.0.0.1" => 'must begin with' ],
) {
    my ($value, @said) = @$_;

    is_bad(store => "redis $value;", '"redis" directive', @said);
}

is_bad(store => "redis redis://:$secret\@127.0.0.1;\nredis unix:/nowhere;",
       '"redis" directive is duplicate');
is_bad(store => "redis redis://:$secret\@127.0.0.1 more;",
       '"redis" directive', 'invalid number of arguments');
is_bad(store => "redis redis://:$secret\@127.0.0.1; prefix \"\";", '"prefix"');
is_bad(store => "redis redis://user:$secret\@127.0.0.1; redis_user other;",
       'a user or password', '"redis"');
is_bad(store => "redis redis://:$secret\@127.0.0.1; redis_password_file password;",
       'a user or password', '"redis"');
is_bad(store => 'redis redis://user@127.0.0.1;',
       'has the user "user" but no password');
is_bad(store => "$redis redis_user reader;",
       'has the user "reader" but no password');
is_bad(store => "$redis redis_password_file no_such_file;",
       'no_such_file', '"redis_password_file" directive');
is_bad(store => "$redis redis_password_file empty;",
       'invalid value "empty"', '"redis_password_file" directive');
is_bad(store => "$redis redis_password_file newline;",
       'invalid value "newline"', '"redis_password_file" directive');
is_bad(store => "$redis redis_password_file long;",
       'invalid value "long"', '"redis_password_file" directive');
is_bad(store => "$redis redis_password_file $dir;",
       '"redis_password_file" directive');
is_bad(store => "$redis redis_password_file \"\";",
       '"redis_password_file" directive');
is_bad(store => "$redis redis_password_file password; prefix \"\";",
       '"prefix" directive');

is_good(store => "$redis redis_password_file $dir/password;");
is_good(store => "$redis redis_user reader; redis_password_file password;");
is_good(store => "redis redis://reader\@127.0.0.1; redis_password_file password;");


is_good(store => "redis $_;") for (
    'redis-cluster://127.0.0.1', 'redis-cluster://127.0.0.1/',
    'redis-cluster+tls://127.0.0.1',
    "redis-cluster://u:$secret\@127.0.0.1,[::1]:7000,localhost:7001",
);

is_good(store => 'redis redis-cluster://127.0.0.1; prefix "n{t}:";');

is_bad(store => "redis redis-cluster://127.0.0.1; prefix $_;",
       'has no hash tag', "\"$_\"", '"prefix"') for (
    'npmtoken:',
);

is_bad(store => "redis redis-cluster://127.0.0.1; prefix \"$_\";",
       'has no hash tag', "\"$_\"", '"prefix"') for (
    '{}npmtoken:', '{npmtoken:', 'npmtoken}{:', '{}{npmtoken}:',
);


# what belongs to sentinels, and what does not

my $sentinels = 'redis redis-sentinel://127.0.0.1/main;';

is_good(store => $_) for (
    $sentinels,
    'redis redis-sentinel://127.0.0.1,[::1]:26380,localhost/a.B-c_1/2;',
    "$sentinels redis_sentinel_password_file password;",
    "$sentinels redis_sentinel_user me;"
        . ' redis_sentinel_password_file password;',
    "$sentinels redis_user me; redis_password_file password;",
    'redis redis-sentinel+tls://127.0.0.1/main;',
);

for (
    [ "$sentinels redis_sentinel_user me;"
      => '"redis_sentinel_user" but no "redis_sentinel_password_file"' ],
    [ "$redis redis_sentinel_user me;"
        . ' redis_sentinel_password_file password;'
      => 'a user or password of sentinels' ],
    [ "$redis redis_sentinel_password_file password;"
      => 'but no "redis-sentinel://"' ],
    [ "$sentinels redis_replica on;" => '"redis_replica on"' ],
    [ "$sentinels redis_sentinel_user \"\";" => '"redis_sentinel_user"',
      'a name' ],
    [ "$sentinels redis_sentinel_password_file none;"
      => '"redis_sentinel_password_file" directive' ],
) {
    my ($store, @said) = @$_;

    is_bad(store => $store, @said);
}


# lists of hosts

for (
    [ 'redis://127.0.0.1,127.0.0.2' => 'more than one host' ],
    [ 'redis-sentinel://' => 'no host', 'value "redis-sentinel://"' ],
    [ 'redis-sentinel:///main' => 'no host' ],
    [ 'redis-sentinel://127.0.0.1' => 'no valid name of a master' ],
    [ 'redis-sentinel://127.0.0.1/' => 'no valid name of a master' ],
    [ 'redis-sentinel://127.0.0.1//0' => 'no valid name of a master' ],
    [ 'redis-sentinel://127.0.0.1/a%20b' => 'no valid name of a master' ],
    [ 'redis-sentinel://127.0.0.1/main/x' => 'database number' ],
    [ 'redis-cluster://' => 'no host' ],
    [ 'redis-cluster://127.0.0.1,' => 'an empty host' ],
    [ 'redis-cluster://127.0.0.1,,[::1]' => 'an empty host' ],
    [ 'redis-cluster://127.0.0.1,[::1' => '"redis" directive' ],
    [ 'redis-cluster://127.0.0.1,127.0.0.2:0' => 'invalid port' ],
    [ 'redis-cluster://127.0.0.1/1' => 'has no databases' ],
    [ "redis-cluster://u:$secret\@127.0.0.1,u:$secret\@127.0.0.2"
      => 'more than one "@"' ],
    [ "redis-sentinel://u:$secret\@127.0.0.1,u:$secret\@127.0.0.2/main"
      => 'more than one "@"' ],
    [ "redis-sentine://u:$secret\@127.0.0.1/main" => 'must begin with' ],
) {
    my ($value, @said) = @$_;

    is_bad(store => "redis $value;", '"redis" directive', @said);
}


# "npmtoken_unknown pass" is warned of, once

sub warnings {
    my (%parts) = @_;

    my ($status, $output) = check(%parts);

    is($status, 0, 'npmtoken_unknown pass is no error') or diag $output;

    return () = $output =~ /\[warn\].*with "npmtoken_unknown pass"/g;
}

is(warnings(location => "npmtoken main;\nnpmtoken_unknown pass;"), 1,
   'a warning where it is used');
is(warnings(http => "npmtoken main;\nnpmtoken_unknown pass;",
            server => 'npmtoken_unknown pass;',
            location => "npmtoken main;\nnpmtoken_unknown pass;",
            limit_except => 'npmtoken_unknown pass;'), 1,
   'one warning where it is used four times');
is(warnings(limit_except => "npmtoken main;\nnpmtoken_unknown pass;"), 1,
   'a warning where it is used in limit_except');
is(warnings(location => "npmtoken off;\nnpmtoken_unknown pass;"), 0,
   'no warning where nothing is enforced');
is(warnings(location => "npmtoken main;\nnpmtoken_unknown deny;",
            server => 'npmtoken_unknown pass;'), 0,
   'no warning where it is overridden');
