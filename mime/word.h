/*
 * word - text with encoded-words (RFC 2047), as other programs write names, is read.
 *
 * Charsets are UTF-8, US-ASCII and ISO-8859-1; a word of another one, one that is not well-formed,
 * or one that has a control character in it (a line break, too) stays as it is written. Blanks
 * between two words go.
 *
 * Pure. Memory: the caller's buf.
 */
#ifndef POSTERN_MIME_WORD_H
#define POSTERN_MIME_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Adds the text to `out`, decoded. False: it has no word that can be, and nothing was added.
 * Running out of memory is the buf's. */
bool mime_words_decode(const char *s, size_t len, buf *out);

#endif
