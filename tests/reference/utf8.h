/*
 * What base/utf8 is held against: the grammar of RFC 3629 section 4, line by line.
 */
#ifndef POSTERN_TESTS_REFERENCE_UTF8_H
#define POSTERN_TESTS_REFERENCE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Length of the leading bytes that a well-formed text can begin with; *whole: that text may end
 * there. */
static inline size_t reference_utf8(const char *s, size_t len, bool *whole)
{
    static const struct {
        unsigned char from[4], to[4];
        size_t len;
    } forms[] = {
        {{0x00}, {0x7F}, 1},
        {{0xC2, 0x80}, {0xDF, 0xBF}, 2},
        {{0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}, 3},
        {{0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}, 3},
        {{0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}, 3},
        {{0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}, 3},
        {{0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}, 4},
        {{0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}, 4},
        {{0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}, 4},
    };
    size_t at = 0;
    *whole = true;
    while (at < len) {
        size_t most = 0, form_len = 1;
        for (size_t f = 0; f < sizeof forms / sizeof *forms && most == 0; f++) {
            size_t n = 0;
            while (n < forms[f].len && at + n < len &&
                   (unsigned char)s[at + n] >= forms[f].from[n] &&
                   (unsigned char)s[at + n] <= forms[f].to[n])
                n++;
            most = n;
            form_len = forms[f].len;
        }
        at += most;
        if (most < form_len) {
            *whole = false;
            return at;
        }
    }
    return at;
}

static inline size_t reference_plain_run(const char *s, size_t len, bool *beyond_ascii)
{
    size_t n = 0;
    *beyond_ascii = false;
    for (; n < len && s[n] != '"' && s[n] != '\\' && (unsigned char)s[n] >= 0x20; n++)
        *beyond_ascii |= (unsigned char)s[n] >= 0x80;
    return n;
}

static inline char *reference_exact_copy(const char *s, size_t len)
{
    char *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    if (len)
        memcpy(copy, s, len);
    return copy;
}

/* Do all ways say of the text what the reference says, in pieces of `piece`, which are each in
 * memory of exactly their size? */
static inline bool reference_utf8_agrees(const char *s, size_t len, size_t piece)
{
    bool whole, same = true;
    size_t expected = reference_utf8(s, len, &whole);
    for (vector_level level = VECTOR_NONE; level <= vector_best() && same; level++) {
        utf8_check c = {0};
        size_t at = 0, n = 0, took = 0;
        for (; at < len && took == n; at += took) {
            n = piece < len - at ? piece : len - at;
            char *copy = reference_exact_copy(s + at, n);
            took = utf8_check_feed_with(level, &c, copy, n);
            free(copy);
        }
        same = at == expected && (expected < len || utf8_check_end(&c) == whole);
    }
    return same && utf8_valid(s, len) == (expected == len && whole);
}

static inline bool reference_plain_run_agrees(const char *s, size_t len)
{
    bool beyond, same = true;
    size_t expected = reference_plain_run(s, len, &beyond);
    char *copy = reference_exact_copy(s, len);
    for (vector_level level = VECTOR_NONE; level <= vector_best() && same; level++) {
        bool got = false;
        same = utf8_plain_run_with(level, copy, len, &got) == expected && got == beyond;
    }
    free(copy);
    return same;
}

#endif
