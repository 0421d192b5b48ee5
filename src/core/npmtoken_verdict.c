
/*
 * Record, operation, address, time -> verdict.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_cidr.h"
#include "npmtoken_package.h"
#include "npmtoken_verdict.h"


/* the most bytes of a fact in a sentence */
#define NPMTOKEN_FACT_MAX  64


/*
 * In a sentence "%T" stands for the token with its short key, "%A" for the
 * address, and "%E" for the date of expiry.
 */

typedef struct {
    npmtoken_reason_t     reason;
    char                 *sentence;
    char                 *no_key;     /* the sentence without a short key, or
                                         NULL: the same */
    char                 *blank;      /* the one for a scheme by itself, or
                                         NULL: the same */
} npmtoken_reason_row_t;


static npmtoken_reason_e npmtoken_verdict_closed(npmtoken_record_t *record,
    int64_t now);
static u_char *npmtoken_verdict_fact(u_char *p, u_char *last, char *before,
    ngx_str_t *fact, char *unknown);
static u_char *npmtoken_verdict_append(u_char *p, u_char *last, u_char *text,
    size_t len);


static npmtoken_reason_row_t  npmtoken_reasons[NPMTOKEN_REASONS] = {

    [NPMTOKEN_ALLOW] =
    { { ngx_string("allow"), 0, ngx_null_string },
      "The request is allowed.",
      NULL, NULL },

    [NPMTOKEN_NO_TOKEN] =
    { { ngx_string("no_token"), 401, ngx_string("Bearer") },
      "This registry needs a token. "
      "Run npm login, or put a token in .npmrc.",
      NULL,

      /* a scheme with nothing behind it */

      "This registry needs a token behind Bearer, and there was none. Check "
      "the token in .npmrc (is an environment variable in it not set?), or "
      "run npm login."
    },

    [NPMTOKEN_BAD_TOKEN] =
    { { ngx_string("bad_token"), 401, ngx_string("Bearer") },
      "What was sent as a token is not one. Check the token in .npmrc "
      "(is an environment variable in it not set?), or run npm login.",
      NULL, NULL },

    [NPMTOKEN_UNKNOWN] =
    { { ngx_string("unknown"), 401, ngx_string("Bearer") },
      "%T is unknown or was revoked. "
      "Run npm login, or put a valid token in .npmrc.",

      /* credentials of another scheme than Bearer have no key */

      "This registry knows tokens only, not the credentials sent. "
      "Run npm login, or put a valid token in .npmrc.",
      NULL },

    [NPMTOKEN_REVOKED] =
    { { ngx_string("revoked"), 401, ngx_string("Bearer") },
      "%T was revoked. "
      "Run npm login, or put a valid token in .npmrc.",
      NULL, NULL },

    [NPMTOKEN_EXPIRED] =
    { { ngx_string("expired"), 401, ngx_string("Bearer") },
      "%T expired%E. "
      "Run npm login, or put a new token in .npmrc.",
      NULL, NULL },

    [NPMTOKEN_CIDR] =
    { { ngx_string("cidr"), 401, ngx_string("ipaddress") },
      "%T may not be used from %A. Work from an address that it allows, "
      "or ask the registry's administrator for another token.",
      NULL, NULL },

    [NPMTOKEN_READONLY] =
    { { ngx_string("readonly"), 403, ngx_null_string },
      "%T is read-only: it can install packages, but not publish or change "
      "anything. Put a token with full permission in .npmrc, or ask the "
      "registry's administrator for one.",
      NULL, NULL },

    [NPMTOKEN_PACKAGE] =
    { { ngx_string("package"), 403, ngx_null_string },
      "%T is limited to certain packages: it can install any, but publish "
      "and change only those. Put a token that may do this in .npmrc, or ask "
      "the registry's administrator for one.",
      NULL, NULL },

    [NPMTOKEN_BAD_RECORD] =
    { { ngx_string("bad_record"), 403, ngx_null_string },
      "%T cannot be used: what the registry has on record about it is not "
      "valid. Ask the registry's administrator to correct it.",
      NULL, NULL },

    [NPMTOKEN_SESSION] =
    { { ngx_string("session"), 401, ngx_string("Bearer") },
      "%T is a login to the registry's web page, and is good there only. "
      "Run npm login, or put a valid token in .npmrc.",
      NULL, NULL },

    [NPMTOKEN_PROTECTED] =
    { { ngx_string("protected"), 403, ngx_null_string },
      "%T is shared and cannot be logged out. To stop using it here, "
      "remove it from .npmrc.",
      NULL, NULL },

    [NPMTOKEN_UNAVAILABLE] =
    { { ngx_string("unavailable"), 503, ngx_null_string },
      "Tokens cannot be checked at the moment. Try again soon; "
      "if it lasts, tell the registry's administrator.",
      NULL, NULL }
};


