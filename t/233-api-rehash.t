# A hash that came from elsewhere, by an older method or of less cost, is made
# anew when its password is right.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;

use constant {
    LOGIN  => '/-/user/org.couchdb.user:',
    SECRET => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
};

my $redis = NpmToken::Redis->new;
my $password = secret('correct horse battery');
my $api = NpmToken::Api->new(redis => $redis,
                             api => 'npmtoken_api_attempts 0 0;');

# of all methods that are taken, and what a later library may make

my %hashes = (
    'bcrypt'       => crypt($password, '$2b$04$' . 'a' x 22),
    'SHA-512'      => crypt($password, '$6$rounds=1000$salt$'),
    'scrypt'       => crypt($password, '$7$CU..../....salt'),
    'less cost'    => crypt($password, '$y$j8T$abcd$'),
);

my %kept = (
    'yescrypt'     => crypt($password, '$y$j9T$abcd$'),
    'more cost'    => crypt($password, '$y$jAT$abcd$'),
);


sub hash_of { return $api->account($_[0])->{password} }

sub account {
    my ($name, $hash, %fields) = @_;

    $api->user($name, undef, password => $hash, %fields);
}

sub log_in {
    my ($name, $with, @more) = @_;

    return $api->call('PUT', LOGIN . $name, undef, { password => $with },
                      @more)->{status};
}


subtest 'a login makes an older hash anew' => sub {
    for my $name (sort keys %hashes) {
        my $hash = $hashes{$name};

        account('alice', $hash);

        is(log_in('alice', 'a wrong password'), 401, "$name: wrong");
        is(hash_of('alice'), $hash, '... and nothing is changed');
        is(log_in('alice', $password), 201, '... right');
        like(hash_of('alice'), qr/\A\$y\$j9T\$/, '... and it is yescrypt');

        my $new = hash_of('alice');

        is(log_in('alice', $password), 201, '... with which one logs in');
        is(log_in('alice', 'a wrong password'), 401, '... or does not');
        is(hash_of('alice'), $new, '... and which stays');
    }

    for my $name (sort keys %kept) {
        account('alice', $kept{$name});
        is(log_in('alice', $password), 201, "$name: a login");
        is(hash_of('alice'), $kept{$name}, '... and it stays');
    }
};


subtest 'so does what is asked with a token' => sub {
    account('alice', $hashes{bcrypt});
    $redis->put_token('npm_alice', user => 'alice');

    is($api->call('POST', '/-/npm/v1/tokens', 'npm_alice',
                  { password => $password })->{status}, 200, 'a new token');
    like(hash_of('alice'), qr/\A\$y\$/, 'it is yescrypt');

    account('alice', $hashes{bcrypt});

    is($api->call('POST', '/-/npm/v1/user', 'npm_alice', { password =>
        { old => $password, new => 'a new password' } })->{status}, 200,
        'another password');
    is(log_in('alice', 'a new password'), 201, '... is the one');
    is(log_in('alice', $password), 401, '... and the old one is not');
};


subtest 'a password that is right and no more than that' => sub {
    account('alice', $hashes{bcrypt}, locked => 'true');
    is(log_in('alice', $password), 401, 'of an account that is locked');
    is(hash_of('alice'), $hashes{bcrypt}, '... changes nothing');

    my $short = crypt(secret('short'), '$6$rounds=1000$salt$');

    account('alice', $short);
    is(log_in('alice', 'short'), 201, 'one that is too short for a new one');
    is(hash_of('alice'), $short, '... keeps its hash');

    account('alice', $hashes{bcrypt}, tfa => 'auth-only', totp => SECRET);
    settle(3);
    is(log_in('alice', $password), 401, 'before its code is asked for');
    like(hash_of('alice'), qr/\A\$y\$/, '... is made anew');
    is(log_in('alice', $password, 'npm-otp' => otp(SECRET)), 201,
       '... and the code is good');
};


# Each has verified the old hash, and one of them has changed it

subtest 'at once: all of them log in' => sub {
    account('alice', $hashes{bcrypt});

    my @c = map {
        my $c = NpmToken::HTTP1->new($api->port);

        $c->request('PUT', LOGIN . 'alice', {},
                    "{\"password\":\"$password\"}");
        $c;
    } 1 .. 12;

    my %got;

    for (@c) {
        my $r = $_->response;

        NpmToken::Api::note_secrets('', undef, undef, {}, $r);
        $got{ $r->{status} }++;
    }

    is_deeply(\%got, { 201 => 12 }, 'twelve logins');
    like(hash_of('alice'), qr/\A\$y\$/, 'one of them has made it anew');
};


subtest 'a Redis that does not take it is none of the login' => sub {
    account('alice', $hashes{bcrypt}, tfa => 'auth-only', totp => SECRET);

    $redis->command('CONFIG', 'SET', 'maxmemory', 1);

    my $r = $api->call('PUT', LOGIN . 'alice', undef,
                       { password => $password });

    $redis->command('CONFIG', 'SET', 'maxmemory', 0);

    is_error($r, 401, qr/\AYou must provide a one-time password/,
             'the code is asked for', challenge => 'otp');
    is(hash_of('alice'), $hashes{bcrypt}, 'the hash is the old one');
};


done();
