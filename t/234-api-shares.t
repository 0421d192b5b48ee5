# A flood of logins from one address takes its share of the places in which
# passwords are hashed, and of the line before them: others log in.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

plan(skip_all => 'makes no difference in this mode') if $http2;

use constant {
    LOGIN => '/-/user/org.couchdb.user:',

    # takes some hundredths of a second, and is another password's
    SLOW  => '$2b$10$' . 'a' x 21 . 'u' . 'b' x 31,
};

my $redis = NpmToken::Redis->new;
my $password = 'correct horse battery';

my $api = NpmToken::Api->new(
    redis  => $redis,
    level  => 'debug',
    main   => 'thread_pool four threads=4;',
    server => 'set_real_ip_from 127.0.0.1; real_ip_header X-From;',
    api    => 'npmtoken_api_attempts 0 0; npmtoken_api_thread_pool four;',
);


sub send_login {
    my ($name, $with, $from) = @_;

    my $c = NpmToken::HTTP1->new($api->port);

    $c->request('PUT', LOGIN . $name, { 'X-From' => $from },
                "{\"password\":\"@{[ secret($with) ]}\"}");

    return $c;
}

sub answer {
    my $r = $_[0]->response;

    NpmToken::Api::note_secrets('', undef, undef, {}, $r);

    return $r->{status};
}

sub begun { return scalar(() = $api->error_log =~ /run task #/g) }


subtest 'a flood of logins of unknown names from one address' => sub {
    $redis->flush;
    $api->user('alice', $password);
    $api->user('slow', undef, password => SLOW);

    my $before = begun();

    my @flood = map { send_login('slow', "guess_$_", '192.0.2.1') } 1 .. 8;

    push @flood, map { send_login("nobody-$_", "guess_$_", '192.0.2.1') }
        9 .. 100;

    wait_for { begun() >= $before + 4 } 'threads at work';

    my @others = map { send_login('alice', $password, "198.51.100.$_") }
        1 .. 12;

    is(join(' ', map { answer($_) } @others), join(' ', (201) x 12),
       'twelve others log in');

    my $waiting = grep { !$_->unread } @flood;

    ok($waiting >= 20, "... before those of the flood: $waiting wait");

    my %got;

    $got{ answer($_) }++ for @flood;

    # 8 are hashed at a time, 64 wait, ten seconds at most

    is(($got{401} // 0) + ($got{503} // 0), 100, 'of that each is answered');
    ok($got{401} <= 72 && $got{503} >= 28,
       "... the rest finds no room to wait in: $got{503}");
};


# A worker that is told to go and waits no longer: what runs is ended by its
# thread, and what waits is freed.

subtest 'those that wait go with their requests' => sub {
    $redis->flush;

    my $going = NpmToken::Api->new(
        redis => $redis,
        level => 'debug',
        main  => 'worker_shutdown_timeout 100ms;',
        api   => 'npmtoken_api_attempts 0 0;',
    );

    $going->user('slow', undef, password => '$2b$12$' . 'a' x 21 . 'u'
                                            . 'b' x 31);

    my @c = map {
        my $c = NpmToken::HTTP1->new($going->port);

        $c->request('PUT', LOGIN . 'slow', {},
                    "{\"password\":\"@{[ secret(qq(gone_$_)) ]}\"}");
        $c;
    } 1 .. 20;

    wait_for { (() = $going->error_log =~ /run task #/g) >= 8 } 'hashes';

    $going->signal('QUIT');

    ok(!grep({ defined $_->response } @c), 'no request is answered');
    ok($going->quit(20), '... and nginx quits');
};


subtest 'a flood of sign-ups from one address, where there are many keys'
    => sub {
    my $walks = NpmToken::Api->new(
        redis  => $redis,
        level  => 'debug',
        server => 'set_real_ip_from 127.0.0.1; real_ip_header X-From;',
        api    => 'npmtoken_api_attempts 0 0; npmtoken_api_signup on;',
    );

    $redis->flush;
    $redis->command('EVAL', <<'_EOC_', 0);
        for i = 1, 200000 do
            redis.call('HSET', 'npmtoken:token:' .. i, 'user', 'u' .. i)
        end
_EOC_

    my $sign_up = sub {
        my ($name, $from) = @_;
        my $c = NpmToken::HTTP1->new($walks->port);

        $c->request('PUT', LOGIN . $name, { 'X-From' => $from },
                    "{\"password\":\"$password\",\"email\":\"a\@b.c\"}");
        return $c;
    };

    my $walking = sub { $walks->error_log =~ /npmtoken walk for/ };

    my @flood = map { $sign_up->("flood-$_", '192.0.2.1') } 1 .. 300;

    wait_for { $walking->() } 'a walk';

    my $other = $sign_up->('alice', '198.51.100.1');

    is(answer($other), 201, 'somebody else has a place');

    my %got;

    $got{ answer($_) }++ for @flood;

    ok($got{503} >= 200, "... the flood has its share: $got{503} refused");
    $redis->flush;
};


done();
