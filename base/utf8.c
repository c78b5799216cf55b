#include "base/utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080ULL
/* Shorter ones are not worth the preparation; it takes the first 3 to 6 bytes. */
#define FAST_FROM 24

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *point)
{
    const unsigned char *p = (const unsigned char *)s;

    if (len == 0)
        return 0;
    if (p[0] < 0x80) {
        *point = p[0];
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF && len >= 2 && is_tail(p[1])) {
        *point = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
        return 2;
    }
    if ((p[0] & 0xF0) == 0xE0 && len >= 3 && is_tail(p[1]) && is_tail(p[2])) {
        uint32_t c = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        if (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))
            return 0;
        *point = c;
        return 3;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4 && len >= 4 && is_tail(p[1]) && is_tail(p[2]) &&
        is_tail(p[3])) {
        uint32_t c = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
                     (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
        if (c < 0x10000 || c > 0x10FFFF)
            return 0;
        *point = c;
        return 4;
    }
    return 0;
}

/* ---- the plain way ---- */

/* Bytes from the start of `s` that are ASCII, counted eight at a time. */
static size_t plain_ascii(const char *s, size_t len)
{
    size_t n = 0;
    for (; n + 8 <= len; n += 8) {
        uint64_t word;
        memcpy(&word, s + n, 8);
        if (word & HIGH_BITS)
            break;
    }
    while (n < len && !((unsigned char)s[n] & 0x80))
        n++;
    return n;
}

/* Takes in one byte; false if it can't follow those before it. */
static inline bool take(utf8_check *c, unsigned char byte)
{
    if (c->tails > 0) {
        if (byte < c->low || byte > c->high)
            return false;
        *c = (utf8_check){.tails = (uint8_t)(c->tails - 1), .low = 0x80, .high = 0xBF};
        return true;
    }
    *c = (utf8_check){.low = 0x80, .high = 0xBF};
    if (byte < 0x80)
        return true;
    if (byte < 0xC2 || byte > 0xF4)
        return false;
    c->tails = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    switch (byte) { /* no overlong forms, no surrogates, nothing above U+10FFFF */
    case 0xE0: c->low = 0xA0; break;
    case 0xED: c->high = 0x9F; break;
    case 0xF0: c->low = 0x90; break;
    case 0xF4: c->high = 0x8F; break;
    default: break;
    }
    return true;
}

static size_t plain_feed(utf8_check *state, const char *s, size_t len)
{
    utf8_check c = *state;
    size_t i = 0;
    while (i < len) {
        unsigned char byte = (unsigned char)s[i];
        if (byte < 0x80 && c.tails == 0)
            i += plain_ascii(s + i, len - i);
        else if (take(&c, byte))
            i++;
        else
            break;
    }
    *state = c;
    return i;
}

static size_t plain_run(const char *s, size_t len, bool *beyond_ascii)
{
    size_t i = 0;
    unsigned met = 0;
    for (; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        met |= c;
    }
    *beyond_ascii |= (met & 0x80) != 0;
    return i;
}

/* ---- the fast ways ---- */

#ifdef VECTOR_HAS_128

/* What may be wrong with a byte and the one before it. By three looks, at the first one's halves
 * and at the second's high half, each says what is possible; what all say, is wrong. */
#define TOO_SHORT  0x01 /* a lead, and no tail */
#define TOO_LONG   0x02 /* ASCII, and a tail */
#define OVERLONG_2 0x04 /* C0 or C1, and a tail */
#define OVERLONG_3 0x08 /* E0, and 80 to 9F */
#define SURROGATE  0x10 /* ED, and A0 to BF */
#define TOO_LARGE  0x20 /* F4 or more, and 90 to BF */
#define OUT_OF_4   0x40 /* F0, or F5 and more, and 80 to 8F: overlong or too large */
#define TWO_TAILS  0x80 /* wrong or right: the bytes before those tell */
#define ANY_LOW    (TOO_SHORT | TOO_LONG | TWO_TAILS)
#define BEYOND     (ANY_LOW | TOO_LARGE | OUT_OF_4)
#define ANY_TAIL   (TOO_LONG | OVERLONG_2 | TWO_TAILS)

static const uint8_t by_lead_high[16] = {
    [0x0] = TOO_LONG,
    [0x1] = TOO_LONG,
    [0x2] = TOO_LONG,
    [0x3] = TOO_LONG,
    [0x4] = TOO_LONG,
    [0x5] = TOO_LONG,
    [0x6] = TOO_LONG,
    [0x7] = TOO_LONG,
    [0x8] = TWO_TAILS,
    [0x9] = TWO_TAILS,
    [0xA] = TWO_TAILS,
    [0xB] = TWO_TAILS,
    [0xC] = TOO_SHORT | OVERLONG_2,
    [0xD] = TOO_SHORT,
    [0xE] = TOO_SHORT | OVERLONG_3 | SURROGATE,
    [0xF] = TOO_SHORT | TOO_LARGE | OUT_OF_4,
};

