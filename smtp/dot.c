#include "smtp/dot.h"

#include <string.h>

/* ---- the ways ---- */

/* What can't stand in a body next to each other; see dot_vector.h. */
static bool is_unfit(char before, char c)
{
    return (before == '\r') != (c == '\n') || (before == '\n' && c == '.');
}

static size_t plain_fit(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len && !is_unfit(s[(ptrdiff_t)i - 1], s[i]))
        i++;
    return i;
}

#ifdef VECTOR_HAS_128
#define VECTOR_BITS 128
#define SHORT_FIT   plain_fit
#include "smtp/dot_vector.h"
#undef SHORT_FIT
#undef VECTOR_BITS
#endif

#ifdef VECTOR_HAS_256
#define VECTOR_BITS 256
#define SHORT_FIT   fit_128
#include "smtp/dot_vector.h"
#undef SHORT_FIT
#undef VECTOR_BITS
#endif

static size_t (*const fits[VECTOR_LEVELS])(const char *s, size_t len) = {
    [VECTOR_NONE] = plain_fit,
#ifdef VECTOR_HAS_128
    [VECTOR_128] = fit_128,
#endif
#ifdef VECTOR_HAS_256
    [VECTOR_256] = fit_256,
#endif
};

/* ---- stuffing ---- */

size_t smtp_dot_clean_with(vector_level level, smtp_dot *d, const char *in, size_t len)
{
    if (len == 0 || d->cr || is_unfit(d->in_line ? ' ' : '\n', in[0]))
        return 0;
    size_t n = 1 + fits[level](in + 1, len - 1);
    if (in[n - 1] == '\r') /* whose LF is not there, or not yet */
        n--;
    if (n > 0)
        d->in_line = in[n - 1] != '\n';
    return n;
}

size_t smtp_dot_clean(smtp_dot *d, const char *in, size_t len)
{
    return smtp_dot_clean_with(vector_best(), d, in, len);
}

static char *end_line(smtp_dot *d, char *out)
{
    *out++ = '\r';
    *out++ = '\n';
    d->in_line = false;
    return out;
}

/* Takes one byte where the clean ones end. A CR waits for what follows it: the LF it belongs to, or
 * anything else. */
static const char *take(smtp_dot *d, const char *in, char **out)
{
    if (d->cr) {
        d->cr = false;
        *out = end_line(d, *out);
        return *in == '\n' ? in + 1 : in;
    }
    if (*in == '\r') {
        d->cr = true;
    } else if (*in == '\n') {
        *out = end_line(d, *out);
    } else {
        if (*in == '.' && !d->in_line)
            *(*out)++ = '.';
        *(*out)++ = *in;
        d->in_line = true;
    }
    return in + 1;
}

size_t smtp_dot_copy_with(vector_level level, smtp_dot *d, const char *in, size_t len, char *out)
{
    const char *end = in + len;
    char *to = out;

    while (in < end) {
        size_t n = smtp_dot_clean_with(level, d, in, (size_t)(end - in));
        memcpy(to, in, n);
        to += n;
        in += n;
        if (in < end)
            in = take(d, in, &to);
    }
    return (size_t)(to - out);
}

size_t smtp_dot_copy(smtp_dot *d, const char *in, size_t len, char *out)
{
    return smtp_dot_copy_with(vector_best(), d, in, len, out);
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
