/*
 * canon - the canonical forms of a message's body and header fields (RFC 6376 section 3.4).
 *
 * A body is fed in pieces, cut anywhere, and its canonical form goes to a sink in pieces: what need
 * not be changed is passed on where it lies, without a copy. A line ends with CRLF; a CR or an LF
 * by itself is a byte like others.
 *
 * Pure. Memory: a dkim_body has none of its own. Threads: one at a time.
 */
#ifndef POSTERN_DKIM_CANON_H
#define POSTERN_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED } dkim_canon;

typedef void dkim_sink(void *ctx, const char *data, size_t len);

typedef struct dkim_body {
    dkim_canon canon;
    dkim_sink *put;
    void *ctx;
    uint64_t lines; /* line ends that count only if something follows them */
    bool blank;     /* so do blanks (relaxed) */
    bool cr;        /* the last byte was a CR, of a line end perhaps */
    bool some;      /* anything was put */
} dkim_body;

void dkim_body_init(dkim_body *b, dkim_canon canon, dkim_sink *put, void *ctx);
void dkim_body_feed(dkim_body *b, const char *data, size_t len);
void dkim_body_end(dkim_body *b);

/* Adds the canonical form of a field, "Name: value" with its folding; a CRLF at its end is the
 * same as none. The form ends with CRLF. */
void dkim_field_canon(dkim_canon canon, const char *field, size_t len, buf *out);

#endif
