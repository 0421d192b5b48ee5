# What is on record, as it stands in a real Redis: fields, their forms, keys
# that expire, keys of another type, changes.

use strict;
use warnings;

use lib 't/lib';
use NpmToken;

our $location = <<'_EOC_';
    location / {
        npmtoken main;
        npmtoken_identity X-Npm-User;
        proxy_pass http://registry;
    }
_EOC_

our $soon = time + 3600;

# all that is printable, but for the quotes that a case would take for its own
our $odd = '!#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

# changes between two requests of a block: a line "N: CODE" of the section
# "then" is evaluated after request N

add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    my $then = $block->then or return;

    if ($then =~ /^$index: (.*)$/m) {
        eval "$1; 1" or die $@;
    }
});

run_tests();

__DATA__

=== TEST 1: every field that is known, and those of the operator's own
--- tokens
npm_full  user=alice readonly=false cidr_whitelist=127.0.0.1 expires_at=99999999999 created=2026-01-02T03:04:05.678Z updated=2026-01-02T03:04:05.678Z name="a label, with blanks" token=npm_fu protected=false x_ticket=OPS-1 "x_any thing=at all"
npm_flags user=alice readonly=0 protected=0
npm_x     x_=1
--- config eval: $::location
--- cases
PUT  /pkg  npm_full   200  user=alice auth=""
PUT  /pkg  npm_flags  200  user=alice auth=""
GET  /pkg  npm_x      403  bad_record



=== TEST 2: a record without a user
--- tokens
npm_none  readonly=false
--- config eval: $::location
--- cases
PUT  /pkg  npm_none  200  user="" auth=""



=== TEST 3: fields that are not known
--- tokens
npm_1  user=alice cidr=127.0.0.1
npm_2  user=alice read_only=true
npm_3  user=alice read-only=true
npm_4  user=alice Readonly=true
npm_5  user=alice READONLY=true
npm_6  user=alice cidrWhitelist=127.0.0.1
npm_7  user=alice expires=1
npm_8  user=alice expiresAt=1
npm_9  user=alice revoked=true
npm_a  user=alice email=alice
npm_b  user=alice X_own=1
npm_c  user=alice x-own=1
npm_d  user=alice xown=1
npm_e  user=alice "user =alice"
--- config eval: $::location
--- cases
GET  /pkg  npm_1  403 bad_record
GET  /pkg  npm_2  403 bad_record
GET  /pkg  npm_3  403 bad_record
GET  /pkg  npm_4  403 bad_record
GET  /pkg  npm_5  403 bad_record
GET  /pkg  npm_6  403 bad_record
GET  /pkg  npm_7  403 bad_record
GET  /pkg  npm_8  403 bad_record
GET  /pkg  npm_9  403 bad_record
GET  /pkg  npm_a  403 bad_record
GET  /pkg  npm_b  403 bad_record
GET  /pkg  npm_c  403 bad_record
GET  /pkg  npm_d  403 bad_record
GET  /pkg  npm_e  403 bad_record



=== TEST 4: values that do not parse
--- tokens
npm_1  user=alice readonly=TRUE
npm_2  user=alice readonly=yes
npm_3  user=alice readonly=
npm_4  user=alice readonly=2
npm_5  user=alice protected=no
npm_6  user=alice expires_at=never
npm_7  user=alice expires_at=-1
npm_8  user=alice expires_at=
npm_9  user=alice expires_at=1e9
npm_a  user=alice expires_at=1893456000000
npm_b  user=alice expires_at=2030-01-01T00:00:00Z
npm_c  user=alice revoked_at=no
npm_d  user=alice created=yesterday
npm_e  user=alice updated=2026-13-01T00:00:00.000Z
npm_f  user=
npm_g  user=alice token="npm full"
npm_h  user=alice expires_at="99999999999 "
--- config eval: $::location
--- cases
GET  /pkg  npm_1  403 bad_record
GET  /pkg  npm_2  403 bad_record
GET  /pkg  npm_3  403 bad_record
GET  /pkg  npm_4  403 bad_record
GET  /pkg  npm_5  403 bad_record
GET  /pkg  npm_6  403 bad_record
GET  /pkg  npm_7  403 bad_record
GET  /pkg  npm_8  403 bad_record
GET  /pkg  npm_9  403 bad_record
GET  /pkg  npm_a  403 bad_record
GET  /pkg  npm_b  403 bad_record
GET  /pkg  npm_c  403 bad_record
GET  /pkg  npm_d  403 bad_record
GET  /pkg  npm_e  403 bad_record
GET  /pkg  npm_f  403 bad_record
GET  /pkg  npm_g  403 bad_record
GET  /pkg  npm_h  403 bad_record



