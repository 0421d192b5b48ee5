
/*
 * The one version, of both modules and of npmtokenctl.
 */


#ifndef _NPMTOKEN_VERSION_H_INCLUDED_
#define _NPMTOKEN_VERSION_H_INCLUDED_


#define NPMTOKEN_VERSION  "0.9.0"


/*
 * NPMTOKEN_VERSION as the first module was built with it.  The second module
 * uses the functions and structures of the first: it compares this with its
 * own NPMTOKEN_VERSION.
 */

extern const char  npmtoken_version[];


#endif /* _NPMTOKEN_VERSION_H_INCLUDED_ */
