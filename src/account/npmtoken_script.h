
/*
 * Changes in Redis.  Each change is one script, so Redis makes all of it or
 * nothing.  Redis may refuse a change because it is full or a replica, because
 * its user lacks a right, or because a key has another type.  It does so before
 * anything is written.  A full Redis does not refuse a change that takes a
 * right away or uses up a one-time password.
 *
 * A caller judges before it makes a change.  A slow hash may come between the
 * two, and meanwhile a password, a lock, a second factor or a token may change.
 * So the caller passes what it saw (user_seen, bearer_seen), and the script
 * compares it again.
 *
 * In a Redis Cluster, a node that moves a slot refuses a script (TRYAGAIN) of
 * which it has some keys and others not.  So a script that reads keys which
 * KEYS does not name gets, behind its other keys, one that never exists: token:
 * and "none".  Otherwise a key that is at the other node would look absent.
 *
 * The keys are token:KEY, user:NAME and tokens-of:NAME, after the prefix of the
 * store.  NAME is folded (npmtoken_account_fold).  Each script returns a status
 * unless it says otherwise, or an error reply of Redis.  Times are in seconds
 * since the epoch.
 */


#ifndef _NPMTOKEN_SCRIPT_H_INCLUDED_
#define _NPMTOKEN_SCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_record.h"


/*
 * A change, and the arguments of its script.  The comment of each script names
 * the members that it needs; set the others to zero.  The caller owns the texts
 * and "argv"; the change only points to them.
 */

typedef struct {
    ngx_str_t             token;         /* token:KEY */
    ngx_str_t             tokens;        /* tokens-of:NAME */
    ngx_str_t             user;          /* user:NAME */
    ngx_str_t             bearer;        /* token:KEY of the token that asks;
                                            empty: no token asks */
    ngx_str_t             user_seen;     /* npmtoken_script_seen() of "user" */
    ngx_str_t             bearer_seen;   /* and of "bearer"; empty: do not
                                            compare */

    ngx_str_t             key;           /* KEY of "token" */
    ngx_str_t             prefix;        /* of the keys of all tokens,
                                            including "token:" */
    ngx_str_t             name;
    ngx_str_t             created;       /* now, ISO 8601 */
    time_t                now;
    ngx_uint_t            limit;         /* most tokens of an account;
                                            0: no limit */
    ngx_msec_t            ttl;           /* milliseconds that a session lives
                                            unused; 0: it is a token */
    unsigned              spend:1;       /* "bearer" is a request for a token:
                                            see npmtoken_script_take */
    unsigned              self:1;
    unsigned              make:1;

    npmtoken_field_t     *account;       /* fields of the account to set */
    ngx_uint_t            naccount;
    ngx_str_t            *delete;        /* fields of the account to delete */
    ngx_uint_t            ndelete;
    npmtoken_field_t     *record;
    ngx_uint_t            nrecord;

    /* written by the functions below */

    ngx_str_t            *script;
    ngx_str_t            *argv;          /* number of keys, keys, arguments;
                                            npmtoken_script_room() of them */
    ngx_uint_t            argc;
    u_char                numbers[4][NGX_INT64_LEN];
    ngx_uint_t            nnumbers;
} npmtoken_change_t;


#define npmtoken_script_room(change)                                          \
    (16 + 2 * ((change)->naccount + (change)->nrecord) + (change)->ndelete)


/*
 * Writes what was seen of a hash to "buf", and returns its length.  If "buf" is
 * NULL, returns only the length.  "names" ends with an empty name: the script
 * compares these fields, present or absent.  If "names" is NULL, the script
 * compares all fields, and there must be no other.
 */
size_t npmtoken_script_seen(u_char *buf, npmtoken_field_t *fields,
    ngx_uint_t nfields, ngx_str_t *names);


/*
 * Creates a token.  Needs token, tokens, user, key, prefix, limit, now,
 * created, record, and in "name" the account's name as its owner spells it.
 *   KEYS  token:KEY, tokens-of:NAME, user:NAME [, token:KEY of the bearer]
 *   ARGV  user_seen, bearer_seen, key, prefix, limit, now, name, created,
 *         then field, value, ... of the record
 * Returns "OK"; "EXISTS" if the key is there already; "LIMIT" if the account
 * has too many tokens; "CHANGED" if the account has changed or has another
 * spelling; "DENIED" if the bearer's token has changed.
 *
 * If the name has no account, the script creates one without a password, so
 * that the name is taken and has one spelling.  It does not if "name" is empty.
 * If the set is full, members whose record is gone, or expired a day ago, are
 * removed.  The records stay, since an absent record may mean unrestricted.  If
 * the bearer's key has a TTL and is not a session's, the new record expires no
 * later.
 */
extern ngx_str_t  npmtoken_script_create;
void npmtoken_script_create_args(npmtoken_change_t *change);

/*
 * Creates an account.  Needs user, name, account.  With a first token it also
 * needs token, tokens, key, record.
 *   KEYS  user:NAME [, token:KEY, tokens-of:NAME]
 *   ARGV  name, number of arguments of the account, its field, value, ...,
 *         then key, field, value, ... of the record
 * Returns "OK"; or "EXISTS" if the account or the key is there, or the name has
 * tokens already.  These tokens belong to somebody, so nobody else can sign up
 * with that name.  Without a first token an operator makes the account: the
 * script ignores the set, and fills in an account that has only a name.
 */
extern ngx_str_t  npmtoken_script_signup;
void npmtoken_script_signup_args(npmtoken_change_t *change);

