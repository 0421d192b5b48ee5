
/*
 * The users of Redis, and their rights.
 */


#ifndef _NPMTOKENCTL_RIGHTS_H_INCLUDED_
#define _NPMTOKENCTL_RIGHTS_H_INCLUDED_


#include "npmtokenctl.h"


#define CTL_ROLES  4


/* words of a list are separated by blanks */

typedef struct {
    const char           *name;       /* as it is typed */
    const char           *user;       /* of Redis */
    const char           *what;       /* who connects as that user */
    const char           *keys;       /* behind the prefix */
    const char           *channels;
    const char           *commands;
    const char           *cluster;    /* besides, in a Redis Cluster */
} ctl_role_t;


extern ctl_role_t  ctl_roles[CTL_ROLES];


/* returns NULL if there is no such role */
ctl_role_t *ctl_rights_role(const char *name);

/*
 * Adds the rules of ACL SETUSER that give a user these rights and no others.
 * "prefix" is that of the keys, escaped as in a pattern.  "channels" is 0 for
 * a Redis before 6.2, which has no rights to channels.  "db" is the number of
 * the database.  A prefix with a hash tag is for a Redis Cluster.
 */
void ctl_rights(ctl_args_t *args, ctl_role_t *role, const char *prefix,
    int channels, int db);

/* prints them as a command of a shell, with PASSWORD for the password */
void ctl_rights_print(ctl_role_t *role, const char *prefix, int db);


#endif /* _NPMTOKENCTL_RIGHTS_H_INCLUDED_ */
