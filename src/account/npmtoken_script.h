
/*
 * What is changed in Redis: each change one script, hence all of it or
 * nothing.  Whatever Redis may refuse (it is full, a replica, has no right
 * for that user, or a key is of another type) it refuses before anything was
 * done.  What takes a right away or uses a one-time password up is not
 * refused by a Redis that is full.
 *
 * Keys, behind the prefix of the store: token:KEY, user:NAME, tokens-of:NAME.
 * Each script returns a status, or an error reply of Redis.  Times are in
 * seconds since the epoch.
 */


#ifndef _NPMTOKEN_SCRIPT_H_INCLUDED_
#define _NPMTOKEN_SCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A new token.
 *   KEYS  token:KEY, tokens-of:NAME
 *   ARGV  KEY, prefix of the tokens' keys, most tokens of an account (0: no
 *         limit), now, then field, value, ... of the record
 * "OK"; "EXISTS": there is such a key; "LIMIT": the account has too many.
 * Members of the set whose record is gone, or expired a day ago, make room
 * (the record itself stays: its absence might mean more than that).
 */
extern ngx_str_t  npmtoken_script_create;

/*
 * A new account, with or without its first token.
 *   KEYS  user:NAME [, token:KEY, tokens-of:NAME]
 *   ARGV  number of arguments of the account, its field, value, ...,
 *         then KEY, field, value, ... of the record
 * "OK"; "EXISTS": there is such an account, or such a key, or the name has
 * tokens already: they were given to somebody, so whoever signs up does not
 * get that name.  Without a token the last is not looked at (the operator
 * gives an account to a name).
 */
extern ngx_str_t  npmtoken_script_signup;

/*
 * Revokes a token of an account.
 *   KEYS  token:KEY, tokens-of:NAME
 *   ARGV  KEY, NAME ("": the record has no name), now or "": with a time the
 *         record stays and says so (needed where absence means unrestricted),
 *         without end, since a record that ends is absent; else it is deleted
 * "OK"; "NONE": the account has no such token, or it was revoked before;
 * "PROTECTED": it is one, and its own bearer asked (ARGV[4] is "self").
 */
extern ngx_str_t  npmtoken_script_revoke;

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
 * Changes an account if it still is what was judged.
 *   KEYS  user:NAME
 *   ARGV  field, the value that it has to have ("" for: not there),
 *         number of arguments to set, field, value, ...,
 *         then fields to delete
 * "OK"; "CHANGED": it is not, or the account is gone.
 */
extern ngx_str_t  npmtoken_script_account;

/*
 * Uses a one-time password, on all nodes only once.
 *   KEYS  user:NAME
 *   ARGV  "totp", step: the last step used has to be before it; or
 *         "recovery", hash: it has to be there, and is taken out
 * "OK"; "USED", also if the account has no second factor any more.
 */
extern ngx_str_t  npmtoken_script_otp;


#endif /* _NPMTOKEN_SCRIPT_H_INCLUDED_ */