static const uint8_t by_lead_low[16] = {
    [0x0] = ANY_LOW | OVERLONG_2 | OVERLONG_3 | OUT_OF_4,
    [0x1] = ANY_LOW | OVERLONG_2,
    [0x2] = ANY_LOW,
    [0x3] = ANY_LOW,
    [0x4] = ANY_LOW | TOO_LARGE,
    [0x5] = BEYOND,
    [0x6] = BEYOND,
    [0x7] = BEYOND,
    [0x8] = BEYOND,
    [0x9] = BEYOND,
    [0xA] = BEYOND,
    [0xB] = BEYOND,
    [0xC] = BEYOND,
    [0xD] = BEYOND | SURROGATE,
    [0xE] = BEYOND,
    [0xF] = BEYOND,
};

static const uint8_t by_next_high[16] = {
    [0x0] = TOO_SHORT,
    [0x1] = TOO_SHORT,
    [0x2] = TOO_SHORT,
    [0x3] = TOO_SHORT,
    [0x4] = TOO_SHORT,
    [0x5] = TOO_SHORT,
    [0x6] = TOO_SHORT,
    [0x7] = TOO_SHORT,
    [0x8] = ANY_TAIL | OVERLONG_3 | OUT_OF_4,
    [0x9] = ANY_TAIL | OVERLONG_3 | TOO_LARGE,
    [0xA] = ANY_TAIL | SURROGATE | TOO_LARGE,
    [0xB] = ANY_TAIL | SURROGATE | TOO_LARGE,
    [0xC] = TOO_SHORT,
    [0xD] = TOO_SHORT,
    [0xE] = TOO_SHORT,
    [0xF] = TOO_SHORT,
};

/* What ends a plain run, but for controls, by its low half; where there is none, a control. */
static const uint8_t ends_by_low[16] = {['"' & 15] = '"', ['\\' & 15] = '\\'};

#define VECTOR_BITS 128
#define SHORT_RUN   plain_run
#include "base/utf8_vector.h"
#undef SHORT_RUN
#undef VECTOR_BITS
#endif

#ifdef VECTOR_HAS_256
#define VECTOR_BITS 256
#define SHORT_RUN   run_128
#include "base/utf8_vector.h"
#undef SHORT_RUN
#undef VECTOR_BITS
#endif

typedef struct kernel {
    size_t (*ascii)(const char *s, size_t len);
    size_t (*valid)(const char *s, size_t len);
    size_t (*run)(const char *s, size_t len, bool *beyond_ascii);
} kernel;

static const kernel kernels[VECTOR_LEVELS] = {
    [VECTOR_NONE] = {plain_ascii, NULL, plain_run},
#ifdef VECTOR_HAS_128
    [VECTOR_128] = {ascii_128, valid_128, run_128},
#endif
#ifdef VECTOR_HAS_256
    [VECTOR_256] = {ascii_256, valid_256, run_256},
#endif
};

/* ---- checking ---- */

/* Begin of the last character of those before `at`, of which at least three belong to the text and
 * none is wrong. */
static size_t last_character(const char *s, size_t at)
{
    size_t i = at;
    while (i > at - 3 && is_tail((unsigned char)s[i - 1]))
        i--;
    return (unsigned char)s[i - 1] >= 0xC0 ? i - 1 : i;
}

/* The fast way begins at a character that has three bytes before it, and stops in front of the
 * vector where something is wrong; what that is, the plain way says, from the last character before
 * it on, which may be the one cut short. */
size_t utf8_check_feed_with(vector_level level, utf8_check *c, const char *s, size_t len)
{
    size_t i = 0;
    if (kernels[level].valid && len >= FAST_FROM) {
        while (i < 3 || c->tails > 0) {
            if (!take(c, (unsigned char)s[i]))
                return i;
            i++;
        }
        size_t n = kernels[level].valid(s + i, len - i);
        i += n;
        if (i == len && (unsigned char)s[i - 1] < 0x80)
            return len;
        if (n > 0)
            i = last_character(s, i);
    }
    return i + plain_feed(c, s + i, len - i);
}

size_t utf8_check_feed(utf8_check *c, const char *s, size_t len)
{
    return utf8_check_feed_with(vector_best(), c, s, len);
}

bool utf8_check_end(const utf8_check *c)
{
    return c->tails == 0;
}

bool utf8_valid(const char *s, size_t len)
{
    utf8_check c = {0};
    return utf8_check_feed(&c, s, len) == len && utf8_check_end(&c);
}

bool utf8_is_ascii(const char *s, size_t len)
{
    size_t n = kernels[vector_best()].ascii(s, len);
    return n + plain_ascii(s + n, len - n) == len;
}

size_t utf8_plain_run_with(vector_level level, const char *s, size_t len, bool *beyond_ascii)
{
    return kernels[level].run(s, len, beyond_ascii);
}

size_t utf8_plain_run(const char *s, size_t len, bool *beyond_ascii)
{
    return utf8_plain_run_with(vector_best(), s, len, beyond_ascii);
}

size_t utf8_encode(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point >= 0xD800 && point <= 0xDFFF)
        return 0;
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    if (point > 0x10FFFF)
        return 0;
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}
