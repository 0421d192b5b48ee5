# What an operator sees of an outage with nginx's own level of the error log,
# "error": what began it, what to do about it, that it is over, and no line for
# each request.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( sleep );

use lib 't/lib';
use NpmToken::Nginx;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for write_file );

plan(skip_all => 'makes no difference in this mode')
    if $ENV{TEST_NGINX_USE_HTTP2} || $ENV{TEST_NGINX_EVENT_TYPE};

my $redis = NpmToken::Redis->new;
my $tokens = 0;


sub nginx {
    my ($store, %options) = @_;

    my $nginx = NpmToken::Nginx->new(
        http   => "npmtoken_store main { $store lookup_timeout 200ms; }",
        server => 'location / { npmtoken main; npmtoken_log_level info;'
            . ' empty_gif; }',
        level  => 'error',
        %options,
    );

    $nginx->allow_log(qr/connect\(\) to unix:\S+ failed .* redis/);

    return $nginx;
}


# asks with a token that was never asked for

sub status {
    my $nginx = shift;

    my $token = 'npm_outage' . $tokens++;

    return $nginx->get('/', Authorization => "Bearer $token")->{status};
}


sub lines {
    my ($nginx, $pattern) = @_;

    return grep { /$pattern/ } split /\n/, $nginx->error_log;
}


my $again = qr/redis is reached again, after \d+\.\d{3} s/;

for my $where ('redis unix:' . $redis->socket . ';',
               'redis redis://127.0.0.1:' . $redis->port . ';')
{
    subtest "Redis goes and comes: its beginning and its end, $where" => sub {
        my $nginx = nginx($where . ' push off;');

        is(status($nginx), 401, 'connected');

        $redis->stop;
        is(status($nginx), 503, 'unavailable') for 1 .. 20;
        is(scalar(lines($nginx, qr/npmtoken|redis/)), 1, 'one line')
            or diag($nginx->error_log);
        sleep 0.3;
        $redis->start;

        wait_for { status($nginx) == 401 } 'the end';

        my @lines = lines($nginx, qr/npmtoken|redis/);

        is(scalar(@lines), 2, 'and one more') or diag($nginx->error_log);
        like($lines[1], qr/\[error\].*$again/, 'the end');

        my ($s) = $lines[1] =~ /after (\S+) s/;

        cmp_ok($s, '>', 0.3, "which says how long it lasted, $s s");
        cmp_ok($s, '<', 10, 'about');
    };
}


subtest 'the feed tells the end, though nobody asks' => sub {
    my $nginx = nginx('redis unix:' . $redis->socket . ';');

    is(status($nginx), 401, 'connected');
    $redis->restart;
    $nginx->wait_log(qr/\[error\].*$again.*npmtoken-feed/);
    is(scalar(lines($nginx, qr/npmtoken-feed/)), 2, 'two lines')
        or diag($nginx->error_log);
};


# "user npmtoken" is there until Redis restarts

subtest 'Redis is restarted without its users' => sub {
    my $file = $redis->{dir} . '/password';

    write_file($file, "good\n");

    my $user = sub {
        $redis->command('ACL', 'SETUSER', 'npmtoken', 'on', '>good', '~*',
                        '&*', '+@all');
    };

    $user->();

    my $nginx = nginx('redis unix:' . $redis->socket . '; redis_user npmtoken;'
                      . " redis_password_file $file;");

    is(status($nginx), 401, 'connected');
    $redis->restart;

    for my $name ('npmtoken-feed', 'npmtoken-lookup') {
        wait_for {
            status($nginx);
            lines($nginx, qr/"WRONGPASS".*$name/);
        } "the line of $name";
    }

    is(status($nginx), 503, 'unavailable') for 1 .. 20;

    for my $name ('npmtoken-feed', 'npmtoken-lookup') {
        my @lines = lines($nginx, qr/"WRONGPASS".*$name/);

        is(scalar(@lines), 1, "one line of $name");
        like($lines[0], qr/restarted\ without\ its\ users.*npmtokenctl\ init
                           .*ACL\ SAVE/x, 'what to do');
    }

    unlike($nginx->error_log, qr/good/, 'and no password');

    $user->();
    wait_for { status($nginx) == 401 } 'the end';
    is(scalar(lines($nginx, qr/$again.*npmtoken-lookup/)), 1, 'its end');
};


subtest 'a password that was never good' => sub {
    my $file = $redis->{dir} . '/other';

    write_file($file, "other\n");

    my $nginx = nginx('redis unix:' . $redis->socket . '; redis_user nobody;'
                      . " redis_password_file $file; push off;");

    is(status($nginx), 503, 'unavailable') for 1 .. 10;

    my @lines = lines($nginx, qr/npmtoken-lookup/);

    is(scalar(@lines), 1, 'one line') or diag("@lines");
    like($lines[0], qr/"WRONGPASS".*npmtokenctl init/, 'what to do');
    unlike($lines[0], qr/restarted/, 'nothing was restarted');
};


subtest 'a right is missing: what it is, what to do, and the end' => sub {
    $redis->command('ACL', 'SETUSER', 'idle', 'on', '>secret', '~*', '&*',
                    '+@all', '-client|tracking', '-hgetall');

    my $nginx = nginx('redis redis://idle:secret@127.0.0.1:' . $redis->port
                      . ';', level => 'warn');

    is(status($nginx), 503, 'unavailable') for 1 .. 20;

    my @lines = lines($nginx, qr/\[error\].*"NOPERM"/);

    is(scalar(@lines), 1, 'one line about look-ups');
    like($lines[0], qr/hgetall.*"Redis users" in docs.*npmtokenctl init/i,
         'what to do');

    @lines = lines($nginx, qr/\[warn\].*"NOPERM" on the feed/);

    is(scalar(@lines), 1, 'one about the feed');
    like($lines[0], qr/tracking.*works as with "push off".*npmtokenctl init/i,
         'what to do, and what follows');

    $redis->command('ACL', 'SETUSER', 'idle', '+hgetall',
                    '+client|tracking');

    is(status($nginx), 401, 'it answers');
    is(scalar(lines($nginx, qr/\[error\].*answers look-ups again/)), 1,
       'the end');
    wait_for { lines($nginx, qr/\[warn\].*the feed is live/) } 'the feed';
    pass('and that of the feed');
};

done_testing;
