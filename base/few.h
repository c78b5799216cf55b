/*
 * few - short pieces of text: copied and looked at without a call, and without a loop up to 16
 * bytes.
 *
 * Keys, names, addresses and most values have a few bytes; what is made for whole texts
 * (base/vector.h) costs more there than it gains. A piece is taken as two of a known size, which
 * may overlap; nothing is read or written beyond it. Needs nothing but what every processor of the
 * kind has.
 */
#ifndef POSTERN_BASE_FEW_H
#define POSTERN_BASE_FEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The compiler's own vectors, whose comparisons give all ones where they hold. Signed: what is
 * beyond ASCII is below zero. */
typedef signed char few __attribute__((vector_size(16)));

/* The bytes of a piece of 1 to 16, some of them more than once. */
static inline few few_load(const char *s, size_t len)
{
    uint64_t pieces[2];
    few v;
    if (len >= 8) {
        memcpy(&pieces[0], s, 8);
        memcpy(&pieces[1], s + len - 8, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, s, 4);
        memcpy(&last, s + len - 4, 4);
        pieces[0] = pieces[1] = (uint64_t)last << 32 | first;
    } else {
        unsigned char first = (unsigned char)s[0], middle = (unsigned char)s[len / 2];
        unsigned char last = (unsigned char)s[len - 1];
        uint32_t three =
            first | (uint32_t)middle << 8 | (uint32_t)last << 16 | (uint32_t)last << 24;
        pieces[0] = pieces[1] = (uint64_t)three << 32 | three;
    }
    memcpy(&v, pieces, sizeof v);
    return v;
}

/* Whether a byte is not 0. */
static inline bool few_any(few v)
{
    uint64_t halves[2];
    memcpy(halves, &v, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* Copies a piece, which may be longer than a few bytes; the end of the copy. */
static inline char *few_copy(char *to, const char *s, size_t len)
{
    if (len > 16) {
        memcpy(to, s, len);
    } else if (len >= 8) {
        memcpy(to, s, 8);
        memcpy(to + len - 8, s + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, s, 4);
        memcpy(to + len - 4, s + len - 4, 4);
    } else if (len > 0) {
        to[0] = s[0];
        to[len / 2] = s[len / 2];
        to[len - 1] = s[len - 1];
    }
    return to + len;
}

/* Whether `wrong` finds nothing in a text of any length. */
static inline __attribute__((always_inline)) bool few_free_of(const char *s, size_t len,
                                                              few (*wrong)(few))
{
    few found = {0}, v;
    if (len == 0)
        return true;
    if (len <= sizeof v)
        return !few_any(wrong(few_load(s, len)));
    for (size_t at = 0; len - at > sizeof v; at += sizeof v) {
        memcpy(&v, s + at, sizeof v);
        found |= wrong(v);
    }
    memcpy(&v, s + len - sizeof v, sizeof v);
    return !few_any(found | wrong(v));
}

/* Controls and what is beyond ASCII: one more makes DEL the lowest of all. */
static inline few few_unprintable(few v)
{
    typedef unsigned char octets __attribute__((vector_size(16)));
    return (few)((octets)v + 1) < 0x21;
}

/* Whether all of a text is ASCII without controls. */
static inline bool few_printable(const char *s, size_t len)
{
    return few_free_of(s, len, few_unprintable);
}

#endif
