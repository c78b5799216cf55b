/*
 * octets - 16 bytes at a time, with nothing but what every processor of the kind has.
 *
 * For short pieces of text in the midst of other work, where base/vector.h's choice at run time
 * would cost more than it gains: the compiler's own vectors, whose comparisons give 0xFF where they
 * hold.
 */
#ifndef POSTERN_MIME_OCTETS_H
#define POSTERN_MIME_OCTETS_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define OCTETS 16

typedef unsigned char octets __attribute__((vector_size(OCTETS)));

static inline octets octets_load(const char *s)
{
    octets o;
    memcpy(&o, s, sizeof o);
    return o;
}

/* Where the first comparison holds; OCTETS if none does. */
static inline size_t octets_first(octets found)
{
#ifdef __SSE2__
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8((__m128i)found) | 1U << OCTETS);
#else
    uint64_t halves[2];
    memcpy(halves, &found, sizeof halves);
    if (halves[0])
        return (size_t)__builtin_ctzll(le64toh(halves[0])) / 8;
    return halves[1] ? 8 + (size_t)__builtin_ctzll(le64toh(halves[1])) / 8 : OCTETS;
#endif
}

/* Keeps the `len` bytes, 8 at most, that are the first of a number's: its lowest. */
static inline uint64_t octets_cut(uint64_t word, size_t len)
{
    static const uint64_t masks[9] = {
        0x0,          0xFF,           0xFFFF,           0xFFFFFF,          0xFFFFFFFF,
        0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
    return word & masks[len];
}

/* Eight bytes as a number: s[0] its lowest byte. */
static inline uint64_t octets_eight(const void *s)
{
    uint64_t word;
    memcpy(&word, s, sizeof word);
    return le64toh(word);
}

/* The first `len` bytes, 8 at most, as such a number. */
static inline uint64_t octets_head(octets o, size_t len)
{
    return octets_cut(octets_eight(&o), len);
}

/* The same, of `len` bytes in memory, more than eight or not. `end`: how far can be read. */
static inline uint64_t octets_word(const char *s, size_t len, const char *end)
{
    uint64_t n = 0;
    if (end - s >= 8)
        return octets_cut(octets_eight(s), len < 8 ? len : 8);
    for (size_t i = 0; i < len && i < 8; i++)
        n |= (uint64_t)(unsigned char)s[i] << 8 * i;
    return n;
}

/* Its capital letters as small ones; what isn't a letter doesn't become one. */
static inline uint64_t octets_lower(uint64_t word)
{
    return word | (word & 0x4040404040404040) >> 1;
}

#endif
