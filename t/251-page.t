# The web page: its files, what each of its answers says to a browser, and that
# nothing below it reaches the registry.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use NpmToken::Api;
use NpmToken::Redis;
use NpmToken::Util qw( project_root read_file );
use NpmToken::Web;

my %headers = (
    'content-security-policy' =>
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        . "img-src 'self'; connect-src 'self'; form-action 'none'; "
        . "base-uri 'none'; frame-ancestors 'none'; "
        . "require-trusted-types-for 'script'",
    'x-content-type-options' => 'nosniff',
    'referrer-policy' => 'strict-origin',
    'cross-origin-opener-policy' => 'same-origin',
    'cross-origin-resource-policy' => 'same-origin',
    'x-frame-options' => 'DENY',
);

my %types = (html => 'text/html; charset=utf-8',
             css => 'text/css; charset=utf-8',
             js => 'text/javascript; charset=utf-8', svg => 'image/svg+xml');

my $redis = NpmToken::Redis->new;
my $api = NpmToken::Api->new(
    redis  => $redis,
    api    => 'npmtoken_api_page on;',
    server => <<'_EOC_',
        location /base/ {
            npmtoken main;
            npmtoken_base /base/;
            npmtoken_api main;
            npmtoken_api_page on;
            proxy_pass http://registry;
        }
        location /off/ {
            npmtoken main;
            npmtoken_base /off/;
            npmtoken_api main;
            proxy_pass http://registry;
        }
        location /allow/ {
            npmtoken main;
            npmtoken_base /allow/;
            npmtoken_anonymous read;
            npmtoken_api main;
            npmtoken_api_page on;
            proxy_pass http://registry;
        }
_EOC_
);

$api->user('alice', 'correct horse battery');


# whatever it is: a page, a file, JSON, an error

sub is_safe {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong = grep { ($r->{headers}{$_} // '') ne $headers{$_} }
        sort keys %headers;

    push @wrong, 'CORS' if grep { /\Aaccess-control-/ } keys %{ $r->{headers} };
    push @wrong, 'registry' if $r->{headers}{'x-registry'};

    ok(!@wrong, "$name: it has the headers of the page")
        or diag("@wrong\n$r->{head}");
}


subtest 'each file of src/web is served' => sub {
    my $dir = project_root() . '/src/web';
    my @files = map { s{.*/}{}r } glob "$dir/*.{html,css,js,svg}";

    ok(scalar(grep { $_ eq 'index.html' } @files), 'there is a page');

    for my $file (@files) {
        for my $base ('/', '/base/') {
            my $r = $api->call('GET', "$base-/npmtoken/$file");

            is($r->{status}, 200, "$base $file");
            is($r->{body}, read_file("$dir/$file"), '... all of it');
            is($r->{headers}{'content-type'}, $types{ $file =~ s/.*\.//r },
               '... its type');
            is($r->{headers}{'cache-control'}, 'no-cache',
               '... the browser asks each time');
            is_safe($r, $file);
        }

        my $r = $api->call('GET', "/-/npmtoken/$file");
        my $again = $api->call('GET', "/-/npmtoken/$file", undef, undef,
            'If-None-Match' => $r->{headers}{etag});

        is($again->{status}, 304, "... $file has not changed");
    }

    my $r = $api->call('GET', '/-/npmtoken/');

    is($r->{body}, read_file("$dir/index.html"), 'the page is at its address');
    is_safe($r, 'the page');

    $r = $api->call('HEAD', '/-/npmtoken/');
    is($r->{status}, 200, 'HEAD');
    is($r->{headers}{'content-length'}, -s "$dir/index.html", '... its length');
};


subtest 'the page asks nothing of any other host' => sub {
    my $dir = project_root() . '/src/web';

    for my $file (glob "$dir/*.{html,css,js}") {
        my $text = read_file($file);

        $text =~ s{https?://(?:www\.w3\.org/2000/svg|npm\.example\.com)\b}{}g;

        my $from = $file =~ /css\z/ ? qr{url\(|\@import}
                 : qr{(?:src|href|fetch\(|import)\s*=?\s*["']?(?:https?:)?//};

        ok($text !~ /$from/i, $file =~ s{.*/}{}r
            . ' loads nothing from elsewhere');
    }
};


subtest 'what is not there' => sub {
    my @lines = $api->registry_log_of(sub {
        for my $path (qw( nope nope.js api api/ api/nope index.html/x
            %69ndex.html/ page.js/../nope pack README.md src/web/index.html ))
        {
            my $r = $api->call('GET', "/-/npmtoken/$path");

            is($r->{status}, 404, "GET $path is 404");
            is_safe($r, $path);
        }

        for my $path ('api/session', 'index.html', 'api/tokens', '') {
            my $r = $api->call('PUT', "/-/npmtoken/$path", undef, '{}');

            is($r->{status}, 401, "PUT of \"$path\" takes a token");
        }

        my $r = $api->call('POST', '/-/npmtoken/', undef, '{}');

        is($r->{status}, 404, 'POST to the page is 404');
        is_safe($r, 'POST');

        $r = $api->call('GET', '/-/npmtoken/api/tokens');

        is($r->{status}, 403, 'a call that a browser does not vouch for');
        is_safe($r, 'that');

        $r = $api->call('POST', '/-/npmtoken/api/login', undef, 'x' x 30000,
            'Sec-Fetch-Site' => 'same-origin');

        is($r->{status}, 413, 'a body that is too large');
        is_safe($r, 'that');
    });

    is_deeply(\@lines, [], 'none of it reached the registry');
};


subtest 'other spellings are what they were' => sub {
    for my $path ('/-/%6epmtoken/', '/-//npmtoken/', '/x/../-/npmtoken/',
                  '/-/npmtoken', '/-/npmtokens/', '/-/npmtoken/../pkg',
                  '/-/npmtoken/..%2findex.html')
    {
        my $r = $api->call('GET', $path);

        ok($r->{status} == 401 || $r->{status} == 404,
           "$path is open to nobody") or diag($r->{status});
    }

    is($api->call('GET', '/-/npmtoken/', undef, undef,
                  'X-HTTP-Method-Override' => 'DELETE')->{status}, 401,
       'nor is it with another method in a header');
};


subtest 'where it is off' => sub {
    is($api->call('GET', '/off/-/npmtoken/')->{status}, 401,
       'the page is a path like any other');
    is($api->call('GET', '/off/-/v1/done?authId=1')->{status}, 401,
       'so is what npm polls');
    is_error($api->call('POST', '/off/-/v1/login', undef, '{}'), 404, undef,
             'npm is told to ask for a password');
};


subtest 'a location for everybody to read' => sub {
    is($api->call('GET', '/allow/-/npmtoken/')->{status}, 200, 'the page');
    is($api->call('GET', '/allow/-/npmtoken/api/tokens')->{status}, 403,
       'its calls are guarded as elsewhere');
};


done();
