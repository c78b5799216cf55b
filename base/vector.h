/*
 * vector - 16 or 32 bytes at a time: the few operations that the fast ways through text need, under
 * one name for SSSE3, AVX2 and NEON.
 *
 * A fast way is written once, in a file that is included for each width, with VECTOR_BITS 128 or
 * 256 defined, and says V(name) for an operation, VEC for the type, KERNEL(name) for its own
 * functions and VECTOR_TARGET before each. Its module has a plain C way beside it and takes, at
 * each call or once for each state, the best that vector_best() says this processor has. That is a
 * look at what the compiler's runtime found out before main(): there is no state here, and nothing
 * that a thread could see half done. The program is built for the oldest processor of its kind;
 * only functions marked VECTOR_TARGET use more.
 *
 * No operation reads or writes beyond the VECTOR_BYTES it is given.
 */
#ifndef POSTERN_BASE_VECTOR_H
#define POSTERN_BASE_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define VECTOR_X86 1
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define VECTOR_NEON 1
#endif

#if defined(VECTOR_X86) || defined(VECTOR_NEON)
#define VECTOR_HAS_128 1
#endif
#if defined(VECTOR_X86)
#define VECTOR_HAS_256 1
#endif

/* The ways there are; a way that this build or this processor lacks is never asked for. */
typedef enum vector_level { VECTOR_NONE, VECTOR_128, VECTOR_256 } vector_level;

#define VECTOR_LEVELS 3

static inline vector_level vector_best(void)
{
#if defined(VECTOR_X86)
    if (!__builtin_cpu_supports("popcnt"))
        return VECTOR_NONE;
    if (__builtin_cpu_supports("avx2"))
        return VECTOR_256;
    return __builtin_cpu_supports("ssse3") ? VECTOR_128 : VECTOR_NONE;
#elif defined(VECTOR_NEON)
    return VECTOR_128;
#else
    return VECTOR_NONE;
#endif
}

#define VECTOR_JOIN_(a, b)    a##b
#define VECTOR_JOIN(a, b)     VECTOR_JOIN_(a, b)
#define VECTOR_JOIN3(a, b, c) VECTOR_JOIN(VECTOR_JOIN(a, b), c)

#define V(name)       VECTOR_JOIN3(name, _, VECTOR_BITS)
#define KERNEL(name)  VECTOR_JOIN3(name, _, VECTOR_BITS)
#define VEC           VECTOR_JOIN(vec_, VECTOR_BITS)
#define VECTOR_TARGET VECTOR_JOIN(VECTOR_TARGET_, VECTOR_BITS)
#define VECTOR_BYTES  ((size_t)VECTOR_BITS / 8)

#if defined(VECTOR_X86)
#define VECTOR_TARGET_128 __attribute__((target("ssse3,popcnt")))
#define VECTOR_TARGET_256 __attribute__((target("avx2,popcnt")))
#else
#define VECTOR_TARGET_128
#endif

/* The operations, each on all bytes:
 *   load, store         unaligned
 *   same(byte), zero()
 *   table(16 bytes)     for lookup
 *   lookup(table, v)    the byte of the table that v's low four bits count; 0 where v >= 0x80
 *   upper(v)            the high four bits
 *   and, or, xor, add, less(a, b) = a - b or 0 if that is negative
 *   equal(a, b)         0xFF where it holds, else 0; at_most(a, b), unsigned, too
 *   any(v)              is a byte not 0?
 *   high(v)             has a byte its highest bit?
 * and on what equal and at_most give, which is all ones or all zeros:
 *   first(v)            index of the first that holds, VECTOR_BYTES if there is none
 *   count(v)            how many hold
 *   bits(v)             a bit for each, the first one's the lowest
 *   first_ones(n)       0xFF in the first n bytes, 0 in the others */

#define VECTOR_ONES_8 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF

static const uint8_t vector_ones[64] = {VECTOR_ONES_8, VECTOR_ONES_8, VECTOR_ONES_8, VECTOR_ONES_8};

#define VECTOR_OP_128 static inline __attribute__((always_inline)) VECTOR_TARGET_128

#if defined(VECTOR_X86)

#define VECTOR_OP_256 static inline __attribute__((always_inline)) VECTOR_TARGET_256

