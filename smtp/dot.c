#include "smtp/dot.h"

#include <string.h>

static char *end_line(smtp_dot *d, char *out)
{
    *out++ = '\r';
    *out++ = '\n';
    d->in_line = false;
    return out;
}

/* Bytes without CR or LF. */
static char *add_text(smtp_dot *d, char *out, const char *text, size_t len)
{
    if (len == 0)
        return out;
    if (!d->in_line && text[0] == '.')
        *out++ = '.';
    memcpy(out, text, len);
    d->in_line = true;
    return out + len;
}

size_t smtp_dot_copy(smtp_dot *d, const char *in, size_t len, char *out)
{
    const char *end = in + len;
    char *start = out;

    while (in < end) {
        if (d->cr) { /* what follows a CR: the LF it belongs to, or anything else */
            d->cr = false;
            out = end_line(d, out);
            if (*in == '\n') {
                in++;
                continue;
            }
        }
        const char *lf = memchr(in, '\n', (size_t)(end - in));
        const char *stop = lf ? lf : end;
        const char *cr = memchr(in, '\r', (size_t)(stop - in));
        if (cr) {
            out = add_text(d, out, in, (size_t)(cr - in));
            d->cr = true;
            in = cr + 1;
        } else {
            out = add_text(d, out, in, (size_t)(stop - in));
            if (lf)
                out = end_line(d, out);
            in = lf ? lf + 1 : end;
        }
    }
    return (size_t)(out - start);
}

size_t smtp_dot_end(smtp_dot *d, char *out)
{
    char *start = out;

    if (d->in_line || d->cr)
        out = end_line(d, out);
    d->cr = false;
    *out++ = '.';
    out = end_line(d, out);
    return (size_t)(out - start);
}
