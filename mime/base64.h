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
 * A text that is whole in memory is checked and its wrapping then read; one that comes in pieces
 * goes through a mime_base64_stream, which does both at once. They are one machine: the same texts
 * are accepted, with the same faults, and the wrapped bytes are the same.
 *
 * Memory: nothing is allocated. Threads: pure; a mime_base64_wrap or a mime_base64_stream is one
 * reader's state.
 */
#ifndef POSTERN_MIME_BASE64_H
#define POSTERN_MIME_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"

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

/* Checking and re-wrapping of a text that comes in pieces, cut anywhere. */
typedef struct mime_base64_stream {
    const struct mime_base64_kernel *kernel;
    size_t taken;                    /* bytes of the text */
    size_t characters, blanks, pads; /* of them */
    size_t column;                   /* in the output line */
    size_t last_at;                  /* where the last character of the alphabet was */
    size_t mixed_at;                 /* where the second alphabet began, if both are in `seen` */
    unsigned seen;
    char last;
    size_t fault_offset; /* once it is at fault: where in the whole text */
    const char *fault;   /* and the sentence; NULL before */
} mime_base64_stream;

/* Room that a piece of `n` bytes needs at most, and what the end needs. */
#define MIME_BASE64_STREAM_ROOM(n) ((n) + ((n) / MIME_LINE_COLUMNS + 1) * 2)
#define MIME_BASE64_STREAM_END     4

void mime_base64_stream_init(mime_base64_stream *s);

/* Takes the next `len` bytes of the text and writes what is wrapped of it, full lines with their
 * CRLF and a begun one without, into `out` (MIME_BASE64_STREAM_ROOM(len), all of which it may use
 * for scratch). Returns the bytes written; 0 from the first fault on, see s->fault. */
size_t mime_base64_stream_feed(mime_base64_stream *s, const char *in, size_t len, char *out);

/* The text has ended: true, its sizes, and the last bytes (*written of MIME_BASE64_STREAM_END):
 * padding and the last line's CRLF. Or false and the fault, of a piece before or of the end. */
bool mime_base64_stream_end(mime_base64_stream *s, char *out, size_t *written,
                            mime_base64_info *info);

/* A position in the re-wrapping of a checked text. */
typedef struct mime_base64_wrap {
    const struct mime_base64_kernel *kernel;
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

/* ---- for tests and benchmarks: each of the ways, see base/vector.h ---- */

typedef struct mime_base64_kernel {
    /* Copies the leading characters of either alphabet (of `len` bytes), translated to the standard
     * one, to `out`, unless that is NULL, and notes in *seen which alphabets' signs were among
     * them. Returns their number; out[0..len) may be scratched. */
    size_t (*run)(const char *in, size_t len, char *out, unsigned *seen);
    /* The same for whole lines of 76 characters without anything in them, each written with CRLF;
     * CR and LF behind one are skipped and counted. Returns the bytes taken in. */
    size_t (*lines)(const char *in, size_t len, char *out, unsigned *seen, size_t *breaks);
    /* Encodes leading octets, in groups of three, as many as suit it; returns their number. */
    size_t (*encode)(const unsigned char *in, size_t len, char *out);
} mime_base64_kernel;

/* NULL if this build has no such way. Whether this processor has, the caller knows. */
const mime_base64_kernel *mime_base64_kernel_at(vector_level level);

bool mime_base64_check_with(const mime_base64_kernel *k, const char *s, size_t len,
                            mime_base64_info *out);
size_t mime_base64_encode_with(const mime_base64_kernel *k, const void *octets, size_t len,
                               char *out);

#endif
