#include "mime/base64.h"

#include <string.h>

#define MIXED    "the standard and the URL-safe alphabet are mixed"
#define OUTSIDE  "a character has no place in base64"
#define PADDING  "the padding is wrong"
#define LENGTH   "the text is cut short"
#define TRAILING "bits are left over behind the last octet"

/* What a byte is. Those from BLANK on, and 0 (no place here at all), are rare: one comparison finds
 * them. */
enum { PLAIN = 1, STANDARD = 2, URL_SAFE = 4, BLANK = 8, PAD = 16 };

/* clang-format off */
static const uint8_t kinds[256] = {
    ['\t'] = BLANK, ['\n'] = BLANK, ['\r'] = BLANK, [' '] = BLANK, ['='] = PAD,
    ['+'] = STANDARD, ['/'] = STANDARD, ['-'] = URL_SAFE, ['_'] = URL_SAFE,
    ['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['A'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
/* clang-format on */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0' + 52);
    return c == '+' || c == '-' ? 62 : 63;
}

static bool refuse(mime_base64_info *out, size_t offset, const char *fault)
{
    *out = (mime_base64_info){.fault_offset = offset, .fault = fault};
    return false;
}

/* Where the second of the two alphabets begins. */
static size_t mix_offset(const char *s, size_t len)
{
    unsigned seen = 0;
    for (size_t i = 0; i < len; i++) {
        seen |= kinds[(unsigned char)s[i]] & (STANDARD | URL_SAFE);
        if (seen == (STANDARD | URL_SAFE))
            return i;
    }
    return len;
}

bool mime_base64_check(const char *s, size_t len, mime_base64_info *out)
{
    size_t pads = 0, blanks = 0, last = 0, i = 0;
    unsigned seen = 0;

    for (; i < len; i++) {
        unsigned kind = kinds[(unsigned char)s[i]];
        seen |= kind;
        if (kind - 1 < BLANK - 1) {
            if (pads)
                return refuse(out, i, PADDING);
            last = i;
        } else if (kind == BLANK) {
            blanks++;
        } else if (kind == PAD) {
            pads++;
        } else {
            return refuse(out, i, OUTSIDE);
        }
    }
    size_t n = len - blanks - pads, rest = n % 4;
    if ((seen & STANDARD) && (seen & URL_SAFE))
        return refuse(out, mix_offset(s, len), MIXED);
    if (rest == 1)
        return refuse(out, len, LENGTH);
    if (pads && pads != (4 - rest) % 4)
        return refuse(out, len, PADDING);
    if (rest && (value_of(s[last]) & (rest == 2 ? 15u : 3u)))
        return refuse(out, last, TRAILING);
    size_t total = (n + 3) / 4 * 4;
    *out = (mime_base64_info){
        .octets = n / 4 * 3 + (rest ? rest - 1 : 0),
        .characters = n,
        .wrapped = total + (total + MIME_LINE_COLUMNS - 1) / MIME_LINE_COLUMNS * 2,
        .canonical = blanks == 0 && !(seen & URL_SAFE) && n + pads == total,
    };
    return true;
}

void mime_base64_wrap_init(mime_base64_wrap *w, const char *s, size_t len,
                           const mime_base64_info *info)
{
    *w = (mime_base64_wrap){
        .s = s,
        .len = len,
        .total = (info->characters + 3) / 4 * 4,
        .canonical = info->canonical,
    };
}

/* The next `n` characters, translated to the standard alphabet, breaks left out, padding made. */
static void take(mime_base64_wrap *w, char *out, size_t n)
{
    size_t i = 0;
    while (i < n && w->at < w->len) {
        char c = w->s[w->at++];
        if (kinds[(unsigned char)c] & (BLANK | PAD))
            continue;
        out[i++] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    memset(out + i, '=', n - i);
}

size_t mime_base64_wrap_read(mime_base64_wrap *w, char *out, size_t cap)
{
    size_t done = 0;
    while (done < cap) {
        if (w->break_at) {
            out[done++] = w->break_at == 1 ? '\r' : '\n';
            w->break_at = w->break_at == 1 ? 2 : 0;
            continue;
        }
        size_t n = MIME_LINE_COLUMNS - w->column;
        if (n > w->total - w->emitted)
            n = w->total - w->emitted;
        if (n == 0)
            break;
        if (n > cap - done)
            n = cap - done;
        if (w->canonical) {
            memcpy(out + done, w->s + w->at, n);
            w->at += n;
        } else {
            take(w, out + done, n);
        }
        done += n;
        w->emitted += n;
        w->column += n;
        if (w->column == MIME_LINE_COLUMNS || w->emitted == w->total) {
            w->column = 0;
            w->break_at = 1;
        }
    }
    return done;
}

size_t mime_base64_encode(const void *octets, size_t len, char *out)
{
    const unsigned char *p = octets;
    char *to = out;
    size_t i = 0;
    for (; i + 3 <= len; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (unsigned)p[i + 1] << 8 | p[i + 2];
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = alphabet[v >> 6 & 63];
        *to++ = alphabet[v & 63];
    }
    if (i < len) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0);
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (size_t)(to - out);
}

size_t mime_base64_decode(const char *s, size_t len, void *out)
{
    unsigned char *to = out;
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned kind = kinds[(unsigned char)s[i]];
        if (kind - 1 >= BLANK - 1)
            continue;
        held = held << 6 | value_of(s[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(held >> bits);
        }
    }
    return (size_t)(to - (unsigned char *)out);
}
