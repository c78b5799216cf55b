/*
 * What mime/base64 is held against: the same rules one byte at a time, written for plainness.
 */
#ifndef POSTERN_TESTS_REFERENCE_BASE64_H
#define POSTERN_TESTS_REFERENCE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mime/base64.h"

#define REFERENCE_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

static inline int reference_base64_value(char c)
{
    static const char both[] = REFERENCE_ALPHABET "-_";
    const char *found = c ? strchr(both, c) : NULL;
    int value = found ? (int)(found - both) : -1;
    return value > 63 ? value - 2 : value;
}

static inline bool reference_base64_refuse(mime_base64_info *info, size_t at, const char *fault)
{
    *info = (mime_base64_info){.fault_offset = at, .fault = fault};
    return false;
}

/* Checks, and wraps into `out` (of 3 * len + 16 bytes; *wrapped of them), as mime_base64 must. */
static inline bool reference_base64(const char *s, size_t len, mime_base64_info *info, char *out,
                                    size_t *wrapped)
{
    size_t n = 0, pads = 0, blanks = 0, last = 0, to = 0, mixed = len, column = 0;
    bool standard = false, url_safe = false;
    for (size_t i = 0; i < len; i++) {
        int value = reference_base64_value(s[i]);
        if (s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n') {
            blanks++;
        } else if (s[i] == '=') {
            pads++;
        } else if (value < 0) {
            return reference_base64_refuse(info, i, "a character has no place in base64");
        } else if (pads) {
            return reference_base64_refuse(info, i, "the padding is wrong");
        } else {
            standard |= s[i] == '+' || s[i] == '/';
            url_safe |= s[i] == '-' || s[i] == '_';
            if (standard && url_safe && mixed == len)
                mixed = i;
            last = i;
            n++;
            out[to++] = REFERENCE_ALPHABET[value];
            if (++column == 76) {
                out[to++] = '\r';
                out[to++] = '\n';
                column = 0;
            }
        }
    }
    if (standard && url_safe)
        return reference_base64_refuse(info, mixed,
                                       "the standard and the URL-safe alphabet are mixed");
    if (n % 4 == 1)
        return reference_base64_refuse(info, len, "the text is cut short");
    if (pads && (n + pads) % 4 + (pads > 2) != 0)
        return reference_base64_refuse(info, len, "the padding is wrong");
    if ((n % 4 == 2 && reference_base64_value(s[last]) % 16) ||
        (n % 4 == 3 && reference_base64_value(s[last]) % 4))
        return reference_base64_refuse(info, last, "bits are left over behind the last octet");
    for (size_t i = n; i % 4; i++, column++)
        out[to++] = '=';
    if (column) {
        out[to++] = '\r';
        out[to++] = '\n';
    }
    *wrapped = to;
    *info = (mime_base64_info){
        .octets = n * 6 / 8,
        .characters = n,
        .wrapped = to,
        .canonical = !blanks && !url_safe && (n + pads) % 4 == 0,
    };
    return true;
}

/* Without breaks; returns the number of characters. */
static inline size_t reference_base64_encode(const unsigned char *octets, size_t len, char *out)
{
    size_t to = 0;
    unsigned long bits = 0;
    for (size_t i = 0; i < (len + 2) / 3 * 3; i++) {
        bits = bits << 8 | (i < len ? octets[i] : 0);
        if (i % 3 == 2)
            for (int shift = 18; shift >= 0; shift -= 6)
                out[to++] = REFERENCE_ALPHABET[bits >> shift & 63];
    }
    for (size_t i = 0; i < (3 - len % 3) % 3; i++)
        out[to - 1 - i] = '=';
    return to;
}

static inline bool reference_same_info(const mime_base64_info *a, const mime_base64_info *b)
{
    return a->octets == b->octets && a->characters == b->characters && a->wrapped == b->wrapped &&
           a->canonical == b->canonical && a->fault_offset == b->fault_offset &&
           (a->fault == NULL) == (b->fault == NULL) && (!a->fault || !strcmp(a->fault, b->fault));
}

/* What a stream makes of the text, in pieces whose lengths `piece` gives, each in memory of exactly
 * its size, so that a sanitizer sees any step beyond it. False unless it is what is expected. */
static inline bool reference_stream_agrees(const mime_base64_kernel *kernel, const char *s,
                                           size_t len, size_t piece, const mime_base64_info *info,
                                           const char *wrapped)
{
    mime_base64_stream stream;
    mime_base64_info got;
    size_t to = 0, n = 0;
    bool same = true, ok;
    char last[MIME_BASE64_STREAM_END];
    mime_base64_stream_init(&stream);
    stream.kernel = kernel;
    for (size_t at = 0, step = piece; at < len && same; at += n, step = step % 251 + piece) {
        n = step < len - at ? step : len - at;
        char *in = malloc(n ? n : 1), *out = malloc(MIME_BASE64_STREAM_ROOM(n));
        if (!in || !out)
            abort();
        memcpy(in, s + at, n);
        size_t wrote = mime_base64_stream_feed(&stream, in, n, out);
        same = info->fault || (to + wrote <= info->wrapped && !memcmp(wrapped + to, out, wrote));
        to += wrote;
        free(in);
        free(out);
    }
    ok = mime_base64_stream_end(&stream, last, &n, &got);
    if (!same || !reference_same_info(info, &got) || ok != !info->fault)
        return false;
    return !ok || (to + n == info->wrapped && !memcmp(wrapped + to, last, n));
}

#endif
