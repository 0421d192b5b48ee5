
/*
 * Text and times.
 */


#include "npmtokenctl.h"


char *
ctl_safe(const u_char *data, size_t len)
{
    char      *text, *p;
    u_char    *next, *last;
    uint32_t   c;

    text = ctl_alloc(4 * len + 1);
    p = text;
    last = (u_char *) data + len;

    while (data < last) {

        next = (u_char *) data;
        c = (*data < 0x80) ? *next++ : ngx_utf8_decode(&next, last - data);

        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff
            || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
        {
            p += sprintf(p, "\\x%02x", *data++);
            continue;
        }

        while (data < next) {
            *p++ = (char) *data++;
        }
    }

    return text;
}


json_t *
ctl_json(const u_char *data, size_t len)
{
    json_t  *json;

    json = json_stringn((const char *) data, len);

    return json ? json : json_string(ctl_safe(data, len));
}


char *
ctl_date(int64_t seconds, long milliseconds)
{
    char       text[64];
    time_t     time;
    struct tm  tm;

    time = (time_t) seconds;
    gmtime_r(&time, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);

    return ctl_format("%s.%03ldZ", text, milliseconds);
}


char *
ctl_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return ctl_date(ts.tv_sec, ts.tv_nsec / 1000000);
}
