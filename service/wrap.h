/*
 * wrap - text for a terminal: words broken into lines.
 *
 * Pure.
 */
#ifndef POSTERN_SERVICE_WRAP_H
#define POSTERN_SERVICE_WRAP_H

#include <stddef.h>

#include "base/buf.h"

/* Adds the words in lines of at most 80 columns (a longer word stands alone) that begin with
 * `indent` spaces; a line end in the text is kept, and one is added at the end. */
void wrap_text(buf *out, const char *text, size_t indent);

#endif
