
/*
 * The one version, of both modules and of npmtokenctl.
 */


#include "npmtoken_version.h"


const char  npmtoken_version[] = NPMTOKEN_VERSION;
