
/*
 * What the connection to Redis knows of scripts.
 */


#ifndef _NPMTOKENCTL_SCRIPT_H_INCLUDED_
#define _NPMTOKENCTL_SCRIPT_H_INCLUDED_


/* Loads the script that is in use into another server. */
void ctl_script_load(void);


#endif /* _NPMTOKENCTL_SCRIPT_H_INCLUDED_ */
