
/*
 * Whether the server of the feed has the slot of the store, if that server is
 * a node of a Redis Cluster.
 *
 * The answer comes by EXISTS of a key that is never made.  A node answers 0
 * only if it has the key's slot and is not giving it away: otherwise MOVED or
 * ASK.  So after 0, whatever was changed before has been changed there, or was
 * brought there by MIGRATE, which is pushed as well.
 *
 * The question has a connection of its own, since the feed's is subscribed and
 * takes no such command.
 */


#ifndef _NGX_HTTP_NPMTOKEN_SLOT_H_INCLUDED_
#define _NGX_HTTP_NPMTOKEN_SLOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_npmtoken_connection.h"


typedef struct ngx_http_npmtoken_slot_s  ngx_http_npmtoken_slot_t;


/*
 * Called with the answer.  It may ask again, or close.
 * NGX_OK: the server has the slot, and did when it answered.
 * NGX_AGAIN: it has it, but gives it away, or the key exists.
 * NGX_DECLINED: another one has it; "reply" says which.
 * NGX_ERROR: there is no answer, or another one, which is then "reply".
 */
typedef void (*ngx_http_npmtoken_slot_pt)(void *data, ngx_int_t rc,
    redisReply *reply);


/* Returns NULL if there is no memory.  "feed" must outlive it. */
ngx_http_npmtoken_slot_t *ngx_http_npmtoken_slot_create(
    ngx_http_npmtoken_connection_t *feed, ngx_http_npmtoken_slot_pt handler,
    void *data);

/*
 * Asks the server that "feed" leads to now.  There is one question at a time.
 * The handler is not called while the server cannot be reached: the caller has
 * a time-out.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_npmtoken_slot_ask(ngx_http_npmtoken_slot_t *slot);

/* Ends the question and closes the connection. */
void ngx_http_npmtoken_slot_close(ngx_http_npmtoken_slot_t *slot);

void ngx_http_npmtoken_slot_destroy(ngx_http_npmtoken_slot_t *slot);


#endif /* _NGX_HTTP_NPMTOKEN_SLOT_H_INCLUDED_ */
