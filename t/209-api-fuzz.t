# Bodies, paths and queries by chance: each is answered with JSON and a status
# that is no 5xx, a token that is made is never one with more rights than were
# asked for, and the worker goes on.
#
#     FUZZ_SEED=2 FUZZ_CALLS=100000 prove t/209-api-fuzz.t

use strict;
use warnings;

use Test::More;
use Time::HiRes qw( time );

use lib 't/lib';
use NpmToken::Api;
use NpmToken::HTTP1;
use NpmToken::Redis;
use NpmToken::Util qw( wait_for );

plan(skip_all => 'makes no difference in this mode') if $http2;

my $seed = $ENV{FUZZ_SEED} || 1;
my $calls = $ENV{FUZZ_CALLS} || 3000;

srand $seed;

my $password = 'correct horse battery';
my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis => $redis,
    store => 'cache off;',
    api   => 'npmtoken_api_attempts 0 0; npmtoken_api_signup on;'
        . ' npmtoken_api_max_tokens 10000;',
);

my $json = JSON::PP->new->utf8->allow_nonref;
my $bearer = 'npm_bearer_of_all_calls';

secret($password, $bearer);


sub reset_redis {
    $redis->flush;
    $api->user('alice', $password, email => 'a@example.com');
    $redis->put_token($bearer, user => 'alice');
}

sub one { return $_[int rand @_] }


# a value, often one that has been trouble to somebody

sub value {
    my ($depth) = @_;

    my $kind = int rand($depth > 3 ? 14 : 18);

    return one('', 'a', '0', 'null', '@s', '@s/p', 'p', '*', '%s%n', '../..',
               'auth-only', 'disable', 'read-only', 'a,b', ' ', "\t", "\r\n",
               "\x{7f}", "\x{80}", "\x{e9}", "\x{2028}", "\x{fffe}",
               "\x{1F600}", '__proto__', '"', '\\', "it's", '<b>', '${x}',
               '127.0.0.1/8', '::1', '10.0.0.0/33', 'a@example.com',
               '1e999', 'otpauth://') if $kind < 5;
    return one('x', "\x{e9}", "\x{20ac}", '(', "\\", '"', "\x{1}")
        x one(1, 2, 63, 64, 65, 100, 101, 200, 201, 214, 215, 255, 256, 257,
              1024, 1025, 3000) if $kind < 7;
    return int(rand 10) - 2 if $kind < 8;
    return one(0, -1, 1, 2**31, 2**32, 2**53, -2**53, 1.5, 1e-300, 1e300,
               36500, 36501, 9.2e18) if $kind < 9;
    return one($true, $false) if $kind < 12;
    return undef if $kind < 14;
    return [ map { value($depth + 1) } 1 .. rand one(1, 3, 8, 120) ]
        if $kind < 16;
    return { map { value_name() => value($depth + 1) } 1 .. rand 5 };
}

sub value_name {
    return one(qw( password name email readonly cidr_whitelist packages
        packages_all scopes orgs packages_and_scopes_permission
        orgs_permission expires description bypass_2fa tfa mode old new
        fullname homepage _id _rev type roles date token user ), '', "\x{e9}",
        "a\x{1}b", 'x' x one(1, 63, 64, 65, 300), "\x{20ac}" x one(1, 21, 22));
}


# what clients send, then changed

my @bodies = (
    sub { { password => $password } },
    sub { { password => $password, readonly => one($true, $false),
            cidr_whitelist => [ one('127.0.0.0/8', '::1', '10.0.0.1') ] } },
    sub { { password => $password, name => 'ci', description => 'x',
            expires => 1 + int rand 40, packages => [ 'a', '@s/b' ],
            scopes => [ 's' ], bypass_2fa => one($true, $false),
            packages_and_scopes_permission => one('read-only',
                                                  'read-write') } },
    sub { { password => $password, packages_all => $true, orgs => [] } },
);

