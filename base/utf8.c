#include "base/utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080ULL

/* Bytes from the start of `s` that are ASCII, counted eight at a time. */
static size_t ascii_run(const char *s, size_t len)
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

bool utf8_is_ascii(const char *s, size_t len)
{
    return ascii_run(s, len) == len;
}

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

bool utf8_valid(const char *s, size_t len)
{
    size_t at = 0;
    while ((at += ascii_run(s + at, len - at)) < len) {
        uint32_t point;
        size_t n = utf8_decode(s + at, len - at, &point);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
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
