/*
 * utf8 - checking and walking UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF).
 *
 * Pure functions on borrowed bytes; no allocation, no locale.
 */
#ifndef POSTERN_BASE_UTF8_H
#define POSTERN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if all `len` bytes are ASCII (below 0x80). */
bool utf8_is_ascii(const char *s, size_t len);

/* True if the bytes are well-formed UTF-8. */
bool utf8_valid(const char *s, size_t len);

/* Length in bytes (1 to 4) of the well-formed character at `s`, which has `len` bytes before its
 * end, and its code point in *point; 0 if there is no well-formed character there. */
size_t utf8_decode(const char *s, size_t len, uint32_t *point);

/* Writes `point` as UTF-8 into out[4] and returns the number of bytes; 0 if it is not a scalar
 * value (a surrogate, or above U+10FFFF). */
size_t utf8_encode(uint32_t point, char out[4]);

#endif
