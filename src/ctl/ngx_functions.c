
/*
 * The few functions of nginx that the core, the accounts and this program
 * call.  So the program needs nginx's headers but not nginx itself.  Each
 * function returns what nginx's own returns; t/unit compares the two.
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_FUNCTIONS_CRC32    0xedb88320

#define NGX_FUNCTIONS_INVALID  0xffffffff
#define NGX_FUNCTIONS_PARTIAL  0xfffffffe


static ngx_int_t ngx_functions_number(u_char *line, size_t n, ngx_int_t base);
static ngx_int_t ngx_functions_digit(u_char c);
static u_char *ngx_functions_decimal(u_char *out, uint64_t value);
static void ngx_functions_init(void) __attribute__((constructor));


uint32_t  ngx_crc32_table256[256];


/* Makes the table of CRC-32, as zlib does: the polynomial is bit-reversed. */

static void
ngx_functions_init(void)
{
    uint32_t    crc;
    ngx_uint_t  i, bit;

    for (i = 0; i < 256; i++) {
        crc = (uint32_t) i;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) ? NGX_FUNCTIONS_CRC32 : 0);
        }

        ngx_crc32_table256[i] = crc;
    }
}


ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    return ngx_functions_number(line, n, 10);
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    return ngx_functions_number(line, n, 16);
}


static ngx_int_t
ngx_functions_number(u_char *line, size_t n, ngx_int_t base)
{
    size_t     i;
    ngx_int_t  digit, value;

    if (n == 0) {
        return NGX_ERROR;
    }

    value = 0;

    for (i = 0; i < n; i++) {
        digit = ngx_functions_digit(line[i]);

        if (digit == NGX_ERROR
            || digit >= base
            || value > (NGX_MAX_INT_T_VALUE - digit) / base)
        {
            return NGX_ERROR;
        }

        value = value * base + digit;
    }

    return value;
}


static ngx_int_t
ngx_functions_digit(u_char c)
{
    u_char  letter;

    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    letter = ngx_tolower(c);

    if (letter >= 'a' && letter <= 'f') {
        return letter - 'a' + 10;
    }

    return NGX_ERROR;
}


void
ngx_strlow(u_char *dst, u_char *src, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        dst[i] = ngx_tolower(src[i]);
    }
}


/* Compares C strings: bytes after a NUL do not count. */

ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    size_t     i;
    ngx_int_t  diff;

    for (i = 0; i < n; i++) {
        diff = ngx_tolower(s1[i]) - ngx_tolower(s2[i]);

        if (diff != 0 || s1[i] == '\0') {
            return diff;
        }
    }

    return 0;
}


/*
 * Supports only two of nginx's formats: "%L", a signed number of 64 bits, and
 * "%uz", a size.
 */

u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list  args;
    int64_t  number;

    va_start(args, fmt);

    while (*fmt) {

        if (*fmt != '%') {
            *buf++ = *fmt++;

        } else if (fmt[1] == 'L') {
            number = va_arg(args, int64_t);
            fmt += 2;

            if (number < 0) {
                *buf++ = '-';
            }

            buf = ngx_functions_decimal(buf, number < 0 ? - (uint64_t) number
                                                        : (uint64_t) number);

        } else if (fmt[1] == 'u' && fmt[2] == 'z') {
            buf = ngx_functions_decimal(buf, va_arg(args, size_t));
            fmt += 3;

        } else {
            ngx_abort();
        }
    }

    va_end(args);

    return buf;
}


static u_char *
ngx_functions_decimal(u_char *out, uint64_t value)
{
    u_char  *p, digits[NGX_INT64_LEN];

    p = digits + sizeof(digits);

    do {
        *--p = '0' + value % 10;
        value /= 10;
    } while (value);

    return ngx_cpymem(out, p, digits + sizeof(digits) - p);
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    size_t  i;

    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        dst[2 * i] = digits[src[i] / 16];
        dst[2 * i + 1] = digits[src[i] % 16];
    }

    return dst + 2 * len;
}


ngx_int_t
ngx_memn2cmp(u_char *s1, u_char *s2, size_t n1, size_t n2)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(s1, s2, ngx_min(n1, n2));

    if (rc != 0 || n1 == n2) {
        return rc;
    }

    return (n1 < n2) ? -1 : 1;
}


/*
 * Supports only one of nginx's types, that of a component: escapes all but the
 * unreserved characters of RFC 3986.  If "dst" is NULL, returns how many
 * characters have to be escaped.
 */

uintptr_t
ngx_escape_uri(u_char *dst, u_char *src, size_t size, ngx_uint_t type)
{
    u_char      c, *out;
    size_t      i;
    ngx_uint_t  plain, escaped;

    static const char  digits[] = "0123456789ABCDEF";

    if (type != NGX_ESCAPE_URI_COMPONENT) {
        ngx_abort();
    }

    out = dst;
    escaped = 0;

    for (i = 0; i < size; i++) {
        c = src[i];

        plain = (ngx_tolower(c) >= 'a' && ngx_tolower(c) <= 'z')
                || (c >= '0' && c <= '9')
                || c == '-' || c == '.' || c == '_' || c == '~';

        if (!plain) {
            escaped++;
        }

        if (dst == NULL) {
            continue;
        }

        if (plain) {
            *out++ = c;
            continue;
        }

        *out++ = '%';
        *out++ = digits[c / 16];
        *out++ = digits[c % 16];
    }

    return (dst == NULL) ? escaped : (uintptr_t) out;
}


/*
 * Decodes a UTF-8 character of more than one byte, and moves *p behind it.
 * Returns NGX_FUNCTIONS_INVALID for bad bytes, and moves *p behind the bytes
 * that showed it.  Returns NGX_FUNCTIONS_PARTIAL for a truncated character.
 */

uint32_t
ngx_utf8_decode(u_char **p, size_t n)
{
    u_char      first;
    uint32_t    value, least;
    ngx_uint_t  more;

    first = **p;

    if (first < 0xc2 || first > 0xf7) {
        (*p)++;
        return NGX_FUNCTIONS_INVALID;
    }

    more = (first >= 0xf0) ? 3 : (first >= 0xe0) ? 2 : 1;

    /* the smallest code point that needs this number of bytes */

    least = (more == 3) ? 0x10000 : (more == 2) ? 0x800 : 0x80;

    if (n < more + 1) {
        return NGX_FUNCTIONS_PARTIAL;
    }

    value = first & (0x3f >> more);
    (*p)++;

    while (more--) {
        if (**p < 0x80) {
            (*p)++;
            return NGX_FUNCTIONS_INVALID;
        }

        value = (value << 6) | (*(*p)++ & 0x3f);
    }

    return (value < least) ? NGX_FUNCTIONS_INVALID : value;
}


/* The barrier keeps the compiler from removing the memset(). */

void
ngx_explicit_memzero(void *buf, size_t n)
{
    ngx_memset(buf, 0, n);
    ngx_memory_barrier();
}
