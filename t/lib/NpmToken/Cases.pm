package NpmToken::Cases;

# Many requests in one block, each in one line of
#
#     --- cases
#     # METHOD TARGET CREDENTIALS STATUS [REASON] [MORE...]
#     GET     /pkg   npm_full       200
#     PUT     /pkg   npm_readonly   403 readonly
#     GET     /pkg   -              401 no_token
#     GET     /pkg   "Basic YTpi"   401 unknown  op=read
#     PUT     /pkg   npm_full       403 readonly +"X-HTTP-Method: GET"
#
# CREDENTIALS are a token, "-" for none, or in quotes the whole value of
# Authorization.  A word with blanks stands in quotes.
#
# Each line is checked for all that must hold of such an answer
#
#     200, no reason    it is the registry's, and no denial is in the log
#     200 and a reason  a dry run: it is the registry's, and the denial is in
#                       the log
#     a reason          docs/answers.md says what status, headers and body
#                       it has; the log has one line; the registry has seen
#                       nothing
#     another status    it is nginx's, and no denial is in the log
#
# and no token may be seen in an answer of ours or in the error log.
#
# MORE
#
#     +"NAME: VALUE"    one more header line
#     op=CLASS          the operation that the log line names
#     key=TOKEN         ... and the token, if it is not the one sent; "-" none
#     user=NAME         the X-Npm-User that the registry saw; empty: none
#     auth=sent         the registry saw Authorization as it was sent
#     auth=VALUE        ... or this; empty: none
#     uri=URI           the URI that the registry saw
#     notice=REGEX      the npm-notice; empty: there is none
#     body=REGEX        what else stands in the body
#     says=SENTENCE     the error in the body; "%T" is the short key
#
# A block may also say, and then the lines are waited for,
#
#     --- registry_lines   all that was asked of the registry
#     --- test_lines       all of logs/test.log, an access_log of the block

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use NpmToken::Util qw( read_file short_key wait_for );

our @EXPORT_OK = qw( expand_cases check_case check_lines );

my %challenge = (
    no_token    => 'Bearer',
    bad_token   => 'Bearer',
    unknown     => 'Bearer',
    revoked     => 'Bearer',
    expired     => 'Bearer',
    cidr        => 'ipaddress',
    readonly    => '',
    package     => '',
    bad_record  => '',
    protected   => '',
    unavailable => '',
);

my %status = (
    readonly    => 403,
    package     => 403,
    bad_record  => 403,
    protected   => 403,
    unavailable => 503,
);


