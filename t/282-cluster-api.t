# The token commands on a Redis Cluster: their scripts find the node that has
# the slot, and what is only half there while it is moved is not taken for all.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Cluster;
use NpmToken::Util qw( read_file token_key wait_for );

my $cluster = NpmToken::Cluster->new(masters => 2, replicas => 1);
my $prefix = '{npmtoken}:';

my $api = NpmToken::Api->new(
    redis  => $cluster,
    url    => $cluster->url,
    prefix => $prefix,
    api    => 'npmtoken_api_signup on; npmtoken_api_replicas 1;',
);

my $password = secret('correct horse battery');


sub sign_up {
    my $name = shift;

    return $api->call('PUT', "/-/user/org.couchdb.user:$name", undef, {
        name => $name, password => $password, email => "$name\@example.com",
    });
}


sub tokens {
    my $token = shift;

    return $api->call('GET', '/-/npm/v1/tokens', $token);
}


sub create {
    my $token = shift;

    return $api->call('POST', '/-/npm/v1/tokens', $token,
                      { password => $password });
}


my $token;


subtest 'an account and its tokens' => sub {
    my $r = sign_up('alice');

    is($r->{status}, 201, 'adduser') or diag $r->{body};
    $token = $r->{json}{token};

    $r = create($token);
    is($r->{status}, 200, 'token create') or diag $r->{body};

    my $second = $r->{json}{token};

    is(scalar(@{ tokens($token)->{json}{objects} }), 2, 'token list');

    $r = $api->call('DELETE', '/-/npm/v1/tokens/token/' . token_key($second),
                    $token);
    is($r->{status}, 204, 'token revoke');
    is(scalar(@{ tokens($token)->{json}{objects} }), 1, 'token list');
};


subtest 'after the slot was moved, each first call is answered' => sub {
    for my $call (
        sub { $api->call('GET', '/-/npm/v1/user', $token) },
        sub { create($token) },
        sub { tokens($token) },
        sub { sign_up('bob') },
    ) {
        my ($to) = $cluster->others;

        $cluster->move($to);
        like($call->()->{status}, qr/\A20[01]\z/, 'yes');
    }
};


subtest 'while it is moved, nothing is half done, or taken for absent' => sub {
    my ($to) = $cluster->others;
    my $before = NpmToken::Api::dump_redis($cluster);
    my @tokens = $api->tokens_of('alice');

    $cluster->migrate_begin($to);

    # the set is there, one record is not

    $cluster->migrate_keys($to, "${prefix}token:$tokens[0]");

    is(tokens($token)->{status}, 503, 'no list');
    is(sign_up('carol')->{status}, 503, 'no new name');
    is(create($token)->{status}, 503, 'no new token');
    is($api->call('DELETE', "/-/npm/v1/tokens/token/$tokens[0]",
                  $token)->{status}, 503, 'none is revoked');

    # and the other way round

    $cluster->migrate_keys($to, "${prefix}tokens-of:alice");

    is(tokens($token)->{status}, 503, 'no list');
    is($api->call('DELETE', "/-/npm/v1/tokens/token/$tokens[1]",
                  $token)->{status}, 503, 'none is revoked');

    my $user = $api->account('alice');

    is($api->call('POST', '/-/npm/v1/user', $token,
                  { fullname => 'Alice' })->{status} =~ s/\A(?:200|503)\z/x/r,
       'x', 'an account is changed, or not');

    $cluster->migrate_keys($to);

    # all keys are there, but for those that are made

    is(tokens($token)->{status}, 503, 'no list');
    is(sign_up('carol')->{status}, 503, 'no new name');

    # one key, which is at the other node

    is($api->call('GET', '/-/npm/v1/user', $token)->{status}, 200,
       'what needs one key is answered');

    $cluster->migrate_end($to);

    my $after = NpmToken::Api::dump_redis($cluster);

    delete @{ $_->{"${prefix}user:alice"} }{qw( fullname updated )}
        for $before, $after;
    delete @$_{ grep /tries:/, keys %$_ } for $before, $after;

    is_deeply($after, $before, 'nothing has changed');

    is(scalar(@{ tokens($token)->{json}{objects} }), scalar(@tokens),
       'the list is whole again');
    is(sign_up('carol')->{status}, 201, 'a new name');
    is($api->call('DELETE', "/-/npm/v1/tokens/token/$tokens[0]",
                  $token)->{status}, 204, 'one is revoked');
};


# Of a script as it is in src/account: its words are those of strings of C

sub script {
    my $name = shift;

    my $source = join '', map { read_file("src/account/npmtoken_script$_") }
        '_parts.h', '.c';
    my ($body) = $source =~ /^ngx_str_t  \Q$name\E = ngx_string\(\n(.*?)^\);/ms
        or die "no $name";
    my %macro = $source =~ /^#define (NPMTOKEN_SCRIPT_\w+)((?:[^\n]*\\\n)*[^\n]*)/mg;

    $body =~ s{/\*.*?\*/}{}gs;
    $body =~ s/\b(NPMTOKEN_SCRIPT_\w+)/$macro{$1}/g;

    my $text = join '', $body =~ /"((?:[^"\\]|\\.)*)"/g;

    $text =~ s/\\n/\n/g;
    $text =~ s/\\(.)/$1/g;

    return $text;
}


subtest 'a failed attempt counts, though the slot began to move' => sub {
    my $owner = $cluster->owner;
    my ($to) = $cluster->others;
    my $tally = "${prefix}tries:name:dora";

    is($owner->command('EVAL', script('npmtoken_script_begin'), 1, $tally,
                       'one', 60000, 60000, 5), 'OK', 'it begins');

    $cluster->migrate_begin($to);

    is($owner->command('EVAL', script('npmtoken_script_end'), 1, $tally,
                       'one', 60000), 'OK', 'it fails');
    is($owner->command('ZCARD', $tally), 1, 'and counts');

    $cluster->migrate_keys($to);
    $cluster->migrate_end($to);
};


$api->allow_log(qr/redis refused a command of the token API: TRYAGAIN/);

done();
