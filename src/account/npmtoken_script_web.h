
/*
 * Changes that the web page makes in Redis.  See npmtoken_script.h, which has
 * what is common to all of them.
 *
 * A session is a record like any other.  It has a TTL, which each use renews.
 */


#ifndef _NPMTOKEN_SCRIPT_WEB_H_INCLUDED_
#define _NPMTOKEN_SCRIPT_WEB_H_INCLUDED_


#include "npmtoken_script.h"


/*
 * Creates a session.  Needs what npmtoken_script_create does, and ttl.  Its
 * arguments begin with the TTL, and it returns the same.
 * npmtoken_script_create_args() writes them.
 */
extern ngx_str_t  npmtoken_script_session;

/*
 * Creates the token that somebody has approved, and deletes the request for it,
 * which is the fourth key.  Needs what npmtoken_script_create does, and spend.
 * "DENIED" means that the request is gone, or not as it was seen.
 */
extern ngx_str_t  npmtoken_script_take;

/*
 * Gives a session another secret.
 *   KEYS  token:KEY of the session, token:KEY of the new one, tokens-of:NAME
 *   ARGV  what was seen of the session, its KEY, the new KEY, TTL in
 *         milliseconds, then field, value, ... to set
 * Returns "OK"; "EXISTS" if the new key is there already; "DENIED" if the
 * session has changed or is gone.
 */
extern ngx_str_t  npmtoken_script_renew;

/*
 * Renews the TTL of a session that is used.
 *   KEYS  token:KEY
 *   ARGV  TTL in milliseconds
 * Returns "OK", or "NONE" if the session is gone or revoked.
 */
extern ngx_str_t  npmtoken_script_touch;

/*
 * Ends a session.
 *   KEYS  token:KEY [, tokens-of:NAME]
 *   ARGV  KEY, if there is a second key
 * Returns "OK"; or "NONE" if there is no such session: a token stays.
 */
extern ngx_str_t  npmtoken_script_drop;

/*
 * Puts down a request for somebody in a browser.
 *   KEYS  web:ID, the set of those that wait: web:pending, or web:codes: and a
 *         token's
 *   ARGV  how many may wait, for how many milliseconds, then field, value, ...
 * Returns "OK"; "FULL" if too many wait; "EXISTS" if the key is there already.
 */
extern ngx_str_t  npmtoken_script_ask;

/*
 * Asks for the answer to a request.
 *   KEYS  web:ID
 *   ARGV  the digest of its other secret, the least milliseconds between two
 *         polls
 * Returns all fields and values of a request that is approved; or "NONE" if it
 * is gone, is not this one, or has been taken; "DENIED"; "PENDING"; "FAST" if
 * it is pending and was asked a moment ago.
 */
extern ngx_str_t  npmtoken_script_poll;

/*
 * Answers a request that waits.
 *   KEYS  web:ID [, user:NAME, token:KEY of the session that approves]
 *   ARGV  what was seen of the account and of the session, then field, value,
 *         ... to set
 * Returns "OK"; "GONE" if it does not wait any more; "CHANGED" and "DENIED" as
 * npmtoken_script_create does.
 */
extern ngx_str_t  npmtoken_script_answer;

/*
 * Turns a request that is approved into a ticket.
 *   KEYS  web:ID
 *   ARGV  what was seen of it, the digest of the ticket's secret, its
 *         milliseconds
 * Returns "OK"; "NONE" if the request is gone, or not as it was seen.
 */
extern ngx_str_t  npmtoken_script_ticket;

/*
 * Uses up a ticket.
 *   KEYS  web:ID, user:NAME
 *   ARGV  the digest of its secret, NAME, the KEY of the token that uses it,
 *         the digest of method and path, the mark of the account, what was seen
 *         of the account
 * Returns "OK"; "NONE" if there is no such ticket for this.
 */
extern ngx_str_t  npmtoken_script_redeem;


#endif /* _NPMTOKEN_SCRIPT_WEB_H_INCLUDED_ */
