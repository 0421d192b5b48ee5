
/*
 * What is changed in Redis: each change one script, hence all of it or
 * nothing.  Whatever Redis may refuse (it is full, a replica, has no right
 * for that user, or a key is of another type) it refuses before anything was
 * done.  What takes a right away or uses a one-time password up is not
 * refused by a Redis that is full.
 *
 * What a change rests on is handed along and compared again by the script
 * (user_seen, bearer_seen): between a judgement and the change there may be a
 * slow hash, and a password, a lock, a second factor or a token that is
 * changed meanwhile.
 *
 * Keys, behind the prefix of the store: token:KEY, user:NAME, tokens-of:NAME;
 * a NAME in these is folded (npmtoken_account_fold).  Each script returns a
 * status, or an error reply of Redis.  Times are in seconds since the epoch.
 */


#ifndef _NPMTOKEN_SCRIPT_H_INCLUDED_
#define _NPMTOKEN_SCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_record.h"


/*
 * A change: what it is about, and the arguments of its script.  What a script
 * needs of it is said there; the rest is zero.  The texts and "argv" are the
 * caller's, and are only pointed to.
 */

typedef struct {
    ngx_str_t             token;         /* token:KEY */
    ngx_str_t             tokens;        /* tokens-of:NAME */
    ngx_str_t             user;          /* user:NAME */
    ngx_str_t             bearer;        /* token:KEY of the token that asks;
                                            empty: none does */
    ngx_str_t             user_seen;     /* npmtoken_script_seen() of these; */
    ngx_str_t             bearer_seen;   /* empty: nothing was judged */

    ngx_str_t             key;           /* KEY of "token" */
    ngx_str_t             prefix;        /* of all keys of tokens, "token:" */
    ngx_str_t             name;
    ngx_str_t             created;       /* now, ISO 8601 */
    time_t                now;
    ngx_uint_t            limit;         /* most tokens of an account; 0: any */
    unsigned              self:1;
    unsigned              make:1;

    npmtoken_field_t     *account;       /* what is set of the account */
    ngx_uint_t            naccount;
    ngx_str_t            *delete;        /* what is deleted of it */
    ngx_uint_t            ndelete;
    npmtoken_field_t     *record;
    ngx_uint_t            nrecord;

    /* what the functions below write */

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
 * Writes what was seen of a hash to "buf", and returns its length; with NULL
 * for "buf" the length alone.  "names", up to an empty one: these fields
 * decide, be they there or not; NULL: all do, and there must be no other.
 */
size_t npmtoken_script_seen(u_char *buf, npmtoken_field_t *fields,
    ngx_uint_t nfields, ngx_str_t *names);


/*
 * A new token: of token, tokens, user, key, prefix, limit, now, created,
 * record; name: the account's as it is spelt.
 *   KEYS  token:KEY, tokens-of:NAME, user:NAME [, token:KEY of the bearer]
 *   ARGV  user_seen, bearer_seen, key, prefix, limit, now, name, created,
 *         then field, value, ... of the record
 * "OK"; "EXISTS": there is such a key; "LIMIT": the account has too many;
 * "CHANGED": the account is not what was judged, or is spelt in another way;
 * "DENIED": the bearer's token is not what was judged.
 *
 * A name that had no account has one from then on, without a password, so
 * that it is taken and has one spelling; not where "name" is empty.  Members
 * of the set whose record is gone, or expired a day ago, make room (the record
 * itself stays: its absence might mean more than that).  Where the bearer's
 * key has a TTL the record expires no later.
 */
extern ngx_str_t  npmtoken_script_create;
void npmtoken_script_create_args(npmtoken_change_t *change);

/*
 * A new account: of user, name, account; with its first token: of token,
 * tokens, key, record.
 *   KEYS  user:NAME [, token:KEY, tokens-of:NAME]
 *   ARGV  name, number of arguments of the account, its field, value, ...,
 *         then key, field, value, ... of the record
 * "OK"; "EXISTS": there is such an account, or such a key, or the name has
 * tokens already: they were given to somebody, so whoever signs up does not
 * get that name.  Without a token a set is not looked at, and an account that
 * only has a name is filled in (the operator gives an account to a name).
 */
extern ngx_str_t  npmtoken_script_signup;
void npmtoken_script_signup_args(npmtoken_change_t *change);

/*
 * Revokes a token of an account: of token, tokens, key; name: the folded one
 * ("": the record has no name); user, too, where there is a bearer.
 *   KEYS  token:KEY, tokens-of:NAME [, user:NAME, token:KEY of the bearer]
 *   ARGV  user_seen, bearer_seen, key, name, now or "": with a time the
 *         record stays and says so (needed where absence means unrestricted),
 *         without end, since a record that ends is absent; else it is deleted;
 *         "self": its own bearer asks
 * "OK"; "NONE": the account has no such token, or it was revoked before;
 * "PROTECTED": it is one, and its own bearer asked; "CHANGED", "DENIED": as
 * above.
 */
extern ngx_str_t  npmtoken_script_revoke;
void npmtoken_script_revoke_args(npmtoken_change_t *change);

/*
 * A page of the tokens of an account, those first that were made last.
 *   KEYS  tokens-of:NAME
 *   ARGV  prefix of the tokens' keys, NAME, how many are before the page, how
 *         many may be on it, how many bytes it may have, and how many a record
 * An array: how many there are in all, then KEY, (array of field, value, ...)
 * of each on the page.  It has fewer where their bytes (keys, fields, values)
 * are too many, though at least one; fields that begin with "x_" are left out,
 * and of a larger record all but a few short ones.  A record that is gone,
 * revoked, of somebody else, or no hash is not counted.  NAME is in any case.
 */
extern ngx_str_t  npmtoken_script_list;

/*
 * The tokens of an account that somebody may mean.
 *   KEYS  tokens-of:NAME
 *   ARGV  prefix of the tokens' keys, NAME, a KEY, the beginning of one or ""
 * An array of that KEY alone, if it is there; else of those that begin so, but
 * of no more than two.  What npmtoken_script_list does not count is not there.
 */
extern ngx_str_t  npmtoken_script_find;

/*
 * Changes an account: of user, account, delete.
 *   KEYS  user:NAME [, token:KEY of the bearer]
 *   ARGV  user_seen, bearer_seen, "make", number of arguments to set, field,
 *         value, ..., then fields to delete
 * "OK"; "CHANGED": it is not what was judged, or is gone, or with "make" it is
 * there; "DENIED": as above.
 */
extern ngx_str_t  npmtoken_script_account;
void npmtoken_script_account_args(npmtoken_change_t *change);

/*
 * Uses a one-time password, on all nodes only once; and counts those that are
 * wrong.
 *   KEYS  user:NAME [, tries:...: the tally]
 *   ARGV  "totp", step: the last step used has to be before it; or
 *         "recovery", hash: it has to be there, and is taken out; or
 *         "wrong", "": it is none of these,
 *         the key of a token that may use this step again, or "",
 *         how many may be wrong in a row, and for how many milliseconds there
 *         is no other one then.  The wait doubles, each time that so many more
 *         were wrong, up to a day; a right one ends that.  (These two are
 *         read where there is a tally.)
 *         Then user_seen, or nothing.
 * "OK"; "USED": it was right, and is used up, which does not count, or the
 * account has no second factor any more, or has changed; "WRONG": that has
 * been counted;
 * "WAIT N": for N seconds none is looked at.
 */
extern ngx_str_t  npmtoken_script_otp;

/*
 * The record of a token, and for how long its key is there.
 *   KEYS  token:KEY
 * An array of the reply to PTTL, and that to HGETALL.
 */
extern ngx_str_t  npmtoken_script_bearer;

/*
 * A page of all keys: is a name known to anything?
 *   KEYS  any key of the store
 *   ARGV  prefix of the store, cursor of SCAN, keys a page, folded names
 * An array of the next cursor; an array of those of the names that an account,
 * a set of tokens or a record has, however it spells them; and an array of
 * those that an account has whose key is not folded.
 */
extern ngx_str_t  npmtoken_script_walk;

/*
 * Moves an account whose key was made before names were folded, or its set of
 * tokens alone.
 *   KEYS  user:NAME, user: and the folded NAME, tokens-of: of both
 *   ARGV  NAME
 * "OK"; "EXISTS": there is an account with the folded name, too.
 */
extern ngx_str_t  npmtoken_script_fold;

/*
 * Takes a place for an attempt to prove who one is.
 *   KEYS  tries:...: the tallies in which it counts
 *   ARGV  an id of the attempt, for how many milliseconds its place is kept
 *         while it is checked (0: it counts at once), for how many a failed
 *         one counts, then the limit of each tally
 * "OK": it has one, in all of them; "WAIT N": so many have failed that there
 * is none for N seconds; "BUSY": there is none now, but if those that are
 * being checked succeed there will be.  Only "OK" changes anything.  A tally
 * has no more members than its limit, and ends with the last of them.
 */
extern ngx_str_t  npmtoken_script_begin;

/*
 * Ends an attempt.
 *   KEYS  as for the beginning
 *   ARGV  its id, for how many milliseconds it counts as a failed one (0: it
 *         is none)
 * "OK"
 */
extern ngx_str_t  npmtoken_script_end;

/*
 * Replaces the hash of a password by another of the same password.
 *   KEYS  user:NAME
 *   ARGV  the hash that has to be there, the other one
 * "OK"; "CHANGED": it is not there.
 */
extern ngx_str_t  npmtoken_script_rehash;


#endif /* _NPMTOKEN_SCRIPT_H_INCLUDED_ */
