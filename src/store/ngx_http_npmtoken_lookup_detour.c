
#include "ngx_http_npmtoken_lookup_detour.h"
#include "ngx_http_npmtoken_lookup_try.h"


/* what a look-up has that goes to another node of a cluster, for this once */

struct ngx_http_npmtoken_lookup_detour_s {
    ngx_http_npmtoken_detour_job_t  job;
    ngx_event_t                     timer;
    ngx_http_npmtoken_command_t     commands[2];
    ngx_str_t                       words[2][2];
    u_char                          name[NGX_HTTP_NPMTOKEN_MAX_RECORDS
                                         + NPMTOKEN_KEY_LEN];
};


static ngx_int_t ngx_http_npmtoken_lookup_detour_begin(
    ngx_http_npmtoken_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_npmtoken_lookup_detour_handler(
    ngx_http_npmtoken_detour_job_t *job, redisReply *reply);
static void ngx_http_npmtoken_lookup_detour_timer_handler(ngx_event_t *ev);


/*
 * Both commands go to the node that the slot is being moved to, after ASKING.
 * What they tell is not pushed by the feed's server: it is not cached, and
 * nobody joins this look-up.
 */

void
ngx_http_npmtoken_lookup_detour_leave(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_http_npmtoken_lookups_t  *lookups;

    lookups = lookup->lookups;

    ngx_http_npmtoken_connection_works(&lookups->conn);

    ngx_http_npmtoken_lookup_remove(lookup);
    ngx_queue_insert_tail(&lookups->away, &lookup->queue);
    ngx_http_npmtoken_lookup_set_timer(lookups);

    ngx_http_npmtoken_lookup_try_reset(lookup);
    ngx_http_npmtoken_stamp_void(&lookup->stamp);

    if (ngx_http_npmtoken_lookup_detour_begin(lookup, reply) != NGX_OK) {
        ngx_queue_remove(&lookup->queue);
        ngx_http_npmtoken_lookup_done(lookup, NGX_ERROR);
    }
}


static ngx_int_t
ngx_http_npmtoken_lookup_detour_begin(ngx_http_npmtoken_lookup_t *lookup,
    redisReply *reply)
{
    ngx_msec_int_t                      left;
    ngx_http_npmtoken_lookups_t        *lookups;
    ngx_http_npmtoken_lookup_detour_t  *detour;

    lookups = lookup->lookups;

    if (lookups->detour == NULL) {
        lookups->detour = ngx_http_npmtoken_detour_create(&lookups->conn);
    }

    detour = ngx_calloc(sizeof(ngx_http_npmtoken_lookup_detour_t),
                        ngx_cycle->log);

    if (lookups->detour == NULL || detour == NULL) {
        return NGX_ERROR;
    }

    lookup->detour = detour;

    ngx_http_npmtoken_lookup_try_commands(lookup, detour->commands,
                                          detour->words, detour->name);

    detour->job.commands = detour->commands;
    detour->job.ncommands = 2;
    detour->job.handler = ngx_http_npmtoken_lookup_detour_handler;
    detour->job.data = lookup;

    if (ngx_http_npmtoken_detour_add(lookups->detour, &lookups->conn, reply,
                                     &detour->job)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    detour->timer.handler = ngx_http_npmtoken_lookup_detour_timer_handler;
    detour->timer.data = lookup;
    detour->timer.log = ngx_cycle->log;

    left = lookup->deadline - ngx_current_msec;

    ngx_add_timer(&detour->timer, (ngx_msec_t) ngx_max(left, 1));

    ngx_http_npmtoken_lookup_debug(lookup->key, "asks another node, ms left",
                                   left);
    return NGX_OK;
}


static ngx_int_t
ngx_http_npmtoken_lookup_detour_handler(ngx_http_npmtoken_detour_job_t *job,
    redisReply *reply)
{
    ngx_int_t                    rc;
    ngx_http_npmtoken_lookup_t  *lookup = job->data;

    rc = NGX_ERROR;

    if (reply && !lookup->replied) {
        lookup->replied = 1;

        lookup->rc = ngx_http_npmtoken_reply_record(&lookup->lookups->logged,
                                                    lookup->key, reply,
                                                    &lookup->record);

        return lookup->rc == NGX_ABORT ? NGX_ERROR : NGX_OK;
    }

    if (reply) {
        rc = ngx_http_npmtoken_lookup_try_ttl(lookup, reply);
        rc = ngx_http_npmtoken_lookup_try_cache(lookup, rc);
    }

    ngx_queue_remove(&lookup->queue);
    ngx_http_npmtoken_lookup_done(lookup, rc == NGX_ABORT ? NGX_ERROR : rc);

    return rc == NGX_ABORT ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_npmtoken_lookup_detour_timer_handler(ngx_event_t *ev)
{
    ngx_http_npmtoken_lookup_t  *lookup = ev->data;

    ngx_http_npmtoken_lookup_debug(lookup->key, "timed out, sent",
                                   lookup->detour->job.sent);

    ngx_http_npmtoken_detour_expire(lookup->lookups->detour,
                                    &lookup->detour->job);
}


void
ngx_http_npmtoken_lookup_detour_free(ngx_http_npmtoken_lookup_t *lookup)
{
    if (lookup->detour) {

        if (lookup->detour->timer.timer_set) {
            ngx_del_timer(&lookup->detour->timer);
        }

        ngx_free(lookup->detour);
    }
}
