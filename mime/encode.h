/*
 * encode - text bodies on their way out: line ends made CRLF, then quoted-printable or base64 (RFC
 * 2045 sections 6.7 and 6.8).
 *
 * An encoder is a position in a borrowed text and gives its encoding piece by piece, so that a
 * large body is never in memory twice. CR, LF and CRLF each are one line end.
 *
 * Quoted-printable: lines of at most 76 columns; blanks at a line's end, a dot at its start and the
 * F of "From " are encoded (relays and mailbox files change them otherwise); a character of several
 * octets is not parted by a soft break. Base64: lines of 76 columns, each with its CRLF.
 *
 * Pure; nothing is allocated. Runs of characters that need no encoding go 16 or 32 bytes at a time
 * (base/vector.h).
 */
#ifndef POSTERN_MIME_ENCODE_H
#define POSTERN_MIME_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vector.h"

typedef enum mime_encoding { MIME_QUOTED_PRINTABLE, MIME_BASE64 } mime_encoding;

/* "quoted-printable", "base64". */
const char *mime_encoding_name(mime_encoding e);

typedef struct mime_encoder {
    const struct mime_encode_kernel *kernel;
    mime_encoding encoding;
    const char *s;
    size_t len, at;
    size_t column;    /* quoted-printable: in the output line */
    uint64_t grown;   /* line ends that have become one octet longer */
    bool owe_lf;      /* base64: the LF of a CR LF that a group of octets has parted */
    char pending[80]; /* made, not yet given */
    uint8_t pending_len, pending_at;
} mime_encoder;

void mime_encoder_init(mime_encoder *e, mime_encoding encoding, const char *s, size_t len);

/* Up to `cap` bytes; 0 at the end. The bytes are the same however they are cut. */
size_t mime_encoder_read(mime_encoder *e, char *out, size_t cap);

/* The smaller encoding of a text, the size it takes, and whether it ends with CRLF (an empty one
 * doesn't). If quoted-printable is chosen and takes at most `cap` bytes, then these are in `out`,
 * which is a scratch otherwise: a text need not be gone through twice. */
mime_encoding mime_encoding_choose(const char *s, size_t len, char *out, size_t cap, uint64_t *size,
                                   bool *ends_line);

/* For tests and benchmarks: the same by one of the ways, which this processor must have. */
void mime_encoder_init_with(vector_level level, mime_encoder *e, mime_encoding encoding,
                            const char *s, size_t len);
mime_encoding mime_encoding_choose_with(vector_level level, const char *s, size_t len, char *out,
                                        size_t cap, uint64_t *size, bool *ends_line);

#endif