=== TEST 5: a user with a blank
--- tokens
npm_blank  user="alice root"
npm_lead   user=" alice"
npm_trail  user="alice "
--- config eval: $::location
--- cases
GET  /pkg  npm_blank  403 bad_record
GET  /pkg  npm_lead   403 bad_record
GET  /pkg  npm_trail  403 bad_record
--- error_log
field "user"
--- no_error_log
root
--- registry_lines



=== TEST 6: a user with a line break: nothing is injected, nothing is logged
--- init
put_token('npm_crlf', user => "alice\r\nX-Npm-User: root");
put_token('npm_lf', user => "alice\nX-Npm-Groups: admin");
put_token('npm_cr', user => "alice\rX");
put_token('npm_nul', user => "alice\0X");
put_token('npm_tab', user => "alice\tX");
put_token('npm_del', user => "alice\x7f");
put_token('npm_utf8', user => "ali\xc3\xa9");
--- config eval: $::location
--- cases
GET  /pkg  npm_crlf  403 bad_record
GET  /pkg  npm_lf    403 bad_record
GET  /pkg  npm_cr    403 bad_record
GET  /pkg  npm_nul   403 bad_record
GET  /pkg  npm_tab   403 bad_record
GET  /pkg  npm_del   403 bad_record
GET  /pkg  npm_utf8  403 bad_record
--- no_error_log
root
admin
--- registry_lines



=== TEST 7: a field with a line break in its name: the log keeps its lines
--- init
put_token('npm_full', "x\n[alert] all is lost" => 1);
put_token('npm_long', 'y' x 200 => 1);
--- config eval: $::location
--- cases
GET  /pkg  npm_full  403 bad_record
GET  /pkg  npm_long  403 bad_record
--- error_log eval
[qr/bad record of key [0-9a-f]{8}, field "\(unprintable\)"/,
 qr/bad record of key [0-9a-f]{8}, field "y{64}"/]
--- no_error_log
all is lost



=== TEST 8: users of 1 and of 214 bytes, and of 215
--- init
put_token('npm_1', user => 'a');
put_token('npm_214', user => 'a' x 214);
put_token('npm_215', user => 'a' x 215);
put_token('npm_odd', user => $::odd);
--- config eval: $::location
--- cases eval
"GET  /pkg  npm_1    200 user=a
GET  /pkg  npm_214  200 user=" . 'a' x 214 . "
GET  /pkg  npm_215  403 bad_record
GET  /pkg  npm_odd  200 user=$::odd
"



=== TEST 9: a key of another type
--- init
my $key = 'npmtoken:token:';
redis('SET', $key . token_key('npm_string'), 'true');
redis('RPUSH', $key . token_key('npm_list'), 'user', 'alice');
redis('SADD', $key . token_key('npm_set'), 'user');
--- config eval: $::location
--- cases
GET     /pkg                         npm_string  403 bad_record
GET     /pkg                         npm_list    403 bad_record
PUT     /pkg                         npm_set     403 bad_record
DELETE  /-/user/token/npm_string     npm_string  403 bad_record
--- error_log eval
qr/npmtoken_store "main": bad record of key [0-9a-f]{8}, by the type/



=== TEST 10: a key that is in the way with npmtoken_unknown pass
--- init
redis('SET', 'npmtoken:token:' . token_key('npm_string'), 'true');
--- config
    location / {
        npmtoken main;
        npmtoken_unknown pass;
        proxy_pass http://registry;
    }
--- cases
GET  /pkg  npm_string  403 bad_record