my @profiles = (
    sub { { email => 'b@example.com', fullname => 'B', homepage => undef } },
    sub { { email => { email => 'b@example.com', password => $password } } },
    sub { { tfa => { password => $password,
                     mode => one('auth-only', 'disable') } } },
    sub { { tfa => [ one('123456', '', 'f' x 64) ] } },
    sub { { password => { old => $password, new => 'short' } } },
);

my @logins = (
    sub { NpmToken::Api::login_body('alice', $password) },
    sub { NpmToken::Api::login_body('alice', $password, readonly => $true,
                                    cidr_whitelist => [ '::1' ]) },
    sub { NpmToken::Api::login_body('new', $password,
                                    email => 'n@example.com') },
);


sub text_of {
    my ($make) = @_;

    my $body = $make->();
    my $chance = rand;

    # members: another value, one more, one less; at any depth

    for (1 .. $chance < 0.2 ? 0 : 1 + rand 3) {
        my $at = $body;
        my ($inner) = grep { ref eq 'HASH' } values %$body;

        $at = $inner if $inner && rand() < 0.6;

        my $name = rand() < 0.7 && %$at ? one(sort keys %$at) : value_name();

        if (rand() < 0.1) {
            delete $at->{$name};
        } else {
            $at->{$name} = value(0);
        }
    }

    my $text = $json->encode($body);

    return $text if rand() < 0.7;

    # bytes

    for (1 .. 1 + rand 4) {
        my $at = int rand(1 + length $text);
        my $kind = int rand 7;

        if ($kind == 0) {
            substr($text, $at, 1, chr int rand 256);
        } elsif ($kind == 1) {
            substr($text, $at, 1 + rand 10, '');
        } elsif ($kind == 2) {
            substr($text, $at, 0, substr $text, rand length $text, rand 30);
        } elsif ($kind == 3) {
            substr($text, $at, 0, one('{', '}', '[', ']', '"', ',', ':', '\\',
                '\u0000', '\ud800', '\udc00', '\u00e9', '0', '-', '1e400',
                '9' x 40, 'null', 'true', '//', '/*', "\0", "\xff", "\xc0\x80",
                "\xef\xbb\xbf", '{"a":' x 100, '[' x 3000, ' ' x 200));
        } elsif ($kind == 4) {
            $text = substr $text, 0, $at;
        } elsif ($kind == 5) {
            $text .= $text;
        } else {
            $text = join '', map { chr int rand 256 } 0 .. rand 200;
        }
    }

    return substr $text, 0, 8000;
}


sub path_of {
    return join '', map {
        one(sub { sprintf '%%%02x', int rand 256 },
            sub { one('a' .. 'f', 0 .. 9) x one(1, 5, 6, 128, 129, 300) },
            sub { one('%', '%2f', '/', '..', '=', '+', ':', '@', ';', '%00',
                      'npm_', '~', '%zz', '-rev', '?', '&') },
        )->();
    } 0 .. rand 4;
}

sub call_of {
    my $kind = rand;

    return ('POST', '/-/npm/v1/tokens', text_of(one(@bodies)))
        if $kind < 0.5;
    return ('POST', '/-/npm/v1/user', text_of(one(@profiles)))
        if $kind < 0.7;
    return ('PUT', '/-/user/org.couchdb.user:' . one('alice', 'new'),
            text_of(one(@logins))) if $kind < 0.9;
    return ('GET', '/-/npm/v1/tokens?'
        . one('perPage=', 'page=', 'perPage=1&page=') . path_of())
        if $kind < 0.93;
    return ('DELETE', '/-/npm/v1/tokens/token/' . path_of())
        if $kind < 0.96;
    return ('PUT', '/-/user/org.couchdb.user:' . path_of(), '{}');
}


my $connection;

