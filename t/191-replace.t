# A new file of a module under a running nginx, as the README has it: its own
# commands are run.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken 'only_default_mode';

use NpmToken::Nginx;
use NpmToken::Util qw(
    at_exit module_path project_root read_file temp_dir wait_for write_file
);

my $dir = temp_dir() . '/modules';
my $module = "$dir/ngx_http_npmtoken_module.so";

mkdir $dir or die "mkdir $dir: $!";
system('cp', module_path(), $module) == 0 or die "cp failed\n";

# nginx starts its successor by the name that it was started by

if (($ENV{TEST_NGINX_BINARY} // '') !~ m{^/}) {
    ($ENV{TEST_NGINX_BINARY}) = grep { -x } map { "$_/nginx" }
        split(/:/, $ENV{PATH}), '/usr/sbin';
}

$ENV{NPMTOKEN_MODULE} = $module;

my $nginx = NpmToken::Nginx->new(
    workers => 2,
    http    => 'npmtoken_store main { redis unix:/nowhere; push off; }',
    server  => 'location / { npmtoken main; }',
);

# that there is no Redis is no matter here

$nginx->allow_log(qr/unix:\/nowhere/);

# it takes a daemon: one that is in the foreground has no successor

my $pid_file = $nginx->dir . '/nginx.pid';
my $conf = $nginx->dir . '/nginx.conf';

$nginx->stop;

write_file($conf, read_file($conf) =~ s/^daemon off;$//mr);

system($ENV{TEST_NGINX_BINARY}, '-e', $nginx->dir . '/error.log',
       '-p', $nginx->dir . '/', '-c', $conf) == 0 or die "no nginx\n";

my $first = wait_for { read_file($pid_file) + 0 } 'nginx';

my $asker;

at_exit {
    kill 'TERM', grep { /^\d/ } map { read_file($_) } glob "$pid_file*";
    kill 'KILL', $asker if $asker;
};


# the blocks of commands of a section, for this nginx instead of the system's

sub commands {
    my $section = shift;

    my ($text) = read_file(project_root() . '/README.md')
        =~ /^## \Q$section\E\n(.*?)^## /ms;

    my ($built) = module_path() =~ m{(.*)/};

    return map {
        s{/usr/lib/nginx/modules}{$dir}gr
            =~ s{/run/nginx\.pid}{$pid_file}gr
            =~ s{\bnginx -t\b}{$ENV{TEST_NGINX_BINARY} -t -q -c $conf}r
    } ($text // '') =~ /^```sh\n(.*?)^```/msg;
}


sub type_in {
    my $text = shift;

    # it waits for both to run, which they may never do

    is(system('timeout', '20', 'sh', '-euc',
              'cd ' . project_root() . "\n$text"), 0,
       'the commands of the README succeed');
}


# the number of the file whose code a process runs

sub code_of {
    my $pid = shift;

    my ($inode) = read_file("/proc/$pid/maps")
        =~ m{ (\d+)\s+\S*ngx_http_npmtoken_module\.so}m;

    return $inode // 'none';
}


sub workers_of {
    my $pid = shift;

    return grep {
        read_file("/proc/$_/cmdline") =~ /\Anginx: worker process/
    } split ' ', read_file("/proc/$pid/task/$pid/children");
}


my @workers;

wait_for { (@workers = workers_of($first)) == 2 } 'two workers';

my $old = (stat $module)[1];
my ($put, $take_over) = commands('Upgrade');

is(code_of($_), $old, 'a worker runs the code of the file') for @workers;

type_in($put // 'false');

my $new = (stat $module)[1];

isnt($new, $old, 'the new module is another file');
is($nginx->get('/')->{status}, 401, 'nginx answers as before');
is(join(' ', sort { $a <=> $b } workers_of($first)), join(' ', sort { $a <=> $b } @workers),
   'no worker has died');

kill 'HUP', $first;

wait_for { !grep { -d "/proc/$_" } @workers } 'the end of the old workers';
wait_for { workers_of($first) == 2 } 'new workers';

is(code_of($_), $old, 'after a reload a worker runs the old code')
    for workers_of($first);

# somebody asks all the time

pipe my $results, my $out or die "pipe: $!";

$asker = fork // die "fork: $!";

if ($asker == 0) {
    my ($asked, $answered) = (0, 0);
    my $end;

    local $SIG{TERM} = sub { $end = 1 };

    while (!$end) {
        my $status = eval { $nginx->get('/')->{status} } // 0;

        # the last one is interrupted, perhaps

        $asked++ if !$end || $status;
        $answered++ if $status == 401;
    }

    syswrite $out, "$answered of $asked";
    POSIX::_exit(0);
}

close $out;

type_in($take_over // 'false');

my $second = read_file($pid_file) + 0;

isnt($second, $first, 'there is a second nginx');
wait_for { !kill 0, $first } 'the end of the first nginx';
wait_for { workers_of($second) == 2 } 'workers of the second nginx';

is(code_of($_), $new, 'a worker of the second nginx runs the new code')
    for workers_of($second);

kill 'TERM', $asker;
waitpid $asker, 0;
$asker = undef;

my ($answered, $asked) = (<$results> // '') =~ /(\d+) of (\d+)/;

cmp_ok($asked // 0, '>', 10, 'it was asked meanwhile');
is($answered, $asked, '... and each time it answered');

unlike($nginx->error_log, qr/exited on signal/, 'no worker has died');

kill 'QUIT', $second;
wait_for { !kill 0, $second } 'the end of the second nginx';

done_testing();
