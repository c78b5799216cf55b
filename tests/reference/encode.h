/*
 * What mime/encode is held against: both encodings written character by character.
 */
#ifndef POSTERN_TESTS_REFERENCE_ENCODE_H
#define POSTERN_TESTS_REFERENCE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mime/encode.h"
#include "tests/reference/base64.h"

/* Each line end as \n, which the text can't hold otherwise; `out` has room for `len`. */
static inline size_t reference_unify(const char *s, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (!(s[i] == '\n' && i > 0 && s[i - 1] == '\r'))
            out[n++] = s[i] == '\r' ? '\n' : s[i];
    return n;
}

/* Room for 8 * len + 16 is enough for either. */
static inline size_t reference_quoted(const char *s, size_t len, char *out)
{
    char *text = calloc(len + 1, 1); /* ends with NUL */
    size_t to = 0, column = 0;
    if (!text)
        abort();
    size_t n = reference_unify(s, len, text);
    for (size_t i = 0, octets; i < n; i += octets) {
        const char *p = text + i;
        uint32_t point;
        bool last = i + 1 == n || p[1] == '\n';
        bool bare = (*p > ' ' && *p <= '~' && *p != '=') || ((*p == ' ' || *p == '\t') && !last);
        octets = utf8_decode(p, n - i, &point);
        octets = octets ? octets : 1;
        if (*p == '\n') {
            to += (size_t)sprintf(out + to, "\r\n");
            column = 0;
            continue;
        }
        if (column + (bare ? 1 : 3 * octets) > 75) {
            to += (size_t)sprintf(out + to, "=\r\n");
            column = 0;
        }
        bare = bare && !(column == 0 && (*p == '.' || !strncmp(p, "From ", 5)));
        size_t start = to;
        for (size_t k = 0; k < octets; k++)
            to += (size_t)sprintf(out + to, bare ? "%c" : "=%02X", (unsigned char)p[k]);
        column += to - start;
    }
    free(text);
    return to;
}

static inline size_t reference_base64_text(const char *s, size_t len, char *out)
{
    char *text = malloc(2 * len + 1), *encoded = malloc(4 * len + 8);
    size_t n = 0, to = 0;
    if (!text || !encoded)
        abort();
    size_t unified = reference_unify(s, len, encoded);
    for (size_t i = 0; i < unified; i++) {
        if (encoded[i] == '\n')
            text[n++] = '\r';
        text[n++] = encoded[i];
    }
    n = reference_base64_encode((unsigned char *)text, n, encoded);
    for (size_t i = 0; i < n; i += 76) {
        size_t line = n - i < 76 ? n - i : 76;
        memcpy(out + to, encoded + i, line);
        memcpy(out + to + line, "\r\n", 2);
        to += line + 2;
    }
    free(text);
    free(encoded);
    return to;
}

/* Does one way give these bytes, read in pieces of `piece`, each in memory of exactly that size? */
static inline bool reference_encoder_agrees(vector_level level, mime_encoding encoding,
                                            const char *s, size_t len, size_t piece,
                                            const char *expected, size_t expected_len)
{
    mime_encoder e;
    size_t at = 0, n;
    bool same = true;
    char *out = malloc(piece);
    if (!out)
        abort();
    mime_encoder_init_with(level, &e, encoding, s, len);
    while (same && (n = mime_encoder_read(&e, out, piece)) > 0) {
        same = n <= expected_len - at && !memcmp(out, expected + at, n);
        at += n;
    }
    free(out);
    return same && at == expected_len;
}

/* Do all ways encode and choose as the reference? */
static inline bool reference_encode_agrees(const char *text, size_t len, size_t piece)
{
    char *s = malloc(len ? len : 1), *quoted = malloc(8 * len + 16);
    char *base64 = malloc(8 * len + 16), *out = malloc(piece);
    bool same = true;
    if (!s || !quoted || !base64 || !out)
        abort();
    if (len)
        memcpy(s, text, len);
    size_t q = reference_quoted(s, len, quoted), b = reference_base64_text(s, len, base64);
    bool ends = len > 0 && (q > b || s[len - 1] == '\n' || s[len - 1] == '\r');
    for (vector_level level = VECTOR_NONE; level <= vector_best() && same; level++) {
        uint64_t size;
        bool ends_line;
        mime_encoding chosen =
            mime_encoding_choose_with(level, s, len, out, piece, &size, &ends_line);
        same = chosen == (q <= b ? MIME_QUOTED_PRINTABLE : MIME_BASE64) &&
               size == (q <= b ? q : b) && ends_line == ends &&
               (q > b || q > piece || !memcmp(out, quoted, q)) &&
               reference_encoder_agrees(level, MIME_QUOTED_PRINTABLE, s, len, piece, quoted, q) &&
               reference_encoder_agrees(level, MIME_QUOTED_PRINTABLE, s, len, q + 1, quoted, q) &&
               reference_encoder_agrees(level, MIME_QUOTED_PRINTABLE, s, len, q + 999, quoted, q) &&
               reference_encoder_agrees(level, MIME_BASE64, s, len, piece, base64, b) &&
               reference_encoder_agrees(level, MIME_BASE64, s, len, b + 1, base64, b);
    }
    free(s);
    free(quoted);
    free(base64);
    free(out);
    return same;
}

#endif
