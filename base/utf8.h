/*
 * utf8 - checking and walking UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF).
 *
 * Pure functions on borrowed bytes; no allocation, no locale. What goes over whole texts takes 16
 * or 32 bytes at a time where the processor can (base/vector.h).
 */
#ifndef POSTERN_BASE_UTF8_H
#define POSTERN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"

/* True if all `len` bytes are ASCII (below 0x80). */
bool utf8_is_ascii(const char *s, size_t len);

/* True if the bytes are well-formed UTF-8. */
bool utf8_valid(const char *s, size_t len);

/* Checks a text that comes in pieces, cut anywhere. One that is all zeros is at a text's begin. */
typedef struct utf8_check {
    uint8_t tails;     /* bytes that the last character still lacks */
    uint8_t low, high; /* between which the next of them must be */
} utf8_check;

/* `len`, if the bytes go on as UTF-8; else the offset of the first that can't follow those before
 * it. After that the check is over. */
size_t utf8_check_feed(utf8_check *c, const char *s, size_t len);

/* True if the text may end here: no character is cut short. */
bool utf8_check_end(const utf8_check *c);

/* Length of the leading run of bytes that stand for themselves in a quoted JSON string: none of
 * them `"`, `\` or below 0x20. Bytes from 0x80 on are part of it, well-formed or not; if there are
 * any, *beyond_ascii becomes true (and is left alone otherwise). */
size_t utf8_plain_run(const char *s, size_t len, bool *beyond_ascii);

/* Length in bytes (1 to 4) of the well-formed character at `s`, which has `len` bytes before its
 * end, and its code point in *point; 0 if there is no well-formed character there. */
size_t utf8_decode(const char *s, size_t len, uint32_t *point);

/* Writes `point` as UTF-8 into out[4] and returns the number of bytes; 0 if it is not a scalar
 * value (a surrogate, or above U+10FFFF). */
size_t utf8_encode(uint32_t point, char out[4]);

/* For tests and benchmarks: the same by one of the ways, which this processor must have. */
size_t utf8_check_feed_with(vector_level level, utf8_check *c, const char *s, size_t len);
size_t utf8_plain_run_with(vector_level level, const char *s, size_t len, bool *beyond_ascii);

#endif
