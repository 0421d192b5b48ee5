
/*
 * Record, operation, address, time -> verdict.
 */


#ifndef _NPMTOKEN_VERDICT_H_INCLUDED_
#define _NPMTOKEN_VERDICT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "npmtoken_operation.h"
#include "npmtoken_record.h"


typedef enum {
    NPMTOKEN_ALLOW = 0,
    NPMTOKEN_NO_TOKEN,
    NPMTOKEN_BAD_TOKEN,
    NPMTOKEN_UNKNOWN,
    NPMTOKEN_REVOKED,
    NPMTOKEN_EXPIRED,
    NPMTOKEN_CIDR,
    NPMTOKEN_READONLY,
    NPMTOKEN_PACKAGE,
    NPMTOKEN_BAD_RECORD,
    NPMTOKEN_SESSION,
    NPMTOKEN_PROTECTED,
    NPMTOKEN_UNAVAILABLE,

    NPMTOKEN_REASONS                   /* how many there are */
} npmtoken_reason_e;


/* the facts of a reason; the strings are constants */

typedef struct {
    ngx_str_t             name;        /* in logs, variables and JSON */
    ngx_uint_t            status;      /* HTTP, 0 for "allow" */
    ngx_str_t             challenge;   /* WWW-Authenticate, or empty */
} npmtoken_reason_t;


/* what a sentence may name; an empty string: not known */

typedef struct {
    ngx_str_t             short_key;
    ngx_str_t             address;
    ngx_str_t             expired;     /* a date */
    unsigned              blank:1;     /* Authorization was there, and had no
                                          credentials */
} npmtoken_facts_t;


/* the most bytes of a sentence */
#define NPMTOKEN_SENTENCE_MAX  512


npmtoken_reason_t *npmtoken_verdict_reason(npmtoken_reason_e reason);

/*
 * Judges a request that is about no package and whose record is known.  "now"
 * is in seconds since the epoch.  A token in any state may log itself out,
 * unless its record is bad or protected.  A token that is limited to packages
 * may not write, which is the last thing judged.  A session of the page that is
 * good otherwise is NPMTOKEN_SESSION: the page's own calls take that for a yes.
 */
npmtoken_reason_e npmtoken_verdict(npmtoken_record_t *record,
    npmtoken_op_e op, struct sockaddr *sockaddr, int64_t now);

/*
 * NPMTOKEN_ALLOW if the token may write to the package, else NPMTOKEN_PACKAGE.
 * An empty name is no package.
 */
npmtoken_reason_e npmtoken_verdict_package(npmtoken_record_t *record,
    ngx_str_t *package);

/*
 * The package of a write, as npmtoken_operation_subject() gives it: called
 * only where the verdict depends on it.
 */
typedef ngx_int_t (*npmtoken_subject_pt)(void *data, u_char *buf,
    ngx_str_t *name);

/* a write by a token that is limited to packages; "subject" says to which */
npmtoken_reason_e npmtoken_verdict_subject(npmtoken_record_t *record,
    npmtoken_subject_pt subject, void *data);

/*
 * Judges a request that may be about a package, else as npmtoken_verdict().
 * Inline: what is allowed otherwise needs to know no package.
 */

static ngx_inline npmtoken_reason_e
npmtoken_verdict_request(npmtoken_record_t *record, npmtoken_op_e op,
    struct sockaddr *sockaddr, int64_t now, npmtoken_subject_pt subject,
    void *data)
{
    npmtoken_reason_e  reason;

    reason = npmtoken_verdict(record, op, sockaddr, now);

    if (reason == NPMTOKEN_ALLOW) {
        return NPMTOKEN_ALLOW;
    }

    return (reason == NPMTOKEN_PACKAGE)
           ? npmtoken_verdict_subject(record, subject, data) : reason;
}

/*
 * Writes the sentence for a person to "buf" of NPMTOKEN_SENTENCE_MAX bytes.  It
 * is printable ASCII without quotes and backslashes, so a header and JSON take
 * it as it is.  Returns its end.
 */
u_char *npmtoken_verdict_sentence(npmtoken_reason_e reason,
    npmtoken_facts_t *facts, u_char *buf);


#endif /* _NPMTOKEN_VERDICT_H_INCLUDED_ */
