
#include "ngx_http_npmtoken_api_page.h"
#include "ngx_http_npmtoken_api_answer.h"
#include "ngx_http_npmtoken_api_calls.h"


typedef struct {
    ngx_str_t                      name;
    ngx_str_t                      type;
    u_char                        *data;
    size_t                         len;
    ngx_str_t                      etag;
} ngx_http_npmtoken_api_file_t;


/* made by src/web/pack: ngx_http_npmtoken_web_files, ended by an empty name */

#include "ngx_http_npmtoken_web_files.h"


typedef struct {
    char                          *name;
    ngx_str_t                      value;
} ngx_http_npmtoken_api_page_header_t;


static ngx_int_t ngx_http_npmtoken_api_page_send(ngx_http_request_t *r,
    ngx_http_npmtoken_api_file_t *file);


/*
 * No script, style, image or call but from here, no frame, no form, and no
 * string that becomes HTML.
 */

static ngx_http_npmtoken_api_page_header_t  ngx_http_npmtoken_page_headers[] = {

    { "Content-Security-Policy", ngx_string(
          "default-src 'none'; script-src 'self'; style-src 'self'; "
          "img-src 'self'; connect-src 'self'; form-action 'none'; "
          "base-uri 'none'; frame-ancestors 'none'; "
          "require-trusted-types-for 'script'") },

    { "X-Content-Type-Options", ngx_string("nosniff") },
    { "Referrer-Policy", ngx_string("strict-origin") },
    { "Cross-Origin-Opener-Policy", ngx_string("same-origin") },
    { "Cross-Origin-Resource-Policy", ngx_string("same-origin") },
    { "X-Frame-Options", ngx_string("DENY") },

    { NULL, ngx_null_string }
};


ngx_int_t
ngx_http_npmtoken_api_page_headers(ngx_http_request_t *r)
{
    ngx_http_npmtoken_api_page_header_t  *header;

    for (header = ngx_http_npmtoken_page_headers; header->name; header++) {
        if (ngx_http_npmtoken_api_answer_header(r, header->name,
                                                &header->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a file: answer */

void
ngx_http_npmtoken_api_page_file(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_str_t                     *name;
    ngx_http_npmtoken_api_file_t  *file;

    static ngx_str_t  index = ngx_string("index.html");

    name = ctx->subject.len ? &ctx->subject : &index;

    for (file = ngx_http_npmtoken_web_files; file->name.len; file++) {

        if (file->name.len == name->len
            && ngx_memcmp(file->name.data, name->data, name->len) == 0)
        {
            ngx_http_npmtoken_api_answer_end(ctx,
                          ngx_http_npmtoken_api_page_send(ctx->request, file));
            return;
        }
    }

    ngx_http_npmtoken_api_page_none(ctx);
}


static ngx_int_t
ngx_http_npmtoken_api_page_send(ngx_http_request_t *r,
    ngx_http_npmtoken_api_file_t *file)
{
    ngx_table_elt_t           *etag;
    ngx_http_complex_value_t   cv;

    static ngx_str_t  no_cache = ngx_string("no-cache");

    if (ngx_http_npmtoken_api_answer_header(r, "Cache-Control", &no_cache)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    etag = ngx_list_push(&r->headers_out.headers);
    if (etag == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(etag, sizeof(ngx_table_elt_t));

    etag->hash = 1;
    ngx_str_set(&etag->key, "ETag");
    etag->value = file->etag;

    r->headers_out.etag = etag;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = file->data;
    cv.value.len = file->len;

    return ngx_http_send_response(r, NGX_HTTP_OK, &file->type, &cv);
}


void
ngx_http_npmtoken_api_page_none(ngx_http_npmtoken_api_ctx_t *ctx)
{
    ngx_http_npmtoken_api_answer_error(ctx, NGX_HTTP_NOT_FOUND,
                                       "There is no such page here.");
}
