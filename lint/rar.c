#include "lint/rar.h"

#include <stdint.h>
#include <string.h>

static const char mark_4[] = {'R', 'a', 'r', '!', 0x1A, 7, 0};
static const char mark_5[] = {'R', 'a', 'r', '!', 0x1A, 7, 1, 0};

/* ---- version 4 ---- */

#define BLOCK          7  /* octets of a header: its sum, type, flags and size … */
#define BLOCK_AND_SIZE 11 /* … and the size of what is behind it */
#define BEHIND         0x8000

#define ARCHIVE      0x73
#define NAMES_LOCKED 0x80
#define FILE_HEADER  0x74
#define FILE_LOCKED  0x04

static unsigned two(const unsigned char *s)
{
    return s[0] | (unsigned)s[1] << 8;
}

static bool is_locked_4(const unsigned char *s, size_t len)
{
    for (size_t at = sizeof mark_4; len - at >= BLOCK_AND_SIZE;) {
        const unsigned char *h = s + at;
        unsigned type = h[2], flags = two(h + 3);
        size_t size = two(h + 5), behind = two(h + 7) | (size_t)two(h + 9) << 16;
        if ((type == ARCHIVE && flags & NAMES_LOCKED) ||
            (type == FILE_HEADER && flags & FILE_LOCKED))
            return true;
        if (flags & BEHIND && behind < len)
            size += behind;
        else if (flags & BEHIND)
            return false;
        if (size < BLOCK || size > len - at)
            return false;
        at += size;
    }
    return false;
}

/* ---- version 5 ---- */

#define SUM         4 /* octets before each header */
#define HAS_EXTRA   1
#define HAS_BEHIND  2
#define FILE_5      2
#define ENCRYPTED   4 /* a header that says so of all behind it */
#define EXTRA_CRYPT 1

typedef struct span {
    const unsigned char *at;
    size_t left;
} span;

/* Seven bits an octet, the lowest first. Where it isn't whole it is 0, and nothing is left. */
static uint64_t number(span *s)
{
    uint64_t value = 0;
    for (unsigned shift = 0; s->left > 0 && shift < 63; shift += 7) {
        unsigned char octet = *s->at++;
        s->left--;
        value |= (uint64_t)(octet & 0x7F) << shift;
        if (!(octet & 0x80))
            return value;
    }
    s->left = 0;
    return 0;
}

static bool skip(span *s, uint64_t octets)
{
    bool there = octets <= s->left;
    s->at += there ? octets : 0;
    s->left -= there ? (size_t)octets : 0;
    return there;
}

static bool has_crypt(span extra)
{
    while (extra.left > 0) {
        uint64_t size = number(&extra);
        span record = extra;
        if (!skip(&extra, size))
            return false;
        if (number(&record) == EXTRA_CRYPT)
            return true;
    }
    return false;
}

static bool is_locked_5(const unsigned char *s, size_t len)
{
    span rest = {s + sizeof mark_5, len - sizeof mark_5};
    while (skip(&rest, SUM)) {
        uint64_t size = number(&rest);
        span header = rest;
        if (size == 0)
            return false;
        uint64_t type = number(&header), flags = number(&header);
        uint64_t extra = flags & HAS_EXTRA ? number(&header) : 0;
        uint64_t behind = flags & HAS_BEHIND ? number(&header) : 0;
        if (type == ENCRYPTED)
            return true;
        if (!skip(&rest, size))
            return false;
        if (type == FILE_5 && extra <= size &&
            has_crypt((span){rest.at - (size_t)extra, (size_t)extra}))
            return true;
        if (!skip(&rest, behind))
            return false;
    }
    return false;
}

bool rar_is_locked(const unsigned char *head, size_t len)
{
    if (len >= sizeof mark_5 && memcmp(head, mark_5, sizeof mark_5) == 0)
        return is_locked_5(head, len);
    return len >= sizeof mark_4 && memcmp(head, mark_4, sizeof mark_4) == 0 &&
           is_locked_4(head, len);
}
