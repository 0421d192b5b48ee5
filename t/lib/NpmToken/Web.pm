package NpmToken::Web;

# A browser that has the page open, as far as the server sees it: it sends the
# cookie that it was given and says that it asks for the same origin.
#
#     my $web = NpmToken::Web->new($api);            # or base => '/npm/'
#
#     my $r = $web->post('login', { name => 'alice', password => '...' },
#                        'npm-otp' => '123456');
#     my $r = $web->get('tokens?perPage=100');
#     $web->login('alice', '...');                   # dies if that fails
#     $web->cookie;                                  # its value, or undef
#
# Headers with the value undef are not sent.  The answer is that of
# NpmToken::Api; the cookie is one of its secrets.

use strict;
use warnings;

use Carp qw( croak );

use NpmToken::Api qw( secret );


sub new {
    my ($class, $api, %options) = @_;

    return bless { api => $api, base => '/', %options }, $class;
}


sub cookie {
    my $self = shift;

    $self->{cookie} = shift if @_;

    return $self->{cookie};
}


sub get {
    my ($self, $path, %headers) = @_;

    return $self->send('GET', $path, undef, %headers);
}


sub post {
    my ($self, $path, $body, %headers) = @_;

    return $self->send('POST', $path, $body // {}, %headers);
}


sub send {
    my ($self, $method, $path, $body, %headers) = @_;

    %headers = ('Sec-Fetch-Site' => 'same-origin',
                defined $self->{cookie}
                    ? (Cookie => "__Host-npmtoken=$self->{cookie}") : (),
                %headers);

    delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;

    my $r = $self->{api}->call($method, "$self->{base}-/npmtoken/api/$path",
                               undef, $body, %headers);

    for ($r->{headers}{'set-cookie'} // ()) {
        /\A__Host-npmtoken=([^;]*)/ or next;

        $self->{cookie} = length $1 ? secret($1) : undef;
    }

    return $r;
}


sub login {
    my ($self, $name, $password, %headers) = @_;

    my $r = $self->post('login', { name => $name, password => $password },
                        %headers);

    $r->{status} == 200
        or croak "no login of $name to the page: $r->{status} $r->{body}";

    return $r;
}


1;
