# The one version: nginx says it at start, once, and does not take modules of
# two.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken 'only_default_mode';

use NpmToken::Nginx qw( check_config );
use NpmToken::Util qw(
    api_module_path module_path project_root read_file temp_dir wait_for
    write_file
);

my ($front, $api) = (module_path(), api_module_path());

my ($version) = read_file(project_root() . '/src/core/npmtoken_version.h')
    =~ /^#define NPMTOKEN_VERSION +"(\d+\.\d+\.\d+)"$/m;

my $alone = "npmtoken $version: ngx_http_npmtoken_module";
my $both  = "$alone, ngx_http_npmtoken_api_module";


# what of a log is about the version, each at "notice", by the master

sub said {
    my $nginx = shift;

    my $pid = $nginx->pid;

    return [ $nginx->error_log
             =~ /^\S+ \S+ \[notice\] $pid#$pid: (npmtoken \d.*)$/mg ];
}


subtest 'the start says the version, once, whatever is configured' => sub {
    my $nginx = NpmToken::Nginx->new(level => 'notice', workers => 2);

    is_deeply(said($nginx), [ $alone ], 'of the one module');
    is(() = $nginx->error_log =~ /npmtoken \d/g, 1, 'no worker repeats it');

    $nginx->reload;

    is_deeply(said($nginx), [ $alone, $alone ], 'and so does a reload');

    my ($status, $output) = $nginx->check_config;

    is("$status $output", '0 ', '"nginx -t" says nothing of it');
    is(@{ said($nginx) }, 2, 'in the log neither');
};


subtest 'it names the second module if that is loaded' => sub {
    my $nginx = NpmToken::Nginx->new(level => 'notice', modules => [ $api ]);

    is_deeply(said($nginx), [ $both ]);
};


# the first module as another version would be built: the text is in it once

subtest 'modules of two versions stop "nginx -t"' => sub {
    my $dir = temp_dir() . '/version';
    my $other = $version =~ s/\d$/X/r;
    my $bytes = read_file($front);

    mkdir $dir or die "mkdir $dir: $!";

    is($bytes =~ s/\Q$version\E\0/$other\0/g, 1, 'another version');

    write_file("$dir/front.so", $bytes);
    write_file("$dir/nginx.conf", <<"_EOC_");
load_module $dir/front.so;
load_module $api;
pid $dir/nginx.pid;
error_log $dir/error.log;
events {}
http {}
_EOC_

    my ($status, $output) = check_config($dir, "$dir/nginx.conf");

    is($status, 1, 'the status');
    like($output, qr/\[emerg\] .*ngx_http_npmtoken_api_module is of version \Q$version\E, but ngx_http_npmtoken_module is of version \Q$other\E: install both from the same version/,
         'the sentence');
};


subtest 'CHANGES begins with this version' => sub {
    my ($first) = read_file(project_root() . '/CHANGES')
        =~ /^Changes with npmtoken (\S+) /m;

    is($first, $version);
};


done_testing;