/*
 * Revokes a token of an account.  Needs token, tokens, key, and in "name" the
 * folded name, or "" if the record has no name.  With a bearer it also needs
 * user.
 *   KEYS  token:KEY, tokens-of:NAME [, user:NAME, token:KEY of the bearer]
 *   ARGV  user_seen, bearer_seen, key, name, now or "", "self" or ""
 *
 * With "" for "now" the script deletes the record.  With a time it keeps the
 * record and marks it as revoked: use this if an absent record means
 * unrestricted.  It then removes the TTL, so that the record never expires.
 * "self" means that the token asks for its own end.
 *
 * Returns "OK"; "NONE" if the account has no such token, or it was revoked
 * before; "PROTECTED" if the token is protected and "self" is given; "CHANGED"
 * and "DENIED" as above.
 */
extern ngx_str_t  npmtoken_script_revoke;
void npmtoken_script_revoke_args(npmtoken_change_t *change);

/*
 * Returns a page of the tokens of an account, newest first.
 *   KEYS  tokens-of:NAME, the key that never exists
 *   ARGV  prefix of the tokens' keys, NAME, how many are before the page, how
 *         many may be on it, how many bytes it may have, and how many a record,
 *         then "sessions" for sessions of the page, or nothing for the rest
 * Returns an array: how many tokens there are in all, then KEY and an array of
 * field, value, ... for each token on the page.  The page is shorter if its
 * keys, fields and values have too many bytes, but has at least one token.
 * Fields that begin with "x_" are left out.  Of a record that is too large,
 * only a few short fields are returned.  A record that is gone, revoked,
 * somebody else's, or no hash is not counted.  NAME need not be folded.
 */
extern ngx_str_t  npmtoken_script_list;

/*
 * Finds a token of an account by its key or by the beginning of its key.
 *   KEYS  tokens-of:NAME, the key that never exists
 *   ARGV  prefix of the tokens' keys, NAME, a KEY, the beginning of a KEY or ""
 * Returns an array.  It has only the given KEY if that exists, else up to two
 * keys with the given beginning.  Tokens that npmtoken_script_list does not
 * count are not found.
 */
extern ngx_str_t  npmtoken_script_find;

/*
 * Changes an account.  Needs user, account, delete.
 *   KEYS  user:NAME [, token:KEY of the bearer]
 *   ARGV  user_seen, bearer_seen, "make", number of arguments to set, field,
 *         value, ..., then fields to delete
 * Returns "OK"; "CHANGED" if the account has changed or is gone, or if it
 * exists and "make" is given; "DENIED" as above.
 */
extern ngx_str_t  npmtoken_script_account;
void npmtoken_script_account_args(npmtoken_change_t *change);

/*
 * Uses up a one-time password, once across all nodes, or counts a wrong one.
 *   KEYS  user:NAME [, tries:...: the tally]
 *   ARGV  "totp", step: it has to be later than the last step used; or
 *         "recovery", hash: it has to be there, and is removed; or
 *         "wrong", "": the password is neither,
 *         the key of a token that may use this step again, or "",
 *         how many wrong ones in a row cause a wait, and the first wait in
 *         milliseconds (both are read only with a tally),
 *         then user_seen, or nothing
 * The wait doubles after each further series of wrong ones, up to a day.  A
 * right one resets it.
 *
 * Returns "OK"; "WRONG", which is counted if there is a tally; "WAIT N" if no
 * password is checked for N seconds; or "USED", which is not counted.  "USED"
 * means that the password was right but is used up, that the account has no
 * second factor any more, or that the account has changed.
 */
extern ngx_str_t  npmtoken_script_otp;

/*
 * Reads the record of a token and the TTL of its key.
 *   KEYS  token:KEY
 * Returns an array of the replies to PTTL and HGETALL.
 */
extern ngx_str_t  npmtoken_script_bearer;

/*
 * Looks for names in a page of all keys.
 *   KEYS  any key of the store, the key that never exists
 *   ARGV  prefix of the store, cursor of SCAN, keys a page, folded names
 * Returns an array of three: the next cursor; an array of the names that an
 * account, a set of tokens or a record uses, in any spelling; and an array of
 * the names of accounts whose key is not folded.
 */
extern ngx_str_t  npmtoken_script_walk;

/*
 * Moves an account and its set of tokens, or the set alone, to the folded name.
 * Older releases made keys of names that were not folded.
 *   KEYS  user:NAME, user: and the folded NAME, tokens-of: of both
 *   ARGV  NAME
 * Returns "OK"; or "EXISTS" if the folded name has an account too.
 */
extern ngx_str_t  npmtoken_script_fold;

/*
 * Takes a place for a login attempt.
 *   KEYS  tries:...: the tallies in which it counts
 *   ARGV  the id of the attempt, how many milliseconds it keeps its place while
 *         it is checked (0: it counts as failed at once), how many milliseconds
 *         a failed one counts, then the limit of each tally
 * Returns "OK" if it has a place in each tally; "WAIT N" if failed attempts
 * take all places for N seconds; "BUSY" if there is no place now, but there
 * will be one if an attempt being checked succeeds.  Only "OK" changes
 * anything.  A tally has no more members than its limit, and expires with the
 * last of them.
 */
extern ngx_str_t  npmtoken_script_begin;

/*
 * Ends an attempt.
 *   KEYS  as for npmtoken_script_begin
 *   ARGV  its id, how many milliseconds it counts as failed (0: it has not
 *         failed)
 * Returns "OK".
 */
extern ngx_str_t  npmtoken_script_end;

/*
 * Replaces the hash of a password by a new hash of the same password.
 *   KEYS  user:NAME
 *   ARGV  the present hash, the new one
 * Returns "OK"; or "CHANGED" if the account has another hash, or none.
 */
extern ngx_str_t  npmtoken_script_rehash;


#endif /* _NPMTOKEN_SCRIPT_H_INCLUDED_ */
