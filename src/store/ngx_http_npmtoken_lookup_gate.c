
#include "ngx_http_npmtoken_lookup_gate.h"
#include "ngx_http_npmtoken_greeting.h"


/* milliseconds between two looks whether there is a proof */
#define NGX_HTTP_NPMTOKEN_GATE_TICK  5


static void ngx_http_npmtoken_lookup_gate_handler(ngx_event_t *ev);


void
ngx_http_npmtoken_lookup_gate_init(ngx_http_npmtoken_lookups_t *lookups)
{
    /* who waits at the gate has the other timer, too */

    lookups->gate.handler = ngx_http_npmtoken_lookup_gate_handler;
    lookups->gate.data = lookups;
    lookups->gate.log = ngx_cycle->log;
    lookups->gate.cancelable = 1;
}


/*
 * rule: lookup-is-no-proof ("proof_replicas").  What a master says that was
 * succeeded is old, whenever it is asked.  So a look-up waits here while no
 * proof vouches for the server that it goes to.  Nothing overtakes those that
 * wait, since replies belong to look-ups by their order.
 */

ngx_uint_t
ngx_http_npmtoken_lookup_gate_vouched(ngx_http_npmtoken_lookups_t *lookups)
{
    ngx_http_npmtoken_lookup_conf_t  *conf;

    conf = lookups->conf;

    if (conf->replicas == 0) {
        return 1;
    }

    return !lookups->gate.timer_set
           && ngx_http_npmtoken_greeting_leads_to(&lookups->conn,
                                                  lookups->server)
           && ngx_http_npmtoken_proof_vouched(ngx_http_npmtoken_proof(conf),
                                         lookups->epoch,
                                         ngx_http_npmtoken_proof_clock() + 1,
                                         conf->bound);
}


void
ngx_http_npmtoken_lookup_gate_wait(ngx_http_npmtoken_lookups_t *lookups)
{
    if (!lookups->gate.timer_set) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, &lookups->conn.log, 0,
                       "npmtoken look-ups wait for a proof, epoch %uL",
                       lookups->epoch);

        ngx_add_timer(&lookups->gate, NGX_HTTP_NPMTOKEN_GATE_TICK);
    }
}


static void
ngx_http_npmtoken_lookup_gate_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_lookups_t  *lookups = ev->data;

    if (!ngx_queue_empty(&lookups->queue)) {
        ngx_http_npmtoken_lookup_pass(lookups);
    }
}


/*
 * rule: lookup-is-no-proof.  Those who wait are answered by a proof as well: it
 * may have ended while the reply was on its way.
 */

ngx_uint_t
ngx_http_npmtoken_lookup_gate_unproven(ngx_http_npmtoken_lookup_t *lookup)
{
    ngx_http_npmtoken_lookup_conf_t  *conf;

    conf = lookup->lookups->conf;

    return conf->replicas
           && !ngx_http_npmtoken_proof_vouched(ngx_http_npmtoken_proof(conf),
                             ngx_http_npmtoken_word_number(lookup->stamp.word),
                             ngx_http_npmtoken_proof_clock() + 1,
                             conf->bound);
}