typedef __m128i vec_128;
typedef __m256i vec_256;

/* clang-format off */
VECTOR_OP_128 vec_128 load_128(const void *p) { return _mm_loadu_si128(p); }
VECTOR_OP_256 vec_256 load_256(const void *p) { return _mm256_loadu_si256(p); }

VECTOR_OP_128 void store_128(void *p, vec_128 v) { _mm_storeu_si128(p, v); }
VECTOR_OP_256 void store_256(void *p, vec_256 v) { _mm256_storeu_si256(p, v); }

VECTOR_OP_128 vec_128 same_128(uint8_t byte) { return _mm_set1_epi8((char)byte); }
VECTOR_OP_256 vec_256 same_256(uint8_t byte) { return _mm256_set1_epi8((char)byte); }

VECTOR_OP_128 vec_128 zero_128(void) { return _mm_setzero_si128(); }
VECTOR_OP_256 vec_256 zero_256(void) { return _mm256_setzero_si256(); }

VECTOR_OP_128 vec_128 table_128(const uint8_t bytes[16]) { return load_128(bytes); }
VECTOR_OP_256 vec_256 table_256(const uint8_t bytes[16])
{ return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)bytes)); }

VECTOR_OP_128 vec_128 lookup_128(vec_128 table, vec_128 v) { return _mm_shuffle_epi8(table, v); }
VECTOR_OP_256 vec_256 lookup_256(vec_256 table, vec_256 v) { return _mm256_shuffle_epi8(table, v); }

VECTOR_OP_128 vec_128 and_128(vec_128 a, vec_128 b) { return _mm_and_si128(a, b); }
VECTOR_OP_256 vec_256 and_256(vec_256 a, vec_256 b) { return _mm256_and_si256(a, b); }

VECTOR_OP_128 vec_128 upper_128(vec_128 v) { return and_128(_mm_srli_epi16(v, 4), same_128(15)); }
VECTOR_OP_256 vec_256 upper_256(vec_256 v) { return and_256(_mm256_srli_epi16(v, 4), same_256(15)); }

VECTOR_OP_128 vec_128 or_128(vec_128 a, vec_128 b) { return _mm_or_si128(a, b); }
VECTOR_OP_256 vec_256 or_256(vec_256 a, vec_256 b) { return _mm256_or_si256(a, b); }

VECTOR_OP_128 vec_128 xor_128(vec_128 a, vec_128 b) { return _mm_xor_si128(a, b); }
VECTOR_OP_256 vec_256 xor_256(vec_256 a, vec_256 b) { return _mm256_xor_si256(a, b); }

VECTOR_OP_128 vec_128 add_128(vec_128 a, vec_128 b) { return _mm_add_epi8(a, b); }
VECTOR_OP_256 vec_256 add_256(vec_256 a, vec_256 b) { return _mm256_add_epi8(a, b); }

VECTOR_OP_128 vec_128 less_128(vec_128 a, vec_128 b) { return _mm_subs_epu8(a, b); }
VECTOR_OP_256 vec_256 less_256(vec_256 a, vec_256 b) { return _mm256_subs_epu8(a, b); }

VECTOR_OP_128 vec_128 equal_128(vec_128 a, vec_128 b) { return _mm_cmpeq_epi8(a, b); }
VECTOR_OP_256 vec_256 equal_256(vec_256 a, vec_256 b) { return _mm256_cmpeq_epi8(a, b); }

VECTOR_OP_128 vec_128 at_most_128(vec_128 a, vec_128 b) { return equal_128(_mm_min_epu8(a, b), a); }
VECTOR_OP_256 vec_256 at_most_256(vec_256 a, vec_256 b) { return equal_256(_mm256_min_epu8(a, b), a); }

VECTOR_OP_128 bool any_128(vec_128 v) { return _mm_movemask_epi8(equal_128(v, zero_128())) != 0xFFFF; }
VECTOR_OP_256 bool any_256(vec_256 v) { return !_mm256_testz_si256(v, v); }

VECTOR_OP_128 bool high_128(vec_128 v) { return _mm_movemask_epi8(v) != 0; }
VECTOR_OP_256 bool high_256(vec_256 v) { return _mm256_movemask_epi8(v) != 0; }

