
/*
 * Each request that a client was seen to send (requests.tsv), each row of
 * what clients may send, the spellings that mean mischief, and, as a
 * property, thousands of spellings made from them; and which of the writes
 * are about a package.
 */


#include "unit.h"
#include <ctype.h>
#include <fnmatch.h>
#include "npmtoken_operation.h"
#include "npmtoken_secret.h"


#define SESSION  NPMTOKEN_OP_SESSION
#define READ     NPMTOKEN_OP_READ
#define LOGOUT   NPMTOKEN_OP_LOGOUT
#define WRITE    NPMTOKEN_OP_WRITE


typedef struct {
    const char     *target;      /* as sent, with the query: the test's name */
    const char     *method;
    npmtoken_op_e   op;
    const char     *package;
    const char     *token;       /* NULL: none */
    const char     *base;        /* NULL: "/"; after a "+": the web page is
                                    on */
    const char     *uri;         /* NULL: what nginx makes of the target */
} unit_request_t;


static unit_request_t  clients[] = {

    /* packages */

    { "/pkg", "GET", READ, "pkg", "T", NULL, NULL },
    { "/pkg", "HEAD", READ, "pkg", "T", NULL, NULL },
    { "/pkg", "OPTIONS", READ, "pkg", "T", NULL, NULL },
    { "/@s%2fpkg", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/@s%2Fpkg", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/%40s%2Fpkg", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/@s/pkg", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/%40s/pkg", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/@s%2fpkg/1.0.0", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/pkg?write=true", "GET", READ, "pkg", "T", NULL, NULL },
    { "/pkg/-/pkg-1.0.0.tgz", "GET", READ, "pkg", "T", NULL, NULL },
    { "/@s/pkg/-/pkg-1.0.0.tgz", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/pkg", "PUT", WRITE, "pkg", "T", NULL, NULL },
    { "/@s%2fpkg", "PUT", WRITE, "@s/pkg", "T", NULL, NULL },
    { "/pkg/-rev/1-a", "PUT", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg/-rev/undefined", "DELETE", WRITE, "pkg", "T", NULL, NULL },
    { "/@s%2fpkg/-rev/1-a", "DELETE", WRITE, "@s/pkg", "T", NULL, NULL },
    { "/pkg/-/pkg-1.0.0.tgz/-rev/2-b", "DELETE", WRITE, "pkg", "T", NULL,
      NULL },
    { "/@s%2fpkg/-/pkg-1.0.0.tgz/-rev/2-b", "DELETE", WRITE, "@s/pkg", "T",
      NULL, NULL },
    { "/@s/pkg/-/pkg-1.0.0.tgz/-rev/2-b", "DELETE", WRITE, "@s/pkg", "T",
      NULL, NULL },

    { "/-/package/pkg/dist-tags", "GET", READ, "pkg", "T", NULL, NULL },
    { "/-/package/pkg/collaborators", "GET", READ, "pkg", "T", NULL, NULL },
    { "/-/package/pkg/visibility", "GET", READ, "pkg", "T", NULL, NULL },
    { "/-/package/@s%2fpkg/trust", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/-/package/@s/pkg/trust", "GET", READ, "@s/pkg", "T", NULL, NULL },
    { "/-/package/pkg/dist-tags/t", "PUT", WRITE, "pkg", "T", NULL, NULL },
    { "/-/package/pkg/dist-tags/t", "DELETE", WRITE, "pkg", "T", NULL, NULL },
    { "/-/package/pkg/dist-tags", "POST", WRITE, "pkg", "T", NULL, NULL },
    { "/-/package/%40s%2Fpkg/dist-tags/t", "PUT", WRITE, "@s/pkg", "T", NULL,
      NULL },
    { "/-/package/%40s%2Fpkg/access", "POST", WRITE, "@s/pkg", "T", NULL,
      NULL },
    { "/-/package/@s%2fpkg/access", "POST", WRITE, "@s/pkg", "T", NULL, NULL },
    { "/-/package/pkg/owners", "PUT", WRITE, "pkg", "T", NULL, NULL },
    { "/-/package/pkg/trust", "POST", WRITE, "pkg", "T", NULL, NULL },
    { "/-/package/pkg/trust/1", "DELETE", WRITE, "pkg", "T", NULL, NULL },

    /* the registry, people, teams */

    { "/", "GET", READ, "", "T", NULL, NULL },
    { "/-/all", "GET", READ, "", "T", NULL, NULL },
    { "/-/v1/search?text=x&size=20", "GET", READ, "", "T", NULL, NULL },
    { "/-/_view/starredByUser?key=%22a%22", "GET", READ, "", "T", NULL, NULL },
    { "/-/org/o/user", "GET", READ, "", "T", NULL, NULL },
    { "/-/org/s/team?format=cli", "GET", READ, "", "T", NULL, NULL },
    { "/-/team/s/t/user", "GET", READ, "", "T", NULL, NULL },
    { "/-/user/alice/package", "GET", READ, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:alice", "GET", READ, "", "T", NULL, NULL },
    { "/-/npm/v1/keys", "GET", READ, "", "T", NULL, NULL },
    { "/-/npm/v1/user", "GET", READ, "", "T", NULL, NULL },
    { "/-/npm/v1/tokens", "GET", READ, "", "T", NULL, NULL },
    { "/-/npm/v1/hooks", "GET", READ, "", "T", NULL, NULL },
    { "/-/stage?page=0", "GET", READ, "", "T", NULL, NULL },
    { "/-/stage/1/tarball", "GET", READ, "", "T", NULL, NULL },
    { "/-/whoami", "GET", READ, "", "T", NULL, NULL },
    { "/org/s/team?format=cli", "GET", READ, "org", "T", NULL, NULL },
    { "/org/s/team", "PUT", WRITE, "org", "T", NULL, NULL },
    { "/team/o", "PUT", WRITE, "team", "T", NULL, NULL },
    { "/-/org/o/user", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/org/s/team", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/org/o/user", "DELETE", WRITE, "", "T", NULL, NULL },
    { "/-/team/s/t", "DELETE", WRITE, "", "T", NULL, NULL },
    { "/-/team/s/t/user", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/team/s/t/package", "DELETE", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/hooks/hook", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/hooks/hook/1", "DELETE", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/user", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/tokens", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/tokens/token/0123ab", "DELETE", WRITE, "", "T", NULL, NULL },
    { "/-/stage/package/pkg", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/stage/1/approve", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/stage/1", "DELETE", WRITE, "", "T", NULL, NULL },
    { "/-/user/v1/star", "PUT", WRITE, "", "T", NULL, NULL },

    /* audit */

    { "/-/npm/v1/security/audits", "POST", READ, "", "T", NULL, NULL },
    { "/-/npm/v1/security/audits/quick", "POST", READ, "", "T", NULL, NULL },
    { "/-/npm/v1/security/advisories/bulk", "POST", READ, "", "T", NULL,
      NULL },
    { "/-/npm/v1/security/advisories/bulk?x", "POST", READ, "", "T", NULL,
      NULL },

    /* sessions */

    { "/-/ping", "GET", SESSION, "", NULL, NULL, NULL },
    { "/-/ping?write=true", "GET", SESSION, "", NULL, NULL, NULL },
    { "/-/ping", "HEAD", SESSION, "", NULL, NULL, NULL },
    { "/-/ping", "OPTIONS", READ, "", NULL, NULL, NULL },
    { "/-/v1/login", "POST", SESSION, "", NULL, NULL, NULL },
    { "/-/v1/login?hostname=ci", "POST", SESSION, "", NULL, NULL, NULL },
    { "/-/v1/login", "GET", READ, "", NULL, NULL, NULL },
    { "/-/v1/done?sessionId=1", "GET", READ, "", NULL, NULL, NULL },
    { "/-/user/org.couchdb.user:alice", "PUT", SESSION, "", NULL, NULL, NULL },
    { "/-/user/org.couchdb.user:a%40b.c", "PUT", SESSION, "", NULL, NULL,
      NULL },
    { "/-/user/org.couchdb.user:a%20b", "PUT", SESSION, "", NULL, NULL, NULL },
    { "/-/user/org.couchdb.user:alice/-rev/3-abc", "PUT", SESSION, "", NULL,
      NULL, NULL },
    { "/-/user/org.couchdb.user:alice/-rev/undefined", "PUT", SESSION, "",
      NULL, NULL, NULL },
    { "/-/user/org.couchdb.user:alice?write=true", "GET", SESSION, "", NULL,
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/pkg", "POST", SESSION, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%2fpkg", "POST", SESSION, "",
      "T", NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%2Fpkg", "POST", SESSION, "",
      "T", NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/%40s%2Fpkg", "POST", SESSION, "",
      "T", NULL, NULL },

    /* logout */

    { "/-/user/token/npm_abc", "DELETE", LOGOUT, "", "npm_abc", NULL, NULL },
    { "/-/user/token/npm%5fabc", "DELETE", LOGOUT, "", "npm_abc", NULL, NULL },
    { "/-/user/token/ab%2Fcd%2B%3D%3D", "DELETE", LOGOUT, "", "ab/cd+==",
      NULL, NULL },
    { "/-/user/token/ab/cd+==", "DELETE", LOGOUT, "", "ab/cd+==", NULL, NULL },
    { "/-/user/token/ab/..cd/.e", "DELETE", LOGOUT, "", "ab/..cd/.e", NULL,
      NULL },
    { "/-/user/token/npm_abc?x=y", "DELETE", LOGOUT, "", "npm_abc", NULL,
      NULL },
    { "/-/user/token/npm_abc", "PUT", WRITE, "", "npm_abc", NULL, NULL },
    { "/-/user/token/npm_abc", "GET", READ, "", "npm_abc", NULL, NULL },

    /* where the registry is mounted elsewhere */

    { "/npm/pkg", "GET", READ, "pkg", "T", "/npm/", NULL },
    { "/npm/-/ping", "GET", SESSION, "", "T", "/npm/", NULL },
    { "/npm/@s%2fpkg", "PUT", WRITE, "@s/pkg", "T", "/npm/", NULL },
    { "/api/npm/x/-/v1/login", "POST", SESSION, "", "T", "/api/npm/x/", NULL },
    { "/api/npm/x/-/user/token/a%3D", "DELETE", LOGOUT, "", "a=",
      "/api/npm/x/", NULL },

    /* ... and its path has an encoded character: GitLab, Azure Artifacts */

    { "/a/acme%2Fweb/-/npm/-/ping", "GET", SESSION, "", NULL,
      "/a/acme%2Fweb/-/npm/", NULL },
    { "/a/acme%2fweb/-/npm/-/ping", "GET", SESSION, "", NULL,
      "/a/acme%2Fweb/-/npm/", NULL },
    { "/a/acme%2Fweb/-/npm/-/npm/v1/security/advisories/bulk", "POST", READ,
      "", "T", "/a/acme%2fweb/-/npm/", NULL },
    { "/a/acme%2Fweb/-/npm/-/user/org.couchdb.user:a", "PUT", SESSION, "",
      NULL, "/a/acme%2Fweb/-/npm/", NULL },
    { "/a/acme%2Fweb/-/npm/-/user/token/a%3D", "DELETE", LOGOUT, "", "a=",
      "/a/acme%2Fweb/-/npm/", NULL },
    { "/a/acme%2Fweb/-/npm/@s%2fpkg", "PUT", WRITE, "@s/pkg", "T",
      "/a/acme%2Fweb/-/npm/", NULL },
    { "/a/acme%2Fweb/-/npm/pkg", "GET", READ, "pkg", "T",
      "/a/acme%2Fweb/-/npm/", NULL },
    { "/a/feed%40Local/npm/-/ping", "GET", SESSION, "", NULL,
      "/a/feed%40Local/npm/", NULL },
    { "/a/My%20Project/npm/-/v1/login", "POST", SESSION, "", NULL,
      "/a/My%20Project/npm/", NULL },

    /* npm 6 doubles the prefix */

    { "/npm/npm/-/user/token/abc", "DELETE", WRITE, "npm", "abc", "/npm/",
      NULL },

    /* a rewrite before us: the URI has lost the base, or has another path */

    { "/npm/-/ping", "GET", SESSION, "", "T", "/npm/", "/-/ping" },
    { "/npm/@s%2fpkg", "GET", READ, "@s/pkg", "T", "/npm/", "/@s/pkg" },
    { "/other", "GET", READ, "pkg", "T", "/npm/", "/npm/pkg" },
    { "/other", "GET", READ, "@s/pkg", "T", "/npm/", "/npm/@s/pkg" },
    { "/other", "GET", READ, "pkg", "T", "/npm/", "/pkg" },
};


static unit_request_t  traps[] = {

    /* of two spellings the worse is right */

    { "/-/ping", "GET", READ, "", "T", NULL, "/pkg" },
    { "/pkg", "GET", READ, "pkg", "T", NULL, "/-/ping" },
    { "/-/v1/login", "POST", WRITE, "", "T", NULL, "/pkg" },
    { "/pkg", "POST", WRITE, "pkg", "T", NULL, "/-/v1/login" },
    { "/-/user/token/abc", "DELETE", WRITE, "", "abc", NULL, "/pkg" },
    { "/pkg/-rev/1", "DELETE", WRITE, "pkg", "abc", NULL,
      "/-/user/token/abc" },
    { "/-/npm/v1/security/audits", "POST", WRITE, "", "T", NULL,
      "/-/npm/v1/tokens" },
    { "/-/ping", "GET", READ, "", "T", "/npm/", NULL },
    { "/-/v1/login", "POST", WRITE, "", "T", "/npm/", "/npm/-/v1/login" },
    { "/NPM/-/v1/login", "POST", WRITE, "NPM", "T", "/npm/", NULL },

    /* the web page, where it is on */

    { "/-/npmtoken/", "GET", SESSION, "", "T", "+/", NULL },
    { "/-/npmtoken/page.js", "HEAD", SESSION, "", "T", "+/", NULL },
    { "/-/npmtoken/api/login", "POST", SESSION, "", "T", "+/", NULL },
    { "/npm/-/npmtoken/api/tokens?page=1", "GET", SESSION, "", "T", "+/npm/",
      NULL },
    { "/-/v1/done?authId=1", "GET", SESSION, "", "T", "+/", NULL },
    { "/-/npmtoken/", "GET", READ, "", "T", NULL, NULL },
    { "/-/npmtoken/api/login", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/v1/done?authId=1", "GET", READ, "", "T", NULL, NULL },
    { "/-/npmtoken/", "PUT", WRITE, "", "T", "+/", NULL },
    { "/-/npmtoken/", "DELETE", WRITE, "", "T", "+/", NULL },
    { "/-/npmtoken", "GET", READ, "", "T", "+/", NULL },
    { "/-/npmtokens/", "GET", READ, "", "T", "+/", NULL },
    { "/-/%6epmtoken/", "GET", READ, "", "T", "+/", NULL },
    { "/-/npmtoken/../../pkg", "POST", WRITE, "", "T", "+/", "/pkg" },
    { "/x/-/npmtoken/", "POST", WRITE, "x", "T", "+/", NULL },
    { "/-/v1/done", "POST", WRITE, "", "T", "+/", NULL },
    { "/-/v1/done/x", "GET", READ, "", "T", "+/", NULL },
    { "/pkg", "PUT", WRITE, "pkg", "T", "+/", NULL },

    /* nearly a base with an encoded character */

    { "/a/b/npm/-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/", NULL },
    { "/a%2Fb/npm/-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/",
      "/a/c/npm/-/v1/login" },
    { "/a%252Fb/npm/-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/",
      NULL },
    { "/a%2Fb%2Fnpm/-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/",
      NULL },
    { "/a%2Fb/npm%2F-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/",
      NULL },
    { "/a%2fB/npm/-/v1/login", "POST", WRITE, "a", "T", "/a%2Fb/npm/", NULL },
    { "/A%2fb/npm/-/v1/login", "POST", WRITE, "A", "T", "/a%2Fb/npm/", NULL },
    { "/%61%2Fb/npm/-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/",
      NULL },
    { "/a%2F/b/npm/-/v1/login", "POST", WRITE, "", "T", "/a%2Fb/npm/", NULL },
    { "/feed@L/-/v1/login", "POST", WRITE, "", "T", "/feed%40L/", NULL },
    { "/feed%40L/-/v1/login", "POST", WRITE, "", "T", "/feed@L/", NULL },
    { "/a%2Fb/npm/-/../../c/-/v1/login", "POST", WRITE, "", "T",
      "/a%2Fb/npm/", NULL },
    { "/npm-/v1/login", "POST", WRITE, "npm-", "T", "/npm/", NULL },
    { "/npm", "POST", WRITE, "npm", "T", "/npm/", NULL },
    { "", "POST", WRITE, "", "T", NULL, "" },
    { "*", "OPTIONS", READ, "", "T", NULL, NULL },
    { "http://h/-/v1/login", "POST", WRITE, "", "T", NULL, NULL },

    /* seen to delete a package where only nginx's path is looked at */

    { "/pkg/-rev/1/../../../-/user/token/abc", "DELETE", WRITE, "pkg", "abc",
      NULL, NULL },
    { "/pkg/-rev/1/..%2f..%2f../-/user/token/abc", "DELETE", WRITE, "pkg",
      "abc", NULL, NULL },
    { "/pkg/-rev/1/%2e%2e/%2e%2e/%2e%2e/-/user/token/abc", "DELETE", WRITE,
      "pkg", "abc", NULL, NULL },
    { "/pkg/-rev/1/../../../-/v1/login", "POST", WRITE, "pkg", "T", NULL,
      NULL },
    { "/-/user/token/abc/../../../../pkg/-rev/1", "DELETE", WRITE, "",
      "abc/../../../../pkg/-rev/1", NULL, NULL },
    { "/-/user/token/abc%2f..%2f..%2fpkg", "DELETE", WRITE, "", "abc/../../pkg",
      NULL, NULL },
    { "/-/user/token/abc%2f..%2f..%2fpkg", "DELETE", WRITE, "", "abc", NULL,
      NULL },
    { "/-/user/token/./abc", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token//abc", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/abc/", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/abc/", "DELETE", WRITE, "", "abc/", NULL, NULL },
    { "/-/user/token/a//b", "DELETE", WRITE, "", "a//b", NULL, NULL },
    { "/-/user/token/%2fabc", "DELETE", WRITE, "", "/abc", NULL, NULL },
    { "/-/user/token/..", "DELETE", WRITE, "", "..", NULL, NULL },
    { "/-/user/token/%2e%2e", "DELETE", WRITE, "", "..", NULL, NULL },
    { "/-/user/token/.", "DELETE", WRITE, "", ".", NULL, NULL },
    { "/-/user/token/a/./b", "DELETE", WRITE, "", "a/./b", NULL, NULL },

    /* another's token, or none */

    { "/-/user/token/abd", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/ab", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/abcd", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/ABC", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/abc", "DELETE", WRITE, "", NULL, NULL, NULL },
    { "/-/user/token/", "DELETE", WRITE, "", NULL, NULL, NULL },
    { "/-/user/token", "DELETE", WRITE, "", NULL, NULL, NULL },
    { "/-/user/token/%61%2562c", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/ab%", "DELETE", WRITE, "", "ab%", NULL, NULL },
    { "/-/user/token/ab%6", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/ab%6g", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/abc%00", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token/abc;x", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/token%2fabc", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/user/%74oken/abc", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/-/User/token/abc", "DELETE", WRITE, "", "abc", NULL, NULL },
    { "/%2d/user/token/abc", "DELETE", WRITE, "", "abc", NULL, NULL },

    /* names that a registry may read in its own way */

    { "/-/user/org.couchdb.user:", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:.", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:..", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:%2e%2e", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:%2e.", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%2fb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%2Fb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%252fb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%25b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%5cb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a\\b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a;b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%3bb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%3fb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%23b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a#b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%00b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%0ab", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%7fb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a\177b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%c0%afb", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a\300\257b", "PUT", WRITE, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a\303\244", "PUT", WRITE, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a%", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%4", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a%zz", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a/", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a/b", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a/-rev/", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a/-rev", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a/-rev/..", "PUT", WRITE, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a/-rev/1/x", "PUT", WRITE, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a/-rev/1", "DELETE", WRITE, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a/-rev/1", "GET", READ, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user%3aa", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.USER:a", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/alice", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a?write=true&x", "GET", READ, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a?Write=true", "GET", READ, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a?write=false", "GET", READ, "", "T", NULL,
      NULL },
    { "/-/user/org.couchdb.user:a?", "GET", READ, "", "T", NULL, NULL },
    { "/-/user/org.couchdb.user:a?write=true", "HEAD", READ, "", "T", NULL,
      NULL },

    /* the package of an exchange */

    { "/-/npm/v1/oidc/token/exchange/package/", "POST", WRITE, "", "T", NULL,
      NULL },
    { "/-/npm/v1/oidc/token/exchange/package/..", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s/pkg", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%2f%2fpkg", "POST", WRITE, "",
      "T", NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%2fa%2fb", "POST", WRITE, "",
      "T", NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%2f..", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%252fpkg", "POST", WRITE, "",
      "T", NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s%2f", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@%2fpkg", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/s%2fpkg", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/@s", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/pkg/", "POST", WRITE, "", "T",
      NULL, NULL },
    { "/-/npm/v1/oidc/token/exchange/package/pkg", "PUT", WRITE, "", "T",
      NULL, NULL },

    /* near misses of the fixed paths */

    { "/-/ping/", "GET", READ, "", "T", NULL, NULL },
    { "/-/ping.", "GET", READ, "", "T", NULL, NULL },
    { "/-/PING", "GET", READ, "", "T", NULL, NULL },
    { "/-/pin", "GET", READ, "", "T", NULL, NULL },
    { "/-/ping", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/ping", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-//ping", "GET", READ, "", "T", NULL, NULL },
    { "/-/v1/login/", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/v1/login", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/v1/loginx", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/security/audits/slow", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/security/audits", "PUT", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/security/advisories", "POST", WRITE, "", "T", NULL, NULL },
    { "/-/npm/v1/security/audits/quick/../../../tokens", "POST", WRITE, "",
      "T", NULL, NULL },

    /* methods */

    { "/pkg", "get", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "Get", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "GETX", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "PATCH", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "POST", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "PROPFIND", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "COPY", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "MOVE", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "TRACE", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "CONNECT", WRITE, "pkg", "T", NULL, NULL },
    { "/pkg", "QUERY", WRITE, "pkg", "T", NULL, NULL },
    { "/-/v1/login", "post", WRITE, "", "T", NULL, NULL },
    { "/-/user/token/abc", "delete", WRITE, "", "abc", NULL, NULL },

    /* no names */

    { "/-", "GET", READ, "", "T", NULL, NULL },
    { "/-/", "GET", READ, "", "T", NULL, NULL },
    { "/-/package", "GET", READ, "", "T", NULL, NULL },
    { "/-/package/", "GET", READ, "", "T", NULL, NULL },
    { "/-/package/-", "GET", READ, "-", "T", NULL, NULL },
    { "/-/packages/pkg", "GET", READ, "", "T", NULL, NULL },
    { "/%2d/package/pkg/access", "GET", READ, "pkg", "T", NULL, NULL },
    { "/.pkg", "GET", READ, "", "T", NULL, NULL },
    { "/..", "GET", READ, "", "T", NULL, "/" },
    { "/_pkg", "GET", READ, "", "T", NULL, NULL },
    { "/pkg_.-!~*'()9A", "GET", READ, "pkg_.-!~*'()9A", "T", NULL, NULL },
    { "//pkg", "GET", READ, "", "T", NULL, NULL },
    { "/@", "GET", READ, "", "T", NULL, NULL },
    { "/@s", "GET", READ, "", "T", NULL, NULL },
    { "/@s/", "GET", READ, "", "T", NULL, NULL },
    { "/@/pkg", "GET", READ, "", "T", NULL, NULL },
    { "/@s//pkg", "GET", READ, "", "T", NULL, NULL },
    { "/@s%2f/pkg", "GET", READ, "", "T", NULL, NULL },
    { "/@s%2fa%2fb", "GET", READ, "", "T", NULL, NULL },
    { "/@.s/pkg", "GET", READ, "", "T", NULL, NULL },
    { "/@s/_pkg", "GET", READ, "", "T", NULL, NULL },
    { "/@@s/pkg", "GET", READ, "", "T", NULL, NULL },
    { "/s%2fpkg", "GET", READ, "", "T", NULL, NULL },
    { "/pk%67", "GET", READ, "pkg", "T", NULL, NULL },
    { "/pk%2567", "GET", READ, "", "T", NULL, NULL },
    { "/pkg%0d%0aX-A:%20b", "GET", READ, "", "T", NULL, NULL },
    { "/pkg%00", "GET", READ, "", "T", NULL, NULL },
    { "/pkg%", "GET", READ, "", "T", NULL, NULL },
    { "/pkg%6", "GET", READ, "", "T", NULL, NULL },
    { "/p\303\244", "GET", READ, "", "T", NULL, NULL },
    { "/p%c3%a4", "GET", READ, "", "T", NULL, NULL },
    { "/p kg", "GET", READ, "", "T", NULL, NULL },
    { "/p\"kg", "GET", READ, "", "T", NULL, NULL },
    { "/p;kg", "GET", READ, "", "T", NULL, NULL },
    { "/p+kg", "GET", READ, "", "T", NULL, NULL }
};


/*
 * What each spelling below is put into.  "fixed" is how much of the path has
 * to be as it is: behind it is a variable, in which some spellings are fine.
 */

/* writes, and the one package that each is about; "": none, or who knows */

typedef struct {
    const char     *target;
    const char     *method;
    const char     *package;
    const char     *base;
    const char     *uri;
} unit_subject_t;


static unit_subject_t  subjects[] = {
    { "/pkg", "PUT", "pkg", NULL, NULL },
    { "/pkg?write=true", "PUT", "pkg", NULL, NULL },
    { "/@s%2fpkg", "PUT", "@s/pkg", NULL, NULL },
    { "/@s%2Fpkg", "PUT", "@s/pkg", NULL, NULL },
    { "/@s/pkg", "PUT", "@s/pkg", NULL, NULL },
    { "/%40s%2fpkg", "PUT", "@s/pkg", NULL, NULL },
    { "/%40s/pkg", "PUT", "@s/pkg", NULL, NULL },
    { "/%70kg", "PUT", "pkg", NULL, NULL },
    { "/Pkg", "PUT", "Pkg", NULL, NULL },
    { "/pkg/-rev/1-a", "PUT", "pkg", NULL, NULL },
    { "/pkg/-rev/undefined", "DELETE", "pkg", NULL, NULL },
    { "/@s/pkg/-rev/1-a", "DELETE", "@s/pkg", NULL, NULL },
    { "/@s%2fpkg/-rev/1-a", "DELETE", "@s/pkg", NULL, NULL },
    { "/pkg/-/pkg-1.0.0.tgz/-rev/1-a", "DELETE", "pkg", NULL, NULL },
    { "/@s/pkg/-/pkg-1.0.0.tgz/-rev/1-a", "DELETE", "@s/pkg", NULL, NULL },
    { "/@s%2fpkg/-/pkg-1.0.0.tgz/-rev/1", "DELETE", "@s/pkg", NULL, NULL },
    { "/-/package/pkg/dist-tags/t", "PUT", "pkg", NULL, NULL },
    { "/-/package/@s%2fpkg/dist-tags/a%20b", "DELETE", "@s/pkg", NULL, NULL },
    { "/-/package/@s/pkg/dist-tags/t", "DELETE", "@s/pkg", NULL, NULL },
    { "/-/package/pkg/owners", "PUT", "pkg", NULL, NULL },
    { "/-/package/%40s%2Fpkg/access", "POST", "@s/pkg", NULL, NULL },
    { "/-/package/pkg/trust", "POST", "pkg", NULL, NULL },
    { "/-/package/pkg/trust/1", "DELETE", "pkg", NULL, NULL },
    { "/-/stage/package/@s%2fpkg", "POST", "@s/pkg", NULL, NULL },

    /* another base, with and without it in the URI */

    { "/npm/pkg", "PUT", "pkg", "/npm/", NULL },
    { "/npm/pkg", "PUT", "pkg", "/npm/", "/pkg" },
    { "/npm/@s%2fpkg", "PUT", "@s/pkg", "/npm/", "/@s/pkg" },
    { "/npm/npm", "PUT", "npm", "/npm/", "/npm" },
    { "/pkg", "PUT", "", "/npm/", NULL },
    { "/npm", "PUT", "", "/npm/", NULL },
    { "/npm/", "PUT", "", "/npm/", NULL },
    { "/npm/x/pkg", "PUT", "", "/npm/", NULL },
    { "/NPM/pkg", "PUT", "", "/npm/", "/npm/pkg" },
    { "/a%2Fb/npm/pkg", "PUT", "pkg", "/a%2Fb/npm/", NULL },
    { "/a%2fb/npm/@s%2fpkg", "PUT", "@s/pkg", "/a%2Fb/npm/", NULL },
    { "/a%2Fb/npm/@s%2fpkg", "PUT", "@s/pkg", "/a%2Fb/npm/", "/@s/pkg" },
    { "/a%2Fb/npm/pkg", "PUT", "", "/a%2Fb/npm/", "/a/b/npm/other" },
    { "/a/b/npm/pkg", "PUT", "", "/a%2Fb/npm/", NULL },
    { "/a%2Fb/npm%2Fpkg", "PUT", "", "/a%2Fb/npm/", NULL },
    { "/a%2Fb/npm/x/pkg", "PUT", "", "/a%2Fb/npm/", NULL },

    /* two spellings that do not agree */

    { "/pkg", "PUT", "", NULL, "/other" },
    { "/pkg", "PUT", "", NULL, "/pkh" },
    { "/pkg", "PUT", "", NULL, "/" },
    { "/pkg", "PUT", "", NULL, "" },
    { "/pkg", "PUT", "", NULL, "/pkg2" },
    { "/pkg2", "PUT", "", NULL, "/pkg" },
    { "/pkg", "PUT", "", NULL, "/index.html" },

    /* two that agree about the package */

    { "/pkg/-rev/1", "PUT", "pkg", NULL, "/pkg/-rev/2" },
    { "/pkg", "PUT", "pkg", NULL, "/pkg/-rev/1" },

    /* other methods, some of which name a second place in a header */

    { "/pkg", "POST", "", NULL, NULL },
    { "/pkg", "DELETE", "", NULL, NULL },
    { "/pkg", "PATCH", "", NULL, NULL },
    { "/pkg", "COPY", "", NULL, NULL },
    { "/pkg", "MOVE", "", NULL, NULL },
    { "/pkg", "put", "", NULL, NULL },
    { "/pkg/-rev/1", "POST", "", NULL, NULL },
    { "/-/package/pkg/access", "PUT", "", NULL, NULL },
    { "/-/package/pkg/dist-tags/t", "POST", "", NULL, NULL },
    { "/pkg", "GET", "", NULL, NULL },

    /* about no package, or about more than one */

    { "/", "PUT", "", NULL, NULL },
    { "/-", "PUT", "", NULL, NULL },
    { "/-/-rev/1", "PUT", "", NULL, NULL },
    { "/-/-/--1.tgz/-rev/1", "DELETE", "", NULL, NULL },
    { "/-/package/-/access", "POST", "", NULL, NULL },
    { "/-/npm/v1/tokens", "POST", "", NULL, NULL },
    { "/-/npm/v1/tokens/token/0123ab", "DELETE", "", NULL, NULL },
    { "/-/npm/v1/user", "POST", "", NULL, NULL },
    { "/-/npm/v1/hooks/hook", "POST", "", NULL, NULL },
    { "/-/org/o/user", "PUT", "", NULL, NULL },
    { "/-/team/s/t", "DELETE", "", NULL, NULL },
    { "/-/team/s/t/package", "PUT", "", NULL, NULL },
    { "/-/user/v1/star", "PUT", "", NULL, NULL },
    { "/-/stage/1/approve", "POST", "", NULL, NULL },
    { "/-/stage/1", "DELETE", "", NULL, NULL },
    { "/org/s/team", "PUT", "", NULL, NULL },
    { "/pkg/tag", "PUT", "", NULL, NULL },
    { "/pkg/1.0.0", "PUT", "", NULL, NULL },
    { "/-/package/pkg", "PUT", "", NULL, NULL },
    { "/-/package/pkg/dist-tags", "PUT", "", NULL, NULL },
    { "/-/package/pkg/dist-tags/", "PUT", "", NULL, NULL },
    { "/-/package/pkg/dist-tags/a/b", "PUT", "", NULL, NULL },
    { "/-/package/pkg/other", "POST", "", NULL, NULL },
    { "/@s", "PUT", "", NULL, NULL },
    { "/@s/pkg/x", "PUT", "", NULL, NULL },

    /* a file of another package */

    { "/pkg/-/other-1.0.0.tgz/-rev/1", "DELETE", "", NULL, NULL },
    { "/pkg/-/pkg-other-1.0.0.tgz/-rev/1", "DELETE", "", NULL, NULL },
    { "/pkg/-/pkg.tgz/-rev/1", "DELETE", "", NULL, NULL },
    { "/pkg/-/pkg-/-rev/1", "DELETE", "", NULL, NULL },
    { "/pkg/-/Pkg-1.0.0.tgz/-rev/1", "DELETE", "", NULL, NULL },
    { "/pkg/-/pkg-1/../../../other/-/other-1.0.0.tgz/-rev/1", "DELETE", "",
      NULL, NULL },
    { "/pkg/-/pkg-1%2f..%2f..%2f..%2fother/-rev/1", "DELETE", "", NULL,
      NULL },
    { "/@s/pkg/-/s-pkg-1.0.0.tgz/-rev/1", "DELETE", "", NULL, NULL },
    { "/@s/pkg/-/@s/pkg-1.0.0.tgz/-rev/1", "DELETE", "", NULL, NULL },

    /* spellings */

    { "/pkg/", "PUT", "", NULL, NULL },
    { "//pkg", "PUT", "", NULL, NULL },
    { "/./pkg", "PUT", "", NULL, NULL },
    { "/other/../pkg", "PUT", "", NULL, NULL },
    { "/pkg/../other", "PUT", "", NULL, NULL },
    { "/pkg/-rev/../../other", "PUT", "", NULL, NULL },
    { "/pkg/-rev/..", "PUT", "", NULL, NULL },
    { "/pkg/-rev/%2e%2e", "PUT", "", NULL, NULL },
    { "/pkg%2f..%2fother", "PUT", "", NULL, NULL },
    { "/other%2f..%2fpkg", "PUT", "", NULL, NULL },
    { "/pkg%2f-rev%2f1", "PUT", "", NULL, NULL },
    { "/pkg/-rev%2f1", "PUT", "", NULL, NULL },
    { "/pkg/%2drev/1", "PUT", "", NULL, NULL },
    { "/pkg/-REV/1", "PUT", "", NULL, NULL },
    { "/-/PACKAGE/pkg/access", "POST", "", NULL, NULL },
    { "/%2d/package/pkg/access", "POST", "", NULL, NULL },
    { "/pkg;x", "PUT", "", NULL, NULL },
    { "/pkg/-rev/1;x", "PUT", "", NULL, NULL },
    { "/pkg\\..\\other", "PUT", "", NULL, NULL },
    { "/pkg%5cother", "PUT", "", NULL, NULL },
    { "/pkg%00", "PUT", "", NULL, NULL },
    { "/pkg%20", "PUT", "", NULL, NULL },
    { "/pkg%", "PUT", "", NULL, NULL },
    { "/pkg#/../other", "PUT", "", NULL, "/pkg" },
    { "/pkg%3fx", "PUT", "", NULL, NULL },
    { "/@s%252fpkg", "PUT", "", NULL, NULL },
    { "/%2540s%2fpkg", "PUT", "", NULL, NULL },
    { "/@s%2f%2fpkg", "PUT", "", NULL, NULL },
    { "/@s//pkg", "PUT", "", NULL, NULL },
    { "/@s%2f../pkg", "PUT", "", NULL, NULL },
    { "/@s%2fpkg%2fother", "PUT", "", NULL, NULL },
    { "/@s%2f@t%2fpkg", "PUT", "", NULL, NULL },
    { "/..%2f@s%2fpkg", "PUT", "", NULL, NULL },
    { "/pkg\303\251", "PUT", "", NULL, NULL },
    { "/pkg%c0%af..", "PUT", "", NULL, NULL },
    { "pkg", "PUT", "", NULL, NULL },
    { "*", "PUT", "", NULL, NULL },
    { "", "PUT", "", NULL, NULL }
};


typedef struct {
    const char     *path;
    const char     *method;
    npmtoken_op_e   op;
    const char     *fixed;
} unit_seed_t;


static unit_seed_t  seeds[] = {
    { "/-/ping", "GET", SESSION, "/-/ping" },
    { "/-/ping", "HEAD", SESSION, "/-/ping" },
    { "/-/v1/login", "POST", SESSION, "/-/v1/login" },
    { "/-/user/org.couchdb.user:alice", "PUT", SESSION,
      "/-/user/org.couchdb.user:" },
    { "/-/user/org.couchdb.user:alice", "GET", SESSION,
      "/-/user/org.couchdb.user:" },
    { "/-/user/org.couchdb.user:alice/-rev/1-a", "PUT", SESSION,
      "/-/user/org.couchdb.user:" },
    { "/-/npm/v1/oidc/token/exchange/package/pkg", "POST", SESSION,
      "/-/npm/v1/oidc/token/exchange/package/" },
    { "/-/npm/v1/security/advisories/bulk", "POST", READ,
      "/-/npm/v1/security/advisories/bulk" },
    { "/-/npm/v1/security/audits/quick", "POST", READ,
      "/-/npm/v1/security/audits/quick" },
    { "/-/npm/v1/security/audits", "POST", READ,
      "/-/npm/v1/security/audits" },
    { "/-/user/token/tok/en=", "DELETE", LOGOUT, "/-/user/token/" },

    { "/pkg", "PUT", WRITE, "/pkg" },
    { "/@s%2fpkg", "PUT", WRITE, "/@s%2fpkg" },
    { "/pkg/-rev/1-a", "DELETE", WRITE, "/pkg/-rev/1-a" },
    { "/pkg/-/pkg-1.0.0.tgz/-rev/1-a", "DELETE", WRITE,
      "/pkg/-/pkg-1.0.0.tgz/-rev/1-a" },
    { "/@s/pkg/-/pkg-1.0.0.tgz/-rev/1-a", "DELETE", WRITE,
      "/@s/pkg/-/pkg-1.0.0.tgz/-rev/1-a" },
    { "/-/package/pkg/dist-tags/t", "PUT", WRITE,
      "/-/package/pkg/dist-tags/t" },
    { "/-/package/%40s%2Fpkg/access", "POST", WRITE,
      "/-/package/%40s%2Fpkg/access" },
    { "/-/stage/package/pkg", "POST", WRITE, "/-/stage/package/pkg" },
    { "/-/npm/v1/tokens", "POST", WRITE, "/-/npm/v1/tokens" },
    { "/-/npm/v1/tokens/token/tok", "DELETE", WRITE,
      "/-/npm/v1/tokens/token/tok" },
    { "/-/npm/v1/user", "POST", WRITE, "/-/npm/v1/user" },
    { "/-/user/v1/star", "PUT", WRITE, "/-/user/v1/star" },
    { "/-/team/s/t", "DELETE", WRITE, "/-/team/s/t" }
};


/* put in between, or in the place of a slash */

static const char  *spellings[] = {
    "/", "//", "/./", "/../", "/x/../", "/..", "/.", "%2f", "%2F", "%252f",
    "/%2e/", "/%2e%2e/", "/.%2e/", "\\", "%5c", "/\\", ";", "/;/", ";x=y",
    "%3b", "%00", "%0a", "%0d%0a", "%20", "+", "%09", "%7f", "%c0%af",
    "%c0%2f", "%e0%80%af", "\300\257", "%ef%bc%8f", "#", "%23", "%3f", "%25",
    "%", "%2", "@", "%40", ":", "%3a", "-", ".", "..", "...", "a", "A", "_",
    "/-", "/-/", "/-/ping", "/-/v1/login", "/../-/ping", "/../../-/v1/login",
    "/../../../-/user/token/tok/en=", "%2f..%2f..%2f-/user/token/tok/en=",
    "/-/user/org.couchdb.user:a", "/../-/user/org.couchdb.user:a",
    "/../-/npm/v1/security/audits", "\\..\\-\\ping", "\001", "\177", " ", "\t",
    "/../other", "/../../other", "%2f..%2fother", "/-rev/../../other",
    "/-rev/1", "/-/pkg-1.0.0.tgz", "/other", "@t%2f"
};


/*
 * What nginx makes of a path: decoded once, slashes merged, dot segments
 * resolved.  Where it refuses the request the path is given as it came.
 */

static ngx_int_t
decode(const char *target, char *text)
{
    char          hex[3] = { 0, 0, 0 };
    const char   *p;

    for (p = target; *p; p++) {

        if (*p != '%') {
            *text++ = *p;
            continue;
        }

        if (!isxdigit((u_char) p[1]) || !isxdigit((u_char) p[2])) {
            return NGX_ERROR;
        }

        hex[0] = p[1];
        hex[1] = p[2];
        *text++ = (char) strtol(hex, NULL, 16);
        p += 2;

        if (text[-1] == '\0') {
            return NGX_ERROR;
        }
    }

    *text = '\0';

    return NGX_OK;
}


static void
normalise(const char *target, char *uri)
{
    char    text[4096], *p, *end, *out;
    size_t  len;

    if (*target != '/' || decode(target, text) != NGX_OK) {
        strcpy(uri, target);
        return;
    }

    out = uri;
    *out++ = '/';

    for (p = text + 1; *p; p = end + 1) {

        end = strchr(p, '/');
        len = end ? (size_t) (end - p) : strlen(p);

        if (len == 2 && p[0] == '.' && p[1] == '.') {

            if (out > uri + 1) {
                for (out--; out[-1] != '/'; out--) { /* void */ }
            }

        } else if (len && !(len == 1 && p[0] == '.')) {
            memcpy(out, p, len);
            out += len;

            if (end) {
                *out++ = '/';
            }
        }

        if (end == NULL) {
            break;
        }
    }

    *out = '\0';
}


static npmtoken_base_t *
make_base(const char *text)
{
    u_char                  *buf;
    ngx_str_t                path;
    static npmtoken_base_t   base;

    path = unit_str(text + (*text == '+'));
    buf = unit_room(2 * (path.len + 1));

    assert_int_equal(npmtoken_base_parse(&path, buf, &base), NGX_OK);

    base.page = (*text == '+');

    return &base;
}


static void
make_request(npmtoken_request_t *req, unit_request_t *row)
{
    char         path[4096], uri[4096];
    const char  *query;

    memset(req, 0, sizeof(npmtoken_request_t));

    query = strchr(row->target, '?');

    snprintf(path, sizeof(path), "%.*s",
             query ? (int) (query - row->target) : (int) strlen(row->target),
             row->target);

    if (row->uri) {
        strcpy(uri, row->uri);

    } else {
        normalise(path, uri);
    }

    req->method = unit_str(row->method);
    req->target = unit_str(path);
    req->uri = unit_str(uri);
    req->args = unit_str(query ? query + 1 : "");
    req->base = make_base(row->base ? row->base : "/");
    req->token = unit_str(row->token ? row->token : "");
}


static void
test_request(void **state)
{
    u_char              *buf;
    ngx_str_t            name;
    unit_request_t      *row = *state;
    npmtoken_request_t   req;

    make_request(&req, row);

    assert_int_equal(npmtoken_operation_class(&req), row->op);

    buf = unit_room(NPMTOKEN_PACKAGE_MAX);
    npmtoken_operation_package(&req, buf, &name);
    unit_assert_str(&name, row->package);

    req.override = 1;

    assert_int_equal(npmtoken_operation_class(&req), WRITE);
}


static void
assert_subject(npmtoken_request_t *req, const char *package)
{
    u_char     *buf;
    ngx_str_t   name;

    buf = unit_room(NPMTOKEN_PACKAGE_MAX);

    assert_int_equal(npmtoken_operation_subject(req, buf, &name),
                     *package ? NGX_OK : NGX_DECLINED);
    unit_assert_str(&name, package);

    req->override = 1;

    assert_int_equal(npmtoken_operation_subject(req, buf, &name),
                     NGX_DECLINED);
    assert_int_equal(name.len, 0);
}


static void
test_subject(void **state)
{
    unit_request_t       row;
    unit_subject_t      *subject = *state;
    npmtoken_request_t   req;

    memset(&row, 0, sizeof(row));

    row.target = subject->target;
    row.method = subject->method;
    row.base = subject->base;
    row.uri = subject->uri;

    make_request(&req, &row);
    assert_subject(&req, subject->package);
}


/* of what clients send, each write that has a package is about that one */

static void
test_seen_subject(void **state)
{
    const char          *staged;
    unit_request_t      *row = *state;
    npmtoken_request_t   req;

    make_request(&req, row);

    if (row->op != WRITE) {
        assert_subject(&req, "");
        return;
    }

    staged = "/-/stage/package/";

    assert_subject(&req, strncmp(row->target, staged, strlen(staged)) == 0
                         ? row->target + strlen(staged) : row->package);
}


/* the same, with what clients were seen to send */

#define UNIT_ROWS  1024

static unit_request_t  seen[UNIT_ROWS];


static npmtoken_op_e
class_of(const char *name)
{
    size_t  op;

    for (op = SESSION; op <= WRITE; op++) {
        if (strcmp((char *) npmtoken_operation_name(op)->data, name) == 0) {
            return op;
        }
    }

    fprintf(stderr, "no such class: \"%s\"\n", name);
    exit(2);
}


static size_t
read_requests(void)
{
    char   *file, line[1024], *method, *uri, *op, *package;
    FILE   *f;
    size_t  n;

    file = getenv("UNIT_REQUESTS");

    f = fopen(file ? file : "requests.tsv", "r");
    if (f == NULL) {
        perror("requests.tsv");
        exit(2);
    }

    n = 0;

    while (fgets(line, sizeof(line), f) && n < UNIT_ROWS) {

        if (line[0] == '#') {
            continue;
        }

        method = strtok(line, "\t\n");
        uri = strtok(NULL, "\t\n");
        op = strtok(NULL, "\t\n");
        package = strtok(NULL, "\t\n");

        if (package == NULL) {
            fprintf(stderr, "requests.tsv: a line is not complete\n");
            exit(2);
        }

        seen[n].method = strdup(method);
        seen[n].target = strdup(uri);
        seen[n].op = class_of(op);
        seen[n].package = strcmp(package, "-") ? strdup(package) : "";
        seen[n].token = "TOKEN=";
        n++;
    }

    fclose(f);

    return n;
}


/*
 * What is said to be about a package, decoded once, must be one of these
 * paths, with nothing in it that can be read in another way.  "*" stands for
 * a segment.
 */

static size_t  named;

static const char  *shapes[] = {
    "/%s", "/%s/-rev/*", "/%s/-/%s-[0-9]*/-rev/*",
    "/-/package/%s/dist-tags/*", "/-/package/%s/access", "/-/stage/package/%s"
};


static void
try_subject(npmtoken_request_t *req, const char *path)
{
    char         text[4096], shape[4096], package[NPMTOKEN_PACKAGE_MAX + 1];
    size_t       i;
    u_char      *buf;
    ngx_str_t    name;
    const char  *base;

    buf = unit_room(NPMTOKEN_PACKAGE_MAX);

    if (npmtoken_operation_subject(req, buf, &name) != NGX_OK) {
        return;
    }

    named++;

    snprintf(package, sizeof(package), "%.*s", (int) name.len, (char *) buf);

    base = strchr(package, '/');
    base = base ? base + 1 : package;

    if (decode(path, text) != NGX_OK
        || strpbrk(text, "\\;%?#\177") || strstr(text, "//")
        || fnmatch("*/.", text, 0) == 0 || fnmatch("*/..", text, 0) == 0
        || strstr(text, "/./") || strstr(text, "/../"))
    {
        fail_msg("%s is about a package", path);
    }

    for (i = 0; i < unit_n(shapes); i++) {
        snprintf(shape, sizeof(shape), shapes[i], package, base);

        if (fnmatch(shape, text, FNM_PATHNAME|FNM_NOESCAPE) == 0) {
            return;
        }
    }

    fail_msg("%s is about \"%s\"", path, package);
}


/*
 * The property: whatever is put into a path, it gets no better than its
 * method says.  Only a variable, which is what stands behind "fixed", may
 * take up something else and keep its class.
 */

static size_t  tried;


static void
try_spelling(unit_seed_t *seed, size_t at, const char *text, size_t skip)
{
    char                 path[4096];
    npmtoken_op_e        op, worst;
    unit_request_t       row;
    npmtoken_request_t   req;

    snprintf(path, sizeof(path), "%.*s%s%s", (int) at, seed->path, text,
             seed->path + at + skip);

    /* what came out may be the same, or another login to the letter */

    if (strcmp(path, seed->path) == 0
        || (at == 0 && strncmp(text, "/-/user/org.couchdb.user:", 25) == 0))
    {
        return;
    }

    memset(&row, 0, sizeof(row));

    row.target = path;
    row.method = seed->method;
    row.token = "tok/en=";

    make_request(&req, &row);

    op = npmtoken_operation_class(&req);
    tried++;

    try_subject(&req, path);

    worst = (seed->method[0] == 'G' || seed->method[0] == 'H') ? READ : WRITE;

    if (seed->op != WRITE
        && strncmp(path, seed->fixed, strlen(seed->fixed)) == 0
        && strlen(seed->path) > strlen(seed->fixed)
        && op == seed->op)
    {
        return;
    }

    if (op != worst) {
        fail_msg("%s %s is called %s", seed->method, path,
                 (char *) npmtoken_operation_name(op)->data);
    }
}


static void
test_spellings(void **state)
{
    char          hex[16], ch[2] = { 0, 0 };
    size_t        i, k, len;
    unit_seed_t  *seed = *state;

    len = strlen(seed->path);

    for (i = 0; i <= len; i++) {

        for (k = 0; k < unit_n(spellings); k++) {

            try_spelling(seed, i, spellings[k], 0);

            if (i < len) {
                try_spelling(seed, i, spellings[k], 1);
            }
        }

        if (i == len) {
            break;
        }

        ch[0] = seed->path[i] ^ 0x20;

        if (isalpha((u_char) ch[0])) {
            try_spelling(seed, i, ch, 1);
        }

        sprintf(hex, "%%%02x", (u_char) seed->path[i]);
        try_spelling(seed, i, hex, 1);

        sprintf(hex, "%%25%02x", (u_char) seed->path[i]);
        try_spelling(seed, i, hex, 1);

        try_spelling(seed, i, "", 1);
    }
}


/* the longest name, and one byte more */

static void
test_package_length(void **state)
{
    char                 path[NPMTOKEN_PACKAGE_MAX + 3];
    u_char              *buf;
    ngx_str_t            name;
    unit_request_t       row;
    npmtoken_request_t   req;

    (void) state;

    memset(&row, 0, sizeof(row));
    memset(path, 'a', sizeof(path));

    path[0] = '/';
    path[NPMTOKEN_PACKAGE_MAX + 1] = '\0';

    row.target = path;
    row.method = "GET";

    make_request(&req, &row);
    buf = unit_room(NPMTOKEN_PACKAGE_MAX);

    npmtoken_operation_package(&req, buf, &name);
    assert_int_equal(name.len, NPMTOKEN_PACKAGE_MAX);
    assert_ptr_equal(name.data, buf);

    path[NPMTOKEN_PACKAGE_MAX + 1] = 'a';
    path[NPMTOKEN_PACKAGE_MAX + 2] = '\0';

    make_request(&req, &row);

    npmtoken_operation_package(&req, buf, &name);
    assert_int_equal(name.len, 0);
}


typedef struct {
    const char  *line;
    const char  *secret;      /* "": none */
} unit_secret_t;


static unit_secret_t  secrets[] = {
    { "/-/user/token/abc", "abc" },
    { "/npm/-/user/token/abc", "abc" },
    { "DELETE /npm/-/user/token/npm_abc HTTP/1.1", "npm_abc" },
    { "DELETE /-/npm/v1/tokens/token/KEY HTTP/1.1", "KEY" },
    { "DELETE /-/user/token/ab%2Fc%3D%3D HTTP/1.1\r\n", "ab%2Fc%3D%3D" },
    { "DELETE /-/user/token/ab/c== HTTP/1.1", "ab/c==" },
    { "DELETE /-/user/token/abc\r\n", "abc" },
    { "DELETE /-/user/token/abc?x=y HTTP/1.1", "abc" },
    { "delete http://user:80/-/user/token/abc HTTP/1.0", "abc" },
    { "/-/USER/Token/abc", "abc" },
    { "/-/user//token///abc", "//abc" },
    { "/-/user/./token/./abc", "./abc" },
    { "/-/user/x/../token/abc", "abc" },
    { "/x/../-/user/token/abc", "abc" },
    { "/-/%75ser/%74%6F%6b%65n/abc", "abc" },
    { "/-%2fuser%2ftoken%2Fabc", "abc" },
    { "/-%252fuser%252ftoken%252Fabc", "abc" },
    { "/-/%2575ser/token/abc", "abc" },
    { "/-/user;a=b/token;c/abc", "abc" },
    { "\\-\\user\\token\\abc", "abc" },
    { "/-/user%5ctoken%5cabc", "abc" },
    { "/-/npm/v1/Tokens/%74oken/KEY", "KEY" },
    { "/pkg?next=/-/user/token/abc", "abc" },
    { "/-/user/token/a", "a" },

    { "", "" },
    { "/", "" },
    { "/-/user/token", "" },
    { "/-/user/token/", "" },
    { "DELETE /-/user/token/ HTTP/1.1", "" },
    { "DELETE /-/user/token HTTP/1.1", "" },
    { "/-/npm/v1/tokens", "" },
    { "POST /-/npm/v1/tokens HTTP/1.1", "" },
    { "GET /token/-/token-1.0.0.tgz HTTP/1.1", "" },
    { "GET /user/-/user-1.0.0.tgz HTTP/1.1", "" },
    { "GET /@user%2ftoken HTTP/1.1", "" },
    { "GET /@user/token/-/token-1.0.0.tgz HTTP/1.1", "" },
    { "POST /-/npm/v1/oidc/token/exchange/package/pkg HTTP/1.1", "" },
    { "PUT /-/user/org.couchdb.user:token/x HTTP/1.1", "" },
    { "/-/users/token/abc", "" },
    { "/-/user/tokens/abc", "" },
    { "/-/user/tokenabc/def", "" },
    { "/-/user/%74oken%", "" }
};


static void
test_secret(void **state)
{
    ngx_str_t       line, secret;
    unit_secret_t  *row = *state;

    line = unit_str(row->line);

    assert_int_equal(npmtoken_secret_find(&line, &secret),
                     row->secret[0] ? NGX_OK : NGX_DECLINED);

    unit_assert_str(&secret, row->secret);
}


int
main(void)
{
    int     failed;
    size_t  n;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_package_length)
    };

    n = read_requests();

    if (n < 100) {
        fprintf(stderr, "requests.tsv: only %zu requests\n", n);
        return 2;
    }

    failed = unit_run("operation: seen", test_request, seen, sizeof(seen[0]),
                      n);

    failed += unit_run("operation: clients", test_request, clients,
                       sizeof(clients[0]), unit_n(clients));

    failed += unit_run("operation: traps", test_request, traps,
                       sizeof(traps[0]), unit_n(traps));

    failed += unit_run("operation: subjects", test_subject, subjects,
                       sizeof(subjects[0]), unit_n(subjects));

    failed += unit_run("operation: subjects seen", test_seen_subject, seen,
                       sizeof(seen[0]), n);

    failed += unit_run("operation: secrets", test_secret, secrets,
                       sizeof(secrets[0]), unit_n(secrets));

    failed += unit_run("operation: spellings", test_spellings, seeds,
                       sizeof(seeds[0]), unit_n(seeds));

    printf("%zu spellings tried, %zu about a package\n", tried, named);

    if (named < 100) {
        failed++;
    }

    failed += cmocka_run_group_tests_name("operation", tests, NULL, NULL);

    return failed != 0;
}
