
/*
 * Where look-ups wait for a proof ("proof_replicas"): before they are sent, and
 * once more before they are answered.  Without "proof_replicas" the gate is
 * open.
 */


#ifndef _NGX_HTTP_NPMTOKEN_LOOKUP_GATE_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_LOOKUP_GATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_lookup_parts.h"


/* Prepares the gate of a worker's look-ups. */
void ngx_http_npmtoken_lookup_gate_init(ngx_http_npmtoken_lookups_t *lookups);

/*
 * Whether a look-up may be sent now: nobody waits, and a proof vouches for the
 * server that the connection leads to.
 */
ngx_uint_t ngx_http_npmtoken_lookup_gate_vouched(
    ngx_http_npmtoken_lookups_t *lookups);

/* Lets look-ups wait; ngx_http_npmtoken_lookup_pass() is called soon. */
void ngx_http_npmtoken_lookup_gate_wait(ngx_http_npmtoken_lookups_t *lookups);

/* Whether a proof is wanted for what a look-up has read, and there is none. */
ngx_uint_t ngx_http_npmtoken_lookup_gate_unproven(
    ngx_http_npmtoken_lookup_t *lookup);


#endif /* _NGX_HTTP_NPMTOKEN_LOOKUP_GATE_H_INCLUDED_ */
