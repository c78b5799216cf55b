/*
 * What smtp/dot is held against: lines found first, stuffed then.
 */
#ifndef POSTERN_TESTS_REFERENCE_DOT_H
#define POSTERN_TESTS_REFERENCE_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/dot.h"

/* The whole of DATA for a body; `out` of 2 * len + 8 bytes. */
static inline size_t reference_dot(const char *s, size_t len, char *out)
{
    size_t to = 0;
    for (size_t at = 0, end; at < len; at = end) {
        size_t stop = at;
        while (stop < len && s[stop] != '\r' && s[stop] != '\n')
            stop++;
        end = stop + (stop < len) + (stop + 1 < len && s[stop] == '\r' && s[stop + 1] == '\n');
        if (s[at] == '.')
            out[to++] = '.';
        memcpy(out + to, s + at, stop - at);
        to += stop - at;
        memcpy(out + to, "\r\n", 2);
        to += 2;
    }
    memcpy(out + to, ".\r\n", 3);
    return to + 3;
}

/* Do all ways agree, for pieces of `piece`, with what is clean taken first, or not? Each piece is
 * in memory of exactly its size. */
static inline bool reference_dot_agrees(const char *s, size_t len, size_t piece, bool clean_first)
{
    char *expected = malloc(2 * len + 8), *got = malloc(2 * len + 8 + 2 * (len / piece + 1));
    if (!expected || !got)
        abort();
    size_t expected_len = reference_dot(s, len, expected);
    bool same = true;
    for (vector_level level = VECTOR_NONE; level <= vector_best() && same; level++) {
        smtp_dot d = {0};
        size_t to = 0;
        for (size_t at = 0, n; at < len; at += n) {
            n = piece < len - at ? piece : len - at;
            char *in = malloc(n ? n : 1), *out = malloc(SMTP_DOT_ROOM(n));
            if (!in || !out)
                abort();
            memcpy(in, s + at, n);
            size_t clean = clean_first ? smtp_dot_clean_with(level, &d, in, n) : 0;
            memcpy(got + to, in, clean);
            to += clean;
            size_t wrote = smtp_dot_copy_with(level, &d, in + clean, n - clean, out);
            memcpy(got + to, out, wrote);
            to += wrote;
            free(in);
            free(out);
        }
        to += smtp_dot_end(&d, got + to);
        same = to == expected_len && !memcmp(got, expected, to);
    }
    free(expected);
    free(got);
    return same;
}

#endif