sub ask {
    my ($method, $uri, $body) = @_;

    for (1 .. 2) {
        $connection //= NpmToken::HTTP1->new($api->port);
        $connection->request($method, $uri,
            { Authorization => "Bearer $bearer" }, $body);

        my $r = eval { $connection->response($method) };

        if (!$r || ($r->{headers}{connection} // '') eq 'close') {
            $connection = undef;
        }

        return $r if $r;
    }

    return { status => 0, headers => {}, body => $@ // '' };
}


# how an answer is none that it should be

sub wrong {
    my ($method, $uri, $body, $r) = @_;

    my $status = $r->{status};

    return "status $status" if $status !~ /\A(?:20[014]|4\d\d)\z/;
    return if $status == 204 || $r->{headers}{'x-registry'};

    # what is no path for nginx
    return if $status == 400 && $r->{body} =~ /<center>nginx/
              && $uri !~ m{\A/-/npm/v1/(?:tokens|user)\z};

    my $answer = eval { $json->decode($r->{body}) };

    return 'no JSON' if ref $answer ne 'HASH';
    return 'no error' if $status >= 400 && !length $answer->{error};
    return 'an error' if $status < 400 && exists $answer->{error};
    return 'a password' if index($r->{body}, $password) >= 0
                           && $status < 400;
    return 'a token' if $status >= 400
                        && $r->{body} =~ /npm_[0-9A-Za-z]{36}/;
    return 'may be stored' if $r->{headers}{'cache-control'} ne 'no-store';

    return if !defined $answer->{token};

    secret($answer->{token});

    return wider($json->decode($body), $answer, $api->record($answer->{token}));
}


# what was asked for is what was made

sub wider {
    my ($asked, $answer, $record) = @_;

    return 'no record' if !%$record;

    my $login = exists $answer->{ok};
    my $readonly = $asked->{readonly}
        || ($asked->{packages_and_scopes_permission} // '') eq 'read-only';

    return 'not read-only' if $readonly && $record->{readonly} ne 'true';

    for my $list (qw( cidr_whitelist packages scopes )) {
        my $given = $record->{$list} // '';
        my $wanted = join ',', @{ $asked->{$list} // [] };

        utf8::encode($wanted);
        $wanted =~ s/(\A|,)(?=[^@,])/$1@/g if $list eq 'scopes';

        return "$list is \"$given\", not \"$wanted\"" if $given ne $wanted;
    }

    return 'never expires' if $asked->{expires} && !$record->{expires_at};
    return 'bypass_2fa' if $record->{bypass_2fa} && !$asked->{bypass_2fa};

    return if $login;

    my %known = map { $_ => 1 } qw( password name description readonly
        cidr_whitelist packages packages_all scopes orgs orgs_permission
        packages_and_scopes_permission expires bypass_2fa );

    my @unknown = grep { !$known{$_} } keys %$asked;

    return @unknown ? "what is \"@unknown\"?" : undef;
}


my ($worker) = wait_for { [ $api->worker_pids ]->[0] } 'a worker';
my (%seen, @wrong);
my $start = time;

for my $n (0 .. $calls - 1) {
    reset_redis() if $n % 50 == 0;

    my ($method, $uri, $body) = call_of();
    my $r = ask($method, $uri, $body);

    $seen{ $r->{status} }++;

    my $wrong = wrong($method, $uri, $body, $r) // next;

    push @wrong, "$wrong: $method $uri "
        . $json->encode(substr $body // '', 0, 500) . " -> "
        . substr $r->{body}, 0, 300;
    last if @wrong > 10;
}

ok(!@wrong, "$calls calls with seed $seed: each answer is one it may be")
    or diag map { "$_\n" } @wrong;

note(sprintf '%.1f s, %s', time - $start,
     join ', ', map { "$_: $seen{$_}" } sort keys %seen);

cmp_ok($seen{$_} // 0, '>', $calls / 100, "there are some with $_")
    for 200, 201, 400, 401, 422;

is(join(' ', $api->worker_pids), $worker, 'it is one worker all along');
is(scalar(() = $api->error_log =~ /\[(?:alert|crit|emerg)\]/g), 0,
   'which has nothing to complain of');

reset_redis();
ok($api->login('alice', $password), 'and goes on');

done();