npmtoken_reason_t *
npmtoken_verdict_reason(npmtoken_reason_e reason)
{
    return &npmtoken_reasons[reason].reason;
}


npmtoken_reason_e
npmtoken_verdict(npmtoken_record_t *record, npmtoken_op_e op,
    struct sockaddr *sockaddr, int64_t now)
{
    if (op == NPMTOKEN_OP_LOGOUT) {

        /* the bad field may have been "protected" */

        if (record->bad) {
            return NPMTOKEN_BAD_RECORD;
        }

        return record->protected ? NPMTOKEN_PROTECTED : NPMTOKEN_ALLOW;
    }

    /* one test for all three, which hardly any token is */

    if (record->revoked || record->bad || record->session) {
        return npmtoken_verdict_closed(record, now);
    }

    if (now >= record->expires_at) {
        return NPMTOKEN_EXPIRED;
    }

    if (record->ranges_only
        && !npmtoken_cidr_contains(npmtoken_record_ranges(record),
                                   record->ranges_len, sockaddr))
    {
        return NPMTOKEN_CIDR;
    }

    if (op == NPMTOKEN_OP_WRITE) {

        if (record->readonly) {
            return NPMTOKEN_READONLY;
        }

        if (record->packages_only) {
            return NPMTOKEN_PACKAGE;
        }
    }

    return NPMTOKEN_ALLOW;
}


static npmtoken_reason_e
npmtoken_verdict_closed(npmtoken_record_t *record, int64_t now)
{
    if (record->revoked) {
        return NPMTOKEN_REVOKED;
    }

    if (now >= record->expires_at) {
        return NPMTOKEN_EXPIRED;
    }

    return record->bad ? NPMTOKEN_BAD_RECORD : NPMTOKEN_SESSION;
}


npmtoken_reason_e
npmtoken_verdict_package(npmtoken_record_t *record, ngx_str_t *package)
{
    if (npmtoken_package_listed(npmtoken_record_packages(record),
                                record->packages_len, NPMTOKEN_PACKAGE_NAMES,
                                package))
    {
        return NPMTOKEN_ALLOW;
    }

    if (npmtoken_package_listed(npmtoken_record_scopes(record),
                                record->scopes_len, NPMTOKEN_PACKAGE_SCOPES,
                                package))
    {
        return NPMTOKEN_ALLOW;
    }

    return NPMTOKEN_PACKAGE;
}


npmtoken_reason_e
npmtoken_verdict_subject(npmtoken_record_t *record,
    npmtoken_subject_pt subject, void *data)
{
    u_char     buf[NPMTOKEN_PACKAGE_MAX];
    ngx_str_t  package;

    if (subject(data, buf, &package) != NGX_OK) {
        return NPMTOKEN_PACKAGE;
    }

    return npmtoken_verdict_package(record, &package);
}


u_char *
npmtoken_verdict_sentence(npmtoken_reason_e reason, npmtoken_facts_t *facts,
    u_char *buf)
{
    char                   *s;
    u_char                 *p, *last;
    npmtoken_reason_row_t  *row;

    row = &npmtoken_reasons[reason];

    s = row->sentence;

    if (row->no_key && facts->short_key.len == 0) {
        s = row->no_key;
    }

    if (row->blank && facts->blank) {
        s = row->blank;
    }

    p = buf;
    last = buf + NPMTOKEN_SENTENCE_MAX;

    for ( /* void */ ; *s; s++) {

        if (*s != '%') {
            p = npmtoken_verdict_append(p, last, (u_char *) s, 1);
            continue;
        }

        switch (*++s) {

        case 'T':
            p = npmtoken_verdict_fact(p, last, "Token ", &facts->short_key,
                                      "This token");
            break;

        case 'A':
            p = npmtoken_verdict_fact(p, last, "address ", &facts->address,
                                      "here");
            break;

        default: /* 'E' */
            p = npmtoken_verdict_fact(p, last, " on ", &facts->expired, "");
        }
    }

    return p;
}


static u_char *
npmtoken_verdict_fact(u_char *p, u_char *last, char *before, ngx_str_t *fact,
    char *unknown)
{
    if (fact->len == 0) {
        return npmtoken_verdict_append(p, last, (u_char *) unknown,
                                       ngx_strlen(unknown));
    }

    p = npmtoken_verdict_append(p, last, (u_char *) before,
                                ngx_strlen(before));

    return npmtoken_verdict_append(p, last, fact->data,
                                   ngx_min(fact->len, NPMTOKEN_FACT_MAX));
}


/* replaces each character that a header or JSON would have to escape */

static u_char *
npmtoken_verdict_append(u_char *p, u_char *last, u_char *text, size_t len)
{
    u_char  *end;

    for (end = text + len; text < end && p < last; text++) {

        *p++ = (*text < 0x20 || *text >= 0x7f || *text == '"' || *text == '\\')
               ? '?' : *text;
    }

    return p;
}
