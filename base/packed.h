/*
 * packed - what stands in the program packed by gzip (openapi.S, builtin.S): few ask for it, and it
 * takes a fifth of the room so.
 */
#ifndef POSTERN_BASE_PACKED_H
#define POSTERN_BASE_PACKED_H

#include "base/buf.h"

/* Adds what was packed. Without memory the buf says so. */
void packed_write(const char *begin, const char *end, buf *out);

#endif
