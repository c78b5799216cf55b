/*
 * rar - whether a RAR archive, of version 4 or 5, has a password: by its headers, as far as they
 * are at hand (https://www.rarlab.com/technote.htm; version 4 as its own unpacker reads it).
 *
 * Pure.
 */
#ifndef POSTERN_LINT_RAR_H
#define POSTERN_LINT_RAR_H

#include <stdbool.h>
#include <stddef.h>

/* `head`: the file's first octets. False, too, if it is no such archive. */
bool rar_is_locked(const unsigned char *head, size_t len);

#endif