VECTOR_OP_128 size_t first_128(vec_128 v)
{ return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8(v) | 0x10000); }
VECTOR_OP_256 size_t first_256(vec_256 v)
{ return (size_t)__builtin_ctzll((unsigned)_mm256_movemask_epi8(v) | 0x100000000); }

VECTOR_OP_128 size_t count_128(vec_128 v)
{ return (size_t)__builtin_popcount((unsigned)_mm_movemask_epi8(v)); }
VECTOR_OP_256 size_t count_256(vec_256 v)
{ return (size_t)__builtin_popcount((unsigned)_mm256_movemask_epi8(v)); }

VECTOR_OP_128 uint32_t bits_128(vec_128 v) { return (uint32_t)_mm_movemask_epi8(v); }
VECTOR_OP_256 uint32_t bits_256(vec_256 v) { return (uint32_t)_mm256_movemask_epi8(v); }

VECTOR_OP_128 vec_128 first_ones_128(size_t n) { return load_128(vector_ones + 32 - n); }
VECTOR_OP_256 vec_256 first_ones_256(size_t n) { return load_256(vector_ones + 32 - n); }
/* clang-format on */

#elif defined(VECTOR_NEON)

typedef uint8x16_t vec_128;

/* clang-format off */
VECTOR_OP_128 vec_128 load_128(const void *p) { return vld1q_u8(p); }
VECTOR_OP_128 void store_128(void *p, vec_128 v) { vst1q_u8(p, v); }
VECTOR_OP_128 vec_128 same_128(uint8_t byte) { return vdupq_n_u8(byte); }
VECTOR_OP_128 vec_128 zero_128(void) { return vdupq_n_u8(0); }
VECTOR_OP_128 vec_128 table_128(const uint8_t bytes[16]) { return vld1q_u8(bytes); }
VECTOR_OP_128 vec_128 and_128(vec_128 a, vec_128 b) { return vandq_u8(a, b); }
VECTOR_OP_128 vec_128 lookup_128(vec_128 table, vec_128 v)
{ return vqtbl1q_u8(table, and_128(v, same_128(0x8F))); }
VECTOR_OP_128 vec_128 upper_128(vec_128 v) { return vshrq_n_u8(v, 4); }
VECTOR_OP_128 vec_128 or_128(vec_128 a, vec_128 b) { return vorrq_u8(a, b); }
VECTOR_OP_128 vec_128 xor_128(vec_128 a, vec_128 b) { return veorq_u8(a, b); }
VECTOR_OP_128 vec_128 add_128(vec_128 a, vec_128 b) { return vaddq_u8(a, b); }
VECTOR_OP_128 vec_128 less_128(vec_128 a, vec_128 b) { return vqsubq_u8(a, b); }
VECTOR_OP_128 vec_128 equal_128(vec_128 a, vec_128 b) { return vceqq_u8(a, b); }
VECTOR_OP_128 vec_128 at_most_128(vec_128 a, vec_128 b) { return vcleq_u8(a, b); }
VECTOR_OP_128 bool any_128(vec_128 v) { return vmaxvq_u8(v) != 0; }
VECTOR_OP_128 bool high_128(vec_128 v) { return vmaxvq_u8(v) >= 0x80; }
VECTOR_OP_128 size_t first_128(vec_128 v)
{
    uint8x8_t halves = vshrn_n_u16(vreinterpretq_u16_u8(v), 4); /* four bits for each byte */
    uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(halves), 0);
    return bits ? (size_t)__builtin_ctzll(bits) / 4 : 16;
}
VECTOR_OP_128 size_t count_128(vec_128 v) { return vaddvq_u8(vshrq_n_u8(v, 7)); }
VECTOR_OP_128 uint32_t bits_128(vec_128 v)
{
    static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bits = and_128(v, load_128(places));
    return vaddv_u8(vget_low_u8(bits)) | (uint32_t)vaddv_u8(vget_high_u8(bits)) << 8;
}
VECTOR_OP_128 vec_128 first_ones_128(size_t n) { return load_128(vector_ones + 32 - n); }
/* clang-format on */

#endif
#endif