sub parse {
    my ($name, $line) = @_;

    my @words;

    while ($line =~ /\G\s*((?:[^\s"]|"[^"]*")+)/gc) {
        push @words, $1;
    }

    @words >= 4 or die "$name: not a case: \"$line\"\n";

    my %case = (line => $line, headers => []);

    @case{qw( method target credentials status )} = splice @words, 0, 4;

    for (@words) {
        my $quoted = /"/;

        tr/"//d;

        if (/\A\+(.*)\z/s) {
            push @{ $case{headers} }, $1;

        } elsif (/\A(op|key|user|auth|uri|notice|body|says)=(.*)\z/s) {
            $case{$1} = $2;

        } elsif (!$quoted && exists $challenge{$_}) {
            $case{reason} = $_;

        } else {
            die "$name: what is \"$_\" in \"$line\"?\n";
        }
    }

    $case{target} =~ tr/"//d;

    if ($case{credentials} =~ tr/"//d) {
        $case{authorization} = $case{credentials};
        $case{key} //= '-';

    } elsif ($case{credentials} ne '-') {
        $case{token} = $case{credentials};
        $case{authorization} = "Bearer $case{token}";
        $case{key} //= $case{token};

    } else {
        $case{key} //= '-';
    }

    return \%case;
}


sub expand_cases {
    my $block = shift;

    my @cases = map { parse($block->name, $_) }
        grep { /\S/ && !/\A\s*#/ } split /\n/, $block->cases;

    @cases or die $block->name . ": no cases\n";

    # Test::Nginx changes the name of a block, so that is no key to these

    $block->{npmtoken_cases} = \@cases;
    $block->{npmtoken_seen} = 0;

    my $more = $block->more_headers // '';

    $more =~ s/\n*\z/\n/ if length $more;

    $block->set_value('request', [
        map { "$_->{method} $_->{target}\n" } @cases ]);

    $block->set_value('error_code', [ map { $_->{status} } @cases ]);

    $block->set_value('more_headers', [
        map {
            join('', $more,
                 defined $_->{authorization}
                     ? "Authorization: $_->{authorization}\n" : (),
                 map { "$_\n" } @{ $_->{headers} });
        } @cases ]);
}


# Called for each answer, when its status has been looked at

sub check_case {
    my ($block, $response, $index) = @_;

    my $case = $block->{npmtoken_cases}[$index];

    my @wrong = $response ? wrong_answer($case, $response) : 'no answer';

    push @wrong, wrong_log($block, $case);

    Test::More::ok(!@wrong, $block->name . " - $case->{line}");
    Test::More::diag("    $_") for @wrong;
}


sub wrong_answer {
    my ($case, $response) = @_;

    my @wrong;

    my $body = $response->content // '';
    my $registry = ($response->header('X-Registry') // '') eq 'yes';
    my $expected = $case->{status} eq '200';

    if ($registry != $expected) {
        push @wrong, $registry ? 'the registry answered'
                               : 'it is not the registry that answered';
    }

    if ($case->{status} ne '200' && defined $case->{reason}) {
        push @wrong, wrong_denial($case, $response);
    }

    my $notice = $response->header('npm-notice') // '';

    if (defined $case->{notice}
        && ($case->{notice} eq '' ? $notice ne ''
                                  : $notice !~ /$case->{notice}/))
    {
        push @wrong, "npm-notice is \"$notice\"";
    }

    if (defined $case->{body} && $body !~ /$case->{body}/) {
        push @wrong, "the body is \"$body\"";
    }

    if (!$expected && defined $case->{token}) {
        my $all = $response->headers->as_string . $body;

        push @wrong, "the token is in \"$all\""
            if index($all, $case->{token}) >= 0;
    }

    return @wrong, wrong_echo($case, $body);
}


# what the registry saw, which is what its answer says

sub wrong_echo {
    my ($case, $body) = @_;

    my %expected;

    $expected{'X-Npm-User'} = $case->{user} if defined $case->{user};

    if (defined $case->{auth}) {
        $expected{Authorization} = $case->{auth} eq 'sent'
            ? $case->{authorization} : $case->{auth};
    }

    my @wrong = map {
        my ($got) = $body =~ /^\Q$_\E: (.*)$/m;

        defined $got && $got eq $expected{$_} ? ()
            : "the registry saw $_ \"" . ($got // '(no answer)') . '"';
    } sort keys %expected;

    if (defined $case->{uri}
        && $body !~ /\A\Q$case->{method} $case->{uri}\E\n/)
    {
        push @wrong, "the registry saw \"$body\"";
    }

    return @wrong;
}


sub wrong_denial {
    my ($case, $response) = @_;

    my @wrong;

    my $reason = $case->{reason};
    my $status = $status{$reason} // 401;

    push @wrong, "$reason has the status $status" if $case->{status} != $status;

    my %expected = (
        'Content-Type'     => 'application/json',
        'Cache-Control'    => 'no-store',
        'WWW-Authenticate' => $challenge{$reason},
        'Retry-After'      => $status == 503 ? '1' : '',
    );

    for my $name (sort keys %expected) {
        my @values = $response->header($name);

        push @wrong, "$name is \"@values\""
            if "@values" ne $expected{$name};
    }

    my @notices = $response->header('npm-notice');
    my $body = $response->content // '';

    if ($case->{method} eq 'HEAD') {
        push @wrong, "HEAD has a body: \"$body\"" if $body ne '';

        return @wrong;
    }

    # what stands between the quotes needs no escaping

    my ($error) = $body
        =~ /\A\{"error":"([\x20-\x7e]+)","reason":"$reason"\}\n\z/;

    if (!defined $error || $error =~ /["\\]/) {
        push @wrong, "the body is \"$body\"";

    } elsif ("@notices" ne ($status == 401 ? $error : '')) {
        push @wrong, "npm-notice is \"@notices\"";
    }

    if (defined $case->{says}) {
        my $says = $case->{says};

        $says =~ s/%T/short_key($case->{key})/e;

        push @wrong, "it says \"$error\"" if ($error // '') ne $says;
    }

    return @wrong;
}


sub wrong_log {
    my ($block, $case) = @_;

    my @wrong;

    my $log = read_file($Test::Nginx::Util::ErrLogFile);
    my $new = substr $log, $block->{npmtoken_seen};

    $block->{npmtoken_seen} = length $log;

    my @lines = $new =~ /^.*npmtoken denied.*$/mg;

    if (!defined $case->{reason}) {
        push @wrong, "a denial is logged: $lines[0]" if @lines;

    } else {
        my $dry_run = $case->{status} eq '200' ? ', dry run' : '';
        my $key = $case->{key} eq '-' ? '-' : short_key($case->{key});
        my $op = $case->{op} // '(?:read|write|logout)';

        # nginx says what it was about, if it had asked another server before
        my $while = '(?: while [a-z ]+)?';

        push @wrong, "logged is \"@lines\""
            if @lines != 1
               || $lines[0] !~ /npmtoken denied$dry_run: $case->{reason}, /
               || $lines[0] !~ /, key: $key, operation: $op$while, client: /;
    }

    # nginx's own words at level info, before a module sees the request
    $new =~ s/^.*client sent duplicate header line.*$//mg;

    for my $token (grep { defined } map { $_->{token} }
                   @{ $block->{npmtoken_cases} })
    {
        push @wrong, "the token $token is in the error log"
            if $new =~ /(?<!\w)\Q$token\E(?!\w)/;
    }

    return @wrong;
}


# Called when all of a block has been asked

sub check_lines {
    my ($block, $root) = @_;

    for (
        [ scalar $block->registry_lines, 'registry.log',
          'what the registry saw' ],
        [ scalar $block->test_lines, 'test.log', 'what was logged' ],
    ) {
        my ($expected, $file, $what) = @$_;

        next if !defined $expected;

        $expected =~ s/\n*\z/\n/ if length $expected;

        eval {
            wait_for {
                length read_file("$root/logs/$file") >= length $expected;
            } $what, 5;
        };

        Test::More::is(read_file("$root/logs/$file"), $expected,
                       $block->name . " - $what");
    }
}


1;
