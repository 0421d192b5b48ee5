# Sign-ups are counted by address, and take no place of a login.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;

# curl may send a request twice, and what is counted here would be two

plan(skip_all => 'makes no difference in this mode') if $http2;

use constant LOGIN => '/-/user/org.couchdb.user:';

my $redis = NpmToken::Redis->new;
my $password = 'correct horse battery';

my $api = NpmToken::Api->new(
    redis  => $redis,
    level  => 'debug',
    server => 'set_real_ip_from 127.0.0.1; real_ip_header X-From;',
    api    => 'npmtoken_api_signup on; npmtoken_api_attempts 3 5;',
);


sub sign_up {
    my ($name, $from, %more) = @_;

    return $api->call('PUT', LOGIN . $name, undef,
        { name => $name, password => $password,
          email => "$name\@example.com", %more }, 'X-From' => $from);
}

sub log_in {
    my ($name, $with, $from) = @_;

    return $api->call('PUT', LOGIN . $name, undef,
        { name => $name, password => $with }, 'X-From' => $from)->{status};
}


subtest 'sign-ups are counted, also those that succeed' => sub {
    $redis->flush;

    is(sign_up("new-$_", '192.0.2.1')->{status}, 201, "new-$_") for 1 .. 5;

    my $r = sign_up('new-6', '192.0.2.1');

    is_error($r, 429, qr/\AToo many new accounts from this address\./,
             'one too many', retry => $r->{headers}{'retry-after'});
    like($r->{headers}{'retry-after'}, qr/\A(?:900|8\d\d)\z/,
         '... for a quarter of an hour');
    is_deeply($api->account('new-6'), {}, '... and no account is made');

    is(sign_up('new-6', '192.0.2.2')->{status}, 201, 'from another address');
    is(log_in('new-1', $password, '192.0.2.1'), 201,
       'a login from there is none');
    is(sign_up('new-2', '192.0.2.1')->{status}, 201,
       'nor is one that npm adduser makes of an account that is there');
};


subtest 'a password that is too short is counted before it is refused' => sub {
    $redis->flush;

    is(sign_up("new-$_", '192.0.2.1', password => 'short')->{status}, 422,
       "short, $_") for 1 .. 3;
    is(sign_up("new-$_", '192.0.2.1', email => 'nonsense')->{status}, 422,
       "no address of mail, $_") for 1, 2;
    is(sign_up('new-6', '192.0.2.1', password => 'short')->{status}, 429,
       'one too many');
};


sub send_login {
    my ($name, $with, $from, %more) = @_;

    my $c = NpmToken::HTTP1->new($api->port);

    $c->request('PUT', LOGIN . $name,
        { 'Content-Type' => 'application/json', 'X-From' => $from },
        JSON::PP::encode_json({ name => $name, password => secret($with),
                                %more }));

    return $c;
}

sub answer {
    my $r = $_[0]->response;

    NpmToken::Api::note_secrets('', undef, undef, {}, $r);

    return $r->{status};
}

# Each sign-up comes from an address of its own, so nothing else bounds them.
# They hold their places and their line, all of them, when the login comes.

subtest 'a flood of sign-ups takes no place of a login' => sub {
    $redis->flush;
    $api->user('alice', $password);

    my @flood = map { send_login("new-$_", $password, "192.0.2.$_",
                                 email => 'a@example.com') } 1 .. 100;

    is(log_in('alice', $password, '198.51.100.1'), 201, 'a login');

    my %got;

    $got{ answer($_) }++ for @flood;

    is(($got{201} // 0) + ($got{503} // 0), 100,
       'of the others each is made, or finds no room to wait in');
    ok(($got{201} // 0) >= 68, "... 4 at a time, and 64 wait: $got{201}");
};


done();
