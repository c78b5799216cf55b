#include "dkim/canon.h"

#include <string.h>

/* ---- the body ---- */

void dkim_body_init(dkim_body *b, dkim_canon canon, dkim_sink *put, void *ctx)
{
    *b = (dkim_body){.canon = canon, .put = put, .ctx = ctx};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void put(dkim_body *b, const char *data, size_t len)
{
    b->put(b->ctx, data, len);
    b->some = true;
}

/* What was kept back counts. */
static void flush(dkim_body *b)
{
    static const char ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const size_t most = (sizeof ends - 1) / 2;

    for (size_t n; b->lines > 0; b->lines -= n) {
        n = b->lines < most ? (size_t)b->lines : most;
        put(b, ends, 2 * n);
    }
    if (b->blank)
        put(b, " ", 1);
    b->blank = false;
}

static void content(dkim_body *b, const char *data, size_t len)
{
    flush(b);
    put(b, data, len);
}

static void step(dkim_body *b, const char *at)
{
    bool cr = b->cr;

    b->cr = false;
    if (cr && *at == '\n') {
        b->blank = false;
        b->lines++;
        return;
    }
    if (cr)
        content(b, "\r", 1);
    if (*at == '\r')
        b->cr = true;
    else if (b->canon == DKIM_RELAXED && is_blank(*at))
        b->blank = true;
    else
        content(b, at, 1);
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* How many bytes there are before one that is a blank, a control or an end of a line. */
static size_t plain(const char *data, size_t len)
{
    size_t i = 0;
    uint64_t eight;

    for (; i + sizeof eight <= len; i += sizeof eight) {
        memcpy(&eight, data + i, sizeof eight);
        if ((eight - EACH_BYTE * 0x21) & ~eight & EACH_BYTE * 0x80)
            break;
    }
    while (i < len && (unsigned char)data[i] > ' ')
        i++;
    return i;
}

/* True if the byte stands for itself whatever is before it. */
static bool is_content(const dkim_body *b, char c)
{
    return c != '\r' && c != '\n' && (b->canon == DKIM_SIMPLE || !is_blank(c));
}

/* How many bytes, from one at which nothing is kept back, are canonical as they stand, with what
 * follows to show it: words, one space between two of them, line ends with a word behind. */
static size_t unchanged(const dkim_body *b, const char *data, size_t len)
{
    size_t at = 0;

    while (at < len) {
        at += plain(data + at, len - at);
        if (at + 1 < len && data[at] == ' ' && is_content(b, data[at + 1]))
            at += 2;
        else if (at + 2 < len && data[at] == '\r' && data[at + 1] == '\n' &&
                 is_content(b, data[at + 2]))
            at += 3;
        else if (at < len && is_content(b, data[at]))
            at++;
        else
            break;
    }
    return at;
}

void dkim_body_feed(dkim_body *b, const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = 0;
        if (!b->cr && !b->blank && b->lines == 0)
            n = unchanged(b, data + at, len - at);
        if (n > 0)
            put(b, data + at, n);
        at += n;
        if (at < len)
            step(b, data + at++);
    }
}

void dkim_body_end(dkim_body *b)
{
    if (b->cr)
        content(b, "\r", 1);
    if (b->some || b->canon == DKIM_SIMPLE)
        b->put(b->ctx, "\r\n", 2);
}

/* ---- header fields ---- */

static bool is_space(char c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void add_relaxed(const char *field, size_t len, buf *out)
{
    const char *colon = memchr(field, ':', len);
    size_t name = colon ? (size_t)(colon - field) : len;
    size_t at = name + (colon ? 1 : 0);
    bool blank = false;

    while (name > 0 && is_space(field[name - 1]))
        name--;
    for (size_t i = 0; i < name; i++)
        buf_addc(out, lower(field[i]));
    if (colon)
        buf_addc(out, ':');
    while (at < len && is_space(field[at]))
        at++;
    for (; at < len; at++) {
        if (is_space(field[at])) {
            blank = true;
            continue;
        }
        if (blank)
            buf_addc(out, ' ');
        blank = false;
        buf_addc(out, field[at]);
    }
}

void dkim_field_canon(dkim_canon canon, const char *field, size_t len, buf *out)
{
    if (len >= 2 && memcmp(field + len - 2, "\r\n", 2) == 0)
        len -= 2;
    if (!buf_reserve(out, len + 2))
        return;
    if (canon == DKIM_SIMPLE)
        buf_add(out, field, len);
    else
        add_relaxed(field, len, out);
    buf_add(out, "\r\n", 2);
}
