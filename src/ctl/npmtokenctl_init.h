
/*
 * Declarations that the parts of "init" share: passwords of users of Redis.
 */


#ifndef _NPMTOKENCTL_INIT_H_INCLUDED_
#define _NPMTOKENCTL_INIT_H_INCLUDED_


#include "npmtokenctl.h"


/* "#" and the SHA-256 in hex, as ACL SETUSER takes it */
#define CTL_HASH_LEN  65


/*
 * Gets the password of a user of Redis: from its file in the directory of
 * --passwords, which is made if it is not there; else from the person.  Ends
 * the program without one.  "hash" is of CTL_HASH_LEN + 1 bytes.
 */
void ctl_secret(const char *user, ngx_str_t *password, char *hash);

/* returns the path of that file, or of the one that is to be made */
char *ctl_secret_path(const char *user);

/* returns a text as nginx takes it as a parameter */
char *ctl_nginx_quoted(const char *text);


#endif /* _NPMTOKENCTL_INIT_H_INCLUDED_ */
