/*
 * dot - a body on its way into DATA: dot-stuffed (RFC 5321 section 4.5.2), ended by CRLF.CRLF.
 *
 * A line ends in CRLF and in nothing else: a bare CR or a bare LF becomes CRLF here, whatever the
 * composer promised, so that no body can hold what one server reads as text and another as the end
 * of the message ("LF . LF").
 *
 * The body comes in pieces, cut anywhere. Threads: pure; one smtp_dot is one body's state.
 */
#ifndef POSTERN_SMTP_DOT_H
#define POSTERN_SMTP_DOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vector.h"

typedef struct smtp_dot {
    bool in_line; /* the last byte written did not end a line */
    bool cr;      /* a CR was read and not written yet */
} smtp_dot;

/* Room that `n` bytes of body need at most, and what the end needs. */
#define SMTP_DOT_ROOM(n) (2 * (n) + 2)
#define SMTP_DOT_END     5

/* Writes `len` bytes of the body to `out` (SMTP_DOT_ROOM(len)); returns the number written. */
size_t smtp_dot_copy(smtp_dot *d, const char *in, size_t len, char *out);

/* Takes the leading bytes that go out as they are, and returns their number: the caller sends them
 * from where they are, and then what is left of the piece by smtp_dot_copy(). Most bodies are like
 * that to their end; a CR that ends a piece is left. */
size_t smtp_dot_clean(smtp_dot *d, const char *in, size_t len);

/* Writes the last line's end, if it is owed, and the final dot; returns the number written. */
size_t smtp_dot_end(smtp_dot *d, char *out);

/* For tests and benchmarks: the same by one of the ways, which this processor must have. */
size_t smtp_dot_copy_with(vector_level level, smtp_dot *d, const char *in, size_t len, char *out);
size_t smtp_dot_clean_with(vector_level level, smtp_dot *d, const char *in, size_t len);

#endif
