
#include "ngx_http_npmtoken_api_client.h"


static ngx_str_t ngx_http_npmtoken_api_client_product(u_char *p,
    u_char *last);
static ngx_uint_t ngx_http_npmtoken_api_client_plain(u_char ch);


/*
 * Browsers name each other in User-Agent.  The first of these that is there is
 * the one that it is.
 */

static char  *ngx_http_npmtoken_api_browsers[] = {
    "Edg/", "OPR/", "Firefox/", "HeadlessChrome/", "Chrome/", "Safari/", NULL
};


ngx_str_t
ngx_http_npmtoken_api_client(ngx_http_request_t *r)
{
    char       **name;
    u_char      *p;
    ngx_str_t   *agent, client, unknown = ngx_string("unknown client");

    if (r->headers_in.user_agent == NULL) {
        return unknown;
    }

    agent = &r->headers_in.user_agent->value;

    p = agent->data;

    if (agent->len > sizeof("Mozilla/") - 1
        && ngx_strncmp(p, "Mozilla/", sizeof("Mozilla/") - 1) == 0)
    {
        for (name = ngx_http_npmtoken_api_browsers; *name; name++) {

            p = ngx_strnstr(agent->data, *name, agent->len);
            if (p) {
                break;
            }
        }
    }

    if (p == NULL) {
        return unknown;
    }

    client = ngx_http_npmtoken_api_client_product(p, agent->data + agent->len);

    return client.len ? client : unknown;
}


/* The first word, if all of it is plain, else an empty string. */

static ngx_str_t
ngx_http_npmtoken_api_client_product(u_char *p, u_char *last)
{
    ngx_str_t  product;

    product.data = p;

    while (p < last && *p != ' ') {

        if (!ngx_http_npmtoken_api_client_plain(*p)) {
            p = product.data;
            break;
        }

        p++;
    }

    product.len = ngx_min((size_t) (p - product.data),
                          NGX_HTTP_NPMTOKEN_API_CLIENT_MAX);

    return product;
}


static ngx_uint_t
ngx_http_npmtoken_api_client_plain(u_char ch)
{
    return (ch >= '0' && ch <= '9')
           || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
           || (ch && ngx_strchr("./+_-", ch));
}


ngx_str_t
ngx_http_npmtoken_api_client_address(ngx_http_request_t *r)
{
    ngx_str_t             address;
    struct sockaddr      *sockaddr;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sockaddr = r->connection->sockaddr;

    address.len = 0;
    address.data = ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN);

    if (address.data == NULL) {
        return address;
    }

#if (NGX_HAVE_INET6)
    sin6 = (struct sockaddr_in6 *) sockaddr;

    /* a list of addresses has it as IPv4, too */

    if (sockaddr->sa_family == AF_INET6
        && IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
    {
        address.len = ngx_inet_ntop(AF_INET, &sin6->sin6_addr.s6_addr[12],
                                    address.data, NGX_SOCKADDR_STRLEN);
        return address;
    }
#endif

    address.len = ngx_sock_ntop(sockaddr, r->connection->socklen, address.data,
                                NGX_SOCKADDR_STRLEN, 0);

    return address;
}


ngx_str_t
ngx_http_npmtoken_api_client_name(ngx_http_request_t *r, char *what)
{
    ngx_str_t  address, client, none = ngx_null_string;

    client = ngx_http_npmtoken_api_client(r);
    address = ngx_http_npmtoken_api_client_address(r);

    return address.data
           ? ngx_http_npmtoken_api_client_label(r->pool, what, &address,
                                                &client)
           : none;
}


ngx_str_t
ngx_http_npmtoken_api_client_label(ngx_pool_t *pool, char *what,
    ngx_str_t *address, ngx_str_t *client)
{
    size_t     len;
    ngx_str_t  label;

    len = ngx_strlen(what) + sizeof(" from , ") - 1 + address->len
          + client->len;

    label.len = 0;
    label.data = ngx_pnalloc(pool, len);

    if (label.data) {
        label.len = ngx_sprintf(label.data, "%s from %V, %V", what, address,
                                client)
                    - label.data;
    }

    return label;
}
