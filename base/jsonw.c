#include "base/jsonw.h"

#include <string.h>

#include "base/digits.h"
#include "base/few.h"
#include "base/utf8.h"

#define NUMBER_MAX 24 /* characters: a sign, 19 digits, a point */

void jsonw_init(jsonw *w, buf *out)
{
    *w = (jsonw){.out = out, .comma = false};
}

/* ---- writing where there is room already ---- */

/* The comma before a key or a value, if there must be one. */
static inline char *put_comma(const jsonw *w, char *to)
{
    *to = ',';
    return to + w->comma;
}

static inline char *put_key(const jsonw *w, char *to, const char *key, size_t len)
{
    to = put_comma(w, to);
    *to++ = '"';
    to = few_copy(to, key, len);
    *to++ = '"';
    *to++ = ':';
    return to;
}

#define KEY_ROOM(len) ((len) + 4) /* a comma, quotes, a colon */

/* `n` has 19 digits at most: the magnitude of a signed number. */
static inline char *put_digits(char *to, uint64_t n)
{
    size_t len = 1;
    for (uint64_t limit = 10; n >= limit; limit *= 10)
        len++;
    char *p = to + len;
    for (; n >= 100; n /= 100)
        digits_pair(p -= 2, (unsigned)(n % 100));
    if (n >= 10)
        digits_pair(p - 2, (unsigned)n);
    else
        p[-1] = (char)('0' + n);
    return to + len;
}

static inline char *put_int(char *to, int64_t n)
{
    *to = '-';
    return put_digits(to + (n < 0), n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

static inline char *put_ms(char *to, int64_t us)
{
    uint64_t n = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    unsigned part = (unsigned)(n % 1000);
    *to = '-';
    to = put_digits(to + (us < 0), n / 1000);
    *to++ = '.';
    *to++ = (char)('0' + part / 100);
    digits_pair(to, part % 100);
    return to + 2;
}

/* ---- objects and arrays ---- */

/* Room for `len` bytes behind the last; NULL: no memory. */
static inline char *room(jsonw *w, size_t len)
{
    return buf_reserve(w->out, len) ? w->out->data + w->out->len : NULL;
}

/* `end`: behind what was put there. */
static inline void done(jsonw *w, const char *end, bool comma)
{
    w->out->len = (size_t)(end - w->out->data);
    w->comma = comma;
}

static void open_with(jsonw *w, char bracket)
{
    char *p = room(w, 2);
    if (!p)
        return;
    p = put_comma(w, p);
    *p++ = bracket;
    done(w, p, false);
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
    char *p = room(w, KEY_ROOM(len));
    if (p)
        done(w, put_key(w, p, key, len), false);
}

/* ---- strings ---- */

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

/* Adds the bytes between the quotes: runs that need no escape are copied whole. Apart, so that its
 * needs are not those of all other strings. */
__attribute__((noinline)) static void add_escaped(buf *out, const char *s, size_t len)
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

static inline few unplain(few v)
{
    return few_unprintable(v) | (v == '"') | (v == '\\');
}

/* Copies 16 bytes if they are plain. */
static inline bool copy_sixteen(char *to, const char *s)
{
    few v;
    memcpy(&v, s, sizeof v);
    if (few_any(unplain(v)))
        return false;
    memcpy(to, &v, sizeof v);
    return true;
}

/* Copies up to the first byte that needs something; how many. The last 16 are looked at together,
 * with some of those before them again. */
static inline size_t copy_plain(char *to, const char *s, size_t len)
{
    size_t n = 0;
    if (len > 0 && len <= sizeof(few) && !few_any(unplain(few_load(s, len)))) {
        (void)few_copy(to, s, len);
        return len;
    }
    while (len - n >= sizeof(few) && copy_sixteen(to + n, s + n)) {
        n += sizeof(few);
        if (n < len && len - n < sizeof(few))
            n = len - sizeof(few);
    }
    for (; n < len && !NEEDS[(unsigned char)s[n]]; n++)
        to[n] = s[n];
    return n;
}

/* Nearly all strings need no escape: up to the first one there is nothing to add piece by piece.
 * `p`: room for what stands before, the string and its quotes. */
static inline void add_string(jsonw *w, char *p, const char *s, size_t len)
{
    *p++ = '"';
    size_t plain = copy_plain(p, s, len);
    p += plain;
    if (plain == len) {
        *p++ = '"';
        done(w, p, true);
        return;
    }
    done(w, p, true);
    add_escaped(w->out, s + plain, len - plain);
    buf_addc(w->out, '"');
}

void jsonw_strn(jsonw *w, const char *s, size_t len)
{
    char *p = room(w, len + 3);
    if (p)
        add_string(w, put_comma(w, p), s, len);
}

void jsonw_str(jsonw *w, const char *s)
{
    if (s)
        jsonw_strn(w, s, strlen(s));
    else
        jsonw_null(w);
}

void jsonw_field_strn(jsonw *w, const char *key, size_t key_len, const char *s, size_t len)
{
    char *p = room(w, KEY_ROOM(key_len) + len + 2);
    if (p)
        add_string(w, put_key(w, p, key, key_len), s, len);
}

void jsonw_field_str(jsonw *w, const char *key, size_t key_len, const char *s)
{
    if (s)
        jsonw_field_strn(w, key, key_len, s, strlen(s));
    else
        jsonw_field_raw(w, key, key_len, "null", 4);
}

/* ---- other values ---- */

void jsonw_int(jsonw *w, int64_t n)
{
    char *p = room(w, 1 + NUMBER_MAX);
    if (p)
        done(w, put_int(put_comma(w, p), n), true);
}

void jsonw_ms(jsonw *w, int64_t us)
{
    char *p = room(w, 1 + NUMBER_MAX);
    if (p)
        done(w, put_ms(put_comma(w, p), us), true);
}

void jsonw_raw(jsonw *w, const char *text, size_t len)
{
    char *p = room(w, 1 + len);
    if (p)
        done(w, few_copy(put_comma(w, p), text, len), true);
}

void jsonw_bool(jsonw *w, bool b)
{
    jsonw_raw(w, b ? "true" : "false", b ? 4 : 5);
}

void jsonw_null(jsonw *w)
{
    jsonw_raw(w, "null", 4);
}

void jsonw_field_int(jsonw *w, const char *key, size_t key_len, int64_t n)
{
    char *p = room(w, KEY_ROOM(key_len) + NUMBER_MAX);
    if (p)
        done(w, put_int(put_key(w, p, key, key_len), n), true);
}

void jsonw_field_ms(jsonw *w, const char *key, size_t key_len, int64_t us)
{
    char *p = room(w, KEY_ROOM(key_len) + NUMBER_MAX);
    if (p)
        done(w, put_ms(put_key(w, p, key, key_len), us), true);
}

void jsonw_field_raw(jsonw *w, const char *key, size_t key_len, const char *text, size_t len)
{
    char *p = room(w, KEY_ROOM(key_len) + len);
    if (p)
        done(w, few_copy(put_key(w, p, key, key_len), text, len), true);
}
