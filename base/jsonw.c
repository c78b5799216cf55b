#include "base/jsonw.h"

#include <string.h>

#include "base/utf8.h"

#define NUMBER_MAX 24 /* characters: a sign, 19 digits, a point */

void jsonw_init(jsonw *w, buf *out)
{
    *w = (jsonw){.out = out, .comma = false};
}

static void before_value(jsonw *w)
{
    if (w->comma)
        buf_addc(w->out, ',');
    w->comma = true;
}

static void open_with(jsonw *w, char bracket)
{
    before_value(w);
    buf_addc(w->out, bracket);
    w->comma = false;
}

static void close_with(jsonw *w, char bracket)
{
    buf_addc(w->out, bracket);
    w->comma = true;
}

void jsonw_object(jsonw *w)
{
    open_with(w, '{');
}

void jsonw_object_end(jsonw *w)
{
    close_with(w, '}');
}

void jsonw_array(jsonw *w)
{
    open_with(w, '[');
}

void jsonw_array_end(jsonw *w)
{
    close_with(w, ']');
}

void jsonw_keyn(jsonw *w, const char *key, size_t len)
{
    if (!buf_reserve(w->out, len + 4))
        return;
    char *p = w->out->data + w->out->len;
    *p = ',';
    p += w->comma;
    *p++ = '"';
    memcpy(p, key, len);
    p += len;
    *p++ = '"';
    *p++ = ':';
    w->out->len = (size_t)(p - w->out->data);
    w->comma = false;
}

/* What a byte of a string needs: nothing (0), a short escape (its letter), \u00XX ('u'), or a look
 * at the whole character ('8'). DEL and the C1 controls need no escape in JSON, but get one, so
 * that an answer or a log line shown on a terminal can't steer it. */
#define X4(c)  c, c, c, c
#define X16(c) X4(c), X4(c), X4(c), X4(c)
/* clang-format off */
static const char NEEDS[256] = {
    X4('u'), X4('u'), 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u', X16('u'),
    ['"'] = '"', ['\\'] = '\\', [0x7F] = 'u',
    X16('8'), X16('8'), X16('8'), X16('8'), X16('8'), X16('8'), X16('8'), X16('8'),
};
/* clang-format on */

static void add_escape(buf *out, char need, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    if (need == 'u') {
        const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        buf_add(out, escape, sizeof escape);
    } else {
        const char escape[2] = {'\\', need};
        buf_add(out, escape, sizeof escape);
    }
}

/* Adds the bytes between the quotes: runs that need no escape are copied whole. */
static void add_escaped(buf *out, const char *s, size_t len)
{
    size_t run = 0;
    size_t at = 0;

    while (at < len) {
        char need = NEEDS[(unsigned char)s[at]];
        if (!need) {
            at++;
            continue;
        }
        uint32_t point = 0;
        size_t n = need == '8' ? utf8_decode(s + at, len - at, &point) : 1;
        if (n > 1 && point >= 0xA0) {
            at += n;
            continue;
        }
        buf_add(out, s + run, at - run);
        if (n == 0)
            buf_adds(out, "\xEF\xBF\xBD");
        else if (n > 1)
            add_escape(out, 'u', (unsigned char)point);
        else
            add_escape(out, need, (unsigned char)s[at]);
        at += n ? n : 1;
        run = at;
    }
    buf_add(out, s + run, len - run);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Whether one of eight bytes needs something: a byte below n borrows when n is taken from it, which
 * shows in its top bit; the top bit itself is beyond ASCII. */
static bool needs_any(uint64_t eight)
{
    uint64_t quote = eight ^ EACH('"'), backslash = eight ^ EACH('\\'), del = eight ^ EACH(0x7F);
    uint64_t found = ((eight - EACH(0x20)) & ~eight) | ((quote - EACH(1)) & ~quote) |
                     ((backslash - EACH(1)) & ~backslash) | ((del - EACH(1)) & ~del) | eight;
    return (found & EACH(0x80)) != 0;
}

/* Copies up to the first byte that needs something; how many. */
static size_t copy_plain(char *to, const char *s, size_t len)
{
    size_t n = 0;
    uint64_t eight = 0;
    for (; len - n >= sizeof eight; n += sizeof eight) {
        memcpy(&eight, s + n, sizeof eight);
        if (needs_any(eight))
            break;
        memcpy(to + n, &eight, sizeof eight);
    }
    for (; n < len && !NEEDS[(unsigned char)s[n]]; n++)
        to[n] = s[n];
    return n;
}

/* Nearly all strings need no escape: up to the first escape there is nothing to add piece by piece.
 */
void jsonw_strn(jsonw *w, const char *s, size_t len)
{
    if (!buf_reserve(w->out, len + 3))
        return;
    char *p = w->out->data + w->out->len;
    *p = ',';
    p += w->comma;
    *p++ = '"';
    size_t plain = copy_plain(p, s, len);
    w->out->len = (size_t)(p - w->out->data) + plain;
    w->comma = true;
    if (plain < len)
        add_escaped(w->out, s + plain, len - plain);
    buf_addc(w->out, '"');
}

void jsonw_str(jsonw *w, const char *s)
{
    if (s)
        jsonw_strn(w, s, strlen(s));
    else
        jsonw_null(w);
}

/* Writes digits and sign before `end`; where they begin. */
static char *digits_before(char *end, uint64_t n, bool negative)
{
    do {
        *--end = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    if (negative)
        *--end = '-';
    return end;
}

static uint64_t magnitude(int64_t n)
{
    return n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
}

void jsonw_int(jsonw *w, int64_t n)
{
    char text[NUMBER_MAX], *end = text + sizeof text;
    const char *from = digits_before(end, magnitude(n), n < 0);
    before_value(w);
    buf_add(w->out, from, (size_t)(end - from));
}

void jsonw_bool(jsonw *w, bool b)
{
    before_value(w);
    buf_adds(w->out, b ? "true" : "false");
}

void jsonw_null(jsonw *w)
{
    before_value(w);
    buf_adds(w->out, "null");
}

void jsonw_raw(jsonw *w, const char *text, size_t len)
{
    before_value(w);
    buf_add(w->out, text, len);
}

void jsonw_ms(jsonw *w, int64_t us)
{
    char text[NUMBER_MAX], *end = text + sizeof text;
    uint64_t n = magnitude(us);
    unsigned part = (unsigned)(n % 1000);
    end[-1] = (char)('0' + part % 10);
    end[-2] = (char)('0' + part / 10 % 10);
    end[-3] = (char)('0' + part / 100);
    end[-4] = '.';
    const char *from = digits_before(end - 4, n / 1000, us < 0);
    before_value(w);
    buf_add(w->out, from, (size_t)(end - from));
}
