
/*
 * The URL of Redis: where it is, and as whom to connect.
 */


#ifndef _NPMTOKENCTL_URL_H_INCLUDED_
#define _NPMTOKENCTL_URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    char                 *name;       /* without user and password */
    char                 *user;
    char                 *password;
    char                 *host;       /* or a path */
    int                   port;       /* 0: a path */
    int                   db;
    ngx_uint_t            tls;
    char                 *hosts;      /* if there may be several, else NULL */
    char                 *master;     /* its name, if sentinels know it */
} ctl_url_t;


/*
 * Reads a URL into "url", which has to be zeroed.  What that has then is from
 * the heap.  Ends the program if the URL is not valid.
 */
void ctl_parse_url(const char *text, ctl_url_t *url);

/*
 * Puts the user and the password of the options in place of the URL's.  Ends
 * the program if there is a user without a password.
 */
void ctl_secrets(ctl_url_t *url);

/* a number in the URL or an option; ends the program if it is none */
int ctl_number(const char *text, int min, int max, const char *what);

/*
 * Cuts the port off a host, and the brackets of an IPv6 address.  "fallback" is
 * the port of a host without one.  Ends the program if it is not valid.
 */
char *ctl_host_port(char *host, int *port, int fallback);

/* The first line of a file.  Ends the program if there is none. */
char *ctl_read_secret(const char *path);


#endif /* _NPMTOKENCTL_URL_H_INCLUDED_ */
