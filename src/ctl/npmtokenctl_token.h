
/*
 * Declarations that the parts about tokens share.
 */


#ifndef _NPMTOKENCTL_TOKEN_H_INCLUDED_
#define _NPMTOKENCTL_TOKEN_H_INCLUDED_


#include "npmtokenctl.h"


/* returns the length of the shortest prefix that no other key has */
int ctl_id_len(ctl_items_t *items, ngx_uint_t i);

/* whether a text may be the beginning of a key */
ngx_uint_t ctl_is_id(const char *text);

/* returns "good", "revoked", "expired" or "bad" */
const char *ctl_state(redisReply *hash);

/* returns a field, cut to "max" bytes, for a terminal; empty if it is absent */
char *ctl_text(redisReply *hash, const char *field, size_t max);

/* whether a field says so */
ngx_uint_t ctl_is_true(redisReply *hash, const char *field);

/* returns what a list says of a token; its id has "id" digits */
json_t *ctl_token_json(ctl_item_t *item, ngx_uint_t id);


#endif /* _NPMTOKENCTL_TOKEN_H_INCLUDED_ */
