/*
 * type - media types: checking one that the user gave, guessing one from a file name.
 *
 * Threads: pure.
 */
#ifndef POSTERN_MIME_TYPE_H
#define POSTERN_MIME_TYPE_H

#include <stddef.h>

/* Why `type/subtype[; attribute=value]…` (RFC 2045 section 5.1) can't be an attachment's type; NULL
 * if it can. multipart/… and message/… are refused: their bodies may not be base64 (RFC 2046 5.1,
 * 5.2.1). A static sentence. */
const char *mime_type_check(const char *s, size_t len);

/* The type that belongs to a file name's ending, from a table; application/octet-stream if unknown.
 */
const char *mime_type_guess(const char *filename, size_t len);

#endif
