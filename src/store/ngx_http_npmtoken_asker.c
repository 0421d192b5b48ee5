
#include "ngx_http_npmtoken_asker.h"


/* an address with look-ups for tokens of which the cache has no record */

struct ngx_http_npmtoken_asker_s {
    ngx_str_node_t                 sn;         /* by network */
    ngx_uint_t                     lookups;
    u_char                         network[NPMTOKEN_NETWORK_LEN];
};


static ngx_http_npmtoken_asker_t *ngx_http_npmtoken_asker_find(
    ngx_http_npmtoken_askers_t *askers, u_char *network);
static void ngx_http_npmtoken_asker_queue_full(
    ngx_http_npmtoken_askers_t *askers, ngx_uint_t n);
static void ngx_http_npmtoken_asker_share_full(
    ngx_http_npmtoken_askers_t *askers, u_char *network);


void
ngx_http_npmtoken_asker_init(ngx_http_npmtoken_askers_t *askers,
    ngx_str_t *store, ngx_uint_t queue, ngx_uint_t share)
{
    askers->store = store;
    askers->queue = queue;
    askers->share = share;

    ngx_rbtree_init(&askers->tree, &askers->sentinel,
                    ngx_str_rbtree_insert_value);
}


ngx_uint_t
ngx_http_npmtoken_asker_room(ngx_http_npmtoken_askers_t *askers,
    u_char *network)
{
    ngx_uint_t                  n;
    ngx_http_npmtoken_asker_t  *asker;

    n = network ? askers->unknown : askers->known;

    if (n >= askers->queue) {
        ngx_http_npmtoken_asker_queue_full(askers, n);
        return 0;
    }

    if (network == NULL) {
        return 1;
    }

    asker = ngx_http_npmtoken_asker_find(askers, network);

    if (asker && asker->lookups >= askers->share) {
        ngx_http_npmtoken_asker_share_full(askers, network);
        return 0;
    }

    return 1;
}


static ngx_http_npmtoken_asker_t *
ngx_http_npmtoken_asker_find(ngx_http_npmtoken_askers_t *askers,
    u_char *network)
{
    ngx_str_t  name;

    name.data = network;
    name.len = NPMTOKEN_NETWORK_LEN;

    return (ngx_http_npmtoken_asker_t *)
               ngx_str_rbtree_lookup(&askers->tree, &name,
                               ngx_crc32_short(network, NPMTOKEN_NETWORK_LEN));
}


static void
ngx_http_npmtoken_asker_queue_full(ngx_http_npmtoken_askers_t *askers,
    ngx_uint_t n)
{
    ngx_uint_t  omitted;

    if (!npmtoken_seldom(&askers->queue_full, 0, ngx_time(), &omitted)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": \"lookup_queue\" is full, %ui "
                  "look-ups are under way: one more is refused, %ui since this "
                  "was last logged",
                  askers->store, n, omitted);
}


static void
ngx_http_npmtoken_asker_share_full(ngx_http_npmtoken_askers_t *askers,
    u_char *network)
{
    size_t      len;
    u_char      text[NGX_INET6_ADDRSTRLEN];
    ngx_uint_t  omitted;

    if (!npmtoken_seldom(&askers->share_full, 0, ngx_time(), &omitted)) {
        return;
    }

    len = ngx_inet6_ntop(network, text, NGX_INET6_ADDRSTRLEN);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "npmtoken_store \"%V\": \"lookup_share\" of the address %*s "
                  "is full, %ui look-ups for tokens that are not in the cache "
                  "are under way: one more is refused, %ui of any address "
                  "since this was last logged",
                  askers->store, len, text, askers->share, omitted);
}


ngx_int_t
ngx_http_npmtoken_asker_count(ngx_http_npmtoken_askers_t *askers,
    u_char *network, ngx_http_npmtoken_asker_t **askerp)
{
    ngx_http_npmtoken_asker_t  *asker;

    *askerp = NULL;

    if (network == NULL) {
        askers->known++;
        return NGX_OK;
    }

    asker = ngx_http_npmtoken_asker_find(askers, network);

    if (asker == NULL) {
        asker = ngx_calloc(sizeof(ngx_http_npmtoken_asker_t), ngx_cycle->log);
        if (asker == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(asker->network, network, NPMTOKEN_NETWORK_LEN);

        asker->sn.str.data = asker->network;
        asker->sn.str.len = NPMTOKEN_NETWORK_LEN;
        asker->sn.node.key = ngx_crc32_short(network, NPMTOKEN_NETWORK_LEN);

        ngx_rbtree_insert(&askers->tree, &asker->sn.node);
    }

    asker->lookups++;
    askers->unknown++;

    *askerp = asker;

    return NGX_OK;
}


void
ngx_http_npmtoken_asker_uncount(ngx_http_npmtoken_askers_t *askers,
    ngx_http_npmtoken_asker_t *asker)
{
    if (asker == NULL) {
        askers->known--;
        return;
    }

    askers->unknown--;

    if (--asker->lookups == 0) {
        ngx_rbtree_delete(&askers->tree, &asker->sn.node);
        ngx_free(asker);
    }
}
