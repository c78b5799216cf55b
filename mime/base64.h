/*
 * base64 - checking base64 text and re-wrapping it for a MIME body (RFC 2045 section 6.8).
 *
 * Attachments arrive as base64 in JSON and leave as base64 in the mail; they are checked once and
 * re-wrapped to 76 columns, never decoded and encoded again. Accepted: the standard or the URL-safe
 * alphabet (RFC 4648 sections 4 and 5; one of them, not a mix), padding optional but right if it is
 * there, CR LF, LF, space and tab anywhere between characters. Refused: any other byte, a number of
 * characters that no octets give (4n+1), padding in the middle or of the wrong length, and bits set
 * behind the last octet (a sign of damage).
 *
 * Memory: nothing is allocated. Threads: pure; a mime_base64_wrap is one reader's state.
 */
#ifndef POSTERN_MIME_BASE64_H
#define POSTERN_MIME_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIME_LINE_COLUMNS 76 /* of an encoded body line, without its CRLF */

typedef struct mime_base64_info {
    size_t octets;     /* what it decodes to */
    size_t characters; /* alphabet characters, without padding and breaks */
    size_t wrapped;    /* bytes it takes wrapped to 76 columns, padded, each line with CRLF */
    bool canonical;    /* one unbroken run, standard alphabet, padded: lines can be copied as is */
    size_t fault_offset; /* on a fault: where in the text */
    const char *fault;   /* on a fault: a static sentence fit for the user */
} mime_base64_info;

/* Checks `len` bytes of base64 text; true and the sizes, or false and the fault. */
bool mime_base64_check(const char *s, size_t len, mime_base64_info *out);

/* A position in the re-wrapping of a checked text. */
typedef struct mime_base64_wrap {
    const char *s;
    size_t len, at; /* the text, and how much of it was taken */
    size_t column;  /* in the output line */
    size_t emitted; /* alphabet characters and padding written */
    size_t total;   /* alphabet characters and padding to write */
    bool canonical;
    uint8_t break_at; /* 0: in a line; 1: CR written, LF owed */
} mime_base64_wrap;

void mime_base64_wrap_init(mime_base64_wrap *w, const char *s, size_t len,
                           const mime_base64_info *info);

/* Writes up to `cap` bytes of the wrapped text into `out`; 0 at its end. Every line, also the last,
 * ends with CRLF. Any `cap` from 1 works; the bytes are the same however they are cut. */
size_t mime_base64_wrap_read(mime_base64_wrap *w, char *out, size_t cap);

/* Encodes octets to base64 without breaks: out needs 4 * ((len + 2) / 3) bytes. Returns the number
 * written. */
size_t mime_base64_encode(const void *octets, size_t len, char *out);

/* Decodes a checked text into out (info->octets bytes). For tests and tools; the composer does not.
 */
size_t mime_base64_decode(const char *s, size_t len, void *out);

#endif