=== TEST 11: a record that is too large
--- init
put_token('npm_large', x_large => 'x' x 200000);
put_token('npm_fits', x_large => 'x' x 60000, user => 'alice');
--- config eval: $::location
--- cases
GET  /pkg  npm_large  403 bad_record
GET  /pkg  npm_fits   200 user=alice
GET  /pkg  npm_large  403 bad_record
--- error_log
by the size



=== TEST 12: expires_at, to the second
--- tokens eval
"npm_past    expires_at=" . (time - 1) . "
npm_now     expires_at=" . time . "
npm_future  expires_at=$::soon user=alice
npm_max     expires_at=253402300799 user=alice
npm_over    expires_at=253402300800
"
--- config eval: $::location
--- cases
GET  /pkg  npm_past    401 expired
GET  /pkg  npm_now     401 expired
GET  /pkg  npm_future  200 user=alice
GET  /pkg  npm_max     200 user=alice
GET  /pkg  npm_over    403 bad_record



=== TEST 13: a key with a TTL: as long as it lasts
--- tokens
npm_key    user=alice
npm_brief  user=alice
--- init
redis('EXPIRE', 'npmtoken:token:' . token_key('npm_key'), 1000);
--- config eval: $::location
--- then
1: redis('PEXPIRE', 'npmtoken:token:' . token_key('npm_brief'), 1); wait_for { !redis('EXISTS', 'npmtoken:token:' . token_key('npm_brief')) } 'the end of a key';
--- cases
GET  /pkg  npm_key    200 user=alice notice="expires on"
GET  /pkg  npm_brief  200 user=alice notice=""
GET  /pkg  npm_brief  401 unknown
GET  /pkg  npm_key    200



=== TEST 14: a record is changed, revoked, deleted, and made again
--- tokens
npm_full  user=alice
--- config eval: $::location
--- then
0: redis('HSET', 'npmtoken:token:' . token_key('npm_full'), 'readonly', 'true');
1: redis('HDEL', 'npmtoken:token:' . token_key('npm_full'), 'readonly');
2: redis('HSET', 'npmtoken:token:' . token_key('npm_full'), 'revoked_at', time);
3: del_token('npm_full');
4: put_token('npm_full', user => 'bob');
--- cases
PUT  /pkg  npm_full  200 user=alice
PUT  /pkg  npm_full  403 readonly
PUT  /pkg  npm_full  200 user=alice
PUT  /pkg  npm_full  401 revoked
PUT  /pkg  npm_full  401 unknown
PUT  /pkg  npm_full  200 user=bob



=== TEST 15: the key is the SHA-512 of the token, in lower case
--- init
redis('HSET', 'npmtoken:token:' . token_key('npm_full'), 'user', 'alice');
redis('HSET', 'npmtoken:token:' . uc token_key('npm_upper'), 'user', 'alice');
redis('HSET', 'npmtoken:token:npm_plain', 'user', 'alice');
redis('HSET', 'npmtoken:token:' . substr(token_key('npm_short'), 0, 32), 'user', 'alice');
redis('HSET', token_key('npm_naked'), 'user', 'alice');
--- config eval: $::location
--- cases
GET  /pkg  npm_full   200 user=alice
GET  /pkg  npm_upper  401 unknown
GET  /pkg  npm_plain  401 unknown
GET  /pkg  npm_short  401 unknown
GET  /pkg  npm_naked  401 unknown



=== TEST 16: tokens of every form that RFC 6750 has
--- tokens
abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/  user=alphabet
dG9r==                                                                user=base64
z                                                                     user=one
00000000-0000-0000-0000-000000000000                                  user=uuid
eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln                             user=jwt
--- config eval: $::location
--- cases
GET  /pkg  abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/  200 user=alphabet
GET  /pkg  dG9r==                                     200 user=base64
GET  /pkg  dG9r=                                      401 unknown
GET  /pkg  dG9r                                       401 unknown
GET  /pkg  z                                          200 user=one
GET  /pkg  00000000-0000-0000-0000-000000000000       200 user=uuid
GET  /pkg  eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln  200 user=jwt
GET  /pkg  "bearer z"                                 200 user=one
GET  /pkg  "BEARER   z"                               200 user=one
